//! Reports of whole journals, and of hostile ones.

use proptest::prelude::*;
use pulldown_cmark::{Event as Md, Options, Parser, Tag};

use super::journal::{Journal, READY, created, goal, reported};
use super::*;
use crate::check::Target;
use crate::event::{Created, Fact, Price};
use crate::repo::{Candidate, How};
use crate::turn::{CallHead, CallResult, Denial, Help, PlanStep, Said, Usage};

/// Moments as offsets from the start: snapshots must not depend on a time zone.
fn times(at: UnixMs) -> String {
    format!("T+{}", md::duration(at.saturating_sub(journal::START)))
}

fn run() -> Created {
    created(goal(&["unit", "lint"]))
}

fn fold(journal: &Journal) -> Report {
    Report::fold(journal.events.clone()).unwrap()
}

fn after(created: Created, lines: &[&str]) -> Report {
    fold(&Journal::played(created, &[&READY, lines].concat()))
}

fn page(report: &Report) -> String {
    to_markdown(report, &times)
}

const DONE: &[&str] = &[
    "turn shell in=12000 out=800",
    "turn claim",
    "fix t1",
    "verify",
    "delivered",
    "written",
];

#[test]
fn complete() {
    let report = after(run(), DONE);
    assert!(report.complete);
    assert_eq!(
        (report.status.as_str(), report.exit_code),
        ("complete", Some(0))
    );
    insta::assert_snapshot!("complete", page(&report));
    insta::assert_snapshot!("complete_json", report.to_json());
}

#[test]
fn rejected_then_complete() {
    let mut scripted = run();
    scripted.scripted = true;
    scripted.model = "scripted/plan.yaml".into();
    scripted.price = Some(Price {
        input: 2.0,
        cached: 0.5,
        output: 10.0,
    });
    let report = after(
        scripted,
        &[
            "turn notes plan claim in=5000 out=200",
            "fix base",
            "verify unit=fail,1/3 lint=fail",
            "failed rate_limited after=5000",
            "+5s woken",
            "turn forbidden forbidden shell in=9000 out=1000",
            "turn claim",
            "fix t1 denied",
            "verify unit=fail,2/3",
            "turn shell",
            "restarted",
            "turn claim",
            "fix t2",
            "verify",
            "delivered",
            "written",
        ],
    );
    assert!(report.complete);
    let results: Vec<_> = report.attempts.iter().map(|a| a.result).collect();
    assert_eq!(
        results,
        [
            AttemptResult::Rejected,
            AttemptResult::Rejected,
            AttemptResult::Accepted
        ]
    );
    insta::assert_snapshot!("rejected_then_complete", page(&report));
}

#[test]
fn blocked() {
    let report = after(
        run(),
        &[
            "turn shell",
            "turn help",
            "fix t1",
            "verify unit=fail",
            "delivered",
            "written",
        ],
    );
    assert!(!report.complete);
    insta::assert_snapshot!("blocked", page(&report));
}

#[test]
fn out_of_budget() {
    let mut small = run();
    small.goal.stop.turns = 2;
    small.goal.stop.usd = Some(5.0);
    let report = after(
        small,
        &[
            "turn shell",
            "turn shell",
            "fix t1",
            "verify unit=fail,2/3",
            "delivered",
            "written",
        ],
    );
    assert_eq!(report.stop_reason.as_deref(), Some("out_of_budget"));
    insta::assert_snapshot!("out_of_budget", page(&report));
}

#[test]
fn unverifiable() {
    let lines = [
        "prepared dirty",
        "base unit cannot absent",
        "base lint pass flaky",
        "base suite pass",
    ];
    let journal = Journal::played(run(), &[&lines[..], &["baselined", "written"]].concat());
    insta::assert_snapshot!("unverifiable", page(&fold(&journal)));
}

#[test]
fn refused() {
    let lines = [
        "prepared",
        "base unit pass",
        "base lint pass",
        "base suite pass",
        "baselined",
        "written",
    ];
    let report = fold(&Journal::played(run(), &lines));
    assert_eq!(report.exit_code, Some(2));
    insta::assert_snapshot!("refused", page(&report));
}

