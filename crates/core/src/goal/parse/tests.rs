//! Goal files and what is read from them, or said about them. The bad ones are one snapshot: reviewing its diff is
//! reviewing what people are told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::diagnostic::{Diagnostic, Severity};
use super::super::lint::{Facts, lint, summary, unsupported};
use super::super::{
    Aim, Better, CHECK_TIMEOUT_DEFAULT_S, CheckKind, Deliver, Feedback, FileIs, FixWhen, Format,
    HOURS_DEFAULT, McpAt, NO_PROGRESS_DEFAULT, Order, Read, TURNS_DEFAULT,
};
use super::*;
use crate::item::{Outcome, Verb};

/// Every good goal file of the fixtures.
pub(in crate::goal) const GOOD: &[&str] = &[
    "design.md",
    "design-mail.md",
    "errors.md",
    "inbox.md",
    "feature.md",
    "coverage.md",
    "docs.md",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/goals")
}

pub(in crate::goal) fn fixture(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The file's contents by name, in order.
fn bad() -> BTreeMap<String, String> {
    let files = std::fs::read_dir(folder().join("bad")).unwrap();
    files
        .map(|f| f.unwrap().path())
        .map(|p| {
            (
                p.file_stem().unwrap().to_string_lossy().into_owned(),
                std::fs::read_to_string(&p).unwrap(),
            )
        })
        .collect()
}

pub(in crate::goal) fn good(text: &str) -> Parsed {
    parse(text).unwrap_or_else(|found| panic!("{}", render(text, &found)))
}

fn front(front: &str) -> String {
    format!("---\noutcome: It works.\n{front}\n---\nBrief.\n")
}

/// The first check of `done: [ENTRY]`.
fn check(entry: &str) -> super::super::Check {
    let indented = entry.trim().replace('\n', "\n    ");
    good(&front(&format!("done:\n  - {indented}")))
        .goal
        .done
        .remove(0)
}

fn codes(text: &str) -> Vec<&'static str> {
    match parse(text) {
        Ok(parsed) => parsed.warnings.iter().map(|d| d.code).collect(),
        Err(found) => found.iter().map(|d| d.code).collect(),
    }
}

/// Findings with the line that each points at, and a mark under the words.
pub(in crate::goal) fn render(text: &str, found: &[Diagnostic]) -> String {
    let mut out = String::new();
    for d in found {
        out.push_str(&format!(
            "{}[{}]: {}\n",
            d.severity.word(),
            d.code,
            d.message
        ));
        if let Some(at) = d.at {
            let line = text
                .split('\n')
                .nth(at.line - 1)
                .unwrap_or("")
                .trim_end()
                .trim_start_matches('\u{feff}');
            let marked = &text[at.span()];
            out.push_str(&format!(
                "{:>5} | {}\n",
                format!("{}:{}", at.line, at.column),
                line.replace('\t', "→")
            ));
            out.push_str(&format!(
                "      | {}{}\n",
                " ".repeat(at.column - 1),
                "^".repeat(marked.chars().count().max(1))
            ));
        }
        if let Some(help) = &d.suggestion {
            out.push_str(&format!("      = {}\n", help.replace('\n', "\n        ")));
        }
    }
    out
}

#[test]
fn every_bad_file_says_what_where_and_what_to_write() {
    let mut out = String::new();
    let files = bad();
    assert!(files.len() >= 60, "{} bad files", files.len());
    for (name, text) in files {
        let found = match parse(&text) {
            Ok(_) => panic!("{name} is accepted"),
            Err(found) => found,
        };
        assert!(
            found.iter().any(|d| d.severity == Severity::Error),
            "{name}"
        );
        for d in &found {
            assert!(d.at.is_some() && d.suggestion.is_some(), "{name}: {d}");
            assert!(
                !d.to_string().contains('\u{1b}'),
                "{name} lets an escape sequence through"
            );
        }
        out.push_str(&format!("──── {name}\n{}\n", render(&text, &found)));
    }
    insta::assert_snapshot!("bad", out);
}

