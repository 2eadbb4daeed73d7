//! Commands and files, for real.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use overnight_core::goal::Order;
use overnight_core::item::Verb;
use overnight_ports::source::SourceError;
use serde_json::{Value, json};

use crate::contract::{World, act, holds, listed, source, with};

/// A folder with a list in it.
struct Folder {
    temp: tempfile::TempDir,
    spec: Value,
}

impl Folder {
    fn new(files: &[(&str, &str)], spec: Value) -> Self {
        let temp = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = temp.path().join(name);
            std::fs::write(&path, text).expect("it is written");
            if name.ends_with(".sh") {
                let mode = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(&path, mode).expect("it is set");
            }
        }
        let spec = with(&spec, "folder", json!(temp.path()));
        Folder { temp, spec }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

impl World for Folder {
    fn spec(&self) -> Value {
        self.spec.clone()
    }

    fn performed(&self, title: &str, verb: Verb) -> usize {
        match verb {
            Verb::Command => {
                let lines = self.text("acted");
                lines
                    .lines()
                    .filter(|l| l.contains(&format!("\"{title}\"")))
                    .count()
            }
            Verb::Tick => self
                .text("TODO.md")
                .lines()
                .filter(|l| l.ends_with(title) && l.contains("[x]"))
                .count(),
            _ => 0,
        }
    }

