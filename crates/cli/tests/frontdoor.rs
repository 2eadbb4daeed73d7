//! The front door with the real binary: templates, configuration, doctor, completions, manual pages, help.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use overnight_core::goal::parse::parse;
use overnight_core::goal::{Aim, CheckKind, Format, Goal};
use overnight_models::scripted::Script;
use serde_json::Value;
use sim::server::{Options, Server};

const OVERNIGHT: &str = env!("CARGO_BIN_EXE_overnight");
const JOBS: [&str; 5] = ["errors", "inbox", "feature", "coverage", "docs"];
const SECRET: &str = "sk-frontdoor-0b1946ac92492d2347c6235b4d2611184";

/// How long one command may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// One person with one folder; gone when dropped.
struct Desk {
    root: PathBuf,
    repo: PathBuf,
    _temp: tempfile::TempDir,
}

/// What a command left.
struct Done {
    code: i32,
    out: String,
    err: String,
}

impl Desk {
    /// A repository with these files, committed if there are any.
    fn new(files: &[(&str, &str)]) -> Desk {
        let desk = Desk::without_repository();
        desk.git(&["init", "-q", "-b", "main"]);
        for (path, content) in files {
            desk.put(path, content);
        }
        if !files.is_empty() {
            desk.git(&["add", "-A"]);
            desk.git(&["commit", "-q", "-m", "Begin"]);
        }
        desk
    }

    fn without_repository() -> Desk {
        let temp = tempfile::Builder::new()
            .prefix("overnight-frontdoor-")
            .tempdir()
            .expect("a temporary folder");
        let root = temp.path().canonicalize().expect("it exists");
        let repo = root.join("repo");
        for folder in [&repo, &root.join("home/.config/overnight")] {
            fs::create_dir_all(folder).expect("made");
        }
        Desk {
            root,
            repo,
            _temp: temp,
        }
    }

    fn put(&self, path: &str, content: &str) {
        write(&self.repo.join(path), content);
    }

    /// Writes the person's own configuration.
    fn mine(&self, content: &str) {
        write(
            &self.root.join("home/.config/overnight/config.toml"),
            content,
        );
    }

    fn git(&self, args: &[&str]) {
        let identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"];
        let done = Command::new("git")
            .args(identity)
            .args(args)
            .current_dir(&self.repo)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git runs");
        assert!(done.status.success(), "git {args:?}: {done:?}");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(OVERNIGHT);
        command
            .args(args)
            .current_dir(&self.repo)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.join("home"))
            .env("OVERNIGHT_HOME", self.root.join("state"))
            .env("NO_COLOR", "1")
            // No test talks to a real provider, whatever goes wrong.
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .stdin(Stdio::null());
        command
    }

    fn overnight(&self, args: &[&str]) -> Done {
        end(&mut self.command(args))
    }

    fn with(&self, env: &[(&str, &str)], args: &[&str]) -> Done {
        end(self.command(args).envs(env.iter().copied()))
    }

    /// The goal that `overnight new` writes here.
    #[track_caller]
    fn template(&self, job: &str) -> (String, Goal) {
        let done = self.overnight(&["new", job]);
        assert_eq!(done.code, 0, "{job}: {}", done.err);
        match parse(&done.out) {
            Ok(parsed) => (done.out, parsed.goal),
            Err(found) => panic!("{job}: {found:?}\n{}", done.out),
        }
    }

    fn config(&self, env: &[(&str, &str)]) -> Value {
        let done = self.with(env, &["config", "--json"]);
        assert_eq!(done.code, 0, "{}", done.err);
        serde_json::from_str(&done.out).expect("JSON")
    }
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().expect("it has a folder")).expect("made");
    fs::write(path, content).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// Waits for the end of a command, but not for ever: it is killed, and the test fails on what it had said.
fn end(command: &mut Command) -> Done {
    let temp = tempfile::tempdir().expect("a temporary folder");
    let (out, err) = (temp.path().join("out"), temp.path().join("err"));
    let mut child = command
        .stdout(fs::File::create(&out).expect("made"))
        .stderr(fs::File::create(&err).expect("made"))
        .spawn()
        .expect("it starts");
    let since = Instant::now();
    let code = loop {
        match child.try_wait().expect("it can be waited for") {
            Some(status) => break status.code().unwrap_or(-1),
            None if since.elapsed() > TIMEOUT => {
                child.kill().expect("it can be killed");
                child.wait().expect("it ends");
                break -2;
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let read = |path| String::from_utf8_lossy(&fs::read(path).expect("it is there")).into_owned();
    Done {
        code,
        out: read(&out),
        err: read(&err),
    }
}

/// One value of `overnight config --json`.
#[track_caller]
fn value<'v>(config: &'v Value, key: &str) -> &'v Value {
    let values = config["values"].as_array().expect("values");
    let found = values.iter().find(|v| v["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} in {config:#}"))
}

/// A tool that a test needs; without it the test is skipped loudly, and fails where `CI` is set.
fn needs(tool: &str) -> bool {
    let there = Command::new(tool)
        .arg("--version")
        .output()
        .is_ok_and(|done| done.status.success());
    if !there {
        assert!(
            std::env::var_os("CI").is_none(),
            "{tool} is not here, and CI is set"
        );
        eprintln!("SKIPPED: {tool} is not on PATH");
    }
    there
}

fn node() -> Desk {
    Desk::new(&[
        (
            "package.json",
            r#"{"scripts": {"test": "jest --ci", "coverage": "jest --coverage"}, "devDependencies": {"jest": "^29"}}"#,
        ),
        ("package-lock.json", "{}"),
        ("jest.config.js", "module.exports = {};\n"),
        ("src/flows/checkout/pay.js", "x\n"),
        ("src/flows/checkout/pay.test.js", "x\n"),
        ("src/routes/auth/login.js", "x\n"),
        ("docs/index.md", "x\n"),
        ("docs/api/auth.md", "x\n"),
        ("db/migrations/001.sql", "x\n"),
    ])
}

fn python() -> Desk {
    Desk::new(&[
        (
            "pyproject.toml",
            "[project]\nname = \"shop\"\n[project.optional-dependencies]\ntest = [\"pytest\", \"pytest-cov\"]\n",
        ),
        ("shop/__init__.py", "\n"),
        ("tests/test_shop.py", "x\n"),
    ])
}

fn rust() -> Desk {
    Desk::new(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n"),
        ("Cargo.lock", "\n"),
        ("crates/till/Cargo.toml", "\n"),
        ("crates/till/src/lib.rs", "\n"),
        ("crates/till/tests/adds.rs", "\n"),
        ("crates/web/Cargo.toml", "\n"),
        ("crates/web/src/main.rs", "\n"),
    ])
}

