//! The shell around the core: append, perform, report. It owns the run's state, starts what is due, aborts what is
//! no longer due, and writes every fact down before anything follows from it.

mod known;
mod notification;
mod perform;
mod preflight;
mod run;
mod summary;
mod verification;
mod worklist;

pub use perform::Ports;
pub use preflight::{Preflight, PreflightRow, Reuse, Shelf, compares, preflight};
pub use run::{Ended, Engine, EngineError, Watcher, load};
pub use summary::summary;
pub use verification::{Verification, Verified};
