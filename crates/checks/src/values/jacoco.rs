//! JaCoCo XML, by its DTD 1.1 (`report.dtd`).
//!
//! The counters directly under `<report>` are the ones that count: those below them say the same of groups, packages,
//! classes, methods and source files, several times over. JaCoCo leaves a counter out where there is nothing to cover.

use std::collections::BTreeMap;

use super::Ratio;
use crate::reports::ReportError;
use crate::reports::xml::{Element, Visitor, walk};

const FORMAT: &str = "JaCoCo";

/// Reads `lines`, `branches`, `functions` (its methods) or `instructions`.
pub fn read(value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    let counter = match value {
        "lines" => "LINE",
        "branches" => "BRANCH",
        "functions" => "METHOD",
        "instructions" => "INSTRUCTION",
        _ => {
            let detail = format!("has lines, branches, functions and instructions, not `{value}`");
            return Err(ReportError::lacks(FORMAT, detail));
        }
    };
    let mut report = Report::default();
    walk(FORMAT, bytes, &["report"], &mut report)?;
    let found = report.counters.get(counter).copied();
    found.and_then(Ratio::percent).ok_or_else(|| {
        let hint = match value {
            "lines" => " (classes compiled without `-g` have no line numbers)",
            _ => "",
        };
        ReportError::lacks(FORMAT, format!("has no data on {value}{hint}"))
    })
}

/// The counters of the whole report by their type.
#[derive(Default)]
struct Report {
    counters: BTreeMap<String, Ratio>,
}

impl Visitor for Report {
    fn enter(&mut self, path: &[Element]) -> Result<(), ReportError> {
        let [_, counter] = path else {
            return Ok(());
        };
        if counter.name != "counter" {
            return Ok(());
        }
        let kind = counter.text("type");
        let fault =
            |what: &str| ReportError::malformed(FORMAT, format_args!("its {kind} counter {what}"));
        let count = |key: &str| counter.text(key).parse::<u64>().ok();
        let (covered, missed) = count("covered")
            .zip(count("missed"))
            .ok_or_else(|| fault("cannot be read"))?;
        let ratio = Ratio {
            covered,
            total: covered.saturating_add(missed),
        };
        match self.counters.insert(kind.to_owned(), ratio) {
            None => Ok(()),
            Some(_) => Err(fault("stands there twice")),
        }
    }

    fn leave(&mut self, _: &[Element]) -> Result<(), ReportError> {
        Ok(())
    }
}
