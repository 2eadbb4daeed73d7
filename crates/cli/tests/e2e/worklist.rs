//! What a worklist costs: an item late in the list no more than an early one, and a long list no more than its pages. The
//! figures themselves are the bench's (`cargo run --release -p sim --bin bench -- --items`).

use std::fmt::Write;

use crate::world::{World, model};

/// By how much the requests about a late item may be larger than those about an early one.
const GROWTH_MAX: f64 = 1.1;
/// How large a run's state may be, bytes, whatever the length of its list.
const STATE_BYTES_MAX: usize = 256 * 1024;

fn goal(turns: u64) -> String {
    format!(
        "---\noutcome: Every price is right.\nitems:\n  from: file\n  path: backlog.jsonl\n  outcomes: [fixed, flagged]\n  each: [\"! grep -rl BROKEN parts\"]\nuse: {{paths: [\"parts/**\"]}}\nstop: {{turns: {turns}, hours: 1}}\n---\nMend the prices.\n"
    )
}

/// A repository with a list of so many items beside the few files that some of them are about.
fn backlog(items: usize, files: usize) -> World {
    let mut list = String::new();
    for number in 1..=items {
        let line = serde_json::json!({
            "id": format!("API-{number}"),
            "title": format!("WrongTotal: expected one more in price of article {number:05} (GET /v2/carts)"),
            "body": format!("in the price of article {number:05}\n").repeat(60),
        });
        let _ = writeln!(list, "{line}");
    }
    let world = World::new(&[("backlog.jsonl", &list)]);
    for number in 1..=files {
        let content = format!("def price():\n    return {number} - 1\n");
        world.put(&format!("parts/a{number}.py"), &content);
    }
    world.commit("Prices");
    world
}

#[test]
fn the_last_item_costs_what_an_early_one_costs() {
    const ITEMS: usize = 12;
    const EARLY: usize = 3;
    let mut script = String::from("items:\n");
    for n in 1..=ITEMS {
        let _ = write!(
            script,
            "  API-{n}:\n    - edit: {{path: parts/a{n}.py, old: \"{n} - 1\", new: \"{n}\"}}\n    - close_item: {{id: API-{n}, outcome: fixed, evidence: \"The price of article {n:05} counts its last piece as well\"}}\n"
        );
    }
    let (world, server) = (backlog(ITEMS, ITEMS), model(&script));
    let done = world.run(&server, &goal(100)).exits(0);
    let commits = world.git(&["rev-list", "--count", &format!("HEAD..{}", done.branch())]);
    assert_eq!(commits.trim(), ITEMS.to_string(), "one commit for each");

    let bytes = |number: usize| -> f64 {
        let id = format!("API-{number}");
        let about = server
            .requests()
            .into_iter()
            .filter(|r| r.item.as_deref() == Some(&*id));
        let sizes: Vec<u64> = about.map(|r| r.body_bytes).collect();
        assert_eq!(sizes.len(), 2, "{id}: two turns");
        sizes.iter().sum::<u64>() as f64
    };
    let grown = bytes(ITEMS) / bytes(EARLY);
    assert!(grown <= GROWTH_MAX, "{grown:.3} times");
    // What is compared is about the same thing: an item of its own, and what others learned.
    assert!(grown >= 1.0 / GROWTH_MAX, "{grown:.3} times");
}

#[test]
fn a_long_list_is_frozen_whole_and_the_state_stays_small() {
    const ITEMS: usize = 2_000;
    let script = "items:\n  \"*\":\n    - close_item: {id: \"{{item}}\", outcome: flagged, evidence: Later.}\n";
    let (world, server) = (backlog(ITEMS, 1), model(script));
    world.run(&server, &goal(1)).exits(4);

    let state = world.overnight(&["show", "last", "--json"]).exits(0).out;
    assert!(state.len() < STATE_BYTES_MAX, "{} bytes", state.len());
    let shown = world.overnight(&["items", "last", "--json"]).exits(0).out;
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let rows = shown["rows"].as_array().expect("rows");
    let ids: Vec<&str> = rows.iter().filter_map(|row| row["id"].as_str()).collect();
    let listed: Vec<String> = (1..=ITEMS).map(|n| format!("API-{n}")).collect();
    assert_eq!(ids, listed);
    let requests = server.requests();
    assert!(
        requests.iter().all(|r| r.body_bytes < 64 * 1024),
        "no request holds the list"
    );
    assert!(!requests.is_empty());
}

