//! Events to one answer. Pure: knows nothing of connections and clocks.
//!
//! The items of an answer are the content blocks as the API would have sent them whole, every field kept. One thing is
//! ours: the `input` of a call that is no JSON object stays the text that it was, as a string.

use std::collections::{BTreeMap, BTreeSet};

use overnight_ports::model::{Answer, Call, ModelError, ModelErrorKind, Usage};
use serde_json::{Map, Value, json};

use crate::wire::failure::{Said, clean, failure, of_event};
use crate::wire::{Fold, Notes, add_words, estimate, is_object, paid, unreadable, value};

/// Most blocks that one answer may have.
const BLOCKS_MAX: usize = 10_000;

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Messages {
    blocks: BTreeMap<u64, Block>,
    usage: Counts,
    stop: Option<String>,
    /// What the API says of a refusal.
    explanation: Option<String>,
    notes: Notes,
    events: u64,
    sent_bytes: usize,
}

/// One content block.
#[derive(Debug, Default)]
struct Block {
    fields: Map<String, Value>,
    /// The input of a call, as it comes.
    input: String,
}

impl Block {
    fn kind(&self) -> &str {
        self.field("type")
    }

    fn field(&self, name: &str) -> &str {
        self.fields
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    fn add(&mut self, name: &str, text: &str) {
        match self.fields.get_mut(name) {
            Some(Value::String(whole)) => whole.push_str(text),
            _ => {
                self.fields.insert(name.to_owned(), json!(text));
            }
        }
    }
}

/// Tokens as the API counts them; each may come with the beginning, with the end, or with both.
#[derive(Debug, Default)]
struct Counts {
    input: Option<u64>,
    written: Option<u64>,
    read: Option<u64>,
    output: Option<u64>,
}

impl Counts {
    fn learn(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        for (count, name) in [
            (&mut self.input, "input_tokens"),
            (&mut self.written, "cache_creation_input_tokens"),
            (&mut self.read, "cache_read_input_tokens"),
            (&mut self.output, "output_tokens"),
        ] {
            if let Some(tokens) = usage.get(name).and_then(Value::as_u64) {
                *count = Some(tokens);
            }
        }
    }

    /// `None` if nobody has counted.
    fn usage(&self) -> Option<Usage> {
        let cached = self.read.unwrap_or(0);
        let input = self
            .input
            .unwrap_or(0)
            .saturating_add(self.written.unwrap_or(0))
            .saturating_add(cached);
        let output = self.output.unwrap_or(0);
        (input.saturating_add(output) > 0).then_some(Usage {
            input,
            cached,
            output,
        })
    }
}

impl Messages {
    /// `sent_bytes` is the size of the request.
    pub(super) fn new(sent_bytes: usize) -> Self {
        Messages {
            sent_bytes,
            ..Messages::default()
        }
    }

    fn block(&mut self, event: &Value) -> Result<&mut Block, ModelError> {
        let at = index(event);
        self.blocks.get_mut(&at).ok_or_else(|| {
            failure(
                ModelErrorKind::Malformed,
                "the answer goes on with a content block that never began",
            )
        })
    }

    fn start(&mut self, event: &mut Value) -> Result<(), ModelError> {
        let at = index(event);
        let Some(Value::Object(fields)) = event.get_mut("content_block").map(Value::take) else {
            return Err(failure(
                ModelErrorKind::Malformed,
                "a content block of the answer is no object",
            ));
        };
        if self.blocks.len() >= BLOCKS_MAX {
            return Err(failure(
                ModelErrorKind::Malformed,
                format!("the answer has more than {BLOCKS_MAX} content blocks"),
            ));
        }
        let block = Block {
            fields,
            input: String::new(),
        };
        if self.blocks.insert(at, block).is_some() {
            return Err(failure(
                ModelErrorKind::Malformed,
                "two content blocks of the answer have the same place",
            ));
        }
        Ok(())
    }

