//! `pause`, `stop`, `answer`, `tell`, `budget`: a person's word for a run, from any terminal.

use std::time::{Duration, Instant};

use overnight_core::step::{Command, Raise, decide, recover, step};
use overnight_ports::clock::Clock;
use overnight_ports::journal::{Journal, JournalError};
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
fn apply(store: &RunStore, command: &Command) -> anyhow::Result<()> {
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
    for event in &events {
        state = step(state, event)?.0;
    }
    store.append(&events, &[], &overnight_engine::summary(&state))?;
    Ok(())
}

/// Leaves a command for the process that works on the run, and waits until it was taken up.
async fn leave(store: &RunStore, command: &Command, done: &str) -> anyhow::Result<u8> {
    // What cannot be done is said here, where the person is.
    let state = overnight_engine::load(store)?;
    decide(&state, command).map_err(|refusal| usage(refusal.to_string()))?;
    store.submit(command, SystemClock.now())?;
    let since = Instant::now();
    while !store.commands()?.is_empty() {
        if since.elapsed() > TAKEN_UP_WITHIN {
            println!("asked; the run has not taken it up yet");
            return Ok(0);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{done}");
    Ok(0)
}
