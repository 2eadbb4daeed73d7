//! The functions of a file: which of them a change touches, and which of them assert for the tests that call them.

use std::collections::{BTreeMap, BTreeSet};

use super::Language;
use super::assertions;
use super::form::form;
use super::parse::{Node, Source};

/// Most functions that are read of one file.
const FUNCTIONS_MAX: usize = 20_000;

/// See [`super::functions_touched`].
pub(super) fn touched(
    language: Language,
    base: Option<&[u8]>,
    candidate: Option<&[u8]>,
) -> Vec<String> {
    if base == candidate {
        return Vec::new();
    }
    let old = base.and_then(|bytes| Source::parse(language, bytes));
    let new = candidate.and_then(|bytes| Source::parse(language, bytes));
    let before = old.as_ref().map(functions).unwrap_or_default();
    let after = new.as_ref().map(functions).unwrap_or_default();
    let mut found = Vec::new();
    for (key, node) in &after {
        if before
            .get(key)
            .is_none_or(|other| form(*other) != form(*node))
        {
            found.push(format!("{} (line {})", key.0, node.line()));
        }
    }
    for (key, node) in &before {
        if !after.contains_key(key) {
            found.push(format!("{} (line {})", key.0, node.line()));
        }
    }
    found.sort();
    found
}

/// How many calls deep a helper that asserts is found behind helpers that call it.
const CALLS_DEPTH_MAX: usize = 3;

/// The names of functions that assert something, themselves or through another function of the file.
pub(super) fn asserting<'a>(source: &'a Source<'a>) -> BTreeSet<&'a str> {
    let all = functions(source);
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for node in all.values() {
        if assertions::of(&[*node])
            .iter()
            .any(|asserted| !asserted.trivial())
        {
            found.extend(name_of(*node));
        }
    }
    for _ in 0..CALLS_DEPTH_MAX {
        let more: Vec<&str> = all
            .values()
            .filter(|node| called(**node).any(|name| found.contains(name)))
            .filter_map(|node| name_of(*node))
            .collect();
        found.extend(more);
    }
    found
}

/// The last part of the name of everything that is called in a piece of code.
pub(super) fn called<'a>(node: Node<'a>) -> impl Iterator<Item = &'a str> {
    node.walk().filter_map(|part| {
        let callee = match part.kind() {
            "call" | "call_expression" => part.field_text("function"),
            "method_invocation" => part.field_text("name"),
            "macro_invocation" => part.field_text("macro"),
            _ => return None,
        };
        callee.rsplit(['.', ':']).next()
    })
}

/// The functions of a file by their full name and by which of that name they are. What is inside a function is part
/// of it.
fn functions<'a>(source: &'a Source<'a>) -> BTreeMap<(String, usize), Node<'a>> {
    let mut found: BTreeMap<(String, usize), Node<'a>> = BTreeMap::new();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let mut walk = source.root().walk();
    while let Some(node) = walk.next() {
        let Some(own) = name_of(node) else { continue };
        walk.leave_out(node);
        let mut path: Vec<&str> = node.ancestors().filter_map(holder).collect();
        path.reverse();
        path.push(own);
        let name = path.join(if source.language == Language::Rust {
            "::"
        } else {
            "."
        });
        let number = count.entry(name.clone()).or_default();
        if found.len() < FUNCTIONS_MAX {
            found.insert((name, *number), node);
        }
        *number += 1;
    }
    found
}

/// Nodes that are functions, in every language that is read. Words of the language have the same names in some grammars;
/// they are not named nodes.
const FUNCTIONS: &[&str] = &[
    "function_item",
    "function_definition",
    "function_declaration",
    "generator_function_declaration",
    "method_definition",
    "method_declaration",
    "constructor_declaration",
    "compact_constructor_declaration",
    "function_expression",
    "generator_function",
    "arrow_function",
    "function",
    "func_literal",
    "lambda_expression",
    "lambda",
    "closure_expression",
];
/// Nodes that hold statements as functions do, for the size of a change.
const LIKE_FUNCTIONS: &[&str] = &[
    "macro_definition",
    "static_initializer",
    "class_static_block",
];
/// Nodes that give the function in them its name.
const NAMING: &[&str] = &[
    "variable_declarator",
    "field_definition",
    "public_field_definition",
    "pair",
    "assignment_expression",
    "assignment",
    "var_spec",
    "const_item",
    "static_item",
    "decorated_definition",
    "export_statement",
];

