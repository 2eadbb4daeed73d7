//! What this version reads and cannot run yet, each said plainly.

use super::super::diagnostic::{Diagnostic, Findings, quoted};
use super::super::parse::Parsed;
use super::super::position::Span;
use super::super::{CheckKind, Deliver};
use super::evidence::located;

/// Everything in the goal that this version cannot run: a condition that would not be enforced, so nothing may run.
pub fn unsupported(parsed: &Parsed) -> Vec<Diagnostic> {
    let goal = &parsed.goal;
    let mut findings = Findings::new(parsed.positions.lines());
    let at = |path: &str| parsed.positions.span(path);
    let mut cannot = |path: &str, what: String, help: &str| {
        findings.error(
            "not-yet",
            at(path),
            format!("this version cannot run {what} yet"),
            help,
        );
    };
    if let Some(items) = &goal.items {
        let help = match items.from.as_str() {
            "mail" => Some(
                "a mailbox cannot be worked on yet; the goal is sound and will run in a later version",
            ),
            "gitlab" | "linear" => Some(
                "from: command, and `run` prints one JSON object a line, with `id` and `title`",
            ),
            _ => None,
        };
        if let Some(help) = help {
            let what = format!("a worklist from {}", quoted(&items.from));
            cannot("items.from", what, help);
        }
    }
    if !goal.categories.is_empty() {
        cannot(
            "categories",
            "`categories`".to_owned(),
            "they go with a mailbox, which a later version works on",
        );
    }
    for (path, check) in located(parsed) {
        if let CheckKind::Later { kind, .. } = &check.kind {
            cannot(
                &format!("{path}.{kind}"),
                format!("`{kind}` checks"),
                "until then: - run: COMMAND, or - tests: COMMAND, that finds out the same",
            );
        }
    }
    if goal.deliver == Deliver::PullRequest {
        cannot(
            "deliver",
            "`deliver: pull-request`".to_owned(),
            "deliver: branch, and open the pull request from the branch",
        );
    }
    for key in &parsed.later {
        let span = Span::new(key.at.offset, key.at.offset + key.at.length);
        findings.error(
            "not-yet",
            span,
            format!("this version does nothing with `{}` yet", key.key),
            "remove the line",
        );
    }
    findings.finish()
}
