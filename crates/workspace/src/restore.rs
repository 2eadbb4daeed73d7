//! Putting things back: the whole folder to the last snapshot, or single paths to the base.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use overnight_core::ids::BlobId;
use overnight_ports::workspace::{BlobSink, Mode, WorkspaceError};

use crate::baseline::{Hash, Held, hash_stream, hex};
use crate::beneath::{Kind, Stat};
use crate::facts::{io, make_dir, remove_dir};
use crate::lfs::{Objects, POINTER_BYTES_MAX, Pointer};
use crate::names;
use crate::prepare;
use crate::scan::Difference;
use crate::workspace::GitWorkspace;

/// A restored `.gitignore` may bring paths back into view; so often is looked again.
const ROUNDS_MAX: usize = 4;

impl GitWorkspace {
    /// Puts the folder back into the last scanned state.
    pub(crate) fn restore_snapshot(&mut self, blobs: &dyn BlobSink) -> Result<(), WorkspaceError> {
        self.restore_git_objects()?;
        let mut not_kept = None;
        for _ in 0..ROUNDS_MAX {
            let differences = self
                .scanner
                .differences(&self.root, &self.base, &mut |_, _| Ok(()))?;
            if differences.is_empty() {
                break;
            }
            self.put_back(&differences, blobs, &mut not_kept)?;
            if not_kept.is_some() {
                break;
            }
        }
        match not_kept {
            Some(path) => Err(WorkspaceError::NotKept(path)),
            None => Ok(()),
        }
    }

    fn put_back(
        &mut self,
        differences: &[Difference],
        blobs: &dyn BlobSink,
        not_kept: &mut Option<String>,
    ) -> Result<(), WorkspaceError> {
        // What is new goes first, so that a file never stands where a directory has to come back.
        let mut wanted: Vec<(Vec<u8>, Held)> = Vec::new();
        for difference in differences {
            match self.scanner.held(&difference.path) {
                Some(held) => wanted.push((difference.path.clone(), *held)),
                None => self
                    .root
                    .remove(&difference.path)
                    .map_err(|e| self.root.error(&difference.path, e))?,
            }
        }
        let of_base: Vec<Vec<u8>> = wanted
            .iter()
            .filter(|(path, held)| self.base.is(path, held))
            .map(|(path, _)| path.clone())
            .collect();
        let mut base = self.base_contents(&of_base)?;
        for (path, held) in wanted {
            let put = match base.remove(&path) {
                Some(file) => self.put_file(&path, held.mode, &file)?,
                None => self.put_kept(&path, &held, blobs)?,
            };
            if !put {
                not_kept.get_or_insert(names::quote(&path));
                continue;
            }
            let stat = self
                .root
                .stat(&path)
                .map_err(|e| self.root.error(&path, e))?;
            self.scanner.set(
                path,
                Some(Held {
                    stat,
                    racy: true,
                    ..held
                }),
            );
        }
        remove_dir(&self.layout.stage())
    }

    /// Writes content that is not the base's: of the first `.git`, or a blob's; whether it was kept at all.
    fn put_kept(
        &self,
        path: &[u8],
        held: &Held,
        blobs: &dyn BlobSink,
    ) -> Result<bool, WorkspaceError> {
        let Some(hash) = held.hash else {
            return Ok(false);
        };
        if let Some(first) = self.first_git_file(path, &hash)? {
            return self.put_file(path, held.mode, &first);
        }
        if let Some(laid) = self.laid_file(path, &hash)? {
            return self.put_file(path, held.mode, &laid);
        }
        if held.size > crate::SNAPSHOT_FILE_BYTES_MAX {
            return Ok(false);
        }
        let content = blobs
            .get(&BlobId(hex(&hash)))
            .map_err(|e| self.root.error(path, e))?;
        self.root
            .put(path, held.mode, &mut content.as_slice())
            .map_err(|e| self.root.error(path, e))?;
        Ok(true)
    }

    /// The copy of a file of `.git` as it was when the clone was made, if it held this.
    fn first_git_file(&self, path: &[u8], hash: &Hash) -> Result<Option<PathBuf>, WorkspaceError> {
        let Some(inner) = path.strip_prefix(b".git/") else {
            return Ok(None);
        };
        let copy = self.layout.git_dir_copy().join(names::os(inner));
        let Ok(file) = File::open(&copy) else {
            return Ok(None);
        };
        if file.metadata().map_err(io(&copy))?.is_dir() {
            return Ok(None);
        }
        Ok((hash_stream(file).map_err(io(&copy))? == *hash).then_some(copy))
    }

    /// What was laid at a path when the workspace was made, if it held this.
    fn laid_file(&self, path: &[u8], hash: &Hash) -> Result<Option<PathBuf>, WorkspaceError> {
        if !self.layout.laid_file().exists() {
            return Ok(None);
        }
        let copy = self.layout.laid().join(names::os(path));
        let Ok(meta) = copy.symlink_metadata() else {
            return Ok(None);
        };
        let same = if meta.is_symlink() {
            use std::os::unix::ffi::OsStrExt;
            let target = std::fs::read_link(&copy).map_err(io(&copy))?;
            crate::baseline::hash(target.as_os_str().as_bytes()) == *hash
        } else if meta.is_file() {
            let file = File::open(&copy).map_err(io(&copy))?;
            hash_stream(file).map_err(io(&copy))? == *hash
        } else {
            false
        };
        Ok(same.then_some(copy))
    }

