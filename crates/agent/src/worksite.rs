//! The workspace of a run and the cell around it: what the tools act on, and the watch on what they did.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use overnight_core::event::{Offer, OfferedBy};
use overnight_core::goal::{McpAt, McpServer};
use overnight_core::ids::BlobId;
use overnight_core::judge::clip;
use overnight_core::repo::Base;
use overnight_core::state::State;
use overnight_core::turn::Denial;
use overnight_ports::journal::BlobSink;
use overnight_ports::mcp::Connector;
use overnight_ports::sandbox::{Background, Cell, CellSpec, Sandbox};
use overnight_ports::site::{Fixed, Site};
use overnight_ports::workspace::{Change, Delta, Workspace};

use crate::policy::{Policy, WHAT_BYTES_MAX};
use crate::servers::{Cells, Servers, offer};

/// How many background commands one run may have at a time.
pub(crate) const BACKGROUND_MAX: usize = 16;
/// How many changed paths a call's result names.
const TOUCHED_MAX: usize = 12;
/// How many denials one event holds.
const DENIALS_MAX: usize = 100;
/// How often denied changes are put back before the background is ended.
const REVERTS_MAX: usize = 3;

/// A workspace with the cell that belongs around it.
pub struct Prepared {
    /// The workspace.
    pub workspace: Box<dyn Workspace>,
    /// The cell's policy.
    pub cell: CellSpec,
    /// What the base itself says to whoever works on it (`AGENTS.md`, skills); part of the prompt's stable beginning.
    pub guidance: String,
}

/// Where workspaces come from. Blocking: called off the runtime. Errors are texts for people.
pub trait Ground: Send + Sync {
    /// Makes a new one.
    fn prepare(&self, state: &State) -> Result<Prepared, String>;
    /// Takes up an existing one after a restart.
    fn reopen(&self, state: &State) -> Result<Prepared, String>;
}

/// The workspace of one run, or of one item of its worklist. The cell is opened with the first command.
pub struct Worksite {
    ground: Arc<dyn Ground>,
    sandbox: Arc<dyn Sandbox>,
    blobs: Arc<dyn BlobSink>,
    connector: Option<Arc<dyn Connector>>,
    /// Made anew each time the workspace is.
    ready: Mutex<Option<Arc<Ready>>>,
}

pub(crate) struct Ready {
    workspace: Mutex<Box<dyn Workspace>>,
    pub dir: PathBuf,
    pub guidance: String,
    spec: CellSpec,
    pub policy: Policy,
    /// The goal's MCP servers.
    pub servers: Servers,
    cell: tokio::sync::Mutex<Option<Arc<dyn Cell>>>,
    pub background: Mutex<BTreeMap<String, Arc<dyn Background>>>,
    denied_hosts: Mutex<Vec<String>>,
    blobs: Arc<dyn BlobSink>,
    sandbox: Arc<dyn Sandbox>,
}

/// What a call did to the workspace.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    pub delta: Option<BlobId>,
    pub touched: Vec<String>,
    /// Every one; see [`bounded`].
    pub denials: Vec<Denial>,
    /// Background commands that were ended because they went on changing what is denied.
    pub stopped: Vec<String>,
}

/// What one or more scans found.
#[derive(Debug, Default)]
struct Look {
    delta: Delta,
    denied: BTreeSet<String>,
    stopped: Vec<String>,
}

/// As many denials as an event holds; the rest as a number.
pub(crate) fn bounded(mut denials: Vec<Denial>) -> Vec<Denial> {
    if denials.len() > DENIALS_MAX {
        let rest = denials.split_off(DENIALS_MAX - 1);
        let rule = rest.first().map_or_else(String::new, |d| d.rule.clone());
        let what = format!("{} more paths", rest.len());
        denials.push(Denial { rule, what });
    }
    for denial in &mut denials {
        denial.what = clip(&denial.what, WHAT_BYTES_MAX);
    }
    denials
}

impl Worksite {
    /// A site that is not prepared yet.
    pub fn new(
        ground: Arc<dyn Ground>,
        sandbox: Arc<dyn Sandbox>,
        blobs: Arc<dyn BlobSink>,
    ) -> Self {
        Worksite {
            ground,
            sandbox,
            blobs,
            connector: None,
            ready: Mutex::default(),
        }
    }

    /// With a client for the goal's MCP servers.
    pub fn with_servers(self, connector: Arc<dyn Connector>) -> Self {
        Worksite {
            connector: Some(connector),
            ..self
        }
    }

