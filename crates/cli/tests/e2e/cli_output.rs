//! What the commands print, for people and for programs.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{OVERNIGHT, World, facts, have, model, name, reach};

const GOAL: &str = "---\noutcome: The work is done.\ndone:\n  - {id: todo, file: todo.txt, contains: done}\n  - {id: shape, run: test -s todo.txt}\nkeep: {paths: [kept/**]}\nuse: {paths: [todo.txt]}\nnext: The only step first.\nstop: {turns: 12, hours: 1}\n---\nWrite the word.\n";
const WORK: &str = "turns:\n  - claim_done: Nothing to do\n  - shell: echo done > todo.txt; echo x > kept/a.txt\n  - claim_done: Do the work\n";

fn small() -> World {
    World::new(&[("todo.txt", "open\n"), ("kept/a.txt", "a\n")])
}

#[test]
fn lint_passes_a_good_goal_and_says_what_each_element_means() {
    let world = small();
    let goal = world.goal(GOAL);
    let path = goal.to_str().expect("plain");
    let lint = world.overnight(&["lint", path]).exits(0).says("it can run");
    for element in ["outcome", "done", "keep", "use", "next", "stop"] {
        assert!(lint.out.contains(element), "{element} in:\n{}", lint.out);
    }
    let json = world.overnight(&["lint", path, "--json"]).exits(0).json();
    assert_eq!(json["refused"], false);
    assert_eq!(
        json["elements"].as_array().map(Vec::len),
        Some(6),
        "{json:#}"
    );
    assert_eq!(
        world.overnight(&["lint", path]).out,
        lint.out,
        "the same file, the same words"
    );
}

#[test]
fn lint_warns_of_what_is_missing_and_says_what_happens_without() {
    let world = small();
    let goal = world.goal("---\noutcome: The work is done.\ndone: [\"test -s todo.txt\"]\n---\n");
    let path = goal.to_str().expect("plain");
    let json = world.overnight(&["lint", path, "--json"]).exits(0).json();
    let found = json["findings"].as_array().cloned().unwrap_or_default();
    assert!(!found.is_empty());
    assert!(
        found
            .iter()
            .all(|f| f["severity"] == "warning" || f["severity"] == "note"),
        "{json:#}"
    );
    assert!(
        found
            .iter()
            .all(|f| !f["message"].as_str().unwrap_or_default().is_empty())
    );
    world
        .overnight(&["lint", path])
        .exits(0)
        .says("warning")
        .says("it can run");
}

#[test]
fn lint_refuses_with_2_and_points_at_line_and_column() {
    let world = small();
    let goal = world.goal("---\noutcome: The work is done.\ndone:\n  - run: make test\n    tiemout: 3m\nstop: {turns: many}\n---\nGo on.\n");
    let path = goal.to_str().expect("plain");
    let lint = world.overnight(&["lint", path]).exits(2);
    for words in ["goal.md:5:5", "tiemout", "timeout", "goal.md:6:", "refused"] {
        assert!(lint.out.contains(words), "`{words}` in:\n{}", lint.out);
    }
    let json = world.overnight(&["lint", path, "--json"]).exits(2).json();
    assert_eq!(json["refused"], true);
    let found = json["findings"].as_array().cloned().unwrap_or_default();
    let unknown = found
        .iter()
        .find(|f| f["code"] == "unknown-key")
        .expect("the unknown key is found");
    assert_eq!(
        (
            unknown["at"]["line"].as_u64(),
            unknown["at"]["column"].as_u64()
        ),
        (Some(5), Some(5))
    );
    assert!(
        unknown["suggestion"]
            .as_str()
            .is_some_and(|s| s.contains("timeout")),
        "{unknown:#}"
    );
    // Nothing else takes such a file either.
    world
        .overnight(&["check", path])
        .exits(2)
        .complains("tiemout");
}

