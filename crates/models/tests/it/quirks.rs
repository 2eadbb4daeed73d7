//! What servers are known to do that no format allows, and what each format has that the others do not.

use std::sync::Arc;

use overnight_models::{Env, open};
use overnight_ports::model::{Answer, Entry, Model, ModelError, ModelErrorKind, Usage};
use serde_json::{Value, json};

use crate::hostile::{raw, sse, status};
use crate::{KEY, Wire, ask, request};

fn stream(events: &[&str]) -> Vec<u8> {
    sse(&events
        .iter()
        .map(|data| format!("data: {data}\n\n"))
        .collect::<String>())
}

async fn over(wire: Wire, reply: Vec<u8>) -> Result<Answer, ModelError> {
    let (base, _requests) = raw(vec![reply]).await;
    ask(wire.client(base.trim_end_matches("/v1")).as_ref(), 1).await
}

async fn chat(events: &[&str]) -> Result<Answer, ModelError> {
    over(Wire::Chat, stream(events)).await
}

async fn messages(events: &[&str]) -> Result<Answer, ModelError> {
    over(Wire::Messages, stream(events)).await
}

/// Calls in brief.
fn calls(answer: &Answer) -> Vec<(&str, &str, &str)> {
    let calls = answer.calls.iter();
    calls
        .map(|call| {
            (
                call.id.as_str(),
                call.name.as_str(),
                call.arguments.as_str(),
            )
        })
        .collect()
}

/// The JSON body of a request as it was received.
fn body(request: &str) -> Value {
    let (_, body) = request.split_once("\r\n\r\n").unwrap_or_default();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {request}"))
}

// Chat completions.

#[tokio::test]
async fn ollama_sends_whole_calls_that_all_have_index_zero_and_no_farewell() {
    let answer = chat(&[
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","model":"qwen3:8b","choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"I should look."},"finish_reason":null}]}"#,
        r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"role":"assistant","content":"","tool_calls":[{"id":"call_a","index":0,"type":"function","function":{"name":"shell","arguments":"{\"command\":\"ls\"}"}}]},"finish_reason":null}]}"#,
        r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"role":"assistant","content":"","tool_calls":[{"id":"call_b","index":0,"type":"function","function":{"name":"read","arguments":"{\"path\":\"a\"}"}}]},"finish_reason":null}]}"#,
        r#"{"id":"chatcmpl-1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"tool_calls"}]}"#,
        r#"{"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}"#,
    ])
    .await
    .expect("an answer");
    assert_eq!(
        calls(&answer),
        [
            ("call_a", "shell", r#"{"command":"ls"}"#),
            ("call_b", "read", r#"{"path":"a"}"#)
        ]
    );
    assert_eq!(answer.items[0]["reasoning"], "I should look.");
    assert_eq!(
        answer.usage,
        Usage {
            input: 9,
            cached: 0,
            output: 3
        }
    );
    assert_eq!(answer.oddities, Vec::<String>::new());
}

#[tokio::test]
async fn calls_without_index_without_id_and_with_an_object_for_arguments_are_calls() {
    let answer = chat(&[
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"shell","arguments":{"command":"ls"}}},{"function":{"name":"shell","arguments":{"command":"pwd"}}}]},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ])
    .await
    .expect("an answer");
    let made = calls(&answer);
    assert_eq!(
        (made[0].2, made[1].2),
        (r#"{"command":"ls"}"#, r#"{"command":"pwd"}"#)
    );
    assert_ne!(made[0].0, made[1].0);
    // The ids stand in the item as well, and would be the same if the answer came again.
    assert_eq!(answer.items[0]["tool_calls"][1]["id"], made[1].0);
    assert!(
        answer
            .oddities
            .iter()
            .any(|odd| odd.contains("without an id"))
    );
}

