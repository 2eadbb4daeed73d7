//! Manifests: owned by key. Dependencies and what a package says of itself belong to the candidate; what runs its
//! tests, measures them or builds them stays the base's.

mod dependencies;
mod doc;
mod keys;
mod pom;

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::finding::{Finding, FindingKind};
use serde_json::Value;

use crate::Tree;
use crate::lines::{finding, first_difference, line_text};
use crate::table::join;
use dependencies::{Declared, declared};
use doc::Doc;
use keys::{Owner, has_rows_below, owner};

/// Kinds of manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// npm's.
    PackageJson,
    /// Python's.
    PyProject,
    /// setuptools' older one.
    SetupCfg,
    /// pip's list.
    Requirements,
    /// Cargo's.
    CargoToml,
    /// Go's.
    GoMod,
    /// Maven's.
    Pom,
}

impl Kind {
    /// The ecosystem's name, the same for all manifests that a lockfile goes with.
    pub(crate) fn ecosystem(self) -> &'static str {
        match self {
            Kind::PackageJson => "npm",
            Kind::PyProject | Kind::SetupCfg | Kind::Requirements => "python",
            Kind::CargoToml => "cargo",
            Kind::GoMod => "go",
            Kind::Pom => "maven",
        }
    }

    /// Extensions of the sources that tools of this kind work on.
    pub(crate) fn sources(self) -> &'static [&'static str] {
        match self {
            Kind::PyProject | Kind::SetupCfg | Kind::Requirements => &[".py"],
            _ => self.splits(),
        }
    }

    /// Extensions of the sources that a manifest of this kind speaks for; a new one among old sources takes them out of
    /// the project that they were in. Empty if it does not.
    pub(crate) fn splits(self) -> &'static [&'static str] {
        match self {
            Kind::PackageJson => &[".js", ".ts", ".mjs", ".cjs", ".tsx", ".jsx"],
            Kind::CargoToml => &[".rs"],
            Kind::GoMod => &[".go"],
            Kind::Pom => &[".java", ".kt"],
            Kind::PyProject | Kind::SetupCfg | Kind::Requirements => &[],
        }
    }
}

/// Scripts that npm runs by itself.
const LIFECYCLE: &[&str] = &[
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "prepack",
    "postpack",
    "dependencies",
];
/// What a new target of Cargo may say without taking anything from others.
const TARGET_KEYS: &[&str] = &["name", "path", "doc", "harness"];

/// What a comparison rests on beside the two texts.
pub(crate) struct Context<'a> {
    /// The base.
    pub(crate) base: &'a dyn Tree,
    /// The folder of the manifest.
    pub(crate) folder: &'a str,
    /// Programs that the checks start.
    pub(crate) programs: &'a BTreeSet<String>,
}

/// What came of comparing two versions of a manifest.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Changes of keys that are the base's.
    pub(crate) findings: Vec<Finding>,
    /// Whether dependencies, or what else a lockfile follows, were changed as they may be.
    pub(crate) dependencies: bool,
    /// The candidate's text with the keys of the findings put back; `None`: only the base's file will do.
    pub(crate) laid: Option<Vec<u8>>,
}

/// Compares two versions of a manifest; no base: it is new.
pub(crate) fn compare(
    kind: Kind,
    path: &str,
    base: Option<&[u8]>,
    candidate: &[u8],
    context: &Context,
) -> Compared {
    if let (Kind::Pom, Some(base)) = (kind, base) {
        return pom::compare(path, base, candidate);
    }
    let old = match base {
        Some(base) => Doc::read(kind, base),
        None => Some(Doc::empty()),
    };
    let (Some(old), Some(new)) = (old, Doc::read(kind, candidate)) else {
        let line = base.and_then(|base| first_difference(base, candidate));
        let detail = "it cannot be read, so all of it stays the base's";
        return Compared {
            findings: vec![finding(path, line, FindingKind::ManifestKey, detail)],
            ..Compared::default()
        };
    };
    let mut differ = Differ {
        kind,
        is_new: base.is_none(),
        new: &new,
        context,
        declared: declared(kind, &old.value),
        offences: Vec::new(),
        dependencies: false,
    };
    differ.diff(&mut Vec::new(), Some(&old.value), Some(&new.value));
    let Differ {
        offences,
        dependencies,
        ..
    } = differ;
    let findings = offences
        .iter()
        .map(|(key, detail)| {
            let line = new.line(key).or_else(|| old.line(key));
            let what = if base.is_none() {
                FindingKind::Steers
            } else {
                FindingKind::ManifestKey
            };
            let shown = key.join(".");
            let detail = if detail.is_empty() {
                shown
            } else {
                format!("{shown}: {detail}")
            };
            finding(path, line, what, detail)
        })
        .collect::<Vec<_>>();
    let keys: Vec<Vec<String>> = offences.into_iter().map(|(key, _)| key).collect();
    let laid = match base {
        Some(base) if !keys.is_empty() => doc::reverted(kind, base, candidate, &keys),
        _ => None,
    };
    Compared {
        findings,
        dependencies,
        laid,
    }
}

