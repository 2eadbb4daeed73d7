//! Preparing a run: the harness's store, what the tree does not hold, and the agent's disposable clone.
//!
//! The clone holds its own objects. Borrowing them would be cheaper, but the person's store is hidden inside the
//! sandbox; hard links would be visible there and writable, and with them the person's repository. So the objects of
//! the last commits are copied into one pack, without any compression that is not there already.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use overnight_core::ids::{CommitId, TreeId};
use overnight_ports::workspace::{Base, Mode, WorkspaceError};

use crate::baseline::{self, Listed};
use crate::beneath::Root;
use crate::checkout::Checkouts;
use crate::facts::{Facts, Layout, io, make_dir, write_file};
use crate::files;
use crate::git::{Git, config};
use crate::lfs::{self, Objects, Pointer};
use crate::names;
use crate::origin::Origin;
use crate::store;
use crate::submodules;

/// The branch that the agent works on.
const BRANCH: &str = "overnight/work";
/// How many commits of history the clone has, where that is cheap.
const HISTORY_COMMITS: usize = 50;
/// Above this size of the person's packs the clone has one commit only, bytes.
const HISTORY_PACKS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What a goal says about its workspace.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `use.files`: paths or patterns of ignored files, relative to the repository's root.
    pub files: Vec<String>,
    /// Exact paths that count although they are ignored or look like build artefacts: `use.paths` names them.
    pub licensed: Vec<String>,
}

/// What [`lay`] found besides the facts.
pub(crate) struct Laid {
    pub(crate) listed: Vec<Listed>,
    pub(crate) pointers: Vec<(Vec<u8>, Mode, Pointer)>,
}

/// Prepares everything: the facts are stored last.
pub(crate) fn prepare(
    repo: &Path,
    run_dir: &Path,
    options: &Options,
) -> Result<(), WorkspaceError> {
    let layout = Layout::new(run_dir)?;
    let origin = Origin::find(repo)?;
    let head = origin.head()?;
    let (mut facts, laid) = lay(
        &layout,
        origin,
        (&head.commit, &head.tree, head.branch),
        &options.files,
    )?;
    facts.base.dirty = facts.origin.dirty()?;
    facts.licensed = options.licensed.clone();
    clone(&layout, &facts)?;
    furnish(&layout, &facts, &laid)?;
    layout.save(&facts)
}

/// Makes the store of a run on one commit, with LFS objects, submodules and `use.files` beside it.
pub(crate) fn lay(
    layout: &Layout,
    origin: Origin,
    (commit, tree, branch): (&CommitId, &TreeId, Option<String>),
    wanted: &[String],
) -> Result<(Facts, Laid), WorkspaceError> {
    layout.clear()?;
    store::make(
        &layout.store(),
        &origin.format,
        &origin.objects,
        &origin.common_dir,
    )?;
    let git = layout.git();
    git.index(&layout.base_index())
        .run(&["read-tree", tree.as_str()])?;
    let listed = baseline::listed(&git, &layout.base_index())?;
    let (submodules, mut notes) = submodules::extract(layout, &origin, commit.as_str(), &listed)?;
    let lfs = lfs::used(&git, &listed)?;
    let mut pointers = Vec::new();
    if lfs {
        pointers = lfs::pointers(&git, &layout.base_index(), &listed)?;
        let objects = Objects::new(&layout.lfs(), &origin);
        objects.fetch(&origin, &pointers);
        for (path, _, _) in pointers
            .iter()
            .filter(|(_, _, p)| objects.find(&p.oid).is_none())
        {
            notes.push(format!(
                "{} is an LFS pointer and its content is not here; `git lfs pull` in your checkout helps",
                names::quote(path)
            ));
        }
        pointers.retain(|(_, _, p)| objects.find(&p.oid).is_some());
    }
    let tracked: HashSet<&[u8]> = listed.iter().map(|l| l.path.as_slice()).collect();
    let files = files::collect(layout, &origin, wanted, &tracked)?;
    let base = Base {
        commit: commit.clone(),
        tree: tree.clone(),
        branch,
        dirty: Vec::new(),
        submodules: submodules
            .iter()
            .filter(|s| s.content.is_some())
            .map(|s| s.path.clone())
            .collect(),
        lfs: pointers
            .iter()
            .map(|(path, _, _)| names::quote(path))
            .collect(),
        files: u64::try_from(listed.iter().filter(|l| l.mode.is_some()).count())
            .unwrap_or(u64::MAX),
        identity: origin.identity()?,
        notes: notes.clone(),
    };
    let facts = Facts {
        origin,
        base,
        submodules,
        files,
        licensed: Vec::new(),
        lfs,
        notes,
    };
    Ok((facts, Laid { listed, pointers }))
}

