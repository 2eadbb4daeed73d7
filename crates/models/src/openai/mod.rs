//! OpenAI Responses: `POST {base}/responses` with a stream of events as the answer.
//!
//! [`request`] writes the body, [`stream`] reads bounded events, [`fold`] makes an answer of them, [`failure`] says
//! what went wrong. This file does the talking. Nothing is stored at the provider: the whole conversation is sent each
//! time, reasoning included, as the provider sealed it.

mod failure;
mod fold;
mod request;
mod stream;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use overnight_ports::model::{Answer, Model, ModelError, ModelErrorKind, Request};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::Env;
pub use failure::{QUOTA_RETRY, RETRY_AFTER_MAX};
use failure::{Said, failure as failed, of_status, redact};
use fold::Fold;
use request::{Form, History};
use stream::{Events, causes};

/// Where the API is if nobody says otherwise.
pub const BASE_URL_DEFAULT: &str = "https://api.openai.com/v1";
/// How long a connection may take to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a server may be silent, before an answer and within one.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a whole answer may take.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Largest event, bytes.
pub const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest answer, bytes on the wire.
pub const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Largest body of an error that is read, bytes.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// How long the end of a finished stream is waited for, to use its connection again.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(20);

/// Limits of one attempt. The defaults are the constants of this module.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// See [`CONNECT_TIMEOUT`].
    pub connect: Duration,
    /// See [`IDLE_TIMEOUT`].
    pub idle: Duration,
    /// See [`ANSWER_TIMEOUT`].
    pub answer: Duration,
    /// See [`EVENT_BYTES_MAX`].
    pub event_bytes_max: usize,
    /// See [`ANSWER_BYTES_MAX`].
    pub answer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: CONNECT_TIMEOUT,
            idle: IDLE_TIMEOUT,
            answer: ANSWER_TIMEOUT,
            event_bytes_max: EVENT_BYTES_MAX,
            answer_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}

/// What is wrong with the key or the address.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no key for a server that needs one.
    #[error(
        "OPENAI_API_KEY is not set: export a key, or set OPENAI_BASE_URL to a server that needs none"
    )]
    NoKey,
    /// The key cannot be part of a request.
    #[error(
        "OPENAI_API_KEY holds characters that no key has (a line break, a blank, a control character): copy it again"
    )]
    BadKey,
    /// The address cannot be used.
    #[error("OPENAI_BASE_URL cannot be used: {0}; it should look like {BASE_URL_DEFAULT}")]
    BadUrl(&'static str),
}

/// A model behind OpenAI's Responses API, or a server that speaks it.
#[derive(Debug)]
pub struct OpenAi {
    name: String,
    endpoint: Url,
    key: Option<SecretString>,
    limits: Limits,
    /// Made with the first request: reading the root certificates takes longer than the whole start of the program.
    client: OnceLock<Client>,
    /// Set once the server has said that this model has no reasoning to encrypt.
    no_reasoning: AtomicBool,
    /// Attempts of this process, to give every request its own id.
    attempts: AtomicU64,
}

