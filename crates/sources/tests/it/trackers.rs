//! Trackers that answer as the published descriptions say (Sentry, GitHub, Datadog), as their code does (GlitchTip), and
//! as the real one did (Bugsink), under the contract.

use std::sync::{Arc, Mutex};

use overnight_core::item::Verb;
use serde_json::{Value, json};

use crate::contract::{TOKEN, World, at, holds};
use crate::published::Published;
use crate::server::{Answer, Asked, Server};

/// How many issues a page of a mock holds.
const PAGE: usize = 2;

/// One issue.
#[derive(Debug, Clone)]
pub struct Issue {
    number: usize,
    title: String,
    /// `2026-01-0N`.
    day: usize,
    resolved: bool,
    assigned: Option<String>,
    comments: Vec<String>,
    /// Calls that resolved or assigned.
    resolves: usize,
    assigns: usize,
}

impl Issue {
    fn created(&self) -> String {
        format!("2026-01-0{}T08:00:00Z", self.day)
    }

    fn created_ms(&self) -> u64 {
        1_767_225_600_000 + self.day as u64 * 86_400_000
    }
}

/// What a tracker knows.
#[derive(Debug, Default)]
pub struct State {
    pub issues: Vec<Issue>,
}

impl State {
    fn find(&mut self, number: &str) -> Option<&mut Issue> {
        self.issues
            .iter_mut()
            .find(|i| i.number.to_string() == number)
    }

    fn by_day(&self, newest: bool) -> Vec<Issue> {
        let mut all = self.issues.clone();
        all.sort_by_key(|i| if newest { 10 - i.day } else { i.day });
        all
    }
}

/// A tracker.
pub struct Tracker {
    pub server: Server,
    pub state: Arc<Mutex<State>>,
    pub spec: Value,
}

impl World for Tracker {
    fn spec(&self) -> Value {
        self.spec.clone()
    }

    fn performed(&self, title: &str, verb: Verb) -> usize {
        let state = self.state.lock().expect("no panic");
        let issue = state.issues.iter().find(|i| i.title.ends_with(title));
        let issue = issue.expect("it is there");
        match verb {
            Verb::Comment => issue
                .comments
                .iter()
                .filter(|c| c.contains("overnight-0123-1-comment"))
                .count(),
            Verb::Resolve => issue.resolves,
            Verb::Assign => issue.assigns,
            Verb::Tick | Verb::Command => 0,
        }
    }

    fn remove(&mut self, title: &str) {
        let mut state = self.state.lock().expect("no panic");
        state.issues.retain(|i| !i.title.ends_with(title));
    }
}

/// Starts one; the answers are given by `answer`.
fn tracker(
    from: &str,
    rest: Value,
    answer: impl Fn(&mut State, &Asked) -> Answer + Send + 'static,
) -> Tracker {
    // In no order at all; the sixth is resolved.
    let titles = ["fourth", "first", "sixth", "fifth", "second", "third"];
    let issues = titles.iter().enumerate().map(|(n, title)| Issue {
        number: 100 + n,
        title: format!("KeyError: \u{1b}[31m {title}"),
        day: 1 + ["first", "second", "third", "fourth", "fifth", "sixth"]
            .iter()
            .position(|t| t == title)
            .expect("it is one of them"),
        resolved: *title == "sixth",
        assigned: None,
        comments: vec!["Somebody else's comment.".into()],
        resolves: 0,
        assigns: 0,
    });
    let state = Arc::new(Mutex::new(State {
        issues: issues.collect(),
    }));
    let with = state.clone();
    let server = Server::start(move |asked| {
        assert!(
            asked.headers.iter().any(|(_, v)| v.contains(TOKEN)),
            "no token: {asked:?}"
        );
        answer(&mut with.lock().expect("no panic"), asked)
    });
    let spec = at(from, &server.url, rest);
    Tracker {
        server,
        state,
        spec,
    }
}

