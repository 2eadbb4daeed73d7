//! One model server: its address, its key, and one request at a time with its answer.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use overnight_ports::model::{Answer, ModelError, ModelErrorKind, Request};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};

use super::failure::{Said, failure as failed, of_status, redact};
use super::stream::{self, Body, Events, causes};
use super::{Fold, Limits, Provider, SettingsError};

/// Largest body of an error that is read, bytes.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// How long a server may take to show that it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the end of a finished stream is waited for, to use its connection again.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(20);
/// How long the rest of an answer is waited for of which everything that matters has come.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(5);

/// How a key is shown to the server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// `x-api-key: KEY`.
    ApiKey,
}

/// An address, a key and a client.
#[derive(Debug)]
pub(crate) struct Server {
    about: &'static Provider,
    endpoint: Url,
    key: Option<SecretString>,
    key_header: KeyHeader,
    /// Sent with every request.
    headers: &'static [(&'static str, &'static str)],
    limits: Limits,
    /// Made with the first request: reading the root certificates takes longer than the whole start of the program.
    client: OnceLock<Client>,
    /// Attempts of this process, to give every request its own id.
    attempts: AtomicU64,
}

/// A failed attempt with the server's own words, where it answered with an HTTP error.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub error: ModelError,
    pub said: Option<Said>,
}

impl From<ModelError> for Attempt {
    fn from(error: ModelError) -> Self {
        Attempt { error, said: None }
    }
}

