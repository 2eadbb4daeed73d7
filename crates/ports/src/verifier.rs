//! Gathers evidence: runs the checks' commands in clean checkouts and reports what happened.

use async_trait::async_trait;
use overnight_core::check::Observation;
use overnight_core::goal::{Aim, Check, Read};
use overnight_core::ids::{CheckId, TreeId};

/// One execution that serves every check that asks the same of the same command.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// The checks that it serves; their order is the goal's.
    pub checks: Vec<CheckId>,
    /// What is to be found out.
    pub ask: Ask,
    /// Working directory below the repository's root.
    pub dir: String,
    /// Limit, seconds: the largest of the checks'.
    pub timeout_s: u64,
    /// What is laid over the checkout for these checks only, as the goal names it.
    pub hidden: Option<String>,
    /// How often it is run on the base.
    pub runs: u32,
}

/// What a probe is to find out.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// The exit code.
    Exit {
        /// Shell command line.
        command: String,
    },
    /// Per-test results and the exit code.
    Tests {
        /// Shell command line.
        command: String,
        /// The report that the command itself writes, if it does.
        report: Option<String>,
    },
    /// Numbers; [`Observation::values`] has one for each read, in order.
    Values {
        /// Shell command line.
        command: String,
        /// What to read.
        reads: Vec<Read>,
    },
    /// The share of planted faults that the tests notice, percent: the one entry of [`Observation::values`]. The
    /// output lists the faults that nobody noticed.
    Mutation {
        /// Shell command line that runs the tests.
        command: String,
        /// Where faults are planted (gitignore syntax); empty: where the tests can notice any.
        paths: Vec<String>,
        /// Most faults.
        sample: Option<u32>,
        /// The share that is asked for, percent: no more faults are tried once it is certain to be reached or missed.
        /// `None`: all of them are.
        enough: Option<f64>,
        /// How the lines that the tests reach can be known.
        coverage: Option<Coverage>,
    },
    /// Whether a file is there, and what it says: the output is its content (bounded), the exit code 0 if it is
    /// there and 1 if not. Nothing is run.
    File {
        /// Relative to `dir`.
        path: String,
    },
}

/// A command that measures coverage, as a `metric` check of the same goal names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// Shell command line.
    pub command: String,
    /// Its report.
    pub read: Read,
    /// Working directory below the repository's root.
    pub dir: String,
}

impl Coverage {
    /// The coverage that a goal's checks measure in `dir`, or else in a folder around it.
    fn of(checks: &[&Check], dir: &str) -> Option<Coverage> {
        use overnight_core::goal::CheckKind;
        let measuring = |check: &&Check| match &check.kind {
            CheckKind::Metric { command, read, .. } if read.format.names_files() => {
                Some(Coverage {
                    command: command.clone(),
                    read: read.clone(),
                    dir: check.dir.clone(),
                })
            }
            _ => None,
        };
        let all = || checks.iter().filter_map(measuring);
        let around = |found: &Coverage| {
            found.dir.is_empty()
                || dir
                    .strip_prefix(&found.dir)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        all()
            .find(|found| found.dir == dir)
            .or_else(|| all().find(around))
    }
}

impl Probe {
    /// Groups checks into the fewest executions that serve them all: the same command in the same directory runs
    /// once. `diff` and later kinds need none.
    pub fn plan<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Vec<Probe> {
        use overnight_core::goal::CheckKind;
        let checks: Vec<&Check> = checks.into_iter().collect();
        let mut probes: Vec<Probe> = Vec::new();
        for check in checks.iter().copied() {
            let ask = match &check.kind {
                CheckKind::Run { command } => Ask::Exit {
                    command: command.clone(),
                },
                CheckKind::Tests {
                    command, report, ..
                } => Ask::Tests {
                    command: command.clone(),
                    report: report.clone(),
                },
                CheckKind::Metric { command, read, .. } => Ask::Values {
                    command: command.clone(),
                    reads: vec![read.clone()],
                },
                CheckKind::File { path, .. } => Ask::File { path: path.clone() },
                CheckKind::Mutation {
                    command,
                    paths,
                    sample,
                    target,
                } => Ask::Mutation {
                    command: command.clone(),
                    paths: paths.clone(),
                    sample: *sample,
                    enough: match target {
                        Aim::AtLeast(share) => Some(*share),
                        Aim::AtMost(_) | Aim::Equals(_) | Aim::NoWorse(_) => None,
                    },
                    // What a hidden check brings along is no part of the tests that coverage is measured of.
                    coverage: match &check.hidden {
                        None => Coverage::of(&checks, &check.dir),
                        Some(_) => None,
                    },
                },
                CheckKind::Diff { .. } | CheckKind::Later { .. } => continue,
            };
            let same = probes
                .iter_mut()
                .find(|p| p.dir == check.dir && p.hidden == check.hidden && p.ask.shares(&ask));
            match same {
                Some(probe) => {
                    probe.checks.push(check.id.clone());
                    probe.timeout_s = probe.timeout_s.max(check.timeout_s);
                    probe.runs = probe.runs.max(check.runs);
                    probe.ask.absorb(ask);
                }
                None => probes.push(Probe {
                    checks: vec![check.id.clone()],
                    ask,
                    dir: check.dir.clone(),
                    timeout_s: check.timeout_s,
                    hidden: check.hidden.clone(),
                    runs: check.runs,
                }),
            }
        }
        probes
    }
}

impl Ask {
    fn shares(&self, other: &Ask) -> bool {
        match (self, other) {
            (Ask::Values { command: a, .. }, Ask::Values { command: b, .. }) => a == b,
            (a, b) => a == b,
        }
    }

    fn absorb(&mut self, other: Ask) {
        if let (Ask::Values { reads, .. }, Ask::Values { reads: more, .. }) = (self, other) {
            reads.extend(more);
        }
    }
}

/// Runs probes, each in a fresh checkout of a tree, in a cell that the agent's code has never been in.
#[async_trait]
pub trait Verifier: Send + Sync {
    /// Makes a clean checkout of `tree` (with the setup and `use.files`), runs the probe there once and reports.
    /// Never fails: what prevents an observation is its [`obstacle`](Observation::obstacle).
    async fn observe(&self, tree: &TreeId, probe: &Probe) -> Observation;
    /// One line for receipts: sandbox level and toolchain.
    fn environment(&self) -> String;
}
