//! The walk over a file's syntax that finds every place for a fault.

use overnight_ports::faults::{Fault, Language};
use tree_sitter::Node;

use crate::grammar::{Grammar, grammar, parse};
use crate::{DEPTH_MAX, PLACES_MAX, SOURCE_BYTES_MAX, literal, returns, swap};

/// Longest piece of code that a description quotes, characters.
const QUOTED_CHARS_MAX: usize = 60;

/// Whose calls only tell somebody what happens: nothing in them is changed, and nobody is to notice that they are gone.
const TELLERS: [&str; 15] = [
    "console", "log", "logger", "logging", "slog", "tracing", "_log", "_logger", "warnings",
    "winston", "fmt", "klog", "zap", "logrus", "glog",
];
/// Functions that only tell, however they are reached.
const TELLING: [&str; 9] = [
    "print", "println", "printf", "eprintln", "Println", "Printf", "Print", "pprint", "debugger",
];
/// Calls whose absence is seldom seen by a test, and says little.
const MINOR_CALLS: [&str; 12] = [
    "close",
    "flush",
    "sleep",
    "drop",
    "super",
    "require",
    "Close",
    "Flush",
    "Sleep",
    "defineProperty",
    "__init__",
    "setTimeout",
];
/// Calls whose numbers are sizes and times rather than results.
const SIZE_CALLS: [&str; 16] = [
    "sleep",
    "Sleep",
    "setTimeout",
    "setInterval",
    "make",
    "with_capacity",
    "reserve",
    "ArrayList",
    "HashMap",
    "StringBuilder",
    "from_millis",
    "from_secs",
    "alloc",
    "timeout",
    "delay",
    "Buffer",
];
/// Declarations of tests inside of other code.
const TEST_CALLS: [&str; 9] = [
    "describe",
    "it",
    "test",
    "suite",
    "beforeEach",
    "afterEach",
    "beforeAll",
    "afterAll",
    "context",
];

/// A fault with what it is grouped by.
#[derive(Debug, Clone)]
pub struct Place {
    /// The fault.
    pub fault: Fault,
    /// The function around it, by name; empty outside of any.
    pub function: String,
}

/// Every place for a fault in a file, in the order of the text.
pub fn places(path: &str, language: Language, content: &str) -> Vec<Place> {
    if content.len() > SOURCE_BYTES_MAX {
        return Vec::new();
    }
    let Some(tree) = parse(path, language, content) else {
        return Vec::new();
    };
    let mut walk = Walk {
        path,
        language,
        names: grammar(language),
        content,
        functions: vec![String::new()],
        found: Vec::new(),
    };
    walk.all(tree.root_node());
    let mut found = walk.found;
    found.sort_by(|a, b| {
        let key = |p: &Place| (p.fault.start, p.fault.end, p.fault.text.clone());
        key(a).cmp(&key(b))
    });
    found.dedup_by(|a, b| {
        (a.fault.start, a.fault.end, &a.fault.text) == (b.fault.start, b.fault.end, &b.fault.text)
    });
    found
}

/// What is known of a node from above it.
#[derive(Clone, Copy)]
struct Above<'t> {
    node: Node<'t>,
    parent: Option<Node<'t>>,
    field: Option<&'t str>,
    /// The function around it, as an index of its name; 0 outside of any.
    function: usize,
    /// That function's type.
    result: Option<Node<'t>>,
    /// Whether numbers are changed here.
    numbers: bool,
    depth: u32,
}

struct Walk<'a> {
    path: &'a str,
    language: Language,
    names: &'static Grammar,
    content: &'a str,
    functions: Vec<String>,
    found: Vec<Place>,
}

