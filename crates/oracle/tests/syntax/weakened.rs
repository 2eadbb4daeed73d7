//! Weakened tests and new tests that say nothing, where the change itself is licensed.

use overnight_core::finding::{
    Finding,
    FindingKind::{self, *},
};
use overnight_oracle::syntax;

use crate::data::*;
use crate::{edited, has, language, shown};

fn weakened(path: &str, base: Option<&str>, candidate: Option<&str>) -> Vec<Finding> {
    syntax::weakened(
        language(path),
        path,
        base.map(str::as_bytes),
        candidate.map(str::as_bytes),
    )
}

const PY: &str = "tests/test_cart.py";
const UNIT: &str = "tests/test_unit.py";
const TS: &str = "test/cart.test.ts";
const JS: &str = "test/cart.test.js";
const GO_TEST: &str = "cart/cart_test.go";
const JAVA: &str = "src/test/java/shop/CartTest.java";
const RS: &str = "tests/cart.rs";

const WEAKER: &[(&str, &str, &str, &str, FindingKind)] = &[
    (
        PY,
        PYTEST,
        "        assert cart.items == []\n",
        "",
        AssertionsWeakened,
    ),
    (
        PY,
        PYTEST,
        "assert cart.total() == 0",
        "assert cart.total() == cart.total()",
        AssertionsWeakened,
    ),
    (
        PY,
        PYTEST,
        "assert cart.total() == 0",
        "assert True",
        AssertionsWeakened,
    ),
    (
        PY,
        PYTEST,
        "assert cart.total() == 0",
        "assert cart.total() == 0 or True",
        AssertionsWeakened,
    ),
    (
        PY,
        PYTEST,
        "assert cart.total() == 0",
        "assert (cart.total() == 0, 'zero')",
        AssertionsWeakened,
    ),
    (
        PY,
        PYTEST,
        "assert cart.total() == 0",
        "assert cart.total() is not None",
        AssertionsWeakened,
    ),
    (
        PY,
        PYTEST,
        "rel_tol=1e-9",
        "rel_tol=0.5",
        AssertionsWeakened,
    ),
    (
        PY,
        PYTEST,
        "        assert cart.total() == 0\n",
        "        return\n        assert cart.total() == 0\n",
        AssertionsWeakened,
    ),
    (
        PY,
        PYTEST,
        "        assert cart.total() == 0\n",
        "        if False:\n            assert cart.total() == 0\n",
        AssertionsWeakened,
    ),
    (
        PY,
        PYTEST,
        "        assert cart.total() == 0\n",
        "        try:\n            assert cart.total() == 0\n        except AssertionError:\n            pass\n",
        AssertionsWeakened,
    ),
    (
        PY,
        PYTEST,
        "def test_rejects(cart):",
        "@pytest.mark.skipif(True, reason='x')\ndef test_rejects(cart):",
        TestSkipped,
    ),
    (
        PY,
        PYTEST,
        "def test_rejects(cart):\n",
        "def test_rejects(cart):\n    pytest.skip('x')\n",
        TestSkipped,
    ),
    (
        PY,
        PYTEST,
        "RATES =",
        "pytestmark = pytest.mark.skip\nRATES =",
        TestSkipped,
    ),
    (
        PY,
        PYTEST,
        "def test_rejects(cart):",
        "def rejects(cart):",
        TestDeleted,
    ),
    (
        PY,
        PYTEST,
        "def test_rejects(cart):",
        "@mock.patch('shop.cart.total')\ndef test_rejects(cart):",
        MockOfSubject,
    ),
    (UNIT, UNITTEST, "places=5", "places=1", AssertionsWeakened),
    (
        UNIT,
        UNITTEST,
        ", places=5",
        ", delta=5",
        AssertionsWeakened,
    ),
    (
        UNIT,
        UNITTEST,
        "self.assertEqual(self.helper(3), 3)",
        "self.assertEqual(3, 3)",
        AssertionsWeakened,
    ),
    (
        UNIT,
        UNITTEST,
        "self.assertEqual(self.helper(3), 3)",
        "self.assertIsNotNone(self.helper(3))",
        AssertionsWeakened,
    ),
    (
        UNIT,
        UNITTEST,
        "    def test_empty(self):",
        "    @unittest.skip('x')\n    def test_empty(self):",
        TestSkipped,
    ),
    (
        TS,
        VITEST,
        "toBeCloseTo(19, 5)",
        "toBeCloseTo(19, 1)",
        AssertionsWeakened,
    ),
    (
        TS,
        VITEST,
        "toBeCloseTo(19, 5)",
        "toBeCloseTo(19)",
        AssertionsWeakened,
    ),
    (
        TS,
        VITEST,
        "expect(total(cart.items)).toBe(0);",
        "expect(true).toBe(true);",
        AssertionsWeakened,
    ),
    (
        TS,
        VITEST,
        "expect(total(cart.items)).toBe(0);",
        "expect(total(cart.items)).toBe(total(cart.items));",
        AssertionsWeakened,
    ),
    (
        TS,
        VITEST,
        "expect(total(cart.items)).toBe(0);",
        "expect(total(cart.items)).toBeDefined();",
        AssertionsWeakened,
    ),
    (
        TS,
        VITEST,
        "expect(total(cart.items)).toBe(0);",
        "expect(total(cart.items));",
        AssertionsWeakened,
    ),
    (
        TS,
        VITEST,
        "expect(total(cart.items)).toBe(0);",
        "try { expect(total(cart.items)).toBe(0); } catch {}",
        AssertionsWeakened,
    ),
    (
        TS,
        VITEST,
        "it('is empty at first'",
        "it.skip('is empty at first'",
        TestSkipped,
    ),
    (
        TS,
        VITEST,
        "describe('tax'",
        "describe.only('tax'",
        TestSkipped,
    ),
    (
        TS,
        VITEST,
        "it('is empty at first'",
        "it.todo('is empty at first'",
        TestSkipped,
    ),
    (
        TS,
        VITEST,
        "const rates",
        "vi.mock('../src/cart');\nconst rates",
        MockOfSubject,
    ),
    (JS, JEST, "", "\njest.mock('../cart');\n", MockOfSubject),
    (JS, JEST, "test('adds'", "xtest('adds'", TestSkipped),
    (GO_TEST, GO, "> 1e-9", "> 0.5", AssertionsWeakened),
    (
        GO_TEST,
        GO,
        "got != tt.want",
        "got != got",
        AssertionsWeakened,
    ),
    (
        GO_TEST,
        GO,
        "func TestTax(t *testing.T) {\n",
        "func TestTax(t *testing.T) {\n\tt.SkipNow()\n",
        TestSkipped,
    ),
    (
        GO_TEST,
        GO,
        "t.Errorf(\"got %d, want %d\", got, tt.want)",
        "t.Logf(\"got %d, want %d\", got, tt.want)",
        AssertionsWeakened,
    ),
    (
        JAVA,
        JUNIT,
        "cart.tax(), 1e-9",
        "cart.tax(), 1e-1",
        AssertionsWeakened,
    ),
    (
        JAVA,
        JUNIT,
        "assertEquals(3, sum(1, 2));",
        "assertTrue(true);",
        AssertionsWeakened,
    ),
    (
        JAVA,
        JUNIT,
        "assertEquals(3, sum(1, 2));",
        "try { assertEquals(3, sum(1, 2)); } catch (AssertionError e) { }",
        AssertionsWeakened,
    ),
    (
        JAVA,
        JUNIT,
        "    @Test\n    void rejects",
        "    @Ignore @Test\n    void rejects",
        TestSkipped,
    ),
    (
        JAVA,
        JUNIT,
        "cart = new Cart();",
        "cart = mock(Cart.class);",
        MockOfSubject,
    ),
    (RS, CARGO, "< 1e-9", "< 1.0", AssertionsWeakened),
    (
        RS,
        CARGO,
        "assert_eq!(total(&[]), 0);",
        "assert!(true);",
        AssertionsWeakened,
    ),
    (
        RS,
        CARGO,
        "assert_eq!(total(&[]), 0);",
        "assert_eq!(total(&[]), total(&[]));",
        AssertionsWeakened,
    ),
    (
        RS,
        CARGO,
        "assert_eq!(total(&[]), 0);",
        "assert!(total(&[]) < 100);",
        AssertionsWeakened,
    ),
    (
        RS,
        CARGO,
        "#[test]\nfn adds()",
        "#[test]\n#[should_panic]\nfn adds()",
        AssertionsWeakened,
    ),
    (
        RS,
        CARGO,
        "#[test]\nfn adds()",
        "#[test]\n#[ignore = \"slow\"]\nfn adds()",
        TestSkipped,
    ),
];

