//! Turns: a model's answer and the tool calls in it.

use crate::bounds::{self, held, json_bytes};
use crate::event::{Interrupted, Notice};
use crate::ids::{Scope, UnixMs};
use crate::state::{
    CallProgress, CallState, Checkpoint, Lane, NOTES_BYTES_MAX, Note, Phase, State,
    WINDOW_TURNS_MAX, Wait, WaitKind, Why,
};
use crate::step::{ending, worklist};
use crate::stop::{Blocker, StopReason};
use crate::turn::{CallHead, CallResult, Help, ModelErrorKind, PlanStep, Said, Usage};

/// Turns without a claim after which the harness looks for itself.
pub const ROUTINE_TURNS: u32 = 25;
/// Answers in a row without a tool call after which the harness looks for itself.
pub const SILENT_MAX: u32 = 3;
/// Answers after which a history that was cut may be twice as long again: the turns that were too long have left it by
/// then, and one failed request in so many turns is what it costs if they have not.
pub const HISTORY_GROWS_AFTER_TURNS: u32 = 40;
/// Unreadable answers in a row after which only a person can help.
pub const MALFORMED_MAX: u32 = 8;
/// How many calls of one answer are performed; the others get no result.
pub const CALLS_MAX: usize = 64;
/// How many notes are kept.
pub const NOTES_MAX: usize = 200;
/// First wait after a failed model call, milliseconds; doubled with every failure in a row.
pub const BACKOFF_FIRST_MS: u64 = 1_000;
/// Longest wait that the harness chooses itself, milliseconds.
pub const BACKOFF_MAX_MS: u64 = 15 * 60 * 1_000;
/// Longest wait that is taken from a model, or from a provider for a rate limit, milliseconds.
pub const WAIT_MAX_MS: u64 = 24 * 60 * 60 * 1_000;
/// A provider that says to come back no sooner than after this has no rate limit but a quota, milliseconds.
pub const QUOTA_MS_MIN: u64 = 10 * 60 * 1_000;
/// Longest wait for a quota, milliseconds: there are weekly ones.
pub const QUOTA_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;
/// How long a provider may fail before only a person can help, milliseconds. Waits for a quota do not count.
pub const OUTAGE_MS_MAX: u64 = 12 * 60 * 60 * 1_000;

pub(super) fn requested(state: &mut State, scope: &Scope, told: &[Notice]) {
    if let Some(lane) = state.lanes.get_mut(scope) {
        lane.asking = true;
        lane.inbox.clear();
        for notice in told {
            // What the event says counts, not when it was due: a journal from before the history could grow again
            // adds up to what it did then.
            if let Notice::HistoryGrown { turns } = notice {
                lane.window = (*turns).clamp(1, WINDOW_TURNS_MAX);
            }
        }
    }
}

/// A turn was answered: a history that was cut may grow again after a while.
fn steady(lane: &mut Lane) {
    lane.steady = lane.steady.saturating_add(1);
    if lane.window < WINDOW_TURNS_MAX && lane.steady >= HISTORY_GROWS_AFTER_TURNS {
        lane.steady = 0;
        let turns = lane.window.saturating_mul(2).min(WINDOW_TURNS_MAX);
        lane.tell(Notice::HistoryGrown { turns });
    }
}

pub(super) fn answered(state: &mut State, scope: &Scope, calls: &[CallHead], usage: &Usage) {
    spend(state, usage);
    state.spent.turns += 1;
    state.told_waiting = false;
    let Some(lane) = state.lanes.get_mut(scope) else {
        return;
    };
    lane.asking = false;
    lane.turn += 1;
    lane.failures = 0;
    lane.failing_ms = 0;
    lane.malformed = 0;
    lane.claim = false;
    lane.help = None;
    lane.closing = None;
    lane.since_checkpoint += 1;
    steady(lane);
    lane.calls = calls
        .iter()
        .take(CALLS_MAX)
        .map(|head| CallState {
            head: CallHead {
                id: held(&head.id, bounds::NAME_BYTES_MAX),
                name: held(&head.name, bounds::NAME_BYTES_MAX),
                line: held(&head.line, bounds::LINE_BYTES_MAX),
            },
            progress: CallProgress::Pending,
            again: false,
            began_at: 0,
        })
        .collect();
    if lane.calls.is_empty() {
        lane.silent += 1;
        turn_ended(state, scope);
    } else {
        lane.silent = 0;
    }
}

