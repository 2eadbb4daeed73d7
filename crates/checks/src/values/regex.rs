//! Any text, by regular expression: the first group is the number, and the last match wins.

use super::number;
use crate::plain::without_escapes;
use crate::reports::{ReportError, text};

const FORMAT: &str = "text";
/// Largest compiled expression, bytes.
const COMPILED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Reads the number in the expression's first group. `^` and `$` stand for the ends of lines. Of several matches the
/// last one counts, because tools print their total last. Terminal colours are taken out first.
pub fn read(expression: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    let compiled = ::regex::RegexBuilder::new(expression)
        .multi_line(true)
        .size_limit(COMPILED_BYTES_MAX)
        .build();
    let regex = compiled.map_err(|e| ReportError::malformed("regular expression", e))?;
    if regex.captures_len() < 2 {
        let detail = format!("`{expression}` has no group: put the number into parentheses");
        return Err(ReportError::malformed("regular expression", detail));
    }
    let text = text(bytes)?;
    let text = without_escapes(&text);
    let last = regex.captures_iter(&text).filter_map(|c| c.get(1)).last();
    let found = last.ok_or_else(|| {
        ReportError::lacks(FORMAT, format!("has nothing that matches `{expression}`"))
    })?;
    number(found.as_str()).ok_or_else(|| {
        let shown: String = found.as_str().chars().take(60).collect();
        ReportError::lacks(
            FORMAT,
            format!("has `{shown}` where `{expression}` should find a number"),
        )
    })
}
