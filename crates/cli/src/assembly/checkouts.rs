//! Clean checkouts for checks: of a run's own store, with the setup's layers around them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use overnight_checks::observe::{Checkout, Checkouts};
use overnight_core::check::Obstacle;
use overnight_core::ids::TreeId;
use overnight_ports::sandbox::{Network, WORKSPACE_INSIDE};

use super::Setup;

/// Makes checkouts in a run's folder.
pub struct RunCheckouts {
    run_dir: PathBuf,
    hidden: Vec<PathBuf>,
    network: Network,
    setup: Arc<Setup>,
    next: AtomicU64,
    /// Which tree each checkout in use is of.
    trees: Mutex<BTreeMap<PathBuf, TreeId>>,
}

impl RunCheckouts {
    /// Checkouts of the store in `run_dir`, which must be prepared by the time the first one is made.
    pub fn new(run_dir: &Path, hidden: Vec<PathBuf>, hosts: &[String], setup: Arc<Setup>) -> Self {
        let network = if hosts.is_empty() {
            Network::Loopback
        } else {
            Network::Hosts(hosts.to_vec())
        };
        RunCheckouts {
            run_dir: run_dir.to_owned(),
            hidden,
            network,
            setup,
            next: AtomicU64::new(0),
            trees: Mutex::default(),
        }
    }

    fn trees(&self) -> MutexGuard<'_, BTreeMap<PathBuf, TreeId>> {
        self.trees.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> Result<overnight_workspace::Checkouts, String> {
        overnight_workspace::Checkouts::open(&self.run_dir).map_err(|e| e.to_string())
    }
}

impl Checkouts for RunCheckouts {
    fn make(&self, tree: &TreeId) -> Result<Checkout, Obstacle> {
        let harness = |detail: String| Obstacle::Harness { detail };
        let store = self.store().map_err(harness)?;
        let base = store.base().clone();
        let layer = self
            .setup
            .layer(&store, &base)
            .map_err(|detail| Obstacle::SetupFailed { detail })?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let folder = self
            .run_dir
            .join("checkouts")
            .join(format!("{}-{number}", std::process::id()));
        let dir = folder.join("tree");
        store
            .checkout(tree, &dir)
            .map_err(|e| harness(e.to_string()))?;
        if let Some(layer) = &layer {
            layer
                .files
                .put_files(&dir)
                .map_err(|e| harness(e.to_string()))?;
        }
        self.trees().insert(dir.clone(), tree.clone());
        // What the setup made may name the place where it was made; otherwise no file can know this place.
        let inside = match &layer {
            Some(_) => WORKSPACE_INSIDE.into(),
            None => PathBuf::from(format!("/checkout-{}", uuid::Uuid::new_v4().simple())),
        };
        Ok(Checkout {
            dir,
            inside,
            private: folder.join("private"),
            layers: layer.as_ref().map(|l| l.files.layers()).unwrap_or_default(),
            base_layer: layer.map(|l| l.private),
            network: self.network.clone(),
            env: Default::default(),
            hidden: self.hidden.clone(),
        })
    }

    fn generated(&self, checkout: &Checkout) -> Vec<String> {
        let tree = self.trees().get(&checkout.dir).cloned();
        // What cannot be listed is not taken for an artefact, so it would show up as a change.
        tree.and_then(|tree| self.store().ok()?.generated(&checkout.dir, &tree).ok())
            .unwrap_or_default()
    }

    fn discard(&self, checkout: &Checkout) {
        self.trees().remove(&checkout.dir);
        if let Some(folder) = checkout.dir.parent() {
            // What a check left may be read-only; a folder that stays behind costs disk only.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
