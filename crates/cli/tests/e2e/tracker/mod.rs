//! The backlog of a real error tracker, cleared: Bugsink holds what a real service really reported through the real SDK,
//! and a run of the goal works it off through the real interface. Only the model is a script. What is wrong with the
//! service is planted, so that the ledger, the report, the branch and the tracker can be held against the truth.

mod backlog;
mod bugsink;
mod keyring;
mod killed;
mod planted;
mod replay;
mod served;
mod vanished;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sim::server::Server;

use crate::world::{Done, World, model};
use bugsink::Bugsink;
use planted::{End, PLANTED, Planted};
use served::Served;

/// The variable in which the goal looks for the tracker's token.
const TOKEN: &str = "BUGSINK_TOKEN";
/// How many items the first of the headline jobs asks for.
const LIMIT: usize = 15;

/// A person with a service that fails, and the tracker that knows of it.
struct Shop {
    world: World,
    tracker: Bugsink,
    programs: PathBuf,
    /// Where the tracker takes events.
    dsn: String,
    /// The issues by endpoint.
    ids: BTreeMap<&'static str, String>,
    /// How many items the goal asks for.
    limit: usize,
}

/// One row of the ledger, as far as the truth knows it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    outcome: String,
    evidence: String,
    same_as: Option<String>,
    commit: Option<String>,
}

impl Shop {
    /// Starts the tracker and lets the service fail in every way. Nothing without the tools.
    fn failing(limit: usize) -> Option<Shop> {
        let programs = bugsink::installed()?;
        let files = files();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let mut world = World::new(&files).with_toolchains();
        let tracker = Bugsink::empty(&programs, &world.root.join("bugsink"));
        world.env.insert(TOKEN.to_owned(), tracker.token.clone());
        let dsn = tracker.project("api");
        let mut shop = Shop {
            world,
            tracker,
            programs,
            dsn,
            ids: BTreeMap::new(),
            limit,
        };
        let service = shop.serve(&shop.world.repo);
        for planted in &PLANTED {
            assert_eq!(send(&service, planted), 500, "{}", planted.name);
        }
        // Old ones fail again; that makes them no younger.
        for planted in [&PLANTED[1], &PLANTED[5], &PLANTED[1]] {
            assert_eq!(send(&service, planted), 500, "{}", planted.name);
        }
        drop(service);
        shop.know();
        Some(shop)
    }

    /// Starts the service as it is in a folder.
    fn serve(&self, folder: &Path) -> Served {
        let make = |port: u16| {
            let mut command = Command::new(self.programs.join("python"));
            command
                .args(["-B", "-m", "shop", &port.to_string()])
                .current_dir(folder)
                .env("SENTRY_DSN", &self.dsn);
            command
        };
        Served::start(make, &self.world.root.join("shop.log"))
    }

    /// Learns the issues' names from the tracker, which must hold each of the planted errors, in order.
    fn know(&mut self) {
        let issues = self.tracker.issues();
        assert_eq!(issues.len(), PLANTED.len(), "{issues:#?}");
        for (issue, planted) in issues.iter().zip(&PLANTED) {
            let text = |field: &str| issue[field].as_str().unwrap_or_default();
            let title = format!("{}: {}", text("calculated_type"), text("calculated_value"));
            assert_eq!(text("transaction"), planted.name);
            assert!(
                title.starts_with(planted.error),
                "{}: {title}",
                planted.name
            );
            let id = text("id").to_owned();
            if matches!(planted.end, End::Outside("resolved already")) {
                self.tracker
                    .post(&format!("/issues/{id}/resolve/"), &json!({}));
            }
            self.ids.insert(planted.name, id);
        }
    }

