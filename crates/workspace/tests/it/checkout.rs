//! Clean checkouts, what appears in them, and setup layers.

use overnight_core::goal::globs::Globs;
use overnight_core::ids::{CommitId, TreeId};
use overnight_ports::workspace::Workspace;
use overnight_workspace::{Checkouts, SetupLayer, capture_layer, clone_at};

use crate::world::{World, executable, files_of, git, link, put, read};

#[test]
fn a_checkout_is_the_tree_and_nothing_else() {
    let world = World::new(&[("a", "1"), ("d/b", "2"), (".gitignore", "junk\n")]);
    link(&world.repo, "l", "d/b");
    put(&world.repo, "run", "#!/bin/sh\n");
    executable(&world.repo, "run");
    world.commit("More");
    let mut workspace = world.prepare();
    put(&world.dir(), "junk", "ignored");
    put(&world.dir(), "d/b", "3");
    let candidate = world.candidate(&mut workspace);
    let out = world.temp.path().join("out");
    put(&out, "left over", "x");
    Checkouts::open(&world.run)
        .expect("opens")
        .checkout(&candidate.tree, &out)
        .expect("checks out");
    let mut expected = files_of(&world.dir());
    expected.remove("junk");
    assert_eq!(files_of(&out), expected);
    assert!(!out.join(".git").exists());
    assert!(!world.temp.path().join("out.index").exists());
}

#[test]
fn checkouts_can_be_made_at_the_same_time() {
    let world = World::new(&[("a", "1"), ("d/b", "2")]);
    let workspace = world.prepare();
    let (checkouts, tree) = (workspace.checkouts(), workspace.base().tree.clone());
    std::thread::scope(|scope| {
        for n in 0..6 {
            let (checkouts, tree, out) =
                (&checkouts, &tree, world.temp.path().join(format!("out{n}")));
            scope.spawn(move || checkouts.checkout(tree, &out).expect("checks out"));
        }
    });
    for n in 0..6 {
        assert_eq!(read(&world.temp.path().join(format!("out{n}")), "d/b"), "2");
    }
}

#[test]
fn a_tree_must_be_a_tree() {
    let world = World::new(&[("a", "1")]);
    let workspace = world.prepare();
    for name in [
        "--help",
        "",
        "HEAD",
        "0000000000000000000000000000000000000000",
    ] {
        let tree = TreeId::from(name);
        assert!(
            workspace
                .checkouts()
                .checkout(&tree, &world.temp.path().join("out"))
                .is_err(),
            "{name}"
        );
    }
}

#[test]
fn what_appears_is_listed_with_new_directories_whole() {
    let world = World::new(&[("a", "1"), ("d/b", "2")]);
    let workspace = world.prepare();
    let out = world.temp.path().join("out");
    let checkouts = workspace.checkouts();
    checkouts
        .checkout(&workspace.base().tree, &out)
        .expect("checks out");
    for path in [
        "d/new/x",
        "d/new/y",
        "d/c",
        "node_modules/p/i.js",
        "Cargo.lock",
    ] {
        put(&out, path, "x");
    }
    put(&out, "a", "changed");
    link(&out, "l", "/");
    let generated = checkouts
        .generated(&out, &workspace.base().tree)
        .expect("listed");
    assert_eq!(
        generated,
        ["Cargo.lock", "d/c", "d/new/", "l", "node_modules/"]
    );
}

#[test]
fn a_setup_is_kept_as_a_layer() {
    let world = World::new(&[("a", "1"), ("d/b", "2")]);
    let workspace = world.prepare();
    let checkouts = workspace.checkouts();
    let tree = workspace.base().tree.clone();
    let out = world.temp.path().join("out");
    checkouts.checkout(&tree, &out).expect("checks out");
    put(&out, "node_modules/p/i.js", "p");
    put(&out, "d/.venv/bin/python", "py");
    put(&out, "d/generated.txt", "g");
    executable(&out, "d/generated.txt");
    let into = world.temp.path().join("layer");
    assert!(SetupLayer::open(&into).expect("asked").is_none());
    capture_layer(&checkouts, &out, &tree, &into).expect("captures");
    let layer = SetupLayer::open(&into).expect("opens").expect("there");
    let mounts = layer.layers();
    assert_eq!(
        mounts.iter().map(|l| l.at.as_str()).collect::<Vec<_>>(),
        ["d/.venv", "node_modules"]
    );
    assert_eq!(read(&mounts[1].from, "p/i.js"), "p");
    assert!(!out.join("node_modules").exists());
    let fresh = world.temp.path().join("fresh");
    checkouts.checkout(&tree, &fresh).expect("checks out");
    layer.put_files(&fresh).expect("put");
    assert_eq!(read(&fresh, "d/generated.txt"), "g");
    assert_eq!(files_of(&fresh)["d/generated.txt"].0 & 0o777, 0o755);
}

#[test]
fn kept_directories_are_the_maximal_ones() {
    let world = World::new(&[
        ("src/a/b", "1"),
        ("src/c", "1"),
        ("src-x/d", "1"),
        ("db/migrations/1.sql", "1"),
        ("e", "1"),
    ]);
    let workspace = world.prepare();
    let kept = |patterns: &[&str]| {
        let globs = Globs::new(patterns).expect("patterns");
        workspace
            .checkouts()
            .kept_dirs(&globs, &workspace.base().tree)
            .expect("listed")
    };
    assert_eq!(kept(&["src/**", "migrations"]), ["db/migrations", "src"]);
    assert_eq!(kept(&["src*/"]), ["src", "src-x"]);
    assert_eq!(kept(&["e"]), Vec::<String>::new());
}

#[test]
fn a_candidate_cannot_lead_needed_files_elsewhere() {
    let world = World::new(&[(".gitignore", "conf/secret\n"), ("conf/a", "1")]);
    put(&world.repo, "conf/secret", "KEY");
    let mut workspace = world.prepare_with(&["conf/secret"], &[]);
    let outside = world.temp.path().join("outside");
    std::fs::create_dir(&outside).expect("made");
    std::fs::remove_dir_all(world.dir().join("conf")).expect("removed");
    link(&world.dir(), "conf", &outside);
    let candidate = world.candidate(&mut workspace);
    let result = workspace
        .checkouts()
        .checkout(&candidate.tree, &world.temp.path().join("out"));
    assert!(result.is_err_and(|e| e.to_string().contains("use.files")));
    assert_eq!(std::fs::read_dir(&outside).expect("listed").count(), 0);
}

#[test]
fn an_older_commit_is_checked_out_for_verification() {
    let world = World::new(&[("a", "1"), (".gitignore", "env\n")]);
    let commit = CommitId(git(&world.repo, &["rev-parse", "HEAD"]));
    put(&world.repo, "a", "2");
    world.commit("Later");
    put(&world.repo, "env", "KEY");
    let (checkouts, tree) = clone_at(
        &world.repo,
        &commit,
        &world.temp.path().join("verify"),
        &["env".into()],
    )
    .expect("clones");
    let out = world.temp.path().join("out");
    checkouts.checkout(&tree, &out).expect("checks out");
    assert_eq!(
        (read(&out, "a"), read(&out, "env")),
        ("1".into(), "KEY".into())
    );
    let absent = CommitId("0123456789012345678901234567890123456789".into());
    assert!(clone_at(&world.repo, &absent, &world.temp.path().join("v"), &[]).is_err());
}
