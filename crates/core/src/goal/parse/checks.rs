//! Entries of `done`, `keep.checks` and `items.each`: one kind key each, common keys, and a name.

use std::collections::{BTreeMap, BTreeSet};

use super::super::diagnostic::quoted;
use super::super::position::Span;
use super::super::words::{shown, slug, yaml_quoted};
use super::super::yaml::{Entry, Node, Value};
use super::super::{CHECK_TIMEOUT_DEFAULT_S, Check, CheckKind, Feedback, RUNS_DEFAULT, Role};
use super::place;
use super::reader::{Fields, Reader};
use crate::ids::CheckId;
use crate::state::OWN_CHECKS;

/// Entries of one list of checks: what is known of each is part of the state.
const CHECKS_MAX: usize = 50;
/// Most runs on the base that a check may ask for.
const RUNS_MAX: u64 = 20;
/// Length of a command line, bytes: the kernel takes no longer single argument than 128 KiB.
const COMMAND_BYTES_MAX: usize = 120 * 1024;
/// Longest time that one check may take, seconds.
const CHECK_TIMEOUT_MAX_S: u64 = 24 * 60 * 60;
/// Length of a check's name, characters.
const ID_CHARS_MAX: usize = 64;
/// Length of a name that is made here, characters.
const MADE_ID_CHARS_MAX: usize = 40;

/// The list of checks that an item has to pass.
const EACH: &str = "each";

/// A check that has no name yet.
pub(super) struct Draft {
    given: Option<(String, Span)>,
    made_from: String,
    pub check: Check,
}

/// Gives every check a name that is unique among all lists: the one that the file gives, else one made from the kind
/// and the command.
pub(super) fn name(reader: &mut Reader, lists: &mut [&mut Vec<Draft>]) {
    let mut given: BTreeMap<String, Span> = BTreeMap::new();
    for (id, span) in lists
        .iter()
        .flat_map(|l| l.iter())
        .filter_map(|d| d.given.clone())
    {
        match given.get(&id) {
            Some(first) => {
                let line = reader.findings.line(*first);
                let message = format!(
                    "the id {} is given twice, first on line {line}",
                    quoted(&id)
                );
                reader.findings.error(
                    "duplicate-id",
                    span,
                    message,
                    format!("id: {}-2", shown(&id)),
                );
            }
            None => {
                given.insert(id, span);
            }
        }
    }
    for own in OWN_CHECKS {
        if let Some(span) = given.get(own) {
            reader.findings.error(
                "reserved-id",
                *span,
                format!("the id `{own}` is the harness's own: its check on what may change"),
                format!("id: my-{own}"),
            );
        }
    }
    let mut taken: BTreeSet<String> = given.into_keys().collect();
    taken.extend(OWN_CHECKS.map(str::to_owned));
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    for draft in lists.iter_mut().flat_map(|l| l.iter_mut()) {
        let id = match &draft.given {
            Some((id, _)) => id.clone(),
            None => {
                let n = last.entry(draft.made_from.clone()).or_insert(0);
                loop {
                    *n += 1;
                    let id = if *n == 1 {
                        draft.made_from.clone()
                    } else {
                        format!("{}-{n}", draft.made_from)
                    };
                    if taken.insert(id.clone()) {
                        break id;
                    }
                }
            }
        };
        draft.check.id = CheckId(id);
    }
}

