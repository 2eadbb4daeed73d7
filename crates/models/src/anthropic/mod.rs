//! Anthropic Messages: `POST {base}/v1/messages` with a stream of events as the answer.
//!
//! `request` writes the body, `fold` makes an answer of the events, `models` knows what differs from model to
//! model, and this file decides what to ask for again in another form. An answer's items are its content blocks,
//! thinking with its signatures included, and are carried back as they came.

mod fold;
mod models;
mod request;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use overnight_ports::model::{Answer, Model, ModelError, ModelErrorKind, Request};

use crate::Env;
use crate::wire::failure::{Said, failure as failed};
use crate::wire::{Attempt, KeyHeader, Provider, Server, SettingsError, given, has_key};
use fold::Messages;
use request::Form;

/// Where the API is if nobody says otherwise.
pub const BASE_URL_DEFAULT: &str = "https://api.anthropic.com";
/// The version of the API that this speaks.
const VERSION: &str = "2023-06-01";
/// How many refused thinking blocks are remembered. Beyond that they are learnt anew.
const REFUSED_MAX: usize = 10_000;

/// What the messages say of it.
const ANTHROPIC: Provider = Provider {
    key: crate::ANTHROPIC_API_KEY,
    url: crate::ANTHROPIC_BASE_URL,
    url_like: BASE_URL_DEFAULT,
    url_hint: "without /v1/messages at its end",
};

/// A model behind Anthropic's Messages API, or a server that speaks it.
#[derive(Debug)]
pub struct Anthropic {
    name: String,
    server: Server,
    /// What is known of the model, before the server says otherwise.
    facts: models::Facts,
    /// The largest `max_tokens` that the server takes, once it has said so; 0 before.
    max_tokens: AtomicU64,
    /// Set once the server has said that this model is not to be asked to think.
    no_thinking: AtomicBool,
    /// Thinking that the server does not take back. It stays left out, so that what the model thinks from then on
    /// belongs to the same conversation as what it is shown the next time.
    refused: Mutex<BTreeSet<u64>>,
}

impl Anthropic {
    /// Checks the settings. Nothing is sent, no file is read.
    pub fn new(name: &str, env: &Env) -> Result<Self, SettingsError> {
        let base = given(env.anthropic_base_url.as_deref());
        let key = env.anthropic_api_key.as_ref();
        if !has_key(key) && base.is_none() {
            return Err(SettingsError::NoKey {
                key: ANTHROPIC.key,
                url: ANTHROPIC.url,
            });
        }
        let server = Server::new(
            &ANTHROPIC,
            base.unwrap_or(BASE_URL_DEFAULT),
            "v1/messages",
            key,
            KeyHeader::ApiKey,
            env.limits,
        )?
        .with_headers(&[("anthropic-version", VERSION)]);
        Ok(Anthropic {
            name: format!("anthropic/{name}"),
            server,
            facts: models::of(name),
            max_tokens: AtomicU64::new(0),
            no_thinking: AtomicBool::new(false),
            refused: Mutex::default(),
        })
    }

    /// One request and its answer.
    async fn attempt(&self, request: &Request, form: &Form) -> Result<Answer, Attempt> {
        let body = request::body(request, form).map_err(|error| {
            failed(
                ModelErrorKind::Refused,
                format!("the request cannot be written as JSON: {error}"),
            )
        })?;
        let fold = Messages::new(body.len());
        self.server.ask(request, &request.model, body, fold).await
    }

