//! Marks: places in code that exclude it from coverage, ask whether a test is running, or change what runs the tests.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::finding::FindingKind;

use super::Language;
use super::parse::{Node, Source, brief};
use super::{imports, java, rust};

/// One such place.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    /// Which kind.
    pub kind: FindingKind,
    /// What it is, whatever stands around it.
    pub what: String,
    /// Its line.
    pub line: u32,
    /// Its text in one line.
    pub text: String,
}

/// Comments that exclude code from coverage; letters' case and white space do not count.
const COVERAGE_COMMENTS: &[&str] = &[
    "istanbul ignore",
    "c8 ignore",
    "v8 ignore",
    "node:coverage ignore",
    "node:coverage disable",
    "vitest coverage ignore",
    "pragma: no cover",
    "pragma:no cover",
    "pragma no cover",
    "pragma: nocover",
    "pragma: no branch",
    "pragma:no branch",
    "lcov_excl",
    "gcovr_excl",
    "gcov_excl",
    "coverage:ignore",
    "coverage: ignore",
    "coverage-ignore",
    "codecov ignore",
    "codecov:ignore",
    "tarpaulin::skip",
    "cov-excl",
    "cov:ignore",
    "kcov-ignore",
    "grcov-excl",
    "grcov_excl",
];

/// Names in the environment that runners and coverage tools set.
const RUNNER_VARIABLES: &[&str] = &[
    "PYTEST_CURRENT_TEST",
    "PYTEST_VERSION",
    "PYTEST_XDIST_WORKER",
    "PYTEST_ADDOPTS",
    "JEST_WORKER_ID",
    "VITEST",
    "VITEST_WORKER_ID",
    "VITEST_POOL_ID",
    "VITEST_MODE",
    "NODE_TEST_CONTEXT",
    "NODE_V8_COVERAGE",
    "NYC_PROCESS_ID",
    "NYC_CONFIG",
    "MOCHA_WORKER_ID",
    "MOCHA_COLORS",
    "COVERAGE_RUN",
    "COVERAGE_PROCESS_START",
    "COVERAGE_FILE",
    "LLVM_PROFILE_FILE",
    "NEXTEST",
    "NEXTEST_RUN_ID",
    "NEXTEST_EXECUTION_MODE",
    "NEXTEST_TEST_NAME",
    "RUST_TEST_THREADS",
    "__RUST_TEST_INVOKE",
    "CARGO_TARGET_TMPDIR",
    "GOCOVERDIR",
    "surefire.test.class.path",
    "surefire.real.class.path",
    "TOX_ENV_NAME",
    "NOX_CURRENT_SESSION",
    "AVA_PATH",
    "TAP_CHILD_ID",
    "__vitest_worker__",
    "__coverage__",
];

/// Names that a runner defines in a JavaScript program.
const RUNNER_GLOBALS: &[&str] = &[
    "jest",
    "vi",
    "vitest",
    "it",
    "test",
    "describe",
    "expect",
    "beforeEach",
    "beforeAll",
    "afterEach",
    "afterAll",
    "mocha",
    "suite",
    "before",
    "after",
    "__coverage__",
    "__vitest_worker__",
];

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

/// What everything in JavaScript is made of.
const JAVASCRIPT_ROOTS: &[&str] = &[
    "Object", "Array", "JSON", "Number", "String", "Promise", "Reflect", "Symbol", "Function",
    "Error", "RegExp", "Map", "Set", "Boolean",
];

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

/// How far around a place words are looked for, in nodes upwards.
const NEAR_MAX: usize = 5;

/// How many nodes are looked at around places, in all. No honest file comes near; beyond it every such place counts.
const AROUND_MAX: usize = 10_000_000;
/// How many characters of an expression are searched for the word "env".
const EXPRESSION_CHARS_MAX: usize = 300;
/// How many attributes of test builds are looked at closely; more of them count as they are.
const TEST_ATTRIBUTES_MAX: usize = 1_000;

/// The marks of a file.
pub(super) fn marks<'a>(source: &'a Source<'a>, others: &[&str]) -> Vec<Mark> {
    let mut marks = Marks::new(source);
    for node in source.all() {
        if node.kind().contains("comment") {
            marks.comment(node);
        }
        marks.words(node, others);
        match source.language {
            Language::Python => marks.python(node),
            Language::JavaScript | Language::TypeScript | Language::Tsx => marks.javascript(node),
            Language::Rust => marks.rust(node),
            Language::Go => marks.go(node),
            Language::Java => marks.java(node),
        }
    }
    marks.found
}

