//! Copying a folder: the fallback where a copy-on-write mount is not to be had.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Copies the folder `from` to `to` (made if absent), links as links. Sockets, pipes and devices are left out.
pub(crate) fn tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, source, target) = (entry.file_type()?, entry.path(), to.join(entry.file_name()));
        if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_dir() {
            tree(&source, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
        }
    }
    // Last, because the folder may be read-only.
    fs::set_permissions(to, fs::metadata(from)?.permissions())
}

/// Copies once: a copy that was interrupted is thrown away and made anew, a whole one is kept with what has been
/// written to it since.
#[cfg(target_os = "linux")]
pub(crate) fn tree_once(from: &Path, to: &Path) -> io::Result<()> {
    let done = to.with_extension("copied");
    if done.exists() {
        return Ok(());
    }
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    tree(from, to)?;
    fs::write(done, b"")
}
