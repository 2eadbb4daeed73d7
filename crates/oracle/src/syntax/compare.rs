//! Two versions of a test file: what the base has must all be there, in order and equal; what is added may not reach
//! into it.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::finding::{Finding, FindingKind};

use super::form::{Without, form, forms};
use super::imports::Binding;
use super::items::{Item, Role, Scope, items};
use super::parse::{Node, Source, brief};
use super::{Language, go, javascript, mocks, names, python};
use crate::FINDINGS_MAX;

/// How many groups within groups are compared item by item; deeper ones are compared whole.
const GROUPS_DEPTH_MAX: usize = 40;
/// How many pairs of items are held against each other before a file is compared whole.
const PAIRS_MAX: usize = 4_000_000;

/// See [`super::compare_test_file`].
pub(super) fn test_file(
    language: Language,
    path: &str,
    base: &[u8],
    candidate: &[u8],
) -> Vec<Finding> {
    if base == candidate {
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
            "cannot be read as code, so that every change counts",
        )];
    };
    let mut comparison = Comparison::new(path);
    if let Some(finding) = unreadable(path, &old, &new) {
        return vec![finding];
    }
    directives(&mut comparison, &old, &new);
    escapes(&mut comparison, &old, &new);
    comparison.bodies(old.root(), new.root(), Scope::File, 0);
    comparison.finish(base, candidate)
}

/// A finding for a file that can only be compared whole.
pub(super) fn whole(path: &str, base: &[u8], candidate: &[u8], why: &str) -> Finding {
    let same = base
        .iter()
        .zip(candidate)
        .take_while(|(a, b)| a == b)
        .count();
    let line = base[..same].iter().filter(|byte| **byte == b'\n').count();
    Finding {
        path: path.to_string(),
        line: Some(u32::try_from(line).unwrap_or(u32::MAX).saturating_add(1)),
        kind: FindingKind::OracleChanged,
        detail: why.to_string(),
    }
}

/// What cannot be read as the base could is nothing to reason about.
pub(super) fn unreadable(path: &str, old: &Source<'_>, new: &Source<'_>) -> Option<Finding> {
    (new.errors > old.errors).then(|| {
        let place = new.all().find(|node| node.error());
        Finding {
            path: path.to_string(),
            line: place.map(Node::line),
            kind: FindingKind::OracleChanged,
            detail: "cannot be read any more: a syntax error".to_string(),
        }
    })
}

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

