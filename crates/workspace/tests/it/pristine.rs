//! Checkouts that nobody writes to: brought from tree to tree they are what a fresh checkout would be.

use std::collections::BTreeMap;
use std::sync::Arc;

use overnight_core::ids::TreeId;
use overnight_ports::workspace::Workspace as _;
use overnight_workspace::{Checkouts, Content, Hidden, Pristine};

use crate::world::{World, executable, files_of, link, put, read, tick};

fn plain(tree: &TreeId) -> Content {
    Content {
        tree: tree.clone(),
        hidden: None,
        setup: None,
    }
}

/// What a fresh checkout of a content holds.
fn fresh(
    world: &World,
    checkouts: &Checkouts,
    content: &Content,
) -> BTreeMap<String, (u32, Vec<u8>)> {
    let out = world.temp.path().join("fresh");
    checkouts
        .checkout_content(content, &out)
        .expect("checks out");
    files_of(&out)
}

#[test]
fn from_tree_to_tree_it_is_what_a_fresh_checkout_is() {
    let world = World::new(&[
        ("a", "1"),
        ("d/b", "2"),
        ("d/e/f", "3"),
        ("file-or-folder", "4"),
        ("text", "one\ntwo\n"),
        (".gitignore", "env\n"),
    ]);
    put(&world.repo, "env", "KEY");
    let mut workspace = world.prepare_with(&["env"], &[]);
    let checkouts = workspace.checkouts();
    let base = workspace.base().tree.clone();
    let mut trees = vec![base.clone()];
    let dir = world.dir();
    let steps: Vec<Box<dyn Fn()>> = vec![
        Box::new(|| put(&dir, "a", "changed")),
        Box::new(|| {
            std::fs::remove_dir_all(dir.join("d")).expect("removed");
            link(&dir, "d", "/etc");
            executable(&dir, "a");
        }),
        Box::new(|| {
            std::fs::remove_file(dir.join("file-or-folder")).expect("removed");
            put(&dir, "file-or-folder/x", "inside");
        }),
        // Attributes change how files are written that are themselves the same.
        Box::new(|| put(&dir, ".gitattributes", "text eol=crlf\n")),
        Box::new(|| std::fs::remove_file(dir.join(".gitattributes")).expect("removed")),
        Box::new(|| {
            std::fs::remove_dir_all(dir.join("file-or-folder")).expect("removed");
            put(&dir, "file-or-folder", "a file again");
        }),
    ];
    for step in steps {
        tick();
        step();
        trees.push(world.candidate(&mut workspace).tree);
    }
    let at = world.temp.path().join("pristine");
    let mut pristine = Pristine::make(&checkouts, &plain(&base), &at).expect("made");
    // There and back again, in leaps as well.
    let back: Vec<TreeId> = trees.iter().rev().step_by(2).cloned().collect();
    for tree in trees.iter().chain(&back) {
        let content = plain(tree);
        pristine.turn(&content).expect("turned");
        assert!(pristine.holds(&content) && pristine.intact());
        assert_eq!(files_of(&at), fresh(&world, &checkouts, &content), "{tree}");
        assert_eq!(read(&at, "env"), "KEY");
    }
}

#[test]
fn whatever_is_done_to_it_is_noticed() {
    let world = World::new(&[("a", "1"), ("d/b", "2")]);
    let workspace = world.prepare();
    let checkouts = workspace.checkouts();
    let content = plain(&workspace.base().tree);
    let at = world.temp.path().join("pristine");
    let deeds: [(&str, &dyn Fn()); 6] = [
        ("a file written in place", &|| put(&at, "a", "2")),
        ("the same bytes written again, with the old time", &|| {
            let before = std::fs::metadata(at.join("a")).expect("there");
            put(&at, "a", "1");
            let file = std::fs::File::options()
                .write(true)
                .open(at.join("a"))
                .expect("opens");
            file.set_modified(before.modified().expect("a time"))
                .expect("set");
        }),
        ("a new file", &|| put(&at, "d/new", "x")),
        ("a file gone", &|| {
            std::fs::remove_file(at.join("d/b")).expect("removed")
        }),
        ("a mode", &|| executable(&at, "a")),
        ("a link in a folder's place", &|| {
            std::fs::rename(at.join("d"), at.join("e")).expect("moved");
            link(&at, "d", "e");
        }),
    ];
    for (what, deed) in deeds {
        let pristine = Pristine::make(&checkouts, &content, &at).expect("made");
        assert!(pristine.intact(), "{what}");
        tick();
        deed();
        assert!(!pristine.intact(), "{what} is not noticed");
    }
}

