//! Workspaces of items: a clone for each item of a worklist, at any commit of the run's own store, beside one another.
//!
//! What an agent may write to is its own alone: the objects of the base are packed once, in a folder that no cell shows,
//! and copied into each clone (never linked: a link is the same file, and a hostile agent would write to what the others
//! read). What was integrated since is packed for each clone anew while it is little, and beside the base's once it is
//! not: the last clone of a long list costs what the first did. The trees that come of the work go into the run's one
//! store, like those of the run's own workspace.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use overnight_core::ids::{CommitId, TreeId};
use overnight_ports::workspace::{Base, How, Mode, WorkspaceError};

use crate::baseline::{self, Held, now_ns};
use crate::beneath::Root;
use crate::candidate::differences;
use crate::facts::{
    Facts, Layout, io, load_json, make_dir, remove_dir, save_json, write_atomically, write_file,
};
use crate::lfs::{self, Objects};
use crate::names;
use crate::prepare::{self, Laid, unsynced};
use crate::store::object_name;
use crate::workspace::GitWorkspace;

/// What an item's workspace starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// A commit of the run's own store: the base, or one that was integrated since.
    pub commit: CommitId,
    /// Its tree.
    pub tree: TreeId,
    /// What lies in the workspace at first, if that is not the commit's tree: a change that was sent back.
    pub laid: Option<TreeId>,
    /// Exact paths that count although they are ignored or look like build artefacts.
    pub licensed: Vec<String>,
}

/// Where the workspaces of a run's items are.
pub fn items_dir(run_dir: &Path) -> Result<PathBuf, WorkspaceError> {
    Ok(Layout::new(run_dir)?.items())
}

/// Where all of one workspace is: of the item with this place in the list, made for the `round`-th time.
pub fn item_dir(run_dir: &Path, index: u32, round: u32) -> Result<PathBuf, WorkspaceError> {
    Ok(Layout::new(run_dir)?.item(index, round).folder().to_owned())
}

/// One path that was laid, and what it held; `None` where the change deletes it.
pub(crate) type LaidPath = (Vec<u8>, Option<Held>);

/// The same as it is stored.
type StoredPath = (String, Option<Held>);

impl GitWorkspace {
    /// Makes the workspace of an item of the run in `run_dir`, which must be prepared. What an earlier making left at the
    /// same place is removed first.
    pub fn prepare_item(
        run_dir: &Path,
        index: u32,
        round: u32,
        start: &Start,
    ) -> Result<Self, WorkspaceError> {
        let home = Layout::new(run_dir)?;
        let run = home.load()?;
        let layout = home.item(index, round);
        remove_dir(layout.folder())?;
        make_dir(layout.folder())?;
        let (facts, laid) = facts(&layout, &run, start)?;
        let git_dir = prepare::git_dir(&layout, &facts, &run.base.commit)?;
        objects(&home, &run, &facts.base.commit, &git_dir)?;
        prepare::fill(&layout, &facts)?;
        prepare::furnish(&layout, &facts, &laid)?;
        if let Some(tree) = start.laid.as_ref().filter(|tree| **tree != start.tree) {
            lay(&layout, &facts, tree)?;
        }
        layout.save(&facts)?;
        Self::open_at(layout)
    }

    /// Opens the workspace of an item that was made earlier. The snapshot is the first one: replay the deltas that the
    /// journal has of the item since then.
    pub fn open_item(
        run_dir: &Path,
        index: u32,
        round: u32,
        licensed: &[String],
    ) -> Result<Self, WorkspaceError> {
        let layout = Layout::new(run_dir)?.item(index, round);
        Self::license_at(&layout, licensed)?;
        Self::open_at(layout)
    }
}

