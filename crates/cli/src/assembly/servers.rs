//! The client for a goal's MCP servers, with the tokens that the goal names; and a cell to try the servers in.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use overnight_agent::{Tried, try_servers};
use overnight_checks::observe::{Checkout, Checkouts};
use overnight_core::goal::{Goal, McpAt};
use overnight_core::ids::TreeId;
use overnight_mcp::McpClient;
use overnight_ports::mcp::Connector;
use overnight_ports::sandbox::{Cell, CellSpec, Sandbox, WORKSPACE_INSIDE};
use secrecy::{ExposeSecret, SecretString};

use super::RunCheckouts;
use crate::problem::usage;

/// The client. An error if a token is neither in its variable nor printed by a command, or
/// is what no header can hold.
pub fn connector(goal: &Goal) -> anyhow::Result<Arc<dyn Connector>> {
    let mut tokens = BTreeMap::new();
    for server in &goal.uses.mcp {
        let McpAt::Url {
            token: Some(name), ..
        } = &server.at
        else {
            continue;
        };
        let value = crate::config::secrets()?.get(name)?;
        let value = value.as_ref().map_or("", |value| value.expose_secret());
        let value = value.trim().to_owned();
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(usage(format!(
                "the variable {name}, which is to hold the token of the server `{}`, is not set or is no token: set it \
                 in the environment of this command, or name a command that prints it under `[secrets]` in your own \
                 configuration",
                server.name
            )));
        }
        tokens.insert(name.clone(), SecretString::from(value));
    }
    Ok(Arc::new(McpClient::new(tokens)))
}

/// Tries every server of the goal in a cell like the agent's, around a checkout of this tree.
pub async fn tried(
    goal: &Goal,
    checkouts: &Arc<RunCheckouts>,
    sandbox: &dyn Sandbox,
    tree: &TreeId,
) -> anyhow::Result<Vec<Tried>> {
    if goal.uses.mcp.is_empty() {
        return Ok(Vec::new());
    }
    let connector = connector(goal)?;
    let making = tokio::task::spawn_blocking({
        let (checkouts, tree) = (checkouts.clone(), tree.clone());
        move || checkouts.make(&tree)
    });
    let checkout = making
        .await?
        .map_err(|obstacle| anyhow!("no checkout for the MCP servers: {obstacle:?}"))?;
    let tried = in_cell(goal, connector, sandbox, &checkout).await;
    checkouts.discard(&checkout);
    tried
}

async fn in_cell(
    goal: &Goal,
    connector: Arc<dyn Connector>,
    sandbox: &dyn Sandbox,
    checkout: &Checkout,
) -> anyhow::Result<Vec<Tried>> {
    let spec = CellSpec {
        workspace: checkout.dir.clone(),
        inside: WORKSPACE_INSIDE.into(),
        private: checkout.private.clone(),
        base_layer: checkout.base_layer.clone(),
        layers: checkout.layers.clone(),
        readonly: Vec::new(),
        network: checkout.network.clone(),
        env: checkout.env.clone(),
        hidden: checkout.hidden.clone(),
    };
    let cell: Arc<dyn Cell> = Arc::from(sandbox.open(spec).await?);
    let tried = try_servers(goal, connector, cell.clone()).await;
    cell.close().await;
    tried.map_err(anyhow::Error::msg)
}
