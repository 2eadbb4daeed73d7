//! A failing test, a false claim, the fix: in three languages, with each one's own runner.

use crate::world::{World, facts, have, model, name, told};

/// A small repository with a bug.
struct Case {
    files: &'static [(&'static str, &'static str)],
    /// The runner's command line.
    tests: &'static str,
    /// Where the bug is.
    path: &'static str,
    old: &'static str,
    new: &'static str,
    /// The failing test, as the runner names it.
    failing: &'static str,
}

const PYTHON: &[(&str, &str)] = &[
    (
        "shop.py",
        "def total(prices):\n    return sum(prices)\n\n\ndef change(paid, price):\n    return paid + price\n",
    ),
    ("tests/__init__.py", ""),
    (
        "tests/test_shop.py",
        "import unittest\n\nfrom shop import change, total\n\n\nclass Shop(unittest.TestCase):\n    \
         def test_total(self):\n        self.assertEqual(total([1, 2]), 3)\n\n    \
         def test_change_is_what_is_left(self):\n        self.assertEqual(change(10, 4), 6)\n",
    ),
];

#[test]
fn a_failing_test_of_a_python_repository_is_fixed_with_unittest() {
    if !have("python3 -m unittest -h") {
        return;
    }
    fixes(&Case {
        files: PYTHON,
        tests: "python3 -m unittest",
        path: "shop.py",
        old: "paid + price",
        new: "paid - price",
        failing: "test_change_is_what_is_left",
    });
}

#[test]
fn a_failing_test_of_a_python_repository_is_fixed_with_pytest() {
    if !have("python3 -m pytest --version") {
        return;
    }
    fixes(&Case {
        files: PYTHON,
        tests: "python3 -m pytest -q",
        path: "shop.py",
        old: "paid + price",
        new: "paid - price",
        failing: "test_change_is_what_is_left",
    });
}

#[test]
fn a_failing_test_of_a_rust_repository_is_fixed_with_cargo() {
    if !have("cargo --version") {
        return;
    }
    fixes(&Case {
        files: &[
            (
                "Cargo.toml",
                "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[lib]\ndoctest = false\n",
            ),
            (
                "Cargo.lock",
                "version = 3\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\n",
            ),
            (".gitignore", "/target\n"),
            (
                "src/lib.rs",
                "//! The shop.\n\n/// What is left.\npub fn change(paid: i64, price: i64) -> i64 {\n    paid + price\n}\n\n\
                 #[cfg(test)]\nmod tests {\n    #[test]\n    fn change_is_what_is_left() {\n        \
                 assert_eq!(super::change(10, 4), 6);\n    }\n\n    #[test]\n    fn nothing_costs_nothing() {\n        \
                 assert_eq!(super::change(0, 0), 0);\n    }\n}\n",
            ),
        ],
        tests: "cargo test --offline",
        path: "src/lib.rs",
        old: "paid + price",
        new: "paid - price",
        failing: "change_is_what_is_left",
    });
}

#[test]
fn a_failing_test_of_a_javascript_repository_is_fixed_with_nodes_own_runner() {
    if !have("node --test --help") {
        return;
    }
    fixes(&Case {
        files: &[
            (
                "package.json",
                "{\"name\": \"shop\", \"version\": \"1.0.0\", \"type\": \"module\", \"scripts\": {\"test\": \"node --test\"}}\n",
            ),
            (
                "shop.js",
                "export function change(paid, price) {\n  return paid + price;\n}\n",
            ),
            (
                "shop.test.js",
                "import test from 'node:test';\nimport assert from 'node:assert';\nimport { change } from './shop.js';\n\n\
                 test('change is what is left', () => {\n  assert.strictEqual(change(10, 4), 6);\n});\n\n\
                 test('nothing costs nothing', () => {\n  assert.strictEqual(change(0, 0), 0);\n});\n",
            ),
        ],
        tests: "node --test",
        path: "shop.js",
        old: "paid + price",
        new: "paid - price",
        failing: "change is what is left",
    });
}

