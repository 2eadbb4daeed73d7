//! From events to the report.

use std::collections::BTreeMap;

use crate::check::{CheckReport, Target, Verdict};
use crate::event::{Event, Fact};
use crate::goal::{Aim, Better, Check, CheckKind, FileIs};
use crate::ids::{CheckId, Scope, TreeId};
use crate::judge::clip;
use crate::repo::{Changed, Delivered};
use crate::report::collect::{Before, Collected, Receipts};
use crate::report::ledger::{ItemsReport, Ledger};
use crate::report::{
    CHANGES_MAX, CheckRow, Delivery, Finding, HelpWanted, HiddenRow, LINE_BYTES_MAX, NoteRow,
    PATHS_MAX, PlanRow, Quoted, REPORT_VERSION, ReceiptRow, Report, Rerun, Start, Time, Tokens,
    Warning, WarningKind,
};
use crate::state::{CheckState, Found, ORACLE_CHECK, Phase, State, Treatment, is_own};
use crate::step::{StepError, begin, step};
use crate::stop::{Blocker, StopReason};

/// How many names of a list a sentence shows.
const NAMES_MAX: usize = 8;

impl Report {
    /// Reads a journal from its first event on. The events are all that is looked at, so that two readers of one
    /// journal get the same report.
    pub fn fold(events: impl IntoIterator<Item = Event>) -> Result<Report, StepError> {
        let mut events = events.into_iter();
        let first = events.next().ok_or(StepError::NotCreated)?;
        let mut folding = Folding::begin(first)?;
        for event in events {
            folding.add(&event)?;
        }
        folding.report()
    }
}

/// A journal that is read event by event, so that it need not be held in memory as a whole.
pub struct Folding {
    state: Option<State>,
    seen: Collected,
    ledger: Ledger,
    overnight: String,
}

impl Folding {
    /// The journal's first event.
    pub fn begin(first: Event) -> Result<Folding, StepError> {
        let state = begin(&first)?;
        let Fact::RunCreated(created) = first.fact else {
            return Err(StepError::NotCreated);
        };
        Ok(Folding {
            state: Some(state),
            seen: Collected::new(),
            ledger: Ledger::new(),
            overnight: created.overnight,
        })
    }

    /// The next one. After an error nothing more can be added.
    pub fn add(&mut self, event: &Event) -> Result<(), StepError> {
        let state = self.state.take().ok_or(StepError::NotCreated)?;
        let before = Before::of(&state);
        let (after, _) = step(state, event)?;
        self.seen.see(&before, event, &after);
        self.ledger.see(event, &after);
        self.state = Some(after);
        Ok(())
    }

    /// What it adds up to so far.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// The report. An error if one of the events was refused.
    pub fn report(self) -> Result<Report, StepError> {
        let state = self.state.ok_or(StepError::NotCreated)?;
        Ok(assemble(&state, self.seen, self.ledger, self.overnight))
    }

    /// The worklist, with a row for every item that was opened; nothing if there is none, or none yet.
    pub fn items(self) -> Option<ItemsReport> {
        self.ledger.all(self.state.as_ref()?)
    }
}

