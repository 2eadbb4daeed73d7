//! Hidden files of checks: what a person lays over the checkout of one check and the agent never sees. They are read
//! once, when the run begins: the copy is the harness's own, and its name is the hash of what it holds.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use overnight_core::ids::{BlobId, TreeId};
use overnight_ports::workspace::{Mode, WorkspaceError};

use crate::baseline::{self, Hash};
use crate::beneath::{DEPTH_MAX, Kind, Root, dir_at, file_at, list, stat_at, target_at};
use crate::candidate::index_line;
use crate::checkout::Checkouts;
use crate::facts::{io, make_dir, remove_dir};
use crate::git::records;
use crate::names;
use crate::prepare::unsynced;
use crate::store::object_name;
use crate::{HIDDEN_BYTES_MAX, HIDDEN_FILES_MAX};

/// Where the copy of a single file is, below its hash.
const FILE: &str = "file";
/// Where the copy of a folder's content is.
const FOLDER: &str = "folder";

/// One file or link.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    path: Vec<u8>,
    mode: Mode,
    hash: Hash,
    size: u64,
}

/// The harness's copy of one hidden file or folder.
#[derive(Debug)]
pub struct Hidden {
    content: PathBuf,
    single: bool,
    id: BlobId,
    entries: Vec<Entry>,
    /// Lines for git's index, once its objects are in a store: which store, and the lines.
    lines: Mutex<Option<(PathBuf, Vec<IndexLine>)>>,
}

/// Mode, object and path.
type IndexLine = (String, String, Vec<u8>);

impl Hidden {
    /// Copies `from`, a file or a folder, into a folder below `into` that is named by the content's hash.
    pub fn freeze(from: &Path, into: &Path) -> Result<Hidden, WorkspaceError> {
        make_dir(into)?;
        let fresh = into.join(format!(".{}", std::process::id()));
        remove_dir(&fresh)?;
        let single = !is_dir(from)?;
        let content = fresh.join(if single { FILE } else { FOLDER });
        make_dir(&content)?;
        let done = copy(from, single, &content).and_then(|()| read(&content, single));
        let entries = match done {
            Ok(entries) => entries,
            Err(error) => {
                let _ = remove_dir(&fresh);
                return Err(error);
            }
        };
        let id = id(single, &entries);
        let place = into.join(id.as_str());
        remove_dir(&place)?;
        std::fs::rename(&fresh, &place).map_err(io(&place))?;
        Ok(Hidden {
            content: place.join(if single { FILE } else { FOLDER }),
            single,
            id,
            entries,
            lines: Mutex::default(),
        })
    }

    /// A copy that was made earlier, read again: it must still be what its hash says.
    pub fn open(into: &Path, id: &BlobId) -> Result<Hidden, WorkspaceError> {
        let place = into.join(object_name(id.as_str())?);
        let single = place.join(FILE).is_dir();
        let content = place.join(if single { FILE } else { FOLDER });
        let entries = read(&content, single)?;
        if self::id(single, &entries) != *id {
            return Err(WorkspaceError::Refused(format!(
                "the hidden files kept in {} are not what they were when the run began",
                place.display()
            )));
        }
        Ok(Hidden {
            content,
            single,
            id: id.clone(),
            entries,
            lines: Mutex::default(),
        })
    }

    /// The hash that a copy of `from` would have now.
    pub fn hash_of(from: &Path) -> Result<BlobId, WorkspaceError> {
        let single = !is_dir(from)?;
        let entries = match single {
            false => read(from, false)?,
            true => {
                let (parent, name) = in_folder(from)?;
                let mut found = Reading::new(from);
                found.entry(Root::open(parent)?.fd(), name, &mut Vec::new(), 0)?;
                found.finish()?
            }
        };
        Ok(id(single, &entries))
    }

    /// The hash of the content: names, modes and bytes.
    pub fn id(&self) -> &BlobId {
        &self.id
    }

    /// How many files it holds.
    pub fn files(&self) -> usize {
        self.entries.len()
    }

