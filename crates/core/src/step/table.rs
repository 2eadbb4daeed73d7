//! The table of docs/states.md: every event at a run of every status, what follows, and what must never follow. The
//! table is made here by playing every pair; `OVERNIGHT_WRITE_DOCS=1` writes it.

use std::collections::{BTreeMap, BTreeSet};

use crate::bounds::STATE_BYTES_MAX;
use crate::check::Target;
use crate::effect::{Effect, due};
use crate::event::{Event, Fact};
use crate::ids::Scope;
use crate::notification::{Channel, Occasion};
use crate::report::journal::{Journal, created, goal, reported};
use crate::state::{Phase, State};
use crate::step::{late, name, step};
use crate::stop::StopReason;

/// Runs of every status; several where they differ in what an event does to them. `!` plays on with few turns allowed.
const RUNS: &[&str] = &[
    // preparing, and the harness in trouble with it
    "",
    "hiccup",
    // baselining
    "prepared",
    "prepared|base unit fail 1/3|base lint fail|base suite pass",
    // working: about to ask, asking, calling, called
    "ready",
    "ready|ask",
    "ready|ask|answer shell claim",
    "ready|ask|answer shell",
    "ready|ask|answer claim|start 0",
    "ready|ask|answer help|start 0",
    "ready|turns 24 write|ask|answer shell|start 0",
    "ready|turn|turn|ask",
    // waiting: for the provider, its quota, the network (not looked for yet, looked for), a time, a command in the
    // background, the harness
    "ready|ask|failed rate_limited after=90000",
    "ready|ask|failed rate_limited after=9000000",
    "ready|ask|failed network",
    "ready|ask|failed network|+2s woken",
    "ready|turn wait",
    "ready|ask|answer wait|start 0",
    "ready|turn claim|hiccup",
    // checking: not fixed, fixed, the last check open; for a claim, a look, an end, a stop
    "ready|turn claim",
    "ready|turn write claim|fix t1",
    "ready|turn write claim|fix t1|check unit pass 3/3|check lint pass|check suite pass|check scope pass",
    "ready|turn write claim|fix t1|check unit fail|check lint pass|check suite pass|check scope pass",
    "ready|turn help|fix t1|check unit fail|check lint pass|check suite pass|check scope pass",
    "ready|turn write|stopped",
    "ready|turn write|stopped|fix t1",
    "!ready|turns 3 write",
    // delivering, reporting
    "ready|turn write claim|fix t1|verify",
    "ready|turn write|stopped|fix t1|verify",
    "ready|turn write claim|fix t1|verify|delivered",
    "ready|turn write|stopped|fix t1|verify|delivered",
    "ready|turn help|fix base|delivered",
    // paused: at work, at rest in every phase
    "paused",
    "ready|paused",
    "ready|ask|paused",
    "ready|ask|answer shell|start 0|paused",
    "ready|turn claim|paused",
    "ready|turn write claim|fix t1|verify|paused",
    // ended
    "ready|turn write claim|fix t1|verify|delivered|written",
    "ready|turn help|fix base|delivered|written",
    "ready|failed refused|written",
    "!ready|turns 3 write|fix t1|verify unit=fail|delivered|written",
    "prepared|base unit cannot absent|base lint fail|base suite pass|baselined|written",
    "ready|turn write|stopped|fix t1|verify|delivered|written",
    "prepared|base unit pass|base lint pass|base suite pass|baselined|written",
    "ready|turn write|broke|fix t1|verify unit=fail|delivered|written",
    "ready|turn write claim|fix t1|verify|undelivered|written",
];

/// Statuses in the order of a run.
const STATUSES: &[&str] = &[
    "preparing",
    "baselining",
    "working",
    "waiting",
    "checking",
    "delivering",
    "reporting",
    "paused",
    "complete",
    "blocked",
    "out_of_budget",
    "unverifiable",
    "stopped",
    "refused",
    "failed",
];

/// Events that only a run with a worklist has: they have a table of their own, and are played in `worklist/tests.rs` in
/// any order.
const OF_WORKLISTS: [&str; 9] = [
    "acted",
    "acting",
    "closing_examined",
    "integrated",
    "item_opened",
    "listed",
    "rebased",
    "relisted",
    "source_failed",
];