/// Licensed changes that weaken nothing.
const STRONGER: &[(&str, &str, &str, &str)] = &[
    (
        PY,
        PYTEST,
        "assert cart.total() == 0",
        "assert cart.total() == 7",
    ),
    (
        PY,
        PYTEST,
        "assert cart.items == []",
        "assert cart.items == []\n        assert not cart.rates",
    ),
    (PY, PYTEST, "rel_tol=1e-9", "rel_tol=1e-12"),
    (
        PY,
        PYTEST,
        "def test_rejects(cart):",
        "def test_rejects_negative(cart):",
    ),
    (
        PY,
        PYTEST,
        "def test_rejects(cart):",
        "@mock.patch('shop.cart.time.sleep')\ndef test_rejects(sleep, cart):",
    ),
    (UNIT, UNITTEST, "places=5", "places=7"),
    (TS, VITEST, "toBeCloseTo(19, 5)", "toBeCloseTo(19.5, 5)"),
    (TS, VITEST, "toBeCloseTo(19, 5)", "toBe(19)"),
    (
        JS,
        JEST,
        "",
        "\njest.mock('axios');\ntest('x', () => { expect(total([9])).toBe(9); });\n",
    ),
    (GO_TEST, GO, "> 1e-9", "> 1e-12"),
    (
        JAVA,
        JUNIT,
        "assertEquals(3, sum(1, 2));",
        "assertEquals(4, sum(1, 2));",
    ),
    (RS, CARGO, "< 1e-9", "< 1e-12"),
    (
        RS,
        CARGO,
        "assert_eq!(total(&[]), 0);",
        "assert_eq!(total(&[]), 1);",
    ),
];

