//! Which files are tests and what tests rest on, by where they are and what they are called; where a name alone does not
//! decide, by what is in them. A false "test" is as bad as a missed one: it would take implementation out of the strict
//! tree and refuse honest work.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::LazyLock;

use overnight_core::paths::unquote;
use regex::Regex;

use crate::syntax::{Language, language};
use crate::table::{class, folder_of, join, name_of};
use crate::{PARSED_BYTES_MAX, Tree};

/// Folders on the way to a module that are looked at when it is asked whether a module is compiled for tests only.
const MODULE_DEPTH_MAX: usize = 32;
/// How much of a file is looked at where its name does not decide whether it holds tests, bytes.
const GLANCE_BYTES_MAX: usize = 256 * 1024;

/// What a path that no table names is to the oracle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A test file, or a helper of tests, in a language that is read.
    TestCode(Language),
    /// Anything else that tests rest on: fixtures, golden files, snapshots.
    TestData,
    /// Everything else.
    Implementation,
}

/// Folders that hold nothing but tests, wherever they are.
const TEST_FOLDERS: &[&str] = &[
    "__tests__",
    "__snapshots__",
    "__fixtures__",
    "testdata",
    "__test__",
    "__image_snapshots__",
    "__file_snapshots__",
    "__screenshots__",
];
/// Folders that hold tests if they are at the root of a project.
const TEST_FOLDERS_OF_PROJECTS: &[&str] = &["tests", "test", "e2e", "cypress", "integration-tests"];
/// Folders below `src` that hold tests in a project of the JVM.
const TEST_SOURCE_SETS: &[&str] = &[
    "test",
    "integrationTest",
    "integration-test",
    "functionalTest",
    "testFixtures",
    "it",
];
/// What makes a folder the root of a project.
const PROJECT_FILES: &[&str] = &[
    "package.json",
    "Cargo.toml",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "Gemfile",
    "composer.json",
    "mix.exs",
];

static PYTHON_TESTS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r"(?m)^\s*(?:async\s+)?def\s+test|^\s*class\s+Test\w*|\bTestCase\b|^pytestmark\b")
});
static JS_TESTS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r"(?m)(?:^|[^\w.$])(?:test|it|describe|suite|specify|context)(?:\.\w+)*\s*\(")
});
static JAVA_TESTS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"@(?:org\.junit\.\w+\.)?(?:Test|ParameterizedTest|RepeatedTest)\b|extends\s+TestCase\b",
    )
});
static RUST_TEST_MODULES: LazyLock<Regex> = LazyLock::new(|| {
    compiled(concat!(
        r#"#\[\s*cfg\s*\(([^\]]*)\)\s*\]((?:\s*#\[(?:[^\]"]|"[^"]*")*\]|\s*//[^\n]*)*)"#,
        r"\s*(?:pub(?:\s*\([^)]*\))?\s+)?mod\s+(?:r#)?(\w+)\s*;"
    ))
});
static RUST_PATH: LazyLock<Regex> =
    LazyLock::new(|| compiled(r#"#\[\s*path\s*=\s*"([^"]*)"\s*\]"#));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant of this program")
}

/// How much of the base's test files is read to see what they name, bytes.
const TEST_TEXTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Both trees, and what was found out about their folders.
pub(crate) struct Places<'a> {
    pub(crate) base: &'a dyn Tree,
    pub(crate) candidate: &'a dyn Tree,
    base_paths: OnceCell<Vec<String>>,
    candidate_paths: OnceCell<Vec<String>>,
    projects: RefCell<HashMap<String, bool>>,
    modules: RefCell<HashMap<(String, bool), Vec<TestModule>>>,
}

/// A module that is declared for tests only, in another file.
#[derive(Debug, Clone)]
struct TestModule {
    name: String,
    path: Option<String>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(base: &'a dyn Tree, candidate: &'a dyn Tree) -> Self {
        Places {
            base,
            candidate,
            base_paths: OnceCell::new(),
            candidate_paths: OnceCell::new(),
            projects: RefCell::default(),
            modules: RefCell::default(),
        }
    }

    /// Every path of the base, sorted.
    pub(crate) fn base_paths(&self) -> &[String] {
        self.base_paths.get_or_init(|| self.base.paths())
    }

