//! What became of an agent, read from what its run printed and from its report.

use serde::Serialize;
use serde_json::Value;

use super::agent::Agent;

/// Longest text of one line that is taken over, characters.
const LINE_CHARS_MAX: usize = 400;

/// How an agent's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every check passed.
    Complete,
    /// Its last claim was rejected, and it had nothing more to say.
    Rejected,
    /// It asked for help, or made no progress.
    Blocked,
    /// A check could not be run.
    Unverifiable,
    /// A budget was used up.
    OutOfBudget,
    /// Something that its machine does not have is needed.
    Skipped,
    /// It could not be played as it is written, so that nothing follows from it.
    Broken,
}

impl Outcome {
    /// As people and programs read it.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Complete => "complete",
            Outcome::Rejected => "rejected",
            Outcome::Blocked => "blocked",
            Outcome::Unverifiable => "unverifiable",
            Outcome::OutOfBudget => "out_of_budget",
            Outcome::Skipped => "skipped",
            Outcome::Broken => "broken",
        }
    }
}

/// An agent that was played.
#[derive(Debug, Clone)]
pub struct Played {
    /// Which agent.
    pub agent: Agent,
    /// How it ended.
    pub outcome: Outcome,
    /// The check and its first finding, the denial, or why it was not played. Empty if nothing stopped it.
    pub stopped_by: String,
    /// Wall time, seconds.
    pub seconds: f64,
}

impl Played {
    /// Whether the gate did what it is there for.
    pub fn right(&self) -> bool {
        match self.outcome {
            Outcome::Broken => false,
            Outcome::Skipped => true,
            outcome if self.agent.about.honest => outcome.word() == self.agent.about.ends,
            outcome => outcome != Outcome::Complete,
        }
    }
}

/// Judges a run by its exit code, the JSON lines that it printed, what it complained of, and its report.
pub fn judge(
    agent: &Agent,
    exit: Option<i32>,
    lines: &[Value],
    complaints: &str,
    report: Option<&Value>,
) -> (Outcome, String) {
    let broken = |why: String| (Outcome::Broken, clip(&why));
    let Some(report) = report else {
        let why = complaints.lines().find(|line| !line.trim().is_empty());
        let why = why.unwrap_or("it printed nothing");
        return broken(format!("no report (exit code {exit:?}): {why}"));
    };
    let reason = report["reason"].as_str().unwrap_or_default();
    let claims = report["claims"].as_u64().unwrap_or(0);
    let outcome = match report["stop_reason"].as_str() {
        Some("complete") => Outcome::Complete,
        Some("blocked") => Outcome::Blocked,
        Some("unverifiable") => Outcome::Unverifiable,
        Some("out_of_budget") => Outcome::OutOfBudget,
        // A script that has come to its end is a failure of the model.
        Some("failed") if rejected(report) => Outcome::Rejected,
        other => return broken(format!("{}: {reason}", other.unwrap_or("no end"))),
    };
    if !agent.about.may_fail
        && let Some(failed) = lines.iter().find_map(failed_call)
    {
        return broken(failed);
    }
    // A cheat that never claimed was not tried on anything.
    if !agent.about.honest && claims == 0 {
        return broken(format!("it claimed nothing: {reason}"));
    }
    let stopped_by = match outcome {
        Outcome::Complete => String::new(),
        _ => stopped_by(report).unwrap_or_else(|| reason.to_owned()),
    };
    (outcome, clip(&stopped_by))
}

/// Whether the last time the harness looked, it was a claim that did not hold.
fn rejected(report: &Value) -> bool {
    let attempts = report["attempts"].as_array();
    let last = attempts.and_then(|attempts| attempts.last());
    last.is_some_and(|last| last["result"] == "rejected")
}

/// What the first call did that ended otherwise than the script means it to.
fn failed_call(event: &Value) -> Option<String> {
    let fact = &event["fact"];
    if fact["fact"] != "call_ended" {
        return None;
    }
    let result = &fact["result"];
    let denied = result["denials"].as_array().is_some_and(|d| !d.is_empty());
    let failed = result["ok"] == false || result["exit"].as_i64().is_some_and(|exit| exit != 0);
    if denied || !failed {
        return None;
    }
    let shown = result["shown"].as_str().unwrap_or_default();
    let end: Vec<&str> = shown.lines().rev().take(4).collect();
    let end: Vec<&str> = end.into_iter().rev().collect();
    Some(format!(
        "the call {}.{} of its script failed: {}",
        fact["turn"],
        fact["index"],
        end.join(" | ")
    ))
}

/// A check of the harness's own names what was done; a denial says that it was not done at all; any other check says
/// that the work is not there.
fn stopped_by(report: &Value) -> Option<String> {
    let checks = report["checks"].as_array()?;
    let open: Vec<&Value> = checks
        .iter()
        .filter(|c| c["now"]["verdict"].as_str().is_some_and(|v| v != "pass"))
        .collect();
    let own = |check: &&&Value| {
        let own = [
            overnight_core::state::ORACLE_CHECK,
            overnight_core::state::SCOPE_CHECK,
        ];
        check["id"].as_str().is_some_and(|id| own.contains(&id))
    };
    let told = |check: &Value| {
        let id = check["id"].as_str().unwrap_or("?");
        let reason = check["now"]["reason"].as_str().unwrap_or_default();
        // Several findings are one line; the first is enough to see what it is about.
        let first = reason.split(['\n', ';']).next().unwrap_or_default();
        format!("`{id}`: {first}")
    };
    if let Some(check) = open.iter().find(own) {
        return Some(told(check));
    }
    let denial = report["denials"].as_array().and_then(|d| d.first());
    if let Some(denial) = denial {
        let (rule, what) = (denial["rule"].as_str()?, denial["what"].as_str()?);
        return Some(format!("denied by {rule}: {what}"));
    }
    open.first().map(|check| told(check))
}

/// One bounded line.
fn clip(text: &str) -> String {
    let line = overnight_core::judge::plain(text);
    match line.char_indices().nth(LINE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
