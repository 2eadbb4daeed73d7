//! One file a command.

mod check;
mod completions;
mod config;
mod demo;
mod doctor;
mod draft;
mod edit;
mod items;
mod lint;
mod log;
mod man;
mod new;
mod report;
mod resume;
mod run;
mod runs;
mod show;
mod steer;
mod verify;
mod watch;
mod zoo;

use std::path::PathBuf;

use overnight_ports::journal::JournalError;
use overnight_store::RunStore;

use crate::args::Command;

/// Carries out a command; the exit code.
pub async fn dispatch(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Demo(args) => demo::demo(args).await,
        Command::Lint(args) => lint::lint(&args),
        Command::Check(args) => check::check(args).await,
        Command::Draft(args) => draft::draft(args).await,
        Command::Run(args) => run::run(args).await,
        Command::Runs(args) => runs::runs(args.json),
        Command::Show(args) => show::show(&args).await,
        Command::Items(args) => items::items(&args),
        Command::Log(args) => log::log(&args).await,
        Command::Report(args) => report::report(&args),
        Command::Resume(args) => resume::take_up(args).await,
        Command::Edit(args) => edit::edit(args).await,
        Command::Pause(args) => steer::pause(&args.run).await,
        Command::Stop(args) => steer::stop(args).await,
        Command::Budget(args) => steer::budget(args).await,
        Command::Answer(args) => steer::answer(args).await,
        Command::Tell(args) => steer::tell(args).await,
        Command::Verify(args) => verify::verify(&args).await,
        Command::New(args) => new::new(&args),
        Command::Config(args) => config::config(&args),
        Command::Doctor(args) => doctor::doctor(&args).await,
        Command::Zoo(args) => zoo::zoo(args).await,
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
    }
}

/// A run that somebody wants to look at.
fn look(name: &str) -> anyhow::Result<(PathBuf, RunStore)> {
    let dir = overnight_store::find(&crate::home::home()?, name).map_err(not_found)?;
    let store = RunStore::look(&dir)?;
    Ok((dir, store))
}

/// A wrong name is the person's mistake, not a failure.
fn not_found(error: JournalError) -> anyhow::Error {
    match error {
        JournalError::NoRun(_) | JournalError::Ambiguous { .. } => {
            crate::problem::usage(error.to_string())
        }
        other => other.into(),
    }
}
