//! The preflight as the run sees it: which checks must change, which must stay, and what cannot be run at all.

use crate::check::{CheckReport, Obstacle, Verdict};
use crate::goal::{Aim, CheckKind, Role};
use crate::ids::CheckId;
use crate::state::{Found, State, is_own};
use crate::step::{edit, ending, worklist};
use crate::stop::StopReason;

pub(super) fn reported(state: &mut State, report: &CheckReport) {
    let Some(base) = state.base.as_ref().map(|b| b.tree.clone()) else {
        return;
    };
    let checks = state.checks.len();
    if let Some(check) = state.checks.get_mut(&report.check) {
        let found = Found::of(report, &base, checks);
        // What could not be told measures nothing.
        check.best = (found.verdict != Verdict::CannotTell).then(|| found.measure.clone());
        check.base = Some(found);
    }
}

pub(super) fn ended(state: &mut State, generated: &[String]) {
    for path in generated {
        if !state.artefacts.contains(path) {
            state.artefacts.push(path.clone());
        }
    }
    state.baselined = true;
    // Nothing differs from the base on the base.
    if let Some(base) = &state.base {
        for (_, own) in state.checks.iter_mut().filter(|(id, _)| is_own(id)) {
            own.base = Some(Found::unchanged(&base.tree));
        }
    }
    worklist::rebaselined(state);
    state.phase = edit::onward(state);
    let hopeless = hopeless(state);
    if !hopeless.is_empty() {
        ending::stop(state, StopReason::Unverifiable { checks: hopeless });
    } else if let Some(why) = proves_nothing(state) {
        ending::stop(state, StopReason::Refused { why });
    }
}

/// Checks of which it is known now that nobody will be able to tell.
fn hopeless(state: &State) -> Vec<CheckId> {
    let known_now = |obstacle: &Obstacle| match obstacle {
        // A program of the repository itself may yet be written; one that PATH lacks will not appear.
        Obstacle::ToolAbsent { program } => !program.contains('/'),
        Obstacle::NoPerTestResults { .. }
        | Obstacle::SetupFailed { .. }
        | Obstacle::Harness { .. } => true,
        Obstacle::TimedOut { .. }
        | Obstacle::ReportMissing { .. }
        | Obstacle::ReportUnreadable { .. } => false,
    };
    // What is held against the base is lost without it.
    let compared = |id: &CheckId| {
        state.goal.check(id).is_some_and(|check| match &check.kind {
            CheckKind::Tests { proves_change, .. } => check.role == Role::Keep || *proves_change,
            CheckKind::Metric { target, .. } => matches!(target, Aim::NoWorse(_)),
            _ => false,
        })
    };
    state
        .order
        .iter()
        .filter(|id| {
            let base = state.checks.get(id).and_then(|c| c.base.as_ref());
            base.is_some_and(|b| {
                let untold = b.verdict == Verdict::CannotTell;
                (untold && compared(id)) || b.obstacle.as_ref().is_some_and(known_now)
            })
        })
        .cloned()
        .collect()
}

/// A check that cannot fail proves nothing: if every `done` check passes on the base already, and nobody said that
/// this is known, there is nothing to be done that anybody could verify.
fn proves_nothing(state: &State) -> Option<String> {
    if state.goal.items.is_some() {
        return None;
    }
    let done: Vec<_> = state.goal.done.iter().filter(|c| !is_own(&c.id)).collect();
    let passes = |id: &CheckId| {
        state
            .checks
            .get(id)
            .and_then(|c| c.base.as_ref())
            .is_some_and(|b| b.verdict == Verdict::Pass)
    };
    let all_pass = !done.is_empty()
        && done
            .iter()
            .all(|c| c.role == Role::Done && passes(&c.id) && !c.already);
    all_pass.then(|| {
        "every `done` check passes already on the untouched base, so passing them proves nothing. Add a check that \
         fails today, or say `already: true` on one that you know to pass."
            .to_owned()
    })
}