fn assemble(state: &State, seen: Collected, ledger: Ledger, overnight: String) -> Report {
    // The report is written just before the run ends; its reason is final from there on.
    let ended = matches!(state.phase, Phase::Reporting | Phase::Ended);
    let stop = state.stop.as_ref().filter(|_| ended);
    let tree = state.candidate.as_ref().map(|c| c.tree.clone());
    let tree_current = state.candidate.as_ref().is_some_and(|c| c.current);
    let delivery = delivery(state, seen.delivered_tree.as_ref(), tree.as_ref());
    let (branch, commit) = match &state.delivered {
        Some(Delivered::Branch { name, commit }) => {
            (Some(clip(name, LINE_BYTES_MAX)), Some(commit.clone()))
        }
        Some(Delivered::Patch { .. } | Delivered::Nothing) | None => (None, None),
    };
    let proven = match stop {
        Some(StopReason::Complete(proof)) => tree.as_ref() == Some(proof.tree()) && tree_current,
        _ => false,
    };
    let checks: Vec<CheckRow> = state
        .order
        .iter()
        .filter_map(|id| row(state, id, &seen.receipts))
        .collect();
    let opened = ledger.len() as u64;
    let items = ledger.report(state);
    let accounted_for = match &state.goal.items {
        Some(_) => items.as_ref().is_some_and(ItemsReport::accounted_for),
        None => true,
    };
    let complete = proven
        && accounted_for
        && delivery.current
        && delivery.error.is_none()
        && checks.iter().all(CheckRow::holds);
    let (changes, changed_paths, lines_added, lines_removed) = changes(&seen);
    let mut denials: Vec<_> = seen.denials.into_values().collect();
    denials.sort_by_key(|d| d.turn);
    let usage = state.spent.usage;
    let mut left_out = BTreeMap::from([
        ("attempts", seen.attempts.left_out),
        ("waits", seen.waits.left_out),
        ("person", seen.person.left_out),
        ("denials", seen.denials_left_out),
        (
            "items",
            items
                .as_ref()
                .map_or(0, |items| opened.saturating_sub(items.rows.len() as u64)),
        ),
        ("changes", changed_paths - changes.len() as u64),
        (
            "artefacts",
            state.artefacts.len().saturating_sub(PATHS_MAX) as u64,
        ),
        (
            "dirty",
            state
                .base
                .as_ref()
                .map_or(0, |b| b.dirty.len().saturating_sub(PATHS_MAX)) as u64,
        ),
    ]);
    left_out.retain(|_, count| *count > 0);
    let lane = state.lanes.get(&Scope::Run);
    let mut report = Report {
        version: REPORT_VERSION,
        id: state.run.clone(),
        short: state.run.short().to_owned(),
        goal: clip(&state.goal_name, LINE_BYTES_MAX),
        goal_file: state.goal_file.clone(),
        outcome: clip(&state.goal.outcome, LINE_BYTES_MAX),
        complete,
        ended,
        status: stop
            .map_or_else(|| state.status(), StopReason::word)
            .to_owned(),
        stop_reason: stop.map(|s| s.word().to_owned()),
        reason: reason(state, stop),
        exit_code: stop.map(|s| s.exit_code() as u8),
        branch,
        commit,
        delivery,
        base: state.base.as_ref().map(|base| Start {
            commit: base.commit.clone(),
            branch: base.branch.as_deref().map(|b| clip(b, LINE_BYTES_MAX)),
            tree: base.tree.clone(),
            dirty: paths(&base.dirty),
            missing: paths(&base.notes),
        }),
        tree,
        tree_current,
        model: clip(&state.model, LINE_BYTES_MAX),
        scripted: state.scripted,
        sandbox: clip(&state.sandbox, LINE_BYTES_MAX),
        sandboxed: sandboxed(&state.sandbox),
        overnight: clip(&overnight, LINE_BYTES_MAX),
        checks,
        changes,
        changed_paths,
        lines_added,
        lines_removed,
        artefacts: paths(&state.artefacts),
        attempts: seen.attempts.items,
        claims: state.progress.claims,
        checkpoints: state.progress.checkpoints,
        turns: state.spent.turns,
        tokens: Tokens::of(&usage),
        usd: state.price.map(|_| state.spent.usd),
        limits: state.goal.stop,
        time: Time {
            active_ms: state.spent.active_ms,
            waiting_ms: state.spent.waiting_ms,
            from: state.created_at,
            to: state.last_at,
        },
        waits: seen.waits.items,
        model_failures: seen.failures,
        oddities: seen.oddities,
        denials,
        denials_total: state.denials,
        commands: seen.commands,
        calls: seen.calls,
        help: stop.and_then(help),
        person: seen.person.items,
        notes: lane.map_or_else(Vec::new, |l| {
            l.notes
                .iter()
                .map(|n| NoteRow {
                    turn: n.turn,
                    text: Quoted::new(&n.text),
                })
                .collect()
        }),
        plan: lane.map_or_else(Vec::new, |l| {
            let row = |p: &crate::turn::PlanStep| PlanRow {
                step: Quoted::new(&p.step),
                status: p.status,
            };
            l.plan.iter().take(PATHS_MAX).map(row).collect()
        }),
        restarts: seen.restarts,
        interrupted: seen.interrupted,
        warnings: Vec::new(),
        items,
        rerun: Rerun {
            verify: format!("overnight verify {}", state.run.short()),
            git: vec![],
            commands: vec![],
        },
        events: seen.events,
        left_out,
    };
    report.warnings = warnings(&report, state);
    report.rerun.git = git(&report);
    report.rerun.commands = commands(state);
    report
}

