//! Which names a declaration gives, and which names a piece of code takes from around it.

use std::collections::BTreeSet;

use super::Language;
use super::parse::Node;
use super::python;

/// The names that a declaration gives in the scope that it stands in. Empty if it assigns to anything but names.
pub(super) fn declared(node: Node<'_>) -> Vec<String> {
    let mut found = Vec::new();
    match node.source().language {
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            for declarator in node
                .parts()
                .filter(|part| part.kind() == "variable_declarator")
            {
                if let Some(pattern) = declarator.field("name") {
                    pattern_names(pattern, &mut found);
                }
            }
        }
        Language::Python => {
            let mut node = node.parts().next();
            while let Some(assignment) = node.filter(|node| node.kind() == "assignment") {
                let Some(left) = assignment.field("left") else {
                    break;
                };
                if left.walk().any(|part| part.is(&["attribute", "subscript"])) {
                    return Vec::new();
                }
                pattern_names(left, &mut found);
                node = assignment.field("right");
            }
        }
        Language::Go => {
            for spec in node
                .below()
                .filter(|part| part.is(&["const_spec", "var_spec", "type_spec", "type_alias"]))
            {
                found.extend(
                    spec.children()
                        .filter(|part| part.field_name() == "name")
                        .map(|part| part.text().to_string()),
                );
            }
        }
        Language::Java => {
            for declarator in node
                .parts()
                .filter(|part| part.kind() == "variable_declarator")
            {
                found.push(declarator.field_text("name").to_string());
            }
        }
        Language::Rust => {}
    }
    found
}

/// The names in a pattern.
fn pattern_names(pattern: Node<'_>, found: &mut Vec<String>) {
    let mut walk = pattern.walk();
    while let Some(node) = walk.next() {
        match node.kind() {
            "identifier" | "shorthand_property_identifier_pattern" => {
                found.push(node.text().to_string());
            }
            "computed_property_name"
            | "attribute"
            | "subscript"
            | "member_expression"
            | "subscript_expression"
            | "field_expression"
            | "selector_expression" => {
                walk.leave_out(node);
            }
            _ => {}
        }
        // A default is no name of the pattern.
        if node.field_name() == "right" && node != pattern {
            walk.leave_out(node);
        }
    }
}

/// Kinds of leaves that are names.
fn name(node: Node<'_>) -> bool {
    node.leaf()
        && node.is(&[
            "identifier",
            "type_identifier",
            "shorthand_property_identifier",
            "package_identifier",
            "field_identifier",
        ])
}

/// Whether a name stands for something around it, and is not a member of something else.
fn referring(node: Node<'_>) -> bool {
    let Some(parent) = node.parent() else {
        return false;
    };
    match (parent.kind(), node.field_name()) {
        ("attribute", "attribute")
        | ("keyword_argument", "name")
        | ("field_access", "field")
        | ("labeled_statement" | "break_statement" | "continue_statement", _) => false,
        ("method_invocation", "name") => {
            // `this.total()` is a method of this class as much as `total()`.
            parent
                .field("object")
                .is_none_or(|object| object.is(&["this", "super"]))
        }
        _ => node.kind() != "field_identifier",
    }
}

/// The names that these nodes take from around them.
pub(super) fn free<'a>(nodes: &[Node<'a>]) -> BTreeSet<&'a str> {
    let mut free = BTreeSet::new();
    for node in nodes {
        let mut used = BTreeSet::new();
        let mut bound = BTreeSet::new();
        for part in node.walk() {
            if name(part) && referring(part) {
                used.insert(part.text());
            }
            bind(*node, part, &mut bound);
        }
        free.extend(used.difference(&bound).copied());
    }
    free
}