/// git that writes a checkout with as many workers as there are processors.
pub(crate) fn parallel(git: &Git) -> Git {
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .clamp(1, 8);
    unsynced(git)
        .setting(format!("checkout.workers={workers}"))
        .setting("checkout.thresholdForParallelism=200")
}

/// git that does not wait for the disk: what it writes can be made again from what is on the disk already.
pub(crate) fn unsynced(git: &Git) -> Git {
    git.setting("core.fsync=none")
}

/// Makes the agent's clone.
fn clone(layout: &Layout, facts: &Facts) -> Result<(), WorkspaceError> {
    let git_dir = git_dir(layout, facts, &facts.base.commit)?;
    pack(layout, facts, &git_dir)?;
    fill(layout, facts)
}

/// Makes the `.git` of a clone without its objects; `known` is the commit of the branch that the person is on.
pub(crate) fn git_dir(
    layout: &Layout,
    facts: &Facts,
    known: &CommitId,
) -> Result<PathBuf, WorkspaceError> {
    let git_dir = layout.workspace().join(".git");
    for folder in [
        "objects/info",
        "objects/pack",
        "refs/heads",
        "refs/tags",
        "info",
    ] {
        make_dir(&git_dir.join(folder))?;
    }
    let base = &facts.base;
    write_file(
        &git_dir.join("HEAD"),
        format!("ref: refs/heads/{BRANCH}\n").as_bytes(),
    )?;
    write_file(&git_dir.join("config"), agent_config(facts).as_bytes())?;
    write_file(
        &git_dir.join("refs/heads").join(BRANCH),
        format!("{}\n", base.commit).as_bytes(),
    )?;
    if let Some(branch) = base
        .branch
        .as_deref()
        .filter(|b| *b != "overnight" && !b.starts_with(BRANCH))
    {
        let refs = format!(
            "# pack-refs with: peeled fully-peeled sorted \n{} refs/heads/{branch}\n",
            known
        );
        write_file(&git_dir.join("packed-refs"), refs.as_bytes())?;
    }
    Ok(git_dir)
}

/// Writes the files of a clone. Its `.git` is the harness's for the last time here.
pub(crate) fn fill(layout: &Layout, facts: &Facts) -> Result<(), WorkspaceError> {
    let dir = layout.workspace();
    let git = parallel(&Git::store(&dir.join(".git"))).work_tree(&dir);
    git.run(&["read-tree", "--reset", "-u", facts.base.commit.as_str()])
        .map(drop)
}

/// What the agent's git is told. No background maintenance: its processes would outlive the call that started them.
fn agent_config(facts: &Facts) -> String {
    let (name, mail) = split_identity(&facts.base.identity);
    format!(
        "{}[core]\n\tlogallrefupdates = true\n[user]\n\tname = {}\n\temail = {}\n[gc]\n\tauto = 0\n\
         [maintenance]\n\tauto = false\n[commit]\n\tgpgsign = false\n[advice]\n\tdetachedHead = false\n",
        config(&facts.origin.format, false),
        value(name),
        value(mail),
    )
}

/// A configuration value in quotes.
fn value(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace(['\n', '\r', '\0'], " ");
    format!("\"{escaped}\"")
}

/// `Name <mail>` in its two parts.
pub(crate) fn split_identity(identity: &str) -> (&str, &str) {
    let (name, rest) = identity.split_once('<').unwrap_or((identity, ""));
    let mail = rest.split('>').next().unwrap_or_default().trim();
    let or = |text: &'_ str| -> bool { text.chars().any(char::is_alphanumeric) };
    let name = if or(name) { name.trim() } else { "overnight" };
    let mail = if or(mail) {
        mail
    } else {
        "overnight@localhost"
    };
    (name, mail)
}

/// Copies the objects of the last commits into one pack of the clone.
pub(crate) fn pack(layout: &Layout, facts: &Facts, git_dir: &Path) -> Result<(), WorkspaceError> {
    let depth = if packs_bytes(&facts.origin.objects) <= HISTORY_PACKS_BYTES_MAX {
        HISTORY_COMMITS
    } else {
        1
    };
    // A partial clone may lack objects of older commits; it has those of HEAD.
    pack_commits(layout, facts, git_dir, depth).or_else(|error| match depth {
        1 => Err(error),
        _ => pack_commits(layout, facts, git_dir, 1),
    })
}

