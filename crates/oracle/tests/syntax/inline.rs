//! Tests inside implementation files.

use overnight_core::finding::FindingKind::{self, *};
use overnight_oracle::syntax;

use crate::data::*;
use crate::{edited, has, language, shown};

fn compare(path: &str, base: &str, candidate: &str) -> Vec<overnight_core::finding::Finding> {
    syntax::compare_inline_tests(language(path), path, base.as_bytes(), candidate.as_bytes())
}

fn strict(path: &str, base: &str, candidate: &str) -> Option<String> {
    syntax::with_base_inline_tests(language(path), base.as_bytes(), candidate.as_bytes())
        .map(|bytes| String::from_utf8(bytes).expect("pieces of texts"))
}

const RS: &str = "src/cart.rs";
const PY: &str = "shop/cart.py";
const TS: &str = "src/cart.ts";

const HONEST: &[(&str, &str, &str, &str)] = &[
    (
        RS,
        INLINE,
        "prices.iter().sum()",
        "prices.iter().copied().fold(0, u32::wrapping_add)",
    ),
    (RS, INLINE, "/// Adds up.", "/// Adds all prices up."),
    (
        RS,
        INLINE,
        "    #[test]\n    fn nothing()",
        "    #[test]\n    fn one() {\n        assert_eq!(total(&[1]), 1);\n    }\n\n    #[test]\n    fn nothing()",
    ),
    (
        RS,
        INLINE,
        "    use super::*;\n",
        "    use super::*;\n    use std::fmt::Debug;\n",
    ),
    (
        RS,
        INLINE,
        "/// A cart.\npub struct",
        "/// A cart.\n///\n/// ```\n/// let _ = 1;\n/// ```\npub struct",
    ),
    (
        RS,
        INLINE,
        "assert_eq!(total(&[1, 2]), 3);\n    }",
        "assert_eq!(\n            total(&[1, 2]),\n            3,\n        );\n    }",
    ),
    (
        PY,
        DOCTEST,
        "return sum(prices)",
        "return sum(price for price in prices)",
    ),
    (PY, DOCTEST, "Nothing else.", "Nothing else at all."),
    (
        PY,
        DOCTEST,
        "    0\n\n",
        "    0\n    >>> total([7])\n    7\n\n",
    ),
    (
        PY,
        DOCTEST,
        "No examples here.",
        "Examples now.\n\n    >>> plain(1)\n    1\n    ",
    ),
    (TS, IN_SOURCE, "sum + price", "price + sum"),
    (
        TS,
        IN_SOURCE,
        "  it('adds'",
        "  it('is 0 without prices', () => { expect(total([])).toBe(0); });\n  it('adds'",
    ),
];

const CHEATS: &[(&str, &str, &str, &str, FindingKind)] = &[
    (RS, INLINE, "assert_eq!(total(&[]), 0);", "", TestChanged),
    (
        RS,
        INLINE,
        "    #[test]\n    fn nothing() {\n        assert_eq!(total(&[]), 0);\n    }\n",
        "",
        TestDeleted,
    ),
    (
        RS,
        INLINE,
        "    #[test]\n    fn nothing()",
        "    #[test]\n    #[ignore]\n    fn nothing()",
        TestSkipped,
    ),
    (
        RS,
        INLINE,
        "    use super::*;\n",
        "    use super::*;\n    fn total(_: &[u32]) -> u32 { 3 }\n",
        OracleChanged,
    ),
    (
        RS,
        INLINE,
        "    use super::*;\n",
        "    use super::*;\n    macro_rules! assert_eq { ($($t:tt)*) => {} }\n",
        OracleChanged,
    ),
    (
        RS,
        INLINE,
        "#[cfg(test)]\nmod tests",
        "#[cfg(all(test, never))]\nmod tests",
        TestChanged,
    ),
    (
        RS,
        INLINE,
        "#[cfg(test)]\nmod tests",
        "mod tests",
        TestDeleted,
    ),
    (
        RS,
        INLINE,
        "//! A cart.\n",
        "//! A cart.\n#![cfg(not(any(test)))]\n",
        TestSkipped,
    ),
    (
        RS,
        INLINE,
        "/// assert_eq!(shop::total(&[1, 2]), 3);",
        "/// assert!(true);",
        TestChanged,
    ),
    (
        RS,
        INLINE,
        "/// ```\n/// assert_eq!",
        "/// ```ignore\n/// assert_eq!",
        TestSkipped,
    ),
    (
        RS,
        INLINE,
        "///\n/// ```\n/// assert_eq!(shop::total(&[1, 2]), 3);\n/// ```\n",
        "",
        TestDeleted,
    ),
    (PY, DOCTEST, "    3\n", "    4\n", TestChanged),
    (PY, DOCTEST, "    >>> total([])\n    0\n", "", TestChanged),
    (
        PY,
        DOCTEST,
        "    >>> total([1, 2])\n",
        "    >>> total = len\n    >>> total([1, 2])\n",
        TestChanged,
    ),
    (
        PY,
        DOCTEST,
        ">>> total([1, 2])",
        ">>> total([1, 2])  # doctest: +SKIP",
        TestSkipped,
    ),
    (TS, IN_SOURCE, "toBe(3)", "toBeDefined()", TestChanged),
    (
        TS,
        IN_SOURCE,
        "if (import.meta.vitest) {",
        "if (import.meta.vitest && false) {",
        TestChanged,
    ),
];