    pub(crate) fn ready(&self) -> Result<Arc<Ready>, String> {
        self.slot()
            .clone()
            .ok_or_else(|| "the workspace is not prepared".to_owned())
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Ready>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes what there was before the workspace is made anew.
    async fn leave(&self) {
        let before = self.slot().take();
        if let Some(before) = before {
            before.close_cell().await;
        }
    }

    pub(crate) fn blobs(&self) -> &Arc<dyn BlobSink> {
        &self.blobs
    }

    fn settle(&self, state: &State, prepared: Prepared) -> Result<(), String> {
        let policy = Policy::new(&state.goal)?;
        let ready = Ready {
            dir: prepared.workspace.dir().to_owned(),
            workspace: Mutex::new(prepared.workspace),
            spec: prepared.cell,
            guidance: prepared.guidance,
            policy,
            servers: Servers::new(self.connector.clone(), &servers(state)),
            cell: tokio::sync::Mutex::new(None),
            background: Mutex::new(BTreeMap::new()),
            denied_hosts: Mutex::default(),
            blobs: self.blobs.clone(),
            sandbox: self.sandbox.clone(),
        };
        *self.slot() = Some(Arc::new(ready));
        Ok(())
    }
}

/// The servers that can be used: in an item none at an address, because what an item says came from outside.
fn servers(state: &State) -> Vec<McpServer> {
    let in_item = state.item.is_some();
    let may = |server: &&McpServer| !in_item || matches!(server.at, McpAt::Run { .. });
    state.goal.uses.mcp.iter().filter(may).cloned().collect()
}

#[async_trait]
impl Site for Worksite {
    async fn prepare(&self, state: &State) -> Result<Base, String> {
        self.leave().await;
        let (ground, copy) = (self.ground.clone(), state.clone());
        let prepared = blocking(move || ground.prepare(&copy)).await?;
        let base = prepared.workspace.base().clone();
        self.settle(state, prepared)?;
        Ok(base)
    }

    async fn offer(&self, state: &State) -> Result<Option<Offer>, String> {
        // Items have what was offered when the run began.
        if state.goal.uses.mcp.is_empty() || state.item.is_some() {
            return Ok(None);
        }
        let ready = self.ready()?;
        let tools = match ready.servers.tools(ready.as_ref()).await {
            Ok(found) => offer(found, &ready.policy),
            Err(why) => Err(why),
        };
        // What starting them left behind is nobody's work.
        ready.restore().await?;
        let tools = tools?;
        let bytes = serde_json::to_vec(&tools).map_err(|e| e.to_string())?;
        let put = self.blobs.put(&bytes);
        let by = |server: &McpServer| OfferedBy {
            server: server.name.clone(),
            tools: tools.iter().filter(|t| t.server == server.name).count() as u32,
        };
        Ok(Some(Offer {
            tools: put.map_err(|e| format!("the list of tools cannot be kept: {e}"))?,
            servers: state.goal.uses.mcp.iter().map(by).collect(),
        }))
    }

    async fn reopen(&self, state: &State, deltas: &[BlobId]) -> Result<(), String> {
        self.leave().await;
        let (ground, copy) = (self.ground.clone(), state.clone());
        let mut prepared = blocking(move || ground.reopen(&copy)).await?;
        for id in deltas {
            let bytes = self
                .blobs
                .get(id)
                .map_err(|e| format!("snapshot {id}: {e}"))?;
            let delta: Delta =
                serde_json::from_slice(&bytes).map_err(|e| format!("snapshot {id}: {e}"))?;
            prepared.workspace.replay(&delta);
        }
        prepared.workspace.artefacts(&state.artefacts);
        self.settle(state, prepared)
    }

    async fn fix(&self, state: &State) -> Result<Fixed, String> {
        let ready = self.ready()?;
        let mut stopped = ready.stop_background().await;
        let mut look = ready.look(&state.artefacts, Vec::new()).await?;
        let fixed = || ready.workspace().candidate().map_err(|e| e.to_string());
        let mut candidate = fixed()?;
        // What an earlier look has missed is in the candidate all the same.
        let missed: Vec<String> = candidate
            .changes
            .iter()
            .filter(|c| ready.policy.path(&c.path).is_err())
            .map(|c| c.path.clone())
            .collect();
        if !missed.is_empty() {
            let again = ready.look(&state.artefacts, missed).await?;
            look.delta = merge(look.delta, again.delta);
            look.denied.extend(again.denied);
            look.stopped.extend(again.stopped);
            candidate = fixed()?;
        }
        let traces = ready.keep(look)?;
        stopped.extend(traces.stopped);
        Ok(Fixed {
            candidate,
            delta: traces.delta,
            denials: bounded(traces.denials),
            stopped,
        })
    }

