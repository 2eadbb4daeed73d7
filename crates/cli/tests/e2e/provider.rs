//! A provider on a bad day: nothing that it does ends a run by itself, and all of it is in the journal.

use serde_json::Value;

use crate::world::{World, facts, model, model_with, reach, request, told};

const GOAL: &str = "---\noutcome: The work is done.\ndone:\n  - {file: todo.txt, contains: done}\nstop: {turns: 30, hours: 1}\n---\nGo on.\n";

fn small() -> World {
    World::new(&[("todo.txt", "open\n")])
}

fn text<'a>(fact: &'a Value, field: &str) -> &'a str {
    fact[field].as_str().unwrap_or_default()
}

#[test]
fn every_kind_of_failure_is_journaled_and_survived() {
    let world = small();
    let server = model(
        r#"
turns:
  - fail: {kind: rate_limited, retry_after_s: 1.5}
  - say: One.
    shell: "true"
  - fail: {kind: rate_limited, message: "Slow down."}
  - shell: "true"
  - fail: {kind: rate_limited, how: event, message: "Please try again in 0.2s."}
  - shell: "true"
  - fail: {kind: unavailable, status: 500}
  - shell: "true"
  - fail: {kind: unavailable, how: event}
  - shell: "true"
  - fail: {kind: cut}
  - shell: "true"
  - fail: {kind: cut, how: abort}
  - shell: "true"
  - fail: {kind: network}
  - shell: "true"
  - fail: {kind: malformed, how: garbage}
  - fail: {kind: malformed, how: empty, times: 2}
  - shell: echo done > todo.txt
  - claim_done: Do the work
"#,
    );
    let done = world.run(&server, GOAL).exits(0);
    let journal = world.log();
    let failed: Vec<(u64, String)> = facts(&journal, "model_failed")
        .iter()
        .map(|f| (f["turn"].as_u64().unwrap_or(0), text(f, "kind").to_owned()))
        .collect();
    let failed: Vec<(u64, &str)> = failed.iter().map(|(t, k)| (*t, k.as_str())).collect();
    assert_eq!(
        failed,
        [
            (1, "rate_limited"),
            (2, "rate_limited"),
            (3, "rate_limited"),
            (4, "unavailable"),
            (5, "unavailable"),
            (6, "cut"),
            (7, "cut"),
            (8, "network"),
            (9, "malformed"),
            (9, "malformed"),
            (9, "malformed"),
        ]
    );
    for failure in facts(&journal, "model_failed") {
        assert!(!text(failure, "message").is_empty(), "{failure:#}");
    }
    // What the provider said about when to come back was heeded.
    let first: Vec<_> = server
        .requests()
        .into_iter()
        .filter(|r| r.turn == 1)
        .collect();
    assert_eq!(first.len(), 2);
    let waited_us = first[1].received_us - first[0].answered_us.unwrap_or(first[0].received_us);
    assert!(
        (1_450_000..10_000_000).contains(&waited_us),
        "waited {waited_us} µs"
    );
    assert_eq!(facts(&journal, "model_failed")[0]["retry_after_ms"], 1500);
    // Without its word the harness waits by its own measure, and says so in the report.
    assert!(facts(&journal, "woken").len() >= 8, "every wait ended");
    let report = done.report();
    assert_eq!(report["turns"], 10);
    let counted = report["model_failures"].to_string();
    for kind in ["rate_limited", "unavailable", "cut", "network", "malformed"] {
        assert!(counted.contains(kind), "{kind} in {counted}");
    }
    assert!(
        report["waits"].as_array().is_some_and(|w| w.len() >= 8),
        "{:#}",
        report["waits"]
    );
}

