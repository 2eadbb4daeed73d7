//! The first process's life: it waits for requests and for the end of commands. When the harness is gone, however
//! it went, so is this process, and everything in the cell with it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, pipe2};

use super::confine::Confinement;
use super::{command, reap};
use crate::linux::wire::{self, End, Job, Reply, Request};

/// How many commands run in one cell at once at most.
const COMMANDS_MAX: usize = 256;
/// How long a report of how a command ended may be, bytes.
const REPORT_BYTES_MAX: u64 = 4096;

struct Running {
    id: u64,
    pid: Pid,
    pidfd: OwnedFd,
    /// Where the command's first process writes how it ended.
    report: OwnedFd,
}

/// Serves requests until the harness is gone.
pub(super) fn serve(control: &OwnedFd, confinement: &Confinement) -> io::Result<()> {
    let mut running: Vec<Running> = Vec::new();
    loop {
        let ready = wait(control, &running)?;
        // From the last to the first, so that taking one out leaves the others where they are.
        for index in (0..running.len()).rev().filter(|index| ready[index + 1]) {
            let ended = running.swap_remove(index);
            let reply = Reply::Ended {
                id: ended.id,
                end: end_of(&ended),
            };
            wire::send(control.as_fd(), &reply, &[])?;
        }
        if ready[0] {
            match wire::receive::<Request>(control.as_fd())? {
                None => return Ok(()),
                Some((Request::Kill { id }, _)) => {
                    if let Some(job) = running.iter().find(|job| job.id == id) {
                        kill(&job.pidfd);
                    }
                }
                Some((Request::Run { id }, fds)) => match start(id, fds, &running, confinement) {
                    Ok(job) => running.push(job),
                    Err(error) => {
                        let end = End::Broken(error.to_string());
                        wire::send(control.as_fd(), &Reply::Ended { id, end }, &[])?;
                    }
                },
            }
        }
    }
}

/// Which are ready: the control socket, then each running command's end.
fn wait(control: &OwnedFd, running: &[Running]) -> io::Result<Vec<bool>> {
    let mut waiting = vec![PollFd::new(control.as_fd(), PollFlags::POLLIN)];
    waiting.extend(
        running
            .iter()
            .map(|job| PollFd::new(job.pidfd.as_fd(), PollFlags::POLLIN)),
    );
    loop {
        match poll(&mut waiting, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => break,
        }
    }
    Ok(waiting.iter().map(|fd| fd.any().unwrap_or(true)).collect())
}

fn start(
    id: u64,
    fds: Vec<OwnedFd>,
    running: &[Running],
    confinement: &Confinement,
) -> io::Result<Running> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
    if running.len() >= COMMANDS_MAX {
        return Err(invalid(
            "too many commands run in this cell at once; end some of those in the background",
        ));
    }
    let [job, stdin, stdout, stderr] =
        <[OwnedFd; 4]>::try_from(fds).map_err(|_| invalid("a command without its descriptors"))?;
    let job = command::Prepared::new(wire::read_memory_file::<Job>(job)?)?;
    let (report, report_end) = pipe2(OFlag::O_CLOEXEC)?;
    let mut pidfd: RawFd = -1;
    let mut arguments = CloneArguments {
        flags: (libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_PIDFD) as u64,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArguments::default()
    };
    // SAFETY: without a stack of its own the call is a fork; this process is single-threaded. The arguments have
    // the kernel's layout (CLONE_ARGS_SIZE_VER0), and their size is given.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw mut arguments,
            size_of::<CloneArguments>(),
        )
    };
    match pid {
        0 => command::first_process(&job, [stdin, stdout, stderr], report_end, confinement),
        pid if pid < 0 => Err(io::Error::last_os_error()),
        pid => {
            // SAFETY: the kernel has just made this descriptor and stored it there.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Running {
                id,
                pid: Pid::from_raw(pid as i32),
                pidfd,
                report,
            })
        }
    }
}

#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

fn kill(pidfd: &OwnedFd) {
    // SAFETY: only integers and null are given. A command that has ended already cannot be killed, which is fine.
    unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            libc::SIGKILL,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
}

/// Reaps the command's first process and reads its report. There is none if it was killed.
fn end_of(job: &Running) -> End {
    reap::wait(job.pid);
    let mut report = Vec::new();
    // The write end is closed, so this neither waits nor fails but for a broken kernel, which counts as killed.
    let read = job.report.try_clone().and_then(|fd| {
        File::from(fd)
            .take(REPORT_BYTES_MAX)
            .read_to_end(&mut report)
    });
    if read.is_err() {
        return End::Killed;
    }
    command::parse_report(&report)
}
