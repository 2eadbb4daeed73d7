//! `overnight draft`: prose becomes a goal file with a model's help; and `overnight run "prose"`, which goes on from
//! there. The model proposes; what is taken, and what the person is shown, is the harness's.

mod base;
mod confirm;
mod desk;
mod feedback;
mod kept;
mod prose;
mod seed;
mod terminal;
mod widening;
mod words;

pub use confirm::edit as open_editor;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use overnight_agent::drafting::{self, Ended, Task, Used};
use overnight_core::event::Price;
use overnight_core::goal::lint::Facts;
use overnight_core::judge::{clip, plain};
use overnight_core::stop::ExitCode;
use overnight_ports::model::Model;
use overnight_ports::sandbox::Sandbox;

use super::new;
use super::new::look::Repository;
use super::run::{chosen_line, price, run_file};
use crate::args::{DraftArgs, RunArgs};
use crate::assembly;
use crate::clock::SystemClock;
use crate::config::{self, choice};
use crate::home::{Scratch, made_home};
use crate::interrupt::{interrupted, unless_interrupted};
use crate::problem::usage;
use desk::{Candidate, HarnessDesk};
use terminal::is_terminal;

pub use prose::{Given, given};

/// What a draft is made with.
struct Options {
    model: Option<String>,
    price: Option<String>,
    /// Whether the checks are run on the base.
    check: bool,
    /// Whether the person may be asked.
    may_ask: bool,
    unsafe_no_sandbox: bool,
}

/// Drafts a goal and prints it. Exit code 0 if there is one, 2 if not, 5 if one of its checks could not be run.
pub async fn draft(args: DraftArgs) -> anyhow::Result<u8> {
    if let Some(path) = &args.output {
        kept::writable(path, args.force)?;
    }
    let words = prose::words(args.prose.as_deref())?;
    let options = Options {
        model: args.model,
        price: args.price,
        check: !args.no_check,
        may_ask: is_terminal() && !args.yes,
        unsafe_no_sandbox: args.unsafe_no_sandbox,
    };
    let Some(made) = unless_interrupted(make(&words, &options)).await else {
        return Ok(interrupted());
    };
    let candidate = match made? {
        Made::Goal(candidate) => candidate,
        Made::Nothing { code } => return Ok(code),
    };
    match &args.output {
        None => {
            eprintln!("{}", candidate.shown(&words));
            crate::out::write(format_args!("{}", candidate.text()));
        }
        Some(path) => {
            eprintln!("\n{}\n{}", candidate.quoted(), candidate.shown(&words));
            if let Err(error) = new::write(path, candidate.text(), args.force) {
                let place = kept::keep(candidate.text(), candidate.outcome())?;
                return Err(error.context(format!("the goal is kept at {}", place.display())));
            }
            let path = path.display();
            if candidate.cannot_run_yet() {
                eprintln!("{path} is written: read it; this version cannot run it yet");
            } else {
                eprintln!("{path} is written: read it, then `overnight run {path}`");
            }
        }
    }
    Ok(candidate.exit_code() as u8)
}

/// Drafts a goal from words, shows it, has it confirmed, and runs it exactly as a file would be.
pub async fn run(mut args: RunArgs, words: String) -> anyhow::Result<u8> {
    let options = Options {
        model: args.model.clone(),
        price: args.price.clone(),
        check: true,
        may_ask: is_terminal() && !args.yes,
        unsafe_no_sandbox: args.unsafe_no_sandbox,
    };
    let drafting = async {
        let candidate = match make(&words, &options).await? {
            Made::Goal(candidate) => candidate,
            Made::Nothing { code } => return Ok(Next::End(code)),
        };
        let path = kept::keep(candidate.text(), candidate.outcome())?;
        eprintln!("\n{}\n{}", candidate.quoted(), candidate.shown(&words));
        eprintln!("the draft is kept at {}", path.display());
        if candidate.cannot_run_yet() {
            return Err(usage(
                "the goal asks for something that this version cannot do yet, see above",
            ));
        }
        if args.yes {
            return Ok(Next::Run(path));
        }
        if !is_terminal() {
            return Err(usage(format!(
                "nobody can confirm the draft, because this is no terminal: read it and \
                 `overnight run {}`, or say --yes to run whatever is drafted",
                path.display()
            )));
        }
        confirm::confirm(path, &words, &options).await
    };
    match unless_interrupted(drafting).await {
        Some(next) => match next? {
            Next::End(code) => Ok(code),
            Next::Run(path) => {
                args.file = path;
                run_file(args).await
            }
        },
        None => Ok(interrupted()),
    }
}

