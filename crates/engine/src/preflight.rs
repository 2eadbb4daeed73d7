//! The preflight: every check on the untouched base. The same runs tell what must change, are the baseline that later
//! results are held against, and find checks that say one thing and then another.

use std::collections::BTreeMap;

use overnight_core::check::{CheckReport, Observation, Receipt, Target, Verdict};
use overnight_core::goal::{Aim, Check, CheckKind, Goal, Role};
use overnight_core::ids::{BlobId, CheckId, TreeId, UnixMs};
use overnight_core::judge::{Judgement, judge_base, judge_diff};
use overnight_ports::journal::BlobSink;
use overnight_ports::verifier::{Ask, Probe, Verifier};
use serde::{Deserialize, Serialize};

/// A probe that takes longer than this is run once only, milliseconds: whoever has a fifty-minute suite does not want
/// to wait for it twice before anything begins.
pub const RUN_TWICE_MS_MAX: u64 = 10 * 60 * 1_000;
/// For how long results are used again for the same base, milliseconds.
pub const REUSE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// Where results are kept between `overnight check` and `overnight run`. Losing them costs time only.
pub trait Shelf: Send + Sync {
    /// What was kept under a key.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    /// Keeps something under a key.
    fn put(&self, key: &str, content: &[u8]);
}

/// What the checks found on the base.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Preflight {
    /// One report a check, in the order in which they were run.
    pub reports: Vec<CheckReport>,
    /// Paths that the checks generated.
    pub generated: Vec<String>,
    /// What the receipts name by hash: outputs and observations.
    blobs: Vec<String>,
    /// When, Unix milliseconds.
    at: UnixMs,
}

/// A row of the table that people are shown.
#[derive(Debug, Clone, Serialize)]
pub struct PreflightRow {
    /// The check.
    pub id: CheckId,
    /// `done` or `keep`.
    pub role: Role,
    /// Its kind.
    pub kind: String,
    /// Verdict on the base.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// How the goal will treat it.
    pub treatment: &'static str,
    /// Whether two runs disagreed.
    pub flaky: bool,
}

impl Preflight {
    /// Puts what the receipts name where `sink` keeps it. Later verdicts are held against it, so that no report may be
    /// written down without it.
    pub(crate) fn put_blobs(&self, sink: &(impl BlobSink + ?Sized)) -> std::io::Result<()> {
        self.blobs
            .iter()
            .try_for_each(|blob| sink.put(blob.as_bytes()).map(drop))
    }

    /// The table.
    pub fn rows(&self, goal: &Goal) -> Vec<PreflightRow> {
        self.reports
            .iter()
            .filter_map(|report| goal.check(&report.check).map(|check| row(check, report)))
            .collect()
    }
}

fn row(check: &Check, report: &CheckReport) -> PreflightRow {
    let treatment = match report.verdict {
        Verdict::Pass => "must stay",
        Verdict::Fail => "must change",
        Verdict::CannotTell => "cannot tell",
    };
    PreflightRow {
        id: report.check.clone(),
        role: check.role,
        kind: check.kind.key().to_owned(),
        verdict: report.verdict,
        reason: report.reason.clone(),
        duration_ms: report.receipt.duration_ms,
        treatment,
        flaky: report.flaky,
    }
}

/// Whether results of an earlier preflight may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// If they are of the same base, checks and environment, and young.
    Kept,
    /// Everything is run again.
    Fresh,
}

/// A preflight on its own, as `overnight check` runs it; kept for the run that follows.
pub async fn preflight(
    goal: &Goal,
    hidden: &BTreeMap<CheckId, BlobId>,
    base: &TreeId,
    verifier: &dyn Verifier,
    (shelf, reuse_results): (&dyn Shelf, Reuse),
    now: UnixMs,
    each: &(dyn Fn(&CheckReport) + Send + Sync),
) -> Preflight {
    let key = key(goal, hidden, base, &verifier.environment());
    if reuse_results == Reuse::Kept
        && let Some(kept) = reuse(goal, shelf, &key, now)
    {
        return kept;
    }
    let found = run(goal, base, verifier, &|_| false, &|part: &Preflight| {
        part.reports.iter().for_each(each)
    })
    .await;
    keep(shelf, &key, &found, now);
    found
}

/// Whether a check's verdict needs what it found on the base.
pub fn compares(check: &Check) -> bool {
    match &check.kind {
        CheckKind::Tests { .. } => true,
        // Coverage of fewer files than on the base is no better coverage.
        CheckKind::Metric { target, read, .. } => {
            matches!(target, Aim::NoWorse(_)) || read.format.names_files()
        }
        CheckKind::Run { .. }
        | CheckKind::File { .. }
        | CheckKind::Diff { .. }
        | CheckKind::Mutation { .. }
        | CheckKind::Later { .. } => false,
    }
}

