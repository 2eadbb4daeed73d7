//! `overnight resume`: goes on where a run was.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use overnight_core::step::Command;
use overnight_engine::Engine;
use overnight_ports::journal::{BlobSink, Journal};
use overnight_store::RunStore;

use super::run::see_through;
use crate::args::ResumeArgs;
use crate::assembly::{self, Parts, hidden_files};
use crate::follow::Follower;
use crate::goalfile;
use crate::home::{FileShelf, home};
use crate::lines::farewell;
use crate::onlooker::{Onlooker, Output};
use crate::view::View;

/// Goes on, after a word of the person if there is one.
pub async fn resume(args: ResumeArgs, word: Option<Command>) -> anyhow::Result<u8> {
    let home = home()?;
    let dir = overnight_store::find(&home, &args.run).map_err(super::not_found)?;
    let store = Arc::new(RunStore::own(&dir)?);
    let state = overnight_engine::load(store.as_ref())?;
    let over = state.ended()
        && overnight_core::step::decide(&state, word.as_ref().unwrap_or(&Command::Resume)).is_err()
        && store.commands()?.is_empty();
    if over {
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
    let model = assembly::model(&state.model)?;
    let sandbox = assembly::sandbox(state.sandbox == "none").await?;
    let started_at = state.created_at;
    let ports = assembly::ports(Parts {
        shelf: Arc::new(FileShelf::new(&home)),
        home,
        store: store.clone(),
        goal,
        goal_file: text,
        hidden_files,
        repo: state.repo.clone().map(PathBuf::from),
        model,
        sandbox,
    })?;
    let output = Output::of(args.json, args.plain);
    let mut view = View::default();
    if output.is_view() {
        Follower::default().advance(store.as_ref(), |event, state| view.see(event, state))?;
    }
    let mut onlooker = Onlooker::new(output, view, Some(started_at));
    let mut engine = Engine::resume(ports, onlooker.watcher()).await?;
    engine.command(&word.unwrap_or(Command::Resume), onlooker.watcher())?;
    see_through(engine, onlooker, &store).await
}
