//! What a test asserts, and whether that can fail at all.

use super::Language;
use super::form::{Without, form, forms};
use super::javascript;
use super::parse::Node;

/// Most assertions that are read of one test.
const ASSERTIONS_MAX: usize = 2_000;
/// How deep a test's statements are looked at for what keeps them from being reached.
const ANCESTORS_MAX: usize = 64;

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

/// Names of helpers that assert, by what they are called.
fn asserting_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let lower = lower.trim_start_matches('_');
    [
        "assert", "expect", "verify", "check", "should", "ensure", "must",
    ]
    .iter()
    .any(|verb| {
        lower.strip_prefix(verb).is_some_and(|rest| {
            rest.is_empty()
                || rest.starts_with('_')
                || name.trim_start_matches('_')[verb.len()..]
                    .starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit())
        })
    })
}

fn arguments_of<'a>(call: Node<'a>) -> Vec<Vec<Node<'a>>> {
    call.field("arguments")
        .filter(|list| list.kind() != "template_string")
        .into_iter()
        .flat_map(Node::parts)
        .map(|argument| vec![argument])
        .collect()
}

/// The assertion that a node is, if it is one.
fn assertion<'a>(node: Node<'a>) -> Option<Asserted<'a>> {
    match node.source().language {
        Language::JavaScript | Language::TypeScript | Language::Tsx => in_javascript(node),
        Language::Python => in_python(node),
        Language::Rust => in_rust(node),
        Language::Go => in_go(node),
        Language::Java => in_java(node),
    }
}

fn in_javascript<'a>(node: Node<'a>) -> Option<Asserted<'a>> {
    // `expect(a).to.be.true` is no call at its end; its statement is what is asserted.
    if node.kind() == "member_expression" {
        let mut members = Vec::new();
        let mut inner = node;
        loop {
            match inner.kind() {
                "member_expression" => {
                    members.push(inner.field_text("property"));
                    inner = inner.field("object")?;
                }
                "call_expression" if inner.field_text("function") == "expect" => break,
                // `result.should.be.true`
                "identifier" if members.contains(&"should") => break,
                _ => return None,
            }
        }
        let mut found = asserted(
            node,
            members.first()?,
            if inner.kind() == "identifier" {
                vec![vec![inner]]
            } else {
                arguments_of(inner)
            },
        );
        found.negated = members.contains(&"not");
        return Some(found);
    }
    if node.kind() != "call_expression" {
        return None;
    }
    let (root, members, _) = javascript::callee(node).or_else(|| {
        // `total([1]).should.equal(1)`, `request(app).get('/').expect(200)`.
        let callee = node.field("function")?;
        (callee.kind() == "member_expression")
            .then(|| (callee, vec![callee.field_text("property")], Vec::new()))
    })?;
    let name = root.text();
    let last = members.last().copied().unwrap_or(name);
    if name == "expect" {
        if matches!(
            members.as_slice(),
            ["assertions" | "hasAssertions" | "extend" | "addSnapshotSerializer"]
        ) {
            return None;
        }
        let mut subject = node;
        while subject.field_text("function") != "expect" {
            subject = match subject.kind() {
                "call_expression" => subject.field("function")?,
                "member_expression" => subject.field("object")?,
                _ => return None,
            };
        }
        let mut arguments: Vec<Vec<Node<'a>>> = arguments_of(subject).into_iter().take(1).collect();
        if subject != node {
            arguments.extend(arguments_of(node));
        }
        let mut found = asserted(node, last, arguments);
        found.negated = members.contains(&"not");
        return Some(found);
    }
    let of_runner = matches!(name, "t" | "tap" | "qunit" | "QUnit")
        && matches!(
            last,
            "is" | "not"
                | "deepEqual"
                | "true"
                | "false"
                | "truthy"
                | "falsy"
                | "throws"
                | "throwsAsync"
                | "notThrows"
                | "like"
                | "regex"
                | "snapshot"
                | "equal"
                | "ok"
                | "same"
                | "strictSame"
                | "match"
                | "pass"
                | "fail"
                | "rejects"
                | "notOk"
                | "equals"
        );
    let of_assert = name == "assert" || members.contains(&"assert") || members.contains(&"should");
    let helper = members.is_empty()
        && (asserting_name(name)
            || matches!(
                name,
                "strictEqual" | "deepStrictEqual" | "deepEqual" | "fail"
            ))
        || members.len() == 1 && asserting_name(last);
    if !(of_runner || of_assert || helper)
        || name == "assert" && members.is_empty() && node.field("arguments").is_none()
    {
        return None;
    }
    let mut found = asserted(node, last, arguments_of(node));
    found.negated = last.starts_with("not") || last.starts_with("doesNot");
    Some(found)
}