#[test]
fn what_a_check_left_in_its_view_is_told_apart_from_what_was_there() {
    let world = World::new(&[("a", "1"), ("d/b", "2"), (".gitignore", "env\n")]);
    put(&world.repo, "env", "KEY");
    let workspace = world.prepare_with(&["env"], &[]);
    let checkouts = workspace.checkouts();
    let at = world.temp.path().join("pristine");
    let pristine = Pristine::make(&checkouts, &plain(&workspace.base().tree), &at).expect("made");
    let upper = world.temp.path().join("upper");
    std::fs::create_dir(&upper).expect("made");
    assert_eq!(
        pristine.generated(&upper).expect("listed"),
        Vec::<String>::new()
    );
    for path in ["a", "d/b", "d/new", "out/x", "env"] {
        put(&upper, path, "written");
    }
    assert_eq!(
        pristine.generated(&upper).expect("listed"),
        ["d/new", "out/"]
    );
}

#[test]
fn hidden_files_win_whatever_stands_in_their_way() {
    let world = World::new(&[
        ("tests/unit.txt", "visible"),
        ("tests/other.txt", "stays"),
        ("in-the-way", "a file"),
        ("folder/x", "a folder"),
        ("app/main", "x"),
    ]);
    let outside = world.temp.path().join("outside");
    std::fs::create_dir(&outside).expect("made");
    let source = world.temp.path().join("hidden");
    put(&source, "tests/unit.txt", "hidden\r\n");
    put(&source, "tests/deep/er.txt", "deep");
    put(&source, "in-the-way/y", "y");
    put(&source, "folder", "a file now");
    put(&source, "linked/z", "z");
    put(&source, "run.sh", "#!/bin/sh\n");
    executable(&source, "run.sh");
    link(&source, "tests/link", "../run.sh");
    put(&source, ".git/config", "[core]\n");
    let hidden =
        Arc::new(Hidden::freeze(&source, &world.temp.path().join("kept")).expect("frozen"));
    assert_eq!(hidden.files(), 7);
    // Changed afterwards, it changes nothing; and it is known that it changed.
    assert_eq!(&Hidden::hash_of(&source).expect("read"), hidden.id());
    put(&source, "tests/unit.txt", "changed since");
    assert_ne!(&Hidden::hash_of(&source).expect("read"), hidden.id());

    let mut workspace = world.prepare();
    let checkouts = workspace.checkouts();
    link(&world.dir(), "linked", &outside);
    // The candidate has a say in how files of the tree are written; not in these.
    put(&world.dir(), ".gitattributes", "*.txt text eol=lf ident\n");
    let candidate = world.candidate(&mut workspace);
    let content = |dir: &str| Content {
        tree: checkouts.lay(&candidate.tree, &hidden, dir).expect("laid"),
        hidden: Some((hidden.clone(), dir.to_owned())),
        setup: None,
    };
    let content = content("app");
    let at = world.temp.path().join("pristine");
    let mut pristine = Pristine::make(&checkouts, &content, &at).expect("made");
    for _ in 0..2 {
        assert_eq!(read(&at, "tests/unit.txt"), "hidden\r\n");
        assert_eq!(read(&at, "tests/other.txt"), "stays");
        assert_eq!(read(&at, "tests/deep/er.txt"), "deep");
        assert_eq!(read(&at, "in-the-way/y"), "y");
        assert_eq!(read(&at, "folder"), "a file now");
        assert_eq!(read(&at, "linked/z"), "z");
        assert_eq!(read(&at, "tests/link"), "#!/bin/sh\n");
        assert_eq!(files_of(&at)["run.sh"].0 & 0o777, 0o755);
        assert_eq!(std::fs::read_dir(&outside).expect("listed").count(), 0);
        assert!(!at.join(".git").exists());
        let upper = world.temp.path().join("upper");
        std::fs::create_dir_all(&upper).expect("made");
        assert_eq!(
            pristine.generated(&upper).expect("listed"),
            Vec::<String>::new()
        );
        // To the candidate itself and back.
        let bare = plain(&candidate.tree);
        pristine.turn(&bare).expect("turned");
        assert!(!pristine.holds(&content));
        assert_eq!(files_of(&at), fresh(&world, &checkouts, &bare));
        pristine.turn(&content).expect("turned");
    }
}

