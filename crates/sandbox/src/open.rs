//! No sandbox: commands run as the caller, in process groups of their own. For `--unsafe-no-sandbox`, and for
//! systems that offer no better. What [`CellSpec`] denies is not denied here; the folders and the environment are
//! the same as far as they can be.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use overnight_ports::sandbox::{
    Background, Cell, CellSpec, Command, Exit, Finished, Level, OUTPUT_BYTES_MAX, Sandbox,
    SandboxError, Streams, Talk, WHOLE_WORKSPACE,
};
use tokio::net::unix::pipe::Receiver;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::copy;
use crate::environment::Host;
use crate::follow::{Followed, follow};
use crate::output::{Head, Tail};

/// How much of a background command's output is kept, bytes.
const BACKGROUND_OUTPUT_BYTES: usize = 8 * 1024 * 1024;
/// The variable by which the processes of a cell find each other, when they have left their process group.
const MARK: &str = "OVERNIGHT_CELL";

/// Opens cells that hold nothing.
#[derive(Debug, Clone)]
pub struct OpenSandbox {
    host: Host,
}

impl OpenSandbox {
    /// With this process's environment as the one to take the basics from.
    pub fn new() -> OpenSandbox {
        OpenSandbox {
            host: Host::current(),
        }
    }
}

impl Default for OpenSandbox {
    fn default() -> OpenSandbox {
        OpenSandbox::new()
    }
}

#[async_trait]
impl Sandbox for OpenSandbox {
    fn level(&self) -> Level {
        Level::None
    }

    fn describe(&self) -> String {
        "none".to_owned()
    }

    async fn open(&self, spec: CellSpec) -> Result<Box<dyn Cell>, SandboxError> {
        let host = self.host.clone();
        let opening = spawn_blocking(move || OpenCell::new(&host, spec));
        Ok(Box::new(opening.await.map_err(|error| {
            SandboxError::Open(error.to_string())
        })??))
    }
}

struct OpenCell {
    workspace: PathBuf,
    env: BTreeMap<String, String>,
    shared: Arc<Shared>,
}

/// What a cell's commands have in common.
struct Shared {
    /// The value of [`MARK`] for this cell's processes.
    mark: String,
    /// The process groups that run.
    groups: Mutex<Vec<i32>>,
    closed: AtomicBool,
}

impl Drop for OpenCell {
    fn drop(&mut self) {
        self.shared.kill_all();
    }
}

impl OpenCell {
    fn new(host: &Host, spec: CellSpec) -> Result<OpenCell, SandboxError> {
        static CELLS: AtomicU64 = AtomicU64::new(0);
        let workspace = spec.workspace.canonicalize().map_err(|error| {
            SandboxError::Open(format!(
                "the workspace {}: {error}",
                spec.workspace.display()
            ))
        })?;
        let temporary = spec.private.join("tmp");
        fs::create_dir_all(&temporary)?;
        for layer in &spec.layers {
            if matches!(layer.at.as_str(), "" | WHOLE_WORKSPACE) {
                if fs::read_dir(&workspace)?.next().is_none() {
                    copy::tree(&layer.from, &workspace)?;
                }
                continue;
            }
            let at = below(&workspace, &layer.at).ok_or_else(|| {
                SandboxError::Open(format!("{:?} is not below the workspace", layer.at))
            })?;
            // Nothing is mounted here, so it is copied, once.
            if !at.exists() {
                copy::tree(&layer.from, &at)?;
            }
        }
        let home = host
            .home()
            .map_or_else(|| spec.private.join("home"), Path::to_owned);
        let mark = format!(
            "{}-{}",
            std::process::id(),
            CELLS.fetch_add(1, Ordering::Relaxed)
        );
        let path: Vec<_> = host
            .path()
            .iter()
            .map(|folder| folder.to_string_lossy().into_owned())
            .collect();
        let mut env = host.basics(&home, &temporary);
        env.insert("PATH".to_owned(), path.join(":"));
        env.extend(spec.env);
        env.insert(MARK.to_owned(), mark.clone());
        let shared = Shared {
            mark,
            groups: Mutex::default(),
            closed: AtomicBool::new(false),
        };
        Ok(OpenCell {
            workspace,
            env,
            shared: Arc::new(shared),
        })
    }

