//! SIGKILL at every append of one complete run, right before it and right after it, over each of the three wire formats:
//! whoever resumes comes to the same end, no effect happens twice, nobody is told twice, and no answer that was kept is
//! paid for twice.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::Value;
use sim::server::Server;

use crate::world::{Done, KEY, World, facts, model, name, reach, told};

/// Processes at a time.
const THREADS: usize = 2;
/// More appends than the run can possibly make.
const APPENDS_MAX: u64 = 300;
/// Answers of the script: the turns of an undisturbed run.
const TURNS: u64 = 5;
/// What a script's answer costs where it does not say: 1000 in, 100 out.
const TOKENS_A_TURN: u64 = 1_100;

const GOAL: &str = "---\noutcome: The tally counts by one.\ndone:\n  - {id: count, run: sh check.sh}\nkeep: {paths: [check.sh]}\nstop: {turns: 12, hours: 1}\n---\nMend the tally.\n";

/// Every call leaves a trace that would show if it were made twice: lines that are appended.
const SCRIPT: &str = r#"
turns:
  - say: I look and begin.
    calls:
      - shell: cat tally.sh; echo one >> lines.txt
      - notes: The tally counts by two.
  - claim_done: Nothing is wrong with it.
  - calls:
      - edit: {path: tally.sh, old: "+ 2", new: "+ 1"}
      - shell: echo two >> lines.txt; echo forged >> check.sh
  - shell: {command: "sh check.sh && echo three >> lines.txt"}
  - claim_done: Count by one
"#;

/// The wire formats: what a person writes after `--model`, and how the server is named to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Responses,
    Messages,
    Chat,
}

impl Wire {
    const ALL: [Wire; 3] = [Wire::Responses, Wire::Messages, Wire::Chat];

    fn model(self, server: &Server) -> String {
        match self {
            Wire::Responses => "openai/mock".into(),
            Wire::Messages => "anthropic/mock".into(),
            Wire::Chat => format!("chat/mock@{}", server.base_url()),
        }
    }

    fn path(self) -> &'static str {
        match self {
            Wire::Responses => "/responses",
            Wire::Messages => "/messages",
            Wire::Chat => "/chat/completions",
        }
    }

    /// `overnight run` of the goal over this wire, as JSON lines.
    fn run(self, world: &World, server: &Server) -> Command {
        let told = world.root.join("told");
        let command = format!("cat >> {0}; echo >> {0}", told.display());
        let goal = GOAL.replace("stop:", &format!("notify: {{command: '{command}'}}\nstop:"));
        let goal = world.goal(&goal);
        let mut command = world.command(&[
            "run",
            goal.to_str().expect("a plain name"),
            "--json",
            "--yes",
        ]);
        command.args(["--model", &self.model(server)]);
        self.reach(&mut command, server);
        command
    }

    fn reach(self, command: &mut Command, server: &Server) {
        reach(command, server);
        command
            .env("ANTHROPIC_BASE_URL", server.address())
            .env("ANTHROPIC_API_KEY", KEY);
    }

    fn resume(self, world: &World, server: &Server) -> Done {
        let mut command = world.command(&["resume", "last", "--json"]);
        self.reach(&mut command, server);
        world.start(command).end()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Before,
    After,
}

impl Moment {
    fn variable(self) -> &'static str {
        match self {
            Moment::Before => "OVERNIGHT_FAULT_KILL_BEFORE_APPEND",
            Moment::After => "OVERNIGHT_FAULT_KILL_AFTER_APPEND",
        }
    }
}

/// What came of one kill.
#[derive(Default)]
struct Came {
    lost: usize,
    repeated: usize,
    paid_twice: u64,
    /// Tokens of answers that were kept and sent again, as the provider counts them.
    tokens_twice: u64,
    /// Whether the person was told of the end; never more than once.
    told: bool,
}

fn world() -> World {
    World::new(&[
        (
            "tally.sh",
            "n=0\nfor x in a b c; do n=$((n + 2)); done\necho $n\n",
        ),
        ("check.sh", "test \"$(sh tally.sh)\" = 3\n"),
    ])
}

fn end(world: &World, done: &Done) -> (String, String) {
    let branch = done.branch();
    let tree = world.git(&["rev-parse", &format!("{branch}^{{tree}}")]);
    let lines = world.on(&branch, "lines.txt");
    (tree, lines)
}

