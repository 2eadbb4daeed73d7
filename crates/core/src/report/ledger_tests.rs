//! Reports of runs over worklists: of whole journals of the state machine's own small world, and of hand-made states.

use std::collections::BTreeMap;

use pulldown_cmark::{Event as Md, Parser};

use super::journal::{created, goal};
use super::ledger::{EVIDENCE_BYTES_MAX, EVIDENCE_ROWS_MAX, ItemsReport, Ledger, ROWS_MAX};
use super::*;
use crate::event::{Event, Fact, Opened, SourceDoing};
use crate::goal::Items;
use crate::ids::{ItemId, Scope};
use crate::item::{Closed, ItemHead, Listing, Outcome, Verb};
use crate::state::State;
use crate::step::begin;
use crate::step::worklist::tests::journal as played;
use crate::turn::{CallResult, Denial, Usage};
use crate::worklist::Worklist;

fn times(at: UnixMs) -> String {
    format!("T+{at}")
}

fn with_acts(items: &mut Items) {
    items.on = BTreeMap::from([(Outcome::Fixed, vec![Verb::Comment, Verb::Resolve])]);
    items.outcomes.push("unresolved".into());
}

/// Fixed, diagnosed after a citation that does not hold, the same root cause as the first, sent back for a conflict,
/// and one that nobody can solve.
fn mixed() -> (Vec<Event>, Vec<Closed>) {
    let moves = ["f", "ed", "f", "f", "bbbbbb"];
    let prints = [Some("a"), None, Some("a")];
    played(&moves, &prints, &[(0, 3)], with_acts)
}

fn items(report: &Report) -> &ItemsReport {
    report.items.as_ref().expect("there is a worklist")
}

#[test]
fn every_item_is_accounted_for_as_it_ended() {
    let (events, closed) = mixed();
    let report = Report::fold(events).unwrap();
    assert!(report.complete, "{}", report.reason);
    let items = items(&report);
    assert!(items.accounted_for());
    assert_eq!((items.total, items.closed, items.open), (5, 5, 0));
    assert_eq!(items.rows.len(), 5);
    for row in &items.rows {
        let ended = closed.iter().rfind(|c| c.head.id == row.id);
        let ended = ended.expect("a row is of an item that ended");
        assert_eq!(row.outcome, Some(ended.outcome));
        assert_eq!(row.commit, ended.commit);
        assert_eq!(row.same_as, ended.same_as);
        assert_eq!((row.attempts, row.turns), (ended.attempts, ended.turns));
        assert_eq!(row.tokens.total, ended.usage.total());
        assert_eq!(row.state, "closed");
        let evidence = row.evidence.as_ref().expect("it has evidence");
        assert_eq!(evidence.as_str(), ended.evidence);
    }
    let counted: u32 = items.outcomes.values().sum();
    assert_eq!(counted, items.total);
    let tokens: u64 = items.rows.iter().map(|row| row.tokens.total).sum();
    assert_eq!(tokens, report.tokens.total, "what items cost the run paid");
    insta::assert_snapshot!("items", to_markdown(&report, &times));
}

#[test]
fn what_belongs_to_items_is_not_taken_for_the_runs() {
    let (events, _) = mixed();
    let report = Report::fold(events.clone()).unwrap();
    // The harness looked at the whole once; claims of items are none of the run's.
    assert_eq!(report.attempts.len(), 1);
    assert_eq!(report.attempts[0].why, Why::Worklist);
    let tree = report.tree.clone().unwrap();
    for check in &report.checks {
        assert!(check.holds(), "{}", check.id);
        assert_eq!(check.now.as_ref().unwrap().receipt.tree, tree);
    }
    let last = events
        .iter()
        .rfind(|e| e.scope == Scope::Run && matches!(e.fact, Fact::CandidateFixed { .. }));
    let Some(Fact::CandidateFixed { candidate, .. }) = last.map(|e| &e.fact) else {
        panic!("the whole was fixed");
    };
    assert_eq!(report.changes, candidate.changes);
    // Tool calls of items are calls all the same.
    assert_eq!(report.calls.get("close_item").copied(), Some(report.turns));
}

#[test]
fn a_journal_is_right_at_every_event() {
    let (events, _) = mixed();
    let mut best = 0;
    for end in 1..events.len() {
        let report = Report::fold(events[..end].to_vec()).unwrap();
        let ended = matches!(
            events[end - 1].fact,
            Fact::Delivered { .. } | Fact::Acted { .. } | Fact::Acting { .. }
        );
        assert!(!report.complete || ended, "complete after {end} events");
        let Some(items) = &report.items else {
            continue;
        };
        assert_eq!(items.open + items.closed, items.total);
        let closed = items.rows.iter().filter(|row| row.outcome.is_some());
        assert_eq!(closed.count() as u32, items.closed);
        assert_eq!(
            items.rows.len() as u32 + items.unopened,
            items.total,
            "an item that was not opened is open"
        );
        best = best.max(items.closed);
        to_markdown(&report, &times);
    }
    assert_eq!(best, 5);
}

