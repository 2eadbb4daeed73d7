//! OpenAI Responses: `POST {base}/responses` with a stream of events as the answer.
//!
//! `request` writes the body, `fold` makes an answer of the events, and this file decides what to ask for again in
//! another form. Nothing is stored at the provider: the whole conversation is sent each time, reasoning included, as
//! the provider sealed it.

mod fold;
mod request;

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use overnight_ports::model::{Answer, Model, ModelError, ModelErrorKind, Request};

use crate::Env;
use crate::wire::failure::{Said, failure as failed};
pub use crate::wire::{
    ANSWER_BYTES_MAX, ANSWER_TIMEOUT, CONNECT_TIMEOUT, EVENT_BYTES_MAX, IDLE_TIMEOUT, Limits,
    QUOTA_RETRY, RETRY_AFTER_MAX, SettingsError,
};
use crate::wire::{Attempt, KeyHeader, Provider, Server, given, has_key};
use fold::Responses;
use request::{Form, History};

/// Where the API is if nobody says otherwise.
pub const BASE_URL_DEFAULT: &str = "https://api.openai.com/v1";

/// What the messages say of it.
pub(crate) const OPENAI: Provider = Provider {
    key: crate::OPENAI_API_KEY,
    url: crate::OPENAI_BASE_URL,
    url_like: BASE_URL_DEFAULT,
    url_hint: "it usually ends in /v1",
};

/// A model behind OpenAI's Responses API, or a server that speaks it.
#[derive(Debug)]
pub struct OpenAi {
    name: String,
    server: Server,
    /// Set once the server has said that this model has no reasoning to encrypt.
    no_reasoning: AtomicBool,
}

impl OpenAi {
    /// Checks the settings. Nothing is sent, no file is read.
    pub fn new(name: &str, env: &Env) -> Result<Self, SettingsError> {
        let base = given(env.openai_base_url.as_deref());
        let key = env.openai_api_key.as_ref();
        if !has_key(key) && base.is_none() {
            return Err(SettingsError::NoKey {
                key: OPENAI.key,
                url: OPENAI.url,
            });
        }
        let server = Server::new(
            &OPENAI,
            base.unwrap_or(BASE_URL_DEFAULT),
            "responses",
            key,
            KeyHeader::Bearer,
            env.limits,
        )?;
        Ok(OpenAi {
            name: format!("openai/{name}"),
            server,
            no_reasoning: AtomicBool::new(false),
        })
    }

    /// One request and its answer.
    async fn attempt(&self, request: &Request, form: Form) -> Result<Answer, Attempt> {
        let body = request::body(request, form).map_err(|error| {
            failed(
                ModelErrorKind::Refused,
                format!("the request cannot be written as JSON: {error}"),
            )
        })?;
        let fold = Responses::new(body.len());
        self.server.ask(request, &request.model, body, fold).await
    }

    /// One attempt, and the one change of form that the server asks for, if it asks.
    async fn converse(&self, request: &Request) -> Result<Answer, ModelError> {
        let mut form = Form {
            history: History::Verbatim,
            encrypted_reasoning: !self.no_reasoning.load(Ordering::Relaxed),
        };
        let mut changes: Vec<&str> = Vec::new();
        loop {
            match self.attempt(request, form).await {
                Ok(mut answer) => {
                    answer
                        .oddities
                        .extend(changes.into_iter().map(str::to_owned));
                    return Ok(answer);
                }
                // Refused before anything was computed, and only for its form: asked again in the other form, each
                // form at most once. Nothing has been paid for, so it is still one attempt.
                Err(Attempt {
                    said: Some(said), ..
                }) if is_about_history(&said) && form.history == History::Verbatim => {
                    form.history = History::Plain;
                    changes.push("the server did not take the earlier reasoning back; it was asked again without it");
                }
                Err(Attempt {
                    said: Some(said), ..
                }) if is_about_include(&said) && form.encrypted_reasoning => {
                    form.encrypted_reasoning = false;
                    self.no_reasoning.store(true, Ordering::Relaxed);
                    changes.push(
                        "this model has no reasoning to carry back; it was asked again without",
                    );
                }
                Err(Attempt { error, .. }) => return Err(error),
            }
        }
    }
}

#[async_trait]
impl Model for OpenAi {
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

/// The server cannot read the reasoning that we carry back, or looks for our items in its store.
fn is_about_history(said: &Said) -> bool {
    said.code == "invalid_encrypted_content"
        || said.mentions("encrypted content") && said.mentions("could not be")
        || said.mentions("without its required")
        || said.mentions("items are not persisted when `store`")
}

/// The model has no reasoning to encrypt.
fn is_about_include(said: &Said) -> bool {
    said.mentions("encrypted content is not supported") || said.mentions("'include'")
}
