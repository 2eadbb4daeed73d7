//! Notifications: what is said of a run, and what came of saying it.

use overnight_core::event::Fact;
use overnight_core::judge::{clip, plain};
use overnight_core::notification::{Channel, Notification, Occasion, Outcome, Sending, key};
use overnight_core::repo::Delivered;
use overnight_core::state::State;
use overnight_core::stop::StopReason;
use overnight_ports::notifier::Message;
use serde_json::json;

use crate::perform::Ports;

/// Length of a text of a notification, bytes.
const TEXT_BYTES_MAX: usize = 1_000;
/// Length of its title, bytes.
const TITLE_BYTES_MAX: usize = 120;

/// Sends a notification through every channel, one after the other. Nothing that goes wrong is more than an entry of the journal.
pub(crate) async fn notify(state: &State, ports: &Ports, number: u32) -> Option<Fact> {
    let found = state.notifications.iter().find(|n| n.number == number)?;
    let message = message(state, found);
    let mut sendings = Vec::with_capacity(state.notify.len());
    for channel in &state.notify {
        let outcome = match ports.notifier.send(channel, &message).await {
            Ok(()) => Outcome::Sent,
            Err(why) => Outcome::Failed {
                why: clip(&plain(&why), TEXT_BYTES_MAX),
            },
        };
        sendings.push(Sending {
            by: Channel::name(channel).to_owned(),
            outcome,
        });
    }
    Some(Fact::Notified { number, sendings })
}

/// What is said. Texts of the model (its question) are made plain and bounded.
fn message(state: &State, of: &Notification) -> Message {
    let stop = state.stop.as_ref();
    let waiting = state.waiting().filter(|_| of.occasion == Occasion::Waiting);
    let sentence = match (&waiting, stop) {
        (Some(waiting), _) => format!("Waiting for {}: {}", waiting.kind.words(), waiting.why),
        (None, Some(stop)) => stop.sentence(),
        (None, None) => of.occasion.word().to_owned(),
    };
    let sentence = clip(&plain(&sentence), TEXT_BYTES_MAX);
    let outcome = clip(&plain(&state.goal.outcome), TEXT_BYTES_MAX);
    let run = state.run.short();
    let branch = match &state.delivered {
        Some(Delivered::Branch { name, .. }) => Some(name.clone()),
        _ => None,
    };
    let next = match stop {
        _ if of.occasion == Occasion::Waiting => format!("overnight show {run}"),
        Some(StopReason::Blocked { .. }) => format!("overnight show {run}"),
        Some(StopReason::OutOfBudget { budget }) => {
            format!("overnight budget {run} --{budget} +N")
        }
        _ => format!("overnight report {run}"),
    };
    let title = clip(
        &format!("overnight: {} · {outcome}", of.occasion.word()),
        TITLE_BYTES_MAX,
    );
    let mut text = format!("{sentence}\n");
    if let Some(branch) = &branch {
        text.push_str(&format!("branch {branch}\n"));
    }
    text.push_str(&next);
    let question = stop.and_then(|stop| match stop {
        StopReason::Blocked { help, .. } => Some(json!({
            "question": clip(&plain(&help.question), TEXT_BYTES_MAX),
            "tried": clip(&plain(&help.tried), TEXT_BYTES_MAX),
            "unlock": clip(&plain(&help.unlock), TEXT_BYTES_MAX),
        })),
        _ => None,
    });
    let usage = &state.spent.usage;
    let json = json!({
        "key": key(state, of.number),
        "occasion": of.occasion.word(),
        "text": format!("{title}\n{text}"),
        "run": state.run,
        "short": run,
        "goal": state.goal_name,
        "outcome": outcome,
        "reason": sentence,
        "help": question,
        "waits": waiting.map(|w| json!({"for": w.kind, "since": w.from, "until": w.until})),
        "branch": branch,
        "report": state.report,
        "repo": state.repo,
        "model": state.model,
        "at": of.at,
        "turns": state.spent.turns,
        "tokens": {"total": usage.total(), "billed": usage.billed(), "cached": usage.cached},
        "usd": state.price.map(|_| state.spent.usd),
        "active_ms": state.spent.active_ms,
        "waiting_ms": state.spent.waiting_ms,
        "next": next,
    });
    Message {
        key: key(state, of.number),
        title,
        text,
        json,
    }
}
