//! Python as pytest and unittest read it.

use super::form::docstring_node;
use super::imports;
use super::items::{Item, Role, Scope};
use super::names;
use super::parse::Node;

/// Names that pytest, unittest or Python itself looks for in a module or a class.
const HOOKS: &[&str] = &[
    "setUp",
    "tearDown",
    "setUpClass",
    "tearDownClass",
    "asyncSetUp",
    "asyncTearDown",
    "setUpModule",
    "tearDownModule",
    "setup_module",
    "teardown_module",
    "setup_class",
    "teardown_class",
    "setup_method",
    "teardown_method",
    "setup_function",
    "teardown_function",
    "setup",
    "teardown",
    "load_tests",
    "pytestmark",
    "pytest_plugins",
    "collect_ignore",
    "collect_ignore_glob",
    "__test__",
    "__getattr__",
    "__path__",
    "__unittest",
    "__name__",
    "__file__",
    "__builtins__",
    "__all__",
    "_pytestfixturefunction",
];

/// What a test's class inherits from `unittest.TestCase`, apart from assertions.
const INHERITED: &[&str] = &[
    "run",
    "runTest",
    "debug",
    "doCleanups",
    "addCleanup",
    "subTest",
    "fail",
    "skipTest",
    "id",
    "failureException",
    "countTestCases",
    "defaultTestResult",
    "doClassCleanups",
    "addClassCleanup",
    "enterContext",
    "longMessage",
    "addTypeEqualityFunc",
    "shortDescription",
];

/// Whether a name has a meaning to what runs the tests, in the scope that it stands in.
pub(super) fn hook_name(name: &str, scope: Scope) -> bool {
    HOOKS.contains(&name)
        || name.starts_with("pytest_")
        || scope == Scope::Class
            && (INHERITED.contains(&name)
                || name.starts_with("assert")
                || name.starts_with("_call")
                || name.starts_with("__") && name.ends_with("__") && name != "__doc__")
}

/// The decorators of a definition: their expressions.
pub(super) fn decorators(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let decorated = node.kind() == "decorated_definition";
    node.parts()
        .filter(move |part| decorated && part.kind() == "decorator")
        .filter_map(|decorator| decorator.parts().next())
}

/// The function or class under decorators.
pub(super) fn definition(node: Node<'_>) -> Node<'_> {
    if node.kind() == "decorated_definition" {
        node.field("definition").unwrap_or(node)
    } else {
        node
    }
}

/// The words that skip what these decorators stand on.
pub(super) fn skip_of(node: Node<'_>) -> Option<(u32, String)> {
    decorators(node)
        .find(|decorator| skips(*decorator))
        .map(|decorator| (decorator.line(), decorator.brief()))
}

/// Whether an expression is a mark that skips: `pytest.mark.skip(...)`, `unittest.skipIf(...)`, `skip`, `xfail`.
pub(super) fn skips(expression: Node<'_>) -> bool {
    let name = match expression.kind() {
        "call" => expression.field_text("function"),
        _ => expression.text(),
    };
    matches!(
        name.rsplit('.').next().unwrap_or(name).trim(),
        "skip"
            | "skipif"
            | "skipIf"
            | "skipUnless"
            | "xfail"
            | "expectedFailure"
            | "skip_if"
            | "skipIfNot"
    )
}

/// The items of a module or of a class.
pub(super) fn items(parent: Node<'_>, scope: Scope) -> Vec<Item<'_>> {
    parent
        .parts()
        .filter_map(|node| item(node, scope))
        .collect()
}

fn item(node: Node<'_>, scope: Scope) -> Option<Item<'_>> {
    Some(match node.kind() {
        "import_statement" | "import_from_statement" | "future_import_statement" => Item {
            bindings: imports::bindings(node),
            ..Item::new(Role::Import, node)
        },
        "function_definition" | "class_definition" | "decorated_definition" => {
            let inner = definition(node);
            let name = inner.field_text("name");
            if inner.kind() == "class_definition" {
                Item {
                    body: inner.field("body").map(|body| (body, Scope::Class)),
                    skipped: skip_of(node),
                    ..Item::new(Role::Group, node).named(name)
                }
            } else {
                let fixture = decorators(node).any(|decorator| {
                    decorator.text().contains("fixture") && decorator.text().contains("autouse")
                });
                let role = if hook_name(name, scope) || fixture {
                    Role::Hook
                } else if name.starts_with("test") {
                    Role::Test
                } else {
                    Role::Definition
                };
                Item {
                    skipped: skip_of(node),
                    ..Item::new(role, node).named(name)
                }
            }
        }
        "expression_statement" => {
            if docstring_node(node).is_some() {
                if !node.text().contains(">>>") {
                    return None;
                }
                return Some(Item::new(Role::Test, node).titled("doctest"));
            }
            let only = node.parts().next()?;
            let names = names::declared(node);
            if only.kind() == "assignment" && !names.is_empty() {
                let role = if names.iter().any(|name| hook_name(name, scope)) {
                    Role::Hook
                } else {
                    Role::Definition
                };
                return Some(Item {
                    title: names.join(", "),
                    names,
                    ..Item::new(role, node)
                });
            }
            if only.is(&["string", "ellipsis"]) {
                return None;
            }
            Item::new(Role::Statement, node)
        }
        "pass_statement" => return None,
        "type_alias_statement" => Item::new(Role::Definition, node),
        _ => Item::new(Role::Statement, node),
    })
}
