//! Files below one folder that a hostile process may be changing at the same time.
//!
//! Every path is walked component by component, each opened relative to the one before it and never through a
//! symbolic link, so that nothing outside the folder is ever read, written or deleted, whatever the agent has put in
//! a directory's place.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::dir::{Dir, Entry as DirEntry};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode as Bits, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, symlinkat, unlinkat};
use overnight_ports::workspace::{Mode, WorkspaceError};

use crate::names;

/// How deep directories may be nested. Each level of a walk holds one open directory.
pub(crate) const DEPTH_MAX: usize = 200;

/// A number for temporary names; two writers of one process never share one.
static TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// A folder below which things are done.
#[derive(Debug)]
pub(crate) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// What identifies the state of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Stat {
    pub(crate) mtime_ns: i64,
    pub(crate) ctime_ns: i64,
    pub(crate) size: u64,
    pub(crate) inode: u64,
    pub(crate) mode: u32,
}

/// What kind of thing a stat describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File(Mode),
    Directory,
    Other,
}

const SECOND_NS: i64 = 1_000_000_000;

impl Stat {
    #[expect(
        clippy::useless_conversion,
        reason = "the fields' widths differ between platforms"
    )]
    pub(crate) fn of(stat: &FileStat) -> Self {
        Stat {
            mtime_ns: i64::from(stat.st_mtime)
                .saturating_mul(SECOND_NS)
                .saturating_add(i64::from(stat.st_mtime_nsec)),
            ctime_ns: i64::from(stat.st_ctime)
                .saturating_mul(SECOND_NS)
                .saturating_add(i64::from(stat.st_ctime_nsec)),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            inode: u64::from(stat.st_ino),
            mode: u32::from(stat.st_mode),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        const TYPE: u32 = 0o170_000;
        match self.mode & TYPE {
            0o100_000 if self.mode & 0o100 != 0 => Kind::File(Mode::Executable),
            0o100_000 => Kind::File(Mode::File),
            0o120_000 => Kind::File(Mode::Link),
            0o040_000 => Kind::Directory,
            _ => Kind::Other,
        }
    }
}

const OPEN_DIR: OFlag = OFlag::O_DIRECTORY
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC)
    .union(OFlag::O_RDONLY);

impl Root {
    /// Opens the folder. Its own path may contain links: it is the harness's.
    pub(crate) fn open(path: &Path) -> Result<Self, WorkspaceError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        let fd = open(path, flags, Bits::empty()).map_err(|e| WorkspaceError::Io {
            path: path.to_owned(),
            source: e.into(),
        })?;
        Ok(Root {
            fd,
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// An error about one path below this folder.
    pub(crate) fn error(&self, path: &[u8], source: impl Into<io::Error>) -> WorkspaceError {
        WorkspaceError::Io {
            path: self.path.join(names::os(path)),
            source: source.into(),
        }
    }

    /// The directory that holds `path`, and the last component; `None` if it is not there as a real directory.
    fn parent<'a>(&self, path: &'a [u8]) -> io::Result<Option<(OwnedFd, &'a [u8])>> {
        let (dirs, name) = split(path)?;
        let mut at = self.fd.try_clone()?;
        for dir in dirs {
            at = match openat(&at, dir, OPEN_DIR, Bits::empty()) {
                Ok(next) => next,
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => return Ok(None),
                Err(e) => return Err(e.into()),
            };
        }
        Ok(Some((at, name)))
    }

    /// The same, making directories that are missing. With `replace`, what stands in a directory's place is removed;
    /// without, it is an error.
    fn make_parent<'a>(&self, path: &'a [u8], replace: bool) -> io::Result<(OwnedFd, &'a [u8])> {
        let (dirs, name) = split(path)?;
        let mut at = self.fd.try_clone()?;
        for dir in dirs {
            at = match openat(&at, dir, OPEN_DIR, Bits::empty()) {
                Ok(next) => next,
                Err(Errno::ENOENT) => make_dir(at.as_fd(), dir)?,
                Err(Errno::ENOTDIR | Errno::ELOOP) if replace => {
                    unlinkat(&at, dir, UnlinkatFlags::NoRemoveDir)?;
                    make_dir(at.as_fd(), dir)?
                }
                Err(e) => return Err(e.into()),
            };
        }
        Ok((at, name))
    }

