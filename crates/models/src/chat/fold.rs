//! Chunks to one answer. Pure: knows nothing of connections and clocks.

use overnight_ports::model::{Answer, Call, ModelError, ModelErrorKind, Usage};
use serde_json::{Map, Value, json};

use super::calls::Calls;
use crate::wire::failure::{Said, clean, failure, of_event};
use crate::wire::{Fold, Notes, estimate, paid, value};

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    turn: u64,
    sent_bytes: usize,
    content: Option<String>,
    refusal: String,
    /// `reasoning_content` or `reasoning`, as the server calls it.
    reasoning: Option<(&'static str, String)>,
    /// OpenRouter's form of it: a list of pieces.
    details: Vec<Value>,
    /// Other fields of the message, the latest of each.
    rest: Map<String, Value>,
    calls: Calls,
    finish: Option<String>,
    usage: Option<Usage>,
    notes: Notes,
    events: u64,
}

impl Chunks {
    /// `sent_bytes` is the size of the request.
    pub(super) fn new(turn: u64, sent_bytes: usize) -> Self {
        Chunks {
            turn,
            sent_bytes,
            ..Chunks::default()
        }
    }

    fn malformed(&self, message: impl Into<String>) -> ModelError {
        paid(
            ModelErrorKind::Malformed,
            message,
            self.usage.unwrap_or_default(),
        )
    }

