//! `search`: ripgrep's own libraries over the workspace's files.

use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use globset::GlobBuilder;
use grep_regex::RegexMatcherBuilder;
use grep_searcher::sinks::Lossy;
use grep_searcher::{BinaryDetection, SearcherBuilder};
use ignore::WalkBuilder;
use overnight_core::judge::clip;
use serde::Deserialize;

use crate::context::Context;
use crate::tools::Outcome;
use crate::tools::files::{Opened, open_regular};

/// Matching lines that one search returns.
const MATCHES_MAX: usize = 200;
/// Length of one of them, bytes.
const LINE_BYTES_MAX: usize = 300;
/// Files larger than this are not searched, bytes.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

#[derive(Deserialize)]
pub(crate) struct Args {
    pattern: String,
    pub path: Option<String>,
    glob: Option<String>,
}

pub(crate) fn run(args: Args, cx: &Context<'_>) -> Outcome {
    let Some(inner) = cx.ready.relative(args.path.as_deref().unwrap_or(".")) else {
        return Outcome::failed("`path` is outside the workspace; `shell` searches there.");
    };
    below(&cx.ready.dir, &inner, &args)
}

/// Searches what is at `inner` below a folder.
pub(crate) fn below(dir: &Path, inner: &str, args: &Args) -> Outcome {
    let matcher = match RegexMatcherBuilder::new()
        .line_terminator(Some(b'\n'))
        .build(&args.pattern)
    {
        Ok(matcher) => matcher,
        Err(e) => return Outcome::failed(format!("`pattern` is no regular expression: {e}.")),
    };
    let glob = match args
        .glob
        .as_deref()
        .map(|g| GlobBuilder::new(g).literal_separator(false).build())
    {
        None => None,
        Some(Ok(glob)) => Some(glob.compile_matcher()),
        Some(Err(e)) => return Outcome::failed(format!("`glob` is no pattern: {e}.")),
    };
    let Ok(root) = Dir::open_ambient_dir(dir, ambient_authority()) else {
        return Outcome::failed("The workspace cannot be opened.");
    };
    let start = dir.join(inner);
    if holds_up(&start) {
        return Outcome::failed("An ignore file of that folder is no regular file; remove it.");
    }
    let mut searcher = SearcherBuilder::new()
        .line_number(true)
        .binary_detection(BinaryDetection::quit(0))
        .build();
    let mut found: Vec<String> = Vec::new();
    let walk = WalkBuilder::new(&start)
        .hidden(false)
        .git_global(false)
        .git_exclude(false)
        .parents(false)
        .require_git(false)
        .filter_entry(|e| e.file_name() != ".git" && !holds_up(e.path()))
        .max_filesize(Some(FILE_BYTES_MAX))
        .sort_by_file_path(|a, b| a.cmp(b))
        .build();
    for entry in walk.flatten() {
        if !entry.file_type().is_some_and(|t| t.is_file()) {
            continue;
        }
        let Ok(path) = entry.path().strip_prefix(dir) else {
            continue;
        };
        if glob
            .as_ref()
            .is_some_and(|g| !g.is_match(path) && !path.file_name().is_some_and(|n| g.is_match(n)))
        {
            continue;
        }
        // Opened through the workspace's own handle: a link that leads out of it is refused.
        let mut options = OpenOptions::new();
        options.read(true);
        let Ok(Opened::File(file)) = open_regular(&root, path, options) else {
            continue;
        };
        let name = path.display().to_string();
        let sink = Lossy(|line, text| {
            found.push(format!(
                "{name}:{line}: {}",
                clip(text.trim_end(), LINE_BYTES_MAX)
            ));
            Ok(found.len() < MATCHES_MAX)
        });
        // A file that cannot be read is like one without a match.
        let _ = searcher.search_file(&matcher, &file.into_std(), sink);
        if found.len() >= MATCHES_MAX {
            break;
        }
    }
    if found.is_empty() {
        return Outcome::done("No match.");
    }
    let mut outcome = Outcome::done(found.join("\n"));
    if found.len() >= MATCHES_MAX {
        outcome.footer = format!("[the first {MATCHES_MAX} matches]");
    }
    outcome
}

/// Whether one of the ignore files that the walk opens in a folder is a FIFO or the like, whose opening never ends.
fn holds_up(folder: &Path) -> bool {
    [".gitignore", ".ignore"]
        .iter()
        .any(|name| std::fs::metadata(folder.join(name)).is_ok_and(|m| !m.is_file() && !m.is_dir()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignore_file_that_is_a_fifo_is_not_opened() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(!holds_up(dir.path()));
        std::fs::write(dir.path().join(".ignore"), "x").expect("a file");
        assert!(!holds_up(dir.path()));
        let made = std::process::Command::new("mkfifo")
            .arg(dir.path().join(".gitignore"))
            .status();
        assert!(made.expect("mkfifo").success() && holds_up(dir.path()));
    }
}
