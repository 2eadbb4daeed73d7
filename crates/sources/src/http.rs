//! One HTTP API with a token: bounded, patient for some seconds, and never talking to anybody but its own server.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use overnight_ports::source::SourceError;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{clean, is_here};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a request may take with its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest explanation of an error that is read, bytes.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// How much of a server's own words is quoted, bytes.
const QUOTE_BYTES_MAX: usize = 300;
/// How long rate limits are waited out within one request, all in all.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first wait where a server limits and does not say until when; doubled each time.
const BACKOFF: Duration = Duration::from_secs(1);
/// The shortest wait before a request is made again.
const WAIT_MIN: Duration = Duration::from_millis(500);
/// The longest wait that a server may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How many redirects on the same server are followed.
const REDIRECTS_MAX: usize = 3;
/// Numbers from here on are Unix times, smaller ones seconds from now.
const UNIX_TIME_MIN: u64 = 1_000_000_000;
/// A secret shorter than this is none, and replacing it would garble messages, bytes.
const SECRET_BYTES_MIN: usize = 6;

/// What is shorter is not looked for in whole answers, where it could be a part of anything, bytes.
const TOKEN_BYTES_MIN: usize = 16;
/// Numbers from here on are Unix times in milliseconds.
const UNIX_TIME_MS_MIN: u64 = 1_000_000_000_000;

/// A header with a secret.
pub(crate) struct Credential {
    pub header: HeaderName,
    /// `Bearer `, or nothing.
    pub scheme: &'static str,
    pub secret: SecretString,
}

impl Credential {
    pub(crate) fn bearer(secret: SecretString) -> Self {
        Credential {
            header: reqwest::header::AUTHORIZATION,
            scheme: "Bearer ",
            secret,
        }
    }
}

/// A server.
pub(crate) struct Api {
    /// As people call it.
    name: &'static str,
    base: Url,
    credentials: Vec<Credential>,
    /// Sent with every request.
    headers: &'static [(&'static str, &'static str)],
    /// Made with the first request: reading the root certificates takes a while.
    client: OnceLock<Client>,
}

/// An answer that is a success.
pub(crate) struct Answer {
    /// Its JSON; null where there is none.
    pub value: Value,
    pub headers: HeaderMap,
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub error: SourceError,
    pub status: Option<u16>,
    /// Whether the server certainly did nothing.
    pub nothing_done: bool,
}

impl From<Failure> for SourceError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Failure {
    /// Of a request for a whole list: what is not there is not the item.
    pub(crate) fn of_list(self, what: &str) -> SourceError {
        match self.error {
            SourceError::Gone(message) => SourceError::Refused(format!(
                "{message}: check {what}, and that the token may see it"
            )),
            error => error,
        }
    }
}

impl Api {
    pub(crate) fn new(name: &'static str, base: Url, credentials: Vec<Credential>) -> Self {
        Api {
            name,
            base,
            credentials,
            headers: &[],
            client: OnceLock::new(),
        }
    }

    pub(crate) fn with_headers(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Api { headers, ..self }
    }

