//! Runs over worklists: a repository with one small thing wrong per item, a model that takes its time, and where the time
//! of an item goes, from the journal's own times.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use overnight_core::event::{Event, Fact};
use overnight_core::ids::{ItemId, Scope};
use overnight_core::turn::Said;
use overnight_models::scripted::Script;
use overnight_ports::journal::Journal;
use overnight_store::RunStore;
use sim::server::{Options, Outcome, Server};

use crate::machine;
use crate::program::Program;
use crate::table::median;
use crate::world::{self, World};

/// Size of a file of the repository, bytes.
const FILE_BYTES: usize = 2 * 1024;
/// Size of what the source says of an item, bytes: a stack trace of some length.
const BODY_BYTES: usize = 2 * 1024;
/// Files of one folder.
const FILES_PER_FOLDER: usize = 20;
/// The goal file and the list, as they lie in the repository, untracked.
const GOAL_FILE: &str = "goal-items.md";
const LIST_FILE: &str = "goal-items.jsonl";

/// A repository with a backlog beside it.
pub struct Backlog {
    dir: PathBuf,
    items: usize,
}

/// What a run over a backlog showed.
pub struct Worked {
    /// Its `$OVERNIGHT_HOME`.
    pub home: PathBuf,
    /// From start to exit, milliseconds.
    pub wall_ms: f64,
    /// Peak memory of its largest process, megabytes.
    pub peak_mb: f64,
    /// How many cores were busy with something else meanwhile.
    pub others: f64,
    /// Bytes of all requests about an item, by its number from 1.
    pub request_bytes: BTreeMap<usize, u64>,
    /// When what happened to each item, by its number from 1.
    pub stages: BTreeMap<usize, Stages>,
    /// How long listing took, milliseconds, to the journal's clock.
    pub listing_ms: Option<u64>,
}

/// Moments in an item's life, Unix milliseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stages {
    opened: Option<u64>,
    prepared: Option<u64>,
    closing: Option<u64>,
    fixed: Option<u64>,
    checked: Option<u64>,
    moved: Option<u64>,
    integrated: Option<u64>,
}

impl Stages {
    /// The times between them that are not the model's, with their names.
    pub fn spans(&self) -> [(&'static str, Option<u64>); 6] {
        let between = |from: Option<u64>, to: Option<u64>| to?.checked_sub(from?);
        [
            ("its workspace is made", between(self.opened, self.prepared)),
            (
                "its change becomes a tree",
                between(self.closing, self.fixed),
            ),
            ("its checks", between(self.fixed, self.checked)),
            (
                "waits for its turn, and is taken onto the others'",
                between(self.checked, self.moved),
            ),
            (
                "its checks there, and its commit",
                between(self.moved, self.integrated),
            ),
            (
                "its commit, where nobody came before it",
                match self.moved {
                    Some(_) => None,
                    None => between(self.checked, self.integrated),
                },
            ),
        ]
    }
}

impl Backlog {
    /// One with so many items, each of them about a file of its own; `files` of those are really there.
    pub fn new(world: &World, items: usize, files: usize) -> Result<Backlog, String> {
        let dir = world.folder(&format!("backlog-of-{items}"))?;
        let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
        for number in 1..=files {
            let path = dir.join(path_of(number));
            let written = path
                .parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::write(&path, file(number)));
            written.map_err(|e| format!("{}: {e}", path.display()))?;
        }
        fs::write(dir.join("check.sh"), "! grep -rl BROKEN parts\n").map_err(failed)?;
        world::git(&dir, &["init", "--quiet"])?;
        fs::write(dir.join(".git/info/exclude"), "goal-*\n").map_err(failed)?;
        let mut list = String::new();
        for number in 1..=items {
            let line = serde_json::json!({
                "id": id(number),
                "title": title(number),
                "body": body(number),
                "priority": "medium",
                "tags": ["transaction:api.prices", "environment:production"],
                "created": "2026-01-02T03:04:05Z",
            });
            // Writing to a text does not fail.
            let _ = writeln!(list, "{line}");
        }
        fs::write(dir.join(LIST_FILE), list).map_err(failed)?;
        world::git(&dir, &["add", "--all"])?;
        world::git(&dir, &["commit", "--quiet", "--message", "Begin"])?;
        Ok(Backlog { dir, items })
    }

