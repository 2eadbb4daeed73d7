//! Honest edits of test files: none of them is a finding.

use crate::data::*;
use crate::{compare, edited, shown};

/// Path, base, what is replaced, by what. An empty text to replace means: appended.
const EDITS: &[(&str, &str, &str, &str)] = &[
    // pytest
    (
        "tests/test_cart.py",
        PYTEST,
        "",
        "\n\ndef test_more(cart):\n    cart.add(1)\n    assert cart.total() == 1\n",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "    def test_tax(self, cart):",
        "    def test_one(self, cart):\n        cart.add(1)\n        assert cart.total() == 1\n\n    def test_tax(self, cart):",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "from shop.cart import Cart, total",
        "from shop.cart import Cart, discount, total",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "from shop.cart import Cart, total",
        "from shop.cart import (\n    Cart,\n    total,\n)\nfrom shop.money import Euro",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "import math\n",
        "import json\nimport math\nimport os.path\n",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "RATES = {\"de\": 19}",
        "RATES = {'de': 19,}  # per cent\nMORE = {'fr': 20}",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "def make(items):",
        "def make_one(price):\n    return make([price])\n\n\ndef make(items):",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "\"\"\"Adds up.\"\"\"",
        "\"\"\"Adds all prices up.\"\"\"",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "    assert total(make(prices)) == expected",
        "    # why\n    assert (\n        total(make(prices)) == expected\n    )",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "[([1, 2], 3), ([], 0)]",
        "[([1, 2], 3), ([5], 5), ([], 0), ([1, 1, 1], 3)]",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "def test_rejects(cart):",
        "class TestDiscount:\n    @pytest.fixture\n    def coupon(self):\n        return 5\n\n    def setup_method(self):\n        self.x = 1\n\n    def test_it(self, coupon):\n        assert coupon == 5\n\n\ndef test_rejects(cart):",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "",
        "\n\n@pytest.fixture\ndef coupon():\n    return 5\n\n\n@mock.patch('shop.cart.clock')\ndef test_coupon(clock, coupon):\n    assert coupon == 5\n",
    ),
    // unittest
    (
        "tests/test_unit.py",
        UNITTEST,
        "    def test_empty(self):",
        "    def test_more(self):\n        self.assertTrue(self.cart.ok())\n\n    def other(self):\n        return 1\n\n    def test_empty(self):",
    ),
    (
        "tests/test_unit.py",
        UNITTEST,
        "from shop import cart\n",
        "from shop import cart, money\n",
    ),
    (
        "tests/test_unit.py",
        UNITTEST,
        "\nclass CartTest(unittest.TestCase):",
        "\nclass MoneyTest(unittest.TestCase):\n    def setUp(self):\n        self.m = 1\n\n    def test_m(self):\n        self.assertEqual(self.m, 1)\n\n\nclass CartTest(unittest.TestCase):",
    ),
    // vitest
    (
        "test/cart.test.ts",
        VITEST,
        "",
        "\ndescribe('coupons', () => {\n  beforeEach(() => {});\n  it('apply', () => { expect(new Cart(rates).total()).toBe(0); });\n});\n",
    ),
    (
        "test/cart.test.ts",
        VITEST,
        "  it.each([",
        "  it('takes one', () => {\n    cart.add(1);\n    expect(total(cart.items)).toBe(1);\n  });\n\n  it.each([",
    ),
    (
        "test/cart.test.ts",
        VITEST,
        "    [[1, 2], 3],\n",
        "    [[1, 2], 3],\n    [[7], 7],\n",
    ),
    (
        "test/cart.test.ts",
        VITEST,
        "import { Cart, total } from '../src/cart';",
        "import { Cart, total, discount } from \"../src/cart\";\nimport type { Rates } from '../src/rates';",
    ),
    (
        "test/cart.test.ts",
        VITEST,
        "import { describe, it, expect, beforeEach } from 'vitest';",
        "import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';",
    ),
    (
        "test/cart.test.ts",
        VITEST,
        "(price) => ({ price })",
        "price => ({ price, })",
    ),
    (
        "test/cart.test.ts",
        VITEST,
        "{ de: 19, fr: 20 }",
        "{\n  'de': 19,\n  \"fr\": 20,\n}",
    ),
    (
        "test/cart.test.ts",
        VITEST,
        "function make(",
        "const one = () => make([1]);\n\nfunction make(",
    ),
    (
        "test/cart.test.ts",
        VITEST,
        "    expect(cart.items).toEqual([]);",
        "    // nothing in it\n    expect(cart.items).toEqual([],)",
    ),
    (
        "test/cart.test.ts",
        VITEST,
        "    it('is 19 % in Germany'",
        "    for (const land of ['fr']) {\n      it(`is known in ${land}`, async () => {\n        await expect(cart.tax(land)).resolves.toBe(0);\n      });\n    }\n    it('is 19 % in Germany'",
    ),
    (
        "test/cart.test.ts",
        VITEST,
        "",
        "\ndescribe('more', () => {\n  let cart;\n  const seen = {};\n  cart = new Cart(rates);\n  seen.one = 1;\n  it('x', () => { cart.items = []; expect(total(cart.items)).toBe(0); });\n});\n",
    ),
    (
        "tests/test_cart.py",
        PYTEST,
        "",
        "\n\nclass TestMore:\n    limit = 3\n\n    def test_more(self, cart):\n        cart.limit = self.limit\n        assert cart.limit == 3\n",
    ),
    // jest, mocha
    (
        "test/cart.test.js",
        JEST,
        "",
        "\ntest('adds three', () => {\n  expect(total([1, 2, 3])).toBe(6);\n});\n",
    ),
    (
        "test/cart.test.js",
        JEST,
        "  it('keeps its items'",
        "  context('with a coupon', function () {\n    before(function () {});\n    it('is cheaper', function () { assert.ok(new Cart().total() < 1); });\n  });\n  it('keeps its items'",
    ),
    (
        "test/cart.test.js",
        JEST,
        "const { total, Cart } = require('../cart');",
        "const { total, Cart, discount } = require('../cart');\nconst sinon = require('sinon');",
    ),
    (
        "test/cart.test.js",
        JEST,
        "test('adds', () => {\n  expect(total([1, 2])).toBe(3);\n});",
        "test(\"adds\", () => {\n    expect(total([1, 2])).toBe(3)\n})",
    ),
    (
        "test/cart.test.js",
        JEST,
        "",
        "\ntest.each([[1, 1]])('adds %i', (one, sum) => {\n  const total2 = total([one]);\n  expect(total2).toBe(sum);\n});\n",
    ),
    // node's runner
    (
        "test/node.test.mjs",
        NODE,
        "",
        "\ntest('totals of three', () => {\n  assert.equal(total([1, 2, 3]), 6);\n});\n",
    ),
    (
        "test/node.test.mjs",
        NODE,
        "import test from 'node:test';",
        "import test, { mock } from 'node:test';",
    ),
    // go
    (
        "cart/cart_test.go",
        GO,
        "",
        "\nfunc TestMore(t *testing.T) {\n\tif Total([]int{4}) != 4 {\n\t\tt.Fatal(\"no\")\n\t}\n}\n",
    ),
    (
        "cart/cart_test.go",
        GO,
        "\t\t{\"none\", nil, 0},\n",
        "\t\t{\"none\", nil, 0},\n\t\t{\"three\", []int{1, 1, 1}, 3},\n",
    ),
    (
        "cart/cart_test.go",
        GO,
        "\t\t{\"none\", nil, 0},\n",
        "\t\t{\"three\", []int{1, 1, 1}, 3},\n\t\t{\"none\", nil, 0},\n",
    ),
    (
        "cart/cart_test.go",
        GO,
        "\t\"math\"\n",
        "\t\"fmt\"\n\t\"math\"\n\n\t\"github.com/stretchr/testify/assert\"\n",
    ),
    (
        "cart/cart_test.go",
        GO,
        "\tt.Run(\"one\", func",
        "\tt.Run(\"two\", func(t *testing.T) {\n\t\tt.Log(1)\n\t})\n\tt.Run(\"one\", func",
    ),
    (
        "cart/cart_test.go",
        GO,
        "func newCart() *Cart {",
        "// newCart makes one.\nfunc cheapCart() *Cart { return &Cart{} }\n\nfunc newCart() *Cart {",
    ),
    (
        "cart/cart_test.go",
        GO,
        "\tc := newCart()\n\tc.Add(100)",
        "\tc := newCart() // one\n\n\tc.Add(100)",
    ),
    (
        "cart/cart_test.go",
        GO,
        "func TestTax",
        "var limit = 5\n\nconst most = 7\n\ntype pair struct{ a, b int }\n\nfunc TestTax",
    ),
    // JUnit
    (
        "src/test/java/shop/CartTest.java",
        JUNIT,
        "    @Nested\n",
        "    @Test\n    void more() {\n        assertEquals(6, sum(1, 2, 3));\n    }\n\n    @Nested\n",
    ),
    (
        "src/test/java/shop/CartTest.java",
        JUNIT,
        "import org.junit.jupiter.api.Test;",
        "import org.junit.jupiter.api.Test;\nimport org.junit.jupiter.params.ParameterizedTest;\nimport java.util.*;",
    ),
    (
        "src/test/java/shop/CartTest.java",
        JUNIT,
        "        @Test\n        void isZero",
        "        @Test\n        void hasNoItems() {\n            assertTrue(cart.items().isEmpty());\n        }\n\n        @Test\n        void isZero",
    ),
    (
        "src/test/java/shop/CartTest.java",
        JUNIT,
        "    private int sum(int... prices) {",
        "    private int difference(int a, int b) { return a - b; }\n\n    // Sums.\n    private int sum(int... prices)\n    {",
    ),
    (
        "src/test/java/shop/CartTest.java",
        JUNIT,
        "    @Nested\n",
        "    @Nested\n    class Full {\n        @BeforeEach\n        void fill() { cart.add(1); }\n\n        @Test\n        void isOne() { assertEquals(1, sum(1)); }\n    }\n\n    @Nested\n",
    ),
    // cargo
    (
        "tests/cart.rs",
        CARGO,
        "use shop::{Cart, total};",
        "//! Tests.\n#![allow(dead_code)]\nuse shop::{Cart, total};",
    ),
    (
        "tests/cart.rs",
        CARGO,
        "",
        "\n#[test]\nfn adds_three() {\n    assert_eq!(total(&[1, 2, 3]), 6);\n}\n",
    ),
    (
        "tests/cart.rs",
        CARGO,
        "use shop::{Cart, total};",
        "use std::collections::BTreeMap;\n\nuse shop::Cart;\nuse shop::{discount, total};\nuse proptest::prelude::*;",
    ),
    (
        "tests/cart.rs",
        CARGO,
        "    #[test]\n    fn is_nineteen",
        "    #[test]\n    fn is_none() {\n        assert_eq!(cart().tax(0.0), 0.0);\n    }\n\n    #[test]\n    fn is_nineteen",
    ),
    (
        "tests/cart.rs",
        CARGO,
        "assert_eq!(total(&[1, 2]), 3, \"two prices\");",
        "assert_eq!(\n        total(&[1, 2]),\n        3,\n        \"two prices\",\n    ); // both",
    ),
    (
        "tests/cart.rs",
        CARGO,
        "mod tax {",
        "fn full() -> Cart {\n    let mut cart = cart();\n    cart.add(1);\n    cart\n}\n\n#[derive(Debug)]\nstruct Case(u32);\n\nmod more {\n    #[test]\n    fn one() {\n        assert!(super::full().total() > 0);\n    }\n}\n\nmod tax {",
    ),
    (
        "tests/cart.rs",
        CARGO,
        "",
        "\nproptest! {\n    #[test]\n    fn never_negative(x in 0..9u32) {\n        prop_assert!(total(&[x]) >= x);\n    }\n}\n",
    ),
];

#[test]
fn honest_edits_give_no_finding() {
    let mut refused = String::new();
    for (path, base, from, to) in EDITS {
        let candidate = if from.is_empty() {
            format!("{base}{to}")
        } else {
            edited(base, from, to)
        };
        let findings = compare(path, base, &candidate);
        if !findings.is_empty() {
            refused.push_str(&format!("{path}: `{from}` -> `{to}`\n{}", shown(&findings)));
        }
    }
    assert!(refused.is_empty(), "honest edits refused:\n{refused}");
}

#[test]
fn the_same_file_gives_no_finding() {
    for (path, base) in TEST_FILES {
        assert_eq!(compare(path, base, base), [], "{path}");
        let spaced = format!("\n{base}\n\n");
        assert_eq!(compare(path, base, &spaced), [], "{path}");
    }
}
