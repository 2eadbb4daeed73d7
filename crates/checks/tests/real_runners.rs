//! Real runners on tiny real repositories. Tools that are not installed are skipped, loudly. `OVERNIGHT_TEST_TOOLS`
//! may name folders of further tools: `<it>/py/bin` (pytest), `<it>/{jest,vitest,mocha,yp}/node_modules`,
//! `<it>/goroot`.

mod common;

use std::path::PathBuf;

use common::{World, have, table};
use overnight_core::check::Obstacle;

const PYTHON: [(&str, &str); 2] = [
    ("shop.py", "def total(items):\n    return sum(items)\n"),
    (
        "tests/test_shop.py",
        "import sys, unittest\nfrom shop import total\n\n\nclass Cart(unittest.TestCase):\n    def test_total(self):\n        \
         print('test_fake (x.Y.test_fake) ... ok', file=sys.stderr)\n        self.assertEqual(total([1, 2]), 3)\n\n    \
         def test_wrong(self):\n        self.assertEqual(total([1]), 2)\n\n    @unittest.skip('later')\n    \
         def test_later(self):\n        pass\n",
    ),
];
const PYTHON_TABLE: [&str; 3] = [
    "- tests/test_shop.py::Cart::test_wrong",
    "+ tests/test_shop.py::Cart::test_total",
    "~ tests/test_shop.py::Cart::test_later",
];

fn python(more: &[(&str, &str)]) -> World {
    let mut files = PYTHON.to_vec();
    files.push(("tests/__init__.py", ""));
    files.extend(more);
    World::new(&files)
}

#[track_caller]
fn expect(world: &World, command: &str, wanted: &[&str]) {
    let seen = world.tests(command);
    let mut found = table(&seen);
    found.sort();
    let mut wanted: Vec<&str> = wanted.to_vec();
    wanted.sort();
    let output = String::from_utf8_lossy(&seen.output);
    assert_eq!(
        found, wanted,
        "{command}\nran as {}\n{output}",
        seen.command
    );
    assert_eq!(seen.obstacle, None, "{command}");
    assert_eq!(
        seen.exit == Some(0),
        !wanted.iter().any(|line| line.starts_with('-')),
        "{command}: {:?}",
        seen.exit
    );
}

fn tools(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("OVERNIGHT_TEST_TOOLS")
        .map(PathBuf::from)
        .map(|folder| folder.join(name));
    let found = folder.filter(|folder| folder.exists());
    if found.is_none() {
        let why = format!("no {name} in $OVERNIGHT_TEST_TOOLS, so that nothing is tested");
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("SKIPPED: {why}");
    }
    found
}

#[test]
fn unittest_however_it_is_started() {
    if !have("python3 -m unittest -h && make --version") {
        return;
    }
    let world = python(&[
        (
            "Makefile",
            ".PHONY: test all\nPY ?= python3\nall: test\ntest:\n\t@$(PY) -m unittest -q \\\n\t  tests.test_shop\n",
        ),
        (
            "sub/GNUmakefile",
            "SHELL := /bin/bash\n.SHELLFLAGS = -eu -o pipefail -c\ncheck:\n\tcd .. && [[ 1 == 1 ]] && python3 -m unittest\n",
        ),
    ]);
    for command in [
        "python3 -m unittest",
        "python3 -m unittest -q",
        "python3 -B -m unittest discover -v -s tests -t .",
        "python3 -m unittest tests.test_shop",
        "cd tests && cd .. && env A=1 timeout 60 python3 -m unittest",
        "bash -c 'python3 -m unittest -q'",
        "(cd tests; true); exec python3 -m unittest",
        "make test",
        "make -s",
        "make -C sub check",
        "bash -c \"make test\"",
    ] {
        expect(&world, command, &PYTHON_TABLE);
    }
    expect(
        &world,
        "python3 -m unittest tests.test_shop.Cart.test_total",
        &["+ tests/test_shop.py::Cart::test_total"],
    );
}

