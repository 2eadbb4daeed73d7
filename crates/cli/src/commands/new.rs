//! `overnight new`: a well-commented goal for one of the five headline jobs, filled in from the repository where it
//! can tell, with `# EDIT:` where it cannot.

pub(super) mod fill;
pub(super) mod look;
mod node;
mod shape;
mod stacks;

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use overnight_core::goal::diagnostic::refuses;
use overnight_core::goal::lint::{Facts, lint};
use overnight_core::goal::parse;

use crate::args::{Job, NewArgs};
use crate::problem::usage;
use fill::Words;
use look::{Found, Repository};

impl Job {
    fn template(self) -> &'static str {
        match self {
            Job::Errors => include_str!("../../templates/errors.md"),
            Job::Inbox => include_str!("../../templates/inbox.md"),
            Job::Feature => include_str!("../../templates/feature.md"),
            Job::Coverage => include_str!("../../templates/coverage.md"),
            Job::Docs => include_str!("../../templates/docs.md"),
        }
    }

    fn needs_repository(self) -> bool {
        match self {
            Job::Inbox => false,
            Job::Errors | Job::Feature | Job::Coverage | Job::Docs => true,
        }
    }
}

/// Writes the goal; what it found and what is left to say goes to standard error.
pub fn new(args: &NewArgs) -> anyhow::Result<u8> {
    let folder = std::env::current_dir().context("the current folder")?;
    let repository = Repository::around(&folder);
    let found = repository.as_ref().map(look::look).unwrap_or_default();
    let words = Words::of(&found);
    let text = fill::fill(args.job.template(), &words)?;
    sound(&text)?;
    match &args.output {
        Some(path) => write(path, &text, args.force)?,
        None => crate::out::write(format_args!("{text}")),
    }
    tell(args, &text, repository.is_some(), &found);
    Ok(0)
}

/// What is written can be read: a template that the goal's own parser refuses is a mistake of this program.
fn sound(text: &str) -> anyhow::Result<()> {
    let refused = match parse::parse(text) {
        Ok(parsed) => Some(lint(&parsed, &Facts::default())).filter(|found| refuses(found)),
        Err(found) => Some(found),
    };
    match refused.and_then(|found| found.into_iter().find(|d| d.severity.refuses())) {
        Some(finding) => {
            anyhow::bail!("this template and this repository do not go together: {finding}")
        }
        None => Ok(()),
    }
}

/// Writes a goal to a file, and over one only if that is asked for.
pub(super) fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let shown = path.display();
    let file = if force {
        std::fs::File::create(path)
    } else {
        std::fs::File::create_new(path)
    };
    let mut file = match file {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(usage(format!(
                "{shown} is there already: choose another name, or say --force to write over it"
            )));
        }
        Err(e) => return Err(usage(format!("{shown}: {e}"))),
    };
    file.write_all(text.as_bytes())
        .with_context(|| shown.to_string())
}

fn tell(args: &NewArgs, text: &str, in_repository: bool, found: &Found) {
    if args.job.needs_repository() && !in_repository {
        eprintln!("note: there is no git repository here, so everything is left to you");
    }
    for note in &found.notes {
        eprintln!("found: {note}");
    }
    let lines: Vec<String> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains("# EDIT:"))
        .map(|(n, _)| (n + 1).to_string())
        .collect();
    let Some(path) = &args.output else { return };
    let path = path.display();
    eprintln!(
        "{path} is written; `# EDIT:` marks what only you can say, on {} {}",
        if lines.len() == 1 { "line" } else { "lines" },
        lines.join(", ")
    );
    eprintln!(
        "next: `overnight lint {path}`, then `overnight check {path}`, then `overnight run {path}`"
    );
}
