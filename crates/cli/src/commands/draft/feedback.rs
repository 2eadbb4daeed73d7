//! What goes back to the model: findings with the line that they are about, and what the checks said on the base.

use overnight_core::check::Verdict;
use overnight_core::goal::diagnostic::Diagnostic;
use overnight_core::goal::{Goal, Role};
use overnight_core::judge::{clip, plain};
use overnight_engine::Preflight;

use crate::commands::check::{Standing, standing};

/// Findings that one answer lists.
const FINDINGS_MAX: usize = 20;
/// How much of a line is quoted, bytes.
const LINE_BYTES_MAX: usize = 200;
/// How much of a check's output is shown, bytes.
const EVIDENCE_BYTES_MAX: usize = 1_200;

/// Findings, each with its line.
pub fn findings<'d>(text: &str, found: impl IntoIterator<Item = &'d Diagnostic>) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut said = String::new();
    for finding in found.into_iter().take(FINDINGS_MAX) {
        said.push_str(&format!("- line {}\n", plain(&finding.to_string())));
        let line = finding
            .at
            .and_then(|at| lines.get(at.line.checked_sub(1)?))
            .filter(|line| !line.trim().is_empty());
        if let Some(line) = line {
            said.push_str(&format!("    {}\n", clip(&plain(line), LINE_BYTES_MAX)));
        }
    }
    said
}

/// What the checks said on the base. Where a checkout holds what the model may not read, only the verdicts are told: what
/// a check printed is what the model had it print.
pub fn preflight(goal: &Goal, found: &Preflight, private: bool) -> String {
    let mut said = String::from("The harness ran the checks on the repository as it is:\n");
    for row in found.rows(goal) {
        let role = match row.role {
            Role::Done => "done",
            Role::Keep => "keep",
        };
        said.push_str(&format!(
            "- `{}` ({role}, {}): {}",
            row.id,
            row.kind,
            row.verdict.word()
        ));
        if !private {
            said.push_str(&format!(" — {}", plain(&row.reason).replace('\n', " ")));
        }
        said.push('\n');
        let report = found.reports.iter().find(|report| report.check == row.id);
        let evidence = report
            .filter(|_| !private && row.verdict != Verdict::Pass)
            .map_or("", |report| report.evidence.as_str());
        for line in clip(&plain(evidence), EVIDENCE_BYTES_MAX).lines() {
            said.push_str(&format!("    {line}\n"));
        }
    }
    match standing(goal, found) {
        Standing::Refused => said.push_str(
            "Every `done` check passes already, so passing them would prove nothing. Name what is not true today: tests \
             that have to be written (`must_pass`, `proves: change`), a number that is not reached yet, a command that \
             fails.\n",
        ),
        Standing::Unknown => said.push_str(
            "A check that cannot be run decides nothing. Use a command that this repository and this machine have; if \
             there is none, propose the same again.\n",
        ),
        Standing::Sound => {}
    }
    said
}
