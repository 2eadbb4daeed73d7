//! Why a run ended, and the one place where a run is found complete.

use serde::Serialize;

use crate::check::Verdict;
use crate::ids::{CheckId, TreeId};
use crate::state::State;
use crate::turn::Help;

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum StopReason {
    /// Every check of `done` and `keep` passed, after the last change, on the tree that is delivered.
    Complete(Completion),
    /// Only a person can unlock it.
    Blocked {
        /// The question, what was tried, what would unlock it.
        help: Help,
        /// Who asked.
        by: Blocker,
    },
    /// A budget is used up.
    OutOfBudget {
        /// Which: `turns`, `tokens`, `usd`, `hours`.
        budget: String,
    },
    /// A check could not be run, here or on the base, so nobody can say.
    Unverifiable {
        /// Which checks.
        checks: Vec<CheckId>,
    },
    /// A person stopped it.
    Stopped,
    /// The goal cannot be run as it is: found at preflight.
    Refused {
        /// Why, and what to change.
        why: String,
    },
    /// The harness or the model could not go on.
    Failed {
        /// What, where, what next.
        why: String,
    },
}

/// Who found a run blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Blocker {
    /// The model, with `ask_for_help`: it needs an answer.
    Model,
    /// The harness, after checkpoints without progress: it needs an answer.
    NoProgress,
    /// The model's provider refuses the requests: `resume` tries again.
    Provider,
}

/// Public exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// The run is complete.
    Complete = 0,
    /// It failed.
    Failed = 1,
    /// Usage error, or the goal is refused.
    Usage = 2,
    /// Blocked: only a person can unlock it.
    Blocked = 3,
    /// Out of budget.
    OutOfBudget = 4,
    /// A check could not be run.
    Unverifiable = 5,
    /// Paused or stopped by a person.
    Stopped = 6,
}

impl StopReason {
    /// The exit code of a run that ended so.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            StopReason::Complete(_) => ExitCode::Complete,
            StopReason::Blocked { .. } => ExitCode::Blocked,
            StopReason::OutOfBudget { .. } => ExitCode::OutOfBudget,
            StopReason::Unverifiable { .. } => ExitCode::Unverifiable,
            StopReason::Stopped => ExitCode::Stopped,
            StopReason::Refused { .. } => ExitCode::Usage,
            StopReason::Failed { .. } => ExitCode::Failed,
        }
    }

    /// One word, as `--json` prints it.
    pub fn word(&self) -> &'static str {
        match self {
            StopReason::Complete(_) => "complete",
            StopReason::Blocked { .. } => "blocked",
            StopReason::OutOfBudget { .. } => "out_of_budget",
            StopReason::Unverifiable { .. } => "unverifiable",
            StopReason::Stopped => "stopped",
            StopReason::Refused { .. } => "refused",
            StopReason::Failed { .. } => "failed",
        }
    }

    /// Whether a person's word can set the same run going again.
    pub fn resumable(&self) -> bool {
        matches!(
            self,
            StopReason::Blocked { .. } | StopReason::OutOfBudget { .. } | StopReason::Failed { .. }
        )
    }

    /// One sentence for people.
    pub fn sentence(&self) -> String {
        let list = |ids: &[CheckId]| {
            ids.iter()
                .map(CheckId::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self {
            StopReason::Complete(proof) => {
                format!(
                    "Complete: all {} checks pass on the delivered tree.",
                    proof.checks.len()
                )
            }
            StopReason::Blocked { help, .. } => format!("Blocked: {}", help.question),
            StopReason::OutOfBudget { budget } => {
                format!("Out of budget: the goal's `stop.{budget}` is used up.")
            }
            StopReason::Unverifiable { checks } => {
                format!("Unverifiable: the harness could not run {}.", list(checks))
            }
            StopReason::Stopped => "Stopped by a person.".into(),
            StopReason::Refused { why } => format!("Refused: {why}"),
            StopReason::Failed { why } => format!("Failed: {why}"),
        }
    }
}

/// Proof that a run is complete. Its only constructor is [`Completion::prove`]; it cannot be deserialised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Completion {
    tree: TreeId,
    checks: Vec<CheckId>,
}

impl Completion {
    /// The tree that all checks passed on.
    pub fn tree(&self) -> &TreeId {
        &self.tree
    }

    /// The checks.
    pub fn checks(&self) -> &[CheckId] {
        &self.checks
    }

    /// The one function that finds a run complete: there is a candidate, nothing has changed since it was fixed,
    /// and every check of `done` and `keep` has passed on exactly its tree.
    pub(crate) fn prove(state: &State) -> Option<Completion> {
        let candidate = state.candidate.as_ref().filter(|c| c.current)?;
        if state.checks.is_empty() || !worklist_closed(state) {
            return None;
        }
        let passed = state.checks.values().all(|check| {
            check
                .latest
                .as_ref()
                .is_some_and(|l| l.tree == candidate.tree && l.verdict == Verdict::Pass)
        });
        passed.then(|| Completion {
            tree: candidate.tree.clone(),
            checks: state
                .order
                .iter()
                .filter(|id| state.checks.contains_key(id))
                .cloned()
                .collect(),
        })
    }
}

/// Whether every item of the worklist has ended in an outcome that the goal allows; true where there is no worklist.
fn worklist_closed(state: &State) -> bool {
    let Some(items) = &state.goal.items else {
        return true;
    };
    let Some(list) = &state.worklist else {
        return false;
    };
    let allowed = list.unsolved() == 0 || items.allows(crate::item::Outcome::Unresolved);
    let listed = !list.listing.hash.as_str().is_empty();
    listed && list.finished() && list.closed() == list.listing.total && allowed
}
