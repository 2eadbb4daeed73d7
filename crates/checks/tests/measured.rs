//! Which files a coverage report was made of: the same real reports as in `parsers.rs`, and what hostile ones lead to.

mod common;

use std::path::Path;

use common::{World, have};
use overnight_checks::values::{self, File};
use overnight_core::check::{Observation, Reading};
use overnight_core::goal::{Format, Read};
use overnight_ports::verifier::Ask;
use proptest::prelude::*;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every coverage report that names files, with a value that is counted from its lines, if there is one.
const REPORTS: [(Format, &str, &str); 17] = [
    (
        Format::Istanbul,
        "istanbul-jest-30.5.2-coverage-final.json",
        "lines",
    ),
    (
        Format::Istanbul,
        "istanbul-jest-30.5.2-coverage-summary.json",
        "branches",
    ),
    (Format::Lcov, "lcov-istanbul-jest-30.5.2.info", "lines"),
    (Format::Lcov, "lcov-coverage-py-7.17.3.info", "lines"),
    (Format::Lcov, "lcov-gcovr-8.8.info", "lines"),
    (Format::Lcov, "lcov-2.2-shape.info", "lines"),
    (
        Format::Cobertura,
        "cobertura-coverage-py-7.17.3.xml",
        "lines",
    ),
    (Format::Cobertura, "cobertura-gcovr-8.8.xml", "lines"),
    (
        Format::Cobertura,
        "cobertura-istanbul-jest-30.5.2.xml",
        "lines",
    ),
    (Format::CoveragePy, "coverage-py-7.17.3.json", "lines"),
    (Format::LlvmCov, "llvm-cov-export-22.1.2.json", "regions"),
    (
        Format::LlvmCov,
        "llvm-cov-cargo-llvm-cov-0.9.1-summary-only.json",
        "functions",
    ),
    (Format::Jacoco, "jacoco-0.8.6.xml", "lines"),
    (Format::GoCover, "go-cover-1.19.8-set.out", "statements"),
    (Format::GoCover, "go-cover-1.19.8-count.out", "statements"),
    (Format::Clover, "clover-nyc-17.1.0.xml", "lines"),
    (Format::Clover, "clover-phpunit-9.6.7.xml", "lines"),
];

#[test]
fn the_files_add_up_to_the_figure_of_the_whole_report() {
    for (format, name, value) in REPORTS {
        let bytes = fixture(name);
        let files = values::files(format, value, &bytes)
            .unwrap_or_else(|e| panic!("{name}: {e}"))
            .unwrap_or_else(|| panic!("{name} names no files"));
        assert!(!files.is_empty(), "{name}");
        assert!(
            files.keys().all(|file| !file.is_empty()),
            "{name}: {files:?}"
        );
        assert!(files.values().any(|file| file.ran), "{name}: {files:?}");
        let units: u64 = files.values().map(|file| file.units).sum();
        assert!(units > 0, "{name}: {files:?}");
        if value != "lines" {
            continue;
        }
        let lines = || {
            files
                .values()
                .filter_map(|file| file.lines.as_ref())
                .flatten()
        };
        assert_eq!(lines().count() as u64, units, "{name}: {files:?}");
        let ran = lines().filter(|(_, ran)| **ran).count();
        let whole = values::read(format, value, &bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        if name.contains("cobertura-gcovr") {
            // It counts a line once for each instance of a template.
            continue;
        }
        let share = 100.0 * ran as f64 / units as f64;
        assert!((share - whole).abs() < 0.02, "{name}: {share} and {whole}");
    }
}

#[test]
fn reports_without_files_tell_nothing() {
    for (format, text) in [
        (Format::NycText, "File | % Stmts\nAll files | 1"),
        (Format::Json, "1"),
        (Format::Regex, "1"),
    ] {
        let found = values::files(format, "lines", text.as_bytes());
        assert_eq!(found, Ok(None));
    }
    let many: String = (0..=values::FILES_MAX)
        .map(|n| format!("SF:{n}.c\nDA:1,1\nend_of_record\n"))
        .collect();
    assert_eq!(
        values::files(Format::Lcov, "lines", many.as_bytes()),
        Ok(None)
    );
    // A block from here to eternity.
    let endless = b"mode: set\nx/a.go:1.1,18446744073709551615.1 3 1\n";
    let found = values::files(Format::GoCover, "statements", endless).expect("readable");
    let file: Vec<File> = found.expect("a file").into_values().collect();
    assert_eq!((file[0].units, file[0].ran), (3, true));
}

proptest! {
    #[test]
    fn whatever_the_report_is_nothing_panics(
        which in 0..REPORTS.len(),
        cut in 0_usize..4_000,
        noise in prop::collection::vec(any::<u8>(), 0..60),
        value in prop::sample::select(&["lines", "branches", "functions", "statements", "elements", "x"][..]),
    ) {
        let (format, name, _) = REPORTS[which];
        let mut bytes = fixture(name);
        bytes.truncate(cut);
        bytes.extend_from_slice(&noise);
        let _ = values::files(format, value, &bytes);
        let _ = values::files(format, value, &noise);
    }
}

fn measured(seen: &Observation, index: usize) -> Vec<(&str, u64)> {
    let units = seen.measured.get(index).and_then(Option::as_ref);
    let units = units.unwrap_or_else(|| panic!("nothing measured: {seen:?}"));
    units.iter().map(|(path, n)| (path.as_str(), *n)).collect()
}

#[test]
fn an_observation_names_the_checkouts_own_files() {
    if !have("sh -c true") {
        return;
    }
    let world = World::new(&[
        ("web/src/a.js", "a"),
        ("web/src/b.js", "b"),
        ("lib/c.js", "c"),
    ]);
    let script = "echo x > made.js; for f in \"$PWD/src/a.js\" src/b.js /elsewhere/d.js \"$PWD/made.js\"; do \
                  printf 'SF:%s\\nDA:1,1\\nDA:2,0\\nend_of_record\\n' \"$f\"; done > lcov.info; echo 75%";
    let read = |format, file: Option<&str>, value: &str| Read {
        format,
        file: file.map(str::to_owned),
        value: value.to_owned(),
    };
    let ask = Ask::Values {
        command: script.to_owned(),
        reads: vec![
            read(Format::Regex, None, "([0-9]+)%"),
            read(Format::Lcov, Some("lcov.info"), "lines"),
            read(Format::Lcov, Some("absent.info"), "lines"),
        ],
    };
    let seen = world.observe_in("web", 60, ask);
    assert_eq!(seen.values[0], Reading::Value(75.0));
    assert_eq!(seen.values[1], Reading::Value(50.0));
    assert_eq!(seen.measured.len(), 3);
    assert_eq!((&seen.measured[0], &seen.measured[2]), (&None, &None));
    assert_eq!(
        measured(&seen, 1),
        [("web/src/a.js", 2), ("web/src/b.js", 2)]
    );
}
