//! What every test here needs: a person's repository and home, a model server, and the binary with a clean environment.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use overnight_models::scripted::Script;
use serde_json::Value;
use sim::server::{Options, Received, Server};

/// The binary under test.
pub const OVERNIGHT: &str = env!("CARGO_BIN_EXE_overnight");
/// The key that the model server takes, and that must be found nowhere else.
pub const KEY: &str = "sk-e2e-5f1c0a7be2d94b6f8e07";
/// How long one process may take before the test gives up.
const TIMEOUT: Duration = Duration::from_secs(240);
/// How often a waiting test looks again.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// One person with one repository. Everything is gone when it is dropped.
pub struct World {
    /// The folder that holds all the others.
    pub root: PathBuf,
    /// The person's repository; the current folder of every command.
    pub repo: PathBuf,
    /// `$OVERNIGHT_HOME`.
    pub state: PathBuf,
    /// `$HOME`.
    pub home: PathBuf,
    /// More environment variables.
    pub env: BTreeMap<String, String>,
    commands: AtomicU32,
    _temp: tempfile::TempDir,
}

impl World {
    /// A repository with these files in one commit on `main`.
    pub fn new(files: &[(&str, &str)]) -> World {
        let world = World::without_repository();
        world.git(&["init", "-q", "-b", "main"]);
        world.git(&["config", "user.name", "Ann Example"]);
        world.git(&["config", "user.email", "ann@example.org"]);
        for (path, content) in files {
            world.put(path, content);
        }
        world.commit("Begin");
        world
    }

    /// A folder that is no repository.
    pub fn without_repository() -> World {
        World::within(&std::env::temp_dir())
    }

    /// The same, somewhere else than among the temporary files.
    pub fn within(place: &Path) -> World {
        let temp = tempfile::Builder::new()
            .prefix("overnight-e2e-")
            .tempdir_in(place)
            .expect("a temporary folder");
        // As the kernel names it: what is compared with the binary's words must be spelled alike.
        let root = temp.path().canonicalize().expect("it exists");
        let world = World {
            repo: root.join("repo"),
            state: root.join("state"),
            home: root.join("home"),
            env: BTreeMap::new(),
            commands: AtomicU32::new(0),
            root,
            _temp: temp,
        };
        for folder in [&world.repo, &world.home] {
            fs::create_dir(folder).expect("made");
        }
        world
    }

    /// Uses the home of whoever runs the tests: toolchains often live there.
    pub fn with_toolchains(self) -> World {
        let mut world = self.with_home();
        world.env.insert("PATH".to_owned(), tools_path());
        world
    }

    /// The same, without the tests' own tools.
    pub fn with_home(mut self) -> World {
        if let Some(home) = std::env::var_os("HOME") {
            self.home = PathBuf::from(home);
        }
        for name in [
            "CARGO_HOME",
            "RUSTUP_HOME",
            "RUSTUP_TOOLCHAIN",
            "PYENV_ROOT",
            "NVM_DIR",
        ] {
            if let Ok(value) = std::env::var(name) {
                self.env.insert(name.to_owned(), value);
            }
        }
        self
    }

