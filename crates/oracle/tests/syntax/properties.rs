//! What holds for any input: nothing panics, a file does not differ from itself, and a test more is no difference.

use overnight_oracle::syntax::{self, Language};
use proptest::prelude::*;

use crate::compare;
use crate::data::*;

const LANGUAGES: [(Language, &str); 7] = [
    (Language::Rust, "a.rs"),
    (Language::Python, "test_a.py"),
    (Language::JavaScript, "a.test.js"),
    (Language::TypeScript, "a.test.ts"),
    (Language::Tsx, "a.test.tsx"),
    (Language::Go, "a_test.go"),
    (Language::Java, "ATest.java"),
];

/// A test to append, in each language; `@` is its name.
fn appended(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("rs") => "\n#[test]\nfn @() {\n    assert_eq!(1 + one(), 2);\n}\n",
        Some("py") => "\n\ndef @():\n    assert one() == 1\n",
        Some("go") => "\nfunc T@(t *testing.T) {\n\tt.Fatal(1)\n}\n",
        Some("java") => "\nclass @ {\n  @Test void a() { fail(); }\n}\n",
        _ => "\nit('@', () => { expect(one()).toBe(1); });\n",
    }
}

/// Everything, on a pair of files.
fn everything(base: &[u8], candidate: &[u8]) {
    for (language, path) in LANGUAGES {
        syntax::tests(language, candidate);
        syntax::compare_test_file(language, path, base, candidate);
        syntax::compare_inline_tests(language, path, base, candidate);
        syntax::with_base_inline_tests(language, base, candidate);
        syntax::weakened(language, path, Some(base), Some(candidate));
        syntax::weakened(language, path, None, Some(candidate));
        syntax::suspicious(Some(language), path, Some(base), candidate, &["a.json"]);
        syntax::functions_touched(language, Some(base), Some(candidate));
        assert!(syntax::compare_test_file(language, path, candidate, candidate).is_empty());
        assert!(syntax::compare_inline_tests(language, path, candidate, candidate).is_empty());
        assert_eq!(
            syntax::with_base_inline_tests(language, candidate, candidate),
            None
        );
    }
}

/// Text made of pieces of code, so that more than the parser's error handling is reached.
fn pieces() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "describe",
        "it",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "'a'",
        "\"b\"",
        "`",
        "=>",
        ",",
        ";",
        "\n",
        "  ",
        "\n    ",
        "def test_a():",
        "class T:",
        "import a",
        "from a import b",
        "#[test]",
        "fn f()",
        "#[cfg(test)]",
        "mod tests",
        "assert_eq!",
        "expect(x).toBe(1)",
        "func TestA(t *testing.T)",
        "package a",
        "@Test void a()",
        "/// ```",
        "\"\"\"",
        ">>> f()",
        "if",
        "return",
        "x",
        "1",
        "=",
        "==",
        ".",
        "use a::{b, c};",
        "import.meta.vitest",
        "//",
        "/*",
        "*/",
        "é",
        "\u{0}",
        "require('a')",
        "const",
        "test.only",
        "macro_rules!",
        "|",
        "&",
        "$",
        "\\",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn bytes_never_panic(base in prop::collection::vec(any::<u8>(), 0..200), candidate in prop::collection::vec(any::<u8>(), 0..200)) {
        everything(&base, &candidate);
    }

    #[test]
    fn pieces_never_panic(base in pieces(), candidate in pieces()) {
        everything(base.as_bytes(), candidate.as_bytes());
    }

    #[test]
    fn cut_files_never_panic(which in 0..8usize, from in 0..900usize, length in 0..300usize) {
        let (_, base) = TEST_FILES[which];
        let bytes = base.as_bytes();
        let start = from.min(bytes.len());
        let end = (start + length).min(bytes.len());
        let candidate = [&bytes[..start], &bytes[end..]].concat();
        everything(bytes, &candidate);
    }

    #[test]
    fn a_test_more_is_no_difference(which in 0..8usize, name in "[a-z]{3,9}") {
        let (path, base) = TEST_FILES[which];
        let name = format!("test_new_{name}");
        let candidate = format!("{base}{}", appended(path).replacen('@', &name, 1));
        prop_assert_eq!(compare(path, base, &candidate), []);
    }

    /// A changed word outside of comments is a finding.
    #[test]
    fn another_digit_is_a_finding(which in 0..8usize, pick in 0..40usize) {
        let (path, base) = TEST_FILES[which];
        let digits: Vec<usize> = base.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
        let at = digits[pick % digits.len()];
        let mut candidate = base.as_bytes().to_vec();
        candidate[at] = if candidate[at] == b'7' { b'8' } else { b'7' };
        let candidate = String::from_utf8(candidate).expect("a digit for a digit");
        prop_assert!(!compare(path, base, &candidate).is_empty(), "{}", candidate);
    }
}

/// How large a file of nothing but nesting is, bytes.
const HOSTILE_BYTES: usize = 12_000;

#[test]
fn hostile_nesting_ends() {
    let pieces = [
        "(",
        "[",
        "{",
        "describe('a', () => {",
        "fn f() {",
        "if x:\n ",
        "a.",
        "mod m {",
        "/*",
        "`${",
        "class A { ",
        "!",
        "x = ",
        "#[a]",
        "<",
        "#[cfg(test)] fn f() {}\n",
        "inspect.stack();",
        "assert x\n",
        "/// ```\n",
        "it('a', () => {",
        "typeof jest,",
        "process.env.NODE_ENV,",
    ];
    for piece in pieces {
        let text = piece.repeat(HOSTILE_BYTES / piece.len());
        for (language, path) in LANGUAGES {
            syntax::tests(language, text.as_bytes());
            syntax::compare_test_file(language, path, b"x\n", text.as_bytes());
            syntax::compare_inline_tests(language, path, b">>> x ```", text.as_bytes());
            syntax::weakened(language, path, None, Some(text.as_bytes()));
            syntax::suspicious(Some(language), path, None, text.as_bytes(), &[]);
            syntax::functions_touched(language, None, Some(text.as_bytes()));
        }
    }
}

#[test]
fn a_million_parentheses_overflow_no_stack() {
    let text = format!("x = {}1{}\n", "(".repeat(1_000_000), ")".repeat(1_000_000));
    let findings =
        syntax::compare_test_file(Language::Python, "test_a.py", b"x = 1\n", text.as_bytes());
    // Either it is read, and redundant parentheses are no difference, or it is too much and any change counts.
    assert!(findings.len() <= 1, "{findings:?}");
    let wrong = format!("x = {}2{}\n", "(".repeat(1_000_000), ")".repeat(1_000_000));
    let findings =
        syntax::compare_test_file(Language::Python, "test_a.py", b"x = 1\n", wrong.as_bytes());
    assert_eq!(findings.len(), 1, "{findings:?}");
}
