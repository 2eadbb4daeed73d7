//! `go test -json`: one JSON object a line, with plain lines of the build between them.
//!
//! The stream is made from what the tests print, so that a test can print a line that becomes an event. Therefore a
//! test counts only if it was seen to start. What remains: a test that prints both the start and the end of another.

use std::collections::BTreeSet;

use overnight_core::tests::{TestResults, TestStatus};
use serde::Deserialize;

use super::{Collector, ReportError, text};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    package: String,
    #[serde(default)]
    test: Option<String>,
    #[serde(default)]
    output: String,
}

/// Reads a report. A package that does not build, or that fails outside its tests, is a failed test named by the
/// package.
pub fn parse(bytes: &[u8]) -> Result<TestResults, ReportError> {
    let text = text(bytes)?;
    let mut results = Collector::default();
    let mut started: BTreeSet<(String, String)> = BTreeSet::new();
    let mut parents: BTreeSet<(String, String)> = BTreeSet::new();
    let mut ended: Vec<(String, String, TestStatus)> = Vec::new();
    let mut packages_failing: BTreeSet<String> = BTreeSet::new();
    let mut events = 0_usize;
    for line in text.lines() {
        if !line.starts_with('{') {
            packages_failing.extend(broken_package(line).map(str::to_owned));
            continue;
        }
        let event: Event =
            serde_json::from_str(line).map_err(|e| ReportError::malformed("go test JSON", e))?;
        events += 1;
        let status = match event.action.as_str() {
            "pass" => TestStatus::Passed,
            "fail" => TestStatus::Failed,
            "skip" => TestStatus::Skipped,
            "run" => {
                let Some(test) = event.test else { continue };
                if let Some((parent, _)) = test.rsplit_once('/') {
                    parents.insert((event.package.clone(), parent.to_owned()));
                }
                started.insert((event.package, test));
                continue;
            }
            _ => continue,
        };
        match event.test {
            Some(test) => ended.push((event.package, test, status)),
            None if status == TestStatus::Failed => {
                packages_failing.insert(event.package);
            }
            None => {}
        }
    }
    if events == 0 && packages_failing.is_empty() && !text.trim().is_empty() {
        return Err(ReportError::malformed(
            "go test JSON",
            "no line of it is an event",
        ));
    }
    let mut explained: BTreeSet<&str> = BTreeSet::new();
    let mut open: BTreeSet<&(String, String)> = started.iter().collect();
    // Groups whose failure is told by a test inside.
    let mut failed_inside: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (package, test, _) in ended
        .iter()
        .filter(|(.., status)| *status == TestStatus::Failed)
    {
        let mut inner = test.as_str();
        while let Some((group, _)) = inner.rsplit_once('/') {
            failed_inside.insert((package, group));
            inner = group;
        }
    }
    for (package, test, status) in &ended {
        let key = (package.clone(), test.clone());
        if !started.contains(&key) {
            continue;
        }
        open.remove(&key);
        if *status == TestStatus::Failed {
            explained.insert(package);
        }
        // A group is no test of its own, unless it fails and nothing inside says why.
        let told = *status != TestStatus::Failed || failed_inside.contains(&(package, test));
        if parents.contains(&key) && told {
            continue;
        }
        results.add(
            std::iter::once(package.as_str()).chain(test.split('/')),
            *status,
        )?;
    }
    // A test that started and never ended: the binary crashed, or was killed.
    for (package, test) in open {
        results.add(
            std::iter::once(package.as_str()).chain(test.split('/')),
            TestStatus::Failed,
        )?;
        explained.insert(package);
    }
    for package in packages_failing
        .iter()
        .filter(|p| !explained.contains(p.as_str()))
    {
        results.add([package.as_str(), "(package)"], TestStatus::Failed)?;
    }
    Ok(results.finish())
}

/// The package of a line such as `FAIL    example.com/shop [build failed]`.
fn broken_package(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("FAIL\t")?;
    let (package, why) = rest.split_once([' ', '\t'])?;
    (why.contains("[build failed]") || why.contains("[setup failed]")).then_some(package)
}

/// What the tests printed, taken out of the events again.
pub fn readable(bytes: &[u8]) -> String {
    let Ok(text) = text(bytes) else {
        return String::new();
    };
    let mut out = String::new();
    for line in text.lines() {
        match serde_json::from_str::<Event>(line) {
            Ok(event) => out.push_str(&event.output),
            Err(_) => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}
