//! Any JSON, by RFC 6901 pointer.

use serde_json::Value;

use super::number;
use crate::reports::{ReportError, text};

const FORMAT: &str = "JSON";
/// Most lines at which the document is looked for.
const STARTS_MAX: usize = 64;

/// Reads the number at a pointer (`/total/lines/pct`; the empty one is the whole document). A string that is a
/// number (`"83.5%"`) counts as one. Lines that a command prints before its JSON (`npm run` announces itself) are
/// passed over.
pub fn read(pointer: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    let text = text(bytes)?;
    let document = document(&text)?;
    let found = document.pointer(pointer).ok_or_else(|| {
        let hint = if pointer.starts_with('/') {
            ""
        } else {
            " (a pointer starts with `/`)"
        };
        ReportError::lacks(FORMAT, format!("has nothing at `{pointer}`{hint}"))
    })?;
    let value = match found {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => number(s),
        _ => None,
    };
    value.filter(|n| n.is_finite()).ok_or_else(|| {
        let shown: String = found.to_string().chars().take(60).collect();
        ReportError::lacks(FORMAT, format!("has no number at `{pointer}` but {shown}"))
    })
}

/// The whole text as JSON, else what starts with the first line that opens an object or a list.
fn document(text: &str) -> Result<Value, ReportError> {
    let whole = match serde_json::from_str(text) {
        Ok(document) => return Ok(document),
        Err(e) => e,
    };
    let mut at = 0;
    let mut starts = 0;
    for line in text.split_inclusive('\n') {
        let start = line.starts_with(['{', '[']);
        starts += usize::from(start);
        if start
            && starts <= STARTS_MAX
            && let Some(Ok(document)) =
                serde_json::Deserializer::from_str(text.get(at..).unwrap_or_default())
                    .into_iter()
                    .next()
        {
            return Ok(document);
        }
        at += line.len();
    }
    Err(ReportError::malformed(FORMAT, whole))
}
