//! Repositories as they are: dirty, nested, with odd names, modes and line ends, large, bare, nearly empty.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use crate::world::{World, facts, git, model, reach, told};

const GOAL: &str = "---\noutcome: The work is done.\ndone:\n  - {id: todo, file: todo.txt, contains: done}\nstop: {turns: 12, hours: 1}\n---\nGo on.\n";
const WORK: &str = "turns:\n  - shell: echo done > todo.txt\n  - claim_done: Do the work\n";

#[test]
fn a_dirty_checkout_is_left_alone_and_the_base_is_head() {
    let world = World::new(&[
        ("todo.txt", "open\n"),
        ("code.txt", "committed\n"),
        ("gone.txt", "here\n"),
    ]);
    world.put("code.txt", "staged\n");
    world.git(&["add", "code.txt"]);
    world.put("code.txt", "edited\n");
    world.put("untracked.txt", "mine\n");
    std::fs::remove_file(world.repo.join("gone.txt")).expect("removed");
    let before = world.snapshot();
    let status = world.git(&["status", "--porcelain"]);
    let server = model(
        "turns:\n  - shell: cat code.txt gone.txt; ls; echo done > todo.txt\n  - claim_done: Do the work\n",
    );
    let done = world.run(&server, GOAL).exits(0);
    assert!(
        told(&server, 2).contains("committed\nhere\n"),
        "{}",
        told(&server, 2)
    );
    assert!(
        !told(&server, 2).contains("untracked"),
        "{}",
        told(&server, 2)
    );
    assert_eq!(world.changes_on(&done.branch()), ["M todo.txt"]);
    assert_eq!(world.snapshot(), before);
    assert_eq!(world.git(&["status", "--porcelain"]), status);
    let mut dirty = crate::world::texts(&done.report()["base"]["dirty"]);
    dirty.sort();
    assert_eq!(dirty, ["code.txt", "gone.txt", "untracked.txt"]);
    assert!(done.report_text().contains("untracked.txt"));
    world
        .overnight(&["log", "last"])
        .exits(0)
        .says("3 uncommitted paths of your checkout are not part of the base");
}

#[test]
fn a_check_of_a_monorepo_runs_in_its_own_folder() {
    let world = World::new(&[
        ("packages/a/todo.txt", "open\n"),
        ("packages/b/todo.txt", "open\n"),
        (
            "packages/a/check.sh",
            "test \"$(cat todo.txt)\" = done && test \"$(basename \"$PWD\")\" = a\n",
        ),
    ]);
    let goal = "---\noutcome: Package a is done.\ndone:\n  - {id: a, run: sh check.sh, in: packages/a}\n  - {id: word, file: todo.txt, contains: done, in: packages/a}\nuse: {paths: [packages/a/**]}\nstop: {turns: 12, hours: 1}\n---\nGo on.\n";
    let server = model(
        "turns:\n  - shell: echo done > packages/b/todo.txt\n  - claim_done: Wrong one\n  - shell: echo done > packages/a/todo.txt\n  - claim_done: Finish package a\n",
    );
    // From a folder below the root, as people work in monorepos.
    let path = world.goal(goal);
    let mut command = world.command(&[
        "run",
        path.to_str().expect("plain"),
        "--json",
        "--yes",
        "--model",
        "openai/mock",
    ]);
    reach(&mut command, &server);
    command.current_dir(world.repo.join("packages/a"));
    let done = world.start(command).end().exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["M packages/a/todo.txt"]);
    assert_eq!(done.report()["denials"][0]["what"], "packages/b/todo.txt");
}

#[test]
fn an_ignored_file_that_the_work_needs_is_there_and_never_delivered() {
    let world = World::new(&[
        (".gitignore", ".env*\n"),
        ("todo.txt", "open\n"),
        (
            "check.sh",
            ". ./.env.test && test \"$WORD\" = \"$(cat todo.txt)\"\n",
        ),
    ]);
    world.put(".env.test", "WORD=done\n");
    world.put(".env", "PRIVATE=1\n");
    let server = model(
        "turns:\n  - shell: cat .env.test; ls -a; echo changed >> .env.test; . ./.env.test; echo $WORD > todo.txt\n  - claim_done: Do the work\n",
    );
    let goal = "---\noutcome: The work is done.\ndone:\n  - {id: word, run: sh check.sh}\nuse: {files: [.env.test]}\nstop: {turns: 12, hours: 1}\n---\nGo on.\n";
    let before = world.snapshot();
    let done = world.run(&server, goal).exits(0);
    let seen = told(&server, 2);
    assert!(seen.contains("WORD=done"), "{seen}");
    assert!(!seen.contains(".env\n"), "{seen}");
    assert_eq!(
        world.files_on(&done.branch()),
        [".gitignore", "check.sh", "todo.txt"]
    );
    assert_eq!(world.snapshot(), before);
}