#[tokio::test]
async fn a_reason_of_nothing_or_abort_or_for_calls_that_are_none_is_an_oddity() {
    for (reason, words) in [
        (r#""""#, Some("``")),
        (r#""abort""#, Some("`abort`")),
        (r#""tool_calls""#, Some("has none")),
        (r#""length""#, Some("incomplete: length")),
        (r#""stop""#, None),
    ] {
        let last = format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":"hi"}},"finish_reason":{reason}}}],"usage":{{"prompt_tokens":1,"completion_tokens":1}}}}"#
        );
        let answer = chat(&[&last, "[DONE]"]).await.expect(reason);
        assert_eq!(answer.text, "hi");
        match words {
            None => assert_eq!(answer.oddities, Vec::<String>::new()),
            Some(words) => {
                assert_eq!(answer.oddities.len(), 1, "{reason}: {:?}", answer.oddities);
                assert!(answer.oddities[0].contains(words), "{:?}", answer.oddities);
            }
        }
    }
    // Without any reason, the farewell is one.
    let answer = chat(&[
        r#"{"choices":[{"delta":{"content":"hi"}}],"usage":{"prompt_tokens":1}}"#,
        "[DONE]",
    ])
    .await
    .expect("an answer");
    assert_eq!(answer.oddities, ["the server gave no finish reason"]);
}

#[tokio::test]
async fn an_answer_cut_off_in_a_call_is_malformed_and_was_paid_for() {
    let cut = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"write","arguments":"{\"path\":\"a\",\"content\":\"and th"}}]},"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":4096}}"#;
    let error = chat(&[cut, "[DONE]"]).await.expect_err("it is cut");
    assert_eq!(error.kind, ModelErrorKind::Malformed);
    assert_eq!(error.usage.output, 4_096);
    let events = [
        r#"{"type":"message_start","message":{"usage":{"input_tokens":5}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"write","input":{}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"path\":\"a\",\"content\":\"and th"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
    ];
    for (reason, kind) in [
        ("max_tokens", ModelErrorKind::Malformed),
        (
            "model_context_window_exceeded",
            ModelErrorKind::ContextOverflow,
        ),
    ] {
        let delta = format!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"{reason}"}},"usage":{{"output_tokens":4096}}}}"#
        );
        let mut events = events.to_vec();
        events.extend([delta.as_str(), r#"{"type":"message_stop"}"#]);
        let error = messages(&events).await.expect_err("it is cut");
        assert_eq!(error.kind, kind);
        assert_eq!((error.usage.input, error.usage.output), (5, 4_096));
    }
}

#[tokio::test]
async fn reasoning_is_kept_under_the_name_that_the_server_has_for_it() {
    let answer = chat(&[
        r#"{"choices":[{"delta":{"role":"assistant","content":null,"reasoning_content":"I "}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"think.","reasoning":"I think."}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"a","index":0,"format":"x"}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"b","signature":"s","index":0}]}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"zz","index":1}]}}]}"#,
        r#"{"choices":[{"delta":{"content":"hi","annotations":[1]}}]}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"prompt_cache_hit_tokens":4,"completion_tokens":3}}"#,
        "[DONE]",
    ])
    .await
    .expect("an answer");
    assert_eq!(
        answer.items,
        [
            json!({"role": "assistant", "content": "hi", "reasoning_content": "I think.",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "ab", "index": 0, "format": "x", "signature": "s"},
                {"type": "reasoning.encrypted", "data": "zz", "index": 1}],
            "annotations": [1]})
        ]
    );
    assert_eq!(answer.usage.cached, 4);
    assert_eq!(answer.oddities, Vec::<String>::new());
    // Mistral has it in parts of the content.
    let answer = chat(&[
        r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"hi"}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#,
        "[DONE]",
    ])
    .await
    .expect("an answer");
    assert_eq!(
        (answer.text.as_str(), &answer.items[0]["reasoning"]),
        ("hi", &json!("hm"))
    );
}

