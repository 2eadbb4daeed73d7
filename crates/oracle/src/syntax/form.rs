//! The form of a piece of syntax: bytes that are equal exactly when the syntax is, whatever a formatter did to it.
//!
//! A form is kept whole and compared whole. A hash would be shorter, and whoever can choose a string literal can choose
//! it so that a short hash comes out as it should.

use std::collections::BTreeSet;

use super::Language;
use super::parse::Node;

const OPEN: u8 = 1;
const CLOSE: u8 = 2;
const TOKEN: u8 = 3;

/// What a form is to leave out or blank.
#[derive(Default, Clone, Copy)]
pub(super) struct Without<'a> {
    /// This and everything below it.
    pub node: Option<Node<'a>>,
    /// The text of numbers: two forms differ then only in more than their numbers.
    pub numbers: bool,
}

/// The form of one node.
pub(super) fn form(node: Node<'_>) -> Vec<u8> {
    forms(&[node], Without::default())
}

/// The form of nodes that stand one after the other.
pub(super) fn forms(nodes: &[Node<'_>], without: Without<'_>) -> Vec<u8> {
    let mut writer = Writer {
        out: Vec::new(),
        without,
        closing: Vec::new(),
    };
    for node in nodes {
        writer.write(*node);
    }
    writer.out
}

/// Kinds whose leaves are text of a literal, in which white space counts.
fn literal(kind: &str) -> bool {
    matches!(
        kind,
        "template_string"
            | "string"
            | "string_literal"
            | "raw_string_literal"
            | "interpreted_string_literal"
            | "char_literal"
            | "character_literal"
            | "rune_literal"
            | "regex"
            | "jsx_text"
    )
}

/// Kinds of numbers.
pub(super) fn number(kind: &str) -> bool {
    matches!(
        kind,
        "number"
            | "integer"
            | "float"
            | "integer_literal"
            | "float_literal"
            | "int_literal"
            | "decimal_integer_literal"
            | "hex_integer_literal"
            | "decimal_floating_point_literal"
    )
}

struct Writer<'a> {
    out: Vec<u8>,
    without: Without<'a>,
    /// Where nodes end that are to be closed: byte offset of the text, with the node.
    closing: Vec<Node<'a>>,
}

/// What is to be done with a node.
enum Way {
    /// Leave it out, with everything below it.
    Skip,
    /// Leave it out; what is below it counts.
    Through,
    /// Its text is one token, whatever is below it.
    Text(String),
    /// A node of its own.
    Open,
}

impl<'a> Writer<'a> {
    fn write(&mut self, node: Node<'a>) {
        let mut walk = node.walk();
        let depth = self.closing.len();
        while let Some(node) = walk.next() {
            while self.closing.len() > depth
                && self.closing.last().is_some_and(|open| !open.holds(node))
            {
                self.closing.pop();
                self.out.push(CLOSE);
            }
            match self.way(node) {
                Way::Skip => walk.leave_out(node),
                Way::Through => {}
                Way::Text(text) => {
                    self.token(&text);
                    walk.leave_out(node);
                }
                Way::Open => {
                    self.out.push(OPEN);
                    self.out.extend(node.kind_id().to_le_bytes());
                    self.closing.push(node);
                }
            }
        }
        while self.closing.len() > depth {
            self.closing.pop();
            self.out.push(CLOSE);
        }
    }

    fn token(&mut self, text: &str) {
        self.out.push(TOKEN);
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.out.extend(length.to_le_bytes());
        self.out.extend(text.as_bytes());
    }

    fn way(&self, node: Node<'a>) -> Way {
        if self.without.node == Some(node) {
            return Way::Skip;
        }
        if node.extra() {
            return Way::Skip;
        }
        if self.without.numbers && number(node.kind()) {
            return Way::Text("#".to_string());
        }
        let parent = node.parent();
        let language = node.source().language;
        if node.kind() == "parenthesized_expression" {
            return Way::Through;
        }
        if !node.named() && node.leaf() {
            return punctuation(node, parent, language);
        }
        match language {
            Language::Python => python(node),
            Language::JavaScript | Language::TypeScript | Language::Tsx => javascript(node),
            Language::Rust => rust(node),
            Language::Go | Language::Java => None,
        }
        .unwrap_or_else(|| {
            if node.leaf() || literal(node.kind()) && !interpolated(node) {
                Way::Text(node.text().to_string())
            } else {
                Way::Open
            }
        })
    }
}

