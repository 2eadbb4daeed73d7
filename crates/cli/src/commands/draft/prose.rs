//! Where a person's words come from: the command line, a file, standard input.

use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::Context;
use overnight_agent::drafting::WORDS_BYTES_MAX;
use overnight_core::goal::parse;
use overnight_core::judge::plain;

use super::is_there;
use crate::problem::usage;

/// What the argument of `run` is.
pub enum Given {
    /// The path of a goal file.
    File,
    /// The goal in words.
    Words(String),
}

/// Tells a path from prose: what exists is a file, what holds a blank is prose, and anything else is a mistake.
pub fn given(argument: &Path) -> anyhow::Result<Given> {
    if is_there(argument) {
        return Ok(Given::File);
    }
    match argument.to_str() {
        Some(text) if text.trim().contains(char::is_whitespace) => {
            Ok(Given::Words(sound(text, "the goal")?))
        }
        Some(_) | None => Err(usage(format!(
            "there is no file {}, and a single word is no goal: give the path of a goal file, or the goal in words \
             (\"The test suite passes again. Do not touch src/.\")",
            crate::lines::clean(&argument.to_string_lossy())
        ))),
    }
}

/// The words for `draft`: a file's content, the argument itself, or standard input.
pub fn words(argument: Option<&Path>) -> anyhow::Result<String> {
    match argument {
        Some(path) if path.as_os_str() == "-" => from_input(),
        None => from_input(),
        Some(path) if is_there(path) => from_file(path),
        Some(path) => match given(path)? {
            Given::Words(words) => Ok(words),
            // It has come into being meanwhile.
            Given::File => from_file(path),
        },
    }
}

fn from_input() -> anyhow::Result<String> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(usage(
            "say what you want: `overnight draft \"…\"`, a file that holds it, or standard input",
        ));
    }
    let bytes = bounded(input.lock()).context("standard input")?;
    text(&bytes, "standard input")
}

fn from_file(path: &Path) -> anyhow::Result<String> {
    let name = path.display().to_string();
    let failed = |e: std::io::Error| usage(format!("{name}: {e}"));
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(usage(format!("{name} is no regular file")));
    }
    let bytes = bounded(std::fs::File::open(path).map_err(failed)?).map_err(failed)?;
    text(&bytes, &name)
}

/// At most one byte more than may be given.
fn bounded(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(WORDS_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(bytes: &[u8], name: &str) -> anyhow::Result<String> {
    // Longer ones end anywhere, so that this comes before the question whether they are UTF-8.
    if bytes.len() > WORDS_BYTES_MAX {
        return Err(too_long(name));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| usage(format!("{name} is not UTF-8 text: save it as UTF-8")))?;
    sound(text, name)
}

fn too_long(name: &str) -> anyhow::Error {
    usage(format!(
        "{name} has more than {WORDS_BYTES_MAX} bytes: say what you want in fewer words, and name the files that hold \
         the rest"
    ))
}

/// Words that can be drafted from, without what a terminal would take for a command.
fn sound(text: &str, name: &str) -> anyhow::Result<String> {
    if text.len() > WORDS_BYTES_MAX {
        return Err(too_long(name));
    }
    if parse::parse(text).is_ok() {
        return Err(usage(format!(
            "{name} is a goal file already: `overnight lint`, `overnight check` and `overnight run` take it as it is"
        )));
    }
    let words = plain(text.trim_start_matches('\u{feff}'));
    let words = words.trim();
    if words.is_empty() {
        return Err(usage(format!("{name} says nothing: what is to be done?")));
    }
    Ok(words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_prose() {
        let temp = tempfile::tempdir().expect("a folder");
        let file = temp.path().join("my goal.md");
        std::fs::write(&file, "x").expect("written");
        assert!(matches!(given(&file), Ok(Given::File)));
        assert!(
            matches!(given(Path::new("Fix the bug.")), Ok(Given::Words(w)) if w == "Fix the bug.")
        );
        for wrong in ["goal.md", "", "   ", "nowhere/goal.md"] {
            let error = given(Path::new(wrong)).err().expect("neither").to_string();
            assert!(
                error.contains("no file") && error.contains("in words"),
                "{error}"
            );
        }
        // Longer than any path may be.
        let long = "word ".repeat(2_000);
        assert!(matches!(given(Path::new(&long)), Ok(Given::Words(_))));
    }

    #[test]
    fn words_are_bounded_and_plain() {
        assert!(text(&[b'a', 0xff], "x").is_err());
        assert!(text(&vec![b'a'; WORDS_BYTES_MAX + 1], "x").is_err());
        assert!(text(b" \n\t", "x").is_err());
        let goal = b"---\noutcome: It works.\ndone: [npm test]\n---\n";
        let error = text(goal, "x").expect_err("a goal").to_string();
        assert!(error.contains("already"), "{error}");
        assert_eq!(
            text(b"Fix \x1b[31mit\x1b[0m.\r\n", "x").expect("words"),
            "Fix it."
        );
    }
}
