//! Hidden files of checks: refused where they are not hidden, read once when a run begins, and kept with the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use overnight_core::goal::globs::Globs;
use overnight_core::goal::{Check, Goal};
use overnight_core::ids::{BlobId, CheckId};
use overnight_core::judge::plain;
use overnight_workspace::{Hidden, Trace};

use crate::problem::usage;

/// Where a run keeps its copies, below its folder.
const FOLDER: &str = "hidden";
/// What the kernel shows in every cell, whatever is hidden.
const ALWAYS_SEEN: [&str; 3] = ["/proc", "/sys", "/dev"];

/// The copies, by what the goal calls the originals.
#[derive(Debug, Clone, Default)]
pub struct HiddenFiles {
    copies: BTreeMap<String, Arc<Hidden>>,
}

impl HiddenFiles {
    /// The copy of what the goal calls by this name.
    pub fn get(&self, name: &str) -> Option<Arc<Hidden>> {
        self.copies.get(name).cloned()
    }

    /// The hashes, check by check.
    pub fn hashes(&self, goal: &Goal) -> BTreeMap<CheckId, BlobId> {
        named(goal)
            .filter_map(|(check, name)| Some((check.id.clone(), self.get(name)?.id().clone())))
            .collect()
    }
}

/// The checks with hidden files, with what the goal calls those.
fn named(goal: &Goal) -> impl Iterator<Item = (&Check, &str)> {
    goal.checks()
        .filter_map(|check| Some((check, check.hidden.as_deref()?)))
}

/// Where the originals are: nobody inside a sandbox may read those either.
pub fn originals(goal: &Goal) -> Vec<PathBuf> {
    named(goal).map(|(_, name)| PathBuf::from(name)).collect()
}

/// Copies what the goal hides into a run's folder. Refused is what the agent could read all the same.
pub fn freeze(goal: &Goal, repo: Option<&Path>, run_dir: &Path) -> anyhow::Result<HiddenFiles> {
    let mut files = HiddenFiles::default();
    for (check, name) in named(goal) {
        if files.copies.contains_key(name) {
            continue;
        }
        let refuse = |why: String| {
            usage(plain(&format!(
                "check `{}`: hidden: {name}: {why}",
                check.id
            )))
        };
        let real = Path::new(name).canonicalize().map_err(|e| {
            refuse(format!(
                "it cannot be read ({e}); a path is absolute, begins with `~/`, or is relative to the goal file's folder"
            ))
        })?;
        if let Some(why) = visible(&real, goal, repo)? {
            return Err(refuse(why));
        }
        let copy = Hidden::freeze(Path::new(name), &run_dir.join(FOLDER))
            .map_err(|e| refuse(e.to_string()))?;
        files.copies.insert(name.to_owned(), Arc::new(copy));
    }
    Ok(files)
}

/// Why the agent could read it, if it could; with what to do.
fn visible(real: &Path, goal: &Goal, repo: Option<&Path>) -> anyhow::Result<Option<String>> {
    if real.parent().is_none() || ALWAYS_SEEN.iter().any(|seen| real.starts_with(seen)) {
        return Ok(Some(
            "that is a part of the system and cannot be hidden: copy it to a folder of its own"
                .to_owned(),
        ));
    }
    let Some(repo) = repo else { return Ok(None) };
    for place in overnight_workspace::places(repo)? {
        if place
            .canonicalize()
            .is_ok_and(|place| place.starts_with(real))
        {
            return Ok(Some(
                "the repository lies in it: name a folder that holds nothing but the hidden files"
                    .to_owned(),
            ));
        }
    }
    let below = |path: &str| {
        let files = &goal.uses.files;
        let inside = |whole: &str, part: &str| {
            part.strip_prefix(whole)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let plain = |file: &str| {
            let file = file.strip_prefix("./").unwrap_or(file);
            file.trim_end_matches('/').to_owned()
        };
        files
            .iter()
            .any(|file| inside(&plain(file), path) || inside(path, &plain(file)))
            || Globs::new(files).is_ok_and(|globs| globs.matches(path) || globs.covers_dir(path))
    };
    Ok(match overnight_workspace::trace(repo, real)? {
        Trace::Tracked(path) => Some(format!(
            "`{path}` is in the repository's last commit, so the agent reads it: move it out of the repository and \
             commit that"
        )),
        Trace::Earlier(commit) => Some(format!(
            "it was in the repository until commit {}, and the agent has the last commits: hide files that were never \
             committed",
            commit.short()
        )),
        Trace::Untracked(path) if below(&path) => Some(format!(
            "`use.files` copies `{path}` into the agent's workspace: take it out there"
        )),
        Trace::Untracked(_) | Trace::Outside => None,
    })
}

/// The copies of a run that was begun earlier, as its journal knows them.
pub fn reopen(
    goal: &Goal,
    hashes: &BTreeMap<CheckId, BlobId>,
    run_dir: &Path,
) -> anyhow::Result<HiddenFiles> {
    let mut files = HiddenFiles::default();
    for (check, name) in named(goal) {
        if files.copies.contains_key(name) {
            continue;
        }
        let hash = hashes.get(&check.id).with_context(|| {
            format!("the journal holds no hidden files of check `{}`", check.id)
        })?;
        let copy = match Hidden::open(&run_dir.join(FOLDER), hash) {
            Ok(copy) => copy,
            Err(damage) => again(name, hash, run_dir, &damage.to_string())?,
        };
        files.copies.insert(name.to_owned(), Arc::new(copy));
    }
    Ok(files)
}

/// Another copy of the original, if that is still what it was.
fn again(name: &str, hash: &BlobId, run_dir: &Path, damage: &str) -> anyhow::Result<Hidden> {
    let unchanged = Hidden::hash_of(Path::new(name)).is_ok_and(|now| now == *hash);
    if !unchanged {
        return Err(usage(plain(&format!(
            "the run's copy of the hidden files {name} is damaged ({damage}), and the original has changed since the run \
             began: put it back as it was, or start a new run"
        ))));
    }
    Ok(Hidden::freeze(Path::new(name), &run_dir.join(FOLDER))?)
}

/// What has become of the originals since: a line for each that is not what the run began with.
pub fn changed(goal: &Goal, files: &HiddenFiles) -> Vec<String> {
    files
        .copies
        .iter()
        .filter_map(|(name, copy)| {
            let became = match Hidden::hash_of(Path::new(name)) {
                Ok(now) if now == *copy.id() => return None,
                Ok(_) => "has changed",
                Err(_) => "is not there any more",
            };
            let checks: Vec<&str> = named(goal)
                .filter(|(_, n)| n == name)
                .map(|(check, _)| check.id.as_str())
                .collect();
            Some(plain(&format!(
                "the hidden {name} {became} since the run began; {} as it was then",
                match checks.as_slice() {
                    [one] => format!("check `{one}` uses it"),
                    many => format!("checks `{}` use it", many.join("`, `")),
                }
            )))
        })
        .collect()
}
