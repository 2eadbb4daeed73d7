//! Which files of the repository the checks' commands run or compare with, and which programs they start: found in the
//! commands themselves, in the package scripts and make recipes behind them, and one level further in the scripts so
//! found.

use std::collections::BTreeSet;

use overnight_core::goal::Goal;

use crate::Tree;
use crate::place::Places;
use crate::table::{Class, class, folder_of, join, name_of};

/// How much of a script is read for the names of others, bytes.
const SCRIPT_BYTES_MAX: usize = 256 * 1024;
/// Most words of all commands that are looked at.
const WORDS_MAX: usize = 20_000;
/// Most scripts that are followed.
const SCRIPTS_MAX: usize = 500;

/// Folders whose programs serve the development and not the product.
const SCRIPT_FOLDERS: &[&str] = &[
    "scripts",
    "script",
    "tools",
    "tool",
    "ci",
    ".ci",
    "hack",
    "dev",
    "test",
    "tests",
    "testing",
    "qa",
    "bench",
    "benchmarks",
    "checks",
    "verify",
    "etc",
    "build-tools",
    "e2e",
];
/// Parts of names of programs that decide.
const SCRIPT_WORDS: &[&str] = &[
    "test", "tests", "check", "checks", "lint", "verify", "ci", "coverage", "cover", "spec",
    "bench", "validate", "assert", "compare", "grade", "score", "smoke", "e2e", "gate", "runtests",
];
/// Parts of names of what results are compared with.
const GOLDEN_WORDS: &[&str] = &[
    "expected",
    "golden",
    "goldens",
    "fixture",
    "fixtures",
    "baseline",
    "reference",
    "snapshot",
    "snapshots",
    "approved",
    "want",
];
/// Parts of names of what runners load.
const RUNNER_WORDS: &[&str] = &[
    "setup",
    "teardown",
    "env",
    "environment",
    "reporter",
    "transform",
    "transformer",
    "preset",
    "resolver",
    "runner",
    "config",
    "global",
    "mock",
    "stub",
    "polyfill",
    "matcher",
    "hook",
    "serializer",
    "sequencer",
    "plugin",
    "jest",
    "vitest",
    "mocha",
    "loader",
    "register",
];
/// Extensions of programs that are written by hand in languages without a compiler.
const PROGRAMS: &[&str] = &[
    "py", "js", "mjs", "cjs", "ts", "mts", "cts", "rb", "pl", "php", "lua", "awk", "sed", "jq",
    "r", "R", "go", "kts", "groovy", "tcl", "exs",
];
/// Extensions of shells' programs, which are scripts wherever they are.
const SHELLS: &[&str] = &[
    "sh", "bash", "zsh", "ksh", "fish", "bats", "ps1", "bat", "cmd",
];
/// Programs that run another named after them.
const WRAPPERS: &[&str] = &[
    "npx",
    "bunx",
    "pnpm",
    "yarn",
    "npm",
    "exec",
    "dlx",
    "run",
    "env",
    "time",
    "timeout",
    "nice",
    "sudo",
    "xargs",
    "python",
    "python3",
    "-m",
    "uv",
    "poetry",
    "pipenv",
    "hatch",
    "pdm",
    "c8",
    "nyc",
    "cross-env",
    "coverage",
];

/// Who names a file. What a script of tests names without a hint in its name is mostly what it tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// A check, a package script, a recipe.
    Command,
    /// A script that one of those runs.
    Script,
}

/// What the commands of a goal lead to.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    /// Files of the base that are run or compared with.
    pub(crate) files: BTreeSet<String>,
    /// Names of programs that are started.
    pub(crate) programs: BTreeSet<String>,
    /// Working directories of the checks.
    pub(crate) folders: BTreeSet<String>,
    words: usize,
}

impl Scripts {
    /// Finds them.
    pub(crate) fn find(goal: &Goal, places: &Places) -> Self {
        let base = places.base;
        let mut found = Scripts::default();
        let mut followed = BTreeSet::new();
        for check in goal.checks() {
            let Some(command) = check.kind.command() else {
                continue;
            };
            let folder = normal(&check.dir).unwrap_or_default();
            found.folders.insert(folder.clone());
            found.scan(command, &folder, By::Command, base);
            // A command may go into another folder first; what it says about files is then meant from there.
            for (_, rest) in command
                .match_indices("cd ")
                .map(|(at, _)| command.split_at(at + 3))
            {
                let target = rest
                    .split(|c: char| c.is_whitespace() || ";&|".contains(c))
                    .next();
                if let Some(inner) = target.and_then(|t| normal(&join(&folder, t)))
                    && followed.insert(inner.clone())
                {
                    found.folders.insert(inner.clone());
                    found.scan(command, &inner, By::Command, base);
                }
            }
        }
        for folder in found.folders.clone() {
            found.package_scripts(&folder, base);
            found.recipes(&folder, base);
        }
        found.configured(places);
        found.setup_programs(base);
        let first: Vec<String> = found.files.iter().take(SCRIPTS_MAX).cloned().collect();
        for script in first {
            if let Some(text) = base.read(&script, SCRIPT_BYTES_MAX)
                && is_shell(&script, &text)
            {
                let text = String::from_utf8_lossy(&text).into_owned();
                found.scan(&text, "", By::Script, base);
                found.scan(&text, folder_of(&script), By::Script, base);
            }
        }
        found
    }

