//! What every wire format has to do alike: one table of answers, delivered in every awkward way, cut at every place,
//! failing in every way; and no other answer may ever come out of it.

use overnight_ports::model::{Answer, ModelError, ModelErrorKind, Usage};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::hostile::{read, sse, status};
use crate::{KEY, WIRES, Wire, ask};

const SAID: &str = "Größe: 5 µm – 😀";
const ARGUMENTS: &str = r#"{"command":"echo ä","timeout_s":5}"#;

/// One event of a stream: its name, where the format has names, and its data.
#[derive(Clone)]
struct Event(Option<String>, String);

fn event(data: Value) -> Event {
    let name = data.get("type").and_then(Value::as_str).map(str::to_owned);
    Event(name, data.to_string())
}

fn plain(data: Value) -> Event {
    Event(None, data.to_string())
}

/// The tail of a stream: why it ends, and what it cost.
struct Ending<'a> {
    reason: &'a str,
    usage: bool,
}

const WELL: Ending = Ending {
    reason: "",
    usage: true,
};

/// An answer that says `text` and calls `shell` with `arguments`; either may be left out.
fn answer(wire: Wire, text: &str, arguments: Option<&str>, end: &Ending) -> Vec<Event> {
    match wire {
        Wire::Responses => responses(text, arguments, end),
        Wire::Messages => messages(text, arguments, end),
        Wire::Chat => chat(text, arguments, end),
    }
}

fn responses(text: &str, arguments: Option<&str>, end: &Ending) -> Vec<Event> {
    let mut events = vec![event(
        json!({"type": "response.created", "response": {"id": "r", "status": "in_progress"}}),
    )];
    let mut at = 0;
    let mut done = |item: Value| {
        events.push(event(
            json!({"type": "response.output_item.done", "output_index": at, "item": item}),
        ));
        at += 1;
    };
    if !text.is_empty() {
        done(
            json!({"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": text}]}),
        );
    }
    if let Some(arguments) = arguments {
        done(
            json!({"type": "function_call", "id": "f", "call_id": "c1", "name": "shell", "arguments": arguments}),
        );
    }
    let mut response = json!({"id": "r", "status": "completed"});
    if !end.reason.is_empty() {
        response["status"] = json!("incomplete");
        response["incomplete_details"] = json!({"reason": end.reason});
    }
    if end.usage {
        response["usage"] = json!({"input_tokens": 50, "input_tokens_details": {"cached_tokens": 20}, "output_tokens": 7});
    }
    let kind = if end.reason.is_empty() {
        "response.completed"
    } else {
        "response.incomplete"
    };
    events.push(event(json!({"type": kind, "response": response})));
    events
}

fn messages(text: &str, arguments: Option<&str>, end: &Ending) -> Vec<Event> {
    let mut started = json!({"id": "m", "type": "message", "role": "assistant", "content": [], "stop_reason": null});
    if end.usage {
        started["usage"] = json!({"input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 20, "output_tokens": 1});
    }
    let mut events = vec![
        event(json!({"type": "message_start", "message": started})),
        event(json!({"type": "ping"})),
    ];
    let mut at = 0;
    let mut block = |start: Value, deltas: Vec<Value>| {
        events.push(event(
            json!({"type": "content_block_start", "index": at, "content_block": start}),
        ));
        for delta in deltas {
            events.push(event(
                json!({"type": "content_block_delta", "index": at, "delta": delta}),
            ));
        }
        events.push(event(json!({"type": "content_block_stop", "index": at})));
        at += 1;
    };
    if !text.is_empty() {
        let deltas = halves(text).map(|half| json!({"type": "text_delta", "text": half}));
        block(json!({"type": "text", "text": ""}), deltas.to_vec());
    }
    if let Some(arguments) = arguments {
        let deltas =
            halves(arguments).map(|half| json!({"type": "input_json_delta", "partial_json": half}));
        block(
            json!({"type": "tool_use", "id": "c1", "name": "shell", "input": {}}),
            deltas.to_vec(),
        );
    }
    let reason = match (end.reason, arguments) {
        ("", None) => "end_turn",
        ("", Some(_)) => "tool_use",
        (reason, _) => reason,
    };
    let mut delta =
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}});
    if end.usage {
        delta["usage"] = json!({"output_tokens": 7});
    }
    events.push(event(delta));
    events.push(event(json!({"type": "message_stop"})));
    events
}

