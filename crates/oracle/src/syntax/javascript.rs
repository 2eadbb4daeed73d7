//! JavaScript and TypeScript as jest, vitest, mocha, ava and node's runner read them.

use super::form::string_content;
use super::imports;
use super::items::{Item, Role, Scope};
use super::names;
use super::parse::Node;

const GROUPS: &[&str] = &[
    "describe",
    "context",
    "suite",
    "fdescribe",
    "xdescribe",
    "fcontext",
    "xcontext",
    "xsuite",
];
const TESTS: &[&str] = &[
    "it", "test", "specify", "fit", "xit", "xtest", "ftest", "xspecify", "fspecify", "bench",
];
/// Functions that run around tests.
pub(super) const HOOKS: &[&str] = &[
    "beforeEach",
    "beforeAll",
    "afterEach",
    "afterAll",
    "before",
    "after",
    "setup",
    "teardown",
    "suiteSetup",
    "suiteTeardown",
];
const SKIPS: &[&str] = &[
    "skip", "todo", "failing", "fails", "skipIf", "runIf", "fixme",
];

/// A call that declares tests, a group of them, or a hook.
pub(super) struct Declared<'a> {
    /// Which of them.
    pub role: Role,
    /// Its title.
    pub title: String,
    /// Its function.
    pub callback: Option<Node<'a>>,
    /// The words that skip it.
    pub skipped: Option<(u32, String)>,
    /// Where `only` is.
    pub only: Option<u32>,
}

/// The name that a callee begins with, the members that follow, and arguments of calls in between:
/// `it.only.each(table)` is `it`, `[only, each]`, `[(table)]`.
pub(super) fn callee<'a>(call: Node<'a>) -> Option<(Node<'a>, Vec<&'a str>, Vec<Node<'a>>)> {
    let mut members = Vec::new();
    let mut tables = Vec::new();
    let mut node = call.field("function")?;
    loop {
        match node.kind() {
            "member_expression" => {
                members.push(node.field_text("property"));
                node = node.field("object")?;
            }
            "call_expression" => {
                tables.extend(node.field("arguments"));
                node = node.field("function")?;
            }
            "parenthesized_expression" => node = node.parts().next()?,
            "identifier" | "this" => break,
            _ => return None,
        }
    }
    members.reverse();
    tables.reverse();
    Some((node, members, tables))
}

