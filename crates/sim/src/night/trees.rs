//! Where the results of simulated items come together: their workspaces, merges, commits, citations and replays.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use overnight_core::goal::CheckKind;
use overnight_core::ids::{BlobId, CommitId, ItemId, TreeId};
use overnight_core::item::{Dossier, Extent, ItemHead, Replayed};
use overnight_core::repo::Candidate;
use overnight_core::state::{Phase, State};
use overnight_ports::crew::{Commit, Crew, Member, Moved, Replayer, Trees, WorklistPorts};

use crate::night::model::Hand;
use crate::night::plan::{DONE, SECOND, Sabotage};
use crate::night::ports::Seen;
use crate::night::site::changes;
use crate::night::things::{Board, CITES, MARKER};
use crate::night::world::{Files, Inner, World, looked, tree_of};

/// What a simulated worklist needs.
pub fn worklist(world: &Arc<World>) -> Option<WorklistPorts> {
    let replay = world.lock().plan.backlog.as_ref()?.replay;
    let seen = || Seen(world.clone());
    Some(WorklistPorts {
        source: Arc::new(Board(seen())),
        crew: Arc::new(Hands {
            seen: seen(),
            hands: Mutex::default(),
        }),
        trees: Arc::new(Store(seen())),
        replayer: replay.then(|| Arc::new(Store(seen())) as Arc<dyn Replayer>),
    })
}

/// Those who work on items.
struct Hands {
    seen: Seen,
    hands: Mutex<Vec<(ItemId, Arc<Hand>)>>,
}

#[async_trait]
impl Crew for Hands {
    fn member(&self, item: &ItemHead) -> Member {
        let mut hands = self.hands.lock().unwrap_or_else(PoisonError::into_inner);
        let known = hands.iter().find(|(id, _)| *id == item.id);
        let hand = match known {
            Some((_, hand)) => hand.clone(),
            None => {
                let seen = Seen(self.seen.0.clone());
                let hand = Arc::new(Hand::new(seen, Some(item.id.clone())));
                hands.push((item.id.clone(), hand.clone()));
                hand
            }
        };
        Member {
            site: hand.clone(),
            executor: hand,
        }
    }

    async fn dismiss(&self, item: &ItemId) {
        let mut hands = self.hands.lock().unwrap_or_else(PoisonError::into_inner);
        hands.retain(|(id, _)| id != item);
        self.seen.0.lock().desk(Some(item)).background.clear();
    }
}

/// The harness's store of trees and commits.
struct Store(Seen);

impl Store {
    /// A look into the store, which may fail for a moment.
    async fn opened(&self) -> Result<(), String> {
        let world = &self.0.0;
        world.deed().await;
        let fails = {
            let mut world = world.lock();
            let percent = world.plan.site_fails_percent;
            world.random.percent(percent)
        };
        world.takes(50).await;
        match fails {
            true => Err("index.lock exists".into()),
            false => Ok(()),
        }
    }

    fn files(&self, tree: &TreeId) -> Result<Files, String> {
        let world = self.0.0.lock();
        let found = world.trees.get(tree).cloned();
        found.ok_or_else(|| format!("there is no tree {tree}"))
    }
}

#[async_trait]
impl Trees for Store {
    async fn compare(&self, base: &TreeId, tree: &TreeId) -> Result<Candidate, String> {
        self.opened().await?;
        let (base, files) = (self.files(base)?, self.files(tree)?);
        Ok(Candidate {
            tree: tree.clone(),
            changes: changes(&base, &files),
            artefacts: vec![],
        })
    }

    async fn rebase(&self, base: &TreeId, tree: &TreeId, onto: &TreeId) -> Result<Moved, String> {
        self.opened().await?;
        let (base, mine, theirs) = (self.files(base)?, self.files(tree)?, self.files(onto)?);
        let mut merged = theirs.clone();
        let mut conflicts = Vec::new();
        for (file, value) in &mine {
            if base.get(file) == Some(value) || theirs.get(file) == Some(value) {
                continue;
            }
            let untouched = theirs.get(file) == base.get(file);
            if !untouched {
                conflicts.push(file.clone());
            }
            merged.insert(file.clone(), if untouched { *value } else { MARKER });
        }
        let blind = self.0.0.lock().plan.sabotage == Some(Sabotage::BlindMerge);
        if blind {
            merged = mine;
            conflicts.clear();
        }
        let tree = tree_of(&merged);
        let moved = Moved {
            candidate: Candidate {
                tree: tree.clone(),
                changes: changes(&theirs, &merged),
                artefacts: vec![],
            },
            conflicts,
        };
        self.0.0.lock().trees.insert(tree, merged);
        self.0.0.deed().await;
        Ok(moved)
    }

