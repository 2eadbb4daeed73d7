//! OpenAI-compatible chat completions: `POST {base}/chat/completions` with a stream of chunks as the answer. Spoken by
//! Ollama, llama.cpp, vLLM, LM Studio, OpenRouter, DeepSeek, Mistral and most others, each a little differently.
//!
//! `request` writes the body, `fold` makes an answer of the chunks with `calls` for its tool calls, and this
//! file decides what to ask for again in another form.
//!
//! # The items of an answer
//!
//! One, the assistant's message as the server would have sent it whole:
//!
//! ```json
//! {"role": "assistant", "content": "…", "reasoning_content": "…",
//!  "tool_calls": [{"id": "…", "type": "function", "function": {"name": "shell", "arguments": "{…}"}}]}
//! ```
//!
//! `content` is `null` where nothing was said. Reasoning stands under the name that the server gave it
//! (`reasoning_content`, `reasoning`, `reasoning_details`), arguments are the text that came, and every field that
//! nobody here knows is kept. Carried back are role, content, calls and `reasoning_details`; the other reasoning only
//! once a server has said that it wants it.

mod calls;
mod fold;
mod request;

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use overnight_ports::model::{Answer, Model, ModelError, ModelErrorKind, Request};

use crate::Env;
use crate::wire::failure::{Said, failure as failed};
use crate::wire::{Attempt, KeyHeader, Provider, Server, SettingsError, given, has_key};
use fold::Chunks;
use request::Form;

/// What the messages say of an address from the settings.
const CHAT: Provider = Provider {
    key: crate::OPENAI_API_KEY,
    url: crate::OPENAI_BASE_URL,
    url_like: "http://127.0.0.1:11434/v1",
    url_hint: "it usually ends in /v1",
};
/// What the messages say of an address that stands behind the name.
const CHAT_AT: Provider = Provider {
    url: "the address behind the model's name",
    ..CHAT
};

/// A model behind a server that speaks chat completions.
#[derive(Debug)]
pub struct Chat {
    name: String,
    /// Without prefix and address.
    model: String,
    server: Server,
    /// Set once the server has refused to be asked for usage.
    no_usage: AtomicBool,
    /// Set once the server has demanded the model's reasoning back.
    reasoning: AtomicBool,
    /// Set once the server has refused a message of the user after a result.
    said_in_result: AtomicBool,
}

/// `NAME` and the address behind it, if there is one: `qwen3:8b@http://127.0.0.1:11434/v1`.
pub(crate) fn split(name: &str) -> (&str, Option<&str>) {
    ["@http://", "@https://"]
        .iter()
        .find_map(|mark| name.rfind(mark))
        .map_or((name, None), |at| (&name[..at], Some(&name[at + 1..])))
}

impl Chat {
    /// Checks the settings. Nothing is sent, no file is read.
    ///
    /// The address is the one behind the name, else the configuration's, else [`crate::OPENAI_BASE_URL`]; the key
    /// comes from where the address comes from. An address behind a name gets the key only if it is the address that
    /// the key was set for: a goal file may name any address, and must not be able to send a key there.
    pub fn new(name: &str, env: &Env) -> Result<Self, SettingsError> {
        let (model, behind) = split(name);
        let model = model.trim();
        let configured = given(env.chat_base_url.as_deref());
        let common = given(env.openai_base_url.as_deref());
        let settings = match configured {
            Some(base) => Some((base, env.chat_api_key.as_ref())),
            None => common.map(|base| (base, env.openai_api_key.as_ref())),
        };
        let same = |a: &str, b: &str| a.trim_end_matches('/') == b.trim_end_matches('/');
        let (about, base, key) = match (behind, settings) {
            (Some(behind), Some((base, key))) if same(behind, base) => (&CHAT_AT, behind, key),
            (Some(behind), _) => (&CHAT_AT, behind, None),
            (None, Some((base, key))) => (&CHAT, base, key),
            (None, None) if has_key(env.openai_api_key.as_ref()) => (
                &CHAT,
                crate::openai::BASE_URL_DEFAULT,
                env.openai_api_key.as_ref(),
            ),
            (None, None) => {
                return Err(SettingsError::NoAddress {
                    spec: format!("chat/{name}"),
                });
            }
        };
        let server = Server::new(
            about,
            base,
            "chat/completions",
            key,
            KeyHeader::Bearer,
            env.limits,
        )?;
        Ok(Chat {
            name: format!("chat/{name}"),
            model: model.to_owned(),
            server,
            no_usage: AtomicBool::new(false),
            reasoning: AtomicBool::new(false),
            said_in_result: AtomicBool::new(false),
        })
    }