#[test]
fn the_example_of_the_design_is_read_exactly() {
    let parsed = good(&fixture("design.md"));
    assert_eq!(parsed.warnings, []);
    assert_eq!(parsed.later, []);
    let goal = parsed.goal;
    assert_eq!(
        goal.outcome,
        "The checkout flow has a test suite that a reviewer trusts."
    );
    let ids: Vec<&str> = goal.done.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(
        ids,
        ["run-npm-run-lint", "branches", "cases", "file-changelog-md"]
    );
    assert_eq!(
        goal.done[0].kind,
        CheckKind::Run {
            command: "npm run lint".into()
        }
    );
    assert_eq!(
        goal.done[1].kind,
        CheckKind::Metric {
            command: "npx jest --coverage --coverageReporters=json-summary".into(),
            read: Read {
                format: Format::Istanbul,
                file: Some("coverage/coverage-summary.json".into()),
                value: "branches".into()
            },
            target: Aim::AtLeast(80.0),
        }
    );
    assert_eq!(goal.done[1].timeout_s, 600);
    assert_eq!(goal.done[0].timeout_s, CHECK_TIMEOUT_DEFAULT_S);
    assert_eq!(
        goal.done[2].kind,
        CheckKind::Tests {
            command: "npx jest --ci".into(),
            report: None,
            must_pass: vec![
                "pays with a valid card".into(),
                "shows the decline".into(),
                "rejects an expired coupon".into()
            ],
            proves_change: true,
        }
    );
    assert_eq!(
        goal.done[3].kind,
        CheckKind::File {
            path: "CHANGELOG.md".into(),
            is: FileIs::Containing("checkout tests".into())
        }
    );
    assert_eq!(goal.keep.paths, ["src/**", "!src/**/*.test.ts"]);
    assert_eq!(goal.keep.checks[0].id.as_str(), "tests-npm-test");
    assert_eq!(goal.keep.checks[0].role, Role::Keep);
    assert_eq!(
        goal.uses.paths.as_deref(),
        Some(
            [
                "src/flows/checkout/**/*.test.ts".to_owned(),
                "CHANGELOG.md".to_owned()
            ]
            .as_slice()
        )
    );
    assert_eq!(goal.uses.network, Vec::<String>::new());
    assert_eq!(goal.uses.files, [".env.test"]);
    assert_eq!(goal.uses.setup.as_deref(), Some("npm ci"));
    assert_eq!(goal.uses.model.as_deref(), Some("openai/gpt-5.5"));
    assert_eq!(
        goal.next.prose.as_deref(),
        Some("Smallest untested branch first.")
    );
    assert_eq!(
        (goal.stop.turns, goal.stop.tokens, goal.stop.no_progress),
        (80, Some(2_000_000), 6)
    );
    assert_eq!((goal.stop.usd, goal.stop.hours), (Some(20.0), 5.0));
    assert_eq!(goal.deliver, Deliver::Branch);
    let items = goal.items.unwrap();
    assert_eq!(
        (items.from.as_str(), items.outcomes),
        ("command", vec!["fixed".into(), "diagnosed".into()])
    );
    assert_eq!(items.spec.to_string(), r#"{"run":"./list-open-cases.sh"}"#);
    assert_eq!(
        (items.order, items.limit, items.parallel),
        (Order::Oldest, Some(15), 2)
    );
    let each: Vec<_> = items.each.iter().map(|c| (c.id.as_str(), c.role)).collect();
    assert_eq!(each, [("each-tests-npm-test", Role::Keep)]);
    assert_eq!((items.replay, items.work_on_new), (None, false));
    assert!(items.on.is_empty());
    assert_eq!(
        goal.brief,
        "The brief: what a colleague would want to know before starting."
    );
}

#[test]
fn the_mail_example_of_the_design_is_read_exactly() {
    let parsed = good(&fixture("design-mail.md"));
    assert_eq!(parsed.warnings, []);
    let goal = parsed.goal;
    assert_eq!(goal.categories.len(), 5);
    assert_eq!(goal.categories[2]["do"]["move"], "Receipts");
    assert_eq!(goal.items.unwrap().spec["mailbox"], "maildir:~/Mail");
    let CheckKind::Later { kind, spec } = &goal.done[0].kind else {
        panic!("{:?}", goal.done[0])
    };
    assert_eq!(
        (kind.as_str(), spec.to_string()),
        (
            "query",
            r#"{"query":{"folder":"INBOX"},"at_most":100}"#.into()
        )
    );
    assert_eq!(goal.stop.tokens, Some(1_000_000));
    assert_eq!(goal.brief, "");
}

#[test]
fn the_goals_that_every_release_must_express_are_read_and_not_refused() {
    for name in GOOD {
        let parsed = good(&fixture(name));
        assert_eq!(parsed.warnings, [], "{name}");
        let found = lint(&parsed, &Facts::default());
        assert!(
            !super::super::diagnostic::refuses(&found),
            "{name}:\n{}",
            render(&fixture(name), &found)
        );
    }
}

#[test]
fn a_goal_survives_json() {
    for name in GOOD {
        let goal = good(&fixture(name)).goal;
        let json = serde_json::to_string(&goal).unwrap();
        assert_eq!(serde_json::from_str::<Goal>(&json).unwrap(), goal, "{name}");
    }
}

#[test]
fn the_smallest_goal_of_the_messages_is_one() {
    let goal = good(SMALLEST_GOAL).goal;
    assert_eq!(goal.done[0].id.as_str(), "run-npm-test");
    assert_eq!(goal.brief, "What a colleague would want to know.");
}

#[test]
fn defaults_are_those_of_the_constants() {
    let goal = good(&front("done: [a]\nstop: {turns: 5}")).goal;
    assert_eq!(
        (goal.stop.turns, goal.stop.hours, goal.stop.no_progress),
        (5, HOURS_DEFAULT, NO_PROGRESS_DEFAULT)
    );
    let goal = good(&front("done: [a]\nstop: {hours: 1h30m}")).goal;
    assert_eq!((goal.stop.turns, goal.stop.hours), (TURNS_DEFAULT, 1.5));
    assert_eq!((goal.deliver, goal.uses.paths), (Deliver::Branch, None));
}

#[test]
fn carriage_returns_and_a_byte_order_mark_change_nothing() {
    let text = fixture("coverage.md");
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let (plain, windows) = (good(&text), good(&windows));
    assert_eq!(plain.goal, windows.goal);
    assert_eq!(
        plain.positions.at("done[0].at_least").line,
        windows.positions.at("done[0].at_least").line
    );
    assert_eq!(
        plain.positions.at("outcome").column,
        windows.positions.at("outcome").column
    );
    let found = parse("\u{feff}---\r\noutcom: x\r\n---\r\n").unwrap_err();
    assert_eq!(
        found[0].at.map(|p| (p.line, p.column, p.offset, p.length)),
        Some((2, 1, 8, 6))
    );
}

#[test]
fn blank_lines_and_trailing_blanks_around_the_fences_are_allowed() {
    let goal =
        good("\n\n--- \noutcome: It works.\ndone: [a]\n---  \n\n\nBrief\n---\nmore\n\n").goal;
    assert_eq!(goal.brief, "Brief\n---\nmore");
    assert_eq!(good("---\noutcome: x\n---").goal.outcome, "x");
    assert_eq!(good("---\n---\n").goal.outcome, "");
}

#[test]
fn ids_are_made_from_kind_and_command_and_are_unique() {
    let goal = good(&front(
        "done:\n  - npm test\n  - npm test\n  - {id: run-npm-test-2, run: make}\n  - {run: npm test, in: ./packages/web/}\n  - {diff: {forbid: [a]}}\n  - {review: 'ü'}\nkeep: {checks: [npm test, {tests: \"cargo test --workspace --all-features -- --include-ignored\"}]}",
    ))
    .goal;
    let ids: Vec<&str> = goal.checks().map(|c| c.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "run-npm-test",
            "run-npm-test-3",
            "run-npm-test-2",
            "run-npm-test-packages-web",
            "diff-a",
            "review",
            "run-npm-test-4",
            "tests-cargo-test-workspace-all-features"
        ]
    );
    assert_eq!(goal.done[3].dir, "packages/web");
}

