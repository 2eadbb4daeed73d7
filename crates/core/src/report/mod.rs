//! The report: what a run did and what is true now, rendered by the harness from the journal alone.
//!
//! [`Report::fold`] reads the events, [`Report::to_json`] is `report.json` and [`to_markdown`] is `report.md`. The
//! field names are public: scripts read them. What a model wrote stands only in fields of the type [`Quoted`].

mod collect;
mod fold;
#[cfg(test)]
pub(crate) mod journal;
pub mod ledger;
#[cfg(test)]
mod ledger_tests;
mod markdown;
mod markdown_items;
mod md;
#[cfg(test)]
mod tests;

pub use fold::Folding;
pub use markdown::to_markdown;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::check::Verdict;
use crate::goal::{Feedback, Role, Stop};
use crate::ids::{BlobId, CheckId, CommitId, ItemId, RunId, TreeId, UnixMs};
use crate::repo::Changed;
use crate::state::{Treatment, Why};
use crate::stop::Blocker;
use crate::turn::{ModelErrorKind, PlanStatus};

/// The version of the report's fields. Fields may be added without a new one; none is renamed or removed.
pub const REPORT_VERSION: u32 = 1;
/// How much of one quoted text the report keeps, bytes.
pub const QUOTE_BYTES_MAX: usize = 4 * 1024;
/// How much of one line from outside (a path, a command, a reason) the report keeps, bytes.
pub const LINE_BYTES_MAX: usize = 2 * 1024;
/// How many changed paths the report lists.
pub const CHANGES_MAX: usize = 2_000;
/// How many checkpoints the report lists.
pub const ATTEMPTS_MAX: usize = 400;
/// How many different denied actions the report lists.
pub const DENIALS_MAX: usize = 2_000;
/// How many waits the report lists.
pub const WAITS_MAX: usize = 200;
/// How many words of people the report lists.
pub const PERSON_MAX: usize = 200;
/// How many paths of one other list (artefacts, dirty files, tools) the report keeps.
pub const PATHS_MAX: usize = 200;

/// Words of a model, or of something that it produced: shown, never believed. Bounded, without control sequences,
/// and with invisible characters made visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quoted(String);

impl Quoted {
    /// Takes over at most [`QUOTE_BYTES_MAX`] of a text.
    pub fn new(text: &str) -> Quoted {
        Quoted::of(text, QUOTE_BYTES_MAX)
    }

