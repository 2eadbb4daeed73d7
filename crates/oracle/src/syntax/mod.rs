//! Tests as syntax: which there are in a file, and how two versions of a file differ where tests rest on it.
//!
//! Everything here compares *syntax*, not text: comments, white space, quotes, redundant parentheses and trailing
//! commas mean nothing, so a reformatted file is no changed file. What the grammars cannot read is compared byte by
//! byte and is a finding when it differs: nothing is let through because it could not be understood.

mod assertions;
mod cases;
mod compare;
mod directives;
mod doctests;
mod form;
mod functions;
mod go;
mod imports;
mod inline;
mod items;
mod java;
mod javascript;
mod marks;
mod mocks;
mod names;
mod parse;
mod python;
mod rust;
mod suspicious;
mod tables;
mod taken;
mod tolerances;
mod weakened;

use overnight_core::finding::Finding;

/// A language whose tests are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Rust.
    Rust,
    /// Python.
    Python,
    /// JavaScript, JSX included.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
    /// Go.
    Go,
    /// Java.
    Java,
}

/// The language of a path, by its extension.
pub fn language(path: &str) -> Option<Language> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = name.rsplit_once('.')?;
    if stem.is_empty() {
        return None;
    }
    Some(match extension {
        "rs" => Language::Rust,
        "py" | "pyi" => Language::Python,
        "js" | "mjs" | "cjs" | "jsx" => Language::JavaScript,
        "ts" | "mts" | "cts" => Language::TypeScript,
        "tsx" => Language::Tsx,
        "go" => Language::Go,
        "java" => Language::Java,
        _ => return None,
    })
}

/// One test as it stands in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCase {
    /// Groups from the outside in (modules, classes, `describe`s), then its own name.
    pub name: Vec<String>,
    /// Where it begins, from 1.
    pub line: u32,
    /// Where it, or a group around it, is skipped, and the words that say so.
    pub skipped: Option<(u32, String)>,
    /// Where it, or a group around it, is made the only one that runs.
    pub only: Option<u32>,
    /// What it asserts, in order.
    pub assertions: Vec<Assertion>,
    /// Its syntax without its own name: two tests do the same exactly when these bytes are equal.
    pub form: Vec<u8>,
}

/// One thing that a test asserts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// Where, from 1.
    pub line: u32,
    /// In one line, shortened.
    pub text: String,
    /// Whether it cannot fail: it compares a thing with itself, or nothing ever reaches it.
    pub trivial: bool,
}

/// The tests of a file, doctests included, in the order of the source. Empty if the file cannot be read.
pub fn tests(language: Language, source: &[u8]) -> Vec<TestCase> {
    cases::tests(language, source)
}

/// Differences of a *test file* that nothing licenses: what the base has must all be there, in order, with equal
/// syntax. What is added is no difference unless it changes what the base's tests do. Sorted; empty for equal files.
pub fn compare_test_file(
    language: Language,
    path: &str,
    base: &[u8],
    candidate: &[u8],
) -> Vec<Finding> {
    compare::test_file(language, path, base, candidate)
}

/// The same for tests that live inside implementation files: Rust's `#[cfg(test)]` and `#[test]` items and doctests,
/// Python's doctests, vitest's `import.meta.vitest` blocks.
pub fn compare_inline_tests(
    language: Language,
    path: &str,
    base: &[u8],
    candidate: &[u8],
) -> Vec<Finding> {
    inline::compare(language, path, base, candidate)
}

/// The candidate's file with exactly the base's inline tests: those of the base take the place of the candidate's,
/// and those that the candidate added are taken out (doctests: made plain text). `None` if that is the candidate's
/// file already.
pub fn with_base_inline_tests(
    language: Language,
    base: &[u8],
    candidate: &[u8],
) -> Option<Vec<u8>> {
    inline::splice(language, base, candidate)
}

/// What weakens the tests of a file whose change is licensed, or of a new file (`base` is `None`): tests that are
/// deleted or skipped, assertions that are gone, cannot fail or are never reached, wider tolerances, mocks of the very
/// thing under test, new tests that assert nothing. Sorted.
pub fn weakened(
    language: Language,
    path: &str,
    base: Option<&[u8]>,
    candidate: Option<&[u8]>,
) -> Vec<Finding> {
    weakened::weakened(language, path, base, candidate)
}

/// What the candidate's file has and the base's has not of the following: comments and attributes that exclude code
/// from coverage; code that asks whether a test is running; code that changes the runner under its feet; string
/// literals that hold one of `others` (names of the reports that checks read). Sorted.
pub fn suspicious(
    language: Option<Language>,
    path: &str,
    base: Option<&[u8]>,
    candidate: &[u8],
    others: &[&str],
) -> Vec<Finding> {
    suspicious::suspicious(language, path, base, candidate, others)
}

/// A file taken apart, for the size of a change: its functions, and what of it is no test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pieces {
    /// The outermost functions that are no tests and in none, in the order of the source: the full name (empty parts where
    /// there is none) and the text, from the beginning of the declaration to its end. What is inside a function is part
    /// of it.
    pub functions: Vec<(String, String)>,
    /// The file's lines without those of tests that live in it.
    pub implementation: String,
    /// Whether there are such tests.
    pub has_tests: bool,
}

/// Takes a file apart. `None` if it cannot be read as code of this language.
pub fn pieces(language: Language, source: &[u8]) -> Option<Pieces> {
    functions::pieces(language, source)
}

/// The functions and methods that a change touches, as `name (line N)`: lines of the candidate's file, or of the
/// base's for functions that are gone. Sorted by name.
pub fn functions_touched(
    language: Language,
    base: Option<&[u8]>,
    candidate: Option<&[u8]>,
) -> Vec<String> {
    functions::touched(language, base, candidate)
}
