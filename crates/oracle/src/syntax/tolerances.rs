//! How much room an assertion leaves: the numbers in it that are bounds, and which way they give more room.

use super::assertions::Asserted;
use super::form::{form, number};
use super::parse::Node;

/// Which way a bound gives more room.
#[derive(Clone, Copy, PartialEq)]
enum Wider {
    Up,
    Down,
}

/// Every number of an assertion in the order of the text: how wide it is as a bound (more is wider), or `None` for
/// numbers that are no bounds.
pub(super) fn widths(asserted: &Asserted<'_>) -> Vec<Option<f64>> {
    asserted
        .node
        .walk()
        .filter(|node| number(node.kind()))
        .map(|node| {
            let value = value(node)?;
            Some(match wider(node, asserted)? {
                Wider::Up => value,
                Wider::Down => -value,
            })
        })
        .collect()
}

/// What an assertion is about and how far off its value may be, where the width may be left out: `toBeCloseTo(x)` is
/// `toBeCloseTo(x, 2)`.
pub(super) fn defaulted(asserted: &Asserted<'_>) -> Option<(Vec<u8>, f64)> {
    let default = match asserted.method.as_str() {
        "toBeCloseTo" => 2.0,
        "assertAlmostEqual" | "assertAlmostEquals" | "assert_almost_equal" => 7.0,
        _ => return None,
    };
    let about: Vec<u8> = asserted
        .arguments
        .iter()
        .take(2)
        .flat_map(|argument| form(argument[0]))
        .collect();
    let half_of_last = |digits: f64| 0.5 * 10f64.powf(-digits);
    let width = match asserted.arguments.get(2) {
        None => half_of_last(default),
        Some(argument) => {
            let node = argument[0];
            let value = value(node.walk().find(|part| number(part.kind()))?)?;
            match (node.kind(), node.field_text("name")) {
                ("keyword_argument", "delta") => value,
                ("keyword_argument", "places" | "decimal") => half_of_last(value),
                ("keyword_argument", _) => return None,
                _ => half_of_last(value),
            }
        }
    };
    Some((about, width))
}

