//! The folder in the cell's temporary folder into which the reporters of one run write, and what is found in it
//! afterwards. Everything is done by commands in the cell, so that a link planted there leads nowhere that the
//! checked code could not read itself.

use overnight_core::check::Obstacle;
use overnight_core::tests::TestResults;
use overnight_ports::sandbox::SandboxError;

use super::{Run, unreadable};
use crate::reports::{Format, REPORT_BYTES_MAX, ReportError, go_test, mocha};
use crate::runners::shell::quote;
use crate::runners::{REPORTS, Tool, reporters};

/// Most reports that one run may leave.
const REPORTS_MAX: usize = 500;
/// Most bytes of all reports of one run together.
const ALL_BYTES_MAX: usize = 4 * REPORT_BYTES_MAX;

/// A run's evidence folder.
pub(super) struct Evidence {
    /// Its path inside the cell.
    pub(super) folder: String,
}

/// What the reporters left.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The union of all results.
    pub(super) results: TestResults,
    /// How many reports it is made of.
    pub(super) reports: usize,
    /// A report that a runner began with and left empty.
    pub(super) unwritten: Option<String>,
    /// What is wrong with the first that cannot be read.
    pub(super) fault: Option<ReportError>,
    /// For runners that print nothing else: their results as people read them.
    pub(super) readable: String,
}

impl Evidence {
    /// Makes the folder and puts the tools into it.
    pub(super) async fn prepare(run: &Run<'_>, tools: &[Tool]) -> Result<Evidence, SandboxError> {
        let make = format!(
            "d=$(mktemp -d \"${{TMPDIR:-/tmp}}/overnight.XXXXXXXXXX\") && mkdir \"$d/{REPORTS}\" && cd \"$d\" && pwd -P"
        );
        let made = run.housekeeping(&make, None).await?;
        let folder = String::from_utf8_lossy(&made.stdout)
            .trim_end_matches('\n')
            .to_owned();
        let trouble = |stderr: &[u8]| {
            let said = String::from_utf8_lossy(stderr).trim().to_owned();
            SandboxError::Open(format!(
                "no folder for the reports in the cell's temporary folder: {said}"
            ))
        };
        if made.exit.code() != Some(0) || !folder.starts_with('/') {
            return Err(trouble(&made.stderr));
        }
        for tool in tools {
            let path = quote(&format!("{folder}/{}", tool.name));
            let mut write = format!("cat > {path}");
            if tool.executable {
                // Started once, because a temporary folder may forbid programs: better to know it here.
                write.push_str(&format!(" && chmod 700 {path} && {path} -c true"));
            }
            let written = run
                .housekeeping(&write, Some(tool.content.clone().into_bytes()))
                .await?;
            if written.exit.code() != Some(0) {
                return Err(trouble(&written.stderr));
            }
        }
        Ok(Evidence { folder })
    }

    /// Reads what the reporters left.
    pub(super) async fn collect(&self, run: &Run<'_>) -> Result<Found, SandboxError> {
        let reports = format!("{}/{REPORTS}", self.folder);
        let mut found = Found::default();
        let (mut count, mut bytes_all) = (0, 0_usize);
        for name in list(run, &reports).await? {
            let Some(format) = reporters::format_of(&name) else {
                continue;
            };
            count += 1;
            let path = format!("{reports}/{name}");
            let bytes = match read(run, &path, "").await? {
                Ok(bytes) => bytes,
                Err(obstacle) => {
                    let detail = format!("{name}: {obstacle:?}");
                    found
                        .fault
                        .get_or_insert(ReportError::malformed("test", detail));
                    continue;
                }
            };
            bytes_all = bytes_all.saturating_add(bytes.len());
            if count > REPORTS_MAX || bytes_all > ALL_BYTES_MAX {
                found.fault.get_or_insert(ReportError::TooMany);
                break;
            }
            if bytes.is_empty() {
                found.unwritten.get_or_insert(path);
                continue;
            }
            match format {
                Format::GoTest => found.readable.push_str(&go_test::readable(&bytes)),
                Format::Mocha => found.readable.push_str(&mocha::readable(&bytes)),
                Format::Junit | Format::Jest | Format::Libtest | Format::Tap | Format::Events => {}
            }
            match format.parse(&bytes) {
                Ok(results) => {
                    found.reports += 1;
                    results
                        .tests
                        .into_iter()
                        .for_each(|(test, status)| found.results.record(test, status));
                }
                Err(fault) => {
                    found.fault.get_or_insert(fault);
                }
            }
        }
        Ok(found)
    }
}

/// Reads the report that the command itself wrote: a file, or a folder of XML and JSON files (Surefire).
pub(super) async fn written_report(
    run: &Run<'_>,
    path: &str,
) -> Result<Result<TestResults, Obstacle>, SandboxError> {
    let is_folder = run
        .housekeeping_here(&format!("test -d {}", quote(path)), None)
        .await?
        .exit
        .code()
        == Some(0);
    let mut paths = vec![path.to_owned()];
    if is_folder {
        let here = format!(
            "{}/{}",
            run.cell.root().display(),
            crate::runners::packages::join(&run.probe.dir, path)
        );
        let names = list(run, &here).await?;
        let reports = names
            .iter()
            .filter(|name| name.ends_with(".xml") || name.ends_with(".json"));
        paths = reports
            .take(REPORTS_MAX)
            .map(|name| format!("{}/{name}", path.trim_end_matches('/')))
            .collect();
        if paths.is_empty() {
            return Ok(Err(Obstacle::ReportMissing {
                path: format!("{path}/*.xml"),
            }));
        }
    }
    let mut all = TestResults::default();
    for path in &paths {
        let bytes = match read(run, path, &run.probe.dir).await? {
            Ok(bytes) => bytes,
            Err(obstacle) => return Ok(Err(obstacle)),
        };
        match Format::detect(&bytes).and_then(|format| format.parse(&bytes)) {
            Ok(results) => results
                .tests
                .into_iter()
                .for_each(|(test, status)| all.record(test, status)),
            Err(e) => return Ok(Err(unreadable(&e, Some(path)))),
        }
    }
    Ok(Ok(all))
}

/// The names of the files in a folder of the cell, sorted.
async fn list(run: &Run<'_>, folder: &str) -> Result<Vec<String>, SandboxError> {
    let listed = run
        .housekeeping(&format!("LC_ALL=C ls -1 -- {}", quote(folder)), None)
        .await?;
    let names = String::from_utf8_lossy(&listed.stdout);
    Ok(names
        .lines()
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Reads an ordinary file in the cell; `dir` is what a relative path is relative to, below the workspace.
pub(super) async fn read(
    run: &Run<'_>,
    path: &str,
    dir: &str,
) -> Result<Result<Vec<u8>, Obstacle>, SandboxError> {
    let quoted = quote(path);
    // A pipe would be read for ever.
    let script = format!(
        "test -f {quoted} || exit 44; exec head -c {} -- {quoted}",
        REPORT_BYTES_MAX + 1
    );
    let done = run.own(&script, dir.to_owned(), None).await?;
    Ok(match done.exit.code() {
        Some(0) if done.stdout.len() > REPORT_BYTES_MAX || done.dropped > 0 => {
            let error = ReportError::TooLarge {
                bytes: REPORT_BYTES_MAX + 1,
            };
            Err(unreadable(&error, Some(path)))
        }
        Some(0) => Ok(done.stdout),
        Some(44) => Err(Obstacle::ReportMissing {
            path: path.to_owned(),
        }),
        _ => {
            let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
            Err(Obstacle::ReportUnreadable {
                detail: format!("{path}: {said}"),
            })
        }
    })
}
