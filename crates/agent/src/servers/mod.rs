//! The goal's MCP servers: started when they are first needed, in the agent's cell or at their address, asked, and
//! started again when they were lost. One that is lost again and again is given up.

mod offer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use overnight_core::goal::{McpAt, McpServer};
use overnight_core::judge::{clip, plain};
use overnight_ports::mcp::{CallError, Connection, Connector, Greeting, ServerTool, ToolAnswer};
use overnight_ports::sandbox::{Background, Cell, Command, Exit, SandboxError, Streams};
use serde_json::{Map, Value};
use tokio::time::timeout;

pub(crate) use offer::{OfferedTool, listed, offer};

/// How long a server may take from its start to the end of the greeting: some are fetched first.
const START_TIMEOUT: Duration = Duration::from_secs(90);
/// How long it may take to list its tools.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a call may take if the goal does not say, seconds.
const CALL_TIMEOUT_S: u64 = 120;
/// After how many failures in a row a server is given up.
const FAILURES_MAX: u32 = 3;
/// How long one that hung up is given to end, so that its exit code is known.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// How much of what a server wrote to its standard error is told, bytes.
const COMPLAINT_BYTES_MAX: usize = 600;
/// How many denied hosts are told.
const HOSTS_MAX: usize = 5;

/// Where the cell is that servers are started in.
#[async_trait]
pub(crate) trait Cells: Send + Sync {
    /// The cell, opened if it is not.
    async fn cell(&self) -> Result<Arc<dyn Cell>, String>;
    /// The cell is of no use any more.
    async fn forget_cell(&self);
}

/// The servers of one run.
pub(crate) struct Servers {
    connector: Option<Arc<dyn Connector>>,
    all: Vec<Server>,
}

struct Server {
    about: McpServer,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    /// Taken out for as long as it is asked: a call that is given up takes the connection with it.
    live: Option<Box<dyn Connection>>,
    /// The process in the cell, alive or not.
    process: Option<Arc<dyn Background>>,
    failures: u32,
    last: String,
}

/// How a call ended.
pub(crate) enum Called {
    Answered(ToolAnswer),
    /// What the model is told instead of an answer.
    Failed(String),
}

impl Server {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inside(&self) -> bool {
        matches!(self.about.at, McpAt::Run { .. })
    }
}

impl Servers {
    pub fn new(connector: Option<Arc<dyn Connector>>, servers: &[McpServer]) -> Servers {
        let server = |about: &McpServer| Server {
            about: about.clone(),
            slot: Mutex::default(),
        };
        Servers {
            connector,
            all: servers.iter().map(server).collect(),
        }
    }

    /// Whether one runs in the cell, and may change files at any time.
    pub fn alive_inside(&self) -> bool {
        self.all.iter().any(|server| {
            let slot = server.slot();
            slot.process.as_ref().is_some_and(|p| p.exit().is_none())
        })
    }

    /// Forgets those in the cell: it is closed, and they with it.
    pub fn forget_inside(&self) {
        for server in self.all.iter().filter(|server| server.inside()) {
            let mut slot = server.slot();
            slot.live = None;
            slot.process = None;
        }
    }

    /// What every server offers, in the goal's order. The error of the first that cannot be used.
    pub async fn tools(
        &self,
        cells: &dyn Cells,
    ) -> Result<Vec<(&McpServer, Vec<ServerTool>)>, String> {
        let mut all = Vec::new();
        for server in &self.all {
            let name = &server.about.name;
            let tools = self.tools_of(server, cells).await;
            all.push((
                &server.about,
                tools.map_err(|why| format!("`{name}`: {why}"))?,
            ));
        }
        Ok(all)
    }

    /// The same of each, whatever becomes of the others.
    pub async fn each(
        &self,
        cells: &dyn Cells,
    ) -> Vec<(&McpServer, Result<Vec<ServerTool>, String>)> {
        let mut all = Vec::new();
        for server in &self.all {
            all.push((&server.about, self.tools_of(server, cells).await));
        }
        all
    }

