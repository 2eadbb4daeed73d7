//! Small faults that are planted in an implementation, to find out whether its tests notice.

use std::collections::BTreeMap;

/// Languages in which faults can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Rust.
    Rust,
    /// Python.
    Python,
    /// JavaScript, JSX included.
    JavaScript,
    /// TypeScript, TSX included.
    TypeScript,
    /// Go.
    Go,
    /// Java.
    Java,
}

impl Language {
    /// What begins a comment that ends with its line.
    pub fn comment(self) -> &'static str {
        match self {
            Language::Python => "#",
            Language::Rust
            | Language::JavaScript
            | Language::TypeScript
            | Language::Go
            | Language::Java => "//",
        }
    }
}

/// What a file is, by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A part of the implementation.
    Implementation(Language),
    /// Code that a tool wrote, or somebody else did.
    Generated(Language),
    /// A test, or no code at all.
    Other,
}

/// A file in which faults may be planted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Relative to the repository's root.
    pub path: String,
    /// The lines that coverage was measured of, from 1, and whether each ran; `None` if that is not known, so that the
    /// whole file may hold faults.
    pub lines: Option<BTreeMap<u64, bool>>,
    /// The person named it: it holds faults even if it says of itself that a tool wrote it.
    pub named: bool,
}

/// One fault: a piece of a file, and what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: String,
    /// Its language.
    pub language: Language,
    /// The line of the change, from 1.
    pub line: u64,
    /// The first byte that is replaced.
    pub start: usize,
    /// The byte behind the last that is replaced.
    pub end: usize,
    /// What is put there.
    pub text: String,
    /// The change for people, in one line: "`<` became `<=`".
    pub change: String,
}

impl Fault {
    /// The file's content with this fault in it; `None` if it is not the content that the fault was made for.
    pub fn planted(&self, content: &str) -> Option<String> {
        let (before, after) = (content.get(..self.start)?, content.get(self.end..)?);
        (self.start <= self.end).then(|| format!("{before}{}{after}", self.text))
    }
}

/// Finds places for faults. Pure: the same content gives the same faults.
pub trait Faults: Send + Sync {
    /// What a file is, by its path.
    fn kind(&self, path: &str) -> Kind;
    /// At most `most` faults, spread over files and functions, in the order in which they are to be tried. `read` gives a
    /// file's content, if it is text of a sensible size; not every file is read.
    fn plant(
        &self,
        places: &[Place],
        read: &dyn Fn(&str) -> Option<String>,
        most: usize,
    ) -> Vec<Fault>;
}