fn spend(state: &mut State, usage: &Usage) {
    state.spent.usage = state.spent.usage.plus(usage);
    if let Some(price) = &state.price {
        state.spent.usd += price.of(usage);
    }
}

pub(super) fn failed(
    state: &mut State,
    scope: &Scope,
    kind: ModelErrorKind,
    message: &str,
    retry_after_ms: Option<u64>,
    usage: &Usage,
) {
    spend(state, usage);
    state.spent.failed_calls += 1;
    let (now, windows_max) = (state.last_at, state.goal.stop.windows);
    let Some(lane) = state.lanes.get_mut(scope) else {
        return;
    };
    lane.asking = false;
    lane.failures += 1;
    let failures = lane.failures;
    let provider_blocks = |question: String| provider_blocks(failures, question);
    let wait = |ms: u64, kind| {
        Some(Wait {
            until: now.saturating_add(ms),
            since: now,
            why: held(message, bounds::WAIT_WHY_BYTES_MAX),
            kind,
            seeking: false,
        })
    };
    match kind {
        ModelErrorKind::RateLimited if retry_after_ms.is_some_and(|ms| ms >= QUOTA_MS_MIN) => {
            lane.failing_ms = 0;
            lane.windows = lane.windows.saturating_add(1);
            if lane.windows > windows_max {
                let stop = provider_blocks(format!(
                    "The account's quota is used up, and the run has waited for it {windows_max} times (`stop.windows`): {message}"
                ));
                return ending::stop(state, stop);
            }
            let ms = retry_after_ms.unwrap_or(QUOTA_MS_MIN).min(QUOTA_MS_MAX);
            lane.wait = wait(ms, WaitKind::Quota);
        }
        ModelErrorKind::RateLimited
        | ModelErrorKind::Unavailable
        | ModelErrorKind::Network
        | ModelErrorKind::Cut
            if lane.failing_ms >= OUTAGE_MS_MAX =>
        {
            let stop = provider_blocks(outage(message));
            ending::stop(state, stop);
        }
        ModelErrorKind::RateLimited
        | ModelErrorKind::Unavailable
        | ModelErrorKind::Network
        | ModelErrorKind::Cut => {
            // A provider that says "at once" again and again is not asked in a tight loop.
            let ms = retry_after_ms
                .unwrap_or_else(|| backoff(lane.failures))
                .clamp(BACKOFF_FIRST_MS, WAIT_MAX_MS);
            lane.wait = wait(
                ms,
                match kind {
                    ModelErrorKind::RateLimited => WaitKind::RateLimit,
                    ModelErrorKind::Network => WaitKind::Network,
                    _ => WaitKind::Outage,
                },
            );
        }
        ModelErrorKind::Malformed => {
            lane.malformed += 1;
            if lane.malformed >= MALFORMED_MAX {
                let stop =
                    provider_blocks(format!("The model's answers cannot be read: {message}"));
                ending::stop(state, stop);
            }
        }
        ModelErrorKind::ContextOverflow => {
            // Nothing of the past is left to be cut, and it did not help: what remains is the goal.
            let least = lane.window <= 1 && lane.failures > 1;
            lane.window = (lane.window / 2).max(1);
            lane.steady = 0;
            lane.tell(Notice::HistoryCut);
            if least {
                let stop = provider_blocks(format!(
                    "The goal alone is too long for the model's context: {message}"
                ));
                ending::stop(state, stop);
            }
        }
        ModelErrorKind::Refused => {
            let stop = provider_blocks(format!(
                "The model's provider refuses the request: {message}"
            ));
            ending::stop(state, stop);
        }
        ModelErrorKind::ScriptEnded => {
            ending::stop(
                state,
                StopReason::Failed {
                    why: message.to_owned(),
                },
            );
        }
    }
}

