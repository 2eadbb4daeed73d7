//! What a person may ask of a run, and whether it can be done now.

use serde::{Deserialize, Serialize};

use crate::event::Fact;
use crate::state::State;
use crate::step::wants_answer;
use crate::stop::{Blocker, StopReason};

/// A person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        Command::Resume if state.ended() => match &state.stop {
            Some(StopReason::Blocked {
                by: Blocker::Provider,
                ..
            }) => Ok(vec![Fact::Resumed]),
            _ => refuse(format!("the run has ended ({})", state.status())),
        },
        Command::Resume if state.paused => Ok(vec![Fact::Resumed]),
        Command::Resume => Ok(vec![]),
        Command::Stop if state.ended() => {
            refuse(format!("the run has ended already ({})", state.status()))
        }
        Command::Stop => match (&state.stop, state.paused) {
            (Some(StopReason::Stopped), false) => Ok(vec![]),
            // Ending takes work (the report), which a paused run would not do.
            (_, true) => Ok(vec![Fact::Resumed, Fact::StopRequested]),
            _ => Ok(vec![Fact::StopRequested]),
        },
        Command::Answer { text } if text.trim().is_empty() => refuse("the answer is empty".into()),
        Command::Answer { text } if !state.ended() || wants_answer(state) => {
            Ok(vec![Fact::Answered { text: text.clone() }])
        }
        Command::Answer { .. } => refuse(format!(
            "the run has ended ({}) and asks nothing: overnight show {run}",
            state.status()
        )),
    }
}
