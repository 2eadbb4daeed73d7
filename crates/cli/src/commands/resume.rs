//! `overnight resume`: goes on where a run was.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use overnight_core::step::{Command, recover, step};
use overnight_engine::Engine;
use overnight_ports::clock::Clock;
use overnight_ports::journal::{BlobSink, Journal, JournalError};
use overnight_store::RunStore;

use super::run::see_through;
use crate::args::{ResumeArgs, TakeUpArgs};
use crate::assembly::{self, Parts, Purpose, hidden_files};
use crate::clock::SystemClock;
use crate::follow::Follower;
use crate::goalfile;
use crate::home::{FileShelf, home};
use crate::lines::farewell;
use crate::onlooker::{Onlooker, Output};
use crate::view::View;

/// Goes on. A run that another process works on and that waits is not taken up: its wait is over.
pub async fn take_up(args: TakeUpArgs) -> anyhow::Result<u8> {
    let (dir, store) = super::look(&args.resume.run)?;
    if store.held() && overnight_engine::load(&store)?.waiting().is_some() {
        // Between the two looks the process may have ended; then this one takes the run up.
        match RunStore::own(&dir) {
            Err(JournalError::Held { .. }) => return super::steer::wake(&store).await,
            Err(e) => return Err(e.into()),
            Ok(_) => {}
        }
    }
    drop(store);
    let word = args.now.then_some(Command::Wake);
    resume(args.resume, word).await
}

/// Goes on, after a word of the person if there is one.
pub async fn resume(args: ResumeArgs, word: Option<Command>) -> anyhow::Result<u8> {
    let home = home()?;
    let dir = overnight_store::find(&home, &args.run).map_err(super::not_found)?;
    let store = Arc::new(RunStore::own(&dir)?);
    let state = overnight_engine::load(store.as_ref())?;
    // Waking is said after going on: a run that has ended hears of it first that it is to go on.
    let first = word.clone().filter(|word| *word != Command::Wake);
    let over = state.ended()
        && overnight_core::step::decide(&state, first.as_ref().unwrap_or(&Command::Resume))
            .is_err()
        && store.commands()?.is_empty();
    if over {
        // Whether somebody was told of its end may never have been written down.
        let untold = recover(&state, SystemClock.now());
        if !untold.is_empty() {
            let mut after = state.clone();
            for event in &untold {
                after = step(after, event)?.0;
            }
            store.append(&untold, &[], &overnight_engine::summary(&after))?;
        }
        if args.json {
            println!("{}", serde_json::to_string(&store.summary()?)?);
        } else {
            farewell(&state)
                .iter()
                .skip(1)
                .for_each(|line| println!("{line}"));
        }
        return Ok(state.stop.as_ref().map_or(0, |s| s.exit_code() as u8));
    }
    let text = store
        .get(&state.goal_file)
        .context("the goal file in the journal")?;
    let text = String::from_utf8(text).context("the goal file in the journal")?;
    let goal = goalfile::again(&text, &state.goal)
        .with_context(|| format!("the goal of run {}", state.run.short()))?;
    let hidden_files = hidden_files::reopen(&goal, &state.hidden, &dir)?;
    let purpose = match &first {
        Some(Command::Stop) => Purpose::End,
        _ => Purpose::Work,
    };
    let model = match purpose {
        Purpose::End => Arc::new(assembly::Unasked::new(&state.model, state.scripted)),
        Purpose::Work => assembly::model(&state.model)?,
    };
    let sandbox = assembly::sandbox(state.sandbox == "none").await?;
    let started_at = state.created_at;
    let parts = Parts {
        purpose,
        shelf: Arc::new(FileShelf::new(&home)),
        home,
        store: store.clone(),
        goal,
        goal_file: text,
        hidden_files,
        repo: state.repo.clone().map(PathBuf::from),
        model,
        sandbox,
    };
    let ports = assembly::ports(parts.clone())?;
    let output = Output::of(args.json, args.plain);
    let mut view = View::default();
    if output.is_view() {
        Follower::default().advance(store.as_ref(), |event, state| view.see(event, state))?;
    }
    let mut onlooker = Onlooker::new(output, view, Some(started_at));
    let mut engine = Engine::resume(ports, onlooker.watcher()).await?;
    engine.command(&first.unwrap_or(Command::Resume), onlooker.watcher())?;
    if word == Some(Command::Wake) {
        engine.command(&Command::Wake, onlooker.watcher())?;
    }
    see_through(engine, onlooker, parts).await
}
