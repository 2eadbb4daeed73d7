//! Hidden files of checks: they catch what knows the visible tests by heart, and the model neither reads them nor hears of
//! them more than the goal lets it.

use std::fs;
use std::path::{Path, PathBuf};

use sim::server::Server;

use crate::world::{Done, World, facts, git, model, told};

/// What the hidden files say and nobody else does.
const SECRET: &str = "SECRET-4417";

/// A person whose files are not among the temporary ones, which no cell shows anyway.
fn world() -> World {
    let world = World::within(Path::new(env!("CARGO_TARGET_TMPDIR")));
    world.git(&["init", "-q", "-b", "main"]);
    world.git(&["config", "user.name", "Ann Example"]);
    world.git(&["config", "user.email", "ann@example.org"]);
    world.put("add.sh", "echo 0\n");
    world.put("test.sh", "test \"$(sh add.sh 2 3)\" = 5\n");
    world.commit("Begin");
    world.hide("hidden/check.sh", &check("30 12", "42"));
    world
}

/// A hidden check that says what it knows when it fails.
fn check(given: &str, wanted: &str) -> String {
    format!(
        "# {SECRET}\nfound=$(sh add.sh {given})\ntest \"$found\" = {wanted} || {{ echo \"{SECRET}: {given} is {wanted} and not $found\"; exit 1; }}\n"
    )
}

impl World {
    /// Writes a file beside the repository.
    fn hide(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        fs::write(path, content).expect("written");
    }
}

fn goal(extra: &str) -> String {
    format!(
        "---\noutcome: Two numbers are added.\ndone:\n  - {{id: visible, run: sh test.sh}}\n  - {{id: unseen, run: sh check.sh, hidden: hidden{extra}}}\nkeep: {{paths: [test.sh]}}\nstop: {{turns: 20, hours: 1}}\n---\nMend `add.sh`.\n"
    )
}

const BY_HEART: &str = "  - shell: echo 'echo 5' > add.sh; sh test.sh\n  - claim_done: Add them\n";
const HONEST: &str =
    "  - shell: echo 'echo $(($1 + $2))' > add.sh; sh test.sh\n  - claim_done: Add any two\n";

fn script(turns: &[&str]) -> String {
    format!("turns:\n{}", turns.concat())
}

/// Every byte that the model was sent.
fn heard(server: &Server) -> String {
    let bodies: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.body.to_string())
        .collect();
    assert!(!bodies.is_empty());
    bodies.join("\n")
}

fn run_folder(world: &World) -> PathBuf {
    let mut runs = fs::read_dir(world.state.join("runs")).expect("there are runs");
    runs.next().expect("one").expect("listed").path()
}

fn rejected(done: &Done) -> usize {
    let events = done.lines();
    let told = facts(&events, "turn_requested");
    told.iter()
        .filter(|fact| fact["told"].to_string().contains("claim_rejected"))
        .count()
}

#[test]
fn what_knows_the_visible_tests_by_heart_is_caught_and_hears_nothing() {
    let (world, server) = (world(), model(&script(&[BY_HEART, HONEST])));
    let done = world.run(&server, &goal("")).exits(0);
    assert_eq!(rejected(&done), 1);
    assert!(!heard(&server).contains(SECRET));
    let view = told(&server, 3);
    assert!(
        view.contains("does not hold: `unseen` not passed"),
        "{view}"
    );
    assert!(view.contains("fail (the goal withholds why)"), "{view}");
    assert!(
        view.contains("passed on your files as last checked: visible"),
        "{view}"
    );
    // The person has everything.
    assert!(done.out.contains(SECRET), "the journal tells why");
    let page = done.report_text();
    assert!(
        page.contains("ran with hidden files") && page.contains("only its verdict"),
        "{page}"
    );
    let row = done.report()["checks"][1].clone();
    assert_eq!(row["hidden"]["feedback"], "verdict");
    let hash = row["hidden"]["hash"].as_str().expect("a hash").to_owned();
    let created = done.lines()[0]["fact"].clone();
    assert_eq!(created["hidden"]["unseen"], hash.as_str());
    // Neither delivered nor taken for something that the checks made.
    assert_eq!(world.files_on(&done.branch()), ["add.sh", "test.sh"]);
    let ended = &facts(&done.lines(), "baseline_ended")[0].clone();
    assert_eq!(ended["generated"], serde_json::json!([]));
    assert_eq!(done.report()["artefacts"], serde_json::json!([]));
    world
        .overnight(&["verify"])
        .exits(0)
        .says("pass         unseen");
    // Nothing of all the checkouts is left.
    assert!(!run_folder(&world).join("checkouts").exists());
}

