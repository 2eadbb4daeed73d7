//! The goal: the contract that a person writes, as typed data.
//!
//! [`parse`](parse::parse) reads the file; [`lint`](lint::lint) judges it. The names of the keys are public: people
//! and scripts write them.

pub mod change;
pub mod diagnostic;
pub mod globs;
pub mod lint;
pub mod parse;
pub mod position;
mod words;
mod yaml;

use serde::{Deserialize, Serialize};

use crate::ids::CheckId;
use crate::item::{Outcome, Verb};
use crate::notification::Channel;

/// Size limit of a goal file, bytes. There is no other cap on its length.
pub const GOAL_BYTES_MAX: usize = 1024 * 1024;
/// How long a check may run if the goal does not say, seconds.
pub const CHECK_TIMEOUT_DEFAULT_S: u64 = 30 * 60;
/// Turns a run may take if the goal does not say.
pub const TURNS_DEFAULT: u64 = 500;
/// Hours a run may take if the goal does not say.
pub const HOURS_DEFAULT: f64 = 10.0;
/// How often a run waits for an account's quota if the goal does not say.
pub const WINDOWS_DEFAULT: u32 = 12;
/// Checkpoints without progress after which a run stops if the goal does not say.
pub const NO_PROGRESS_DEFAULT: u32 = 6;

/// A parsed goal file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// What is true when it is done: one sentence; heads the pull request and the report.
    pub outcome: String,
    /// How that is verified.
    pub done: Vec<Check>,
    /// What must not regress, and what must not be touched.
    pub keep: Keep,
    /// What the work may use; everything else is denied.
    #[serde(rename = "use")]
    pub uses: Use,
    /// How to choose the next action.
    pub next: Next,
    /// When to stop and report.
    pub stop: Stop,
    /// `stop.questions`: what is worth stopping for and asking a person; for the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<String>,
    /// Where the worklist comes from, if the goal is one over a set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Items>,
    /// For mail: the categories, first match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<serde_json::Value>,
    /// Where the result goes.
    pub deliver: Deliver,
    /// How the person is told of what happens; `None`: as the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Vec<Channel>>,
    /// The prose under the front matter: what a colleague would want to know before starting.
    pub brief: String,
}

impl Goal {
    /// Every check, `done` before `keep` before `items.each`, in the file's order.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        let each = self.items.iter().flat_map(|items| &items.each);
        self.done.iter().chain(&self.keep.checks).chain(each)
    }

    /// The same, to change them.
    pub fn checks_mut(&mut self) -> impl Iterator<Item = &mut Check> {
        let each = self.items.iter_mut().flat_map(|items| &mut items.each);
        self.done
            .iter_mut()
            .chain(&mut self.keep.checks)
            .chain(each)
    }

    /// The check of that name.
    pub fn check(&self, id: &CheckId) -> Option<&Check> {
        self.checks().find(|c| &c.id == id)
    }
}

/// One entry of `done`, `keep.checks` or `items.each`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Unique within the goal: the file's `id`, else made from the kind and the command.
    pub id: CheckId,
    /// Which list it stands in.
    pub role: Role,
    /// What is observed.
    pub kind: CheckKind,
    /// Limit, seconds.
    pub timeout_s: u64,
    /// Working directory below the repository's root (`in:`); empty for the root.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub dir: String,
    /// `already: true`: the person knows that it passes on the base.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub already: bool,
    /// `hidden`: a file or folder that is laid over the checkout of this check only and that the agent never sees; as
    /// the goal names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<String>,
    /// How much the model hears of a failure.
    #[serde(default, skip_serializing_if = "Feedback::is_full")]
    pub feedback: Feedback,
    /// `runs`: how often tests are run on the base to find out which are flaky.
    #[serde(default = "runs_default", skip_serializing_if = "is_runs_default")]
    pub runs: u32,
}

/// How often tests are run on the base if the goal does not say.
pub const RUNS_DEFAULT: u32 = 2;

fn runs_default() -> u32 {
    RUNS_DEFAULT
}

fn is_runs_default(runs: &u32) -> bool {
    *runs == RUNS_DEFAULT
}

