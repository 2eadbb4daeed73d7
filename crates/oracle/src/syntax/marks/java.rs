//! Marks in Java.

use super::super::java;
use super::super::parse::Node;
use super::{Marks, content, owner};

impl Marks {
    pub(super) fn java(&mut self, node: Node<'_>) {
        match node.kind() {
            "annotation" | "marker_annotation" => {
                let name = java::annotation_name(node);
                if name.contains("Generated")
                    || name.contains("ExcludeFromCoverage")
                    || name.contains("NoCoverage")
                    || name.contains("CoverageIgnore")
                {
                    self.excluded(node, format!("@{name}"));
                }
            }
            "method_invocation" => match node.field_text("name") {
                "getStackTrace" | "walk"
                    if node.text().contains("StackWalker")
                        || node.text().contains("getStackTrace") =>
                {
                    self.frames(node, "stack trace");
                }
                "halt" if node.field_text("object").contains("Runtime") => {
                    self.tampers(node, "halt")
                }
                "exit" if node.field_text("object") == "System" => {
                    let zero = node
                        .field("arguments")
                        .and_then(|list| list.parts().next())
                        .is_some_and(|first| first.text() == "0");
                    if zero && owner(node).field_text("name") != "main" {
                        self.tampers(node, "System.exit(0)");
                    }
                }
                "equals" => {}
                _ => {}
            },
            "string_literal" => {
                let text = content(node);
                if [
                    "org.junit",
                    "org.testng",
                    "org.mockito",
                    "junit.framework",
                    "org.apache.maven.surefire",
                    "jdk.test",
                ]
                .iter()
                .any(|name| text.starts_with(name))
                {
                    self.tampers(node, "looks for a runner");
                }
            }
            "method_declaration" if node.field_text("name") == "equals" => {
                let body: String = node
                    .field_text("body")
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ");
                if body == "{ return true; }" {
                    self.tampers(node, "an `equals` that does not compare");
                }
            }
            _ => {}
        }
    }
}
