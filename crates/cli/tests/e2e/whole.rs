//! Every item of a worklist is closed, and the goal's own checks do not pass: what the whole lacks is worked on as well.

use std::fs;

use crate::world::{World, model};

/// What the items' conversations come to: one part is mended, the other left.
const ITEMS: &str = "items:\n  A:\n    - edit: {path: parts/a.py, old: BROKEN, new: MENDED}\n    - close_item: {id: A, \
                     outcome: fixed, evidence: Mend the first part}\n  B:\n    - close_item: {id: B, outcome: flagged, \
                     evidence: A matter of taste.}\n  the-whole:\n";

/// A list of two items, and a page that the goal wants and that no item is about.
fn world(attempts: u32) -> (World, String) {
    let list = "{\"id\": \"A\", \"title\": \"first\"}\n{\"id\": \"B\", \"title\": \"second\"}\n";
    let world = World::new(&[
        ("backlog.jsonl", list),
        ("parts/a.py", "BROKEN = 1\n"),
        ("parts/b.py", "FINE = 1\n"),
    ]);
    let acts = world.root.join("acts");
    let goal = format!(
        "---\noutcome: Every part is whole, and the page says so.\nitems:\n  from: file\n  path: backlog.jsonl\n  \
         outcomes: [fixed, flagged]\n  act: cat >> {}\n  on: {{fixed: [act]}}\ndone:\n  - {{id: page, file: PAGE.md, \
         contains: whole}}\n  - {{id: parts, run: \"! grep -rl BROKEN parts\"}}\nuse: {{paths: [\"parts/**\", \
         PAGE.md]}}\nnext: {{attempts: {attempts}}}\nstop: {{turns: 30, hours: 1}}\n---\nMend the parts.\n",
        acts.display()
    );
    (world, goal)
}

#[test]
fn it_is_one_more_commit_and_no_item() {
    let script = format!(
        "{ITEMS}    - close_item: {{id: the-whole, outcome: fixed, evidence: Nothing is missing}}\n    - write: {{path: \
         PAGE.md, content: whole}}\n    - edit: {{path: parts/a.py, old: MENDED, new: BROKEN}}\n    - close_item: {{id: \
         the-whole, outcome: fixed, evidence: The page}}\n    - edit: {{path: parts/a.py, old: BROKEN, new: MENDED}}\n    - \
         close_item: {{id: the-whole, outcome: fixed, evidence: Say so on the page}}\n"
    );
    let ((world, goal), server) = (world(3), model(&script));
    let done = world.run(&server, &goal).exits(0);
    let branch = done.branch();
    let said = world.git(&["log", "--format=%s", &format!("HEAD..{branch}")]);
    assert_eq!(said, "Say so on the page\nMend the first part\n");
    assert_eq!(world.on(&branch, "parts/a.py"), "MENDED = 1\n");

    let items = &done.report()["items"];
    assert_eq!(items["total"], 2);
    assert_eq!(items["rows"].as_array().map(Vec::len), Some(2));
    assert_eq!(items["whole"]["outcome"], "fixed");
    assert_eq!(items["whole"]["attempts"], 2);
    assert!(done.report_text().contains("the whole did not pass"));
    let told = fs::read_to_string(world.root.join("acts")).expect("one was told");
    assert_eq!(told.matches("Mend the first part").count(), 1);
    assert!(!told.contains("the-whole"), "{told}");
    let shown = world.overnight(&["items", "last"]).exits(0).out;
    assert!(
        shown.contains("2 of 2 items closed: fixed 1, flagged 1"),
        "{shown}"
    );
    assert!(shown.contains("the-whole"), "{shown}");
    world.overnight(&["verify", "last"]).exits(0);
}

#[test]
fn who_cannot_do_it_asks_and_an_answer_has_it_tried_again() {
    let idle =
        format!("{ITEMS}    - close_item: {{id: the-whole, outcome: fixed, evidence: Done}}\n");
    let ((world, goal), server) = (world(1), model(&idle));
    let asked = world.run(&server, &goal).exits(3);
    assert!(
        asked
            .report_text()
            .contains("Every item is closed, and the whole does not pass its checks")
    );
    // A run that asks has delivered, and tells the source of what is fixed.
    let told = || fs::read_to_string(world.root.join("acts")).expect("one was told");
    assert_eq!(told().matches("Mend the first part").count(), 1);

    world
        .overnight(&["answer", "last", "Only the page is missing."])
        .exits(0);
    let able = format!(
        "{ITEMS}    - write: {{path: PAGE.md, content: whole}}\n    - close_item: {{id: the-whole, outcome: fixed, evidence: \
         Say so on the page}}\n"
    );
    let server = model(&able);
    let done = world.resume(&server).exits(0);
    assert_eq!(done.report()["items"]["whole"]["outcome"], "fixed");
    assert_eq!(told().matches("Mend the first part").count(), 1, "and once");
    let request = server
        .requests()
        .into_iter()
        .find(|r| r.item.as_deref() == Some("the-whole"));
    let request = format!("{:?}", request.expect("it was worked on").body);
    assert!(request.contains("Only the page is missing."), "{request}");
}