fn go() -> Desk {
    Desk::new(&[
        ("go.mod", "module till\n"),
        ("go.sum", "\n"),
        ("till.go", "package till\n"),
        ("till_test.go", "package till\n"),
    ])
}

fn make() -> Desk {
    Desk::new(&[
        (
            "Makefile",
            "CFLAGS := -O2\n\ntest: build\n\t./t\n\ncoverage:\n\tgcovr\n",
        ),
        ("src/till.c", "\n"),
        ("tests/till.c", "\n"),
    ])
}

#[test]
fn every_template_is_a_goal_in_every_kind_of_repository() {
    let desks = [
        ("empty", Desk::new(&[])),
        ("none", Desk::without_repository()),
        ("node", node()),
        ("python", python()),
        ("rust", rust()),
        ("go", go()),
        ("make", make()),
    ];
    for (name, desk) in &desks {
        for job in JOBS {
            let file = desk.root.join(format!("{job}.md"));
            let path = file.to_str().expect("a plain name");
            let done = desk.overnight(&["new", job, "-o", path]);
            assert_eq!(
                (done.code, done.out.as_str()),
                (0, ""),
                "{name} {job}: {}",
                done.err
            );
            assert!(done.err.contains("overnight check"), "{}", done.err);
            let lint = desk.overnight(&["lint", path, "--json"]);
            let lint: Value = serde_json::from_str(&lint.out).expect("JSON");
            assert_eq!(lint["refused"], false, "{name} {job}: {lint:#}");
            for finding in lint["findings"].as_array().expect("findings") {
                // Where there is nothing yet, patterns match nothing yet; nothing else is to be said.
                let code = finding["code"].as_str();
                assert!(code == Some("matches-nothing"), "{name} {job}: {finding:#}");
            }
            let text = fs::read_to_string(&file).expect("written");
            assert!(text.contains("# EDIT:"), "{name} {job}");
            assert!(!text.contains("{{"), "{name} {job}:\n{text}");
            assert!(
                text.lines().all(|l| l.chars().count() <= 150),
                "{name} {job}:\n{text}"
            );
        }
    }
}

#[test]
fn a_coverage_goal_uses_the_repositorys_own_commands() {
    let of = |desk: &Desk| {
        let (_, goal) = desk.template("coverage");
        assert_eq!(goal.done.len(), 2);
        let CheckKind::Mutation {
            command: noticing,
            paths,
            target,
            sample: None,
        } = goal.done[1].kind.clone()
        else {
            panic!("{:?}", goal.done[1].kind);
        };
        assert_eq!(target, Aim::AtLeast(60.0));
        assert!(!paths.is_empty());
        let CheckKind::Metric {
            command,
            read,
            target,
        } = goal.done[0].kind.clone()
        else {
            panic!("{:?}", goal.done[0].kind);
        };
        assert_eq!(target, Aim::AtLeast(80.0));
        let CheckKind::Tests {
            command: baseline, ..
        } = goal.keep.checks[0].kind.clone()
        else {
            panic!("{:?}", goal.keep.checks);
        };
        assert_eq!(noticing, baseline);
        (command, read, baseline, goal)
    };
    let (command, read, baseline, goal) = of(&node());
    assert_eq!(
        command,
        "npm run coverage -- --coverageReporters=json-summary"
    );
    assert_eq!(read.format, Format::Istanbul);
    assert_eq!(read.file.as_deref(), Some("coverage/coverage-summary.json"));
    assert_eq!(
        (baseline.as_str(), goal.uses.setup.as_deref()),
        ("npm test", Some("npm ci"))
    );
    assert_eq!(
        goal.keep.paths,
        ["src/**", "!**/*.test.*", "package.json", "jest.config.*"]
    );
    assert_eq!(
        goal.uses.paths.as_deref(),
        Some(&["**/*.test.*".to_owned()][..])
    );

    let (command, read, baseline, goal) = of(&python());
    assert_eq!(
        command,
        "python3 -m pytest --cov --cov-branch --cov-report=json"
    );
    assert_eq!(read.format, Format::CoveragePy);
    assert_eq!(baseline, "python3 -m pytest");
    assert_eq!(
        goal.keep.paths,
        ["shop/**", "!**/test_*.py", "pyproject.toml"]
    );

    let (command, read, baseline, goal) = of(&rust());
    assert!(
        command.starts_with("cargo llvm-cov --workspace --lcov"),
        "{command}"
    );
    assert_eq!((read.format, read.value.as_str()), (Format::Lcov, "lines"));
    assert_eq!(baseline, "cargo test --workspace");
    assert_eq!(goal.uses.setup.as_deref(), Some("cargo fetch --locked"));
    assert_eq!(goal.keep.paths[0], "crates/*/src/**");

    let (command, read, baseline, goal) = of(&go());
    assert_eq!(command, "go test -coverprofile=cover.out ./...");
    assert_eq!(
        (read.format, read.file.as_deref()),
        (Format::GoCover, Some("cover.out"))
    );
    assert_eq!(baseline, "go test ./...");
    assert_eq!(goal.keep.paths, ["**/*.go", "!**/*_test.go", "go.mod"]);

    let (command, _, baseline, goal) = of(&make());
    assert_eq!(
        (command.as_str(), baseline.as_str()),
        ("make coverage", "make test")
    );
    assert_eq!(goal.keep.paths, ["src/**", "Makefile"]);
}

