//! What a goal may say of a source.

use overnight_core::goal::Order;
use serde_json::{Value, json};

use crate::contract::{TOKEN, items, opened};

fn why(spec: Value) -> String {
    match opened(&items(&spec, Order::Source, None)) {
        Ok(source) => panic!("{} opens: {spec}", source.describe()),
        Err(why) => why,
    }
}

#[test]
fn what_a_source_needs_is_named() {
    for (spec, part) in [
        (
            json!({"from": "mail"}),
            "no items can be had from `mail` yet",
        ),
        (json!({"from": "sentry"}), "needs `project`"),
        (
            json!({"from": "sentry", "project": "shop"}),
            "written like `shop/api`",
        ),
        (
            json!({"from": "sentry", "project": "a/b", "token": TOKEN}),
            "name of an environment variable",
        ),
        (
            json!({"from": "sentry", "project": "a/b", "token": "ghp_x"}),
            "the model reads the goal file",
        ),
        (
            json!({"from": "sentry", "project": "a/b", "url": "http://sentry.example"}),
            "plain HTTP",
        ),
        (
            json!({"from": "sentry", "project": "a/b", "url": "https://u:p@sentry.example"}),
            "holds a user",
        ),
        (
            json!({"from": "sentry", "project": "a/b", "url": "ftp://sentry.example"}),
            "begins with neither",
        ),
        (
            json!({"from": "sentry", "project": ["a"]}),
            "must be a text",
        ),
        (
            json!({"from": "glitchtip", "project": "a/b"}),
            "needs `url`",
        ),
        (json!({"from": "bugsink", "project": 1}), "needs `url`"),
        (
            json!({"from": "bugsink", "project": 1, "url": "http://localhost:1", "query": "issue.priority:high"}),
            "Bugsink has nothing",
        ),
        (
            json!({"from": "bugsink", "project": 1, "url": "http://localhost:1", "query": "is:new"}),
            "`is:new`",
        ),
        (
            json!({"from": "bugsink", "project": 1, "url": "http://localhost:1", "query": "a:b OR c:d"}),
            "OR",
        ),
        (json!({"from": "datadog", "track": "x"}), "`items.track`"),
        (
            json!({"from": "datadog", "states": ["NEW"]}),
            "`items.states`",
        ),
        (json!({"from": "datadog", "period": "1y"}), "`items.period`"),
        (
            json!({"from": "github", "project": "a/b", "query": "reviewed-by:x"}),
            "not understood",
        ),
        (
            json!({"from": "github", "project": "a/b", "query": "is:pr"}),
            "not understood",
        ),
        (json!({"from": "command"}), "needs `run`"),
        (json!({"from": "file", "path": "x.xlsx"}), ".jsonl"),
    ] {
        let why = why(spec.clone());
        assert!(why.contains(part), "{spec}: {why}");
        assert!(!why.contains(TOKEN), "{why}");
    }
}

#[test]
fn a_missing_token_is_told_by_its_variable() {
    for (from, name) in [
        ("sentry", "SENTRY_AUTH_TOKEN"),
        ("glitchtip", "GLITCHTIP_TOKEN"),
        ("bugsink", "BUGSINK_TOKEN"),
        ("datadog", "DD_API_KEY"),
        ("github", "GITHUB_TOKEN"),
    ] {
        let spec = json!({"from": from, "project": "a/b", "url": "http://localhost:1"});
        let opening = overnight_sources::Opening {
            secret: &|_| Ok(None),
            base: "/".into(),
            folder: "/".into(),
            home: None,
        };
        let spec = match from {
            "datadog" => json!({"from": from}),
            _ => spec,
        };
        let Err(why) = overnight_sources::open(&items(&spec, Order::Source, None), &opening) else {
            panic!("{from} opens");
        };
        assert!(why.contains(name), "{why}");
    }
}
