//! Where changes go: a branch in the person's repository, a patch series, later a pull request.

use async_trait::async_trait;
use overnight_core::ids::{CommitId, TreeId};
use serde::{Deserialize, Serialize};

/// What is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// `overnight/<goal-slug>-<short id>`. With the run's id it is the idempotency key.
    pub branch: String,
    /// Parent of the commit.
    pub base: CommitId,
    /// What the commit holds.
    pub tree: TreeId,
    /// Whole commit message, trailers included.
    pub message: String,
    /// `Name <mail>`.
    pub identity: String,
    /// Author and committer date, Unix seconds: fixed, so that a repeated delivery makes the same commit.
    pub at_s: u64,
}

/// What was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivered {
    /// A branch.
    Branch {
        /// Its name.
        name: String,
        /// Its commit.
        commit: CommitId,
    },
    /// A patch series.
    Patch {
        /// The folder that holds it.
        folder: String,
    },
    /// Nothing was to be delivered, or nothing had changed.
    Nothing,
}

/// A place for changes. Delivering the same thing twice has the effect of delivering it once.
#[async_trait]
pub trait Forge: Send + Sync {
    /// Asks the world whether this was delivered already (after a crash), and delivers it otherwise.
    async fn deliver(&self, delivery: &Delivery) -> Result<Delivered, String>;
}
