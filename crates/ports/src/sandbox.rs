//! Processes under a policy. A [`Sandbox`] opens cells; a [`Cell`] is one closed world with a workspace, a private
//! home and temporary folder and its own loopback, in which commands run one after the other or in the background.

use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// Where the agent's cell sees its workspace, whatever the folder is called outside.
pub const WORKSPACE_INSIDE: &str = "/workspace";
/// The place of a layer that is the whole workspace: what commands write comes to lie in [`CellSpec::workspace`], which
/// begins as an empty folder, and the layer itself stays as it is.
pub const WHOLE_WORKSPACE: &str = ".";
/// How much of a command's output is kept, bytes; the rest is read and dropped, and the result says so.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a cell may see, write and reach.
#[derive(Debug, Clone)]
pub struct CellSpec {
    /// The folder that is writable inside.
    pub workspace: PathBuf,
    /// Where it is seen inside: an absolute path of one component. Checks see theirs at a place that no file can name,
    /// so that what holds only at the agent's place is found out.
    pub inside: PathBuf,
    /// A folder of the harness's own for this cell's private home, temporary folder and the upper layers of its
    /// copy-on-write mounts. Made if absent; kept between two cells of the same spec; never shared by two at once.
    pub private: PathBuf,
    /// The `private` folder of the setup cell whose home and package caches this one builds upon, copy-on-write.
    pub base_layer: Option<PathBuf>,
    /// Folders below the workspace (relative) to be mounted there copy-on-write from elsewhere: what the setup
    /// made (`node_modules`, `.venv` …). At most one may be at [`WHOLE_WORKSPACE`].
    pub layers: Vec<Layer>,
    /// Folders below the workspace (relative) that are read-only inside.
    pub readonly: Vec<String>,
    /// What may be reached.
    pub network: Network,
    /// Variables besides the ones that the sandbox sets itself (`PATH`, `HOME`, `TMPDIR`, `LANG`, …). The caller's
    /// environment is never inherited.
    pub env: BTreeMap<String, String>,
    /// Further folders and files of the host that must not be readable inside: `$OVERNIGHT_HOME`, for one.
    pub hidden: Vec<PathBuf>,
}

/// A folder mounted copy-on-write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Where, relative to the workspace.
    pub at: String,
    /// From what.
    pub from: PathBuf,
}

/// What a cell may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// Its own loopback only.
    Loopback,
    /// Its own loopback, and these hosts (`host`, `host:port`, `*.host`) through an allow-listing proxy;
    /// `localhost:PORT` is the host's own service, seen inside at the same address.
    Hosts(Vec<String>),
    /// The host's network, and the package managers' own configuration with it. For `use.setup` alone, before any
    /// code of the agent exists.
    Host,
}

/// One command.
#[derive(Debug, Clone)]
pub struct Command {
    /// For `sh -c`.
    pub script: String,
    /// Working directory relative to the workspace; empty for its root.
    pub dir: String,
    /// Variables on top of the cell's.
    pub env: BTreeMap<String, String>,
    /// It is killed with all that it started when this is over.
    pub timeout: Duration,
    /// Given to it as standard input; none is an empty one.
    pub stdin: Option<Vec<u8>>,
    /// Whether standard error is kept apart from standard output.
    pub streams: Streams,
}

/// What becomes of a command's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// One after the other, as a terminal would show them.
    Merged,
    /// Apart.
    Split,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Killed at its limit.
    TimedOut,
    /// Killed because the cell was closed or somebody asked for it.
    Killed,
}

impl Exit {
    /// The code as a shell says it: 128 + n for a signal; `None` if it was not allowed to end.
    pub fn code(self) -> Option<i32> {
        match self {
            Exit::Code(code) => Some(code),
            Exit::Signal(n) => Some(128 + n),
            Exit::TimedOut | Exit::Killed => None,
        }
    }
}

/// What a finished command left.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub exit: Exit,
    /// Standard output (and error, if merged), the first [`OUTPUT_BYTES_MAX`] bytes.
    pub stdout: Vec<u8>,
    /// Standard error, if split.
    pub stderr: Vec<u8>,
    /// Bytes that were dropped.
    pub dropped: u64,
    /// Wall time.
    pub duration: Duration,
}

/// How much of the policy the kernel enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Namespaces, Landlock and seccomp.
    Full,
    /// Nothing: the person asked for `--unsafe-no-sandbox`.
    None,
}

/// Why a cell could not be opened or a command not be run.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The kernel does not offer what is needed.
    #[error("this kernel offers no sandbox: {0}")]
    Unsupported(String),
    /// The policy cannot be put into effect.
    #[error("cannot open the sandbox: {0}")]
    Open(String),
    /// The cell is gone (it was closed, or its first process was killed).
    #[error("the sandbox is closed")]
    Closed,
    /// The working directory does not exist, or is no directory.
    #[error("no such directory in the workspace: {0}")]
    NoDirectory(String),
    /// Anything else.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Opens cells.
#[async_trait]
pub trait Sandbox: Send + Sync {
    /// What the cells opened here enforce.
    fn level(&self) -> Level;
    /// One line for receipts: `namespaces+landlock(7)+seccomp`.
    fn describe(&self) -> String;
    /// Opens a cell.
    async fn open(&self, spec: CellSpec) -> Result<Box<dyn Cell>, SandboxError>;
}

/// A closed world. Everything in it dies when it is closed or dropped, and when the harness dies, however.
#[async_trait]
pub trait Cell: Send + Sync {
    /// The workspace as the commands inside see it.
    fn root(&self) -> &Path;
    /// Runs a command to its end. Everything that it started, however detached, is dead when this returns.
    async fn run(&self, command: Command) -> Result<Finished, SandboxError>;
    /// Starts a command that outlives the call. `timeout` is ignored.
    async fn start(&self, command: Command) -> Result<Box<dyn Background>, SandboxError>;
    /// Starts a command that is talked to over its standard streams. `timeout`, `stdin` and `streams` are ignored.
    async fn talk(&self, command: Command) -> Result<Talk, SandboxError>;
    /// The hosts that were asked for inside and denied, as `host:port`, since the cell was opened; each once.
    fn denied_hosts(&self) -> Vec<String> {
        Vec::new()
    }
    /// Kills everything inside and frees what the cell held.
    async fn close(&self);
}

/// A command that is talked to while it runs. What it writes to standard error is the background command's output.
pub struct Talk {
    /// Its standard input. Dropping it is the end of it.
    pub stdin: PipeWriter,
    /// Its standard output.
    pub stdout: PipeReader,
    /// The command itself. It must be killed, or its cell closed, whether or not the pipes are.
    pub command: Box<dyn Background>,
}

/// A command in the background. Dropping it leaves it running; it dies with its cell.
#[async_trait]
pub trait Background: Send + Sync {
    /// Its exit, if it has ended.
    fn exit(&self) -> Option<Exit>;
    /// What it has printed so far, merged, from byte `from` on; the oldest bytes give way when there is too much.
    fn output(&self, from: usize) -> Vec<u8>;
    /// Waits until it ends.
    async fn wait(&self) -> Exit;
    /// Kills it with all that it started.
    async fn kill(&self);
}
