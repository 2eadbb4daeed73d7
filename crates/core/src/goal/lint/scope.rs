//! What may change, what may be used: contradictions, patterns that match nothing, doors left open.

use super::super::diagnostic::{Findings, quoted};
use super::super::globs::Globs;
use super::super::parse::{Parsed, normal};
use super::super::words::{nearest, shown};
use super::super::{Check, CheckKind, FileIs, Goal, Role};
use super::Facts;
use super::evidence::located;

/// Tools that every version has.
const TOOLS: &[&str] = &[
    "shell",
    "read",
    "write",
    "edit",
    "search",
    "notes",
    "plan",
    "close_item",
    "claim_done",
    "ask_for_help",
    "wait",
];

pub(super) fn judge(parsed: &Parsed, facts: &Facts, findings: &mut Findings) {
    let goal = &parsed.goal;
    // Both were compiled by the parser.
    let keep = Globs::new(&goal.keep.paths).unwrap_or_default();
    let allowed = goal
        .uses
        .paths
        .as_ref()
        .map(|paths| Globs::new(paths).unwrap_or_default());
    contradictions(parsed, &keep, findings);
    for (path, check) in located(parsed) {
        unwritable(parsed, &path, check, &keep, allowed.as_ref(), findings);
    }
    if let Some(paths) = &facts.paths {
        matches_nothing(parsed, paths, findings);
        nothing_left(parsed, paths, &keep, allowed.as_ref(), findings);
        directories(parsed, paths, findings);
    }
    doors(parsed, findings);
    without_worklist(parsed, findings);
}

/// The pattern as a path, if it can match only that.
fn literal(pattern: &str) -> Option<String> {
    let plain = !pattern.starts_with('!') && !pattern.contains(['*', '?', '[', '{', '\\']);
    plain.then(|| normal(pattern))
}

fn contradictions(parsed: &Parsed, keep: &Globs, findings: &mut Findings) {
    let goal = &parsed.goal;
    let Some(paths) = &goal.uses.paths else {
        return;
    };
    for (n, pattern) in paths.iter().enumerate() {
        let both = goal.keep.paths.contains(pattern)
            || literal(pattern).is_some_and(|path| keep.matches(&path));
        if both && !pattern.starts_with('!') {
            findings.warn(
                "contradiction",
                parsed.positions.span(&format!("use.paths[{n}]")),
                format!(
                    "{} may change by `use.paths` and may not by `keep.paths`: `keep` wins",
                    quoted(pattern)
                ),
                format!(
                    "remove it here, or except it there: \"!{}\"",
                    shown(pattern)
                ),
            );
        }
    }
}

/// A file that must say something and may not be written.
fn unwritable(
    parsed: &Parsed,
    path: &str,
    check: &Check,
    keep: &Globs,
    allowed: Option<&Globs>,
    findings: &mut Findings,
) {
    let CheckKind::File { path: file, is } = &check.kind else {
        return;
    };
    if check.role == Role::Keep || check.already || matches!(is, FileIs::There(false)) {
        return;
    }
    let file = normal(&format!("{}/{file}", check.dir));
    let reason = match allowed {
        _ if keep.matches(&file) => "`keep.paths` protects it",
        Some(allowed) if !allowed.matches(&file) => "`use.paths` does not allow it",
        Some(_) | None => return,
    };
    findings.warn(
        "out-of-reach",
        parsed.positions.span(&format!("{path}.file")),
        format!(
            "this check wants a change of {}, and {reason}: it cannot become true",
            quoted(&file)
        ),
        "allow the file in `use.paths`, or write `already: true` if it holds on the base",
    );
}

fn matches_nothing(parsed: &Parsed, paths: &[String], findings: &mut Findings) {
    for (at, pattern, what) in patterns(&parsed.goal) {
        let body = pattern.strip_prefix('!').unwrap_or(pattern);
        let Ok(globs) = Globs::new(&[body]) else {
            continue;
        };
        if paths.iter().any(|path| globs.matches(path)) {
            continue;
        }
        let meant = literal(body)
            .and_then(|path| nearest(&path, paths.iter().map(String::as_str)).map(str::to_owned));
        let help = match meant {
            Some(meant) => format!("did you mean \"{}\"?", shown(&meant)),
            None => "patterns are relative to the repository's root: \"src/**/*.ts\"; leave it if the files come later".to_owned(),
        };
        findings.warn(
            "matches-nothing",
            parsed.positions.span(&at),
            format!("{} matches no file yet; in force: {what}", quoted(pattern)),
            help,
        );
    }
}

