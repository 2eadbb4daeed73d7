//! Where else on this machine a folder can be seen: through bind mounts, and through a second mount of its file system.
//! Hiding a folder by its name alone would leave those open.

use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How many other places of one folder are looked for; nobody has as many.
const PLACES_MAX: usize = 1_000;

/// One line of `/proc/self/mountinfo`, as far as it matters here.
struct Mount {
    /// `major:minor` of the file system.
    device: String,
    /// Which folder of the file system is mounted.
    root: PathBuf,
    /// Where.
    at: PathBuf,
}

/// Every other path under which these (resolved) paths, or a part of them, can be reached.
pub(super) fn other_places(paths: &[PathBuf]) -> Vec<PathBuf> {
    // Without /proc no cell can be opened anyway.
    let Ok(table) = fs::read("/proc/self/mountinfo") else {
        return Vec::new();
    };
    let mounts: Vec<Mount> = table
        .split(|byte| *byte == b'\n')
        .filter_map(parse)
        .collect();
    let mut found: Vec<PathBuf> = paths
        .iter()
        .flat_map(|path| places(&mounts, path))
        .filter(|(seen, original)| same(seen, original))
        .map(|(seen, _)| seen)
        .collect();
    found.sort();
    found.dedup();
    found.truncate(PLACES_MAX);
    found
}

/// Other places of one path, each with the path that it would be the same as.
fn places(mounts: &[Mount], path: &Path) -> Vec<(PathBuf, PathBuf)> {
    // The mount that the path is on: of several at one place the last is on top.
    let own = mounts
        .iter()
        .filter(|mount| path.starts_with(&mount.at))
        .enumerate()
        .max_by_key(|(order, mount)| (mount.at.components().count(), *order))
        .map(|(_, mount)| mount);
    let Some(own) = own else { return Vec::new() };
    let Ok(rest) = path.strip_prefix(&own.at) else {
        return Vec::new();
    };
    let within = own.root.join(rest);
    let others = mounts
        .iter()
        .filter(|mount| mount.device == own.device && mount.at != own.at);
    others
        .filter_map(|mount| {
            if let Ok(rest) = within.strip_prefix(&mount.root) {
                return Some((mount.at.join(rest), path.to_owned()));
            }
            // A part of the folder is mounted by itself.
            let rest = mount.root.strip_prefix(&within).ok()?;
            Some((mount.at.clone(), path.join(rest)))
        })
        .filter(|(seen, original)| seen != original)
        .collect()
}

/// Whether both are one: something else may be mounted on top of either.
fn same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| {
        let meta = fs::symlink_metadata(path).ok()?;
        Some((meta.dev(), meta.ino()))
    };
    identity(one).is_some_and(|found| Some(found) == identity(other))
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`, proc_pid_mountinfo(5).
fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let device = String::from_utf8(fields.next()?.to_vec()).ok()?;
    let (root, at) = (path(fields.next()?), path(fields.next()?));
    Some(Mount { device, root, at })
}

/// Blanks, tabs, line ends and backslashes are written as three octal digits.
fn path(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = (*first == b'\\')
            .then(|| tail.get(..3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match octal {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "22 1 254:0 / / rw - ext4 /dev/vda rw
40 22 254:0 /home/ann/tests /srv/with\\040blank rw - ext4 /dev/vda rw
41 22 254:0 /home /backup rw - ext4 /dev/vda rw
42 22 254:0 /home/ann/tests/unit /mnt/unit rw - ext4 /dev/vda rw
43 22 0:30 /home/ann/tests /elsewhere rw - tmpfs tmpfs rw";

    #[test]
    fn a_folder_is_found_wherever_its_file_system_is_mounted() {
        let mounts: Vec<Mount> = TABLE
            .lines()
            .filter_map(|line| parse(line.as_bytes()))
            .collect();
        let found = places(&mounts, Path::new("/home/ann/tests"));
        let pair = |a: &str, b: &str| (PathBuf::from(a), PathBuf::from(b));
        assert_eq!(
            found,
            [
                pair("/srv/with blank", "/home/ann/tests"),
                pair("/backup/ann/tests", "/home/ann/tests"),
                pair("/mnt/unit", "/home/ann/tests/unit"),
            ]
        );
        // Seen from one of the other places it is found at the first.
        let back = places(&mounts, Path::new("/backup/ann/tests"));
        assert!(back.contains(&pair("/home/ann/tests", "/backup/ann/tests")));
    }

    #[test]
    fn what_does_not_exist_is_nowhere() {
        assert!(other_places(&[PathBuf::from("/no/such/folder")]).is_empty());
    }
}
