//! Tests that say less than they did, and new ones that say nothing: found mechanically, for whoever reads the report.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::finding::{Finding, FindingKind};

use super::assertions::{Asserted, Strength};
use super::cases::{Case, cases};
use super::parse::{Source, brief};
use super::{Language, functions, mocks, tolerances};
use crate::FINDINGS_MAX;

/// See [`super::weakened`].
pub(super) fn weakened(
    language: Language,
    path: &str,
    base: Option<&[u8]>,
    candidate: Option<&[u8]>,
) -> Vec<Finding> {
    let mut found = Found {
        path,
        findings: Vec::new(),
    };
    if base == candidate {
        return found.findings;
    }
    let old = base.and_then(|bytes| Source::parse(language, bytes));
    let new = candidate.and_then(|bytes| Source::parse(language, bytes));
    if base.is_some() && old.is_none() || candidate.is_some() && new.is_none() {
        found.add(None, FindingKind::OracleChanged, "cannot be read as code");
        return found.findings;
    }
    let before = old.as_ref().map(cases).unwrap_or_default();
    let after = new.as_ref().map(cases).unwrap_or_default();
    let pairs: BTreeMap<usize, usize> = pair(&before, &after).into_iter().collect();
    let known: BTreeSet<usize> = pairs.values().copied().collect();
    for (at, case) in before.iter().enumerate() {
        match pairs.get(&at) {
            Some(new) => weaker(&mut found, case, &after[*new]),
            None => found.add(
                Some(case.line),
                FindingKind::TestDeleted,
                case.name.join(" › "),
            ),
        }
    }
    let helpers = new.as_ref().map(functions::asserting).unwrap_or_default();
    for (at, case) in after.iter().enumerate() {
        if !known.contains(&at) {
            fresh(&mut found, case, &after, &helpers);
        }
    }
    if let Some(new) = &new {
        let earlier: Vec<String> = old
            .as_ref()
            .map(|old| {
                mocks::of_subject(old.root(), path)
                    .into_iter()
                    .map(|mock| mock.of)
                    .collect()
            })
            .unwrap_or_default();
        for mock in mocks::of_subject(new.root(), path) {
            if !earlier.contains(&mock.of) {
                found.add(Some(mock.node.line()), FindingKind::MockOfSubject, mock.of);
            }
        }
    }
    found.findings.sort();
    found.findings.dedup();
    found.findings
}

struct Found<'p> {
    path: &'p str,
    findings: Vec<Finding>,
}

impl Found<'_> {
    fn add(&mut self, line: Option<u32>, kind: FindingKind, detail: impl AsRef<str>) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding {
                path: self.path.to_string(),
                line,
                kind,
                detail: brief(detail.as_ref()),
            });
        }
    }
}

/// Which test is which: by name, then by what they do (a renamed test is the same test).
fn pair(before: &[Case<'_>], after: &[Case<'_>]) -> Vec<(usize, usize)> {
    let mut by_name: BTreeMap<&[String], Vec<usize>> = BTreeMap::new();
    for (at, case) in after.iter().enumerate().rev() {
        by_name.entry(&case.name).or_default().push(at);
    }
    let mut pairs = Vec::new();
    let mut left = Vec::new();
    for (at, case) in before.iter().enumerate() {
        match by_name.get_mut(case.name.as_slice()).and_then(Vec::pop) {
            Some(new) => pairs.push((at, new)),
            None => left.push(at),
        }
    }
    let mut by_form: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
    for places in by_name.values() {
        for at in places {
            by_form.entry(after[*at].form()).or_default().push(*at);
        }
    }
    for at in left {
        if let Some(new) = by_form.get_mut(&before[at].form()).and_then(Vec::pop) {
            pairs.push((at, new));
        }
    }
    pairs
}

fn effective(case: &Case<'_>) -> usize {
    case.asserted
        .iter()
        .filter(|asserted| !asserted.trivial())
        .count()
}

