//! `use.setup`: run by the harness once, on the base's own files, with the network, before any code of the agent
//! exists; what it made is kept and mounted copy-on-write into every checkout.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use overnight_core::goal::Goal;
use overnight_core::ids::{BlobId, TreeId};
use overnight_core::judge::tail;
use overnight_ports::sandbox::{CellSpec, Command, Network, Sandbox, Streams};
use overnight_workspace::{Checkouts, SetupLayer, capture_layer};

/// How long a setup may take.
const SETUP_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// How much of a failed setup's output is told, bytes.
const FAILURE_BYTES_MAX: usize = 2 * 1024;

/// What a setup left: files of the checkout, and the private home with the package caches.
#[derive(Clone)]
pub struct ReadyLayer {
    pub files: SetupLayer,
    pub private: PathBuf,
}

/// A goal's setup.
pub struct Setup {
    home: PathBuf,
    unreadable: Vec<PathBuf>,
    command: Option<String>,
    sandbox: Arc<dyn Sandbox>,
    done: Mutex<Option<ReadyLayer>>,
}

impl Setup {
    /// The setup that a goal names, if it names one.
    pub fn new(home: &Path, goal: &Goal, sandbox: Arc<dyn Sandbox>) -> Self {
        Setup {
            home: home.to_owned(),
            unreadable: super::hidden_files::originals(goal),
            command: goal.uses.setup.clone(),
            sandbox,
            done: Mutex::new(None),
        }
    }

    /// What the setup makes of the base: run now, or kept from an earlier time. Blocking; not to be called on the
    /// runtime's own thread.
    pub fn layer(
        &self,
        checkouts: &Checkouts,
        base: &TreeId,
    ) -> Result<Option<ReadyLayer>, String> {
        let Some(command) = &self.command else {
            return Ok(None);
        };
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.is_none() {
            *done = Some(self.make(command, checkouts, base)?);
        }
        Ok(done.clone())
    }

    fn make(
        &self,
        command: &str,
        checkouts: &Checkouts,
        base: &TreeId,
    ) -> Result<ReadyLayer, String> {
        let key = self.key(command, checkouts, base)?;
        let all = self.home.join("setup");
        let folder = all.join(&key);
        let (layer, private) = (folder.join("layer"), folder.join("private"));
        if let Some(files) = SetupLayer::open(&layer).map_err(|e| e.to_string())? {
            return Ok(ReadyLayer { files, private });
        }
        // Other runs may need the same setup at the same time: one makes it, and the rest wait for it.
        let _held = hold(&all, &key)?;
        if let Some(files) = SetupLayer::open(&layer).map_err(|e| e.to_string())? {
            return Ok(ReadyLayer { files, private });
        }
        // An interrupted setup left half of it: begin again.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&private).map_err(|e| format!("{}: {e}", private.display()))?;
        let checkout = folder.join("checkout");
        checkouts
            .checkout(base, &checkout)
            .map_err(|e| e.to_string())?;
        let spec = CellSpec {
            inside: overnight_ports::sandbox::WORKSPACE_INSIDE.into(),
            workspace: checkout.clone(),
            private: private.clone(),
            base_layer: None,
            layers: Vec::new(),
            readonly: Vec::new(),
            network: Network::Host,
            env: Default::default(),
            hidden: [std::slice::from_ref(&self.home), &self.unreadable].concat(),
        };
        let order = Command {
            script: command.to_owned(),
            dir: String::new(),
            env: Default::default(),
            timeout: SETUP_TIMEOUT,
            stdin: None,
            streams: Streams::Merged,
        };
        let sandbox = self.sandbox.clone();
        let done = tokio::runtime::Handle::current().block_on(async move {
            let cell = sandbox.open(spec).await?;
            let done = cell.run(order).await;
            cell.close().await;
            done
        });
        let done = done.map_err(|e| e.to_string())?;
        if done.exit.code() != Some(0) {
            let said = tail(&done.stdout, FAILURE_BYTES_MAX);
            let _ = std::fs::remove_dir_all(&folder);
            return Err(format!(
                "`use.setup` (`{command}`) failed on the base ({:?}):\n{said}",
                done.exit
            ));
        }
        let files = capture_layer(checkouts, &checkout, base, &layer).map_err(|e| e.to_string())?;
        let _ = std::fs::remove_dir_all(&checkout);
        Ok(ReadyLayer { files, private })
    }