#[tokio::test]
async fn failures_inside_a_good_stream_are_told_in_every_form() {
    use ModelErrorKind::*;
    let begun = r#"{"choices":[{"delta":{"content":"I was"}}]}"#;
    for (event, kind) in [
        (
            r#"{"error":{"message":"busy","type":"overloaded_error"}}"#,
            Unavailable,
        ),
        (
            r#"{"error":{"code":429,"message":"slow down, try again in 3s"}}"#,
            RateLimited,
        ),
        (
            r#"{"error":{"code":402,"message":"Insufficient credits"}}"#,
            RateLimited,
        ),
        (r#"{"error":{"code":400,"message":"bad"}}"#, Refused),
        (
            r#"{"error":"the model runner has unexpectedly stopped"}"#,
            Unavailable,
        ),
        (
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}"#,
            ContextOverflow,
        ),
        (
            r#"{"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}"#,
            ContextOverflow,
        ),
        (
            r#"{"error":{"code":502,"message":"upstream"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            Unavailable,
        ),
        (
            r#"{"choices":[{"delta":{"content":""},"finish_reason":"error","error":{"code":502,"message":"upstream"}}]}"#,
            Unavailable,
        ),
        (
            r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#,
            Refused,
        ),
    ] {
        let error = chat(&[begun, event, "[DONE]"]).await.expect_err(event);
        assert_eq!(error.kind, kind, "{event}: {error}");
    }
}

/// Answers the n-th request with the n-th reply; every request as it was received.
async fn conversation(
    wire: Wire,
    replies: Vec<Vec<u8>>,
    entries: Vec<Entry>,
    times: usize,
) -> (Vec<Result<Answer, ModelError>>, Vec<Value>) {
    let (base, mut requests) = raw(replies).await;
    let model = wire.client(base.trim_end_matches("/v1"));
    let mut results = Vec::new();
    for _ in 0..times {
        results.push(model.answer(&request(2, entries.clone())).await);
    }
    drop(model);
    let mut bodies = Vec::new();
    while let Ok(request) = requests.try_recv() {
        bodies.push(body(&request));
    }
    (results, bodies)
}

fn user(text: &str) -> Entry {
    Entry::User { text: text.into() }
}

fn result(call: &str) -> Entry {
    Entry::Result {
        call: call.into(),
        text: "fine".into(),
    }
}

fn chat_answer() -> Vec<u8> {
    stream(&[
        r#"{"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
        "[DONE]",
    ])
}

fn refusal(message: &str) -> Vec<u8> {
    let body = json!({"error": {"message": message, "type": "invalid_request_error"}});
    status("400 Bad Request", "", &body.to_string())
}

fn chat_history() -> Vec<Entry> {
    let message = json!({"role": "assistant", "content": null, "reasoning_content": "Hmm.", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "shell", "arguments": "{}"}}]});
    vec![
        user("go"),
        Entry::Answer {
            items: vec![message],
        },
        result("c1"),
        user("view"),
    ]
}

#[tokio::test]
async fn what_a_chat_server_refuses_is_asked_once_in_another_form_and_remembered() {
    type Seen = fn(&Value) -> bool;
    let cases: [(&str, Seen); 4] = [
        (
            "Unrecognized request argument supplied: stream_options",
            |body| body.get("stream_options").is_none(),
        ),
        (
            "The `reasoning_content` in the thinking mode must be passed back to the API.",
            |body| body["messages"][2]["reasoning_content"] == "Hmm.",
        ),
        ("Unexpected role 'user' after role 'tool'", |body| {
            body["messages"][3]["content"] == "fine\n\nview"
        }),
        (
            "After the optional system message, conversation roles must alternate user/assistant",
            |body| body["messages"].as_array().map(Vec::len) == Some(4),
        ),
    ];
    for (message, changed) in cases {
        let replies = vec![refusal(message), chat_answer(), chat_answer()];
        let (results, bodies) = conversation(Wire::Chat, replies, chat_history(), 2).await;
        let first = results[0]
            .as_ref()
            .unwrap_or_else(|error| panic!("{message}: {error}"));
        assert_eq!(first.oddities.len(), 1, "{message}: {:?}", first.oddities);
        assert!(
            first.oddities[0].contains("asked again"),
            "{:?}",
            first.oddities
        );
        let second = results[1]
            .as_ref()
            .unwrap_or_else(|error| panic!("{message}: {error}"));
        assert_eq!(second.oddities, Vec::<String>::new(), "{message}");
        assert_eq!(bodies.len(), 3, "{message}");
        assert_eq!(
            bodies.iter().map(changed).collect::<Vec<_>>(),
            [false, true, true],
            "{message}"
        );
        // A server that says so for ever is believed the second time.
        let replies = vec![refusal(message), refusal(message)];
        let (results, bodies) = conversation(Wire::Chat, replies, chat_history(), 1).await;
        let error = results[0].as_ref().expect_err("refused twice");
        assert_eq!(error.kind, ModelErrorKind::Refused, "{message}");
        assert_eq!(bodies.len(), 2, "{message}");
    }
}

