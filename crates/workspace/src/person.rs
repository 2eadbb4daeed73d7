//! Small questions about the person's repository, and the small repositories that the harness makes itself.

use std::path::Path;

use overnight_core::ids::{CommitId, TreeId};
use overnight_ports::workspace::{Changed, WorkspaceError};

use crate::candidate::differences;
use crate::checkout::Checkouts;
use crate::git::{Git, records};
use crate::names;
use crate::origin::Origin;
use crate::store::object_name;

/// How many tracked paths are listed.
const TRACKED_MAX: usize = 200_000;

/// Whether a run can start from the repository that holds `at`; what to type otherwise.
pub fn ready(at: &Path) -> Result<(), WorkspaceError> {
    head(at).map(drop)
}

/// The commit that `HEAD` is.
pub fn head(at: &Path) -> Result<CommitId, WorkspaceError> {
    Origin::find(at)?.head().map(|head| head.commit)
}

/// The paths of the tree that `HEAD` is.
pub fn tracked(at: &Path) -> Result<Vec<String>, WorkspaceError> {
    let origin = Origin::find(at)?;
    let tree = origin.head()?.tree;
    let listed = origin
        .git()
        .run(&["ls-tree", "-r", "-z", "--name-only", tree.as_str()])?;
    Ok(records(&listed)
        .take(TRACKED_MAX)
        .map(names::quote)
        .collect())
}

/// Makes a repository in `dir` with everything that is there as its first commit, for goals and demonstrations that
/// bring their own files. An empty folder makes an empty commit.
pub fn first_commit(dir: &Path, message: &str) -> Result<(), WorkspaceError> {
    let git = Git::person(dir)
        .setting("user.name=overnight")
        .setting("user.email=overnight@localhost")
        .setting("commit.gpgsign=false")
        .setting("init.defaultBranch=main");
    git.run(&["init", "-q", "-b", "main"])?;
    git.run(&["add", "-A"])?;
    git.run(&["commit", "-q", "--allow-empty", "-m", message])
        .map(drop)
}

impl Checkouts {
    /// The tree that the run started from.
    pub fn base(&self) -> &TreeId {
        &self.facts.base.tree
    }

    /// The files of a tree that have one of these names, in any folder, with their object names: what a cache key is
    /// made of. Sorted by path.
    pub fn objects_named(
        &self,
        tree: &TreeId,
        wanted: &[&str],
    ) -> Result<Vec<(String, String)>, WorkspaceError> {
        let tree = object_name(tree.as_str())?;
        let listed = self.layout.git().run(&["ls-tree", "-r", "-z", tree])?;
        let mut found: Vec<(String, String)> = records(&listed)
            .filter_map(|record| {
                // `<mode> SP <type> SP <object> TAB <path>`, git-ls-tree(1).
                let tab = record.iter().position(|b| *b == b'\t')?;
                let object = std::str::from_utf8(&record[..tab])
                    .ok()?
                    .rsplit(' ')
                    .next()?;
                let path = names::quote(&record[tab + 1..]);
                let name = path.rsplit('/').next().unwrap_or(&path);
                wanted
                    .contains(&name)
                    .then(|| (path.clone(), object.to_owned()))
            })
            .collect();
        found.sort();
        Ok(found)
    }

    /// How one tree differs from another.
    pub fn changes(&self, from: &TreeId, to: &TreeId) -> Result<Vec<Changed>, WorkspaceError> {
        let (from, to) = (object_name(from.as_str())?, object_name(to.as_str())?);
        differences(&self.layout.git(), from, to)
    }
}
