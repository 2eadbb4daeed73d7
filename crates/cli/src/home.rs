//! `$OVERNIGHT_HOME`: where runs, setup layers and preflight results are kept.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use etcetera::BaseStrategy;
use overnight_engine::Shelf;

/// Mode of a home folder that is made.
const HOME_MODE: u32 = 0o700;

/// The home folder: `$OVERNIGHT_HOME`, else the platform's state directory.
pub fn home() -> anyhow::Result<PathBuf> {
    if let Some(home) = std::env::var_os("OVERNIGHT_HOME").filter(|h| !h.is_empty()) {
        let home = PathBuf::from(home);
        return std::path::absolute(&home)
            .with_context(|| format!("OVERNIGHT_HOME={}", home.display()));
    }
    let dirs = etcetera::choose_base_strategy().context("no home directory: set OVERNIGHT_HOME")?;
    Ok(dirs
        .state_dir()
        .unwrap_or_else(|| dirs.data_dir())
        .join("overnight"))
}

/// The home folder, made if it is not there: for this user only, since what it holds (checkouts, journals, copies of
/// `use.files`) may be secret. A folder that exists keeps the mode that its owner gave it.
pub fn made_home() -> anyhow::Result<PathBuf> {
    let home = home()?;
    make(&home).with_context(|| home.display().to_string())?;
    Ok(home)
}

fn make(home: &Path) -> std::io::Result<()> {
    if let Some(above) = home.parent() {
        std::fs::create_dir_all(above)?;
    }
    match DirBuilder::new().mode(HOME_MODE).create(home) {
        Err(_) if home.is_dir() => Ok(()),
        made => made,
    }
}

/// A folder for one command, in the home folder. It goes when this is dropped, with whatever a check made read-only.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Makes one.
    pub fn new(home: &Path, prefix: &str) -> anyhow::Result<Scratch> {
        let tmp = home.join("tmp");
        std::fs::create_dir_all(&tmp).with_context(|| tmp.display().to_string())?;
        sweep(&tmp);
        let made = tempfile::Builder::new().prefix(prefix).tempdir_in(&tmp);
        Ok(Scratch(
            made.with_context(|| tmp.display().to_string())?.keep(),
        ))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        /// How often: a command that is interrupted may leave a git behind that writes for a moment longer.
        const TRIES: u32 = 20;
        const PAUSE: std::time::Duration = std::time::Duration::from_millis(25);
        for _ in 0..TRIES {
            match std::fs::remove_dir_all(&self.0) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    open_up(&self.0);
                    std::thread::sleep(PAUSE);
                }
                Ok(()) | Err(_) => return,
            }
        }
    }
}

/// Removes what killed commands left long ago.
fn sweep(tmp: &Path) {
    /// No command that has such a folder works for longer.
    const AGE_MAX: std::time::Duration = std::time::Duration::from_secs(7 * 24 * 60 * 60);
    for entry in std::fs::read_dir(tmp).into_iter().flatten().flatten() {
        let age = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .ok()
            .and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > AGE_MAX) {
            drop(Scratch(entry.path()));
        }
    }
}

/// Makes every folder below `dir` its owner's to change.
fn open_up(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let _ = std::fs::set_permissions(dir, std::fs::Permissions::from_mode(HOME_MODE));
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

/// Preflight results as files.
pub struct FileShelf {
    dir: PathBuf,
}

impl FileShelf {
    /// The shelf of a home folder.
    pub fn new(home: &Path) -> Self {
        FileShelf {
            dir: home.join("preflight"),
        }
    }
}

impl Shelf for FileShelf {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.dir.join(key)).ok()
    }

    fn put(&self, key: &str, content: &[u8]) {
        // Losing a result costs time only, so a full disk is no reason to stop here.
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(&self.dir)?;
            let beside = self.dir.join(format!("{key}.{}", std::process::id()));
            std::fs::write(&beside, content)?;
            std::fs::rename(&beside, self.dir.join(key))
        };
        let _ = write();
    }
}

/// A shelf that keeps nothing.
pub struct NoShelf;

impl Shelf for NoShelf {
    fn get(&self, _key: &str) -> Option<Vec<u8>> {
        None
    }

    fn put(&self, _key: &str, _content: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_scratch_folder_goes_whatever_was_made_read_only_in_it() {
        let temp = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(temp.path(), "try-").unwrap();
        let locked = scratch.path().join("a/b");
        std::fs::create_dir_all(&locked).unwrap();
        std::fs::write(locked.join("file"), "").unwrap();
        std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
        let place = scratch.path().to_owned();
        assert!(place.is_dir());
        drop(scratch);
        assert!(!place.exists());
        assert_eq!(temp.path().join("tmp").read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_home_that_is_made_is_its_owners_alone_and_one_that_exists_stays() {
        let temp = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let home = temp.path().join("state/overnight");
        make(&home).unwrap();
        assert_eq!(mode(&home), HOME_MODE);
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o750)).unwrap();
        make(&home).unwrap();
        assert_eq!(mode(&home), 0o750);
        std::fs::write(temp.path().join("file"), "").unwrap();
        assert!(make(&temp.path().join("file")).is_err());
    }
}
