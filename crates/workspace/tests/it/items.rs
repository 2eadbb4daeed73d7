//! Workspaces of items beside the run's own.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Instant;

use overnight_core::ids::{CommitId, TreeId};
use overnight_ports::workspace::{Candidate, Workspace};
use overnight_workspace::{Checkouts, GitWorkspace, Start, item_dir, items_dir};

use crate::world::{World, changes, executable, files_of, git, git_output, link, put, read, tick};

fn at_base(run: &GitWorkspace) -> Start {
    Start {
        commit: run.base().commit.clone(),
        tree: run.base().tree.clone(),
        laid: None,
        licensed: Vec::new(),
    }
}

fn dir(world: &World, index: u32, round: u32) -> PathBuf {
    item_dir(&world.run, index, round)
        .unwrap()
        .join("workspace")
}

fn item(world: &World, index: u32, round: u32, start: &Start) -> GitWorkspace {
    GitWorkspace::prepare_item(&world.run, index, round, start).expect("prepares")
}

fn integrated(store: &Checkouts, parent: &CommitId, tree: &TreeId) -> CommitId {
    let by = "Ann Ode <ann@example.org>";
    store
        .commit(parent, tree, "One", by, 1_700_000_000)
        .unwrap()
}

/// The candidate of an item whose agent wrote these files.
fn worked(world: &World, index: u32, start: &Start, files: &[(&str, &str)]) -> Candidate {
    let mut workspace = item(world, index, 0, start);
    for (path, text) in files {
        put(workspace.dir(), path, text);
    }
    world.candidate(&mut workspace)
}

#[test]
fn items_work_beside_one_another_and_their_trees_meet_in_one_store() {
    let world = World::new(&[("a", "1\n"), ("sub/b", "1\n"), (".gitignore", "build/\n")]);
    let run = world.prepare();
    let start = at_base(&run);
    let one = worked(&world, 0, &start, &[("a", "2\n"), ("build/x", "no\n")]);
    let two = worked(&world, 1, &start, &[("sub/b", "2\n")]);
    assert_eq!(changes(&one), ["M a"]);
    assert_eq!(changes(&two), ["M sub/b"]);
    let store = run.checkouts();
    for candidate in [&one, &two] {
        let dest = world.temp.path().join("checkout");
        store.checkout(&candidate.tree, &dest).expect("checked out");
    }
    // The run's own workspace saw nothing of it.
    assert_eq!(read(&world.dir(), "a"), "1\n");
    // An integrated commit, which the person's repository does not have, is where the next one starts.
    let commit = integrated(&store, &start.commit, &one.tree);
    assert!(
        !git_output(&world.repo, &["cat-file", "-e", commit.as_str()])
            .status
            .success()
    );
    let next = Start {
        commit: commit.clone(),
        tree: one.tree.clone(),
        ..start.clone()
    };
    let mut third = item(&world, 2, 0, &next);
    assert_eq!(third.base().commit, commit);
    assert_eq!(read(third.dir(), "a"), "2\n");
    assert_eq!(world.scan(&mut third), Vec::<String>::new());
    put(third.dir(), "c", "new\n");
    assert_eq!(
        changes(&world.candidate(&mut third)),
        ["A c"],
        "against its own start"
    );
    // The agent's own git works there, with the whole history.
    let agents = third.dir().to_owned();
    assert_eq!(git(&agents, &["log", "--format=%s"]), "One\nStart");
    assert_eq!(git(&agents, &["rev-parse", "main"]), start.commit.as_str());
    assert_eq!(git(&agents, &["status", "--short"]), "?? c");
    git(&agents, &["fsck", "--strict"]);
}

#[test]
fn nothing_of_an_items_folder_is_shared_with_anybody() {
    let world = World::new(&[("a", "1\n")]);
    let run = world.prepare();
    let start = at_base(&run);
    for index in 0..2 {
        item(&world, index, 0, &start);
        let mut open = vec![dir(&world, index, 0)];
        while let Some(at) = open.pop() {
            for entry in std::fs::read_dir(&at).unwrap() {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                if meta.is_dir() {
                    open.push(path);
                    continue;
                }
                assert_eq!(
                    meta.nlink(),
                    1,
                    "{} is a link to a file elsewhere",
                    path.display()
                );
            }
        }
        assert!(
            !dir(&world, index, 0)
                .join(".git/objects/info/alternates")
                .exists()
        );
    }
    // A hostile agent spoils its own objects: the other's, and those of items to come, stay whole.
    let pack = dir(&world, 0, 0).join(".git/objects/pack");
    for entry in std::fs::read_dir(&pack).unwrap() {
        let path = entry.unwrap().path();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "spoilt").unwrap();
    }
    item(&world, 2, 0, &start);
    for index in 1..3 {
        git(&dir(&world, index, 0), &["fsck", "--strict"]);
    }
}

