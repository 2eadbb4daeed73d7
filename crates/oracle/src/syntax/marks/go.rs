//! Marks in Go.

use super::super::parse::Node;
use super::{Marks, content, owner};

impl Marks {
    pub(super) fn go(&mut self, node: Node<'_>) {
        match node.kind() {
            "call_expression" => {
                let callee = node.field_text("function");
                let first = node.field("arguments").and_then(|list| list.parts().next());
                match callee {
                    "testing.Testing" | "testing.CoverMode" | "testing.Coverage" => {
                        self.tampers(node, callee)
                    }
                    "flag.Lookup"
                        if first.is_some_and(|first| content(first).starts_with("test.")) =>
                    {
                        self.tampers(node, "flag.Lookup(\"test.…\")")
                    }
                    "runtime.Caller"
                    | "runtime.Callers"
                    | "runtime.Stack"
                    | "debug.Stack"
                    | "runtime.CallersFrames" => self.frames(node, callee),
                    "syscall.Exit" => self.tampers(node, callee),
                    "os.Exit" if first.is_some_and(|first| first.text() == "0") => {
                        let function = owner(node);
                        if matches!(function.field_text("name"), "init" | "TestMain") {
                            self.tampers(node, "os.Exit(0) before the tests");
                        }
                    }
                    _ => {}
                }
            }
            "selector_expression"
                if node.text() == "os.Args"
                    && self.near(node, |text| {
                        text.contains(".test")
                            || text.contains("_test")
                            || text.starts_with("-test")
                    }) =>
            {
                self.tampers(node, "asks whether it is a test binary");
            }
            _ => {}
        }
    }
}
