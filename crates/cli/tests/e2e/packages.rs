//! Published packages: the older of two consecutive releases with the newer one's tests is the base, and the newer
//! implementation is the work. What really was published completes; nothing, a planted fault and a deleted old test do
//! not. One test for each package, so that they are told apart. The packages are in `tests/packages`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sim::server::Server;

use crate::world::{Done, World, have, model, told, tools};

/// Where the packages are.
fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages")
}

/// The files of a release, by their paths. Only those of the newer one that differ are kept.
pub fn release(name: &str, version: &str) -> BTreeMap<String, String> {
    let root = place().join(name).join(version);
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).expect("it is below").display();
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
            files.insert(name.to_string(), text);
        }
    }
    files
}

/// A repository of these files, with the toolchains at hand.
pub fn world(files: &BTreeMap<String, String>) -> World {
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    World::new(&files).with_toolchains()
}

/// A command line that finds the modules which were installed for the tests.
pub fn with_modules(command: &str) -> String {
    let modules = tools("mocha/node_modules").expect("whoever asks has looked for a tool there");
    format!("NODE_PATH={} {command}", modules.display())
}

/// Two consecutive releases.
struct Pair {
    name: &'static str,
    older: &'static str,
    newer: &'static str,
    /// The implementation; whatever else differs are the newer release's tests.
    implementation: &'static str,
    /// Where that file's own tests begin, if it has some: what follows belongs to the tests.
    own_tests: Option<&'static str>,
    /// The command, and the report that it writes where the harness does not know the runner.
    tests: String,
    report: Option<&'static str>,
    /// Tests that tell the releases apart.
    distinguishing: &'static [&'static str],
    /// A fault in the newer implementation: a text of it, and what is put there instead.
    fault: (&'static str, &'static str),
    /// A test that finds it.
    found_by: &'static str,
    /// An old test: its file, where it begins, and where the next one does (or nothing: it is the file's last).
    old_test: (&'static str, &'static str, &'static str),
    /// How the harness names that one.
    old_name: &'static str,
}

#[test]
fn xmltodict_from_pypi() {
    if !have("python3 -m pytest --version") {
        return;
    }
    real_work_is_told_from_the_rest(&Pair {
        name: "xmltodict",
        older: "0.12.0",
        newer: "0.13.0",
        implementation: "xmltodict.py",
        own_tests: None,
        tests: "python3 -m pytest".to_owned(),
        report: None,
        distinguishing: &[
            "test_list_expand_iter",
            "test_streaming_generator",
            "test_comments",
        ],
        fault: (
            "parser.CommentHandler = handler.comments",
            "parser.CommentHandler = handler.characters",
        ),
        found_by: "test_comments",
        old_test: (
            "tests/test_xmltodict.py",
            "    def test_streaming_interrupt(self):",
            "    def test_streaming_generator(self):",
        ),
        old_name: "test_streaming_interrupt",
    });
}

#[test]
fn parse_from_pypi() {
    if !have("python3 -m pytest --version") {
        return;
    }
    real_work_is_told_from_the_rest(&Pair {
        name: "parse",
        older: "1.20.1",
        newer: "1.20.2",
        implementation: "parse.py",
        own_tests: None,
        tests: "python3 -m pytest".to_owned(),
        report: None,
        distinguishing: &[
            "test_hyphen_inside_field_name",
            "test_hyphen_inside_field_name_collision_handling",
        ],
        fault: (
            ".replace(\"]\", \"_\").replace(\"-\", \"_\")",
            ".replace(\"]\", \"_\").replace(\"-\", \"__\")",
        ),
        found_by: "test_hyphen_inside_field_name",
        old_test: (
            "tests/test_search.py",
            "def test_multiline():",
            "def test_pos():",
        ),
        old_name: "test_multiline",
    });
}

#[test]
fn pico_args_from_crates_io() {
    if !have("cargo --version") {
        return;
    }
    real_work_is_told_from_the_rest(&Pair {
        name: "pico-args",
        older: "0.4.2",
        newer: "0.5.0",
        implementation: "src/lib.rs",
        own_tests: None,
        tests: "cargo test --offline".to_owned(),
        report: None,
        distinguishing: &[
            "eq_option_err_07",
            "opt_free_from_fn_03",
            "opt_free_from_fn_04",
        ],
        fault: (
            ".get(prefix.len()) == Some(&b'=')",
            ".get(prefix.len()).is_some()",
        ),
        found_by: "eq_option_04",
        old_test: (
            "tests/tests.rs",
            "#[test]\nfn single_short_contains() {",
            "#[test]\nfn single_long_contains() {",
        ),
        old_name: "single_short_contains",
    });
}