fn in_python<'a>(node: Node<'a>) -> Option<Asserted<'a>> {
    if node.kind() == "assert_statement" {
        let first = node.parts().next()?;
        return Some(asserted(node, "assert", vec![vec![first]]));
    }
    if node.kind() != "call" {
        return None;
    }
    let callee = node.field("function")?;
    let last = match callee.kind() {
        "attribute" => callee.field_text("attribute"),
        "identifier" => callee.text(),
        _ => return None,
    };
    let known = asserting_name(last)
        || matches!(
            last,
            "raises" | "warns" | "fail" | "deprecated_call" | "failUnless" | "failIf"
        )
        || last.starts_with("assert");
    if !known {
        return None;
    }
    let mut found = asserted(node, last, arguments_of(node));
    found.negated = last.contains("Not") || last == "assertFalse";
    Some(found)
}

fn in_rust<'a>(node: Node<'a>) -> Option<Asserted<'a>> {
    // A macro within a macro is only tokens: `assert_eq` `!` `(...)`.
    if node.kind() == "identifier"
        && node
            .parent()
            .is_some_and(|parent| parent.kind() == "token_tree")
    {
        let parent = node.parent()?;
        let mut rest = parent.children().skip_while(|token| *token != node).skip(1);
        if !asserting_name(node.text()) || rest.next()?.text() != "!" {
            return None;
        }
        let tokens = rest.next().filter(|tokens| tokens.kind() == "token_tree")?;
        return Some(asserted(tokens, node.text(), split(tokens)));
    }
    if node.kind() == "macro_invocation" {
        let name = node.field_text("macro");
        let last = name.rsplit("::").next().unwrap_or(name);
        let name = last
            .strip_prefix("debug_")
            .or_else(|| last.strip_prefix("prop_"))
            .unwrap_or(last);
        if !(asserting_name(name) || matches!(name, "panic" | "unreachable" | "bail" | "ensure")) {
            return None;
        }
        let tokens = node.child("token_tree")?;
        return Some(asserted(node, last, split(tokens)));
    }
    // `#[should_panic]` asserts that it panics.
    if node.kind() == "attribute_item" {
        let path = super::rust::attribute_path(node);
        return (path == "should_panic" || path == "quickcheck")
            .then(|| asserted(node, "should_panic", Vec::new()));
    }
    if node.kind() == "call_expression" {
        let callee = node.field_text("function");
        let last = callee.rsplit([':', '.']).next().unwrap_or(callee).trim();
        return asserting_name(last).then(|| asserted(node, last, arguments_of(node)));
    }
    None
}