#[test]
fn honest_edits_of_the_code_around_give_no_finding() {
    for (path, base, from, to) in HONEST {
        let findings = compare(path, base, &edited(base, from, to));
        assert!(
            findings.is_empty(),
            "{path}: `{from}` -> `{to}`\n{}",
            shown(&findings)
        );
    }
}

#[test]
fn changed_inline_tests_are_found() {
    for (path, base, from, to, kind) in CHEATS {
        let findings = compare(path, base, &edited(base, from, to));
        assert!(
            has(&findings, *kind, None),
            "{path}: `{from}` -> `{to}` ({kind:?})\n{}",
            shown(&findings)
        );
    }
}

#[test]
fn the_strict_file_has_the_candidates_code_and_the_bases_tests() {
    let code = edited(INLINE, "prices.iter().sum()", "prices.iter().rev().sum()");
    assert_eq!(
        strict(RS, INLINE, &code),
        None,
        "its tests are the base's already"
    );

    // Every change of the tests is undone, and nothing else.
    for (path, base, from, to, _) in CHEATS {
        let changed = edited(base, from, to);
        let back = strict(path, base, &changed);
        if from.contains("cfg(test)") || from.contains("//!") || from.starts_with("///\n") {
            continue;
        }
        assert_eq!(back.as_deref(), Some(*base), "{path}: `{from}` -> `{to}`");
    }

    // What the candidate added is taken out: tests in old modules, new modules, new doctests.
    let added = edited(
        &code,
        "    #[test]\n    fn nothing()",
        "    #[test]\n    fn one() {}\n\n    #[test]\n    fn nothing()",
    );
    assert_eq!(strict(RS, INLINE, &added).as_deref(), Some(code.as_str()));
    let module = format!("{code}\n#[cfg(test)]\nmod more {{\n    #[test]\n    fn one() {{}}\n}}\n");
    assert_eq!(
        strict(RS, INLINE, &module).expect("it differs").trim_end(),
        code.trim_end()
    );
    let documented = edited(
        &code,
        "/// A cart.\npub struct",
        "/// A cart.\n///\n/// ```\n/// let _ = 1;\n/// ```\npub struct",
    );
    let text = strict(RS, INLINE, &documented).expect("it differs");
    assert!(
        text.contains("/// ```text\n/// let _ = 1;\n/// ```"),
        "{text}"
    );

    // What the candidate took away is back.
    let deleted = INLINE.split("#[cfg(test)]").next().expect("text before it");
    let text = strict(RS, INLINE, deleted).expect("it differs");
    assert!(
        text.contains("fn nothing()") && text.contains("mod tests"),
        "{text}"
    );
    assert!(compare(RS, INLINE, &text).is_empty());
}

#[test]
fn a_file_without_inline_tests_is_left_alone() {
    assert_eq!(strict("cart.go", GO, "package cart\n"), None);
    assert!(compare("cart.go", GO, "package cart\n").is_empty());
    assert_eq!(
        strict(PY, "def f():\n    return 1\n", "def f():\n    return 2\n"),
        None
    );
}
