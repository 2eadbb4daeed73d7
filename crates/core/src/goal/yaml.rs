//! YAML front matter as a tree in which every key and every value knows where it stands.
//!
//! Built from parser events rather than through serde, so that all problems are found in one go and each has its
//! place. Bounded: depth, number of values, and what aliases may expand to.

use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{
    ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span as Raw, StructureStyle, Tag,
};

use super::diagnostic::{Findings, quoted};
use super::position::Span;
use super::words::{shown, yaml_quoted};

/// Lists and maps inside one another.
pub const YAML_DEPTH_MAX: usize = 24;
/// Values in one front matter, those that aliases repeat included.
pub const YAML_VALUES_MAX: usize = 100_000;
/// Bytes of text that aliases may repeat.
pub const YAML_ALIAS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub span: Span,
    pub value: Value,
}

/// What a value is, by YAML 1.2's core schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As written, and as a number.
    Number(String, f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a map.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

impl Node {
    /// What it is, for messages: "text `80%`", "a list".
    pub fn described(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(value) => format!("`{value}`"),
            Value::Number(raw, _) => format!("number {}", shown(raw)),
            Value::Text(text) => format!("text {}", yaml_quoted(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }

    /// As JSON, for what is kept as the goal says it.
    pub fn json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(raw, value) => match raw.parse::<i64>() {
                Ok(whole) => Json::from(whole),
                Err(_) => serde_json::Number::from_f64(*value)
                    .map_or_else(|| Json::from(raw.as_str()), Json::Number),
            },
            Value::Text(text) => Json::String(text.clone()),
            Value::List(nodes) => Json::Array(nodes.iter().map(Node::json).collect()),
            Value::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|e| (e.key.clone(), e.node.json()))
                    .collect(),
            ),
        }
    }

    /// The entry of that key, if this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }

    /// How many values it holds, itself included, and how many bytes of text.
    fn weight(&self) -> (usize, usize) {
        let add = |(n, b): (usize, usize), (m, c): (usize, usize)| (n + m, b + c);
        match &self.value {
            Value::Null | Value::Bool(_) => (1, 0),
            Value::Number(text, _) | Value::Text(text) => (1, text.len()),
            Value::List(nodes) => nodes.iter().map(Node::weight).fold((1, 0), add),
            Value::Map(entries) => entries
                .iter()
                .map(|e| add(e.node.weight(), (0, e.key.len())))
                .fold((1, 0), add),
        }
    }
}

/// Reads the text between the `---` lines; it starts at byte `base` of the file. `None` if it is not YAML: the
/// findings say why. An empty text is an empty map.
pub(crate) fn read(front: &str, base: usize, findings: &mut Findings) -> Option<Node> {
    let mut builder = Builder {
        front,
        base,
        stack: Vec::new(),
        root: None,
        anchors: BTreeMap::new(),
        values: 0,
        alias_bytes: 0,
    };
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = YAML_DEPTH_MAX;
    options.block_nesting_limit = YAML_DEPTH_MAX;
    for event in Parser::new_from_str_with_options(front, options) {
        match event {
            Ok((event, at)) => builder.event(event, at, findings)?,
            Err(error) => {
                builder.broken(&error, findings);
                return None;
            }
        }
    }
    let empty = Node {
        span: Span::empty(base),
        value: Value::Map(Vec::new()),
    };
    match builder.root {
        None => Some(empty),
        Some(Node {
            value: Value::Null, ..
        }) => Some(empty),
        some => some,
    }
}

struct Builder<'f> {
    front: &'f str,
    base: usize,
    stack: Vec<Frame>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Node>,
    values: usize,
    alias_bytes: usize,
}

/// A list or map that is not complete yet.
struct Frame {
    start: usize,
    anchor: usize,
    /// Whether it is written with brackets.
    flow: bool,
    holds: Holds,
}

enum Holds {
    List(Vec<Node>),
    /// Entries, where each key was seen first, and the key that waits for its value (`None` inside if it was no
    /// text and is left out).
    Map(
        Vec<Entry>,
        BTreeMap<String, Span>,
        Option<Option<(String, Span)>>,
    ),
}