#[test]
fn checks_take_every_form() {
    assert_eq!(
        check("run: |\n  npm ci\n  npm test").kind,
        CheckKind::Run {
            command: "npm ci\nnpm test".into()
        }
    );
    let metric = check("metric: du -s dist\nno_worse: lower");
    let CheckKind::Metric { read, target, .. } = metric.kind else {
        panic!()
    };
    assert_eq!(target, Aim::NoWorse(Better::Lower));
    assert_eq!(
        (read.format, read.file, read.value.as_str()),
        (Format::Regex, None, kinds::OUTPUT_IS_A_NUMBER)
    );
    let number = regex::Regex::new(kinds::OUTPUT_IS_A_NUMBER).unwrap();
    for (output, value) in [
        ("85\n", "85"),
        (" 85.5 %\n", "85.5"),
        ("-1e3", "-1e3"),
        (".5", ".5"),
    ] {
        assert_eq!(&number.captures(output).unwrap()[1], value);
    }
    for output in ["", "85 of 90", "85\n90", "v1"] {
        assert!(!number.is_match(output), "{output}");
    }
    for (text, better) in [
        ("true", Better::Higher),
        ("higher", Better::Higher),
        ("lower", Better::Lower),
    ] {
        let CheckKind::Metric { target, .. } = check(&format!("metric: a\nno_worse: {text}")).kind
        else {
            panic!()
        };
        assert_eq!(target, Aim::NoWorse(better));
    }
    let CheckKind::Metric { read, .. } =
        check("metric: a\nread: {format: json, value: /totals/lines}\nequals: 3").kind
    else {
        panic!()
    };
    assert_eq!(
        (read.format, read.value.as_str()),
        (Format::Json, "/totals/lines")
    );
    for (format, value, wanted) in [
        ("istanbul", "lines", Format::Istanbul),
        ("lcov", "lines", Format::Lcov),
        ("cobertura", "lines", Format::Cobertura),
        ("coverage_py", "statements", Format::CoveragePy),
        ("llvm-cov", "regions", Format::LlvmCov),
        ("jacoco", "instructions", Format::Jacoco),
        ("go-cover", "statements", Format::GoCover),
        ("clover", "elements", Format::Clover),
        ("nyc-text", "functions", Format::NycText),
        // The other spelling of the same names.
        ("coverage-py", "lines", Format::CoveragePy),
        ("go_cover", "statements", Format::GoCover),
    ] {
        let CheckKind::Metric { read, .. } = check(&format!(
            "metric: a\nread: {{format: {format}, file: x, value: {value}}}\nat_most: 3"
        ))
        .kind
        else {
            panic!()
        };
        assert_eq!((read.format, read.value.as_str()), (wanted, value));
    }
    assert_eq!(
        check("diff: {allow: ['src/**'], forbid: ['*.snap']}").kind,
        CheckKind::Diff {
            allow: vec!["src/**".into()],
            forbid: vec!["*.snap".into()]
        }
    );
    assert_eq!(
        check("file: a.md").kind,
        CheckKind::File {
            path: "a.md".into(),
            is: FileIs::There(true)
        }
    );
    assert_eq!(
        check("file: a.md\nexists: false").kind,
        CheckKind::File {
            path: "a.md".into(),
            is: FileIs::There(false)
        }
    );
    assert_eq!(
        check("file: ../a.md\nin: docs\nmatches: '^# A'").kind,
        CheckKind::File {
            path: "../a.md".into(),
            is: FileIs::Matching("^# A".into())
        }
    );
    assert_eq!(
        check("mutation: npm test\npaths: [src/**]\nat_least: 60\nsample: 30").kind,
        CheckKind::Mutation {
            command: "npm test".into(),
            paths: vec!["src/**".into()],
            target: Aim::AtLeast(60.0),
            sample: Some(30)
        }
    );
    assert!(check("run: a\nalready: true").already);
    let hidden = check("tests: a\nhidden: ~/secret\nruns: 5");
    assert_eq!(
        (hidden.hidden.as_deref(), hidden.feedback, hidden.runs),
        (Some("~/secret"), Feedback::Verdict, 5)
    );
    assert_eq!(check("run: a\nfeedback: none").feedback, Feedback::None);
    assert_eq!(check("run: a\ntimeout: 1h30m").timeout_s, 5_400);
    for kind in ["page", "http", "query", "review", "person", "docs"] {
        let check = check(&format!(
            "{kind}: {{anything: [1, {{a: b}}]}}\nmore: true\nat_least: 1\ntimeout: 5m"
        ));
        let CheckKind::Later { kind: found, spec } = check.kind else {
            panic!()
        };
        assert_eq!(found, kind);
        assert_eq!(
            spec.to_string(),
            format!(r#"{{"{kind}":{{"anything":[1,{{"a":"b"}}]}},"more":true,"at_least":1}}"#)
        );
        assert_eq!(check.timeout_s, 300);
    }
}

#[test]
fn every_key_of_use_next_stop_and_items_is_read() {
    let parsed = good(&front(
        "done: [a]\nuse:\n  paths: []\n  commands: [npm, node]\n  network: [localhost:5432, '*.npmjs.org']\n  files: [.env]\n  setup: npm ci\n  model: scripted/turns.yaml\n  tools: [shell, read]\n  mcp: [{name: x, command: y}]\n  sources: [sentry]\nnext: {prose: Small first., attempts: 3, fix_when: {functions: 1, lines: 40, files: 2}}\nstop: {turns: 1k, tokens: 1_500_000, usd: 0.5, hours: 90m, no_progress: 3, questions: [May a dependency be added?]}\ndeliver: none\nnotify: {webhook: 'https://example.org'}",
    ));
    let goal = &parsed.goal;
    assert_eq!(goal.uses.paths.as_deref(), Some([].as_slice()));
    assert_eq!(goal.uses.commands.as_ref().unwrap().len(), 2);
    assert_eq!(goal.uses.network, ["localhost:5432", "*.npmjs.org"]);
    assert_eq!(
        goal.uses.mcp[0].at,
        McpAt::Run {
            command: "y".into()
        }
    );
    assert_eq!(goal.next.attempts, Some(3));
    assert_eq!(
        goal.next.fix_when,
        Some(FixWhen {
            functions: Some(1),
            lines: Some(40),
            files: Some(2)
        })
    );
    assert_eq!(
        (goal.stop.turns, goal.stop.tokens, goal.stop.usd),
        (1_000, Some(1_500_000), Some(0.5))
    );
    assert_eq!((goal.stop.hours, goal.stop.no_progress), (1.5, 3));
    assert_eq!(goal.questions, ["May a dependency be added?"]);
    assert_eq!(goal.deliver, Deliver::None);
    let later: Vec<&str> = parsed.later.iter().map(|l| l.key).collect();
    assert_eq!(later, ["sources"]);
    for (deliver, parsed) in [
        ("branch", Deliver::Branch),
        ("patch", Deliver::Patch),
        ("pull-request", Deliver::PullRequest),
    ] {
        assert_eq!(
            good(&front(&format!("done: [a]\ndeliver: {deliver}")))
                .goal
                .deliver,
            parsed
        );
    }
    let items = good(&front(
        "items: {from: file, path: cases.csv, act: ./act.sh, replay: ./replay.sh, on: {fixed: [tick]}, outcomes: [fixed, flagged], parallel: 4, new: work}",
    ));
    assert_eq!(items.warnings, []);
    let items = items.goal.items.unwrap();
    assert_eq!(
        items.spec.to_string(),
        r#"{"path":"cases.csv","act":"./act.sh"}"#
    );
    assert_eq!(items.replay.as_deref(), Some("./replay.sh"));
    assert!(items.work_on_new);
    // The command is started for every outcome, beside what `on` says.
    assert_eq!(
        items.on,
        BTreeMap::from([
            (Outcome::Fixed, vec![Verb::Tick, Verb::Command]),
            (Outcome::Flagged, vec![Verb::Command]),
        ])
    );
}

#[test]
fn a_worklist_says_what_is_done_to_its_items() {
    let items = |rest: &str| {
        good(&front(&format!("items: {{{rest}}}")))
            .goal
            .items
            .unwrap()
    };
    let tracker = items(
        "from: github, url: 'https://bugs.example.org', project: 7, token: BUGSINK_TOKEN, assign: ann, outcomes: [fixed, diagnosed, skipped-by-rule], on: {fixed: [comment, resolve, assign], diagnosed: comment}",
    );
    assert_eq!(
        tracker.on,
        BTreeMap::from([
            (
                Outcome::Fixed,
                vec![Verb::Comment, Verb::Resolve, Verb::Assign]
            ),
            (Outcome::Diagnosed, vec![Verb::Comment]),
        ])
    );
    // A project's number is text, as its name would be.
    assert_eq!(tracker.spec["project"], "7");
    assert_eq!(tracker.spec["token"], "BUGSINK_TOKEN");
    assert_eq!(
        tracker.allowed().collect::<Vec<_>>(),
        [Outcome::Fixed, Outcome::Diagnosed, Outcome::SkippedByRule]
    );
    // `on` says for which outcomes the command is started.
    let some = items(
        "from: command, run: ./l.sh, act: ./a.sh, outcomes: [fixed, flagged], on: {flagged: act}",
    );
    assert_eq!(
        some.on,
        BTreeMap::from([(Outcome::Flagged, vec![Verb::Command])])
    );
    // Without outcomes there are the usual ones; nothing is done to anybody's items without being asked for.
    let plain = items("from: command, run: ./l.sh");
    assert_eq!(plain.outcomes, ["fixed", "diagnosed"]);
    assert_eq!((plain.on.len(), plain.parallel, plain.limit), (0, 1, None));
    assert_eq!(plain.order, Order::Source);
}

#[test]
fn checks_of_items_have_names_that_no_other_check_takes() {
    let goal = good(&front(
        "done: [{tests: npm test}]\nkeep: {checks: [{tests: npm test}]}\nitems: {from: command, run: ./l.sh, each: [{tests: npm test}, npm test, {id: lint, run: npm run lint}]}",
    ))
    .goal;
    let ids: Vec<&str> = goal.checks().map(|c| c.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "tests-npm-test",
            "tests-npm-test-2",
            "each-tests-npm-test",
            "each-run-npm-test",
            "lint"
        ]
    );
    assert_eq!(
        codes(&front(
            "done: [{id: lint, run: a}]\nitems: {from: command, run: ./l.sh, each: [{id: lint, run: b}]}"
        )),
        ["duplicate-id"]
    );
}

