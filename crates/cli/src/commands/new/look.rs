//! What a repository tells about itself: its files, and from them how it is tested, measured and laid out.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{node, shape, stacks};

/// Largest manifest that is read, bytes.
const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;
/// How many files are looked at where nothing is committed yet.
const WALK_FILES_MAX: usize = 20_000;
/// How deep.
const WALK_DEPTH_MAX: usize = 12;

/// A repository: the names of its files, and the content of its manifests.
pub struct Repository {
    root: PathBuf,
    files: Vec<String>,
}

impl Repository {
    /// The one around a folder.
    pub fn around(folder: &Path) -> Option<Repository> {
        let root = crate::config::root(folder)?.to_owned();
        let mut files = match overnight_workspace::tracked(&root) {
            Ok(files) => files,
            // Nothing is committed yet.
            Err(_) => {
                let mut files = Vec::new();
                walk(&root, "", 0, &mut files);
                files
            }
        };
        // What a repository calls its files comes from outside, and ends in a goal: only plain names do.
        files.retain(|path| plain(path));
        files.sort();
        Some(Repository { root, files })
    }

    /// Every file, sorted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.files
            .binary_search_by(|file| file.as_str().cmp(path))
            .is_ok()
    }

    /// The first of these files that is there.
    pub fn first(&self, paths: &[&'static str]) -> Option<&'static str> {
        paths.iter().copied().find(|path| self.has(path))
    }

    /// A manifest's content; nothing if it is not a plain text file of a sensible size.
    pub fn text(&self, path: &str) -> Option<String> {
        let whole = self.root.join(path);
        let about = fs::symlink_metadata(&whole).ok()?;
        if !self.has(path) || !about.is_file() || about.len() > MANIFEST_BYTES_MAX {
            return None;
        }
        let mut text = String::new();
        let file = fs::File::open(whole).ok()?;
        file.take(MANIFEST_BYTES_MAX)
            .read_to_string(&mut text)
            .ok()?;
        Some(text)
    }

    /// How many files end in one of these.
    pub fn count(&self, endings: &[&str]) -> usize {
        let ends = |path: &&str| endings.iter().any(|ending| path.ends_with(ending));
        self.files().filter(ends).count()
    }
}

/// Letters, digits and what is harmless in a goal, a pattern and a shell.
fn plain(path: &str) -> bool {
    !path.starts_with('-')
        && path
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '@' | '+'))
}

fn walk(root: &Path, below: &str, depth: usize, files: &mut Vec<String>) {
    const SKIPPED: [&str; 5] = ["node_modules", "target", "vendor", "__pycache__", "venv"];
    let Ok(entries) = fs::read_dir(root.join(below)) else {
        return;
    };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if files.len() >= WALK_FILES_MAX || name == ".git" {
            continue;
        }
        let path = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        if kind.is_file() {
            files.push(path);
        } else if kind.is_dir()
            && depth < WALK_DEPTH_MAX
            && !name.starts_with('.')
            && !SKIPPED.contains(&name.as_str())
        {
            walk(root, &path, depth + 1, files);
        }
    }
}

/// A coverage command and where its number is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Shell command line.
    pub command: String,
    /// `istanbul` …
    pub format: &'static str,
    /// The file that it writes, if not what it prints.
    pub file: Option<&'static str>,
    /// What is taken from it.
    pub value: &'static str,
    /// What the person has to see to, if it cannot be told that all is there.
    pub edit: Option<&'static str>,
}

/// What could be told about a repository.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// For the person: what was found, and where.
    pub notes: Vec<String>,
    /// How dependencies are installed.
    pub setup: Option<String>,
    /// How the tests are run.
    pub tests: Option<String>,
    /// How coverage is measured.
    pub coverage: Option<Coverage>,
    /// Patterns of the implementation.
    pub sources: Vec<String>,
    /// Patterns of the tests.
    pub tests_at: Vec<String>,
    /// Manifests and the configuration of tests.
    pub manifests: Vec<String>,
    /// Patterns of database migrations.
    pub migrations: Vec<String>,
    /// The page of documentation that is likely meant.
    pub page: Option<String>,
    /// The folder of code that it is likely about.
    pub routes: Option<String>,
}

/// Looks a repository over.
pub fn look(repository: &Repository) -> Found {
    let mut found = Found::default();
    let read: Option<fn(&Repository, &mut Found)> = match stack(repository) {
        Some(Stack::Node) => Some(node::read),
        Some(Stack::Python) => Some(stacks::python),
        Some(Stack::Rust) => Some(stacks::rust),
        Some(Stack::Go) => Some(stacks::go),
        None => None,
    };
    match read {
        Some(read) => read(repository, &mut found),
        None => shape::anything(repository, &mut found),
    }
    stacks::make(repository, &mut found);
    shape::migrations(repository, &mut found);
    shape::documentation(repository, &mut found);
    if read.is_none() && found.tests.is_none() {
        let elsewhere = repository.files().find(|path| {
            let name = path.rsplit('/').next().unwrap_or(path);
            path.contains('/') && MANIFESTS.iter().any(|(manifest, ..)| *manifest == name)
        });
        if let Some(path) = elsewhere {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            found.notes.push(format!(
                "{path}, below the root: give the checks `in: {folder}`"
            ));
        }
    }
    found
}

#[derive(Clone, Copy)]
enum Stack {
    Node,
    Python,
    Rust,
    Go,
}

/// A manifest at the root, the language that it speaks of, and the endings of its files.
const MANIFESTS: [(&str, Stack, &[&str]); 8] = [
    (
        "package.json",
        Stack::Node,
        &[
            ".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".vue", ".svelte",
        ],
    ),
    ("Cargo.toml", Stack::Rust, &[".rs"]),
    ("go.mod", Stack::Go, &[".go"]),
    ("pyproject.toml", Stack::Python, &[".py"]),
    ("setup.py", Stack::Python, &[".py"]),
    ("setup.cfg", Stack::Python, &[".py"]),
    ("requirements.txt", Stack::Python, &[".py"]),
    ("pytest.ini", Stack::Python, &[".py"]),
];

/// The manifest at the root whose language has the most files; without one, Python by its files alone.
fn stack(repository: &Repository) -> Option<Stack> {
    let mut counted = BTreeMap::new();
    for (index, (manifest, _, endings)) in MANIFESTS.iter().enumerate().rev() {
        if repository.has(manifest) {
            counted.insert((repository.count(endings), std::cmp::Reverse(index)), index);
        }
    }
    match counted.pop_last() {
        Some((_, index)) => Some(MANIFESTS[index].1),
        None if stacks::has_python_tests(repository) => Some(Stack::Python),
        None => None,
    }
}
