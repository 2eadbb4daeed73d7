//! Time, so that tests and simulations can have their own.

use async_trait::async_trait;
use overnight_core::ids::UnixMs;

/// Both clocks, read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The one on the wall, which people set.
    pub wall: UnixMs,
    /// The one that only counts, milliseconds since any moment: nobody sets it, and it stands still while the machine
    /// sleeps.
    pub counted: u64,
}

/// Wall-clock time and sleeping.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixMs;
    /// Both clocks. A clock that nobody can set counts itself.
    fn times(&self) -> Times {
        let wall = self.now();
        Times {
            wall,
            counted: wall,
        }
    }
    /// Returns at `until` or later; at once if it is past.
    async fn sleep_until(&self, until: UnixMs);
}
