//! Makes a command name each test: finds the test runners in a command line, also behind `npm test` or `make test`,
//! and adds each one's own reporter.
//!
//! Pure: the text of the command and of the checkout's manifests in, a [`Plan`] out. The reporters write into a fresh
//! folder that is named by `$OVERNIGHT_EVIDENCE` and exists for this one run, each run of a runner into a file of its
//! own, so that compound commands, loops and monorepos yield the union of their results and nothing older.
//!
//! Package scripts and make recipes stay where they are. Their tools are told to use a shell of ours
//! ([`shim`]) that knows each line and what it becomes; everything else about the script (its environment, `pretest`,
//! prerequisites) is the tool's own doing, as always. A line that it does not know runs unchanged.
//!
//! A runner that cannot be made to name its tests makes the check *cannot tell*; it never passes by it.

pub(crate) mod find;
pub(crate) mod make;
pub(crate) mod packages;
pub(crate) mod reporters;
pub(crate) mod shell;
pub(crate) mod shim;

use std::collections::{BTreeMap, BTreeSet};

use overnight_ports::faults::Language;

use find::Target;
use shell::{Piece, Simple};

/// Names the folder of one run's evidence to the reporters.
pub const EVIDENCE: &str = "OVERNIGHT_EVIDENCE";
/// Where in it the reports are.
pub const REPORTS: &str = "reports";
/// How deep scripts that call scripts are followed.
const DEPTH_MAX: usize = 8;
/// Longest command line that is looked into, bytes.
const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// Stands for the arguments that a package manager appends to a script.
const REST: &str = "OVERNIGHT-REST";

/// The clean checkout, as far as it must be looked into. Paths are relative to its root and `/`-separated.
pub trait Files {
    /// A small text file; `None` if it is not there, is no ordinary file, or is too large.
    fn read(&self, path: &str) -> Option<String>;
    /// The names of the folders in a folder.
    fn folders(&self, path: &str) -> Vec<String>;
}

/// How a command is run so that it names its tests.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The command line.
    pub script: String,
    /// The command line for people: with what its scripts and recipes become.
    pub shown: String,
    /// Files that must lie in the evidence folder.
    pub tools: Vec<Tool>,
    /// Whether a runner that can name its tests is known to be part of it. If not, one may show itself by its report.
    pub runner: bool,
    /// The languages of the code that those runners run; empty where none is known.
    pub languages: BTreeSet<Language>,
    package_shell: bool,
}

/// A file that the run needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name in the evidence folder.
    pub name: &'static str,
    /// What it holds.
    pub content: String,
    /// Whether it is run as a program.
    pub executable: bool,
}

impl Plan {
    /// The variables that the run needs, the evidence folder being `evidence`.
    pub fn env(&self, evidence: &str) -> BTreeMap<String, String> {
        let mut env = environment();
        env.insert(EVIDENCE.to_owned(), evidence.to_owned());
        // `term.quiet` in a repository's own configuration would have the same effect as `-q`.
        env.insert("CARGO_TERM_QUIET".to_owned(), "false".to_owned());
        // For libtest "0" is the same as `--nocapture` not being given.
        env.insert("RUST_TEST_NOCAPTURE".to_owned(), "0".to_owned());
        if self.package_shell {
            for name in packages::SHELL_VARIABLES {
                env.insert(name.to_owned(), format!("{evidence}/{}", packages::SHELL));
            }
        }
        env
    }
}

/// The variables of every check's run. `CI` is set because that is how test runners are told that nobody watches:
/// without it vitest and create-react-app wait for changes, and jest writes snapshots that it ought to compare with.
pub fn environment() -> BTreeMap<String, String> {
    BTreeMap::from([("CI".to_owned(), "true".to_owned())])
}

/// What to do about a command that names no tests.
pub fn hint(command: &str) -> String {
    let shown: String = command.chars().take(80).collect();
    format!(
        "no known test runner left a report of `{shown}`. Known are pytest, unittest, cargo test, cargo nextest, jest, \
         vitest, mocha, node --test and go test, also behind npm, yarn and pnpm scripts and make. For any other, let \
         the command write a JUnit XML file and name it: `report: FILE`"
    )
}