/// Runs every check that is not `known`, and tells of each probe's results as they come.
pub(crate) async fn run(
    goal: &Goal,
    base: &TreeId,
    verifier: &dyn Verifier,
    known: &(dyn Fn(&CheckId) -> bool + Send + Sync),
    each: &(dyn Fn(&Preflight) + Send + Sync),
) -> Preflight {
    let mut all = Preflight::default();
    let open: Vec<&Check> = goal.checks().filter(|c| !known(&c.id)).collect();
    for check in &open {
        if let CheckKind::Diff { .. } = check.kind {
            let judgement = judge_diff(None, &Default::default(), &[]);
            let part = Preflight {
                reports: vec![report(
                    &check.id,
                    &Target::Base,
                    judgement,
                    Receipt::default(),
                )],
                ..Preflight::default()
            };
            each(&part);
            all.absorb(part);
        }
    }
    // Planned over all checks, so that a value has the same place in its probe later.
    for probe in Probe::plan(goal.checks()) {
        if probe.checks.iter().all(known) {
            continue;
        }
        let part = observe(goal, base, verifier, &probe).await;
        each(&part);
        all.absorb(part);
    }
    all
}

async fn observe(goal: &Goal, base: &TreeId, verifier: &dyn Verifier, probe: &Probe) -> Preflight {
    let mut runs = vec![verifier.observe(base, probe).await];
    let worth_repeating = runs[0].obstacle.is_none() && runs[0].duration_ms <= RUN_TWICE_MS_MAX;
    // What a file says does not change by itself, and faults are planted often enough as it is.
    let steady = matches!(probe.ask, Ask::File { .. } | Ask::Mutation { .. });
    if worth_repeating && !steady {
        for _ in 1..probe.runs {
            runs.push(verifier.observe(base, probe).await);
        }
    }
    let mut part = Preflight::default();
    let last = runs.last().cloned().unwrap_or_default();
    let receipt = part.receipt(&last, &runs, base, verifier.environment());
    for (index, id) in probe.checks.iter().enumerate() {
        let Some(check) = goal.check(id) else {
            continue;
        };
        let judgement = judge_base(check, index, &runs);
        part.reports
            .push(report(id, &Target::Base, judgement, receipt.clone()));
    }
    for run in runs {
        for path in run.generated {
            if !part.generated.contains(&path) {
                part.generated.push(path);
            }
        }
    }
    part
}

impl Preflight {
    fn absorb(&mut self, part: Preflight) {
        self.reports.extend(part.reports);
        self.blobs.extend(part.blobs);
        for path in part.generated {
            if !self.generated.contains(&path) {
                self.generated.push(path);
            }
        }
    }

    fn receipt(
        &mut self,
        last: &Observation,
        runs: &[Observation],
        base: &TreeId,
        environment: String,
    ) -> Receipt {
        let mut hold = |text: String| {
            let id = BlobId::of(text.as_bytes());
            self.blobs.push(text);
            id
        };
        let output = String::from_utf8_lossy(&last.output).into_owned();
        let output = (!output.is_empty()).then(|| hold(output));
        let observation = serde_json::to_string(runs).ok().map(hold);
        Receipt {
            command: last.command.clone(),
            exit: last.exit,
            output,
            observation,
            tree: Some(base.clone()),
            environment,
            duration_ms: last.duration_ms,
        }
    }
}

/// A judgement as a report.
pub(crate) fn report(
    check: &CheckId,
    target: &Target,
    judgement: Judgement,
    receipt: Receipt,
) -> CheckReport {
    CheckReport {
        check: check.clone(),
        target: target.clone(),
        verdict: judgement.verdict,
        reason: judgement.reason,
        evidence: judgement.evidence,
        measure: judgement.measure,
        flaky: judgement.flaky,
        obstacle: judgement.obstacle,
        receipt,
    }
}

/// Under what results are kept: the base, everything in the goal that decides them, and the environment.
pub(crate) fn key(
    goal: &Goal,
    hidden: &BTreeMap<CheckId, BlobId>,
    base: &TreeId,
    environment: &str,
) -> String {
    let what = serde_json::json!({
        "base": base,
        "done": goal.done,
        "keep": goal.keep.checks,
        "each": goal.items.as_ref().map(|items| &items.each),
        "hidden": hidden,
        "setup": goal.uses.setup,
        "files": goal.uses.files,
        "network": goal.uses.network,
        "environment": environment,
        "overnight": env!("CARGO_PKG_VERSION"),
    });
    BlobId::of(what.to_string().as_bytes()).to_string()
}

/// Results that were kept, if they are young enough and whole: a check that could not be told is asked again.
pub(crate) fn reuse(goal: &Goal, shelf: &dyn Shelf, key: &str, now: UnixMs) -> Option<Preflight> {
    // What ignored files say is in no key.
    if !goal.uses.files.is_empty() {
        return None;
    }
    let kept: Preflight = serde_json::from_slice(&shelf.get(key)?).ok()?;
    let young = now.saturating_sub(kept.at) <= REUSE_MS_MAX && kept.at <= now;
    (young
        && kept
            .reports
            .iter()
            .all(|r| r.verdict != Verdict::CannotTell))
    .then_some(kept)
}

pub(crate) fn keep(shelf: &dyn Shelf, key: &str, found: &Preflight, now: UnixMs) {
    let kept = Preflight {
        at: now,
        ..found.clone()
    };
    if let Ok(bytes) = serde_json::to_vec(&kept) {
        shelf.put(key, &bytes);
    }
}
