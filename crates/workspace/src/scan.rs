//! The harness's own look at the workspace: stat everything, read only what changed. No process is started.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};

use nix::dir::{Entry as DirEntry, Type};
use overnight_ports::workspace::{Mode, WorkspaceError};

use crate::artefacts::Artefacts;
use crate::baseline::{Baseline, Hash, Held, add_parents, hash, hash_stream, is_racy, now_ns};
use crate::beneath::{DEPTH_MAX, Kind, Root, Stat, dir_at, file_at, list, stat_at, target_at};
use crate::ignores::Ignores;
use crate::names;
use crate::{ARTEFACTS_MAX, SNAPSHOT_FILE_BYTES_MAX};

/// More entries than this are no workspace but an attack on the harness's memory.
const ENTRIES_MAX: u64 = 2_000_000;

/// The agent's git directory, and what of it is not looked at: objects only ever come in addition.
const GIT_DIR: &[u8] = b".git";
const GIT_OBJECTS: &[u8] = b".git/objects";

/// One path that is not what it was.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) path: Vec<u8>,
    /// `None` if it is gone.
    pub(crate) now: Option<Held>,
}

/// Called with the content of each path that changed, where it is not too large to be kept.
pub(crate) type Met<'a> = dyn FnMut(&Hash, &[u8]) -> std::io::Result<()> + 'a;

/// The last snapshot, and the rules by which the next is taken.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    held: HashMap<Vec<u8>, Seen>,
    ignores: Ignores,
    pub(crate) artefacts: Artefacts,
    /// Paths that count although they are ignored or look like artefacts, and the directories that hold them.
    licensed: HashSet<Vec<u8>>,
    licensed_dirs: HashSet<Vec<u8>>,
    /// What `use.files` put there: never looked at.
    copied: HashSet<Vec<u8>>,
    left_out: Vec<String>,
    round: u64,
}

#[derive(Debug)]
struct Seen {
    held: Held,
    round: u64,
}

/// One walk.
struct Walk<'a> {
    scanner: &'a mut Scanner,
    root: &'a Root,
    base: &'a Baseline,
    met: &'a mut Met<'a>,
    differences: Vec<Difference>,
    started_ns: i64,
    entries: u64,
}

/// Where in the workspace a directory is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Somewhere where untracked files count.
    Open,
    /// In an ignored directory or an artefact: only what the base has there counts.
    Hidden,
    /// In the agent's `.git`: everything counts.
    Git,
}

impl Scanner {
    pub(crate) fn new(
        snapshot: HashMap<Vec<u8>, Held>,
        licensed: HashSet<Vec<u8>>,
        copied: HashSet<Vec<u8>>,
    ) -> Self {
        let mut licensed_dirs = HashSet::new();
        for path in &licensed {
            add_parents(&mut licensed_dirs, path);
        }
        let held = snapshot
            .into_iter()
            .map(|(path, held)| (path, Seen { held, round: 0 }))
            .collect();
        Scanner {
            held,
            licensed,
            licensed_dirs,
            copied,
            ..Scanner::default()
        }
    }

    /// What the last snapshot has at a path.
    pub(crate) fn held(&self, path: &[u8]) -> Option<&Held> {
        self.held.get(path).map(|seen| &seen.held)
    }

    /// Everything that the last snapshot has.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&[u8], &Held)> {
        self.held
            .iter()
            .map(|(path, seen)| (path.as_slice(), &seen.held))
    }

    /// Sets what the snapshot has at a path.
    pub(crate) fn set(&mut self, path: Vec<u8>, now: Option<Held>) {
        match now {
            Some(held) => {
                let round = self.round;
                self.held.insert(path, Seen { held, round });
            }
            None => {
                self.held.remove(&path);
            }
        }
    }

    /// Untracked paths that the last walk left out as artefacts.
    pub(crate) fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Walks the workspace and gives the paths, sorted, that differ from the snapshot; the snapshot stays.
    pub(crate) fn differences<'a>(
        &'a mut self,
        root: &'a Root,
        base: &'a Baseline,
        met: &'a mut Met<'a>,
    ) -> Result<Vec<Difference>, WorkspaceError> {
        self.round += 1;
        self.left_out.clear();
        self.ignores.begin();
        let started_ns = now_ns();
        let mut walk = Walk {
            scanner: self,
            root,
            base,
            met,
            differences: Vec::new(),
            started_ns,
            entries: 0,
        };
        walk.dir(root.fd(), &mut Vec::new(), Place::Open, 0)?;
        let Walk {
            scanner,
            mut differences,
            ..
        } = walk;
        scanner.ignores.finish();
        scanner.left_out.sort();
        let round = scanner.round;
        let gone = scanner.held.iter().filter(|(_, seen)| seen.round != round);
        differences.extend(gone.map(|(path, _)| Difference {
            path: path.clone(),
            now: None,
        }));
        differences.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(differences)
    }
}

