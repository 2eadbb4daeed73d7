//! [`GitWorkspace`]: the port's implementation, put together from the parts.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use overnight_core::ids::BlobId;
use overnight_ports::workspace::{
    Base, BlobSink, Candidate, Change, Delta, Entry, Workspace, WorkspaceError,
};

use crate::baseline::{self, Baseline, Hash, Held, hex, unhex};
use crate::beneath::Root;
use crate::candidate::Building;
use crate::checkout::Checkouts;
use crate::facts::{Facts, Layout};
use crate::item;
use crate::names;
use crate::prepare::{self, Options};
use crate::scan::{Difference, Scanner};

/// One run's workspace: the agent's clone, the harness's store, and the last snapshot.
#[derive(Debug)]
pub struct GitWorkspace {
    pub(crate) layout: Layout,
    pub(crate) facts: Arc<Facts>,
    dir: PathBuf,
    pub(crate) root: Root,
    pub(crate) base: Baseline,
    pub(crate) scanner: Scanner,
    pub(crate) building: Building,
}

impl GitWorkspace {
    /// Prepares `run_dir` for a run on `HEAD` of the repository that holds `repo`. What an earlier preparation left in
    /// `run_dir` is removed first. The person's repository is only read.
    pub fn prepare(repo: &Path, run_dir: &Path, options: &Options) -> Result<Self, WorkspaceError> {
        prepare::prepare(repo, run_dir, options)?;
        Self::open(run_dir)
    }

    /// Sets the exact paths that count although they are ignored or look like build artefacts, for whoever opens the
    /// workspace next.
    pub fn license(run_dir: &Path, licensed: &[String]) -> Result<(), WorkspaceError> {
        Self::license_at(&Layout::new(run_dir)?, licensed)
    }

    pub(crate) fn license_at(layout: &Layout, licensed: &[String]) -> Result<(), WorkspaceError> {
        let mut facts = layout.load()?;
        if facts.licensed != licensed {
            facts.licensed = licensed.to_vec();
            layout.save(&facts)?;
        }
        Ok(())
    }

    /// Opens a workspace that was prepared earlier. The snapshot is the first one: replay the journal's deltas.
    pub fn open(run_dir: &Path) -> Result<Self, WorkspaceError> {
        Self::open_at(Layout::new(run_dir)?)
    }

    pub(crate) fn open_at(layout: Layout) -> Result<Self, WorkspaceError> {
        let facts = Arc::new(layout.load()?);
        let (base, mut snapshot) = baseline::load(&layout)?;
        for (path, held) in item::laid(&layout)? {
            match held {
                Some(held) => snapshot.insert(path, held),
                None => snapshot.remove(&path),
            };
        }
        let dir = layout.workspace();
        let root = Root::open(&dir)?;
        let paths = |texts: &[String]| -> HashSet<Vec<u8>> {
            texts
                .iter()
                .filter_map(|text| names::unquote(text.trim_end_matches('/')))
                .collect()
        };
        let scanner = Scanner::new(snapshot, paths(&facts.licensed), paths(&facts.files));
        Ok(GitWorkspace {
            layout,
            facts,
            dir,
            root,
            base,
            scanner,
            building: Building::default(),
        })
    }

    /// Clean checkouts of this run's trees.
    pub fn checkouts(&self) -> Checkouts {
        Checkouts {
            layout: self.layout.clone(),
            facts: self.facts.clone(),
        }
    }

    /// The harness's own store, for delivery.
    pub fn store(&self) -> PathBuf {
        self.layout.store()
    }

    /// What could not be had when the run was prepared, for people.
    pub fn notes(&self) -> &[String] {
        &self.facts.notes
    }

    fn take(&mut self, difference: Difference) -> Change {
        let change = Change {
            path: names::quote(&difference.path),
            now: difference.now.as_ref().map(entry),
        };
        self.building.touch(&difference.path);
        self.scanner.set(difference.path, difference.now);
        change
    }
}

impl Workspace for GitWorkspace {
    fn dir(&self) -> &Path {
        &self.dir
    }

    fn base(&self) -> &Base {
        &self.facts.base
    }

    fn scan(&mut self, blobs: &dyn BlobSink) -> Result<Delta, WorkspaceError> {
        let mut met = |_: &Hash, content: &[u8]| blobs.put(content).map(drop);
        let differences = self.scanner.differences(&self.root, &self.base, &mut met)?;
        Ok(Delta {
            changes: differences.into_iter().map(|d| self.take(d)).collect(),
        })
    }

    fn replay(&mut self, delta: &Delta) {
        for change in &delta.changes {
            // A path that cannot be read was not written by a scan; there is nothing that it could stand for.
            let Some(path) = names::unquote(&change.path) else {
                continue;
            };
            let now = change.now.as_ref().map(|entry| Held {
                mode: entry.mode,
                hash: entry.content.as_ref().and_then(|blob| unhex(blob.as_str())),
                size: entry.size,
                stat: None,
                racy: true,
            });
            self.building.touch(&path);
            self.scanner.set(path, now);
        }
    }

    fn restore(&mut self, blobs: &dyn BlobSink) -> Result<(), WorkspaceError> {
        self.restore_snapshot(blobs)
    }

    fn revert(&mut self, paths: &[String]) -> Result<(), WorkspaceError> {
        self.revert_to_base(paths)
    }

    fn artefacts(&mut self, generated: &[String]) {
        for path in generated.iter().filter_map(|text| names::unquote(text)) {
            self.scanner.artefacts.learn(&path);
        }
    }

    fn candidate(&mut self) -> Result<Candidate, WorkspaceError> {
        self.build_candidate()
    }
}

fn entry(held: &Held) -> Entry {
    Entry {
        mode: held.mode,
        content: held
            .hash
            .filter(|_| held.size <= crate::SNAPSHOT_FILE_BYTES_MAX)
            .map(|hash| BlobId(hex(&hash))),
        size: held.size,
    }
}
