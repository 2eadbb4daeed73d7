//! The Responses client against the mock server: every answer and every failure that a script can ask for.

use overnight_ports::model::{Entry, Model, ModelErrorKind};
use serde_json::{Value, json};
use sim::server::{Options, Outcome, Server};

use crate::{KEY, ask, client, impatient, request, script};

fn serve(yaml: &str) -> Server {
    let options = Options {
        keep_bodies: true,
        key: Some(KEY.to_owned()),
        ..Options::default()
    };
    Server::start(script(yaml), options).expect("a free port")
}

#[tokio::test]
async fn a_conversation_goes_there_and_back_with_its_reasoning() {
    let server = serve(
        "turns:\n  - think: Hmm – ä.\n    say: I look.\n    calls:\n      - shell: {command: ls}\n      - shell: {command: pwd}\n    usage: {input: 50, cached: 20, output: 7}\n  - notes: done\n",
    );
    let model = client(&server.base_url());
    let first = ask(&model, 1).await.expect("it answers");
    assert_eq!(first.text, "I look.");
    assert_eq!(first.calls.len(), 2);
    assert_eq!(
        (
            first.calls[1].name.as_str(),
            first.calls[1].arguments.as_str()
        ),
        ("shell", r#"{"command":"pwd"}"#)
    );
    assert_eq!(
        (first.usage.input, first.usage.cached, first.usage.output),
        (50, 20, 7)
    );
    assert_eq!(first.oddities, Vec::<String>::new());
    assert_eq!(first.items[0]["type"], "reasoning");

    let entries = vec![
        Entry::User { text: "go".into() },
        Entry::Answer {
            items: first.items.clone(),
        },
        Entry::Result {
            call: first.calls[0].id.clone(),
            text: "a.txt".into(),
        },
        Entry::Result {
            call: first.calls[1].id.clone(),
            text: "/workspace".into(),
        },
    ];
    let second = model
        .answer(&request(2, entries))
        .await
        .expect("it answers");
    assert_eq!(second.calls[0].name, "notes");

    let requests = server.requests();
    assert_eq!(server.answers_sent(), 2);
    assert_eq!(requests.iter().map(|r| r.turn).collect::<Vec<_>>(), [1, 2]);
    let body = &requests[1].body;
    let input = body["input"].as_array().expect("a list");
    assert_eq!(input[1..5], first.items[..]);
    assert_eq!(
        input[5],
        json!({"type": "function_call_output", "call_id": first.calls[0].id, "output": "a.txt"})
    );
    assert_eq!(
        (&body["store"], &body["stream"], &body["prompt_cache_key"]),
        (&json!(false), &json!(true), &json!("run1"))
    );
    assert!(
        requests
            .iter()
            .all(|r| r.received_us <= r.answered_us.unwrap_or(0)),
        "{requests:?}"
    );
}

#[tokio::test]
async fn an_awkward_delivery_changes_nothing_of_the_answer() {
    let plain =
        "turns:\n  - think: Größe\n    say: \"5 µm – 😀\"\n    shell: {command: \"echo ä\"}\n";
    let expected = ask(&client(&serve(plain).base_url()), 1)
        .await
        .expect("it answers");
    for wire in [
        "{bom: true}",
        "{crlf: true}",
        "{comments: true}",
        "{piece_bytes: 1}",
        "{piece_bytes: 3, crlf: true, bom: true, comments: true}",
        "{piece_bytes: 1000000}",
    ] {
        let server = serve(&format!("{plain}    wire: {wire}\n"));
        let answer = ask(&client(&server.base_url()), 1)
            .await
            .unwrap_or_else(|error| panic!("{wire}: {error}"));
        assert_eq!(answer, expected, "{wire}");
    }
}

#[tokio::test]
async fn unknown_events_and_items_are_kept_as_oddities() {
    let server = serve("turns:\n  - say: hi\n    wire: {unknown: true}\n");
    let answer = ask(&client(&server.base_url()), 1)
        .await
        .expect("it answers");
    assert_eq!(answer.text, "hi");
    assert_eq!(answer.items[1]["type"], "thing_from_the_future");
    let odd = answer.oddities.join("; ");
    assert!(
        odd.contains("`response.thing_from_the_future` (1)")
            && odd.contains("`thing_from_the_future`"),
        "{odd}"
    );
}

#[tokio::test]
async fn a_large_event_is_read_and_a_huge_one_is_not() {
    let server = serve(
        "turns:\n  - say: a\n    wire: {pad_bytes: 1400000}\n  - say: b\n    wire: {pad_bytes: 9000000}\n",
    );
    let model = client(&server.base_url());
    assert_eq!(
        ask(&model, 1).await.expect("it answers").text.len(),
        1_400_001
    );
    let error = ask(&model, 2).await.expect_err("an event above the limit");
    assert_eq!(error.kind, ModelErrorKind::Malformed);
    assert!(error.message.contains("8388608"), "{}", error.message);
}

#[tokio::test]
async fn an_incomplete_answer_is_used_and_said_to_be_so() {
    let server = serve("turns:\n  - say: half a\n    wire: {incomplete: true}\n");
    let answer = ask(&client(&server.base_url()), 1)
        .await
        .expect("it answers");
    assert_eq!(answer.text, "half a");
    assert!(
        answer.oddities[0].contains("max_output_tokens"),
        "{:?}",
        answer.oddities
    );
}

#[tokio::test]
async fn malformed_arguments_and_unknown_tools_are_the_harness_s_business() {
    let server = serve(
        "turns:\n  - calls:\n      - raw: {tool: shell, arguments: '{\"command\": '}\n      - raw: {tool: no_such, arguments: '{}'}\n",
    );
    let calls = ask(&client(&server.base_url()), 1)
        .await
        .expect("it answers")
        .calls;
    assert_eq!(
        (calls[0].arguments.as_str(), calls[1].name.as_str()),
        ("{\"command\": ", "no_such")
    );
}

#[tokio::test]
async fn every_failure_has_its_kind_and_then_the_answer_comes() {
    use ModelErrorKind::*;
    for (fail, kind, wait_ms, words) in [
        (
            "{kind: rate_limited, retry_after_s: 2}",
            RateLimited,
            Some(2_000),
            "429",
        ),
        (
            "{kind: rate_limited, retry_after_s: 2.5}",
            RateLimited,
            Some(2_500),
            "429",
        ),
        (
            "{kind: rate_limited}",
            RateLimited,
            None,
            "rate_limit_exceeded",
        ),
        (
            "{kind: rate_limited, how: event, message: Please try again in 1.5s.}",
            RateLimited,
            Some(1_500),
            "1.5s",
        ),
        (
            "{kind: rate_limited, how: quota}",
            RateLimited,
            Some(3_600_000),
            "billing",
        ),
        ("{kind: unavailable}", Unavailable, None, "503"),
        (
            "{kind: unavailable, status: 529, retry_after_s: 7}",
            Unavailable,
            Some(7_000),
            "529",
        ),
        (
            "{kind: unavailable, how: event}",
            Unavailable,
            None,
            "server_error",
        ),
        ("{kind: network}", Network, None, "127.0.0.1"),
        ("{kind: cut}", Cut, None, "response.completed"),
        ("{kind: cut, how: abort}", Cut, None, "broke"),
        ("{kind: malformed}", Malformed, None, "not readable"),
        ("{kind: malformed, how: empty}", Malformed, None, "empty"),
        (
            "{kind: context_overflow}",
            ContextOverflow,
            None,
            "context_length_exceeded",
        ),
        (
            "{kind: context_overflow, how: event}",
            ContextOverflow,
            None,
            "larger than the model takes",
        ),
        ("{kind: refused}", Refused, None, "invalid_prompt"),
        (
            "{kind: refused, how: event}",
            Refused,
            None,
            "invalid_prompt",
        ),
        (
            "{kind: refused, status: 404}",
            Refused,
            None,
            "OPENAI_BASE_URL",
        ),
    ] {
        let server = serve(&format!("turns:\n  - fail: {fail}\n  - say: here\n"));
        let model = client(&server.base_url());
        let error = ask(&model, 1).await.expect_err(fail);
        assert_eq!(
            (error.kind, error.retry_after_ms),
            (kind, wait_ms),
            "{fail}: {}",
            error.message
        );
        assert!(error.message.contains(words), "{fail}: {}", error.message);
        assert_eq!(server.answers_sent(), 0, "{fail}");
        assert_eq!(
            ask(&model, 1)
                .await
                .unwrap_or_else(|e| panic!("{fail}: {e}"))
                .text,
            "here"
        );
        assert_eq!(server.answers_sent(), 1, "{fail}");
    }
}

#[tokio::test]
async fn an_answer_that_stalls_is_cut() {
    let server = serve("turns:\n  - fail: {kind: cut, how: stall}\n  - say: here\n");
    let error = ask(&impatient(&server.base_url()), 1)
        .await
        .expect_err("it stalls");
    assert_eq!(error.kind, ModelErrorKind::Cut, "{}", error.message);
    assert!(
        error.message.contains("nothing for 1 s"),
        "{}",
        error.message
    );
    let answer = ask(&client(&server.base_url()), 1)
        .await
        .expect("then it answers");
    assert_eq!(answer.text, "here");
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_the_variable_s_name() {
    let options = Options {
        key: Some("another".to_owned()),
        ..Options::default()
    };
    let server = Server::start(script("turns: [{say: a}]"), options).expect("a free port");
    let error = ask(&client(&server.base_url()), 1).await.expect_err("401");
    assert_eq!(error.kind, ModelErrorKind::Refused);
    assert!(
        error.message.contains("OPENAI_API_KEY"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_network_failure() {
    let port = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        gone.local_addr().expect("an address").port()
    };
    let error = ask(&client(&format!("http://127.0.0.1:{port}/v1")), 1)
        .await
        .expect_err("nobody is there");
    assert_eq!(error.kind, ModelErrorKind::Network);
    assert!(
        error.message.contains(&format!("127.0.0.1:{port}"))
            && error.message.contains("OPENAI_BASE_URL"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn one_connection_serves_turn_after_turn() {
    let server = serve("turns: [{say: a}]\nthen: loop\n");
    let model = client(&server.base_url());
    for turn in 1..=5 {
        ask(&model, turn).await.expect("it answers");
    }
    // A connection that is used again has the same port; the server's log tells requests apart by nothing else.
    assert_eq!(
        server
            .requests()
            .iter()
            .filter(|r| r.outcome == Outcome::Answer)
            .count(),
        5
    );
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_client_that_does_not_stream_gets_the_same_answer() {
    let server = serve("turns: [{say: a, shell: ls}]");
    let body = json!({"model": "m", "input": "hi"});
    let text = post(&server, &body.to_string()).await;
    let response: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert_eq!(response["status"], "completed");
    assert_eq!(response["output"][1]["name"], "shell");
}

/// A request by hand.
async fn post(server: &Server, body: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = server.address();
    let mut stream = tokio::net::TcpStream::connect(address.trim_start_matches("http://"))
        .await
        .expect("it listens");
    let head = format!(
        "POST /v1/responses HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let mut all = String::new();
    stream.read_to_string(&mut all).await.expect("it answers");
    // Chunked: the JSON is the longest line.
    all.lines()
        .max_by_key(|line| line.len())
        .unwrap_or_default()
        .to_owned()
}
