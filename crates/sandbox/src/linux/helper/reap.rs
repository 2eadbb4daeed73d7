//! Waiting for children.

use std::io;

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// Waits until this child has ended, and takes its status.
pub(super) fn wait(child: Pid) {
    while matches!(waitpid(child, None), Err(Errno::EINTR)) {}
}

/// How a process ended.
pub(super) enum Ended {
    Code(i32),
    Signal(i32),
}

/// Waits until `child` has ended, and reaps every orphan that ends in the meantime.
pub(super) fn wait_as_first_process(child: Pid) -> io::Result<Ended> {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Ok(Ended::Code(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                return Ok(Ended::Signal(signal as i32));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
