//! The harness's side of a cell: it starts the helper, hands it commands, keeps their limits and reads their output.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use nix::fcntl::OFlag;
use nix::sys::socket::{
    AddressFamily, Shutdown, SockFlag, SockType, setsockopt, shutdown, socketpair, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::unistd::pipe2;
use overnight_ports::sandbox::{
    Background, Cell, CellSpec, Command, Exit, Finished, Network, OUTPUT_BYTES_MAX, SandboxError,
    Streams, Talk,
};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::{Instant, timeout};

use super::hint;
use super::plan::{Plan, forget_placeholders, relative};
use super::wire::{self, End, FIRST_ARGUMENT, Job, Listener, Reply, Request};
use crate::environment::Host;
use crate::follow::{Followed, follow};
use crate::output::{Head, Tail};
use crate::proxy::{self, Denied, DeniedLog, Rules};

/// How long opening may take. It is milliseconds, unless folders have to be copied because the file system offers
/// no copy-on-write mounts.
const OPEN_TIMEOUT_SECONDS: i64 = 600;
/// How long sending to the helper may take; it reads at once.
const SEND_TIMEOUT_SECONDS: i64 = 10;
/// How long closing waits for the helper to be gone.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of a background command's output is kept, bytes.
const BACKGROUND_OUTPUT_BYTES: usize = 8 * 1024 * 1024;

/// A cell made of namespaces, Landlock and seccomp.
pub struct LinuxCell {
    helper: Arc<Helper>,
    root: PathBuf,
    env: BTreeMap<String, String>,
    denied: Arc<DeniedLog>,
    /// The proxy and the forwarded ports.
    outlets: Vec<AbortHandle>,
}

/// The connection to the helper.
struct Helper {
    control: OwnedFd,
    next: AtomicU64,
    /// Who waits for which command's end; `None` when the helper is gone.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<End>>>>,
    gone: watch::Receiver<bool>,
}

/// A command that has been handed over.
struct Launched {
    ended: oneshot::Receiver<End>,
    stdout: Receiver,
    stderr: Option<Receiver>,
    guard: KillOnDrop,
}

/// Kills the command unless it has ended: whoever stops waiting for a command does not want it any more.
struct KillOnDrop {
    helper: Arc<Helper>,
    id: u64,
    armed: bool,
}

impl KillOnDrop {
    /// The command has ended.
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if self.armed {
            self.helper.kill(self.id);
        }
    }
}

/// What the helper answered when the cell was open.
struct Opened {
    helper: Helper,
    child: Child,
    path: Vec<PathBuf>,
    listeners: Vec<(Listener, std::net::TcpListener)>,
    gone: watch::Sender<bool>,
}

impl LinuxCell {
    pub(super) async fn open(
        helper: PathBuf,
        host: Arc<Host>,
        spec: CellSpec,
    ) -> Result<LinuxCell, SandboxError> {
        let network = spec.network.clone();
        let root = spec.inside.clone();
        let opening = spawn_blocking(move || {
            let plan = Plan::new(&host, &spec)?;
            let opened = start_helper(&helper, &plan)?;
            Ok::<_, SandboxError>((plan, opened))
        });
        let (plan, opened) = opening
            .await
            .map_err(|error| SandboxError::Open(error.to_string()))??;
        let Plan {
            setup,
            mut env,
            rules,
        } = plan;
        let Opened {
            helper,
            child,
            path,
            listeners,
            gone,
        } = opened;
        let helper = Arc::new(helper);
        let reader = Arc::clone(&helper);
        let home = setup.private.join("home");
        thread::Builder::new()
            .name("overnight-cell".to_owned())
            .spawn(move || {
                read_replies(&reader, child);
                forget_placeholders(&home);
                // Nobody may be interested.
                let _ = gone.send(true);
            })?;
        // The cell from here on: an early return closes it.
        let mut cell = LinuxCell {
            helper,
            root,
            env: BTreeMap::new(),
            denied: Arc::default(),
            outlets: Vec::new(),
        };
        let path: Vec<_> = path.iter().map(|folder| folder.to_string_lossy()).collect();
        env.entry("PATH".to_owned()).or_insert(path.join(":"));
        if matches!(network, Network::Hosts(_)) {
            cell.open_outlets(listeners, Arc::new(rules), &mut env)?;
        }
        cell.env = env;
        Ok(cell)
    }

    /// The hosts that were asked for in this cell and denied, and how often.
    pub fn denied(&self) -> Vec<Denied> {
        self.denied.list()
    }