fn interpolated(node: Node<'_>) -> bool {
    node.children()
        .any(|child| child.is(&["template_substitution", "interpolation"]))
}

fn punctuation(node: Node<'_>, parent: Option<Node<'_>>, language: Language) -> Way {
    let text = node.text();
    let within = parent.map_or("", Node::kind);
    if text.trim().is_empty() {
        return Way::Skip;
    }
    let skip = match text {
        "(" | ")" if within == "parenthesized_expression" => true,
        "{" | "}" if language == Language::Rust => {
            parent.is_some_and(|block| matches!(rust(block), Some(Way::Through)))
        }
        "," => match within {
            // Commas of a macro's tokens and holes of an array mean something, unless they are the last.
            "token_tree" | "array" | "array_pattern" | "subscript" => last_of_list(node, parent),
            _ => true,
        },
        ";" => match language {
            Language::JavaScript | Language::TypeScript | Language::Tsx => {
                within != "for_statement"
            }
            Language::Go => within != "for_clause",
            Language::Python => true,
            Language::Rust | Language::Java => false,
        },
        _ => false,
    };
    if skip {
        Way::Skip
    } else {
        Way::Text(text.to_string())
    }
}

/// Whether a comma is followed by nothing but the end of its list, and preceded by something.
fn last_of_list(comma: Node<'_>, parent: Option<Node<'_>>) -> bool {
    let Some(parent) = parent else { return false };
    let before = parent
        .children()
        .take_while(|child| *child != comma)
        .filter(|child| !child.extra())
        .last();
    let after = parent
        .children()
        .skip_while(|child| *child != comma)
        .skip(1)
        .find(|child| !child.extra());
    before.is_some_and(|before| !matches!(before.kind(), "," | "[" | "("))
        && after.is_none_or(|after| matches!(after.kind(), "]" | ")" | "}"))
        // `a[1,]` is not `a[1]` in Python.
        && (parent.kind() != "subscript"
            || parent.children().filter(|child| child.kind() == ",").count() > 1)
}

/// Text of a quoted string without what only its quotes need.
fn unquoted(text: &str) -> String {
    text.replace("\\'", "'").replace("\\\"", "\"")
}

fn python(node: Node<'_>) -> Option<Way> {
    match node.kind() {
        "string_start" => {
            let prefix: BTreeSet<char> = node
                .text()
                .chars()
                .filter(|c| c.is_ascii_alphabetic())
                .map(|c| c.to_ascii_lowercase())
                .filter(|c| *c != 'u')
                .collect();
            Some(Way::Text(prefix.into_iter().collect()))
        }
        "string_end" => Some(Way::Skip),
        "string_content" => {
            let raw = node
                .parent()
                .and_then(|string| string.child("string_start"))
                .is_some_and(|start| start.text().contains(['r', 'R']));
            Some(Way::Text(if raw {
                node.text().to_string()
            } else {
                unquoted(node.text())
            }))
        }
        "string" => Some(Way::Open),
        "integer" | "float" => Some(Way::Text(node.text().to_ascii_lowercase())),
        "expression_statement" => docstring(node).map(|text| {
            // Of a docstring only its examples mean something, and a formatter may indent it anew.
            if text.contains(">>>") {
                Way::Text(text.lines().map(str::trim).collect::<Vec<_>>().join("\n"))
            } else {
                Way::Skip
            }
        }),
        "argument_list"
            if node.parts().next().is_none()
                && node
                    .parent()
                    .is_some_and(|parent| parent.kind() == "class_definition") =>
        {
            Some(Way::Skip)
        }
        _ => None,
    }
}

