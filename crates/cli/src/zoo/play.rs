//! Plays one agent: lays out its repository, starts this very program on it as a person would, and reads the report.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use tokio::process::Command;

use super::agent::Agent;
use super::fixture::Fixture;
use super::outcome::{Outcome, Played, judge};

/// How long one agent may play.
const AGENT_TIME_MAX: Duration = Duration::from_secs(120);
/// How long a command may take that tells whether a tool is there.
const PROBE_TIME_MAX: Duration = Duration::from_secs(20);
/// Most that is read of what a run printed, bytes.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Names a folder with tools of the tests: `py/bin` and `jest/bin` in it go before `PATH`.
const TOOLS: &str = "OVERNIGHT_TEST_TOOLS";
/// The folders in it.
const TOOL_FOLDERS: [&str; 2] = ["py/bin", "jest/bin"];
/// What of the caller's environment would change how a run goes.
const NOT_INHERITED: [&str; 8] = [
    "OVERNIGHT_MODEL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
];

/// Where the agents play: a folder with a home of its own.
pub struct Ground {
    program: PathBuf,
    root: PathBuf,
    path: OsString,
}

impl Ground {
    /// A ground below `root`, which exists.
    pub fn new(root: &Path) -> anyhow::Result<Ground> {
        let program = std::env::current_exe().context("the path of this program")?;
        // Links resolved: what is compared with the sandbox's words must be spelled alike.
        let root = root
            .canonicalize()
            .with_context(|| root.display().to_string())?;
        std::fs::write(root.join("config.toml"), "").context("an empty configuration")?;
        let tools = std::env::var_os(TOOLS).map(PathBuf::from);
        let own = tools
            .into_iter()
            .flat_map(|tools| TOOL_FOLDERS.map(|folder| tools.join(folder)))
            .filter(|folder| folder.is_dir());
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(own.chain(std::env::split_paths(&inherited)))
            .context("the search path")?;
        Ok(Ground {
            program,
            root,
            path,
        })
    }

    /// What a fixture needs and this machine does not have.
    pub async fn lacks(&self, fixture: &Fixture) -> Option<String> {
        for probe in &fixture.about.needs {
            let mut command = Command::new("sh");
            command
                .args(["-c", probe])
                .env("PATH", &self.path)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true);
            let works = tokio::time::timeout(PROBE_TIME_MAX, command.status()).await;
            if !matches!(works, Ok(Ok(status)) if status.success()) {
                return Some(format!("`{probe}` does not work here"));
            }
        }
        None
    }

    /// Plays an agent. What goes wrong on the way makes it broken.
    pub async fn play(&self, fixture: &Fixture, agent: Agent) -> Played {
        let since = Instant::now();
        let (outcome, stopped_by) = match self.run(fixture, &agent).await {
            Ok(ended) => ended,
            Err(e) => (Outcome::Broken, format!("{e:#}")),
        };
        Played {
            agent,
            outcome,
            stopped_by,
            seconds: since.elapsed().as_secs_f64(),
        }
    }

    async fn run(&self, fixture: &Fixture, agent: &Agent) -> anyhow::Result<(Outcome, String)> {
        let place = self.root.join(&agent.name);
        let repo = place.join("repo");
        fixture.lay_out(agent, &repo)?;
        overnight_workspace::first_commit(&repo, "Begin")?;
        let (goal, script) = (place.join("goal.md"), place.join("script.yaml"));
        std::fs::write(&goal, fixture.goal(&agent.about.goal)?)?;
        std::fs::write(&script, &agent.script)?;
        let (out, err) = (place.join("stdout"), place.join("stderr"));
        let mut model = OsString::from("scripted/");
        model.push(&script);
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .arg(&goal)
            .args(["--json", "--yes", "--model"])
            .arg(&model)
            .current_dir(&repo)
            .env("OVERNIGHT_HOME", self.root.join("home"))
            .env("OVERNIGHT_CONFIG", self.root.join("config.toml"))
            .env("PATH", &self.path)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .kill_on_drop(true);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        let mut child = command.spawn().context("starting the run")?;
        // What the run started dies with it.
        let Ok(status) = tokio::time::timeout(AGENT_TIME_MAX, child.wait()).await else {
            child.kill().await?;
            let limit = AGENT_TIME_MAX.as_secs();
            return Ok((Outcome::Broken, format!("not over after {limit} s")));
        };
        let lines: Vec<Value> = read(&out)?
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        let report = lines
            .last()
            .and_then(|summary| summary["report"].as_str())
            .map(|path| Path::new(path).with_extension("json"))
            .and_then(|path| serde_json::from_str(&read(&path).ok()?).ok());
        let complaints = read(&err)?;
        Ok(judge(
            agent,
            status?.code(),
            &lines,
            &complaints,
            report.as_ref(),
        ))
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    use std::io::Read as _;
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_BYTES_MAX)
        .read_to_end(&mut bytes)
        .with_context(|| path.display().to_string())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
