//! Which syntax asserts something, language by language.

use super::super::Language;
use super::super::parse::Node;
use super::super::{java, javascript, rust};
use super::{Asserted, asserted};

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

pub(super) fn arguments_of<'a>(call: Node<'a>) -> Vec<Vec<Node<'a>>> {
    call.field("arguments")
        .filter(|list| list.kind() != "template_string")
        .into_iter()
        .flat_map(Node::parts)
        .map(|argument| vec![argument])
        .collect()
}

/// The assertion that a node is, if it is one.
pub(super) fn assertion<'a>(node: Node<'a>) -> Option<Asserted<'a>> {
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
    // `eq = self.assertEqual`: what is called by another name later.
    if node.kind() == "assignment" {
        let value = node
            .field("right")
            .filter(|value| value.kind() == "attribute")?;
        let name = value.field_text("attribute");
        return name
            .starts_with("assert")
            .then(|| asserted(node, name, Vec::new()));
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
        let path = rust::attribute_path(node);
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
pub(super) fn split<'a>(tokens: Node<'a>) -> Vec<Vec<Node<'a>>> {
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
    if node.is(&["annotation"]) && java::annotation_name(node) == "Test" {
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
