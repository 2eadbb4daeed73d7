//! Splits a goal file into its front matter and its brief.

use super::super::diagnostic::{Findings, quoted};
use super::super::position::Span;

/// The smallest goal that can run, as messages show it.
pub const SMALLEST_GOAL: &str = "---\noutcome: The test suite passes.\ndone: [npm test]\n---\nWhat a colleague would want to know.";

/// The parts of a file, as byte spans.
pub(super) struct Parts {
    /// Between the two `---` lines.
    pub front: Span,
    /// The closing line: where a key that is missing would be written.
    pub close: Span,
    /// What follows, without blank lines around it.
    pub brief: Span,
}

/// Finds the two `---` lines. `None` if there are not two: the findings say what to do.
pub(super) fn split(text: &str, findings: &mut Findings) -> Option<Parts> {
    let body = text
        .strip_prefix('\u{feff}')
        .map_or(0, |_| '\u{feff}'.len_utf8());
    let mut lines = lines(text, body).skip_while(|(_, line)| line.trim().is_empty());
    let Some((start, first)) = lines.next() else {
        findings.error(
            "empty-file",
            Span::empty(body),
            "the goal file is empty",
            format!("the smallest goal:\n{SMALLEST_GOAL}"),
        );
        return None;
    };
    let first_span = Span::new(start, start + first.len());
    if first.trim_end() != "---" {
        no_front_matter(first, first_span, findings);
        return None;
    }
    let front_start = (start + first.len() + newline(text, start + first.len())).min(text.len());
    for (at, line) in lines {
        if line.trim_end() != "---" {
            continue;
        }
        let after = (at + line.len()).min(text.len());
        let rest = &text[after..];
        let brief_start = after + (rest.len() - rest.trim_start().len());
        return Some(Parts {
            front: Span::new(front_start, at),
            close: Span::new(at, at + line.trim_end().len()),
            brief: Span::new(brief_start, brief_start + rest.trim().len()),
        });
    }
    findings.error(
        "unclosed-front-matter",
        first_span,
        "the front matter is opened here and never closed",
        "add a line `---` between the contract and the brief",
    );
    None
}

fn no_front_matter(first: &str, span: Span, findings: &mut Findings) {
    let word = first.split(':').next().unwrap_or("").trim();
    if first.contains(':') && super::TOP_KEYS.contains(&word) {
        findings.error(
            "no-front-matter",
            span,
            format!(
                "{} stands outside of a front matter: the contract goes between two lines `---`",
                quoted(word)
            ),
            "add a line `---` before the first key and one after the last",
        );
    } else if first.trim_end() == "+++" {
        findings.error(
            "no-front-matter",
            span,
            "the front matter of a goal is YAML between `---` lines, and this is TOML",
            format!("the smallest goal:\n{SMALLEST_GOAL}"),
        );
    } else {
        findings.error(
            "no-front-matter",
            span,
            "this is prose without a contract: nothing in it can be enforced or verified",
            format!(
                "`overnight draft` turns prose into a goal file; by hand, the smallest goal is:\n{SMALLEST_GOAL}"
            ),
        );
    }
}

/// Lines with their offsets, without their ends, from `from` on.
fn lines(text: &str, from: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut at = from;
    text[from..].split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_end_matches(['\n', '\r']))
    })
}

fn newline(text: &str, at: usize) -> usize {
    match text.get(at..).unwrap_or("") {
        rest if rest.starts_with("\r\n") => 2,
        rest if rest.starts_with('\n') => 1,
        rest => rest.find('\n').map_or(rest.len(), |n| n + 1),
    }
}