    /// Words of a command line or of a script: programs, and files of the base.
    fn scan(&mut self, text: &str, folder: &str, by: By, base: &dyn Tree) {
        for line in text.lines() {
            let line = line.trim_start();
            if line.starts_with('#') && !line.starts_with("#!") {
                continue;
            }
            let mut start = true;
            for word in split(line) {
                if word.is_empty() {
                    start = true;
                    continue;
                }
                self.words += 1;
                if self.words > WORDS_MAX {
                    return;
                }
                let assignment = word.contains('=') && !word.starts_with('-');
                if start && !assignment {
                    let program = name_of(word);
                    self.programs.insert(program.to_owned());
                    start = WRAPPERS.contains(&program) || word.starts_with('-');
                }
                for part in word.split(['=', ':', ',']) {
                    self.file(part, folder, by, base);
                }
            }
        }
    }

    fn file(&mut self, word: &str, folder: &str, by: By, base: &dyn Tree) {
        // A word without a dot or a slash is a file only where it is run by its path.
        if word.len() < 3 || !word.contains(['.', '/']) {
            return;
        }
        let Some(path) = normal(&join(folder, word)) else {
            return;
        };
        if path.is_empty() || self.files.contains(&path) || !base.exists(&path) {
            return;
        }
        let run_by_path = word.starts_with("./") || word.starts_with("../");
        if decides(&path, run_by_path, by, base) {
            self.files.insert(path);
        }
    }

    /// Files that the configuration of runners names: what they load before the tests, and what they transform, mock,
    /// resolve and report with.
    fn configured(&mut self, places: &Places) {
        let mut folders: BTreeSet<String> = self.folders.clone();
        folders.insert(String::new());
        let mut configurations = Vec::new();
        for path in places.base_paths() {
            let runner = match class(path) {
                Some(Class::Config) => true,
                Some(Class::Manifest(_)) => folders.contains(folder_of(path)),
                _ => false,
            };
            if runner {
                configurations.push(path.clone());
            }
        }
        for path in configurations.iter().take(SCRIPTS_MAX) {
            let Some(text) = places.base.read(path, SCRIPT_BYTES_MAX) else {
                continue;
            };
            let text = String::from_utf8_lossy(&text).into_owned();
            let folder = folder_of(path);
            let words = text
                .split(|c: char| c.is_whitespace() || "'\"`(),;[]{}=<>|".contains(c))
                .filter(|word| word.contains(['/', '.']) && word.len() > 2);
            for word in words {
                self.words += 1;
                if self.words > WORDS_MAX {
                    return;
                }
                // `<rootDir>/x` was split at its brackets.
                let word = word
                    .strip_prefix("rootDir/")
                    .unwrap_or(word)
                    .trim_start_matches('/');
                let Some(named) = normal(&join(folder, word)) else {
                    continue;
                };
                let found = [
                    "",
                    ".js",
                    ".ts",
                    ".mjs",
                    ".cjs",
                    ".json",
                    "/index.js",
                    "/index.ts",
                ]
                .iter()
                .map(|end| format!("{named}{end}"))
                .find(|named| {
                    name_of(named).contains('.')
                        && places.base.exists(named)
                        && class(named).is_none()
                        && loaded_by_runners(named)
                });
                if let Some(found) = found {
                    self.files.insert(found);
                }
            }
        }
    }

    /// `setup.py` decides where a command runs it, itself or through what builds the package first.
    fn setup_programs(&mut self, base: &dyn Tree) {
        let runs = ["tox", "nox", "pip", "pip3", "setup.py"]
            .iter()
            .any(|program| self.programs.contains(*program));
        if !runs {
            return;
        }
        for folder in self.folders.clone() {
            let path = join(&folder, "setup.py");
            if base.exists(&path) {
                self.files.insert(path);
            }
        }
    }

    fn package_scripts(&mut self, folder: &str, base: &dyn Tree) {
        let Some(text) = base.read(&join(folder, "package.json"), SCRIPT_BYTES_MAX) else {
            return;
        };
        let Ok(package) = serde_json::from_slice::<serde_json::Value>(&text) else {
            return;
        };
        let Some(scripts) = package.get("scripts").and_then(|s| s.as_object()) else {
            return;
        };
        for script in scripts.values().filter_map(|s| s.as_str()) {
            self.scan(script, folder, By::Command, base);
        }
    }