impl Reader<'_> {
    /// A list of checks.
    pub fn checks(&mut self, entry: &Entry, role: Role) -> Vec<Draft> {
        let nodes = match &entry.node.value {
            Value::List(nodes) => nodes,
            Value::Text(text) => {
                let help = format!("{}: [{}]", entry.key, yaml_quoted(text.trim()));
                self.wrong(&entry.node, &entry.key, "a list of checks", help);
                return Vec::new();
            }
            _ => {
                let help = format!(
                    "start each check with `- `: {}: [{{run: npm test}}]",
                    entry.key
                );
                self.wrong(&entry.node, &entry.key, "a list of checks", help);
                return Vec::new();
            }
        };
        if nodes.len() > CHECKS_MAX {
            let message = format!(
                "`{}` has {} checks, and {CHECKS_MAX} are allowed",
                entry.key,
                nodes.len()
            );
            self.findings.error(
                "too-many",
                entry.key_span,
                message,
                "let one command run many of them",
            );
            return Vec::new();
        }
        nodes
            .iter()
            .filter_map(|node| self.check(node, &entry.key, role))
            .collect()
    }

    fn check(&mut self, node: &Node, list: &str, role: Role) -> Option<Draft> {
        let fields = match &node.value {
            Value::Map(entries) => entries.as_slice(),
            // A bare string is a `run`.
            Value::Text(_) => {
                let text = self.text_of(node, &format!("an entry of `{list}`"))?;
                let command = self.command_line(&text, node.span)?;
                let made_from = made_in(list, "run", &command, "");
                let kind = CheckKind::Run { command };
                return Some(Draft {
                    given: None,
                    made_from,
                    check: plain(kind, role),
                });
            }
            Value::Null | Value::Bool(_) | Value::Number(..) | Value::List(_) => {
                let help = match &node.value {
                    Value::Bool(value) => format!("if this is a command, quote it: - \"{value}\""),
                    Value::Number(raw, _) => {
                        format!("if this is a command, quote it: - {}", yaml_quoted(raw))
                    }
                    _ => "- npm test, or - {tests: npm test}".to_owned(),
                };
                self.wrong(
                    node,
                    &format!("an entry of `{list}`"),
                    "a command or a check",
                    help,
                );
                return None;
            }
        };
        let key = self.kind(fields, node, list)?;
        let dir = self.dir(fields);
        let timeout = self
            .get(fields, "timeout")
            .map(|e| self.duration_s(e, CHECK_TIMEOUT_MAX_S));
        let already = self
            .get(fields, "already")
            .map(|e| (e.key_span, self.flag(e)));
        if let (Role::Keep, Some((span, Some(true)))) = (role, already) {
            let list = if list == EACH { "items.each" } else { "keep" };
            self.findings.warn(
                "no-effect",
                span,
                format!(
                    "`already` has no effect in `{list}`: these checks hold on the base anyway"
                ),
                "remove it",
            );
        }
        let given = self.get(fields, "id").and_then(|e| self.id(e));
        let hidden = self.get(fields, "hidden").and_then(|e| self.line(e));
        let feedback = self.feedback(fields).unwrap_or(match hidden {
            Some(_) => Feedback::Verdict,
            None => Feedback::Full,
        });
        let runs = self
            .get(fields, "runs")
            .and_then(|e| self.count(e, RUNS_MAX))
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(RUNS_DEFAULT);
        let (kind, about) = self.kind_of(fields, key, role, dir.as_deref().unwrap_or(""))?;
        let dir = dir?;
        let made_from = made_in(list, kind.key(), &about, &dir);
        let check = Check {
            dir,
            timeout_s: timeout.flatten().unwrap_or(CHECK_TIMEOUT_DEFAULT_S),
            already: role == Role::Done && already.and_then(|(_, flag)| flag).unwrap_or(false),
            hidden,
            feedback,
            runs,
            ..plain(kind, role)
        };
        Some(Draft {
            given,
            made_from,
            check,
        })
    }

    pub fn command(&mut self, entry: &Entry) -> Option<String> {
        let text = self.text(entry)?;
        self.command_line(&text, entry.node.span)
    }

    fn command_line(&mut self, text: &str, span: Span) -> Option<String> {
        let command = text.trim();
        if command.len() > COMMAND_BYTES_MAX {
            let message = format!(
                "the command has {} bytes, and {COMMAND_BYTES_MAX} are allowed",
                command.len()
            );
            self.findings.error(
                "too-long",
                span,
                message,
                "put it into a script of the repository",
            );
            return None;
        }
        Some(command.to_owned())
    }

    /// The working directory; `None` if it is bad.
    fn dir(&mut self, fields: Fields) -> Option<String> {
        if !fields.iter().any(|e| e.key == "in") {
            return Some(String::new());
        }
        let entry = self.get(fields, "in")?;
        self.path(entry, "").map(|path| place::normal(&path))
    }

    fn id(&mut self, entry: &Entry) -> Option<(String, Span)> {
        let id = self.line(entry)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let good = id.len() <= ID_CHARS_MAX
            && id.chars().all(allowed)
            && id.starts_with(|c: char| c.is_ascii_alphanumeric());
        if good {
            return Some((id, entry.node.span));
        }
        let meant = Some(slug(&id, MADE_ID_CHARS_MAX))
            .filter(|s| !s.is_empty())
            .unwrap_or_else(|| "tests".to_owned());
        let message = format!(
            "{} is no id: letters, digits, `-`, `_` and `.`, at most {ID_CHARS_MAX}",
            quoted(&id)
        );
        self.findings
            .error("bad-id", entry.node.span, message, format!("id: {meant}"));
        None
    }

    fn feedback(&mut self, fields: Fields) -> Option<Feedback> {
        const CHOICES: &[(&str, Feedback)] = &[
            ("full", Feedback::Full),
            ("names", Feedback::Names),
            ("verdict", Feedback::Verdict),
            ("none", Feedback::None),
        ];
        let entry = self.get(fields, "feedback")?;
        self.choice(entry, CHOICES)
    }
}

fn plain(kind: CheckKind, role: Role) -> Check {
    Check {
        id: CheckId(String::new()),
        role,
        kind,
        timeout_s: CHECK_TIMEOUT_DEFAULT_S,
        dir: String::new(),
        already: false,
        hidden: None,
        feedback: Feedback::Full,
        runs: RUNS_DEFAULT,
    }
}

/// A name for a check of that list. Those of items have names of their own, so that a check that is added elsewhere
/// while a run is under way does not rename them.
fn made_in(list: &str, kind: &str, about: &str, dir: &str) -> String {
    let made = made(kind, about, dir);
    if list == EACH {
        format!("{EACH}-{made}")
    } else {
        made
    }
}

fn made(kind: &str, about: &str, dir: &str) -> String {
    let words = slug(&format!("{about} {dir}"), MADE_ID_CHARS_MAX);
    if words.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind}-{words}")
    }
}
