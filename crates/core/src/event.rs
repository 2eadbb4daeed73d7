//! Events: past-tense facts, the only thing that is stored. Whatever a run is, it is because of these.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::check::CheckReport;
use crate::goal::Goal;
use crate::goal::change::Change;
use crate::ids::{BlobId, CheckId, CommitId, ItemId, RunId, Scope, TreeId, UnixMs};
use crate::item::{ItemHead, Replayed, Verb};
use crate::notification::{Channel, Occasion, Sending};
use crate::repo::{Base, Candidate, Delivered};
use crate::turn::{CallHead, CallResult, ModelErrorKind, Usage};

/// The version that new events are written in. A reader accepts this and every older one.
pub const EVENT_VERSION: u32 = 4;
/// The first version whose runs have the harness's own check `oracle`.
pub const VERSION_WITH_ORACLE: u32 = 2;
/// The first version whose runs work on what the whole of a worklist still lacks, and in which the harness looking by
/// itself at an item counts as no refused closing, and what was changed since is looked at before a run ends unverifiable.
pub const VERSION_WITH_WHOLE: u32 = 4;
/// The first version in which a source that is away is waited for before its acts are given up, and in which a person's stop
/// ends them.
pub const VERSION_WITH_PATIENT_ACTS: u32 = 4;
/// The first version whose runs are not called stuck while their work spreads over ever more files.
pub const VERSION_WITH_BREADTH: u32 = 4;

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What it belongs to.
    pub scope: Scope,
    /// When the shell learned of it.
    pub at: UnixMs,
    /// What happened.
    pub fact: Fact,
}

impl Event {
    /// An event of the run itself.
    pub fn run(at: UnixMs, fact: Fact) -> Self {
        Event {
            scope: Scope::Run,
            at,
            fact,
        }
    }
}

