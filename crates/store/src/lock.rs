//! Who works on a run: a lock on a file in its folder that names the process. The kernel frees it when the process
//! ends, however it ends.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use overnight_ports::journal::JournalError;

use crate::store_error;

/// How often a lock is tried before somebody else is said to hold it.
const ATTEMPTS: u32 = 4;
/// How long one attempt waits for the next.
const ATTEMPT_EVERY: Duration = Duration::from_millis(5);

/// A held lock. Freed when dropped.
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a run's folder, or says who has it.
    pub fn take(dir: &Path) -> Result<Lock, JournalError> {
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| store_error(&path, &e))?;
        match patiently(|| file.try_lock()) {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The holder writes its number right after taking the lock; an empty text means it is doing so.
                let _ = file.read_to_string(&mut pid);
                let run = dir
                    .file_name()
                    .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
                return Err(JournalError::Held {
                    run,
                    pid: pid.trim().to_owned(),
                });
            }
            Err(std::fs::TryLockError::Error(e)) => return Err(store_error(&path, &e)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            write!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(|e| store_error(&path, &e))?;
        Ok(Lock { _file: file })
    }

    /// Whether somebody holds the lock of a run's folder. Where that cannot be found out, somebody does.
    pub fn held(dir: &Path) -> bool {
        let Ok(file) = File::open(dir.join("lock")) else {
            return dir.join("lock").exists();
        };
        // A shared lock, freed at once: two onlookers do not see each other. [`patiently`] is for who meets it.
        file.try_lock_shared().is_err()
    }
}

/// Tries again for a moment: an onlooker that asks [`Lock::held`] is in the way no longer than that.
fn patiently(
    mut attempt: impl FnMut() -> Result<(), std::fs::TryLockError>,
) -> Result<(), std::fs::TryLockError> {
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(ATTEMPT_EVERY),
            other => return other,
        }
    }
    attempt()
}