impl Server {
    /// Checks address and key. Nothing is sent, no file is read. `path` is added to the address, without its first part
    /// if the address ends in that already.
    pub(crate) fn new(
        about: &'static Provider,
        base: &str,
        path: &str,
        key: Option<&SecretString>,
        key_header: KeyHeader,
        limits: Limits,
    ) -> Result<Self, SettingsError> {
        let key = usable(key);
        if key.is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Err(SettingsError::BadKey { key: about.key });
        }
        Ok(Server {
            about,
            endpoint: endpoint(about, base, path)?,
            key: key.map(SecretString::from),
            key_header,
            headers: &[],
            limits,
            client: OnceLock::new(),
            attempts: AtomicU64::new(0),
        })
    }

    /// With headers that every request has.
    pub(crate) fn with_headers(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Server { headers, ..self }
    }

    /// The client, made when it is first needed.
    fn client(&self) -> Result<&Client, ModelError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        crate::install_tls();
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

    /// One request and its answer. `model` is its name as the server knows it.
    pub(crate) async fn ask(
        &self,
        request: &Request,
        model: &str,
        body: Vec<u8>,
        mut fold: impl Fold,
    ) -> Result<Answer, Attempt> {
        let response = self.send(request, model, body).await?;
        let mut answer = self.receive(response, &mut fold).await?;
        self.scrub(&mut answer);
        Ok(answer)
    }

    async fn receive(
        &self,
        response: reqwest::Response,
        fold: &mut impl Fold,
    ) -> Result<Answer, ModelError> {
        match stream::open(response, &self.limits).await {
            Ok(Body::Events(events)) => self.follow(events, fold).await,
            Ok(Body::Json(document)) => {
                let text = String::from_utf8_lossy(&document);
                let text = text.trim_start_matches('\u{feff}');
                let document = super::value(&redact(text, self.key.as_ref()))?;
                fold.whole(document)
            }
            Err(broken) => fold.ended(Some(broken)),
        }
    }

    /// Takes the key out of an answer. Every event has been looked through by itself; a key that came in two pieces is
    /// whole only here. An answer is journaled, and a journal is no place for a key.
    fn scrub(&self, answer: &mut Answer) {
        let clean = |text: &mut String| {
            if let std::borrow::Cow::Owned(clean) = redact(text, self.key.as_ref()) {
                *text = clean;
            }
        };
        let calls = answer.calls.iter_mut();
        calls
            .flat_map(|call| [&mut call.id, &mut call.name, &mut call.arguments])
            .chain([&mut answer.text])
            .chain(&mut answer.oddities)
            .for_each(&clean);
        let mut values: Vec<&mut serde_json::Value> = answer.items.iter_mut().collect();
        while let Some(value) = values.pop() {
            match value {
                serde_json::Value::String(text) => clean(text),
                serde_json::Value::Array(list) => values.extend(list),
                serde_json::Value::Object(fields) => values.extend(fields.values_mut()),
                _ => {}
            }
        }
    }

    /// Whether anything answers at the address, whatever it says. Carries no key and no conversation.
    pub(crate) async fn reachable(&self) -> bool {
        let Ok(client) = self.client() else {
            // The next attempt says why.
            return true;
        };
        let asked = client.head(self.endpoint.clone()).send();
        matches!(tokio::time::timeout(PROBE_TIMEOUT, asked).await, Ok(Ok(_)))
    }

    /// Posts; an error status is an error.
    async fn send(
        &self,
        request: &Request,
        model: &str,
        body: Vec<u8>,
    ) -> Result<reqwest::Response, Attempt> {
        let mut post = self
            .client()?
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream")
            .header("x-client-request-id", self.request_id(request))
            .body(body);
        for (name, value) in self.headers {
            post = post.header(*name, *value);
        }
        if let Some(key) = &self.key {
            let key = key.expose_secret();
            let (name, value) = match self.key_header {
                KeyHeader::Bearer => (AUTHORIZATION, format!("Bearer {key}")),
                KeyHeader::ApiKey => (HeaderName::from_static("x-api-key"), key.to_owned()),
            };
            let mut value = HeaderValue::try_from(value).map_err(|_| {
                let error = SettingsError::BadKey {
                    key: self.about.key,
                };
                failed(ModelErrorKind::Refused, error.to_string())
            })?;
            value.set_sensitive(true);
            post = post.header(name, value);
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
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.explanation(response).await;
        let said =
            Said::of_body(redact(&String::from_utf8_lossy(&body), self.key.as_ref()).as_bytes());
        Err(Attempt {
            error: of_status(self.about, model, status, &headers, &said),
            said: Some(said),
        })
    }

    /// Events until the answer is whole.
    async fn follow(&self, mut events: Events, fold: &mut impl Fold) -> Result<Answer, ModelError> {
        loop {
            let next = if fold.settled() {
                match tokio::time::timeout(SETTLE_TIMEOUT, events.next()).await {
                    Ok(next) => next,
                    Err(_) => return fold.ended(None),
                }
            } else {
                events.next().await
            };
            let event = match next {
                Ok(Some(event)) => event,
                Ok(None) => return fold.ended(None),
                Err(broken) => return fold.ended(Some(broken)),
            };
            let Some(data) = event.data else { continue };
            let data = redact(&data, self.key.as_ref());
            if let Some(answer) = fold.event(event.event.as_deref(), &data)? {
                events.drain(DRAIN_TIMEOUT).await;
                return Ok(answer);
            }
        }
    }

    /// Reads what a server says of its error, as far as it comes: the status has been said, its explanation is
    /// welcome, not needed.
    async fn explanation(&self, mut response: reqwest::Response) -> Vec<u8> {
        let mut body = Vec::new();
        while let Ok(Ok(Some(piece))) =
            tokio::time::timeout(self.limits.idle, response.chunk()).await
        {
            let room = ERROR_BYTES_MAX.saturating_sub(body.len());
            body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
            if piece.len() >= room {
                break;
            }
        }
        body
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
            format!("; check the network and {}", self.about.url)
        } else {
            String::new()
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

    /// Puts the limit of the whole around an answer, and looks for the key in whatever went wrong.
    pub(crate) async fn within(
        &self,
        conversation: impl Future<Output = Result<Answer, ModelError>>,
    ) -> Result<Answer, ModelError> {
        let whole = tokio::time::timeout(self.limits.answer, conversation).await;
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

/// A setting that says something.
pub(crate) fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn usable(key: Option<&SecretString>) -> Option<&str> {
    given(key.map(ExposeSecret::expose_secret))
}

/// Whether there is a key to show.
pub(crate) fn has_key(key: Option<&SecretString>) -> bool {
    usable(key).is_some()
}

fn endpoint(about: &Provider, base: &str, path: &str) -> Result<Url, SettingsError> {
    let bad = |why: &str| SettingsError::BadUrl {
        url: about.url,
        why: why.to_owned(),
        like: about.url_like,
    };
    let mut url = Url::parse(base).map_err(|_| bad("it is no address"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("it does not begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad(&format!(
            "it holds a user or a password; the key belongs into {}",
            about.key
        )));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("it names no host"));
    }
    url.set_fragment(None);
    let before = url.path().trim_end_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let after = if before.rsplit('/').next() == Some(first) && !rest.is_empty() {
        rest
    } else {
        path
    };
    // The query stays: some servers want an `api-version` there.
    let whole = format!("{before}/{after}");
    url.set_path(&whole);
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
