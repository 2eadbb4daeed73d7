//! `overnight items`: the ledger of a run's worklist. Items that were opened come from the journal, the others from the
//! pages of the frozen list, one page at a time.

use overnight_core::ids::ItemId;
use overnight_core::item::{ItemHead, Listing, WHOLE_INDEX};
use overnight_core::report::ledger::{ItemRow, ItemsReport};
use overnight_ports::journal::BlobSink as _;
use overnight_store::RunStore;

use crate::args::ItemsArgs;
use crate::lines::clean;
use crate::problem::usage;

/// Columns of the words for how an item ended.
const ENDED_WIDTH: usize = 15;
/// Characters of a commit that people are shown.
const COMMIT_CHARS: usize = 10;
/// Length of an item's id in the table, characters.
const ID_CHARS_MAX: usize = 36;
/// Length of an item's title in the table, characters.
const TITLE_CHARS_MAX: usize = 60;

/// Prints it.
pub fn items(args: &ItemsArgs) -> anyhow::Result<u8> {
    let (_, store) = super::look(&args.run)?;
    let (mut report, listing) = ledger(&store)?;
    report.rows = wanted(args, &mut report, &listing, &store)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(0);
    }
    for line in head(&report) {
        say!("{line}");
    }
    let whole = report.whole.take().filter(|row| asked(args, row));
    report.rows.extend(whole);
    if !report.rows.is_empty() {
        say!();
        say!("{}", table(&report.rows));
    }
    for newcomer in &report.newcomers {
        say!(
            "new       {}  {}",
            clean(newcomer.id.as_str()),
            clean(newcomer.title.as_str())
        );
    }
    Ok(0)
}

/// The report's part on the worklist, with a row for every item that was opened, and the frozen list.
fn ledger(store: &RunStore) -> anyhow::Result<(ItemsReport, Listing)> {
    let folding = overnight_engine::fold(store)?;
    let state = folding.state();
    let listing = state
        .and_then(|state| state.worklist.as_ref())
        .map(|list| list.listing.clone())
        .filter(|listing| !listing.hash.as_str().is_empty());
    let has_items = state.is_some_and(|state| state.goal.items.is_some());
    match (folding.items(), listing) {
        (Some(report), Some(listing)) => Ok((report, listing)),
        _ if has_items => Err(usage(
            "the worklist of this run was not listed yet: `overnight show` says what it is doing",
        )),
        _ => Err(usage("this run has no worklist: its goal has no `items`")),
    }
}

/// What an item's line in a page is needed for here; the rest of it is passed over.
#[derive(serde::Deserialize)]
struct Named {
    id: ItemId,
    title: String,
    #[serde(default)]
    url: Option<String>,
}

/// Whether a row was asked for.
fn asked(args: &ItemsArgs, row: &ItemRow) -> bool {
    match row.outcome {
        Some(outcome) => !args.open && (args.outcome.is_empty() || args.outcome.contains(&outcome)),
        None => args.outcome.is_empty(),
    }
}

/// The rows that were asked for, in the list's order.
fn wanted(
    args: &ItemsArgs,
    report: &mut ItemsReport,
    listing: &Listing,
    store: &RunStore,
) -> anyhow::Result<Vec<ItemRow>> {
    let opened = std::mem::take(&mut report.rows);
    let mut rows = Vec::new();
    let mut opened = opened.into_iter().peekable();
    let unopened = report.unopened > 0 && args.outcome.is_empty();
    let mut first = 0u32;
    for page in &listing.pages {
        let end = first.saturating_add(page.items);
        let mut known: Vec<ItemRow> = Vec::new();
        while let Some(row) = opened.next_if(|row| row.index < end) {
            known.push(row);
        }
        // A page is read only for what the journal does not have.
        if unopened && (known.len() as u64) < u64::from(page.items) {
            let named: Vec<Named> = serde_json::from_slice(&store.get(&page.blob)?)?;
            anyhow::ensure!(
                named.len() as u64 == u64::from(page.items),
                "the page {} of the frozen list holds {} items and not {}: the journal is damaged",
                page.blob,
                named.len(),
                page.items
            );
            let mut known = known.into_iter().peekable();
            for (index, item) in (first..end).zip(named) {
                rows.push(match known.next_if(|row| row.index == index) {
                    Some(row) => row,
                    None => ItemRow::unopened(&ItemHead {
                        index,
                        id: item.id,
                        title: item.title,
                        url: item.url,
                    }),
                });
            }
            rows.extend(known);
        } else {
            rows.extend(known);
        }
        first = end;
    }
    rows.extend(opened);
    rows.retain(|row| asked(args, row));
    Ok(rows)
}

