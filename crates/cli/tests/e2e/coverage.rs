//! Published packages whose coverage is raised, each with its own coverage command and over another wire: real tests,
//! a claim that comes too early, a try at the implementation, and the target. The packages are in `tests/packages`.

use sim::server::Server;

use crate::packages::{release, with_modules, world};
use crate::world::{Done, KEY, World, denials, have, model};

/// One package and one wire.
struct Case {
    package: (&'static str, &'static str),
    /// The package's own command.
    coverage: String,
    /// Where the number is, as the goal says it; and the target.
    read: &'static str,
    target: f64,
    /// The package's own tests, which are kept one by one.
    tests: String,
    report: Option<&'static str>,
    implementation: &'static str,
    /// What a goal lets the work change.
    tests_at: &'static str,
    wire: Wire,
    /// The number on the base, after the first tests, and after the others, as the package's own command prints it.
    figures: [&'static str; 3],
    /// The calls that add the first tests and the others, and one that would change the implementation.
    first: &'static str,
    others: &'static str,
    cheat: &'static str,
    changed: &'static str,
}

/// A wire format, as a run names it.
enum Wire {
    Responses,
    Messages,
    Chat,
}

impl Wire {
    fn run(&self, world: &World, server: &Server, goal: &str) -> Done {
        let base = server.base_url();
        let bare = base.trim_end_matches("/v1");
        let chat = format!("chat/mock-model@{base}");
        let (model, variables) = match self {
            Wire::Responses => (
                "openai/mock-model",
                vec![("OPENAI_BASE_URL", base.as_str()), ("OPENAI_API_KEY", KEY)],
            ),
            Wire::Messages => (
                "anthropic/mock-model",
                vec![("ANTHROPIC_BASE_URL", bare), ("ANTHROPIC_API_KEY", KEY)],
            ),
            Wire::Chat => (chat.as_str(), vec![("OPENAI_API_KEY", KEY)]),
        };
        let goal = world.goal(goal);
        let goal = goal.to_str().expect("a plain name");
        let mut command = world.command(&["run", goal, "--json", "--yes", "--model", model]);
        command.envs(variables);
        world.start(command).end()
    }

    fn path(&self) -> &'static str {
        match self {
            Wire::Responses => "/v1/responses",
            Wire::Messages => "/v1/messages",
            Wire::Chat => "/v1/chat/completions",
        }
    }
}

#[test]
fn object_path_from_npm_with_nyc_over_responses() {
    if !have("nyc --version && mocha --version") {
        return;
    }
    coverage_is_raised(&Case {
        package: ("object-path", "0.11.5"),
        coverage: with_modules("npm run coverage"),
        read: "{format: nyc-text, value: lines}",
        target: 100.0,
        tests: with_modules("npm test"),
        report: None,
        implementation: "index.js",
        tests_at: "test.js",
        wire: Wire::Responses,
        figures: ["98.67", "99.33", "100"],
        first: r#"
  - shell: |
      cat >> test.js <<'END'

      describe('paths that lead nowhere', function () {
        it('should delete nothing at an empty list', function () {
          expect(objectPath.del(getTestObj(), [])).to.deep.equal(getTestObj())
        })
      })
      END"#,
        others: r#"
  - shell: |
      cat >> test.js <<'END'

      describe('paths that are no paths', function () {
        it('should delete nothing at an object without keys', function () {
          expect(objectPath.del(getTestObj(), {})).to.deep.equal(getTestObj())
        })
      })
      END"#,
        cheat: r#"
  - edit: {path: index.js, old: "function isEmpty(value){", new: "/* istanbul ignore next */ function isEmpty(value){"}"#,
        changed: "M test.js",
    });
}

#[test]
fn minimist_from_npm_with_nyc_over_messages() {
    if !have("nyc --version && tape --help") {
        return;
    }
    coverage_is_raised(&Case {
        package: ("minimist", "1.2.7"),
        coverage: with_modules("npm run tests-only"),
        read: "{format: istanbul, file: coverage/coverage-final.json, value: branches}",
        target: 97.0,
        tests: with_modules("tape 'test/*.js' > results.tap"),
        report: Some("results.tap"),
        implementation: "index.js",
        tests_at: "test/**",
        wire: Wire::Messages,
        figures: ["95.86", "96.55", "97.24"],
        first: r#"
  - write:
      path: test/prototype_defaults.js
      content: |
        var parse = require('../');
        var test = require('tape');

        test('a default that is the prototype of objects is never written to', function (t) {
            var argv = parse(['--a.b=1'], { boolean: 'a', default: { a: Object.prototype } });
            t.deepEqual(argv.a, { b: 1 });
            t.equal({}.b, undefined);
            t.end();
        });"#,
        others: r#"
  - shell: |
      cat >> test/prototype_defaults.js <<'END'

      test('a default that is the prototype of arrays is never written to', function (t) {
          var argv = parse(['--a.b=1'], { boolean: 'a', default: { a: Array.prototype } });
          t.ok(Array.isArray(argv.a));
          t.equal(argv.a.b, 1);
          t.equal([].b, undefined);
          t.end();
      });
      END"#,
        cheat: r#"
  - write: {path: index.js, content: "/* istanbul ignore file */ module.exports = function () { return {}; };"}"#,
        changed: "A test/prototype_defaults.js",
    });
}

