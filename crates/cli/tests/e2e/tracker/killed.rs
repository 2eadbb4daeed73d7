//! The same backlog by a process that is killed again and again: right after what it wrote to the journal, right before
//! it, and while it does what follows. The ledger is the same, and nothing is done twice at the tracker.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{LIMIT, Shop};
use crate::world::{facts, name, reach};

/// What a process may append before it dies, one life after the other. Less than three is no progress: the first is
/// that it took over.
const LIVES: [u64; 5] = [5, 3, 8, 4, 6];
/// More lives than the run can possibly need.
const LIVES_MAX: usize = 400;
/// Once so many items were opened, a process is killed as soon as this is in the journal, and while it does what comes
/// of it. These are all phases that a run goes through.
const MOMENTS: [(usize, &str); 10] = [
    (0, "run_created"),
    (0, "prepared"),
    (0, "baseline_ended"),
    (0, "listed"),
    (2, "model_answered"),
    (3, "rebased"),
    (6, "closing_examined"),
    (LIMIT, "relisted"),
    (LIMIT, "delivered"),
    (LIMIT, "acting"),
];
/// A moment that has not come after that many events is waited for no longer.
const EVENTS_MAX: usize = 150;
/// These are met for certain; whether a change has to be taken onto another's depends on who is faster.
const CERTAIN: [&str; 8] = [
    "run_created",
    "prepared",
    "baseline_ended",
    "listed",
    "model_answered",
    "relisted",
    "delivered",
    "acting",
];

#[test]
fn killed_in_every_phase_the_backlog_ends_as_planted_and_nothing_is_done_twice() {
    let Some(shop) = Shop::failing(LIMIT) else {
        return;
    };
    let server = shop.model(&[]);
    let (mut died_after, mut met) = (BTreeSet::new(), BTreeSet::new());
    let mut moments = MOMENTS.iter();
    let mut moment = moments.next();
    let mut command = shop.world.run_command(&server, &shop.goal(""));
    let mut kept: Vec<Value> = Vec::new();
    for life in 0..LIVES_MAX {
        let opened = facts(&kept, "item_opened").len();
        let died = if let Some((_, wanted)) = moment.filter(|(least, _)| opened >= *least) {
            let mut running = shop.world.start(command);
            if running.until_or(&format!("\"fact\":{{\"fact\":\"{wanted}\""), EVENTS_MAX) {
                met.insert(*wanted);
            }
            moment = moments.next();
            running.signal("KILL");
            running.end()
        } else {
            let variable = match life % 2 {
                0 => "OVERNIGHT_FAULT_KILL_AFTER_APPEND",
                _ => "OVERNIGHT_FAULT_KILL_BEFORE_APPEND",
            };
            command.env(variable, LIVES[life % LIVES.len()].to_string());
            shop.world.start(command).end()
        };
        let journal = shop.world.log();
        let lost = kept.iter().zip(&journal).any(|(old, new)| old != new);
        assert!(
            !lost && kept.len() <= journal.len(),
            "the journal only grows"
        );
        kept = journal;
        if !died.was_killed() {
            let done = died.exits(0);
            assert_eq!(done.summary()["stop_reason"], "complete");
            println!("{life} lives; died after {died_after:?}, and within what follows {met:?}");
            shop.holds(&done, "killed");
            let acts = facts(&kept, "acting").len();
            assert_eq!(facts(&kept, "acted").len(), acts);
            let missing = CERTAIN.iter().find(|moment| !met.contains(*moment));
            assert_eq!(missing, None, "{met:?}");
            return;
        }
        if let Some(last) = kept.last() {
            died_after.insert(name(last).to_owned());
        }
        command = shop.world.command(&["resume", "last", "--json"]);
        reach(&mut command, &server);
    }
    panic!("{LIVES_MAX} lives were not enough; died after: {died_after:?}");
}
