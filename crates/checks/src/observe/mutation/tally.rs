//! What became of the faults that were tried, and when it is certain what the share will be. Nothing is run here.

use std::collections::BTreeSet;

use overnight_core::tests::{TestResults, TestStatus};
use overnight_ports::faults::Fault;

/// What the tests made of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// These tests no longer pass.
    Failed(BTreeSet<String>),
    /// The run did not end in time.
    Hung,
    /// The command failed, and which test did cannot be told: it crashed, or names no tests.
    Broke,
    /// Nothing noticed.
    Unnoticed,
}

/// The faults that were tried so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    tried: Vec<(Fault, Outcome)>,
    /// Tests that fail on the unchanged code too, now and then: they notice nothing.
    flaky: BTreeSet<String>,
    /// Faults with which the code did not compile. They are no faults.
    pub(super) not_code: usize,
}

impl Tally {
    pub(super) fn add(&mut self, fault: Fault, outcome: Outcome) {
        self.tried.push((fault, outcome));
    }

    pub(super) fn distrust(&mut self, tests: BTreeSet<String>) {
        self.flaky.extend(tests);
    }

    pub(super) fn flaky(&self) -> &BTreeSet<String> {
        &self.flaky
    }

    pub(super) fn ran(&self) -> usize {
        self.tried.len()
    }

    fn is_noticed(&self, outcome: &Outcome) -> bool {
        match outcome {
            Outcome::Failed(tests) => !tests.is_subset(&self.flaky),
            Outcome::Hung | Outcome::Broke => true,
            Outcome::Unnoticed => false,
        }
    }

    pub(super) fn noticed(&self) -> usize {
        let noticed = self.tried.iter().filter(|(_, o)| self.is_noticed(o));
        noticed.count()
    }

    /// The faults that nobody noticed, in the order in which they were tried.
    pub(super) fn unnoticed(&self) -> impl Iterator<Item = &Fault> {
        let unnoticed = self.tried.iter().filter(|(_, o)| !self.is_noticed(o));
        unnoticed.map(|(fault, _)| fault)
    }

    /// The share of those that were tried, percent.
    pub(super) fn share(&self) -> f64 {
        percent(self.noticed(), self.ran())
    }

    /// Whether `enough` percent are certain to be reached, or to be missed, whatever becomes of at most `left` more.
    pub(super) fn is_certain(&self, enough: Option<f64>, left: usize) -> bool {
        let Some(enough) = enough.filter(|_| self.ran() > 0) else {
            return false;
        };
        let all = self.ran() + left;
        percent(self.noticed(), all) >= enough || percent(self.noticed() + left, all) < enough
    }
}

/// The fewest faults of `all` by which it can be certain that `enough` percent are reached or missed.
pub(super) fn least(all: usize, enough: Option<f64>) -> usize {
    let Some(enough) = enough else {
        return all;
    };
    let reached = (0..=all).find(|noticed| percent(*noticed, all) >= enough);
    let reached = reached.unwrap_or(all);
    reached.min(all + 1 - reached.max(1))
}

fn percent(part: usize, all: usize) -> f64 {
    // Counts of faults are far below 2^53, so that nothing is lost.
    if all == 0 {
        0.0
    } else {
        100.0 * part as f64 / all as f64
    }
}

/// The tests that pass.
pub(super) fn passing(results: &TestResults) -> BTreeSet<String> {
    let passed = results
        .tests
        .iter()
        .filter(|(_, status)| **status == TestStatus::Passed);
    passed.map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod test {
    use overnight_ports::faults::Language;

    use super::*;

    fn fault(line: u64) -> Fault {
        Fault {
            path: "a.py".into(),
            language: Language::Python,
            line,
            start: 0,
            end: 0,
            text: String::new(),
            change: String::new(),
        }
    }

    fn failed(tests: &[&str]) -> Outcome {
        Outcome::Failed(tests.iter().map(|t| (*t).to_owned()).collect())
    }

    #[test]
    fn a_test_that_fails_on_unchanged_code_notices_nothing() {
        let mut tally = Tally::default();
        tally.add(fault(1), failed(&["a"]));
        tally.add(fault(2), failed(&["a", "b"]));
        tally.add(fault(3), Outcome::Unnoticed);
        tally.add(fault(4), Outcome::Hung);
        assert_eq!((tally.noticed(), tally.ran()), (3, 4));
        tally.distrust(["a".to_owned()].into());
        assert_eq!((tally.noticed(), tally.share()), (2, 50.0));
        let lines: Vec<u64> = tally.unnoticed().map(|f| f.line).collect();
        assert_eq!(lines, [1, 3]);
    }

    #[test]
    fn it_is_certain_when_the_rest_cannot_change_it() {
        let mut tally = Tally::default();
        assert!(!tally.is_certain(Some(60.0), 10));
        for line in 0..6 {
            tally.add(fault(line), Outcome::Broke);
        }
        assert_eq!(least(10, None), 10);
        assert_eq!(least(10, Some(60.0)), 5);
        assert_eq!(least(10, Some(90.0)), 2);
        assert_eq!(least(10, Some(10.0)), 1);
        assert_eq!(least(0, Some(60.0)), 0);
        // 6 of 10 are 60 %, whatever comes.
        assert!(tally.is_certain(Some(60.0), 4));
        assert!(!tally.is_certain(Some(60.0), 5));
        assert!(!tally.is_certain(None, 4));
        let mut tally = Tally::default();
        for line in 0..5 {
            tally.add(fault(line), Outcome::Unnoticed);
        }
        // 5 of 10 are the most there can be.
        assert!(tally.is_certain(Some(60.0), 5));
        assert!(!tally.is_certain(Some(50.0), 5));
        assert!(tally.is_certain(Some(50.0), 0));
    }
}
