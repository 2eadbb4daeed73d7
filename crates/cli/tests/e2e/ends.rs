//! Every way in which a run ends or rests, its exit code, and how it goes on.

use std::fs;
use std::net::TcpStream;

use crate::world::{World, facts, git, model, reach, told};

const GOAL: &str = "---\noutcome: The work is done.\ndone:\n  - {id: todo, file: todo.txt, contains: done}\nstop: {turns: 12, hours: 1}\n---\nGo on.\n";
const WORK: &str = "turns:\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n";

fn small() -> World {
    World::new(&[("todo.txt", "open\n")])
}

fn limited(stop: &str) -> String {
    GOAL.replace("stop: {turns: 12, hours: 1}", stop)
}

// 0

#[test]
fn complete_ends_with_0_and_resume_says_so_again() {
    let world = small();
    let server = model(WORK);
    let done = world.run(&server, GOAL).exits(0);
    let asked = server.requests().len();
    let again = world.resume(&server).exits(0);
    assert_eq!(again.summary(), done.summary());
    world
        .overnight(&["resume", "last"])
        .exits(0)
        .says("Complete: all 3 checks pass")
        .says(&done.branch());
    world.overnight(&["stop", "last"]).exits(0).says("Complete");
    world
        .overnight(&["pause", "last"])
        .exits(2)
        .complains("the run has ended (complete)");
    world
        .overnight(&["answer", "last", "hello"])
        .exits(2)
        .complains("asks nothing");
    assert_eq!(server.requests().len(), asked, "nobody was asked anything");
    assert_eq!(world.branches().len(), 1);
}

#[test]
fn a_run_can_be_named_by_its_id_and_its_short_id() {
    let world = small();
    let done = world.run(&model(WORK), GOAL).exits(0);
    let summary = done.summary();
    let id = summary["id"].as_str().expect("an id");
    for name in [id, &id[id.len() - 8..], "last"] {
        world.overnight(&["show", name]).exits(0).says("complete");
    }
    world
        .overnight(&["show", "nosuchrun"])
        .exits(2)
        .complains("nosuchrun");
    world
        .overnight(&["resume", "nosuchrun"])
        .exits(2)
        .complains("nosuchrun");
}

// 1

#[test]
fn a_script_that_ends_early_fails_with_1() {
    let world = small();
    fs::write(
        world.root.join("script.yaml"),
        "turns:\n  - shell: echo half > half.txt\n",
    )
    .expect("written");
    let goal = world.goal(GOAL);
    let model = format!("scripted/{}", world.root.join("script.yaml").display());
    let goal = goal.to_str().expect("plain");
    let done = world
        .overnight(&["run", goal, "--json", "--yes", "--model", &model])
        .exits(1);
    let report = done.report();
    assert_eq!(report["stop_reason"], "failed");
    assert_eq!(report["exit_code"], 1);
    assert_eq!(report["scripted"], true);
    world.overnight(&["resume", "last"]).exits(1).says("Failed");
}

// 2

#[test]
fn a_goal_that_cannot_be_understood_is_refused_with_2_before_anything_is_asked() {
    let world = small();
    let server = model(WORK);
    let goal = GOAL.replace("stop:", "sotp:");
    world
        .run(&server, &goal)
        .exits(2)
        .complains("sotp")
        .complains("stop");
    assert!(server.requests().is_empty());
    assert_eq!(
        world.overnight(&["runs", "--json"]).exits(0).json(),
        serde_json::json!([])
    );
}

#[test]
fn a_goal_whose_checks_pass_already_is_refused_with_2() {
    let world = World::new(&[("todo.txt", "done\n")]);
    let server = model(WORK);
    let done = world.run(&server, GOAL).exits(2);
    assert!(server.requests().is_empty(), "no token was spent");
    assert_eq!(done.summary()["stop_reason"], "refused");
    assert!(
        done.report_text().contains("proves nothing"),
        "{}",
        done.report_text()
    );
    world
        .overnight(&["check", world.goal(GOAL).to_str().expect("plain")])
        .exits(2)
        .says("proves nothing");
}

#[test]
fn a_goal_that_says_already_may_pass_on_the_base() {
    let world = World::new(&[("todo.txt", "done\n")]);
    let server = model("turns:\n  - shell: echo more > more.txt\n  - claim_done: Add more\n");
    let goal = GOAL.replace("contains: done", "contains: done, already: true");
    let done = world.run(&server, &goal).exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["A more.txt"]);
}

#[test]
fn outside_a_repository_it_says_what_to_type() {
    let world = World::without_repository();
    world.run(&model(WORK), GOAL).exits(2).complains("git init");
}