/// Every event, as lines: several where they differ in what they do.
const EVENTS: &[&[&str]] = &[
    &["prepared"],
    &[
        "check unit pass 3/3",
        "check scope pass",
        "check oracle pass",
        "base unit fail",
    ],
    &["baselined"],
    &["ask"],
    &["answer shell", "answer"],
    &[
        "failed network",
        "failed refused",
        "failed script_ended",
        "failed malformed",
        "failed context_overflow",
    ],
    &["start 0"],
    &["end 0"],
    &["fix t1", "fix base", "fix t2 denied"],
    &["woken", "+1h woken", "+9h woken"],
    &["cancelled"],
    &["back"],
    &["edited unit", "edited unit lint types"],
    &["telling 1"],
    &["told 1"],
    &["restarted"],
    &["paused"],
    &["resumed"],
    &["stopped"],
    &["answered yes"],
    &["ordered"],
    &["revoked"],
    &["raised 9"],
    &["delivered"],
    &["undelivered"],
    &["written"],
    &["broke", "hiccup"],
    &["clock +6h", "clock -1h"],
];

fn played(run: &str) -> Journal {
    let (few, lines) = match run.strip_prefix('!') {
        Some(lines) => (true, lines),
        None => (false, run),
    };
    let mut goal = goal(&["unit", "lint"]);
    if few {
        goal.stop.turns = 3;
    }
    let lines: Vec<&str> = lines.split('|').filter(|line| !line.is_empty()).collect();
    let mut created = created(goal);
    created.notify = vec![Channel::Desktop];
    Journal::played(created, &lines)
}

/// The last event that the line adds, whatever the state says to it, and the name under which it is stored.
fn event(journal: &Journal, line: &str) -> Event {
    let state = &journal.state;
    let now = journal.now + 1_000;
    let fact = match line {
        "telling 1" => Fact::Notifying {
            number: 1,
            occasion: Occasion::Blocked,
        },
        "ordered" => Fact::Told {
            order: state.orders_given + 1,
            text: "Mind the rounding.".into(),
        },
        "revoked" => Fact::Revoked { order: 1 },
        "restarted" => Fact::Restarted {
            interrupted: vec![],
        },
        "base unit fail" => reported(Target::Base, &["unit", "fail"]),
        _ => return journal.event_of(line),
    };
    Event::run(now, fact)
}

/// What must hold after any event at all.
fn laws(before: &State, event: &Event, after: &State) {
    let told = || {
        format!(
            "{} at {}: {}",
            name(&event.fact),
            before.status(),
            after.status()
        )
    };
    let telling = |effect: &Effect| matches!(effect, Effect::Notify { .. });
    let (tells, works): (Vec<Effect>, Vec<Effect>) = due(after).into_iter().partition(telling);
    if after.paused {
        assert!(tells.is_empty(), "{} and somebody is told", told());
    }
    if after.paused || after.ended() {
        assert!(works.is_empty(), "{}", told());
    } else if after.waits().next().is_none() {
        assert!(!works.is_empty(), "{} and nothing is due", told());
    } else {
        assert!(after.wakes_at().is_some(), "{} and never wakes", told());
    }
    if let Some(StopReason::Complete(proof)) = &after.stop {
        let candidate = after.candidate.as_ref().expect("a proof is of a candidate");
        assert!(candidate.current, "{}", told());
        assert_eq!(proof.tree(), &candidate.tree, "{}", told());
    }
    if after.ended() {
        assert!(after.stop.is_some(), "{} and nobody knows why", told());
    }
    assert!(after.spent.turns >= before.spent.turns, "{}", told());
    let turns = after.lanes[&Scope::Run].turn;
    assert!(turns >= before.lanes[&Scope::Run].turn, "{}", told());
    let bytes = serde_json::to_vec(after)
        .expect("a state is plain data")
        .len();
    assert!(bytes < STATE_BYTES_MAX, "{}", told());
    // Only these end what a person paused; only these set going what has ended.
    if before.paused && !after.paused {
        assert_eq!(name(&event.fact), "resumed");
    }
    if before.phase == Phase::Ended && after.phase != Phase::Ended {
        let word = name(&event.fact);
        assert!(
            ["resumed", "answered", "budget_set", "goal_edited"].contains(&word),
            "{}",
            told()
        );
    }
}

