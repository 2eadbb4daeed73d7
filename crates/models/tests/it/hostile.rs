//! The Responses client against raw servers that no script could describe: recorded oddities and ill will.

use overnight_ports::model::{Answer, ModelError, ModelErrorKind, Usage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{KEY, ask, client, impatient};

/// Answers the n-th request with the n-th text, then closes the connection; returns the base address.
pub(crate) async fn raw(
    answers: Vec<Vec<u8>>,
) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (send, requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            let request = read(&mut stream).await;
            // The test may have ended; then nobody wants to know.
            let _ = send.send(request);
            let _ = stream.write_all(&answer).await;
        }
    });
    (format!("http://{address}/v1"), requests)
}

/// Reads one request whole.
pub(crate) async fn read(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let mut piece = [0_u8; 16_384];
    loop {
        let count = stream.read(&mut piece).await.unwrap_or(0);
        all.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&all).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse::<usize>()
                    .ok()
            });
            if length.is_none_or(|length| body.len() >= length) {
                return text;
            }
        }
        if count == 0 {
            return text;
        }
    }
}

pub(crate) fn sse(events: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{events}"
    )
    .into_bytes()
}

pub(crate) fn status(line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {line}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn events(list: &[&str]) -> Vec<u8> {
    sse(&list
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect::<String>())
}

async fn answered(bytes: Vec<u8>) -> Result<Answer, ModelError> {
    let (base, _requests) = raw(vec![bytes]).await;
    ask(&client(&base), 1).await
}

const ITEM: &str = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]}}"#;
const DONE: &str = r#"{"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":5,"input_tokens_details":null,"output_tokens":2}}}"#;