#[test]
fn without_a_commit_it_says_what_to_type() {
    let world = World::without_repository();
    world.git(&["init", "-q", "-b", "main"]);
    world.put("todo.txt", "open\n");
    world
        .run(&model(WORK), GOAL)
        .exits(2)
        .complains("commit -m");
}

#[test]
fn a_missing_or_unknown_model_is_a_usage_error() {
    let world = small();
    let goal = world.goal(GOAL);
    let goal = goal.to_str().expect("plain");
    // Where a model server of the person's own answers, a run without a model would take it.
    let local = ["127.0.0.1:11434", "127.0.0.1:8080"];
    match local.iter().find(|at| TcpStream::connect(at).is_ok()) {
        None => drop(
            world
                .overnight(&["run", goal, "--yes"])
                .exits(2)
                .complains("--model"),
        ),
        Some(at) => eprintln!("SKIPPED: somebody answers at {at}, so that there may be a model"),
    }
    world
        .overnight(&["run", goal, "--yes", "--model", "nobody/x"])
        .exits(2)
        .complains("nobody");
    world
        .overnight(&["run", goal, "--yes", "--model", "openai/mock"])
        .exits(2)
        .complains("OPENAI_API_KEY");
    world
        .overnight(&["run", goal, "--yes", "--model", "scripted/none.yaml"])
        .exits(2)
        .complains("none.yaml");
    world
        .overnight(&["run", "no-such-goal.md", "--yes"])
        .exits(2)
        .complains("no-such-goal.md");
    world.overnight(&["run"]).exits(2);
    world.overnight(&["walk"]).exits(2);
    world
        .overnight(&[
            "run",
            goal,
            "--yes",
            "--model",
            "openai/mock",
            "--price",
            "cheap",
        ])
        .exits(2);
}

#[test]
fn a_limit_on_money_needs_a_price() {
    let world = small();
    let server = model(WORK);
    let goal = limited("stop: {usd: 1, hours: 1}");
    world.run(&server, &goal).exits(2).complains("--price");
    let mut command = world.run_command(&server, &goal);
    command.args(["--price", "1,0.1,8"]);
    let done = world.start(command).end().exits(0);
    let spent = done.report()["usd"].as_f64().expect("money is counted");
    // Two answers of 1,000 tokens in and 100 out each.
    assert!(
        (spent - (2_000.0 + 8.0 * 200.0) / 1_000_000.0).abs() < 1e-9,
        "{spent}"
    );
}

// 3

#[test]
fn a_question_blocks_with_3_until_it_is_answered() {
    let world = small();
    let server = model(
        r#"
turns:
  - ask_for_help: {question: "May I write done?", tried: "I looked at todo.txt.", unlock: "A yes."}
  - shell: echo done > todo.txt
  - claim_done: Do the work
"#,
    );
    let done = world.run(&server, GOAL).exits(3);
    let report = done.report();
    assert_eq!(report["stop_reason"], "blocked");
    assert_eq!(report["help"]["question"], "May I write done?");
    assert_eq!(report["help"]["unlock"], "A yes.");
    assert!(done.report_text().contains("May I write done?"));
    // Nothing goes on by itself.
    world
        .overnight(&["resume", "last"])
        .exits(3)
        .says("May I write done?")
        .says("overnight answer");
    world
        .overnight(&["answer", "last", "  "])
        .exits(2)
        .complains("empty");
    world
        .overnight(&["answer", "last", "Yes, write it."])
        .exits(0)
        .says("resume");
    let done = world.resume(&server).exits(0);
    assert!(
        told(&server, 2).contains("The person answers: Yes, write it."),
        "{}",
        told(&server, 2)
    );
    assert_eq!(world.on(&done.branch(), "todo.txt"), "done\n");
    let report = done.report();
    assert_eq!(report["complete"], true);
    assert!(
        report["person"].to_string().contains("Yes, write it."),
        "{:#}",
        report["person"]
    );
    assert_eq!(server.answers_sent(), 3);
}

#[test]
fn claims_without_progress_block_with_3_and_an_answer_goes_on() {
    let world = small();
    let server = model(
        r#"
turns:
  - claim_done: It is done.
  - claim_done: It really is.
  - claim_done: Believe me.
  - shell: echo done > todo.txt
  - claim_done: Do the work
"#,
    );
    let done = world
        .run(&server, &limited("stop: {no_progress: 3, hours: 1}"))
        .exits(3);
    let help = done.report()["help"].clone();
    assert_eq!(help["by"], "no_progress");
    assert!(
        help["tried"]
            .as_str()
            .is_some_and(|t| t.contains("3 claims")),
        "{help:#}"
    );
    assert!(
        told(&server, 3).contains("2 checkpoints without verified progress"),
        "{}",
        told(&server, 3)
    );
    assert_eq!(server.answers_sent(), 3);
    world
        .overnight(&["answer", "last", "Write the word."])
        .exits(0);
    world.resume(&server).exits(0);
    assert!(told(&server, 4).contains("Write the word."));
}

