//! The journal and its blobs on embedded SQLite: one folder a run, one database in it.
//!
//! `$OVERNIGHT_HOME/runs/<run id>/journal.db` holds events, small blobs, waiting commands and the summary; large
//! blobs are files beside it. Whoever works on a run holds its lock; anybody may look.

mod blobs;
#[cfg(debug_assertions)]
mod faults;
mod lock;
mod runs;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use overnight_core::event::Event;
use overnight_core::ids::BlobId;
use overnight_core::step::Command;
use overnight_ports::journal::{BlobSink, Journal, JournalError, Stored, Summary, Waiting};
use rusqlite::{Connection, params};

use crate::blobs::Blobs;
pub use crate::lock::Lock;
pub use crate::runs::{find, list, runs_dir};

/// The database's name in a run's folder.
pub const JOURNAL_FILE: &str = "journal.db";
/// How many events are read at a time.
const PAGE_EVENTS: i64 = 512;

/// A run's journal on disk.
pub struct RunStore {
    dir: PathBuf,
    inner: Mutex<Inner>,
    lock: Option<Lock>,
}

struct Inner {
    db: Connection,
    blobs: Blobs,
}

impl RunStore {
    /// Makes the folder and the journal of a new run, and holds it.
    pub fn create(dir: &Path) -> Result<Self, JournalError> {
        blobs::make_folder(dir).map_err(|e| store_error(dir, &e))?;
        let lock = Lock::take(dir)?;
        Self::over(dir, schema::create(&dir.join(JOURNAL_FILE))?, Some(lock))
    }

    /// Opens a run to work on it. Refused while another process does.
    pub fn own(dir: &Path) -> Result<Self, JournalError> {
        let db = schema::open(&dir.join(JOURNAL_FILE))?;
        let lock = Lock::take(dir)?;
        Self::over(dir, db, Some(lock))
    }

    /// Opens a run to look at it, or to leave a command; also while another process works on it.
    ///
    /// Where nothing can be written a journal that nobody works on can still be looked at.
    pub fn look(dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(JOURNAL_FILE);
        let db = schema::open(&path).or_else(|error| schema::still(&path).ok_or(error))?;
        Self::over(dir, db, None)
    }

    fn over(dir: &Path, db: Connection, lock: Option<Lock>) -> Result<Self, JournalError> {
        let blobs = Blobs::new(dir.join("blobs"));
        Ok(RunStore {
            dir: dir.to_owned(),
            inner: Mutex::new(Inner { db, blobs }),
            lock,
        })
    }

    /// The run's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Leaves a command for whoever works on the run.
    pub fn submit(&self, command: &Command, at: u64) -> Result<(), JournalError> {
        let body = to_json(command);
        let inner = self.inner();
        inner
            .db
            .execute(
                "INSERT INTO commands (at, body) VALUES (?1, ?2)",
                params![at as i64, body],
            )
            .map(drop)
            .map_err(|e| self.sql(&e))
    }

    /// What a list shows of this run.
    pub fn summary(&self) -> Result<Summary, JournalError> {
        schema::summary(&self.inner().db, &self.dir)
    }

    /// Whether some process works on the run at this moment.
    pub fn held(&self) -> bool {
        self.lock.is_some() || Lock::held(&self.dir)
    }

    /// How many events there are.
    pub fn len(&self) -> Result<u64, JournalError> {
        let inner = self.inner();
        let count: i64 = inner
            .db
            .query_row("SELECT COALESCE(MAX(seq), 0) FROM events", [], |row| {
                row.get(0)
            })
            .map_err(|e| self.sql(&e))?;
        Ok(count.unsigned_abs())
    }

    /// Whether nothing has happened yet.
    pub fn is_empty(&self) -> Result<bool, JournalError> {
        Ok(self.len()? == 0)
    }

