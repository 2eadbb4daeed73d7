//! The tests of a file: their names as the runners know them, what skips them, what they assert.

use super::assertions::{self, Asserted};
use super::doctests;
use super::form::{Without, forms};
use super::items::{Item, Role, Scope, items};
use super::parse::{Node, Source};
use super::{Assertion, Language, TestCase, go, javascript, python, rust};

/// How many groups within groups are looked into.
const GROUPS_DEPTH_MAX: usize = 64;
/// Most tests that are read of one file.
const TESTS_MAX: usize = 5_000;

/// A test with the syntax that it is made of.
pub(super) struct Case<'a> {
    /// Groups, then its own name.
    pub name: Vec<String>,
    /// Its syntax; empty for doctests.
    pub nodes: Vec<Node<'a>>,
    /// Its own name in it, if it is one node.
    pub named: Option<Node<'a>>,
    /// Where it begins.
    pub line: u32,
    /// See [`TestCase::skipped`].
    pub skipped: Option<(u32, String)>,
    /// See [`TestCase::only`].
    pub only: Option<u32>,
    /// What it asserts.
    pub asserted: Vec<Asserted<'a>>,
    /// The text of a doctest.
    pub doctest: Option<String>,
}

/// What a test inherits from the groups around it.
#[derive(Clone, Default)]
struct Around {
    name: Vec<String>,
    skipped: Option<(u32, String)>,
    only: Option<u32>,
}

/// See [`super::tests`].
pub(super) fn tests(language: Language, source: &[u8]) -> Vec<TestCase> {
    let Some(source) = Source::parse(language, source) else {
        return Vec::new();
    };
    cases(&source)
        .into_iter()
        .map(|case| TestCase {
            form: case.form(),
            assertions: case
                .asserted
                .iter()
                .map(|asserted| Assertion {
                    line: asserted.node.line(),
                    text: asserted.node.brief(),
                    trivial: asserted.trivial(),
                })
                .collect(),
            name: case.name,
            line: case.line,
            skipped: case.skipped,
            only: case.only,
        })
        .collect()
}

impl Case<'_> {
    /// Its syntax without its own name.
    pub fn form(&self) -> Vec<u8> {
        match &self.doctest {
            Some(text) => text.clone().into_bytes(),
            None => forms(
                &self.nodes,
                Without {
                    node: self.named,
                    numbers: false,
                },
            ),
        }
    }
}

/// The tests of a file that was read.
pub(super) fn cases<'a>(source: &'a Source<'a>) -> Vec<Case<'a>> {
    let mut found = match source.language {
        Language::JavaScript | Language::TypeScript | Language::Tsx => in_javascript(source),
        _ => {
            let mut found = Vec::new();
            let mut around = Around::default();
            if source.language == Language::Python {
                around.skipped = module_skip(source.root());
            }
            below(source.root(), Scope::File, &around, 0, &mut found);
            found
        }
    };
    for doctest in doctests::all(source) {
        found.push(Case {
            name: doctest.name,
            nodes: Vec::new(),
            named: None,
            line: doctest.line,
            skipped: doctest.skipped,
            only: None,
            asserted: Vec::new(),
            doctest: Some(doctest.text),
        });
    }
    found.truncate(TESTS_MAX);
    found
}

fn below<'a>(
    body: Node<'a>,
    scope: Scope,
    around: &Around,
    depth: usize,
    found: &mut Vec<Case<'a>>,
) {
    if depth > GROUPS_DEPTH_MAX {
        return;
    }
    for item in items(body, scope) {
        if found.len() >= TESTS_MAX {
            return;
        }
        let node = item.node();
        let mut inner = around.clone();
        inner.name.push(item.title.clone());
        if inner.skipped.is_none() {
            inner.skipped = item.skipped.clone().or_else(|| match item.node().kind() {
                "mod_item" => rust::skip_of(&item.nodes[..item.nodes.len() - 1]),
                _ => None,
            });
        }
        match item.role {
            Role::Test if item.title == "doctest" && node.kind() == "expression_statement" => {}
            Role::Test => {
                let groups = inner.clone();
                found.push(case(&item, inner));
                if let Some((body, scope)) = item.body {
                    below(body, scope, &groups, depth + 1, found);
                }
            }
            Role::Group => {
                if let Some((body, scope)) = item.body {
                    below(body, scope, &inner, depth + 1, found);
                }
            }
            Role::Statement if node.walk().any(|part| part.kind() == "macro_invocation") => {
                generated(&item, around, found);
            }
            Role::Statement if source_is(node, Language::Go) => {
                // Subtests in loops and blocks; what they are called is known only where it is written out.
                for call in node.walk().filter(|part| part.kind() == "call_expression") {
                    if let Some((title, _)) = go::subtest(call)
                        && title.kind() == "interpreted_string_literal"
                    {
                        let mut inner = around.clone();
                        inner.name.push(title.text().trim_matches('"').to_string());
                        found.push(case(&Item::new(Role::Test, call), inner));
                    }
                }
            }
            _ => {}
        }
    }
}

fn source_is(node: Node<'_>, language: Language) -> bool {
    node.source().language == language
}

fn case<'a>(item: &Item<'a>, around: Around) -> Case<'a> {
    let node = item.node();
    let body = body_of(node);
    Case {
        name: around.name,
        named: python::definition(node).field("name"),
        line: node.line(),
        skipped: around.skipped.or_else(|| body.and_then(skip_in_body)),
        only: around.only.or(item.only),
        asserted: assertions::of(&item.nodes),
        nodes: item.nodes.clone(),
        doctest: None,
    }
}

