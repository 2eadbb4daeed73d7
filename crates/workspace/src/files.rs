//! `use.files`: ignored files of the person's checkout that the work and the checks need. They are copied into the
//! workspace and into every clean checkout, and never delivered.

use std::collections::HashSet;
use std::path::Path;

use overnight_core::goal::globs::Globs;
use overnight_ports::workspace::WorkspaceError;

use crate::beneath::Root;
use crate::facts::{Layout, io, make_dir};
use crate::git::records;
use crate::names;
use crate::origin::Origin;

/// Copies what the goal names into the run's folder, and says what that was: text form, folders with a `/`.
pub(crate) fn collect(
    layout: &Layout,
    origin: &Origin,
    wanted: &[String],
    tracked: &HashSet<&[u8]>,
) -> Result<Vec<String>, WorkspaceError> {
    make_dir(&layout.files())?;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let Some(top) = origin.top.as_deref() else {
        return Err(WorkspaceError::Refused(format!(
            "use.files names `{}`, but {} is a bare repository without a checkout to copy it from",
            wanted.join("`, `"),
            origin.git_dir.display()
        )));
    };
    let into = Root::open(&layout.files())?;
    let mut copied = Vec::new();
    for name in wanted {
        for path in expand(origin, top, name)? {
            if tracked.contains(path.as_slice()) {
                continue;
            }
            let from = top.join(names::os(&path));
            // A link is followed: the person named it, and its target will not be visible in the sandbox.
            let from = std::fs::canonicalize(&from).map_err(io(&from))?;
            into.copy_one(&from, &path).map_err(io(&from))?;
            let mut text = path;
            if from.is_dir() {
                text.push(b'/');
            }
            copied.push(names::quote(&text));
        }
    }
    Ok(copied)
}

/// The paths that one entry means: itself, or the untracked files that it matches as a pattern.
fn expand(origin: &Origin, top: &Path, name: &str) -> Result<Vec<Vec<u8>>, WorkspaceError> {
    let refuse = |why: String| {
        Err(WorkspaceError::Refused(format!(
            "use.files: `{name}` {why}"
        )))
    };
    let plain = name
        .strip_prefix("./")
        .unwrap_or(name)
        .trim_end_matches('/');
    let inside = !plain.is_empty()
        && plain
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    if !inside
        || plain
            .split('/')
            .any(|part| part.eq_ignore_ascii_case(".git"))
    {
        return refuse("is no path below the repository's root".into());
    }
    if top.join(plain).exists() {
        return Ok(vec![plain.as_bytes().to_vec()]);
    }
    if plain.contains(['*', '?', '[']) {
        let globs =
            Globs::new(&[name]).map_err(|e| WorkspaceError::Refused(format!("use.files: {e}")))?;
        let others = origin
            .git()
            .work_tree(top)
            .run(&["ls-files", "-z", "--others"])?;
        let hits =
            records(&others).filter(|p| std::str::from_utf8(p).is_ok_and(|p| globs.matches(p)));
        let hits: Vec<Vec<u8>> = hits.map(<[u8]>::to_vec).collect();
        if !hits.is_empty() {
            return Ok(hits);
        }
    }
    refuse(format!(
        "is not in {}: create it there, or take it out of the goal",
        top.display()
    ))
}
