//! The ledger of a worklist: a row an item, folded from the events. What a row says of an item that has ended is the
//! harness's word and its evidence; what a source or a model wrote stands in fields of the type [`Quoted`].
//!
//! It grows with the items that were opened and not with what happened to them: a row is some hundred bytes and the
//! beginning of its evidence.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::check::Verdict;
use crate::event::{Event, Fact, Price, SourceDoing};
use crate::ids::{BlobId, CheckId, CommitId, ItemId, Scope, UnixMs};
use crate::item::{Closed, ItemHead, Outcome, Replayed, Verb, WHOLE_INDEX};
use crate::judge::clip;
use crate::report::{LINE_BYTES_MAX, PATHS_MAX, Quoted, Tokens};
use crate::state::{Phase, State};
use crate::turn::Usage;

/// How many rows the report lists. `overnight items` shows them all.
pub const ROWS_MAX: usize = 10_000;
/// How much of one item's evidence the ledger keeps, bytes. The journal has all of it.
pub const EVIDENCE_BYTES_MAX: usize = 2 * 1024;
/// How many items the report shows with as much evidence as the ledger has; of the others it is one line.
pub const EVIDENCE_ROWS_MAX: usize = 500;
/// How much of an item's evidence is one line, bytes.
const EVIDENCE_LINE_BYTES_MAX: usize = 240;
/// How many newcomers are listed.
pub const NEWCOMERS_MAX: usize = 200;
/// How many verdicts of its own checks a row keeps.
const CHECKS_MAX: usize = 24;
/// How much of an id, a title or an address is kept, bytes.
const NAME_BYTES_MAX: usize = 400;
/// How much of what a source says of an act is kept, bytes.
const RECEIPT_BYTES_MAX: usize = 300;

/// The worklist's part of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemsReport {
    /// The source in one line.
    pub source: String,
    /// How many items the frozen list has.
    pub total: u32,
    /// The hash of the list.
    pub hash: BlobId,
    /// What is to be known of it.
    pub notes: Vec<Quoted>,
    /// How many have ended.
    pub closed: u32,
    /// How many have not.
    pub open: u32,
    /// Of these: how many were never opened.
    pub unopened: u32,
    /// How many ended how.
    pub outcomes: BTreeMap<Outcome, u32>,
    /// Every item that was opened, in the list's order.
    pub rows: Vec<ItemRow>,
    /// What the whole still lacked when every item was closed, if that was worked on. It is no item, and counted nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<ItemRow>,
    /// How many items appeared meanwhile that are not in the list.
    pub newcomers_total: u32,
    /// They, the first few.
    pub newcomers: Vec<Newcomer>,
    /// Why nobody knows whether any appeared: the source could not be read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_looked: Option<Quoted>,
    /// What the goal wants done at the source.
    pub acts: Acts,
}

impl ItemsReport {
    /// Whether every item has ended.
    pub fn accounted_for(&self) -> bool {
        self.open == 0 && self.closed == self.total
    }

    /// `fixed 9, diagnosed 6`
    pub fn counts(&self) -> String {
        let counts = self.outcomes.iter().filter(|(_, count)| **count > 0);
        let counts: Vec<String> = counts
            .map(|(outcome, count)| format!("{} {count}", outcome.word()))
            .collect();
        counts.join(", ")
    }
}

/// How far the acts are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Acts {
    /// How many there are to be.
    pub due: u32,
    /// How many were performed.
    pub performed: u32,
    /// How many could not be.
    pub failed: u32,
}

/// An item that appeared while the run worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Newcomer {
    /// As its source names it.
    pub id: ItemId,
    /// One line.
    pub title: Quoted,
    /// Where a person can look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemRow {
    /// Its place in the list, from 0.
    #[serde(skip_serializing_if = "is_behind")]
    pub index: u32,
    /// As its source names it.
    pub id: ItemId,
    /// One line.
    pub title: Quoted,
    /// Where a person can look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// `open`, `preparing`, `working`, `waiting`, `checking`, `queued`, `integrating`, `held` or `closed`.
    pub state: &'static str,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Its evidence in words, the beginning.
    pub evidence: Option<Quoted>,
    /// The commit on the run's branch.
    pub commit: Option<CommitId>,
    /// The item that it was closed together with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<ItemId>,
    /// Closings that were refused.
    pub attempts: u32,
    /// How often its change did not go with what others had integrated.
    pub sent_back: u32,
    /// Turns that it took.
    pub turns: u64,
    /// Tokens that it took.
    pub tokens: Tokens,
    /// US dollars; nothing where the model's price is not known.
    pub usd: Option<f64>,
    /// Actions that were denied.
    pub denials: u64,
    /// Its replay on the untouched base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replayed>,
    /// What its checks said of its newest tree.
    pub checks: Vec<ItemCheck>,
    /// Paths that it changed, the first few.
    pub paths: Vec<String>,
    /// What was done to it at its source.
    pub acts: Vec<ActRow>,
    /// When it was opened.
    pub opened_at: Option<UnixMs>,
    /// When it ended.
    pub closed_at: Option<UnixMs>,
    /// What it had cost when a person had it tried again.
    #[serde(skip)]
    before: Before,
}