    async fn unresolved(&self, _: &TreeId, candidate: &Candidate) -> Result<Vec<String>, String> {
        self.opened().await?;
        let files = self.files(&candidate.tree)?;
        let marked = files.iter().filter(|(_, value)| **value == MARKER);
        Ok(marked.map(|(file, _)| file.clone()).collect())
    }

    async fn commit(&self, commit: &Commit) -> Result<CommitId, String> {
        may_commit(&mut self.0.0.lock(), commit);
        self.opened().await?;
        let text = format!("{commit:?}");
        let id = CommitId(BlobId::of(text.as_bytes()).0.chars().take(40).collect());
        let made = (commit.parent.clone(), commit.tree.clone());
        self.0.0.lock().commits.insert(id.clone(), made);
        self.0.0.deed().await;
        Ok(id)
    }

    async fn extent(&self, base: &TreeId, candidate: &Candidate) -> Result<Extent, String> {
        self.opened().await?;
        let (base, files) = (self.files(base)?, self.files(&candidate.tree)?);
        let changed = changes(&base, &files).len() as u32;
        Ok(Extent {
            functions: Some(changed),
            lines: changed,
            files: changed,
        })
    }

    async fn citations(&self, _: &TreeId, text: &str) -> Result<Vec<String>, String> {
        self.opened().await?;
        Ok(match text.contains(CITES) {
            true => vec![],
            false => vec!["nowhere:1 is not there".into()],
        })
    }
}

#[async_trait]
impl Replayer for Store {
    async fn replay(&self, _: &State, tree: &TreeId, dossier: &Dossier) -> Replayed {
        self.0.0.deed().await;
        self.0.0.takes(SECOND).await;
        let mut world = self.0.0.lock();
        let percent = world
            .plan
            .backlog
            .as_ref()
            .map_or(0, |list| list.obstacle_percent);
        if world.random.percent(percent) {
            return Replayed::CannotTell;
        }
        let file = dossier.event.as_ref().and_then(|e| e["file"].as_str());
        let files = world.trees.get(tree);
        match (file, files) {
            (Some(file), Some(files)) if files.get(file) == Some(&DONE) => Replayed::Passes,
            (Some(_), Some(_)) => Replayed::Fails,
            _ => Replayed::CannotTell,
        }
    }
}

/// A commit is made when it is due, of the item whose turn it is, on what was integrated last, and of a tree that
/// passes every check of the item, as anybody could see.
fn may_commit(world: &mut Inner, commit: &Commit) {
    let Some(now) = world.disk.state.clone() else {
        return world.breaks("nothing is committed before the run is durable", "");
    };
    let list = now.worklist.as_deref();
    let first = list.and_then(|list| list.open.get(list.queue.first()?));
    let Some(child) = first.filter(|child| child.phase == Phase::Delivering) else {
        return world.breaks(
            "a commit is of the item whose turn it is",
            commit.message.clone(),
        );
    };
    let tip = overnight_core::step::tip(&now);
    let proven = child.candidate.as_ref().map(|c| &c.tree) == Some(&commit.tree);
    if now.paused || now.phase != Phase::Working || tip.commit != commit.parent || !proven {
        let what = format!("{commit:?} while {} at {tip:?}", now.status());
        world.breaks("a commit follows what is integrated", what);
    }
    let (Some(before), Some(after)) = (
        world.trees.get(&tip.tree).cloned(),
        world.trees.get(&commit.tree).cloned(),
    ) else {
        return world.breaks(
            "a commit is of a tree that is there",
            commit.tree.to_string(),
        );
    };
    for check in child.goal.checks() {
        if let CheckKind::Run { command } | CheckKind::Tests { command, .. } = &check.kind {
            let (is, wanted) = looked(command, &after);
            if is != wanted {
                let what = format!("{command} is {is} on {}", commit.tree);
                world.breaks("a commit has passed its checks on its tree", what);
            }
        }
    }
    let Some(item) = child.item.as_deref() else {
        return;
    };
    let changed = changes(&before, &after);
    let wrote = world.desk(Some(&item.head.id)).wrote.clone();
    if let Some(other) = changed.iter().find(|c| !wrote.contains(&c.path)) {
        let what = format!(
            "{} changes {} for {}",
            commit.tree, other.path, item.head.id
        );
        world.breaks("a commit holds its item's change and nothing else", what);
    }
    let kept = changed
        .iter()
        .find(|c| child.goal.keep.paths.contains(&c.path));
    if let Some(kept) = kept {
        let what = format!("{} changes {}", commit.tree, kept.path);
        world.breaks("a commit changes nothing that is kept", what);
    }
    let most = child.goal.next.fix_when.and_then(|limits| limits.files);
    if most.is_some_and(|most| changed.len() > most as usize) {
        let what = format!("{} files for {}", changed.len(), item.head.id);
        world.breaks("a fix is as small as the goal says", what);
    }
}
