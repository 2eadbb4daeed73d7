//! The way out of a cell that may reach certain hosts: an HTTP proxy that lets only those through, and forwarded
//! ports of the host's loopback. Both listen in the cell's network namespace and run in the harness.

mod http;
mod rules;
mod serve;

pub use rules::Rules;
pub(crate) use serve::{forward, serve};

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How many different hosts are remembered as denied.
const DENIED_MAX: usize = 1000;

/// A host that something in the cell asked for and did not get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// As it was asked for.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How often.
    pub attempts: u64,
}

/// What was denied so far in a cell.
#[derive(Debug, Default)]
pub(crate) struct DeniedLog(Mutex<BTreeMap<(String, u16), u64>>);

impl DeniedLog {
    pub(crate) fn add(&self, host: &str, port: u16) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (host.to_owned(), port);
        if log.len() < DENIED_MAX || log.contains_key(&key) {
            *log.entry(key).or_default() += 1;
        }
    }

    pub(crate) fn list(&self) -> Vec<Denied> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter()
            .map(|((host, port), attempts)| Denied {
                host: host.clone(),
                port: *port,
                attempts: *attempts,
            })
            .collect()
    }
}
