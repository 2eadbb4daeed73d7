//! What a person may ask of a run, and whether it can be done now.

use serde::{Deserialize, Serialize};

use crate::bounds::json_bytes;
use crate::event::{Fact, Notice};
use crate::goal::Stop;
use crate::goal::parse::whole_token;
use crate::state::State;
use crate::step::{edit, wants_answer};
use crate::stop::{Blocker, StopReason};

/// How many orders stand at once at most: they are part of every request.
pub const ORDERS_MAX: usize = 20;
/// Length of one, bytes.
pub const ORDER_BYTES_MAX: usize = 2 * 1024;

/// Length of the answers that the model has not read yet, bytes.
pub const ANSWERS_BYTES_MAX: usize = 16 * 1024;

fn waiting_answers(state: &State) -> usize {
    let told = state.lanes.values().flat_map(|lane| &lane.inbox);
    told.map(|notice| match notice {
        Notice::Answer { text } => json_bytes(text),
        _ => 0,
    })
    .sum()
}

/// A person's word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Rest until resumed.
    Pause,
    /// Go on.
    Resume,
    /// End it.
    Stop,
    /// The answer to the run's question.
    Answer {
        /// In the person's words.
        text: String,
    },
    /// An order that stands until it is revoked.
    Tell {
        /// In the person's words.
        text: String,
    },
    /// Do not wait any longer.
    Wake,
    /// A new version of the goal file.
    Edit {
        /// The whole file.
        text: String,
    },
    /// An order no longer stands.
    Revoke {
        /// Its number.
        order: u32,
    },
    /// More of a budget. Only people raise one.
    Budget {
        /// By how much.
        raise: Raise,
    },
}

/// By how much budgets are raised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Raise {
    /// Turns.
    #[serde(default)]
    pub turns: u64,
    /// Tokens.
    #[serde(default)]
    pub tokens: u64,
    /// US dollars.
    #[serde(default)]
    pub usd: f64,
    /// Hours.
    #[serde(default)]
    pub hours: f64,
    /// Hours at work.
    #[serde(default)]
    pub active: f64,
}

impl Raise {
    /// The limits after it. A budget without a limit has nothing to raise.
    fn apply(&self, stop: &Stop) -> Result<Stop, Refusal> {
        let unlimited = |name: &str| {
            Refusal(format!(
                "the run's {name} are not limited, so there is nothing to raise"
            ))
        };
        let sound = |n: f64| n.is_finite() && n >= 0.0;
        let sounds = sound(self.usd) && sound(self.hours) && sound(self.active);
        if *self == Raise::default() || !sounds {
            return Err(Refusal(
                "say by how much: --turns +50, --tokens +2M, --usd +5, --hours +2 or --active +2"
                    .into(),
            ));
        }
        let tokens = match (stop.tokens, self.tokens) {
            (limit, 0) => limit,
            (Some(limit), more) => Some(limit.saturating_add(more)),
            (None, _) => return Err(unlimited("tokens")),
        };
        let usd = match (stop.usd, self.usd) {
            (limit, 0.0) => limit,
            (Some(limit), more) => Some(limit + more),
            (None, _) => return Err(unlimited("dollars")),
        };
        let active = match (stop.active, self.active) {
            (limit, 0.0) => limit,
            (Some(limit), more) => Some(limit + more),
            (None, _) => return Err(unlimited("hours at work")),
        };
        let finite = [Some(stop.hours + self.hours), usd, active]
            .into_iter()
            .flatten()
            .all(f64::is_finite);
        if !finite {
            return Err(Refusal("that is more than a number can say".into()));
        }
        Ok(Stop {
            turns: stop.turns.saturating_add(self.turns),
            tokens,
            usd,
            hours: stop.hours + self.hours,
            active,
            ..*stop
        })
    }
}