    /// Every path of the candidate, sorted.
    pub(crate) fn candidate_paths(&self) -> &[String] {
        self.candidate_paths.get_or_init(|| self.candidate.paths())
    }

    /// The base's paths below a folder (empty: all).
    pub(crate) fn base_below(&self, folder: &str) -> &[String] {
        let paths = self.base_paths();
        if folder.is_empty() {
            return paths;
        }
        let from = format!("{folder}/");
        let start = paths.partition_point(|p| p.as_str() < from.as_str());
        let len = paths[start..].partition_point(|p| p.starts_with(&from));
        &paths[start..start + len]
    }

    /// Whether the base has a file directly or anywhere below `folder` that holds tests, by its name and place.
    pub(crate) fn base_has_tests_below(&self, folder: &str) -> bool {
        self.base_below(folder)
            .iter()
            .any(|path| self.is_certainly_test(path))
    }

    /// The base's files that hold tests, by their name and place, and the roots of its Rust crates, which mostly do.
    pub(crate) fn base_tests(&self) -> Vec<String> {
        let is_root = |path: &str| {
            matches!(name_of(path), "lib.rs" | "main.rs") && name_of(folder_of(path)) == "src"
        };
        self.base_paths()
            .iter()
            .filter(|path| {
                let readable = readable(path);
                let name = name_of(&readable);
                let hints = self.test_folder(&readable).is_some()
                    || (name.starts_with("test") && name.ends_with(".py"));
                language(&readable).is_some()
                    && !matches!(name, "conftest.py" | "__init__.py")
                    && (self.is_certainly_test(&readable) || hints || is_root(&readable))
            })
            .cloned()
            .collect()
    }

    /// What the base's test files say, as far as they are read.
    pub(crate) fn base_test_texts(&self) -> Vec<Vec<u8>> {
        let mut bytes = 0;
        self.base_paths()
            .iter()
            .filter(|path| {
                let readable = readable(path);
                language(&readable).is_some()
                    && (self.is_certainly_test(&readable) || self.test_folder(&readable).is_some())
            })
            .filter_map(|path| self.base.read(path, PARSED_BYTES_MAX))
            .take_while(|text| {
                bytes += text.len();
                bytes <= TEST_TEXTS_BYTES_MAX
            })
            .collect()
    }

    /// Whether the path belongs to the oracle by its name, its place or what the base has there.
    pub(crate) fn belongs(&self, path: &str) -> bool {
        class(path).is_some() || {
            let base = self.base.read(path, PARSED_BYTES_MAX);
            self.place(path, base.as_deref(), None) != Place::Implementation
        }
    }

    /// What the path is, given the content that decides: the base's, or the candidate's where the base has none.
    pub(crate) fn place(&self, path: &str, base: Option<&[u8]>, candidate: Option<&[u8]>) -> Place {
        let in_base = base.is_some() || self.base.exists(path);
        let text = if in_base { base } else { candidate };
        let path = readable(path);
        let path = path.as_ref();
        let language = language(path);
        if let Some(language) = language
            && (self.is_certainly_test(path) || self.holds_tests(language, path, text, in_base))
        {
            return Place::TestCode(language);
        }
        if self.test_folder(path).is_none() {
            if is_snapshot(path) || is_golden(path) {
                return Place::TestData;
            }
            return Place::Implementation;
        }
        match language {
            Some(language) => Place::TestCode(language),
            None => Place::TestData,
        }
    }