/// What is known of the workspace before anything is in it.
fn facts(layout: &Layout, run: &Facts, start: &Start) -> Result<(Facts, Laid), WorkspaceError> {
    let git = layout.git();
    let tree = object_name(start.tree.as_str())?;
    object_name(start.commit.as_str())?;
    unsynced(&git)
        .index(&layout.base_index())
        .run(&["read-tree", tree])?;
    let listed = baseline::listed(&git, &layout.base_index())?;
    let lfs = run.lfs && lfs::used(&git, &listed)?;
    let mut pointers = Vec::new();
    if lfs {
        let objects = Objects::new(&layout.lfs(), &run.origin);
        pointers = lfs::pointers(&git, &layout.base_index(), &listed)?;
        pointers.retain(|(_, _, p)| objects.find(&p.oid).is_some());
    }
    let base = Base {
        commit: start.commit.clone(),
        tree: start.tree.clone(),
        lfs: pointers
            .iter()
            .map(|(path, _, _)| names::quote(path))
            .collect(),
        files: u64::try_from(listed.iter().filter(|l| l.mode.is_some()).count())
            .unwrap_or(u64::MAX),
        dirty: Vec::new(),
        notes: Vec::new(),
        ..run.base.clone()
    };
    let facts = Facts {
        base,
        licensed: start.licensed.clone(),
        lfs,
        notes: Vec::new(),
        ..run.clone()
    };
    Ok((facts, Laid { listed, pointers }))
}

/// Copies the objects of the base and of what was integrated since into a clone.
fn objects(
    home: &Layout,
    run: &Facts,
    commit: &CommitId,
    git_dir: &Path,
) -> Result<(), WorkspaceError> {
    let shared = shared_objects(home, run, commit)?;
    let into = git_dir.join("objects/pack");
    for from in &shared.files {
        let target = into.join(from.file_name().unwrap_or_default());
        std::fs::copy(from, &target).map_err(io(&target))?;
    }
    if let Some(shallow) = shared.shallow {
        write_file(&git_dir.join("shallow"), &shallow)?;
    }
    pack(home, &shared.missing, &into)
}

/// How many objects a clone packs for itself; what is more is packed once, for every clone that comes.
const OWN_OBJECTS_MAX: usize = 128;
/// Beside the shared packs: the newest commit whose objects are in them. Until it is there that is the base.
const PACKED_FILE: &str = "packed";

/// What clones begin with.
struct Shared {
    /// Packs and their indexes: never changed, and never removed while the run is prepared.
    files: Vec<PathBuf>,
    shallow: Option<Vec<u8>>,
    /// What is needed besides, as `git rev-list --objects` prints it.
    missing: Vec<u8>,
}

/// The shared packs, brought up to date if too much is missing in them for a clone at `commit`.
fn shared_objects(home: &Layout, run: &Facts, commit: &CommitId) -> Result<Shared, WorkspaceError> {
    // Items begin together: one makes the packs, and the others wait for it.
    static MAKING: Mutex<()> = Mutex::new(());
    let _held = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let place = base_objects(home, run)?;
    let packs = place.join("objects/pack");
    let packed = place.join(PACKED_FILE);
    let newest = std::fs::read_to_string(&packed).unwrap_or_default();
    let newest = match newest.trim() {
        "" => run.base.commit.as_str(),
        newest => object_name(newest)?,
    };
    let mut missing = Vec::new();
    if commit.as_str() != newest {
        let beyond = format!("^{newest}");
        missing = home
            .git()
            .run(&["rev-list", "--objects", commit.as_str(), &beyond])?;
    }
    if missing.iter().filter(|byte| **byte == b'\n').count() > OWN_OBJECTS_MAX {
        pack(home, &missing, &packs)?;
        // Last: a pack that is not counted yet is only one too many.
        write_atomically(&packed, commit.as_str().as_bytes())?;
        missing.clear();
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&packs).map_err(io(&packs))? {
        let entry = entry.map_err(io(&packs))?;
        // A git that was killed leaves files of other names.
        if entry.file_name().as_encoded_bytes().starts_with(b"pack-") {
            files.push(entry.path());
        }
    }
    Ok(Shared {
        files,
        shallow: std::fs::read(place.join("shallow")).ok(),
        missing,
    })
}

/// Packs these objects of the run's store.
fn pack(home: &Layout, objects: &[u8], into: &Path) -> Result<(), WorkspaceError> {
    if objects.is_empty() {
        return Ok(());
    }
    let place = into.join("pack");
    let pack = ["pack-objects", "-q", "--window=0"].map(std::ffi::OsStr::new);
    let pack: Vec<&std::ffi::OsStr> = pack.into_iter().chain([place.as_os_str()]).collect();
    unsynced(&home.git())
        .setting("pack.compression=1")
        .feed(&pack, objects)
        .map(drop)
}

