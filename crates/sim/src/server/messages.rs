//! Anthropic Messages: the official event sequence of an answer, and of answers that never become whole.

use serde_json::{Map, Value, json};

use super::wire::{Frame, Outgoing, deltas};

/// The signature of scripted thinking: it can be told from the thinking alone, so that a test, and [`super::strict`],
/// see whether both came back as they went out.
pub(super) fn signature(thinking: &str) -> String {
    let sealed: String = thinking.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("scripted-{sealed}")
}

/// The content blocks of an answer. A call's input that is no object stays text, which only a stream can carry.
fn blocks(out: &Outgoing) -> Vec<Value> {
    let mut blocks = Vec::new();
    if let Some(think) = &out.reply.think {
        blocks.push(json!({"type": "thinking", "thinking": think, "signature": signature(think)}));
    }
    if let Some(say) = &out.reply.say {
        blocks.push(json!({"type": "text", "text": say, "citations": null}));
    }
    for call in &out.reply.calls {
        let id = format!("toolu_t{}_{}", out.turn, blocks.len());
        let input = serde_json::from_str::<Map<String, Value>>(&call.arguments)
            .map_or_else(|_| json!(call.arguments), Value::Object);
        blocks.push(json!({"type": "tool_use", "id": id, "name": call.tool, "input": input}));
    }
    if out.unknown {
        blocks.push(json!({"type": "thing_from_the_future", "value": {"deep": [1, 2.5, null]}}));
    }
    blocks
}

fn stop_reason(out: &Outgoing) -> &'static str {
    match (out.incomplete, out.reply.calls.is_empty()) {
        (true, _) => "max_tokens",
        (false, false) => "tool_use",
        (false, true) => "end_turn",
    }
}

fn usage(out: &Outgoing, output: u64) -> Value {
    json!({
        "input_tokens": out.usage.input.saturating_sub(out.usage.cached),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": out.usage.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    })
}

/// The message object in some state.
fn message(out: &Outgoing, content: Value, stop: Option<&str>, output: u64) -> Value {
    json!({
        "id": format!("msg_t{}_0", out.turn),
        "type": "message",
        "role": "assistant",
        "model": out.model(),
        "content": content,
        "stop_reason": stop,
        "stop_sequence": null,
        "stop_details": null,
        "usage": usage(out, output),
    })
}

/// The whole message.
pub(super) fn finished(out: &Outgoing) -> Value {
    let content = Value::Array(blocks(out));
    message(out, content, Some(stop_reason(out)), out.usage.output)
}

fn opening(out: &Outgoing) -> Vec<Frame> {
    let started = message(out, json!([]), None, 1);
    vec![
        Frame::typed(json!({"type": "message_start", "message": started})),
        Frame::typed(json!({"type": "ping"})),
    ]
}

/// Every event of the answer.
pub(super) fn events(out: &Outgoing) -> Vec<Frame> {
    let mut events = opening(out);
    if out.unknown {
        events.push(Frame::typed(
            json!({"type": "thing_from_the_future", "value": {"deep": [1, null]}}),
        ));
    }
    for (at, block) in blocks(out).iter().enumerate() {
        block_events(&mut events, at, block);
    }
    events.push(Frame::typed(json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason(out), "stop_sequence": null, "stop_details": null},
        "usage": usage(out, out.usage.output),
    })));
    events.push(Frame::typed(json!({"type": "message_stop"})));
    events
}

/// The events of one block: started, its deltas, stopped.
fn block_events(events: &mut Vec<Frame>, at: usize, block: &Value) {
    let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut start = block.clone();
    let changes: Vec<Value> = match text("type") {
        "thinking" => {
            start["thinking"] = json!("");
            start["signature"] = json!("");
            deltas(text("thinking"))
                .into_iter()
                .map(|delta| json!({"type": "thinking_delta", "thinking": delta}))
                .chain([json!({"type": "signature_delta", "signature": text("signature")})])
                .collect()
        }
        "text" => {
            start["text"] = json!("");
            deltas(text("text"))
                .into_iter()
                .map(|delta| json!({"type": "text_delta", "text": delta}))
                .collect()
        }
        "tool_use" => {
            start["input"] = json!({});
            let input = match block.get("input") {
                Some(Value::String(text)) => text.clone(),
                Some(input) => input.to_string(),
                None => String::new(),
            };
            // The API begins with an empty piece.
            std::iter::once(String::new())
                .chain(deltas(&input))
                .map(|delta| json!({"type": "input_json_delta", "partial_json": delta}))
                .collect()
        }
        _ => Vec::new(),
    };
    events.push(Frame::typed(
        json!({"type": "content_block_start", "index": at, "content_block": start}),
    ));
    for delta in changes {
        events.push(Frame::typed(
            json!({"type": "content_block_delta", "index": at, "delta": delta}),
        ));
    }
    events.push(Frame::typed(
        json!({"type": "content_block_stop", "index": at}),
    ));
}

/// The beginning of an answer that never becomes whole.
pub(super) fn begun(out: &Outgoing) -> Vec<Frame> {
    let mut events = opening(out);
    events.push(Frame::typed(
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ));
    events.push(Frame::typed(
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "I was about to"}}),
    ));
    events
}

/// An answer that fails after it has begun.
pub(super) fn failing(out: &Outgoing, code: &str, message: &str) -> Vec<Frame> {
    let mut events = opening(out);
    events.push(Frame::typed(
        json!({"type": "error", "error": {"type": code, "message": message}, "request_id": "req_mock"}),
    ));
    events
}