fn head(report: &ItemsReport) -> Vec<String> {
    let mut counts = report.counts();
    if !counts.is_empty() {
        counts = format!(": {counts}");
    }
    let hash: String = report.hash.as_str().chars().take(COMMIT_CHARS).collect();
    let mut text = vec![
        format!("{} of {} items closed{counts}", report.closed, report.total),
        format!("from {} · frozen as {hash}", clean(&report.source)),
    ];
    text.extend(
        report
            .notes
            .iter()
            .map(|note| format!("note: {}", clean(note.as_str()))),
    );
    if report.acts.due > 0 {
        let failed = match report.acts.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        text.push(format!(
            "{} of {} acts at the source performed{failed}",
            report.acts.performed, report.acts.due
        ));
    }
    if let Some(why) = &report.not_looked {
        text.push(format!(
            "whether items appeared meanwhile is not known: {}",
            why.as_str()
        ));
    }
    if report.newcomers_total > 0 {
        text.push(format!(
            "{} items appeared meanwhile and are not in the list",
            report.newcomers_total
        ));
    }
    text
}

/// A row an item: place, how it ended or what it is at, commit, refused closings, turns, tokens, money, id and title; its
/// evidence's first line below it.
fn table(rows: &[ItemRow]) -> String {
    let money = rows.iter().any(|row| row.usd.is_some());
    let mut lines = vec![format!(
        "{:>6}  {:<ENDED_WIDTH$}  {:<COMMIT_CHARS$}  {:>7}  {:>5}  {:>9}{}  item",
        "place",
        "ended",
        "commit",
        "refused",
        "turns",
        "tokens",
        if money { "      usd" } else { "" },
    )];
    for row in rows {
        let place = match row.index {
            WHOLE_INDEX => "–".to_owned(),
            index => (u64::from(index) + 1).to_string(),
        };
        let ended = row
            .outcome
            .map_or_else(|| format!("({})", row.state), |o| o.word().to_owned());
        let commit: String = row
            .commit
            .iter()
            .flat_map(|commit| commit.as_str().chars().take(COMMIT_CHARS))
            .collect();
        let usd = match (money, row.usd) {
            (true, Some(usd)) => format!("  {usd:>7.3}"),
            (true, None) => " ".repeat(9),
            (false, _) => String::new(),
        };
        let with = row.same_as.as_ref().map_or_else(String::new, |other| {
            format!(" (with {})", cut(&clean(other.as_str()), ID_CHARS_MAX))
        });
        lines.push(format!(
            "{place:>6}  {ended:<ENDED_WIDTH$}  {commit:<COMMIT_CHARS$}  {:>7}  {:>5}  {:>9}{usd}  {} {}{with}",
            row.attempts,
            row.turns,
            row.tokens.total,
            cut(&clean(row.id.as_str()), ID_CHARS_MAX),
            cut(&clean(row.title.as_str()), TITLE_CHARS_MAX),
        ));
        let evidence = clean(row.first_line());
        if !evidence.is_empty() {
            lines.push(format!("{:>6}  {evidence}", ""));
        }
        for act in row.acts.iter().filter(|act| act.state != "performed") {
            let why = act.error.as_ref().map_or("", |why| why.as_str());
            lines.push(format!(
                "{:>6}  ✗ {} {}: {}",
                "",
                act.verb,
                act.state,
                clean(why)
            ));
        }
    }
    lines.join("\n")
}

