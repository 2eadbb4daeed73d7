//! Effects: orders to the shell, derived from the state and never stored. After a crash the same state gives the
//! same orders, so recovery needs no second path.

use crate::ids::{CheckId, Scope, TreeId};
use crate::notification::Standing;
use crate::state::SCOPE_CHECK;
use crate::state::{CallProgress, Lane, Phase, State, Why};

/// One order. Two equal orders are the same order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Make the workspace.
    Prepare,
    /// Run every check on the untouched base.
    Baseline,
    /// Ask the model for its next answer.
    AskModel {
        /// Whose turn.
        scope: Scope,
        /// Which turn, from 1.
        turn: u64,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// Perform a tool call.
    Call {
        /// Whose call.
        scope: Scope,
        /// Of which turn.
        turn: u64,
        /// Which of its calls, from 0.
        index: usize,
    },
    /// Fix what the agent's work would deliver as a tree.
    FixCandidate,
    /// Run the checks that have no verdict on the candidate yet: [`to_verify`].
    Verify {
        /// Its tree.
        tree: TreeId,
    },
    /// Deliver the candidate.
    Deliver,
    /// Write the report.
    WriteReport,
    /// Find out, without a model call, when the model's provider can be reached again.
    Reach {
        /// Whose turn waits for it.
        scope: Scope,
    },
    /// Tell the person.
    Notify {
        /// Which notification.
        number: u32,
    },
}

/// What is to be done now. Whatever is under way and not in this list any more is to be aborted.
pub fn due(state: &State) -> Vec<Effect> {
    if state.paused {
        return Vec::new();
    }
    // A notification that is being sent goes on whatever troubles the work: given up, it would be sent twice.
    let mut due = match state.resting() {
        true => Vec::new(),
        false => work_due(state),
    };
    let open = |standing: &Standing| !matches!(standing, Standing::Over { .. });
    due.extend(
        state
            .notifications
            .iter()
            .filter(|n| open(&n.standing))
            .map(|n| Effect::Notify { number: n.number }),
    );
    due
}

fn work_due(state: &State) -> Vec<Effect> {
    match &state.phase {
        Phase::Preparing => vec![Effect::Prepare],
        Phase::Baselining => vec![Effect::Baseline],
        Phase::Working => state
            .lanes
            .iter()
            .filter_map(|(scope, lane)| work(scope, lane))
            .collect(),
        Phase::Checking(checkpoint) if !checkpoint.fixed => vec![Effect::FixCandidate],
        Phase::Checking(_) => match &state.candidate {
            Some(candidate) => vec![Effect::Verify {
                tree: candidate.tree.clone(),
            }],
            None => vec![Effect::FixCandidate],
        },
        Phase::Delivering => vec![Effect::Deliver],
        Phase::Reporting => vec![Effect::WriteReport],
        Phase::Ended => Vec::new(),
    }
}

fn work(scope: &Scope, lane: &Lane) -> Option<Effect> {
    if let Some(wait) = &lane.wait {
        return wait.seeking.then(|| Effect::Reach {
            scope: scope.clone(),
        });
    }
    let open = lane
        .calls
        .iter()
        .position(|c| c.progress != CallProgress::Ended);
    Some(match open {
        Some(index) => Effect::Call {
            scope: scope.clone(),
            turn: lane.turn,
            index,
        },
        None => Effect::AskModel {
            scope: scope.clone(),
            turn: lane.turn + 1,
            attempt: lane.failures + 1,
        },
    })
}

/// The checks that this checkpoint still needs a verdict of, in the goal's order. A stop by a person needs only the one
/// on the diff, without which nothing is delivered.
pub fn to_verify(state: &State) -> Vec<CheckId> {
    let Some(candidate) = &state.candidate else {
        return Vec::new();
    };
    let stopping = matches!(&state.phase, Phase::Checking(c) if c.why == Why::Stopping);
    let wanted = state
        .order
        .iter()
        .filter(|id| !stopping || id.as_str() == SCOPE_CHECK);
    let unknown = |id: &&CheckId| {
        state
            .checks
            .get(id)
            .is_some_and(|c| c.latest.as_ref().is_none_or(|l| l.tree != candidate.tree))
    };
    wanted.filter(unknown).cloned().collect()
}
