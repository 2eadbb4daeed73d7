//! Which tests there are in a file, and which functions a change touches.

use overnight_oracle::syntax::{self, Language, TestCase};

use crate::data::*;
use crate::{edited, language};

fn names(path: &str, text: &str) -> Vec<String> {
    syntax::tests(language(path), text.as_bytes())
        .into_iter()
        .map(|test| test.name.join(" > "))
        .collect()
}

#[test]
fn languages_go_by_extension() {
    assert_eq!(syntax::language("a/b.test.tsx"), Some(Language::Tsx));
    assert_eq!(syntax::language("a/b.cjs"), Some(Language::JavaScript));
    assert_eq!(syntax::language("Makefile"), None);
    assert_eq!(syntax::language(".py"), None);
    assert_eq!(syntax::language("a.py/b"), None);
}

#[test]
fn names_are_read_from_the_source() {
    assert_eq!(
        names("test_cart.py", PYTEST),
        [
            "test_total",
            "TestCart > test_empty",
            "TestCart > test_tax",
            "test_rejects"
        ]
    );
    assert_eq!(
        names("test_unit.py", UNITTEST),
        ["CartTest > test_adds", "CartTest > test_empty"]
    );
    assert_eq!(
        names("cart.test.ts", VITEST),
        [
            "cart > is empty at first",
            "cart > adds %j",
            "cart > tax > is 19 % in Germany"
        ]
    );
    assert_eq!(
        names("cart.test.js", JEST),
        [
            "adds",
            "cart > rejects a negative price",
            "cart > keeps its items"
        ]
    );
    assert_eq!(
        names("node.test.mjs", NODE),
        ["totals", "totals > of nothing", "totals > of two"]
    );
    assert_eq!(
        names("cart_test.go", GO),
        [
            "TestTotal",
            "TestTax",
            "TestCart",
            "TestCart > empty",
            "TestCart > one"
        ]
    );
    assert_eq!(
        names("CartTest.java", JUNIT),
        [
            "CartTest > adds",
            "CartTest > Empty > isZero",
            "CartTest > rejects"
        ]
    );
    assert_eq!(
        names("cart.rs", CARGO),
        ["adds", "tax > is_nineteen", "rejects"]
    );
    assert_eq!(
        names("cart.rs", INLINE),
        ["tests > adds", "tests > nothing", "total"]
    );
    assert_eq!(names("cart.py", DOCTEST), ["total"]);
    assert_eq!(names("cart.ts", IN_SOURCE), ["adds"]);
}

fn one(path: &str, text: &str) -> TestCase {
    let mut found = syntax::tests(language(path), text.as_bytes());
    assert_eq!(found.len(), 1, "{text}");
    found.remove(0)
}

#[test]
fn skips_onlys_and_assertions_are_read() {
    let test = one(
        "a.test.js",
        "describe.skip('a', () => {\n  it('b', () => {\n    expect(f()).toBe(1);\n    expect(true).toBe(true);\n  });\n});\n",
    );
    assert_eq!(test.skipped, Some((1, "describe.skip".to_string())));
    assert_eq!(test.assertions.len(), 2);
    assert_eq!(
        (test.assertions[0].line, test.assertions[0].trivial),
        (3, false)
    );
    assert_eq!(
        (test.assertions[1].line, test.assertions[1].trivial),
        (4, true)
    );
    assert_eq!(one("a.test.js", "it.only('b', () => {});\n").only, Some(1));
    assert_eq!(
        one("a.rs", "#[test]\n#[ignore]\nfn f() {}\n")
            .skipped
            .map(|skip| skip.0),
        Some(2)
    );
    assert!(
        one(
            "a.py",
            "import pytest\n@pytest.mark.skip\nclass TestA:\n    def test_b(self):\n        pass\n"
        )
        .skipped
        .is_some()
    );
    assert!(
        one(
            "ATest.java",
            "class ATest {\n  @Test @Disabled void a() { }\n}\n"
        )
        .skipped
        .is_some()
    );
    assert!(
        one(
            "a_test.go",
            "package a\n\nfunc TestA(t *testing.T) {\n\tt.Skip(\"x\")\n}\n"
        )
        .skipped
        .is_some()
    );
}

#[test]
fn equal_tests_have_equal_forms_whatever_they_are_called() {
    let one_test = one("a.py", "def test_a():\n    assert f() == 1\n");
    let other = one("b.py", "def test_b():\n    # why\n    assert (f() == 1)\n");
    assert_eq!(one_test.form, other.form);
    assert_ne!(
        one_test.form,
        one("a.py", "def test_a():\n    assert f() == 2\n").form
    );
}

#[test]
fn functions_that_a_change_touches_are_named() {
    let touched = |path: &str, base: &str, candidate: &str| {
        syntax::functions_touched(
            language(path),
            Some(base.as_bytes()),
            Some(candidate.as_bytes()),
        )
    };
    let candidate = edited(
        INLINE,
        "self.items.push(price);",
        "self.items.insert(0, price);",
    );
    assert_eq!(touched("a.rs", INLINE, &candidate), ["Cart::add (line 19)"]);
    let candidate = edited(DOCTEST, "return sum(prices)", "return 3  # sum");
    assert_eq!(touched("a.py", DOCTEST, &candidate), ["total (line 4)"]);
    assert!(
        touched(
            "a.py",
            DOCTEST,
            &edited(DOCTEST, "return sum(prices)", "return sum(prices)  # all")
        )
        .is_empty()
    );
    assert_eq!(
        touched(
            "a.js",
            "class A { f() { return 1; } }\nconst g = () => 1;\n",
            "class A { f() { return 1; } }\nconst g = () => 2;\n"
        ),
        ["g (line 2)"]
    );
    assert_eq!(
        touched("A.java", JUNIT, &edited(JUNIT, "cart.total(prices)", "3")),
        ["CartTest.sum (line 17)"]
    );
    let all = syntax::functions_touched(Language::Go, None, Some(GO.as_bytes()));
    assert_eq!(all.len(), 4, "{all:?}");
}
