//! Test Anything Protocol, versions 12 to 14, with the indented subtests that node's runner and `tap` write.
//!
//! `tape` names its tests in comments and says of each assertion little more than that it "should be equal". There the
//! test is what the comment names, and it passes if all of its assertions do: otherwise many assertions would share one
//! name, and nobody would notice that one of the tests is gone.

use std::collections::BTreeMap;

use overnight_core::tests::{TestResults, TestStatus};

use super::{Collector, ReportError, text};

/// Deepest nesting of subtests.
const DEPTH_MAX: usize = 64;
/// Blanks by which a subtest is indented.
const INDENT: usize = 4;

/// One level of subtests that is being read.
#[derive(Default)]
struct Level {
    /// What `# Subtest:` called it.
    name: String,
    points: usize,
    planned: Option<usize>,
    failed: bool,
}

/// Reads a report. A plan that does not agree with the number of tests is an error.
pub fn parse(bytes: &[u8]) -> Result<TestResults, ReportError> {
    let text = text(bytes)?;
    let fault = |detail: String| ReportError::malformed("TAP", detail);
    let mut results = Collector::default();
    let mut levels = vec![Level::default()];
    let mut closed: Option<Level> = None;
    // The name of the subtest that comes next, by the depth of its announcement.
    let mut announced: BTreeMap<usize, String> = BTreeMap::new();
    let mut yaml: Option<usize> = None;
    let mut tape = Tape::of(&text);
    for line in text.lines() {
        let body = line.trim_start_matches(' ');
        let indent = line.len() - body.len();
        if let Some(at) = yaml {
            if indent == at && body.trim_end() == "..." {
                yaml = None;
            }
            continue;
        }
        if body.trim_end() == "---" {
            yaml = Some(indent);
            continue;
        }
        let depth = indent / INDENT;
        if let (Some(tape), 0, Some(comment)) = (&mut tape, indent, body.strip_prefix("# ")) {
            tape.comment(comment);
            continue;
        }
        if let Some(name) = body.strip_prefix("# Subtest:") {
            announced.insert(depth, name.trim().to_owned());
            continue;
        }
        if body.starts_with("Bail out!") {
            results.add([body.trim_end()], TestStatus::Failed)?;
            return Ok(results.finish());
        }
        let (point, plan) = (Point::read(body), plan(body));
        if point.is_none() && plan.is_none() {
            continue;
        }
        if !indent.is_multiple_of(INDENT) || depth >= DEPTH_MAX {
            continue;
        }
        while levels.len() > depth + 1 {
            let level = levels
                .pop()
                .expect("the loop's condition says there is one");
            level.agrees().map_err(fault)?;
            closed = Some(level);
        }
        while levels.len() <= depth {
            let name = announced.remove(&(levels.len() - 1));
            levels.push(Level {
                name: name.unwrap_or_default(),
                ..Level::default()
            });
        }
        let level = levels.last_mut().expect("there is one for each depth");
        if let Some(n) = plan {
            level.planned = Some(n);
            continue;
        }
        let Some(point) = point else { continue };
        announced.retain(|at, _| *at < depth);
        level.points += 1;
        let below = closed.take();
        level.failed |= point.status == TestStatus::Failed;
        // The line that closes a group is no test, unless it fails and nothing inside says why.
        let group =
            below.is_some_and(|b| b.points > 0 && (point.status != TestStatus::Failed || b.failed));
        if let Some(test) = tape.as_ref().and_then(Tape::test) {
            results.add(test, point.status)?;
        } else if !group {
            let groups = levels.iter().skip(1).map(|l| l.name.as_str());
            results.add(groups.chain([point.name.as_str()]), point.status)?;
        }
    }
    let planned = levels.first().and_then(|l| l.planned);
    while let Some(level) = levels.pop() {
        level.agrees().map_err(fault)?;
    }
    if planned.is_none() {
        return Err(fault(
            "it has no plan (`1..N`): it may have broken off".to_owned(),
        ));
    }
    Ok(results.finish())
}

/// The tests of a `tape` report.
#[derive(Default)]
struct Tape {
    /// How often each name has come.
    seen: BTreeMap<String, usize>,
    /// The one whose assertions are being read: empty, or what tells it from an earlier one of the same name; the name.
    test: Option<(String, String)>,
}

impl Tape {
    /// `None` if the report is not `tape`'s: it ends with sums in two columns, and others that do announce their tests.
    fn of(text: &str) -> Option<Tape> {
        let any = |start: &str| {
            text.lines()
                .any(|line| line.trim_start().starts_with(start))
        };
        let sums = any("# tests ") && (any("# pass  ") || any("# fail  "));
        (sums && !any("# Subtest:")).then(Tape::default)
    }

    /// A comment names the test whose assertions come next, or is one of the sums behind the last.
    fn comment(&mut self, comment: &str) {
        let name = comment.trim();
        let times = self.seen.entry(name.to_owned()).or_insert(0);
        *times += 1;
        let which = match *times {
            1 => String::new(),
            n => format!("#{n}"),
        };
        self.test = Some((which, name.to_owned()));
    }

    /// The parts of the current test's name. The number comes first, so that the name alone means all that bear it.
    fn test(&self) -> Option<[&str; 2]> {
        let (which, name) = self.test.as_ref()?;
        Some([which, name])
    }
}

impl Level {
    /// Whether the plan was kept.
    fn agrees(&self) -> Result<(), String> {
        match self.planned {
            Some(n) if n != self.points => Err(format!(
                "it plans {n} tests and has {} (in `{}`)",
                self.points, self.name
            )),
            _ => Ok(()),
        }
    }
}

/// One `ok` or `not ok` line.
struct Point {
    name: String,
    status: TestStatus,
}

impl Point {
    fn read(line: &str) -> Option<Point> {
        let (ok, rest) = match line.strip_prefix("not ok") {
            Some(rest) => (false, rest),
            None => (true, line.strip_prefix("ok")?),
        };
        if !(rest.is_empty() || rest.starts_with(' ')) {
            return None;
        }
        let rest = rest
            .trim_start()
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start();
        let rest = rest.strip_prefix("- ").unwrap_or(rest);
        let (name, directive) = split_directive(rest);
        let status = match directive {
            Some("skip" | "todo") => TestStatus::Skipped,
            _ if ok => TestStatus::Passed,
            _ => TestStatus::Failed,
        };
        Some(Point { name, status })
    }
}

/// Splits a description from its `# SKIP` or `# TODO`; `\#` is no directive.
fn split_directive(text: &str) -> (String, Option<&'static str>) {
    let mut found = (text.trim_end_matches(['{', ' ']), None);
    for (at, _) in text.match_indices('#') {
        if text.get(..at).is_some_and(|before| before.ends_with('\\')) {
            continue;
        }
        let word = text
            .get(at + 1..)
            .unwrap_or_default()
            .trim_start()
            .to_ascii_lowercase();
        let directive = ["skip", "todo"].into_iter().find(|d| word.starts_with(d));
        if directive.is_some() {
            found = (text.get(..at).unwrap_or_default(), directive);
            break;
        }
    }
    (
        found.0.trim().replace("\\#", "#").replace("\\\\", "\\"),
        found.1,
    )
}

/// The number of tests in a plan line.
fn plan(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("1..")?;
    rest.split_whitespace()
        .next()
        .unwrap_or_default()
        .parse()
        .ok()
}
