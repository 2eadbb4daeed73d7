//! `items`: where the worklist comes from, how its items end, and what is done to them at their source.
//!
//! What every worklist has is read into types. The settings of the source itself are read for what is wrong with them
//! and handed over as they stand.

use std::collections::BTreeMap;

use super::super::diagnostic::quoted;
use super::super::words::{nearest, shown};
use super::super::yaml::{Entry, Value};
use super::super::{Items, OUTCOMES_DEFAULT, Order, PARALLEL_MAX, Role};
use super::Span;
use super::checks::Draft;
use super::reader::{Fields, Reader};
use crate::item::{ITEMS_MAX, Outcome, Verb};

/// What every worklist may say.
const OWN_KEYS: &[&str] = &[
    "from", "order", "limit", "outcomes", "each", "parallel", "on", "replay", "new",
];

/// Settings of sources that this version only reads: whatever they are, nothing of such a goal runs.
const LATER_KEYS: &[&str] = &["query", "project", "url", "token", "mailbox", "folder"];

/// Everything that some source may be told.
const SOURCE_KEYS: &[&str] = &[
    "run",
    "act",
    "path",
    "project",
    "query",
    "url",
    "token",
    "app_token",
    "assign",
    "period",
    "track",
    "states",
    "mailbox",
    "folder",
];

/// What a source may be told, and what can be done to its items there. Of a source that this version only reads:
/// anything.
fn known_of(from: &str) -> (&'static [&'static str], &'static [Verb]) {
    use Verb::{Assign, Command, Comment, Resolve, Tick};
    match from {
        "command" => (&["run", "act"], &[Command]),
        "file" => (&["path", "act"], &[Tick, Command]),
        "sentry" => (
            &["project", "query", "url", "token", "period", "assign"],
            &[Comment, Resolve, Assign],
        ),
        "glitchtip" | "bugsink" => (&["project", "query", "url", "token"], &[Comment, Resolve]),
        "datadog" => (
            &[
                "project",
                "query",
                "url",
                "token",
                "app_token",
                "states",
                "track",
                "period",
                "assign",
            ],
            &[Resolve, Assign],
        ),
        "github" => (
            &["project", "query", "url", "token", "assign"],
            &[Comment, Resolve, Assign],
        ),
        _ => (LATER_KEYS, &[Comment, Resolve, Assign, Tick, Command]),
    }
}

/// Whether this version does more than to read a goal over such a source.
fn runs(from: &str) -> bool {
    !matches!(from, "gitlab" | "linear" | "mail")
}

/// Keys that would hold a secret, had anybody the idea.
const SECRET_KEYS: &[&str] = &["password", "secret"];

/// How tokens begin that people copy into files by mistake.
const SECRET_BEGINNINGS: &[&str] = &[
    "sntrys_",
    "sntryu_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "lin_api_",
    "sk-ant-",
    "sk-proj-",
    "xoxb-",
    "xoxp-",
];
/// How many characters a whole token has at least after its beginning: who writes about tokens names the beginning alone.
const TOKEN_CHARS_MIN: usize = 12;
/// How the values of headers begin that hold a secret.
const SECRET_SCHEMES: &[&str] = &["Bearer ", "Basic "];

/// Sources of a worklist that are named already.
pub(in crate::goal) const SOURCES: &[&str] = &[
    "command",
    "file",
    "sentry",
    "bugsink",
    "glitchtip",
    "datadog",
    "github",
    "gitlab",
    "linear",
    "mail",
];

const EXAMPLE: &str =
    "items: {from: command, run: ./list-open-cases.sh, outcomes: [fixed, diagnosed]}";
const ON_EXAMPLE: &str = "on: {fixed: [comment, resolve], diagnosed: [comment]}";

/// Whether a text holds a token that somebody copied into it, or the beginning of one.
pub fn copied_secret(text: &str) -> bool {
    tokens(text).next().is_some()
}

/// Whether prose holds a whole token.
pub fn whole_token(text: &str) -> bool {
    tokens(text).any(|rest| rest.len() >= TOKEN_CHARS_MIN)
}

/// What follows the beginnings of tokens.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .filter_map(|word| SECRET_BEGINNINGS.iter().find_map(|b| word.strip_prefix(b)))
}

