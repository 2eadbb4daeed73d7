//! Faults planted in tiny real repositories, and what real test runners make of them. Tools as in `real_runners.rs`.

mod common;

use std::path::PathBuf;
use std::time::Instant;

use common::{World, have};
use overnight_core::check::{Observation, Obstacle, Reading};
use overnight_core::goal::{Format, Read};
use overnight_ports::verifier::{Ask, Coverage};

/// The question, without a share that decides: every fault is tried.
fn ask(command: &str) -> Ask {
    Ask::Mutation {
        command: command.to_owned(),
        paths: Vec::new(),
        sample: None,
        enough: None,
        coverage: None,
    }
}

/// Percent noticed, how many were noticed, how many were tried.
#[track_caller]
fn share(seen: &Observation) -> (f64, u64, u64) {
    let output = String::from_utf8_lossy(&seen.output);
    assert_eq!(seen.obstacle, None, "{output}");
    let values: Vec<f64> = seen
        .values
        .iter()
        .map(|reading| match reading {
            Reading::Value(value) => *value,
            Reading::Missing(obstacle) => panic!("{obstacle:?}"),
        })
        .collect();
    let [share, noticed, ran] = values[..] else {
        panic!("{values:?}\n{output}");
    };
    assert!(seen.generated.is_empty() && seen.tests.is_none());
    (share, noticed as u64, ran as u64)
}

fn said(seen: &Observation) -> String {
    String::from_utf8_lossy(&seen.output).into_owned()
}

fn tools(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("OVERNIGHT_TEST_TOOLS").map(|f| PathBuf::from(f).join(name));
    let found = folder.filter(|folder| folder.exists());
    if found.is_none() {
        let why = format!("no {name} in $OVERNIGHT_TEST_TOOLS, so that nothing is tested");
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("SKIPPED: {why}");
    }
    found
}

const SHOP: &str = "def total(prices, off=0):\n    result = 0\n    for price in prices:\n        if price > 0:\n            \
                    result += price\n    if off > 0 and result >= off:\n        return result - off\n    return result\n\n\n\
                    def label(count):\n    return 'one' if count == 1 else 'many'\n";
const NOTHING: &str = "import unittest\nfrom shop import label, total\n\n\nclass Shop(unittest.TestCase):\n    def test_runs(self):\n        \
                       total([1, -2, 3], 2)\n        total([])\n        label(1)\n        label(2)\n";
const GOOD: &str = "import unittest\nfrom shop import label, total\n\n\nclass Shop(unittest.TestCase):\n    def test_total(self):\n        \
                    self.assertEqual(total([2, -2, 3]), 5)\n        self.assertEqual(total([1, 0, 3]), 4)\n        \
                    self.assertEqual(total([]), 0)\n        self.assertEqual(total([5], 2), 3)\n        \
                    self.assertEqual(total([5], 5), 0)\n        self.assertEqual(total([5], 6), 5)\n        \
                    self.assertEqual(total([5], 1), 4)\n\n    def test_label(self):\n        self.assertEqual(label(1), 'one')\n        \
                    self.assertEqual(label(2), 'many')\n        self.assertEqual(label(0), 'many')\n";

fn python(test: &str) -> World {
    World::new(&[
        ("shop.py", SHOP),
        ("tests/__init__.py", ""),
        ("tests/test_shop.py", test),
        // Another language's code is not what this runner runs.
        ("web/cart.js", "exports.twice = (n) => n * 2;\n"),
    ])
}

#[test]
fn tests_that_assert_nothing_notice_nothing_and_good_ones_nearly_everything() {
    if !have("python3 -m unittest -h") {
        return;
    }
    let command = "python3 -m unittest";
    let seen = python(NOTHING).observe(ask(command));
    let (percent, noticed, ran) = share(&seen);
    assert!(ran >= 15, "{}", said(&seen));
    assert_eq!((percent, noticed), (0.0, 0), "{}", said(&seen));
    assert!(
        said(&seen).contains("shop.py:4: `>` became `>=`"),
        "{}",
        said(&seen)
    );
    assert!(!said(&seen).contains("web/"), "{}", said(&seen));

    let world = python(GOOD);
    let seen = world.observe(ask(command));
    let (percent, ..) = share(&seen);
    // What is left are changes that make no difference (`price > 0` against `price >= 0`).
    assert!((80.0..100.0).contains(&percent), "{}", said(&seen));
    assert!(
        said(&seen).contains("shop.py:4: `>` became `>=`"),
        "{}",
        said(&seen)
    );
    assert_eq!(world.observe(ask(command)).output, seen.output);
    assert_eq!(world.checkouts().len(), 2, "one checkout serves all faults");
}

