//! A check's result as a quantity, so that progress can be told from activity.

use serde::{Deserialize, Serialize};

/// How far a check is from passing. Larger `passing` and smaller `failing` are progress; for a metric, a smaller
/// `distance` to its target is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Tests (or, for other kinds, checks: 0 or 1) that pass.
    pub passing: u64,
    /// Tests (or checks) that do not.
    pub failing: u64,
    /// For a metric: how much is missing to its target, in the metric's own unit; 0 when reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<f64>,
}

impl Measure {
    /// Whether `self` is verified progress over `best`.
    pub fn improves_on(&self, best: &Measure) -> bool {
        let nearer = match (self.distance, best.distance) {
            (Some(now), Some(then)) => now < then,
            (Some(_), None) => true,
            _ => false,
        };
        self.failing < best.failing
            || (self.failing == best.failing && self.passing > best.passing)
            || nearer
    }

    /// The best of both in every respect: what later checkpoints are measured against.
    pub fn best_of(&self, other: &Measure) -> Measure {
        let distance = match (self.distance, other.distance) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let fewer = if self.failing < other.failing
            || (self.failing == other.failing && self.passing >= other.passing)
        {
            self
        } else {
            other
        };
        Measure {
            passing: fewer.passing,
            failing: fewer.failing,
            distance,
        }
    }
}
