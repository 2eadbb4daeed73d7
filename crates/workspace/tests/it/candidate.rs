//! What would be delivered.

use overnight_ports::workspace::{How, Workspace};

use crate::world::{World, changes, executable, git, link, put, trap};

/// The tree that git itself makes of the agent's folder.
fn gits_own(world: &World) -> String {
    let copy = world.temp.path().join("oracle");
    let _ = std::fs::remove_dir_all(&copy);
    let status = std::process::Command::new("cp")
        .arg("-a")
        .arg(world.dir())
        .arg(&copy)
        .status()
        .expect("copies");
    assert!(status.success());
    git(&copy, &["add", "-A"]);
    git(&copy, &["write-tree"])
}

#[test]
fn nothing_done_is_the_base() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    let candidate = world.candidate(&mut workspace);
    assert_eq!(candidate.tree, workspace.base().tree);
    assert!(candidate.changes.is_empty() && candidate.artefacts.is_empty());
}

#[test]
fn the_tree_is_what_git_would_make_of_it_turn_by_turn() {
    let world = World::new(&[
        ("a", "1\n"),
        ("d/b", "2\n"),
        ("d/c", "3\n"),
        ("f", "4\n"),
        (".gitattributes", "*.t eol=crlf\n"),
    ]);
    let mut workspace = world.prepare();
    let dir = world.dir();
    let turns: [&dyn Fn(); 9] = [
        &|| put(&dir, "a", "1\n2\n"),
        &|| put(&dir, "n/x.t", "crlf\r\n"),
        &|| std::fs::remove_file(dir.join("d/b")).expect("removed"),
        &|| {
            std::fs::remove_dir_all(dir.join("d")).expect("removed");
            put(&dir, "d", "a file\n");
        },
        &|| {
            std::fs::remove_file(dir.join("f")).expect("removed");
            put(&dir, "f/g/h", "a directory\n");
        },
        &|| link(&dir, "l", "a"),
        &|| executable(&dir, "a"),
        &|| {
            std::fs::remove_file(dir.join("d")).expect("removed");
            put(&dir, "d/b", "2\n");
            put(&dir, "d/c", "3\n");
        },
        &|| put(&dir, ".gitattributes", "*.t text eol=lf\n*.x eol=crlf\n"),
    ];
    for (n, turn) in turns.iter().enumerate() {
        turn();
        assert_eq!(
            world.candidate(&mut workspace).tree.as_str(),
            gits_own(&world),
            "turn {n}"
        );
    }
}

#[test]
fn changes_are_counted() {
    let world = World::new(&[("a", "1\n2\n3\n"), ("gone", "x\n"), ("bin", "a\0b")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "a", "1\nzwei\n3\nvier\n");
    std::fs::remove_file(world.dir().join("gone")).expect("removed");
    put(&world.dir(), "new", "1\n2\n");
    put(&world.dir(), "bin", "a\0c");
    let candidate = world.candidate(&mut workspace);
    let counted: Vec<_> = candidate
        .changes
        .iter()
        .map(|c| (c.path.as_str(), c.how, c.added, c.removed))
        .collect();
    assert_eq!(
        counted,
        [
            ("a", How::Modified, 2, 1),
            ("bin", How::Modified, 0, 0),
            ("gone", How::Deleted, 0, 1),
            ("new", How::Added, 2, 0)
        ]
    );
    assert_eq!(world.candidate(&mut workspace), candidate);
    for path in ["a", "gone", "new", "bin"] {
        workspace.revert(&[path.into()]).expect("reverts");
    }
    assert_eq!(world.candidate(&mut workspace).tree, workspace.base().tree);
}

#[test]
fn commits_of_the_agent_change_nothing() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "a", "2");
    put(&world.dir(), "b", "2");
    let before = world.candidate(&mut workspace).tree;
    git(&world.dir(), &["add", "-A"]);
    git(&world.dir(), &["commit", "-q", "-m", "As it goes"]);
    assert_eq!(world.candidate(&mut workspace).tree, before);
    git(&world.dir(), &["checkout", "-q", "-b", "elsewhere", "main"]);
    assert_eq!(world.candidate(&mut workspace).tree, workspace.base().tree);
    git(&world.dir(), &["checkout", "-q", "overnight/work"]);
    git(&world.dir(), &["gc", "-q"]);
    assert_eq!(world.candidate(&mut workspace).tree, before);
}

