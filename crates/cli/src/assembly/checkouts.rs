//! Clean checkouts for checks: of a run's own store, with the setup's layers around them.
//!
//! In the sandbox a check works in a copy-on-write view of a checkout that nobody writes to and that the next check uses
//! again; only without a sandbox each check has a whole copy to itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use overnight_checks::observe::{Checkout, Checkouts};
use overnight_core::check::Obstacle;
use overnight_core::ids::TreeId;
use overnight_ports::sandbox::{Level, Network, WORKSPACE_INSIDE};
use overnight_workspace::{Content, Pristine};

use super::hidden_files::HiddenFiles;
use super::remover::Remover;
use super::{Setup, setup::ReadyLayer};

/// The folder of a run's folder in which checkouts are.
const FOLDER: &str = "checkouts";

/// What checkouts of a run are made with.
pub struct CheckoutOptions {
    /// What must not be readable in a check's cell.
    pub unreadable: Vec<PathBuf>,
    /// What the checks may reach.
    pub hosts: Vec<String>,
    /// What the sandbox enforces.
    pub level: Level,
    /// The hidden files of the goal's checks.
    pub hidden: HiddenFiles,
}

/// Makes checkouts in a run's folder. They are gone when it is dropped.
pub struct RunCheckouts {
    run_dir: PathBuf,
    unreadable: Vec<PathBuf>,
    network: Network,
    views: bool,
    hidden: HiddenFiles,
    setup: Arc<Setup>,
    store: OnceLock<overnight_workspace::Checkouts>,
    next: AtomicU64,
    pristine: Mutex<Vec<Slot>>,
    /// By its private folder.
    in_use: Mutex<BTreeMap<PathBuf, InUse>>,
    remover: Remover,
}

/// A checkout that nobody writes to.
struct Slot {
    checkout: Arc<Pristine>,
    /// When it was used last, in numbers of checkouts.
    used: u64,
}

/// What a checkout that is in use is of.
enum InUse {
    /// A view, whose changes are in the folder.
    View(Arc<Pristine>, PathBuf),
    /// A copy of its own.
    Copy(TreeId),
}

impl RunCheckouts {
    /// Checkouts of the store in `run_dir`, which must be prepared by the time the first one is made.
    pub fn new(run_dir: &Path, setup: Arc<Setup>, options: CheckoutOptions) -> Self {
        let network = if options.hosts.is_empty() {
            Network::Loopback
        } else {
            Network::Hosts(options.hosts)
        };
        RunCheckouts {
            run_dir: run_dir.to_owned(),
            unreadable: options.unreadable,
            network,
            views: options.level == Level::Full,
            hidden: options.hidden,
            setup,
            store: OnceLock::new(),
            next: AtomicU64::new(0),
            pristine: Mutex::default(),
            in_use: Mutex::default(),
            remover: Remover::new(run_dir.join(FOLDER)),
        }
    }