impl Builder<'_> {
    /// `None` if a limit is exceeded and reading on makes no sense.
    fn event(&mut self, event: Event<'_>, at: Raw, findings: &mut Findings) -> Option<()> {
        let span = self.span(&at);
        if event.is_node() {
            self.values += 1;
            if self.values > YAML_VALUES_MAX {
                findings.error(
                    "yaml-too-large",
                    span,
                    format!("the front matter holds more than {YAML_VALUES_MAX} values"),
                    "a goal is a contract: move data to a file and name it",
                );
                return None;
            }
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), &at, span, findings);
                self.put(Node { span, value }, Some(&text), anchor, findings);
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.tag(tag.as_deref(), &at, span, findings);
                let frame = Frame {
                    start: span.start,
                    anchor,
                    flow: style == StructureStyle::Flow,
                    holds: Holds::List(Vec::new()),
                };
                self.open(span, frame, findings)?;
            }
            Event::MappingStart(style, anchor, tag) => {
                self.tag(tag.as_deref(), &at, span, findings);
                let holds = Holds::Map(Vec::new(), BTreeMap::new(), None);
                let frame = Frame {
                    start: span.start,
                    anchor,
                    flow: style == StructureStyle::Flow,
                    holds,
                };
                self.open(span, frame, findings)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span, findings),
            Event::Alias(id) => self.alias(id, span, findings)?,
            Event::UnresolvedAlias(name) => {
                let written = format!("*{name}");
                findings.error(
                    "yaml-alias",
                    span,
                    format!(
                        "{} is read as a YAML alias because it starts with `*`",
                        quoted(&written)
                    ),
                    format!("quote it: {}", yaml_quoted(&written)),
                );
                self.put(
                    Node {
                        span,
                        value: Value::Text(written.clone()),
                    },
                    Some(&written),
                    0,
                    findings,
                );
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                findings.error(
                    "yaml-documents",
                    span,
                    "the front matter holds more than one YAML document",
                    "remove the line `...`",
                );
                return None;
            }
            _ => {}
        }
        Some(())
    }

    fn span(&self, at: &Raw) -> Span {
        let range = at.byte_range().unwrap_or(0..0);
        let end = range
            .end
            .min(self.front.len())
            .max(range.start.min(self.front.len()));
        let start = range.start.min(end);
        // Block scalars and collections end where the next token starts.
        let text = self.front.get(start..end).unwrap_or("");
        Span::new(self.base + start, self.base + start + text.trim_end().len())
    }

    fn open(&mut self, span: Span, frame: Frame, findings: &mut Findings) -> Option<()> {
        if self.stack.len() >= YAML_DEPTH_MAX {
            self.too_deep(span, findings);
            return None;
        }
        self.stack.push(frame);
        Some(())
    }

    fn too_deep(&self, span: Span, findings: &mut Findings) {
        findings.error(
            "yaml-too-deep",
            span,
            format!("lists and maps are nested more than {YAML_DEPTH_MAX} deep"),
            "no key of a goal needs that: look for a bracket that is never closed",
        );
    }

    fn close(&mut self, end: Span, findings: &mut Findings) {
        let Some(frame) = self.stack.pop() else {
            return;
        };
        let value = match frame.holds {
            Holds::List(nodes) => Value::List(nodes),
            Holds::Map(entries, ..) => Value::Map(entries),
        };
        let last = match &value {
            Value::List(nodes) => nodes.last().map(|n| n.span.end),
            Value::Map(entries) => entries.last().map(|e| e.node.span.end.max(e.key_span.end)),
            _ => None,
        };
        // A flow collection ends with its bracket, a block collection with its last value.
        let end = if end.end > end.start {
            end.end
        } else {
            last.unwrap_or(frame.start)
        };
        let node = Node {
            span: Span::new(frame.start, end),
            value,
        };
        self.put(node, None, frame.anchor, findings);
    }

    /// Puts a complete value where it belongs. `text` is what a scalar says, should it be a key.
    fn put(&mut self, node: Node, text: Option<&str>, anchor: usize, findings: &mut Findings) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut().map(|frame| &mut frame.holds) {
            None => self.root = Some(node),
            Some(Holds::List(nodes)) => nodes.push(node),
            Some(Holds::Map(entries, seen, waiting)) => match waiting.take() {
                None => *waiting = Some(key(&node, text, seen, findings)),
                Some(Some((key, key_span))) => entries.push(Entry {
                    key,
                    key_span,
                    node,
                }),
                Some(None) => {}
            },
        }
    }

    fn alias(&mut self, id: usize, span: Span, findings: &mut Findings) -> Option<()> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            findings.error(
                "yaml-alias",
                span,
                "this YAML alias stands inside of what it names",
                "write the value out",
            );
            return None;
        };
        let (values, bytes) = node.weight();
        self.values += values;
        self.alias_bytes += bytes;
        if self.values > YAML_VALUES_MAX || self.alias_bytes > YAML_ALIAS_BYTES_MAX {
            findings.error(
                "yaml-too-large",
                span,
                "YAML aliases expand this front matter beyond its limits",
                "write the values out",
            );
            return None;
        }
        let text = match &node.value {
            Value::Text(text) | Value::Number(text, _) => Some(text.clone()),
            _ => None,
        };
        self.put(node, text.as_deref(), 0, findings);
        Some(())
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
        at: &Raw,
        span: Span,
        findings: &mut Findings,
    ) -> Value {
        match tag.and_then(Tag::core_suffix) {
            Some("str") => return Value::Text(text.to_owned()),
            _ => {
                if let Some(written) = self.tag(tag, at, span, findings) {
                    return Value::Text(written);
                }
            }
        }
        match style {
            ScalarStyle::Plain => plain(text),
            _ => Value::Text(text.to_owned()),
        }
    }

    /// A tag is nearly always an exception pattern that somebody forgot to quote; what was written is returned.
    fn tag(
        &self,
        tag: Option<&Tag>,
        at: &Raw,
        span: Span,
        findings: &mut Findings,
    ) -> Option<String> {
        if tag?.is_yaml_core_schema() {
            return None;
        }
        let place = at.tag_span().map_or(span, |t| self.span(&t));
        let from = place.start - self.base;
        let in_flow = self.stack.last().is_some_and(|frame| frame.flow);
        let line = self
            .front
            .get(from..)
            .unwrap_or("")
            .split(|c: char| matches!(c, '\n' | '\r') || in_flow && matches!(c, ',' | ']' | '}'))
            .next()
            .unwrap_or("");
        let written = line.split(" #").next().unwrap_or("").trim_end();
        findings.error(
            "yaml-tag",
            place,
            format!(
                "{} is read as a YAML tag because it starts with `!`",
                quoted(written)
            ),
            format!("quote it: {}", yaml_quoted(written)),
        );
        Some(written.to_owned())
    }

    /// The first tab that indents the line of `at` or one of the two after it: some errors are noticed late, some early.
    fn tab_in_indentation(&self, at: usize) -> Option<Span> {
        let start = self.front.get(..at)?.rfind('\n').map_or(0, |n| n + 1);
        let mut offset = start;
        for line in self.front.get(start..)?.split_inclusive('\n').take(3) {
            let indent = line.len() - line.trim_start_matches([' ', '\t', '-']).len();
            if let Some(tab) = line[..indent].find('\t') {
                let tab = self.base + offset + tab;
                return Some(Span::new(tab, tab + 1));
            }
            offset += line.len();
        }
        None
    }

    fn broken(&self, error: &ScanError, findings: &mut Findings) {
        let at = error
            .marker()
            .byte_offset()
            .unwrap_or(0)
            .min(self.front.len());
        let rest = self.front.get(at..).unwrap_or("");
        let width = rest
            .chars()
            .next()
            .filter(|c| !c.is_control())
            .map_or(0, char::len_utf8);
        let span = Span::new(self.base + at, self.base + at + width);
        let tab = self.tab_in_indentation(at);
        let tabs = error.info().contains(" tab")
            || matches!(error.kind(), ErrorKind::InvalidBlockEntryWhitespace);
        if let Some(tab) = tab.filter(|tab| tabs || tab.start <= span.end) {
            findings.error(
                "yaml-tab",
                tab,
                "YAML is indented with spaces, and here is a tab",
                "indent with two spaces for each level",
            );
            return;
        }
        let (code, message, help) = match error.kind() {
            ErrorKind::RecursionLimitExceeded => return self.too_deep(span, findings),
            ErrorKind::UnexpectedCharacter { character } => (
                "yaml-syntax",
                format!(
                    "a plain value cannot start with `{}`",
                    shown(&character.to_string())
                ),
                "put the value in double quotes",
            ),
            ErrorKind::DirectiveDisallowed => (
                "yaml-syntax",
                "YAML directives (`%…`) have no place in a goal".to_owned(),
                "remove the line, or quote a value that starts with `%`",
            ),
            ErrorKind::UnclosedQuotedScalar => (
                "yaml-syntax",
                "a quote is opened and never closed".to_owned(),
                "close it, or double it if it belongs to the text",
            ),
            ErrorKind::UnclosedFlowCollection { open } => (
                "yaml-syntax",
                format!("`{open}` is opened and never closed"),
                "close it; a value that contains `[`, `{` or `,` must be quoted inside of brackets",
            ),
            ErrorKind::InvalidTagTerminator
            | ErrorKind::InvalidGlobalTagCharacter
            | ErrorKind::UndeclaredTagHandle => (
                "yaml-tag",
                "a value that starts with `!` is read as a YAML tag".to_owned(),
                "quote it: \"!src/**/*.test.ts\"",
            ),
            _ => (
                "yaml-syntax",
                format!("this is not YAML: {}", shown(&error.info())),
                "check the indentation; quote a value that contains `: `, ` #` or starts with one of * & ! @ ` % { [",
            ),
        };
        findings.error(code, span, message, help);
    }
}

