//! Events as plain, readable lines, for whoever watches and for `log`.

use std::io::Write;

use overnight_core::check::{Target, Verdict};
use overnight_core::event::{Event, Fact, Notice};
use overnight_core::ids::{CheckId, Scope};
use overnight_core::judge::{clip, plain};
use overnight_core::notification::{Outcome, Sending};
use overnight_core::repo::Delivered;
use overnight_core::state::{Phase, State, Treatment, Why, is_own};
use overnight_core::stop::StopReason;
use overnight_core::turn::{Denial, Said};
use overnight_engine::Watcher;

use crate::clock::length;

mod items;

pub use items::worklist;

/// Length of a line's free part, bytes.
const TEXT_BYTES_MAX: usize = 160;

/// An event in a line or a few; nothing for what a person need not see. `state` is the one that it led to.
pub fn lines(event: &Event, state: &State) -> Vec<String> {
    let mut text = match &event.scope {
        Scope::Run => facts(event, state),
        Scope::Item(id) => items::of_item(event, id, state),
    };
    text.extend(items::ended(state));
    text
}

/// What happened to a run, or to an item, whose own small machine is `state` then.
fn facts(event: &Event, state: &State) -> Vec<String> {
    let one = |text: String| vec![text];
    match &event.fact {
        Fact::RunCreated(created) => {
            let scripted = if created.scripted {
                " (scripted: no live model)"
            } else {
                ""
            };
            vec![
                format!(
                    "run {} · {}",
                    created.run.short(),
                    clean(&created.goal.outcome)
                ),
                format!(
                    "model {}{scripted} · sandbox {}",
                    created.model, created.sandbox
                ),
            ]
        }
        Fact::Prepared { base, offer } => {
            let mut text = vec![format!(
                "base {}{} · {} files",
                base.commit.short(),
                base.branch
                    .as_ref()
                    .map(|b| format!(" ({b})"))
                    .unwrap_or_default(),
                base.files
            )];
            if !base.dirty.is_empty() {
                text.push(format!(
                    "note: {} uncommitted paths of your checkout are not part of the base: {}",
                    base.dirty.len(),
                    clip(&base.dirty.join(", "), TEXT_BYTES_MAX)
                ));
            }
            text.extend(
                base.notes
                    .iter()
                    .map(|note| format!("note: {}", clean(note))),
            );
            text.extend(offer.iter().map(|offer| {
                let servers: Vec<String> = offer
                    .servers
                    .iter()
                    .map(|by| format!("{} ({})", by.server, by.tools))
                    .collect();
                format!("tools of MCP servers: {}", clean(&servers.join(", ")))
            }));
            text
        }
        Fact::CheckReported { report } => {
            let on = if report.target == Target::Base {
                " on the base"
            } else {
                ""
            };
            if is_own(&report.check) && report.verdict == Verdict::Pass {
                return Vec::new();
            }
            let known = state.checks.get(&report.check);
            let treatment = match (&report.target, known.map(|c| c.treatment())) {
                (Target::Base, Some(Treatment::MustChange)) => " → must change",
                (Target::Base, Some(Treatment::MustStay)) => " → must stay",
                _ => "",
            };
            one(format!(
                "{} {}{on}: {} — {}{treatment} ({})",
                mark(report.verdict),
                report.check,
                report.verdict.word(),
                clean(&report.reason),
                length(report.receipt.duration_ms)
            ))
        }
        Fact::BaselineEnded { reused, .. } => {
            if *reused {
                one("results on the base are those of the last preflight".into())
            } else {
                Vec::new()
            }
        }
        Fact::TurnRequested {
            attempt,
            turn,
            told,
        } => {
            // Of an item both say the same.
            let refused = told
                .iter()
                .any(|notice| matches!(notice, Notice::ClosingRefused { .. }));
            let twice =
                |notice: &&Notice| refused && matches!(notice, Notice::ClaimRejected { .. });
            let mut text: Vec<String> = told
                .iter()
                .filter(|notice| !twice(notice))
                .filter_map(|notice| told_line(notice, state))
                .collect();
            if *attempt > 1 {
                text.push(format!("turn {turn}, attempt {attempt}"));
            }
            text
        }
        Fact::ModelAnswered {
            turn, text, calls, ..
        } => {
            let said = clean(text);
            if said.is_empty() && !calls.is_empty() {
                Vec::new()
            } else {
                one(format!("turn {turn}: “{said}”"))
            }
        }
        Fact::ModelFailed { message, .. } => {
            let wait = state.lanes.get(&Scope::Run).and_then(|l| l.wait.as_ref());
            let until = wait
                .map(|w| format!(" · waits {}", length(w.until.saturating_sub(event.at))))
                .unwrap_or_default();
            one(format!("model: {}{until}", clean(message)))
        }
        Fact::CallStarted { .. } => Vec::new(),
        Fact::CallEnded {
            turn,
            index,
            result,
        } => {
            if let Some(Said::Claim { summary }) = &result.said {
                return one(format!(
                    "turn {turn}: claims to be done: “{}”",
                    clean(summary)
                ));
            }
            if let Some(Said::Close(closing)) = &result.said {
                return one(format!(
                    "turn {turn}: closes it as {}: “{}”",
                    closing.outcome.word(),
                    clean(&closing.evidence)
                ));
            }
            let lane = state.lanes.get(&Scope::Run);
            let line = lane
                .and_then(|l| l.calls.get(*index))
                .map(|c| clean(&c.head.line))
                .unwrap_or_default();
            let how = match (result.exit, result.ok) {
                (Some(code), _) => format!(" → exit {code}"),
                (None, true) => String::new(),
                (None, false) => format!(" → {}", clean(&result.shown)),
            };
            let mut text = vec![format!(
                "turn {turn}: {line}{how} ({})",
                length(result.duration_ms)
            )];
            text.extend(result.denials.iter().map(denied));
            text
        }
        Fact::CandidateFixed {
            candidate, denials, ..
        } => {
            let why = match &state.phase {
                Phase::Checking(c) => match c.why {
                    Why::Claim => Some("the harness checks the claim"),
                    Why::Routine => Some("checkpoint"),
                    Why::Worklist => Some("every item is closed: the harness checks the whole"),
                    Why::Silence => Some("the model has stopped calling tools; the harness checks"),
                    Why::Ending => Some("last look before the end"),
                    Why::Stopping => None,
                },
                // All verdicts were known: nothing had changed.
                _ => None,
            };
            let mut text: Vec<String> = why
                .map(|why| {
                    format!(
                        "{why} in a clean checkout · {} changed files",
                        candidate.changes.len()
                    )
                })
                .into_iter()
                .collect();
            text.extend(denials.iter().map(denied));
            text
        }
        Fact::Listed { listing, source } => items::listed(listing, source),
        Fact::SourceFailed { message, .. } => items::source_failed(message, event.at, state),
        Fact::Rebased {
            onto, conflicts, ..
        } => items::rebased(onto, conflicts),
        Fact::Integrated { commit, .. } => one(format!("integrated as {}", commit.short())),
        Fact::Relisted {
            newcomers, total, ..
        } => items::relisted(newcomers, *total, state),
        Fact::Acting {
            number, item, verb, ..
        } => one(format!(
            "act {number}: {} at the source of {}",
            verb.word(),
            items::name(item)
        )),
        Fact::Acted {
            number,
            receipt,
            already,
            error,
        } => one(items::acted(
            *number,
            receipt.as_deref(),
            *already,
            error.as_deref(),
        )),
        // Told when it is opened; what is wrong with a closing is told with the next turn.
        Fact::ItemOpened(_) | Fact::ClosingExamined { .. } => Vec::new(),
        Fact::Woken => Vec::new(),
        Fact::WaitCancelled => one("a person ended the wait".into()),
        Fact::NetworkBack => one("the model's provider can be reached again".into()),
        Fact::GoalEdited { changes, .. } => changes
            .iter()
            .map(|change| format!("goal edited: {}", clean(&change.line())))
            .collect(),
        Fact::Notifying { .. } => Vec::new(),
        Fact::Notified { sendings, .. } => sendings.iter().map(told).collect(),
        Fact::Restarted { interrupted } => match interrupted.len() {
            0 => one("taken up again".into()),
            n => one(format!("taken up again; {n} interrupted calls")),
        },
        Fact::Paused => one("paused by a person".into()),
        Fact::Resumed => one("goes on".into()),
        Fact::StopRequested => one("stopped by a person".into()),
        Fact::BudgetSet { .. } => one("a person raised the budget".into()),
        Fact::Told { order, text } => one(format!("order {order}: {}", clean(text))),
        Fact::Revoked { order } => one(format!("order {order} is revoked")),
        Fact::Answered { text } => one(format!("answered: {}", clean(text))),
        Fact::Delivered { delivered, .. } => match delivered {
            Delivered::Branch { name, commit } => {
                one(format!("delivered {} on branch {name}", commit.short()))
            }
            Delivered::Patch { folder } => one(format!("delivered a patch series in {folder}")),
            Delivered::Nothing => Vec::new(),
        },
        Fact::DeliveryFailed { message } => one(format!("not delivered: {}", clean(message))),
        Fact::ReportWritten { path } => one(format!("report {path}")),
        Fact::HarnessFailed { message, .. } => match state.waits().next() {
            Some(wait) => one(format!(
                "the harness could not go on and tries again in {}: {}",
                length(wait.until.saturating_sub(event.at)),
                clean(message)
            )),
            None => one(format!("failed: {}", clean(message))),
        },
        Fact::ClockJumped { ms } if *ms > 0 => one(format!(
            "the machine slept, or its clock was set forward by {}",
            length(ms.unsigned_abs())
        )),
        Fact::ClockJumped { ms } => one(format!(
            "the clock was set back by {}",
            length(ms.unsigned_abs())
        )),
    }
}

