//! Java as JUnit reads it.

use super::imports;
use super::items::{Item, Role, Scope};
use super::names;
use super::parse::Node;

const TESTS: &[&str] = &[
    "Test",
    "ParameterizedTest",
    "RepeatedTest",
    "TestFactory",
    "TestTemplate",
    "Theory",
    "Property",
];
const HOOKS: &[&str] = &[
    "Before",
    "After",
    "BeforeEach",
    "AfterEach",
    "BeforeAll",
    "AfterAll",
    "BeforeClass",
    "AfterClass",
    "BeforeMethod",
    "AfterMethod",
    "Rule",
    "ClassRule",
    "RegisterExtension",
];
const SKIPS: &[&str] = &["Disabled", "Ignore"];

/// The annotations of a declaration.
pub(super) fn annotations(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    node.child("modifiers")
        .into_iter()
        .flat_map(Node::parts)
        .filter(|part| part.is(&["annotation", "marker_annotation"]))
}

/// The last part of an annotation's name.
pub(super) fn annotation_name<'a>(annotation: Node<'a>) -> &'a str {
    let name = annotation.field_text("name");
    name.rsplit('.').next().unwrap_or(name).trim()
}

/// The words that skip a declaration.
pub(super) fn skip_of(node: Node<'_>) -> Option<(u32, String)> {
    annotations(node)
        .find(|annotation| {
            let name = annotation_name(*annotation);
            SKIPS.contains(&name)
                || name.starts_with("EnabledIf")
                || name.starts_with("DisabledIf")
                || name.starts_with("EnabledOn")
                || name.starts_with("DisabledOn")
                || name.starts_with("EnabledFor")
                || name.starts_with("DisabledFor")
                || name == "Test" && annotation.text().contains("enabled")
        })
        .map(|annotation| (annotation.line(), annotation.brief()))
}

/// The items of a file or of a class.
pub(super) fn items(parent: Node<'_>) -> Vec<Item<'_>> {
    parent.parts().map(item).collect()
}

fn item(node: Node<'_>) -> Item<'_> {
    let name = node.field_text("name");
    let hook = annotations(node).any(|annotation| HOOKS.contains(&annotation_name(annotation)));
    match node.kind() {
        "package_declaration" | "module_declaration" => Item::new(Role::Directive, node),
        "import_declaration" => Item {
            bindings: imports::bindings(node),
            ..Item::new(Role::Import, node)
        },
        "class_declaration" => Item {
            body: node.field("body").map(|body| (body, Scope::Class)),
            skipped: skip_of(node),
            ..Item::new(Role::Group, node).named(name)
        },
        "method_declaration" => {
            let old = name.starts_with("test")
                && node.field_text("type") == "void"
                && node
                    .field("parameters")
                    .is_some_and(|list| list.parts().next().is_none());
            let inherited = matches!(
                name,
                "setUp" | "tearDown" | "suite" | "runTest" | "run" | "runBare"
            );
            let role = if hook || inherited {
                Role::Hook
            } else if old || annotations(node).any(|a| TESTS.contains(&annotation_name(a))) {
                Role::Test
            } else {
                Role::Definition
            };
            Item {
                skipped: skip_of(node),
                ..Item::new(role, node).named(name)
            }
        }
        "field_declaration" => {
            let names = names::declared(node);
            Item {
                title: names.join(", "),
                names,
                ..Item::new(if hook { Role::Hook } else { Role::Definition }, node)
            }
        }
        "static_initializer" | "block" => Item::new(Role::Hook, node),
        "constructor_declaration" | "compact_constructor_declaration" => {
            Item::new(Role::Hook, node).titled(name)
        }
        _ if !name.is_empty() => Item::new(Role::Definition, node).named(name),
        _ => Item::new(Role::Statement, node),
    }
}
