//! Putting the parts together: a goal, a repository, a model and a sandbox become the ports of a run.

mod checkouts;
mod citations;
mod crew;
mod forge;
mod ground;
pub mod hidden_files;
mod manners;
mod oracle;
mod remover;
mod servers;
mod setup;
mod source;
mod trees;
mod unasked;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use overnight_agent::{BuiltIn, Worksite};
use overnight_checks::observe::CheckoutVerifier;
use overnight_core::goal::{Deliver, Goal};
use overnight_engine::{Ports, Shelf};
use overnight_models::scripted::{Script, ScriptedModel};
use overnight_mutants::Planter;
use overnight_ports::crew::{Replayer, WorklistPorts};
use overnight_ports::model::Model;
use overnight_ports::sandbox::Sandbox;
use overnight_sandbox::{LinuxSandbox, OpenSandbox};
use overnight_store::RunStore;

pub use checkouts::{CheckoutOptions, RunCheckouts};
use crew::{CellReplayer, CrewParts, GitCrew};
use forge::LocalForge;
use ground::GitGround;
pub use hidden_files::HiddenFiles;
pub use oracle::GitOracle;
pub use servers::{connector, tried as try_servers};
pub use setup::Setup;
pub use source::usable as usable_source;
use trees::GitTrees;
pub use unasked::Unasked;

use crate::clock::{SystemClock, local_time};
use crate::notify::Messenger;
use crate::problem::usage;

/// The sandbox that this machine offers, or none if the person says so.
pub async fn sandbox(unsafe_no_sandbox: bool) -> anyhow::Result<Arc<dyn Sandbox>> {
    if unsafe_no_sandbox {
        return Ok(Arc::new(OpenSandbox::new()));
    }
    match overnight_sandbox::probe().await {
        Ok(_) => Ok(Arc::new(LinuxSandbox::new())),
        Err(why) => Err(usage(format!(
            "{why}\nWithout a sandbox the agent's commands can read and write everything that you can. If that is \
             what you want, say --unsafe-no-sandbox."
        ))),
    }
}

/// The bundled script of `overnight demo`, as a model's name.
pub const DEMO_MODEL: &str = "scripted/the-bundled-demo";

/// Opens a model by its name.
pub fn model(name: &str) -> anyhow::Result<Arc<dyn Model>> {
    if name == DEMO_MODEL {
        const SCRIPT: &str = include_str!("../../demo/script.yaml");
        let script = Script::parse(SCRIPT, Path::new("demo/script.yaml"))
            .context("the demo's own script")?;
        return Ok(Arc::new(ScriptedModel::new(DEMO_MODEL, script)));
    }
    // A run may be resumed from another folder, so a script is named by its whole path.
    if let Some(file) = name
        .strip_prefix("scripted/")
        .filter(|file| !file.is_empty())
    {
        let whole = std::path::absolute(file)?;
        let script = Script::read(&whole).map_err(|e| usage(e.to_string()))?;
        return Ok(Arc::new(ScriptedModel::new(
            format!("scripted/{}", whole.display()),
            script,
        )));
    }
    let settings = crate::config::load(&std::env::current_dir()?)?;
    let env = settings.model_of(name)?;
    overnight_models::open(name, &env).map_err(|e| usage(e.to_string()))
}

/// The repository that a goal works on: the one around the current folder. A goal that delivers nothing needs none.
pub fn repository(goal: &Goal, folder: &Path) -> anyhow::Result<Option<PathBuf>> {
    let inside = folder
        .ancestors()
        .any(|dir| dir.join(".git").exists() || is_bare(dir));
    if inside {
        return Ok(Some(folder.to_owned()));
    }
    if goal.items.is_some() {
        return Err(usage(format!(
            "{} is in no git repository, and a worklist needs one: each item has a workspace of its own, made from it. \
             Go to your repository, or make one with `git init && git add -A && git commit -m \"begin\"`.",
            folder.display()
        )));
    }
    if goal.deliver == Deliver::None {
        return Ok(None);
    }
    Err(usage(format!(
        "{} is in no git repository, and the goal delivers its work to one. Go to your repository, make one with \
         `git init && git add -A && git commit -m \"begin\"`, or say `deliver: none` in a goal that needs none.",
        folder.display()
    )))
}