    /// Under what a setup is kept: for a plain installer the manifests and lockfiles that it reads, otherwise the
    /// whole base.
    fn key(&self, command: &str, checkouts: &Checkouts, base: &TreeId) -> Result<String, String> {
        let mut what = format!("{command}\n{}\n", self.sandbox.describe());
        let manifests = if installs_only(command) {
            checkouts
                .objects_named(base, &MANIFESTS)
                .map_err(|e| e.to_string())?
        } else {
            Vec::new()
        };
        if manifests.is_empty() {
            what.push_str(base.as_str());
        }
        for (path, object) in manifests {
            what.push_str(&format!("{path} {object}\n"));
        }
        Ok(BlobId::of(what.as_bytes()).to_string())
    }
}

/// Waits until no other process makes this setup, and keeps them from it while the file is held. The kernel frees
/// the lock when the process ends, however it ends.
fn hold(all: &Path, key: &str) -> Result<File, String> {
    let path = all.join(format!("{key}.lock"));
    let held = || {
        std::fs::create_dir_all(all)?;
        let file = File::create(&path)?;
        file.lock()?;
        Ok(file)
    };
    held().map_err(|e: std::io::Error| format!("{}: {e}", path.display()))
}

/// Files that a plain installer reads.
const MANIFESTS: [&str; 27] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "pyproject.toml",
    "poetry.lock",
    "uv.lock",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "requirements-dev.txt",
    "Pipfile",
    "Pipfile.lock",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    "go.mod",
    "go.sum",
    "Gemfile",
    "Gemfile.lock",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "composer.json",
    ".npmrc",
];

/// Whether a command line is nothing but an installer that reads [`MANIFESTS`] only.
fn installs_only(command: &str) -> bool {
    const INSTALLERS: [&str; 11] = [
        "npm ci",
        "npm install",
        "yarn install",
        "pnpm install",
        "cargo fetch",
        "go mod download",
        "uv sync",
        "poetry install",
        "bundle install",
        "pipenv install",
        "bun install",
    ];
    let plain = !command.contains([';', '|', '&', '`', '$', '\n', '<', '>']);
    plain
        && INSTALLERS
            .iter()
            .any(|i| command.trim() == *i || command.trim().starts_with(&format!("{i} ")))
}

#[cfg(test)]
mod tests {
    use overnight_sandbox::OpenSandbox;

    use super::*;

    #[tokio::test]
    async fn runs_that_start_together_share_one_setup() {
        let temp = tempfile::tempdir().unwrap();
        let (repo, home) = (temp.path().join("repo"), temp.path().join("home"));
        std::fs::create_dir(&repo).unwrap();
        overnight_workspace::first_commit(&repo, "Nothing").unwrap();
        let count = temp.path().join("count");
        let text = format!(
            "---\noutcome: x\ndone: [test -e made/f]\nuse:\n  setup: echo >> {}; mkdir made; sleep 1; touch made/f\n---\n",
            count.display()
        );
        let mut runs = tokio::task::JoinSet::new();
        for number in 0..2 {
            let goal = crate::goalfile::loaded("x", &text).unwrap().goal;
            let setup = Setup::new(&home, &goal, Arc::new(OpenSandbox::new()));
            let (repo, run) = (repo.clone(), temp.path().join(format!("run-{number}")));
            runs.spawn_blocking(move || {
                let head = overnight_workspace::head(&repo).unwrap();
                let (checkouts, tree) =
                    overnight_workspace::clone_at(&repo, &head, &run, &[]).unwrap();
                setup.layer(&checkouts, &tree).unwrap().unwrap()
            });
        }
        for layer in runs.join_all().await {
            let layers = layer.files.layers();
            assert_eq!(layers.len(), 1);
            assert!(layers[0].from.join("f").is_file());
        }
        assert_eq!(std::fs::read_to_string(&count).unwrap(), "\n", "once");
    }
}