/// How much the model hears of a check that does not pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// The reason and the evidence.
    #[default]
    Full,
    /// The reason: names of tests, numbers; nothing of the output.
    Names,
    /// That it does not pass. The default of a hidden check.
    Verdict,
    /// Nothing: not even that it does not pass.
    None,
}

impl Feedback {
    /// Whether nothing is withheld.
    pub fn is_full(&self) -> bool {
        *self == Feedback::Full
    }
}

/// Which list of the goal a check stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Must become true.
    Done,
    /// Must stay true.
    Keep,
}

/// What a check observes. The names are the goal file's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// A command; its exit code is 0.
    Run {
        /// Shell command line.
        command: String,
    },
    /// A command and its per-test results.
    Tests {
        /// Shell command line.
        command: String,
        /// A JUnit or JSON report that the command itself writes, relative to the check's directory.
        report: Option<String>,
        /// Names of tests that must exist and pass.
        must_pass: Vec<String>,
        /// `proves: change`: the named tests must fail, or not exist, on the base.
        proves_change: bool,
    },
    /// A command and a number that it prints or writes.
    Metric {
        /// Shell command line.
        command: String,
        /// Where the number is.
        read: Read,
        /// What it must reach.
        target: Aim,
    },
    /// Which paths may differ from the base.
    Diff {
        /// If not empty: every changed path matches one of these globs.
        allow: Vec<String>,
        /// No changed path matches one of these.
        forbid: Vec<String>,
    },
    /// A file of the candidate.
    File {
        /// Path relative to the check's directory.
        path: String,
        /// What must hold of it.
        is: FileIs,
    },
    /// Tests, and how many small faults planted in the implementation they notice.
    Mutation {
        /// Shell command line that runs the tests.
        command: String,
        /// The implementation files in which faults are planted (gitignore syntax); empty: the files that the tests
        /// cover, where that can be known, else every implementation file.
        paths: Vec<String>,
        /// The share of the faults that must be noticed, percent.
        target: Aim,
        /// Most faults that are planted; `None`: the harness's default.
        sample: Option<u32>,
    },
    /// A kind that is named already and that this version cannot run: `page`, `http`, `query`, `review`, `person`,
    /// `docs`.
    Later {
        /// The kind's key.
        kind: String,
        /// What the goal says about it.
        spec: serde_json::Value,
    },
}

impl CheckKind {
    /// The command line that it runs, for those that run one.
    pub fn command(&self) -> Option<&str> {
        match self {
            CheckKind::Run { command }
            | CheckKind::Tests { command, .. }
            | CheckKind::Metric { command, .. }
            | CheckKind::Mutation { command, .. } => Some(command),
            CheckKind::Diff { .. } | CheckKind::File { .. } | CheckKind::Later { .. } => None,
        }
    }

    /// Whether its tests have to fail where the implementation is still the base's.
    pub fn proves_change(&self) -> bool {
        matches!(
            self,
            CheckKind::Tests {
                proves_change: true,
                ..
            }
        )
    }

    /// The goal file's key.
    pub fn key(&self) -> &str {
        match self {
            CheckKind::Run { .. } => "run",
            CheckKind::Tests { .. } => "tests",
            CheckKind::Metric { .. } => "metric",
            CheckKind::Diff { .. } => "diff",
            CheckKind::File { .. } => "file",
            CheckKind::Mutation { .. } => "mutation",
            CheckKind::Later { kind, .. } => kind,
        }
    }
}

/// Where a metric's number is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Read {
    /// How to read it.
    pub format: Format,
    /// The file, relative to the check's directory; `None` reads what the command prints.
    pub file: Option<String>,
    /// What to take from it: `lines`, `branches`, `functions` or `statements` of a coverage report (and with some
    /// formats `regions`, `instructions` or `elements`), an RFC 6901 JSON pointer, or a regular expression whose first
    /// group is the number.
    pub value: String,
}