fn directives(comparison: &mut Comparison<'_>, old: &Source<'_>, new: &Source<'_>) {
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
fn escapes(comparison: &mut Comparison<'_>, old: &Source<'_>, new: &Source<'_>) {
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

/// A comparison under way.
pub(super) struct Comparison<'p> {
    path: &'p str,
    findings: Vec<Finding>,
    pairs: usize,
}

impl<'p> Comparison<'p> {
    /// Nothing found yet.
    pub fn new(path: &'p str) -> Comparison<'p> {
        Comparison {
            path,
            findings: Vec::new(),
            pairs: 0,
        }
    }

    /// Notes a finding.
    pub fn report(&mut self, line: Option<u32>, kind: FindingKind, detail: impl Into<String>) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding {
                path: self.path.to_string(),
                line,
                kind,
                detail: brief(&detail.into()),
            });
        }
    }

    /// What was found. Too much work to find out is a finding.
    pub fn finish(mut self, base: &[u8], candidate: &[u8]) -> Vec<Finding> {
        if self.pairs >= PAIRS_MAX {
            self.findings.push(whole(
                self.path,
                base,
                candidate,
                "too much in it to compare item by item",
            ));
        }
        self.findings.sort();
        self.findings.dedup();
        self.findings
    }

    /// Compares the items of two bodies.
    pub fn bodies<'a>(&mut self, base: Node<'a>, candidate: Node<'a>, scope: Scope, depth: usize) {
        let (old_imports, old): (Vec<_>, Vec<_>) = items(base, scope)
            .into_iter()
            .partition(|item| item.role == Role::Import);
        let (new_imports, new): (Vec<_>, Vec<_>) = items(candidate, scope)
            .into_iter()
            .partition(|item| item.role == Role::Import);
        let taken = Taken::new(base, scope, &old_imports, &old);
        self.imports(&old_imports, &new_imports, &taken);
        let used = self.match_items(&old, &new, depth);
        for (item, used) in new.iter().zip(used) {
            if !used {
                self.added(item, &taken);
            }
        }
    }

    /// Compares one item with its counterpart.
    pub fn pair(&mut self, old: &Item<'_>, new: &Item<'_>) {
        if forms(&old.nodes, Without::default()) == forms(&new.nodes, Without::default()) {
            return;
        }
        match (old.body, new.body) {
            (Some((old_body, scope)), Some((new_body, _))) if same_header(old, new) => {
                self.bodies(old_body, new_body, scope, 0);
            }
            _ => self.changed(old, new, 0),
        }
    }

    /// Notes that an item and every test in it is gone.
    pub fn lost(&mut self, item: &Item<'_>) {
        self.gone(item);
        if let Some((body, scope)) = item.body {
            for inner in items(body, scope)
                .iter()
                .filter(|inner| inner.role == Role::Test)
            {
                self.gone(inner);
            }
        }
    }

    fn imports(&mut self, old: &[Item<'_>], new: &[Item<'_>], taken: &Taken<'_>) {
        let before: BTreeSet<&Binding> = old.iter().flat_map(|item| &item.bindings).collect();
        let after: BTreeSet<&Binding> = new.iter().flat_map(|item| &item.bindings).collect();
        for item in old {
            for gone in item
                .bindings
                .iter()
                .filter(|binding| !after.contains(binding))
            {
                self.report(
                    Some(item.line()),
                    FindingKind::OracleChanged,
                    format!("the import of {} is gone or leads elsewhere", shown(gone)),
                );
            }
        }
        for item in new {
            for binding in item
                .bindings
                .iter()
                .filter(|binding| !before.contains(binding))
            {
                let harmless_glob = item.node().source().language == Language::Java
                    || item.node().source().language == Language::Rust
                        && (binding.from == "super"
                            || !["crate", "self", "super"]
                                .contains(&binding.from.split("::").next().unwrap_or_default()));
                let why = match binding.local.as_str() {
                    "" => Some(format!(
                        "`{}` is imported for its effects on the whole file",
                        binding.from
                    )),
                    "_" => None,
                    "*" if harmless_glob => None,
                    "*" => Some(format!(
                        "every name of `{}` is brought in, over names that the tests use",
                        binding.from
                    )),
                    name => taken.conflict(name, Some(binding)),
                };
                if let Some(why) = why {
                    self.report(Some(item.line()), FindingKind::OracleChanged, why);
                }
            }
        }
    }

    /// Finds the counterpart of each item of the base and reports those that have none. Returns which items of the
    /// candidate are counterparts.
    fn match_items<'a>(&mut self, old: &[Item<'a>], new: &[Item<'a>], depth: usize) -> Vec<bool> {
        let mut used = vec![false; new.len()];
        let new_forms: Vec<Vec<u8>> = new
            .iter()
            .map(|item| forms(&item.nodes, Without::default()))
            .collect();
        let mut next = 0;
        let mut unmatched = Vec::new();
        for item in old {
            match self.counterpart(item, new, &new_forms, next, depth) {
                Some((at, findings)) => {
                    used[at] = true;
                    next = at + 1;
                    self.findings.extend(findings);
                }
                None => unmatched.push(item),
            }
        }
        let mut by_title: BTreeMap<(&str, u8), Vec<usize>> = BTreeMap::new();
        for (at, item) in new.iter().enumerate().rev() {
            by_title
                .entry((&item.title, item.role as u8))
                .or_default()
                .push(at);
        }
        for item in unmatched {
            let whole = forms(&item.nodes, Without::default());
            let moved = (0..new.len()).find(|at| !used[*at] && new_forms[*at] == whole);
            if let Some(at) = moved {
                used[at] = true;
                self.report(
                    Some(new[at].line()),
                    FindingKind::OracleChanged,
                    format!("{} stands in another order", item.title),
                );
                continue;
            }
            let found = by_title
                .get(&(item.title.as_str(), item.role as u8))
                .and_then(|places| places.iter().copied().rfind(|at| !used[*at]))
                .or_else(|| {
                    (0..new.len()).find(|at| {
                        !used[*at] && !item.names.is_empty() && new[*at].names == item.names
                    })
                });
            match found {
                Some(at) => {
                    used[at] = true;
                    self.changed(item, &new[at], depth);
                }
                None => self.gone(item),
            }
        }
        used
    }

    /// The first item from `next` on that is this one, with what is different inside.
    fn counterpart<'a>(
        &mut self,
        item: &Item<'a>,
        new: &[Item<'a>],
        new_forms: &[Vec<u8>],
        next: usize,
        depth: usize,
    ) -> Option<(usize, Vec<Finding>)> {
        let own = forms(&item.nodes, Without::default());
        if let Some(at) = (next..new.len()).find(|at| new_forms[*at] == own) {
            // Of a container with additions an exact twin further down is no better a counterpart.
            if item.body.is_none() || !(next..at).any(|between| same_header(item, &new[between])) {
                return Some((at, Vec::new()));
            }
        }
        let mut fallback: Option<(usize, Vec<Finding>)> = None;
        for (at, other) in new.iter().enumerate().skip(next) {
            self.pairs += 1;
            if self.pairs >= PAIRS_MAX {
                return None;
            }
            if let (Some((old_body, scope)), Some((new_body, _))) = (item.body, other.body) {
                if depth >= GROUPS_DEPTH_MAX || !same_header(item, other) {
                    continue;
                }
                let mut inner = Comparison {
                    path: self.path,
                    findings: Vec::new(),
                    pairs: self.pairs,
                };
                inner.bodies(old_body, new_body, scope, depth + 1);
                self.pairs = inner.pairs;
                if inner.findings.is_empty() {
                    return Some((at, Vec::new()));
                }
                if fallback
                    .as_ref()
                    .is_none_or(|(_, least)| inner.findings.len() < least.len())
                {
                    fallback = Some((at, inner.findings));
                }
            } else if item.role == Role::Test
                && other.title == item.title
                && extended(&item.nodes, &other.nodes)
                || item.role != Role::Test
                    && item.names == other.names
                    && !item.names.is_empty()
                    && extended(&item.nodes, &other.nodes)
                || depth > 0
                    && item.role == Role::Statement
                    && item.node().source().language == Language::Go
                    && extended(&item.nodes, &other.nodes)
                || item.role == Role::Group
                    && other.title == item.title
                    && extended(&item.nodes, &other.nodes)
            {
                return Some((at, Vec::new()));
            }
        }
        fallback
    }

    fn changed<'a>(&mut self, old: &Item<'a>, new: &Item<'a>, depth: usize) {
        let line = Some(new.line());
        if new.skipped.is_some() && old.skipped.is_none() {
            let (line, words) = new.skipped.clone().unwrap_or_default();
            self.report(
                Some(line),
                FindingKind::TestSkipped,
                format!("{}: {words}", new.title),
            );
            return;
        }
        if new.only.is_some() && old.only.is_none() {
            self.report(
                new.only,
                FindingKind::TestSkipped,
                format!("{}: only it runs", new.title),
            );
            return;
        }
        if old.role == Role::Test && new.role != Role::Test {
            self.report(
                line,
                FindingKind::TestDeleted,
                format!("{} is no test any more", new.title),
            );
            return;
        }
        if let (Some((old_body, scope)), Some((new_body, _))) = (old.body, new.body)
            && depth < GROUPS_DEPTH_MAX
        {
            self.report(
                line,
                FindingKind::TestChanged,
                format!("{}: its head", new.title),
            );
            self.bodies(old_body, new_body, scope, depth + 1);
            return;
        }
        match old.role {
            Role::Test | Role::Group => {
                self.report(line, FindingKind::TestChanged, new.title.clone())
            }
            _ => self.report(line, FindingKind::OracleChanged, new.title.clone()),
        }
    }

    fn gone(&mut self, item: &Item<'_>) {
        let (kind, words) = match item.role {
            Role::Test | Role::Group => (FindingKind::TestDeleted, item.title.clone()),
            _ => (
                FindingKind::OracleChanged,
                format!("`{}` is gone or was changed", item.title),
            ),
        };
        self.report(Some(item.line()), kind, words);
    }

    fn added(&mut self, item: &Item<'_>, taken: &Taken<'_>) {
        let line = Some(item.line());
        let language = item.node().source().language;
        for node in &item.nodes {
            for found in onlys(*node) {
                self.report(
                    Some(found),
                    FindingKind::TestSkipped,
                    format!("{}: only it runs", item.title),
                );
            }
            if node.walk().any(Node::error) {
                self.report(
                    line,
                    FindingKind::OracleChanged,
                    format!("{}: cannot be read", item.title),
                );
            }
        }
        for (name, why) in item
            .names
            .iter()
            .filter_map(|name| Some((name, taken.conflict(name, None)?)))
        {
            // A further test of the same title is another one; a further function of the same name is not.
            let _ = name;
            self.report(line, FindingKind::OracleChanged, why);
        }
        match item.role {
            Role::Hook if taken.tests => self.report(
                line,
                FindingKind::OracleChanged,
                format!("{} runs around the tests of the base", item.title),
            ),
            Role::Directive => self.report(
                line,
                FindingKind::OracleChanged,
                format!("`{}` is about the whole file", item.title),
            ),
            Role::Statement if !harmless(item) && taken.tests => {
                self.report(
                    line,
                    FindingKind::OracleChanged,
                    format!(
                        "`{}` runs before or between the tests of the base",
                        item.title
                    ),
                );
            }
            Role::Definition
            | Role::Hook
            | Role::Statement
            | Role::Test
            | Role::Group
            | Role::Import => {}
        }
        if matches!(item.role, Role::Definition) && assigns(item.node()) {
            self.report(
                line,
                FindingKind::OracleChanged,
                format!("`{}` changes something when it is loaded", item.title),
            );
        }
        if matches!(
            language,
            Language::JavaScript | Language::TypeScript | Language::Tsx
        ) && item.role != Role::Statement
        {
            for mock in item.nodes.iter().flat_map(|node| mocks::hoisted(*node)) {
                self.report(
                    Some(mock.line()),
                    FindingKind::OracleChanged,
                    format!("`{}` counts for the whole file", mock.brief()),
                );
            }
        }
    }
}

