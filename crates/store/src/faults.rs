//! Faults on purpose, in builds with debug assertions only: tests let the process die at a chosen append.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Set to N, the process dies by SIGKILL right before its N-th append becomes durable (from 1).
pub const KILL_BEFORE: &str = "OVERNIGHT_FAULT_KILL_BEFORE_APPEND";
/// Set to N, the process dies by SIGKILL right after its N-th append has become durable (from 1).
pub const KILL_AFTER: &str = "OVERNIGHT_FAULT_KILL_AFTER_APPEND";

static APPENDS: AtomicU64 = AtomicU64::new(0);

/// Counts an append that is about to be made.
pub(crate) fn before_append() {
    let number = APPENDS.fetch_add(1, Ordering::Relaxed) + 1;
    die_at(KILL_BEFORE, number);
}

/// The append is durable.
pub(crate) fn after_append() {
    die_at(KILL_AFTER, APPENDS.load(Ordering::Relaxed));
}

fn die_at(variable: &'static str, number: u64) {
    static CHOSEN: OnceLock<(Option<u64>, Option<u64>)> = OnceLock::new();
    let read = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let (before, after) = CHOSEN.get_or_init(|| (read(KILL_BEFORE), read(KILL_AFTER)));
    let chosen = if variable == KILL_BEFORE {
        before
    } else {
        after
    };
    if *chosen == Some(number) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
    }
}