/// What came of telling the person.
pub fn told(sending: &Sending) -> String {
    match &sending.outcome {
        Outcome::Sent => format!("notified by {}", sending.by),
        Outcome::Failed { why } => format!("not notified by {}: {}", sending.by, clean(why)),
        Outcome::Unknown => format!(
            "whether you were notified by {} is not known: the process died meanwhile",
            sending.by
        ),
    }
}

fn denied(denial: &Denial) -> String {
    format!("✗ denied by `{}`: {}", denial.rule, clean(&denial.what))
}

/// What the harness tells the model, where a person wants to know it too.
fn told_line(notice: &Notice, state: &State) -> Option<String> {
    let because = |open: &[CheckId]| {
        let reason = |id: &CheckId| {
            let found = state.checks.get(id).and_then(|c| c.latest.as_ref());
            found.map_or_else(
                || id.to_string(),
                |f| format!("{id} — {}: {}", f.verdict.word(), clean(&f.reason)),
            )
        };
        open.iter().map(reason).collect::<Vec<_>>().join("; ")
    };
    match notice {
        Notice::ClaimRejected { open, same_tree } => {
            let same = if *same_tree {
                " (nothing has changed since these verdicts)"
            } else {
                ""
            };
            Some(format!("✗ claim rejected: {}{same}", because(open)))
        }
        Notice::Checkpoint { open, .. } if open.is_empty() => {
            Some("✓ checkpoint: every check passes".into())
        }
        Notice::Checkpoint { open, .. } => Some(format!("checkpoint: {}", because(open))),
        Notice::NoProgress { without, limit } => {
            Some(format!("no progress in {without} of {limit} checkpoints"))
        }
        Notice::BudgetLow { budget, percent } => {
            Some(format!("{percent} % of the budget `{budget}` is used"))
        }
        Notice::Silent => Some("the model called no tool; it is told what is open".into()),
        Notice::FreshStart { .. } => Some(
            "nothing progresses: the model starts afresh from the contract and its notes".into(),
        ),
        Notice::Replan { .. } => Some("nothing progresses: the model is to try another way".into()),
        Notice::HistoryCut => Some("the history was too long for the model and is cut".into()),
        Notice::ClosingRefused { faults, left } => Some(format!(
            "✗ closing refused, {left} more may be: {}",
            clean(&faults.join("; "))
        )),
        Notice::SentBack { conflicts, open } => Some(items::sent_back(conflicts, &because(open))),
        Notice::OnlyWords { why } => Some(format!("it can only end in words: {}", clean(why))),
        Notice::HistoryGrown { .. } => None,
        Notice::Restarted
        | Notice::BackgroundStopped { .. }
        | Notice::Answer { .. }
        | Notice::GoalEdited { .. } => None,
    }
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Fail => "✗",
        Verdict::CannotTell => "?",
    }
}