#[test]
fn lint_refuses_a_goal_without_outcome_or_without_any_check() {
    let world = small();
    for (text, words) in [
        ("---\ndone: [make test]\n---\nGo on.\n", "outcome"),
        ("---\noutcome: It is nice.\n---\nGo on.\n", "done"),
        ("", "outcome"),
        ("---\noutcome: [\n---\n", "goal.md:"),
    ] {
        let goal = world.goal(text);
        let lint = world
            .overnight(&["lint", goal.to_str().expect("plain")])
            .exits(2);
        assert!(lint.out.contains(words), "`{words}` in:\n{}", lint.out);
    }
    world
        .overnight(&["lint", "none.md"])
        .exits(2)
        .complains("none.md");
    fs::write(world.root.join("binary.md"), [0xff, 0xfe, 0, 1]).expect("written");
    world.overnight(&["lint", "../binary.md"]).exits(2);
    fs::write(world.root.join("huge.md"), "x".repeat(1_100_000)).expect("written");
    world
        .overnight(&["lint", "../huge.md"])
        .exits(2)
        .says("1048576");
}

#[test]
fn check_shows_every_check_on_the_base_and_run_uses_its_results() {
    let world = small();
    let goal = world.goal(GOAL);
    let path = goal.to_str().expect("plain");
    let table = world.overnight(&["check", path]).exits(0);
    let line = |id: &str| {
        let found = table.out.lines().find(|line| line.starts_with(id));
        found
            .unwrap_or_else(|| panic!("no line of {id} in:\n{}", table.out))
            .to_owned()
    };
    assert!(
        line("todo").contains("fail") && line("todo").contains("must change"),
        "{}",
        line("todo")
    );
    assert!(
        line("shape").contains("pass") && line("shape").contains("must stay"),
        "{}",
        line("shape")
    );
    let json = world.overnight(&["check", path, "--json"]).exits(0).json();
    assert_eq!(json["refused"], false);
    let rows = json["checks"].as_array().cloned().unwrap_or_default();
    assert_eq!(rows.len(), 2);
    for key in [
        "id",
        "role",
        "kind",
        "verdict",
        "reason",
        "duration_ms",
        "treatment",
        "flaky",
    ] {
        assert!(rows[0].get(key).is_some(), "{key} in {}", rows[0]);
    }
    world
        .overnight(&["check", path, "--json", "--fresh"])
        .exits(0);
    assert!(world.branches().is_empty());

    let server = model(WORK);
    world.run(&server, GOAL).exits(0);
    let journal = world.log();
    assert_eq!(
        facts(&journal, "baseline_ended")[0]["reused"],
        true,
        "nothing ran twice on the base"
    );
}

#[test]
fn check_names_what_is_missing_and_what_hangs() {
    let world = small();
    let goal = world.goal("---\noutcome: The work is done.\ndone:\n  - {id: gone, run: no-such-tool-e2e}\n  - {id: hangs, run: sleep 60, timeout: 1s}\n  - {id: todo, file: todo.txt, contains: done}\nstop: {turns: 12, hours: 1}\n---\nGo on.\n");
    let since = Instant::now();
    let table = world
        .overnight(&["check", goal.to_str().expect("plain")])
        .exits(5);
    assert!(since.elapsed() < Duration::from_secs(30));
    assert!(table.out.contains("no-such-tool-e2e"), "{}", table.out);
    assert!(table.out.contains("limit of 1 s"), "{}", table.out);
    assert!(table.out.contains("cannot tell"), "{}", table.out);
}

#[test]
fn check_names_a_test_that_differs_between_runs() {
    if !have("python3 -m unittest -h") {
        return;
    }
    // Forty tests, each of which tosses a coin: all of them agreeing in two runs has a chance of one in a million millions.
    let mut tests = String::from("import time, unittest\n\n\nclass Coin(unittest.TestCase):\n");
    for number in 0..40 {
        tests.push_str(&format!(
            "    def test_{number}(self):\n        self.assertTrue(time.time_ns() // 1000 % 2)\n"
        ));
    }
    let world =
        World::new(&[("tests/__init__.py", ""), ("tests/test_coin.py", &tests)]).with_toolchains();
    let goal = world.goal("---\noutcome: The work is done.\ndone:\n  - {id: coin, tests: python3 -m unittest}\nstop: {turns: 12, hours: 1}\n---\nGo on.\n");
    let json = world
        .overnight(&["check", goal.to_str().expect("plain"), "--json"])
        .exits(0)
        .json();
    assert_eq!(json["checks"][0]["flaky"], true, "{json:#}");
    let reason = json["checks"][0]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(reason.contains("differs between two runs"), "{reason}");
}

