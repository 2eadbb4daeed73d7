//! Source text to a syntax tree that is plain data: nodes in the order of the text, bounded, walked without recursion.
//!
//! Hostile files are the normal case: parsing stops after a number of steps that grows with the file's size, and no
//! function here or above goes as deep as the text is nested.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use super::Language;
use crate::PARSED_BYTES_MAX;

/// Parser callbacks that every file may use, whatever its size; one is about a hundred parser operations.
const CALLBACKS_MIN: usize = 5_000;
/// For how many bytes of the file there is a callback more. Ordinary code needs one for some hundred bytes.
const BYTES_PER_CALLBACK: usize = 8;
/// Most nodes that a tree may have.
const NODES_MAX: usize = 4_000_000;

/// One node, as it is stored.
struct Data {
    kind: &'static str,
    kind_id: u16,
    field: &'static str,
    named: bool,
    extra: bool,
    error: bool,
    parent: u32,
    /// The index after the last node below this one.
    after: u32,
    start: u32,
    end: u32,
    line: u32,
}

/// A file that was read.
pub(super) struct Source<'s> {
    /// Its language.
    pub language: Language,
    /// Its text.
    pub text: &'s str,
    /// How many nodes the grammar could not make sense of.
    pub errors: usize,
    nodes: Vec<Data>,
}

/// One node of a file that was read.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    source: &'a Source<'a>,
    id: u32,
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.source, other.source) && self.id == other.id
    }
}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.kind(), self.line())
    }
}

/// A grammar with the names of its node kinds and fields.
struct Grammar {
    language: tree_sitter::Language,
    kinds: Vec<String>,
    fields: Vec<String>,
}

impl Grammar {
    fn new(language: tree_sitter::Language) -> Grammar {
        let kinds = (0..language.node_kind_count())
            .map(|id| {
                u16::try_from(id)
                    .ok()
                    .and_then(|id| language.node_kind_for_id(id))
                    .unwrap_or_default()
                    .to_string()
            })
            .collect();
        let fields = (0..=language.field_count())
            .map(|id| {
                u16::try_from(id)
                    .ok()
                    .and_then(|id| language.field_name_for_id(id))
                    .unwrap_or_default()
                    .to_string()
            })
            .collect();
        Grammar {
            language,
            kinds,
            fields,
        }
    }
}

static RUST: LazyLock<Grammar> = LazyLock::new(|| Grammar::new(tree_sitter_rust::LANGUAGE.into()));
static PYTHON: LazyLock<Grammar> =
    LazyLock::new(|| Grammar::new(tree_sitter_python::LANGUAGE.into()));
static JAVASCRIPT: LazyLock<Grammar> =
    LazyLock::new(|| Grammar::new(tree_sitter_javascript::LANGUAGE.into()));
static TYPESCRIPT: LazyLock<Grammar> =
    LazyLock::new(|| Grammar::new(tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into()));
static TSX: LazyLock<Grammar> =
    LazyLock::new(|| Grammar::new(tree_sitter_typescript::LANGUAGE_TSX.into()));
static GO: LazyLock<Grammar> = LazyLock::new(|| Grammar::new(tree_sitter_go::LANGUAGE.into()));
static JAVA: LazyLock<Grammar> = LazyLock::new(|| Grammar::new(tree_sitter_java::LANGUAGE.into()));

fn grammar(language: Language) -> &'static Grammar {
    match language {
        Language::Rust => &RUST,
        Language::Python => &PYTHON,
        Language::JavaScript => &JAVASCRIPT,
        Language::TypeScript => &TYPESCRIPT,
        Language::Tsx => &TSX,
        Language::Go => &GO,
        Language::Java => &JAVA,
    }
}

