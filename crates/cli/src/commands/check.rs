//! `overnight check`: the preflight. Every check on the untouched base, and how the goal will treat it.

use std::path::Path;
use std::sync::Arc;

use overnight_agent::Tried;
use overnight_checks::observe::CheckoutVerifier;
use overnight_core::check::{CheckReport, Verdict};
use overnight_core::goal::{Goal, Role};
use overnight_engine::{Preflight, Reuse, preflight};
use overnight_ports::clock::Clock;
use overnight_ports::sandbox::Sandbox;
use serde_json::json;

use crate::args::CheckArgs;
use crate::assembly::{self, CheckoutOptions, RunCheckouts, Setup, hidden_files};
use crate::clock::{SystemClock, length};
use crate::goalfile;
use crate::home::{FileShelf, Scratch, made_home};
use crate::interrupt::{interrupted, unless_interrupted};
use crate::lines::clean;

/// Runs it. Exit code 0 if the goal can be run, 2 if it is refused, 5 if a check cannot be run.
pub async fn check(args: CheckArgs) -> anyhow::Result<u8> {
    let loaded = goalfile::load(&args.file)?;
    let goal = &loaded.goal;
    let sandbox = assembly::sandbox(args.unsafe_no_sandbox).await?;
    let reuse = if args.fresh {
        Reuse::Fresh
    } else {
        Reuse::Kept
    };
    let json = args.json;
    let each = move |report: &CheckReport| {
        if !json {
            eprintln!("  {} … {}", report.check, report.verdict.word());
        }
    };
    let folder = std::env::current_dir()?;
    let Some(found) = unless_interrupted(on_base(goal, &folder, sandbox, reuse, &each)).await
    else {
        return Ok(interrupted());
    };
    let OnBase { found, servers } = found?;
    tell(goal, &found, &servers, args.json)
}

/// What can be known before a run begins.
pub struct OnBase {
    /// What every check finds.
    pub found: Preflight,
    /// How the MCP servers of the goal started.
    pub servers: Vec<Tried>,
}

/// Runs every check of a goal on the untouched base of the repository around `folder`.
pub async fn on_base(
    goal: &Goal,
    folder: &Path,
    sandbox: Arc<dyn Sandbox>,
    reuse: Reuse,
    each: &(dyn Fn(&CheckReport) + Send + Sync),
) -> anyhow::Result<OnBase> {
    let home = made_home()?;
    let scratch = Scratch::new(&home, "overnight-check-")?;
    let repo = match assembly::repository(goal, folder)? {
        Some(repo) => repo,
        None => assembly::empty_repository(scratch.path())?,
    };
    overnight_workspace::ready(&repo).map_err(|e| crate::problem::usage(e.to_string()))?;
    let unreadable = assembly::hidden(&home, &repo, goal);
    let hidden_files = hidden_files::freeze(goal, Some(&repo), scratch.path())?;
    let hashes = hidden_files.hashes(goal);
    let (run_dir, files) = (scratch.path().join("run"), goal.uses.files.clone());
    let prepared = tokio::task::spawn_blocking({
        let run_dir = run_dir.clone();
        move || {
            let head = overnight_workspace::head(&repo)?;
            overnight_workspace::clone_at(&repo, &head, &run_dir, &files)
        }
    });
    let (_, tree) = prepared.await??;
    let setup = Arc::new(Setup::new(&home, goal, sandbox.clone()));
    let checkouts = Arc::new(RunCheckouts::new(
        &run_dir,
        setup,
        CheckoutOptions {
            unreadable,
            hosts: goal.uses.network.clone(),
            level: sandbox.level(),
            hidden: hidden_files,
        },
    ));
    // Before the checks, which take longer: a server that does not start is known in seconds.
    let servers = assembly::try_servers(goal, &checkouts, sandbox.as_ref(), &tree).await?;
    let verifier =
        CheckoutVerifier::new(sandbox, checkouts).with_faults(Arc::new(overnight_mutants::Planter));
    let shelf = FileShelf::new(&home);
    let now = SystemClock.now();
    let found = preflight(goal, &hashes, &tree, &verifier, (&shelf, reuse), now, each).await;
    Ok(OnBase { found, servers })
}