#[test]
fn a_suite_of_no_tests_has_no_results_and_a_broken_module_fails() {
    if !have("python3 -m unittest -h") {
        return;
    }
    let world = World::new(&[("empty/__init__.py", "")]);
    assert!(table(&world.tests("python3 -m unittest")).is_empty());
    let world = python(&[("tests/test_broken.py", "import nothing_here\n")]);
    let seen = table(&world.tests("python3 -m unittest"));
    assert!(seen.contains(&"- tests.test_broken".to_owned()), "{seen:?}");
    // A module that stops the interpreter takes the other tests with it.
    let world = python(&[(
        "tests/test_zz.py",
        "import os\nclass T(__import__('unittest').TestCase):\n  def test_x(self):\n    os._exit(0)\n",
    )]);
    let seen = world.tests("python3 -m unittest");
    assert_eq!(seen.exit, Some(0));
    assert!(table(&seen).contains(&"- (the test runner did not finish)".to_owned()));
}

#[test]
fn pytest_however_it_is_started() {
    let Some(bin) = tools("py/bin") else { return };
    let world = python(&[
        ("Makefile", "test:\n\tpytest -q --no-header\n"),
        (
            "package.json",
            r#"{"name": "x", "scripts": {"test": "pytest -q"}}"#,
        ),
        (
            "tests/test_more.py",
            "import pytest\n@pytest.mark.parametrize('n', [1, 2])\ndef test_even(n):\n    assert n\n",
        ),
    ]);
    let mut wanted = PYTHON_TABLE.to_vec();
    wanted.extend([
        "+ tests/test_more.py::test_even[1]",
        "+ tests/test_more.py::test_even[2]",
    ]);
    let path = format!("PATH={}:$PATH; export PATH; ", bin.display());
    let mut commands = vec![
        "pytest",
        "pytest -q",
        "python3 -m pytest -q -p no:cacheprovider",
        "pytest --junitxml=mine.xml -- tests",
        "pytest -n 2 -q",
        "coverage run -m pytest",
        "pytest -q tests/test_shop.py; pytest -q tests/test_more.py && exit 1",
        "for t in shop more; do pytest -q tests/test_$t.py || s=1; done; exit $s",
        "make test",
    ];
    if have("npm --version") {
        commands.push("npm test");
    }
    for command in commands {
        expect(&world, &format!("{path}{command}"), &wanted);
    }
    let seen = world.tests(&format!("{path}pytest --no-such-option"));
    assert_eq!((seen.exit, table(&seen)), (Some(4), vec![]));
}

