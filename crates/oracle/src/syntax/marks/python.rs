//! Marks in Python.

use super::super::parse::Node;
use super::{Marks, runner_word};

/// What tests are run with in Python: what is assigned to it changes every test.
const PYTHON_RUNNERS: &[&str] = &[
    "pytest",
    "_pytest",
    "unittest",
    "builtins",
    "__builtins__",
    "coverage",
    "doctest",
    "pluggy",
];

impl Marks {
    pub(super) fn python(&mut self, node: Node<'_>) {
        match node.kind() {
            "attribute" => match node.text() {
                "sys.modules" => {
                    let assigned = node.ancestors().take(3).any(|outer| {
                        outer.kind() == "delete_statement"
                            || outer.kind() == "assignment"
                                && outer.field("left").is_some_and(|left| left.holds(node))
                    });
                    let changed = node.parent().is_some_and(|parent| {
                        parent.kind() == "attribute"
                            && matches!(
                                parent.field_text("attribute"),
                                "pop" | "update" | "setdefault" | "clear" | "__setitem__"
                            )
                    });
                    if assigned || changed {
                        self.tampers(node, "changes sys.modules");
                    } else if self.near(node, runner_word) {
                        self.tampers(node, "looks for a runner in sys.modules");
                    }
                }
                "sys.argv" | "sys.orig_argv" if self.near(node, runner_word) => {
                    self.tampers(node, "looks for a runner in its arguments");
                }
                _ => {}
            },
            "assignment" | "augmented_assignment" => {
                if let Some(left) = node.field("left") {
                    self.python_target(node, left);
                }
            }
            "call" => {
                let callee = node.field_text("function");
                match callee {
                    "os._exit" | "_exit" | "os.abort" | "os.kill" | "os.killpg" => {
                        self.tampers(node, callee)
                    }
                    "inspect.stack"
                    | "inspect.currentframe"
                    | "sys._getframe"
                    | "traceback.extract_stack"
                    | "traceback.format_stack"
                    | "inspect.getouterframes"
                    | "currentframe"
                    | "stack"
                    | "_getframe"
                    | "extract_stack" => self.frames(node, callee),
                    "setattr" | "delattr" => {
                        if let Some(target) =
                            node.field("arguments").and_then(|list| list.parts().next())
                        {
                            self.python_target(node, target);
                        }
                    }
                    "gc.get_objects" | "gc.get_referrers" => self.tampers(node, callee),
                    "importlib.util.find_spec"
                    | "find_spec"
                    | "__import__"
                    | "importlib.import_module"
                    | "import_module"
                        if self.near(node, |text| {
                            matches!(text, "pytest" | "_pytest" | "unittest" | "doctest")
                        }) =>
                    {
                        self.tampers(node, "looks for a runner");
                    }
                    _ => {}
                }
            }
            "function_definition" => {
                let name = node.field_text("name");
                let body = node.field("body");
                let mut statements = body.into_iter().flat_map(Node::parts);
                let only = statements.next();
                if matches!(name, "__eq__" | "__ne__")
                    && statements.next().is_none()
                    && only.is_some_and(|only| {
                        only.kind() == "return_statement"
                            && only
                                .parts()
                                .next()
                                .is_some_and(|value| value.is(&["true", "false"]))
                    })
                {
                    self.tampers(node, format!("{name} that does not compare"));
                }
            }
            _ => {}
        }
    }

    /// What is assigned to a part of the runner.
    fn python_target(&mut self, node: Node<'_>, target: Node<'_>) {
        let mut root = target;
        while root.is(&["attribute", "subscript", "call"]) {
            let inner = root
                .field("object")
                .or_else(|| root.field("value"))
                .or_else(|| root.field("function"));
            match inner {
                Some(inner) => root = inner,
                None => break,
            }
        }
        if root.kind() != "identifier" || root == target && node.kind() != "call" {
            return;
        }
        let name = root.text();
        let imported = self.imported.get(name).cloned();
        let module = imported.as_deref().map_or(name, |from| {
            let from = from
                .strip_prefix("module as ")
                .or_else(|| from.strip_prefix("module "))
                .or_else(|| from.strip_prefix("from "))
                .unwrap_or(from);
            from.split(['.', ' ']).next().unwrap_or(from)
        });
        if PYTHON_RUNNERS.contains(&module) {
            // `monkeypatch` and `mock.patch` undo what they do; this does not.
            self.tampers(node, format!("changes {module}"));
        }
    }
}