/// Text from outside on one line, without control characters.
pub fn clean(text: &str) -> String {
    let text = plain(text);
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    clip(&joined, TEXT_BYTES_MAX)
}

/// Prints what happens as plain lines.
pub struct PlainLines {
    started_at: Option<u64>,
}

impl PlainLines {
    /// Times are told from `started_at`, or from the first event.
    pub fn new(started_at: Option<u64>) -> Self {
        PlainLines { started_at }
    }

    /// One event.
    pub fn print(&mut self, event: &Event, state: &State) {
        let start = *self.started_at.get_or_insert(event.at);
        let mut out = std::io::stdout().lock();
        for line in lines(event, state) {
            let s = event.at.saturating_sub(start) / 1_000;
            // A closed pipe is no reason to stop the run.
            let _ = writeln!(
                out,
                "{:>3}:{:02}:{:02}  {line}",
                s / 3600,
                s / 60 % 60,
                s % 60
            );
        }
    }
}

impl Watcher for PlainLines {
    fn event(&mut self, event: &Event, state: &State) {
        self.print(event, state);
    }

    fn note(&mut self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// Prints events as JSON lines.
pub struct JsonLines;

impl Watcher for JsonLines {
    fn event(&mut self, event: &Event, _state: &State) {
        let mut out = std::io::stdout().lock();
        if serde_json::to_writer(&mut out, event).is_ok() {
            let _ = writeln!(out);
        }
    }

    fn note(&mut self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }
}

/// The last words of a run, for a person.
pub fn farewell(state: &State) -> Vec<String> {
    let mut text = Vec::new();
    let Some(stop) = &state.stop else { return text };
    text.push(String::new());
    // It may be the model's own question.
    text.push(plain(&stop.sentence()));
    match &state.delivered {
        Some(Delivered::Branch { name, .. }) => text.push(format!("branch  {name}")),
        Some(Delivered::Patch { folder }) => text.push(format!("patches {folder}")),
        Some(Delivered::Nothing) | None => {}
    }
    if let Some(error) = &state.delivery_error {
        text.push(plain(&format!("not delivered: {error}")));
    }
    if let Some(list) = state.worklist.as_ref().filter(|list| list.unperformed > 0) {
        text.push(format!(
            "acts    {} of {} at the source could not be performed: see the report, or `overnight items {}`",
            list.unperformed,
            list.acts,
            state.run.short()
        ));
    }
    if let Some(list) = state.worklist.as_ref().filter(|list| list.cut) {
        let left = list.acts.saturating_sub(list.acted);
        text.push(format!(
            "acts    {left} of {} at the source were not begun, because the run was stopped",
            list.acts
        ));
    }
    if let Some(report) = &state.report {
        text.push(format!("report  {report}"));
    }
    if let StopReason::Blocked { help, .. } = stop {
        text.push(format!("tried   {}", clean(&help.tried)));
        text.push(format!("unlock  {}", clean(&help.unlock)));
    }
    if let StopReason::OutOfBudget { budget } = stop {
        let run = state.run.short();
        text.push(format!(
            "next    overnight budget {run} --{budget} +N && overnight resume {run}"
        ));
    }
    if overnight_core::step::wants_answer(state) {
        let run = state.run.short();
        text.push(format!(
            "next    overnight answer {run} \"TEXT\" && overnight resume {run}"
        ));
    }
    if state.scripted {
        text.push(
            "The model was scripted: this shows the harness at work, not a live model.".into(),
        );
    }
    text
}