    async fn close(&self) {
        if let Ok(ready) = self.ready() {
            ready.close_cell().await;
        }
    }
}

impl Ready {
    fn workspace(&self) -> MutexGuard<'_, Box<dyn Workspace>> {
        self.workspace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The cell, opened if it is not.
    pub async fn cell(&self) -> Result<Arc<dyn Cell>, String> {
        let mut slot = self.cell.lock().await;
        if let Some(cell) = &*slot {
            return Ok(cell.clone());
        }
        let cell: Arc<dyn Cell> = Arc::from(
            self.sandbox
                .open(self.spec.clone())
                .await
                .map_err(|e| e.to_string())?,
        );
        *slot = Some(cell.clone());
        Ok(cell)
    }

    /// Ends what runs in the background, with its cell: a command in the foreground leaves nothing alive, so without
    /// one there is nothing to end. Their names; servers are not among them, because they are started again when they
    /// are needed.
    pub async fn stop_background(&self) -> Vec<String> {
        let alive: Vec<String> = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|(_, command)| command.exit().is_none())
            .map(|(name, _)| name.clone())
            .collect();
        if !alive.is_empty() || !self.servers.alive_inside().is_empty() {
            self.close_cell().await;
        }
        alive
    }

    /// Forgets the cell, so that the next command opens a new one.
    pub async fn close_cell(&self) {
        self.background
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.servers.forget_inside();
        if let Some(cell) = self.cell.lock().await.take() {
            cell.close().await;
        }
    }

    /// Hosts that the cell's proxy has denied since this was last asked.
    pub async fn denied_hosts(&self) -> Vec<Denial> {
        let Some(cell) = self.cell.lock().await.clone() else {
            return Vec::new();
        };
        let mut told = self
            .denied_hosts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let fresh: Vec<String> = cell
            .denied_hosts()
            .into_iter()
            .filter(|host| !told.contains(host))
            .collect();
        told.extend(fresh.iter().cloned());
        fresh
            .into_iter()
            .map(|what| Denial {
                rule: "use.network".into(),
                what,
            })
            .collect()
    }

    /// Whether commands or servers run in the background, which may change files at any time.
    pub fn busy(&self) -> bool {
        let commands = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .any(|b| b.exit().is_none());
        commands || !self.servers.alive_inside().is_empty()
    }

    /// Puts the workspace back to its last snapshot.
    pub async fn restore(&self) -> Result<(), String> {
        self.close_cell().await;
        self.workspace()
            .restore(self.blobs.as_ref())
            .map_err(|e| e.to_string())
    }

    /// What has changed since the last look. Changes that the goal does not allow are put back first.
    /// `artefacts` are the untracked paths that are known to be made by building and testing.
    pub async fn traces(&self, artefacts: &[String]) -> Result<Traces, String> {
        self.reopen_folder();
        let look = self.look(artefacts, Vec::new()).await?;
        self.keep(look)
    }

    /// Gives the workspace's folder its owner's rights back: without them no command could start any more, and none
    /// could mend it. What cannot be mended is found by the look that follows.
    fn reopen_folder(&self) {
        use std::os::unix::fs::PermissionsExt;
        const OWNER: u32 = 0o700;
        let Ok(meta) = std::fs::symlink_metadata(&self.dir) else {
            return;
        };
        let mode = meta.permissions().mode();
        if meta.is_dir() && mode & OWNER != OWNER {
            let _ =
                std::fs::set_permissions(&self.dir, std::fs::Permissions::from_mode(mode | OWNER));
        }
    }

    /// Looks and puts back until nothing that is denied changes any more. If something in the background goes on
    /// changing it, the cell is closed. `also` is to be put back in any case.
    async fn look(&self, artefacts: &[String], also: Vec<String>) -> Result<Look, String> {
        let mut look = Look::default();
        self.workspace().artefacts(artefacts);
        let mut wrong = self.scan(&mut look)?;
        wrong.extend(also);
        for round in 0.. {
            if wrong.is_empty() || round > REVERTS_MAX {
                break;
            }
            if round == REVERTS_MAX {
                let servers = self.servers.alive_inside();
                look.stopped = self.stop_background().await;
                look.stopped
                    .extend(servers.iter().map(|name| format!("the server {name}")));
                self.close_cell().await;
            }
            look.denied.extend(wrong.iter().cloned());
            self.workspace().revert(&wrong).map_err(|e| e.to_string())?;
            // What was put back is a change as well, once; so is what came after the look before.
            wrong = self.scan(&mut look)?;
        }
        Ok(look)
    }