#[test]
fn a_secret_in_a_worklist_is_refused_and_not_repeated() {
    for secret in [
        "token: sntryu_0123456789abcdef",
        "token: 0123456789abcdef0123456789abcdef",
        "api_key: 0123456789abcdef",
        "password: hunter2",
        "headers: {Authorization: Bearer 0123456789abcdef}",
        "url: 'https://ann:0123456789abcdef@bugs.example.org'",
        "query: 'is:open ghp_0123456789abcdef'",
        "run: 'TOKEN=sntrys_0123456789abcdef ./list.sh'",
    ] {
        let text = front(&format!("items: {{from: datadog, {secret}}}"));
        let found = parse(&text).expect_err(secret);
        assert!(found.iter().any(|d| d.code == "bad-token"), "{secret}");
        for d in found {
            let said = d.to_string();
            assert!(
                !said.contains("0123456789") && !said.contains("hunter2"),
                "{said}"
            );
        }
    }
    for fine in [
        "token: SENTRY_AUTH_TOKEN",
        "app_token: DD_APP_KEY",
        "query: 'assigned:ann@example.org'",
        "url: 'https://bugs.example.org/@ann:x'",
    ] {
        good(&front(&format!("items: {{from: datadog, {fine}}}")));
    }
}

#[test]
fn every_value_has_its_place() {
    let text = fixture("coverage.md");
    let positions = good(&text).positions;
    let marked = |path: &str| text[positions.at(path).span()].to_owned();
    assert_eq!(marked("done[0].at_least"), "80");
    assert_eq!(marked("done[0].read.value"), "branches");
    assert_eq!(marked("done[1].must_pass[2]"), "\"invalid coupon code\"");
    assert_eq!(marked("keep.paths"), "paths");
    assert_eq!(marked("keep.paths[3]"), "\"jest.config.*\"");
    assert!(marked("brief").starts_with("Write a Jest"));
    // What is missing stands where it would be written.
    assert_eq!(marked("deliver"), "---");
    assert_eq!(positions.at("deliver").line, 24);
    assert_eq!(marked("stop.usd"), "stop");
    assert!(positions.has("stop.hours") && !positions.has("stop.usd") && !positions.has("done[9]"));
}

