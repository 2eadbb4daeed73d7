//! `use.mcp`: the MCP servers that a goal names, and what may be reached and said to each.

use std::collections::BTreeSet;

use super::super::diagnostic::quoted;
use super::super::words::shown;
use super::super::yaml::{Entry, Node, Value};
use super::super::{McpAt, McpServer};
use super::place;
use super::reader::{Fields, Reader};

/// How many servers one goal may name.
const SERVERS_MAX: usize = 8;
/// Length of a server's name, characters: it begins the name of each of its tools, which providers allow 64 for.
const NAME_CHARS_MAX: usize = 24;
/// The longest limit of one call that a goal may name, seconds.
const TIMEOUT_MAX_S: u64 = 4 * 60 * 60;

const EXAMPLE: &str = "mcp: [{name: files, run: mcp-server-filesystem .}]";
const KEYS: &[&str] = &[
    "name", "run", "command", "args", "url", "token", "tools", "timeout",
];

impl Reader<'_> {
    /// A list of servers, or a map from their names. `network` is the goal's `use.network`.
    pub fn servers(&mut self, entry: &Entry, network: &[String]) -> Vec<McpServer> {
        let mut servers = Vec::new();
        match &entry.node.value {
            Value::Map(named) => {
                for server in named {
                    let Some(fields) = self.fields(&server.node, &server.key, EXAMPLE) else {
                        continue;
                    };
                    let known: Vec<&str> = KEYS[1..].to_vec();
                    servers.extend(self.server(
                        fields,
                        &server.node,
                        Some((server.key.clone(), server)),
                        &known,
                        network,
                    ));
                }
            }
            Value::List(nodes) => {
                for node in nodes {
                    match &node.value {
                        Value::Map(fields) => {
                            servers.extend(self.server(fields, node, None, KEYS, network));
                        }
                        _ => self.wrong(node, "an entry of `mcp`", "a map", EXAMPLE),
                    }
                }
            }
            _ => self.wrong(&entry.node, "mcp", "a list of servers, or a map", EXAMPLE),
        }
        if servers.len() > SERVERS_MAX {
            let message = format!(
                "`mcp` names {} servers, and {SERVERS_MAX} are allowed: every tool is part of every request",
                servers.len()
            );
            self.findings.error(
                "too-many",
                entry.key_span,
                message,
                "name those that the work needs",
            );
        }
        let mut seen = BTreeSet::new();
        for server in &servers {
            if !seen.insert(server.name.as_str()) {
                self.findings.error(
                    "duplicate-entry",
                    entry.key_span,
                    format!("there are two servers {}", quoted(&server.name)),
                    "give each its own name",
                );
            }
        }
        servers
    }

    fn server(
        &mut self,
        fields: Fields,
        node: &Node,
        named: Option<(String, &Entry)>,
        known: &[&str],
        network: &[String],
    ) -> Option<McpServer> {
        for entry in fields.iter().filter(|e| !known.contains(&e.key.as_str())) {
            match entry.key.as_str() {
                "env" => self.findings.error(
                    "unknown-key",
                    entry.key_span,
                    "a server gets no variables from here: what it knows, the agent can read",
                    "what is no secret can stand in the line: run: LEVEL=2 docs-server",
                ),
                "headers" => self.findings.error(
                    "unknown-key",
                    entry.key_span,
                    "a server is sent no headers of your own",
                    "token: NAME, for `Authorization: Bearer` with what the variable NAME holds",
                ),
                _ => self.unknown(entry, "a server of `mcp`", known),
            }
        }
        let (name, span) = match named {
            Some((name, entry)) => (name, entry.key_span),
            None => match self.get(fields, "name") {
                Some(entry) => (self.line(entry)?, entry.node.span),
                None => {
                    self.findings.error(
                        "missing-key",
                        node.span,
                        "this server has no `name`",
                        EXAMPLE,
                    );
                    return None;
                }
            },
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(plain) {
            self.findings.error(
                "bad-name",
                span,
                format!(
                    "{} is no server's name: it begins the names of its tools",
                    quoted(&name)
                ),
                format!("letters, digits, `-` and `_`, at most {NAME_CHARS_MAX}"),
            );
            return None;
        }
        let tools = self.get(fields, "tools").and_then(|e| self.names(e));
        let timeout_s = self
            .get(fields, "timeout")
            .and_then(|e| self.duration_s(e, TIMEOUT_MAX_S));
        let at = self.place_of(fields, node, &name, network)?;
        Some(McpServer {
            name,
            at,
            tools,
            timeout_s,
        })
    }

    /// Exactly one of `run`, `command` and `url`, with what belongs to it.
    fn place_of(
        &mut self,
        fields: Fields,
        node: &Node,
        name: &str,
        network: &[String],
    ) -> Option<McpAt> {
        let said: Vec<&Entry> = fields
            .iter()
            .filter(|e| matches!(e.key.as_str(), "run" | "command" | "url"))
            .collect();
        let [place] = said.as_slice() else {
            self.findings.error(
                "missing-key",
                node.span,
                format!(
                    "server {} needs exactly one of `run` and `url`",
                    quoted(name)
                ),
                "run: COMMAND for one that is started here, url: https://HOST/PATH for one that runs elsewhere",
            );
            return None;
        };
        let place = place.key.as_str();
        for (key, with) in [("args", "command"), ("token", "url")] {
            if place != with
                && let Some(entry) = fields.iter().find(|e| e.key == key)
            {
                self.findings.error(
                    "no-effect",
                    entry.key_span,
                    format!("`{key}` goes with `{with}`"),
                    "remove it",
                );
            }
        }
        let entry = self.get(fields, place)?;
        match place {
            "url" => self.address(entry, fields, network),
            "run" => Some(McpAt::Run {
                command: self.line(entry)?,
            }),
            _ => {
                // As the configurations of other programs write it: a program, and its arguments word by word.
                let program = self.line(entry)?;
                let command = match self.get(fields, "args") {
                    None => program,
                    Some(args) => {
                        let words = self.texts(args)?;
                        let words = words.iter().map(|(word, _)| word.as_str());
                        let all: Vec<String> = std::iter::once(program.as_str())
                            .chain(words)
                            .map(word)
                            .collect();
                        all.join(" ")
                    }
                };
                Some(McpAt::Run { command })
            }
        }
    }

    fn address(&mut self, entry: &Entry, fields: Fields, network: &[String]) -> Option<McpAt> {
        let url = self.line(entry)?;
        let span = entry.node.span;
        let Some(address) = place::address(&url) else {
            self.findings.error(
                "bad-url",
                span,
                format!(
                    "{} is no address: https://HOST/PATH without a user, a password or a fragment",
                    quoted(&url)
                ),
                "url: https://docs.example.org/mcp",
            );
            return None;
        };
        if !place::named(&address, network) {
            self.findings.error(
                "host-not-named",
                span,
                format!(
                    "the host {} is not named in `use.network`, and nothing else may be reached",
                    quoted(&address.host)
                ),
                format!("network: [{}]", shown(&address.as_entry())),
            );
            return None;
        }
        let token = match self.get(fields, "token") {
            None => None,
            Some(token) => {
                let name = self.line(token)?;
                let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                    && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
                if !is_name {
                    // Whatever it is, it may be the secret itself: it is not repeated.
                    self.findings.error(
                        "bad-token",
                        token.node.span,
                        "`token` is the name of an environment variable, never the token itself",
                        "token: DOCS_TOKEN, and DOCS_TOKEN=… in the environment of `overnight run`",
                    );
                    return None;
                }
                if !address.encrypted && !address.here {
                    self.findings.error(
                        "bad-token",
                        token.node.span,
                        "a token would be sent unencrypted over http://",
                        "url: https://…",
                    );
                    return None;
                }
                Some(name)
            }
        };
        Some(McpAt::Url { url, token })
    }
}

