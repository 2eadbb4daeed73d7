//! `overnight show`: what a run is doing, its checks, what it has used, what it waits for.

use overnight_core::check::Verdict;
use overnight_core::ids::Scope;
use overnight_core::notification::Standing;
use overnight_core::state::{CallProgress, CallState, State, Waiting};
use overnight_ports::clock::Clock;
use overnight_store::RunStore;

use crate::args::ShowArgs;
use crate::clock::{SystemClock, length, local_time};
use crate::lines::{clean, farewell, told, worklist};

/// Shows it.
pub async fn show(args: &ShowArgs) -> anyhow::Result<u8> {
    if args.watch {
        return super::watch::watch(&args.run).await;
    }
    let (_, store) = super::look(&args.run)?;
    let state = overnight_engine::load(&store)?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&state)?);
        return Ok(0);
    }
    for line in screen(&state, SystemClock.now()) {
        say!("{line}");
    }
    if deserted(&store, &state) {
        say!(
            "no process works on it; `overnight resume {}` goes on",
            state.run.short()
        );
    }
    Ok(0)
}

/// Whether a run that is not over has lost its process.
fn deserted(store: &RunStore, state: &State) -> bool {
    !state.ended() && !state.paused && !store.held()
}

/// Where a run stands, in lines.
pub fn screen(state: &State, now: u64) -> Vec<String> {
    let mut text = vec![
        format!("{} · {}", state.run.short(), clean(&state.goal.outcome)),
        format!(
            "{} since {} · began {}",
            state.status(),
            local_time(state.last_at),
            local_time(state.created_at)
        ),
        format!("model {} · sandbox {}", state.model, state.sandbox),
    ];
    text.extend(state.waiting().map(|waiting| waits(&waiting, state, now)));
    let lane = state.lanes.get(&Scope::Run);
    let begun = |c: &&CallState| c.progress != CallProgress::Pending;
    if let Some(call) = lane.and_then(|lane| lane.calls.iter().rev().find(begun)) {
        text.push(format!("last action: {}", clean(&call.head.line)));
    }
    let progress = state
        .progress
        .last_at
        .map_or_else(|| "none yet".to_owned(), local_time);
    text.push(format!(
        "{} turns · {} tokens, {} billed · {} active · {} waiting · last verified progress: {progress}",
        state.spent.turns,
        state.spent.usage.total(),
        state.spent.usage.billed(),
        length(state.spent.active_ms),
        length(state.spent.waiting_ms),
    ));
    text.extend(worklist(state));
    text.push(String::new());
    for id in &state.order {
        let Some(check) = state.checks.get(id) else {
            continue;
        };
        let current = state.candidate.as_ref().map(|c| &c.tree);
        let (mark, words) = match (&check.latest, &check.base) {
            (Some(found), _) => {
                let old = if Some(&found.tree) == current {
                    ""
                } else {
                    " (an earlier state)"
                };
                (
                    mark(found.verdict),
                    format!("{}: {}{old}", found.verdict.word(), clean(&found.reason)),
                )
            }
            (None, Some(base)) => (
                ' ',
                format!(
                    "on the base {}: {}",
                    base.verdict.word(),
                    clean(&base.reason)
                ),
            ),
            (None, None) => (' ', "not run yet".to_owned()),
        };
        text.push(format!("{mark} {id} — {words}"));
    }
    for notification in &state.notifications {
        let (at, of) = (local_time(notification.at), notification.occasion.word());
        if let Standing::Over { sendings } = &notification.standing {
            let lines = sendings.iter().map(|s| format!("{at} {of}: {}", told(s)));
            text.extend(lines);
        }
    }
    if state.denials > 0 {
        text.push(format!("{} actions were denied", state.denials));
    }
    if state.ended() {
        text.extend(farewell(state));
    }
    text
}

/// What it waits for, with a countdown where the end is known.
fn waits(waiting: &Waiting, state: &State, now: u64) -> String {
    let (kind, why) = (waiting.kind.words(), clean(&waiting.why));
    let run = state.run.short();
    match waiting.until {
        Some(until) => format!(
            "waits until {} (for {} more; `overnight resume {run}` ends the wait) for {kind}: {why}",
            local_time(until),
            length(until.saturating_sub(now)),
        ),
        None => format!(
            "waits since {} ({}) for {kind}: {why}",
            local_time(waiting.from),
            length(now.saturating_sub(waiting.from)),
        ),
    }
}

fn mark(verdict: Verdict) -> char {
    match verdict {
        Verdict::Pass => '✓',
        Verdict::Fail => '✗',
        Verdict::CannotTell => '?',
    }
}
