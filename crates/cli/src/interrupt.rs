//! Commands that are no runs and can be interrupted: whatever they hold is put away before they end.

use std::future::Future;

use overnight_core::stop::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Does the work; nothing if Ctrl-C or a polite kill came first. The work is dropped then, and what it held goes with it.
pub async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    let heard = async {
        let streams = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let [Ok(mut interrupt), Ok(mut terminate)] = streams else {
            // Without handlers the signals do what they always do.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::select! {
        biased;
        () = heard => None,
        done = work => Some(done),
    }
}

/// Says so; the exit code.
pub fn interrupted() -> u8 {
    eprintln!("\ninterrupted");
    ExitCode::Stopped as u8
}
