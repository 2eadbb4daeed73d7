//! The tracker changes while a run works: an issue that is on the frozen list is deleted, and the query finds another
//! in its place. Neither is lost, and neither is worked on.

use serde_json::json;

use super::Shop;

/// Few items: two at work, and one that is gone before it is its turn.
const LIMIT: usize = 3;
/// The third of the list.
const DELETED: &str = "api.split_bill";

#[test]
fn an_issue_that_vanishes_is_accounted_for_and_the_next_one_is_named() {
    let Some(shop) = Shop::failing(LIMIT) else {
        return;
    };
    let server = shop.model(&[]);
    let mut running = shop.world.begin(&server, &shop.goal(""));
    running.until("\"fact\":{\"fact\":\"listed\"");
    shop.tracker
        .delete(&format!("/issues/{}/", shop.id(DELETED)));
    let done = running.end().exits(0);
    assert_eq!(done.summary()["stop_reason"], "complete");
    let report = done.report();
    let items = &report["items"];
    assert_eq!(
        items["outcomes"],
        json!({"fixed": 2, "skipped-by-rule": 1}),
        "{items:#}"
    );
    let gone = &items["rows"][LIMIT - 1];
    assert_eq!(gone["id"], shop.id(DELETED), "{gone:#}");
    let evidence = gone["evidence"].as_str().unwrap_or_default();
    assert!(evidence.contains("not there any more"), "{gone:#}");
    assert_eq!(gone["acts"], json!([]), "{gone:#}");
    // The limit lets one more in now: it is a newcomer, and stays where it is.
    let next = shop.id("api.customer_city");
    assert_eq!(items["newcomers_total"], 1, "{items:#}");
    assert_eq!(items["newcomers"][0]["id"], next, "{items:#}");
    assert!(shop.tracker.comments(next).is_empty());
}
