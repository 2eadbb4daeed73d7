//! One number out of what a command wrote or printed: coverage in the formats that tools share, any JSON by
//! pointer, any text by regular expression.
//!
//! Percentages are computed from a report's details, not taken from its summary, wherever the details are there; and
//! a report that measured nothing of the asked kind is an error, never 100 %.

pub mod clover;
pub mod cobertura;
pub mod coverage_py;
pub mod go_cover;
pub mod istanbul;
pub mod jacoco;
pub mod json;
pub mod lcov;
pub mod llvm_cov;
pub mod nyc_text;
pub mod regex;

use std::collections::BTreeMap;

use overnight_core::goal::Format;

use crate::reports::ReportError;

/// Reads `value` out of a report of that format.
pub fn read(format: Format, value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    match format {
        Format::Istanbul => istanbul::read(value, bytes),
        Format::Lcov => lcov::read(value, bytes),
        Format::Cobertura => cobertura::read(value, bytes),
        Format::CoveragePy => coverage_py::read(value, bytes),
        Format::LlvmCov => llvm_cov::read(value, bytes),
        Format::Jacoco => jacoco::read(value, bytes),
        Format::GoCover => go_cover::read(value, bytes),
        Format::Clover => clover::read(value, bytes),
        Format::NycText => nyc_text::read(value, bytes),
        Format::Json => json::read(value, bytes),
        Format::Regex => regex::read(value, bytes),
    }
}

/// Most files that are told apart in one report.
pub const FILES_MAX: usize = 50_000;
/// Most lines of one report that are told apart, where a report names them by where they begin and end.
const LINES_MAX: u64 = 1_000_000;

/// What a coverage report says of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// How many lines, branches … there are to cover.
    pub units: u64,
    /// Whether anything of it ran.
    pub ran: bool,
    /// The lines that were measured, from 1, and whether each ran; `None` if the report does not say.
    pub lines: Option<BTreeMap<u64, bool>>,
}

/// The files that a coverage report was made of, as it names them, with the figures of `value`. `None` for formats that do
/// not name files, and for reports that name too many.
pub fn files(
    format: Format,
    value: &str,
    bytes: &[u8],
) -> Result<Option<BTreeMap<String, File>>, ReportError> {
    let found = match format {
        Format::Istanbul => istanbul::files(value, bytes)?,
        Format::Lcov => lcov::per_file(value, bytes)?,
        Format::Cobertura => cobertura::files(value, bytes)?,
        Format::CoveragePy => coverage_py::files(value, bytes)?,
        Format::LlvmCov => llvm_cov::files(value, bytes)?,
        Format::Jacoco => jacoco::files(value, bytes)?,
        Format::GoCover => go_cover::files(value, bytes)?,
        Format::Clover => clover::files(value, bytes)?,
        Format::NycText | Format::Json | Format::Regex => return Ok(None),
    };
    Ok((found.len() <= FILES_MAX).then_some(found))
}

/// How many of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) covered: u64,
    pub(crate) total: u64,
}

impl Ratio {
    /// So many of so many; `None` where a report counts more covered than there are.
    pub(crate) fn of(covered: u64, total: u64) -> Option<Ratio> {
        (covered <= total).then_some(Ratio { covered, total })
    }

    /// Counts one thing.
    pub(crate) fn count(&mut self, covered: bool) {
        self.total = self.total.saturating_add(1);
        self.covered = self.covered.saturating_add(u64::from(covered));
    }

    /// Adds another count.
    pub(crate) fn add(&mut self, other: Ratio) {
        self.covered = self.covered.saturating_add(other.covered);
        self.total = self.total.saturating_add(other.total);
    }

    /// As a percentage; `None` if there was nothing to cover.
    pub(crate) fn percent(self) -> Option<f64> {
        // Counts of lines are far below 2^53, so that nothing is lost.
        (self.total > 0).then(|| 100.0 * self.covered.min(self.total) as f64 / self.total as f64)
    }
}

/// A number as people and tools write it: `83.5`, `83.5%`, `1,234.5`, with blanks around it.
pub(crate) fn number(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches('%').trim_end();
    let digits = text.trim_start_matches(['+', '-']);
    // `inf`, `nan` and hexadecimal are no measurements.
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let plain = text.parse::<f64>().ok();
    plain
        .or_else(|| grouped(digits).then(|| text.replace(',', "").parse().ok())?)
        .filter(|n| n.is_finite())
}

/// Whether the commas in a number stand where thousands end.
fn grouped(digits: &str) -> bool {
    let whole = digits.split('.').next().unwrap_or_default();
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len())
        && groups.all(|g| g.len() == 3 && g.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod test {
    use super::number;

    #[test]
    fn numbers_are_read_as_tools_write_them() {
        for (text, wanted) in [
            ("83.5", 83.5),
            (" 83.5 % ", 83.5),
            ("-2", -2.0),
            ("1,234.5", 1234.5),
            ("1e3", 1000.0),
        ] {
            assert_eq!(number(text), Some(wanted), "{text}");
        }
        for text in [
            "", "%", "n/a", "Unknown", "nan", "inf", "1,2", "0x10", "12,3456", "--",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