fn chat(text: &str, arguments: Option<&str>, end: &Ending) -> Vec<Event> {
    let chunk = |delta: Value, finish: Value| {
        plain(
            json!({"id": "x", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}),
        )
    };
    let mut events = vec![chunk(
        json!({"role": "assistant", "content": null}),
        Value::Null,
    )];
    if !text.is_empty() {
        events.extend(halves(text).map(|half| chunk(json!({"content": half}), Value::Null)));
    }
    if let Some(arguments) = arguments {
        let first = json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "shell", "arguments": ""}});
        events.push(chunk(json!({"tool_calls": [first]}), Value::Null));
        events.extend(halves(arguments).map(|half| {
            chunk(
                json!({"tool_calls": [{"index": 0, "function": {"arguments": half}}]}),
                Value::Null,
            )
        }));
    }
    let reason = match (end.reason, arguments) {
        ("", None) => "stop",
        ("", Some(_)) => "tool_calls",
        (reason, _) => reason,
    };
    events.push(chunk(json!({}), json!(reason)));
    if end.usage {
        events.push(plain(
            json!({"id": "x", "choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 20}}}),
        ));
    }
    events.push(Event(None, "[DONE]".to_owned()));
    events
}

/// A text in two.
fn halves(text: &str) -> [&str; 2] {
    let middle = text.chars().count() / 2;
    let at = text.char_indices().nth(middle).map_or(0, |(at, _)| at);
    let (first, second) = text.split_at(at);
    [first, second]
}

fn text_of(events: &[Event]) -> String {
    events
        .iter()
        .map(|Event(name, data)| match name {
            Some(name) => format!("event: {name}\ndata: {data}\n\n"),
            None => format!("data: {data}\n\n"),
        })
        .collect()
}

/// What one connection sends.
#[derive(Clone)]
struct Reply {
    pieces: Vec<Vec<u8>>,
}

impl From<Vec<u8>> for Reply {
    fn from(whole: Vec<u8>) -> Self {
        Reply {
            pieces: vec![whole],
        }
    }
}

/// A server that gives every connection the same reply, then closes it.
async fn serve(reply: impl Into<Reply>) -> String {
    let reply = reply.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let reply = reply.clone();
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                read(&mut stream).await;
                for piece in &reply.pieces {
                    // The client may have had enough.
                    if stream.write_all(piece).await.is_err() {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
    });
    format!("http://{address}")
}

async fn answered(wire: Wire, reply: impl Into<Reply>) -> Result<Answer, ModelError> {
    let address = serve(reply).await;
    let result = ask(wire.client(&address).as_ref(), 1).await;
    if let Err(error) = &result {
        assert!(
            error.message.len() < 1_500,
            "{wire:?}: {} bytes",
            error.message.len()
        );
        assert!(
            !error.message.chars().any(char::is_control),
            "{wire:?}: {:?}",
            error.message
        );
    }
    result
}

async fn streamed(wire: Wire, events: &[Event]) -> Result<Answer, ModelError> {
    answered(wire, sse(&text_of(events))).await
}

/// What an answer says, without what the format is.
fn essence(answer: &Answer) -> (String, Vec<(String, String, String)>, Usage) {
    let calls = answer.calls.iter();
    let calls = calls.map(|call| (call.id.clone(), call.name.clone(), call.arguments.clone()));
    (answer.text.clone(), calls.collect(), answer.usage)
}

fn expected() -> (String, Vec<(String, String, String)>, Usage) {
    (
        SAID.to_owned(),
        vec![("c1".to_owned(), "shell".to_owned(), ARGUMENTS.to_owned())],
        Usage {
            input: 50,
            cached: 20,
            output: 7,
        },
    )
}

#[tokio::test]
async fn the_same_answer_comes_over_every_wire() {
    for wire in WIRES {
        let answer = streamed(wire, &answer(wire, SAID, Some(ARGUMENTS), &WELL))
            .await
            .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert_eq!(essence(&answer), expected(), "{wire:?}");
        assert_eq!(answer.oddities, Vec::<String>::new(), "{wire:?}");
        assert!(!answer.items.is_empty());
    }
}

#[tokio::test]
async fn no_delivery_changes_an_answer() {
    for wire in WIRES {
        let events = answer(wire, SAID, Some(ARGUMENTS), &WELL);
        let text = text_of(&events);
        let bom = format!("\u{feff}{text}");
        let crlf = text.replace('\n', "\r\n");
        let cr = text.replace('\n', "\r");
        let comments = text.replace("\n\n", "\n\n: still here\n\n:\n\n");
        let ids = text.replace("data: ", "id: 7\nretry: 10\ndata: ");
        let unspaced = text.replace("data: ", "data:");
        // JSON may hold blanks, and a blank may be a line's end.
        let lines = text.replace(",\"", ",\ndata: \"");
        for (name, text) in [
            ("a byte order mark", &bom),
            ("CR LF", &crlf),
            ("CR", &cr),
            ("comments", &comments),
            ("ids", &ids),
            ("no blank after the colon", &unspaced),
            ("several lines of data", &lines),
        ] {
            for size in [1, 3, 7, usize::MAX] {
                let whole = sse(text);
                let pieces = whole.chunks(size.min(whole.len())).map(<[u8]>::to_vec);
                let reply = Reply {
                    pieces: pieces.collect(),
                };
                let answer = answered(wire, reply)
                    .await
                    .unwrap_or_else(|error| panic!("{wire:?}, {name}, {size}: {error}"));
                assert_eq!(essence(&answer), expected(), "{wire:?}, {name}, {size}");
                assert_eq!(answer.oddities, Vec::<String>::new(), "{wire:?}, {name}");
            }
        }
    }
}

/// Adds a field to every object.
fn grow(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(grow);
            fields.insert("from_the_future".to_owned(), json!({"deep": [1, null]}));
        }
        Value::Array(list) => list.iter_mut().for_each(grow),
        _ => {}
    }
}

