//! Three-way merges, and chains of commits.

use overnight_core::ids::TreeId;
use overnight_workspace::{Checkouts, Merged};

use crate::world::{World, files_of, git, link, put, read, trap};

/// A store, and what makes trees in it.
struct Trees {
    world: World,
    store: Checkouts,
}

impl Trees {
    fn new(files: &[(&str, &str)]) -> Trees {
        let world = World::new(files);
        let store = world.prepare().checkouts();
        Trees { world, store }
    }

    fn base(&self) -> TreeId {
        self.store.base().clone()
    }

    /// The base's tree after these changes; `None` deletes.
    fn tree(&self, edits: &[(&str, Option<&[u8]>)]) -> TreeId {
        self.made(|dir| {
            for (path, content) in edits {
                match content {
                    Some(content) => {
                        let _ = std::fs::remove_dir_all(dir.join(path));
                        for (at, _) in path.match_indices('/') {
                            if dir.join(&path[..at]).is_file() {
                                std::fs::remove_file(dir.join(&path[..at])).unwrap();
                            }
                        }
                        put(dir, path, content);
                    }
                    None => std::fs::remove_file(dir.join(path)).unwrap(),
                }
            }
        })
    }

    fn made(&self, edit: impl FnOnce(&std::path::Path)) -> TreeId {
        let run = tempfile::tempdir().unwrap();
        let options = overnight_workspace::Options::default();
        let mut workspace =
            overnight_workspace::GitWorkspace::prepare(&self.world.repo, run.path(), &options)
                .unwrap();
        edit(overnight_ports::workspace::Workspace::dir(&workspace));
        let tree = self.world.candidate(&mut workspace).tree;
        let from = workspace.store();
        // Into the store under test, as items' candidates are.
        let objects = git(
            &from,
            &[
                "--git-dir=.",
                "rev-list",
                "--objects",
                "--no-object-names",
                tree.as_str(),
            ],
        );
        for object in objects.lines() {
            let file = format!("objects/{}/{}", &object[..2], &object[2..]);
            if from.join(&file).is_file() {
                put(
                    &self.store.store(),
                    &file,
                    std::fs::read(from.join(&file)).unwrap(),
                );
            }
        }
        tree
    }

    fn merge(&self, theirs: &TreeId, onto: &TreeId) -> Merged {
        let merged = self.store.merge(&self.base(), theirs, onto).unwrap();
        assert_eq!(
            self.store.merge(&self.base(), theirs, onto).unwrap(),
            merged,
            "again the same"
        );
        merged
    }

    fn files(&self, tree: &TreeId) -> Vec<String> {
        let dest = self.world.temp.path().join("look");
        self.store.checkout(tree, &dest).unwrap();
        files_of(&dest)
            .into_iter()
            .map(|(path, (_, content))| {
                format!(
                    "{path}={}",
                    String::from_utf8_lossy(&content).replace('\n', "|")
                )
            })
            .collect()
    }
}

#[test]
fn changes_of_different_files_and_of_different_lines_go_together() {
    let trees = Trees::new(&[
        ("a", "1\n2\n3\n4\n5\n6\n7\n8\n9\n"),
        ("b", "1\n"),
        ("c", "1\n"),
        ("d", "1\n"),
    ]);
    let mine = trees.tree(&[
        ("a", Some(b"one\n2\n3\n4\n5\n6\n7\n8\n9\n")),
        ("b", None),
        ("new/x", Some(b"x\n")),
        ("d", Some(b"2\n")),
    ]);
    let onto = trees.tree(&[
        ("a", Some(b"1\n2\n3\n4\n5\n6\n7\n8\nnine\n")),
        ("c", Some(b"2\n")),
        ("d", Some(b"2\n")),
    ]);
    let merged = trees.merge(&mine, &onto);
    assert_eq!(merged.conflicts, Vec::<String>::new());
    assert_eq!(
        trees.files(&merged.tree),
        ["a=one|2|3|4|5|6|7|8|nine|", "c=2|", "d=2|", "new/x=x|"]
    );
    // Onto the base itself, and of nothing.
    assert_eq!(trees.merge(&mine, &trees.base()).tree, mine);
    assert_eq!(trees.merge(&trees.base(), &onto).tree, onto);
}

