//! Reads a goal file: front matter to [`Goal`], with every problem found in one go and every value's place known.
//!
//! Strict on purpose. A key that is not understood would be a condition that nobody enforces, so it is an error and
//! never ignored.

mod checks;
mod items;
mod kinds;
mod notify;
mod numbers;
mod place;
mod quantity;
mod reader;
mod sections;
mod servers;
mod split;
#[cfg(test)]
pub(in crate::goal) mod tests;

use serde::Serialize;

use super::diagnostic::{Diagnostic, Findings, Severity};
use super::position::{Lines, Position, Span};
use super::yaml::{self, Node, Value};
use super::{Deliver, GOAL_BYTES_MAX, Goal, Role};
use reader::Reader;

pub use items::{copied_secret, whole_token};
pub(in crate::goal) use place::normal;
pub use split::SMALLEST_GOAL;

/// Keys of the front matter.
pub const TOP_KEYS: &[&str] = &[
    "outcome",
    "done",
    "keep",
    "use",
    "next",
    "stop",
    "items",
    "categories",
    "deliver",
    "notify",
];

/// A number as people write it for tokens: `2M`, `500k`, `1_000_000`.
pub fn count(text: &str) -> Option<u64> {
    quantity::count(text)
}

/// A goal file that was understood.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The contract.
    pub goal: Goal,
    /// What was understood and is probably not what was meant.
    pub warnings: Vec<Diagnostic>,
    /// Where everything stands.
    pub positions: Positions,
    /// Keys that were understood, that this version does nothing with, and that have no place in [`Goal`] yet.
    pub later: Vec<LaterKey>,
}

/// A key that this version reads and does nothing with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LaterKey {
    /// Its last part, as the goal file writes it: `sources`.
    pub key: &'static str,
    /// Where it stands.
    pub at: Position,
    /// What the goal says.
    pub value: serde_json::Value,
}

/// Where the keys and values of a goal file stand.
#[derive(Debug, Clone)]
pub struct Positions {
    lines: Lines,
    root: Node,
    close: Span,
    brief: Span,
}

impl Positions {
    /// Whether the front matter has this key, by path: `done[0].timeout`.
    pub fn has(&self, path: &str) -> bool {
        self.resolve(path).1
    }

    /// Where a path stands: a plain value, or the key of a list or map. For a path that is not in the file: where
    /// its nearest parent stands, and for a missing key of the front matter the line that closes it, since that is
    /// where it would be added. `brief` is the prose.
    pub fn at(&self, path: &str) -> Position {
        self.lines.position(self.span(path))
    }

    pub(in crate::goal) fn span(&self, path: &str) -> Span {
        self.resolve(path).0
    }

    pub(in crate::goal) fn lines(&self) -> &Lines {
        &self.lines
    }

    fn resolve(&self, path: &str) -> (Span, bool) {
        if path == "brief" {
            let present = self.brief.end > self.brief.start;
            return (if present { self.brief } else { self.close }, present);
        }
        let mut node = &self.root;
        let mut span = self.close;
        for step in path.split(['.', '[']) {
            let next = match (
                step.strip_suffix(']').and_then(|n| n.parse::<usize>().ok()),
                &node.value,
            ) {
                (Some(index), Value::List(nodes)) => nodes.get(index).map(|n| (n.span, n)),
                (None, Value::Map(_)) => node.entry(step).map(|e| match e.node.value {
                    Value::List(_) | Value::Map(_) => (e.key_span, &e.node),
                    _ => (e.node.span, &e.node),
                }),
                _ => None,
            };
            let Some((found, below)) = next else {
                return (span, false);
            };
            (span, node) = (found, below);
        }
        (span, true)
    }
}

/// The text of a goal file, or what to do if it is none.
pub fn decode(bytes: &[u8]) -> Result<&str, Vec<Diagnostic>> {
    if bytes.len() > GOAL_BYTES_MAX {
        return Err(vec![too_large(bytes.len())]);
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or("");
        let lines = Lines::new(good);
        let mut findings = Findings::new(&lines);
        let (message, help) = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("the file is UTF-16", "save it as UTF-8"),
            _ => (
                "the file is not UTF-8 from here on",
                "save it as UTF-8 text",
            ),
        };
        findings.error("not-utf8", Span::empty(good.len()), message, help);
        findings.finish()
    })
}

/// Reads a goal file. `Err` has at least one finding that refuses it, and the warnings that came up meanwhile.
pub fn parse(text: &str) -> Result<Parsed, Vec<Diagnostic>> {
    if text.len() > GOAL_BYTES_MAX {
        return Err(vec![too_large(text.len())]);
    }
    let lines = Lines::new(text);
    let mut reader = Reader::new(&lines);
    let Some(parts) = split::split(text, &mut reader.findings) else {
        return Err(reader.findings.finish());
    };
    let front = &text[parts.front.start..parts.front.end];
    let Some(root) = yaml::read(front, parts.front.start, &mut reader.findings) else {
        return Err(reader.findings.finish());
    };
    // Line ends are made equal so that a prompt does not depend on the editor.
    let brief = text[parts.brief.start..parts.brief.end].replace("\r\n", "\n");
    let goal = goal(&mut reader, &root, brief);
    let Reader { findings, later } = reader;
    match goal {
        Some(goal) if !findings.has_errors() => {
            let warnings = findings.finish();
            let positions = Positions {
                lines,
                root,
                close: parts.close,
                brief: parts.brief,
            };
            Ok(Parsed {
                goal,
                warnings,
                positions,
                later,
            })
        }
        _ => Err(findings.finish()),
    }
}

fn goal(reader: &mut Reader, root: &Node, brief: String) -> Option<Goal> {
    let fields = reader.fields(root, "the front matter", "outcome: The test suite passes.")?;
    reader.known(fields, "the goal", TOP_KEYS);
    let outcome = reader
        .get(fields, "outcome")
        .and_then(|e| reader.line(e))
        .unwrap_or_default();
    let mut done = reader
        .get(fields, "done")
        .map(|e| reader.checks(e, Role::Done))
        .unwrap_or_default();
    let (kept, mut keep) = reader.keep(fields);
    let (items, mut each) = reader.items(fields).unzip();
    checks::name(
        reader,
        &mut [&mut done, &mut keep, each.get_or_insert_default()],
    );
    let uses = reader.uses(fields);
    let next = reader.next(fields);
    let (stop, questions) = reader.stop(fields);
    let categories = reader.categories(fields);
    let deliver = reader.deliver(fields).unwrap_or(Deliver::Branch);
    let notify = reader.notify(fields);
    Some(Goal {
        outcome,
        done: done.into_iter().map(|d| d.check).collect(),
        keep: super::Keep {
            checks: keep.into_iter().map(|d| d.check).collect(),
            ..kept
        },
        uses,
        next,
        stop,
        questions,
        items: items.map(|items: super::Items| super::Items {
            each: each.into_iter().flatten().map(|d| d.check).collect(),
            ..items
        }),
        categories,
        deliver,
        notify,
        brief,
    })
}

fn too_large(bytes: usize) -> Diagnostic {
    let lines = Lines::new("");
    Diagnostic {
        code: "too-large",
        severity: Severity::Error,
        message: format!("the file has {bytes} bytes, and a goal may have {GOAL_BYTES_MAX}"),
        at: Some(lines.position(Span::empty(0))),
        suggestion: Some(
            "move data to a file of the repository and name it in the brief".to_owned(),
        ),
    }
}
