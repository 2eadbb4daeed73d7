//! The table of what belongs to the oracle by its name, for each ecosystem. To teach the oracle a tool, add a line.
//!
//! Patterns are small on purpose, so that a hundred thousand paths are looked up in a moment:
//!
//! * `name` is a file's name at any depth; one `*` stands for anything within it;
//! * `folder/name` is the end of a path, with the same `*` in its last part;
//! * `folder/` is everything below a folder of that name, wherever it is, and the folder's own path;
//! * a leading `/` holds the pattern to the repository's root.

use crate::manifest::Kind;

/// What a path is to the oracle, as far as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Configuration of a runner, of coverage, of a linter, of the compiler of tests.
    Config,
    /// Read by an interpreter, a package manager or git before anything else; what they do depends on it.
    Startup,
    /// Of a continuous integration service, or of a hook.
    Ci,
    /// make's: owned by target and variable.
    Makefile,
    /// Says what tools pass over: owned by what it hides.
    Ignore,
    /// Owned by key.
    Manifest(Kind),
    /// Goes with a manifest.
    Lockfile(Kind),
    /// A folder into which dependencies are installed, or compiled code is put.
    Installed,
    /// Takes the place of a module wherever a test runner meets its name.
    Mock,
}

impl Class {
    /// As people read it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Class::Config => "test configuration",
            Class::Startup => "start-up file",
            Class::Ci => "CI file",
            Class::Makefile => "makefile",
            Class::Ignore => "ignore file",
            Class::Manifest(_) => "manifest",
            Class::Lockfile(_) => "lockfile",
            Class::Installed => "installed dependency or compiled code",
            Class::Mock => "mock that runners put in place of a module",
        }
    }
}

const NPM: Kind = Kind::PackageJson;

/// One row: names, and what they are.
type Row = (Class, &'static [&'static str]);

