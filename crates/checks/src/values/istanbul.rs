//! Istanbul's `coverage-summary.json` and `coverage-final.json` (nyc, c8, jest, vitest).
//!
//! Computed as Istanbul does: over all files, 0 of 0 is 100, and rounded down to two decimals. A report without a
//! file is an error all the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{File, Ratio};
use crate::reports::{ReportError, text};

const FORMAT: &str = "Istanbul";

/// Reads `lines`, `branches`, `functions` or `statements`.
pub fn read(value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    if !matches!(value, "lines" | "branches" | "functions" | "statements") {
        let detail = format!("has lines, branches, functions and statements, not `{value}`");
        return Err(ReportError::lacks(FORMAT, detail));
    }
    let text = text(bytes)?;
    let report: Map<String, Value> =
        serde_json::from_str(&text).map_err(|e| ReportError::malformed(FORMAT, e))?;
    let mut files = report
        .iter()
        .filter(|(name, _)| name.as_str() != "total")
        .peekable();
    let mut sum = Ratio::default();
    if files.peek().is_none() {
        // Some tools write the total alone. `"pct": "Unknown"` and a total of 0 is what a run without files writes.
        let total = report
            .get("total")
            .and_then(|t| t.get(value))
            .and_then(summary);
        sum.add(
            total
                .filter(|t| t.total > 0)
                .ok_or_else(|| ReportError::lacks(FORMAT, "covers no file"))?,
        );
    }
    for (name, file) in files {
        let ratio = match file.get("statementMap") {
            Some(_) => details(file, value),
            None => file.get(value).and_then(summary),
        };
        sum.add(ratio.ok_or_else(|| {
            ReportError::malformed(FORMAT, format_args!("{name} has no readable {value}"))
        })?);
    }
    if sum.total == 0 {
        return Ok(100.0);
    }
    // Integers first, as Istanbul does it, so that 2 of 3 is 66.66 and not 66.67.
    let tenths_of_hundredths =
        u128::from(sum.covered.min(sum.total)) * 100_000 / u128::from(sum.total);
    Ok((tenths_of_hundredths / 10) as f64 / 100.0)
}

/// One figure of a summary.
fn summary(figure: &Value) -> Option<Ratio> {
    Some(Ratio {
        covered: figure.get("covered")?.as_u64()?,
        total: figure.get("total")?.as_u64()?,
    })
}

/// One figure of a file of `coverage-final.json`.
fn details(file: &Value, value: &str) -> Option<Ratio> {
    let mut ratio = Ratio::default();
    match value {
        "statements" => hits(file.get("s")?)?.for_each(|n| ratio.count(n > 0.0)),
        "functions" => hits(file.get("f")?)?.for_each(|n| ratio.count(n > 0.0)),
        "branches" => {
            for arms in file.get("b")?.as_object()?.values() {
                arms.as_array()?
                    .iter()
                    .for_each(|n| ratio.count(n.as_f64().unwrap_or(0.0) > 0.0));
            }
        }
        _ => lines(file)?.into_values().for_each(|hit| ratio.count(hit)),
    }
    Some(ratio)
}

/// A line is covered if one of the statements that begin on it is.
fn lines(file: &Value) -> Option<BTreeMap<u64, bool>> {
    let map = file.get("statementMap")?.as_object()?;
    let mut lines: BTreeMap<u64, bool> = BTreeMap::new();
    for (id, n) in file.get("s")?.as_object()? {
        let line = map.get(id)?.get("start")?.get("line")?.as_u64()?;
        *lines.entry(line).or_default() |= n.as_f64().unwrap_or(0.0) > 0.0;
    }
    Some(lines)
}

/// The files of the report. One that cannot be read counts for nothing.
pub fn files(value: &str, bytes: &[u8]) -> Result<BTreeMap<String, File>, ReportError> {
    let text = text(bytes)?;
    let report: Map<String, Value> =
        serde_json::from_str(&text).map_err(|e| ReportError::malformed(FORMAT, e))?;
    let all = report.iter().filter(|(name, _)| name.as_str() != "total");
    Ok(all
        .map(|(name, file)| {
            let detailed = file.get("statementMap").is_some();
            let figure = |value: &str| match detailed {
                true => details(file, value),
                false => file.get(value).and_then(summary),
            };
            let found = File {
                units: figure(value).map_or(0, |ratio| ratio.total),
                ran: figure("statements").is_some_and(|ratio| ratio.covered > 0),
                lines: lines(file),
            };
            (name.clone(), found)
        })
        .collect())
}

fn hits(counts: &Value) -> Option<impl Iterator<Item = f64> + '_> {
    Some(
        counts
            .as_object()?
            .values()
            .map(|n| n.as_f64().unwrap_or(0.0)),
    )
}