#[test]
fn the_same_lines_conflict_with_markers_and_both_sides_adding_a_file_too() {
    let trees = Trees::new(&[("a b\tc", "1\n")]);
    let mine = trees.tree(&[("a b\tc", Some(b"mine\n")), ("n", Some(b"m\n"))]);
    let onto = trees.tree(&[("a b\tc", Some(b"theirs\n")), ("n", Some(b"t\n"))]);
    let merged = trees.merge(&mine, &onto);
    let files = trees.files(&merged.tree);
    assert_eq!(merged.conflicts.len(), 2, "{:?}", merged.conflicts);
    assert_eq!(
        files[0],
        "a b\tc=<<<<<<< integrated|theirs|||||||| base|1|=======|mine|>>>>>>> this item|"
    );
    assert!(files[1].starts_with("n=<<<<<<< integrated|t|"), "{files:?}");
}

const LONG: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";

/// The long file with one line of it changed.
fn long(line: &str, to: &str) -> Vec<u8> {
    LONG.replace(line, to).into_bytes()
}

#[test]
fn what_one_side_renamed_and_the_other_changed_is_merged_where_it_is_now() {
    let trees = Trees::new(&[("a", LONG)]);
    let (first, last) = (long("1", "one"), long("9", "nine"));
    let renamed = trees.tree(&[("a", None), ("d/b", Some(&last))]);
    let changed = trees.tree(&[("a", Some(&first))]);
    let both = ["d/b=one|2|3|4|5|6|7|8|nine|"];
    for (mine, onto) in [(&renamed, &changed), (&changed, &renamed)] {
        let merged = trees.merge(mine, onto);
        assert_eq!(merged.conflicts, Vec::<String>::new());
        assert_eq!(trees.files(&merged.tree), both);
    }
    // By both to the same name.
    let too = trees.tree(&[("a", None), ("d/b", Some(&first))]);
    let merged = trees.merge(&too, &renamed);
    assert_eq!(merged.conflicts, Vec::<String>::new());
    assert_eq!(trees.files(&merged.tree), both);
    // The same line: a conflict at the new name, and what was integrated is in it.
    let clash = trees.tree(&[("a", Some(&long("9", "NINE")))]);
    let merged = trees.merge(&clash, &renamed);
    assert_eq!(merged.conflicts, ["d/b"]);
    let files = trees.files(&merged.tree);
    assert!(
        files.len() == 1 && files[0].contains("<<<<<<<"),
        "{files:?}"
    );
}

#[test]
fn renames_that_do_not_go_together_are_conflicts() {
    let trees = Trees::new(&[("a", LONG)]);
    let to = |name| trees.tree(&[("a", None), (name, Some(LONG.as_bytes()))]);
    let gone = trees.tree(&[("a", None)]);
    let merged = trees.merge(&to("c"), &to("b"));
    assert_eq!(merged.conflicts, ["c"], "two names");
    assert_eq!(trees.merge(&gone, &to("b")).conflicts, ["b"]);
    assert_eq!(trees.merge(&to("b"), &gone).conflicts, ["b"]);
    // Where it is to be, something else is: nothing that was integrated is lost.
    let one = long("1", "one");
    let onto = trees.tree(&[("a", Some(&one)), ("b/x", Some(b"x\n"))]);
    let merged = trees.merge(&to("b"), &onto);
    assert_eq!(merged.conflicts, ["a", "b"]);
    let files = trees.files(&merged.tree);
    assert!(
        files.contains(&"a=one|2|3|4|5|6|7|8|9|".to_owned()),
        "{files:?}"
    );
    let onto = trees.tree(&[("a", Some(&one)), ("b", Some(b"other\n"))]);
    let merged = trees.merge(&to("b"), &onto);
    assert_eq!(merged.conflicts, ["a", "b"]);
}

#[test]
fn what_has_no_lines_keeps_what_was_integrated_and_is_a_conflict() {
    let trees = Trees::new(&[
        ("bin", "\0base\n"),
        ("gone", "1\n"),
        ("mine-gone", "1\n"),
        ("l", "1\n"),
    ]);
    let mine = trees.tree(&[
        ("bin", Some(b"\0mine\n")),
        ("gone", Some(b"2\n")),
        ("mine-gone", None),
        ("l", Some(b"2\n")),
    ]);
    let onto = trees.made(|dir| {
        put(dir, "bin", "\0theirs\n");
        std::fs::remove_file(dir.join("gone")).unwrap();
        put(dir, "mine-gone", "2\n");
        std::fs::remove_file(dir.join("l")).unwrap();
        link(dir, "l", "bin");
    });
    let merged = trees.merge(&mine, &onto);
    assert_eq!(merged.conflicts, ["bin", "gone", "l", "mine-gone"]);
    assert_eq!(
        trees.files(&merged.tree),
        ["bin=\0theirs|", "gone=2|", "l=bin", "mine-gone=2|"]
    );
}