#[test]
fn odd_answers_are_told_to_the_model_and_the_run_goes_on() {
    let world = small();
    let server = model(
        r#"
turns:
  - raw: {tool: shell, arguments: '{"command": '}
  - raw: {tool: no_such_tool, arguments: {a: 1}}
  - calls:
      - shell: echo first >> order.txt
      - shell: echo second >> order.txt; cat order.txt
  - say: I think that everything is in order.
  - say: Did nobody hear me?
    wire: {unknown: true}
  - shell: echo unknown events harm nothing
    wire: {unknown: true, bom: true, crlf: true, comments: true, piece_bytes: 1}
  - think: Hm.
    shell: rm order.txt; echo done > todo.txt
    wire: {pad_bytes: 300000}
  - raw: {tool: claim_done, arguments: '{"summary": 7}'}
  - raw: {tool: shell, arguments: '{}'}
  - claim_done: Do the work
"#,
    );
    let done = world.run(&server, GOAL).exits(0);
    let journal = world.log();
    assert!(
        told(&server, 2).contains("The arguments of `shell` cannot be read"),
        "{}",
        told(&server, 2)
    );
    assert!(
        told(&server, 3).contains("There is no tool `no_such_tool`"),
        "{}",
        told(&server, 3)
    );
    // Two calls of one answer are made in order, and each has its result.
    assert!(
        told(&server, 4).contains("first\nsecond\n"),
        "{}",
        told(&server, 4)
    );
    let calls: Vec<_> = facts(&journal, "call_ended")
        .into_iter()
        .filter(|f| f["turn"] == 3)
        .map(|f| f["index"].as_u64())
        .collect();
    assert_eq!(calls, [Some(0), Some(1)]);
    // Mere words are answered with what is open.
    let silent = told(&server, 5);
    assert!(
        silent.contains("You called no tool") && silent.contains("todo.txt"),
        "{silent}"
    );
    assert!(told(&server, 6).contains("You called no tool"));
    let odd: Vec<_> = facts(&journal, "model_answered")
        .into_iter()
        .filter(|f| f["oddities"].as_array().is_some_and(|o| !o.is_empty()))
        .map(|f| f["turn"].as_u64().unwrap_or(0))
        .collect();
    assert_eq!(odd, [5, 6], "what nobody knows is noted");
    assert!(told(&server, 9).contains("The arguments of `claim_done` cannot be read"));
    assert!(told(&server, 10).contains("`shell` needs a `command`"));
    assert_eq!(done.report()["turns"], 10);
    assert_eq!(done.report()["claims"], 1);
}

#[test]
fn every_call_has_one_result_and_the_prompt_only_grows_at_its_end() {
    let world = small();
    let server = model(
        r#"
turns:
  - think: First.
    calls: [{shell: ls}, {read: {path: todo.txt}}, {raw: {tool: nothing, arguments: {}}}]
  - notes: The file says open.
  - say: And now?
  - shell: echo done > todo.txt
  - claim_done: Do the work
"#,
    );
    world.run(&server, GOAL).exits(0);
    let requests = server.requests();
    assert_eq!(requests.len(), 5);
    let inputs: Vec<Vec<Value>> = requests
        .iter()
        .map(|r| r.body["input"].as_array().cloned().unwrap_or_default())
        .collect();
    for pair in inputs.windows(2) {
        // All but the last item, the harness's current view, stays as it was: a provider's cache goes on matching.
        let kept = pair[0].len() - 1;
        assert_eq!(pair[0][..kept], pair[1][..kept]);
    }
    for pair in requests.windows(2) {
        for part in ["instructions", "tools", "model", "prompt_cache_key"] {
            assert_eq!(pair[0].body[part], pair[1].body[part], "{part}");
        }
    }
    let last = inputs.last().expect("five");
    let ids = |kind: &str| -> Vec<&str> {
        let of_kind = last.iter().filter(|item| item["type"] == kind);
        of_kind
            .filter_map(|item| item["call_id"].as_str())
            .collect()
    };
    assert_eq!(ids("function_call"), ids("function_call_output"));
    assert_eq!(ids("function_call").len(), 5);
    assert!(
        last.iter().any(|item| item["type"] == "reasoning"),
        "reasoning is carried back"
    );
    assert!(
        told(&server, 5).contains("The file says open."),
        "notes stay in view"
    );
}