struct Differ<'a> {
    kind: Kind,
    is_new: bool,
    new: &'a Doc,
    context: &'a Context<'a>,
    declared: BTreeMap<String, Declared>,
    offences: Vec<(Vec<String>, String)>,
    dependencies: bool,
}

impl Differ<'_> {
    fn diff(&mut self, path: &mut Vec<String>, old: Option<&Value>, new: Option<&Value>) {
        if old == new {
            return;
        }
        let both_maps = old.is_none_or(Value::is_object) && new.is_none_or(Value::is_object);
        if both_maps && has_rows_below(self.kind, path) {
            return self.each(path, old, new);
        }
        match owner(self.kind, path).map_or(Owner::Base, |(owner, _)| owner) {
            Owner::Candidate => self.dependencies |= path.last().is_some_and(|k| k == "version"),
            Owner::BaseOnceThere if self.is_new => {}
            Owner::Dependencies => self.diff_dependencies(path, old, new),
            Owner::Additions => self.diff_additions(path, old, new),
            Owner::Programs => self.diff_programs(path, old, new),
            Owner::Targets => self.diff_targets(path, old, new),
            Owner::Members => self.diff_members(path, old, new),
            Owner::Base | Owner::BaseOnceThere => {
                if old.is_some_and(Value::is_object) && new.is_some_and(Value::is_object) {
                    self.each(path, old, new);
                } else {
                    let detail = match (old, new) {
                        (None, _) => "added".to_owned(),
                        (_, None) => "removed".to_owned(),
                        (Some(old), Some(new)) => format!("{} became {}", short(old), short(new)),
                    };
                    self.offence(path, detail);
                }
            }
        }
    }

    fn each(&mut self, path: &mut Vec<String>, old: Option<&Value>, new: Option<&Value>) {
        for key in keys_of(old).union(&keys_of(new)) {
            path.push(key.clone());
            self.diff(
                path,
                old.and_then(|v| v.get(key)),
                new.and_then(|v| v.get(key)),
            );
            path.pop();
        }
    }

    fn offence(&mut self, path: &[String], detail: impl Into<String>) {
        self.offences.push((path.to_vec(), detail.into()));
    }

    fn diff_dependencies(
        &mut self,
        path: &mut Vec<String>,
        old: Option<&Value>,
        new: Option<&Value>,
    ) {
        self.dependencies = true;
        let (Some(old), Some(new)) = (
            dependencies::entries(self.kind, old),
            dependencies::entries(self.kind, new),
        ) else {
            return self.offence(path, "is no list of dependencies");
        };
        for (name, spec) in new {
            if old.get(&name) == Some(&spec) {
                continue;
            }
            if let Some(why) =
                dependencies::redirected(self.kind, &name, &spec, &self.declared, self.context)
            {
                let in_map = self
                    .new
                    .value
                    .pointer(&pointer(path))
                    .is_some_and(Value::is_object);
                if in_map {
                    let key = dependencies::key_of(self.kind, &name, self.new, path);
                    path.push(key);
                    self.offence(path, why);
                    path.pop();
                } else {
                    self.offence(path, format!("{name}: {why}"));
                }
            }
        }
    }

    fn diff_additions(&mut self, path: &mut Vec<String>, old: Option<&Value>, new: Option<&Value>) {
        if !old.is_none_or(Value::is_object) || !new.is_none_or(Value::is_object) {
            return self.offence(path, "is no map");
        }
        let before = keys_of(old);
        for key in before.union(&keys_of(new)) {
            let (a, b) = (old.and_then(|v| v.get(key)), new.and_then(|v| v.get(key)));
            if a == b {
                continue;
            }
            path.push(key.clone());
            match (a, b) {
                (Some(_), Some(b)) => self.offence(path, format!("became {}", short(b))),
                (Some(_), None) => self.offence(path, "removed"),
                (None, _) => {
                    if let Some(why) = self.forbidden_addition(key, &before) {
                        self.offence(path, why);
                    }
                }
            }
            path.pop();
        }
    }

    fn forbidden_addition(&self, key: &str, before: &BTreeSet<String>) -> Option<String> {
        match self.kind {
            Kind::PackageJson => {
                if LIFECYCLE.contains(&key) {
                    return Some("npm runs it by itself".into());
                }
                ["pre", "post"]
                    .iter()
                    .filter_map(|hook| key.strip_prefix(hook))
                    .find(|script| before.contains(*script))
                    .map(|script| format!("runs with `{script}`"))
            }
            Kind::CargoToml if key == "default" && !self.is_new => {
                Some("turns features on for everything that the base builds".into())
            }
            _ => None,
        }
    }

    fn diff_programs(&mut self, path: &mut Vec<String>, old: Option<&Value>, new: Option<&Value>) {
        let Some(Value::Object(programs)) = new else {
            // One program, named as the package.
            let name = self
                .new
                .value
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            if new.is_some()
                && old.is_none()
                && self
                    .context
                    .programs
                    .contains(name.rsplit('/').next().unwrap_or(name))
            {
                self.offence(path, format!("`{name}` is a program that the checks start"));
            }
            return;
        };
        for name in programs.keys() {
            let started = self.context.programs.contains(name) || self.declared.contains_key(name);
            if started && old.and_then(|o| o.get(name)).is_none() {
                path.push(name.clone());
                self.offence(path, "is a program that the checks start");
                path.pop();
            }
        }
    }

    fn diff_targets(&mut self, path: &[String], old: Option<&Value>, new: Option<&Value>) {
        let (old, new) = (targets(old), targets(new));
        for (name, target) in &old {
            if new.get(name) != Some(target) {
                return self.offence(path, format!("the target {name} was changed"));
            }
        }
        let kind = path.first().cloned().unwrap_or_default();
        for (name, target) in &new {
            if old.contains_key(name) {
                continue;
            }
            let at = |key: &str| target.get(key).and_then(Value::as_str);
            let odd = target.as_object().and_then(|t| {
                t.keys()
                    .find(|k| !TARGET_KEYS.contains(&k.as_str()))
                    .cloned()
            });
            let folder = match kind.as_str() {
                "test" => "tests",
                "bench" => "benches",
                "example" => "examples",
                _ => "src/bin",
            };
            let found_by_cargo = [
                format!("{folder}/{name}.rs"),
                format!("{folder}/{name}/main.rs"),
            ]
            .iter()
            .any(|path| self.context.base.exists(&join(self.context.folder, path)));
            let takes = at("path").is_some_and(|path| {
                crate::scripts::normal(&join(self.context.folder, path))
                    .is_none_or(|path| self.context.base.exists(&path))
            });
            let own_harness = target.get("harness") == Some(&Value::Bool(false)) && kind != "bench";
            if self.is_new {
                continue;
            }
            if let Some(key) = odd {
                return self.offence(path, format!("the new target {name} sets `{key}`"));
            }
            if found_by_cargo || takes || own_harness {
                return self.offence(
                    path,
                    format!("the new target {name} takes the place of what the base builds"),
                );
            }
        }
    }

    fn diff_members(&mut self, path: &[String], old: Option<&Value>, new: Option<&Value>) {
        let list = |value: Option<&Value>| -> BTreeSet<String> {
            value
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|v| v.as_str().map(str::to_owned))
                .collect()
        };
        let (old, new) = (list(old), list(new));
        if let Some(gone) = old.difference(&new).next() {
            return self.offence(path, format!("{gone} was taken out"));
        }
        let old_folder = new.difference(&old).find(|added| {
            added.contains(['*', '?', '['])
                || crate::scripts::normal(&join(self.context.folder, added))
                    .is_none_or(|folder| self.context.base.exists(&folder))
        });
        if let Some(added) = old_folder
            && !self.is_new
        {
            self.offence(path, format!("{added} was added and is no new folder"));
        }
        self.dependencies = true;
    }
}

fn keys_of(value: Option<&Value>) -> BTreeSet<String> {
    value
        .and_then(Value::as_object)
        .map(|map| map.keys().cloned().collect())
        .unwrap_or_default()
}

/// Cargo's targets of one kind by name.
fn targets(value: Option<&Value>) -> BTreeMap<String, Value> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|target| {
            let name = target
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default();
            (name.to_owned(), target.clone())
        })
        .collect()
}

fn pointer(path: &[String]) -> String {
    path.iter()
        .map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1")))
        .collect()
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    line_text(text.as_bytes(), 1)
}

/// Names of what a manifest depends on, in the normal form of its ecosystem.
pub(crate) fn dependency_names(kind: Kind, text: &[u8]) -> BTreeSet<String> {
    Doc::read(kind, text)
        .map(|doc| declared(kind, &doc.value).into_keys().collect())
        .unwrap_or_default()
}
