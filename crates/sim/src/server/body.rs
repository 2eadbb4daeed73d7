//! A response body that comes in pieces and knows when its last byte was taken.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::mpsc;

use super::Ticket;

/// Pieces as they become ready.
#[derive(Debug)]
pub(super) struct Pieces {
    waiting: mpsc::Receiver<io::Result<Bytes>>,
    ticket: Ticket,
}

impl Pieces {
    pub(super) fn new(waiting: mpsc::Receiver<io::Result<Bytes>>, ticket: Ticket) -> Self {
        Pieces { waiting, ticket }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.waiting.poll_recv(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(piece)) => Poll::Ready(Some(piece.map(Frame::data))),
            Poll::Ready(None) => {
                self.ticket.sent();
                Poll::Ready(None)
            }
        }
    }
}