#[test]
fn size_and_encoding_are_checked_first() {
    let large = "x".repeat(GOAL_BYTES_MAX + 1);
    assert_eq!(codes(&large), ["too-large"]);
    assert_eq!(decode(large.as_bytes()).unwrap_err()[0].code, "too-large");
    let long = format!(
        "---\noutcome: x\ndone: [a]\n---\n{}",
        "x".repeat(GOAL_BYTES_MAX - 100)
    );
    assert!(parse(&long).is_ok(), "a long brief is no problem");
    let broken = decode(b"---\na: \xff\n").unwrap_err();
    assert_eq!(
        broken[0].to_string(),
        "2:4: error[not-utf8]: the file is not UTF-8 from here on (help: save it as UTF-8 text)"
    );
    assert!(
        decode(b"\xff\xfe-\0").unwrap_err()[0]
            .message
            .contains("UTF-16")
    );
    assert_eq!(decode("ä".as_bytes()), Ok("ä"));
}

#[test]
fn numbers_of_things_are_bounded() {
    let entries = |n: usize| vec!["a"; n].join(", ");
    assert_eq!(
        codes(&front(&format!("done: [{}]", entries(501)))),
        ["too-many"]
    );
    assert_eq!(
        codes(&front(&format!(
            "done: [a]\nkeep: {{paths: [{}]}}",
            entries(2_001)
        ))),
        ["too-many"]
    );
    let command = "x".repeat(130_000);
    assert_eq!(
        codes(&front(&format!("done:\n  - |\n    {command}"))),
        ["too-long"]
    );
    let many: String = (0..500).map(|n| format!("k{n}: 1\n")).collect();
    let found = parse(&front(&many)).unwrap_err();
    assert_eq!(found.len(), super::super::diagnostic::DIAGNOSTICS_MAX + 1);
    assert_eq!(
        found.last().unwrap().message,
        "400 further findings are not shown"
    );
}

