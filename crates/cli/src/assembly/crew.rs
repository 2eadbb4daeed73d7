//! Who works on the items of a worklist: each on a site of its own, in a conversation of its own; and replays of errors in
//! clean checkouts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use overnight_agent::{BuiltIn, Worksite};
use overnight_checks::observe::CheckoutVerifier;
use overnight_core::ids::{ItemId, TreeId};
use overnight_core::item::{Dossier, ItemHead, Replayed};
use overnight_core::state::State;
use overnight_ports::crew::{Crew, Member, Replayer};
use overnight_ports::journal::BlobSink;
use overnight_ports::mcp::Connector;
use overnight_ports::sandbox::{Command, Exit, Sandbox, Streams};

use super::ground::{GitGround, leave_rounds};
use super::remover::Remover;

/// What a crew is put together from.
pub(super) struct CrewParts {
    /// The run's folder.
    pub run_dir: PathBuf,
    /// Where the run's own workspace comes from.
    pub ground: GitGround,
    /// What cells are opened with.
    pub sandbox: Arc<dyn Sandbox>,
    /// Where snapshots and outputs are kept.
    pub blobs: Arc<dyn BlobSink>,
    /// The client for the goal's MCP servers.
    pub connector: Arc<dyn Connector>,
    /// The run's own conversation: items have its model and its tools.
    pub executor: Arc<BuiltIn>,
}

/// Hands out members by item.
pub(super) struct GitCrew {
    parts: CrewParts,
    members: Mutex<BTreeMap<ItemId, (u32, Member)>>,
    remover: Arc<Remover>,
}

impl GitCrew {
    pub fn new(parts: CrewParts) -> Self {
        let items = overnight_workspace::items_dir(&parts.run_dir);
        let items = items.unwrap_or_else(|_| parts.run_dir.join("items"));
        GitCrew {
            remover: Arc::new(Remover::below(items)),
            members: Mutex::default(),
            parts,
        }
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<ItemId, (u32, Member)>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Crew for GitCrew {
    fn member(&self, item: &ItemHead) -> Member {
        let make = || {
            let parts = &self.parts;
            let ground = parts.ground.item(item.index, self.remover.clone());
            let site = Worksite::new(Arc::new(ground), parts.sandbox.clone(), parts.blobs.clone());
            let site = Arc::new(site.with_servers(parts.connector.clone()));
            let executor = Arc::new(parts.executor.for_item(site.clone()));
            (item.index, Member { site, executor })
        };
        let mut members = self.members();
        let (_, member) = members.entry(item.id.clone()).or_insert_with(make);
        member.clone()
    }

    async fn dismiss(&self, item: &ItemId) {
        let Some((index, member)) = self.members().remove(item) else {
            return;
        };
        member.site.close().await;
        let (run_dir, remover) = (self.parts.run_dir.clone(), self.remover.clone());
        // A workspace that cannot be removed costs disk only.
        let _ = tokio::task::spawn_blocking(move || leave_rounds(&run_dir, index, &remover)).await;
    }
}

/// How long one replay may take.
const REPLAY_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// Exit codes with which a shell says that it could not run a command at all.
const NOT_RUN: [i32; 2] = [126, 127];

/// Replays an item's event in a clean checkout.
pub(super) struct CellReplayer {
    command: String,
    verifier: Arc<CheckoutVerifier>,
}

impl CellReplayer {
    pub fn new(command: String, verifier: Arc<CheckoutVerifier>) -> Self {
        CellReplayer { command, verifier }
    }
}

#[async_trait]
impl Replayer for CellReplayer {
    async fn replay(&self, _: &State, tree: &TreeId, dossier: &Dossier) -> Replayed {
        let Some(event) = &dossier.event else {
            return Replayed::CannotTell;
        };
        let Ok(mut stdin) = serde_json::to_vec(event) else {
            return Replayed::CannotTell;
        };
        stdin.push(b'\n');
        let command = Command {
            script: self.command.clone(),
            dir: String::new(),
            env: BTreeMap::new(),
            timeout: REPLAY_TIMEOUT,
            stdin: Some(stdin),
            streams: Streams::Merged,
        };
        match self.verifier.run(tree, command).await {
            Ok(finished) => said(finished.exit),
            Err(_) => Replayed::CannotTell,
        }
    }
}

/// What the command's end says: 0 is an error that is gone.
fn said(exit: Exit) -> Replayed {
    match exit {
        Exit::Code(0) => Replayed::Passes,
        Exit::Code(code) if NOT_RUN.contains(&code) => Replayed::CannotTell,
        // A program that dies of the event shows the error as well as one that says so.
        Exit::Code(_) | Exit::Signal(_) => Replayed::Fails,
        Exit::TimedOut | Exit::Killed => Replayed::CannotTell,
    }
}

#[cfg(test)]
#[path = "crew_tests.rs"]
mod tests;