    fn open_outlets(
        &mut self,
        listeners: Vec<(Listener, std::net::TcpListener)>,
        rules: Arc<Rules>,
        env: &mut BTreeMap<String, String>,
    ) -> io::Result<()> {
        for (listener, socket) in listeners {
            socket.set_nonblocking(true)?;
            let socket = tokio::net::TcpListener::from_std(socket)?;
            let task = match listener {
                Listener::Proxy(port) => {
                    env.extend(proxy_variables(port));
                    tokio::spawn(proxy::serve(
                        socket,
                        Arc::clone(&rules),
                        Arc::clone(&self.denied),
                    ))
                }
                Listener::Forward(port) => tokio::spawn(proxy::forward(socket, port)),
            };
            self.outlets.push(task.abort_handle());
        }
        Ok(())
    }

    /// Hands a command over with its own pipes.
    fn launch(&self, command: &Command) -> Result<Launched, SandboxError> {
        let stdin: OwnedFd = match &command.stdin {
            Some(bytes) => wire::memory_file(bytes)?,
            None => File::open("/dev/null")?.into(),
        };
        let (stdout, stdout_end) = pipe()?;
        let (stderr, stderr_end) = match command.streams {
            Streams::Merged => (None, stdout_end.try_clone()?),
            Streams::Split => {
                let (stderr, end) = pipe()?;
                (Some(Receiver::from_owned_fd(stderr)?), end)
            }
        };
        let (ended, guard) = self.hand_over(command, [&stdin, &stdout_end, &stderr_end])?;
        Ok(Launched {
            ended,
            stdout: Receiver::from_owned_fd(stdout)?,
            stderr,
            guard,
        })
    }

    /// Hands a command over with these standard streams.
    fn hand_over(
        &self,
        command: &Command,
        streams: [&OwnedFd; 3],
    ) -> Result<(oneshot::Receiver<End>, KillOnDrop), SandboxError> {
        let dir =
            relative(&command.dir).map_err(|_| SandboxError::NoDirectory(command.dir.clone()))?;
        let mut env = self.env.clone();
        env.extend(command.env.clone());
        if let Some(name) = env
            .keys()
            .find(|name| name.is_empty() || name.contains('='))
        {
            return Err(SandboxError::Open(format!(
                "{name:?} is not a variable's name"
            )));
        }
        let job = Job {
            script: command.script.clone(),
            dir: self.root.join(dir).to_string_lossy().into_owned(),
            env,
        };
        let job = wire::memory_file(&serde_json::to_vec(&job).map_err(io::Error::from)?)?;
        let [stdin, stdout, stderr] = streams;
        let fds = [job.as_fd(), stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        let (id, ended) = self.helper.request_run(&fds)?;
        let guard = KillOnDrop {
            helper: Arc::clone(&self.helper),
            id,
            armed: true,
        };
        Ok((ended, guard))
    }

    /// Follows a command that nobody waits for, and keeps the end of one of its streams.
    fn in_background(
        &self,
        mut ended: oneshot::Receiver<End>,
        guard: KillOnDrop,
        stream: Receiver,
        dir: String,
    ) -> LinuxBackground {
        let output = Arc::new(Mutex::new(Tail::new(BACKGROUND_OUTPUT_BYTES)));
        let (tell, exit) = watch::channel(None);
        let background = LinuxBackground {
            helper: Arc::clone(&self.helper),
            id: guard.id,
            output: Arc::clone(&output),
            exit,
        };
        tokio::spawn(async move {
            let followed = follow(
                &mut ended,
                || {},
                None,
                (stream, &mut |bytes| lock(&output).take(bytes)),
                (None, &mut |_| {}),
            )
            .await;
            let end = match followed {
                Ok(Followed::Ended(Ok(end))) => end,
                Ok(_) | Err(_) => End::Killed,
            };
            guard.disarm();
            let exit = exit_of(end, &dir).unwrap_or_else(|error| {
                lock(&output).take(format!("{error}\n").as_bytes());
                Exit::Code(NOT_STARTED)
            });
            // Nobody may be interested any more.
            let _ = tell.send(Some(exit));
        });
        background
    }
}

impl Drop for LinuxCell {
    fn drop(&mut self) {
        for outlet in &self.outlets {
            outlet.abort();
        }
        self.helper.hang_up();
    }
}

#[async_trait]
impl Cell for LinuxCell {
    fn root(&self) -> &Path {
        &self.root
    }

