//! What the report needs of the journal beyond the state: receipts, checkpoints, waits, denials, words of people.

use std::collections::BTreeMap;

use crate::check::CheckReport;
use crate::event::{Event, Fact};
use crate::goal::change::Change;
use crate::ids::{CheckId, ItemId, Scope, TreeId};
use crate::judge::clip;
use crate::repo::Candidate;
use crate::report::{
    ATTEMPTS_MAX, Attempt, AttemptResult, DENIALS_MAX, Denied, LINE_BYTES_MAX, ModelFailure,
    OpenCheck, PATHS_MAX, PERSON_MAX, PersonSaid, QUOTE_BYTES_MAX, Quoted, WAITS_MAX, Waited,
};
use crate::state::{CheckState, Phase, State, Wait, Why};
use crate::stop::StopReason;
use crate::turn::{Denial, ModelErrorKind};

/// The tool whose calls are counted as commands.
const SHELL: &str = "shell";
/// The longest name of a tool that is kept, bytes.
const TOOL_BYTES_MAX: usize = 64;
/// Where calls of further tools are counted once [`PATHS_MAX`] different names were seen.
const OTHER_TOOLS: &str = "other tools";

/// A list that keeps its first and its last entries and counts what it had to leave out between them.
pub(super) struct Ends<T> {
    pub(super) items: Vec<T>,
    max: usize,
    pub(super) left_out: u64,
}

impl<T> Ends<T> {
    fn new(max: usize) -> Self {
        Ends {
            items: Vec::new(),
            max,
            left_out: 0,
        }
    }

    fn push(&mut self, item: T) {
        if self.items.len() >= self.max {
            self.items.remove(self.max / 2);
            self.left_out += 1;
        }
        self.items.push(item);
    }
}

/// What must be known of the state before an event to see what the event changed.
pub(super) struct Before {
    baselining: bool,
    checking: Option<Why>,
    wait: Option<Wait>,
}

impl Before {
    pub(super) fn of(state: &State) -> Before {
        let baselining = state.phase == Phase::Baselining;
        Before {
            baselining,
            checking: checking(state),
            wait: wait(state).cloned(),
        }
    }
}

fn checking(state: &State) -> Option<Why> {
    match &state.phase {
        Phase::Checking(checkpoint) => Some(checkpoint.why),
        _ => None,
    }
}

/// What is waited for: by the run's own conversation, for the worklist's source, or by every item that is worked on.
fn wait(state: &State) -> Option<&Wait> {
    let trouble = state.trouble.as_ref().and_then(|t| t.wait.as_ref());
    let own = state.lanes.values().find_map(|lane| lane.wait.as_ref());
    let list = state.worklist.as_deref();
    trouble
        .or(own)
        .or_else(|| list.and_then(|list| list.wait.as_ref()))
        .or_else(|| {
            let open = &list?.open;
            let waits = |child: &State| child.lanes.values().any(|lane| lane.wait.is_some());
            let all = open.values().all(|child| waits(child));
            let first = open.values().next().filter(|_| all)?;
            first.lanes.values().find_map(|lane| lane.wait.as_ref())
        })
}

/// The run, or the small machine of the item that an event is about: what is the item's own is the run's in there.
/// Nothing if the item has ended with the event.
fn machine<'s>(state: &'s State, scope: &Scope) -> Option<&'s State> {
    match scope {
        Scope::Run => Some(state),
        Scope::Item(id) => Some(state.worklist.as_ref()?.open.get(id)?),
    }
}

fn turn(state: &State) -> u64 {
    state.lanes.get(&Scope::Run).map_or(0, |lane| lane.turn)
}

fn item(scope: &Scope) -> Option<ItemId> {
    match scope {
        Scope::Run => None,
        Scope::Item(id) => Some(id.clone()),
    }
}

/// The newest reports of one check.
#[derive(Default)]
pub(super) struct Receipts {
    pub(super) base: Option<CheckReport>,
    pub(super) latest: Option<CheckReport>,
}

/// What was collected so far.
pub(super) struct Collected {
    pub(super) events: u64,
    pub(super) receipts: BTreeMap<CheckId, Receipts>,
    pub(super) candidate: Option<Candidate>,
    pub(super) delivered_tree: Option<TreeId>,
    pub(super) attempts: Ends<Attempt>,
    pub(super) waits: Ends<Waited>,
    pub(super) failures: Vec<ModelFailure>,
    pub(super) oddities: u64,
    pub(super) denials: BTreeMap<(Option<ItemId>, String, String), Denied>,
    pub(super) denials_left_out: u64,
    pub(super) calls: BTreeMap<String, u64>,
    pub(super) commands: u64,
    pub(super) person: Ends<PersonSaid>,
    pub(super) restarts: u32,
    pub(super) interrupted: u64,
}

