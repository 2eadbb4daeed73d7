//! A model server on the loopback that plays a script, faults included, and speaks OpenAI Responses, Anthropic Messages
//! and chat completions: whichever a request is posted in.
//!
//! It keeps nothing between requests but the failures that a script counts: which turn is asked for is read from the
//! request (`turn`), so that a client that was killed and started again gets the same answer again. What it
//! is told apart by is its log: every request, whether a whole answer went out, and when.

mod body;
mod chat;
mod messages;
mod responses;
mod strict;
mod tools;
mod turn;
mod wire;

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use overnight_models::scripted::{Failure, How, Play, Player, Reply, Script};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use body::Pieces;
use wire::{Dialect, Frame, Outgoing};

/// Largest request that is read, bytes.
const REQUEST_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Pieces of an answer that may wait for a slow client.
const PIECES_WAITING_MAX: usize = 64;

/// How a server is to behave.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// A file that gets every request as one JSON line, bodies included.
    pub log: Option<PathBuf>,
    /// Whether [`Received::body`] is kept. Off for long runs.
    pub keep_bodies: bool,
    /// If set, every other key is answered with 401. It may come as `Authorization: Bearer` or as `x-api-key`.
    pub key: Option<String>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An answer of the script.
    Answer,
    /// A failure of the script, by its kind.
    Failure(String),
    /// The script has nothing for this turn.
    Ended,
    /// Anything that is no model request, or a bad one.
    Other,
}

/// One request as the server saw it. Times are microseconds since the server started.
#[derive(Debug, Clone, Serialize)]
pub struct Received {
    /// Counted from 1.
    pub number: u64,
    /// `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The turn that was asked for; 0 if none was.
    pub turn: u64,
    /// The item of a worklist that the conversation is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// What was answered.
    pub outcome: Outcome,
    /// Size of the request's body.
    pub body_bytes: u64,
    /// When the request had been read.
    pub received_us: u64,
    /// When the last byte of the answer was handed to the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_us: Option<u64>,
    /// Whether a whole answer of the script went out: what a provider would charge for.
    pub whole: bool,
    /// The headers, but for the key, of which only the first characters stand here.
    pub headers: Vec<(String, String)>,
    /// The request's body, if it is kept.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// A running server. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    player: Player,
    options: Options,
    started: Instant,
    log: Option<Mutex<File>>,
    received: Mutex<Vec<Received>>,
    connections: AtomicU64,
}

