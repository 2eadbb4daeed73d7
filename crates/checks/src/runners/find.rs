//! Finds the test runner in a simple command: which word is the program that runs the tests, behind `npx`, `uv run`,
//! `env`, `timeout` and their like.

use overnight_ports::faults::Language;

use super::shell::{Word, is_assignment};

/// A runner that the harness can make name its tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// pytest.
    Pytest,
    /// `python -m unittest`; the word is its `-m`.
    Unittest,
    /// `cargo test`; the word is `test`.
    Cargo,
    /// `cargo nextest run`; the word is `run`.
    Nextest,
    /// jest, and what passes its arguments on to it.
    Jest,
    /// vitest.
    Vitest,
    /// mocha.
    Mocha,
    /// `node --test`; the word is `node`.
    Node,
    /// `go test`; the word is `test`.
    Go,
}

impl Runner {
    /// The languages of the code that it runs.
    pub(crate) fn languages(self) -> &'static [Language] {
        match self {
            Runner::Pytest | Runner::Unittest => &[Language::Python],
            Runner::Cargo | Runner::Nextest => &[Language::Rust],
            Runner::Jest | Runner::Vitest | Runner::Mocha | Runner::Node => {
                &[Language::JavaScript, Language::TypeScript]
            }
            Runner::Go => &[Language::Go],
        }
    }
}

/// What a simple command comes down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A runner, and the word that says so.
    Runner(Runner, usize),
    /// A shell, and the word that holds its script.
    Shell {
        /// Index of the script.
        script: usize,
    },
    /// Scripts of a package, in the folder named on the command line.
    Script {
        /// The scripts' names.
        names: Vec<String>,
        /// Relative to the working directory; empty for itself.
        folder: String,
    },
    /// make; the word is the program.
    Make {
        /// Index of the program.
        at: usize,
    },
}

/// Programs that run the command behind their options, and which of the options take a value.
const WRAPPERS: [(&str, &[&str]); 19] = [
    ("exec", &["-a"]),
    ("command", &[]),
    ("time", &["-f", "-o"]),
    ("nohup", &[]),
    ("nice", &["-n"]),
    ("ionice", &["-c", "-n"]),
    ("setsid", &[]),
    ("stdbuf", &["-i", "-o", "-e"]),
    ("unbuffer", &[]),
    (
        "xvfb-run",
        &[
            "-n",
            "-s",
            "-e",
            "-f",
            "-p",
            "-w",
            "--server-args",
            "--server-num",
        ],
    ),
    ("env", &["-u", "--unset", "-C", "--chdir"]),
    ("cross-env", &[]),
    ("dotenv", &["-e", "-v"]),
    ("npx", &["-p", "--package", "-w", "--workspace"]),
    ("bunx", &[]),
    ("nyc", NYC),
    ("c8", NYC),
    ("dbus-run-session", &[]),
    ("catchsegv", &[]),
];
const NYC: &[&str] = &[
    "-r",
    "--reporter",
    "-n",
    "--include",
    "-x",
    "--exclude",
    "-e",
    "--extension",
    "--report-dir",
    "--temp-dir",
    "--cwd",
    "--lines",
    "--branches",
    "--functions",
    "--statements",
    "-c",
    "--config",
    "--nycrc-path",
    "--temp-directory",
    "--reports-dir",
    "-o",
    "--src",
];
/// Programs that run the command behind their sub-command `run`.
const RUN_WRAPPERS: [(&str, &[&str]); 9] = [
    ("poetry", &["-C", "--directory", "-P", "--project"]),
    ("pdm", &["-p", "--project"]),
    ("pipenv", &[]),
    ("rye", &[]),
    ("hatch", &["-e", "--env"]),
    ("conda", CONDA),
    ("mamba", CONDA),
    ("micromamba", CONDA),
    ("pixi", &["-e", "--environment", "--manifest-path"]),
];
const CONDA: &[&str] = &["-n", "--name", "-p", "--prefix", "--cwd"];
const UV: &[&str] = &[
    "--with",
    "--with-editable",
    "--with-requirements",
    "-p",
    "--python",
    "--extra",
    "--no-extra",
    "--group",
    "--no-group",
    "--only-group",
    "--package",
    "--project",
    "--directory",
    "--env-file",
    "--index-url",
    "-i",
    "--find-links",
    "-f",
    "--index",
    "--default-index",
    "--cache-dir",
    "--config-file",
    "--color",
];
const NODE: &[&str] = &[
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "-C",
    "--conditions",
    "--env-file",
    "--test-name-pattern",
    "--test-skip-pattern",
    "--test-reporter",
    "--test-reporter-destination",
    "--tsconfig",
];
const PYTHON: &[&str] = &["-W", "-X", "--check-hash-based-pycs"];
const COVERAGE: &[&str] = &[
    "--source",
    "--include",
    "--omit",
    "--rcfile",
    "--data-file",
    "--context",
    "--concurrency",
    "--debug",
    "--source-pkgs",
];

