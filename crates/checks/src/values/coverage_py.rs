//! coverage.py's `coverage json`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{File, Ratio};
use crate::reports::{ReportError, text};

const FORMAT: &str = "coverage.py";

/// Reads `lines` (which coverage.py counts as statements; `statements` is the same), `branches`, or
/// `percent_covered`: coverage.py's own figure, lines and branches together.
pub fn read(value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    let text = text(bytes)?;
    let report: Value =
        serde_json::from_str(&text).map_err(|e| ReportError::malformed(FORMAT, e))?;
    let files = report.get("files").and_then(Value::as_object);
    let files = files.ok_or_else(|| ReportError::malformed(FORMAT, "it has no `files`"))?;
    if files.is_empty() {
        return Err(ReportError::lacks(FORMAT, "covers no file"));
    }
    let mut lines = Ratio::default();
    let mut branches = Ratio::default();
    let mut measured = false;
    for (name, file) in files {
        let summary = file.get("summary");
        let field = |key: &str| summary.and_then(|s| s.get(key)).and_then(Value::as_u64);
        let ratio = |covered, total| {
            Some(Ratio {
                covered: field(covered)?,
                total: field(total)?,
            })
        };
        let fault =
            || ReportError::malformed(FORMAT, format_args!("{name} has no readable summary"));
        lines.add(ratio("covered_lines", "num_statements").ok_or_else(fault)?);
        if let Some(ratio) = ratio("covered_branches", "num_branches") {
            measured = true;
            branches.add(ratio);
        }
    }
    let empty = || ReportError::lacks(FORMAT, "covers no line");
    match value {
        "lines" | "statements" => lines.percent().ok_or_else(empty),
        "branches" if !measured => Err(ReportError::lacks(
            FORMAT,
            "has no data on branches: measure with `--branch`",
        )),
        // Code without a branch has them all covered; whether it was measured is known.
        "branches" => Ok(branches.percent().unwrap_or(100.0)),
        "percent_covered" => {
            lines.add(branches);
            lines.percent().ok_or_else(empty)
        }
        _ => {
            let detail =
                format!("has lines, branches, statements and percent_covered, not `{value}`");
            Err(ReportError::lacks(FORMAT, detail))
        }
    }
}

/// The files of the report. Lines that are excluded count as not run.
pub fn files(value: &str, bytes: &[u8]) -> Result<BTreeMap<String, File>, ReportError> {
    let text = text(bytes)?;
    let report: Value =
        serde_json::from_str(&text).map_err(|e| ReportError::malformed(FORMAT, e))?;
    let files = report.get("files").and_then(Value::as_object);
    let files = files.ok_or_else(|| ReportError::malformed(FORMAT, "it has no `files`"))?;
    Ok(files
        .iter()
        .map(|(name, file)| {
            let summary = file.get("summary");
            let field = |key: &str| {
                let count = summary.and_then(|s| s.get(key)).and_then(Value::as_u64);
                count.unwrap_or_default()
            };
            let (statements, branches) = (field("num_statements"), field("num_branches"));
            let units = match value {
                "branches" => branches,
                "percent_covered" => statements.saturating_add(branches),
                _ => statements,
            };
            let mut lines = BTreeMap::new();
            for (key, ran) in [
                ("executed_lines", true),
                ("missing_lines", false),
                ("excluded_lines", false),
            ] {
                let listed = file
                    .get(key)
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten();
                lines.extend(listed.filter_map(Value::as_u64).map(|line| (line, ran)));
            }
            let known = file.get("executed_lines").is_some();
            let found = File {
                units,
                ran: field("covered_lines") > 0,
                lines: known.then_some(lines),
            };
            (name.clone(), found)
        })
        .collect())
}