/// Notes the names that `part` gives inside `item`, where they hide what is around it.
fn bind<'a>(item: Node<'a>, part: Node<'a>, bound: &mut BTreeSet<&'a str>) {
    let mut pattern = |pattern: Option<Node<'a>>| {
        let Some(pattern) = pattern else { return };
        let mut walk = pattern.walk();
        while let Some(node) = walk.next() {
            if node.is(&[
                "attribute",
                "subscript",
                "member_expression",
                "field_expression",
                "selector_expression",
                "index_expression",
            ]) || node.is(&[
                "computed_property_name",
                "type",
                "generic_type",
                "type_annotation",
            ]) || matches!(
                node.field_name(),
                "right" | "value" | "type" | "default_value"
            ) && node != pattern
            {
                walk.leave_out(node);
            } else if node.is(&[
                "identifier",
                "shorthand_property_identifier_pattern",
                "shorthand_field_identifier",
            ]) {
                bound.insert(node.text());
            }
        }
    };
    match part.source().language {
        Language::JavaScript | Language::TypeScript | Language::Tsx => match part.kind() {
            // What the item itself declares is in the scope around it.
            "variable_declarator" if part.parent() != Some(item) => pattern(part.field("name")),
            "required_parameter" | "optional_parameter" => pattern(part.field("pattern")),
            "formal_parameters" => part
                .parts()
                .filter(|one| !one.is(&["required_parameter", "optional_parameter"]))
                .for_each(|one| pattern(Some(one))),
            "arrow_function" => pattern(part.field("parameter")),
            "catch_clause" => pattern(part.field("parameter")),
            "for_in_statement" => pattern(part.field("left")),
            "function_declaration" | "class_declaration" if part != item => {
                pattern(part.field("name"))
            }
            _ => {}
        },
        Language::Python => match part.kind() {
            "assignment" | "augmented_assignment" | "for_statement" | "for_in_clause"
                if within_function(item, part) =>
            {
                pattern(part.field("left"));
            }
            "as_pattern_target" | "lambda_parameters" => pattern(Some(part)),
            "named_expression" => pattern(part.field("name")),
            "function_definition" | "class_definition"
                if part != item && part != python::definition(item) =>
            {
                pattern(part.field("name"));
            }
            "parameters" => {
                // A test's parameters are names of fixtures, taken from around it.
                let owner = part.parent().filter(|owner| {
                    let decorated = owner
                        .parent()
                        .is_some_and(|p| p.kind() == "decorated_definition");
                    owner.field_text("name").starts_with("test") || decorated
                });
                if owner.is_none() {
                    part.parts().for_each(|one| pattern(Some(one)));
                }
            }
            _ => {}
        },
        Language::Rust => match part.kind() {
            "let_declaration" | "parameter" | "for_expression" | "let_condition" => {
                pattern(part.field("pattern"));
            }
            "closure_parameters" | "match_pattern" => pattern(Some(part)),
            "function_item" if part != item => pattern(part.field("name")),
            _ => {}
        },
        Language::Go => match part.kind() {
            "short_var_declaration" | "range_clause" => pattern(part.field("left")),
            "parameter_declaration" => {
                part.children()
                    .filter(|one| one.field_name() == "name")
                    .for_each(|one| pattern(Some(one)));
            }
            _ => {}
        },
        Language::Java => match part.kind() {
            "variable_declarator" if part.ancestors().any(|one| one.kind() == "block") => {
                pattern(part.field("name"));
            }
            "formal_parameter" | "catch_formal_parameter" | "resource" => {
                pattern(part.field("name"))
            }
            "inferred_parameters" => pattern(Some(part)),
            _ => {}
        },
    }
}

fn within_function(item: Node<'_>, part: Node<'_>) -> bool {
    part.ancestors()
        .take_while(|ancestor| item.holds(*ancestor))
        .any(|ancestor| ancestor.is(&["function_definition", "lambda"]))
}

/// The members of itself that the code of a class uses: `self.total`, `cls.total`, `super().total`.
pub(super) fn own_members<'a>(body: Node<'a>) -> BTreeSet<&'a str> {
    body.below()
        .filter(|node| node.kind() == "attribute")
        .filter(|node| {
            node.field("object").is_some_and(|object| {
                matches!(object.text(), "self" | "cls") || object.field_text("function") == "super"
            })
        })
        .map(|node| node.field_text("attribute"))
        .collect()
}

/// Whether a name may read as another one: the compiler or interpreter folds what it is written with.
pub(super) fn disguised(name: &str) -> bool {
    name.chars().any(|c| {
        matches!(c, '\\' | '\u{1d00}'..='\u{1dbf}' | '\u{2070}'..='\u{218f}' | '\u{2c60}'..='\u{2c7f}' | '\u{a640}'..='\u{a7ff}' | '\u{fb00}'..='\u{ffff}' | '\u{1d400}'..='\u{1d7ff}')
            || matches!(c, '\u{aa}' | '\u{b2}' | '\u{b3}' | '\u{b5}' | '\u{b9}' | '\u{ba}' | '\u{17f}')
    })
}