#[test]
fn the_agents_shell_reads_neither_the_original_nor_the_copy() {
    let world = world();
    let (original, state, root) = (
        world.root.join("hidden"),
        world.state.display().to_string(),
        world.root.display().to_string(),
    );
    let tries = format!(
        "cat {0}/check.sh; ls -la {0}; cd {0}; cat {1}/runs/*/hidden/*/folder/check.sh; ls {1}; cat {1}/runs/*/harness.git/objects/*/* | head -c 1000; \
         for p in /proc/[0-9]* /proc/self /proc/1; do cat $p/root{0}/check.sh $p/cwd/../hidden/check.sh $p/environ; ls $p/fd $p/root{1}; done; \
         find / -xdev -name check.sh -not -path '/proc/*' 2>/dev/null | head; grep -rl {SECRET} {2} /workspace /tmp /run /var/tmp 2>/dev/null; \
         ln -s {0} away; cat away/check.sh; ln {0}/check.sh hard; cat hard; git log --all -p | grep SECRET; mount | head -3; true",
        original.display(),
        state,
        root
    );
    let script = format!(
        "turns:\n  - shell: {}\n  - read: {{path: {}/check.sh}}\n  - search: {{pattern: {SECRET}}}\n  - shell: rm -rf away hard\n{HONEST}",
        serde_json::to_string(&tries).expect("a text"),
        original.display(),
    );
    let server = model(&script);
    let done = world.run(&server, &goal("")).exits(0);
    // What it searched for is its own word; nothing that it was answered is.
    for turn in 2..=6 {
        let told = told(&server, turn);
        assert!(
            !told.contains(&format!("{SECRET}:")) && !told.contains(&format!("# {SECRET}")),
            "{told}"
        );
        assert!(!told.contains("found=$(sh add.sh"), "{told}");
    }
    assert_eq!(rejected(&done), 0);
    assert_eq!(world.files_on(&done.branch()), ["add.sh", "test.sh"]);
}

#[test]
fn the_model_hears_what_the_goal_lets_it_hear() {
    for (level, reason, evidence) in [
        ("full", true, true),
        ("names", true, false),
        ("verdict", false, false),
        ("none", false, false),
    ] {
        let (world, server) = (world(), model(&script(&[BY_HEART, HONEST])));
        let done = world
            .run(&server, &goal(&format!(", feedback: {level}")))
            .exits(0);
        assert_eq!(rejected(&done), 1, "{level}");
        let view = told(&server, 3);
        assert_eq!(view.contains("exit code 1"), reason, "{level}: {view}");
        assert_eq!(view.contains(SECRET), evidence, "{level}: {view}");
        assert_eq!(heard(&server).contains(SECRET), evidence, "{level}");
        let untold = view.contains("a check that you are not told about does not pass");
        assert_eq!(untold, level == "none", "{level}: {view}");
        assert_eq!(
            view.contains("`unseen`"),
            level != "none",
            "{level}: {view}"
        );
        // Before the first claim, too: what was found on the base.
        assert_eq!(
            told(&server, 2).contains("`unseen`"),
            level != "none",
            "{level}"
        );
    }
}

#[test]
fn a_check_that_is_not_talked_of_is_not_given_away_beside_others() {
    let both = "  - shell: echo 'echo 6' > add.sh\n  - claim_done: Try\n";
    let (world, server) = (world(), model(&script(&[both, BY_HEART, HONEST])));
    world.run(&server, &goal(", feedback: none")).exits(0);
    let view = told(&server, 3);
    assert!(
        view.contains("does not hold: `visible` not passed"),
        "{view}"
    );
    assert!(
        !view.contains("not told about") && !view.contains("`unseen`"),
        "{view}"
    );
    let view = told(&server, 5);
    assert!(
        view.contains("does not hold: a check that you are not told about does not pass"),
        "{view}"
    );
    assert!(
        view.contains("passed on your files as last checked: visible"),
        "{view}"
    );
}

#[test]
fn what_becomes_of_the_original_while_the_run_works_changes_nothing() {
    let world = world();
    let wait = "  - shell: sleep 4\n";
    let server = model(&script(&[wait, BY_HEART, HONEST]));
    let mut run = world.begin(&server, &goal(""));
    run.until_call(1);
    // Now what is known by heart would do.
    world.hide("hidden/check.sh", &check("2 3", "5"));
    let done = run.end().exits(0);
    assert_eq!(rejected(&done), 1);
    let said = world.overnight(&["verify"]).exits(0);
    said.says("has changed since the run began")
        .says("pass         unseen");
    let json = world.overnight(&["verify", "--json"]).exits(0).json();
    assert_eq!(json["hidden_changed"].as_array().map(Vec::len), Some(1));
    // A damaged copy is not believed, and a changed original is no substitute for it.
    let copies = run_folder(&world).join("hidden");
    fs::remove_dir_all(&copies).expect("removed");
    world.overnight(&["verify"]).exits(2).complains("damaged");
    world.hide("hidden/check.sh", &check("30 12", "42"));
    world
        .overnight(&["verify"])
        .exits(0)
        .says("pass         unseen");
}

