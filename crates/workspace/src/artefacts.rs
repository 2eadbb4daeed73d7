//! Which untracked paths are build artefacts: neither delivered nor counted as changes.

use std::collections::HashSet;

/// A path of this name is an artefact.
struct Rule {
    name: &'static str,
    what: What,
    /// Only if this stands beside it.
    beside: Option<&'static str>,
    /// Why it is one; read by people, and checked to be there.
    #[cfg_attr(not(test), expect(dead_code, reason = "documentation of the table"))]
    reason: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Directory,
    File,
    /// The name is a suffix of a directory's.
    DirectorySuffix,
    /// The name is a suffix of a file's.
    FileSuffix,
}

const fn dir(name: &'static str, reason: &'static str) -> Rule {
    Rule {
        name,
        what: What::Directory,
        beside: None,
        reason,
    }
}
const fn file(name: &'static str, reason: &'static str) -> Rule {
    Rule {
        name,
        what: What::File,
        beside: None,
        reason,
    }
}
const fn beside(name: &'static str, sibling: &'static str, reason: &'static str) -> Rule {
    Rule {
        name,
        what: What::Directory,
        beside: Some(sibling),
        reason,
    }
}
const fn dir_suffix(name: &'static str, reason: &'static str) -> Rule {
    Rule {
        name,
        what: What::DirectorySuffix,
        beside: None,
        reason,
    }
}
const fn suffix(name: &'static str, reason: &'static str) -> Rule {
    Rule {
        name,
        what: What::FileSuffix,
        beside: None,
        reason,
    }
}

/// Only names that no person gives to a source. `build`, `dist`, `coverage` and the like are not here: they are
/// learned from what the checks themselves generate on the base.
const RULES: &[Rule] = &[
    dir(
        "__pycache__",
        "Python writes compiled modules there on import",
    ),
    suffix(".pyc", "a compiled Python module"),
    suffix(".pyo", "a compiled Python module of older versions"),
    dir(".pytest_cache", "pytest's memory of the last run"),
    dir(".mypy_cache", "mypy's cache"),
    dir(".ruff_cache", "ruff's cache"),
    dir(".hypothesis", "hypothesis' example database"),
    dir(".tox", "tox' virtual environments"),
    dir(".nox", "nox' virtual environments"),
    dir(".venv", "a virtual environment"),
    beside("venv", "pyproject.toml", "a virtual environment"),
    beside("venv", "requirements.txt", "a virtual environment"),
    dir(".eggs", "setuptools' downloads"),
    dir_suffix(".egg-info", "setuptools' metadata of an installed checkout"),
    file(".coverage", "coverage.py's data file"),
    dir("node_modules", "installed packages"),
    dir(".nyc_output", "nyc's raw coverage"),
    file(".eslintcache", "eslint's cache"),
    suffix(
        ".tsbuildinfo",
        "the TypeScript compiler's incremental state",
    ),
    dir(".parcel-cache", "parcel's cache"),
    dir(".turbo", "turborepo's cache"),
    beside("target", "Cargo.toml", "cargo's build directory"),
    beside("target", "pom.xml", "Maven's build directory"),
    dir(".gradle", "Gradle's cache"),
    beside("build", "build.gradle", "Gradle's build directory"),
    beside("build", "build.gradle.kts", "Gradle's build directory"),
    suffix(".profraw", "raw coverage of LLVM"),
    suffix(".gcda", "raw coverage of gcc"),
    suffix(".gcno", "coverage notes of gcc"),
    dir(".dart_tool", "Dart's build directory"),
    beside(".build", "Package.swift", "Swift's build directory"),
    dir(".stack-work", "stack's build directory"),
    dir("zig-cache", "Zig's cache"),
    dir(".zig-cache", "Zig's cache"),
    dir(".phpunit.cache", "PHPUnit's cache"),
    file(".phpunit.result.cache", "PHPUnit's cache"),
    beside("_build", "mix.exs", "Elixir's build directory"),
    file(".DS_Store", "the macOS Finder's view settings"),
    file("Thumbs.db", "the Windows Explorer's thumbnails"),
    suffix(".swp", "an editor's swap file"),
];

/// The table, and what was learned from the checks.
#[derive(Debug, Default)]
pub(crate) struct Artefacts {
    learned: HashSet<Vec<u8>>,
}

impl Artefacts {
    /// Takes paths that a check generated on the base; directories end in `/`.
    pub(crate) fn learn(&mut self, path: &[u8]) {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        if !path.is_empty() {
            self.learned.insert(path.to_vec());
        }
    }

    /// Whether the untracked entry at `path` is one. `sibling` says whether a name stands beside it.
    pub(crate) fn holds(&self, path: &[u8], is_dir: bool, sibling: impl Fn(&str) -> bool) -> bool {
        if self.learned.contains(path) {
            return true;
        }
        let name = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
        RULES.iter().any(|rule| {
            let named = match rule.what {
                What::Directory => is_dir && name == rule.name.as_bytes(),
                What::File => !is_dir && name == rule.name.as_bytes(),
                What::DirectorySuffix => is_dir && name.ends_with(rule.name.as_bytes()),
                What::FileSuffix => !is_dir && name.ends_with(rule.name.as_bytes()),
            };
            named && rule.beside.is_none_or(&sibling)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_gives_its_reason() {
        assert!(
            RULES
                .iter()
                .all(|r| r.reason.len() > 5 && !r.name.is_empty())
        );
    }

    #[test]
    fn a_target_directory_is_one_beside_a_manifest_only() {
        let artefacts = Artefacts::default();
        assert!(artefacts.holds(b"a/target", true, |s| s == "Cargo.toml"));
        assert!(!artefacts.holds(b"a/target", true, |_| false));
        assert!(!artefacts.holds(b"a/target", false, |_| true));
        assert!(artefacts.holds(b"x/y/__pycache__", true, |_| false));
        assert!(artefacts.holds(b"x/m.pyc", false, |_| false));
        assert!(!artefacts.holds(b"coverage", true, |_| false));
    }

    #[test]
    fn learned_paths_count_where_they_were_seen() {
        let mut artefacts = Artefacts::default();
        artefacts.learn(b"coverage/");
        artefacts.learn(b"Cargo.lock");
        assert!(artefacts.holds(b"coverage", true, |_| false));
        assert!(artefacts.holds(b"Cargo.lock", false, |_| false));
        assert!(!artefacts.holds(b"a/Cargo.lock", false, |_| false));
    }
}
