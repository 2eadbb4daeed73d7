//! The `.gitignore` files of the workspace as they are now, read once each. Nothing else is consulted: not the agent's
//! `.git/info/exclude`, not the machine's global excludes.

use std::collections::HashMap;
use std::io::Read;
use std::os::fd::BorrowedFd;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::baseline::is_racy;
use crate::beneath::{Stat, file_at, stat_at};
use crate::names;

/// A larger `.gitignore` has no effect: its patterns would cost more than they say, bytes.
const GITIGNORE_BYTES_MAX: u64 = 256 * 1024;

/// What the directories entered so far say.
#[derive(Debug, Default)]
pub(crate) struct Ignores {
    files: HashMap<Vec<u8>, Loaded>,
    round: u64,
}

#[derive(Debug)]
struct Loaded {
    stat: Stat,
    racy: bool,
    rules: Gitignore,
    round: u64,
}

impl Ignores {
    /// A new walk begins.
    pub(crate) fn begin(&mut self) {
        self.round += 1;
    }

    /// The walk has ended: directories that it did not enter are forgotten.
    pub(crate) fn finish(&mut self) {
        let round = self.round;
        self.files.retain(|_, loaded| loaded.round == round);
    }

    /// The walk enters a directory, parents first.
    pub(crate) fn enter(
        &mut self,
        fd: BorrowedFd<'_>,
        dir: &[u8],
        read_ns: i64,
    ) -> std::io::Result<()> {
        let Some(stat) = stat_at(fd, b".gitignore")? else {
            self.files.remove(dir);
            return Ok(());
        };
        if let Some(loaded) = self.files.get_mut(dir)
            && loaded.stat == stat
            && !loaded.racy
        {
            loaded.round = self.round;
            return Ok(());
        }
        self.files.remove(dir);
        let Some((file, stat)) = file_at(fd, b".gitignore")? else {
            return Ok(());
        };
        if stat.size > GITIGNORE_BYTES_MAX {
            return Ok(());
        }
        let mut content = Vec::new();
        file.take(GITIGNORE_BYTES_MAX).read_to_end(&mut content)?;
        let rules = compile(&content);
        self.files.insert(
            dir.to_vec(),
            Loaded {
                stat,
                racy: is_racy(&stat, read_ns),
                rules,
                round: self.round,
            },
        );
        Ok(())
    }

    /// Whether the entry at `path`, in directories that are not ignored themselves, is.
    pub(crate) fn ignored(&self, path: &[u8], is_dir: bool) -> bool {
        if self.files.is_empty() {
            return false;
        }
        let mut end = path.len();
        loop {
            let dir_end = path
                .get(..end)
                .unwrap_or_default()
                .iter()
                .rposition(|b| *b == b'/');
            let dir = path.get(..dir_end.unwrap_or(0)).unwrap_or_default();
            if let Some(loaded) = self.files.get(dir) {
                let relative = path
                    .get(dir_end.map_or(0, |at| at + 1)..)
                    .unwrap_or_default();
                match loaded.rules.matched(names::os(relative), is_dir) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
            match dir_end {
                Some(at) => end = at,
                None => return false,
            }
        }
    }
}

/// Lines that are no patterns have no effect, as in git.
fn compile(content: &[u8]) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    let text = String::from_utf8_lossy(content);
    for line in text.strip_prefix('\u{feff}').unwrap_or(&text).lines() {
        let _ = builder.add_line(None, line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}
