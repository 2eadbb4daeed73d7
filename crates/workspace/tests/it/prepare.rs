//! Preparing a run on repositories as they are.

use std::os::unix::fs::MetadataExt;

use overnight_ports::workspace::{Workspace, WorkspaceError};
use overnight_workspace::{GitWorkspace, Options};

use crate::world::{World, files_of, git, git_output, picture, put, read};

fn refusal(world: &World, at: &std::path::Path) -> String {
    match GitWorkspace::prepare(at, &world.run, &Options::default()) {
        Err(WorkspaceError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_repository_is_refused_with_what_to_type() {
    let world = World::empty();
    assert!(refusal(&world, &world.repo).contains("git init && git add -A && git commit -m"));
}

#[test]
fn no_commit_is_refused_with_what_to_type() {
    let world = World::empty();
    git(&world.repo, &["init", "-q"]);
    let text = refusal(&world, &world.repo);
    assert!(
        text.contains("no commit yet") && text.contains("commit -m"),
        "{text}"
    );
}

#[test]
fn the_base_is_head_whatever_the_checkout_holds() {
    let world = World::new(&[("a.txt", "one\n"), ("d/b.txt", "two\n")]);
    put(&world.repo, "a.txt", "dirty\n");
    put(&world.repo, "new file", "x");
    let workspace = world.prepare();
    let base = workspace.base();
    assert_eq!(
        base.commit.as_str(),
        git(&world.repo, &["rev-parse", "HEAD"])
    );
    assert_eq!(
        base.tree.as_str(),
        git(&world.repo, &["rev-parse", "HEAD^{tree}"])
    );
    assert_eq!(base.branch.as_deref(), Some("main"));
    assert_eq!(base.dirty, ["a.txt", "new file"]);
    assert_eq!(base.files, 2);
    assert_eq!(read(&world.dir(), "a.txt"), "one\n");
    assert!(!world.dir().join("new file").exists());
}

#[test]
fn the_identity_is_the_persons() {
    let world = World::new(&[("a", "1")]);
    git(&world.repo, &["config", "user.name", "Åsa \"Q\" Ode"]);
    git(&world.repo, &["config", "user.email", "asa@example.org"]);
    let workspace = world.prepare();
    assert_eq!(workspace.base().identity, "Åsa \"Q\" Ode <asa@example.org>");
    assert_eq!(
        git(
            &world.dir(),
            &["config", "--file", ".git/config", "user.name"]
        ),
        "Åsa \"Q\" Ode"
    );
}

#[test]
fn a_folder_inside_a_bare_repository_and_a_linked_worktree_do() {
    let world = World::new(&[("a/b/c", "1")]);
    let inside = GitWorkspace::prepare(&world.repo.join("a/b"), &world.run, &Options::default())
        .expect("prepares");
    assert_eq!(inside.base().files, 1);
    let bare = world.temp.path().join("bare.git");
    git(
        &world.repo,
        &["clone", "-q", "--bare", ".", &bare.to_string_lossy()],
    );
    GitWorkspace::prepare(&bare, &world.run, &Options::default()).expect("prepares");
    assert_eq!(read(&world.dir(), "a/b/c"), "1");
    let linked = world.temp.path().join("linked");
    git(
        &world.repo,
        &[
            "worktree",
            "add",
            "-q",
            "-b",
            "other",
            &linked.to_string_lossy(),
        ],
    );
    put(&linked, "d", "2");
    git(&linked, &["add", "-A"]);
    git(&linked, &["commit", "-q", "-m", "More"]);
    let workspace =
        GitWorkspace::prepare(&linked, &world.run, &Options::default()).expect("prepares");
    assert_eq!(workspace.base().branch.as_deref(), Some("other"));
    assert_eq!(read(&world.dir(), "d"), "2");
}

#[test]
fn a_shallow_repository_and_one_of_sha256_do() {
    let world = World::new(&[("a", "1")]);
    world.commit("Second");
    let shallow = world.temp.path().join("shallow");
    let url = format!("file://{}", world.repo.display());
    git(
        world.temp.path(),
        &["clone", "-q", "--depth=1", &url, &shallow.to_string_lossy()],
    );
    let mut workspace =
        GitWorkspace::prepare(&shallow, &world.run, &Options::default()).expect("prepares");
    assert_eq!(git(&world.dir(), &["log", "--oneline"]).lines().count(), 1);
    assert!(world.candidate(&mut workspace).changes.is_empty());

    let other = World::empty();
    git(&other.repo, &["init", "-q", "--object-format=sha256"]);
    put(&other.repo, "a", "1");
    other.commit("Start");
    let mut workspace = other.prepare();
    put(&other.dir(), "a", "2");
    put(&other.dir(), "b", "2");
    let candidate = other.candidate(&mut workspace);
    assert_eq!(candidate.tree.as_str().len(), 64);
    assert_eq!(candidate.changes.len(), 2);
}

#[test]
fn the_clone_needs_nothing_of_the_persons_repository() {
    let world = World::new(&[("a", "1\n"), ("b", "1\n")]);
    for n in 0..60 {
        put(&world.repo, "a", format!("{n}\n"));
        world.commit(&format!("Change {n}"));
    }
    let _workspace = world.prepare();
    std::fs::rename(&world.repo, world.temp.path().join("hidden")).expect("moved");
    std::fs::rename(
        world.run.join("harness.git"),
        world.temp.path().join("hidden.git"),
    )
    .expect("moved");
    let dir = world.dir();
    assert_eq!(git(&dir, &["status", "--porcelain"]), "");
    assert_eq!(git(&dir, &["log", "--oneline"]).lines().count(), 50);
    assert_eq!(
        git(&dir, &["rev-parse", "--abbrev-ref", "HEAD"]),
        "overnight/work"
    );
    assert_eq!(git(&dir, &["diff", "main"]), "");
    assert!(git(&dir, &["show", "HEAD~3"]).contains("Change 56"));
    put(&dir, "a", "mine\n");
    git(&dir, &["stash"]);
    assert_eq!(read(&dir, "a"), "59\n");
    git(&dir, &["stash", "pop"]);
    git(&dir, &["checkout", "-q", "-b", "try"]);
    git(&dir, &["commit", "-q", "-am", "Mine"]);
    assert_eq!(
        git(&dir, &["fsck", "--connectivity-only", "--no-dangling"]),
        ""
    );
}

#[test]
fn the_clone_shares_no_file_with_the_persons_repository() {
    let world = World::new(&[("a", "1\n")]);
    git(&world.repo, &["gc", "-q"]);
    put(&world.repo, "b", "2\n");
    world.commit("Loose");
    let _workspace = world.prepare();
    for path in picture(&world.dir()).keys() {
        let links = std::fs::symlink_metadata(world.dir().join(path))
            .expect("there")
            .nlink();
        assert_eq!(links, 1, "{path}");
    }
    assert!(!world.dir().join(".git/objects/info/alternates").exists());
}

#[test]
fn the_persons_repository_is_only_read() {
    let world = World::new(&[("a", "1\n"), ("d/b", "2\n"), (".gitignore", "env\n")]);
    put(&world.repo, "env", "secret");
    put(&world.repo, "a", "dirty\n");
    // A stale index is what `git status` would refresh.
    crate::world::tick();
    put(&world.repo, "d/b", "2\n");
    let before = picture(&world.repo);
    let mut workspace = world.prepare_with(&["env"], &[]);
    put(&world.dir(), "a", "agent\n");
    put(&world.dir(), "n", "agent\n");
    let candidate = world.candidate(&mut workspace);
    workspace
        .checkouts()
        .checkout(&candidate.tree, &world.temp.path().join("out"))
        .expect("checks out");
    workspace.revert(&["a".into()]).expect("reverts");
    workspace.restore(&world.blobs).expect("restores");
    assert_eq!(picture(&world.repo), before);
}

#[test]
fn needed_ignored_files_come_along_and_are_never_delivered() {
    let world = World::new(&[(".gitignore", ".env*\nfixtures/\n"), ("a", "1")]);
    put(&world.repo, ".env.test", "KEY=1");
    put(&world.repo, ".env.local", "KEY=2");
    put(&world.repo, "fixtures/big/data.bin", "data");
    put(&world.repo, "plain.txt", "not ignored");
    let mut workspace = world.prepare_with(&[".env*", "fixtures/", "plain.txt"], &[]);
    let dir = world.dir();
    assert_eq!(read(&dir, ".env.test"), "KEY=1");
    assert_eq!(read(&dir, ".env.local"), "KEY=2");
    assert_eq!(read(&dir, "fixtures/big/data.bin"), "data");
    put(&dir, ".env.test", "KEY=3");
    put(&dir, "plain.txt", "changed");
    put(&dir, "fixtures/more", "x");
    let candidate = world.candidate(&mut workspace);
    assert!(candidate.changes.is_empty(), "{:?}", candidate.changes);
    let out = world.temp.path().join("out");
    workspace
        .checkouts()
        .checkout(&candidate.tree, &out)
        .expect("checks out");
    assert_eq!(read(&out, ".env.test"), "KEY=1");
    assert_eq!(read(&out, "plain.txt"), "not ignored");
    assert_eq!(read(&out, "fixtures/big/data.bin"), "data");
    assert!(
        workspace
            .checkouts()
            .generated(&out, &candidate.tree)
            .expect("listed")
            .is_empty()
    );
}

#[test]
fn a_needed_file_that_is_not_there_is_refused_by_name() {
    let world = World::new(&[("a", "1")]);
    for name in [
        "absent",
        "../outside",
        "/etc/passwd",
        ".git/config",
        "*.nothing",
    ] {
        let options = Options {
            files: vec![name.into()],
            licensed: Vec::new(),
        };
        let result = GitWorkspace::prepare(&world.repo, &world.run, &options);
        assert!(
            matches!(&result, Err(WorkspaceError::Refused(text)) if text.contains(name)),
            "{name}: {result:?}"
        );
    }
}

#[test]
fn submodules_are_there_to_read_and_stay_what_they_are() {
    let world = World::new(&[("a", "1")]);
    let library = World::new(&[("lib.txt", "library\n"), ("x/y", "deep\n")]);
    let inner = World::new(&[("inner.txt", "inner\n")]);
    git(
        &library.repo,
        &[
            "submodule",
            "--quiet",
            "add",
            &inner.repo.to_string_lossy(),
            "vendor/inner",
        ],
    );
    library.commit("Nest");
    git(
        &world.repo,
        &[
            "submodule",
            "--quiet",
            "add",
            &library.repo.to_string_lossy(),
            "lib",
        ],
    );
    git(
        &world.repo,
        &["submodule", "--quiet", "update", "--init", "--recursive"],
    );
    world.commit("Add a submodule");
    let mut workspace = world.prepare();
    assert_eq!(workspace.base().submodules, ["lib"]);
    assert_eq!(read(&world.dir(), "lib/lib.txt"), "library\n");
    assert_eq!(read(&world.dir(), "lib/vendor/inner/inner.txt"), "inner\n");
    assert_eq!(git(&world.dir(), &["status", "--porcelain"]), "");
    put(&world.dir(), "lib/lib.txt", "changed\n");
    put(&world.dir(), "a", "2");
    let candidate = world.candidate(&mut workspace);
    assert_eq!(crate::world::changes(&candidate), ["M a"]);
    let out = world.temp.path().join("out");
    workspace
        .checkouts()
        .checkout(&candidate.tree, &out)
        .expect("checks out");
    assert_eq!(read(&out, "lib/lib.txt"), "library\n");
    assert_eq!(read(&out, "lib/vendor/inner/inner.txt"), "inner\n");
    assert!(
        workspace
            .checkouts()
            .generated(&out, &candidate.tree)
            .expect("listed")
            .is_empty()
    );
}

#[test]
fn a_submodule_that_cannot_be_had_is_noted() {
    let world = World::new(&[("a", "1")]);
    let commit = git(&world.repo, &["rev-parse", "HEAD"]);
    put(
        &world.repo,
        ".gitmodules",
        "[submodule \"../x\"]\n\tpath = lib\n\turl = /nowhere/at/all\n",
    );
    git(&world.repo, &["add", "-A"]);
    let link = format!("160000,{},lib", commit.replace('a', "b"));
    git(
        &world.repo,
        &["update-index", "--add", "--cacheinfo", &link],
    );
    git(&world.repo, &["commit", "-q", "-m", "Link"]);
    let workspace = world.prepare();
    assert!(workspace.base().submodules.is_empty());
    assert!(
        workspace
            .notes()
            .iter()
            .any(|n| n.contains("lib") && n.contains("submodule update"))
    );
}

fn pointer(content: &str) -> (String, String) {
    use sha2::Digest;
    let oid: String = sha2::Sha256::digest(content)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let text = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {}\n",
        content.len()
    );
    (oid, text)
}

#[test]
fn large_files_have_their_content_and_stay_pointers_in_the_tree() {
    let (oid, text) = pointer("large content");
    let (_, lost) = pointer("lost");
    let world = World::new(&[
        (
            ".gitattributes",
            "*.bin filter=lfs diff=lfs merge=lfs -text\n",
        ),
        ("a.bin", &text),
        ("lost.bin", &lost),
        ("looks-like.txt", &text),
    ]);
    put(
        &world.repo,
        &format!(".git/lfs/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]),
        "large content",
    );
    let mut workspace = world.prepare();
    assert_eq!(workspace.base().lfs, ["a.bin"]);
    assert!(workspace.notes().iter().any(|n| n.contains("lost.bin")));
    let dir = world.dir();
    assert_eq!(read(&dir, "a.bin"), "large content");
    assert_eq!(read(&dir, "lost.bin"), lost);
    assert_eq!(read(&dir, "looks-like.txt"), text);
    assert_eq!(git(&dir, &["status", "--porcelain"]), "");
    assert!(world.scan(&mut workspace).is_empty());

    // Unchanged in the end; changed; new.
    put(&dir, "a.bin", "something else");
    assert_eq!(
        crate::world::changes(&world.candidate(&mut workspace)),
        ["M a.bin"]
    );
    put(&dir, "a.bin", "large content");
    assert!(world.candidate(&mut workspace).changes.is_empty());
    put(&dir, "new.bin", "new large content");
    put(&dir, "a.bin", "changed large content");
    let candidate = world.candidate(&mut workspace);
    assert_eq!(crate::world::changes(&candidate), ["M a.bin", "A new.bin"]);
    let in_tree = |path: &str| {
        git(
            &world.run.join("harness.git"),
            &["cat-file", "blob", &format!("{}:{path}", candidate.tree)],
        )
    };
    assert_eq!(
        in_tree("new.bin"),
        pointer("new large content").1.trim_end()
    );
    assert_eq!(
        in_tree("a.bin"),
        pointer("changed large content").1.trim_end()
    );
    let out = world.temp.path().join("out");
    workspace
        .checkouts()
        .checkout(&candidate.tree, &out)
        .expect("checks out");
    assert_eq!(read(&out, "a.bin"), "changed large content");
    assert_eq!(read(&out, "new.bin"), "new large content");
    workspace
        .revert(&["a.bin".into(), "new.bin".into()])
        .expect("reverts");
    assert_eq!(read(&dir, "a.bin"), "large content");
    assert!(!dir.join("new.bin").exists());
}

#[test]
fn a_second_preparation_starts_afresh_and_an_unfinished_one_is_not_opened() {
    let world = World::new(&[("a", "1")]);
    drop(world.prepare());
    put(&world.dir(), "a", "2");
    drop(world.prepare());
    assert_eq!(read(&world.dir(), "a"), "1");
    std::fs::remove_file(world.run.join("workspace.json")).expect("removed");
    assert!(matches!(
        GitWorkspace::open(&world.run),
        Err(WorkspaceError::Refused(_))
    ));
}

#[test]
fn a_repository_whose_path_is_odd_does() {
    let world = World::new(&[("a", "1")]);
    let odd = world.temp.path().join("we\"ird \\ #päth");
    std::fs::rename(&world.repo, &odd).expect("moved");
    let mut workspace =
        GitWorkspace::prepare(&odd, &world.run, &Options::default()).expect("prepares");
    put(&world.dir(), "b", "2");
    assert_eq!(world.candidate(&mut workspace).changes.len(), 1);
    assert!(files_of(&world.dir()).contains_key("b"));
    assert!(git_output(&odd, &["status"]).status.success());
}