#[test]
fn a_model_that_only_talks_is_stopped_in_the_end() {
    let world = small();
    let server = model("turns:\n  - say: I am thinking.\nthen: repeat_last\n");
    let done = world
        .run(
            &server,
            &limited("stop: {no_progress: 2, turns: 40, hours: 1}"),
        )
        .exits(3);
    assert_eq!(done.report()["help"]["by"], "no_progress");
    assert!(
        server.answers_sent() <= 8,
        "{} answers",
        server.answers_sent()
    );
}

// 4

#[test]
fn turns_run_out_with_4() {
    let world = small();
    let server = model("turns:\n  - shell: echo half > half.txt\nthen: repeat_last\n");
    let done = world
        .run(&server, &limited("stop: {turns: 3, hours: 1}"))
        .exits(4);
    assert_eq!(server.answers_sent(), 3);
    let report = done.report();
    assert_eq!(report["stop_reason"], "out_of_budget");
    assert_eq!(report["turns"], 3);
    assert_eq!(report["complete"], false);
    assert!(
        report["reason"]
            .as_str()
            .is_some_and(|r| r.contains("stop.turns")),
        "{}",
        report["reason"]
    );
    // What there is, is delivered, and says what it is.
    let subject = world.git(&["log", "-1", "--format=%s%n%b", &done.branch()]);
    assert!(subject.starts_with("[incomplete] "), "{subject}");
    assert!(
        subject.contains("Overnight-Status: out_of_budget"),
        "{subject}"
    );
    world
        .overnight(&["resume", "last"])
        .exits(4)
        .says("stop.turns");
}

#[test]
fn tokens_run_out_with_4_after_a_warning() {
    let world = small();
    let server = model(
        "turns:\n  - shell: \"true\"\n    usage: {input: 4100, cached: 0, output: 50}\n  - shell: \"true\"\n    usage: {input: 2000, cached: 0, output: 0}\nthen: repeat_last\n",
    );
    let done = world
        .run(&server, &limited("stop: {tokens: 5k, hours: 1}"))
        .exits(4);
    assert_eq!(server.answers_sent(), 2);
    assert!(
        told(&server, 2).contains("83 % of the budget `tokens`"),
        "{}",
        told(&server, 2)
    );
    assert_eq!(
        done.report()["tokens"]["total"],
        6150,
        "{:#}",
        done.report()["tokens"]
    );
}

#[test]
fn time_runs_out_with_4_even_within_a_call() {
    let world = small();
    let server = model("turns:\n  - shell: {command: sleep 100}\n  - say: never\n");
    let done = world
        .run(&server, &limited("stop: {hours: 0.002}"))
        .exits(4);
    let report = done.report();
    assert!(
        report["reason"]
            .as_str()
            .is_some_and(|r| r.contains("stop.hours")),
        "{}",
        report["reason"]
    );
    assert_eq!(server.answers_sent(), 1);
}

#[test]
fn work_that_holds_when_the_budget_ends_is_complete() {
    let world = small();
    let server = model("turns:\n  - shell: echo done > todo.txt\nthen: repeat_last\n");
    let done = world
        .run(&server, &limited("stop: {turns: 1, hours: 1}"))
        .exits(0);
    assert_eq!(world.on(&done.branch(), "todo.txt"), "done\n");
}

// 5

#[test]
fn a_check_whose_tool_is_missing_ends_with_5_before_anything_is_asked() {
    let world = small();
    let server = model(WORK);
    let goal = GOAL.replace(
        "done:\n",
        "done:\n  - {id: lint, run: no-such-linter-e2e --strict}\n",
    );
    let done = world.run(&server, &goal).exits(5);
    assert!(server.requests().is_empty(), "no token was spent");
    let report = done.report();
    assert_eq!(report["stop_reason"], "unverifiable");
    assert!(done.report_text().contains("no-such-linter-e2e"));
    world.overnight(&["resume", "last"]).exits(5);
}

// 6

