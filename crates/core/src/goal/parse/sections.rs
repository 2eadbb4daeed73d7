//! The keys of the front matter beside the checks and the worklist: `keep`, `use`, `next`, `stop`, `categories`,
//! `deliver`.

use std::collections::BTreeSet;

use super::super::diagnostic::quoted;
use super::super::words::shown;
use super::super::yaml::{Entry, Node, Value};
use super::super::{Deliver, FixWhen, Keep, Next, Role, Stop, Use};
use super::checks::Draft;
use super::place;
use super::reader::{Fields, Reader};

/// Largest number of turns, items or lines that a goal may name.
const COUNT_MAX: u64 = 1_000_000_000;
/// Largest token budget that a goal may name.
const TOKENS_MAX: u64 = 1_000_000_000_000;
/// Longest run that a goal may name, hours: four weeks.
const HOURS_MAX: f64 = 28.0 * 24.0;

impl Reader<'_> {
    /// `keep`, and its checks before they have names.
    pub fn keep(&mut self, top: Fields) -> (Keep, Vec<Draft>) {
        let Some(entry) = self.get(top, "keep") else {
            return (Keep::default(), Vec::new());
        };
        let Some(fields) = self.fields(
            &entry.node,
            "keep",
            "keep: {paths: [\"migrations/**\"], checks: [{tests: npm test}]}",
        ) else {
            return (Keep::default(), Vec::new());
        };
        self.known(fields, "`keep`", &["paths", "checks", "oracle"]);
        let paths = self
            .get(fields, "paths")
            .and_then(|e| self.globs(e))
            .unwrap_or_default();
        let checks = self
            .get(fields, "checks")
            .map(|e| self.checks(e, Role::Keep))
            .unwrap_or_default();
        let oracle = self
            .get(fields, "oracle")
            .and_then(|e| self.globs(e))
            .unwrap_or_default();
        let keep = Keep {
            paths,
            oracle,
            checks: Vec::new(),
        };
        (keep, checks)
    }

    pub fn uses(&mut self, top: Fields) -> Use {
        let Some(entry) = self.get(top, "use") else {
            return Use::default();
        };
        let Some(fields) = self.fields(
            &entry.node,
            "use",
            "use: {paths: [\"src/**\"], network: []}",
        ) else {
            return Use::default();
        };
        const KEYS: &[&str] = &[
            "paths", "oracle", "commands", "network", "files", "setup", "model", "tools", "mcp",
            "sources",
        ];
        self.known(fields, "`use`", KEYS);
        self.postpone(fields, "sources");
        let network = self
            .get(fields, "network")
            .map(|e| self.hosts(e))
            .unwrap_or_default();
        let mcp = self
            .get(fields, "mcp")
            .map(|e| self.servers(e, &network))
            .unwrap_or_default();
        Use {
            paths: self.get(fields, "paths").and_then(|e| self.globs(e)),
            oracle: self
                .get(fields, "oracle")
                .and_then(|e| self.globs(e))
                .unwrap_or_default(),
            commands: self.get(fields, "commands").and_then(|e| self.names(e)),
            network,
            tools: self.get(fields, "tools").and_then(|e| self.names(e)),
            files: self
                .get(fields, "files")
                .map(|e| self.paths(e))
                .unwrap_or_default(),
            setup: self.get(fields, "setup").and_then(|e| self.line(e)),
            model: self.get(fields, "model").and_then(|e| self.model(e)),
            mcp,
        }
    }

    fn hosts(&mut self, entry: &Entry) -> Vec<String> {
        let Some(texts) = self.texts(entry) else {
            return Vec::new();
        };
        for (text, span) in &texts {
            if let Err((why, meant)) = place::host(text) {
                let meant = meant.unwrap_or_else(|| "registry.npmjs.org".to_owned());
                let message = format!("{} {why}", quoted(text));
                self.findings.error(
                    "bad-host",
                    *span,
                    message,
                    format!("network: [{}]", shown(&meant)),
                );
            }
        }
        texts.into_iter().map(|(text, _)| text).collect()
    }

    fn paths(&mut self, entry: &Entry) -> Vec<String> {
        let Some(texts) = self.texts(entry) else {
            return Vec::new();
        };
        texts
            .into_iter()
            .filter(|(path, span)| self.inside(path, "", &entry.key, *span))
            .map(|(path, _)| path)
            .collect()
    }

    fn model(&mut self, entry: &Entry) -> Option<String> {
        let model = self.line(entry)?;
        let whole = model
            .split_once('/')
            .is_some_and(|(provider, name)| !provider.is_empty() && !name.is_empty());
        if !whole {
            let message = format!("`model` is PROVIDER/NAME, found {}", quoted(&model));
            self.findings.error(
                "bad-model",
                entry.node.span,
                message,
                format!("model: openai/{}", shown(model.trim_matches('/'))),
            );
            return None;
        }
        Some(model)
    }

    pub fn next(&mut self, top: Fields) -> Next {
        let Some(entry) = self.get(top, "next") else {
            return Next::default();
        };
        if let Value::Text(_) = entry.node.value {
            return Next {
                prose: self.line(entry),
                ..Next::default()
            };
        }
        const EXAMPLE: &str =
            "next: {prose: Smallest untested branch first., attempts: 3, fix_when: {functions: 1}}";
        let Value::Map(fields) = &entry.node.value else {
            self.wrong(&entry.node, "next", "text or a map", EXAMPLE);
            return Next::default();
        };
        self.known(fields, "`next`", &["prose", "attempts", "fix_when"]);
        Next {
            prose: self.get(fields, "prose").and_then(|e| self.line(e)),
            attempts: self
                .get(fields, "attempts")
                .and_then(|e| self.small_count(e)),
            fix_when: self.get(fields, "fix_when").and_then(|e| self.fix_when(e)),
        }
    }

    fn fix_when(&mut self, entry: &Entry) -> Option<FixWhen> {
        const EXAMPLE: &str = "fix_when: {functions: 1, lines: 40, files: 2}";
        let fields = self.fields(&entry.node, "fix_when", EXAMPLE)?;
        self.known(fields, "`fix_when`", &["functions", "lines", "files"]);
        if fields.is_empty() {
            self.findings.error(
                "empty-value",
                entry.key_span,
                "`fix_when` limits nothing",
                EXAMPLE,
            );
        }
        Some(FixWhen {
            functions: self
                .get(fields, "functions")
                .and_then(|e| self.small_count(e)),
            lines: self.get(fields, "lines").and_then(|e| self.small_count(e)),
            files: self.get(fields, "files").and_then(|e| self.small_count(e)),
        })
    }

    /// A count that fits 32 bits.
    pub fn small_count(&mut self, entry: &Entry) -> Option<u32> {
        self.count(entry, COUNT_MAX)
            .and_then(|n| u32::try_from(n).ok())
    }

    /// The limits, and the questions worth stopping for.
    pub fn stop(&mut self, top: Fields) -> (Stop, Vec<String>) {
        let default = Stop::default();
        let Some(entry) = self.get(top, "stop") else {
            return (default, Vec::new());
        };
        const EXAMPLE: &str = "stop: {turns: 80, tokens: 2M, hours: 5, questions: [\"Is a new dependency allowed?\"]}";
        let Some(fields) = self.fields(&entry.node, "stop", EXAMPLE) else {
            return (default, Vec::new());
        };
        self.known(
            fields,
            "`stop`",
            &[
                "turns",
                "tokens",
                "usd",
                "hours",
                "active",
                "no_progress",
                "windows",
                "questions",
            ],
        );
        let stop = Stop {
            turns: self
                .get(fields, "turns")
                .and_then(|e| self.count(e, COUNT_MAX))
                .unwrap_or(default.turns),
            tokens: self
                .get(fields, "tokens")
                .and_then(|e| self.count(e, TOKENS_MAX)),
            usd: self.get(fields, "usd").and_then(|e| self.positive(e)),
            hours: self
                .get(fields, "hours")
                .and_then(|e| self.hours(e, HOURS_MAX))
                .unwrap_or(default.hours),
            active: self
                .get(fields, "active")
                .and_then(|e| self.hours(e, HOURS_MAX)),
            windows: self
                .get(fields, "windows")
                .and_then(|e| self.windows(e))
                .unwrap_or(default.windows),
            no_progress: self
                .get(fields, "no_progress")
                .and_then(|e| self.small_count(e))
                .unwrap_or(default.no_progress),
        };
        let questions = self
            .get(fields, "questions")
            .map(|e| self.questions(e))
            .unwrap_or_default();
        (stop, questions)
    }

    /// Unlike the other limits it may be nothing: then no quota is waited for.
    fn windows(&mut self, entry: &Entry) -> Option<u32> {
        match &entry.node.value {
            Value::Number(_, value) if *value == 0.0 => Some(0),
            _ => self.small_count(entry),
        }
    }

    fn questions(&mut self, entry: &Entry) -> Vec<String> {
        match entry.node.value {
            Value::Text(_) => self.line(entry).into_iter().collect(),
            _ => self.names(entry).unwrap_or_default(),
        }
    }

    pub fn categories(&mut self, top: Fields) -> Vec<serde_json::Value> {
        let Some(entry) = self.get(top, "categories") else {
            return Vec::new();
        };
        let Some(nodes) = self.list(entry, "a list of categories") else {
            return Vec::new();
        };
        let mut names = BTreeSet::new();
        for node in nodes {
            if let Some((name, span)) = self.category(node)
                && !names.insert(name.clone())
            {
                self.findings.error(
                    "duplicate-entry",
                    span,
                    format!("there are two categories {}", quoted(&name)),
                    "give each its own name",
                );
            }
        }
        nodes.iter().map(Node::json).collect()
    }

    fn category(&mut self, node: &Node) -> Option<(String, super::Span)> {
        const EXAMPLE: &str = "- {name: receipts, about: Invoices and receipts., when: {subject: \"(?i)invoice\"}, do: {move: Receipts}}";
        let fields = self.fields(node, "a category", EXAMPLE)?;
        self.known(
            fields,
            "a category",
            &["name", "about", "when", "untouched", "do"],
        );
        for key in ["name", "do"] {
            if !fields.iter().any(|e| e.key == key) {
                self.findings.error(
                    "missing-key",
                    node.span,
                    format!("this category has no `{key}`"),
                    EXAMPLE,
                );
            }
        }
        if let Some(about) = self.get(fields, "about") {
            self.text(about);
        }
        if let Some(flag) = self.get(fields, "untouched") {
            self.flag(flag);
        }
        if let Some(when) = self.get(fields, "when")
            && self
                .fields(
                    &when.node,
                    "when",
                    "when: {subject: \"(?i)invoice|receipt\"}",
                )
                .is_some()
        {
            self.conditions(&when.node);
        }
        match self.get(fields, "do") {
            Some(Entry {
                node:
                    Node {
                        value: Value::Map(action),
                        ..
                    },
                ..
            }) if action.len() == 1 => {}
            Some(entry) if matches!(entry.node.value, Value::Text(_)) => {
                self.text(entry);
            }
            Some(entry) => self.wrong(
                &entry.node,
                "do",
                "one action",
                "do: archive, or do: {move: Receipts}",
            ),
            None => {}
        }
        let name = self.get(fields, "name")?;
        self.line(name).map(|text| (text, name.node.span))
    }

    /// Regular expressions wherever they stand in a category's conditions.
    fn conditions(&mut self, node: &Node) {
        match &node.value {
            Value::List(nodes) => nodes.iter().for_each(|n| self.conditions(n)),
            Value::Map(entries) => {
                for entry in entries {
                    match entry.key.as_str() {
                        "subject" | "body" => {
                            self.regex(entry, 0);
                        }
                        _ => self.conditions(&entry.node),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(..) | Value::Text(_) => {}
        }
    }

    pub fn deliver(&mut self, top: Fields) -> Option<Deliver> {
        const CHOICES: &[(&str, Deliver)] = &[
            ("branch", Deliver::Branch),
            ("patch", Deliver::Patch),
            ("pull-request", Deliver::PullRequest),
            ("none", Deliver::None),
        ];
        let entry = self.get(top, "deliver")?;
        self.choice(entry, CHOICES)
    }
}
