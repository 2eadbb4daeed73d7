//! Delivery: a branch in the person's repository, or a patch series on disk. Doing it twice is doing it once: the
//! commit's name follows from what is delivered, and the world is asked before it is changed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use overnight_core::ids::CommitId;
use overnight_ports::forge::{Delivered, Delivery};
use overnight_ports::workspace::WorkspaceError;

use crate::commit::{NewCommit, tree_of};
use crate::facts::{io, make_dir, remove_dir};
use crate::git::{Git, first_line};
use crate::lfs;
use crate::origin::Origin;
use crate::store::object_name;

/// With more objects than this they are put into the person's repository as one pack. git's own limit.
const LOOSE_OBJECTS_MAX: usize = 100;

/// With how many digits git numbers the patches of a series, at least.
const PATCH_DIGITS_MIN: usize = 4;

/// Creates the branch in the repository that holds `repo`, from the trees in `harness_git`. Besides the objects and
/// the one reference nothing changes there.
pub fn deliver_branch(
    repo: &Path,
    harness_git: &Path,
    delivery: &Delivery,
) -> Result<Delivered, WorkspaceError> {
    let store = Git::store(harness_git);
    let Some(commit) = commit(&store, delivery)? else {
        return Ok(Delivered::Nothing);
    };
    let origin = Origin::find(repo)?;
    let git = origin.git();
    let reference = format!("refs/heads/{}", delivery.branch);
    if git.run(&["check-ref-format", &reference]).is_err() {
        return Err(WorkspaceError::Refused(format!(
            "`{}` cannot be a branch's name",
            delivery.branch
        )));
    }
    let delivered = Delivered::Branch {
        name: delivery.branch.clone(),
        commit: commit.clone(),
    };
    let there = git.ask(&["rev-parse", "-q", "--verify", &reference])?;
    let before = there
        .clone()
        .unwrap_or_else(|| "0".repeat(commit.as_str().len()));
    match there {
        Some(there) if there == commit.as_str() => return Ok(delivered),
        Some(there)
            if delivery
                .replaces
                .as_ref()
                .is_some_and(|old| old.as_str() == there) =>
        {
            not_checked_out(&git, &delivery.branch, &reference)?;
        }
        Some(there) => {
            return Err(WorkspaceError::Refused(format!(
                "the branch {} exists already and is at {there}, not at {commit}: rename it \
                 (`git branch -m {} <other name>`) and deliver again",
                delivery.branch, delivery.branch
            )));
        }
        None => {}
    }
    import(&store, &git, &commit, delivery)?;
    if let Some(own) = harness_git
        .parent()
        .map(|dir| dir.join("lfs/objects"))
        .filter(|dir| dir.is_dir())
    {
        let oids = lfs::pointed_to(
            &store,
            base_name(delivery)?,
            object_name(delivery.tree.as_str())?,
        )?;
        lfs::deliver(&own, &origin.common_dir.join("lfs/objects"), &oids)?;
    }
    // The old value says what must be there, or that nothing must be: what somebody did meanwhile is not overwritten.
    git.run(&["update-ref", &reference, commit.as_str(), &before])?;
    Ok(delivered)
}

/// A branch that somebody has checked out is not moved under their feet.
fn not_checked_out(git: &Git, branch: &str, reference: &str) -> Result<(), WorkspaceError> {
    let place = first_line(&git.run(&["for-each-ref", "--format=%(worktreepath)", reference])?);
    if place.is_empty() {
        return Ok(());
    }
    Err(WorkspaceError::Refused(format!(
        "the branch {branch} is checked out in {place}, and new work cannot be put on it there: \
         check out another branch (`git switch -`) and deliver again"
    )))
}

/// Writes the commits as a patch series, one patch for each, that `git am` takes (`--keep-cr` where a file has CRLF line ends) into
/// `folder`, whole or not at all, in place of what was delivered there before. LFS objects that the series needs lie in `lfs/objects` beside it.
pub fn deliver_patch(
    folder: &Path,
    harness_git: &Path,
    delivery: &Delivery,
) -> Result<Delivered, WorkspaceError> {
    let store = Git::store(harness_git);
    let Some(commit) = commit(&store, delivery)? else {
        return Ok(Delivered::Nothing);
    };
    let folder = std::path::absolute(folder).map_err(io(folder))?;
    let mut temporary = folder.as_os_str().to_owned();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = std::path::PathBuf::from(temporary);
    remove_dir(&temporary)?;
    make_dir(&temporary)?;
    let written = write_series(&store, harness_git, &commit, delivery, &temporary).and_then(|()| {
        if !folder.exists() {
            return std::fs::rename(&temporary, &folder).map_err(io(&folder));
        }
        let series = patches(&temporary)?;
        move_into(&temporary, &folder)?;
        // A resumed run's earlier patch has another subject, and so another name: `git am` would take it too.
        let earlier = patches(&folder)?.into_iter();
        for name in earlier.filter(|name| !series.contains(name)) {
            let path = folder.join(name);
            std::fs::remove_file(&path).map_err(io(&path))?;
        }
        Ok(())
    });
    remove_dir(&temporary)?;
    written?;
    Ok(Delivered::Patch {
        folder: folder.to_string_lossy().into_owned(),
    })
}

