//! Clean checkouts: plain files of a tree, without a `.git`, into which nothing of the agent's workspace ever comes.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use overnight_core::goal::globs::Globs;
use overnight_core::ids::{CommitId, TreeId};
use overnight_ports::workspace::WorkspaceError;

use crate::GENERATED_MAX;
use crate::baseline::{self, add_parents};
use crate::beneath::{DEPTH_MAX, Kind, Root, dir_at, list, stat_at};
use crate::facts::{Facts, Layout, make_dir, remove_dir};
use crate::git::records;
use crate::lfs::{self, Objects};
use crate::names;
use crate::origin::Origin;
use crate::prepare;
use crate::store::object_name;

/// Makes checkouts of trees in one run's store. Cheap to clone; may be used from several threads at once.
#[derive(Debug, Clone)]
pub struct Checkouts {
    pub(crate) layout: Layout,
    pub(crate) facts: Arc<Facts>,
}

/// Prepares `run_dir` for checkouts of one commit of the repository at `repo`, without an agent's workspace: for
/// running a report's checks again. `files` is the goal's `use.files`.
pub fn clone_at(
    repo: &Path,
    commit: &CommitId,
    run_dir: &Path,
    files: &[String],
) -> Result<(Checkouts, TreeId), WorkspaceError> {
    let layout = Layout::new(run_dir)?;
    let origin = Origin::find(repo)?;
    object_name(commit.as_str())?;
    let tree = origin.tree_of(commit)?;
    let (facts, _) = prepare::lay(&layout, origin, (commit, &tree, None), files)?;
    layout.save(&facts)?;
    Ok((
        Checkouts {
            layout,
            facts: Arc::new(facts),
        },
        tree,
    ))
}

impl Checkouts {
    /// The checkouts of a run that was prepared earlier.
    pub fn open(run_dir: &Path) -> Result<Self, WorkspaceError> {
        let layout = Layout::new(run_dir)?;
        let facts = Arc::new(layout.load()?);
        Ok(Checkouts { layout, facts })
    }

    /// The store that holds the trees.
    pub fn store(&self) -> PathBuf {
        self.layout.store()
    }

    /// Puts the files of `tree` into `dest`, which is emptied first: with LFS content, the submodules and `use.files`.
    pub fn checkout(&self, tree: &TreeId, dest: &Path) -> Result<(), WorkspaceError> {
        let tree = object_name(tree.as_str())?;
        let dest = std::path::absolute(dest).map_err(crate::facts::io(dest))?;
        remove_dir(&dest)?;
        make_dir(&dest)?;
        let mut index = dest.as_os_str().to_owned();
        index.push(".index");
        let index = PathBuf::from(index);
        let _ = std::fs::remove_file(&index);
        let filled = self.fill(tree, &dest, &index);
        let _ = std::fs::remove_file(&index);
        filled
    }

    /// Brings the files at `dest`, of which `index` tells, to those of `tree`: only what differs is written.
    pub(crate) fn fill(&self, tree: &str, dest: &Path, index: &Path) -> Result<(), WorkspaceError> {
        let git = self.layout.git();
        let parallel = prepare::parallel(&git);
        parallel
            .index(index)
            .work_tree(dest)
            .run(&["read-tree", "--reset", "-u", tree])?;
        let root = Root::open(dest)?;
        if self.facts.lfs || self.layout.lfs().exists() {
            let pointers = lfs::pointers(&git, index, &baseline::listed(&git, index)?)?;
            Objects::new(&self.layout.lfs(), &self.facts.origin).materialise(&root, &pointers)?;
        }
        self.add(&root)
    }

    /// Adds what is in no tree: the submodules' content and `use.files`.
    pub(crate) fn add(&self, root: &Root) -> Result<(), WorkspaceError> {
        for submodule in &self.facts.submodules {
            let (Some(number), Some(path)) = (submodule.content, names::unquote(&submodule.path))
            else {
                continue;
            };
            let there = root.stat(&path).map_err(|e| root.error(&path, e))?;
            if there.is_some_and(|s| s.kind() == Kind::Directory) {
                root.copy_in(&self.layout.submodule(number), &path)
                    .map_err(|e| root.error(&path, e))?;
            }
        }
        if self.facts.files.is_empty() {
            return Ok(());
        }
        root.copy_in(&self.layout.files(), b"").map_err(|e| {
            WorkspaceError::Refused(format!(
                "use.files cannot be put into {}: something of the tree stands in the way ({e})",
                root.path().display()
            ))
        })
    }

