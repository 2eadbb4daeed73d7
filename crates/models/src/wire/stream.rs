//! A response body as bounded pieces of server-sent events: neither endless, nor huge, nor silent. Or as one JSON
//! document, from a server that does not stream although it was asked to.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use overnight_ports::model::{ModelError, ModelErrorKind};
use sse_stream::{Sse, SseByteStream};

use super::Limits;
use super::failure::failure;

/// Why a body broke off.
#[derive(Debug)]
enum Break {
    Silent(std::time::Duration),
    Broken(String),
    EventTooLarge(usize),
    AnswerTooLarge(usize),
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Break::Silent(idle) => write!(
                f,
                "the answer stopped coming: nothing for {} s",
                idle.as_secs_f64()
            ),
            Break::Broken(why) => {
                write!(f, "the connection broke in the middle of the answer: {why}")
            }
            Break::EventTooLarge(most) => {
                write!(f, "an event of the answer is larger than {most} bytes")
            }
            Break::AnswerTooLarge(most) => write!(f, "the answer is larger than {most} bytes"),
        }
    }
}

impl std::error::Error for Break {}

/// A body that has begun.
pub(crate) enum Body {
    /// A stream of events.
    Events(Events),
    /// One JSON document, whole.
    Json(Vec<u8>),
}

/// Looks at how the body begins: neither servers nor what stands between agree on the header.
pub(crate) async fn open(
    mut response: reqwest::Response,
    limits: &Limits,
) -> Result<Body, ModelError> {
    let mut begun = Vec::new();
    let document = loop {
        let blank = |byte: &u8| byte.is_ascii_whitespace() || b"\xEF\xBB\xBF".contains(byte);
        if let Some(byte) = begun.iter().find(|byte| !blank(byte)) {
            // No field of an event stream begins so.
            break *byte == b'{';
        }
        match piece(&mut response, limits).await? {
            Some(piece) if begun.len().saturating_add(piece.len()) <= limits.answer_bytes_max => {
                begun.extend_from_slice(&piece);
            }
            Some(_) => return Err(too_large(limits)),
            None => break false,
        }
    };
    if !document {
        return Ok(Body::Events(Events::new(begun.into(), response, limits)));
    }
    while let Some(piece) = piece(&mut response, limits).await? {
        if begun.len().saturating_add(piece.len()) > limits.answer_bytes_max {
            return Err(too_large(limits));
        }
        begun.extend_from_slice(&piece);
    }
    Ok(Body::Json(begun))
}

async fn piece(
    response: &mut reqwest::Response,
    limits: &Limits,
) -> Result<Option<Bytes>, ModelError> {
    let broken = |why: Break| failure(ModelErrorKind::Cut, why.to_string());
    match tokio::time::timeout(limits.idle, response.chunk()).await {
        Ok(Ok(piece)) => Ok(piece),
        Ok(Err(error)) => Err(broken(Break::Broken(causes(&error.without_url())))),
        Err(_) => Err(broken(Break::Silent(limits.idle))),
    }
}

fn too_large(limits: &Limits) -> ModelError {
    let why = Break::AnswerTooLarge(limits.answer_bytes_max);
    failure(ModelErrorKind::Malformed, why.to_string())
}

/// The events of one answer.
pub(crate) struct Events {
    events: Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>,
    /// Bytes since the last whole event.
    since_event: Arc<AtomicUsize>,
}

impl Events {
    /// `begun` is what has been read of the body already.
    fn new(begun: Bytes, response: reqwest::Response, limits: &Limits) -> Self {
        let since_event = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&since_event);
        let limits = *limits;
        let begun = stream::iter((!begun.is_empty()).then_some(Ok(begun)));
        let bytes = Box::pin(begun.chain(response.bytes_stream()));
        // The decoder itself keeps whatever it is given, so the bounds are put before it.
        let bounded = stream::unfold((bytes, 0_usize), move |(mut bytes, total)| {
            let counter = Arc::clone(&counter);
            async move {
                let piece = match tokio::time::timeout(limits.idle, bytes.next()).await {
                    Err(_) => Err(Break::Silent(limits.idle)),
                    Ok(None) => return None,
                    Ok(Some(Err(error))) => Err(Break::Broken(causes(&error.without_url()))),
                    Ok(Some(Ok(piece))) => {
                        let total = total.saturating_add(piece.len());
                        let event = counter
                            .fetch_add(piece.len(), Ordering::Relaxed)
                            .saturating_add(piece.len());
                        if total > limits.answer_bytes_max {
                            Err(Break::AnswerTooLarge(limits.answer_bytes_max))
                        } else if event > limits.event_bytes_max {
                            Err(Break::EventTooLarge(limits.event_bytes_max))
                        } else {
                            return Some((Ok(piece), (bytes, total)));
                        }
                    }
                };
                // After an error the decoder asks for nothing more.
                Some((piece, (bytes, total)))
            }
        });
        Events {
            events: Box::pin(SseByteStream::new(Box::pin(bounded))),
            since_event,
        }
    }

    /// The next event, or `None` at the end of the body.
    pub(crate) async fn next(&mut self) -> Result<Option<Sse>, ModelError> {
        match self.events.next().await {
            None => Ok(None),
            Some(Ok(event)) => {
                self.since_event.store(0, Ordering::Relaxed);
                Ok(Some(event))
            }
            Some(Err(sse_stream::Error::Body(cause))) => {
                let kind = match cause.downcast_ref::<Break>() {
                    Some(Break::EventTooLarge(_) | Break::AnswerTooLarge(_)) => {
                        ModelErrorKind::Malformed
                    }
                    Some(Break::Silent(_) | Break::Broken(_)) | None => ModelErrorKind::Cut,
                };
                Err(failure(kind, cause.to_string()))
            }
            Some(Err(error)) => Err(failure(
                ModelErrorKind::Malformed,
                format!("the answer is no event stream: {error}"),
            )),
        }
    }

    /// Reads what is left, so that the connection can be used again; gives up soon.
    pub(crate) async fn drain(mut self, patience: std::time::Duration) {
        let rest = async { while let Some(Ok(_)) = self.events.next().await {} };
        // Nothing is lost if it takes longer: the next request opens a new connection.
        let _ = tokio::time::timeout(patience, rest).await;
    }
}

/// An error with its causes in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        // Many wrappers repeat what they wrap.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}
