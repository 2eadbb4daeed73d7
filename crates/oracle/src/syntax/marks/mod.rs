//! Marks: places in code that exclude it from coverage, ask whether a test is running, or change what runs the tests.

mod go;
mod java;
mod javascript;
mod python;
mod rust;

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::finding::FindingKind;

use super::Language;
use super::imports;
use super::parse::{Node, Source, brief};

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
