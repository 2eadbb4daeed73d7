//! Bare stores of the harness's own, written by hand: no template, no hook, no configuration but ours.

use std::path::Path;

use overnight_ports::workspace::WorkspaceError;

use crate::facts::{make_dir, write_file};
use crate::git::{alternate, config};

/// Makes a bare store that borrows the objects of another. `borrowed_git_dir` may be a shallow clone.
pub(crate) fn make(
    at: &Path,
    format: &str,
    objects: &Path,
    borrowed_git_dir: &Path,
) -> Result<(), WorkspaceError> {
    for folder in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
        make_dir(&at.join(folder))?;
    }
    write_file(&at.join("HEAD"), b"ref: refs/heads/none\n")?;
    write_file(&at.join("config"), config(format, true).as_bytes())?;
    write_file(
        &at.join("objects/info/alternates"),
        alternate(objects).as_bytes(),
    )?;
    if let Ok(shallow) = std::fs::read(borrowed_git_dir.join("shallow")) {
        write_file(&at.join("shallow"), &shallow)?;
    }
    Ok(())
}

/// The object format that an object's name is of.
pub(crate) fn format_of(oid: &str) -> &'static str {
    const SHA256_DIGITS: usize = 64;
    if oid.len() == SHA256_DIGITS {
        "sha256"
    } else {
        "sha1"
    }
}

/// Takes text for the name of an object only if it can be nothing else, an option least of all.
pub(crate) fn object_name(text: &str) -> Result<&str, WorkspaceError> {
    let hex = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    if hex {
        Ok(text)
    } else {
        Err(WorkspaceError::Refused(format!(
            "`{text}` is no name of a git object"
        )))
    }
}