    fn recipes(&mut self, folder: &str, base: &dyn Tree) {
        for name in [
            "GNUmakefile",
            "makefile",
            "Makefile",
            "justfile",
            "Justfile",
            "Taskfile.yml",
        ] {
            if let Some(text) = base.read(&join(folder, name), SCRIPT_BYTES_MAX) {
                let text = String::from_utf8_lossy(&text).into_owned();
                for line in text.lines() {
                    let rest = ["include ", "-include ", "sinclude "]
                        .iter()
                        .find_map(|directive| line.strip_prefix(directive));
                    for word in rest.into_iter().flat_map(str::split_whitespace) {
                        if let Some(path) = normal(&join(folder, word)).filter(|p| base.exists(p)) {
                            self.files.insert(path);
                        }
                    }
                }
                let recipes: String = text
                    .lines()
                    .filter(|l| l.starts_with([' ', '\t']))
                    .map(|l| l.trim_start().trim_start_matches(['@', '-', '+']))
                    .collect::<Vec<_>>()
                    .join("\n");
                self.scan(&recipes, folder, By::Command, base);
            }
        }
    }
}

/// Whether a file that a runner's configuration names is one that it loads, rather than one that it measures or builds.
fn loaded_by_runners(path: &str) -> bool {
    let words = path.split(['/', '.', '-', '_']).map(str::to_lowercase);
    let mut program = false;
    for word in words {
        let stem = word.trim_end_matches('s');
        if RUNNER_WORDS.contains(&stem) || SCRIPT_WORDS.contains(&word.as_str()) {
            return true;
        }
        // `setupTests`, `globalSetup`, `fileTransform`
        program |= RUNNER_WORDS.iter().any(|w| w.len() > 4 && word.contains(w));
    }
    program
}

/// Whether a file that a command names decides its result, rather than being what it is about: `sh ci/check.sh` and
/// `diff out.txt expected.txt` rest on their files; `node src/main.js` and `grep -q done README.md` look at the work.
fn decides(path: &str, run_by_path: bool, by: By, base: &dyn Tree) -> bool {
    let name = name_of(path);
    let extension = name.rsplit_once('.').map_or("", |(_, e)| e);
    let words: Vec<String> = name
        .rsplit_once('.')
        .map_or(name, |(stem, _)| stem)
        .split(['.', '-', '_'])
        .map(str::to_lowercase)
        .collect();
    let has = |list: &[&str]| words.iter().any(|w| list.contains(&w.as_str()));
    let folders = || folder_of(path).split('/');
    let serves = || has(SCRIPT_WORDS) || folders().any(|f| SCRIPT_FOLDERS.contains(&f));
    if SHELLS.contains(&extension) {
        return by == By::Command || serves();
    }
    if PROGRAMS.contains(&extension) {
        return serves();
    }
    if has(GOLDEN_WORDS) || folders().any(|f| GOLDEN_WORDS.contains(&f)) {
        return base.read(path, crate::PARSED_BYTES_MAX).is_some();
    }
    if (extension.is_empty() || run_by_path) && (by == By::Command || serves()) {
        return base
            .read(path, SCRIPT_BYTES_MAX)
            .is_some_and(|text| text.starts_with(b"#!"));
    }
    false
}

fn is_shell(path: &str, text: &[u8]) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, e)| e);
    SHELLS.contains(&extension)
        || text
            .split(|b| *b == b'\n')
            .next()
            .is_some_and(|line| line.starts_with(b"#!") && line.ends_with(b"sh"))
}

/// The words of a line of shell; an empty word where another command begins.
fn split(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || "'\"`(){}<>$".contains(c))
        .flat_map(|word| {
            let mut parts = Vec::new();
            let mut rest = word;
            while let Some(at) = rest.find([';', '&', '|']) {
                if at > 0 {
                    parts.push(&rest[..at]);
                }
                parts.push("");
                rest = &rest[at + 1..];
            }
            if !rest.is_empty() {
                parts.push(rest);
            }
            parts
        })
}

/// A path with `.` and `..` resolved; `None` if it leaves the repository or is absolute.
pub(crate) fn normal(path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_the_starts_of_commands_are_found() {
        let words: Vec<&str> = split("cd web && npx jest --ci;./ci/check.sh|tee x").collect();
        assert_eq!(
            words,
            [
                "cd",
                "web",
                "",
                "",
                "npx",
                "jest",
                "--ci",
                "",
                "./ci/check.sh",
                "",
                "tee",
                "x"
            ]
        );
    }

    #[test]
    fn paths_are_resolved_inside_the_repository_only() {
        assert_eq!(normal("a/./b/../c").as_deref(), Some("a/c"));
        assert_eq!(normal("./x").as_deref(), Some("x"));
        assert_eq!(normal("../x"), None);
        assert_eq!(normal("/etc/passwd"), None);
    }
}
