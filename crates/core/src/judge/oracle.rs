//! Judging what was found about the oracle: anything that nothing licenses fails.

use super::text::{clip, plain};
use super::{EVIDENCE_BYTES_MAX, Judgement};
use crate::check::Verdict;
use crate::finding::Finding;

/// How many findings a reason names.
const FINDINGS_NAMED_MAX: usize = 3;
/// Length of a reason, bytes.
const REASON_BYTES_MAX: usize = 600;

/// Judges the findings about a candidate: `offences` fail, `notes` are shown.
pub fn judge_oracle(offences: &[Finding], notes: &[Finding]) -> Judgement {
    let lines = |findings: &[Finding]| findings.iter().map(Finding::to_string).collect::<Vec<_>>();
    let mut evidence = lines(offences);
    if !notes.is_empty() {
        evidence.push("To be reviewed; these fail nothing:".to_owned());
        evidence.extend(lines(notes));
    }
    let evidence = clip(&plain(&evidence.join("\n")), EVIDENCE_BYTES_MAX);
    let mut judgement = if offences.is_empty() {
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
        let named = lines(&offences[..offences.len().min(FINDINGS_NAMED_MAX)]).join("; ");
        let more = match offences.len().saturating_sub(FINDINGS_NAMED_MAX) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let reason = clip(
            &plain(&format!("{named}{more}")).replace('\n', " "),
            REASON_BYTES_MAX,
        );
        let mut judgement = Judgement::new(Verdict::Fail, reason);
        judgement.measure.failing = offences.len() as u64;
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
        let fine = judge_oracle(&[], &notes);
        assert_eq!(fine.verdict, Verdict::Pass);
        assert!(
            fine.reason.ends_with("1 thing to review"),
            "{}",
            fine.reason
        );
        let bad = judge_oracle(
            &[found(Some(4), FindingKind::TestChanged, "test_sum")],
            &notes,
        );
        assert_eq!(bad.verdict, Verdict::Fail);
        assert_eq!(bad.reason, "tests/test_cart.py:4: test changed: test_sum");
        assert!(bad.evidence.contains("test_new"));
    }
}