fn outage(message: &str) -> String {
    const MS_PER_HOUR: u64 = 60 * 60 * 1_000;
    let hours = OUTAGE_MS_MAX / MS_PER_HOUR;
    format!("The model's provider has not answered for {hours} hours: {message}")
}

/// Doubles from [`BACKOFF_FIRST_MS`] to [`BACKOFF_MAX_MS`].
pub(super) fn backoff(failures: u32) -> u64 {
    let doublings = failures.saturating_sub(1).min(20);
    (BACKOFF_FIRST_MS << doublings).min(BACKOFF_MAX_MS)
}

pub(super) fn call_started(state: &mut State, scope: &Scope, index: usize) {
    // A call may change the workspace, whatever becomes of it.
    if let Some(candidate) = &mut state.candidate {
        candidate.current = false;
    }
    let now = state.last_at;
    if let Some(call) = state
        .lanes
        .get_mut(scope)
        .and_then(|l| l.calls.get_mut(index))
    {
        call.progress = CallProgress::Running;
        call.began_at = now;
    }
}

/// Whether the call exists and is not over.
pub(super) fn is_open(state: &State, scope: &Scope, index: usize) -> bool {
    let call = state
        .lanes
        .get(scope)
        .and_then(|lane| lane.calls.get(index));
    call.is_some_and(|call| call.progress != CallProgress::Ended)
}

pub(super) fn call_ended(state: &mut State, scope: &Scope, index: usize, result: &CallResult) {
    state.denials = state.denials.saturating_add(result.denials.len() as u64);
    let now = state.last_at;
    let Some(lane) = state.lanes.get_mut(scope) else {
        return;
    };
    if let Some(call) = lane.calls.get_mut(index) {
        call.progress = CallProgress::Ended;
    }
    if let Some(said) = &result.said {
        hear(lane, said, now);
    }
    if lane.calls.iter().all(|c| c.progress == CallProgress::Ended) && state.phase == Phase::Working
    {
        turn_ended(state, scope);
    }
}

fn hear(lane: &mut Lane, said: &Said, now: UnixMs) {
    match said {
        Said::Claim { summary } => {
            let summary = held(summary, bounds::CLAIM_BYTES_MAX);
            lane.claim = true;
            lane.last_claim = Some(summary);
        }
        Said::Close(closing) => lane.closing = Some(closing.clone()),
        Said::Help(help) => lane.help = Some(help.held()),
        Said::Notes { text, replace } => {
            if *replace {
                lane.notes.clear();
            }
            lane.notes.push(Note {
                turn: lane.turn,
                text: held(text, NOTES_BYTES_MAX),
            });
            while lane.notes.len() > NOTES_MAX
                || lane.notes.len() > 1
                    && lane
                        .notes
                        .iter()
                        .map(|n| json_bytes(&n.text))
                        .sum::<usize>()
                        > NOTES_BYTES_MAX
            {
                lane.notes.remove(0);
            }
        }
        Said::Plan { steps } => {
            let step = |step: &PlanStep| PlanStep {
                step: held(&step.step, bounds::PLAN_STEP_BYTES_MAX),
                status: step.status,
            };
            lane.plan = steps
                .iter()
                .take(bounds::PLAN_STEPS_MAX)
                .map(step)
                .collect();
        }
        Said::WaitUntil { until } => {
            let until = (*until).min(now.saturating_add(WAIT_MAX_MS));
            if until > now {
                lane.wait = Some(Wait {
                    until,
                    since: now,
                    why: "the model waits for a time".into(),
                    kind: WaitKind::Time,
                    seeking: false,
                });
            }
        }
    }
}