#[test]
fn aliases_work_and_are_bounded() {
    let goal = good(&front(
        "done:\n  - &lint {run: npm run lint}\nkeep: {checks: [*lint]}",
    ))
    .goal;
    assert_eq!(goal.keep.checks[0].kind, goal.done[0].kind);
    assert_eq!(codes(&front("done: [&a [*a]]")), ["yaml-alias"]);
}

/// Parses, lints and sums up; everything that is said must be in place and the same every time.
fn is_sound(text: &str) {
    let judge = |text: &str| match parse(text) {
        Ok(parsed) => {
            let facts = Facts {
                paths: Some(vec!["src/a.ts".into(), "README.md".into()]),
            };
            let mut found = lint(&parsed, &facts);
            found.extend(unsupported(&parsed));
            (found, Some((parsed.goal.clone(), summary(&parsed.goal))))
        }
        Err(found) => {
            assert!(super::super::diagnostic::refuses(&found));
            (found, None)
        }
    };
    let (found, goal) = judge(text);
    for d in &found {
        if let Some(at) = d.at {
            assert!(text.get(at.span()).is_some(), "{d} is outside of the text");
            assert!(at.line >= 1 && at.column >= 1 && at.line <= text.split('\n').count());
        }
        assert!(d.message.chars().all(|c| !c.is_control()), "{d:?}");
    }
    assert_eq!((found, goal), judge(text));
}

