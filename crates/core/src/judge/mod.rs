//! Judging: from what happened to what it means. Evidence in, verdict out; nothing is run here.

mod denominators;
mod diff;
mod metric;
mod mutation;
mod oracle;
mod per_test;
mod text;

use crate::check::{Observation, Obstacle, Verdict};
use crate::goal::{Check, CheckKind, FileIs, Role};
use crate::measure::Measure;
use crate::repo::Changed;

pub use diff::{judge_diff, licence};
pub use oracle::{canary_faults, judge_oracle};
pub use per_test::{worth_asking_the_base, worth_repeating};
pub use text::{clip, plain, tail};

use text::names;

/// How much evidence of one check the model and the report show, bytes.
pub const EVIDENCE_BYTES_MAX: usize = 4 * 1024;

/// What an observation means for a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// The interesting part of what was seen, bounded.
    pub evidence: String,
    /// For progress.
    pub measure: Measure,
    /// Why it cannot tell.
    pub obstacle: Option<Obstacle>,
    /// Whether the runs on the base disagreed.
    pub flaky: bool,
}

/// What the same check found on the base, once or twice.
pub type Baseline<'a> = &'a [Observation];

/// What a candidate is held against.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    /// What the same check found on the base.
    pub base: Baseline<'a>,
    /// How the candidate differs from the base.
    pub changes: &'a [Changed],
}

impl Judgement {
    fn new(verdict: Verdict, reason: impl Into<String>) -> Self {
        let passes = u64::from(verdict == Verdict::Pass);
        Judgement {
            verdict,
            reason: reason.into(),
            evidence: String::new(),
            measure: Measure {
                passing: passes,
                failing: 1 - passes,
                distance: None,
            },
            obstacle: None,
            flaky: false,
        }
    }

    fn cannot_tell(obstacle: &Obstacle, output: &[u8]) -> Self {
        let mut judgement = Judgement::new(Verdict::CannotTell, explain(obstacle));
        judgement.evidence = tail(output, EVIDENCE_BYTES_MAX);
        judgement.obstacle = Some(obstacle.clone());
        judgement
    }

    /// The base's own results are not known, so that nothing can be compared with them.
    pub fn unknown_base(output: &[u8]) -> Self {
        let detail =
            "what it found on the base is not known, so nothing can be held against it".to_owned();
        Judgement::cannot_tell(&Obstacle::Harness { detail }, output)
    }

    fn with_output(mut self, output: &[u8]) -> Self {
        self.evidence = tail(output, EVIDENCE_BYTES_MAX);
        self
    }
}

/// An obstacle in one line: what, and what next.
pub fn explain(obstacle: &Obstacle) -> String {
    match obstacle {
        Obstacle::ToolAbsent { program } => {
            format!(
                "`{program}` is not there: install it, put it on PATH, or let `use.setup` do so"
            )
        }
        Obstacle::TimedOut { limit_s } => {
            format!(
                "it did not end within its limit of {limit_s} s: raise `timeout` if it needs longer"
            )
        }
        Obstacle::ReportMissing { path } => {
            format!("the command did not write `{path}`: name the right file")
        }
        Obstacle::ReportUnreadable { detail } => format!("its report cannot be read: {detail}"),
        Obstacle::NoPerTestResults { hint } => format!("tests cannot be told apart: {hint}"),
        Obstacle::SetupFailed { detail } => {
            format!("`use.setup` failed in a fresh checkout: {detail}")
        }
        Obstacle::Harness { detail } => format!("the harness could not run it: {detail}"),
    }
}

/// Judges the runs on the base: one verdict, and whether they disagree. The last run is the one whose evidence is
/// shown; of two verdicts the worse counts.
pub fn judge_base(check: &Check, index: usize, runs: Baseline<'_>) -> Judgement {
    let mut judged = runs.iter().map(|run| judge(check, index, run, None));
    let Some(mut found) = judged.next() else {
        return Judgement::cannot_tell(
            &Obstacle::Harness {
                detail: "it was not run".into(),
            },
            b"",
        );
    };
    for other in judged {
        let differs = other.verdict != found.verdict;
        if differs && found.verdict == Verdict::Pass {
            found = other;
        }
        found.flaky |= differs;
    }
    let flaky = per_test::flaky(runs);
    if !flaky.is_empty() {
        found.flaky = true;
        found.reason = format!(
            "{}; differs between two runs: {}",
            found.reason,
            names(&flaky)
        );
    } else if found.flaky {
        found.reason = format!("{}; two runs gave different verdicts", found.reason);
    }
    found
}

