//! Go as `go test` reads it.

use super::imports;
use super::items::{Item, Role, Scope};
use super::names;
use super::parse::Node;

/// Whether a function's name makes it a test.
pub(super) fn test_name(name: &str) -> bool {
    ["Test", "Benchmark", "Fuzz", "Example"]
        .iter()
        .any(|prefix| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
        })
        && name != "TestMain"
}

/// The call that a statement is, if it declares a subtest: `t.Run("name", func(t *testing.T) { ... })`.
pub(super) fn subtest(statement: Node<'_>) -> Option<(Node<'_>, Node<'_>)> {
    let call = match statement.kind() {
        "expression_statement" => statement.parts().next()?,
        "call_expression" => statement,
        _ => return None,
    };
    let callee = call.field("function")?;
    if callee.kind() != "selector_expression" || callee.field_text("field") != "Run" {
        return None;
    }
    let mut arguments = call.field("arguments")?.parts();
    let title = arguments.next()?;
    let function = arguments.next()?;
    (function.kind() == "func_literal").then_some((title, function))
}

/// The statements of a function's body.
pub(super) fn statements(function: Node<'_>) -> Option<Node<'_>> {
    function.field("body")?.child("statement_list")
}

/// The items of a file, or of a test that has subtests.
pub(super) fn items(parent: Node<'_>, scope: Scope) -> Vec<Item<'_>> {
    if scope == Scope::Group {
        return parent.parts().map(statement).collect();
    }
    let mut found = Vec::new();
    for node in parent.parts() {
        match node.kind() {
            "import_declaration" => found.push(Item {
                bindings: imports::bindings(node),
                ..Item::new(Role::Import, node)
            }),
            "package_clause" => found.push(Item::new(Role::Directive, node)),
            "function_declaration" => found.push(function(node)),
            "method_declaration" => {
                let receiver = node
                    .field("receiver")
                    .and_then(|list| list.below().find(|part| part.kind() == "type_identifier"))
                    .map_or("", Node::text);
                let name = format!("{receiver}.{}", node.field_text("name"));
                found.push(Item::new(Role::Definition, node).named(&name));
            }
            "const_declaration" | "var_declaration" | "type_declaration" => {
                declarations(node, &mut found);
            }
            _ => found.push(Item::new(Role::Statement, node)),
        }
    }
    found
}

fn function(node: Node<'_>) -> Item<'_> {
    let name = node.field_text("name");
    if matches!(name, "init" | "TestMain") {
        return Item::new(Role::Hook, node).titled(name);
    }
    if !test_name(name) {
        return Item::new(Role::Definition, node).named(name);
    }
    let subtests =
        statements(node).filter(|list| list.parts().any(|statement| subtest(statement).is_some()));
    Item {
        body: subtests.map(|list| (list, Scope::Group)),
        ..Item::new(Role::Test, node).named(name)
    }
}

fn statement(node: Node<'_>) -> Item<'_> {
    let Some((title, function)) = subtest(node) else {
        return Item::new(Role::Statement, node);
    };
    let nested = statements(function)
        .filter(|list| list.parts().any(|statement| subtest(statement).is_some()));
    Item {
        body: nested.map(|list| (list, Scope::Group)),
        ..Item::new(Role::Test, node).titled(title.text().trim_matches('"'))
    }
}

/// Each specification of a group is an item of its own, so that one can be added; where they count (`iota`) the group
/// is one item.
fn declarations<'a>(node: Node<'a>, found: &mut Vec<Item<'a>>) {
    let counted = node.below().any(|part| part.kind() == "iota");
    let specs: Vec<Node<'a>> = node
        .below()
        .filter(|part| part.is(&["const_spec", "var_spec", "type_spec", "type_alias"]))
        .filter(|part| {
            part.ancestors()
                .take_while(|ancestor| *ancestor != node)
                .all(|ancestor| ancestor.is(&["var_spec_list"]))
        })
        .collect();
    if counted || specs.is_empty() {
        let names = names::declared(node);
        found.push(Item {
            title: names.join(", "),
            names,
            ..Item::new(Role::Definition, node)
        });
        return;
    }
    for spec in specs {
        let names: Vec<String> = spec
            .children()
            .filter(|part| part.field_name() == "name")
            .map(|part| part.text().to_string())
            .collect();
        found.push(Item {
            title: names.join(", "),
            names,
            ..Item::new(Role::Definition, spec)
        });
    }
}
