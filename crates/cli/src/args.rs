//! The command line: names, options, help. Public.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use overnight_core::item::Outcome;

/// Goal mode for any model: a model may only claim; the harness decides.
#[derive(Debug, Parser)]
#[command(name = "overnight", version, max_term_width = 100)]
#[command(after_help = "\
Exit codes: 0 complete · 1 failed · 2 usage or goal refused · 3 blocked · 4 out of budget · 5 unverifiable · 6 paused or stopped

Begin with `overnight demo`. Then write a goal (or let `overnight draft` write it), `overnight check goal.md`,
`overnight run goal.md`.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plays a bundled goal with a scripted model: no key, no network, a few seconds
    #[command(after_long_help = "\
Examples:
  overnight demo
  OVERNIGHT_HOME=/tmp/try overnight demo --json")]
    Demo(DemoArgs),
    /// Judges a goal file; needs no model and runs nothing
    #[command(after_long_help = "\
Examples:
  overnight lint goal.md
  overnight lint goal.md --json | jq '.findings[].message'")]
    Lint(GoalArgs),
    /// Runs every check on the untouched base and shows how the goal will treat it
    #[command(after_long_help = "\
Examples:
  overnight check goal.md
  overnight check goal.md --fresh --json")]
    Check(CheckArgs),
    /// Turns prose into a goal file with a model's help, and tries its checks
    #[command(after_long_help = "\
Examples:
  overnight draft \"Take the discount off in percent, not as an amount. Do not touch the tests.\" -o goal.md
  overnight draft wish.txt --model openai/gpt-5.5 | tee goal.md")]
    Draft(DraftArgs),
    /// Runs a goal until it is done, blocked or out of budget
    #[command(after_long_help = "\
Examples:
  overnight run goal.md
  overnight run goal.md --yes --model openai/gpt-5.5 --price 1.25,0.125,10
  overnight run \"Take the discount off in percent. Do not touch the tests.\"")]
    Run(RunArgs),
    /// Lists the runs, newest first
    #[command(after_long_help = "\
Examples:
  overnight runs
  overnight runs --json | jq -r '.[0].branch'")]
    Runs(JsonArg),
    /// Shows what a run is doing, its checks and what it has used
    #[command(after_long_help = "\
Examples:
  overnight show
  overnight show last --watch")]
    Show(ShowArgs),
    /// Prints the ledger of a run's worklist: every item, how it ended, and its evidence
    #[command(after_long_help = "\
Examples:
  overnight items
  overnight items last --outcome diagnosed --json | jq -r '.rows[] | [.id, .evidence] | @tsv'")]
    Items(ItemsArgs),
    /// Prints a run's events
    #[command(after_long_help = "\
Examples:
  overnight log --follow
  overnight log last --json | tail -n 5")]
    Log(LogArgs),
    /// Prints a run's report
    #[command(after_long_help = "\
Examples:
  overnight report
  overnight report last > report.md")]
    Report(OneRun),
    /// Goes on with a paused, killed or unblocked run
    #[command(after_long_help = "\
Examples:
  overnight resume
  overnight resume last --now")]
    Resume(TakeUpArgs),
    /// Asks a run to rest; `resume` goes on
    #[command(after_long_help = "\
Examples:
  overnight pause
  overnight pause last && overnight resume last")]
    Pause(RunName),
    /// Ends a run; its report is written
    #[command(after_long_help = "\
Examples:
  overnight stop
  overnight stop last && overnight report last")]
    Stop(ResumeArgs),
    /// Gives a run a new version of its goal file, obeyed before its next model call
    #[command(after_long_help = "\
Examples:
  overnight edit last
  overnight edit last goal.md && overnight resume last")]
    Edit(EditArgs),
    /// Raises a run's budgets; one that was out of budget can be resumed then
    #[command(after_long_help = "\
Examples:
  overnight budget last --turns +50 --usd +5
  overnight resume last")]
    Budget(BudgetArgs),
    /// Answers the question of a blocked run
    #[command(after_long_help = "\
