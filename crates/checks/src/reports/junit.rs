//! JUnit XML in the dialects of pytest, nextest, Surefire, gotestsum, node, vitest, jest-junit, mocha-junit-reporter,
//! PHPUnit and googletest.
//!
//! The dialects agree on `<testcase>` and on little else, so that counts and times in attributes are never read. A
//! test failed if it holds `<failure>` or `<error>`; it was skipped if it holds `<skipped>`, or if googletest says
//! that it was not run. Where a file is named it heads the full name.

use overnight_core::tests::{TestResults, TestStatus};

use super::xml::{Element, Visitor, walk};
use super::{Collector, ReportError};

/// Reads a report.
pub fn parse(bytes: &[u8]) -> Result<TestResults, ReportError> {
    let mut junit = Junit::default();
    walk("JUnit XML", bytes, &["testsuites", "testsuite"], &mut junit)?;
    Ok(junit.results.finish())
}

#[derive(Default)]
struct Junit {
    results: Collector,
    failed: bool,
    skipped: bool,
    todo: bool,
}

impl Visitor for Junit {
    fn enter(&mut self, path: &[Element]) -> Result<(), ReportError> {
        let [.., parent, element] = path else {
            return Ok(());
        };
        match (parent.name.as_str(), element.name.as_str()) {
            ("testsuite" | "testsuites", "testcase") => {
                let status = element.text("status").to_ascii_lowercase();
                let result = element.text("result").to_ascii_lowercase();
                self.failed = false;
                self.todo = false;
                self.skipped = matches!(status.as_str(), "notrun" | "skipped" | "disabled")
                    || matches!(result.as_str(), "suppressed" | "skipped");
            }
            ("testcase", "failure" | "error") => self.failed = true,
            ("testcase", "skipped" | "disabled") => {
                self.skipped = true;
                // Node writes a failing `todo` as both; its own exit code takes it for no failure.
                self.todo = element.text("type") == "todo";
            }
            // A suite that broke outside its tests (setup, teardown, a crash).
            ("testsuite" | "testsuites", "failure" | "error") => {
                self.results
                    .add([place(path), "(suite)"], TestStatus::Failed)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, path: &[Element]) -> Result<(), ReportError> {
        let [.., parent, case] = path else {
            return Ok(());
        };
        if case.name != "testcase" || !parent.name.starts_with("testsuite") {
            return Ok(());
        }
        let status = if self.failed && !self.todo {
            TestStatus::Failed
        } else if self.skipped {
            TestStatus::Skipped
        } else {
            TestStatus::Passed
        };
        self.results.add(full_name(path, case), status)
    }
}

/// The innermost name of a suite or file around the element.
fn place(path: &[Element]) -> &str {
    path.iter()
        .rev()
        .flat_map(|e| [e.text("file"), e.text("name")])
        .find(|text| !text.is_empty())
        .unwrap_or("(suite)")
}

/// File, groups, title.
fn full_name<'a>(path: &'a [Element], case: &'a Element) -> Vec<&'a str> {
    let title = case.text("name");
    let class = case.text("classname");
    let file = path
        .iter()
        .rev()
        .map(|e| e.text("file"))
        .find(|f| !f.is_empty())
        .unwrap_or_default();

    if let Some(groups) = pytest_groups(file, class) {
        return std::iter::once(file)
            .chain(groups.split('.'))
            .chain([title])
            .collect();
    }
    let mut parts = Vec::new();
    if !file.is_empty() && file != title {
        parts.push(file);
    }
    let suites = path
        .iter()
        .filter(|e| e.name == "testsuite")
        .map(|e| e.text("name"));
    // Node gives every test the class "test".
    let class = if class == "test" { "" } else { class };
    for group in suites.chain([class]) {
        let tool = matches!(
            group,
            "" | "pytest" | "Root Suite" | "undefined" | "jest tests"
        );
        let told = parts.last() == Some(&group)
            || repeats(group, title)
            || (group != class && class.starts_with(group));
        if !tool && !told {
            parts.push(group);
        }
    }
    parts.push(title);
    parts
}

/// Whether a title says the group already, as jest-junit (twice the same) and mocha-junit-reporter (the class is the
/// title's end) write it.
fn repeats(group: &str, title: &str) -> bool {
    title == group
        || title
            .strip_suffix(group)
            .is_some_and(|rest| rest.ends_with(' '))
}

/// What is left of pytest's class (`tests.test_cart.TestCart`) behind its file (`tests/test_cart.py`), if that is
/// what the two are.
fn pytest_groups<'a>(file: &str, class: &'a str) -> Option<&'a str> {
    let module = file.strip_suffix(".py")?.replace('/', ".");
    let rest = class.strip_prefix(module.as_str())?;
    if rest.is_empty() {
        Some("")
    } else {
        rest.strip_prefix('.')
    }
}