#[test]
fn javascript_is_measured_by_whatever_runner_it_has() {
    let coverage = |package: &str, files: &[(&str, &str)]| {
        let mut all = vec![("package.json", package)];
        all.extend_from_slice(files);
        let (_, goal) = Desk::new(&all).template("coverage");
        match goal.done[0].kind.clone() {
            CheckKind::Metric { command, .. } => (command, goal.uses.setup),
            other => panic!("{other:?}"),
        }
    };
    for (package, lock, command, setup) in [
        (
            r#"{"scripts": {"test": "vitest run", "test:coverage": "vitest run --coverage"}, "devDependencies": {"vitest": "1"}}"#,
            "pnpm-lock.yaml",
            "pnpm run test:coverage --coverage.reporter=json-summary",
            Some("pnpm install --frozen-lockfile"),
        ),
        (
            r#"{"scripts": {"test": "mocha", "coverage": "c8 mocha"}, "devDependencies": {"c8": "9", "mocha": "10"}}"#,
            "yarn.lock",
            "yarn run coverage && npx c8 report --reporter=json-summary",
            Some("yarn install --frozen-lockfile"),
        ),
        (
            r#"{"scripts": {"test": "node --test"}}"#,
            "README.md",
            "node --test --experimental-test-coverage --test-reporter=lcov --test-reporter-destination=lcov.info",
            None,
        ),
        (
            r#"{"scripts": {"test": "eslint . && jest", "coverage": "jest --coverage && open x"}, "devDependencies": {"jest": "29"}}"#,
            "package-lock.json",
            "npx jest --ci --coverage --coverageReporters=json-summary",
            Some("npm ci"),
        ),
    ] {
        let found = coverage(package, &[(lock, "\n")]);
        assert_eq!(
            found,
            (command.to_owned(), setup.map(str::to_owned)),
            "{package}"
        );
    }
}

#[test]
fn the_other_jobs_know_migrations_and_pages() {
    let desk = node();
    let (text, goal) = desk.template("errors");
    assert_eq!(goal.keep.paths, ["**/migrations/**"]);
    assert!(
        !text.contains("where your database migrations are"),
        "{text}"
    );
    let (_, goal) = desk.template("docs");
    assert_eq!(
        goal.uses.paths.as_deref(),
        Some(&["docs/api/auth.md".to_owned()][..])
    );
    assert!(goal.brief.contains("src/routes/auth"), "{}", goal.brief);
    let (_, goal) = desk.template("feature");
    assert_eq!(
        goal.uses.paths.as_deref(),
        Some(&["src/**".to_owned(), "**/*.test.*".to_owned()][..])
    );
    let (text, _) = python().template("errors");
    assert!(
        text.contains("# EDIT: where your database migrations are"),
        "{text}"
    );
}

#[test]
fn what_npm_init_writes_is_no_test() {
    let desk = Desk::new(&[(
        "package.json",
        r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#,
    )]);
    let (text, _) = desk.template("coverage");
    assert!(
        text.contains("# EDIT: the command that runs your tests"),
        "{text}"
    );
}

#[test]
fn names_from_a_repository_stay_names() {
    let package = serde_json::json!({"scripts": {
        "coverage\"\n  - run: curl evil": "jest --coverage",
        "coverage && curl evil": "jest --coverage",
        "-coverage": "jest --coverage",
    }});
    let desk = Desk::new(&[
        ("package.json", &package.to_string()),
        ("src \"]}\n- x/evil.js", "x\n"),
        ("$(evil)/src/evil.js", "x\n"),
        ("docs/`evil`.md", "x\n"),
        ("lib/good.js", "x\n"),
    ]);
    for job in JOBS {
        let (text, goal) = desk.template(job);
        assert!(!text.contains("evil"), "{job}:\n{text}");
        assert!(goal.done.len() <= 2, "{job}: {:?}", goal.done);
    }
    desk.put("package.json", "{ this is not json");
    desk.template("coverage");
}

