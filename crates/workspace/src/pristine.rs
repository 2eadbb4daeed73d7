//! A checkout that nobody writes to. Checks work in a copy-on-write view of it, so that the next check, and the check of
//! the next candidate, begin with files that are there already: only what differs between two trees is written.
//!
//! Verdicts rest on it, so nothing is taken on trust. In a cell it is the lower layer of an overlay, which no program can
//! write to, and its own place is hidden; and every time before it is used again each entry is compared with what the
//! harness left: its inode, its size, and the time of its last change as the kernel keeps it, which no program can set.
//! What was made by another process is never used.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use overnight_core::ids::{BlobId, TreeId};
use overnight_ports::workspace::WorkspaceError;
use sha2::{Digest, Sha256};

use crate::GENERATED_MAX;
use crate::baseline::Hash;
use crate::beneath::{DEPTH_MAX, Kind, Root, Stat, dir_at, list, stat_at};
use crate::checkout::{Checkouts, appeared};
use crate::facts::{make_dir, remove_dir};
use crate::git::records;
use crate::hidden::Hidden;
use crate::layers::SetupLayer;
use crate::lfs;
use crate::names;
use crate::store::object_name;

/// What a checkout is to hold.
#[derive(Debug, Clone)]
pub struct Content {
    /// The tree; the hidden files are in it already ([`Checkouts::lay`]).
    pub tree: TreeId,
    /// The hidden files, and the directory of the check that they are for.
    pub hidden: Option<(Arc<Hidden>, String)>,
    /// Single files that the setup made.
    pub setup: Option<SetupLayer>,
}

impl Checkouts {
    /// Puts all of it into `dest`, which is emptied first.
    pub fn checkout_content(&self, content: &Content, dest: &Path) -> Result<(), WorkspaceError> {
        self.checkout(&content.tree, dest)?;
        self.add_content(content, dest)
    }

    /// Adds what is not made by checking the tree out.
    fn add_content(&self, content: &Content, dest: &Path) -> Result<(), WorkspaceError> {
        if let Some((hidden, dir)) = &content.hidden {
            hidden.verbatim(dest, dir)?;
        }
        match &content.setup {
            Some(layer) => layer.put_files(dest),
            None => Ok(()),
        }
    }
}

/// How much of a file is compared to see whether it was rewritten, bytes.
const COMPARED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The checkout.
#[derive(Debug)]
pub struct Pristine {
    checkouts: Checkouts,
    dir: PathBuf,
    index: PathBuf,
    content: Content,
    /// The paths of the tree, and those of `use.files`.
    known: HashSet<Vec<u8>>,
    /// What is there besides: text form.
    beside: Vec<String>,
    seal: Hash,
}

