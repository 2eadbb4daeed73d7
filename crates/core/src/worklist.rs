//! The worklist of a run as its events add up: what is open, what is integrated, how many ended how. It stays small
//! whatever the number of items: the list itself is pages by hash, and what became of a closed item is in the journal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{BlobId, CommitId, ItemId, TreeId};
use crate::item::{Closed, Closing, ItemHead, Listing, Outcome, Replayed};
use crate::state::{State, Wait, Waiting};

/// How many things that siblings learned an item is told.
pub const LEARNED_MAX: usize = 12;
/// Length of each, bytes.
pub const LEARNED_BYTES_MAX: usize = 200;
/// Length of all of them together, bytes: what the last item costs is to be what the first ones cost.
pub const LEARNED_ALL_BYTES_MAX: usize = 800;
/// How many root causes are remembered, to notice that an item has the same as one before.
pub const CAUSES_MAX: usize = 1_000;
/// How many refused closings of an item are kept to be told again.
pub const TRIED_MAX: usize = 6;
/// Length of each, bytes.
pub const TRIED_BYTES_MAX: usize = 400;

/// A worklist, as its events add up.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Worklist {
    /// The frozen list.
    pub listing: Listing,
    /// The place of the first item that was not opened yet.
    pub next: u32,
    /// The small machines of the items that are worked on.
    pub open: BTreeMap<ItemId, Box<State>>,
    /// Places of items that wait because another with the same root cause is worked on, by that other item.
    pub held: BTreeMap<ItemId, Vec<u32>>,
    /// Places of items that are to be opened again: those that were held, and unsolved ones that a person wants tried
    /// once more.
    pub again: Vec<u32>,
    /// How many ended how.
    pub ended: BTreeMap<Outcome, u32>,
    /// What was integrated last: the newest commit and its tree. `None`: the base.
    pub tip: Option<Tip>,
    /// Items whose change waits to be integrated, in the order of their claims; the first is at it.
    pub queue: Vec<ItemId>,
    /// What siblings learned, oldest first.
    pub learned: Vec<String>,
    /// Root causes by fingerprint.
    pub causes: BTreeMap<String, Cause>,
    /// Items that ended with the last event.
    pub just_closed: Vec<Closed>,
    /// Places of items that could not be solved; bounded.
    pub unresolved: Vec<u32>,
    /// The source cannot do what it is asked: waits.
    pub wait: Option<Wait>,
    /// How often in a row.
    pub failures: u32,
    /// How often the list was read once more.
    pub rounds: u32,
    /// Whether that is over.
    pub relisted: bool,
    /// What the whole still lacks once every item is closed.
    pub whole: Whole,
    /// How many items appeared meanwhile.
    pub newcomers: u32,
    /// Acts that are to be performed in all.
    pub acts: u32,
    /// Acts that are over.
    pub acted: u32,
    /// Of these, acts that could not be performed.
    pub unperformed: u32,
    /// The source did not answer to the last act however long it was waited for: the next ones are tried once each, so
    /// that a source that is away for good does not keep the run from its end.
    pub away: bool,
    /// A person stopped the run while it was ending: no further act is begun.
    pub cut: bool,
    /// Whether the intent of the next one is durable.
    pub acting: bool,
    /// Whether nobody knows if the next one was performed already: its source is asked first.
    pub probe: bool,
}

impl Worklist {
    /// What is waited for while the source cannot do what it is asked.
    pub(crate) fn waits(&self) -> Option<Waiting> {
        let wait = self.wait.as_ref()?;
        Some(Waiting {
            kind: wait.kind,
            from: wait.since,
            until: Some(wait.until),
            why: wait.why.clone(),
        })
    }

    /// What is waited for, if nothing else can be done: every item at work waits, and no further one can be opened.
    pub(crate) fn waiting(&self, parallel: usize) -> Option<Waiting> {
        let opens = self.open.len() < parallel && self.upcoming().is_some() && self.wait.is_none();
        if opens || (self.finished() && self.wait.is_none()) {
            return None;
        }
        let mut soonest = self.waits();
        for child in self.open.values() {
            let waiting = child.waiting()?;
            let sooner = soonest
                .as_ref()
                .is_none_or(|known| waiting.until < known.until);
            if sooner {
                soonest = Some(waiting);
            }
        }
        soonest
    }
}

/// How far the work on the whole is: on what the run's own checks still miss when every item is closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whole {
    /// Nothing was found to be missing yet, or a person has it tried again.
    #[default]
    Untouched,
    /// It is to be worked on.
    Due,
    /// It is worked on.
    Open,
    /// It was worked on; what has come of it the run's checks say.
    Over,
}

/// The newest commit on the run's branch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// It.
    pub commit: CommitId,
    /// Its tree.
    pub tree: TreeId,
    /// The item that it is of.
    pub item: ItemId,
}

/// The first item with a root cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// It.
    pub item: ItemId,
    /// How it ended, once it has.
    pub outcome: Option<Outcome>,
    /// Its commit.
    pub commit: Option<CommitId>,
}

/// What an item's machine works on.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ItemWork {
    /// The item.
    pub head: ItemHead,
    /// All that its source says of it: a [`crate::item::Dossier`] as JSON.
    pub dossier: BlobId,
    /// What tells its root cause from others.
    pub fingerprint: Option<String>,
    /// The commit that its workspace starts from.
    pub start: Tip,
    /// What lies in the workspace at first, if that is not the start's own tree: a change that was sent back.
    pub laid: Option<TreeId>,
    /// Its change was taken onto another tree than the one that its workspace was made from. What its workspace holds
    /// counts no longer: either the change is integrated, or the workspace is made anew.
    pub moved: bool,
    /// How often it was sent back: every time its workspace is made anew.
    pub round: u32,
    /// The outcomes that it may end in.
    pub outcomes: Vec<Outcome>,
    /// Closings that were refused, and how many may be.
    pub attempts: u32,
    /// See `attempts`.
    pub attempts_max: u32,
    /// Why it can no longer end in a change.
    pub only_words: Option<String>,
    /// What was refused, oldest first: the latest few.
    pub tried: Vec<String>,
    /// The closing that is being looked at.
    pub closing: Option<Closing>,
    /// What siblings learned before it was opened.
    pub learned: Vec<String>,
    /// Its replay on the untouched base.
    pub on_base: Option<Replayed>,
    /// The first commit of others that holds its whole change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<Box<Tip>>,
}