/// Why a command cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// Turns a command into the facts it makes, or says why not. Never changes anything itself.
pub fn decide(state: &State, command: &Command) -> Result<Vec<Fact>, Refusal> {
    let refuse = |text: String| Err(Refusal(text));
    let run = state.run.short();
    match command {
        Command::Pause if state.ended() => {
            refuse(format!("the run has ended ({})", state.status()))
        }
        Command::Pause if state.paused => Ok(vec![]),
        Command::Pause => Ok(vec![Fact::Paused]),
        Command::Resume if wants_answer(state) => refuse(format!(
            "the run waits for an answer: overnight answer {run} \"TEXT\""
        )),
        Command::Resume if state.ended() && state.delivery_error.is_some() => {
            Ok(vec![Fact::Resumed])
        }
        Command::Resume if state.ended() => match &state.stop {
            Some(
                StopReason::Blocked {
                    by: Blocker::Provider,
                    ..
                }
                | StopReason::Failed { .. },
            ) => Ok(vec![Fact::Resumed]),
            Some(StopReason::OutOfBudget { budget }) => refuse(format!(
                "the run is out of budget ({budget}): overnight budget {run} --{budget} +N"
            )),
            _ => refuse(format!("the run has ended ({})", state.status())),
        },
        Command::Resume if state.paused => Ok(vec![Fact::Resumed]),
        // What the harness could not do is tried at once.
        Command::Resume if state.all_troubles().any(|t| t.wait.is_some()) => {
            Ok(vec![Fact::Resumed])
        }
        Command::Resume => Ok(vec![]),
        Command::Wake if state.ended() => refuse(format!("the run has ended ({})", state.status())),
        Command::Wake => {
            let waits = state.waits().next().is_some();
            let facts = [(state.paused, Fact::Resumed), (waits, Fact::WaitCancelled)];
            let due = facts.into_iter().filter(|(is, _)| *is);
            Ok(due.map(|(_, fact)| fact).collect())
        }
        Command::Edit { text } => edit::decide(state, text),
        Command::Stop if state.ended() => {
            refuse(format!("the run has ended already ({})", state.status()))
        }
        Command::Stop => match (&state.stop, state.paused) {
            (Some(StopReason::Stopped), false) => Ok(vec![]),
            // Ending takes work (the report), which a paused run would not do.
            (_, true) => Ok(vec![Fact::Resumed, Fact::StopRequested]),
            _ => Ok(vec![Fact::StopRequested]),
        },
        Command::Budget { .. }
            if state.ended() && !state.stop.as_ref().is_some_and(StopReason::resumable) =>
        {
            refuse(format!("the run has ended ({})", state.status()))
        }
        Command::Budget { raise } => raise
            .apply(&state.goal.stop)
            .map(|stop| vec![Fact::BudgetSet { stop }]),
        Command::Tell { .. } | Command::Revoke { .. }
            if state.ended() && !state.stop.as_ref().is_some_and(StopReason::resumable) =>
        {
            refuse(format!("the run has ended ({})", state.status()))
        }
        Command::Tell { text } | Command::Answer { text } if whole_token(text) => refuse(
            "it seems to hold a secret, and the model reads it, as do the journal and the report: say where the secret is, \
             and never the secret"
                .into(),
        ),
        Command::Tell { text } if text.trim().is_empty() => refuse("the order is empty".into()),
        Command::Tell { text } if json_bytes(text) > ORDER_BYTES_MAX => refuse(format!(
            "the order has {} bytes, and {ORDER_BYTES_MAX} are allowed: put the details into a file and name it",
            text.len()
        )),
        Command::Tell { .. } if state.orders.len() >= ORDERS_MAX => refuse(format!(
            "{ORDERS_MAX} orders stand already: revoke one with `overnight tell {run} --revoke N`"
        )),
        Command::Tell { text } => Ok(vec![Fact::Told {
            order: state.orders_given.saturating_add(1),
            text: text.clone(),
        }]),
        Command::Revoke { order } if state.orders.iter().any(|o| o.number == *order) => {
            Ok(vec![Fact::Revoked { order: *order }])
        }
        Command::Revoke { order } => refuse(match state.orders.as_slice() {
            [] => "no order stands".to_owned(),
            orders => format!(
                "order {order} does not stand; these do: {}",
                orders
                    .iter()
                    .map(|o| o.number.to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        }),
        Command::Answer { text } if text.trim().is_empty() => refuse("the answer is empty".into()),
        Command::Answer { text }
            if waiting_answers(state) + json_bytes(text) > ANSWERS_BYTES_MAX =>
        {
            refuse(format!(
                "the answer has {} bytes; what the model has not read yet may have {ANSWERS_BYTES_MAX} in all: shorten \
                 it, or wait for its next turn",
                text.len()
            ))
        }
        Command::Answer { text } if !state.ended() || wants_answer(state) => {
            Ok(vec![Fact::Answered { text: text.clone() }])
        }
        Command::Answer { .. } => refuse(format!(
            "the run has ended ({}) and asks nothing: overnight show {run}",
            state.status()
        )),
    }
}
