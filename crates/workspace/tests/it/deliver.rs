//! Delivery into the person's repository, and as a patch series.

use overnight_core::ids::TreeId;
use overnight_ports::forge::{Delivered, Delivery};
use overnight_ports::workspace::Workspace;
use overnight_workspace::{GitWorkspace, deliver_branch, deliver_patch};

use crate::world::{World, executable, git, git_output, picture, put, read, trap};

pub fn delivery(workspace: &GitWorkspace, tree: &TreeId) -> Delivery {
    Delivery {
        branch: "overnight/fix-cart-0123abcd".into(),
        base: workspace.base().commit.clone(),
        tip: None,
        replaces: None,
        tree: tree.clone(),
        message: "Fix the cart\n\nIt was off by one.\n\nOvernight-Run: 0123abcd".into(),
        identity: "Ann Ode <ann@example.org>".into(),
        at_s: 1_700_000_000,
    }
}

fn changed(world: &World) -> (GitWorkspace, Delivery) {
    let mut workspace = world.prepare();
    put(&world.dir(), "a", "2\n");
    put(&world.dir(), "new/bin", b"\0\xff\n");
    let candidate = world.candidate(&mut workspace);
    let delivery = delivery(&workspace, &candidate.tree);
    (workspace, delivery)
}

#[test]
fn a_branch_appears_and_nothing_else_changes() {
    let world = World::new(&[("a", "1\n"), ("b", "1\n")]);
    put(&world.repo, "b", "dirty\n");
    let (script, marker) = trap(&world, "hook");
    for hook in ["reference-transaction", "post-update", "pre-commit"] {
        let path = format!(".git/hooks/{hook}");
        std::fs::create_dir_all(world.repo.join(".git/hooks")).expect("made");
        std::fs::copy(&script, world.repo.join(&path)).expect("planted");
        executable(&world.repo, &path);
    }
    let (workspace, delivery) = changed(&world);
    let before = picture(&world.repo);
    let delivered = deliver_branch(&world.repo, &workspace.store(), &delivery).expect("delivers");
    let Delivered::Branch { name, commit } = &delivered else {
        panic!("{delivered:?}")
    };
    assert_eq!(git(&world.repo, &["rev-parse", name]), commit.as_str());
    assert_eq!(git(&world.repo, &["show", &format!("{name}:a")]), "2");
    assert_eq!(
        git(
            &world.repo,
            &["log", "-1", "--format=%an <%ae> %cn %at %P%n%B", name]
        ),
        format!(
            "Ann Ode <ann@example.org> Ann Ode 1700000000 {}\n{}",
            delivery.base, delivery.message
        )
    );
    let mut after = picture(&world.repo);
    assert!(after.remove(&format!(".git/refs/heads/{name}")).is_some());
    after.retain(|path, _| !path.starts_with(".git/objects/") || before.contains_key(path));
    assert_eq!(after, before);
    assert!(!marker.exists());

    // Once more is the same as once, even if the harness's store was made anew.
    let whole = picture(&world.repo);
    assert_eq!(
        deliver_branch(&world.repo, &workspace.store(), &delivery).expect("delivers"),
        delivered
    );
    assert_eq!(picture(&world.repo), whole);
    git(&world.repo, &["fsck", "--strict"]);
}

#[test]
fn many_changes_arrive_as_one_pack() {
    let world = World::new(&[("a", "1\n")]);
    let mut workspace = world.prepare();
    for n in 0..150 {
        put(&world.dir(), &format!("many/{n}"), format!("{n}\n"));
    }
    let tree = world.candidate(&mut workspace).tree;
    let delivery = delivery(&workspace, &tree);
    deliver_branch(&world.repo, &workspace.store(), &delivery).expect("delivers");
    std::fs::remove_dir_all(&world.run).expect("removed");
    assert_eq!(
        git(
            &world.repo,
            &["show", &format!("{}:many/149", delivery.branch)]
        ),
        "149"
    );
    git(&world.repo, &["fsck", "--strict"]);
}

#[test]
fn a_branch_that_is_something_else_is_not_touched() {
    let world = World::new(&[("a", "1\n")]);
    let (workspace, delivery) = changed(&world);
    git(&world.repo, &["branch", &delivery.branch]);
    let before = picture(&world.repo);
    let error = deliver_branch(&world.repo, &workspace.store(), &delivery).expect_err("refused");
    assert!(error.to_string().contains("exists already"), "{error}");
    assert_eq!(picture(&world.repo), before);
    for branch in ["..", "-x y", "a..b", ""] {
        let bad = Delivery {
            branch: branch.into(),
            ..delivery.clone()
        };
        assert!(
            deliver_branch(&world.repo, &workspace.store(), &bad).is_err(),
            "{branch}"
        );
    }
}

