//! What a candidate's file says to runners and coverage tools that the base's does not.

use std::collections::BTreeMap;

use overnight_core::finding::{Finding, FindingKind};

use super::Language;
use super::marks::{Mark, marks, marks_of_lines};
use super::parse::{Source, brief};
use crate::{FINDINGS_MAX, PARSED_BYTES_MAX};

/// See [`super::suspicious`].
pub(super) fn suspicious(
    language: Option<Language>,
    path: &str,
    base: Option<&[u8]>,
    candidate: &[u8],
    others: &[&str],
) -> Vec<Finding> {
    if base == Some(candidate) || candidate.len() > PARSED_BYTES_MAX {
        return Vec::new();
    }
    let earlier = base
        .map(|bytes| of(language, bytes, others))
        .unwrap_or_default();
    let mut before: BTreeMap<(FindingKind, String), Vec<String>> = BTreeMap::new();
    for mark in earlier {
        before
            .entry((mark.kind, mark.what))
            .or_default()
            .push(mark.text);
    }
    let mut after: BTreeMap<(FindingKind, String), Vec<Mark>> = BTreeMap::new();
    for mark in of(language, candidate, others) {
        after
            .entry((mark.kind, mark.what.clone()))
            .or_default()
            .push(mark);
    }
    let mut findings = Vec::new();
    for (key, found) in after {
        let known = before.get(&key).map(Vec::as_slice).unwrap_or_default();
        let more = found.len().saturating_sub(known.len());
        // Of those that are there, the ones that the base does not have word for word are the new ones.
        let mut known = known.to_vec();
        let new =
            found.iter().filter(
                |mark| match known.iter().position(|text| *text == mark.text) {
                    Some(at) => {
                        known.swap_remove(at);
                        false
                    }
                    None => true,
                },
            );
        let new: Vec<&Mark> = new.collect();
        for mark in new.into_iter().take(more) {
            if findings.len() < FINDINGS_MAX {
                findings.push(Finding {
                    path: path.to_string(),
                    line: Some(mark.line),
                    kind: mark.kind,
                    detail: if mark.text == mark.what {
                        mark.what.clone()
                    } else {
                        brief(&format!("{}: {}", mark.what, mark.text))
                    },
                });
            }
        }
    }
    findings.sort();
    findings.dedup();
    findings
}

fn of(language: Option<Language>, bytes: &[u8], others: &[&str]) -> Vec<Mark> {
    if let Some(language) = language
        && let Some(source) = Source::parse(language, bytes)
    {
        return marks(&source, others);
    }
    if bytes.len() > PARSED_BYTES_MAX {
        return Vec::new();
    }
    marks_of_lines(&String::from_utf8_lossy(bytes), others)
}
