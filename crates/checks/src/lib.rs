//! Evidence: from a check's command line to what really happened.
//!
//! Three parts that know as little as possible of each other. [`reports`] and [`values`] read what tools leave
//! behind; they are pure and take hostile bytes. [`runners`] makes a command name each test, from its text alone.
//! [`observe`] runs it in a cell on a clean checkout and puts the observation together. Whether an observation is a
//! pass is not decided here: `overnight-core` does that.

pub mod observe;
pub(crate) mod plain;
pub mod reports;
pub mod runners;
pub mod values;