    /// The goal: the project's first headline job, in the words of the goal file.
    fn goal(&self, more: &str) -> String {
        format!(
            r#"---
outcome: The oldest P2 errors of the api are fixed or diagnosed.
items:
  from: bugsink
  url: {}
  project: api
  token: {TOKEN}
  query: "is:unresolved priority:P2 transaction:api*"
  order: oldest
  limit: {}
  outcomes: [fixed, diagnosed]
  each: [{{id: suite, tests: python3 -m unittest}}]
  parallel: 2
  on: {{fixed: [comment, resolve], diagnosed: [comment]}}
{more}keep:
  paths: ["**/migrations/**"]
  checks: [{{tests: python3 -m unittest}}]
next:
  prose: Fix what is clear and isolated; diagnose the rest.
  attempts: 3
  fix_when: {{functions: 1, lines: 40, files: 2}}
stop: {{turns: 200, hours: 2}}
---
Investigate the errors. For each one, either fix it if the cause is clear and the change is isolated to a single
function, or write a one-paragraph diagnosis explaining the root cause and what a fix would require. Do not modify any
database migration files.
"#,
            self.tracker.url(),
            self.limit,
        )
    }

    /// Whether the goal asks for it: the oldest ones that the query finds.
    fn asks_for(&self, planted: &Planted) -> bool {
        let mut listed = PLANTED.iter().filter(|planted| planted.listed());
        let place = listed.position(|listed| listed.name == planted.name);
        place.is_some_and(|place| place < self.limit)
    }

    /// The script of the model: what it does at each of the errors, and what at some before that.
    fn model(&self, before: &[(&str, Value)]) -> Server {
        let mut items = serde_json::Map::new();
        for planted in PLANTED.iter().filter(|planted| planted.listed()) {
            let id = self.id(planted.name);
            let more = before.iter().filter(|(name, _)| *name == planted.name);
            let mut turns: Vec<Value> = more.map(|(_, turn)| turn.clone()).collect();
            turns.extend(planted::turns(planted, id, &evidence(planted)));
            if !turns.is_empty() {
                items.insert(id.to_owned(), json!(turns));
            }
        }
        let script = json!({
            "turns": [{"claim_done": "Every error is closed."}],
            "items": items,
        });
        model(&script.to_string())
    }

    fn id(&self, name: &str) -> &str {
        &self.ids[name]
    }

