//! Setup layers: what `use.setup` made in a checkout of the base, kept so that every later checkout can have it
//! without running the setup again: whole new directories to be mounted copy-on-write, single new files to be copied.

use std::path::{Path, PathBuf};

use overnight_core::ids::TreeId;
use overnight_ports::sandbox::Layer;
use overnight_ports::workspace::WorkspaceError;
use serde::{Deserialize, Serialize};

use crate::beneath::Root;
use crate::checkout::Checkouts;
use crate::facts::{io, load_json, make_dir, remove_dir, save_json};
use crate::names;

/// What a setup made.
#[derive(Debug, Clone)]
pub struct SetupLayer {
    folder: PathBuf,
    manifest: Manifest,
}

/// Stored as `layer.json`; written last, so that a layer is whole or not there.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Manifest {
    /// New directories, text form; the one with number N is `dirs/N`.
    dirs: Vec<String>,
    /// Whether there are single files, below `files/`.
    files: bool,
}

impl SetupLayer {
    /// A layer captured earlier; `None` if there is none, or its capture was interrupted.
    pub fn open(folder: &Path) -> Result<Option<Self>, WorkspaceError> {
        let path = folder.join("layer.json");
        if !path.exists() {
            return Ok(None);
        }
        Ok(Some(SetupLayer {
            folder: folder.to_owned(),
            manifest: load_json(&path)?,
        }))
    }

    /// The directories to be mounted copy-on-write.
    pub fn layers(&self) -> Vec<Layer> {
        let number = |(number, at): (usize, &String)| Layer {
            at: at.clone(),
            from: self.dir(number),
        };
        self.manifest.dirs.iter().enumerate().map(number).collect()
    }

    /// Copies the single files into a checkout; what is there already stays.
    pub fn put_files(&self, dest: &Path) -> Result<(), WorkspaceError> {
        if !self.manifest.files {
            return Ok(());
        }
        let root = Root::open(dest)?;
        root.copy_in(&self.folder.join("files"), b"")
            .map_err(|e| root.error(b".", e))
    }

    fn dir(&self, number: usize) -> PathBuf {
        self.folder.join("dirs").join(number.to_string())
    }
}

/// Moves the maximal new directories of a checkout in which the setup has run into `into`, and copies single new files
/// there. A directory whose name is not UTF-8 cannot be mounted and is left.
pub fn capture_layer(
    checkouts: &Checkouts,
    dest: &Path,
    tree: &TreeId,
    into: &Path,
) -> Result<SetupLayer, WorkspaceError> {
    remove_dir(into)?;
    make_dir(&into.join("dirs"))?;
    make_dir(&into.join("files"))?;
    let files = Root::open(&into.join("files"))?;
    let mut layer = SetupLayer {
        folder: into.to_owned(),
        manifest: Manifest {
            dirs: Vec::new(),
            files: false,
        },
    };
    for path in checkouts.new_paths(dest, tree)? {
        match path.strip_suffix(b"/") {
            Some(dir) => {
                let Ok(at) = std::str::from_utf8(dir) else {
                    continue;
                };
                move_dir(&dest.join(at), &layer.dir(layer.manifest.dirs.len()))?;
                layer.manifest.dirs.push(at.to_owned());
            }
            None => {
                files
                    .copy_one(&dest.join(names::os(&path)), &path)
                    .map_err(|e| files.error(&path, e))?;
                layer.manifest.files = true;
            }
        }
    }
    save_json(&into.join("layer.json"), &layer.manifest)?;
    Ok(layer)
}

/// Renames, or copies where the two are on different file systems.
fn move_dir(from: &Path, to: &Path) -> Result<(), WorkspaceError> {
    match std::fs::rename(from, to) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::CrossesDevices => {
            make_dir(to)?;
            Root::open(to)?.copy_in(from, b"").map_err(io(from))?;
            remove_dir(from)
        }
        Err(e) => Err(io(from)(e)),
    }
}