    /// Some events from `from` on; none after the last.
    fn page(&self, from: u64) -> Result<Vec<Stored>, JournalError> {
        let inner = self.inner();
        let mut statement = inner
            .db
            .prepare_cached("SELECT seq, body FROM events WHERE seq >= ?1 ORDER BY seq LIMIT ?2")
            .map_err(|e| self.sql(&e))?;
        let mut rows = statement
            .query(params![from as i64, PAGE_EVENTS])
            .map_err(|e| self.sql(&e))?;
        let mut page = Vec::new();
        while let Some(row) = rows.next().map_err(|e| self.sql(&e))? {
            let seq: i64 = row.get(0).map_err(|e| self.sql(&e))?;
            // Numbers are given one after the other, and nothing is ever taken away.
            let due = from.saturating_add(page.len() as u64);
            if seq.unsigned_abs() != due {
                return Err(JournalError::Damaged {
                    path: self.dir.join(JOURNAL_FILE).display().to_string(),
                    detail: format!("event {due} is missing"),
                });
            }
            let body: String = row.get(1).map_err(|e| self.sql(&e))?;
            let event = serde_json::from_str(&body).map_err(|e| JournalError::Damaged {
                path: self.dir.join(JOURNAL_FILE).display().to_string(),
                detail: format!("event {seq}: {e}"),
            })?;
            page.push(Stored {
                seq: seq.unsigned_abs(),
                event,
            });
        }
        Ok(page)
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A panic while the lock was held cannot leave SQLite half-written: a transaction is committed or it is not.
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn sql(&self, error: &rusqlite::Error) -> JournalError {
        schema::error(&self.dir.join(JOURNAL_FILE), error)
    }
}

impl BlobSink for RunStore {
    fn put(&self, content: &[u8]) -> std::io::Result<BlobId> {
        self.inner().blobs.put(content)
    }

    fn get(&self, id: &BlobId) -> std::io::Result<Vec<u8>> {
        let inner = self.inner();
        inner.blobs.get(&inner.db, id)
    }
}

impl Journal for RunStore {
    fn append(
        &self,
        events: &[Event],
        done: &[i64],
        summary: &Summary,
    ) -> Result<(), JournalError> {
        let mut guard = self.inner();
        let Inner { db, blobs } = &mut *guard;
        let tx = db.transaction().map_err(|e| self.sql(&e))?;
        blobs.write_pending(&tx).map_err(|e| self.sql(&e))?;
        {
            let mut insert = tx
                .prepare_cached("INSERT INTO events (at, name, body) VALUES (?1, ?2, ?3)")
                .map_err(|e| self.sql(&e))?;
            for event in events {
                let name = overnight_core::step::name(&event.fact);
                insert
                    .execute(params![event.at as i64, name, to_json(event)])
                    .map_err(|e| self.sql(&e))?;
            }
        }
        for id in done {
            tx.execute("DELETE FROM commands WHERE id = ?1", params![id])
                .map_err(|e| self.sql(&e))?;
        }
        tx.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('summary', ?1)")
            .and_then(|mut s| s.execute(params![to_json(summary)]))
            .map_err(|e| self.sql(&e))?;
        #[cfg(debug_assertions)]
        faults::before_append();
        tx.commit().map_err(|e| self.sql(&e))?;
        #[cfg(debug_assertions)]
        faults::after_append();
        blobs.written();
        Ok(())
    }

    fn read(&self, from: u64, each: &mut dyn FnMut(Stored)) -> Result<(), JournalError> {
        let mut next = from;
        loop {
            // The lock is not held while `each` runs: it may well want a blob.
            let page = self.page(next)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            next = last.seq + 1;
            page.into_iter().for_each(&mut *each);
        }
    }

