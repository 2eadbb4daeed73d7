//! What a test asserts, and whether that can fail at all.

mod reach;
mod recognise;
mod vacuous;

use super::form::{Without, forms};
use super::parse::Node;
use reach::unreached;
use recognise::assertion;
use vacuous::vacuous;

/// Most assertions that are read of one test.
const ASSERTIONS_MAX: usize = 2_000;

/// How much an assertion says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// It cannot fail.
    Nothing,
    /// That something is there at all.
    Weak,
    /// A value within bounds.
    Bounded,
    /// A value.
    Strict,
}

/// One assertion.
pub(super) struct Asserted<'a> {
    /// All of it.
    pub node: Node<'a>,
    /// The name of the function, macro or matcher that decides.
    pub method: String,
    /// What it is about, then what that is compared with.
    pub arguments: Vec<Vec<Node<'a>>>,
    /// Whether it is turned round: `expect(a).not`, or Go's `if wrong { t.Error() }`.
    pub negated: bool,
    /// Why it is never reached, or what it says does not count.
    pub unreached: bool,
    /// Whether it cannot fail as it is written.
    pub vacuous: bool,
}

impl Asserted<'_> {
    /// Whether it cannot fail.
    pub fn trivial(&self) -> bool {
        self.vacuous || self.unreached
    }

    /// How much it says.
    pub fn strength(&self) -> Strength {
        if self.trivial() {
            return Strength::Nothing;
        }
        let method = self.method.as_str();
        let about = self
            .arguments
            .first()
            .and_then(|argument| argument.last())
            .copied();
        let truth = TRUTH.contains(&method);
        if WEAK.contains(&method)
            || self.negated
                && matches!(
                    method,
                    "toBeNull" | "toBeUndefined" | "toThrow" | "toBe" | "toEqual" | "Nil" | "Empty"
                )
        {
            return Strength::Weak;
        }
        if truth && about.is_some_and(|about| weak_condition(about, &self.arguments[0])) {
            return Strength::Weak;
        }
        if BOUNDED.contains(&method) || self.node.walk().any(bounding) {
            return Strength::Bounded;
        }
        Strength::Strict
    }

    /// Its form, with or without its numbers.
    pub fn form(&self, numbers: bool) -> Vec<u8> {
        forms(
            &[self.node],
            Without {
                node: None,
                numbers: !numbers,
            },
        )
    }
}

const TRUTH: &[&str] = &[
    "assert",
    "ok",
    "assertTrue",
    "True",
    "toBeTruthy",
    "isTrue",
    "debug_assert",
    "prop_assert",
    "is_true",
    "true",
    "truthy",
];
const WEAK: &[&str] = &[
    "toBeDefined",
    "toBeTruthy",
    "toBeInstanceOf",
    "assertIsNotNone",
    "assertIsInstance",
    "NotNil",
    "NotEmpty",
    "assertNotNull",
    "isNotNull",
    "assertDoesNotThrow",
    "doesNotThrow",
    "exist",
    "exists",
    "isNotEmpty",
    "notThrows",
    "truthy",
    "NotPanics",
    "toHaveBeenCalled",
    "assert_called",
    "anything",
    "isOk",
    "notEqual",
    "assertNotEqual",
    "assertNotEquals",
    "NotEqual",
    "assert_ne",
];
const BOUNDED: &[&str] = &[
    "toBeCloseTo",
    "assertAlmostEqual",
    "assert_almost_equal",
    "assertAlmostEquals",
    "assert_allclose",
    "InDelta",
    "InEpsilon",
    "closeTo",
    "approximately",
    "isCloseTo",
    "assert_relative_eq",
    "assert_abs_diff_eq",
    "assert_ulps_eq",
    "toBeGreaterThan",
    "toBeGreaterThanOrEqual",
    "toBeLessThan",
    "toBeLessThanOrEqual",
    "assertGreater",
    "assertGreaterEqual",
    "assertLess",
    "assertLessEqual",
    "isGreaterThan",
    "isLessThan",
    "isBetween",
];

/// Parts of an assertion that leave its value some room.
fn bounding(node: Node<'_>) -> bool {
    match node.kind() {
        "<" | ">" | "<=" | ">=" => node.parent().is_some_and(|parent| {
            parent.is(&["binary_expression", "comparison_operator", "token_tree"])
        }),
        "identifier" | "property_identifier" | "field_identifier" => matches!(
            node.text(),
            "approx"
                | "isclose"
                | "allclose"
                | "closeTo"
                | "within"
                | "offset"
                | "stringContaining"
                | "objectContaining"
        ),
        _ => false,
    }
}

/// Whether a condition only says that something is there.
fn weak_condition(about: Node<'_>, argument: &[Node<'_>]) -> bool {
    let about = about.bare();
    match about.kind() {
        "identifier"
        | "attribute"
        | "member_expression"
        | "selector_expression"
        | "field_access" => argument.len() == 1,
        "comparison_operator" => {
            let text: String = about
                .text()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            text.ends_with("is not None") || text.ends_with("!= None")
        }
        "call" => matches!(
            about.field_text("function"),
            "isinstance" | "callable" | "hasattr" | "bool"
        ),
        "token_tree" => argument
            .iter()
            .any(|token| matches!(token.text(), "is_some" | "is_ok" | "is_err" | "is_none")),
        _ => false,
    }
}

/// The assertions in these nodes, in the order of the text.
pub(super) fn of<'a>(nodes: &[Node<'a>]) -> Vec<Asserted<'a>> {
    let mut found = Vec::new();
    let stop = nodes.last().copied();
    for node in nodes {
        let mut walk = node.walk();
        while let Some(part) = walk.next() {
            if found.len() >= ASSERTIONS_MAX {
                return found;
            }
            if let Some(mut asserted) = assertion(part) {
                asserted.unreached = stop.is_some_and(|test| unreached(part, test));
                asserted.vacuous = vacuous(&asserted);
                found.push(asserted);
                walk.leave_out(part);
            }
        }
    }
    found
}

fn asserted<'a>(node: Node<'a>, method: &str, arguments: Vec<Vec<Node<'a>>>) -> Asserted<'a> {
    Asserted {
        node,
        method: method.to_string(),
        arguments,
        negated: false,
        unreached: false,
        vacuous: false,
    }
}