/// What a call declares, if it declares something.
pub(super) fn declared(call: Node<'_>) -> Option<Declared<'_>> {
    if call.kind() != "call_expression" {
        return None;
    }
    let (root, members, _) = callee(call)?;
    let name = root.text();
    let hooked = members.iter().find(|member| HOOKS.contains(member));
    let role = if HOOKS.contains(&name) && members.is_empty()
        || TESTS.contains(&name) && hooked.is_some()
    {
        Role::Hook
    } else if GROUPS.contains(&name) || TESTS.contains(&name) && members.contains(&"describe") {
        Role::Group
    } else if TESTS.contains(&name) || members == ["test"] {
        Role::Test
    } else {
        return None;
    };
    let arguments = call.field("arguments")?;
    if arguments.kind() != "arguments" {
        return None;
    }
    let callback = arguments
        .parts()
        .filter(|argument| function(*argument))
        .last();
    let title = arguments.parts().next()?;
    if role == Role::Hook {
        callback?;
    } else if callback.is_none() {
        let spelled = title.is(&["string", "template_string"]);
        let empty = members.iter().any(|member| SKIPS.contains(member))
            || name.starts_with('x')
            || arguments.parts().count() == 1 && TESTS.contains(&name) && members.is_empty();
        // A test whose function is named elsewhere: `it('adds', adds)`.
        let named = arguments.parts().count() > 1
            && members != ["test"]
            && arguments.parts().last().is_some_and(|last| {
                last.is(&["identifier", "call_expression", "member_expression"])
            });
        if !spelled || !empty && !named {
            return None;
        }
    }
    let line = call.line();
    let word = |word: &str| Some((line, word.to_string()));
    let mut skipped = members
        .iter()
        .find(|member| SKIPS.contains(member))
        .and_then(|member| word(&format!("{name}.{member}")));
    if name.starts_with('x') && (TESTS.contains(&name) || GROUPS.contains(&name)) {
        skipped = word(name);
    }
    if role == Role::Test
        && callback.is_none()
        && arguments.parts().count() == 1
        && skipped.is_none()
    {
        skipped = word("no function");
    }
    let mut only =
        (members.contains(&"only") || name.starts_with('f') && name != "function").then_some(line);
    for options in arguments
        .parts()
        .filter(|argument| argument.kind() == "object")
    {
        for pair in options.parts().filter(|part| part.kind() == "pair") {
            let key = pair.field_text("key");
            let off = pair
                .field("value")
                .is_some_and(|value| matches!(value.text(), "false" | "undefined" | "null"));
            match key {
                "skip" | "todo" | "fails" if !off => skipped = Some((pair.line(), pair.brief())),
                "only" if !off => only = Some(pair.line()),
                _ => {}
            }
        }
    }
    Some(Declared {
        role,
        title: if title.is(&["string", "template_string"]) {
            string_content(title)
                .replace("\\'", "'")
                .replace("\\\"", "\"")
        } else {
            title.brief()
        },
        callback,
        skipped,
        only,
    })
}

/// Whether a node is a function.
pub(super) fn function(node: Node<'_>) -> bool {
    node.is(&[
        "arrow_function",
        "function_expression",
        "function",
        "generator_function",
    ])
}

/// The call that a statement is.
pub(super) fn statement_call(statement: Node<'_>) -> Option<Node<'_>> {
    let mut node = statement.parts().next()?;
    while node.is(&[
        "await_expression",
        "parenthesized_expression",
        "unary_expression",
    ]) {
        node = node.parts().last()?;
    }
    (node.kind() == "call_expression").then_some(node)
}

/// The items of a program or of a block.
pub(super) fn items(parent: Node<'_>) -> Vec<Item<'_>> {
    parent.parts().map(item).collect()
}

fn item(node: Node<'_>) -> Item<'_> {
    match node.kind() {
        "import_statement" => Item {
            bindings: imports::bindings(node),
            ..Item::new(Role::Import, node)
        },
        "hash_bang_line" => Item::new(Role::Directive, node),
        "expression_statement" => match statement_call(node).and_then(declared) {
            Some(declared) => Item {
                body: (declared.role == Role::Group)
                    .then(|| declared.callback?.field("body"))
                    .flatten()
                    .filter(|body| body.kind() == "statement_block")
                    .map(|body| (body, Scope::Group)),
                skipped: declared.skipped,
                only: declared.only,
                ..Item::new(declared.role, node).titled(declared.title)
            },
            None if node
                .parts()
                .next()
                .is_some_and(|only| only.kind() == "string") =>
            {
                Item::new(Role::Directive, node)
            }
            None => Item::new(Role::Statement, node),
        },
        "lexical_declaration" | "variable_declaration" => {
            let bindings = imports::bindings(node);
            let role = if bindings.is_empty() {
                Role::Definition
            } else {
                Role::Import
            };
            let names = names::declared(node);
            Item {
                title: names.join(", "),
                names,
                bindings,
                ..Item::new(role, node)
            }
        }
        "function_declaration"
        | "generator_function_declaration"
        | "class_declaration"
        | "abstract_class_declaration"
        | "interface_declaration"
        | "type_alias_declaration"
        | "enum_declaration"
        | "internal_module"
        | "module"
        | "function_signature" => Item::new(Role::Definition, node).named(node.field_text("name")),
        "export_statement" => match node.field("declaration") {
            Some(declaration) => {
                let inner = item(declaration);
                Item {
                    title: inner.title,
                    names: inner.names,
                    ..Item::new(Role::Definition, node)
                }
            }
            None => Item::new(Role::Statement, node),
        },
        _ => Item::new(Role::Statement, node),
    }
}
