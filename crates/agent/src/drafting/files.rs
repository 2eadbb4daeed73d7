//! `list`: the tracked files by their names, folder by folder.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use overnight_core::judge::plain;
use serde::Deserialize;

use super::Files;
use crate::worksite::within;

/// Names that one `list` returns.
const NAMES_MAX: usize = 400;

#[derive(Deserialize)]
pub(super) struct ListArgs {
    path: Option<String>,
    #[serde(default)]
    all: bool,
}

/// A path below the repository; a leading `/` is its root, as people write it.
pub(super) fn inside(path: &str) -> Option<String> {
    within(path, Path::new("/"))
}

pub(super) fn list(args: &ListArgs, files: &Files) -> String {
    let given = args.path.as_deref().unwrap_or("");
    let Some(folder) = inside(given) else {
        return format!("`{given}` is outside the repository.");
    };
    let prefix = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    let below = files
        .paths
        .iter()
        .filter_map(|path| path.strip_prefix(&prefix));
    let names: Vec<String> = if args.all {
        below.map(str::to_owned).collect()
    } else {
        entries(below)
    };
    if names.is_empty() {
        return format!("There is no tracked folder `{given}`.");
    }
    let mut text = String::new();
    for name in names.iter().take(NAMES_MAX) {
        let _ = writeln!(text, "{}", plain(name).replace('\n', " "));
    }
    if names.len() > NAMES_MAX {
        let more = names.len() - NAMES_MAX;
        let _ = writeln!(text, "[and {more} more: name a folder]");
    }
    text
}

/// The entries of one folder: files, and folders with how many files are below each.
pub(super) fn entries<'p>(paths: impl Iterator<Item = &'p str>) -> Vec<String> {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    let mut plain_files = Vec::new();
    for path in paths {
        match path.split_once('/') {
            Some((folder, _)) => *folders.entry(folder).or_default() += 1,
            None => plain_files.push(path.to_owned()),
        }
    }
    let folders = folders
        .into_iter()
        .map(|(folder, count)| format!("{folder}/ ({count})"));
    folders.chain(plain_files).collect()
}