fn paged(asked: &Asked, all: Vec<Value>, cursor: &str) -> Answer {
    let from: usize = asked
        .parameter(cursor)
        .and_then(|c| c.parse().ok())
        .unwrap_or(0);
    let next = from + PAGE;
    let page = all.iter().skip(from).take(PAGE).cloned().collect();
    let more = next < all.len();
    // As Sentry writes them; GitHub leaves the next one out. The host is another, as behind a proxy.
    let mut link = format!(
        "<https://elsewhere.example{}?{cursor}=0>; rel=\"previous\"; results=\"false\"; {cursor}=\"0\"",
        asked.path
    );
    let mut query: Vec<String> = asked
        .query
        .iter()
        .filter(|(k, _)| k != cursor)
        .map(|(k, v)| format!("{k}={}", escaped(v)))
        .collect();
    query.push(format!("{cursor}={next}"));
    link.push_str(&format!(
        ", <https://elsewhere.example{}?{}>; rel=\"next\"; results=\"{more}\"; {cursor}=\"{next}\"",
        asked.path,
        query.join("&")
    ));
    Answer::json(200, Value::Array(page)).with("link", link)
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}

fn event(issue: &Issue) -> Value {
    json!({"type": "exception", "data": {"values": [{"type": "KeyError", "value": issue.title, "stacktrace": {"frames": [
        {"filename": "shop/api.py", "absPath": "/srv/shop/api.py", "function": format!("f{}", issue.day), "lineNo": 7, "inApp": true, "context": [[7, "    raise"]]}]}}]}})
}

fn not_found() -> Answer {
    Answer::json(
        404,
        json!({"detail": "The requested resource does not exist"}),
    )
}

