//! The sources from outside: the same contract for each, against servers that answer as the published descriptions say,
//! real commands and files, and a real Bugsink.

mod bugsink;
mod contract;
mod faults;
mod local;
mod open;
mod published;
mod server;
mod trackers;
