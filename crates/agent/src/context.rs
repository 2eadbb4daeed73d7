//! What a tool may reach while it acts.

use std::sync::{Mutex, PoisonError};

use overnight_core::ids::{BlobId, UnixMs};
use overnight_core::state::State;
use overnight_ports::journal::BlobSink;

use crate::servers::OfferedTool;
use crate::transcript::Transcript;
use crate::worksite::Ready;

/// What a tool may reach.
pub(crate) struct Context<'a> {
    pub state: &'a State,
    pub ready: &'a Ready,
    pub blobs: &'a dyn BlobSink,
    pub now: UnixMs,
    pub past: &'a Mutex<Transcript>,
    /// The tools of the goal's servers.
    pub offered: &'a [OfferedTool],
}

impl Context<'_> {
    /// The blob of a kept output.
    pub fn output(&self, turn: u64, index: usize) -> Option<BlobId> {
        self.past
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .output(turn, index)
            .cloned()
    }
}