#[test]
fn it_stops_when_the_answer_is_certain() {
    if !have("python3 -m unittest -h") {
        return;
    }
    let enough = |share: f64, sample: u32| Ask::Mutation {
        command: "python3 -m unittest".into(),
        paths: vec!["*.py".into()],
        sample: Some(sample),
        enough: Some(share),
        coverage: None,
    };
    let seen = python(NOTHING).observe(enough(60.0, 12));
    // Of 12 at least 8 have to be noticed, so that the fifth decides.
    assert_eq!(share(&seen), (0.0, 0, 5), "{}", said(&seen));
    assert!(
        said(&seen).contains("The remaining 7 were not tried"),
        "{}",
        said(&seen)
    );
    let seen = python(GOOD).observe(enough(50.0, 12));
    let (percent, noticed, ran) = share(&seen);
    assert!(
        percent >= 50.0 && noticed == 6 && ran < 12,
        "{}",
        said(&seen)
    );
}

#[test]
fn an_endless_loop_is_noticed() {
    if !have("python3 -m unittest -h") {
        return;
    }
    let world = World::new(&[
        (
            "count.py",
            "def down(n):\n    while n > 0:\n        n -= 1\n    return None\n",
        ),
        (
            "test_count.py",
            "import unittest\nfrom count import down\n\n\nclass T(unittest.TestCase):\n    def test_ends(self):\n        down(3)\n",
        ),
    ]);
    let began = Instant::now();
    let seen = world.observe(ask("python3 -m unittest"));
    let (_, noticed, ran) = share(&seen);
    // `n += 1` and `n -= 2`, `n >= 0`, `while False`: only the first never ends.
    assert_eq!(noticed, 1, "{}", said(&seen));
    assert!(ran >= 3 && !said(&seen).contains("`-=`"), "{}", said(&seen));
    assert!(began.elapsed().as_secs() < 60);
}

#[test]
fn a_base_without_tests_fails_and_says_so() {
    if !have("python3 -m unittest -h") {
        return;
    }
    for files in [
        &[("shop.py", SHOP)][..],
        &[("shop.py", SHOP), ("tests/__init__.py", "")],
        &[("README.md", "Nothing to see.")],
    ] {
        let seen = World::new(files).observe(ask("python3 -m unittest"));
        assert_eq!(seen.obstacle, None, "{}", said(&seen));
        assert_eq!(seen.values, [Reading::Value(0.0)]);
        assert!(
            said(&seen).ends_with("No test was run, so that no fault can be noticed.\n"),
            "{}",
            said(&seen)
        );
    }
}

#[test]
fn a_test_that_fails_on_the_unchanged_code_notices_nothing() {
    if !have("python3 -m unittest -h") {
        return;
    }
    let from = |more: &str| {
        let test = format!("{NOTHING}\n{more}");
        let ask = Ask::Mutation {
            command: "python3 -m unittest".into(),
            paths: Vec::new(),
            sample: Some(8),
            enough: None,
            coverage: None,
        };
        python(&test).observe(ask)
    };
    // It always fails: a known failure neither blocks nor helps.
    let seen = from("    def test_known(self):\n        self.assertEqual(total([1]), 2)\n");
    assert_eq!(share(&seen).1, 0, "{}", said(&seen));
    // It fails from the fifth time on.
    let seen = from(
        "    def test_counts(self):\n        with open('ran', 'a') as f: f.write('x')\n        self.assertLess(len(open('ran').read()), 5)\n",
    );
    assert_eq!(share(&seen).1, 0, "{}", said(&seen));
    assert!(said(&seen).contains("test_counts"), "{}", said(&seen));
    // It looks whether the file is what it was, which says nothing about what the code does.
    let size = SHOP.len();
    let seen = from(&format!(
        "    def test_text(self):\n        self.assertEqual(len(open('shop.py').read()), {size})\n"
    ));
    assert_eq!(share(&seen).1, 0, "{}", said(&seen));
}

#[test]
fn a_command_that_names_no_tests_is_judged_by_its_exit_code() {
    if !have("python3 --version") {
        return;
    }
    let world = |assertion: &str| {
        World::new(&[
            (
                "shop.py",
                "def change(paid, price):\n    return paid - price\n",
            ),
            (
                "run.sh",
                &format!("exec python3 -c 'from shop import change; {assertion}'\n"),
            ),
        ])
    };
    let good = world("assert change(5, 2) == 3").observe(ask("sh run.sh"));
    assert_eq!(share(&good).0, 100.0, "{}", said(&good));
    let none = world("change(5, 2)").observe(ask("sh run.sh"));
    assert_eq!(share(&none).0, 0.0, "{}", said(&none));
    let broken = world("assert change(5, 2) == 4").observe(ask("sh run.sh"));
    assert_eq!(broken.values, [Reading::Value(0.0)]);
    assert!(
        said(&broken).contains("fails without any fault"),
        "{}",
        said(&broken)
    );
    let absent = world("").observe(ask("no-such-runner"));
    let obstacle = Some(Obstacle::ToolAbsent {
        program: "no-such-runner".into(),
    });
    assert_eq!(absent.obstacle, obstacle);
}

