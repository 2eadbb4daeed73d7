//! Where items come from and what may be done to them: error trackers, issue trackers, files, any command.

use async_trait::async_trait;
use overnight_core::item::{Closed, Dossier, Item, Verb};
use serde::{Deserialize, Serialize};

/// Why a source could not do it. The text is for people: what, where, what next; never a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It will not, now or later: a wrong token, an unknown project, a bad query.
    #[error("{0}")]
    Refused(String),
    /// The item is not there any more.
    #[error("{0}")]
    Gone(String),
    /// Too many requests.
    #[error("{message}")]
    RateLimited {
        /// When it said to come back, milliseconds from then.
        retry_after_ms: Option<u64>,
        /// For people.
        message: String,
    },
    /// It fails, or cannot be reached: again later.
    #[error("{0}")]
    Unavailable(String),
    /// Its answer cannot be read.
    #[error("{0}")]
    Malformed(String),
}

/// One thing to be done to an item at its source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// What.
    pub verb: Verb,
    /// Unique for this item, verb and run, the same at every attempt: `overnight-<run>-<index>-<verb>`. A comment
    /// carries it, so that a later attempt finds it.
    pub key: String,
    /// The item as the list has it.
    pub item: Item,
    /// How it ended.
    pub closed: Closed,
    /// The branch that holds the work, if it was delivered to one.
    pub branch: Option<String>,
    /// The text of a comment, made by the harness: plain Markdown that ends in the key.
    pub text: String,
}

/// What proves that an act was performed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActReceipt {
    /// The source's own name of what was made (a comment's id), or its state afterwards.
    pub what: String,
    /// Whether it had been performed already, by an attempt of which nobody heard.
    pub already: bool,
}

/// A source. One attempt each: whether and when to try again is decided elsewhere, but pages of one list and rate
/// limits of a few seconds are its own business.
#[async_trait]
pub trait Source: Send + Sync {
    /// One line for people: `sentry at https://sentry.io, project shop/api`. No secrets.
    fn describe(&self) -> String;
    /// Lists everything that the goal's query means, all pages, in the goal's order, as far as its limit. Each item is
    /// handed over as it comes; `found` says whether it wants more. The notes are for people.
    async fn list(
        &self,
        found: &mut (dyn FnMut(Item) -> bool + Send),
    ) -> Result<Vec<String>, SourceError>;
    /// Reads one item whole.
    async fn read(&self, item: &Item) -> Result<Dossier, SourceError>;
    /// What the source can do to an item.
    fn verbs(&self) -> Vec<Verb>;
    /// Asks the source whether the act has been performed already, by its key or by the item's state. `None`: it has
    /// not. Asked before an act of which nobody knows whether it happened is performed again.
    async fn probe(&self, act: &Act) -> Result<Option<ActReceipt>, SourceError>;
    /// Performs it.
    async fn act(&self, act: &Act) -> Result<ActReceipt, SourceError>;
}
