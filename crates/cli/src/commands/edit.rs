//! `overnight edit`: a new version of a run's goal file, taken over before the next model call.

use anyhow::Context;
use overnight_core::event::Fact;
use overnight_core::ids::BlobId;
use overnight_core::step::{Command, decide};
use overnight_ports::journal::{BlobSink, JournalError};
use overnight_store::RunStore;

use super::steer::{Left, apply, leave_word};
use crate::args::EditArgs;
use crate::goalfile;
use crate::home::Scratch;
use crate::lines::clean;
use crate::problem::usage;

/// Edits the contract of a run.
pub async fn edit(args: EditArgs) -> anyhow::Result<u8> {
    let (dir, store) = super::look(&args.run)?;
    let state = overnight_engine::load(&store)?;
    let kept = store
        .get(&state.goal_file)
        .context("the goal file in the journal")?;
    let kept = String::from_utf8(kept).context("the goal file in the journal")?;
    let text = match &args.file {
        Some(file) => goalfile::load(file)?.text,
        None => in_editor(&kept).await?,
    };
    if text == kept {
        println!("nothing has changed");
        return Ok(0);
    }
    same_hidden(&kept, &text)?;
    // A token that is missing is said before the run takes the new version over.
    crate::assembly::connector(&goalfile::again(&text, &state.goal)?)?;
    let command = Command::Edit { text: text.clone() };
    let facts = decide(&state, &command).map_err(|refusal| usage(refusal.to_string()))?;
    for fact in &facts {
        if let Fact::GoalEdited { changes, .. } = fact {
            changes
                .iter()
                .for_each(|change| println!("{}", clean(&change.line())));
        }
    }
    let run = state.run.short();
    match RunStore::own(&dir) {
        Ok(store) => {
            apply(&store, &command)?;
            println!("edited; `overnight resume {run}` goes on");
            Ok(0)
        }
        Err(JournalError::Held { .. }) => match leave_word(&store, &command).await? {
            Left::Waiting => {
                println!(
                    "asked; the run takes it up when what is under way has ended, before its next model call"
                );
                Ok(0)
            }
            Left::TakenUp => {
                let now = overnight_engine::load(&store)?;
                if now.goal_file == BlobId::of(text.as_bytes()) {
                    println!("edited");
                    return Ok(0);
                }
                Err(usage(format!(
                    "the run did not take it: it is {} now",
                    now.status()
                )))
            }
        },
        Err(e) => Err(e.into()),
    }
}

/// What is hidden was read and kept when the run began: another name would mean nothing, and that is said.
fn same_hidden(old: &str, new: &str) -> anyhow::Result<()> {
    let (old, new) = (goalfile::parse(old)?, goalfile::parse(new)?);
    let renamed = new.checks().find(|check| {
        let before = old.check(&check.id).map(|c| &c.hidden);
        before.is_some_and(|before| *before != check.hidden)
    });
    match renamed {
        Some(check) => Err(usage(format!(
            "check `{}`: what is `hidden` cannot be changed while a run is under way: leave it, or begin a new run",
            check.id
        ))),
        None => Ok(()),
    }
}

/// The text as the person leaves it.
async fn in_editor(text: &str) -> anyhow::Result<String> {
    let home = crate::home::made_home()?;
    let scratch = Scratch::new(&home, "edit-")?;
    let file = scratch.path().join("goal.md");
    std::fs::write(&file, text).with_context(|| file.display().to_string())?;
    super::draft::open_editor(&file).await.map_err(usage)?;
    // Read and judged as any goal file is; what was written is shown if it is refused, so that nothing is lost.
    match goalfile::load(&file) {
        Ok(loaded) => Ok(loaded.text),
        Err(e) => {
            let saved = home
                .join("drafts")
                .join(format!("edit-{}.md", uuid::Uuid::now_v7().simple()));
            let kept = saved
                .parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::copy(&file, &saved));
            Err(match kept {
                Ok(_) => e.context(format!("what you wrote is in {}", saved.display())),
                Err(_) => e,
            })
        }
    }
}