/// The text of a docstring, if this statement is one.
pub(super) fn docstring<'a>(statement: Node<'a>) -> Option<&'a str> {
    let string = docstring_node(statement)?;
    let start = string.child("string_start")?;
    let end = string
        .children()
        .last()
        .filter(|end| end.kind() == "string_end")?;
    string.source().text.get(start.end()..end.start())
}

/// The string of a docstring, if this statement is one.
pub(super) fn docstring_node(statement: Node<'_>) -> Option<Node<'_>> {
    if statement.kind() != "expression_statement" {
        return None;
    }
    let mut parts = statement.parts();
    let string = parts.next().filter(|part| part.kind() == "string")?;
    if parts.next().is_some() || interpolated(string) {
        return None;
    }
    let parent = statement.parent()?;
    if !parent.is(&["block", "module"]) || parent.parts().next() != Some(statement) {
        return None;
    }
    // A block's string documents what the block belongs to only if that is a function or a class.
    if parent.kind() == "block"
        && !parent
            .parent()
            .is_some_and(|owner| owner.is(&["function_definition", "class_definition"]))
    {
        return None;
    }
    let start = string.child("string_start")?;
    if start.text().contains(['f', 'F', 'b', 'B', 't', 'T']) {
        return None;
    }
    Some(string)
}

/// The content of a JavaScript string literal.
pub(super) fn string_content(node: Node<'_>) -> &str {
    let text = node.text();
    text.get(1..text.len().saturating_sub(1))
        .unwrap_or_default()
}

fn javascript(node: Node<'_>) -> Option<Way> {
    let parent = node.parent();
    match node.kind() {
        "string" => {
            let content = unquoted(string_content(node));
            let key = node.field_name() == "key"
                && parent.is_some_and(|parent| parent.is(&["pair", "pair_pattern"]));
            let bare =
                key && content.chars().enumerate().all(|(at, c)| {
                    c == '_' || c == '$' || c.is_ascii_alphabetic() || at > 0 && c.is_ascii_digit()
                }) && !content.is_empty();
            // A quoted key is the same as the bare one; any other string is not the name it spells.
            Some(Way::Text(if bare {
                content
            } else {
                format!("\"{content}\"")
            }))
        }
        "empty_statement" => Some(
            if parent.is_some_and(|parent| parent.is(&["for_statement"])) {
                Way::Text(";".to_string())
            } else {
                Way::Skip
            },
        ),
        // `x => x` is `(x) => x`.
        "formal_parameters" => parent
            .filter(|parent| parent.kind() == "arrow_function")
            .filter(|_| {
                let mut parts = node.parts();
                parts.next().is_some_and(|only| {
                    // TypeScript wraps each parameter; one without type or default is its name alone.
                    only.leaf()
                        || only.kind() == "required_parameter"
                            && only.children().all(Node::leaf)
                            && only.children().count() == 1
                }) && parts.next().is_none()
            })
            .and_then(|_| node.parts().next())
            .filter(|only| only.field_name() != "pattern" || only.leaf())
            .map(|only| Way::Text(only.text().to_string())),
        "number" => {
            let text = node.text().to_ascii_lowercase();
            let plain = text
                .chars()
                .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | '-' | '+'));
            Some(Way::Text(match text.parse::<f64>() {
                Ok(value)
                    if plain
                        && value.is_finite()
                        && !(text.starts_with('0') && text.len() > 1 && !text.contains('.')) =>
                {
                    format!("{value:e}")
                }
                _ => text,
            }))
        }
        "jsx_text" => Some(Way::Text(
            node.text().split_whitespace().collect::<Vec<_>>().join(" "),
        )),
        _ => None,
    }
}

