//! The lines that the harness's own reporters write (`assets/unittest_runner.py`, `assets/node_reporter.mjs`):
//! `{"name": ["file", "group", "title"], "status": "passed"}`, and `{"end": true}` as the last one.

use overnight_core::tests::{TestResults, TestStatus};
use serde::Deserialize;

use super::{Collector, ReportError, text};

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    name: Vec<String>,
    status: Option<TestStatus>,
    #[serde(default)]
    end: bool,
}

/// Reads a report. Without its last line it is a failed test more: the runner did not come to its end, and nobody
/// knows what it would have run.
pub fn parse(bytes: &[u8]) -> Result<TestResults, ReportError> {
    let text = text(bytes)?;
    let mut results = Collector::default();
    let mut ended = false;
    for (at, line) in text.lines().enumerate() {
        let fault = |what: &dyn std::fmt::Display| {
            ReportError::malformed("harness", format_args!("line {}: {what}", at + 1))
        };
        let line: Line = match serde_json::from_str(line) {
            Ok(line) => line,
            // The line that was being written when the runner died.
            Err(_) if at + 1 == text.lines().count() && !text.ends_with('\n') => break,
            Err(e) => return Err(fault(&e)),
        };
        if line.end {
            ended = true;
        } else if let Some(status) = line.status {
            results.add(line.name.iter().map(String::as_str), status)?;
        } else {
            return Err(fault(&"it has neither a status nor an end"));
        }
    }
    if !ended {
        results.add([DID_NOT_FINISH], TestStatus::Failed)?;
    }
    Ok(results.finish())
}

/// Stands for whatever a runner that died would still have run.
pub const DID_NOT_FINISH: &str = "(the test runner did not finish)";
