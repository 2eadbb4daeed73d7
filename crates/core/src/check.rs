//! What a check found: observation (what happened), verdict (what it means), receipt (what proves it).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{BlobId, CheckId, TreeId};
use crate::measure::Measure;
use crate::tests::TestResults;

/// The harness's word on a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds, on the tree that the receipt names.
    Pass,
    /// It does not.
    Fail,
    /// It could not be found out: the reason says why. Never counts as a pass.
    CannotTell,
}

impl Verdict {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::CannotTell => "cannot tell",
        }
    }
}

/// Why an observation says nothing about the candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Obstacle {
    /// The command's program does not exist (exit code 127 or 126 of the shell), with its name.
    ToolAbsent {
        /// The program.
        program: String,
    },
    /// It ran longer than its limit.
    TimedOut {
        /// The limit, seconds.
        limit_s: u64,
    },
    /// The report or file that it should have written is not there, or was there before it ran.
    ReportMissing {
        /// Where it was looked for.
        path: String,
    },
    /// The report is there and cannot be read as what it should be.
    ReportUnreadable {
        /// What is wrong with it.
        detail: String,
    },
    /// Tests ran but cannot be told apart: the harness knows no reporter for this runner and none was named.
    NoPerTestResults {
        /// What to do about it.
        hint: String,
    },
    /// The setup command failed in the fresh checkout.
    SetupFailed {
        /// Its last lines.
        detail: String,
    },
    /// The harness could not run it at all (no sandbox, no disk …).
    Harness {
        /// What went wrong.
        detail: String,
    },
}

impl Obstacle {
    /// The same with its texts changed.
    pub(crate) fn with_texts(&self, change: impl Fn(&str) -> String) -> Obstacle {
        let mut obstacle = self.clone();
        match &mut obstacle {
            Obstacle::TimedOut { .. } => {}
            Obstacle::ToolAbsent { program: text }
            | Obstacle::ReportMissing { path: text }
            | Obstacle::ReportUnreadable { detail: text }
            | Obstacle::NoPerTestResults { hint: text }
            | Obstacle::SetupFailed { detail: text }
            | Obstacle::Harness { detail: text } => *text = change(text),
        }
        obstacle
    }
}

/// Files, relative to the repository's root where that can be told, and how many lines, branches … each has to cover.
pub type Units = BTreeMap<String, u64>;

/// What happened when one command ran once in one clean checkout.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The command line as it was really run (with the reporter that the harness added).
    pub command: String,
    /// Exit code; 128 + n for a signal, as shells say it. `None` if nothing was run or it timed out.
    pub exit: Option<i32>,
    /// Wall time, milliseconds.
    pub duration_ms: u64,
    /// What it printed (standard output and error), bounded by the harness.
    #[serde(skip)]
    pub output: Vec<u8>,
    /// Per-test results, where they were asked for and could be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestResults>,
    /// Per-test results of the same command on the strict tree: the candidate's implementation with exactly the
    /// base's tests. Only where that is another tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<TestResults>,
    /// Per-test results of the candidate's tests on the base's implementation, for tests that prove a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverse: Option<TestResults>,
    /// Per-test results of repeats on the same tree, made because tests failed that have passed on the base.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<TestResults>,
    /// Per-test results of further runs on the base, made to tell which of the two is flaky.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base_again: Vec<TestResults>,
    /// The value that a metric reads, in the order in which the probe's metrics ask for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Reading>,
    /// For each of the values that was read from a report that names files: how many lines, branches … of each file
    /// were there to cover. In the order of the values; `None` where it is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measured: Vec<Option<Units>>,
    /// Set if nothing can be concluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// Paths that appeared in the checkout and are not in the tree: build artefacts, by definition. Directories end
    /// in `/`. Bounded by the harness.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generated: Vec<String>,
    /// Files of the tree that steer what runs in it (configuration, manifests) and that the command rewrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rewritten: Vec<String>,
}

/// One metric's value, or why it could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// The value.
    Value(f64),
    /// Why there is none.
    Missing(Obstacle),
}

/// What a check was run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The untouched base.
    Base,
    /// A candidate: what the agent's work would deliver.
    Candidate(TreeId),
}

/// What proves a verdict: enough to run the same thing again and compare.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The command line that was run; empty for checks that run nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// Its exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// The whole output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<BlobId>,
    /// The whole [`Observation`], per-test results included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observation: Option<BlobId>,
    /// The tree it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeId>,
    /// Sandbox level and toolchain in one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub environment: String,
    /// Wall time, milliseconds.
    #[serde(default)]
    pub duration_ms: u64,
}

/// A verdict with its reason and receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Which check.
    pub check: CheckId,
    /// On what.
    pub target: Target,
    /// The harness's word.
    pub verdict: Verdict,
    /// Why, in one line: `2 of 14 tests fail: …`.
    pub reason: String,
    /// What the model and the person are shown of the evidence: bounded, the interesting part of the output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
    /// For progress.
    pub measure: Measure,
    /// Whether two runs on the base disagreed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub flaky: bool,
    /// Why it cannot tell, where it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// What proves it.
    pub receipt: Receipt,
}