    /// Scheme, host and path of the server, for people.
    pub(crate) fn place(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// An address below the base, from parts that are escaped; a last empty part makes a slash.
    pub(crate) fn at(&self, parts: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    pub(crate) async fn get(&self, url: Url) -> Result<Answer, Failure> {
        self.send(Method::GET, url, None).await
    }

    /// One request; rate limits of a few seconds are waited out, nothing else is tried again.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let mut patience = PATIENCE;
        let mut backoff = BACKOFF;
        loop {
            let failure = match self.follow(&method, url.clone(), body).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let SourceError::RateLimited { retry_after_ms, .. } = &failure.error else {
                return Err(failure);
            };
            // A limit that ends this very moment is let pass too.
            let wait = retry_after_ms
                .map_or(backoff, Duration::from_millis)
                .max(WAIT_MIN);
            if wait > patience {
                return Err(failure);
            }
            patience -= wait;
            backoff *= 2;
            tokio::time::sleep(wait).await;
        }
    }

    /// Follows redirects of what only reads, on the same server.
    async fn follow(
        &self,
        method: &Method,
        mut url: Url,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        for _ in 0..REDIRECTS_MAX {
            let response = self.request(method, url.clone(), body).await?;
            let status = response.status();
            let to = response
                .headers()
                .get(LOCATION)
                .and_then(|to| to.to_str().ok())
                .and_then(|to| url.join(to).ok());
            match to {
                Some(to)
                    if status.is_redirection()
                        && method == Method::GET
                        && to.origin() == self.base.origin() =>
                {
                    url = to;
                }
                _ => return self.answer(response).await,
            }
        }
        Err(Failure {
            error: SourceError::Refused(format!(
                "{} redirects more than {REDIRECTS_MAX} times: check `items.url`",
                self.name
            )),
            status: None,
            nothing_done: true,
        })
    }

    async fn request(
        &self,
        method: &Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<reqwest::Response, Failure> {
        let mut request = self
            .client()?
            .request(method.clone(), url)
            .header(ACCEPT, "application/json");
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        for credential in &self.credentials {
            let text = format!("{}{}", credential.scheme, credential.secret.expose_secret());
            let mut value = HeaderValue::try_from(text).map_err(|_| Failure {
                error: SourceError::Refused(format!(
                    "the token for {} cannot be a header",
                    self.name
                )),
                status: None,
                nothing_done: true,
            })?;
            value.set_sensitive(true);
            request = request.header(&credential.header, value);
        }
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        } else if *method != Method::GET {
            request = request.header(reqwest::header::CONTENT_LENGTH, "0");
        }
        request.send().await.map_err(|error| {
            let connect = error.is_connect();
            let why = self.redacted(&causes(&error.without_url()));
            Failure {
                error: SourceError::Unavailable(format!(
                    "{} at {} cannot be reached: {}",
                    self.name,
                    self.place(),
                    clean::line(&why, QUOTE_BYTES_MAX)
                )),
                status: None,
                nothing_done: connect,
            }
        })
    }

    async fn answer(&self, mut response: reqwest::Response) -> Result<Answer, Failure> {
        let status = response.status();
        let headers = response.headers().clone();
        let most = if status.is_success() {
            ANSWER_BYTES_MAX
        } else {
            ERROR_BYTES_MAX
        };
        let unread = |error: SourceError| Failure {
            error,
            status: Some(status.as_u16()),
            nothing_done: refused_it(status),
        };
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(piece)) if body.len() + piece.len() > most => {
                    if status.is_success() {
                        return Err(unread(SourceError::Malformed(format!(
                            "{} sent an answer of more than {} MiB",
                            self.name,
                            ANSWER_BYTES_MAX / 1024 / 1024
                        ))));
                    }
                    break;
                }
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) if status.is_success() => {
                    let why = self.redacted(&causes(&error.without_url()));
                    return Err(unread(SourceError::Unavailable(format!(
                        "the answer of {} broke off: {}",
                        self.name,
                        clean::line(&why, QUOTE_BYTES_MAX)
                    ))));
                }
                // The status has been said; its explanation is welcome, not needed.
                Err(_) => break,
            }
        }
        if !status.is_success() {
            return Err(unread(self.error(status, &headers, &body)));
        }
        let value = if body.iter().all(u8::is_ascii_whitespace) {
            Value::Null
        } else {
            let body = self.without_tokens(body);
            serde_json::from_slice(&body).map_err(|error| {
                unread(SourceError::Malformed(format!(
                    "{} answered with what is no JSON ({error}): check `items.url`",
                    self.name
                )))
            })?
        };
        Ok(Answer { value, headers })
    }

    fn error(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> SourceError {
        let name = self.name;
        let words = words(body);
        let words = clean::line(&self.redacted(&words), QUOTE_BYTES_MAX);
        let said = if words.is_empty() {
            String::new()
        } else {
            format!(" ({words})")
        };
        let number = status.as_u16();
        let answered = format!("{name} answered {number}{said}");
        let wait = retry_after(headers, SystemTime::now());
        // GitHub limits with 403 as well.
        let spent = number == 403
            && (headers.contains_key("retry-after")
                || headers
                    .get("x-ratelimit-remaining")
                    .is_some_and(|left| left == "0"));
        match number {
            429 => {}
            _ if spent => {}
            401 => {
                return SourceError::Refused(format!(
                    "{answered}: the token is wrong or has expired"
                ));
            }
            403 => {
                return SourceError::Refused(format!(
                    "{answered}: the token has not the right to do this"
                ));
            }
            404 | 410 => return SourceError::Gone(answered),
            300..=399 => {
                let host = headers
                    .get(LOCATION)
                    .and_then(|to| to.to_str().ok())
                    .and_then(|to| Url::parse(to).ok())
                    .and_then(|to| to.host_str().map(str::to_owned));
                let to = host.map_or(String::new(), |host| {
                    format!(" to {}", clean::line(&host, 100))
                });
                return SourceError::Refused(format!(
                    "{name} answered {number}, a redirect{to} that is not followed: set `items.url` and `items.project` to where it is now"
                ));
            }
            408 | 425 | 500..=599 => return SourceError::Unavailable(answered),
            _ => return SourceError::Refused(answered),
        }
        SourceError::RateLimited {
            retry_after_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            message: format!("{answered}: too many requests"),
        }
    }

    fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Somebody may have installed a provider already; then theirs is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("overnight/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if self.base.scheme() == "http" {
            // No certificate will be looked at, so none is loaded.
            builder = builder.tls_certs_only([]);
        }
        if is_here(&self.base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| Failure {
            error: SourceError::Refused(format!(
                "a connection to {} cannot be set up: {}; are the system's CA certificates installed?",
                self.name,
                clean::line(&causes(&error.without_url()), QUOTE_BYTES_MAX)
            )),
            status: None,
            nothing_done: true,
        })?;
        Ok(self.client.get_or_init(|| client))
    }

    /// An answer without the tokens: what a server sends back of them, or an event holds, is neither journaled nor shown.
    fn without_tokens(&self, body: Vec<u8>) -> Vec<u8> {
        let text = match String::from_utf8(body) {
            Ok(text) => text,
            // It will be refused as what it is.
            Err(error) => return error.into_bytes(),
        };
        let secrets = self.credentials.iter().map(|c| c.secret.expose_secret());
        secrets
            .filter(|secret| secret.len() >= TOKEN_BYTES_MIN)
            .fold(text, |text, secret| match text.contains(secret) {
                true => text.replace(secret, "[token]"),
                false => text,
            })
            .into_bytes()
    }

    /// A text without the tokens, whatever it was made of.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let secrets = self.credentials.iter().map(|c| c.secret.expose_secret());
        secrets
            .filter(|secret| secret.len() >= SECRET_BYTES_MIN)
            .fold(text.to_owned(), |text, secret| {
                text.replace(secret, "[token]")
            })
    }
}

