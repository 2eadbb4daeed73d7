//! What the model is told in a draft, and how the conversation stays within its room.

use std::fmt::Write;

use overnight_core::judge::plain;
use overnight_ports::model::Entry;

use super::{Task, files};

const INSTRUCTIONS: &str = include_str!("../../prompts/draft/instructions.md");
const GOAL_FILE: &str = include_str!("../../prompts/draft/goal_file.md");
/// Names of the repository's root that the first message lists.
const NAMES_MAX: usize = 80;
/// What stands in place of a result that was left out.
const LEFT_OUT: &str = "[left out for length; call the tool again if you still need it]";

/// The system prompt: the same bytes for every draft.
pub(super) fn instructions() -> String {
    format!("{INSTRUCTIONS}\n{GOAL_FILE}")
}

/// The first message.
pub(super) fn first(task: &Task<'_>) -> String {
    let mut text = format!(
        "Draft a goal from the person's words:\n\n<words>\n{}\n</words>\n",
        task.words.trim()
    );
    match task.files {
        Some(files) => {
            let _ = writeln!(
                text,
                "\nThe repository has {} tracked files. At its root:",
                files.paths.len()
            );
            let names = files::entries(files.paths.iter().map(String::as_str));
            for name in names.iter().take(NAMES_MAX) {
                let _ = writeln!(text, "- {}", plain(name).replace('\n', " "));
            }
            if names.len() > NAMES_MAX {
                let _ = writeln!(text, "- … {} more", names.len() - NAMES_MAX);
            }
            if files.withheld > 0 {
                let _ = writeln!(
                    text,
                    "{} tracked files are withheld because their names say that they hold secrets.",
                    files.withheld
                );
            }
        }
        None => text.push_str("\nThere is no repository to look at.\n"),
    }
    if !task.found.is_empty() {
        text.push_str("\nWhat the harness found by itself, ready to be used:\n");
        for line in task.found {
            let _ = writeln!(text, "- {}", plain(line).replace('\n', " "));
        }
    }
    if !task.may_ask {
        text.push_str(
            "\nNobody can be asked: where the words leave something open, take the narrower reading.\n",
        );
    }
    text
}

/// The conversation with the oldest results left out, so that those that remain have room.
pub(super) fn within(mut entries: Vec<Entry>, room: usize) -> Vec<Entry> {
    let mut used = 0;
    let mut newest = true;
    for entry in entries.iter_mut().rev() {
        let Entry::Result { text, .. } = entry else {
            continue;
        };
        used += text.len();
        // The newest result is what the model has just asked for.
        if used > room && !newest && text.len() > LEFT_OUT.len() {
            *text = LEFT_OUT.to_owned();
        }
        newest = false;
    }
    entries
}