/// Judges one observation. `index` is the check's place among the values of its probe; `against` is `None` on the base
/// itself.
pub fn judge(
    check: &Check,
    index: usize,
    now: &Observation,
    against: Option<Against<'_>>,
) -> Judgement {
    let base = against.map(|against| against.base);
    if let Some(obstacle) = &now.obstacle {
        return Judgement::cannot_tell(obstacle, &now.output);
    }
    match &check.kind {
        CheckKind::Run { .. } => exit_code(check.role, now, base),
        CheckKind::Tests {
            must_pass,
            proves_change,
            ..
        } => {
            let Some(tests) = &now.tests else {
                let hint = "no per-test results were found; name a `report:`".to_owned();
                return Judgement::cannot_tell(&Obstacle::NoPerTestResults { hint }, &now.output);
            };
            let demand = per_test::Demand {
                role: check.role,
                must_pass,
                proves_change: *proves_change,
            };
            per_test::judge(demand, now, tests, base)
        }
        CheckKind::Metric { target, read, .. } => metric::judge(*target, read, index, now, against),
        CheckKind::Mutation { target, .. } => mutation::judge(*target, now),
        CheckKind::File { path, is } => file(path, is, now),
        CheckKind::Diff { .. } | CheckKind::Later { .. } => {
            let detail = format!("`{}` is not judged by running it", check.kind.key());
            Judgement::cannot_tell(&Obstacle::Harness { detail }, b"")
        }
    }
}

fn exit_code(role: Role, now: &Observation, base: Option<Baseline<'_>>) -> Judgement {
    match now.exit {
        Some(0) => {
            // A test runner's exit code stands for tests: those of the base must still be among them.
            let hidden = match (&now.tests, base) {
                (Some(tests), Some(base)) => per_test::behind_exit_code(role, now, tests, base),
                _ => None,
            };
            hidden.unwrap_or_else(|| Judgement::new(Verdict::Pass, "exit code 0"))
        }
        Some(code) => {
            Judgement::new(Verdict::Fail, format!("exit code {code}")).with_output(&now.output)
        }
        None => Judgement::cannot_tell(
            &Obstacle::Harness {
                detail: "it has no exit code".into(),
            },
            &now.output,
        ),
    }
}

