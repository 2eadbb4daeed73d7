//! Commands that are no runs and can be interrupted: whatever they hold is put away before they end.

use std::future::Future;

use overnight_core::stop::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Does the work; nothing if Ctrl-C or a polite kill came first. The work is dropped then, and what it held goes with it.
pub async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    let heard = async {
        let streams = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let [Ok(mut interrupt), Ok(mut terminate)] = streams else {
            // Without handlers the signals do what they always do.
            return std::future::pending().await;
        };
        let mut hangup = Hangup::new();
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = hangup.heard() => {}
        }
    };
    tokio::select! {
        biased;
        () = heard => None,
        done = work => Some(done),
    }
}

/// The terminal was closed. Heard once at most: shells and the kernel both tell of it. Whoever was started with the signal
/// ignored (`nohup`) never hears it.
pub struct Hangup(Option<Signal>);

impl Hangup {
    /// Listens from now on.
    pub fn new() -> Self {
        let listens = !ignored(SignalKind::hangup());
        Hangup(listens.then(|| signal(SignalKind::hangup()).ok()).flatten())
    }

    /// Ends when it is heard.
    pub async fn heard(&mut self) {
        let heard = match &mut self.0 {
            Some(stream) => stream.recv().await,
            None => std::future::pending().await,
        };
        // The handler stays, so that the signal never does what it does by itself.
        self.0 = None;
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether this process was started with a signal ignored. Where the kernel does not tell, it was not.
fn ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    mask(&status).is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

fn mask(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Says so; the exit code.
pub fn interrupted() -> u8 {
    eprintln!("\ninterrupted");
    ExitCode::Stopped as u8
}
