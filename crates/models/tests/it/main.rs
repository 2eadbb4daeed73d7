//! What the models do, seen from outside: scripts, a mock server that plays them, and servers that mean harm.

mod contract;
mod hostile;
mod quirks;
mod scripted;
mod wire;
mod wires;

use overnight_models::openai::OpenAi;
use overnight_models::scripted::Script;
use overnight_models::{Env, Limits, open};
use overnight_ports::model::{Answer, Entry, Model, ModelError, Request, ToolSpec};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The key of every test; nothing may ever show it.
const KEY: &str = "sk-test-0123456789abcdef";

fn script(yaml: &str) -> Script {
    Script::parse(yaml, Path::new("test.yaml")).unwrap_or_else(|error| panic!("{error}"))
}

/// The wire formats that every client of this crate is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Responses,
    Messages,
    Chat,
}

const WIRES: [Wire; 3] = [Wire::Responses, Wire::Messages, Wire::Chat];

impl Wire {
    /// A client for a server at `address` (`http://127.0.0.1:PORT`).
    fn client(self, address: &str) -> Arc<dyn Model> {
        self.client_with(address, Duration::from_secs(30))
    }

    fn client_with(self, address: &str, idle: Duration) -> Arc<dyn Model> {
        let env = Env {
            openai_base_url: Some(format!("{address}/v1")),
            openai_api_key: Some(KEY.into()),
            anthropic_base_url: Some(address.to_owned()),
            anthropic_api_key: Some(KEY.into()),
            limits: Limits {
                idle,
                ..Limits::default()
            },
            ..Env::default()
        };
        let spec = match self {
            Wire::Responses => "openai/mock-model",
            Wire::Messages => "anthropic/mock-model",
            Wire::Chat => "chat/mock-model",
        };
        open(spec, &env).expect("the settings are right")
    }
}

/// A client for servers that answer: patient, because tests run on busy machines.
fn client(base_url: &str) -> OpenAi {
    client_with(base_url, Duration::from_secs(30))
}

/// A client for servers that fall silent.
fn impatient(base_url: &str) -> OpenAi {
    client_with(base_url, Duration::from_secs(1))
}

fn client_with(base_url: &str, idle: Duration) -> OpenAi {
    let limits = Limits {
        idle,
        ..Limits::default()
    };
    let env = Env {
        openai_base_url: Some(base_url.to_owned()),
        openai_api_key: Some(KEY.into()),
        limits,
        ..Env::default()
    };
    OpenAi::new("mock-model", &env).expect("the settings are right")
}

fn request(turn: u64, entries: Vec<Entry>) -> Request {
    Request {
        model: "mock-model".into(),
        instructions: "Be brief.".into(),
        tools: vec![ToolSpec {
            name: "shell".into(),
            description: "Runs a command.".into(),
            parameters: json!({"type": "object", "properties": {"command": {"type": "string"}}}),
        }],
        entries,
        cache_key: "run1".into(),
        turn,
        item: None,
    }
}

async fn ask(model: &dyn Model, turn: u64) -> Result<Answer, ModelError> {
    let result = model
        .answer(&request(turn, vec![Entry::User { text: "go".into() }]))
        .await;
    let shown = format!("{result:?}");
    assert!(!shown.contains(KEY), "the key is shown: {shown}");
    result
}