/// Whether the line that describes the sandbox names one.
fn sandboxed(line: &str) -> bool {
    let line = line.trim().to_ascii_lowercase();
    !(line.is_empty()
        || line.starts_with("none")
        || line.starts_with("no ")
        || line.contains("unsafe"))
}

fn paths(list: &[String]) -> Vec<String> {
    list.iter()
        .take(PATHS_MAX)
        .map(|p| clip(p, LINE_BYTES_MAX))
        .collect()
}

fn delivery(state: &State, tree: Option<&TreeId>, newest: Option<&TreeId>) -> Delivery {
    let (kind, folder) = match &state.delivered {
        Some(Delivered::Branch { .. }) => ("branch", None),
        Some(Delivered::Patch { folder }) => ("patch", Some(clip(folder, LINE_BYTES_MAX))),
        Some(Delivered::Nothing) => ("nothing", None),
        None => ("none", None),
    };
    Delivery {
        kind,
        folder,
        tree: tree.cloned(),
        current: tree.is_some() && tree == newest,
        error: state
            .delivery_error
            .as_deref()
            .map(|e| clip(e, LINE_BYTES_MAX)),
    }
}

/// Why it ended, in the harness's words only: the model's own question stands in [`Report::help`].
fn reason(state: &State, stop: Option<&StopReason>) -> String {
    match stop {
        None => format!("It has not ended: it is {}.", state.status()),
        Some(StopReason::Complete(proof)) => {
            let checks = proof.checks().len();
            match &state.worklist {
                None => format!("All {checks} checks pass on the final tree."),
                Some(list) => format!(
                    "All {} items are closed, and all {checks} checks pass on the final tree.",
                    list.listing.total
                ),
            }
        }
        Some(StopReason::Blocked {
            by: Blocker::Model, ..
        }) => "The model asks for help; only a person can go on.".to_owned(),
        Some(StopReason::Blocked {
            by: Blocker::NoProgress,
            ..
        }) => {
            format!(
                "No verified progress in {} checkpoints in a row.",
                state.progress.without
            )
        }
        Some(StopReason::Blocked {
            by: Blocker::Provider,
            ..
        }) => "The model's provider does not take the run's requests.".to_owned(),
        Some(StopReason::OutOfBudget { budget }) => {
            format!("The goal's `stop.{budget}` is used up.")
        }
        Some(StopReason::Unverifiable { checks }) => {
            format!(
                "The harness could not run {}, so nobody can say.",
                listed(checks)
            )
        }
        Some(StopReason::Stopped) => "The work was broken off.".to_owned(),
        Some(StopReason::Refused { why } | StopReason::Failed { why }) => {
            sentence(&clip(why, LINE_BYTES_MAX))
        }
    }
}

