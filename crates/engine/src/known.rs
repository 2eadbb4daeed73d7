//! What the loop keeps in memory because the state holds only its beginning: whole candidates, and what became of the
//! items. All of it can be had from the journal again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use overnight_core::event::{Event, Fact};
use overnight_core::ids::{BlobId, CommitId, ItemId, Scope, TreeId};
use overnight_core::item::{Closed, Outcome};
use overnight_core::repo::Candidate;
use overnight_core::state::State;
use overnight_ports::journal::Journal;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Known {
    candidates: Mutex<BTreeMap<Scope, Candidate>>,
    ledger: Mutex<Ledger>,
}

/// What became of the items so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ledger {
    /// What was read of them, as blobs.
    dossiers: BTreeMap<ItemId, BlobId>,
    /// Those that ended, in the order of their ends.
    pub closed: Vec<Closed>,
    /// The commits of the run's branch, in its order.
    integrated: Vec<Integrated>,
}

/// One commit of the run's branch.
#[derive(Debug, Clone)]
pub(crate) struct Integrated {
    /// Whose change it holds.
    pub item: ItemId,
    /// Its name.
    pub commit: CommitId,
    /// What was there before it.
    pub before: TreeId,
    /// What it holds.
    pub tree: TreeId,
    /// Paths that it changed, as many as are remembered.
    pub paths: Vec<String>,
}

impl Ledger {
    /// Takes note of an event; `after` is the state that it led to.
    pub fn see(&mut self, event: &Event, after: &State) {
        if let Fact::ItemOpened(opened) = &event.fact {
            self.dossiers
                .insert(opened.head.id.clone(), opened.dossier.clone());
        }
        if let (Fact::Integrated { commit, tree }, Scope::Item(item)) = (&event.fact, &event.scope)
        {
            self.integrated(item, commit, tree, after);
        }
        if let Some(list) = &after.worklist {
            self.closed.extend(list.just_closed.iter().cloned());
        }
    }

    /// Those that were fixed by what this commit holds: by it, or by one before it on the run's branch. Nothing where it
    /// is the base.
    pub fn fixed_in(&self, commit: &CommitId) -> Vec<&Closed> {
        let made: Vec<&CommitId> = self
            .closed
            .iter()
            .filter(|closed| closed.same_as.is_none())
            .filter_map(|closed| closed.commit.as_ref())
            .collect();
        let held = made.iter().position(|made| *made == commit);
        let held = held.map_or(&[][..], |at| &made[..=at]);
        self.closed
            .iter()
            .filter(|closed| closed.outcome == Outcome::Fixed)
            .filter(|closed| closed.commit.as_ref().is_some_and(|c| held.contains(&c)))
            .collect()
    }

    fn integrated(&mut self, item: &ItemId, commit: &CommitId, tree: &TreeId, after: &State) {
        let last = self.integrated.last().map(|last| last.tree.clone());
        let base = after.base.as_ref().map(|base| base.tree.clone());
        let ended = after.worklist.iter().flat_map(|list| &list.just_closed);
        let mut ended = ended.filter(|closed| closed.head.id == *item);
        self.integrated.push(Integrated {
            item: item.clone(),
            commit: commit.clone(),
            before: last.or(base).unwrap_or_default(),
            tree: tree.clone(),
            paths: ended.next().map(|c| c.paths.clone()).unwrap_or_default(),
        });
    }

    /// The commits that this one holds: itself, and those before it on the run's branch. None where it is the base.
    pub fn integrated_in(&self, commit: &CommitId) -> &[Integrated] {
        let held = self
            .integrated
            .iter()
            .position(|made| made.commit == *commit);
        held.map_or(&[][..], |at| &self.integrated[..=at])
    }

    /// The commits that came after this one: all of them where it is the base.
    pub fn integrated_since(&self, commit: &CommitId) -> &[Integrated] {
        &self.integrated[self.integrated_in(commit).len()..]
    }

    /// All that was read of an item.
    pub fn dossier(&self, item: &ItemId) -> Option<&BlobId> {
        self.dossiers.get(item)
    }
}

impl Known {
    pub fn with(ledger: Ledger) -> Self {
        Known {
            candidates: Mutex::default(),
            ledger: Mutex::new(ledger),
        }
    }

    /// A candidate was fixed, or moved onto another base.
    pub fn keep(&self, scope: &Scope, candidate: &Candidate) {
        self.candidates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(scope.clone(), candidate.clone());
    }

    pub fn see(&self, event: &Event, after: &State) {
        self.ledger
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .see(event, after);
    }

    /// Looks into the ledger.
    pub fn ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// An item has ended: its candidate is no longer asked for.
    pub fn forget(&self, item: &ItemId) {
        self.candidates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&Scope::Item(item.clone()));
    }

    /// The candidate of a scope, whole.
    pub fn candidate(
        &self,
        journal: &dyn Journal,
        scope: &Scope,
        tree: &TreeId,
    ) -> Result<Candidate, String> {
        let held = self
            .candidates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(scope)
            .cloned();
        if let Some(candidate) = held.filter(|c| &c.tree == tree) {
            return Ok(candidate);
        }
        // After a restart: the journal has it.
        let mut found = None;
        let read = journal.read(1, &mut |stored| {
            if stored.event.scope != *scope {
                return;
            }
            if let Fact::CandidateFixed { candidate, .. } | Fact::Rebased { candidate, .. } =
                stored.event.fact
                && &candidate.tree == tree
            {
                found = Some(candidate);
            }
        });
        read.map_err(|e| e.to_string())?;
        found.ok_or_else(|| format!("the journal does not tell of tree {tree}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overnight_core::item::ItemHead;

    fn closed(id: &str, outcome: Outcome, commit: Option<&str>, same_as: Option<&str>) -> Closed {
        Closed {
            head: ItemHead {
                id: ItemId(id.into()),
                ..ItemHead::default()
            },
            outcome,
            evidence: String::new(),
            commit: commit.map(|commit| CommitId(commit.into())),
            same_as: same_as.map(|id| ItemId(id.into())),
            attempts: 0,
            turns: 0,
            usage: Default::default(),
            paths: Vec::new(),
            at: 0,
        }
    }

    #[test]
    fn what_a_commit_holds_is_what_was_fixed_up_to_it() {
        let ledger = Ledger {
            closed: vec![
                closed("a", Outcome::Fixed, Some("c1"), None),
                closed("b", Outcome::Diagnosed, None, None),
                closed("c", Outcome::Fixed, Some("c2"), None),
                closed("d", Outcome::Fixed, Some("c1"), Some("a")),
                closed("e", Outcome::Done, Some("c3"), None),
            ],
            ..Ledger::default()
        };
        let held = |commit: &str| -> Vec<&str> {
            let fixed = ledger.fixed_in(&CommitId(commit.into()));
            fixed.iter().map(|closed| closed.head.id.as_str()).collect()
        };
        assert!(held("base").is_empty());
        assert_eq!(held("c1"), ["a", "d"]);
        assert_eq!(held("c2"), ["a", "c", "d"]);
        assert_eq!(held("c3"), ["a", "c", "d"]);
    }
}
