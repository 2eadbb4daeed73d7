//! Events to one answer. Pure: knows nothing of connections and clocks.
//!
//! Forward tolerant: event types that nobody knows are noted and skipped, items that nobody knows are kept. Strict
//! where an answer would silently be another one: an unreadable event, a missing end, two calls under one id.

use std::collections::{BTreeMap, BTreeSet};

use overnight_ports::model::{Answer, Call, ModelError, ModelErrorKind, Usage};
use serde_json::Value;

use crate::wire::failure::{Said, clean, failure, of_event};
use crate::wire::{Fold, Notes, add_words, estimate, paid, unreadable, value};

/// Most items that one answer may have.
const ITEMS_MAX: usize = 10_000;

/// Event types whose content comes again in the finished item.
const PROGRESS: &[&str] = &[
    "response.created",
    "response.queued",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.content_part.done",
    "response.output_text.delta",
    "response.output_text.done",
    "response.output_text.annotation.added",
    "response.refusal.delta",
    "response.refusal.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.custom_tool_call_input.delta",
    "response.custom_tool_call_input.done",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_text.delta",
    "response.reasoning_text.done",
    "keepalive",
];

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Responses {
    items: BTreeMap<u64, Value>,
    notes: Notes,
    events: u64,
    sent_bytes: usize,
}

impl Responses {
    /// `sent_bytes` is the size of the request.
    pub(super) fn new(sent_bytes: usize) -> Self {
        Responses {
            sent_bytes,
            ..Responses::default()
        }
    }
}

impl Fold for Responses {
    /// Takes one event. `Some` is the end of the answer.
    fn event(&mut self, name: Option<&str>, data: &str) -> Result<Option<Answer>, ModelError> {
        // What other dialects send as their last word.
        if data.is_empty() || data.trim() == "[DONE]" {
            return Ok(None);
        }
        self.events += 1;
        let head: Head = serde_json::from_str(data).map_err(|error| unreadable(&error, data))?;
        let kind = head.kind.as_deref().or(name).unwrap_or_default();
        if PROGRESS.contains(&kind) {
            return Ok(None);
        }
        match kind {
            "response.output_item.done" => {
                let mut event = value(data)?;
                let at = event.get("output_index").and_then(Value::as_u64);
                let item = event
                    .get_mut("item")
                    .map(Value::take)
                    .unwrap_or(Value::Null);
                self.item(at, item)?;
                Ok(None)
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                let mut event = value(data)?;
                let response = event
                    .get_mut("response")
                    .map(Value::take)
                    .unwrap_or(Value::Null);
                self.end(kind, response).map(Some)
            }
            "error" => Err(of_event(&Said::of(&value(data)?))),
            _ => {
                self.notes.unknown("event type", kind);
                Ok(None)
            }
        }
    }

    /// A whole response that came as one JSON document, from a server that does not stream.
    fn whole(&mut self, response: Value) -> Result<Answer, ModelError> {
        self.notes.note("the server did not stream");
        match response.get("status").and_then(Value::as_str) {
            Some("failed") => self.end("response.failed", response),
            Some("incomplete") => self.end("response.incomplete", response),
            _ if response.get("output").is_some_and(Value::is_array) => {
                self.end("response.completed", response)
            }
            _ => match response.get("error") {
                Some(Value::Object(_)) => Err(of_event(&Said::of(&response))),
                _ => Err(failure(
                    ModelErrorKind::Malformed,
                    "the server answered with JSON that is no response",
                )),
            },
        }
    }

    fn ended(&mut self, broken: Option<ModelError>) -> Result<Answer, ModelError> {
        Err(broken.unwrap_or_else(|| {
            failure(
                ModelErrorKind::Cut,
                format!(
                    "the answer was cut off: the stream ended after {} events and {} whole items, without `response.completed`",
                    self.events,
                    self.items.len()
                ),
            )
        }))
    }
}

impl Responses {
    fn item(&mut self, at: Option<u64>, item: Value) -> Result<(), ModelError> {
        if !item.is_object() {
            return Err(failure(
                ModelErrorKind::Malformed,
                "an output item of the answer is no object",
            ));
        }
        if self.items.len() >= ITEMS_MAX {
            return Err(failure(
                ModelErrorKind::Malformed,
                format!("the answer has more than {ITEMS_MAX} items"),
            ));
        }
        let next = self
            .items
            .last_key_value()
            .map_or(0, |(last, _)| last.saturating_add(1));
        if self.items.insert(at.unwrap_or(next), item).is_some() {
            return Err(failure(
                ModelErrorKind::Malformed,
                "two output items of the answer have the same place",
            ));
        }
        Ok(())
    }