/// The table. The first row that matches decides.
const TABLE: &[Row] = &[
    // Installed and compiled: nothing of these is ever written by hand.
    (
        Class::Installed,
        &[
            "node_modules/",
            ".venv/",
            "venv/",
            "site-packages/",
            "dist-packages/",
            "__pypackages__/",
            "__pycache__/",
            ".tox/",
            ".nox/",
            ".eggs/",
            "*.egg-info/",
            "*.dist-info/",
            "*.pyc",
            "*.pyo",
            "*.pyd",
            ".pnp.cjs",
            ".pnp.js",
            ".pnp.loader.mjs",
            ".pnp.data.json",
            ".yarn/",
            ".pnpm-store/",
            ".gradle/",
            ".m2/",
        ],
    ),
    // Manifests and what goes with them.
    (Class::Manifest(NPM), &["package.json"]),
    (Class::Manifest(Kind::PyProject), &["pyproject.toml"]),
    (Class::Manifest(Kind::SetupCfg), &["setup.cfg"]),
    (
        Class::Manifest(Kind::Requirements),
        &[
            "requirements*.txt",
            "*requirements.txt",
            "requirements/*.txt",
            "constraints*.txt",
        ],
    ),
    (Class::Manifest(Kind::CargoToml), &["Cargo.toml"]),
    (Class::Manifest(Kind::GoMod), &["go.mod"]),
    (Class::Manifest(Kind::Pom), &["pom.xml"]),
    (
        Class::Lockfile(NPM),
        &[
            "package-lock.json",
            "npm-shrinkwrap.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "bun.lock",
            "bun.lockb",
        ],
    ),
    (
        Class::Lockfile(Kind::PyProject),
        &[
            "poetry.lock",
            "uv.lock",
            "pdm.lock",
            "pylock*.toml",
            "Pipfile.lock",
        ],
    ),
    (Class::Lockfile(Kind::CargoToml), &["Cargo.lock"]),
    (Class::Lockfile(Kind::GoMod), &["go.sum"]),
    // make and its like.
    (
        Class::Makefile,
        &["Makefile", "makefile", "GNUmakefile", "BSDmakefile"],
    ),
    (
        Class::Config,
        &[
            "*.mk",
            "justfile",
            "Justfile",
            "JUSTFILE",
            ".justfile",
            "Taskfile.yml",
            "Taskfile.yaml",
            "taskfile.yml",
            "taskfile.yaml",
            "Taskfile.dist.yml",
            "Taskfile.dist.yaml",
            "Rakefile",
            ".rspec",
            "Earthfile",
            "magefile.go",
            "dodo.py",
        ],
    ),
    // npm and its runners.
    (
        Class::Config,
        &[
            "jest.config.*",
            "jest.config-*",
            "jest.setup.*",
            "jest-setup.*",
            "jest.*.config.*",
            "jest-*.config.*",
            "jest-preset.*",
            "setupTests.*",
            "setup-tests.*",
            "vitest.config.*",
            "vitest.*.config.*",
            "vitest.workspace.*",
            "vitest.setup.*",
            "vitest-setup.*",
            "vite.config.*",
            ".mocharc*",
            "mocha.opts",
            "ava.config.*",
            ".nycrc*",
            "nyc.config.*",
            ".c8rc*",
            ".istanbul.yml",
            ".istanbul.yaml",
            "karma.conf.*",
            "wdio.conf.*",
            "playwright.config.*",
            "cypress.config.*",
            "cypress.json",
            "jasmine.json",
            ".taprc",
            "tap.config.*",
            "babel.config.*",
            ".babelrc*",
            ".swcrc",
            "tsconfig*.json",
            "jsconfig.json",
            "stryker.conf.*",
            "stryker.config.*",
            "web-test-runner.config.*",
            "deno.json",
            "deno.jsonc",
        ],
    ),
    (Class::Mock, &["__mocks__/"]),
    (
        Class::Config,
        &[
            ".eslintrc*",
            "eslint.config.*",
            ".eslintignore",
            ".prettierrc*",
            "prettier.config.*",
            ".prettierignore",
            "biome.json",
            "biome.jsonc",
            ".stylelintrc*",
            "stylelint.config.*",
            ".oxlintrc.json",
            "tslint.json",
            ".xo-config*",
            ".jshintrc",
            ".markdownlint*",
        ],
    ),
    (
        Class::Startup,
        &[
            ".npmrc",
            ".yarnrc",
            ".yarnrc.yml",
            ".pnpmfile.cjs",
            ".pnpmfile.mjs",
            "pnpm-workspace.yaml",
            "lerna.json",
            "nx.json",
            "turbo.json",
            "bunfig.toml",
            ".nvmrc",
            ".node-version",
            ".noderc",
        ],
    ),
    // Python and its runners.
    (
        Class::Config,
        &[
            "conftest.py",
            "pytest.ini",
            ".pytest.ini",
            "pytest.toml",
            ".pytest.toml",
            "tox.ini",
            "tox.toml",
            "noxfile.py",
            ".coveragerc",
            ".coveragerc.toml",
            "ruff.toml",
            ".ruff.toml",
            ".flake8",
            "mypy.ini",
            ".mypy.ini",
            ".pylintrc",
            "pylintrc",
            "pyrightconfig.json",
            ".bandit",
            "unittest.cfg",
            "nose2.cfg",
            "mutmut_config.py",
            "Pipfile",
            "hatch.toml",
            "runtests.py",
        ],
    ),
    (
        Class::Startup,
        &[
            "sitecustomize.py",
            "usercustomize.py",
            "*.pth",
            "pyvenv.cfg",
            ".python-version",
            "pip.conf",
            "pip.ini",
            ".pdbrc",
            "*._pth",
        ],
    ),
    // Cargo and its runners.
    (
        Class::Config,
        &[
            ".config/nextest.toml",
            ".config/insta.yaml",
            ".insta.yaml",
            "insta.yaml",
            "tarpaulin.toml",
            ".tarpaulin.toml",
            "clippy.toml",
            ".clippy.toml",
            "rustfmt.toml",
            ".rustfmt.toml",
            ".cargo/mutants.toml",
        ],
    ),
    (
        Class::Startup,
        &[
            ".cargo/config",
            ".cargo/config.toml",
            "rust-toolchain",
            "rust-toolchain.toml",
        ],
    ),
    // Go.
    (Class::Startup, &["go.work", "go.work.sum"]),
    (Class::Config, &[".golangci.*", ".testcoverage.yml"]),
    // Java.
    (
        Class::Config,
        &[
            "build.gradle",
            "build.gradle.kts",
            "settings.gradle",
            "settings.gradle.kts",
            "gradle.properties",
            "gradle.lockfile",
            "libs.versions.toml",
            "buildSrc/",
            "*.gradle",
            "*.gradle.kts",
            "gradlew",
            "gradlew.bat",
            "gradle-wrapper.*",
            "mvnw",
            "mvnw.cmd",
            ".mvn/",
            "junit-platform.properties",
            "lombok.config",
            "checkstyle*.xml",
            "spotbugs*.xml",
            "pmd*.xml",
            "testng.xml",
            "META-INF/services/org.junit*",
            "META-INF/services/org.mockito*",
            "mockito-extensions/",
        ],
    ),
    // Any language.
    (
        Class::Startup,
        &[
            ".tool-versions",
            "mise.toml",
            ".mise.toml",
            ".ruby-version",
            ".java-version",
            ".sdkmanrc",
            ".gitattributes",
            ".gitmodules",
            ".gitconfig",
            ".envrc",
            ".env",
            ".env.test*",
            ".env.local",
            ".env.development*",
            ".env.ci",
        ],
    ),
    (
        Class::Config,
        &[
            "codecov.yml",
            ".codecov.yml",
            "codecov.yaml",
            ".codecov.yaml",
            ".coveralls.yml",
            "sonar-project.properties",
            ".gcovr.cfg",
            "gcovr.cfg",
        ],
    ),
    (Class::Ignore, &[".gitignore", ".ignore", ".rgignore"]),
    (
        Class::Ci,
        &[
            "/.github/workflows/",
            "/.github/actions/",
            "/.gitlab-ci.yml",
            "/.gitlab-ci.yaml",
            "/.gitlab/ci/",
            "Jenkinsfile",
            "/.circleci/",
            "/.ci/",
            "azure-pipelines*.yml",
            "azure-pipelines*.yaml",
            "/.azure-pipelines/",
            ".travis.yml",
            "appveyor.yml",
            ".appveyor.yml",
            "bitbucket-pipelines.yml",
            ".drone.yml",
            ".woodpecker.yml",
            "/.woodpecker/",
            "/.forgejo/workflows/",
            "/.gitea/workflows/",
            "/.buildkite/",
            ".cirrus.yml",
            ".cirrus.star",
            "/.builds/",
            ".pre-commit-config.yaml",
            "lefthook.yml",
            ".lefthook.yml",
            ".husky/",
            ".githooks/",
        ],
    ),
];

