//! Where changes go: a branch in the person's repository, a patch series, later a pull request.

use async_trait::async_trait;
use overnight_core::ids::{CommitId, TreeId};
pub use overnight_core::repo::Delivered;
use serde::{Deserialize, Serialize};

/// What is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// `overnight/<goal-slug>-<short id>`. With the run's id it is the idempotency key.
    pub branch: String,
    /// The base. Parent of the commit, if there is no `tip`.
    pub base: CommitId,
    /// The newest commit of a chain that stands on the base already in the harness's store: one commit for each item of a
    /// worklist. It is delivered, with one more commit on it where `tree` is not its tree. `None`: one commit on the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tip: Option<CommitId>,
    /// What this run delivered to the branch before (a stop that was resumed): the only commit that may be replaced.
    pub replaces: Option<CommitId>,
    /// What the newest commit holds.
    pub tree: TreeId,
    /// Whole commit message, trailers included.
    pub message: String,
    /// `Name <mail>`.
    pub identity: String,
    /// Author and committer date, Unix seconds: fixed, so that a repeated delivery makes the same commit.
    pub at_s: u64,
}

/// A place for changes. Delivering the same thing twice has the effect of delivering it once.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Asks the world whether this was delivered already (after a crash), and delivers it otherwise.
    async fn deliver(&self, delivery: &Delivery) -> Result<Delivered, String>;
}
