//! Small repositories that look like real ones, one for each ecosystem.

use super::Memory;

pub fn npm() -> Memory {
    Memory::of(&[
        (
            "package.json",
            r#"{
  "name": "shop",
  "version": "1.0.0",
  "main": "src/cart.js",
  "scripts": {
    "test": "jest --ci",
    "lint": "eslint src"
  },
  "dependencies": {
    "lodash": "^4.17.21"
  },
  "devDependencies": {
    "jest": "^29.0.0",
    "left-pad": "1.3.0"
  },
  "jest": {
    "coverageThreshold": {"global": {"branches": 80}}
  }
}
"#,
        ),
        (
            "package-lock.json",
            "{\n  \"lockfileVersion\": 3,\n  \"packages\": {\n    \"node_modules/jest\": {\"version\": \"29.0.0\"},\n    \"node_modules/jest-circus\": {\"version\": \"29.0.0\"}\n  }\n}\n",
        ),
        (
            "jest.config.js",
            "module.exports = {\n  testEnvironment: 'node',\n  moduleDirectories: ['node_modules', 'src'],\n  setupFiles: ['<rootDir>/config/setup'], reporters: ['./lib/my-reporter.js'], collectCoverageFrom: ['src/money.js'],\n};\n",
        ),
        ("config/setup.js", "global.x = 1;\n"),
        ("lib/my-reporter.js", "exports.x = 1;\n"),
        ("src/__image_snapshots__/a.png", "a"),
        (".eslintrc.json", "{\"root\": true}\n"),
        (".nycrc", "{\"check-coverage\": true, \"lines\": 90}\n"),
        (".gitignore", "node_modules/\ncoverage/\n"),
        (
            ".github/workflows/ci.yml",
            "on: push\njobs:\n  test:\n    steps:\n      - run: npm test\n",
        ),
        (
            "ci/check.sh",
            "#!/bin/sh\nset -e\nnode tools/compare.js out.txt expected/out.txt\n",
        ),
        (
            "tools/compare.js",
            "const fs = require('fs');\nprocess.exit(1);\n",
        ),
        ("expected/out.txt", "total 3\n"),
        (
            "src/cart.js",
            "const { round } = require('./money');\nfunction total(items) {\n  return items.reduce((a, b) => a + b, 0);\n}\nmodule.exports = { total, round };\n",
        ),
        ("src/money.js", "exports.round = (x) => Math.round(x);\n"),
        (
            "src/cart.test.js",
            "const { total } = require('./cart');\nconst { order } = require('../test/helpers');\n\ndescribe('cart', () => {\n  it('adds', () => {\n    expect(total([1, 2])).toBe(3);\n  });\n\n  it('is empty', () => {\n    expect(total([])).toBe(0);\n    expect(order()).toEqual([1]);\n  });\n});\n",
        ),
        ("test/helpers.js", "exports.order = () => [1];\n"),
        (
            "test/fixtures/orders.json",
            "[\n  {\"id\": 1},\n  {\"id\": 2}\n]\n",
        ),
        (
            "test/view.test.js",
            "test('view', () => {\n  expect(require('../src/cart').total([1])).toMatchSnapshot();\n});\n",
        ),
        (
            "test/__snapshots__/view.test.js.snap",
            "// Jest Snapshot v1\n\nexports[`view 1`] = `1`;\n",
        ),
        ("README.md", "# Shop\n"),
    ])
}

pub fn python() -> Memory {
    Memory::of(&[
        (
            "pyproject.toml",
            "[project]\nname = \"shop\"\nversion = \"1.0\"\ndependencies = [\"requests>=2\"]\n\n[project.optional-dependencies]\ndev = [\"pytest\", \"coverage\"]\n\n[build-system]\nrequires = [\"setuptools\"]\n\n[tool.pytest.ini_options]\naddopts = \"-ra\"\ntestpaths = [\"tests\"]\n\n[tool.coverage.report]\nfail_under = 90\n",
        ),
        (
            "setup.cfg",
            "[metadata]\nname = shop\nversion = 1.0\n\n[options]\ninstall_requires =\n    requests\n\n[tool:pytest]\naddopts = -q\n\n[coverage:run]\nbranch = True\n",
        ),
        (
            "tox.ini",
            "[tox]\nenvlist = py312\n\n[testenv]\ncommands = pytest\n",
        ),
        ("requirements.txt", "requests==2.31\npyyaml==6.0\n"),
        (".coveragerc", "[run]\nbranch = True\nsource = cart\n"),
        (".gitignore", "__pycache__/\n"),
        ("src/cart/__init__.py", "from .total import total\n"),
        (
            "src/cart/total.py",
            "def total(items):\n    \"\"\"The sum.\n\n    >>> total([1, 2])\n    3\n    \"\"\"\n    return sum(items)\n",
        ),
        (
            "src/test_utils.py",
            "def make_item(price):\n    return price\n",
        ),
        (
            "tests/conftest.py",
            "import pytest\n\n\n@pytest.fixture\ndef items():\n    return [1, 2]\n",
        ),
        ("tests/helpers.py", "def expected():\n    return 3\n"),
        (
            "tests/test_total.py",
            "import unittest\n\nfrom cart import total\nfrom helpers import expected\n\n\ndef test_total(items):\n    assert total(items) == expected()\n\n\nclass TestEmpty(unittest.TestCase):\n    def test_zero(self):\n        self.assertEqual(total([]), 0)\n",
        ),
        ("tests/data/orders.json", "[1,\n2]\n"),
        ("setup.py", "from setuptools import setup; setup()\n"),
        ("scripts/check.py", "import sys\nsys.exit(1)\n"),
        (
            "Makefile",
            "PYTEST = python -m pytest\n\n.PHONY: test\ntest:\n\t$(PYTEST)\n\ncheck: test\n\tpython scripts/check.py\n",
        ),
    ])
}

