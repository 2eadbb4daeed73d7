//! What a check observes: the kinds of this version with the keys that go with each, and the kinds that are only named
//! yet.

use super::super::diagnostic::quoted;
use super::super::position::Span;
use super::super::words::{one_of, shown};
use super::super::yaml::{Entry, Node, Value};
use super::super::{Aim, Better, CheckKind, FileIs, Format, Read, Role};
use super::place;
use super::reader::{Fields, Reader, meant};

/// What a metric without `read` reads: its command's output is one number, a percent sign allowed.
pub(in crate::goal) const OUTPUT_IS_A_NUMBER: &str =
    r"\A\s*([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*%?\s*\z";

pub(super) const COMMON: &[&str] = &["id", "timeout", "in", "already", "hidden", "feedback"];
/// Most faults that one `mutation` check may ask for.
const SAMPLE_MAX: u64 = 10_000;
const AIMS: &[&str] = &["at_least", "at_most", "equals", "no_worse"];

/// The kinds of this version with the keys that go with them.
const KINDS: &[(&str, &[&str])] = &[
    ("run", &[]),
    ("tests", &["report", "must_pass", "proves", "runs"]),
    (
        "metric",
        &["read", "at_least", "at_most", "equals", "no_worse"],
    ),
    ("diff", &[]),
    ("file", &["exists", "contains", "matches"]),
    ("mutation", &["paths", "at_least", "sample"]),
];

/// Kinds that are named already; what goes with them is kept as it is.
const LATER_KINDS: &[&str] = &["page", "http", "query", "review", "person", "docs"];

const FORMATS: &[(&str, Format)] = &[
    ("istanbul", Format::Istanbul),
    ("lcov", Format::Lcov),
    ("cobertura", Format::Cobertura),
    ("coverage_py", Format::CoveragePy),
    ("llvm-cov", Format::LlvmCov),
    ("jacoco", Format::Jacoco),
    ("go-cover", Format::GoCover),
    ("clover", Format::Clover),
    ("nyc-text", Format::NycText),
    ("json", Format::Json),
    ("regex", Format::Regex),
];

const COVERAGE_VALUES: &[(&str, &str)] = &[
    ("branches", "branches"),
    ("lines", "lines"),
    ("functions", "functions"),
    ("statements", "statements"),
];
const LINE_VALUES: &[(&str, &str)] = &[
    ("branches", "branches"),
    ("lines", "lines"),
    ("functions", "functions"),
];
const COVERAGE_PY_VALUES: &[(&str, &str)] = &[
    ("branches", "branches"),
    ("lines", "lines"),
    ("statements", "statements"),
    ("percent_covered", "percent_covered"),
];
const LLVM_COV_VALUES: &[(&str, &str)] = &[
    ("lines", "lines"),
    ("branches", "branches"),
    ("functions", "functions"),
    ("regions", "regions"),
];
const JACOCO_VALUES: &[(&str, &str)] = &[
    ("lines", "lines"),
    ("branches", "branches"),
    ("functions", "functions"),
    ("instructions", "instructions"),
];
const GO_COVER_VALUES: &[(&str, &str)] = &[("statements", "statements")];
const CLOVER_VALUES: &[(&str, &str)] = &[
    ("lines", "lines"),
    ("branches", "branches"),
    ("functions", "functions"),
    ("statements", "statements"),
    ("elements", "elements"),
];