    /// One request and its answer.
    async fn attempt(&self, request: &Request, form: Form) -> Result<Answer, Attempt> {
        let body = request::body(request, &self.model, form).map_err(|error| {
            failed(
                ModelErrorKind::Refused,
                format!("the request cannot be written as JSON: {error}"),
            )
        })?;
        let fold = Chunks::new(request.turn, body.len());
        self.server.ask(request, &self.model, body, fold).await
    }

    /// One attempt, and the changes of form that the server asks for, each at most once and then remembered. Nothing
    /// has been computed or paid for when it asks, so it is still one attempt.
    async fn converse(&self, request: &Request) -> Result<Answer, ModelError> {
        let mut form = Form {
            usage: !self.no_usage.load(Ordering::Relaxed),
            reasoning: self.reasoning.load(Ordering::Relaxed),
            said_in_result: self.said_in_result.load(Ordering::Relaxed),
        };
        let mut changes: Vec<&str> = Vec::new();
        loop {
            let Attempt { error, said } = match self.attempt(request, form).await {
                Ok(mut answer) => {
                    answer
                        .oddities
                        .extend(changes.into_iter().map(str::to_owned));
                    return Ok(answer);
                }
                Err(attempt) => attempt,
            };
            let Some(said) = said else { return Err(error) };
            if is_about_usage(&said) && form.usage {
                form.usage = false;
                self.no_usage.store(true, Ordering::Relaxed);
                changes.push("the server refused stream_options; it was asked again without");
            } else if said.mentions("reasoning_content") && !form.reasoning {
                form.reasoning = true;
                self.reasoning.store(true, Ordering::Relaxed);
                changes.push(
                    "the server wants the model's reasoning back; it was asked again with it",
                );
            } else if is_about_order(&said) && !form.said_in_result {
                form.said_in_result = true;
                self.said_in_result.store(true, Ordering::Relaxed);
                changes.push(
                    "the server takes no message after a result; it was asked again with both in one",
                );
            } else {
                return Err(error);
            }
        }
    }
}

fn is_about_usage(said: &Said) -> bool {
    said.mentions("stream_options") || said.mentions("include_usage")
}

/// `Unexpected role 'user' after role 'tool'`.
fn is_about_order(said: &Said) -> bool {
    said.mentions("'user' after role 'tool'") || said.mentions("roles must alternate")
}

#[async_trait]
impl Model for Chat {
    fn name(&self) -> &str {
        &self.name
    }

    async fn reachable(&self) -> bool {
        self.server.reachable().await
    }

    async fn answer(&self, request: &Request) -> Result<Answer, ModelError> {
        self.server.within(self.converse(request)).await
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn an_address_may_stand_behind_the_name() {
        for (name, expected) in [
            ("qwen3:8b", ("qwen3:8b", None)),
            ("meta/llama@v2", ("meta/llama@v2", None)),
            (
                "qwen3:8b@http://127.0.0.1:11434/v1",
                ("qwen3:8b", Some("http://127.0.0.1:11434/v1")),
            ),
            (
                "/models/a@b.gguf@https://host/v1",
                ("/models/a@b.gguf", Some("https://host/v1")),
            ),
        ] {
            assert_eq!(split(name), expected);
        }
    }
}
