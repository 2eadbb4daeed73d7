//! Judging what was found about the oracle: anything that nothing licenses fails.

use super::text::{clip, plain};
use super::{EVIDENCE_BYTES_MAX, Judgement};
use crate::check::{Observation, Verdict};
use crate::finding::Finding;
use crate::tests::TestStatus;

/// How many findings a reason names.
const FINDINGS_NAMED_MAX: usize = 3;
/// Length of a reason, bytes.
const REASON_BYTES_MAX: usize = 600;

/// What a run with tests in it that cannot pass says against what ran them; `mark` is in the names of those tests.
pub fn canary_faults(mark: &str, seen: &Observation) -> Vec<String> {
    let Some(results) = &seen.tests else {
        return Vec::new();
    };
    let canaries = || {
        results
            .tests
            .iter()
            .filter(|(name, _)| name.to_lowercase().contains(mark))
    };
    let mut faults: Vec<String> = canaries()
        .filter(|(_, status)| **status == TestStatus::Passed)
        .map(|(name, _)| {
            format!("`{name}` cannot pass and passes: something has hold of the test runner")
        })
        .collect();
    let told = canaries().any(|(_, status)| *status == TestStatus::Failed);
    if told && seen.exit == Some(0) {
        faults.push(format!(
            "`{}` ends with exit code 0 although a test fails: something has hold of it",
            seen.command
        ));
    }
    faults
}

/// Judges the findings about a candidate: `offences` and `faults` fail, `notes` are shown.
pub fn judge_oracle(offences: &[Finding], faults: &[String], notes: &[Finding]) -> Judgement {
    let lines = |findings: &[Finding]| findings.iter().map(Finding::to_string).collect::<Vec<_>>();
    let mut against = lines(offences);
    against.extend(faults.iter().cloned());
    let mut evidence = against.clone();
    if !notes.is_empty() {
        evidence.push("To be reviewed; these fail nothing:".to_owned());
        evidence.extend(lines(notes));
    }
    let evidence = clip(&plain(&evidence.join("\n")), EVIDENCE_BYTES_MAX);
    let mut judgement = if against.is_empty() {
        let aside = match notes.len() {
            0 => String::new(),
            1 => ", 1 thing to review".to_owned(),
            n => format!(", {n} things to review"),
        };
        Judgement::new(
            Verdict::Pass,
            format!("the base's tests and what steers them are as they were{aside}"),
        )
    } else {
        let named = against[..against.len().min(FINDINGS_NAMED_MAX)].join("; ");
        let more = match against.len().saturating_sub(FINDINGS_NAMED_MAX) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let reason = clip(
            &plain(&format!("{named}{more}")).replace('\n', " "),
            REASON_BYTES_MAX,
        );
        let mut judgement = Judgement::new(Verdict::Fail, reason);
        judgement.measure.failing = against.len() as u64;
        judgement
    };
    judgement.evidence = evidence;
    judgement
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::FindingKind;

    #[test]
    fn an_offence_names_file_and_line() {
        let found = |line, kind, detail: &str| Finding {
            path: "tests/test_cart.py".into(),
            line,
            kind,
            detail: detail.into(),
        };
        let notes = [found(Some(9), FindingKind::AssertsNothing, "test_new")];
        let fine = judge_oracle(&[], &[], &notes);
        assert_eq!(fine.verdict, Verdict::Pass);
        assert!(
            fine.reason.ends_with("1 thing to review"),
            "{}",
            fine.reason
        );
        let bad = judge_oracle(
            &[found(Some(4), FindingKind::TestChanged, "test_sum")],
            &[],
            &notes,
        );
        assert_eq!(bad.verdict, Verdict::Fail);
        assert_eq!(bad.reason, "tests/test_cart.py:4: test changed: test_sum");
        assert!(bad.evidence.contains("test_new"));
    }

    #[test]
    fn a_canary_that_lives_is_a_fault() {
        let seen = |exit, status| {
            let mut tests = crate::tests::TestResults::default();
            tests.record("tests/test_a.py::TestCanary0a::test_canary0a_true", status);
            tests.record("tests/test_a.py::test_a", TestStatus::Passed);
            Observation {
                command: "pytest".into(),
                exit: Some(exit),
                tests: Some(tests),
                ..Observation::default()
            }
        };
        let faults = |exit, status| canary_faults("canary0a", &seen(exit, status));
        assert!(faults(1, TestStatus::Failed).is_empty());
        assert!(faults(1, TestStatus::Passed)[0].contains("cannot pass and passes"));
        assert!(faults(0, TestStatus::Failed)[0].contains("exit code 0"));
        let judged = judge_oracle(&[], &faults(0, TestStatus::Failed), &[]);
        assert_eq!(judged.verdict, Verdict::Fail);
    }
}
