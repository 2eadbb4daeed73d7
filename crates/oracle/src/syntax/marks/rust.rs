//! Marks in Rust.

use super::super::parse::Node;
use super::super::{imports, rust};
use super::{Marks, TEST_ATTRIBUTES_MAX, owner, word};

/// Macros that tests assert with.
const RUST_MACROS: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "panic",
    "unreachable",
    "matches",
    "assert_matches",
    "todo",
    "unimplemented",
];

impl Marks {
    pub(super) fn rust(&mut self, node: Node<'_>) {
        match node.kind() {
            "macro_invocation" => {
                let name = node.field_text("macro");
                let tokens = node.child("token_tree").map_or("", Node::text);
                if name.rsplit("::").next() == Some("cfg")
                    && (word(tokens, "test")
                        || word(tokens, "doctest")
                        || word(tokens, "coverage")
                        || word(tokens, "tarpaulin"))
                {
                    self.tampers(node, "cfg!(test)");
                }
            }
            "identifier"
                if node.text() == "cfg"
                    && node
                        .parent()
                        .is_some_and(|parent| parent.kind() == "token_tree") =>
            {
                let rest = node
                    .parent()
                    .into_iter()
                    .flat_map(Node::children)
                    .skip_while(|token| *token != node)
                    .nth(2);
                if rest.is_some_and(|tokens| word(tokens.text(), "test")) {
                    self.tampers(node, "cfg!(test)");
                }
            }
            "attribute_item" | "inner_attribute_item" => self.rust_attribute(node),
            "macro_definition" if RUST_MACROS.contains(&node.field_text("name")) => {
                self.tampers(node, format!("its own `{}!`", node.field_text("name")));
            }
            "use_declaration" => {
                for binding in imports::bindings(node) {
                    let known = [
                        "std::",
                        "core::",
                        "pretty_assertions::",
                        "similar_asserts::",
                        "k9::",
                        "assert_matches::",
                    ];
                    if RUST_MACROS.contains(&binding.local.as_str())
                        && !known.iter().any(|start| binding.from.contains(start))
                    {
                        self.tampers(node, format!("its own `{}!`", binding.local));
                    }
                }
            }
            "call_expression" => {
                let callee: String = node.field_text("function").split_whitespace().collect();
                if callee.ends_with("thread::current().name")
                    || callee.ends_with("current().name") && callee.contains("thread")
                {
                    self.tampers(node, "asks for the thread's name, which is the test's");
                }
                if callee.ends_with("current_exe") || callee.ends_with("env::args") {
                    let within = owner(node);
                    let asks = self.any_string(within, |text| {
                        text.contains("/deps")
                            || text == "deps"
                            || text.contains("--test")
                            || text.contains("nextest")
                            || text == "--exact"
                    });
                    if asks {
                        self.tampers(node, "asks whether it is a test binary");
                    }
                }
                if callee.ends_with("Backtrace::force_capture")
                    || callee.ends_with("Backtrace::capture")
                    || callee.ends_with("Backtrace::new")
                    || callee == "backtrace::trace"
                {
                    self.frames(node, "backtrace");
                }
                if callee.ends_with("libc::_exit") {
                    self.tampers(node, "_exit");
                }
            }
            "impl_item"
                if node.field_text("trait").starts_with("PartialEq")
                    || node.field_text("trait").ends_with("::PartialEq") =>
            {
                for function in node.below().filter(|part| part.kind() == "function_item") {
                    let body: String = function.field_text("body").split_whitespace().collect();
                    if matches!(function.field_text("name"), "eq" | "ne")
                        && matches!(
                            body.as_str(),
                            "{true}" | "{false}" | "{returntrue;}" | "{returnfalse;}"
                        )
                    {
                        self.tampers(function, "an `eq` that does not compare");
                    }
                }
            }
            _ => {}
        }
    }

    fn rust_attribute(&mut self, node: Node<'_>) {
        let text = rust::attribute_text(node);
        if text.contains("coverage(off)")
            || text.contains("no_coverage")
            || text.contains("cfg(tarpaulin_include)")
            || text.contains("cfg(not(tarpaulin")
            || text.contains("cfg(not(coverage")
        {
            self.excluded(node, "coverage(off)");
        }
        if text.starts_with("cfg_attr(") {
            if word(&text, "test") && text.contains("path") {
                self.tampers(node, "another file in test builds");
            }
            return;
        }
        if !text.starts_with("cfg(") {
            if text.ends_with("ctor")
                || text.ends_with("dtor")
                || text.contains(".init_array")
                || text.contains(".fini_array")
                || text.contains("__mod_init_func")
            {
                self.tampers(node, "runs before the tests");
            }
            return;
        }
        if text.contains("not(test")
            || text.contains("not(any(test")
            || text.contains("not(all(test")
        {
            self.tampers(node, "cfg(not(test))");
            return;
        }
        if !word(&text, "test") {
            return;
        }
        // What it stands on, and what else stands on it.
        let Some(parent) = node.parent() else { return };
        let Some(item) = node
            .following()
            .find(|other| other.named() && !other.extra() && other.kind() != "attribute_item")
        else {
            return;
        };
        self.test_attributes += 1;
        if self.test_attributes > TEST_ATTRIBUTES_MAX {
            self.tampers(node, "cfg(test) more often than can be looked at");
            return;
        }
        let in_tests = node.ancestors().any(|outer| {
            outer.kind() == "mod_item"
                && outer.parent().is_some_and(|parent| {
                    parent
                        .parts()
                        .take_while(|other| *other != outer)
                        .last()
                        .is_some_and(|before| {
                            before.kind() == "attribute_item" && rust::test_only(before)
                        })
                })
        });
        if in_tests {
            return;
        }
        let helper = match item.kind() {
            "mod_item" | "use_declaration" | "extern_crate_declaration" => true,
            "function_item" | "struct_item" | "enum_item" | "const_item" | "static_item"
            | "type_item" => {
                let name = item.field_text("name");
                !parent.parts().any(|other| {
                    other != item && other.kind() == item.kind() && other.field_text("name") == name
                })
            }
            "impl_item" => item.field("trait").is_none(),
            _ => false,
        };
        let within_function = node
            .ancestors()
            .any(|outer| outer.is(&["function_item", "closure_expression"]));
        if !helper || within_function {
            self.tampers(node, "cfg(test) on code that is no test");
        }
    }
}
