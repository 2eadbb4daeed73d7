//! What is said about a whole file beside its code: comments that steer how it is built or run, and spellings that make
//! a compiler read it otherwise than it looks.

use overnight_core::finding::FindingKind;

use super::Language;
use super::compare::Comparison;
use super::parse::{Source, brief};

/// Comments that steer how a file is built or run, with their lines.
fn directive_comments<'a>(source: &'a Source<'a>) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for node in source.all().filter(|node| node.kind().contains("comment")) {
        let text = node.text();
        let is = match source.language {
            Language::Go => {
                text.starts_with("//go:build")
                    || text.starts_with("// +build")
                    || text.starts_with("//+build")
                    || text.starts_with("//go:embed")
                    || text.starts_with("//go:linkname")
                    || text.starts_with("//line ")
                    || text.contains("#cgo")
            }
            Language::Python => {
                node.line() <= 2 && text.contains("coding") && text.contains([':', '='])
            }
            Language::JavaScript | Language::TypeScript | Language::Tsx => [
                "@jest-environment",
                "@jest-config",
                "@vitest-environment",
                "@ts-nocheck",
                "@jsx",
                "@jest-",
            ]
            .iter()
            .any(|word| text.contains(word)),
            Language::Rust | Language::Java => false,
        };
        if is {
            found.push((brief(text), node.line()));
        }
    }
    found
}

pub(super) fn directives(comparison: &mut Comparison<'_>, old: &Source<'_>, new: &Source<'_>) {
    let before = directive_comments(old);
    let after = directive_comments(new);
    for (text, line) in &before {
        if !after.iter().any(|(other, _)| other == text) {
            comparison.report(
                Some(*line),
                FindingKind::OracleChanged,
                format!("`{text}` is gone"),
            );
        }
    }
    for (text, line) in &after {
        if !before.iter().any(|(other, _)| other == text) {
            comparison.report(
                Some(*line),
                FindingKind::OracleChanged,
                format!("`{text}` is new"),
            );
        }
    }
}

/// Java reads `\u000a` as a line's end even in a comment, which the grammar does not: what it reads may not be what
/// the compiler reads.
pub(super) fn escapes(comparison: &mut Comparison<'_>, old: &Source<'_>, new: &Source<'_>) {
    if new.language != Language::Java {
        return;
    }
    let count = |text: &str| {
        text.match_indices("\\u")
            .filter(|(at, _)| {
                let digits = text[at + 2..].trim_start_matches('u');
                digits.starts_with("00")
                    && digits
                        .as_bytes()
                        .get(2)
                        .is_some_and(|digit| (b'0'..b'8').contains(digit))
            })
            .count()
    };
    if count(new.text) > count(old.text) {
        let line = new
            .text
            .lines()
            .position(|line| line.contains("\\u"))
            .unwrap_or(0);
        comparison.report(
            u32::try_from(line + 1).ok(),
            FindingKind::OracleChanged,
            "a character is written as `\\u00…`: the compiler may read this file otherwise than it looks".to_string(),
        );
    }
}