fn is_bare(dir: &Path) -> bool {
    dir.join("HEAD").is_file() && dir.join("objects").is_dir() && dir.join("refs").is_dir()
}

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To work on the run.
    Work,
    /// To end it and no more: nobody is asked for anything.
    End,
}

/// What a run is put together from.
#[derive(Clone)]
pub struct Parts {
    /// What this process is for.
    pub purpose: Purpose,
    /// `$OVERNIGHT_HOME`.
    pub home: PathBuf,
    /// The run's journal, held.
    pub store: Arc<RunStore>,
    /// The goal.
    pub goal: Goal,
    /// The goal file, whole.
    pub goal_file: String,
    /// The hidden files of its checks.
    pub hidden_files: HiddenFiles,
    /// The person's repository.
    pub repo: Option<PathBuf>,
    /// The model.
    pub model: Arc<dyn Model>,
    /// The sandbox.
    pub sandbox: Arc<dyn Sandbox>,
    /// Where preflight results are kept.
    pub shelf: Arc<dyn Shelf>,
}

/// The ports of a run.
pub fn ports(parts: Parts) -> anyhow::Result<Ports> {
    let Parts {
        purpose,
        home,
        store,
        goal,
        goal_file,
        hidden_files,
        repo,
        model,
        sandbox,
        shelf,
    } = parts;
    let run_dir = store.dir().to_owned();
    let repo = match repo {
        Some(repo) => repo,
        None => empty_repository(&run_dir)?,
    };
    let clock = Arc::new(SystemClock);
    let setup = Arc::new(Setup::new(&home, &goal, sandbox.clone()));
    let unreadable = hidden(&home, &repo, &goal);
    let ground = GitGround::new(
        repo.clone(),
        run_dir.clone(),
        unreadable.clone(),
        setup.clone(),
    );
    let connector = connector(&goal)?;
    let site = Worksite::new(Arc::new(ground.clone()), sandbox.clone(), store.clone())
        .with_servers(connector.clone());
    let site = Arc::new(site);
    let checkouts = Arc::new(RunCheckouts::new(
        &run_dir,
        setup,
        CheckoutOptions {
            unreadable,
            hosts: goal.uses.network.clone(),
            level: sandbox.level(),
            hidden: hidden_files,
        },
    ));
    let executor = Arc::new(BuiltIn::new(model, site.clone(), clock.clone(), goal_file));
    let verifier = CheckoutVerifier::new(sandbox.clone(), checkouts).with_faults(Arc::new(Planter));
    let verifier = Arc::new(verifier);
    let replay = goal.items.as_ref().and_then(|items| items.replay.clone());
    let source = source::source(&goal, &run_dir, &repo, purpose)?;
    let worklist = source.map(|source| WorklistPorts {
        source,
        crew: Arc::new(GitCrew::new(CrewParts {
            run_dir: run_dir.clone(),
            ground,
            sandbox,
            blobs: store.clone(),
            connector,
            executor: executor.clone(),
        })),
        trees: Arc::new(GitTrees::new(&run_dir)),
        replayer: replay.map(|command| -> Arc<dyn Replayer> {
            Arc::new(CellReplayer::new(command, verifier.clone(), &run_dir))
        }),
    });
    Ok(Ports {
        clock,
        journal: store.clone(),
        executor,
        site,
        verifier,
        oracle: Arc::new(GitOracle::new(&run_dir)),
        forge: Arc::new(LocalForge::new(repo, &run_dir, goal.deliver)),
        notifier: Arc::new(Messenger),
        shelf,
        worklist,
        time: local_time,
    })
}

/// What nobody inside a sandbox may read: the harness's own folder, the person's repository at its real place, with its
/// ignored files, its configuration and whatever is not committed, and the originals of hidden files.
pub fn hidden(home: &Path, repo: &Path, goal: &Goal) -> Vec<PathBuf> {
    let mut hidden = vec![home.to_owned()];
    hidden.extend(overnight_workspace::places(repo).unwrap_or_default());
    hidden.extend(hidden_files::originals(goal));
    hidden
}

/// A repository without files, for a goal that touches none.
pub fn empty_repository(run_dir: &Path) -> anyhow::Result<PathBuf> {
    let dir = run_dir.join("empty");
    if !dir.join(".git").exists() {
        std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        overnight_workspace::first_commit(&dir, "Nothing")?;
    }
    Ok(dir)
}