#[test]
fn out_of_time_is_no_answer() {
    if !have("python3 --version") {
        return;
    }
    let world = World::new(&[
        ("shop.py", SHOP),
        ("run.sh", "sleep 0.7; exec python3 -c 'import shop'\n"),
    ]);
    let seen = world.observe_in("", 4, ask("sh run.sh"));
    assert_eq!(seen.obstacle, Some(Obstacle::TimedOut { limit_s: 4 }));
    // Two runs of the tests say that forty more will not do: nobody waits for them.
    assert!(seen.duration_ms < 3_500, "{}", seen.duration_ms);
    assert!(said(&seen).starts_with("0 of "), "{}", said(&seen));
}

#[test]
fn faults_lie_in_what_the_goals_own_coverage_says_was_reached() {
    let Some(bin) = tools("py/bin") else { return };
    let world = World::new(&[
        ("shop.py", SHOP),
        ("other.py", "def far(x):\n    return x - 1\n"),
        (
            "test_shop.py",
            "from shop import label\n\n\ndef test_label():\n    assert label(1) == 'one'\n    assert label(2) == 'many'\n    assert label(0) == 'many'\n",
        ),
    ]);
    let path = format!("PATH={}:$PATH; export PATH; ", bin.display());
    let with = |paths: &[&str], coverage: &str| Ask::Mutation {
        command: format!("{path}pytest -q"),
        paths: paths.iter().map(|p| (*p).to_owned()).collect(),
        sample: None,
        enough: None,
        coverage: Some(Coverage {
            command: format!("{path}{coverage}"),
            read: Read {
                format: Format::CoveragePy,
                file: Some("coverage.json".into()),
                value: "lines".into(),
            },
            dir: String::new(),
        }),
    };
    let measure = "coverage run -m pytest -q; coverage json";
    let seen = world.observe(with(&[], measure));
    let (percent, _, ran) = share(&seen);
    // Only `label`, and the defaults that are evaluated as the module is loaded.
    assert!((3..=8).contains(&ran) && percent > 70.0, "{}", said(&seen));
    assert!(
        said(&seen).contains("the lines that the tests reach"),
        "{}",
        said(&seen)
    );
    // Without a report that can be read everything counts.
    let seen = world.observe(with(&[], "true"));
    let (low, _, all) = share(&seen);
    assert!(all > ran && low < percent, "{}", said(&seen));
    assert!(
        said(&seen).contains("could not be measured"),
        "{}",
        said(&seen)
    );
    assert!(said(&seen).contains("other.py:2"), "{}", said(&seen));
    // What the person names and nothing reaches counts too.
    let seen = world.observe(with(&["other.py"], measure));
    assert_eq!(share(&seen).0, 0.0, "{}", said(&seen));
}

const CART: &str = "'use strict';\nfunction total(prices, off) {\n  let sum = 0;\n  for (const price of prices) {\n    sum += price;\n  }\n  \
                    if (off && sum > off) {\n    return sum - off;\n  }\n  return sum;\n}\nmodule.exports = { total };\n";
const CART_NOTHING: &str = "total([1, 2], 1); total([]); total([1], 5);";
const CART_GOOD: &str = "assert.equal(total([1, 2], 1), 2); assert.equal(total([]), 0); assert.equal(total([1], 5), 1); \
                         assert.equal(total([4], 4), 4); assert.equal(total([4], 0), 4);";

#[test]
fn node_tests() {
    if !have("node --test --help") {
        return;
    }
    let world = |body: &str| {
        let test = format!(
            "const test = require('node:test');\nconst assert = require('node:assert');\nconst {{ total }} = \
             require('./cart');\ntest('total', () => {{ {body} }});\n"
        );
        World::new(&[
            (
                "package.json",
                r#"{"name": "x", "scripts": {"test": "node --test"}}"#,
            ),
            ("cart.js", CART),
            ("cart.test.js", &test),
            ("tool.py", "x = 1\n"),
        ])
    };
    let seen = world(CART_NOTHING).observe(ask("npm test"));
    assert_eq!(share(&seen).0, 0.0, "{}", said(&seen));
    let seen = world(CART_GOOD).observe(ask("npm test"));
    assert!(share(&seen).0 > 70.0, "{}", said(&seen));
    assert!(!said(&seen).contains("tool.py"), "{}", said(&seen));
}

