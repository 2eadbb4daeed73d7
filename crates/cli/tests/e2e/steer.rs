//! Steering a run from another terminal: a new contract, the end of a wait, and being told.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::world::{World, facts, model, name, reach, told};

const GOAL: &str = "---\noutcome: The work is done.\ndone:\n  - {id: todo, file: todo.txt, contains: done}\nstop: {turns: 30, hours: 20}\n---\nGo on.\n";

fn small() -> World {
    World::new(&[("todo.txt", "open\n"), ("api.txt", "stable\n")])
}

/// Writes another version of the goal file beside the first.
fn version(world: &World, text: &str) -> String {
    let path = world.root.join("new.md");
    fs::write(&path, text).expect("written");
    path.to_str().expect("a plain name").to_owned()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

#[test]
fn a_live_run_obeys_an_edited_goal_before_its_next_model_call() {
    let world = small();
    // The answer to turn 2 is under way for longer than a pause would wait for it, and is not lost.
    let server = model(
        r#"
turns:
  - notes: Kept over the edit.
  - shell: echo broken > api.txt; echo done > todo.txt
    delay_s: 6
  - shell: echo also > second.txt; echo broken > api.txt
  - claim_done: Do the work
"#,
    );
    let mut running = world.begin(&server, GOAL);
    running.until("\"fact\":\"turn_requested\",\"turn\":2");
    let goal = GOAL
        .replace(
            "done:\n",
            "done:\n  - {id: second, file: second.txt, contains: also}\n",
        )
        .replace(
            "stop: {turns: 30",
            "keep: {paths: [api.txt]}\nstop: {turns: 40",
        );
    let file = version(&world, &goal);
    let edited = world.overnight(&["edit", "last", &file]).exits(0);
    edited
        .says("done.second: new")
        .says("keep.paths: [] → [\"api.txt\"]")
        .says("stop.turns: 30 → 40");
    let done = running.end().exits(0);
    let journal = world.log();
    let names: Vec<&str> = journal.iter().map(name).collect();
    // The answer came, the new check was run on the base, and only that; what the answer called for was done under the new
    // contract, and then the model was asked again.
    let edit = names
        .iter()
        .position(|n| *n == "goal_edited")
        .unwrap_or_else(|| panic!("{names:?}"));
    assert_eq!(
        names[edit - 1..edit + 6],
        [
            "model_answered",
            "goal_edited",
            "check_reported",
            "baseline_ended",
            "call_started",
            "call_ended",
            "turn_requested"
        ],
        "{names:?}"
    );
    assert_eq!(journal[edit + 1]["fact"]["report"]["check"], "second");
    // The answer that was under way was kept and not asked for again.
    assert_eq!(server.answers_sent(), 4);
    let heard = told(&server, 3);
    assert!(
        heard.contains("changed the contract") && heard.contains("done.second"),
        "{heard}"
    );
    assert!(heard.contains("Kept over the edit."), "{heard}");
    let request = server
        .requests()
        .into_iter()
        .find(|r| r.turn == 3)
        .expect("asked");
    let contract = request.body["input"][0].to_string();
    assert!(
        contract.contains("second.txt"),
        "the contract on top is the new one: {contract}"
    );
    // Sandbox, policy and the last look are the new contract's: what the first version allowed is put back.
    assert_eq!(
        world.changes_on(&done.branch()),
        ["A second.txt", "M todo.txt"]
    );
    assert_eq!(done.report()["limits"]["turns"], 40);
    assert!(done.report()["denials_total"].as_u64() >= Some(1));
    done_says_so(&done.report());
}

fn done_says_so(report: &Value) {
    assert_eq!(report["complete"], true);
    let person = report["person"].to_string();
    assert!(
        person.contains("\"edit\"") && person.contains("done.second"),
        "{person}"
    );
}

#[test]
fn what_a_run_cannot_change_under_way_is_refused_where_the_person_is() {
    let world = small();
    let server =
        model("turns:\n  - shell: sleep 4\n  - ask_for_help: {question: q, tried: t, unlock: u}\n");
    let mut running = world.begin(&server, GOAL);
    running.until_call(1);
    let file = version(
        &world,
        &GOAL.replace("stop:", "use: {setup: make deps}\nstop:"),
    );
    world
        .overnight(&["edit", "last", &file])
        .exits(2)
        .complains("`use.setup` cannot be changed");
    let file = version(&world, &GOAL.replace("contains", "kontains"));
    world
        .overnight(&["edit", "last", &file])
        .exits(2)
        .complains("unknown key");
    let done = running.end().exits(3);
    assert!(facts(&world.log(), "goal_edited").is_empty());
    assert_eq!(done.summary()["stop_reason"], "blocked");
}

#[test]
fn a_blocked_run_that_nobody_works_on_is_edited_in_an_editor_and_goes_on() {
    let mut world = small();
    let server = model(
        "turns:\n  - shell: echo done > todo.txt\n  - ask_for_help: {question: Which file?, tried: t, unlock: u}\n  - claim_done: Do the work\n",
    );
    let first = GOAL.replace("todo.txt", "nowhere.txt");
    world.run(&server, &first).exits(3);
    // Nothing was written: nothing changes.
    world.env.insert("EDITOR".into(), "true".into());
    world
        .overnight(&["edit", "last"])
        .exits(0)
        .says("nothing has changed");
    world
        .env
        .insert("EDITOR".into(), "sed -i s/nowhere.txt/todo.txt/".into());
    world
        .overnight(&["edit", "last"])
        .exits(0)
        .says("done.todo")
        .says("overnight resume");
    world
        .overnight(&["show", "last"])
        .exits(0)
        .says("baselining");
    let done = world.resume(&server).exits(0);
    assert_eq!(done.summary()["stop_reason"], "complete");
    let journal = world.log();
    assert_eq!(facts(&journal, "baseline_ended").len(), 2);
    let contract = server.requests().pop().expect("asked").body["input"][0].to_string();
    assert!(contract.contains("todo.txt") && !contract.contains("nowhere.txt"));
    // What is complete takes no new contract.
    world.env.insert("EDITOR".into(), "sed -i s/30/31/".into());
    world
        .overnight(&["edit", "last"])
        .exits(2)
        .complains("begin a new run");
    // What was written and refused is not lost.
    world
        .env
        .insert("EDITOR".into(), "sed -i s/outcome/outkome/".into());
    let refused = world.overnight(&["edit", "last"]).exits(2);
    let kept = refused
        .err
        .split("what you wrote is in ")
        .nth(1)
        .expect("it says where");
    let kept = kept.split(':').next().expect("a path").trim();
    assert!(fs::read_to_string(kept).expect("kept").contains("outkome"));
}

#[test]
fn a_wait_is_shown_with_its_end_and_ended_by_resume_from_another_terminal() {
    let world = small();
    let server = model(
        "turns:\n  - fail: {kind: rate_limited, how: quota, retry_after_s: 7200}\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n",
    );
    let mut running = world.begin(&server, GOAL);
    running.until("\"fact\":\"model_failed\"");
    until("it waits", || {
        world
            .overnight(&["runs"])
            .out
            .contains("waits for the account's quota")
    });
    let shown = world.overnight(&["show", "last"]).exits(0);
    shown
        .says("waiting since")
        .says("waits until")
        .says("1 h 59 min")
        .says("ends the wait");
    let runs = world.overnight(&["runs", "--json"]).exits(0).json();
    assert_eq!(runs[0]["status"], "waiting");
    assert!(runs[0]["waits_until"].as_u64().is_some());
    // A restart ends no wait and asks no model.
    running.signal("KILL");
    assert!(running.end().was_killed());
    let mut command = world.command(&["resume", "last", "--json"]);
    reach(&mut command, &server);
    let mut again = world.start(command);
    again.until("\"fact\":\"restarted\"");
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(server.requests().len(), 1, "no model call while waiting");
    // A pause during a wait rests at once; going on, the wait goes on.
    world.overnight(&["pause"]).exits(0);
    again.end().exits(6);
    let mut command = world.command(&["resume", "last", "--json"]);
    reach(&mut command, &server);
    let mut third = world.start(command);
    third.until("\"fact\":\"resumed\"");
    world
        .overnight(&["resume", "last"])
        .exits(0)
        .says("the wait is over");
    let done = third.end().exits(0);
    assert_eq!(done.summary()["stop_reason"], "complete");
    assert_eq!(facts(&world.log(), "wait_cancelled").len(), 1);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn resume_now_takes_a_run_up_and_does_not_wait() {
    let world = small();
    let server = model(
        "turns:\n  - fail: {kind: rate_limited, retry_after_s: 600}\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n",
    );
    let mut running = world.begin(&server, GOAL);
    running.until("\"fact\":\"model_failed\"");
    running.signal("KILL");
    running.end();
    let mut command = world.command(&["resume", "last", "--json", "--now"]);
    reach(&mut command, &server);
    world.start(command).end().exits(0);
}

#[test]
fn a_network_that_is_gone_is_looked_for_without_a_model_call() {
    let world = small();
    let script = "turns:\n  - shell: sleep 2\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n";
    let server = model(script);
    let port: u16 = server
        .base_url()
        .trim_end_matches("/v1")
        .rsplit(':')
        .next()
        .expect("a port")
        .parse()
        .expect("a number");
    let mut running = world.begin(&server, GOAL);
    running.until_call(1);
    drop(server);
    running.until("\"fact\":\"woken\"");
    std::thread::sleep(Duration::from_secs(3));
    world
        .overnight(&["show", "last"])
        .exits(0)
        .says("for the network");
    let options = sim::server::Options {
        port,
        keep_bodies: true,
        ..Default::default()
    };
    let script = overnight_models::scripted::Script::parse(script, std::path::Path::new("s.yaml"))
        .expect("a script");
    let back = sim::server::Server::start(script, options).expect("the same port");
    running.end().exits(0);
    let journal = world.log();
    assert_eq!(
        facts(&journal, "model_failed").len(),
        1,
        "one failed call, however long it lasted"
    );
    assert_eq!(facts(&journal, "network_back").len(), 1);
    let asked: Vec<String> = back.requests().iter().map(|r| r.method.clone()).collect();
    assert_eq!(asked, ["HEAD", "POST", "POST"]);
    let head = &back.requests()[0];
    assert!(
        head.headers.iter().all(|(name, _)| name != "authorization"),
        "{:?}",
        head.headers
    );
}

// Being told.

/// A goal that ends blocked, told by a command that keeps what it is given.
fn told_goal(world: &World, more: &str) -> String {
    let notes = world.root.join("notes.jsonl");
    let command = format!("cat >> {0}; echo >> {0}", notes.display());
    GOAL.replace(
        "stop:",
        &format!("notify: [{{command: '{command}'}}{more}]\nstop:"),
    )
}

fn notes(world: &World) -> Vec<Value> {
    let text = fs::read_to_string(world.root.join("notes.jsonl")).unwrap_or_default();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}")))
        .collect()
}

#[test]
fn the_person_is_told_once_by_every_channel_and_what_fails_hurts_nothing() {
    let mut world = small();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let hook = format!(
        "http://{}/T0/secret-part",
        listener.local_addr().expect("bound")
    );
    let posts = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a post");
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("set");
        let mut got = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&got).ends_with('}') {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(n) => got.extend_from_slice(&piece[..n]),
            }
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .expect("answered");
        String::from_utf8(got).expect("text")
    });
    world.env.insert("HOOK".into(), hook);
    let server = model(
        "turns:\n  - ask_for_help: {question: \"Which file?\\e[31m\", tried: t, unlock: u}\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n",
    );
    let goal = told_goal(
        &world,
        ", {webhook_env: HOOK}, {command: exit 9}, {desktop: true}",
    );
    // No desktop here: that channel fails, and so does the third.
    let done = world.run(&server, &goal).exits(3);
    let first = notes(&world);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0]["occasion"], "blocked");
    assert_eq!(first[0]["help"]["question"], "Which file?");
    assert!(first[0]["key"].as_str().is_some_and(|k| k.ends_with("-1")));
    let post = posts.join().expect("posted");
    assert!(post.starts_with("POST /T0/secret-part"), "{post}");
    assert!(
        post.contains("idempotency-key: ") && post.contains("\"occasion\":\"blocked\""),
        "{post}"
    );
    let journal = world.log();
    let sendings = &facts(&journal, "notified")[0]["sendings"];
    let outcomes: Vec<&str> = sendings
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|s| s["outcome"].as_str())
        .collect();
    assert_eq!(outcomes[..3], ["sent", "sent", "failed"], "{sendings:#}");
    assert!(
        !journal
            .iter()
            .any(|e| e.to_string().contains("secret-part")),
        "no secret in the journal"
    );
    world
        .overnight(&["show", "last"])
        .exits(0)
        .says("notified by command")
        .says("not notified by command: it ended with");
    assert_eq!(done.summary()["stop_reason"], "blocked");
    // The end of what follows is another one.
    world.overnight(&["answer", "last", "todo.txt"]).exits(0);
    world.resume(&server).exits(0);
    let all = notes(&world);
    let occasions: Vec<&str> = all.iter().filter_map(|n| n["occasion"].as_str()).collect();
    assert_eq!(occasions, ["blocked", "complete"]);
    assert!(all[1]["branch"].as_str().is_some());
    // Looking at a run that has ended tells nobody again.
    world.resume(&server).exits(0);
    assert_eq!(notes(&world).len(), 2);
}

#[test]
fn the_configuration_tells_where_the_goal_does_not_and_a_repository_never_does() {
    let mut world = small();
    let config = world.root.join("config.toml");
    let told = world.root.join("told");
    fs::write(
        &config,
        format!("[notify]\ncommand = \"cat > {}\"\n", told.display()),
    )
    .expect("written");
    world
        .env
        .insert("OVERNIGHT_CONFIG".into(), config.display().to_string());
    let server = model("turns:\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n");
    world.run(&server, GOAL).exits(0);
    assert!(
        fs::read_to_string(&told)
            .expect("told")
            .contains("\"complete\"")
    );
    fs::remove_file(&told).expect("there");
    world
        .run(&server, &GOAL.replace("stop:", "notify: []\nstop:"))
        .exits(0);
    assert!(!told.exists(), "the goal says: nobody");
    world.put(
        "overnight.toml",
        "[notify]\ncommand = \"touch /tmp/never\"\n",
    );
    world
        .run(&server, GOAL)
        .exits(2)
        .complains("a repository may not set `notify`");
}