#[test]
fn what_was_sent_back_lies_in_the_new_workspace_and_survives_restore_and_restart() {
    let world = World::new(&[
        ("a", "1\n2\n3\n"),
        ("gone", "x\n"),
        ("run.sh", "x\n"),
        ("to", "x\n"),
    ]);
    let run = world.prepare();
    let start = at_base(&run);
    let mut first = item(&world, 3, 0, &start);
    put(first.dir(), "a", "1\nmine\n3\n");
    put(first.dir(), "dir/new", "new\n");
    std::fs::remove_file(first.dir().join("gone")).unwrap();
    executable(first.dir(), "run.sh");
    link(first.dir(), "to-a", "a");
    let mine = world.candidate(&mut first);
    let store = run.checkouts();
    let others = worked(&world, 4, &start, &[("a", "1\ntheirs\n3\n")]);
    let commit = integrated(&store, &start.commit, &others.tree);
    let merged = store.merge(&start.tree, &mine.tree, &others.tree).unwrap();
    assert_eq!(merged.conflicts, ["a"]);
    let again = Start {
        commit,
        tree: others.tree.clone(),
        laid: Some(merged.tree.clone()),
        licensed: Vec::new(),
    };
    let expected =
        "1\n<<<<<<< integrated\ntheirs\n||||||| base\n2\n=======\nmine\n>>>>>>> this item\n3\n";
    let check = |workspace: &mut GitWorkspace| {
        let root = workspace.dir().to_owned();
        assert_eq!(read(&root, "a"), expected);
        assert_eq!(read(&root, "dir/new"), "new\n");
        assert!(!root.join("gone").exists());
        assert_eq!(root.join("to-a").read_link().unwrap(), PathBuf::from("a"));
        assert_eq!(world.scan(workspace), Vec::<String>::new());
        let candidate = workspace.candidate().unwrap();
        assert_eq!(candidate.tree, merged.tree);
        assert_eq!(
            changes(&candidate),
            ["M a", "A dir/new", "D gone", "M run.sh", "A to-a"]
        );
    };
    check(&mut item(&world, 3, 1, &again));
    // A restart, and an agent that ruined what was laid: the snapshot has it.
    tick();
    let mut reopened = GitWorkspace::open_item(&world.run, 3, 1, &[]).unwrap();
    check(&mut reopened);
    for path in ["a", "dir/new", "to-a"] {
        std::fs::remove_file(reopened.dir().join(path)).unwrap();
    }
    put(reopened.dir(), "gone", "back\n");
    reopened.restore(&world.blobs).unwrap();
    check(&mut reopened);
    // Reverting a path gives the commit that the item starts from.
    reopened.revert(&["a".to_owned()]).unwrap();
    assert_eq!(read(reopened.dir(), "a"), "1\ntheirs\n3\n");
}

#[test]
fn a_restart_takes_the_items_deltas_up() {
    let world = World::new(&[("a", "1\n"), ("b", "1\n")]);
    let run = world.prepare();
    let mut workspace = item(&world, 7, 2, &at_base(&run));
    put(workspace.dir(), "a", "2\n");
    let delta = workspace.scan(&world.blobs).unwrap();
    put(workspace.dir(), "a", "half-done\n");
    put(workspace.dir(), "c", "half-done\n");
    let mut after = GitWorkspace::open_item(&world.run, 7, 2, &[]).unwrap();
    after.replay(&delta);
    after.restore(&world.blobs).unwrap();
    let files: Vec<String> = files_of(after.dir()).into_keys().collect();
    assert_eq!(files, ["a", "b"]);
    assert_eq!(read(after.dir(), "a"), "2\n");
    assert_eq!(changes(&world.candidate(&mut after)), ["M a"]);
    assert!(
        GitWorkspace::open_item(&world.run, 7, 3, &[]).is_err(),
        "never made"
    );
}