#[test]
fn nothing_changed_is_nothing_delivered() {
    let world = World::new(&[("a", "1\n")]);
    let workspace = world.prepare();
    let delivery = delivery(&workspace, &workspace.base().tree);
    let before = picture(&world.repo);
    assert_eq!(
        deliver_branch(&world.repo, &workspace.store(), &delivery).expect("asked"),
        Delivered::Nothing
    );
    let folder = world.temp.path().join("patches");
    assert_eq!(
        deliver_patch(&folder, &workspace.store(), &delivery).expect("asked"),
        Delivered::Nothing
    );
    assert!(!folder.exists());
    assert_eq!(picture(&world.repo), before);
}

#[test]
fn a_patch_series_is_what_git_am_takes() {
    let world = World::new(&[("a", "1\n"), ("gone", "x\n")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "a", "2\n");
    put(&world.dir(), "ü\n-x", b"\0\xff\n");
    std::fs::remove_file(world.dir().join("gone")).expect("removed");
    let tree = world.candidate(&mut workspace).tree;
    let delivery = delivery(&workspace, &tree);
    let folder = world.temp.path().join("patches");
    for _ in 0..2 {
        let delivered = deliver_patch(&folder, &workspace.store(), &delivery).expect("delivers");
        assert_eq!(
            delivered,
            Delivered::Patch {
                folder: folder.to_string_lossy().into_owned()
            }
        );
    }
    let names: Vec<_> = picture(&folder).into_keys().collect();
    assert_eq!(names, ["0001-Fix-the-cart.patch"]);
    git(
        &world.repo,
        &["am", "-q", &folder.join(&names[0]).to_string_lossy()],
    );
    assert_eq!(
        git(&world.repo, &["rev-parse", "HEAD^{tree}"]),
        tree.as_str()
    );
    assert_eq!(read(&world.repo, "a"), "2\n");
    assert!(git_output(&world.repo, &["log", "-1"]).status.success());
}

#[test]
fn a_resumed_runs_patch_takes_the_place_of_the_earlier_one() {
    let world = World::new(&[("a", "1\n")]);
    let (mut workspace, mut first) = changed(&world);
    first.message = "[incomplete] Fix the cart".into();
    let folder = world.temp.path().join("patches");
    deliver_patch(&folder, &workspace.store(), &first).expect("delivers");
    put(&folder, "notes.patch", "a person's");
    put(&world.dir(), "a", "3\n");
    let tree = world.candidate(&mut workspace).tree;
    let second = delivery(&workspace, &tree);
    deliver_patch(&folder, &workspace.store(), &second).expect("delivers");
    let names: Vec<_> = picture(&folder).into_keys().collect();
    assert_eq!(names, ["0001-Fix-the-cart.patch", "notes.patch"]);
}

#[test]
fn large_objects_are_delivered_beside_the_branch() {
    let world = World::new(&[(".gitattributes", "*.bin filter=lfs -text\n"), ("a", "1")]);
    let mut workspace = world.prepare();
    put(&world.dir(), "x.bin", "content of a large file");
    let tree = world.candidate(&mut workspace).tree;
    let delivery = delivery(&workspace, &tree);
    deliver_branch(&world.repo, &workspace.store(), &delivery).expect("delivers");
    let pointer = git(
        &world.repo,
        &["show", &format!("{}:x.bin", delivery.branch)],
    );
    let oid = pointer
        .lines()
        .find_map(|l| l.strip_prefix("oid sha256:"))
        .expect("a pointer");
    let path = format!(".git/lfs/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]);
    assert_eq!(read(&world.repo, &path), "content of a large file");
}

#[test]
fn a_resumed_run_replaces_what_it_delivered_and_nothing_else() {
    let world = World::new(&[("a", "1\n")]);
    let (mut workspace, first) = changed(&world);
    let Delivered::Branch { name, commit } =
        deliver_branch(&world.repo, &workspace.store(), &first).expect("delivers")
    else {
        panic!("a branch")
    };
    put(&world.dir(), "a", "3\n");
    let tree = world.candidate(&mut workspace).tree;
    let second = Delivery {
        tree,
        replaces: Some(commit.clone()),
        ..first
    };
    git(&world.repo, &["checkout", "-q", &name]);
    let error = deliver_branch(&world.repo, &workspace.store(), &second).expect_err("checked out");
    assert!(error.to_string().contains("checked out"), "{error}");
    git(&world.repo, &["checkout", "-q", "main"]);
    let delivered = deliver_branch(&world.repo, &workspace.store(), &second).expect("delivers");
    assert_eq!(git(&world.repo, &["show", &format!("{name}:a")]), "3");
    assert_eq!(
        deliver_branch(&world.repo, &workspace.store(), &second).expect("delivers"),
        delivered
    );

    git(&world.repo, &["branch", "-f", &name, "main"]);
    let error =
        deliver_branch(&world.repo, &workspace.store(), &second).expect_err("somebody moved it");
    assert!(error.to_string().contains("exists already"), "{error}");
}

/// Two items, integrated one after the other, and what the delivery of both is.
fn chain(world: &World) -> (GitWorkspace, Delivery) {
    let mut workspace = world.prepare();
    let store = workspace.checkouts();
    let mut tip = workspace.base().commit.clone();
    let mut tree = workspace.base().tree.clone();
    for (n, path) in ["a", "new"].into_iter().enumerate() {
        put(&world.dir(), path, "2\n");
        tree = world.candidate(&mut workspace).tree;
        let message = format!("Item {n}\n\nOvernight-Item: {n}");
        let by = "Ann Ode <ann@example.org>";
        tip = store
            .commit(&tip, &tree, &message, by, 1_700_000_000)
            .expect("made");
    }
    let delivery = Delivery {
        tip: Some(tip),
        ..delivery(&workspace, &tree)
    };
    (workspace, delivery)
}

#[test]
fn a_chain_of_commits_is_delivered_as_it_is() {
    let world = World::new(&[("a", "1\n"), ("b", "1\n")]);
    let (workspace, delivery) = chain(&world);
    let deliver = || deliver_branch(&world.repo, &workspace.store(), &delivery).expect("delivers");
    let delivered = deliver();
    let Delivered::Branch { name, commit } = &delivered else {
        panic!("{delivered:?}")
    };
    assert_eq!(Some(commit), delivery.tip.as_ref());
    assert_eq!(
        git(&world.repo, &["log", "--format=%s", name]),
        "Item 1\nItem 0\nStart"
    );
    let whole = picture(&world.repo);
    assert_eq!(deliver(), delivered);
    assert_eq!(picture(&world.repo), whole);
    git(&world.repo, &["fsck", "--strict"]);
}

#[test]
fn what_the_run_changed_after_the_items_is_one_more_commit() {
    let world = World::new(&[("a", "1\n"), ("b", "1\n")]);
    let (mut workspace, mut delivery) = chain(&world);
    put(&world.dir(), "b", "2\n");
    delivery.tree = world.candidate(&mut workspace).tree;
    let deliver = || deliver_branch(&world.repo, &workspace.store(), &delivery).expect("delivers");
    let delivered = deliver();
    let Delivered::Branch { name, .. } = &delivered else {
        panic!("{delivered:?}")
    };
    let log = git(&world.repo, &["log", "--format=%s", name]);
    assert_eq!(log, "Fix the cart\nItem 1\nItem 0\nStart");
    assert_eq!(
        git(
            &world.repo,
            &["diff", "--name-only", &format!("{name}^"), name]
        ),
        "b"
    );
    assert_eq!(deliver(), delivered);
}

#[test]
fn a_chain_as_patches_is_one_for_each_commit_and_can_be_applied() {
    let world = World::new(&[("a", "1\n"), ("b", "1\n")]);
    let (mut workspace, mut delivery) = chain(&world);
    let folder = world.temp.path().join("patches");
    let names = || {
        let mut names: Vec<String> = std::fs::read_dir(&folder)
            .expect("there")
            .map(|e| {
                e.expect("listed")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    };
    deliver_patch(&folder, &workspace.store(), &delivery).expect("delivers");
    assert_eq!(names(), ["0001-Item-0.patch", "0002-Item-1.patch"]);
    put(&world.dir(), "b", "2\n");
    delivery.tree = world.candidate(&mut workspace).tree;
    for _ in 0..2 {
        deliver_patch(&folder, &workspace.store(), &delivery).expect("delivers");
        assert_eq!(
            names(),
            [
                "0001-Item-0.patch",
                "0002-Item-1.patch",
                "0003-Fix-the-cart.patch"
            ]
        );
    }
    let series: Vec<String> = names()
        .iter()
        .map(|n| folder.join(n).display().to_string())
        .collect();
    let mut args = vec!["am", "-q"];
    args.extend(series.iter().map(String::as_str));
    git(&world.repo, &args);
    assert_eq!(
        git(&world.repo, &["rev-parse", "HEAD^{tree}"]),
        delivery.tree.as_str()
    );
}
