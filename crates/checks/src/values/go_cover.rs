//! Go's coverage profiles (`go test -coverprofile`), in the modes `set`, `count` and `atomic`.
//!
//! A profile of several packages names a block once for each test binary that was built with it, so that blocks are
//! joined as `go tool cover` joins them. Profiles that were put behind each other are joined the same way.

use std::collections::BTreeMap;

use super::{File, LINES_MAX, Ratio};
use crate::reports::{ReportError, text};

const FORMAT: &str = "Go coverage";

/// Where a block lies: its file, then line and column of its beginning and its end.
type Place<'t> = (&'t str, [u64; 4]);

/// Reads `statements`: Go measures nothing else.
pub fn read(value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    measures(value)?;
    let text = text(bytes)?;
    let mut sum = Ratio::default();
    for (statements, hit) in blocks(&text)?.into_values() {
        sum.add(Ratio {
            covered: if hit { statements } else { 0 },
            total: statements,
        });
    }
    sum.percent()
        .ok_or_else(|| ReportError::lacks(FORMAT, "covers no statement"))
}

/// The files of the profile, named by their packages' import paths.
pub fn files(value: &str, bytes: &[u8]) -> Result<BTreeMap<String, File>, ReportError> {
    measures(value)?;
    let text = text(bytes)?;
    let mut files: BTreeMap<String, File> = BTreeMap::new();
    let mut left = LINES_MAX;
    for ((name, [from, _, to, _]), (statements, hit)) in blocks(&text)? {
        let file = files.entry(name.to_owned()).or_default();
        file.units = file.units.saturating_add(statements);
        file.ran |= hit;
        let lines = file.lines.get_or_insert_default();
        let count = to.saturating_sub(from);
        if count <= left {
            left -= count;
            for line in from..=to {
                *lines.entry(line).or_default() |= hit;
            }
        }
    }
    Ok(files)
}

fn measures(value: &str) -> Result<(), ReportError> {
    if value == "statements" {
        return Ok(());
    }
    let detail = format!("has statements only, not `{value}`");
    Err(ReportError::lacks(FORMAT, detail))
}

/// The blocks of a profile: how many statements each has, and whether it ran.
fn blocks(text: &str) -> Result<BTreeMap<Place<'_>, (u64, bool)>, ReportError> {
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let mut lines = lines.filter(|(_, line)| !line.trim().is_empty());
    if !lines.next().is_some_and(|(_, line)| is_mode(line)) {
        return Err(ReportError::malformed(
            FORMAT,
            "it does not start with `mode: set`, `mode: count` or `mode: atomic`",
        ));
    }
    let mut blocks: BTreeMap<Place<'_>, (u64, bool)> = BTreeMap::new();
    for (number, line) in lines.filter(|(_, line)| !is_mode(line)) {
        let fault = |what: &str| {
            let shown: String = line.chars().take(80).collect();
            ReportError::malformed(FORMAT, format_args!("line {number} {what}: `{shown}`"))
        };
        let (place, statements, hit) = block(line).ok_or_else(|| fault("is no block"))?;
        let known = blocks.entry(place).or_insert((statements, false));
        if known.0 != statements {
            return Err(fault("has another number of statements than before"));
        }
        known.1 |= hit;
    }
    Ok(blocks)
}

fn is_mode(line: &str) -> bool {
    matches!(
        line.trim_end(),
        "mode: set" | "mode: count" | "mode: atomic"
    )
}

/// `example.com/shop/cart.go:6.39,8.27 2 1`: the block, its statements, whether it ran.
fn block(line: &str) -> Option<(Place<'_>, u64, bool)> {
    let (file, rest) = line.rsplit_once(':')?;
    let mut words = rest.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once(',')?;
    let ((line, column), (line_end, column_end)) = (position(from)?, position(to)?);
    let statements = words.next()?.parse().ok()?;
    let count: u64 = words.next()?.parse().ok()?;
    if file.is_empty() || words.next().is_some() {
        return None;
    }
    let place = (file, [line, column, line_end, column_end]);
    Some((place, statements, count > 0))
}

/// `6.39`
fn position(text: &str) -> Option<(u64, u64)> {
    let (line, column) = text.split_once('.')?;
    Some((line.parse().ok()?, column.parse().ok()?))
}