/// What the path is by its name.
pub(crate) fn class(path: &str) -> Option<Class> {
    let name = name_of(path);
    // What is only shown to people as an example of an environment is read by nothing.
    TABLE
        .iter()
        .find(|(_, patterns)| patterns.iter().any(|p| hit(p, path, name)))
        .map(|(class, _)| *class)
}

/// The last part of a path.
pub(crate) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The folder of a path; empty for the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path in a folder (empty: the root).
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// The folder that a configuration file speaks for: `a` for `a/pytest.ini`, for `a/.cargo/config.toml` and for
/// `a/node_modules/x/y.js`.
pub(crate) fn speaks_for(path: &str) -> &str {
    let mut at = 0;
    for part in path.split('/') {
        let fixed = part.starts_with('.')
            || matches!(
                part,
                "node_modules"
                    | "venv"
                    | "site-packages"
                    | "gradle"
                    | "buildSrc"
                    | "META-INF"
                    | "__mocks__"
                    | "__pycache__"
            );
        if fixed {
            return path[..at].trim_end_matches('/');
        }
        at += part.len() + 1;
    }
    folder_of(path)
}

fn hit(pattern: &str, path: &str, name: &str) -> bool {
    let (anchored, pattern) = match pattern.strip_prefix('/') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    if let Some(folder) = pattern.strip_suffix('/') {
        return below(folder, path, anchored);
    }
    if anchored {
        return star(pattern, path);
    }
    if pattern.contains('/') {
        let parts = pattern.matches('/').count() + 1;
        let tail = path
            .rmatch_indices('/')
            .nth(parts - 1)
            .map_or(path, |(at, _)| &path[at + 1..]);
        return star(pattern, tail);
    }
    star(pattern, name)
}

fn below(folder: &str, path: &str, anchored: bool) -> bool {
    if anchored {
        return path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    }
    if folder.contains('/') {
        return path == folder
            || path.starts_with(&format!("{folder}/"))
            || path.contains(&format!("/{folder}/"));
    }
    path.split('/').any(|part| star(folder, part))
}

fn star(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => match after.split_once('*') {
            None => {
                text.len() >= before.len() + after.len()
                    && text.starts_with(before)
                    && text.ends_with(after)
            }
            Some((middle, end)) => text
                .strip_prefix(before)
                .and_then(|rest| rest.strip_suffix(end))
                .is_some_and(|rest| rest.contains(middle)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_at_their_depth_and_nothing_else_is() {
        for (path, expected) in [
            ("package.json", Some(Class::Manifest(Kind::PackageJson))),
            (
                "packages/a/package.json",
                Some(Class::Manifest(Kind::PackageJson)),
            ),
            (
                "requirements-dev.txt",
                Some(Class::Manifest(Kind::Requirements)),
            ),
            (
                "requirements/dev.txt",
                Some(Class::Manifest(Kind::Requirements)),
            ),
            ("jest.config.ci.js", Some(Class::Config)),
            ("vitest.unit.config.ts", Some(Class::Config)),
            (".github/workflows/ci.yml", Some(Class::Ci)),
            ("docs/.github/workflows/ci.yml", None),
            ("a/node_modules/x/index.js", Some(Class::Installed)),
            ("node_modules", Some(Class::Installed)),
            ("crates/a/.cargo/config.toml", Some(Class::Startup)),
            ("lib/x.egg-info/PKG-INFO", Some(Class::Installed)),
            (".env", Some(Class::Startup)),
            (".env.example", None),
            ("src/tests.rs", None),
            ("src/config.js", None),
            ("contest.py", None),
            ("latest.js", None),
            ("Package.json", None),
            ("src/package.json.ts", None),
            ("", None),
        ] {
            assert_eq!(class(path), expected, "{path}");
        }
    }

    #[test]
    fn a_configuration_file_speaks_for_the_folder_above_its_own_hidden_one() {
        for (path, folder) in [
            ("pytest.ini", ""),
            ("a/pytest.ini", "a"),
            (".cargo/config.toml", ""),
            ("a/.cargo/config.toml", "a"),
            ("a/b/node_modules/x/y.js", "a/b"),
            (".npmrc", ""),
            ("a/.npmrc", "a"),
            (
                "a/src/main/resources/META-INF/services/org.junit.x",
                "a/src/main/resources",
            ),
        ] {
            assert_eq!(speaks_for(path), folder, "{path}");
        }
    }
}
