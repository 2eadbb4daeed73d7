//! Judging how many planted faults the tests noticed.

use super::{EVIDENCE_BYTES_MAX, Judgement, metric, tail};
use crate::check::{Observation, Reading};
use crate::goal::Aim;

/// The share is the observation's first value; how many were noticed and how many were planted are the two behind it,
/// where any was planted.
pub(super) fn judge(aim: Aim, now: &Observation) -> Judgement {
    let mut judgement = metric::reach(aim, 0, now, None);
    let count = |index: usize| match now.values.get(index) {
        Some(Reading::Value(count)) => Some(*count),
        Some(Reading::Missing(_)) | None => None,
    };
    if let (Some(share), Some(noticed), Some(planted)) = (count(0), count(1), count(2)) {
        let wanted = match aim {
            Aim::AtLeast(share) => format!(", wanted at least {share} %"),
            Aim::AtMost(_) | Aim::Equals(_) | Aim::NoWorse(_) => String::new(),
        };
        let share = (share * 10.0).floor() / 10.0;
        judgement.reason =
            format!("{noticed} of {planted} planted faults were noticed: {share} %{wanted}");
    } else if count(0).is_some() {
        // Without any fault the output's last line says why.
        let output = String::from_utf8_lossy(&now.output);
        let why = output.lines().rev().find(|line| !line.trim().is_empty());
        if let Some(why) = why {
            judgement.reason = super::clip(&super::plain(why), WHY_BYTES_MAX);
        }
    }
    // Faults that nobody noticed are worth knowing, whatever the share is.
    judgement.evidence = tail(&now.output, EVIDENCE_BYTES_MAX);
    judgement
}

/// Longest reason that is taken from the output, bytes.
const WHY_BYTES_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    fn seen(values: &[f64], output: &str) -> Observation {
        Observation {
            values: values.iter().map(|v| Reading::Value(*v)).collect(),
            output: output.as_bytes().to_vec(),
            ..Observation::default()
        }
    }

    #[test]
    fn the_share_is_judged_and_told_with_its_numbers() {
        let aim = Aim::AtLeast(60.0);
        let low = judge(
            aim,
            &seen(&[59.375, 19.0, 32.0], "a.py:3: `<` became `<=`\n"),
        );
        assert_eq!(low.verdict, Verdict::Fail);
        assert_eq!(
            low.reason,
            "19 of 32 planted faults were noticed: 59.3 %, wanted at least 60 %"
        );
        assert_eq!(low.evidence, "a.py:3: `<` became `<=`");
        assert_eq!(low.measure.distance, Some(0.625));
        let high = judge(aim, &seen(&[60.0, 24.0, 40.0], "a.py:3: `<` became `<=`\n"));
        assert_eq!(high.verdict, Verdict::Pass);
        assert!(high.evidence.contains("a.py:3"), "{}", high.evidence);
    }

    #[test]
    fn where_no_fault_could_be_planted_it_fails_and_says_why() {
        let none = judge(
            Aim::AtLeast(60.0),
            &seen(&[0.0], "collected 0 items\nNo test was run.\n"),
        );
        assert_eq!(none.verdict, Verdict::Fail);
        assert_eq!(none.reason, "No test was run.");
        let unknown = judge(Aim::AtLeast(60.0), &seen(&[], ""));
        assert_eq!(unknown.verdict, Verdict::CannotTell);
    }
}
