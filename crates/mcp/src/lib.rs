//! A client of MCP servers: the [`Connector`] over standard streams and over streamable HTTP.
//!
//! The protocol itself is `rmcp`'s, which changes often and is therefore known to this crate only. What is added here is
//! distrust: a server may send so much and no more between two calls, gets nothing that it asks for, and a token is
//! taken out of whatever comes back.

mod answer;
mod http;
mod limits;
mod session;

use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::OwnedFd;

use async_trait::async_trait;
use overnight_ports::mcp::{Connection, Connector, Greeting, NoConnection};
use rmcp::transport::async_rw::AsyncRwTransport;
use secrecy::SecretString;
use tokio::net::unix::pipe::{Receiver, Sender};

use limits::{Allowance, Metered};
use session::Session;

pub use limits::ANSWER_BYTES_MAX;

/// Connects to servers. Holds the tokens that it may show, each to the one server that names it.
#[derive(Default)]
pub struct McpClient {
    tokens: BTreeMap<String, SecretString>,
}

impl McpClient {
    /// With the tokens by the names of the variables that held them.
    pub fn new(tokens: BTreeMap<String, SecretString>) -> McpClient {
        McpClient { tokens }
    }
}

#[async_trait]
impl Connector for McpClient {
    async fn over_pipes(
        &self,
        stdin: PipeWriter,
        stdout: PipeReader,
        greeting: Greeting,
    ) -> Result<Box<dyn Connection>, NoConnection> {
        let no = |error: std::io::Error| NoConnection {
            message: format!("the server's pipes cannot be used: {error}"),
            refused: false,
        };
        let allowance = Allowance::default();
        let read = Receiver::from_owned_fd(OwnedFd::from(stdout)).map_err(no)?;
        let write = Sender::from_owned_fd(OwnedFd::from(stdin)).map_err(no)?;
        let read = Metered::new(read, allowance.clone());
        // One message may take the whole allowance; what is longer ends the connection there.
        let transport = AsyncRwTransport::new_client(read, write).with_max_line_length(usize::MAX);
        let session = Session::open(transport, greeting, allowance, None).await?;
        Ok(Box::new(session))
    }

    async fn over_http(
        &self,
        url: &str,
        token: Option<&str>,
        greeting: Greeting,
    ) -> Result<Box<dyn Connection>, NoConnection> {
        let token = match token {
            None => None,
            Some(name) => Some(self.tokens.get(name).cloned().ok_or_else(|| NoConnection {
                message: format!("the variable {name}, which is to hold its token, is not set"),
                refused: false,
            })?),
        };
        let transport = http::transport(url, token.as_ref())?;
        let session = Session::open(transport, greeting, Allowance::default(), token).await?;
        Ok(Box::new(session))
    }
}
