//! `overnight zoo`: plays the scripted agents, several at once, and says whether the gate holds.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::args::ZooArgs;
use crate::assembly;
use crate::problem::usage;
use crate::zoo::{
    Agent, Counts, Ground, Outcome, Played, agents, fixtures, listed, to_json, to_text,
};

/// Most agents that play at once.
const JOBS_MAX: usize = 64;

/// Plays them.
pub async fn zoo(args: ZooArgs) -> anyhow::Result<u8> {
    let chosen = chosen(&args)?;
    if args.list {
        crate::out::write(format_args!("{}", listed(&chosen)));
        return Ok(0);
    }
    // Without a sandbox nothing would be shown by it.
    assembly::sandbox(false).await?;
    let temp;
    let root: &Path = match &args.keep {
        Some(dir) => {
            std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
            if dir.read_dir()?.next().is_some() {
                return Err(usage(format!(
                    "{} is not empty: name a new folder",
                    dir.display()
                )));
            }
            dir
        }
        None => {
            temp = tempfile::Builder::new()
                .prefix("overnight-zoo-")
                .tempdir()?;
            temp.path()
        }
    };
    let played = tokio::select! {
        played = play_all(Ground::new(root)?, chosen, args.jobs) => played?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    let counts = Counts::of(&played);
    if args.json {
        say!("{}", serde_json::to_string_pretty(&to_json(&played))?);
    } else {
        crate::out::write(format_args!("{}", to_text(&played)));
        say!();
        counts.lines().iter().for_each(|line| say!("{line}"));
    }
    // Where everything is said to be installed, what was not played was not shown.
    let missing = counts.skipped > 0 && std::env::var_os("CI").is_some();
    Ok(u8::from(!counts.good() || missing))
}

/// The agents that the person asks for.
fn chosen(args: &ZooArgs) -> anyhow::Result<Vec<Agent>> {
    let all = agents()?;
    for name in &args.names {
        if !all.iter().any(|agent| agent.name == *name) {
            return Err(usage(format!(
                "there is no agent `{name}`; `overnight zoo --list` names them all"
            )));
        }
    }
    if let Some(family) = &args.family
        && !all.iter().any(|agent| agent.family == *family)
    {
        return Err(usage(format!(
            "there is no family `{family}`; `overnight zoo --list` names them all"
        )));
    }
    let fixtures = fixtures()?;
    let language = |agent: &Agent| {
        let fixture = fixtures.iter().find(|f| f.name == agent.about.fixture);
        fixture.map(|f| f.about.language)
    };
    let wanted = |agent: &Agent| {
        (args.names.is_empty() || args.names.contains(&agent.name))
            && args.family.as_ref().is_none_or(|f| agent.family == *f)
            && args.fixture.is_none_or(|l| language(agent) == Some(l))
    };
    let chosen: Vec<Agent> = all.into_iter().filter(wanted).collect();
    if chosen.is_empty() {
        return Err(usage(
            "no agent is all of that; `overnight zoo --list` names them all",
        ));
    }
    Ok(chosen)
}

async fn play_all(ground: Ground, agents: Vec<Agent>, jobs: usize) -> anyhow::Result<Vec<Played>> {
    let (ground, fixtures) = (Arc::new(ground), fixtures()?);
    let mut lacking = BTreeMap::new();
    for fixture in &fixtures {
        if agents.iter().any(|a| a.about.fixture == fixture.name)
            && let Some(what) = ground.lacks(fixture).await
        {
            eprintln!("SKIPPED: the fixture {}: {what}", fixture.name);
            lacking.insert(fixture.name.clone(), what);
        }
    }
    let fixtures = Arc::new(fixtures);
    let places = Arc::new(Semaphore::new(jobs.clamp(1, JOBS_MAX)));
    let mut under_way = JoinSet::new();
    let (total, progress) = (agents.len(), std::io::stderr().is_terminal());
    for (at, agent) in agents.into_iter().enumerate() {
        let (ground, fixtures, places) = (ground.clone(), fixtures.clone(), places.clone());
        let lacks = lacking.get(&agent.about.fixture).cloned();
        under_way.spawn(async move {
            if let Some(what) = lacks {
                return (at, skipped(agent, what));
            }
            // The semaphore is never closed.
            let _place = places.acquire().await;
            let fixture = fixtures.iter().find(|f| f.name == agent.about.fixture);
            let played = match fixture {
                Some(fixture) => ground.play(fixture, agent).await,
                None => {
                    let what = format!("there is no fixture `{}`", agent.about.fixture);
                    Played {
                        outcome: Outcome::Broken,
                        ..skipped(agent, what)
                    }
                }
            };
            (at, played)
        });
    }
    let mut all = BTreeMap::new();
    while let Some(ended) = under_way.join_next().await {
        let (at, played) = ended?;
        if progress {
            let done = all.len() + 1;
            eprint!("\r\x1b[K{done}/{total} {}", played.agent.name);
            std::io::stderr().flush()?;
        }
        all.insert(at, played);
    }
    if progress {
        eprint!("\r\x1b[K");
    }
    Ok(all.into_values().collect())
}

fn skipped(agent: Agent, what: String) -> Played {
    Played {
        agent,
        outcome: Outcome::Skipped,
        stopped_by: what,
        seconds: 0.0,
    }
}
