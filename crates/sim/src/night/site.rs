//! The workspace of the simulated world: a few files, snapshots of them, and candidates.

use std::collections::BTreeMap;

use async_trait::async_trait;
use overnight_core::ids::BlobId;
use overnight_core::repo::{Base, Candidate, Changed, How};
use overnight_core::state::State;
use overnight_core::turn::Denial;
use overnight_ports::journal::BlobSink;
use overnight_ports::site::{Fixed, Site};

use crate::night::model::Hand;
use crate::night::plan::{KEPT, KEPT_FILE, SECOND, Sabotage};
use crate::night::world::{Files, Inner, base_files, tree_of};

/// What changed between two looks.
type Delta = BTreeMap<String, u8>;

/// Looks at the workspace as the real one does after every call: puts back what is kept, and keeps what changed as a
/// blob. A change that cannot be kept now is found again at the next look.
pub(super) fn look(hand: &Hand) -> (Option<BlobId>, Vec<String>) {
    let item = hand.item.as_ref();
    let (delta, files, denied) = {
        let mut world = hand.seen.0.lock();
        world.background_runs();
        let work = world.desk(item);
        let kept = work.files.insert(KEPT_FILE.into(), KEPT);
        let denied = (kept != Some(KEPT)).then(|| KEPT_FILE.to_owned());
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
            .and_then(|bytes| hand.seen.put(&bytes).ok()),
    };
    if blob.is_some() {
        hand.seen.0.lock().desk(item).scanned = files;
    }
    (blob, denied.into_iter().collect())
}

/// How files differ from a base's.
pub(super) fn changes(base: &Files, files: &Files) -> Vec<Changed> {
    let changed = files.iter().filter(|(f, v)| base.get(*f) != Some(v));
    changed
        .map(|(path, _)| Changed {
            path: path.clone(),
            how: How::Modified,
            added: 1,
            removed: 1,
            link: None,
        })
        .collect()
}

/// What a workspace holds when it is made: the base, what is integrated, or a change that was sent back. With it comes
/// the tree that changes are counted from.
fn beginning(world: &mut Inner, state: &State) -> (Files, Files) {
    let base = base_files(&world.plan);
    let Some(item) = &state.item else {
        return (base.clone(), base);
    };
    let start = world.trees.get(&item.start.tree).cloned();
    let laid = item.laid.as_ref().unwrap_or(&item.start.tree);
    let laid = world.trees.get(laid).cloned();
    match (start, laid) {
        (Some(start), Some(laid)) => (start, laid),
        (start, laid) => {
            let what = format!("start {}, laid {}", start.is_some(), laid.is_some());
            world.breaks("a workspace is made of what there is", what);
            (base.clone(), base)
        }
    }
}

#[async_trait]
impl Site for Hand {
    async fn prepare(&self, state: &State) -> Result<Base, String> {
        let world = &self.seen.0;
        world.deed().await;
        world.takes(SECOND).await;
        let start = {
            let mut world = world.lock();
            let (start, laid) = beginning(&mut world, state);
            let work = world.desk(self.item.as_ref());
            work.files = laid.clone();
            work.scanned = laid;
            work.background.clear();
            start
        };
        world.deed().await;
        let commit = state.item.as_ref().map(|item| item.start.commit.clone());
        Ok(Base {
            commit: commit.unwrap_or_else(|| "base".into()),
            tree: tree_of(&start),
            files: start.len() as u64,
            identity: "Ann <ann@example.org>".into(),
            ..Base::default()
        })
    }

    async fn reopen(&self, state: &State, deltas: &[BlobId]) -> Result<(), String> {
        let (_, mut scanned) = beginning(&mut self.seen.0.lock(), state);
        for id in deltas {
            let bytes = self.seen.get(id).map_err(|e| e.to_string())?;
            let delta: Delta = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
            scanned.extend(delta);
        }
        let mut world = self.seen.0.lock();
        let lost = world.plan.sabotage == Some(Sabotage::LostFiles);
        let base = base_files(&world.plan);
        let work = world.desk(self.item.as_ref());
        if lost {
            work.files = base;
        }
        work.scanned = scanned;
        Ok(())
    }

    async fn fix(&self, state: &State) -> Result<Fixed, String> {
        let world = &self.seen.0;
        world.deed().await;
        world.takes(50).await;
        let stopped: Vec<String> = {
            let mut world = world.lock();
            let percent = world.plan.site_fails_percent;
            if world.random.percent(percent) {
                return Err("index.lock exists".into());
            }
            world.background_runs();
            let late = std::mem::take(&mut world.desk(self.item.as_ref()).background);
            late.into_iter().map(|(_, file, _)| file).collect()
        };
        let (delta, denied) = look(self);
        let candidate = {
            let mut world = world.lock();
            let (base, _) = beginning(&mut world, state);
            let files = world.desk(self.item.as_ref()).files.clone();
            let tree = tree_of(&files);
            world.trees.insert(tree.clone(), files.clone());
            Candidate {
                tree,
                changes: changes(&base, &files),
                artefacts: vec![],
            }
        };
        world.deed().await;
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
