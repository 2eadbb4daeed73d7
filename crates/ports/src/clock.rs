//! Time, so that tests and simulations can have their own.

use async_trait::async_trait;
use overnight_core::ids::UnixMs;

/// Wall-clock time and sleeping.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixMs;
    /// Returns at `until` or later; at once if it is past.
    async fn sleep_until(&self, until: UnixMs);
}
