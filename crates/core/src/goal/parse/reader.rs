//! Typed access to the values of a front matter: each wrong type says what was wanted, what was found and how it
//! is written.

use std::collections::BTreeSet;

use super::super::diagnostic::{Findings, quoted};
use super::super::globs::Globs;
use super::super::position::{Lines, Span};
use super::super::words::{nearest, one_of, shown, yaml_quoted};
use super::super::yaml::{Entry, Node, Value};
use super::{LaterKey, place};

/// Entries of one list of patterns, names or hosts.
pub(super) const LIST_ENTRIES_MAX: usize = 2_000;

/// Other words for keys, as the goals of other programs or habit write them.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("goal", "outcome"),
    ("objective", "outcome"),
    ("title", "outcome"),
    ("task", "outcome"),
    ("checks", "done"),
    ("verify", "done"),
    ("verification", "done"),
    ("acceptance", "done"),
    ("success", "done"),
    ("done_when", "done"),
    ("constraints", "keep"),
    ("protect", "keep"),
    ("forbid", "keep"),
    ("allow", "use"),
    ("resources", "use"),
    ("budget", "stop"),
    ("budgets", "stop"),
    ("limits", "stop"),
    ("model", "use"),
    ("network", "use"),
    ("setup", "use"),
    ("strategy", "next"),
    ("worklist", "items"),
    ("max_turns", "turns"),
    ("max_tokens", "tokens"),
    ("cost", "usd"),
    ("dollars", "usd"),
    ("money", "usd"),
    ("time", "hours"),
    ("max_attempts", "attempts"),
    ("command", "run"),
    ("cmd", "run"),
    ("dir", "in"),
    ("cwd", "in"),
    ("working_directory", "in"),
    ("name", "id"),
    ("min", "at_least"),
    ("minimum", "at_least"),
    ("max", "at_most"),
    ("maximum", "at_most"),
    ("hosts", "network"),
    ("files", "paths"),
    ("globs", "paths"),
    ("tests", "checks"),
];

/// Entries of a map.
pub(super) type Fields<'n> = &'n [Entry];

/// Reads values and collects what is wrong with them.
pub(super) struct Reader<'l> {
    pub findings: Findings<'l>,
    pub later: Vec<LaterKey>,
}

impl<'l> Reader<'l> {
    pub fn new(lines: &'l Lines) -> Self {
        Reader {
            findings: Findings::new(lines),
            later: Vec::new(),
        }
    }

