//! The only module that starts a process, and the process is always `git`.
//!
//! Two flavours: the harness's own ([`Git::store`]) with an explicit `GIT_DIR` and an environment built from nothing,
//! and the person's ([`Git::person`]), who sees their own configuration, for questions about their own repository
//! that only their configuration can answer. Neither is ever pointed at the agent's `.git`.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use overnight_ports::workspace::WorkspaceError;

use crate::names;

/// How long one git command may take.
const GIT_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// How much of a git command's output is read, bytes.
const STDOUT_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// How much of what git complains is kept, bytes.
const STDERR_BYTES_MAX: u64 = 16 * 1024;
/// How much of a complaint an error carries, bytes.
const COMPLAINT_BYTES_MAX: usize = 2000;

/// Settings for every git command, whoever's configuration it sees.
const ALWAYS: [&str; 6] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "core.quotePath=false",
    "core.logAllRefUpdates=false",
];
/// Settings for the harness's own git. The attributes and excludes of the machine's user say nothing about a tree,
/// and a file above the threshold is compared as binary, which bounds memory.
const OWN: [&str; 8] = [
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.bigFileThreshold=16m",
    "core.fsync=committed,loose-object,reference",
    "protocol.file.allow=always",
];

/// How a git command sees the world. Cheap to clone and to change.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    person: bool,
    dir: PathBuf,
    vars: Vec<(&'static str, OsString)>,
    settings: Vec<String>,
    limit: Duration,
}

/// What a finished command left.
struct Ended {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Git {
    /// The harness's own git on this git directory.
    pub(crate) fn store(git_dir: &Path) -> Self {
        let mut git = Git {
            person: false,
            dir: PathBuf::from("/"),
            vars: Vec::new(),
            settings: Vec::new(),
            limit: GIT_TIMEOUT,
        };
        git.vars.push(("GIT_DIR", git_dir.into()));
        git
    }

    /// git in `dir` as the person would run it there, but without hooks and without refreshing anything.
    pub(crate) fn person(dir: &Path) -> Self {
        Git {
            person: true,
            dir: dir.to_owned(),
            vars: Vec::new(),
            settings: Vec::new(),
            limit: GIT_TIMEOUT,
        }
    }

    /// With this index.
    pub(crate) fn index(&self, path: &Path) -> Self {
        self.with("GIT_INDEX_FILE", path)
    }

    /// With this work tree, run in it.
    pub(crate) fn work_tree(&self, path: &Path) -> Self {
        let mut git = self.with("GIT_WORK_TREE", path);
        git.dir = path.to_owned();
        git
    }

    /// With this variable.
    pub(crate) fn with(&self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        let mut git = self.clone();
        git.vars.push((name, value.as_ref().to_owned()));
        git
    }

    /// With this `-c` setting.
    pub(crate) fn setting(&self, setting: impl Into<String>) -> Self {
        let mut git = self.clone();
        git.settings.push(setting.into());
        git
    }

    /// With this limit for each command.
    pub(crate) fn within(&self, limit: Duration) -> Self {
        let mut git = self.clone();
        git.limit = limit;
        git
    }

    /// Runs to the end and gives its exit code, where it has one, with what it printed.
    pub(crate) fn code<A: AsRef<OsStr> + Sync>(
        &self,
        args: &[A],
    ) -> Result<(Option<i32>, Vec<u8>), WorkspaceError> {
        let ended = self.execute(args, &[])?;
        Ok((ended.code, ended.stdout))
    }

    /// Runs to the end and gives what it printed.
    pub(crate) fn run<A: AsRef<OsStr> + Sync>(
        &self,
        args: &[A],
    ) -> Result<Vec<u8>, WorkspaceError> {
        self.feed(args, &[])
    }

    /// The same with standard input.
    pub(crate) fn feed<A: AsRef<OsStr> + Sync>(
        &self,
        args: &[A],
        input: &[u8],
    ) -> Result<Vec<u8>, WorkspaceError> {
        let ended = self.execute(args, input)?;
        match ended.code {
            Some(0) => Ok(ended.stdout),
            Some(_) | None => Err(complaint(args, &ended.stderr)),
        }
    }

