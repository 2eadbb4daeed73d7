//! Restoring and reverting, also when the agent has put traps in the way.

use overnight_ports::workspace::{Workspace, WorkspaceError};
use overnight_workspace::SNAPSHOT_FILE_BYTES_MAX;

use crate::world::{World, executable, files_of, git, link, picture, put, read};

#[test]
fn the_folder_comes_back_as_it_was_scanned() {
    let world = World::new(&[
        ("a", "1"),
        ("d/b", "2"),
        ("d/e/f", "3"),
        ("run", "x"),
        ("kind", "k"),
        (".gitignore", "out\n"),
    ]);
    let mut workspace = world.prepare();
    let dir = world.dir();
    put(&dir, "a", "scanned");
    put(&dir, "new", "scanned");
    executable(&dir, "run");
    link(&dir, "l", "a");
    std::fs::remove_file(dir.join("d/b")).expect("removed");
    world.scan(&mut workspace);
    let before = files_of(&dir);

    put(&dir, "a", "later");
    std::fs::remove_file(dir.join("new")).expect("removed");
    std::fs::remove_dir_all(dir.join("d")).expect("removed");
    put(&dir, "d", "a file now");
    std::fs::remove_file(dir.join("kind")).expect("removed");
    put(&dir, "kind/of/dir", "x");
    std::fs::remove_file(dir.join("run")).expect("removed");
    std::fs::remove_file(dir.join("l")).expect("removed");
    link(&dir, "l", "/etc");
    put(&dir, "later/too", "x");
    put(&dir, ".gitignore", "out\nlater\n");
    put(&dir, "out", "ignored stays");
    workspace.restore(&world.blobs).expect("restores");
    let mut after = files_of(&dir);
    assert_eq!(
        after.remove("out").map(|(_, content)| content),
        Some(b"ignored stays".to_vec())
    );
    assert_eq!(after, before);
    assert!(world.scan(&mut workspace).is_empty());
}

#[test]
fn the_agents_commits_come_back_too() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "a", "2");
    git(&world.dir(), &["commit", "-q", "-am", "Kept"]);
    world.scan(&mut workspace);
    put(&world.dir(), "a", "3");
    git(&world.dir(), &["commit", "-q", "-am", "Interrupted"]);
    git(&world.dir(), &["branch", "junk"]);
    put(&world.dir(), ".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    workspace.restore(&world.blobs).expect("restores");
    assert_eq!(git(&world.dir(), &["log", "-1", "--format=%s"]), "Kept");
    assert_eq!(git(&world.dir(), &["status", "--porcelain"]), "");
    assert!(!world.dir().join(".git/hooks/pre-commit").exists());
}

#[test]
fn a_deleted_git_directory_comes_back_and_the_harness_needs_none() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "a", "2");
    world.scan(&mut workspace);
    std::fs::remove_dir_all(world.dir().join(".git")).expect("removed");
    workspace.restore(&world.blobs).expect("restores");
    assert_eq!(git(&world.dir(), &["status", "--porcelain"]), " M a");
    assert_eq!(git(&world.dir(), &["log", "--format=%s"]), "Start");

    std::fs::remove_dir_all(world.dir().join(".git")).expect("removed");
    put(&world.dir(), ".git", "gitdir: /nowhere\n");
    put(&world.dir(), "b", "3");
    let candidate = world.candidate(&mut workspace);
    assert_eq!(crate::world::changes(&candidate), ["M a", "A b"]);
    workspace.restore(&world.blobs).expect("restores");
}

#[test]
fn paths_are_reverted_to_the_base() {
    let world = World::new(&[("a", "1"), ("d/b", "2"), ("d/c", "3"), ("run", "x")]);
    executable(&world.repo, "run");
    world.commit("Executable");
    let mut workspace = world.prepare();
    let dir = world.dir();
    put(&dir, "a", "x");
    std::fs::remove_dir_all(dir.join("d")).expect("removed");
    put(&dir, "run", "y");
    put(&dir, "new/file", "x");
    put(&dir, "stays", "x");
    world.scan(&mut workspace);
    let paths = ["a", "d/b", "d/c", "run", "new/file", "never/was"].map(String::from);
    workspace.revert(&paths).expect("reverts");
    assert_eq!(
        (read(&dir, "a"), read(&dir, "d/b"), read(&dir, "run")),
        ("1".into(), "2".into(), "x".into())
    );
    assert!(!dir.join("new").exists());
    // The next delta tells the journal about it.
    assert_eq!(
        world.scan(&mut workspace),
        ["a", "d/b", "d/c", "-new/file", "run"]
    );
    assert_eq!(
        crate::world::changes(&workspace.candidate().expect("a candidate")),
        ["A stays"]
    );
}

