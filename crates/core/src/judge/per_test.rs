//! Judging per-test results: what must pass, what must not regress, what proves a change, and whether the tests that
//! the work added leave the base's alone.

use std::collections::BTreeSet;

use super::text::{NAMES_MAX, clip, names, tail};
use super::{Baseline, EVIDENCE_BYTES_MAX, Judgement};
use crate::check::{Observation, Verdict};
use crate::goal::Role;
use crate::measure::Measure;
use crate::tests::{TestResults, TestStatus};

/// What a check asks of its tests.
#[derive(Clone, Copy)]
pub(super) struct Demand<'a> {
    /// Where the check stands.
    pub role: Role,
    /// Names that must exist and pass.
    pub must_pass: &'a [String],
    /// Whether these must fail, or not exist, on the base.
    pub proves_change: bool,
}

/// How a test behaves on the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It passed in every run.
    Passes,
    /// It passed in some runs and not in others.
    Flaky,
    /// It passed in none, or is not there.
    Other,
}

/// The base's results, as far as there are any.
struct Known<'a> {
    runs: Vec<&'a TestResults>,
}

impl<'a> Known<'a> {
    fn new(base: Baseline<'a>, again: &'a [TestResults]) -> Self {
        let mut runs = told(base);
        runs.extend(again.iter().filter(|t| !t.tests.is_empty()));
        Known { runs }
    }

    fn standing(&self, name: &str) -> Standing {
        let passed = self
            .runs
            .iter()
            .filter(|run| run.tests.get(name) == Some(&TestStatus::Passed))
            .count();
        match passed {
            0 => Standing::Other,
            n if n == self.runs.len() => Standing::Passes,
            _ => Standing::Flaky,
        }
    }

    fn exists(&self, name: &str) -> bool {
        self.runs.iter().any(|run| run.tests.contains_key(name))
    }

    /// Every test that passed in any run.
    fn passed(&self) -> BTreeSet<&'a str> {
        self.runs
            .iter()
            .flat_map(|run| run.tests.iter())
            .filter(|(_, status)| **status == TestStatus::Passed)
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

pub(super) fn judge(
    demand: Demand<'_>,
    now: &Observation,
    tests: &TestResults,
    base: Option<Baseline<'_>>,
) -> Judgement {
    let Demand {
        role,
        must_pass,
        proves_change,
    } = demand;
    // What must not regress, or must be new, can only be held against results that there are.
    let needs_base = role == Role::Keep || proves_change;
    if needs_base && base.is_some_and(|base| told(base).is_empty()) {
        return Judgement::unknown_base(&now.output);
    }
    let known = Known::new(base.unwrap_or_default(), &now.base_again);
    let tolerated = tolerated(now, tests, &known);
    let status_of = |name: &str, status: TestStatus| match tolerated.contains(name) {
        true => TestStatus::Passed,
        false => status,
    };
    let failing: Vec<&str> = tests
        .tests
        .iter()
        .filter(|(name, status)| status_of(name, **status) == TestStatus::Failed)
        .map(|(name, _)| name.as_str())
        .collect();
    let total = tests.tests.len();
    let passed = tests.count(TestStatus::Passed) + tolerated.len();
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
        let found: Vec<_> = tests
            .named(name)
            .map(|(full, status)| (full, status_of(full, status)))
            .collect();
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
        } else if proves_change
            && let Some(reverse) = &now.reverse
            && let Some((full, _)) = reverse
                .named(name)
                .find(|(full, status)| *status == TestStatus::Passed && !known.exists(full))
        {
            faults.push(format!(
                "`{full}` passes with the base's implementation as well, so it proves no change"
            ));
            bad += 1;
        }
    }
    if base.is_some() {
        let lost = regressions(now, tests, &known, &tolerated);
        bad += lost.len();
        faults.extend(lost.into_iter().take(NAMES_MAX));
        let leaning = leaning(now, tests, &known);
        bad += leaning.len();
        faults.extend(leaning.into_iter().take(NAMES_MAX));
    }
    let all_must_pass = role == Role::Done && must_pass.is_empty();
    if all_must_pass {
        let evaded = evaded(tests, &known);
        bad += evaded.len();
        faults.extend(evaded.into_iter().take(NAMES_MAX));
    }
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
    if exit_counts && failing.is_empty() && tolerated.is_empty() && now.exit != Some(0) {
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
    let shaky = if tolerated.is_empty() {
        String::new()
    } else {
        let list: Vec<&&str> = tolerated.iter().collect();
        format!("; flaky on the base as well: {}", names(&list))
    };
    if faults.is_empty() {
        let known = if failing.is_empty() {
            String::new()
        } else {
            format!(", {} known to fail", failing.len())
        };
        let mut judgement = Judgement::new(
            Verdict::Pass,
            format!("{passed} of {total} tests pass{known}{shaky}"),
        );
        judgement.measure = measure;
        return judgement;
    }
    let mut judgement = Judgement::new(
        Verdict::Fail,
        clip(&format!("{}{shaky}", faults.join("; ")), 600),
    );
    judgement.evidence = evidence(&faults, now);
    judgement.measure = measure;
    judgement
}

