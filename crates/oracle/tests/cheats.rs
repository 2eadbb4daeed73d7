//! Every way around the checks that we could think of: each must be an offence with its place and kind, and the laid
//! tree must be rid of it wherever the change can be taken back.

mod common;

use common::worlds::{go, java, npm, python, rust};
use common::{
    Edit, Memory, append, chmod, del, edited, examined, full, lines, link, mv, patched, put, sub,
    submodule,
};

struct Cheat {
    what: &'static str,
    front: &'static str,
    edits: Vec<Edit>,
    /// Findings that must be among the offences.
    found: &'static [&'static str],
}

fn cheat(what: &'static str, edits: Vec<Edit>, found: &'static [&'static str]) -> Cheat {
    under(what, "", edits, found)
}

fn under(
    what: &'static str,
    front: &'static str,
    edits: Vec<Edit>,
    found: &'static [&'static str],
) -> Cheat {
    Cheat {
        what,
        front,
        edits,
        found,
    }
}

/// Runs a table and says everything that is wrong with it at once.
fn caught(base: Memory, cheats: Vec<Cheat>) {
    let mut wrong = String::new();
    for cheat in cheats {
        let candidate = edited(&base, &cheat.edits);
        let examined = examined(cheat.front, &base, &candidate);
        let said = lines(&examined.offences);
        let missing: Vec<&&str> = cheat
            .found
            .iter()
            .filter(|wanted| !said.iter().any(|line| line == **wanted))
            .collect();
        if !missing.is_empty() || cheat.found.is_empty() {
            wrong += &format!(
                "{}\n  wanted {missing:?}\n  found\n{}",
                cheat.what,
                full(&examined.offences)
            );
        }
        // What was taken back is no offence any more: the laid tree is clean of everything but the implementation's own.
        let laid = patched(&base, &candidate, &examined.laid);
        let again = common::examined(cheat.front, &base, &laid);
        let left: Vec<_> = again
            .offences
            .into_iter()
            .filter(|f| {
                !matches!(
                    f.kind,
                    overnight_core::finding::FindingKind::TampersWithTests
                        | overnight_core::finding::FindingKind::CoverageExcluded
                )
            })
            .collect();
        if !left.is_empty() {
            wrong += &format!("{}\n  the laid tree still has\n{}", cheat.what, full(&left));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn npm_cheats() {
    caught(
        npm(),
        vec![
            cheat(
                "what the runner loads first",
                vec![append(
                    "config/setup.js",
                    "global.expect = () => ({toBe() {}});\n",
                )],
                &["config/setup.js:2 OracleChanged"],
            ),
            cheat(
                "what the runner reports with",
                vec![sub(
                    "lib/my-reporter.js",
                    "exports",
                    "process.exit(0); exports",
                )],
                &["lib/my-reporter.js:1 OracleChanged"],
            ),
            cheat(
                "a picture that tests compare with",
                vec![put("src/__image_snapshots__/a.png", "b")],
                &["src/__image_snapshots__/a.png:1 OracleChanged"],
            ),
            cheat(
                "the test script does nothing",
                vec![sub("package.json", "jest --ci", "true")],
                &["package.json:6 ManifestKey"],
            ),
            cheat(
                "a hook runs before the tests",
                vec![sub(
                    "package.json",
                    "\"lint\":",
                    "\"pretest\": \"node patch.js\",\n    \"lint\":",
                )],
                &["package.json:7 ManifestKey"],
            ),
            cheat(
                "npm runs it on its own",
                vec![sub(
                    "package.json",
                    "\"lint\":",
                    "\"postinstall\": \"node patch.js\",\n    \"lint\":",
                )],
                &["package.json:7 ManifestKey"],
            ),
            cheat(
                "the threshold goes down",
                vec![sub("package.json", "80", "10")],
                &["package.json:17 ManifestKey"],
            ),
            cheat(
                "jest's section goes away",
                vec![sub(
                    "package.json",
                    ",\n  \"jest\": {\n    \"coverageThreshold\": {\"global\": {\"branches\": 80}}\n  }",
                    "",
                )],
                &["package.json:16 ManifestKey"],
            ),
            cheat(
                "another module format",
                vec![sub(
                    "package.json",
                    "\"main\":",
                    "\"type\": \"module\",\n  \"main\":",
                )],
                &["package.json:4 ManifestKey"],
            ),
            cheat(
                "imports are redirected",
                vec![sub(
                    "package.json",
                    "\"main\":",
                    "\"imports\": {\"#x\": \"./src/fake.js\"},\n  \"main\":",
                )],
                &["package.json:4 ManifestKey"],
            ),
            cheat(
                "a runner is overridden",
                vec![sub(
                    "package.json",
                    "\"main\":",
                    "\"overrides\": {\"jest\": \"file:./fake\"},\n  \"main\":",
                )],
                &["package.json:4 ManifestKey"],
            ),
            cheat(
                "the runner comes from the repository",
                vec![sub(
                    "package.json",
                    "\"jest\": \"^29.0.0\"",
                    "\"jest\": \"file:./fake-jest\"",
                )],
                &["package.json:13 ManifestKey"],
            ),
            cheat(
                "the runner is another package",
                vec![sub(
                    "package.json",
                    "\"jest\": \"^29.0.0\"",
                    "\"jest\": \"npm:fake-jest@1\"",
                )],
                &["package.json:13 ManifestKey"],
            ),
            cheat(
                "a part of the runner comes from the repository",
                vec![sub(
                    "package.json",
                    "\"jest\": \"^29.0.0\"",
                    "\"jest\": \"^29.0.0\",\n    \"jest-circus\": \"file:./fake\"",
                )],
                &["package.json:14 ManifestKey"],
            ),
            under(
                "npx finds the package's own program",
                "done: [{tests: npx jest --ci}]",
                vec![sub(
                    "package.json",
                    "\"main\":",
                    "\"bin\": {\"jest\": \"./fake.js\"},\n  \"main\":",
                )],
                &["package.json:4 ManifestKey"],
            ),
            cheat(
                "a manifest that nobody can read",
                vec![put("package.json", "{")],
                &["package.json:2 ManifestKey"],
            ),
            cheat(
                "no manifest",
                vec![del("package.json")],
                &["package.json OracleChanged"],
            ),
            cheat(
                "a package is named as a dependency",
                vec![put(
                    "packages/lodash/package.json",
                    "{\"name\": \"lodash\"}",
                )],
                &["packages/lodash/package.json Shadows"],
            ),
            cheat(
                "a package.json in an old folder",
                vec![put("src/package.json", "{\"type\": \"module\"}")],
                &["src/package.json Steers"],
            ),
            cheat(
                "a lockfile without a reason",
                vec![sub("package-lock.json", "29.0.0", "28.0.0")],
                &["package-lock.json:4 OracleChanged"],
            ),
            cheat(
                "a lockfile takes a package from the repository",
                vec![
                    sub(
                        "package.json",
                        "\"lodash\": \"^4.17.21\"",
                        "\"lodash\": \"^4.17.22\"",
                    ),
                    sub(
                        "package-lock.json",
                        "{\"version\": \"29.0.0\"}",
                        "{\"resolved\": \"file:fake\"}",
                    ),
                ],
                &["package-lock.json:4 OracleChanged"],
            ),
            cheat(
                "npm prefers another lockfile",
                vec![put("npm-shrinkwrap.json", "{}")],
                &["npm-shrinkwrap.json Steers"],
            ),
            under(
                "a lockfile beside a manifest that may not change",
                "use: {paths: [\"src/**\", package-lock.json, package.json]}\nkeep: {paths: [package.json]}",
                vec![
                    sub("package.json", "^4.17.21", "^4.17.22"),
                    sub("package-lock.json", "29.0.0", "28.0.0"),
                ],
                &["package-lock.json:4 OracleChanged"],
            ),
            cheat(
                "the runner's configuration",
                vec![sub("jest.config.js", "'node'", "'./fake-environment.js'")],
                &["jest.config.js:2 OracleChanged"],
            ),
            cheat(
                "no runner's configuration",
                vec![del("jest.config.js")],
                &["jest.config.js OracleChanged"],
            ),
            cheat(
                "another configuration that wins",
                vec![put("jest.config.ts", "export default {testMatch: []}\n")],
                &["jest.config.ts Steers"],
            ),
            cheat(
                "a configuration of another runner",
                vec![put("vitest.config.ts", "export default {}\n")],
                &["vitest.config.ts Steers"],
            ),
            cheat(
                "babel rewrites the tests",
                vec![put("babel.config.js", "module.exports = {}\n")],
                &["babel.config.js Steers"],
            ),
            cheat(
                "babel rewrites the tests of one folder",
                vec![put("src/.babelrc", "{}\n")],
                &["src/.babelrc Steers"],
            ),
            cheat(
                "coverage's threshold",
                vec![sub(".nycrc", "90", "1")],
                &[".nycrc:1 OracleChanged"],
            ),
            cheat(
                "the linter's rules",
                vec![put("src/.eslintrc.json", "{\"rules\": {}}")],
                &["src/.eslintrc.json Steers"],
            ),
            cheat(
                "the linter passes over a file",
                vec![put(".eslintignore", "src\n")],
                &[".eslintignore Steers"],
            ),
            cheat(
                "tools pass over a file",
                vec![append(".gitignore", "src/money.js\n")],
                &[".gitignore:3 Steers"],
            ),
            cheat(
                "npm's settings",
                vec![put(".npmrc", "script-shell=/bin/true\n")],
                &[".npmrc Steers"],
            ),
            cheat(
                "an environment that runners read",
                vec![put(".env", "NODE_OPTIONS=--require ./x.js\n")],
                &[".env Steers"],
            ),
            cheat(
                "a mock in the place of a package",
                vec![put("__mocks__/lodash.js", "module.exports = {}\n")],
                &["__mocks__/lodash.js Steers"],
            ),
            cheat(
                "a mock beside a module",
                vec![put("src/__mocks__/money.js", "exports.round = () => 3\n")],
                &["src/__mocks__/money.js Steers"],
            ),
            cheat(
                "installed packages are committed",
                vec![put("node_modules/jest/index.js", "process.exit(0)\n")],
                &["node_modules/jest/index.js Steers"],
            ),
            cheat(
                "installed packages are a link",
                vec![link("node_modules", "fake")],
                &["node_modules Steers"],
            ),
            cheat(
                "CI does nothing",
                vec![sub(".github/workflows/ci.yml", "npm test", "true")],
                &[".github/workflows/ci.yml:5 OracleChanged"],
            ),
            cheat(
                "another workflow",
                vec![put(".github/workflows/release.yml", "on: push\n")],
                &[".github/workflows/release.yml Steers"],
            ),
            under(
                "the script of a check",
                "done: [./ci/check.sh]",
                vec![sub("ci/check.sh", "set -e", "exit 0")],
                &["ci/check.sh:2 OracleChanged"],
            ),
            under(
                "what the script of a check runs",
                "done: [./ci/check.sh]",
                vec![sub("tools/compare.js", "exit(1)", "exit(0)")],
                &["tools/compare.js:2 OracleChanged"],
            ),
            under(
                "what the script of a check compares with",
                "done: [./ci/check.sh]",
                vec![sub("expected/out.txt", "3", "4")],
                &["expected/out.txt:1 OracleChanged"],
            ),
            under(
                "a script that may not be run any more",
                "done: [./ci/check.sh]",
                vec![chmod("ci/check.sh")],
                &["ci/check.sh OracleChanged"],
            ),
            under(
                "a script that is a link",
                "done: [./ci/check.sh]",
                vec![link("ci/check.sh", "/bin/true")],
                &["ci/check.sh OracleChanged"],
            ),
            cheat(
                "a test's body",
                vec![sub("src/cart.test.js", "toBe(3)", "toBe(4)")],
                &["src/cart.test.js:5 TestChanged"],
            ),
            cheat(
                "a test is gone",
                vec![sub(
                    "src/cart.test.js",
                    "  it('adds', () => {\n    expect(total([1, 2])).toBe(3);\n  });\n\n",
                    "",
                )],
                &["src/cart.test.js:5 TestDeleted"],
            ),
            cheat(
                "a test file is gone",
                vec![del("src/cart.test.js")],
                &[
                    "src/cart.test.js:5 TestDeleted",
                    "src/cart.test.js:9 TestDeleted",
                ],
            ),
            cheat(
                "a test file has another name",
                vec![mv("src/cart.test.js", "src/cart.old.js")],
                &["src/cart.test.js:5 TestDeleted"],
            ),
            cheat(
                "a helper's answer",
                vec![sub("test/helpers.js", "[1]", "[]")],
                &["test/helpers.js:1 OracleChanged"],
            ),
            cheat(
                "a helper is gone",
                vec![del("test/helpers.js")],
                &["test/helpers.js OracleChanged"],
            ),
            cheat(
                "a helper of another extension",
                vec![put("test/helpers.mjs", "export const order = () => []\n")],
                &["test/helpers.mjs Shadows"],
            ),
            cheat(
                "a helper as a folder",
                vec![put("test/helpers/index.js", "exports.order = () => []\n")],
                &["test/helpers/index.js Shadows"],
            ),
            cheat(
                "a dependency as a module",
                vec![put("src/lodash.js", "module.exports = {}\n")],
                &["src/lodash.js Shadows"],
            ),
            cheat(
                "a fixture",
                vec![sub(
                    "test/fixtures/orders.json",
                    "{\"id\": 2}",
                    "{\"id\": 3}",
                )],
                &["test/fixtures/orders.json:3 OracleChanged"],
            ),
            cheat(
                "a fixture is gone",
                vec![del("test/fixtures/orders.json")],
                &["test/fixtures/orders.json OracleChanged"],
            ),
            cheat(
                "a fixture is a folder",
                vec![
                    del("test/fixtures/orders.json"),
                    put(
                        "test/fixtures/orders.json/index.js",
                        "module.exports = []\n",
                    ),
                ],
                &["test/fixtures/orders.json OracleChanged"],
            ),
            cheat(
                "a snapshot",
                vec![sub("test/__snapshots__/view.test.js.snap", "`1`", "`2`")],
                &["test/__snapshots__/view.test.js.snap:3 SnapshotRewritten"],
            ),
            cheat(
                "a snapshot is gone",
                vec![del("test/__snapshots__/view.test.js.snap")],
                &["test/__snapshots__/view.test.js.snap SnapshotRewritten"],
            ),
            cheat(
                "all tests are a link",
                vec![del("test"), link("test", "src")],
                &["test OracleChanged", "test/view.test.js:1 TestDeleted"],
            ),
            cheat(
                "a link among the tests",
                vec![link("test/more", "../src")],
                &["test/more Steers"],
            ),
            cheat(
                "a repository in the repository",
                vec![put("src/x/.git", "gitdir: /tmp/x\n")],
                &["src/x/.git Steers"],
            ),
            cheat(
                "a repository under another spelling",
                vec![put("src/x/.GIT/config", "[core]\n")],
                &["src/x/.GIT/config Steers"],
            ),
            cheat(
                "a submodule",
                vec![submodule("src/extra")],
                &["src/extra Steers"],
            ),
            cheat(
                "a submodule in the place of a test",
                vec![submodule("test/helpers.js")],
                &["test/helpers.js OracleChanged"],
            ),
            cheat(
                "a submodule's list",
                vec![put(".gitmodules", "[submodule]\n")],
                &[".gitmodules Steers"],
            ),
            cheat(
                "attributes that change what is checked out",
                vec![put(".gitattributes", "*.test.js export-ignore\n")],
                &[".gitattributes Steers"],
            ),
            cheat(
                "a name that differs in case",
                vec![put("Jest.config.js", "module.exports = {}\n")],
                &["Jest.config.js Shadows"],
            ),
            under(
                "what the goal keeps",
                "keep: {oracle: [\"src/money.js\"]}",
                vec![sub("src/money.js", "round", "floor")],
                &["src/money.js:1 OracleChanged"],
            ),
            under(
                "what the goal keeps, even if it licenses it",
                "keep: {oracle: [\"test/**\"]}\nuse: {oracle: [\"**\"]}",
                vec![sub("test/fixtures/orders.json", "2", "3")],
                &["test/fixtures/orders.json:3 OracleChanged"],
            ),
            under(
                "a new file where the goal keeps all",
                "keep: {oracle: [\"expected/**\"]}",
                vec![put("expected/more.txt", "x\n")],
                &["expected/more.txt OracleChanged"],
            ),
            under(
                "a path that the work may write is no licence",
                "use: {paths: [\"src/**\"]}",
                vec![sub("src/cart.test.js", "toBe(3)", "toBe(4)")],
                &["src/cart.test.js:5 TestChanged"],
            ),
            under(
                "one wild pattern is no licence for the others",
                "use: {paths: [src/cart.test.js, \"test/**\"]}",
                vec![sub("src/cart.test.js", "toBe(3)", "toBe(4)")],
                &["src/cart.test.js:5 TestChanged"],
            ),
            under(
                "a manifest that is named is not licensed as a whole",
                "use: {paths: [package.json]}",
                vec![sub("package.json", "jest --ci", "true")],
                &["package.json:6 ManifestKey"],
            ),
            cheat(
                "lines are taken out of coverage",
                vec![append(
                    "src/money.js",
                    "/* istanbul ignore next */\nexports.floor = (x) => Math.floor(x);\n",
                )],
                &["src/money.js:2 CoverageExcluded"],
            ),
            cheat(
                "the code asks whether it is tested",
                vec![append(
                    "src/money.js",
                    "if (process.env.JEST_WORKER_ID) exports.round = () => 3;\n",
                )],
                &["src/money.js:2 TampersWithTests"],
            ),
            under(
                "the code writes the report",
                "done: [{metric: npx jest, read: {format: istanbul, file: coverage/coverage-summary.json, value: lines}, at_least: 90}]",
                vec![append(
                    "src/money.js",
                    "require('fs').writeFileSync('coverage/coverage-summary.json', '{}');\n",
                )],
                &["src/money.js:2 TampersWithTests"],
            ),
        ],
    );
}

#[test]
fn python_cheats() {
    caught(
        python(),
        vec![
            cheat(
                "the subject among the tests",
                vec![put("tests/cart.py", "def total(items):\n    return 3\n")],
                &["tests/cart.py Shadows"],
            ),
            cheat(
                "the subject at the root",
                vec![put("cart/__init__.py", "def total(items):\n    return 3\n")],
                &["cart/__init__.py Shadows"],
            ),
            under(
                "setup.py where a check runs it",
                "done: [tox]",
                vec![sub("setup.py", "setup()", "setup(); exit(0)")],
                &["setup.py:1 OracleChanged"],
            ),
            cheat(
                "pytest's options",
                vec![sub("pyproject.toml", "-ra", "--collect-only")],
                &["pyproject.toml:13 ManifestKey"],
            ),
            cheat(
                "coverage's threshold",
                vec![sub("pyproject.toml", "fail_under = 90", "fail_under = 9")],
                &["pyproject.toml:17 ManifestKey"],
            ),
            cheat(
                "another section of pytest's",
                vec![append("pyproject.toml", "[tool.pytest.other]\nx = 1\n")],
                &["pyproject.toml:18 ManifestKey"],
            ),
            cheat(
                "a plugin of one's own",
                vec![append(
                    "pyproject.toml",
                    "[project.entry-points.pytest11]\nx = \"cart.plugin\"\n",
                )],
                &["pyproject.toml:18 ManifestKey"],
            ),
            cheat(
                "the build's program",
                vec![sub(
                    "pyproject.toml",
                    "[\"setuptools\"]",
                    "[\"setuptools\"]\nbuild-backend = \"fake\"\nbackend-path = [\".\"]",
                )],
                &["pyproject.toml:11 ManifestKey"],
            ),
            cheat(
                "a dependency from the repository",
                vec![sub(
                    "pyproject.toml",
                    "\"pytest\"",
                    "\"pytest @ file:./fake\"",
                )],
                &["pyproject.toml:7 ManifestKey"],
            ),
            cheat(
                "a program of the checks",
                vec![append(
                    "pyproject.toml",
                    "[project.scripts]\npytest = \"cart:main\"\n",
                )],
                &["pyproject.toml:19 ManifestKey"],
            ),
            cheat(
                "the older manifest",
                vec![sub("setup.cfg", "-q", "--co")],
                &["setup.cfg:10 ManifestKey"],
            ),
            cheat(
                "the older manifest's coverage",
                vec![append("setup.cfg", "omit = src/*\n")],
                &["setup.cfg:14 ManifestKey"],
            ),
            cheat(
                "tox",
                vec![sub("tox.ini", "pytest", "true")],
                &["tox.ini:5 OracleChanged"],
            ),
            cheat(
                "a configuration that wins",
                vec![put("pytest.ini", "[pytest]\naddopts = --co\n")],
                &["pytest.ini Steers"],
            ),
            cheat(
                "coverage's settings",
                vec![append(".coveragerc", "omit = *\n")],
                &[".coveragerc:4 OracleChanged"],
            ),
            cheat(
                "a requirement from the repository",
                vec![sub(
                    "requirements.txt",
                    "pyyaml==6.0",
                    "pyyaml @ file:./yaml",
                )],
                &["requirements.txt:2 ManifestKey"],
            ),
            cheat(
                "another index",
                vec![append(
                    "requirements.txt",
                    "--index-url http://localhost/\n",
                )],
                &["requirements.txt:3 ManifestKey"],
            ),
            cheat(
                "conftest.py",
                vec![append(
                    "tests/conftest.py",
                    "\n\ndef pytest_runtest_makereport():\n    pass\n",
                )],
                &["tests/conftest.py:8 OracleChanged"],
            ),
            cheat(
                "a conftest.py above the tests",
                vec![put("conftest.py", "collect_ignore = ['tests']\n")],
                &["conftest.py Steers"],
            ),
            cheat(
                "a conftest.py that reaches beyond its folder",
                vec![put(
                    "tests/new/conftest.py",
                    "import pytest\n\ndef pytest_collection_modifyitems(items):\n    items.clear()\n",
                )],
                &["tests/new/conftest.py:3 Steers"],
            ),
            cheat(
                "sitecustomize",
                vec![put("sitecustomize.py", "import sys\n")],
                &["sitecustomize.py Steers"],
            ),
            cheat(
                "usercustomize anywhere",
                vec![put("src/new/usercustomize.py", "import sys\n")],
                &["src/new/usercustomize.py Steers"],
            ),
            cheat(
                "a path file",
                vec![put("src/x.pth", "import os\n")],
                &["src/x.pth Steers"],
            ),
            cheat(
                "a module of the standard library",
                vec![put("unittest.py", "class TestCase: pass\n")],
                &["unittest.py Shadows"],
            ),
            cheat(
                "a module of the standard library as a package",
                vec![put("src/json/__init__.py", "")],
                &["src/json/__init__.py Shadows"],
            ),
            cheat(
                "a module of the standard library beside the tests",
                vec![put("tests/random.py", "")],
                &["tests/random.py Shadows"],
            ),
            cheat(
                "the runner",
                vec![put("src/pytest.py", "")],
                &["src/pytest.py Shadows"],
            ),
            cheat(
                "a dependency",
                vec![put("requests.py", "")],
                &["requests.py Shadows"],
            ),
            cheat(
                "a dependency of another name",
                vec![put("yaml/__init__.py", "")],
                &["yaml/__init__.py Shadows"],
            ),
            cheat(
                "a package in a helper's place",
                vec![put(
                    "tests/helpers/__init__.py",
                    "def expected():\n    return 0\n",
                )],
                &["tests/helpers/__init__.py Shadows"],
            ),
            cheat(
                "tests become a package",
                vec![
                    put("tests/__init__.py", ""),
                    put("helpers.py", "def expected():\n    return 0\n"),
                ],
                &["tests/__init__.py Shadows"],
            ),
            cheat(
                "a module in the place of the folder of tests",
                vec![put("tests.py", "")],
                &["tests.py Shadows"],
            ),
            cheat(
                "compiled code in a helper's place",
                vec![put(
                    "tests/helpers.cpython-312-x86_64-linux-gnu.so",
                    "\u{7f}ELF",
                )],
                &["tests/helpers.cpython-312-x86_64-linux-gnu.so Shadows"],
            ),
            cheat(
                "compiled code in the cache",
                vec![put("tests/__pycache__/helpers.cpython-312.pyc", "x")],
                &["tests/__pycache__/helpers.cpython-312.pyc Steers"],
            ),
            cheat(
                "an environment of one's own",
                vec![put(".venv/bin/pytest", "#!/bin/sh\n")],
                &[".venv/bin/pytest Steers"],
            ),
            cheat(
                "another interpreter",
                vec![put(".python-version", "2.7\n")],
                &[".python-version Steers"],
            ),
            cheat(
                "a test's body",
                vec![sub("tests/test_total.py", "== expected()", "is not None")],
                &["tests/test_total.py:7 TestChanged"],
            ),
            cheat(
                "a test of a class",
                vec![sub(
                    "tests/test_total.py",
                    "self.assertEqual(total([]), 0)",
                    "pass",
                )],
                &["tests/test_total.py:12 TestChanged"],
            ),
            cheat(
                "all tests are skipped",
                vec![sub(
                    "tests/test_total.py",
                    "import unittest\n",
                    "import unittest\nimport pytest\npytestmark = pytest.mark.skip\n",
                )],
                &["tests/test_total.py:3 OracleChanged"],
            ),
            cheat(
                "a test file is gone",
                vec![del("tests/test_total.py")],
                &[
                    "tests/test_total.py:7 TestDeleted",
                    "tests/test_total.py:12 TestDeleted",
                ],
            ),
            cheat(
                "a helper",
                vec![sub("tests/helpers.py", "3", "4")],
                &["tests/helpers.py:1 OracleChanged"],
            ),
            cheat(
                "a fixture",
                vec![sub("tests/data/orders.json", "2", "3")],
                &["tests/data/orders.json:2 OracleChanged"],
            ),
            cheat(
                "a doctest",
                vec![sub("src/cart/total.py", "    3\n", "    4\n")],
                &["src/cart/total.py:2 TestChanged"],
            ),
            cheat(
                "a doctest goes with its file",
                vec![del("src/cart/total.py")],
                &["src/cart/total.py:2 TestDeleted"],
            ),
            cheat(
                "lines are taken out of coverage",
                vec![sub(
                    "src/cart/total.py",
                    "return sum(items)",
                    "return sum(items)  # pragma: no cover",
                )],
                &["src/cart/total.py:7 CoverageExcluded"],
            ),
            cheat(
                "the code asks whether it is tested",
                vec![append(
                    "src/cart/__init__.py",
                    "import os\nif 'PYTEST_CURRENT_TEST' in os.environ:\n    total = lambda items: 3\n",
                )],
                &["src/cart/__init__.py:3 TampersWithTests"],
            ),
            under(
                "the script of a check",
                "done: [python scripts/check.py]",
                vec![sub("scripts/check.py", "1", "0")],
                &["scripts/check.py:2 OracleChanged"],
            ),
            under(
                "the script of a make target",
                "done: [make check]",
                vec![sub("scripts/check.py", "1", "0")],
                &["scripts/check.py:2 OracleChanged"],
            ),
            cheat(
                "a make target",
                vec![sub("Makefile", "\t$(PYTEST)", "\t-$(PYTEST)")],
                &["Makefile:5 OracleChanged"],
            ),
            cheat(
                "a variable of make",
                vec![append("Makefile", "PYTEST = true\n")],
                &["Makefile:9 OracleChanged"],
            ),
            cheat(
                "make reads another file first",
                vec![put("GNUmakefile", "test:\n\ttrue\n")],
                &["GNUmakefile Shadows"],
            ),
            cheat(
                "make's files by another name",
                vec![put("makefile", "test:\n\ttrue\n")],
                &["makefile Shadows"],
            ),
            cheat(
                "no makefile",
                vec![del("Makefile")],
                &["Makefile OracleChanged"],
            ),
            cheat(
                "a change of a file whose name is no UTF-8",
                vec![put(
                    "\"tests/caf\\351.py\"",
                    "import sys\nsys.modules['pytest'] = None\n",
                )],
                &["\"tests/caf\\351.py\":2 TampersWithTests"],
            ),
        ],
    );
}

#[test]
fn rust_cheats() {
    caught(
        rust(),
        vec![
            cheat(
                "a crate of the standard library",
                vec![sub(
                    "Cargo.toml",
                    "serde = \"1\"",
                    "serde = \"1\"\nstd = { path = \"fake\" }",
                )],
                &["Cargo.toml:11 ManifestKey"],
            ),
            cheat(
                "the library is not tested",
                vec![append("Cargo.toml", "\n[lib]\ntest = false\n")],
                &["Cargo.toml:22 ManifestKey"],
            ),
            cheat(
                "the program is not tested",
                vec![sub(
                    "Cargo.toml",
                    "path = \"src/main.rs\"",
                    "path = \"src/main.rs\"\ntest = false",
                )],
                &["Cargo.toml:15 ManifestKey"],
            ),
            cheat(
                "a test without a harness",
                vec![append(
                    "Cargo.toml",
                    "\n[[test]]\nname = \"cli\"\nharness = false\n",
                )],
                &["Cargo.toml:22 ManifestKey"],
            ),
            cheat(
                "a test in another's place",
                vec![append(
                    "Cargo.toml",
                    "\n[[test]]\nname = \"cli\"\npath = \"tests/other.rs\"\n",
                )],
                &["Cargo.toml:22 ManifestKey"],
            ),
            cheat(
                "tests are not found",
                vec![sub(
                    "Cargo.toml",
                    "edition = \"2024\"",
                    "edition = \"2024\"\nautotests = false",
                )],
                &["Cargo.toml:5 ManifestKey"],
            ),
            cheat(
                "a profile",
                vec![sub(
                    "Cargo.toml",
                    "overflow-checks = true",
                    "overflow-checks = false",
                )],
                &["Cargo.toml:20 ManifestKey"],
            ),
            cheat(
                "a patch",
                vec![append(
                    "Cargo.toml",
                    "\n[patch.crates-io]\nserde = { path = \"fake\" }\n",
                )],
                &["Cargo.toml:22 ManifestKey"],
            ),
            cheat(
                "a dependency from the repository",
                vec![sub(
                    "Cargo.toml",
                    "proptest = \"1\"",
                    "proptest = { path = \"fake\" }",
                )],
                &["Cargo.toml:13 ManifestKey"],
            ),
            cheat(
                "a dependency's dependency from the repository",
                vec![sub(
                    "Cargo.toml",
                    "proptest = \"1\"",
                    "proptest = \"1\"\nrand = { path = \"fake\" }",
                )],
                &["Cargo.toml:14 ManifestKey"],
            ),
            cheat(
                "features by default",
                vec![sub(
                    "Cargo.toml",
                    "fast = []",
                    "fast = []\ndefault = [\"fast\"]",
                )],
                &["Cargo.toml:8 ManifestKey"],
            ),
            cheat(
                "a lockfile without a reason",
                vec![sub("Cargo.lock", "0.9.0", "0.8.0")],
                &["Cargo.lock:9 OracleChanged"],
            ),
            cheat(
                "a build script",
                vec![put("build.rs", "fn main() {}\n")],
                &["build.rs Steers"],
            ),
            cheat(
                "Cargo's settings",
                vec![put(
                    ".cargo/config.toml",
                    "[build]\nrustflags = [\"--cfg\", \"fake\"]\n",
                )],
                &[".cargo/config.toml Steers"],
            ),
            cheat(
                "Cargo's settings by their old name",
                vec![put(".cargo/config", "[alias]\ntest = \"version\"\n")],
                &[".cargo/config Steers"],
            ),
            cheat(
                "another toolchain",
                vec![sub("rust-toolchain.toml", "1.90", "1.50")],
                &["rust-toolchain.toml:2 OracleChanged"],
            ),
            cheat(
                "nextest tries again",
                vec![sub(".config/nextest.toml", "0", "9")],
                &[".config/nextest.toml:2 OracleChanged"],
            ),
            cheat(
                "an inline test's body",
                vec![sub(
                    "src/lib.rs",
                    "assert_eq!(total(&[1, 2]), 3);\n    }",
                    "assert!(true);\n    }",
                )],
                &["src/lib.rs:19 TestChanged"],
            ),
            cheat(
                "an inline test is ignored",
                vec![sub(
                    "src/lib.rs",
                    "    #[test]\n",
                    "    #[test]\n    #[ignore]\n",
                )],
                &["src/lib.rs:19 TestSkipped"],
            ),
            cheat(
                "inline tests are gone",
                vec![sub("src/parse.rs", "\n#[cfg(test)]\nmod tests;\n", "")],
                &["src/parse.rs:6 TestDeleted"],
            ),
            cheat(
                "a doctest is not run",
                vec![sub(
                    "src/lib.rs",
                    "/// ```\n/// assert_eq",
                    "/// ```ignore\n/// assert_eq",
                )],
                &["src/lib.rs:7 TestSkipped"],
            ),
            cheat(
                "a file of inline tests",
                vec![sub("src/parse/tests.rs", "Some(4)", "None")],
                &["src/parse/tests.rs:4 TestChanged"],
            ),
            cheat(
                "a file of inline tests is gone",
                vec![del("src/parse/tests.rs")],
                &["src/parse/tests.rs:4 TestDeleted"],
            ),
            cheat(
                "a test's helper",
                vec![sub("tests/common/mod.rs", "3", "4")],
                &["tests/common/mod.rs:1 OracleChanged"],
            ),
            cheat(
                "a test's helper by another name",
                vec![put("tests/common.rs", "pub fn expected() -> u32 { 4 }\n")],
                &["tests/common.rs Shadows"],
            ),
            cheat(
                "a snapshot",
                vec![sub("tests/snapshots/cli__prints.snap", "---\n3", "---\n4")],
                &["tests/snapshots/cli__prints.snap:5 SnapshotRewritten"],
            ),
            cheat(
                "a project in the project",
                vec![put("src/Cargo.toml", "[package]\nname = \"x\"\n")],
                &["src/Cargo.toml Steers"],
            ),
            cheat(
                "vendored code",
                vec![put("vendor/serde/src/lib.rs", "")],
                &["vendor/serde/src/lib.rs Steers"],
            ),
            cheat(
                "code for tests only",
                vec![append(
                    "src/parse.rs",
                    "\n#[cfg(not(test))]\npub fn real() {}\n",
                )],
                &["src/parse.rs:8 TampersWithTests"],
            ),
        ],
    );
}

#[test]
fn go_cheats() {
    caught(
        go(),
        vec![
            cheat(
                "a dependency is replaced",
                vec![append(
                    "go.mod",
                    "\nreplace github.com/stretchr/testify => ./fake\n",
                )],
                &["go.mod:7 ManifestKey"],
            ),
            cheat(
                "a version is excluded",
                vec![append(
                    "go.mod",
                    "\nexclude github.com/stretchr/testify v1.9.0\n",
                )],
                &["go.mod:7 ManifestKey"],
            ),
            cheat(
                "another language version",
                vec![sub("go.mod", "go 1.24", "go 1.13")],
                &["go.mod:3 ManifestKey"],
            ),
            cheat(
                "sums without a reason",
                vec![sub("go.sum", "abc=", "abd=")],
                &["go.sum:1 OracleChanged"],
            ),
            cheat(
                "a workspace",
                vec![put("go.work", "go 1.24\nreplace x => ./y\n")],
                &["go.work Steers"],
            ),
            cheat(
                "a module in the module",
                vec![put("cart/go.mod", "module x\n")],
                &["cart/go.mod Steers"],
            ),
            cheat(
                "vendored code",
                vec![put(
                    "vendor/github.com/stretchr/testify/assert/assert.go",
                    "package assert\n",
                )],
                &["vendor/github.com/stretchr/testify/assert/assert.go Steers"],
            ),
            cheat(
                "a main for the tests",
                vec![put(
                    "cart/main_test.go",
                    "package cart\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestMain(m *testing.M) {\n\tos.Exit(0)\n}\n",
                )],
                &["cart/main_test.go:8 Steers"],
            ),
            cheat(
                "a test's body",
                vec![sub("cart/cart_test.go", "!= 3", "== 3")],
                &["cart/cart_test.go:5 TestChanged"],
            ),
            cheat(
                "a build tag",
                vec![sub(
                    "cart/cart_test.go",
                    "package cart\n",
                    "//go:build never\n\npackage cart\n",
                )],
                &["cart/cart_test.go:1 OracleChanged"],
            ),
            cheat(
                "a test file for another system",
                vec![mv("cart/cart_test.go", "cart/cart_windows_test.go")],
                &["cart/cart_test.go:5 TestDeleted"],
            ),
            cheat(
                "a golden file",
                vec![sub("cart/testdata/orders.golden", "2", "3")],
                &["cart/testdata/orders.golden:2 OracleChanged"],
            ),
            cheat(
                "the code asks whether it is tested",
                vec![sub(
                    "cart/cart.go",
                    "\tsum := 0\n",
                    "\tif flag.Lookup(\"test.v\") != nil {\n\t\treturn 3\n\t}\n\tsum := 0\n",
                )],
                &["cart/cart.go:4 TampersWithTests"],
            ),
        ],
    );
}

#[test]
fn java_cheats() {
    caught(
        java(),
        vec![
            cheat(
                "Surefire passes over tests",
                vec![sub(
                    "pom.xml",
                    "<artifactId>maven-surefire-plugin</artifactId>",
                    "<artifactId>maven-surefire-plugin</artifactId>\n        <configuration><skipTests>true</skipTests></configuration>",
                )],
                &["pom.xml:11 ManifestKey"],
            ),
            cheat(
                "a property",
                vec![sub(
                    "pom.xml",
                    "  <build>",
                    "  <properties><maven.test.skip>true</maven.test.skip></properties>\n  <build>",
                )],
                &["pom.xml:7 ManifestKey"],
            ),
            cheat(
                "a dependency from a file",
                vec![sub(
                    "pom.xml",
                    "<version>5.10.0</version>",
                    "<version>5.10.0</version><scope>system</scope><systemPath>${basedir}/fake.jar</systemPath>",
                )],
                &["pom.xml:5 ManifestKey"],
            ),
            cheat(
                "gradle",
                vec![append("service/build.gradle", "test { enabled = false }\n")],
                &["service/build.gradle:3 OracleChanged"],
            ),
            cheat(
                "maven's own options",
                vec![put(".mvn/maven.config", "-DskipTests\n")],
                &[".mvn/maven.config Steers"],
            ),
            cheat(
                "a service of the runner",
                vec![put(
                    "src/main/resources/META-INF/services/org.junit.platform.engine.TestEngine",
                    "fake\n",
                )],
                &[
                    "src/main/resources/META-INF/services/org.junit.platform.engine.TestEngine Steers",
                ],
            ),
            cheat(
                "the runner's properties",
                vec![put(
                    "src/test/resources/junit-platform.properties",
                    "junit.jupiter.conditions.deactivate=*\n",
                )],
                &["src/test/resources/junit-platform.properties Steers"],
            ),
            cheat(
                "a class of the runner",
                vec![put(
                    "src/main/java/org/junit/jupiter/api/Assertions.java",
                    "package org.junit.jupiter.api;\n",
                )],
                &["src/main/java/org/junit/jupiter/api/Assertions.java Shadows"],
            ),
            cheat(
                "the subject among the tests",
                vec![put(
                    "src/test/java/shop/Cart.java",
                    "package shop;\n\npublic class Cart {}\n",
                )],
                &["src/test/java/shop/Cart.java Shadows"],
            ),
            cheat(
                "a test's body",
                vec![sub(
                    "src/test/java/shop/CartTest.java",
                    "assertEquals(3,",
                    "assertEquals(4,",
                )],
                &["src/test/java/shop/CartTest.java:8 TestChanged"],
            ),
            cheat(
                "a test is disabled",
                vec![sub(
                    "src/test/java/shop/CartTest.java",
                    "    @Test\n",
                    "    @Test\n    @org.junit.jupiter.api.Disabled\n",
                )],
                &["src/test/java/shop/CartTest.java:9 TestSkipped"],
            ),
            cheat(
                "a resource",
                vec![sub("src/test/resources/orders.json", "1", "2")],
                &["src/test/resources/orders.json:1 OracleChanged"],
            ),
        ],
    );
}
