//! OpenAI Responses: the official event sequence of an answer, and of answers that never become whole.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::wire::{Frame, Outgoing, deltas};

/// One answer as this format has it.
pub(super) struct Response<'a> {
    out: &'a Outgoing<'a>,
    items: Vec<Value>,
}

impl<'a> Response<'a> {
    pub(super) fn new(out: &'a Outgoing<'a>) -> Self {
        let mut items = out.reply.items(out.turn);
        if out.unknown {
            let id = format!("zz_t{}_{}", out.turn, items.len());
            items.push(json!({"id": id, "type": "thing_from_the_future", "value": {"deep": [1, 2.5, null]}}));
        }
        Response { out, items }
    }

    /// The response object in some state.
    fn object(&self, status: &str, output: Value, usage: Value) -> Value {
        let of = |name: &str, default: Value| {
            self.out
                .request
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
            "id": format!("resp_t{}_0", self.out.turn),
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
            "input_tokens": self.out.usage.input,
            "input_tokens_details": {"cached_tokens": self.out.usage.cached},
            "output_tokens": self.out.usage.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.out.usage.total(),
        })
    }

    /// The whole response, as a client gets it that does not stream.
    pub(super) fn finished(&self) -> Value {
        let status = if self.out.incomplete {
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
    pub(super) fn events(&self) -> Vec<Frame> {
        let mut events = self.opening();
        if self.out.unknown {
            events.push(
                json!({"type": "response.thing_from_the_future", "value": {"deep": [1, null]}}),
            );
        }
        for (at, item) in self.items.iter().enumerate() {
            item_events(&mut events, at, item);
        }
        let kind = if self.out.incomplete {
            "response.incomplete"
        } else {
            "response.completed"
        };
        events.push(json!({"type": kind, "response": self.finished()}));
        numbered(events)
    }

    /// The beginning of an answer that never becomes whole.
    pub(super) fn begun(&self) -> Vec<Frame> {
        let mut events = self.opening();
        let id = format!("msg_t{}_0", self.out.turn);
        let item = json!({"id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": []});
        events.push(json!({"type": "response.output_item.added", "output_index": 0, "item": item}));
        let part = json!({"type": "output_text", "text": "", "annotations": []});
        events.push(json!({"type": "response.content_part.added", "item_id": id, "output_index": 0, "content_index": 0, "part": part}));
        events.push(json!({"type": "response.output_text.delta", "item_id": id, "output_index": 0, "content_index": 0, "delta": "I was about to", "logprobs": []}));
        numbered(events)
    }

    /// An answer that fails after it has begun.
    pub(super) fn failing(&self, code: &str, message: &str) -> Vec<Frame> {
        let mut events = self.opening();
        let mut failed = self.object("failed", json!([]), Value::Null);
        if let Some(error) = failed.get_mut("error") {
            *error = json!({"code": code, "message": message});
        }
        events.push(json!({"type": "response.failed", "response": failed}));
        numbered(events)
    }
}

fn numbered(events: Vec<Value>) -> Vec<Frame> {
    let number = |(number, mut event): (usize, Value)| {
        if let Value::Object(fields) = &mut event {
            fields.insert("sequence_number".to_owned(), json!(number));
        }
        Frame::typed(event)
    };
    events.into_iter().enumerate().map(number).collect()
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
