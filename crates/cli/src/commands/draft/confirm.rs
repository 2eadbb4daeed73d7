//! Having a draft confirmed: yes, no, or a look into the editor first.

use std::path::{Path, PathBuf};

use overnight_core::stop::ExitCode;
use overnight_engine::Reuse;

use super::desk::{Candidate, Tried};
use super::{Next, Options, sandbox, terminal};
use crate::commands::check::on_base;
use crate::goalfile;
use crate::lines::clean;

/// Asks until the answer is clear. What the person edits is judged and tried again before it can run.
pub async fn confirm(path: PathBuf, words: &str, options: &Options) -> anyhow::Result<Next> {
    let mut runs = true;
    loop {
        let prompt = if runs {
            "Run this goal? [y]es, [N]o, [e]dit > "
        } else {
            "It cannot run as it is. [N]o, [e]dit > "
        };
        let answer = terminal::line(prompt).await.unwrap_or_default();
        match answer.to_lowercase().as_str() {
            "y" | "yes" if runs => return Ok(Next::Run(path)),
            "" | "n" | "no" => {
                eprintln!("nothing was run; later: overnight run {}", path.display());
                return Ok(Next::End(ExitCode::Stopped as u8));
            }
            "e" | "edit" => {
                if let Err(why) = edit(&path).await {
                    eprintln!("{why}");
                    continue;
                }
                runs = look_again(&path, words, options).await?;
            }
            _ => eprintln!("please answer y, n or e"),
        }
    }
}

/// Opens the person's editor on the file and waits for its end. Like git: the variable is a command line.
pub async fn edit(path: &Path) -> Result<(), String> {
    let editor = ["VISUAL", "EDITOR"]
        .into_iter()
        .filter_map(std::env::var_os)
        .find(|editor| !editor.is_empty())
        .unwrap_or_else(|| "vi".into());
    let mut command = tokio::process::Command::new("sh");
    command
        .args(["-c", "exec $OVERNIGHT_EDITOR \"$1\"", "sh"])
        .arg(path)
        .env("OVERNIGHT_EDITOR", &editor)
        .kill_on_drop(true);
    let shown = clean(&editor.to_string_lossy());
    match command.status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "`{shown}` ended with {status}; set EDITOR to another one"
        )),
        Err(error) => Err(format!("`{shown}` cannot be started: {error}; set EDITOR")),
    }
}

/// Judges and tries the file as it is now, and shows it; whether it can run.
async fn look_again(path: &Path, words: &str, options: &Options) -> anyhow::Result<bool> {
    let judged = goalfile::judge(path)?;
    let Some(goal) = judged.goal().filter(|_| !judged.refused()).cloned() else {
        eprintln!("\n{}", judged.shown(terminal::styled()));
        return Ok(false);
    };
    let folder = std::env::current_dir()?;
    let missing = overnight_core::goal::diagnostic::refuses(&judged.missing());
    let tried = match sandbox(options).await? {
        Some(sandbox) if !missing => {
            let each = |report: &overnight_core::check::CheckReport| {
                eprintln!(
                    "    {} … {}",
                    clean(report.check.as_str()),
                    report.verdict.word()
                );
            };
            match on_base(&goal, &folder, sandbox, Reuse::Kept, &each).await {
                Ok(ran) => Tried::Ran(Box::new(ran.found)),
                Err(error) => Tried::Not(clean(&format!("{error:#}"))),
            }
        }
        Some(_) | None => Tried::Not("the goal holds what this version cannot run yet".into()),
    };
    let candidate = Candidate::new(judged, goal, tried);
    eprintln!("\n{}\n{}", candidate.quoted(), candidate.shown(words));
    Ok(!candidate.cannot_run_yet() && candidate.exit_code() != ExitCode::Usage)
}