impl Collected {
    pub(super) fn new() -> Collected {
        Collected {
            events: 1,
            receipts: BTreeMap::new(),
            candidate: None,
            delivered_tree: None,
            attempts: Ends::new(ATTEMPTS_MAX),
            waits: Ends::new(WAITS_MAX),
            failures: Vec::new(),
            oddities: 0,
            denials: BTreeMap::new(),
            denials_left_out: 0,
            calls: BTreeMap::new(),
            commands: 0,
            person: Ends::new(PERSON_MAX),
            restarts: 0,
            interrupted: 0,
        }
    }

    /// Takes note of one event; `after` is the state that it led to.
    pub(super) fn see(&mut self, before: &Before, event: &Event, after: &State) {
        self.events += 1;
        self.fact(before, event, after);
        self.checkpoint(before, event, after);
        self.wait(before, event, after);
    }

    fn fact(&mut self, before: &Before, event: &Event, after: &State) {
        let scope = &event.scope;
        let own = *scope == Scope::Run;
        let at = machine(after, scope);
        let turn = at.map_or(0, turn);
        match &event.fact {
            // The receipts are those of the whole.
            Fact::CheckReported { report } if own => self.report(before, report, after),
            Fact::ModelAnswered { oddities, .. } => self.oddities += oddities.len() as u64,
            Fact::ModelFailed { kind, message, .. } => self.failure(*kind, message),
            Fact::CallStarted { index, .. } => self.call(*index, at),
            Fact::CallEnded {
                turn: of, result, ..
            } => self.denied(scope, *of, &result.denials),
            Fact::CandidateFixed {
                candidate, denials, ..
            } => {
                self.denied(scope, turn, denials);
                // What an item changed is part of the whole once it is integrated.
                if own {
                    self.candidate = Some(candidate.clone());
                }
            }
            Fact::Restarted { interrupted } => {
                self.restarts = self.restarts.saturating_add(1);
                self.interrupted += interrupted.len() as u64;
            }
            Fact::Delivered { tree, .. } => self.delivered_tree = Some(tree.clone()),
            Fact::Paused => self.said(event, after, "pause", None),
            Fact::Resumed => self.said(event, after, "resume", None),
            Fact::StopRequested => self.said(event, after, "stop", None),
            Fact::BudgetSet { .. } => self.said(event, after, "budget", None),
            Fact::Answered { text } => self.said(event, after, "answer", Some(text)),
            Fact::Told { text, .. } => self.said(event, after, "tell", Some(text)),
            Fact::Revoked { .. } => self.said(event, after, "revoke", None),
            Fact::WaitCancelled => self.said(event, after, "wake", None),
            Fact::GoalEdited { changes, .. } => {
                let lines: Vec<String> = changes.iter().map(Change::line).collect();
                self.said(event, after, "edit", Some(&lines.join("\n")));
            }
            Fact::RunCreated(_)
            | Fact::Prepared { .. }
            | Fact::CheckReported { .. }
            | Fact::BaselineEnded { .. }
            | Fact::Listed { .. }
            | Fact::SourceFailed { .. }
            | Fact::ItemOpened(_)
            | Fact::ClosingExamined { .. }
            | Fact::Rebased { .. }
            | Fact::Integrated { .. }
            | Fact::Relisted { .. }
            | Fact::Acting { .. }
            | Fact::Acted { .. }
            | Fact::TurnRequested { .. }
            | Fact::Woken
            | Fact::NetworkBack
            | Fact::Notifying { .. }
            | Fact::Notified { .. }
            | Fact::DeliveryFailed { .. }
            | Fact::ReportWritten { .. }
            | Fact::HarnessFailed { .. }
            | Fact::ClockJumped { .. } => {}
        }
    }

    /// Only what the state took over too: a late report of a checkpoint that was given up is none of this.
    fn report(&mut self, before: &Before, report: &CheckReport, after: &State) {
        if !after.checks.contains_key(&report.check) {
            return;
        }
        let receipts = self.receipts.entry(report.check.clone()).or_default();
        if before.baselining {
            receipts.base = Some(report.clone());
        } else if before.checking.is_some() {
            receipts.latest = Some(report.clone());
        }
    }

    fn failure(&mut self, kind: ModelErrorKind, message: &str) {
        let last = Quoted::new(message);
        match self.failures.iter_mut().find(|f| f.kind == kind) {
            Some(failure) => {
                failure.count += 1;
                failure.last = last;
            }
            None => self.failures.push(ModelFailure {
                kind,
                count: 1,
                last,
            }),
        }
    }

