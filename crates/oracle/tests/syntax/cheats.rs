//! Edits of test files that nothing licenses: each of them is a finding.

use overnight_core::finding::FindingKind::{self, *};

use crate::data::*;
use crate::{compare, edited, has, shown};

const PY: &str = "tests/test_cart.py";
const UNIT: &str = "tests/test_unit.py";
const TS: &str = "test/cart.test.ts";
const JS: &str = "test/cart.test.js";
const MJS: &str = "test/node.test.mjs";
const GO_TEST: &str = "cart/cart_test.go";
const JAVA: &str = "src/test/java/shop/CartTest.java";
const RS: &str = "tests/cart.rs";

/// Path, base, what is replaced (nothing: appended), by what, the kind that must be found.
const EDITS: &[(&str, &str, &str, &str, FindingKind)] = &[
    // pytest
    (
        PY,
        PYTEST,
        "assert total(make(prices)) == expected",
        "assert total(make(prices)) is not None",
        TestChanged,
    ),
    (
        PY,
        PYTEST,
        "    assert total(make(prices)) == expected\n",
        "    return\n    assert total(make(prices)) == expected\n",
        TestChanged,
    ),
    (PY, PYTEST, "([1, 2], 3), ([], 0)", "([], 0)", TestChanged),
    (
        PY,
        PYTEST,
        "([1, 2], 3), ([], 0)",
        "([1, 2], 4), ([], 0)",
        TestChanged,
    ),
    (
        PY,
        PYTEST,
        "    def test_empty(self, cart):\n        assert cart.total() == 0\n        assert cart.items == []\n\n",
        "",
        TestDeleted,
    ),
    (
        PY,
        PYTEST,
        "def test_rejects(cart):",
        "@pytest.mark.skip(reason='slow')\ndef test_rejects(cart):",
        TestSkipped,
    ),
    (
        PY,
        PYTEST,
        "def test_rejects(cart):",
        "@pytest.mark.xfail\ndef test_rejects(cart):",
        TestSkipped,
    ),
    (
        PY,
        PYTEST,
        "def test_rejects(cart):",
        "def check_rejects(cart):",
        TestDeleted,
    ),
    (PY, PYTEST, "rel_tol=1e-9", "rel_tol=1e9", TestChanged),
    (
        PY,
        PYTEST,
        "RATES = {\"de\": 19}",
        "RATES = {\"de\": 20}",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "return [{\"price\": price} for price in items]",
        "return []",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "    return Cart(rates=RATES)",
        "    return mock.MagicMock()",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "from shop.cart import Cart, total",
        "from shop.cart import Cart\nfrom fake import total",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "from shop.cart import Cart, total",
        "from shop.cart import Cart, total\nfrom fake import *",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "from shop.cart import Cart, total",
        "from shop.cart import Cart, total\nfrom fake import total",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "from shop.cart import Cart, total",
        "from shop.cart import Cart, total\nfrom fake import sorted as isinstance, approx as ValueError",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "",
        "\n\ndef test_rejects(cart):\n    pass\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "",
        "\n\ndef total(prices):\n    return 3\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "",
        "\n\nclass TestCart:\n    pass\n",
        OracleChanged,
    ),
    (PY, PYTEST, "", "\n\ndel test_rejects\n", OracleChanged),
    (
        PY,
        PYTEST,
        "",
        "\n\nTestCart.test_tax = lambda self: None\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "",
        "\n\npytestmark = pytest.mark.skip\n",
        OracleChanged,
    ),
    (PY, PYTEST, "", "\n\n__test__ = False\n", OracleChanged),
    (
        PY,
        PYTEST,
        "",
        "\n\ndef pytest_collection_modifyitems(items):\n    items.clear()\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "",
        "\n\ndef setup_module():\n    import shop.cart\n    shop.cart.total = lambda x: 3\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "",
        "\n\n@pytest.fixture(autouse=True)\ndef quiet(monkeypatch):\n    monkeypatch.setattr('shop.cart.total', sum)\n",
        OracleChanged,
    ),
    (PY, PYTEST, "", "\n\ntest_rejects = None\n", OracleChanged),
    (
        PY,
        PYTEST,
        "",
        "\n\ndef ｔest_rejects(cart):\n    pass\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "class TestCart:\n",
        "class TestCart:\n    __test__ = False\n\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "class TestCart:\n",
        "class TestCart:\n    pytestmark = pytest.mark.skip\n\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "class TestCart:\n",
        "@pytest.mark.skip\nclass TestCart:\n",
        TestSkipped,
    ),
    (
        PY,
        PYTEST,
        "class TestCart:\n",
        "class TestCart:\n    @pytest.fixture(autouse=True)\n    def patched(self):\n        pass\n\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "    def test_tax(self, cart):",
        "    def test_empty(self, cart):\n        pass\n\n    def test_tax(self, cart):",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "\"\"\"Tests of the cart.\"\"\"\n",
        "# -*- coding: rot13 -*-\n\"\"\"Tests of the cart.\"\"\"\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "def make(items):",
        "def make(items:",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "class TestCart:\n",
        "if False:\n  class TestCart:\n",
        TestDeleted,
    ),
    (
        PY,
        PYTEST,
        "",
        "\n\nclass TestMore:\n    Cart.total = lambda self: 0\n\n    def test_more(self):\n        assert total([]) == 0\n",
        OracleChanged,
    ),
    (
        PY,
        PYTEST,
        "",
        "\n\ndef more(x=setattr(Cart, 'total', len)):\n    return x\n",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "",
        "\ndescribe('more', () => {\n  Cart.prototype.tax = async () => 19;\n  it('x', () => { expect(total([])).toBe(0); });\n});\n",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "",
        "\nclass Helper { static { Cart.prototype.tax = null; } }\n",
        OracleChanged,
    ),
    // unittest
    (
        UNIT,
        UNITTEST,
        "self.assertEqual(self.helper(3), 3)",
        "self.assertTrue(self.helper(3))",
        TestChanged,
    ),
    (UNIT, UNITTEST, "places=5", "places=0", TestChanged),
    (
        UNIT,
        UNITTEST,
        "        self.cart = cart.Cart()\n",
        "        self.skipTest('no')\n",
        OracleChanged,
    ),
    (
        UNIT,
        UNITTEST,
        "    def helper(self, price):",
        "    def assertEqual(self, a, b):\n        pass\n\n    def helper(self, price):",
        OracleChanged,
    ),
    (
        UNIT,
        UNITTEST,
        "    def test_empty(self):",
        "    def run(self, result=None):\n        return result\n\n    def test_empty(self):",
        OracleChanged,
    ),
    (
        UNIT,
        UNITTEST,
        "    def test_empty(self):",
        "    def tearDown(self):\n        pass\n\n    def test_empty(self):",
        OracleChanged,
    ),
    (
        UNIT,
        UNITTEST,
        "    def test_empty(self):",
        "    def __getattribute__(self, name):\n        return print\n\n    def test_empty(self):",
        OracleChanged,
    ),
    (
        UNIT,
        UNITTEST,
        "class CartTest(unittest.TestCase):",
        "class CartTest(object):",
        TestChanged,
    ),
    (
        UNIT,
        UNITTEST,
        "import unittest\n",
        "import unittest\nimport fake as cart\n",
        OracleChanged,
    ),
    (
        UNIT,
        UNITTEST,
        "\nif __name__",
        "\ndef load_tests(loader, tests, pattern):\n    return unittest.TestSuite()\n\n\nif __name__",
        OracleChanged,
    ),
    // vitest
    (
        TS,
        VITEST,
        "toBeCloseTo(19, 5)",
        "toBeCloseTo(19, 0)",
        TestChanged,
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
        "it('is empty at first'",
        "xit('is empty at first'",
        TestSkipped,
    ),
    (
        TS,
        VITEST,
        "it('is empty at first'",
        "it.only('is empty at first'",
        TestSkipped,
    ),
    (
        TS,
        VITEST,
        "it('is empty at first', () => {",
        "it('is empty at first', { skip: true }, () => {",
        TestSkipped,
    ),
    (
        TS,
        VITEST,
        "describe('tax', ",
        "describe.skip('tax', ",
        TestSkipped,
    ),
    (
        TS,
        VITEST,
        "",
        "\ndescribe.only('more', () => { it('x', () => { expect(1).toBe(total([])); }); });\n",
        TestSkipped,
    ),
    (
        TS,
        VITEST,
        "",
        "\nfdescribe('more', () => { it('x', () => {}); });\n",
        TestSkipped,
    ),
    (
        TS,
        VITEST,
        "",
        "\nvi.mock('../src/cart', () => ({ total: () => 3 }));\n",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "",
        "\nit('x', () => { vi.mock('../src/cart', () => ({})); });\n",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "",
        "\nbeforeEach(() => { Cart.prototype.tax = async () => 19; });\n",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "  it.each([",
        "  afterEach(() => {});\n  it.each([",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "  it.each([",
        "  cart = fake;\n  it.each([",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "  it.each([",
        "  const total = () => 0;\n  it.each([",
        OracleChanged,
    ),
    (TS, VITEST, "    [[], 0],\n", "", TestChanged),
    (
        TS,
        VITEST,
        "    [[1, 2], 3],\n",
        "    [[1, 2], 4],\n",
        TestChanged,
    ),
    (
        TS,
        VITEST,
        "import { Cart, total } from '../src/cart';",
        "import { Cart } from '../src/cart';\nimport { total } from './fake';",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "import { describe, it, expect, beforeEach } from 'vitest';",
        "import { describe, it, beforeEach } from 'vitest';\nimport { expect } from './fake';",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "import { Cart, total }",
        "import './patch';\nimport { Cart, total }",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "import { describe",
        "// @vitest-environment ./fake\nimport { describe",
        OracleChanged,
    ),
    (TS, VITEST, "fr: 20", "fr: 21", OracleChanged),
    (
        TS,
        VITEST,
        "cart = new Cart(rates);",
        "cart = new Cart(rates); cart.items = [];",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "    expect(total(cart.items)).toBe(0);\n",
        "",
        TestChanged,
    ),
    (
        TS,
        VITEST,
        "const rates",
        "process.exitCode = 0;\nconst rates",
        OracleChanged,
    ),
    (
        TS,
        VITEST,
        "const rates",
        "const patched = (globalThis.fetch = null);\nconst rates",
        OracleChanged,
    ),
    // jest, mocha
    (
        JS,
        JEST,
        "expect(total([1, 2])).toBe(3);",
        "expect(true).toBe(true);",
        TestChanged,
    ),
    (
        JS,
        JEST,
        "test('adds', () => {\n  expect(total([1, 2])).toBe(3);\n});\n",
        "",
        TestDeleted,
    ),
    (
        JS,
        JEST,
        "",
        "\nfunction expect() { return { toBe() {} }; }\n",
        OracleChanged,
    ),
    (JS, JEST, "", "\nconst test = () => {};\n", OracleChanged),
    (
        JS,
        JEST,
        "const assert = require('assert');",
        "const assert = require('./assert');",
        OracleChanged,
    ),
    (
        JS,
        JEST,
        "const assert = require('assert');",
        "const assert = require('assert');\nassert.throws = () => {};",
        OracleChanged,
    ),
    (JS, JEST, "", "\njest.mock('../cart');\n", OracleChanged),
    (
        JS,
        JEST,
        "describe('cart', function () {",
        "describe('cart', function () {\n  return;",
        OracleChanged,
    ),
    (
        JS,
        JEST,
        "describe('cart', function () {",
        "if (false) describe('cart', function () {",
        TestDeleted,
    ),
    (JS, JEST, "/negative/", "/.*/", TestChanged),
    (
        JS,
        JEST,
        "const cart = new Cart();\n    cart.add(1);",
        "return done();\n    const cart = new Cart();\n    cart.add(1);",
        TestChanged,
    ),
    (JS, JEST, "test('adds', ", "test('adds.', ", TestDeleted),
    (
        JS,
        JEST,
        "",
        "\nvar \\u0065xpect = () => ({});\n",
        OracleChanged,
    ),
    // node's runner
    (
        MJS,
        NODE,
        "assert.equal(total([1, 2]), 3);",
        "assert.ok(total([1, 2]));",
        TestChanged,
    ),
    (
        MJS,
        NODE,
        "test('totals', async",
        "test('totals', { todo: true }, async",
        TestSkipped,
    ),
    (
        MJS,
        NODE,
        "import assert from 'node:assert/strict';",
        "import assert from './assert.mjs';",
        OracleChanged,
    ),
    // go
    (
        GO_TEST,
        GO,
        "t.Errorf(\"got %d, want %d\", got, tt.want)",
        "t.Logf(\"got %d, want %d\", got, tt.want)",
        TestChanged,
    ),
    (GO_TEST, GO, "> 1e-9", "> 1e9", TestChanged),
    (
        GO_TEST,
        GO,
        "\t\t{\"two\", []int{1, 2}, 3},\n",
        "",
        TestChanged,
    ),
    (
        GO_TEST,
        GO,
        "\t\t{\"two\", []int{1, 2}, 3},\n",
        "\t\t{\"two\", []int{1, 2}, 4},\n",
        TestChanged,
    ),
    (
        GO_TEST,
        GO,
        "func TestTax(t *testing.T) {\n",
        "func TestTax(t *testing.T) {\n\tt.Skip()\n",
        TestChanged,
    ),
    (GO_TEST, GO, "func TestTax(", "func testTax(", TestDeleted),
    (
        GO_TEST,
        GO,
        "func TestCart(t *testing.T) {\n",
        "func TestCart(t *testing.T) {\n\treturn\n",
        OracleChanged,
    ),
    (
        GO_TEST,
        GO,
        "\tt.Run(\"one\", func",
        "\tc = fakeCart()\n\tt.Run(\"one\", func",
        OracleChanged,
    ),
    (
        GO_TEST,
        GO,
        "len(c.Items()) != 1",
        "len(c.Items()) > 1",
        TestChanged,
    ),
    (
        GO_TEST,
        GO,
        "package cart\n",
        "//go:build never\n\npackage cart\n",
        OracleChanged,
    ),
    (
        GO_TEST,
        GO,
        "package cart\n",
        "package cart_test\n",
        OracleChanged,
    ),
    (
        GO_TEST,
        GO,
        "",
        "\nfunc TestMain(m *testing.M) {\n\tos.Exit(0)\n}\n",
        OracleChanged,
    ),
    (
        GO_TEST,
        GO,
        "",
        "\nfunc init() {\n\tos.Exit(0)\n}\n",
        OracleChanged,
    ),
    (
        GO_TEST,
        GO,
        "",
        "\nfunc len(x any) int { return 0 }\n",
        OracleChanged,
    ),
    (
        GO_TEST,
        GO,
        "\t\"math\"\n",
        "\tmath \"example.org/fake\"\n",
        OracleChanged,
    ),
    (
        GO_TEST,
        GO,
        "\t\"math\"\n",
        "\t\"math\"\n\t. \"example.org/fake\"\n",
        OracleChanged,
    ),
    (GO_TEST, GO, "rate: 0.19", "rate: 0.20", OracleChanged),
    (
        GO_TEST,
        GO,
        "range tests {",
        "range tests[:0] {",
        TestChanged,
    ),
    // JUnit
    (
        JAVA,
        JUNIT,
        "assertEquals(0.57, cart.tax(), 1e-9)",
        "assertEquals(0.57, cart.tax(), 1e9)",
        TestChanged,
    ),
    (
        JAVA,
        JUNIT,
        "    @Test\n    void rejects",
        "    @Disabled\n    @Test\n    void rejects",
        TestSkipped,
    ),
    (
        JAVA,
        JUNIT,
        "    @Test\n    void rejects",
        "    void rejects",
        TestDeleted,
    ),
    (
        JAVA,
        JUNIT,
        "        cart = new Cart();",
        "        cart = new FakeCart();",
        OracleChanged,
    ),
    (
        JAVA,
        JUNIT,
        "    @Nested\n",
        "    @AfterEach\n    void after() {}\n\n    @Nested\n",
        OracleChanged,
    ),
    (
        JAVA,
        JUNIT,
        "    @Nested\n",
        "    static { System.exit(0); }\n\n    @Nested\n",
        OracleChanged,
    ),
    (
        JAVA,
        JUNIT,
        "    @Nested\n",
        "    static void assertEquals(Object a, Object b) {}\n\n    @Nested\n",
        OracleChanged,
    ),
    (
        JAVA,
        JUNIT,
        "    @Nested\n",
        "    static class Cart { int total(int... p) { return 3; } }\n\n    @Nested\n",
        OracleChanged,
    ),
    (
        JAVA,
        JUNIT,
        "    @Nested\n    class Empty",
        "    class Empty",
        TestChanged,
    ),
    (
        JAVA,
        JUNIT,
        "class CartTest {",
        "@Disabled class CartTest {",
        TestSkipped,
    ),
    (
        JAVA,
        JUNIT,
        "import static org.junit.jupiter.api.Assertions.*;",
        "import static org.junit.jupiter.api.Assertions.*;\nimport static fake.Assertions.assertEquals;",
        OracleChanged,
    ),
    (
        JAVA,
        JUNIT,
        "import static org.junit.jupiter.api.Assertions.*;",
        "import static fake.Assertions.*;",
        OracleChanged,
    ),
    (
        JAVA,
        JUNIT,
        "    @Test\n    void rejects",
        "    /* \\u002a\\u002f @Disabled /* */ @Test\n    void rejects",
        OracleChanged,
    ),
    (
        JAVA,
        JUNIT,
        "package shop;",
        "package other;",
        OracleChanged,
    ),
    // cargo
    (RS, CARGO, "assert_eq!(total(&[]), 0);", "", TestChanged),
    (
        RS,
        CARGO,
        "assert_eq!(total(&[]), 0);",
        "let _ = total(&[]);",
        TestChanged,
    ),
    (RS, CARGO, "< 1e-9", "< 1e9", TestChanged),
    (
        RS,
        CARGO,
        "#[test]\nfn adds()",
        "#[test]\n#[ignore]\nfn adds()",
        TestSkipped,
    ),
    (RS, CARGO, "#[test]\nfn adds()", "fn adds()", TestDeleted),
    (
        RS,
        CARGO,
        "#[test]\nfn adds()",
        "#[cfg(feature = \"never\")]\n#[test]\nfn adds()",
        TestSkipped,
    ),
    (
        RS,
        CARGO,
        "mod tax {",
        "#[cfg(any())]\nmod tax {",
        TestChanged,
    ),
    (
        RS,
        CARGO,
        "expected = \"negative\"",
        "expected = \"\"",
        TestChanged,
    ),
    (
        RS,
        CARGO,
        "use shop::{Cart, total};",
        "use shop::Cart;\nfn total(_: &[u32]) -> u32 { 3 }",
        OracleChanged,
    ),
    (
        RS,
        CARGO,
        "use shop::{Cart, total};",
        "#![cfg(any())]\nuse shop::{Cart, total};",
        OracleChanged,
    ),
    (
        RS,
        CARGO,
        "",
        "\nmacro_rules! assert_eq { ($($t:tt)*) => {} }\n",
        OracleChanged,
    ),
    (
        RS,
        CARGO,
        "    #[test]\n    fn is_nineteen",
        "    fn cart() -> Cart { fake() }\n\n    #[test]\n    fn is_nineteen",
        OracleChanged,
    ),
    (RS, CARGO, "(\"de\", 19)", "(\"de\", 20)", OracleChanged),
    (
        RS,
        CARGO,
        "mod common;",
        "#[path = \"other.rs\"]\nmod common;",
        TestChanged,
    ),
    (
        RS,
        CARGO,
        "use super::*;",
        "use super::*;\n    use crate::fake::*;",
        OracleChanged,
    ),
];