#[test]
fn strsim_from_crates_io() {
    if !have("cargo --version") {
        return;
    }
    real_work_is_told_from_the_rest(&Pair {
        name: "strsim",
        older: "0.10.0",
        newer: "0.11.0",
        implementation: "src/lib.rs",
        own_tests: Some("#[cfg(test)]\nmod tests {"),
        tests: "cargo test --offline".to_owned(),
        report: None,
        distinguishing: &["jaro_winkler_works"],
        fault: (".take(4)", ".take(5)"),
        found_by: "jaro_winkler_works",
        old_test: (
            "tests/lib.rs",
            "#[test]\nfn osa_distance_works() {",
            "#[test]\nfn damerau_levenshtein_works() {",
        ),
        old_name: "osa_distance_works",
    });
}

#[test]
fn minimist_from_npm() {
    if !have("tape --help") {
        return;
    }
    real_work_is_told_from_the_rest(&Pair {
        name: "minimist",
        older: "1.2.5",
        newer: "1.2.6",
        implementation: "index.js",
        own_tests: None,
        tests: with_modules("tape 'test/*.js' > results.tap"),
        report: Some("results.tap"),
        distinguishing: &[
            "proto pollution (constructor function)",
            "proto pollution (constructor function) snyk",
        ],
        fault: (
            "&& typeof obj[key] === 'function' || key === '__proto__'",
            "&& typeof obj[key] === 'function'",
        ),
        found_by: "proto pollution",
        old_test: (
            "test/dash.js",
            "test('-a -- b'",
            "test('move arguments after the --",
        ),
        old_name: "-a -- b",
    });
}

#[test]
fn shell_quote_from_npm() {
    if !have("tape --help") {
        return;
    }
    real_work_is_told_from_the_rest(&Pair {
        name: "shell-quote",
        older: "1.7.2",
        newer: "1.7.3",
        implementation: "index.js",
        own_tests: None,
        tests: with_modules("tape 'test/*.js' > results.tap"),
        report: Some("results.tap"),
        distinguishing: &["chars for windows paths don't break out"],
        fault: ("'\\\\|\\\\|', '\\\\&\\\\&', ';;'", "'\\\\|\\\\|', ';;'"),
        found_by: "double operators",
        old_test: ("test/comment.js", "test('comment'", ""),
        old_name: "comment",
    });
}

fn real_work_is_told_from_the_rest(pair: &Pair) {
    let older = release(pair.name, pair.older);
    let newer = release(pair.name, pair.newer);
    let path = pair.implementation;
    assert_ne!(older[path], newer[path], "the implementations differ");

    // The base: the older release, and of the newer one everything but the implementation.
    let mut base = older.clone();
    for (path, text) in &newer {
        if path != pair.implementation {
            base.insert(path.clone(), text.clone());
        }
    }
    if let Some(begin) = pair.own_tests {
        let (code, _) = split(&older[path], begin);
        let (_, tests) = split(&newer[path], begin);
        base.insert(path.to_owned(), format!("{code}{tests}"));
    }
    base.insert(
        ".gitignore".to_owned(),
        "/target/\n/Cargo.lock\n".to_owned(),
    );
    let world = world(&base);
    let goal = goal(pair);

    // Nothing at all.
    let (done, server) = try_with(&world, &goal, &[]);
    not_complete(&done);
    for test in pair.distinguishing {
        says(&server, test);
    }

    // The published implementation with one fault.
    let (old, new) = pair.fault;
    let faulty = newer[path].replacen(old, new, 1);
    assert_ne!(faulty, newer[path], "the fault is planted");
    let (done, server) = try_with(&world, &goal, &[(path, &faulty)]);
    not_complete(&done);
    says(&server, pair.found_by);

    // The published implementation, and an old test that is gone.
    let (file, begin, next) = pair.old_test;
    let (before, rest) = split(&base[file], begin);
    let after = if next.is_empty() {
        ""
    } else {
        split(rest, next).1
    };
    let shortened = format!("{before}{after}");
    let (done, server) = try_with(&world, &goal, &[(path, &newer[path]), (file, &shortened)]);
    not_complete(&done);
    says(&server, pair.old_name);

    // The published implementation, and nothing else.
    let (done, _) = try_with(&world, &goal, &[(path, &newer[path])]);
    let done = done.exits(0);
    let report = done.report();
    assert_eq!(report["complete"], true);
    assert_eq!(report["claims"], 1, "it is accepted at once");
    let branch = done.branch();
    assert_eq!(world.changes_on(&branch), [format!("M {path}")]);
    assert_eq!(world.on(&branch, path), newer[path]);
    let verified = world.overnight(&["verify", "last", "--json"]).exits(0);
    assert_eq!(verified.json()["verified"], true);
}