/// Whether the status says that the server did nothing.
fn refused_it(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
}

/// What a server says about an error, wherever it says it.
fn words(body: &[u8]) -> String {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let text = String::from_utf8_lossy(body);
        // A page for people says less than the status.
        return if text.trim_start().starts_with('<') {
            String::new()
        } else {
            text.into_owned()
        };
    };
    for key in ["detail", "message", "error", "errors", "title"] {
        match value.get(key) {
            Some(Value::String(text)) => return text.clone(),
            Some(Value::Null) | None => {}
            Some(other) => return other.to_string(),
        }
    }
    match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// When the headers say to come back. Whichever clock the server goes by, its own date is used where it tells it.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(str::trim)
    };
    let now = text("date").and_then(http_date).unwrap_or(now);
    let until = |then: SystemTime| then.duration_since(now).unwrap_or(Duration::ZERO);
    let told = text("retry-after").and_then(|value| {
        let seconds = value.parse::<f64>().ok();
        match seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()) {
            Some(wait) => Some(wait),
            None => http_date(value).map(until),
        }
    });
    let reset = || {
        let value = [
            "x-sentry-rate-limit-reset",
            "x-ratelimit-reset",
            "ratelimit-reset",
        ];
        let value = value.into_iter().find_map(text)?;
        let number: u64 = value.split('.').next()?.parse().ok()?;
        Some(if number >= UNIX_TIME_MS_MIN {
            until(SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(number))?)
        } else if number >= UNIX_TIME_MIN {
            until(SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(number))?)
        } else {
            Duration::from_secs(number)
        })
    };
    told.or_else(reset).map(|wait| wait.min(RETRY_AFTER_MAX))
}

fn http_date(text: &str) -> Option<SystemTime> {
    jiff::fmt::rfc2822::DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text)
        .ok()
        .map(SystemTime::from)
}

/// An error with everything below it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text.push_str(&format!(": {cause}"));
        below = cause.source();
    }
    text
}

/// The pages of one list, each read once.
pub(crate) struct Pages {
    name: &'static str,
    first: Url,
    read: BTreeSet<Url>,
    most: usize,
}

impl Pages {
    /// A list that begins at this address and has at most so many pages.
    pub(crate) fn new(api: &Api, first: &Url, most: usize) -> Self {
        Pages {
            name: api.name,
            first: first.clone(),
            read: BTreeSet::from([first.clone()]),
            most,
        }
    }

