//! lcov tracefiles, from LCOV 1 to 2.2 and from the many tools that write something like it.
//!
//! Records that are not known are skipped; a known record that cannot be read is an error, because a line that is
//! not counted raises the percentage. Counts are joined over test names (`TN`) and repeated sections of one file.

use std::collections::BTreeMap;

use super::{File as Figures, Ratio};
use crate::reports::{ReportError, text};

const FORMAT: &str = "lcov";

/// What is known of one source file.
#[derive(Default)]
struct File {
    lines: BTreeMap<u64, bool>,
    functions: BTreeMap<String, bool>,
    branches: BTreeMap<(u64, String, String), bool>,
    /// `LF`/`LH`, `FNF`/`FNH`, `BRF`/`BRH`, for tools that write no details.
    summary: [Ratio; 3],
}

/// Reads `lines`, `branches` or `functions`.
pub fn read(value: &str, bytes: &[u8]) -> Result<f64, ReportError> {
    let kind = kind_of(value)?;
    let text = text(bytes)?;
    let files = files(&text)?;
    if files.is_empty() {
        return Err(ReportError::lacks(FORMAT, "covers no file"));
    }
    let mut sum = Ratio::default();
    for file in files.values() {
        sum.add(file.ratio(kind));
    }
    sum.percent().ok_or_else(|| {
        ReportError::lacks(
            FORMAT,
            format!("has no data on {value}: the tool was not asked to record them"),
        )
    })
}

/// The place of a value in a summary.
fn kind_of(value: &str) -> Result<usize, ReportError> {
    match value {
        "lines" => Ok(0),
        "functions" => Ok(1),
        "branches" => Ok(2),
        _ => Err(ReportError::lacks(
            FORMAT,
            format!("has lines, branches and functions, not `{value}`"),
        )),
    }
}

/// The files of the tracefile.
pub fn per_file(value: &str, bytes: &[u8]) -> Result<BTreeMap<String, Figures>, ReportError> {
    let kind = kind_of(value)?;
    let text = text(bytes)?;
    let figures = |file: File| Figures {
        units: file.ratio(kind).total,
        ran: file.ratio(0).covered > 0,
        lines: (!file.lines.is_empty()).then_some(file.lines),
    };
    Ok(files(&text)?
        .into_iter()
        .map(|(name, file)| (name.to_owned(), figures(file)))
        .collect())
}

fn files(text: &str) -> Result<BTreeMap<&str, File>, ReportError> {
    let mut files: BTreeMap<&str, File> = BTreeMap::new();
    let mut current: Option<&str> = None;
    // LCOV 2.2 names a function by an index that is its own within a section: index to line.
    let mut by_index: BTreeMap<&str, &str> = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line == "end_of_record" {
            current = None;
            continue;
        }
        let Some((record, rest)) = line.split_once(':').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        if record == "SF" {
            current = Some(rest);
            by_index.clear();
            files.entry(rest).or_default();
            continue;
        }
        let Some(file) = current.and_then(|name| files.get_mut(name)) else {
            continue;
        };
        let known = match record {
            "DA" => file.line(rest),
            "BRDA" => file.branch(rest),
            "FN" => file.function(rest),
            "FNDA" => file.function_hits(rest),
            "FNL" => rest.split_once(',').map(|(index, lines)| {
                by_index.insert(index, lines.split(',').next().unwrap_or(lines));
            }),
            "FNA" => file.alias(rest, &by_index),
            "LF" => total(&mut file.summary[0], rest),
            "LH" => covered(&mut file.summary[0], rest),
            "FNF" => total(&mut file.summary[1], rest),
            "FNH" => covered(&mut file.summary[1], rest),
            "BRF" => total(&mut file.summary[2], rest),
            "BRH" => covered(&mut file.summary[2], rest),
            _ => Some(()),
        };
        known.ok_or_else(|| {
            let shown: String = line.chars().take(80).collect();
            ReportError::malformed(FORMAT, format_args!("line {}: `{shown}`", at + 1))
        })?;
    }
    Ok(files)
}

impl File {
    /// Counted from the details where there are any.
    fn ratio(&self, kind: usize) -> Ratio {
        let mut ratio = Ratio::default();
        match kind {
            0 => self.lines.values().for_each(|hit| ratio.count(*hit)),
            1 => self.functions.values().for_each(|hit| ratio.count(*hit)),
            _ => self.branches.values().for_each(|hit| ratio.count(*hit)),
        }
        if ratio.total > 0 {
            ratio
        } else {
            self.summary[kind]
        }
    }

    /// `DA:line,count[,checksum]`
    fn line(&mut self, rest: &str) -> Option<()> {
        let mut parts = rest.split(',');
        let line = parts.next()?.trim().parse().ok()?;
        *self.lines.entry(line).or_default() |= taken(parts.next()?)?;
        Some(())
    }

    /// `BRDA:line,[e]block,branch,taken`, where a branch may be an expression with commas of its own and `taken` is
    /// `-` where the block was never reached.
    fn branch(&mut self, rest: &str) -> Option<()> {
        let (line, rest) = rest.split_once(',')?;
        let (rest, count) = rest.rsplit_once(',')?;
        let (block, branch) = rest.split_once(',')?;
        let key = (
            line.trim().parse().ok()?,
            block.to_owned(),
            branch.to_owned(),
        );
        let hit = count.trim() != "-" && taken(count)?;
        *self.branches.entry(key).or_default() |= hit;
        Some(())
    }

    /// `FN:line[,end],name`; a name may hold commas. Overloads share a name, so the line is part of the key.
    fn function(&mut self, rest: &str) -> Option<()> {
        let (line, name) = rest.split_once(',')?;
        line.trim().parse::<u64>().ok()?;
        let name = match name.split_once(',') {
            Some((end, name)) if end.trim().parse::<u64>().is_ok() => name,
            _ => name,
        };
        self.functions.entry(name.to_owned()).or_default();
        Some(())
    }

    /// `FNDA:count,name`
    fn function_hits(&mut self, rest: &str) -> Option<()> {
        let (count, name) = rest.split_once(',')?;
        *self.functions.entry(name.to_owned()).or_default() |= taken(count)?;
        Some(())
    }

    /// `FNA:index,count,name` (LCOV 2.2): a function counts once, however many aliases it has.
    fn alias(&mut self, rest: &str, by_index: &BTreeMap<&str, &str>) -> Option<()> {
        let mut parts = rest.splitn(3, ',');
        let (index, count) = (parts.next()?, parts.next()?);
        parts.next()?;
        let key = format!("line {}", by_index.get(index)?);
        *self.functions.entry(key).or_default() |= taken(count)?;
        Some(())
    }
}

/// Whether a count says that it ran. gcov's negative counts are overflows of its own arithmetic: not evidence.
fn taken(count: &str) -> Option<bool> {
    let count = count.trim();
    let count: f64 = count.strip_prefix('=').unwrap_or(count).parse().ok()?;
    Some(count > 0.0)
}

fn total(ratio: &mut Ratio, rest: &str) -> Option<()> {
    ratio.total = ratio.total.max(rest.trim().parse().ok()?);
    Some(())
}

fn covered(ratio: &mut Ratio, rest: &str) -> Option<()> {
    ratio.covered = ratio.covered.max(rest.trim().parse().ok()?);
    Some(())
}
