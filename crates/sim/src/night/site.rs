//! The workspace of the simulated world: a few files, snapshots of them, and candidates.

use std::collections::BTreeMap;

use async_trait::async_trait;
use overnight_core::ids::BlobId;
use overnight_core::repo::{Base, Candidate, Changed, How};
use overnight_core::state::State;
use overnight_core::turn::Denial;
use overnight_ports::journal::BlobSink;
use overnight_ports::site::{Fixed, Site};

use crate::night::plan::{KEPT, KEPT_FILE, SECOND, Sabotage};
use crate::night::ports::Seen;
use crate::night::world::{Files, base_files, tree_of};

/// What changed between two looks.
type Delta = BTreeMap<String, u8>;

/// Looks at the workspace as the real one does after every call: puts back what is kept, and keeps what changed as a
/// blob. A change that cannot be kept now is found again at the next look.
pub(super) fn look(seen: &Seen) -> (Option<BlobId>, Vec<String>) {
    let (delta, files, denied) = {
        let mut world = seen.0.lock();
        world.background_runs();
        let kept = world.work.files.insert(KEPT_FILE.into(), KEPT);
        let denied = (kept != Some(KEPT)).then(|| KEPT_FILE.to_owned());
        let work = &world.work;
        let changed = work
            .files
            .iter()
            .filter(|(f, v)| work.scanned.get(*f) != Some(v));
        let delta: Delta = changed.map(|(f, v)| (f.clone(), *v)).collect();
        (delta, work.files.clone(), denied)
    };
    let blob = match delta.is_empty() {
        true => None,
        false => serde_json::to_vec(&delta)
            .ok()
            .and_then(|bytes| seen.put(&bytes).ok()),
    };
    if blob.is_some() {
        seen.0.lock().work.scanned = files;
    }
    (blob, denied.into_iter().collect())
}

#[async_trait]
impl Site for Seen {
    async fn prepare(&self, _: &State) -> Result<Base, String> {
        self.0.deed().await;
        self.0.takes(SECOND).await;
        let files = {
            let mut world = self.0.lock();
            let files = base_files(world.plan.cells);
            world.work.files = files.clone();
            world.work.scanned = files.clone();
            files
        };
        self.0.deed().await;
        Ok(Base {
            commit: "base".into(),
            tree: tree_of(&files),
            files: files.len() as u64,
            identity: "Ann <ann@example.org>".into(),
            ..Base::default()
        })
    }

    async fn reopen(&self, _: &State, deltas: &[BlobId]) -> Result<(), String> {
        let mut scanned: Files = base_files(self.0.lock().plan.cells);
        for id in deltas {
            let bytes = self.get(id).map_err(|e| e.to_string())?;
            let delta: Delta = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
            scanned.extend(delta);
        }
        let mut world = self.0.lock();
        if world.plan.sabotage == Some(Sabotage::LostFiles) {
            world.work.files = base_files(world.plan.cells);
        }
        world.work.scanned = scanned;
        Ok(())
    }

    async fn fix(&self, _: &State) -> Result<Fixed, String> {
        self.0.deed().await;
        self.0.takes(50).await;
        let stopped: Vec<String> = {
            let mut world = self.0.lock();
            let percent = world.plan.site_fails_percent;
            if world.random.percent(percent) {
                return Err("index.lock exists".into());
            }
            world.background_runs();
            let late = std::mem::take(&mut world.work.background);
            late.into_iter().map(|(_, file, _)| file).collect()
        };
        let (delta, denied) = look(self);
        let candidate = {
            let mut world = self.0.lock();
            let base = base_files(world.plan.cells);
            let files = world.work.files.clone();
            let tree = tree_of(&files);
            world.work.trees.insert(tree.clone(), files.clone());
            let changes = files.iter().filter(|(f, v)| base.get(*f) != Some(v));
            Candidate {
                tree,
                changes: changes
                    .map(|(path, _)| Changed {
                        path: path.clone(),
                        how: How::Modified,
                        added: 1,
                        removed: 1,
                        link: None,
                    })
                    .collect(),
                artefacts: vec![],
            }
        };
        self.0.deed().await;
        Ok(Fixed {
            candidate,
            delta,
            denials: denied
                .into_iter()
                .map(|what| Denial {
                    rule: "keep.paths".into(),
                    what,
                })
                .collect(),
            stopped,
        })
    }

    async fn close(&self) {}
}
