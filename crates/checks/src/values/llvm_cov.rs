//! LLVM's coverage as JSON: `llvm-cov export`, `cargo llvm-cov --json`, with or without `--summary-only`.
//!
//! Computed from the summaries of the files. The report's own totals and percentages are not read: LLVM writes 0 % for
//! 0 of 0. Segments cannot replace the summaries, because a region of a generic or inlined function stands in them
//! once, joined over its instances.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{File as Figures, Ratio};
use crate::reports::{ReportError, text};

const FORMAT: &str = "llvm-cov";
/// What every export calls itself.
const KIND: &str = "llvm.coverage.json.export";

#[derive(Deserialize)]
struct Export {
    #[serde(rename = "type")]
    kind: String,
    data: Vec<Unit>,
}

#[derive(Deserialize)]
struct Unit {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
    summary: BTreeMap<String, Value>,
}

/// Reads `lines`, `functions`, `regions` or `branches`. Lines that a command prints before its export are passed over.
pub fn read(value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    if !matches!(value, "lines" | "functions" | "regions" | "branches") {
        let detail = format!("has lines, functions, regions and branches, not `{value}`");
        return Err(ReportError::lacks(FORMAT, detail));
    }
    let text = text(bytes)?;
    let export = export(&text)?;
    let mut sum = Ratio::default();
    let mut files = export.data.iter().flat_map(|unit| &unit.files).peekable();
    if files.peek().is_none() {
        return Err(ReportError::lacks(FORMAT, "covers no file"));
    }
    for file in files {
        // Before LLVM 12 there was no key for branches.
        let Some(figure) = file.summary.get(value) else {
            let detail = format!("has no {value} of {}", file.filename);
            return Err(ReportError::lacks(FORMAT, detail));
        };
        let count = |key: &str| figure.get(key).and_then(Value::as_u64);
        let ratio = count("covered").zip(count("count"));
        let ratio = ratio.and_then(|(covered, total)| Ratio::of(covered, total));
        sum.add(ratio.ok_or_else(|| {
            let detail = format!("the {value} of {} cannot be read", file.filename);
            ReportError::malformed(FORMAT, detail)
        })?);
    }
    sum.percent().ok_or_else(|| {
        let hint = match value {
            "branches" => " (Rust records them with `--branch` on a nightly toolchain only)",
            _ => "",
        };
        ReportError::lacks(FORMAT, format!("has no data on {value}{hint}"))
    })
}

/// The files of the export. Which lines ran is not read: a line of a generic function runs in some instances only.
pub fn files(value: &str, bytes: &[u8]) -> Result<BTreeMap<String, Figures>, ReportError> {
    let text = text(bytes)?;
    let export = export(&text)?;
    let mut found: BTreeMap<String, Figures> = BTreeMap::new();
    for file in export.data.into_iter().flat_map(|unit| unit.files) {
        let count = |figure: &str, key: &str| {
            let figure = file.summary.get(figure)?;
            figure.get(key)?.as_u64()
        };
        let units = count(value, "count").unwrap_or_default();
        let ran = count("lines", "covered").is_some_and(|n| n > 0);
        let figures = found.entry(file.filename).or_default();
        figures.units = figures.units.max(units);
        figures.ran |= ran;
    }
    Ok(found)
}

/// The whole text as an export, else the one line of it that is one.
fn export(text: &str) -> Result<Export, ReportError> {
    let export = parsed(text)?;
    if export.kind != KIND {
        return Err(ReportError::malformed(
            FORMAT,
            format_args!("its `type` is not `{KIND}`"),
        ));
    }
    Ok(export)
}

fn parsed(text: &str) -> Result<Export, ReportError> {
    let whole = match serde_json::from_str(text) {
        Ok(export) => return Ok(export),
        Err(e) => e,
    };
    let mut lines = text
        .lines()
        .filter(|line| line.starts_with('{') && line.contains(KIND));
    match (lines.next(), lines.next()) {
        (None, _) => Err(ReportError::malformed(FORMAT, whole)),
        (Some(line), None) => {
            serde_json::from_str(line).map_err(|e| ReportError::malformed(FORMAT, e))
        }
        (Some(_), Some(_)) => Err(ReportError::ambiguous(FORMAT, "there is more than one")),
    }
}