/// The text with a capital and a full stop.
fn sentence(text: &str) -> String {
    let text = text.trim();
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    let stop = if text.ends_with(['.', '!', '?', '…']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{stop}", chars.as_str())
}

fn help(stop: &StopReason) -> Option<HelpWanted> {
    match stop {
        StopReason::Blocked { help, by } => Some(HelpWanted {
            by: *by,
            question: Quoted::new(&help.question),
            tried: Quoted::new(&help.tried),
            unlock: Quoted::new(&help.unlock),
        }),
        StopReason::Complete(_)
        | StopReason::OutOfBudget { .. }
        | StopReason::Unverifiable { .. }
        | StopReason::Stopped
        | StopReason::Refused { .. }
        | StopReason::Failed { .. } => None,
    }
}

fn changes(seen: &Collected) -> (Vec<Changed>, u64, u64, u64) {
    let all = seen.candidate.as_ref().map_or(&[][..], |c| &c.changes);
    let sum = |lines: fn(&Changed) -> u64| all.iter().map(lines).fold(0, u64::saturating_add);
    let shown = all.iter().take(CHANGES_MAX);
    let shown = shown
        .map(|c| Changed {
            path: clip(&c.path, LINE_BYTES_MAX),
            ..c.clone()
        })
        .collect();
    (
        shown,
        all.len() as u64,
        sum(|c| c.added),
        sum(|c| c.removed),
    )
}

fn row(state: &State, id: &CheckId, receipts: &BTreeMap<CheckId, Receipts>) -> Option<CheckRow> {
    let known = state.checks.get(id)?;
    let check = state.goal.check(id).filter(|_| !is_own(id));
    let none = Receipts::default();
    let receipts = receipts.get(id).unwrap_or(&none);
    let candidate = state.candidate.as_ref().filter(|c| c.current);
    let current = match (&known.latest, candidate) {
        (Some(found), Some(candidate)) => found.tree == candidate.tree,
        _ => false,
    };
    let unmet = match (&known.latest, &known.base) {
        (Some(found), _) if found.verdict != Verdict::Pass => Some(found),
        (None, Some(found)) if found.verdict == Verdict::CannotTell => Some(found),
        _ => None,
    };
    let oracle = id.as_str() == ORACLE_CHECK;
    // What was found about the oracle is to be reviewed even if it fails nothing.
    let unmet = unmet
        .or(known.latest.as_ref().filter(|_| oracle))
        .filter(|found| !found.evidence.is_empty());
    let (own_kind, own_wants) = if oracle {
        (
            "oracle",
            "the base's tests, and what steers them, are as they were",
        )
    } else {
        ("diff", "changes only where the goal allows them")
    };
    Some(CheckRow {
        id: id.clone(),
        role: known.role,
        kind: check.map_or(own_kind, |c| c.kind.key()).to_owned(),
        command: check
            .and_then(|c| command(&c.kind))
            .map(|c| clip(c, LINE_BYTES_MAX)),
        wants: check.map_or_else(|| own_wants.to_owned(), wants),
        dir: check.map_or_else(String::new, |c| clip(&c.dir, LINE_BYTES_MAX)),
        hidden: check.and_then(|c| {
            Some(HiddenRow {
                path: clip(c.hidden.as_deref()?, LINE_BYTES_MAX),
                hash: state.hidden.get(id).cloned(),
                feedback: c.feedback,
            })
        }),
        treatment: known.treatment(),
        base: known
            .base
            .as_ref()
            .map(|found| finding(found, receipts.base.as_ref())),
        now: known
            .latest
            .as_ref()
            .map(|found| finding(found, of_tree(found, known, receipts))),
        current,
        evidence: unmet.map(|found| Quoted::new(&found.evidence)),
    })
}

/// The report that a verdict comes from: on an unchanged tree the base's own verdict is taken over.
fn of_tree<'a>(
    found: &Found,
    known: &CheckState,
    receipts: &'a Receipts,
) -> Option<&'a CheckReport> {
    match &receipts.latest {
        Some(report) if report.target == Target::Candidate(found.tree.clone()) => Some(report),
        _ if known.base.as_ref() == Some(found) => receipts.base.as_ref(),
        _ => None,
    }
}