#[test]
fn runs_lists_newest_first_with_public_keys() {
    let world = small();
    world.overnight(&["runs"]).exits(0).says("No runs yet");
    world.overnight(&["show", "last"]).exits(2);
    let first = world.run(&model(WORK), GOAL).exits(0).summary();
    let second = world
        .run(
            &model("turns:\n  - ask_for_help: {question: Why?, tried: a, unlock: b}\n"),
            GOAL,
        )
        .exits(3)
        .summary();
    let runs = world.overnight(&["runs", "--json"]).exits(0).json();
    assert_eq!(
        runs,
        Value::Array(vec![second.clone(), first.clone()]),
        "`run --json` ends with the same object"
    );
    for key in ["id", "goal", "status", "stop_reason", "branch", "report"] {
        assert!(
            runs[0].get(key).is_some() && runs[1].get(key).is_some(),
            "{key} in {runs:#}"
        );
    }
    assert_eq!(runs[1]["goal"], "The work is done.");
    assert_eq!(runs[1]["status"], "complete");
    assert_eq!(runs[0]["stop_reason"], "blocked");
    let id = first["id"].as_str().expect("an id");
    world
        .overnight(&["runs"])
        .exits(0)
        .says(&id[id.len() - 8..])
        .says("complete")
        .says("blocked");
}

#[test]
fn a_run_is_told_in_plain_lines() {
    let world = small();
    let server = model(WORK);
    let goal = world.goal(GOAL);
    let mut command = world.command(&[
        "run",
        goal.to_str().expect("plain"),
        "--yes",
        "--model",
        "openai/mock",
    ]);
    reach(&mut command, &server);
    let done = world.start(command).end().exits(0);
    for words in [
        "The work is done.",
        "model openai/mock",
        "todo on the base: fail",
        "→ must change",
        "claims to be done: “Nothing to do”",
        "✗ claim rejected: todo — fail",
        "✗ denied by `keep.paths`",
        "✓ todo: pass",
        "delivered",
        "on branch overnight/the-work-is-done-",
        "report.md",
        "Complete: all 4 checks pass on the delivered tree.",
    ] {
        assert!(done.out.contains(words), "`{words}` in:\n{}", done.out);
    }
    assert!(
        !done.out.contains('\u{1b}'),
        "no control sequences where nobody looks"
    );
    let log = world.overnight(&["log", "last"]).exits(0);
    assert!(
        done.out.starts_with(&log.out),
        "the journal tells the same story:\n{}\n---\n{}",
        log.out,
        done.out
    );
}

#[test]
fn show_tells_what_a_run_is_doing_while_it_does_it() {
    let world = small();
    let server =
        model("turns:\n  - shell: sleep 1.5; echo done > todo.txt\n  - claim_done: Do the work\n");
    let mut running = world.begin(&server, GOAL);
    running.until_call(1);
    world
        .overnight(&["show"])
        .exits(0)
        .says("The work is done.")
        .says("sleep 1.5")
        .says("todo")
        .says("1 turns");
    running.end().exits(0);
    world
        .overnight(&["show", "last"])
        .exits(0)
        .says("✓ todo")
        .says("Complete")
        .says("overnight/the-work-is-done-");
    let state = world.overnight(&["show", "last", "--json"]).exits(0).json();
    assert_eq!(state["stop"]["reason"], "complete");
}

#[test]
fn log_follows_a_run_to_its_end_and_leaves() {
    let world = small();
    let server =
        model("turns:\n  - shell: sleep 1; echo done > todo.txt\n  - claim_done: Do the work\n");
    let mut running = world.begin(&server, GOAL);
    running.until_call(1);
    let following = world.start(world.command(&["log", "last", "--follow", "--json"]));
    let done = running.end().exits(0);
    let followed = following.end().exits(0).lines();
    assert_eq!(name(followed.last().expect("events")), "report_written");
    let printed: Vec<Value> = done
        .lines()
        .into_iter()
        .filter(|e| !name(e).is_empty())
        .collect();
    assert_eq!(followed, printed);
}