#[test]
fn many_items_are_prepared_at_the_same_time() {
    let files: Vec<(String, String)> = (0..60)
        .map(|n| (format!("f{n}"), format!("{n}\n")))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    let world = World::new(&files);
    let run = world.prepare();
    let start = at_base(&run);
    let trees: Vec<TreeId> = std::thread::scope(|scope| {
        let (world, start) = (&world, &start);
        let workers: Vec<_> = (0..8)
            .map(|index| {
                scope.spawn(move || {
                    worked(world, index, start, &[("f1", &format!("of {index}\n"))]).tree
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    for (index, tree) in trees.iter().enumerate() {
        let content = run.checkouts().file(tree, "f1", 100).unwrap();
        assert_eq!(content, format!("of {index}\n").into_bytes());
    }
    assert_eq!(
        std::fs::read_dir(items_dir(&world.run).unwrap())
            .unwrap()
            .count(),
        8
    );
}

#[test]
fn lfs_files_needed_files_and_line_ends_are_as_in_the_runs_own_workspace() {
    let world = World::new(&[
        (".gitattributes", "*.txt text eol=crlf\n"),
        (".gitignore", ".env\n"),
        ("t.txt", "one\ntwo\n"),
    ]);
    put(&world.repo, ".env", "needed\n");
    let run = world.prepare_with(&[".env"], &[]);
    let mut workspace = item(&world, 0, 0, &at_base(&run));
    assert_eq!(files_of(workspace.dir()), files_of(&world.dir()));
    assert_eq!(read(workspace.dir(), "t.txt"), "one\r\ntwo\r\n");
    put(workspace.dir(), "t.txt", "one\r\n2\r\n");
    let candidate = world.candidate(&mut workspace);
    assert_eq!(changes(&candidate), ["M t.txt"]);
    assert_eq!(
        run.checkouts().file(&candidate.tree, "t.txt", 99).unwrap(),
        b"one\n2\n"
    );
}

#[test]
fn the_last_clone_of_a_long_list_begins_with_few_packs_of_its_own() {
    const COMMITS: usize = 60;
    let world = World::new(&[("a/b/c", "0\n")]);
    let run = world.prepare();
    let first = at_base(&run);
    let (mut start, mut shared) = (first.clone(), 0);
    for n in 1..=COMMITS {
        let candidate = worked(&world, n as u32, &start, &[("a/b/c", &format!("{n}\n"))]);
        start.commit = integrated(&run.checkouts(), &start.commit, &candidate.tree);
        start.tree = candidate.tree;
        let agents = dir(&world, n as u32, 0);
        assert_eq!(
            git(&agents, &["rev-list", "--count", "HEAD"]),
            n.to_string()
        );
        shared = files_of(&world.run.join("items.objects/objects/pack")).len();
        std::fs::remove_dir_all(agents.parent().unwrap()).unwrap();
    }
    // Five objects a commit: packed once every 26 or so, and not sixty times.
    assert!((4..=2 * 5).contains(&shared), "{shared} packs and indexes");
    let last = item(&world, 100, 0, &start);
    assert_eq!(read(last.dir(), "a/b/c"), format!("{COMMITS}\n"));
    git(last.dir(), &["fsck", "--strict"]);
    // A clone at a commit before those that were packed last: an item that is prepared again after a crash.
    let early = item(&world, 101, 0, &first);
    assert_eq!(read(early.dir(), "a/b/c"), "0\n");
    assert_eq!(git(early.dir(), &["rev-list", "--count", "HEAD"]), "1");
}

/// Not a limit, which a loaded machine would break, but a figure for whoever asks: `--nocapture`.
#[test]
fn preparing_an_item_is_quick() {
    for count in [50, 2_000] {
        let files: Vec<(String, String)> = (0..count)
            .map(|n| (format!("d{}/f{n}", n % 40), format!("{n}\n").repeat(300)))
            .collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let world = World::new(&files);
        let run = world.prepare();
        let start = at_base(&run);
        item(&world, 0, 0, &start);
        let began = Instant::now();
        let workspace = item(&world, 1, 0, &start);
        println!("{count} files: {} ms", began.elapsed().as_millis());
        assert_eq!(files_of(workspace.dir()).len(), count);
    }
}
