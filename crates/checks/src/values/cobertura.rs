//! Cobertura XML (coverage.py, gcovr, jest, coverlet, cargo-llvm-cov …).
//!
//! Rates are computed from the `<line>` elements of the classes, each counted as the tools themselves count them (a
//! line of a C++ template may stand there once for each instance); the rates in attributes are used only where a
//! report has no lines at all.

use std::collections::BTreeMap;

use super::{File, Ratio, number};
use crate::reports::ReportError;
use crate::reports::xml::{Element, Visitor, walk};

const FORMAT: &str = "Cobertura";

/// Reads `lines`, `branches` or `functions` (its methods).
pub fn read(value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    let mut report = Report::default();
    walk(FORMAT, bytes, &["coverage"], &mut report)?;
    let absent = || {
        ReportError::lacks(
            FORMAT,
            format!("has no data on {value}: the tool was not asked to record them"),
        )
    };
    let from_attribute =
        |rate: Option<f64>| rate.map(|r| r * 100.0).filter(|_| report.lines.total == 0);
    match value {
        "lines" => report
            .lines
            .percent()
            .or(from_attribute(report.line_rate))
            .ok_or_else(absent),
        "branches" => report
            .branches
            .percent()
            .or(from_attribute(report.branch_rate))
            .ok_or_else(absent),
        "functions" => {
            let mut methods = Ratio::default();
            report.methods.values().for_each(|hit| methods.count(*hit));
            methods.percent().ok_or_else(absent)
        }
        _ => Err(ReportError::lacks(
            FORMAT,
            format!("has lines, branches and functions, not `{value}`"),
        )),
    }
}

/// The files of the report: a class has its lines, and a file may have several classes. A line counts once, however many
/// instances of a template it is in.
pub fn files(value: &str, bytes: &[u8]) -> Result<BTreeMap<String, File>, ReportError> {
    let mut report = Files {
        branches: value == "branches",
        methods: value == "functions",
        ..Files::default()
    };
    walk(FORMAT, bytes, &["coverage"], &mut report)?;
    Ok(report
        .files
        .into_iter()
        .map(|(name, (units, lines))| {
            let found = File {
                units: match value {
                    "lines" => lines.len() as u64,
                    _ => units,
                },
                ran: lines.values().any(|hit| *hit),
                lines: Some(lines),
            };
            (name, found)
        })
        .collect())
}

/// The files so far: units and lines.
#[derive(Default)]
struct Files {
    branches: bool,
    methods: bool,
    files: BTreeMap<String, (u64, BTreeMap<u64, bool>)>,
}

impl Visitor for Files {
    fn enter(&mut self, path: &[Element]) -> Result<(), ReportError> {
        let Some(element) = path.last() else {
            return Ok(());
        };
        let in_method = path.iter().any(|e| e.name == "method");
        let name = match element.name.as_str() {
            "class" => element.text("filename"),
            _ => file(path),
        };
        if name.is_empty() {
            return Ok(());
        }
        let (units, lines) = self.files.entry(name.to_owned()).or_default();
        let more = match element.name.as_str() {
            "method" if self.methods => 1,
            "line" if !in_method => {
                let hit = number(element.text("hits")).is_some_and(|n| n > 0.0);
                if let Ok(line) = element.text("number").parse() {
                    *lines.entry(line).or_default() |= hit;
                }
                let conditions = conditions(element.text("condition-coverage"));
                match conditions {
                    Some(ratio) if self.branches => ratio.total,
                    Some(_) | None => 0,
                }
            }
            _ => 0,
        };
        *units = units.saturating_add(more);
        Ok(())
    }

    fn leave(&mut self, _: &[Element]) -> Result<(), ReportError> {
        Ok(())
    }
}

#[derive(Default)]
struct Report {
    lines: Ratio,
    branches: Ratio,
    methods: BTreeMap<(String, String, String), bool>,
    line_rate: Option<f64>,
    branch_rate: Option<f64>,
}

impl Visitor for Report {
    fn enter(&mut self, path: &[Element]) -> Result<(), ReportError> {
        let Some(element) = path.last() else {
            return Ok(());
        };
        match element.name.as_str() {
            "coverage" if path.len() == 1 => {
                let valid = |key: &str| element.get(key).and_then(number).is_none_or(|n| n > 0.0);
                self.line_rate = number(element.text("line-rate")).filter(|_| valid("lines-valid"));
                self.branch_rate =
                    number(element.text("branch-rate")).filter(|_| valid("branches-valid"));
            }
            "line" => self.line(path, element)?,
            "method" => {
                self.methods.entry(method(path, element)).or_default();
            }
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, _: &[Element]) -> Result<(), ReportError> {
        Ok(())
    }
}

impl Report {
    fn line(&mut self, path: &[Element], element: &Element) -> Result<(), ReportError> {
        let fault = |what: &str| {
            ReportError::malformed(FORMAT, format_args!("a <line> without a readable {what}"))
        };
        let hit = number(element.text("hits")).ok_or_else(|| fault("`hits`"))? > 0.0;
        // The lines of a method are those of its class once more.
        if let Some(owner) = path.iter().rev().find(|e| e.name == "method") {
            *self.methods.entry(method(path, owner)).or_default() |= hit;
            return Ok(());
        }
        self.lines.count(hit);
        if element.text("branch").eq_ignore_ascii_case("true") {
            let conditions = conditions(element.text("condition-coverage"));
            self.branches
                .add(conditions.ok_or_else(|| fault("`condition-coverage`"))?);
        }
        Ok(())
    }
}

/// The file of the class around an element.
fn file(path: &[Element]) -> &str {
    path.iter()
        .rev()
        .find(|e| e.name == "class")
        .map(|e| e.text("filename"))
        .unwrap_or_default()
}

/// What names a method.
fn method(path: &[Element], element: &Element) -> (String, String, String) {
    (
        file(path).to_owned(),
        element.text("name").to_owned(),
        element.text("signature").to_owned(),
    )
}

/// `50% (1/2)`
fn conditions(text: &str) -> Option<Ratio> {
    let (_, counts) = text.split_once('(')?;
    let (covered, total) = counts.trim_end_matches(')').split_once('/')?;
    Some(Ratio {
        covered: covered.trim().parse().ok()?,
        total: total.trim().parse().ok()?,
    })
}
