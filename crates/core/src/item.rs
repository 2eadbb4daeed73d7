//! Items: the entries of a worklist, as sources give them, and how they end.

use serde::{Deserialize, Serialize};

use crate::ids::{BlobId, CommitId, ItemId, UnixMs};

/// How many items a worklist may have.
pub const ITEMS_MAX: usize = 100_000;
/// How many items one page of the frozen list holds.
pub const PAGE_ITEMS: usize = 500;
/// Length of an item's id, bytes; a source whose ids are longer is refused.
pub const ITEM_ID_BYTES_MAX: usize = 200;
/// Length of an item's title, bytes; longer ones are cut.
pub const ITEM_TITLE_BYTES_MAX: usize = 300;
/// Length of an item's body in the list, bytes; longer ones are cut.
pub const ITEM_BODY_BYTES_MAX: usize = 16 * 1024;
/// Length of everything else that a source says about an item in the list, bytes of JSON; more is left out.
pub const ITEM_REST_BYTES_MAX: usize = 16 * 1024;

/// The place of what the whole still lacks once every item is closed: behind every list.
pub const WHOLE_INDEX: u32 = u32::MAX;
/// Its id, which no item of a source may have.
pub const WHOLE_ID: &str = "the-whole";

/// One entry of a worklist, as its source lists it. This is also the form of a line that a source by command prints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// As its source names it; unique within the list.
    pub id: ItemId,
    /// One line.
    pub title: String,
    /// More, if the list has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Where a person can look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it first appeared, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// As the source words it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// As the source words them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Everything else that the source says.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// What names an item to people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemHead {
    /// Its place in the list, from 0.
    pub index: u32,
    /// Its id.
    pub id: ItemId,
    /// One line, cleaned of control characters.
    pub title: String,
    /// Where a person can look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl ItemHead {
    /// Whether this is no item of the list, but what the whole still lacks.
    pub fn is_whole(&self) -> bool {
        self.index == WHOLE_INDEX
    }
}

/// A list, frozen: its items are in the pages, its hash names it for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// In the list's order.
    pub pages: Vec<Page>,
    /// How many items.
    pub total: u32,
    /// Of the pages' hashes in order.
    pub hash: BlobId,
    /// What people should know of it: items left out for what is wrong with them, a source that cannot sort.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// A JSON array of items.
    pub blob: BlobId,
    /// How many, at most [`PAGE_ITEMS`].
    pub items: u32,
}

impl Listing {
    /// The page that holds the item at a place, and the item's place in the page.
    pub fn page_of(&self, index: u32) -> Option<(&Page, u32)> {
        let mut first = 0u32;
        for page in &self.pages {
            let place = index.checked_sub(first)?;
            if place < page.items {
                return Some((page, place));
            }
            first = first.saturating_add(page.items);
        }
        None
    }
}

/// How an item can end. The names are the goal file's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A commit that passed the item's checks.
    Fixed,
    /// The same evidence; for lists of things that were never broken.
    Done,
    /// A root cause and what a fix would take, with citations that hold.
    Diagnosed,
    /// Left to a person, with a reason.
    Flagged,
    /// A rule of the goal's says to leave it: the rule.
    SkippedByRule,
    /// Nobody could: what was tried.
    Unresolved,
}

impl Outcome {
    /// All, in the order in which people read them.
    pub const ALL: [Outcome; 6] = [
        Outcome::Fixed,
        Outcome::Done,
        Outcome::Diagnosed,
        Outcome::Flagged,
        Outcome::SkippedByRule,
        Outcome::Unresolved,
    ];

    /// As the goal file spells it.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Fixed => "fixed",
            Outcome::Done => "done",
            Outcome::Diagnosed => "diagnosed",
            Outcome::Flagged => "flagged",
            Outcome::SkippedByRule => "skipped-by-rule",
            Outcome::Unresolved => "unresolved",
        }
    }

    /// The outcome of that name.
    pub fn of(word: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|o| o.word() == word)
    }

    /// Whether its evidence is a change of the tree.
    pub fn changes(self) -> bool {
        matches!(self, Outcome::Fixed | Outcome::Done)
    }
}

/// How the model says that an item ends: `close_item`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// The outcome.
    pub outcome: Outcome,
    /// For a change the commit message; for the others the reason, with its citations (`src/api.rs:12`).
    pub evidence: String,
}

/// What an item turned out to be when it was opened: its source's whole word on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Dossier {
    /// The item as the list has it.
    pub item: Item,
    /// What the model is shown: stack trace, breadcrumbs, tags, the body; bounded, cleaned, from outside.
    pub text: String,
    /// What tells its root cause from others: a hash of the exception's type and its frames in the project's own code.
    /// `None` where there are no frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The event as the source has it, for `items.replay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<serde_json::Value>,
}

/// What `items.replay` said of an item on a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replayed {
    /// The error is there.
    Fails,
    /// It is not.
    Passes,
    /// It could not be run.
    CannotTell,
}

/// The size of a change, for `next.fix_when`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Functions whose text it changes, tests not counted. `None` where a changed file's language is not known.
    pub functions: Option<u32>,
    /// Lines added and removed, tests not counted.
    pub lines: u32,
    /// Files, tests not counted.
    pub files: u32,
}

/// How an item ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The item.
    pub head: ItemHead,
    /// The outcome.
    pub outcome: Outcome,
    /// Its evidence in words: the commit message, the diagnosis, the reason, what was tried.
    pub evidence: String,
    /// The commit on the run's branch, for a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitId>,
    /// The item that it was closed together with: the same root cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<ItemId>,
    /// Closings that were refused.
    pub attempts: u32,
    /// Turns that it took.
    pub turns: u64,
    /// What it cost.
    pub usage: crate::turn::Usage,
    /// Paths that it changed, the first few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// When.
    pub at: UnixMs,
}

/// Something that is done to an item at its source when it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Says how it ended.
    Comment,
    /// Marks it as resolved (Sentry: in the next release).
    Resolve,
    /// Assigns it to the person whom `items.assign` names.
    Assign,
    /// Ticks its box in a checklist.
    Tick,
    /// Gives the item and its outcome to the goal's `act` command.
    Command,
}

impl Verb {
    /// As the goal file spells it.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Comment => "comment",
            Verb::Resolve => "resolve",
            Verb::Assign => "assign",
            Verb::Tick => "tick",
            Verb::Command => "act",
        }
    }

    /// The verb of that name.
    pub fn of(word: &str) -> Option<Verb> {
        [
            Verb::Comment,
            Verb::Resolve,
            Verb::Assign,
            Verb::Tick,
            Verb::Command,
        ]
        .into_iter()
        .find(|v| v.word() == word)
    }
}
