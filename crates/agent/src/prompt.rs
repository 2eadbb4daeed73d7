//! What the model is sent: instructions and contract first (byte-stable over a run), then the past, then the
//! harness's current view.

use std::fmt::Write;

use overnight_core::event::Notice;
use overnight_core::goal::{Check, CheckKind, Goal};
use overnight_core::ids::Scope;
use overnight_core::judge::clip;
use overnight_core::state::State;
use overnight_ports::model::Entry;

use crate::item;
use crate::told;
use crate::transcript::Transcript;

pub(crate) const INSTRUCTIONS: &str = include_str!("../prompts/instructions.md");
/// What is said of the tools of servers, if there are any.
pub(crate) const SERVERS: &str = include_str!("../prompts/servers.md");
/// How much evidence the current view holds, bytes, shared among the open checks.
const EVIDENCE_BYTES_MAX: usize = 8 * 1024;

/// The contract, as the first message, with what the repository itself says to whoever works on it.
pub(crate) fn contract(goal_file: &str, root: &str, guidance: &str) -> String {
    let mut text =
        format!("Your workspace is `{root}`. The contract, as the person wrote it:\n\n{goal_file}");
    if !guidance.is_empty() {
        text.push_str("\n\n");
        text.push_str(guidance);
    }
    text
}

/// The whole conversation of one request.
/// `head` is what it begins with: the contract, and of an item what its source says.
pub(crate) fn entries(head: Vec<String>, past: &Transcript, state: &State) -> Vec<Entry> {
    let user = |text| Entry::User { text };
    let mut entries: Vec<Entry> = head.into_iter().map(user).collect();
    if let Some(text) = earlier(past) {
        entries.push(Entry::User { text });
    }
    for turn in &past.turns {
        let told: Vec<String> = turn
            .told
            .iter()
            .map(|notice| match &state.item {
                Some(_) => item::words(notice, &state.goal),
                None => words(notice, &state.goal),
            })
            .collect();
        if !told.is_empty() {
            entries.push(Entry::User {
                text: told.join("\n"),
            });
        }
        if turn.items.is_empty() {
            continue;
        }
        entries.push(Entry::Answer {
            items: turn.items.clone(),
        });
        for call in &turn.calls {
            // Every call has a result in the next request, or the provider refuses it.
            let text = call
                .shown
                .clone()
                .unwrap_or_else(|| "[no result: the call was given up]".into());
            entries.push(Entry::Result {
                call: call.id.clone(),
                text,
            });
        }
    }
    entries.push(Entry::User { text: view(state) });
    entries
}

fn earlier(past: &Transcript) -> Option<String> {
    if past.digests.is_empty() {
        return None;
    }
    let mut text = String::from("Earlier turns, in brief");
    if past.forgotten > 0 {
        let _ = write!(text, " ({} before them are not listed)", past.forgotten);
    }
    text.push_str(". A call's whole output is at `@out/TURN.CALL` (calls from 0).\n");
    for line in &past.digests {
        let _ = writeln!(text, "{line}");
    }
    Some(text)
}

/// A notice in words.
pub(crate) fn words(notice: &Notice, goal: &Goal) -> String {
    match notice {
        Notice::ClaimRejected { open, same_tree } => {
            let again = if *same_tree { " Nothing has changed since these checks were last run." } else { "" };
            match told::heard(goal, open).as_slice() {
                [] => format!("Your claim was checked and does not hold: {}.{again}", told::UNTOLD),
                heard => format!(
                    "Your claim was checked and does not hold: {} not passed. The evidence is below.{again}",
                    list(heard)
                ),
            }
        }
        Notice::Checkpoint { open, .. } if open.is_empty() => {
            "Checkpoint: every check passes on your files as they are. If the contract's prose is met as well, call \
             `claim_done`."
                .into()
        }
        Notice::Checkpoint { open, .. } => match told::heard(goal, open).as_slice() {
            [] => format!("Checkpoint: the harness ran the checks on your files: {}.", told::UNTOLD),
            heard => format!(
                "Checkpoint: the harness ran the checks on your files. Not passed: {}.",
                list(heard)
            ),
        },
        Notice::Silent => "You called no tool. This is not the end: go on with what is open below, or call \
                           `claim_done` if nothing is, or `ask_for_help` if only a person can go on."
            .into(),
        Notice::NoProgress { without, limit } => format!(
            "{without} checkpoints without verified progress; after {limit} the run stops. What you did so far does \
             not work: read the evidence afresh and try something different."
        ),
        Notice::BudgetLow { budget, percent } => {
            format!("{percent} % of the budget `{budget}` is used. Finish what matters most.")
        }
        Notice::BackgroundStopped { names } => {
            format!("Stopped so that the checks could run: {}. Start them again if you need them.", list(names))
        }
        Notice::Restarted => {
            "The harness was restarted. Your files are as you left them; commands in the background are gone.".into()
        }
        Notice::Answer { text } => format!("The person answers: {text}"),
        Notice::GoalEdited { changes } => {
            let mut text = String::from(
                "The person has changed the contract: what stands at the top is the new version, and the only one that \
                 counts. Commands in the background were stopped. Changed:",
            );
            for change in changes {
                let _ = write!(text, "\n- {change}");
            }
            text
        }
        Notice::ClosingRefused { faults, left } => {
            let mut text = String::from("The item is not closed:");
            for fault in faults {
                let _ = write!(text, "\n- {fault}");
            }
            let _ = write!(text, "\nIt may be refused {left} more times.");
            text
        }
        Notice::SentBack { conflicts, open } => {
            let mut text = String::from(
                "Others' work was integrated meanwhile, and yours does not go with it. Your workspace is now theirs with \
                 your change laid over it.",
            );
            if !conflicts.is_empty() {
                let _ = write!(text, " These files hold conflict markers: {}.", list(conflicts));
            }
            if !open.is_empty() {
                let _ = write!(text, " These checks do not pass on both together: {}.", list(open));
            }
            text
        }
        Notice::OnlyWords { why } => format!(
            "The item can no longer end in a change: {why}. End it with an outcome that needs none; your changes will not \
             be kept."
        ),
        Notice::HistoryCut => "The history was too long and has been shortened.".into(),
        Notice::HistoryGrown { turns } => {
            format!("From now on up to {turns} of the latest turns are shown whole again.")
        }
        Notice::FreshStart { without } => format!(
            "{without} checkpoints went by without verified progress, so you start afresh: your earlier turns are no \
             longer shown, your files are as you left them. Begin with the contract, the evidence and your notes below; \
             look at the files again before you believe anything about them."
        ),
        Notice::Replan { failed } => {
            let mut text = String::from(
                "Nothing has progressed since. Before anything else write with `plan` a different approach: say what the \
                 evidence rules out, and choose a way that you have not tried.",
            );
            if !failed.is_empty() {
                text.push_str(" These were claimed and did not hold:");
                for claim in failed {
                    let _ = write!(text, "\n- {}", claim.replace('\n', " "));
                }
            }
            text
        }
    }
}

