//! Hidden files of checks: are they hidden, and what may the model hear of them?

use super::super::diagnostic::{Findings, Severity, quoted};
use super::super::parse::{Parsed, normal};
use super::super::{CheckKind, Feedback};
use super::Facts;
use super::evidence::located;

pub(super) fn judge(parsed: &Parsed, facts: &Facts, findings: &mut Findings) {
    for (path, check) in located(parsed) {
        let Some(hidden) = &check.hidden else {
            continue;
        };
        let at = parsed.positions.span(&format!("{path}.hidden"));
        if let CheckKind::Diff { .. } = check.kind {
            findings.warn(
                "no-effect",
                at,
                "`hidden` has no effect here: a `diff` looks at no checkout",
                "remove it, or put it where something is run",
            );
            continue;
        }
        if matches!(check.feedback, Feedback::Full | Feedback::Names) {
            findings.warn(
                "hidden-told",
                parsed.positions.span(&format!("{path}.feedback")),
                "the code under test can print the hidden files, or name a test after what they say, and the model \
                 hears of it",
                "feedback: verdict",
            );
        }
        if !parsed.goal.uses.network.is_empty() {
            findings.add(
                Severity::Note,
                "hidden-network",
                at,
                "the code under test reads the hidden files while the check runs, and `use.network` lets it talk to \
                 somebody",
                "no network, where the work does without",
            );
        }
        // Where the file lies is known to the caller alone; mostly it is the top of the repository.
        let inside = normal(hidden);
        let elsewhere =
            hidden.starts_with(['/', '~']) || hidden.split('/').any(|part| part == "..");
        let tracked = facts.paths.iter().flatten().any(|tracked| {
            tracked
                .strip_prefix(inside.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if tracked && !elsewhere && !inside.is_empty() {
            findings.warn(
                "hidden-tracked",
                at,
                format!(
                    "{} is in the repository, where the agent reads it, if the goal file lies at its top",
                    quoted(hidden)
                ),
                "hidden: ../hidden-tests, a folder outside of the repository",
            );
        }
    }
}