    fn spawn(
        &self,
        command: &Command,
    ) -> Result<(Running, Receiver, Option<Receiver>), SandboxError> {
        let (stdout, out_end) = io::pipe()?;
        let (stderr, err_end) = match command.streams {
            Streams::Merged => (None, out_end.try_clone()?),
            Streams::Split => {
                let (stderr, end) = io::pipe()?;
                (Some(Receiver::from_owned_fd(OwnedFd::from(stderr))?), end)
            }
        };
        let stdin = match &command.stdin {
            Some(bytes) => Stdio::from(unnamed_file(bytes)?),
            None => Stdio::null(),
        };
        let running = self.spawn_with(command, [stdin, out_end.into(), err_end.into()])?;
        Ok((
            running,
            Receiver::from_owned_fd(OwnedFd::from(stdout))?,
            stderr,
        ))
    }

    /// Starts a command with these standard streams.
    fn spawn_with(
        &self,
        command: &Command,
        [stdin, stdout, stderr]: [Stdio; 3],
    ) -> Result<Running, SandboxError> {
        if self.shared.closed.load(Ordering::Relaxed) {
            return Err(SandboxError::Closed);
        }
        let no_directory = || SandboxError::NoDirectory(command.dir.clone());
        let dir = below(&self.workspace, &command.dir)
            .filter(|dir| dir.is_dir())
            .ok_or_else(no_directory)?;
        let child = tokio::process::Command::new("/bin/sh")
            .args(["-c", &command.script])
            .current_dir(dir)
            .env_clear()
            .envs(&self.env)
            .envs(&command.env)
            .env(MARK, &self.shared.mark)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or_default();
        lock(&self.shared.groups).push(group);
        Ok(Running {
            child,
            group,
            shared: Arc::clone(&self.shared),
        })
    }

    /// Follows a command that nobody waits for, and keeps the end of one of its streams.
    fn in_background(&self, mut running: Running, stream: Receiver) -> OpenBackground {
        let output = Arc::new(Mutex::new(Tail::new(BACKGROUND_OUTPUT_BYTES)));
        let (ended, exit) = watch::channel(None);
        let background = OpenBackground {
            group: running.group,
            output: Arc::clone(&output),
            exit,
        };
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let sink = &mut |bytes: &[u8]| lock(&output).take(bytes);
            let followed = follow(
                running.child.wait(),
                || {},
                None,
                (stream, sink),
                (None, &mut |_| {}),
            )
            .await;
            let exit = match followed {
                Ok(Followed::Ended(Ok(status))) => shared.exit_of(status),
                Ok(_) | Err(_) => Exit::Killed,
            };
            drop(running);
            // Nobody may be interested any more.
            let _ = ended.send(Some(exit));
        });
        background
    }
}

/// A command's processes. Dropping it kills them.
struct Running {
    child: Child,
    group: i32,
    shared: Arc<Shared>,
}

impl Drop for Running {
    fn drop(&mut self) {
        kill_group(self.group);
        lock(&self.shared.groups).retain(|group| *group != self.group);
    }
}

impl Shared {
    fn kill_all(&self) {
        self.closed.store(true, Ordering::Relaxed);
        for group in lock(&self.groups).iter() {
            kill_group(*group);
        }
        kill_marked(&self.mark);
    }
}

#[async_trait]
impl Cell for OpenCell {
    fn root(&self) -> &Path {
        &self.workspace
    }