impl Pristine {
    /// Makes one at `dir`, which is emptied first.
    pub fn make(
        checkouts: &Checkouts,
        content: &Content,
        dir: &Path,
    ) -> Result<Pristine, WorkspaceError> {
        let dir = std::path::absolute(dir).map_err(crate::facts::io(dir))?;
        remove_dir(&dir)?;
        make_dir(&dir)?;
        let mut index = dir.as_os_str().to_owned();
        index.push(".index");
        let index = PathBuf::from(index);
        let _ = std::fs::remove_file(&index);
        checkouts.fill(object_name(content.tree.as_str())?, &dir, &index)?;
        checkouts.add_content(content, &dir)?;
        let mut known: HashSet<Vec<u8>> = checkouts.paths(&content.tree)?.into_iter().collect();
        known.extend(checkouts.needed());
        let mut made = Pristine {
            checkouts: checkouts.clone(),
            dir,
            index,
            content: content.clone(),
            known,
            beside: Vec::new(),
            seal: Hash::default(),
        };
        made.close()?;
        Ok(made)
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether it is of this content.
    pub fn holds(&self, content: &Content) -> bool {
        fn hidden(content: &Content) -> Option<(&BlobId, &str)> {
            let (hidden, dir) = content.hidden.as_ref()?;
            Some((hidden.id(), dir))
        }
        self.content.tree == content.tree && hidden(&self.content) == hidden(content)
    }

    /// Makes it one of another content. Nobody may be using it; after an error it is of no use any more.
    pub fn turn(&mut self, content: &Content) -> Result<(), WorkspaceError> {
        if self.differs_beyond_files(content)? {
            *self = Pristine::make(&self.checkouts, content, &self.dir)?;
            return Ok(());
        }
        self.content = content.clone();
        let turned = self
            .checkouts
            .fill(object_name(content.tree.as_str())?, &self.dir, &self.index)
            .and_then(|()| self.checkouts.add_content(content, &self.dir))
            .and_then(|()| self.close());
        // What stands in the way of the difference does not stand in the way of the whole.
        if turned.is_err() {
            *self = Pristine::make(&self.checkouts, content, &self.dir)?;
        }
        Ok(())
    }

    /// Takes the difference into what is known; whether it is one of which files alone do not tell: attributes change
    /// how others are written, and a submodule's content is in no tree.
    fn differs_beyond_files(&mut self, content: &Content) -> Result<bool, WorkspaceError> {
        let (from, to) = (
            object_name(self.content.tree.as_str())?,
            object_name(content.tree.as_str())?,
        );
        let args = ["diff-tree", "-r", "-z", "--no-renames", "--raw", from, to];
        let output = self.checkouts.layout.git().run(&args)?;
        let needed: HashSet<Vec<u8>> = self.checkouts.needed().collect();
        let mut records = records(&output);
        let mut beyond = false;
        // `:<old mode> <new mode> <old object> <new object> <status>`, then the path, git-diff-tree(1).
        while let (Some(record), Some(path)) = (records.next(), records.next()) {
            let link = record.starts_with(b":160000")
                || record.split(|b| *b == b' ').nth(1) == Some(b"160000");
            beyond |= link || lfs::is_attributes(path);
            match record.last() {
                Some(b'D') if !needed.contains(path) => {
                    self.known.remove(path);
                }
                Some(b'D') => {}
                Some(_) | None => {
                    self.known.insert(path.to_vec());
                }
            }
        }
        Ok(beyond)
    }

    /// Writes down what is there.
    fn close(&mut self) -> Result<(), WorkspaceError> {
        let beside = appeared(&self.dir, &self.known)?;
        self.beside = beside.iter().map(|path| names::quote(path)).collect();
        self.seal = seal(&self.dir)?;
        Ok(())
    }

    /// Whether everything is as the harness left it.
    pub fn intact(&self) -> bool {
        seal(&self.dir).is_ok_and(|now| now == self.seal)
    }

    /// Paths that are not in the tree, in a view whose changes lie in `upper`, sorted; a new directory is one entry and
    /// ends in `/`. At most [`GENERATED_MAX`].
    pub fn generated(&self, upper: &Path) -> Result<Vec<String>, WorkspaceError> {
        let mut paths = self.beside.clone();
        paths.extend(
            appeared(upper, &self.known)?
                .iter()
                .map(|path| names::quote(path)),
        );
        paths.sort();
        paths.dedup();
        paths.truncate(GENERATED_MAX);
        Ok(paths)
    }
}

impl Pristine {
    /// Those of the tree's files that are `wanted` and have another content in a view whose changes lie in `upper`, or
    /// are gone from it; sorted.
    pub fn rewritten(
        &self,
        upper: &Path,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Vec<String>, WorkspaceError> {
        let (below, above) = (Root::open(&self.dir)?, Root::open(upper)?);
        let mut found = Vec::new();
        for path in &self.known {
            let name = names::quote(path);
            if !wanted(&name) {
                continue;
            }
            // What the view has of its own is a copy of the file, or the mark that it is gone (a device).
            let Some(stat) = above.stat(path).map_err(|e| above.error(path, e))? else {
                continue;
            };
            let same = matches!(stat.kind(), Kind::File(_))
                && content(&above, path)? == content(&below, path)?;
            if !same {
                found.push(name);
            }
        }
        found.sort();
        Ok(found)
    }
}

/// A file's content, up to a limit that no configuration reaches.
fn content(root: &Root, path: &[u8]) -> Result<Option<Vec<u8>>, WorkspaceError> {
    use std::io::Read;
    let Some((file, _)) = root.file(path).map_err(|e| root.error(path, e))? else {
        return Ok(None);
    };
    let mut content = Vec::new();
    file.take(COMPARED_BYTES_MAX)
        .read_to_end(&mut content)
        .map_err(|e| root.error(path, e))?;
    Ok(Some(content))
}

impl Drop for Pristine {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.index);
    }
}

/// A digest of every entry's name and state.
fn seal(dir: &Path) -> Result<Hash, WorkspaceError> {
    let root = Root::open(dir)?;
    let mut digest = Sha256::new();
    seal_dir(root.fd(), 0, &mut digest).map_err(|e| root.error(b".", e))?;
    Ok(digest.finalize().into())
}

fn seal_dir(fd: BorrowedFd<'_>, depth: usize, digest: &mut Sha256) -> std::io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(std::io::Error::other("directories are nested too deep"));
    }
    let mut entries = list(fd)?;
    entries.sort_by(|a, b| a.file_name().cmp(b.file_name()));
    digest.update(entries.len().to_le_bytes());
    for entry in entries {
        let name = entry.file_name();
        digest.update(name.to_bytes_with_nul());
        let stat = stat_at(fd, name.to_bytes())?.ok_or(std::io::ErrorKind::NotFound)?;
        add_stat(digest, &stat);
        if stat.kind() == Kind::Directory
            && let Some(inside) = dir_at(fd, name.to_bytes())?
        {
            seal_dir(inside.as_fd(), depth + 1, digest)?;
        }
    }
    Ok(())
}

fn add_stat(digest: &mut Sha256, stat: &Stat) {
    digest.update(stat.mtime_ns.to_le_bytes());
    digest.update(stat.ctime_ns.to_le_bytes());
    digest.update(stat.size.to_le_bytes());
    digest.update(stat.inode.to_le_bytes());
    digest.update(stat.mode.to_le_bytes());
}