fn finding(found: &Found, report: Option<&CheckReport>) -> Finding {
    let receipt = report.map(|r| r.receipt.clone()).unwrap_or_default();
    Finding {
        verdict: found.verdict,
        reason: clip(&found.reason, LINE_BYTES_MAX),
        flaky: found.flaky,
        receipt: ReceiptRow {
            command: clip(&receipt.command, LINE_BYTES_MAX),
            exit: receipt.exit,
            output: receipt.output,
            observation: receipt.observation,
            tree: found.tree.clone(),
            environment: clip(&receipt.environment, LINE_BYTES_MAX),
            duration_ms: found.duration_ms,
        },
    }
}

fn command(kind: &CheckKind) -> Option<&str> {
    kind.command()
}

fn aim(target: &Aim) -> String {
    match target {
        Aim::AtLeast(value) => format!("at least {value}"),
        Aim::AtMost(value) => format!("at most {value}"),
        Aim::Equals(value) => format!("exactly {value}"),
        Aim::NoWorse(Better::Higher) => "at least the base's value".to_owned(),
        Aim::NoWorse(Better::Lower) => "at most the base's value".to_owned(),
    }
}

fn wants(check: &Check) -> String {
    let text = match &check.kind {
        CheckKind::Run { .. } => "exit code 0".to_owned(),
        CheckKind::Tests {
            must_pass,
            proves_change,
            ..
        } if !must_pass.is_empty() => {
            let change = if *proves_change {
                ", not on the base"
            } else {
                ""
            };
            format!("these tests pass{change}: {}", listed(must_pass))
        }
        CheckKind::Tests { .. } => match check.role {
            crate::goal::Role::Done => "all tests pass".to_owned(),
            crate::goal::Role::Keep => "tests that pass on the base still pass".to_owned(),
        },
        CheckKind::Metric { read, target, .. } => format!("{} {}", read.value, aim(target)),
        CheckKind::Diff { allow, forbid } => match (allow.is_empty(), forbid.is_empty()) {
            (false, true) => format!("changes only in {}", listed(allow)),
            (false, false) => format!(
                "changes only in {}, none in {}",
                listed(allow),
                listed(forbid)
            ),
            (true, _) => format!("no changes in {}", listed(forbid)),
        },
        CheckKind::File { path, is } => match is {
            FileIs::There(true) => format!("{path} exists"),
            FileIs::There(false) => format!("{path} does not exist"),
            FileIs::Containing(text) => format!("{path} contains `{text}`"),
            FileIs::Matching(pattern) => format!("{path} matches `{pattern}`"),
        },
        CheckKind::Mutation { target, .. } => {
            format!("the tests notice planted faults, {}", aim(target))
        }
        CheckKind::Later { .. } => "a kind of check that this version cannot run".to_owned(),
    };
    clip(&text, LINE_BYTES_MAX)
}