#[test]
fn the_report_is_the_same_from_the_command_and_on_disk() {
    let world = small();
    let done = world.run(&model(WORK), GOAL).exits(0);
    // The one on disk does not know of its own writing: one event and a moment less.
    let timeless = |mut report: Value| {
        for field in ["events", "time"] {
            report.as_object_mut().expect("an object").remove(field);
        }
        report
    };
    let printed = world
        .overnight(&["report", "last", "--json"])
        .exits(0)
        .json();
    assert_eq!(timeless(printed.clone()), timeless(done.report()));
    assert_eq!(printed["ended"], true);
    assert_eq!(printed["status"], "complete");
    assert_eq!(printed["exit_code"], 0);
    let text = world.overnight(&["report", "last"]).exits(0).out;
    let id = printed["short"].as_str().expect("a short id");
    for words in [
        "The work is done.",
        "todo",
        "keep.paths",
        &format!("overnight verify {id}"),
    ] {
        assert!(text.contains(words), "`{words}` in:\n{text}");
        assert!(done.report_text().contains(words), "`{words}` on disk");
    }
}

#[test]
fn verify_says_what_it_found() {
    let world = small();
    let done = world.run(&model(WORK), GOAL).exits(0);
    world
        .overnight(&["verify", "last"])
        .exits(0)
        .says("todo")
        .says("pass")
        .says(&done.branch());
    let json = world
        .overnight(&["verify", "last", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["verified"], true);
    let ids: Vec<&str> = json["checks"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|c| c["id"].as_str())
        .collect();
    assert_eq!(ids, ["scope", "todo", "shape", "oracle"]);
    // A branch that is gone cannot be verified, and is not.
    world.git(&["branch", "-q", "-D", &done.branch()]);
    let gone = world.overnight(&["verify", "last"]);
    assert_ne!(gone.code(), Some(0), "{}", gone.out);
}

#[test]
fn every_command_has_help() {
    let world = World::without_repository();
    let help = world
        .overnight(&["--help"])
        .exits(0)
        .says("Exit codes: 0 complete");
    let listed = help.out.split("Commands:\n").nth(1).expect("commands");
    let listed: Vec<&str> = listed
        .lines()
        .take_while(|line| !line.trim().is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| !word.is_empty() && *word != "help")
        .collect();
    for command in [
        "demo", "lint", "check", "run", "runs", "show", "log", "report", "resume", "pause", "stop",
        "answer", "verify",
    ] {
        assert!(listed.contains(&command), "{command} in {listed:?}");
    }
    for command in listed {
        world
            .overnight(&[command, "--help"])
            .exits(0)
            .says(&format!("Usage: overnight {command}"));
    }
    world
        .overnight(&["--version"])
        .exits(0)
        .says(env!("CARGO_PKG_VERSION"));
    world.overnight(&[]).exits(2).complains("Usage: overnight");
    assert!(!world.state.exists(), "asking for help makes nothing");
}

#[test]
fn the_demo_needs_nothing_but_git_and_sh() {
    let mut world = World::without_repository();
    let bin = world.root.join("bin");
    fs::create_dir(&bin).expect("made");
    for tool in ["git", "sh", "ls", "cat"] {
        let found = std::process::Command::new("sh")
            .args(["-c", &format!("readlink -f \"$(command -v {tool})\"")])
            .output()
            .expect("sh");
        let path = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        std::os::unix::fs::symlink(path, bin.join(tool)).expect("linked");
    }
    world.env.insert("PATH".into(), bin.display().to_string());
    let since = Instant::now();
    let done = world.overnight(&["demo"]).exits(0);
    assert!(
        since.elapsed() < Duration::from_secs(30),
        "{:?}",
        since.elapsed()
    );
    for words in [
        "claim rejected",
        "denied by `keep.paths`",
        "Complete",
        "branch  overnight/",
        "The model was scripted",
    ] {
        assert!(done.out.contains(words), "`{words}` in:\n{}", done.out);
    }
    world.overnight(&["verify", "last"]).exits(0);
    world.overnight(&["report", "last"]).exits(0).says("script");
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let world = small();
    world.run(&model(WORK), GOAL).exits(0);
    for command in [
        "log last --json",
        "report last",
        "runs",
        "show last",
        "lint ../goal.md",
    ] {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!("{OVERNIGHT} {command} | true; exit 0")]);
        shell
            .current_dir(&world.repo)
            .env("OVERNIGHT_HOME", &world.state)
            .env("HOME", &world.home);
        let done = shell.output().expect("sh runs");
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(!err.contains("panicked"), "{command}: {err}");
    }
}
