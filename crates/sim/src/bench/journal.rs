//! How fast the journal takes events, and how fast the disk below it is.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use overnight_core::event::{Event, Fact};
use overnight_core::turn::CallResult;
use overnight_ports::journal::{Journal, Summary};
use overnight_store::RunStore;

use crate::table::median;

/// For how long events are appended.
const APPENDS_FOR: Duration = Duration::from_secs(3);
/// How much is written before each sync of the plain file, and how often.
const BLOCK_BYTES: usize = 4 * 1024;
const SYNCS: usize = 200;

/// What appending showed.
pub struct Appends {
    /// How many there were.
    pub count: usize,
    /// How many a second.
    pub per_second: f64,
    /// How long one took, milliseconds.
    pub median_ms: f64,
}

/// Appends one event at a time, each of them on disk before the next.
pub fn appends(dir: &Path) -> Result<Appends, String> {
    let store = RunStore::create(&dir.join("journal")).map_err(|e| e.to_string())?;
    let summary = Summary {
        id: "bench".into(),
        goal: "The file done.txt is there.".into(),
        ..Summary::default()
    };
    let mut taken = Vec::new();
    let began = Instant::now();
    while began.elapsed() < APPENDS_FOR {
        let event = ended(taken.len() as u64 + 1);
        let started = Instant::now();
        store
            .append(std::slice::from_ref(&event), &[], &summary)
            .map_err(|e| e.to_string())?;
        taken.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    let per_second = taken.len() as f64 / began.elapsed().as_secs_f64();
    let count = taken.len();
    let median_ms = median(&mut taken).ok_or("nothing was appended")?;
    Ok(Appends {
        count,
        per_second,
        median_ms,
    })
}

/// The event that a turn appends most of.
fn ended(turn: u64) -> Event {
    let result = CallResult {
        ok: true,
        shown: "[exit code 0, 0.00 s]".into(),
        exit: Some(0),
        ..CallResult::default()
    };
    Event::run(
        turn,
        Fact::CallEnded {
            turn,
            index: 0,
            result: Box::new(result),
        },
    )
}

/// What the disk takes to make one block durable, milliseconds: the median.
pub fn sync_ms(dir: &Path) -> Result<f64, String> {
    let path = dir.join("synced");
    let work = || -> std::io::Result<Vec<f64>> {
        let mut file = File::create(&path)?;
        let block = [b'x'; BLOCK_BYTES];
        let mut taken = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            let started = Instant::now();
            file.write_all(&block)?;
            file.sync_data()?;
            taken.push(started.elapsed().as_secs_f64() * 1_000.0);
        }
        std::fs::remove_file(&path)?;
        Ok(taken)
    };
    let mut taken = work().map_err(|e| format!("{}: {e}", path.display()))?;
    median(&mut taken).ok_or_else(|| "nothing was synced".to_owned())
}
