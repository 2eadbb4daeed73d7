//! What `cargo test` prints: the only per-test report that stable Rust has.
//!
//! The text is read by its structure and not by its look: after `running N tests` exactly N tests must be named
//! before the section ends, and the section's own `test result:` line must agree with how many of them passed,
//! failed and were ignored. What contradicts itself is an error; a section that breaks off (the test binary crashed
//! or left early) is a failed test, [`DID_NOT_FINISH`]. Lines that a test prints between its name and its status
//! are put up with.
//!
//! What remains: whoever can write to the command's standard output at the right moment can add a binary that does
//! not exist, with tests that do not exist. A failing test can (libtest shows what it printed), and so can a process
//! that a test leaves behind. Neither can take a failed test away. `cargo nextest` is not open to this.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::tests::{TestResults, TestStatus};

use super::{Collector, ReportError, text};

/// Stands for the tests that a binary would still have run when it broke off.
pub const DID_NOT_FINISH: &str = "(the test binary did not finish)";

/// Ends the label of documentation tests.
const DOC: &str = " (doc)";

/// Reads what one `cargo test` printed, standard error included.
pub fn parse(bytes: &[u8]) -> Result<TestResults, ReportError> {
    let text = text(bytes)?;
    let mut out = Output::default();
    for line in text.lines() {
        let line = plain(line);
        let line = line.as_ref();
        if let Some(label) = header(line) {
            out.close()?;
            out.label = out.labels.unique(label);
            out.sections = 0;
        } else if out.section.is_none() {
            // A binary has one section; rustdoc may run the documentation's tests in two.
            let more = out.sections == 0 || out.label.contains(DOC);
            if more && let Some(planned) = running(line) {
                out.sections += 1;
                out.section = Some(Section {
                    planned,
                    ..Section::default()
                });
            }
        } else {
            out.read(line)?;
        }
    }
    out.close()?;
    Ok(out.results.finish())
}

/// What has been read so far.
#[derive(Default)]
struct Output {
    results: Collector,
    labels: Labels,
    label: String,
    /// How many sections there were under this label.
    sections: usize,
    section: Option<Section>,
}

/// One `running N tests` … `test result:`.
#[derive(Default)]
struct Section {
    planned: usize,
    /// In the order of the output; no status where something stood between the name and it.
    tests: Vec<(String, Option<TestStatus>)>,
    /// The names listed under the last `failures:`.
    failures: BTreeSet<String>,
    listing: bool,
    /// Whether `failures:` was seen: what follows is what failing tests printed, and no result.
    told: bool,
    /// Whether more tests were named than planned: one of the lines is not libtest's.
    surplus: bool,
    /// What the last `test result:` line that did not fit said.
    misfit: Option<String>,
}

impl Output {
    /// Takes one line of an open section.
    fn read(&mut self, line: &str) -> Result<(), ReportError> {
        let Some(section) = &mut self.section else {
            return Ok(());
        };
        if let Some(counts) = Counts::read(line) {
            match section.settle(&counts) {
                Some(tests) => {
                    let label = self.label.clone();
                    self.record(&label, tests)?;
                    self.section = None;
                }
                None => section.misfit = Some(line.trim().to_owned()),
            }
            return Ok(());
        }
        if line == "failures:" {
            section.failures.clear();
            section.listing = true;
            section.told = true;
            return Ok(());
        }
        if section.listing {
            match line.strip_prefix("    ") {
                Some(name) => {
                    section.failures.insert(bare(name).to_owned());
                }
                None if line.is_empty() => {}
                None => section.listing = false,
            }
            return Ok(());
        }
        if section.told {
            return Ok(());
        }
        if let Some((_, open @ None)) = section.tests.last_mut()
            && let Some(found) = status(line)
        {
            *open = Some(found);
        } else if let Some((name, rest)) = named(line) {
            section.surplus |= section.tests.len() >= section.planned;
            if !section.surplus {
                section.tests.push((name.to_owned(), status(rest)));
            }
        }
        Ok(())
    }

    /// Ends an open section that had no fitting `test result:` line.
    fn close(&mut self) -> Result<(), ReportError> {
        let Some(section) = self.section.take() else {
            return Ok(());
        };
        if let Some(line) = section.misfit {
            let (planned, seen) = (section.planned, section.tests.len());
            let more = if section.surplus { " and more" } else { "" };
            let label = &self.label;
            let detail = format!(
                "`{label}` has {planned} tests, names {seen}{more}, and ends with `{line}`"
            );
            return Err(ReportError::malformed("cargo test", detail));
        }
        let label = self.label.clone();
        // Those that were told before it broke off are what they are; the one that was running is not known to pass.
        let tests = section
            .tests
            .into_iter()
            .map(|(name, status)| (name, status.unwrap_or(TestStatus::Failed)));
        self.record(&label, tests.collect())?;
        self.results
            .add([label.as_str(), DID_NOT_FINISH], TestStatus::Failed)
    }

    fn record(&mut self, label: &str, tests: Vec<(String, TestStatus)>) -> Result<(), ReportError> {
        for (name, status) in number(tests) {
            self.results
                .add(std::iter::once(label).chain(name.split("::")), status)?;
        }
        Ok(())
    }
}

impl Section {
    /// The section's results, if they agree with its last line.
    fn settle(&self, counts: &Counts) -> Option<Vec<(String, TestStatus)>> {
        if self.surplus || self.tests.len() != self.planned || counts.total() != self.planned {
            return None;
        }
        let mut seen = Counts::default();
        let mut tests = Vec::with_capacity(self.tests.len());
        for (name, told) in &self.tests {
            let status = match told {
                _ if self.failures.contains(name) => TestStatus::Failed,
                Some(status) => *status,
                // Its status was lost in what it printed; it is not among the failures. The counts decide.
                None => TestStatus::Passed,
            };
            match status {
                TestStatus::Passed => seen.passed += 1,
                TestStatus::Failed => seen.failed += 1,
                TestStatus::Skipped => seen.ignored += 1,
            }
            tests.push((name.clone(), status));
        }
        let same = seen.passed == counts.passed + counts.measured
            && seen.failed == counts.failed
            && seen.ignored == counts.ignored;
        same.then_some(tests)
    }
}