impl Walk<'_> {
    fn dir(
        &mut self,
        fd: BorrowedFd<'_>,
        path: &mut Vec<u8>,
        place: Place,
        depth: usize,
    ) -> Result<(), WorkspaceError> {
        if place != Place::Git {
            self.scanner
                .ignores
                .enter(fd, path, self.started_ns)
                .map_err(|e| self.root.error(path, e))?;
        }
        let length = path.len();
        for entry in list(fd).map_err(|e| self.root.error(path, e))? {
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(WorkspaceError::Refused(format!(
                    "the workspace has more than {ENTRIES_MAX} files: something fills it; look into {}",
                    self.root.path().display()
                )));
            }
            let name = entry.file_name().to_bytes();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            self.entry(fd, &entry, path, place, depth)?;
            path.truncate(length);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        fd: BorrowedFd<'_>,
        entry: &DirEntry,
        path: &mut Vec<u8>,
        place: Place,
        depth: usize,
    ) -> Result<(), WorkspaceError> {
        let name = entry.file_name().to_bytes();
        let is_dir = match entry.file_type() {
            Some(Type::Directory) => true,
            Some(Type::File | Type::Symlink) => false,
            Some(_) => return Ok(()),
            None => match stat_at(fd, name)
                .map_err(|e| self.root.error(path, e))?
                .map(|s| s.kind())
            {
                Some(Kind::Directory) => true,
                Some(Kind::File(_)) => false,
                Some(Kind::Other) | None => return Ok(()),
            },
        };
        let inner = match place {
            Place::Git if path == GIT_OBJECTS => return Ok(()),
            Place::Git => Some(Place::Git),
            Place::Open | Place::Hidden if name == GIT_DIR => (depth == 0).then_some(Place::Git),
            Place::Open | Place::Hidden if self.base.gitlinks.contains(path) => None,
            Place::Open | Place::Hidden if is_dir => self.place_of_dir(fd, path, place),
            Place::Open | Place::Hidden => self.counts(fd, path, place).then_some(Place::Open),
        };
        let Some(inner) = inner else { return Ok(()) };
        if !is_dir {
            return self.file(fd, name, path);
        }
        if depth >= DEPTH_MAX {
            self.leave_out(path, true);
            return Ok(());
        }
        match dir_at(fd, name) {
            Ok(Some(inside)) => self.dir(inside.as_fd(), path, inner, depth + 1),
            Ok(None) => Ok(()),
            Err(e) => Err(self.root.error(path, e)),
        }
    }

    /// Whether a directory is entered, and as what.
    fn place_of_dir(&mut self, fd: BorrowedFd<'_>, path: &[u8], place: Place) -> Option<Place> {
        let needed = self.base.dirs.contains(path) || self.scanner.licensed_dirs.contains(path);
        let inner = if place == Place::Hidden || self.scanner.copied.contains(path) {
            Place::Hidden
        } else if self.is_artefact(fd, path, true) {
            if !needed {
                self.leave_out(path, true);
            }
            Place::Hidden
        } else if self.scanner.ignores.ignored(path, true) {
            Place::Hidden
        } else {
            Place::Open
        };
        (needed || inner == Place::Open).then_some(inner)
    }

    /// Whether a file or link counts.
    fn counts(&mut self, fd: BorrowedFd<'_>, path: &[u8], place: Place) -> bool {
        if self.base.entries.contains_key(path) || self.scanner.licensed.contains(path) {
            return true;
        }
        if place == Place::Hidden || self.scanner.copied.contains(path) {
            return false;
        }
        if self.is_artefact(fd, path, false) {
            self.leave_out(path, false);
            return false;
        }
        !self.scanner.ignores.ignored(path, false)
    }

    fn is_artefact(&self, fd: BorrowedFd<'_>, path: &[u8], is_dir: bool) -> bool {
        let beside = |name: &str| stat_at(fd, name.as_bytes()).is_ok_and(|s| s.is_some());
        self.scanner.artefacts.holds(path, is_dir, beside)
    }

    fn leave_out(&mut self, path: &[u8], is_dir: bool) {
        if self.scanner.left_out.len() < ARTEFACTS_MAX {
            let mut path = path.to_vec();
            if is_dir {
                path.push(b'/');
            }
            self.scanner.left_out.push(names::quote(&path));
        }
    }

    fn file(&mut self, fd: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<(), WorkspaceError> {
        let Some(stat) = stat_at(fd, name).map_err(|e| self.root.error(path, e))? else {
            return Ok(());
        };
        let round = self.scanner.round;
        if let Some(seen) = self.scanner.held.get_mut(path)
            && seen.held.stat == Some(stat)
            && !seen.held.racy
        {
            seen.round = round;
            return Ok(());
        }
        let tracked = self.base.entries.contains_key(path);
        let read =
            read(fd, name, stat, tracked, self.started_ns).map_err(|e| self.root.error(path, e))?;
        let Some((now, content)) = read else {
            return Ok(());
        };
        if let Some(seen) = self.scanner.held.get_mut(path) {
            seen.round = round;
            if same(&seen.held, &now) {
                seen.held = now;
                return Ok(());
            }
        }
        if let (Some(hash), Some(content)) = (&now.hash, &content) {
            (self.met)(hash, content).map_err(|e| self.root.error(path, e))?;
        }
        self.differences.push(Difference {
            path: path.to_vec(),
            now: Some(now),
        });
        Ok(())
    }
}