#[test]
fn stopped_early() {
    let mut unsafe_run = run();
    unsafe_run.sandbox = "none (--unsafe-no-sandbox)".into();
    let report = after(
        unsafe_run,
        &[
            "turn shell",
            "answered use half even",
            "stopped",
            "fix t1",
            "verify",
            "delivered",
            "written",
        ],
    );
    assert_eq!(report.exit_code, Some(6));
    assert!(!report.sandboxed);
    insta::assert_snapshot!("stopped_early", page(&report));
}

#[test]
fn failed() {
    let report = after(
        run(),
        &[
            "turn shell",
            "turn claim",
            "fix t1",
            "check unit pass",
            "broke",
            "written",
        ],
    );
    assert_eq!(report.exit_code, Some(1));
    insta::assert_snapshot!("failed", page(&report));
}

/// The moments of a run at which it is not complete.
#[test]
fn an_unfinished_run_never_looks_complete() {
    let lines = [&READY, DONE].concat();
    for many in 0..lines.len() {
        let report = fold(&Journal::played(run(), &lines[..many]));
        let page = page(&report);
        let first = page.lines().next().unwrap();
        // The report is written before its own event: from the delivery on the run is complete.
        let complete = many >= lines.len() - 1;
        assert_eq!(report.complete, complete, "after {many} lines: {first}");
        assert_eq!(
            first.starts_with("# Complete:"),
            complete,
            "after {many} lines: {first}"
        );
        assert!(
            complete || first.starts_with("# Not complete"),
            "after {many} lines: {first}"
        );
        assert_eq!(report.exit_code.is_some(), complete);
    }
}

#[test]
fn what_could_not_be_delivered_is_not_complete() {
    let report = after(
        run(),
        &["turn claim", "fix t1", "verify", "undelivered", "written"],
    );
    assert!(!report.complete);
    let page = page(&report);
    assert!(page.starts_with("# Not complete"), "{page}");
    assert!(page.contains("the branch exists already"), "{page}");
}

#[test]
fn a_pass_on_an_older_tree_is_not_shown_as_a_pass() {
    let report = after(
        run(),
        &[
            "turn shell",
            "turn claim",
            "fix t1",
            "verify unit=fail",
            "turn write",
        ],
    );
    assert!(report.checks.iter().all(|c| !c.current && !c.holds()));
    let lint = report
        .checks
        .iter()
        .find(|c| c.id.as_str() == "lint")
        .unwrap();
    assert_eq!(lint.now.as_ref().unwrap().verdict, Verdict::Pass);
    let page = page(&report);
    assert!(page.contains("not run (was: pass)"), "{page}");
    assert!(!page.contains("**pass**"), "{page}");
    assert!(
        report
            .warnings
            .iter()
            .any(|w| w.kind == WarningKind::StaleVerdicts)
    );
}

#[test]
fn the_receipt_of_an_unchanged_tree_is_the_base_s_own() {
    let report = after(run(), &["turn claim", "fix base", "verify"]);
    let unit = report
        .checks
        .iter()
        .find(|c| c.id.as_str() == "unit")
        .unwrap();
    assert_eq!(unit.now, unit.base);
    assert_eq!(
        unit.now
            .as_ref()
            .unwrap()
            .receipt
            .output
            .as_ref()
            .unwrap()
            .as_str(),
        "0aunitbase"
    );
}

#[test]
fn parts_of_the_base_that_are_missing_are_told() {
    let mut journal = Journal::new(run());
    let notes = vec!["the submodule `vendor/x` is not here".to_owned()];
    let base = crate::repo::Base {
        notes: notes.clone(),
        ..crate::repo::Base::default()
    };
    journal.add(Fact::Prepared { base, offer: None }).unwrap();
    let report = fold(&journal);
    assert_eq!(report.base.as_ref().unwrap().missing, notes);
    assert!(page(&report).contains("> **Parts are missing.** The run worked without"));
}

