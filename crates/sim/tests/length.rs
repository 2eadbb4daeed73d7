//! What a run costs does not grow with its length, and waiting costs nothing: small numbers of what the bench measures.

use std::time::Duration;

use overnight_core::bounds::STATE_BYTES_MAX;
use sim::crowd::{Waits, wait, work};

/// Turns of the long run, and the earlier one of the two that are compared.
const TURNS: u64 = 700;
const EARLY: u64 = 350;
/// Runs that wait.
const RUNS: usize = 40;
const HOUR_MS: u64 = 60 * 60 * 1_000;

#[test]
fn the_state_of_a_long_run_stays_small_and_comes_back_from_its_journal() {
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (length, store) = runtime.block_on(work(home.path(), TURNS)).unwrap();
    let largest = length.state_bytes.values().max().unwrap();
    assert!(*largest < STATE_BYTES_MAX, "{largest} bytes");
    // By the earlier of the two turns the notes are as many as are kept.
    let grown = length.state_bytes[&TURNS] as f64 / length.state_bytes[&EARLY] as f64;
    assert!(grown < 1.1, "{grown}");
    let state = overnight_engine::load(store.as_ref()).unwrap();
    assert_eq!(state.spent.turns, TURNS);
    assert!(state.ended());
}

#[test]
fn many_runs_wait_in_one_process_without_a_model_call_and_each_wakes_at_its_time() {
    let home = tempfile::tempdir().unwrap();
    // Time passes as soon as nobody has anything to do.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let plan = Waits {
        runs: RUNS,
        first_ms: 6 * HOUR_MS,
        apart_ms: 7_321,
        look_every: Duration::from_secs(600),
    };
    let crowd = runtime
        .block_on(wait(home.path(), plan, Box::new(|| ())))
        .unwrap();
    assert_eq!(crowd.asked_while_waiting, 0);
    assert_eq!(crowd.asked_again, RUNS as u64);
    assert_eq!(crowd.late_ms.len(), RUNS);
    const LATE_MS_MAX: i64 = 1_000;
    for late in crowd.late_ms {
        assert!((0..LATE_MS_MAX).contains(&late), "{late} ms late");
    }
}
