//! Facts that come too late: whoever performs effects may report one after a stop has overtaken it, or twice.

use crate::check::Target;
use crate::event::{Event, Fact, SourceDoing};
use crate::ids::{ItemId, Scope, TreeId};
use crate::item::WHOLE_INDEX;
use crate::state::{CallProgress, Phase, State};
use crate::step::tip;
use crate::worklist::Worklist;

/// Whether a fact comes too late: its turn, its checkpoint or its run is over. It is not written down.
pub fn late(state: &State, event: &Event) -> bool {
    match &event.scope {
        Scope::Run => late_for(state, &event.fact),
        Scope::Item(id) => late_for_item(state, id, &event.fact),
    }
}

fn late_for_item(state: &State, id: &ItemId, fact: &Fact) -> bool {
    let Some(list) = state.worklist.as_deref() else {
        return true;
    };
    match fact {
        Fact::HarnessFailed { fatal: true, .. } => false,
        _ if state.phase != Phase::Working || state.resting() => true,
        Fact::ItemOpened(opened) => !list.awaits(opened.head.index),
        fact => list.open.get(id).is_none_or(|child| match fact {
            Fact::ClosingExamined { .. } => child.phase != Phase::Examining,
            Fact::Rebased { onto, .. } => {
                let tip = tip(state);
                !integrates(child, id, list) || *onto != tip.commit || stands_on(child, &tip.tree)
            }
            Fact::Integrated { tree, .. } => {
                let own = child.candidate.as_ref().is_some_and(|c| c.tree == *tree);
                !integrates(child, id, list) || !own || !stands_on(child, &tip(state).tree)
            }
            fact => late_for(child, fact),
        }),
    }
}

/// Whether it is this item's turn to be integrated.
fn integrates(child: &State, id: &ItemId, list: &Worklist) -> bool {
    child.phase == Phase::Delivering && list.queue.first() == Some(id)
}

/// Whether an item's change is one of this very tree.
fn stands_on(child: &State, tree: &TreeId) -> bool {
    child.base.as_ref().is_some_and(|base| base.tree == *tree)
}

fn late_for(state: &State, fact: &Fact) -> bool {
    let lane = state.lanes.get(&Scope::Run);
    let turn = lane.map_or(0, |l| l.turn);
    let asking = state.phase == Phase::Working && lane.is_some_and(|l| l.asking);
    let open = |index: usize| {
        lane.and_then(|l| l.calls.get(index))
            .is_some_and(|c| c.progress != CallProgress::Ended)
    };
    let seeking = state.phase == Phase::Working
        && lane.is_some_and(|l| l.wait.as_ref().is_some_and(|w| w.seeking));
    let list = state.worklist.as_deref();
    let waited = list.is_some_and(|list| list.wait.is_some());
    let next_act = list
        .map(|list| list.acted + 1)
        .filter(|_| state.phase == Phase::Acting);
    match fact {
        // While the harness waits to try again, no work is under way that could report.
        fact if state.resting() && reports(fact) => true,
        Fact::ModelAnswered { turn: t, .. } | Fact::ModelFailed { turn: t, .. } => {
            !asking || turn + 1 != *t
        }
        Fact::CallEnded { turn: t, index, .. } => turn != *t || !open(*index),
        Fact::CheckReported { report } => match (&state.phase, &report.target) {
            (Phase::Baselining, Target::Base) => false,
            (Phase::Checking(checkpoint), Target::Candidate(tree)) => {
                let current = state.candidate.as_ref().is_some_and(|c| c.tree == *tree);
                !checkpoint.fixed || !current
            }
            _ => true,
        },
        Fact::CandidateFixed { .. } => !matches!(&state.phase, Phase::Checking(c) if !c.fixed),
        Fact::Prepared { .. } => state.phase != Phase::Preparing,
        Fact::BaselineEnded { .. } => state.phase != Phase::Baselining,
        Fact::Delivered { .. } | Fact::DeliveryFailed { .. } => state.phase != Phase::Delivering,
        Fact::ReportWritten { .. } => state.phase != Phase::Reporting,
        Fact::NetworkBack => !seeking,
        // While the source is waited for, nothing is asked of it.
        Fact::Listed { .. } => state.phase != Phase::Listing || waited,
        Fact::Relisted { .. } => {
            let due = list.is_some_and(|list| list.finished() && !list.relisted);
            state.phase != Phase::Working || !due || waited
        }
        Fact::SourceFailed { doing, .. } => {
            let phase = match doing {
                SourceDoing::List => Phase::Listing,
                SourceDoing::Read | SourceDoing::Relist => Phase::Working,
                SourceDoing::Act => Phase::Acting,
            };
            // An item is read while one is left and there is room for it, and the list is read again when none is.
            let over = list.is_some_and(|list| match doing {
                SourceDoing::Read => {
                    let left = list.upcoming().is_some_and(|index| index != WHOLE_INDEX);
                    !left || list.open.len() >= state.parallel()
                }
                SourceDoing::Relist => !list.finished() || list.relisted,
                SourceDoing::List | SourceDoing::Act => false,
            });
            state.phase != phase || over || waited
        }
        Fact::Acting { number, .. } => {
            next_act != Some(*number) || list.is_some_and(|list| list.acting)
        }
        Fact::Acted { number, .. } => {
            next_act != Some(*number) || list.is_none_or(|list| !list.acting)
        }
        _ => false,
    }
}

/// Whether a fact is what work that was due has come to.
pub fn reports(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Prepared { .. }
            | Fact::CheckReported { .. }
            | Fact::BaselineEnded { .. }
            | Fact::ModelAnswered { .. }
            | Fact::ModelFailed { .. }
            | Fact::CallEnded { .. }
            | Fact::CandidateFixed { .. }
            | Fact::Delivered { .. }
            | Fact::DeliveryFailed { .. }
            | Fact::ReportWritten { .. }
            | Fact::NetworkBack
            | Fact::Listed { .. }
            | Fact::SourceFailed { .. }
            | Fact::ItemOpened(_)
            | Fact::ClosingExamined { .. }
            | Fact::Rebased { .. }
            | Fact::Integrated { .. }
            | Fact::Relisted { .. }
            | Fact::Acting { .. }
            | Fact::Acted { .. }
    )
}
