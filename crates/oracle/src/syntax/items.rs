//! What stands in a file, a class, a group or a module, one after the other: the units that two versions are compared
//! by.

use super::Language;
use super::imports::Binding;
use super::parse::Node;
use super::{go, java, javascript, python, rust};

/// What an item is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It brings names in.
    Import,
    /// It is a test.
    Test,
    /// It holds tests: a class, a module, a `describe`.
    Group,
    /// It runs around tests that do not name it.
    Hook,
    /// It gives names to things.
    Definition,
    /// It does something.
    Statement,
    /// It says how the whole file is read or built.
    Directive,
}

/// Where items stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// At the top of a file, or of a module in it.
    File,
    /// In a class.
    Class,
    /// In a group that is a function: `describe`, or a Go test that has subtests.
    Group,
}

/// One of them.
pub(super) struct Item<'a> {
    /// What it is for.
    pub role: Role,
    /// What it is called, for people and to find its counterpart: a test's title, a function's name.
    pub title: String,
    /// The names that it gives to things in the scope that it stands in.
    pub names: Vec<String>,
    /// What it brings in, if it is an import.
    pub bindings: Vec<Binding>,
    /// Its syntax, attributes that stand before it included.
    pub nodes: Vec<Node<'a>>,
    /// What holds its own items, if it is a container, and what scope that is.
    pub body: Option<(Node<'a>, Scope)>,
    /// The words that skip it, if it says so itself.
    pub skipped: Option<(u32, String)>,
    /// Where it says that only it is to run.
    pub only: Option<u32>,
}

impl<'a> Item<'a> {
    /// An item without more than its syntax.
    pub fn new(role: Role, node: Node<'a>) -> Item<'a> {
        Item {
            role,
            title: node.brief(),
            names: Vec::new(),
            bindings: Vec::new(),
            nodes: vec![node],
            body: None,
            skipped: None,
            only: None,
        }
    }

    /// With what it is called.
    pub fn titled(mut self, title: impl Into<String>) -> Item<'a> {
        self.title = title.into();
        self
    }

    /// With a name that it gives.
    pub fn named(mut self, name: &str) -> Item<'a> {
        self.title = name.to_string();
        self.names.push(name.to_string());
        self
    }

    /// The node itself, without what stands before it.
    pub fn node(&self) -> Node<'a> {
        self.nodes[self.nodes.len() - 1]
    }

    /// Its first line.
    pub fn line(&self) -> u32 {
        self.node().line()
    }
}

/// The items directly in `parent`.
pub(super) fn items(parent: Node<'_>, scope: Scope) -> Vec<Item<'_>> {
    match parent.source().language {
        Language::Rust => rust::items(parent),
        Language::Python => python::items(parent, scope),
        Language::JavaScript | Language::TypeScript | Language::Tsx => javascript::items(parent),
        Language::Go => go::items(parent, scope),
        Language::Java => java::items(parent),
    }
}