fn rust(node: Node<'_>) -> Option<Way> {
    match node.kind() {
        // `=> { x }` is `=> x`, and so is the body of a closure.
        "block" => {
            let parent = node.parent()?;
            if !parent.is(&["match_arm", "closure_expression"]) {
                return None;
            }
            let mut parts = node.parts();
            let only = parts.next()?;
            let expression = !only.is(&[
                "expression_statement",
                "let_declaration",
                "empty_statement",
                "block",
            ]) && !only.kind().ends_with("_item")
                && !only.kind().ends_with("_declaration");
            (expression && parts.next().is_none() && node.child("label").is_none())
                .then_some(Way::Through)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::Source;
    use super::*;

    fn same(language: Language, one: &str, other: &str) -> bool {
        let one = Source::parse(language, one.as_bytes()).expect("it is small");
        let other = Source::parse(language, other.as_bytes()).expect("it is small");
        form(one.root()) == form(other.root())
    }

    #[test]
    fn what_a_formatter_does_is_no_difference() {
        let pairs = [
            (
                Language::Python,
                "x = ('it\\'s')\n",
                "x = \"it's\"  # why\n",
            ),
            (Language::Python, "f(a,\n  b,)\n", "f(a, b)\n"),
            (
                Language::Python,
                "class A():\n  x = 0XFF\n",
                "class A:\n    x = 0xff\n",
            ),
            (
                Language::Python,
                "def f():\n  'Says.'\n  return (1)\n",
                "def f():\n    return 1\n",
            ),
            (
                Language::JavaScript,
                "const a = x => { return 'a' }",
                "const a = (x) => {\n  return \"a\";\n};\n",
            ),
            (
                Language::JavaScript,
                "f({'a': 1, b: [1, 2,],})",
                "f({ a: 1, b: [1, 2] });",
            ),
            (
                Language::JavaScript,
                "f('it\\'s', 1.50)",
                "f(\"it's\", 1.5);",
            ),
            (
                Language::Rust,
                "fn f() { g(a, b,); match x { 1 => { 2 } _ => 3, } }",
                "fn f() {\n    g(a, b);\n    match x {\n        1 => 2,\n        _ => 3,\n    }\n}\n",
            ),
            (
                Language::Rust,
                "fn f() { assert_eq!(a, b,); }",
                "fn f() { // why\n assert_eq!(\n  a,\n  b\n); }",
            ),
            (
                Language::Go,
                "func f() { g(1,\n2,\n)\n}",
                "func f() {\n\tg(1, 2) // why\n}\n",
            ),
            (
                Language::Java,
                "class A { void f() { g((1), 2); } }",
                "class A {\n  /* why */ void f() {\n    g(1, 2);\n  }\n}\n",
            ),
        ];
        for (language, one, other) in pairs {
            assert!(same(language, one, other), "{one}\n{other}");
        }
    }

    #[test]
    fn what_means_something_is_a_difference() {
        let pairs = [
            (Language::Python, "x = (a + b) * c\n", "x = a + b * c\n"),
            (Language::Python, "x = 'a '\n", "x = 'a'\n"),
            (Language::Python, "x = r'\\''\n", "x = '\\''\n"),
            (Language::Python, "assert (a, 'm')\n", "assert a, 'm'\n"),
            (
                Language::Python,
                "if a:\n  f()\n  g()\n",
                "if a:\n  f()\ng()\n",
            ),
            (Language::Python, "x = a[1,]\n", "x = a[1]\n"),
            (
                Language::Python,
                "def f():\n  '''>>> g(1)\n  2'''\n",
                "def f():\n  '''>>> g(1)\n  3'''\n",
            ),
            (Language::JavaScript, "f([, 1])", "f([1])"),
            (Language::JavaScript, "f(a)", "f('a')"),
            (Language::JavaScript, "f(`a  b`)", "f(`a b`)"),
            (Language::JavaScript, "f(/a b/)", "f(/ab/)"),
            (Language::JavaScript, "for (;x;) {}", "for (;;x) {}"),
            (Language::Rust, "fn f() -> u8 { 1 }", "fn f() -> u8 { 1; }"),
            (
                Language::Rust,
                "fn f() { g!(a b); }",
                "fn f() { g!(a, b); }",
            ),
            (
                Language::Go,
                "func f() { for x := 0; ; x++ {} }",
                "func f() { for x := 0; x++; {} }",
            ),
            (
                Language::Java,
                "class A { int x = 1; }",
                "class A { int x = 2; }",
            ),
        ];
        for (language, one, other) in pairs {
            assert!(!same(language, one, other), "{one}\n{other}");
        }
    }
}