/// The arguments of a macro: its tokens between commas.
fn split<'a>(tokens: Node<'a>) -> Vec<Vec<Node<'a>>> {
    let inner: Vec<Node<'a>> = tokens.children().filter(|token| !token.extra()).collect();
    let inner = inner
        .get(1..inner.len().saturating_sub(1))
        .unwrap_or_default();
    inner
        .split(|token| token.text() == ",")
        .filter(|argument| !argument.is_empty())
        .map(<[Node<'a>]>::to_vec)
        .collect()
}

fn in_go<'a>(node: Node<'a>) -> Option<Asserted<'a>> {
    if node.kind() == "if_statement" {
        let fails = node
            .field("consequence")?
            .walk()
            .filter(|part| part.kind() == "call_expression")
            .any(|call| fails(call).is_some());
        if !fails {
            return None;
        }
        // What decides is the condition; a block that only leads to another condition is looked into.
        let nested = node
            .field("consequence")?
            .walk()
            .any(|part| part.kind() == "if_statement");
        if nested {
            return None;
        }
        let mut found = asserted(node, "if", vec![vec![node.field("condition")?]]);
        found.negated = true;
        return Some(found);
    }
    if node.kind() != "call_expression" {
        return None;
    }
    if let Some(method) = fails(node) {
        return Some(asserted(node, method, Vec::new()));
    }
    let callee = node.field("function")?;
    let (object, last) = match callee.kind() {
        "selector_expression" => (callee.field_text("operand"), callee.field_text("field")),
        "identifier" => ("", callee.text()),
        _ => return None,
    };
    let library = matches!(
        object,
        "assert" | "require" | "is" | "qt" | "c" | "td" | "cupaloy"
    ) || object.ends_with("Assert")
        || object.ends_with("suite")
        || object.ends_with(".Require()");
    if !(library && last.starts_with(|c: char| c.is_ascii_uppercase())
        || asserting_name(last)
        || last == "panic")
    {
        return None;
    }
    let mut arguments = arguments_of(node);
    // The test itself is no argument of what is asserted.
    if arguments
        .first()
        .is_some_and(|first| matches!(first[0].text(), "t" | "b" | "tb" | "s.T()"))
    {
        arguments.remove(0);
    }
    let mut found = asserted(node, last, arguments);
    found.negated = last.starts_with("Not") || last.starts_with("No");
    Some(found)
}

/// The method by which a Go call fails its test.
fn fails<'a>(call: Node<'a>) -> Option<&'a str> {
    let callee = call.field("function")?;
    if callee.kind() != "selector_expression" {
        return None;
    }
    let method = callee.field_text("field");
    let object = callee.field_text("operand");
    (matches!(
        method,
        "Error" | "Errorf" | "Fatal" | "Fatalf" | "Fail" | "FailNow"
    ) && object.len() <= 2
        && !object.is_empty())
    .then_some(method)
}

fn in_java<'a>(node: Node<'a>) -> Option<Asserted<'a>> {
    if node.kind() == "assert_statement" {
        return Some(asserted(node, "assert", vec![vec![node.parts().next()?]]));
    }
    if node.is(&["annotation"]) && super::java::annotation_name(node) == "Test" {
        return node
            .text()
            .contains("expected")
            .then(|| asserted(node, "expected", Vec::new()));
    }
    if node.kind() != "method_invocation" {
        return None;
    }
    let last = node.field_text("name");
    let mut arguments = arguments_of(node);
    // `assertThat(total).as("sum").isEqualTo(3)`: the last call decides, the first is what it is about.
    let mut inner = node;
    let mut chained = false;
    while let Some(object) = inner
        .field("object")
        .filter(|object| object.kind() == "method_invocation")
    {
        inner = object;
        chained = true;
    }
    let root = inner.field_text("name");
    if chained
        && matches!(
            root,
            "assertThat"
                | "assertThatThrownBy"
                | "assertThatCode"
                | "expectThat"
                | "then"
                | "verify"
        )
    {
        let mut all: Vec<Vec<Node<'a>>> = arguments_of(inner).into_iter().take(1).collect();
        all.append(&mut arguments);
        let mut found = asserted(node, last, all);
        found.negated = last.contains("Not");
        return Some(found);
    }
    let known = asserting_name(last) || matches!(last, "fail" | "andExpect" | "expectMsg");
    known.then(|| {
        let mut found = asserted(node, last, arguments);
        found.negated = last.contains("Not") || last == "assertFalse";
        found
    })
}