/// The base's objects in one pack, made once a run: whole or not there.
fn base_objects(home: &Layout, run: &Facts) -> Result<PathBuf, WorkspaceError> {
    let place = home.items_objects();
    if place.is_dir() {
        return Ok(place);
    }
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = place.as_os_str().to_owned();
    name.push(format!(
        ".{}-{}.new",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    ));
    let temporary = PathBuf::from(name);
    remove_dir(&temporary)?;
    make_dir(&temporary.join("objects/pack"))?;
    prepare::pack(home, run, &temporary)?;
    std::fs::rename(&temporary, &place).map_err(io(&place))?;
    Ok(place)
}

/// Lays another tree over the clone, and writes down what that changed.
fn lay(layout: &Layout, facts: &Facts, tree: &TreeId) -> Result<(), WorkspaceError> {
    let git = layout.git();
    let tree = object_name(tree.as_str())?;
    let changes = differences(&git, facts.base.tree.as_str(), tree)?;
    let copies = layout.laid();
    remove_dir(&copies)?;
    make_dir(&copies)?;
    let copies = Root::open(&copies)?;
    let (mut written, mut removed) = (HashSet::new(), Vec::new());
    for change in &changes {
        let Some(path) = names::unquote(&change.path) else {
            continue;
        };
        match change.how {
            How::Deleted => removed.push(path),
            How::Added | How::Modified => drop(written.insert(path)),
        }
    }
    let index = layout.folder().join("laid.index");
    let indexed = unsynced(&git).index(&index);
    indexed.run(&["read-tree", tree])?;
    let mut listed = baseline::listed(&git, &index)?;
    // A submodule's content is no file of the tree.
    listed.retain(|l| l.mode.is_some() && written.contains(&l.path));
    if !listed.is_empty() {
        let mut input = Vec::new();
        for l in &listed {
            input.extend_from_slice(&l.path);
            input.push(0);
        }
        indexed
            .work_tree(copies.path())
            .feed(&["checkout-index", "-q", "-f", "-z", "--stdin"], &input)?;
    }
    if facts.lfs {
        let pointers = lfs::pointers(&git, &index, &listed)?;
        Objects::new(&layout.lfs(), &facts.origin).materialise(&copies, &pointers)?;
    }
    std::fs::remove_file(&index).map_err(io(&index))?;
    let root = Root::open(&layout.workspace())?;
    let mut stored: Vec<StoredPath> = Vec::new();
    // What goes makes room for what comes.
    for path in removed {
        root.remove(&path).map_err(|e| root.error(&path, e))?;
        stored.push((names::quote(&path), None));
    }
    for l in &listed {
        copy(&copies, &root, &l.path)?;
        let held = baseline::hold(&root, &l.path, now_ns()).map_err(|e| root.error(&l.path, e))?;
        stored.push((names::quote(&l.path), held));
    }
    save_json(&layout.laid_file(), &stored)
}

/// Copies one file or link from a folder of the harness's into a workspace.
fn copy(from: &Root, to: &Root, path: &[u8]) -> Result<(), WorkspaceError> {
    if let Some(target) = from.target(path).map_err(|e| from.error(path, e))? {
        return to
            .put(path, Mode::Link, &mut target.as_slice())
            .map_err(|e| to.error(path, e));
    }
    let Some((mut file, stat)) = from.file(path).map_err(|e| from.error(path, e))? else {
        return Ok(());
    };
    let mode = match stat.kind() {
        crate::beneath::Kind::File(mode) => mode,
        _ => Mode::File,
    };
    to.put(path, mode, &mut file).map_err(|e| to.error(path, e))
}

/// What was laid in a workspace when it was made, by path; nothing in the run's own.
pub(crate) fn laid(layout: &Layout) -> Result<Vec<LaidPath>, WorkspaceError> {
    if !layout.laid_file().exists() {
        return Ok(Vec::new());
    }
    let stored: Vec<StoredPath> = load_json(&layout.laid_file())?;
    Ok(stored
        .into_iter()
        .filter_map(|(path, held)| Some((names::unquote(&path)?, held)))
        .collect())
}
