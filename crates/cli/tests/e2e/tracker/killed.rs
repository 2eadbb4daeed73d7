//! The same backlog by a process that is killed again and again, right after what it wrote to the journal and right
//! before: the ledger is the same, and nothing is done twice at the tracker.

use std::collections::BTreeSet;

use super::{LIMIT, Shop};
use crate::world::{facts, name, reach};

/// What a process may append before it dies, one life after the other. Less than three is no progress: the first is
/// that it took over.
const LIVES: [u64; 5] = [5, 3, 8, 4, 6];
/// More lives than the run can possibly need.
const LIVES_MAX: usize = 400;

#[test]
fn killed_in_every_phase_the_backlog_ends_as_planted_and_nothing_is_done_twice() {
    let Some(shop) = Shop::failing(LIMIT) else {
        return;
    };
    let server = shop.model(&[]);
    let mut phases = BTreeSet::new();
    let mut command = shop.world.run_command(&server, &shop.goal(""));
    for life in 0..LIVES_MAX {
        // The first event must be kept, or there is no run.
        let before = life > 0 && life % 2 == 1;
        let variable = if before {
            "OVERNIGHT_FAULT_KILL_BEFORE_APPEND"
        } else {
            "OVERNIGHT_FAULT_KILL_AFTER_APPEND"
        };
        command.env(variable, LIVES[life % LIVES.len()].to_string());
        let died = shop.world.start(command).end();
        if !died.was_killed() {
            let done = died.exits(0);
            assert_eq!(done.summary()["stop_reason"], "complete");
            println!("{life} lives; died after: {phases:?}");
            shop.holds(&done, "killed");
            let journal = shop.world.log();
            let acts = facts(&journal, "acting").len();
            assert_eq!(facts(&journal, "acted").len(), acts);
            for phase in ["listed", "item_opened", "integrated", "acting", "delivered"] {
                assert!(journal.iter().any(|event| name(event) == phase), "{phase}");
            }
            return;
        }
        if let Some(last) = shop.world.log().last() {
            phases.insert(name(last).to_owned());
        }
        command = shop.world.command(&["resume", "last", "--json"]);
        reach(&mut command, &server);
    }
    panic!("{LIVES_MAX} lives were not enough; died after: {phases:?}");
}