    /// Where an entry belongs in the checkout of a check in `dir`: a folder's content at the root, a single file in the
    /// check's directory.
    fn place(&self, dir: &str, path: &[u8]) -> Vec<u8> {
        let parts = dir.split('/').filter(|part| !matches!(*part, "" | "."));
        let mut place: Vec<u8> = Vec::new();
        if self.single {
            for part in parts {
                place.extend_from_slice(part.as_bytes());
                place.push(b'/');
            }
        }
        place.extend_from_slice(path);
        place
    }

    /// Puts the very bytes where the checkout of a laid tree has something else, because attributes of the candidate
    /// had a say in how its files are written.
    pub(crate) fn verbatim(&self, dest: &Path, dir: &str) -> Result<(), WorkspaceError> {
        let (from, root) = (Root::open(&self.content)?, Root::open(dest)?);
        for entry in &self.entries {
            let place = self.place(dir, &entry.path);
            let same = match entry.mode {
                Mode::Link => root
                    .target(&place)
                    .map_err(|e| root.error(&place, e))?
                    .is_some_and(|target| baseline::hash(&target) == entry.hash),
                Mode::File | Mode::Executable => {
                    match root.file(&place).map_err(|e| root.error(&place, e))? {
                        Some((mut file, stat)) if stat.kind() == Kind::File(entry.mode) => {
                            stat.size == entry.size
                                && hash_all(&mut file).map_err(|e| root.error(&place, e))?
                                    == entry.hash
                        }
                        _ => false,
                    }
                }
            };
            if same {
                continue;
            }
            let fault = |e| from.error(&entry.path, e);
            let put = if entry.mode == Mode::Link {
                let target = from.target(&entry.path).map_err(fault)?.unwrap_or_default();
                root.put(&place, entry.mode, &mut target.as_slice())
            } else {
                match from.file(&entry.path).map_err(fault)? {
                    Some((mut file, _)) => root.put(&place, entry.mode, &mut file),
                    None => Err(std::io::ErrorKind::NotFound.into()),
                }
            };
            put.map_err(|e| root.error(&place, e))?;
        }
        Ok(())
    }
}

impl Checkouts {
    /// The tree with hidden files laid over it, for a check in `dir`. They win: whatever the tree has at one of their
    /// places, a link or a folder on the way included, makes room.
    pub fn lay(&self, tree: &TreeId, hidden: &Hidden, dir: &str) -> Result<TreeId, WorkspaceError> {
        let tree = object_name(tree.as_str())?;
        let lines = self.objects_of(hidden)?;
        let mut input = Vec::new();
        for (mode, object, path) in &lines {
            index_line(&mut input, mode, object, &hidden.place(dir, path));
        }
        self.in_index(|git| {
            git.run(&["read-tree", tree])?;
            git.feed(&["update-index", "-z", "--index-info"], &input)?;
            let laid = git.run(&["write-tree"])?;
            Ok(TreeId(crate::git::first_line(&laid)))
        })
    }

    /// Brings the files into the store; once.
    fn objects_of(&self, hidden: &Hidden) -> Result<Vec<IndexLine>, WorkspaceError> {
        let mut held = hidden
            .lines
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((store, lines)) = held.as_ref()
            && *store == self.store()
        {
            return Ok(lines.clone());
        }
        let mut input = Vec::new();
        for entry in &hidden.entries {
            input.extend_from_slice(&entry.path);
            input.push(0);
        }
        let listed = self.in_index(|git| {
            git.work_tree(&hidden.content)
                .feed(&["update-index", "-z", "--add", "--stdin"], &input)?;
            git.run(&["ls-files", "-s", "-z"])
        })?;
        // `<mode> SP <object> SP <stage> TAB <path>`, git-ls-files(1).
        let lines: Vec<IndexLine> = records(&listed)
            .filter_map(|record| {
                let tab = record.iter().position(|b| *b == b'\t')?;
                let mut fields = std::str::from_utf8(&record[..tab]).ok()?.split(' ');
                let (mode, object) = (fields.next()?, fields.next()?);
                Some((
                    mode.to_owned(),
                    object.to_owned(),
                    record[tab + 1..].to_vec(),
                ))
            })
            .collect();
        if lines.len() != hidden.entries.len() {
            return Err(WorkspaceError::Refused(format!(
                "of {} hidden files git takes {}: give those that are missing other names",
                hidden.entries.len(),
                lines.len()
            )));
        }
        *held = Some((self.store(), lines.clone()));
        Ok(lines)
    }

