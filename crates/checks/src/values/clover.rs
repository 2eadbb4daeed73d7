//! Clover XML (OpenClover, PHPUnit, Istanbul and what is built on it).
//!
//! The figures are the project's own `<metrics>`; what OpenClover measured of the tests themselves (`<testproject>`)
//! does not count. `lines` are the lines with a statement or a condition. Istanbul and PHPUnit write their lines as
//! Clover's statements.

use std::collections::BTreeMap;

use super::{File, Ratio};
use crate::reports::ReportError;
use crate::reports::xml::{Element, Visitor, walk};

const FORMAT: &str = "Clover";

/// Reads `statements`, `branches` (its conditionals), `functions` (its methods), `elements` (all three together) or
/// `lines`.
pub fn read(value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    let (total, covered) = attributes(value)?;
    let mut report = Report::default();
    walk(FORMAT, bytes, &["coverage"], &mut report)?;
    if report.metrics.is_empty() {
        return Err(ReportError::lacks(
            FORMAT,
            "has no <project> with <metrics>: Cobertura's reports start with <coverage> as well",
        ));
    }
    let mut sum = Ratio::default();
    if value == "lines" {
        report.lines.values().for_each(|hit| sum.count(*hit));
    } else {
        for metrics in &report.metrics {
            let count = |key: &str| metrics.text(key).parse::<u64>().ok();
            let ratio = count(covered).zip(count(total));
            let ratio = ratio.and_then(|(covered, total)| Ratio::of(covered, total));
            sum.add(ratio.ok_or_else(|| {
                let detail = format!("its project has no readable `{total}` and `{covered}`");
                ReportError::malformed(FORMAT, detail)
            })?);
        }
    }
    sum.percent().ok_or_else(|| {
        let detail = format!("has no data on {value}: the tool was not asked to record them");
        ReportError::lacks(FORMAT, detail)
    })
}

/// The attributes of `<metrics>` that hold a value; nothing for lines, which are counted.
fn attributes(value: &str) -> Result<(&'static str, &'static str), ReportError> {
    Ok(match value {
        "statements" => ("statements", "coveredstatements"),
        "branches" => ("conditionals", "coveredconditionals"),
        "functions" => ("methods", "coveredmethods"),
        "elements" => ("elements", "coveredelements"),
        "lines" => ("", ""),
        _ => {
            let detail =
                format!("has statements, branches, functions, elements and lines, not `{value}`");
            return Err(ReportError::lacks(FORMAT, detail));
        }
    })
}

/// The files of the project.
pub fn files(value: &str, bytes: &[u8]) -> Result<BTreeMap<String, File>, ReportError> {
    let mut report = Files {
        attribute: attributes(value)?.0,
        files: BTreeMap::new(),
    };
    walk(FORMAT, bytes, &["coverage"], &mut report)?;
    Ok(report.files)
}

struct Files {
    attribute: &'static str,
    files: BTreeMap<String, File>,
}

impl Visitor for Files {
    fn enter(&mut self, path: &[Element]) -> Result<(), ReportError> {
        let [_, project, .., element] = path else {
            return Ok(());
        };
        let file = path.iter().rev().find(|e| e.name == "file");
        let Some(file) = file.filter(|_| project.name == "project") else {
            return Ok(());
        };
        // Some tools write the whole path, some the name alone.
        let name = file.get("path").unwrap_or(file.text("name"));
        let found = self.files.entry(name.to_owned()).or_default();
        let own = path.iter().rev().nth(1).is_some_and(|e| e.name == "file");
        match element.name.as_str() {
            "metrics" if own && !self.attribute.is_empty() => {
                found.units = element.text(self.attribute).parse().unwrap_or_default();
            }
            "line" if matches!(element.text("type"), "stmt" | "cond") => {
                let Some((number, hit)) = line(element) else {
                    return Ok(());
                };
                found.ran |= hit;
                let lines = found.lines.get_or_insert_default();
                *lines.entry(number).or_default() |= hit;
                if self.attribute.is_empty() {
                    found.units = lines.len() as u64;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, _: &[Element]) -> Result<(), ReportError> {
        Ok(())
    }
}

#[derive(Default)]
struct Report {
    /// The `<metrics>` directly under a `<project>`.
    metrics: Vec<Element>,
    /// `<file>` elements so far.
    files: u64,
    /// By file and number.
    lines: BTreeMap<(u64, u64), bool>,
}

impl Visitor for Report {
    fn enter(&mut self, path: &[Element]) -> Result<(), ReportError> {
        let [_, project, .., element] = path else {
            return Ok(());
        };
        if project.name != "project" {
            return Ok(());
        }
        match element.name.as_str() {
            "metrics" if path.len() == 3 => self.metrics.push(element.clone()),
            "file" => self.files = self.files.saturating_add(1),
            "line" if matches!(element.text("type"), "stmt" | "cond") => {
                let (number, hit) = line(element).ok_or_else(|| {
                    ReportError::malformed(FORMAT, "a <line> without readable counts")
                })?;
                *self.lines.entry((self.files, number)).or_default() |= hit;
            }
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, _: &[Element]) -> Result<(), ReportError> {
        Ok(())
    }
}

/// A line's number, and whether it ran. With Istanbul `falsecount` is the number of branches that were not taken, so
/// that it says nothing where there is a `count`.
fn line(element: &Element) -> Option<(u64, bool)> {
    let count = |key: &str| element.text(key).parse::<u64>().ok();
    let hit = match element.get("count") {
        Some(_) => count("count")? > 0,
        None => count("truecount")? > 0 || count("falsecount")? > 0,
    };
    Some((count("num")?, hit))
}
