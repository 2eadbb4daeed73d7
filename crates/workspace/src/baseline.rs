//! What every path of the base is: git's word for it, and what stood in the clone when it was made.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use overnight_ports::workspace::{Mode, WorkspaceError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::beneath::{Kind, Root, Stat};
use crate::facts::{self, Layout};
use crate::git::{Git, records};
use crate::names;

/// SHA-256 of a content.
pub(crate) type Hash = [u8; 32];

/// Two changes of a file within one tick of the kernel's clock leave the same time stamp. A file whose time stamp is
/// not older than this when it is read is read again next time, nanoseconds. The coarsest tick is 10 ms.
pub(crate) const TICK_NS: i64 = 20_000_000;

/// How much of a file is read at a time, bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// What a path held at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) mode: Mode,
    /// `None` for a file too large to be read each time.
    pub(crate) hash: Option<Hash>,
    pub(crate) size: u64,
    /// Its identity on disk; `None` if it is known only from the journal.
    pub(crate) stat: Option<Stat>,
    /// Whether it may have changed since without a new time stamp.
    pub(crate) racy: bool,
}

/// One file or link of the base.
#[derive(Debug, Clone)]
pub(crate) struct BaseEntry {
    pub(crate) mode: Mode,
    /// git's object.
    pub(crate) oid: String,
    /// What the clone held after the checkout; absent if it could not be checked out.
    pub(crate) hash: Option<Hash>,
}

/// The base by path.
#[derive(Debug, Default)]
pub(crate) struct Baseline {
    pub(crate) entries: HashMap<Vec<u8>, BaseEntry>,
    /// Every directory that holds one of them.
    pub(crate) dirs: HashSet<Vec<u8>>,
    pub(crate) gitlinks: HashSet<Vec<u8>>,
}

/// One line of an index.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) path: Vec<u8>,
    pub(crate) oid: String,
    /// `None`: a gitlink.
    pub(crate) mode: Option<Mode>,
}

/// What is kept of the first scan, between two processes.
#[derive(Serialize, Deserialize)]
struct Stored {
    path: String,
    oid: String,
    /// The base's mode; `None` for a gitlink and for what is not of the base (`.git`).
    mode: Option<Mode>,
    held: Option<Held>,
}

impl Baseline {
    fn add(&mut self, path: Vec<u8>, entry: BaseEntry) {
        add_parents(&mut self.dirs, &path);
        self.entries.insert(path, entry);
    }

    /// Whether this is what the base has there.
    pub(crate) fn is(&self, path: &[u8], held: &Held) -> bool {
        self.entries
            .get(path)
            .is_some_and(|e| e.mode == held.mode && e.hash.is_some() && e.hash == held.hash)
    }
}

/// Adds every directory above `path`.
pub(crate) fn add_parents(dirs: &mut HashSet<Vec<u8>>, path: &[u8]) {
    let ends = path
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, b)| **b == b'/')
        .map(|(at, _)| at);
    for end in ends {
        let Some(dir) = path.get(..end) else { return };
        if !dirs.insert(dir.to_vec()) {
            return;
        }
    }
}

/// What an index lists.
pub(crate) fn listed(git: &Git, index: &Path) -> Result<Vec<Listed>, WorkspaceError> {
    let output = git.index(index).run(&["ls-files", "-s", "-z"])?;
    Ok(records(&output).filter_map(line).collect())
}

/// `mode oid stage TAB path`
fn line(record: &[u8]) -> Option<Listed> {
    let tab = record.iter().position(|b| *b == b'\t')?;
    let (meta, path) = (record.get(..tab)?, record.get(tab + 1..)?);
    let mut words = std::str::from_utf8(meta).ok()?.split(' ');
    let mode = match words.next()? {
        "160000" => None,
        "120000" => Some(Mode::Link),
        "100755" => Some(Mode::Executable),
        _ => Some(Mode::File),
    };
    Some(Listed {
        path: path.to_vec(),
        oid: words.next()?.to_owned(),
        mode,
    })
}