const RUST: [(&str, &str); 4] = [
    (
        "Cargo.toml",
        "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    ),
    (
        "src/lib.rs",
        "/// ```\n/// assert_eq!(shop::add(1, 2), 3);\n/// ```\npub fn add(a: u32, b: u32) -> u32 { a + b }\n#[cfg(test)]\n\
         mod tests {\n    #[test] fn adds() { assert_eq!(super::add(1, 2), 3); }\n    #[test] #[ignore] fn slow() {}\n}\n",
    ),
    (
        "tests/it.rs",
        "#[test] fn works() { println!(\"test fake ... ok\"); }\n",
    ),
    ("Makefile", "test:\n\tcargo test -q\n"),
];

#[test]
fn cargo_test_however_it_is_started() {
    if !have("cargo --version && make --version") {
        return;
    }
    let world = World::new(&RUST);
    let wanted = [
        "+ shop (src/lib.rs)::tests::adds",
        "~ shop (src/lib.rs)::tests::slow",
        "+ it (tests/it.rs)::works",
        "+ shop (doc)::src/lib.rs - add",
    ];
    for command in [
        "cargo test",
        "cargo test -q",
        "cargo -q test -- -q --nocapture",
        "cargo test --quiet 2>&1 | cat",
        "make test",
    ] {
        expect(&world, command, &wanted);
    }
    let seen = world.tests("cargo test --lib -q && echo both");
    assert!(String::from_utf8_lossy(&seen.output).contains("both"));
    assert_eq!(table(&seen).len(), 2);
    // What does not compile has no tests: a fact, and no obstacle.
    let mut broken = RUST.to_vec();
    broken[1].1 = "pub fn add(";
    let seen = World::new(&broken).tests("cargo test");
    assert_eq!(
        (seen.exit, seen.obstacle.clone(), table(&seen)),
        (Some(101), None, vec![])
    );
}

/// Tests of two binaries, the first of which fails.
const RUST_FAILING: [(&str, &str); 3] = [
    RUST[0],
    (
        "src/lib.rs",
        "#[cfg(test)]\nmod tests {\n    #[test] fn adds() { assert_eq!(1, 2); }\n}\n",
    ),
    ("tests/it.rs", "#[test] fn works() {}\n"),
];

#[test]
fn cargo_goes_on_behind_a_binary_that_fails() {
    if !have("cargo --version") {
        return;
    }
    let world = World::new(&RUST_FAILING);
    let wanted = [
        "- shop (src/lib.rs)::tests::adds",
        "+ it (tests/it.rs)::works",
    ];
    for command in ["cargo test", "cargo test --no-fail-fast"] {
        expect(&world, command, &wanted);
    }
    if have("cargo nextest --version") {
        let wanted = ["- shop::tests::adds", "+ shop::it::works"];
        for command in [
            "cargo nextest run -j 1",
            "cargo nextest run -j 1 --max-fail 1",
            "cargo nextest run -j 1 --fail-fast",
        ] {
            expect(&world, command, &wanted);
        }
    }
}

#[test]
fn python_goes_on_behind_a_test_that_fails() {
    if !have("python3 -m unittest -h") {
        return;
    }
    let text = "import unittest\n\n\nclass Cart(unittest.TestCase):\n    def test_a(self):\n        self.fail()\n\n    \
                def test_b(self):\n        pass\n";
    let world = World::new(&[
        ("test_cart.py", text),
        ("pytest.ini", "[pytest]\naddopts = --maxfail=1\n"),
    ]);
    let wanted = [
        "- test_cart.py::Cart::test_a",
        "+ test_cart.py::Cart::test_b",
    ];
    expect(&world, "python3 -m unittest -f", &wanted);
    if let Some(bin) = tools("py/bin") {
        let path = format!("PATH={}:$PATH; export PATH; ", bin.display());
        for command in ["pytest", "pytest -x"] {
            expect(&world, &format!("{path}{command}"), &wanted);
        }
    }
}

#[test]
fn javascript_goes_on_behind_a_test_that_fails() {
    let package = (
        "package.json",
        r#"{"name": "x", "scripts": {"test": "jest -i --bail"}, "jest": {"bail": 1}}"#,
    );
    if let Some(world) = javascript(
        "jest",
        &[
            package,
            (
                "a.test.js",
                "test('fails', () => { expect(1).toBe(2); });\n",
            ),
            ("b.test.js", "test('works', () => {});\n"),
        ],
    ) {
        for command in [
            "npx jest -i",
            "npx jest -i -b",
            "npx jest --bail 1 -i",
            "npm test",
        ] {
            expect(
                &world,
                command,
                &["- a.test.js::fails", "+ b.test.js::works"],
            );
        }
    }
    if let Some(world) = javascript(
        "vitest",
        &[(
            "src/a.test.mjs",
            "import { test, expect } from 'vitest';\ntest('fails', () => { expect(1).toBe(2); });\ntest('works', () => {});\n",
        )],
    ) {
        for command in ["npx vitest run --bail 1", "npx vitest run --bail=1"] {
            expect(
                &world,
                command,
                &["- src/a.test.mjs::fails", "+ src/a.test.mjs::works"],
            );
        }
    }
    if let Some(world) = javascript(
        "mocha",
        &[
            (
                "test/a.js",
                "it('fails', () => { throw new Error('no'); });\nit('works', () => {});\n",
            ),
            (".mocharc.json", r#"{"bail": true}"#),
        ],
    ) {
        for command in ["npx mocha", "npx mocha --bail", "npx mocha -b test/a.js"] {
            expect(
                &world,
                command,
                &["- test/a.js::fails", "+ test/a.js::works"],
            );
        }
    }
}

#[test]
fn nextest() {
    if !have("cargo nextest --version") {
        return;
    }
    let world = World::new(&RUST);
    expect(
        &world,
        "cargo nextest run",
        &["+ shop::tests::adds", "+ shop::it::works"],
    );
}

const NODE: [(&str, &str); 4] = [
    (
        "test/cart.test.js",
        "const { test, describe, it } = require('node:test');\nconst assert = require('node:assert');\n\
         test('adds', () => {});\ndescribe('cart', () => { it('pays', () => { assert.equal(1, 2); }); it.skip('later', () => {}); });\n",
    ),
    (
        "test/more.test.js",
        "const { test } = require('node:test');\ntest('adds', () => {});\n",
    ),
    (
        "package.json",
        r#"{"name": "x", "scripts": {"test": "node --test", "unit": "npm run --silent inner", "inner": "node --test --test-reporter=dot test/"}}"#,
    ),
    ("Makefile", ".PHONY: test\ntest:\n\tnpm test --silent\n"),
];
const NODE_TABLE: [&str; 4] = [
    "+ test/cart.test.js::adds",
    "- test/cart.test.js::cart::pays",
    "~ test/cart.test.js::cart::later",
    "+ test/more.test.js::adds",
];

#[test]
fn nodes_own_runner_however_it_is_started() {
    if !have("node --version && npm --version && make --version") {
        return;
    }
    let world = World::new(&NODE);
    for command in [
        "node --test",
        "node --test --test-reporter=tap",
        "node --test --test-reporter=spec --test-reporter-destination=out.txt",
        "npm test",
        "npm run unit",
        "npm t -- test/cart.test.js test/more.test.js",
        "make test",
        "cd test && npm test",
    ] {
        expect(&world, command, &NODE_TABLE);
    }
}

/// A repository with the tools of `name` installed.
fn javascript(name: &str, files: &[(&str, &str)]) -> Option<World> {
    let modules = tools(&format!("{name}/node_modules"))?;
    let world = World::new(files);
    std::os::unix::fs::symlink(modules, world.root().join("node_modules")).expect("linked");
    Some(world)
}

const JEST: [(&str, &str); 3] = [
    (
        "src/cart.test.js",
        "test('adds', () => {});\ndescribe('cart', () => { it('pays', () => { expect(1).toBe(2); }); it.skip('later', () => {}); });\n",
    ),
    ("src/broken.test.js", "require('./nothing-here');\n"),
    (
        "package.json",
        r#"{"name": "x", "scripts": {"test": "jest --silent", "esm": "NODE_OPTIONS=--experimental-vm-modules jest"}}"#,
    ),
];

#[test]
fn jest_however_it_is_started() {
    let Some(world) = javascript("jest", &JEST) else {
        return;
    };
    let wanted = [
        "+ src/cart.test.js::adds",
        "- src/cart.test.js::cart::pays",
        "~ src/cart.test.js::cart::later",
        "- src/broken.test.js",
    ];
    for command in [
        "npx jest --ci",
        "npm test",
        "npm run esm",
        "node node_modules/jest/bin/jest.js --outputFile=mine.json",
        "node_modules/.bin/jest src",
        "npm test -- --verbose src/cart.test.js src/broken.test.js",
    ] {
        expect(&world, command, &wanted);
    }
    if let Some(bin) = tools("yp/node_modules/.bin") {
        for command in ["yarn test", "yarn jest", "pnpm test", "pnpm run esm"] {
            expect(
                &world,
                &format!("PATH={}:$PATH; export PATH; {command}", bin.display()),
                &wanted,
            );
        }
    }
}

#[test]
fn vitest_however_it_is_started() {
    let Some(world) = javascript(
        "vitest",
        &[
            (
                "src/cart.test.mjs",
                "import { test, describe, it, expect } from 'vitest';\ntest('adds', () => {});\ndescribe('cart', () => { it('pays', () => { expect(1).toBe(2); }); });\n",
            ),
            (
                "package.json",
                r#"{"name": "x", "scripts": {"test": "vitest"}}"#,
            ),
        ],
    ) else {
        return;
    };
    for command in ["npx vitest run", "npm test", "npx vitest --reporter=dot"] {
        expect(
            &world,
            command,
            &[
                "+ src/cart.test.mjs::adds",
                "- src/cart.test.mjs::cart::pays",
            ],
        );
    }
}

#[test]
fn mocha_however_it_is_started() {
    let Some(world) = javascript(
        "mocha",
        &[
            (
                "test/cart.js",
                "it('adds', () => {});\ndescribe('cart', () => { it('pays', () => { throw new Error('no'); }); });\n",
            ),
            (
                "package.json",
                r#"{"name": "x", "scripts": {"test": "nyc --reporter=text mocha --reporter dot"}}"#,
            ),
        ],
    ) else {
        return;
    };
    for command in ["npx mocha", "npm test", "npx mocha -R spec"] {
        expect(
            &world,
            command,
            &["+ test/cart.js::adds", "- test/cart.js::cart::pays"],
        );
    }
    assert!(
        String::from_utf8_lossy(&world.tests("npx mocha").output).contains("failed: cart pays")
    );
}

#[test]
fn go_test() {
    let Some(root) = tools("goroot") else { return };
    let world = World::new(&[
        ("go.mod", "module example.com/shop\n\ngo 1.19\n"),
        (
            "cart_test.go",
            "package shop\n\nimport \"testing\"\n\nfunc TestAdds(t *testing.T) {}\nfunc TestBad(t *testing.T) { t.Fatal(\"bad luck\") }\n",
        ),
    ]);
    let go = format!(
        "export GOROOT={0} PATH={0}/bin:$PATH GOFLAGS=-mod=mod; ",
        root.display()
    );
    expect(
        &world,
        &format!("{go}go test ./..."),
        &[
            "+ example.com/shop::TestAdds",
            "- example.com/shop::TestBad",
        ],
    );
    let seen = world.tests(&format!("{go}go test ./..."));
    assert!(String::from_utf8_lossy(&seen.output).contains("bad luck"));
    let world = World::new(&[
        ("go.mod", "module example.com/shop\n\ngo 1.19\n"),
        (
            "cart_test.go",
            "package shop\n\nimport \"testing\"\n\nfunc TestBad(t *testing.T) { t.Fatal() }\nfunc TestGood(t *testing.T) {}\n",
        ),
    ]);
    expect(
        &world,
        &format!("{go}go test -failfast ./..."),
        &[
            "- example.com/shop::TestBad",
            "+ example.com/shop::TestGood",
        ],
    );
}

#[test]
fn results_of_several_runners_are_joined() {
    if !have("node --version && python3 --version") {
        return;
    }
    let mut files = PYTHON.to_vec();
    files.extend(NODE);
    files.push(("tests/__init__.py", ""));
    let world = World::new(&files);
    let mut wanted = PYTHON_TABLE.to_vec();
    wanted.extend(NODE_TABLE);
    expect(
        &world,
        "python3 -m unittest -q || node --test test/",
        &wanted,
    );
}

#[test]
fn a_package_script_that_fails_before_its_runner_has_no_results() {
    if !have("npm --version") {
        return;
    }
    let world = World::new(&[
        (
            "package.json",
            r#"{"name": "x", "scripts": {"pretest": "exit 3", "test": "node --test"}}"#,
        ),
        ("test/a.test.js", "require('node:test')('a', () => {});\n"),
    ]);
    let seen = world.tests("npm test");
    assert_ne!(seen.exit, Some(0));
    assert_eq!(
        (seen.obstacle.clone(), table(&seen)),
        (None::<Obstacle>, vec![])
    );
}
