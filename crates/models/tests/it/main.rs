//! What the models do, seen from outside: scripts, a mock server that plays them, and servers that mean harm.

mod hostile;
mod scripted;
mod wire;

use overnight_models::Env;
use overnight_models::openai::{Limits, OpenAi};
use overnight_models::scripted::Script;
use overnight_ports::model::{Answer, Entry, Model, ModelError, Request, ToolSpec};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// The key of every test; nothing may ever show it.
const KEY: &str = "sk-test-0123456789abcdef";

fn script(yaml: &str) -> Script {
    Script::parse(yaml, Path::new("test.yaml")).unwrap_or_else(|error| panic!("{error}"))
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
