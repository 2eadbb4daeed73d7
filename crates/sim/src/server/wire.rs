//! What the wire formats share: which one a request speaks, frames as bytes of every awkward shape, failures in the
//! words of each.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use overnight_models::scripted::{Failure, How, Reply, Wire};
use overnight_ports::model::{ModelErrorKind, Usage};
use serde_json::{Value, json};

use super::{chat, messages, responses};

/// Characters of a text or of arguments that go into one delta.
const DELTA_CHARS: usize = 40;
/// Above this size a text goes out as one delta: whoever writes so much wants a large event, bytes.
const DELTA_WHOLE_BYTES: usize = 64 * 1024;

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
    /// Chat completions.
    Chat,
}

impl Dialect {
    /// By the path that a request is posted to.
    pub(super) fn of(path: &str) -> Option<Dialect> {
        [
            ("/responses", Dialect::Responses),
            ("/messages", Dialect::Messages),
            ("/chat/completions", Dialect::Chat),
        ]
        .into_iter()
        .find_map(|(end, dialect)| path.ends_with(end).then_some(dialect))
    }

    /// An error body.
    pub(super) fn error(self, code: &str, message: &str) -> Value {
        match self {
            Dialect::Responses | Dialect::Chat => {
                json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}})
            }
            Dialect::Messages => {
                json!({"type": "error", "error": {"type": code, "message": message}, "request_id": "req_mock"})
            }
        }
    }
}

/// One answer, to be sent.
pub(super) struct Outgoing<'a> {
    pub dialect: Dialect,
    pub request: &'a Value,
    pub turn: u64,
    pub reply: Reply,
    pub usage: Usage,
    pub incomplete: bool,
    /// With event types and an item that nobody knows.
    pub unknown: bool,
}

impl Outgoing<'_> {
    /// The model as the request names it.
    pub(super) fn model(&self) -> &str {
        let model = self.request.get("model").and_then(Value::as_str);
        model.unwrap_or("mock-model")
    }

    /// The whole answer, as a client gets it that does not stream.
    pub(super) fn finished(&self) -> Value {
        match self.dialect {
            Dialect::Responses => responses::Response::new(self).finished(),
            Dialect::Messages => messages::finished(self),
            Dialect::Chat => chat::finished(self),
        }
    }

    /// Every event of the answer, in order.
    pub(super) fn events(&self) -> Vec<Frame> {
        match self.dialect {
            Dialect::Responses => responses::Response::new(self).events(),
            Dialect::Messages => messages::events(self),
            Dialect::Chat => chat::events(self),
        }
    }

    /// The beginning of an answer that never becomes whole.
    pub(super) fn begun(&self) -> Vec<Frame> {
        match self.dialect {
            Dialect::Responses => responses::Response::new(self).begun(),
            Dialect::Messages => messages::begun(self),
            Dialect::Chat => chat::begun(self),
        }
    }

    /// An answer that fails after it has begun.
    pub(super) fn failing(&self, code: &str, message: &str) -> Vec<Frame> {
        match self.dialect {
            Dialect::Responses => responses::Response::new(self).failing(code, message),
            Dialect::Messages => messages::failing(self, code, message),
            Dialect::Chat => chat::failing(self, code, message),
        }
    }

    /// An event that is no JSON.
    pub(super) fn garbage(&self) -> Bytes {
        Bytes::from_static(match self.dialect {
            Dialect::Responses => {
                b"event: response.output_item.done\ndata: {\"type\": \"response.outp\n\n"
            }
            Dialect::Messages => b"event: content_block_delta\ndata: {\"type\": \"content_bl\n\n",
            Dialect::Chat => b"data: {\"id\": \"chatcmpl\n\n",
        })
    }
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    /// Its `event` field, where the format has one.
    pub name: Option<String>,
    /// Its `data` field.
    pub data: String,
}

impl Frame {
    /// An event that is named by its own `type`.
    pub(super) fn typed(data: Value) -> Frame {
        let name = data.get("type").and_then(Value::as_str);
        Frame {
            name: Some(name.unwrap_or_default().to_owned()),
            data: data.to_string(),
        }
    }

    /// An event without a name.
    pub(super) fn plain(data: impl ToString) -> Frame {
        Frame {
            name: None,
            data: data.to_string(),
        }
    }
}

/// A text in small steps.
pub(super) fn deltas(text: &str) -> Vec<String> {
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
pub(super) fn pieces(events: &[Frame], wire: &Wire) -> Vec<Bytes> {
    let mut pieces: Vec<Vec<u8>> = Vec::with_capacity(events.len());
    for event in events {
        let mut text = match &event.name {
            Some(name) => format!("event: {name}\ndata: {}\n\n", event.data),
            None => format!("data: {}\n\n", event.data),
        };
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

/// Status and code of a failure, as the format's provider has them.
pub(super) fn status_of(dialect: Dialect, failure: &Failure) -> (StatusCode, &'static str) {
    let openai = match (failure.kind, failure.how) {
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
    let (status, code) = match (dialect, failure.kind, failure.how) {
        (Dialect::Responses | Dialect::Chat, _, _) => openai,
        (Dialect::Messages, ModelErrorKind::RateLimited, How::Quota) => {
            (400, "invalid_request_error")
        }
        (Dialect::Messages, ModelErrorKind::RateLimited, _) => (429, "rate_limit_error"),
        (Dialect::Messages, ModelErrorKind::Unavailable, _) => (529, "overloaded_error"),
        (
            Dialect::Messages,
            ModelErrorKind::ContextOverflow | ModelErrorKind::Refused | ModelErrorKind::ScriptEnded,
            _,
        ) => (400, "invalid_request_error"),
        (
            Dialect::Messages,
            ModelErrorKind::Network | ModelErrorKind::Cut | ModelErrorKind::Malformed,
            _,
        ) => (500, "api_error"),
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
pub(super) fn default_message(dialect: Dialect, failure: &Failure) -> &'static str {
    match (failure.kind, failure.how) {
        (ModelErrorKind::RateLimited, How::Quota) if dialect == Dialect::Messages => {
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."
        }
        (ModelErrorKind::ContextOverflow, _) if dialect == Dialect::Messages => {
            "prompt is too long: 250000 tokens > 200000 maximum"
        }
        (ModelErrorKind::Unavailable, _) if dialect == Dialect::Messages => "Overloaded",
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
