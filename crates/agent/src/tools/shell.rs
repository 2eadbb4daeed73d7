//! `shell`: a command line in the cell.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use overnight_core::turn::Denial;
use overnight_ports::sandbox::{Background, Command, Exit, SandboxError, Streams};
use serde::Deserialize;

use crate::context::Context;
use crate::tools::{Outcome, words};
use crate::worksite::BACKGROUND_MAX;

/// Limit of a command if the model names none, seconds.
const TIMEOUT_DEFAULT_S: f64 = 120.0;
/// The longest limit that the model may name, seconds.
const TIMEOUT_MAX_S: f64 = 4.0 * 3600.0;
/// A background command that ends within this time is reported at once, milliseconds: it is none that was meant to stay,
/// or one that failed to.
const SETTLE_MS: u64 = 300;
/// How many denials are read out of one output.
const DENIALS_MAX: usize = 8;

#[derive(Deserialize)]
pub(crate) struct Args {
    command: Option<String>,
    timeout_s: Option<f64>,
    #[serde(default)]
    background: bool,
    stop: Option<String>,
}

pub(crate) async fn run(args: Args, cx: &Context<'_>) -> Outcome {
    if let Some(name) = &args.stop {
        return stop(name, cx).await;
    }
    let Some(script) = args.command.filter(|c| !c.trim().is_empty()) else {
        return Outcome::failed("`shell` needs a `command`.");
    };
    if script.contains('\0') {
        return Outcome::failed("`command` holds a NUL character, which no shell takes.");
    }
    if let Err(denial) = cx.ready.policy.command(&script) {
        return Outcome::denied(denial);
    }
    let timeout = args
        .timeout_s
        .filter(|s| s.is_finite() && *s > 0.0)
        .unwrap_or(TIMEOUT_DEFAULT_S)
        .min(TIMEOUT_MAX_S);
    let command = Command {
        script,
        dir: String::new(),
        env: BTreeMap::new(),
        timeout: Duration::from_secs_f64(timeout),
        stdin: None,
        streams: Streams::Merged,
    };
    if args.background {
        start(command, cx).await
    } else {
        finish(command, cx).await
    }
}

async fn finish(command: Command, cx: &Context<'_>) -> Outcome {
    let cell = match cx.ready.cell().await {
        Ok(cell) => cell,
        Err(why) => return Outcome::failed(why),
    };
    let limit = command.timeout;
    let done = match cell.run(command).await {
        Ok(done) => done,
        Err(SandboxError::Closed) => {
            cx.ready.close_cell().await;
            return Outcome::failed("The sandbox was closed while the command ran. Try again.");
        }
        Err(e) => return Outcome::failed(format!("The command could not be run: {e}.")),
    };
    let mut footer = match done.exit {
        Exit::Code(code) => format!("[exit code {code}, {:.2} s]", done.duration.as_secs_f64()),
        Exit::Signal(n) => format!(
            "[killed by signal {n}, {:.2} s]",
            done.duration.as_secs_f64()
        ),
        Exit::TimedOut => format!(
            "[killed at its limit of {} s with everything it started; use a larger `timeout_s` or `background`]",
            limit.as_secs_f64()
        ),
        Exit::Killed => "[killed]".to_owned(),
    };
    if done.dropped > 0 {
        footer.push_str(&format!(" [{} bytes of output dropped]", done.dropped));
    }
    let denials = denied(&done.stdout, !cx.state.goal.keep.paths.is_empty());
    Outcome {
        ok: matches!(done.exit, Exit::Code(_)),
        output: done.stdout,
        footer,
        exit: done.exit.code(),
        denials,
        ..Outcome::default()
    }
}

async fn start(command: Command, cx: &Context<'_>) -> Outcome {
    if cx
        .ready
        .background
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .len()
        >= BACKGROUND_MAX
    {
        return Outcome::failed(format!(
            "{BACKGROUND_MAX} background commands exist already; stop one first."
        ));
    }
    let started = match cx.ready.cell().await {
        Ok(cell) => cell.start(command).await.map_err(|e| e.to_string()),
        Err(why) => Err(why),
    };
    match started {
        Ok(background) => {
            let background: Arc<dyn Background> = Arc::from(background);
            let name = {
                let mut all = cx
                    .ready
                    .background
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                let next = all
                    .keys()
                    .filter_map(|k| k[2..].parse::<u32>().ok())
                    .max()
                    .unwrap_or(0)
                    + 1;
                let name = format!("bg{next}");
                all.insert(name.clone(), Arc::clone(&background));
                name
            };
            let settle = Duration::from_millis(SETTLE_MS);
            match tokio::time::timeout(settle, background.wait()).await {
                Ok(_) => words::ended(&name, background.as_ref(), settle).await,
                Err(_) => {
                    Outcome::done(format!("Started as `{name}`; its output is at `@{name}`."))
                }
            }
        }
        Err(why) => Outcome::failed(format!("The command could not be started: {why}.")),
    }
}

async fn stop(name: &str, cx: &Context<'_>) -> Outcome {
    let found = cx
        .ready
        .background
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(name);
    match found {
        Some(background) => {
            background.kill().await;
            Outcome::done(format!("`{name}` is stopped."))
        }
        None => Outcome::failed(format!("There is no background command `{name}`.")),
    }
}

/// Denials that the kernel made and the command told of. For the report only: they are enforced already. What cannot be
/// written is a kept folder only where the goal keeps something: the rest of the cell is read-only as well.
fn denied(output: &[u8], keeps: bool) -> Vec<Denial> {
    let read_only = if keeps { "keep.paths" } else { "sandbox" };
    let signs: [(&str, &str); 4] = [
        ("Read-only file system", read_only),
        ("Network is unreachable", "use.network"),
        ("Temporary failure in name resolution", "use.network"),
        ("Could not resolve host", "use.network"),
    ];
    let text = String::from_utf8_lossy(output);
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some((_, rule)) = signs.iter().find(|(sign, _)| line.contains(sign)) {
            let what = overnight_core::judge::clip(overnight_core::judge::plain(line).trim(), 200);
            found.push(Denial {
                rule: (*rule).to_owned(),
                what,
            });
            if found.len() == DENIALS_MAX {
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_only_place_is_a_kept_path_only_where_the_goal_keeps_something() {
        let output = b"cp: cannot create '/usr/bin/x': Read-only file system\nfine\n";
        let rules = |keeps| {
            denied(output, keeps)
                .into_iter()
                .map(|denial| denial.rule)
                .collect::<Vec<_>>()
        };
        assert_eq!(rules(true), ["keep.paths"]);
        assert_eq!(rules(false), ["sandbox"]);
    }
}