    /// One chunk, or one whole completion: they differ in the name of the message.
    fn learn(&mut self, mut chunk: Value) -> Result<(), ModelError> {
        if let Some(usage) = chunk.get("usage").and_then(usage_of) {
            self.usage = Some(usage);
        }
        let Some(Value::Array(choices)) = chunk.get_mut("choices").map(Value::take) else {
            return Ok(());
        };
        for mut choice in choices {
            if choice.get("index").and_then(Value::as_u64).unwrap_or(0) > 0 {
                self.notes
                    .note("the server gave more than one answer; the first is taken");
                continue;
            }
            // Some servers send an error with the choice that it ended.
            if let Some(error) = choice.get("error").filter(|error| error.is_object()) {
                return Err(self.failed(&json!({ "error": error })));
            }
            for name in ["delta", "message"] {
                if let Some(Value::Object(fields)) = choice.get_mut(name).map(Value::take) {
                    self.message(fields)?;
                }
            }
            if let Some(usage) = choice.get("usage").and_then(usage_of) {
                self.usage = Some(usage);
            }
            if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
                // The first word counts, unless it was none.
                match &self.finish {
                    Some(first) if !first.is_empty() => {}
                    _ => self.finish = Some(reason.to_owned()),
                }
            }
        }
        Ok(())
    }

    fn message(&mut self, fields: Map<String, Value>) -> Result<(), ModelError> {
        for (name, value) in fields {
            match (name.as_str(), value) {
                (_, Value::Null) | ("role", _) => {}
                ("content", Value::String(text)) => {
                    self.content.get_or_insert_default().push_str(&text);
                }
                ("content", Value::Array(parts)) => self.parts(&parts),
                ("refusal", Value::String(text)) => self.refusal.push_str(&text),
                ("reasoning_content", Value::String(text)) => {
                    self.think("reasoning_content", &text)
                }
                ("reasoning", Value::String(text)) => self.think("reasoning", &text),
                ("reasoning_details", Value::Array(pieces)) => {
                    pieces.into_iter().for_each(|piece| self.detail(piece));
                }
                ("tool_calls", Value::Array(pieces)) => {
                    for piece in pieces {
                        self.calls
                            .add(piece)
                            .map_err(|wrong| self.malformed(wrong))?;
                    }
                }
                (_, value) => {
                    self.rest.insert(name, value);
                }
            }
        }
        Ok(())
    }

    fn think(&mut self, name: &'static str, text: &str) {
        match &mut self.reasoning {
            Some((known, whole)) if *known == name => whole.push_str(text),
            // The same words under a second name.
            Some(_) => {}
            None => self.reasoning = Some((name, text.to_owned())),
        }
    }

    /// Content in parts, as Mistral has it: texts, and thinking of texts.
    fn parts(&mut self, parts: &[Value]) {
        for part in parts {
            let text = part.get("text").and_then(Value::as_str);
            if let Some(text) = text {
                self.content.get_or_insert_default().push_str(text);
            }
            for thought in part
                .get("thinking")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let text = thought.get("text").and_then(Value::as_str);
                self.think("reasoning", text.unwrap_or_default());
            }
        }
    }

    /// A piece of reasoning goes on with the piece of the same index and type, or begins one.
    fn detail(&mut self, piece: Value) {
        let key = |piece: &Value| (piece.get("index").cloned(), piece.get("type").cloned());
        let known = self.details.last_mut().filter(|last| {
            last.get("index").is_some_and(Value::is_number) && key(last) == key(&piece)
        });
        let (Some(Value::Object(known)), Value::Object(fields)) = (known, &piece) else {
            self.details.push(piece);
            return;
        };
        for (name, value) in fields {
            match (known.get_mut(name), value) {
                (Some(Value::String(whole)), Value::String(more))
                    if matches!(name.as_str(), "text" | "summary" | "data") =>
                {
                    whole.push_str(more);
                }
                (_, Value::Null) => {}
                _ => {
                    known.insert(name.clone(), value.clone());
                }
            }
        }
    }

    fn failed(&self, chunk: &Value) -> ModelError {
        ModelError {
            usage: self.usage.unwrap_or_default(),
            ..of_event(&Said::of(chunk))
        }
    }

    /// The answer, once its end is known.
    fn finish(&mut self) -> Result<Answer, ModelError> {
        let finish = self.finish.take().unwrap_or_default();
        let received = self.content.as_ref().map_or(0, String::len)
            + self.refusal.len()
            + self.reasoning.as_ref().map_or(0, |(_, text)| text.len())
            + self.calls.bytes();
        let usage = match self.usage {
            Some(usage) => usage,
            None => estimate(&mut self.notes, self.sent_bytes, received),
        };
        self.usage = Some(usage);
        let cut = self.calls.is_cut();
        let calls = std::mem::take(&mut self.calls)
            .finish(self.turn, &mut self.notes)
            .map_err(|wrong| self.malformed(wrong))?;
        match finish.as_str() {
            "stop" | "eos" | "tool_calls" | "function_call" if !calls.is_empty() => {}
            "stop" | "eos" => {}
            "tool_calls" | "function_call" => self
                .notes
                .note("the answer ends for its tool calls, and has none"),
            "length" | "abort" if cut => {
                return Err(self.malformed(format!(
                    "the answer was cut off in the middle of a tool call ({finish}): it reached the largest number of output tokens, or the end of the context"
                )));
            }
            "length" => self.notes.note("the answer is incomplete: length"),
            "content_filter" => {
                return Err(paid(
                    ModelErrorKind::Refused,
                    "the provider's content filter stopped the answer; rephrase what the goal asks for",
                    usage,
                ));
            }
            "error" => {
                return Err(paid(
                    ModelErrorKind::Unavailable,
                    "the model server failed while answering",
                    usage,
                ));
            }
            other => self
                .notes
                .note(format!("unknown finish reason `{}`", clean(other))),
        }
        let mut answer = Answer {
            usage,
            text: self.content.clone().unwrap_or_default(),
            ..Answer::default()
        };
        if !self.refusal.is_empty() {
            self.notes.note("the model refused in words");
            crate::wire::add_words(&mut answer.text, &self.refusal);
        }
        let thought = self.reasoning.is_some() || !self.details.is_empty();
        if calls.is_empty() && answer.text.trim().is_empty() {
            if !thought {
                return Err(self.malformed("the answer is empty: it has no content"));
            }
            self.notes.note("the answer is mere reasoning");
        }
        answer.calls = calls.iter().filter_map(call_of).collect();
        answer.items = vec![self.assistant(calls)];
        answer.oddities = self.notes.take();
        Ok(answer)
    }

    /// The assistant's message, whole.
    fn assistant(&mut self, calls: Vec<Value>) -> Value {
        let mut message = Map::new();
        message.insert("role".to_owned(), json!("assistant"));
        let content = self.content.take().map_or(Value::Null, Value::String);
        message.insert("content".to_owned(), content);
        if !self.refusal.is_empty() {
            message.insert("refusal".to_owned(), json!(self.refusal));
        }
        if let Some((name, text)) = self.reasoning.take() {
            message.insert(name.to_owned(), Value::String(text));
        }
        if !self.details.is_empty() {
            let details = std::mem::take(&mut self.details);
            message.insert("reasoning_details".to_owned(), Value::Array(details));
        }
        if !calls.is_empty() {
            message.insert("tool_calls".to_owned(), Value::Array(calls));
        }
        message.extend(std::mem::take(&mut self.rest));
        Value::Object(message)
    }
}