    /// With an index of its own, which is gone afterwards.
    fn in_index<T>(
        &self,
        work: impl FnOnce(&crate::git::Git) -> Result<T, WorkspaceError>,
    ) -> Result<T, WorkspaceError> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let index = self
            .store()
            .join(format!("laid-{}-{number}.index", std::process::id()));
        let _ = std::fs::remove_file(&index);
        let done = work(&unsynced(&self.layout.git()).index(&index));
        let _ = std::fs::remove_file(&index);
        done
    }
}

fn is_dir(path: &Path) -> Result<bool, WorkspaceError> {
    Ok(std::fs::metadata(path).map_err(io(path))?.is_dir())
}

/// The folder and the name of a single file.
fn in_folder(path: &Path) -> Result<(&Path, &[u8]), WorkspaceError> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name.as_bytes())),
        _ => Err(WorkspaceError::Refused(format!(
            "{} names no file",
            path.display()
        ))),
    }
}

fn copy(from: &Path, single: bool, content: &Path) -> Result<(), WorkspaceError> {
    // Judged before anything is copied, so that what is refused is not on the disk a second time.
    let root = Root::open(content)?;
    if single {
        let (parent, name) = in_folder(from)?;
        let mut found = Reading::new(from);
        found.entry(Root::open(parent)?.fd(), name, &mut Vec::new(), 0)?;
        found.finish()?;
        return root.copy_one(from, name).map_err(io(from));
    }
    for entry in read(from, false)? {
        let source = from.join(names::os(&entry.path));
        root.copy_one(&source, &entry.path).map_err(io(&source))?;
    }
    Ok(())
}

/// Everything below a folder, sorted by path.
fn read(folder: &Path, single: bool) -> Result<Vec<Entry>, WorkspaceError> {
    let mut found = Reading::new(folder);
    found.dir(Root::open(folder)?.fd(), &mut Vec::new(), 0)?;
    let entries = found.finish()?;
    if single && entries.len() != 1 {
        return Err(WorkspaceError::Refused(format!(
            "{} is damaged: it is to hold one file",
            folder.display()
        )));
    }
    Ok(entries)
}

/// A walk over a person's files.
struct Reading<'a> {
    of: &'a Path,
    entries: Vec<Entry>,
    bytes: u64,
}

impl<'a> Reading<'a> {
    fn new(of: &'a Path) -> Self {
        Reading {
            of,
            entries: Vec::new(),
            bytes: 0,
        }
    }

    fn refuse<T>(&self, why: String) -> Result<T, WorkspaceError> {
        Err(WorkspaceError::Refused(format!(
            "{}: {why}",
            self.of.display()
        )))
    }

    fn error(&self, path: &[u8]) -> impl FnOnce(std::io::Error) -> WorkspaceError {
        let path = self.of.join(names::os(path));
        move |source| WorkspaceError::Io { path, source }
    }