/// The whole has no place in the list.
fn is_behind(index: &u32) -> bool {
    *index == WHOLE_INDEX
}

/// What an item cost before it was tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Before {
    attempts: u32,
    sent_back: u32,
    turns: u64,
    usage: Usage,
}

impl ItemRow {
    /// An item of which only the list is known.
    pub fn unopened(head: &ItemHead) -> ItemRow {
        ItemRow {
            index: head.index,
            id: ItemId(clip(head.id.as_str(), NAME_BYTES_MAX)),
            title: Quoted::of(&head.title, NAME_BYTES_MAX),
            url: head.url.as_deref().map(|url| clip(url, NAME_BYTES_MAX)),
            state: "open",
            outcome: None,
            evidence: None,
            commit: None,
            same_as: None,
            attempts: 0,
            sent_back: 0,
            turns: 0,
            tokens: Tokens::default(),
            usd: None,
            denials: 0,
            replay: None,
            checks: Vec::new(),
            paths: Vec::new(),
            acts: Vec::new(),
            opened_at: None,
            closed_at: None,
            before: Before::default(),
        }
    }

    /// Its evidence's first line.
    pub fn first_line(&self) -> &str {
        let evidence = self.evidence.as_ref().map_or("", Quoted::as_str);
        evidence.lines().next().unwrap_or_default()
    }
}

/// A verdict on an item's tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemCheck {
    /// Of which check.
    pub id: CheckId,
    /// The harness's word.
    pub verdict: Verdict,
}

/// Something that was done to an item at its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActRow {
    /// What, in the goal file's word.
    pub verb: &'static str,
    /// `performed`, `failed`, or `begun`: nobody knows yet.
    pub state: &'static str,
    /// The source's own name of what was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Quoted>,
    /// Whether an earlier attempt had done it.
    pub already: bool,
    /// Why it could not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Quoted>,
}

/// The rows as the events make them.
#[derive(Debug, Default)]
pub struct Ledger {
    source: String,
    rows: BTreeMap<u32, ItemRow>,
    index: BTreeMap<ItemId, u32>,
    newcomers: Vec<Newcomer>,
    not_looked: Option<Quoted>,
    acts: Acts,
    /// Which item the act that was begun last is of.
    acting: Option<(u32, u32)>,
}

impl Ledger {
    /// An empty one.
    pub fn new() -> Ledger {
        Ledger::default()
    }

    /// Takes note of one event; `after` is the state that it led to.
    pub fn see(&mut self, event: &Event, after: &State) {
        let Some(list) = after.worklist.as_deref() else {
            return;
        };
        match &event.fact {
            Fact::Listed { source, .. } => self.source = clip(source, LINE_BYTES_MAX),
            Fact::Relisted { newcomers, .. } => {
                self.not_looked = None;
                self.appeared(newcomers, list.newcomers);
            }
            Fact::SourceFailed {
                doing: SourceDoing::Relist,
                message,
                ..
            } if list.relisted => self.not_looked = Some(Quoted::of(message, LINE_BYTES_MAX)),
            Fact::Acting {
                number, item, verb, ..
            } => self.begun(*number, item, *verb),
            Fact::Acted {
                number,
                receipt,
                already,
                error,
            } => self.acted(*number, receipt.as_deref(), *already, error.as_deref()),
            // Tried often enough, or pointless: the act is over without a receipt.
            Fact::SourceFailed {
                doing: SourceDoing::Act,
                message,
                ..
            } if self.acts.performed + self.acts.failed < list.acted => {
                self.acted(list.acted, None, false, Some(message));
            }
            Fact::StopRequested if self.acts.performed + self.acts.failed < list.acted => {
                let why = "the run was stopped while its source was waited for";
                self.acted(list.acted, None, false, Some(why));
            }
            _ => {}
        }
        if let Scope::Item(id) = &event.scope {
            self.of_item(id, event, after);
        }
        for closed in &list.just_closed {
            self.close(closed, after.price.as_ref());
        }
    }

