//! What the agent's work would deliver: the base's tree and the changed paths, built in an index of the harness's own.
//!
//! The index is kept from one candidate to the next, so that each costs what changed since the last, not what the run
//! has changed altogether. The paths are handed to git in a folder of their own: with the attributes of the candidate
//! for line ends and encodings, and without any filter driver, because no configuration names one.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use overnight_core::ids::TreeId;
use overnight_ports::workspace::{Candidate, Changed, How, Mode, WorkspaceError};
use sha2::{Digest, Sha256};

use crate::ARTEFACTS_MAX;
use crate::baseline::Hash;
use crate::beneath::Root;
use crate::facts::{io, make_dir, remove_dir};
use crate::git::{Git, first_line, records};
use crate::lfs::{self, Objects, POINTER_BYTES_MAX, Pointer};
use crate::names;
use crate::workspace::GitWorkspace;

/// With more objects than this, bringing all of them to disk together is faster than one after the other.
const SINGLE_SYNC_OBJECTS_MAX: usize = 8;

/// The state of the index.
#[derive(Debug, Default)]
pub(crate) struct Building {
    /// Paths that changed since the index was brought up to date.
    touched: BTreeSet<Vec<u8>>,
    /// Whether the index holds the last candidate; it does not after a restart.
    primed: bool,
    /// Whether some attributes speak of LFS.
    lfs: bool,
    /// Paths that git must not be given.
    refused: BTreeSet<Vec<u8>>,
    last: Option<Candidate>,
}

impl Building {
    /// A path changed.
    pub(crate) fn touch(&mut self, path: &[u8]) {
        if !is_git_dir(path) {
            self.touched.insert(path.to_vec());
        }
    }
}

fn is_git_dir(path: &[u8]) -> bool {
    path == b".git" || path.starts_with(b".git/")
}

impl GitWorkspace {
    /// Fixes the current state as a tree.
    pub(crate) fn build_candidate(&mut self) -> Result<Candidate, WorkspaceError> {
        let attributes_changed = self
            .building
            .touched
            .iter()
            .any(|path| lfs::is_attributes(path));
        if !self.building.primed || attributes_changed {
            self.prime()?;
        }
        if self.building.touched.is_empty()
            && let Some(last) = &self.building.last
        {
            let mut candidate = last.clone();
            candidate.artefacts = self.left_out();
            return Ok(candidate);
        }
        // Until it is whole again the index is not to be trusted.
        self.building.primed = false;
        let touched = std::mem::take(&mut self.building.touched);
        let unsettled = self.update(&touched)?;
        let git = self.index_git();
        let tree = TreeId(first_line(&git.run(&["write-tree"])?));
        let changes = self.changes(&tree)?;
        let candidate = Candidate {
            tree,
            changes,
            artefacts: self.left_out(),
        };
        self.building.primed = true;
        self.building.touched = unsettled;
        self.building.last = Some(candidate.clone());
        Ok(candidate)
    }

    fn index_git(&self) -> Git {
        self.layout.git().index(&self.layout.candidate_index())
    }

    /// Starts again from the base, with everything that differs from it.
    fn prime(&mut self) -> Result<(), WorkspaceError> {
        let (from, to) = (self.layout.base_index(), self.layout.candidate_index());
        std::fs::copy(&from, &to).map_err(io(&from))?;
        let building = &mut self.building;
        building.last = None;
        building.refused.clear();
        building.lfs = self.facts.lfs;
        let changed = self
            .scanner
            .all()
            .filter(|(path, held)| !is_git_dir(path) && !self.base.is(path, held));
        building.touched = changed.map(|(path, _)| path.to_vec()).collect();
        let gone = self
            .base
            .entries
            .keys()
            .filter(|path| self.scanner.held(path).is_none());
        building.touched.extend(gone.cloned());
        building.primed = true;
        Ok(())
    }

