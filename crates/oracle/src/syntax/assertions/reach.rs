//! Assertions that are never reached, or whose failure nobody hears of.

use super::super::Language;
use super::super::parse::Node;
use super::recognise::assertion;

/// How deep a test's statements are looked at for what keeps them from being reached.
const ANCESTORS_MAX: usize = 64;

/// Whether an assertion is never reached, or what it says is swallowed.
pub(super) fn unreached(part: Node<'_>, test: Node<'_>) -> bool {
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
        if never_runs(outer, inner) {
            return true;
        }
        if outer == test {
            break;
        }
        inner = outer;
    }
    false
}

/// Whether what is in `inner` is never run, or its failure swallowed, because of the statement around it.
fn never_runs(outer: Node<'_>, inner: Node<'_>) -> bool {
    let inside = inner.field_name();
    match outer.kind() {
        "if_statement" | "if_expression" | "while_statement" | "while_expression"
        | "elif_clause" => {
            (inside == "consequence" || inside == "body")
                && outer
                    .field("condition")
                    .is_some_and(|condition| falsy(condition.bare()))
        }
        "for_statement" => {
            inside == "body"
                && outer.field("right").is_some_and(|right| {
                    right.is(&["list", "tuple"]) && right.parts().next().is_none()
                })
        }
        "try_statement" | "try_with_resources_statement" => {
            (inside == "body" || inside.is_empty() && inner.is(&["block", "statement_block"]))
                && swallows(outer)
        }
        "with_statement" => {
            inside == "body"
                && outer.child("with_clause").is_some_and(|clause| {
                    clause.text().contains("suppress(")
                        && ["AssertionError", "Exception", "BaseException"]
                            .iter()
                            .any(|name| clause.text().contains(name))
                })
        }
        _ => false,
    }
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

pub(super) fn falsy(node: Node<'_>) -> bool {
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
