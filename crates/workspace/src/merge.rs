//! Three-way merges of trees, in the harness's own store: what one item changed is taken onto what the others integrated
//! meanwhile.
//!
//! It is done path by path with the oldest of git's tools, so that every version of git gives the same: what only one side
//! changed is that side's, and only files that both changed are merged by their lines (`git merge-file`). Nothing that a
//! repository says has a part in it: no merge driver, no filter, no attribute is looked at, and nothing is run.
//! A file that one side renamed and the other changed is merged where it is now; renamed by both to different names, or
//! by one and deleted by the other, it is a conflict.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use overnight_core::ids::{CommitId, TreeId};
use overnight_ports::workspace::WorkspaceError;

use crate::checkout::Checkouts;
use crate::commit::NewCommit;
use crate::facts::{make_dir, remove_dir, write_file};
use crate::git::records;
use crate::lfs::Pointer;
use crate::names;
use crate::store::object_name;
use crate::trees::{Listing, Replacement, TreeEntry};

/// Larger files are not merged by their lines, bytes.
const MERGED_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How many files are merged by their lines; both sides changing more is a conflict of the rest.
const MERGED_FILES_MAX: usize = 2_000;
/// How much of a file has to be the same for it to be taken for one that was renamed: git's own measure.
const RENAMED_ALIKE: &str = "--find-renames=50%";
/// How many files that are gone and have come are held against each other; of more, only those that are the same.
const RENAMES_MAX: usize = 1_000;
/// How much of a file's beginning tells whether it is text, bytes: what git looks at.
const GLANCE_BYTES: usize = 8_000;
/// How long one command of a merge may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(120);
/// Exit codes of `git merge-file` up to this one are a number of conflicts, git-merge-file(1).
const CONFLICTS_CODE_MAX: i32 = 127;
/// What is added to the name of a file for which there is no room where it was.
const ASIDE: &str = "~item";
/// Names in the conflict markers: what is there, what both started from, what was to come.
const LABELS: [&str; 3] = ["integrated", "base", "this item"];

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The tree. Where files conflict they hold git's conflict markers; where something else conflicts it has what was
    /// integrated, or what the item made of a file that was deleted meanwhile.
    pub tree: TreeId,
    /// Paths that conflict, sorted.
    pub conflicts: Vec<String>,
}

/// A file of a tree: git's mode and the object's name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Side {
    mode: String,
    object: String,
}

impl Side {
    fn is_file(&self) -> bool {
        self.mode.starts_with("100")
    }

    fn replacement(&self) -> Replacement {
        Replacement::Entry(TreeEntry {
            mode: self.mode.clone(),
            object: self.object.clone(),
            size: 0,
        })
    }
}

/// What became of a path between two trees.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Moved {
    old: Option<Side>,
    new: Option<Side>,
}

/// Both changed it, and both are files with different contents.
struct Both {
    path: String,
    mode: String,
    base: Option<Side>,
    ours: Side,
    theirs: Side,
}

impl Checkouts {
    /// Takes the change from `base` to `tree` onto `onto`.
    pub fn merge(
        &self,
        base: &TreeId,
        tree: &TreeId,
        onto: &TreeId,
    ) -> Result<Merged, WorkspaceError> {
        let mut theirs = self.moves(base, tree)?;
        let mut ours = self.moves(base, onto)?;
        let renames = Renames {
            theirs: self.renames(base, tree, &theirs)?,
            ours: self.renames(base, onto, &ours)?,
        };
        let listing = self.listing(onto)?;
        let torn = renames.follow(&listing, &mut theirs, &mut ours);
        let mut merge = Merge {
            listing: &listing,
            theirs: &theirs,
            ours: &ours,
            replacements: BTreeMap::new(),
            conflicts: torn,
        };
        let mut both = Vec::new();
        for (path, change) in &theirs {
            both.extend(merge.path(path, change));
        }
        let Merge {
            mut replacements,
            mut conflicts,
            ..
        } = merge;
        self.merge_lines(&both, &mut replacements, &mut conflicts)?;
        conflicts.sort();
        conflicts.dedup();
        let tree = if replacements.is_empty() {
            onto.clone()
        } else {
            self.patched(onto, &listing, &replacements)?
        };
        Ok(Merged { tree, conflicts })
    }

