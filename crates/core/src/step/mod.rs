//! `step`: the state machine. An event goes in, the state changes, the effects that are due come out. Nothing else in
//! the project changes a run's phase or its stop reason.

mod baseline;
mod checkpoint;
mod decide;
mod edit;
mod ending;
mod late;
mod recover;
#[cfg(test)]
mod steering_tests;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
mod trouble;
mod turns;
pub(crate) mod worklist;

pub use decide::{Command, Raise, Refusal, decide};
pub use edit::ready as ready_for_edit;
pub use late::{late, reports};
pub use recover::recover;
pub use trouble::{HARNESS_ATTEMPTS_MAX, STOPPING_ATTEMPTS_MAX};
pub use turns::{OUTAGE_MS_MAX, QUOTA_MS_MIN};
pub use worklist::{SOURCE_ATTEMPTS_MAX, WHOLE_TITLE};

use crate::effect::{Effect, due};
use crate::event::{Created, Event, Fact};
use crate::ids::Scope;
use crate::repo::Delivered;
use crate::state::{Lane, Order, Phase, State, Wait, WaitKind};
use crate::stop::{Blocker, StopReason};
pub(crate) use ending::{exhausted, room};
use turns::backoff;

/// Why an event cannot be applied: the journal is damaged, or written by a newer version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// The first event is not [`Fact::RunCreated`], or a later one is.
    #[error("a run's first event, and only the first, is `run_created`")]
    NotCreated,
    /// The journal's version is unknown.
    #[error("the journal is of version {0}; this overnight reads up to {max}: use a newer one", max = crate::event::EVENT_VERSION)]
    Version(u32),
    /// The event does not fit the state.
    #[error("`{fact}` does not fit a run that is {status}: the journal is damaged")]
    Unexpected {
        /// The event.
        fact: &'static str,
        /// The state.
        status: &'static str,
    },
}

/// The first event makes the state.
pub fn begin(event: &Event) -> Result<State, StepError> {
    match &event.fact {
        Fact::RunCreated(created) => {
            let Created { version, .. } = **created;
            if version > crate::event::EVENT_VERSION {
                return Err(StepError::Version(version));
            }
            Ok(State::new(created, event.at))
        }
        _ => Err(StepError::NotCreated),
    }
}

/// Applies one event and says what is due.
pub fn step(mut state: State, event: &Event) -> Result<(State, Vec<Effect>), StepError> {
    pass_time(&mut state, event);
    if let Some(list) = &mut state.worklist {
        list.just_closed.clear();
    }
    match &event.scope {
        Scope::Run => apply(&mut state, &Scope::Run, event)?,
        Scope::Item(id) => worklist::apply(&mut state, id, event)?,
    }
    worklist::proceed(&mut state);
    ending::enforce_budgets(&mut state);
    crate::notification::long_waits(&mut state);
    let effects = due(&state);
    Ok((state, effects))
}