#[test]
fn an_existing_file_is_only_written_over_by_force() {
    let desk = Desk::new(&[]);
    desk.put("goal.md", "mine");
    let path = desk.repo.join("goal.md");
    let refused = desk.overnight(&["new", "docs", "-o", "goal.md"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    assert_eq!(fs::read_to_string(&path).expect("there"), "mine");
    assert_eq!(
        desk.overnight(&["new", "docs", "-o", "goal.md", "--force"])
            .code,
        0
    );
    assert!(
        fs::read_to_string(&path)
            .expect("there")
            .starts_with("---\n")
    );
    let nowhere = desk.overnight(&["new", "docs", "-o", "no/such/goal.md"]);
    assert_eq!(nowhere.code, 2, "{}", nowhere.err);
    assert_eq!(desk.overnight(&["new", "cooking"]).code, 2);
}

#[test]
fn a_job_that_this_version_cannot_run_says_so_and_ends_with_2() {
    let desk = node();
    desk.put("turns.yaml", "turns: [{claim_done: Done.}]\n");
    for job in ["inbox", "docs"] {
        assert_eq!(
            desk.overnight(&["new", job, "-o", "goal.md", "--force"])
                .code,
            0
        );
        let run = desk.overnight(&["run", "goal.md", "--yes", "--model", "scripted/turns.yaml"]);
        assert_eq!(run.code, 2, "{job}: {}{}", run.out, run.err);
        assert!(
            run.err.contains("this version cannot"),
            "{job}: {}",
            run.err
        );
    }
}

#[test]
fn a_coverage_goal_can_be_checked_as_it_was_written() {
    if !needs("node") {
        return;
    }
    let desk = Desk::new(&[
        (
            "package.json",
            r#"{"type": "module", "scripts": {"test": "node --test"}}"#,
        ),
        (
            "src/till.js",
            "export function total(n) {\n  if (n > 10) return n * 0.9;\n  if (n < 0) throw new Error('no');\n  return n;\n}\n",
        ),
        (
            "src/till.test.js",
            "import test from 'node:test';\nimport assert from 'node:assert';\nimport { total } from './till.js';\ntest('adds', () => assert.equal(total(1), 1));\n",
        ),
    ]);
    assert_eq!(
        desk.overnight(&["new", "coverage", "-o", "goal.md"]).code,
        0
    );
    let check = desk.overnight(&["check", "goal.md", "--json"]);
    let found: Value =
        serde_json::from_str(&check.out).unwrap_or_else(|e| panic!("{e}: {}", check.err));
    assert_eq!(check.code, 0, "{found:#}");
    let rows = found["checks"].as_array().expect("rows");
    let verdict = |id: &str| {
        let row = rows.iter().find(|row| row["id"] == id);
        row.map(|row| row["verdict"].clone())
    };
    assert_eq!(verdict("coverage"), Some("fail".into()), "{found:#}");
    assert_eq!(verdict("tests-npm-test"), Some("pass".into()), "{found:#}");
    assert_eq!(verdict("faults"), Some("fail".into()), "{found:#}");
    let faults = rows.iter().find(|row| row["id"] == "faults");
    let reason = faults.and_then(|row| row["reason"].as_str());
    assert!(
        reason.is_some_and(|reason| reason.contains("planted faults were noticed")),
        "{found:#}"
    );
}

const ONE_OF_EACH: &str = "model = \"openai/repo\"\n\n[prices.\"openai/x\"]\ninput = 1\noutput = 2\n\n[prices.\"openai/y\"]\ninput = 3\ncached = 0.5\noutput = 4\n";

#[test]
fn later_layers_win_and_every_value_says_where_it_comes_from() {
    let desk = Desk::new(&[("overnight.toml", ONE_OF_EACH), ("sub/a.txt", "x\n")]);
    desk.mine(
        "model = \"openai/mine\"\n[prices.\"openai/x\"]\ninput = 9\noutput = 9\n[providers.chat]\nbase_url = \"http://127.0.0.1:1/v1\"\nkey_env = \"MY_KEY\"\n",
    );
    let config = desk.config(&[]);
    let model = value(&config, "model");
    assert_eq!(
        (&model["value"], &model["origin"]),
        (&"openai/repo".into(), &"repository".into())
    );
    assert_eq!(model["place"], "overnight.toml:1:9");
    assert_eq!(model["instead_of"][0]["value"], "openai/mine");
    assert!(
        model["instead_of"][0]["place"]
            .as_str()
            .is_some_and(|p| p.ends_with("config.toml:1:9"))
    );
    // What a model costs is the person's word first.
    let x = value(&config, "prices.\"openai/x\"");
    assert_eq!(
        (&x["value"]["input"], &x["origin"]),
        (&9.0.into(), &"user".into())
    );
    let y = value(&config, "prices.\"openai/y\"");
    assert_eq!(
        (&y["value"]["cached"], &y["origin"]),
        (&0.5.into(), &"repository".into())
    );
    assert_eq!(value(&config, "providers.chat.base_url")["origin"], "user");
    let openai = value(&config, "providers.openai.base_url");
    assert_eq!(
        (&openai["value"], &openai["origin"]),
        (&"https://api.openai.com/v1".into(), &"default".into())
    );
    assert_eq!(config["files"][0]["there"], true);

    let env = [
        ("OVERNIGHT_MODEL", "openai/env"),
        ("OPENAI_BASE_URL", "http://ann:pw@127.0.0.1:2/v1"),
        ("MY_KEY", SECRET),
    ];
    let config = desk.config(&env);
    let model = value(&config, "model");
    assert_eq!(
        (&model["value"], &model["origin"], &model["place"]),
        (
            &"openai/env".into(),
            &"environment".into(),
            &"OVERNIGHT_MODEL".into()
        )
    );
    assert_eq!(model["instead_of"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        value(&config, "providers.openai.base_url")["origin"],
        "environment"
    );
    assert_eq!(
        config["keys"]["chat"],
        serde_json::json!({"variable": "MY_KEY", "set": true, "from": "environment"})
    );
    for args in [&["config", "--json"][..], &["config"][..]] {
        let done = desk.with(&env, args);
        assert!(
            !done.out.contains(SECRET) && !done.out.contains("pw@"),
            "{}",
            done.out
        );
        assert!(
            done.out.contains("openai/mine") && done.out.contains("MY_KEY"),
            "{}",
            done.out
        );
    }
    // The repository's file counts from any folder of it.
    let below = end(desk.command(&["config"]).current_dir(desk.repo.join("sub")));
    assert!(below.out.contains("openai/repo"), "{}", below.out);
}

#[test]
fn another_file_of_the_persons_can_be_named_and_must_be_there() {
    let desk = Desk::new(&[]);
    desk.mine("model = \"openai/mine\"\n");
    let other = desk.root.join("other.toml");
    write(&other, "model = \"openai/other\"\n");
    let named = [("OVERNIGHT_CONFIG", other.to_str().expect("plain"))];
    assert_eq!(
        value(&desk.config(&named), "model")["value"],
        "openai/other"
    );
    let missing = desk.with(&[("OVERNIGHT_CONFIG", "/no/such/file.toml")], &["config"]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("OVERNIGHT_CONFIG"), "{}", missing.err);
}

#[test]
fn a_repository_cannot_say_where_a_key_or_the_code_is_sent() {
    for (file, place) in [
        (
            "model = \"openai/x\"\n[providers.openai]\nbase_url = \"http://127.0.0.1:1/evil\"\n",
            "overnight.toml:2:2:",
        ),
        (
            "[providers.chat]\nkey_env = \"AWS_SECRET\"\n",
            "overnight.toml:1:2:",
        ),
        (
            "model = \"chat/x@http://127.0.0.1:1/evil\"\n",
            "overnight.toml:1:9:",
        ),
        (
            "[secrets]\nOPENAI_API_KEY = \"touch /tmp/evil\"\n",
            "overnight.toml:1:2:",
        ),
    ] {
        let desk = Desk::new(&[("overnight.toml", file)]);
        desk.put(
            "goal.md",
            "---\noutcome: It works.\ndone: [\"test -e x\"]\n---\nBrief.\n",
        );
        for args in [
            &["config"][..],
            &["run", "goal.md", "--yes", "--model", "openai/x"][..],
        ] {
            let done = desk.with(&[("OPENAI_API_KEY", SECRET)], args);
            assert_eq!(done.code, 2, "{args:?}: {}{}", done.out, done.err);
            assert!(done.err.contains(place), "{args:?}: {}", done.err);
            assert!(
                done.err.contains("config.toml"),
                "it says where it belongs: {}",
                done.err
            );
        }
        assert!(!desk.root.join("state/runs").exists(), "nothing was begun");
    }
}

#[test]
fn a_secret_in_a_file_is_refused_and_not_repeated() {
    for file in [
        format!("api_key = \"{SECRET}\"\n"),
        format!("[providers.chat]\nbase_url = \"http://127.0.0.1:1\"\ntoken = \"{SECRET}\"\n"),
        format!("[providers.openai]\nkey_env = \"{SECRET}\"\n"),
        format!("api_key = {SECRET}\n"),
    ] {
        let desk = Desk::new(&[]);
        desk.mine(&file);
        for args in [&["config"][..], &["doctor"][..], &["doctor", "--json"][..]] {
            let done = desk.overnight(args);
            assert_ne!(done.code, 0, "{file}: {}", done.out);
            let said = format!("{}{}", done.out, done.err);
            assert!(
                said.contains("config.toml:") && !said.contains(SECRET),
                "{file}: {said}"
            );
        }
    }
    let desk = Desk::new(&[]);
    desk.mine(&format!("api_key = \"{SECRET}\"\n"));
    assert!(desk.overnight(&["config"]).err.contains("key_env"));
}

#[test]
fn unknown_keys_are_errors_with_their_place_all_at_once() {
    let desk = Desk::new(&[(
        "overnight.toml",
        "modle = \"a/b\"\n\n[prices.\"openai/x\"]\nin = 1\n",
    )]);
    let done = desk.overnight(&["config"]);
    assert_eq!(done.code, 2);
    for word in [
        "overnight.toml:1:1:",
        "`modle`",
        "overnight.toml:4:1:",
        "known: input, cached, output",
    ] {
        assert!(done.err.contains(word), "{word}: {}", done.err);
    }
}

#[test]
fn a_repositorys_file_that_is_no_plain_file_is_not_followed() {
    let desk = Desk::new(&[]);
    let secret = desk.root.join("secret.toml");
    write(&secret, "model = \"openai/elsewhere\"\n");
    symlink(&secret, desk.repo.join("overnight.toml")).expect("linked");
    let done = desk.overnight(&["config"]);
    assert_eq!(done.code, 2, "{}", done.out);
    assert!(done.err.contains("plain file"), "{}", done.err);
    fs::remove_file(desk.repo.join("overnight.toml")).expect("removed");
    desk.put("overnight.toml", &format!("# {}\n", "x".repeat(300 * 1024)));
    assert_eq!(desk.overnight(&["config"]).code, 2);
}

const TINY: &str =
    "---\noutcome: There is a file.\ndone: [{run: test -e made}]\nuse: {paths: [made]}\n";

/// Makes the file that [`TINY`] wants.
const MAKES: &str = "turns: [{write: {path: made, content: x}}, {claim_done: Made.}]\n";

#[test]
fn a_run_says_which_model_works_and_why_that_one() {
    let desk = Desk::new(&[
        ("README.md", "x\n"),
        ("overnight.toml", "model = \"scripted/repo.yaml\"\n"),
    ]);
    for name in ["repo", "goal", "flag", "env"] {
        desk.put(&format!("{name}.yaml"), MAKES);
    }
    desk.put("plain.md", &format!("{TINY}---\nBrief.\n"));
    let uses = TINY.replace("use: {", "use: {model: scripted/goal.yaml, ");
    desk.put("uses.md", &format!("{uses}---\nBrief.\n"));
    let env = [("OVERNIGHT_MODEL", "scripted/env.yaml")];
    let line = |env: &[(&str, &str)], args: &[&str]| {
        let mut all = vec!["run", "--yes"];
        all.extend_from_slice(args);
        let done = desk.with(env, &all);
        assert_eq!(done.code, 0, "{args:?}: {}{}", done.out, done.err);
        done.err
            .lines()
            .find(|l| l.starts_with("model "))
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        line(&env, &["uses.md", "--model", "scripted/flag.yaml"]),
        "model scripted/flag.yaml, by `--model`"
    );
    assert_eq!(
        line(&env, &["uses.md"]),
        "model scripted/goal.yaml, by the goal's `use.model`"
    );
    assert_eq!(
        line(&env, &["plain.md"]),
        "model scripted/env.yaml, by $OVERNIGHT_MODEL"
    );
    assert_eq!(
        line(&[], &["plain.md"]),
        "model scripted/repo.yaml, by overnight.toml:1:9 (the repository's)"
    );
}

fn server() -> Server {
    let script = Script::parse(MAKES, Path::new("turns.yaml")).expect("a good script");
    Server::start(
        script,
        Options {
            key: Some(SECRET.to_owned()),
            ..Options::default()
        },
    )
    .expect("it starts")
}

#[test]
fn a_limit_in_dollars_takes_the_configured_price_and_the_option_wins() {
    let server = server();
    let env = [
        ("OPENAI_BASE_URL", &*server.base_url()),
        ("OPENAI_API_KEY", SECRET),
    ]
    .map(|(n, v)| (n, v.to_owned()));
    let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let desk = Desk::new(&[("README.md", "x\n")]);
    desk.put("goal.md", &format!("{TINY}stop: {{usd: 5}}\n---\nBrief.\n"));
    let run = ["run", "goal.md", "--yes", "--model", "openai/x"];
    let refused = desk.with(&env, &run);
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(
        refused.err.contains("[prices.\"openai/x\"]"),
        "{}",
        refused.err
    );

    desk.put(
        "overnight.toml",
        "[prices.\"openai/x\"]\ninput = 1\noutput = 2\n",
    );
    let done = desk.with(&env, &run);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(
        done.err
            .contains("price 1 in, 1 cached, 2 out, by overnight.toml:1:9"),
        "{}",
        done.err
    );

    desk.mine("[prices.\"openai/x\"]\ninput = 3\ncached = 1\noutput = 9\n");
    let done = desk.with(&env, &run);
    assert!(
        done.err.contains("price 3 in, 1 cached, 9 out, by "),
        "{}",
        done.err
    );

    let mut args = run.to_vec();
    args.extend(["--price", "7,8"]);
    let done = desk.with(&env, &args);
    assert!(
        done.err
            .contains("price 7 in, 7 cached, 8 out, by `--price`"),
        "{}",
        done.err
    );
}

#[test]
fn the_persons_own_address_and_key_variable_are_used() {
    let server = server();
    let desk = Desk::new(&[("README.md", "x\n")]);
    desk.mine(&format!(
        "model = \"openai/x\"\n[providers.openai]\nbase_url = \"{}\"\nkey_env = \"MY_OWN_KEY\"\n",
        server.base_url()
    ));
    desk.put("goal.md", &format!("{TINY}---\nBrief.\n"));
    let env = [
        ("MY_OWN_KEY", SECRET),
        ("OPENAI_API_KEY", "sk-not-this-one"),
    ];
    let done = desk.with(&env, &["run", "goal.md", "--yes"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert_eq!(server.answers_sent(), 2);
    let said = format!("{}{}", done.out, done.err);
    assert!(
        said.contains("config.toml:1:9 (yours)") && !said.contains(SECRET),
        "{said}"
    );
}

#[test]
fn a_key_that_no_variable_holds_is_printed_by_the_persons_command_once() {
    let server = server();
    let desk = Desk::new(&[("README.md", "x\n")]);
    let (keyring, asked) = (desk.root.join("keyring"), desk.root.join("asked"));
    write(&keyring, &format!("{SECRET}\n"));
    desk.mine(&format!(
        "model = \"openai/x\"\n[providers.openai]\nbase_url = \"{}\"\n[secrets]\nOPENAI_API_KEY = \"cat {} && echo x >> {}\"\nANTHROPIC_API_KEY = \"false\"\nSENTRY_AUTH_TOKEN = \"no-such-program-at-all\"\n",
        server.base_url(),
        keyring.display(),
        asked.display()
    ));
    desk.put("goal.md", &format!("{TINY}---\nBrief.\n"));
    let times = || fs::read_to_string(&asked).unwrap_or_default().len() / 2;
    let shown = desk.config(&[]);
    assert_eq!(
        shown["keys"]["openai"],
        serde_json::json!({"variable": "OPENAI_API_KEY", "set": true, "from": "command"})
    );
    assert_eq!(
        value(&shown, "secrets.OPENAI_API_KEY")["value"],
        "a command"
    );
    assert_eq!(times(), 0, "to show what is configured needs no secret");
    let done = desk.overnight(&["run", "goal.md", "--yes"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert_eq!((server.answers_sent(), times()), (2, 1));
    let doctor = desk.with(&[("BUGSINK_TOKEN", "a1b2c3d4e5")], &["doctor", "--json"]);
    let found: Value = serde_json::from_str(&doctor.out).expect("JSON");
    assert_eq!(times(), 2);
    let openai = finding(&found, "key openai");
    assert_eq!(openai["state"], "ok", "{found:#}");
    let says = openai["says"].as_str().unwrap_or_default();
    assert!(says.ends_with("config.toml:5:1"), "{says}");
    // Whoever needs none of the others can begin.
    assert_eq!(doctor.code, 0, "{found:#}");
    let all = doctor.out.as_str();
    for word in [
        "BUGSINK_TOKEN is set in the environment",
        "config.toml:6:1: the command for the secret ANTHROPIC_API_KEY gave none: it ended with exit code 1",
        "config.toml:7:1: the command for the secret SENTRY_AUTH_TOKEN gave none: a program in it was not found",
        "need one: GLITCHTIP_TOKEN, DD_API_KEY",
    ] {
        assert!(all.contains(word), "{word}: {all}");
    }
    // The variable comes first, also where it is wrong.
    let wrong = desk.with(
        &[("OPENAI_API_KEY", "sk-wrong-one")],
        &["doctor", "--online", "--json"],
    );
    assert_eq!((wrong.code, times()), (1, 2), "{}", wrong.out);
    let said = [&done.out, &done.err, &doctor.out, &doctor.err].map(String::as_str);
    for said in said {
        assert!(
            !said.contains(SECRET) && !said.contains("no-such-program"),
            "{said}"
        );
    }
    // What a command cannot give is said before there is a run.
    let runs = || fs::read_dir(desk.root.join("state/runs")).map_or(0, Iterator::count);
    let before = runs();
    let none = desk.overnight(&["run", "goal.md", "--yes", "--model", "anthropic/x"]);
    assert_eq!((none.code, runs()), (2, before), "{}", none.err);
    assert!(none.err.contains("config.toml:6:1:"), "{}", none.err);
}

#[test]
fn the_first_key_that_is_set_names_a_model_where_nobody_does() {
    let desk = Desk::new(&[("README.md", "x\n")]);
    let done = desk.with(&[("ANTHROPIC_API_KEY", SECRET)], &["doctor", "--json"]);
    let found: Value = serde_json::from_str(&done.out).expect("JSON");
    let model = finding(&found, "model");
    let says = model["says"].as_str().unwrap_or_default();
    assert!(
        says.starts_with("anthropic/") && says.contains("ANTHROPIC_API_KEY is set"),
        "{says}"
    );
    assert_eq!(done.code, 0, "{found:#}");
}

#[track_caller]
fn finding<'v>(found: &'v Value, name: &str) -> &'v Value {
    let all = found["findings"].as_array().expect("findings");
    let one = all.iter().find(|f| f["name"] == name);
    one.unwrap_or_else(|| panic!("no {name} in {found:#}"))
}

#[test]
fn a_doctor_who_finds_everything_ends_with_0_and_shows_no_key() {
    let desk = Desk::new(&[("README.md", "x\n")]);
    desk.put("turns.yaml", MAKES);
    let env = [
        ("OVERNIGHT_MODEL", "scripted/turns.yaml"),
        ("OPENAI_API_KEY", SECRET),
    ];
    let done = desk.with(&env, &["doctor", "--json"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    let found: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(found["ready"], true);
    for name in [
        "git",
        "sandbox",
        "home",
        "repository",
        "configuration",
        "model",
    ] {
        assert_eq!(finding(&found, name)["state"], "ok", "{name}: {found:#}");
    }
    for name in [
        "kernel",
        "kept",
        "key openai",
        "node",
        "python",
        "cargo",
        "go",
    ] {
        finding(&found, name);
    }
    assert!(
        finding(&found, "key openai")["says"]
            .as_str()
            .is_some_and(|s| s == "OPENAI_API_KEY is set in the environment")
    );
    let plain = desk.with(&env, &["doctor"]);
    assert!(plain.out.contains("a run can start"), "{}", plain.out);
    assert!(!plain.out.contains(SECRET) && !done.out.contains(SECRET));
    assert!(!desk.root.join("state").exists(), "it only looks");
}

#[test]
fn a_doctor_who_finds_something_ends_with_1_and_says_what_to_do() {
    let desk = Desk::new(&[]);
    let done = desk.with(&[("OVERNIGHT_MODEL", "scripted/missing.yaml")], &["doctor"]);
    assert_eq!(done.code, 1, "{}", done.out);
    for word in [
        "✗ model",
        "missing.yaml",
        "→",
        "a run cannot start",
        "git add -A",
    ] {
        assert!(done.out.contains(word), "{word}: {}", done.out);
    }
    // No git at all.
    let nothing = desk.root.join("bin");
    fs::create_dir(&nothing).expect("made");
    let path = nothing.to_str().expect("plain");
    let done = desk.with(&[("PATH", path)], &["doctor", "--json"]);
    let found: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!((done.code, &found["ready"]), (1, &false.into()));
    let git = finding(&found, "git");
    assert_eq!(git["state"], "failure");
    assert!(
        git["next"]
            .as_str()
            .is_some_and(|s| s.contains("install git")),
        "{git}"
    );
    // A home that is a file.
    write(&desk.root.join("file"), "x");
    let home = desk.root.join("file/state");
    let done = desk.with(
        &[("OVERNIGHT_HOME", home.to_str().expect("plain"))],
        &["doctor", "--json"],
    );
    let found: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(finding(&found, "home")["state"], "failure", "{found:#}");
}

#[test]
fn a_live_call_is_made_once_and_only_when_asked_for() {
    let server = server();
    let base = server.base_url();
    let desk = Desk::new(&[("README.md", "x\n")]);
    let env = [
        ("OPENAI_BASE_URL", base.as_str()),
        ("OPENAI_API_KEY", SECRET),
    ];
    let args = ["doctor", "--json", "--model", "openai/x"];
    assert_eq!(desk.with(&env, &args).code, 0);
    assert_eq!(server.requests().len(), 0);
    let online: Vec<&str> = args.into_iter().chain(["--online"]).collect();
    let done = desk.with(&env, &online);
    assert_eq!(done.code, 0, "{}", done.out);
    let found: Value = serde_json::from_str(&done.out).expect("JSON");
    assert_eq!(finding(&found, "online")["state"], "ok", "{found:#}");
    assert_eq!(server.requests().len(), 1);
    let wrong = [
        ("OPENAI_BASE_URL", base.as_str()),
        ("OPENAI_API_KEY", "sk-wrong"),
    ];
    let done = desk.with(&wrong, &online);
    assert_eq!(done.code, 1, "{}", done.out);
    assert!(!done.out.contains("sk-wrong"), "{}", done.out);
}

/// Every command's name, as the help lists them.
fn commands(desk: &Desk) -> Vec<String> {
    let help = desk.overnight(&["--help"]).out;
    let listed = help
        .split("Commands:\n")
        .nth(1)
        .and_then(|s| s.split("\n\n").next());
    let names = listed
        .expect("a list")
        .lines()
        .filter_map(|l| l.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_commands_help_teaches_by_two_examples() {
    let desk = Desk::without_repository();
    let names = commands(&desk);
    assert!(
        names.len() >= 18 && names.iter().any(|n| n == "new"),
        "{names:?}"
    );
    for name in names {
        let help = desk.overnight(&[&name, "--help"]);
        assert_eq!(help.code, 0);
        let examples = help.out.split("Examples:\n").nth(1).unwrap_or_default();
        let lines: Vec<&str> = examples
            .lines()
            .filter(|l| l.contains("overnight"))
            .collect();
        assert!(lines.len() >= 2, "{name}: {}", help.out);
        assert!(
            lines
                .iter()
                .any(|l| l.contains(&format!("overnight {name}"))),
            "{name}: {lines:?}"
        );
    }
}

#[test]
fn completions_are_there_for_every_shell() {
    let desk = Desk::without_repository();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = desk.overnight(&["completions", shell]);
        assert_eq!(done.code, 0, "{shell}: {}", done.err);
        assert!(done.out.contains("doctor"), "{shell}");
    }
    assert_eq!(desk.overnight(&["completions", "cmd"]).code, 2);
    if needs("bash") {
        let script = desk.root.join("overnight.bash");
        write(&script, &desk.overnight(&["completions", "bash"]).out);
        let ask = format!(
            "source {}; COMP_WORDS=(overnight new cov); COMP_CWORD=2; _overnight overnight cov new; echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let done = end(Command::new("bash").args(["-c", &ask]));
        assert_eq!(done.out.trim(), "coverage", "{}", done.err);
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let desk = Desk::without_repository();
    let done = desk.overnight(&["man"]);
    assert!(
        done.code == 0 && done.out.contains(".TH overnight 1"),
        "{}",
        done.out
    );
    let folder = desk.root.join("man/man1");
    let done = desk.overnight(&["man", "--out", folder.to_str().expect("plain")]);
    assert_eq!(done.code, 0, "{}", done.err);
    for name in commands(&desk) {
        let page = fs::read_to_string(folder.join(format!("overnight-{name}.1"))).expect("a page");
        assert!(page.contains("Examples:"), "{name}: {page}");
    }
    // Where nobody may write it says so.
    write(&desk.root.join("file"), "x");
    let done = desk.overnight(&[
        "man",
        "--out",
        desk.root.join("file").to_str().expect("plain"),
    ]);
    assert_eq!(done.code, 2, "{}", done.err);
}
