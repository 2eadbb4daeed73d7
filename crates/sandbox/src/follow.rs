//! Following a command to its end: its two output streams, its limit, and the word that it has ended.

use std::fs::File;
use std::future::{Future, pending};
use std::io::{self, Read};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep_until};

/// How much is read at once, bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// How much is read after the end at most, bytes. All that the command wrote is in the pipe by then, and a pipe
/// holds no more than this; but a process in the background may have got hold of the pipe, and write to it for ever.
const DRAIN_BYTES_MAX: usize = 1024 * 1024;
/// How long a killed command may take to die.
const DEATH_TIMEOUT: Duration = Duration::from_secs(10);

/// Where output goes.
pub(crate) type Sink<'a> = &'a mut (dyn FnMut(&[u8]) + Send);

/// How following ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Followed<T> {
    /// The command ended by itself.
    Ended(T),
    /// It was killed at its limit.
    TimedOut,
    /// It was killed at its limit and would not die.
    Undead,
}

/// Reads both streams until the command has ended; kills it, by `kill`, at `deadline`.
pub(crate) async fn follow<T>(
    ended: impl Future<Output = T>,
    kill: impl Fn(),
    deadline: Option<Instant>,
    (stdout, out_sink): (Receiver, Sink<'_>),
    (stderr, err_sink): (Option<Receiver>, Sink<'_>),
) -> io::Result<Followed<T>> {
    tokio::pin!(ended);
    let (mut stdout, mut stderr) = (Some(stdout), stderr);
    let (mut out_buffer, mut err_buffer) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    let (mut deadline, mut killed) = (deadline, false);
    // A stream that was closed early is taken out of the selection, so it is remembered apart from its pipe.
    let (mut out_open, mut err_open) = (true, stderr.is_some());
    let end = loop {
        tokio::select! {
            end = &mut ended => break Some(end),
            () = at(deadline) => {
                if killed {
                    break None;
                }
                kill();
                (killed, deadline) = (true, Some(Instant::now() + DEATH_TIMEOUT));
            }
            read = read(&mut stdout, &mut out_buffer), if out_open => match read {
                Ok(0) | Err(_) => out_open = false,
                Ok(n) => out_sink(&out_buffer[..n]),
            },
            read = read(&mut stderr, &mut err_buffer), if err_open => match read {
                Ok(0) | Err(_) => err_open = false,
                Ok(n) => err_sink(&err_buffer[..n]),
            },
        }
    };
    drain(stdout.filter(|_| out_open), &mut out_buffer, out_sink)?;
    drain(stderr.filter(|_| err_open), &mut err_buffer, err_sink)?;
    Ok(match end {
        Some(_) if killed => Followed::TimedOut,
        Some(end) => Followed::Ended(end),
        None => Followed::Undead,
    })
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

async fn read(pipe: &mut Option<Receiver>, buffer: &mut [u8]) -> io::Result<usize> {
    match pipe {
        Some(pipe) => pipe.read(buffer).await,
        None => pending().await,
    }
}

/// Reads what is left in the pipe, straight from the descriptor: the runtime's idea of whether it is readable may
/// lag behind.
fn drain(pipe: Option<Receiver>, buffer: &mut [u8], sink: Sink<'_>) -> io::Result<()> {
    let Some(pipe) = pipe else { return Ok(()) };
    let mut pipe = File::from(pipe.into_nonblocking_fd()?);
    let mut total = 0;
    while total < DRAIN_BYTES_MAX {
        match pipe.read(buffer) {
            Ok(0) => break,
            Ok(n) => {
                sink(&buffer[..n]);
                total += n;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    Ok(())
}