/// Reads what the fresh clone holds of the base, several files at once, and stores it together with `extra` (the
/// clone's `.git`), so that a later process need not.
pub(crate) fn take(
    layout: &Layout,
    root: &Root,
    listed: &[Listed],
    extra: &[Vec<u8>],
) -> Result<(), WorkspaceError> {
    let started = now_ns();
    let all: Vec<(&[u8], Option<&Listed>)> = listed
        .iter()
        .map(|l| (l.path.as_slice(), Some(l)))
        .chain(extra.iter().map(|p| (p.as_slice(), None)))
        .collect();
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .clamp(1, 4);
    let share = all.len().div_ceil(workers).max(1);
    let parts: Vec<Result<Vec<Stored>, WorkspaceError>> = std::thread::scope(|scope| {
        let handles: Vec<_> = all
            .chunks(share)
            .map(|part| {
                scope.spawn(move || {
                    part.iter()
                        .map(|(path, l)| store_one(root, path, *l, started))
                        .collect()
                })
            })
            .collect();
        let lost =
            || WorkspaceError::Refused("a thread that reads the workspace ended early".into());
        handles
            .into_iter()
            .map(|h| h.join().unwrap_or_else(|_| Err(lost())))
            .collect()
    });
    let mut stored = Vec::with_capacity(all.len());
    for part in parts {
        stored.extend(part?);
    }
    facts::save_json(&layout.baseline(), &stored)
}

fn store_one(
    root: &Root,
    path: &[u8],
    listed: Option<&Listed>,
    started: i64,
) -> Result<Stored, WorkspaceError> {
    let gitlink = listed.is_some_and(|l| l.mode.is_none());
    let held = if gitlink {
        None
    } else {
        hold(root, path, started).map_err(|e| root.error(path, e))?
    };
    let oid = listed.map(|l| l.oid.clone()).unwrap_or_default();
    Ok(Stored {
        path: names::quote(path),
        oid,
        mode: listed.and_then(|l| l.mode),
        held,
    })
}

/// What stands at a path, whatever its size.
pub(crate) fn hold(root: &Root, path: &[u8], started: i64) -> std::io::Result<Option<Held>> {
    let Some(stat) = root.stat(path)? else {
        return Ok(None);
    };
    let Kind::File(mode) = stat.kind() else {
        return Ok(None);
    };
    let hash = match mode {
        Mode::Link => root.target(path)?.map(|target| hash(&target)),
        Mode::File | Mode::Executable => match root.file(path)? {
            Some((file, _)) => Some(hash_stream(file)?),
            None => None,
        },
    };
    Ok(Some(Held {
        mode,
        hash,
        size: stat.size,
        stat: Some(stat),
        racy: is_racy(&stat, started),
    }))
}

/// What was taken when the clone was made: the base, and the first snapshot.
pub(crate) fn load(layout: &Layout) -> Result<(Baseline, HashMap<Vec<u8>, Held>), WorkspaceError> {
    let stored: Vec<Stored> = facts::load_json(&layout.baseline())?;
    let mut baseline = Baseline::default();
    let mut snapshot = HashMap::with_capacity(stored.len());
    for one in stored {
        let Some(path) = names::unquote(&one.path) else {
            continue;
        };
        match (one.mode, one.oid.is_empty()) {
            (Some(mode), _) => {
                let hash = one.held.and_then(|h| h.hash);
                baseline.add(
                    path.clone(),
                    BaseEntry {
                        mode,
                        oid: one.oid,
                        hash,
                    },
                );
            }
            (None, false) => {
                add_parents(&mut baseline.dirs, &path);
                baseline.gitlinks.insert(path.clone());
            }
            (None, true) => {}
        }
        if let Some(held) = one.held {
            snapshot.insert(path, held);
        }
    }
    Ok((baseline, snapshot))
}

/// Whether a file with this time stamp, read at `read_ns` or later, may change again without a new one. The change
/// time counts: nobody can set it.
pub(crate) fn is_racy(stat: &Stat, read_ns: i64) -> bool {
    stat.ctime_ns >= read_ns.saturating_sub(TICK_NS)
}

/// The wall clock, nanoseconds since the epoch, as file time stamps count.
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

pub(crate) fn hash(content: &[u8]) -> Hash {
    Sha256::digest(content).into()
}

pub(crate) fn hash_stream(mut from: impl Read) -> std::io::Result<Hash> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(hasher.finalize().into());
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

/// In hexadecimal, as blobs and LFS objects are named.
pub(crate) fn hex(hash: &Hash) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(hash.len() * 2);
    for byte in hash {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(nibble)]));
        }
    }
    text
}

/// The reverse of [`hex`].
pub(crate) fn unhex(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if text.len() != hash.len() * 2 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
    }
    Some(hash)
}