    async fn run(&self, command: Command) -> Result<Finished, SandboxError> {
        let started = Instant::now();
        let Launched {
            mut ended,
            stdout: out,
            stderr: err,
            guard,
        } = self.launch(&command)?;
        let (mut stdout, mut stderr) = (Head::new(OUTPUT_BYTES_MAX), Head::new(OUTPUT_BYTES_MAX));
        let followed = follow(
            &mut ended,
            || self.helper.kill(guard.id),
            // Further away than the clock reaches is as good as never.
            started.checked_add(command.timeout),
            (out, &mut |bytes| stdout.take(bytes)),
            (err, &mut |bytes| stderr.take(bytes)),
        )
        .await?;
        let exit = match followed {
            Followed::Ended(end) => {
                guard.disarm();
                exit_of(end.unwrap_or(End::Killed), &command.dir)?
            }
            Followed::TimedOut => {
                guard.disarm();
                Exit::TimedOut
            }
            Followed::Undead => {
                // It does not die of its own kill, so the whole cell has to.
                self.helper.hang_up();
                Exit::TimedOut
            }
        };
        Ok(Finished {
            exit,
            dropped: stdout.dropped + stderr.dropped,
            stdout: stdout.bytes,
            stderr: stderr.bytes,
            duration: started.elapsed(),
        })
    }

    async fn start(&self, command: Command) -> Result<Box<dyn Background>, SandboxError> {
        let command = Command {
            streams: Streams::Merged,
            ..command
        };
        let Launched {
            ended,
            stdout,
            guard,
            ..
        } = self.launch(&command)?;
        Ok(Box::new(self.in_background(
            ended,
            guard,
            stdout,
            command.dir,
        )))
    }

    async fn talk(&self, command: Command) -> Result<Talk, SandboxError> {
        let (stdin_end, stdin) = pipe()?;
        let (stdout, stdout_end) = pipe()?;
        let (stderr, stderr_end) = pipe()?;
        let (ended, guard) = self.hand_over(&command, [&stdin_end, &stdout_end, &stderr_end])?;
        let stderr = Receiver::from_owned_fd(stderr)?;
        let background = self.in_background(ended, guard, stderr, command.dir);
        Ok(Talk {
            stdin: stdin.into(),
            stdout: stdout.into(),
            command: Box::new(background),
        })
    }

    fn denied_hosts(&self) -> Vec<String> {
        self.denied
            .list()
            .iter()
            .map(|denied| format!("{}:{}", denied.host, denied.port))
            .collect()
    }

    async fn close(&self) {
        self.helper.hang_up();
        for outlet in &self.outlets {
            outlet.abort();
        }
        let mut gone = self.helper.gone.clone();
        // Past the limit the kernel is still at it (a process stuck in a device, say); it cannot be hurried.
        let _ = timeout(CLOSE_TIMEOUT, gone.wait_for(|gone| *gone)).await;
    }
}

/// A shell's code for a command that cannot be executed: what a background command ends with that was never one.
const NOT_STARTED: i32 = 126;

fn exit_of(end: End, dir: &str) -> Result<Exit, SandboxError> {
    match end {
        End::Code(code) => Ok(Exit::Code(code)),
        End::Signal(signal) => Ok(Exit::Signal(signal)),
        End::Killed => Ok(Exit::Killed),
        End::NoDirectory => Err(SandboxError::NoDirectory(dir.to_owned())),
        End::Broken(what) => Err(SandboxError::Io(io::Error::other(format!(
            "the command could not be started: {what}"
        )))),
    }
}

struct LinuxBackground {
    helper: Arc<Helper>,
    id: u64,
    output: Arc<Mutex<Tail>>,
    exit: watch::Receiver<Option<Exit>>,
}

#[async_trait]
impl Background for LinuxBackground {
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
        // The runtime that followed it is shutting down, and the cell with it.
        ended.unwrap_or(Exit::Killed)
    }

    async fn kill(&self) {
        self.helper.kill(self.id);
        self.wait().await;
    }
}

impl Helper {
    fn request_run(
        &self,
        fds: &[std::os::fd::BorrowedFd<'_>],
    ) -> Result<(u64, oneshot::Receiver<End>), SandboxError> {
        let (sender, ended) = oneshot::channel();
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.waiting)
            .as_mut()
            .ok_or(SandboxError::Closed)?
            .insert(id, sender);
        if wire::send(self.control.as_fd(), &Request::Run { id }, fds).is_err() {
            if let Some(waiting) = lock(&self.waiting).as_mut() {
                waiting.remove(&id);
            }
            return Err(SandboxError::Closed);
        }
        Ok((id, ended))
    }