    fn end(&mut self, kind: &str, mut response: Value) -> Result<Answer, ModelError> {
        let usage = usage(response.get("usage"));
        let status = response
            .get("status")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if kind == "response.failed" || status == "failed" {
            let mut error = of_event(&Said::of(&response));
            error.usage = usage.unwrap_or_default();
            return Err(error);
        }
        let mut answer = Answer {
            usage: usage.unwrap_or_default(),
            ..Answer::default()
        };
        if kind == "response.incomplete" || status == "incomplete" {
            let reason = response
                .pointer("/incomplete_details/reason")
                .and_then(Value::as_str)
                .unwrap_or("no reason");
            if reason == "content_filter" {
                let mut error = failure(
                    ModelErrorKind::Refused,
                    "the provider's content filter stopped the answer; rephrase what the goal asks for",
                );
                error.usage = answer.usage;
                return Err(error);
            }
            self.notes
                .note(format!("the answer is incomplete: {}", clean(reason)));
        }
        // The end repeats every item. Some servers send them only there.
        if let Some(Value::Array(output)) = response.get_mut("output").map(Value::take)
            && output.len() > self.items.len()
        {
            let missing = output.len() - self.items.len();
            if self.events > 0 {
                self.notes.note(format!(
                    "{missing} output items came only with the end of the answer"
                ));
            }
            self.items.clear();
            for item in output {
                self.item(None, item)?;
            }
        }
        answer.items = std::mem::take(&mut self.items).into_values().collect();
        let seen = self.read_items(&answer.items, &mut answer.text, &mut answer.calls);
        if usage.is_none() {
            let said: usize = answer.items.iter().map(|item| item.to_string().len()).sum();
            answer.usage = estimate(&mut self.notes, self.sent_bytes, said);
        }
        answer.oddities = self.notes.take();
        let wrong = match seen {
            Err(message) => message,
            Ok(()) if answer.items.is_empty() => {
                "the answer is empty: it has no output items".to_owned()
            }
            Ok(()) => return Ok(answer),
        };
        Err(paid(ModelErrorKind::Malformed, wrong, answer.usage))
    }

    fn read_items(
        &mut self,
        items: &[Value],
        text: &mut String,
        calls: &mut Vec<Call>,
    ) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for item in items {
            let field = |name: &str| item.get(name).and_then(Value::as_str);
            match field("type") {
                Some("message") => {
                    for part in item
                        .get("content")
                        .and_then(Value::as_array)
                        .into_iter()
                        .flatten()
                    {
                        let said = |name: &str| part.get(name).and_then(Value::as_str);
                        let words = match part.get("type").and_then(Value::as_str) {
                            Some("refusal") => {
                                self.notes.note("the model refused in words");
                                said("refusal")
                            }
                            _ => said("text"),
                        };
                        if let Some(words) = words {
                            add_words(text, words);
                        }
                    }
                }
                Some("function_call") => {
                    let id = field("call_id")
                        .filter(|id| !id.is_empty())
                        .ok_or("a tool call of the answer has no call_id")?;
                    let name = field("name").ok_or("a tool call of the answer names no tool")?;
                    if !ids.insert(id) {
                        return Err(format!(
                            "two tool calls of the answer have the same id `{}`",
                            clean(id)
                        ));
                    }
                    // Malformed arguments are the harness's business: it tells the model. Some servers send an object.
                    let arguments = match item.get("arguments") {
                        Some(Value::String(arguments)) => arguments.clone(),
                        None | Some(Value::Null) => String::new(),
                        Some(other) => other.to_string(),
                    };
                    calls.push(Call {
                        id: id.to_owned(),
                        name: name.to_owned(),
                        arguments,
                    });
                }
                Some("reasoning") => {}
                other => {
                    let kind = clean(other.unwrap_or("none"));
                    self.notes.note(format!(
                        "an output item of unknown type `{kind}` is kept as it is"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Just enough of an event to know what to do with it: most are skipped.
#[derive(serde::Deserialize)]
struct Head<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
}

fn usage(value: Option<&Value>) -> Option<Usage> {
    let value = value.filter(|value| value.is_object())?;
    let tokens = |pointer: &str| value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let (input, output) = (tokens("/input_tokens"), tokens("/output_tokens"));
    // Zeros, and numbers that are none, say nothing: a budget must not stand still.
    (input.saturating_add(output) > 0).then_some(Usage {
        input,
        cached: tokens("/input_tokens_details/cached_tokens").min(input),
        output,
    })
}