#[test]
fn a_run_that_nobody_can_read_ends_as_it_ends() {
    for json in [true, false] {
        let world = small();
        let server = model(WORK);
        let mut command = world.run_command(&server, GOAL);
        if !json {
            let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            let plain: Vec<_> = args.iter().filter(|a| *a != "--json").collect();
            let mut lines = world.command(&[]);
            lines.args(plain);
            reach(&mut lines, &server);
            command = lines;
        }
        let full = || fs::OpenOptions::new().write(true).open("/dev/full");
        let ended = command
            .stdout(full().expect("a full disk"))
            .stderr(full().expect("a full disk"))
            .status()
            .expect("it runs");
        assert_eq!(ended.code(), Some(0), "json: {json}");
    }
}

#[test]
fn a_run_that_lost_its_process_says_so() {
    let world = small();
    let server = model("turns:\n  - shell: sleep 30\n");
    let mut running = world.begin(&server, GOAL);
    running.until_call(1);
    let deserted = "no process works on it";
    let shown = world.overnight(&["show", "last"]).exits(0);
    assert!(!shown.out.contains(deserted), "{}", shown.out);
    running.signal("KILL");
    running.end();
    world.overnight(&["show", "last"]).exits(0).says(deserted);
    world.overnight(&["runs"]).exits(0).says(deserted);
}

#[test]
fn ctrl_c_rests_with_6_and_resume_completes() {
    let world = small();
    let server = model(
        r#"
turns:
  - shell: echo one >> lines.txt
  - shell: sleep 1.5; echo two >> lines.txt
  - shell: echo three >> lines.txt; echo done > todo.txt
  - claim_done: Do the work
"#,
    );
    let mut running = world.begin(&server, GOAL);
    running.until_call(2);
    running.signal("INT");
    let rested = running.end().exits(6);
    let summary = rested.summary();
    assert_eq!(summary["status"], "paused");
    assert!(summary["stop_reason"].is_null());
    assert_eq!(server.answers_sent(), 2);
    let done = world.resume(&server).exits(0);
    assert_eq!(done.summary()["id"], summary["id"]);
    assert_eq!(
        world.on(&done.branch(), "lines.txt"),
        "one\ntwo\nthree\n",
        "what was under way ended by itself, once"
    );
    assert_eq!(server.answers_sent(), 4);
    let journal = world.log();
    assert_eq!(facts(&journal, "paused").len(), 1);
    assert_eq!(facts(&journal, "resumed").len(), 1);
}

#[test]
fn a_second_ctrl_c_gives_up_what_is_under_way_and_resume_does_it_again() {
    let world = small();
    let server = model(
        r#"
turns:
  - shell: echo one >> lines.txt; sleep 3; echo two >> lines.txt
  - shell: echo done > todo.txt
  - claim_done: Do the work
"#,
    );
    let mut running = world.begin(&server, GOAL);
    running.until_call(1);
    std::thread::sleep(std::time::Duration::from_millis(700));
    running.signal("INT");
    running.until("\"fact\":\"paused\"");
    running.signal("INT");
    running.end().exits(6);
    let done = world.resume(&server).exits(0);
    assert_eq!(
        world.on(&done.branch(), "lines.txt"),
        "one\ntwo\n",
        "from its snapshot, not on top of the half"
    );
    assert_eq!(server.answers_sent(), 3);
}

#[test]
fn pause_comes_from_another_process_too() {
    let world = small();
    let server =
        model("turns:\n  - shell: sleep 1; echo done > todo.txt\n  - claim_done: Do the work\n");
    let mut running = world.begin(&server, GOAL);
    running.until_call(1);
    world.overnight(&["pause", "last"]).exits(0).says("paused");
    running.end().exits(6);
    world.overnight(&["show", "last"]).exits(0).says("paused");
    let list = world.overnight(&["runs", "--json"]).exits(0).json();
    assert_eq!(list[0]["status"], "paused");
    world.resume(&server).exits(0);
}

#[test]
fn stop_from_another_process_ends_with_6_and_delivers_what_there_is() {
    let world = small();
    let server =
        model("turns:\n  - shell: echo half > half.txt\n  - shell: sleep 60\n  - say: never\n");
    let mut running = world.begin(&server, GOAL);
    running.until_call(2);
    world.overnight(&["stop", "last"]).exits(0).says("stopped");
    let done = running.end().exits(6);
    let report = done.report();
    assert_eq!(report["stop_reason"], "stopped");
    assert_eq!(report["complete"], false);
    let subject = world.git(&["log", "-1", "--format=%s", &done.branch()]);
    assert!(subject.starts_with("[incomplete] "), "{subject}");
    assert_eq!(world.on(&done.branch(), "half.txt"), "half\n");
    world
        .overnight(&["resume", "last"])
        .exits(6)
        .says("Stopped by a person");
}