#[tokio::test]
async fn unknown_fields_and_events_do_no_harm() {
    for wire in WIRES {
        let mut events = answer(wire, SAID, Some(ARGUMENTS), &WELL);
        for Event(_, data) in &mut events {
            if let Ok(mut value) = serde_json::from_str::<Value>(data) {
                grow(&mut value);
                *data = value.to_string();
            }
        }
        let answer = streamed(wire, &events)
            .await
            .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert_eq!(essence(&answer), expected(), "{wire:?}");
        let odd = json!({"type": "from_the_future", "value": 1});
        let empty = Event(Some("from_the_future".to_owned()), String::new());
        let last = events.len() - 1;
        events.insert(last, event(odd.clone()));
        events.insert(1, event(odd));
        events.insert(1, empty);
        let answer = streamed(wire, &events)
            .await
            .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert_eq!(essence(&answer), expected(), "{wire:?}");
        assert_eq!(
            answer.oddities,
            ["unknown event type `from_the_future` (2)"],
            "{wire:?}"
        );
    }
}

#[tokio::test]
async fn an_event_of_four_mebibytes_is_read_and_one_above_the_limit_is_not() {
    for wire in WIRES {
        // Chat and Messages send the two halves apart.
        let parts = if wire == Wire::Responses { 1 } else { 2 };
        let large = "ä😀".repeat(parts * 4 * 1024 * 1024 / 6);
        let whole = streamed(wire, &answer(wire, &large, None, &WELL))
            .await
            .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert_eq!(whole.text, large, "{wire:?}");
        let huge = "x".repeat(parts * 9 * 1024 * 1024);
        let error = streamed(wire, &answer(wire, &huge, None, &WELL))
            .await
            .expect_err("above the limit");
        assert_eq!(error.kind, ModelErrorKind::Malformed, "{wire:?}");
        assert!(error.message.contains("8388608"), "{}", error.message);
    }
}