#[tokio::test]
async fn a_key_goes_only_to_the_address_that_it_was_set_for() {
    for (spec_address, expected) in [("", true), ("same", true), ("other", false)] {
        let (base, mut requests) = raw(vec![chat_answer()]).await;
        let env = Env {
            openai_base_url: Some(match spec_address {
                "other" => "http://127.0.0.1:9/v1".to_owned(),
                _ => base.clone(),
            }),
            openai_api_key: Some(KEY.into()),
            ..Env::default()
        };
        let spec = match spec_address {
            "" => "chat/m:8b".to_owned(),
            _ => format!("chat/m:8b@{base}/"),
        };
        let model: Arc<dyn Model> = open(&spec, &env).expect("it opens");
        ask(model.as_ref(), 1).await.expect("an answer");
        let received = requests.recv().await.expect("a request");
        assert_eq!(received.contains(KEY), expected, "{spec_address}");
        assert!(
            received.starts_with("POST /v1/chat/completions "),
            "{received}"
        );
        // The server knows the model by its name alone.
        assert_eq!(body(&received)["model"], "m:8b");
    }
    // The configuration's address has its own key, or none.
    let (base, mut requests) = raw(vec![chat_answer()]).await;
    let env = Env {
        openai_api_key: Some(KEY.into()),
        chat_base_url: Some(base),
        ..Env::default()
    };
    let model = open("chat/m", &env).expect("it opens");
    ask(model.as_ref(), 1).await.expect("an answer");
    assert!(!requests.recv().await.expect("a request").contains(KEY));
}

#[tokio::test]
async fn a_local_model_that_is_missing_or_cannot_call_tools_is_refused_with_what_to_do() {
    for (line, text, words) in [
        (
            "404 Not Found",
            r#"{"error":{"message":"model \"m:8b\" not found, try pulling it first","type":"api_error"}}"#,
            "`ollama pull m:8b`",
        ),
        (
            "400 Bad Request",
            r#"{"error":{"message":"library/m:8b does not support tools","type":"api_error"}}"#,
            "choose another model",
        ),
        (
            "500 Internal Server Error",
            r#"{"error":{"code":500,"message":"tools param requires --jinja flag","type":"server_error"}}"#,
            "--jinja",
        ),
    ] {
        let (base, _requests) = raw(vec![status(line, "", text)]).await;
        let model = open(&format!("chat/m:8b@{base}"), &Env::default()).expect("it opens");
        let error = ask(model.as_ref(), 1).await.expect_err(line);
        assert_eq!(error.kind, ModelErrorKind::Refused);
        assert!(error.message.contains(words), "{error}");
    }
}

// Messages.

#[tokio::test]
async fn thinking_and_its_signature_are_kept_as_they_came() {
    let answer = messages(&[
        r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":10,"cache_creation_input_tokens":5,"cache_read_input_tokens":85,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"m."}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB+/="}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"EmwK"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"shell","input":{},"caller":{"type":"direct"}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"command\": \"ls\"}"}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_2","name":"plan","input":{}}}"#,
        r#"{"type":"content_block_stop","index":3}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":10,"cache_creation_input_tokens":5,"cache_read_input_tokens":85,"output_tokens":30}}"#,
        r#"{"type":"message_stop"}"#,
    ])
    .await
    .expect("an answer");
    assert_eq!(
        answer.items,
        [
            json!({"type": "thinking", "thinking": "Hmm.", "signature": "EqQB+/="}),
            json!({"type": "redacted_thinking", "data": "EmwK"}),
            json!({"type": "tool_use", "id": "toolu_1", "name": "shell", "input": {"command": "ls"}, "caller": {"type": "direct"}}),
            json!({"type": "tool_use", "id": "toolu_2", "name": "plan", "input": {}}),
        ]
    );
    assert_eq!(
        calls(&answer),
        [
            ("toolu_1", "shell", r#"{"command": "ls"}"#),
            ("toolu_2", "plan", "{}")
        ]
    );
    assert_eq!(
        answer.usage,
        Usage {
            input: 100,
            cached: 85,
            output: 30
        }
    );
    assert_eq!(answer.oddities, Vec::<String>::new());
}

