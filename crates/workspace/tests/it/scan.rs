//! What a scan sees, and what it does not.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use overnight_ports::workspace::{Delta, Mode, Workspace};
use overnight_workspace::{GitWorkspace, SNAPSHOT_FILE_BYTES_MAX};

use crate::world::{World, executable, git, link, put, read, tick};

#[test]
fn a_fresh_clone_has_not_changed() {
    let world = World::new(&[("a", "1"), ("d/b", "2"), ("run.sh", "#!/bin/sh\n")]);
    let mut workspace = world.prepare();
    assert_eq!(
        workspace.scan(&world.blobs).expect("scans"),
        Delta::default()
    );
    assert_eq!(world.blobs.count(), 0);
}

#[test]
fn every_kind_of_change_is_seen_once() {
    let world = World::new(&[
        ("a", "1"),
        ("gone", "2"),
        ("run.sh", "x"),
        ("to-link", "y"),
        ("dir/f", "z"),
        ("same", "s"),
    ]);
    let mut workspace = world.prepare();
    let dir = world.dir();
    put(&dir, "a", "changed");
    std::fs::remove_file(dir.join("gone")).expect("removed");
    executable(&dir, "run.sh");
    std::fs::remove_file(dir.join("to-link")).expect("removed");
    link(&dir, "to-link", "/etc/passwd");
    std::fs::remove_dir_all(dir.join("dir")).expect("removed");
    put(&dir, "dir", "now a file");
    tick();
    put(&dir, "same", "s");
    put(&dir, "n/e/w", "new");
    std::fs::create_dir(dir.join("empty")).expect("made");
    assert_eq!(
        world.scan(&mut workspace),
        ["a", "dir", "-dir/f", "-gone", "n/e/w", "run.sh", "to-link"]
    );
    assert_eq!(world.scan(&mut workspace), Vec::<String>::new());
    let modes = workspace.scan(&world.blobs).expect("scans");
    assert!(modes.changes.is_empty());
}

#[test]
fn a_delta_says_mode_content_and_size() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "run", "#!");
    executable(&world.dir(), "run");
    link(&world.dir(), "to", "run");
    let delta = workspace.scan(&world.blobs).expect("scans");
    let entry = |path: &str| {
        delta
            .changes
            .iter()
            .find(|c| c.path == path)
            .and_then(|c| c.now.clone())
            .expect("seen")
    };
    assert_eq!(
        (entry("run").mode, entry("run").size),
        (Mode::Executable, 2)
    );
    assert_eq!(entry("to").mode, Mode::Link);
    use overnight_ports::workspace::BlobSink;
    assert_eq!(
        world
            .blobs
            .get(&entry("to").content.expect("kept"))
            .expect("there"),
        b"run"
    );
}

#[test]
fn a_change_of_the_same_size_within_one_tick_is_seen() {
    let world = World::new(&[("a", "0000")]);
    let mut workspace = world.prepare();
    for n in 1..60 {
        put(&world.dir(), "a", format!("{n:04}"));
        assert_eq!(world.scan(&mut workspace), ["a"], "round {n}");
    }
}

#[test]
fn a_forged_time_stamp_hides_nothing() {
    let world = World::new(&[("a", "1111")]);
    let mut workspace = world.prepare();
    tick();
    assert!(world.scan(&mut workspace).is_empty());
    let path = world.dir().join("a");
    let before = std::fs::metadata(&path)
        .expect("there")
        .modified()
        .expect("known");
    std::fs::write(&path, "2222").expect("written");
    let file = std::fs::File::options()
        .write(true)
        .open(&path)
        .expect("opened");
    file.set_modified(before).expect("forged");
    assert_eq!(world.scan(&mut workspace), ["a"]);
}

#[test]
fn names_of_every_sort_are_told_apart() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    let dir = world.dir();
    for name in [
        "-n",
        "--help",
        "new\nline",
        "ümläut 漢字",
        "\"quoted\"",
        "back\\slash",
        " blank ",
        "tab\t",
    ] {
        put(&dir, name, name);
    }
    std::fs::write(dir.join(OsStr::from_bytes(b"not\xffutf8")), "x").expect("written");
    let seen = world.scan(&mut workspace);
    assert_eq!(seen.len(), 9, "{seen:?}");
    assert!(seen.contains(&"\"not\\377utf8\"".to_owned()), "{seen:?}");
    assert!(seen.contains(&"new\nline".to_owned()));
    let candidate = workspace.candidate().expect("a candidate");
    assert_eq!(candidate.changes.len(), 9);
    let out = world.temp.path().join("out");
    workspace
        .checkouts()
        .checkout(&candidate.tree, &out)
        .expect("checks out");
    assert_eq!(read(&out, "--help"), "--help");
    assert!(out.join(OsStr::from_bytes(b"not\xffutf8")).exists());
}