/// Tests that a macro makes of functions in it: `proptest! { #[test] fn holds(x in 0..9) { ... } }`.
fn generated<'a>(item: &Item<'a>, around: &Around, found: &mut Vec<Case<'a>>) {
    let Some(invocation) = item
        .node()
        .walk()
        .find(|part| part.kind() == "macro_invocation")
    else {
        return;
    };
    let Some(tokens) = invocation.child("token_tree") else {
        return;
    };
    let tokens: Vec<Node<'a>> = tokens.children().filter(|token| !token.extra()).collect();
    for at in 0..tokens.len().saturating_sub(1) {
        if tokens[at].text() == "fn" && tokens[at + 1].kind() == "identifier" {
            let end = tokens[at..]
                .iter()
                .position(|token| token.kind() == "token_tree" && token.text().starts_with('{'))
                .map_or(tokens.len(), |length| at + length + 1);
            let nodes = tokens[at..end].to_vec();
            let mut name = around.name.clone();
            name.push(tokens[at + 1].text().to_string());
            found.push(Case {
                name,
                named: Some(tokens[at + 1]),
                line: tokens[at].line(),
                skipped: around.skipped.clone(),
                only: None,
                asserted: assertions::of(&nodes),
                nodes,
                doctest: None,
            });
        }
    }
}

/// What holds the statements of a test.
pub(super) fn body_of(node: Node<'_>) -> Option<Node<'_>> {
    match node.source().language {
        Language::Python => python::definition(node).field("body"),
        Language::Go => match go::subtest(node) {
            Some((_, function)) => go::statements(function),
            None => go::statements(node),
        },
        Language::Rust | Language::Java => node.field("body"),
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            let call = if node.kind() == "call_expression" {
                node
            } else {
                javascript::statement_call(node)?
            };
            javascript::declared(call)?.callback?.field("body")
        }
    }
}

/// A statement directly in a test's body that skips it.
fn skip_in_body(body: Node<'_>) -> Option<(u32, String)> {
    body.parts()
        .find(|statement| {
            statement.is(&["expression_statement", "raise_statement"]) && skipping(*statement)
        })
        .map(|statement| (statement.line(), statement.brief()))
}

fn skipping(statement: Node<'_>) -> bool {
    let Some(call) = statement.parts().next() else {
        return false;
    };
    match statement.source().language {
        Language::Python => {
            let name = if call.kind() == "call" {
                call.field_text("function")
            } else {
                call.text()
            };
            matches!(
                name,
                "pytest.skip"
                    | "self.skipTest"
                    | "pytest.xfail"
                    | "unittest.SkipTest"
                    | "SkipTest"
                    | "skip"
                    | "xfail"
            )
        }
        Language::Go => call.field("function").is_some_and(|callee| {
            callee.kind() == "selector_expression"
                && matches!(callee.field_text("field"), "Skip" | "Skipf" | "SkipNow")
        }),
        Language::JavaScript | Language::TypeScript | Language::Tsx => {
            let callee = call.field_text("function");
            callee == "pending"
                || callee.rsplit_once('.').is_some_and(|(object, member)| {
                    matches!(object, "this" | "t" | "ctx" | "context" | "test" | "it")
                        && matches!(member, "skip" | "todo")
                })
        }
        Language::Java => {
            matches!(call.field_text("name"), "assumeTrue" | "assumeFalse")
                && call.field("arguments").is_some_and(|list| {
                    list.parts()
                        .next()
                        .is_some_and(|first| first.is(&["true", "false"]))
                })
        }
        Language::Rust => false,
    }
}

/// What skips a whole Python module.
fn module_skip(root: Node<'_>) -> Option<(u32, String)> {
    root.parts()
        .filter(|statement| statement.kind() == "expression_statement")
        .find(|statement| {
            let Some(only) = statement.parts().next() else {
                return false;
            };
            match only.kind() {
                "assignment" => {
                    only.field_text("left") == "pytestmark"
                        && only
                            .field("right")
                            .is_some_and(|right| right.walk().any(python::skips))
                }
                "call" => only.field_text("function") == "pytest.skip",
                _ => false,
            }
        })
        .map(|statement| (statement.line(), statement.brief()))
}

fn in_javascript<'a>(source: &'a Source<'a>) -> Vec<Case<'a>> {
    let mut found: Vec<Case<'a>> = Vec::new();
    let mut open: Vec<(Node<'a>, Around)> = Vec::new();
    for node in source.all().filter(|node| node.kind() == "call_expression") {
        while open.last().is_some_and(|(group, _)| !group.holds(node)) {
            open.pop();
        }
        let Some(declared) = javascript::declared(node) else {
            continue;
        };
        if declared.role == Role::Hook || found.len() >= TESTS_MAX {
            continue;
        }
        let mut around = open
            .last()
            .map(|(_, around)| around.clone())
            .unwrap_or_default();
        // Names of groups that are nested without end would grow with the square of the file.
        if around.name.len() >= GROUPS_DEPTH_MAX {
            continue;
        }
        around.name.push(declared.title);
        around.skipped = around.skipped.or(declared.skipped);
        around.only = around.only.or(declared.only);
        if declared.role == Role::Test {
            let body = declared
                .callback
                .and_then(|function| function.field("body"));
            let title = node.field("arguments").and_then(|list| list.parts().next());
            found.push(Case {
                name: around.name.clone(),
                nodes: vec![node],
                named: title,
                line: node.line(),
                skipped: around
                    .skipped
                    .clone()
                    .or_else(|| body.and_then(skip_in_body)),
                only: around.only,
                asserted: assertions::of(&[node]),
                doctest: None,
            });
        }
        open.push((node, around));
    }
    found
}
