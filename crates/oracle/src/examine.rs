//! The comparison itself: every changed path is looked at once, by what it is.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use overnight_core::finding::{Finding, FindingKind};
use overnight_core::goal::globs::Globs;
use overnight_core::goal::{CheckKind, Goal};
use overnight_core::repo::{Changed, How};

use crate::licence::Licence;
use crate::lines::{finding, first_difference, line_text};
use crate::lockfile;
use crate::manifest::{self, Kind};
use crate::place::{Place, Places, is_snapshot, readable};
use crate::scripts::{Scripts, normal};
use crate::shadow::Shadows;
use crate::syntax::{self, Language};
use crate::table::{Class, class, folder_of, join, name_of, speaks_for};
use crate::{
    Comparison, Content, Examined, FINDINGS_MAX, PARSED_BYTES_MAX, Patch, makefile, snapshot,
};

/// How much of a path without readable content is read to tell a large file from a submodule, bytes.
const LARGE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Shortest name of a report that is looked for in new code, bytes; shorter ones mean nothing.
const REPORT_NAME_BYTES_MIN: usize = 6;
/// How a finding begins that says that code asks whether it runs in CI.
const CI_ASKED: &str = "CI in the environment";
/// Most new lines of an ignore file that are looked at.
const IGNORE_LINES_MAX: usize = 500;
/// Hooks in a `conftest.py` that act on the files beside it only.
const LOCAL_HOOKS: &[&str] = &["pytest_generate_tests"];
/// Extensions of code in languages that are not parsed, in which comments can exclude lines from coverage all the same.
const OTHER_CODE: &[&str] = &[
    "sh", "bash", "rb", "kt", "kts", "scala", "groovy", "c", "h", "cc", "cpp", "cxx", "hpp", "cs",
    "php", "vue", "svelte", "pl", "lua", "swift", "m", "ex", "exs", "dart", "coffee", "jl", "r",
];

/// Compares a candidate with the base.
pub fn examine(comparison: &Comparison) -> Examined {
    let places = Places::new(comparison.base, comparison.candidate);
    let scripts = Scripts::find(comparison.goal, &places);
    let licence = Licence::new(comparison.goal, &places);
    let reports = reports(comparison.goal);
    let mut examiner = Examiner {
        shadows: Shadows::new(&places, &scripts),
        places: &places,
        scripts: &scripts,
        licence: &licence,
        reports: reports.iter().map(String::as_str).collect(),
        offences: BTreeSet::new(),
        notes: BTreeSet::new(),
        laid: BTreeMap::new(),
        strict: BTreeMap::new(),
        reverse: BTreeMap::new(),
        relocked: Vec::new(),
        deleted_tests: Vec::new(),
        renamed_away: Vec::new(),
        licensed_texts: Vec::new(),
        new_helpers: Vec::new(),
    };
    for pattern in &licence.unread {
        examiner.offend(finding(
            pattern,
            None,
            FindingKind::OracleChanged,
            "the goal's pattern cannot be read",
        ));
    }
    let (lockfiles, others): (Vec<&Changed>, Vec<&Changed>) = comparison
        .changes
        .iter()
        .partition(|c| matches!(class(&readable(&c.path)), Some(Class::Lockfile(_))));
    for change in others {
        examiner.look(change);
    }
    for change in lockfiles {
        examiner.look(change);
    }
    examiner.finish(comparison.changes)
}

/// Names of the reports that checks read.
fn reports(goal: &Goal) -> BTreeSet<String> {
    goal.checks()
        .filter_map(|check| match &check.kind {
            CheckKind::Tests { report, .. } => report.as_deref(),
            CheckKind::Metric { read, .. } => read.file.as_deref(),
            _ => None,
        })
        .map(|file| name_of(file).to_owned())
        .filter(|name| name.len() >= REPORT_NAME_BYTES_MIN)
        .collect()
}

/// One changed path with both contents.
struct Change<'a> {
    path: &'a str,
    how: How,
    base: Option<Vec<u8>>,
    candidate: Option<Vec<u8>>,
}

impl Change<'_> {
    fn line(&self) -> Option<u32> {
        match (&self.base, &self.candidate) {
            (Some(base), Some(candidate)) => first_difference(base, candidate),
            _ => None,
        }
    }

    /// What happened to a file that is compared as a whole.
    fn detail(&self, what: &str) -> String {
        match (self.how, &self.base, &self.candidate) {
            (How::Deleted, ..) => format!("{what} deleted"),
            (How::Added, ..) => format!("{what} added"),
            (_, Some(base), Some(candidate)) if base == candidate => {
                format!("the mode of this {what} was changed")
            }
            (_, _, Some(candidate)) => self
                .line()
                .map(|line| line_text(candidate, line))
                .filter(|text| !text.is_empty())
                .unwrap_or_else(|| what.to_owned()),
            (_, _, None) => format!("{what} is no plain file any more"),
        }
    }
}

