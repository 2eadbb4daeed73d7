//! Per-test results: the normal form that every runner's report is read into.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How one test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestStatus {
    /// It ran and passed.
    Passed,
    /// It ran and failed, or could not be set up.
    Failed,
    /// It was collected and not run (skipped, ignored, pending, todo, expected failure).
    Skipped,
}

/// Every test of one execution by its full name.
///
/// The full name is unique within an execution and stable between executions: file or suite, then nested groups,
/// then the test's own name, joined with `::`. Two results under one name (parametrised tests that a reporter does
/// not tell apart, retries) are merged to the worse of both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResults {
    /// Full name to status.
    pub tests: BTreeMap<String, TestStatus>,
}

impl TestResults {
    /// Adds one result; of two under the same name the worse stays (failed, then skipped, then passed).
    pub fn record(&mut self, name: impl Into<String>, status: TestStatus) {
        let rank = |s: TestStatus| match s {
            TestStatus::Passed => 0,
            TestStatus::Skipped => 1,
            TestStatus::Failed => 2,
        };
        self.tests
            .entry(name.into())
            .and_modify(|seen| {
                if rank(status) > rank(*seen) {
                    *seen = status;
                }
            })
            .or_insert(status);
    }

    /// How many tests ended in `status`.
    pub fn count(&self, status: TestStatus) -> usize {
        self.tests.values().filter(|s| **s == status).count()
    }

    /// The full names of the tests a person means by `name`: the whole name, or its last parts. Parts may be joined
    /// by `::`, ` > `, ` › ` or a blank, as the runners themselves print them; if nothing is found that way, `.` and
    /// `/` join parts as well.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, TestStatus)> {
        let found = self.matching(name, flatten);
        let found = if found.is_empty() {
            self.matching(name, flatten_more)
        } else {
            found
        };
        found.into_iter()
    }

    fn matching(&self, name: &str, flat: fn(&str) -> String) -> Vec<(&str, TestStatus)> {
        let wanted = flat(name);
        let hit = |full: &str| {
            let full = flat(full);
            !wanted.is_empty()
                && (full == wanted
                    || full
                        .strip_suffix(wanted.as_str())
                        .is_some_and(|rest| rest.ends_with(' ')))
        };
        self.tests
            .iter()
            .filter(|(full, _)| hit(full))
            .map(|(full, status)| (full.as_str(), *status))
            .collect()
    }
}

/// As [`flatten`], with `.` and `/` as separators too: a title such as `adds 1.5` is not cut while there is a choice.
fn flatten_more(name: &str) -> String {
    flatten(&name.replace(['.', '/'], " "))
}

/// A name with every separator of groups turned into one blank.
fn flatten(name: &str) -> String {
    let mut flat = name
        .replace("::", " ")
        .replace(" > ", " ")
        .replace(" › ", " ");
    flat = flat.split_whitespace().collect::<Vec<_>>().join(" ");
    flat
}

#[cfg(test)]
mod test {
    use super::*;

    fn results() -> TestResults {
        let mut r = TestResults::default();
        r.record(
            "tests/test_cart.py::TestCart::test_total",
            TestStatus::Passed,
        );
        r.record(
            "src/cart.test.js::cart > pays with a valid card",
            TestStatus::Failed,
        );
        r
    }

    #[test]
    fn a_test_is_found_by_its_full_name_and_by_its_last_parts() {
        let r = results();
        for name in [
            "tests/test_cart.py::TestCart::test_total",
            "TestCart::test_total",
            "test_total",
        ] {
            assert_eq!(r.named(name).count(), 1, "{name}");
        }
        for name in [
            "pays with a valid card",
            "cart › pays with a valid card",
            "cart pays with a valid card",
        ] {
            assert_eq!(r.named(name).count(), 1, "{name}");
        }
    }

    #[test]
    fn dots_and_slashes_join_parts_only_if_nothing_is_found_otherwise() {
        let mut r = results();
        assert_eq!(r.named("test_cart.py.TestCart.test_total").count(), 1);
        assert_eq!(r.named("TestCart.test_total").count(), 1);
        r.record("m::adds 1.5", TestStatus::Passed);
        r.record("m::5", TestStatus::Passed);
        assert_eq!(r.named("5").map(|(n, _)| n).collect::<Vec<_>>(), ["m::5"]);
    }

    #[test]
    fn part_of_a_word_names_no_test() {
        assert_eq!(results().named("total").count(), 0);
        assert_eq!(results().named("").count(), 0);
    }

    #[test]
    fn of_two_results_under_one_name_the_worse_stays() {
        let mut r = TestResults::default();
        r.record("a", TestStatus::Failed);
        r.record("a", TestStatus::Passed);
        assert_eq!(r.tests["a"], TestStatus::Failed);
    }
}