/// An answer that ends for a reason.
fn ending(reason: &str, blocks: &[Value]) -> Vec<u8> {
    let mut events =
        vec![r#"{"type":"message_start","message":{"usage":{"input_tokens":3}}}"#.to_owned()];
    for (at, block) in blocks.iter().enumerate() {
        events.push(
            json!({"type": "content_block_start", "index": at, "content_block": block}).to_string(),
        );
        events.push(json!({"type": "content_block_stop", "index": at}).to_string());
    }
    events.push(
        json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_details": {"type": "refusal", "explanation": "too risky"}}, "usage": {"output_tokens": 4}})
            .to_string(),
    );
    events.push(r#"{"type":"message_stop"}"#.to_owned());
    stream(&events.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_refusal_is_refused_unless_something_was_said_and_a_pause_goes_on() {
    let text = json!({"type": "text", "text": "I began"});
    let call = json!({"type": "tool_use", "id": "a", "name": "shell", "input": {"command": "ls"}});
    let error = over(
        Wire::Messages,
        ending("refusal", std::slice::from_ref(&call)),
    )
    .await
    .expect_err("it refused");
    assert_eq!(error.kind, ModelErrorKind::Refused);
    assert!(error.message.contains("too risky"), "{error}");
    assert_eq!(error.usage.output, 4);
    // What it was about to do is not done.
    let answer = over(Wire::Messages, ending("refusal", &[text.clone(), call]))
        .await
        .expect("it said something");
    assert_eq!(
        (answer.text.as_str(), answer.calls.len(), answer.items.len()),
        ("I began", 0, 1)
    );
    assert!(
        answer.oddities[0].contains("refused"),
        "{:?}",
        answer.oddities
    );
    let searched =
        json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}});
    for blocks in [vec![text.clone()], vec![searched.clone()]] {
        let answer = over(Wire::Messages, ending("pause_turn", &blocks))
            .await
            .expect("it goes on");
        assert_eq!(answer.items, blocks);
        assert!(
            answer.oddities.iter().any(|odd| odd.contains("paused")),
            "{:?}",
            answer.oddities
        );
    }
    let answer = over(Wire::Messages, ending("max_tokens", &[text]))
        .await
        .expect("half an answer");
    assert_eq!(answer.oddities, ["the answer is incomplete: max_tokens"]);
}

#[tokio::test]
async fn answers_that_would_silently_be_others_are_malformed_in_messages() {
    let call = json!({"type": "tool_use", "id": "a", "name": "shell", "input": {}});
    for (blocks, words) in [
        (vec![call.clone(), call], "same id"),
        (
            vec![json!({"type": "tool_use", "name": "shell", "input": {}})],
            "has no id",
        ),
        (
            vec![json!({"type": "tool_use", "id": "a", "input": {}})],
            "names no tool",
        ),
        (vec![json!(7)], "no object"),
    ] {
        let error = over(Wire::Messages, ending("tool_use", &blocks))
            .await
            .expect_err(words);
        assert_eq!(error.kind, ModelErrorKind::Malformed);
        assert!(error.message.contains(words), "{error}");
    }
    let start =
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let delta =
        r#"{"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":"a"}}"#;
    for (events, words) in [
        (vec![start, start], "same place"),
        (vec![start, delta], "never began"),
    ] {
        let error = messages(&events).await.expect_err(words);
        assert_eq!(error.kind, ModelErrorKind::Malformed);
        assert!(error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_failure_in_mid_stream_says_what_was_paid_for() {
    let error = messages(&[
        r#"{"type":"message_start","message":{"usage":{"input_tokens":500,"output_tokens":1}}}"#,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    ])
    .await
    .expect_err("overloaded");
    assert_eq!(
        (error.kind, error.usage.input),
        (ModelErrorKind::Unavailable, 500)
    );
    let error = messages(&[r#"{"type":"message_start","message":{"usage":{"input_tokens":500}}}"#])
        .await
        .expect_err("cut");
    assert_eq!((error.kind, error.usage.input), (ModelErrorKind::Cut, 500));
}

fn messages_answer() -> Vec<u8> {
    ending("end_turn", &[json!({"type": "text", "text": "hi"})])
}

fn thought(text: &str) -> Entry {
    Entry::Answer {
        items: vec![
            json!({"type": "thinking", "thinking": text, "signature": "s"}),
            json!({"type": "text", "text": "words"}),
        ],
    }
}

#[tokio::test]
async fn thinking_that_is_not_taken_back_stays_left_out_and_newer_thinking_does_not() {
    let no = "messages.1.content.0: Invalid `signature` in `thinking` block";
    let (base, mut requests) = raw(vec![
        refusal(no),
        messages_answer(),
        messages_answer(),
        refusal(no),
        refusal(no),
    ])
    .await;
    let model = Wire::Messages.client(base.trim_end_matches("/v1"));
    let mut entries = vec![user("go"), thought("OLD"), user("view")];
    let answer = model
        .answer(&request(2, entries.clone()))
        .await
        .expect("the second time");
    assert!(
        answer.oddities.iter().any(|odd| odd.contains("without it")),
        "{:?}",
        answer.oddities
    );
    entries.extend([thought("NEW"), user("view")]);
    let answer = model
        .answer(&request(3, entries.clone()))
        .await
        .expect("at once");
    assert_eq!(answer.oddities, Vec::<String>::new());
    // And once more, for the newer one; a server that always says so is believed.
    let error = model
        .answer(&request(3, entries))
        .await
        .expect_err("twice the same");
    assert_eq!(error.kind, ModelErrorKind::Refused);
    for (old, new) in [
        (true, false),
        (false, false),
        (false, true),
        (false, true),
        (false, false),
    ] {
        let request = requests.recv().await.expect("a request");
        assert_eq!(
            (request.contains("OLD"), request.contains("NEW")),
            (old, new)
        );
    }
}

#[tokio::test]
async fn what_a_model_does_not_take_is_learnt_from_its_refusal() {
    let (base, mut requests) = raw(vec![
        refusal("adaptive thinking is not supported on this model"),
        refusal("max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for claude-opus-4-6"),
        messages_answer(),
        messages_answer(),
    ])
    .await;
    let env = Env {
        anthropic_base_url: Some(base.trim_end_matches("/v1").to_owned()),
        ..Env::default()
    };
    let model = open("anthropic/claude-opus-4-6", &env).expect("it opens");
    let answer = ask(model.as_ref(), 1).await.expect("the third time");
    assert_eq!(answer.oddities.len(), 2, "{:?}", answer.oddities);
    let answer = ask(model.as_ref(), 2).await.expect("at once");
    assert_eq!(answer.oddities, Vec::<String>::new());
    for (thinks, most) in [
        (true, 64_000),
        (false, 64_000),
        (false, 8_192),
        (false, 8_192),
    ] {
        let received = requests.recv().await.expect("a request");
        let body = body(&received);
        assert_eq!(body.get("thinking").is_some(), thinks);
        assert_eq!(body["max_tokens"], most);
        assert!(received.starts_with("POST /v1/messages "), "{received}");
        assert!(
            received.contains("anthropic-version: 2023-06-01"),
            "{received}"
        );
    }
}

// Addresses.

#[tokio::test]
async fn an_address_that_ends_in_a_version_is_not_given_another() {
    for (base_path, expected) in [
        ("", "POST /v1/messages "),
        ("/", "POST /v1/messages "),
        ("/v1", "POST /v1/messages "),
        ("/anthropic", "POST /anthropic/v1/messages "),
    ] {
        let (base, mut requests) = raw(vec![messages_answer()]).await;
        let base = base.trim_end_matches("/v1");
        let env = Env {
            anthropic_base_url: Some(format!("{base}{base_path}")),
            anthropic_api_key: Some(KEY.into()),
            ..Env::default()
        };
        let model = open("anthropic/m", &env).expect("it opens");
        ask(model.as_ref(), 1).await.expect("an answer");
        let received = requests.recv().await.expect("a request");
        assert!(received.starts_with(expected), "{base_path}: {received}");
        assert!(
            received.contains(&format!("x-api-key: {KEY}")),
            "{received}"
        );
        assert!(
            !received.to_lowercase().contains("authorization:"),
            "{received}"
        );
    }
}