/// The text in so many characters.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some(_) => {
            let kept: String = text.chars().take(chars_max.saturating_sub(1)).collect();
            format!("{kept}…")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use overnight_core::event::{Created, EVENT_VERSION, Event, Fact, Opened};
    use overnight_core::ids::{BlobId, RunId, Scope};
    use overnight_core::item::{Closing, Item, Outcome, PAGE_ITEMS, Page};
    use overnight_core::repo::Base;
    use overnight_core::turn::{CallHead, CallResult, Said, Usage};
    use overnight_ports::journal::{Journal as _, Summary};

    use super::*;

    const GOAL: &str = "---
outcome: Every case is fixed or diagnosed.
items: {from: command, run: ./cases.sh, outcomes: [fixed, diagnosed], parallel: 2}
stop: {turns: 80, tokens: 2M, hours: 5}
---
";

    fn args(outcome: Vec<Outcome>, open: bool) -> ItemsArgs {
        ItemsArgs {
            run: "last".into(),
            outcome,
            open,
            json: false,
        }
    }

    fn id(n: u32) -> ItemId {
        ItemId(format!("CASE-{n}"))
    }

    fn head(n: u32) -> ItemHead {
        ItemHead {
            index: n,
            id: id(n),
            title: format!("Case {n} breaks\u{1b}[2J"),
            url: None,
        }
    }

    /// The journal of a run whose list has so many items, frozen in pages.
    fn listed(dir: &std::path::Path, total: u32, page_items: usize) -> RunStore {
        let store = RunStore::create(dir).expect("a new folder");
        let created = Created {
            version: EVENT_VERSION,
            run: RunId("019b0c7e2f6a7000b4c1d2e3a1b2c3d4".into()),
            goal: crate::goalfile::parse(GOAL).expect("a goal"),
            goal_file: BlobId::of(GOAL.as_bytes()),
            goal_name: "goal".into(),
            model: "scripted/plan.yaml".into(),
            scripted: true,
            price: None,
            sandbox: "none".into(),
            repo: Some("/home/ann/shop".into()),
            notify: Vec::new(),
            hidden: Default::default(),
            overnight: "0.1.0".into(),
        };
        let all: Vec<u32> = (0..total).collect();
        let pages: Vec<Page> = all
            .chunks(page_items)
            .map(|page| {
                let items: Vec<Item> = page
                    .iter()
                    .map(|n| Item {
                        id: id(*n),
                        title: head(*n).title,
                        body: Some("what happened, at some length. ".repeat(20)),
                        ..Item::default()
                    })
                    .collect();
                let page = serde_json::to_vec(&items).expect("plain values");
                Page {
                    blob: store.put(&page).expect("it is kept"),
                    items: items.len() as u32,
                }
            })
            .collect();
        let listing = Listing {
            pages,
            total,
            hash: BlobId::of(b"the pages"),
            notes: vec![],
        };
        let run = |fact| Event::run(1_000, fact);
        let events = [
            run(Fact::RunCreated(Box::new(created))),
            run(Fact::Prepared {
                base: Base {
                    commit: "c0".into(),
                    tree: "base".into(),
                    ..Base::default()
                },
                offer: None,
            }),
            run(Fact::BaselineEnded {
                generated: vec![],
                reused: false,
            }),
            run(Fact::Listed {
                listing,
                source: "command ./cases.sh".into(),
            }),
        ];
        store
            .append(&events, &[], &Summary::default())
            .expect("it is appended");
        store
    }

    /// An item is opened, and diagnosed if it is said how.
    fn works(store: &RunStore, n: u32, diagnosis: Option<&str>) {
        let of = |fact| Event {
            scope: Scope::Item(id(n)),
            at: 2_000,
            fact,
        };
        let mut events = vec![
            of(Fact::ItemOpened(Box::new(Opened {
                head: head(n),
                dossier: BlobId::of(b"dossier"),
                fingerprint: None,
                gone: false,
                on_base: None,
                on_tip: None,
            }))),
            of(Fact::Prepared {
                base: Base {
                    commit: "c0".into(),
                    tree: "base".into(),
                    ..Base::default()
                },
                offer: None,
            }),
        ];
        if let Some(evidence) = diagnosis {
            let closing = Closing {
                outcome: Outcome::Diagnosed,
                evidence: evidence.into(),
            };
            events.extend([
                of(Fact::TurnRequested {
                    turn: 1,
                    attempt: 1,
                    told: vec![],
                }),
                of(Fact::ModelAnswered {
                    turn: 1,
                    answer: BlobId::of(b"answer"),
                    text: String::new(),
                    calls: vec![CallHead {
                        id: "c".into(),
                        name: "close_item".into(),
                        line: "close_item".into(),
                    }],
                    usage: Usage {
                        input: 90,
                        cached: 0,
                        output: 10,
                    },
                    oddities: vec![],
                }),
                of(Fact::CallStarted { turn: 1, index: 0 }),
                of(Fact::CallEnded {
                    turn: 1,
                    index: 0,
                    result: Box::new(CallResult {
                        ok: true,
                        said: Some(Said::Close(closing)),
                        ..CallResult::default()
                    }),
                }),
                of(Fact::ClosingExamined { faults: vec![] }),
            ]);
        }
        store
            .append(&events, &[], &Summary::default())
            .expect("it is appended");
    }

    fn shown(store: &RunStore, args: &ItemsArgs) -> (Vec<String>, Vec<ItemRow>) {
        let (mut report, listing) = ledger(store).expect("a worklist");
        let rows = wanted(args, &mut report, &listing, store).expect("pages");
        (head_of(&report), rows)
    }

    fn head_of(report: &ItemsReport) -> Vec<String> {
        super::head(report)
    }

    #[test]
    fn every_item_is_in_the_ledger_whether_it_was_opened_or_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = listed(dir.path(), 7, 3);
        works(&store, 0, Some("The cause is in src/api.rs:1.\nMore."));
        works(&store, 1, None);
        let (head, rows) = shown(&store, &args(vec![], false));
        assert_eq!(head[0], "1 of 7 items closed: diagnosed 1");
        let places: Vec<(u32, &str)> = rows.iter().map(|r| (r.index, r.state)).collect();
        let open = |n| (n, "open");
        assert_eq!(
            places,
            [
                (0, "closed"),
                (1, "working"),
                open(2),
                open(3),
                open(4),
                open(5),
                open(6)
            ]
        );
        insta::assert_snapshot!("items_table", table(&rows[..3]));
        let (_, rows) = shown(&store, &args(vec![Outcome::Diagnosed], false));
        assert_eq!(rows.len(), 1);
        let (_, rows) = shown(&store, &args(vec![Outcome::Fixed], false));
        assert_eq!(rows.len(), 0);
        let (_, rows) = shown(&store, &args(vec![], true));
        assert_eq!(
            rows.iter().map(|r| r.index).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6]
        );
    }

    #[test]
    fn a_page_that_does_not_hold_what_was_frozen_is_said() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = listed(dir.path(), 4, 2);
        let (mut report, mut listing) = ledger(&store).expect("a worklist");
        listing.pages[0].items = 3;
        let said = wanted(&args(vec![], false), &mut report, &listing, &store);
        let said = said.expect_err("it is damaged").to_string();
        assert!(said.contains("damaged"), "{said}");
    }

    #[test]
    fn ten_thousand_items_are_shown_in_a_moment() {
        const MANY: u32 = 10_000;
        let dir = tempfile::tempdir().expect("a folder");
        let store = listed(dir.path(), MANY, PAGE_ITEMS);
        works(&store, 0, Some("The cause is in src/api.rs:1."));
        let begun = Instant::now();
        let (_, rows) = shown(&store, &args(vec![], false));
        let text = table(&rows);
        let took = begun.elapsed();
        assert_eq!(rows.len(), MANY as usize);
        assert_eq!(text.lines().count(), MANY as usize + 2);
        // Without optimisation, on a busy machine; `overnight items` itself takes a tenth of it.
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}