/// See [`super::pieces`].
pub(super) fn pieces(language: Language, bytes: &[u8]) -> Option<super::Pieces> {
    let source = Source::parse(language, bytes)?;
    let mut tests = super::inline::spans(&source);
    tests.sort_by_key(|span| span.start);
    let in_test = |node: Node<'_>| {
        tests
            .iter()
            .any(|span| span.start <= node.start() && node.end() <= span.end)
    };
    let mut functions = Vec::new();
    let mut walk = source.root().walk();
    while let Some(node) = walk.next() {
        let counts = node.is(FUNCTIONS) || node.is(LIKE_FUNCTIONS) || makes_functions(node);
        if !node.named() || !counts || is_wrapper(node) {
            continue;
        }
        walk.leave_out(node);
        if in_test(node) {
            continue;
        }
        if functions.len() >= FUNCTIONS_MAX {
            return None;
        }
        let (own, whole) = declaration(node);
        let mut path: Vec<&str> = node.ancestors().filter_map(holder).collect();
        path.reverse();
        path.push(own);
        functions.push((path.join("."), whole.text().to_owned()));
    }
    Some(super::Pieces {
        functions,
        implementation: without(source.text, &tests),
        has_tests: !tests.is_empty(),
    })
}

/// A macro's call with functions in it: what it makes of them nobody can tell here, and it counts as one.
fn makes_functions(node: Node<'_>) -> bool {
    let call = node.kind() == "macro_invocation";
    call && node
        .text()
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word == "fn")
}

/// A function without a name that is called where it stands, to have a scope of its own: what is in it is the file.
fn is_wrapper(node: Node<'_>) -> bool {
    let mut at = node;
    while let Some(parent) = at
        .parent()
        .filter(|p| p.kind() == "parenthesized_expression")
    {
        at = parent;
    }
    let called = at
        .parent()
        .filter(|call| call.kind() == "call_expression")
        .and_then(|call| call.field("function"));
    at != node && called == Some(at)
}

/// The name of a function, and the whole of what declares it.
fn declaration<'a>(node: Node<'a>) -> (&'a str, Node<'a>) {
    let mut name = node.field_text("name");
    let mut whole = node;
    while let Some(parent) = whole.parent().filter(|p| p.is(NAMING)) {
        whole = parent;
        if name.is_empty() {
            name = ["name", "property", "key", "left"]
                .into_iter()
                .map(|field| parent.field_text(field))
                .find(|text| !text.is_empty())
                .unwrap_or_default();
        }
    }
    (name, whole)
}

/// A text without the lines that these spans stand in.
fn without(text: &str, spans: &[std::ops::Range<usize>]) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut spans = spans.iter().peekable();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        while spans.next_if(|span| span.end <= at).is_some() {}
        if spans.peek().is_none_or(|span| span.start >= end) {
            kept.push_str(line);
        }
        at = end;
    }
    kept
}

/// The name of a function, if a node is one.
fn name_of<'a>(node: Node<'a>) -> Option<&'a str> {
    match node.kind() {
        "function_item"
        | "function_definition"
        | "function_declaration"
        | "generator_function_declaration"
        | "method_definition"
        | "method_declaration"
        | "constructor_declaration" => Some(node.field_text("name")),
        "variable_declarator" | "field_definition" | "public_field_definition" => {
            let value = node.field("value")?;
            super::javascript::function(value).then(|| {
                node.field("name")
                    .or_else(|| node.field("property"))
                    .map_or("", Node::text)
            })
        }
        _ => None,
    }
}

/// The name of what holds functions.
fn holder<'a>(node: Node<'a>) -> Option<&'a str> {
    match node.kind() {
        "impl_item" => Some(node.field_text("type")),
        "mod_item"
        | "trait_item"
        | "class_definition"
        | "class_declaration"
        | "interface_declaration"
        | "enum_declaration"
        | "record_declaration" => Some(node.field_text("name")),
        _ => None,
    }
}