/// The marks that can be told of a file in a language that is not read: by its lines.
pub(super) fn marks_of_lines(text: &str, others: &[&str]) -> Vec<Mark> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let mut add = |kind, what: &str| {
            found.push(Mark {
                kind,
                what: what.to_string(),
                line: number,
                text: brief(line),
            });
        };
        if let Some(word) = coverage_word(line) {
            add(FindingKind::CoverageExcluded, word);
        }
        for name in RUNNER_VARIABLES.iter().filter(|name| name.len() > 6) {
            if line.contains(name) {
                add(FindingKind::TampersWithTests, name);
            }
        }
        for other in others.iter().filter(|other| !other.is_empty()) {
            if line.contains(other) {
                add(FindingKind::TampersWithTests, other);
            }
        }
    }
    found
}

fn coverage_word(text: &str) -> Option<&'static str> {
    let plain = text
        .to_ascii_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    COVERAGE_COMMENTS
        .iter()
        .copied()
        .find(|word| plain.contains(word))
}

struct Marks {
    found: Vec<Mark>,
    /// Local names and what they are imported from.
    imported: BTreeMap<String, String>,
    /// Names that the file declares or takes as parameters (JavaScript).
    declared: BTreeSet<String>,
    /// How many more nodes may be looked at around places.
    around: usize,
    /// How many attributes of test builds there were so far.
    test_attributes: usize,
}

/// Whether a text names a runner or says "test".
fn speaks_of_tests(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["test", "spec", "jest", "mocha", "assert"]
        .iter()
        .any(|word| lower.contains(word))
}

fn string_node(node: Node<'_>) -> bool {
    node.is(&[
        "string",
        "template_string",
        "string_literal",
        "raw_string_literal",
        "interpreted_string_literal",
        "regex",
        "rune_literal",
    ])
}

/// The content of a literal, without its quotes.
fn content(node: Node<'_>) -> &str {
    node.text()
        .trim_start_matches(|c: char| {
            c.is_ascii_alphabetic() && node.text().contains(['"', '\'']) && !matches!(c, '"' | '\'')
        })
        .trim_matches(['"', '\'', '`', '#'])
}

/// The function that a node is in, or the file.
fn owner(node: Node<'_>) -> Node<'_> {
    node.ancestors()
        .find(|outer| {
            outer.is(&[
                "function_definition",
                "function_declaration",
                "method_definition",
                "function_item",
                "method_declaration",
                "arrow_function",
                "function_expression",
                "func_literal",
            ])
        })
        .unwrap_or_else(|| node.source().root())
}

fn runner_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    [
        "pytest", "unittest", "py.test", "jest", "vitest", "mocha", "nyc", "doctest", "ava", "nose",
    ]
    .iter()
    .any(|word| {
        lower.match_indices(word).any(|(at, _)| {
            let outside = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
            outside(lower[..at].chars().next_back())
                && outside(lower[at + word.len()..].chars().next())
        })
    })
}

impl Marks {
    fn new(source: &Source<'_>) -> Marks {
        let javascript = matches!(
            source.language,
            Language::JavaScript | Language::TypeScript | Language::Tsx
        );
        let mut imported = BTreeMap::new();
        let mut declared = BTreeSet::new();
        for node in source.all() {
            let python = node.is(&["import_statement", "import_from_statement"])
                && source.language == Language::Python;
            let module = javascript
                && node.is(&[
                    "import_statement",
                    "lexical_declaration",
                    "variable_declaration",
                ]);
            if python || module {
                for binding in imports::bindings(node) {
                    imported.entry(binding.local).or_insert(binding.from);
                }
            }
            // A parameter's default may name something else, which then counts as declared: that only means that
            // assigning to it is not held to be assigning to a global.
            let parameter = node.parent().is_some_and(|parent| {
                parent.is(&[
                    "formal_parameters",
                    "required_parameter",
                    "optional_parameter",
                ])
            });
            if javascript && node.kind() == "variable_declarator" {
                declared.insert(node.field_text("name").to_string());
            } else if javascript && node.kind() == "identifier" && parameter {
                declared.insert(node.text().to_string());
            }
        }
        Marks {
            found: Vec::new(),
            imported,
            declared,
            around: AROUND_MAX,
            test_attributes: 0,
        }
    }

    /// Whether a string with this property is in a piece of code.
    fn any_string(&mut self, within: Node<'_>, mut holds: impl FnMut(&str) -> bool) -> bool {
        for part in within.walk() {
            let Some(left) = self.around.checked_sub(1) else {
                return true;
            };
            self.around = left;
            if string_node(part) && holds(content(part)) {
                return true;
            }
        }
        false
    }

