//! The source of a goal's items: its secrets come from the environment or a command of the person's, and commands of the
//! goal's run in a clean checkout of the base, which no agent can have written to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use overnight_core::goal::{Goal, Items};
use overnight_core::item::{Dossier, Item, Verb};
use overnight_ports::source::{Act, ActReceipt, Source, SourceError};
use overnight_ports::workspace::Workspace;
use overnight_sources::Opening;
use overnight_workspace::GitWorkspace;
use tokio::sync::OnceCell;

use super::Purpose;
use super::unasked::UnaskedSource;
use crate::problem::usage;

/// How long a server may go on with a request whose sender has died or given up. An act that is not found is looked for
/// once more after that, before it is performed again.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// The source that the goal names, or why it cannot be used. Nothing is sent yet.
pub fn source(
    goal: &Goal,
    run_dir: &Path,
    repo: &Path,
    purpose: Purpose,
) -> anyhow::Result<Option<Arc<dyn Source>>> {
    let Some(items) = &goal.items else {
        return Ok(None);
    };
    if purpose == Purpose::End {
        let from = items.from.clone();
        return Ok(Some(Arc::new(UnaskedSource { from })));
    }
    let base = run_dir.join("source");
    let inner = open(items, base.clone(), repo)?;
    Ok(Some(Arc::new(RunSource {
        inner,
        run_dir: run_dir.to_owned(),
        base,
        ready: OnceCell::new(),
        commands: items.from == "command" || items.spec.get("act").is_some(),
        remote: !matches!(items.from.as_str(), "command" | "file"),
    })))
}

/// Whether the source can be used as far as that can be known without asking it: a token that is missing, a query that
/// cannot be meant.
pub fn usable(goal: &Goal, repo: &Path) -> anyhow::Result<()> {
    match &goal.items {
        Some(items) => open(items, PathBuf::from("/"), repo).map(|_| ()),
        None => Ok(()),
    }
}

fn open(items: &Items, base: PathBuf, repo: &Path) -> anyhow::Result<Arc<dyn Source>> {
    let secrets = crate::config::secrets()?;
    let secret = |name: &str| secrets.get(name).map_err(|e| e.to_string());
    let cx = Opening {
        secret: &secret,
        base,
        folder: repo.to_owned(),
        home: std::env::var_os("HOME").map(PathBuf::from),
    };
    overnight_sources::open(items, &cx).map_err(usage)
}

/// A source whose commands find the base checked out.
struct RunSource {
    inner: Arc<dyn Source>,
    run_dir: PathBuf,
    base: PathBuf,
    ready: OnceCell<()>,
    commands: bool,
    /// It is a server, which may go on with what nobody waits for any more.
    remote: bool,
}

impl RunSource {
    async fn ready(&self) -> Result<(), SourceError> {
        if !self.commands {
            return Ok(());
        }
        let make = async || {
            let (run_dir, base) = (self.run_dir.clone(), self.base.clone());
            let made = tokio::task::spawn_blocking(move || check_out(&run_dir, &base)).await;
            made.unwrap_or_else(|e| Err(e.to_string())).map_err(|why| {
                SourceError::Unavailable(format!(
                    "the base could not be checked out for the source's command: {why}"
                ))
            })
        };
        self.ready.get_or_try_init(make).await.copied()
    }
}

fn check_out(run_dir: &Path, dest: &Path) -> Result<(), String> {
    let workspace = GitWorkspace::open(run_dir).map_err(|e| e.to_string())?;
    let tree = workspace.base().tree.clone();
    let checkouts = workspace.checkouts();
    checkouts.checkout(&tree, dest).map_err(|e| e.to_string())
}

#[async_trait]
impl Source for RunSource {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(Item) -> bool + Send),
    ) -> Result<Vec<String>, SourceError> {
        self.ready().await?;
        self.inner.list(found).await
    }

    async fn read(&self, item: &Item) -> Result<Dossier, SourceError> {
        self.inner.read(item).await
    }

    fn verbs(&self) -> Vec<Verb> {
        self.inner.verbs()
    }

    async fn probe(&self, act: &Act) -> Result<Option<ActReceipt>, SourceError> {
        self.ready().await?;
        let found = self.inner.probe(act).await?;
        if found.is_some() || !self.remote {
            return Ok(found);
        }
        tokio::time::sleep(SETTLES_WITHIN).await;
        self.inner.probe(act).await
    }

    async fn act(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        self.ready().await?;
        self.inner.act(act).await
    }
}