fn shown(binding: &Binding) -> String {
    if binding.local.is_empty() {
        format!("`{}`", binding.from)
    } else {
        format!("`{}` (of `{}`)", binding.local, binding.from)
    }
}

/// Which names an addition may not take.
struct Taken<'a> {
    scope: Scope,
    language: Language,
    /// Names that the base gives in this scope, with what they stand for where they are imported.
    given: BTreeMap<String, Option<String>>,
    /// Names that the base's code in this scope takes from around it.
    free: BTreeSet<&'a str>,
    /// Whether tests of the base are here or below.
    tests: bool,
}

impl<'a> Taken<'a> {
    fn new(body: Node<'a>, scope: Scope, imports: &[Item<'a>], items: &[Item<'a>]) -> Taken<'a> {
        let language = body.source().language;
        let mut given: BTreeMap<String, Option<String>> = BTreeMap::new();
        for binding in imports.iter().flat_map(|item| &item.bindings) {
            given.insert(binding.local.clone(), Some(binding.meaning().to_string()));
        }
        for name in items.iter().flat_map(|item| &item.names) {
            given.insert(name.clone(), None);
        }
        let free = if language == Language::Python && scope == Scope::Class {
            names::own_members(body)
        } else {
            items
                .iter()
                .flat_map(|item| names::free(&item.nodes))
                .collect()
        };
        Taken {
            scope,
            language,
            given,
            free,
            tests: items
                .iter()
                .any(|item| matches!(item.role, Role::Test | Role::Group))
                || scope == Scope::Group,
        }
    }

    /// Why a name may not be given anew, if it may not.
    fn conflict(&self, name: &str, binding: Option<&Binding>) -> Option<String> {
        if names::disguised(name) {
            return Some(format!("`{name}` may read as another name"));
        }
        if self.language == Language::Python
            && python::hook_name(name, self.scope)
            && binding.is_none()
        {
            return Some(format!("`{name}` means something to what runs the tests"));
        }
        match self.given.get(name) {
            Some(Some(meaning)) if binding.is_some_and(|binding| binding.meaning() == meaning) => {
                None
            }
            Some(_) if self.language == Language::Java && binding.is_none() => None,
            Some(_) => Some(format!("`{name}` is defined a second time")),
            None => self
                .free
                .contains(name)
                .then(|| format!("`{name}` takes the place of what the tests of the base use")),
        }
    }
}

/// Whether two containers differ in nothing but what is in them.
fn same_header(one: &Item<'_>, other: &Item<'_>) -> bool {
    let (Some((one_body, _)), Some((other_body, _))) = (one.body, other.body) else {
        return false;
    };
    one.title == other.title
        && one.role == other.role
        && forms(
            &one.nodes,
            Without {
                node: Some(one_body),
                numbers: false,
            },
        ) == forms(
            &other.nodes,
            Without {
                node: Some(other_body),
                numbers: false,
            },
        )
}

/// Whether `new` is `old` with further rows in its tables of cases, and nothing else.
fn extended(old: &[Node<'_>], new: &[Node<'_>]) -> bool {
    // Whatever is equal as a whole has been found before; without tables there is nothing to extend.
    if old.len() != new.len() || old.iter().all(|node| tables(*node).is_empty()) {
        return false;
    }
    old.iter().zip(new).all(|(old, new)| {
        let (old_tables, new_tables) = (tables(*old), tables(*new));
        if old_tables.is_empty() || old_tables.len() != new_tables.len() {
            return form(*old) == form(*new);
        }
        rest_equal(*old, &old_tables, *new, &new_tables)
            && old_tables
                .iter()
                .zip(&new_tables)
                .all(|(old, new)| rows_kept(*old, *new))
    })
}

/// Whether everything around the tables is equal: the pieces between them have equal forms.
fn rest_equal(
    old: Node<'_>,
    old_tables: &[Node<'_>],
    new: Node<'_>,
    new_tables: &[Node<'_>],
) -> bool {
    // Each piece outside of the tables with how deep it is: what only leads to a table is told by its kind.
    let around = |item: Node<'_>, tables: &[Node<'_>]| -> Vec<(usize, Vec<u8>)> {
        let mut out = Vec::new();
        let mut above: Vec<Node<'_>> = Vec::new();
        let mut walk = item.walk();
        while let Some(part) = walk.next() {
            while above.last().is_some_and(|node| !node.holds(part)) {
                above.pop();
            }
            if tables.contains(&part) {
                out.push((above.len(), b"table".to_vec()));
                walk.leave_out(part);
            } else if tables.iter().any(|table| part.holds(*table)) {
                out.push((above.len(), part.kind_id().to_le_bytes().to_vec()));
                above.push(part);
            } else {
                out.push((above.len(), form(part)));
                walk.leave_out(part);
            }
        }
        out.retain(|(_, piece)| !piece.is_empty());
        out
    };
    around(old, old_tables) == around(new, new_tables)
}

/// Whether every row of a table is still there, in order.
fn rows_kept(old: Node<'_>, new: Node<'_>) -> bool {
    let new_rows: Vec<Vec<u8>> = new.parts().map(form).collect();
    let mut next = 0;
    old.parts().all(|row| {
        let row = form(row);
        match new_rows[next..].iter().position(|other| *other == row) {
            Some(at) => {
                next += at + 1;
                true
            }
            None => false,
        }
    })
}

/// The tables of cases in an item: a row more is a test more.
fn tables(item: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut walk = item.walk();
    while let Some(node) = walk.next() {
        let table = match node.source().language {
            Language::Go => go_table(node),
            Language::Python => python_table(node),
            Language::JavaScript | Language::TypeScript | Language::Tsx => javascript_table(node),
            Language::Rust | Language::Java => None,
        };
        if let Some(table) = table {
            found.push(table);
            walk.leave_out(node);
        }
    }
    found
}

/// `[]struct{ ... }{ {...}, {...} }`, ranged over by the test.
fn go_table(node: Node<'_>) -> Option<Node<'_>> {
    if node.kind() != "composite_literal" || node.field("type")?.kind() != "slice_type" {
        return None;
    }
    let body = node.field("body")?;
    let rows = body.parts().all(|row| {
        row.kind() == "literal_element"
            && row
                .parts()
                .next()
                .is_some_and(|inner| inner.kind() == "literal_value")
    });
    let declaration = node
        .ancestors()
        .find(|one| one.is(&["short_var_declaration", "var_spec", "call_expression"]))?;
    let name = declaration
        .below()
        .find(|part| part.kind() == "identifier")
        .filter(|_| declaration.kind() != "call_expression")?
        .text();
    let ranged = node.source().all().any(|clause| {
        clause.kind() == "range_clause"
            && clause
                .field("right")
                .is_some_and(|right| right.text() == name)
    });
    (rows && ranged && body.parts().next().is_some()).then_some(body)
}

/// The list of `@pytest.mark.parametrize(names, [...])`.
fn python_table(node: Node<'_>) -> Option<Node<'_>> {
    if node.kind() != "call"
        || !node.field_text("function").ends_with("parametrize")
        || node
            .parent()
            .is_none_or(|parent| parent.kind() != "decorator")
    {
        return None;
    }
    let arguments = node.field("arguments")?;
    // With ids beside it a further row would need a further id, and shift the others.
    if arguments
        .parts()
        .any(|argument| argument.kind() == "keyword_argument")
    {
        return None;
    }
    arguments
        .parts()
        .nth(1)
        .filter(|list| list.is(&["list", "tuple"]))
}

/// The array of `it.each([...])`.
fn javascript_table(node: Node<'_>) -> Option<Node<'_>> {
    if node.kind() != "call_expression" {
        return None;
    }
    let callee = node.field("function")?;
    if callee.kind() != "member_expression" || callee.field_text("property") != "each" {
        return None;
    }
    node.field("arguments")?
        .parts()
        .next()
        .filter(|array| array.kind() == "array")
}

/// Lines where a call makes its test the only one.
fn onlys(node: Node<'_>) -> impl Iterator<Item = u32> {
    node.walk()
        .filter(|part| part.kind() == "call_expression")
        .filter_map(javascript::declared)
        .filter_map(|declared| declared.only)
}

/// Whether something is assigned or deleted outside of functions.
fn assigns(item: Node<'_>) -> bool {
    if !matches!(
        item.source().language,
        Language::JavaScript | Language::TypeScript | Language::Tsx
    ) {
        return false;
    }
    let mut walk = item.walk();
    while let Some(node) = walk.next() {
        if javascript::function(node)
            || node.is(&["function_declaration", "method_definition", "class_body"])
        {
            walk.leave_out(node);
        } else if node.is(&[
            "assignment_expression",
            "augmented_assignment_expression",
            "update_expression",
        ]) || node.kind() == "unary_expression" && node.text().starts_with("delete")
        {
            return true;
        }
    }
    false
}

/// Statements that may be added between tests: they declare tests themselves, or run nothing under a test runner.
fn harmless(item: &Item<'_>) -> bool {
    let node = item.node();
    match node.source().language {
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            node.is(&["for_statement", "for_in_statement", "expression_statement"])
                && !assigns(node)
                && mocks::hoisted(node).is_empty()
                && node
                    .walk()
                    .filter_map(javascript::declared)
                    .any(|declared| declared.role != Role::Hook)
        }
        Language::Python => {
            let condition = node.field_text("condition");
            node.kind() == "if_statement"
                && node.field("alternative").is_none()
                && (condition.starts_with("__name__ ==")
                    || matches!(condition, "TYPE_CHECKING" | "typing.TYPE_CHECKING"))
        }
        Language::Rust => node.is(&[
            "macro_invocation",
            "expression_statement",
            "empty_statement",
        ]),
        // A comment's worth: a subtest is a test, everything else in a test's body is part of it.
        Language::Go => go::subtest(node).is_some(),
        Language::Java => node.kind() == ";",
    }
}
