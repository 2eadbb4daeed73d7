//! Content of submodules as plain files, from the person's own copies where there are some. It can be read and run;
//! it is never delivered: the gitlink stays what it is.

use std::path::{Path, PathBuf};

use overnight_ports::workspace::WorkspaceError;

use crate::baseline::{self, Listed};
use crate::facts::{Layout, Submodule, make_dir, remove_dir, write_file};
use crate::git::{Git, alternate};
use crate::names;
use crate::origin::Origin;
use crate::store;

/// How deep submodules may be nested.
const NESTING_MAX: usize = 8;

/// A repository that has submodules.
struct Super<'a> {
    git: &'a Git,
    commit: &'a str,
    git_dir: &'a Path,
    top: Option<&'a Path>,
}

/// Extracts every submodule of the commit; what cannot be had is a note.
pub(crate) fn extract(
    layout: &Layout,
    origin: &Origin,
    commit: &str,
    listed: &[Listed],
) -> Result<(Vec<Submodule>, Vec<String>), WorkspaceError> {
    let gitlinks: Vec<&Listed> = listed.iter().filter(|l| l.mode.is_none()).collect();
    let (mut submodules, mut notes) = (Vec::new(), Vec::new());
    if gitlinks.is_empty() {
        return Ok((submodules, notes));
    }
    let git = layout.git();
    let place = Super {
        git: &git,
        commit,
        git_dir: &origin.common_dir,
        top: origin.top.as_deref(),
    };
    for (number, link) in gitlinks.into_iter().enumerate() {
        let dest = layout.submodule(number);
        let mut done = one(&place, link, &dest, 0)?;
        if !done && let Some(fetched) = fetch(layout, origin, commit, link) {
            let place = Super {
                git_dir: &fetched,
                top: None,
                ..place
            };
            done = one(&place, link, &dest, 0)?;
            remove_dir(&fetched)?;
        }
        let path = names::quote(&link.path);
        if !done {
            notes.push(format!(
                "submodule {path} is empty: its commit {} is neither in this repository nor could it be fetched; \
                 `git submodule update --init` in your checkout helps",
                link.oid
            ));
        }
        submodules.push(Submodule {
            path,
            content: done.then_some(number),
        });
    }
    Ok((submodules, notes))
}

/// Extracts one submodule from a git directory that has its commit; whether there is one.
fn one(
    place: &Super<'_>,
    link: &Listed,
    dest: &Path,
    depth: usize,
) -> Result<bool, WorkspaceError> {
    for git_dir in git_dirs(place, link) {
        let borrowed = borrowed_dir(dest);
        remove_dir(&borrowed)?;
        store::make(
            &borrowed,
            store::format_of(&link.oid),
            &git_dir.join("objects"),
            &git_dir,
        )?;
        let git = Git::store(&borrowed);
        let wanted = format!("{}^{{commit}}", link.oid);
        if git.run(&["cat-file", "-e", &wanted]).is_err() {
            remove_dir(&borrowed)?;
            continue;
        }
        make_dir(dest)?;
        let index = borrowed.join("index");
        git.index(&index)
            .work_tree(dest)
            .run(&["read-tree", "--reset", "-u", &link.oid])?;
        if depth < NESTING_MAX {
            let inner_top = place.top.map(|top| top.join(names::os(&link.path)));
            let inner = Super {
                git: &git,
                commit: &link.oid,
                git_dir: &git_dir,
                top: inner_top.as_deref(),
            };
            for inner_link in baseline::listed(&git, &index)?
                .iter()
                .filter(|l| l.mode.is_none())
            {
                one(
                    &inner,
                    inner_link,
                    &dest.join(names::os(&inner_link.path)),
                    depth + 1,
                )?;
            }
        }
        remove_dir(&borrowed)?;
        return Ok(true);
    }
    Ok(false)
}

/// A store beside the destination, for as long as it takes.
fn borrowed_dir(dest: &Path) -> PathBuf {
    let mut name = dest.as_os_str().to_owned();
    name.push(".borrowed.git");
    name.into()
}

/// Where the person may have the submodule's objects.
fn git_dirs(place: &Super<'_>, link: &Listed) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    if let Some(name) = name_of(place, &link.path) {
        dirs.push(place.git_dir.join("modules").join(names::os(&name)));
    }
    if let Some(top) = place.top {
        let checkout = top.join(names::os(&link.path));
        let dot_git = checkout.join(".git");
        match std::fs::read(&dot_git) {
            Ok(text) => {
                let target = text.strip_prefix(b"gitdir: ").unwrap_or_default();
                let target = target.strip_suffix(b"\n").unwrap_or(target);
                dirs.push(checkout.join(names::os(target)));
            }
            Err(_) => dirs.push(dot_git),
        }
    }
    dirs.retain(|dir| dir.join("objects").is_dir());
    dirs
}

/// The submodule's name: its section in `.gitmodules`.
fn name_of(place: &Super<'_>, path: &[u8]) -> Option<Vec<u8>> {
    let blob = format!("{}:.gitmodules", place.commit);
    let asked = [
        "config",
        "-z",
        "--blob",
        &blob,
        "--get-regexp",
        r"^submodule\..*\.path$",
    ];
    let output = place.git.run(&asked).ok()?;
    let name = crate::git::records(&output).find_map(|record| {
        let at = record.iter().position(|b| *b == b'\n')?;
        let key = record
            .get(..at)?
            .strip_prefix(b"submodule.")?
            .strip_suffix(b".path")?;
        (record.get(at + 1..)? == path).then(|| key.to_vec())
    })?;
    // A name that climbs out of `modules/` is an old attack on git itself.
    let climbs = name.split(|b| *b == b'/').any(|part| part == b"..") || name.starts_with(b"/");
    (!climbs).then_some(name)
}

/// Lets the person's own git fetch one submodule into a throw-away repository, as `git submodule update --init` would
/// in theirs; the git directory that holds it then.
fn fetch(layout: &Layout, origin: &Origin, commit: &str, link: &Listed) -> Option<PathBuf> {
    let temporary = borrowed_dir(&layout.submodule(0)).with_extension("fetch");
    remove_dir(&temporary).ok()?;
    make_dir(&temporary).ok()?;
    let git = Git::person(&temporary);
    let format = format!("--object-format={}", origin.format);
    git.run(&["init", "-q", "--template=", &format]).ok()?;
    let git_dir = temporary.join(".git");
    write_file(
        &git_dir.join("objects/info/alternates"),
        alternate(&origin.objects).as_bytes(),
    )
    .ok()?;
    let url = origin
        .persons_git()
        .ask(&["config", "--get", "remote.origin.url"])
        .ok()?;
    let url = url.unwrap_or_else(|| {
        origin
            .top
            .as_ref()
            .unwrap_or(&origin.git_dir)
            .to_string_lossy()
            .into_owned()
    });
    git.run(&["config", "remote.origin.url", &url]).ok()?;
    git.run(&["read-tree", commit]).ok()?;
    git.run(&["checkout-index", "-q", "--", ".gitmodules"])
        .ok()?;
    let path = names::os(&link.path);
    let mut args: Vec<&std::ffi::OsStr> = [
        "submodule",
        "--quiet",
        "update",
        "--init",
        "--recursive",
        "--",
    ]
    .iter()
    .map(std::ffi::OsStr::new)
    .collect();
    args.push(path.as_os_str());
    git.run(&args).ok()?;
    Some(git_dir)
}