/// The dry runs of make (shell command lines, relative to the repository's root) whose output [`plan`] needs to know
/// the recipes: empty for a command that does not use make.
pub fn dry_runs(command: &str, dir: &str, files: &dyn Files) -> Vec<String> {
    let mut rewriter = Rewriter::new(files);
    rewriter.line(command, dir, 0);
    rewriter.dry_runs
}

/// How to run `command` in `dir`. `recipes` is what the [`dry_runs`] printed.
pub fn plan(command: &str, dir: &str, files: &dyn Files, recipes: &[String]) -> Plan {
    let mut rewriter = Rewriter::new(files);
    let main = rewriter.line(command, dir, 0);
    let mut runner = main.runner;
    let mut languages = main.languages;
    for printed in recipes {
        for recipe in make::recipes(printed) {
            let line = rewriter.known_line(&recipe, dir, 0);
            runner |= line.runner;
            languages.extend(line.languages);
        }
    }
    if rewriter.packages_used {
        rewriter.every_script(dir);
    }
    let mut tools = reporters::tools();
    let package_shell = rewriter.packages_used && !rewriter.table.is_empty();
    if package_shell {
        let shell = packages::configured_shell(files);
        tools.push(Tool {
            name: packages::SHELL,
            content: shim::script(&shell, &rewriter.table),
            executable: true,
        });
    }
    if let Some(shell) = &rewriter.make_shell {
        tools.push(Tool {
            name: make::SHELL,
            content: shim::script(shell, &rewriter.table),
            executable: true,
        });
    }
    let mut shown = main.text.clone();
    for (line, becomes) in &rewriter.notes {
        shown.push_str(&format!("\n# `{line}` runs as: {becomes}"));
    }
    Plan {
        script: main.text,
        shown,
        tools,
        runner,
        languages,
        package_shell,
    }
}

/// A line and what became of it.
#[derive(Debug, Clone)]
struct Line {
    text: String,
    runner: bool,
    languages: BTreeSet<Language>,
}

/// What is found out on the way through a command, its scripts and recipes.
struct Rewriter<'a> {
    files: &'a dyn Files,
    /// Lines of scripts and recipes, and what they become.
    table: BTreeMap<String, shim::Entry>,
    /// The entries of the table that this command is known to run, for people.
    notes: Vec<(String, String)>,
    dry_runs: Vec<String>,
    make_shell: Option<String>,
    packages_used: bool,
}

impl<'a> Rewriter<'a> {
    fn new(files: &'a dyn Files) -> Self {
        Rewriter {
            files,
            table: BTreeMap::new(),
            notes: Vec::new(),
            dry_runs: Vec::new(),
            make_shell: None,
            packages_used: false,
        }
    }

    /// Rewrites a command line that runs in `dir`.
    fn line(&mut self, text: &str, dir: &str, depth: usize) -> Line {
        let same = Line {
            text: text.to_owned(),
            runner: false,
            languages: BTreeSet::new(),
        };
        if depth > DEPTH_MAX || text.len() > COMMAND_BYTES_MAX {
            return same;
        }
        let Some(mut pieces) = shell::parse(text) else {
            return same;
        };
        // The working directory, as far as it can be followed; a subshell gives it back.
        let mut here = dir.to_owned();
        let mut outer = Vec::new();
        let mut runner = false;
        let mut languages = BTreeSet::new();
        let mut changed = false;
        for piece in &mut pieces {
            match piece {
                Piece::Other(text) if text == "(" => outer.push(here.clone()),
                Piece::Other(text) if text == ")" => here = outer.pop().unwrap_or(here),
                Piece::Other(_) => {}
                Piece::Simple(simple) => {
                    if let [cd, to] = simple.words.as_slice()
                        && cd.text() == "cd"
                        && to.literal.is_some()
                    {
                        here = packages::join(&here, to.text());
                        continue;
                    }
                    let done = self.simple(simple, &here, depth);
                    runner |= done.runner;
                    languages.extend(done.languages);
                    if let Some(text) = done.text {
                        changed = true;
                        *piece = Piece::Other(text);
                    }
                }
            }
        }
        Line {
            text: if changed {
                shell::render(&pieces)
            } else {
                text.to_owned()
            },
            runner,
            languages,
        }
    }

