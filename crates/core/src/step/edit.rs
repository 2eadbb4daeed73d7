//! A person changes the contract of a run that is under way: what it takes, and what outlives it.

use crate::bounds::{CHANGE_BYTES_MAX, CHANGES_MAX, held};
use crate::event::{Fact, Notice};
use crate::goal::change::{self, Change};
use crate::goal::diagnostic::{Diagnostic, refuses};
use crate::goal::lint::{Facts, lint, unsupported};
use crate::goal::parse::{self, Parsed};
use crate::goal::{Goal, Stop};
use crate::ids::{BlobId, CheckId};
use crate::state::{CheckState, Checkpoint, Lane, Phase, State, is_own};
use crate::step::decide::Refusal;
use crate::step::{ending, worklist};
use crate::stop::StopReason;

/// Whether the contract can be changed at this moment. Where it cannot, it is a matter of moments, or for ever.
pub fn ready(state: &State) -> bool {
    match &state.phase {
        Phase::Preparing
        | Phase::Baselining
        | Phase::Listing
        | Phase::Working
        | Phase::Examining
        | Phase::Checking(_) => state.stop.is_none(),
        Phase::Delivering | Phase::Acting | Phase::Reporting => false,
        Phase::Ended => true,
    }
}

/// What the new version of the goal file makes, or why the run cannot take it.
pub(super) fn decide(state: &State, text: &str) -> Result<Vec<Fact>, Refusal> {
    let refuse = |text: String| Err(Refusal(text));
    if !ready(state) {
        return refuse(format!(
            "the run is {}: try again when it has ended",
            state.status()
        ));
    }
    if state.ended() && !state.stop.as_ref().is_some_and(reopens) {
        return refuse(format!(
            "the run has ended ({}): begin a new run with the new goal",
            state.status()
        ));
    }
    let goal_file = BlobId::of(text.as_bytes());
    if goal_file == state.goal_file {
        return Ok(Vec::new());
    }
    let mut goal = read(text)?;
    // A hidden file stays the one that was frozen when the run began, wherever the new version of the file was read.
    for check in goal.checks_mut().filter(|check| check.hidden.is_some()) {
        let frozen = state.goal.check(&check.id).and_then(|c| c.hidden.clone());
        check.hidden = frozen.or(check.hidden.take());
    }
    let before = Goal {
        stop: state.file_stop,
        ..state.goal.clone()
    };
    if let Some(why) = change::refusal(&before, &goal) {
        return refuse(why);
    }
    if goal.stop.usd.is_some() && state.price.is_none() && !state.scripted {
        return refuse(format!(
            "the new version limits the cost (`stop.usd`), and the price of `{}` was not known when the run began: \
             leave `usd` out, or begin a new run with `--price`",
            state.model
        ));
    }
    let mut changes = change::between(&before, &goal);
    if changes.is_empty() {
        changes.push(Change {
            key: "brief".into(),
            was: None,
            is: None,
        });
    }
    Ok(vec![Fact::GoalEdited {
        goal: Box::new(Goal {
            brief: String::new(),
            ..goal
        }),
        goal_file,
        changes,
    }])
}

/// The goal of a text that may run.
fn read(text: &str) -> Result<Goal, Refusal> {
    let first = |found: Vec<Diagnostic>| {
        let worst = found.iter().find(|d| d.severity.refuses());
        Refusal(worst.map_or_else(|| "the goal cannot be read".into(), ToString::to_string))
    };
    let parsed: Parsed = parse::parse(text).map_err(first)?;
    for found in [lint(&parsed, &Facts { paths: None }), unsupported(&parsed)] {
        if refuses(&found) {
            return Err(first(found));
        }
    }
    Ok(parsed.goal)
}

/// Whether a new version of the contract can set a run going that ended so.
fn reopens(stop: &StopReason) -> bool {
    match stop {
        StopReason::Blocked { .. }
        | StopReason::OutOfBudget { .. }
        | StopReason::Unverifiable { .. }
        | StopReason::Refused { .. } => true,
        StopReason::Complete(_) | StopReason::Stopped | StopReason::Failed { .. } => false,
    }
}