    fn commands(&self) -> Result<Vec<Waiting>, JournalError> {
        let inner = self.inner();
        let mut statement = inner
            .db
            .prepare_cached("SELECT id, body FROM commands ORDER BY id")
            .map_err(|e| self.sql(&e))?;
        let rows = statement
            .query_map([], |row| {
                let body = row.get_ref(1)?.as_bytes().unwrap_or_default();
                Ok((row.get::<_, i64>(0)?, serde_json::from_slice(body).ok()))
            })
            .map_err(|e| self.sql(&e))?;
        let (mut waiting, mut unreadable) = (Vec::new(), Vec::new());
        for row in rows {
            match row.map_err(|e| self.sql(&e))? {
                (id, Some(command)) => waiting.push(Waiting { id, command }),
                (id, None) => unreadable.push(id),
            }
        }
        // Another version's command: this one can never carry it out, and a run must not end because of it. An
        // onlooker leaves it, since whoever works on the run may know it.
        if self.lock.is_some() {
            for id in unreadable {
                // If this fails it is tried again at the next look.
                let _ = inner
                    .db
                    .execute("DELETE FROM commands WHERE id = ?1", params![id]);
            }
        }
        Ok(waiting)
    }

    fn has(&self, id: &BlobId) -> bool {
        let inner = self.inner();
        inner.blobs.has(&inner.db, id)
    }

