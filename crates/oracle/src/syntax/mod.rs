//! Tests as syntax: which there are in a file, and how two versions of them differ.
#![allow(missing_docs)]

use overnight_core::finding::Finding;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Tsx,
    Go,
    Java,
}

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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCase {
    pub name: Vec<String>,
    pub line: u32,
    pub form: Vec<u8>,
}

pub fn tests(_: Language, _: &[u8]) -> Vec<TestCase> {
    Vec::new()
}

pub fn compare_test_file(_: Language, _: &str, _: &[u8], _: &[u8]) -> Vec<Finding> {
    Vec::new()
}

pub fn compare_inline_tests(_: Language, _: &str, _: &[u8], _: &[u8]) -> Vec<Finding> {
    Vec::new()
}

pub fn with_base_inline_tests(_: Language, _: &[u8], _: &[u8]) -> Option<Vec<u8>> {
    None
}

pub fn weakened(_: Language, _: &str, _: Option<&[u8]>, _: Option<&[u8]>) -> Vec<Finding> {
    Vec::new()
}

pub fn suspicious(
    _: Option<Language>,
    _: &str,
    _: Option<&[u8]>,
    _: &[u8],
    _: &[&str],
) -> Vec<Finding> {
    Vec::new()
}
