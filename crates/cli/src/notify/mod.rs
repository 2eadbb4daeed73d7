//! Telling the person: through a command of theirs, a webhook, or the desktop. One attempt each, ended by itself within
//! seconds; what goes wrong is told in words and hurts nothing.

mod command;
mod desktop;
mod webhook;

use async_trait::async_trait;
use overnight_core::notification::{Address, Channel};
use overnight_ports::notifier::{Message, Notifier};
use secrecy::ExposeSecret;

/// Sends through whatever the goal or the configuration names; addresses that are secrets come from where all secrets
/// come from.
pub struct Messenger;

#[async_trait]
impl Notifier for Messenger {
    async fn send(&self, channel: &Channel, message: &Message) -> Result<(), String> {
        match channel {
            Channel::Command { command } => command::send(command, message).await,
            Channel::Webhook { to } => {
                let to = to.clone();
                // A command that prints the address may take a while.
                let address = tokio::task::spawn_blocking(move || address(&to)).await;
                let address = address.unwrap_or_else(|e| Err(e.to_string()))?;
                webhook::send(&address, message).await
            }
            Channel::Desktop => desktop::send(message).await,
        }
    }
}

/// The address itself. One that comes from the environment is looked at here for the first time.
fn address(to: &Address) -> Result<String, String> {
    match to {
        Address::Url(url) => Ok(url.clone()),
        Address::Variable(name) => {
            let url = crate::config::secrets()
                .and_then(|secrets| secrets.get(name))
                .map_err(|e| e.to_string())?
                .ok_or_else(|| {
                    format!("the variable {name} is not set in the process that runs")
                })?;
            let url = url.expose_secret();
            overnight_core::notification::webhook(url.trim())
                .map_err(|why| format!("the variable {name} holds no address for it: {why}"))?;
            Ok(url.trim().to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use overnight_core::notification::Address;

    use super::address;

    #[test]
    fn an_address_from_a_variable_that_is_not_there_is_named_by_its_variable() {
        let missing = Address::Variable("OVERNIGHT_TEST_NO_SUCH_HOOK".into());
        let why = address(&missing).unwrap_err();
        assert!(why.contains("OVERNIGHT_TEST_NO_SUCH_HOOK"), "{why}");
        // PATH is set wherever tests run, and is no address.
        let wrong = address(&Address::Variable("PATH".into())).unwrap_err();
        assert!(
            wrong.contains("PATH holds no address") && !wrong.contains("/bin"),
            "{wrong}"
        );
    }
}
