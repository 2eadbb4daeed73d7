//! Trees and commits of a run's own store, for bringing the changes of items together.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use overnight_core::ids::{CommitId, TreeId};
use overnight_core::item::Extent;
use overnight_core::repo::{Candidate, Changed, How};
use overnight_ports::crew::{Commit, Moved, Trees};
use overnight_ports::workspace::WorkspaceError;
use overnight_workspace::Checkouts;

use super::{citations, oracle};

/// The trees of the store in one run's folder.
pub(super) struct GitTrees {
    run_dir: PathBuf,
}

impl GitTrees {
    /// Of the store in `run_dir`, which must be prepared by the time the first question is asked.
    pub fn new(run_dir: &Path) -> Self {
        GitTrees {
            run_dir: run_dir.to_owned(),
        }
    }

    /// Asks the store, off the runtime.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Checkouts) -> Result<T, WorkspaceError> + Send + 'static,
    ) -> Result<T, String> {
        let run_dir = self.run_dir.clone();
        let asked = tokio::task::spawn_blocking(move || question(&Checkouts::open(&run_dir)?));
        match asked.await {
            Ok(answer) => answer.map_err(|e| e.to_string()),
            Err(e) => Err(format!("the store was not asked to the end: {e}")),
        }
    }
}

/// A tree as a candidate on a base.
fn candidate(store: &Checkouts, base: &TreeId, tree: TreeId) -> Result<Candidate, WorkspaceError> {
    Ok(Candidate {
        changes: store.changes(base, &tree)?,
        tree,
        artefacts: Vec::new(),
    })
}

#[async_trait]
impl Trees for GitTrees {
    async fn compare(&self, base: &TreeId, tree: &TreeId) -> Result<Candidate, String> {
        let (base, tree) = (base.clone(), tree.clone());
        self.ask(move |store| candidate(store, &base, tree)).await
    }

    async fn rebase(&self, base: &TreeId, tree: &TreeId, onto: &TreeId) -> Result<Moved, String> {
        let (base, tree, onto) = (base.clone(), tree.clone(), onto.clone());
        self.ask(move |store| {
            let merged = store.merge(&base, &tree, &onto)?;
            Ok(Moved {
                candidate: candidate(store, &onto, merged.tree)?,
                conflicts: merged.conflicts,
            })
        })
        .await
    }

    async fn unresolved(
        &self,
        base: &TreeId,
        candidate: &Candidate,
    ) -> Result<Vec<String>, String> {
        let (base, tree) = (base.clone(), candidate.tree.clone());
        let there = |changed: &&Changed| changed.how != How::Deleted;
        let changes = candidate.changes.iter().filter(there);
        let paths: Vec<String> = changes.map(|changed| changed.path.clone()).collect();
        self.ask(move |store| {
            let marked = |path: &&String| {
                store.has_conflict(&tree, path) && !store.has_conflict(&base, path)
            };
            Ok(paths.iter().filter(marked).cloned().collect())
        })
        .await
    }

    async fn commit(&self, commit: &Commit) -> Result<CommitId, String> {
        let commit = commit.clone();
        self.ask(move |store| {
            let Commit {
                parent,
                tree,
                message,
                identity,
                at_s,
            } = &commit;
            store.commit(parent, tree, message, identity, *at_s)
        })
        .await
    }

    async fn extent(&self, base: &TreeId, candidate: &Candidate) -> Result<Extent, String> {
        let (base, candidate) = (base.clone(), candidate.clone());
        self.ask(move |store| oracle::extent(store, &base, &candidate))
            .await
    }

    async fn citations(&self, tree: &TreeId, text: &str) -> Result<Vec<String>, String> {
        let (tree, text) = (tree.clone(), text.to_owned());
        self.ask(move |store| citations::faults(store, &tree, &text))
            .await
    }
}
