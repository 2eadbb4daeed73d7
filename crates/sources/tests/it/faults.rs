//! What trackers do when something is wrong, and that no token gets anywhere.

use std::time::{Duration, Instant};

use overnight_core::goal::Order;
use overnight_core::item::Verb;
use overnight_ports::source::SourceError;
use serde_json::json;

use crate::contract::{TOKEN, act, at, listed, source, with};
use crate::server::{Answer, Server};
use crate::trackers::{Tracker, bugsink, datadog, github, glitchtip, sentry};

fn all() -> Vec<Tracker> {
    vec![sentry(), glitchtip(), bugsink(true), github(), datadog()]
}

#[tokio::test]
async fn every_failure_is_told_for_what_it_is() {
    for tracker in all() {
        let source = source(&tracker.spec, Order::Oldest, None);
        let told = async |answer: Answer| {
            tracker.server.first(answer);
            let error = listed(&*source).await.expect_err("it fails");
            let text = error.to_string();
            assert!(
                !text.contains(TOKEN) && !text.contains('\u{1b}') && text.len() < 1_000,
                "{text}"
            );
            error
        };
        let echo = format!("no \u{1b}[31m {TOKEN} {}", "x".repeat(5_000));
        let refused = told(Answer::json(401, json!({"detail": echo}))).await;
        assert!(
            matches!(&refused, SourceError::Refused(m) if m.contains("401") && m.contains("token")),
            "{refused:?}"
        );
        let refused = told(Answer::json(403, json!({"message": "no"}))).await;
        assert!(
            matches!(&refused, SourceError::Refused(m) if m.contains("right")),
            "{refused:?}"
        );
        let missing = told(Answer::json(404, json!({"detail": "no"}))).await;
        assert!(
            matches!(&missing, SourceError::Refused(m) if m.contains("`items.")),
            "{missing:?}"
        );
        let bad = told(Answer::json(400, json!({"detail": "bad query"}))).await;
        assert!(
            matches!(&bad, SourceError::Refused(m) if m.contains("bad query")),
            "{bad:?}"
        );
        for status in [500, 502, 503] {
            let down = told(Answer::text(status, "<html>sorry</html>")).await;
            assert!(
                matches!(&down, SourceError::Unavailable(m) if !m.contains("html")),
                "{down:?}"
            );
        }
        let odd = told(Answer::text(200, "<html>log in</html>")).await;
        assert!(matches!(odd, SourceError::Malformed(_)), "{odd:?}");
        let odd = told(Answer::json(200, json!("nonsense"))).await;
        assert!(matches!(odd, SourceError::Malformed(_)), "{odd:?}");
        let long = told(Answer::json(429, json!({})).with("retry-after", "3600")).await;
        assert!(
            matches!(
                long,
                SourceError::RateLimited {
                    retry_after_ms: Some(3_600_000),
                    ..
                }
            ),
            "{long:?}"
        );
    }
}

#[tokio::test]
async fn limits_of_some_seconds_are_waited_out() {
    for tracker in all() {
        let source = source(&tracker.spec, Order::Oldest, None);
        tracker
            .server
            .first(Answer::json(429, json!({})).with("retry-after", "1"));
        let begun = Instant::now();
        assert_eq!(listed(&*source).await.expect("it lists").len(), 5);
        assert!(begun.elapsed() >= Duration::from_secs(1));
    }
    // GitHub limits with 403 as well, and says until when in Unix time.
    let tracker = github();
    let source = source(&tracker.spec, Order::Oldest, None);
    let limit = Answer::json(403, json!({"message": "API rate limit exceeded"}))
        .with("x-ratelimit-remaining", "0")
        .with("x-ratelimit-reset", "1795000000")
        .with("date", "Wed, 18 Nov 2026 11:05:00 GMT");
    tracker.server.first(limit);
    let error = listed(&*source).await.expect_err("it is limited");
    assert!(
        matches!(error, SourceError::RateLimited { retry_after_ms: Some(ms), .. } if ms > 30_000),
        "{error:?}"
    );
}