/// The goal: the tests that tell the releases apart pass, and so do all that passed before.
fn goal(pair: &Pair) -> String {
    let mut check = json!({
        "id": "newer",
        "tests": pair.tests,
        "must_pass": pair.distinguishing,
        "proves": "change",
    });
    let mut kept = json!({"id": "all", "tests": pair.tests});
    if let Some(report) = pair.report {
        check["report"] = json!(report);
        kept["report"] = json!(report);
    }
    // A release may change the examples in its documentation, which are tests as well: the goal lets it.
    let uses = json!({"oracle": [pair.implementation]});
    // JSON is YAML, and needs no second thought about quotes.
    format!(
        "---\noutcome: {name} does what its release {newer} does.\ndone: {done}\nkeep: {keep}\nuse: {uses}\nstop: {{turns: 9, hours: 1}}\n---\nSee the tests that fail.\n",
        name = pair.name,
        newer = pair.newer,
        done = json!([check]),
        keep = json!({"checks": [kept]}),
    )
}

/// One run whose model writes these files and claims. If the claim is rejected it has nothing more to say.
fn try_with(world: &World, goal: &str, files: &[(&str, &str)]) -> (Done, Server) {
    let mut turns: Vec<Value> = files
        .iter()
        .map(|(path, content)| json!({"write": {"path": path, "content": content}}))
        .collect();
    turns.push(json!({"claim_done": "Release it"}));
    let server = model(&json!({"turns": turns}).to_string());
    let done = world.run(&server, goal);
    (done, server)
}

/// The claim was looked at and rejected.
#[track_caller]
fn not_complete(done: &Done) {
    let summary = done.summary();
    assert_ne!(done.code(), Some(0), "{summary:#}");
    assert_ne!(summary["stop_reason"], "complete");
    let report = done.report();
    assert_eq!(report["complete"], false);
    assert_eq!(report["claims"], 1, "{report:#}");
}

/// What the model was told about its claim names this test.
#[track_caller]
fn says(server: &Server, test: &str) {
    let last = server.requests().iter().map(|r| r.turn).max();
    let evidence = told(server, last.expect("it was asked"));
    assert!(evidence.contains(test), "no `{test}` in: {evidence}");
}

#[track_caller]
fn split<'a>(text: &'a str, at: &str) -> (&'a str, &'a str) {
    let at = text
        .find(at)
        .unwrap_or_else(|| panic!("there is no `{at}` in the file"));
    text.split_at(at)
}

#[test]
fn every_release_is_in_the_table_with_its_licence() {
    let table = fs::read_to_string(place().join("packages.tsv")).expect("the table is there");
    let mut listed: Vec<String> = table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("registry\t"))
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            assert_eq!(fields.len(), 7, "{line}");
            assert_eq!(fields[4].len(), 64, "a hash: {line}");
            format!("{}/{}", fields[1], fields[2])
        })
        .collect();
    let mut there = Vec::new();
    for name in folders(&place()) {
        for version in folders(&place().join(&name)) {
            assert!(
                release(&name, &version).contains_key("LICENSE"),
                "{name} {version} has its licence"
            );
            there.push(format!("{name}/{version}"));
        }
    }
    listed.sort();
    there.sort();
    assert_eq!(listed, there);
}

fn folders(place: &Path) -> Vec<String> {
    let entries = fs::read_dir(place).expect("it is there");
    let entries = entries.map(|entry| entry.expect("an entry"));
    entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
