//! `overnight run`: a goal, from the file to the report.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use overnight_core::event::{Created, EVENT_VERSION, Price};
use overnight_core::goal::Goal;
use overnight_core::ids::RunId;
use overnight_core::notification::Channel;
use overnight_engine::{Ended, Engine, Shelf};
use overnight_ports::clock::Clock;
use overnight_ports::journal::BlobSink;
use overnight_ports::model::Model;
use overnight_ports::sandbox::Sandbox;
use overnight_store::RunStore;

use crate::args::RunArgs;
use crate::assembly::{self, Parts, Purpose, hidden_files};
use crate::clock::SystemClock;
use crate::config::choice::{self, Chosen};
use crate::config::{self, Settings};
use crate::goalfile::{self, Loaded};
use crate::home::{FileShelf, home, made_home};
use crate::lines::farewell;
use crate::onlooker::{Onlooker, Output, Printed};
use crate::problem::usage;
use crate::view::View;

use super::draft::Given;

/// What `run` and `demo` have in common once everything is known.
pub struct Start {
    pub goal: Loaded,
    pub folder: PathBuf,
    pub model: Arc<dyn Model>,
    pub price: Option<Price>,
    pub sandbox: Arc<dyn Sandbox>,
    pub shelf: Arc<dyn Shelf>,
    /// How the person is told where the goal does not say.
    pub notify: Vec<Channel>,
    pub output: Output,
}

/// Runs a goal file, or drafts one from words first.
pub async fn run(args: RunArgs) -> anyhow::Result<u8> {
    match super::draft::given(&args.file)? {
        Given::File => run_file(args).await,
        Given::Words(words) => super::draft::run(args, words).await,
    }
}

/// Runs a goal file.
pub async fn run_file(args: RunArgs) -> anyhow::Result<u8> {
    let goal = goalfile::load(&args.file)?;
    let folder = std::env::current_dir().context("the current folder")?;
    let home = home()?;
    if !args.yes
        && let Some(unfinished) = offer(&home, &goal)?
    {
        let resume = crate::args::ResumeArgs {
            run: unfinished,
            plain: args.plain,
            json: args.json,
            yes: false,
        };
        return super::resume::resume(resume, None).await;
    }
    let settings = config::load(&folder)?;
    let Chosen { spec, line } = model_name(args.model.as_deref(), &goal.goal, &settings).await?;
    let model = assembly::model(&spec)?;
    let given = args.price.as_deref().map(price).transpose()?;
    let price = choice::price(given, &spec, &settings);
    if goal.goal.stop.usd.is_some() && price.is_none() && !model.scripted() {
        return Err(usage(format!(
            "the goal limits the cost (`stop.usd`), and the price of `{spec}` is not known: give it with \
             `--price INPUT,CACHED,OUTPUT`, in US dollars per million tokens, or in the configuration: \
             [prices.\"{spec}\"] input = …, cached = …, output = …"
        )));
    }
    if !args.json {
        eprintln!("{}", chosen_line(&line, price.as_ref()));
    }
    let price = price.map(|(price, _)| price);
    let sandbox = assembly::sandbox(args.unsafe_no_sandbox).await?;
    let shelf = Arc::new(FileShelf::new(&home));
    start(Start {
        goal,
        folder,
        model,
        price,
        sandbox,
        shelf,
        notify: settings.notify(),
        output: Output::of(args.json, args.plain),
    })
    .await
}