/// What the tests of a command that is only asked for its exit code say against it: tests of the base that it no longer
/// runs, or that pass only with what the work added.
pub(super) fn behind_exit_code(
    role: Role,
    now: &Observation,
    tests: &TestResults,
    base: Baseline<'_>,
) -> Option<Judgement> {
    let known = Known::new(base, &now.base_again);
    let mut faults = Vec::new();
    if tests.count(TestStatus::Passed) == 0 && !known.passed().is_empty() {
        faults.push("no test was run, and tests passed on the base".to_owned());
    } else {
        faults.extend(regressions(now, tests, &known, &BTreeSet::new()));
        if role == Role::Done {
            faults.extend(evaded(tests, &known));
        }
        faults.extend(leaning(now, tests, &known));
    }
    if faults.is_empty() {
        return None;
    }
    let mut judgement = Judgement::new(
        Verdict::Fail,
        clip(&format!("exit code 0, but {}", faults.join("; ")), 600),
    );
    judgement.measure.failing = faults.len() as u64;
    judgement.evidence = evidence(&faults, now);
    Some(judgement)
}

fn evidence(faults: &[String], now: &Observation) -> String {
    let listed = clip(&faults.join("\n"), EVIDENCE_BYTES_MAX / 4);
    let rest = EVIDENCE_BYTES_MAX.saturating_sub(listed.len() + 1);
    format!("{listed}\n{}", tail(&now.output, rest))
}

/// Whether the same command is worth running again on the same tree: a test fails now that passed on the base at least
/// once, and has not passed in any repeat yet. A flaky one must not refuse honest work, nor be ignored silently.
pub fn worth_repeating(now: &Observation, base: Baseline<'_>) -> bool {
    let Some(tests) = &now.tests else {
        return false;
    };
    let known = Known::new(base, &now.base_again);
    failing(tests).any(|name| known.standing(name) != Standing::Other && !repeated(now, name))
}

/// Whether the base is worth running again: a test that always passed there fails now and passes in a repeat. Either it
/// is flaky there too, or the work made it so.
pub fn worth_asking_the_base(now: &Observation, base: Baseline<'_>) -> bool {
    let Some(tests) = &now.tests else {
        return false;
    };
    let known = Known::new(base, &now.base_again);
    failing(tests).any(|name| known.standing(name) == Standing::Passes && repeated(now, name))
}

/// Tests whose standing on the base is flaky.
pub(super) fn flaky(runs: Baseline<'_>) -> Vec<&str> {
    let known = Known::new(runs, &[]);
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for run in &known.runs {
        for (name, status) in &run.tests {
            let differs = known
                .runs
                .iter()
                .any(|other| other.tests.get(name) != Some(status));
            if differs {
                names.insert(name);
            }
        }
    }
    names.into_iter().collect()
}

