//! Packages of the JavaScript world: their scripts, and the shell that their managers run them in.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Files;

/// Our shell's name in the evidence folder.
pub(crate) const SHELL: &str = "package-sh";
/// How the managers are told of it: npm and yarn 1, pnpm up to 10 and from 11 on.
pub(crate) const SHELL_VARIABLES: [&str; 2] =
    ["npm_config_script_shell", "pnpm_config_script_shell"];
/// Most packages of a monorepo that are looked at.
const PACKAGES_MAX: usize = 500;

/// A `package.json`.
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    /// Where it lies.
    pub(crate) dir: String,
    /// Name to command line.
    pub(crate) scripts: BTreeMap<String, String>,
    /// Whether its package manager runs scripts in a shell of its own.
    pub(crate) own_shell: bool,
    workspaces: Vec<String>,
}

impl Manifest {
    /// The manifest of `dir` or of the nearest folder above that has one; an empty one if there is none.
    pub(crate) fn read(files: &dyn Files, dir: &str) -> Manifest {
        let mut at = dir;
        loop {
            if let Some(found) = Manifest::of(files, at) {
                return found;
            }
            if at.is_empty() {
                return Manifest::default();
            }
            at = at.rsplit_once('/').map_or("", |(above, _)| above);
        }
    }

    fn of(files: &dyn Files, dir: &str) -> Option<Manifest> {
        let json: Value = serde_json::from_str(&files.read(&join(dir, "package.json"))?).ok()?;
        let scripts = json.get("scripts").and_then(Value::as_object);
        let scripts = scripts.into_iter().flatten();
        let scripts = scripts
            .filter_map(|(name, line)| Some((name.clone(), line.as_str()?.to_owned())))
            .collect();
        let globs = json
            .get("workspaces")
            .map(|w| w.get("packages").unwrap_or(w))
            .and_then(Value::as_array);
        let workspaces = globs
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let manager = json
            .get("packageManager")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let yarn = manager
            .strip_prefix("yarn@")
            .filter(|version| !version.starts_with("1."));
        let own_shell = yarn.is_some() || files.read(&join(dir, ".yarnrc.yml")).is_some();
        Some(Manifest {
            dir: dir.to_owned(),
            scripts,
            own_shell,
            workspaces,
        })
    }

    /// Whether there is a script of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.scripts.contains_key(name)
    }

    /// The command line of a script.
    pub(crate) fn lines(&self, name: &str) -> Option<String> {
        self.scripts.get(name).cloned()
    }
}

/// Every package of the repository that can be told from its root and from `dir`.
pub(crate) fn all(files: &dyn Files, dir: &str) -> Vec<Manifest> {
    let mut dirs = BTreeSet::from([String::new(), dir.to_owned()]);
    for root in ["", dir] {
        let mut globs = Manifest::of(files, root)
            .map(|m| m.workspaces)
            .unwrap_or_default();
        let pnpm = files
            .read(&join(root, "pnpm-workspace.yaml"))
            .unwrap_or_default();
        let entries = pnpm
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- "));
        globs.extend(entries.map(|glob| glob.trim().trim_matches(['"', '\'']).to_owned()));
        for glob in globs {
            match glob.trim_end_matches('/').split_once('*') {
                // `packages/*`: the folders in it. Deeper patterns are as deep as that.
                Some((parent, _)) => {
                    let parent = join(root, parent);
                    dirs.extend(
                        files
                            .folders(&parent)
                            .iter()
                            .map(|name| join(&parent, name)),
                    );
                }
                None => {
                    dirs.insert(join(root, &glob));
                }
            }
        }
    }
    dirs.iter()
        .take(PACKAGES_MAX)
        .filter_map(|dir| Manifest::of(files, dir))
        .collect()
}

/// The shell that the repository itself wants its scripts to be run in.
pub(crate) fn configured_shell(files: &dyn Files) -> String {
    let npmrc = files.read(".npmrc").unwrap_or_default();
    let value = npmrc
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| key.trim() == "script-shell");
    value.map_or("/bin/sh".to_owned(), |(_, shell)| {
        shell.trim().trim_matches('"').to_owned()
    })
}

/// `path` below `dir`, with `.` and `..` resolved; what would leave the root ends at it.
pub(crate) fn join(dir: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in dir.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}