#[test]
fn texttable_from_pypi_with_pytest_cov_over_chat_completions() {
    if !have("pytest --version && python3 -c 'import pytest_cov'") {
        return;
    }
    coverage_is_raised(&Case {
        package: ("texttable", "1.7.0"),
        coverage: "pytest --cov-report=term-missing --cov=texttable tests.py".to_owned(),
        read: r"{format: regex, value: '(?m)^TOTAL\s.*\s(\d+)%$'}",
        target: 96.0,
        tests: "pytest tests.py".to_owned(),
        report: None,
        implementation: "texttable.py",
        tests_at: "tests.py",
        wire: Wire::Chat,
        figures: ["92", "93", "96"],
        first: r#"
  - shell: |
      cat >> tests.py <<'END'

      def test_sizes_that_do_not_fit():
          import pytest
          from texttable import ArraySizeError
          with pytest.raises(ArraySizeError) as error:
              Texttable().set_chars(["-", "|"])
          assert str(error.value) == "array should contain 4 characters"
          with pytest.raises(ArraySizeError):
              Texttable().add_row([1, 2]).set_cols_align(["l"])
      END"#,
        others: r#"
  - shell: |
      cat >> tests.py <<'END'

      def test_widths_and_precisions_that_are_none():
          import pytest
          for widths in ([10, 0], [10, "wide"]):
              with pytest.raises(ValueError):
                  Texttable().set_cols_width(widths)
          for precision in (-1, 2.5, "3"):
              with pytest.raises(ValueError):
                  Texttable().set_precision(precision)

      def test_an_empty_table_draws_nothing():
          assert Texttable().draw() is None

      def test_text_is_as_wide_as_it_is_shown():
          import texttable
          assert texttable.len("\u4f60\u597d") == 4
          assert texttable.len("e\u0301") == 1
          assert texttable.obj2unicode("b\u00fccher".encode()) == "b\u00fccher"
          assert texttable.obj2unicode(b"b\xfccher") == "b\ufffdcher"
          assert texttable.obj2unicode(7) == "7"
      END"#,
        cheat: r#"
  - shell: "sed -i 's/^class Texttable:/class Texttable:  # pragma: no cover/' texttable.py""#,
        changed: "M tests.py",
    });
}

fn coverage_is_raised(case: &Case) {
    let (name, version) = case.package;
    let mut files = release(name, version);
    files.insert(
        ".gitignore".to_owned(),
        "/coverage/\n/.nyc_output/\n/results.tap\n.coverage\n__pycache__/\n.pytest_cache/\n"
            .to_owned(),
    );
    let world = world(&files);
    let before = world.snapshot();
    let report = match case.report {
        Some(report) => format!(", report: {report}"),
        None => String::new(),
    };
    let goal = format!(
        "---\noutcome: The tests of {name} cover what it does.\ndone:\n  - id: coverage\n    metric: {coverage}\n    \
         read: {read}\n    at_least: {target}\nkeep:\n  paths: [{implementation}, package.json, .nycrc, .coveragerc, tox.ini]\n  \
         checks:\n    - {{tests: \"{tests}\"{report}}}\nuse: {{paths: [\"{at}\"]}}\nnext: Smallest uncovered branch first.\n\
         stop: {{turns: 12, hours: 1}}\n---\nOnly tests: the implementation stays as it was published.\n",
        coverage = case.coverage,
        read = case.read,
        target = case.target,
        implementation = case.implementation,
        tests = case.tests,
        at = case.tests_at,
    );
    let [at_first, then, at_last] = case.figures;
    let server = model(&format!(
        "turns:\n  - think: First I look.\n    shell: {coverage}\n{first}\n  - claim_done: It is covered well enough\n{cheat}\n{others}\n  - claim_done: |\n      Cover {name}\n",
        coverage = case.coverage,
        first = case.first.trim_start_matches('\n'),
        cheat = case.cheat.trim_start_matches('\n'),
        others = case.others.trim_start_matches('\n'),
    ));
    let done = case.wire.run(&world, &server, &goal).exits(0);

    // All of it went over that wire, one request a turn.
    let requests = server.requests();
    assert_eq!(requests.len(), 6);
    for request in &requests {
        assert_eq!(request.path, case.wire.path());
    }
    // The model sees the package's own figure, and after the early claim the one that the harness measured.
    let seen = |turn: usize| requests[turn - 1].body.to_string();
    assert!(seen(2).contains(at_first), "{}", seen(2));
    assert!(!seen(3).contains("does not hold"));
    assert!(seen(4).contains("does not hold"), "{}", seen(4));
    assert!(seen(4).contains(then), "{}", seen(4));

    // The try at the implementation is a denial, and it is as it was.
    let report = done.report();
    let denied = denials(&report);
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert!(denied[0].contains(case.implementation), "{denied:?}");
    assert_eq!(report["complete"], true);
    assert_eq!(report["claims"], 2);
    assert_eq!(report["turns"], 6);
    let check = report["checks"]
        .as_array()
        .and_then(|checks| checks.iter().find(|check| check["id"] == "coverage"))
        .expect("the check is in the report");
    assert_eq!(check["base"]["verdict"], "fail");
    assert_eq!(check["now"]["verdict"], "pass");
    assert!(check.to_string().contains(at_last), "{check:#}");

    // The branch holds the tests and nothing else, and whoever doubts it can check it all again.
    let branch = done.branch();
    assert_eq!(world.changes_on(&branch), [case.changed]);
    let verified = world.overnight(&["verify", "last", "--json"]).exits(0);
    assert_eq!(verified.json()["verified"], true);
    assert_eq!(world.snapshot(), before);
}
