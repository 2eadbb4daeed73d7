//! The run folder: where its parts are, and the facts that outlive the process.

use std::io::Write;
use std::path::{Path, PathBuf};

use overnight_ports::workspace::{Base, WorkspaceError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::git::Git;
use crate::origin::Origin;

/// Where the parts of one run's folder are.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The folder of this workspace.
    run_dir: PathBuf,
    /// The run's folder, with what all of its workspaces share: the store, LFS objects, `use.files`, submodules. The
    /// same as `run_dir` but for the workspaces of items.
    shared: PathBuf,
}

/// What was found and decided when the folder was prepared.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) origin: Origin,
    pub(crate) base: Base,
    /// Every gitlink of the base.
    pub(crate) submodules: Vec<Submodule>,
    /// What `use.files` named: paths of files, and of folders with a `/` at their end. Text form.
    pub(crate) files: Vec<String>,
    /// Paths that count although they are ignored or look like artefacts. Text form.
    pub(crate) licensed: Vec<String>,
    /// Whether the base has paths under LFS.
    pub(crate) lfs: bool,
    /// What could not be had, for people.
    pub(crate) notes: Vec<String>,
}

/// One gitlink.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Submodule {
    /// Where, text form.
    pub(crate) path: String,
    /// Number of the folder under `submodules/` with its content, if it could be had.
    pub(crate) content: Option<usize>,
}

impl Layout {
    pub(crate) fn new(run_dir: &Path) -> Result<Self, WorkspaceError> {
        let path = std::path::absolute(run_dir);
        let run_dir = path.map_err(|source| WorkspaceError::Io {
            path: run_dir.to_owned(),
            source,
        })?;
        Ok(Layout {
            shared: run_dir.clone(),
            run_dir,
        })
    }

    /// Where the workspace of an item is, in its `round`-th making.
    pub(crate) fn item(&self, index: u32, round: u32) -> Layout {
        Layout {
            run_dir: self.items().join(format!("{index}-{round}")),
            shared: self.shared.clone(),
        }
    }

    /// Where the workspaces of items are.
    pub(crate) fn items(&self) -> PathBuf {
        self.shared.join("items")
    }

    /// The objects of the base as every item's clone begins with them. The harness's own: they are copied.
    pub(crate) fn items_objects(&self) -> PathBuf {
        self.shared.join("items.objects")
    }

    /// This workspace's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.run_dir
    }

    fn at(&self, name: &str) -> PathBuf {
        self.run_dir.join(name)
    }

    /// The agent's clone.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.at("workspace")
    }

    /// The harness's own store.
    pub(crate) fn store(&self) -> PathBuf {
        self.shared.join("harness.git")
    }

    /// git on the harness's own store.
    pub(crate) fn git(&self) -> Git {
        Git::store(&self.store())
    }

    /// Copies of what `use.files` names.
    pub(crate) fn files(&self) -> PathBuf {
        self.shared.join("files")
    }

    /// Content of one submodule.
    pub(crate) fn submodule(&self, number: usize) -> PathBuf {
        self.shared.join("submodules").join(number.to_string())
    }

    /// LFS objects of the harness's own.
    pub(crate) fn lfs(&self) -> PathBuf {
        self.shared.join("lfs")
    }

    /// The index of the base's tree.
    pub(crate) fn base_index(&self) -> PathBuf {
        self.at("base.index")
    }

    /// The index that candidates are built in.
    pub(crate) fn candidate_index(&self) -> PathBuf {
        self.at("candidate.index")
    }

    /// Where files stand while git takes them over.
    pub(crate) fn stage(&self) -> PathBuf {
        self.at("stage")
    }

    /// A copy of the clone's `.git` as it was made, but for its objects.
    pub(crate) fn git_dir_copy(&self) -> PathBuf {
        self.at("gitdir")
    }

    /// What every path of the base held when the clone was made.
    pub(crate) fn baseline(&self) -> PathBuf {
        self.at("baseline.json")
    }

    /// What was laid in an item's workspace when it was made: the files as they were put there.
    pub(crate) fn laid(&self) -> PathBuf {
        self.at("laid")
    }

    /// Which paths those are, and what they held.
    pub(crate) fn laid_file(&self) -> PathBuf {
        self.at("laid.json")
    }

    fn facts_file(&self) -> PathBuf {
        self.at("workspace.json")
    }

    /// Removes what an earlier preparation left here, and makes the folder.
    pub(crate) fn clear(&self) -> Result<(), WorkspaceError> {
        let _ = std::fs::remove_file(self.facts_file());
        let folders = [
            "workspace",
            "harness.git",
            "files",
            "submodules",
            "lfs",
            "stage",
            "gitdir",
            "items",
            "items.objects",
        ];
        for name in folders {
            remove_dir(&self.at(name))?;
        }
        for file in [self.base_index(), self.candidate_index(), self.baseline()] {
            let _ = std::fs::remove_file(file);
        }
        make_dir(&self.run_dir)
    }

    /// Writes the facts; the folder counts as prepared from then on. The base's index is brought to disk first: no
    /// candidate can be built without it.
    pub(crate) fn save(&self, facts: &Facts) -> Result<(), WorkspaceError> {
        let index = self.base_index();
        std::fs::File::open(&index)
            .and_then(|file| file.sync_all())
            .map_err(io(&index))?;
        save_json(&self.facts_file(), facts)
    }

    /// Reads the facts of a folder that was prepared earlier.
    pub(crate) fn load(&self) -> Result<Facts, WorkspaceError> {
        if !self.facts_file().exists() {
            return Err(WorkspaceError::Refused(format!(
                "the workspace in {} was never prepared to the end: start a new run",
                self.run_dir.display()
            )));
        }
        load_json(&self.facts_file())
    }
}

/// Attaches a path to an IO error.
pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> WorkspaceError + '_ {
    move |source| WorkspaceError::Io {
        path: path.to_owned(),
        source,
    }
}

pub(crate) fn make_dir(path: &Path) -> Result<(), WorkspaceError> {
    std::fs::create_dir_all(path).map_err(io(path))
}

/// Removes a folder if it is there. The harness's own folders only.
pub(crate) fn remove_dir(path: &Path) -> Result<(), WorkspaceError> {
    match std::fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io(path)(e)),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(crate) fn write_file(path: &Path, content: &[u8]) -> Result<(), WorkspaceError> {
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    std::fs::write(path, content).map_err(io(path))
}

/// Writes a file so that it is whole or not there, also after a power failure.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<(), WorkspaceError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(name);
    let written = std::fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    });
    written.map_err(io(path))
}

pub(crate) fn save_json<T: Serialize>(path: &Path, value: &T) -> Result<(), WorkspaceError> {
    let text = serde_json::to_vec(value).map_err(|e| io(path)(e.into()))?;
    write_atomically(path, &text)
}

pub(crate) fn load_json<T: DeserializeOwned>(path: &Path) -> Result<T, WorkspaceError> {
    let text = std::fs::read(path).map_err(io(path))?;
    serde_json::from_slice(&text).map_err(|e| io(path)(e.into()))
}