impl<'a> Walk<'a> {
    fn all(&mut self, root: Node<'_>) {
        let mut left = vec![Above {
            node: root,
            parent: None,
            field: None,
            function: 0,
            result: None,
            numbers: true,
            depth: 0,
        }];
        while let Some(at) = left.pop() {
            if self.found.len() >= PLACES_MAX {
                return;
            }
            if at.depth > DEPTH_MAX || self.left_alone(&at) {
                continue;
            }
            self.changes(&at);
            let inside = self.inside(&at);
            self.children(&inside, &mut left);
        }
    }

    /// What its children know from above them.
    fn inside<'t>(&mut self, at: &Above<'t>) -> Above<'t> {
        let node = at.node;
        let mut inside = Above {
            depth: at.depth + 1,
            ..*at
        };
        let kind = node.kind();
        if self.names.functions.contains(&kind) {
            let name = node.child_by_field_name("name");
            let name = name.map(|n| self.text(n).to_owned());
            self.functions
                .push(name.unwrap_or_else(|| "(a function)".to_owned()));
            inside.function = self.functions.len() - 1;
            inside.result = ["return_type", "result", "type"]
                .iter()
                .find_map(|field| node.child_by_field_name(field));
            inside.numbers = true;
        } else if self.names.closures.contains(&kind) {
            if inside.function == 0 {
                self.functions.push("(a function)".to_owned());
                inside.function = self.functions.len() - 1;
            }
            inside.result = node.child_by_field_name("return_type");
        } else if let Some(called) = self.called(node) {
            let last = last_word(called);
            inside.numbers &=
                !SIZE_CALLS.contains(&last) && !SIZE_CALLS.contains(&first_word(called));
        }
        inside
    }

    /// Puts the children on the stack, so that they are met in the order of the text.
    fn children<'t>(&self, above: &Above<'t>, left: &mut Vec<Above<'t>>) {
        let start = left.len();
        let mut cursor = above.node.walk();
        // The next item is a test.
        let mut test = false;
        let mut more = cursor.goto_first_child();
        while more {
            let node = cursor.node();
            let kind = node.kind();
            let field = cursor.field_name();
            more = cursor.goto_next_sibling();
            if !node.is_named() {
                continue;
            }
            if self.language == Language::Rust {
                match kind {
                    "inner_attribute_item" if marks_test(self.text(node)) => {
                        left.truncate(start);
                        return;
                    }
                    "attribute_item" => {
                        test |= marks_test(self.text(node));
                        continue;
                    }
                    "line_comment" | "block_comment" => continue,
                    _ if std::mem::take(&mut test) => continue,
                    _ => {}
                }
            }
            left.push(Above {
                node,
                parent: Some(above.node),
                field,
                // What stands before a loop begins is seldom a result.
                numbers: above.numbers && !matches!(field, Some("initializer" | "init")),
                ..*above
            });
        }
        left[start..].reverse();
    }

    fn text(&self, node: Node<'_>) -> &'a str {
        self.content.get(node.byte_range()).unwrap_or_default()
    }

    /// What a call calls, as it reads.
    fn called(&self, node: Node<'_>) -> Option<&'a str> {
        let (_, field) = self
            .names
            .calls
            .iter()
            .find(|(kind, _)| *kind == node.kind())?;
        let called = self.text(node.child_by_field_name(field)?);
        // A receiver that is a chain of calls is long; only its ends are looked at.
        Some(called)
    }

    /// Whether nothing is changed in a subtree.
    fn left_alone(&self, at: &Above<'_>) -> bool {
        let node = at.node;
        let kind = node.kind();
        if node.is_error() || node.is_missing() || self.names.skipped.contains(&kind) {
            return true;
        }
        if at.field == Some("source") && kind == "string" {
            return true;
        }
        match kind {
            // Documentation.
            "expression_statement"
                if node.named_child_count() == 1
                    && node
                        .named_child(0)
                        .is_some_and(|child| self.names.texts.contains(&child.kind())) =>
            {
                return true;
            }
            "if_statement" => {
                let condition = node
                    .child_by_field_name("condition")
                    .map_or("", |c| self.text(c));
                if [
                    "__name__",
                    "TYPE_CHECKING",
                    "import.meta.vitest",
                    "require.main",
                ]
                .iter()
                .any(|word| condition.contains(word))
                {
                    return true;
                }
            }
            "function_definition" | "class_definition" if self.language == Language::Python => {
                let name = node
                    .child_by_field_name("name")
                    .map_or("", |name| self.text(name));
                let bases = node
                    .child_by_field_name("superclasses")
                    .map_or("", |bases| self.text(bases));
                return name.starts_with("test_") || bases.contains("TestCase");
            }
            // What a program shows of itself to its developers.
            "impl_item" => {
                let of = node.child_by_field_name("trait");
                return of.is_some_and(|of| last_word(self.text(of)) == "Debug");
            }
            _ => {}
        }
        let Some(called) = self.called(node) else {
            return false;
        };
        let scripts = matches!(self.language, Language::JavaScript | Language::TypeScript);
        self.only_tells(node, called)
            || scripts && TEST_CALLS.contains(&first_word(called)) && at.function == 0
    }

    /// Whether a call only tells somebody what happens.
    fn only_tells(&self, call: Node<'_>, called: &str) -> bool {
        // Java keeps what a method is called on apart from its name.
        let object = call.child_by_field_name("object");
        tells(called) || object.is_some_and(|object| receiver_tells(self.text(object)))
    }

    fn push(&mut self, at: &Above<'_>, start: usize, end: usize, text: String, change: String) {
        let Some(before) = self.content.get(start..end) else {
            return;
        };
        if before == text {
            return;
        }
        let line = at.node.start_position().row
            + self
                .content
                .get(at.node.start_byte()..start)
                .map_or(0, |skipped| skipped.matches('\n').count());
        self.found.push(Place {
            fault: Fault {
                path: self.path.to_owned(),
                language: self.language,
                line: line as u64 + 1,
                start,
                end,
                text,
                change,
            },
            function: self.functions[at.function].clone(),
        });
    }

    /// Replaces a node by a text.
    fn replace(&mut self, at: &Above<'_>, node: Node<'_>, text: &str) {
        let change = format!("{} became {}", quoted(self.text(node)), quoted(text));
        self.push(
            at,
            node.start_byte(),
            node.end_byte(),
            text.to_owned(),
            change,
        );
    }

    /// The faults that have their place at this very node.
    fn changes(&mut self, at: &Above<'_>) {
        let node = at.node;
        let kind = node.kind();
        let names = self.names;
        if names.binary.contains(&kind) {
            self.operator(at);
        } else if kind == "comparison_operator" {
            self.python_comparison(at);
        } else if names.assignments.contains(&kind) {
            self.assigning(at);
        } else if matches!(kind, "unary_expression" | "not_operator") {
            self.negation(at);
        } else if names.numbers.contains(&kind) {
            self.number(at);
        } else if names.texts.contains(&kind) {
            self.constant_text(at);
        } else if names.truths.contains(&kind) {
            if let Some(text) = literal::truth(self.text(node)) {
                self.replace(at, node, text);
            }
        } else if matches!(kind, "return_statement" | "return_expression") {
            self.returned(at);
        } else if kind == "expression_statement" {
            self.statement(at);
        } else if kind == "arrow_function" {
            self.arrow(at);
        } else if kind == "block" && self.language == Language::Rust {
            self.tail(at);
        }
        if kind == "conditional_expression" {
            // Python's has no names for its parts: the value, the condition, the other value.
            if let Some(condition) = node.named_child(1) {
                self.condition(at, condition, true);
            }
        }
        let conditional = names.conditions.iter().find(|(k, _, _)| *k == kind);
        if let Some((_, field, both)) = conditional
            && let Some(condition) = node.child_by_field_name(field)
        {
            self.condition(at, condition, *both);
        }
    }

    fn operator(&mut self, at: &Above<'_>) {
        let node = at.node;
        let Some(operator) = node.child_by_field_name("operator") else {
            return;
        };
        let sign = self.text(operator);
        if let Some(text) = swap::comparison(sign).or_else(|| swap::connective(sign)) {
            // `"key" in object` is another thing than the `in` of a loop, and its negation is spelt otherwise.
            if self.language != Language::Python && matches!(sign, "in" | "is") {
                return;
            }
            self.replace(at, operator, text);
        } else if let Some(text) = swap::arithmetic(sign)
            && !self.joins_texts(node)
        {
            self.replace(at, operator, text);
        }
    }

    /// Whether texts are put together: taking one from the other only crashes, which every test notices.
    fn joins_texts(&self, node: Node<'_>) -> bool {
        let mut left = vec![node];
        while let Some(node) = left.pop() {
            if self.names.texts.contains(&node.kind())
                || matches!(
                    node.kind(),
                    "template_string"
                        | "concatenated_string"
                        | "list"
                        | "array"
                        | "raw_string_literal"
                        | "tuple"
                )
            {
                return true;
            }
            // `"a" + b + c` is nested to the left.
            if self.names.binary.contains(&node.kind()) {
                left.extend(
                    ["left", "right"]
                        .iter()
                        .filter_map(|field| node.child_by_field_name(field)),
                );
            }
        }
        false
    }

    fn python_comparison(&mut self, at: &Above<'_>) {
        let node = at.node;
        let mut cursor = node.walk();
        let operators: Vec<Node<'_>> = node
            .children_by_field_name("operators", &mut cursor)
            .collect();
        for operator in operators {
            let sign = self
                .text(operator)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            if let Some(text) = swap::comparison(&sign) {
                self.replace(at, operator, text);
            }
        }
    }

    fn assigning(&mut self, at: &Above<'_>) {
        let Some(operator) = at.node.child_by_field_name("operator") else {
            return;
        };
        let text = self.text(operator);
        let right = at.node.child_by_field_name("right");
        if text.len() > 1
            && let Some(text) = swap::arithmetic(text)
            && !right.is_some_and(|right| self.joins_texts(right))
        {
            self.replace(at, operator, text);
        }
    }

    /// Takes a negation away.
    fn negation(&mut self, at: &Above<'_>) {
        let node = at.node;
        let Some(operator) = node.child(0) else {
            return;
        };
        let operand = ["argument", "operand"]
            .iter()
            .find_map(|field| node.child_by_field_name(field))
            .or_else(|| node.named_child(0));
        let Some(operand) = operand.filter(|_| matches!(self.text(operator), "!" | "not")) else {
            return;
        };
        let change = format!(
            "{} became {}",
            quoted(self.text(node)),
            quoted(self.text(operand))
        );
        self.push(
            at,
            node.start_byte(),
            operand.start_byte(),
            String::new(),
            change,
        );
    }

    /// Whether a literal is a key or an index.
    fn is_key(&self, at: &Above<'_>) -> bool {
        let parent = at.parent.map_or("", |parent| parent.kind());
        matches!(
            at.field,
            Some("key" | "index" | "subscript" | "name" | "property")
        ) || matches!(
            parent,
            "subscript" | "subscript_expression" | "index_expression" | "array_access"
        )
    }

    fn number(&mut self, at: &Above<'_>) {
        if !at.numbers || self.is_key(at) {
            return;
        }
        if let Some(text) = literal::number(self.text(at.node)) {
            self.replace(at, at.node, &text);
        }
    }

    /// Only texts that are results: not those that are handed to a function, which are names, messages and patterns most
    /// of the time.
    fn constant_text(&mut self, at: &Above<'_>) {
        let Some(parent) = at.parent.filter(|_| !self.is_key(at)) else {
            return;
        };
        let result = match parent.kind() {
            "return_statement"
            | "return_expression"
            | "comparison_operator"
            | "arrow_function"
            | "ternary_expression"
            | "conditional_expression"
            | "match_arm"
            | "binary_expression"
            | "expression_list" => true,
            "variable_declarator" | "let_declaration" | "const_item" | "static_item" => {
                at.field == Some("value")
            }
            "assignment" | "assignment_expression" => {
                let left = parent.child_by_field_name("left");
                let dunder = left.is_some_and(|left| self.text(left).starts_with("__"));
                at.field == Some("right") && !dunder
            }
            "block" => true,
            "pair" | "keyed_element" | "literal_element" => at.field == Some("value"),
            _ => false,
        };
        // Two halves of one text are no two texts.
        let joined = parent.kind() == "binary_expression" && {
            let operator = parent.child_by_field_name("operator");
            operator.is_some_and(|o| swap::comparison(self.text(o)).is_none())
        };
        if result
            && !joined
            && let Some(text) = literal::text(self.text(at.node))
        {
            self.replace(at, at.node, &text);
        }
    }

    fn condition(&mut self, at: &Above<'_>, condition: Node<'_>, both: bool) {
        let mut inner = condition;
        while inner.kind() == "parenthesized_expression" {
            let Some(child) = only_child(inner) else {
                return;
            };
            inner = child;
        }
        let kind = inner.kind();
        if self.names.truths.contains(&kind)
            || matches!(kind, "let_condition" | "let_chain" | "sequence_expression")
            || inner.has_error()
        {
            return;
        }
        let (yes, no) = match self.language {
            Language::Python => ("True", "False"),
            _ => ("true", "false"),
        };
        let here = Above { node: inner, ..*at };
        if both {
            self.replace(&here, inner, yes);
        }
        self.replace(&here, inner, no);
    }

    fn returned(&mut self, at: &Above<'_>) {
        let Some(mut value) = only_child(at.node) else {
            return;
        };
        let mut result = at.result.map(|result| self.text(result));
        if self.language == Language::Go {
            // The first of what is given back, by the first of the types.
            let types = at.result.filter(|result| result.kind() == "parameter_list");
            let values = value.named_child_count();
            if value.kind() != "expression_list" {
                return;
            }
            match types {
                Some(types) if values == types.named_child_count() => {
                    let first = types.named_child(0);
                    result = first
                        .map(|first| first.child_by_field_name("type").unwrap_or(first))
                        .map(|kind| self.text(kind));
                }
                None if values == 1 => {}
                _ => return,
            }
            let Some(first) = value.named_child(0) else {
                return;
            };
            value = first;
        }
        self.instead(at, value, result);
    }

    /// What is given back becomes nothing.
    fn instead(&mut self, at: &Above<'_>, value: Node<'_>, result: Option<&str>) {
        if value.has_error() || value.kind() == "comment" {
            return;
        }
        let values = returns::instead(self.language, value.kind(), self.text(value), result);
        let here = Above { node: value, ..*at };
        for text in values {
            self.replace(&here, value, &text);
        }
    }

    /// A function of JavaScript that is only an expression.
    fn arrow(&mut self, at: &Above<'_>) {
        let body = at.node.child_by_field_name("body");
        if let Some(body) = body.filter(|body| body.kind() != "statement_block") {
            self.instead(at, body, None);
        }
    }

    /// The last expression of a Rust function.
    fn tail(&mut self, at: &Above<'_>) {
        let of_function = at.parent.is_some_and(|p| p.kind() == "function_item");
        let Some(result) = at.result.filter(|_| of_function) else {
            return;
        };
        let count = u32::try_from(at.node.named_child_count()).unwrap_or_default();
        let last = (0..count)
            .rev()
            .filter_map(|i| at.node.named_child(i))
            .find(|n| !matches!(n.kind(), "line_comment" | "block_comment"));
        if let Some(last) = last.filter(|last| {
            let kind = last.kind();
            kind.ends_with("_expression")
                || matches!(
                    kind,
                    "identifier" | "self" | "scoped_identifier" | "macro_invocation"
                )
        }) {
            self.instead(at, last, Some(self.text(result)));
        }
    }

    /// Takes a statement away that is only a call.
    fn statement(&mut self, at: &Above<'_>) {
        if at.function == 0 {
            return;
        }
        let Some(mut call) = only_child(at.node) else {
            return;
        };
        if matches!(call.kind(), "await_expression" | "await" | "try_expression") {
            match only_child(call) {
                Some(inner) => call = inner,
                None => return,
            }
        }
        if call.kind() == "new_expression" || call.has_error() {
            return;
        }
        let Some(called) = self.called(call) else {
            return;
        };
        if self.only_tells(call, called)
            || MINOR_CALLS.contains(&last_word(called))
            || first_word(called) == "super"
        {
            return;
        }
        let change = format!("{} was taken away", quoted(self.text(at.node)));
        let (start, end) = (at.node.start_byte(), at.node.end_byte());
        self.push(at, start, end, self.names.nothing.to_owned(), change);
    }
}

/// The one named child that is no comment.
fn only_child(node: Node<'_>) -> Option<Node<'_>> {
    let count = u32::try_from(node.named_child_count()).ok()?;
    if count > 8 {
        return None;
    }
    let mut children = (0..count)
        .filter_map(|i| node.named_child(i))
        .filter(|child| !child.kind().contains("comment"));
    let first = children.next()?;
    children.next().is_none().then_some(first)
}

/// The first word of what is called: `a` of `a.b.c`.
fn first_word(called: &str) -> &str {
    let end = called
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .unwrap_or(called.len());
    &called[..end]
}

/// The last word of what is called: `c` of `a.b.c`.
fn last_word(called: &str) -> &str {
    called
        .rsplit(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .next()
        .unwrap_or(called)
}

/// Whether a call only tells somebody what happens.
fn tells(called: &str) -> bool {
    let last = last_word(called);
    // `log` may be a logarithm, and `Math.log` is one.
    let receiver = called
        .strip_suffix(last)
        .map_or("", |rest| rest.trim_end_matches(['.', ':', '?', '!']));
    TELLING.contains(&last) && !receiver.contains('(')
        || !receiver.is_empty() && receiver_tells(receiver)
}

/// Whether what a method is called on is a log.
fn receiver_tells(receiver: &str) -> bool {
    let last = last_word(receiver);
    TELLERS
        .iter()
        .any(|teller| last.eq_ignore_ascii_case(teller))
}

/// Whether an attribute of Rust makes what follows a test: `#[test]`, `#[tokio::test]`, `#[cfg(test)]`.
fn marks_test(attribute: &str) -> bool {
    let plain: String = attribute.chars().filter(|c| !c.is_whitespace()).collect();
    let Some(inner) = plain
        .strip_prefix("#[")
        .or_else(|| plain.strip_prefix("#!["))
    else {
        return false;
    };
    let end = inner
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
        .unwrap_or(inner.len());
    let (name, arguments) = inner.split_at(end);
    let last = name.rsplit("::").next().unwrap_or(name);
    if name == "cfg" {
        let words = || arguments.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        return words().any(|word| word == "test") && !arguments.contains("not(test)");
    }
    last == "bench"
        || last == "test"
        || last.ends_with("test")
        || last.starts_with("test_")
        || last == "quickcheck"
}

/// A piece of code in backticks, in one line.
fn quoted(code: &str) -> String {
    let mut line = String::new();
    let mut chars = 0;
    for word in code.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
            chars += 1;
        }
        for c in word.chars() {
            if chars >= QUOTED_CHARS_MAX {
                line.push('…');
                return format!("`{line}`");
            }
            // Backticks would end the quotation.
            line.push(if c == '`' { '\'' } else { c });
            chars += 1;
        }
    }
    format!("`{line}`")
}