    /// Whether a file of a tree holds the marks that a merge left in it.
    pub fn has_conflict(&self, tree: &TreeId, path: &str) -> bool {
        let [integrated, _, item] = LABELS;
        let marks = [format!("<<<<<<< {integrated}"), format!(">>>>>>> {item}")];
        let content = self.file(tree, path, MERGED_BYTES_MAX).unwrap_or_default();
        let mut lines = content.split(|byte| *byte == b'\n');
        lines.any(|line| marks.iter().any(|mark| line.starts_with(mark.as_bytes())))
    }

    /// Makes a commit in the store. The same arguments make the same commit.
    pub fn commit(
        &self,
        parent: &CommitId,
        tree: &TreeId,
        message: &str,
        identity: &str,
        at_s: u64,
    ) -> Result<CommitId, WorkspaceError> {
        let made = NewCommit {
            parent: object_name(parent.as_str())?,
            tree: object_name(tree.as_str())?,
            message,
            identity,
            at_s,
        };
        made.make(&self.layout.git())
    }

    /// How two trees differ, by path.
    fn moves(&self, from: &TreeId, to: &TreeId) -> Result<BTreeMap<String, Moved>, WorkspaceError> {
        let (from, to) = (object_name(from.as_str())?, object_name(to.as_str())?);
        let args = ["diff-tree", "-r", "-z", "--no-renames", "--raw", from, to];
        let output = self.layout.git().within(COMMAND_TIMEOUT).run(&args)?;
        let mut found = BTreeMap::new();
        let mut records = records(&output);
        // `:<old mode> <new mode> <old object> <new object> <status>`, then the path, git-diff-tree(1).
        while let (Some(record), Some(path)) = (records.next(), records.next()) {
            let text = String::from_utf8_lossy(record);
            let words: Vec<&str> = text.trim_start_matches(':').split(' ').collect();
            let &[old_mode, new_mode, old, new, _] = words.as_slice() else {
                continue;
            };
            let side = |mode: &str, object: &str| {
                (mode != "000000").then(|| Side {
                    mode: mode.to_owned(),
                    object: object.to_owned(),
                })
            };
            let moved = Moved {
                old: side(old_mode, old),
                new: side(new_mode, new),
            };
            found.insert(names::quote(path), moved);
        }
        Ok(found)
    }

    /// Which files have another name, by their old names: those that git takes for the same.
    fn renames(
        &self,
        from: &TreeId,
        to: &TreeId,
        moves: &BTreeMap<String, Moved>,
    ) -> Result<BTreeMap<String, String>, WorkspaceError> {
        let gone = moves.values().any(|moved| moved.new.is_none());
        let come = moves.values().any(|moved| moved.old.is_none());
        if !(gone && come) {
            return Ok(BTreeMap::new());
        }
        let (from, to) = (object_name(from.as_str())?, object_name(to.as_str())?);
        let limit = format!("-l{RENAMES_MAX}");
        let args = [
            "diff-tree",
            "-r",
            "-z",
            "--raw",
            "--no-rename-empty",
            "--diff-filter=R",
            RENAMED_ALIKE,
            &limit,
            from,
            to,
        ];
        let output = self.layout.git().within(COMMAND_TIMEOUT).run(&args)?;
        let mut found = BTreeMap::new();
        let mut records = records(&output);
        // As in `moves`, with both paths.
        while let (Some(_), Some(old), Some(new)) = (records.next(), records.next(), records.next())
        {
            found.insert(names::quote(old), names::quote(new));
        }
        Ok(found)
    }