    /// Whether a string with this property stands near a node: in the same expression or condition.
    fn near(&mut self, node: Node<'_>, holds: impl FnMut(&str) -> bool) -> bool {
        let within = node
            .ancestors()
            .take(NEAR_MAX)
            .take_while(|outer| {
                !outer.is(&[
                    "block",
                    "statement_block",
                    "statement_list",
                    "module",
                    "program",
                    "source_file",
                ])
            })
            .last()
            .unwrap_or(node);
        self.any_string(within, holds)
    }

    fn tampers(&mut self, node: Node<'_>, what: impl Into<String>) {
        self.found.push(Mark {
            kind: FindingKind::TampersWithTests,
            what: what.into(),
            line: node.line(),
            text: node.brief(),
        });
    }

    fn excluded(&mut self, node: Node<'_>, what: impl Into<String>) {
        self.found.push(Mark {
            kind: FindingKind::CoverageExcluded,
            what: what.into(),
            line: node.line(),
            text: node.brief(),
        });
    }

    fn comment(&mut self, node: Node<'_>) {
        for line in node.text().lines() {
            if let Some(word) = coverage_word(line) {
                self.excluded(node, word);
            }
        }
    }

    /// Names of variables and of reports, wherever they are spelled.
    fn words(&mut self, node: Node<'_>, others: &[&str]) {
        let spelled = string_node(node)
            || node.is(&[
                "property_identifier",
                "identifier",
                "shorthand_property_identifier_pattern",
                "jsx_text",
            ]);
        if !spelled {
            return;
        }
        let text = if string_node(node) {
            content(node)
        } else {
            node.text()
        };
        for name in RUNNER_VARIABLES {
            // `VITEST` is a word of its own; a longer name may be part of a longer text.
            let there = if string_node(node) {
                text.trim() == *name || name.len() > 10 && text.contains(name)
            } else {
                text == *name
            };
            if there {
                self.tampers(node, *name);
            }
        }
        if string_node(node) {
            for other in others.iter().filter(|other| !other.is_empty()) {
                let last = other.rsplit('/').next().unwrap_or(other);
                if text.contains(other) || last.len() > 4 && text.contains(last) {
                    self.tampers(node, format!("names {other}, which a check reads"));
                }
            }
            if text == "CI"
                && node.ancestors().take(3).any(|outer| {
                    outer.is(&[
                        "call",
                        "call_expression",
                        "subscript",
                        "subscript_expression",
                        "method_invocation",
                        "comparison_operator",
                    ]) && start_of(outer.text()).to_ascii_lowercase().contains("env")
                })
            {
                self.tampers(node, "CI in the environment");
            }
        } else if text == "CI"
            && node.parent().is_some_and(|parent| {
                parent.kind() == "member_expression" && parent.field_text("object").ends_with("env")
            })
        {
            self.tampers(node, "CI in the environment");
        }
    }

    fn frames(&mut self, node: Node<'_>, what: &str) {
        let within = owner(node);
        if self.any_string(within, speaks_of_tests) {
            self.tampers(node, format!("{what}: looks at who calls"));
        }
    }

    fn python(&mut self, node: Node<'_>) {
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

    fn javascript(&mut self, node: Node<'_>) {
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

    fn rust(&mut self, node: Node<'_>) {
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

    fn go(&mut self, node: Node<'_>) {
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
            "selector_expression" if node.text() == "os.Args" => {
                if self.near(node, |text| {
                    text.contains(".test") || text.contains("_test") || text.starts_with("-test")
                }) {
                    self.tampers(node, "asks whether it is a test binary");
                }
            }
            _ => {}
        }
    }

    fn java(&mut self, node: Node<'_>) {
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

/// Whether an outer node assigns to, or deletes, what `node` is on the left of.
fn changes_left<'a>(node: Node<'a>) -> impl FnMut(Node<'a>) -> bool {
    move |outer| {
        outer.kind() == "assignment_expression"
            && outer.field("left").is_some_and(|left| left.holds(node))
            || outer.kind() == "unary_expression" && outer.field_text("operator") == "delete"
    }
}

/// The beginning of an expression.
fn start_of(text: &str) -> &str {
    match text.char_indices().nth(EXPRESSION_CHARS_MAX) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

/// Whether a text holds a word as such, not as a part of a longer one or of a string.
fn word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let part =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '"');
        !part(text[..at].chars().next_back()) && !part(text[at + word.len()..].chars().next())
    })
}
