//! Those who work on items: each item has a workspace and a conversation of its own, and their results come together
//! on one branch, one after the other.

use std::sync::Arc;

use async_trait::async_trait;
use overnight_core::ids::{CommitId, ItemId, TreeId};
use overnight_core::item::{Dossier, Extent, ItemHead, Replayed};
use overnight_core::repo::Candidate;
use overnight_core::state::State;

use crate::site::{Executor, Site};

/// Who works on one item.
#[derive(Clone)]
pub struct Member {
    /// The item's workspace.
    pub site: Arc<dyn Site>,
    /// The item's conversation.
    pub executor: Arc<dyn Executor>,
}

/// Hands out members. Cheap: nothing is prepared until a site is asked to.
#[async_trait]
pub trait Crew: Send + Sync {
    /// Who works on this item; the same for the same item until it is dismissed.
    fn member(&self, item: &ItemHead) -> Member;
    /// The item is closed: whatever runs for it is killed, its workspace is removed.
    async fn dismiss(&self, item: &ItemId);
}

/// What became of a change that was moved onto another tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// The merged tree, and how it differs from the new base. Where paths conflict, their files hold git's conflict
    /// markers.
    pub candidate: Candidate,
    /// Paths that conflict.
    pub conflicts: Vec<String>,
}

/// A commit to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its parent.
    pub parent: CommitId,
    /// What it holds.
    pub tree: TreeId,
    /// Whole message, trailers included.
    pub message: String,
    /// `Name <mail>`.
    pub identity: String,
    /// Author and committer date, Unix seconds.
    pub at_s: u64,
}

/// Trees and commits in the harness's own store. Nothing here runs anything; the same arguments give the same result.
/// Errors are texts for people.
#[async_trait]
pub trait Trees: Send + Sync {
    /// How one tree differs from another.
    async fn compare(&self, base: &TreeId, tree: &TreeId) -> Result<Candidate, String>;
    /// Takes the change from `base` to `tree` onto `onto` (a three-way merge).
    async fn rebase(&self, base: &TreeId, tree: &TreeId, onto: &TreeId) -> Result<Moved, String>;
    /// Paths of a change in which a conflict that a rebase left is still marked.
    async fn unresolved(&self, base: &TreeId, candidate: &Candidate)
    -> Result<Vec<String>, String>;
    /// Makes a commit; the same commit again makes the same.
    async fn commit(&self, commit: &Commit) -> Result<CommitId, String>;
    /// The size of a change.
    async fn extent(&self, base: &TreeId, candidate: &Candidate) -> Result<Extent, String>;
    /// What is wrong with the citations in a text (`src/api.rs:12`, `src/api.rs:12-20`): files or lines that are not in
    /// the tree, or that there is none at all. Empty if nothing is.
    async fn citations(&self, tree: &TreeId, text: &str) -> Result<Vec<String>, String>;
}

/// Replays an item's event against a tree: `items.replay`, in a cell on a clean checkout.
#[async_trait]
pub trait Replayer: Send + Sync {
    /// What the goal's `replay` command says: 0 passes, anything else fails.
    async fn replay(&self, state: &State, tree: &TreeId, dossier: &Dossier) -> Replayed;
}

/// What a worklist needs of the world.
#[derive(Clone)]
pub struct WorklistPorts {
    /// Where items come from.
    pub source: Arc<dyn crate::source::Source>,
    /// Who works on them.
    pub crew: Arc<dyn Crew>,
    /// Where results come together.
    pub trees: Arc<dyn Trees>,
    /// Replays, where the goal names a command.
    pub replayer: Option<Arc<dyn Replayer>>,
}
