//! Two versions of a test file: what the base has must all be there, in order and equal; what is added may not reach
//! into it.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::finding::{Finding, FindingKind};

use super::directives::{directives, escapes};
use super::form::{Without, forms};
use super::imports::Binding;
use super::items::{Item, Role, Scope, items};
use super::parse::{Node, Source, brief};
use super::tables::extended;
use super::taken::Taken;
use super::{Language, go, javascript, mocks, rust};
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
    let findings = comparison.finish(base, candidate);
    // Where the grammar lost its way in the base, what it makes of the rest says nothing about what was changed.
    if old.errors > 0 && !findings.is_empty() {
        return vec![whole(
            path,
            base,
            candidate,
            "cannot be read in full, so that every change counts",
        )];
    }
    findings
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
            Role::Directive if !about_warnings(item) => self.report(
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
            | Role::Directive
            | Role::Hook
            | Role::Statement
            | Role::Test
            | Role::Group
            | Role::Import => {}
        }
        if matches!(item.role, Role::Definition | Role::Group | Role::Test)
            && (language == Language::Python || is_javascript(language))
            && reaches_out(item.node())
        {
            self.report(
                line,
                FindingKind::OracleChanged,
                format!("`{}` changes something when it is loaded", item.title),
            );
        }
        if is_javascript(language) && item.role != Role::Statement {
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

/// Lines where a call makes its test the only one.
fn onlys(node: Node<'_>) -> impl Iterator<Item = u32> {
    node.walk()
        .filter(|part| part.kind() == "call_expression")
        .filter_map(javascript::declared)
        .filter_map(|declared| declared.only)
}

fn is_javascript(language: Language) -> bool {
    matches!(
        language,
        Language::JavaScript | Language::TypeScript | Language::Tsx
    )
}

/// Whether an addition changes something outside of itself when the file is loaded: an assignment or a deletion that
/// stands in no function (callbacks of groups are run at once, and so are bodies of classes).
fn reaches_out(item: Node<'_>) -> bool {
    let python = item.source().language == Language::Python;
    let own: BTreeSet<&str> = item
        .walk()
        .filter(|part| part.kind() == "variable_declarator")
        .map(|declarator| declarator.field_text("name"))
        .collect();
    let mut walk = item.walk();
    while let Some(node) = walk.next() {
        let later = if python {
            node.kind() == "lambda"
                || node.kind() == "block"
                    && node
                        .parent()
                        .is_some_and(|parent| parent.kind() == "function_definition")
        } else {
            node.is(&["function_declaration", "method_definition"])
                || javascript::function(node) && !of_group(node)
        };
        if later {
            walk.leave_out(node);
            continue;
        }
        let target = match node.kind() {
            "assignment" | "augmented_assignment" => node
                .field("left")
                .filter(|left| left.walk().any(|part| part.is(&["attribute", "subscript"]))),
            "delete_statement" => Some(node),
            "call" if matches!(node.field_text("function"), "setattr" | "delattr") => Some(node),
            "assignment_expression" | "augmented_assignment_expression" => node.field("left"),
            "update_expression" => node.field("argument"),
            "unary_expression" if node.field_text("operator") == "delete" => node.field("argument"),
            _ => None,
        };
        if target.is_some_and(|target| !own.contains(root_name(target))) {
            return true;
        }
    }
    false
}

/// Whether a function is the callback of a group of tests, which is run when the file is loaded.
fn of_group(function: Node<'_>) -> bool {
    function
        .parent()
        .and_then(|arguments| arguments.parent())
        .and_then(javascript::declared)
        .is_some_and(|declared| declared.role == Role::Group)
}

/// The name that a target begins with: `a` of `a.b[0]`.
fn root_name<'a>(target: Node<'a>) -> &'a str {
    let mut node = target;
    while let Some(inner) = node.field("object") {
        node = inner;
    }
    node.text()
}

/// Whether an inner attribute is only about warnings or documentation: `#![allow(dead_code)]`.
fn about_warnings(item: &Item<'_>) -> bool {
    item.node().kind() == "inner_attribute_item"
        && matches!(
            rust::attribute_path(item.node()).as_str(),
            "allow" | "expect" | "warn" | "doc"
        )
}

/// Statements that may be added between tests: they declare tests themselves, or run nothing under a test runner.
fn harmless(item: &Item<'_>) -> bool {
    let node = item.node();
    match node.source().language {
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            node.is(&["for_statement", "for_in_statement", "expression_statement"])
                && !reaches_out(node)
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
