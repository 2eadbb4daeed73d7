//! Chat completions: the official sequence of chunks of an answer, and of answers that never become whole. Thinking
//! comes as `reasoning_content`, as the servers have it that show any.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::wire::{Frame, Outgoing, deltas};

fn finish_reason(out: &Outgoing) -> &'static str {
    match (out.incomplete, out.reply.calls.is_empty()) {
        (true, _) => "length",
        (false, false) => "tool_calls",
        (false, true) => "stop",
    }
}

fn usage(out: &Outgoing) -> Value {
    json!({
        "prompt_tokens": out.usage.input,
        "completion_tokens": out.usage.output,
        "total_tokens": out.usage.total(),
        "prompt_tokens_details": {"cached_tokens": out.usage.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}

/// An object with what every chunk and the whole answer have.
fn object(out: &Outgoing, kind: &str, choices: Value, usage: Value) -> Value {
    let created = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let mut object = json!({
        "id": format!("chatcmpl-t{}_0", out.turn),
        "object": kind,
        "created": created,
        "model": out.model(),
        "service_tier": "default",
        "system_fingerprint": "fp_mock",
        "choices": choices,
    });
    if let Value::Object(fields) = &mut object {
        fields.insert("usage".to_owned(), usage);
    }
    object
}

fn call_id(out: &Outgoing, at: usize) -> String {
    format!("call_t{}_{at}", out.turn)
}

/// The whole completion.
pub(super) fn finished(out: &Outgoing) -> Value {
    let mut message =
        json!({"role": "assistant", "content": out.reply.say, "refusal": null, "annotations": []});
    if let Some(think) = &out.reply.think {
        message["reasoning_content"] = json!(think);
    }
    if !out.reply.calls.is_empty() {
        let calls = out.reply.calls.iter().enumerate().map(|(at, call)| {
            json!({"id": call_id(out, at), "type": "function",
                "function": {"name": call.tool, "arguments": call.arguments}})
        });
        message["tool_calls"] = calls.collect();
    }
    if out.unknown {
        message["thing_from_the_future"] = json!({"deep": [1, 2.5, null]});
    }
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(out)});
    object(out, "chat.completion", json!([choice]), usage(out))
}

fn chunk(out: &Outgoing, delta: Value, finish: Option<&str>) -> Frame {
    let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
    let chunk = object(out, "chat.completion.chunk", json!([choice]), Value::Null);
    Frame::plain(chunk)
}

fn opening(out: &Outgoing) -> Frame {
    chunk(
        out,
        json!({"role": "assistant", "content": "", "refusal": null}),
        None,
    )
}

/// Every chunk of the answer.
pub(super) fn events(out: &Outgoing) -> Vec<Frame> {
    let mut events = vec![opening(out)];
    if out.unknown {
        events.push(Frame::plain(
            json!({"object": "thing.from.the.future", "value": {"deep": [1, null]}}),
        ));
        events.push(chunk(
            out,
            json!({"thing_from_the_future": {"deep": [1, 2.5, null]}}),
            None,
        ));
    }
    for delta in deltas(out.reply.think.as_deref().unwrap_or_default()) {
        events.push(chunk(out, json!({"reasoning_content": delta}), None));
    }
    for delta in deltas(out.reply.say.as_deref().unwrap_or_default()) {
        events.push(chunk(out, json!({"content": delta}), None));
    }
    for (at, call) in out.reply.calls.iter().enumerate() {
        let first = json!({"index": at, "id": call_id(out, at), "type": "function",
            "function": {"name": call.tool, "arguments": ""}});
        events.push(chunk(out, json!({"tool_calls": [first]}), None));
        for delta in deltas(&call.arguments) {
            let more = json!({"index": at, "function": {"arguments": delta}});
            events.push(chunk(out, json!({"tool_calls": [more]}), None));
        }
    }
    events.push(chunk(out, json!({}), Some(finish_reason(out))));
    let asked = out.request.pointer("/stream_options/include_usage");
    if asked.and_then(Value::as_bool) == Some(true) {
        let last = object(out, "chat.completion.chunk", json!([]), usage(out));
        events.push(Frame::plain(last));
    }
    events.push(Frame::plain("[DONE]"));
    events
}

/// The beginning of an answer that never becomes whole.
pub(super) fn begun(out: &Outgoing) -> Vec<Frame> {
    vec![
        opening(out),
        chunk(out, json!({"content": "I was about to"}), None),
    ]
}

/// An answer that fails after it has begun.
pub(super) fn failing(out: &Outgoing, code: &str, message: &str) -> Vec<Frame> {
    let error = json!({"error": {"message": message, "type": code, "param": null, "code": code}});
    vec![opening(out), Frame::plain(error)]
}
