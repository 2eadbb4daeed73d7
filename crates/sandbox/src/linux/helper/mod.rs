//! The helper: a cell's own process. It enters new namespaces, builds the world in them and stays as the first
//! process of the cell, starting commands when it is asked to. Single-threaded throughout, so that forking is safe.

mod command;
mod confine;
mod reap;
mod serve;
mod world;

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{ForkResult, fork, getgid, getuid, setsid};

use super::sys::Context;
use super::wire::{self, Reply, Setup};
pub(super) use confine::landlock_version;

/// How much sooner than the harness the kernel kills what runs in a cell, when memory is short (0 to 1000).
const OOM_SCORE: &str = "500";
/// Descriptors of the helper's own begin here, out of the way of those that a command gets.
const OWN_DESCRIPTORS: i32 = 100;

/// Runs the helper; the value is the process's exit code.
pub(super) fn main() -> i32 {
    match take_control() {
        Ok(control) => match enter(&control) {
            Ok(()) => 0,
            Err(error) => {
                tell_failure(&control, &error);
                1
            }
        },
        Err(error) => {
            eprintln!("overnight: the cell's helper has no control socket: {error}");
            2
        }
    }
}

/// Moves the control socket away from standard input, where the harness has put it.
fn take_control() -> io::Result<OwnedFd> {
    // SAFETY: descriptor 0 is open from the start of the process on, and nobody else uses it.
    let stdin = unsafe { BorrowedFd::borrow_raw(0) };
    let control = fcntl(stdin, FcntlArg::F_DUPFD_CLOEXEC(OWN_DESCRIPTORS))?;
    // SAFETY: the call has just made this descriptor.
    let control = unsafe { OwnedFd::from_raw_fd(control) };
    let null = open("/dev/null", OFlag::O_RDWR, Mode::empty())?;
    // SAFETY: both are open descriptors; 0 becomes another name of /dev/null.
    if unsafe { libc::dup2(null.as_raw_fd(), 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(control)
}

fn enter(control: &OwnedFd) -> io::Result<()> {
    let setup = receive_setup(control)?;
    // Out of the harness's session and process group: a Ctrl-C in its terminal is for the harness to interpret.
    setsid()?;
    fs::write("/proc/self/oom_score_adj", OOM_SCORE).context(|| "oom_score_adj".to_owned())?;
    let (uid, gid) = (getuid(), getgid());
    let mut flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if setup.network.own {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags)
        .map_err(io::Error::from)
        .context(|| "new namespaces".to_owned())?;
    // The kernel demands that an unprivileged process gives up setgroups before it maps its group.
    fs::write("/proc/self/setgroups", "deny").context(|| "setgroups".to_owned())?;
    fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).context(|| "uid_map".to_owned())?;
    fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).context(|| "gid_map".to_owned())?;
    // SAFETY: the process is single-threaded.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            reap::wait(child);
            Ok(())
        }
        ForkResult::Child => {
            let end = first_process(control, &setup);
            if let Err(error) = end {
                tell_failure(control, &error);
            }
            // SAFETY: plain exit; with it, the kernel ends everything in this PID namespace.
            unsafe { libc::_exit(0) }
        }
    }
}

fn tell_failure(control: &OwnedFd, error: &io::Error) {
    let refused = matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
    );
    // If nobody listens any more there is nobody to tell.
    let _ = wire::send(
        control.as_fd(),
        &Reply::Failed {
            what: error.to_string(),
            refused,
        },
        &[],
    );
}

fn receive_setup(control: &OwnedFd) -> io::Result<Setup> {
    let (_, fds) = wire::receive::<()>(control.as_fd())?
        .ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the harness is gone"))?;
    let file = fds
        .into_iter()
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no set-up"))?;
    wire::read_memory_file(file)
}

/// The cell's process 1.
fn first_process(control: &OwnedFd, setup: &Setup) -> io::Result<()> {
    let world = world::build(setup)?;
    let confinement =
        confine::Confinement::prepare(&setup.inside, &setup.home, !setup.network.own)?;
    // From here on nobody may look into this process, which is privileged in the cell's user namespace.
    confine::hide_from_debuggers()?;
    let fds: Vec<_> = world
        .listeners
        .iter()
        .map(|(_, socket)| socket.as_fd())
        .collect();
    let listeners = world
        .listeners
        .iter()
        .map(|(listener, _)| *listener)
        .collect();
    wire::send(
        control.as_fd(),
        &Reply::Ready {
            path: world.path,
            listeners,
        },
        &fds,
    )?;
    drop(world.listeners);
    serve::serve(control, &confinement)
}