/// Whether two looks at a path saw the same thing.
fn same(before: &Held, now: &Held) -> bool {
    before.mode == now.mode
        && match (before.hash, now.hash) {
            (Some(before), Some(now)) => before == now,
            // Too large to be read each time: its identity on disk decides, where it is known.
            (None, None) => {
                before.size == now.size && (before.stat.is_none() || before.stat == now.stat)
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
}

/// Reads what is there; `None` if it is gone or something else by now.
fn read(
    fd: BorrowedFd<'_>,
    name: &[u8],
    stat: Stat,
    tracked: bool,
    started_ns: i64,
) -> std::io::Result<Option<(Held, Option<Vec<u8>>)>> {
    let held = |mode, hash, stat: Stat| Held {
        mode,
        hash,
        size: stat.size,
        stat: Some(stat),
        racy: is_racy(&stat, started_ns),
    };
    let mode = match stat.kind() {
        Kind::File(mode) => mode,
        Kind::Directory | Kind::Other => return Ok(None),
    };
    if mode == Mode::Link {
        let target = target_at(fd, name)?;
        return Ok(target.map(|target| (held(mode, Some(hash(&target)), stat), Some(target))));
    }
    let (mut file, stat) = match file_at(fd, name) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(None),
        // Nobody may read it, and its owner is somebody else: it is noticed, and that is all.
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            return Ok(Some((held(mode, None, stat), None)));
        }
        Err(e) => return Err(e),
    };
    let Kind::File(mode) = stat.kind() else {
        return Ok(None);
    };
    if stat.size > SNAPSHOT_FILE_BYTES_MAX {
        let hash = if tracked {
            Some(hash_stream(file)?)
        } else {
            None
        };
        return Ok(Some((held(mode, hash, stat), None)));
    }
    let mut content = Vec::with_capacity(usize::try_from(stat.size).unwrap_or(0));
    file.by_ref()
        .take(SNAPSHOT_FILE_BYTES_MAX + 1)
        .read_to_end(&mut content)?;
    let mut now = held(mode, Some(hash(&content)), stat);
    // It was written to meanwhile: what was read is nothing that a time stamp stands for.
    let read = u64::try_from(content.len()).unwrap_or(u64::MAX);
    now.racy |= read != stat.size;
    now.size = read;
    if read > SNAPSHOT_FILE_BYTES_MAX {
        now.hash = None;
        return Ok(Some((now, None)));
    }
    Ok(Some((now, Some(content))))
}