    fn delta(&mut self, event: &mut Value) -> Result<(), ModelError> {
        let mut delta = event
            .get_mut("delta")
            .map(Value::take)
            .unwrap_or(Value::Null);
        let kind = delta
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let text = |name: &str| delta.get(name).and_then(Value::as_str).unwrap_or_default();
        match kind.as_str() {
            "text_delta" => self.block(event)?.add("text", text("text")),
            "thinking_delta" => self.block(event)?.add("thinking", text("thinking")),
            // It comes whole; what stood there before was its placeholder.
            "signature_delta" => {
                let signature = json!(text("signature"));
                self.block(event)?
                    .fields
                    .insert("signature".to_owned(), signature);
            }
            "input_json_delta" => self.block(event)?.input.push_str(text("partial_json")),
            "citations_delta" => {
                let citation = delta
                    .get_mut("citation")
                    .map(Value::take)
                    .unwrap_or(Value::Null);
                match self.block(event)?.fields.get_mut("citations") {
                    Some(Value::Array(citations)) => citations.push(citation),
                    _ => {
                        self.block(event)?
                            .fields
                            .insert("citations".to_owned(), json!([citation]));
                    }
                }
            }
            other => self.notes.unknown("delta type", other),
        }
        Ok(())
    }

    fn learn_end(&mut self, delta: Option<&Value>) {
        let field = |name: &str| delta.and_then(|delta| delta.get(name));
        if let Some(reason) = field("stop_reason").and_then(Value::as_str) {
            self.stop = Some(reason.to_owned());
        }
        let why = field("stop_details").and_then(|details| details.get("explanation"));
        if let Some(why) = why.and_then(Value::as_str) {
            self.explanation = Some(why.to_owned());
        }
    }

    /// The answer, once its end is known.
    fn finish(&mut self) -> Result<Answer, ModelError> {
        let mut answer = Answer::default();
        let stop = self.stop.take().unwrap_or_default();
        let reported = self.usage.usage();
        let refused = stop == "refusal";
        let mut wrong = None;
        let mut received = 0;
        let mut ids = BTreeSet::new();
        let blocks = std::mem::take(&mut self.blocks);
        let last = blocks.len().saturating_sub(1);
        for (at, mut block) in blocks.into_values().enumerate() {
            received +=
                block.input.len() + block.field("text").len() + block.field("thinking").len();
            match block.kind() {
                "text" => add_words(&mut answer.text, block.field("text")),
                "thinking" | "redacted_thinking" => {}
                // What a refused answer was about to do is not done, and a call without result cannot be carried back.
                "tool_use" if refused => continue,
                "tool_use" => {
                    let arguments = take_input(&mut block);
                    let cut = matches!(
                        stop.as_str(),
                        "max_tokens" | "model_context_window_exceeded"
                    );
                    if cut && at == last && !is_object(&arguments) {
                        wrong = Some(stop.clone());
                    }
                    let (id, name) = (block.field("id"), block.field("name"));
                    if id.is_empty() || name.is_empty() {
                        let what = if id.is_empty() {
                            "has no id"
                        } else {
                            "names no tool"
                        };
                        return Err(paid(
                            ModelErrorKind::Malformed,
                            format!("a tool call of the answer {what}"),
                            reported.unwrap_or_default(),
                        ));
                    }
                    if !ids.insert(id.to_owned()) {
                        return Err(paid(
                            ModelErrorKind::Malformed,
                            format!(
                                "two tool calls of the answer have the same id `{}`",
                                clean(id)
                            ),
                            reported.unwrap_or_default(),
                        ));
                    }
                    answer.calls.push(Call {
                        id: id.to_owned(),
                        name: name.to_owned(),
                        arguments,
                    });
                }
                other => {
                    let kind = clean(other);
                    self.notes.note(format!(
                        "a content block of unknown type `{kind}` is kept as it is"
                    ));
                    take_input(&mut block);
                }
            }
            answer.items.push(Value::Object(block.fields));
        }
        answer.usage =
            reported.unwrap_or_else(|| estimate(&mut self.notes, self.sent_bytes, received));
        self.note_stop(&stop);
        answer.oddities = self.notes.take();
        match wrong.as_deref() {
            Some("max_tokens") => {
                return Err(paid(
                    ModelErrorKind::Malformed,
                    "the answer was cut off in the middle of a tool call: it reached the largest number of output tokens (max_tokens)",
                    answer.usage,
                ));
            }
            Some(_) => {
                return Err(paid(
                    ModelErrorKind::ContextOverflow,
                    "the answer was cut off in the middle of a tool call: conversation and answer together are larger than the model takes",
                    answer.usage,
                ));
            }
            None => {}
        }
        let says_something = !answer.text.trim().is_empty() || !answer.calls.is_empty();
        if refused && !says_something {
            let why = self.explanation.take().unwrap_or_default();
            let why = if why.is_empty() {
                why
            } else {
                format!(": {}", clean(&why))
            };
            return Err(paid(
                ModelErrorKind::Refused,
                format!("the model refused{why}; rephrase what the goal asks for"),
                answer.usage,
            ));
        }
        let kept = answer
            .items
            .iter()
            .any(|item| item.get("type").and_then(Value::as_str) != Some("text"));
        if !says_something && !kept {
            return Err(paid(
                ModelErrorKind::Malformed,
                "the answer is empty: it has no content",
                answer.usage,
            ));
        }
        Ok(answer)
    }