#[test]
fn a_single_hidden_file_goes_to_the_checks_directory() {
    let world = World::new(&[("app/spec.txt", "visible"), ("spec.txt", "top")]);
    put(world.temp.path(), "spec.txt", "hidden");
    let hidden = Hidden::freeze(
        &world.temp.path().join("spec.txt"),
        &world.temp.path().join("kept"),
    )
    .expect("frozen");
    let workspace = world.prepare();
    let checkouts = workspace.checkouts();
    let out = world.temp.path().join("out");
    for (dir, inside, top) in [
        ("app", "hidden", "top"),
        ("", "visible", "hidden"),
        ("./app/", "hidden", "top"),
    ] {
        let tree = checkouts
            .lay(&workspace.base().tree, &hidden, dir)
            .expect("laid");
        checkouts.checkout(&tree, &out).expect("checks out");
        assert_eq!(
            (read(&out, "app/spec.txt"), read(&out, "spec.txt")),
            (inside.into(), top.into()),
            "{dir}"
        );
    }
}

#[test]
fn what_cannot_be_hidden_files_is_refused() {
    let world = World::empty();
    let kept = world.temp.path().join("kept");
    let source = world.temp.path().join("hidden");
    std::fs::create_dir(&source).expect("made");
    let why = || {
        Hidden::freeze(&source, &kept)
            .expect_err("refused")
            .to_string()
    };
    assert!(why().contains("it is empty"), "{}", why());
    put(&source, ".git/HEAD", "x");
    assert!(why().contains("it is empty"), "{}", why());
    for target in ["/etc/passwd", "../secret", "a/../../b"] {
        link(&source, "l", target);
        assert!(why().contains("leads out"), "{}", why());
        std::fs::remove_file(source.join("l")).expect("removed");
    }
    put(&source, "GIT~1/x", "x");
    assert!(why().contains("git refuses"), "{}", why());
    std::fs::remove_dir_all(source.join("GIT~1")).expect("removed");
    let large = std::fs::File::create(source.join("large")).expect("made");
    large
        .set_len(overnight_workspace::HIDDEN_BYTES_MAX + 1)
        .expect("set");
    assert!(why().contains("256 MiB"), "{}", why());
    std::fs::remove_file(source.join("large")).expect("removed");
    for number in 0..=overnight_workspace::HIDDEN_FILES_MAX {
        std::fs::File::create(source.join(number.to_string())).expect("made");
    }
    assert!(why().contains("10000 files"), "{}", why());
    assert_eq!(
        std::fs::read_dir(&kept).expect("listed").count(),
        0,
        "nothing is left"
    );
}

#[test]
fn a_copy_that_was_damaged_is_not_believed() {
    let world = World::empty();
    let (source, kept) = (world.temp.path().join("h"), world.temp.path().join("kept"));
    put(&source, "a/b", "1");
    let hidden = Hidden::freeze(&source, &kept).expect("frozen");
    let id = hidden.id().clone();
    assert_eq!(Hidden::open(&kept, &id).expect("opens").id(), &id);
    let copy = kept.join(id.as_str()).join("folder/a/b");
    std::fs::write(&copy, "2").expect("written");
    assert!(Hidden::open(&kept, &id).is_err_and(|e| e.to_string().contains("not what they were")));
    std::fs::write(&copy, "1").expect("written");
    assert!(Hidden::open(&kept, &id).is_ok());
    executable(&kept, &format!("{id}/folder/a/b"));
    assert!(Hidden::open(&kept, &id).is_err());
}
