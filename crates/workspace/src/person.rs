//! Small questions about the person's repository, and the small repositories that the harness makes itself.

use std::path::Path;

use overnight_core::ids::{CommitId, TreeId};
use overnight_ports::workspace::{Changed, WorkspaceError};

use crate::candidate::differences;
use crate::checkout::Checkouts;
use crate::git::{Git, first_line, records};
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

/// The commit that a branch is now; `None` if there is no such branch.
pub fn branch(at: &Path, name: &str) -> Result<Option<CommitId>, WorkspaceError> {
    let wanted = format!("refs/heads/{name}^{{commit}}");
    let git = Origin::find(at)?.git();
    let found = git.ask(&["rev-parse", "-q", "--verify", "--end-of-options", &wanted])?;
    Ok(found.map(CommitId))
}

/// Where `at` lies below the top of its checkout, `/`-separated, with a `/` at its end; empty at the top and in a bare
/// repository.
pub fn prefix(at: &Path) -> Result<String, WorkspaceError> {
    let origin = Origin::find(at)?;
    let Some(top) = &origin.top else {
        return Ok(String::new());
    };
    let io = |source| WorkspaceError::Io {
        path: at.to_owned(),
        source,
    };
    let (at, top) = (
        at.canonicalize().map_err(io)?,
        top.canonicalize().map_err(io)?,
    );
    let below = at.strip_prefix(&top).unwrap_or(Path::new(""));
    let text = names::quote(below.as_os_str().as_encoded_bytes());
    Ok(if text.is_empty() {
        text
    } else {
        format!("{text}/")
    })
}

/// Where a repository lies on this machine: its checkout and its git directory. Nobody inside a sandbox has business
/// there; what they need is copied.
pub fn places(at: &Path) -> Result<Vec<std::path::PathBuf>, WorkspaceError> {
    let origin = Origin::find(at)?;
    Ok(origin
        .top
        .into_iter()
        .chain([origin.git_dir, origin.common_dir])
        .collect())
}

/// What git knows of a path of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// Nothing: it lies outside of the checkout.
    Outside,
    /// Nothing, although it lies in the checkout; the path below its top.
    Untracked(String),
    /// It, or something below it, is in the tree that `HEAD` is; the path below the checkout's top.
    Tracked(String),
    /// It was in an earlier commit; the newest of those that changed it.
    Earlier(CommitId),
}

/// What the repository that holds `at` knows of `path`, an absolute path without links.
pub fn trace(at: &Path, path: &Path) -> Result<Trace, WorkspaceError> {
    let origin = Origin::find(at)?;
    let top = origin
        .top
        .as_deref()
        .and_then(|top| top.canonicalize().ok());
    let Some(below) = top.and_then(|top| Some(path.strip_prefix(top).ok()?.to_owned())) else {
        return Ok(Trace::Outside);
    };
    let git = origin.git().with("GIT_LITERAL_PATHSPECS", "1");
    let below = if below.as_os_str().is_empty() {
        ".".into()
    } else {
        below.into_os_string()
    };
    let head = origin.head()?;
    let ask = |words: &[&str]| {
        let words = words.iter().map(std::ffi::OsString::from);
        git.run(&words.chain([below.clone()]).collect::<Vec<_>>())
    };
    if !ask(&[
        "ls-tree",
        "--full-tree",
        "--name-only",
        head.tree.as_str(),
        "--",
    ])?
    .is_empty()
    {
        return Ok(Trace::Tracked(names::quote(below.as_encoded_bytes())));
    }
    let earlier = ask(&["rev-list", "--max-count=1", head.commit.as_str(), "--"])?;
    let commit = first_line(&earlier);
    Ok(if commit.is_empty() {
        Trace::Untracked(names::quote(below.as_encoded_bytes()))
    } else {
        Trace::Earlier(CommitId(commit))
    })
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

    /// The content of a tree's file, if there is one of at most `bytes_max` bytes.
    pub fn file(&self, tree: &TreeId, path: &str, bytes_max: u64) -> Option<Vec<u8>> {
        let tree = object_name(tree.as_str()).ok()?;
        let name = format!("{tree}:{path}");
        let git = self.layout.git();
        let size = git
            .ask(&["cat-file", "-s", "--end-of-options", &name])
            .ok()??;
        if size.parse::<u64>().ok()? > bytes_max {
            return None;
        }
        git.run(&["cat-file", "blob", "--end-of-options", &name])
            .ok()
    }

    /// How one tree differs from another.
    pub fn changes(&self, from: &TreeId, to: &TreeId) -> Result<Vec<Changed>, WorkspaceError> {
        let (from, to) = (object_name(from.as_str())?, object_name(to.as_str())?);
        differences(&self.layout.git(), from, to)
    }
}
