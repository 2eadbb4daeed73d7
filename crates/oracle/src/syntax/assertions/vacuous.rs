//! Assertions that cannot fail as they are written.

use super::super::Language;
use super::super::form::{Without, form, forms, number};
use super::super::parse::Node;
use super::reach::falsy;
use super::recognise::{arguments_of, split};
use super::{Asserted, TRUTH};

/// Whether every leaf is a literal: nothing of the code under test can be in it.
fn constant(argument: &[Node<'_>]) -> bool {
    let mut any = false;
    for node in argument {
        for leaf in node.walk().filter(|part| part.named() && !part.extra()) {
            if !leaf.leaf() && leaf.kind() != "boolean_literal" {
                continue;
            }
            any = true;
            let literal = number(leaf.kind())
                || leaf.is(&[
                    "true",
                    "false",
                    "none",
                    "null",
                    "nil",
                    "undefined",
                    "string_fragment",
                    "string_content",
                    "string_start",
                    "string_end",
                    "escape_sequence",
                    "interpreted_string_literal_content",
                    "boolean_literal",
                    "string_literal",
                    "character_literal",
                    "char_literal",
                    "string",
                    "null_literal",
                    "raw_string_literal",
                    "raw_string_literal_content",
                ]);
            if !literal {
                return false;
            }
        }
    }
    any || argument.iter().any(|node| {
        node.is(&["string", "list", "dictionary", "array", "object"])
            && node.parts().next().is_none()
    })
}

/// Whether a condition is always true.
fn always(argument: &[Node<'_>]) -> bool {
    let [node] = argument else {
        return always_tokens(argument);
    };
    let node = node.bare();
    if constant(&[node]) && !falsy(node) {
        return true;
    }
    match node.kind() {
        "tuple" => node.parts().next().is_some(),
        "lambda" | "arrow_function" => true,
        "comparison_operator" | "binary_expression" => {
            let parts: Vec<Node<'_>> = node
                .parts()
                .filter(|part| part.field_name() != "operators")
                .collect();
            let operators: Vec<&str> = node
                .children()
                .filter(|part| part.field_name() == "operators" || part.field_name() == "operator")
                .map(Node::text)
                .collect();
            let [one, other] = parts.as_slice() else {
                return false;
            };
            let [operator] = operators.as_slice() else {
                return false;
            };
            match *operator {
                "==" | "===" | "is" | "<=" | ">=" | "in"
                    if form(one.bare()) == form(other.bare()) && !calls(*one) =>
                {
                    true
                }
                "||" => always(&[*one]) || always(&[*other]),
                "&&" => always(&[*one]) && always(&[*other]),
                ">=" => {
                    other.text() == "0"
                        && (one.text().starts_with("len(") || one.text().ends_with(".length"))
                }
                _ => false,
            }
        }
        "boolean_operator" => {
            let or = node.children().any(|part| part.kind() == "or");
            let mut sides = node.parts();
            if or {
                sides.any(|side| always(&[side]))
            } else {
                sides.all(|side| always(&[side]))
            }
        }
        "call" => {
            node.field_text("function") == "isinstance"
                && arguments_of(node)
                    .get(1)
                    .is_some_and(|class| class[0].text() == "object")
        }
        _ => false,
    }
}

/// Whether calling is part of it: two calls of one function need not give the same.
fn calls(node: Node<'_>) -> bool {
    node.walk()
        .any(|part| part.is(&["await", "await_expression", "yield"]))
}

/// The same for the tokens of a macro.
fn always_tokens(tokens: &[Node<'_>]) -> bool {
    if tokens.is_empty() {
        return false;
    }
    if constant(tokens) && tokens.len() == 1 {
        return tokens[0].text() == "true";
    }
    let at = |operators: &[&str]| {
        tokens
            .iter()
            .position(|token| operators.contains(&token.text()))
    };
    if let Some(at) = at(&["||"]) {
        return always_tokens(&tokens[..at]) || always_tokens(&tokens[at + 1..]);
    }
    if at(&["&&"]).is_some() {
        return false;
    }
    if let Some(at) = at(&["==", "<=", ">="]) {
        let (one, other) = (&tokens[..at], &tokens[at + 1..]);
        if plain_forms(one) == plain_forms(other) {
            return true;
        }
        return tokens[at].text() == ">="
            && other.len() == 1
            && other[0].text() == "0"
            && one.iter().any(|token| token.text() == "len");
    }
    if constant(tokens) {
        return true;
    }
    tokens.len() == 1
        && tokens[0].kind() == "token_tree"
        && always_tokens(&split(tokens[0]).concat())
}

fn plain_forms(nodes: &[Node<'_>]) -> Vec<u8> {
    let bare: Vec<Node<'_>> = nodes.iter().map(|node| node.bare()).collect();
    forms(&bare, Without::default())
}

/// Matchers that hold when both sides are equal.
const EQUALS: &[&str] = &[
    "toBe",
    "toEqual",
    "toStrictEqual",
    "equal",
    "equals",
    "eql",
    "eq",
    "deepEqual",
    "strictEqual",
    "deepStrictEqual",
    "is",
    "same",
    "strictSame",
    "assertEqual",
    "assertEquals",
    "assertIs",
    "assertListEqual",
    "assertDictEqual",
    "assertCountEqual",
    "assertAlmostEqual",
    "assert_eq",
    "prop_assert_eq",
    "debug_assert_eq",
    "Equal",
    "EqualValues",
    "Same",
    "assertSame",
    "isEqualTo",
    "isSameAs",
    "assertArrayEquals",
    "toBeCloseTo",
    "InDelta",
    "assertSequenceEqual",
    "assertGreaterEqual",
    "assertLessEqual",
    "assert_equal",
    "assert_array_equal",
    "assert_allclose",
    "assert_almost_equal",
    "toMatchObject",
    "assertIn",
    "toContain",
];

pub(super) fn vacuous(asserted: &Asserted<'_>) -> bool {
    let method = asserted.method.as_str();
    let arguments = &asserted.arguments;
    let javascript = matches!(
        asserted.node.source().language,
        Language::JavaScript | Language::TypeScript | Language::Tsx
    );
    // `expect(total)` alone asserts nothing.
    if javascript
        && method == "expect"
        && asserted.node.kind() == "call_expression"
        && asserted.node.field_text("function") == "expect"
    {
        let statement = asserted
            .node
            .parent()
            .is_some_and(|parent| parent.is(&["expression_statement", "await_expression"]));
        return statement;
    }
    if matches!(method, "pass") {
        return true;
    }
    if asserted.node.source().language == Language::Go && method == "if" {
        return arguments
            .first()
            .is_some_and(|condition| never(condition[0].bare()));
    }
    let Some(first) = arguments.first() else {
        return false;
    };
    if TRUTH.contains(&method) && !(javascript && arguments.len() > 1 && method == "toBe") {
        return if asserted.negated {
            false
        } else {
            always(first)
        };
    }
    if matches!(
        method,
        "assertFalse"
            | "False"
            | "isFalse"
            | "notOk"
            | "falsy"
            | "assertIsNone"
            | "Nil"
            | "assertNull"
            | "isNull"
    ) {
        return constant(first);
    }
    if matches!(
        method,
        "assertIsNotNone" | "assertNotNull" | "NotNil" | "toBeDefined" | "isNotNull" | "exist"
    ) {
        return constant(first)
            || first.len() == 1
                && first[0].is(&[
                    "object_creation_expression",
                    "dictionary",
                    "list",
                    "object",
                    "array",
                ]);
    }
    if let Some(second) = arguments.get(1) {
        let same =
            plain_forms(first) == plain_forms(second) && !first.iter().any(|node| calls(*node));
        if EQUALS.contains(&method) && !asserted.negated && same {
            return true;
        }
        let compared = EQUALS.contains(&method)
            || javascript && method.starts_with("to")
            || method.starts_with("assertGreater")
            || method.starts_with("assertLess")
            || matches!(
                method,
                "assert_ne" | "assertNotEqual" | "assertNotEquals" | "NotEqual"
            );
        return compared && constant(first) && constant(second);
    }
    javascript
        && constant(first)
        && (method.starts_with("to") || matches!(method, "true" | "ok" | "false"))
}

/// Whether a condition never holds.
fn never(condition: Node<'_>) -> bool {
    if falsy(condition) {
        return true;
    }
    if condition.kind() != "binary_expression" {
        return false;
    }
    let (Some(one), Some(other)) = (condition.field("left"), condition.field("right")) else {
        return false;
    };
    match condition.field_text("operator") {
        "!=" | "<" | ">" => {
            form(one.bare()) == form(other.bare()) || constant(&[one]) && constant(&[other])
        }
        "&&" => never(one.bare()) || never(other.bare()),
        "==" => constant(&[one]) && constant(&[other]),
        _ => false,
    }
}