    /// Rewrites a line that is known to run behind a tool, and enters it into the table.
    fn known_line(&mut self, text: &str, dir: &str, depth: usize) -> Line {
        let line = self.enter(text, dir, depth);
        let note = (text.trim().to_owned(), line.text.trim().to_owned());
        if note.0 != note.1 && !self.notes.contains(&note) {
            self.notes.push(note);
        }
        line
    }

    /// Enters a line into the table, if it changes.
    fn enter(&mut self, text: &str, dir: &str, depth: usize) -> Line {
        let line = self.line(text, dir, depth + 1);
        if line.text != text {
            let extended = self.line(&format!("{text} {REST}"), dir, depth + 1).text;
            self.table.insert(
                text.to_owned(),
                shim::Entry::new(&line.text, &extended, REST),
            );
        }
        line
    }

    fn simple(&mut self, simple: &Simple, dir: &str, depth: usize) -> Done {
        let manifest = packages::Manifest::read(self.files, dir);
        let Some(target) = find::target(&simple.words, &|name| manifest.has(name)) else {
            return Done::default();
        };
        match target {
            Target::Runner(runner, at) => Done {
                text: reporters::rewrite(simple, runner, at),
                runner: true,
                languages: runner.languages().iter().copied().collect(),
            },
            Target::Shell { script } => {
                let Some(inner) = simple.words.get(script).and_then(|w| w.literal.clone()) else {
                    return Done::default();
                };
                let line = self.line(&inner, dir, depth + 1);
                let mut changed = simple.clone();
                changed.words[script] = shell::Word::raw(shell::quote(&line.text));
                let text = (line.text != inner).then(|| changed.around(&changed.core()));
                Done {
                    text,
                    runner: line.runner,
                    languages: line.languages,
                }
            }
            Target::Script { names, folder } => {
                self.packages_used = true;
                let at = packages::join(dir, &folder);
                let manifest = packages::Manifest::read(self.files, &at);
                let mut runner = false;
                let mut languages = BTreeSet::new();
                for text in names.iter().flat_map(|name| manifest.lines(name)) {
                    let line = self.known_line(&text, &manifest.dir, depth);
                    runner |= line.runner;
                    languages.extend(line.languages);
                }
                // Yarn 2 and later run scripts in a shell of their own, which cannot be replaced.
                Done {
                    text: None,
                    runner: runner && !manifest.own_shell,
                    languages,
                }
            }
            Target::Make { at } => {
                let call = make::Call::read(simple, at, dir);
                self.make_shell = Some(call.shell(self.files));
                self.dry_runs.push(call.dry_run);
                let mut changed = simple.clone();
                let shell = format!("SHELL=\"${EVIDENCE}/{}\"", make::SHELL);
                changed.words.insert(at + 1, shell::Word::raw(shell));
                Done {
                    text: Some(changed.around(&changed.core())),
                    runner: false,
                    languages: BTreeSet::new(),
                }
            }
        }
    }

    /// Enters every script of the repository's packages: tools that run scripts by name (turbo, lerna, run-s) are
    /// followed by what they run.
    fn every_script(&mut self, dir: &str) {
        for manifest in packages::all(self.files, dir) {
            for text in manifest.scripts.values() {
                self.enter(text, &manifest.dir, 0);
            }
        }
    }
}

/// What became of a simple command.
#[derive(Debug, Default)]
struct Done {
    text: Option<String>,
    runner: bool,
    languages: BTreeSet<Language>,
}