    /// What is at `path`; `None` if nothing is, or its parent is no real directory.
    pub(crate) fn stat(&self, path: &[u8]) -> io::Result<Option<Stat>> {
        match self.parent(path)? {
            Some((dir, name)) => stat_at(dir.as_fd(), name),
            None => Ok(None),
        }
    }

    /// Opens a regular file for reading; `None` if there is none.
    pub(crate) fn file(&self, path: &[u8]) -> io::Result<Option<(File, Stat)>> {
        match self.parent(path)? {
            Some((dir, name)) => file_at(dir.as_fd(), name),
            None => Ok(None),
        }
    }

    /// The target of a link; `None` if there is none.
    pub(crate) fn target(&self, path: &[u8]) -> io::Result<Option<Vec<u8>>> {
        match self.parent(path)? {
            Some((dir, name)) => target_at(dir.as_fd(), name),
            None => Ok(None),
        }
    }

    /// Puts a file or link at `path`, in one step and whatever was there before (a whole directory as well).
    pub(crate) fn put(&self, path: &[u8], mode: Mode, content: &mut dyn Read) -> io::Result<()> {
        let (dir, name) = self.make_parent(path, true)?;
        let temporary = self.temporary();
        let made =
            write_new(dir.as_fd(), temporary.as_bytes(), mode, content).and_then(
                |()| match renameat(&dir, temporary.as_bytes(), &dir, name) {
                    Err(Errno::EISDIR | Errno::ENOTEMPTY | Errno::EEXIST) => {
                        remove_at(dir.as_fd(), name, 0)?;
                        Ok(renameat(&dir, temporary.as_bytes(), &dir, name)?)
                    }
                    other => Ok(other?),
                },
            );
        if made.is_err() {
            let _ = unlinkat(&dir, temporary.as_bytes(), UnlinkatFlags::NoRemoveDir);
        }
        made
    }

    /// Puts a file at `path` unless something is there; whether it did. A link in a directory's place is an error.
    pub(crate) fn put_new(
        &self,
        path: &[u8],
        mode: Mode,
        content: &mut dyn Read,
    ) -> io::Result<bool> {
        let (dir, name) = self.make_parent(path, false)?;
        if stat_at(dir.as_fd(), name)?.is_some() {
            return Ok(false);
        }
        write_new(dir.as_fd(), name, mode, content).map(|()| true)
    }

    /// Makes a directory and its parents.
    pub(crate) fn make_dir(&self, path: &[u8]) -> io::Result<()> {
        let (dir, name) = self.make_parent(path, false)?;
        make_dir(dir.as_fd(), name).map(drop)
    }