#[test]
fn a_file_in_the_way_of_a_folder_is_put_aside_but_not_one_that_the_change_takes_away() {
    let trees = Trees::new(&[("d/x", "1\n"), ("e", "1\n"), ("f/y", "1\n")]);
    // `d` becomes a file and `e` a folder: nobody else touched them.
    let mine = trees.tree(&[
        ("d/x", None),
        ("d", Some(b"file\n")),
        ("e/in", Some(b"1\n")),
        ("f/y", None),
        ("f", Some(b"file\n")),
    ]);
    let onto = trees.tree(&[("f/z", Some(b"theirs\n"))]);
    let merged = trees.merge(&mine, &onto);
    assert_eq!(merged.conflicts, ["f"]);
    assert_eq!(
        trees.files(&merged.tree),
        ["d=file|", "e/in=1|", "f/z=theirs|", "f~item=file|"]
    );
}

#[test]
fn modes_are_merged_on_their_own() {
    let trees = Trees::new(&[("s", "1\n2\n3\n4\n5\n")]);
    let mine = trees.made(|dir| crate::world::executable(dir, "s"));
    let onto = trees.tree(&[("s", Some(b"1\n2\n3\n4\n55\n"))]);
    let merged = trees.merge(&mine, &onto);
    assert!(merged.conflicts.is_empty());
    let listing = trees.store.listing(&merged.tree).unwrap();
    assert_eq!(listing["s"].mode, "100755");
    assert_eq!(trees.files(&merged.tree), ["s=1|2|3|4|55|"]);
}

#[test]
fn nothing_that_the_repository_says_is_run_or_decides() {
    let trees = Trees::new(&[
        (
            ".gitattributes",
            "* merge=evil filter=evil diff=evil text eol=crlf\nu merge=union\n",
        ),
        ("a", "1\n"),
        ("u", "1\n"),
    ]);
    let (script, marker) = trap(&trees.world, "driver");
    for key in [
        "merge.evil.driver",
        "filter.evil.smudge",
        "filter.evil.clean",
        "diff.evil.textconv",
        "diff.external",
    ] {
        git(
            &trees.world.repo,
            &["config", key, script.to_str().unwrap()],
        );
    }
    let mine = trees.tree(&[("a", Some(b"mine\n")), ("u", Some(b"mine\n"))]);
    let onto = trees.tree(&[("a", Some(b"theirs\n")), ("u", Some(b"theirs\n"))]);
    // The person's own git, asked what is dirty when a run is prepared, obeys the person's own configuration.
    let _ = std::fs::remove_file(&marker);
    let merged = trees.merge(&mine, &onto);
    assert_eq!(
        merged.conflicts,
        ["a", "u"],
        "union would hide the conflict"
    );
    assert!(!marker.exists());
}

#[test]
fn a_commit_is_the_same_however_often_it_is_made() {
    let trees = Trees::new(&[("a", "1\n")]);
    let tree = trees.tree(&[("a", Some(b"2\n"))]);
    let base = overnight_workspace::head(&trees.world.repo).unwrap();
    let commit = || {
        trees
            .store
            .commit(
                &base,
                &tree,
                "Fix it\n\nWhy.\0\n\n\n",
                "Ann Ode <ann@example.org>",
                1_700_000_000,
            )
            .unwrap()
    };
    let made = commit();
    assert_eq!(commit(), made);
    let shown = git(
        &trees.store.store(),
        &["--git-dir=.", "cat-file", "commit", made.as_str()],
    );
    assert_eq!(
        shown,
        format!(
            "tree {tree}\nparent {base}\nauthor Ann Ode <ann@example.org> 1700000000 +0000\ncommitter Ann Ode <ann@example.org> 1700000000 +0000\n\nFix it\n\nWhy."
        )
    );
    let bad = "--help".to_owned();
    assert!(
        trees
            .store
            .commit(&bad.clone().into(), &tree, "x", "x", 0)
            .is_err()
    );
    assert!(trees.store.merge(&bad.into(), &tree, &tree).is_err());
    assert_eq!(read(&trees.world.repo, "a"), "1\n");
}
