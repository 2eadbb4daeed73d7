//! The whole backlog, undisturbed.

use std::process::Command;
use std::time::Instant;

use serde_json::json;

use super::{LIMIT, PLANTED, Shop, files, planted, replays, send};
use crate::world::{World, facts};

#[test]
fn the_fifteen_oldest_errors_of_a_real_tracker_end_as_planted() {
    let Some(shop) = Shop::failing(LIMIT) else {
        return;
    };
    let before = shop.world.snapshot();
    let server = shop.model(&[]);
    let since = Instant::now();
    let done = shop.world.run(&server, &shop.goal("")).exits(0);
    println!("{LIMIT} errors in {:.0} s", since.elapsed().as_secs_f64());
    assert_eq!(done.summary()["stop_reason"], "complete");
    shop.holds(&done, "undisturbed");
    assert_eq!(shop.world.snapshot(), before);

    // What the model was told where it was wrong, and where others were in its way.
    let heard = |name: &str| -> String {
        let id = shop.id(name);
        let requests = server.requests();
        let of = requests.iter().map(|request| request.body.to_string());
        of.filter(|body| body.contains(id)).collect()
    };
    let split = heard("api.split_bill");
    assert!(split.contains("test_nobody_pays_part_of_a_cent"), "{split}");
    assert!(heard("api.reserve_stock").contains("functions"));
    assert!(heard("api.category_depth").contains("shop/catalog.py:900"));
    assert!(heard("api.average_rating").contains("conflict"));
    let migration = "shop/migrations/0003_returns.sql";
    assert!(heard("api.return_order").contains(migration));

    // The report's counts and rows are the planted truth.
    let report = done.report();
    let (fixed, diagnosed) = counts();
    let items = &report["items"];
    assert_eq!(
        items["outcomes"],
        json!({"fixed": fixed, "diagnosed": diagnosed}),
        "{items:#}"
    );
    assert_eq!(
        items["acts"]["performed"],
        2 * fixed + diagnosed,
        "{items:#}"
    );
    let rows = items["rows"].as_array().expect("a list");
    let listed = PLANTED.iter().filter(|planted| planted.listed());
    for (row, planted) in rows.iter().zip(listed) {
        let found = json!({
            "id": row["id"], "outcome": row["outcome"], "refused": row["attempts"],
            "sent back": row["sent_back"], "denied": row["denials"].as_u64() > Some(0),
            "acts": row["acts"].as_array().map_or(0, Vec::len),
        });
        let (refused, sent_back) = planted::refusals(planted.name);
        let wanted = json!({
            "id": shop.id(planted.name), "outcome": planted.outcome(), "refused": refused,
            "sent back": sent_back, "denied": planted.name == "api.return_order",
            "acts": if planted.outcome() == Some("fixed") { 2 } else { 1 },
        });
        assert_eq!(found, wanted, "{}: {row:#}", planted.name);
    }
    let text = done.report_text();
    let words = format!(
        "15 of 15 items closed: fixed {fixed}, diagnosed {diagnosed}; every item is accounted for"
    );
    assert!(text.contains(&words), "{text}");

    // The journal agrees: sent back once, and nothing was done at the tracker before the branch was there.
    let journal = shop.world.log();
    let delivered = journal
        .iter()
        .position(|e| e["fact"]["fact"] == "delivered");
    let first_act = journal.iter().position(|e| e["fact"]["fact"] == "acting");
    assert!(delivered < first_act && delivered.is_some());
    let acts = facts(&journal, "acting").len();
    assert_eq!(acts, 2 * fixed + diagnosed);
    assert_eq!(facts(&journal, "acted").len(), acts);
    assert_eq!(fixed + diagnosed, LIMIT);

    // Whoever deploys the branch has a clean log: the same requests again, and nothing that was fixed comes back.
    let service = shop.serve(&shop.checkout(&done.branch()));
    for planted in &PLANTED {
        let status = send(&service, planted);
        let works = planted.outcome() == Some("fixed");
        assert_eq!(status, if works { 200 } else { 500 }, "{}", planted.name);
    }
    for planted in &PLANTED {
        let issue = shop
            .tracker
            .get(&format!("/issues/{}/", shop.id(planted.name)));
        let fixed = json!(planted.outcome() == Some("fixed"));
        assert_eq!(issue["is_resolved"], fixed, "{}", planted.name);
    }
}

/// How many of the planted errors are to be fixed, and how many diagnosed.
fn counts() -> (usize, usize) {
    let of = |wanted| {
        PLANTED
            .iter()
            .filter(|p| p.outcome() == Some(wanted))
            .count()
    };
    (of("fixed"), of("diagnosed"))
}

/// The planted fixes alone, without a harness: each mends its error, and the tests pass with all of them.
#[test]
fn the_planted_fixes_fix_what_they_say() {
    let files = files();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let world = World::new(&files);
    for planted in PLANTED.iter().filter(|planted| planted.listed()) {
        // Two have one cause: the first fix mends the second as well.
        let with = matches!(planted.end, planted::End::With(_));
        assert_eq!(replays(&world.repo, planted), with, "{}", planted.name);
        if planted.outcome() == Some("fixed") {
            planted::apply(planted.name, &world.repo);
            assert!(replays(&world.repo, planted), "{}", planted.name);
        }
    }
    for planted in PLANTED.iter().filter(|planted| planted.listed()) {
        let fixed = planted.outcome() == Some("fixed");
        assert_eq!(replays(&world.repo, planted), fixed, "{}", planted.name);
    }
    let mut tests = Command::new("python3");
    tests
        .args(["-B", "-m", "unittest"])
        .current_dir(&world.repo);
    let done = tests.output().expect("python3 runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}
