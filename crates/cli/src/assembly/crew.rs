//! Who works on the items of a worklist: each on a site of its own, in a conversation of its own; and replays of errors in
//! clean checkouts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use overnight_agent::{BuiltIn, Worksite};
use overnight_checks::observe::CheckoutVerifier;
use overnight_core::goal::{Check, CheckKind, Feedback, RUNS_DEFAULT, Role};
use overnight_core::ids::{CheckId, ItemId, TreeId};
use overnight_core::item::{Dossier, ItemHead, Replayed};
use overnight_core::state::State;
use overnight_ports::crew::{Crew, Member, Replayer, Trees};
use overnight_ports::journal::BlobSink;
use overnight_ports::mcp::Connector;
use overnight_ports::oracle::Oracle;
use overnight_ports::sandbox::{Command, Exit, Sandbox, Streams};
use overnight_ports::workspace::WorkspaceError;
use overnight_workspace::{Checkouts, Replacement};

use super::ground::{GitGround, leave_rounds};
use super::oracle::GitOracle;
use super::remover::Remover;
use super::trees::GitTrees;

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
    run_dir: PathBuf,
    oracle: GitOracle,
    trees: GitTrees,
}

impl CellReplayer {
    pub fn new(command: String, verifier: Arc<CheckoutVerifier>, run_dir: &Path) -> Self {
        CellReplayer {
            command,
            verifier,
            run_dir: run_dir.to_owned(),
            oracle: GitOracle::new(run_dir),
            trees: GitTrees::new(run_dir),
        }
    }

    /// The tree with the base's replay command and all that it rests on: whoever changes what judges an error has mended
    /// nothing. The command is taken for a check of the goal, and what it names literally is the base's in any case.
    async fn judged(&self, state: &State, tree: &TreeId) -> Result<TreeId, String> {
        let Some(base) = state.base.as_ref().filter(|base| base.tree != *tree) else {
            return Ok(tree.clone());
        };
        let mut goal = state.goal.clone();
        goal.keep.checks.push(Check {
            id: CheckId::from("replay"),
            role: Role::Keep,
            kind: CheckKind::Run {
                command: self.command.clone(),
            },
            timeout_s: REPLAY_TIMEOUT.as_secs(),
            dir: String::new(),
            already: false,
            hidden: None,
            feedback: Feedback::default(),
            runs: RUNS_DEFAULT,
        });
        let candidate = self.trees.compare(&base.tree, tree).await?;
        let examined = self.oracle.examine(&goal, &base.tree, &candidate).await?;
        let (run_dir, base) = (self.run_dir.clone(), base.tree.clone());
        let command = self.command.clone();
        let laid = tokio::task::spawn_blocking(move || {
            let store = Checkouts::open(&run_dir)?;
            let (before, after) = (store.listing(&base)?, store.listing(&examined.laid)?);
            let changed: BTreeMap<String, Replacement> = words(&command)
                .filter_map(|word| before.get_key_value(word))
                .filter(|(path, entry)| after.get(*path) != Some(*entry))
                .map(|(path, entry)| (path.clone(), Replacement::Entry(entry.clone())))
                .collect();
            match changed.is_empty() {
                true => Ok(examined.laid),
                false => store.patched(&examined.laid, &after, &changed),
            }
        });
        let laid: Result<TreeId, WorkspaceError> = laid.await.map_err(|e| e.to_string())?;
        laid.map_err(|e| e.to_string())
    }
}

/// The words of a command line that can be paths.
fn words(command: &str) -> impl Iterator<Item = &str> {
    const BETWEEN: &[char] = &['"', '\'', '(', ')', ';', '|', '&', '<', '>', '=', '`', '$'];
    command
        .split(|c: char| c.is_whitespace() || BETWEEN.contains(&c))
        .map(|word| word.trim_start_matches("./"))
        .filter(|word| !word.is_empty())
}

#[async_trait]
impl Replayer for CellReplayer {
    async fn replay(&self, state: &State, tree: &TreeId, dossier: &Dossier) -> Replayed {
        let Some(event) = &dossier.event else {
            return Replayed::CannotTell;
        };
        let Ok(mut stdin) = serde_json::to_vec(event) else {
            return Replayed::CannotTell;
        };
        stdin.push(b'\n');
        let Ok(tree) = self.judged(state, tree).await else {
            return Replayed::CannotTell;
        };
        let command = Command {
            script: self.command.clone(),
            dir: String::new(),
            env: BTreeMap::new(),
            timeout: REPLAY_TIMEOUT,
            stdin: Some(stdin),
            streams: Streams::Merged,
        };
        match self.verifier.run(&tree, command).await {
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
