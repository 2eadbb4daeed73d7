//! Journals of every version replay for ever: each comes to the end that it had, its report is rendered, and a run that
//! was not over is gone on with. `bench/make-journals.sh` makes them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use overnight_core::event::{EVENT_VERSION, Fact};
use overnight_core::report::{Report, to_markdown};
use overnight_ports::journal::Journal;
use overnight_store::{JOURNAL_FILE, RunStore};

/// Where the runs of the fixtures were.
const MADE_AT: &str = "/tmp/overnight-journals";
/// The journals that every version has: their names are the statuses that they end with.
const ENDS: [&str; 7] = [
    "blocked",
    "complete",
    "failed",
    "out_of_budget",
    "refused",
    "stopped",
    "unverifiable",
];
/// Those that are not over, with their status.
const OPEN: [(&str, &str); 2] = [("killed", "checking"), ("paused", "paused")];

/// The first version that has journals of worklists, one whole and one not over.
const WORKLISTS_FROM: &str = "v3";

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journals");
    let mut versions: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the fixtures are there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    versions.sort();
    versions
}

/// A copy that may be opened: opening a journal writes beside it.
fn opened(db: &Path, into: &Path) -> RunStore {
    std::fs::create_dir_all(into).expect("a folder");
    std::fs::copy(db, into.join(JOURNAL_FILE)).expect("a copy");
    RunStore::look(into).expect("the journal opens")
}

#[test]
fn there_are_journals_of_every_version() {
    let versions: BTreeSet<u32> = fixtures()
        .iter()
        .map(|folder| {
            let name = folder.file_name().expect("a name").to_string_lossy();
            name.trim_start_matches('v').parse().expect("vN")
        })
        .collect();
    assert_eq!(versions, (1..=EVENT_VERSION).collect());
}

#[test]
fn every_journal_replays_to_its_end_and_has_a_report() {
    let temporary = tempfile::tempdir().expect("a folder");
    for folder in fixtures() {
        let version = folder
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let all = ENDS.iter().map(|end| (*end, *end)).chain(OPEN);
        for (name, status) in all {
            let what = format!("{version}/{name}");
            let db = folder.join(format!("{name}.db"));
            let store = opened(&db, &temporary.path().join(&what));
            let state = overnight_engine::load(&store).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(state.status(), status, "{what}");
            let mut events = Vec::new();
            store
                .read(1, &mut |stored| events.push(stored.event))
                .expect("events");
            let Fact::RunCreated(created) = &events[0].fact else {
                panic!("{what}: it does not begin with its creation");
            };
            assert_eq!(format!("v{}", created.version), version, "{what}");
            let ended = ENDS.contains(&name);
            let report = Report::fold(events).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(
                (report.ended, report.complete),
                (ended, name == "complete"),
                "{what}"
            );
            let text = to_markdown(&report, &|ms| ms.to_string());
            assert!(text.contains("The sum is right"), "{what}: {text}");
            let bytes = serde_json::to_vec(&state).expect("plain data").len();
            assert!(
                bytes < overnight_core::bounds::STATE_BYTES_MAX,
                "{what}: {bytes}"
            );
        }
    }
}

/// Folders of versions that know worklists.
fn with_worklists() -> Vec<PathBuf> {
    let mut folders = fixtures();
    folders.retain(|folder| folder.file_name().is_some_and(|v| *v >= *WORKLISTS_FROM));
    assert!(!folders.is_empty());
    folders
}

