//! MCP servers: programs of others that offer tools. Whatever one says is data, bounded by whoever implements this.

use std::io::{PipeReader, PipeWriter};

use async_trait::async_trait;
use serde_json::{Map, Value};

/// How a connection begins: the protocol's newer versions have no greeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    /// `initialize`, which nearly every server knows.
    Initialize,
    /// `server/discover`, for servers that know only the newest protocol.
    Discover,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct NoConnection {
    /// For people: what happened.
    pub message: String,
    /// Whether the server was there and refused the greeting, so that the other one may please it.
    pub refused: bool,
}

/// One tool, as its server describes it. Not bounded but by the size of the whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerTool {
    /// The server's own name for it.
    pub name: String,
    /// What it does, in the server's words.
    pub description: String,
    /// JSON Schema of its arguments.
    pub schema: Value,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolAnswer {
    /// Whether it says that it did what was asked.
    pub ok: bool,
    /// Its text; what is no text is named.
    pub text: String,
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server refuses the call; the connection is as good as before.
    #[error("{0}")]
    Refused(String),
    /// The connection is lost. Whether the call was carried out is not known.
    #[error("{0}")]
    Lost(String),
}

/// Connects to servers. No method has a time limit of its own: the caller drops what takes too long.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Greets a server over its standard streams.
    async fn over_pipes(
        &self,
        stdin: PipeWriter,
        stdout: PipeReader,
        greeting: Greeting,
    ) -> Result<Box<dyn Connection>, NoConnection>;
    /// Greets a server at an address. `token` names the variable that holds its bearer token.
    async fn over_http(
        &self,
        url: &str,
        token: Option<&str>,
        greeting: Greeting,
    ) -> Result<Box<dyn Connection>, NoConnection>;
}

/// A connection to one server. Dropping it ends it.
#[async_trait]
pub trait Connection: Send + Sync {
    /// Every tool that the server offers, in its order.
    async fn tools(&self) -> Result<Vec<ServerTool>, CallError>;
    /// Calls one of them. Never asked twice by the implementation itself.
    async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolAnswer, CallError>;
    /// Whether it is lost already.
    fn lost(&self) -> bool;
}