#[test]
fn nothing_is_written_or_deleted_outside_through_a_planted_link() {
    let world = World::new(&[("d/b", "base"), ("e/f/g", "base")]);
    let outside = world.temp.path().join("outside");
    put(&outside, "b", "theirs");
    put(&outside, "f/g", "theirs");
    put(&outside, "new", "theirs");
    let mut workspace = world.prepare();
    let dir = world.dir();
    put(&dir, "d/new", "agent");
    world.scan(&mut workspace);
    let before = picture(&outside);

    for name in ["d", "e"] {
        std::fs::remove_dir_all(dir.join(name)).expect("removed");
        link(&dir, name, &outside);
    }
    workspace
        .revert(&["d/b".into(), "d/new".into(), "e/f/g".into()])
        .expect("reverts");
    assert_eq!(picture(&outside), before);
    assert_eq!(read(&dir, "d/b"), "base");
    assert_eq!(read(&dir, "e/f/g"), "base");

    std::fs::remove_dir_all(dir.join("d")).expect("removed");
    link(&dir, "d", &outside);
    std::fs::remove_dir_all(dir.join("e/f")).expect("removed");
    link(&dir, "e/f", outside.join("f"));
    std::fs::remove_dir_all(dir.join(".git")).expect("removed");
    link(&dir, ".git", &outside);
    workspace.restore(&world.blobs).expect("restores");
    assert_eq!(picture(&outside), before);
    assert_eq!(
        (read(&dir, "d/b"), read(&dir, "d/new"), read(&dir, "e/f/g")),
        ("base".into(), "agent".into(), "base".into())
    );
    assert!(dir.join(".git").symlink_metadata().expect("there").is_dir());
}

#[test]
fn what_is_behind_a_planted_link_is_neither_scanned_nor_delivered() {
    let world = World::new(&[("d/b", "base")]);
    let outside = world.temp.path().join("outside");
    put(&outside, "b", "secret");
    let mut workspace = world.prepare();
    std::fs::remove_dir_all(world.dir().join("d")).expect("removed");
    link(&world.dir(), "d", &outside);
    assert_eq!(world.scan(&mut workspace), ["d", "-d/b"]);
    let candidate = workspace.candidate().expect("a candidate");
    assert_eq!(crate::world::changes(&candidate), ["A d", "D d/b"]);
    let target = git(
        &world.run.join("harness.git"),
        &["cat-file", "blob", &format!("{}:d", candidate.tree)],
    );
    assert_eq!(target, outside.to_string_lossy());
}

#[test]
fn paths_that_leave_the_workspace_are_refused() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    put(world.temp.path(), "victim", "theirs");
    for path in [
        "../victim",
        "/etc/hostname",
        "a/../../victim",
        "",
        "\"\\q\"",
        ".git/../../victim",
    ] {
        assert!(workspace.revert(&[path.into()]).is_err(), "{path}");
    }
    assert_eq!(read(world.temp.path(), "victim"), "theirs");
}

#[test]
fn a_file_too_large_to_be_kept_is_said_to_be_lost_and_the_rest_comes_back() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    let huge = world.dir().join("huge");
    std::fs::File::create(&huge)
        .and_then(|f| f.set_len(SNAPSHOT_FILE_BYTES_MAX + 1))
        .expect("made");
    world.scan(&mut workspace);
    workspace
        .restore(&world.blobs)
        .expect("unchanged, so there is nothing to restore");
    std::fs::remove_file(&huge).expect("removed");
    put(&world.dir(), "a", "2");
    let result = workspace.restore(&world.blobs);
    assert!(
        matches!(&result, Err(WorkspaceError::NotKept(path)) if path == "huge"),
        "{result:?}"
    );
    assert_eq!(read(&world.dir(), "a"), "1");
}

#[test]
fn converted_line_ends_come_back_converted() {
    let world = World::new(&[(".gitattributes", "*.txt eol=crlf\n"), ("a.txt", "1\n")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "a.txt", "x");
    workspace.restore(&world.blobs).expect("restores");
    assert_eq!(read(&world.dir(), "a.txt"), "1\r\n");
    put(&world.dir(), "a.txt", "y");
    workspace.revert(&["a.txt".into()]).expect("reverts");
    assert_eq!(read(&world.dir(), "a.txt"), "1\r\n");
}