#[test]
fn ignored_files_are_not_looked_at_but_tracked_ones_are() {
    let world = World::new(&[("src/a", "1")]);
    put(&world.repo, "build/kept", "tracked");
    git(&world.repo, &["add", "-f", "build/kept"]);
    put(&world.repo, ".gitignore", "build/\n*.log\n/root-only\n");
    put(&world.repo, "src/.gitignore", "!keep.log\nlocal\n");
    world.commit("Ignore");
    let mut workspace = world.prepare();
    let dir = world.dir();
    put(&dir, "build/kept", "changed");
    for path in [
        "build/other",
        "x.log",
        "src/keep.log",
        "src/y.log",
        "src/local",
        "root-only",
        "src/root-only",
    ] {
        put(&dir, path, "x");
    }
    assert_eq!(
        world.scan(&mut workspace),
        ["build/kept", "src/keep.log", "src/root-only"]
    );
    // The workspace's own current rules count.
    tick();
    put(&dir, ".gitignore", "build/\n");
    let seen = world.scan(&mut workspace);
    assert_eq!(seen, [".gitignore", "root-only", "src/y.log", "x.log"]);
    put(&dir, ".git/info/exclude", "*\n");
    put(&dir, "visible", "x");
    assert_eq!(world.scan(&mut workspace), ["visible"]);
}

#[test]
fn a_licensed_path_counts_although_it_is_ignored() {
    let world = World::new(&[(".gitignore", "dist/\n*.lock\n"), ("a", "1")]);
    let mut workspace = world.prepare_with(&[], &["dist/bundle.js", "Cargo.lock"]);
    workspace.artefacts(&["Cargo.lock".into()]);
    put(&world.dir(), "dist/bundle.js", "x");
    put(&world.dir(), "dist/other.js", "x");
    put(&world.dir(), "Cargo.lock", "x");
    put(&world.dir(), "other.lock", "x");
    assert_eq!(world.scan(&mut workspace), ["Cargo.lock", "dist/bundle.js"]);
}

#[test]
fn build_artefacts_are_left_out_and_listed() {
    let world = World::new(&[("Cargo.toml", ""), ("pkg/m.py", ""), ("target.txt", "")]);
    let mut workspace = world.prepare();
    let dir = world.dir();
    for path in [
        "target/debug/x",
        "pkg/__pycache__/m.pyc",
        "sub/target/x",
        "pkg/node_modules/a/b",
        "coverage/index.html",
        "Cargo.lock",
    ] {
        put(&dir, path, "x");
    }
    assert_eq!(
        world.scan(&mut workspace),
        ["Cargo.lock", "coverage/index.html", "sub/target/x"]
    );
    workspace.artefacts(&["coverage/".into(), "Cargo.lock".into()]);
    assert_eq!(
        world.scan(&mut workspace),
        ["-Cargo.lock", "-coverage/index.html"]
    );
    let candidate = workspace.candidate().expect("a candidate");
    assert_eq!(crate::world::changes(&candidate), ["A sub/target/x"]);
    assert_eq!(
        candidate.artefacts,
        [
            "Cargo.lock",
            "coverage/",
            "pkg/__pycache__/",
            "pkg/node_modules/",
            "target/"
        ]
    );
}

#[test]
fn an_artefact_that_the_base_tracks_is_a_file_like_any_other() {
    let world = World::new(&[("node_modules/vendored.js", "1")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "node_modules/vendored.js", "2");
    put(&world.dir(), "node_modules/installed/x.js", "2");
    assert_eq!(world.scan(&mut workspace), ["node_modules/vendored.js"]);
}

#[test]
fn a_huge_file_is_noticed_without_its_content() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    let file = std::fs::File::create(world.dir().join("huge")).expect("made");
    file.set_len(SNAPSHOT_FILE_BYTES_MAX + 1).expect("grown");
    let delta = workspace.scan(&world.blobs).expect("scans");
    let [change] = delta.changes.as_slice() else {
        panic!("{delta:?}")
    };
    let now = change.now.as_ref().expect("there");
    assert_eq!(
        (now.content.as_ref(), now.size),
        (None, SNAPSHOT_FILE_BYTES_MAX + 1)
    );
    assert!(
        workspace
            .scan(&world.blobs)
            .expect("scans")
            .changes
            .is_empty()
    );
    // It is delivered all the same.
    assert_eq!(
        crate::world::changes(&workspace.candidate().expect("a candidate")),
        ["A huge"]
    );
}

