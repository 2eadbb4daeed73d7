//! Verified progress over the checkpoints, as a line of bars: how near the checks are to passing, all together.

use overnight_core::check::Verdict;
use overnight_core::measure::Measure;
use overnight_core::state::{CheckState, Found, State, Treatment, is_own};

use super::look::Look;

/// How many checkpoints are kept; beyond it every other one is let go, and of the following ones too, so that the
/// line keeps its shape.
const KEPT_MAX: usize = 256;

/// Shares of the way between the base and every check passed, one for the base and one a checkpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    shares: Vec<f64>,
    /// How often every other share was let go.
    halved: u32,
    /// How many checkpoints the last share stands for already.
    stood_for: u32,
    checkpoints: Option<u32>,
}

impl Progress {
    /// Takes a look after an event: a checkpoint that has closed is one more share.
    pub fn see(&mut self, state: &State) {
        let judged = state.checks.values().any(|c| c.base.is_some());
        if !judged || self.checkpoints == Some(state.progress.checkpoints) {
            return;
        }
        // The base's own share is final only when work begins.
        let first = self.checkpoints.is_none();
        if first && state.checks.values().any(|c| c.base.is_none()) {
            return;
        }
        self.checkpoints = Some(state.progress.checkpoints);
        self.push(share(state));
    }

    fn push(&mut self, share: f64) {
        let stride = 1 << self.halved.min(u32::BITS - 1);
        match self.shares.last_mut() {
            Some(last) if self.stood_for < stride => {
                *last = share;
                self.stood_for += 1;
            }
            _ => {
                self.shares.push(share);
                self.stood_for = 1;
            }
        }
        if self.shares.len() > KEPT_MAX {
            // The base and the newest stay: their places are even.
            let mut even = false;
            self.shares.retain(|_| {
                even = !even;
                even
            });
            self.halved += 1;
        }
    }

    /// All checkpoints, the newest last, in at most so many columns.
    pub fn line(&self, columns: usize, look: Look) -> String {
        if columns == 0 {
            return String::new();
        }
        let bars = look.bars();
        let shares = &self.shares;
        let shown = shares.len().min(columns);
        (1..=shown)
            // Where there are more shares than columns, a column shows the last of its own.
            .map(|column| shares[column * shares.len() / shown - 1])
            .map(|share| {
                let top = bars.len() - 1;
                bars[((share * top as f64).floor() as usize).min(top)]
            })
            .collect()
    }

    /// How many shares there are.
    pub fn len(&self) -> usize {
        self.shares.len()
    }
}

/// The share of the checks that must change, and of those that are broken. What passes on the base and still does has
/// no way to go; nor have the harness's own checks, which pass as long as nothing is done.
fn share(state: &State) -> f64 {
    let checks = state.checks.iter();
    let counts = |check: &CheckState| {
        let passes = |f: &Found| f.verdict == Verdict::Pass;
        check.treatment() != Treatment::MustStay || !check.latest.as_ref().is_none_or(passes)
    };
    let shares: Vec<f64> = checks
        .filter(|(id, check)| !is_own(id) && counts(check))
        .map(|(_, check)| one(check))
        .collect();
    match shares.len() {
        // Nothing had to change, and nothing is broken.
        0 => 1.0,
        n => shares.iter().sum::<f64>() / n as f64,
    }
}

fn one(check: &CheckState) -> f64 {
    let Some(found) = check.latest.as_ref().or(check.base.as_ref()) else {
        return 0.0;
    };
    match found.verdict {
        Verdict::Pass => 1.0,
        Verdict::CannotTell => 0.0,
        // What fails has a way to go, however near it is.
        Verdict::Fail => way(found, check.base.as_ref()).clamp(0.0, 0.99),
    }
}

fn way(found: &Found, base: Option<&Found>) -> f64 {
    let distance = |m: &Measure| m.distance.filter(|d| d.is_finite() && *d > 0.0);
    if let Some(left) = distance(&found.measure) {
        let whole = base.and_then(|b| distance(&b.measure));
        return whole.map_or(0.0, |whole| 1.0 - left / whole);
    }
    let Measure {
        passing, failing, ..
    } = found.measure;
    match passing.saturating_add(failing) {
        0 => 0.0,
        all => passing as f64 / all as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Look = Look {
        color: true,
        unicode: true,
    };

    fn of(shares: &[f64]) -> Progress {
        Progress {
            shares: shares.to_vec(),
            ..Progress::default()
        }
    }

    #[test]
    fn only_all_of_it_is_a_full_bar() {
        assert_eq!(of(&[0.0, 0.5, 0.99, 1.0]).line(10, LOOK), "▁▄▇█");
        assert_eq!(of(&[0.0, 0.5, 0.99, 1.0]).line(2, LOOK), "▄█");
        assert_eq!(of(&[0.5]).line(0, LOOK), "");
        assert_eq!(of(&[]).line(5, LOOK), "");
    }

    #[test]
    fn a_long_run_keeps_its_shape() {
        let mut progress = of(&[]);
        for n in 0..2_000 {
            progress.push(f64::from(n) / 2_000.0);
        }
        assert!(progress.len() <= KEPT_MAX);
        assert_eq!(progress.shares[0], 0.0);
        assert!(progress.shares.is_sorted());
        assert_eq!(progress.shares.last(), Some(&(1_999.0 / 2_000.0)));
        assert_eq!(progress.line(8, LOOK), "▁▂▃▄▅▆▇▇", "as steady as it was");
    }

    #[test]
    fn a_metric_is_measured_from_the_base() {
        let found = |distance: f64| Found {
            tree: "t".into(),
            verdict: Verdict::Fail,
            reason: String::new(),
            evidence: String::new(),
            measure: Measure {
                passing: 0,
                failing: 1,
                distance: Some(distance),
            },
            obstacle: None,
            flaky: false,
            observation: None,
            duration_ms: 0,
        };
        assert_eq!(way(&found(10.0), Some(&found(40.0))), 0.75);
        assert_eq!(way(&found(40.0), None), 0.0);
        assert!(way(&found(80.0), Some(&found(40.0))) < 0.0, "clamped later");
    }
}