struct Examiner<'a> {
    places: &'a Places<'a>,
    scripts: &'a Scripts,
    licence: &'a Licence,
    shadows: Shadows<'a>,
    reports: Vec<&'a str>,
    offences: BTreeSet<Finding>,
    notes: BTreeSet<Finding>,
    laid: BTreeMap<String, Content>,
    strict: BTreeMap<String, Content>,
    /// What puts the implementation back to the base's, the tests in it left as they are.
    reverse: BTreeMap<String, Content>,
    /// Ecosystems and folders in which a manifest's dependencies were changed as they may be.
    relocked: Vec<(&'static str, String)>,
    /// Notes of tests that are gone under a licence, with what they did: they may have moved.
    deleted_tests: Vec<(Finding, Vec<u8>)>,
    /// Tests inside implementation files that are gone as a whole, with what they did: the file may have another name.
    renamed_away: Vec<(Finding, Vec<u8>)>,
    /// Licensed test files as they are now: what they need stays in the strict tree.
    licensed_texts: Vec<(String, Vec<u8>)>,
    /// New files beside tests that hold no tests.
    new_helpers: Vec<String>,
}

impl<'a> Examiner<'a> {
    fn offend(&mut self, finding: Finding) {
        keep(&mut self.offences, finding);
    }

    fn note(&mut self, finding: Finding) {
        keep(&mut self.notes, finding);
    }

    /// Nothing licenses the change: it is an offence, and the base's file is laid over it.
    fn undo(&mut self, finding: Finding) {
        self.laid.insert(finding.path.clone(), Content::Base);
        self.offend(finding);
    }

    /// One path. The order of the questions matters: what it is now, whether it may be changed, what it was.
    fn look(&mut self, changed: &Changed) {
        let name = readable(&changed.path);
        let name: &str = &name;
        if name.split('/').any(is_git_folder) {
            return self.undo(finding(
                &changed.path,
                None,
                FindingKind::Steers,
                "a repository inside the repository",
            ));
        }
        let change = self.read(changed);
        let class = self.class(name);
        let place = self.places.place(
            &changed.path,
            change.base.as_deref(),
            change.candidate.as_deref(),
        );
        let is_script = self.scripts.files.contains(name) && !self.licence.names(name);
        let kept = self.licence.keeps(&changed.path);
        let licensed = self.licence.allows(&changed.path);
        let of_oracle = class.is_some() || is_script || kept || place != Place::Implementation;
        if let Some(target) = &changed.link {
            return self.look_at_link(&change, target, of_oracle, licensed);
        }
        if self.is_submodule(changed, &change) {
            let kind = if of_oracle {
                FindingKind::OracleChanged
            } else {
                FindingKind::Steers
            };
            return self.undo(finding(
                &changed.path,
                None,
                kind,
                "is a submodule, or nothing that can be read",
            ));
        }
        if change.how == How::Added
            && self.places.base.exists(&changed.path)
            && !licensed
            && self.places.base_has_tests_below(name)
        {
            return self.undo(finding(
                &changed.path,
                None,
                FindingKind::OracleChanged,
                "a file takes the place of a folder of tests",
            ));
        }
        if kept && !(change.how == How::Added && matches!(place, Place::TestCode(_))) {
            return self.whole(
                &change,
                "file that the goal keeps",
                FindingKind::OracleChanged,
            );
        }
        match class {
            Some(Class::Manifest(kind)) => self.look_at_manifest(&change, kind, licensed),
            Some(Class::Lockfile(kind)) => self.look_at_lockfile(&change, kind, licensed),
            Some(_) if licensed => self.note_change(&change, class.map_or("file", Class::words)),
            Some(Class::Makefile) => self.look_at_makefile(&change),
            Some(Class::Ignore) => self.look_at_ignore(&change),
            Some(Class::Installed) if change.how == How::Deleted && is_cache(name) => {}
            Some(class) => self.look_at_configuration(&change, class),
            None if is_script && !matches!(place, Place::TestCode(_)) => {
                if licensed {
                    self.note_change(&change, "script");
                } else {
                    self.whole(
                        &change,
                        "script that the checks run",
                        FindingKind::OracleChanged,
                    );
                }
            }
            None => match place {
                Place::TestCode(language) => self.look_at_tests(&change, language, licensed),
                Place::TestData => self.look_at_data(&change, licensed),
                Place::Implementation => self.look_at_implementation(&change, licensed),
            },
        }
    }