    /// Where the next page is, if the server names one: the list's own address with the query of the one that is named,
    /// so that no token ever goes to an address that nobody wrote down. A server that leads in a circle, or to where
    /// nobody can follow, has not given the whole list, and a part of it is not taken for the whole.
    pub(crate) fn next(&mut self, named: Option<&str>) -> Result<Option<Url>, SourceError> {
        let Some(named) = named else {
            return Ok(None);
        };
        let odd =
            |why: &str| SourceError::Malformed(format!("{} names a next page {why}", self.name));
        let mut url = self.first.clone();
        let next = self.first.join(named).ok();
        let query = next.as_ref().and_then(Url::query);
        let query = query.ok_or_else(|| odd("that is no part of the same list"))?;
        url.set_query(Some(query));
        if self.read.len() >= self.most {
            return Err(odd(&format!(
                "after {} pages: the list has no end",
                self.most
            )));
        }
        if !self.read.insert(url.clone()) {
            return Err(odd("that was read already: the list leads in a circle"));
        }
        Ok(Some(url))
    }
}

/// The address of the next page in `Link` headers (RFC 8288), and where they say whether there is any
/// (`results="false"`), that too.
pub(crate) fn next_link(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(reqwest::header::LINK).iter();
    all.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .find_map(|value| next_of(&value))
}

/// The same of one header's value: `<address>; name=value; name="value", <address>…`. Addresses and quoted values may
/// hold commas and semicolons.
fn next_of(mut rest: &str) -> Option<String> {
    while let Some((_, link)) = rest.split_once('<') {
        let (address, parameters) = link.split_once('>')?;
        let (mut is_next, mut any) = (false, true);
        rest = parameters;
        while let Some(parameter) = rest.trim_start().strip_prefix(';') {
            let end = parameter.find(['=', ';', ',']).unwrap_or(parameter.len());
            let name = parameter[..end].trim().to_ascii_lowercase();
            let (value, more) = match parameter[end..].strip_prefix('=') {
                Some(value) => parameter_value(value.trim_start()),
                None => (String::new(), &parameter[end..]),
            };
            rest = more;
            let mut words = value.split_ascii_whitespace();
            match name.as_str() {
                "rel" => is_next |= words.any(|word| word.eq_ignore_ascii_case("next")),
                "results" => any &= !value.eq_ignore_ascii_case("false"),
                _ => {}
            }
        }
        if is_next && any {
            return Some(address.trim().to_owned());
        }
    }
    None
}

