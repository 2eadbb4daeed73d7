//! Where the work happens: the workspace, and the cell around it.

use async_trait::async_trait;
use overnight_core::event::{Event, Offer};
use overnight_core::ids::BlobId;
use overnight_core::repo::{Base, Candidate};
use overnight_core::state::State;
use overnight_core::turn::{Call, CallResult, Denial};

use crate::model::{Answer, ModelError};

/// A candidate with what had to happen to fix it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixed {
    /// What would be delivered.
    pub candidate: Candidate,
    /// Changes since the last scan.
    pub delta: Option<BlobId>,
    /// Changes that no rule allows; they are reverted.
    pub denials: Vec<Denial>,
    /// Background commands that were stopped for it: nothing that the agent started may be alive when a check runs.
    pub stopped: Vec<String>,
}

/// The workspace of one run. Errors are texts for people: what, where, what next.
#[async_trait]
pub trait Site: Send + Sync {
    /// Makes the workspace.
    async fn prepare(&self, state: &State) -> Result<Base, String>;
    /// Asks the goal's MCP servers what they offer, once, in the prepared workspace; it is left as it was. `None` if
    /// the goal names none.
    async fn offer(&self, _state: &State) -> Result<Option<Offer>, String> {
        Ok(None)
    }
    /// Takes an existing workspace up again after a restart; `deltas` are all of the journal's, oldest first.
    async fn reopen(&self, state: &State, deltas: &[BlobId]) -> Result<(), String>;
    /// Fixes what would be delivered now.
    async fn fix(&self, state: &State) -> Result<Fixed, String>;
    /// Kills whatever still runs and frees what is held.
    async fn close(&self);
}

/// What works on a goal: it asks a model and performs the tools. It decides nothing: every answer and every call is
/// an event, and what comes next is `core`'s decision.
#[async_trait]
pub trait Executor: Send + Sync {
    /// Hears every event, in order, also the ones of before a restart: what a request shows is made of them.
    fn learn(&self, event: &Event);
    /// Asks the model for the next answer.
    async fn answer(&self, state: &State) -> Result<Answer, ModelError>;
    /// Whether the model's provider can be reached, found out without a model call and within seconds. Who cannot tell
    /// says yes.
    async fn reachable(&self) -> bool {
        true
    }
    /// The blob of a turn's answer, if that turn is the latest.
    fn last_answer(&self, turn: u64) -> Option<BlobId>;
    /// One line for people: `shell cargo test`.
    fn line(&self, call: &Call) -> String;
    /// Performs one call of an answer, its `index`-th from 0. `again`: the workspace is put back to its last snapshot first. Never fails:
    /// what went wrong is the result.
    async fn call(&self, state: &State, index: usize, call: &Call, again: bool) -> CallResult;
}