impl Server {
    /// Starts on a thread of its own, so that it serves tests of any kind, blocking ones too.
    pub fn start(script: Script, options: Options) -> io::Result<Server> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let log = match &options.log {
            Some(path) => Some(Mutex::new(
                File::options().create(true).append(true).open(path)?,
            )),
            None => None,
        };
        let shared = Arc::new(Shared {
            player: Player::new(script),
            options,
            started: Instant::now(),
            log,
            received: Mutex::default(),
            connections: AtomicU64::new(0),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("mock-model".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, serving) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Server {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:PORT`: what to set ANTHROPIC_BASE_URL to.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What to set OPENAI_BASE_URL to.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Every request so far, in the order in which they were read.
    pub fn requests(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How many whole answers of the script went out: what would have been paid for.
    pub fn answers_sent(&self) -> usize {
        lock(&self.shared.received)
            .iter()
            .filter(|request| request.whole)
            .count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It fails only if the thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A poisoned lock guards a list that is right whatever the other thread died of.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, mostly: there may be some in a while.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        shared.connections.fetch_add(1, Ordering::Relaxed);
        // Small pieces are to arrive as small pieces, and at once.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            // An error here is a connection that broke, on purpose or not.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Breaks the connection: hyper closes it when a service fails.
#[derive(Debug)]
struct Reset;

impl std::fmt::Display for Reset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("reset on purpose")
    }
}

impl std::error::Error for Reset {}

impl From<Infallible> for Reset {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Pieces>, Reset> {
    let (head, incoming) = request.into_parts();
    let path = head
        .uri
        .path_and_query()
        .map_or_else(|| head.uri.path().to_owned(), ToString::to_string);
    let read = Limited::new(incoming, REQUEST_BYTES_MAX).collect().await;
    let bytes = match read {
        Ok(collected) => collected.to_bytes(),
        Err(_) => return Err(Reset),
    };
    let parsed = serde_json::from_slice::<Value>(&bytes);
    let dialect = Dialect::of(head.uri.path()).filter(|_| head.method == Method::POST);
    let turn = match (&parsed, dialect) {
        (Ok(body), Some(dialect)) => turn::asked(dialect, &head.headers, body),
        _ => 0,
    };
    let ticket = Ticket::new(&shared, &head, path, &bytes, turn, parsed.as_ref().ok());

    if head.method == Method::GET && head.uri.path().ends_with("/models") {
        let models = json!({
            "object": "list",
            "data": [{"id": "mock-model", "object": "model", "created": 0, "owned_by": "mock"}],
            "models": [],
        });
        return Ok(ticket.json(StatusCode::OK, &models));
    }
    if head.method == Method::POST && head.uri.path().ends_with("/messages/count_tokens") {
        let tokens = json!({"input_tokens": bytes.len().div_ceil(4)});
        return Ok(ticket.json(StatusCode::OK, &tokens));
    }
    let Some(dialect) = dialect else {
        let message = format!(
            "this mock model server knows POST …/responses, …/messages and …/chat/completions, and GET …/models, not {} {}",
            head.method,
            head.uri.path()
        );
        let error = Dialect::Responses.error("not_found", &message);
        return Ok(ticket.json(StatusCode::NOT_FOUND, &error));
    };
    // What Anthropic calls these errors; the others have codes for them.
    let code = |code: &'static str, anthropic: &'static str| match dialect {
        Dialect::Messages => anthropic,
        Dialect::Responses | Dialect::Chat => code,
    };
    if let Some(key) = &shared.options.key {
        let given = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = given("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if bearer.or_else(|| given("x-api-key")) != Some(key) {
            let code = code("invalid_api_key", "authentication_error");
            let error = dialect.error(code, "Incorrect API key provided.");
            return Ok(ticket.json(StatusCode::UNAUTHORIZED, &error));
        }
    }
    if head.headers.contains_key(CONTENT_ENCODING) {
        let code = code("unsupported_encoding", "invalid_request_error");
        let error = dialect.error(code, "this mock model server reads no compressed requests");
        return Ok(ticket.json(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error));
    }
    let body = match parsed {
        Ok(body) => body,
        Err(error) => {
            let message = format!("We could not parse the JSON body of your request: {error}");
            let error = dialect.error(code("invalid_json", "invalid_request_error"), &message);
            return Ok(ticket.json(StatusCode::BAD_REQUEST, &error));
        }
    };
    if let Some(complaint) = strict::complaint(dialect, &head.headers, &body) {
        let code = code("invalid_value", "invalid_request_error");
        let error = dialect.error(code, &complaint);
        return Ok(ticket.json(StatusCode::BAD_REQUEST, &error));
    }
    if is_aside(dialect, &head.headers, &body) {
        return Ok(aside(ticket, dialect, &body, turn));
    }
    let item = turn::item(dialect, &body);
    ticket.update(|entry| entry.item.clone_from(&item));
    match shared
        .player
        .play(item.as_deref(), turn, &turn::last_said(dialect, &body))
    {
        Play::Reply(reply) => {
            let reply = reply.about(item.as_deref());
            Ok(reply_to(ticket, dialect, &body, turn, &reply).await)
        }
        Play::Failure(failure) => fail(ticket, dialect, &body, turn, failure).await,
        Play::Ended(why) => {
            let prefix = code("", "script_ended: ");
            let about = item.map_or_else(String::new, |id| format!(" of item `{id}`"));
            let message = format!("{prefix}turn {turn}{about}: {why}");
            let error = dialect.error(code("script_ended", "invalid_request_error"), &message);
            Ok(ticket
                .outcome(Outcome::Ended)
                .json(StatusCode::BAD_REQUEST, &error))
        }
    }
}

/// Agents ask for titles and summaries beside their work, without tools. That is no turn of the script.
fn is_aside(dialect: Dialect, headers: &hyper::HeaderMap, body: &Value) -> bool {
    dialect != Dialect::Responses
        && turn::told(headers).is_none()
        && tools::offered(body).is_empty()
}

fn aside(ticket: Ticket, dialect: Dialect, request: &Value, turn: u64) -> Response<Pieces> {
    let out = Outgoing {
        dialect,
        request,
        turn,
        reply: Reply {
            say: Some("ok".to_owned()),
            ..Reply::default()
        },
        usage: Default::default(),
        incomplete: false,
        unknown: false,
    };
    if request.get("stream").and_then(Value::as_bool) != Some(true) {
        return ticket.json(StatusCode::OK, &out.finished());
    }
    let pieces = wire::pieces(&out.events(), &Default::default());
    ticket.stream(pieces, Duration::ZERO, End::Close)
}

async fn reply_to(
    ticket: Ticket,
    dialect: Dialect,
    request: &Value,
    turn: u64,
    reply: &Reply,
) -> Response<Pieces> {
    let mut fitted = tools::fit(reply, request);
    if reply.wire.pad_bytes > 0 {
        // Whoever pads wants one large event: a message has one, its text.
        fitted
            .say
            .get_or_insert_default()
            .push_str(&"x".repeat(reply.wire.pad_bytes));
    }
    let out = Outgoing {
        dialect,
        request,
        turn,
        reply: fitted,
        usage: reply.usage,
        incomplete: reply.wire.incomplete,
        unknown: reply.wire.unknown,
    };
    let ticket = ticket.outcome(Outcome::Answer).whole();
    if request.get("stream").and_then(Value::as_bool) != Some(true) {
        tokio::time::sleep(reply.delay).await;
        return ticket.json(StatusCode::OK, &out.finished());
    }
    let pieces = wire::pieces(&out.events(), &reply.wire);
    ticket.stream(pieces, reply.delay, End::Close)
}

async fn fail(
    ticket: Ticket,
    dialect: Dialect,
    request: &Value,
    turn: u64,
    failure: &Failure,
) -> Result<Response<Pieces>, Reset> {
    let ticket = ticket.outcome(Outcome::Failure(wire::kind_name(failure.kind).to_owned()));
    let message = failure
        .message
        .clone()
        .unwrap_or_else(|| wire::default_message(dialect, failure).to_owned());
    let out = Outgoing {
        dialect,
        request,
        turn,
        reply: Reply::default(),
        usage: Default::default(),
        incomplete: false,
        unknown: false,
    };
    let (_, code) = wire::status_of(dialect, failure);
    let streamed = |events: &[Frame]| wire::pieces(events, &Default::default());
    let (pieces, end) = match failure.how {
        How::Reset => {
            tokio::time::sleep(failure.delay).await;
            return Err(Reset);
        }
        How::Status | How::Quota => {
            tokio::time::sleep(failure.delay).await;
            let (status, code) = wire::status_of(dialect, failure);
            let mut response = ticket.json(status, &dialect.error(code, &message));
            if let Some(wait) = failure.retry_after {
                wire::retry_headers(response.headers_mut(), wait);
            }
            return Ok(response);
        }
        How::Event => (streamed(&out.failing(code, &message)), End::Close),
        How::Empty => (streamed(&out.events()), End::Close),
        How::Close => (streamed(&out.begun()), End::Close),
        How::Abort => (streamed(&out.begun()), End::Abort),
        How::Stall => (streamed(&out.begun()), End::Stall),
        How::Garbage => {
            let mut pieces = streamed(&out.begun());
            pieces.push(out.garbage());
            (pieces, End::Close)
        }
    };
    Ok(ticket.stream(pieces, failure.delay, end))
}

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Properly.
    Close,
    /// By breaking the connection.
    Abort,
    /// Not at all, until the client leaves.
    Stall,
}

/// The log entry of one request; written when its answer has gone out or been abandoned.
#[derive(Debug)]
struct Ticket {
    shared: Arc<Shared>,
    number: u64,
    /// Whether the answer counts as a whole one, once it has gone out.
    counts: bool,
    body: Value,
}

impl Ticket {
    fn new(
        shared: &Arc<Shared>,
        head: &hyper::http::request::Parts,
        path: String,
        bytes: &Bytes,
        turn: u64,
        body: Option<&Value>,
    ) -> Self {
        let headers = head.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            // Both show how a key begins, and no more.
            let shown = if *name == AUTHORIZATION {
                value.chars().take(10).collect()
            } else if name.as_str() == "x-api-key" {
                value.chars().take(3).collect()
            } else {
                value.into_owned()
            };
            (name.to_string(), shown)
        });
        let mut received = lock(&shared.received);
        let number = received.len() as u64 + 1;
        received.push(Received {
            number,
            method: head.method.to_string(),
            path,
            turn,
            item: None,
            outcome: Outcome::Other,
            body_bytes: bytes.len() as u64,
            received_us: since(shared.started),
            answered_us: None,
            whole: false,
            headers: headers.collect(),
            body: body
                .filter(|_| shared.options.keep_bodies)
                .cloned()
                .unwrap_or(Value::Null),
        });
        let body = body
            .filter(|_| shared.log.is_some())
            .cloned()
            .unwrap_or(Value::Null);
        Ticket {
            shared: Arc::clone(shared),
            number,
            counts: false,
            body,
        }
    }

    fn update(&self, change: impl FnOnce(&mut Received)) {
        let mut received = lock(&self.shared.received);
        let at = usize::try_from(self.number.saturating_sub(1)).unwrap_or(usize::MAX);
        if let Some(entry) = received.get_mut(at) {
            change(entry);
        }
    }

    fn outcome(self, outcome: Outcome) -> Self {
        self.update(|entry| entry.outcome = outcome);
        self
    }

    fn whole(mut self) -> Self {
        self.counts = true;
        self
    }

    /// The last byte has been handed over.
    fn sent(&self) {
        let (now, counts) = (since(self.shared.started), self.counts);
        self.update(|entry| {
            entry.answered_us = Some(now);
            entry.whole = counts;
        });
    }

    fn json(self, status: StatusCode, body: &Value) -> Response<Pieces> {
        let (send, pieces) = mpsc::channel(1);
        // There is room for one, so this cannot fail.
        let _ = send.try_send(Ok(Bytes::from(body.to_string())));
        respond(status, "application/json", Pieces::new(pieces, self))
    }

    fn stream(self, pieces: Vec<Bytes>, delay: Duration, end: End) -> Response<Pieces> {
        let (send, waiting) = mpsc::channel(PIECES_WAITING_MAX);
        tokio::spawn(async move {
            for (at, piece) in pieces.into_iter().enumerate() {
                // The first event goes out at once, as a server does that has begun to think.
                if at == 1 {
                    tokio::time::sleep(delay).await;
                }
                if send.send(Ok(piece)).await.is_err() {
                    return;
                }
            }
            match end {
                End::Close => {}
                End::Abort => {
                    // Only once everything before has left: an error throws away what hyper still holds.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let _ = send.send(Err(io::Error::other("broken on purpose"))).await;
                }
                End::Stall => send.closed().await,
            }
        });
        respond(
            StatusCode::OK,
            "text/event-stream; charset=utf-8",
            Pieces::new(waiting, self),
        )
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(log) = &self.shared.log else { return };
        let mut line = Value::Null;
        let body = std::mem::take(&mut self.body);
        self.update(|entry| {
            line = serde_json::to_value(&*entry).unwrap_or(Value::Null);
        });
        if let Value::Object(fields) = &mut line {
            fields.insert("body".to_owned(), body);
        }
        // A log that cannot be written must not break the answer that it is about.
        let _ = writeln!(lock(log), "{line}");
    }
}

fn respond(status: StatusCode, kind: &'static str, body: Pieces) -> Response<Pieces> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

fn since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