    fn refused(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        // A set of numbers is right whatever another thread died of.
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn form(&self) -> Form {
        let most = match self.max_tokens.load(Ordering::Relaxed) {
            0 => self.facts.max_tokens,
            learnt => learnt,
        };
        Form {
            max_tokens: most,
            ask_to_think: self.facts.ask_to_think && !self.no_thinking.load(Ordering::Relaxed),
            without: self.refused().clone(),
        }
    }

    /// One attempt, and the changes of form that the server asks for, each at most once. Nothing has been computed or
    /// paid for when it asks, so it is still one attempt.
    async fn converse(&self, request: &Request) -> Result<Answer, ModelError> {
        let mut form = self.form();
        let mut changes: Vec<String> = Vec::new();
        let (mut without_thinking, mut shorter) = (false, false);
        loop {
            let Attempt { error, said } = match self.attempt(request, &form).await {
                Ok(mut answer) => {
                    answer.oddities.extend(changes);
                    return Ok(answer);
                }
                Err(attempt) => attempt,
            };
            let Some(said) = said.filter(|_| error.kind == ModelErrorKind::Refused) else {
                return Err(error);
            };
            if is_about_earlier_thinking(&said) && !without_thinking {
                let all = request::thinking(request);
                if all.is_subset(&form.without) {
                    return Err(error);
                }
                without_thinking = true;
                form.without.extend(all);
                let mut refused = self.refused();
                if refused.len() >= REFUSED_MAX {
                    refused.clear();
                }
                refused.extend(&form.without);
                changes.push("the server did not take the earlier thinking back; it was asked again without it".to_owned());
            } else if is_about_thinking(&said) && form.ask_to_think {
                form.ask_to_think = false;
                self.no_thinking.store(true, Ordering::Relaxed);
                changes.push(
                    "this model is not to be asked to think; it was asked again without".to_owned(),
                );
            } else if let Some(most) = most_tokens(&said, form.max_tokens).filter(|_| !shorter) {
                shorter = true;
                form.max_tokens = most;
                self.max_tokens.store(most, Ordering::Relaxed);
                changes.push(format!(
                    "this model answers with at most {most} tokens; it was asked again with that limit"
                ));
            } else {
                return Err(error);
            }
        }
    }
}

/// The server does not take back the thinking that it is shown: signed by another key, in another place, for another
/// conversation.
fn is_about_earlier_thinking(said: &Said) -> bool {
    said.mentions("messages")
        && said.mentions("thinking")
        && [
            "signature",
            "cannot be modified",
            "expected `",
            "must ",
            "invalid",
            "bound",
        ]
        .iter()
        .any(|word| said.mentions(word))
        || said.mentions("signature") && said.mentions("thinking")
}

/// The model does not know the way in which it is asked to think.
fn is_about_thinking(said: &Said) -> bool {
    said.mentions("thinking")
}

/// `max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for …`
fn most_tokens(said: &Said, asked: u64) -> Option<u64> {
    let (_, rest) = said.message.split_once("max_tokens")?;
    // The limit stands behind what was asked for; a model's name further on may hold digits of its own.
    let (_, rest) = rest.split_once(&asked.to_string())?;
    let mut numbers = rest
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse::<u64>().ok());
    numbers.next().filter(|most| (1..asked).contains(most))
}

#[async_trait]
impl Model for Anthropic {
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

    fn said(message: &str) -> Said {
        Said {
            code: "invalid_request_error".into(),
            message: message.into(),
        }
    }

    #[test]
    fn refusals_of_earlier_thinking_are_told_from_other_refusals() {
        for message in [
            "messages.1.content.0: Invalid `signature` in `thinking` block",
            "messages.3.content.8: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must remain as they were in the original response.",
            "messages.129.content.0.type: Expected `thinking` or `redacted_thinking`, but found `text`.",
        ] {
            assert!(is_about_earlier_thinking(&said(message)), "{message}");
        }
        for message in [
            "adaptive thinking is not supported on this model",
            "thinking: Input tag 'adaptive' found using 'type' does not match any of the expected tags",
            "messages.1.content.0: text content blocks must be non-empty",
        ] {
            assert!(!is_about_earlier_thinking(&said(message)), "{message}");
        }
    }

    #[test]
    fn the_largest_answer_is_read_from_the_refusal() {
        let message = "max_tokens: 64000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-haiku-20241022";
        assert_eq!(most_tokens(&said(message), 64_000), Some(8_192));
        assert_eq!(most_tokens(&said("prompt is bad 12"), 64_000), None);
        assert_eq!(
            most_tokens(&said("max_tokens: must be positive"), 64_000),
            None
        );
    }
}