#[tokio::test]
async fn a_cut_answer_is_never_another_answer() {
    for wire in WIRES {
        let whole = sse(&text_of(&answer(wire, SAID, Some(ARGUMENTS), &WELL)));
        let text = String::from_utf8_lossy(&whole);
        let start = text.find("\r\n\r\n").map_or(0, |at| at + 4);
        // Inside characters, at and around every line's end, and every few bytes between.
        let near_line =
            |at: usize| whole[at.saturating_sub(2)..(at + 2).min(whole.len())].contains(&b'\n');
        let in_character = |at: usize| whole.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
        let cuts: Vec<usize> = (start..whole.len())
            .filter(|at| near_line(*at) || in_character(*at) || at % 13 == 0)
            .collect();
        assert!(cuts.len() > 60, "{} cuts", cuts.len());
        for broken in [false, true] {
            let mut answers = 0;
            for cut in &cuts {
                let mut bytes = whole[..*cut].to_vec();
                if broken {
                    // A length that never comes: the connection ends before the body does.
                    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99999\r\n\r\n";
                    bytes.splice(..start, head.bytes());
                }
                match answered(wire, bytes).await {
                    Ok(answer) => {
                        answers += 1;
                        let (text, calls, _) = essence(&answer);
                        assert_eq!(
                            (text, calls),
                            (expected().0, expected().1),
                            "{wire:?} at {cut}"
                        );
                    }
                    Err(error) => {
                        assert_eq!(
                            error.kind,
                            ModelErrorKind::Cut,
                            "{wire:?} at {cut}: {error}"
                        );
                    }
                }
            }
            // Only what comes after the end of the answer may be missing.
            assert!(answers < 60, "{wire:?}: {answers} of {} cuts", cuts.len());
        }
    }
}

/// An error in the middle of a stream, as the format has it.
fn failing(wire: Wire, code: &str, message: &str) -> Vec<Event> {
    let mut events = answer(wire, SAID, Some(ARGUMENTS), &WELL);
    events.truncate(3);
    let error = json!({"type": code, "code": code, "message": message});
    events.push(match wire {
        Wire::Responses => event(
            json!({"type": "response.failed", "response": {"status": "failed", "error": error}}),
        ),
        Wire::Messages => event(json!({"type": "error", "error": error})),
        Wire::Chat => plain(json!({"error": error})),
    });
    events
}

