//! What is said about goals that can be read. The five jobs are one snapshot; each rule has a goal that breaks it and
//! nothing else.

use super::super::diagnostic::{Severity, refuses};
use super::super::parse::tests::{GOOD, fixture, good, render};
use super::*;

/// A goal with nothing to say about it.
const CLEAN: &str = "---
outcome: The users table can be exported as CSV.
done:
  - tests: npm test
    must_pass: [exports the visible columns]
    proves: change
keep: {paths: [\"migrations/**\"]}
use: {paths: [\"src/**\"]}
next: Smallest first.
stop: {tokens: 2M}
---
Brief.
";

fn found(text: &str) -> Vec<Diagnostic> {
    lint(&good(text), &Facts::default())
}

fn codes(text: &str) -> Vec<&'static str> {
    found(text).iter().map(|d| d.code).collect()
}

/// The clean goal with one line put in place of another.
fn with(line: &str, other: &str) -> String {
    assert!(CLEAN.contains(line), "{line}");
    CLEAN.replace(line, other)
}

fn done(entries: &str) -> String {
    let start = CLEAN.find("done:").unwrap();
    let end = CLEAN.find("keep:").unwrap();
    format!("{}{entries}\n{}", &CLEAN[..start], &CLEAN[end..])
}

#[test]
fn a_good_goal_is_praised_with_silence() {
    assert_eq!(found(CLEAN), []);
}

#[test]
fn every_finding_has_a_place_and_a_suggestion() {
    for name in GOOD {
        for d in found(&fixture(name)) {
            assert!(d.at.is_some() && d.suggestion.is_some(), "{name}: {d}");
        }
    }
}

#[test]
fn the_jobs_and_the_empty_goal() {
    let mut out = String::new();
    let mut add = |name: &str, text: &str| {
        let parsed = good(text);
        out.push_str(&format!(
            "──── {name}\n{}",
            render(text, &lint(&parsed, &Facts::default()))
        ));
        out.push_str("---- not yet\n");
        out.push_str(&render(text, &unsupported(&parsed)));
        out.push_str("---- summary\n");
        for e in summary(&parsed.goal) {
            let default = e
                .default
                .map(|d| format!("default: {d}"))
                .unwrap_or_default();
            out.push_str(&format!(
                "{:8} {:5} {}{}\n",
                e.name, e.present, e.says, default
            ));
        }
        out.push('\n');
    };
    for name in GOOD {
        add(name, &fixture(name));
    }
    add("empty", "---\n---\n");
    add("smallest", crate::goal::parse::SMALLEST_GOAL);
    insta::assert_snapshot!("jobs", out);
}

#[test]
fn only_what_cannot_be_a_goal_is_refused() {
    let refused = |text: &str| {
        let all = found(text);
        assert_eq!(
            refuses(&all),
            all.iter().any(|d| d.severity == Severity::Refused)
        );
        all.into_iter()
            .filter(|d| d.severity == Severity::Refused)
            .map(|d| d.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(refused("---\n---\n"), ["no-outcome", "no-verification"]);
    assert_eq!(refused("---\ndone: [a]\n---\n"), ["no-outcome"]);
    assert_eq!(
        refused("---\noutcome: x\ndone: []\n---\n"),
        ["no-verification"]
    );
    assert_eq!(
        refused("---\noutcome: x\nkeep: {checks: [a]}\n---\n"),
        ["no-verification"]
    );
    assert_eq!(
        refused("---\noutcome: x\ndone: [{review: is it good?}, {person: me}]\n---\n"),
        ["no-verification"]
    );
    for sound in [
        "done: [a]",
        "items: {from: file, path: a.csv}",
        "done: [{docs: a.md}]",
        "done: [{page: npm start}]",
        "done: [{diff: {forbid: [a]}}]",
        "done: [{file: a.md}]",
    ] {
        assert_eq!(
            refused(&format!("---\noutcome: x\n{sound}\n---\n")),
            [""; 0],
            "{sound}"
        );
    }
}

#[test]
fn what_is_missing_is_a_warning_with_the_default_in_force() {
    for (line, code, says) in [
        (
            "keep: {paths: [\"migrations/**\"]}\n",
            "no-keep",
            "nothing is kept",
        ),
        ("use: {paths: [\"src/**\"]}\n", "no-use", "no network"),
        (
            "next: Smallest first.\n",
            "no-next",
            "in the order of the file",
        ),
        (
            "stop: {tokens: 2M}\n",
            "no-stop",
            "500 turns, 10 hours, 6 checkpoints",
        ),
        ("Brief.\n", "no-brief", "the contract alone"),
    ] {
        let all = found(&with(line, ""));
        assert_eq!(all.iter().map(|d| d.code).collect::<Vec<_>>(), [code]);
        assert_eq!(all[0].severity, Severity::Warning);
        assert!(all[0].message.contains(says), "{}", all[0]);
    }
    assert_eq!(
        codes(&with(
            "keep: {paths: [\"migrations/**\"]}",
            "keep: {paths: []}"
        )),
        ["no-keep"]
    );
}

#[test]
fn an_outcome_that_is_a_matter_of_taste() {
    let outcome = |text: &str| codes(&with("The users table can be exported as CSV.", text));
    assert_eq!(outcome("The export is better."), ["vague-outcome"]);
    assert_eq!(outcome("Clean up the code"), ["vague-outcome"]);
    assert_eq!(outcome("It exports. It also imports."), ["many-outcomes"]);
    assert_eq!(outcome(&"words ".repeat(40)), ["long-outcome"]);
    assert_eq!(outcome("The letters end in v1.2."), [""; 0]);
}

#[test]
fn checks_that_prove_little() {
    assert_eq!(
        codes(&done("done: [\"true\", npm test || true]")),
        ["cannot-fail", "cannot-fail"]
    );
    assert_eq!(
        codes(&done("done: [{metric: echo 85, at_least: 80}]")),
        ["cannot-fail"]
    );
    assert_eq!(
        codes(&done("done: [{tests: npm test | tee log}]")),
        ["cannot-fail"]
    );
    assert_eq!(
        codes(&done("done: [{tests: npm test | grep -v skip}]")),
        ["filtered-tests"]
    );
    assert_eq!(
        codes(&done("done: [{tests: npm test, must_pass: [a]}]")),
        ["proves-nothing"]
    );
    assert_eq!(
        codes(&done(
            "done: [{tests: npm test, must_pass: [a], already: true}]"
        )),
        [""; 0]
    );
    assert_eq!(
        codes(&done("done: [{tests: npm test, proves: change}]")),
        ["proves-nothing"]
    );
    assert_eq!(
        codes(&done("done: [{file: src/a.md, contains: x}]")),
        ["weak-evidence"]
    );
    assert_eq!(
        codes(&done("done: [npm test, npm test]")),
        ["duplicate-check"]
    );
    assert_eq!(
        codes(&done("done: [npm test, {run: npm test, in: web}]")),
        [""; 0]
    );
    assert_eq!(
        codes(&done("done: [npm test, {tests: npm test}]")),
        ["duplicate-check"]
    );
    assert_eq!(
        codes(&done("done: [npm test, {file: \"src/*.md\"}]")),
        ["pattern-as-file"]
    );
    let last = found(&done("done:\n  - npm test\n  - run: make\n  - npm test"));
    assert_eq!(last[0].at.map(|p| (p.line, p.column)), Some((6, 5)));
    assert!(last[0].message.contains("on line 4"), "{}", last[0]);
}

#[test]
fn contradictions_between_keep_and_use() {
    let scope = |keep: &str, paths: &str| {
        codes(
            &CLEAN
                .replace(
                    "keep: {paths: [\"migrations/**\"]}",
                    &format!("keep: {{paths: {keep}}}"),
                )
                .replace(
                    "use: {paths: [\"src/**\"]}",
                    &format!("use: {{paths: {paths}}}"),
                ),
        )
    };
    assert_eq!(scope("[\"src/**\"]", "[src/a.ts]"), ["contradiction"]);
    assert_eq!(
        scope("[\"src/**\"]", "[./src/a.ts, \"src/**\"]"),
        ["contradiction", "contradiction"]
    );
    assert_eq!(scope("[\"src/**\", \"!src/a.ts\"]", "[src/a.ts]"), [""; 0]);
    assert_eq!(scope("[a]", "[]"), ["nothing-may-change"]);
    let file = |extra: &str| {
        codes(&done(&format!(
            "done: [npm test, {{file: migrations/README.md, contains: x{extra}}}]"
        )))
    };
    assert_eq!(file(""), ["out-of-reach"]);
    assert_eq!(file(", already: true"), [""; 0]);
    assert_eq!(
        codes(&done("done: [npm test, {file: CHANGELOG.md, contains: x}]")),
        ["out-of-reach"]
    );
    assert_eq!(
        codes(&done(
            "done: [npm test, {file: ../src/a.md, in: web, contains: x}]"
        )),
        [""; 0]
    );
    assert_eq!(
        codes(&done(
            "done: [npm test, {file: CHANGELOG.md, exists: false}]"
        )),
        [""; 0]
    );
}

#[test]
fn doors_left_open_and_doors_that_are_painted_on() {
    let uses = |text: &str| codes(&with("use: {paths: [\"src/**\"]}", &format!("use: {text}")));
    assert_eq!(uses("{network: [\"0.0.0.0\"]}"), ["no-such-host"]);
    assert_eq!(uses("{network: [\"*.npmjs.org\"]}"), [""; 0]);
    assert_eq!(uses("{commands: [npm test, node]}"), ["command-line"]);
    assert_eq!(uses("{tools: [shel, read]}"), ["unknown-tool"]);
    let server = "mcp: [{name: docs, run: x}]";
    assert!(
        uses(&format!(
            "{{tools: [shell, docs__find, 'docs__*'], {server}}}"
        ))
        .is_empty()
    );
    assert_eq!(
        uses(&format!("{{tools: [docs, other__find], {server}}}")),
        ["unknown-tool", "unknown-tool"]
    );
    assert_eq!(
        codes(&with(
            "next: Smallest first.",
            "next: {attempts: 3, fix_when: {lines: 3}}"
        )),
        ["no-effect", "no-effect"]
    );
}

#[test]
fn limits_that_limit_nothing() {
    let stop = |text: &str| codes(&with("stop: {tokens: 2M}", &format!("stop: {text}")));
    assert_eq!(
        stop("{tokens: 2G, turns: 20k, hours: 100, no_progress: 60, usd: 2000}"),
        ["huge-limit"; 5]
    );
    assert_eq!(stop("{hours: 2}"), ["no-budget"]);
    assert_eq!(stop("{usd: 20}"), ["price-needed"]);
    assert_eq!(
        codes(&done("done: [{run: make, timeout: 5h}]")),
        ["huge-limit"]
    );
    assert_eq!(
        codes(&done("done: [{run: make, timeout: 20h}]")),
        ["huge-limit"]
    );
}

#[test]
fn facts_about_the_repository_find_patterns_that_match_nothing() {
    let facts = |paths: &[&str]| Facts {
        paths: Some(paths.iter().map(|p| p.to_string()).collect()),
    };
    let codes = |text: &str, paths: &[&str]| {
        lint(&good(text), &facts(paths))
            .iter()
            .map(|d| d.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(CLEAN, &["src/a.ts", "migrations/1.sql"]), [""; 0]);
    assert_eq!(
        codes(CLEAN, &["lib/a.ts"]),
        ["matches-nothing", "matches-nothing"]
    );
    assert_eq!(
        codes(&with("[\"migrations/**\"]", "[\"**\"]"), &["src/a.ts"]),
        ["nothing-may-change"]
    );
    let typo = with("[\"src/**\"]", "[src/chekout.ts]");
    let said = lint(
        &good(&typo),
        &facts(&["src/checkout.ts", "migrations/1.sql"]),
    );
    assert_eq!(
        said[0].suggestion.as_deref(),
        Some("did you mean \"src/checkout.ts\"?")
    );
    let inside = done("done: [{run: make, in: web}]");
    assert_eq!(
        codes(&inside, &["src/a.ts", "migrations/1.sql", "website/x"]),
        ["no-directory"]
    );
    assert_eq!(
        codes(&inside, &["src/a.ts", "migrations/1.sql", "web/x"]),
        [""; 0]
    );
}

#[test]
fn warnings_of_the_parser_are_among_the_findings() {
    let text = with(
        "stop: {tokens: 2M}",
        "stop: {tokens: 2M}\nitems: {from: linear, colour: red, outcomes: [flagged, unresolved]}",
    );
    assert_eq!(codes(&text), ["unknown-key"]);
}

#[test]
fn what_cannot_run_yet_is_said_plainly() {
    let later = |text: &str| {
        unsupported(&good(text))
            .iter()
            .map(|d| (d.code, d.severity))
            .collect::<Vec<_>>()
    };
    let error = ("not-yet", Severity::Error);
    assert_eq!(later(CLEAN), []);
    assert_eq!(later(&done("done: [npm test, {review: x}]")), [error]);
    assert_eq!(later(&with("next:", "notify: {command: x}\nnext:")), []);
    assert_eq!(
        later(&with("next:", "deliver: pull-request\nnext:")),
        [error]
    );
    assert_eq!(
        later(&with(
            "use: {",
            "use: {mcp: [{name: a, run: b}], sources: [b], "
        )),
        [error]
    );
    assert_eq!(
        later(&with("next:", "items: {from: file, path: a}\nnext:")),
        []
    );
    assert_eq!(later(&with("next:", "items: {from: mail}\nnext:")), [error]);
    assert_eq!(
        later(&with("next:", "items: {from: linear}\nnext:")),
        [error]
    );
    assert_eq!(
        later(&with(
            "next:",
            "items: {from: file, path: a, each: [{review: x}]}\nnext:"
        )),
        [error]
    );
}

#[test]
fn a_worklist_whose_items_cannot_end_or_whose_fixes_rest_on_nothing() {
    let items = |rest: &str, other: &str| {
        let items = format!("items: {{from: command, run: ./l.sh, {rest}}}");
        let text = CLEAN.replace("next: Smallest first.", &format!("{items}\nnext: {other}"));
        codes(&text)
    };
    let each = "each: [npm test]";
    let sound = format!("{each}, outcomes: [fixed, diagnosed]");
    assert_eq!(items(&sound, "Oldest first."), [""; 0]);
    assert_eq!(items(each, "Oldest first."), ["no-outcomes"]);
    assert_eq!(
        items("outcomes: [fixed, diagnosed]", "Oldest first."),
        ["no-each"]
    );
    assert_eq!(items("outcomes: [diagnosed]", "Oldest first."), [""; 0]);
    assert_eq!(
        items(&format!("{each}, outcomes: [fixed]"), "Oldest first."),
        ["unsolved-items"]
    );
    assert_eq!(
        items(
            &format!("{each}, outcomes: [fixed, flagged]"),
            "Oldest first."
        ),
        ["unsolved-items"]
    );
    assert_eq!(
        items(
            &format!("{each}, outcomes: [fixed, unresolved]"),
            "Oldest first."
        ),
        [""; 0]
    );
    let limits = "{prose: Oldest first., attempts: 3, fix_when: {functions: 1}}";
    assert_eq!(items(&sound, limits), [""; 0]);
    assert_eq!(
        items(&format!("{each}, outcomes: [fixed, unresolved]"), limits),
        ["fix-when-without-diagnosed"]
    );
    assert_eq!(items("outcomes: [diagnosed]", limits), ["no-effect"]);
    assert_eq!(
        items(
            "outcomes: [diagnosed], replay: ./replay.sh",
            "Oldest first."
        ),
        ["no-effect"]
    );
    let replayed = |from: &str| {
        let items = format!("items: {{{from}, {sound}, replay: ./replay.sh}}");
        codes(&CLEAN.replace("next: Smallest", &format!("{items}\nnext: Smallest")))
    };
    assert_eq!(replayed("from: command, run: ./l.sh"), [""; 0]);
    assert_eq!(
        replayed("from: github, project: a/b"),
        ["replay-without-events"]
    );
    let networked = |items: &str| {
        codes(
            &CLEAN
                .replace("use: {", "use: {network: [registry.npmjs.org], ")
                .replace("next:", &format!("{items}\nnext:")),
        )
    };
    assert_eq!(networked(""), [""; 0]);
    assert_eq!(
        networked(&format!("items: {{from: command, run: ./l.sh, {sound}}}")),
        ["items-without-network"]
    );
    // The same command may guard the run and its items, and not twice the items.
    let twice = "items: {from: command, run: ./l.sh, each: [{tests: npm test}], outcomes: [fixed, diagnosed]}\nnext:";
    let text = with("next:", twice).replace(
        "paths: [\"migrations/**\"]",
        "paths: [\"migrations/**\"], checks: [{tests: npm test}]",
    );
    assert_eq!(codes(&text), [""; 0]);
    assert_eq!(
        items(
            "each: [npm test, npm test], outcomes: [fixed, diagnosed]",
            "Oldest first."
        ),
        ["duplicate-check"]
    );
    let tracker = "items: {from: sentry, project: a/b, each: [npm test], outcomes: [fixed, diagnosed], on: {fixed: [resolve], diagnosed: [comment, resolve]}}\nnext:";
    let said = found(&with("next:", tracker));
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].code, "resolves-unsolved");
    assert!(said[0].message.contains("`diagnosed`"), "{}", said[0]);
}

#[test]
fn hidden_files_that_are_not_hidden_are_noticed() {
    let facts = Facts {
        paths: Some(vec!["tests/a.test.js".to_owned(), "src/a.js".to_owned()]),
    };
    let found = |check: &str, rest: &str| {
        let text = with("next:", &format!("{rest}next:")).replace(
            &CLEAN[CLEAN.find("done:").unwrap()..CLEAN.find("keep:").unwrap()],
            &format!("done: [{{tests: npm test, must_pass: [a], {check}}}]\n"),
        );
        lint(&good(&text), &facts)
            .into_iter()
            .filter(|d| d.code.starts_with("hidden"))
            .map(|d| (d.code, d.severity))
            .collect::<Vec<_>>()
    };
    let warning = |code| (code, Severity::Warning);
    assert_eq!(found("hidden: ../tests", ""), []);
    assert_eq!(found("hidden: ../tests, feedback: none", ""), []);
    assert_eq!(found("hidden: tests", ""), [warning("hidden-tracked")]);
    assert_eq!(found("hidden: ./src/a.js", ""), [warning("hidden-tracked")]);
    assert_eq!(
        found("hidden: ../tests, feedback: full", ""),
        [warning("hidden-told")]
    );
    assert_eq!(
        found("hidden: ../tests, feedback: names", ""),
        [warning("hidden-told")]
    );
    let diff = with("next:", "next:").replace(
        &CLEAN[CLEAN.find("done:").unwrap()..CLEAN.find("keep:").unwrap()],
        "done: [npm test, {diff: {allow: [src]}, hidden: ../x}]\n",
    );
    let diff = lint(&good(&diff), &facts);
    assert!(diff.iter().any(|d| d.code == "no-effect"), "{diff:?}");
}
