//! How much a server may send: bytes and messages between one call and the next. Whoever sends more is cut off.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use rmcp::RoleClient;
use rmcp::model::JsonRpcMessage;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncRead, ReadBuf};

/// How much a server may send for one call, the answer included, bytes.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many messages beside the answer a server may send for one call: progress, logs, requests of its own.
const MESSAGES_MAX: usize = 2_000;

/// What a server may still send.
#[derive(Debug, Clone)]
pub(crate) struct Allowance(Arc<Left>);

#[derive(Debug)]
struct Left {
    bytes: AtomicUsize,
    messages: AtomicUsize,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance(Arc::new(Left {
            bytes: AtomicUsize::new(ANSWER_BYTES_MAX),
            messages: AtomicUsize::new(MESSAGES_MAX),
        }))
    }
}

impl Allowance {
    /// Another call begins.
    pub fn renew(&self) {
        self.0.bytes.store(ANSWER_BYTES_MAX, Ordering::Relaxed);
        self.0.messages.store(MESSAGES_MAX, Ordering::Relaxed);
    }

    /// Whether the server was cut off for what it sent.
    pub fn used_up(&self) -> bool {
        self.0.bytes.load(Ordering::Relaxed) == 0 || self.0.messages.load(Ordering::Relaxed) == 0
    }

    /// Takes up to `wanted` from what is left; nothing if nothing is.
    fn take(from: &AtomicUsize, wanted: usize) -> usize {
        let left = from.load(Ordering::Relaxed);
        let taken = left.min(wanted);
        from.store(left - taken, Ordering::Relaxed);
        taken
    }
}

/// A stream that ends when the allowance does.
pub(crate) struct Metered<R> {
    inner: R,
    allowance: Allowance,
}

impl<R> Metered<R> {
    pub fn new(inner: R, allowance: Allowance) -> Metered<R> {
        Metered { inner, allowance }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Metered<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.allowance.0.bytes.load(Ordering::Relaxed) == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        let read = buffer.filled().len() - before;
        // The last read may be larger than what was left by one buffer.
        Allowance::take(&self.allowance.0.bytes, read);
        polled
    }
}

/// A transport whose peer may answer, and otherwise be heard only so often. Nothing that it notifies is needed.
pub(crate) struct Guarded<T> {
    inner: T,
    allowance: Allowance,
}

impl<T> Guarded<T> {
    pub fn new(inner: T, allowance: Allowance) -> Guarded<T> {
        Guarded { inner, allowance }
    }
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Guarded<T> {
    type Error = T::Error;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            let message = self.inner.receive().await?;
            if matches!(
                message,
                JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_)
            ) {
                return Some(message);
            }
            if Allowance::take(&self.allowance.0.messages, 1) == 0 {
                return None;
            }
            if matches!(message, JsonRpcMessage::Request(_)) {
                return Some(message);
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_stream_ends_with_the_allowance_and_goes_on_with_the_next() {
        let allowance = Allowance::default();
        let endless = tokio::io::repeat(b'x');
        let mut metered = Metered::new(endless, allowance.clone());
        let mut taken = 0;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = metered.read(&mut buffer).await.expect("it reads");
            if read == 0 {
                break;
            }
            taken += read;
        }
        assert!((ANSWER_BYTES_MAX..ANSWER_BYTES_MAX + buffer.len()).contains(&taken));
        assert!(allowance.used_up());
        allowance.renew();
        assert!(!allowance.used_up() && metered.read(&mut buffer).await.expect("it reads") > 0);
    }
}
