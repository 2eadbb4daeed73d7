//! What a share is a share of: a figure also rises when fewer files are measured, or fewer lines of them.

use std::collections::BTreeMap;

use super::{Against, Baseline};
use crate::check::{Observation, Units};
use crate::goal::{Format, Read};
use crate::repo::{Changed, How};

/// How much of a file's count may be missing where the tools themselves count now this and now that, as a divisor.
const VARYING_BELOW: u64 = 2;
/// Endings of files that are compiled into others, so that what is measured of them depends on those.
const COMPILED_INTO_OTHERS: [&str; 6] = [".h", ".hh", ".hpp", ".hxx", ".inl", ".ipp"];

/// One file of which less is measured than on the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loss {
    path: String,
    was: u64,
    /// Nothing if the file is not measured any more.
    now: Option<u64>,
}

/// What is no longer measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Losses {
    losses: Vec<Loss>,
    files_before: usize,
    files_now: usize,
    units: String,
}

impl Losses {
    pub(super) fn is_empty(&self) -> bool {
        self.losses.is_empty()
    }

    /// In one line: the numbers, and the first file.
    pub(super) fn reason(&self) -> String {
        let gone: Vec<&Loss> = self.losses.iter().filter(|l| l.now.is_none()).collect();
        let less = self.losses.len() - gone.len();
        let mut parts = Vec::new();
        if let Some(first) = gone.first() {
            let count: u64 = gone.iter().map(|l| l.was).fold(0, u64::saturating_add);
            parts.push(format!(
                "{} of the base's {} measured files {} no longer measured ({count} {}), such as `{}`",
                gone.len(),
                self.files_before,
                if gone.len() == 1 { "is" } else { "are" },
                self.units,
                first.path,
            ));
        }
        if let Some(first) = self.losses.iter().find(|l| l.now.is_some()) {
            parts.push(format!(
                "of {less} unchanged {} fewer {} are measured than on the base: {}",
                if less == 1 { "file" } else { "files" },
                self.units,
                first.line(&self.units),
            ));
        }
        parts.join("; ")
    }

    /// Every file, a line each.
    pub(super) fn evidence(&self) -> String {
        let mut text = format!(
            "Measured on the base: {} files; now: {}.\n",
            self.files_before, self.files_now
        );
        for loss in &self.losses {
            text.push_str(&loss.line(&self.units));
            text.push('\n');
        }
        text
    }
}

impl Loss {
    fn line(&self, units: &str) -> String {
        match self.now {
            Some(now) => format!("`{}` had {} {units} and has {now}", self.path, self.was),
            None => format!(
                "`{}` had {} {units} and is not measured",
                self.path, self.was
            ),
        }
    }
}

/// Compares what a report was made of with the base's runs. Of two runs the less demanding counts.
pub(super) fn losses(read: &Read, index: usize, now: &Observation, against: Against<'_>) -> Losses {
    let Some(was) = on_the_base(index, against.base) else {
        return Losses::default();
    };
    let none = Units::new();
    // A report that named files on the base and names none now measures none that can be compared.
    let is = match now.measured.get(index) {
        Some(Some(units)) => units,
        Some(None) | None => &none,
    };
    let mut losses = Vec::new();
    for (path, units) in &was {
        let change = change_of(path, against.changes);
        let now = is.get(path).copied();
        let lost = match (change, now) {
            (Some(How::Deleted), _) => false,
            (_, None) => true,
            // Its content is another, so that its count may be.
            (Some(How::Added | How::Modified), Some(_)) => false,
            (None, Some(now)) if is_steady(read, path) => now < *units,
            (None, Some(now)) => now < *units && now <= *units / VARYING_BELOW,
        };
        if lost {
            losses.push(Loss {
                path: path.clone(),
                was: *units,
                now,
            });
        }
    }
    Losses {
        losses,
        files_before: was.len(),
        files_now: is.len(),
        units: match read.value.as_str() {
            "percent_covered" => "lines and branches".to_owned(),
            value => value.to_owned(),
        },
    }
}

/// The files that every run on the base measured, each with its lowest count; nothing if no run tells.
fn on_the_base(index: usize, base: Baseline<'_>) -> Option<Units> {
    let mut runs = base
        .iter()
        .filter_map(|run| run.measured.get(index)?.as_ref());
    let mut all: BTreeMap<String, u64> = runs.next()?.clone();
    for run in runs {
        all.retain(|path, _| run.contains_key(path));
        for (path, units) in &mut all {
            *units = run.get(path).map_or(*units, |other| (*units).min(*other));
        }
    }
    Some(all)
}

/// Whether a count depends on the file's own content alone. V8 tells branches and functions only of code that was
/// compiled, LLVM only of what was instantiated, and a bytecode instruction may come from another file's constant.
fn is_steady(read: &Read, path: &str) -> bool {
    let value = matches!(
        read.value.as_str(),
        "lines" | "statements" | "percent_covered"
    );
    value
        && read.format != Format::LlvmCov
        && !COMPILED_INTO_OTHERS.iter().any(|end| path.ends_with(end))
}