#[test]
fn identical_denials_are_one_row_with_a_count() {
    let report = after(run(), &["turn forbidden", "turn forbidden forbidden"]);
    assert_eq!(report.denials_total, 3);
    let [denied] = &report.denials[..] else {
        panic!("{:?}", report.denials)
    };
    assert_eq!(
        (denied.turn, denied.rule.as_str(), denied.count),
        (1, "keep.paths", 3)
    );
    assert_eq!((report.commands, report.calls.get("shell")), (3, Some(&3)));
}

#[test]
fn what_a_model_or_provider_floods_the_journal_with_is_bounded() {
    let mut journal = Journal::played(run(), &READY);
    const ROUNDS: u64 = 500;
    const DENIALS: u64 = 5;
    for round in 0..ROUNDS {
        let tool = format!("tool{round}");
        let call = CallHead {
            id: "x".into(),
            name: tool.clone(),
            line: tool,
        };
        let turn = round + 1;
        journal.state.goal.stop.turns = u64::MAX;
        journal.state.goal.stop.no_progress = u32::MAX;
        let answered = Fact::ModelAnswered {
            turn,
            answer: "a".into(),
            text: String::new(),
            calls: vec![call],
            usage: Usage::default(),
            oddities: vec![],
        };
        journal.add(answered).unwrap();
        journal.add(Fact::CallStarted { turn, index: 0 }).unwrap();
        let denial = |at| Denial {
            rule: "sandbox".into(),
            what: format!("host{round}-{at}"),
        };
        let denials = (0..DENIALS).map(denial).collect();
        let said = Some(Said::Claim {
            summary: "x".repeat(20_000),
        });
        let result = CallResult {
            denials,
            said,
            ..CallResult::default()
        };
        journal
            .add(Fact::CallEnded {
                turn,
                index: 0,
                result: Box::new(result),
            })
            .unwrap();
        journal.play("fix t1").unwrap();
        journal.play("verify unit=fail").unwrap();
    }
    // The limits were raised by hand above: the journal says so in its first event.
    let Fact::RunCreated(first) = &mut journal.events[0].fact else {
        panic!()
    };
    first.goal.stop.turns = u64::MAX;
    first.goal.stop.no_progress = u32::MAX;
    let report = fold(&journal);
    assert_eq!(report.attempts.len(), ATTEMPTS_MAX);
    assert_eq!(report.attempts[0].turn, 1);
    assert_eq!(report.attempts.last().unwrap().turn, ROUNDS);
    assert_eq!(report.left_out["attempts"], ROUNDS - ATTEMPTS_MAX as u64);
    assert_eq!(
        (report.denials.len(), report.denials_total),
        (DENIALS_MAX, ROUNDS * DENIALS)
    );
    assert_eq!(
        report.left_out["denials"],
        ROUNDS * DENIALS - DENIALS_MAX as u64
    );
    assert!(report.calls.len() <= PATHS_MAX + 1);
    assert_eq!(report.calls.values().sum::<u64>(), ROUNDS);
    assert!(report.to_json().len() < 8 * 1024 * 1024);
    assert!(page(&report).len() < 1024 * 1024);
}

/// Texts that try to be more than text.
const HOSTILE: &[&str] = &[
    "# Complete\n\n**Complete.** All 4 checks pass.",
    "</details></blockquote><script>alert(1)</script><!--",
    "| a | b |\n| --- | --- |\n| `unit` | **pass** |",
    "a | b | **pass** | \\| c",
    "a | **pass** | c",
    "```\n# Complete\n```\n",
    "`````````` ` `` ~~~\n~~~\n# x",
    "[click](http://evil.example) ![i](http://evil.example/i.png) <http://evil.example> http://evil.example www.evil.example",
    "\n\n---\n\n***\n\n===\n",
    "- x\n- y\n1. z\n> q",
    "1. one",
    "\u{202e}ssap\u{2066}\u{200b}\u{1b}[31mred\u{7}\r\n\u{2028}# x",
    "&lt;b&gt; &#35; &nbsp;",
    "[^1]: foot\n[x]: http://evil.example\n: def",
    "\\",
    "\\\\|`|\\`",
    "<!-- a --> <![CDATA[x]]> <?php ?>",
    "    # indented\n\t# tab",
    "$x$ _a_ __b__ *c* **d** ~~e~~",
    "",
    " ",
];