/// A worklist from a file whose items change `notes.txt` and `parts/`; `each` looks at nothing that they write.
fn words(parallel: u8) -> String {
    format!(
        "---\noutcome: Every note is right.\nitems:\n  from: file\n  path: notes.jsonl\n  outcomes: [fixed, flagged]\n  each: [\"test -e notes.jsonl\"]\n  parallel: {parallel}\nuse: {{paths: [\"parts/**\"]}}\nnext: {{attempts: 2}}\nstop: {{turns: 40, hours: 1}}\n---\nMend the notes.\n"
    )
}

fn notes(ids: &[&str]) -> World {
    let line = |id: &&str| format!("{{\"id\": \"{id}\", \"title\": \"note {id}\"}}\n");
    let list: String = ids.iter().map(line).collect();
    let lines: String = (1..=9).map(|n| format!("line {n}\n")).collect();
    World::new(&[("notes.jsonl", &list), ("parts/a.txt", &lines)])
}

fn outcomes(world: &World) -> Vec<(String, String)> {
    let shown = world.overnight(&["items", "last", "--json"]).exits(0).out;
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let word = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    let rows = shown["rows"].as_array().expect("rows");
    rows.iter()
        .map(|row| (word(row, "id"), word(row, "outcome")))
        .collect()
}

fn both(first: &str, second: &str) -> Vec<(String, String)> {
    [("A", first), ("B", second)]
        .map(|(id, outcome)| (id.to_owned(), outcome.to_owned()))
        .to_vec()
}

#[test]
fn a_conflict_that_is_still_marked_fixes_nothing() {
    let script = r#"items:
  A:
    - shell: {command: "sed -i 's/line 3/first/' parts/a.txt"}
    - close_item: {id: A, outcome: fixed, evidence: "The first"}
  B:
    - shell: {command: "sleep 1; sed -i 's/line 3/second/' parts/a.txt"}
    - close_item: {id: B, outcome: fixed, evidence: "The second"}
    - close_item: {id: B, outcome: fixed, evidence: "The second again"}
    - match:
        - when: "still holds the marks of a conflict"
          close_item: {id: B, outcome: flagged, evidence: "Not to be brought together"}
"#;
    let (world, server) = (notes(&["A", "B"]), model(script));
    let done = world.run(&server, &words(2)).exits(0);
    assert_eq!(outcomes(&world), both("fixed", "flagged"));
    let file = world.git(&["show", &format!("{}:parts/a.txt", done.branch())]);
    assert!(file.contains("first") && !file.contains("<<<<"), "{file}");
}

#[test]
fn a_change_that_takes_back_what_fixed_another_fixes_nothing() {
    let script = r#"items:
  A:
    - shell: {command: "sed -i 's/line 3/right/' parts/a.txt"}
    - close_item: {id: A, outcome: fixed, evidence: "Right"}
  B:
    - shell: {command: "sed -i 's/right/line 3/; s/line 9/nine/' parts/a.txt"}
    - close_item: {id: B, outcome: fixed, evidence: "Nine"}
    - match:
        - when: "it undoes the whole change that was made for `A`"
          shell: {command: "sed -i 's/line 3/right/' parts/a.txt"}
    - close_item: {id: B, outcome: fixed, evidence: "Nine, and A's stays"}
"#;
    let (world, server) = (notes(&["A", "B"]), model(script));
    let done = world.run(&server, &words(1)).exits(0);
    assert_eq!(outcomes(&world), both("fixed", "fixed"));
    let file = world.git(&["show", &format!("{}:parts/a.txt", done.branch())]);
    assert!(file.contains("right") && file.contains("nine"), "{file}");
}
