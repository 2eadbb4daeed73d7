//! JavaScript and TypeScript: `package.json`, its lockfile, and the runner behind `npm test`.

use serde_json::Value;

use super::look::{Coverage, Found, Repository};
use super::shape::{self, name};

/// Who installs and runs scripts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manager {
    Npm,
    Yarn,
    Pnpm,
    Bun,
}

impl Manager {
    fn of(repository: &Repository) -> Manager {
        let locks = [
            ("pnpm-lock.yaml", Manager::Pnpm),
            ("yarn.lock", Manager::Yarn),
            ("bun.lock", Manager::Bun),
            ("bun.lockb", Manager::Bun),
        ];
        let lock = locks.into_iter().find(|(lock, _)| repository.has(lock));
        lock.map_or(Manager::Npm, |(_, manager)| manager)
    }

    fn install(self, repository: &Repository) -> &'static str {
        match self {
            Manager::Npm
                if repository
                    .first(&["package-lock.json", "npm-shrinkwrap.json"])
                    .is_some() =>
            {
                "npm ci"
            }
            Manager::Npm => "npm install",
            Manager::Yarn if repository.has(".yarnrc.yml") => "yarn install --immutable",
            Manager::Yarn => "yarn install --frozen-lockfile",
            Manager::Pnpm => "pnpm install --frozen-lockfile",
            Manager::Bun => "bun install --frozen-lockfile",
        }
    }

    fn run(self, script: &str) -> String {
        match (self, script) {
            (Manager::Npm, "test") => "npm test".to_owned(),
            (Manager::Npm, _) => format!("npm run {script}"),
            (Manager::Yarn, "test") => "yarn test".to_owned(),
            (Manager::Yarn, _) => format!("yarn run {script}"),
            (Manager::Pnpm, "test") => "pnpm test".to_owned(),
            (Manager::Pnpm, _) => format!("pnpm run {script}"),
            (Manager::Bun, _) => format!("bun run {script}"),
        }
    }

    fn run_with(self, script: &str, more: &str) -> String {
        let dashes = if self == Manager::Npm { " --" } else { "" };
        format!("{}{dashes} {more}", self.run(script))
    }
}

/// What runs the tests in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runner {
    Jest,
    Vitest,
    Mocha,
    Node,
}

struct Package<'r> {
    repository: &'r Repository,
    json: Value,
    manager: Manager,
}

/// Reads it.
pub fn read(repository: &Repository, found: &mut Found) {
    let text = repository.text("package.json").unwrap_or_default();
    let json = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or(Value::Null);
    let package = Package {
        repository,
        json,
        manager: Manager::of(repository),
    };
    found.tests = package.tests();
    if let Some(tests) = &found.tests {
        found.notes.push(format!("tests: {tests} (package.json)"));
    }
    found.coverage = package.coverage();
    if let Some(coverage) = &found.coverage {
        found.notes.push(format!("coverage: {}", coverage.command));
    }
    if package.has_dependencies() {
        found.setup = Some(package.manager.install(repository).to_owned());
    }
    let endings = [
        ".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".vue", ".svelte",
    ];
    found.sources = shape::sources(repository, &endings);
    found.tests_at = shape::tests_at(
        repository,
        &[
            ("**/*.test.*", |path| name(path).contains(".test.")),
            ("**/*.spec.*", |path| name(path).contains(".spec.")),
            ("**/__tests__/**", |path| {
                path.split('/').any(|dir| dir == "__tests__")
            }),
            ("test/**", |path| path.starts_with("test/")),
            ("tests/**", |path| path.starts_with("tests/")),
        ],
    );
    found.manifests.push("package.json".to_owned());
    for (start, pattern) in [
        ("jest.config.", "jest.config.*"),
        ("vitest.config.", "vitest.config.*"),
        ("vite.config.", "vite.config.*"),
        (".mocharc", ".mocharc*"),
        (".c8rc", ".c8rc*"),
        (".nycrc", ".nycrc*"),
    ] {
        if repository.files().any(|path| path.starts_with(start)) {
            found.manifests.push(pattern.to_owned());
        }
    }
}

