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
