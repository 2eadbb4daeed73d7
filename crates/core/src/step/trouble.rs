//! What the harness itself could not do, and clocks that jump: both pass, and neither ends a run that can go on.

use crate::bounds::{WAIT_WHY_BYTES_MAX, held};
use crate::ids::UnixMs;
use crate::state::{CallProgress, CallState, Phase, State, Trouble, Wait, WaitKind};
use crate::step::{backoff, ending, failing};
use crate::stop::StopReason;

/// How often the same thing is tried before the run fails: with the waits between, about half an hour.
pub const HARNESS_ATTEMPTS_MAX: u32 = 12;
/// The same for a run that a person has stopped: seconds.
pub const STOPPING_ATTEMPTS_MAX: u32 = 3;

/// The harness could not do what was due: it waits and tries again, or gives up.
pub(super) fn harness_failed(state: &mut State, message: &str, fatal: bool) {
    if state.phase == Phase::Ended {
        return;
    }
    let failures = state.trouble.as_ref().map_or(0, |t| t.failures) + 1;
    let most = match state.stop {
        Some(StopReason::Stopped) => STOPPING_ATTEMPTS_MAX,
        _ => HARNESS_ATTEMPTS_MAX,
    };
    if fatal || failures >= most {
        let why = message.to_owned();
        return ending::stop(state, StopReason::Failed { why });
    }
    let now = state.last_at;
    state.trouble = Some(Trouble {
        failures,
        wait: Some(Wait {
            until: now.saturating_add(backoff(failures)),
            since: now,
            why: held(message, WAIT_WHY_BYTES_MAX),
            kind: WaitKind::Harness,
            seeking: false,
        }),
    });
}

/// Its wait is over if its time has come.
pub(super) fn woken(state: &mut State) {
    let now = state.last_at;
    for trouble in state.all_troubles_mut().flatten() {
        if trouble.wait.as_ref().is_some_and(|w| w.until <= now) {
            trouble.wait = None;
        }
    }
}

/// The wall clock is ahead of the time that has passed by so much, or behind. Time in which the machine slept is
/// neither work nor waiting; waits that were counted from a clock that has been set back keep their length.
pub(super) fn clock_jumped(state: &mut State, ms: i64) {
    let by = ms.unsigned_abs();
    if ms > 0 {
        // At rest nothing was counted.
        if state.paused || state.phase == Phase::Ended {
            return;
        }
        // It was counted with the event at hand, or with one before it.
        let waited = by.min(state.spent.waiting_ms);
        for lane in failing(state) {
            lane.failing_ms = lane.failing_ms.saturating_sub(by);
        }
        if state.waiting().is_some() {
            state.spent.waiting_ms -= waited;
        } else {
            state.spent.active_ms = state.spent.active_ms.saturating_sub(by);
        }
        return;
    }
    let back = |at: &mut UnixMs| *at = at.saturating_sub(by);
    for lane in state.all_lanes_mut() {
        let running = |c: &&mut CallState| c.progress == CallProgress::Running;
        for call in lane.calls.iter_mut().filter(running) {
            back(&mut call.began_at);
        }
    }
    let mut put_back = |wait: &mut Wait| {
        back(&mut wait.until);
        back(&mut wait.since);
    };
    state
        .all_lanes_mut()
        .filter_map(|l| l.wait.as_mut())
        .for_each(&mut put_back);
    state
        .all_troubles_mut()
        .flatten()
        .filter_map(|t| t.wait.as_mut())
        .for_each(&mut put_back);
    let source = state.worklist.as_mut().and_then(|list| list.wait.as_mut());
    source.into_iter().for_each(put_back);
}