#[tokio::test]
async fn a_failure_in_mid_stream_has_its_kind_over_every_wire() {
    use ModelErrorKind::*;
    for wire in WIRES {
        for (code, message, kind, wait) in [
            ("overloaded_error", "Overloaded", Unavailable, None),
            ("server_error", "try again in 2s", Unavailable, Some(2_000)),
            (
                "rate_limit_error",
                "Please try again in 1.5s.",
                RateLimited,
                Some(1_500),
            ),
            (
                "insufficient_quota",
                "no money",
                RateLimited,
                Some(3_600_000),
            ),
            ("context_length_exceeded", "too long", ContextOverflow, None),
            (
                "invalid_request_error",
                "prompt is too long: 3 tokens > 2 maximum",
                ContextOverflow,
                None,
            ),
            ("exceed_context_size_error", "x", ContextOverflow, None),
            ("authentication_error", "who are you", Refused, None),
            ("something_new", "who knows", Unavailable, None),
            ("", "", Unavailable, None),
        ] {
            let error = streamed(wire, &failing(wire, code, message))
                .await
                .expect_err("it fails");
            assert_eq!(
                (error.kind, error.retry_after_ms),
                (kind, wait),
                "{wire:?} {code}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn an_error_status_has_its_kind_over_every_wire() {
    use ModelErrorKind::*;
    for wire in WIRES {
        let (key, url) = match wire {
            Wire::Messages => ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
            Wire::Responses | Wire::Chat => ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
        };
        for (line, headers, body, kind, wait, words) in [
            (
                "401 Unauthorized",
                "",
                r#"{"error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
                Refused,
                None,
                key,
            ),
            (
                "403 Forbidden",
                "",
                r#"{"error":{"type":"permission_error","message":"no"}}"#,
                Refused,
                None,
                "this key may not",
            ),
            (
                "404 Not Found",
                "",
                r#"{"error":{"type":"not_found_error","message":"model: claude-x"}}"#,
                Refused,
                None,
                url,
            ),
            (
                "400 Bad Request",
                "",
                r#"{"error":{"type":"invalid_request_error","message":"no such field"}}"#,
                Refused,
                None,
                "no such field",
            ),
            (
                "413 Payload Too Large",
                "",
                r#"{"error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#,
                ContextOverflow,
                None,
                "larger than the model takes",
            ),
            (
                "429 Too Many Requests",
                "retry-after: 7\r\n",
                r#"{"error":{"type":"rate_limit_error","message":"slow"}}"#,
                RateLimited,
                Some(7_000),
                "slow",
            ),
            (
                "429 Too Many Requests",
                "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nanthropic-ratelimit-tokens-reset: 1994-11-06T08:50:07Z\r\n",
                "{}",
                RateLimited,
                Some(30_000),
                "429",
            ),
            (
                "529 Overloaded",
                "",
                r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                Unavailable,
                None,
                "Overloaded",
            ),
            (
                "500 Internal Server Error",
                "",
                r#"{"error":{"type":"api_error","message":"oops"}}"#,
                Unavailable,
                None,
                "oops",
            ),
            (
                "502 Bad Gateway",
                "retry-after: 1\r\n",
                "<html>bad gateway</html>",
                Unavailable,
                Some(1_000),
                "bad gateway",
            ),
            (
                "402 Payment Required",
                "",
                r#"{"error":{"code":402,"message":"Insufficient credits"}}"#,
                RateLimited,
                Some(3_600_000),
                "billing",
            ),
            (
                "308 Permanent Redirect",
                "location: http://elsewhere/\r\n",
                "",
                Refused,
                None,
                url,
            ),
        ] {
            let error = answered(wire, status(line, headers, body))
                .await
                .expect_err(line);
            assert_eq!(
                (error.kind, error.retry_after_ms),
                (kind, wait),
                "{wire:?} {line}: {error}"
            );
            assert!(error.message.contains(words), "{wire:?} {line}: {error}");
        }
    }
}

#[tokio::test]
async fn an_unknown_reason_for_the_end_is_noted_and_the_answer_used() {
    for wire in WIRES {
        let end = Ending {
            reason: "tired_of_it",
            usage: true,
        };
        let answer = streamed(wire, &answer(wire, SAID, Some(ARGUMENTS), &end))
            .await
            .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert_eq!(essence(&answer), expected(), "{wire:?}");
        assert_eq!(answer.oddities.len(), 1, "{wire:?}: {:?}", answer.oddities);
        assert!(answer.oddities[0].contains("tired_of_it"), "{wire:?}");
    }
}

#[tokio::test]
async fn an_answer_without_anything_in_it_is_malformed() {
    for wire in WIRES {
        let error = streamed(wire, &answer(wire, "", None, &WELL))
            .await
            .expect_err("nothing was said");
        assert_eq!(error.kind, ModelErrorKind::Malformed, "{wire:?}");
        assert!(error.message.contains("empty"), "{wire:?}: {error}");
        assert_eq!(error.usage.output, 7, "{wire:?}");
    }
}

#[tokio::test]
async fn malformed_arguments_stay_the_text_that_they_are() {
    for wire in WIRES {
        for arguments in [
            r#"{"command": "#,
            "ls -la",
            "[1,2]",
            r#"{"a":1}{"b":2}"#,
            "null",
        ] {
            let answer = streamed(wire, &answer(wire, "", Some(arguments), &WELL))
                .await
                .unwrap_or_else(|error| panic!("{wire:?} {arguments}: {error}"));
            assert_eq!(answer.calls[0].arguments, arguments, "{wire:?}");
            // And nothing of it is lost in what is kept.
            let kept = serde_json::to_string(&answer.items).expect("JSON");
            let escaped = json!(arguments).to_string();
            assert!(kept.contains(&escaped), "{wire:?}: {kept}");
        }
    }
}

#[tokio::test]
async fn what_nobody_counted_is_estimated_and_said_so_once() {
    for wire in WIRES {
        let end = Ending {
            reason: "",
            usage: false,
        };
        let answer = streamed(
            wire,
            &answer(wire, &"word ".repeat(80), Some(ARGUMENTS), &end),
        )
        .await
        .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert!(
            answer.usage.input > 20 && answer.usage.input < 400,
            "{wire:?}: {:?}",
            answer.usage
        );
        assert!(
            answer.usage.output >= 100 && answer.usage.output < 250,
            "{wire:?}: {:?}",
            answer.usage
        );
        assert_eq!(
            answer.oddities,
            ["the provider reported no usage; usage estimated"],
            "{wire:?}"
        );
    }
}

/// The same answer as one JSON document.
fn document(wire: Wire) -> Value {
    match wire {
        Wire::Responses => json!({"object": "response", "status": "completed",
            "output": [
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": SAID}]},
                {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": ARGUMENTS}],
            "usage": {"input_tokens": 50, "input_tokens_details": {"cached_tokens": 20}, "output_tokens": 7}}),
        Wire::Messages => {
            let input: Value = serde_json::from_str(ARGUMENTS).expect("JSON");
            json!({"type": "message", "role": "assistant", "stop_reason": "tool_use",
                "content": [{"type": "text", "text": SAID}, {"type": "tool_use", "id": "c1", "name": "shell", "input": input}],
                "usage": {"input_tokens": 30, "cache_read_input_tokens": 20, "output_tokens": 7}})
        }
        Wire::Chat => json!({"object": "chat.completion",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": SAID,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "shell", "arguments": ARGUMENTS}}]}}],
            "usage": {"prompt_tokens": 50, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 20}}}),
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_understood_whatever_it_calls_its_body() {
    for wire in WIRES {
        let body = document(wire).to_string();
        for (kind, body) in [
            ("content-type: application/json\r\n", body.clone()),
            (
                "content-type: text/event-stream\r\n",
                format!("\u{feff}\n {body}"),
            ),
            ("", body),
        ] {
            let answer = answered(wire, status("200 OK", kind, &body))
                .await
                .unwrap_or_else(|error| panic!("{wire:?} {kind}: {error}"));
            assert_eq!(essence(&answer), expected(), "{wire:?} {kind}");
            assert_eq!(answer.oddities, ["the server did not stream"], "{wire:?}");
        }
        // And a stream is a stream, whatever it is called.
        let text = text_of(&answer(wire, SAID, Some(ARGUMENTS), &WELL));
        let reply = status("200 OK", "content-type: application/json\r\n", &text);
        let answer = answered(wire, reply)
            .await
            .unwrap_or_else(|error| panic!("{wire:?}: {error}"));
        assert_eq!(essence(&answer), expected(), "{wire:?}");
        for (body, kind) in [
            (
                r#"{"error":{"type":"overloaded_error","message":"busy"}}"#,
                ModelErrorKind::Unavailable,
            ),
            ("{}", ModelErrorKind::Malformed),
            ("{\"choices\":", ModelErrorKind::Malformed),
        ] {
            let reply = status("200 OK", "content-type: application/json\r\n", body);
            let error = answered(wire, reply).await.expect_err(body);
            assert_eq!(error.kind, kind, "{wire:?} {body}: {error}");
        }
    }
}

#[tokio::test]
async fn another_format_s_answer_is_no_answer() {
    for wire in WIRES {
        for other in WIRES.into_iter().filter(|other| *other != wire) {
            let error = streamed(wire, &answer(other, SAID, Some(ARGUMENTS), &WELL))
                .await
                .expect_err("it is another format");
            assert!(
                matches!(error.kind, ModelErrorKind::Cut | ModelErrorKind::Malformed),
                "{wire:?} from {other:?}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_key_is_never_repeated_wherever_a_server_puts_it() {
    for wire in WIRES {
        let long = format!("{}{KEY} is wrong", "x".repeat(590));
        let body = json!({"error": {"type": KEY, "code": KEY, "message": long}}).to_string();
        let mut odd = answer(wire, SAID, None, &WELL);
        odd.insert(1, event(json!({"type": KEY})));
        let reason = Ending {
            reason: KEY,
            usage: true,
        };
        for reply in [
            status("400 Bad Request", "", &body),
            status("200 OK", "content-type: application/json\r\n", &body),
            status(
                "307 Temporary Redirect",
                &format!("location: http://x/{KEY}\r\n"),
                "",
            ),
            status("502 Bad Gateway", "", &format!("<html>{KEY}</html>")),
            sse(&text_of(&failing(wire, KEY, KEY))),
            sse(&format!("data: no JSON {KEY}\n\n")),
            sse(&text_of(&odd)),
            sse(&text_of(&answer(wire, KEY, Some(KEY), &WELL))),
            sse(&text_of(&answer(wire, SAID, None, &reason))),
        ] {
            let shown = format!("{:?}", answered(wire, reply).await);
            assert!(!shown.contains(&KEY[..12]), "{wire:?}: {shown}");
        }
        // Two halves of it in two deltas make a whole only here, in an answer that the model itself wrote.
        let (first, second) = KEY.split_at(9);
        let shown = format!("{:?}", wire.client("http://127.0.0.1:9").name());
        assert!(!shown.contains(first) && !shown.contains(second));
    }
}

#[tokio::test]
async fn bytes_that_are_no_answer_do_no_harm() {
    for wire in WIRES {
        for body in [
            b"\xff\xfe\x00garbage\n\ndata: \xc3\x28\n\n".to_vec(),
            b"\n\n\n\r\r".to_vec(),
            b"data".to_vec(),
            b"data: [1]\n\n".to_vec(),
            b"data: \"text\"\n\n".to_vec(),
            b"data: 7\n\n".to_vec(),
            format!("data: {}1{}\n\n", "[".repeat(100_000), "]".repeat(100_000)).into_bytes(),
            format!(
                "data: {{\"a\":{}1{}}}\n\n",
                "[".repeat(100_000),
                "]".repeat(100_000)
            )
            .into_bytes(),
            b"data: [DONE]\n\n".to_vec(),
            Vec::new(),
        ] {
            let mut bytes = sse("");
            bytes.extend(&body);
            let error = answered(wire, bytes).await.expect_err("no answer");
            assert!(
                matches!(error.kind, ModelErrorKind::Cut | ModelErrorKind::Malformed),
                "{wire:?} {:?}: {error:?}",
                String::from_utf8_lossy(&body[..body.len().min(40)])
            );
        }
    }
}