    fn store(&self) -> Result<&overnight_workspace::Checkouts, String> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let opened =
            overnight_workspace::Checkouts::open(&self.run_dir).map_err(|e| e.to_string())?;
        Ok(self.store.get_or_init(|| opened))
    }

    fn folder(&self, what: &str, number: u64) -> PathBuf {
        self.run_dir
            .join(FOLDER)
            .join(format!("{what}{}-{number}", std::process::id()))
    }

    fn content(
        &self,
        tree: &TreeId,
        hidden: Option<(&str, &str)>,
        layer: Option<&ReadyLayer>,
    ) -> Result<Content, String> {
        let mut content = Content {
            tree: tree.clone(),
            hidden: None,
            setup: layer.map(|layer| layer.files.clone()),
        };
        if let Some((name, dir)) = hidden {
            let hidden = self.hidden.get(name).ok_or_else(|| {
                format!("the hidden files `{name}` are not among those that the run began with")
            })?;
            content.tree = self
                .store()?
                .lay(tree, &hidden, dir)
                .map_err(|e| e.to_string())?;
            content.hidden = Some((hidden, dir.to_owned()));
        }
        Ok(content)
    }

    /// A checkout of this content that nobody writes to: one that is there already, else one that is not in use and is
    /// brought up to date, else a new one.
    fn pristine(&self, content: &Content, number: u64) -> Result<Arc<Pristine>, String> {
        // Several checks may ask at once. What takes time is done without the list being held: a checkout that somebody
        // uses is not taken, and one that is taken is not in the list.
        let ready = {
            let mut slots = lock(&self.pristine);
            let found = slots.iter_mut().find(|slot| slot.checkout.holds(content));
            found.map(|slot| {
                slot.used = number;
                slot.checkout.clone()
            })
        };
        if let Some(ready) = ready {
            if ready.intact() {
                return Ok(ready);
            }
            // Nobody but the harness writes there, so the disk or another program of the person's did: begin again.
            lock(&self.pristine).retain(|slot| !Arc::ptr_eq(&slot.checkout, &ready));
        }
        let mut reused = {
            let mut slots = lock(&self.pristine);
            let free = (0..slots.len())
                .filter(|at| Arc::strong_count(&slots[*at].checkout) == 1)
                .min_by_key(|at| slots[*at].used);
            free.map(|at| slots.remove(at).checkout)
                .and_then(Arc::into_inner)
        };
        if let Some(free) = &mut reused
            && (!free.intact() || free.turn(content).is_err())
        {
            self.remover.remove(free.dir());
            reused = None;
        }
        let checkout = match reused {
            Some(checkout) => checkout,
            None => {
                let dir = self.folder("pristine-", number);
                Pristine::make(self.store()?, content, &dir).map_err(|e| e.to_string())?
            }
        };
        let checkout = Arc::new(checkout);
        lock(&self.pristine).push(Slot {
            checkout: checkout.clone(),
            used: number,
        });
        Ok(checkout)
    }

    fn make_content(
        &self,
        tree: &TreeId,
        hidden: Option<(&str, &str)>,
    ) -> Result<Checkout, Obstacle> {
        let harness = |detail: String| Obstacle::Harness { detail };
        let store = self.store().map_err(harness)?;
        let layer = self
            .setup
            .layer(store, store.base())
            .map_err(|detail| Obstacle::SetupFailed { detail })?;
        let content = self
            .content(tree, hidden, layer.as_ref())
            .map_err(harness)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder("", number);
        let (own, private) = (folder.join("tree"), folder.join("private"));
        let (dir, upper, used) = if self.views {
            let pristine = self.pristine(&content, number).map_err(harness)?;
            std::fs::create_dir_all(&own)
                .map_err(|e| harness(format!("{}: {e}", own.display())))?;
            let dir = pristine.dir().to_owned();
            (dir, Some(own.clone()), InUse::View(pristine, own))
        } else {
            let made = store.checkout_content(&content, &own);
            made.map_err(|e| harness(e.to_string()))?;
            (own, None, InUse::Copy(content.tree))
        };
        lock(&self.in_use).insert(private.clone(), used);
        // What the setup made may name the place where it was made; otherwise no file can know this place.
        let inside = match &layer {
            Some(_) => WORKSPACE_INSIDE.into(),
            None => PathBuf::from(format!("/checkout-{}", uuid::Uuid::new_v4().simple())),
        };
        Ok(Checkout {
            dir,
            upper,
            inside,
            private,
            layers: layer.as_ref().map(|l| l.files.layers()).unwrap_or_default(),
            base_layer: layer.map(|l| l.private),
            network: self.network.clone(),
            env: Default::default(),
            hidden: self.unreadable.clone(),
        })
    }
}

impl Checkouts for RunCheckouts {
    fn make(&self, tree: &TreeId) -> Result<Checkout, Obstacle> {
        self.make_content(tree, None)
    }

    fn make_over(&self, tree: &TreeId, hidden: &str, dir: &str) -> Result<Checkout, Obstacle> {
        self.make_content(tree, Some((hidden, dir)))
    }

    fn generated(&self, checkout: &Checkout) -> Vec<String> {
        // What cannot be listed is not taken for an artefact, so it would show up as a change.
        let found = match lock(&self.in_use).get(&checkout.private) {
            Some(InUse::View(pristine, upper)) => pristine.generated(upper).ok(),
            Some(InUse::Copy(tree)) => self
                .store()
                .ok()
                .and_then(|store| store.generated(&checkout.dir, tree).ok()),
            None => None,
        };
        found.unwrap_or_default()
    }

    fn rewritten(&self, checkout: &Checkout) -> Vec<String> {
        let steers = |path: &str| !overnight_oracle::steering([path]).is_empty();
        match lock(&self.in_use).get(&checkout.private) {
            Some(InUse::View(pristine, upper)) => {
                pristine.rewritten(upper, &steers).unwrap_or_default()
            }
            // Without a view nothing tells what was there before; the gate on the work itself still stands.
            Some(InUse::Copy(_)) | None => Vec::new(),
        }
    }

    fn discard(&self, checkout: &Checkout) {
        lock(&self.in_use).remove(&checkout.private);
        if let Some(folder) = checkout.private.parent() {
            self.remover.remove(folder);
        }
    }
}

/// Nothing that these locks guard is left half-done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