fn pieces() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "---\n",
        "outcome: ",
        "done:",
        "\n  - ",
        "run: ",
        "tests: ",
        "metric: ",
        "read: ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        ": ",
        "\n",
        "\r\n",
        "\t",
        "  ",
        "\"",
        "'",
        "&a ",
        "*a",
        "!x",
        "|",
        ">",
        "#",
        "keep: ",
        "use: ",
        "stop: ",
        "80",
        "2M",
        "1h",
        "paths: ",
        "in: ",
        "../",
        "**",
        "ä",
        "\u{feff}",
        "\0",
        "\u{1b}[31m",
        "items: ",
        "from: ",
        "true",
        "null",
        "? ",
        "%",
        "@",
        "`",
        "at_least: ",
        "must_pass: ",
        "\u{2028}",
        "\u{85}",
        "𝒳",
        "-",
    ]);
    prop::collection::vec(words, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_text_is_too_strange(text in any::<String>(), fenced in any::<bool>()) {
        is_sound(&if fenced { format!("---\n{text}\n---\n") } else { text });
    }

    #[test]
    fn no_soup_of_yaml_is_too_strange(text in pieces()) {
        is_sound(&format!("---\n{text}\n---\n"));
    }

    #[test]
    fn no_change_of_a_good_goal_is_too_strange(
        which in 0..GOOD.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, pieces()), 1..5),
    ) {
        let mut chars: Vec<char> = fixture(GOOD[which]).chars().collect();
        for (at, how, piece) in edits {
            if chars.is_empty() {
                break;
            }
            let at = at.index(chars.len());
            match how {
                0 => {
                    chars.remove(at);
                }
                1 => {
                    chars.splice(at..at, piece.chars().take(8));
                }
                2 => {
                    let end = (at + 30).min(chars.len());
                    chars.drain(at..end);
                }
                _ => {
                    let end = (at + 30).min(chars.len());
                    let copy: Vec<char> = chars[at..end].to_vec();
                    chars.splice(at..at, copy);
                }
            }
        }
        is_sound(&chars.into_iter().collect::<String>());
    }
}