    /// One scan: its delta is added to the look's, and the denied paths in it are returned.
    fn scan(&self, look: &mut Look) -> Result<Vec<String>, String> {
        let delta = self
            .workspace()
            .scan(self.blobs.as_ref())
            .map_err(|e| e.to_string())?;
        let wrong = delta
            .changes
            .iter()
            .map(|c| &c.path)
            .filter(|p| *p != ".git" && !p.starts_with(".git/"))
            .filter(|p| self.policy.path(p).is_err())
            .cloned()
            .collect();
        look.delta = merge(std::mem::take(&mut look.delta), delta);
        Ok(wrong)
    }

    fn keep(&self, look: Look) -> Result<Traces, String> {
        let denials: Vec<Denial> = look
            .denied
            .iter()
            .filter_map(|path| self.policy.path(path).err())
            .collect();
        if look.delta.changes.is_empty() {
            return Ok(Traces {
                denials,
                stopped: look.stopped,
                ..Traces::default()
            });
        }
        let touched: Vec<String> = look
            .delta
            .changes
            .iter()
            .map(|c| &c.path)
            .filter(|p| !p.starts_with(".git/") && !look.denied.contains(*p))
            .take(TOUCHED_MAX)
            .map(|p| clip(p, WHAT_BYTES_MAX))
            .collect();
        let bytes = serde_json::to_vec(&look.delta).map_err(|e| e.to_string())?;
        let delta = Some(
            self.blobs
                .put(&bytes)
                .map_err(|e| format!("cannot keep a snapshot: {e}"))?,
        );
        Ok(Traces {
            delta,
            touched,
            denials,
            stopped: look.stopped,
        })
    }

    /// The workspace as commands see it.
    pub fn inside(&self) -> &Path {
        match self.sandbox.level() {
            overnight_ports::sandbox::Level::Full => {
                Path::new(overnight_ports::sandbox::WORKSPACE_INSIDE)
            }
            overnight_ports::sandbox::Level::None => &self.dir,
        }
    }

    /// A path as a tool was given it, relative to the workspace; `None` if it leaves it.
    pub fn relative(&self, path: &str) -> Option<String> {
        within(path, self.inside())
    }
}

/// A path as a tool was given it, relative to `root`; `None` if it leaves it.
pub(crate) fn within(path: &str, root: &Path) -> Option<String> {
    let given = Path::new(path);
    let inner = if given.is_absolute() {
        given.strip_prefix(root).ok()?
    } else {
        given
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in inner.components() {
        match part {
            std::path::Component::Normal(name) => parts.push(name.to_str()?),
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                parts.pop()?;
            }
            _ => return None,
        }
    }
    Some(parts.join("/"))
}

#[async_trait]
impl Cells for Ready {
    async fn cell(&self) -> Result<Arc<dyn Cell>, String> {
        Ready::cell(self).await
    }

    async fn forget_cell(&self) {
        self.close_cell().await;
    }
}