/// Every pattern with its path in the goal and what it means while it matches nothing.
fn patterns(goal: &Goal) -> Vec<(String, &str, &'static str)> {
    let mut all = Vec::new();
    for (n, pattern) in goal.keep.paths.iter().enumerate() {
        all.push((
            format!("keep.paths[{n}]"),
            pattern.as_str(),
            "it protects nothing, and files that it would match cannot be added",
        ));
    }
    for (n, pattern) in goal.uses.paths.iter().flatten().enumerate() {
        all.push((
            format!("use.paths[{n}]"),
            pattern.as_str(),
            "only files that it would match may be added",
        ));
    }
    for (n, check) in goal.done.iter().enumerate() {
        let CheckKind::Diff { allow, forbid } = &check.kind else {
            continue;
        };
        for (m, pattern) in allow.iter().enumerate() {
            all.push((
                format!("done[{n}].diff.allow[{m}]"),
                pattern.as_str(),
                "only files that it would match may be added",
            ));
        }
        for (m, pattern) in forbid.iter().enumerate() {
            all.push((
                format!("done[{n}].diff.forbid[{m}]"),
                pattern.as_str(),
                "files that it would match cannot be added",
            ));
        }
    }
    all
}

/// Every file that may change is kept.
fn nothing_left(
    parsed: &Parsed,
    paths: &[String],
    keep: &Globs,
    allowed: Option<&Globs>,
    findings: &mut Findings,
) {
    let Some(allowed) = allowed else {
        if !paths.is_empty() && !keep.is_empty() && paths.iter().all(|p| keep.matches(p)) {
            findings.warn(
                "nothing-may-change",
                parsed.positions.span("keep.paths"),
                "`keep.paths` protects every file of the repository: only new files elsewhere can be added",
                "except what the work is about: \"!src/users/**\"",
            );
        }
        return;
    };
    let mut may = paths.iter().filter(|p| allowed.matches(p)).peekable();
    if may.peek().is_some() && may.all(|p| keep.matches(p)) {
        findings.warn(
            "nothing-may-change",
            parsed.positions.span("use.paths"),
            "every file that `use.paths` allows is protected by `keep.paths`, and `keep` wins",
            "except in `keep.paths` what the work is about: \"!src/users/**\"",
        );
    }
}

fn directories(parsed: &Parsed, paths: &[String], findings: &mut Findings) {
    for (path, check) in located(parsed).filter(|(_, c)| !c.dir.is_empty()) {
        let below = format!("{}/", check.dir);
        if !paths.iter().any(|p| p.starts_with(&below)) {
            findings.warn(
                "no-directory",
                parsed.positions.span(&format!("{path}.in")),
                format!("there is no directory {} in the repository: the check cannot run until there is one", quoted(&check.dir)),
                "`in` is relative to the repository's root: in: packages/web",
            );
        }
    }
}

fn doors(parsed: &Parsed, findings: &mut Findings) {
    let uses = &parsed.goal.uses;
    for (n, host) in uses.network.iter().enumerate() {
        if host == "0.0.0.0" || host.starts_with("0.0.0.0:") {
            findings.warn(
                "no-such-host",
                parsed.positions.span(&format!("use.network[{n}]")),
                format!(
                    "{} is no host that anything can be reached at",
                    quoted(host)
                ),
                "name the hosts that are needed: network: [registry.npmjs.org]",
            );
        }
    }
    if uses.paths.as_ref().is_some_and(Vec::is_empty) {
        findings.warn(
            "nothing-may-change",
            parsed.positions.span("use.paths"),
            "`use.paths` is empty: no file may change",
            "use: {paths: [\"src/**\"]}, or remove the line",
        );
    }
    for (n, command) in uses.commands.iter().flatten().enumerate() {
        if command.contains(char::is_whitespace) {
            findings.warn(
                "command-line",
                parsed.positions.span(&format!("use.commands[{n}]")),
                format!(
                    "{} is a command line, and `use.commands` names programs: it would match none",
                    quoted(command)
                ),
                format!(
                    "commands: [{}]",
                    shown(command.split_whitespace().next().unwrap_or(""))
                ),
            );
        }
    }
    for (n, tool) in uses.tools.iter().flatten().enumerate() {
        // A tool of a server, or all of them: `docs__find`, `docs__*`.
        let outside = tool
            .split_once("__")
            .is_some_and(|(server, _)| uses.mcp.iter().any(|s| s.name == server));
        if !TOOLS.contains(&tool.as_str()) && !outside {
            let help = match nearest(tool, TOOLS.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if uses.mcp.iter().any(|s| s.name == *tool) => {
                    format!("the tools of that server are `{tool}__*`")
                }
                None => format!("tools: {}", TOOLS.join(", ")),
            };
            findings.warn(
                "unknown-tool",
                parsed.positions.span(&format!("use.tools[{n}]")),
                format!("there is no tool {}", quoted(tool)),
                help,
            );
        }
    }
}

/// Keys that mean something for a worklist only.
fn without_worklist(parsed: &Parsed, findings: &mut Findings) {
    let goal = &parsed.goal;
    if goal.items.is_some() {
        return;
    }
    let mut idle = |present: bool, path: &str| {
        if present {
            let message = format!(
                "`{path}` is about the items of a worklist, and this goal has none: it has no effect"
            );
            findings.warn(
                "no-effect",
                parsed.positions.span(path),
                message,
                "remove it, or add `items`",
            );
        }
    };
    idle(goal.next.attempts.is_some(), "next.attempts");
    idle(goal.next.fix_when.is_some(), "next.fix_when");
    idle(!goal.categories.is_empty(), "categories");
}