    /// Merges files by their lines.
    fn merge_lines(
        &self,
        both: &[Both],
        replacements: &mut BTreeMap<String, Replacement>,
        conflicts: &mut Vec<String>,
    ) -> Result<(), WorkspaceError> {
        if both.is_empty() {
            return Ok(());
        }
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let folder = self.store().join(format!(
            "merge-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        make_dir(&folder)?;
        let merged = both.iter().enumerate().try_for_each(|(at, file)| {
            let result = match at < MERGED_FILES_MAX {
                true => self.merge_file(&folder, file)?,
                false => None,
            };
            match result {
                Some((content, clean)) => {
                    if !clean {
                        conflicts.push(file.path.clone());
                    }
                    let mode = file.mode.clone();
                    let merged = Replacement::File { mode, content };
                    replacements.insert(file.path.clone(), merged);
                }
                // What is there stays: it is others' work, and verified.
                None => conflicts.push(file.path.clone()),
            }
            Ok(())
        });
        remove_dir(&folder)?;
        merged
    }

    /// One file's merged content, and whether it is without conflicts. `None` if its lines cannot be merged.
    fn merge_file(
        &self,
        folder: &Path,
        file: &Both,
    ) -> Result<Option<(Vec<u8>, bool)>, WorkspaceError> {
        let sides = [Some(&file.ours), file.base.as_ref(), Some(&file.theirs)];
        let mut paths = Vec::new();
        for (name, side) in ["ours", "base", "theirs"].into_iter().zip(sides) {
            let content = match side {
                Some(side) if side.is_file() => match self.text(&side.object)? {
                    Some(content) => content,
                    None => return Ok(None),
                },
                Some(_) | None => Vec::new(),
            };
            let path = folder.join(name);
            write_file(&path, &content)?;
            paths.push(path);
        }
        let mut args: Vec<&std::ffi::OsStr> =
            vec!["merge-file".as_ref(), "-p".as_ref(), "--diff3".as_ref()];
        for label in LABELS {
            args.extend::<[&std::ffi::OsStr; 2]>(["-L".as_ref(), label.as_ref()]);
        }
        args.extend(paths.iter().map(|path| path.as_os_str()));
        let git = self.layout.git().within(COMMAND_TIMEOUT);
        let (code, content) = git.code(&args)?;
        Ok(match code {
            Some(code @ 0..=CONFLICTS_CODE_MAX) => Some((content, code == 0)),
            Some(_) | None => None,
        })
    }

    /// The content of a text of bounded size; `None` if it is none.
    fn text(&self, object: &str) -> Result<Option<Vec<u8>>, WorkspaceError> {
        let object = object_name(object)?;
        let git = self.layout.git().within(COMMAND_TIMEOUT);
        let size = git.ask(&["cat-file", "-s", object])?;
        let small = size
            .and_then(|size| size.parse::<u64>().ok())
            .is_some_and(|size| size <= MERGED_BYTES_MAX);
        if !small {
            return Ok(None);
        }
        let content = git.run(&["cat-file", "blob", object])?;
        let glance = content.get(..GLANCE_BYTES).unwrap_or(&content);
        let text = !glance.contains(&0) && Pointer::parse(&content).is_none();
        Ok(text.then_some(content))
    }
}

/// The files that each side renamed, new names by old ones.
struct Renames {
    theirs: BTreeMap<String, String>,
    ours: BTreeMap<String, String>,
}

impl Renames {
    /// Moves what one side changed to where the other has it now, as far as that can be said. Gives the paths of which
    /// it cannot: renamed to two names, or renamed here and deleted there.
    fn follow(
        &self,
        onto: &Listing,
        theirs: &mut BTreeMap<String, Moved>,
        ours: &mut BTreeMap<String, Moved>,
    ) -> Vec<String> {
        let mut torn = Vec::new();
        for (old, new) in &self.ours {
            match self.theirs.get(old) {
                Some(other) if other == new => both_renamed(theirs, ours, old, new),
                Some(other) => torn.push(other.clone()),
                None => {
                    if !carried(theirs, ours, old, new) {
                        torn.push(new.clone());
                    }
                }
            }
        }
        for (old, new) in &self.theirs {
            // What stands where it is to be is there already; everything keeps its place, and conflicts.
            let barred = self.ours.contains_key(old) || obstructed(onto, new);
            if !barred && !carried(ours, theirs, old, new) {
                torn.push(new.clone());
            }
        }
        torn
    }
}

/// Whether something of the tree stands where this file would be, beneath it or as one of its folders.
fn obstructed(tree: &Listing, path: &str) -> bool {
    let below = format!("{path}/");
    let next = tree.range(below.clone()..).next();
    let beneath = next.is_some_and(|(other, _)| other.starts_with(&below));
    let above = path
        .match_indices('/')
        .any(|(at, _)| tree.contains_key(&path[..at]));
    beneath || above
}

/// Both gave a file the same new name: they have a base in common there.
fn both_renamed(
    theirs: &mut BTreeMap<String, Moved>,
    ours: &mut BTreeMap<String, Moved>,
    old: &str,
    new: &str,
) {
    let base = theirs.get(old).and_then(|moved| moved.old.clone());
    for side in [theirs, ours] {
        if let Some(moved) = side.get_mut(new) {
            moved.old.clone_from(&base);
        }
    }
}

/// What `stays` changed in a file that `renames` gave another name is moved there. Whether that can be said; a file that
/// only one side touched needs nothing.
fn carried(
    stays: &mut BTreeMap<String, Moved>,
    renames: &mut BTreeMap<String, Moved>,
    old: &str,
    new: &str,
) -> bool {
    let Some(change) = stays.get(old) else {
        return true;
    };
    if change.new.is_none() {
        // Deleted there, kept here.
        return false;
    }
    let plain = change.new.iter().all(Side::is_file);
    if !plain || stays.contains_key(new) {
        // Another kind of thing, or two files that want one place: they conflict there, and at the old name.
        return true;
    }
    let Some(change) = stays.remove(old) else {
        return true;
    };
    if let Some(moved) = renames.get_mut(new) {
        moved.old.clone_from(&change.old);
    }
    stays.insert(new.to_owned(), change);
    true
}

/// A merge as far as whole files tell.
struct Merge<'a> {
    /// What it is taken onto.
    listing: &'a Listing,
    /// The change that is taken.
    theirs: &'a BTreeMap<String, Moved>,
    /// What the others changed.
    ours: &'a BTreeMap<String, Moved>,
    replacements: BTreeMap<String, Replacement>,
    conflicts: Vec<String>,
}

impl Merge<'_> {
    /// Takes one path over, or gives back what has to be merged by its lines.
    fn path(&mut self, path: &str, change: &Moved) -> Option<Both> {
        let Some(other) = self.ours.get(path) else {
            match &change.new {
                Some(new) => self.put(path, new),
                None => drop(
                    self.replacements
                        .insert(path.to_owned(), Replacement::Absent),
                ),
            }
            return None;
        };
        if other.new == change.new {
            return None;
        }
        match (&other.new, &change.new) {
            (Some(ours), Some(theirs)) if ours.is_file() && theirs.is_file() => {
                let mode = mode(change.old.as_ref(), ours, theirs);
                let base = change.old.clone();
                if ours.object == theirs.object || is(&base, theirs) {
                    let kept = Side {
                        mode,
                        object: ours.object.clone(),
                    };
                    self.replacements
                        .insert(path.to_owned(), kept.replacement());
                    return None;
                }
                if is(&base, ours) {
                    let taken = Side {
                        mode,
                        object: theirs.object.clone(),
                    };
                    self.replacements
                        .insert(path.to_owned(), taken.replacement());
                    return None;
                }
                Some(Both {
                    path: path.to_owned(),
                    mode,
                    base,
                    ours: ours.clone(),
                    theirs: theirs.clone(),
                })
            }
            // The others deleted it: what was made of it is there to be looked at.
            (None, Some(theirs)) => {
                self.put(path, theirs);
                self.conflicts.push(path.to_owned());
                None
            }
            // What is there stays: it is others' work, and verified.
            (Some(_), _) | (None, None) => {
                self.conflicts.push(path.to_owned());
                None
            }
        }
    }