    /// Writes a file of the repository.
    pub fn put(&self, path: &str, content: &str) {
        let path = self.repo.join(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("made");
        fs::write(&path, content).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// Commits everything.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// What git says in the person's repository; it must succeed.
    pub fn git(&self, args: &[&str]) -> String {
        git(&self.repo, args)
    }

    /// Whether git succeeds.
    pub fn git_takes(&self, args: &[&str]) -> bool {
        let mut command = git_command(&self.repo, args);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("git runs")
            .success()
    }

    /// Writes a goal file beside the repository.
    pub fn goal(&self, text: &str) -> PathBuf {
        let path = self.root.join("goal.md");
        fs::write(&path, text.trim_start()).expect("written");
        path
    }

    /// A command of the binary, in the repository, with an environment of its own.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(OVERNIGHT);
        command
            .args(args)
            .current_dir(&self.repo)
            .env_clear()
            .env("PATH", env_path())
            .env("HOME", &self.home)
            .env("OVERNIGHT_HOME", &self.state)
            .env("NO_COLOR", "1")
            .envs(&self.env)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn overnight(&self, args: &[&str]) -> Done {
        self.start(self.command(args)).end()
    }

    /// Starts a command.
    pub fn start(&self, mut command: Command) -> Running {
        let number = self.commands.fetch_add(1, Ordering::Relaxed);
        let out = self.root.join(format!("{number}.out"));
        let err = self.root.join(format!("{number}.err"));
        command.stdout(File::create(&out).expect("made"));
        command.stderr(File::create(&err).expect("made"));
        let shown = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let child = command.spawn().expect("the binary starts");
        Running {
            child,
            shown,
            out,
            err,
        }
    }

    /// `overnight run` of this goal against this server, as JSON lines.
    pub fn run(&self, server: &Server, goal: &str) -> Done {
        self.begin(server, goal).end()
    }

    /// The same, not waited for.
    pub fn begin(&self, server: &Server, goal: &str) -> Running {
        self.start(self.run_command(server, goal))
    }

    /// The same, not even started.
    pub fn run_command(&self, server: &Server, goal: &str) -> Command {
        let goal = self.goal(goal);
        let goal = goal.to_str().expect("a plain name");
        let mut command = self.command(&["run", goal, "--json", "--yes", "--model", "openai/mock"]);
        reach(&mut command, server);
        command
    }

    /// `overnight resume last`, or another command that needs the model, as JSON lines.
    pub fn resume(&self, server: &Server) -> Done {
        let mut command = self.command(&["resume", "last", "--json"]);
        reach(&mut command, server);
        self.start(command).end()
    }

    /// Every event of the newest run, as `log --json` tells it.
    pub fn log(&self) -> Vec<Value> {
        self.overnight(&["log", "last", "--json"]).exits(0).lines()
    }

    /// Everything in the person's repository but objects and overnight's own branches: names, modes, contents.
    pub fn snapshot(&self) -> BTreeMap<String, (u32, Vec<u8>)> {
        let mut all = BTreeMap::new();
        walk(&self.repo, &self.repo, &mut all);
        all.retain(|path, _| {
            let ours = [
                ".git/objects/",
                ".git/refs/heads/overnight/",
                ".git/logs/refs/heads/overnight/",
            ];
            !ours.iter().any(|prefix| path.starts_with(prefix))
        });
        all
    }

    /// Names of overnight's branches.
    pub fn branches(&self) -> Vec<String> {
        let text = self.git(&[
            "for-each-ref",
            "--format=%(refname:short)",
            "refs/heads/overnight/",
        ]);
        text.lines().map(str::to_owned).collect()
    }

    /// A file on a branch, byte by byte.
    pub fn on(&self, branch: &str, path: &str) -> String {
        self.git(&["show", &format!("{branch}:{path}")])
    }

    /// The paths of a branch.
    pub fn files_on(&self, branch: &str) -> Vec<String> {
        let text = self.git(&["ls-tree", "-r", "-z", "--name-only", branch]);
        text.split('\0')
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The paths that a branch changes, with git's letter for how.
    pub fn changes_on(&self, branch: &str) -> Vec<String> {
        let text = self.git(&["diff", "--name-status", "--no-renames", "HEAD", branch]);
        text.lines().map(|line| line.replace('\t', " ")).collect()
    }
}

/// Points a command at a server.
pub fn reach(command: &mut Command, server: &Server) {
    command
        .env("OPENAI_BASE_URL", server.base_url())
        .env("OPENAI_API_KEY", KEY);
}

/// A server that plays this script and keeps what it was asked.
pub fn model(script: &str) -> Server {
    model_with(script, None)
}

/// The same, which takes one key only.
pub fn model_with(script: &str, key: Option<&str>) -> Server {
    let script = Script::parse(script, Path::new("script.yaml")).unwrap_or_else(|e| panic!("{e}"));
    let options = Options {
        keep_bodies: true,
        key: key.map(str::to_owned),
        ..Options::default()
    };
    Server::start(script, options).expect("the model server starts")
}

/// The first request for a turn.
#[track_caller]
pub fn request(server: &Server, turn: u64) -> Received {
    let found = server.requests().into_iter().find(|r| r.turn == turn);
    found.unwrap_or_else(|| panic!("nobody asked for turn {turn}"))
}

/// What the harness said in the last request for a turn, since the model's last answer: results of calls, notices, and
/// its current view.
#[track_caller]
pub fn told(server: &Server, turn: u64) -> String {
    let found = server
        .requests()
        .into_iter()
        .rev()
        .find(|r| r.turn == turn)
        .unwrap_or_else(|| panic!("nobody asked for turn {turn}"));
    let input = found.body["input"].as_array().cloned().unwrap_or_default();
    let answered = |item: &Value| {
        let role = item["role"].as_str();
        let kind = item["type"].as_str().unwrap_or("message");
        role == Some("assistant") || !matches!(kind, "message" | "function_call_output")
    };
    let from = input.iter().rposition(answered).map_or(0, |at| at + 1);
    let mut text = String::new();
    for item in &input[from..] {
        for words in [&item["output"], &item["content"]] {
            match words {
                Value::String(words) => text.push_str(words),
                Value::Array(parts) => {
                    parts
                        .iter()
                        .filter_map(|part| part["text"].as_str())
                        .for_each(|words| text.push_str(words));
                }
                _ => {}
            }
        }
        text.push('\n');
    }
    text
}

/// A command that is under way. Killed if a test gives up on it.
pub struct Running {
    child: Child,
    shown: String,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until its output contains a text.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        let since = Instant::now();
        loop {
            let out = read(&self.out);
            if out.contains(text) {
                return;
            }
            let ended = self.child.try_wait().expect("it can be asked");
            if ended.is_some() || since.elapsed() > TIMEOUT {
                panic!(
                    "{} never printed `{text}`:\n{out}\n{}",
                    self.shown,
                    read(&self.err)
                );
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until its output contains a text, or that many lines without it, or nothing more: whether it does.
    pub fn until_or(&mut self, text: &str, lines_max: usize) -> bool {
        let since = Instant::now();
        loop {
            let ended = self.child.try_wait().expect("it can be asked").is_some();
            let out = read(&self.out);
            if out.contains(text) {
                return true;
            }
            if ended || out.lines().count() > lines_max || since.elapsed() > TIMEOUT {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until a call of a tool has begun.
    #[track_caller]
    pub fn until_call(&mut self, turn: u64) {
        self.until(&format!(
            "\"fact\":{{\"fact\":\"call_started\",\"turn\":{turn},"
        ));
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .expect("kill runs");
        assert!(sent.success(), "the signal was sent");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Done {
        let since = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                break status;
            }
            if since.elapsed() > TIMEOUT {
                panic!(
                    "{} did not end:\n{}\n{}",
                    self.shown,
                    read(&self.out),
                    read(&self.err)
                );
            }
            std::thread::sleep(LOOK_EVERY);
        };
        Done {
            status,
            shown: self.shown.clone(),
            out: read(&self.out),
            err: read(&self.err),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It fails only if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Done {
    status: ExitStatus,
    shown: String,
    /// What it printed.
    pub out: String,
    /// What it complained about.
    pub err: String,
}

impl Done {
    /// Its exit code; nothing if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Whether it died of SIGKILL.
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// It must have ended with this code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Done {
        assert_eq!(
            self.code(),
            Some(code),
            "{} ended with {}\n--- stdout\n{}\n--- stderr\n{}",
            self.shown,
            self.status,
            self.out,
            self.err
        );
        self
    }

    /// It must have printed this.
    #[track_caller]
    pub fn says(self, text: &str) -> Done {
        assert!(
            self.out.contains(text),
            "no `{text}` in the output of {}:\n{}",
            self.shown,
            self.out
        );
        self
    }

    /// It must have complained of this.
    #[track_caller]
    pub fn complains(self, text: &str) -> Done {
        assert!(
            self.err.contains(text),
            "no `{text}` in the errors of {}:\n{}\n--- stdout\n{}",
            self.shown,
            self.err,
            self.out
        );
        self
    }

    /// Its output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in:\n{}", self.out))
    }

    /// Its output as JSON lines.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in: {line}"));
        self.out.lines().map(line).collect()
    }

    /// The run, which `--json` prints last.
    #[track_caller]
    pub fn summary(&self) -> Value {
        let last = self.lines().pop().expect("it printed something");
        assert!(last.get("fact").is_none(), "the run is printed last");
        last
    }

    /// The delivered branch.
    #[track_caller]
    pub fn branch(&self) -> String {
        let summary = self.summary();
        let branch = summary["branch"].as_str();
        branch
            .unwrap_or_else(|| panic!("no branch: {summary:#}"))
            .to_owned()
    }

    /// `report.md`.
    #[track_caller]
    pub fn report_text(&self) -> String {
        let summary = self.summary();
        let path = summary["report"].as_str().expect("a report was written");
        assert!(path.ends_with("report.md"), "{path}");
        fs::read_to_string(path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// `report.json`.
    #[track_caller]
    pub fn report(&self) -> Value {
        let summary = self.summary();
        let path = Path::new(summary["report"].as_str().expect("a report was written"));
        let text = fs::read_to_string(path.with_extension("json")).expect("report.json is there");
        serde_json::from_str(&text).expect("it is JSON")
    }
}

/// The name of an event.
pub fn name(event: &Value) -> &str {
    event["fact"]["fact"].as_str().unwrap_or_default()
}

/// The facts of one name.
pub fn facts<'a>(events: &'a [Value], wanted: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| name(event) == wanted)
        .map(|event| &event["fact"])
        .collect()
}

/// The denials of a report as `rule what`, each as often as it happened.
pub fn denials(report: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for denial in report["denials"].as_array().into_iter().flatten() {
        let text = |field: &str| denial[field].as_str().unwrap_or("?");
        let line = format!("{} {}", text("rule"), text("what"));
        let count = denial["count"].as_u64().unwrap_or(0);
        all.extend((0..count).map(|_| line.clone()));
    }
    all
}

/// The texts of a JSON array.
pub fn texts(value: &Value) -> Vec<String> {
    let all = value.as_array().cloned().unwrap_or_default();
    all.iter()
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}

/// What git says somewhere; it must succeed.
#[track_caller]
pub fn git(dir: &Path, args: &[&str]) -> String {
    let done = git_command(dir, args).output().expect("git runs");
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(done.status.success(), "git {args:?}: {out}{err}");
    out.into_owned()
}

fn git_command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", env_path())
        // Looking must not refresh the index: tests compare it.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_AUTHOR_NAME", "Ann Example")
        .env("GIT_AUTHOR_EMAIL", "ann@example.org")
        .env("GIT_COMMITTER_NAME", "Ann Example")
        .env("GIT_COMMITTER_EMAIL", "ann@example.org");
    command
}

fn env_path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned())
}

/// Where commands are found, the tools for the tests first.
fn tools_path() -> String {
    let mut path = env_path();
    for folder in ["mocha/bin", "py/bin"] {
        if let Some(own) = tools(folder) {
            path = format!("{}:{path}", own.display());
        }
    }
    path
}

/// A folder of the tools that were installed for the tests.
pub fn tools(folder: &str) -> Option<PathBuf> {
    let tools = std::env::var_os("OVERNIGHT_TEST_TOOLS")?;
    Some(PathBuf::from(tools).join(folder))
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn walk(root: &Path, dir: &Path, all: &mut BTreeMap<String, (u32, Vec<u8>)>) {
    for entry in fs::read_dir(dir).expect("readable").flatten() {
        let path = entry.path();
        let meta = path.symlink_metadata().expect("there");
        if meta.is_dir() {
            walk(root, &path, all);
            continue;
        }
        let content = if meta.is_symlink() {
            fs::read_link(&path)
                .expect("a link")
                .into_os_string()
                .into_encoded_bytes()
        } else {
            fs::read(&path).expect("readable")
        };
        let name = path
            .strip_prefix(root)
            .expect("below")
            .to_string_lossy()
            .into_owned();
        all.insert(name, (meta.permissions().mode(), content));
    }
}

/// Whether a command line works here. If not, the test that needs it is skipped, loudly; where `CI` is set, it fails.
#[track_caller]
pub fn have(probe: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", probe]).stdin(Stdio::null());
    command.env("PATH", tools_path());
    let done = command.output().expect("sh runs");
    if done.status.success() {
        return true;
    }
    let why = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    assert!(
        std::env::var_os("CI").is_none(),
        "`{probe}` does not work here, and CI is set: {why}"
    );
    eprintln!("SKIPPED: `{probe}` does not work here: {why}");
    false
}
