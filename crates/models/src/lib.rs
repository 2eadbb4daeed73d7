//! Models behind their wire formats: OpenAI Responses, Anthropic Messages, chat completions as most servers speak them,
//! and scripts that need no model at all.
//!
//! [`open`] takes what a person writes after `--model` and gives a [`Model`]; [`default_model`] finds one where nobody
//! wrote any. Everything here makes one attempt and reports what happened; whether and when to try again is the
//! engine's decision, because every attempt is an event.

pub mod anthropic;
pub mod chat;
mod defaults;
pub mod openai;
pub mod scripted;
mod wire;

use std::path::Path;
use std::sync::Arc;

use overnight_ports::model::Model;
use secrecy::SecretString;

pub use defaults::{Chosen, Loopback, NOTHING_FOUND, Probe, default_model};
pub use wire::{
    ANSWER_BYTES_MAX, ANSWER_TIMEOUT, CONNECT_TIMEOUT, EVENT_BYTES_MAX, IDLE_TIMEOUT, Limits,
    QUOTA_RETRY, RETRY_AFTER_MAX, SettingsError,
};

/// The variable that holds OpenAI's key.
pub const OPENAI_API_KEY: &str = "OPENAI_API_KEY";
/// The variable that holds OpenAI's base address, or that of a server that speaks its formats.
pub const OPENAI_BASE_URL: &str = "OPENAI_BASE_URL";
/// The variable that holds Anthropic's key.
pub const ANTHROPIC_API_KEY: &str = "ANTHROPIC_API_KEY";
/// The variable that holds Anthropic's base address, or that of a server that speaks its format.
pub const ANTHROPIC_BASE_URL: &str = "ANTHROPIC_BASE_URL";
/// What the person may write after `--model`, for messages.
const KNOWN: &str = "`openai/NAME` (OpenAI Responses, needs OPENAI_API_KEY), `anthropic/NAME` (Anthropic Messages, needs ANTHROPIC_API_KEY), `chat/NAME` (chat completions at OPENAI_BASE_URL, or `chat/NAME@ADDRESS`) and `scripted/FILE` (a YAML file of turns)";

/// Chooses how TLS is done in this process, once. If somebody has chosen already, theirs is used.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What models need to know of the outside. A struct, so that nobody below `main` reads the process's environment.
#[derive(Debug, Clone, Default)]
pub struct Env {
    /// [`OPENAI_BASE_URL`]; absent or empty means [`openai::BASE_URL_DEFAULT`].
    pub openai_base_url: Option<String>,
    /// [`OPENAI_API_KEY`].
    pub openai_api_key: Option<SecretString>,
    /// [`ANTHROPIC_BASE_URL`]; absent or empty means [`anthropic::BASE_URL_DEFAULT`].
    pub anthropic_base_url: Option<String>,
    /// [`ANTHROPIC_API_KEY`].
    pub anthropic_api_key: Option<SecretString>,
    /// Where `chat/` goes, from a configuration; absent or empty means `openai_base_url` and its key.
    pub chat_base_url: Option<String>,
    /// The key for `chat_base_url`; local servers need none.
    pub chat_api_key: Option<SecretString>,
    /// Limits of the wire clients.
    pub limits: Limits,
}

impl Env {
    /// Takes the variables from the process's environment.
    pub fn from_process() -> Self {
        let text = |name: &str| std::env::var(name).ok();
        Env {
            openai_base_url: text(OPENAI_BASE_URL),
            openai_api_key: text(OPENAI_API_KEY).map(SecretString::from),
            anthropic_base_url: text(ANTHROPIC_BASE_URL),
            anthropic_api_key: text(ANTHROPIC_API_KEY).map(SecretString::from),
            ..Env::default()
        }
    }
}

/// Why a model could not be opened. Nothing has been sent yet.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The text names no model that this version knows.
    #[error("unknown model `{spec}`: this version knows {KNOWN}{hint}")]
    Unknown {
        /// What was written.
        spec: String,
        /// A word on what is missing, or nothing.
        hint: &'static str,
    },
    /// The key or the address is missing or cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The script cannot be read.
    #[error(transparent)]
    Script(#[from] scripted::ScriptError),
}

