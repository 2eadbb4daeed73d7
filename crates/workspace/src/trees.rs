//! Trees as data: what is in one, the contents of its files, and trees that differ from another in a few paths.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use overnight_core::ids::TreeId;
use overnight_ports::workspace::WorkspaceError;

use crate::candidate::{index_line, removals_first};
use crate::checkout::Checkouts;
use crate::git::{first_line, records};
use crate::names;
use crate::store::object_name;

/// Bytes of file contents that are asked of git at once.
const BATCH_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// git's mode: `100644`, `100755`, `120000` (a link), `160000` (a submodule).
    pub mode: String,
    /// The object's name.
    pub object: String,
    /// Bytes; 0 for a submodule.
    pub size: u64,
}

/// A tree's entries by path (with bytes that are not UTF-8 in git's quoted form).
pub type Listing = BTreeMap<String, TreeEntry>;

/// What a path of a tree is to be instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// Nothing.
    Absent,
    /// This entry of another tree.
    Entry(TreeEntry),
    /// A file with this mode and content.
    File {
        /// git's mode.
        mode: String,
        /// The content.
        content: Vec<u8>,
    },
}

impl Checkouts {
    /// Everything in a tree.
    pub fn listing(&self, tree: &TreeId) -> Result<Listing, WorkspaceError> {
        let tree = object_name(tree.as_str())?;
        let listed = self
            .layout
            .git()
            .run(&["ls-tree", "-r", "-l", "-z", tree])?;
        Ok(records(&listed).filter_map(entry).collect())
    }

    /// The contents of these objects, read by one process. An object that is not there is left out.
    pub fn contents<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a TreeEntry>,
    ) -> Result<BTreeMap<String, Vec<u8>>, WorkspaceError> {
        let mut found = BTreeMap::new();
        let mut asked = String::new();
        let mut bytes = 0;
        for entry in entries {
            object_name(&entry.object)?;
            asked.push_str(&entry.object);
            asked.push('\n');
            bytes += entry.size;
            if bytes >= BATCH_BYTES_MAX {
                self.batch(&std::mem::take(&mut asked), &mut found)?;
                bytes = 0;
            }
        }
        if !asked.is_empty() {
            self.batch(&asked, &mut found)?;
        }
        Ok(found)
    }

    /// `git cat-file --batch`: `<object> SP <type> SP <size> LF <content> LF`, or `<object> missing LF`.
    fn batch(
        &self,
        asked: &str,
        found: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<(), WorkspaceError> {
        let output = self
            .layout
            .git()
            .feed(&["cat-file", "--batch"], asked.as_bytes())?;
        let mut rest = output.as_slice();
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let head = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 1..];
            let mut words = head.split(' ');
            let (Some(object), Some(_), Some(size)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            let Some(content) = size.parse::<usize>().ok().and_then(|n| rest.get(..n)) else {
                break;
            };
            found.insert(object.to_owned(), content.to_vec());
            rest = rest.get(content.len() + 1..).unwrap_or_default();
        }
        Ok(())
    }

    /// A tree like `tree`, which holds `listing`, with other things at some paths. What stands in the way of a path is
    /// removed: a file where a folder has to be, or the other way round.
    pub fn patched(
        &self,
        tree: &TreeId,
        listing: &Listing,
        replacements: &BTreeMap<String, Replacement>,
    ) -> Result<TreeId, WorkspaceError> {
        let name = object_name(tree.as_str())?;
        let git = self.layout.git();
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let index = self.layout.store().join(format!(
            "patched-{}-{}.index",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        let git = git.index(&index);
        let patched = (|| {
            git.run(&["read-tree", name])?;
            let mut lines = Vec::new();
            let zero = "0".repeat(name.len());
            for (path, replacement) in replacements {
                let (mode, object) = match replacement {
                    Replacement::Absent => ("0".to_owned(), zero.clone()),
                    Replacement::Entry(entry) => (entry.mode.clone(), entry.object.clone()),
                    Replacement::File { mode, content } => {
                        let written = git.feed(&["hash-object", "-w", "--stdin"], content);
                        // An empty input is no input to `feed`, and means the same to git.
                        (mode.clone(), first_line(&written?))
                    }
                };
                let Some(bytes) = names::unquote(path) else {
                    continue;
                };
                index_line(&mut lines, &mode, &object, &bytes);
                if *replacement != Replacement::Absent {
                    for other in in_the_way(listing, path) {
                        if let Some(bytes) = names::unquote(other) {
                            index_line(&mut lines, "0", &zero, &bytes);
                        }
                    }
                }
            }
            git.feed(
                &["update-index", "-z", "--index-info"],
                &removals_first(&lines),
            )?;
            git.run(&["write-tree"])
        })();
        let _ = std::fs::remove_file(&index);
        Ok(TreeId(first_line(&patched?)))
    }
}

/// One record of `ls-tree -l -z`: `<mode> SP <type> SP <object> SP+ <size> TAB <path>`, git-ls-tree(1).
fn entry(record: &[u8]) -> Option<(String, TreeEntry)> {
    let tab = record.iter().position(|b| *b == b'\t')?;
    let head = std::str::from_utf8(&record[..tab]).ok()?;
    let mut words = head.split_ascii_whitespace();
    let (mode, _, object, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let entry = TreeEntry {
        mode: mode.to_owned(),
        object: object.to_owned(),
        size: size.parse().unwrap_or(0),
    };
    Some((names::quote(&record[tab + 1..]), entry))
}

/// Paths of a listing that cannot be there together with `path`: those below it, and a file where its folder is.
fn in_the_way<'a>(listing: &'a Listing, path: &'a str) -> impl Iterator<Item = &'a str> {
    let below = format!("{path}/");
    let ancestors = path.match_indices('/').map(|(at, _)| &path[..at]);
    let above: Vec<&str> = ancestors.filter(|dir| listing.contains_key(*dir)).collect();
    let start = below.clone();
    listing
        .range(start..)
        .map(|(other, _)| other.as_str())
        .take_while(move |other| other.starts_with(&below))
        .chain(above)
}