/// A word of a command line, quoted for a shell where it must be.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn servers(uses: &str) -> Result<Vec<McpServer>, Vec<String>> {
        let text =
            format!("---\noutcome: It works.\ndone: [make test]\nuse:\n{uses}\n---\nBrief.\n");
        match parse(&text) {
            Ok(parsed) => Ok(parsed.goal.uses.mcp),
            Err(found) => Err(found.iter().map(ToString::to_string).collect()),
        }
    }

    fn run(name: &str, command: &str) -> McpServer {
        McpServer {
            name: name.to_owned(),
            at: McpAt::Run {
                command: command.to_owned(),
            },
            tools: None,
            timeout_s: None,
        }
    }

    #[test]
    fn a_list_and_a_map_say_the_same() {
        let wanted = vec![
            run("files", "npx -y files-server ."),
            run("db", "db-server 'a b' ''"),
        ];
        assert_eq!(
            servers(
                "  mcp:\n    - {name: files, run: npx -y files-server .}\n    - {name: db, command: db-server, args: [a b, \"\"]}"
            )
            .unwrap_err()
            .len(),
            1,
            "an empty argument is an empty text"
        );
        let list = "  mcp:\n    - {name: files, run: npx -y files-server .}\n    - {name: db, run: \"db-server 'a b' ''\"}";
        let map = "  mcp:\n    files: {command: npx, args: [-y, files-server, .]}\n    db: {run: \"db-server 'a b' ''\"}";
        assert_eq!(servers(list).as_ref(), Ok(&wanted));
        assert_eq!(servers(map).as_ref(), Ok(&wanted));
        assert_eq!(word("it's"), "'it'\\''s'");
    }

    #[test]
    fn tools_timeout_and_token_are_read() {
        let found = servers(
            "  network: ['*.example.org', 'localhost:8080', 10.1.2.3]\n  mcp:\n    - {name: docs, url: 'https://docs.example.org/mcp', token: DOCS_TOKEN, tools: [find], timeout: 5m}\n    - {name: here, url: 'http://localhost:8080/mcp'}\n    - {name: there, url: 'http://10.1.2.3:99/'}",
        )
        .expect("it is right");
        assert_eq!(
            found[0],
            McpServer {
                name: "docs".into(),
                at: McpAt::Url {
                    url: "https://docs.example.org/mcp".into(),
                    token: Some("DOCS_TOKEN".into())
                },
                tools: Some(vec!["find".into()]),
                timeout_s: Some(300),
            }
        );
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (uses, says) in [
            ("  mcp: [docs]", "must be a map"),
            ("  mcp: yes", "a list of servers, or a map"),
            ("  mcp: [{run: x}]", "has no `name`"),
            ("  mcp: [{name: x}]", "exactly one of `run` and `url`"),
            (
                "  mcp: [{name: x, run: a, url: 'https://x'}]",
                "exactly one of",
            ),
            ("  mcp: [{name: a b, run: x}]", "no server's name"),
            (
                "  mcp: [{name: x, run: a}, {name: x, run: b}]",
                "two servers",
            ),
            (
                "  mcp: [{name: x, run: a, env: {A: b}}]",
                "the agent can read",
            ),
            ("  mcp: [{name: x, run: a, cmd: b}]", "unknown key"),
            ("  mcp: [{name: x, run: a, token: B}]", "goes with `url`"),
            (
                "  mcp: [{name: x, url: 'https://a.example/mcp'}]",
                "not named in `use.network`",
            ),
            (
                "  network: [a.example:8443]\n  mcp: [{name: x, url: 'https://a.example/mcp'}]",
                "not named in `use.network`",
            ),
            (
                "  network: [a.example]\n  mcp: [{name: x, url: 'https://u:p@a.example/mcp'}]",
                "is no address",
            ),
            (
                "  network: [a.example]\n  mcp: [{name: x, url: 'ftp://a.example/mcp'}]",
                "is no address",
            ),
            (
                "  network: [a.example]\n  mcp: [{name: x, url: 'https://a.example@evil.example/'}]",
                "is no address",
            ),
            (
                "  network: [a.example]\n  mcp: [{name: x, url: 'https://evil.example\\@a.example/'}]",
                "is no address",
            ),
            (
                "  network: [a.example]\n  mcp: [{name: x, url: 'http://a.example/mcp', token: T}]",
                "unencrypted",
            ),
            (
                "  network: [a.example]\n  mcp: [{name: x, url: 'https://a.example/mcp', token: sk-123-abc}]",
                "never the token itself",
            ),
        ] {
            let found = servers(uses).expect_err(uses).join("\n");
            assert!(found.contains(says), "{uses}: {found}");
            assert!(
                !found.contains("sk-123"),
                "a secret is not repeated: {found}"
            );
        }
        let nine: Vec<String> = (0..9).map(|n| format!("{{name: s{n}, run: x}}")).collect();
        let found = servers(&format!("  mcp: [{}]", nine.join(", "))).expect_err("nine");
        assert!(
            found.join("\n").contains("9 servers, and 8 are allowed"),
            "{found:?}"
        );
    }
}
