//! `overnight demo`: a bundled repository and a scripted model, through the same machinery as every run. Needs
//! nothing but git and sh.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use super::run::{Start, start};
use crate::args::DemoArgs;
use crate::assembly;
use crate::goalfile;
use crate::home::{NoShelf, made_home};
use crate::onlooker::Output;

const GOAL: &str = include_str!("../../demo/goal.md");
const FILES: [(&str, &str); 8] = [
    ("README.md", include_str!("../../demo/till/README.md")),
    ("till.sh", include_str!("../../demo/till/till.sh")),
    ("tests/run.sh", include_str!("../../demo/till/tests/run.sh")),
    (
        "tests/receipts/coffee.txt",
        include_str!("../../demo/till/tests/receipts/coffee.txt"),
    ),
    (
        "tests/receipts/coffee.sum",
        include_str!("../../demo/till/tests/receipts/coffee.sum"),
    ),
    (
        "tests/receipts/lunch.txt",
        include_str!("../../demo/till/tests/receipts/lunch.txt"),
    ),
    (
        "tests/receipts/lunch.sum",
        include_str!("../../demo/till/tests/receipts/lunch.sum"),
    ),
    (
        "migrations/001_receipts.sql",
        include_str!("../../demo/till/migrations/001_receipts.sql"),
    ),
];

/// Plays it.
pub async fn demo(args: DemoArgs) -> anyhow::Result<u8> {
    let demos = made_home()?.join("demo");
    std::fs::create_dir_all(&demos).with_context(|| demos.display().to_string())?;
    // Kept, so that the viewer can look at the branch afterwards.
    let folder = tempfile::Builder::new()
        .prefix("till-")
        .tempdir_in(&demos)?
        .keep();
    lay_out(&folder)?;
    let sandbox = assembly::sandbox(args.unsafe_no_sandbox).await?;
    if !args.json {
        println!(
            "A repository with a bug, a goal, and a scripted model that first claims falsely, then touches"
        );
        println!(
            "forbidden paths, then does the work. Repository: {}\n",
            folder.display()
        );
    }
    let code = start(Start {
        goal: goalfile::loaded("demo", GOAL)?,
        folder: folder.clone(),
        model: assembly::model(assembly::DEMO_MODEL)?,
        price: None,
        sandbox,
        notify: Vec::new(),
        shelf: Arc::new(NoShelf),
        // The lines are the story: a screen would be gone before it is read.
        output: Output::of(args.json, true),
    })
    .await?;
    if !args.json && code == 0 {
        println!("\nLook: git -C {} log --stat --all", folder.display());
        println!("      overnight report last");
        println!("      overnight verify last");
    }
    Ok(code)
}

fn lay_out(folder: &Path) -> anyhow::Result<()> {
    for (path, content) in FILES {
        let path = folder.join(path);
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        std::fs::write(&path, content).with_context(|| path.display().to_string())?;
    }
    overnight_workspace::first_commit(folder, "The till, with a bug")?;
    Ok(())
}