/// Takes the new version over. Notes, plan, orders, what was used and the verdicts that still stand are kept.
pub(super) fn edited(state: &mut State, goal: &Goal, goal_file: &BlobId, changes: &[Change]) {
    let kept = change::kept(&state.goal, goal);
    let stands = change::same_ground(&state.goal, goal);
    let mut order: Vec<CheckId> = goal.checks().map(|c| c.id.clone()).collect();
    order.extend(state.order.iter().filter(|id| is_own(id)).cloned());
    for check in goal.checks() {
        let open = CheckState {
            role: check.role,
            base: None,
            latest: None,
            best: None,
        };
        if !kept.contains(&check.id) {
            state.checks.insert(check.id.clone(), open);
        }
    }
    state.checks.retain(|id, _| order.contains(id));
    state.order = order;
    if !stands {
        for check in state.checks.values_mut() {
            check.latest = None;
        }
    }
    if goal.notify != state.goal.notify {
        state.notify = goal.notify.clone().unwrap_or_default();
    }
    let stop = limits(state.goal.stop, state.file_stop, goal.stop);
    state.file_stop = goal.stop;
    state.goal = Goal {
        stop,
        ..goal.clone()
    };
    state.goal_file = goal_file.clone();
    state.progress.without = 0;
    state.progress.spreading = 0;
    for lane in state.all_lanes_mut() {
        lane.warned.clear();
        tell(lane, changes);
    }
    // What could not be told is asked again, and what proved nothing is judged anew.
    let judged = match &state.stop {
        Some(StopReason::Unverifiable { checks }) => {
            for id in checks.clone() {
                if let Some(check) = state.checks.get_mut(&id) {
                    (check.base, check.latest) = (None, None);
                }
            }
            true
        }
        Some(StopReason::Refused { .. }) => true,
        _ => state.phase == Phase::Baselining,
    };
    worklist::regoal(state, stands);
    worklist::whole_again(state);
    let all_known = state.checks.values().all(|c| c.base.is_some());
    state.baselined = state.baselined && all_known && !judged;
    match &state.phase {
        Phase::Preparing => {}
        Phase::Ended => {
            let still = ending::exhausted(state).is_some();
            let spent = matches!(&state.stop, Some(StopReason::OutOfBudget { .. })) && still;
            if !spent {
                ending::reopen(state);
            }
        }
        Phase::Checking(checkpoint) => {
            state.then = Some(checkpoint.why);
            state.phase = onward(state);
        }
        Phase::Baselining | Phase::Listing | Phase::Working => state.phase = onward(state),
        // Not decided there: see `ready`.
        Phase::Examining | Phase::Delivering | Phase::Acting | Phase::Reporting => {}
    }
}

/// Tells of the changes; what a version before changed and the model has not read yet stands in the same notice.
fn tell(lane: &mut Lane, changes: &[Change]) {
    let untold = |notice: &Notice| matches!(notice, Notice::GoalEdited { .. });
    let mut lines = match lane.inbox.iter().position(untold) {
        Some(at) => match lane.inbox.remove(at) {
            Notice::GoalEdited { changes } => changes,
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    for change in changes {
        let line = held(&change.line(), CHANGE_BYTES_MAX);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    // The contract itself is in every request, so that the oldest may give way.
    let spare = lines.len().saturating_sub(CHANGES_MAX);
    lines.drain(..spare);
    lane.tell(Notice::GoalEdited { changes: lines });
}

/// Limits of the new version where it says another one than the version before; what a person raised since stands.
fn limits(now: Stop, before: Stop, new: Stop) -> Stop {
    fn one<T: PartialEq>(now: T, before: T, new: T) -> T {
        if new == before { now } else { new }
    }
    Stop {
        turns: one(now.turns, before.turns, new.turns),
        tokens: one(now.tokens, before.tokens, new.tokens),
        usd: one(now.usd, before.usd, new.usd),
        hours: one(now.hours, before.hours, new.hours),
        active: one(now.active, before.active, new.active),
        no_progress: one(now.no_progress, before.no_progress, new.no_progress),
        windows: one(now.windows, before.windows, new.windows),
    }
}

/// Where a run goes on: with the checks that were never run on the base, then with the checkpoint that an edit came
/// into, else with its turns.
pub(super) fn onward(state: &mut State) -> Phase {
    if state.base.is_none() {
        return Phase::Preparing;
    }
    if !state.baselined {
        return Phase::Baselining;
    }
    match state.then.take() {
        Some(why) => Phase::Checking(Checkpoint {
            why,
            fixed: false,
            same_tree: false,
        }),
        None if state.goal.items.is_some() && !is_listed(state) => Phase::Listing,
        None => Phase::Working,
    }
}

/// Whether the worklist is frozen.
fn is_listed(state: &State) -> bool {
    state
        .worklist
        .as_ref()
        .is_some_and(|list| !list.listing.hash.as_str().is_empty())
}
