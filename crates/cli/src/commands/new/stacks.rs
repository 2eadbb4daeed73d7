//! Python, Rust, Go, and whatever a Makefile calls.

use super::look::{Coverage, Found, Repository};
use super::shape::{self, name};

fn is_python_test(path: &str) -> bool {
    let name = name(path);
    name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"))
}

/// Whether there are tests in Python.
pub fn has_python_tests(repository: &Repository) -> bool {
    repository.files().any(is_python_test)
}

/// Python: pytest or unittest, and the tool that keeps the environment.
pub fn python(repository: &Repository, found: &mut Found) {
    let texts: Vec<String> = [
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
        "tox.ini",
        "requirements.txt",
        "requirements-dev.txt",
        "requirements-test.txt",
        "dev-requirements.txt",
        "Pipfile",
    ]
    .iter()
    .filter_map(|path| repository.text(path))
    .collect();
    let mentions = |word: &str| texts.iter().any(|text| text.contains(word));
    let lists = [
        "requirements-dev.txt",
        "requirements-test.txt",
        "dev-requirements.txt",
        "requirements.txt",
    ];
    let (python, setup) = if repository.has("uv.lock") {
        ("uv run python", Some("uv sync --frozen".to_owned()))
    } else if repository.has("poetry.lock") {
        (
            "poetry run python",
            Some("poetry install --no-interaction".to_owned()),
        )
    } else if repository.has("Pipfile.lock") {
        (
            "pipenv run python",
            Some("pipenv install --dev --deploy".to_owned()),
        )
    } else if let Some(list) = repository.first(&lists) {
        let setup = format!("python3 -m venv .venv && .venv/bin/python -m pip install -r {list}");
        (".venv/bin/python", Some(setup))
    } else {
        ("python3", None)
    };
    found.setup = setup;
    let pytest = mentions("pytest")
        || repository.has("pytest.ini")
        || repository.files().any(|path| name(path) == "conftest.py");
    let tests = if pytest {
        format!("{python} -m pytest")
    } else {
        format!("{python} -m unittest discover")
    };
    found.notes.push(format!("tests: {tests}"));
    let coverage = |run: String, edit| Coverage {
        command: run,
        format: "coverage_py",
        file: Some("coverage.json"),
        value: "branches",
        edit,
    };
    let module = if pytest {
        "pytest"
    } else {
        "unittest discover"
    };
    found.coverage = Some(if mentions("pytest-cov") {
        coverage(
            format!("{tests} --cov --cov-branch --cov-report=json"),
            None,
        )
    } else {
        let edit = (!mentions("coverage"))
            .then_some("coverage.py is not among your dependencies: this needs it installed");
        coverage(
            format!("{python} -m coverage run --branch -m {module} && {python} -m coverage json"),
            edit,
        )
    });
    found.tests = Some(tests);
    found.sources = shape::sources(repository, &[".py"]);
    found.tests_at = shape::tests_at(
        repository,
        &[
            ("tests/**", |path| path.starts_with("tests/")),
            ("test/**", |path| path.starts_with("test/")),
            ("**/test_*.py", |path| {
                is_python_test(path) && name(path).starts_with("test_")
            }),
            ("**/*_test.py", |path| {
                is_python_test(path) && name(path).ends_with("_test.py")
            }),
        ],
    );
    for manifest in [
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
        "tox.ini",
        "pytest.ini",
        ".coveragerc",
    ] {
        if repository.has(manifest) {
            found.manifests.push(manifest.to_owned());
        }
    }
}

/// Rust: cargo, a workspace or one crate.
pub fn rust(repository: &Repository, found: &mut Found) {
    let manifest = repository.text("Cargo.toml").unwrap_or_default();
    let workspace = manifest.lines().any(|line| line.trim() == "[workspace]");
    let all = if workspace { " --workspace" } else { "" };
    let locked = repository.has("Cargo.lock");
    found.tests = Some(format!("cargo test{all}"));
    found
        .notes
        .push(format!("tests: cargo test{all} (Cargo.toml)"));
    found.setup = Some(
        if locked {
            "cargo fetch --locked"
        } else {
            "cargo fetch"
        }
        .to_owned(),
    );
    found.coverage = Some(Coverage {
        command: format!("cargo llvm-cov{all} --lcov --output-path target/lcov.info"),
        format: "lcov",
        file: Some("target/lcov.info"),
        value: "lines",
        edit: Some("this needs cargo-llvm-cov: cargo install cargo-llvm-cov"),
    });
    found.sources = shape::sources(repository, &[".rs"]);
    let nested = repository
        .files()
        .any(|path| path.contains("/tests/") && path.ends_with(".rs"));
    found.tests_at = vec![if nested { "**/tests/**" } else { "tests/**" }.to_owned()];
    found.manifests = vec!["**/Cargo.toml".to_owned()];
    if locked {
        found.manifests.push("Cargo.lock".to_owned());
    }
}

/// Go: one module.
pub fn go(repository: &Repository, found: &mut Found) {
    found.tests = Some("go test ./...".to_owned());
    found.notes.push("tests: go test ./... (go.mod)".to_owned());
    if repository.has("go.sum") {
        found.setup = Some("go mod download".to_owned());
    }
    found.coverage = Some(Coverage {
        command: "go test -coverprofile=cover.out ./...".to_owned(),
        format: "go-cover",
        file: Some("cover.out"),
        value: "statements",
        edit: None,
    });
    found.sources = vec!["**/*.go".to_owned()];
    found.tests_at = vec!["**/*_test.go".to_owned()];
    if repository.files().any(|path| path.contains("testdata/")) {
        found.tests_at.push("**/testdata/**".to_owned());
    }
    found.manifests = vec!["go.mod".to_owned()];
}

/// A Makefile or a justfile, for what the language's own manifest does not say.
pub fn make(repository: &Repository, found: &mut Found) {
    const FILES: [(&str, &str); 4] = [
        ("Makefile", "make"),
        ("makefile", "make"),
        ("GNUmakefile", "make"),
        ("justfile", "just"),
    ];
    let Some((file, tool)) = FILES.into_iter().find(|(file, _)| repository.has(file)) else {
        return;
    };
    let text = repository.text(file).unwrap_or_default();
    let target = |wanted: &[&'static str]| {
        wanted.iter().copied().find(|name| {
            text.lines().any(|line| {
                line.strip_prefix(name).is_some_and(|rest| {
                    rest.trim_start().starts_with(':') && !rest.trim_start().starts_with(":=")
                })
            })
        })
    };
    if found.tests.is_none()
        && let Some(name) = target(&["test", "tests", "check"])
    {
        found.tests = Some(format!("{tool} {name}"));
        found.notes.push(format!("tests: {tool} {name} ({file})"));
    }
    if found.coverage.is_none()
        && let Some(name) = target(&["coverage", "cov", "test-coverage"])
    {
        found.coverage = Some(Coverage {
            command: format!("{tool} {name}"),
            format: "regex",
            file: None,
            value: r"TOTAL.*?([0-9.]+)%",
            edit: Some(
                "where your coverage command puts its number; this takes the percentage of the line that it calls TOTAL",
            ),
        });
        found
            .notes
            .push(format!("coverage: {tool} {name} ({file})"));
    }
    if !found.manifests.is_empty() || found.tests.is_some() {
        found.manifests.push(file.to_owned());
    }
}
