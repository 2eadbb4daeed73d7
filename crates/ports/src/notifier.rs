//! Telling a person what happens to a run, wherever that person is.

use async_trait::async_trait;
use overnight_core::notification::Channel;

/// One notification, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The same for the same notification, whoever sends it: the idempotency key.
    pub key: String,
    /// In one line, for people.
    pub title: String,
    /// In a few lines, for people.
    pub text: String,
    /// Everything, as JSON: an object.
    pub json: serde_json::Value,
}

/// Sends notifications. One attempt; the error is why it failed, for people, and names no secret. It must end by itself
/// within a bounded time.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Sends one through one channel.
    async fn send(&self, channel: &Channel, message: &Message) -> Result<(), String>;
}
