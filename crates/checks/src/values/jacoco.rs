//! JaCoCo XML, by its DTD 1.1 (`report.dtd`).
//!
//! The counters directly under `<report>` are the ones that count: those below them say the same of groups, packages,
//! classes, methods and source files, several times over. JaCoCo leaves a counter out where there is nothing to cover.

use std::collections::BTreeMap;

use super::{File, Ratio};
use crate::reports::ReportError;
use crate::reports::xml::{Element, Visitor, walk};

const FORMAT: &str = "JaCoCo";

/// Reads `lines`, `branches`, `functions` (its methods) or `instructions`.
pub fn read(value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    let counter = counter_of(value)?;
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

/// The type of the counter that has a value.
fn counter_of(value: &str) -> Result<&'static str, ReportError> {
    Ok(match value {
        "lines" => "LINE",
        "branches" => "BRANCH",
        "functions" => "METHOD",
        "instructions" => "INSTRUCTION",
        _ => {
            let detail = format!("has lines, branches, functions and instructions, not `{value}`");
            return Err(ReportError::lacks(FORMAT, detail));
        }
    })
}

/// The source files of the report: `com/example/Shop.java`, below whatever folder the sources are in.
pub fn files(value: &str, bytes: &[u8]) -> Result<BTreeMap<String, File>, ReportError> {
    let mut report = Files {
        counter: counter_of(value)?,
        files: BTreeMap::new(),
    };
    walk(FORMAT, bytes, &["report"], &mut report)?;
    Ok(report.files)
}

struct Files {
    counter: &'static str,
    files: BTreeMap<String, File>,
}

impl Visitor for Files {
    fn enter(&mut self, path: &[Element]) -> Result<(), ReportError> {
        let [.., package, source, element] = path else {
            return Ok(());
        };
        if source.name != "sourcefile" || package.name != "package" {
            return Ok(());
        }
        let name = match package.text("name") {
            "" => source.text("name").to_owned(),
            package => format!("{package}/{}", source.text("name")),
        };
        let file = self.files.entry(name).or_default();
        let count = |key: &str| element.text(key).parse::<u64>().unwrap_or_default();
        match element.name.as_str() {
            "counter" if element.text("type") == self.counter => {
                let units = count("covered").saturating_add(count("missed"));
                file.units = file.units.saturating_add(units);
            }
            "line" => {
                let ran = count("ci") > 0;
                file.ran |= ran;
                let lines = file.lines.get_or_insert_default();
                *lines.entry(count("nr")).or_default() |= ran;
            }
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, _: &[Element]) -> Result<(), ReportError> {
        Ok(())
    }
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
