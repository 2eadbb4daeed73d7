//! Honest work, which a gate must let through: no offence, the candidate itself as the laid tree, and a strict tree that
//! holds the candidate's implementation and nothing of its tests.

mod common;

use common::worlds::{go, java, npm, python, rust};
use common::{
    Edit, Memory, append, chmod, del, edited, examined, full, lines, link, mv, patched, patches,
    put, sub,
};

struct Honest {
    what: &'static str,
    front: &'static str,
    edits: Vec<Edit>,
    /// The strict tree against the candidate: `-` taken out, `<` the base's again, `~` edited.
    strict: &'static [&'static str],
    /// Notes, all of them.
    notes: &'static [&'static str],
}

fn honest(what: &'static str, edits: Vec<Edit>, strict: &'static [&'static str]) -> Honest {
    under(what, "", edits, strict)
}

fn under(
    what: &'static str,
    front: &'static str,
    edits: Vec<Edit>,
    strict: &'static [&'static str],
) -> Honest {
    Honest {
        what,
        front,
        edits,
        strict,
        notes: &[],
    }
}

impl Honest {
    fn noted(mut self, notes: &'static [&'static str]) -> Self {
        self.notes = notes;
        self
    }
}

fn let_through(base: Memory, all: Vec<Honest>) {
    let mut wrong = String::new();
    for honest in all {
        let candidate = edited(&base, &honest.edits);
        let examined = examined(honest.front, &base, &candidate);
        if !examined.offences.is_empty() || !examined.laid.is_empty() {
            wrong += &format!(
                "{}\n  is refused\n{}",
                honest.what,
                full(&examined.offences)
            );
        }
        let strict = patches(&examined.strict, &base);
        if strict != honest.strict {
            wrong += &format!(
                "{}\n  strict {strict:?}\n  wanted {:?}\n",
                honest.what, honest.strict
            );
        }
        let notes = lines(&examined.notes);
        if notes != honest.notes {
            wrong += &format!(
                "{}\n  notes\n{}  wanted {:?}\n",
                honest.what,
                full(&examined.notes),
                honest.notes
            );
        }
        let strict = patched(&base, &candidate, &examined.strict);
        let again = common::examined(honest.front, &base, &strict);
        if !again.strict.is_empty() {
            wrong += &format!(
                "{}\n  the strict tree is not its own: {:?}\n",
                honest.what,
                patches(&again.strict, &base)
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

const JS_TEST: &str = "const { total } = require('../src/cart');\n\ntest('three', () => {\n  expect(total([1, 1, 1])).toBe(3);\n});\n";
const PY_TEST: &str =
    "from cart import total\n\n\ndef test_three():\n    assert total([1, 1, 1]) == 3\n";

#[test]
fn honest_npm() {
    let_through(npm(), vec![
        honest("what coverage measures", vec![append("src/money.js", "exports.floor = (x) => Math.floor(x);\n")], &[]),
        honest("nothing", vec![], &[]),
        honest("implementation", vec![sub("src/cart.js", "(a, b) => a + b", "(sum, item) => sum + item")], &[]),
        honest("a new module", vec![put("src/latest.js", "exports.latest = () => 1;\n"), put("src/contest.js", "exports.x = 1;\n")], &[]),
        honest("a module whose name ends like a test's", vec![put("src/speed-test.js", "exports.speed = () => 1;\n")], &[]),
        honest("a page of tests of another kind", vec![put("src/pages/tests/index.js", "exports.page = () => 1;\n"), put("src/test/data.json", "{}")], &[]),
        honest("a new test file", vec![put("test/three.test.js", JS_TEST)], &["-test/three.test.js"]),
        honest("a new test file beside its subject", vec![put("src/money.test.js", "const { round } = require('./money');\ntest('rounds', () => {\n  expect(round(1.2)).toBe(1);\n});\n")], &["-src/money.test.js"]),
        honest("a new test of an old name in another language", vec![put("src/cart.test.ts", "import { total } from './cart';\ntest('four', () => {\n  expect(total([4])).toBe(4);\n});\n")], &["-src/cart.test.ts"]),
        honest("a new test in an old file", vec![sub("src/cart.test.js", "  it('is empty'", "  it('takes one', () => {\n    expect(total([1])).toBe(1);\n  });\n\n  it('is empty'")], &["<src/cart.test.js"]),
        honest("a new helper and fixture", vec![put("test/more.js", "exports.more = [1];\n"), put("test/fixtures/more.json", "[]\n"), put("test/three.test.js", JS_TEST)], &["-test/fixtures/more.json", "-test/more.js", "-test/three.test.js"]),
        honest("a new snapshot", vec![append("test/__snapshots__/view.test.js.snap", "\nexports[`view 2`] = `2`;\n")], &["<test/__snapshots__/view.test.js.snap"]),
        honest("a dependency with its lockfile", vec![sub("package.json", "\"lodash\": \"^4.17.21\"", "\"lodash\": \"^4.17.21\",\n    \"zod\": \"^3.0.0\""), sub("package-lock.json", "\"packages\": {", "\"packages\": {\n    \"node_modules/zod\": {\"version\": \"3.0.0\"},")], &[]),
        honest("a version", vec![sub("package.json", "\"1.0.0\"", "\"1.1.0\""), sub("package-lock.json", "3,", "3,\n  \"version\": \"1.1.0\",")], &[]),
        honest("a new script", vec![sub("package.json", "\"lint\":", "\"build\": \"node build.js\",\n    \"lint\":"), put("build.js", "console.log(1);\n")], &[]),
        honest("a program of the package", vec![sub("package.json", "\"main\":", "\"bin\": {\"shop\": \"src/cli.js\"},\n  \"exports\": \"./src/cart.js\",\n  \"main\":")], &[]),
        honest("a manifest in another format", vec![put("package.json", &r#"{"jest":{"coverageThreshold":{"global":{"branches":80}}},"name":"shop","version":"1.0.0","main":"src/cart.js","scripts":{"lint":"eslint src","test":"jest --ci"},"dependencies":{"lodash":"^4.17.21"},"devDependencies":{"jest":"^29.0.0","left-pad":"1.3.0"}}"#.replace(",\"", ",\n\"")) ], &[]),
        honest("a new package with what configures it", vec![put("packages/new/package.json", "{\"name\": \"@shop/new\", \"type\": \"module\"}"), put("packages/new/jest.config.js", "module.exports = {};\n"), put("packages/new/src/a.js", "export const a = 1;\n"), put("packages/new/src/a.test.js", "import { a } from './a.js';\ntest('a', () => {\n  expect(a).toBe(1);\n});\n")], &["-packages/new/jest.config.js", "-packages/new/src/a.test.js"]),
        honest("an ignore file that hides nothing", vec![append(".gitignore", "*.log\ndist/\n")], &[]),
        honest("documentation", vec![append("README.md", "More.\n"), put("docs/testing.md", "Use `/* istanbul ignore next */` never.\n")], &[]),
        under("the file of a check", "done: [{file: README.md, contains: Done}, {run: grep -q Done README.md}]", vec![append("README.md", "Done\n")], &[]),
        under("the program that a check starts", "done: [node src/cart.js]", vec![append("src/cart.js", "console.log(1);\n")], &[]),
        under("a script that a check wants to be written", "done: [./scripts/report.sh]", vec![put("scripts/report.sh", "#!/bin/sh\necho 1\n")], &[]),
        honest("a new executable", vec![put("bin/run", "#!/bin/sh\n"), chmod("bin/run")], &[]),
        honest("a link in the implementation", vec![link("src/latest.js", "cart.js")], &[]),
        honest("a link among fixtures", vec![link("test/fixtures/same.json", "orders.json")], &["-test/fixtures/same.json"]),
        honest("a licensed name in another case is no oracle", vec![put("src/Package.json", "{}")], &[]),
        under("a licensed fix of a flaky test", "use: {paths: [src/cart.test.js]}", vec![sub("src/cart.test.js", "toBe(3)", "toEqual(3)")], &[]),
        under("licensed tests", "use: {oracle: [\"src/**/*.test.js\"]}", vec![sub("src/cart.test.js", "  it('adds', () => {\n    expect(total([1, 2])).toBe(3);\n  });\n\n", "")], &[]).noted(&["src/cart.test.js:5 TestDeleted"]),
        under("licensed tests with a new helper", "use: {paths: [src/cart.test.js, test/extra.js]}", vec![sub("src/cart.test.js", "require('../test/helpers')", "require('../test/extra')"), put("test/extra.js", "exports.order = () => [1];\n")], &[]),
        under("tests move where they are licensed", "use: {oracle: [\"**/*.test.js\"]}", vec![mv("src/cart.test.js", "src/basket.test.js"), mv("src/cart.js", "src/basket.js"), sub("src/basket.test.js", "./cart", "./basket")], &[]),
        under("a licensed script", "use: {oracle: [package.json]}", vec![sub("package.json", "jest --ci", "jest --ci --silent")], &[]).noted(&["package.json:6 ManifestKey"]),
        under("a licensed configuration", "use: {paths: [jest.config.js]}", vec![sub("jest.config.js", "'node'", "'jsdom'")], &[]).noted(&["jest.config.js:2 OracleChanged"]),
        under("a licensed workflow", "use: {paths: [.github/workflows/release.yml]}", vec![put(".github/workflows/release.yml", "on: push\n")], &[]).noted(&[".github/workflows/release.yml OracleChanged"]),
        honest("a new test that asserts nothing", vec![put("test/three.test.js", "test('nothing', () => {\n  require('../src/cart');\n});\n")], &["-test/three.test.js"]).noted(&["test/three.test.js:1 AssertsNothing"]),
    ]);
}

#[test]
fn honest_python() {
    let_through(
        python(),
        vec![
            honest(
                "the package's own program",
                vec![sub("setup.py", "setup()", "setup(version='2')")],
                &[],
            ),
            honest(
                "implementation",
                vec![sub(
                    "src/cart/total.py",
                    "return sum(items)",
                    "result = 0\n    for item in items:\n        result += item\n    return result",
                )],
                &[],
            ),
            honest(
                "a module named like a test that holds none",
                vec![
                    append("src/test_utils.py", "\n\ndef make_two():\n    return 2\n"),
                    put("src/contest.py", "x = 1\n"),
                    put("src/cart/testing.py", "x = 1\n"),
                    put("src/cart/latest.py", "x = 1\n"),
                ],
                &[],
            ),
            honest(
                "a module with a standard name inside a package",
                vec![
                    put("src/cart/types.py", "x = 1\n"),
                    put("src/cart/json/__init__.py", ""),
                ],
                &[],
            ),
            honest(
                "a new test file",
                vec![put("tests/test_three.py", PY_TEST)],
                &["-tests/test_three.py"],
            ),
            honest(
                "a new test file in a new folder with its conftest",
                vec![
                    put(
                        "tests/new/conftest.py",
                        "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef one():\n    return 1\n",
                    ),
                    put("tests/new/test_three.py", PY_TEST),
                ],
                &["-tests/new/conftest.py", "-tests/new/test_three.py"],
            ),
            honest(
                "a new test in an old file",
                vec![append(
                    "tests/test_total.py",
                    "\n\ndef test_three():\n    assert total([1, 1, 1]) == 3\n",
                )],
                &["<tests/test_total.py"],
            ),
            honest(
                "a new test in an old class, with an import",
                vec![
                    sub(
                        "tests/test_total.py",
                        "import unittest\n",
                        "import math\nimport unittest\n",
                    ),
                    sub(
                        "tests/test_total.py",
                        "    def test_zero(self):",
                        "    def test_pi(self):\n        self.assertEqual(total([math.pi]), math.pi)\n\n    def test_zero(self):",
                    ),
                ],
                &["<tests/test_total.py"],
            ),
            honest(
                "new test data",
                vec![put("tests/data/more.json", "[]\n")],
                &["-tests/data/more.json"],
            ),
            honest(
                "a module that the tests wait for",
                vec![put(
                    "src/cart/discount.py",
                    "def discount(x):\n    return x\n",
                )],
                &[],
            ),
            honest(
                "a module becomes a package",
                vec![mv("src/test_utils.py", "src/test_utils/__init__.py")],
                &[],
            ),
            honest(
                "a dependency",
                vec![
                    sub(
                        "pyproject.toml",
                        "\"requests>=2\"",
                        "\"requests>=2\", \"rich\"",
                    ),
                    append("requirements.txt", "rich==13\n"),
                    sub("setup.cfg", "    requests\n", "    requests\n    rich\n"),
                    put("uv.lock", "version = 1\n"),
                ],
                &[],
            ),
            honest(
                "a group of dependencies",
                vec![append(
                    "pyproject.toml",
                    "\n[dependency-groups]\ndocs = [\"mkdocs\"]\n",
                )],
                &[],
            ),
            honest(
                "a program",
                vec![append(
                    "pyproject.toml",
                    "\n[project.scripts]\nshop = \"cart:main\"\n",
                )],
                &[],
            ),
            honest(
                "a new doctest",
                vec![append(
                    "src/cart/total.py",
                    "\n\ndef one():\n    \"\"\"One.\n\n    >>> one()\n    1\n    \"\"\"\n    return 1\n",
                )],
                &["~src/cart/total.py"],
            ),
            honest(
                "a make target",
                vec![append("Makefile", "\ndocs:\n\tmkdocs build\n")],
                &[],
            ),
            honest("caches go", vec![put("src/cart/new.py", "x = 1\n")], &[]),
            honest(
                "a file whose name is no UTF-8",
                vec![
                    put("\"src/caf\\351.txt\"", "x\n"),
                    put("\"tests/caf\\351.txt\"", "x\n"),
                ],
                &["-\"tests/caf\\351.txt\""],
            ),
            under(
                "a flaky test is fixed",
                "use: {paths: [tests/test_total.py]}",
                vec![sub(
                    "tests/test_total.py",
                    "total(items) == expected()",
                    "expected() == total(items)",
                )],
                &[],
            ),
            under(
                "licensed tests become a package",
                "use: {oracle: [\"tests/**\"]}",
                vec![put("tests/__init__.py", "")],
                &[],
            ),
        ],
    );
}

#[test]
fn honest_rust() {
    let_through(
        rust(),
        vec![
            honest(
                "a lockfile that only follows the package's own version",
                vec![sub(
                    "Cargo.lock",
                    "name = \"shop\"\nversion = \"0.1.0\"",
                    "name = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\"serde\"]",
                )],
                &[],
            ),
            honest(
                "implementation",
                vec![sub(
                    "src/lib.rs",
                    "items.iter().sum()",
                    "items.iter().copied().sum()",
                )],
                &[],
            ),
            honest(
                "support for tests of others",
                vec![append(
                    "src/testing/mod.rs",
                    "pub fn two() -> u32 {\n    2\n}\n",
                )],
                &[],
            ),
            honest(
                "a new integration test",
                vec![put(
                    "tests/more.rs",
                    "#[test]\nfn more() {\n    assert_eq!(shop::total(&[4]), 4);\n}\n",
                )],
                &["-tests/more.rs"],
            ),
            honest(
                "a new inline test",
                vec![sub(
                    "src/lib.rs",
                    "    #[test]\n    fn adds",
                    "    #[test]\n    fn none() {\n        assert_eq!(total(&[]), 0);\n    }\n\n    #[test]\n    fn adds",
                )],
                &["~src/lib.rs"],
            ),
            honest(
                "a new file of inline tests",
                vec![
                    append("src/main.rs", "\n#[cfg(test)]\nmod tests;\n"),
                    put(
                        "src/tests.rs",
                        "#[test]\nfn one() {\n    assert_eq!(shop::total(&[1]), 1);\n}\n",
                    ),
                ],
                &["~src/main.rs", "-src/tests.rs"],
            ),
            honest(
                "a new module with tests",
                vec![
                    sub(
                        "src/lib.rs",
                        "pub mod parse;\n",
                        "pub mod parse;\npub mod print;\n",
                    ),
                    put(
                        "src/print.rs",
                        "pub fn print() -> u32 {\n    1\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn one() {\n        assert_eq!(super::print(), 1);\n    }\n}\n",
                    ),
                ],
                &["~src/print.rs"],
            ),
            honest(
                "a dependency with its lockfile",
                vec![
                    sub(
                        "Cargo.toml",
                        "serde = \"1\"",
                        "serde = { version = \"1\", features = [\"derive\"] }\ntoml = \"1\"",
                    ),
                    append(
                        "Cargo.lock",
                        "\n[[package]]\nname = \"toml\"\nversion = \"1.0.0\"\n",
                    ),
                ],
                &[],
            ),
            honest(
                "a feature, a program and a benchmark",
                vec![
                    sub("Cargo.toml", "fast = []", "fast = []\nslow = []"),
                    sub(
                        "Cargo.toml",
                        "[profile.test]",
                        "[[bin]]\nname = \"more\"\npath = \"src/more.rs\"\n\n[[bench]]\nname = \"speed\"\nharness = false\n\n[profile.test]",
                    ),
                    put("src/more.rs", "fn main() {}\n"),
                ],
                &[],
            ),
            honest(
                "a new crate",
                vec![
                    put("crates/new/Cargo.toml", "[package]\nname = \"new\"\n"),
                    put("crates/new/src/lib.rs", "pub fn x() {}\n"),
                    sub(
                        "Cargo.toml",
                        "serde = \"1\"",
                        "serde = \"1\"\nnew = { path = \"crates/new\" }",
                    ),
                ],
                &[],
            ),
            honest(
                "a snapshot's header",
                vec![sub(
                    "tests/snapshots/cli__prints.snap",
                    "expression: out",
                    "expression: output",
                )],
                &["<tests/snapshots/cli__prints.snap"],
            ),
            honest(
                "the tests are formatted",
                vec![sub(
                    "src/parse/tests.rs",
                    "    assert_eq!(parse(\"4\"), Some(4));",
                    "    assert_eq!(\n        parse(\"4\"),\n        Some(4),\n    );",
                )],
                &["<src/parse/tests.rs"],
            ),
            under(
                "a module moves with its tests",
                "use: {oracle: [\"src/**\"]}",
                vec![
                    mv("src/parse.rs", "src/read.rs"),
                    mv("src/parse/tests.rs", "src/read/tests.rs"),
                    sub("src/lib.rs", "pub mod parse", "pub mod read"),
                ],
                &[],
            ),
        ],
    );
}

#[test]
fn honest_go() {
    let_through(
        go(),
        vec![
            honest(
                "implementation",
                vec![sub("cart/cart.go", "sum := 0", "var sum int")],
                &[],
            ),
            honest(
                "a new test",
                vec![append(
                    "cart/cart_test.go",
                    "\nfunc TestNone(t *testing.T) {\n\tif Total(nil) != 0 {\n\t\tt.Fatal(\"wrong\")\n\t}\n}\n",
                )],
                &["<cart/cart_test.go"],
            ),
            honest(
                "a new test file with its golden file",
                vec![
                    put(
                        "cart/more_test.go",
                        "package cart\n\nimport \"testing\"\n\nfunc TestMore(t *testing.T) {\n\tif Total([]int{4}) != 4 {\n\t\tt.Fatal(\"wrong\")\n\t}\n}\n",
                    ),
                    put("cart/testdata/more.golden", "4\n"),
                ],
                &["-cart/more_test.go", "-cart/testdata/more.golden"],
            ),
            honest(
                "a main for the tests of a new package",
                vec![
                    put("list/list.go", "package list\n"),
                    put(
                        "list/list_test.go",
                        "package list\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestMain(m *testing.M) {\n\tos.Exit(m.Run())\n}\n",
                    ),
                ],
                &["-list/list_test.go"],
            ),
            honest(
                "a dependency with its sums",
                vec![
                    sub(
                        "go.mod",
                        "require github.com/stretchr/testify v1.9.0",
                        "require (\n\tgithub.com/stretchr/testify v1.9.0\n\tgolang.org/x/text v0.20.0 // indirect\n)",
                    ),
                    append("go.sum", "golang.org/x/text v0.20.0 h1:x=\n"),
                ],
                &[],
            ),
        ],
    );
}

#[test]
fn honest_java() {
    let_through(
        java(),
        vec![
            honest(
                "implementation",
                vec![sub("src/main/java/shop/Cart.java", "a + b", "b + a")],
                &[],
            ),
            honest(
                "a new test in an old class",
                vec![sub(
                    "src/test/java/shop/CartTest.java",
                    "    @Test\n    void adds",
                    "    @Test\n    void addsMore() {\n        assertEquals(4, new Cart().total(2, 2));\n    }\n\n    @Test\n    void adds",
                )],
                &["<src/test/java/shop/CartTest.java"],
            ),
            honest(
                "a new test class",
                vec![put(
                    "src/test/java/shop/MoreTest.java",
                    "package shop;\n\nimport static org.junit.jupiter.api.Assertions.assertEquals;\n\nimport org.junit.jupiter.api.Test;\n\nclass MoreTest {\n    @Test\n    void adds() {\n        assertEquals(4, new Cart().total(2, 2));\n    }\n}\n",
                )],
                &["-src/test/java/shop/MoreTest.java"],
            ),
            honest(
                "a dependency and a version",
                vec![
                    sub(
                        "pom.xml",
                        "<dependencies>\n",
                        "<dependencies>\n    <dependency><groupId>a</groupId><artifactId>b</artifactId><version>1</version></dependency>\n",
                    ),
                    sub(
                        "pom.xml",
                        "<version>1.0</version>",
                        "<version>1.1</version>",
                    ),
                ],
                &[],
            ),
            honest(
                "a comment and white space",
                vec![sub(
                    "pom.xml",
                    "  <build>",
                    "  <!-- how it is built -->\n\n  <build>",
                )],
                &[],
            ),
        ],
    );
}

#[test]
fn a_repository_without_tests_may_get_its_first_ones() {
    let base = Memory::of(&[
        ("src/a.py", "def a():\n    return 1\n"),
        ("README.md", "# A\n"),
    ]);
    let_through(
        base,
        vec![
            honest(
                "tests, their manifest and their lockfile",
                vec![
                    put(
                        "tests/test_a.py",
                        "from a import a\n\n\ndef test_a():\n    assert a() == 1\n",
                    ),
                    put(
                        "pyproject.toml",
                        "[project]\nname = \"a\"\ndependencies = []\n\n[build-system]\nrequires = [\"setuptools\"]\n",
                    ),
                    put("uv.lock", "version = 1\n"),
                    put("Makefile", "test:\n\tpytest\n"),
                ],
                &["-tests/test_a.py"],
            ),
            honest(
                "a first crate",
                vec![
                    put(
                        "Cargo.toml",
                        "[package]\nname = \"a\"\n\n[profile.release]\nlto = true\n",
                    ),
                    put("src/lib.rs", "pub fn a() {}\n"),
                ],
                &[],
            ),
            honest("a file goes", vec![del("src/a.py")], &[]),
        ],
    );
}
