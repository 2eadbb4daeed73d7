//! The same backlog with the goal's `replay`: the harness makes the failing request of each error again, from the event
//! that the tracker holds, so that a fix is one only if that request works.

use serde_json::json;

use super::Shop;

/// Enough for a fix, a conflict, a fix that breaks a test, and a fix that fixes nothing.
const LIMIT: usize = 5;
/// The error at which the model claims a fix that changes nothing for the request.
const LIED_AT: &str = "api.customer_city";

#[test]
fn a_fix_that_does_not_stop_the_error_is_no_fix() {
    let Some(shop) = Shop::failing(LIMIT) else {
        return;
    };
    let id = shop.id(LIED_AT);
    let edit = json!({"edit": {
        "path": "shop/customers.py",
        "old": "    \"\"\"Where a customer lives, for the parcel's label.\"\"\"\n",
        "new": "    \"\"\"Where a customer lives, for the parcel's label. Mended.\"\"\"\n",
    }});
    let lie = json!({"close_item": {"id": id, "outcome": "fixed", "evidence": "Mend the label"}});
    let server = shop.model(&[(LIED_AT, edit), (LIED_AT, lie)]);
    let goal = shop.goal("  replay: python3 replay.py\n");
    let done = shop.world.run(&server, &goal).exits(0);
    assert_eq!(done.summary()["stop_reason"], "complete");
    shop.holds(&done, "replayed");
    let requests = server.requests();
    let told = requests.iter().map(|request| request.body.to_string());
    let refused = told
        .filter(|body| body.contains(id))
        .any(|body| body.contains("replay"));
    assert!(refused, "the model hears why its claim did not hold");
    assert!(
        !shop
            .world
            .git(&["log", "--all", "--format=%s"])
            .contains("Mend the label")
    );
}
