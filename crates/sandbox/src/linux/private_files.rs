//! What another user of this machine could not read. A cell runs as the caller; where the caller is root, or in a
//! group with more rights than most, such files are readable to it, and must be hidden.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Where to look, and how deep. What is deeper, or elsewhere, is protected by the permissions alone.
const PLACES: &[(&str, usize)] = &[
    ("/", 1),
    ("/etc", 4),
    ("/var", 1),
    ("/var/lib", 1),
    ("/srv", 2),
    ("/opt", 2),
    ("/mnt", 1),
    ("/usr/local/etc", 2),
];
/// Folders in which everything is an administrator's business.
const ADMINISTRATION: &[&str] = &["/var/log", "/var/mail", "/var/spool", "/var/backups"];
/// A folder with more entries than this is hidden as a whole.
const ENTRIES_MAX: usize = 4096;
/// Others may read (a file), or read and enter (a folder).
const OTHERS_READ: u32 = 0o004;
const OTHERS_ENTER: u32 = 0o001;

/// All of them, as far as this process could read them.
pub(super) fn find() -> Vec<PathBuf> {
    let caller = Caller::current();
    let mut found: Vec<PathBuf> = ADMINISTRATION.iter().map(PathBuf::from).collect();
    for (place, depth) in PLACES {
        look(Path::new(place), *depth, &caller, &mut found);
    }
    found
}

struct Caller {
    user: u32,
    groups: Vec<u32>,
}

impl Caller {
    fn current() -> Caller {
        let mut groups: Vec<u32> = nix::unistd::getgroups()
            .unwrap_or_default()
            .into_iter()
            .map(nix::unistd::Gid::as_raw)
            .collect();
        groups.push(nix::unistd::getegid().as_raw());
        Caller {
            user: nix::unistd::geteuid().as_raw(),
            groups,
        }
    }

    /// Whether the entry gives this caller more than it gives everybody.
    fn is_favoured(&self, entry: &fs::Metadata) -> bool {
        entry.uid() == self.user || self.groups.contains(&entry.gid())
    }
}

fn look(folder: &Path, depth: usize, caller: &Caller, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for (index, entry) in entries.flatten().enumerate() {
        if index == ENTRIES_MAX && folder.parent().is_some() {
            found.push(folder.to_owned());
            return;
        }
        let Ok(meta) = entry.metadata() else { continue };
        let (mode, path) = (meta.permissions().mode(), entry.path());
        if meta.is_dir() && mode & OTHERS_ENTER != 0 {
            if depth > 1 {
                look(&path, depth - 1, caller, found);
            }
        } else if (meta.is_dir() || (meta.is_file() && mode & OTHERS_READ == 0))
            && caller.is_favoured(&meta)
        {
            found.push(path);
        }
    }
}

/// The sockets in the file system on which the host's services listen: being files, they are not held back by a
/// network namespace.
pub(super) fn sockets() -> Vec<PathBuf> {
    /// How many are hidden at most; a machine has a few dozen, most of them in `/run`.
    const SOCKETS_MAX: usize = 256;
    let table = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let mut paths: Vec<PathBuf> = table
        .lines()
        .filter_map(socket_path)
        .filter(|path| !path.starts_with("/run"))
        .collect();
    paths.sort();
    paths.dedup();
    paths.retain(|path| path.exists());
    paths.truncate(SOCKETS_MAX);
    paths
}

/// The eighth column of the kernel's table, if it is a path (abstract names begin with `@`).
fn socket_path(line: &str) -> Option<PathBuf> {
    let (_, path) = line.split_once(" /")?;
    Some(Path::new("/").join(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_paths_are_told_from_abstract_names() {
        let line = "ffff8: 00000002 00000000 00010000 0001 01 12345 /var/lib/db/my socket";
        assert_eq!(
            socket_path(line),
            Some(PathBuf::from("/var/lib/db/my socket"))
        );
        assert_eq!(
            socket_path("ffff8: 00000002 00000000 00010000 0001 01 12345 @/tmp/abstract"),
            None
        );
        assert_eq!(
            socket_path("ffff8: 00000003 00000000 00000000 0001 03 12346"),
            None
        );
    }

    #[test]
    fn what_others_cannot_read_is_found_and_the_rest_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = dir.path().join(name);
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (secret, _public) = (make("secret", 0o640), make("public", 0o644));
        let closed = dir.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o750)).unwrap();
        let mut found = Vec::new();
        look(dir.path(), 2, &Caller::current(), &mut found);
        found.sort();
        assert_eq!(found, [closed, secret]);
    }
}
