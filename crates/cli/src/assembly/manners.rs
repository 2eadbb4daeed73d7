//! What a repository says to whoever works on it, the way other agents read it too: `AGENTS.md` files from the root down
//! to the folder in which the run was started, and skills, which are named here and read on demand. Taken from the base,
//! so that the prompt stays the same over a run whatever the agent changes.

use std::fmt::Write;

use overnight_core::ids::TreeId;
use overnight_core::judge::{clip, plain};
use overnight_workspace::Checkouts;

/// How much of all `AGENTS.md` files together is shown, bytes: what Codex shows.
const AGENTS_BYTES_MAX: usize = 32 * 1024;
/// In each folder the first of these that exists counts.
const AGENTS_NAMES: [&str; 2] = ["AGENTS.override.md", "AGENTS.md"];
/// Where skills are.
const SKILLS_FOLDER: &str = ".agents/skills/";
/// How many skills are named.
const SKILLS_MAX: usize = 50;
/// How much of a skill's description is shown, bytes.
const DESCRIPTION_BYTES_MAX: usize = 300;
/// The largest file that is looked at, bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What the base says, as a part of the prompt; empty if it says nothing. `prefix` is the folder in which the run was
/// started, with a `/` at its end.
pub fn guidance(checkouts: &Checkouts, base: &TreeId, prefix: &str) -> String {
    let mut text = String::new();
    let files = agents(checkouts, base, prefix);
    if !files.is_empty() {
        text.push_str("The repository's own guidance, nearest last. Where it and the contract differ, the contract counts.\n");
        text.push_str(&files);
    }
    let skills = skills(checkouts, base);
    if !skills.is_empty() {
        text.push_str("\nSkills of the repository; `read` one before you do what it is about.\n");
        text.push_str(&skills);
    }
    text
}

fn agents(checkouts: &Checkouts, base: &TreeId, prefix: &str) -> String {
    let mut folders = vec![String::new()];
    folders.extend(
        prefix
            .match_indices('/')
            .map(|(at, _)| prefix[..=at].to_owned()),
    );
    let mut text = String::new();
    for folder in folders {
        let found = AGENTS_NAMES.iter().find_map(|name| {
            let path = format!("{folder}{name}");
            checkouts
                .file(base, &path, FILE_BYTES_MAX)
                .map(|bytes| (path, bytes))
        });
        if let Some((path, bytes)) = found {
            let room = AGENTS_BYTES_MAX.saturating_sub(text.len());
            let _ = write!(
                text,
                "\n`{path}`\n{}\n",
                clip(&plain(&String::from_utf8_lossy(&bytes)), room)
            );
        }
    }
    text
}

fn skills(checkouts: &Checkouts, base: &TreeId) -> String {
    let files = checkouts
        .objects_named(base, &["SKILL.md"])
        .unwrap_or_default();
    let mut text = String::new();
    for (path, _) in files
        .iter()
        .filter(|(path, _)| path.starts_with(SKILLS_FOLDER))
        .take(SKILLS_MAX)
    {
        let content = checkouts
            .file(base, path, FILE_BYTES_MAX)
            .unwrap_or_default();
        let content = String::from_utf8_lossy(&content);
        let field = |key: &str| {
            let front = content.strip_prefix("---")?.split("\n---").next()?;
            let line = front
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
            Some(clip(
                plain(line).trim().trim_matches('"'),
                DESCRIPTION_BYTES_MAX,
            ))
        };
        let name = field("name").unwrap_or_else(|| path.clone());
        let about = field("description").unwrap_or_default();
        let _ = writeln!(text, "- {name} (`{path}`): {about}");
    }
    text
}