fn file(path: &str, is: &FileIs, now: &Observation) -> Judgement {
    let there = now.exit == Some(0);
    let text = String::from_utf8_lossy(&now.output);
    let absent = || Judgement::new(Verdict::Fail, format!("`{path}` does not exist"));
    match is {
        FileIs::There(true) if there => Judgement::new(Verdict::Pass, format!("`{path}` exists")),
        FileIs::There(false) if there => Judgement::new(Verdict::Fail, format!("`{path}` exists")),
        FileIs::There(false) => Judgement::new(Verdict::Pass, format!("`{path}` does not exist")),
        _ if !there => absent(),
        FileIs::There(true) => absent(),
        FileIs::Containing(wanted) => {
            let holds = text.contains(wanted.as_str());
            let verdict = if holds { Verdict::Pass } else { Verdict::Fail };
            let word = if holds {
                "contains"
            } else {
                "does not contain"
            };
            Judgement::new(verdict, format!("`{path}` {word} `{}`", clip(wanted, 120)))
        }
        FileIs::Matching(pattern) => {
            let Ok(regex) = regex::RegexBuilder::new(pattern).multi_line(true).build() else {
                let detail = format!("`{pattern}` is no regular expression");
                return Judgement::cannot_tell(&Obstacle::Harness { detail }, b"");
            };
            let holds = regex.is_match(&text);
            let verdict = if holds { Verdict::Pass } else { Verdict::Fail };
            let word = if holds { "matches" } else { "does not match" };
            Judgement::new(verdict, format!("`{path}` {word} `{pattern}`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Reading;
    use crate::goal::globs::Globs;
    use crate::goal::{Aim, Better};
    use crate::ids::CheckId;
    use crate::tests::{TestResults, TestStatus};

    fn check(role: Role, kind: CheckKind) -> Check {
        Check {
            id: CheckId::from("c"),
            role,
            kind,
            timeout_s: 1,
            dir: String::new(),
            already: false,
            hidden: None,
            feedback: Default::default(),
            runs: 2,
        }
    }

    fn tests_check(role: Role, must_pass: &[&str], proves_change: bool) -> Check {
        let must_pass = must_pass.iter().map(|s| s.to_string()).collect();
        check(
            role,
            CheckKind::Tests {
                command: "t".into(),
                report: None,
                must_pass,
                proves_change,
            },
        )
    }

    fn run(exit: i32, tests: &[(&str, TestStatus)]) -> Observation {
        let mut results = TestResults::default();
        for (name, status) in tests {
            results.record(*name, *status);
        }
        Observation {
            exit: Some(exit),
            tests: Some(results),
            ..Observation::default()
        }
    }

    use TestStatus::{Failed, Passed, Skipped};

    fn verdict(check: &Check, now: &Observation, base: &[Observation]) -> (Verdict, String) {
        let against = Against { base, changes: &[] };
        let judgement = judge(check, 0, now, Some(against));
        (judgement.verdict, judgement.reason)
    }

    #[test]
    fn zero_tests_never_pass() {
        for role in [Role::Done, Role::Keep] {
            let c = tests_check(role, &[], false);
            assert_eq!(judge(&c, 0, &run(0, &[]), None).verdict, Verdict::Fail);
            assert_eq!(
                judge(&c, 0, &run(0, &[("a", Skipped)]), None).verdict,
                Verdict::Fail
            );
        }
    }

    #[test]
    fn a_kept_test_may_not_fail_vanish_or_be_skipped() {
        let c = tests_check(Role::Keep, &[], false);
        let base = [run(1, &[("a", Passed), ("b", Failed)])];
        assert_eq!(
            verdict(&c, &run(1, &[("a", Passed), ("b", Failed)]), &base).0,
            Verdict::Pass
        );
        assert_eq!(
            verdict(&c, &run(0, &[("a", Passed), ("b", Passed)]), &base).0,
            Verdict::Pass
        );
        assert_eq!(
            verdict(&c, &run(1, &[("a", Failed), ("b", Passed)]), &base).0,
            Verdict::Fail
        );
        assert_eq!(
            verdict(&c, &run(0, &[("a", Skipped), ("b", Passed)]), &base).0,
            Verdict::Fail
        );
        let (v, reason) = verdict(&c, &run(0, &[("b", Passed)]), &base);
        assert_eq!(v, Verdict::Fail);
        assert_eq!(reason, "`a` passed on the base and is gone");
    }

    #[test]
    fn nothing_passes_by_a_base_that_could_not_be_told() {
        let untold = Observation {
            obstacle: Some(Obstacle::TimedOut { limit_s: 1 }),
            ..Observation::default()
        };
        let broken = run(1, &[("a", Failed), ("b", Passed)]);
        let kept = tests_check(Role::Keep, &[], false);
        assert_eq!(
            verdict(&kept, &broken, std::slice::from_ref(&untold)).0,
            Verdict::CannotTell
        );
        let proof = tests_check(Role::Done, &["b"], true);
        assert_eq!(
            verdict(&proof, &broken, std::slice::from_ref(&untold)).0,
            Verdict::CannotTell
        );
        // A second run that could not be told does not make the first one forgotten.
        let base = [run(0, &[("a", Passed), ("b", Passed)]), untold];
        assert_eq!(verdict(&kept, &broken, &base).0, Verdict::Fail);
    }

    #[test]
    fn a_flaky_test_of_the_base_is_no_regression() {
        let c = tests_check(Role::Keep, &[], false);
        let base = [
            run(0, &[("a", Passed), ("x", Passed)]),
            run(1, &[("a", Failed), ("x", Passed)]),
        ];
        assert_eq!(
            verdict(&c, &run(1, &[("a", Failed), ("x", Passed)]), &base).0,
            Verdict::Pass
        );
        assert!(judge_base(&c, 0, &base).flaky);
    }

    #[test]
    fn a_runner_that_fails_without_a_failing_test_does_not_pass() {
        let c = tests_check(Role::Done, &[], false);
        assert_eq!(
            judge(&c, 0, &run(1, &[("a", Passed)]), None).verdict,
            Verdict::Fail
        );
        assert_eq!(
            judge(&c, 0, &run(0, &[("a", Passed)]), None).verdict,
            Verdict::Pass
        );
    }

    #[test]
    fn a_test_that_proves_a_change_must_not_pass_on_the_base() {
        let c = tests_check(Role::Done, &["pays"], true);
        let now = run(0, &[("f::pays", Passed)]);
        assert_eq!(
            verdict(&c, &now, &[run(0, &[("f::other", Passed)])]).0,
            Verdict::Fail,
            "f::other vanished"
        );
        assert_eq!(
            verdict(&c, &now, &[run(1, &[("f::pays", Failed)])]).0,
            Verdict::Pass
        );
        assert_eq!(
            verdict(&c, &now, &[run(0, &[("f::pays", Passed)])]).0,
            Verdict::Fail
        );
    }

    #[test]
    fn a_metric_is_held_against_its_target_and_measures_the_distance() {
        let read = crate::goal::Read {
            format: crate::goal::Format::Regex,
            file: None,
            value: "x".into(),
        };
        let metric = |target| {
            check(
                Role::Done,
                CheckKind::Metric {
                    command: "m".into(),
                    read: read.clone(),
                    target,
                },
            )
        };
        let seen = |v: f64| Observation {
            exit: Some(0),
            values: vec![Reading::Value(v)],
            ..Observation::default()
        };
        let c = metric(Aim::AtLeast(80.0));
        let low = judge(&c, 0, &seen(62.5), None);
        assert_eq!(
            (low.verdict, low.measure.distance),
            (Verdict::Fail, Some(17.5))
        );
        assert_eq!(judge(&c, 0, &seen(80.0), None).verdict, Verdict::Pass);
        assert_eq!(
            judge(&c, 0, &seen(f64::NAN), None).verdict,
            Verdict::CannotTell
        );
        let c = metric(Aim::NoWorse(Better::Lower));
        assert_eq!(verdict(&c, &seen(5.0), &[seen(4.0)]).0, Verdict::Fail);
        assert_eq!(verdict(&c, &seen(4.0), &[seen(4.0)]).0, Verdict::Pass);
    }

    #[test]
    fn a_metric_that_is_measured_of_less_than_on_the_base_does_not_pass() {
        let read = crate::goal::Read {
            format: crate::goal::Format::Lcov,
            file: None,
            value: "lines".into(),
        };
        let c = check(
            Role::Done,
            CheckKind::Metric {
                command: "m".into(),
                read,
                target: Aim::AtLeast(80.0),
            },
        );
        let seen = |share: f64, files: &[&str]| Observation {
            exit: Some(0),
            values: vec![Reading::Value(share)],
            measured: vec![Some(files.iter().map(|f| ((*f).to_owned(), 10)).collect())],
            ..Observation::default()
        };
        let base = [seen(40.0, &["a.js", "b.js"])];
        let (v, reason) = verdict(&c, &seen(90.0, &["a.js"]), &base);
        assert_eq!(v, Verdict::Fail);
        insta::assert_snapshot!(reason, @"90, wanted at least 80, but 1 of the base's 2 measured files is no longer measured (10 lines), such as `b.js`");
        assert_eq!(
            verdict(&c, &seen(90.0, &["a.js", "b.js"]), &base).0,
            Verdict::Pass
        );
        // The numbers are told only where the figure would have been enough.
        let (_, reason) = verdict(&c, &seen(50.0, &["a.js"]), &base);
        assert_eq!(reason, "50, wanted at least 80");
    }

    #[test]
    fn the_diff_gate_names_what_must_not_change() {
        let changed = |p: &str| Changed {
            path: p.into(),
            how: crate::repo::How::Modified,
            added: 1,
            removed: 0,
            link: None,
        };
        let keep = Globs::new(&["db/migrations"]).unwrap();
        let only = Globs::new(&["src/**"]).unwrap();
        let ok = judge_diff(Some(&only), &keep, &[changed("src/a.rs")]);
        assert_eq!(ok.verdict, Verdict::Pass);
        let bad = judge_diff(
            Some(&only),
            &keep,
            &[changed("db/migrations/1.sql"), changed("README.md")],
        );
        assert_eq!(bad.verdict, Verdict::Fail);
        insta::assert_snapshot!(bad.evidence, @r"
        `db/migrations/1.sql` must not change
        `README.md` is not among the paths that may change
        ");
    }

    #[test]
    fn a_link_that_leads_out_of_the_repository_is_not_delivered() {
        let link = |path: &str, target: &str| Changed {
            path: path.into(),
            how: crate::repo::How::Added,
            added: 1,
            removed: 0,
            link: Some(target.into()),
        };
        let verdict = |change| judge_diff(None, &Globs::default(), &[change]).verdict;
        for (path, target) in [
            ("a", "/workspace/b"),
            ("a", "../b"),
            ("d/a", "../../b"),
            ("d/a", "x/../../../b"),
        ] {
            assert_eq!(
                verdict(link(path, target)),
                Verdict::Fail,
                "{path} -> {target}"
            );
        }
        for (path, target) in [("a", "b"), ("d/a", "../b"), ("d/e/a", "./../../b")] {
            assert_eq!(
                verdict(link(path, target)),
                Verdict::Pass,
                "{path} -> {target}"
            );
        }
    }

    #[test]
    fn text_is_cut_at_characters_and_cleaned_of_escapes() {
        assert_eq!(
            plain("\u{1b}[31mred\u{1b}[0m\u{1b}]0;title\u{7}!\r\n"),
            "red!\n"
        );
        assert_eq!(clip("ääää", 6), "ä …");
        assert_eq!(tail(b"one\ntwo\nthree", 8), "three");
    }
}