pub fn sentry() -> Tracker {
    let published = Published::sentry();
    let keys = json!({"project": "shop/api", "query": "is:unresolved level:error", "assign": "ann@example.org"});
    tracker("sentry", keys, move |state, asked| {
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        // Comments are an old part of the API that the description leaves out.
        if parts.last() != Some(&"comments") {
            published.operation(&asked.method, &asked.path, &asked.query, &asked.body);
        }
        let listed = |issue: &Issue| {
            published.made("listed", json!({
                "id": issue.number.to_string(), "title": issue.title, "firstSeen": issue.created(), "priority": "medium",
                "permalink": format!("https://shop.sentry.io/issues/{}/", issue.number), "level": "error",
                "status": "unresolved", "assignedTo": {"type": "user", "id": "9", "name": "Bob"},
            }))
        };
        let shown =
            |kind: &str, issue: &Issue| {
                let assigned = issue
                    .assigned
                    .as_ref()
                    .map(|to| json!({"type": "user", "id": "5", "name": "Ann", "email": to}));
                published.made(kind, json!({
                "id": issue.number.to_string(), "title": issue.title, "assignedTo": assigned,
                "status": if issue.resolved { "resolved" } else { "unresolved" },
            }))
            };
        match (asked.method.as_str(), &parts[2..]) {
            ("GET", ["projects", "shop", "api"]) => {
                Answer::json(200, json!({"id": "77", "slug": "api"}))
            }
            ("GET", ["organizations", "shop", "issues"]) => {
                assert_eq!(asked.parameter("query"), Some("is:unresolved level:error"));
                assert_eq!(asked.parameter("project"), Some("77"));
                let newest = asked.parameter("sort") == Some("new");
                let all = if newest {
                    state.by_day(true)
                } else {
                    state.issues.clone()
                };
                let all = all.iter().filter(|i| i.day < 6).map(listed).collect();
                paged(asked, all, "cursor")
            }
            (method, ["organizations", "shop", "issues", id, rest @ ..]) => {
                let Some(issue) = state.find(id) else {
                    return not_found();
                };
                match (method, rest) {
                    ("GET", []) => Answer::json(200, shown("issue", issue)),
                    ("GET", ["events", "latest"]) => Answer::json(200, published.made("event", json!({
                        "title": issue.title, "entries": [event(issue)], "tags": [{"key": "level", "value": "error"}],
                    }))),
                    ("GET", ["comments"]) => {
                        let all = issue.comments.iter().rev().enumerate();
                        let all = all.map(|(n, c)| json!({"id": n.to_string(), "type": "note", "data": {"text": c}}));
                        paged(asked, all.collect(), "cursor")
                    }
                    ("POST", ["comments"]) => {
                        let text = asked.body["text"].as_str().expect("a text").to_owned();
                        issue.comments.push(text.clone());
                        Answer::json(201, json!({"id": "31", "data": {"text": text}}))
                    }
                    ("PUT", []) => {
                        if let Some(to) = asked.body["assignedTo"].as_str() {
                            issue.assigned = Some(to.to_owned());
                            issue.assigns += 1;
                        }
                        if asked.body["status"] == "resolved" {
                            if asked.body["statusDetails"]["inNextRelease"] == true {
                                return Answer::json(400, json!({"statusDetails": {"inNextRelease": ["No release data present in the system to form a basis for 'Next Release'"]}}));
                            }
                            issue.resolved = true;
                            issue.resolves += 1;
                        }
                        Answer::json(200, shown("updated", issue))
                    }
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        }
    })
}

pub fn glitchtip() -> Tracker {
    tracker(
        "glitchtip",
        json!({"project": "shop/api"}),
        |state, asked| {
            let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
            match (asked.method.as_str(), &parts[2..]) {
                ("GET", ["projects", "shop", "api", "issues"]) => {
                    assert_eq!(asked.parameter("query"), Some("is:unresolved"));
                    let all = match asked.parameter("sort") {
                        Some("first_seen") => state.by_day(false),
                        Some("-first_seen") => state.by_day(true),
                        Some("-last_seen" | "-priority") => state.issues.clone(),
                        other => panic!("{other:?}"),
                    };
                    let all = all.iter().filter(|i| i.day < 6).map(|i| {
                    json!({"id": i.number.to_string(), "title": i.title, "firstSeen": i.created(), "permalink": null, "level": "error"})
                });
                    paged(asked, all.collect(), "cursor")
                }
                (method, ["issues", id, rest @ ..]) => {
                    let Some(issue) = state.find(id) else {
                        return match (method, rest) {
                            ("POST", ["comments"]) => {
                                Answer::json(400, json!({"detail": "Issue does not exist"}))
                            }
                            // It does not look whether the issue is there.
                            ("GET", ["comments"]) => paged(asked, Vec::new(), "cursor"),
                            _ => Answer::json(404, json!({"detail": "Not Found"})),
                        };
                    };
                    let status = |i: &Issue| json!({"id": i.number.to_string(), "status": if i.resolved { "resolved" } else { "unresolved" }});
                    match (method, rest) {
                        ("GET", []) => Answer::json(200, status(issue)),
                        ("GET", ["events", "latest"]) => Answer::json(
                            200,
                            json!({"title": issue.title, "entries": [event(issue)], "tags": []}),
                        ),
                        ("GET", ["comments"]) => {
                            let all = issue.comments.iter().enumerate();
                            paged(
                                asked,
                                all.map(|(n, c)| json!({"id": n, "data": {"text": c}}))
                                    .collect(),
                                "cursor",
                            )
                        }
                        ("POST", ["comments"]) => {
                            let text = asked.body["data"]["text"]
                                .as_str()
                                .expect("a text")
                                .to_owned();
                            issue.comments.push(text);
                            Answer::json(201, json!({"id": 31}))
                        }
                        ("PUT", []) => {
                            assert_eq!(asked.body["status"], "resolved");
                            issue.resolved = true;
                            issue.resolves += 1;
                            Answer::json(200, status(issue))
                        }
                        other => panic!("{other:?}"),
                    }
                }
                other => panic!("{other:?}"),
            }
        },
    )
}

/// Bugsink as it answered; up to 2.6.1 it has no history.
pub fn bugsink(history: bool) -> Tracker {
    let keys = json!({"project": "shop", "query": "level:error area:api*"});
    tracker("bugsink", keys, move |state, asked| {
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        assert!(asked.path.ends_with('/'), "{}", asked.path);
        let shown = |i: &Issue| {
            json!({"id": i.number.to_string(), "friendly_id": format!("SHOP-{}", i.day), "project": 1, "digest_order": i.day,
                "last_seen": i.created(), "first_seen": i.created(), "digested_event_count": 1, "stored_event_count": 1,
                "calculated_type": "KeyError", "calculated_value": i.title.trim_start_matches("KeyError: "), "transaction": "api.orders", "is_resolved": i.resolved,
                "is_resolved_unconditionally": i.resolved, "is_resolved_by_next_release": false, "is_muted": false})
        };
        let pages = |all: Vec<Value>| {
            let from: usize = asked
                .parameter("cursor")
                .and_then(|c| c.parse().ok())
                .unwrap_or(0);
            let query: Vec<String> = asked
                .query
                .iter()
                .filter(|(k, _)| k != "cursor")
                .map(|(k, v)| format!("{k}={v}"))
                .collect();
            let next = (from + PAGE < all.len()).then(|| {
                format!(
                    "http://elsewhere.example{}?cursor={}&{}",
                    asked.path,
                    from + PAGE,
                    query.join("&")
                )
            });
            let page: Vec<Value> = all.into_iter().skip(from).take(PAGE).collect();
            Answer::json(
                200,
                json!({"next": next, "previous": null, "results": page}),
            )
        };
        match (asked.method.as_str(), &parts[3..]) {
            ("GET", ["projects"]) => pages(vec![
                json!({"id": 3, "name": "a", "slug": "a"}),
                json!({"id": 4, "name": "b", "slug": "b"}),
                json!({"id": 1, "name": "Shop", "slug": "shop"}),
            ]),
            ("GET", ["releases"]) => pages(vec![]),
            ("GET", ["issues"]) => {
                assert_eq!(asked.parameter("project"), Some("1"));
                pages(
                    state
                        .by_day(asked.parameter("order") == Some("desc"))
                        .iter()
                        .map(shown)
                        .collect(),
                )
            }
            ("GET", ["events"]) => {
                let id = asked.parameter("issue").expect("an issue").to_owned();
                if state.find(&id).is_none() {
                    return Answer::json(
                        404,
                        json!({"detail": "No Issue matches the given query."}),
                    );
                }
                pages(vec![
                    json!({"id": format!("e{id}"), "issue": id, "digest_order": 1}),
                ])
            }
            ("GET", ["events", id]) => {
                let Some(issue) = state.find(&id[1..]) else {
                    return not_found();
                };
                let exception = event(issue)["data"].clone();
                Answer::json(
                    200,
                    json!({"id": id, "data": {"level": "error", "tags": {"area": "api.orders"}, "transaction": "api.orders", "exception": exception}, "stacktrace_md": ""}),
                )
            }
            (_, ["issue-history"]) if !history => Answer::text(
                404,
                "Unimplemented API endpoint: /api/canonical/0/issue-history/",
            ),
            ("GET", ["issue-history"]) => {
                let id = asked.parameter("issue").expect("an issue").to_owned();
                let Some(issue) = state.find(&id) else {
                    return Answer::json(
                        404,
                        json!({"detail": "No Issue matches the given query."}),
                    );
                };
                pages(
                    issue
                        .comments
                        .iter()
                        .rev()
                        .enumerate()
                        .map(|(n, c)| json!({"id": n, "kind": "manual_annotation", "comment": c}))
                        .collect(),
                )
            }
            ("POST", ["issue-comments"]) => {
                let id = asked.body["issue"].as_str().expect("an id");
                let Some(issue) = state.find(id) else {
                    return Answer::json(400, json!({"issue": ["Issue not found."]}));
                };
                issue
                    .comments
                    .push(asked.body["comment"].as_str().expect("a text").to_owned());
                Answer::json(
                    201,
                    json!({"id": 5, "issue": id, "project": 1, "comment": "x", "user": null}),
                )
            }
            (method, ["issues", id, rest @ ..]) => {
                let Some(issue) = state.find(id) else {
                    return Answer::json(
                        404,
                        json!({"detail": "No Issue matches the given query."}),
                    );
                };
                match (method, rest) {
                    ("GET", []) => Answer::json(200, shown(issue)),
                    ("POST", ["resolve"]) if issue.resolved => {
                        Answer::json(400, json!({"detail": "Issue is already resolved."}))
                    }
                    ("POST", ["resolve"]) => {
                        issue.resolved = true;
                        issue.resolves += 1;
                        Answer::json(200, shown(issue))
                    }
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        }
    })
}

pub fn github() -> Tracker {
    let published = Published::github();
    let keys =
        json!({"project": "octocat/Hello-World", "query": "label:bug is:open", "assign": "hubot"});
    tracker("github", keys, move |state, asked| {
        published.operation(&asked.method, &asked.path, &asked.query, &asked.body);
        let shown = |i: &Issue| {
            let mut issue = published.example("issue");
            issue["number"] = json!(i.number);
            issue["title"] = json!(i.title);
            issue["state"] = json!(if i.resolved { "closed" } else { "open" });
            issue["created_at"] = json!(i.created());
            issue["comments"] = json!(i.comments.len());
            issue["assignees"] = i.assigned.iter().map(|to| json!({"login": to})).collect();
            // The example is a pull request as well.
            if let Some(fields) = issue.as_object_mut() {
                fields.remove("pull_request");
            }
            published.check("issue", &issue);
            issue
        };
        let comment = |n: usize, text: &str| {
            let mut comment = published.example("comment");
            comment["id"] = json!(n);
            comment["body"] = json!(text);
            published.check("comment", &comment);
            comment
        };
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        assert_eq!(&parts[..4], ["repos", "octocat", "Hello-World", "issues"]);
        match (asked.method.as_str(), &parts[4..]) {
            ("GET", []) => {
                assert_eq!(
                    (asked.parameter("state"), asked.parameter("labels")),
                    (Some("open"), Some("bug"))
                );
                let newest = asked.parameter("direction") == Some("desc");
                let mut all: Vec<Value> = state
                    .by_day(newest)
                    .iter()
                    .filter(|i| !i.resolved)
                    .map(shown)
                    .collect();
                let mut request = all[0].clone();
                request["number"] = json!(999);
                request["pull_request"] = json!({"url": "https://api.github.com/x"});
                published.check("issue", &request);
                all.insert(1, request);
                paged(asked, all, "page")
            }
            (method, [id, rest @ ..]) => {
                let Some(issue) = state.find(id) else {
                    return Answer::json(410, json!({"message": "This issue was deleted"}));
                };
                match (method, rest) {
                    ("GET", []) => Answer::json(200, shown(issue)),
                    ("PATCH", []) => {
                        assert_eq!(
                            (&asked.body["state"], &asked.body["state_reason"]),
                            (&json!("closed"), &json!("completed"))
                        );
                        issue.resolved = true;
                        issue.resolves += 1;
                        Answer::json(200, shown(issue))
                    }
                    ("GET", ["comments"]) => {
                        let all = issue.comments.iter().enumerate();
                        paged(asked, all.map(|(n, c)| comment(n, c)).collect(), "page")
                    }
                    ("POST", ["comments"]) => {
                        let text = asked.body["body"].as_str().expect("a text").to_owned();
                        issue.comments.push(text.clone());
                        Answer::json(201, comment(31, &text))
                    }
                    ("POST", ["assignees"]) => {
                        issue.assigned = asked.body["assignees"][0].as_str().map(str::to_owned);
                        issue.assigns += 1;
                        Answer::json(201, shown(issue))
                    }
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        }
    })
}

/// Its `most` is how many issues one search gives.
pub fn datadog() -> Tracker {
    let published = Published::datadog();
    let keys = json!({"project": "shop", "query": "env:prod", "assign": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "period": "700d"});
    tracker("datadog", keys, move |state, asked| {
        published.operation(&asked.method, &asked.path, &asked.query, &asked.body);
        assert_eq!(asked.header("dd-api-key"), Some(TOKEN));
        assert_eq!(asked.header("dd-application-key"), Some(TOKEN));
        let shown = |i: &Issue| {
            let attributes = published.made("attributes", json!({
                "error_type": "KeyError", "error_message": i.title.trim_start_matches("KeyError: "), "file_path": "shop/api.py", "function_name": "order",
                "first_seen": i.created_ms(), "service": "shop", "state": if i.resolved { "RESOLVED" } else { "OPEN" },
            }));
            let assignee = i
                .assigned
                .as_ref()
                .map(|to| json!({"assignee": {"data": {"id": to, "type": "user"}}}));
            let mut issue =
                json!({"id": i.number.to_string(), "type": "issue", "attributes": attributes});
            if let Some(assignee) = assignee {
                issue["relationships"] = assignee;
            }
            published.allows("issue_type", &issue["type"]);
            published.made("issue", issue)
        };
        let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
        let data = &asked.body["data"];
        match (asked.method.as_str(), &parts[4..]) {
            ("POST", ["search"]) => {
                let attributes = &data["attributes"];
                published.allows("search_type", &data["type"]);
                published.check("search", attributes);
                published.allows("order_by", &attributes["order_by"]);
                published.allows("persona", &attributes["persona"]);
                assert_eq!(attributes["query"], "service:shop env:prod");
                assert_eq!(attributes["states"], json!(["OPEN", "ACKNOWLEDGED"]));
                let (from, to) = (
                    attributes["from"].as_u64().expect("a time"),
                    attributes["to"].as_u64().expect("a time"),
                );
                let there = state
                    .issues
                    .iter()
                    .filter(|i| !i.resolved && (from..to).contains(&i.created_ms()));
                let there: Vec<&Issue> = there.collect();
                // As if there were a hundred where there are more than two.
                let results: Vec<Value> = if there.len() > PAGE {
                    (0..100)
                        .map(|n| (n, there[n % there.len()]))
                        .map(|(_, i)| result(&published, i))
                        .collect()
                } else {
                    there.iter().map(|i| result(&published, i)).collect()
                };
                let included: Vec<Value> = there.iter().map(|i| shown(i)).collect();
                Answer::json(200, json!({"data": results, "included": included}))
            }
            (method, [id, rest @ ..]) => {
                let Some(issue) = state.find(id) else {
                    return Answer::json(404, json!({"errors": [{"title": "Not Found"}]}));
                };
                match (method, rest) {
                    ("GET", []) => {}
                    ("PUT", ["state"]) => {
                        published.check("state", data);
                        published.allows("state_type", &data["type"]);
                        published.allows("state", &data["attributes"]["state"]);
                        issue.resolved = true;
                        issue.resolves += 1;
                    }
                    ("PUT", ["assignee"]) => {
                        published.check("assignee", data);
                        published.allows("assignee_type", &data["type"]);
                        issue.assigned = data["id"].as_str().map(str::to_owned);
                        issue.assigns += 1;
                    }
                    other => panic!("{other:?}"),
                }
                Answer::json(200, json!({"data": shown(issue)}))
            }
            other => panic!("{other:?}"),
        }
    })
}

fn result(published: &Published, issue: &Issue) -> Value {
    let result = json!({"id": issue.number.to_string(), "type": "error_tracking_search_result", "attributes": {"total_count": 82},
        "relationships": {"issue": {"data": {"id": issue.number.to_string(), "type": "issue"}}}});
    published.allows("result_type", &result["type"]);
    published.made("result", result)
}

#[tokio::test]
async fn sentry_keeps_the_contract() {
    holds(&mut sentry(), true, true).await;
}

#[tokio::test]
async fn glitchtip_keeps_the_contract() {
    holds(&mut glitchtip(), true, true).await;
}

#[tokio::test]
async fn bugsink_keeps_the_contract() {
    holds(&mut bugsink(true), true, true).await;
}

#[tokio::test]
async fn github_keeps_the_contract() {
    holds(&mut github(), true, true).await;
}

#[tokio::test]
async fn datadog_keeps_the_contract() {
    holds(&mut datadog(), true, true).await;
}
