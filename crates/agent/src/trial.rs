//! Trying the goal's MCP servers before a run: whether each starts, and what it offers.

use std::sync::Arc;

use async_trait::async_trait;
use overnight_core::goal::Goal;
use overnight_ports::mcp::Connector;
use overnight_ports::sandbox::Cell;
use serde::Serialize;

use crate::policy::Policy;
use crate::servers::{Cells, Servers, offer};

/// What became of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// The server, by the goal's name for it.
    pub server: String,
    /// The tools that the model would get, by their names in requests.
    pub tools: Vec<String>,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One cell for all of them.
struct One(Arc<dyn Cell>);

#[async_trait]
impl Cells for One {
    async fn cell(&self) -> Result<Arc<dyn Cell>, String> {
        Ok(self.0.clone())
    }

    async fn forget_cell(&self) {}
}

/// Starts every server of the goal once, in this cell or at its address, and asks it for its tools.
pub async fn try_servers(
    goal: &Goal,
    connector: Arc<dyn Connector>,
    cell: Arc<dyn Cell>,
) -> Result<Vec<Tried>, String> {
    let policy = Policy::new(goal)?;
    let servers = Servers::new(Some(connector), &goal.uses.mcp);
    let mut tried = Vec::new();
    let mut found = Vec::new();
    for (server, tools) in servers.each(&One(cell)).await {
        let problem = match tools {
            Ok(tools) => match offer(vec![(server, tools.clone())], &policy) {
                Ok(_) => {
                    found.push((server, tools));
                    None
                }
                Err(why) => Some(why),
            },
            Err(why) => Some(why),
        };
        tried.push(Tried {
            server: server.name.clone(),
            tools: Vec::new(),
            problem,
        });
    }
    match offer(found, &policy) {
        Ok(offered) => {
            for server in &mut tried {
                let own = offered.iter().filter(|tool| tool.server == server.server);
                server.tools = own.map(|tool| tool.spec.name.clone()).collect();
            }
        }
        // Each by itself would fit.
        Err(why) => {
            for server in tried.iter_mut().filter(|server| server.problem.is_none()) {
                server.problem = Some(why.clone());
            }
        }
    }
    Ok(tried)
}