    /// The first line of what it prints, or `None` if it exits with 1, git's way to say that there is no such thing.
    pub(crate) fn ask<A: AsRef<OsStr> + Sync>(
        &self,
        args: &[A],
    ) -> Result<Option<String>, WorkspaceError> {
        let ended = self.execute(args, &[])?;
        match ended.code {
            Some(0) => Ok(Some(first_line(&ended.stdout))),
            Some(1) => Ok(None),
            Some(_) | None => Err(complaint(args, &ended.stderr)),
        }
    }

    /// Runs two commands, the output of this one being the input of the other, and gives what the other printed.
    pub(crate) fn pipe<A, B>(
        &self,
        args: &[A],
        into: &Git,
        into_args: &[B],
    ) -> Result<Vec<u8>, WorkspaceError>
    where
        A: AsRef<OsStr> + Sync,
        B: AsRef<OsStr> + Sync,
    {
        let mut first = self.spawn(args, Stdio::null())?;
        let from = first.stdout.take().map_or_else(Stdio::null, Stdio::from);
        let second = match into.spawn(into_args, from) {
            Ok(second) => second,
            Err(error) => {
                let _ = end(&mut first);
                return Err(error);
            }
        };
        // The first one's complaints are read while the second works, so that neither waits for the other.
        let (first, second) = std::thread::scope(|scope| {
            let reader = scope.spawn(move || wait(first, args, &[], self.limit));
            let second = wait(second, into_args, &[], into.limit);
            (reader.join(), second)
        });
        let first = first.unwrap_or_else(|_| Err(complaint(args, b"its reader ended early")))?;
        if first.code != Some(0) {
            return Err(complaint(args, &first.stderr));
        }
        let second = second?;
        match second.code {
            Some(0) => Ok(second.stdout),
            Some(_) | None => Err(complaint(into_args, &second.stderr)),
        }
    }

    fn execute<A: AsRef<OsStr> + Sync>(
        &self,
        args: &[A],
        input: &[u8],
    ) -> Result<Ended, WorkspaceError> {
        let stdin = if input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        };
        wait(self.spawn(args, stdin)?, args, input, self.limit)
    }

    fn spawn<A: AsRef<OsStr> + Sync>(
        &self,
        args: &[A],
        stdin: Stdio,
    ) -> Result<Child, WorkspaceError> {
        let mut command = Command::new(program());
        self.environment(&mut command);
        let own: &[&str] = if self.person { &[] } else { &OWN };
        for setting in ALWAYS.iter().chain(own) {
            command.arg("-c").arg(setting);
        }
        for setting in &self.settings {
            command.arg("-c").arg(setting);
        }
        command
            .args(args)
            .current_dir(&self.dir)
            .process_group(0)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| not_started(source, &self.dir))
    }

    fn environment(&self, command: &mut Command) {
        let inherited = std::env::vars_os().filter(|(name, _)| {
            let name = name.as_encoded_bytes();
            if self.person {
                !name.starts_with(b"GIT_")
            } else {
                name == b"PATH" || name == b"TMPDIR"
            }
        });
        let inherited: Vec<_> = inherited.collect();
        command.env_clear().envs(inherited);
        command
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1");
        if !self.person {
            command
                .env("GIT_CONFIG_NOSYSTEM", "1")
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_ATTR_NOSYSTEM", "1")
                .env("GIT_NO_LAZY_FETCH", "1");
        }
        for (name, value) in &self.vars {
            command.env(name, value);
        }
    }
}

/// Where git is. With a whole path the process is made without copying the harness's page tables first; with a bare
/// name and an environment of its own it would not be.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|dir| dir.join("git"))
        .find(|git| git.is_absolute() && git.is_file());
    found.unwrap_or_else(|| PathBuf::from("git"))
}

