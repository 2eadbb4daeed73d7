//! One command: its first process, which confines itself and waits, and its second, which becomes the shell.
//! When the first ends, the kernel ends everything else in their PID namespace.

use std::ffi::{CString, c_char};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::unistd::{ForkResult, fork};

use super::confine::{self, Confinement};
use super::reap::{self, Ended};
use crate::linux::wire::{End, Job, memory_file};

/// A longer script does not fit into one argument (the kernel's limit is 128 KiB) and is read from a file.
const SCRIPT_ARGUMENT_BYTES_MAX: usize = 100 * 1024;
/// Where the report's descriptor is while the command is confined; everything above is closed.
const REPORT_FD: RawFd = 3;
/// Where a long script is.
const SCRIPT_FD: RawFd = 4;
/// A shell's exit code for a command that could not be started.
const CANNOT_START: i32 = 126;

/// A command ready to be executed: all that needs memory is done.
pub(super) struct Prepared {
    dir: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    script: Option<OwnedFd>,
}

impl Prepared {
    pub(super) fn new(job: Job) -> io::Result<Prepared> {
        let long = job.script.len() > SCRIPT_ARGUMENT_BYTES_MAX;
        let script = if long {
            Some(memory_file(job.script.as_bytes())?)
        } else {
            None
        };
        let arguments = if long {
            vec![
                c"sh".to_owned(),
                CString::new(format!("/proc/self/fd/{SCRIPT_FD}"))?,
            ]
        } else {
            vec![
                c"sh".to_owned(),
                c"-c".to_owned(),
                CString::new(job.script)?,
            ]
        };
        let environment = job
            .env
            .into_iter()
            .map(|(name, value)| CString::new(format!("{name}={value}")))
            .collect::<Result<_, _>>()?;
        Ok(Prepared {
            dir: CString::new(job.dir)?,
            arguments,
            environment,
            script,
        })
    }
}

/// The first process of a command's PID namespace.
pub(super) fn first_process(
    job: &Prepared,
    stdio: [OwnedFd; 3],
    report: OwnedFd,
    confinement: &Confinement,
) -> ! {
    let end = arrange_descriptors(stdio, &report, job.script.as_ref())
        .and_then(|()| confinement.enter())
        .and_then(|()| run(job));
    let report = match end {
        Ok(Ended::Code(code)) => number(b'E', code),
        Ok(Ended::Signal(signal)) => number(b'S', signal),
        Err(error) => text(b'F', &error),
    };
    write_report(&report);
    // SAFETY: plain exit.
    unsafe { libc::_exit(0) }
}

fn number(kind: u8, value: i32) -> Vec<u8> {
    let mut report = vec![kind];
    report.extend(value.to_le_bytes());
    report
}

fn text(kind: u8, error: &io::Error) -> Vec<u8> {
    let mut report = vec![kind];
    report.extend(error.to_string().as_bytes());
    report
}

fn write_report(report: &[u8]) {
    // SAFETY: the pointer and the length are the slice's. If it cannot be written, the command counts as killed.
    unsafe { libc::write(REPORT_FD, report.as_ptr().cast(), report.len()) };
}

/// The word of a command's first process, or of its second if that could not become the shell: the first one
/// that was written counts.
pub(super) fn parse_report(report: &[u8]) -> End {
    let Some((kind, rest)) = report.split_first() else {
        return End::Killed;
    };
    let value = rest.first_chunk().map(|bytes| i32::from_le_bytes(*bytes));
    match (kind, value) {
        (b'D', _) => End::NoDirectory,
        (b'E', Some(code)) => End::Code(code),
        (b'S', Some(signal)) => End::Signal(signal),
        _ => End::Broken(String::from_utf8_lossy(rest).into_owned()),
    }
}

/// Puts the descriptors where they belong and closes all others, the control socket among them.
fn arrange_descriptors(
    stdio: [OwnedFd; 3],
    report: &OwnedFd,
    script: Option<&OwnedFd>,
) -> io::Result<()> {
    let [stdin, stdout, stderr] = &stdio;
    let mut wanted = vec![
        (stdin.as_raw_fd(), 0),
        (stdout.as_raw_fd(), 1),
        (stderr.as_raw_fd(), 2),
        (report.as_raw_fd(), REPORT_FD),
    ];
    wanted.extend(script.map(|script| (script.as_raw_fd(), SCRIPT_FD)));
    // First out of the way of each other, then into place.
    let mut high = Vec::new();
    for (fd, _) in &wanted {
        // SAFETY: the descriptor is open.
        let copy = unsafe { libc::fcntl(*fd, libc::F_DUPFD, super::OWN_DESCRIPTORS) };
        if copy < 0 {
            return Err(io::Error::last_os_error());
        }
        high.push(copy);
    }
    for (from, (_, to)) in high.iter().zip(&wanted) {
        // SAFETY: whatever `to` was open on belongs to this process alone, and is not used any more.
        if unsafe { libc::dup2(*from, *to) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    std::mem::forget(stdio);
    Ok(())
}

/// Closes everything that the command is not to have.
pub(super) fn close_others(script: bool) -> io::Result<()> {
    let first = if script { SCRIPT_FD + 1 } else { SCRIPT_FD };
    // SAFETY: nothing in this process uses those descriptors from here on; it ends without dropping their owners.
    if unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn run(job: &Prepared) -> io::Result<Ended> {
    close_others(job.script.is_some())?;
    confine::filter_calls()?;
    // SAFETY: the process is single-threaded.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            // The command's pipes are its own: it must be able to see their other end close.
            for fd in 0..REPORT_FD {
                // SAFETY: nothing in this process uses standard streams any more.
                unsafe { libc::close(fd) };
            }
            reap::wait_as_first_process(child)
        }
        ForkResult::Child => become_shell(job),
    }
}

fn become_shell(job: &Prepared) -> ! {
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        strings
            .iter()
            .map(|string| string.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (arguments, environment) = (pointers(&job.arguments), pointers(&job.environment));
    // SAFETY: calls on this process alone, with valid C strings and null-terminated arrays of them that live on.
    unsafe {
        libc::setsid();
        libc::umask(0o022);
        libc::fcntl(REPORT_FD, libc::F_SETFD, libc::FD_CLOEXEC);
        // The harness's language ignores SIGPIPE, and its caller may ignore others; a shell expects none of it.
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        if libc::chdir(job.dir.as_ptr()) < 0 {
            write_report(b"D");
            libc::_exit(CANNOT_START);
        }
        libc::execve(
            c"/bin/sh".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
        );
        write_report(&text(b'F', &io::Error::last_os_error()));
        libc::_exit(CANNOT_START)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_as_they_are_written() {
        assert_eq!(parse_report(&number(b'E', 7)), End::Code(7));
        assert_eq!(parse_report(&number(b'S', 9)), End::Signal(9));
        assert_eq!(parse_report(b"D"), End::NoDirectory);
        assert_eq!(parse_report(b""), End::Killed);
        assert_eq!(parse_report(b"E"), End::Broken(String::new()));
        // A shell that could not start reports first, and its parent's report of its exit comes after.
        assert_eq!(parse_report(b"DE\x7e\0\0\0"), End::NoDirectory);
    }
}
