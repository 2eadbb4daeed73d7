//! Effects: orders to the shell, derived from the state and never stored. After a crash the same state gives the
//! same orders, so recovery needs no second path.

use crate::ids::{CheckId, CommitId, ItemId, Scope, TreeId};
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
    /// List the worklist and freeze it.
    List,
    /// Read the next item.
    Open {
        /// Its place in the list.
        index: u32,
    },
    /// What is due of an item's own machine.
    Item {
        /// Which item.
        item: ItemId,
        /// What.
        effect: Box<Effect>,
    },
    /// Look at the evidence of an item's closing without a change. Only inside [`Effect::Item`].
    Examine,
    /// Bring an item's change onto the run's branch.
    Integrate {
        /// Which item's.
        item: ItemId,
        /// What it has to follow.
        onto: CommitId,
    },
    /// List once more, to see what is new.
    Relist,
    /// Do something to an item at its source.
    Act {
        /// Which act, from 1.
        number: u32,
        /// Whether its intent is durable: before, only that is made.
        begun: bool,
        /// Whether the source is asked first if it was performed already.
        probe: bool,
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
        Phase::Listing => match waits(state) {
            true => Vec::new(),
            false => vec![Effect::List],
        },
        Phase::Acting => act(state).into_iter().collect(),
        Phase::Examining => vec![Effect::Examine],
        Phase::Working if works_on_items(state) => items_due(state),
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

/// Whether the source is waited for.
fn waits(state: &State) -> bool {
    state
        .worklist
        .as_ref()
        .is_some_and(|list| list.wait.is_some())
}

/// Whether what is to be done are items, and not the run's own conversation.
pub(crate) fn works_on_items(state: &State) -> bool {
    let list = state.worklist.as_ref();
    list.is_some_and(|list| !list.finished() || !list.relisted)
}

fn act(state: &State) -> Option<Effect> {
    let list = state.worklist.as_ref().filter(|list| list.wait.is_none())?;
    (list.acted < list.acts).then(|| Effect::Act {
        number: list.acted + 1,
        begun: list.acting,
        probe: list.probe,
    })
}

/// What is due of a worklist: the next item is opened while there is room, each goes its way, and one at a time is
/// integrated.
fn items_due(state: &State) -> Vec<Effect> {
    let Some(list) = state.worklist.as_deref() else {
        return Vec::new();
    };
    let mut due = Vec::new();
    // Nothing is asked any more where a budget is used up; what is under way was paid for, and goes on.
    let spent = crate::step::exhausted(state).is_some();
    let asking = list.open.values().filter(|child| is_asking(child)).count();
    let mut room = crate::step::room(state, asking as u64);
    for (item, child) in &list.open {
        if child.resting() {
            continue;
        }
        if child.phase == Phase::Delivering {
            if list.queue.first() == Some(item) {
                due.push(Effect::Integrate {
                    item: item.clone(),
                    onto: crate::step::tip(state).commit,
                });
            }
            continue;
        }
        let under_way = is_asking(child);
        for effect in work_due(child) {
            if matches!(effect, Effect::AskModel { .. }) && !under_way {
                if spent || room == 0 {
                    continue;
                }
                room -= 1;
            }
            due.push(Effect::Item {
                item: item.clone(),
                effect: Box::new(effect),
            });
        }
    }
    if list.wait.is_none() {
        if list.finished() {
            due.push(Effect::Relist);
        } else if list.open.len() < state.parallel()
            && !spent
            && let Some(index) = list.upcoming()
        {
            due.push(Effect::Open { index });
        }
    }
    due
}

/// Whether an answer is under way.
fn is_asking(child: &State) -> bool {
    child.lanes.values().any(|lane| lane.asking)
}

/// Whether nothing is left for a worklist but to ask its models, or to open further items.
pub(crate) fn only_asking_is_left(state: &State) -> bool {
    let Some(list) = state.worklist.as_deref() else {
        return true;
    };
    let asks = |effect: &Effect| match effect {
        Effect::Open { .. } => true,
        Effect::Item { effect, .. } => matches!(**effect, Effect::Reach { .. }),
        _ => false,
    };
    !list.finished()
        && !list.open.values().any(|child| child.resting())
        && items_due(state).iter().all(asks)
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