#[test]
fn acts_are_listed_with_what_became_of_them() {
    let (events, _) = mixed();
    let report = Report::fold(events).unwrap();
    let acts = items(&report).acts;
    assert_eq!(acts.failed, 0);
    assert_eq!(acts.performed, acts.due);
    assert!(acts.due > 0);
    let listed: usize = items(&report).rows.iter().map(|row| row.acts.len()).sum();
    assert_eq!(listed as u32, acts.due);
}

/// A state with a worklist of so many items, and nothing else.
fn state(total: u32) -> State {
    let mut goal = goal(&[]);
    goal.items = Some(Items {
        from: "command".into(),
        spec: serde_json::json!({}),
        outcomes: vec!["fixed".into(), "diagnosed".into()],
        order: Default::default(),
        limit: None,
        each: vec![],
        parallel: 1,
        on: BTreeMap::new(),
        replay: None,
        work_on_new: false,
    });
    let event = Event::run(1_000, Fact::RunCreated(Box::new(created(goal))));
    let mut state = begin(&event).unwrap();
    state.worklist = Some(Box::new(Worklist {
        listing: Listing {
            total,
            hash: BlobId::from("hash"),
            ..Listing::default()
        },
        ..Worklist::default()
    }));
    state
}

fn head(n: u32, title: &str) -> ItemHead {
    ItemHead {
        index: n,
        id: ItemId(format!("i{n}")),
        title: title.to_owned(),
        url: None,
    }
}

fn closed(n: u32, title: &str, evidence: &str) -> Closed {
    Closed {
        head: head(n, title),
        outcome: Outcome::Diagnosed,
        evidence: evidence.to_owned(),
        commit: None,
        same_as: None,
        attempts: 1,
        turns: 2,
        usage: Usage {
            input: 100,
            cached: 10,
            output: 5,
        },
        paths: vec![],
        at: 5_000,
    }
}

fn of_item(n: u32, fact: Fact) -> Event {
    Event {
        scope: Scope::Item(ItemId(format!("i{n}"))),
        at: 4_000,
        fact,
    }
}

fn opened(n: u32) -> Event {
    of_item(
        n,
        Fact::ItemOpened(Box::new(Opened {
            head: head(n, "It breaks"),
            dossier: BlobId::from("dossier"),
            fingerprint: None,
            gone: false,
            on_base: None,
            on_tip: None,
        })),
    )
}

/// The items end one after the other.
fn ends(ledger: &mut Ledger, state: &mut State, all: impl Iterator<Item = Closed>) {
    for closed in all {
        let event = of_item(closed.head.index, Fact::ClosingExamined { faults: vec![] });
        let list = state.worklist.as_mut().unwrap();
        *list.ended.entry(closed.outcome).or_default() += 1;
        list.just_closed = vec![closed];
        ledger.see(&event, state);
    }
    state.worklist.as_mut().unwrap().just_closed.clear();
}

#[test]
fn many_items_make_a_bounded_report() {
    const MANY: u32 = 12_000;
    let mut state = state(MANY);
    let mut ledger = Ledger::new();
    let long = "The cause is in `src/api.rs:12`. ".repeat(200);
    let all = (0..MANY).map(|n| closed(n, "It breaks", &long));
    ends(&mut ledger, &mut state, all);
    let items = ledger.report(&state).unwrap();
    assert!(items.accounted_for());
    assert_eq!(items.rows.len(), ROWS_MAX);
    let kept: usize = items
        .rows
        .iter()
        .filter_map(|row| row.evidence.as_ref())
        .map(|evidence| evidence.as_str().len())
        .sum();
    assert!(kept < EVIDENCE_ROWS_MAX * EVIDENCE_BYTES_MAX + ROWS_MAX * 260);
    let report = Report {
        items: Some(items),
        ..Report::fold(played(&["d"], &[], &[], |_| {}).0).unwrap()
    };
    let page = to_markdown(&report, &times);
    assert!(page.len() < 2 * 1024 * 1024, "{} bytes", page.len());
    assert!(page.contains("12,000 of 12,000 items closed: diagnosed 12000"));
}

