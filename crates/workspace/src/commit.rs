//! Commits in the harness's own store. The same arguments make the same commit.

use overnight_core::ids::CommitId;
use overnight_ports::workspace::WorkspaceError;

use crate::git::{Git, first_line};
use crate::prepare::split_identity;

/// A commit that is to be made.
pub(crate) struct NewCommit<'a> {
    /// Its parent's name.
    pub parent: &'a str,
    /// Its tree's name.
    pub tree: &'a str,
    /// Whole message.
    pub message: &'a str,
    /// `Name <mail>`.
    pub identity: &'a str,
    /// Author and committer date, Unix seconds.
    pub at_s: u64,
}

impl NewCommit<'_> {
    /// Makes it.
    pub(crate) fn make(&self, store: &Git) -> Result<CommitId, WorkspaceError> {
        let (name, mail) = split_identity(self.identity);
        let date = format!("@{} +0000", self.at_s);
        let git = store
            .with("GIT_AUTHOR_NAME", name)
            .with("GIT_AUTHOR_EMAIL", mail)
            .with("GIT_AUTHOR_DATE", &date)
            .with("GIT_COMMITTER_NAME", name)
            .with("GIT_COMMITTER_EMAIL", mail)
            .with("GIT_COMMITTER_DATE", &date);
        let message = self.message.replace('\0', "");
        let message = format!("{}\n", message.trim_end());
        let made = git.feed(
            &["commit-tree", self.tree, "-p", self.parent],
            message.as_bytes(),
        )?;
        Ok(CommitId(first_line(&made)))
    }
}

/// The name of a commit's tree.
pub(crate) fn tree_of(store: &Git, commit: &str) -> Result<String, WorkspaceError> {
    let tree = store.run(&["rev-parse", "-q", "--verify", &format!("{commit}^{{tree}}")])?;
    Ok(first_line(&tree))
}