#[test]
fn what_is_no_file_is_not_looked_at_and_waited_for() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    let made = std::process::Command::new("mkfifo")
        .arg(world.dir().join("pipe"))
        .status()
        .expect("runs");
    assert!(made.success());
    let _socket = std::os::unix::net::UnixListener::bind(world.dir().join("s")).expect("bound");
    std::fs::remove_file(world.dir().join("a")).expect("removed");
    let made = std::process::Command::new("mkfifo")
        .arg(world.dir().join("a"))
        .status()
        .expect("runs");
    assert!(made.success());
    assert_eq!(world.scan(&mut workspace), ["-a"]);
    workspace.restore(&world.blobs).expect("restores");
    workspace.revert(&["a".into()]).expect("reverts");
    assert_eq!(read(&world.dir(), "a"), "1");
}

#[test]
fn a_repository_inside_counts_as_plain_files() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    let inner = world.dir().join("inner");
    std::fs::create_dir(&inner).expect("made");
    git(&inner, &["init", "-q"]);
    put(&inner, "f", "x");
    git(&inner, &["add", "-A"]);
    git(&inner, &["commit", "-q", "-m", "Inner"]);
    assert_eq!(world.scan(&mut workspace), ["inner/f"]);
    assert_eq!(
        crate::world::changes(&workspace.candidate().expect("a candidate")),
        ["A inner/f"]
    );
}

#[test]
fn the_agents_own_git_directory_is_part_of_the_snapshot() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "a", "2");
    git(&world.dir(), &["commit", "-q", "-am", "Mine"]);
    let delta = workspace.scan(&world.blobs).expect("scans");
    let seen: Vec<&str> = delta.changes.iter().map(|c| c.path.as_str()).collect();
    assert!(seen.contains(&".git/refs/heads/overnight/work"), "{seen:?}");
    assert!(
        !seen.iter().any(|p| p.starts_with(".git/objects")),
        "{seen:?}"
    );
}

#[test]
fn a_replayed_journal_gives_the_same_snapshot() {
    let world = World::new(&[("a", "1"), ("b", "2"), ("c", "3")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "a", "2");
    std::fs::remove_file(world.dir().join("b")).expect("removed");
    put(&world.dir(), "\"odd", "x");
    let first = workspace.scan(&world.blobs).expect("scans");
    put(&world.dir(), "a", "3");
    let second = workspace.scan(&world.blobs).expect("scans");
    let candidate = workspace.candidate().expect("a candidate");
    drop(workspace);
    let mut again = GitWorkspace::open(&world.run).expect("opens");
    again.replay(&first);
    again.replay(&second);
    assert!(world.scan(&mut again).is_empty());
    assert_eq!(again.candidate().expect("a candidate"), candidate);
    // What happened while nobody looked is restored away.
    put(&world.dir(), "a", "lost");
    put(&world.dir(), "n", "lost");
    let mut third = GitWorkspace::open(&world.run).expect("opens");
    third.replay(&first);
    third.replay(&second);
    third.restore(&world.blobs).expect("restores");
    assert_eq!(read(&world.dir(), "a"), "3");
    assert!(!world.dir().join("n").exists() && !world.dir().join("b").exists());
}

#[test]
fn line_ends_that_git_converts_are_no_change() {
    let world = World::new(&[
        (".gitattributes", "*.txt text eol=crlf\n*.sh text eol=lf\n"),
        ("a.txt", "one\ntwo\n"),
    ]);
    let mut workspace = world.prepare();
    assert_eq!(read(&world.dir(), "a.txt"), "one\r\ntwo\r\n");
    assert!(world.scan(&mut workspace).is_empty());
    tick();
    put(&world.dir(), "a.txt", "one\r\ntwo\r\n");
    assert!(world.scan(&mut workspace).is_empty());
    put(&world.dir(), "a.txt", "one\ntwo\n");
    assert_eq!(world.scan(&mut workspace), ["a.txt"]);
    assert!(
        workspace
            .candidate()
            .expect("a candidate")
            .changes
            .is_empty()
    );
    put(&world.dir(), "b.txt", "new\r\n");
    let candidate = world.candidate(&mut workspace);
    let blob = git(
        &world.run.join("harness.git"),
        &["cat-file", "-s", &format!("{}:b.txt", candidate.tree)],
    );
    assert_eq!(blob, "4");
}

#[test]
fn unreadable_and_deep_things_stop_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new(&[("a", "1"), ("d/b", "2")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "d/b", "3");
    std::fs::set_permissions(
        world.dir().join("d/b"),
        std::fs::Permissions::from_mode(0o000),
    )
    .expect("set");
    std::fs::set_permissions(
        world.dir().join("d"),
        std::fs::Permissions::from_mode(0o000),
    )
    .expect("set");
    let deep = "x/".repeat(230);
    std::fs::create_dir_all(world.dir().join(&deep)).expect("made");
    put(&world.dir(), &format!("{deep}f"), "deep");
    assert_eq!(world.scan(&mut workspace), ["d/b"]);
    let candidate = workspace.candidate().expect("a candidate");
    assert_eq!(crate::world::changes(&candidate), ["M d/b"]);
    assert!(candidate.artefacts.iter().any(|p| p.starts_with("x/x/")));
}