/// A map's key, or `None` (and a finding) if it cannot be one.
fn key(
    node: &Node,
    text: Option<&str>,
    seen: &mut BTreeMap<String, Span>,
    findings: &mut Findings,
) -> Option<(String, Span)> {
    let Some(text) = text.filter(|t| !t.is_empty()) else {
        findings.error(
            "yaml-key",
            node.span,
            format!("a key must be a word, found {}", node.described()),
            "write `key: value`; quote a value that contains `{`, `[` or `: `",
        );
        return None;
    };
    if let Some(first) = seen.get(text) {
        let line = findings.line(*first);
        findings.error(
            "duplicate-key",
            node.span,
            format!("{} is given twice, first on line {line}", quoted(text)),
            "keep one of the two",
        );
        return None;
    }
    seen.insert(text.to_owned(), node.span);
    Some((text.to_owned(), node.span))
}

/// A plain scalar by YAML 1.2's core schema.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let number = match unsigned {
        ".inf" | ".Inf" | ".INF" => Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" => Some(f64::NAN),
        _ => match unsigned.get(..2) {
            Some("0x") => u64::from_str_radix(&unsigned[2..], 16)
                .ok()
                .map(|n| sign * n as f64),
            Some("0o") => u64::from_str_radix(&unsigned[2..], 8)
                .ok()
                .map(|n| sign * n as f64),
            _ => decimal(unsigned).map(|n| sign * n),
        },
    };
    match number {
        Some(value) => Value::Number(text.to_owned(), value),
        None => Value::Text(text.to_owned()),
    }
}