/// Two deltas in a row as one.
fn merge(first: Delta, second: Delta) -> Delta {
    let mut by_path: BTreeMap<String, Change> = BTreeMap::new();
    for change in first.changes.into_iter().chain(second.changes) {
        by_path.insert(change.path.clone(), change);
    }
    Delta {
        changes: by_path.into_values().collect(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(format!("the work was given up: {e}")))
}

#[cfg(test)]
mod tests {
    use overnight_core::goal::globs::Globs;
    use overnight_ports::sandbox::{Exit, Level, Network, SandboxError};
    use overnight_ports::workspace::{BlobSink as WorkspaceSink, Candidate, WorkspaceError};

    use super::*;

    fn denial(n: usize) -> Denial {
        Denial {
            rule: "use.paths".into(),
            what: format!("{}{n}", "x".repeat(300)),
        }
    }

    #[test]
    fn an_event_holds_a_bounded_number_of_short_denials() {
        assert_eq!(bounded((0..100).map(denial).collect()).len(), 100);
        let many = bounded((0..50_000).map(denial).collect());
        assert_eq!(many.len(), 100);
        assert_eq!(many[99].what, "49901 more paths");
        assert!(many.iter().all(|d| d.what.len() <= WHAT_BYTES_MAX));
    }

    /// A workspace whose scans find what is listed, one after the other; the last one again and again.
    struct Scripted {
        scans: Vec<&'static [&'static str]>,
        reverted: Reverted,
    }

    impl Workspace for Scripted {
        fn dir(&self) -> &Path {
            Path::new("/")
        }
        fn base(&self) -> &Base {
            unreachable!("not asked for")
        }
        fn scan(&mut self, _: &dyn WorkspaceSink) -> Result<Delta, WorkspaceError> {
            let found = match self.scans.len() {
                1 => self.scans[0],
                _ => self.scans.remove(0),
            };
            let change = |path: &&str| Change {
                path: (*path).to_owned(),
                now: None,
            };
            Ok(Delta {
                changes: found.iter().map(change).collect(),
            })
        }
        fn replay(&mut self, _: &Delta) {}
        fn restore(&mut self, _: &dyn WorkspaceSink) -> Result<(), WorkspaceError> {
            Ok(())
        }
        fn revert(&mut self, paths: &[String]) -> Result<(), WorkspaceError> {
            let mut all = self.reverted.lock().expect("the list");
            all.push(paths.to_vec());
            Ok(())
        }
        fn artefacts(&mut self, _: &[String]) {}
        fn candidate(&mut self) -> Result<Candidate, WorkspaceError> {
            unreachable!("not asked for")
        }
    }

    struct Nothing;

    impl BlobSink for Nothing {
        fn put(&self, _: &[u8]) -> std::io::Result<BlobId> {
            Ok(BlobId("b".into()))
        }
        fn get(&self, _: &BlobId) -> std::io::Result<Vec<u8>> {
            Ok(Vec::new())
        }
    }

    #[async_trait]
    impl Sandbox for Nothing {
        fn level(&self) -> Level {
            Level::Full
        }
        fn describe(&self) -> String {
            String::new()
        }
        async fn open(&self, _: CellSpec) -> Result<Box<dyn Cell>, SandboxError> {
            Err(SandboxError::Closed)
        }
    }

    struct Endless;

    #[async_trait]
    impl Background for Endless {
        fn exit(&self) -> Option<Exit> {
            None
        }
        fn output(&self, _: usize) -> Vec<u8> {
            Vec::new()
        }
        async fn wait(&self) -> Exit {
            Exit::Killed
        }
        async fn kill(&self) {}
    }

    type Reverted = Arc<Mutex<Vec<Vec<String>>>>;

    fn ready(scans: &[&'static [&'static str]]) -> (Ready, Reverted) {
        let reverted = Reverted::default();
        let workspace = Scripted {
            scans: scans.to_vec(),
            reverted: reverted.clone(),
        };
        let keep = Globs::new(&["kept*"]).expect("globs");
        let ready = Ready {
            workspace: Mutex::new(Box::new(workspace)),
            dir: PathBuf::from("/"),
            guidance: String::new(),
            spec: CellSpec {
                workspace: PathBuf::new(),
                inside: PathBuf::new(),
                private: PathBuf::new(),
                base_layer: None,
                layers: Vec::new(),
                readonly: Vec::new(),
                network: Network::Loopback,
                env: BTreeMap::new(),
                hidden: Vec::new(),
            },
            policy: Policy::keeping(keep),
            servers: Servers::new(None, &[]),
            cell: tokio::sync::Mutex::new(None),
            background: Mutex::new(BTreeMap::from([("bg1".into(), Arc::new(Endless) as _)])),
            denied_hosts: Mutex::default(),
            blobs: Arc::new(Nothing),
            sandbox: Arc::new(Nothing),
        };
        (ready, reverted)
    }

    #[tokio::test]
    async fn a_denied_change_between_two_looks_is_put_back_too() {
        let (ready, reverted) = ready(&[&["a", "kept1"], &["kept1", "kept2"], &["kept2"], &[]]);
        let traces = ready.traces(&[]).await.expect("traces");
        let denied: Vec<&str> = traces.denials.iter().map(|d| d.what.as_str()).collect();
        assert_eq!(denied, ["kept1", "kept2"]);
        assert_eq!(traces.touched, ["a"]);
        assert!(traces.stopped.is_empty() && ready.busy());
        assert_eq!(reverted.lock().expect("the list").len(), 3);
    }

    #[tokio::test]
    async fn what_goes_on_changing_denied_paths_is_stopped() {
        let (ready, reverted) = ready(&[&["kept1"]]);
        let traces = ready.traces(&[]).await.expect("traces");
        assert_eq!(traces.stopped, ["bg1"]);
        assert!(!ready.busy());
        assert_eq!(reverted.lock().expect("the list").len(), REVERTS_MAX + 1);
    }
}
