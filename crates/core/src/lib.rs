//! The rules of overnight, pure: no clock, no files, no network, no randomness, no hash-map order.
//!
//! A goal is a contract ([`goal`]); a run is a fold of [`event`]s through [`step`](mod@step); whether a run is
//! complete is decided here and nowhere else. The same `step` runs embedded and, later, as a Temporal workflow,
//! so everything in this crate must give the same answer for the same events, for ever.

pub mod bounds;
pub mod check;
pub mod effect;
pub mod event;
pub mod finding;
pub mod goal;
pub mod ids;
pub mod item;
pub mod judge;
pub mod measure;
pub mod notification;
pub mod paths;
pub mod repo;
pub mod report;
pub mod state;
pub mod step;
pub mod stop;
pub mod tests;
pub mod turn;
pub mod worklist;
