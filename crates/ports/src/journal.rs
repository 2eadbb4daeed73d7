//! The journal of one run: its ordered events, its blobs, and the words that people in other terminals have for it.
//! The only truth: whatever is not in it did not happen.

use overnight_core::event::Event;
use overnight_core::ids::BlobId;
use overnight_core::step::Command;
use serde::{Deserialize, Serialize};

pub use crate::workspace::BlobSink;

/// A stored event.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its place, from 1, without gaps.
    pub seq: u64,
    /// The event.
    pub event: Event,
}

/// A person's command that waits to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Its place in the queue.
    pub id: i64,
    /// What is asked for.
    pub command: Command,
}

/// What a list of runs shows of one, kept beside the journal so that listing reads no history. Derived: it can be
/// made again from the events.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The run.
    pub id: String,
    /// The goal's outcome.
    pub goal: String,
    /// The goal file's name.
    pub goal_name: String,
    /// The goal file's content, by hash.
    pub goal_file: String,
    /// One word.
    pub status: String,
    /// Why it stopped, if it has.
    pub stop_reason: Option<String>,
    /// The delivered branch.
    pub branch: Option<String>,
    /// Where the report is.
    pub report: Option<String>,
    /// The person's repository.
    pub repo: Option<String>,
    /// The model.
    pub model: String,
    /// When it was created, Unix milliseconds.
    pub created_at: u64,
    /// When the last event happened, Unix milliseconds.
    pub last_at: u64,
    /// Turns.
    pub turns: u64,
    /// Tokens.
    pub tokens: u64,
    /// What it waits for, if it does.
    #[serde(default)]
    pub waits_for: Option<String>,
    /// Until when, Unix milliseconds, where that is known.
    #[serde(default)]
    pub waits_until: Option<u64>,
    /// Exit code of a run that has ended.
    pub exit_code: Option<u8>,
}

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another process works on this run.
    #[error("run {run} is being worked on by process {pid}: pause or stop it first, or wait")]
    Held {
        /// The run.
        run: String,
        /// The process.
        pid: String,
    },
    /// There is no such run.
    #[error("there is no run `{0}`: `overnight runs` lists them")]
    NoRun(String),
    /// More than one run has this name.
    #[error("`{name}` is ambiguous, it may be {runs}: give more of the run's id")]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Which runs it may be.
        runs: String,
    },
    /// The disk is full.
    #[error("the disk that holds {path} is full: make room, then `overnight resume`")]
    Full {
        /// What was being written.
        path: String,
    },
    /// The journal's content cannot be read.
    #[error(
        "the journal {path} is damaged: {detail}; put a copy of it in its place, or begin the run anew"
    )]
    Damaged {
        /// Which.
        path: String,
        /// How.
        detail: String,
    },
    /// Anything else that the store says.
    #[error("the journal {path} cannot be used: {detail}")]
    Store {
        /// Which.
        path: String,
        /// Why.
        detail: String,
    },
}

/// One run's journal. Appending is atomic and durable: when it returns, the events and every blob that was put
/// before are on disk; if it fails or the process dies, none of the events is.
pub trait Journal: BlobSink {
    /// Appends events, takes commands off the queue, and keeps the summary.
    fn append(&self, events: &[Event], done: &[i64], summary: &Summary)
    -> Result<(), JournalError>;
    /// Reads every event from `from` on (1 is the first), in order.
    fn read(&self, from: u64, each: &mut dyn FnMut(Stored)) -> Result<(), JournalError>;
    /// The commands that wait. One that cannot be read (another version's) is not among them, and whoever works on the
    /// run takes it off the queue.
    fn commands(&self) -> Result<Vec<Waiting>, JournalError>;
    /// Whether a blob is there.
    fn has(&self, id: &BlobId) -> bool;
    /// Writes a file that people read (the report) beside the journal, whole or not at all; its path.
    fn publish(&self, name: &str, content: &[u8]) -> Result<std::path::PathBuf, JournalError>;
}