impl Package<'_> {
    /// A script by its name. Names come from outside: only plain ones are used.
    fn script(&self, name: &str) -> Option<&str> {
        self.json.get("scripts")?.get(name)?.as_str()
    }

    fn depends_on(&self, package: &str) -> bool {
        ["dependencies", "devDependencies"].iter().any(|key| {
            self.json
                .get(key)
                .is_some_and(|all| all.get(package).is_some())
        })
    }

    fn has_dependencies(&self) -> bool {
        ["dependencies", "devDependencies", "workspaces"]
            .iter()
            .filter_map(|key| self.json.get(key))
            .any(|all| all.as_object().is_some_and(|m| !m.is_empty()) || all.is_array())
    }

    fn runner(&self, script: &str) -> Option<Runner> {
        let calls = |word: &str| {
            script
                .split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'))
                .any(|part| part == word)
        };
        if calls("jest") || calls("react-scripts") {
            Some(Runner::Jest)
        } else if calls("vitest") {
            Some(Runner::Vitest)
        } else if calls("mocha") {
            Some(Runner::Mocha)
        } else if script.contains("node --test") || script.contains(" --test") {
            Some(Runner::Node)
        } else {
            [
                ("jest", Runner::Jest),
                ("vitest", Runner::Vitest),
                ("mocha", Runner::Mocha),
            ]
            .into_iter()
            .find(|(name, _)| self.depends_on(name))
            .map(|(_, runner)| runner)
        }
    }

    fn tests(&self) -> Option<String> {
        // What `npm init` writes is no test.
        if self
            .script("test")
            .is_some_and(|s| !s.trim().is_empty() && !s.contains("no test specified"))
        {
            return Some(self.manager.run("test"));
        }
        let command = match self.runner("") {
            Some(Runner::Jest) => "npx jest --ci",
            Some(Runner::Vitest) => "npx vitest run",
            Some(Runner::Mocha) => "npx mocha",
            Some(Runner::Node) => "node --test",
            None if self.repository.files().any(|p| name(p).contains(".test.")) => "node --test",
            None => return None,
        };
        Some(command.to_owned())
    }

    /// The script that measures coverage: its name and its command line.
    fn coverage_script(&self) -> Option<(&str, &str)> {
        let scripts = self.json.get("scripts")?.as_object()?;
        let plain = |name: &str| {
            !name.starts_with('-')
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.'))
        };
        let about = |name: &str| {
            name.split([':', '-', '_', '.'])
                .any(|part| matches!(part, "coverage" | "cov" | "cover"))
        };
        // Scripts that only show or send what another one measured.
        let after = |name: &str| {
            name.split([':', '-', '_', '.']).any(|part| {
                matches!(
                    part,
                    "report" | "open" | "upload" | "view" | "serve" | "check" | "clean" | "merge"
                )
            })
        };
        let mut all = scripts
            .iter()
            .filter_map(|(name, script)| Some((name.as_str(), script.as_str()?)))
            .filter(|(name, _)| plain(name) && about(name));
        let all: Vec<_> = all.by_ref().collect();
        let found = all.iter().find(|(name, _)| !after(name)).or(all.first());
        found.copied()
    }

    fn coverage(&self) -> Option<Coverage> {
        const SUMMARY: &str = "coverage/coverage-summary.json";
        let istanbul = |command: String, edit| Coverage {
            command,
            format: "istanbul",
            file: Some(SUMMARY),
            value: "branches",
            edit,
        };
        let named = self.coverage_script();
        let script = named.map(|(_, s)| s).or(self.script("test")).unwrap_or("");
        // Options can be added behind a script that is one command only.
        let one_command = !script.contains(['&', '|', ';']);
        let wrapped = ["c8", "nyc"]
            .into_iter()
            .find(|tool| script.split_whitespace().any(|word| word == *tool));
        if let Some(tool) =
            wrapped.or_else(|| ["c8", "nyc"].into_iter().find(|t| self.depends_on(t)))
        {
            let tests = self.tests().unwrap_or_else(|| "npm test".to_owned());
            // Behind `c8` and `nyc` an added option would be one of the tests' command.
            let command = match named {
                Some((name, script)) if script.contains("json-summary") => self.manager.run(name),
                Some((name, _)) => format!(
                    "{} && npx {tool} report --reporter=json-summary",
                    self.manager.run(name)
                ),
                None => format!("npx {tool} --reporter=json-summary {tests}"),
            };
            return Some(istanbul(command, None));
        }
        match self.runner(script) {
            Some(Runner::Jest) => {
                let command = match named {
                    Some((name, _)) if one_command => self
                        .manager
                        .run_with(name, "--coverageReporters=json-summary"),
                    Some(_) | None => {
                        "npx jest --ci --coverage --coverageReporters=json-summary".to_owned()
                    }
                };
                Some(istanbul(command, None))
            }
            Some(Runner::Vitest) => {
                let provider = self.depends_on("@vitest/coverage-v8")
                    || self.depends_on("@vitest/coverage-istanbul");
                let edit = (!provider).then_some(
                    "vitest needs @vitest/coverage-v8 for this: npm install -D @vitest/coverage-v8",
                );
                let command = match named {
                    Some((name, script)) if one_command && script.contains("--coverage") => self
                        .manager
                        .run_with(name, "--coverage.reporter=json-summary"),
                    Some(_) | None => {
                        "npx vitest run --coverage --coverage.reporter=json-summary".to_owned()
                    }
                };
                Some(istanbul(command, edit))
            }
            Some(Runner::Mocha) => Some(istanbul(
                "npx c8 --reporter=json-summary npx mocha".to_owned(),
                Some("c8 is not among your dependencies: npm install -D c8"),
            )),
            Some(Runner::Node) => Some(node_coverage()),
            None => match named {
                Some((name, _)) => Some(Coverage {
                    command: self.manager.run(name),
                    format: "regex",
                    file: None,
                    value: r"All files[^|]*\|[^|]*\|\s*([0-9.]+)",
                    edit: Some(
                        "where your coverage command puts its number; this takes the branches of the table that it prints",
                    ),
                }),
                None if self.tests().as_deref() == Some("node --test") => Some(node_coverage()),
                None => None,
            },
        }
    }
}

/// Node's own runner measures without any package.
fn node_coverage() -> Coverage {
    Coverage {
        command: "node --test --experimental-test-coverage --test-reporter=lcov --test-reporter-destination=lcov.info".to_owned(),
        format: "lcov",
        file: Some("lcov.info"),
        value: "branches",
        edit: None,
    }
}