#[tokio::test]
async fn the_smallest_answer_that_servers_send_is_read() {
    let answer = answered(events(&[ITEM, DONE])).await.expect("an answer");
    assert_eq!(answer.text, "hi");
    assert_eq!(
        answer.usage,
        Usage {
            input: 5,
            cached: 0,
            output: 2
        }
    );
    // Types only in the `event` field, no usage, a last word of another dialect, items in the wrong order.
    let text = concat!(
        "event: response.output_item.done\ndata: {\"output_index\": 1, \"item\": {\"type\": \"function_call\", \"call_id\": \"c\", \"name\": \"n\", \"arguments\": {\"a\": 1}}}\n\n",
        "event: response.output_item.done\ndata: {\"output_index\": 0, \"item\": {\"type\": \"reasoning\", \"id\": \"rs\", \"encrypted_content\": \"x\"}}\n\n",
        "event: ping\n\ndata:\n\n: comment\n\n",
        "event: response.completed\ndata: {\"response\": {}}\n\ndata: [DONE]\n\n"
    );
    let answer = answered(sse(text)).await.expect("an answer");
    assert_eq!(answer.items[0]["id"], "rs");
    assert_eq!(answer.calls[0].arguments, r#"{"a":1}"#);
    assert!(
        answer.oddities.iter().any(|odd| odd.contains("no usage")),
        "{:?}",
        answer.oddities
    );
}

#[tokio::test]
async fn items_that_come_only_at_the_end_are_taken_from_there() {
    let end = r#"{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":"a"}]},{"type":"function_call","call_id":"c","name":"n","arguments":"{}"}],"usage":{"input_tokens":1,"output_tokens":1}}}"#;
    for list in [vec![end], vec![ITEM, end]] {
        let answer = answered(events(&list)).await.expect("an answer");
        assert_eq!(
            (answer.text.as_str(), answer.calls.len(), answer.items.len()),
            ("a", 1, 2)
        );
        assert_eq!(answer.oddities.len(), 1, "{:?}", answer.oddities);
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood() {
    let body = r#"{"object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"whole"}]}],"usage":{"input_tokens":1,"output_tokens":1}}"#;
    let answer = answered(status("200 OK", "content-type: application/json\r\n", body))
        .await
        .expect("an answer");
    assert_eq!(answer.text, "whole");
    let failed = r#"{"object":"response","status":"failed","error":{"code":"server_error","message":"oops"}}"#;
    let error = answered(status(
        "200 OK",
        "content-type: application/json\r\n",
        failed,
    ))
    .await
    .expect_err("failed");
    assert_eq!(error.kind, ModelErrorKind::Unavailable);
    let error = answered(status("200 OK", "content-type: application/json\r\n", "{}"))
        .await
        .expect_err("nothing");
    assert_eq!(error.kind, ModelErrorKind::Malformed);
}

#[tokio::test]
async fn answers_that_would_silently_be_others_are_malformed() {
    let call = r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c","name":"n","arguments":"{}"}}"#;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for (list, words) in [
        (vec![call, call, DONE], "same id"),
        (vec![ITEM, ITEM, DONE], "same place"),
        (
            vec![
                r#"{"type":"response.output_item.done","item":{"type":"function_call","name":"n","arguments":""}}"#,
                DONE,
            ],
            "call_id",
        ),
        (
            vec![
                r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c"}}"#,
                DONE,
            ],
            "names no tool",
        ),
        (
            vec![r#"{"type":"response.output_item.done","item":7}"#, DONE],
            "no object",
        ),
        (vec!["[1]", DONE], "not readable"),
        (vec![deep.as_str(), DONE], "not readable"),
        (vec![DONE], "empty"),
    ] {
        let error = answered(events(&list)).await.expect_err(words);
        assert_eq!(error.kind, ModelErrorKind::Malformed, "{}", error.message);
        assert!(error.message.contains(words), "{words}: {}", error.message);
        assert!(error.message.len() < 1_000, "{} bytes", error.message.len());
    }
}

#[tokio::test]
async fn bytes_that_are_no_stream_do_no_harm() {
    for body in [
        b"\xff\xfe\x00garbage\n\ndata: \xc3\x28\n\n".to_vec(),
        b"\n\n\n\r\r".to_vec(),
        b"data".to_vec(),
        Vec::new(),
    ] {
        let mut bytes = sse("");
        bytes.extend(body);
        let error = answered(bytes).await.expect_err("no answer");
        assert!(
            matches!(error.kind, ModelErrorKind::Cut | ModelErrorKind::Malformed),
            "{error:?}"
        );
    }
    let error = answered(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())
        .await
        .expect_err("no HTTP");
    assert_eq!(error.kind, ModelErrorKind::Network);
}

#[tokio::test]
async fn failures_in_the_stream_have_their_kinds() {
    use ModelErrorKind::*;
    for (event, kind) in [
        (
            r#"{"type":"error","code":"rate_limit_exceeded","message":"try again in 2s"}"#,
            RateLimited,
        ),
        (
            r#"{"type":"error","error":{"type":"server_error","message":"x"}}"#,
            Unavailable,
        ),
        (
            r#"{"type":"error","code":null,"message":"who knows"}"#,
            Unavailable,
        ),
        (
            r#"{"type":"response.failed","response":{"error":{"code":"context_length_exceeded","message":"x"}}}"#,
            ContextOverflow,
        ),
        (r#"{"type":"response.failed","response":null}"#, Unavailable),
        (
            r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"content_filter"}}}"#,
            Refused,
        ),
        (
            r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#,
            Malformed,
        ),
    ] {
        let error = answered(events(&[event])).await.expect_err(event);
        assert_eq!(error.kind, kind, "{event}: {}", error.message);
    }
    let paid = r#"{"type":"response.failed","response":{"error":{"code":"server_error","message":"x"},"usage":{"input_tokens":9,"output_tokens":1}}}"#;
    assert_eq!(
        answered(events(&[paid]))
            .await
            .expect_err("failed")
            .usage
            .input,
        9
    );
}

#[tokio::test]
async fn the_key_is_never_repeated_wherever_the_server_puts_it() {
    let echo = format!(
        r#"{{"error":{{"code":"{KEY}","message":"{}{KEY} is wrong"}}}}"#,
        "x".repeat(590)
    );
    let item = format!(
        r#"{{"type":"response.output_item.done","item":{{"type":"{KEY}","text":"{KEY}"}}}}"#
    );
    let odd = format!(r#"{{"type":"{KEY}"}}"#);
    for bytes in [
        status("400 Bad Request", "", &echo),
        status(
            "307 Temporary Redirect",
            &format!("location: http://x/{KEY}\r\n"),
            "",
        ),
        status("502 Bad Gateway", "", &format!("<html>{KEY}</html>")),
        events(&[&format!(r#"{{"type":"error","message":"{KEY}"}}"#)]),
        events(&[&format!("not JSON {KEY}")]),
        events(&[&item, &odd, DONE]),
        status(
            "200 OK",
            "content-type: application/json\r\n",
            &format!(r#"{{"output":[{{"type":"{KEY}"}}]}}"#),
        ),
    ] {
        // `ask` itself looks for the key in whatever comes; here, also for a part of it.
        let shown = format!("{:?}", answered(bytes).await);
        assert!(!shown.contains(&KEY[..12]), "{shown}");
    }
    let model = client("http://127.0.0.1:9/v1");
    assert!(!format!("{model:?}").contains(&KEY[..12]));
}

#[tokio::test]
async fn a_server_without_tls_behind_https_is_a_network_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let Ok((mut stream, _)) = listener.accept().await else {
            return;
        };
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        // The rest is left unread until the client hangs up.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let error = ask(&client(&format!("https://{address}/v1")), 1)
        .await
        .expect_err("no handshake");
    assert_eq!(error.kind, ModelErrorKind::Network, "{}", error.message);
    assert!(
        error.message.contains("OPENAI_BASE_URL"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (base, mut requests) = raw(vec![status(
        "308 Permanent Redirect",
        "location: http://127.0.0.1:1/evil\r\n",
        "",
    )])
    .await;
    let error = ask(&client(&base), 1).await.expect_err("a redirect");
    assert_eq!(error.kind, ModelErrorKind::Refused);
    assert!(
        error.message.contains("127.0.0.1:1/evil"),
        "{}",
        error.message
    );
    assert!(requests.recv().await.is_some());
}

#[tokio::test]
async fn reasoning_that_is_not_taken_back_is_left_out_once() {
    let refusal = r#"{"error":{"code":"invalid_encrypted_content","message":"The encrypted content could not be verified."}}"#;
    let bad = || status("400 Bad Request", "", refusal);
    let (base, mut requests) = raw(vec![bad(), events(&[ITEM, DONE]), bad(), bad()]).await;
    let model = client(&base);
    let sealed = serde_json::json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "SEALED"});
    let call = serde_json::json!({"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "shell", "arguments": "{}"});
    let entries = vec![overnight_ports::model::Entry::Answer {
        items: vec![sealed, call],
    }];
    use overnight_ports::model::Model;
    let answer = model
        .answer(&crate::request(2, entries.clone()))
        .await
        .expect("the second time");
    assert!(
        answer.oddities.iter().any(|odd| odd.contains("without it")),
        "{:?}",
        answer.oddities
    );
    let (first, second) = (
        requests.recv().await.expect("one"),
        requests.recv().await.expect("two"),
    );
    assert!(first.contains("SEALED") && first.contains("fc_1"));
    assert!(!second.contains("SEALED") && !second.contains("fc_1") && second.contains("c1"));
    // And only once: a server that always says so is believed.
    let error = model
        .answer(&crate::request(2, entries))
        .await
        .expect_err("twice the same");
    assert_eq!(error.kind, ModelErrorKind::Refused);
}

#[tokio::test]
async fn a_model_without_reasoning_is_asked_without_and_remembered() {
    let refusal = r#"{"error":{"message":"Encrypted content is not supported with this model.","param":"include","code":null}}"#;
    let good = || events(&[ITEM, DONE]);
    let (base, mut requests) =
        raw(vec![status("400 Bad Request", "", refusal), good(), good()]).await;
    let model = client(&base);
    assert_eq!(ask(&model, 1).await.expect("an answer").oddities.len(), 1);
    assert_eq!(ask(&model, 2).await.expect("an answer").oddities.len(), 0);
    for expected in [true, false, false] {
        let request = requests.recv().await.expect("a request");
        assert_eq!(request.contains("reasoning.encrypted_content"), expected);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_or_never_ends_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        // First: silence. Then: an endless answer, one event after the other, and one endless event.
        let mut kept = Vec::new();
        for kind in 0..3 {
            let Ok((mut stream, _)) = listener.accept().await else {
                return;
            };
            read(&mut stream).await;
            match kind {
                0 => kept.push(stream),
                _ => {
                    tokio::spawn(async move {
                        let _ = stream.write_all(&sse("")).await;
                        let event = format!(
                            "data: {{\"type\":\"response.in_progress\",\"x\":\"{}\"}}\n\n",
                            "y".repeat(65_536)
                        );
                        let endless = format!("data: {}\ndata: ", "z".repeat(65_536));
                        let piece = if kind == 1 { event } else { endless };
                        while stream.write_all(piece.as_bytes()).await.is_ok() {}
                    });
                }
            }
        }
        std::future::pending::<()>().await;
    });
    let model = client(&base);
    let silent = ask(&impatient(&base), 1).await.expect_err("silence");
    assert_eq!(silent.kind, ModelErrorKind::Network, "{}", silent.message);
    assert!(silent.message.contains("within 1 s"), "{}", silent.message);
    let endless = ask(&model, 1).await.expect_err("no end");
    assert_eq!(
        endless.kind,
        ModelErrorKind::Malformed,
        "{}",
        endless.message
    );
    assert!(endless.message.contains("33554432"), "{}", endless.message);
    let huge = ask(&model, 1).await.expect_err("no end of an event");
    assert_eq!(huge.kind, ModelErrorKind::Malformed, "{}", huge.message);
    assert!(huge.message.contains("8388608"), "{}", huge.message);
}

#[tokio::test]
async fn a_trickle_is_stopped_by_the_limit_of_the_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base = format!("http://{}/v1", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let Ok((mut stream, _)) = listener.accept().await else {
            return;
        };
        read(&mut stream).await;
        let _ = stream.write_all(&sse("")).await;
        while stream.write_all(b": alive\n\n").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let limits = overnight_models::openai::Limits {
        idle: std::time::Duration::from_millis(300),
        answer: std::time::Duration::from_millis(1_000),
        ..Default::default()
    };
    let env = overnight_models::Env {
        openai_base_url: Some(base),
        limits,
        ..Default::default()
    };
    let model = overnight_models::openai::OpenAi::new("m", &env).expect("settings");
    let error = ask(&model, 1).await.expect_err("it never ends");
    assert_eq!(error.kind, ModelErrorKind::Cut);
    assert!(
        error.message.contains("not whole after 1 s"),
        "{}",
        error.message
    );
}
