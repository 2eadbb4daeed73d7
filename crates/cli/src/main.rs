//! `overnight`: the only place that puts the crates together.

#[macro_use]
mod out;

mod args;
mod assembly;
mod clock;
mod commands;
mod config;
mod follow;
mod goalfile;
mod home;
mod interrupt;
mod lines;
mod notify;
mod onlooker;
mod problem;
mod view;
mod zoo;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // First of all: the same binary is the first process of every sandbox cell.
    overnight_sandbox::cell_main_if_asked();
    let cli = args::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: cannot start: {e}");
            return ExitCode::from(1);
        }
    };
    let code = runtime
        .block_on(commands::dispatch(cli.command))
        .unwrap_or_else(|e| problem::tell(&e));
    // A blocking call that is still under way (git, a scan) must not hold the exit up.
    runtime.shutdown_background();
    ExitCode::from(code)
}
