//! Where drafts are kept: nothing that a person paid for is lost, and nothing is written over.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::is_there;
use crate::home::made_home;
use crate::problem::usage;

/// Mode of a kept draft: the words may be private.
const DRAFT_MODE: u32 = 0o600;
/// Length of the part of a name that tells what it is about, characters.
const SLUG_CHARS_MAX: usize = 40;
/// Drafts of one second and one outcome.
const SAME_NAME_MAX: u32 = 1_000;

/// Keeps a draft in the home folder; where.
pub fn keep(text: &str, about: &str) -> anyhow::Result<PathBuf> {
    let dir = made_home()?.join("drafts");
    std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let stem = format!(
        "{}-{}",
        jiff::Zoned::now().strftime("%Y%m%d-%H%M%S"),
        slug(about)
    );
    for number in 1..=SAME_NAME_MAX {
        let name = match number {
            1 => format!("{stem}.md"),
            n => format!("{stem}-{n}.md"),
        };
        let path = dir.join(name);
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(DRAFT_MODE)
            .open(&path);
        match made {
            Ok(mut file) => {
                file.write_all(text.as_bytes())
                    .with_context(|| path.display().to_string())?;
                return Ok(path);
            }
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e).with_context(|| path.display().to_string()),
        }
    }
    anyhow::bail!("{} holds too many drafts of this second", dir.display())
}

/// Whether a goal can be written there: found out before anything is paid for.
pub fn writable(path: &Path, force: bool) -> anyhow::Result<()> {
    let shown = path.display();
    if is_there(path) && !force {
        return Err(usage(format!(
            "{shown} is there already: choose another name, or say --force to write over it"
        )));
    }
    if path.is_dir() {
        return Err(usage(format!("{shown} is a folder: name a file")));
    }
    let above = match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        Some(_) | None => Path::new("."),
    };
    if above.is_dir() {
        Ok(())
    } else {
        Err(usage(format!(
            "{} is no folder: make it first",
            above.display()
        )))
    }
}

/// A name for people: lower-case words joined by `-`.
fn slug(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        if slug.len() + word.len() >= SLUG_CHARS_MAX {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word.to_ascii_lowercase());
    }
    if slug.is_empty() {
        "goal".to_owned()
    } else {
        slug
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_it_is_about_and_is_harmless() {
        assert_eq!(
            slug("A discount is taken off, in %."),
            "a-discount-is-taken-off-in"
        );
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug("…"), "goal");
        assert_eq!(slug(&"x".repeat(500)), "goal");
    }

    #[test]
    fn what_cannot_be_written_is_said_before() {
        let temp = tempfile::tempdir().expect("a folder");
        let file = temp.path().join("goal.md");
        assert!(writable(&file, false).is_ok());
        std::fs::write(&file, "mine").expect("written");
        assert!(writable(&file, false).is_err());
        assert!(writable(&file, true).is_ok());
        assert!(writable(temp.path(), true).is_err());
        assert!(writable(&temp.path().join("no/goal.md"), false).is_err());
    }
}