    fn read<'c>(&self, changed: &'c Changed) -> Change<'c> {
        let read = |tree: &dyn crate::Tree| tree.read(&changed.path, PARSED_BYTES_MAX);
        Change {
            path: &changed.path,
            how: changed.how,
            base: (changed.how != How::Added)
                .then(|| read(self.places.base))
                .flatten(),
            candidate: (changed.how != How::Deleted && changed.link.is_none())
                .then(|| read(self.places.candidate))
                .flatten(),
        }
    }

    /// What the path is by its name, and what only its surroundings tell.
    fn class(&self, path: &str) -> Option<Class> {
        let found = class(path);
        if found.is_some() {
            return found;
        }
        let there =
            |file: &str| self.places.base.exists(file) || self.places.candidate.exists(file);
        if name_of(path) == "build.rs" && there(&join(folder_of(path), "Cargo.toml")) {
            return Some(Class::Startup);
        }
        let vendored = path
            .match_indices("vendor/")
            .filter(|(at, _)| *at == 0 || path[..*at].ends_with('/'))
            .any(|(at, _)| {
                let project = path[..at].trim_end_matches('/');
                ["go.mod", "Cargo.toml", "composer.json", "Gemfile"]
                    .iter()
                    .any(|file| there(&join(project, file)))
            });
        vendored.then_some(Class::Installed)
    }

    /// Whether the candidate has something there that is neither file nor link.
    fn is_submodule(&self, changed: &Changed, change: &Change) -> bool {
        change.how != How::Deleted
            && change.candidate.is_none()
            // git shows a submodule as one line.
            && changed.added <= 1
            && changed.removed <= 1
            && self.places.candidate.read(&changed.path, LARGE_BYTES_MAX).is_none()
    }

    fn look_at_link(&mut self, change: &Change, target: &str, of_oracle: bool, licensed: bool) {
        let name = readable(change.path).into_owned();
        let was_folder = change.how == How::Added
            && self.places.base.exists(change.path)
            && self.places.base_has_tests_below(&name);
        if was_folder || (of_oracle && !licensed && change.how != How::Added) {
            return self.undo(finding(
                change.path,
                None,
                FindingKind::OracleChanged,
                format!("is a link to {target} now"),
            ));
        }
        if !of_oracle || licensed {
            return;
        }
        let lands = normal(&join(folder_of(&name), target));
        let stays = self.places.test_folder(&name).is_some_and(|folder| {
            lands.is_some_and(|lands| lands.starts_with(&format!("{folder}/")))
        });
        if stays && class(&name).is_none() {
            self.strict.insert(change.path.to_owned(), Content::Base);
        } else {
            self.undo(finding(
                change.path,
                None,
                FindingKind::Steers,
                format!("is a link to {target}"),
            ));
        }
    }

    /// A file that is the base's as a whole.
    fn whole(&mut self, change: &Change, what: &str, kind: FindingKind) {
        self.undo(finding(
            change.path,
            change.line(),
            kind,
            change.detail(what),
        ));
    }

    /// A licensed change of what steers the checks: for the reviewer.
    fn note_change(&mut self, change: &Change, what: &str) {
        self.note(finding(
            change.path,
            change.line(),
            FindingKind::OracleChanged,
            change.detail(what),
        ));
    }

    fn look_at_configuration(&mut self, change: &Change, class: Class) {
        if change.how != How::Added {
            return self.whole(change, class.words(), FindingKind::OracleChanged);
        }
        match self.takes_effect(change, class) {
            Some(line) => {
                let detail = match (line, &change.candidate) {
                    (Some(line), Some(text)) => line_text(text, line),
                    _ => change.detail(class.words()),
                };
                self.undo(finding(change.path, line, FindingKind::Steers, detail));
            }
            None => {
                self.strict.insert(change.path.to_owned(), Content::Base);
            }
        }
    }

    /// Whether a new configuration file can reach anything that the base has, and the line by which it does.
    fn takes_effect(&self, change: &Change, class: Class) -> Option<Option<u32>> {
        let path = readable(change.path);
        let name = name_of(&path);
        let always = matches!(class, Class::Installed | Class::Mock)
            || matches!(name, "sitecustomize.py" | "usercustomize.py" | "build.rs")
            || name.ends_with(".pth")
            || name == "junit-platform.properties"
            || path.contains("META-INF/services/");
        let folder = speaks_for(&path);
        if always || folder.is_empty() {
            return Some(None);
        }
        if name == "conftest.py" {
            let reaches = self.places.base.exists(folder)
                && self.places.base_below(folder).iter().any(|path| {
                    let name = name_of(path);
                    path.ends_with(".py")
                        && (name.starts_with("test") || name.ends_with("_test.py"))
                });
            return if reaches {
                Some(None)
            } else {
                wide_hook(change.candidate.as_deref().unwrap_or_default()).map(Some)
            };
        }
        self.places.base.exists(folder).then_some(None)
    }

    fn look_at_makefile(&mut self, change: &Change) {
        let rivals = ["GNUmakefile", "makefile", "Makefile", "BSDmakefile"];
        let folder = folder_of(change.path);
        match (&change.base, &change.candidate) {
            (Some(base), Some(candidate)) if base != candidate => {
                for finding in makefile::compare(change.path, base, candidate) {
                    self.undo(finding);
                }
            }
            (None, _) if change.how == How::Added => {
                let rival = rivals
                    .iter()
                    .map(|name| join(folder, name))
                    .find(|rival| rival != change.path && self.places.base.exists(rival));
                if let Some(rival) = rival {
                    self.undo(finding(
                        change.path,
                        None,
                        FindingKind::Shadows,
                        format!("make would read it beside or before {rival}"),
                    ));
                }
            }
            _ => self.whole(change, "makefile", FindingKind::OracleChanged),
        }
    }

    /// Tools pass over what these files name, so no new line may name a file that is there.
    fn look_at_ignore(&mut self, change: &Change) {
        let Some(candidate) = &change.candidate else {
            // With no file nothing is passed over.
            return;
        };
        let old: HashSet<&[u8]> = change
            .base
            .as_deref()
            .unwrap_or_default()
            .split(|b| *b == b'\n')
            .map(<[u8]>::trim_ascii_end)
            .collect();
        let folder = folder_of(change.path);
        let new = candidate
            .split(|b| *b == b'\n')
            .enumerate()
            .filter_map(|(index, line)| {
                let line = line.trim_ascii_end();
                let text = std::str::from_utf8(line).ok()?;
                let idle = text.is_empty() || text.starts_with(['#', '!']) || old.contains(line);
                (!idle).then_some((index, text))
            });
        for (index, pattern) in new.take(IGNORE_LINES_MAX) {
            let Ok(globs) = Globs::new(&[pattern]) else {
                continue;
            };
            let hidden = self.places.candidate_paths().iter().find(|path| {
                let inner = if folder.is_empty() {
                    Some(path.as_str())
                } else {
                    path.strip_prefix(folder)
                        .and_then(|rest| rest.strip_prefix('/'))
                };
                inner.is_some_and(|inner| globs.matches(inner))
            });
            if let Some(hidden) = hidden {
                let line = u32::try_from(index + 1).ok();
                let detail = format!("{pattern} hides {hidden}");
                self.undo(finding(change.path, line, FindingKind::Steers, detail));
                return;
            }
        }
    }

    fn look_at_manifest(&mut self, change: &Change, kind: Kind, licensed: bool) {
        let path = readable(change.path).into_owned();
        let folder = folder_of(&path);
        let Some(candidate) = &change.candidate else {
            if kind == Kind::Requirements && change.how == How::Deleted {
                return;
            }
            return if licensed {
                self.note_change(change, "manifest")
            } else {
                self.whole(change, "manifest", FindingKind::OracleChanged)
            };
        };
        if change.how != How::Added && change.base.is_none() {
            return self.whole(change, "manifest", FindingKind::OracleChanged);
        }
        if change.base.as_ref() == Some(candidate) {
            return;
        }
        if change.how == How::Added {
            if let Some(found) = self.shadows.of_new_file(change.path, Some(candidate)) {
                return if licensed {
                    self.note(found)
                } else {
                    self.undo(found)
                };
            }
            // Where the base has nothing that the manifest could speak for, it can change nothing.
            let idle = !self
                .places
                .base_below(folder)
                .iter()
                .any(|path| kind.sources().iter().any(|end| path.ends_with(end)));
            if idle {
                self.relock(change.path, kind, folder);
                return;
            }
            let split = self.enclosing(kind, folder).filter(|_| {
                self.places
                    .base_below(folder)
                    .iter()
                    .any(|path| kind.splits().iter().any(|end| path.ends_with(end)))
            });
            if let Some(above) = split {
                let found = finding(
                    change.path,
                    None,
                    FindingKind::Steers,
                    format!("takes this folder out of {above}"),
                );
                return if licensed {
                    self.note(found)
                } else {
                    self.undo(found)
                };
            }
        }
        let context = manifest::Context {
            base: self.places.base,
            folder,
            programs: &self.scripts.programs,
        };
        let compared = manifest::compare(
            kind,
            change.path,
            change.base.as_deref(),
            candidate,
            &context,
        );
        if compared.dependencies {
            self.relock(change.path, kind, folder);
        }
        if compared.findings.is_empty() {
            return;
        }
        if licensed {
            for found in compared.findings {
                self.note(found);
            }
            return;
        }
        for found in compared.findings {
            self.offend(found);
        }
        let content = compared.laid.map_or(Content::Base, Content::Text);
        self.laid.insert(change.path.to_owned(), content);
    }

    fn relock(&mut self, path: &str, kind: Kind, folder: &str) {
        if self.licence.may_write(path) {
            self.relocked.push((kind.ecosystem(), folder.to_owned()));
        }
    }

    /// The base's manifest of this kind in a folder above.
    fn enclosing(&self, kind: Kind, folder: &str) -> Option<String> {
        let file = match kind {
            Kind::PackageJson => "package.json",
            Kind::CargoToml => "Cargo.toml",
            Kind::GoMod => "go.mod",
            Kind::Pom => "pom.xml",
            Kind::PyProject | Kind::SetupCfg | Kind::Requirements => return None,
        };
        let mut above = folder;
        while !above.is_empty() {
            above = folder_of(above);
            let path = join(above, file);
            if self.places.base.exists(&path) {
                return Some(path);
            }
        }
        None
    }

    fn look_at_lockfile(&mut self, change: &Change, kind: Kind, licensed: bool) {
        let path = readable(change.path).into_owned();
        let folder = folder_of(&path);
        if licensed {
            return self.note_change(change, "lockfile");
        }
        let below = |inner: &str| {
            folder.is_empty() || inner == folder || inner.starts_with(&format!("{folder}/"))
        };
        let follows = self
            .relocked
            .iter()
            .any(|(ecosystem, inner)| *ecosystem == kind.ecosystem() && below(inner));
        if change.how == How::Added {
            let rival = self
                .places
                .base_below(folder)
                .iter()
                .find(|other| {
                    folder_of(other) == folder
                        && matches!(class(other), Some(Class::Lockfile(k)) if k.ecosystem() == kind.ecosystem())
                });
            if let Some(rival) = rival {
                let detail = format!("another lockfile beside {rival}");
                return self.undo(finding(change.path, None, FindingKind::Steers, detail));
            }
        } else if !follows
            && !lockfile::same_packages(
                name_of(&path),
                change.base.as_deref(),
                change.candidate.as_deref(),
            )
        {
            let detail =
                "lockfile changed, and no dependency in a manifest that the goal lets change";
            let line = change.line();
            return self.undo(finding(
                change.path,
                line,
                FindingKind::OracleChanged,
                detail,
            ));
        }
        if let Some(line) =
            lockfile::local_package(change.base.as_deref(), change.candidate.as_deref())
        {
            let detail = change
                .candidate
                .as_deref()
                .map_or_else(String::new, |text| line_text(text, line));
            self.undo(finding(
                change.path,
                Some(line),
                FindingKind::OracleChanged,
                format!("a package would come from the repository: {detail}"),
            ));
        }
    }

    fn look_at_tests(&mut self, change: &Change, language: Language, licensed: bool) {
        let path = change.path;
        match (change.how, &change.base, &change.candidate) {
            (How::Added, _, candidate) => {
                self.look_at_new_tests(change, language, candidate.as_deref(), licensed)
            }
            (How::Deleted, Some(base), _) => {
                let tests = syntax::tests(language, base);
                let gone = tests.iter().map(|test| {
                    let found = finding(
                        path,
                        Some(test.line),
                        FindingKind::TestDeleted,
                        test.name.join(" > "),
                    );
                    (found, test.form.clone())
                });
                if licensed {
                    self.deleted_tests.extend(gone);
                    return;
                }
                let mut none = true;
                for (found, _) in gone {
                    none = false;
                    self.undo(found);
                }
                if none {
                    self.whole(change, "helper of tests", FindingKind::OracleChanged);
                }
            }
            (How::Modified, Some(base), Some(candidate)) if base != candidate => {
                if licensed {
                    self.note_weakened(path, language, base, candidate);
                    self.look_for_tampering(change, Some(language), false);
                    self.licensed_texts
                        .push((path.to_owned(), candidate.clone()));
                    return;
                }
                let found = syntax::compare_test_file(language, path, base, candidate);
                if found.is_empty() {
                    self.note_weakened(path, language, base, candidate);
                    self.strict.insert(path.to_owned(), Content::Base);
                }
                for found in found {
                    self.undo(found);
                }
                self.look_for_tampering(change, Some(language), false);
            }
            _ if licensed => self.note_change(change, "test file"),
            _ => self.whole(change, "test file", FindingKind::OracleChanged),
        }
    }

    fn look_at_new_tests(
        &mut self,
        change: &Change,
        language: Language,
        candidate: Option<&[u8]>,
        licensed: bool,
    ) {
        let path = change.path;
        if !licensed {
            if let Some(found) = self.shadows.of_new_file(path, candidate) {
                return self.undo(found);
            }
            if let Some(line) = self.go_main(&readable(path), candidate.unwrap_or_default()) {
                let detail = "runs in the place of all tests of its package";
                return self.undo(finding(path, Some(line), FindingKind::Steers, detail));
            }
            self.strict.insert(path.to_owned(), Content::Base);
        }
        let Some(candidate) = candidate else { return };
        if syntax::tests(language, candidate).is_empty() {
            self.new_helpers.push(path.to_owned());
        }
        for found in syntax::weakened(language, path, None, Some(candidate)) {
            self.note(found);
        }
        self.look_for_tampering(change, Some(language), false);
    }

    /// A `TestMain` in a package of which the base has tests.
    fn go_main(&self, path: &str, candidate: &[u8]) -> Option<u32> {
        if !path.ends_with("_test.go") {
            return None;
        }
        let folder = folder_of(path);
        let old_tests = self
            .places
            .base_below(folder)
            .iter()
            .any(|other| folder_of(other) == folder && other.ends_with("_test.go"));
        if !old_tests {
            return None;
        }
        candidate
            .split(|b| *b == b'\n')
            .position(|line| {
                let line: Vec<u8> = line
                    .iter()
                    .copied()
                    .filter(|b| !b.is_ascii_whitespace())
                    .collect();
                line.starts_with(b"funcTestMain(")
            })
            .and_then(|index| u32::try_from(index + 1).ok())
    }

    fn note_weakened(&mut self, path: &str, language: Language, base: &[u8], candidate: &[u8]) {
        let old = syntax::tests(language, base);
        for found in syntax::weakened(language, path, Some(base), Some(candidate)) {
            let gone = (found.kind == FindingKind::TestDeleted)
                .then(|| old.iter().find(|test| Some(test.line) == found.line))
                .flatten();
            match gone {
                Some(test) => self.deleted_tests.push((found, test.form.clone())),
                None => self.note(found),
            }
        }
    }

    /// Code that asks whether it is tested or changes the runner, wherever it is; and, in an implementation, lines
    /// taken out of coverage.
    fn look_for_tampering(
        &mut self,
        change: &Change,
        language: Option<Language>,
        implementation: bool,
    ) {
        let Some(candidate) = &change.candidate else {
            return;
        };
        let base = change.base.as_deref();
        let path = readable(change.path);
        let entry = change.how == How::Added && is_entry(&path);
        for found in syntax::suspicious(language, change.path, base, candidate, &self.reports) {
            // A program may ask where it runs; what it calls may not.
            if entry && found.detail.starts_with(CI_ASKED) {
                self.note(found);
            } else if implementation || found.kind == FindingKind::TampersWithTests {
                self.offend(found);
            } else {
                self.note(found);
            }
        }
    }

    fn look_at_data(&mut self, change: &Change, licensed: bool) {
        let path = change.path;
        if change.how == How::Added {
            if licensed {
                return;
            }
            match self.shadows.of_new_file(path, change.candidate.as_deref()) {
                Some(found) => self.undo(found),
                None => {
                    self.strict.insert(path.to_owned(), Content::Base);
                    self.new_helpers.push(path.to_owned());
                }
            }
            return;
        }
        let snapshot = is_snapshot(path);
        let found = match (&change.base, &change.candidate) {
            (Some(base), Some(candidate)) if snapshot && base != candidate => {
                snapshot::compare(path, base, candidate)
            }
            _ => {
                let kind = if snapshot {
                    FindingKind::SnapshotRewritten
                } else {
                    FindingKind::OracleChanged
                };
                vec![finding(
                    path,
                    change.line(),
                    kind,
                    change.detail("test data"),
                )]
            }
        };
        if found.is_empty() && !licensed {
            self.strict.insert(path.to_owned(), Content::Base);
        }
        for found in found {
            if licensed {
                self.note(found);
            } else {
                self.undo(found);
            }
        }
    }

    fn look_at_implementation(&mut self, change: &Change, licensed: bool) {
        let path = change.path;
        let name = readable(path);
        let language = syntax::language(&name);
        self.reverse
            .insert(path.to_owned(), reversed(change, language));
        if change.how == How::Added
            && let Some(found) = self.shadows.of_new_file(path, change.candidate.as_deref())
        {
            return if licensed {
                self.note(found)
            } else {
                self.undo(found)
            };
        }
        if let Some(language) = language {
            self.look_at_inline_tests(change, language, licensed);
        }
        let other_code = || {
            name.rsplit_once('.')
                .is_some_and(|(_, extension)| OTHER_CODE.contains(&extension))
        };
        if language.is_some() || other_code() {
            let unread = change.how != How::Deleted && change.candidate.is_none();
            if unread && !licensed && (change.how == How::Added || change.base.is_some()) {
                let detail = "is too large to be looked into for code that tampers with tests";
                self.offend(finding(path, None, FindingKind::TampersWithTests, detail));
            }
            self.look_for_tampering(change, language, !licensed);
        }
    }

    fn look_at_inline_tests(&mut self, change: &Change, language: Language, licensed: bool) {
        let path = change.path;
        let base = change.base.as_deref().unwrap_or_default();
        let Some(candidate) = &change.candidate else {
            if change.how == How::Deleted {
                let old = syntax::tests(language, base);
                for found in syntax::compare_inline_tests(language, path, base, b"") {
                    let test = old.iter().find(|test| Some(test.line) == found.line);
                    match test {
                        Some(test) if licensed => {
                            self.deleted_tests.push((found, test.form.clone()))
                        }
                        // A declaration of tests in another file, which has its own change.
                        _ if licensed => {}
                        Some(test) => self.renamed_away.push((found, test.form.clone())),
                        None => self.undo(found),
                    }
                }
            }
            return;
        };
        if change.how == How::Modified && change.base.is_none() {
            // The base's was a link, or too large to be parsed: there is nothing to compare with.
            return;
        }
        let found = syntax::compare_inline_tests(language, path, base, candidate);
        let spliced = || syntax::with_base_inline_tests(language, base, candidate);
        if licensed {
            self.note_weakened(path, language, base, candidate);
            return;
        }
        let found = if emptied(base, candidate) {
            // Most of the file is elsewhere now, and the tests inside it may be there as well.
            let old = syntax::tests(language, base);
            let mut stays = Vec::new();
            for found in found {
                let gone = found.kind == FindingKind::TestDeleted;
                match old.iter().find(|test| Some(test.line) == found.line) {
                    Some(test) if gone => self.renamed_away.push((found, test.form.clone())),
                    _ => stays.push(found),
                }
            }
            stays
        } else {
            found
        };
        if !found.is_empty() {
            let content = spliced().map_or(Content::Base, Content::Text);
            self.laid.insert(path.to_owned(), content);
            for found in found {
                self.offend(found);
            }
        } else if let Some(text) = spliced() {
            self.strict.insert(path.to_owned(), Content::Text(text));
        }
        if language == Language::Rust {
            self.note_weakened(path, language, base, candidate);
        }
    }

    fn finish(mut self, changes: &[Changed]) -> Examined {
        self.settle_moves(changes);
        self.settle_renames(changes);
        self.keep_what_tests_need();
        self.clear_the_way(changes);
        let mut strict = self.laid.clone();
        for (path, content) in std::mem::take(&mut self.strict) {
            strict.entry(path).or_insert(content);
        }
        // Only the implementation is put back; whatever is laid over the candidate's tests stays.
        let reverse = if self.reverse.is_empty() {
            BTreeMap::new()
        } else {
            let mut reverse = self.laid.clone();
            reverse.extend(self.reverse);
            reverse
        };
        Examined {
            offences: self.offences.into_iter().collect(),
            notes: self.notes.into_iter().collect(),
            laid: patches(self.laid),
            strict: patches(strict),
            reverse: patches(reverse),
            tests: self.places.base_tests(),
        }
    }

    /// A test that is gone under a licence and does the same elsewhere has moved.
    fn settle_moves(&mut self, changes: &[Changed]) {
        if self.deleted_tests.is_empty() {
            return;
        }
        let mut elsewhere: HashSet<Vec<u8>> = HashSet::new();
        for changed in changes {
            let Some(language) = syntax::language(&readable(&changed.path)) else {
                continue;
            };
            let change = self.read(changed);
            let Some(candidate) = &change.candidate else {
                continue;
            };
            let old: HashSet<Vec<u8>> = change
                .base
                .as_deref()
                .map(|base| syntax::tests(language, base))
                .unwrap_or_default()
                .into_iter()
                .map(|test| test.form)
                .collect();
            let new = syntax::tests(language, candidate);
            elsewhere.extend(
                new.into_iter()
                    .map(|test| test.form)
                    .filter(|form| !old.contains(form)),
            );
        }
        for (found, form) in std::mem::take(&mut self.deleted_tests) {
            if !elsewhere.contains(&form) {
                self.note(found);
            }
        }
    }

    /// An implementation file that has another name now takes the tests inside it along, and that needs no licence: they
    /// still test what they tested. It is the same file if at least half of its lines are there.
    fn settle_renames(&mut self, changes: &[Changed]) {
        let gone = std::mem::take(&mut self.renamed_away);
        let mut heirs: HashMap<String, HashSet<Vec<u8>>> = HashMap::new();
        for (found, form) in gone {
            let heir = heirs.entry(found.path.clone()).or_insert_with(|| {
                let old = self.places.base.read(&found.path, PARSED_BYTES_MAX);
                old.map(|old| self.forms_of_heirs(changes, &found.path, &old))
                    .unwrap_or_default()
            });
            if !heir.contains(&form) {
                self.undo(found);
            }
        }
    }

    /// What the tests do that stand in new files with at least half of the lines of a file that is gone.
    fn forms_of_heirs(&self, changes: &[Changed], path: &str, old: &[u8]) -> HashSet<Vec<u8>> {
        let before = lines(old);
        let language = syntax::language(&readable(path));
        let mut forms = HashSet::new();
        for changed in changes.iter().filter(|c| c.how == How::Added) {
            let readable = readable(&changed.path);
            if language.is_none() || syntax::language(&readable) != language {
                continue;
            }
            let Some(text) = self.read(changed).candidate else {
                continue;
            };
            let kept = lines(&text).intersection(&before).count();
            if kept * 2 >= before.len()
                && !before.is_empty()
                && let Some(language) = language
            {
                let tests = syntax::tests(language, &text);
                forms.extend(tests.into_iter().map(|test| test.form));
            }
        }
        forms
    }

    /// New helpers and data stay in the strict tree if a test that stays there names them: one whose change is licensed,
    /// or one of the base's that waited for them.
    fn keep_what_tests_need(&mut self) {
        if self.new_helpers.is_empty() {
            return;
        }
        let mut texts: Vec<Vec<u8>> = self.places.base_test_texts();
        texts.extend(self.licensed_texts.drain(..).map(|(_, text)| text));
        let texts: Vec<String> = texts
            .iter()
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect();
        for helper in &self.new_helpers {
            let name = name_of(helper);
            let stem = name.split('.').next().unwrap_or(name);
            let folder = name_of(folder_of(helper));
            let word = if matches!(stem, "__init__" | "mod" | "index") {
                folder
            } else {
                stem
            };
            let needed = !word.is_empty() && texts.iter().any(|text| text.contains(word));
            if needed {
                self.strict.remove(helper);
            }
        }
    }

    /// Where a file of the base is put back, nothing of the candidate may stand in its way: neither a file where a
    /// folder was, nor a folder where the file was.
    fn clear_the_way(&mut self, changes: &[Changed]) {
        let mut added: Vec<&str> = changes
            .iter()
            .filter(|c| c.how == How::Added)
            .map(|c| c.path.as_str())
            .collect();
        added.sort_unstable();
        let mut in_the_way: BTreeSet<&str> = BTreeSet::new();
        for path in self.laid.keys().chain(self.strict.keys()) {
            if !self.places.base.exists(path) {
                continue;
            }
            for (at, _) in path.match_indices('/') {
                let above = added.binary_search(&&path[..at]);
                in_the_way.extend(above.ok().map(|index| added[index]));
            }
            let below = format!("{path}/");
            let from = added.partition_point(|other| *other < below.as_str());
            in_the_way.extend(
                added[from..]
                    .iter()
                    .take_while(|other| other.starts_with(&below)),
            );
        }
        for path in in_the_way {
            self.laid.insert(path.to_owned(), Content::Base);
        }
    }
}