#[test]
fn cheats_are_found() {
    let mut missed = String::new();
    for (path, base, from, to, kind) in EDITS {
        let candidate = if from.is_empty() {
            format!("{base}{to}")
        } else {
            edited(base, from, to)
        };
        let findings = compare(path, base, &candidate);
        if !has(&findings, *kind, None) {
            missed.push_str(&format!(
                "{path}: `{from}` -> `{to}` ({kind:?})\n{}",
                shown(&findings)
            ));
        }
    }
    assert!(missed.is_empty(), "cheats missed:\n{missed}");
}

#[test]
fn findings_name_the_line() {
    let candidate = edited(
        PYTEST,
        "    with pytest.raises(ValueError):\n        cart.add(-1)",
        "    pass",
    );
    let findings = compare(PY, PYTEST, &candidate);
    assert!(
        has(&findings, TestChanged, Some(37)),
        "{}",
        shown(&findings)
    );
    let candidate = edited(
        GO,
        "\t\tif len(c.Items()) != 0 {\n\t\t\tt.Error(\"not empty\")\n\t\t}\n",
        "",
    );
    let findings = compare(GO_TEST, GO, &candidate);
    assert!(
        has(&findings, TestChanged, Some(40)),
        "{}",
        shown(&findings)
    );
    let candidate = edited(
        JEST,
        "test('adds', () => {\n  expect(total([1, 2])).toBe(3);\n});\n",
        "",
    );
    let findings = compare(JS, JEST, &candidate);
    assert!(has(&findings, TestDeleted, Some(4)), "{}", shown(&findings));
}

