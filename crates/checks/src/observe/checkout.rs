//! Clean checkouts, as this crate needs them. The binary makes them out of the workspace crate.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use overnight_core::check::Obstacle;
use overnight_core::ids::TreeId;
use overnight_ports::sandbox::{Layer, Network};
use overnight_ports::verifier::Probe;

/// A fresh checkout of one tree, and the cell that it is to be used in.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// Where its files lie on the host.
    pub dir: PathBuf,
    /// Where what commands change of them comes to lie, an empty folder, if `dir` is one that nobody may write to.
    pub upper: Option<PathBuf>,
    /// Where it is seen in the cell.
    pub inside: PathBuf,
    /// The cell's private folder: fresh for each checkout.
    pub private: PathBuf,
    /// What the setup made in the workspace, to be mounted copy-on-write.
    pub layers: Vec<Layer>,
    /// The `private` folder of the setup's cell.
    pub base_layer: Option<PathBuf>,
    /// What the check may reach.
    pub network: Network,
    /// Variables for everything that runs in it.
    pub env: BTreeMap<String, String>,
    /// What must not be readable inside.
    pub hidden: Vec<PathBuf>,
}

/// Makes clean checkouts. All of it may block; it is called off the runtime.
pub trait Checkouts: Send + Sync {
    /// Makes one, with the setup done and `use.files` in it. The error is why there is none:
    /// [`Obstacle::SetupFailed`] or [`Obstacle::Harness`].
    fn make(&self, tree: &TreeId) -> Result<Checkout, Obstacle>;
    /// The same with hidden files, which the goal calls `hidden`, laid over it for a check in `dir`.
    fn make_over(&self, tree: &TreeId, hidden: &str, dir: &str) -> Result<Checkout, Obstacle> {
        let _ = (tree, dir);
        Err(Obstacle::Harness {
            detail: format!("the hidden files `{hidden}` cannot be laid over these checkouts"),
        })
    }
    /// The paths in it that are not in its tree, sorted; directories end in `/`.
    fn generated(&self, checkout: &Checkout) -> Vec<String>;
    /// Files of its tree that steer what runs in it and were rewritten in it, where that can be told; sorted.
    fn rewritten(&self, _checkout: &Checkout) -> Vec<String> {
        Vec::new()
    }
    /// Takes it back. Nobody waits until it is gone.
    fn discard(&self, checkout: &Checkout);
}

/// A checkout that is discarded when it is no longer used, also if the observation is given up half-way.
pub(super) struct Lent {
    checkouts: Arc<dyn Checkouts>,
    checkout: Checkout,
    discarded: bool,
}

impl Lent {
    pub(super) async fn make(
        checkouts: &Arc<dyn Checkouts>,
        tree: &TreeId,
        probe: &Probe,
    ) -> Result<Lent, Obstacle> {
        let checkouts = Arc::clone(checkouts);
        let (tree, hidden, dir) = (tree.clone(), probe.hidden.clone(), probe.dir.clone());
        // The guard is made in there, so that a checkout is discarded too if nobody waits for it any more.
        let made = tokio::task::spawn_blocking(move || {
            let checkout = match hidden {
                Some(hidden) => checkouts.make_over(&tree, &hidden, &dir)?,
                None => checkouts.make(&tree)?,
            };
            Ok(Lent {
                checkouts,
                checkout,
                discarded: false,
            })
        });
        made.await.unwrap_or_else(|e| {
            Err(Obstacle::Harness {
                detail: format!("making a checkout: {e}"),
            })
        })
    }

    pub(super) fn checkout(&self) -> &Checkout {
        &self.checkout
    }

    /// What it newly holds, and which of its steering files were rewritten.
    pub(super) async fn left(&self) -> (Vec<String>, Vec<String>) {
        let checkouts = Arc::clone(&self.checkouts);
        let checkout = self.checkout.clone();
        tokio::task::spawn_blocking(move || {
            (
                checkouts.generated(&checkout),
                checkouts.rewritten(&checkout),
            )
        })
        .await
        .unwrap_or_default()
    }

    /// Gives it back.
    pub(super) async fn give_back(mut self) {
        self.discarded = true;
        let checkouts = Arc::clone(&self.checkouts);
        let checkout = self.checkout.clone();
        // If discarding panics, the folder is left behind; the observation is none the worse for it.
        let _ = tokio::task::spawn_blocking(move || checkouts.discard(&checkout)).await;
    }
}

impl Drop for Lent {
    /// For an observation that was given up. It blocks: a task that is left to a runtime that is shutting down would
    /// never run.
    fn drop(&mut self) {
        if !self.discarded {
            self.checkouts.discard(&self.checkout);
        }
    }
}
