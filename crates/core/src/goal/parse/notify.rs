//! `notify`: how the person is told of what happens.

use super::super::yaml::{Entry, Node, Value};
use super::reader::{Fields, Reader};
use crate::notification::{Address, CHANNELS_MAX, Channel, variable, webhook};

const EXAMPLE: &str = "notify: {command: ./tell-me.sh}, or {webhook: https://example.org/hook}, {webhook_env: HOOK_URL}, {desktop: true}";
const KEYS: &[&str] = &["command", "webhook", "webhook_env", "desktop"];

impl Reader<'_> {
    /// One channel as a map, several as a list of maps or as several keys of one; an empty list is nobody.
    pub fn notify(&mut self, top: Fields) -> Option<Vec<Channel>> {
        let entry = self.get(top, "notify")?;
        let mut channels = Vec::new();
        match &entry.node.value {
            Value::List(nodes) => {
                for node in nodes.iter().take(CHANNELS_MAX + 1) {
                    self.channels(node, &mut channels);
                }
            }
            _ => self.channels(&entry.node, &mut channels),
        }
        if channels.len() > CHANNELS_MAX {
            self.findings.error(
                "too-many",
                entry.key_span,
                format!("`notify` has more than {CHANNELS_MAX} entries"),
                "one command can tell as many as it likes",
            );
            return None;
        }
        Some(channels)
    }

    fn channels(&mut self, node: &Node, channels: &mut Vec<Channel>) {
        let Some(fields) = self.fields(node, "notify", EXAMPLE) else {
            return;
        };
        self.known(fields, "`notify`", KEYS);
        if fields.is_empty() {
            self.wrong(node, "notify", "a way of telling you", EXAMPLE);
        }
        if let Some(command) = self.get(fields, "command").and_then(|e| self.line(e)) {
            channels.push(Channel::Command { command });
        }
        if let Some(url) = self.get(fields, "webhook").and_then(|e| self.webhook(e)) {
            let to = Address::Url(url);
            channels.push(Channel::Webhook { to });
        }
        if let Some(name) = self
            .get(fields, "webhook_env")
            .and_then(|e| self.variable(e))
        {
            let to = Address::Variable(name);
            channels.push(Channel::Webhook { to });
        }
        let desktop = self.get(fields, "desktop").and_then(|e| self.flag(e));
        if desktop == Some(true) {
            channels.push(Channel::Desktop);
        }
    }

    fn webhook(&mut self, entry: &Entry) -> Option<String> {
        let url = self.line(entry)?;
        if let Err(why) = webhook(&url) {
            // What stands there may be a secret, so it is not repeated.
            self.findings.error(
                "bad-address",
                entry.node.span,
                format!("this `webhook` cannot be used: {why}"),
                "webhook: https://example.org/hook; one that is a secret: webhook_env: NAME_OF_A_VARIABLE",
            );
            return None;
        }
        Some(url)
    }

    fn variable(&mut self, entry: &Entry) -> Option<String> {
        let name = self.line(entry)?;
        if !variable(&name) {
            self.findings.error(
                "bad-choice",
                entry.node.span,
                // It may be the address itself.
                "`webhook_env` is the name of an environment variable, and this is none",
                "webhook_env: HOOK_URL",
            );
            return None;
        }
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use crate::notification::{Address, Channel};

    fn read(notify: &str) -> Result<Option<Vec<Channel>>, String> {
        let text = format!("---\noutcome: It works.\ndone: [npm test]\n{notify}\n---\n");
        match parse(&text) {
            Ok(parsed) => Ok(parsed.goal.notify),
            Err(found) => Err(found
                .iter()
                .map(|d| format!("{}: {}\n", d.code, d.message))
                .collect()),
        }
    }

    #[test]
    fn a_map_or_a_list_of_maps_and_nobody() {
        let webhook = |to| Channel::Webhook { to };
        let command = |command: &str| Channel::Command {
            command: command.to_owned(),
        };
        assert_eq!(read("next: x"), Ok(None));
        assert_eq!(read("notify: []"), Ok(Some(vec![])));
        assert_eq!(
            read("notify: {command: mail ann, desktop: true}"),
            Ok(Some(vec![command("mail ann"), Channel::Desktop]))
        );
        assert_eq!(
            read(
                "notify: [{webhook: 'https://a.example/x'}, {webhook_env: HOOK}, {desktop: false}]"
            ),
            Ok(Some(vec![
                webhook(Address::Url("https://a.example/x".into())),
                webhook(Address::Variable("HOOK".into())),
            ]))
        );
    }

    #[test]
    fn what_is_wrong_is_said_and_no_address_repeated() {
        for (notify, code) in [
            ("notify: yes please", "wrong-type"),
            ("notify: {}", "wrong-type"),
            ("notify: {mail: ann}", "unknown-key"),
            ("notify: {command: ''}", "empty-text"),
            (
                "notify: {webhook: 'http://hook-secret.example'}",
                "bad-address",
            ),
            (
                "notify: {webhook_env: 'https://hook-secret.example'}",
                "bad-choice",
            ),
            ("notify: {desktop: maybe}", "wrong-type"),
            (
                "notify: [{command: a}, {command: b}, {command: c}, {command: d}, {command: e}, {command: f}, {command: g}, {command: h}, {command: i}]",
                "too-many",
            ),
        ] {
            let said = read(notify).unwrap_err();
            assert!(said.starts_with(code), "{notify}: {said}");
        }
        let said = read("notify: {webhook: 'http://hook-secret.example'}").unwrap_err();
        assert!(!said.contains("hook-secret"), "{said}");
    }
}
