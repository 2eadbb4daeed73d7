//! The port that compares a candidate with the base's oracle: contents out of a run's own store, the comparison of the
//! `oracle` crate, and the trees that come of it.

use std::cell::OnceCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use overnight_core::goal::{Goal, PARALLEL_MAX};
use overnight_core::ids::{BlobId, TreeId};
use overnight_core::item::Extent;
use overnight_core::repo::Candidate;
use overnight_oracle::{Comparison, Content, PARSED_BYTES_MAX, Patch, Tree};
use overnight_ports::oracle::{Examined, Oracle};
use overnight_workspace::{Checkouts, Listing, Replacement};

/// Compares in the store of one run's folder.
pub struct GitOracle {
    run_dir: PathBuf,
    /// The last answers, oldest first: a claim that is made again on the same tree is not compared again. Several items
    /// are verified at a time.
    last: Mutex<VecDeque<(Compared, Examined)>>,
}

/// What an answer is about: an item's change is held against another base than the whole is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Compared {
    base: TreeId,
    candidate: TreeId,
    /// Of the contract: an item's has other checks than the run's, and what they name is licensed.
    goal: BlobId,
}

/// How many answers are kept: one for each item that can be worked on at a time, and the run's own.
const ANSWERS_MAX: usize = PARALLEL_MAX as usize + 1;

impl GitOracle {
    /// Compares trees of the store in `run_dir`, which must be prepared by then.
    pub fn new(run_dir: &Path) -> Self {
        GitOracle {
            run_dir: run_dir.to_owned(),
            last: Mutex::default(),
        }
    }
}

#[async_trait]
impl Oracle for GitOracle {
    async fn examine(
        &self,
        goal: &Goal,
        base: &TreeId,
        candidate: &Candidate,
    ) -> Result<Examined, String> {
        let compared = Compared {
            base: base.clone(),
            candidate: candidate.tree.clone(),
            goal: BlobId::of(&serde_json::to_vec(goal).map_err(|e| e.to_string())?),
        };
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = last()
            .iter()
            .find(|(before, _)| *before == compared)
            .cloned();
        if let Some((_, examined)) = known {
            return Ok(examined);
        }
        let (run_dir, goal) = (self.run_dir.clone(), goal.clone());
        let (base, candidate) = (base.clone(), candidate.clone());
        let answer = tokio::task::spawn_blocking(move || {
            let store = Checkouts::open(&run_dir)?;
            compare(&store, &goal, &base, &candidate)
        });
        // A panic in there is a bug, and no verdict: the run goes on without one.
        let examined = answer
            .await
            .map_err(|e| e.to_string())?
            .map_err(|e| e.to_string())?;
        let mut last = last();
        last.push_back((compared, examined.clone()));
        if last.len() > ANSWERS_MAX {
            last.pop_front();
        }
        Ok(examined)
    }

    fn steering(&self, generated: &[String]) -> Vec<String> {
        overnight_oracle::steering(generated.iter().map(String::as_str))
            .into_iter()
            .map(str::to_owned)
            .collect()
    }
}

/// The size of a change; see [`overnight_oracle::extent`].
pub(super) fn extent(
    store: &Checkouts,
    base: &TreeId,
    candidate: &Candidate,
) -> Result<Extent, Failure> {
    let changed: Vec<&str> = candidate.changes.iter().map(|c| c.path.as_str()).collect();
    let before = StoredTree::open(store, base, &changed)?;
    let after = StoredTree::open(store, &candidate.tree, &changed)?;
    Ok(overnight_oracle::extent(
        &candidate.changes,
        &before,
        &after,
    ))
}

type Failure = overnight_ports::workspace::WorkspaceError;

