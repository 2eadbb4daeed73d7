//! Who works on a run: a lock on a file in its folder that names the process. The kernel frees it when the process
//! ends, however it ends.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use overnight_ports::journal::JournalError;

use crate::store_error;

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
        match ask::take(&file) {
            Ok(true) => {}
            Ok(false) => {
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
            Err(e) => return Err(store_error(&path, &e)),
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
        ask::held(&file).unwrap_or(true)
    }
}

/// The kernel's lock of the open file description (fcntl(2), "Open file description locks"): it is freed when the last
/// descriptor is closed, and it can be asked for without being taken, so an onlooker is never in an owner's way.
#[cfg(target_os = "linux")]
mod ask {
    use std::fs::File;
    use std::io;

    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, fcntl};
    use nix::libc;

    /// Takes the whole file for writing; `false` when somebody else has it.
    pub fn take(file: &File) -> io::Result<bool> {
        match fcntl(file, FcntlArg::F_OFD_SETLK(&whole(libc::F_WRLCK))) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether somebody else has it.
    pub fn held(file: &File) -> io::Result<bool> {
        let mut answer = whole(libc::F_WRLCK);
        fcntl(file, FcntlArg::F_OFD_GETLK(&mut answer))?;
        Ok(i32::from(answer.l_type) != libc::F_UNLCK)
    }

    /// A lock of the given kind from the first byte to the last there will ever be.
    fn whole(kind: i32) -> libc::flock {
        libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            // The kernel refuses another number here.
            l_pid: 0,
        }
    }
}

/// Where a lock cannot be asked for without taking it: an onlooker takes a shared one and frees it at once, and an owner
/// that meets one tries again for a moment.
#[cfg(not(target_os = "linux"))]
mod ask {
    use std::fs::{File, TryLockError};
    use std::io;
    use std::time::Duration;

    /// How often a lock is tried before somebody else is said to hold it.
    const ATTEMPTS: u32 = 20;
    /// How long one attempt waits for the next.
    const ATTEMPT_EVERY: Duration = Duration::from_millis(5);

    /// Takes the file; `false` when somebody else has it.
    pub fn take(file: &File) -> io::Result<bool> {
        for _ in 0..ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(true),
                Err(TryLockError::WouldBlock) => std::thread::sleep(ATTEMPT_EVERY),
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
        Ok(false)
    }

    /// Whether somebody has it.
    pub fn held(file: &File) -> io::Result<bool> {
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}