    /// Removes what is at `path`, a directory with all that it holds, and parents that are empty then.
    pub(crate) fn remove(&self, path: &[u8]) -> io::Result<()> {
        let Some((dir, name)) = self.parent(path)? else {
            return Ok(());
        };
        remove_at(dir.as_fd(), name, 0)?;
        let mut rest = path;
        while let Some(at) = rest.iter().rposition(|b| *b == b'/') {
            rest = rest.get(..at).unwrap_or_default();
            let Some((dir, name)) = self.parent(rest)? else {
                return Ok(());
            };
            if unlinkat(&dir, name, UnlinkatFlags::RemoveDir).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Copies a folder of the harness's own into this one at `to` (empty: the root itself). Files that are there
    /// already stay as they are.
    pub(crate) fn copy_in(&self, from: &Path, to: &[u8]) -> io::Result<()> {
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            let name = entry.file_name().into_vec();
            let path = if to.is_empty() {
                name
            } else {
                [to, b"/", &name].concat()
            };
            self.copy_one(&entry.path(), &path)?;
        }
        Ok(())
    }

    /// Copies one file, link or folder to `to`.
    pub(crate) fn copy_one(&self, from: &Path, to: &[u8]) -> io::Result<()> {
        let kind = from.symlink_metadata()?;
        if kind.is_dir() {
            self.make_dir(to)?;
            return self.copy_in(from, to);
        }
        if kind.is_symlink() {
            let target = std::fs::read_link(from)?.into_os_string().into_vec();
            return self
                .put_new(to, Mode::Link, &mut target.as_slice())
                .map(drop);
        }
        if kind.is_file() {
            use std::os::unix::fs::PermissionsExt;
            let executable = kind.permissions().mode() & 0o100 != 0;
            let mode = if executable {
                Mode::Executable
            } else {
                Mode::File
            };
            return self.put_new(to, mode, &mut File::open(from)?).map(drop);
        }
        Ok(())
    }

    fn temporary(&self) -> String {
        format!(
            ".overnight-{}-{}",
            std::process::id(),
            TEMPORARY.fetch_add(1, Ordering::Relaxed)
        )
    }
}

/// The directories and the last component of a relative path; refuses what is none.
fn split(path: &[u8]) -> io::Result<(Vec<&[u8]>, &[u8])> {
    let bad = || io::Error::new(io::ErrorKind::InvalidInput, "not a path below the folder");
    let mut parts: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
    if parts
        .iter()
        .any(|p| p.is_empty() || *p == b"." || *p == b".." || p.contains(&0))
    {
        return Err(bad());
    }
    let name = parts.pop().ok_or_else(bad)?;
    Ok((parts, name))
}

fn make_dir(at: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    match mkdirat(at, name, Bits::from_bits_truncate(0o755)) {
        Ok(()) | Err(Errno::EEXIST) => Ok(openat(at, name, OPEN_DIR, Bits::empty())?),
        Err(e) => Err(e.into()),
    }
}

/// Opens a directory below another, not through a link; `None` if there is none. One that the agent has locked is
/// unlocked first: it belongs to the same user.
pub(crate) fn dir_at(at: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<OwnedFd>> {
    let opened = match openat(at, name, OPEN_DIR, Bits::empty()) {
        Err(Errno::EACCES) if unlock(at, name, 0o700) => openat(at, name, OPEN_DIR, Bits::empty()),
        other => other,
    };
    match opened {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// The entries of an open directory, without `.` and `..`.
pub(crate) fn list(fd: BorrowedFd<'_>) -> io::Result<Vec<DirEntry>> {
    // A descriptor's position is shared with its copies, so the directory is opened anew for reading.
    let mut dir = Dir::openat(fd, c".", OPEN_DIR, Bits::empty())?;
    let mut entries = Vec::new();
    for entry in dir.iter() {
        let entry = entry?;
        if !is_dots(entry.file_name()) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// What is there under this name, itself and not what it points to.
pub(crate) fn stat_at(at: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<Stat>> {
    match fstatat(at, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(Stat::of(&stat))),
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Opens a regular file; `None` if there is none.
pub(crate) fn file_at(at: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<(File, Stat)>> {
    // Without O_NONBLOCK a named pipe that was put in the file's place would be waited for.
    let flags = OFlag::O_RDONLY
        | OFlag::O_NOFOLLOW
        | OFlag::O_NONBLOCK
        | OFlag::O_CLOEXEC
        | OFlag::O_NOCTTY;
    let opened = match openat(at, name, flags, Bits::empty()) {
        Err(Errno::EACCES) if unlock(at, name, 0o600) => openat(at, name, flags, Bits::empty()),
        other => other,
    };
    let fd = match opened {
        Ok(fd) => fd,
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::ENXIO) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let stat = Stat::of(&fstat(&fd)?);
    match stat.kind() {
        Kind::File(_) => Ok(Some((File::from(fd), stat))),
        Kind::Directory | Kind::Other => Ok(None),
    }
}

/// The target of a link; `None` if there is none.
pub(crate) fn target_at(at: BorrowedFd<'_>, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    match readlinkat(at, name) {
        Ok(target) => Ok(Some(target.into_vec())),
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EINVAL) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Gives the owner these rights to the thing of this name itself, never to what it points to; whether that worked.
fn unlock(at: BorrowedFd<'_>, name: &[u8], rights: u32) -> bool {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let Ok(fd) = openat(at, name, flags, Bits::empty()) else {
        return false;
    };
    let Ok(stat) = fstat(&fd) else { return false };
    let mode = Stat::of(&stat).mode & 0o777 | rights;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path, permissions).is_ok()
}

fn write_new(
    dir: BorrowedFd<'_>,
    name: &[u8],
    mode: Mode,
    content: &mut dyn Read,
) -> io::Result<()> {
    let bits = match mode {
        Mode::Link => {
            let mut target = Vec::new();
            content.read_to_end(&mut target)?;
            return Ok(symlinkat(target.as_slice(), dir, name)?);
        }
        Mode::File => 0o644,
        Mode::Executable => 0o755,
    };
    let flags =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(dir, name, flags, Bits::from_bits_truncate(0o600))?);
    io::copy(content, &mut file)?;
    file.flush()?;
    // The mode is set on the open file: the person's umask does not apply to what a snapshot says.
    Ok(fchmod(&file, Bits::from_bits_truncate(bits))?)
}

/// Removes a file or a directory with all that it holds; nothing there is fine.
fn remove_at(at: BorrowedFd<'_>, name: &[u8], depth: usize) -> io::Result<()> {
    match unlinkat(at, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::EISDIR | Errno::EPERM) => {}
        Err(e) => return Err(e.into()),
    }
    if depth > DEPTH_MAX {
        return Err(io::Error::other(format!(
            "directories are nested more than {DEPTH_MAX} deep; remove them by hand"
        )));
    }
    let Some(dir) = dir_at(at, name)? else {
        return match stat_at(at, name)? {
            None => Ok(()),
            Some(_) => Err(Errno::EPERM.into()),
        };
    };
    for entry in list(dir.as_fd())? {
        remove_at(dir.as_fd(), entry.file_name().to_bytes(), depth + 1)?;
    }
    match unlinkat(at, name, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &Path) -> String {
        std::fs::read_to_string(path).expect("the file is there")
    }

    #[test]
    fn nothing_outside_is_written_or_deleted_through_a_link() {
        let outside = tempfile::tempdir().expect("a folder");
        let inside = tempfile::tempdir().expect("a folder");
        std::fs::write(outside.path().join("f"), "theirs").expect("written");
        std::os::unix::fs::symlink(outside.path(), inside.path().join("d")).expect("linked");
        let root = Root::open(inside.path()).expect("opens");
        root.remove(b"d/f").expect("nothing to remove");
        assert!(root.file(b"d/f").expect("asked").is_none());
        assert!(root.put_new(b"d/g", Mode::File, &mut &b"x"[..]).is_err());
        root.put(b"d/f", Mode::File, &mut &b"ours"[..])
            .expect("the link makes way");
        assert_eq!(text(&outside.path().join("f")), "theirs");
        assert_eq!(text(&inside.path().join("d/f")), "ours");
        assert!(!outside.path().join("g").exists());
    }

    #[test]
    fn a_path_that_leaves_the_folder_is_refused() {
        let inside = tempfile::tempdir().expect("a folder");
        let root = Root::open(inside.path()).expect("opens");
        for path in [&b"../x"[..], b"/etc/x", b"a/../../x", b"", b"a//b", b"a\0b"] {
            assert!(
                root.put(path, Mode::File, &mut &b"x"[..]).is_err(),
                "{path:?}"
            );
            assert!(root.remove(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_file_takes_the_place_of_a_directory_and_the_other_way_round() {
        let inside = tempfile::tempdir().expect("a folder");
        let root = Root::open(inside.path()).expect("opens");
        root.put(b"a/b/c", Mode::File, &mut &b"1"[..]).expect("put");
        root.put(b"a", Mode::Executable, &mut &b"2"[..])
            .expect("put");
        assert_eq!(text(&inside.path().join("a")), "2");
        root.put(b"a/b", Mode::Link, &mut &b"nowhere"[..])
            .expect("put");
        assert_eq!(
            root.target(b"a/b").expect("asked").as_deref(),
            Some(&b"nowhere"[..])
        );
        root.remove(b"a/b").expect("removed");
        assert!(
            !inside.path().join("a").exists(),
            "empty parents go with it"
        );
    }
}
