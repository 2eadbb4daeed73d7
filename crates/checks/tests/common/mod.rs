//! A world without walls for tests: commands run as plain processes in a plain folder.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use overnight_checks::observe::{Checkout, CheckoutVerifier, Checkouts};
use overnight_core::check::{Observation, Obstacle};
use overnight_core::ids::TreeId;
use overnight_core::tests::TestStatus;
use overnight_mutants::Planter;
use overnight_ports::sandbox::{
    Background, Cell, CellSpec, Command, Exit, Finished, Level, Network, Sandbox, SandboxError,
    Talk,
};
use overnight_ports::verifier::{Ask, Probe, Verifier};
use tokio::io::AsyncWriteExt;

/// Runs commands as they are.
pub struct Plain;

#[async_trait]
impl Sandbox for Plain {
    fn level(&self) -> Level {
        Level::None
    }

    fn describe(&self) -> String {
        "none".to_owned()
    }

    async fn open(&self, spec: CellSpec) -> Result<Box<dyn Cell>, SandboxError> {
        std::fs::create_dir_all(spec.private.join("tmp"))?;
        Ok(Box::new(PlainCell { spec }))
    }
}

struct PlainCell {
    spec: CellSpec,
}

#[async_trait]
impl Cell for PlainCell {
    fn root(&self) -> &Path {
        &self.spec.workspace
    }

    async fn run(&self, command: Command) -> Result<Finished, SandboxError> {
        let began = Instant::now();
        let mut process = tokio::process::Command::new("sh");
        process
            .arg("-c")
            .arg(&command.script)
            .current_dir(self.spec.workspace.join(&command.dir))
            .env_clear();
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                process.env(name, value);
            }
        }
        process.env("TMPDIR", self.spec.private.join("tmp"));
        process.envs(&self.spec.env).envs(&command.env);
        process
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = process.spawn()?;
        let group = child.id();
        let mut stdin = child.stdin.take().expect("it was piped");
        let text = command.stdin.unwrap_or_default();
        let feed = async move {
            let _ = stdin.write_all(&text).await;
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        let (exit, stdout, stderr) = match tokio::time::timeout(command.timeout, both).await {
            Err(_) => {
                // What it started is not to run on for ever.
                if let Some(group) = group {
                    let mut kill = std::process::Command::new("kill");
                    let _ = kill.args(["-9", "--", &format!("-{group}")]).status();
                }
                (Exit::TimedOut, Vec::new(), Vec::new())
            }
            Ok(output) => {
                let output = output?;
                (
                    output.status.code().map_or(Exit::Signal(9), Exit::Code),
                    output.stdout,
                    output.stderr,
                )
            }
        };
        Ok(Finished {
            exit,
            stdout,
            stderr,
            dropped: 0,
            duration: began.elapsed(),
        })
    }

    async fn start(&self, _: Command) -> Result<Box<dyn Background>, SandboxError> {
        Err(SandboxError::Closed)
    }

    async fn talk(&self, _: Command) -> Result<Talk, SandboxError> {
        Err(SandboxError::Closed)
    }

    async fn close(&self) {}
}

/// Copies one folder for every checkout, whatever the tree.
pub struct Copies {
    from: PathBuf,
    into: PathBuf,
    made: Mutex<Vec<PathBuf>>,
}

impl Checkouts for Copies {
    fn make(&self, _: &TreeId) -> Result<Checkout, Obstacle> {
        let mut made = self.made.lock().expect("nobody panicked");
        let home = self.into.join(format!("checkout-{}", made.len()));
        let dir = home.join("tree");
        copy(&self.from, &dir).map_err(|e| Obstacle::Harness {
            detail: e.to_string(),
        })?;
        made.push(dir.clone());
        Ok(Checkout {
            inside: "/workspace".into(),
            dir,
            upper: None,
            private: home.join("private"),
            layers: Vec::new(),
            base_layer: None,
            network: Network::Loopback,
            env: BTreeMap::from([(
                "CARGO_TARGET_DIR".to_owned(),
                self.into.join("target").display().to_string(),
            )]),
            hidden: Vec::new(),
        })
    }

    fn generated(&self, checkout: &Checkout) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&checkout.dir)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            if !self.from.join(entry.file_name()).exists() {
                found.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        found.sort();
        found
    }

    fn discard(&self, checkout: &Checkout) {
        let _ = std::fs::remove_dir_all(&checkout.dir);
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A small repository and everything to observe it.
pub struct World {
    folder: tempfile::TempDir,
    copies: Arc<Copies>,
    verifier: CheckoutVerifier,
}

impl World {
    /// A repository of these files.
    pub fn new(files: &[(&str, &str)]) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let from = folder.path().join("repository");
        std::fs::create_dir_all(&from).expect("made");
        for (path, content) in files {
            let path = from.join(path);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            std::fs::write(path, content).expect("written");
        }
        let copies = Arc::new(Copies {
            from,
            into: folder.path().to_owned(),
            made: Mutex::default(),
        });
        let verifier =
            CheckoutVerifier::new(Arc::new(Plain), Arc::clone(&copies) as Arc<dyn Checkouts>)
                .with_faults(Arc::new(Planter));
        World {
            folder,
            copies,
            verifier,
        }
    }

    /// Where the repository is.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// The checkouts that were made, and whether each is still there.
    pub fn checkouts(&self) -> Vec<PathBuf> {
        self.copies.made.lock().expect("nobody panicked").clone()
    }

    /// Observes.
    pub fn observe(&self, ask: Ask) -> Observation {
        self.observe_in("", 300, ask)
    }

    /// Observes in a directory, with a limit.
    pub fn observe_in(&self, dir: &str, timeout_s: u64, ask: Ask) -> Observation {
        let probe = Probe {
            checks: Vec::new(),
            ask,
            dir: dir.to_owned(),
            timeout_s,
            hidden: None,
            runs: 2,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(self.verifier.observe(&TreeId::from("tree"), &probe))
    }

    /// Observes the tests of a command.
    pub fn tests(&self, command: &str) -> Observation {
        self.observe(Ask::Tests {
            command: command.to_owned(),
            report: None,
        })
    }
}

/// The results of an observation, a line each: `+` passed, `-` failed, `~` skipped.
#[track_caller]
pub fn table(seen: &Observation) -> Vec<String> {
    let output = String::from_utf8_lossy(&seen.output);
    let Some(results) = &seen.tests else {
        panic!(
            "no results: {:?}\n{}\n{output}",
            seen.obstacle, seen.command
        )
    };
    let sign = |status| match status {
        TestStatus::Passed => '+',
        TestStatus::Failed => '-',
        TestStatus::Skipped => '~',
    };
    results
        .tests
        .iter()
        .map(|(name, status)| format!("{} {name}", sign(*status)))
        .collect()
}

/// Whether a tool can be run here. Says so loudly if not: the test that asks proves nothing then.
pub fn have(probe: &str) -> bool {
    let found = std::process::Command::new("sh")
        .args(["-c", probe])
        .output()
        .is_ok_and(|o| o.status.success());
    if !found {
        let why = format!("`{probe}` fails here, so that nothing is tested");
        assert!(std::env::var_os("CI").is_none(), "{why}");
        eprintln!("SKIPPED: {why}");
    }
    found
}