fn compare(
    store: &Checkouts,
    goal: &Goal,
    base: &TreeId,
    candidate: &Candidate,
) -> Result<Examined, Failure> {
    let tree = &candidate.tree;
    if candidate.changes.is_empty() {
        let same = || tree.clone();
        return Ok(Examined {
            offences: Vec::new(),
            notes: Vec::new(),
            laid: same(),
            strict: same(),
            reverse: same(),
            canary: same(),
            mark: overnight_oracle::canary::mark(tree.as_str()),
        });
    }
    let changed: Vec<&str> = candidate.changes.iter().map(|c| c.path.as_str()).collect();
    let before = StoredTree::open(store, base, &changed)?;
    let after = StoredTree::open(store, tree, &changed)?;
    let found = overnight_oracle::examine(&Comparison {
        goal,
        changes: &candidate.changes,
        base: &before,
        candidate: &after,
    });
    let with = |patches: &[Patch]| -> Result<TreeId, Failure> {
        if patches.is_empty() {
            return Ok(tree.clone());
        }
        let replacements = patches
            .iter()
            .map(|patch| (patch.path.clone(), replacement(patch, &before, &after)))
            .collect();
        store.patched(tree, &after.listing, &replacements)
    };
    let mark = overnight_oracle::canary::mark(tree.as_str());
    let laid = with(&found.laid)?;
    // The files that get canaries are the base's own where the candidate's were not taken.
    let canaries = overnight_oracle::canary::patches(
        &Laid {
            patches: &found.laid,
            base: &before,
            candidate: &after,
        },
        found.tests.iter().map(String::as_str),
        &mark,
    );
    let canary = if canaries.is_empty() {
        laid.clone()
    } else {
        let mut all: Vec<Patch> = found
            .laid
            .iter()
            .filter(|patch| !canaries.iter().any(|c| c.path == patch.path))
            .cloned()
            .collect();
        all.extend(canaries);
        with(&all)?
    };
    // A tree is some processes: it is made only for a goal that has a check run on it.
    let reverse = match goal.checks().any(|check| check.kind.proves_change()) {
        true => with(&found.reverse)?,
        false => laid.clone(),
    };
    Ok(Examined {
        strict: with(&found.strict)?,
        reverse,
        laid,
        canary,
        mark,
        offences: found.offences,
        notes: found.notes,
    })
}

fn replacement(patch: &Patch, base: &StoredTree<'_>, candidate: &StoredTree<'_>) -> Replacement {
    const FILE: &str = "100644";
    match &patch.content {
        Content::Base => match base.listing.get(&patch.path) {
            Some(entry) => Replacement::Entry(entry.clone()),
            None => Replacement::Absent,
        },
        Content::Text(text) => Replacement::File {
            mode: [candidate, base]
                .iter()
                .filter_map(|side| side.listing.get(&patch.path))
                .find(|entry| is_file(&entry.mode))
                .map_or_else(|| FILE.to_owned(), |entry| entry.mode.clone()),
            content: text.clone(),
        },
    }
}

fn is_file(mode: &str) -> bool {
    mode.starts_with("100")
}

/// The laid tree as data: the candidate, with patches.
struct Laid<'a> {
    patches: &'a [Patch],
    base: &'a StoredTree<'a>,
    candidate: &'a StoredTree<'a>,
}

impl Tree for Laid<'_> {
    fn read(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        match self.patches.iter().find(|patch| patch.path == path) {
            Some(Patch {
                content: Content::Base,
                ..
            }) => self.base.read(path, bytes_max),
            Some(Patch {
                content: Content::Text(text),
                ..
            }) => (text.len() <= bytes_max).then(|| text.clone()),
            None => self.candidate.read(path, bytes_max),
        }
    }

    fn exists(&self, path: &str) -> bool {
        self.candidate.exists(path)
    }

    fn paths(&self) -> Vec<String> {
        self.candidate.paths()
    }
}

/// A tree of the store: what has changed is read at once, anything else when it is asked for.
struct StoredTree<'a> {
    store: &'a Checkouts,
    listing: Listing,
    read: BTreeMap<String, Vec<u8>>,
    paths: OnceCell<Vec<String>>,
}

impl<'a> StoredTree<'a> {
    fn open(store: &'a Checkouts, tree: &TreeId, changed: &[&str]) -> Result<Self, Failure> {
        let listing = store.listing(tree)?;
        let wanted = changed
            .iter()
            .filter_map(|path| listing.get(*path))
            .filter(|entry| is_file(&entry.mode) && entry.size <= PARSED_BYTES_MAX as u64);
        let read = store.contents(wanted)?;
        Ok(StoredTree {
            store,
            listing,
            read,
            paths: OnceCell::new(),
        })
    }
}

impl Tree for StoredTree<'_> {
    fn read(&self, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
        let entry = self
            .listing
            .get(path)
            .filter(|entry| is_file(&entry.mode))?;
        if entry.size > bytes_max as u64 {
            return None;
        }
        match self.read.get(&entry.object) {
            Some(content) => Some(content.clone()),
            None => self.store.contents([entry]).ok()?.remove(&entry.object),
        }
    }

    fn exists(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.listing.contains_key(path)
            || self
                .listing
                .range(below.clone()..)
                .next()
                .is_some_and(|(next, _)| next.starts_with(&below))
    }

    fn paths(&self) -> Vec<String> {
        self.paths
            .get_or_init(|| self.listing.keys().cloned().collect())
            .clone()
    }
}