    fn remove(&mut self, title: &str) {
        for name in ["TODO.md", "cases.csv", "cases.jsonl"] {
            let text = self.text(name);
            let kept: Vec<&str> = text.lines().filter(|l| !l.contains(title)).collect();
            if !text.is_empty() {
                std::fs::write(self.path(name), kept.join("\n")).expect("it is written");
            }
        }
    }
}

const CASES: &str = r#"{"id": 4, "title": "fourth", "created": "2026-01-04"}
{"id": 1, "title": "first", "created": "2026-01-01", "body": "red: \u001b[31m", "customer": "Co"}
{"id": 5, "title": "fifth", "created": "2026-01-05"}
{"id": 2, "title": "second", "created": "2026-01-02"}
{"id": 3, "title": "third", "created": "2026-01-03"}
"#;
const ACT: &str = "#!/bin/sh\ncat >> \"$(dirname \"$0\")/acted\"; echo >> \"$(dirname \"$0\")/acted\"; echo case closed\n";

#[tokio::test]
async fn a_command_keeps_the_contract() {
    let spec = json!({"from": "command", "run": "cat cases.jsonl", "act": "./act.sh"});
    let mut folder = Folder::new(&[("cases.jsonl", CASES), ("act.sh", ACT)], spec);
    holds(&mut folder, false, false).await;
    let acted: Value = serde_json::from_str(folder.text("acted").trim()).expect("one JSON object");
    assert_eq!(acted["item"]["title"], "second");
    assert_eq!(acted["outcome"], "fixed");
    assert_eq!(acted["evidence"], "Fix it.");
    assert_eq!(acted["commit"], "c0ffee");
    assert_eq!(acted["branch"], "overnight/x");
    assert_eq!(acted["key"], "overnight-0123-1-act");
    assert_eq!(acted["again"], false);
}

#[tokio::test]
async fn files_keep_the_contract() {
    let csv = "id;title;created\n4;fourth;2026-01-04\n1;first;2026-01-01\n5;fifth;2026-01-05\n2;second;2026-01-02\n3;third;2026-01-03\n";
    for (name, text) in [("cases.jsonl", CASES), ("cases.csv", csv)] {
        let spec = json!({"from": "file", "path": name, "act": "./act.sh"});
        holds(
            &mut Folder::new(&[(name, text), ("act.sh", ACT)], spec),
            false,
            true,
        )
        .await;
    }
}

const TODO: &str = "# Things\r\n\r\n- [ ] the first\r\n* [ ] the second\r\n1. [ ] the third\r\n- [x] the old one\r\n\r\nEnd, without a line end";

#[tokio::test]
async fn boxes_are_ticked_and_nothing_else_changes() {
    let spec = json!({"from": "file", "path": "TODO.md"});
    let mut folder = Folder::new(&[("TODO.md", TODO)], spec);
    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(folder.path("TODO.md"), mode).expect("it is set");
    let source = source(&folder.spec, Order::Source, None);
    assert_eq!(source.verbs(), [Verb::Tick]);
    let all = listed(&*source).await.expect("it lists");
    let titles: Vec<&str> = all.iter().map(|i| i.title.as_str()).collect();
    assert_eq!(titles, ["the first", "the second", "the third"]);
    let tick = act(&all[1], Verb::Tick);
    assert_eq!(source.probe(&tick).await, Ok(None));
    let receipt = source.act(&tick).await.expect("it ticks");
    assert_eq!(
        (receipt.what.as_str(), receipt.already),
        ("TODO.md line 4", false)
    );
    assert_eq!(folder.text("TODO.md"), TODO.replace("* [ ]", "* [x]"));
    let mode = std::fs::metadata(folder.path("TODO.md"))
        .expect("it is there")
        .permissions();
    assert_eq!(mode.mode() & 0o777, 0o640);
    assert!(source.act(&tick).await.expect("it is ticked").already);
    assert!(source.probe(&tick).await.expect("it answers").is_some());
    // The person moves things about meanwhile.
    let text = folder
        .text("TODO.md")
        .replace("# Things", "# Things\r\n\r\n- [ ] a new one");
    std::fs::write(folder.path("TODO.md"), text).expect("it is written");
    source
        .act(&act(&all[2], Verb::Tick))
        .await
        .expect("it ticks");
    assert_eq!(folder.performed("the third", Verb::Tick), 1);
    assert_eq!(folder.performed("a new one", Verb::Tick), 0);
    source
        .read(&all[2])
        .await
        .expect("a tick does not make it vanish");
    folder.remove("the first");
    for gone in [
        source.act(&act(&all[0], Verb::Tick)).await.map(drop),
        source.read(&all[0]).await.map(drop),
    ] {
        assert!(matches!(gone, Err(SourceError::Gone(_))), "{gone:?}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.temp.path())
        .expect("a folder")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn a_link_to_a_list_stays_a_link() {
    let folder = Folder::new(
        &[("real.md", TODO)],
        json!({"from": "file", "path": "TODO.md"}),
    );
    std::os::unix::fs::symlink("real.md", folder.path("TODO.md")).expect("a link");
    let source = source(&folder.spec, Order::Source, None);
    let all = listed(&*source).await.expect("it lists");
    source
        .act(&act(&all[0], Verb::Tick))
        .await
        .expect("it ticks");
    assert!(folder.path("TODO.md").is_symlink());
    assert!(folder.text("real.md").contains("- [x] the first"));
}

#[tokio::test]
async fn a_command_that_fails_is_told_and_nothing_is_lost() {
    for (run, part) in [
        (
            "echo '{\"id\":1,\"title\":\"t\"}'; echo no such host >&2; exit 3",
            "exit code 3: no such host",
        ),
        (
            "echo '{\"id\":1,\"title\":\"t\"}'; echo Traceback",
            "line 2 of what the command",
        ),
        (
            "echo '{\"id\":1,\"title\":\"t\"}'; echo '{\"id\":1,\"title\":\"u\"}'",
            "the id of line 1 again",
        ),
        ("printf '\\377'", "not UTF-8"),
        ("./missing.sh", "exit code 127"),
        ("kill -9 $$", "signal: 9"),
    ] {
        let folder = Folder::new(&[], json!({"from": "command", "run": run}));
        let source = source(&folder.spec, Order::Source, None);
        let error = listed(&*source).await.expect_err("it fails");
        assert!(error.to_string().contains(part), "{run}: {error}");
        assert!(
            matches!(error, SourceError::Refused(_) | SourceError::Malformed(_)),
            "{error:?}"
        );
    }
    let folder = Folder::new(
        &[],
        json!({"from": "command", "run": "echo busy >&2; exit 75"}),
    );
    let error = listed(&*source(&folder.spec, Order::Source, None))
        .await
        .expect_err("it fails");
    assert!(matches!(error, SourceError::Unavailable(_)), "{error:?}");
    let gone = json!({"from": "command", "run": "true", "folder": folder.path("no such folder")});
    let error = listed(&*source(&gone, Order::Source, None))
        .await
        .expect_err("no folder");
    assert!(matches!(error, SourceError::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_command_of_which_nobody_knows_the_end_is_told_so() {
    let script = "cat >> acted; echo >> acted; test -e well || exit 1\n";
    let spec = json!({"from": "command", "run": "cat cases.jsonl", "act": "sh ./act.sh"});
    let folder = Folder::new(&[("cases.jsonl", CASES), ("act.sh", script)], spec);
    let acts = || source(&folder.spec, Order::Source, None);
    let first = acts();
    let item = listed(&*first).await.expect("it lists").remove(0);
    let act = act(&item, Verb::Command);
    first.act(&act).await.expect_err("it ends with 1");
    std::fs::write(folder.path("well"), "").expect("it is written");
    let receipt = first.act(&act).await.expect("it ends with 0");
    assert_eq!(receipt.what, "exit code 0");
    // Another process, which asks first because it does not know.
    let second = acts();
    assert_eq!(second.probe(&act).await, Ok(None));
    second.act(&act).await.expect("it ends with 0");
    let again: Vec<bool> = folder
        .text("acted")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["again"] == true)
        .collect();
    assert_eq!(again, [false, true, true]);
}

#[tokio::test]
async fn a_daemon_that_a_command_leaves_behind_holds_nobody_up() {
    // One of its own group, one that has left it, and both keep the output open; the last line comes late.
    let run = "setsid sleep 60 & sleep 60 & (sleep 0.3; cat cases.jsonl) & exit 0";
    let script = "cat >> acted; echo told; setsid sleep 60 & sleep 60 &\n";
    let spec = json!({"from": "command", "run": run, "act": "./act.sh"});
    let act_sh = format!("#!/bin/sh\n{script}");
    let folder = Folder::new(&[("cases.jsonl", CASES), ("act.sh", &act_sh)], spec);
    let began = std::time::Instant::now();
    let source = source(&folder.spec, Order::Source, None);
    let item = listed(&*source).await.expect("it lists").remove(0);
    let receipt = source.act(&act(&item, Verb::Command)).await;
    assert_eq!(receipt.expect("it is over").what, "told");
    assert!(began.elapsed().as_secs() < 40, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_pipe_is_no_list() {
    let folder = Folder::new(&[], json!({"from": "file", "path": "cases.jsonl"}));
    let mut mkfifo = std::process::Command::new("mkfifo");
    let made = mkfifo.arg(folder.path("cases.jsonl")).status();
    assert!(made.expect("mkfifo runs").success());
    let source = source(&folder.spec, Order::Source, None);
    let error = listed(&*source).await.expect_err("it is refused");
    assert!(error.to_string().contains("it is no file"), "{error}");
}

#[tokio::test]
async fn an_id_that_is_refused_shows_what_cannot_be_seen() {
    let spec = json!({"from": "command", "run": "cat cases.jsonl"});
    let line = "{\"id\": \"A\u{200b}\", \"title\": \"t\"}\n";
    let folder = Folder::new(&[("cases.jsonl", line)], spec);
    let source = source(&folder.spec, Order::Source, None);
    let error = listed(&*source).await.expect_err("it is refused");
    assert!(error.to_string().contains("u{200b}"), "{error}");
}

#[tokio::test]
async fn files_that_are_no_lists_are_told() {
    for (name, bytes, part) in [
        ("a.md", &b"\xff\xfe"[..], "not UTF-8"),
        ("a.csv", b"name\nx\n", "no column `id`"),
        ("a.jsonl", b"{}\n", "line 1 of a.jsonl has no `id`"),
    ] {
        let folder = Folder::new(&[], json!({"from": "file", "path": name}));
        std::fs::write(folder.path(name), bytes).expect("it is written");
        let error = listed(&*source(&folder.spec, Order::Source, None))
            .await
            .expect_err("it fails");
        assert!(error.to_string().contains(part), "{name}: {error}");
    }
    let folder = Folder::new(&[], json!({"from": "file", "path": "no.md"}));
    let list = source(&folder.spec, Order::Source, None);
    let error = listed(&*list).await.expect_err("there is none");
    assert!(
        error.to_string().contains("the list no.md cannot be read"),
        "{error}"
    );
    std::fs::create_dir(folder.path("no.md")).expect("a folder");
    assert!(listed(&*list).await.is_err());
}

#[tokio::test]
async fn ten_thousand_items_are_listed_in_order() {
    let mut text = String::new();
    for n in 0..10_000 {
        let body = "what the customer wrote ".repeat(20);
        let created = format!("20{:02}-01-01", 99 - n % 100);
        let line = json!({"id": n, "title": format!("case {n}"), "body": body, "created": created});
        text.push_str(&format!("{line}\n"));
    }
    let spec = json!({"from": "command", "run": "cat cases.jsonl"});
    let folder = Folder::new(&[("cases.jsonl", &text)], spec);
    let all = listed(&*source(&folder.spec, Order::Oldest, None))
        .await
        .expect("it lists");
    assert_eq!(all.len(), 10_000);
    let created: Vec<&str> = all.iter().filter_map(|i| i.created.as_deref()).collect();
    assert!(created.is_sorted() && created.len() == 10_000);
    // Those of the same day stay as they came.
    assert_eq!((all[0].id.as_str(), all[1].id.as_str()), ("99", "199"));
}