    /// Puts a file there, or beside it if something of the others' stands in its way.
    fn put(&mut self, path: &str, new: &Side) {
        if !self.blocked(path) {
            self.replacements.insert(path.to_owned(), new.replacement());
            return;
        }
        self.conflicts.push(path.to_owned());
        // The blocking file is the first part of the path that is a file; the rest cannot be beneath it.
        let aside = path.replace('/', "-") + ASIDE;
        let taken =
            |aside: &str| self.listing.contains_key(aside) || self.replacements.contains_key(aside);
        if !taken(&aside) {
            self.replacements.insert(aside, new.replacement());
        }
    }

    /// Whether something stays there that cannot be there together with this path.
    fn blocked(&self, path: &str) -> bool {
        let goes = |other: &str| {
            !self.ours.contains_key(other)
                && self
                    .theirs
                    .get(other)
                    .is_some_and(|moved| moved.new.is_none())
        };
        let below = format!("{path}/");
        let beneath = self
            .listing
            .range(below.clone()..)
            .map(|(other, _)| other.as_str())
            .take_while(|other| other.starts_with(&below))
            .any(|other| !goes(other));
        let above = path
            .match_indices('/')
            .map(|(at, _)| &path[..at])
            .any(|folder| self.listing.contains_key(folder) && !goes(folder));
        beneath || above
    }
}

/// Whether the content is still the base's.
fn is(base: &Option<Side>, side: &Side) -> bool {
    base.as_ref().is_some_and(|base| base.object == side.object)
}

/// The mode of which only one side is not the base's; an executable, if there is none.
fn mode(base: Option<&Side>, ours: &Side, theirs: &Side) -> String {
    const EXECUTABLE: &str = "100755";
    match base {
        _ if ours.mode == theirs.mode => ours.mode.clone(),
        Some(base) if base.mode == ours.mode => theirs.mode.clone(),
        Some(base) if base.mode == theirs.mode => ours.mode.clone(),
        Some(_) | None => EXECUTABLE.to_owned(),
    }
}