    fn publish(&self, name: &str, content: &[u8]) -> Result<PathBuf, JournalError> {
        let path = self.dir.join(name);
        blobs::write_whole(&path, content).map_err(|e| store_error(&path, &e))?;
        Ok(path)
    }
}

fn to_json<T: serde::Serialize>(value: &T) -> String {
    // Our own types: string keys, no failing serialiser.
    serde_json::to_string(value).expect("events, commands and summaries are plain data")
}

pub(crate) fn store_error(path: &Path, error: &std::io::Error) -> JournalError {
    let path = path.display().to_string();
    match error.kind() {
        std::io::ErrorKind::StorageFull => JournalError::Full { path },
        _ => JournalError::Store {
            path,
            detail: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overnight_core::event::Fact;

    fn store(dir: &Path) -> RunStore {
        RunStore::create(&dir.join("run")).unwrap()
    }

    fn events(store: &RunStore) -> Vec<Stored> {
        let mut all = Vec::new();
        store.read(1, &mut |e| all.push(e)).unwrap();
        all
    }

    #[test]
    fn what_was_appended_is_read_in_order_with_its_blobs() {
        let dir = tempfile::tempdir().unwrap();
        let s = store(dir.path());
        let small = s.put(b"small").unwrap();
        let large = s.put(&vec![7u8; blobs::INLINE_BYTES_MAX + 1]).unwrap();
        s.append(
            &[Event::run(1, Fact::Paused), Event::run(2, Fact::Resumed)],
            &[],
            &Summary::default(),
        )
        .unwrap();
        drop(s);
        let s = RunStore::own(&dir.path().join("run")).unwrap();
        let all = events(&s);
        assert_eq!(all.iter().map(|e| e.seq).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(all[1].event, Event::run(2, Fact::Resumed));
        assert_eq!(s.get(&small).unwrap(), b"small");
        assert_eq!(s.get(&large).unwrap().len(), blobs::INLINE_BYTES_MAX + 1);
    }

    #[test]
    fn whoever_hears_an_event_may_ask_for_its_blob() {
        let dir = tempfile::tempdir().unwrap();
        let s = store(dir.path());
        let id = s.put(b"answer").unwrap();
        let many: Vec<Event> = (0..=PAGE_EVENTS as u64)
            .map(|at| Event::run(at, Fact::Woken))
            .collect();
        s.append(&many, &[], &Summary::default()).unwrap();
        let mut heard = 0;
        s.read(1, &mut |_| heard += s.get(&id).map_or(0, |_| 1))
            .unwrap();
        assert_eq!(heard, many.len());
    }

    #[test]
    fn a_blob_that_no_event_was_appended_after_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let s = store(dir.path());
        let id = s.put(b"lost").unwrap();
        assert_eq!(s.get(&id).unwrap(), b"lost", "readable at once");
        drop(s);
        assert!(
            RunStore::own(&dir.path().join("run"))
                .unwrap()
                .get(&id)
                .is_err()
        );
    }

    #[test]
    fn an_event_that_is_missing_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let s = store(dir.path());
        let many: Vec<Event> = (0..5).map(|at| Event::run(at, Fact::Woken)).collect();
        s.append(&many, &[], &Summary::default()).unwrap();
        s.inner()
            .db
            .execute("DELETE FROM events WHERE seq = 3", [])
            .unwrap();
        let read = s.read(1, &mut |_| {}).map_err(|e| e.to_string());
        assert!(read.is_err_and(|e| e.contains("event 3 is missing")));
        let behind = s.read(4, &mut |_| {});
        assert!(behind.is_ok(), "{behind:?}");
    }

    #[test]
    fn a_large_blob_that_lost_its_end_is_noticed_and_can_be_put_again() {
        let dir = tempfile::tempdir().unwrap();
        let s = store(dir.path());
        let content = vec![7u8; blobs::INLINE_BYTES_MAX + 1];
        let id = s.put(&content).unwrap();
        let (head, rest) = id.as_str().split_at(2);
        let path = s.dir().join("blobs").join(head).join(rest);
        std::fs::write(&path, &content[..1000]).unwrap();
        let told = s.get(&id).unwrap_err().to_string();
        assert!(told.contains("damaged") && told.contains(rest), "{told}");
        s.put(&content).unwrap();
        assert_eq!(s.get(&id).unwrap(), content);
    }

    #[test]
    fn a_run_is_held_by_one_process_at_a_time_and_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let _s = store(dir.path());
        let second = RunStore::own(&dir.path().join("run"));
        match second.err() {
            Some(JournalError::Held { pid, .. }) => assert_eq!(pid, std::process::id().to_string()),
            other => panic!("expected Held, got {other:?}"),
        }
        assert!(RunStore::look(&dir.path().join("run")).is_ok());
    }

    #[test]
    fn an_onlooker_knows_whether_somebody_works_on_a_run_and_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        let s = store(dir.path());
        let run = dir.path().join("run");
        let onlooker = RunStore::look(&run).unwrap();
        assert!(s.held() && onlooker.held());
        drop(s);
        assert!(!onlooker.held());
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    onlooker.held();
                }
            });
            let owned = (0..200).filter(|_| RunStore::own(&run).is_ok()).count();
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(owned, 200, "whoever only asks is never taken for the owner");
        });
    }

    #[test]
    fn a_command_waits_until_it_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let s = store(dir.path());
        RunStore::look(s.dir())
            .unwrap()
            .submit(&Command::Pause, 5)
            .unwrap();
        let waiting = s.commands().unwrap();
        assert_eq!(waiting.len(), 1);
        s.append(
            &[Event::run(6, Fact::Paused)],
            &[waiting[0].id],
            &Summary::default(),
        )
        .unwrap();
        assert!(s.commands().unwrap().is_empty());
    }

    #[test]
    fn a_command_that_cannot_be_read_is_passed_over_and_taken_off() {
        let dir = tempfile::tempdir().unwrap();
        let s = store(dir.path());
        let onlooker = RunStore::look(s.dir()).unwrap();
        let queued = |s: &RunStore| -> i64 {
            let count = "SELECT COUNT(*) FROM commands";
            s.inner().db.query_row(count, [], |r| r.get(0)).unwrap()
        };
        let newer = "INSERT INTO commands (at, body) VALUES (1, '{\"from\":\"tomorrow\"}'), (2, x'ff'), (3, 4)";
        onlooker.inner().db.execute(newer, []).unwrap();
        onlooker.submit(&Command::Pause, 5).unwrap();
        for (who, left) in [(&onlooker, 4), (&s, 1)] {
            let waiting = who.commands().unwrap();
            assert_eq!(waiting.len(), 1);
            assert_eq!(waiting[0].command, Command::Pause);
            assert_eq!(queued(who), left);
        }
    }

    #[test]
    fn there_is_no_run_where_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            RunStore::look(&dir.path().join("none")),
            Err(JournalError::NoRun(_))
        ));
    }
}