/// Everything that can have happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact {
    /// A person started a run of a goal. Always the first event.
    RunCreated(Box<Created>),
    /// The workspace is ready.
    Prepared {
        /// What it starts from.
        base: Base,
        /// The tools that the goal's MCP servers offer. Fixed with this for the whole run, whatever they say later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<Box<Offer>>,
    },
    /// A check was run, on the base or on a candidate.
    CheckReported {
        /// Its result.
        report: Box<CheckReport>,
    },
    /// Every check has been run on the base.
    BaselineEnded {
        /// Paths that the checks themselves generated there: build artefacts. Directories end in `/`.
        generated: Vec<String>,
        /// Whether results of an earlier preflight of the same base were used.
        reused: bool,
    },
    /// A request is about to be sent to the model.
    TurnRequested {
        /// Which turn, from 1.
        turn: u64,
        /// Which attempt at it, from 1.
        attempt: u32,
        /// What the harness tells the model with it.
        told: Vec<Notice>,
    },
    /// The model's whole answer was received.
    ModelAnswered {
        /// Which turn.
        turn: u64,
        /// The answer, whole.
        answer: BlobId,
        /// Its text, the beginning, for people.
        text: String,
        /// Its tool calls.
        calls: Vec<CallHead>,
        /// What it cost.
        usage: Usage,
        /// Odd things that harmed nothing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        oddities: Vec<String>,
    },
    /// There was no answer.
    ModelFailed {
        /// Which turn.
        turn: u64,
        /// What kind of failure.
        kind: ModelErrorKind,
        /// For people.
        message: String,
        /// When the provider said to try again, milliseconds from then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// Tokens that were used up all the same.
        #[serde(default)]
        usage: Usage,
    },
    /// A tool call is about to be performed.
    CallStarted {
        /// Of which turn.
        turn: u64,
        /// Which of its calls, from 0.
        index: usize,
    },
    /// A tool call ended.
    CallEnded {
        /// Of which turn.
        turn: u64,
        /// Which of its calls, from 0.
        index: usize,
        /// How.
        result: Box<CallResult>,
    },
    /// What the agent's work would deliver was fixed as a tree.
    CandidateFixed {
        /// The tree and how it differs from the base.
        candidate: Candidate,
        /// Changes since the last scan (background commands, an aborted call), as a blob.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delta: Option<BlobId>,
        /// Changes that were reverted first because no rule allows them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        denials: Vec<crate::turn::Denial>,
        /// Background commands that were stopped for it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stopped: Vec<String>,
    },
    /// A wait is over: its time has come.
    Woken,
    /// A person ended a wait before its time.
    WaitCancelled,
    /// The model's provider can be reached again: found out without a model call.
    NetworkBack,
    /// The worklist was listed and frozen.
    Listed {
        /// It.
        listing: crate::item::Listing,
        /// Its source in one line.
        source: String,
    },
    /// A source could not do what it was asked: list, read an item, act on one.
    SourceFailed {
        /// Which of its doings.
        doing: SourceDoing,
        /// Whether trying again is pointless without a person.
        fatal: bool,
        /// What, where, what next.
        message: String,
        /// When it said to come back, milliseconds from then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// An item was read. Scope: the item, like that of everything that happens to it from now on.
    ItemOpened(Box<Opened>),
    /// The evidence of a closing without a change was looked at.
    ClosingExamined {
        /// What is wrong with it; empty: nothing.
        faults: Vec<String>,
    },
    /// An item's change was taken onto what the others have integrated meanwhile.
    Rebased {
        /// The merged tree, and how it differs from its new base.
        candidate: Candidate,
        /// The commit that it would follow.
        onto: CommitId,
        /// That commit's tree.
        onto_tree: TreeId,
        /// Paths that conflict; their files hold conflict markers.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conflicts: Vec<String>,
        /// The first commit that holds the whole change, where nothing of it is left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held_by: Option<Box<crate::worklist::Tip>>,
    },
    /// An item's change became a commit on the run's branch.
    Integrated {
        /// It.
        commit: CommitId,
        /// Its tree.
        tree: TreeId,
    },
    /// The list was read once more after its items were closed.
    Relisted {
        /// Items that are new, the first few.
        newcomers: Vec<ItemHead>,
        /// How many there are.
        total: u32,
        /// Their list, where the goal says that they are worked on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        listing: Option<crate::item::Listing>,
    },
    /// Something is about to be done to an item at its source.
    Acting {
        /// Which act of this run, from 1, in the order of the closings.
        number: u32,
        /// To which item.
        item: ItemId,
        /// What.
        verb: Verb,
        /// Its idempotency key.
        key: String,
    },
    /// What came of it.
    Acted {
        /// Which act.
        number: u32,
        /// The source's own name of what was made; `None` if it could not be done.
        receipt: Option<String>,
        /// Whether an earlier attempt had done it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        already: bool,
        /// Why it could not be done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// The process that worked on the run was gone and another one has taken over.
    Restarted {
        /// Calls that were under way.
        interrupted: Vec<Interrupted>,
    },
    /// A person asked the run to pause.
    Paused,
    /// A person asked it to go on.
    Resumed,
    /// A person ended it.
    StopRequested,
    /// A person answered the run's question.
    Answered {
        /// The answer.
        text: String,
    },
    /// A person gave an order that stands until it is revoked.
    Told {
        /// Its number, from 1.
        order: u32,
        /// In the person's words.
        text: String,
    },
    /// A person revoked an order.
    Revoked {
        /// Its number.
        order: u32,
    },
    /// A person set the budgets.
    BudgetSet {
        /// All of them, as they are from now on.
        stop: crate::goal::Stop,
    },
    /// A person changed the contract: a new version of the goal file.
    GoalEdited {
        /// The contract, as the file says it. Its `brief` is empty here.
        goal: Box<Goal>,
        /// The goal file, whole.
        goal_file: BlobId,
        /// How it differs from the version before.
        changes: Vec<Change>,
    },
    /// Somebody is about to be told of something.
    Notifying {
        /// Which notification of this run, from 1.
        number: u32,
        /// What it tells of.
        occasion: Occasion,
    },
    /// What came of it.
    Notified {
        /// Which notification.
        number: u32,
        /// Channel by channel.
        sendings: Vec<Sending>,
    },
    /// The result was delivered.
    Delivered {
        /// Where.
        delivered: Delivered,
        /// Which tree.
        tree: TreeId,
    },
    /// The result could not be delivered.
    DeliveryFailed {
        /// Why, and what next.
        message: String,
    },
    /// The report was written.
    ReportWritten {
        /// Where.
        path: String,
    },
    /// The harness itself could not do what was due (a broken repository, no disk, no sandbox).
    HarnessFailed {
        /// What, where, what next.
        message: String,
        /// Whether trying again is pointless without a person. Otherwise it is tried again after a while.
        fatal: bool,
    },
    /// The wall clock and the time that has really passed disagree: the machine slept, or its clock was set.
    ClockJumped {
        /// By how much the wall clock is ahead of where it should be, milliseconds; negative if it was set back.
        ms: i64,
    },
}

/// What a source was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceDoing {
    /// List.
    List,
    /// Read one item.
    Read,
    /// List once more at the end.
    Relist,
    /// Act on an item.
    Act,
}

/// An item as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its place in the list and its name.
    pub head: ItemHead,
    /// All of it: a [`crate::item::Dossier`] as JSON.
    pub dossier: BlobId,
    /// What tells its root cause from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// It is not there any more: its source says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Its replay on the untouched base, where the goal names one and the item has an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_base: Option<Replayed>,
    /// Its replay on what was integrated when it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_tip: Option<Replayed>,
}

