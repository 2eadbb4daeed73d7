//! The command line: names, options, help. Public.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Goal mode for any model: a model may only claim; the harness decides.
#[derive(Debug, Parser)]
#[command(name = "overnight", version, max_term_width = 100)]
#[command(after_help = "\
Exit codes: 0 complete · 1 failed · 2 usage or goal refused · 3 blocked · 4 out of budget · 5 unverifiable · 6 paused or stopped

Begin with `overnight demo`. Then write a goal, `overnight check goal.md`, `overnight run goal.md`.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plays a bundled goal with a scripted model: no key, no network, a few seconds
    Demo(DemoArgs),
    /// Judges a goal file; needs no model and runs nothing
    Lint(GoalArgs),
    /// Runs every check on the untouched base and shows how the goal will treat it
    Check(CheckArgs),
    /// Runs a goal until it is done, blocked or out of budget
    Run(RunArgs),
    /// Lists the runs, newest first
    Runs(JsonArg),
    /// Shows what a run is doing, its checks and what it has used
    Show(OneRun),
    /// Prints a run's events
    Log(LogArgs),
    /// Prints a run's report
    Report(OneRun),
    /// Goes on with a paused, killed or unblocked run
    Resume(ResumeArgs),
    /// Asks a run to rest; `resume` goes on
    Pause(RunName),
    /// Ends a run; its report is written
    Stop(ResumeArgs),
    /// Answers the question of a blocked run
    Answer(AnswerArgs),
    /// Runs the report's checks again, from a fresh clone of what was delivered
    Verify(OneRun),
}

#[derive(Debug, Args)]
pub struct JsonArg {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Print events as JSON lines
    #[arg(long)]
    pub json: bool,
    /// Run without a sandbox if the kernel offers none
    #[arg(long)]
    pub unsafe_no_sandbox: bool,
}

#[derive(Debug, Args)]
pub struct GoalArgs {
    /// The goal file
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The goal file
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Do not use results of an earlier preflight of the same base
    #[arg(long)]
    pub fresh: bool,
    /// Run the checks without a sandbox: they can then read and write everything that you can
    #[arg(long)]
    pub unsafe_no_sandbox: bool,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The goal file
    pub file: PathBuf,
    /// The model: `openai/NAME` or `scripted/FILE`; default: the goal's `use.model`, else $OVERNIGHT_MODEL
    #[arg(long)]
    pub model: Option<String>,
    /// US dollars per million tokens, `INPUT,OUTPUT` or `INPUT,CACHED,OUTPUT`; needed for `stop.usd`
    #[arg(long, value_name = "PRICES")]
    pub price: Option<String>,
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
    /// Print events as JSON lines, the run last
    #[arg(long)]
    pub json: bool,
    /// Run without a sandbox: the agent can then read and write everything that you can
    #[arg(long)]
    pub unsafe_no_sandbox: bool,
}

#[derive(Debug, Args)]
pub struct RunName {
    /// The run: its id, its short id, or `last`
    #[arg(default_value = "last")]
    pub run: String,
}

#[derive(Debug, Args)]
pub struct OneRun {
    /// The run: its id, its short id, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct LogArgs {
    /// The run: its id, its short id, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Go on as events come
    #[arg(long, short)]
    pub follow: bool,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The run: its id, its short id, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Go on with another model
    #[arg(long)]
    pub model: Option<String>,
    /// Print events as JSON lines, the run last
    #[arg(long)]
    pub json: bool,
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The run: its id, its short id, or `last`
    pub run: String,
    /// The answer
    pub text: String,
}