fn decimal(text: &str) -> Option<f64> {
    let digits = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let only = text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    if digits && only {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::position::Lines;
    use super::*;

    fn tree(text: &str) -> Result<serde_json::Value, Vec<String>> {
        let lines = Lines::new(text);
        let mut findings = Findings::new(&lines);
        let node = read(text, 0, &mut findings);
        match (node, findings.finish()) {
            (Some(node), found) if found.is_empty() => Ok(node.json()),
            (_, found) => Err(found.iter().map(|d| d.to_string()).collect()),
        }
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        let read =
            tree("[1, -2.5, 0x10, 1e3, yes, on, 1.2.3, 2M, 1_000, ~, true, \"1\", e5, 10:30]")
                .unwrap();
        assert_eq!(
            read.to_string(),
            r#"[1,-2.5,16.0,1000.0,"yes","on","1.2.3","2M","1_000",null,true,"1","e5","10:30"]"#
        );
    }

    #[test]
    fn aliases_are_followed_within_bounds() {
        assert_eq!(
            tree("a: &x [1, 2]\nb: *x\n").unwrap().to_string(),
            r#"{"a":[1,2],"b":[1,2]}"#
        );
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..12 {
            let refs = vec![format!("*a{}", n - 1); 10].join(", ");
            bomb.push_str(&format!("a{n}: &a{n} [{refs}]\n"));
        }
        let found = tree(&bomb).unwrap_err();
        assert!(found[0].contains("yaml-too-large"), "{found:?}");
        let long = format!(
            "a: &a {}\nb: [{}]\n",
            "x".repeat(500_000),
            vec!["*a"; 100].join(", ")
        );
        assert!(tree(&long).unwrap_err()[0].contains("yaml-too-large"));
        assert!(tree("a: &a [*a]\n").unwrap_err()[0].contains("inside of what it names"));
    }

    #[test]
    fn depth_is_bounded() {
        assert!(tree(&"[".repeat(5_000)).unwrap_err()[0].contains("yaml-too-deep"));
        let block: String = (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(tree(&block).unwrap_err()[0].contains("yaml-too-deep"));
        assert!(tree(&"- ".repeat(5_000)).unwrap_err()[0].contains("yaml-too-deep"));
    }

    #[test]
    fn the_number_of_values_is_bounded() {
        let many = format!("[{}]", "1,".repeat(YAML_VALUES_MAX));
        assert!(tree(&many).unwrap_err()[0].contains("yaml-too-large"));
    }
}