pub fn rust() -> Memory {
    Memory::of(&[
        (
            "Cargo.toml",
            "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[features]\nfast = []\n\n[dependencies]\nserde = \"1\"\n\n[dev-dependencies]\nproptest = \"1\"\n\n[[bin]]\nname = \"shop\"\npath = \"src/main.rs\"\n\n[profile.test]\noverflow-checks = true\n",
        ),
        (
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"proptest\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"rand\"\nversion = \"0.9.0\"\nsource = \"registry\"\n\n[[package]]\nname = \"serde\"\nversion = \"1.0.0\"\nsource = \"registry\"\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\n",
        ),
        ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.90\"\n"),
        (".config/nextest.toml", "[profile.default]\nretries = 0\n"),
        (
            "src/main.rs",
            "fn main() {\n    println!(\"{}\", shop::total(&[1]));\n}\n",
        ),
        (
            "src/lib.rs",
            "//! A shop.\n\npub mod parse;\n\n/// The sum.\n///\n/// ```\n/// assert_eq!(shop::total(&[1, 2]), 3);\n/// ```\npub fn total(items: &[u32]) -> u32 {\n    items.iter().sum()\n}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn adds() {\n        assert_eq!(total(&[1, 2]), 3);\n    }\n}\n",
        ),
        (
            "src/parse.rs",
            "pub fn parse(text: &str) -> Option<u32> {\n    text.parse().ok()\n}\n\n#[cfg(test)]\nmod tests;\n",
        ),
        (
            "src/parse/tests.rs",
            "use super::parse;\n\n#[test]\nfn reads() {\n    assert_eq!(parse(\"4\"), Some(4));\n}\n",
        ),
        ("src/testing/mod.rs", "pub fn item() -> u32 {\n    1\n}\n"),
        (
            "tests/cli.rs",
            "mod common;\n\n#[test]\nfn prints() {\n    assert_eq!(common::expected(), shop::total(&[3]));\n}\n",
        ),
        (
            "tests/common/mod.rs",
            "pub fn expected() -> u32 {\n    3\n}\n",
        ),
        (
            "tests/snapshots/cli__prints.snap",
            "---\nsource: tests/cli.rs\nexpression: out\n---\n3\n",
        ),
    ])
}

pub fn go() -> Memory {
    Memory::of(&[
        (
            "go.mod",
            "module example.com/shop\n\ngo 1.24\n\nrequire github.com/stretchr/testify v1.9.0\n",
        ),
        ("go.sum", "github.com/stretchr/testify v1.9.0 h1:abc=\n"),
        (
            "cart/cart.go",
            "package cart\n\nfunc Total(items []int) int {\n\tsum := 0\n\tfor _, i := range items {\n\t\tsum += i\n\t}\n\treturn sum\n}\n",
        ),
        (
            "cart/cart_test.go",
            "package cart\n\nimport \"testing\"\n\nfunc TestTotal(t *testing.T) {\n\tif Total([]int{1, 2}) != 3 {\n\t\tt.Fatal(\"wrong\")\n\t}\n}\n",
        ),
        ("cart/testdata/orders.golden", "1\n2\n"),
    ])
}

pub fn java() -> Memory {
    Memory::of(&[
        (
            "pom.xml",
            "<project>\n  <modelVersion>4.0.0</modelVersion>\n  <version>1.0</version>\n  <dependencies>\n    <dependency><groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId><version>5.10.0</version></dependency>\n  </dependencies>\n  <build>\n    <plugins>\n      <plugin>\n        <artifactId>maven-surefire-plugin</artifactId>\n      </plugin>\n    </plugins>\n  </build>\n</project>\n",
        ),
        (
            "service/build.gradle",
            "plugins { id 'java' }\ntest { useJUnitPlatform() }\n",
        ),
        (
            "src/main/java/shop/Cart.java",
            "package shop;\n\npublic class Cart {\n    public int total(int a, int b) {\n        return a + b;\n    }\n}\n",
        ),
        (
            "src/test/java/shop/CartTest.java",
            "package shop;\n\nimport static org.junit.jupiter.api.Assertions.assertEquals;\n\nimport org.junit.jupiter.api.Test;\n\nclass CartTest {\n    @Test\n    void adds() {\n        assertEquals(3, new Cart().total(1, 2));\n    }\n}\n",
        ),
        ("src/test/resources/orders.json", "[1]\n"),
    ])
}
