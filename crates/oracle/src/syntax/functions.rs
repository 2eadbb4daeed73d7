//! Which functions a change touches.

use std::collections::BTreeMap;

use super::Language;
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
