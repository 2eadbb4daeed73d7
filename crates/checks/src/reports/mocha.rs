//! mocha's `json` reporter.

use overnight_core::tests::{TestResults, TestStatus};
use serde::Deserialize;
use serde_json::Value;

use super::{Collector, ReportError, text};

/// How much of one failure is shown, bytes.
const FAILURE_BYTES_MAX: usize = 4_000;

#[derive(Deserialize)]
struct Report {
    tests: Vec<Test>,
    pending: Vec<Test>,
    failures: Vec<Test>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Test {
    #[serde(default)]
    title: String,
    #[serde(default)]
    full_title: String,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    err: Value,
}

impl Test {
    /// File, the titles of the groups in one piece (mocha joins them with blanks), the title.
    fn parts(&self) -> [&str; 3] {
        let groups = self
            .full_title
            .strip_suffix(self.title.as_str())
            .unwrap_or_default();
        let title = if self.title.is_empty() {
            self.full_title.as_str()
        } else {
            self.title.as_str()
        };
        [self.file.as_deref().unwrap_or_default(), groups, title]
    }
}

fn read(bytes: &[u8]) -> Result<Report, ReportError> {
    let text = text(bytes)?;
    serde_json::from_str(&text).map_err(|e| ReportError::malformed("mocha JSON", e))
}

/// Reads a report. A hook that failed is listed among the failures only, and counts as a failed test.
pub fn parse(bytes: &[u8]) -> Result<TestResults, ReportError> {
    let report = read(bytes)?;
    let mut results = Collector::default();
    for test in &report.tests {
        let failed = test.err.as_object().is_some_and(|err| !err.is_empty());
        let status = if failed {
            TestStatus::Failed
        } else {
            TestStatus::Passed
        };
        results.add(test.parts(), status)?;
    }
    // The same test again, under the name it has above: the worse of both stays.
    for test in &report.pending {
        results.add(test.parts(), TestStatus::Skipped)?;
    }
    for test in &report.failures {
        results.add(test.parts(), TestStatus::Failed)?;
    }
    Ok(results.finish())
}

/// The report as people read it: mocha prints nothing else when it writes JSON.
pub fn readable(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let Ok(report) = read(bytes) else {
        return String::new();
    };
    let mut out = String::new();
    let (tests, failing, pending) = (
        report.tests.len(),
        report.failures.len(),
        report.pending.len(),
    );
    let _ = writeln!(
        out,
        "mocha: {tests} tests, {failing} failing, {pending} pending"
    );
    for test in &report.failures {
        let stack = test
            .err
            .get("stack")
            .or_else(|| test.err.get("message"))
            .and_then(Value::as_str);
        let stack: String = stack
            .unwrap_or_default()
            .chars()
            .take(FAILURE_BYTES_MAX)
            .collect();
        let _ = writeln!(out, "\nfailed: {}\n{stack}", test.full_title);
    }
    out
}
