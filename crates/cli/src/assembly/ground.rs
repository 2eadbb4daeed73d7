//! Where a run's workspaces come from: a disposable clone of the person's repository, and one for each item of a worklist
//! that is worked on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use overnight_agent::{Ground, Prepared};
use overnight_core::goal::globs::Globs;
use overnight_core::goal::{CheckKind, Goal};
use overnight_core::ids::TreeId;
use overnight_core::state::State;
use overnight_core::worklist::ItemWork;
use overnight_ports::sandbox::{CellSpec, Network};
use overnight_ports::workspace::Workspace;
use overnight_workspace::{Checkouts, GitWorkspace, Options, Start, item_dir, items_dir};

use super::Setup;
use super::manners::guidance;
use super::remover::Remover;

#[derive(Clone)]
pub(super) struct GitGround {
    repo: PathBuf,
    run_dir: PathBuf,
    unreadable: Vec<PathBuf>,
    setup: Arc<Setup>,
    /// What the repository says to whoever works on it, and the base that says it: the same for every item of a run, and
    /// it takes six processes to find out.
    said: Arc<Mutex<Option<(TreeId, String)>>>,
}

impl GitGround {
    pub fn new(
        repo: PathBuf,
        run_dir: PathBuf,
        unreadable: Vec<PathBuf>,
        setup: Arc<Setup>,
    ) -> Self {
        GitGround {
            repo,
            run_dir,
            unreadable,
            setup,
            said: Arc::default(),
        }
    }

    /// What this base says to whoever works on it.
    fn guidance(&self, checkouts: &Checkouts, base: &TreeId) -> String {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = said.as_ref().filter(|(of, _)| of == base) {
            return text.clone();
        }
        let prefix = overnight_workspace::prefix(&self.repo).unwrap_or_default();
        let text = guidance(checkouts, base, &prefix);
        *said = Some((base.clone(), text.clone()));
        text
    }

    /// Where the workspaces of an item are made.
    pub fn item(&self, index: u32, remover: Arc<Remover>) -> ItemGround {
        ItemGround {
            run: self.clone(),
            index,
            remover,
        }
    }

    fn prepared(
        &self,
        workspace: GitWorkspace,
        state: &State,
        (private, network, fresh): (PathBuf, Network, bool),
    ) -> Result<Prepared, String> {
        // What the setup made and what the repository says are the run's base's, wherever an item starts from.
        let checkouts = Checkouts::open(&self.run_dir).map_err(|e| e.to_string())?;
        let base = checkouts.base().clone();
        let layer = self.setup.layer(&checkouts, &base)?;
        let kept = &state.goal.keep.paths;
        let mut readonly = match kept.is_empty() {
            true => Vec::new(),
            false => {
                let keep = Globs::new(kept).map_err(|e| e.to_string())?;
                checkouts
                    .kept_dirs(&keep, &workspace.base().tree)
                    .map_err(|e| e.to_string())?
            }
        };
        // A submodule's content is there to be read; changes in it could never be delivered.
        readonly.extend(workspace.base().submodules.iter().cloned());
        let mut cell = CellSpec {
            inside: overnight_ports::sandbox::WORKSPACE_INSIDE.into(),
            workspace: workspace.dir().to_owned(),
            private,
            base_layer: None,
            layers: Vec::new(),
            readonly,
            network,
            env: Default::default(),
            hidden: self.unreadable.clone(),
        };
        if let Some(layer) = layer {
            if fresh {
                layer
                    .files
                    .put_files(workspace.dir())
                    .map_err(|e| e.to_string())?;
            }
            cell.layers = layer.files.layers();
            cell.base_layer = Some(layer.private);
        }
        Ok(Prepared {
            guidance: self.guidance(&checkouts, &base),
            workspace: Box::new(workspace),
            cell,
        })
    }
}

/// What the agent's cell may reach, and its private folder.
fn of_run(ground: &GitGround, state: &State, fresh: bool) -> (PathBuf, Network, bool) {
    let network = match state.goal.uses.network.as_slice() {
        [] => Network::Loopback,
        hosts => Network::Hosts(hosts.to_vec()),
    };
    (ground.run_dir.join("cells/agent"), network, fresh)
}