/// Begins the run and sees it to its end.
pub async fn start(start: Start) -> anyhow::Result<u8> {
    let Start {
        goal,
        folder,
        model,
        price,
        sandbox,
        shelf,
        notify,
        output,
    } = start;
    // A token that is missing is said before there is a run.
    assembly::connector(&goal.goal)?;
    let home = made_home()?;
    let repo = assembly::repository(&goal.goal, &folder)?;
    if let Some(repo) = &repo {
        overnight_workspace::ready(repo).map_err(|e| usage(e.to_string()))?;
        assembly::usable_source(&goal.goal, repo)?;
    }
    let id = uuid::Uuid::now_v7().simple().to_string();
    let run_dir = overnight_store::runs_dir(&home).join(&id);
    let store = Arc::new(RunStore::create(&run_dir)?);
    let hidden_files = hidden_files::freeze(&goal.goal, repo.as_deref(), &run_dir);
    let hidden_files = hidden_files.inspect_err(|_| {
        // What is refused leaves no run behind; nothing has happened in it yet.
        let _ = std::fs::remove_dir_all(&run_dir);
    })?;
    let created = Created {
        version: EVENT_VERSION,
        run: RunId(id),
        goal: Goal {
            brief: String::new(),
            ..goal.goal.clone()
        },
        goal_file: store.put(goal.text.as_bytes()).context("the goal file")?,
        goal_name: goal.name.clone(),
        model: model.name().to_owned(),
        scripted: model.scripted(),
        price,
        sandbox: sandbox.describe(),
        repo: repo.as_ref().map(|r| r.display().to_string()),
        notify: goal.goal.notify.clone().unwrap_or(notify),
        hidden: hidden_files.hashes(&goal.goal),
        overnight: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let parts = Parts {
        purpose: Purpose::Work,
        home,
        store: store.clone(),
        goal: goal.goal,
        goal_file: goal.text,
        hidden_files,
        repo,
        model,
        sandbox,
        shelf,
    };
    let ports = assembly::ports(parts.clone())?;
    let mut onlooker = Onlooker::new(output, View::default(), None);
    let engine = Engine::create(ports, created, onlooker.watcher())?;
    see_through(engine, onlooker, parts).await
}

/// Works until the end and says how it ended.
pub async fn see_through(
    mut engine: Engine,
    mut onlooker: Onlooker,
    mut parts: Parts,
) -> anyhow::Result<u8> {
    onlooker.heed_signals();
    let store = parts.store.clone();
    let ended = loop {
        let (watcher, interrupt) = onlooker.parts();
        let ended = engine.run(watcher, interrupt).await?;
        if ended != Ended::Edited {
            break ended;
        }
        // Sandbox, policy and prompt are made of the contract: all of them anew, in this same process.
        let edited = engine.state().goal_file.clone();
        let goal = engine.state().goal.clone();
        drop(engine);
        let text = store.get(&edited).context("the edited goal file")?;
        parts.goal_file = String::from_utf8(text).context("the edited goal file")?;
        parts.goal = goalfile::again(&parts.goal_file, &goal).context("the edited goal")?;
        engine = Engine::go_on(assembly::ports(parts.clone())?).await?;
    };
    let printed = onlooker.leave();
    if printed == Printed::Json {
        println!("{}", serde_json::to_string(&store.summary()?)?);
    }
    let state = engine.state();
    if printed == Printed::Nothing {
        // The screen is gone; what stays is where the run stands.
        for line in super::show::screen(state, SystemClock.now()) {
            println!("{line}");
        }
    }
    match ended {
        Ended::Stopped(reason) => {
            if printed == Printed::Lines {
                for line in farewell(state) {
                    println!("{line}");
                }
            }
            Ok(reason.exit_code() as u8)
        }
        Ended::Paused | Ended::Edited => {
            if printed != Printed::Json {
                let run = state.run.short();
                println!("\npaused; `overnight resume {run}` goes on");
            }
            Ok(overnight_core::stop::ExitCode::Stopped as u8)
        }
    }
}

async fn model_name(
    given: Option<&str>,
    goal: &Goal,
    settings: &Settings,
) -> anyhow::Result<Chosen> {
    choice::model(given, Some(goal), settings).await
}

/// Which model, why that one, and whose price counts.
pub fn chosen_line(model: &str, price: Option<&(Price, String)>) -> String {
    let priced =
        price.map(|(price, by)| format!("; price {}, by {by}", config::Value::Price(*price)));
    overnight_core::judge::plain(&format!("model {model}{}", priced.unwrap_or_default()))
}

/// `INPUT,OUTPUT` or `INPUT,CACHED,OUTPUT`.
pub fn price(text: &str) -> anyhow::Result<Price> {
    let bad = || {
        usage(format!(
            "`--price {text}`: write INPUT,OUTPUT or INPUT,CACHED,OUTPUT in US dollars per million tokens"
        ))
    };
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|n| n.trim().parse::<f64>()).collect();
    let numbers = numbers.map_err(|_| bad())?;
    if numbers.iter().any(|n| !n.is_finite() || *n < 0.0) {
        return Err(bad());
    }
    match numbers.as_slice() {
        [input, output] => Ok(Price {
            input: *input,
            cached: *input,
            output: *output,
        }),
        [input, cached, output] => Ok(Price {
            input: *input,
            cached: *cached,
            output: *output,
        }),
        _ => Err(bad()),
    }
}

/// On a terminal: an unfinished run of the same goal may be taken up again. Its short id if the person wants to.
fn offer(home: &Path, goal: &Loaded) -> anyhow::Result<Option<String>> {
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Ok(None);
    }
    let hash = overnight_core::ids::BlobId::of(goal.text.as_bytes()).to_string();
    let unfinished = overnight_store::list(home)?
        .into_iter()
        .find(|run| run.goal_file == hash && run.exit_code.is_none() && !run.id.is_empty());
    let Some(run) = unfinished else {
        return Ok(None);
    };
    print!(
        "Run {} of this goal is unfinished ({}, {} turns). Go on with it? [Y/n] ",
        &run.id[run.id.len() - 8..],
        run.status,
        run.turns
    );
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    let no = answer.trim().to_lowercase().starts_with('n');
    Ok((!no).then_some(run.id))
}