Examples:
  overnight answer last \"Yes, a dependency may be added.\"
  overnight resume last")]
    Answer(AnswerArgs),
    /// Gives a run an order that stands until it is revoked
    #[command(after_long_help = "\
Examples:
  overnight tell last \"Leave the public API as it is.\"
  overnight tell last --revoke 1")]
    Tell(TellArgs),
    /// Runs the report's checks again, from a fresh clone of what was delivered
    #[command(after_long_help = "\
Examples:
  overnight verify
  overnight verify last --json")]
    Verify(OneRun),
    /// Writes a well-commented goal for one of the five headline jobs, filled in from the repository
    #[command(after_long_help = "\
Examples:
  overnight new coverage -o goal.md
  overnight new feature | less")]
    New(NewArgs),
    /// Shows every configured value with where it comes from
    #[command(after_long_help = "\
Examples:
  overnight config
  OVERNIGHT_MODEL=openai/gpt-5.5 overnight config --json")]
    Config(JsonArg),
    /// Says whether a run could start here, and what to do if not
    #[command(after_long_help = "\
Examples:
  overnight doctor
  overnight doctor --online --model openai/gpt-5.5")]
    Doctor(DoctorArgs),
    /// Plays scripted agents, honest ones and cheats, and says whether the gate holds
    #[command(after_long_help = "\
Examples:
  overnight zoo
  overnight zoo --family honest --fixture python --json")]
    Zoo(ZooArgs),
    /// Prints what a shell needs to complete this command line
    #[command(after_long_help = "\
Examples:
  overnight completions bash > ~/.local/share/bash-completion/completions/overnight
  overnight completions zsh > ~/.zfunc/_overnight")]
    Completions(CompletionsArgs),
    /// Prints the manual page, or writes all of them into a folder
    #[command(after_long_help = "\
