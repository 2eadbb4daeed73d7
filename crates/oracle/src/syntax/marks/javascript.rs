//! Marks in JavaScript and TypeScript.

use super::super::parse::Node;
use super::{Marks, NEAR_MAX, RUNNER_GLOBALS, content, runner_word, string_node};

/// What everything in JavaScript is made of.
const JAVASCRIPT_ROOTS: &[&str] = &[
    "Object", "Array", "JSON", "Number", "String", "Promise", "Reflect", "Symbol", "Function",
    "Error", "RegExp", "Map", "Set", "Boolean",
];

impl Marks {
    pub(super) fn javascript(&mut self, node: Node<'_>) {
        match node.kind() {
            "identifier" | "property_identifier" | "shorthand_property_identifier_pattern"
                if node.text() == "NODE_ENV" =>
            {
                let switched = node
                    .ancestors()
                    .take(NEAR_MAX)
                    .find(|outer| outer.kind() == "switch_statement")
                    .is_some_and(|switch| {
                        switch.walk().any(|part| {
                            part.kind() == "switch_case"
                                && part
                                    .field("value")
                                    .is_some_and(|value| content(value) == "test")
                        })
                    });
                if switched || self.near(node, |text| text == "test") {
                    self.tampers(node, "NODE_ENV is test");
                }
            }
            "property_identifier"
                if node.text() == "MODE" && self.near(node, |text| text == "test") =>
            {
                self.tampers(node, "MODE is test");
            }
            "property_identifier"
                if matches!(node.text(), "argv" | "execArgv" | "argv0")
                    && self.near(node, runner_word) =>
            {
                self.tampers(node, "looks for a runner in its arguments");
            }
            "property_identifier"
                if node.text() == "stack"
                    || node.text() == "captureStackTrace"
                    || node.text() == "prepareStackTrace" =>
            {
                self.frames(node, node.text());
            }
            "unary_expression" if node.field_text("operator") == "typeof" => {
                let name = node
                    .field("argument")
                    .map_or("", |argument| argument.bare().text());
                if RUNNER_GLOBALS.contains(&name) {
                    self.tampers(node, format!("asks whether there is `{name}`"));
                }
            }
            "binary_expression" if node.field_text("operator") == "in" => {
                let right = node.field_text("right");
                let left = node.field("left").map_or("", content);
                if matches!(right, "globalThis" | "global" | "window" | "self")
                    && RUNNER_GLOBALS.contains(&left)
                {
                    self.tampers(node, format!("asks whether there is `{left}`"));
                }
            }
            "member_expression" | "subscript_expression" => {
                let object = node.field_text("object");
                let member = if node.kind() == "member_expression" {
                    node.field_text("property")
                } else {
                    node.field("index").map_or("", content)
                };
                if matches!(object, "globalThis" | "global" | "window" | "self")
                    && RUNNER_GLOBALS.contains(&member)
                {
                    self.tampers(node, format!("reaches for `{member}` of the runner"));
                }
                if object == "require"
                    && member == "cache"
                    && node.ancestors().take(3).any(changes_left(node))
                {
                    self.tampers(node, "changes require.cache");
                }
                if member == "_load"
                    || member == "_resolveFilename"
                    || member == "reallyExit"
                    || object == "process" && member == "binding"
                {
                    self.tampers(node, format!("reaches for `{member}`"));
                }
            }
            "assignment_expression" | "augmented_assignment_expression" => {
                if let Some(left) = node.field("left") {
                    self.javascript_target(node, left);
                }
            }
            "call_expression" => {
                let callee = node.field_text("function");
                if matches!(
                    callee,
                    "Object.defineProperty"
                        | "Object.assign"
                        | "Reflect.set"
                        | "Object.defineProperties"
                        | "Reflect.defineProperty"
                ) {
                    let target = node.field("arguments").and_then(|list| list.parts().next());
                    if let Some(target) = target {
                        if matches!(target.text(), "globalThis" | "global" | "window") {
                            let runner = node.walk().any(|part| {
                                (string_node(part)
                                    || part.is(&[
                                        "property_identifier",
                                        "shorthand_property_identifier",
                                    ]))
                                    && RUNNER_GLOBALS.contains(&content(part))
                            });
                            if runner {
                                self.tampers(node, "changes the runner's functions");
                            }
                        } else {
                            self.javascript_target(node, target);
                        }
                    }
                }
            }
            "method_definition" | "pair" => {
                let name = node
                    .field("name")
                    .or_else(|| node.field("key"))
                    .map_or("", content);
                if name == "asymmetricMatch" {
                    self.tampers(node, "a value that matches whatever it is compared with");
                }
            }
            _ => {}
        }
    }

    fn javascript_target(&mut self, node: Node<'_>, target: Node<'_>) {
        let text = target.text();
        if text == "process.exitCode" && node.field_text("right") == "0" {
            self.tampers(node, "sets the exit code to 0");
        }
        let mut root = target;
        let mut members = Vec::new();
        while root.is(&[
            "member_expression",
            "subscript_expression",
            "call_expression",
        ]) {
            members.push(root.field_text("property"));
            match root.field("object").or_else(|| root.field("function")) {
                Some(inner) => root = inner,
                None => return,
            }
        }
        if root.kind() != "identifier" {
            return;
        }
        let name = root.text();
        let whole = root == target;
        if RUNNER_GLOBALS.contains(&name)
            && (!whole || node.kind() == "assignment_expression" && !self.declared.contains(name))
            || name == "process"
                && members.last().is_some_and(|member| {
                    matches!(
                        *member,
                        "exit" | "argv" | "on" | "stdout" | "stderr" | "hrtime"
                    )
                })
                && !whole
        {
            self.tampers(node, format!("changes `{name}`"));
        }
        if JAVASCRIPT_ROOTS.contains(&name) && !whole {
            self.tampers(node, format!("changes `{name}` for every module"));
        }
        if !whole {
            let runner = self.imported.get(name).is_some_and(|from| {
                let module = from.trim_start_matches("type ");
                let module = module
                    .split(' ')
                    .next()
                    .unwrap_or(module)
                    .trim_start_matches("node:");
                matches!(
                    module,
                    "assert"
                        | "assert/strict"
                        | "test"
                        | "vitest"
                        | "@jest/globals"
                        | "chai"
                        | "mocha"
                        | "expect"
                        | "module"
                        | "ava"
                        | "tap"
                )
            });
            if runner {
                self.tampers(node, format!("changes `{name}` of the runner"));
            }
        }
    }
}

/// Whether an outer node assigns to, or deletes, what `node` is on the left of.
fn changes_left<'a>(node: Node<'a>) -> impl FnMut(Node<'a>) -> bool {
    move |outer| {
        outer.kind() == "assignment_expression"
            && outer.field("left").is_some_and(|left| left.holds(node))
            || outer.kind() == "unary_expression" && outer.field_text("operator") == "delete"
    }
}
