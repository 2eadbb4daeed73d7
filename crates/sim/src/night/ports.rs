//! The clock, the journal and the shelf of the simulated world.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use overnight_core::event::Event;
use overnight_core::ids::{BlobId, UnixMs};
use overnight_engine::Shelf;
use overnight_ports::clock::{Clock, Times};
use overnight_ports::journal::{BlobSink, Journal, JournalError, Stored, Summary, Waiting};

use crate::night::plan::{MINUTE, Sabotage};
use crate::night::world::{Appending, World};

/// How long one sleep lasts at most: a clock that jumps is noticed after this, as the real one does.
const NAP: Duration = Duration::from_secs(30);

/// The world as the process sees it.
pub struct Seen(pub Arc<World>);

#[async_trait]
impl Clock for Seen {
    fn now(&self) -> UnixMs {
        self.0.now()
    }

    fn times(&self) -> Times {
        Times {
            wall: self.0.now(),
            counted: self.0.lock().lived().as_millis() as u64,
        }
    }

    async fn sleep_until(&self, until: UnixMs) {
        let until = match self.0.lock().plan.sabotage {
            Some(Sabotage::LateClock) => until + 10 * MINUTE,
            _ => until,
        };
        loop {
            let left = until.saturating_sub(self.0.now());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left).min(NAP)).await;
        }
    }
}

fn full() -> JournalError {
    JournalError::Full {
        path: "the simulated journal".into(),
    }
}

fn dead() -> JournalError {
    JournalError::Store {
        path: "the simulated journal".into(),
        detail: "the process is dead".into(),
    }
}

impl BlobSink for Seen {
    fn put(&self, content: &[u8]) -> io::Result<BlobId> {
        let mut world = self.0.lock();
        if world.disk_is_full() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let id = BlobId::of(content);
        world.disk.pending.insert(id.clone(), content.to_vec());
        Ok(id)
    }

    fn get(&self, id: &BlobId) -> io::Result<Vec<u8>> {
        let world = self.0.lock();
        let disk = &world.disk;
        let found = disk.pending.get(id).or_else(|| disk.blobs.get(id));
        found
            .cloned()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no blob {id}")))
    }
}

impl Journal for Seen {
    fn append(&self, events: &[Event], done: &[i64], _: &Summary) -> Result<(), JournalError> {
        match self.0.lock().append(events, done) {
            Appending::Durable => Ok(()),
            Appending::Full => Err(full()),
            Appending::Dies => Err(dead()),
        }
    }

    fn read(&self, from: u64, each: &mut dyn FnMut(Stored)) -> Result<(), JournalError> {
        let events = self.0.lock().disk.events.clone();
        for (seq, text) in (1..).zip(&events).filter(|(seq, _)| *seq >= from) {
            let event = serde_json::from_str(text).map_err(|e| JournalError::Damaged {
                path: "the simulated journal".into(),
                detail: format!("event {seq}: {e}"),
            })?;
            each(Stored { seq, event });
        }
        Ok(())
    }

    fn commands(&self) -> Result<Vec<Waiting>, JournalError> {
        Ok(self.0.lock().disk.queue.clone())
    }

    fn has(&self, id: &BlobId) -> bool {
        self.get(id).is_ok()
    }

    fn publish(&self, name: &str, _: &[u8]) -> Result<PathBuf, JournalError> {
        if self.0.lock().disk_is_full() {
            return Err(full());
        }
        Ok(name.into())
    }
}

/// A shelf on which nothing stays.
pub struct NoShelf;

impl Shelf for NoShelf {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn put(&self, _: &str, _: &[u8]) {}
}