    fn of_item(&mut self, id: &ItemId, event: &Event, after: &State) {
        if let Fact::ItemOpened(opened) = &event.fact {
            // One that waited for another, or that a person wants tried again: what it has cost so far stays.
            let index = opened.head.index;
            self.index.insert(id.clone(), index);
            let row = self
                .rows
                .entry(index)
                .or_insert_with(|| ItemRow::unopened(&opened.head));
            row.before = Before {
                attempts: row.attempts,
                sent_back: row.sent_back,
                turns: row.turns,
                usage: Usage {
                    input: row.tokens.input,
                    cached: row.tokens.cached,
                    output: row.tokens.output,
                },
            };
            row.outcome = None;
            row.evidence = None;
            row.commit = None;
            row.same_as = None;
            row.closed_at = None;
            row.replay = opened.on_base;
            row.opened_at = Some(event.at);
        }
        let Some(row) = self.index.get(id).and_then(|at| self.rows.get_mut(at)) else {
            return;
        };
        match &event.fact {
            Fact::CallEnded { result, .. } => row.denials += result.denials.len() as u64,
            Fact::CandidateFixed { denials, .. } => row.denials += denials.len() as u64,
            _ => {}
        }
        let child = after.worklist.as_ref().and_then(|list| list.open.get(id));
        let Some(child) = child else {
            return;
        };
        let rounds = child.item.as_ref().map_or(1, |item| item.round);
        row.sent_back = row.before.sent_back + rounds.saturating_sub(1);
        if changes_verdicts(&event.fact) {
            row.checks = verdicts(child);
        }
    }

    fn close(&mut self, closed: &Closed, price: Option<&Price>) {
        let index = closed.head.index;
        self.index.insert(closed.head.id.clone(), index);
        let row = self
            .rows
            .entry(index)
            .or_insert_with(|| ItemRow::unopened(&closed.head));
        row.outcome = Some(closed.outcome);
        row.evidence = Some(Quoted::of(&closed.evidence, EVIDENCE_BYTES_MAX));
        row.commit = closed.commit.clone();
        row.same_as = closed.same_as.clone();
        row.paths = closed
            .paths
            .iter()
            .take(PATHS_MAX)
            .map(|path| clip(path, NAME_BYTES_MAX))
            .collect();
        if !closed.outcome.changes() {
            // They were of a change that is not kept.
            row.checks.clear();
        }
        spent(row, closed.attempts, closed.turns, &closed.usage, price);
        row.closed_at = Some(closed.at);
    }

    fn appeared(&mut self, newcomers: &[ItemHead], unlisted: u32) {
        // Those that are worked on are in the list.
        self.newcomers = match unlisted {
            0 => Vec::new(),
            _ => newcomers
                .iter()
                .take(NEWCOMERS_MAX)
                .map(|head| Newcomer {
                    id: ItemId(clip(head.id.as_str(), NAME_BYTES_MAX)),
                    title: Quoted::of(&head.title, NAME_BYTES_MAX),
                    url: head.url.as_deref().map(|url| clip(url, NAME_BYTES_MAX)),
                })
                .collect(),
        };
    }

    fn begun(&mut self, number: u32, item: &ItemId, verb: Verb) {
        let again = self.acting.is_some_and(|(last, _)| last == number);
        let Some((index, row)) = self
            .index
            .get(item)
            .and_then(|index| Some((*index, self.rows.get_mut(index)?)))
        else {
            return;
        };
        self.acting = Some((number, index));
        // The same act may be begun by one process and again by the next.
        if !again {
            row.acts.push(ActRow {
                verb: verb.word(),
                state: "begun",
                receipt: None,
                already: false,
                error: None,
            });
        }
    }

    fn acted(&mut self, number: u32, receipt: Option<&str>, already: bool, error: Option<&str>) {
        let performed = receipt.is_some() && error.is_none();
        match performed {
            true => self.acts.performed += 1,
            false => self.acts.failed += 1,
        }
        let Some((_, index)) = self.acting.take_if(|(last, _)| *last == number) else {
            return;
        };
        if let Some(act) = self
            .rows
            .get_mut(&index)
            .and_then(|row| row.acts.last_mut())
        {
            act.state = if performed { "performed" } else { "failed" };
            act.receipt = receipt.map(|text| Quoted::of(text, RECEIPT_BYTES_MAX));
            act.already = already;
            act.error = error.map(|text| Quoted::of(text, RECEIPT_BYTES_MAX));
        }
    }

