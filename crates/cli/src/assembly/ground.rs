//! Where a run's workspace comes from: a disposable clone of the person's repository.

use std::path::PathBuf;
use std::sync::Arc;

use overnight_agent::{Ground, Prepared};
use overnight_core::goal::globs::Globs;
use overnight_core::goal::{CheckKind, Goal};
use overnight_core::state::State;
use overnight_ports::sandbox::{CellSpec, Network};
use overnight_ports::workspace::Workspace;
use overnight_workspace::{GitWorkspace, Options};

use super::Setup;
use super::manners::guidance;

pub(super) struct GitGround {
    repo: PathBuf,
    run_dir: PathBuf,
    unreadable: Vec<PathBuf>,
    setup: Arc<Setup>,
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
        }
    }

    fn prepared(
        &self,
        workspace: GitWorkspace,
        state: &State,
        fresh: bool,
    ) -> Result<Prepared, String> {
        let checkouts = workspace.checkouts();
        let base = workspace.base().tree.clone();
        let layer = self.setup.layer(&checkouts, &workspace.base().tree)?;
        let keep = Globs::new(&state.goal.keep.paths).map_err(|e| e.to_string())?;
        let mut readonly = checkouts
            .kept_dirs(&keep, &workspace.base().tree)
            .map_err(|e| e.to_string())?;
        // A submodule's content is there to be read; changes in it could never be delivered.
        readonly.extend(workspace.base().submodules.iter().cloned());
        let mut cell = CellSpec {
            inside: overnight_ports::sandbox::WORKSPACE_INSIDE.into(),
            workspace: workspace.dir().to_owned(),
            private: self.run_dir.join("cells/agent"),
            base_layer: None,
            layers: Vec::new(),
            readonly,
            network: match state.goal.uses.network.as_slice() {
                [] => Network::Loopback,
                hosts => Network::Hosts(hosts.to_vec()),
            },
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
        let prefix = overnight_workspace::prefix(&self.repo).unwrap_or_default();
        let guidance = guidance(&checkouts, &base, &prefix);
        Ok(Prepared {
            guidance,
            workspace: Box::new(workspace),
            cell,
        })
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
        self.prepared(workspace, state, true)
    }

    fn reopen(&self, state: &State) -> Result<Prepared, String> {
        // Checkouts that a killed process left behind; no check is under way now.
        let _ = std::fs::remove_dir_all(self.run_dir.join("checkouts"));
        // The goal may have been edited since.
        GitWorkspace::license(&self.run_dir, &licensed(&state.goal)).map_err(|e| e.to_string())?;
        let workspace = GitWorkspace::open(&self.run_dir).map_err(|e| e.to_string())?;
        self.prepared(workspace, state, false)
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