fn call_of(call: &Value) -> Option<Call> {
    let text = |at: &str| call.pointer(at).and_then(Value::as_str).map(str::to_owned);
    Some(Call {
        id: text("/id")?,
        name: text("/function/name")?,
        arguments: text("/function/arguments")?,
    })
}

/// Tokens, in each of the places where servers say how many came from the cache. `None` if nothing was counted.
fn usage_of(usage: &Value) -> Option<Usage> {
    let tokens = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64);
    let input = tokens("/prompt_tokens").unwrap_or(0);
    let output = tokens("/completion_tokens").unwrap_or(0);
    let cached = tokens("/prompt_tokens_details/cached_tokens")
        .or_else(|| tokens("/prompt_cache_hit_tokens"))
        .unwrap_or(0);
    (input.saturating_add(output) > 0).then_some(Usage {
        input,
        cached: cached.min(input),
        output,
    })
}

/// Whether a chunk or a document tells of a failure, in any of the forms that servers have for it.
fn is_failure(chunk: &Value) -> bool {
    match chunk.get("error") {
        Some(Value::Object(_)) => true,
        Some(Value::String(message)) => !message.is_empty(),
        _ => chunk.get("object").and_then(Value::as_str) == Some("error"),
    }
}

impl Fold for Chunks {
    fn event(&mut self, name: Option<&str>, data: &str) -> Result<Option<Answer>, ModelError> {
        let data = data.trim();
        if data.is_empty() {
            return Ok(None);
        }
        if data == "[DONE]" {
            // A farewell without an answer is none.
            return match (
                &self.finish,
                self.content.is_some() || self.calls.bytes() > 0,
            ) {
                (None, false) if self.reasoning.is_none() => {
                    Err(self.malformed("the answer is empty: it has no content"))
                }
                (None, _) => {
                    self.notes.note("the server gave no finish reason");
                    self.finish = Some("stop".to_owned());
                    self.finish().map(Some)
                }
                (Some(_), _) => self.finish().map(Some),
            };
        }
        self.events += 1;
        let chunk = value(data)?;
        if !chunk.is_object() {
            return Err(self.malformed(format!(
                "an event of the answer is not readable (no object): {}",
                clean(&data.chars().take(80).collect::<String>())
            )));
        }
        if is_failure(&chunk) || name == Some("error") {
            return Err(self.failed(&chunk));
        }
        if chunk.get("choices").is_none() && chunk.get("usage").is_none() {
            let kind = chunk.get("type").or(chunk.get("object"));
            let kind = kind.and_then(Value::as_str).or(name).unwrap_or("none");
            self.notes.unknown("event type", kind);
            return Ok(None);
        }
        self.learn(chunk)?;
        Ok(None)
    }

    fn whole(&mut self, document: Value) -> Result<Answer, ModelError> {
        self.notes.note("the server did not stream");
        if is_failure(&document) {
            return Err(self.failed(&document));
        }
        if !document.get("choices").is_some_and(Value::is_array) {
            return Err(self.malformed("the server answered with JSON that is no completion"));
        }
        self.learn(document)?;
        self.finish()
    }

    fn ended(&mut self, broken: Option<ModelError>) -> Result<Answer, ModelError> {
        // Only the usage may follow a finish reason, and the farewell that some servers leave out.
        if self.finish.is_some() {
            return self.finish();
        }
        let usage = self.usage.unwrap_or_default();
        let error = broken.unwrap_or_else(|| {
            failure(
                ModelErrorKind::Cut,
                format!(
                    "the answer was cut off: the stream ended after {} events without a finish reason",
                    self.events
                ),
            )
        });
        Err(ModelError { usage, ..error })
    }

    fn settled(&self) -> bool {
        self.finish.is_some()
    }
}