    fn kill(&self, id: u64) {
        // If the helper is gone, so is the command.
        let _ = wire::send(self.control.as_fd(), &Request::Kill { id }, &[]);
    }

    /// Ends the connection: the helper ends, and everything in the cell with it.
    fn hang_up(&self) {
        let _ = shutdown(self.control.as_raw_fd(), Shutdown::Both);
    }
}

/// Hands the ends of commands to those who wait for them, until the helper is gone; then reaps it.
fn read_replies(helper: &Helper, mut child: Child) {
    while let Ok(Some((reply, _))) = wire::receive::<Reply>(helper.control.as_fd()) {
        if let Reply::Ended { id, end } = reply
            && let Some(sender) = lock(&helper.waiting)
                .as_mut()
                .and_then(|waiting| waiting.remove(&id))
        {
            // Nobody may wait any more.
            let _ = sender.send(end);
        }
    }
    helper.hang_up();
    // It ends after its child, the cell's first process, which ends after everything else in the cell.
    let _ = child.wait();
    *lock(&helper.waiting) = None;
}

fn start_helper(program: &Path, plan: &Plan) -> Result<Opened, SandboxError> {
    let (control, theirs) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )
    .map_err(io::Error::from)?;
    let limit = |seconds| TimeVal::seconds(seconds);
    setsockopt(&control, sockopt::SendTimeout, &limit(SEND_TIMEOUT_SECONDS))
        .map_err(io::Error::from)?;
    setsockopt(
        &control,
        sockopt::ReceiveTimeout,
        &limit(OPEN_TIMEOUT_SECONDS),
    )
    .map_err(io::Error::from)?;
    let mut child = std::process::Command::new(program)
        .arg(FIRST_ARGUMENT)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| {
            SandboxError::Open(format!(
                "the helper {} does not start: {error}",
                program.display()
            ))
        })?;
    match hand_over(&control, plan) {
        Ok((path, listeners)) => {
            setsockopt(&control, sockopt::ReceiveTimeout, &limit(0)).map_err(io::Error::from)?;
            let (gone, is_gone) = watch::channel(false);
            let helper = Helper {
                control,
                next: AtomicU64::new(1),
                waiting: Mutex::new(Some(HashMap::new())),
                gone: is_gone,
            };
            Ok(Opened {
                helper,
                child,
                path,
                listeners,
                gone,
            })
        }
        Err(error) => {
            drop(control);
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

type Ready = (Vec<PathBuf>, Vec<(Listener, std::net::TcpListener)>);

fn hand_over(control: &OwnedFd, plan: &Plan) -> Result<Ready, SandboxError> {
    let setup = serde_json::to_vec(&plan.setup).map_err(|error| {
        SandboxError::Open(format!("a path cannot be handed to the helper: {error}"))
    })?;
    let setup = wire::memory_file(&setup)?;
    wire::send(control.as_fd(), &(), &[setup.as_fd()])?;
    let answer = wire::receive::<Reply>(control.as_fd())
        .map_err(|error| SandboxError::Open(format!("the helper does not answer: {error}")))?;
    match answer {
        Some((Reply::Ready { path, listeners }, fds)) => {
            Ok((path, listeners.into_iter().zip(fds.into_iter().map(Into::into)).collect()))
        }
        Some((Reply::Failed { what, refused: false }, _)) => Err(SandboxError::Open(what)),
        Some((Reply::Failed { what, refused: true }, _)) => Err(SandboxError::Unsupported(match hint() {
            Some(hint) => format!("{what}; {hint}"),
            None => what,
        })),
        Some((Reply::Ended { .. }, _)) | None => Err(SandboxError::Open(
            "the helper ended without a word; does this program's main begin with cell_main_if_asked?".to_owned(),
        )),
    }
}

/// By what name programs look for their proxy; curl reads only the small ones, others only the large.
fn proxy_variables(port: u16) -> Vec<(String, String)> {
    let proxy = format!("http://127.0.0.1:{port}");
    let mut variables = Vec::new();
    for (name, value) in [
        ("http_proxy", proxy.as_str()),
        ("https_proxy", &proxy),
        ("all_proxy", &proxy),
        ("no_proxy", "localhost,127.0.0.1,::1"),
    ] {
        variables.push((name.to_owned(), value.to_owned()));
        variables.push((name.to_ascii_uppercase(), value.to_owned()));
    }
    variables
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC)?)
}

/// Nothing that these locks guard is left half-done by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
