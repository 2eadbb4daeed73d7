//! Checkpoints: the harness looks for itself and decides.

use crate::check::{CheckReport, Obstacle, Verdict};
use crate::effect::to_verify;
use crate::event::Notice;
use crate::ids::{CheckId, Scope};
use crate::judge::clip;
use crate::repo::Candidate;
use crate::state::{
    CHANGES_SHOWN_MAX, CandidateState, CheckState, Checkpoint, FAILED_CLAIM_BYTES_MAX,
    FAILED_CLAIMS_MAX, Found, Phase, State, Why, is_own,
};
use crate::step::{ending, worklist};
use crate::stop::{Blocker, Completion, StopReason};
use crate::turn::Help;

/// Paths by which a candidate must be wider than every one before it, for a checkpoint without a claim to say that the work
/// spreads: the same edit in file after file changes no verdict until the last one.
pub const SPREAD_PATHS_MIN: u64 = 5;
/// How many such checkpoints in a row do not count. With 25 turns each that is three hundred turns; whoever writes rubbish
/// into ever more files is stuck after them.
pub const SPREADING_MAX: u32 = 12;

/// What a checkpoint says of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progressed {
    /// Some check is nearer to passing than ever.
    nearer: bool,
    /// Whether it counts as one without progress.
    without: bool,
}

/// The candidate is fixed: take over what is known of its tree, and close at once if that is everything.
pub(super) fn fixed(state: &mut State, candidate: &Candidate) {
    let sum = |lines: fn(&crate::repo::Changed) -> u64| candidate.changes.iter().map(lines).sum();
    state.candidate = Some(CandidateState {
        tree: candidate.tree.clone(),
        current: true,
        changes: candidate
            .changes
            .iter()
            .take(CHANGES_SHOWN_MAX)
            .cloned()
            .collect(),
        files: candidate.changes.len() as u64,
        added: sum(|c| c.added),
        removed: sum(|c| c.removed),
        fixed_at: state.last_at,
    });
    for path in &candidate.artefacts {
        if state.artefacts.len() < CHANGES_SHOWN_MAX && !state.artefacts.contains(path) {
            state.artefacts.push(path.clone());
        }
    }
    // The base's own verdicts are verdicts on this tree if nothing differs.
    for check in state.checks.values_mut() {
        if let Some(base) = &check.base
            && base.tree == candidate.tree
            && check
                .latest
                .as_ref()
                .is_none_or(|l| l.tree != candidate.tree)
        {
            check.latest = Some(base.clone());
        }
    }
    let known = all_known(state);
    if let Phase::Checking(checkpoint) = &mut state.phase {
        checkpoint.fixed = true;
        checkpoint.same_tree = known;
    }
    close_if_known(state);
}

pub(super) fn reported(state: &mut State, report: &CheckReport) {
    let Some(base) = state.base.as_ref().map(|b| b.tree.clone()) else {
        return;
    };
    let checks = state.checks.len();
    if let Some(check) = state.checks.get_mut(&report.check) {
        check.latest = Some(Found::of(report, &base, checks));
    }
    close_if_known(state);
}

fn all_known(state: &State) -> bool {
    to_verify(state).is_empty()
}

fn on_candidate<'a>(state: &State, check: &'a CheckState) -> Option<&'a Found> {
    let tree = &state.candidate.as_ref()?.tree;
    check.latest.as_ref().filter(|l| &l.tree == tree)
}

fn close_if_known(state: &mut State) {
    let Phase::Checking(checkpoint) = state.phase.clone() else {
        return;
    };
    if !checkpoint.fixed || !all_known(state) {
        return;
    }
    if checkpoint.why == Why::Stopping {
        state.phase = Phase::Delivering;
        return;
    }
    let progressed = measure_progress(state, &checkpoint);
    let turns = state
        .lanes
        .get(&Scope::Run)
        .map_or(0, |lane| lane.since_checkpoint);
    for lane in state.lanes.values_mut() {
        lane.since_checkpoint = 0;
        lane.silent = 0;
    }
    match checkpoint.why {
        Why::Claim | Why::Silence | Why::Worklist => match Completion::prove(state)
            // An item ends because it is closed, not because nothing is said.
            .filter(|proof| {
                let nothing_lacks = worklist::nothing_lacks(state, proof);
                state.item.is_none() || checkpoint.why == Why::Claim || nothing_lacks
            }) {
            Some(proof) => ending::stop(state, StopReason::Complete(proof)),
            None => go_on(state, &checkpoint, progressed, turns),
        },
        Why::Routine => go_on(state, &checkpoint, progressed, turns),
        Why::Ending => {
            // The budget ran out before the claim: if everything holds, it holds.
            if let Some(StopReason::OutOfBudget { .. }) = state.stop
                && let Some(proof) = Completion::prove(state)
            {
                state.stop = Some(StopReason::Complete(proof));
            }
            state.phase = Phase::Delivering;
        }
        Why::Stopping => {}
    }
}

