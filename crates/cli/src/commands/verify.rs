//! `overnight verify`: runs a report's checks again, from a fresh clone of what was delivered. It believes nothing that
//! the run's own folder says about verdicts; the base's test results are gathered anew as well.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use overnight_checks::observe::CheckoutVerifier;
use overnight_core::check::{Observation, Verdict};
use overnight_core::goal::Goal;
use overnight_core::ids::{CheckId, TreeId};
use overnight_core::judge::Judgement;
use overnight_core::repo::{Candidate, Delivered};
use overnight_engine::{Verification, Verified};
use overnight_ports::journal::BlobSink;
use overnight_ports::verifier::{Probe, Verifier};
use serde_json::json;

use crate::args::OneRun;
use crate::assembly::{self, CheckoutOptions, GitOracle, RunCheckouts, Setup, hidden_files};
use crate::clock::length;
use crate::goalfile;
use crate::home::made_home;
use crate::lines::clean;
use crate::problem::usage;

/// Verifies. Exit code 0 if every check passes, 1 if one fails, 5 if one cannot be told.
pub async fn verify(args: &OneRun) -> anyhow::Result<u8> {
    let (kept_in, store) = super::look(&args.run)?;
    let state = overnight_engine::load(&store)?;
    let text = String::from_utf8(
        store
            .get(&state.goal_file)
            .context("the goal file in the journal")?,
    )?;
    let goal = goalfile::again(&text, &state.goal)?;
    let hidden_files = hidden_files::reopen(&goal, &state.hidden, &kept_in)?;
    let changed = hidden_files::changed(&goal, &hidden_files);
    let Some(Delivered::Branch {
        name,
        commit: delivered,
    }) = &state.delivered
    else {
        return Err(usage(format!(
            "run {} delivered no branch, so there is nothing to clone",
            state.run.short()
        )));
    };
    let repo = PathBuf::from(state.repo.clone().context("the run's repository")?);
    // What the branch is now, not what the run says that it was.
    let commit = overnight_workspace::branch(&repo, name)?.ok_or_else(|| {
        usage(format!(
            "the branch {name} is gone from {}; it was at {delivered}: `git branch {name} {delivered}` brings it back",
            repo.display()
        ))
    })?;
    let moved = &commit != delivered;
    let base = state.base.clone().context("the run's base")?;
    let sandbox = assembly::sandbox(state.sandbox == "none").await?;
    let home = made_home()?;
    std::fs::create_dir_all(home.join("tmp"))?;
    let folder = tempfile::Builder::new()
        .prefix("overnight-verify-")
        .tempdir_in(home.join("tmp"))?;
    let (run_dir, files, now) = (
        folder.path().join("run"),
        goal.uses.files.clone(),
        commit.clone(),
    );
    let cloned = tokio::task::spawn_blocking({
        let (repo, run_dir) = (repo.clone(), run_dir.clone());
        move || overnight_workspace::clone_at(&repo, &now, &run_dir, &files)
    });
    let (checkouts, tree) = cloned.await?.map_err(|e| usage(format!("{name}: {e}")))?;
    let changes = checkouts.changes(&base.tree, &tree)?;
    let setup = Arc::new(Setup::new(&home, &goal, sandbox.clone()));
    let options = CheckoutOptions {
        unreadable: assembly::hidden(&home, &repo, &goal),
        hosts: goal.uses.network.clone(),
        level: sandbox.level(),
        hidden: hidden_files,
    };
    let verifier = CheckoutVerifier::new(
        sandbox,
        Arc::new(RunCheckouts::new(&run_dir, setup, options)),
    )
    .with_faults(Arc::new(overnight_mutants::Planter));
    if !args.json {
        say!(
            "{name} at {} from a fresh clone of {}",
            commit.short(),
            repo.display()
        );
        if moved {
            say!(
                "note: the run delivered {}; the branch has moved since",
                delivered.short()
            );
        }
        for line in &changed {
            say!("note: {line}");
        }
    }
    let candidate = Candidate {
        tree,
        changes,
        artefacts: Vec::new(),
    };
    let oracle = GitOracle::new(&run_dir);
    let before = on_the_base(&goal, &base.tree, &verifier).await;
    let rows: Mutex<Vec<(String, Judgement, u64)>> = Mutex::default();
    let verification = Verification {
        goal: &goal,
        base: &base.tree,
        candidate: &candidate,
        verifier: &verifier,
        amiss: Vec::new(),
        oracle: Some(&oracle),
    };
    verification
        .run(
            &|_| true,
            &|id| before.get(id).cloned(),
            &|verified: Verified<'_>| {
                let took = verified.observation.map_or(0, |now| now.duration_ms);
                rows.lock().unwrap_or_else(PoisonError::into_inner).push((
                    verified.check.to_string(),
                    verified.judgement,
                    took,
                ));
            },
        )
        .await;
    let rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    let all = |verdict| rows.iter().any(|(_, j, _)| j.verdict == verdict);
    if args.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|(id, j, ms)| json!({"id": id, "verdict": j.verdict, "reason": j.reason, "duration_ms": ms}))
            .collect();
        let verified = !all(Verdict::Fail) && !all(Verdict::CannotTell);
        say!(
            "{}",
            serde_json::to_string_pretty(
                &json!({"run": state.run, "branch": name, "commit": commit, "delivered": delivered, "moved": moved, "verified": verified, "hidden_changed": changed, "checks": rows})
            )?
        );
    } else {
        for (id, judgement, ms) in &rows {
            say!(
                "{:<11}  {id} — {} ({})",
                judgement.verdict.word(),
                clean(&judgement.reason),
                length(*ms)
            );
        }
        let said = state.stop.as_ref().map_or("unfinished", |s| s.word());
        say!("the run's own word was: {said}");
    }
    Ok(if all(Verdict::Fail) {
        1
    } else if all(Verdict::CannotTell) {
        5
    } else {
        0
    })
}

/// What the checks that are held against the base find there.
async fn on_the_base(
    goal: &Goal,
    base: &TreeId,
    verifier: &dyn Verifier,
) -> BTreeMap<CheckId, Vec<Observation>> {
    let mut found = BTreeMap::new();
    for probe in Probe::plan(goal.checks()) {
        let compared = probe
            .checks
            .iter()
            .filter_map(|id| goal.check(id))
            .any(overnight_engine::compares);
        if !compared {
            continue;
        }
        let seen = vec![verifier.observe(base, &probe).await];
        found.extend(probe.checks.iter().map(|id| (id.clone(), seen.clone())));
    }
    found
}
