//! Removes what checks left behind, in the background: nobody waits for it, and in the end everything is gone.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// A thread that removes folders below one.
pub struct Remover {
    all: PathBuf,
    /// Whether the folder around them stays, with what nobody had removed.
    keeps: bool,
    orders: Option<Sender<PathBuf>>,
    thread: Option<JoinHandle<()>>,
}

impl Remover {
    /// For folders below `all`, which is removed itself in the end.
    pub fn new(all: PathBuf) -> Self {
        Remover::with(all, false)
    }

    /// For folders below `all`, of which others stay. What an earlier process did not get done is removed first.
    pub fn below(all: PathBuf) -> Self {
        let remover = Remover::with(all, true);
        let left = std::fs::read_dir(&remover.all)
            .into_iter()
            .flatten()
            .flatten();
        for entry in left.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b".")) {
            remover.remove(&entry.path());
        }
        remover
    }

    /// Moves a folder below `all` out of the way at once, and has it removed.
    pub fn leave(&self, folder: &Path) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            ".gone-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let gone = self.all.join(name);
        if std::fs::rename(folder, &gone).is_ok() {
            self.remove(&gone);
        }
    }

    fn with(all: PathBuf, keeps: bool) -> Self {
        let (orders, work) = channel::<PathBuf>();
        let below = all.clone();
        let thread = std::thread::Builder::new()
            .name("overnight-remover".to_owned())
            .spawn(move || work.iter().for_each(|folder| remove(&folder, &below)));
        Remover {
            all,
            keeps,
            orders: Some(orders),
            // Without a thread everything goes in the end.
            thread: thread.ok(),
        }
    }

    /// Has a folder removed.
    pub fn remove(&self, folder: &Path) {
        if let Some(orders) = &self.orders {
            // It fails only if there is no thread.
            let _ = orders.send(folder.to_owned());
        }
    }
}

impl Drop for Remover {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if self.keeps {
            return;
        }
        remove(&self.all, &self.all);
        // What was in it was moved up into it while it was emptied.
        let _ = std::fs::remove_dir(&self.all);
    }
}

/// Removes a folder with all that it holds. What is in it was written by a check, so it may be locked, and nested deeper
/// than any stack: every folder is unlocked, and one that is not empty is moved up first and emptied there. What stays all
/// the same costs disk only.
fn remove(folder: &Path, all: &Path) {
    // Names that no earlier removal can have left behind.
    static MOVED: AtomicU64 = AtomicU64::new(0);
    let mut left = vec![folder.to_owned()];
    while let Some(dir) = left.pop() {
        unlock(&dir);
        // Listed whole first: what is moved up may come to lie in this very folder.
        let entries: Vec<_> = std::fs::read_dir(&dir)
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        for entry in entries {
            let path = entry.path();
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let _ = std::fs::remove_file(&path);
                continue;
            }
            if std::fs::remove_dir(&path).is_ok() {
                continue;
            }
            unlock(&path);
            let moved = MOVED.fetch_add(1, Ordering::Relaxed);
            let up = all.join(format!(".leaving-{}-{moved}", std::process::id()));
            if std::fs::rename(&path, &up).is_ok() {
                left.push(up);
            }
        }
        let _ = std::fs::remove_dir(&dir);
    }
}

fn unlock(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if folder.symlink_metadata().is_ok_and(|kind| kind.is_dir()) {
        let _ = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use nix::fcntl::{OFlag, open, openat};
    use nix::sys::stat::{Mode, mkdirat};

    use super::*;

    #[test]
    fn everything_is_gone_in_the_end() {
        let temp = tempfile::tempdir().unwrap();
        let all = temp.path().join("checkouts");
        let locked = all.join("one/tree/locked");
        std::fs::create_dir_all(&locked).unwrap();
        std::fs::write(locked.join("f"), "x").unwrap();
        std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o500)).unwrap();
        std::os::unix::fs::symlink(temp.path(), all.join("one/out")).unwrap();
        std::fs::create_dir_all(all.join("forgotten")).unwrap();
        let remover = Remover::new(all.clone());
        remover.remove(&all.join("one"));
        drop(remover);
        assert!(!all.exists() && temp.path().exists());
    }

    #[test]
    fn what_nobody_had_removed_stays_and_what_was_begun_is_ended() {
        let temp = tempfile::tempdir().unwrap();
        let all = temp.path().join("items");
        for name in [
            "0-0/workspace/sub",
            "1-0/workspace",
            ".gone-1-0/x",
            ".leaving-7-0/y",
        ] {
            std::fs::create_dir_all(all.join(name)).unwrap();
        }
        let locked = all.join("0-0/workspace/sub");
        std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
        let remover = Remover::below(all.clone());
        remover.leave(&all.join("0-0"));
        assert!(!all.join("0-0").exists(), "at once");
        remover.leave(&all.join("absent"));
        drop(remover);
        let left: Vec<_> = std::fs::read_dir(&all)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left, ["1-0"]);
    }

    #[test]
    fn folders_nested_deeper_than_any_path_can_say_are_gone_too() {
        const DEPTH: usize = 3_000;
        let temp = tempfile::tempdir().unwrap();
        let all = temp.path().join("checkouts");
        std::fs::create_dir_all(all.join("one")).unwrap();
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut at = open(&all.join("one"), flags, Mode::empty()).unwrap();
        for _ in 0..DEPTH {
            mkdirat(&at, "d", Mode::S_IRWXU).unwrap();
            at = openat(&at, "d", flags, Mode::empty()).unwrap();
        }
        let remover = Remover::new(all.clone());
        remover.remove(&all.join("one"));
        drop(remover);
        assert!(!all.exists());
    }
}