    /// How many items were opened.
    pub fn len(&self) -> usize {
        self.rows.len() - usize::from(self.rows.contains_key(&WHOLE_INDEX))
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The worklist's part of the report; nothing without a worklist.
    pub fn report(self, state: &State) -> Option<ItemsReport> {
        let mut report = self.all(state)?;
        report.rows.truncate(ROWS_MAX);
        for row in report.rows.iter_mut().skip(EVIDENCE_ROWS_MAX) {
            row.evidence = row
                .evidence
                .is_some()
                .then(|| Quoted::of(row.first_line(), EVIDENCE_LINE_BYTES_MAX));
        }
        Some(report)
    }

    /// The same with a row for every item that was opened.
    pub fn all(mut self, state: &State) -> Option<ItemsReport> {
        let list = state.worklist.as_deref()?;
        self.settle(state);
        let whole = self.rows.remove(&WHOLE_INDEX);
        let opened = self.rows.len();
        let closed = list.closed();
        let total = list.listing.total;
        let rows = self.rows.into_values().collect();
        Some(ItemsReport {
            source: self.source,
            total,
            hash: list.listing.hash.clone(),
            notes: list
                .listing
                .notes
                .iter()
                .take(PATHS_MAX)
                .map(|note| Quoted::of(note, LINE_BYTES_MAX))
                .collect(),
            closed,
            open: total.saturating_sub(closed),
            unopened: total.saturating_sub(u32::try_from(opened).unwrap_or(u32::MAX)),
            outcomes: list
                .ended
                .iter()
                .filter(|(_, count)| **count > 0)
                .map(|(outcome, count)| (*outcome, *count))
                .collect(),
            rows,
            whole,
            newcomers_total: list.newcomers,
            newcomers: self.newcomers,
            not_looked: self.not_looked,
            acts: Acts {
                due: list.acts,
                ..self.acts
            },
        })
    }

    /// What the items that have not ended are at, and have cost.
    fn settle(&mut self, state: &State) {
        let list = state.worklist.as_deref();
        for row in self.rows.values_mut() {
            row.state = match row.outcome {
                Some(_) => "closed",
                None => "open",
            };
        }
        for (id, child) in list.iter().flat_map(|list| &list.open) {
            let Some(row) = self.index.get(id).and_then(|at| self.rows.get_mut(at)) else {
                continue;
            };
            let first = list.is_some_and(|list| list.queue.first() == Some(id));
            row.state = doing(child, first);
            let attempts = child.item.as_ref().map_or(0, |item| item.attempts);
            let spending = &child.spent;
            spent(
                row,
                attempts,
                spending.turns,
                &spending.usage,
                state.price.as_ref(),
            );
        }
        for index in list.iter().flat_map(|list| list.held.values().flatten()) {
            if let Some(row) = self.rows.get_mut(index) {
                row.state = "held";
            }
        }
    }
}

/// What an item's machine is doing, in one word. `first`: it is its turn to be integrated.
pub fn doing(child: &State, first: bool) -> &'static str {
    match child.phase {
        Phase::Delivering if first => "integrating",
        Phase::Delivering => "queued",
        Phase::Preparing
        | Phase::Baselining
        | Phase::Listing
        | Phase::Working
        | Phase::Examining
        | Phase::Checking(_)
        | Phase::Acting
        | Phase::Reporting
        | Phase::Ended => child.status(),
    }
}

fn changes_verdicts(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::CheckReported { .. } | Fact::CandidateFixed { .. } | Fact::Rebased { .. }
    )
}

/// What is known of an item's newest tree.
fn verdicts(child: &State) -> Vec<ItemCheck> {
    let Some(candidate) = &child.candidate else {
        return Vec::new();
    };
    child
        .order
        .iter()
        .filter_map(|id| {
            let found = child.checks.get(id)?.latest.as_ref()?;
            (found.tree == candidate.tree).then(|| ItemCheck {
                id: id.clone(),
                verdict: found.verdict,
            })
        })
        .take(CHECKS_MAX)
        .collect()
}

fn spent(row: &mut ItemRow, attempts: u32, turns: u64, usage: &Usage, price: Option<&Price>) {
    let before = row.before;
    let usage = before.usage.plus(usage);
    row.attempts = before.attempts.saturating_add(attempts);
    row.turns = before.turns.saturating_add(turns);
    row.tokens = Tokens::of(&usage);
    row.usd = price.map(|price| price.of(&usage));
}