/// Progress is a change in verified state: some check is nearer to passing than any candidate before.
fn measure_progress(state: &mut State, checkpoint: &Checkpoint) -> Progressed {
    let Some((tree, files)) = state.candidate.as_ref().map(|c| (c.tree.clone(), c.files)) else {
        return Progressed {
            nearer: false,
            without: false,
        };
    };
    let mut progressed = false;
    for (id, check) in &mut state.checks {
        let Some(found) = check.latest.as_ref().filter(|l| l.tree == tree) else {
            continue;
        };
        if found.verdict == Verdict::CannotTell || is_own(id) {
            continue;
        }
        match &check.best {
            Some(best) if found.measure.improves_on(best) => {
                check.best = Some(found.measure.best_of(best));
                progressed = true;
            }
            Some(_) => {}
            // It could not be told before: that it can be now is progress.
            None => {
                check.best = Some(found.measure.clone());
                progressed = true;
            }
        }
    }
    let progress = &mut state.progress;
    progress.checkpoints += 1;
    let spreads = checkpoint.why == Why::Routine
        && progress.spreading < SPREADING_MAX
        && progress
            .widest
            .is_some_and(|widest| files >= widest.saturating_add(SPREAD_PATHS_MIN));
    progress.widest = progress.widest.map(|widest| widest.max(files));
    let better = progressed && !checkpoint.same_tree;
    if better {
        progress.without = 0;
        progress.spreading = 0;
        progress.failed.clear();
        progress.last_at = Some(state.last_at);
    } else if spreads {
        progress.spreading += 1;
    } else {
        progress.without += 1;
    }
    Progressed {
        nearer: progressed,
        without: !better && !spreads,
    }
}

fn go_on(state: &mut State, checkpoint: &Checkpoint, progressed: Progressed, turns: u32) {
    let open: Vec<CheckId> = state.open_checks().map(|(id, _)| id.clone()).collect();
    if checkpoint.why == Why::Claim {
        let unknown = beyond_reach(state, &open);
        if !unknown.is_empty() && unknown.len() == open.len() {
            return ending::stop(state, StopReason::Unverifiable { checks: unknown });
        }
    }
    if checkpoint.why == Why::Worklist {
        // What the harness itself finds is held against the base, which no further piece of work is.
        let unknown = beyond_reach(state, &open);
        let beyond = open.iter().all(|id| is_own(id) || unknown.contains(id));
        return worklist::whole_fails(state, beyond);
    }
    let limit = state.goal.stop.no_progress;
    if state.progress.without >= limit {
        // Nothing is open, and the model goes on without saying so.
        if let Some(proof) = Completion::prove(state).filter(|_| state.item.is_none()) {
            return ending::stop(state, StopReason::Complete(proof));
        }
        return ending::stop(state, no_progress(state, &open));
    }
    let without = state.progress.without;
    let Some(lane) = state.lanes.get_mut(&Scope::Run) else {
        return;
    };
    if checkpoint.why == Why::Claim
        && let Some(claim) = &lane.last_claim
    {
        let failed = &mut state.progress.failed;
        let claim = clip(claim, FAILED_CLAIM_BYTES_MAX);
        if failed.last() != Some(&claim) {
            failed.push(claim);
        }
        if failed.len() > FAILED_CLAIMS_MAX {
            failed.remove(0);
        }
    }
    lane.tell(match checkpoint.why {
        Why::Claim => Notice::ClaimRejected {
            open,
            same_tree: checkpoint.same_tree,
        },
        _ => Notice::Checkpoint { open, turns },
    });
    if !progressed.nearer && progressed.without && without > 1 {
        lane.tell(Notice::NoProgress { without, limit });
    }
    // A rung is climbed when it is reached, and not again while the count stands still.
    match Rung::of(without, limit).filter(|_| progressed.without) {
        Some(Rung::Fresh) => lane.tell(Notice::FreshStart { without }),
        Some(Rung::Replan) => lane.tell(Notice::Replan {
            failed: state.progress.failed.clone(),
        }),
        None => {}
    }
    state.phase = Phase::Working;
}

/// What is tried when nothing progresses, before the run stops and asks. The evidence has been shown by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rung {
    /// A fresh context: contract, open checks, notes.
    Fresh,
    /// A turn that plans a different approach.
    Replan,
}

impl Rung {
    /// The rung that is reached after so many checkpoints without progress, of so many allowed: a third and two thirds
    /// of the way, and never before the evidence was seen twice.
    fn of(without: u32, limit: u32) -> Option<Rung> {
        let fresh = (limit / 3).max(2);
        let replan = (limit.saturating_mul(2) / 3).max(fresh + 1);
        match without {
            n if n == fresh => Some(Rung::Fresh),
            n if n == replan => Some(Rung::Replan),
            _ => None,
        }
    }
}

/// Open checks that cannot be told and could not be told on the base either: no change of the agent's is the
/// reason. A check that ran on the base and cannot be run now is the change's fault and goes back to the model.
fn beyond_reach(state: &State, open: &[CheckId]) -> Vec<CheckId> {
    open.iter()
        .filter(|id| {
            let Some(check) = state.checks.get(id) else {
                return false;
            };
            let Some(found) = on_candidate(state, check) else {
                return false;
            };
            let told_on_base = check
                .base
                .as_ref()
                .is_some_and(|b| b.verdict != Verdict::CannotTell);
            let harness = matches!(found.obstacle, Some(Obstacle::Harness { .. }));
            found.verdict == Verdict::CannotTell && (harness || !told_on_base)
        })
        .cloned()
        .collect()
}

fn no_progress(state: &State, open: &[CheckId]) -> StopReason {
    let names = open
        .iter()
        .map(CheckId::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let evidence: Vec<String> = state
        .open_checks()
        .filter_map(|(id, check)| check.latest.as_ref().map(|l| format!("{id}: {}", l.reason)))
        .collect();
    let help = Help {
        question: format!(
            "No verified progress in {} checkpoints. How is {names} to be reached?",
            state.progress.without
        ),
        tried: format!(
            "{} turns, {} claims. Last verdicts: {}",
            state.spent.turns,
            state.progress.claims,
            if evidence.is_empty() {
                "none".to_owned()
            } else {
                evidence.join("; ")
            }
        ),
        unlock: "A hint, a corrected check, or a wider `use`; then `overnight answer RUN TEXT`."
            .into(),
    };
    ending::stop_reason(help, Blocker::NoProgress)
}