impl<'s> Source<'s> {
    /// Reads a file. `None` if it is too large, no UTF-8, or takes too long.
    pub fn parse(language: Language, bytes: &'s [u8]) -> Option<Source<'s>> {
        if bytes.len() > PARSED_BYTES_MAX {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let grammar = grammar(language);
        let mut parser = tree_sitter::Parser::new();
        parser.set_language(&grammar.language).ok()?;
        let mut left = CALLBACKS_MIN + bytes.len() / BYTES_PER_CALLBACK;
        // Counted, not timed: the same file gives the same answer on every machine.
        let mut progress = |_: &tree_sitter::ParseState| {
            left = left.saturating_sub(1);
            if left == 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let tree = parser.parse_with_options(
            &mut |at, _| bytes.get(at..).unwrap_or_default(),
            None,
            Some(tree_sitter::ParseOptions::new().progress_callback(&mut progress)),
        )?;
        let mut source = Source {
            language,
            text,
            errors: 0,
            nodes: Vec::new(),
        };
        source.copy(&tree, grammar)?;
        Some(source)
    }

    fn copy(&mut self, tree: &tree_sitter::Tree, grammar: &'static Grammar) -> Option<()> {
        let mut cursor = tree.walk();
        let mut open: Vec<u32> = Vec::new();
        loop {
            let node = cursor.node();
            let id = u32::try_from(self.nodes.len()).ok()?;
            if self.nodes.len() >= NODES_MAX {
                return None;
            }
            let error = node.is_error() || node.is_missing();
            self.errors += usize::from(error);
            self.nodes.push(Data {
                kind: grammar
                    .kinds
                    .get(usize::from(node.kind_id()))
                    .map_or("ERROR", String::as_str),
                kind_id: node.kind_id(),
                field: cursor
                    .field_id()
                    .and_then(|id| grammar.fields.get(usize::from(id.get())))
                    .map_or("", String::as_str),
                named: node.is_named(),
                extra: node.is_extra(),
                error,
                parent: open.last().copied().unwrap_or(0),
                after: id + 1,
                start: u32::try_from(node.start_byte()).ok()?,
                end: u32::try_from(node.end_byte()).ok()?,
                line: u32::try_from(node.start_position().row).ok()? + 1,
            });
            if cursor.goto_first_child() {
                open.push(id);
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return Some(());
                }
                let closed = open.pop()?;
                let after = u32::try_from(self.nodes.len()).ok()?;
                self.nodes[closed as usize].after = after;
            }
        }
    }

    /// The whole file.
    pub fn root(&self) -> Node<'_> {
        Node {
            source: self,
            id: 0,
        }
    }

    /// Every node in the order of the text.
    pub fn all(&self) -> impl Iterator<Item = Node<'_>> {
        let count = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        (0..count).map(|id| Node { source: self, id })
    }
}

