//! The zoo: scripted agents, honest ones and cheats, that are played over small fixture repositories with the real
//! machinery: this binary, git, the sandbox, the languages' own runners. A gate that lets a cheat reach `complete` is
//! broken, and so is one that refuses honest work.
//!
//! Agents and fixtures are data, embedded in the binary: `crates/cli/zoo`. `docs/zoo.md` says how to add one.

mod agent;
mod fixture;
mod outcome;
mod play;
mod table;

pub use agent::{Agent, agents};
pub use fixture::{Language, fixtures};
pub use outcome::{Outcome, Played};
pub use play::Ground;
pub use table::{Counts, listed, to_json, to_text};

use include_dir::{Dir, include_dir};

/// `agents/<family>/<name>.yaml` and `fixtures/<name>/…`.
static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/zoo");

/// What is wrong with the zoo's own files.
#[derive(Debug, thiserror::Error)]
#[error("zoo/{path}: {what}")]
pub struct Broken {
    path: String,
    what: String,
}

fn broken(path: impl std::fmt::Display, what: impl std::fmt::Display) -> Broken {
    Broken {
        path: path.to_string(),
        what: what.to_string(),
    }
}

/// The text of an embedded file.
fn text(file: &'static include_dir::File<'static>) -> Result<&'static str, Broken> {
    let path = file.path().display();
    file.contents_utf8()
        .ok_or_else(|| broken(path, "is not UTF-8"))
}
