//! The Responses wire format: the official event sequence of an answer, error bodies, and bytes of every awkward shape.

use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use overnight_models::scripted::{Failure, How, Wire};
use overnight_ports::model::{ModelErrorKind, Usage};
use serde_json::{Value, json};

/// Characters of a text or of arguments that go into one delta.
const DELTA_CHARS: usize = 40;
/// Above this size a text goes out as one delta: whoever writes so much wants a large event, bytes.
const DELTA_WHOLE_BYTES: usize = 64 * 1024;

/// One answer, to be sent.
pub(super) struct Response<'a> {
    pub request: &'a Value,
    pub turn: u64,
    pub items: Vec<Value>,
    pub usage: Usage,
    pub incomplete: bool,
}

impl Response<'_> {
    /// The response object in some state.
    fn object(&self, status: &str, output: Value, usage: Value) -> Value {
        let of = |name: &str, default: Value| {
            self.request
                .get(name)
                .filter(|v| !v.is_null())
                .cloned()
                .unwrap_or(default)
        };
        let created = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let details = if status == "incomplete" {
            json!({"reason": "max_output_tokens"})
        } else {
            Value::Null
        };
        json!({
            "id": format!("resp_t{}_0", self.turn),
            "object": "response",
            "created_at": created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": details,
            "instructions": null,
            "max_output_tokens": null,
            "model": of("model", json!("mock-model")),
            "output": output,
            "parallel_tool_calls": of("parallel_tool_calls", json!(true)),
            "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null},
            "store": of("store", json!(true)),
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": of("tools", json!([])),
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": usage,
            "user": null,
            "metadata": {},
        })
    }

    fn usage(&self) -> Value {
        json!({
            "input_tokens": self.usage.input,
            "input_tokens_details": {"cached_tokens": self.usage.cached},
            "output_tokens": self.usage.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.usage.total(),
        })
    }

    /// The whole response, as a client gets it that does not stream.
    pub(super) fn finished(&self) -> Value {
        let status = if self.incomplete {
            "incomplete"
        } else {
            "completed"
        };
        self.object(status, Value::Array(self.items.clone()), self.usage())
    }

    fn opening(&self) -> Vec<Value> {
        let started = self.object("in_progress", json!([]), Value::Null);
        vec![
            json!({"type": "response.created", "response": started}),
            json!({"type": "response.in_progress", "response": started}),
        ]
    }

    /// Every event of the answer, in order and numbered.
    pub(super) fn events(&self, unknown: bool) -> Vec<Value> {
        let mut events = self.opening();
        if unknown {
            events.push(
                json!({"type": "response.thing_from_the_future", "value": {"deep": [1, null]}}),
            );
        }
        for (at, item) in self.items.iter().enumerate() {
            item_events(&mut events, at, item);
        }
        let kind = if self.incomplete {
            "response.incomplete"
        } else {
            "response.completed"
        };
        events.push(json!({"type": kind, "response": self.finished()}));
        numbered(events)
    }

    /// The beginning of an answer that never becomes whole.
    pub(super) fn begun(&self) -> Vec<Value> {
        let mut events = self.opening();
        let id = format!("msg_t{}_0", self.turn);
        let item = json!({"id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": []});
        events.push(json!({"type": "response.output_item.added", "output_index": 0, "item": item}));
        let part = json!({"type": "output_text", "text": "", "annotations": []});
        events.push(json!({"type": "response.content_part.added", "item_id": id, "output_index": 0, "content_index": 0, "part": part}));
        events.push(json!({"type": "response.output_text.delta", "item_id": id, "output_index": 0, "content_index": 0, "delta": "I was about to", "logprobs": []}));
        numbered(events)
    }

    /// An answer that fails after it has begun.
    pub(super) fn failing(&self, code: &str, message: &str) -> Vec<Value> {
        let mut events = self.opening();
        let mut failed = self.object("failed", json!([]), Value::Null);
        if let Some(error) = failed.get_mut("error") {
            *error = json!({"code": code, "message": message});
        }
        events.push(json!({"type": "response.failed", "response": failed}));
        numbered(events)
    }
}

fn numbered(mut events: Vec<Value>) -> Vec<Value> {
    for (number, event) in events.iter_mut().enumerate() {
        if let Value::Object(fields) = event {
            fields.insert("sequence_number".to_owned(), json!(number));
        }
    }
    events
}