    async fn tools_of(
        &self,
        server: &Server,
        cells: &dyn Cells,
    ) -> Result<Vec<ServerTool>, String> {
        let connection = self.connected(server, cells).await?;
        match timeout(LIST_TIMEOUT, connection.tools()).await {
            Ok(Ok(tools)) => {
                server.slot().live = Some(connection);
                Ok(tools)
            }
            Ok(Err(error)) => Err(format!("its tools cannot be listed: {error}")),
            Err(_) => Err(format!(
                "it did not list its tools within {} s",
                LIST_TIMEOUT.as_secs()
            )),
        }
    }

    /// Calls a tool. Once: whatever went wrong is told.
    pub async fn call(
        &self,
        tool: &OfferedTool,
        arguments: Map<String, Value>,
        cells: &dyn Cells,
    ) -> Called {
        let name = &tool.server;
        let Some(server) = self.all.iter().find(|server| &server.about.name == name) else {
            return Called::Failed(format!("There is no server `{name}` in this run."));
        };
        {
            let slot = server.slot();
            if slot.failures >= FAILURES_MAX {
                return Called::Failed(format!(
                    "The server `{name}` is given up after {FAILURES_MAX} failures in a row, the last: {}. Do without \
                     it, or ask for help.",
                    slot.last
                ));
            }
        }
        let connection = match self.connected(server, cells).await {
            Ok(connection) => connection,
            Err(why) => {
                let left = failed(server, &why);
                return Called::Failed(format!("The server `{name}` cannot be used: {why}.{left}"));
            }
        };
        let limit = Duration::from_secs(server.about.timeout_s.unwrap_or(CALL_TIMEOUT_S));
        match timeout(limit, connection.call(&tool.tool, arguments)).await {
            Ok(Ok(answer)) => {
                keep(server, connection);
                Called::Answered(answer)
            }
            Ok(Err(CallError::Refused(why))) => {
                keep(server, connection);
                let why = clip(&plain(&why), COMPLAINT_BYTES_MAX);
                Called::Failed(format!("The server `{name}` refuses the call: {why}."))
            }
            Ok(Err(CallError::Lost(why))) => {
                drop(connection);
                let why = format!("{why}{}", complaint(server).await);
                end(server).await;
                let left = failed(server, &why);
                Called::Failed(format!(
                    "The server `{name}` was lost during the call: {why}. Whether the call was carried out is not \
                     known.{left}"
                ))
            }
            Err(_) => {
                drop(connection);
                end(server).await;
                let why = format!("it did not answer within {} s", limit.as_secs());
                let left = failed(server, &why);
                Called::Failed(format!(
                    "The server `{name}` was stopped: {why}. Whether the call was carried out is not known.{left}"
                ))
            }
        }
    }

    /// The connection to a server, taken out of its slot; a new one if there is none.
    async fn connected(
        &self,
        server: &Server,
        cells: &dyn Cells,
    ) -> Result<Box<dyn Connection>, String> {
        let held = server.slot().live.take();
        if let Some(connection) = held.filter(|connection| !connection.lost()) {
            return Ok(connection);
        }
        let connector = self
            .connector
            .as_ref()
            .ok_or("this run was put together without a client for servers")?;
        let mut why = String::new();
        for greeting in [Greeting::Initialize, Greeting::Discover] {
            let opened = match &server.about.at {
                McpAt::Run { command } => {
                    self.start(connector.as_ref(), server, command, greeting, cells)
                        .await
                }
                McpAt::Url { url, token } => {
                    let opening = connector.over_http(url, token.as_deref(), greeting);
                    match timeout(START_TIMEOUT, opening).await {
                        Ok(opened) => opened.map_err(|no| (no.message, no.refused)),
                        Err(_) => Err((too_slow(), false)),
                    }
                }
            };
            match opened {
                Ok(connection) => return Ok(connection),
                Err((message, refused)) => {
                    why = clip(
                        plain(&message).replace('\n', " ⏎ ").trim(),
                        2 * COMPLAINT_BYTES_MAX,
                    );
                    if !refused {
                        break;
                    }
                }
            }
        }
        Err(why)
    }

