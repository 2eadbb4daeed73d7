//! Facts that come too late: whoever performs effects may report one after a stop has overtaken it, or twice.

use crate::check::Target;
use crate::event::{Event, Fact};
use crate::state::{CallProgress, Phase, State};

/// Whether a fact comes too late: its turn, its checkpoint or its run is over. It is not written down.
pub fn late(state: &State, event: &Event) -> bool {
    let lane = state.lanes.get(&event.scope);
    let turn = lane.map_or(0, |l| l.turn);
    let asking = state.phase == Phase::Working && lane.is_some_and(|l| l.asking);
    let open = |index: usize| {
        lane.and_then(|l| l.calls.get(index))
            .is_some_and(|c| c.progress != CallProgress::Ended)
    };
    let seeking = state.phase == Phase::Working
        && lane.is_some_and(|l| l.wait.as_ref().is_some_and(|w| w.seeking));
    match &event.fact {
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
    )
}
