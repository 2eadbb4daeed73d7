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
/// How much of the beginning, and of the end, of what a server wrote to its standard error is told, bytes.
const COMPLAINT_BYTES_MAX: usize = 400;
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

    /// The names of those that run in the cell, and may change files at any time.
    pub fn alive_inside(&self) -> Vec<String> {
        let alive = |server: &&Server| {
            let slot = server.slot();
            slot.process.as_ref().is_some_and(|p| p.exit().is_none())
        };
        let alive = self.all.iter().filter(alive);
        alive.map(|server| server.about.name.clone()).collect()
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
                    why = plain(&message).replace('\n', " ⏎ ");
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
    let written = plain(&String::from_utf8_lossy(&written));
    let written = ends(written.trim());
    if !written.is_empty() {
        text.push_str(&format!("; it wrote: {}", written.replace('\n', " ⏎ ")));
    }
    text
}

/// The beginning and the end of a text: some programs say first what is wrong, others last.
fn ends(text: &str) -> String {
    if text.len() <= 2 * COMPLAINT_BYTES_MAX {
        return text.to_owned();
    }
    let from = text.len() - COMPLAINT_BYTES_MAX;
    let from = (from..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len());
    format!("{} … {}", clip(text, COMPLAINT_BYTES_MAX), &text[from..])
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicU32, Ordering};

    use overnight_ports::mcp::NoConnection;
    use overnight_ports::model::ToolSpec;
    use overnight_ports::sandbox::{Finished, Talk};
    use serde_json::json;

    use super::*;

    /// A cell whose commands do nothing, and which counts those that are alive.
    #[derive(Default)]
    struct Idle {
        alive: Arc<AtomicU32>,
        started: AtomicU32,
    }

    struct Process {
        alive: Arc<AtomicU32>,
        over: Mutex<bool>,
    }

    #[async_trait]
    impl Background for Process {
        fn exit(&self) -> Option<Exit> {
            self.over.lock().expect("a flag").then_some(Exit::Killed)
        }
        fn output(&self, _: usize) -> Vec<u8> {
            b"\x1b[31mwhy it\nfailed\n".to_vec()
        }
        async fn wait(&self) -> Exit {
            match self.exit() {
                Some(exit) => exit,
                None => std::future::pending().await,
            }
        }
        async fn kill(&self) {
            if !std::mem::replace(&mut *self.over.lock().expect("a flag"), true) {
                self.alive.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    #[async_trait]
    impl Cell for Idle {
        fn root(&self) -> &Path {
            Path::new("/")
        }
        async fn run(&self, _: Command) -> Result<Finished, SandboxError> {
            Err(SandboxError::Closed)
        }
        async fn start(&self, _: Command) -> Result<Box<dyn Background>, SandboxError> {
            Err(SandboxError::Closed)
        }
        async fn talk(&self, _: Command) -> Result<Talk, SandboxError> {
            self.alive.fetch_add(1, Ordering::Relaxed);
            self.started.fetch_add(1, Ordering::Relaxed);
            let (stdout, stdin) = std::io::pipe()?;
            let command = Process {
                alive: self.alive.clone(),
                over: Mutex::new(false),
            };
            Ok(Talk {
                stdin,
                stdout,
                command: Box::new(command),
            })
        }
        async fn close(&self) {}
    }

    struct Held(Arc<Idle>);

    #[async_trait]
    impl Cells for Held {
        async fn cell(&self) -> Result<Arc<dyn Cell>, String> {
            Ok(self.0.clone())
        }
        async fn forget_cell(&self) {}
    }

    /// Connections on which a tool does what its name says.
    struct Obedient {
        greets: bool,
    }

    #[async_trait]
    impl Connector for Obedient {
        async fn over_pipes(
            &self,
            _: std::io::PipeWriter,
            _: std::io::PipeReader,
            greeting: Greeting,
        ) -> Result<Box<dyn Connection>, NoConnection> {
            if !self.greets {
                return std::future::pending().await;
            }
            match greeting {
                Greeting::Initialize => Err(NoConnection {
                    message: "too old".into(),
                    refused: true,
                }),
                Greeting::Discover => Ok(Box::new(Conversation)),
            }
        }
        async fn over_http(
            &self,
            _: &str,
            _: Option<&str>,
            _: Greeting,
        ) -> Result<Box<dyn Connection>, NoConnection> {
            Err(NoConnection {
                message: "nobody\nis there".into(),
                refused: false,
            })
        }
    }

    struct Conversation;

    #[async_trait]
    impl Connection for Conversation {
        async fn tools(&self) -> Result<Vec<ServerTool>, CallError> {
            std::future::pending().await
        }
        async fn call(&self, tool: &str, _: Map<String, Value>) -> Result<ToolAnswer, CallError> {
            match tool {
                "answer" => Ok(ToolAnswer {
                    ok: true,
                    text: "yes".into(),
                }),
                "refuse" => Err(CallError::Refused("no".into())),
                "lose" => Err(CallError::Lost("it is gone".into())),
                _ => std::future::pending().await,
            }
        }
        fn lost(&self) -> bool {
            false
        }
    }

    fn servers(greets: bool, at: McpAt) -> Servers {
        let about = McpServer {
            name: "s".into(),
            at,
            tools: None,
            timeout_s: Some(5),
        };
        Servers::new(Some(Arc::new(Obedient { greets })), &[about])
    }

    fn inside() -> McpAt {
        McpAt::Run {
            command: "x".into(),
        }
    }

    async fn call(servers: &Servers, cells: &Held, tool: &str) -> Result<String, String> {
        let tool = OfferedTool {
            server: "s".into(),
            tool: tool.into(),
            spec: ToolSpec {
                name: format!("s__{tool}"),
                description: String::new(),
                parameters: json!({}),
            },
        };
        match servers.call(&tool, Map::new(), cells).await {
            Called::Answered(answer) => Ok(answer.text),
            Called::Failed(why) => Err(why),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_server_serves_until_it_is_lost_and_is_given_up_after_three_failures_in_a_row() {
        let cells = Held(Arc::default());
        let servers = servers(true, inside());
        for _ in 0..3 {
            assert_eq!(call(&servers, &cells, "answer").await, Ok("yes".into()));
        }
        let why = call(&servers, &cells, "refuse").await.expect_err("refused");
        assert_eq!(why, "The server `s` refuses the call: no.");
        // Once for each greeting; the first one was killed.
        assert_eq!(cells.0.started.load(Ordering::Relaxed), 2);
        assert_eq!(servers.alive_inside(), ["s"]);
        for tool in ["lose", "hang"] {
            let why = call(&servers, &cells, tool).await.expect_err("it fails");
            assert!(
                why.ends_with("It is started again with the next call."),
                "{why}"
            );
            assert!(
                why.contains("Whether the call was carried out is not known."),
                "{why}"
            );
            assert!(servers.alive_inside().is_empty());
        }
        assert_eq!(call(&servers, &cells, "answer").await, Ok("yes".into()));
        for _ in 0..2 {
            call(&servers, &cells, "lose").await.expect_err("it fails");
        }
        let why = call(&servers, &cells, "hang").await.expect_err("it fails");
        assert!(
            why.contains("it did not answer within 5 s")
                && why.ends_with("the server is given up."),
            "{why}"
        );
        let why = call(&servers, &cells, "answer")
            .await
            .expect_err("given up");
        assert!(
            why.starts_with(
                "The server `s` is given up after 3 failures in a row, the last: it did not"
            ),
            "{why}"
        );
        assert_eq!(cells.0.alive.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_leaves_nothing_alive_beside_the_next() {
        let cells = Held(Arc::default());
        let servers = servers(true, inside());
        let given_up = timeout(Duration::from_secs(1), call(&servers, &cells, "hang")).await;
        assert!(given_up.is_err());
        assert_eq!(servers.alive_inside(), ["s"], "it may still change files");
        assert_eq!(call(&servers, &cells, "answer").await, Ok("yes".into()));
        assert_eq!(cells.0.alive.load(Ordering::Relaxed), 1);
        servers.forget_inside();
        assert!(servers.alive_inside().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_server_is_told_of_with_what_it_wrote() {
        let cells = Held(Arc::default());
        let silent = servers(false, inside());
        let why = silent.tools(&cells).await.map(drop).expect_err("silent");
        assert_eq!(
            why,
            "`s`: it did not answer the greeting within 90 s; it wrote: why it ⏎ failed"
        );
        assert_eq!(cells.0.alive.load(Ordering::Relaxed), 0);
        let slow = servers(true, inside());
        let why = slow.tools(&cells).await.map(drop).expect_err("slow");
        assert_eq!(why, "`s`: it did not list its tools within 30 s");
        let url = McpAt::Url {
            url: "https://a.example".into(),
            token: None,
        };
        let away = servers(true, url);
        let why = away.tools(&cells).await.map(drop).expect_err("away");
        assert_eq!(why, "`s`: nobody ⏎ is there");
    }
}
