//! Stopping and going on: Ctrl-Z, `kill -TSTP`, `fg`. The terminal is given back before the process stops and taken
//! over again when it goes on in the foreground.

use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};

use super::live::{Shared, Wanted};

/// How often it is looked whether the terminal was given back.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often at most: a terminal that takes no bytes is not waited for.
const LOOKS_MAX: u32 = 100;

/// Heeds the signals from now on. Needs the runtime.
pub fn heed(shared: Arc<Shared>) {
    let stop = signal(SignalKind::from_raw(Signal::SIGTSTP as i32));
    let go_on = signal(SignalKind::from_raw(Signal::SIGCONT as i32));
    let (Ok(mut stop), Ok(mut go_on)) = (stop, go_on) else {
        return;
    };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                asked = stop.recv() => {
                    if asked.is_none() {
                        return;
                    }
                    shared.want(Wanted::Hidden);
                    for _ in 0..LOOKS_MAX {
                        if shared.given_back() {
                            break;
                        }
                        tokio::time::sleep(LOOK_EVERY).await;
                    }
                    // The whole process stands still in here until somebody says SIGCONT. Not by SIGSTOP: this one
                    // the kernel ignores where no shell is there that could ever say it, and the run goes on.
                    let _ = raise(Signal::SIGTTOU);
                    // The SIGCONT itself is no second reason to draw anew.
                    let _ = tokio::time::timeout(LOOK_EVERY, go_on.recv()).await;
                    shared.want(Wanted::Anew);
                }
                // Also after a stop that nobody could see coming.
                asked = go_on.recv() => {
                    if asked.is_none() {
                        return;
                    }
                    shared.want(Wanted::Anew);
                }
            }
        }
    });
}

/// What Ctrl-Z does in a terminal that is not in raw mode: asks the whole job to stop.
pub fn stop_job() {
    // This process is among those that hear it.
    let _ = kill(Pid::from_raw(0), Signal::SIGTSTP);
}
