//! How two versions of a goal differ, what of it may change while a run is under way, and which verdicts outlive it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Check, CheckKind, Goal};
use crate::ids::CheckId;
use crate::judge::{clip, plain};

/// How much of a value a change shows, bytes.
const VALUE_BYTES_MAX: usize = 240;
/// How many changes one edit lists.
pub const CHANGES_MAX: usize = 100;

/// One difference between two versions of a goal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Which key: `stop.tokens`, `done.unit` for the check of that name.
    pub key: String,
    /// What it was; `None` if it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What it is; `None` if it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
}

impl Change {
    /// In one line, for people and for the model.
    pub fn line(&self) -> String {
        match (&self.was, &self.is) {
            (Some(was), Some(is)) => format!("{}: {was} → {is}", self.key),
            (None, Some(is)) => format!("{}: new, {is}", self.key),
            (Some(was), None) => format!("{}: gone, it was {was}", self.key),
            (None, None) => self.key.clone(),
        }
    }
}

/// The differences between two versions, by key. The prose is not compared: nothing here holds it.
pub fn between(old: &Goal, new: &Goal) -> Vec<Change> {
    let (old, new) = (values(old), values(new));
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differ = keys
        .into_iter()
        .filter(|key| old.get(*key) != new.get(*key));
    let shown = |key: &str, value: Option<&Value>| {
        value.map(|v| {
            let text = match (key, v) {
                // An address may be a secret, and the model reads this.
                ("notify", Value::Array(channels)) => {
                    let names = channels.iter().filter_map(|c| c.get("by")?.as_str());
                    format!("[{}]", names.collect::<Vec<_>>().join(", "))
                }
                (_, Value::String(text)) => text.clone(),
                _ => v.to_string(),
            };
            clip(&plain(&text).replace('\n', " "), VALUE_BYTES_MAX)
        })
    };
    differ
        .take(CHANGES_MAX)
        .map(|key| Change {
            key: key.clone(),
            was: shown(key, old.get(key)),
            is: shown(key, new.get(key)),
        })
        .collect()
}

/// Every value of a goal but the prose, by key.
fn values(goal: &Goal) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    // Our own types: string keys, no failing serialiser. If it failed, nothing would differ, and nothing be changed.
    let whole = serde_json::to_value(goal).unwrap_or_default();
    for (key, value) in whole.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("done" | "brief", _) => {}
            ("keep" | "use" | "next" | "stop", Value::Object(fields)) => {
                let fields = fields.iter().filter(|(name, _)| *name != "checks");
                all.extend(
                    fields
                        .filter(|(_, value)| !value.is_null())
                        .map(|(name, value)| (format!("{key}.{name}"), value.clone())),
                );
            }
            (_, Value::Null) => {}
            _ => {
                all.insert(key.clone(), value.clone());
            }
        }
    }
    for (list, checks) in [("done", &goal.done), ("keep.checks", &goal.keep.checks)] {
        for check in checks {
            let mut value = serde_json::to_value(check).unwrap_or_default();
            if let Value::Object(fields) = &mut value {
                fields.remove("id");
                fields.remove("role");
            }
            all.insert(format!("{list}.{}", check.id), value);
        }
    }
    all
}

/// Keys that a run cannot change, and why.
const FIXED: [(&str, &str); 7] = [
    (
        "use.setup",
        "the setup ran before any code of the agent existed, and everything since rests on what it made",
    ),
    (
        "use.files",
        "they were copied into the workspace when it was made",
    ),
    (
        "use.model",
        "a run keeps its model, and its transcript is that model's",
    ),
    (
        "use.mcp",
        "what the servers offer was fixed when the run began",
    ),
    (
        "deliver",
        "where the result goes was settled when the run began",
    ),
    ("items", "a worklist is closed when a run begins"),
    (
        "categories",
        "they belong to the worklist, which is closed when a run begins",
    ),
];

/// Why a run under way cannot take the new version over, if it cannot.
pub fn refusal(old: &Goal, new: &Goal) -> Option<String> {
    let (was, is) = (values(old), values(new));
    let fixed = FIXED.iter().find(|(key, _)| was.get(*key) != is.get(*key));
    if let Some((key, why)) = fixed {
        return Some(format!(
            "`{key}` cannot be changed while a run is under way: {why}. Leave it, or begin a new run"
        ));
    }
    let hidden = |goal: &Goal| -> BTreeMap<CheckId, String> {
        let named = |check: &Check| Some((check.id.clone(), check.hidden.clone()?));
        goal.checks().filter_map(named).collect()
    };
    (hidden(old) != hidden(new)).then(|| {
        "what is `hidden` cannot be changed while a run is under way: the agent may have read it by now. Leave it, \
         or begin a new run"
            .to_owned()
    })
}

/// The checks whose results on the base stand: they ask the same of the same thing under the same conditions.
pub fn kept(old: &Goal, new: &Goal) -> BTreeSet<CheckId> {
    if old.uses.network != new.uses.network {
        return BTreeSet::new();
    }
    let same = |check: &&Check| {
        old.check(&check.id).is_some_and(|before| {
            before.role == check.role
                && before.kind == check.kind
                && before.dir == check.dir
                && before.hidden == check.hidden
                && before.runs == check.runs
                && sharing(old, check) == sharing(new, check)
        })
    };
    new.checks().filter(same).map(|c| c.id.clone()).collect()
}

/// The numbers that are read from one execution with this check's: where a number stands among them counts.
fn sharing<'g>(goal: &'g Goal, check: &Check) -> Vec<&'g CheckKind> {
    let CheckKind::Metric { command, .. } = &check.kind else {
        return Vec::new();
    };
    goal.checks()
        .filter(|other| other.dir == check.dir && other.hidden == check.hidden)
        .map(|other| &other.kind)
        .filter(|kind| matches!(kind, CheckKind::Metric { command: c, .. } if c == command))
        .collect()
}

/// Whether verdicts on the candidate stand: what may be changed, and what belongs to the oracle, is as before.
pub fn same_ground(old: &Goal, new: &Goal) -> bool {
    old.keep.paths == new.keep.paths
        && old.keep.oracle == new.keep.oracle
        && old.uses.paths == new.uses.paths
        && old.uses.oracle == new.uses.oracle
        && old.uses.network == new.uses.network
}