    /// Brings the index up to date; gives the paths that were being written to meanwhile.
    fn update(&mut self, touched: &BTreeSet<Vec<u8>>) -> Result<BTreeSet<Vec<u8>>, WorkspaceError> {
        let mut lines: Vec<u8> = Vec::new();
        let (mut attributes, mut contents) = (Vec::new(), Vec::new());
        let gone = "0".repeat(self.facts.base.tree.as_str().len());
        for path in touched {
            self.building.refused.remove(path);
            let held = self.scanner.held(path).copied();
            let link = held.is_some_and(|h| h.mode == Mode::Link);
            let base = self.base.entries.get(path);
            match (held, base) {
                (Some(held), Some(base)) if self.base.is(path, &held) => {
                    index_line(&mut lines, mode_text(base.mode), &base.oid, path);
                }
                (Some(_), _) if names::never_delivered(path, link) => {
                    self.building.refused.insert(path.clone());
                    index_line(&mut lines, "0", &gone, path);
                }
                // A path that becomes another kind of thing is taken out first: no conflict is possible then.
                (Some(_), None) if lfs::is_attributes(path) => attributes.push(path.clone()),
                (Some(_), Some(_)) if lfs::is_attributes(path) => attributes.push(path.clone()),
                (Some(_), _) => contents.push(path.clone()),
                (None, _) => index_line(&mut lines, "0", &gone, path),
            }
        }
        // Removals and restorations go first; within them removals, so that a directory can become a file.
        if !lines.is_empty() {
            self.index_git().feed(
                &["update-index", "-z", "--index-info"],
                &removals_first(&lines),
            )?;
        }
        let mut unsettled = self.stage(&attributes)?;
        unsettled.extend(self.stage(&contents)?);
        Ok(unsettled)
    }

    /// Hands files to git; gives those that were being written to meanwhile.
    fn stage(&mut self, paths: &[Vec<u8>]) -> Result<BTreeSet<Vec<u8>>, WorkspaceError> {
        let mut unsettled = BTreeSet::new();
        if paths.is_empty() {
            return Ok(unsettled);
        }
        let dir = self.layout.stage();
        remove_dir(&dir)?;
        make_dir(&dir)?;
        let stage = Root::open(&dir)?;
        let large = self.under_lfs(paths)?;
        let mut staged: Vec<&[u8]> = Vec::new();
        let mut removed = Vec::new();
        for path in paths {
            match self.stage_one(&stage, path, large.contains(path))? {
                Staged::Settled => staged.push(path),
                Staged::Unsettled => {
                    staged.push(path);
                    unsettled.insert(path.clone());
                }
                Staged::Gone => {
                    removed.push(path.clone());
                    unsettled.insert(path.clone());
                }
            }
        }
        let mut git = self.index_git();
        if staged.len() > SINGLE_SYNC_OBJECTS_MAX {
            git = git.setting("core.fsyncMethod=batch");
        }
        if !removed.is_empty() {
            let gone = "0".repeat(self.facts.base.tree.as_str().len());
            let mut lines = Vec::new();
            removed
                .iter()
                .for_each(|path| index_line(&mut lines, "0", &gone, path));
            git.feed(&["update-index", "-z", "--index-info"], &lines)?;
        }
        self.hand_over(&git.work_tree(&dir), &staged)?;
        remove_dir(&dir)?;
        Ok(unsettled)
    }

    /// All paths at once; one by one if git refuses one of them for a reason that was not foreseen.
    fn hand_over(&mut self, git: &Git, staged: &[&[u8]]) -> Result<(), WorkspaceError> {
        if staged.is_empty() {
            return Ok(());
        }
        let command = ["update-index", "-z", "--add", "--replace", "--stdin"];
        let mut input = staged.join(&0);
        input.push(0);
        let Err(error) = git.feed(&command, &input) else {
            return Ok(());
        };
        let mut accepted = false;
        for path in staged {
            let one = [path, &b"\0"[..]].concat();
            match git.feed(&command, &one) {
                Ok(_) => accepted = true,
                Err(_) => {
                    self.building.refused.insert(path.to_vec());
                }
            }
        }
        // If git takes none of several, the paths are not to blame.
        if accepted || staged.len() == 1 {
            Ok(())
        } else {
            Err(error)
        }
    }

