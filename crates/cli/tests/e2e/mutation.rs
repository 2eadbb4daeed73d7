//! Coverage alone is no tests: nearly all branches with tests that assert nothing is not done.

use crate::world::{World, facts, have, model, told};

const TILL: &str = "export function change(paid, price) {\n  if (paid < price) throw new Error('not enough');\n  return paid - price;\n}\n\n\
                    export function total(prices, off) {\n  let sum = 0;\n  for (const price of prices) {\n    sum += price;\n  }\n  \
                    if (off > 0 && sum > off) return sum - off;\n  return sum;\n}\n";

fn shop() -> World {
    World::new(&[
        (
            "package.json",
            "{\"name\": \"till\", \"version\": \"1.0.0\", \"type\": \"module\", \"scripts\": {\"test\": \"node --test\"}}\n",
        ),
        ("src/till.js", TILL),
        ("src/queue.js", "export const next = (queue) => queue[0];\n"),
        (
            "src/till.test.js",
            "import test from 'node:test';\nimport assert from 'node:assert';\nimport { change } from './till.js';\nimport { next } from './queue.js';\n\n\
             test('gives change', () => {\n  change(3, 1);\n  assert.equal(next([1]), 1);\n});\n",
        ),
    ])
    .with_toolchains()
}

const GOAL: &str = "---\noutcome: The till has tests that notice when it breaks.\ndone:\n  - id: coverage\n    \
                    metric: node --test --experimental-test-coverage --test-reporter=lcov --test-reporter-destination=lcov.info\n    \
                    read: {format: lcov, file: lcov.info, value: branches}\n    at_least: 95\n  - id: faults\n    mutation: npm test\n    \
                    paths: [\"src/till.js\"]\n    at_least: 60\n    sample: 12\nkeep:\n  paths: [src/till.js, src/queue.js, package.json]\n  \
                    checks: [{tests: npm test}]\nstop: {turns: 9, hours: 1}\n---\nTest the till.\n";

#[test]
fn tests_that_assert_nothing_do_not_complete_a_coverage_goal_and_real_ones_do() {
    if !have("node --test --help") {
        return;
    }
    let world = shop();
    let server = model(
        r#"
turns:
  - write:
      path: src/more.test.js
      content: |
        import test from 'node:test';
        import { change, total } from './till.js';

        test('change runs', () => {
          try { change(1, 3); } catch {}
          change(1, 1);
        });
        test('total runs', () => {
          total([1, 2], 1); total([1, 2], 5); total([1, 2], 0); total([], 0);
        });
  - claim_done: Everything is covered
  - write:
      path: src/real.test.js
      content: |
        import test from 'node:test';
        import assert from 'node:assert';
        import { change, total } from './till.js';

        test('there must be enough', () => {
          assert.throws(() => change(1, 3), { message: 'not enough' });
          assert.equal(change(1, 1), 0);
        });
        test('something is taken off', () => {
          assert.equal(total([1, 2], 1), 2);
          assert.equal(total([1, 2], 3), 3);
          assert.equal(total([1, 2], 5), 3);
          assert.equal(total([1, 2], 0), 3);
          assert.equal(total([], 0), 0);
        });
  - claim_done: Now they also assert something
"#,
    );
    let done = world.run(&server, GOAL).exits(0);
    let report = done.report();
    assert_eq!(report["claims"], 2);
    // The second request after the first claim: what the harness answered.
    let heard = told(&server, 3);
    assert!(heard.contains("planted faults were noticed"), "{heard}");
    assert!(
        heard.contains("src/till.js:"),
        "the faults that nobody noticed are shown: {heard}"
    );
    let events = world.log();
    let faults: Vec<(String, String)> = facts(&events, "check_reported")
        .iter()
        .filter(|event| event.to_string().contains("\"faults\""))
        .map(|event| {
            let text = event.to_string();
            let verdict = ["pass", "fail", "cannot_tell"]
                .into_iter()
                .find(|v| text.contains(&format!("\"verdict\":\"{v}\"")));
            (verdict.unwrap_or("none").to_owned(), text)
        })
        .collect();
    let verdicts: Vec<&str> = faults.iter().map(|(verdict, _)| verdict.as_str()).collect();
    assert_eq!(verdicts, ["fail", "fail", "pass"], "{faults:#?}");
    assert_eq!(
        world.changes_on(&done.branch()),
        ["A src/more.test.js", "A src/real.test.js"]
    );
}

#[test]
fn coverage_of_fewer_files_than_on_the_base_is_not_done() {
    if !have("python3 --version") {
        return;
    }
    // A coverage tool in a few lines: it measures the files that a list names.
    let world = World::new(&[
        (
            "measure.py",
            "import pathlib\nout = ''\nfor name in pathlib.Path('measured.txt').read_text().split():\n    \
             lines = pathlib.Path(name).read_text().splitlines()\n    out += 'SF:' + name + '\\n'\n    \
             out += ''.join(f'DA:{n},{int(\"tested\" in line)}\\n' for n, line in enumerate(lines, 1))\n    out += 'end_of_record\\n'\n\
             pathlib.Path('lcov.info').write_text(out)\n",
        ),
        ("measured.txt", "a.py b.py\n"),
        ("a.py", "x = 1  # tested\ny = 2\n"),
        ("b.py", "z = 3\n"),
    ]);
    let server = model(
        r#"
turns:
  - write: {path: a.py, content: "x = 1  # tested\ny = 2  # tested\n"}
    shell: echo a.py > measured.txt
  - claim_done: All of it is covered
  - write: {path: b.py, content: "z = 3  # tested\n"}
    shell: echo a.py b.py > measured.txt
  - claim_done: Now it is
"#,
    );
    let goal = "---\noutcome: All is covered.\ndone:\n  - id: coverage\n    metric: python3 measure.py\n    \
                read: {format: lcov, file: lcov.info, value: lines}\n    at_least: 100\nkeep: {paths: [measure.py]}\n\
                stop: {turns: 9, hours: 1}\n---\nGo on.\n";
    let done = world.run(&server, goal).exits(0);
    assert_eq!(done.report()["claims"], 2);
    let heard = told(&server, 3);
    assert!(
        heard.contains(
            "1 of the base's 2 measured files is no longer measured (1 lines), such as `b.py`"
        ),
        "{heard}"
    );
}