#[test]
fn killed_at_any_append_the_run_comes_to_the_same_end() {
    let since = Instant::now();
    let undisturbed = Wire::ALL.map(|wire| {
        let (world, server) = (world(), model(SCRIPT));
        let done = world.start(wire.run(&world, &server)).end().exits(0);
        assert_eq!(server.answers_sent() as u64, TURNS);
        let spoken = server
            .requests()
            .iter()
            .all(|r| r.path.ends_with(wire.path()));
        assert!(spoken, "{wire:?} and nothing else");
        assert_eq!(times_told(&world), 1);
        end(&world, &done)
    });
    assert!(
        undisturbed
            .iter()
            .all(|end| end.1 == "one\ntwo\nthree\n" && end.0 == undisturbed[0].0)
    );

    let mut points = 0;
    for wire in Wire::ALL {
        let came: Mutex<Vec<(Moment, Came)>> = Mutex::default();
        for moment in [Moment::After, Moment::Before] {
            let next = AtomicU64::new(1);
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        loop {
                            let number = next.fetch_add(1, Ordering::Relaxed);
                            assert!(number <= APPENDS_MAX, "the run makes too many appends");
                            let Some(one) = kill(wire, moment, number, &undisturbed[0]) else {
                                return;
                            };
                            came.lock().expect("no thread panicked").push((moment, one));
                        }
                    });
                }
            });
        }
        let came = came.into_inner().expect("no thread panicked");
        let of = |moment| came.iter().filter(move |(m, _)| *m == moment);
        let paid = |moment| of(moment).map(|(_, c)| c.paid_twice).sum::<u64>();
        let (after, before) = (of(Moment::After).count(), of(Moment::Before).count());
        let lost = came.iter().map(|(_, c)| c.lost).sum::<usize>();
        let repeated = came.iter().map(|(_, c)| c.repeated).sum::<usize>();
        let tokens = came.iter().map(|(_, c)| c.tokens_twice).sum::<u64>();
        println!(
            "{wire:?}: SIGKILL at {} points ({after} after an append, {before} before one): {lost} events lost, \
             {repeated} effects repeated, {tokens} tokens spent twice; {} answers asked for again that died before they \
             were kept; told of the end after {} of the kills, and never twice; {:.0} s",
            came.len(),
            paid(Moment::Before),
            came.iter().filter(|(_, c)| c.told).count(),
            since.elapsed().as_secs_f64(),
        );
        assert_eq!((lost, repeated, tokens, paid(Moment::After)), (0, 0, 0, 0));
        // Each turn alone makes three appends at least: its request, its answer, its call.
        assert!(
            after as u64 >= 3 * TURNS,
            "{after} appends are too few for this run"
        );
        assert!(
            before.abs_diff(after) <= after / 4,
            "{before} before, {after} after"
        );
        points += came.len();
    }
    println!("kill points {points}, lost 0, repeated effects 0, tokens spent twice 0");
}

/// How often the person was told.
fn times_told(world: &World) -> usize {
    let text = std::fs::read_to_string(world.root.join("told")).unwrap_or_default();
    text.lines().count()
}

/// Kills a run at one append and resumes it. Nothing if the run had ended before that.
fn kill(wire: Wire, moment: Moment, number: u64, undisturbed: &(String, String)) -> Option<Came> {
    let at = format!("{wire:?}, {moment:?} append {number}");
    let (world, server) = (world(), model(SCRIPT));
    let before = world.snapshot();
    let mut command = wire.run(&world, &server);
    command.env(moment.variable(), number.to_string());
    let died = world.start(command).end();
    if !died.was_killed() {
        assert_eq!(died.code(), Some(0), "{at}: {}", died.err);
        return None;
    }
    let kept = world.log();
    let done = if kept.is_empty() {
        assert_eq!(
            (moment, number),
            (Moment::Before, 1),
            "only the first append begins a run"
        );
        wire.resume(&world, &server)
            .exits(1)
            .complains("killed before it began");
        world.start(wire.run(&world, &server)).end()
    } else {
        wire.resume(&world, &server)
    };
    assert_eq!(done.code(), Some(0), "{at}: {}\n{}", done.out, done.err);
    assert_eq!(done.summary()["stop_reason"], "complete", "{at}");
    let journal = world.log();

    // Nothing that was kept is gone, and nothing before it has changed: the journal only grows.
    let same = |(old, new): &(&Value, &Value)| old == new;
    let lost = kept.len() - kept.iter().zip(&journal).take_while(same).count();

    // The same end: tree, one branch, one commit, the person's checkout untouched.
    let (tree, lines) = end(&world, &done);
    assert_eq!(tree, undisturbed.0, "{at}: {lines}");
    let branch = done.branch();
    assert_eq!(world.branches(), [branch.as_str()], "{at}");
    assert_eq!(
        world
            .git(&["rev-list", "--count", &format!("HEAD..{branch}")])
            .trim(),
        "1",
        "{at}"
    );
    assert_eq!(world.snapshot(), before, "{at}");

    // Every turn was answered once and every call ended once.
    let answered: Vec<u64> = facts(&journal, "model_answered")
        .iter()
        .filter_map(|f| f["turn"].as_u64())
        .collect();
    assert_eq!(answered, (1..=TURNS).collect::<Vec<_>>(), "{at}");
    let ended: Vec<(u64, u64)> = facts(&journal, "call_ended")
        .into_iter()
        .filter_map(call)
        .collect();
    let once: BTreeSet<_> = ended.iter().copied().collect();
    assert_eq!(ended.len(), once.len(), "{at}: {ended:?}");
    assert_eq!(
        ended,
        [(1, 0), (1, 1), (2, 0), (3, 0), (3, 1), (4, 0), (5, 0)],
        "{at}"
    );
    // The intent to tell is there once, and what came of it at most once; whoever is told is told of the end once.
    let told = times_told(&world);
    assert_eq!(facts(&journal, "notifying").len(), 1, "{at}");
    let receipts = facts(&journal, "notified");
    assert!(
        told <= 1 && receipts.len() == 1,
        "{at}: told {told} times, {receipts:?}"
    );
    let outcome = &receipts[0]["sendings"][0]["outcome"];
    match outcome.as_str() {
        Some("sent") => assert_eq!(told, 1, "{at}"),
        // Killed between the intent and what came of it: nobody knows, and the journal says so.
        other => assert_eq!(
            (other, kept.iter().any(|e| name(e) == "notifying")),
            (Some("unknown"), true),
            "{at}"
        ),
    }
    for wanted in [
        "delivered",
        "report_written",
        "run_created",
        "prepared",
        "baseline_ended",
    ] {
        assert_eq!(
            journal.iter().filter(|e| name(e) == wanted).count(),
            1,
            "{at}: {wanted}"
        );
    }
    let rejected = journal
        .iter()
        .filter(|e| e.to_string().contains("\"claim_rejected\""))
        .count();
    assert!(rejected >= 1, "{at}: the false claim was rejected");

    // A line of the shell stands once, however often its call was begun.
    let repeated = lines.lines().count().saturating_sub(3);

    // What was kept is not asked for again; what died on its way into the journal is asked for once more.
    let paid_twice = (server.answers_sent() as u64).saturating_sub(TURNS);
    let allowed = u64::from(moment == Moment::Before);
    assert!(
        paid_twice <= allowed,
        "{at}: {paid_twice} answers were asked for again"
    );
    // The first answer to each turn that was sent whole and whose event was durable is the one that counts; any other of
    // the same turn after that was paid for twice.
    let tokens_twice = match moment {
        Moment::After => paid_twice * TOKENS_A_TURN,
        Moment::Before => 0,
    };
    let report = done.report();
    assert_eq!(report["complete"], true, "{at}");
    assert_eq!(report["turns"], TURNS, "{at}");
    assert_eq!(report["denials_total"], 1, "{at}: the forgery, once");
    Some(Came {
        lost,
        repeated,
        paid_twice,
        tokens_twice,
        told: told == 1,
    })
}