/// Applies an event to a run, or to the small machine of an item, to which everything that is its own is the run's.
fn apply(state: &mut State, scope: &Scope, event: &Event) -> Result<(), StepError> {
    if mends(&event.fact) {
        state.trouble = None;
    }
    // A person's word has everything tried at once.
    if matches!(
        event.fact,
        Fact::Resumed | Fact::WaitCancelled | Fact::GoalEdited { .. }
    ) {
        state.all_troubles_mut().for_each(|trouble| *trouble = None);
    }
    match &event.fact {
        Fact::RunCreated(_) => return Err(StepError::NotCreated),
        Fact::ClockJumped { ms } => trouble::clock_jumped(state, *ms),
        Fact::Prepared { base, .. } => {
            expect(state, event, matches!(state.phase, Phase::Preparing))?;
            state.base = Some(base.clone());
            state.phase = Phase::Baselining;
        }
        Fact::CheckReported { report } => match state.phase {
            Phase::Baselining => baseline::reported(state, report),
            Phase::Checking(_) => checkpoint::reported(state, report),
            _ => {} // A report of a checkpoint that was given up meanwhile.
        },
        Fact::BaselineEnded { generated, .. } => {
            expect(state, event, matches!(state.phase, Phase::Baselining))?;
            baseline::ended(state, generated);
        }
        Fact::TurnRequested { turn, told, .. } => {
            expect(
                state,
                event,
                state.phase == Phase::Working && lane_turn(state, scope) + 1 == *turn,
            )?;
            turns::requested(state, scope, told);
        }
        Fact::ModelAnswered {
            turn, calls, usage, ..
        } => {
            expect(
                state,
                event,
                state.phase == Phase::Working && lane_turn(state, scope) + 1 == *turn,
            )?;
            turns::answered(state, scope, calls, usage);
        }
        Fact::ModelFailed {
            kind,
            message,
            retry_after_ms,
            usage,
            ..
        } => {
            expect(state, event, state.phase == Phase::Working)?;
            turns::failed(state, scope, *kind, message, *retry_after_ms, usage);
        }
        Fact::CallStarted { turn, index } => {
            let open = lane_turn(state, scope) == *turn && turns::is_open(state, scope, *index);
            expect(state, event, state.phase == Phase::Working && open)?;
            turns::call_started(state, scope, *index);
        }
        Fact::CallEnded {
            turn,
            index,
            result,
        } => {
            expect(
                state,
                event,
                lane_turn(state, scope) == *turn && turns::is_open(state, scope, *index),
            )?;
            turns::call_ended(state, scope, *index, result);
        }
        Fact::CandidateFixed {
            candidate,
            denials,
            stopped,
            ..
        } => {
            expect(
                state,
                event,
                matches!(&state.phase, Phase::Checking(c) if !c.fixed),
            )?;
            turns::background_stopped(state, scope, stopped);
            state.denials = state.denials.saturating_add(denials.len() as u64);
            checkpoint::fixed(state, candidate);
        }
        Fact::Listed { listing, .. } => {
            expect(state, event, state.phase == Phase::Listing)?;
            worklist::listed(state, listing);
        }
        Fact::SourceFailed {
            doing,
            fatal,
            message,
            retry_after_ms,
        } => worklist::source_failed(state, *doing, *fatal, message, *retry_after_ms),
        Fact::Relisted {
            newcomers,
            total,
            listing,
        } => {
            expect(state, event, state.phase == Phase::Working)?;
            worklist::relisted(state, newcomers, *total, listing.as_ref());
        }
        Fact::Acting { number, .. } => {
            expect(state, event, is_next_act(state, *number))?;
            worklist::acting(state);
        }
        Fact::Acted {
            number, receipt, ..
        } => {
            expect(state, event, is_next_act(state, *number))?;
            worklist::acted(state, receipt.is_some());
        }
        // These are an item's, and it is not worked on.
        Fact::ItemOpened(_)
        | Fact::ClosingExamined { .. }
        | Fact::Rebased { .. }
        | Fact::Integrated { .. } => expect(state, event, false)?,
        Fact::Woken => {
            turns::woken(state);
            trouble::woken(state);
        }
        Fact::WaitCancelled => turns::wait_cancelled(state),
        Fact::NetworkBack => turns::network_back(state),
        Fact::GoalEdited {
            goal,
            goal_file,
            changes,
        } => edit::edited(state, goal, goal_file, changes),
        Fact::Notifying { number, .. } => crate::notification::begun(state, *number),
        Fact::Notified { number, sendings } => {
            crate::notification::over(state, *number, sendings);
        }
        Fact::Restarted { interrupted } => turns::restarted(state, interrupted),
        Fact::Paused => state.paused = true,
        Fact::Resumed => ending::resumed(state),
        Fact::StopRequested => ending::stop(state, StopReason::Stopped),
        Fact::Answered { text } => ending::answered(state, text),
        Fact::Told { order, text } => {
            state.orders_given = state.orders_given.max(*order);
            state.orders.push(Order {
                number: *order,
                at: event.at,
                text: text.clone(),
            });
            worklist::orders(state);
        }
        Fact::Revoked { order } => {
            state.orders.retain(|o| o.number != *order);
            worklist::orders(state);
        }
        Fact::BudgetSet { stop } => ending::budget_set(state, *stop),
        Fact::Delivered { delivered, .. } => {
            expect(state, event, state.phase == Phase::Delivering)?;
            state.delivered = Some(delivered.clone());
            if let Delivered::Branch { commit, .. } = delivered {
                state.branch_at = Some(commit.clone());
            }
            state.delivery_error = None;
            state.phase = worklist::after_delivery(state);
        }
        Fact::DeliveryFailed { message } => {
            expect(state, event, state.phase == Phase::Delivering)?;
            ending::undelivered(state, message);
        }
        Fact::ReportWritten { path } => {
            state.report = Some(path.clone());
            if state.phase == Phase::Reporting {
                ending::ended(state);
            }
        }
        Fact::HarnessFailed { message, fatal } => {
            trouble::harness_failed(state, message, *fatal);
        }
    }
    Ok(())
}

/// Whether the harness could do what was due, or a person says that it is to try.
fn mends(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Prepared { .. }
            | Fact::CheckReported { .. }
            | Fact::BaselineEnded { .. }
            | Fact::ModelAnswered { .. }
            | Fact::CallEnded { .. }
            | Fact::CandidateFixed { .. }
            | Fact::Delivered { .. }
            | Fact::DeliveryFailed { .. }
            | Fact::Listed { .. }
            | Fact::ItemOpened(_)
            | Fact::ClosingExamined { .. }
            | Fact::Rebased { .. }
            | Fact::Integrated { .. }
            | Fact::Resumed
            | Fact::WaitCancelled
            | Fact::GoalEdited { .. }
            | Fact::StopRequested
    )
}

