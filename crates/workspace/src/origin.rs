//! The person's repository: where it is, and what is asked of it. Nothing here writes to it.

use std::path::{Path, PathBuf};

use overnight_core::ids::{CommitId, TreeId};
use overnight_ports::workspace::WorkspaceError;
use serde::{Deserialize, Serialize};

use crate::DIRTY_PATHS_MAX;
use crate::git::{Git, first_line, records};
use crate::names;

/// Who makes the commits where git's configuration names nobody.
const IDENTITY_DEFAULT: &str = "overnight <overnight@localhost>";

/// Where the person's repository keeps its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The checkout; none for a bare repository.
    pub(crate) top: Option<PathBuf>,
    /// The git directory, of a linked worktree its own.
    pub(crate) git_dir: PathBuf,
    /// The git directory that all worktrees share.
    pub(crate) common_dir: PathBuf,
    /// The object store.
    pub(crate) objects: PathBuf,
    /// `sha1` or `sha256`.
    pub(crate) format: String,
}

/// What `HEAD` is.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) commit: CommitId,
    pub(crate) tree: TreeId,
    pub(crate) branch: Option<String>,
}

impl Origin {
    /// Finds the repository that holds `at`.
    pub(crate) fn find(at: &Path) -> Result<Self, WorkspaceError> {
        let at = std::fs::canonicalize(at).map_err(|source| WorkspaceError::Io {
            path: at.to_owned(),
            source,
        })?;
        let question = [
            "rev-parse",
            "--path-format=absolute",
            "--is-bare-repository",
            "--show-object-format",
            "--git-dir",
            "--git-common-dir",
            "--git-path",
            "objects",
        ];
        let git = Git::person(&at);
        let answer = git
            .run(&question)
            .map_err(|error| no_repository(&at, error))?;
        let lines: Vec<PathBuf> = answer
            .strip_suffix(b"\n")
            .unwrap_or(&answer)
            .split(|b| *b == b'\n')
            .map(|line| names::os(line).to_owned())
            .collect();
        let [bare, format, git_dir, common_dir, objects] = lines.as_slice() else {
            return Err(WorkspaceError::Refused(format!(
                "cannot make out the repository at {}: its path must not contain line breaks",
                at.display()
            )));
        };
        let top = if bare == Path::new("true") {
            None
        } else {
            let top = git
                .run(&["rev-parse", "--path-format=absolute", "--show-toplevel"])
                .ok();
            top.map(|line| names::os(line.strip_suffix(b"\n").unwrap_or(&line)).to_owned())
        };
        Ok(Origin {
            top,
            git_dir: git_dir.clone(),
            common_dir: common_dir.clone(),
            objects: objects.clone(),
            format: format.to_string_lossy().into_owned(),
        })
    }

    /// The harness's git on this repository: reads only, but for delivery.
    pub(crate) fn git(&self) -> Git {
        Git::store(&self.git_dir)
    }

    /// The person's own git, run where they would run it.
    pub(crate) fn persons_git(&self) -> Git {
        Git::person(self.top.as_deref().unwrap_or(&self.git_dir))
    }

    /// What `HEAD` is, or what to type so that there is one.
    pub(crate) fn head(&self) -> Result<Head, WorkspaceError> {
        let Some(commit) = self
            .git()
            .ask(&["rev-parse", "-q", "--verify", "HEAD^{commit}"])?
        else {
            let place = self.top.as_deref().unwrap_or(&self.git_dir);
            return Err(WorkspaceError::Refused(format!(
                "{} has no commit yet, and a run starts from one: type\n  git -C {} add -A && git -C {} commit -m \"Start\"",
                place.display(),
                place.display(),
                place.display(),
            )));
        };
        let branch = self.git().ask(&["symbolic-ref", "-q", "--short", "HEAD"])?;
        let tree = self.tree_of(&CommitId(commit.clone()))?;
        Ok(Head {
            commit: CommitId(commit),
            tree,
            branch,
        })
    }

    /// The tree of a commit.
    pub(crate) fn tree_of(&self, commit: &CommitId) -> Result<TreeId, WorkspaceError> {
        let wanted = format!("{commit}^{{tree}}");
        let tree = self
            .git()
            .run(&["rev-parse", "-q", "--verify", "--end-of-options", &wanted])
            .map_err(|_| {
                let place = self.top.as_deref().unwrap_or(&self.git_dir);
                WorkspaceError::Refused(format!(
                    "the repository at {} has no commit {commit}",
                    place.display()
                ))
            })?;
        Ok(TreeId(first_line(&tree)))
    }

    /// `Name <mail>` from the person's configuration.
    pub(crate) fn identity(&self) -> Result<String, WorkspaceError> {
        let asked = ["config", "-z", "--get-regexp", r"^user\.(name|email)$"];
        let answer = match self.persons_git().run(&asked) {
            Ok(answer) => answer,
            // Exit code 1 without a word: neither is set.
            Err(WorkspaceError::Git { stderr, .. }) if stderr.is_empty() => Vec::new(),
            Err(error) => return Err(error),
        };
        let text = String::from_utf8_lossy(&answer);
        // Of several settings the last one counts, as in git.
        let one = |key: &str| {
            let mut values = text
                .split('\0')
                .rev()
                .filter_map(|record| record.strip_prefix(key)?.strip_prefix('\n'));
            values
                .next()
                .map(str::trim)
                .filter(|value| !value.is_empty())
        };
        Ok(match (one("user.name"), one("user.email")) {
            (Some(name), Some(mail)) => format!("{name} <{mail}>"),
            (None, _) | (_, None) => IDENTITY_DEFAULT.to_owned(),
        })
    }

    /// Paths that differ from `HEAD` in the person's checkout.
    pub(crate) fn dirty(&self) -> Result<Vec<String>, WorkspaceError> {
        if self.top.is_none() {
            return Ok(Vec::new());
        }
        let status = self.persons_git().run(&[
            "status",
            "--porcelain=v1",
            "-z",
            "--no-renames",
            "--untracked-files=normal",
        ])?;
        Ok(records(&status)
            .filter_map(|r| r.get(3..))
            .take(DIRTY_PATHS_MAX)
            .map(names::quote)
            .collect())
    }
}

fn no_repository(at: &Path, error: WorkspaceError) -> WorkspaceError {
    let WorkspaceError::Git { stderr, .. } = &error else {
        return error;
    };
    if stderr.contains("not a git repository") {
        return WorkspaceError::Refused(format!(
            "{} is in no git repository, and this goal needs one: type\n  cd {} && git init && git add -A && git commit -m \"Start\"",
            at.display(),
            at.display(),
        ));
    }
    WorkspaceError::Refused(format!(
        "git cannot use the repository at {}: {stderr}",
        at.display()
    ))
}