/// New tests that assert nothing, or nothing that can fail.
const EMPTY: &[(&str, &str, FindingKind)] = &[
    (
        PY,
        "from cart import total\n\n\ndef test_x():\n    total([1])\n",
        AssertsNothing,
    ),
    (PY, "def test_x():\n    assert True\n", AssertsNothing),
    (
        PY,
        "import unittest\n\n\nclass A(unittest.TestCase):\n    def test_x(self):\n        total([1])\n",
        AssertsNothing,
    ),
    (TS, "it('x', () => { total([1]); });\n", AssertsNothing),
    (
        TS,
        "it('x', () => { expect(1).toBe(1); });\n",
        AssertionsWeakened,
    ),
    (
        TS,
        "it.only('x', () => { expect(total([1])).toBe(1); });\n",
        TestSkipped,
    ),
    (
        GO_TEST,
        "package cart\n\nfunc TestX(t *testing.T) {\n\tTotal(nil)\n}\n",
        AssertsNothing,
    ),
    (
        JAVA,
        "class ATest { @Test void x() { sum(1); } }\n",
        AssertsNothing,
    ),
    (
        RS,
        "#[test]\nfn x() {\n    let _ = total(&[1]);\n}\n",
        AssertsNothing,
    ),
    (
        RS,
        "#[test]\nfn x() {\n    assert_eq!(1, 1);\n}\n",
        AssertionsWeakened,
    ),
    (
        TS,
        "import { total } from '../src/cart';\njest.mock('../src/cart');\nit('x', () => { expect(total([1])).toBe(undefined); });\n",
        MockOfSubject,
    ),
    (
        PY,
        "from shop.cart import total\n\n\ndef test_x(monkeypatch):\n    monkeypatch.setattr('shop.cart.total', lambda p: 3)\n    assert total([1, 2]) == 3\n",
        MockOfSubject,
    ),
];