/// The answer and all its calls are over: go on, look, or ask.
fn turn_ended(state: &mut State, scope: &Scope) {
    let Some(lane) = state.lanes.get_mut(scope) else {
        return;
    };
    if let (Some(closing), true) = (lane.closing.take(), state.item.is_some()) {
        return worklist::closing_said(state, closing);
    }
    let Some(lane) = state.lanes.get_mut(scope) else {
        return;
    };
    if let Some(help) = lane.help.take() {
        ending::stop(state, ending::stop_reason(help, Blocker::Model));
    } else if std::mem::take(&mut lane.claim) && state.item.is_none() {
        state.progress.claims += 1;
        look(state, Why::Claim);
    } else if lane.silent >= SILENT_MAX {
        look(state, Why::Silence);
    } else if lane.since_checkpoint >= ROUTINE_TURNS {
        look(state, Why::Routine);
    } else if lane.silent > 0 {
        lane.tell(Notice::Silent);
    }
}

fn look(state: &mut State, why: Why) {
    state.phase = Phase::Checking(Checkpoint {
        why,
        fixed: false,
        same_tree: false,
    });
}

pub(super) fn background_stopped(state: &mut State, scope: &Scope, names: &[String]) {
    if let Some(lane) = state.lanes.get_mut(scope).filter(|_| !names.is_empty()) {
        let names = names.iter().take(bounds::NAMES_MAX);
        lane.tell(Notice::BackgroundStopped {
            names: names.map(|n| held(n, bounds::NAME_BYTES_MAX)).collect(),
        });
    }
}

pub(super) fn woken(state: &mut State) {
    let now = state.last_at;
    let mut given_up = None;
    if let Some(list) = &mut state.worklist
        && list.wait.as_ref().is_some_and(|wait| wait.until <= now)
    {
        list.wait = None;
    }
    for lane in state.all_lanes_mut() {
        let Some(wait) = &mut lane.wait else { continue };
        if wait.seeking && lane.failing_ms >= OUTAGE_MS_MAX {
            given_up = Some((lane.failures, outage(&wait.why)));
        } else if wait.until <= now {
            // Without a network the next call would fail as the last one did: that is looked at first.
            match wait.kind {
                WaitKind::Network => wait.seeking = true,
                _ => lane.wait = None,
            }
        }
    }
    if let Some((failures, question)) = given_up {
        let stop = provider_blocks(failures, question);
        ending::stop(state, stop);
    }
}

pub(super) fn network_back(state: &mut State) {
    for lane in state.lanes.values_mut() {
        if lane.wait.as_ref().is_some_and(|wait| wait.seeking) {
            lane.wait = None;
        }
    }
}

/// A person does not want to wait any longer.
pub(super) fn wait_cancelled(state: &mut State) {
    state.told_waiting = false;
    if let Some(list) = &mut state.worklist {
        list.wait = None;
    }
    for lane in state.all_lanes_mut() {
        lane.wait = None;
    }
}

fn provider_blocks(failures: u32, question: String) -> StopReason {
    let help = Help {
        question,
        tried: format!("The request failed {failures} times in a row."),
        unlock: "Mend it, then `overnight resume` this run.".into(),
    };
    ending::stop_reason(help, Blocker::Provider)
}

pub(super) fn restarted(state: &mut State, interrupted: &[Interrupted]) {
    if let Some(list) = &mut state.worklist {
        // Whether the act that was under way was performed is for its source to say.
        list.probe = list.acting;
    }
    for call in interrupted {
        let lane = match &call.scope {
            Scope::Run => state.lanes.get_mut(&Scope::Run),
            Scope::Item(id) => state
                .worklist
                .as_mut()
                .and_then(|list| list.open.get_mut(id))
                .and_then(|child| child.lanes.get_mut(&Scope::Run)),
        };
        let Some(lane) = lane else {
            continue;
        };
        if let Some(found) = lane.calls.get_mut(call.index)
            && call.again
        {
            found.progress = CallProgress::Pending;
            found.again = true;
        }
    }
    for lane in state.all_lanes_mut() {
        lane.asking = false;
        if lane.turn > 0 {
            lane.tell(Notice::Restarted);
        }
    }
}
