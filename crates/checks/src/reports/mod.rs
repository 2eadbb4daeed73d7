//! What test runners leave behind, read into the one normal form: one file a format, all of them pure.
//!
//! A parser takes bytes that hostile code may have had a hand in. It is bounded ([`REPORT_BYTES_MAX`]), it never
//! panics, it counts the tests themselves and never a summary's numbers, and a report that breaks off is an error:
//! the tests that it no longer names may be the ones that failed.

pub mod events;
pub mod go_test;
pub mod jest;
pub mod junit;
pub mod libtest;
pub mod mocha;
pub mod tap;
pub(crate) mod xml;

use overnight_core::tests::{TestResults, TestStatus};

/// Largest report that is read, bytes.
pub const REPORT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Most tests that one report may name.
pub const TESTS_MAX: usize = 1_000_000;
/// Where a checkout lies inside a sandboxed cell.
pub const DEFAULT_ROOT: &str = overnight_ports::sandbox::WORKSPACE_INSIDE;
/// Longest part of a test's name that is kept, bytes; what is longer is cut.
pub const NAME_BYTES_MAX: usize = 2_000;

/// Why a report cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It is larger than [`REPORT_BYTES_MAX`].
    #[error("the report has {bytes} bytes; at most {REPORT_BYTES_MAX} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// It names more tests than [`TESTS_MAX`].
    #[error("the report names more than {TESTS_MAX} tests")]
    TooMany,
    /// It is not what it should be.
    #[error("not a readable {format} report: {detail}")]
    Malformed {
        /// What it should be.
        format: &'static str,
        /// What is wrong, and where.
        detail: String,
    },
    /// It is well-formed and lacks what is asked for.
    #[error("the {format} report {detail}")]
    Lacks {
        /// What it is.
        format: &'static str,
        /// What it lacks, and what to do about it.
        detail: String,
    },
    /// There is more than one, and nothing says which one the tool wrote.
    #[error("which {format} report counts cannot be told: {detail}")]
    Ambiguous {
        /// What they are.
        format: &'static str,
        /// What there is more of than one.
        detail: String,
    },
}

impl ReportError {
    /// It is not what it should be.
    pub(crate) fn malformed(format: &'static str, detail: impl std::fmt::Display) -> Self {
        ReportError::Malformed {
            format,
            detail: detail.to_string(),
        }
    }

    /// There is more than one, and nothing says which one the tool wrote.
    pub(crate) fn ambiguous(format: &'static str, detail: impl std::fmt::Display) -> Self {
        ReportError::Ambiguous {
            format,
            detail: detail.to_string(),
        }
    }

    /// It lacks what is asked for.
    pub(crate) fn lacks(format: &'static str, detail: impl std::fmt::Display) -> Self {
        ReportError::Lacks {
            format,
            detail: detail.to_string(),
        }
    }
}

/// Formats of per-test reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JUnit XML, of any of its dialects.
    Junit,
    /// The JSON of jest, which vitest writes too.
    Jest,
    /// mocha's `json` reporter.
    Mocha,
    /// `go test -json`.
    GoTest,
    /// What `cargo test` prints.
    Libtest,
    /// Test Anything Protocol.
    Tap,
    /// The harness's own reporters: one JSON object a line.
    Events,
}

impl Format {
    /// Reads a report of this format.
    pub fn parse(self, bytes: &[u8]) -> Result<TestResults, ReportError> {
        match self {
            Format::Junit => junit::parse(bytes),
            Format::Jest => jest::parse(bytes),
            Format::Mocha => mocha::parse(bytes),
            Format::GoTest => go_test::parse(bytes),
            Format::Libtest => libtest::parse(bytes),
            Format::Tap => tap::parse(bytes),
            Format::Events => events::parse(bytes),
        }
    }

    /// Tells the format of a report that a person's own command wrote, by its content.
    pub fn detect(bytes: &[u8]) -> Result<Format, ReportError> {
        let text = text(bytes)?;
        let text = text.trim_start();
        if text.starts_with('<') {
            return Ok(Format::Junit);
        }
        if text.starts_with('{') {
            let first = text.lines().next().unwrap_or_default();
            return Ok(match serde_json::from_str::<serde_json::Value>(text) {
                Ok(whole) if whole.get("testResults").is_some() => Format::Jest,
                Ok(whole) if whole.get("stats").is_some() => Format::Mocha,
                _ if first.contains("\"Action\"") => Format::GoTest,
                _ => {
                    return Err(ReportError::malformed(
                        "test",
                        "JSON of none of jest, vitest, mocha and go test",
                    ));
                }
            });
        }
        let tap = |line: &str| {
            line.starts_with("TAP version") || line.starts_with("1..") || line.starts_with("ok ")
        };
        if text.lines().any(tap) {
            return Ok(Format::Tap);
        }
        if text
            .lines()
            .any(|line| line.starts_with("running ") && line.contains(" test"))
        {
            return Ok(Format::Libtest);
        }
        Err(ReportError::malformed(
            "test",
            "neither JUnit XML, JSON of a known runner, nor TAP",
        ))
    }
}

/// The report as text: bounded, without a byte order mark, with bytes that are not UTF-8 replaced.
pub(crate) fn text(bytes: &[u8]) -> Result<std::borrow::Cow<'_, str>, ReportError> {
    if bytes.len() > REPORT_BYTES_MAX {
        return Err(ReportError::TooLarge { bytes: bytes.len() });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    Ok(String::from_utf8_lossy(bytes))
}

/// Collects results under full names, within the limits.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    results: TestResults,
}

impl Collector {
    /// Adds one result; empty parts of the name are left out.
    pub(crate) fn add<'a>(
        &mut self,
        parts: impl IntoIterator<Item = &'a str>,
        status: TestStatus,
    ) -> Result<(), ReportError> {
        if self.results.tests.len() >= TESTS_MAX {
            return Err(ReportError::TooMany);
        }
        let mut name = String::new();
        for part in parts {
            let part = cut(part.trim());
            if part.is_empty() {
                continue;
            }
            if !name.is_empty() {
                name.push_str("::");
            }
            // A line break in a title would break every table that shows it.
            name.extend(part.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        if name.is_empty() {
            name.push_str("(unnamed)");
        }
        self.results.record(name, status);
        Ok(())
    }

    /// What was collected.
    pub(crate) fn finish(self) -> TestResults {
        self.results
    }
}

/// The first [`NAME_BYTES_MAX`] bytes, on a character boundary.
fn cut(part: &str) -> &str {
    if part.len() <= NAME_BYTES_MAX {
        return part;
    }
    let end = (0..=NAME_BYTES_MAX)
        .rev()
        .find(|at| part.is_char_boundary(*at))
        .unwrap_or(0);
    part.get(..end).unwrap_or_default()
}

/// `path` relative to `root`, if it lies below it.
pub(crate) fn relative<'a>(path: &'a str, root: &str) -> &'a str {
    let root = root.trim_end_matches('/');
    path.strip_prefix(root)
        .and_then(|rest| rest.strip_prefix('/'))
        .unwrap_or(path)
}

/// The results with the workspace's own path taken off every name that starts with it, so that names are the same
/// wherever the checkout lies.
pub fn relative_to(results: TestResults, root: &str) -> TestResults {
    let mut out = TestResults::default();
    for (name, status) in results.tests {
        out.record(relative(&name, root), status);
    }
    out
}