/// What the preflight means for the goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can run.
    Sound,
    /// A check could not be run.
    Unknown,
    /// Every `done` check passes already: passing them would prove nothing.
    Refused,
}

/// Judges the preflight as a whole.
pub fn standing(goal: &Goal, found: &Preflight) -> Standing {
    let rows = found.rows(goal);
    let mut done = rows.iter().filter(|r| r.role == Role::Done).peekable();
    let refused = done.peek().is_some()
        && done.all(|r| r.verdict == Verdict::Pass)
        && goal.items.is_none()
        && !goal.done.iter().any(|c| c.already);
    if refused {
        Standing::Refused
    } else if rows.iter().any(|r| r.verdict == Verdict::CannotTell) {
        Standing::Unknown
    } else {
        Standing::Sound
    }
}

/// The table, and what it means.
pub fn table(goal: &Goal, found: &Preflight) -> String {
    let rows = found.rows(goal);
    let wide = |pick: fn(&overnight_engine::PreflightRow) -> usize, least: usize| {
        rows.iter().map(pick).max().unwrap_or(0).max(least)
    };
    let (id, kind) = (
        wide(|r| r.id.as_str().chars().count(), 5),
        wide(|r| r.kind.len(), 4),
    );
    let mut lines = vec![format!(
        "{:<id$}  {:<kind$}  {:<11}  {:>9}  {:<11}  reason",
        "check", "kind", "on the base", "took", "so it"
    )];
    for row in &rows {
        let flaky = if row.flaky {
            " [differs between runs]"
        } else {
            ""
        };
        lines.push(format!(
            "{:<id$}  {:<kind$}  {:<11}  {:>9}  {:<11}  {}{flaky}",
            row.id.as_str(),
            row.kind,
            row.verdict.word(),
            length(row.duration_ms),
            row.treatment,
            clean(&row.reason)
        ));
    }
    if !found.generated.is_empty() {
        lines.push(format!(
            "\nnewly generated by the checks, never delivered: {}",
            clean(&found.generated.join(", "))
        ));
    }
    match standing(goal, found) {
        Standing::Refused => lines.push(
            "\nrefused: every `done` check passes already on the untouched base, so passing them proves nothing. Add a check that fails today, or say `already: true` on one that you know to pass."
                .to_owned(),
        ),
        Standing::Unknown => lines.push(
            "\na check could not be run: mend it before the night, or the run may end unverifiable"
                .to_owned(),
        ),
        Standing::Sound => {}
    }
    lines.join("\n")
}

/// How the MCP servers started, a line each, and what follows from it.
fn told_of(servers: &[Tried]) -> Vec<String> {
    let mut lines: Vec<String> = servers
        .iter()
        .map(|server| {
            let says = match &server.problem {
                Some(problem) => format!("cannot be used: {problem}"),
                None => format!("{} tools: {}", server.tools.len(), server.tools.join(", ")),
            };
            format!(
                "MCP server {}: {}",
                clean(&server.server),
                overnight_core::judge::plain(&says).replace('\n', " ")
            )
        })
        .collect();
    if servers.iter().any(|server| server.problem.is_some()) {
        lines.push(
            "\nan MCP server cannot be used: mend it, or take it out of `use.mcp`; a run would end before its first turn"
                .to_owned(),
        );
    }
    lines
}

fn tell(goal: &Goal, found: &Preflight, servers: &[Tried], json: bool) -> anyhow::Result<u8> {
    let standing = standing(goal, found);
    let unusable = servers.iter().any(|server| server.problem.is_some());
    if json {
        let refused = standing == Standing::Refused;
        say!(
            "{}",
            serde_json::to_string_pretty(
                &json!({"checks": found.rows(goal), "generated": found.generated, "servers": servers, "refused": refused})
            )?
        );
    } else {
        say!("{}", table(goal, found));
        if !servers.is_empty() {
            say!();
        }
        for line in told_of(servers) {
            say!("{line}");
        }
    }
    Ok(match standing {
        Standing::Refused => 2,
        Standing::Unknown => 5,
        Standing::Sound if unusable => 5,
        Standing::Sound => 0,
    })
}