impl OpenAi {
    /// Checks the settings. Nothing is sent, no file is read.
    pub fn new(name: &str, env: &Env) -> Result<Self, SettingsError> {
        let base = env
            .openai_base_url
            .as_deref()
            .map(str::trim)
            .filter(|base| !base.is_empty());
        let key = env
            .openai_api_key
            .as_ref()
            .map(|key| key.expose_secret().trim())
            .filter(|key| !key.is_empty());
        if key.is_none() && base.is_none() {
            return Err(SettingsError::NoKey);
        }
        if key.is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(SettingsError::BadKey);
        }
        Ok(OpenAi {
            name: format!("openai/{name}"),
            endpoint: endpoint(base.unwrap_or(BASE_URL_DEFAULT))?,
            key: key.map(SecretString::from),
            limits: env.limits,
            client: OnceLock::new(),
            no_reasoning: AtomicBool::new(false),
            attempts: AtomicU64::new(0),
        })
    }

    /// The client, made when it is first needed.
    fn client(&self) -> Result<&Client, ModelError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Somebody may have installed a provider already; then theirs is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("overnight/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.limits.connect)
            // A redirect would carry key and conversation to an address that nobody wrote down.
            .redirect(reqwest::redirect::Policy::none())
            // A compressed stream would be held back by whoever compresses it.
            .no_gzip();
        if self.endpoint.scheme() == "http" {
            // No certificate will be looked at, so none is loaded.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&self.endpoint) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            let why = causes(&error.without_url());
            let next =
                "are the system's CA certificates installed, and is the proxy's address right?";
            // Nothing that time would mend.
            failed(
                ModelErrorKind::Refused,
                format!("cannot set up the connection to the model server: {why}; {next}"),
            )
        })?;
        Ok(self.client.get_or_init(|| client))
    }

    /// One request and its answer.
    async fn attempt(&self, request: &Request, form: Form) -> Result<Answer, Attempt> {
        let body = request::body(request, form).map_err(|error| {
            failed(
                ModelErrorKind::Refused,
                format!("the request cannot be written as JSON: {error}"),
            )
        })?;
        let mut post = self
            .client()?
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .header("x-client-request-id", self.request_id(request))
            .body(body);
        if let Some(key) = &self.key {
            let mut bearer = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))
                .map_err(|_| failed(ModelErrorKind::Refused, SettingsError::BadKey.to_string()))?;
            bearer.set_sensitive(true);
            post = post.header(AUTHORIZATION, bearer);
        }
        let response = match tokio::time::timeout(self.limits.idle, post.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.unreachable(error).into()),
            Err(_) => {
                let idle = self.limits.idle.as_secs_f64();
                return Err(failed(
                    ModelErrorKind::Network,
                    format!("{} did not answer within {idle} s", self.place()),
                )
                .into());
            }
        };
        if !response.status().is_success() {
            let (status, headers) = (response.status(), response.headers().clone());
            let body = self.read(response, ERROR_BYTES_MAX, Reading::Start).await?;
            let said = Said::of_body(
                redact(&String::from_utf8_lossy(&body), self.key.as_ref()).as_bytes(),
            );
            return Err(Attempt {
                error: of_status(status, &headers, &said),
                said: Some(said),
            });
        }
        let json = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        if json.is_some_and(|kind| kind.trim_start().starts_with("application/json")) {
            let body = self
                .read(response, self.limits.answer_bytes_max, Reading::Whole)
                .await?;
            return Ok(Fold::default()
                .whole(redact(&String::from_utf8_lossy(&body), self.key.as_ref()).as_bytes())?);
        }
        let mut events = Events::new(response, &self.limits);
        let mut fold = Fold::default();
        while let Some(event) = events.next().await? {
            let Some(data) = event.data else { continue };
            let data = redact(&data, self.key.as_ref());
            if let Some(answer) = fold.event(event.event.as_deref(), &data)? {
                events.drain(DRAIN_TIMEOUT).await;
                return Ok(answer);
            }
        }
        Err(fold.cut().into())
    }

    /// Reads a body that is no stream, up to `most` bytes.
    async fn read(
        &self,
        mut response: reqwest::Response,
        most: usize,
        reading: Reading,
    ) -> Result<Vec<u8>, ModelError> {
        let mut body = Vec::new();
        loop {
            match tokio::time::timeout(self.limits.idle, response.chunk()).await {
                Ok(Ok(None)) => return Ok(body),
                Ok(Ok(Some(piece))) => {
                    let room = most.saturating_sub(body.len());
                    body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
                    match reading {
                        Reading::Start if piece.len() >= room => return Ok(body),
                        Reading::Whole if piece.len() > room => {
                            let message = format!("the answer is larger than {most} bytes");
                            return Err(failed(ModelErrorKind::Malformed, message));
                        }
                        Reading::Start | Reading::Whole => {}
                    }
                }
                // The status has been said; its explanation is welcome, not needed.
                Ok(Err(_)) | Err(_) if matches!(reading, Reading::Start) => return Ok(body),
                Ok(Err(error)) => {
                    let why = causes(&error.without_url());
                    return Err(failed(
                        ModelErrorKind::Cut,
                        format!("the connection broke in the middle of the answer: {why}"),
                    ));
                }
                Err(_) => return Err(failed(ModelErrorKind::Cut, "the answer stopped coming")),
            }
        }
    }

    /// The provider's support finds a request by this; the run's key and the turn make it useful to us as well.
    fn request_id(&self, request: &Request) -> String {
        let key: String = request
            .cache_key
            .chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .take(64)
            .collect();
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        format!(
            "overnight-{key}-t{}-{}-{attempt}",
            request.turn,
            std::process::id()
        )
    }

    fn unreachable(&self, error: reqwest::Error) -> ModelError {
        let next = if error.is_connect() {
            "; check the network and OPENAI_BASE_URL"
        } else {
            ""
        };
        let why = causes(&error.without_url());
        failed(
            ModelErrorKind::Network,
            format!("no answer from {}: {why}{next}", self.place()),
        )
    }

    /// Host and port, for messages.
    fn place(&self) -> String {
        let host = self.endpoint.host_str().unwrap_or("the model server");
        self.endpoint
            .port()
            .map_or(host.to_owned(), |port| format!("{host}:{port}"))
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
                }) if said.is_about_history() && form.history == History::Verbatim => {
                    form.history = History::Plain;
                    changes.push("the server did not take the earlier reasoning back; it was asked again without it");
                }
                Err(Attempt {
                    said: Some(said), ..
                }) if said.is_about_include() && form.encrypted_reasoning => {
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

    async fn answer(&self, request: &Request) -> Result<Answer, ModelError> {
        let whole = tokio::time::timeout(self.limits.answer, self.converse(request)).await;
        whole
            .unwrap_or_else(|_| {
                let limit = self.limits.answer.as_secs_f64();
                Err(failed(
                    ModelErrorKind::Cut,
                    format!("the answer was not whole after {limit} s"),
                ))
            })
            .map_err(|mut error| {
                // Once more over the whole sentence, whatever it was made of.
                error.message =
                    redact(&error.message, self.key.as_ref()).replace(char::is_control, " ");
                error
            })
    }
}

/// Whether the whole of a body is needed.
#[derive(Debug, Clone, Copy)]
enum Reading {
    Start,
    Whole,
}

/// A failed attempt with the server's own words, where it answered with an HTTP error.
struct Attempt {
    error: ModelError,
    said: Option<Said>,
}

impl From<ModelError> for Attempt {
    fn from(error: ModelError) -> Self {
        Attempt { error, said: None }
    }
}

fn endpoint(base: &str) -> Result<Url, SettingsError> {
    let mut url = Url::parse(base).map_err(|_| SettingsError::BadUrl("it is no address"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(SettingsError::BadUrl(
            "it does not begin with http:// or https://",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SettingsError::BadUrl(
            "it holds a user or a password; the key belongs into OPENAI_API_KEY",
        ));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(SettingsError::BadUrl("it names no host"));
    }
    url.set_fragment(None);
    // The query stays: some servers want an `api-version` there.
    let path = format!("{}/responses", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}