    async fn run(&self, command: Command) -> Result<Finished, SandboxError> {
        let started = Instant::now();
        let (mut running, out, err) = self.spawn(&command)?;
        let group = running.group;
        let (mut stdout, mut stderr) = (Head::new(OUTPUT_BYTES_MAX), Head::new(OUTPUT_BYTES_MAX));
        let followed = follow(
            running.child.wait(),
            || kill_group(group),
            started.checked_add(command.timeout),
            (out, &mut |bytes| stdout.take(bytes)),
            (err, &mut |bytes| stderr.take(bytes)),
        )
        .await?;
        let exit = match followed {
            Followed::Ended(status) => self.shared.exit_of(status?),
            Followed::TimedOut | Followed::Undead => Exit::TimedOut,
        };
        drop(running);
        Ok(Finished {
            exit,
            dropped: stdout.dropped + stderr.dropped,
            stdout: stdout.bytes,
            stderr: stderr.bytes,
            duration: started.elapsed(),
        })
    }

    async fn start(&self, command: Command) -> Result<Box<dyn Background>, SandboxError> {
        let (running, out, _) = self.spawn(&Command {
            streams: Streams::Merged,
            ..command
        })?;
        Ok(Box::new(self.in_background(running, out)))
    }

    async fn talk(&self, command: Command) -> Result<Talk, SandboxError> {
        let (stdin_end, stdin) = io::pipe()?;
        let (stdout, stdout_end) = io::pipe()?;
        let (stderr, stderr_end) = io::pipe()?;
        let streams = [stdin_end.into(), stdout_end.into(), stderr_end.into()];
        let running = self.spawn_with(&command, streams)?;
        let stderr = Receiver::from_owned_fd(OwnedFd::from(stderr))?;
        Ok(Talk {
            stdin,
            stdout,
            command: Box::new(self.in_background(running, stderr)),
        })
    }

    async fn close(&self) {
        self.shared.kill_all();
    }
}

impl Shared {
    fn exit_of(&self, status: ExitStatus) -> Exit {
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(libc::SIGKILL)) if self.closed.load(Ordering::Relaxed) => Exit::Killed,
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        }
    }
}

struct OpenBackground {
    group: i32,
    output: Arc<Mutex<Tail>>,
    exit: watch::Receiver<Option<Exit>>,
}

#[async_trait]
impl Background for OpenBackground {
    fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    fn output(&self, from: usize) -> Vec<u8> {
        lock(&self.output).since(from)
    }

    async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|exit| *exit);
        ended.unwrap_or(Exit::Killed)
    }

    async fn kill(&self) {
        if self.exit().is_none() {
            kill_group(self.group);
        }
        self.wait().await;
    }
}

/// A path below the workspace, by its spelling.
fn below(workspace: &Path, path: &str) -> Option<PathBuf> {
    let is_below = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    is_below.then(|| workspace.join(path))
}

/// A file with this content that nobody else can find.
fn unnamed_file(content: &[u8]) -> io::Result<fs::File> {
    static FILES: AtomicU64 = AtomicU64::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let path =
        std::env::temp_dir().join(format!("overnight-stdin-{}-{number}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    fs::remove_file(&path)?;
    file.write_all(content)?;
    file.rewind()?;
    Ok(file)
}

fn kill_group(group: i32) {
    if group > 1 {
        // SAFETY: integers alone. A group that is gone cannot be killed, which is fine.
        unsafe { libc::killpg(group, libc::SIGKILL) };
    }
}

/// Kills what has left its process group but kept the cell's mark in its environment.
fn kill_marked(mark: &str) {
    let variable = format!("{MARK}={mark}");
    let Ok(processes) = fs::read_dir("/proc") else {
        return;
    };
    for process in processes.flatten() {
        let Some(id) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let Ok(environment) = fs::read(process.path().join("environ")) else {
            continue;
        };
        if environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == variable.as_bytes())
        {
            // SAFETY: integers alone.
            unsafe { libc::kill(id, libc::SIGKILL) };
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