    fn note_stop(&mut self, stop: &str) {
        match stop {
            "end_turn" | "tool_use" | "stop_sequence" => {}
            "max_tokens" | "model_context_window_exceeded" => {
                self.notes.note(format!("the answer is incomplete: {stop}"));
            }
            "pause_turn" => self
                .notes
                .note("the model paused; it goes on with the next turn"),
            "refusal" => self.notes.note("the model refused after it had begun"),
            other => self
                .notes
                .note(format!("unknown stop reason `{}`", clean(other))),
        }
    }
}

/// The input of a call as text, put into the block as well: an object if it is one, else the text.
fn take_input(block: &mut Block) -> String {
    let text = std::mem::take(&mut block.input);
    if text.trim().is_empty() {
        // It came with the block, or there is none.
        return match block.fields.get("input") {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        };
    }
    let input = match serde_json::from_str::<Value>(&text) {
        Ok(object @ Value::Object(_)) => object,
        _ => json!(text),
    };
    block.fields.insert("input".to_owned(), input);
    text
}

fn index(event: &Value) -> u64 {
    event.get("index").and_then(Value::as_u64).unwrap_or(0)
}

/// Just enough of an event to know what to do with it.
#[derive(serde::Deserialize)]
struct Head<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
}

impl Fold for Messages {
    fn event(&mut self, name: Option<&str>, data: &str) -> Result<Option<Answer>, ModelError> {
        // What other dialects send as their last word.
        if data.is_empty() || data.trim() == "[DONE]" {
            return Ok(None);
        }
        self.events += 1;
        let head: Head = serde_json::from_str(data).map_err(|error| unreadable(&error, data))?;
        match head.kind.as_deref().or(name).unwrap_or_default() {
            "ping" | "content_block_stop" => {}
            "message_start" => {
                let event = value(data)?;
                self.usage.learn(event.pointer("/message/usage"));
            }
            "content_block_start" => self.start(&mut value(data)?)?,
            "content_block_delta" => self.delta(&mut value(data)?)?,
            "message_delta" => {
                let event = value(data)?;
                self.usage.learn(event.get("usage"));
                self.learn_end(event.get("delta"));
            }
            "message_stop" if self.stop.is_some() || !self.blocks.is_empty() => {
                if self.stop.is_none() {
                    self.notes.note("the server gave no stop reason");
                    self.stop = Some("end_turn".to_owned());
                }
                return self.finish().map(Some);
            }
            "message_stop" => return self.finish().map(Some),
            "error" => {
                let mut error = of_event(&Said::of(&value(data)?));
                error.usage = self.usage.usage().unwrap_or_default();
                return Err(error);
            }
            other => self.notes.unknown("event type", other),
        }
        Ok(None)
    }

    fn whole(&mut self, mut document: Value) -> Result<Answer, ModelError> {
        self.notes.note("the server did not stream");
        if document.get("error").is_some_and(Value::is_object) {
            return Err(of_event(&Said::of(&document)));
        }
        let Some(Value::Array(content)) = document.get_mut("content").map(Value::take) else {
            return Err(failure(
                ModelErrorKind::Malformed,
                "the server answered with JSON that is no message",
            ));
        };
        self.usage.learn(document.get("usage"));
        self.learn_end(Some(&document));
        for (at, block) in content.into_iter().enumerate() {
            self.start(&mut json!({"index": at, "content_block": block}))?;
        }
        self.finish()
    }

    fn ended(&mut self, broken: Option<ModelError>) -> Result<Answer, ModelError> {
        // The reason comes after everything else: nothing is missing but the farewell.
        if self.stop.is_some() {
            self.notes
                .note("the stream ended without its last event, after the answer was whole");
            return self.finish();
        }
        let usage = self.usage.usage().unwrap_or_default();
        let error = broken.unwrap_or_else(|| {
            failure(
                ModelErrorKind::Cut,
                format!(
                    "the answer was cut off: the stream ended after {} events and {} content blocks, without `message_stop`",
                    self.events,
                    self.blocks.len()
                ),
            )
        });
        Err(ModelError { usage, ..error })
    }

    fn settled(&self) -> bool {
        self.stop.is_some()
    }
}
