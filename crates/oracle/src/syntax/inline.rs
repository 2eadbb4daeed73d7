//! Tests that live in implementation files: they are the base's, the code around them is the candidate's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use overnight_core::finding::{Finding, FindingKind};

use super::compare::{Comparison, unreadable, whole};
use super::doctests::{self, Doctest};
use super::form::form;
use super::items::{Item, Role, Scope, items};
use super::parse::{Node, Source};
use super::{Language, rust};

/// How many modules within modules are looked into.
const MODULES_DEPTH_MAX: usize = 64;

/// A piece of a file that is there for tests only.
struct Region<'a> {
    place: Place,
    item: Item<'a>,
}

/// The modules that a region is in, and what tells it from its neighbours: kind, name, and which of those that are
/// called so.
type Place = (Vec<String>, (&'static str, String, usize));

/// Regions by their place.
fn by_place<'r, 'a>(regions: &'r [Region<'a>]) -> BTreeMap<&'r Place, &'r Region<'a>> {
    regions
        .iter()
        .map(|region| (&region.place, region))
        .collect()
}

impl Region<'_> {
    fn span(&self) -> Range<usize> {
        self.item.nodes[0].start()..self.item.node().end()
    }
}

/// Words without which no file has inline tests, by language.
fn words(language: Language) -> &'static [&'static str] {
    match language {
        Language::Rust => &["test]", "cfg(test", "(test", "```", "///     "],
        Language::Python => &[">>>"],
        Language::JavaScript | Language::TypeScript | Language::Tsx => &["import.meta.vitest"],
        Language::Go | Language::Java => &[],
    }
}

fn may_hold(language: Language, bytes: &[u8]) -> bool {
    let words = words(language);
    words.iter().any(|word| {
        bytes
            .windows(word.len())
            .any(|window| window == word.as_bytes())
    })
}

/// See [`super::compare_inline_tests`].
pub(super) fn compare(
    language: Language,
    path: &str,
    base: &[u8],
    candidate: &[u8],
) -> Vec<Finding> {
    if base == candidate || !may_hold(language, base) {
        return Vec::new();
    }
    let (Some(old), Some(new)) = (
        Source::parse(language, base),
        Source::parse(language, candidate),
    ) else {
        return vec![whole(
            path,
            base,
            candidate,
            "cannot be read as code, and has tests in it",
        )];
    };
    let before = regions(&old);
    let documented = doctests_outside(&old, &before);
    if before.is_empty() && documented.is_empty() {
        return Vec::new();
    }
    if let Some(finding) = unreadable(path, &old, &new) {
        return vec![finding];
    }
    let after = regions(&new);
    let there = by_place(&after);
    let mut comparison = Comparison::new(path);
    around(&mut comparison, &old, &new, &before);
    for region in &before {
        match there.get(&region.place) {
            Some(other) => comparison.pair(&region.item, &other.item),
            None => comparison.lost(&region.item),
        }
    }
    let new_documented = doctests_outside(&new, &after);
    compare_doctests(&mut comparison, language, &documented, &new_documented);
    comparison.finish(base, candidate)
}

fn compare_doctests(
    comparison: &mut Comparison<'_>,
    language: Language,
    old: &[Doctest],
    new: &[Doctest],
) {
    let mut used = vec![false; new.len()];
    let mut lost = Vec::new();
    for doctest in old {
        let found = (0..new.len())
            .filter(|at| !used[*at] && doctest.kept_by(&new[*at], language))
            .min_by_key(|at| new[*at].name != doctest.name);
        match found {
            Some(at) => used[at] = true,
            None => lost.push(doctest),
        }
    }
    for doctest in lost {
        let name = format!("doctest of {}", doctest.name.join("::"));
        match (0..new.len()).find(|at| !used[*at] && new[*at].name == doctest.name) {
            Some(at) => {
                used[at] = true;
                let kind = if new[at].skipped.is_some() && doctest.skipped.is_none() {
                    FindingKind::TestSkipped
                } else {
                    FindingKind::TestChanged
                };
                comparison.report(Some(new[at].line), kind, name);
            }
            None => comparison.report(Some(doctest.line), FindingKind::TestDeleted, name),
        }
    }
}

