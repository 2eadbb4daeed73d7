//! The table that Istanbul's `text` reporter prints (nyc, c8, jest, vitest): its row `All files`.
//!
//! The columns are found by their headings. The code under test prints into the same stream, so that two such tables,
//! or two such rows, are an error: nobody can tell which one is the tool's. In this table code without a branch has
//! 100 % of its branches covered; a run that measured no file has 0 % of everything.

use super::number;
use crate::plain::without_escapes;
use crate::reports::{ReportError, text};

const FORMAT: &str = "coverage table";
const ROW: &str = "All files";

/// Reads `lines`, `branches`, `functions` or `statements`.
pub fn read(value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    let heading = match value {
        "statements" => "% Stmts",
        "branches" => "% Branch",
        "functions" => "% Funcs",
        "lines" => "% Lines",
        _ => {
            let detail = format!("has lines, branches, functions and statements, not `{value}`");
            return Err(ReportError::lacks(FORMAT, detail));
        }
    };
    let text = text(bytes)?;
    let text = without_escapes(&text);
    let mut headings: Option<Vec<&str>> = None;
    let mut row: Option<Vec<&str>> = None;
    for line in text.lines() {
        let Some((first, _)) = line.split_once('|') else {
            continue;
        };
        let cells = || line.split('|').map(str::trim).collect::<Vec<_>>();
        let seen = match first.trim() {
            "File" if line.contains("% Stmts") => headings.replace(cells()),
            ROW => row.replace(cells()),
            _ => None,
        };
        if seen.is_some() {
            return Err(ReportError::ambiguous(
                FORMAT,
                "it is printed more than once: measure each package with a check of its own",
            ));
        }
    }
    let Some(headings) = headings else {
        return Err(ReportError::lacks(
            FORMAT,
            "is not there: nothing is headed `File | % Stmts`",
        ));
    };
    let Some(row) = row else {
        let detail = format!("has no row `{ROW}` (`skipFull` leaves it out)");
        return Err(ReportError::lacks(FORMAT, detail));
    };
    let column = headings.iter().position(|h| h.starts_with(heading));
    let column =
        column.ok_or_else(|| ReportError::lacks(FORMAT, format!("has no column `{heading}`")))?;
    let cell = row.get(column).filter(|_| row.len() == headings.len());
    let percent = cell.and_then(|cell| number(cell));
    percent
        .filter(|n| (0.0..=100.0).contains(n))
        .ok_or_else(|| {
            let shown: String = row.join(" | ").chars().take(80).collect();
            ReportError::malformed(FORMAT, format_args!("its row `{shown}`"))
        })
}
