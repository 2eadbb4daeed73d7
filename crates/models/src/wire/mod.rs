//! What the wire formats have in common: the address and the key, one POST, a bounded answer, and errors in words.
//!
//! A format writes its request and brings a [`Fold`] that makes an answer of events; [`Server`] does the talking. Every
//! format has one module beside this one, and none of them knows of another, but for [`earlier`]: a run may have
//! changed its model, and what another model said has to be told in this one's words.

pub(crate) mod earlier;
pub(crate) mod failure;
mod retry_after;
mod server;
mod stream;

use std::time::Duration;

use overnight_ports::model::{Answer, ModelError, ModelErrorKind, Usage};
use serde_json::Value;

pub use failure::QUOTA_RETRY;
use failure::{clean, failure};
pub use retry_after::RETRY_AFTER_MAX;
pub(crate) use server::{Attempt, KeyHeader, Server, given, has_key};

/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a server may be silent, before an answer and within one.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a whole answer may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Largest event, bytes.
pub const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest answer, bytes on the wire.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most oddities that are told of one answer.
const ODDITIES_MAX: usize = 20;
/// Bytes of a token where nobody counts them.
const TOKEN_BYTES: usize = 4;

/// Limits of one attempt. The defaults are the constants of this module.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// See [`CONNECT_TIMEOUT`].
    pub connect: Duration,
    /// See [`IDLE_TIMEOUT`].
    pub idle: Duration,
    /// See [`ANSWER_TIMEOUT`].
    pub answer: Duration,
    /// See [`EVENT_BYTES_MAX`].
    pub event_bytes_max: usize,
    /// See [`ANSWER_BYTES_MAX`].
    pub answer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: CONNECT_TIMEOUT,
            idle: IDLE_TIMEOUT,
            answer: ANSWER_TIMEOUT,
            event_bytes_max: EVENT_BYTES_MAX,
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}

/// What the messages say about a provider.
#[derive(Debug)]
pub(crate) struct Provider {
    /// Where its key is set.
    pub key: &'static str,
    /// Where its address is set.
    pub url: &'static str,
    /// What such an address looks like.
    pub url_like: &'static str,
    /// What is easily wrong with it.
    pub url_hint: &'static str,
}

/// What is wrong with the key or the address.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no key for a server that needs one.
    #[error("{key} is not set: export a key, or set {url} to a server that needs none")]
    NoKey {
        /// Where a key is looked for.
        key: &'static str,
        /// Where an address is looked for.
        url: &'static str,
    },
    /// There is neither a key nor an address, and no address could be meant.
    #[error(
        "`{spec}` does not say where the model is: set OPENAI_BASE_URL, or write the address behind the name, as in `{spec}@http://127.0.0.1:11434/v1`"
    )]
    NoAddress {
        /// What was written.
        spec: String,
    },
    /// The key cannot be part of a request.
    #[error(
        "{key} holds characters that no key has (a line break, a blank, a control character): copy it again"
    )]
    BadKey {
        /// Where it is set.
        key: &'static str,
    },
    /// The address cannot be used.
    #[error("{url} cannot be used: {why}; it should look like {like}")]
    BadUrl {
        /// Where it is set.
        url: &'static str,
        /// What is wrong with it.
        why: String,
        /// A good one.
        like: &'static str,
    },
}

/// Makes an answer of what comes. One for each attempt.
pub(crate) trait Fold: Send {
    /// Takes one event. `Some` is the end of the answer.
    fn event(&mut self, name: Option<&str>, data: &str) -> Result<Option<Answer>, ModelError>;
    /// A whole answer that came as one JSON document.
    fn whole(&mut self, document: Value) -> Result<Answer, ModelError>;
    /// The body ended before the answer did, or broke off for the reason given.
    fn ended(&mut self, broken: Option<ModelError>) -> Result<Answer, ModelError>;
    /// Whether everything that matters has come, and the rest is not worth a long wait.
    fn settled(&self) -> bool {
        false
    }
}

/// Things noticed on the way, bounded, and unknown events, counted.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    said: Vec<String>,
    unknown: std::collections::BTreeMap<String, u64>,
}

impl Notes {
    pub(crate) fn note(&mut self, oddity: impl Into<String>) {
        let oddity = oddity.into();
        if self.said.len() < ODDITIES_MAX && !self.said.contains(&oddity) {
            self.said.push(oddity);
        }
    }

    /// An event, a part of one or a block that nobody knows. `what` says which of these.
    pub(crate) fn unknown(&mut self, what: &str, kind: &str) {
        let name = format!("unknown {what} `{}`", clean(kind));
        if self.unknown.len() < ODDITIES_MAX || self.unknown.contains_key(&name) {
            *self.unknown.entry(name).or_insert(0) += 1;
        }
    }

    pub(crate) fn take(&mut self) -> Vec<String> {
        for (name, count) in std::mem::take(&mut self.unknown) {
            self.note(format!("{name} ({count})"));
        }
        std::mem::take(&mut self.said)
    }
}

/// What an answer costs where the server does not say: a token for every four bytes. A budget must not stand still.
pub(crate) fn estimate(notes: &mut Notes, sent_bytes: usize, received_bytes: usize) -> Usage {
    notes.note("the provider reported no usage; usage estimated");
    let tokens = |bytes: usize| u64::try_from(bytes.div_ceil(TOKEN_BYTES)).unwrap_or(u64::MAX);
    Usage {
        input: tokens(sent_bytes),
        cached: 0,
        output: tokens(received_bytes),
    }
}

/// An event's or a body's JSON.
pub(crate) fn value(data: &str) -> Result<Value, ModelError> {
    serde_json::from_str(data).map_err(|error| unreadable(&error, data))
}

pub(crate) fn unreadable(error: &serde_json::Error, data: &str) -> ModelError {
    let start: String = data.chars().take(80).collect();
    failure(
        ModelErrorKind::Malformed,
        format!(
            "an event of the answer is not readable ({error}): {}",
            clean(&start)
        ),
    )
}

/// A failure that was paid for all the same.
pub(crate) fn paid(kind: ModelErrorKind, message: impl Into<String>, usage: Usage) -> ModelError {
    ModelError {
        usage,
        ..failure(kind, message)
    }
}

/// The arguments of an earlier call as JSON that a server can read back. Servers refuse a conversation for ever once
/// it holds a call whose arguments are no object, so a malformed text is wrapped: nothing of it is lost.
pub(crate) fn readable_arguments(text: &str) -> Value {
    if text.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    match serde_json::from_str::<Value>(text) {
        Ok(object @ Value::Object(_)) => object,
        _ => serde_json::json!({ "unreadable_arguments": text }),
    }
}

/// Whether these arguments are whole.
pub(crate) fn is_object(text: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, Value>>(text).is_ok()
}

/// Joins texts of one answer for people.
pub(crate) fn add_words(text: &mut String, words: &str) {
    if words.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(words);
}