/// What the candidate did to a file. Some reports name files relative to a folder that nobody knows.
fn change_of(path: &str, changes: &[Changed]) -> Option<How> {
    let mut exact = changes.iter().filter(|change| change.path == path);
    let mut ending = changes.iter().filter(|change| {
        let before = change.path.strip_suffix(path);
        before.is_some_and(|rest| rest.ends_with('/'))
    });
    exact.next().or_else(|| ending.next()).map(|c| c.how)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, value: &str) -> Read {
        Read {
            format,
            file: None,
            value: value.to_owned(),
        }
    }

    fn run(files: &[(&str, u64)]) -> Observation {
        let units = files.iter().map(|(f, n)| ((*f).to_owned(), *n)).collect();
        Observation {
            measured: vec![Some(units)],
            ..Observation::default()
        }
    }

    fn changed(path: &str, how: How) -> Changed {
        Changed {
            path: path.to_owned(),
            how,
            added: 0,
            removed: 0,
            link: None,
        }
    }

    /// The lines of what is lost.
    fn lost(
        read: &Read,
        base: &[Observation],
        changes: &[Changed],
        now: &Observation,
    ) -> Vec<String> {
        let found = losses(read, 0, now, Against { base, changes });
        assert_eq!(found.is_empty(), found.losses.is_empty());
        found
            .evidence()
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_file_may_not_vanish_from_the_report_unless_it_is_deleted() {
        let lines = read(Format::Lcov, "lines");
        let base = [run(&[("src/a.js", 10), ("src/b.js", 5)])];
        let now = run(&[("src/a.js", 10), ("src/new.js", 1)]);
        assert_eq!(
            lost(&lines, &base, &[], &now),
            ["`src/b.js` had 5 lines and is not measured"]
        );
        let edited = [changed("src/b.js", How::Modified)];
        assert_eq!(lost(&lines, &base, &edited, &now).len(), 1);
        let deleted = [changed("src/b.js", How::Deleted)];
        assert!(lost(&lines, &base, &deleted, &now).is_empty());
        assert_eq!(lost(&lines, &base, &[], &Observation::default()).len(), 2);
        let found = losses(
            &lines,
            0,
            &now,
            Against {
                base: &base,
                changes: &[],
            },
        );
        assert_eq!(
            found.reason(),
            "1 of the base's 2 measured files is no longer measured (5 lines), such as `src/b.js`"
        );
    }

    #[test]
    fn an_unchanged_file_may_not_have_fewer_lines() {
        let lines = read(Format::CoveragePy, "lines");
        let base = [run(&[("a.py", 10)])];
        assert_eq!(
            lost(&lines, &base, &[], &run(&[("a.py", 9)])),
            ["`a.py` had 10 lines and has 9"]
        );
        let edited = [changed("a.py", How::Modified)];
        assert!(lost(&lines, &base, &edited, &run(&[("a.py", 9)])).is_empty());
        assert!(lost(&lines, &base, &[], &run(&[("a.py", 11)])).is_empty());
        let found = losses(
            &lines,
            0,
            &run(&[("a.py", 9)]),
            Against {
                base: &base,
                changes: &[],
            },
        );
        assert_eq!(
            found.reason(),
            "of 1 unchanged file fewer lines are measured than on the base: `a.py` had 10 lines and has 9"
        );
    }

    #[test]
    fn counts_that_vary_by_themselves_may_do_so_within_bounds() {
        for (format, value, path) in [
            (Format::Istanbul, "branches", "a.js"),
            (Format::Lcov, "functions", "a.js"),
            (Format::LlvmCov, "lines", "src/lib.rs"),
            (Format::Lcov, "lines", "include/a.hpp"),
        ] {
            let read = read(format, value);
            let base = [run(&[(path, 10)])];
            assert!(
                lost(&read, &base, &[], &run(&[(path, 6)])).is_empty(),
                "{value}"
            );
            assert_eq!(
                lost(&read, &base, &[], &run(&[(path, 5)])).len(),
                1,
                "{value}"
            );
            assert_eq!(
                lost(&read, &base, &[], &run(&[(path, 0)])).len(),
                1,
                "{value}"
            );
        }
    }

    #[test]
    fn of_two_runs_on_the_base_the_less_demanding_counts() {
        let lines = read(Format::Lcov, "lines");
        let base = [
            run(&[("a.js", 10), ("b.js", 3)]),
            run(&[("a.js", 8)]),
            Observation::default(),
        ];
        assert!(lost(&lines, &base, &[], &run(&[("a.js", 8)])).is_empty());
        assert_eq!(lost(&lines, &base, &[], &run(&[("a.js", 7)])).len(), 1);
        // Nothing is known of a base whose command left no report.
        assert!(lost(&lines, &base[2..], &[], &run(&[])).is_empty());
    }

    #[test]
    fn names_below_an_unknown_folder_are_found_among_the_changes() {
        let changes = [changed("java/src/main/java/shop/Cart.java", How::Deleted)];
        assert_eq!(change_of("shop/Cart.java", &changes), Some(How::Deleted));
        assert_eq!(change_of("hop/Cart.java", &changes), None);
    }
}