    fn dir(
        &mut self,
        fd: BorrowedFd<'_>,
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), WorkspaceError> {
        if depth > DEPTH_MAX {
            return self.refuse(format!("folders are nested more than {DEPTH_MAX} deep"));
        }
        for entry in list(fd).map_err(self.error(path))? {
            let name = entry.file_name().to_bytes();
            // The person may keep the hidden files in a repository of their own.
            if name == b".git" {
                continue;
            }
            self.entry(fd, name, path, depth)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        fd: BorrowedFd<'_>,
        name: &[u8],
        path: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), WorkspaceError> {
        let length = path.len();
        if length > 0 {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        let shown = || names::quote(path);
        match stat_at(fd, name)
            .map_err(self.error(path))?
            .map(|stat| stat.kind())
        {
            Some(Kind::Directory) => {
                let inside = dir_at(fd, name).map_err(self.error(path))?;
                if let Some(inside) = inside {
                    self.dir(inside.as_fd(), path, depth + 1)?;
                }
            }
            Some(Kind::File(Mode::Link)) => {
                let target = target_at(fd, name).map_err(self.error(path))?;
                let target = target.unwrap_or_default();
                if !stays_inside(path, &target) {
                    let to = names::quote(&target);
                    return self.refuse(format!(
                        "the link {} leads out of it, to {to}: put the file itself there",
                        shown()
                    ));
                }
                self.add(
                    path,
                    Mode::Link,
                    baseline::hash(&target),
                    target.len() as u64,
                )?;
            }
            Some(Kind::File(mode)) => {
                let opened = file_at(fd, name).map_err(self.error(path))?;
                let Some((mut file, stat)) = opened else {
                    return self.refuse(format!("{} went away while it was read", shown()));
                };
                if self.bytes.saturating_add(stat.size) > HIDDEN_BYTES_MAX {
                    return self.refuse(format!(
                        "it holds more than {} MiB, which is the limit for hidden files",
                        HIDDEN_BYTES_MAX / (1024 * 1024)
                    ));
                }
                let hash = hash_all(&mut file).map_err(self.error(path))?;
                self.add(path, mode, hash, stat.size)?;
            }
            Some(Kind::Other) => {
                return self.refuse(format!("{} is neither a file nor a folder", shown()));
            }
            None => {}
        }
        path.truncate(length);
        Ok(())
    }

    fn add(
        &mut self,
        path: &[u8],
        mode: Mode,
        hash: Hash,
        size: u64,
    ) -> Result<(), WorkspaceError> {
        if names::never_delivered(path, mode == Mode::Link) {
            return self.refuse(format!(
                "{} has a name that git refuses: give it another",
                names::quote(path)
            ));
        }
        if self.entries.len() >= HIDDEN_FILES_MAX {
            return self.refuse(format!(
                "it holds more than {HIDDEN_FILES_MAX} files, which is the limit for hidden files"
            ));
        }
        self.bytes = self.bytes.saturating_add(size);
        self.entries.push(Entry {
            path: path.to_vec(),
            mode,
            hash,
            size,
        });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Entry>, WorkspaceError> {
        if self.entries.is_empty() {
            return self.refuse("it is empty, so there is nothing to lay over a checkout".into());
        }
        self.entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.entries)
    }
}

/// Whether a link at `path` (relative to the root) leads to a place below the root, by its spelling.
fn stays_inside(path: &[u8], target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") {
        return false;
    }
    let mut depth = path.iter().filter(|b| **b == b'/').count();
    for part in target.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

fn hash_all(file: &mut std::fs::File) -> std::io::Result<Hash> {
    use std::io::Read;

    use sha2::{Digest, Sha256};
    let mut digest = Sha256::new();
    // A file that grows while it is read does not make this endless.
    std::io::copy(&mut file.take(HIDDEN_BYTES_MAX + 1), &mut digest)?;
    Ok(digest.finalize().into())
}

/// The hash of all of it.
fn id(single: bool, entries: &[Entry]) -> BlobId {
    let mut text: Vec<u8> = if single { b"file\0" } else { b"tree\0" }.to_vec();
    for entry in entries {
        text.extend_from_slice(crate::candidate::mode_text(entry.mode).as_bytes());
        text.push(b' ');
        text.extend_from_slice(baseline::hex(&entry.hash).as_bytes());
        text.push(b' ');
        text.extend_from_slice(&entry.path);
        text.push(0);
    }
    BlobId::of(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_inside_or_does_not() {
        for (path, target) in [
            ("a", "b"),
            ("d/a", "../b"),
            ("d/e/a", "../../b/c"),
            ("a", "d/../b"),
        ] {
            assert!(
                stays_inside(path.as_bytes(), target.as_bytes()),
                "{path} -> {target}"
            );
        }
        for (path, target) in [
            ("a", "/etc/passwd"),
            ("a", ".."),
            ("a", "../b"),
            ("d/a", "../../b"),
            ("d/a", "x/../../../b"),
            ("a", ""),
        ] {
            assert!(
                !stays_inside(path.as_bytes(), target.as_bytes()),
                "{path} -> {target}"
            );
        }
    }
}
