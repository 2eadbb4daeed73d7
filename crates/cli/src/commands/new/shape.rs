//! How a repository is laid out: where its code, its tests, its migrations and its documentation are.

use std::collections::{BTreeMap, BTreeSet};

use super::look::{Found, Repository};

/// Patterns that a goal names at most; beyond that they are gathered into wider ones.
const PATTERNS_MAX: usize = 6;
/// Packages of one kind from which on they are named together.
const ALIKE_MIN: usize = 2;
/// Folders that hold code, by convention.
const CODE_FOLDERS: [&str; 8] = [
    "src", "lib", "app", "pkg", "cmd", "internal", "server", "source",
];
/// Folders that hold no implementation.
const OTHER_FOLDERS: [&str; 15] = [
    "docs",
    "doc",
    "test",
    "tests",
    "__tests__",
    "spec",
    "specs",
    "e2e",
    "examples",
    "example",
    "bench",
    "benches",
    "scripts",
    "tools",
    "fixtures",
];

/// Where the implementation is: patterns of the folders that hold files with these endings.
pub fn sources(repository: &Repository, endings: &[&str]) -> Vec<String> {
    let mut folders = BTreeSet::new();
    let mut at_root = BTreeSet::new();
    for path in repository.files() {
        let Some(ending) = endings.iter().find(|ending| path.ends_with(**ending)) else {
            continue;
        };
        let parts: Vec<&str> = path.split('/').collect();
        let (dirs, name) = parts.split_at(parts.len() - 1);
        let Some(first) = dirs.first() else {
            if !is_set_up(name[0]) {
                at_root.insert(format!("/*{ending}"));
            }
            continue;
        };
        let other = |dir: &&str| OTHER_FOLDERS.contains(dir) || dir.starts_with('.');
        if dirs.iter().any(other) {
            continue;
        }
        match dirs.iter().position(|dir| CODE_FOLDERS.contains(dir)) {
            Some(depth) => folders.insert(dirs[..=depth].join("/")),
            None => folders.insert((*first).to_owned()),
        };
    }
    // What is inside another of them need not be named.
    let nested = |folder: &str| {
        folders
            .iter()
            .any(|other| folder.starts_with(&format!("{other}/")))
    };
    let outer: Vec<&String> = folders.iter().filter(|f| !nested(f)).collect();
    let mut patterns: Vec<String> = gathered(&outer)
        .into_iter()
        .map(|f| format!("{f}/**"))
        .collect();
    patterns.extend(at_root);
    if patterns.len() > PATTERNS_MAX {
        patterns = endings
            .iter()
            .map(|ending| format!("**/*{ending}"))
            .collect();
    }
    patterns
}

/// `crates/a/src`, `crates/b/src` → `crates/*/src`.
fn gathered(folders: &[&String]) -> Vec<String> {
    let mut alike: BTreeMap<(String, String), Vec<&String>> = BTreeMap::new();
    let mut result = Vec::new();
    for folder in folders {
        let parts: Vec<&str> = folder.split('/').collect();
        match parts.as_slice() {
            [before @ .., _, last] if !before.is_empty() => alike
                .entry((before.join("/"), (*last).to_owned()))
                .or_default()
                .push(folder),
            _ => result.push((*folder).clone()),
        }
    }
    for ((before, last), folders) in alike {
        if folders.len() >= ALIKE_MIN {
            result.push(format!("{before}/*/{last}"));
        } else {
            result.extend(folders.into_iter().cloned());
        }
    }
    result.sort();
    result
}

/// A script that sets the project up or configures a tool is no implementation.
fn is_set_up(name: &str) -> bool {
    name.contains(".config.")
        || name.contains("rc.")
        || matches!(name, "setup.py" | "conftest.py" | "build.rs")
}