/// A parameter's value, quoted or not, and what follows it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &quoted[at + 1..]),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    fn wait(pairs: &[(&'static str, &'static str)]) -> Option<u64> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        retry_after(&headers(pairs), now).map(|wait| wait.as_secs())
    }

    #[test]
    fn every_way_to_say_when_to_come_back_is_understood() {
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after", "12")]), Some(12));
        assert_eq!(
            wait(&[("x-sentry-rate-limit-reset", "1800000007")]),
            Some(7)
        );
        assert_eq!(wait(&[("x-ratelimit-reset", "1799999999")]), Some(0));
        assert_eq!(wait(&[("x-ratelimit-reset", "9")]), Some(9));
        assert_eq!(wait(&[("x-ratelimit-reset", "1800000008000")]), Some(8));
        assert_eq!(wait(&[("ratelimit-reset", "11")]), Some(11));
        assert_eq!(
            wait(&[
                ("date", "Sun, 22 Nov 2026 21:00:00 GMT"),
                ("retry-after", "Sun, 22 Nov 2026 21:00:30 GMT")
            ]),
            Some(30)
        );
        assert_eq!(wait(&[("retry-after", "-5")]), None);
        assert_eq!(wait(&[("retry-after", "1e99")]), None);
    }

    #[test]
    fn the_next_page_is_found_and_keeps_to_its_server() {
        let sentry = "<https://sentry.io/api/0/x/?cursor=0:0:1>; rel=\"previous\"; results=\"false\"; cursor=\"0:0:1\", <https://sentry.io/api/0/x/?cursor=0:100:0>; rel=\"next\"; results=\"true\"; cursor=\"0:100:0\"";
        let next = |link| next_link(&headers(&[("link", link)]));
        assert_eq!(
            next(sentry).unwrap(),
            "https://sentry.io/api/0/x/?cursor=0:100:0"
        );
        assert_eq!(
            next("<https://sentry.io/x/?cursor=2>; rel=\"next\"; results=\"false\""),
            None
        );
    }

    #[test]
    fn a_link_header_is_read_however_it_is_written() {
        let next = |link| next_link(&headers(&[("link", link)]));
        for link in [
            "</x?p=2>; rel=next",
            "</x?p=2>;rel=next;title=\"a, <b>; c\"",
            "</x?p=2>; REL=\"Next\"",
            "</x?p=2>; rel=\"last next\"",
            "</x?p=2> ; title=\"a \\\" rel=prev\" ; rel = \"next\"",
            "</x?p=1>; rel=\"first\", </x?p=2>; rel=\"next\"",
            "</x?q=a,b>; rel=prev, </x?p=2>; results=\"true\"; rel=\"next\"; cursor=\"0:1:0\"",
            "</x?p=0>; rel=\"next\"; results=\"false\", </x?p=2>; rel=\"next\"",
        ] {
            assert_eq!(next(link).as_deref(), Some("/x?p=2"), "{link}");
        }
        let comma = "</x?q=a,b;c&p=2>; rel=next";
        assert_eq!(next(comma).as_deref(), Some("/x?q=a,b;c&p=2"));
        for link in [
            "",
            "<",
            "</x",
            "</x?p=2>",
            "</x?p=2>; rel",
            "</x?p=2>; rel=\"nextish\"",
            "</x?p=2>; rel=\"next",
            "</x?p=2>; title=\"rel=next\"",
            "</x?p=2>; results=false; rel=next",
            "</x?p=2>; rel=prev; =; ;; , ,",
        ] {
            let found = next(link);
            assert!(
                found.is_none() || link.ends_with("\"next"),
                "{link}: {found:?}"
            );
        }
        let both = headers(&[("link", "</x>; rel=prev"), ("link", "</x?p=2>; rel=next")]);
        assert_eq!(next_link(&both).as_deref(), Some("/x?p=2"));
    }

    #[test]
    fn pages_keep_to_their_server_and_never_go_in_a_circle() {
        let api = Api::new("X", Url::parse("https://a.example").unwrap(), vec![]);
        let first = Url::parse("https://a.example/api/0/x/?query=q").unwrap();
        let mut pages = Pages::new(&api, &first, 4);
        assert_eq!(pages.next(None), Ok(None));
        for (named, page) in [
            (
                "https://evil.example/steal?cursor=5",
                "https://a.example/api/0/x/?cursor=5",
            ),
            ("?cursor=6", "https://a.example/api/0/x/?cursor=6"),
            (
                "http://a.example/x?cursor=7",
                "https://a.example/api/0/x/?cursor=7",
            ),
        ] {
            assert_eq!(pages.next(Some(named)).unwrap().unwrap().as_str(), page);
        }
        assert!(
            pages.next(Some("?cursor=8")).is_err(),
            "four pages are enough"
        );
        let mut pages = Pages::new(&api, &first, 40);
        pages.next(Some("?cursor=1")).unwrap();
        pages.next(Some("?cursor=2")).unwrap();
        for circle in ["?cursor=1", "?cursor=2", "?query=q"] {
            let why = pages.next(Some(circle)).unwrap_err().to_string();
            assert!(why.contains("circle"), "{why}");
        }
        for odd in ["https://a.example/api/0/x/page/2", "https://[", ""] {
            let why = pages.next(Some(odd));
            assert!(why.is_err(), "{odd}: {why:?}");
        }
    }

    #[test]
    fn a_token_that_comes_back_in_an_answer_is_taken_out() {
        let token = "sntrys_0123456789abcdef";
        let credential = Credential::bearer(SecretString::from(token));
        let api = Api::new(
            "X",
            Url::parse("https://a.example").unwrap(),
            vec![credential],
        );
        let body = format!("{{\"a\": \"x {token} y\"}}").into_bytes();
        assert_eq!(api.without_tokens(body), b"{\"a\": \"x [token] y\"}");
        assert_eq!(api.without_tokens(vec![0xff]), [0xff]);
    }

    #[test]
    fn parts_of_an_address_stay_parts() {
        let api = Api::new("x", Url::parse("https://a.example/base").unwrap(), vec![]);
        let at = |parts: &[&str]| api.at(parts).to_string();
        assert_eq!(
            at(&["issues", "a/../b?c#d", ""]),
            "https://a.example/base/issues/a%2F..%2Fb%3Fc%23d/"
        );
        assert_eq!(
            at(&["issues", "..", "x"]),
            "https://a.example/base/issues/x"
        );
    }
}