#[tokio::test]
async fn nobody_else_is_talked_to() {
    let thief = Server::start(|_| Answer::json(200, json!([])));
    for tracker in all() {
        let source = source(&tracker.spec, Order::Oldest, None);
        let away = format!("{}/steal", thief.url);
        tracker
            .server
            .first(Answer::text(302, "").with("location", away));
        let error = listed(&*source).await.expect_err("it is not followed");
        assert!(
            matches!(&error, SourceError::Refused(m) if m.contains("redirect")),
            "{error:?}"
        );
    }
    assert!(thief.asked().is_empty());
    // The same server may redirect what only reads.
    let tracker = github();
    let moved = format!(
        "{}/repos/octocat/Hello-World/issues?state=open&labels=bug",
        tracker.server.url
    );
    tracker
        .server
        .first(Answer::text(301, "").with("location", moved));
    let source = source(&tracker.spec, Order::Oldest, None);
    assert_eq!(listed(&*source).await.expect("it lists").len(), 5);
}

#[tokio::test]
async fn an_id_cannot_leave_its_place_in_an_address() {
    for tracker in all() {
        let source = source(&tracker.spec, Order::Oldest, Some(1));
        let mut item = listed(&*source).await.expect("it lists").remove(0);
        tracker.server.asked();
        item.id = "../../evil?x=1#y".into();
        tracker
            .server
            .first(Answer::json(404, json!({"detail": "no"})));
        tracker
            .server
            .first(Answer::json(404, json!({"detail": "no"})));
        let error = source.read(&item).await.expect_err("there is none");
        assert!(matches!(error, SourceError::Gone(_)), "{error:?}");
        for asked in tracker.server.asked() {
            let kept = asked.path.contains("..%2F..%2Fevil%3Fx=1%23y")
                || asked.parameter("issue") == Some("../../evil?x=1#y");
            assert!(kept, "{asked:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let server = Server::start(|_| Answer::text(200, "[".repeat(17 * 1024 * 1024)));
    let spec = at("glitchtip", &server.url, json!({"project": "a/b"}));
    let error = listed(&*source(&spec, Order::Oldest, None))
        .await
        .expect_err("too much");
    assert!(
        matches!(&error, SourceError::Malformed(m) if m.contains("16 MiB")),
        "{error:?}"
    );
    // A list that names itself as its next page is not taken for a whole one.
    let server = Server::start(|asked| {
        Answer::json(200, json!([{"id": "1", "title": "t"}])).with(
            "link",
            format!("<{}?cursor=1>; rel=\"next\"; results=\"true\"", asked.path),
        )
    });
    let spec = with(&spec, "url", json!(server.url));
    let error = listed(&*source(&spec, Order::Oldest, None))
        .await
        .expect_err("nobody knows what else there is");
    assert!(
        matches!(&error, SourceError::Malformed(m) if m.contains("circle")),
        "{error:?}"
    );
    // Whoever wants no more than is there needs no next page.
    let all = listed(&*source(&spec, Order::Oldest, Some(1))).await;
    assert_eq!(all.expect("it lists").len(), 1);
}

#[tokio::test]
async fn one_event_that_cannot_be_read_keeps_nobody_from_its_item() {
    let event = |asked: &crate::server::Asked| {
        asked.path.ends_with("/events/latest/")
            || (asked.path.contains("/events/") && !asked.path.ends_with("/events/"))
    };
    let broken = [
        (Answer::json(500, json!({"detail": "Internal Error"})), 2),
        (Answer::text(200, "{\"entries\": [{\"ty"), 0),
        (Answer::text(200, " ".repeat(17 * 1024 * 1024)), 0),
    ];
    for (answer, before) in broken {
        let answers = answer.clone();
        let server = Server::start(move |asked| match asked.path.as_str() {
            _ if event(asked) => answers.clone(),
            path if path.ends_with("/events/") => {
                Answer::json(200, json!({"results": [{"id": "e"}], "next": null}))
            }
            _ => Answer::json(200, json!({"id": "7", "title": "t"})),
        });
        for from in ["sentry", "glitchtip", "bugsink"] {
            let project = if from == "bugsink" { "1" } else { "a/b" };
            let spec = at(from, &server.url, json!({"project": project}));
            let source = source(&spec, Order::Oldest, None);
            let item = overnight_core::item::Item {
                id: "7".into(),
                title: "t".into(),
                ..Default::default()
            };
            for _ in 0..before {
                let error = source.read(&item).await.expect_err("it may go by");
                assert!(matches!(error, SourceError::Unavailable(_)), "{error:?}");
            }
            let dossier = source.read(&item).await.expect("the item is there");
            assert!(
                dossier.event.is_none() && dossier.text.contains("could not be read"),
                "{from}: {}",
                dossier.text
            );
        }
    }
    // A server that gives nothing is another matter.
    let server = Server::start(|_| Answer::text(200, "<html>We are mending it.</html>"));
    let spec = at("sentry", &server.url, json!({"project": "a/b"}));
    let source = source(&spec, Order::Oldest, None);
    for _ in 0..5 {
        let item = overnight_core::item::Item {
            id: "7".into(),
            ..Default::default()
        };
        let error = source.read(&item).await.expect_err("it is no tracker");
        assert!(matches!(error, SourceError::Malformed(_)), "{error:?}");
    }
}

#[tokio::test]
async fn an_issue_that_was_merged_into_another_is_left_to_a_person() {
    let server = Server::start(|_| Answer::json(200, json!({"id": "9", "status": "unresolved"})));
    for from in ["sentry", "glitchtip"] {
        let spec = at(from, &server.url, json!({"project": "a/b"}));
        let source = source(&spec, Order::Oldest, None);
        let item = overnight_core::item::Item {
            id: "7".into(),
            title: "t".into(),
            ..Default::default()
        };
        let error = source.act(&act(&item, Verb::Resolve)).await;
        let error = error.expect_err("nobody asked for issue 9");
        assert!(
            matches!(&error, SourceError::Refused(m) if m.contains("merged into issue 9")),
            "{error:?}"
        );
        let asked = server.asked();
        assert!(asked.iter().all(|a| a.method == "GET"), "{asked:?}");
    }
}

#[tokio::test]
async fn where_nobody_can_look_a_comment_is_never_made_twice() {
    let tracker = bugsink(false);
    let source = source(&tracker.spec, Order::Oldest, Some(1));
    let item = listed(&*source).await.expect("it lists").remove(0);
    let act = act(&item, Verb::Comment);
    // Made, and the answer lost: the history is asked first and is not there.
    tracker
        .server
        .first(Answer::text(404, "Unimplemented API endpoint: /x/"));
    tracker.server.first(Answer::text(502, ""));
    let error = source.act(&act).await.expect_err("nobody knows");
    assert!(
        matches!(&error, SourceError::Refused(m) if m.contains("not made again")),
        "{error:?}"
    );
    let error = source.probe(&act).await.expect_err("nobody knows");
    assert!(
        matches!(&error, SourceError::Refused(m) if m.contains("nobody knows")),
        "{error:?}"
    );
    // What was certainly not made may be tried again.
    tracker
        .server
        .first(Answer::text(404, "Unimplemented API endpoint: /x/"));
    tracker
        .server
        .first(Answer::json(429, json!({})).with("retry-after", "3600"));
    let error = source.act(&act).await.expect_err("it is limited");
    assert!(
        matches!(error, SourceError::RateLimited { .. }),
        "{error:?}"
    );
    // With a history the lost answer is found out.
    let tracker = bugsink(true);
    let source = crate::contract::source(&tracker.spec, Order::Oldest, Some(1));
    tracker.server.asked();
    tracker
        .server
        .first(Answer::json(200, json!({"next": null, "results": []})));
    tracker.server.first(Answer::text(502, ""));
    let error = source.act(&act).await.expect_err("it broke off");
    assert!(matches!(error, SourceError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn an_issue_without_events_is_read_all_the_same() {
    for tracker in [sentry(), glitchtip()] {
        let source = source(&tracker.spec, Order::Oldest, Some(1));
        let item = listed(&*source).await.expect("it lists").remove(0);
        tracker
            .server
            .first(Answer::json(404, json!({"detail": "Event not found"})));
        let dossier = source.read(&item).await.expect("it reads");
        assert!(dossier.text.contains("first") && dossier.text.contains("no event of it any more"));
        assert_eq!((dossier.fingerprint, dossier.event), (None, None));
    }
}

#[tokio::test]
async fn resolving_asks_for_the_next_release_first() {
    let tracker = sentry();
    let source = source(&tracker.spec, Order::Oldest, Some(1));
    let item = listed(&*source).await.expect("it lists").remove(0);
    let act = act(&item, Verb::Resolve);
    tracker.server.asked();
    source.act(&act).await.expect("it resolves");
    let puts: Vec<_> = tracker
        .server
        .asked()
        .into_iter()
        .filter(|a| a.method == "PUT")
        .collect();
    // The mock has none, so it says no to the first.
    let bodies: Vec<_> = puts.iter().map(|put| put.body.clone()).collect();
    assert_eq!(
        bodies,
        [
            json!({"status": "resolved", "statusDetails": {"inNextRelease": true}}),
            json!({"status": "resolved"})
        ]
    );
}