impl Reader<'_> {
    /// The one key that says what is observed.
    pub fn kind<'n>(&mut self, fields: Fields<'n>, node: &Node, list: &str) -> Option<&'n Entry> {
        let all = || {
            KINDS
                .iter()
                .map(|(kind, _)| *kind)
                .chain(LATER_KINDS.iter().copied())
        };
        let mut kinds = fields.iter().filter(|e| all().any(|kind| kind == e.key));
        let (first, second) = (kinds.next(), kinds.next());
        match (first, second) {
            (Some(first), Some(second)) => {
                let message = format!(
                    "one check observes one thing, and this entry has `{}` and `{}`",
                    first.key, second.key
                );
                self.findings.error(
                    "two-kinds",
                    second.key_span,
                    message,
                    "make it two entries, each with its own `- `",
                );
                None
            }
            (Some(first), None) => Some(first),
            (None, _) => {
                let kinds_known: Vec<&str> = all().collect();
                let span = fields.first().map_or(node.span, |e| e.key_span);
                let belongs = fields
                    .iter()
                    .find_map(|e| owner(&e.key).map(|kind| (e.key.as_str(), kind)));
                let spaced = fields.iter().find(|e| e.key.contains(' '));
                let meant = fields
                    .iter()
                    .filter(|e| !COMMON.contains(&e.key.as_str()))
                    .find_map(|e| meant(&e.key, &kinds_known).map(|kind| (e, kind)));
                let (span, help) = match (spaced, meant, belongs) {
                    (Some(entry), _, _) => (
                        entry.key_span,
                        format!(
                            "if this is one command, quote it, because it contains `: `: - \"{}: …\"",
                            shown(&entry.key)
                        ),
                    ),
                    (None, Some((entry, kind)), _) => {
                        (entry.key_span, format!("did you mean `{kind}`?"))
                    }
                    (None, None, Some((key, kind))) => {
                        (span, format!("`{key}` goes with `{kind}`: add `{kind}: …`"))
                    }
                    (None, None, None) => (
                        span,
                        format!(
                            "add one of {}: - run: npm test",
                            all().collect::<Vec<_>>().join(", ")
                        ),
                    ),
                };
                self.findings.error(
                    "no-kind",
                    span,
                    format!("this entry of `{list}` does not say what is observed"),
                    help,
                );
                None
            }
        }
    }

    /// The kind with all that goes with it, and what its name is made from.
    pub fn kind_of(
        &mut self,
        fields: Fields,
        key: &Entry,
        role: Role,
        dir: &str,
    ) -> Option<(CheckKind, String)> {
        let Some((kind, own)) = KINDS.iter().find(|(kind, _)| *kind == key.key) else {
            return self.later_kind(fields, key);
        };
        self.known_in_check(fields, kind, own);
        match *kind {
            "run" => {
                let command = self.get(fields, kind).and_then(|e| self.command(e))?;
                Some((
                    CheckKind::Run {
                        command: command.clone(),
                    },
                    command,
                ))
            }
            "tests" => self.tests(fields, role, dir),
            "metric" => self.metric(fields, dir),
            "diff" => self.diff(fields),
            "file" => self.file(fields, dir),
            "mutation" => self.mutation(fields),
            _ => None,
        }
    }

    fn known_in_check(&mut self, fields: Fields, kind: &str, own: &[&str]) {
        let known: Vec<&str> = std::iter::once(kind)
            .chain(own.iter().copied())
            .chain(COMMON.iter().copied())
            .collect();
        for entry in fields.iter().filter(|e| !known.contains(&e.key.as_str())) {
            match owner(&entry.key) {
                Some(other) => {
                    let message = format!(
                        "`{}` goes with `{other}`, and this check is a `{kind}`",
                        entry.key
                    );
                    self.findings.error(
                        "misplaced-key",
                        entry.key_span,
                        message,
                        format!("write `{other}: …` instead of `{kind}: …`, or remove it"),
                    );
                }
                None => self.unknown(entry, &format!("a `{kind}` check"), &known),
            }
        }
    }

    fn tests(&mut self, fields: Fields, role: Role, dir: &str) -> Option<(CheckKind, String)> {
        let command = self.get(fields, "tests").and_then(|e| self.command(e));
        let report = self.get(fields, "report").map(|e| self.path(e, dir));
        let must_pass = self
            .get(fields, "must_pass")
            .and_then(|e| self.names(e))
            .unwrap_or_default();
        let proves = self
            .get(fields, "proves")
            .map(|e| (e.key_span, self.choice(e, &[("change", ())])));
        if let (Role::Keep, Some((span, _))) = (role, proves) {
            self.findings.error(
                "contradiction",
                span,
                "`proves: change` asks that tests fail on the base, and `keep` that they pass there",
                "move the check to `done`, or remove `proves`",
            );
        }
        let command = command?;
        let kind = CheckKind::Tests {
            command: command.clone(),
            report: report.flatten(),
            must_pass,
            proves_change: matches!(proves, Some((_, Some(())))),
        };
        Some((kind, command))
    }

    fn metric(&mut self, fields: Fields, dir: &str) -> Option<(CheckKind, String)> {
        let key_span = fields
            .iter()
            .find(|e| e.key == "metric")
            .map_or(Span::empty(0), |e| e.key_span);
        let command = self.get(fields, "metric").and_then(|e| self.command(e));
        let read = match fields.iter().any(|e| e.key == "read") {
            true => self.get(fields, "read").and_then(|e| self.read(e, dir)),
            false => Some(Read {
                format: Format::Regex,
                file: None,
                value: OUTPUT_IS_A_NUMBER.to_owned(),
            }),
        };
        let aim = self.aim(fields, "metric", AIMS, key_span);
        let command = command?;
        Some((
            CheckKind::Metric {
                command: command.clone(),
                read: read?,
                target: aim?,
            },
            command,
        ))
    }

    /// The one target among `aims`.
    fn aim(&mut self, fields: Fields, kind: &str, aims: &[&str], span: Span) -> Option<Aim> {
        let mut given = fields.iter().filter(|e| aims.contains(&e.key.as_str()));
        let (Some(first), second) = (given.next(), given.next()) else {
            let message = format!("this `{kind}` has no target: any number would do");
            self.findings.error(
                "no-target",
                span,
                message,
                format!("add one of {}: at_least: 80", one_of(aims)),
            );
            return None;
        };
        if let Some(second) = second {
            let message = format!(
                "one check has one target, and this entry has `{}` and `{}`",
                first.key, second.key
            );
            self.findings.error(
                "two-targets",
                second.key_span,
                message,
                "make it two entries with the same command: it runs once for both",
            );
            return None;
        }
        let entry = self.get(fields, &first.key)?;
        match entry.key.as_str() {
            "at_least" => self.number(entry).map(Aim::AtLeast),
            "at_most" => self.number(entry).map(Aim::AtMost),
            "equals" => self.number(entry).map(Aim::Equals),
            _ => self.no_worse(entry).map(Aim::NoWorse),
        }
    }

    fn no_worse(&mut self, entry: &Entry) -> Option<Better> {
        match &entry.node.value {
            Value::Bool(true) => Some(Better::Higher),
            Value::Text(text) if text == "higher" => Some(Better::Higher),
            Value::Text(text) if text == "lower" => Some(Better::Lower),
            _ => {
                let message = format!(
                    "`no_worse` says which direction is better, found {}",
                    entry.node.described()
                );
                self.findings.error(
                    "bad-choice",
                    entry.node.span,
                    message,
                    "no_worse: higher (or true), or no_worse: lower",
                );
                None
            }
        }
    }

    fn read(&mut self, entry: &Entry, dir: &str) -> Option<Read> {
        const EXAMPLE: &str =
            "read: {format: istanbul, file: coverage/coverage-summary.json, value: branches}";
        let fields = self.fields(&entry.node, "read", EXAMPLE)?;
        self.known(fields, "`read`", &["format", "file", "value"]);
        let format_entry = self.get(fields, "format");
        let format =
            format_entry.and_then(|e| spelled_otherwise(e).or_else(|| self.choice(e, FORMATS)));
        let file = self.get(fields, "file").map(|e| self.path(e, dir));
        let value_entry = self.get(fields, "value");
        for (key, found) in [("format", format_entry), ("value", value_entry)] {
            if found.is_none() && !fields.iter().any(|e| e.key == key) {
                self.findings.error(
                    "missing-key",
                    entry.key_span,
                    format!("`read` needs `{key}`"),
                    EXAMPLE,
                );
            }
        }
        let value = match format? {
            Format::Istanbul | Format::NycText => {
                self.choice(value_entry?, COVERAGE_VALUES)?.to_owned()
            }
            Format::Lcov | Format::Cobertura => self.choice(value_entry?, LINE_VALUES)?.to_owned(),
            Format::CoveragePy => self.choice(value_entry?, COVERAGE_PY_VALUES)?.to_owned(),
            Format::LlvmCov => self.choice(value_entry?, LLVM_COV_VALUES)?.to_owned(),
            Format::Jacoco => self.choice(value_entry?, JACOCO_VALUES)?.to_owned(),
            Format::GoCover => self.choice(value_entry?, GO_COVER_VALUES)?.to_owned(),
            Format::Clover => self.choice(value_entry?, CLOVER_VALUES)?.to_owned(),
            Format::Json => self.pointer(value_entry?)?,
            Format::Regex => self.regex(value_entry?, 1)?,
        };
        Some(Read {
            format: format?,
            file: file.map_or(Some(None), |f| f.map(Some))?,
            value,
        })
    }

    fn pointer(&mut self, entry: &Entry) -> Option<String> {
        // The empty pointer is the whole document, and a quoted empty text is how it is written.
        if entry.node.value == Value::Text(String::new()) {
            return Some(String::new());
        }
        let text = self.line(entry)?;
        match place::pointer(&text) {
            Ok(()) => Some(text),
            Err(rule) => {
                let meant = place::as_pointer(&text);
                let message = format!("{} is not a JSON pointer: one {rule}", quoted(&text));
                self.findings.error(
                    "bad-pointer",
                    entry.node.span,
                    message,
                    format!("value: {}", shown(&meant)),
                );
                None
            }
        }
    }

    fn diff(&mut self, fields: Fields) -> Option<(CheckKind, String)> {
        const EXAMPLE: &str = "diff: {allow: [\"src/**\"], forbid: [\"**/*.snap\"]}";
        let entry = self.get(fields, "diff")?;
        let inner = self.fields(&entry.node, "diff", EXAMPLE)?;
        self.known(inner, "`diff`", &["allow", "forbid"]);
        let allow = self
            .get(inner, "allow")
            .and_then(|e| self.globs(e))
            .unwrap_or_default();
        let forbid = self
            .get(inner, "forbid")
            .and_then(|e| self.globs(e))
            .unwrap_or_default();
        if allow.is_empty() && forbid.is_empty() {
            self.findings.error(
                "empty-value",
                entry.key_span,
                "`diff` allows and forbids nothing: it could not fail",
                EXAMPLE,
            );
            return None;
        }
        let about = allow
            .first()
            .or(forbid.first())
            .cloned()
            .unwrap_or_default();
        Some((CheckKind::Diff { allow, forbid }, about))
    }

    fn file(&mut self, fields: Fields, dir: &str) -> Option<(CheckKind, String)> {
        const CONDITIONS: &[&str] = &["exists", "contains", "matches"];
        let path = self.get(fields, "file").and_then(|e| self.path(e, dir));
        let mut given = fields
            .iter()
            .filter(|e| CONDITIONS.contains(&e.key.as_str()));
        let (first, second) = (given.next(), given.next());
        if let (Some(first), Some(second)) = (first, second) {
            let message = format!(
                "one check holds one condition, and this entry has `{}` and `{}`",
                first.key, second.key
            );
            self.findings.error(
                "two-conditions",
                second.key_span,
                message,
                "make it two entries for the same file",
            );
            return None;
        }
        let is = match first.map(|e| e.key.as_str()) {
            None => FileIs::There(true),
            Some("exists") => FileIs::There(self.get(fields, "exists").and_then(|e| self.flag(e))?),
            Some("contains") => {
                FileIs::Containing(self.get(fields, "contains").and_then(|e| self.text(e))?)
            }
            Some(_) => {
                FileIs::Matching(self.get(fields, "matches").and_then(|e| self.regex(e, 0))?)
            }
        };
        let path = path?;
        Some((
            CheckKind::File {
                path: path.clone(),
                is,
            },
            path,
        ))
    }

    fn mutation(&mut self, fields: Fields) -> Option<(CheckKind, String)> {
        let command = self.get(fields, "mutation").and_then(|e| self.command(e));
        let paths = self.get(fields, "paths").and_then(|e| self.globs(e));
        let key_span = fields
            .iter()
            .find(|e| e.key == "mutation")
            .map_or(Span::empty(0), |e| e.key_span);
        let target = self.aim(fields, "mutation", &["at_least"], key_span);
        let sample = self
            .get(fields, "sample")
            .and_then(|e| self.count(e, SAMPLE_MAX))
            .and_then(|n| u32::try_from(n).ok());
        let command = command?;
        if let Some(Aim::AtLeast(share)) = target
            && !(share > 0.0 && share <= 100.0)
        {
            self.findings.error(
                "bad-number",
                key_span,
                "the share of noticed faults is a percentage above 0",
                "at_least: 60",
            );
            return None;
        }
        Some((
            CheckKind::Mutation {
                command: command.clone(),
                paths: paths.unwrap_or_default(),
                target: target?,
                sample,
            },
            command,
        ))
    }

    /// A kind that is only named yet: its own key and all that goes with it, as the goal says it.
    fn later_kind(&mut self, fields: Fields, key: &Entry) -> Option<(CheckKind, String)> {
        self.get(fields, &key.key)?;
        if key.key == "query" {
            let targets = &AIMS[..3];
            self.aim(fields, "query", targets, key.key_span)?;
        }
        let spec = fields
            .iter()
            .filter(|e| !COMMON.contains(&e.key.as_str()))
            .map(|e| (e.key.clone(), e.node.json()))
            .collect();
        let about = match &key.node.value {
            Value::Text(text) => text.clone(),
            _ => String::new(),
        };
        Some((
            CheckKind::Later {
                kind: key.key.clone(),
                spec: serde_json::Value::Object(spec),
            },
            about,
        ))
    }
}

/// A format's name with `_` for `-` or the other way round: which of the two a tool's name has is easily mistaken.
fn spelled_otherwise(entry: &Entry) -> Option<Format> {
    let Value::Text(text) = &entry.node.value else {
        return None;
    };
    let text = text.replace('_', "-");
    let same = |(name, _): &&(&str, Format)| name.replace('_', "-") == text;
    FORMATS.iter().find(same).map(|(_, format)| *format)
}

/// The kind that a key goes with.
fn owner(key: &str) -> Option<&'static str> {
    KINDS
        .iter()
        .find(|(_, own)| own.contains(&key))
        .map(|(kind, _)| *kind)
}