#[test]
fn jest_tests() {
    let Some(modules) = tools("jest/node_modules") else {
        return;
    };
    let world = |body: &str| {
        let test = format!(
            "const assert = require('node:assert');\nconst {{ total }} = require('./cart');\ntest('total', () => {{ {body} }});\n"
        );
        let world = World::new(&[
            (
                "package.json",
                r#"{"name": "x", "scripts": {"test": "jest"}, "jest": {"testEnvironment": "node"}}"#,
            ),
            ("src/cart.js", CART),
            ("src/cart.test.js", &test),
        ]);
        std::os::unix::fs::symlink(&modules, world.root().join("node_modules")).expect("linked");
        world
    };
    let with = |sample: u32| Ask::Mutation {
        command: "npx jest --ci".into(),
        paths: vec!["src/**".into()],
        sample: Some(sample),
        enough: Some(60.0),
        coverage: None,
    };
    let seen = world(CART_NOTHING).observe(with(10));
    let (percent, _, ran) = share(&seen);
    assert!(percent == 0.0 && ran >= 4, "{}", said(&seen));
    let seen = world(CART_GOOD).observe(with(10));
    assert!(share(&seen).0 >= 60.0, "{}", said(&seen));
}

#[test]
fn rust_tests_with_faults_that_do_not_compile_left_out() {
    if !have("cargo --version") {
        return;
    }
    let world = |body: &str| {
        let lib = format!(
            "pub struct Cart {{\n    items: Vec<u32>,\n}}\n\nimpl Cart {{\n    pub fn new(items: Vec<u32>) -> Self {{\n        \
             assert!(!items.contains(&0));\n        Cart {{ items }}\n    }}\n\n    pub fn total(&self, off: u32) -> Option<u32> {{\n        \
             let sum: u32 = self.items.iter().sum();\n        if sum < off {{\n            return None;\n        }}\n        \
             Some(sum - off)\n    }}\n\n    pub fn width() -> [u8; 3] {{\n        let all: [u8; 3] = [1, 2, 3];\n        \
             if all.len() == 3 {{ all }} else {{ [0; 3] }}\n    }}\n}}\n\n#[cfg(test)]\nmod tests {{\n    use super::*;\n\n    #[test]\n    fn total() {{\n        {body}\n    }}\n}}\n"
        );
        World::new(&[
            (
                "Cargo.toml",
                "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lib]\ndoctest = false\n",
            ),
            ("src/lib.rs", &lib),
        ])
    };
    let with = || Ask::Mutation {
        command: "cargo test --offline".into(),
        paths: vec!["src/**".into()],
        sample: Some(8),
        enough: None,
        coverage: None,
    };
    let seen = world(
        "let _ = (Cart::new(vec![1, 2]).total(9), Cart::new(vec![3]).total(1), Cart::width());",
    )
    .observe(with());
    let (percent, _, ran) = share(&seen);
    assert!(ran >= 6 && percent <= 20.0, "{}", said(&seen));
    let seen = world(
        "assert_eq!(Cart::new(vec![1, 2]).total(9), None); assert_eq!(Cart::new(vec![3]).total(1), Some(2)); \
         assert_eq!(Cart::new(vec![3]).total(3), Some(0)); assert_eq!(Cart::width(), [1, 2, 3]);",
    )
    .observe(with());
    assert!(share(&seen).0 >= 85.0, "{}", said(&seen));
}

#[test]
fn go_tests_with_faults_that_do_not_compile_left_out() {
    let Some(goroot) = tools("goroot") else {
        return;
    };
    let world = |body: &str| {
        let test = format!(
            "package shop\n\nimport \"testing\"\n\nfunc TestTotal(t *testing.T) {{\n{body}\n}}\n"
        );
        World::new(&[
            ("go.mod", "module example.com/shop\n\ngo 1.19\n"),
            (
                "shop.go",
                "package shop\n\nfunc Total(prices []int, off int) int {\n\tsum := 0\n\tfor _, price := range prices {\n\t\tsum += price\n\t}\n\tif sum > off {\n\t\treturn sum - off\n\t}\n\treturn sum\n}\n",
            ),
            ("shop_test.go", &test),
        ])
    };
    let with = || Ask::Mutation {
        command: format!(
            "PATH={0}/bin:$PATH GOROOT={0} GOFLAGS=-mod=mod GOCACHE=$TMPDIR/go go test ./...",
            goroot.display()
        ),
        paths: Vec::new(),
        sample: Some(10),
        enough: None,
        coverage: None,
    };
    let seen = world("\tTotal([]int{1, 2}, 1)\n\tTotal(nil, 1)").observe(with());
    assert_eq!(share(&seen).0, 0.0, "{}", said(&seen));
    let seen = world(
        "\tfor _, c := range [][3]int{{3, 1, 2}, {3, 3, 3}, {3, 5, 3}, {0, 0, 0}} {\n\t\tif got := Total([]int{c[0]}, c[1]); got != c[2] {\n\t\t\tt.Fatal(c, got)\n\t\t}\n\t}",
    )
    .observe(with());
    assert!(share(&seen).0 >= 80.0, "{}", said(&seen));
}
