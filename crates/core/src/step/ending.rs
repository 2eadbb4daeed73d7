//! How a run stops, and how a person's word sets it going again.

use crate::bounds::{WORDS_BYTES_MAX, held};
use crate::check::Verdict;
use crate::event::{Notice, VERSION_WITH_PATIENT_ACTS, VERSION_WITH_WHOLE};
use crate::goal::Stop;
use crate::ids::Scope;
use crate::notification::{self, Occasion};
use crate::state::{CallProgress, Checkpoint, Lane, Phase, State, WINDOW_TURNS_MAX, Why};
use crate::step::decide::ANSWERS_BYTES_MAX;
use crate::step::{edit, worklist};
use crate::stop::{Blocker, Completion, StopReason};
use crate::turn::Help;

/// Share of a budget at which the model is warned, percent.
pub const BUDGET_WARNING_PERCENT: u64 = 80;

pub(super) fn stop_reason(help: Help, by: Blocker) -> StopReason {
    StopReason::Blocked { help, by }
}

/// The run is to stop. What was changed since the last checkpoint is checked first, so that the report tells what
/// is true now; a stop by a person waits for nothing but the diff's check, without which nothing is delivered.
pub(super) fn stop(state: &mut State, reason: StopReason) {
    if state.phase == Phase::Ended {
        return;
    }
    // A run that is ending already keeps its reason; only a harness that cannot go on has a newer one.
    let ending = state.stop.is_some();
    if ending && !matches!(reason, StopReason::Failed { .. }) {
        return hurry(state, &reason);
    }
    let nothing_to_show = matches!(state.phase, Phase::Preparing) || state.spent.turns == 0;
    let checked = state.candidate.as_ref().is_some_and(|c| c.current) && state.open_checks_known();
    // The budget ran out before the claim: if everything holds, it holds.
    let reason = match (&reason, Completion::prove(state)) {
        (StopReason::OutOfBudget { .. }, Some(proof)) => StopReason::Complete(proof),
        _ => reason,
    };
    state.all_troubles_mut().for_each(|trouble| *trouble = None);
    for lane in state.all_lanes_mut() {
        lane.wait = None;
        lane.asking = false;
        // A call that is cut off here has left its traces in what is fixed next; it is never performed again.
        for call in &mut lane.calls {
            call.progress = CallProgress::Ended;
        }
    }
    let check = |why| {
        Phase::Checking(Checkpoint {
            why,
            fixed: false,
            same_tree: false,
        })
    };
    state.phase = match &reason {
        // A worklist may be complete without a turn: no item is left, and their source is told.
        StopReason::Complete(_) => Phase::Delivering,
        _ if nothing_to_show => Phase::Reporting,
        StopReason::Refused { .. } => Phase::Reporting,
        StopReason::Unverifiable { .. } if state.version < VERSION_WITH_WHOLE => Phase::Delivering,
        StopReason::Stopped => check(Why::Stopping),
        StopReason::Failed { .. }
            if matches!(
                state.phase,
                Phase::Checking(_) | Phase::Delivering | Phase::Acting | Phase::Reporting
            ) =>
        {
            Phase::Reporting
        }
        _ if checked => Phase::Delivering,
        StopReason::Blocked { .. }
        | StopReason::OutOfBudget { .. }
        | StopReason::Unverifiable { .. }
        | StopReason::Failed { .. } => check(Why::Ending),
    };
    state.stop = Some(held_reason(reason));
}

/// The reason, as long as the state holds it.
fn held_reason(reason: StopReason) -> StopReason {
    match reason {
        StopReason::Blocked { help, by } => StopReason::Blocked {
            help: help.held(),
            by,
        },
        StopReason::Refused { why } => StopReason::Refused {
            why: held(&why, WORDS_BYTES_MAX),
        },
        StopReason::Failed { why } => StopReason::Failed {
            why: held(&why, WORDS_BYTES_MAX),
        },
        StopReason::Complete(_)
        | StopReason::OutOfBudget { .. }
        | StopReason::Unverifiable { .. }
        | StopReason::Stopped => reason,
    }
}

/// What could not be delivered is nowhere: a run that was found complete has failed after all.
pub(super) fn undelivered(state: &mut State, message: &str) {
    let message = &held(message, WORDS_BYTES_MAX);
    state.delivery_error = Some(message.clone());
    state.phase = Phase::Reporting;
    if let Some(StopReason::Complete(_)) = state.stop {
        let why = format!("every check passes, but the result could not be delivered: {message}");
        state.stop = Some(held_reason(StopReason::Failed { why }));
    }
}

