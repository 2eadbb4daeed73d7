//! One agent: a YAML file of two documents. The first says who it is and where it plays; the second is its script, in
//! the form of `docs/scripted.md`.

use std::collections::BTreeMap;
use std::path::Path;

use overnight_models::scripted::Script;
use serde::Deserialize;

use super::{Broken, FILES, broken, text};

/// A scripted agent.
#[derive(Debug, Clone)]
pub struct Agent {
    /// The file's name.
    pub name: String,
    /// The folder's name: what kind of thing it tries.
    pub family: String,
    /// What it says of itself.
    pub about: About,
    /// What it plays.
    pub script: String,
}

/// The first document of an agent's file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// What it tries, in one line.
    pub tried: String,
    /// On which fixture.
    pub fixture: String,
    /// The name of one of the fixture's goals, or a whole goal file.
    #[serde(default = "suite")]
    pub goal: String,
    /// Whether its work deserves the end that `ends` names.
    #[serde(default)]
    pub honest: bool,
    /// How an honest agent's run has to end, in the words of `stop_reason`.
    #[serde(default = "complete")]
    pub ends: String,
    /// Whether its calls may fail. Otherwise a call that fails without being denied means that the agent did not do
    /// what it says, and the agent counts as broken.
    #[serde(default)]
    pub may_fail: bool,
    /// Files of the base beside the fixture's, or in place of them.
    #[serde(default)]
    pub base: BTreeMap<String, String>,
    /// Files of the fixture that its base does not have.
    #[serde(default)]
    pub without: Vec<String>,
}

fn suite() -> String {
    "suite".to_owned()
}

fn complete() -> String {
    "complete".to_owned()
}

/// Every agent: honest ones first, then by family and name.
pub fn agents() -> Result<Vec<Agent>, Broken> {
    let mut all = Vec::new();
    let families = FILES.get_dir("agents").into_iter().flat_map(|d| d.dirs());
    for family in families {
        for file in family.files() {
            let path = file.path();
            let agent =
                Agent::read(path, text(file)?).map_err(|what| broken(path.display(), what))?;
            all.push(agent);
        }
    }
    all.sort_by_key(|a: &Agent| (!a.about.honest, a.family.clone(), a.name.clone()));
    Ok(all)
}

impl Agent {
    fn read(path: &Path, text: &str) -> Result<Agent, String> {
        let part = |part: Option<&std::ffi::OsStr>| {
            part.and_then(|name| name.to_str())
                .map(str::to_owned)
                .ok_or("its path is no plain name")
        };
        let name = part(path.file_stem())?;
        let family = part(path.parent().and_then(Path::file_name))?;
        // Goals have such lines too, but indented.
        let (about, script) = text.split_once("\n---\n").ok_or(
            "it needs two documents with a line `---` between them: who it is, and its script",
        )?;
        let about: About = serde_saphyr::from_str(about).map_err(|e| e.to_string())?;
        Script::parse(script, path).map_err(|e| e.to_string())?;
        Ok(Agent {
            name,
            family,
            about,
            script: script.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fixtures;
    use super::*;

    #[test]
    fn every_agent_can_be_read_and_its_goal_too() {
        let (agents, fixtures) = (agents().unwrap(), fixtures().unwrap());
        let mut names = BTreeSet::new();
        for agent in &agents {
            let place = format!("{}/{}", agent.family, agent.name);
            assert!(names.insert(agent.name.clone()), "two agents {place}");
            assert!(!agent.about.tried.contains('\n'), "{place}: one line");
            let fixture = fixtures
                .iter()
                .find(|f| f.name == agent.about.fixture)
                .unwrap_or_else(|| panic!("{place}: no fixture {}", agent.about.fixture));
            let goal = fixture.goal(&agent.about.goal);
            let goal = goal.unwrap_or_else(|e| panic!("{place}: {e}"));
            crate::goalfile::parse(&goal).unwrap_or_else(|e| panic!("{place}: {e:#}"));
        }
        let cheats = agents.iter().filter(|a| !a.about.honest).count();
        assert!(
            cheats >= 60 && agents.len() - cheats >= 15,
            "{cheats} cheats"
        );
    }

    #[test]
    fn what_cannot_be_read_says_where_and_why() {
        let read = |text: &str| Agent::read(Path::new("agents/odd/one.yaml"), text).unwrap_err();
        assert!(read("tried: x\nfixture: y\n").contains("two documents"));
        assert!(read("tried: x\nfixture: y\ncolour: red\n---\nturns: []\n").contains("colour"));
        assert!(read("tried: x\nfixture: y\n---\nturnz: []\n").contains("turnz"));
    }
}