    /// Copies one path into the stage, as git is to see it.
    fn stage_one(&self, stage: &Root, path: &[u8], large: bool) -> Result<Staged, WorkspaceError> {
        let Some(held) = self.scanner.held(path) else {
            return Ok(Staged::Gone);
        };
        let (read, write) = (|e| self.root.error(path, e), |e| stage.error(path, e));
        if held.mode == Mode::Link {
            let Some(target) = self.root.target(path).map_err(read)? else {
                return Ok(Staged::Gone);
            };
            stage
                .put(path, Mode::Link, &mut target.as_slice())
                .map_err(write)?;
            return Ok(Staged::of(held.hash, crate::baseline::hash(&target)));
        }
        let Some((file, stat)) = self.root.file(path).map_err(read)? else {
            return Ok(Staged::Gone);
        };
        let mut content = Hashing {
            from: file,
            hasher: Sha256::new(),
            size: 0,
        };
        if !large {
            stage.put(path, held.mode, &mut content).map_err(write)?;
            return Ok(Staged::of(held.hash, content.finish().0));
        }
        if stat.size <= POINTER_BYTES_MAX {
            let mut text = Vec::new();
            content.read_to_end(&mut text).map_err(read)?;
            let hash = content.finish().0;
            let pointer = Pointer {
                oid: hash,
                size: u64::try_from(text.len()).unwrap_or(u64::MAX),
            };
            if Pointer::parse(&text).is_some() || text.is_empty() {
                stage
                    .put(path, held.mode, &mut text.as_slice())
                    .map_err(write)?;
            } else {
                self.objects().keep(&hash, &mut text.as_slice())?;
                stage
                    .put(path, held.mode, &mut pointer.text().as_bytes())
                    .map_err(write)?;
            }
            return Ok(Staged::of(held.hash, hash));
        }
        // Its name is its hash, which is known only when it has been copied: so it is copied under another first.
        let temporary = stage.path().join(".large");
        let mut copy = std::fs::File::create(&temporary).map_err(io(&temporary))?;
        std::io::copy(&mut content, &mut copy)
            .and_then(|_| copy.flush())
            .map_err(io(&temporary))?;
        let (oid, size) = content.finish();
        let mut copied = std::fs::File::open(&temporary).map_err(io(&temporary))?;
        self.objects().keep(&oid, &mut copied)?;
        std::fs::remove_file(&temporary).map_err(io(&temporary))?;
        stage
            .put(
                path,
                held.mode,
                &mut Pointer { oid, size }.text().as_bytes(),
            )
            .map_err(write)?;
        Ok(Staged::of(held.hash, oid))
    }

    fn objects(&self) -> Objects {
        Objects::new(&self.layout.lfs(), &self.facts.origin)
    }

    /// Which of these paths the candidate's attributes put under LFS.
    fn under_lfs(
        &mut self,
        paths: &[Vec<u8>],
    ) -> Result<std::collections::HashSet<Vec<u8>>, WorkspaceError> {
        for path in paths.iter().filter(|path| lfs::is_attributes(path)) {
            if let Some((file, _)) = self.root.file(path).map_err(|e| self.root.error(path, e))? {
                let mut text = Vec::new();
                let max = crate::SNAPSHOT_FILE_BYTES_MAX;
                file.take(max)
                    .read_to_end(&mut text)
                    .map_err(|e| self.root.error(path, e))?;
                self.building.lfs |= self.facts.lfs && lfs::speaks_of_lfs(&text);
            }
        }
        if !self.building.lfs {
            return Ok(Default::default());
        }
        let paths: Vec<&[u8]> = paths
            .iter()
            .filter(|p| !lfs::is_attributes(p))
            .map(Vec::as_slice)
            .collect();
        lfs::filtered(&self.layout.git(), &self.layout.candidate_index(), &paths)
    }

    /// How the tree differs from the base.
    fn changes(&self, tree: &TreeId) -> Result<Vec<Changed>, WorkspaceError> {
        let base = self.facts.base.tree.as_str();
        if tree.as_str() == base {
            return Ok(Vec::new());
        }
        differences(&self.layout.git(), base, tree.as_str())
    }

    fn left_out(&self) -> Vec<String> {
        let refused = self.building.refused.iter().map(|path| names::quote(path));
        let mut all: Vec<String> = self
            .scanner
            .left_out()
            .iter()
            .cloned()
            .chain(refused)
            .collect();
        all.sort();
        all.truncate(ARTEFACTS_MAX);
        all
    }
}

/// How a path got into the stage.
enum Staged {
    /// As the scan saw it.
    Settled,
    /// Otherwise than the scan saw it: something is writing to it. The next candidate looks again.
    Unsettled,
    /// It is not there any more.
    Gone,
}