    fn call(&mut self, index: usize, machine: Option<&State>) {
        let Some(call) = machine
            .and_then(|state| state.lanes.get(&Scope::Run))
            .and_then(|lane| lane.calls.get(index))
        else {
            return;
        };
        if call.head.name == SHELL {
            self.commands += 1;
        }
        // A model can invent any number of tools.
        let name = clip(&call.head.name, TOOL_BYTES_MAX);
        let full = self.calls.len() >= PATHS_MAX && !self.calls.contains_key(&name);
        *self
            .calls
            .entry(if full { OTHER_TOOLS.to_owned() } else { name })
            .or_default() += 1;
    }

    fn denied(&mut self, scope: &Scope, turn: u64, denials: &[Denial]) {
        for denial in denials {
            let rule = clip(&denial.rule, TOOL_BYTES_MAX);
            let what = clip(&denial.what, QUOTE_BYTES_MAX);
            let key = (item(scope), rule.clone(), what.clone());
            if let Some(seen) = self.denials.get_mut(&key) {
                seen.count += 1;
            } else if self.denials.len() < DENIALS_MAX {
                self.denials.insert(
                    key,
                    Denied {
                        item: item(scope),
                        turn,
                        rule,
                        what: Quoted::new(&what),
                        count: 1,
                    },
                );
            } else {
                self.denials_left_out += 1;
            }
        }
    }

    fn said(&mut self, event: &Event, after: &State, what: &'static str, text: Option<&str>) {
        let turn = turn(after);
        self.person.push(PersonSaid {
            at: event.at,
            turn,
            what,
            text: text.map(Quoted::new),
        });
    }

    fn checkpoint(&mut self, before: &Before, event: &Event, after: &State) {
        let now = checking(after);
        if before.checking == now {
            return;
        }
        if before.checking.is_some()
            && let Some(attempt) = self.attempts.items.last_mut()
        {
            close(attempt, event, after);
        }
        if let Some(why) = now {
            self.attempts.push(begun(why, event, after));
        }
    }

    fn wait(&mut self, before: &Before, event: &Event, after: &State) {
        let now = wait(after);
        let same = |a: &Wait, b: &Wait| a.since == b.since && a.why == b.why;
        match (before.wait.as_ref(), now) {
            (None, None) => return,
            // That the network is being looked for makes no new wait.
            (Some(before), Some(now)) if same(before, now) => return,
            _ => {}
        }
        if before.wait.is_some()
            && let Some(last) = self.waits.items.last_mut()
        {
            last.to = Some(event.at);
        }
        if let Some(wait) = now {
            let turn = turn(after);
            let why = Quoted::new(&wait.why);
            self.waits.push(Waited {
                turn,
                from: wait.since,
                to: None,
                until: wait.until,
                why,
            });
        }
    }
}

fn begun(why: Why, event: &Event, after: &State) -> Attempt {
    let lane = after.lanes.get(&Scope::Run);
    let claim = lane
        .and_then(|l| l.last_claim.as_deref())
        .filter(|_| why == Why::Claim);
    Attempt {
        turn: turn(after),
        at: event.at,
        why,
        summary: claim.map(Quoted::new),
        result: AttemptResult::UnderWay,
        tree: None,
        same_tree: false,
        progress: false,
        open: Vec::new(),
    }
}

/// The checkpoint is over: what came of it is in the state that its last event led to.
fn close(attempt: &mut Attempt, event: &Event, after: &State) {
    let ended = matches!(
        &event.fact,
        Fact::CheckReported { .. } | Fact::CandidateFixed { .. }
    );
    if !ended {
        attempt.result = AttemptResult::GivenUp;
        return;
    }
    let complete = matches!(&after.stop, Some(StopReason::Complete(_)));
    attempt.result = match attempt.why {
        _ if complete => AttemptResult::Accepted,
        Why::Claim => AttemptResult::Rejected,
        Why::Routine | Why::Silence | Why::Worklist | Why::Ending | Why::Stopping => {
            AttemptResult::Looked
        }
    };
    attempt.tree = after.candidate.as_ref().map(|c| c.tree.clone());
    // All verdicts were known when the tree was fixed: nothing was run.
    attempt.same_tree =
        matches!(&event.fact, Fact::CandidateFixed { .. }) && attempt.why != Why::Stopping;
    attempt.progress = after.progress.without == 0 && after.progress.last_at == Some(event.at);
    attempt.open = after
        .open_checks()
        .map(|(id, check)| open(id, check, attempt.tree.as_ref()))
        .collect();
}

fn open(id: &CheckId, check: &CheckState, tree: Option<&TreeId>) -> OpenCheck {
    let found = check
        .latest
        .as_ref()
        .filter(|found| Some(&found.tree) == tree);
    OpenCheck {
        id: id.clone(),
        verdict: found.map(|f| f.verdict),
        reason: found.map_or_else(String::new, |f| clip(&f.reason, LINE_BYTES_MAX)),
    }
}