/// A complete journal in which everything that comes from outside says `text`.
fn filled_with(text: &str) -> Report {
    let mut created = run();
    let say = || text.to_owned();
    created.goal.outcome = say();
    created.goal_name = say();
    created.model = say();
    created.sandbox = format!("full {text}");
    created.overnight = say();
    created.goal.uses.setup = Some(say());
    for check in &mut created.goal.done {
        check.dir = say();
    }
    let mut journal = Journal::played(created, &["prepared dirty"]);
    let report = |target: Target, id: &str, verdict: &str| {
        let Fact::CheckReported { mut report } = reported(target, &[id, verdict]) else {
            unreachable!()
        };
        report.reason = text.to_owned();
        report.evidence = format!("e {text}");
        report.receipt.command = text.to_owned();
        report.receipt.environment = format!("e {text}");
        Fact::CheckReported { report }
    };
    for (id, verdict) in [("unit", "fail"), ("lint", "fail"), ("suite", "pass")] {
        journal.add(report(Target::Base, id, verdict)).unwrap();
    }
    journal
        .add(Fact::BaselineEnded {
            generated: vec![say()],
            reused: false,
        })
        .unwrap();
    journal.add(Fact::Answered { text: say() }).unwrap();
    let head = CallHead {
        id: say(),
        name: format!("t{text}"),
        line: say(),
    };
    journal
        .add(Fact::ModelAnswered {
            turn: 1,
            answer: "a".into(),
            text: say(),
            calls: vec![head.clone(), head.clone(), head.clone(), head],
            usage: Usage::default(),
            oddities: vec![say()],
        })
        .unwrap();
    let said = [
        Said::Notes {
            text: say(),
            replace: false,
        },
        Said::Plan {
            steps: vec![PlanStep {
                step: say(),
                status: PlanStatus::Open,
            }],
        },
        Said::Claim { summary: say() },
        Said::Help(Help {
            question: say(),
            tried: say(),
            unlock: say(),
        }),
    ];
    for (index, said) in said.into_iter().enumerate() {
        journal.add(Fact::CallStarted { turn: 1, index }).unwrap();
        let denials = vec![Denial {
            rule: format!("r{text}"),
            what: say(),
        }];
        let result = CallResult {
            said: Some(said),
            denials,
            ..CallResult::default()
        };
        journal
            .add(Fact::CallEnded {
                turn: 1,
                index,
                result: Box::new(result),
            })
            .unwrap();
    }
    let change = Changed {
        path: format!("p{text}"),
        how: How::Modified,
        added: 1,
        removed: 1,
        link: None,
    };
    let candidate = Candidate {
        tree: "t1".into(),
        changes: vec![change],
        artefacts: vec![format!("a{text}")],
    };
    journal
        .add(Fact::CandidateFixed {
            candidate,
            delta: None,
            denials: vec![],
            stopped: Vec::new(),
        })
        .unwrap();
    for (id, verdict) in [
        ("unit", "fail"),
        ("lint", "cannot"),
        ("suite", "pass"),
        ("scope", "pass"),
        ("oracle", "pass"),
    ] {
        journal
            .add(report(Target::Candidate("t1".into()), id, verdict))
            .unwrap();
    }
    journal
        .add(Fact::DeliveryFailed { message: say() })
        .unwrap();
    fold(&journal)
}

/// The page's structure: every block and every inline that is not plain text, in order.
fn skeleton(page: &str) -> Vec<String> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_MATH;
    let mut found = Vec::new();
    for event in Parser::new_ext(page, options) {
        match event {
            Md::Start(Tag::Link { .. } | Tag::Image { .. }) => found.push("LINK".to_owned()),
            // The languages of fences are ours.
            Md::Start(tag) => found.push(format!("{tag:?}")),
            Md::Html(html) | Md::InlineHtml(html) => found.push(format!("HTML {html}")),
            Md::Rule => found.push("rule".into()),
            Md::InlineMath(_) | Md::DisplayMath(_) | Md::FootnoteReference(_) => {
                found.push("OTHER".into())
            }
            Md::End(_)
            | Md::Text(_)
            | Md::Code(_)
            | Md::SoftBreak
            | Md::HardBreak
            | Md::TaskListMarker(_) => {}
        }
    }
    found
}