/// A person stops a run that is ending: its last checkpoint is not waited for, and no further act is begun.
fn hurry(state: &mut State, reason: &StopReason) {
    if *reason == StopReason::Stopped && state.version >= VERSION_WITH_PATIENT_ACTS {
        worklist::cut(state);
    }
    if let (StopReason::Stopped, Phase::Checking(checkpoint)) = (reason, &mut state.phase)
        && checkpoint.why == Why::Ending
    {
        *checkpoint = Checkpoint {
            why: Why::Stopping,
            fixed: false,
            same_tree: false,
        };
    }
}

pub(super) fn resumed(state: &mut State) {
    state.paused = false;
    if state.phase == Phase::Ended
        && let Some(list) = &mut state.worklist
    {
        list.cut = false;
    }
    // What could not be delivered is tried again; delivering twice is delivering once.
    if state.phase == Phase::Ended && state.delivery_error.take().is_some() {
        if let Some(proof) = Completion::prove(state) {
            state.stop = Some(StopReason::Complete(proof));
        }
        state.phase = Phase::Delivering;
        return;
    }
    let provider = matches!(
        &state.stop,
        Some(StopReason::Blocked {
            by: Blocker::Provider,
            ..
        })
    );
    let failed = matches!(&state.stop, Some(StopReason::Failed { .. }));
    if state.phase == Phase::Ended && (provider || failed) {
        reopen(state);
    }
}

pub(super) fn answered(state: &mut State, text: &str) {
    worklist::again(state, text);
    // A run with a worklist has no conversation of its own: what the answer is for is tried again. Of one that comes
    // while the run is ending, this notice tells at its end.
    let heard = state.worklist.is_none() || state.stop.is_some();
    if let Some(lane) = state.lanes.get_mut(&Scope::Run).filter(|_| heard) {
        lane.tell(Notice::Answer {
            text: held(text, ANSWERS_BYTES_MAX),
        });
    }
    if state.phase == Phase::Ended && matches!(&state.stop, Some(StopReason::Blocked { .. })) {
        reopen(state);
    }
}

/// The report is written: the run is over, unless the answer to its question came while it was ending.
pub(super) fn ended(state: &mut State) {
    state.phase = Phase::Ended;
    let answered = state
        .lanes
        .values()
        .any(|l| l.inbox.iter().any(|n| matches!(n, Notice::Answer { .. })));
    let asks = matches!(
        &state.stop,
        Some(StopReason::Blocked {
            by: Blocker::Model | Blocker::NoProgress,
            ..
        })
    );
    // So does a budget that was raised meanwhile.
    let raised =
        matches!(&state.stop, Some(StopReason::OutOfBudget { .. })) && exhausted(state).is_none();
    if (answered && asks) || raised {
        return reopen(state);
    }
    if let Some(occasion) = state.stop.as_ref().and_then(Occasion::of) {
        notification::add(state, occasion);
    }
}

/// A person set the budgets: a run that had used one up goes on where it was.
pub(super) fn budget_set(state: &mut State, limits: Stop) {
    state.goal.stop = limits;
    for lane in state.all_lanes_mut() {
        lane.warned.clear();
    }
    if state.phase == Phase::Ended && matches!(&state.stop, Some(StopReason::OutOfBudget { .. })) {
        reopen(state);
    }
}

pub(super) fn reopen(state: &mut State) {
    state.stop = None;
    state.then = None;
    state.phase = edit::onward(state);
    state.told_waiting = false;
    state.trouble = None;
    state.progress.without = 0;
    state.progress.spreading = 0;
    // A person may have mended what lies outside the tree: what did not pass is looked at again.
    for check in state.checks.values_mut() {
        if check
            .latest
            .as_ref()
            .is_some_and(|found| found.verdict != Verdict::Pass)
        {
            check.latest = None;
        }
    }
    if let Some(list) = &mut state.worklist {
        list.wait = None;
        list.failures = 0;
        for lane in state.lanes.values_mut() {
            lane.inbox.retain(|n| !matches!(n, Notice::Answer { .. }));
        }
    }
    for lane in state.all_lanes_mut() {
        lane.failures = 0;
        lane.failing_ms = 0;
        lane.windows = 0;
        lane.malformed = 0;
        if lane.window < WINDOW_TURNS_MAX {
            lane.window = WINDOW_TURNS_MAX;
            lane.steady = 0;
            lane.tell(Notice::HistoryGrown {
                turns: WINDOW_TURNS_MAX,
            });
        }
    }
}