/// What decides whether the code around the tests is built at all.
fn around(
    comparison: &mut Comparison<'_>,
    old: &Source<'_>,
    new: &Source<'_>,
    before: &[Region<'_>],
) {
    if old.language != Language::Rust {
        return;
    }
    let conditions = |source: &Source<'_>| -> BTreeSet<(Vec<String>, String)> {
        let mut found = BTreeSet::new();
        for (path, item) in modules(source.root()) {
            for attribute in item
                .nodes
                .iter()
                .filter(|node| node.is(&["attribute_item", "inner_attribute_item"]))
            {
                let text = rust::attribute_text(*attribute);
                if text.starts_with("cfg(")
                    || text.starts_with("path")
                    || text.starts_with("cfg_attr") && text.contains("path")
                {
                    found.insert((path.clone(), text));
                }
            }
        }
        found
    };
    let earlier = conditions(old);
    for (path, text) in conditions(new) {
        let holds_tests = before
            .iter()
            .any(|region| region.place.0.starts_with(&path));
        if holds_tests && !earlier.contains(&(path.clone(), text.clone())) {
            let place = if path.is_empty() {
                "the file".to_string()
            } else {
                path.join("::")
            };
            comparison.report(
                None,
                FindingKind::TestSkipped,
                format!("{place} is built under `{text}` only"),
            );
        }
    }
}

/// Every module that is no test module, with its path, the file itself included (its inner attributes).
fn modules<'a>(root: Node<'a>) -> Vec<(Vec<String>, Item<'a>)> {
    let mut found = Vec::new();
    let mut open = vec![(Vec::new(), root)];
    while let Some((path, body)) = open.pop() {
        for item in items(body, Scope::File) {
            if item.role == Role::Directive {
                found.push((path.clone(), item));
            } else if item.node().kind() == "mod_item" && !for_tests(&item) {
                let mut inner = path.clone();
                inner.push(item.title.clone());
                if let Some((body, _)) = item.body
                    && inner.len() < MODULES_DEPTH_MAX
                {
                    open.push((inner.clone(), body));
                }
                found.push((inner, item));
            }
        }
    }
    found
}

fn for_tests(item: &Item<'_>) -> bool {
    item.role == Role::Test
        || item.nodes[..item.nodes.len() - 1]
            .iter()
            .any(|attribute| rust::test_only(*attribute))
}

fn regions<'a>(source: &'a Source<'a>) -> Vec<Region<'a>> {
    let mut found: Vec<Region<'a>> = Vec::new();
    let mut numbers = BTreeMap::new();
    match source.language {
        Language::Rust => {
            let mut open = vec![(Vec::new(), source.root())];
            while let Some((path, body)) = open.pop() {
                for item in items(body, Scope::File) {
                    if for_tests(&item) {
                        add(&mut found, &mut numbers, path.clone(), item);
                    } else if item.node().kind() == "mod_item"
                        && let Some((body, _)) = item.body
                        && path.len() < MODULES_DEPTH_MAX
                    {
                        let mut inner = path.clone();
                        inner.push(item.title.clone());
                        open.push((inner, body));
                    }
                }
            }
        }
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            for statement in source.root().parts() {
                if statement.kind() == "if_statement"
                    && statement
                        .field_text("condition")
                        .contains("import.meta.vitest")
                {
                    let mut item = Item::new(Role::Group, statement).titled("import.meta.vitest");
                    item.body = statement
                        .field("consequence")
                        .filter(|body| body.kind() == "statement_block")
                        .map(|body| (body, Scope::Group));
                    add(&mut found, &mut numbers, Vec::new(), item);
                }
            }
        }
        Language::Python | Language::Go | Language::Java => {}
    }
    found
}

/// Where the tests that live in a file are, in bytes, attributes that stand before them included.
pub(super) fn spans(source: &Source<'_>) -> Vec<Range<usize>> {
    regions(source).iter().map(Region::span).collect()
}

/// Adds a region, numbered among those that are called the same.
fn add<'a>(
    found: &mut Vec<Region<'a>>,
    numbers: &mut BTreeMap<Place, usize>,
    path: Vec<String>,
    item: Item<'a>,
) {
    let kind = item.node().kind();
    let name = match item.role {
        Role::Import | Role::Statement => String::from_utf8_lossy(&form(item.node())).into_owned(),
        _ => item.title.clone(),
    };
    let number = numbers
        .entry((path.clone(), (kind, name.clone(), 0)))
        .or_default();
    found.push(Region {
        place: (path, (kind, name, *number)),
        item,
    });
    *number += 1;
}