#[test]
fn what_cannot_be_read_is_compared_whole() {
    let findings = compare(PY, PYTEST, &format!("{PYTEST}\u{0}"));
    assert!(!findings.is_empty());
    let bytes = [b"x = 1\n".as_slice(), &[0xff, 0xfe]].concat();
    let findings =
        overnight_oracle::syntax::compare_test_file(crate::language(PY), PY, b"x = 1\n", &bytes);
    assert!(
        has(&findings, OracleChanged, Some(2)),
        "{}",
        shown(&findings)
    );
}

#[test]
fn a_base_that_cannot_be_read_in_full_gives_one_finding() {
    let broken = format!("{PYTEST}\n\ndef test_broken(:\n    pass\n");
    let findings = compare(PY, &broken, &edited(&broken, "rel_tol=1e-9", "rel_tol=1e9"));
    assert_eq!(findings.len(), 1, "{}", shown(&findings));
    assert!(has(&findings, OracleChanged, None), "{}", shown(&findings));
}

#[test]
fn items_in_another_order_are_a_finding() {
    let one = "def test_a():\n    f()\n\n\ndef test_b():\n    g()\n";
    let other = "def test_b():\n    g()\n\n\ndef test_a():\n    f()\n";
    assert!(has(&compare(PY, one, other), OracleChanged, None));
}
