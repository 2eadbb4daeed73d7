//! What each command becomes, from its text and the checkout's manifests alone.

use std::collections::BTreeMap;

use overnight_checks::runners::{Files, Plan, dry_runs, plan};

/// Files by their paths.
struct Checkout(BTreeMap<&'static str, &'static str>);

impl Files for Checkout {
    fn read(&self, path: &str) -> Option<String> {
        self.0.get(path).map(|text| (*text).to_owned())
    }

    fn folders(&self, path: &str) -> Vec<String> {
        let below = self
            .0
            .keys()
            .filter_map(|p| p.strip_prefix(&format!("{path}/")));
        let mut names: Vec<String> = below
            .filter_map(|p| p.split_once('/'))
            .map(|(name, _)| name.to_owned())
            .collect();
        names.dedup();
        names
    }
}

const ROOT: &str = r#"{"workspaces": ["packages/*"], "scripts": {
    "test": "npm run lint && npm run unit", "lint": "eslint .", "unit": "jest --ci", "all": "turbo run check",
    "web": "cd web && cargo test -q", "watch": "tsc -w"}}"#;

fn checkout() -> Checkout {
    Checkout(BTreeMap::from([
        ("package.json", ROOT),
        (
            "packages/a/package.json",
            r#"{"scripts": {"check": "vitest run"}}"#,
        ),
        (
            "berry/package.json",
            r#"{"packageManager": "yarn@4.1.0", "scripts": {"test": "jest"}}"#,
        ),
        ("Makefile", "SHELL = /bin/bash\ntest:\n\tpytest\n"),
    ]))
}

fn planned(command: &str) -> Plan {
    plan(command, "", &checkout(), &[])
}

/// The command with the parts that are the same in every plan shortened.
fn short(command: &str) -> String {
    let text = planned(command).script;
    let kinds = ["junit", "jest", "mocha", "events", "libtest", "go"];
    kinds.iter().fold(text, |text, kind| {
        text.replace(
            &format!("$(mktemp \"$OVERNIGHT_EVIDENCE/reports/{kind}.XXXXXX\")"),
            &format!("<{kind}>"),
        )
    })
}

#[test]
fn each_runner_gets_its_reporter() {
    for (command, wanted) in [
        (
            "pytest -q -x -n 4",
            r#"pytest -q -x -n 4 -o junit_family=xunit1 --maxfail=0 "--junitxml=<junit>""#,
        ),
        (
            "A=1 uv run pytest -- t",
            r#"A=1 uv run pytest -o junit_family=xunit1 --maxfail=0 "--junitxml=<junit>" -- t"#,
        ),
        (
            "python3 -W error -m unittest -q -f",
            r#"python3 -W error "$OVERNIGHT_EVIDENCE/unittest_runner.py" -q"#,
        ),
        (
            "npx jest --ci --bail 1 --outputFile x a",
            r#"npx jest --no-bail --json "--outputFile=<jest>" --ci a"#,
        ),
        (
            "vitest",
            r#"vitest --reporter=default --bail=0 --reporter=json "--outputFile.json=<jest>""#,
        ),
        (
            "vitest run --bail 3 --reporter dot",
            r#"vitest run --reporter dot --bail=0 --reporter=json "--outputFile.json=<jest>""#,
        ),
        (
            "mocha -R dot -b spec",
            r#"mocha --no-bail --reporter json --reporter-option "output=<mocha>" spec"#,
        ),
        (
            "node --test --test-reporter=tap x",
            "node \"--test-reporter=$OVERNIGHT_EVIDENCE/node_reporter.mjs\" \"--test-reporter-destination=<events>\" \
             --test-reporter-destination=stdout --test --test-reporter=tap x",
        ),
        (
            "A=1 cargo test -qv --lib -- --format terse -q x > log",
            "{ _overnight=\"<libtest>\"; A=1 cargo test --no-fail-fast -v --lib -- x >\"$_overnight\" 2>&1 && _status=0 || _status=$?; \
             cat \"$_overnight\"; (exit \"$_status\"); } >log",
        ),
        (
            "cargo t --no-run --no-fail-fast",
            "{ _overnight=\"<libtest>\"; cargo t --no-run --no-fail-fast >\"$_overnight\" 2>&1 && _status=0 || _status=$?; \
             cat \"$_overnight\"; (exit \"$_status\"); }",
        ),
        (
            "! go test -failfast ./...",
            "! { _overnight=\"<go>\"; go test -json ./... >\"$_overnight\" && _status=0 || _status=$?; (exit \"$_status\"); }",
        ),
        (
            "cd a && pytest || (npm ci; exit 1)",
            "cd a && pytest -o junit_family=xunit1 --maxfail=0 \"--junitxml=<junit>\" || (npm ci; exit 1)",
        ),
        (
            "bash -ec 'pytest $X'",
            "bash -ec 'pytest $X -o junit_family=xunit1 --maxfail=0 \"--junitxml=<junit>\"'",
        ),
    ] {
        assert_eq!(short(command), wanted, "{command}");
        assert!(planned(command).runner, "{command}");
    }
}