/// Waits for a command: feeds it, reads both of its outputs up to their limits, kills it when its time is over.
fn wait<A: AsRef<OsStr> + Sync>(
    mut child: Child,
    args: &[A],
    input: &[u8],
    limit: Duration,
) -> Result<Ended, WorkspaceError> {
    let stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    let (done, finished) = mpsc::channel();
    std::thread::scope(|scope| {
        if let Some(mut stdin) = stdin {
            // A command that does not want the rest of its input closes the pipe; its exit code says what that means.
            scope.spawn(move || {
                let _ = stdin.write_all(input);
            });
        }
        let errors =
            scope.spawn(move || stderr.map_or_else(Vec::new, |s| read_all(s, STDERR_BYTES_MAX).0));
        let output = scope.spawn(move || {
            let read = stdout.map_or_else(
                || (Vec::new(), false),
                |s| read_bounded(s, STDOUT_BYTES_MAX),
            );
            let _ = done.send(read.1);
            read
        });
        let verdict = match finished.recv_timeout(limit) {
            Ok(false) => None,
            Ok(true) => Some("it printed more than the harness reads"),
            Err(_) => Some("it took too long"),
        };
        let status = if verdict.is_some() {
            end(&mut child)
        } else {
            child.wait()
        };
        let stdout = output.join().map(|read| read.0).unwrap_or_default();
        let stderr = errors.join().unwrap_or_default();
        if let Some(why) = verdict {
            return Err(complaint(args, why.as_bytes()));
        }
        let status = status.map_err(|source| WorkspaceError::Io {
            path: "git".into(),
            source,
        })?;
        Ok(Ended {
            code: status.code(),
            stdout,
            stderr,
        })
    })
}

/// Kills a command with what it started, and waits for it.
fn end(child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
    if let Ok(id) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
    child.wait()
}

/// Reads up to `max` bytes; whether there was more.
fn read_bounded(mut from: impl Read, max: u64) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let _ = from.by_ref().take(max + 1).read_to_end(&mut bytes);
    let more = u64::try_from(bytes.len()).is_ok_and(|len| len > max);
    (bytes, more)
}

/// Reads to the end and keeps up to `max` bytes.
fn read_all(mut from: impl Read, max: u64) -> (Vec<u8>, bool) {
    let read = read_bounded(&mut from, max);
    let _ = std::io::copy(&mut from, &mut std::io::sink());
    read
}

fn complaint<A: AsRef<OsStr> + Sync>(args: &[A], stderr: &[u8]) -> WorkspaceError {
    let words: Vec<_> = args.iter().map(|a| a.as_ref().to_string_lossy()).collect();
    let stderr = stderr.get(..COMPLAINT_BYTES_MAX).unwrap_or(stderr);
    WorkspaceError::Git {
        command: words.join(" "),
        stderr: String::from_utf8_lossy(stderr).trim().to_owned(),
    }
}

fn not_started(source: std::io::Error, dir: &Path) -> WorkspaceError {
    if source.kind() == std::io::ErrorKind::NotFound && dir.is_dir() {
        return WorkspaceError::Refused(
            "git is not installed, or not in PATH: install git and try again".into(),
        );
    }
    WorkspaceError::Io {
        path: dir.to_owned(),
        source,
    }
}

/// The first line of a command's output.
pub(crate) fn first_line(output: &[u8]) -> String {
    let line = output.split(|b| *b == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

/// The records of a `-z` output.
pub(crate) fn records(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split(|b| *b == 0).filter(|r| !r.is_empty())
}

/// What a store's `config` file needs to say for this object format.
pub(crate) fn config(format: &str, bare: bool) -> String {
    let (version, extension) = match format {
        "sha1" => (0, String::new()),
        other => (1, format!("[extensions]\n\tobjectformat = {other}\n")),
    };
    format!(
        "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = {bare}\n{extension}"
    )
}

/// One line of `objects/info/alternates`.
pub(crate) fn alternate(objects: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let bytes = objects.as_os_str().as_bytes();
    let plain = std::str::from_utf8(bytes)
        .is_ok_and(|t| !t.contains(['"', '\n', '\\']) && !t.starts_with('#'));
    if plain {
        format!("{}\n", names::quote(bytes))
    } else {
        format!("{}\n", names::quote_always(bytes))
    }
}