/// Opens the model that a person names: `openai/NAME`, `anthropic/NAME`, `chat/NAME`, `chat/NAME@ADDRESS` or
/// `scripted/FILE`.
pub fn open(spec: &str, env: &Env) -> Result<Arc<dyn Model>, OpenError> {
    let unknown = |hint| OpenError::Unknown {
        spec: spec.chars().take(200).collect(),
        hint,
    };
    match spec.split_once('/') {
        Some(("openai", name)) if !name.trim().is_empty() => {
            Ok(Arc::new(openai::OpenAi::new(name.trim(), env)?))
        }
        Some(("anthropic", name)) if !name.trim().is_empty() => {
            Ok(Arc::new(anthropic::Anthropic::new(name.trim(), env)?))
        }
        Some(("chat", name)) if !chat::split(name).0.trim().is_empty() => {
            Ok(Arc::new(chat::Chat::new(name.trim(), env)?))
        }
        Some(("scripted", file)) if !file.is_empty() => {
            Ok(Arc::new(scripted::ScriptedModel::open(Path::new(file))?))
        }
        Some(("openai", _)) => Err(unknown(
            "; write a model's name after `openai/`, for example `openai/gpt-5.5`",
        )),
        Some(("anthropic", _)) => Err(unknown("; write a model's name after `anthropic/`")),
        Some(("chat", _)) => Err(unknown(
            "; write a model's name after `chat/`, as the server knows it",
        )),
        Some(("scripted", _)) => Err(unknown("; write a file's path after `scripted/`")),
        _ => Err(unknown("")),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn refusal(spec: &str, env: &Env) -> String {
        match open(spec, env) {
            Ok(model) => panic!("{spec} was opened as {}", model.name()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_unknown_prefix_is_refused_and_the_known_ones_are_listed() {
        for spec in [
            "gpt-5",
            "openai/",
            "anthropic/ ",
            "chat/",
            "chat/@http://127.0.0.1:1/v1",
            "scripted/",
            "",
            "mistral/large",
        ] {
            let message = refusal(spec, &Env::default());
            assert!(
                message.contains("openai/NAME") && message.contains("scripted/FILE"),
                "{spec}: {message}"
            );
        }
    }

    #[test]
    fn a_missing_key_is_named_unless_another_server_is_given() {
        assert!(refusal("openai/gpt-5.5", &Env::default()).contains("OPENAI_API_KEY"));
        assert!(refusal("anthropic/c", &Env::default()).contains("ANTHROPIC_API_KEY"));
        assert!(refusal("chat/qwen3", &Env::default()).contains("chat/qwen3@http://"));
        let local = Env {
            openai_base_url: Some("http://127.0.0.1:1/v1".into()),
            anthropic_base_url: Some("http://127.0.0.1:1".into()),
            ..Env::default()
        };
        for spec in ["openai/gpt-5.5", "anthropic/c", "chat/org/model:8b"] {
            let model = open(spec, &local).expect("no key is needed there");
            assert_eq!(model.name(), spec);
        }
        let spec = "chat/qwen3:8b@http://127.0.0.1:11434/v1";
        let model = open(spec, &Env::default()).expect("the address is in the name");
        assert_eq!(model.name(), spec);
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_refused_without_being_shown() {
        let env = Env {
            openai_api_key: Some("sk-secret\u{7f}part".into()),
            anthropic_api_key: Some("sk-secret part".into()),
            ..Env::default()
        };
        for (spec, variable) in [
            ("openai/gpt-5.5", "OPENAI_API_KEY"),
            ("chat/x", "OPENAI_API_KEY"),
            ("anthropic/x", "ANTHROPIC_API_KEY"),
        ] {
            let message = refusal(spec, &env);
            assert!(
                message.contains(variable) && !message.contains("secret"),
                "{message}"
            );
        }
        assert!(!format!("{env:?}").contains("secret"));
    }

    #[test]
    fn a_base_address_that_is_none_is_refused() {
        for url in [
            "localhost:8080",
            "ftp://x/v1",
            "http://user:pw@host/v1",
            "nonsense",
        ] {
            let env = Env {
                openai_base_url: Some(url.into()),
                anthropic_base_url: Some(url.into()),
                ..Env::default()
            };
            for (spec, variable) in [
                ("openai/x", "OPENAI_BASE_URL"),
                ("chat/x", "OPENAI_BASE_URL"),
                ("anthropic/x", "ANTHROPIC_BASE_URL"),
            ] {
                let message = refusal(spec, &env);
                assert!(
                    message.contains(variable) && !message.contains("pw"),
                    "{url}: {message}"
                );
            }
        }
    }
}