pub(crate) fn list<T: std::fmt::Display>(ids: &[T]) -> String {
    ids.iter()
        .map(|id| format!("`{id}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The harness's current view: what is open and why, what is passed, notes, plan, budget.
pub(crate) fn view(state: &State) -> String {
    let mut text = String::from("The harness's view now\n");
    if let Some(work) = &state.item {
        text.push_str(&item::view(work));
    }
    let told = told::told(state);
    let share = EVIDENCE_BYTES_MAX / told.open.len().max(1);
    for open in &told.open {
        let what = state.goal.check(open.id).map_or_else(String::new, describe);
        let _ = writeln!(text, "- open `{}`{what}: {}", open.id, open.standing);
        for line in clip(open.evidence, share).lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    if told.untold {
        let _ = writeln!(text, "- open: {}", told::UNTOLD);
    }
    if !told.passed.is_empty() {
        let passed: Vec<&str> = told.passed.iter().map(|id| id.as_str()).collect();
        let _ = writeln!(
            text,
            "- passed on your files as last checked: {}",
            passed.join(", ")
        );
    }
    if let Some(lane) = state.lanes.get(&Scope::Run) {
        if !lane.notes.is_empty() {
            text.push_str("Your notes\n");
            for note in &lane.notes {
                let _ = writeln!(text, "- (turn {}) {}", note.turn, note.text);
            }
        }
        if !lane.plan.is_empty() {
            text.push_str("Your plan\n");
            for step in &lane.plan {
                let _ = writeln!(text, "- [{:?}] {}", step.status, step.step);
            }
        }
    }
    if !state.orders.is_empty() {
        text.push_str("The person's standing orders; each stands until it is revoked, and a later one goes before an earlier one\n");
        for order in &state.orders {
            let _ = writeln!(
                text,
                "- (order {}, {} into the run) {}",
                order.number,
                after(order.at.saturating_sub(state.created_at)),
                order.text
            );
        }
    }
    if state.item.is_some() {
        // The limits are the run's, and so is most of what is used of them.
        let _ = writeln!(
            text,
            "Used for this item: {} turns, {} tokens.",
            state.spent.turns,
            state.spent.usage.total()
        );
        return text;
    }
    let limits = state.goal.stop;
    let _ = write!(
        text,
        "Used: {} of {} turns",
        state.spent.turns, limits.turns
    );
    if let Some(tokens) = limits.tokens {
        let _ = write!(text, ", {} of {tokens} tokens", state.spent.usage.total());
    }
    text.push_str(".\n");
    text
}

/// A length of time in hours and minutes.
fn after(ms: u64) -> String {
    const MS_PER_MINUTE: u64 = 60_000;
    let minutes = ms / MS_PER_MINUTE;
    format!("{} h {} min", minutes / 60, minutes % 60)
}

fn describe(check: &Check) -> String {
    if let Some(command) = check.kind.command() {
        return format!(" ({} `{}`)", check.kind.key(), clip(command, 200));
    }
    match &check.kind {
        CheckKind::File { path, .. } => format!(" (file `{path}`)"),
        kind => format!(" ({})", kind.key()),
    }
}
