//! Looks at files of a checkout from outside its cell. The checkout's content is the candidate's, so that a link in
//! it may point anywhere: whatever leads out of the checkout is not there.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use overnight_core::check::{Observation, Obstacle};

use super::{Checkout, FILE_BYTES_MAX};
use crate::runners;

/// Largest manifest that is looked into, bytes.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;
/// Most folders that are listed.
const FOLDERS_MAX: usize = 500;

/// The checkout's manifests.
pub(super) struct Files {
    root: PathBuf,
}

impl Files {
    pub(super) fn open(root: &Path) -> Files {
        Files {
            root: root.to_owned(),
        }
    }
}

impl runners::Files for Files {
    fn read(&self, path: &str) -> Option<String> {
        let path = inside(&self.root, path)?;
        let mut text = String::new();
        let file = std::fs::File::open(path).ok()?;
        let meta = file.metadata().ok()?;
        if !meta.is_file() || meta.len() > MANIFEST_BYTES_MAX {
            return None;
        }
        file.take(MANIFEST_BYTES_MAX)
            .read_to_string(&mut text)
            .ok()?;
        Some(text)
    }

    fn folders(&self, path: &str) -> Vec<String> {
        let Some(path) = inside(&self.root, path) else {
            return Vec::new();
        };
        let entries = std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<String> = folders
            .filter_map(|e| e.file_name().into_string().ok())
            .take(FOLDERS_MAX)
            .collect();
        names.sort();
        names
    }
}

/// Answers a `file` check: nothing is run.
pub(super) fn look(checkout: &Checkout, dir: &str, path: &str) -> Result<Observation, Obstacle> {
    let absent = Observation {
        exit: Some(1),
        ..Observation::default()
    };
    let joined = runners::packages::join(dir, path);
    let Some(found) = inside(&checkout.dir, &joined) else {
        return Ok(absent);
    };
    let trouble = |e: std::io::Error| Obstacle::Harness {
        detail: format!("{joined}: {e}"),
    };
    let meta = std::fs::metadata(&found).map_err(trouble)?;
    let mut output = Vec::new();
    if meta.is_file() {
        let file = std::fs::File::open(&found).map_err(trouble)?;
        file.take(FILE_BYTES_MAX as u64)
            .read_to_end(&mut output)
            .map_err(trouble)?;
    } else if !meta.is_dir() {
        // A socket or a pipe is nothing that a repository holds.
        return Ok(absent);
    }
    Ok(Observation {
        exit: Some(0),
        output,
        ..Observation::default()
    })
}

/// Largest file of the implementation that is read, bytes.
const SOURCE_BYTES_MAX: u64 = 1024 * 1024;

/// The content of an ordinary file of the checkout; nothing if it is a link, too large, or no text.
pub(super) fn text_of(root: &Path, path: &str) -> Option<String> {
    if std::fs::symlink_metadata(root.join(path))
        .ok()?
        .is_symlink()
    {
        return None;
    }
    let found = inside(root, path)?;
    let file = std::fs::File::open(found).ok()?;
    let meta = file.metadata().ok()?;
    if !meta.is_file() || meta.len() > SOURCE_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(SOURCE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

/// The real path of `path` below `root`; `None` if it is not there, or elsewhere.
fn inside(root: &Path, path: &str) -> Option<PathBuf> {
    let root = root.canonicalize().ok()?;
    let real = root.join(path).canonicalize().ok()?;
    real.starts_with(&root).then_some(real)
}

/// Whether a path that a person named lies below the directory that it is relative to.
pub(super) fn is_inside(path: &str) -> bool {
    let mut depth = 0_i32;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return false;
        }
    }
    depth > 0 && !path.starts_with('/') && !path.contains('\0')
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::runners::Files as _;

    #[test]
    fn a_link_that_leads_out_of_the_checkout_is_not_there() {
        let outside = tempfile::tempdir().expect("a folder");
        std::fs::write(outside.path().join("secret"), "s").expect("written");
        let root = tempfile::tempdir().expect("a folder");
        std::fs::write(root.path().join("package.json"), "{}").expect("written");
        std::os::unix::fs::symlink(outside.path().join("secret"), root.path().join("out"))
            .expect("linked");
        std::os::unix::fs::symlink("package.json", root.path().join("within")).expect("linked");
        let files = Files::open(root.path());
        assert_eq!(files.read("package.json").as_deref(), Some("{}"));
        assert_eq!(files.read("within").as_deref(), Some("{}"));
        for path in ["out", "../secret", "/etc/passwd", "absent", "."] {
            assert_eq!(files.read(path), None, "{path}");
        }
    }

    #[test]
    fn a_report_must_lie_below_the_checks_directory() {
        for path in ["out.xml", "a/b", "a/../b", "./x"] {
            assert!(is_inside(path), "{path}");
        }
        for path in ["", ".", "..", "/etc/x", "../x", "a/../../x", "a/..", "./"] {
            assert!(!is_inside(path), "{path}");
        }
    }
}