/// The numbers of a `test result:` line.
#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    ignored: usize,
    measured: usize,
}

impl Counts {
    fn read(line: &str) -> Option<Counts> {
        let rest = line.strip_prefix("test result: ")?;
        let (_, rest) = rest.split_once(". ")?;
        let mut counts = Counts::default();
        for part in rest.split(';') {
            let Some((n, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let slot = match what {
                "passed" => &mut counts.passed,
                "failed" => &mut counts.failed,
                "ignored" => &mut counts.ignored,
                "measured" => &mut counts.measured,
                _ => continue,
            };
            *slot = n.parse().ok()?;
        }
        Some(counts)
    }

    fn total(&self) -> usize {
        [self.passed, self.failed, self.ignored, self.measured]
            .iter()
            .fold(0, |sum, n| sum.saturating_add(*n))
    }
}

/// Names of test binaries, told apart where two crates of a workspace have one of the same name: cargo's order is
/// the same each time.
#[derive(Default)]
struct Labels {
    seen: BTreeMap<String, usize>,
}

impl Labels {
    fn unique(&mut self, label: String) -> String {
        let times = self.seen.entry(label.clone()).or_insert(0);
        *times += 1;
        if *times == 1 {
            label
        } else {
            format!("{label} #{times}")
        }
    }
}

/// The label of a line by which cargo announces a binary: `     Running tests/it.rs (target/debug/deps/it-0a1b)` is
/// `it (tests/it.rs)`, `   Doc-tests shop` is `shop (doc)`.
fn header(line: &str) -> Option<String> {
    if !line.starts_with("  ") {
        return None;
    }
    let line = line.trim();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{name}{DOC}"));
    }
    let rest = line.strip_prefix("Running ")?;
    if let Some((source, binary)) = rest.strip_suffix(')').and_then(|r| r.rsplit_once(" (")) {
        let source = source.strip_prefix("unittests ").unwrap_or(source);
        return Some(format!("{} ({source})", crate_of(binary)));
    }
    // With `-v` it is the whole command line, in backticks.
    let command = rest.strip_prefix('`')?.strip_suffix('`')?;
    let binary = command
        .split_whitespace()
        .find(|word| word.contains("/deps/"))?;
    Some(crate_of(binary).to_owned())
}

/// `target/debug/deps/it-0a1b2c3d` is `it`.
fn crate_of(binary: &str) -> &str {
    let file = binary.rsplit('/').next().unwrap_or(binary);
    match file.rsplit_once('-') {
        Some((name, hash)) if hash.chars().all(|c| c.is_ascii_hexdigit()) => name,
        _ => file,
    }
}

/// The number of a `running N tests` line.
fn running(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("running ")?;
    rest.strip_suffix(" tests")
        .or_else(|| rest.strip_suffix(" test"))?
        .parse()
        .ok()
}

/// The name of a `test NAME ... ` line, and what stands behind it.
fn named(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ")?;
    Some((bare(name), rest))
}

/// A name without what libtest and rustdoc add about the kind of test.
fn bare(name: &str) -> &str {
    let name = name.trim();
    [
        " - should panic",
        " - compile fail",
        " - compile",
        " - ignored",
    ]
    .iter()
    .find_map(|kind| name.strip_suffix(kind))
    .unwrap_or(name)
}

/// A whole status.
fn status(text: &str) -> Option<TestStatus> {
    let text = text.trim_end();
    // `--report-time` puts the time behind it.
    let text = match text.rsplit_once(" <") {
        Some((head, time)) if time.ends_with("s>") => head,
        _ => text,
    };
    match text {
        "ok" => Some(TestStatus::Passed),
        "FAILED" | "FAILED (time limit exceeded)" => Some(TestStatus::Failed),
        "ignored" => Some(TestStatus::Skipped),
        _ if text.starts_with("ignored, ") => Some(TestStatus::Skipped),
        _ if text.starts_with("bench: ") => Some(TestStatus::Passed),
        _ => None,
    }
}

/// Doc-tests are named by their line, which moves with every edit above it: `src/lib.rs - add (line 3)` becomes
/// `src/lib.rs - add`, and the next one of the same item `src/lib.rs - add #2`.
fn number(tests: Vec<(String, TestStatus)>) -> Vec<(String, TestStatus)> {
    let mut plain = Vec::with_capacity(tests.len());
    let mut by_item: BTreeMap<String, Vec<(u64, TestStatus)>> = BTreeMap::new();
    for (name, status) in tests {
        let line = name.strip_suffix(')').and_then(|n| n.rsplit_once("(line "));
        match line.and_then(|(item, n)| {
            Some((
                item.trim_end().trim_end_matches(" -").to_owned(),
                n.parse().ok()?,
            ))
        }) {
            Some((item, n)) => by_item.entry(item).or_default().push((n, status)),
            None => plain.push((name, status)),
        }
    }
    for (item, mut at) in by_item {
        at.sort_unstable();
        for (n, (_, status)) in at.into_iter().enumerate() {
            plain.push((
                if n == 0 {
                    item.clone()
                } else {
                    format!("{item} #{}", n + 1)
                },
                status,
            ));
        }
    }
    plain
}

/// The line without terminal colours.
fn plain(line: &str) -> std::borrow::Cow<'_, str> {
    crate::plain::without_escapes(line)
}