#[test]
fn a_paused_run_can_be_stopped_and_writes_its_report() {
    let world = small();
    let server = model("turns:\n  - shell: sleep 0.5; echo half > half.txt\n  - say: never\n");
    let mut running = world.begin(&server, GOAL);
    running.until_call(1);
    running.signal("TERM");
    running.end().exits(6);
    // No key and no server is in reach of it: ending a run asks no model.
    let stop = world.command(&["stop", "last", "--json"]);
    let done = world.start(stop).end().exits(6);
    assert_eq!(done.report()["stop_reason"], "stopped");
    assert_eq!(server.answers_sent(), 1);
}

#[test]
fn a_second_process_on_the_same_run_is_refused_and_names_the_first() {
    let world = small();
    let server =
        model("turns:\n  - shell: sleep 2; echo done > todo.txt\n  - claim_done: Do the work\n");
    let mut running = world.begin(&server, GOAL);
    running.until_call(1);
    let pid = running.pid().to_string();
    let refused = world.resume(&server);
    assert_ne!(refused.code(), Some(0));
    refused.complains(&pid);
    running.end().exits(0);
    assert_eq!(server.answers_sent(), 2);
}

#[test]
fn a_wait_of_the_model_costs_nothing_and_survives_a_restart() {
    let world = small();
    let server = model(
        "turns:\n  - wait: {seconds: 3}\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n",
    );
    let mut running = world.begin(&server, GOAL);
    running.until("\"fact\":\"call_ended\",\"turn\":1");
    running.signal("KILL");
    assert!(running.end().was_killed());
    let done = world.resume(&server).exits(0);
    let (first, second) = (
        crate::world::request(&server, 1),
        crate::world::request(&server, 2),
    );
    let waited_us = second.received_us - first.received_us;
    assert!(waited_us >= 2_900_000, "{waited_us} µs");
    assert_eq!(server.answers_sent(), 3);
    assert!(
        done.report()["time"]["waiting_ms"]
            .as_u64()
            .is_some_and(|ms| ms > 0),
        "{:#}",
        done.report()["time"]
    );
}

// Deliveries

#[test]
fn a_patch_series_is_what_git_am_takes() {
    let world = World::new(&[("todo.txt", "open\n"), ("tool.sh", "echo old\n")]);
    let server = model(
        r#"
turns:
  - shell: |
      echo done > todo.txt; mkdir -p "new dir"; printf 'caf\303\251\n' > "new dir/café.txt"
      head -c 300 /dev/urandom > data.bin; chmod +x tool.sh; rm -f nothing
  - claim_done: |
      Do the work

      From a scripted model.
"#,
    );
    let goal = GOAL.replace("---\nGo on.", "deliver: patch\n---\nGo on.");
    let before = world.snapshot();
    let done = world.run(&server, &goal).exits(0);
    assert!(world.branches().is_empty());
    assert_eq!(world.snapshot(), before);
    let report = done.report();
    assert_eq!(report["delivery"]["kind"], "patch");
    let folder = report["delivery"]["folder"].as_str().expect("a folder");
    let mut series: Vec<_> = fs::read_dir(folder)
        .expect("it is there")
        .flatten()
        .map(|e| e.path())
        .collect();
    series.sort();
    let clone = world.root.join("clone");
    git(&world.root, &["clone", "-q", "repo", "clone"]);
    let patch = series[0].to_str().expect("plain");
    git(&clone, &["am", "-q", patch]);
    assert_eq!(
        git(&clone, &["rev-parse", "HEAD^{tree}"]).trim(),
        report["tree"].as_str().unwrap_or("?")
    );
    assert_eq!(
        git(&clone, &["log", "-1", "--format=%s"]).trim(),
        "Do the work"
    );
    assert_eq!(git(&clone, &["status", "--porcelain"]), "");
}

#[test]
fn a_goal_that_delivers_nothing_leaves_no_branch() {
    let world = small();
    let goal = GOAL.replace("---\nGo on.", "deliver: none\n---\nGo on.");
    let before = world.snapshot();
    let done = world.run(&model(WORK), &goal).exits(0);
    assert!(done.summary()["branch"].is_null());
    assert!(world.branches().is_empty());
    assert_eq!(world.snapshot(), before);
    assert_eq!(done.report()["complete"], true);
}

#[test]
fn a_goal_that_delivers_nothing_needs_no_repository() {
    let world = World::without_repository();
    world.put("mine.txt", "not a repository\n");
    let before = world.snapshot();
    let goal = GOAL.replace("---\nGo on.", "deliver: none\n---\nGo on.");
    let done = world.run(&model(WORK), &goal).exits(0);
    assert_eq!(done.report()["complete"], true);
    assert_eq!(world.snapshot(), before);
}
