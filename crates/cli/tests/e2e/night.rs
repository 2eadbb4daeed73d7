//! A night in a minute: the real binary on a clock that runs faster, against a provider that has one of everything.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::world::{World, facts, model, name, reach};

/// How many times faster time passes.
const SPEED: u64 = 1_500;
const HOUR_MS: u64 = 60 * 60 * 1_000;

const GOAL: &str = "---\noutcome: The build is recorded.\ndone:\n  - {id: built, file: built.txt, contains: built}\nstop: {turns: 30, hours: 24, active: 20}\n---\nBuild it.\n";

/// An outage of more than an hour, two windows of five hours, a storm of limits, a stream that is cut, and a build of
/// forty minutes in the background.
const SCRIPT: &str = r#"
turns:
  - fail: {kind: unavailable, times: 14}
  - say: It is back.
    shell: "true"
  - fail: {kind: rate_limited, how: quota, retry_after_s: 18000, message: "The usage limit has been reached."}
  - shell: "true"
  - fail: {kind: rate_limited, retry_after_s: 20, times: 8}
  - shell: "true"
  - fail: {kind: cut}
  - shell: {command: "sleep 1.9; echo built > built.txt", background: true}
  - wait: {command: bg1}
  - fail: {kind: rate_limited, how: quota, retry_after_s: 18000}
  - fail: {kind: network}
  - claim_done: Record the build
"#;

fn now_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(now.as_millis()).expect("a time")
}

fn ms(event: &Value) -> u64 {
    event["at"].as_u64().expect("a time")
}

#[test]
fn a_night_with_one_of_everything_costs_no_call_while_it_waits() {
    let mut world = World::new(&[("README.md", "x\n")]);
    let told = world.root.join("told");
    let since = Instant::now();
    world.env.insert(
        "OVERNIGHT_FAULT_CLOCK".into(),
        format!("{SPEED}@{}", now_ms()),
    );
    let server = model(SCRIPT);
    let goal = GOAL.replace(
        "stop:",
        &format!(
            "notify: {{command: 'cat >> {0}; echo >> {0}'}}\nstop:",
            told.display()
        ),
    );
    let mut running = world.begin(&server, &goal);
    // The power goes in the first of the long waits.
    running.until("The usage limit has been reached.");
    running.signal("KILL");
    assert!(running.end().was_killed());
    let mut command = world.command(&["resume", "last", "--json"]);
    reach(&mut command, &server);
    let done = world.start(command).end().exits(0);
    assert_eq!(done.summary()["stop_reason"], "complete");

    let journal = world.log();
    let report = done.report();
    // A wait: from the failure to the moment at which it is over. In between there is no request.
    let (mut during, mut waits, mut waiting) = (0, 0, false);
    for event in &journal {
        match name(event) {
            "model_failed" => (waits, waiting) = (waits + 1, true),
            "woken" | "network_back" | "wait_cancelled" => waiting = false,
            "turn_requested" => during += u32::from(waiting),
            _ => {}
        }
    }
    // The network's wait is over only when it is back; waking is where it begins to be looked for.
    let requested = facts(&journal, "turn_requested").len();
    let asked = server
        .requests()
        .iter()
        .filter(|r| r.method == "POST")
        .count();
    let build = build_ms(&journal);
    println!(
        "a night of {:.1} h in {:.0} s: {} failed calls, {waits} waits, a build of {:.0} min; {:.1} h waiting, {:.2} h at work; \
         model calls made during waits: {during}",
        report["time"]["to"]
            .as_u64()
            .zip(report["time"]["from"].as_u64())
            .map_or(0, |(to, from)| to - from) as f64
            / HOUR_MS as f64,
        since.elapsed().as_secs_f64(),
        facts(&journal, "model_failed").len(),
        build as f64 / 60_000.0,
        report["time"]["waiting_ms"].as_u64().unwrap_or(0) as f64 / HOUR_MS as f64,
        report["time"]["active_ms"].as_u64().unwrap_or(0) as f64 / HOUR_MS as f64,
    );
    assert_eq!(during, 0);
    assert_eq!(
        asked, requested,
        "every request is in the journal, and no other was made"
    );
    assert_eq!(
        facts(&journal, "model_failed").len(),
        14 + 1 + 8 + 1 + 1 + 1
    );
    assert_eq!(server.answers_sent(), 6, "no answer was paid for twice");

    // The quotas were waited for to their ends, over the restart as well.
    let quotas: Vec<u64> = waits_of(&journal, "quota")
        .iter()
        .map(|w| w / HOUR_MS)
        .collect();
    assert_eq!(quotas, [5, 5]);
    assert!(
        (25.0..240.0).contains(&(build as f64 / 60_000.0)),
        "{build}"
    );
    let waiting_ms = report["time"]["waiting_ms"].as_u64().expect("there");
    assert!(waiting_ms > 10 * HOUR_MS, "{waiting_ms}");
    assert_eq!(facts(&journal, "restarted").len(), 1);
    assert_eq!(facts(&journal, "network_back").len(), 1);

    // The person was told of each long wait once, and of the end.
    let text = std::fs::read_to_string(&told).expect("told");
    let occasions: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("JSON")["occasion"].clone())
        .collect();
    assert_eq!(occasions, ["waiting", "waiting", "waiting", "complete"]);
}

/// How long the `wait` for the build took, and that nothing was asked meanwhile.
fn build_ms(journal: &[Value]) -> u64 {
    let of = |wanted: &str| {
        journal
            .iter()
            .position(|e| name(e) == wanted && e["fact"]["turn"] == 5)
    };
    let (from, to) = (
        of("call_started").expect("begun"),
        of("call_ended").expect("ended"),
    );
    assert!(
        journal[from..to]
            .iter()
            .all(|e| name(e) != "turn_requested")
    );
    ms(&journal[to]) - ms(&journal[from])
}

/// How long after each failure of that kind the run went on.
fn waits_of(journal: &[Value], kind: &str) -> Vec<u64> {
    let quota = |e: &Value| {
        e["fact"]["retry_after_ms"]
            .as_u64()
            .is_some_and(|ms| ms >= HOUR_MS)
    };
    assert_eq!(kind, "quota");
    let failed = journal
        .iter()
        .enumerate()
        .filter(|(_, e)| name(e) == "model_failed" && quota(e));
    failed
        .map(|(at, failed)| {
            let next = journal[at..]
                .iter()
                .find(|e| name(e) == "turn_requested")
                .expect("it goes on");
            ms(next) - ms(failed)
        })
        .collect()
}