#[test]
fn a_submodule_can_be_read_and_is_delivered_as_it_was() {
    let world = World::new(&[("todo.txt", "open\n")]);
    let library = world.root.join("library");
    std::fs::create_dir(&library).expect("made");
    git(&library, &["init", "-q", "-b", "main"]);
    std::fs::write(library.join("word.txt"), "done\n").expect("written");
    git(&library, &["add", "-A"]);
    git(&library, &["commit", "-q", "-m", "Library"]);
    let from = library.to_str().expect("plain");
    world.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        from,
        "lib",
    ]);
    world.commit("With the library");
    let before = world.snapshot();
    let goal = "---\noutcome: The work is done.\ndone:\n  - {id: same, run: cmp lib/word.txt todo.txt}\nstop: {turns: 12, hours: 1}\n---\nGo on.\n";
    let server = model(
        "turns:\n  - shell: cat lib/word.txt > todo.txt; echo forged > lib/word.txt\n  - claim_done: Copy the word\n",
    );
    let done = world.run(&server, goal).exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["M todo.txt"]);
    let link = |at: &str| world.git(&["ls-tree", at, "lib"]);
    assert_eq!(link(&done.branch()), link("HEAD"));
    assert_eq!(world.snapshot(), before);
}

#[test]
fn odd_names_come_through_unchanged() {
    let odd = "odd names/Größe 値.txt";
    let newline = "odd names/two\nlines.txt";
    let quotes = "odd names/quo\"te's $HOME `x` \\ *.txt";
    let world = World::new(&[
        ("todo.txt", "open\n"),
        (odd, "a\n"),
        (newline, "b\n"),
        (quotes, "c\n"),
        ("-dash", "d\n"),
    ]);
    let server = model(
        r#"
turns:
  - shell: |
      cd "odd names"
      echo changed >> "Größe 値.txt"
      printf 'new\n' > "$(printf 'fresh\nname.txt')"
      for f in *quo*; do echo changed >> "$f"; done
      rm "$(printf 'two\nlines.txt')"
      cd ..; echo changed >> ./-dash; echo done > todo.txt
  - write: {path: "odd names/ leading and trailing ", content: "x\n"}
  - claim_done: Do the work
"#,
    );
    let done = world.run(&server, GOAL).exits(0);
    let branch = done.branch();
    let mut files = world.files_on(&branch);
    files.sort();
    let mut wanted = vec![
        "todo.txt",
        odd,
        quotes,
        "-dash",
        "odd names/fresh\nname.txt",
        "odd names/ leading and trailing ",
    ];
    wanted.sort_unstable();
    assert_eq!(files, wanted);
    assert_eq!(world.on(&branch, odd), "a\nchanged\n");
    assert_eq!(world.on(&branch, quotes), "c\nchanged\n");
    world.overnight(&["verify", "last"]).exits(0);
}

#[test]
fn the_executable_bit_and_links_are_delivered() {
    let world = World::new(&[
        ("todo.txt", "open\n"),
        ("run.sh", "echo run\n"),
        ("plain.sh", "echo plain\n"),
    ]);
    std::fs::set_permissions(
        world.repo.join("run.sh"),
        std::fs::Permissions::from_mode(0o755),
    )
    .expect("set");
    std::os::unix::fs::symlink("run.sh", world.repo.join("link")).expect("made");
    world.commit("Modes");
    let server = model(
        "turns:\n  - shell: ./run.sh && ./link && chmod +x plain.sh && ln -s plain.sh other && ln -sf plain.sh link; echo done > todo.txt\n  - claim_done: Do the work\n",
    );
    let done = world.run(&server, GOAL).exits(0);
    let listed = world.git(&["ls-tree", "--format=%(objectmode) %(path)", &done.branch()]);
    assert_eq!(
        listed,
        "120000 link\n120000 other\n100755 plain.sh\n100755 run.sh\n100644 todo.txt\n"
    );
    assert_eq!(world.on(&done.branch(), "link"), "plain.sh");
}