/// What a run starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// Version of the events that follow.
    pub version: u32,
    /// The run.
    pub run: RunId,
    /// The contract. Its `brief` is empty here: the whole file is a blob.
    pub goal: Goal,
    /// The goal file, whole.
    pub goal_file: BlobId,
    /// What the person called it: the file's name.
    pub goal_name: String,
    /// `openai/gpt-5.5`, `scripted/plan.yaml`.
    pub model: String,
    /// Whether the model is a script.
    pub scripted: bool,
    /// Price of the model, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Sandbox level and mechanisms in one line.
    pub sandbox: String,
    /// The person's repository; `None` where the goal touches none.
    pub repo: Option<String>,
    /// How the person is told of what happens: the goal's way, else the configuration's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Channel>,
    /// The hidden files of checks, by the hash of what they held when the run began.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hidden: BTreeMap<CheckId, BlobId>,
    /// The version of overnight.
    pub overnight: String,
}

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// Input that was not cached.
    pub input: f64,
    /// Input read from the provider's cache.
    pub cached: f64,
    /// Output.
    pub output: f64,
}

impl Price {
    /// What these tokens cost, US dollars.
    pub fn of(&self, usage: &Usage) -> f64 {
        const PER: f64 = 1_000_000.0;
        let fresh = usage.input.saturating_sub(usage.cached) as f64;
        (fresh * self.input + usage.cached as f64 * self.cached + usage.output as f64 * self.output)
            / PER
    }
}

/// A tool call that was under way when the process died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interrupted {
    /// Whose call it was.
    pub scope: Scope,
    /// Of which turn.
    pub turn: u64,
    /// Which of its calls.
    pub index: usize,
    /// Whether it is restored to its snapshot and run again (it had no network), or reported to the model as
    /// interrupted with unknown effect.
    pub again: bool,
}

/// Something that the harness tells the model with its next request. Rendered to words by the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "notice")]
pub enum Notice {
    /// The claim was checked and does not hold.
    ClaimRejected {
        /// Checks that failed or could not tell, in the goal's order.
        open: Vec<CheckId>,
        /// Whether the verdicts are those of an earlier checkpoint, because nothing had changed since.
        same_tree: bool,
    },
    /// A checkpoint without a claim.
    Checkpoint {
        /// Checks that are not passed.
        open: Vec<CheckId>,
        /// Turns since the last one.
        turns: u32,
    },
    /// An answer without a tool call and without a claim.
    Silent,
    /// Checkpoints have gone by without progress; how many are left.
    NoProgress {
        /// Checkpoints without progress.
        without: u32,
        /// After how many the run stops.
        limit: u32,
    },
    /// Most of a budget is used.
    BudgetLow {
        /// Which: `tokens`, `turns`, `usd`, `hours`, `active`.
        budget: String,
        /// How much of it, percent.
        percent: u32,
    },
    /// Background commands were stopped so that the checks could run.
    BackgroundStopped {
        /// Their names.
        names: Vec<String>,
    },
    /// The process was restarted: background commands are gone.
    Restarted,
    /// The person changed the contract.
    GoalEdited {
        /// What changed, in a line each.
        changes: Vec<String>,
    },
    /// The person's answer to the question.
    Answer {
        /// In the person's words.
        text: String,
    },
    /// The earlier history was too long for the model and is no longer shown.
    HistoryCut,
    /// The history may grow again after it was cut.
    HistoryGrown {
        /// How many of the latest turns are shown whole at most from now on.
        turns: u32,
    },
    /// Nothing progresses: the history is put aside, and the model starts afresh from the contract, the open checks and
    /// its notes.
    FreshStart {
        /// Checkpoints without progress.
        without: u32,
    },
    /// The closing of the item is refused.
    ClosingRefused {
        /// What is wrong with it, a line each.
        faults: Vec<String>,
        /// How many more may be refused.
        left: u32,
    },
    /// Others' work was integrated meanwhile, and the item's change does not go with it: the workspace has been put onto
    /// it, with the change.
    SentBack {
        /// Paths that conflict; their files hold conflict markers.
        conflicts: Vec<String>,
        /// Checks that do not pass on the merged tree.
        open: Vec<CheckId>,
    },
    /// The item can no longer end in a change.
    OnlyWords {
        /// Why.
        why: String,
    },
    /// Nothing progresses still: the model is to plan a different approach.
    Replan {
        /// What was claimed so far and did not hold, oldest first.
        failed: Vec<String>,
    },
}

/// What the MCP servers of a goal offered when the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The tools as the model is told of them.
    pub tools: BlobId,
    /// How many of them each server has, in the goal's order.
    pub servers: Vec<OfferedBy>,
}

/// One server's part of an [`Offer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedBy {
    /// The server's name.
    pub server: String,
    /// Its tools.
    pub tools: u32,
}
