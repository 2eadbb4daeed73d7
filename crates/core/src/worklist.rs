//! The worklist of a run as its events add up: what is open, what is integrated, how many ended how. It stays small
//! whatever the number of items: the list itself is pages by hash, and what became of a closed item is in the journal.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ids::{BlobId, CommitId, ItemId, TreeId};
use crate::item::{Closed, Closing, ItemHead, Listing, Outcome, Replayed};
use crate::state::{State, Wait};

/// How many things that siblings learned an item is told.
pub const LEARNED_MAX: usize = 12;
/// Length of each, bytes.
pub const LEARNED_BYTES_MAX: usize = 200;
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
    /// Items whose root cause is worked on as another's, by that other item.
    pub held: BTreeMap<ItemId, Vec<Held>>,
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
    /// How many closed items could not be solved although the goal does not allow it, and the first few.
    pub unresolved: Vec<ItemHead>,
    /// The source cannot do what it is asked: waits.
    pub wait: Option<Wait>,
    /// How often in a row.
    pub failures: u32,
    /// Whether the list was read once more.
    pub relisted: bool,
    /// How many items appeared meanwhile.
    pub newcomers: u32,
    /// Acts that are to be performed in all.
    pub acts: u32,
    /// Acts that are over.
    pub acted: u32,
    /// Whether the next one was begun, maybe by a process that died.
    pub acting: bool,
}

/// The newest commit on the run's branch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tip {
    /// It.
    pub commit: CommitId,
    /// Its tree.
    pub tree: TreeId,
}

/// An item that waits for another with the same root cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// It.
    pub head: ItemHead,
    /// All of it.
    pub dossier: BlobId,
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
}