#[test]
fn a_killed_run_goes_on_with_what_it_began_with() {
    for append in [6, 12, 18] {
        let (world, server) = (world(), model(&script(&[BY_HEART, HONEST])));
        let mut command = world.run_command(&server, &goal(""));
        command.env("OVERNIGHT_FAULT_KILL_AFTER_APPEND", append.to_string());
        assert!(world.start(command).end().was_killed(), "{append}");
        fs::remove_dir_all(world.root.join("hidden")).expect("removed");
        let done = world.resume(&server).exits(0);
        assert_eq!(world.files_on(&done.branch()), ["add.sh", "test.sh"]);
        assert!(!heard(&server).contains(SECRET));
        let report = done.report();
        assert_eq!(report["claims"], 2, "{append}: {report:#}");
        assert!(!run_folder(&world).join("checkouts").exists());
    }
}

#[test]
fn what_the_agent_could_read_is_refused() {
    let refused = |goal: &str, world: &World, why: &str| {
        for command in [
            &["check"][..],
            &["run", "--yes", "--model", "scripted/x.yaml"],
        ] {
            fs::write(world.repo.join("x.yaml"), "turns: [claim_done: x]\n").expect("written");
            let file = world.goal(goal);
            let words: Vec<&str> = [
                &command[..1],
                &[file.to_str().expect("plain")],
                &command[1..],
            ]
            .concat();
            world.overnight(&words).exits(2).complains(why);
        }
        let runs = fs::read_dir(world.state.join("runs")).map(Iterator::count);
        assert_eq!(runs.unwrap_or(0), 0, "{why}: no run is left behind");
    };
    let at = |path: &str| goal("").replace("hidden: hidden", &format!("hidden: {path}"));
    let world = world();
    refused(&at("nowhere"), &world, "it cannot be read");
    refused(
        &at("repo/test.sh"),
        &world,
        "`test.sh` is in the repository's last commit",
    );
    refused(&at("repo"), &world, "the repository lies in it");
    refused(&at("."), &world, "the repository lies in it");
    fs::create_dir(world.root.join("empty")).expect("made");
    refused(&at("empty"), &world, "it is empty");
    refused(&at("/proc/version"), &world, "cannot be hidden");
    world.put("once/check.sh", &check("1 1", "2"));
    world.commit("Once");
    git(&world.repo, &["rm", "-rq", "once"]);
    world.commit("Never again");
    world.put("once/check.sh", &check("1 1", "2"));
    refused(
        &at("repo/once"),
        &world,
        "it was in the repository until commit",
    );
    world.put("own/check.sh", &check("1 1", "2"));
    let files = at("repo/own").replace("keep:", "use: {files: [own]}\nkeep:");
    refused(&files, &world, "`use.files` copies `own`");
}

#[test]
fn untracked_files_of_the_repository_and_the_home_can_be_hidden() {
    let world = world();
    world.put(".gitignore", "own\n");
    world.commit("Ignore");
    world.put("own/check.sh", &check("30 12", "42"));
    fs::write(world.home.join("check.sh"), check("1 2", "3")).expect("written");
    let goal = goal("")
        .replace("hidden: hidden", "hidden: repo/own")
        .replace(
            "keep:",
            "  - {id: home, run: sh deep/check.sh, hidden: ~/check.sh, in: .}\nkeep:",
        );
    // A single file is laid into the check's own directory.
    let goal = goal.replace("run: sh deep/check.sh", "run: sh check.sh");
    let server = model(&script(&[BY_HEART, HONEST]));
    let done = world.run(&server, &goal).exits(0);
    assert_eq!(rejected(&done), 1);
    assert!(!heard(&server).contains(SECRET));
}

#[test]
fn a_preflight_counts_only_for_the_hidden_files_that_it_ran_with() {
    let world = world();
    let file = world.goal(&goal(""));
    let file = file.to_str().expect("plain");
    let took = |done: Done| done.err.contains("unseen … ");
    assert!(took(world.overnight(&["check", file]).exits(0)));
    assert!(!took(world.overnight(&["check", file]).exits(0)), "kept");
    world.hide("hidden/more.txt", "x");
    assert!(
        took(world.overnight(&["check", file]).exits(0)),
        "run again"
    );
    let server = model(&script(&[HONEST]));
    let done = world.run(&server, &goal("")).exits(0);
    assert_eq!(facts(&done.lines(), "baseline_ended")[0]["reused"], true);
}

#[test]
fn without_a_sandbox_hidden_files_are_laid_over_copies() {
    let world = world();
    let file = world.goal(&goal(""));
    let server = model(&script(&[BY_HEART, HONEST]));
    let mut command = world.command(&[
        "run",
        file.to_str().expect("plain"),
        "--json",
        "--yes",
        "--model",
        "openai/mock",
        "--unsafe-no-sandbox",
    ]);
    crate::world::reach(&mut command, &server);
    let done = world.start(command).end().exits(0);
    assert_eq!(rejected(&done), 1);
    assert!(!heard(&server).contains(SECRET));
    assert_eq!(world.files_on(&done.branch()), ["add.sh", "test.sh"]);
}