impl Staged {
    fn of(scanned: Option<Hash>, staged: Hash) -> Self {
        match scanned {
            Some(scanned) if scanned != staged => Staged::Unsettled,
            Some(_) | None => Staged::Settled,
        }
    }
}

/// Hashes what passes through.
struct Hashing<R> {
    from: R,
    hasher: Sha256,
    size: u64,
}

impl<R> Hashing<R> {
    fn finish(self) -> (Hash, u64) {
        (self.hasher.finalize().into(), self.size)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.size += u64::try_from(read).unwrap_or(0);
        Ok(read)
    }
}

pub(crate) fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::File => "100644",
        Mode::Executable => "100755",
        Mode::Link => "120000",
    }
}

/// One line of `update-index --index-info`; mode 0 removes.
pub(crate) fn index_line(lines: &mut Vec<u8>, mode: &str, oid: &str, path: &[u8]) {
    lines.extend_from_slice(mode.as_bytes());
    lines.push(b' ');
    lines.extend_from_slice(oid.as_bytes());
    lines.push(b'\t');
    lines.extend_from_slice(path);
    lines.push(0);
}

pub(crate) fn removals_first(lines: &[u8]) -> Vec<u8> {
    let (mut removals, mut others) = (Vec::new(), Vec::new());
    for line in records(lines) {
        let into = if line.starts_with(b"0 ") {
            &mut removals
        } else {
            &mut others
        };
        into.extend_from_slice(line);
        into.push(0);
    }
    removals.extend_from_slice(&others);
    removals
}

/// How one tree differs from another.
pub(crate) fn differences(git: &Git, from: &str, to: &str) -> Result<Vec<Changed>, WorkspaceError> {
    let args = [
        "diff-tree",
        "-r",
        "-z",
        "--no-renames",
        "--raw",
        "--numstat",
        from,
        to,
    ];
    let (mut changes, links) = parse_changes(&git.run(&args)?);
    for (at, object) in links {
        let target = git.run(&["cat-file", "blob", &object])?;
        if let Some(change) = changes.get_mut(at) {
            change.link = Some(names::quote(&target));
        }
    }
    Ok(changes)
}

/// Raw records, then numstat records. Besides the changes: which of them are links, with the object of their target.
fn parse_changes(output: &[u8]) -> (Vec<Changed>, Vec<(usize, String)>) {
    let mut changes: Vec<Changed> = Vec::new();
    let mut links = Vec::new();
    let mut at = std::collections::HashMap::new();
    let mut records = records(output);
    while let Some(record) = records.next() {
        if record.first() == Some(&b':') {
            let Some(path) = records.next() else { break };
            let how = match record.last() {
                Some(b'A') => How::Added,
                Some(b'D') => How::Deleted,
                Some(_) | None => How::Modified,
            };
            at.insert(path, changes.len());
            if is_link(record) {
                links.push((changes.len(), new_object(record)));
            }
            changes.push(Changed {
                path: names::quote(path),
                how,
                added: 0,
                removed: 0,
                link: None,
            });
            continue;
        }
        let mut fields = record.splitn(3, |b| *b == b'\t');
        let (added, removed, path) = (fields.next(), fields.next(), fields.next());
        let change = path
            .and_then(|path| at.get(path))
            .and_then(|at| changes.get_mut(*at));
        if let Some(change) = change {
            change.added = number(added);
            change.removed = number(removed);
        }
    }
    (changes, links)
}

/// Whether a raw record (`:<old mode> <new mode> <old object> <new object> <status>`, git-diff-tree(1)) is of a
/// symbolic link now.
fn is_link(record: &[u8]) -> bool {
    record.split(|b| *b == b' ').nth(1) == Some(b"120000")
}

fn new_object(record: &[u8]) -> String {
    let object = record.split(|b| *b == b' ').nth(3).unwrap_or_default();
    String::from_utf8_lossy(object).into_owned()
}

/// `-` stands for a binary file.
fn number(field: Option<&[u8]>) -> u64 {
    field
        .and_then(|f| std::str::from_utf8(f).ok())
        .and_then(|f| f.parse().ok())
        .unwrap_or(0)
}