/// A file of the implementation as it was on the base, with the candidate's own tests in it where it has any.
fn reversed(change: &Change, language: Option<Language>) -> Content {
    let spliced = || {
        let (base, candidate) = (change.base.as_deref()?, change.candidate.as_deref()?);
        syntax::with_base_inline_tests(language?, candidate, base)
    };
    spliced().map_or(Content::Base, Content::Text)
}

/// The lines of a file that hold anything.
fn lines(text: &[u8]) -> HashSet<&[u8]> {
    text.split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .collect()
}

/// Whether less than half of a file's lines are still there.
fn emptied(base: &[u8], candidate: &[u8]) -> bool {
    let before = lines(base);
    lines(candidate).intersection(&before).count() * 2 < before.len()
}

/// Whether a file is a program's entry by its name.
fn is_entry(path: &str) -> bool {
    let name = name_of(path);
    let stem = name.split('.').next().unwrap_or(name);
    matches!(stem, "__main__" | "main" | "cli") || path.split('/').any(|part| part == "bin")
}

fn patches(contents: BTreeMap<String, Content>) -> Vec<Patch> {
    contents
        .into_iter()
        .map(|(path, content)| Patch { path, content })
        .collect()
}

/// Keeps the first findings in their order, so that a hundred thousand offences cost no memory.
fn keep(findings: &mut BTreeSet<Finding>, finding: Finding) {
    findings.insert(finding);
    if findings.len() > FINDINGS_MAX {
        findings.pop_last();
    }
}