impl<'a> Node<'a> {
    fn data(self) -> &'a Data {
        &self.source.nodes[self.id as usize]
    }

    fn at(self, id: u32) -> Node<'a> {
        Node {
            source: self.source,
            id,
        }
    }

    /// The file that it is of.
    pub fn source(self) -> &'a Source<'a> {
        self.source
    }

    /// What the grammar calls it.
    pub fn kind(self) -> &'static str {
        self.data().kind
    }

    /// The number of its kind.
    pub fn kind_id(self) -> u16 {
        self.data().kind_id
    }

    /// Whether it is one of these kinds.
    pub fn is(self, kinds: &[&str]) -> bool {
        kinds.contains(&self.kind())
    }

    /// What it is to its parent; empty if the grammar has no word for it.
    pub fn field_name(self) -> &'static str {
        self.data().field
    }

    /// Whether it is more than punctuation or a keyword.
    pub fn named(self) -> bool {
        self.data().named
    }

    /// Whether it may stand anywhere, like a comment.
    pub fn extra(self) -> bool {
        self.data().extra && !self.data().error
    }

    /// Whether the grammar could not make sense of it.
    pub fn error(self) -> bool {
        self.data().error
    }

    /// Its text.
    pub fn text(self) -> &'a str {
        self.source
            .text
            .get(self.start()..self.end())
            .unwrap_or_default()
    }

    /// Its first line, from 1.
    pub fn line(self) -> u32 {
        self.data().line
    }

    /// Where it begins, in bytes.
    pub fn start(self) -> usize {
        self.data().start as usize
    }

    /// Where it ends, in bytes.
    pub fn end(self) -> usize {
        self.data().end as usize
    }

    /// Whether nothing is below it.
    pub fn leaf(self) -> bool {
        self.data().after == self.id + 1
    }

    /// What it is part of.
    pub fn parent(self) -> Option<Node<'a>> {
        (self.id != 0).then(|| self.at(self.data().parent))
    }

    /// What it is part of, from the inside out.
    pub fn ancestors(self) -> impl Iterator<Item = Node<'a>> {
        std::iter::successors(self.parent(), |node| node.parent())
    }

    /// Whether `other` is this node or below it.
    pub fn holds(self, other: Node<'a>) -> bool {
        self.id <= other.id && other.id < self.data().after
    }

    /// What is directly below it.
    pub fn children(self) -> impl Iterator<Item = Node<'a>> {
        let end = self.data().after;
        let mut next = self.id + 1;
        std::iter::from_fn(move || {
            (next < end).then(|| {
                let child = self.at(next);
                next = child.data().after;
                child
            })
        })
    }

    /// What follows it within the same parent.
    pub fn following(self) -> impl Iterator<Item = Node<'a>> {
        let end = self.parent().map_or(0, |parent| parent.data().after);
        let mut next = self.data().after;
        std::iter::from_fn(move || {
            (next < end).then(|| {
                let sibling = self.at(next);
                next = sibling.data().after;
                sibling
            })
        })
    }

    /// What is directly below it and neither punctuation nor a comment.
    pub fn parts(self) -> impl Iterator<Item = Node<'a>> {
        self.children()
            .filter(|child| child.named() && !child.extra())
    }

    /// It and everything below it, in the order of the text.
    pub fn walk(self) -> Walk<'a> {
        Walk {
            node: self,
            next: self.id,
        }
    }

    /// Everything below it, in the order of the text.
    pub fn below(self) -> Walk<'a> {
        Walk {
            node: self,
            next: self.id + 1,
        }
    }

    /// The child that is this to it.
    pub fn field(self, name: &str) -> Option<Node<'a>> {
        self.children().find(|child| child.field_name() == name)
    }

    /// The text of the child that is this to it; empty if there is none.
    pub fn field_text(self, name: &str) -> &'a str {
        self.field(name).map_or("", Node::text)
    }

    /// The first child of this kind.
    pub fn child(self, kind: &str) -> Option<Node<'a>> {
        self.children().find(|child| child.kind() == kind)
    }

    /// What is inside redundant parentheses.
    pub fn bare(self) -> Node<'a> {
        let mut node = self;
        while node.kind() == "parenthesized_expression" {
            match node.parts().next() {
                Some(inner) => node = inner,
                None => break,
            }
        }
        node
    }

    /// Its text in one line, shortened.
    pub fn brief(self) -> String {
        brief(self.text())
    }
}

/// Nodes in the order of the text.
pub(super) struct Walk<'a> {
    node: Node<'a>,
    next: u32,
}

impl<'a> Walk<'a> {
    /// Leaves out everything below `node`, which was just given.
    pub fn leave_out(&mut self, node: Node<'a>) {
        self.next = self.next.max(node.data().after);
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        (self.next < self.node.data().after).then(|| {
            let node = self.node.at(self.next);
            self.next += 1;
            node
        })
    }
}

/// Most characters of source that are quoted in a detail.
const BRIEF_CHARS_MAX: usize = 100;

/// Text in one line, shortened.
pub(super) fn brief(text: &str) -> String {
    let mut brief = String::new();
    let mut count = 0;
    for word in text.split_whitespace() {
        if count > 0 {
            brief.push(' ');
            count += 1;
        }
        for c in word.chars() {
            if count >= BRIEF_CHARS_MAX {
                brief.push('…');
                return brief;
            }
            brief.push(c);
            count += 1;
        }
    }
    brief
}
