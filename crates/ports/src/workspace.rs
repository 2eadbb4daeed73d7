//! The repository as the harness sees it: disposable clones, snapshots, candidates, clean checkouts.

use std::path::{Path, PathBuf};

use overnight_core::ids::BlobId;
pub use overnight_core::repo::{Base, Candidate, Changed, How};
use serde::{Deserialize, Serialize};

/// What a scan found against the one before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// Changed paths, sorted.
    pub changes: Vec<Change>,
}

/// One path that changed since the last scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Relative to the workspace's root, `/`-separated. Bytes that are not UTF-8 are written as the git C-style
    /// quoted form.
    pub path: String,
    /// What it is now; `None` if it is gone.
    pub now: Option<Entry>,
}

/// One entry of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// File, executable or symbolic link.
    pub mode: Mode,
    /// The content (for a link: its target). `None` where it is larger than the snapshot's limit: noticed, but not
    /// restorable.
    pub content: Option<BlobId>,
    /// Bytes.
    pub size: u64,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Mode 100644.
    File,
    /// Mode 100755.
    Executable,
    /// Mode 120000.
    Link,
}

/// Why the repository or the workspace could not be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// A person must do something first; the text says what to type.
    #[error("{0}")]
    Refused(String),
    /// git said no.
    #[error("git {command}: {stderr}")]
    Git {
        /// The sub-command and its arguments.
        command: String,
        /// What it said.
        stderr: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A snapshot lacks what is needed to restore it.
    #[error("cannot restore {0}: its content was too large to be kept")]
    NotKept(String),
}

/// Where blobs that a scan meets are put, and where a restore takes them from.
pub trait BlobSink: Send + Sync {
    /// Keeps `content`; durable no later than the next append to the journal.
    fn put(&self, content: &[u8]) -> std::io::Result<BlobId>;
    /// What was put.
    fn get(&self, id: &BlobId) -> std::io::Result<Vec<u8>>;
}

/// One run's view of the repository. Blocking: callers move it off the runtime where a call may take long.
pub trait Workspace: Send {
    /// The folder in which the agent works.
    fn dir(&self) -> &Path;
    /// The base.
    fn base(&self) -> &Base;
    /// What has changed since the last scan (or since the base, for the first). Ignored files and build artefacts
    /// are not looked at; `.git` is, so that a snapshot restores the agent's own commits as well.
    fn scan(&mut self, blobs: &dyn BlobSink) -> Result<Delta, WorkspaceError>;
    /// Brings the scanned state up to a journaled delta without touching the folder (after a restart).
    fn replay(&mut self, delta: &Delta);
    /// Puts the folder back into the last scanned state. Ignored files and build artefacts stay.
    fn restore(&mut self, blobs: &dyn BlobSink) -> Result<(), WorkspaceError>;
    /// Puts these paths back to what they are on the base (absent, if they are not there).
    fn revert(&mut self, paths: &[String]) -> Result<(), WorkspaceError>;
    /// Further untracked paths that are build artefacts: those that the checks themselves generated on the base.
    /// Directories end in `/`.
    fn artefacts(&mut self, generated: &[String]);
    /// Fixes the current state as a git tree. Call after [`scan`](Workspace::scan).
    fn candidate(&mut self) -> Result<Candidate, WorkspaceError>;
}