fn call(fact: &Value) -> Option<(u64, u64)> {
    Some((fact["turn"].as_u64()?, fact["index"].as_u64()?))
}

/// How a command line in the sandbox can be found from outside: nobody else sleeps for so long.
fn sleeper(seconds: &str) -> Vec<String> {
    let wanted = format!("sleep\0{seconds}\0");
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    processes
        .filter(|p| {
            std::fs::read(p.path().join("cmdline")).is_ok_and(|line| line == wanted.as_bytes())
        })
        .map(|p| p.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Begins a run and kills it while the first command sleeps; gives what `resume` came to.
fn killed_within_a_call(seconds: &str, goal: &str) -> (World, Server, Done) {
    let world = world();
    let server = model(&format!(
        "turns:\n  - shell: {{command: \"sleep {seconds}\", background: true}}\n  - shell: echo one >> lines.txt; sleep {seconds}; echo two >> lines.txt\n  \
         - edit: {{path: tally.sh, old: \"+ 2\", new: \"+ 1\"}}\n  - claim_done: Count by one\n"
    ));
    let mut running = world.begin(&server, goal);
    running.until_call(2);
    let since = Instant::now();
    while sleeper(seconds).len() < 2 {
        assert!(since.elapsed().as_secs() < 60, "the command never slept");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    running.signal("KILL");
    assert!(running.end().was_killed());
    let since = Instant::now();
    while !sleeper(seconds).is_empty() {
        assert!(
            since.elapsed().as_secs() < 10,
            "{:?} outlived the harness",
            sleeper(seconds)
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let done = world.resume(&server).exits(0);
    (world, server, done)
}

#[test]
fn killed_within_a_call_its_processes_die_and_it_is_made_again_from_its_snapshot() {
    let (world, server, done) = killed_within_a_call("4.7316", GOAL);
    assert_eq!(world.on(&done.branch(), "lines.txt"), "one\ntwo\n");
    assert_eq!(server.answers_sent(), 4);
    let report = done.report();
    assert_eq!(
        (&report["restarts"], &report["interrupted"]),
        (&1.into(), &1.into())
    );
    assert!(
        told(&server, 3).contains("commands in the background are gone"),
        "{}",
        told(&server, 3)
    );
}

#[test]
fn killed_within_a_call_that_had_a_network_it_is_not_repeated_and_the_model_is_told() {
    let goal = GOAL.replace("stop:", "use: {network: [example.org]}\nstop:");
    let (world, server, done) = killed_within_a_call("600.2719", &goal);
    assert_eq!(
        world.on(&done.branch(), "lines.txt"),
        "one\n",
        "as it was when the process died"
    );
    assert!(
        told(&server, 3).contains("Its effect is unknown"),
        "{}",
        told(&server, 3)
    );
    assert_eq!(server.answers_sent(), 4);
}