    /// Paths that appeared in a checkout of `tree` and are not in it, sorted; a new directory is one entry and ends
    /// in `/`. At most [`GENERATED_MAX`].
    pub fn generated(&self, dest: &Path, tree: &TreeId) -> Result<Vec<String>, WorkspaceError> {
        let mut paths = self.new_paths(dest, tree)?;
        paths.truncate(GENERATED_MAX);
        Ok(paths.iter().map(|path| names::quote(path)).collect())
    }

    /// All of them, as bytes.
    pub(crate) fn new_paths(
        &self,
        dest: &Path,
        tree: &TreeId,
    ) -> Result<Vec<Vec<u8>>, WorkspaceError> {
        let mut known: HashSet<Vec<u8>> = self.paths(tree)?.into_iter().collect();
        known.extend(self.needed());
        appeared(dest, &known)
    }

    /// The paths of a tree.
    pub(crate) fn paths(&self, tree: &TreeId) -> Result<Vec<Vec<u8>>, WorkspaceError> {
        let tree = object_name(tree.as_str())?;
        let output =
            self.layout
                .git()
                .run(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", tree])?;
        Ok(records(&output).map(<[u8]>::to_vec).collect())
    }

    /// What `use.files` put beside the tree.
    pub(crate) fn needed(&self) -> impl Iterator<Item = Vec<u8>> {
        self.facts
            .files
            .iter()
            .filter_map(|f| names::unquote(f.trim_end_matches('/')))
    }

    /// The maximal directories of `tree` that these patterns keep as a whole, sorted.
    pub fn kept_dirs(&self, globs: &Globs, tree: &TreeId) -> Result<Vec<String>, WorkspaceError> {
        let tree = object_name(tree.as_str())?;
        let output =
            self.layout
                .git()
                .run(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", tree])?;
        let mut dirs = HashSet::new();
        for path in records(&output) {
            add_parents(&mut dirs, path);
        }
        let mut dirs: Vec<String> = dirs
            .into_iter()
            .filter_map(|dir| String::from_utf8(dir).ok())
            .collect();
        // Components are compared, so that `a/b` comes right after `a` and not after `a-b`.
        dirs.sort_by(|a, b| a.split('/').cmp(b.split('/')));
        let mut kept: Vec<String> = Vec::new();
        for dir in dirs {
            let inside = kept.last().is_some_and(|k| {
                dir.strip_prefix(k.as_str())
                    .is_some_and(|r| r.starts_with('/'))
            });
            if !inside && globs.covers_dir(&dir) {
                kept.push(dir);
            }
        }
        Ok(kept)
    }
}

/// The paths below `dest` that are not known, sorted; a new directory is one entry and ends in `/`.
pub(crate) fn appeared(
    dest: &Path,
    known: &HashSet<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, WorkspaceError> {
    let mut dirs = HashSet::new();
    for path in known {
        add_parents(&mut dirs, path);
    }
    let root = Root::open(dest)?;
    let mut found = Vec::new();
    let walk = Appeared { known, dirs: &dirs };
    walk.dir(root.fd(), &mut Vec::new(), 0, &mut found)
        .map_err(|e| root.error(b".", e))?;
    found.sort();
    Ok(found)
}

/// What is in a folder and not in a tree.
struct Appeared<'a> {
    known: &'a HashSet<Vec<u8>>,
    dirs: &'a HashSet<Vec<u8>>,
}

impl Appeared<'_> {
    fn dir(
        &self,
        fd: BorrowedFd<'_>,
        path: &mut Vec<u8>,
        depth: usize,
        found: &mut Vec<Vec<u8>>,
    ) -> std::io::Result<()> {
        let length = path.len();
        for entry in list(fd)? {
            let name = entry.file_name().to_bytes();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            if !self.known.contains(path) {
                match stat_at(fd, name)?.map(|s| s.kind()) {
                    Some(Kind::Directory) if self.dirs.contains(path) && depth < DEPTH_MAX => {
                        if let Some(inside) = dir_at(fd, name)? {
                            self.dir(inside.as_fd(), path, depth + 1, found)?;
                        }
                    }
                    Some(Kind::Directory) => found.push([path.as_slice(), b"/"].concat()),
                    Some(Kind::File(_)) => found.push(path.clone()),
                    Some(Kind::Other) | None => {}
                }
            }
            path.truncate(length);
        }
        Ok(())
    }
}