/// Budgets are looked at after every event. Time ends a run at once; the others end it before the next model call,
/// so that what was paid for is still used.
pub(super) fn enforce_budgets(state: &mut State) {
    if state.phase != Phase::Working || state.stop.is_some() {
        return;
    }
    let out = |budget: &str| StopReason::OutOfBudget {
        budget: budget.to_owned(),
    };
    let used = shares(state);
    let of_time = |budget: &str| matches!(budget, "hours" | "active");
    if let Some((budget, _)) = used
        .iter()
        .find(|(budget, percent)| of_time(budget) && *percent >= 100)
    {
        return stop(state, out(budget));
    }
    let ready = |l: &Lane| !l.asking && l.calls.iter().all(|c| c.progress == CallProgress::Ended);
    let of_items = crate::effect::works_on_items(state);
    if !of_items && !state.lanes.values().any(ready) {
        return;
    }
    if let Some(budget) = exhausted(state) {
        // Of several items those that can end without another answer do.
        if !of_items || crate::effect::only_asking_is_left(state) {
            stop(state, out(budget));
        }
        return;
    }
    for (budget, percent) in used {
        if percent >= BUDGET_WARNING_PERCENT {
            warn(state, budget, percent);
        }
    }
}

/// The first budget that is used up.
pub(crate) fn exhausted(state: &State) -> Option<&'static str> {
    let used = shares(state);
    used.iter()
        .find(|(_, percent)| *percent >= 100)
        .map(|(budget, _)| *budget)
}

/// How many more answers may be asked for while so many are under way. Whatever those cost is taken for as much as the
/// dearest so far, so that all of them together pass a budget by no more than one answer; as long as nothing is known of
/// the cost, one at a time.
pub(crate) fn room(state: &State, under_way: u64) -> u64 {
    let Stop {
        turns, tokens, usd, ..
    } = state.goal.stop;
    let spent = &state.spent;
    let of_turns = turns.saturating_sub(spent.turns.saturating_add(under_way));
    let of = |left: f64, each: f64| {
        // The last of them is the one that may pass the limit.
        let all = match (left > 0.0, each > 0.0) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => (left / each).ceil() as u64,
        };
        all.saturating_sub(under_way)
    };
    let dearest = spent.dearest_answer;
    let of_tokens = tokens.map_or(u64::MAX, |limit| {
        let left = limit.saturating_sub(spent.usage.total());
        of(left as f64, dearest.tokens as f64)
    });
    let of_usd = usd.map_or(u64::MAX, |limit| of(limit - spent.usd, dearest.usd));
    of_turns.min(of_tokens).min(of_usd)
}

/// How much of each budget is used, percent.
fn shares(state: &State) -> [(&'static str, u64); 5] {
    let limits = state.goal.stop;
    let used_ms = state.spent.active_ms.saturating_add(state.spent.waiting_ms);
    let tokens = limits.tokens.map(|t| t as f64);
    [
        (
            "turns",
            share(state.spent.turns as f64, Some(limits.turns as f64)),
        ),
        ("tokens", share(state.spent.usage.total() as f64, tokens)),
        ("usd", share(state.spent.usd, limits.usd)),
        (
            "hours",
            share(used_ms as f64, Some(limits.limit_ms() as f64)),
        ),
        (
            "active",
            share(
                state.spent.active_ms as f64,
                limits.active_limit_ms().map(|ms| ms as f64),
            ),
        ),
    ]
}

/// Percent of a limit that is used; 0 without one.
fn share(used: f64, limit: Option<f64>) -> u64 {
    match limit {
        Some(limit) if limit > 0.0 => (used * 100.0 / limit) as u64,
        _ => 0,
    }
}

fn warn(state: &mut State, budget: &str, percent: u64) {
    for lane in state.all_lanes_mut() {
        if !lane.warned.iter().any(|w| w == budget) {
            lane.warned.push(budget.to_owned());
            lane.tell(Notice::BudgetLow {
                budget: budget.to_owned(),
                percent: percent as u32,
            });
        }
    }
}