#[test]
fn words_from_outside_forge_nothing() {
    let mut state = state(3);
    let mut ledger = Ledger::new();
    let evil = "| x |\n## Items\n[click](http://evil.example) <b>fixed</b> `\n```\n# Complete";
    let all = (0..2).map(|n| closed(n, evil, evil));
    ends(&mut ledger, &mut state, all);
    let report = Report {
        items: ledger.report(&state),
        ..Report::fold(played(&["d"], &[], &[], |_| {}).0).unwrap()
    };
    let page = to_markdown(&report, &times);
    let mut headings = 0;
    for event in Parser::new(&page) {
        match event {
            Md::Start(pulldown_cmark::Tag::Heading { .. }) => headings += 1,
            Md::Start(pulldown_cmark::Tag::Link { dest_url, .. }) => {
                assert!(dest_url.starts_with("#item-"), "{dest_url}");
            }
            Md::Html(html) | Md::InlineHtml(html) => panic!("{html}"),
            _ => {}
        }
    }
    let own = page.matches("\n## ").count() + page.matches("\n### ").count() + 1;
    // Headings in fenced blocks are text.
    assert!(headings < own, "{headings} of {own}");
    assert!(page.contains("### Item 1") && page.contains("### Item 2"));
    assert!(page.contains("**1 not closed**, of these 1 never opened"));
}

#[test]
fn an_item_that_is_tried_again_keeps_what_it_has_cost() {
    let mut state = state(1);
    let mut ledger = Ledger::new();
    ledger.see(&opened(0), &state);
    let denials = vec![Denial {
        rule: "keep.paths".into(),
        what: "migrations/1.sql".into(),
    }];
    let denied = CallResult {
        denials,
        ..CallResult::default()
    };
    let call = Fact::CallEnded {
        turn: 1,
        index: 0,
        result: Box::new(denied),
    };
    ledger.see(&of_item(0, call), &state);
    let mut first = closed(0, "It breaks", "nobody could");
    first.outcome = Outcome::Unresolved;
    ends(&mut ledger, &mut state, std::iter::once(first));
    ledger.see(&opened(0), &state);
    ends(
        &mut ledger,
        &mut state,
        std::iter::once(closed(0, "It breaks", "a person knew")),
    );
    let rows = ledger.all(&state).unwrap().rows;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].outcome, Some(Outcome::Diagnosed));
    assert_eq!((rows[0].attempts, rows[0].turns), (2, 4));
    assert_eq!(rows[0].tokens.total, 210);
    assert_eq!(rows[0].denials, 1);
    assert_eq!(rows[0].first_line(), "a person knew");
}

#[test]
fn an_act_that_fails_or_is_begun_twice_is_one_act() {
    let mut state = state(1);
    let mut ledger = Ledger::new();
    ledger.see(&opened(0), &state);
    let begin = |number| {
        Event::run(
            6_000,
            Fact::Acting {
                number,
                item: ItemId::from("i0"),
                verb: Verb::Comment,
                key: "key".into(),
            },
        )
    };
    state.worklist.as_mut().unwrap().acts = 2;
    ledger.see(&begin(1), &state);
    ledger.see(&begin(1), &state);
    state.worklist.as_mut().unwrap().acted = 1;
    let done = Fact::Acted {
        number: 1,
        receipt: Some("comment 7".into()),
        already: true,
        error: None,
    };
    ledger.see(&Event::run(6_001, done), &state);
    ledger.see(&begin(2), &state);
    let failed = |fatal| Fact::SourceFailed {
        doing: SourceDoing::Act,
        fatal,
        message: "the token may not".into(),
        retry_after_ms: None,
    };
    let lost = || Fact::SourceFailed {
        doing: SourceDoing::Relist,
        fatal: true,
        message: "the list is gone".into(),
        retry_after_ms: None,
    };
    state.worklist.as_mut().unwrap().relisted = true;
    ledger.see(&Event::run(6_001, lost()), &state);
    // Waited for, then given up.
    ledger.see(&Event::run(6_002, failed(false)), &state);
    state.worklist.as_mut().unwrap().acted = 2;
    ledger.see(&Event::run(6_003, failed(true)), &state);
    let items = ledger.report(&state).unwrap();
    assert_eq!((items.acts.performed, items.acts.failed), (1, 1));
    let why = items.not_looked.as_ref().map(Quoted::as_str);
    assert_eq!(why, Some("the list is gone"));
    let acts: Vec<_> = items.rows[0]
        .acts
        .iter()
        .map(|act| (act.state, act.already))
        .collect();
    assert_eq!(acts, [("performed", true), ("failed", false)]);
}
