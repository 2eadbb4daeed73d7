//! What the model hears of checks: the one place where their results become words for it. How much that is the goal
//! says, check by check (`feedback`); the journal and the report have everything.

use overnight_core::check::Verdict;
use overnight_core::goal::{Feedback, Goal};
use overnight_core::ids::CheckId;
use overnight_core::state::{CheckState, Found, State, is_own};

/// Said in the place of checks of which nothing may be said, where nothing else is open.
pub(crate) const UNTOLD: &str = "a check that you are not told about does not pass";

/// One open check, as far as the model hears of it.
pub(crate) struct Open<'a> {
    pub id: &'a CheckId,
    /// The verdict, and why.
    pub standing: String,
    /// What was seen; empty where that is withheld.
    pub evidence: &'a str,
}

/// Every check, as far as the model hears of it.
pub(crate) struct Told<'a> {
    pub open: Vec<Open<'a>>,
    pub passed: Vec<&'a CheckId>,
    /// Nothing of which the model hears is open, and something else is.
    pub untold: bool,
}

/// What the model hears now.
pub(crate) fn told(state: &State) -> Told<'_> {
    // The check on the diff is news only once it has something to say.
    let (heard, unheard): (Vec<_>, Vec<_>) = state
        .open_checks()
        .filter(|(id, known)| !is_own(id) || known.latest.is_some())
        .partition(|(id, _)| hears(&state.goal, id));
    let open: Vec<Open<'_>> = heard
        .iter()
        .map(|(id, known)| {
            let feedback = feedback(&state.goal, id);
            Open {
                id,
                standing: standing(known, state, feedback),
                evidence: evidence(known, feedback),
            }
        })
        .collect();
    let failed = |known: &CheckState| {
        known
            .latest
            .as_ref()
            .is_some_and(|f| f.verdict != Verdict::Pass)
    };
    let untold = open.is_empty() && unheard.iter().any(|(_, known)| failed(known));
    let passed = state
        .order
        .iter()
        .filter(|id| !is_own(id) && hears(&state.goal, id))
        .filter(|id| !open.iter().any(|o| o.id == *id))
        .collect();
    Told {
        open,
        passed,
        untold,
    }
}

/// Those of a list of which the model hears, in its order.
pub(crate) fn heard<'a>(goal: &Goal, ids: &'a [CheckId]) -> Vec<&'a CheckId> {
    ids.iter().filter(|id| hears(goal, id)).collect()
}

fn hears(goal: &Goal, id: &CheckId) -> bool {
    feedback(goal, id) != Feedback::None
}

/// The harness's own checks withhold nothing.
fn feedback(goal: &Goal, id: &CheckId) -> Feedback {
    goal.check(id)
        .map_or(Feedback::Full, |check| check.feedback)
}

fn standing(known: &CheckState, state: &State, feedback: Feedback) -> String {
    let current = state.candidate.as_ref().map(|c| &c.tree);
    let (found, when) = match (&known.latest, &known.base) {
        (Some(found), _) if Some(&found.tree) == current => (found, ""),
        (Some(found), _) => (found, " when last checked"),
        (None, Some(base)) => (base, " on the base"),
        (None, None) => return "not checked yet".into(),
    };
    let word = found.verdict.word();
    match reason(found, feedback) {
        Some(reason) => format!("{word}{when}: {reason}"),
        None => format!("{word}{when} (the goal withholds why)"),
    }
}

fn reason(found: &Found, feedback: Feedback) -> Option<&str> {
    match feedback {
        Feedback::Full => Some(&found.reason),
        // Why a check could not be told may quote what it printed.
        Feedback::Names if found.obstacle.is_none() => Some(&found.reason),
        Feedback::Names | Feedback::Verdict | Feedback::None => None,
    }
}

fn evidence(known: &CheckState, feedback: Feedback) -> &str {
    let found = known.latest.as_ref().or(known.base.as_ref());
    found
        .filter(|found| found.verdict != Verdict::Pass && feedback.is_full())
        .map_or("", |found| &found.evidence)
}
