//! The database: its tables, its settings, its errors.

use std::path::Path;

use overnight_ports::journal::{JournalError, Summary};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

/// Version of the tables, in `user_version`.
const SCHEMA_VERSION: i64 = 1;
/// How long a statement waits for another process's, milliseconds.
const BUSY_TIMEOUT_MS: u64 = 5_000;

const TABLES: &str = "
CREATE TABLE events (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE blobs (id TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE commands (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
";

/// Makes a new journal.
pub(crate) fn create(path: &Path) -> Result<Connection, JournalError> {
    let db = connect(path, OpenFlags::default())?;
    let version: i64 = db
        .query_row("PRAGMA user_version", [], |r| r.get(0))
        .map_err(|e| error(path, &e))?;
    if version == 0 {
        db.execute_batch(&format!(
            "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        ))
        .map_err(|e| error(path, &e))?;
    }
    Ok(db)
}

/// Opens an existing journal.
pub(crate) fn open(path: &Path) -> Result<Connection, JournalError> {
    if !path.is_file() {
        let run = path
            .parent()
            .and_then(Path::file_name)
            .map_or_else(String::new, |n| n.to_string_lossy().into());
        return Err(JournalError::NoRun(run));
    }
    let db = connect(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    let version: i64 = db
        .query_row("PRAGMA user_version", [], |r| r.get(0))
        .map_err(|e| error(path, &e))?;
    if version > SCHEMA_VERSION || version == 0 {
        return Err(JournalError::Damaged {
            path: path.display().to_string(),
            detail: format!(
                "its tables are of version {version}; this overnight knows up to {SCHEMA_VERSION}"
            ),
        });
    }
    Ok(db)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, JournalError> {
    let db = Connection::open_with_flags(path, flags).map_err(|e| error(path, &e))?;
    let settings = || -> rusqlite::Result<()> {
        db.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: a commit is on disk when it returns, also if the machine loses power right then.
        db.pragma_update(None, "synchronous", "FULL")?;
        // Memory stays small however long the run is.
        db.pragma_update(None, "cache_size", -2_000)?;
        Ok(())
    };
    settings().map_err(|e| error(path, &e))?;
    Ok(db)
}

/// The summary of a journal that nobody has open, read without joining in: no lock, no log and no shared memory are
/// made, so that a list of a thousand runs costs little. `None` if it cannot be had in this way: a process works on the
/// run, or one died and left a log behind.
pub(crate) fn glance(path: &Path) -> Option<Summary> {
    let db = unjoined(path)?;
    let found = summary(&db, path).ok()?;
    // Whoever took the run up meanwhile has made a log: what was read may be half of theirs.
    (!found.id.is_empty() && !log_of(path).exists()).then_some(found)
}

/// A journal that lies still, where it cannot be opened in the usual way because nothing can be written beside it.
pub(crate) fn still(path: &Path) -> Option<Connection> {
    let db = unjoined(path)?;
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).ok()?;
    (1..=SCHEMA_VERSION).contains(&version).then_some(db)
}

/// A journal without a log, opened without joining in.
fn unjoined(path: &Path) -> Option<Connection> {
    if log_of(path).exists() {
        return None;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(unchanging(path)?, flags).ok()
}

fn log_of(path: &Path) -> std::path::PathBuf {
    path.with_extension("db-wal")
}

/// The address of a file that does not change while it is read.
fn unchanging(path: &Path) -> Option<String> {
    let mut address = String::from("file:");
    for byte in path.to_str()?.bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => address.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => address.push(char::from(byte)),
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(address + "?immutable=1")
}

/// The summary row; empty before the first event.
pub(crate) fn summary(db: &Connection, dir: &Path) -> Result<Summary, JournalError> {
    let text: Option<String> = db
        .query_row("SELECT value FROM meta WHERE key = 'summary'", [], |r| {
            r.get(0)
        })
        .optional()
        .map_err(|e| error(dir, &e))?;
    match text {
        None => Ok(Summary::default()),
        Some(text) => serde_json::from_str(&text).map_err(|e| JournalError::Damaged {
            path: dir.display().to_string(),
            detail: format!("its summary: {e}"),
        }),
    }
}

/// What SQLite says, in our words.
pub(crate) fn error(path: &Path, error: &rusqlite::Error) -> JournalError {
    let path = path.display().to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => JournalError::Full { path },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => JournalError::Damaged {
            path,
            detail: error.to_string(),
        },
        _ => JournalError::Store {
            path,
            detail: error.to_string(),
        },
    }
}