    /// The entries of a map.
    pub fn fields<'n>(&mut self, node: &'n Node, name: &str, example: &str) -> Option<Fields<'n>> {
        match &node.value {
            Value::Map(entries) => Some(entries),
            _ => {
                self.wrong(node, name, "a map", example);
                None
            }
        }
    }

    /// Says which keys are not known here.
    pub fn known(&mut self, fields: Fields, name: &str, known: &[&str]) {
        let unknown = fields.iter().filter(|e| !known.contains(&e.key.as_str()));
        for entry in unknown {
            self.unknown(entry, name, known);
        }
    }

    pub fn unknown(&mut self, entry: &Entry, name: &str, known: &[&str]) {
        let meant = meant(&entry.key, known);
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        let message = format!(
            "unknown key {} in {name}: nothing would enforce it",
            quoted(&entry.key)
        );
        self.findings
            .error("unknown-key", entry.key_span, message, help);
    }

    /// The entry of that key. A key without a value is a finding and counts as absent: call this once for each key.
    pub fn get<'n>(&mut self, fields: Fields<'n>, key: &str) -> Option<&'n Entry> {
        let entry = fields.iter().find(|e| e.key == key)?;
        if entry.node.value == Value::Null {
            let help = if key == "deliver" {
                "write `deliver: none`, or remove the line"
            } else {
                "give it one, or remove the line"
            };
            self.findings.error(
                "empty-value",
                entry.key_span,
                format!("`{key}` has no value"),
                help,
            );
            return None;
        }
        Some(entry)
    }

    /// Keeps what this version reads and does nothing with.
    pub fn postpone(&mut self, fields: Fields, key: &'static str) {
        if let Some(entry) = self.get(fields, key) {
            let at = self.findings.position(entry.key_span);
            self.later.push(LaterKey {
                key,
                at,
                value: entry.node.json(),
            });
        }
    }

    pub fn wrong(&mut self, node: &Node, name: &str, wanted: &str, help: impl Into<String>) {
        let message = format!(
            "{} must be {wanted}, found {}",
            named(name),
            node.described()
        );
        self.findings.error("wrong-type", node.span, message, help);
    }

    /// Text that is not blank, as it is.
    pub fn text_of(&mut self, node: &Node, name: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) if text.trim().is_empty() => {
                self.findings.error(
                    "empty-text",
                    node.span,
                    format!("{} is empty", named(name)),
                    "write it, or remove it",
                );
                None
            }
            Value::Text(text) if text.contains('\0') => {
                self.findings.error(
                    "bad-text",
                    node.span,
                    format!("{} contains a NUL", named(name)),
                    "remove it",
                );
                None
            }
            Value::Text(text) => Some(text.clone()),
            Value::Number(raw, _) => {
                self.wrong(
                    node,
                    name,
                    "text",
                    format!("quote it: {}", yaml_quoted(raw)),
                );
                None
            }
            Value::Bool(value) => {
                self.wrong(node, name, "text", format!("quote it: \"{value}\""));
                None
            }
            Value::Null => {
                self.findings.error(
                    "empty-value",
                    node.span,
                    format!("{} has no value", named(name)),
                    "write it, or remove it",
                );
                None
            }
            Value::List(_) => {
                self.wrong(
                    node,
                    name,
                    "text",
                    "write one text here, without brackets or dashes",
                );
                None
            }
            Value::Map(_) => {
                self.wrong(
                    node,
                    name,
                    "text",
                    "quote text that contains `: ` or starts with `{`",
                );
                None
            }
        }
    }

    pub fn text(&mut self, entry: &Entry) -> Option<String> {
        self.text_of(&entry.node, &entry.key)
    }

    /// Text without blanks around it.
    pub fn line(&mut self, entry: &Entry) -> Option<String> {
        self.text(entry).map(|t| t.trim().to_owned())
    }

    pub fn flag(&mut self, entry: &Entry) -> Option<bool> {
        match &entry.node.value {
            Value::Bool(value) => Some(*value),
            _ => {
                self.wrong(
                    &entry.node,
                    &entry.key,
                    "`true` or `false`",
                    format!("{}: true", entry.key),
                );
                None
            }
        }
    }

    /// The nodes of a list.
    pub fn list<'n>(&mut self, entry: &'n Entry, of: &str) -> Option<&'n [Node]> {
        match &entry.node.value {
            Value::List(nodes) if nodes.len() > LIST_ENTRIES_MAX => {
                let message = format!(
                    "`{}` has {} entries, and {LIST_ENTRIES_MAX} are allowed",
                    entry.key,
                    nodes.len()
                );
                self.findings.error(
                    "too-many",
                    entry.key_span,
                    message,
                    "use fewer, wider entries",
                );
                None
            }
            Value::List(nodes) => Some(nodes),
            Value::Text(text) => {
                let list = match text.as_str() {
                    "no" | "none" | "off" | "never" => "[]".to_owned(),
                    "yes" | "on" | "all" | "any" => "[\"…\", \"…\"]".to_owned(),
                    _ => format!("[{}]", yaml_quoted(text)),
                };
                self.wrong(
                    &entry.node,
                    &entry.key,
                    of,
                    format!("{}: {list}", entry.key),
                );
                None
            }
            Value::Bool(false) => {
                self.wrong(&entry.node, &entry.key, of, format!("{}: []", entry.key));
                None
            }
            _ => {
                self.wrong(
                    &entry.node,
                    &entry.key,
                    of,
                    format!("{}: [\"…\", \"…\"]", entry.key),
                );
                None
            }
        }
    }

    /// A list of texts with their places; bad entries are findings and left out.
    pub fn texts(&mut self, entry: &Entry) -> Option<Vec<(String, Span)>> {
        let nodes = self.list(entry, "a list of texts")?;
        let name = format!("an entry of `{}`", entry.key);
        Some(
            nodes
                .iter()
                .filter_map(|n| {
                    self.text_of(n, &name)
                        .map(|t| (t.trim().to_owned(), n.span))
                })
                .collect(),
        )
    }

    /// A list of texts in which nothing stands twice.
    pub fn names(&mut self, entry: &Entry) -> Option<Vec<String>> {
        let texts = self.texts(entry)?;
        let mut seen = BTreeSet::new();
        for (text, span) in &texts {
            if !seen.insert(text.as_str()) {
                let message = format!("{} stands twice in `{}`", quoted(text), entry.key);
                self.findings
                    .error("duplicate-entry", *span, message, "keep one of the two");
            }
        }
        Some(texts.into_iter().map(|(text, _)| text).collect())
    }

    /// A list of path patterns, each of which means something.
    pub fn globs(&mut self, entry: &Entry) -> Option<Vec<String>> {
        let texts = self.texts(entry)?;
        for (text, span) in &texts {
            let body = text.strip_prefix('!').unwrap_or(text);
            if let Err(bad) = Globs::new(&[text]) {
                let help = if text.contains("..") {
                    "patterns are relative to the repository's root and stay in it: \"src/**\""
                } else {
                    "gitignore syntax: \"src/**\", \"*.md\", \"!src/**/*.test.ts\"; a literal `[` or `{` is written `\\[`, `\\{`"
                };
                let message = format!(
                    "{} is not a path pattern: {}",
                    quoted(text),
                    shown(&bad.detail)
                );
                self.findings.error("bad-glob", *span, message, help);
            } else if let Some(home) = outside(body) {
                let message = format!(
                    "{} {home}: patterns are relative to the repository's root",
                    quoted(text)
                );
                self.findings.error(
                    "bad-glob",
                    *span,
                    message,
                    "write \"/src/**\" for what is anchored at the root, or \"src/**\"",
                );
            }
        }
        Some(texts.into_iter().map(|(text, _)| text).collect())
    }

    /// A path below `dir` that stays in the repository.
    pub fn path(&mut self, entry: &Entry, dir: &str) -> Option<String> {
        let path = self.line(entry)?;
        self.inside(&path, dir, &entry.key, entry.node.span)
            .then_some(path)
    }

    pub fn inside(&mut self, path: &str, dir: &str, name: &str, span: Span) -> bool {
        let Err(why) = place::inside(path, dir) else {
            return true;
        };
        let message = format!(
            "{} names a path of the repository, and {} {why}",
            named(name),
            quoted(path)
        );
        self.findings.error(
            "bad-path",
            span,
            message,
            "write it relative to the repository's root (or to `in`): docs/api.md",
        );
        false
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, entry: &Entry, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let Value::Text(text) = &entry.node.value else {
            self.wrong(
                &entry.node,
                &entry.key,
                &one_of(&words),
                format!("{}: {}", entry.key, words[0]),
            );
            return None;
        };
        let found = choices
            .iter()
            .find(|(word, _)| word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let message = format!(
                "`{}` must be {}, found {}",
                entry.key,
                one_of(&words),
                entry.node.described()
            );
            let help = format!(
                "{}: {}",
                entry.key,
                nearest(text, words.iter().copied()).unwrap_or(words[0])
            );
            self.findings
                .error("bad-choice", entry.node.span, message, help);
        }
        found
    }

    /// A regular expression with at least `groups` groups.
    pub fn regex(&mut self, entry: &Entry, groups: usize) -> Option<String> {
        let text = self.text(entry)?;
        match place::regex_groups(&text) {
            Ok(n) if n >= groups => Some(text),
            Ok(_) => {
                let message = format!("`{}` needs a group around the number", entry.key);
                self.findings.error(
                    "bad-regex",
                    entry.node.span,
                    message,
                    "Statements +: +([0-9.]+)%",
                );
                None
            }
            Err(why) => {
                let message = format!(
                    "`{}` is not a regular expression: {}",
                    entry.key,
                    shown(&why)
                );
                self.findings.error("bad-regex", entry.node.span, message, "escape a literal ( ) [ ] { } . * + ? | with `\\`, and write the whole in single quotes");
                None
            }
        }
    }
}

/// The key that was probably meant: by habit from elsewhere, else by spelling.
pub(super) fn meant<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = word.to_lowercase();
    let habit = OTHER_WORDS
        .iter()
        .filter(|(other, _)| *other == lower)
        .find_map(|(_, key)| known.iter().find(|k| *k == key));
    habit
        .copied()
        .or_else(|| nearest(word, known.iter().copied()))
}

fn named(name: &str) -> String {
    if name.contains(' ') {
        name.to_owned()
    } else {
        format!("`{name}`")
    }
}

/// What makes a pattern name nothing of the repository, although its syntax is right.
fn outside(body: &str) -> Option<&'static str> {
    const ROOTS: &[&str] = &["/home/", "/Users/", "/root/", "/etc/", "/var/", "/tmp/"];
    if body == "~" || body.starts_with("~/") {
        return Some("is in a home folder");
    }
    ROOTS
        .iter()
        .any(|root| body.starts_with(root))
        .then_some("looks like a path of the machine")
}