fn value(node: Node<'_>) -> Option<f64> {
    let text: String = node
        .text()
        .chars()
        .filter(|c| *c != '_')
        .collect::<String>()
        .trim_end_matches(['f', 'F', 'd', 'D', 'L'])
        .trim_end_matches("f64")
        .trim_end_matches("f32")
        .to_string();
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

fn named(name: &str) -> Option<Wider> {
    match name {
        "delta" | "rel" | "abs" | "rel_tol" | "abs_tol" | "atol" | "rtol" | "epsilon"
        | "max_relative" | "tolerance" | "tol" | "max_ulps" | "eps" | "numDigitsTolerance" => {
            Some(Wider::Up)
        }
        "places" | "decimal" | "significant" | "digits" | "precision" => Some(Wider::Down),
        _ => None,
    }
}

fn wider(node: Node<'_>, asserted: &Asserted<'_>) -> Option<Wider> {
    // The number itself may be wrapped: `-1`, `literal_element`.
    let mut inner = node;
    for outer in node.ancestors().take(6) {
        match outer.kind() {
            "keyword_argument" | "pair" => {
                let name = outer
                    .field("name")
                    .or_else(|| outer.field("key"))
                    .map_or("", Node::text);
                return named(name);
            }
            "comparison_operator" | "binary_expression" => {
                let operators: Vec<Node<'_>> = outer
                    .children()
                    .filter(|child| matches!(child.text(), "<" | "<=" | ">" | ">="))
                    .collect();
                if let [operator] = operators.as_slice() {
                    return compared(
                        operator.text(),
                        operator.start() < inner.start(),
                        asserted.negated,
                    );
                }
                if outer
                    .children()
                    .any(|child| matches!(child.text(), "==" | "!=" | "===" | "!==" | "in" | "is"))
                {
                    return None;
                }
            }
            "token_tree" => return in_tokens(outer, inner, asserted),
            "argument_list" | "arguments" => return in_arguments(outer, inner, asserted),
            _ => {}
        }
        inner = outer;
    }
    None
}

/// `x < n` gives more room with a greater `n`. Where the condition is what fails the test it is the other way round.
fn compared(operator: &str, right: bool, negated: bool) -> Option<Wider> {
    let upper = operator.starts_with('<') == right;
    Some(if upper != negated {
        Wider::Up
    } else {
        Wider::Down
    })
}

fn in_tokens(tokens: Node<'_>, node: Node<'_>, asserted: &Asserted<'_>) -> Option<Wider> {
    let all: Vec<Node<'_>> = tokens.children().filter(|token| !token.extra()).collect();
    let at = all.iter().position(|token| *token == node)?;
    let before = |back: usize| at.checked_sub(back).map_or("", |at| all[at].text());
    if before(1) == "=" {
        return named(before(2));
    }
    let after = all.get(at + 1).map_or("", |token| token.text());
    let minus = usize::from(before(1) == "-");
    match (before(1 + minus), after) {
        (operator @ ("<" | "<=" | ">" | ">="), _) => compared(operator, true, false),
        (_, operator @ ("<" | "<=" | ">" | ">=")) => compared(operator, false, false),
        // `assert_delta!(a, b, 0.1)` and the like.
        _ => {
            let last = asserted.arguments.last()?;
            let bound = ["delta", "close", "near", "approx", "within"]
                .iter()
                .any(|word| asserted.method.contains(word));
            (bound && asserted.arguments.len() > 2 && last.contains(&node)).then_some(Wider::Up)
        }
    }
}

fn in_arguments(list: Node<'_>, node: Node<'_>, asserted: &Asserted<'_>) -> Option<Wider> {
    let at = list.parts().position(|argument| argument == node)?;
    let call = list.parent()?;
    let callee = call
        .field("function")
        .or_else(|| call.field("name"))
        .map_or("", Node::text);
    let method = callee.rsplit('.').next().unwrap_or(callee);
    let last = at + 1 == list.parts().count();
    match (method, at) {
        ("toBeCloseTo", 1)
        | (
            "assertAlmostEqual"
            | "assertAlmostEquals"
            | "assertNotAlmostEqual"
            | "assert_almost_equal",
            2,
        ) => Some(Wider::Down),
        ("approx", 1 | 2)
        | ("closeTo" | "approximately", 1 | 2)
        | ("assertEquals" | "assertArrayEquals", 2) => {
            // `assertEquals("message", 1, total)`: the third is a bound only if the second is no message.
            (method != "assertEquals" || node.is(&["decimal_floating_point_literal"]))
                .then_some(Wider::Up)
        }
        ("within" | "offset" | "byLessThan" | "withPercentage" | "withinPercentage", _) => {
            Some(Wider::Up)
        }
        ("InDelta" | "InEpsilon" | "InDeltaSlice", _) => {
            (at == 3 || last && at >= 2).then_some(Wider::Up)
        }
        ("isclose" | "allclose" | "assert_allclose", at) => (at >= 2).then_some(Wider::Up),
        (
            "toBeLessThan"
            | "toBeLessThanOrEqual"
            | "below"
            | "most"
            | "lessThan"
            | "isLessThan"
            | "isLessThanOrEqualTo"
            | "lessThanOrEqualTo",
            0,
        ) => Some(flip(Wider::Up, asserted)),
        (
            "toBeGreaterThan"
            | "toBeGreaterThanOrEqual"
            | "above"
            | "least"
            | "greaterThan"
            | "isGreaterThan"
            | "isGreaterThanOrEqualTo"
            | "greaterThanOrEqualTo",
            0,
        ) => Some(flip(Wider::Down, asserted)),
        ("assertLess" | "assertLessEqual", 1) => Some(Wider::Up),
        ("assertGreater" | "assertGreaterEqual", 1) => Some(Wider::Down),
        ("Less" | "LessOrEqual", 2) => Some(Wider::Up),
        ("Greater" | "GreaterOrEqual", 2) => Some(Wider::Down),
        _ => None,
    }
}

fn flip(wider: Wider, asserted: &Asserted<'_>) -> Wider {
    match (wider, asserted.negated) {
        (wider, false) => wider,
        (Wider::Up, true) => Wider::Down,
        (Wider::Down, true) => Wider::Up,
    }
}