/// What comes after a draft.
enum Next {
    End(u8),
    Run(PathBuf),
}

/// What a draft made.
enum Made {
    Goal(Box<Candidate>),
    Nothing { code: u8 },
}

/// Drafts: finds the model, the repository and what can be told of it, and lets the model propose.
async fn make(words: &str, options: &Options) -> anyhow::Result<Made> {
    let folder = std::env::current_dir().context("the current folder")?;
    let settings = config::load(&folder)?;
    let chosen = choice::model(options.model.as_deref(), None, &settings).await?;
    let model = assembly::model(&chosen.spec)?;
    let given = options.price.as_deref().map(price).transpose()?;
    let price = choice::price(given, &chosen.spec, &settings);
    let sandbox = sandbox(options).await?;
    eprintln!("{}", chosen_line(&chosen.line, price.as_ref()));
    let home = made_home()?;
    let scratch = Scratch::new(&home, "overnight-draft-")?;
    let files = base::files(&folder, scratch.path()).await;
    if let Err(why) = &files {
        eprintln!("note: the model can look at no repository: {why}");
    }
    let files = files.ok();
    let found = Repository::around(&folder)
        .as_ref()
        .map(new::look::look)
        .unwrap_or_default();
    for note in &found.notes {
        eprintln!("found: {note}");
    }
    let prefix = overnight_workspace::prefix(&folder).unwrap_or_default();
    let seed = seed::lines(&found, &prefix);
    let facts = Facts {
        paths: overnight_workspace::tracked(&folder).ok(),
    };
    let task = Task {
        words,
        found: &seed,
        files: files.as_ref(),
        may_ask: options.may_ask,
    };
    let secrets = files.as_ref().is_some_and(|files| files.withheld > 0);
    let mut desk = HarnessDesk::new(words, &folder, facts, found.setup, secrets, sandbox);
    let key = uuid::Uuid::now_v7().simple().to_string();
    let (ended, used) = drafting::draft(&task, model.as_ref(), &SystemClock, &mut desk, &key).await;
    eprintln!(
        "{}",
        cost(model.as_ref(), &used, price.map(|(price, _)| price))
    );
    conclude(ended, desk)
}

async fn sandbox(options: &Options) -> anyhow::Result<Option<Arc<dyn Sandbox>>> {
    if !options.check {
        return Ok(None);
    }
    match assembly::sandbox(options.unsafe_no_sandbox).await {
        Ok(sandbox) => Ok(Some(sandbox)),
        Err(error) => Err(usage(format!(
            "{error:#}\n`overnight draft --no-check` drafts without running the checks."
        ))),
    }
}

/// The best proposal that holds, or what the last one lacked and where it is kept.
fn conclude(ended: Ended, desk: HarnessDesk<'_>) -> anyhow::Result<Made> {
    /// How much of a provider's complaint is shown, bytes.
    const WHY_BYTES_MAX: usize = 1_000;
    let (best, last) = desk.into_parts();
    let taken = ended == Ended::Taken;
    let (why, code) = match ended {
        Ended::Taken => ("no proposal was taken".to_owned(), ExitCode::Usage),
        Ended::GaveUp(why) => (why, ExitCode::Usage),
        Ended::Provider(why) => (format!("the model's provider: {why}"), ExitCode::Failed),
    };
    let why = clip(&plain(&why), WHY_BYTES_MAX);
    if let Some(candidate) = best {
        if !taken {
            eprintln!("note: {why}; what follows is the last proposal that holds");
        }
        return Ok(Made::Goal(candidate));
    }
    eprintln!("\nerror: no goal was made: {why}");
    if let Some(last) = last {
        eprintln!("\nwhat the last proposal lacks:\n{}", last.why.trim_end());
        let place = kept::keep(&last.text, "last-proposal")?;
        eprintln!(
            "\nthe last proposal is kept at {}: mend it by hand, or begin with `overnight new`",
            place.display()
        );
    }
    Ok(Made::Nothing { code: code as u8 })
}

fn cost(model: &dyn Model, used: &Used, price: Option<Price>) -> String {
    let money = price
        .filter(|_| !model.scripted())
        .map(|price| format!(", {:.4} USD", price.of(&used.usage)))
        .unwrap_or_default();
    let turns = match used.turns {
        1 => "1 turn".to_owned(),
        n => format!("{n} turns"),
    };
    format!("drafted in {turns}, {} tokens{money}", used.usage.total())
}

/// Whether a path is one of a file that is there.
fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