    /// The endpoint of an issue.
    fn name_of(&self, id: &str) -> &'static str {
        let found = self.ids.iter().find(|(_, known)| *known == id);
        found.map_or("nobody's", |(name, _)| name)
    }

    /// The ledger, by endpoint.
    #[track_caller]
    fn ledger(&self) -> BTreeMap<&'static str, Row> {
        let done = self.world.overnight(&["items", "last", "--json"]).exits(0);
        let ledger = done.json();
        let text = |row: &Value, field: &str| row[field].as_str().map(str::to_owned);
        let rows = ledger["rows"].as_array().expect("rows");
        rows.iter()
            .map(|row| {
                let name = self.name_of(row["id"].as_str().unwrap_or_default());
                let ended = Row {
                    outcome: text(row, "outcome").unwrap_or_else(|| "open".to_owned()),
                    evidence: text(row, "evidence").unwrap_or_default(),
                    same_as: text(row, "same_as").map(|id| self.name_of(&id).to_owned()),
                    commit: text(row, "commit"),
                };
                (name, ended)
            })
            .collect()
    }

    /// Holds the ledger, the branch and the tracker against what was planted.
    #[track_caller]
    fn holds(&self, done: &Done, at: &str) {
        let ledger = self.ledger();
        let branch = done.branch();
        for planted in &PLANTED {
            let row = ledger.get(planted.name);
            let id = self.id(planted.name);
            let issue = self.tracker.get(&format!("/issues/{id}/"));
            let comments = self.tracker.comments(id);
            let outcome = planted.outcome().filter(|_| self.asks_for(planted));
            let Some(outcome) = outcome else {
                assert_eq!(row, None, "{at}: {}", planted.name);
                let before = matches!(planted.end, End::Outside("resolved already"));
                assert_eq!(issue["is_resolved"], before, "{at}: {}", planted.name);
                assert!(comments.is_empty(), "{at}: {}: {comments:?}", planted.name);
                continue;
            };
            let row = row.unwrap_or_else(|| panic!("{at}: no row for {}", planted.name));
            assert_eq!(row.outcome, outcome, "{at}: {}: {row:?}", planted.name);
            let fixed = outcome == "fixed";
            assert_eq!(
                row.commit.is_some(),
                fixed,
                "{at}: {}: {row:?}",
                planted.name
            );
            if let End::With(other) = planted.end {
                assert_eq!(row.same_as.as_deref(), Some(other), "{at}");
                assert_eq!(row.commit, ledger[other].commit, "{at}");
            } else {
                assert_eq!(row.same_as, None, "{at}: {}", planted.name);
                assert_eq!(row.evidence, evidence(planted), "{at}: {}", planted.name);
            }
            // What was done at the tracker was done once, and is what the ledger says.
            assert_eq!(issue["is_resolved"], fixed, "{at}: {}", planted.name);
            assert_eq!(
                self.tracker.resolutions(id),
                usize::from(fixed),
                "{at}: {}",
                planted.name
            );
            assert_eq!(comments.len(), 1, "{at}: {}: {comments:?}", planted.name);
            if !fixed {
                assert!(comments[0].contains(&row.evidence), "{at}: {}", comments[0]);
            }
        }
        assert_eq!(ledger.len(), self.limit, "{at}: {ledger:#?}");
        self.branch_holds(&branch, at);
    }

    /// Every fix is a commit of its own, no commit is anything else, and the service of the branch fails exactly where
    /// the ledger says that it does.
    #[track_caller]
    fn branch_holds(&self, branch: &str, at: &str) {
        let subjects = self
            .world
            .git(&["log", "--format=%s", &format!("HEAD..{branch}")]);
        let mut subjects: Vec<&str> = subjects.lines().collect();
        subjects.sort_unstable();
        let asked = || PLANTED.iter().filter(|planted| self.asks_for(planted));
        let mut planted: Vec<&str> = asked()
            .filter_map(|planted| match planted.end {
                End::Fixed(message) => Some(message),
                End::Outside(_) | End::With(_) | End::Diagnosed(..) => None,
            })
            .collect();
        planted.sort_unstable();
        assert_eq!(subjects, planted, "{at}");
        let files = self.checkout(branch);
        for planted in asked() {
            let works = replays(&files, planted);
            let fixed = planted.outcome() == Some("fixed");
            assert_eq!(works, fixed, "{at}: {} on the branch", planted.name);
        }
        for kept in [
            "shop/migrations/0003_returns.sql",
            "shop/stock.py",
            "tests/test_pricing.py",
        ] {
            assert_eq!(
                self.world.on(branch, kept),
                self.world.on("HEAD", kept),
                "{at}: {kept}"
            );
        }
    }

    /// The files of a branch, in a folder beside the repository.
    fn checkout(&self, branch: &str) -> PathBuf {
        let folder = self.world.root.join("checked-out");
        let _ = fs::remove_dir_all(&folder);
        let path = folder.to_str().expect("a plain name");
        self.world
            .git(&["clone", "-q", "--branch", branch, ".", path]);
        folder
    }
}

/// The evidence that is planted, with the lines of the shop as it is on the base.
fn evidence(planted: &Planted) -> String {
    let files = files();
    planted.evidence(|path, text| {
        let at = files[path].lines().position(|line| line.contains(text));
        1 + at.unwrap_or_else(|| panic!("no `{text}` in {path}"))
    })
}

/// The service's repository.
fn files() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/tracker/shop");
    let mut files = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable").flatten() {
            let path = entry.path();
            if path.is_dir() {
                if entry.file_name() != "__pycache__" {
                    folders.push(path);
                }
                continue;
            }
            let name = path.strip_prefix(&root).expect("below").to_str();
            let text = fs::read_to_string(&path).expect("text");
            files.insert(name.expect("a plain name").to_owned(), text);
        }
    }
    files
}

/// Makes the request that fails; gives the status.
fn send(service: &Served, planted: &Planted) -> u16 {
    let path = format!("/{}", planted.name.replace('.', "/"));
    let body = serde_json::from_str(planted.body).expect("JSON");
    service.ask("POST", &path, None, Some(&body)).0
}

/// Whether the request works with the service in a folder.
fn replays(folder: &Path, planted: &Planted) -> bool {
    let body: Value = serde_json::from_str(planted.body).expect("JSON");
    let event = folder.join("event.json");
    let text = json!({"request": {"url": planted.name, "data": body}}).to_string();
    fs::write(&event, text).expect("written");
    let mut command = Command::new("python3");
    command
        .args(["-B", "replay.py"])
        .current_dir(folder)
        .stdin(fs::File::open(&event).expect("there"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().expect("python3 runs").success()
}