/// Whether an assertion is never reached, or what it says is swallowed.
fn unreached(part: Node<'_>, test: Node<'_>) -> bool {
    let mut inner = part;
    for outer in part.ancestors().take(ANCESTORS_MAX) {
        // The block of a Go file's functions is a list in a block.
        if outer.is(&[
            "statement_block",
            "block",
            "statement_list",
            "module",
            "program",
        ]) && outer
            .parts()
            .take_while(|statement| *statement != inner)
            .any(leaves)
        {
            return true;
        }
        let inside = inner.field_name();
        match outer.kind() {
            "if_statement" | "if_expression" | "while_statement" | "while_expression"
            | "elif_clause"
                if inside == "consequence" || inside == "body" =>
            {
                if outer
                    .field("condition")
                    .is_some_and(|condition| falsy(condition.bare()))
                {
                    return true;
                }
            }
            "for_statement" if inside == "body" => {
                let nothing = outer.field("right").is_some_and(|right| {
                    right.is(&["list", "tuple"]) && right.parts().next().is_none()
                });
                if nothing {
                    return true;
                }
            }
            "try_statement" | "try_with_resources_statement"
                if inside == "body"
                    || inside.is_empty() && inner.is(&["block", "statement_block"]) =>
            {
                if swallows(outer) {
                    return true;
                }
            }
            "with_statement" if inside == "body" => {
                let suppressed = outer.child("with_clause").is_some_and(|clause| {
                    clause.text().contains("suppress(")
                        && ["AssertionError", "Exception", "BaseException"]
                            .iter()
                            .any(|name| clause.text().contains(name))
                });
                if suppressed {
                    return true;
                }
            }
            _ => {}
        }
        if outer == test {
            break;
        }
        inner = outer;
    }
    false
}

/// Whether nothing after this statement is reached.
fn leaves(statement: Node<'_>) -> bool {
    statement.is(&[
        "return_statement",
        "throw_statement",
        "raise_statement",
        "return_expression",
        "continue_statement",
        "break_statement",
    ]) || statement.kind() == "expression_statement"
        && statement.parts().next().is_some_and(|only| {
            only.is(&[
                "return_expression",
                "break_expression",
                "continue_expression",
            ]) || only.is(&["call", "call_expression"])
                && matches!(
                    only.field_text("function"),
                    "sys.exit"
                        | "os._exit"
                        | "exit"
                        | "process.exit"
                        | "os.Exit"
                        | "std::process::exit"
                )
        })
}

fn falsy(node: Node<'_>) -> bool {
    matches!(
        node.text(),
        "false"
            | "False"
            | "0"
            | "None"
            | "null"
            | "undefined"
            | "''"
            | "\"\""
            | "[]"
            | "!1"
            | "!true"
            | "not True"
    )
}

/// Whether a `try` keeps what an assertion in it says from the runner.
fn swallows(statement: Node<'_>) -> bool {
    let language = statement.source().language;
    statement.children().any(|clause| match clause.kind() {
        "except_clause" => {
            let caught = clause
                .parts()
                .find(|part| part.kind() != "block")
                .map_or("", Node::text);
            let catches = caught.is_empty()
                || ["Exception", "AssertionError", "BaseException"]
                    .iter()
                    .any(|name| {
                        caught
                            .split(|c: char| !c.is_alphanumeric() && c != '_')
                            .any(|word| word == *name)
                    });
            catches && !again(clause)
        }
        "catch_clause" => match language {
            Language::Java => {
                let caught = clause
                    .child("catch_formal_parameter")
                    .and_then(|parameter| parameter.child("catch_type"))
                    .map_or("", Node::text);
                ["Throwable", "AssertionError", "Error"]
                    .iter()
                    .any(|name| caught.split(['|', ' ', '.']).any(|word| word == *name))
                    && !again(clause)
            }
            _ => !again(clause),
        },
        _ => false,
    })
}

/// Whether a handler fails in its turn: it throws, or asserts.
fn again(clause: Node<'_>) -> bool {
    clause.walk().any(|part| {
        part.is(&["raise_statement", "throw_statement"])
            || part.is(&[
                "call",
                "call_expression",
                "method_invocation",
                "assert_statement",
            ]) && assertion(part).is_some()
            || part.is(&["call_expression"])
                && matches!(part.field_text("function"), "done" | "fail" | "reject")
    })
}

/// Whether every leaf is a literal: nothing of the code under test can be in it.
fn constant(argument: &[Node<'_>]) -> bool {
    let mut any = false;
    for node in argument {
        for leaf in node.walk().filter(|part| part.named() && !part.extra()) {
            if !leaf.leaf() && leaf.kind() != "boolean_literal" {
                continue;
            }
            any = true;
            let literal = super::form::number(leaf.kind())
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

fn vacuous(asserted: &Asserted<'_>) -> bool {
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
            || method.starts_with("to")
            || method.starts_with("assert_")
            || method.starts_with("assertG")
            || method.starts_with("assertL");
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