/// Where the workspaces of one item of a worklist come from.
pub(super) struct ItemGround {
    run: GitGround,
    index: u32,
    remover: Arc<Remover>,
}

impl ItemGround {
    fn prepared(
        &self,
        workspace: GitWorkspace,
        state: &State,
        round: u32,
        fresh: bool,
    ) -> Result<Prepared, String> {
        let folder = item_dir(&self.run.run_dir, self.index, round).map_err(|e| e.to_string())?;
        // Whoever reads what came from outside has no way to send anything anywhere, whatever the goal lets the run reach.
        let around = (folder.join("cell"), Network::Loopback, fresh);
        self.run.prepared(workspace, state, around)
    }
}

impl Ground for ItemGround {
    fn prepare(&self, state: &State) -> Result<Prepared, String> {
        let work = work(state)?;
        leave_rounds(&self.run.run_dir, self.index, &self.remover);
        let start = Start {
            commit: work.start.commit.clone(),
            tree: work.start.tree.clone(),
            laid: work.laid.clone(),
            licensed: licensed(&state.goal),
        };
        let workspace =
            GitWorkspace::prepare_item(&self.run.run_dir, self.index, work.round, &start)
                .map_err(|e| e.to_string())?;
        self.prepared(workspace, state, work.round, true)
    }

    fn reopen(&self, state: &State) -> Result<Prepared, String> {
        let round = work(state)?.round;
        let licensed = licensed(&state.goal);
        let workspace = GitWorkspace::open_item(&self.run.run_dir, self.index, round, &licensed)
            .map_err(|e| e.to_string())?;
        self.prepared(workspace, state, round, false)
    }
}

fn work(state: &State) -> Result<&ItemWork, String> {
    let none = || "this is no item of a worklist".to_owned();
    state.item.as_deref().ok_or_else(none)
}

/// Has every workspace of an item removed, whatever round it is of.
pub(super) fn leave_rounds(run_dir: &Path, index: u32, remover: &Remover) {
    let Ok(all) = items_dir(run_dir) else {
        return;
    };
    let prefix = format!("{index}-");
    let rounds = std::fs::read_dir(all).into_iter().flatten().flatten();
    for entry in rounds {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(prefix.as_bytes()) {
            remover.leave(&entry.path());
        }
    }
}

impl Ground for GitGround {
    fn prepare(&self, state: &State) -> Result<Prepared, String> {
        let options = Options {
            files: state.goal.uses.files.clone(),
            licensed: licensed(&state.goal),
        };
        let workspace = GitWorkspace::prepare(&self.repo, &self.run_dir, &options)
            .map_err(|e| e.to_string())?;
        self.prepared(workspace, state, of_run(self, state, true))
    }

    fn reopen(&self, state: &State) -> Result<Prepared, String> {
        // Checkouts that a killed process left behind; no check is under way now.
        let _ = std::fs::remove_dir_all(self.run_dir.join("checkouts"));
        // The goal may have been edited since.
        GitWorkspace::license(&self.run_dir, &licensed(&state.goal)).map_err(|e| e.to_string())?;
        let workspace = GitWorkspace::open(&self.run_dir).map_err(|e| e.to_string())?;
        self.prepared(workspace, state, of_run(self, state, false))
    }
}

/// A path that a check or the goal names literally counts, whatever it looks like.
fn licensed(goal: &Goal) -> Vec<String> {
    let files = goal.checks().filter_map(|check| match &check.kind {
        CheckKind::File { path, .. } if check.dir.is_empty() => Some(path.clone()),
        CheckKind::File { path, .. } => Some(format!("{}/{path}", check.dir)),
        _ => None,
    });
    let literal = |path: &&String| !path.contains(['*', '?', '[', '!']);
    goal.uses
        .paths
        .iter()
        .flatten()
        .filter(literal)
        .cloned()
        .chain(files)
        .collect()
}