#[test]
fn line_ends_are_what_the_attributes_say() {
    let world = World::new(&[
        (".gitattributes", "*.txt text eol=crlf\n*.raw -text\n"),
        ("a.txt", "one\r\ntwo\r\n"),
        ("b.txt", "one\r\n"),
        ("c.raw", "one\r\n"),
        ("todo.md", "open\n"),
    ]);
    let server = model(
        "turns:\n  - shell: printf 'three\\r\\n' >> a.txt; od -c b.txt; printf 'two\\r\\n' >> c.raw; echo done > todo.md\n  - claim_done: Do the work\n",
    );
    let goal = GOAL.replace("todo.txt", "todo.md");
    let done = world.run(&server, &goal).exits(0);
    assert!(
        told(&server, 2).contains("\\r"),
        "the workspace has the checkout's line ends: {}",
        told(&server, 2)
    );
    let branch = done.branch();
    assert_eq!(
        world.changes_on(&branch),
        ["M a.txt", "M c.raw", "M todo.md"]
    );
    assert_eq!(world.on(&branch, "a.txt"), "one\ntwo\nthree\n");
    assert_eq!(world.on(&branch, "c.raw"), "one\r\ntwo\r\n");
}

#[test]
fn a_repository_with_nothing_but_the_goal_is_enough() {
    let world = World::new(&[("goal.md", GOAL)]);
    let server = model(WORK);
    let mut command = world.command(&[
        "run",
        "goal.md",
        "--json",
        "--yes",
        "--model",
        "openai/mock",
    ]);
    reach(&mut command, &server);
    let done = world.start(command).end().exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["A todo.txt"]);
}

#[test]
fn a_commit_without_any_file_is_enough() {
    let world = World::new(&[]);
    let done = world.run(&model(WORK), GOAL).exits(0);
    assert_eq!(world.files_on(&done.branch()), ["todo.txt"]);
}

#[test]
fn a_detached_head_stays_detached() {
    let world = World::new(&[("todo.txt", "open\n")]);
    world.put("todo.txt", "later\n");
    world.commit("Later");
    world.git(&["checkout", "-q", "--detach", "HEAD~1"]);
    let before = world.snapshot();
    let done = world.run(&model(WORK), GOAL).exits(0);
    assert_eq!(world.snapshot(), before);
    assert_eq!(
        world.git(&["rev-parse", &format!("{}~1", done.branch())]),
        world.git(&["rev-parse", "HEAD"])
    );
    assert!(done.report()["base"]["branch"].is_null());
}

#[test]
fn a_bare_repository_gets_its_branch() {
    let mut world = World::new(&[("todo.txt", "open\n")]);
    git(&world.root, &["clone", "-q", "--bare", "repo", "bare.git"]);
    world.repo = world.root.join("bare.git");
    let done = world.run(&model(WORK), GOAL).exits(0);
    assert_eq!(world.on(&done.branch(), "todo.txt"), "done\n");
    world.overnight(&["verify", "last"]).exits(0);
}

#[test]
fn a_linked_worktree_is_a_repository_too() {
    let mut world = World::new(&[("todo.txt", "open\n")]);
    world.git(&["worktree", "add", "-q", "-b", "side", "../side"]);
    world.repo = world.root.join("side");
    world.put("todo.txt", "still open\n");
    world.commit("On the side");
    let done = world.run(&model(WORK), GOAL).exits(0);
    assert_eq!(
        world.git(&["rev-parse", &format!("{}~1", done.branch())]),
        world.git(&["rev-parse", "side"])
    );
}

#[test]
fn two_thousand_files_are_no_trouble() {
    let world = World::new(&[("todo.txt", "open\n")]);
    for number in 0..2_000 {
        world.put(
            &format!("src/m{}/f{number}.txt", number % 40),
            &format!("{number}\n"),
        );
    }
    world.commit("Many");
    let server = model(
        r#"
turns:
  - shell: echo changed >> src/m7/f7.txt
  - search: {pattern: "^1234$"}
  - shell: rm -r src/m9; echo done > todo.txt
  - claim_done: Do the work
"#,
    );
    let since = Instant::now();
    let done = world.run(&server, GOAL).exits(0);
    eprintln!(
        "a run on 2,001 files took {} ms",
        since.elapsed().as_millis()
    );
    assert!(
        told(&server, 3).contains("src/m34/f1234.txt:1: 1234"),
        "{}",
        told(&server, 3)
    );
    assert_eq!(world.files_on(&done.branch()).len(), 1_951);
    assert_eq!(world.changes_on(&done.branch()).len(), 52);
    let journal = world.log();
    assert_eq!(facts(&journal, "prepared")[0]["base"]["files"], 2_001);
}
