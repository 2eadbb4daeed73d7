//! Tests as syntax, from the outside: tables of honest edits that must give no finding and of cheats that must.

mod additions;
mod cheats;
mod data;
mod inline;
mod marks;
mod properties;
mod reading;
mod weakened;

use overnight_core::finding::{Finding, FindingKind};
use overnight_oracle::syntax::{self, Language};

/// The language of a path that is known to have one.
fn language(path: &str) -> Language {
    syntax::language(path).expect("a path with a known extension")
}

/// What a comparison of a test file says.
fn compare(path: &str, base: &str, candidate: &str) -> Vec<Finding> {
    syntax::compare_test_file(language(path), path, base.as_bytes(), candidate.as_bytes())
}

/// `base` with `from` replaced by `to`, which must be in it.
fn edited(base: &str, from: &str, to: &str) -> String {
    assert!(base.contains(from), "`{from}` is not in\n{base}");
    base.replacen(from, to, 1)
}

fn shown(findings: &[Finding]) -> String {
    findings
        .iter()
        .map(|finding| format!("  {finding}\n"))
        .collect()
}

/// Kinds and lines in one text: `TestChanged:3`.
fn has(findings: &[Finding], kind: FindingKind, line: Option<u32>) -> bool {
    findings
        .iter()
        .any(|finding| finding.kind == kind && (line.is_none() || finding.line == line))
}
