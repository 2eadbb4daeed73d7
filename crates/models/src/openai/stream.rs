//! A response body as bounded pieces of server-sent events: neither endless, nor huge, nor silent.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// The events of one answer.
pub(super) struct Events {
    events: Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>,
    /// Bytes since the last whole event.
    since_event: Arc<AtomicUsize>,
}

impl Events {
    pub(super) fn new(response: reqwest::Response, limits: &Limits) -> Self {
        let since_event = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&since_event);
        let limits = *limits;
        let bytes = Box::pin(response.bytes_stream());
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
    pub(super) async fn next(&mut self) -> Result<Option<Sse>, ModelError> {
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
    pub(super) async fn drain(mut self, patience: std::time::Duration) {
        let rest = async { while let Some(Ok(_)) = self.events.next().await {} };
        // Nothing is lost if it takes longer: the next request opens a new connection.
        let _ = tokio::time::timeout(patience, rest).await;
    }
}

/// An error with its causes in one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
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