impl Reader<'_> {
    /// The worklist, and the checks of its items before they have names.
    pub fn items(&mut self, top: Fields) -> Option<(Items, Vec<Draft>)> {
        let entry = self.get(top, "items")?;
        let fields = self.fields(&entry.node, "items", EXAMPLE)?;
        let from = match self.get(fields, "from") {
            Some(from) => self.source(from),
            None if fields.iter().any(|e| e.key == "from") => None,
            None => {
                self.findings.error(
                    "missing-key",
                    entry.key_span,
                    "`items` does not say where the worklist comes from",
                    EXAMPLE,
                );
                None
            }
        };
        self.item_keys(fields, from.as_deref());
        if let Some(from) = &from {
            self.needs(entry, fields, from);
        }
        self.secrets(fields);
        let acts = fields.iter().any(|e| e.key == "act");
        let outcomes = match self.get(fields, "outcomes") {
            Some(outcomes) => self.outcomes(outcomes),
            // A mail's category says what becomes of it.
            None if from.as_deref() == Some("mail") => Vec::new(),
            None => OUTCOMES_DEFAULT.map(|o| o.word().to_owned()).to_vec(),
        };
        let on = self.get(fields, "on");
        let on = on.map(|on| self.actions(on, &outcomes, from.as_deref(), fields));
        let on = with_command(on.unwrap_or_default(), acts, &outcomes);
        const ORDERS: &[(&str, Order)] = &[
            ("oldest", Order::Oldest),
            ("newest", Order::Newest),
            ("priority", Order::Priority),
            ("source", Order::Source),
        ];
        let order = self
            .get(fields, "order")
            .and_then(|e| self.choice(e, ORDERS));
        let limit = self
            .get(fields, "limit")
            .and_then(|e| self.count(e, ITEMS_MAX as u64));
        let each = self
            .get(fields, "each")
            .map(|e| self.checks(e, Role::Keep))
            .unwrap_or_default();
        let parallel = self
            .get(fields, "parallel")
            .and_then(|e| self.count(e, u64::from(PARALLEL_MAX)));
        let replay = self.get(fields, "replay").and_then(|e| self.command(e));
        let new = self
            .get(fields, "new")
            .and_then(|e| self.choice(e, &[("list", false), ("work", true)]));
        let spec = fields
            .iter()
            .filter(|e| !OWN_KEYS.contains(&e.key.as_str()));
        let json = |e: &Entry| match (&e.node.value, e.key.as_str()) {
            // Some trackers number their projects.
            (Value::Number(raw, _), "project") => raw.clone().into(),
            _ => e.node.json(),
        };
        let spec = serde_json::Value::Object(spec.map(|e| (e.key.clone(), json(e))).collect());
        let fits = |n: u64| u32::try_from(n).ok();
        let items = Items {
            from: from?,
            spec,
            outcomes,
            order: order.unwrap_or_default(),
            limit: limit.and_then(fits),
            each: Vec::new(),
            parallel: parallel.and_then(fits).unwrap_or(1),
            on,
            replay,
            work_on_new: new.unwrap_or(false),
        };
        Some((items, each))
    }

    /// Says which keys are not known, and reads the source's own.
    fn item_keys(&mut self, fields: Fields, from: Option<&str>) {
        let all: Vec<&str> = OWN_KEYS.iter().chain(SOURCE_KEYS).copied().collect();
        let own = from.map_or(SOURCE_KEYS, |from| known_of(from).0);
        let known: Vec<&str> = OWN_KEYS.iter().chain(own).copied().collect();
        // Secrets have a finding of their own.
        let odd =
            |e: &&Entry| !known.contains(&e.key.as_str()) && !SECRET_KEYS.contains(&e.key.as_str());
        for unknown in fields.iter().filter(odd) {
            match from {
                Some(from)
                    if !runs(from) && nearest(&unknown.key, known.iter().copied()).is_none() =>
                {
                    let message = format!(
                        "{} is not a key of `items` that this version knows",
                        quoted(&unknown.key)
                    );
                    self.findings.warn(
                        "unknown-key",
                        unknown.key_span,
                        message,
                        format!("known: {}", known.join(", ")),
                    );
                }
                Some(from) if all.contains(&unknown.key.as_str()) => {
                    self.findings.error(
                        "no-effect",
                        unknown.key_span,
                        format!(
                            "`{}` says nothing to the source `{from}`",
                            shown(&unknown.key)
                        ),
                        format!("known here: {}", known.join(", ")),
                    );
                }
                _ => self.unknown(unknown, "`items`", &known),
            }
        }
        for key in ["run", "act"] {
            if let Some(e) = self.get(fields, key) {
                self.command(e);
            }
        }
        for key in [
            "query", "url", "path", "mailbox", "folder", "assign", "period", "track",
        ] {
            if let Some(e) = self.get(fields, key) {
                self.text(e);
            }
        }
        if let Some(e) = self.get(fields, "project")
            && !matches!(e.node.value, Value::Number(..))
        {
            self.text(e);
        }
    }

    /// What a source cannot do without, and what it can do nothing with.
    fn needs(&mut self, entry: &Entry, fields: Fields, from: &str) {
        let has = |key: &str| fields.iter().any(|e| e.key == key);
        let needed: &[(&str, &str, &str)] = match from {
            "command" => &[("run", "the command that lists the items", EXAMPLE)],
            "file" => &[(
                "path",
                "the file",
                "items: {from: file, path: cases.csv, outcomes: [fixed, diagnosed]}",
            )],
            "sentry" => &[(
                "project",
                "the project, as ORGANISATION/PROJECT",
                "project: shop/api",
            )],
            "glitchtip" => &[
                (
                    "project",
                    "the project, as ORGANISATION/PROJECT",
                    "project: shop/api",
                ),
                (
                    "url",
                    "the server's address",
                    "url: https://glitchtip.example.org",
                ),
            ],
            "bugsink" => &[
                ("project", "the project's name or number", "project: api"),
                (
                    "url",
                    "the server's address",
                    "url: https://bugsink.example.org",
                ),
            ],
            "github" => &[(
                "project",
                "the repository, as OWNER/NAME",
                "project: shop/api",
            )],
            _ => &[],
        };
        for (key, what, example) in needed {
            if !has(key) {
                self.findings.error(
                    "missing-key",
                    entry.key_span,
                    format!("`from: {from}` needs {what}"),
                    *example,
                );
            }
        }
    }

    /// The goal file is shown to the model: it names where a secret is, and never the secret.
    fn secrets(&mut self, fields: Fields) {
        for entry in fields {
            let key = entry.key.as_str();
            if SECRET_KEYS.contains(&key) {
                self.literal_secret(key, entry.key_span);
            } else if !names_variable(key) {
                self.copied_secret(key, &entry.node);
            } else if let Some(token) = self.get(fields, key)
                && let Some(name) = self.line(token)
                && !is_variable(&name)
            {
                self.literal_secret(key, token.node.span);
            }
        }
    }

    fn copied_secret(&mut self, key: &str, node: &super::super::yaml::Node) {
        match &node.value {
            Value::Text(text) => {
                let scheme = SECRET_SCHEMES
                    .iter()
                    .any(|s| text.trim_start().starts_with(s));
                let copied = copied_secret(text);
                let in_address = text.split_once("://").is_some_and(|(_, rest)| {
                    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
                    host.rsplit_once('@')
                        .is_some_and(|(user, _)| user.contains(':'))
                });
                if scheme || copied || in_address {
                    self.literal_secret(key, node.span);
                }
            }
            Value::List(nodes) => nodes.iter().for_each(|n| self.copied_secret(key, n)),
            Value::Map(entries) => entries
                .iter()
                .for_each(|e| self.copied_secret(key, &e.node)),
            Value::Null | Value::Bool(_) | Value::Number(..) => {}
        }
    }

    fn literal_secret(&mut self, key: &str, span: Span) {
        // Whatever it is, it may be the secret itself: it is not repeated.
        let message = if names_variable(key) {
            format!("`{key}` is the name of an environment variable, never the token itself")
        } else {
            format!(
                "`{}` of `items` seems to hold a secret, and the model reads the goal file",
                shown(key)
            )
        };
        self.findings.error(
            "bad-token",
            span,
            message,
            "token: TRACKER_TOKEN, and TRACKER_TOKEN=… in the environment of `overnight run`",
        );
    }

    fn source(&mut self, entry: &Entry) -> Option<String> {
        let from = self.line(entry)?;
        if !SOURCES.contains(&from.as_str()) {
            let help = match nearest(&from, SOURCES.iter().copied()) {
                Some(meant) => format!("from: {meant}"),
                None => format!(
                    "known sources: {}; anything else can be had with `from: command`",
                    SOURCES.join(", ")
                ),
            };
            self.findings.error(
                "bad-choice",
                entry.node.span,
                format!("there is no source {}", quoted(&from)),
                help,
            );
            return None;
        }
        Some(from)
    }

    fn outcomes(&mut self, entry: &Entry) -> Vec<String> {
        let outcomes = self.names(entry).unwrap_or_default();
        if let Value::List(nodes) = &entry.node.value {
            if nodes.is_empty() {
                self.findings.error(
                    "empty-value",
                    entry.key_span,
                    "no item could ever end: `outcomes` is empty",
                    "outcomes: [fixed, diagnosed]",
                );
            }
            for node in nodes {
                if let Value::Text(text) = &node.value
                    && Outcome::of(text.trim()).is_none()
                {
                    self.unknown_outcome(text.trim(), node.span);
                }
            }
        }
        outcomes
    }

    fn unknown_outcome(&mut self, word: &str, span: Span) {
        let all = Outcome::ALL.map(Outcome::word);
        let help = match nearest(word, all) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("known: {}", all.join(", ")),
        };
        self.findings.error(
            "bad-choice",
            span,
            format!("there is no outcome {}", quoted(word)),
            help,
        );
    }

    /// `on: {fixed: [comment, resolve]}`
    fn actions(
        &mut self,
        entry: &Entry,
        outcomes: &[String],
        from: Option<&str>,
        items: Fields,
    ) -> BTreeMap<Outcome, Vec<Verb>> {
        let mut on = BTreeMap::new();
        let Some(fields) = self.fields(&entry.node, "on", ON_EXAMPLE) else {
            return on;
        };
        for ended in fields {
            let outcome = Outcome::of(&ended.key);
            if !outcomes.contains(&ended.key) {
                let message = format!(
                    "{} is not among the outcomes of this goal",
                    quoted(&ended.key)
                );
                let listed: Vec<String> = outcomes.iter().map(|o| shown(o)).collect();
                self.findings.error(
                    "bad-choice",
                    ended.key_span,
                    message,
                    format!("outcomes: [{}]", listed.join(", ")),
                );
            }
            // One may stand alone.
            let words = match &ended.node.value {
                Value::Text(_) => self
                    .line(ended)
                    .map(|word| (word, ended.node.span))
                    .into_iter()
                    .collect(),
                _ => self.texts(ended).unwrap_or_default(),
            };
            let mut verbs: Vec<Verb> = Vec::new();
            for (word, span) in words {
                let Some(verb) = Verb::of(&word) else {
                    let all = ["comment", "resolve", "assign", "tick", "act"];
                    let help = match nearest(&word, all) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("known: {}", all.join(", ")),
                    };
                    self.findings.error(
                        "bad-choice",
                        span,
                        format!("{} is nothing that can be done to an item", quoted(&word)),
                        help,
                    );
                    continue;
                };
                if verbs.contains(&verb) {
                    self.findings.error(
                        "duplicate-entry",
                        span,
                        format!("{} stands twice for one outcome", quoted(&word)),
                        "keep one of the two",
                    );
                    continue;
                }
                self.possible(verb, span, from, items);
                verbs.push(verb);
            }
            if let Some(outcome) = outcome.filter(|_| !verbs.is_empty()) {
                on.insert(outcome, verbs);
            }
        }
        on
    }

    /// Says so if such a source cannot do that.
    fn possible(&mut self, verb: Verb, span: Span, from: Option<&str>, items: Fields) {
        let Some(from) = from else {
            return;
        };
        let has = |key: &str| items.iter().any(|e| e.key == key);
        let possible = known_of(from).1;
        let wrong = match verb {
            Verb::Command if possible.contains(&verb) && !has("act") => {
                Some("act: ./act.sh, which gets the item and its outcome".to_owned())
            }
            Verb::Assign if possible.contains(&verb) && !has("assign") => {
                Some("assign: ann, beside `on`: to whom".to_owned())
            }
            _ if possible.contains(&verb) => None,
            _ if possible.contains(&Verb::Command) => {
                Some("act: ./act.sh, a command that gets the item and its outcome".to_owned())
            }
            _ => {
                let words: Vec<&str> = possible.iter().map(|verb| verb.word()).collect();
                Some(format!("from: {from} can {}", words.join(", ")))
            }
        };
        if let Some(help) = wrong {
            self.findings.error(
                "bad-choice",
                span,
                format!("nothing can `{}` an item of {from}", verb.word()),
                help,
            );
        }
    }
}

/// Whether the key's value is the name of an environment variable.
fn names_variable(key: &str) -> bool {
    key == "token" || key.ends_with("_token") || key.ends_with("_key")
}

/// Whether it can be the name of an environment variable, as people write them.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// An `act` command is started for every outcome, unless `on` says for which.
fn with_command(
    mut on: BTreeMap<Outcome, Vec<Verb>>,
    acts: bool,
    outcomes: &[String],
) -> BTreeMap<Outcome, Vec<Verb>> {
    let said = on.values().flatten().any(|verb| *verb == Verb::Command);
    if acts && !said {
        for outcome in outcomes.iter().filter_map(|word| Outcome::of(word)) {
            on.entry(outcome).or_default().push(Verb::Command);
        }
    }
    on
}