#[test]
fn hostile_text_changes_nothing_about_the_structure() {
    let plain = skeleton(&page(&filled_with("plain")));
    assert!(
        plain.iter().filter(|tag| tag.contains("Heading")).count() > 6,
        "{plain:?}"
    );
    for text in HOSTILE {
        let page = page(&filled_with(text));
        assert_eq!(skeleton(&page), plain, "{text:?} in\n{page}");
        assert!(page.starts_with("# Not complete"), "{page}");
        assert!(
            !page
                .chars()
                .any(|c| c.is_control() && c != '\n' && c != '\t'),
            "{text:?}"
        );
        assert!(
            !page.contains(['\u{202e}', '\u{2066}', '\u{200b}']),
            "{text:?}"
        );
    }
}

#[test]
fn ten_megabytes_of_a_claim_make_a_small_report() {
    let long = format!("# Complete\n{}", "`|x ".repeat(10 * 1024 * 1024 / 4));
    let report = filled_with(&long);
    assert_eq!(
        skeleton(&page(&report)),
        skeleton(&page(&filled_with("plain")))
    );
    assert!(
        report.to_json().len() < 256 * 1024,
        "{}",
        report.to_json().len()
    );
    assert!(page(&report).len() < 128 * 1024, "{}", page(&report).len());
}

#[test]
fn a_journal_that_is_none_is_an_error() {
    assert!(Report::fold([]).is_err());
    let journal = Journal::played(run(), &READY);
    assert!(Report::fold(journal.events[1..].to_vec()).is_err());
}

/// Things that happen in no sensible order.
const ANYTHING: &[&str] = &[
    "turn shell",
    "turn claim",
    "turn",
    "turn help",
    "turn wait",
    "turn forbidden notes",
    "ask",
    "answer shell claim",
    "start 0",
    "end 0",
    "end 1",
    "failed cut",
    "failed refused",
    "failed context_overflow",
    "+1h woken",
    "-3h woken",
    "fix t1",
    "fix t2 denied",
    "fix base",
    "verify",
    "verify unit=fail",
    "check unit pass",
    "check nosuch fail",
    "check lint cannot",
    "base unit pass",
    "restarted",
    "paused",
    "resumed",
    "stopped",
    "answered yes",
    "delivered",
    "undelivered",
    "written",
    "broke",
    "prepared",
    "baselined",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any order, any beginning of it: there is a report, it serialises, and it claims nothing that is not so.
    #[test]
    fn any_journal_has_an_honest_report(
        ready in 0..=READY.len(),
        lines in prop::collection::vec(prop::sample::select(ANYTHING), 0..60),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut journal = Journal::played(run(), &READY[..ready]);
        for line in lines {
            let _ = journal.play(line); // What does not fit is refused and leaves no event.
        }
        let events = &journal.events[..=cut.index(journal.events.len())];
        let report = Report::fold(events.to_vec()).unwrap();
        let page = page(&report);
        report.to_json();
        prop_assert_eq!(page.starts_with("# Complete"), report.complete);
        if report.complete {
            prop_assert_eq!(report.exit_code, Some(0));
            prop_assert!(report.checks.iter().all(CheckRow::holds));
        }
        prop_assert_eq!(report.exit_code.is_some(), report.stop_reason.is_some());
        prop_assert!(report.attempts.iter().filter(|a| a.result == AttemptResult::UnderWay).count() <= 1);
    }

    #[test]
    fn any_text_leaves_the_structure_alone(text in "[\\PC\n`|\\\\*_<>#&$~\\[\\]()!:-]{0,60}") {
        let plain = skeleton(&page(&filled_with("plain")));
        prop_assert_eq!(skeleton(&page(&filled_with(&text))), plain);
    }
}
