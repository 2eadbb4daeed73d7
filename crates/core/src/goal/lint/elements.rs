//! The six elements of a strong goal, and the brief: what goes wrong without each, and how to write it.

use super::super::diagnostic::{Findings, Severity};
use super::super::parse::Parsed;
use super::super::{Check, CheckKind, Goal, HOURS_DEFAULT, NO_PROGRESS_DEFAULT, TURNS_DEFAULT};

pub(super) const KEEP_DEFAULT: &str = "nothing is kept; all changes stay on a branch of their own, and the sandbox keeps them inside the repository";
pub(super) const USE_DEFAULT: &str =
    "any path but those of `keep`, any program in the sandbox, no network, no secrets";
pub(super) const KEEP_MAIL_DEFAULT: &str =
    "nothing is kept; mail can be moved, flagged and drafted, and never sent or deleted";
pub(super) const USE_MAIL_DEFAULT: &str = "the mailbox of `items` and nothing else";
pub(super) const NEXT_DEFAULT: &str = "the open checks in the order of the file";

/// What is in force without `stop`.
pub(super) fn stop_default() -> String {
    format!(
        "{TURNS_DEFAULT} turns, {HOURS_DEFAULT} hours, {NO_PROGRESS_DEFAULT} checkpoints without progress; tokens and money are not limited"
    )
}

/// Whether the harness itself can find out about it, be it in this version or a later one. `review` and `person` are
/// judgements.
pub(super) fn executable(check: &Check) -> bool {
    match &check.kind {
        CheckKind::Run { .. }
        | CheckKind::Tests { .. }
        | CheckKind::Metric { .. }
        | CheckKind::Diff { .. }
        | CheckKind::File { .. } => true,
        CheckKind::Mutation { .. } => true,
        CheckKind::Later { kind, .. } => !matches!(kind.as_str(), "review" | "person"),
    }
}

/// Whether the worklist is a mailbox, so that there is no repository.
pub(super) fn is_mail(goal: &Goal) -> bool {
    goal.items
        .as_ref()
        .is_some_and(|items| items.from == "mail")
}

/// Whether some mail is out of reach.
pub(super) fn keeps_mail(goal: &Goal) -> bool {
    goal.categories
        .iter()
        .any(|category| category["untouched"] == true)
}

pub(super) fn judge(parsed: &Parsed, findings: &mut Findings) {
    let goal = &parsed.goal;
    let at = |path: &str| parsed.positions.span(path);
    if goal.outcome.is_empty() {
        findings.add(
            Severity::Refused,
            "no-outcome",
            at("outcome"),
            "there is no `outcome`: without it nobody can say what is to be true in the end, and the run drifts or halts with a vague question",
            "outcome: The users table can be exported as CSV.",
        );
    }
    done(parsed, findings);
    let mut missing =
        |element: &str, present: bool, code: &'static str, why: String, help: &str| {
            if !present {
                findings.warn(code, at(element), why, help);
            }
        };
    if is_mail(goal) {
        // A mailbox has no paths: what must not be touched is a category, and nothing else may be used anyway.
        missing(
            "keep",
            keeps_mail(goal),
            "no-keep",
            format!(
                "no category is `untouched`: without it the work may handle mail that was never its business; in force: {KEEP_MAIL_DEFAULT}"
            ),
            "- {name: legal, about: Anything legal or contractual., untouched: true, do: flag}",
        );
    } else {
        missing(
            "keep",
            !goal.keep.paths.is_empty() || !goal.keep.checks.is_empty(),
            "no-keep",
            format!(
                "nothing is in `keep`: without it the work may break or rewrite what was never its business; in force: {KEEP_DEFAULT}"
            ),
            "keep: {paths: [\"migrations/**\"], checks: [{tests: npm test}]}",
        );
        missing(
            "use",
            parsed.positions.has("use"),
            "no-use",
            format!(
                "there is no `use`: without it the work drifts out of scope; in force: {USE_DEFAULT}"
            ),
            "use: {paths: [\"src/users/**\", \"tests/**\"], setup: npm ci}",
        );
    }
    missing(
        "next",
        parsed.positions.has("next"),
        "no-next",
        format!(
            "there is no `next`: without it the run picks among several actions by chance; in force: {NEXT_DEFAULT}"
        ),
        "next: Smallest failing test first; leave what needs a new dependency.",
    );
    missing(
        "stop",
        parsed.positions.has("stop"),
        "no-stop",
        format!(
            "there is no `stop`: without it a run that gets nowhere loops until a default ends it; in force: {}",
            stop_default()
        ),
        "stop: {turns: 80, tokens: 2M, hours: 5, no_progress: 6}",
    );
    missing(
        "brief",
        !goal.brief.is_empty(),
        "no-brief",
        "there is no brief under the front matter: without it the model guesses what a colleague would be told; in force: it gets the contract alone".to_owned(),
        "write some lines under the closing `---`: where the code is, what was tried, what good looks like",
    );
}

fn done(parsed: &Parsed, findings: &mut Findings) {
    let goal = &parsed.goal;
    let at = parsed.positions.span("done");
    const EXAMPLE: &str =
        "done: [{tests: npm test, must_pass: [\"exports the visible columns\"], proves: change}]";
    if goal.done.iter().any(executable) {
        return;
    }
    if let Some(items) = &goal.items {
        if goal.done.is_empty() && goal.keep.checks.is_empty() && items.each.is_empty() {
            findings.warn(
                "no-done",
                at,
                "there is no `done`: the run is complete when every item of the worklist is closed, whatever state the repository is in",
                "done: [{tests: npm test}]",
            );
        }
    } else if goal.done.is_empty() {
        findings.add(
            Severity::Refused,
            "no-verification",
            at,
            "nothing in `done` verifies the outcome, and there is no worklist: the run would loop for ever or believe the model's word",
            EXAMPLE,
        );
    } else {
        findings.add(
            Severity::Refused,
            "no-verification",
            at,
            "`done` holds only judgements, and no check that can be executed: nothing but opinions would end the run",
            format!("add a check beside them: {EXAMPLE}"),
        );
    }
}
