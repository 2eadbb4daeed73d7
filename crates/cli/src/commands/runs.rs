//! `overnight runs`: the runs, newest first.

use overnight_ports::clock::Clock;
use overnight_store::Lock;

use crate::clock::{SystemClock, length, local_time};
use crate::lines::clean;

/// Lists them.
pub fn runs(json: bool) -> anyhow::Result<u8> {
    let home = crate::home::home()?;
    let runs = overnight_store::list(&home)?;
    if json {
        say!("{}", serde_json::to_string_pretty(&runs)?);
        return Ok(0);
    }
    if runs.is_empty() {
        say!("No runs yet. `overnight demo` plays one; `overnight run goal.md` begins one.");
        return Ok(0);
    }
    for run in runs {
        let short = &run.id[run.id.len().saturating_sub(8)..];
        say!(
            "{short}  {}  {:<13}  {:>4} turns  {}",
            local_time(run.created_at),
            run.status,
            run.turns,
            clean(&run.goal)
        );
        // What is listed under no model could not be read.
        let open = run.exit_code.is_none() && run.status != "paused" && !run.model.is_empty();
        if open && !Lock::held(&overnight_store::runs_dir(&home).join(&run.id)) {
            say!("          no process works on it; `overnight resume {short}` goes on");
        }
        if let Some(waits_for) = run.waits_for {
            let left = run.waits_until.map_or_else(String::new, |until| {
                let left = length(until.saturating_sub(SystemClock.now()));
                format!(" until {} ({left})", local_time(until))
            });
            say!("          waits for {}{left}", clean(&waits_for));
        }
        if let Some(branch) = run.branch {
            say!("          {branch}");
        }
    }
    Ok(0)
}
