//! A model: a request in, an answer out. Lossless, so that a run can be resumed from its journal.

use async_trait::async_trait;
pub use overnight_core::turn::{Call, ModelErrorKind, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One tool as the model is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// One entry of the conversation, in the harness's own form. Each provider's client translates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Entry {
    /// What the harness says.
    User {
        /// Text.
        text: String,
    },
    /// What the model said, as the provider's own items, to be carried back verbatim.
    Answer {
        /// In the provider's order and form; opaque to everybody else.
        items: Vec<Value>,
    },
    /// The result of one tool call.
    Result {
        /// Which call.
        call: String,
        /// What the model is shown.
        text: String,
    },
}

/// One request.
#[derive(Debug, Clone, Serialize)]
pub struct Request {
    /// The model's name without the provider's prefix.
    pub model: String,
    /// The system prompt. Byte-stable over a run.
    pub instructions: String,
    /// Byte-stable over a run.
    pub tools: Vec<ToolSpec>,
    /// The conversation, oldest first.
    pub entries: Vec<Entry>,
    /// Stable over a run; lets the provider keep its prompt cache together.
    pub cache_key: String,
    /// The turn that is asked for, counted from 1. A scripted model answers by it.
    pub turn: u64,
    /// The item of the worklist that it is about, for a scripted model. It goes on no wire: a live model is told of it in
    /// the conversation.
    #[serde(skip)]
    pub item: Option<String>,
}

/// One whole answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The provider's items, verbatim and in order (reasoning, messages, calls, unknown ones).
    pub items: Vec<Value>,
    /// What it says in words, for people.
    pub text: String,
    /// Its tool calls, in order.
    pub calls: Vec<Call>,
    /// What it cost.
    pub usage: Usage,
    /// Things noticed on the way that harm nothing: unknown event types, an odd finish reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oddities: Vec<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    /// What kind of failure.
    pub kind: ModelErrorKind,
    /// For people: what, where, what next. Never holds a key.
    pub message: String,
    /// When to try again, if the provider said so, milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Tokens that were used up all the same, where known.
    #[serde(default)]
    pub usage: Usage,
}

/// A model behind some wire format.
#[async_trait]
pub trait Model: Send + Sync {
    /// `openai/gpt-5.5`, `scripted/plan.yaml`.
    fn name(&self) -> &str;
    /// Whether it is a script: no live model, and the report says so.
    fn scripted(&self) -> bool {
        false
    }
    /// Whether the provider can be reached, found out without a model call and within seconds. A model that cannot tell
    /// says yes.
    async fn reachable(&self) -> bool {
        true
    }
    /// One attempt. Retrying is the caller's decision: every attempt is an event.
    async fn answer(&self, request: &Request) -> Result<Answer, ModelError>;
}