/// Whether git, or a file system that folds case or drops what is invisible, takes the name for `.git`.
fn is_git_folder(part: &str) -> bool {
    let folded: String = part
        .chars()
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
        .flat_map(char::to_lowercase)
        .collect();
    let folded = folded.trim_end_matches([' ', '.']);
    folded == ".git" || folded == "git~1"
}

/// Whether the file is a cache that may go at any time.
fn is_cache(path: &str) -> bool {
    path.split('/').any(|part| part == "__pycache__") || path.ends_with(".pyc")
}

/// The first line of a new `conftest.py` that acts on more than the tests beside it.
fn wide_hook(text: &[u8]) -> Option<u32> {
    text.split(|b| *b == b'\n')
        .position(|line| {
            let line = String::from_utf8_lossy(&line[..line.len().min(1024)]).into_owned();
            let hook = line
                .split_once("pytest_")
                .map(|(_, rest)| rest)
                .map(|rest| {
                    rest.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                        .next()
                        .unwrap_or(rest)
                });
            let is_comment =
                line.trim_start().starts_with('#') || line.trim_start().starts_with("import ");
            hook.is_some_and(|hook| !LOCAL_HOOKS.contains(&format!("pytest_{hook}").as_str()))
                && !is_comment
                && (line.contains("def pytest_")
                    || line.contains("pytest_plugins")
                    || line.contains("= ")
                    || line.contains('['))
        })
        .and_then(|index| u32::try_from(index + 1).ok())
}