fn failing(tests: &TestResults) -> impl Iterator<Item = &str> {
    tests
        .tests
        .iter()
        .filter(|(_, status)| **status == TestStatus::Failed)
        .map(|(name, _)| name.as_str())
}

/// Whether a test passed in some repeat on the same tree.
fn repeated(now: &Observation, name: &str) -> bool {
    now.repeats
        .iter()
        .any(|run| run.tests.get(name) == Some(&TestStatus::Passed))
}

/// Failing tests that are not held against the work: flaky on the base, and passing in a repeat (or never repeated).
fn tolerated<'a>(
    now: &Observation,
    tests: &'a TestResults,
    known: &Known<'_>,
) -> BTreeSet<&'a str> {
    failing(tests)
        .filter(|name| known.standing(name) == Standing::Flaky)
        .filter(|name| now.repeats.is_empty() || repeated(now, name))
        .collect()
}

/// The results of those runs on the base that have any.
pub(super) fn told(base: Baseline<'_>) -> Vec<&TestResults> {
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

/// Tests that pass on the base and do not pass now.
fn regressions(
    now: &Observation,
    tests: &TestResults,
    known: &Known<'_>,
    tolerated: &BTreeSet<&str>,
) -> Vec<String> {
    let runs = now.repeats.len() + 1;
    let fault = |name: &str| {
        let standing = known.standing(name);
        match (tests.tests.get(name), standing) {
            (Some(TestStatus::Passed), _) => None,
            (Some(TestStatus::Failed), _) if tolerated.contains(name) => None,
            (Some(TestStatus::Failed), Standing::Passes) if repeated(now, name) => Some(format!(
                "`{name}` always passed on the base and fails in some of {runs} runs now"
            )),
            (Some(TestStatus::Failed), Standing::Passes) => {
                Some(format!("`{name}` passed on the base and fails now"))
            }
            (Some(TestStatus::Failed), _) => Some(format!(
                "`{name}` is flaky on the base and fails in all of {runs} runs now"
            )),
            (Some(TestStatus::Skipped), Standing::Passes) => {
                Some(format!("`{name}` passed on the base and is skipped now"))
            }
            (None, _) if moved(name, tests, known) => None,
            (None, Standing::Passes) => Some(format!("`{name}` passed on the base and is gone")),
            (Some(TestStatus::Skipped), _) => {
                Some(format!("`{name}` is flaky on the base and is skipped now"))
            }
            (None, _) => Some(format!("`{name}` is flaky on the base and is gone")),
        }
    };
    known.passed().into_iter().filter_map(fault).collect()
}

/// Tests that failed on the base and are not failing now because they are no longer run: where all tests have to pass,
/// that is no way of passing.
fn evaded(tests: &TestResults, known: &Known<'_>) -> Vec<String> {
    let mut failed: BTreeSet<&str> = BTreeSet::new();
    for run in &known.runs {
        failed.extend(failing(run));
    }
    failed
        .into_iter()
        .filter(|name| known.standing(name) == Standing::Other)
        .filter_map(|name| match tests.tests.get(name) {
            Some(TestStatus::Skipped) => {
                Some(format!("`{name}` failed on the base and is skipped now"))
            }
            // A file that could not be loaded fails under its own name, and has tests in its place once it can be.
            None if stands_for_a_file(name) || moved(name, tests, known) => None,
            None => Some(format!("`{name}` failed on the base and is gone")),
            Some(TestStatus::Passed | TestStatus::Failed) => None,
        })
        .collect()
}

/// Whether a test that is gone has a new one in its place that passes: the same groups and title in another file. That
/// the old one may go at all is the oracle's to say.
fn moved(name: &str, tests: &TestResults, known: &Known<'_>) -> bool {
    let Some((_, title)) = name.split_once("::") else {
        return false;
    };
    tests.tests.iter().any(|(other, status)| {
        *status == TestStatus::Passed
            && !known.exists(other)
            && other
                .split_once("::")
                .is_some_and(|(_, other)| other == title)
    })
}

/// Whether a name is a file's or a module's own, as runners report one that could not be loaded: `tests/a.test.js`,
/// `tests.test_a`, `tests/test_a.py::tests.test_a`.
fn stands_for_a_file(name: &str) -> bool {
    let Some((file, last)) = name.rsplit_once("::") else {
        return true;
    };
    let module = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    last == file || last == module.replace('/', ".") || last.contains('/')
}

/// Tests of the base that lean on what the work added to the tests: with exactly the base's tests around them they do
/// not give what they give on the candidate.
fn leaning(now: &Observation, tests: &TestResults, known: &Known<'_>) -> Vec<String> {
    let Some(strict) = &now.strict else {
        return Vec::new();
    };
    if strict.tests.is_empty() {
        let any = !known.passed().is_empty();
        return any
            .then(|| "with the base's tests alone no test runs any more".to_owned())
            .into_iter()
            .collect();
    }
    let fault = |(name, status): (&String, &TestStatus)| match (status, tests.tests.get(name)) {
        (TestStatus::Failed, Some(TestStatus::Passed))
            if known.standing(name) != Standing::Flaky =>
        {
            Some(format!(
                "`{name}` passes only beside the tests that were added: with the base's alone it fails"
            ))
        }
        // What the base told of is named among the regressions already.
        (TestStatus::Passed, None) if known.standing(name) == Standing::Other => Some(format!(
            "`{name}` is no longer run beside the tests that were added"
        )),
        _ => None,
    };
    strict.tests.iter().filter_map(fault).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use TestStatus::{Failed, Passed, Skipped};

    fn results(tests: &[(&str, TestStatus)]) -> TestResults {
        let mut results = TestResults::default();
        for (name, status) in tests {
            results.record(*name, *status);
        }
        results
    }

    fn seen(exit: i32, tests: &[(&str, TestStatus)]) -> Observation {
        Observation {
            exit: Some(exit),
            tests: Some(results(tests)),
            ..Observation::default()
        }
    }

    fn kept(now: &Observation, base: &[Observation]) -> (Verdict, String) {
        let demand = Demand {
            role: Role::Keep,
            must_pass: &[],
            proves_change: false,
        };
        let judgement = judge(demand, now, now.tests.as_ref().unwrap(), Some(base));
        (judgement.verdict, judgement.reason)
    }

    #[test]
    fn a_flaky_test_is_repeated_and_said() {
        let base = [
            seen(0, &[("a", Passed), ("x", Passed)]),
            seen(1, &[("a", Passed), ("x", Failed)]),
        ];
        let mut now = seen(1, &[("a", Passed), ("x", Failed)]);
        assert!(worth_repeating(&now, &base));
        now.repeats = vec![results(&[("a", Passed), ("x", Passed)])];
        assert!(!worth_repeating(&now, &base));
        assert_eq!(
            kept(&now, &base),
            (
                Verdict::Pass,
                "2 of 2 tests pass; flaky on the base as well: `x`".into()
            )
        );
        now.repeats = vec![results(&[("a", Passed), ("x", Failed)]); 3];
        let (verdict, reason) = kept(&now, &base);
        assert_eq!(verdict, Verdict::Fail);
        assert!(
            reason.contains("flaky on the base and fails in all of 4 runs"),
            "{reason}"
        );
        let gone = seen(0, &[("a", Passed)]);
        assert_eq!(kept(&gone, &base).0, Verdict::Fail);
    }

    #[test]
    fn a_test_that_the_work_made_flaky_is_not_the_bases_flaky_test() {
        let base = [seen(0, &[("a", Passed)]), seen(0, &[("a", Passed)])];
        let mut now = seen(1, &[("a", Failed)]);
        assert!(worth_repeating(&now, &base) && !worth_asking_the_base(&now, &base));
        now.repeats = vec![results(&[("a", Passed)])];
        assert!(worth_asking_the_base(&now, &base));
        assert_eq!(kept(&now, &base).0, Verdict::Fail);
        now.base_again = vec![results(&[("a", Failed)])];
        assert_eq!(kept(&now, &base).0, Verdict::Pass);
    }

    #[test]
    fn a_test_that_moved_to_another_file_is_not_gone() {
        let base = [seen(
            0,
            &[("t/old.py::T::a", Passed), ("t/x.py::T::b", Passed)],
        )];
        let now = seen(0, &[("t/new.py::T::a", Passed), ("t/x.py::T::b", Passed)]);
        assert_eq!(kept(&now, &base).0, Verdict::Pass);
        // One that was there already is no new one in its place.
        let base = [seen(
            0,
            &[("t/old.py::T::a", Passed), ("t/x.py::T::a", Passed)],
        )];
        let now = seen(0, &[("t/x.py::T::a", Passed)]);
        assert_eq!(kept(&now, &base).0, Verdict::Fail);
    }

    #[test]
    fn tests_that_were_added_may_not_carry_the_bases() {
        let base = [seen(1, &[("a", Passed), ("b", Failed)])];
        let mut now = seen(0, &[("a", Passed), ("b", Passed), ("new", Passed)]);
        now.strict = Some(results(&[("a", Passed), ("b", Failed)]));
        let (verdict, reason) = kept(&now, &base);
        assert_eq!(verdict, Verdict::Fail);
        assert!(
            reason.contains("`b` passes only beside the tests that were added"),
            "{reason}"
        );
        now.strict = Some(results(&[("a", Passed), ("b", Passed)]));
        assert_eq!(kept(&now, &base).0, Verdict::Pass);
        now.strict = Some(TestResults::default());
        assert_eq!(kept(&now, &base).0, Verdict::Fail);
    }

    #[test]
    fn an_exit_code_does_not_hide_tests_that_are_gone() {
        let base = [seen(0, &[("a", Passed), ("b", Failed)])];
        let said = |now: &Observation| {
            behind_exit_code(Role::Done, now, now.tests.as_ref().unwrap(), &base).map(|j| j.reason)
        };
        assert_eq!(said(&seen(0, &[("a", Passed), ("b", Passed)])), None);
        assert_eq!(
            said(&seen(0, &[("a", Passed), ("b", Skipped)])).unwrap(),
            "exit code 0, but `b` failed on the base and is skipped now"
        );
        let base = [seen(
            0,
            &[
                ("t.py::a", Passed),
                ("t.py::b", Failed),
                ("tests.test_x", Failed),
                ("tests/x.py::tests.x", Failed),
            ],
        )];
        let now = seen(0, &[("t.py::a", Passed)]);
        assert_eq!(
            behind_exit_code(Role::Done, &now, now.tests.as_ref().unwrap(), &base)
                .unwrap()
                .reason,
            "exit code 0, but `t.py::b` failed on the base and is gone"
        );
        assert_eq!(
            said(&seen(0, &[])).unwrap(),
            "exit code 0, but no test was run, and tests passed on the base"
        );
        assert_eq!(
            said(&seen(0, &[("b", Passed), ("a", Skipped)])).unwrap(),
            "exit code 0, but `a` passed on the base and is skipped now"
        );
    }

    #[test]
    fn a_new_test_that_passes_with_the_old_implementation_proves_nothing() {
        let must = ["new".to_owned()];
        let demand = Demand {
            role: Role::Done,
            must_pass: &must,
            proves_change: true,
        };
        let base = [seen(0, &[("a", Passed)])];
        let mut now = seen(0, &[("a", Passed), ("new", Passed)]);
        let verdict = |now: &Observation| {
            judge(demand, now, now.tests.as_ref().unwrap(), Some(&base)).verdict
        };
        assert_eq!(verdict(&now), Verdict::Pass);
        now.reverse = Some(results(&[("a", Passed), ("new", Passed)]));
        assert_eq!(verdict(&now), Verdict::Fail);
        now.reverse = Some(results(&[("a", Passed), ("new", Failed)]));
        assert_eq!(verdict(&now), Verdict::Pass);
    }
}
