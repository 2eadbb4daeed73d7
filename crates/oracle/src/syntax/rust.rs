//! Rust as cargo's test harness reads it.

use super::imports;
use super::items::{Item, Role, Scope};
use super::parse::Node;

/// The path of an attribute: `tokio::test` of `#[tokio::test(flavor = "multi_thread")]`.
pub(super) fn attribute_path(attribute: Node<'_>) -> String {
    attribute
        .child("attribute")
        .and_then(|inner| inner.parts().next())
        .map_or(String::new(), |path| {
            path.text().split_whitespace().collect()
        })
}

/// An attribute without white space: `cfg(test)`.
pub(super) fn attribute_text(attribute: Node<'_>) -> String {
    attribute.child("attribute").map_or(String::new(), |inner| {
        inner.text().split_whitespace().collect()
    })
}

/// Whether an attribute makes a function a test.
fn tests(attribute: Node<'_>) -> bool {
    let path = attribute_path(attribute);
    matches!(
        path.rsplit("::").next().unwrap_or(&path),
        "test"
            | "rstest"
            | "test_case"
            | "case"
            | "quickcheck"
            | "bench"
            | "wasm_bindgen_test"
            | "test_log"
            | "parameterized"
            | "apply"
    ) && path != "cfg"
}

/// Whether an attribute lets something exist in test builds only.
pub(super) fn test_only(attribute: Node<'_>) -> bool {
    let text = attribute_text(attribute);
    text == "cfg(test)"
        || text.starts_with("cfg(all(test,")
        || text.starts_with("cfg(any(test,")
        || text.starts_with("cfg(all(")
            && (text.contains(",test)") || text.contains(",test,"))
            && !text.contains("not(test")
}

/// The items of a file, a module, or an `impl`.
pub(super) fn items(parent: Node<'_>) -> Vec<Item<'_>> {
    let mut found = Vec::new();
    let mut attributes: Vec<Node<'_>> = Vec::new();
    for node in parent.parts() {
        if node.kind() == "attribute_item" {
            attributes.push(node);
            continue;
        }
        let mut item = item(node, &attributes);
        attributes.push(node);
        item.nodes = std::mem::take(&mut attributes);
        found.push(item);
    }
    // An attribute that stands on nothing is still there.
    found.extend(
        attributes
            .into_iter()
            .map(|node| Item::new(Role::Directive, node)),
    );
    found
}

fn item<'a>(node: Node<'a>, attributes: &[Node<'a>]) -> Item<'a> {
    let name = node.field_text("name");
    match node.kind() {
        "use_declaration" | "extern_crate_declaration" if attributes.is_empty() => Item {
            bindings: imports::bindings(node),
            ..Item::new(Role::Import, node)
        },
        "inner_attribute_item" | "shebang" => Item::new(Role::Directive, node),
        "mod_item" => Item {
            body: node.field("body").map(|body| (body, Scope::File)),
            ..Item::new(Role::Group, node).named(name)
        },
        "function_item" => {
            let role = if attributes.iter().any(|attribute| tests(*attribute)) {
                Role::Test
            } else if attributes.iter().any(|attribute| {
                let path = attribute_path(*attribute);
                path.ends_with("ctor")
                    || path.ends_with("dtor")
                    || path.contains("link_section")
                    || path.contains("no_mangle")
                    || attribute_text(*attribute).contains("no_mangle")
            }) {
                Role::Hook
            } else {
                Role::Definition
            };
            Item {
                skipped: skip_of(attributes),
                ..Item::new(role, node).named(name)
            }
        }
        "impl_item" if node.field("trait").is_none() => Item {
            body: node.field("body").map(|body| (body, Scope::File)),
            title: format!("impl {}", node.field_text("type")),
            ..Item::new(Role::Group, node)
        },
        "impl_item" => Item::new(Role::Definition, node).titled(format!(
            "impl {} for {}",
            node.field_text("trait"),
            node.field_text("type")
        )),
        "foreign_mod_item" => Item::new(Role::Statement, node),
        "expression_statement" | "macro_invocation" | "empty_statement" => {
            Item::new(Role::Statement, node)
        }
        _ if !name.is_empty() => Item::new(Role::Definition, node).named(name),
        _ => Item::new(Role::Statement, node),
    }
}

/// The words that skip a test, or turn its verdict round.
pub(super) fn skip_of(attributes: &[Node<'_>]) -> Option<(u32, String)> {
    attributes
        .iter()
        .find(|attribute| {
            let path = attribute_path(**attribute);
            let text = attribute_text(**attribute);
            path == "ignore"
                || path == "cfg_attr" && text.contains("ignore")
                || path == "cfg" && !test_only(**attribute)
        })
        .map(|attribute| (attribute.line(), attribute.brief()))
}
