//! Judging: from what happened to what it means. Evidence in, verdict out; nothing is run here.

use crate::check::{Observation, Obstacle, Reading, Verdict};
use crate::goal::globs::Globs;
use crate::goal::{Aim, Better, Check, CheckKind, FileIs, Goal, Role};
use crate::measure::Measure;
use crate::repo::Changed;
use crate::tests::{TestResults, TestStatus};

/// How much evidence of one check the model and the report show, bytes.
pub const EVIDENCE_BYTES_MAX: usize = 4 * 1024;
/// How many names of tests a reason or an evidence lists.
const NAMES_MAX: usize = 20;

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

    /// Planted faults that nobody noticed are the evidence, whatever the share is.
    fn with_survivors(mut self, now: &Observation) -> Self {
        self.evidence = tail(&now.output, EVIDENCE_BYTES_MAX);
        self
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
    let flaky = flaky_tests(runs);
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

/// Judges one observation. `index` is the check's place among the values of its probe; `base` is `None` on the base
/// itself.
pub fn judge(
    check: &Check,
    index: usize,
    now: &Observation,
    base: Option<Baseline<'_>>,
) -> Judgement {
    if let Some(obstacle) = &now.obstacle {
        return Judgement::cannot_tell(obstacle, &now.output);
    }
    match &check.kind {
        CheckKind::Run { .. } => exit_code(now),
        CheckKind::Tests {
            must_pass,
            proves_change,
            ..
        } => {
            let Some(tests) = &now.tests else {
                let hint = "no per-test results were found; name a `report:`".to_owned();
                return Judgement::cannot_tell(&Obstacle::NoPerTestResults { hint }, &now.output);
            };
            judge_tests(check.role, must_pass, *proves_change, now, tests, base)
        }
        CheckKind::Metric { target, .. } => metric(*target, index, now, base),
        CheckKind::Mutation { target, .. } => metric(*target, index, now, base).with_survivors(now),
        CheckKind::File { path, is } => file(path, is, now),
        CheckKind::Diff { .. } | CheckKind::Later { .. } => {
            let detail = format!("`{}` is not judged by running it", check.kind.key());
            Judgement::cannot_tell(&Obstacle::Harness { detail }, b"")
        }
    }
}

fn exit_code(now: &Observation) -> Judgement {
    match now.exit {
        Some(0) => Judgement::new(Verdict::Pass, "exit code 0"),
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

fn judge_tests(
    role: Role,
    must_pass: &[String],
    proves_change: bool,
    now: &Observation,
    tests: &TestResults,
    base: Option<Baseline<'_>>,
) -> Judgement {
    // What must not regress, or must be new, can only be held against results that there are.
    let needs_base = role == Role::Keep || proves_change;
    if needs_base && base.is_some_and(|base| told(base).is_empty()) {
        return Judgement::unknown_base(&now.output);
    }
    let failing: Vec<&str> = of_status(tests, TestStatus::Failed);
    let total = tests.tests.len();
    let passed = tests.count(TestStatus::Passed);
    let mut faults: Vec<String> = Vec::new();
    let mut bad = 0;

    // Zero tests prove nothing, nor do tests that are all skipped.
    if passed == 0 && failing.is_empty() {
        let reason = if total == 0 {
            "no test was run".to_owned()
        } else {
            format!("all {total} tests are skipped")
        };
        return Judgement::new(Verdict::Fail, reason).with_output(&now.output);
    }
    for name in must_pass {
        let found: Vec<_> = tests.named(name).collect();
        if found.is_empty() {
            faults.push(format!("no test named `{name}`"));
            bad += 1;
        } else if let Some((full, status)) = found.iter().find(|(_, s)| *s != TestStatus::Passed) {
            let how = if *status == TestStatus::Failed {
                "fails"
            } else {
                "is skipped"
            };
            faults.push(format!("`{full}` {how}"));
            bad += 1;
        } else if proves_change && base.is_some_and(|b| passed_on_base(b, name)) {
            faults.push(format!(
                "`{name}` passes on the base already, so it proves no change"
            ));
            bad += 1;
        }
    }
    if let Some(base) = base {
        let lost = regressions(tests, base);
        bad += lost.len();
        faults.extend(lost.iter().take(NAMES_MAX).cloned());
    }
    let all_must_pass = role == Role::Done && must_pass.is_empty();
    if all_must_pass && !failing.is_empty() {
        bad += failing.len();
        faults.push(format!(
            "{} of {total} tests fail: {}",
            failing.len(),
            names(&failing)
        ));
    }
    // A runner that fails for another reason (a threshold, a file that cannot be imported) is not a pass.
    let base_exit = base.and_then(|b| b.first()).and_then(|o| o.exit);
    let exit_counts = all_must_pass || (role == Role::Keep && base_exit == Some(0));
    if exit_counts && failing.is_empty() && now.exit != Some(0) {
        faults.push(format!(
            "no test fails, but the runner ends with exit code {}",
            now.exit.unwrap_or(-1)
        ));
        bad += 1;
    }
    let measure = Measure {
        passing: passed as u64,
        failing: bad as u64,
        distance: None,
    };
    if faults.is_empty() {
        let known = if failing.is_empty() {
            String::new()
        } else {
            format!(", {} known to fail", failing.len())
        };
        let mut judgement = Judgement::new(
            Verdict::Pass,
            format!("{passed} of {total} tests pass{known}"),
        );
        judgement.measure = measure;
        return judgement;
    }
    let mut judgement = Judgement::new(Verdict::Fail, clip(&faults.join("; "), 600));
    let listed = clip(&faults.join("\n"), EVIDENCE_BYTES_MAX / 4);
    let rest = EVIDENCE_BYTES_MAX.saturating_sub(listed.len() + 1);
    judgement.evidence = format!("{listed}\n{}", tail(&now.output, rest));
    judgement.measure = measure;
    judgement
}

fn of_status(tests: &TestResults, wanted: TestStatus) -> Vec<&str> {
    tests
        .tests
        .iter()
        .filter(|(_, s)| **s == wanted)
        .map(|(n, _)| n.as_str())
        .collect()
}

/// The results of those runs on the base that have any.
fn told(base: Baseline<'_>) -> Vec<&TestResults> {
    let all: Vec<&TestResults> = base.iter().filter_map(|run| run.tests.as_ref()).collect();
    let some: Vec<&TestResults> = all
        .iter()
        .copied()
        .filter(|t| !t.tests.is_empty())
        .collect();
    if some.is_empty() { all } else { some }
}

fn passed_on_base(base: Baseline<'_>, name: &str) -> bool {
    told(base).iter().any(|tests| {
        let mut found = tests.named(name).peekable();
        found.peek().is_some() && found.all(|(_, s)| s == TestStatus::Passed)
    })
}

/// Tests that pass in every run on the base that tells of any, and do not pass now.
fn regressions(now: &TestResults, base: Baseline<'_>) -> Vec<String> {
    let runs = told(base);
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    let steady = first.tests.iter().filter(|(name, status)| {
        **status == TestStatus::Passed
            && runs
                .iter()
                .all(|tests| tests.tests.get(*name) == Some(&TestStatus::Passed))
    });
    steady
        .filter_map(|(name, _)| match now.tests.get(name) {
            Some(TestStatus::Passed) => None,
            Some(TestStatus::Failed) => Some(format!("`{name}` passed on the base and fails now")),
            Some(TestStatus::Skipped) => {
                Some(format!("`{name}` passed on the base and is skipped now"))
            }
            None => Some(format!("`{name}` passed on the base and is gone")),
        })
        .collect()
}

/// Tests whose status differs between runs on the same tree.
fn flaky_tests(runs: Baseline<'_>) -> Vec<&str> {
    let Some(first) = runs.first().and_then(|o| o.tests.as_ref()) else {
        return Vec::new();
    };
    let differs = |name: &str, status: TestStatus| {
        runs.iter()
            .filter_map(|r| r.tests.as_ref())
            .any(|t| t.tests.get(name) != Some(&status))
    };
    first
        .tests
        .iter()
        .filter(|(n, s)| differs(n, **s))
        .map(|(n, _)| n.as_str())
        .collect()
}

fn metric(aim: Aim, index: usize, now: &Observation, base: Option<Baseline<'_>>) -> Judgement {
    let value = match now.values.get(index) {
        Some(Reading::Value(value)) if value.is_finite() => *value,
        Some(Reading::Value(value)) => {
            let detail = format!("the value is {value}");
            return Judgement::cannot_tell(&Obstacle::ReportUnreadable { detail }, &now.output);
        }
        Some(Reading::Missing(obstacle)) => return Judgement::cannot_tell(obstacle, &now.output),
        None => {
            let detail = "no value was read".to_owned();
            return Judgement::cannot_tell(&Obstacle::ReportUnreadable { detail }, &now.output);
        }
    };
    let (holds, missing, wanted) = match aim {
        Aim::AtLeast(goal) => (value >= goal, goal - value, format!("at least {goal}")),
        Aim::AtMost(goal) => (value <= goal, value - goal, format!("at most {goal}")),
        Aim::Equals(goal) => (
            value == goal,
            (value - goal).abs(),
            format!("exactly {goal}"),
        ),
        Aim::NoWorse(better) => {
            let Some(base) = base else {
                let mut judgement = Judgement::new(Verdict::Pass, format!("{value} on the base"));
                judgement.measure.distance = Some(0.0);
                return judgement;
            };
            let was = base.iter().filter_map(|run| match run.values.get(index) {
                Some(Reading::Value(value)) => Some(*value),
                _ => None,
            });
            // Of two runs the less demanding counts: the difference between them is not the agent's doing.
            let (was, sign) = match better {
                Better::Higher => (was.reduce(f64::min), 1.0),
                Better::Lower => (was.reduce(f64::max), -1.0),
            };
            let Some(was) = was else {
                let detail = "there is no value of the base to compare with".to_owned();
                return Judgement::cannot_tell(&Obstacle::ReportUnreadable { detail }, &now.output);
            };
            let word = if sign > 0.0 { "at least" } else { "at most" };
            (
                sign * (value - was) >= 0.0,
                sign * (was - value),
                format!("{word} the base's {was}"),
            )
        }
    };
    // A metric's command may fail for its own reasons, such as a threshold of its own: the number decides, and the
    // reason says so.
    let aside = match now.exit {
        Some(0) => String::new(),
        code => format!(" (the command ended with exit code {})", code.unwrap_or(-1)),
    };
    let verdict = if holds { Verdict::Pass } else { Verdict::Fail };
    let mut judgement = Judgement::new(verdict, format!("{value}, wanted {wanted}{aside}"));
    if !holds {
        judgement = judgement.with_output(&now.output);
    }
    judgement.measure.distance = Some(missing.max(0.0));
    judgement
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

/// Judges the diff against what the goal lets change: `keep.paths` and `use.paths` for the check that every goal
/// has, `allow` and `forbid` for one of the kind `diff`.
pub fn judge_diff(allow: Option<&Globs>, forbid: &Globs, changes: &[Changed]) -> Judgement {
    let offence = |path: &str| {
        if forbid.matches(path) {
            Some(format!("`{path}` must not change"))
        } else if allow.is_some_and(|globs| !globs.matches(path)) {
            Some(format!("`{path}` is not among the paths that may change"))
        } else {
            None
        }
    };
    // A link that leads out of the repository holds here only: in a clone it is dead, or leads to something else.
    let leads_out = |change: &Changed| {
        let target = change
            .link
            .as_deref()
            .filter(|target| leads_out(&change.path, target))?;
        Some(format!(
            "`{}` is a link that leads out of the repository, to `{target}`",
            change.path
        ))
    };
    let offences: Vec<String> = changes
        .iter()
        .filter_map(|c| offence(&c.path).or_else(|| leads_out(c)))
        .collect();
    if offences.is_empty() {
        return Judgement::new(
            Verdict::Pass,
            format!("{} changed paths, all allowed", changes.len()),
        );
    }
    let mut judgement = Judgement::new(Verdict::Fail, clip(&offences.join("; "), 600));
    judgement.evidence = clip(&offences.join("\n"), EVIDENCE_BYTES_MAX);
    judgement.measure.failing = offences.len() as u64;
    judgement
}

/// Whether a link at `path` leads to somewhere outside the repository.
fn leads_out(path: &str, target: &str) -> bool {
    let bytes =
        |text: &str| crate::paths::unquote(text).unwrap_or_else(|| text.as_bytes().to_vec());
    let (path, target) = (bytes(path), bytes(target));
    if target.starts_with(b"/") {
        return true;
    }
    let mut depth = path.iter().filter(|b| **b == b'/').count();
    for part in target.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// What the goal lets change: (the only paths that may, the paths that must not).
pub fn licence(goal: &Goal) -> Result<(Option<Globs>, Globs), crate::goal::globs::BadGlob> {
    let allow = goal
        .uses
        .paths
        .as_ref()
        .map(|paths| Globs::new(paths))
        .transpose()?;
    Ok((allow, Globs::new(&goal.keep.paths)?))
}

fn names<S: AsRef<str>>(list: &[S]) -> String {
    let shown: Vec<String> = list
        .iter()
        .take(NAMES_MAX)
        .map(|n| format!("`{}`", n.as_ref()))
        .collect();
    let more = list.len().saturating_sub(NAMES_MAX);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    clip(&format!("{}{rest}", shown.join(", ")), 1200)
}

/// The end of what was printed, as text without escape sequences, at most `bytes` long, from the start of a line.
pub fn tail(output: &[u8], bytes: usize) -> String {
    let from = output.len().saturating_sub(bytes);
    let text = String::from_utf8_lossy(&output[from..]);
    let text = plain(&text);
    let cut = match text.find('\n') {
        Some(at) if from > 0 && at + 1 < text.len() => &text[at + 1..],
        _ => &text,
    };
    clip(cut.trim_end(), bytes)
}

/// Text without terminal escape sequences and control characters.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => out.push('\n'),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Skips one ECMA-48 control sequence after its escape character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        // CSI: parameters, then one final byte.
        Some('[') => {
            while chars
                .next()
                .is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c))
            {}
        }
        // OSC: up to BEL or ST.
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next();
                    break;
                }
            }
        }
        _ => {}
    }
}

/// At most `bytes` of a text, cut at a character.
pub fn clip(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    const MARK: &str = " …";
    let mut end = bytes.saturating_sub(MARK.len());
    while end > 0 && !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::CheckId;

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
        let judgement = judge(check, 0, now, Some(base));
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