fn listed<S: std::fmt::Display>(names: &[S]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_MAX).map(S::to_string).collect();
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn warnings(report: &Report, state: &State) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |kind, text: String| {
        warnings.push(Warning {
            kind,
            text: clip(&text, LINE_BYTES_MAX),
        })
    };
    if report.scripted {
        let text = "The model was a script: its answers were written beforehand, so this run shows what the harness \
                    does and nothing about what a model can do.";
        warn(WarningKind::ScriptedModel, text.to_owned());
    }
    if !report.sandboxed {
        let text = "There was no sandbox: the model's commands and the checks ran with the full rights of the \
                    person who started the run. Nothing kept them from other files or from the network.";
        warn(WarningKind::NoSandbox, text.to_owned());
    }
    if let Some(error) = &report.delivery.error {
        warn(
            WarningKind::NotDelivered,
            format!("The result could not be delivered: {error}"),
        );
    }
    if report.delivery.tree.is_some() && !report.delivery.current {
        let text =
            "What was delivered is from an earlier stop of this run; the newest work is not in it.";
        warn(WarningKind::DeliveredOlder, text.to_owned());
    }
    let stale = report
        .checks
        .iter()
        .filter(|c| c.now.is_some() && !c.current);
    let stale: Vec<&str> = stale.map(|c| c.id.as_str()).collect();
    if !stale.is_empty() {
        let text = format!(
            "Verdicts of an earlier state of the work, not of the newest: {}.",
            listed(&stale)
        );
        warn(WarningKind::StaleVerdicts, text);
    }
    if let Some(base) = report.base.as_ref().filter(|b| !b.dirty.is_empty()) {
        let text = format!(
            "The checkout had changes that were not committed. The run started from the commit and did not see \
             them: {}.",
            listed(&base.dirty)
        );
        warn(WarningKind::DirtyBase, text);
    }
    if let Some(base) = report.base.as_ref().filter(|b| !b.missing.is_empty()) {
        let text = format!(
            "The run worked without parts of the repository: {}.",
            listed(&base.missing)
        );
        warn(WarningKind::MissingParts, text);
    }
    let flaky: Vec<&str> = report
        .checks
        .iter()
        .filter(|c| c.base.as_ref().is_some_and(|b| b.flaky))
        .map(|c| c.id.as_str())
        .collect();
    if !flaky.is_empty() {
        let text = format!(
            "Two runs on the untouched base disagreed: {}. A pass of these may be luck.",
            listed(&flaky)
        );
        warn(WarningKind::FlakyCheck, text);
    }
    let proves_nothing = state.goal.done.iter().filter(|c| {
        !c.already
            && state
                .checks
                .get(&c.id)
                .is_some_and(|s| s.treatment() == Treatment::MustStay)
    });
    let proves_nothing: Vec<&str> = proves_nothing.map(|c| c.id.as_str()).collect();
    if !proves_nothing.is_empty() {
        let text = format!(
            "Passes on the untouched base already, so that it proves no change: {}.",
            listed(&proves_nothing)
        );
        warn(WarningKind::PassesOnBase, text);
    }
    if state.goal.stop.usd.is_some() && state.price.is_none() {
        let text = "The goal limits money (`stop.usd`), but the price of this model is not known, so that the limit \
                    could not be enforced.";
        warn(WarningKind::PriceUnknown, text.to_owned());
    }
    warnings
}

fn git(report: &Report) -> Vec<String> {
    let base = report
        .base
        .as_ref()
        .map(|b| b.commit.clone())
        .unwrap_or_default();
    match (&report.branch, &report.delivery.folder) {
        (Some(branch), _) => {
            let branch = shell_word(branch);
            vec![
                format!("git log --stat {}..{branch}", shell_word(base.as_str())),
                format!("git diff {} {branch}", shell_word(base.as_str())),
                format!("git switch {branch}"),
            ]
        }
        (None, Some(folder)) => {
            let onto = shell_word(base.as_str());
            vec![
                format!("git switch --detach {onto}"),
                format!("git am {}/*.patch", shell_word(folder)),
            ]
        }
        (None, None) => Vec::new(),
    }
}

/// The setup and every command of the goal once, in its order.
fn commands(state: &State) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let setup = state
        .goal
        .uses
        .setup
        .iter()
        .map(|setup| ("", setup.as_str()));
    let checks = state
        .goal
        .checks()
        .filter_map(|c| command(&c.kind).map(|command| (c.dir.as_str(), command)));
    for (dir, command) in setup.chain(checks) {
        let command = clip(command.trim_end(), LINE_BYTES_MAX);
        let line = match dir {
            "" => command,
            dir => format!(
                "(cd {} && {command})",
                shell_word(&clip(dir, LINE_BYTES_MAX))
            ),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// A word as a POSIX shell reads it back.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:=~^".contains(c);
    if !text.is_empty() && !text.starts_with(['-', '~']) && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
