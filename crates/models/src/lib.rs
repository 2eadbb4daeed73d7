//! Models behind their wire formats: OpenAI Responses, and scripts that need no model at all.
//!
//! [`open`] takes what a person writes after `--model` and gives a [`Model`]. Everything here makes one attempt and
//! reports what happened; whether and when to try again is the engine's decision, because every attempt is an event.

pub mod openai;
mod wire;
pub mod scripted;

use std::path::Path;
use std::sync::Arc;

use overnight_ports::model::Model;
use secrecy::SecretString;

/// The variable that holds the key.
pub const OPENAI_API_KEY: &str = "OPENAI_API_KEY";
/// The variable that holds the base address.
pub const OPENAI_BASE_URL: &str = "OPENAI_BASE_URL";
/// What the person may write after `--model`, for messages.
const KNOWN: &str = "`openai/NAME` (OpenAI Responses, needs OPENAI_API_KEY) and `scripted/FILE` (a YAML file of turns)";

/// What models need to know of the outside. A struct, so that nobody below `main` reads the process's environment.
#[derive(Debug, Clone, Default)]
pub struct Env {
    /// [`OPENAI_BASE_URL`]; absent or empty means [`openai::BASE_URL_DEFAULT`].
    pub openai_base_url: Option<String>,
    /// [`OPENAI_API_KEY`].
    pub openai_api_key: Option<SecretString>,
    /// Limits of the wire clients.
    pub limits: openai::Limits,
}

impl Env {
    /// Takes the variables from the process's environment.
    pub fn from_process() -> Self {
        Env {
            openai_base_url: std::env::var(OPENAI_BASE_URL).ok(),
            openai_api_key: std::env::var(OPENAI_API_KEY).ok().map(SecretString::from),
            limits: openai::Limits::default(),
        }
    }
}

/// Why a model could not be opened. Nothing has been sent yet.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The text names no model that this version knows.
    #[error("unknown model `{spec}`: this version knows {KNOWN}{later}")]
    Unknown {
        /// What was written.
        spec: String,
        /// A word on prefixes that are named already, or nothing.
        later: &'static str,
    },
    /// The key or the address is missing or cannot be used.
    #[error(transparent)]
    Settings(#[from] openai::SettingsError),
    /// The script cannot be read.
    #[error(transparent)]
    Script(#[from] scripted::ScriptError),
}

/// Opens the model that a person names: `openai/NAME` or `scripted/FILE`.
pub fn open(spec: &str, env: &Env) -> Result<Arc<dyn Model>, OpenError> {
    let unknown = |later| OpenError::Unknown {
        spec: spec.chars().take(200).collect(),
        later,
    };
    match spec.split_once('/') {
        Some(("openai", name)) if !name.trim().is_empty() => {
            Ok(Arc::new(openai::OpenAi::new(name.trim(), env)?))
        }
        Some(("scripted", file)) if !file.is_empty() => {
            Ok(Arc::new(scripted::ScriptedModel::open(Path::new(file))?))
        }
        Some(("anthropic" | "chat", _)) => Err(unknown(
            "; `anthropic/` and `chat/` come in a later version",
        )),
        Some(("openai", _)) => Err(unknown(
            "; write a model's name after `openai/`, for example `openai/gpt-5.5`",
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
            "anthropic/claude",
            "chat/x",
            "openai/",
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
        assert!(refusal("anthropic/claude", &Env::default()).contains("later version"));
    }

    #[test]
    fn a_missing_key_is_named_unless_another_server_is_given() {
        assert!(refusal("openai/gpt-5.5", &Env::default()).contains("OPENAI_API_KEY"));
        let local = Env {
            openai_base_url: Some("http://127.0.0.1:1/v1".into()),
            ..Env::default()
        };
        assert_eq!(
            open("openai/gpt-5.5", &local)
                .expect("no key is needed there")
                .name(),
            "openai/gpt-5.5"
        );
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_refused_without_being_shown() {
        let env = Env {
            openai_api_key: Some("sk-secret\u{7f}part".into()),
            ..Env::default()
        };
        let message = refusal("openai/gpt-5.5", &env);
        assert!(
            message.contains("OPENAI_API_KEY") && !message.contains("secret"),
            "{message}"
        );
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
                ..Env::default()
            };
            let message = refusal("openai/x", &env);
            assert!(
                message.contains("OPENAI_BASE_URL") && !message.contains("pw"),
                "{url}: {message}"
            );
        }
    }
}
