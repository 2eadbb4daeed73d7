//! The workspace of a run and the cell around it: what the tools act on, and the watch on what they did.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use overnight_core::ids::BlobId;
use overnight_core::repo::Base;
use overnight_core::state::State;
use overnight_core::turn::Denial;
use overnight_ports::journal::BlobSink;
use overnight_ports::sandbox::{Background, Cell, CellSpec, Sandbox};
use overnight_ports::site::{Fixed, Site};
use overnight_ports::workspace::{Change, Delta, Workspace};
use tokio::sync::OnceCell;

use crate::policy::Policy;

/// How many background commands one run may have at a time.
pub(crate) const BACKGROUND_MAX: usize = 16;
/// How many changed paths a call's result names.
const TOUCHED_MAX: usize = 12;

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

/// The workspace of one run. The cell is opened with the first command.
pub struct Worksite {
    ground: Arc<dyn Ground>,
    sandbox: Arc<dyn Sandbox>,
    blobs: Arc<dyn BlobSink>,
    ready: OnceCell<Ready>,
}

pub(crate) struct Ready {
    workspace: Mutex<Box<dyn Workspace>>,
    pub dir: PathBuf,
    pub guidance: String,
    spec: CellSpec,
    pub policy: Policy,
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
    pub denials: Vec<Denial>,
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
            ready: OnceCell::new(),
        }
    }

    pub(crate) fn ready(&self) -> Result<&Ready, String> {
        self.ready
            .get()
            .ok_or_else(|| "the workspace is not prepared".to_owned())
    }

    pub(crate) fn blobs(&self) -> &Arc<dyn BlobSink> {
        &self.blobs
    }

    async fn settle(&self, state: &State, prepared: Prepared) -> Result<&Ready, String> {
        let policy = Policy::new(&state.goal)?;
        let ready = Ready {
            dir: prepared.workspace.dir().to_owned(),
            workspace: Mutex::new(prepared.workspace),
            spec: prepared.cell,
            guidance: prepared.guidance,
            policy,
            cell: tokio::sync::Mutex::new(None),
            background: Mutex::new(BTreeMap::new()),
            denied_hosts: Mutex::default(),
            blobs: self.blobs.clone(),
            sandbox: self.sandbox.clone(),
        };
        self.ready
            .set(ready)
            .map_err(|_| "the workspace is prepared already".to_owned())?;
        self.ready()
    }
}

#[async_trait]
impl Site for Worksite {
    async fn prepare(&self, state: &State) -> Result<Base, String> {
        let (ground, copy) = (self.ground.clone(), state.clone());
        let prepared = blocking(move || ground.prepare(&copy)).await?;
        let base = prepared.workspace.base().clone();
        self.settle(state, prepared).await?;
        Ok(base)
    }

    async fn reopen(&self, state: &State, deltas: &[BlobId]) -> Result<(), String> {
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
        self.settle(state, prepared).await.map(drop)
    }

    async fn fix(&self, state: &State) -> Result<Fixed, String> {
        let ready = self.ready()?;
        let stopped = ready.stop_background().await;
        let traces = ready.traces(&state.artefacts)?;
        let candidate = ready.workspace().candidate().map_err(|e| e.to_string())?;
        Ok(Fixed {
            candidate,
            delta: traces.delta,
            denials: traces.denials,
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
    /// one there is nothing to end. Their names.
    pub async fn stop_background(&self) -> Vec<String> {
        let alive: Vec<String> = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|(_, command)| command.exit().is_none())
            .map(|(name, _)| name.clone())
            .collect();
        if !alive.is_empty() {
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

    /// Whether commands run in the background, which may change files at any time.
    pub fn busy(&self) -> bool {
        self.background
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .any(|b| b.exit().is_none())
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
    pub fn traces(&self, artefacts: &[String]) -> Result<Traces, String> {
        let mut workspace = self.workspace();
        workspace.artefacts(artefacts);
        let mut delta = workspace
            .scan(self.blobs.as_ref())
            .map_err(|e| e.to_string())?;
        let denials: Vec<Denial> = delta
            .changes
            .iter()
            .filter(|c| c.path != ".git" && !c.path.starts_with(".git/"))
            .filter_map(|c| self.policy.path(&c.path).err())
            .collect();
        if !denials.is_empty() {
            let paths: Vec<String> = denials.iter().map(|d| d.what.clone()).collect();
            workspace.revert(&paths).map_err(|e| e.to_string())?;
            let after = workspace
                .scan(self.blobs.as_ref())
                .map_err(|e| e.to_string())?;
            delta = merge(delta, after);
        }
        drop(workspace);
        if delta.changes.is_empty() {
            return Ok(Traces::default());
        }
        let touched: Vec<String> = delta
            .changes
            .iter()
            .map(|c| c.path.as_str())
            .filter(|p| !p.starts_with(".git/") && !denials.iter().any(|d| d.what == *p))
            .take(TOUCHED_MAX)
            .map(str::to_owned)
            .collect();
        let bytes = serde_json::to_vec(&delta).map_err(|e| e.to_string())?;
        let delta = Some(
            self.blobs
                .put(&bytes)
                .map_err(|e| format!("cannot keep a snapshot: {e}"))?,
        );
        Ok(Traces {
            delta,
            touched,
            denials,
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
        let given = Path::new(path);
        let inner = if given.is_absolute() {
            given.strip_prefix(self.inside()).ok()?
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
