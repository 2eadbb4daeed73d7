//! What is done to items at their source: after the work is delivered, one act after the other, each at most once.

use crate::state::{Phase, State};
use crate::stop::StopReason;

/// Where a run goes once its result is delivered: acts that the goal wants come before the report. A run that a person
/// stopped acts on nothing, nor does one that is stopped while it is ending.
pub(in crate::step) fn after_delivery(state: &State) -> Phase {
    let willing = matches!(
        &state.stop,
        Some(StopReason::Complete(_) | StopReason::OutOfBudget { .. } | StopReason::Blocked { .. })
    );
    let due = state
        .worklist
        .as_ref()
        .is_some_and(|list| list.acted < list.acts && !list.cut);
    match willing && due && (state.delivered.is_some() || !state.delivers()) {
        true => Phase::Acting,
        false => Phase::Reporting,
    }
}

/// The intent is durable.
pub(in crate::step) fn acting(state: &mut State) {
    if let Some(list) = &mut state.worklist {
        list.acting = true;
    }
}

/// What came of it is known.
pub(in crate::step) fn acted(state: &mut State, performed: bool) {
    if let Some(list) = &mut state.worklist {
        list.away = false;
        list.unperformed += u32::from(!performed);
    }
    over(state);
}

/// A person stops a run that is ending: an act that is under way is seen to its end, since nobody could say otherwise
/// what became of it; no other is begun.
pub(in crate::step) fn cut(state: &mut State) {
    let Some(list) = &mut state.worklist else {
        return;
    };
    list.cut = true;
    if state.phase != Phase::Acting {
        return;
    }
    match (list.acting, &list.wait) {
        (true, None) => {}
        (true, Some(_)) => given_up(state),
        (false, _) => {
            list.wait = None;
            state.phase = Phase::Reporting;
        }
    }
}

/// It was tried often enough, and the source has not answered.
pub(super) fn given_up(state: &mut State) {
    if let Some(list) = &mut state.worklist {
        list.away = true;
        list.unperformed += 1;
    }
    over(state);
}

/// One act is over, whatever came of it.
pub(super) fn over(state: &mut State) {
    if let Some(list) = &mut state.worklist {
        list.acting = false;
        list.probe = false;
        list.failures = 0;
        list.wait = None;
        list.acted = list.acted.saturating_add(1);
        if (list.cut || list.acted >= list.acts) && state.phase == Phase::Acting {
            state.phase = Phase::Reporting;
        }
    }
}