#[test]
fn weaker_tests_are_found() {
    let mut missed = String::new();
    for (path, base, from, to, kind) in WEAKER {
        let candidate = if from.is_empty() {
            format!("{base}{to}")
        } else {
            edited(base, from, to)
        };
        let findings = weakened(path, Some(base), Some(&candidate));
        if !has(&findings, *kind, None) {
            missed.push_str(&format!(
                "{path}: `{from}` -> `{to}` ({kind:?})\n{}",
                shown(&findings)
            ));
        }
    }
    assert!(missed.is_empty(), "not found:\n{missed}");
}

#[test]
fn changes_that_weaken_nothing_give_no_finding() {
    let mut wrong = String::new();
    for (path, base, from, to) in STRONGER {
        let candidate = if from.is_empty() {
            format!("{base}{to}")
        } else {
            edited(base, from, to)
        };
        let findings = weakened(path, Some(base), Some(&candidate));
        if !findings.is_empty() {
            wrong.push_str(&format!("{path}: `{from}` -> `{to}`\n{}", shown(&findings)));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn new_tests_that_say_nothing_are_found() {
    for (path, code, kind) in EMPTY {
        let findings = weakened(path, None, Some(code));
        assert!(
            has(&findings, *kind, None),
            "{path}: {code} ({kind:?})\n{}",
            shown(&findings)
        );
    }
}

#[test]
fn good_new_files_give_no_finding() {
    for (path, base) in TEST_FILES {
        let findings = weakened(path, None, Some(base));
        assert!(findings.is_empty(), "{path}\n{}", shown(&findings));
    }
}

/// New tests that assert through something else.
const HELPED: &[(&str, &str)] = &[
    (
        PY,
        "def same(a, b):\n    assert a == b\n\n\ndef both(a):\n    same(a, 1)\n\n\ndef test_x():\n    both(total([1]))\n",
    ),
    (
        PY,
        "import unittest\n\n\nclass A(unittest.TestCase):\n    def test_x(self):\n        eq = self.assertEqual\n        eq(total([1]), 1)\n",
    ),
    (
        TS,
        "function same(a, b) { expect(a).toBe(b); }\nit('x', () => { same(total([1]), 1); });\n",
    ),
    (
        GO_TEST,
        "package cart\n\nfunc same(t *testing.T, a, b int) {\n\tif a != b {\n\t\tt.Fatal(a)\n\t}\n}\n\nfunc TestX(t *testing.T) {\n\tsame(t, Total(nil), 0)\n}\n",
    ),
    (
        RS,
        "fn same(a: u32, b: u32) {\n    assert_eq!(a, b);\n}\n\n#[test]\nfn x() {\n    same(total(&[1]), 1);\n}\n",
    ),
];

#[test]
fn tests_that_assert_through_a_helper_assert_something() {
    for (path, code) in HELPED {
        let findings = weakened(path, None, Some(code));
        assert!(findings.is_empty(), "{path}: {code}\n{}", shown(&findings));
    }
}

#[test]
fn a_deleted_file_is_its_tests() {
    let findings = weakened(PY, Some(PYTEST), None);
    assert_eq!(
        findings
            .iter()
            .filter(|finding| finding.kind == TestDeleted)
            .count(),
        4,
        "{}",
        shown(&findings)
    );
}