    /// The innermost folder of tests that the path is in.
    pub(crate) fn test_folder<'p>(&self, path: &'p str) -> Option<&'p str> {
        let python = path.ends_with(".py") || path.ends_with(".pyi");
        let mut found = None;
        for (at, _) in path.match_indices('/') {
            let folder = &path[..at];
            let (above, name) = (folder_of(folder), name_of(folder));
            let is = TEST_FOLDERS.contains(&name)
                // Playwright puts them beside the file: `cart.spec.ts-snapshots/`.
                || name.ends_with("-snapshots")
                || (TEST_FOLDERS_OF_PROJECTS.contains(&name) && self.is_project(above))
                || (name == "tests" && (python || self.is_python_package(folder)))
                || (name == "spec" && self.is_project(above) && self.is_spec_folder(folder))
                || (name == "benches" && path.ends_with(".rs") && self.is_project(above))
                || (name_of(above) == "src"
                    && TEST_SOURCE_SETS.contains(&name)
                    && self.is_jvm(folder_of(above), path));
            if is {
                found = Some(folder);
            }
        }
        found
    }

    /// Whether the file is one of tests by its name alone, wherever it is.
    fn is_certainly_test(&self, path: &str) -> bool {
        let name = name_of(path);
        match language(path) {
            Some(Language::JavaScript | Language::TypeScript | Language::Tsx) => {
                let parts: Vec<&str> = name.split('.').collect();
                let marks = parts
                    .get(1..parts.len().saturating_sub(1))
                    .unwrap_or_default();
                marks
                    .iter()
                    .any(|part| matches!(*part, "test" | "tests" | "spec" | "cy" | "e2e-spec"))
            }
            Some(Language::Go) => name.ends_with("_test.go"),
            Some(Language::Python) => {
                (name.starts_with("test_") || name.ends_with("_test.py"))
                    && self.test_folder(path).is_some()
            }
            Some(Language::Rust | Language::Java) => self.test_folder(path).is_some(),
            None => false,
        }
    }

    /// Whether a file whose name only hints at tests holds some.
    fn holds_tests(
        &self,
        language: Language,
        path: &str,
        text: Option<&[u8]>,
        in_base: bool,
    ) -> bool {
        let name = name_of(path);
        let stem = name.split('.').next().unwrap_or(name);
        let glance = || {
            let text = text.unwrap_or_default();
            String::from_utf8_lossy(&text[..text.len().min(GLANCE_BYTES_MAX)]).into_owned()
        };
        match language {
            Language::Python => {
                (stem.starts_with("test") || stem.ends_with("_test") || stem.ends_with("_tests"))
                    && PYTHON_TESTS.is_match(&glance())
            }
            Language::JavaScript | Language::TypeScript | Language::Tsx => {
                let hint = matches!(stem, "test" | "tests" | "spec")
                    || ["test-", "test_"].iter().any(|s| stem.starts_with(s))
                    || [
                        "-test", "_test", "-spec", "_spec", "Test", "Spec", "-tests", "_tests",
                    ]
                    .iter()
                    .any(|s| stem.ends_with(s));
                hint && JS_TESTS.is_match(&glance())
            }
            Language::Java => {
                (stem.starts_with("Test")
                    || ["Test", "Tests", "IT", "TestCase"]
                        .iter()
                        .any(|s| stem.ends_with(s)))
                    && JAVA_TESTS.is_match(&glance())
            }
            Language::Rust => {
                self.is_rust_test_module(path, in_base, 0) || {
                    let text = text.unwrap_or_default();
                    let head = String::from_utf8_lossy(&text[..text.len().min(4096)]).into_owned();
                    head.lines()
                        .any(|l| l.trim_start().replace(' ', "").starts_with("#![cfg(test)]"))
                }
            }
            Language::Go => false,
        }
    }

    /// Whether the folder is the root of the repository or of a project in it.
    pub(crate) fn is_project(&self, folder: &str) -> bool {
        if folder.is_empty() {
            return true;
        }
        if let Some(known) = self.projects.borrow().get(folder) {
            return *known;
        }
        let is = PROJECT_FILES.iter().any(|file| {
            let path = join(folder, file);
            self.base.exists(&path) || self.candidate.exists(&path)
        });
        self.projects.borrow_mut().insert(folder.to_owned(), is);
        is
    }

    fn is_python_package(&self, folder: &str) -> bool {
        ["__init__.py", "conftest.py"]
            .iter()
            .any(|file| self.base.exists(&join(folder, file)))
    }

    /// `spec` is as often a folder of specifications as one of tests.
    fn is_spec_folder(&self, folder: &str) -> bool {
        self.base_below(folder).iter().any(|path| {
            let name = name_of(path);
            [
                "_spec.rb",
                "Spec.js",
                "Spec.ts",
                "-spec.js",
                "_spec.js",
                "spec_helper.rb",
            ]
            .iter()
            .any(|end| name.ends_with(end))
                || name.contains(".spec.")
                || path.ends_with("support/jasmine.json")
        })
    }

    fn is_jvm(&self, project: &str, path: &str) -> bool {
        [".java", ".kt", ".groovy", ".scala"]
            .iter()
            .any(|end| path.ends_with(end))
            || ["pom.xml", "build.gradle", "build.gradle.kts"]
                .iter()
                .any(|file| self.base.exists(&join(project, file)))
    }

    /// Whether the file is a module that its parents declare under `#[cfg(test)]`.
    fn is_rust_test_module(&self, path: &str, in_base: bool, depth: usize) -> bool {
        if depth >= MODULE_DEPTH_MAX {
            return false;
        }
        let (folder, name) = (folder_of(path), name_of(path));
        let Some(stem) = name.strip_suffix(".rs") else {
            return false;
        };
        let (module, parents_folder) = match stem {
            "lib" | "main" => return false,
            "mod" => (name_of(folder), folder_of(folder)),
            other => (other, folder),
        };
        if module.is_empty() {
            return false;
        }
        let mut parents: Vec<String> = ["mod.rs", "lib.rs", "main.rs"]
            .iter()
            .map(|file| join(parents_folder, file))
            .collect();
        if !parents_folder.is_empty() {
            parents.push(format!("{parents_folder}.rs"));
        }
        // `#[path = "cart_tests.rs"] mod tests;` stands in `cart.rs`.
        for end in ["_test", "_tests"] {
            if let Some(subject) = stem.strip_suffix(end) {
                parents.push(join(folder, &format!("{subject}.rs")));
            }
        }
        parents
            .iter()
            .filter(|parent| *parent != path)
            .any(|parent| {
                let declared = self.test_modules(parent, in_base).iter().any(|declared| {
                    match &declared.path {
                        Some(place) => join(folder_of(parent), place) == path,
                        None => {
                            declared.name == module && !parent.ends_with(&format!("/{stem}.rs"))
                        }
                    }
                });
                declared
                    || (matches!(name_of(parent), "mod.rs")
                        || parent.strip_suffix(".rs") == Some(parents_folder))
                        && self.exists(parent, in_base)
                        && self.is_rust_test_module(parent, in_base, depth + 1)
            })
    }

    fn exists(&self, path: &str, in_base: bool) -> bool {
        if in_base {
            self.base.exists(path)
        } else {
            self.candidate.exists(path)
        }
    }

    fn test_modules(&self, parent: &str, in_base: bool) -> Vec<TestModule> {
        let key = (parent.to_owned(), in_base);
        if let Some(known) = self.modules.borrow().get(&key) {
            return known.clone();
        }
        let tree = if in_base { self.base } else { self.candidate };
        let text = tree.read(parent, PARSED_BYTES_MAX).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let modules: Vec<TestModule> = RUST_TEST_MODULES
            .captures_iter(&text)
            .filter(|found| {
                let condition: String = found[1].chars().filter(|c| !c.is_whitespace()).collect();
                condition == "test"
                    || (condition.starts_with("all(")
                        && condition
                            .trim_start_matches("all(")
                            .split([',', ')'])
                            .any(|part| part == "test"))
            })
            .map(|found| TestModule {
                name: found[3].to_owned(),
                path: RUST_PATH.captures(&found[2]).map(|path| path[1].to_owned()),
            })
            .collect();
        self.modules.borrow_mut().insert(key, modules.clone());
        modules
    }
}

/// Whether the file is a snapshot by its name.
pub(crate) fn is_snapshot(path: &str) -> bool {
    [".snap", ".snapshot", ".ambr"]
        .iter()
        .any(|end| path.ends_with(end))
}

/// Whether the file holds what results are compared with, by its name.
fn is_golden(path: &str) -> bool {
    let name = name_of(path);
    name.contains(".approved.") || name.ends_with(".golden")
}

/// The path as its name would be read, also where it is no UTF-8.
pub(crate) fn readable(path: &str) -> Cow<'_, str> {
    if !path.starts_with('"') {
        return Cow::Borrowed(path);
    }
    match unquote(path) {
        Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        None => Cow::Borrowed(path),
    }
}