    /// Puts a file or link of the harness's into the workspace.
    fn put_file(&self, path: &[u8], mode: Mode, from: &Path) -> Result<bool, WorkspaceError> {
        let put = match mode {
            Mode::Link => std::fs::read_link(from).and_then(|target| {
                use std::os::unix::ffi::OsStrExt;
                self.root
                    .put(path, mode, &mut target.as_os_str().as_bytes())
            }),
            Mode::File | Mode::Executable => {
                File::open(from).and_then(|mut content| self.root.put(path, mode, &mut content))
            }
        };
        put.map_err(|e| self.root.error(path, e))?;
        Ok(true)
    }

    /// Puts paths back to what they are on the base. The snapshot stays: the next scan reports what this changed.
    pub(crate) fn revert_to_base(&mut self, paths: &[String]) -> Result<(), WorkspaceError> {
        let mut wanted = Vec::new();
        for text in paths {
            let path = names::unquote(text).ok_or_else(|| {
                WorkspaceError::Refused(format!("cannot revert `{text}`: it is no path"))
            })?;
            if let Some(inner) = path.strip_prefix(b".git/") {
                let first = self.layout.git_dir_copy().join(names::os(inner));
                match first.is_file() {
                    true => self.put_file(&path, Mode::File, &first).map(drop)?,
                    false => self
                        .root
                        .remove(&path)
                        .map_err(|e| self.root.error(&path, e))?,
                }
            } else if self.base.entries.contains_key(&path) {
                wanted.push(path);
            } else if !self.base.dirs.contains(&path) || self.stands_in_the_way(&path)? {
                self.root
                    .remove(&path)
                    .map_err(|e| self.root.error(&path, e))?;
            }
        }
        let contents = self.base_contents(&wanted)?;
        for path in &wanted {
            let entry = self.base.entries.get(path).map(|e| e.mode);
            if let (Some(file), Some(mode)) = (contents.get(path), entry) {
                self.put_file(path, mode, file)?;
            }
        }
        remove_dir(&self.layout.stage())
    }

    /// Whether something that is no directory stands where the base has one.
    fn stands_in_the_way(&self, path: &[u8]) -> Result<bool, WorkspaceError> {
        let stat = self.root.stat(path).map_err(|e| self.root.error(path, e))?;
        Ok(stat.is_some_and(|s| s.kind() != Kind::Directory))
    }

    /// Writes what the base has at these paths, as a checkout would, into the stage folder, and says where.
    fn base_contents(
        &self,
        paths: &[Vec<u8>],
    ) -> Result<HashMap<Vec<u8>, PathBuf>, WorkspaceError> {
        let mut contents = HashMap::with_capacity(paths.len());
        if paths.is_empty() {
            return Ok(contents);
        }
        let stage = self.layout.stage();
        remove_dir(&stage)?;
        make_dir(&stage)?;
        let mut input = paths.join(&0);
        input.push(0);
        let git = self
            .layout
            .git()
            .index(&self.layout.base_index())
            .work_tree(&stage);
        git.feed(&["checkout-index", "-q", "-f", "-z", "--stdin"], &input)?;
        let objects = Objects::new(&self.layout.lfs(), &self.facts.origin);
        for path in paths {
            let mut file = stage.join(names::os(path));
            let content = self.base.entries.get(path).and_then(|e| e.hash);
            if self.facts.lfs
                && let Some(object) = content.and_then(|hash| large(&file, &hash, &objects))
            {
                file = object;
            }
            contents.insert(path.clone(), file);
        }
        Ok(contents)
    }

    /// Gives the agent's `.git` its objects back if it lost them all. What the agent committed itself is lost then;
    /// the harness needs none of it.
    fn restore_git_objects(&self) -> Result<(), WorkspaceError> {
        let had = self.scanner.held(b".git/HEAD").is_some();
        let there = self
            .root
            .stat(b".git/objects/pack")
            .map_err(|e| self.root.error(b".git/objects", e))?;
        if !had || there.is_some_and(|s: Stat| s.kind() == Kind::Directory) {
            return Ok(());
        }
        // Packed in a folder of the harness's own first: git must not write where the agent may have put links.
        let stage = self.layout.stage();
        remove_dir(&stage)?;
        make_dir(&stage.join("objects/pack"))?;
        prepare::pack(&self.layout, &self.facts, &stage)?;
        for name in [&b".git"[..], b".git/objects", b".git/objects/pack"] {
            if self.stands_in_the_way(name)? {
                self.root
                    .remove(name)
                    .map_err(|e| self.root.error(name, e))?;
            }
        }
        let into = b".git/objects";
        let copied = self
            .root
            .make_dir(into)
            .and_then(|()| self.root.copy_in(&stage.join("objects"), into));
        copied.map_err(|e| self.root.error(into, e))?;
        remove_dir(&stage)
    }
}

/// The object that a checked-out pointer stands for, if the clone held its content.
fn large(file: &Path, held: &Hash, objects: &Objects) -> Option<PathBuf> {
    let size = file.symlink_metadata().ok()?;
    if !size.is_file() || size.len() > POINTER_BYTES_MAX {
        return None;
    }
    let pointer = Pointer::parse(&std::fs::read(file).ok()?)?;
    (pointer.oid == *held).then(|| objects.find(&pointer.oid))?
}