fn write_series(
    store: &Git,
    harness_git: &Path,
    commit: &CommitId,
    delivery: &Delivery,
    into: &Path,
) -> Result<(), WorkspaceError> {
    let options = [
        "format-patch",
        "-q",
        "--binary",
        "--full-index",
        "--no-renames",
        "--no-signature",
        "--no-ext-diff",
        "-o",
    ];
    let chain = format!("{}..{commit}", base_name(delivery)?);
    let args: Vec<&std::ffi::OsStr> = options
        .iter()
        .map(std::ffi::OsStr::new)
        .chain([into.as_os_str(), chain.as_ref()])
        .collect();
    store.run(&args)?;
    if let Some(own) = harness_git
        .parent()
        .map(|dir| dir.join("lfs/objects"))
        .filter(|dir| dir.is_dir())
    {
        let oids = lfs::pointed_to(
            store,
            base_name(delivery)?,
            object_name(delivery.tree.as_str())?,
        )?;
        lfs::deliver(&own, &into.join("lfs/objects"), &oids)?;
    }
    Ok(())
}

/// Names of the patches in a folder that a delivery wrote, one for each commit: `0001-what.patch` and so on.
fn patches(folder: &Path) -> Result<BTreeSet<OsString>, WorkspaceError> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(io(folder))? {
        let name = entry.map_err(io(folder))?.file_name();
        let bytes = name.as_encoded_bytes();
        let number = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
        let numbered = number >= PATCH_DIGITS_MIN && bytes.get(number) == Some(&b'-');
        if numbered && bytes.ends_with(b".patch") {
            names.insert(name);
        }
    }
    Ok(names)
}

/// Moves what is in a folder into another that exists, each file in one step.
fn move_into(from: &Path, to: &Path) -> Result<(), WorkspaceError> {
    for entry in std::fs::read_dir(from).map_err(io(from))? {
        let entry = entry.map_err(io(from))?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            make_dir(&target)?;
            move_into(&entry.path(), &target)?;
        } else {
            std::fs::rename(entry.path(), &target).map_err(io(&target))?;
        }
    }
    Ok(())
}

fn base_name(delivery: &Delivery) -> Result<&str, WorkspaceError> {
    object_name(delivery.base.as_str())
}

/// Makes the last commit in the harness's store: on the chain that is there already, if there is one, and only if it would
/// change anything. `None` if there is nothing to deliver. The same delivery makes the same commit.
fn commit(store: &Git, delivery: &Delivery) -> Result<Option<CommitId>, WorkspaceError> {
    let (base, tree) = (base_name(delivery)?, object_name(delivery.tree.as_str())?);
    if delivery.tip.is_none() && tree_of(store, base)? == tree {
        return Ok(None);
    }
    let parent = match &delivery.tip {
        Some(tip) => object_name(tip.as_str())?,
        None => base,
    };
    if tree_of(store, parent)? == tree {
        return Ok(Some(CommitId(parent.to_owned())));
    }
    let made = NewCommit {
        parent,
        tree,
        message: &delivery.message,
        identity: &delivery.identity,
        at_s: delivery.at_s,
    };
    made.make(store).map(Some)
}

/// Puts the commit's new objects into the person's store.
fn import(
    store: &Git,
    git: &Git,
    commit: &CommitId,
    delivery: &Delivery,
) -> Result<(), WorkspaceError> {
    let not_base = format!("^{}", delivery.base);
    let objects = store.run(&["rev-list", "--objects", commit.as_str(), &not_base])?;
    let count = objects.iter().filter(|b| **b == b'\n').count();
    let pack = store.feed(&["pack-objects", "-q", "--stdout"], &objects)?;
    if count <= LOOSE_OBJECTS_MAX {
        git.feed(&["unpack-objects", "-q"], &pack)?;
    } else {
        git.feed(&["index-pack", "--stdin"], &pack)?;
    }
    Ok(())
}
