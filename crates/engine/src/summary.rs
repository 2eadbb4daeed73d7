//! What a list shows of a run, from its state.

use overnight_core::repo::Delivered;
use overnight_core::state::{Phase, State};
use overnight_ports::journal::Summary;

/// The summary of a state.
pub fn summary(state: &State) -> Summary {
    let branch = match &state.delivered {
        Some(Delivered::Branch { name, .. }) => Some(name.clone()),
        _ => None,
    };
    let ended = state.phase == Phase::Ended;
    let waiting = state.waiting().filter(|_| !state.paused);
    Summary {
        id: state.run.to_string(),
        goal: state.goal.outcome.clone(),
        goal_name: state.goal_name.clone(),
        goal_file: state.goal_file.to_string(),
        status: state.status().to_owned(),
        stop_reason: state
            .stop
            .as_ref()
            .filter(|_| ended)
            .map(|s| s.word().to_owned()),
        branch,
        report: state.report.clone(),
        repo: state.repo.clone(),
        model: state.model.clone(),
        created_at: state.created_at,
        last_at: state.last_at,
        turns: state.spent.turns,
        tokens: state.spent.usage.total(),
        waits_for: waiting.as_ref().map(|w| w.kind.words().to_owned()),
        waits_until: waiting.and_then(|w| w.until),
        exit_code: state
            .stop
            .as_ref()
            .filter(|_| ended)
            .map(|s| s.exit_code() as u8),
    }
}
