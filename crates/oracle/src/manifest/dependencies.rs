//! Dependencies as manifests declare them, and which declarations put files of the repository in the place of what a
//! registry would give.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::doc::{Doc, requirement_name};
use super::keys::{Owner, has_rows_below, owner};
use super::{Context, Kind};
use crate::scripts::normal;
use crate::table::join;

/// How large a lockfile may be to be searched for a name, bytes.
const LOCK_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Crates that a dependency of the same name would be taken in the place of.
const RUST_STANDARD: &[&str] = &["std", "core", "alloc", "test", "proc_macro", "proc-macro"];

/// How the base declares a dependency.
pub(crate) type Declared = Value;

/// The dependencies of one list or map by name; `None` if it is neither.
pub(crate) fn entries(kind: Kind, value: Option<&Value>) -> Option<BTreeMap<String, Value>> {
    let python = kind.ecosystem() == "python";
    let list = |items: Vec<Value>| {
        items
            .into_iter()
            .map(|item| {
                let name = item
                    .as_str()
                    .map_or_else(|| item.to_string(), requirement_name);
                (name, item)
            })
            .collect()
    };
    Some(match value {
        None => BTreeMap::new(),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(name, spec)| {
                let name = if python {
                    requirement_name(name)
                } else {
                    name.clone()
                };
                (name, spec.clone())
            })
            .collect(),
        Some(Value::Array(items)) => list(items.clone()),
        Some(Value::String(lines)) => list(
            lines
                .lines()
                .map(str::trim)
                .filter(|l| !l.is_empty() && !l.starts_with('#'))
                .map(|l| Value::String(l.to_owned()))
                .collect(),
        ),
        Some(_) => return None,
    })
}

/// Every dependency that a manifest declares, wherever in it.
pub(crate) fn declared(kind: Kind, value: &Value) -> BTreeMap<String, Declared> {
    let mut all = BTreeMap::new();
    collect(kind, value, &mut Vec::new(), &mut all);
    all
}

fn collect(
    kind: Kind,
    value: &Value,
    path: &mut Vec<String>,
    all: &mut BTreeMap<String, Declared>,
) {
    let found = owner(kind, path);
    if found.is_some_and(|(owner, _)| owner == Owner::Dependencies) {
        all.extend(entries(kind, Some(value)).unwrap_or_default());
        return;
    }
    let Value::Object(map) = value else { return };
    if !has_rows_below(kind, path) {
        return;
    }
    for (key, inner) in map {
        path.push(key.clone());
        collect(kind, inner, path, all);
        path.pop();
    }
}

/// The key as the manifest writes it, where names are compared in a normal form.
pub(crate) fn key_of(kind: Kind, name: &str, doc: &Doc, path: &[String]) -> String {
    let mut at = &doc.value;
    for part in path {
        match at.get(part) {
            Some(inner) => at = inner,
            None => return name.to_owned(),
        }
    }
    at.as_object()
        .into_iter()
        .flat_map(|map| map.keys())
        .find(|key| *key == name || kind.ecosystem() == "python" && requirement_name(key) == name)
        .cloned()
        .unwrap_or_else(|| name.to_owned())
}

/// Why a new or changed declaration is not for the candidate to make; `None` if it is.
pub(crate) fn redirected(
    kind: Kind,
    name: &str,
    spec: &Value,
    declared: &BTreeMap<String, Declared>,
    context: &Context,
) -> Option<String> {
    if kind == Kind::CargoToml && RUST_STANDARD.contains(&name) {
        return Some("takes the place of a crate of the standard library".into());
    }
    let target = target(spec)?;
    if let Some(old) = declared.get(name) {
        let same = self::target(old).as_ref() == Some(&target);
        return (!same).then(|| {
            format!(
                "would come from {} and no longer from its registry",
                target.shown()
            )
        });
    }
    match &target {
        Target::Workspace => None,
        Target::Alias(_) => locked(kind, name, context)
            .then(|| "takes the place of a package that the base's lockfile holds".into()),
        Target::Path(place) => {
            let place = place
                .trim_start_matches("file:")
                .trim_start_matches("link:")
                .trim_start_matches("portal:");
            let Some(folder) = normal(&join(context.folder, place)) else {
                return Some(format!(
                    "would come from {place}, outside of the repository"
                ));
            };
            let ours = [
                "package.json",
                "Cargo.toml",
                "pyproject.toml",
                "setup.py",
                "setup.cfg",
            ]
            .iter()
            .any(|file| context.base.exists(&join(&folder, file)));
            (!ours && locked(kind, name, context)).then(|| {
                format!("takes the place of a package that the base's lockfile holds, from {place}")
            })
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// Files: of the repository, or of the machine.
    Path(String),
    /// A package under another name.
    Alias(String),
    /// A member of the same workspace.
    Workspace,
}

impl Target {
    fn shown(&self) -> &str {
        match self {
            Target::Path(path) => path,
            Target::Alias(name) => name,
            Target::Workspace => "the workspace",
        }
    }
}

fn target(spec: &Value) -> Option<Target> {
    match spec {
        Value::String(text) => text_target(text),
        Value::Object(map) => {
            let text = |key: &str| map.get(key).and_then(Value::as_str);
            let local = |text: &&str| text.starts_with(['.', '/']) || text.starts_with("file:");
            text("path")
                .or_else(|| text("file"))
                .or_else(|| text("git").filter(local))
                .or_else(|| text("url").filter(local))
                .map(|path| Target::Path(path.to_owned()))
                .or_else(|| text("package").map(|name| Target::Alias(name.to_owned())))
        }
        Value::Array(all) => all.iter().find_map(target),
        _ => None,
    }
}

fn text_target(text: &str) -> Option<Target> {
    let text = text.trim();
    if text.starts_with("workspace:") {
        return Some(Target::Workspace);
    }
    if let Some(alias) = text.strip_prefix("npm:") {
        return Some(Target::Alias(alias.to_owned()));
    }
    let place = match text.split_once('@') {
        Some((name, place)) if !name.is_empty() && !name.contains(['/', ':']) => place.trim(),
        _ => text,
    };
    let local = place.starts_with(['.', '/'])
        || ["file:", "link:", "portal:", "{root", "git+file:", "~/"]
            .iter()
            .any(|start| place.starts_with(start));
    local.then(|| Target::Path(place.to_owned()))
}

/// Whether a lockfile of the base holds a package of that name.
fn locked(kind: Kind, name: &str, context: &Context) -> bool {
    let files: &[&str] = match kind.ecosystem() {
        "npm" => &[
            "package-lock.json",
            "npm-shrinkwrap.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "bun.lock",
        ],
        "python" => &["poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock"],
        "cargo" => &["Cargo.lock"],
        _ => &[],
    };
    let needles = [
        format!("node_modules/{name}\""),
        format!("\"{name}\""),
        format!("\n{name}@"),
        format!("\n\"{name}@"),
        format!("/{name}@"),
        format!(" {name}@"),
    ];
    let mut folders = BTreeSet::from([""]);
    folders.insert(context.folder);
    folders.iter().any(|folder| {
        files.iter().any(|file| {
            context
                .base
                .read(&join(folder, file), LOCK_BYTES_MAX)
                .is_some_and(|text| {
                    let text = String::from_utf8_lossy(&text);
                    needles.iter().any(|needle| text.contains(needle))
                })
        })
    })
}
