//! The repository as facts: the base, a candidate, how they differ.

use serde::{Deserialize, Serialize};

use crate::ids::{CommitId, TreeId};

/// What was found and made when a run's workspace was prepared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// `HEAD` of the person's repository.
    pub commit: CommitId,
    /// Its tree.
    pub tree: TreeId,
    /// The branch that `HEAD` is on, if any.
    pub branch: Option<String>,
    /// Paths that differ from `HEAD` in the person's checkout and are therefore not part of the base; bounded.
    pub dirty: Vec<String>,
    /// Submodules that were materialised (their content is readable, never delivered).
    pub submodules: Vec<String>,
    /// Paths whose LFS content was materialised.
    pub lfs: Vec<String>,
    /// Number of files in the tree.
    pub files: u64,
    /// `Name <mail>` from git's configuration, or `overnight <overnight@localhost>`.
    pub identity: String,
    /// What could not be had, for people: an LFS object or a submodule that is not here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What the agent's work would deliver, fixed as a git tree in the harness's own object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The tree.
    pub tree: TreeId,
    /// How it differs from the base.
    pub changes: Vec<Changed>,
    /// Untracked paths that were left out as build artefacts; directories end in `/`. Bounded.
    pub artefacts: Vec<String>,
}

/// One path that a candidate changes against the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Relative, `/`-separated.
    pub path: String,
    /// What happened to it.
    pub how: How,
    /// Lines added and removed, where it is text.
    pub added: u64,
    /// See `added`.
    pub removed: u64,
    /// Where it leads, if it is a symbolic link now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// New.
    Added,
    /// Content or mode changed.
    Modified,
    /// Gone.
    Deleted,
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
