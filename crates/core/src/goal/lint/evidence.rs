//! Would the checks notice? Those that cannot fail, that see too little, or that say the same twice.

use super::super::diagnostic::{Findings, Severity, quoted};
use super::super::parse::Parsed;
use super::super::{Check, CheckKind, Role};
use super::shell;

pub(super) fn judge(parsed: &Parsed, findings: &mut Findings) {
    let goal = &parsed.goal;
    for (path, check) in located(parsed) {
        commands(parsed, &path, check, findings);
        named_tests(parsed, &path, check, findings);
        if let CheckKind::File { path: file, .. } = &check.kind
            && file.contains(['*', '?'])
        {
            let at = parsed.positions.span(&format!("{path}.file"));
            findings.warn(
                "pattern-as-file",
                at,
                format!(
                    "{} is one file's name, and looks like a pattern",
                    quoted(file)
                ),
                "name one file; for many, `- run: test -n \"$(ls docs/*.md)\"`",
            );
        }
    }
    repeated(parsed, findings);
    let weak = |c: &Check| matches!(c.kind, CheckKind::File { .. } | CheckKind::Diff { .. });
    if !goal.done.is_empty() && goal.items.is_none() && goal.done.iter().all(weak) {
        findings.warn(
            "weak-evidence",
            parsed.positions.span("done"),
            "`done` only looks at files and never runs anything: text that says so would be enough",
            "add what exercises the result: - tests: npm test",
        );
    }
}

/// Every check with its path in the file.
pub(super) fn located(parsed: &Parsed) -> impl Iterator<Item = (String, &Check)> {
    let done = parsed
        .goal
        .done
        .iter()
        .enumerate()
        .map(|(n, c)| (format!("done[{n}]"), c));
    let keep = parsed
        .goal
        .keep
        .checks
        .iter()
        .enumerate()
        .map(|(n, c)| (format!("keep.checks[{n}]"), c));
    let each = parsed.goal.items.iter().flat_map(|items| &items.each);
    let each = each
        .enumerate()
        .map(|(n, c)| (format!("items.each[{n}]"), c));
    done.chain(keep).chain(each)
}

fn commands(parsed: &Parsed, path: &str, check: &Check, findings: &mut Findings) {
    let Some(command) = check.kind.command() else {
        return;
    };
    let key = format!("{path}.{}", check.kind.key());
    let at = parsed.positions.span(&key);
    if let CheckKind::Metric { .. } = check.kind {
        if shell::prints_constant(command) {
            findings.warn(
                "cannot-fail",
                at,
                "this metric prints a constant: it measures nothing",
                "run the program that measures",
            );
        }
        return;
    }
    if let Some(why) = shell::cannot_fail(command) {
        findings.warn(
            "cannot-fail",
            at,
            format!("this check cannot fail: {why}"),
            "let the command's own exit code through; the harness keeps the whole output anyway",
        );
    }
    if let (CheckKind::Tests { .. }, Some(program)) = (&check.kind, shell::sieve(command)) {
        findings.warn(
            "filtered-tests",
            at,
            format!("`{program}` drops lines of the test results: the harness may not be able to tell the tests apart"),
            "run the test command alone; select tests with the runner's own options, or name them in `must_pass`",
        );
    }
}

fn named_tests(parsed: &Parsed, path: &str, check: &Check, findings: &mut Findings) {
    let CheckKind::Tests {
        must_pass,
        proves_change,
        ..
    } = &check.kind
    else {
        return;
    };
    if !proves_change && !must_pass.is_empty() && check.role == Role::Done && !check.already {
        findings.warn(
            "proves-nothing",
            parsed.positions.span(&format!("{path}.must_pass")),
            "the named tests may pass without any work: nothing asks that they fail, or do not exist, on the base",
            "add `proves: change` beside `must_pass`",
        );
    }
    if *proves_change && must_pass.is_empty() {
        findings.warn(
            "proves-nothing",
            parsed.positions.span(&format!("{path}.proves")),
            "`proves: change` is about the tests that `must_pass` names, and none is named",
            "must_pass: [\"exports the visible columns\"]",
        );
    }
}

/// Checks that observe the same.
fn repeated(parsed: &Parsed, findings: &mut Findings) {
    // The checks of an item are about another tree than those of the run: both may say the same.
    let of_items = |located: &(String, &Check)| located.0.starts_with("items.");
    let all: Vec<(String, &Check)> = located(parsed).filter(|l| !of_items(l)).collect();
    repeated_among(parsed, &all, findings);
    let each: Vec<(String, &Check)> = located(parsed).filter(of_items).collect();
    repeated_among(parsed, &each, findings);
}

fn repeated_among(parsed: &Parsed, all: &[(String, &Check)], findings: &mut Findings) {
    for (n, (path, check)) in all.iter().enumerate() {
        let earlier = all[..n]
            .iter()
            .find(|(_, c)| c.dir == check.dir && c.kind == check.kind && c.hidden == check.hidden);
        if let Some((first, _)) = earlier {
            let line = findings.line(parsed.positions.span(first));
            findings.warn(
                "duplicate-check",
                parsed.positions.span(path),
                format!("this check observes the same as the one on line {line}: two passes would be one piece of evidence"),
                "remove one of them",
            );
        }
    }
    for (path, check) in all {
        let CheckKind::Run { command } = &check.kind else {
            continue;
        };
        let with_results = all.iter().any(|(_, c)| {
            c.dir == check.dir
                && c.hidden == check.hidden
                && matches!(&c.kind, CheckKind::Tests { command: other, .. } if other == command)
        });
        if with_results {
            findings.add(
                Severity::Note,
                "duplicate-check",
                parsed.positions.span(path),
                "the same command is a `tests` check as well, which sees its exit code too",
                "remove this `run`",
            );
        }
    }
}