/// What `words` comes down to; `None` if it is nothing that is known. `script` tells whether the package has a
/// script of that name.
pub(crate) fn target(words: &[Word], script: &dyn Fn(&str) -> bool) -> Option<Target> {
    let mut at = 0;
    // Every turn of the loop takes at least one word.
    loop {
        let program = words.get(at)?.program();
        // `npx jest@29`
        let program =
            program.split_once('@').map_or(
                program,
                |(name, _)| if name.is_empty() { program } else { name },
            );
        if let Some((_, valued)) = WRAPPERS.iter().find(|(name, _)| *name == program) {
            if program == "npx"
                && let Some(script) = position(words, at + 1, &["-c", "--call"])
            {
                return Some(Target::Shell { script: script + 1 });
            }
            at = options(words, at + 1, valued);
            while words.get(at).is_some_and(|w| is_assignment(&w.raw)) {
                at += 1;
            }
            continue;
        }
        if let Some((_, valued)) = RUN_WRAPPERS.iter().find(|(name, _)| *name == program) {
            at = options(words, at + 1, valued);
            if words.get(at)?.text() != "run" {
                return None;
            }
            at = options(words, at + 1, valued);
            continue;
        }
        match program {
            "timeout" => at = options(words, at + 1, &["-k", "--kill-after", "-s", "--signal"]) + 1,
            "uv" => match behind_uv(words, at)? {
                Behind::Module(m) => return module(words, m),
                Behind::Program(next) => at = next,
            },
            "npm" | "pnpm" | "yarn" => match behind_package_manager(words, at, script)? {
                Step::Program(next) => at = next,
                Step::Done(target) => return Some(target),
            },
            "coverage" => match behind_coverage(words, at + 1)? {
                Behind::Module(m) => return module(words, m),
                Behind::Program(next) => at = next,
            },
            "node" | "nodejs" | "tsx" => {
                let next = options(words, at + 1, NODE);
                if words
                    .get(at + 1..next)?
                    .iter()
                    .any(|w| w.text() == "--test")
                {
                    return Some(Target::Runner(Runner::Node, at));
                }
                at = next;
            }
            "sh" | "bash" | "dash" | "zsh" | "ksh" => {
                let c = words
                    .iter()
                    .skip(at + 1)
                    .take_while(|w| w.text().starts_with('-'));
                let flags = c.take_while(|w| w.text() != "--").collect::<Vec<_>>();
                let found = flags
                    .iter()
                    .position(|w| !w.text().starts_with("--") && w.text().ends_with('c'))?;
                return words.get(at + 2 + found).map(|_| Target::Shell {
                    script: at + 2 + found,
                });
            }
            "make" | "gmake" => return Some(Target::Make { at }),
            _ if is_python(program) => {
                let next = options_until(words, at + 1, PYTHON, &["-m", "-c"]);
                match words.get(next)?.text() {
                    "-m" => match words.get(next + 1)?.text() {
                        "coverage" => match behind_coverage(words, next + 2)? {
                            Behind::Module(m) => return module(words, m),
                            Behind::Program(program) => at = program,
                        },
                        _ => return module(words, next),
                    },
                    "-c" => return None,
                    _ => at = next,
                }
            }
            _ => return runner(words, at, program),
        }
    }
}

/// The runner that a program is.
fn runner(words: &[Word], at: usize, program: &str) -> Option<Target> {
    let found = |runner| Some(Target::Runner(runner, at));
    match program {
        "pytest" | "py.test" => found(Runner::Pytest),
        "jest" | "jest.js" => found(Runner::Jest),
        "vitest" | "vitest.mjs" => {
            let sub = words.get(options(words, at + 1, &[])).map(Word::text);
            if matches!(sub, Some("bench" | "list" | "init")) {
                None
            } else {
                found(Runner::Vitest)
            }
        }
        "mocha" | "_mocha" | "mocha.js" | "mocha.mjs" => found(Runner::Mocha),
        "react-scripts" | "craco" | "react-app-rewired" => {
            let test = words.get(at + 1)?.text() == "test";
            test.then_some(Target::Runner(Runner::Jest, at + 1))
        }
        "cargo" => {
            let mut sub = at + 1;
            if words.get(sub)?.text().starts_with('+') {
                sub += 1;
            }
            sub = options(words, sub, &["--config", "-C", "-Z", "--color"]);
            match words.get(sub)?.text() {
                "test" | "t" => Some(Target::Runner(Runner::Cargo, sub)),
                "nextest" => {
                    let run = options(words, sub + 1, &["--manifest-path", "--color"]);
                    let is_run = matches!(words.get(run)?.text(), "run" | "r");
                    is_run.then_some(Target::Runner(Runner::Nextest, run))
                }
                _ => None,
            }
        }
        "go" => (words.get(at + 1)?.text() == "test").then_some(Target::Runner(Runner::Go, at + 1)),
        _ => None,
    }
}

