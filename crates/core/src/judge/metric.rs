//! Judging a number against its target.

use super::{Against, Baseline, EVIDENCE_BYTES_MAX, Judgement, clip, denominators, plain};
use crate::check::{Observation, Obstacle, Reading, Verdict};
use crate::goal::{Aim, Better, Read};

/// Longest reason that tells of what is no longer measured, bytes.
const LOSSES_BYTES_MAX: usize = 600;

/// Judges a metric: the number, and then what it is a number of.
pub(super) fn judge(
    aim: Aim,
    read: &Read,
    index: usize,
    now: &Observation,
    against: Option<Against<'_>>,
) -> Judgement {
    let mut judgement = reach(aim, index, now, against.map(|against| against.base));
    let Some(against) = against.filter(|_| judgement.verdict == Verdict::Pass) else {
        return judgement;
    };
    let losses = denominators::losses(read, index, now, against);
    if losses.is_empty() {
        return judgement;
    }
    let reason = clip(&plain(&losses.reason()), LOSSES_BYTES_MAX);
    let distance = judgement.measure.distance;
    judgement = Judgement::new(Verdict::Fail, format!("{}, but {reason}", judgement.reason));
    judgement.evidence = clip(&plain(&losses.evidence()), EVIDENCE_BYTES_MAX);
    judgement.measure.distance = distance;
    judgement
}

/// Judges a number against its target.
pub(super) fn reach(
    aim: Aim,
    index: usize,
    now: &Observation,
    base: Option<Baseline<'_>>,
) -> Judgement {
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