fn pack_commits(
    layout: &Layout,
    facts: &Facts,
    git_dir: &Path,
    depth: usize,
) -> Result<(), WorkspaceError> {
    let git = unsynced(&layout.git()).setting("pack.compression=1");
    let commit = facts.base.commit.as_str();
    let count = format!("--max-count={depth}");
    let shallow = boundary(
        &git.run(&["rev-list", "--parents", &count, commit])?,
        &layout.store(),
    );
    let list = ["rev-list", "--objects", &count, commit];
    let into = git_dir.join("objects/pack/pack");
    let pack = ["pack-objects", "-q", "--window=0"].map(std::ffi::OsStr::new);
    let pack: Vec<&std::ffi::OsStr> = pack.into_iter().chain([into.as_os_str()]).collect();
    git.pipe(&list, &git, &pack)?;
    if !shallow.is_empty() {
        write_file(&git_dir.join("shallow"), shallow.as_bytes())?;
    }
    Ok(())
}

/// The commits whose parents the clone does not have, as the `shallow` file lists them.
fn boundary(parents: &[u8], store: &Path) -> String {
    let text = String::from_utf8_lossy(parents);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    let here: HashSet<&str> = lines
        .iter()
        .filter_map(|line| line.first().copied())
        .collect();
    let cut = std::fs::read_to_string(store.join("shallow")).unwrap_or_default();
    let cut: HashSet<&str> = cut.lines().collect();
    let mut shallow: Vec<&str> = lines
        .iter()
        .filter(|line| {
            line.iter().any(|c| !here.contains(c)) || line.first().is_some_and(|c| cut.contains(c))
        })
        .filter_map(|line| line.first().copied())
        .collect();
    shallow.sort_unstable();
    shallow.iter().map(|commit| format!("{commit}\n")).collect()
}

fn packs_bytes(objects: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(objects.join("pack")) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|e| e.metadata().ok())
        .map(|m| m.len())
        .sum()
}

/// Adds to the clone what the tree does not hold, and takes the first snapshot.
pub(crate) fn furnish(layout: &Layout, facts: &Facts, laid: &Laid) -> Result<(), WorkspaceError> {
    let root = Root::open(&layout.workspace())?;
    let done = Objects::new(&layout.lfs(), &facts.origin).materialise(&root, &laid.pointers)?;
    let git_dir = layout.workspace().join(".git");
    if !done.is_empty() {
        // Without this the agent's git would call every large file modified, and put pointers back on a stash.
        let mut input = done.join(&0);
        input.push(0);
        let git = Git::store(&git_dir).work_tree(&layout.workspace());
        git.feed(
            &["update-index", "-z", "--assume-unchanged", "--stdin"],
            &input,
        )?;
    }
    Checkouts {
        layout: layout.clone(),
        facts: std::sync::Arc::new(facts.clone()),
    }
    .add(&root)?;
    make_dir(&layout.git_dir_copy())?;
    let copy = Root::open(&layout.git_dir_copy())?;
    let mut git_files = Vec::new();
    copy_git_dir(&copy, &git_dir, b"", &mut git_files)?;
    baseline::take(layout, &root, &laid.listed, &git_files)
}

/// Copies the clone's `.git` but for its objects, and lists its files below the workspace.
fn copy_git_dir(
    copy: &Root,
    from: &Path,
    at: &[u8],
    files: &mut Vec<Vec<u8>>,
) -> Result<(), WorkspaceError> {
    use std::os::unix::ffi::OsStringExt;
    for entry in std::fs::read_dir(from).map_err(io(from))? {
        let entry = entry.map_err(io(from))?;
        let name = entry.file_name().into_vec();
        let path = if at.is_empty() {
            name
        } else {
            [at, b"/", &name].concat()
        };
        if path == b"objects" {
            continue;
        }
        if entry.path().is_dir() {
            copy_git_dir(copy, &entry.path(), &path, files)?;
        } else {
            copy.copy_one(&entry.path(), &path)
                .map_err(io(&entry.path()))?;
            files.push([b".git/".as_slice(), &path].concat());
        }
    }
    Ok(())
}