    /// Starts a server in the cell and greets it.
    async fn start(
        &self,
        connector: &dyn Connector,
        server: &Server,
        script: &str,
        greeting: Greeting,
        cells: &dyn Cells,
    ) -> Result<Box<dyn Connection>, (String, bool)> {
        // One that is left of a call that was given up.
        end(server).await;
        let cell = cells.cell().await.map_err(|why| (why, false))?;
        let command = Command {
            script: script.to_owned(),
            dir: String::new(),
            env: BTreeMap::new(),
            timeout: Duration::MAX,
            stdin: None,
            streams: Streams::Split,
        };
        let talk = match cell.talk(command).await {
            Ok(talk) => talk,
            Err(error) => {
                if matches!(error, SandboxError::Closed) {
                    cells.forget_cell().await;
                }
                return Err((format!("it cannot be started: {error}"), false));
            }
        };
        server.slot().process = Some(Arc::from(talk.command));
        let greeted = connector.over_pipes(talk.stdin, talk.stdout, greeting);
        let (message, refused) = match timeout(START_TIMEOUT, greeted).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(no)) => (no.message, no.refused),
            Err(_) => (too_slow(), false),
        };
        let mut message = format!("{message}{}", complaint(server).await);
        end(server).await;
        let denied = cell.denied_hosts();
        if !denied.is_empty() {
            let hosts = listed(denied.iter().take(HOSTS_MAX).map(String::as_str));
            message.push_str(&format!(
                "; hosts that `use.network` does not name were asked for: {hosts}"
            ));
        }
        Err((message, refused))
    }
}

fn too_slow() -> String {
    format!(
        "it did not answer the greeting within {} s",
        START_TIMEOUT.as_secs()
    )
}

/// A call went well: what went wrong before is forgotten.
fn keep(server: &Server, connection: Box<dyn Connection>) {
    let mut slot = server.slot();
    slot.live = Some(connection);
    slot.failures = 0;
}

/// Counts a failure; what to expect of the next call.
fn failed(server: &Server, why: &str) -> String {
    let mut slot = server.slot();
    slot.failures += 1;
    slot.last = why.to_owned();
    if slot.failures >= FAILURES_MAX {
        format!(" That was failure {FAILURES_MAX} in a row: the server is given up.")
    } else {
        " It is started again with the next call.".to_owned()
    }
}

/// Kills a server's process in the cell, if there is one.
async fn end(server: &Server) {
    let process = server.slot().process.take();
    if let Some(process) = process.filter(|process| process.exit().is_none()) {
        process.kill().await;
    }
}

/// How a server in the cell ended, and what it wrote last to its standard error.
async fn complaint(server: &Server) -> String {
    let Some(process) = server.slot().process.clone() else {
        return String::new();
    };
    let mut text = match timeout(END_TIMEOUT, process.wait()).await {
        Ok(Exit::Code(code)) => format!("; it ended with exit code {code}"),
        Ok(Exit::Signal(n)) => format!("; it ended by signal {n}"),
        Ok(Exit::TimedOut | Exit::Killed) => "; it was killed".to_owned(),
        Err(_) => String::new(),
    };
    let written = process.output(0);
    let written = String::from_utf8_lossy(&written);
    let written = plain(&written);
    let written = written.trim();
    if !written.is_empty() {
        // The end says why.
        let from = written.len().saturating_sub(COMPLAINT_BYTES_MAX);
        let from = (from..=written.len())
            .find(|at| written.is_char_boundary(*at))
            .unwrap_or(written.len());
        text.push_str(&format!(
            "; its last words: {}",
            written[from..].replace('\n', " ⏎ ")
        ));
    }
    text
}