/// `overnight` in a home; what it prints, if it ends with that code.
fn overnight(home: &Path, at: &Path, args: &[&str], code: i32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_overnight"))
        .args(args)
        .current_dir(at)
        .env("OVERNIGHT_HOME", home)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The ids of the ledger's rows with how they ended and how many of their closings were refused.
fn ledger(shown: &str) -> Vec<(String, String, u64)> {
    let rows = json(shown)["rows"].as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    rows.iter()
        .map(|row| {
            (
                text(&row["id"]),
                text(&row["outcome"]),
                row["attempts"].as_u64().unwrap_or_default(),
            )
        })
        .collect()
}

/// How the items of the fixtures end.
fn closed() -> Vec<(String, String, u64)> {
    [
        ("T-1", "fixed", 0),
        ("T-2", "diagnosed", 1),
        ("T-3", "diagnosed", 0),
        ("T-4", "fixed", 1),
    ]
    .map(|(id, outcome, refused)| (id.to_owned(), outcome.to_owned(), refused))
    .to_vec()
}

#[test]
fn worklists_of_every_version_that_knows_them_are_shown() {
    for folder in with_worklists() {
        for (name, exit, status) in [
            ("worklist", 0, "complete"),
            ("worklist-killed", 0, "working"),
        ] {
            let temporary = tempfile::tempdir().expect("a folder");
            let home = temporary.path();
            let what = format!("{}/{name}", folder.display());
            let run = home.join("runs/01a20616fc76764895cd40555fe4f267");
            let store = opened(&folder.join(format!("{name}.db")), &run);
            let state = overnight_engine::load(&store).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(state.status(), status, "{what}");
            let ended = status == "complete";
            let run = |args: &[&str]| overnight(home, home, args, exit);
            assert!(
                run(&["show", "last"]).contains("The sum is right"),
                "{what}"
            );
            let log = run(&["log", "last"]);
            assert!(log.contains("closing refused"), "{what}: {log}");
            assert_eq!(
                log.contains("act 4 performed: told"),
                ended,
                "{what}: {log}"
            );
            let report = run(&["report", "last"]);
            let items = run(&["items", "last"]);
            for text in [&report, &items] {
                assert!(text.contains("There is no product"), "{what}: {text}");
                // One appeared while the run worked.
                assert_eq!(
                    text.contains("There is no quotient"),
                    ended,
                    "{what}: {text}"
                );
            }
            let mut expected = closed();
            if !ended {
                expected[3].1.clear();
            }
            assert_eq!(
                ledger(&run(&["items", "last", "--json"])),
                expected,
                "{what}"
            );
            assert_eq!(
                json(&run(&["report", "last", "--json"]))["complete"],
                ended,
                "{what}"
            );
        }
    }
}

#[test]
fn a_worklist_that_was_begun_under_an_older_version_goes_on_under_this_one() {
    for folder in with_worklists() {
        let archive = folder.join("worklist-killed.tar.gz");
        let what = archive.display().to_string();
        let temporary = tempfile::tempdir().expect("a folder");
        let (home, shop) = (temporary.path().join("home"), temporary.path().join("shop"));
        moved_here(&archive, temporary.path());
        overnight(&home, &shop, &["resume", "last", "--json"], 0);
        assert_eq!(
            ledger(&overnight(&home, &shop, &["items", "last", "--json"], 0)),
            closed(),
            "{what}"
        );
        // Nothing was done at the source before, and everything once now.
        let acts = std::fs::read_to_string(home.join("acts.jsonl")).expect("the acts");
        let acts = serde_json::Deserializer::from_str(&acts).into_iter::<serde_json::Value>();
        let told: Vec<String> = acts
            .map(|act| act.expect("JSON")["item"]["id"].to_string())
            .collect();
        let once = ["T-1", "T-2", "T-3", "T-4"].map(|id| format!("\"{id}\""));
        assert_eq!(told, once, "{what}");
        overnight(&home, &shop, &["verify", "last"], 0);
    }
}

/// Unpacks a run with its repository and moves it here: what was there names the place where it was made.
fn moved_here(archive: &Path, root: &Path) -> PathBuf {
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(root)
        .status();
    assert!(
        unpacked.expect("tar runs").success(),
        "{}",
        archive.display()
    );
    let runs: Vec<PathBuf> = std::fs::read_dir(root.join("home/runs"))
        .expect("runs")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let [run] = runs.as_slice() else {
        panic!("{}: one run, not {}", archive.display(), runs.len());
    };
    let here = root.display().to_string();
    for file in ["workspace.json", "harness.git/objects/info/alternates"] {
        let path = run.join(file);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        std::fs::write(&path, text.replace(MADE_AT, &here)).expect("it is written");
    }
    let db = rusqlite::Connection::open(run.join(JOURNAL_FILE)).expect("the journal opens");
    for statement in [
        "UPDATE events SET body = replace(body, ?1, ?2)",
        "UPDATE meta SET value = replace(value, ?1, ?2)",
    ] {
        db.execute(statement, [MADE_AT, here.as_str()])
            .expect(statement);
    }
    run.clone()
}

#[test]
fn a_run_that_was_begun_under_an_older_version_goes_on_under_this_one() {
    for folder in fixtures() {
        for (name, _) in OPEN {
            let archive = folder.join(format!("{name}.tar.gz"));
            let what = archive.display().to_string();
            let temporary = tempfile::tempdir().expect("a folder");
            let run = moved_here(&archive, temporary.path());
            let shop = temporary.path().join("shop");
            let output = Command::new(env!("CARGO_BIN_EXE_overnight"))
                .args(["resume", "last", "--json"])
                .current_dir(&shop)
                .env("OVERNIGHT_HOME", temporary.path().join("home"))
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .output()
                .expect("the binary runs");
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{what}: {told}");
            let store = RunStore::look(&run).expect("the journal opens");
            let state = overnight_engine::load(&store).expect("it replays");
            assert_eq!(state.status(), "complete", "{what}");
            let shown = Command::new("git")
                .args(["show", &format!("{}:sum.sh", state.branch())])
                .current_dir(&shop)
                .output()
                .expect("git runs");
            assert_eq!(
                String::from_utf8_lossy(&shown.stdout),
                "echo $(($1 + $2))\n",
                "{what}"
            );
        }
    }
}