/// Doctests that are not in test modules.
fn doctests_outside<'a>(source: &'a Source<'a>, regions: &[Region<'a>]) -> Vec<Doctest> {
    let mut found = doctests::all(source);
    // Regions do not overlap.
    let mut spans: Vec<Range<usize>> = regions.iter().map(Region::span).collect();
    spans.sort_by_key(|span| span.start);
    found.retain(|doctest| {
        let place = &doctest.documentation;
        let after = spans.partition_point(|span| span.start <= place.start);
        after
            .checked_sub(1)
            .is_none_or(|at| place.end > spans[at].end)
    });
    found
}

/// See [`super::with_base_inline_tests`].
pub(super) fn splice(language: Language, base: &[u8], candidate: &[u8]) -> Option<Vec<u8>> {
    if base == candidate || !may_hold(language, base) && !may_hold(language, candidate) {
        return None;
    }
    let old = Source::parse(language, base)?;
    let new = Source::parse(language, candidate)?;
    let before = regions(&old);
    let after = regions(&new);
    let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    let (were, are) = (by_place(&before), by_place(&after));
    for region in &after {
        let span = region.span();
        let kept = were.get(&region.place);
        let text = kept.map_or(&[] as &[u8], |other| &base[other.span()]);
        if candidate[span.clone()] != *text {
            edits.push((span, text.to_vec()));
        }
    }
    for region in &before {
        if are.contains_key(&region.place) {
            continue;
        }
        if let Some(at) = end_of(&new, &region.place.0) {
            let mut text = b"\n".to_vec();
            text.extend(&base[region.span()]);
            text.push(b'\n');
            edits.push((at..at, text));
        }
    }
    let old_documented = doctests_outside(&old, &before);
    let new_documented = doctests_outside(&new, &after);
    documentation(
        language,
        base,
        candidate,
        &old_documented,
        &new_documented,
        &mut edits,
    );
    if edits.is_empty() {
        return None;
    }
    Some(apply(candidate, edits))
}

/// Where something can be added to a module: before its closing brace, or at the end of the file.
fn end_of(source: &Source<'_>, path: &[String]) -> Option<usize> {
    let mut body = source.root();
    for name in path {
        body = items(body, Scope::File)
            .into_iter()
            .find(|item| item.node().kind() == "mod_item" && item.title == *name)?
            .body?
            .0;
    }
    if path.is_empty() {
        Some(source.text.len())
    } else {
        Some(body.end().saturating_sub(1))
    }
}

/// The base's documentation where it has doctests; where only the candidate has some, they are made plain text.
fn documentation(
    language: Language,
    base: &[u8],
    candidate: &[u8],
    old: &[Doctest],
    new: &[Doctest],
    edits: &mut Vec<(Range<usize>, Vec<u8>)>,
) {
    let mut by_name: BTreeMap<&[String], Vec<&Doctest>> = BTreeMap::new();
    for doctest in old {
        by_name.entry(&doctest.name).or_default().push(doctest);
    }
    let mut by_start: BTreeMap<usize, Vec<&Doctest>> = BTreeMap::new();
    for doctest in new {
        by_start
            .entry(doctest.documentation.start)
            .or_default()
            .push(doctest);
    }
    for here in by_start.into_values() {
        let place = here[0].documentation.clone();
        let there = by_name
            .get(here[0].name.as_slice())
            .map(Vec::as_slice)
            .unwrap_or_default();
        if here
            .iter()
            .map(|one| &one.text)
            .eq(there.iter().map(|one| &one.text))
        {
            continue;
        }
        if let Some(first) = there.first() {
            edits.push((place, base[first.documentation.clone()].to_vec()));
            continue;
        }
        match language {
            Language::Python => {
                let text =
                    String::from_utf8_lossy(&candidate[place.clone()]).replace(">>>", ">> >");
                edits.push((place, text.into_bytes()));
            }
            _ => {
                for fence in here.iter().filter_map(|one| one.fence.clone()) {
                    edits.push((fence, b"text".to_vec()));
                }
            }
        }
    }
}

fn apply(candidate: &[u8], mut edits: Vec<(Range<usize>, Vec<u8>)>) -> Vec<u8> {
    edits.sort_by_key(|(span, _)| (span.start, span.end));
    let mut out = Vec::with_capacity(candidate.len());
    let mut at = 0;
    for (span, text) in edits {
        // Pieces do not overlap; of two that would the first counts.
        if span.start < at {
            continue;
        }
        out.extend(&candidate[at..span.start]);
        out.extend(&text);
        at = span.end;
    }
    out.extend(&candidate[at..]);
    out
}
