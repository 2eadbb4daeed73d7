//! `$OVERNIGHT_HOME`: where runs, setup layers and preflight results are kept.

use std::path::{Path, PathBuf};

use anyhow::Context;
use etcetera::BaseStrategy;
use overnight_engine::Shelf;

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