fn expect(state: &State, event: &Event, fits: bool) -> Result<(), StepError> {
    if fits {
        return Ok(());
    }
    Err(StepError::Unexpected {
        fact: name(&event.fact),
        status: state.status(),
    })
}

/// Whether it is this act's turn.
fn is_next_act(state: &State, number: u32) -> bool {
    let next = state.worklist.as_ref().map(|list| list.acted + 1);
    state.phase == Phase::Acting && next == Some(number)
}

/// The newest commit of the run's branch, and its tree: the base, as long as nothing is integrated.
pub fn tip(state: &State) -> crate::worklist::Tip {
    worklist::start(state)
}

fn lane_turn(state: &State, scope: &Scope) -> u64 {
    state.lanes.get(scope).map_or(0, |l| l.turn)
}

/// Counts the time since the last event towards work or waiting. A clock that jumps back counts nothing; a pause,
/// the time after the end, and the time in which no process ran count nothing.
fn pass_time(state: &mut State, event: &Event) {
    let elapsed = event.at.saturating_sub(state.last_at);
    state.last_at = event.at;
    let away = matches!(event.fact, Fact::Restarted { .. });
    if away || state.paused || state.phase == Phase::Ended {
        return;
    }
    let working = state.phase == Phase::Working;
    for child in state
        .worklist
        .iter_mut()
        .flat_map(|list| list.open.values_mut())
    {
        child.last_at = event.at;
        match working && child.waiting().is_none() {
            true => child.spent.active_ms = child.spent.active_ms.saturating_add(elapsed),
            false => child.spent.waiting_ms = child.spent.waiting_ms.saturating_add(elapsed),
        }
    }
    for lane in failing(state) {
        lane.failing_ms = lane.failing_ms.saturating_add(elapsed);
    }
    if state.waiting().is_some() {
        state.spent.waiting_ms = state.spent.waiting_ms.saturating_add(elapsed);
    } else {
        state.spent.active_ms = state.spent.active_ms.saturating_add(elapsed);
    }
}

/// Lanes whose attempts fail one after the other, those that wait for a quota excepted.
fn failing(state: &mut State) -> impl Iterator<Item = &mut Lane> {
    let working = state.phase == Phase::Working;
    state.all_lanes_mut().filter(move |lane| {
        let quota = |wait: &Wait| wait.kind == WaitKind::Quota;
        working && lane.failures > 0 && !lane.wait.as_ref().is_some_and(quota)
    })
}

/// The event's name, as the journal spells it.
pub fn name(fact: &Fact) -> &'static str {
    match fact {
        Fact::RunCreated(_) => "run_created",
        Fact::Prepared { .. } => "prepared",
        Fact::CheckReported { .. } => "check_reported",
        Fact::BaselineEnded { .. } => "baseline_ended",
        Fact::TurnRequested { .. } => "turn_requested",
        Fact::ModelAnswered { .. } => "model_answered",
        Fact::ModelFailed { .. } => "model_failed",
        Fact::CallStarted { .. } => "call_started",
        Fact::CallEnded { .. } => "call_ended",
        Fact::CandidateFixed { .. } => "candidate_fixed",
        Fact::Listed { .. } => "listed",
        Fact::SourceFailed { .. } => "source_failed",
        Fact::ItemOpened(_) => "item_opened",
        Fact::ClosingExamined { .. } => "closing_examined",
        Fact::Rebased { .. } => "rebased",
        Fact::Integrated { .. } => "integrated",
        Fact::Relisted { .. } => "relisted",
        Fact::Acting { .. } => "acting",
        Fact::Acted { .. } => "acted",
        Fact::Woken => "woken",
        Fact::WaitCancelled => "wait_cancelled",
        Fact::NetworkBack => "network_back",
        Fact::GoalEdited { .. } => "goal_edited",
        Fact::Notifying { .. } => "notifying",
        Fact::Notified { .. } => "notified",
        Fact::Restarted { .. } => "restarted",
        Fact::Paused => "paused",
        Fact::Resumed => "resumed",
        Fact::StopRequested => "stop_requested",
        Fact::Answered { .. } => "answered",
        Fact::Told { .. } => "told",
        Fact::Revoked { .. } => "revoked",
        Fact::BudgetSet { .. } => "budget_set",
        Fact::Delivered { .. } => "delivered",
        Fact::DeliveryFailed { .. } => "delivery_failed",
        Fact::ReportWritten { .. } => "report_written",
        Fact::HarnessFailed { .. } => "harness_failed",
        Fact::ClockJumped { .. } => "clock_jumped",
    }
}

/// Whether a person must answer before the run can go on.
pub fn wants_answer(state: &State) -> bool {
    matches!(
        &state.stop,
        Some(StopReason::Blocked { by: Blocker::Model | Blocker::NoProgress, .. }) if state.phase == Phase::Ended
    )
}