Examples:
  overnight man | man -l -
  overnight man --out ~/.local/share/man/man1")]
    Man(ManArgs),
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
pub struct DraftArgs {
    /// What you want, in your own words; or a file that holds them; or `-`, or nothing, for standard input
    pub prose: Option<PathBuf>,
    /// Write the goal to this file, which must not exist yet; default: standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over the file
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Do not run the drafted checks on the base
    #[arg(long)]
    pub no_check: bool,
    /// The model: `openai/NAME`, `anthropic/NAME`, `chat/NAME` or `scripted/FILE`; default: the configuration's
    #[arg(long)]
    pub model: Option<String>,
    /// US dollars per million tokens, `INPUT,OUTPUT` or `INPUT,CACHED,OUTPUT`; default: the configuration's
    #[arg(long, value_name = "PRICES")]
    pub price: Option<String>,
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
    /// Run the checks without a sandbox: they can then read and write everything that you can
    #[arg(long)]
    pub unsafe_no_sandbox: bool,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The goal file; or, in quotes, what you want in your own words: that is drafted, shown and confirmed first
    pub file: PathBuf,
    /// The model: `openai/NAME`, `anthropic/NAME`, `chat/NAME` or `scripted/FILE`; default: the goal's `use.model`, else the configuration's
    #[arg(long)]
    pub model: Option<String>,
    /// US dollars per million tokens, `INPUT,OUTPUT` or `INPUT,CACHED,OUTPUT`; default: the configuration's.
    /// Needed for `stop.usd`
    #[arg(long, value_name = "PRICES")]
    pub price: Option<String>,
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
    /// Print lines also on a terminal, instead of the live view
    #[arg(long)]
    pub plain: bool,
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
pub struct ShowArgs {
    /// The run: its id, its short id, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Stay and show what happens: on a terminal as a live view, elsewhere as lines
    #[arg(long, short, conflicts_with = "json")]
    pub watch: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ItemsArgs {
    /// The run: its id, its short id, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// Only items that ended so: `fixed`, `done`, `diagnosed`, `flagged`, `skipped-by-rule` or `unresolved`
    #[arg(long, value_name = "OUTCOME", value_parser = outcome, conflicts_with = "open")]
    pub outcome: Vec<Outcome>,
    /// Only items that have not ended
    #[arg(long)]
    pub open: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn outcome(word: &str) -> Result<Outcome, String> {
    Outcome::of(word).ok_or_else(|| {
        let known = Outcome::ALL.map(Outcome::word);
        format!("an item ends as {}", known.join(", "))
    })
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
    /// Print lines also on a terminal, instead of the live view
    #[arg(long)]
    pub plain: bool,
    /// Print events as JSON lines, the run last
    #[arg(long)]
    pub json: bool,
    /// Ask nothing
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct TakeUpArgs {
    #[command(flatten)]
    pub resume: ResumeArgs,
    /// Do not wait any longer: a wait for a limit, an outage or a time is over
    #[arg(long)]
    pub now: bool,
}

#[derive(Debug, Args)]
pub struct EditArgs {
    /// The run: its id, its short id, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// The new version of the goal file; default: the kept one is opened in $VISUAL or $EDITOR
    pub file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BudgetArgs {
    /// The run: its id, its short id, or `last`
    #[arg(default_value = "last")]
    pub run: String,
    /// More turns: `+50`
    #[arg(long, value_name = "+N", value_parser = more)]
    pub turns: Option<u64>,
    /// More tokens: `+2M`, `+500k`
    #[arg(long, value_name = "+N", value_parser = more)]
    pub tokens: Option<u64>,
    /// More US dollars: `+5`
    #[arg(long, value_name = "+N", value_parser = more_of)]
    pub usd: Option<f64>,
    /// More hours: `+2`
    #[arg(long, value_name = "+N", value_parser = more_of)]
    pub hours: Option<f64>,
    /// More hours at work: `+2`
    #[arg(long, value_name = "+N", value_parser = more_of)]
    pub active: Option<f64>,
}

fn more(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix('+').unwrap_or(text);
    overnight_core::goal::parse::count(number).ok_or_else(|| "write +50, +500k or +2M".into())
}

fn more_of(text: &str) -> Result<f64, String> {
    let number = text.strip_prefix('+').unwrap_or(text);
    let number: f64 = number.parse().map_err(|_| "write +2 or +0.5".to_owned())?;
    if number.is_finite() && number > 0.0 {
        Ok(number)
    } else {
        Err("write +2 or +0.5".into())
    }
}

#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The run: its id, its short id, or `last`
    pub run: String,
    /// The answer
    pub text: String,
}

#[derive(Debug, Args)]
pub struct TellArgs {
    /// The run: its id, its short id, or `last`
    pub run: String,
    /// The order; the model sees it with every turn from the next one on
    #[arg(required_unless_present = "revoke")]
    pub text: Option<String>,
    /// Revokes the order of this number
    #[arg(long, value_name = "N", conflicts_with = "text")]
    pub revoke: Option<u32>,
}

/// A job worth leaving to a run overnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Job {
    /// A backlog of an error tracker: fix what is clear, diagnose the rest
    Errors,
    /// A mailbox: archive, file, draft; nothing is sent
    Inbox,
    /// A feature from the backlog, verified by tests that the goal names
    Feature,
    /// Tests until the repository's own coverage command reports the target
    Coverage,
    /// A page of documentation that matches the code again
    Docs,
}

#[derive(Debug, Args)]
pub struct NewArgs {
    /// Which job
    pub job: Job,
    /// Write it to this file, which must not exist yet; default: standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write over the file
    #[arg(long, requires = "output")]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Make one tiny call to the model
    #[arg(long)]
    pub online: bool,
    /// The model that a run would be started with
    #[arg(long)]
    pub model: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ZooArgs {
    /// Only these agents
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Only this family
    #[arg(long)]
    pub family: Option<String>,
    /// Only fixtures of this language
    #[arg(long, value_name = "LANGUAGE")]
    pub fixture: Option<crate::zoo::Language>,
    /// How many play at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub jobs: usize,
    /// Say which agents there are, and play none
    #[arg(long)]
    pub list: bool,
    /// Play in this new folder and leave everything there to look at
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write every page into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