fn fixes(case: &Case) {
    let world = World::new(case.files).with_toolchains();
    let before = world.snapshot();
    let head = world.git(&["rev-parse", "HEAD"]);
    let server = model(&format!(
        r#"
turns:
  - say: I look first.
    shell: "{tests} || true"
  - claim_done: Everything was fine already.
  - edit: {{path: {path}, old: "{old}", new: "{new}"}}
  - claim_done: |
      Give back what is left

      The price was added to what was paid.
"#,
        tests = case.tests,
        path = case.path,
        old = case.old,
        new = case.new,
    ));
    let goal = format!(
        "---\noutcome: The shop gives the right change.\ndone:\n  - id: suite\n    tests: {}\nkeep: {{paths: [\"tests/**\", \"*.test.js\"]}}\nstop: {{turns: 10, hours: 1}}\n---\nSee the failing test.\n",
        case.tests
    );
    let done = world.run(&server, &goal).exits(0);

    // The runner works inside the sandbox as the model uses it, too.
    assert!(
        told(&server, 2).contains(case.failing),
        "{}",
        told(&server, 2)
    );

    // The false claim was rejected, and the next request shows why.
    let evidence = told(&server, 3);
    assert!(evidence.contains("does not hold"), "{evidence}");
    assert!(evidence.contains("`suite`"), "{evidence}");
    assert!(evidence.contains(case.failing), "{evidence}");
    let events = done.lines();
    let rejected: Vec<_> = facts(&events, "turn_requested")
        .into_iter()
        .flat_map(|fact| fact["told"].as_array().cloned().unwrap_or_default())
        .filter(|notice| notice["notice"] == "claim_rejected")
        .collect();
    assert_eq!(rejected.len(), 1, "one claim was rejected: {rejected:?}");
    assert_eq!(rejected[0]["open"], serde_json::json!(["suite"]));
    assert_eq!(
        server.answers_sent(),
        4,
        "every answer was asked for once, none after the accepted claim"
    );

    // The branch: one commit on the base, with the fix and nothing else.
    let summary = done.summary();
    assert_eq!(summary["status"], "complete");
    assert_eq!(summary["stop_reason"], "complete");
    let branch = done.branch();
    assert_eq!(world.branches(), [branch.clone()]);
    assert_eq!(world.changes_on(&branch), [format!("M {}", case.path)]);
    assert!(world.on(&branch, case.path).contains(case.new));
    assert_eq!(world.git(&["rev-parse", &format!("{branch}~1")]), head);
    let message = world.git(&["log", "-1", "--format=%an <%ae>%n%B", &branch]);
    assert!(
        message.starts_with("Ann Example <ann@example.org>\nGive back what is left\n\nThe price was added to what was paid.\n"),
        "{message}"
    );
    let trailer = format!("Overnight-Run: {}", summary["id"].as_str().unwrap_or("?"));
    assert!(message.contains(&trailer), "{message}");

    // The person's checkout is as it was: HEAD, index, configuration, every file.
    assert_eq!(world.snapshot(), before);

    // The report, in both forms.
    let report = done.report();
    assert_eq!(report["complete"], true);
    assert_eq!(report["branch"], summary["branch"]);
    assert_eq!(report["claims"], 2);
    assert_eq!(report["turns"], 4);
    let check = report["checks"]
        .as_array()
        .and_then(|checks| checks.iter().find(|c| c["id"] == "suite"))
        .expect("the check is in the report");
    assert_eq!(check["base"]["verdict"], "fail");
    assert_eq!(check["now"]["verdict"], "pass");
    assert_eq!(check["treatment"], "must_change");
    assert!(
        done.report_text()
            .contains("The shop gives the right change.")
    );

    // The journal tells the same as what was printed while it ran.
    let journal = world.log();
    let printed: Vec<_> = events
        .iter()
        .filter(|e| !name(e).is_empty())
        .cloned()
        .collect();
    assert_eq!(journal, printed);

    // Whoever doubts it can have it all checked again; and a branch that was moved is not what was delivered.
    let verified = world.overnight(&["verify", "last", "--json"]).exits(0);
    assert_eq!(verified.json()["verified"], true);
    let broken = world.git(&["commit-tree", "HEAD^{tree}", "-p", &branch, "-m", "Undo it"]);
    world.git(&["update-ref", &format!("refs/heads/{branch}"), broken.trim()]);
    let doubted = world.overnight(&["verify", "last", "--json"]).exits(1);
    assert_eq!(doubted.json()["verified"], false);
}