#[test]
fn what_is_no_runner_stays_as_it_is() {
    for command in [
        "cargo build",
        "./run-tests.sh",
        "tox -q",
        "pytest <<E\nE",
        "echo \"pytest",
        "",
        "npm run watch",
    ] {
        assert_eq!(planned(command).script, command);
        assert!(!planned(command).runner, "{command}");
    }
}

#[test]
fn package_scripts_are_followed_and_left_where_they_are() {
    for (command, known) in [
        ("npm test", true),
        ("npm run web", true),
        ("yarn unit", true),
        ("cd packages/a && pnpm check", true),
        // It runs the packages' scripts in a way that is not followed: their reports will show it.
        ("npm run all", false),
        // Yarn 2 and later have a shell of their own.
        ("cd berry && yarn test", false),
    ] {
        let plan = planned(command);
        assert_eq!(
            (plan.script.as_str(), plan.runner),
            (command, known),
            "{command}"
        );
        let env = plan.env("/e");
        assert_eq!(env["npm_config_script_shell"], "/e/package-sh");
        assert_eq!(
            (env["CI"].as_str(), env["OVERNIGHT_EVIDENCE"].as_str()),
            ("true", "/e")
        );
        let shell = plan
            .tools
            .iter()
            .find(|tool| tool.name == "package-sh")
            .expect("there is one");
        assert!(
            shell.executable && shell.content.contains("vitest run --reporter=default"),
            "{}",
            shell.content
        );
        assert!(!shell.content.contains("eslint"));
    }
    assert!(
        planned("npm test")
            .shown
            .contains("# `jest --ci` runs as: jest --no-bail --json"),
        "{}",
        planned("npm test").shown
    );
    assert!(
        !planned("pytest")
            .env("/e")
            .contains_key("npm_config_script_shell")
    );
}

#[test]
fn make_is_asked_for_its_recipes() {
    let files = checkout();
    assert_eq!(
        dry_runs("cd sub; A=1 make -j2 test V=1", "", &files),
        ["cd sub && A=1 make --dry-run -j2 test V=1 </dev/null"]
    );
    assert_eq!(
        dry_runs("bash -c 'make'", "a b", &files),
        ["cd 'a b' &&  make --dry-run  </dev/null"]
    );
    assert!(dry_runs("pytest", "", &files).is_empty());
    let plan = plan(
        "make test",
        "",
        &files,
        &["cd x && \\\n  pytest -q\nnpm run unit\n".to_owned()],
    );
    assert!(plan.runner);
    assert_eq!(
        plan.script,
        "make SHELL=\"$OVERNIGHT_EVIDENCE/make-sh\" test"
    );
    let shell = plan
        .tools
        .iter()
        .find(|tool| tool.name == "make-sh")
        .expect("there is one");
    assert!(
        shell.content.contains("pytest -q -o junit_family"),
        "{}",
        shell.content
    );
    assert!(
        shell.content.contains("exec /bin/bash \"$@\""),
        "{}",
        shell.content
    );
    assert!(plan.env("/e").contains_key("npm_config_script_shell"));
}

#[test]
fn scripts_that_call_each_other_end() {
    let files = Checkout(BTreeMap::from([(
        "package.json",
        r#"{"scripts": {"a": "npm run b", "b": "npm run a && npm run a"}}"#,
    )]));
    assert!(!plan("npm run a", "", &files, &[]).runner);
}

/// Runs the shim and returns what it printed.
fn through_shim(plan: &Plan, name: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shim");
    let tool = plan
        .tools
        .iter()
        .find(|tool| tool.name == name)
        .expect("there is one");
    // The real shell, replaced by something that shows what it was given.
    let text = tool.content.replace("exec /bin/sh ", "exec printf '[%s]' ");
    std::fs::write(&path, text).expect("written");
    let output = std::process::Command::new("sh")
        .arg(&path)
        .args(arguments)
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_shim_changes_the_lines_that_it_knows_and_no_others() {
    let files = Checkout(BTreeMap::from([(
        "package.json",
        r#"{"scripts": {"a": "mocha", "b": "mocha -R 'x y'", "c": "cargo test", "d": "it's *"}}"#,
    )]));
    let plan = plan("npm run a", "", &files, &[]);
    let run = |arguments: &[&str]| through_shim(&plan, "package-sh", arguments);
    assert_eq!(run(&["-c", "ls -l"]), "[-c][ls -l]");
    assert_eq!(
        run(&["-eu", "-o", "pipefail", "-c", "it's *"]),
        "[-eu][-o][pipefail][-c][it's *]"
    );
    assert_eq!(run(&["-c", "mochas"]), "[-c][mochas]");
    assert!(run(&["-c", "mocha"]).starts_with("[-c][mocha --no-bail --reporter json "));
    assert!(run(&["-c", "mocha -R 'x y'"]).contains("[mocha --no-bail --reporter json "));
    // What the package manager appends goes where the arguments are.
    let appended = run(&["-c", "cargo test -q --test \"a b\""]);
    assert!(
        appended.contains("cargo test --no-fail-fast -q --test \"a b\" >\"$_overnight\""),
        "{appended}"
    );
}