/// Formats of reports that hold a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Istanbul's `coverage-summary.json` or `coverage-final.json`.
    Istanbul,
    /// lcov tracefile.
    Lcov,
    /// Cobertura XML.
    Cobertura,
    /// coverage.py's `coverage json`.
    CoveragePy,
    /// LLVM's coverage as JSON: `llvm-cov export`, `cargo llvm-cov --json`.
    LlvmCov,
    /// JaCoCo XML.
    Jacoco,
    /// Go's coverage profile: `go test -coverprofile`.
    GoCover,
    /// Clover XML.
    Clover,
    /// The table that nyc, c8, jest and vitest print.
    NycText,
    /// Any JSON, by pointer.
    Json,
    /// Any text, by regular expression.
    Regex,
}

impl Format {
    /// Whether a report of this format says which files were measured.
    pub fn names_files(self) -> bool {
        match self {
            Format::Istanbul
            | Format::Lcov
            | Format::Cobertura
            | Format::CoveragePy
            | Format::LlvmCov
            | Format::Jacoco
            | Format::GoCover
            | Format::Clover => true,
            Format::NycText | Format::Json | Format::Regex => false,
        }
    }
}

/// What a metric must reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// `at_least`.
    AtLeast(f64),
    /// `at_most`.
    AtMost(f64),
    /// `equals`.
    Equals(f64),
    /// `no_worse` than on the base.
    NoWorse(Better),
}

/// Which direction is better, for `no_worse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// `no_worse: true` or `no_worse: higher`.
    Higher,
    /// `no_worse: lower`.
    Lower,
}

/// What must hold of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileIs {
    /// `exists: true` (also if nothing else is said) or `exists: false`.
    There(bool),
    /// It contains this text.
    Containing(String),
    /// This regular expression matches somewhere in it (multi-line mode).
    Matching(String),
}

/// What must not regress or be touched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Keep {
    /// gitignore syntax, `!` excepts.
    pub paths: Vec<String>,
    /// Checks that must stay true.
    pub checks: Vec<Check>,
    /// Further files on which verdicts rest: they belong to the base, like its tests and their configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oracle: Vec<String>,
}

/// What the work may use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// The only paths that may change (gitignore syntax); `None`: all but `keep`.
    pub paths: Option<Vec<String>>,
    /// Files of the oracle (tests, their configuration, scripts) that the work may change all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oracle: Vec<String>,
    /// The only programs that `shell` may start; `None`: any.
    pub commands: Option<Vec<String>>,
    /// `host` or `host:port`; empty: no network.
    pub network: Vec<String>,
    /// The only tools the model gets; `None`: all.
    pub tools: Option<Vec<String>>,
    /// Ignored files that the work and the checks need; copied in, never delivered.
    pub files: Vec<String>,
    /// Run by the harness in every fresh checkout.
    pub setup: Option<String>,
    /// `openai/NAME`, `scripted/FILE` …
    pub model: Option<String>,
    /// MCP servers whose tools the model gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mcp: Vec<McpServer>,
}

/// A server of `use.mcp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct McpServer {
    /// Begins the names of its tools: letters, digits, `-`, `_`. Unique within the goal.
    pub name: String,
    /// Where it is.
    #[serde(flatten)]
    pub at: McpAt,
    /// The only tools of it that the model gets, by the server's own names; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Limit of one call, seconds; `None`: the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "at")]
pub enum McpAt {
    /// Started in the agent's cell, and talked to over its standard streams.
    Run {
        /// Shell command line.
        command: String,
    },
    /// Reached over HTTP by the harness, never by the agent.
    Url {
        /// Its address; the host is named in `use.network`.
        url: String,
        /// The environment variable that holds its bearer token.
        token: Option<String>,
    },
}

/// How to choose the next action.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Next {
    /// For the model.
    pub prose: Option<String>,
    /// Attempts per item.
    pub attempts: Option<u32>,
    /// When to fix and when only to diagnose.
    pub fix_when: Option<FixWhen>,
}

/// Upper limits of a change that may be made as a fix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixWhen {
    /// Functions touched.
    pub functions: Option<u32>,
    /// Lines changed.
    pub lines: Option<u32>,
    /// Files changed.
    pub files: Option<u32>,
}