/// A module that python runs; `m` is the index of `-m`.
fn module(words: &[Word], m: usize) -> Option<Target> {
    match words.get(m + 1)?.text() {
        "pytest" | "py.test" => Some(Target::Runner(Runner::Pytest, m + 1)),
        "unittest" => Some(Target::Runner(Runner::Unittest, m)),
        _ => None,
    }
}

/// What stands behind a launcher.
enum Behind {
    /// A module: the index of its `-m`.
    Module(usize),
    /// A program: its index.
    Program(usize),
}

fn behind_uv(words: &[Word], at: usize) -> Option<Behind> {
    let sub = options(words, at + 1, UV);
    match words.get(sub)?.text() {
        "run" => {}
        // `uv tool run`, `uvx` run what is no part of the project.
        _ => return None,
    }
    let next = options_until(words, sub + 1, UV, &["-m", "--module"]);
    let module = matches!(words.get(next)?.text(), "-m" | "--module");
    Some(if module {
        Behind::Module(next)
    } else {
        Behind::Program(next)
    })
}

/// `at` is the word behind `coverage`.
fn behind_coverage(words: &[Word], at: usize) -> Option<Behind> {
    if words.get(at)?.text() != "run" {
        return None;
    }
    let next = options_until(words, at + 1, COVERAGE, &["-m"]);
    Some(if words.get(next)?.text() == "-m" {
        Behind::Module(next)
    } else {
        Behind::Program(next)
    })
}

/// What a package manager's command comes down to.
enum Step {
    Program(usize),
    Done(Target),
}

fn behind_package_manager(
    words: &[Word],
    at: usize,
    script: &dyn Fn(&str) -> bool,
) -> Option<Step> {
    const VALUED: &[&str] = &[
        "--prefix",
        "-C",
        "--dir",
        "--cwd",
        "-w",
        "--workspace",
        "--filter",
        "-F",
        "--loglevel",
        "--script-shell",
    ];
    let manager = words.get(at)?.program();
    let valued: &[&str] = if manager == "pnpm" {
        &["-C", "--dir", "--filter", "-F", "--loglevel"]
    } else {
        VALUED
    };
    let folder = option(words, at + 1, &["--prefix", "-C", "--dir", "--cwd"]);
    let scripts = |names: &[&str]| {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        Some(Step::Done(Target::Script {
            names,
            folder: folder.clone(),
        }))
    };
    let sub = options(words, at + 1, valued);
    let word = words.get(sub)?;
    match (manager, word.text()) {
        (_, "test" | "t") | ("npm", "tst") => scripts(&["pretest", "test", "posttest"]),
        (_, "run") | ("npm", "run-script" | "rum" | "urn") | ("pnpm", "run-script") => {
            let name = words.get(options(words, sub + 1, valued))?.text();
            if manager == "yarn" && !script(name) {
                return Some(Step::Program(options(words, sub + 1, valued)));
            }
            scripts(&[&format!("pre{name}"), name, &format!("post{name}")])
        }
        ("npm", "exec" | "x") => {
            if let Some(c) = position(words, sub + 1, &["-c", "--call"]) {
                return Some(Step::Done(Target::Shell { script: c + 1 }));
            }
            // Without `--` npm takes the runner's options for its own.
            let dashes = position(words, sub + 1, &["--"])?;
            Some(Step::Program(dashes + 1))
        }
        ("pnpm" | "yarn", "exec") => Some(Step::Program(options(words, sub + 1, valued))),
        ("yarn", "node") => Some(Step::Program(sub)),
        ("pnpm" | "yarn", name) if script(name) => {
            scripts(&[&format!("pre{name}"), name, &format!("post{name}")])
        }
        ("pnpm" | "yarn", _) => Some(Step::Program(sub)),
        _ => None,
    }
}

/// The index behind the options that begin at `at`.
fn options(words: &[Word], at: usize, valued: &[&str]) -> usize {
    options_until(words, at, valued, &[])
}

/// The index behind the options that begin at `at`, or of the first one of `stops`.
fn options_until(words: &[Word], mut at: usize, valued: &[&str], stops: &[&str]) -> usize {
    while let Some(word) = words.get(at) {
        let text = word.text();
        if !text.starts_with('-') || text == "-" || stops.contains(&text) {
            return at;
        }
        at += if valued.contains(&text) { 2 } else { 1 };
        if text == "--" {
            return at;
        }
    }
    at
}

