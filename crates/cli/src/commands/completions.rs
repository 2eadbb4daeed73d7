//! `overnight completions`: what a shell needs to complete this command line.

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};

/// Prints the script.
pub fn completions(args: &CompletionsArgs) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "overnight", &mut script);
    crate::out::write(format_args!("{}", String::from_utf8(script)?));
    Ok(0)
}
