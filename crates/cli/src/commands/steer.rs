//! `pause`, `stop`, `answer`, `tell`, `budget`, and `resume` of a run that waits: a person's word for a run, from any terminal.

use std::time::{Duration, Instant};

use anyhow::Context;
use overnight_core::step::{Command, Raise, decide, recover, step};
use overnight_ports::clock::Clock;
use overnight_ports::journal::{BlobSink, Journal, JournalError};
use overnight_store::RunStore;

use crate::args::{AnswerArgs, BudgetArgs, ResumeArgs, TellArgs};
use crate::clock::SystemClock;
use crate::problem::usage;

/// How long a running process gets to take a command up before we say so and leave.
const TAKEN_UP_WITHIN: Duration = Duration::from_secs(5);

/// Asks a run to rest.
pub async fn pause(run: &str) -> anyhow::Result<u8> {
    say_so(run, &Command::Pause, "paused").await
}

/// Ends a run. If no process works on it, this one does what ending takes: the report.
pub async fn stop(args: ResumeArgs) -> anyhow::Result<u8> {
    let (dir, _) = super::look(&args.run)?;
    match RunStore::own(&dir) {
        Ok(store) => {
            drop(store);
            super::resume::resume(args, Some(Command::Stop)).await
        }
        Err(JournalError::Held { .. }) => {
            leave(&RunStore::look(&dir)?, &Command::Stop, "stopped").await
        }
        Err(e) => Err(e.into()),
    }
}

/// Answers the question of a blocked run.
pub async fn answer(args: AnswerArgs) -> anyhow::Result<u8> {
    let command = Command::Answer { text: args.text };
    say_so(&args.run, &command, "answered").await
}

/// Gives a standing order, or revokes one.
pub async fn tell(args: TellArgs) -> anyhow::Result<u8> {
    let (command, done) = match (args.text, args.revoke) {
        (_, Some(order)) => (Command::Revoke { order }, "revoked"),
        (text, None) => (
            Command::Tell {
                text: text.unwrap_or_default(),
            },
            "told",
        ),
    };
    say_so(&args.run, &command, done).await
}

/// Raises a run's budgets.
pub async fn budget(args: BudgetArgs) -> anyhow::Result<u8> {
    let raise = Raise {
        turns: args.turns.unwrap_or(0),
        tokens: args.tokens.unwrap_or(0),
        usd: args.usd.unwrap_or(0.0),
        hours: args.hours.unwrap_or(0.0),
        active: args.active.unwrap_or(0.0),
    };
    say_so(&args.run, &Command::Budget { raise }, "raised").await
}

/// Carries a command out now if no process works on the run, and leaves it for that process otherwise.
async fn say_so(run: &str, command: &Command, done: &str) -> anyhow::Result<u8> {
    let (dir, _) = super::look(run)?;
    match RunStore::own(&dir) {
        Ok(store) => {
            apply(&store, command)?;
            println!("{done}; `overnight resume {run}` goes on");
            Ok(0)
        }
        Err(JournalError::Held { .. }) => leave(&RunStore::look(&dir)?, command, done).await,
        Err(e) => Err(e.into()),
    }
}

/// Carries a command out on a run that no process works on. The time since the last process was at work is nobody's:
/// that is said first.
pub(super) fn apply(store: &RunStore, command: &Command) -> anyhow::Result<()> {
    let mut state = overnight_engine::load(store)?;
    let now = SystemClock.now();
    let facts = decide(&state, command).map_err(|refusal| usage(refusal.to_string()))?;
    let mut events = if facts.is_empty() {
        Vec::new()
    } else {
        recover(&state, now)
    };
    events.extend(
        facts
            .into_iter()
            .map(|fact| overnight_core::event::Event::run(now, fact)),
    );
    if let (Command::Edit { text }, false) = (command, events.is_empty()) {
        store.put(text.as_bytes()).context("the goal file")?;
    }
    for event in &events {
        state = step(state, event)?.0;
    }
    store.append(&events, &[], &overnight_engine::summary(&state))?;
    Ok(())
}

/// Ends the wait of a run that another process works on.
pub(super) async fn wake(store: &RunStore) -> anyhow::Result<u8> {
    leave(store, &Command::Wake, "the wait is over").await
}

/// Leaves a command for the process that works on the run, and says whether it was taken up.
async fn leave(store: &RunStore, command: &Command, done: &str) -> anyhow::Result<u8> {
    match leave_word(store, command).await? {
        Left::TakenUp => println!("{done}"),
        Left::Waiting => println!("asked; the run has not taken it up yet"),
    }
    Ok(0)
}

/// What became of a command that was left.
pub(super) enum Left {
    /// The process that works on the run has seen it.
    TakenUp,
    /// It has not yet.
    Waiting,
}

/// Leaves a command for the process that works on the run, and waits for a while until it was taken up.
pub(super) async fn leave_word(store: &RunStore, command: &Command) -> anyhow::Result<Left> {
    // What cannot be done is said here, where the person is.
    let state = overnight_engine::load(store)?;
    decide(&state, command).map_err(|refusal| usage(refusal.to_string()))?;
    store.submit(command, SystemClock.now())?;
    let since = Instant::now();
    while !store.commands()?.is_empty() {
        if since.elapsed() > TAKEN_UP_WITHIN {
            return Ok(Left::Waiting);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(Left::TakenUp)
}