/// The index of the first of `names` from `from` on.
fn position(words: &[Word], from: usize, names: &[&str]) -> Option<usize> {
    (from..words.len()).find(|i| names.contains(&words[*i].text()))
}

/// The value of an option, `--name value` or `--name=value`; empty if it is not there.
fn option(words: &[Word], from: usize, names: &[&str]) -> String {
    for (i, word) in words.iter().enumerate().skip(from) {
        let text = word.text();
        if text == "--" {
            break;
        }
        if names.contains(&text) {
            return words
                .get(i + 1)
                .map(|w| w.text().to_owned())
                .unwrap_or_default();
        }
        if let Some((name, value)) = text.split_once('=')
            && names.contains(&name)
        {
            return value.to_owned();
        }
    }
    String::new()
}

/// `python`, `python3`, `python3.12`, `pypy3` …
fn is_python(program: &str) -> bool {
    ["python", "pypy", "py"].iter().any(|name| {
        program
            .strip_prefix(name)
            .is_some_and(|v| v.chars().all(|c| c.is_ascii_digit() || c == '.'))
    })
}

#[cfg(test)]
mod test {
    use super::super::shell::{Piece, parse};
    use super::*;

    fn found(text: &str) -> Option<Target> {
        let pieces = parse(text).expect("understood");
        let Some(Piece::Simple(simple)) = pieces.into_iter().next() else {
            panic!("no command in {text}")
        };
        target(&simple.words, &|name| name == "unit")
    }

    #[test]
    fn runners_are_found_behind_what_starts_them() {
        for (text, runner, at) in [
            ("pytest -q", Runner::Pytest, 0),
            ("A=1 .venv/bin/pytest", Runner::Pytest, 0),
            ("python3.12 -X dev -m pytest tests", Runner::Pytest, 4),
            ("uv run --with pytest -p 3.12 pytest", Runner::Pytest, 6),
            ("uv run -m pytest", Runner::Pytest, 3),
            (
                "poetry run coverage run --source shop -m pytest",
                Runner::Pytest,
                7,
            ),
            (
                "python -m coverage run -m unittest discover",
                Runner::Unittest,
                4,
            ),
            ("python -m unittest", Runner::Unittest, 1),
            ("env -u X A=1 timeout -k 5 60 pytest", Runner::Pytest, 8),
            ("cargo +nightly --color never test -q", Runner::Cargo, 4),
            ("cargo nextest run", Runner::Nextest, 2),
            ("npx --yes jest@29 --ci", Runner::Jest, 2),
            ("npm exec -- vitest run", Runner::Vitest, 3),
            ("yarn jest", Runner::Jest, 1),
            ("pnpm exec mocha", Runner::Mocha, 2),
            ("nyc --reporter lcov mocha", Runner::Mocha, 3),
            (
                "node --experimental-vm-modules node_modules/jest/bin/jest.js",
                Runner::Jest,
                2,
            ),
            ("node --import tsx --test test/*.js", Runner::Node, 0),
            ("go test ./...", Runner::Go, 1),
            ("react-scripts test --watchAll=false", Runner::Jest, 1),
        ] {
            assert_eq!(found(text), Some(Target::Runner(runner, at)), "{text}");
        }
    }

    #[test]
    fn scripts_make_and_shells_are_found() {
        let script = |names: &[&str], folder: &str| {
            Some(Target::Script {
                names: names.iter().map(|n| (*n).to_owned()).collect(),
                folder: folder.to_owned(),
            })
        };
        assert_eq!(
            found("npm test"),
            script(&["pretest", "test", "posttest"], "")
        );
        assert_eq!(
            found("npm --prefix web t -- -x"),
            script(&["pretest", "test", "posttest"], "web")
        );
        assert_eq!(
            found("yarn unit"),
            script(&["preunit", "unit", "postunit"], "")
        );
        assert_eq!(
            found("pnpm -C web run unit"),
            script(&["preunit", "unit", "postunit"], "web")
        );
        assert_eq!(found("make -C a test"), Some(Target::Make { at: 0 }));
        assert_eq!(
            found("bash -lc 'pytest'"),
            Some(Target::Shell { script: 2 })
        );
        assert_eq!(
            found("timeout 5 sh -e -c pytest"),
            Some(Target::Shell { script: 5 })
        );
    }

    #[test]
    fn what_is_no_runner_is_none() {
        for text in [
            "echo pytest",
            "cargo build",
            "npm ci",
            "python test.py",
            "python -c 'import pytest'",
            "go vet",
            "vitest bench",
            "sh test.sh",
            "uv pip install pytest",
            "env",
            "timeout",
            "npx",
            "node server.js",
            "$X test",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
