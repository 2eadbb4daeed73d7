//! Processes under a policy: the two implementations of [`overnight_ports::sandbox::Sandbox`].
//!
//! * [`LinuxSandbox`]: a cell is a persistent helper process with its own user, mount, PID, IPC, UTS and network
//!   namespaces; every command in it gets a further PID namespace, Landlock and a seccomp filter. Opening a cell
//!   costs some ten milliseconds, a command in it a few.
//! * [`OpenSandbox`]: no sandbox at all, plain process groups, for `--unsafe-no-sandbox` and other systems.
//!
//! The helper is the running binary itself, started again with a hidden first argument. So `main` has to begin
//! with [`cell_main_if_asked`], before it starts any thread.

mod copy;
mod environment;
mod follow;
mod open;
mod output;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod proxy;

pub use environment::Host;
#[cfg(target_os = "linux")]
pub use linux::{LinuxCell, LinuxSandbox};
pub use open::OpenSandbox;
#[cfg(target_os = "linux")]
pub use proxy::{Denied, Rules};

/// Becomes a cell's helper, and never returns, if this process was started as one. To be called as the very first
/// thing in `main`: the helper forks and changes its namespaces, which only a single-threaded process may do.
pub fn cell_main_if_asked() {
    #[cfg(target_os = "linux")]
    linux::helper_main_if_asked();
}

/// Whether this kernel offers what [`LinuxSandbox`] needs: opens a tiny cell, once per process, and says what
/// holds it (`namespaces+landlock(7)+seccomp`), or why there is none and what can be done about it.
pub async fn probe() -> Result<String, String> {
    #[cfg(target_os = "linux")]
    {
        linux::probe().await
    }
    #[cfg(not(target_os = "linux"))]
    {
        Err(
            "cells need Linux; run with --unsafe-no-sandbox in a machine that you can lose"
                .to_owned(),
        )
    }
}
