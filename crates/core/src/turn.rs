//! What a turn is made of: a model's answer in brief, its tool calls, what they said.

use serde::{Deserialize, Serialize};

use crate::bounds::{WORDS_BYTES_MAX, held};
use crate::ids::BlobId;

/// The tool that waits: a call of it that is under way is a wait and no work.
pub const WAIT_TOOL: &str = "wait";

/// A tool call as the model wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The provider's id of this call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments, as text: it may be malformed.
    pub arguments: String,
}

/// Tokens of one answer, as the provider counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Input, cached included.
    pub input: u64,
    /// Of the input: read from the provider's cache.
    pub cached: u64,
    /// Output, reasoning included.
    pub output: u64,
}

impl Usage {
    /// Input and output.
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// Input that was not read from the provider's cache, and output.
    pub fn billed(&self) -> u64 {
        self.input
            .saturating_sub(self.cached)
            .saturating_add(self.output)
    }

    /// The difference; nothing is less than none.
    pub fn minus(&self, other: &Usage) -> Usage {
        Usage {
            input: self.input.saturating_sub(other.input),
            cached: self.cached.saturating_sub(other.cached),
            output: self.output.saturating_sub(other.output),
        }
    }

    /// The sum, without overflow.
    pub fn plus(&self, other: &Usage) -> Usage {
        Usage {
            input: self.input.saturating_add(other.input),
            cached: self.cached.saturating_add(other.cached),
            output: self.output.saturating_add(other.output),
        }
    }
}

/// What kind of failure a model call had. Decides whether and how it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelErrorKind {
    /// 429.
    RateLimited,
    /// 5xx, overloaded.
    Unavailable,
    /// No connection, or it broke before the answer began.
    Network,
    /// The stream ended, stalled or broke before the answer was whole.
    Cut,
    /// The answer cannot be read, or says nothing at all.
    Malformed,
    /// The request is larger than the model's context.
    ContextOverflow,
    /// The provider will not take this request, now or later: bad key, unknown model, refused content.
    Refused,
    /// A scripted model has no further turn.
    ScriptEnded,
}

/// A tool call in brief: what the state and the report need of it. The arguments are in the answer's blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallHead {
    /// The provider's id of this call.
    pub id: String,
    /// The tool.
    pub name: String,
    /// One line for people: `shell cargo test`.
    pub line: String,
}

/// What a tool call says to the harness, beyond its result. Only a claim, a question or a wish: deciding is not its
/// business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "said")]
pub enum Said {
    /// `claim_done`: the model's word that it is done.
    Claim {
        /// Becomes the commit message if the claim is accepted.
        summary: String,
    },
    /// `close_item`: the model's word on how its item ends.
    Close(crate::item::Closing),
    /// `ask_for_help`.
    Help(Help),
    /// `notes`: durable, re-read every turn.
    Notes {
        /// What to keep in mind.
        text: String,
        /// Whether it replaces all earlier notes.
        replace: bool,
    },
    /// `plan`.
    Plan {
        /// The steps, as the model words them.
        steps: Vec<PlanStep>,
    },
    /// `wait` until a time.
    WaitUntil {
        /// When to go on, Unix milliseconds.
        until: u64,
    },
}

/// A question that only a person can answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Help {
    /// The question.
    pub question: String,
    /// What was tried.
    pub tried: String,
    /// What would unlock it.
    pub unlock: String,
}

impl Help {
    /// The same, as long as the state holds it.
    pub(crate) fn held(&self) -> Help {
        let text = |text: &str| held(text, WORDS_BYTES_MAX);
        Help {
            question: text(&self.question),
            tried: text(&self.tried),
            unlock: text(&self.unlock),
        }
    }
}

/// One step of the model's plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanStep {
    /// What is to be done.
    pub step: String,
    /// `open`, `doing` or `done`, in the model's own view: it decides nothing.
    #[serde(default)]
    pub status: PlanStatus,
}

/// How far a plan's step is, in the model's own view.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// Not begun.
    #[default]
    Open,
    /// Being worked on.
    Doing,
    /// Done, the model says.
    Done,
}

/// A denied action, with the name of the rule that denied it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// `keep.paths`, `use.paths`, `use.commands`, `use.network`, `use.tools`, `sandbox`.
    pub rule: String,
    /// What was attempted, in one line: a path, a host, a program.
    pub what: String,
}

/// How a tool call ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CallResult {
    /// Whether the tool did what was asked. A command that exits with 1 was run: that is `true`.
    pub ok: bool,
    /// What the model is shown: bounded.
    pub shown: String,
    /// The whole output; `None` where there is none, or where it only repeats what is kept elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<BlobId>,
    /// Exit code of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Wall time, milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
    /// The workspace's changes since the call before, as a blob; `None` if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<BlobId>,
    /// Paths that changed, the first few, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<String>,
    /// What was denied on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<Denial>,
    /// What it says to the harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
}
