//! Many runs in one process, or one very long one: the real engine over real journals on disk, in a world in which
//! nothing happens but turns and time. For figures of what a run costs while it waits and as it grows longer.

mod ports;
mod wait;
mod work;

pub use wait::{Crowd, Rest, Waits, wait};
pub use work::{Length, work};

use std::path::Path;
use std::sync::Arc;

use overnight_core::event::{Created, EVENT_VERSION};
use overnight_core::goal::Goal;
use overnight_core::ids::{BlobId, RunId, UnixMs};
use overnight_store::RunStore;

/// When the clock of every run here begins: 2026-01-02 03:04:05 UTC.
const START: UnixMs = 1_767_323_045_000;
/// The goal of every run here: a file that is never there, and limits that are far away.
const GOAL: &str = "---
outcome: The file done.txt is there.
done:
  - {id: there, file: done.txt, contains: done}
stop: {turns: 100000, hours: 600, no_progress: 100000}
deliver: none
---
Make the file.
";

/// How a run of this number begins.
fn created(number: usize) -> Result<Created, String> {
    let parsed = overnight_core::goal::parse::parse(GOAL).map_err(|found| format!("{found:?}"))?;
    Ok(Created {
        version: EVENT_VERSION,
        run: RunId(format!("{number:032x}")),
        goal: Goal {
            brief: String::new(),
            ..parsed.goal
        },
        goal_file: BlobId::of(GOAL.as_bytes()),
        goal_name: "goal.md".into(),
        model: "simulated/model".into(),
        scripted: false,
        price: None,
        sandbox: "simulated".into(),
        repo: None,
        notify: Vec::new(),
        hidden: Default::default(),
        overnight: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// The journal of a new run below a home, where `overnight runs` finds it.
fn journal(home: &Path, created: &Created) -> Result<Arc<RunStore>, String> {
    let dir = overnight_store::runs_dir(home).join(created.run.as_str());
    let store = RunStore::create(&dir).map_err(|e| e.to_string())?;
    Ok(Arc::new(store))
}
