//! The JSON that jest writes with `--json`, and vitest with `--reporter=json`.

use overnight_core::tests::{TestResults, TestStatus};
use serde::Deserialize;

use super::{Collector, ReportError, text};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    test_results: Vec<Suite>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suite {
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: String,
    assertion_results: Vec<Assertion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Assertion {
    #[serde(default)]
    ancestor_titles: Vec<String>,
    #[serde(default)]
    title: String,
    status: String,
}

/// Reads a report. A file that could not be run at all (a syntax error, a missing module) is a failed test named by
/// the file.
pub fn parse(bytes: &[u8]) -> Result<TestResults, ReportError> {
    let text = text(bytes)?;
    let report: Report =
        serde_json::from_str(&text).map_err(|e| ReportError::malformed("jest JSON", e))?;
    let mut results = Collector::default();
    for suite in &report.test_results {
        let mut failed = false;
        for test in &suite.assertion_results {
            let status = match test.status.as_str() {
                "passed" => TestStatus::Passed,
                "pending" | "skipped" | "todo" | "disabled" => TestStatus::Skipped,
                // "failed", and whatever a later version calls it: what is not known to have passed has not.
                _ => TestStatus::Failed,
            };
            failed |= status == TestStatus::Failed;
            let groups = test.ancestor_titles.iter().map(String::as_str);
            let parts = std::iter::once(suite.name.as_str())
                .chain(groups)
                .chain([test.title.as_str()]);
            results.add(parts, status)?;
        }
        if suite.status == "failed" && !failed {
            results.add([suite.name.as_str()], TestStatus::Failed)?;
        }
    }
    Ok(results.finish())
}