#[test]
fn nothing_that_the_agent_configures_is_run() {
    let world = World::new(&[("a.txt", "1\n"), ("b.txt", "1\n")]);
    let mut workspace = world.prepare();
    let dir = world.dir();
    let (script, marker) = trap(&world, "trap");
    let script = script.to_string_lossy().into_owned();
    for key in [
        "core.fsmonitor",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.command",
        "diff.evil.textconv",
        "core.sshCommand",
        "core.pager",
        "core.editor",
    ] {
        git(&dir, &["config", key, &script]);
    }
    git(&dir, &["config", "core.hooksPath", "hooks"]);
    for hook in [
        "pre-commit",
        "post-checkout",
        "post-index-change",
        "reference-transaction",
        "post-commit",
    ] {
        for folder in ["hooks", ".git/hooks"] {
            put(
                &dir,
                &format!("{folder}/{hook}"),
                format!("#!/bin/sh\nexec '{script}'\n"),
            );
            executable(&dir, &format!("{folder}/{hook}"));
        }
    }
    put(&dir, ".gitattributes", "*.txt filter=evil diff=evil\n");
    put(
        &dir,
        ".git/info/attributes",
        "*.txt filter=evil diff=evil\n",
    );
    put(&dir, ".git/objects/info/alternates", "/nowhere\n");
    put(&dir, "a.txt", "2\n");
    let candidate = world.candidate(&mut workspace);
    assert!(changes(&candidate).contains(&"M a.txt".to_owned()));
    let out = world.temp.path().join("out");
    workspace
        .checkouts()
        .checkout(&candidate.tree, &out)
        .expect("checks out");
    workspace.revert(&["a.txt".into()]).expect("reverts");
    put(&dir, "b.txt", "x");
    workspace.restore(&world.blobs).expect("restores");
    let delivery = crate::deliver::delivery(&workspace, &candidate.tree);
    overnight_workspace::deliver_branch(&world.repo, &workspace.store(), &delivery)
        .expect("delivers");
    assert!(!marker.exists(), "the harness ran the agent's script");
    git(&dir, &["status"]);
    assert!(
        marker.exists(),
        "the trap works: the agent's own git springs it"
    );
}

#[test]
fn what_would_be_taken_for_a_git_directory_is_left_out_and_listed() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    let dir = world.dir();
    let tricks = [
        "x/.GIT/config",
        "git~1/hooks/pre-commit",
        "y/.g\u{200c}it/config",
        ".git /config",
    ];
    for path in tricks {
        put(&dir, path, "[core]\n");
    }
    link(&dir, ".gitmodules", "/etc/passwd");
    put(&dir, "a", "2");
    put(&dir, ".github/workflows/x.yml", "on: push\n");
    let candidate = world.candidate(&mut workspace);
    assert_eq!(changes(&candidate), ["A .github/workflows/x.yml", "M a"]);
    for path in tricks {
        assert!(
            candidate.artefacts.contains(&path.to_owned()),
            "{path}: {:?}",
            candidate.artefacts
        );
    }
}

#[test]
fn names_that_look_like_options_are_paths() {
    let world = World::new(&[("a", "1")]);
    let mut workspace = world.prepare();
    for name in [
        "-n",
        "--help",
        "--",
        "@",
        ":(glob)**",
        "*",
        "new\nline",
        "-rf/x",
    ] {
        put(&world.dir(), name, "x\n");
    }
    assert_eq!(world.candidate(&mut workspace).changes.len(), 8);
    assert_eq!(
        world.candidate(&mut workspace).tree.as_str(),
        gits_own(&world)
    );
}

#[test]
fn a_change_that_is_undone_between_two_scans_is_not_delivered() {
    let world = World::new(&[("a", "base")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "a", "scanned");
    workspace.scan(&world.blobs).expect("scans");
    put(&world.dir(), "a", "between");
    workspace.candidate().expect("a candidate");
    put(&world.dir(), "a", "scanned");
    let candidate = world.candidate(&mut workspace);
    assert_eq!(candidate.tree.as_str(), gits_own(&world));
}