    /// The same with another bound.
    pub fn of(text: &str, bytes: usize) -> Quoted {
        Quoted(md::visible(&crate::judge::clip(text, bytes)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Everything that is known of a run: `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of these fields.
    pub version: u32,
    /// The run.
    pub id: RunId,
    /// What a person types for it.
    pub short: String,
    /// The goal file, as the person called it.
    pub goal: String,
    /// The goal file's content.
    pub goal_file: BlobId,
    /// What was to become true. It is true only if `complete` is.
    pub outcome: String,
    /// Whether every check passed, after the last change, on the tree that was delivered, and nothing hindered the
    /// delivery.
    pub complete: bool,
    /// Whether the run is over.
    pub ended: bool,
    /// One word: why it ended, else what it is doing.
    pub status: String,
    /// One word: why it ended (`complete`, `blocked`, `out_of_budget`, `unverifiable`, `stopped`, `refused`,
    /// `failed`); nothing while it goes on.
    pub stop_reason: Option<String>,
    /// The same in one sentence.
    pub reason: String,
    /// The public exit code; nothing while the run goes on.
    pub exit_code: Option<u8>,
    /// The branch that was delivered.
    pub branch: Option<String>,
    /// Its commit.
    pub commit: Option<CommitId>,
    /// What became of the result.
    pub delivery: Delivery,
    /// What the run started from; nothing before it was prepared.
    pub base: Option<Start>,
    /// The newest tree that the harness fixed.
    pub tree: Option<TreeId>,
    /// Whether nothing was done since that tree was fixed.
    pub tree_current: bool,
    /// The model.
    pub model: String,
    /// Whether the model is a script.
    pub scripted: bool,
    /// The sandbox in one line.
    pub sandbox: String,
    /// Whether there was a sandbox.
    pub sandboxed: bool,
    /// The version of overnight.
    pub overnight: String,
    /// Every check, in the goal's order, the one on the diff last.
    pub checks: Vec<CheckRow>,
    /// How the tree differs from the base.
    pub changes: Vec<Changed>,
    /// How many paths differ, those not listed included.
    pub changed_paths: u64,
    /// Lines added in all of them.
    pub lines_added: u64,
    /// Lines removed in all of them.
    pub lines_removed: u64,
    /// Paths that came into being and are not delivered; directories end in `/`.
    pub artefacts: Vec<String>,
    /// Every time the harness looked: claims with the verdicts they met, and checkpoints without one.
    pub attempts: Vec<Attempt>,
    /// Claims of the model.
    pub claims: u32,
    /// Checkpoints that were brought to their end.
    pub checkpoints: u32,
    /// Turns answered.
    pub turns: u64,
    /// Tokens used.
    pub tokens: Tokens,
    /// US dollars; nothing where the model's price is not known.
    pub usd: Option<f64>,
    /// The goal's limits.
    pub limits: Stop,
    /// Time.
    pub time: Time,
    /// Durable waits.
    pub waits: Vec<Waited>,
    /// Model calls that failed, by kind.
    pub model_failures: Vec<ModelFailure>,
    /// Odd things in the model's answers that harmed nothing.
    pub oddities: u64,
    /// Denied actions, identical ones as one.
    pub denials: Vec<Denied>,
    /// How many actions were denied.
    pub denials_total: u64,
    /// Commands that the model's `shell` calls started.
    pub commands: u64,
    /// Tool calls that were started, by tool.
    pub calls: BTreeMap<String, u64>,
    /// What only a person can unlock, where that is why it stopped.
    pub help: Option<HelpWanted>,
    /// What people said to the run.
    pub person: Vec<PersonSaid>,
    /// The model's notes.
    pub notes: Vec<NoteRow>,
    /// The model's plan, in its own view.
    pub plan: Vec<PlanRow>,
    /// How often a new process took over.
    pub restarts: u32,
    /// Tool calls that were under way when the process died.
    pub interrupted: u64,
    /// What a reader must know before trusting the rest.
    pub warnings: Vec<Warning>,
    /// The worklist, if the goal has one and it was listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<ledger::ItemsReport>,
    /// How to check it all again.
    pub rerun: Rerun,
    /// How many events this was read from.
    pub events: u64,
    /// For each list above that is longer than its limit: how many entries are left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<&'static str, u64>,
}

impl Report {
    /// `report.json`: the fields above, indented, with a newline at the end.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("a report has only string keys and plain values");
        text.push('\n');
        text
    }
}

/// What became of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// `branch`, `patch`, `nothing` (nothing was to be delivered, or nothing changed), or `none` (not tried).
    pub kind: &'static str,
    /// The folder of a patch series.
    pub folder: Option<String>,
    /// The tree that was delivered last.
    pub tree: Option<TreeId>,
    /// Whether that is [`Report::tree`]. A run that went on after a delivery may have a newer tree.
    pub current: bool,
    /// Why the last delivery did not work.
    pub error: Option<String>,
}

/// What the run started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Start {
    /// The commit.
    pub commit: CommitId,
    /// Its branch, if any.
    pub branch: Option<String>,
    /// Its tree.
    pub tree: TreeId,
    /// Paths that differed in the person's checkout and were not part of it.
    pub dirty: Vec<String>,
    /// What belongs to it and could not be had: an LFS object or a submodule.
    pub missing: Vec<String>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckRow {
    /// Its name.
    pub id: CheckId,
    /// Which list of the goal it stands in.
    pub role: Role,
    /// The goal file's key: `run`, `tests`, `metric`, `diff`, `file` …
    pub kind: String,
    /// The shell command line of the goal file, where the kind has one.
    pub command: Option<String>,
    /// What it asks for beyond the command, in one line.
    pub wants: String,
    /// Working directory below the repository's root.
    pub dir: String,
    /// What was laid over its checkouts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<HiddenRow>,
    /// Whether the work must change its verdict or keep it.
    pub treatment: Treatment,
    /// What was found on the untouched base.
    pub base: Option<Finding>,
    /// What was found last.
    pub now: Option<Finding>,
    /// Whether `now` is a verdict on [`Report::tree`] with nothing done since. Only such a pass counts.
    pub current: bool,
    /// What was seen, where `now` is not a pass, or where the base's verdict is *cannot tell* and there is no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Quoted>,
}

/// A check's hidden files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HiddenRow {
    /// Where the person keeps them.
    pub path: String,
    /// The hash of what they held when the run began.
    pub hash: Option<BlobId>,
    /// How much the model heard of the check.
    pub feedback: Feedback,
}

impl CheckRow {
    /// Whether it holds now.
    pub fn holds(&self) -> bool {
        self.current
            && self
                .now
                .as_ref()
                .is_some_and(|n| n.verdict == Verdict::Pass)
    }
}

/// A verdict and what proves it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The harness's word.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// Whether two runs on the same tree disagreed.
    pub flaky: bool,
    /// What proves it.
    pub receipt: ReceiptRow,
}

/// What proves a verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReceiptRow {
    /// The command line that was really run; empty for checks that run nothing.
    pub command: String,
    /// Its exit code.
    pub exit: Option<i32>,
    /// The whole output.
    pub output: Option<BlobId>,
    /// The whole observation.
    pub observation: Option<BlobId>,
    /// The tree it ran on.
    pub tree: TreeId,
    /// Sandbox level and toolchain.
    pub environment: String,
    /// Wall time, milliseconds.
    pub duration_ms: u64,
}

/// One time the harness looked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attempt {
    /// After which turn.
    pub turn: u64,
    /// When it began.
    pub at: UnixMs,
    /// What led to it.
    pub why: Why,
    /// The model's summary, if it claimed to be done.
    pub summary: Option<Quoted>,
    /// What came of it.
    pub result: AttemptResult,
    /// On which tree; nothing if none was fixed.
    pub tree: Option<TreeId>,
    /// Whether nothing had changed since an earlier checkpoint, so that its verdicts were taken over.
    pub same_tree: bool,
    /// Whether some check came nearer to passing than ever before.
    pub progress: bool,
    /// Checks that had not passed at its end.
    pub open: Vec<OpenCheck>,
}

/// What came of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptResult {
    /// Every check passed: the run is complete.
    Accepted,
    /// It was a claim and it does not hold.
    Rejected,
    /// It was no claim: the harness looked.
    Looked,
    /// It was broken off.
    GivenUp,
    /// It is under way.
    UnderWay,
}

/// A check that had not passed at the end of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenCheck {
    /// Which.
    pub id: CheckId,
    /// Its verdict on the checkpoint's tree; nothing if it was not run on it.
    pub verdict: Option<Verdict>,
    /// Why, in one line.
    pub reason: String,
}

/// Tokens, as the provider counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    /// Input, cached included.
    pub input: u64,
    /// Of the input: read from the provider's cache.
    pub cached: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input and output.
    pub total: u64,
    /// Of these: all but what was read from the provider's cache.
    pub billed: u64,
}

impl Tokens {
    /// Of what was used.
    pub fn of(usage: &crate::turn::Usage) -> Tokens {
        Tokens {
            input: usage.input,
            cached: usage.cached,
            output: usage.output,
            total: usage.total(),
            billed: usage.billed(),
        }
    }
}

/// Time. Pauses, and times in which no process ran, count as neither work nor waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Time {
    /// Spent at work, milliseconds.
    pub active_ms: u64,
    /// Spent in waits, milliseconds.
    pub waiting_ms: u64,
    /// The first event.
    pub from: UnixMs,
    /// The last one.
    pub to: UnixMs,
}

/// A durable wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waited {
    /// After which turn.
    pub turn: u64,
    /// Since when.
    pub from: UnixMs,
    /// When it was over; nothing while it lasts.
    pub to: Option<UnixMs>,
    /// Until when it was planned.
    pub until: UnixMs,
    /// What for.
    pub why: Quoted,
}

/// Failed model calls of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelFailure {
    /// What kind.
    pub kind: ModelErrorKind,
    /// How many.
    pub count: u64,
    /// What the last one said.
    pub last: Quoted,
}

/// A denied action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Denied {
    /// By whose turn: of an item's conversation, or of the run's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// In which turn, the first time.
    pub turn: u64,
    /// By which rule.
    pub rule: String,
    /// What was attempted.
    pub what: Quoted,
    /// How often.
    pub count: u64,
}

/// What only a person can unlock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HelpWanted {
    /// Who asks.
    pub by: Blocker,
    /// The question.
    pub question: Quoted,
    /// What was tried.
    pub tried: Quoted,
    /// What would unlock it.
    pub unlock: Quoted,
}

/// What a person said to the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonSaid {
    /// When.
    pub at: UnixMs,
    /// After which turn.
    pub turn: u64,
    /// `pause`, `resume`, `stop`, `answer`.
    pub what: &'static str,
    /// The answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Quoted>,
}

/// One of the model's notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoteRow {
    /// When it was written.
    pub turn: u64,
    /// What it says.
    pub text: Quoted,
}

/// One step of the model's plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanRow {
    /// What was to be done.
    pub step: Quoted,
    /// How far, the model says.
    pub status: PlanStatus,
}

/// Something a reader must know before trusting the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Which.
    pub kind: WarningKind,
    /// In a sentence or two.
    pub text: String,
}

/// Kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// The model was a script.
    ScriptedModel,
    /// There was no sandbox.
    NoSandbox,
    /// The result could not be delivered.
    NotDelivered,
    /// What was delivered is older than the newest tree.
    DeliveredOlder,
    /// Verdicts are of an older state of the work.
    StaleVerdicts,
    /// The person's checkout had changes that the run did not see.
    DirtyBase,
    /// Parts of the base could not be had: an LFS object or a submodule.
    MissingParts,
    /// Two runs of a check on the base disagreed.
    FlakyCheck,
    /// A `done` check passes on the base already, so that it proves nothing.
    PassesOnBase,
    /// The goal limits money and the model's price is not known.
    PriceUnknown,
}

/// How to check it all again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rerun {
    /// Runs every check of this report again from a fresh clone and compares.
    pub verify: String,
    /// Shows the result with git.
    pub git: Vec<String>,
    /// The goal's setup and checks, to be typed at the root of a checkout of the result.
    pub commands: Vec<String>,
}
