//! Fixtures: small repositories with a bug, their goals, and what their checks need of the machine.

use std::path::{Component, Path};

use anyhow::Context;
use clap::ValueEnum;
use include_dir::{Dir, DirEntry};
use serde::Deserialize;

use super::agent::Agent;
use super::{Broken, FILES, broken, text};

/// The folder of a fixture that holds its files.
const REPOSITORY: &str = "repo";
/// The folder of a fixture that holds what only the checks may see; beside the goal file, under this name.
const HIDDEN: &str = "hidden";
/// The folder of a fixture that holds its goals.
const GOALS: &str = "goals";
/// What a fixture says of itself.
const ABOUT: &str = "fixture.yaml";

/// A language of the fixtures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// A crate, with cargo
    Rust,
    /// A package, with unittest or pytest
    Python,
    /// A package, with node's own runner or jest
    #[value(name = "javascript")]
    #[serde(rename = "javascript")]
    JavaScript,
}

/// A small repository.
pub struct Fixture {
    /// The folder's name.
    pub name: String,
    /// What it says of itself.
    pub about: About,
    dir: &'static Dir<'static>,
}

/// `fixture.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Its language.
    pub language: Language,
    /// Command lines that must work for its checks to be able to run.
    pub needs: Vec<String>,
}

/// Every fixture.
pub fn fixtures() -> Result<Vec<Fixture>, Broken> {
    let dirs = FILES.get_dir("fixtures").into_iter().flat_map(|d| d.dirs());
    dirs.map(|dir| {
        let path = dir.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| broken(path.display(), "is no plain name"))?;
        let about = dir
            .get_file(path.join(ABOUT))
            .ok_or_else(|| broken(path.display(), "has no fixture.yaml"))?;
        let about =
            serde_saphyr::from_str(text(about)?).map_err(|e| broken(about.path().display(), e))?;
        Ok(Fixture {
            name: name.to_owned(),
            about,
            dir,
        })
    })
    .collect()
}

impl Fixture {
    /// One of its goals by name; a text of more than one line is a goal itself.
    pub fn goal(&self, goal: &str) -> Result<String, Broken> {
        if goal.contains('\n') {
            return Ok(goal.to_owned());
        }
        let path = self.dir.path().join(GOALS).join(format!("{goal}.md"));
        let file = self.dir.get_file(&path);
        let file = file.ok_or_else(|| broken(path.display(), "is not there"))?;
        text(file).map(str::to_owned)
    }

    /// Writes the base's files of an agent into `repo`, and what is hidden beside it. `repo` must not exist yet.
    pub fn lay_out(&self, agent: &Agent, repo: &Path) -> anyhow::Result<()> {
        let own = self.dir.path();
        let place = repo.parent().context("a repository has a folder above")?;
        std::fs::create_dir_all(repo).with_context(|| repo.display().to_string())?;
        for (folder, to) in [(REPOSITORY, repo.to_owned()), (HIDDEN, place.join(HIDDEN))] {
            let from = own.join(folder);
            if let Some(dir) = self.dir.get_dir(&from) {
                write_all(dir, &from, &to)?;
            }
        }
        for path in &agent.about.without {
            let path = below(repo, path)?;
            std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
        for (path, content) in &agent.about.base {
            write(&below(repo, path)?, content.as_bytes())?;
        }
        Ok(())
    }
}

fn write_all(dir: &Dir<'static>, from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(dir) => write_all(dir, from, to)?,
            DirEntry::File(file) => {
                let path = file.path().strip_prefix(from)?;
                write(&to.join(path), file.contents())?;
            }
        }
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    }
    std::fs::write(path, content).with_context(|| path.display().to_string())
}

fn below(root: &Path, path: &str) -> anyhow::Result<std::path::PathBuf> {
    let plain = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    anyhow::ensure!(plain, "`{path}` is no path below the repository");
    Ok(root.join(path))
}