/// What is weaker in the new version of a test.
fn weaker(found: &mut Found<'_>, old: &Case<'_>, new: &Case<'_>) {
    let name = new.name.join(" › ");
    flags(found, new, Some(old));
    if let (Some(before), Some(after)) = (&old.doctest, &new.doctest) {
        let count = |text: &str| {
            text.lines()
                .filter(|line| line.contains(">>>") || line.contains("assert"))
                .count()
        };
        if count(after) < count(before) {
            found.add(
                Some(new.line),
                FindingKind::AssertionsWeakened,
                format!("{name}: fewer examples than on the base"),
            );
        }
        return;
    }
    // What is the same on both sides cancels out.
    let mut gone: Vec<&Asserted<'_>> = Vec::new();
    let mut left: Vec<(&Asserted<'_>, Vec<u8>)> = new
        .asserted
        .iter()
        .map(|asserted| (asserted, asserted.form(true)))
        .collect();
    for asserted in &old.asserted {
        let form = asserted.form(true);
        match left.iter().position(|(other, other_form)| {
            *other_form == form && other.trivial() == asserted.trivial()
        }) {
            Some(at) => drop(left.remove(at)),
            None => gone.push(asserted),
        }
    }
    let mut added: Vec<&Asserted<'_>> = left.into_iter().map(|(asserted, _)| asserted).collect();
    gone.retain(|asserted| {
        let Some((at, wide)) = wider_twin(asserted, &added) else {
            return true;
        };
        let twin = added.remove(at);
        if wide {
            found.add(
                Some(twin.node.line()),
                FindingKind::AssertionsWeakened,
                format!("{name}: a wider bound: {}", twin.node.brief()),
            );
        }
        false
    });
    for asserted in &added {
        if asserted.trivial() {
            let why = if asserted.unreached {
                "is never reached or swallowed"
            } else {
                "cannot fail"
            };
            found.add(
                Some(asserted.node.line()),
                FindingKind::AssertionsWeakened,
                format!("{name}: {why}: {}", asserted.node.brief()),
            );
        }
    }
    let (before, after) = (effective(old), effective(new));
    if after < before {
        let line = gone.first().map_or(new.line, |_| new.line);
        found.add(
            Some(line),
            FindingKind::AssertionsWeakened,
            format!("{name}: {after} assertions, {before} on the base"),
        );
        return;
    }
    let mut was: Vec<Strength> = gone.iter().map(|asserted| asserted.strength()).collect();
    let mut is: Vec<&Asserted<'_>> = added;
    was.sort_by(|a, b| b.cmp(a));
    is.sort_by_key(|asserted| std::cmp::Reverse(asserted.strength()));
    for (was, is) in was.iter().zip(&is) {
        if is.strength() < *was && !is.trivial() {
            found.add(
                Some(is.node.line()),
                FindingKind::AssertionsWeakened,
                format!("{name}: says less than on the base: {}", is.node.brief()),
            );
        }
    }
}

/// The assertion that differs from this one in its numbers only, and whether one of them is a wider bound.
fn wider_twin(asserted: &Asserted<'_>, others: &[&Asserted<'_>]) -> Option<(usize, bool)> {
    let form = asserted.form(false);
    if let Some(at) = others
        .iter()
        .position(|other| other.form(false) == form && other.trivial() == asserted.trivial())
    {
        let (before, after) = (tolerances::widths(asserted), tolerances::widths(others[at]));
        let wide = before
            .iter()
            .zip(&after)
            .any(|(before, after)| match (before, after) {
                (Some(before), Some(after)) => after > before,
                _ => false,
            });
        return Some((at, wide));
    }
    let (about, width) = tolerances::defaulted(asserted)?;
    others.iter().enumerate().find_map(|(at, other)| {
        let (other_about, other_width) = tolerances::defaulted(other)?;
        (other_about == about).then_some((at, other_width > width))
    })
}

/// What is to be said of a new test.
fn fresh(found: &mut Found<'_>, case: &Case<'_>, all: &[Case<'_>], helpers: &BTreeSet<&str>) {
    flags(found, case, None);
    let name = case.name.join(" › ");
    if case.doctest.is_some() || case.skipped.is_some() {
        return;
    }
    for asserted in case.asserted.iter().filter(|asserted| asserted.trivial()) {
        let why = if asserted.unreached {
            "is never reached or swallowed"
        } else {
            "cannot fail"
        };
        found.add(
            Some(asserted.node.line()),
            FindingKind::AssertionsWeakened,
            format!("{name}: {why}: {}", asserted.node.brief()),
        );
    }
    // A test that only holds others asserts through them.
    let holds = all
        .iter()
        .any(|other| other.name.len() > case.name.len() && other.name.starts_with(&case.name));
    let helped = || {
        case.nodes
            .iter()
            .flat_map(|node| functions::called(*node))
            .any(|name| helpers.contains(name))
    };
    if effective(case) == 0 && !holds && !helped() {
        found.add(Some(case.line), FindingKind::AssertsNothing, name);
    }
}

fn flags(found: &mut Found<'_>, new: &Case<'_>, old: Option<&Case<'_>>) {
    let name = new.name.join(" › ");
    if let Some((line, words)) = &new.skipped
        && old.is_none_or(|old| old.skipped.is_none())
    {
        found.add(
            Some(*line),
            FindingKind::TestSkipped,
            format!("{name}: {words}"),
        );
    }
    if let Some(line) = new.only
        && old.is_none_or(|old| old.only.is_none())
    {
        found.add(
            Some(line),
            FindingKind::TestSkipped,
            format!("{name}: only it runs"),
        );
    }
    // A test that is to panic asserts less than what it asserted before.
    let panics = |case: &Case<'_>| {
        case.asserted.iter().any(|asserted| {
            asserted.method == "should_panic" && asserted.node.kind() == "attribute_item"
        })
    };
    if let Some(old) = old
        && panics(new)
        && !panics(old)
    {
        found.add(
            Some(new.line),
            FindingKind::AssertionsWeakened,
            format!("{name}: any panic makes it pass (`should_panic`)"),
        );
    }
}