    fn goal(&self, parallel: usize, turns: u64) -> String {
        format!(
            "---
outcome: Every price is right.
items:
  from: file
  path: {LIST_FILE}
  outcomes: [fixed, flagged]
  each: [\"sh check.sh\"]
  parallel: {parallel}
use: {{paths: [\"parts/**\"]}}
next: {{prose: Oldest first., attempts: 3}}
stop: {{turns: {turns}, hours: 24}}
deliver: branch
---
Each item is a price that is off by one.
Find the function, mend it, and leave everything else as it is.
"
        )
    }

    /// Fixes every item of the list, so many at a time, with a model that takes so long for each answer.
    pub fn fix_all(
        &self,
        program: &Program,
        world: &World,
        parallel: usize,
        delay_s: f64,
    ) -> Result<Worked, String> {
        let mut text = String::from("items:\n");
        for number in 1..=self.items {
            let (id, path) = (id(number), path_of(number));
            let _ = write!(
                text,
                "  {id}:
    - edit: {{path: {path}, old: \"return {number} - 1\", new: \"return {number}\"}}
      delay_s: {delay_s}
    - close_item: {{id: {id}, outcome: fixed, evidence: \"{}\"}}
      delay_s: {delay_s}
",
                fixed(number)
            );
        }
        const TURNS_MAX: u64 = 1_000_000;
        let goal = self.goal(parallel, TURNS_MAX);
        let worked = self.play(program, world, &goal, &text, COMPLETE)?;
        let closed = worked
            .stages
            .values()
            .filter(|s| s.integrated.is_some())
            .count();
        if closed != self.items {
            return Err(format!(
                "{} items were to be fixed, and {closed} were",
                self.items
            ));
        }
        Ok(worked)
    }

    /// Lists everything and gives up at the first turn, for want of budget.
    pub fn list_only(&self, program: &Program, world: &World) -> Result<Worked, String> {
        const SCRIPT: &str = "items:\n  \"*\":\n    - close_item: {id: \"{{item}}\", outcome: flagged, evidence: Later.}\n";
        const ONE_TURN: u64 = 1;
        self.play(
            program,
            world,
            &self.goal(1, ONE_TURN),
            SCRIPT,
            OUT_OF_BUDGET,
        )
    }

    fn play(
        &self,
        program: &Program,
        world: &World,
        goal: &str,
        script: &str,
        code: i32,
    ) -> Result<Worked, String> {
        let script = Script::parse(script, Path::new("items.yaml")).map_err(|e| e.to_string())?;
        let home = world.folder("home")?;
        let path = self.dir.join(GOAL_FILE);
        fs::write(&path, goal).map_err(|e| format!("{}: {e}", path.display()))?;
        let server = Server::start(script, Options::default())
            .map_err(|e| format!("the mock server: {e}"))?;
        let args = ["run", GOAL_FILE, "--model", "openai/mock-model", "--yes"];
        let clock = machine::Clock::now();
        let measured = program.run_to(&home, &self.dir, &server.base_url(), &args, code)?;
        let others = clock.others();
        let mut request_bytes = BTreeMap::new();
        for request in server.requests() {
            if request.outcome != Outcome::Answer {
                continue;
            }
            if let Some(number) = request.item.as_deref().and_then(number_of) {
                *request_bytes.entry(number).or_insert(0) += request.body_bytes;
            }
        }
        let (stages, listing_ms) = moments(&home)?;
        Ok(Worked {
            home,
            wall_ms: measured.wall_ms,
            peak_mb: measured.peak_mb,
            others,
            request_bytes,
            stages,
            listing_ms,
        })
    }
}

/// Exit codes of `overnight run`.
const COMPLETE: i32 = 0;
const OUT_OF_BUDGET: i32 = 4;

impl Worked {
    /// The middle times of the stages of items from one number to another, with their names.
    pub fn spans(&self, from: usize, to: usize) -> Vec<(&'static str, Option<f64>)> {
        let mut all: Vec<(&'static str, Vec<f64>)> = Vec::new();
        for (_, stages) in self.stages.range(from..=to) {
            for (at, (name, ms)) in stages.spans().into_iter().enumerate() {
                if all.len() <= at {
                    all.push((name, Vec::new()));
                }
                if let (Some((_, found)), Some(ms)) = (all.get_mut(at), ms) {
                    found.push(ms as f64);
                }
            }
        }
        all.into_iter()
            .map(|(name, mut found)| (name, median(&mut found)))
            .collect()
    }
}

/// What the journal says of when things happened.
fn moments(home: &Path) -> Result<(BTreeMap<usize, Stages>, Option<u64>), String> {
    let dir = overnight_store::find(home, "last").map_err(|e| e.to_string())?;
    let store = RunStore::look(&dir).map_err(|e| e.to_string())?;
    let mut stages = BTreeMap::new();
    let (mut before, mut listing) = (None, None);
    let read = store.read(1, &mut |stored| match &stored.event.scope {
        Scope::Run => match &stored.event.fact {
            Fact::BaselineEnded { .. } => before = Some(stored.event.at),
            Fact::Listed { .. } => {
                listing = before.and_then(|before| stored.event.at.checked_sub(before));
            }
            _ => {}
        },
        Scope::Item(item) => note(&mut stages, item, &stored.event),
    });
    read.map_err(|e| e.to_string())?;
    Ok((stages, listing))
}

fn note(stages: &mut BTreeMap<usize, Stages>, item: &ItemId, event: &Event) {
    let Some(number) = number_of(item.as_str()) else {
        return;
    };
    let stages = stages.entry(number).or_default();
    let now = Some(event.at);
    match &event.fact {
        Fact::ItemOpened(_) => stages.opened = now,
        Fact::Prepared { .. } => stages.prepared = now,
        Fact::CallEnded { result, .. } if matches!(result.said, Some(Said::Close(_))) => {
            stages.closing = now;
        }
        Fact::CandidateFixed { .. } => stages.fixed = now,
        Fact::CheckReported { .. } if stages.moved.is_none() => stages.checked = now,
        Fact::Rebased { .. } => stages.moved = now,
        Fact::Integrated { .. } => stages.integrated = now,
        _ => {}
    }
}

fn id(number: usize) -> String {
    format!("API-{number}")
}

fn number_of(id: &str) -> Option<usize> {
    id.strip_prefix("API-")?.parse().ok()
}

/// As long for every item: what is measured is not the length of numbers.
fn title(number: usize) -> String {
    format!(
        "WrongTotal: expected one more in price of article {number:06} (api.prices.total, GET /v2/carts)"
    )
}

fn fixed(number: usize) -> String {
    format!("The price of article {number:06} counts its last piece as well")
}

fn body(number: usize) -> String {
    let mut text = String::with_capacity(BODY_BYTES + 128);
    let mut line = 0;
    while text.len() < BODY_BYTES {
        line += 1;
        let _ = writeln!(
            text,
            "  File \"{}\", line {line:03}, in price of article {number:06}",
            path_of(number)
        );
    }
    text
}

fn path_of(number: usize) -> String {
    format!(
        "parts/part{:03}/article{number:06}.py",
        number / FILES_PER_FOLDER
    )
}

fn file(number: usize) -> String {
    let mut text = format!("def price():\n    return {number} - 1\n\n\n");
    let mut line = 0;
    while text.len() < FILE_BYTES {
        line += 1;
        let _ = writeln!(
            text,
            "def other_{line}(pieces):\n    return pieces * {number} + {line}\n\n"
        );
    }
    text
}
