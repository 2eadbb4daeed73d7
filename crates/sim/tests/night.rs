//! Simulated nights in small numbers: no law is broken, a seed is one world, and the laws notice what is wrong.

use std::collections::BTreeSet;

use sim::night::life::{Run, play, play_plan};
use sim::night::plan::{Plan, Sabotage};

/// How many seeds the tests play; `cargo run -p sim` plays as many as one likes.
const SEEDS: u64 = 250;

fn told(seed: u64, run: &Run) -> String {
    let broken = run.broken.as_ref();
    broken.map_or_else(String::new, |b| {
        let last = b.events.join("\n  ");
        format!("seed {seed}: {}: {}\n  {last}", b.law, b.what)
    })
}

#[test]
fn no_law_is_broken_and_everything_happens() {
    let (mut crashes, mut ends, mut events) = (0, BTreeSet::new(), BTreeSet::new());
    for seed in 0..SEEDS {
        let run = play(seed);
        assert!(run.broken.is_none(), "{}", told(seed, &run));
        crashes += run.figures.crashes;
        ends.insert(run.end);
        events.extend(run.figures.pairs.iter().map(|(_, event)| *event));
    }
    assert!(crashes > SEEDS, "{crashes} crashes");
    let wanted = [
        "blocked",
        "complete",
        "failed",
        "out_of_budget",
        "stopped",
        "unverifiable",
    ];
    assert_eq!(ends.into_iter().collect::<Vec<_>>(), wanted);
    for event in [
        "clock_jumped",
        "harness_failed",
        "told",
        "budget_set",
        "paused",
        "network_back",
        "notified",
        "wait_cancelled",
        "goal_edited",
        "listed",
        "source_failed",
        "item_opened",
        "closing_examined",
        "rebased",
        "integrated",
        "relisted",
        "acting",
        "acted",
    ] {
        assert!(events.contains(event), "no {event}");
    }
}

#[test]
fn a_seed_is_one_world() {
    for seed in [1, 37, 72, 1_004, 1_597] {
        let (once, again) = (play(seed), play(seed));
        assert_eq!(once.journal, again.journal, "seed {seed}");
        assert_eq!(
            once.figures.simulated_ms, again.figures.simulated_ms,
            "seed {seed}"
        );
    }
}

#[test]
fn the_laws_notice_a_world_that_is_wrong() {
    for (sabotage, law) in [
        (Sabotage::LyingChecks, "complete means done"),
        (Sabotage::ForgetfulForge, "a delivery happens once"),
        (Sabotage::Echo, "nobody is told the same twice"),
        (Sabotage::LateClock, "a waiting run wakes at its time"),
        (
            Sabotage::ForgetfulSource,
            "nothing is done to an item twice",
        ),
        (
            Sabotage::BlindMerge,
            "a commit holds its item's change and nothing else",
        ),
        (
            Sabotage::LostFiles,
            "an eager model completes in the turns that it needs",
        ),
    ] {
        let noticed = (0..SEEDS * 4).find_map(|seed| {
            let plan = Plan {
                sabotage: Some(sabotage),
                ..Plan::new(seed)
            };
            play_plan(plan).broken.filter(|broken| broken.law == law)
        });
        assert!(
            noticed.is_some(),
            "{sabotage:?} breaks `{law}`, and nothing was said"
        );
    }
}
