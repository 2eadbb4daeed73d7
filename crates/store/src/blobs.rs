//! Content by the hash of its bytes. Small blobs are rows, written in the same transaction as the events that name
//! them, so that a turn costs one sync; large ones are files, synced when they are put.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use overnight_core::ids::BlobId;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// Blobs up to this size are rows, bytes.
pub(crate) const INLINE_BYTES_MAX: usize = 256 * 1024;

pub(crate) struct Blobs {
    dir: PathBuf,
    pending: BTreeMap<BlobId, Vec<u8>>,
}

impl Blobs {
    pub fn new(dir: PathBuf) -> Self {
        Blobs {
            dir,
            pending: BTreeMap::new(),
        }
    }

    pub fn put(&mut self, content: &[u8]) -> Result<BlobId> {
        let id = BlobId::of(content);
        if content.len() <= INLINE_BYTES_MAX {
            self.pending
                .entry(id.clone())
                .or_insert_with(|| content.to_vec());
        } else {
            let path = self.path(&id);
            // A disk may have lost the end of one that is there.
            if read(&path, &id).is_err() {
                write_whole(&path, content)?;
            }
        }
        Ok(id)
    }

    pub fn get(&self, db: &Connection, id: &BlobId) -> Result<Vec<u8>> {
        if let Some(bytes) = self.pending.get(id) {
            return Ok(bytes.clone());
        }
        let row: Option<Vec<u8>> = db
            .prepare_cached("SELECT bytes FROM blobs WHERE id = ?1")
            .and_then(|mut s| s.query_row(params![id.as_str()], |r| r.get(0)).optional())
            .map_err(Error::other)?;
        match row {
            Some(bytes) => Ok(bytes),
            None if is_hash(id) => read(&self.path(id), id),
            None => Err(Error::new(ErrorKind::NotFound, format!("no blob `{id}`"))),
        }
    }

    pub fn has(&self, db: &Connection, id: &BlobId) -> bool {
        self.pending.contains_key(id)
            || db
                .prepare_cached("SELECT 1 FROM blobs WHERE id = ?1")
                .and_then(|mut s| s.exists(params![id.as_str()]))
                .unwrap_or(false)
            || (is_hash(id) && self.path(id).exists())
    }

    pub fn write_pending(&self, tx: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut insert =
            tx.prepare_cached("INSERT OR IGNORE INTO blobs (id, bytes) VALUES (?1, ?2)")?;
        for (id, bytes) in &self.pending {
            insert.execute(params![id.as_str(), bytes])?;
        }
        Ok(())
    }

    /// The transaction is committed: the rows are the truth now.
    pub fn written(&mut self) {
        self.pending.clear();
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        let (head, rest) = id.as_str().split_at(2.min(id.as_str().len()));
        self.dir.join(head).join(rest)
    }
}

/// A file of exactly the content that its name says.
fn read(path: &Path, id: &BlobId) -> Result<Vec<u8>> {
    let bytes =
        fs::read(path).map_err(|e| Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    if BlobId::of(&bytes) == *id {
        return Ok(bytes);
    }
    let why = format!(
        "{} is damaged: it does not hold what its name says",
        path.display()
    );
    Err(Error::new(ErrorKind::InvalidData, why))
}

fn is_hash(id: &BlobId) -> bool {
    const SHA256_HEX_CHARS: usize = 64;
    id.as_str().len() == SHA256_HEX_CHARS && id.as_str().bytes().all(|b| b.is_ascii_hexdigit())
}

/// Makes a folder and those above it that are missing. Each is on disk when this returns: the folder that holds it
/// is synced.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = match folder.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    if above != Path::new(".") {
        make_folder(above)?;
    }
    match fs::create_dir(folder) {
        Err(_) if folder.is_dir() => {} // somebody else made it meanwhile
        made => made?,
    }
    File::open(above)?.sync_all()
}

/// Writes a file whole or not at all: beside it, synced, renamed, the folder synced.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let dir = path
        .parent()
        .ok_or_else(|| Error::other("a file has a folder"))?;
    make_folder(dir)?;
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(dir)?.sync_all()
}