/// When to stop and report. Only people set these.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// Turns.
    pub turns: u64,
    /// Tokens, input and output together.
    pub tokens: Option<u64>,
    /// US dollars.
    pub usd: Option<f64>,
    /// Wall-clock hours.
    pub hours: f64,
    /// Hours at work, waits not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<f64>,
    /// Checkpoints without progress.
    pub no_progress: u32,
    /// How often a quota that is used up is waited for.
    #[serde(
        default = "windows_default",
        skip_serializing_if = "is_windows_default"
    )]
    pub windows: u32,
}

fn windows_default() -> u32 {
    WINDOWS_DEFAULT
}

fn is_windows_default(windows: &u32) -> bool {
    *windows == WINDOWS_DEFAULT
}

/// A limit of no time at all would read as no limit.
fn hours_ms(hours: f64) -> u64 {
    const MS_PER_HOUR: f64 = 3_600_000.0;
    ((hours * MS_PER_HOUR) as u64).max(1)
}

impl Stop {
    /// The wall-clock limit, milliseconds.
    pub fn limit_ms(&self) -> u64 {
        hours_ms(self.hours)
    }

    /// The limit of the time at work, milliseconds.
    pub fn active_limit_ms(&self) -> Option<u64> {
        self.active.map(hours_ms)
    }
}

impl Default for Stop {
    fn default() -> Self {
        Stop {
            turns: TURNS_DEFAULT,
            tokens: None,
            usd: None,
            hours: HOURS_DEFAULT,
            active: None,
            windows: WINDOWS_DEFAULT,
            no_progress: NO_PROGRESS_DEFAULT,
        }
    }
}

/// Where the worklist comes from, and how its items end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Items {
    /// `command`, `file`, `sentry`, `mail` …
    pub from: String,
    /// Everything that the goal says about the source itself, by its keys: `run`, `query`, `project`, `url`, `token` (the
    /// name of an environment variable), `act` …
    pub spec: serde_json::Value,
    /// Which outcomes an item may end in, as the goal spells them; [`Items::allowed`] reads them.
    pub outcomes: Vec<String>,
    /// In which order the items are taken.
    #[serde(default)]
    pub order: Order,
    /// Most items; `None`: all that the query finds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Checks that must pass for an item that changes something, before its commit is made and again when it is
    /// integrated. Of the role `keep`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<Check>,
    /// How many items are worked on at a time.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub parallel: u32,
    /// What is done at the source to an item that ended so, after the work is delivered.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub on: std::collections::BTreeMap<Outcome, Vec<Verb>>,
    /// A command that is fed an item's event on standard input: it exits with 0 where the error is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// `new: work`: items that appear while the run works are worked on as well; else they are listed in the report.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub work_on_new: bool,
}

impl Items {
    /// The outcomes that this version knows among the allowed ones.
    pub fn allowed(&self) -> impl Iterator<Item = Outcome> {
        self.outcomes.iter().filter_map(|word| Outcome::of(word))
    }

    /// Whether an item may end so.
    pub fn allows(&self, outcome: Outcome) -> bool {
        self.allowed().any(|allowed| allowed == outcome)
    }
}

/// Outcomes that an item may end in if the goal does not say.
pub const OUTCOMES_DEFAULT: [Outcome; 2] = [Outcome::Fixed, Outcome::Diagnosed];
/// How many items may be worked on at a time.
pub const PARALLEL_MAX: u32 = 16;
/// Closings of one item that may be refused if the goal does not say.
pub const ATTEMPTS_DEFAULT: u32 = 3;

fn one() -> u32 {
    1
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

/// In which order items are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// As the source lists them.
    #[default]
    Source,
    /// By the time when they first appeared, the oldest first.
    Oldest,
    /// The newest first.
    Newest,
    /// The most urgent first, as the source ranks them.
    Priority,
}

/// Where the result goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deliver {
    /// A branch in the person's repository.
    #[default]
    Branch,
    /// A patch series that `git am` takes.
    Patch,
    /// A pull request. This version cannot open one yet.
    PullRequest,
    /// Nothing: the report only.
    None,
}