/// The events of one item: added, its deltas, done.
fn item_events(events: &mut Vec<Value>, at: usize, item: &Value) {
    let text = |pointer: &str| {
        item.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let id = text("/id").to_owned();
    let with = |changes: &[(&str, Value)]| {
        let mut changed = item.clone();
        for (name, value) in changes {
            if let Value::Object(fields) = &mut changed {
                fields.insert((*name).to_owned(), value.clone());
            }
        }
        changed
    };
    let mut push = |kind: &str, fields: Value| {
        let mut event = json!({"type": kind, "item_id": id, "output_index": at});
        if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
            event.extend(fields);
        }
        events.push(event);
    };
    let added = match text("/type") {
        "message" => with(&[("status", json!("in_progress")), ("content", json!([]))]),
        "function_call" => with(&[("status", json!("in_progress")), ("arguments", json!(""))]),
        "reasoning" => with(&[("summary", json!([])), ("encrypted_content", json!(""))]),
        _ => item.clone(),
    };
    push("response.output_item.added", json!({"item": added}));
    match text("/type") {
        "message" => {
            let part = json!({"type": "output_text", "text": "", "annotations": []});
            push(
                "response.content_part.added",
                json!({"content_index": 0, "part": part}),
            );
            let said = text("/content/0/text");
            for delta in deltas(said) {
                push(
                    "response.output_text.delta",
                    json!({"content_index": 0, "delta": delta, "logprobs": []}),
                );
            }
            push(
                "response.output_text.done",
                json!({"content_index": 0, "text": said, "logprobs": []}),
            );
            push(
                "response.content_part.done",
                json!({"content_index": 0, "part": item.pointer("/content/0")}),
            );
        }
        "function_call" => {
            let arguments = text("/arguments");
            for delta in deltas(arguments) {
                push(
                    "response.function_call_arguments.delta",
                    json!({"delta": delta}),
                );
            }
            push(
                "response.function_call_arguments.done",
                json!({"name": text("/name"), "arguments": arguments}),
            );
        }
        "reasoning" => {
            let part = json!({"type": "summary_text", "text": ""});
            push(
                "response.reasoning_summary_part.added",
                json!({"summary_index": 0, "part": part}),
            );
            let thought = text("/summary/0/text");
            for delta in deltas(thought) {
                push(
                    "response.reasoning_summary_text.delta",
                    json!({"summary_index": 0, "delta": delta}),
                );
            }
            push(
                "response.reasoning_summary_text.done",
                json!({"summary_index": 0, "text": thought}),
            );
            push(
                "response.reasoning_summary_part.done",
                json!({"summary_index": 0, "part": item.pointer("/summary/0")}),
            );
        }
        _ => {}
    }
    push("response.output_item.done", json!({"item": item}));
}

/// A text in small steps.
fn deltas(text: &str) -> Vec<String> {
    if text.len() > DELTA_WHOLE_BYTES {
        return vec![text.to_owned()];
    }
    let chars: Vec<char> = text.chars().collect();
    chars
        .chunks(DELTA_CHARS)
        .map(|chunk| chunk.iter().collect())
        .collect()
}

/// Events as bytes, in the pieces in which they are to be sent.
pub(super) fn pieces(events: &[Value], wire: &Wire) -> Vec<Bytes> {
    let mut pieces: Vec<Vec<u8>> = Vec::with_capacity(events.len());
    for event in events {
        let kind = event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut text = format!("event: {kind}\ndata: {event}\n\n");
        if wire.comments {
            text.insert_str(0, ": keep-alive\n\n");
        }
        if wire.crlf {
            text = text.replace('\n', "\r\n");
        }
        pieces.push(text.into_bytes());
    }
    if wire.bom
        && let Some(first) = pieces.first_mut()
    {
        first.splice(0..0, *b"\xEF\xBB\xBF");
    }
    if wire.piece_bytes == 0 {
        return pieces.into_iter().map(Bytes::from).collect();
    }
    let whole = Bytes::from(pieces.concat());
    let starts = (0..whole.len()).step_by(wire.piece_bytes);
    starts
        .map(|start| whole.slice(start..whole.len().min(start.saturating_add(wire.piece_bytes))))
        .collect()
}

/// An error body.
pub(super) fn error(code: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}})
}

/// Status and code of a failure.
pub(super) fn status_of(failure: &Failure) -> (StatusCode, &'static str) {
    let (status, code) = match (failure.kind, failure.how) {
        (ModelErrorKind::RateLimited, How::Quota) => (429, "insufficient_quota"),
        (ModelErrorKind::RateLimited, _) => (429, "rate_limit_exceeded"),
        (ModelErrorKind::Unavailable, _) => (503, "server_error"),
        (ModelErrorKind::ContextOverflow, _) => (400, "context_length_exceeded"),
        (ModelErrorKind::Refused, _) => (400, "invalid_prompt"),
        // These have no status of their own; one is needed where a script names another way.
        (ModelErrorKind::Network | ModelErrorKind::Cut | ModelErrorKind::Malformed, _) => {
            (502, "server_error")
        }
        (ModelErrorKind::ScriptEnded, _) => (400, "script_ended"),
    };
    let status = StatusCode::from_u16(failure.status.unwrap_or(status))
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, code)
}

/// When to come back: whole seconds as every server says it, and milliseconds where they are needed.
pub(super) fn retry_headers(headers: &mut HeaderMap, wait: Duration) {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    if wait.subsec_nanos() > 0 {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        headers.insert(
            HeaderName::from_static("retry-after-ms"),
            HeaderValue::from(ms),
        );
    }
}

/// A kind as scripts write it.
pub(super) fn kind_name(kind: ModelErrorKind) -> &'static str {
    match kind {
        ModelErrorKind::RateLimited => "rate_limited",
        ModelErrorKind::Unavailable => "unavailable",
        ModelErrorKind::Network => "network",
        ModelErrorKind::Cut => "cut",
        ModelErrorKind::Malformed => "malformed",
        ModelErrorKind::ContextOverflow => "context_overflow",
        ModelErrorKind::Refused => "refused",
        ModelErrorKind::ScriptEnded => "script_ended",
    }
}

/// What a provider would say.
pub(super) fn default_message(failure: &Failure) -> &'static str {
    match (failure.kind, failure.how) {
        (ModelErrorKind::RateLimited, How::Quota) => {
            "You exceeded your current quota, please check your plan and billing details."
        }
        (ModelErrorKind::RateLimited, _) => "Rate limit reached for requests.",
        (ModelErrorKind::Unavailable, _) => {
            "The server had an error while processing your request."
        }
        (ModelErrorKind::ContextOverflow, _) => {
            "Your input exceeds the context window of this model."
        }
        (ModelErrorKind::Refused, _) => "Invalid prompt: this request was refused.",
        (
            ModelErrorKind::Network
            | ModelErrorKind::Cut
            | ModelErrorKind::Malformed
            | ModelErrorKind::ScriptEnded,
            _,
        ) => "The script fails here on purpose.",
    }
}