/// What an event at a run of a status may come to, of all runs of that status.
fn pairs() -> BTreeMap<(&'static str, &'static str), BTreeSet<String>> {
    let mut pairs: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for run in RUNS {
        let journal = played(run);
        let before = &journal.state;
        for line in EVENTS.iter().copied().flatten() {
            let event = event(&journal, line);
            let cell = pairs
                .entry((before.status(), name(&event.fact)))
                .or_default();
            match step(before.clone(), &event) {
                Ok((after, _)) => {
                    laws(before, &event, &after);
                    let word = match (late(before, &event), before.status() == after.status()) {
                        (true, _) => "late",
                        (false, true) => "=",
                        (false, false) => after.status(),
                    };
                    cell.insert(word.to_owned());
                }
                Err(_) if late(before, &event) => {
                    cell.insert("late".to_owned());
                }
                Err(_) => {
                    cell.insert("✗".to_owned());
                }
            }
        }
    }
    pairs
}

const PREAMBLE: &str = "\
# States and events

What every event does to a run of every status, made by playing all pairs (`crates/core/src/step/table.rs`); a test \
holds this page against the code.
`OVERNIGHT_WRITE_DOCS=1 cargo test -p overnight-core --lib table` writes it anew.

A row is an event as the journal names it, a column the status before it as `overnight show` prints it.
A cell lists the statuses that may follow, since a status stands for several states.

| sign | meaning |
|---|---|
| `=` | The status stays; what is due may change. |
| `late` | Whoever performs effects reports too late, or twice: it is not written down. |
| `✗` | It does not fit: a journal that holds it is damaged. |

After each of them, whatever it is: a paused run has nothing due, an ended one at most a notification; any other has \
something due or a time at which it wakes; a complete run has a proof on exactly the current tree; only `resumed` ends \
a pause; only `resumed`, `answered`, `budget_set` and `goal_edited` set an ended run going; the serialised state is \
below 256 KiB.
`run_created` is always the first event and never another.
";

const OF_WORKLISTS_PREAMBLE: &str = "
## Worklists

A run with a worklist has further events, and its items have small machines of their own.
The events are played in any order, with crashes anywhere, in `crates/core/src/step/worklist/tests.rs`.

A column is where a run or its only item is; a cell says what becomes of it: `item working` is the run at work with an \
item that is at work, `item closed` one whose item has ended.
All other events of an item are the events of the tables above, and do to the item what they do to a run.
`rebased` is late wherever there is but one item: it is for a change that others' work has come before.
";

fn page() -> String {
    let pairs = pairs();
    let mut page = PREAMBLE.to_owned();
    // Two tables, so that a line is not too long to be read.
    for statuses in [&STATUSES[..8], &STATUSES[8..]] {
        page.push_str(&format!("\n| event | {} |\n", statuses.join(" | ")));
        page.push_str(&format!("|---|{}\n", "---|".repeat(statuses.len())));
        for names in EVENTS.iter().map(|lines| row_name(lines[0])) {
            let cells: Vec<String> = statuses
                .iter()
                .map(|status| {
                    let cell = pairs.get(&(*status, names));
                    let words = cell.expect("every pair is played").iter();
                    words.cloned().collect::<Vec<_>>().join(", ")
                })
                .collect();
            page.push_str(&format!("| `{names}` | {} |\n", cells.join(" | ")));
        }
    }
    page.push_str(OF_WORKLISTS_PREAMBLE);
    page.push_str(&super::worklist::table());
    page
}

fn row_name(line: &str) -> &'static str {
    let journal = played("ready|ask|answer shell|start 0");
    name(&event(&journal, line).fact)
}

#[test]
fn the_table_in_the_docs_is_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/states.md");
    let page = page();
    if std::env::var_os("OVERNIGHT_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(
        written, page,
        "docs/states.md: OVERNIGHT_WRITE_DOCS=1 writes it anew"
    );
}

#[test]
fn every_status_and_every_event_is_in_the_table() {
    let statuses: BTreeSet<&str> = RUNS.iter().map(|run| played(run).state.status()).collect();
    assert_eq!(statuses, STATUSES.iter().copied().collect());
    let journal = played("ready|ask|answer shell|start 0");
    let mut events: BTreeSet<&str> = EVENTS
        .iter()
        .map(|lines| name(&event(&journal, lines[0]).fact))
        .collect();
    events.insert("run_created");
    events.extend(OF_WORKLISTS);
    // `name` has one arm for each fact; its source is the list of them.
    let source = include_str!("mod.rs");
    let all: BTreeSet<&str> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Fact::")?.split_once("=> \""))
        .map(|(_, name)| name.trim_end_matches("\","))
        .collect();
    assert_eq!(events, all);
}