#[test]
fn a_history_that_is_too_long_is_cut_and_the_run_goes_on() {
    let world = small();
    let server = model(
        r#"
turns:
  - shell: echo the-first-output; seq 1 500
  - shell: echo the-second-output; seq 1 500
  - shell: echo the-third-output
  - fail: {kind: context_overflow, times: 4}
  - fail: {kind: context_overflow, how: event}
  - shell: echo done > todo.txt
  - claim_done: Do the work
"#,
    );
    let done = world.run(&server, GOAL).exits(0);
    let tries: Vec<_> = server
        .requests()
        .into_iter()
        .filter(|r| r.turn == 4)
        .collect();
    assert_eq!(tries.len(), 6);
    assert!(tries[0].body.to_string().contains("the-first-output"));
    let last = tries[5].body.to_string();
    assert!(
        !last.contains("the-first-output\\n"),
        "the oldest turns are no longer shown whole: {last}"
    );
    assert!(
        tries[5].body_bytes < tries[0].body_bytes,
        "the request became smaller"
    );
    assert!(told(&server, 4).contains("history"), "{}", told(&server, 4));
    assert_eq!(done.report()["turns"], 5);
}

#[test]
fn a_goal_that_is_too_long_for_the_model_ends_in_a_question() {
    let world = small();
    let server =
        model("turns:\n  - fail: {kind: context_overflow, times: forever}\n  - say: never\n");
    let done = world.run(&server, GOAL).exits(3);
    assert_eq!(done.summary()["stop_reason"], "blocked");
    let help = done.report()["help"].clone();
    assert_eq!(help["by"], "provider");
    assert!(
        help["question"]
            .as_str()
            .is_some_and(|q| q.contains("too long")),
        "{help:#}"
    );
}

#[test]
fn answers_that_nobody_can_read_end_in_a_question_and_not_in_a_bill() {
    let world = small();
    let server = model("turns:\n  - fail: {kind: malformed, times: forever}\n  - say: never\n");
    world.run(&server, GOAL).exits(3);
    assert!(
        server.requests().len() <= 10,
        "{} requests",
        server.requests().len()
    );
}

#[test]
fn a_wrong_key_blocks_and_the_right_one_goes_on() {
    let world = small();
    let script = "turns:\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n";
    let server = model_with(script, Some("sk-the-right-one-0001"));
    let done = world.run(&server, GOAL).exits(3);
    let report = done.report();
    assert_eq!(report["stop_reason"], "blocked");
    assert_eq!(report["help"]["by"], "provider");
    assert!(
        report["help"]["question"]
            .as_str()
            .is_some_and(|q| q.contains("OPENAI_API_KEY")),
        "{:#}",
        report["help"]
    );
    assert_eq!(
        server.requests().len(),
        1,
        "a refusal is not tried again by itself"
    );
    assert_eq!(
        world.resume(&server).exits(3).summary()["stop_reason"],
        "blocked"
    );

    let mut right = world.command(&["resume", "last", "--json"]);
    reach(&mut right, &server);
    right.env("OPENAI_API_KEY", "sk-the-right-one-0001");
    let done = world.start(right).end().exits(0);
    assert_eq!(done.summary()["id"], report["id"], "the same run");
    assert_eq!(world.on(&done.branch(), "todo.txt"), "done\n");
    assert_eq!(server.answers_sent(), 2);
}

#[test]
fn a_server_that_is_not_there_is_waited_for() {
    let world = small();
    let server = model("turns:\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n");
    // A port that nobody listens on: bound once, and free again.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|l| l.local_addr())
        .expect("a port");
    let mut command = world.run_command(&server, GOAL);
    command.env("OPENAI_BASE_URL", format!("http://{free}/v1"));
    let mut running = world.start(command);
    running.until("\"kind\":\"network\"");
    running.signal("INT");
    running.end().exits(6);
    // Whoever comes back finds the wait in the journal, and the run goes on elsewhere.
    let done = world.resume(&server).exits(0);
    assert_eq!(world.on(&done.branch(), "todo.txt"), "done\n");
}

#[test]
fn the_request_names_the_model_and_the_public_tools() {
    let world = small();
    let server = model("turns:\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n");
    world.run(&server, GOAL).exits(0);
    let body = request(&server, 1).body;
    assert_eq!(body["model"], "mock");
    assert_eq!(body["stream"], true);
    assert_eq!(body["store"], false);
    let tools: Vec<&str> = body["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|t| t["name"].as_str())
        .collect();
    assert_eq!(
        tools,
        [
            "shell",
            "read",
            "write",
            "edit",
            "search",
            "notes",
            "plan",
            "claim_done",
            "ask_for_help",
            "wait"
        ],
        "the names are public; there is no worklist, so nothing closes an item"
    );
}