/// A pattern of tests, and whether a file is one of them.
type TestsAt = (&'static str, fn(&str) -> bool);

/// Those patterns of tests that some file matches; all of them if none does, because they are where tests would go.
pub fn tests_at(repository: &Repository, patterns: &[TestsAt]) -> Vec<String> {
    let used: Vec<String> = patterns
        .iter()
        .filter(|(_, is)| repository.files().any(is))
        .map(|(pattern, _)| (*pattern).to_owned())
        .collect();
    if used.is_empty() {
        patterns
            .iter()
            .map(|(p, _)| (*p).to_owned())
            .take(1)
            .collect()
    } else {
        used
    }
}

/// A file's name without its folders.
pub fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Database migrations, wherever the frameworks keep them.
pub fn migrations(repository: &Repository, found: &mut Found) {
    const PLACES: [(&str, &str); 4] = [
        ("migrations/", "**/migrations/**"),
        ("db/migrate/", "**/db/migrate/**"),
        ("alembic/versions/", "**/alembic/versions/**"),
        ("db/changelog/", "**/db/changelog/**"),
    ];
    for (place, pattern) in PLACES {
        let inside = |path: &str| path.starts_with(place) || path.contains(&format!("/{place}"));
        if let Some(example) = repository.files().find(|path| inside(path)) {
            found.notes.push(format!("migrations, such as {example}"));
            found.migrations.push(pattern.to_owned());
        }
    }
}

/// A page of documentation, and the code that it is likely about: both by their names.
pub fn documentation(repository: &Repository, found: &mut Found) {
    const FOLDERS: [&str; 6] = [
        "docs/api/",
        "doc/api/",
        "docs/reference/",
        "docs/",
        "doc/",
        "documentation/",
    ];
    const ABOUT: [&str; 8] = [
        "routes",
        "api",
        "endpoints",
        "controllers",
        "handlers",
        "routers",
        "views",
        "resources",
    ];
    let is_page =
        |path: &&str| path.ends_with(".md") || path.ends_with(".rst") || path.ends_with(".mdx");
    let code: BTreeSet<String> = repository
        .files()
        .filter(|path| !is_page(path))
        .filter(|path| {
            !OTHER_FOLDERS
                .iter()
                .any(|other| path.starts_with(&format!("{other}/")))
        })
        .filter_map(|path| {
            let dirs: Vec<&str> = path
                .split('/')
                .rev()
                .skip(1)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect();
            let depth = dirs.iter().position(|dir| ABOUT.contains(dir))?;
            Some(dirs[..(depth + 2).min(dirs.len())].join("/"))
        })
        .collect();
    let stem = |path: &str| {
        let name = name(path);
        name.split('.').next().unwrap_or(name).to_lowercase()
    };
    let pages: Vec<&str> = FOLDERS
        .iter()
        .flat_map(|folder| {
            repository
                .files()
                .filter(is_page)
                .filter(move |p| p.starts_with(folder))
        })
        .collect();
    // A page and a folder of the same name belong together.
    let pair = pages.iter().find_map(|page| {
        let about = code
            .iter()
            .find(|dir| name(dir).to_lowercase() == stem(page))?;
        Some(((*page).to_owned(), about.clone()))
    });
    let (page, routes) = match pair {
        Some((page, routes)) => (Some(page), Some(routes)),
        None => {
            let is_index = |page: &&&str| matches!(stem(page).as_str(), "index" | "readme");
            let first = pages.iter().find(|p| !is_index(p)).or(pages.first());
            (first.map(|p| (*p).to_owned()), code.first().cloned())
        }
    };
    if let Some(page) = &page {
        found.notes.push(format!("documentation, such as {page}"));
    }
    (found.page, found.routes) = (page, routes);
}

/// The layout where no manifest names a language: any code, and folders of tests.
pub fn anything(repository: &Repository, found: &mut Found) {
    const CODE: [&str; 20] = [
        ".py", ".js", ".ts", ".tsx", ".rs", ".go", ".java", ".kt", ".scala", ".rb", ".php", ".c",
        ".cc", ".cpp", ".h", ".cs", ".swift", ".ex", ".sh", ".lua",
    ];
    found.sources = sources(repository, &CODE);
    for (folder, pattern) in [
        ("test/", "test/**"),
        ("tests/", "tests/**"),
        ("spec/", "spec/**"),
    ] {
        if repository.files().any(|path| path.starts_with(folder)) {
            found.tests_at.push(pattern.to_owned());
        }
    }
}
