//! What runs are made of: a scratch folder, repositories of a certain size, a goal, and what the model says.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use overnight_models::scripted::Script;

/// Size of a file of the repository, bytes.
const FILE_BYTES: usize = 4 * 1024;
/// Files of one folder, and folders of one folder.
const FILES_PER_FOLDER: usize = 20;
const FOLDERS_PER_FOLDER: usize = 10;

/// A goal that is met by one file, and lets a run go on for as long as the script does; `CHECKS` stands for its checks.
const GOAL: &str = "---
outcome: The file done.txt is there.
done:
CHECKS
use:
  paths: [done.txt, draft.txt]
next: Look around first.
stop: {turns: 100000, hours: 24, no_progress: 100000}
deliver: branch
---
Make the file.
";

/// The goal file with so many checks, each a command of its own.
pub fn goal_file(probes: usize) -> String {
    format!("goal-{probes}.md")
}

/// How many commands the checks of a goal run that a bench plays.
pub const PROBES: [usize; 2] = [1, 5];

fn goal(probes: usize) -> String {
    let checks: Vec<String> = (1..=probes)
        .map(|n| format!("  - {{id: there-{n}, run: \"test -f done.txt # {n}\", timeout: 1m}}"))
        .collect();
    GOAL.replace("CHECKS", &checks.join("\n"))
}

/// The scratch folder.
pub struct World {
    dir: PathBuf,
    /// Deletes it in the end.
    _held: Option<tempfile::TempDir>,
    next: AtomicU64,
}

/// A repository.
pub struct Repo {
    /// Where it is; the goal files lie in it, untracked and ignored.
    pub dir: PathBuf,
    /// How many files it has.
    pub files: usize,
}

impl World {
    /// A new one in `dir`.
    pub fn new(dir: &Path, keep: bool) -> Result<World, String> {
        let made = tempfile::Builder::new()
            .prefix("overnight-bench-")
            .tempdir_in(dir);
        let made = made.map_err(|e| format!("{}: {e}", dir.display()))?;
        let dir = made.path().to_owned();
        let held = if keep {
            // It is not deleted once its path has been taken.
            let _ = made.keep();
            None
        } else {
            Some(made)
        };
        Ok(World {
            dir,
            _held: held,
            next: AtomicU64::new(1),
        })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A new folder in it.
    pub fn folder(&self, name: &str) -> Result<PathBuf, String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let dir = self.dir.join(format!("{number}-{name}"));
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        Ok(dir)
    }

    /// Says where it is, if it stays.
    pub fn farewell(&self) {
        if self._held.is_none() {
            println!("kept: {}", self.dir.display());
        }
    }

    /// A repository with that many files in nested folders, committed, with goals beside them.
    pub fn repository(&self, files: usize) -> Result<Repo, String> {
        let dir = self.folder(&format!("repository-of-{files}"))?;
        for number in 0..files {
            let path = dir.join(path_of(number));
            let written = path
                .parent()
                .map_or(Ok(()), fs::create_dir_all)
                .and_then(|()| fs::write(&path, content(number)));
            written.map_err(|e| format!("{}: {e}", path.display()))?;
        }
        for probes in PROBES {
            fs::write(dir.join(goal_file(probes)), goal(probes))
                .map_err(|e| format!("{}: {e}", dir.display()))?;
        }
        git(&dir, &["init", "--quiet"])?;
        fs::write(dir.join(".git/info/exclude"), "goal-*.md\n")
            .map_err(|e| format!("{}: {e}", dir.display()))?;
        git(&dir, &["add", "--all"])?;
        git(&dir, &["commit", "--quiet", "--message", "Begin"])?;
        Ok(Repo { dir, files })
    }
}

/// Claims before the last one, each after a change, and each rejected: what a claim costs is seen in the next request.
pub const FALSE_CLAIMS: u64 = 5;
/// The turns of a script beside the idle ones: change and claim, for every claim.
pub const BUSY_TURNS: u64 = 2 * (FALSE_CLAIMS + 1);

/// The model's answers: so many turns of one harmless call each, false claims, then the work and the claim that holds.
pub fn script(idle_turns: u64) -> Result<Script, String> {
    let mut text = String::from("turns:\n");
    // Writing to a text does not fail.
    for _ in 0..idle_turns {
        let _ = writeln!(text, "  - shell: {{command: \"true\"}}");
    }
    for number in 1..=FALSE_CLAIMS {
        let _ = writeln!(
            text,
            "  - shell: {{command: \"echo {number} > draft.txt\"}}\n  - claim_done: {{summary: \"Draft {number}\"}}"
        );
    }
    text.push_str(
        "  - shell: {command: \"rm draft.txt; echo done > done.txt\"}\n  - claim_done: {summary: \"Make the file\"}\n",
    );
    Script::parse(&text, Path::new("bench.yaml")).map_err(|e| e.to_string())
}

/// Turns of a night's script beside the long row: the work, and the claim.
pub const NIGHT_END_TURNS: u64 = 2;

/// The answers of a long night: commands that print between one and eight kilobytes, a note now and then, and in the end
/// the work and the claim.
pub fn night(turns: u64) -> Result<Script, String> {
    const NOTE_EVERY: u64 = 40;
    let mut text = String::from("turns:\n");
    for number in 1..=turns {
        // Writing to a text does not fail.
        let _ = if number % NOTE_EVERY == 0 {
            writeln!(text, "  - notes: Turn {number} found nothing new.")
        } else {
            let lines = 25 * (1 + number % 8);
            writeln!(
                text,
                "  - shell: {{command: \"seq -f 'turn {number} prints line %g of it' {lines}\"}}"
            )
        };
    }
    text.push_str(
        "  - shell: {command: \"echo done > done.txt\"}\n  - claim_done: {summary: \"Make the file\"}\n",
    );
    Script::parse(&text, Path::new("night.yaml")).map_err(|e| e.to_string())
}

/// The smallest run that ends well: the work, and the claim.
pub fn two_turns() -> Result<Script, String> {
    const SCRIPT: &str =
        "turns: [{shell: \"echo done > done.txt\"}, {claim_done: \"Make the file\"}]\n";
    Script::parse(SCRIPT, Path::new("two-turns.yaml")).map_err(|e| e.to_string())
}

fn path_of(number: usize) -> PathBuf {
    let folder = number / FILES_PER_FOLDER;
    let (outer, inner) = (folder / FOLDERS_PER_FOLDER, folder % FOLDERS_PER_FOLDER);
    PathBuf::from(format!("part{outer}/module{inner}/file{number}.txt"))
}

/// Lines that differ from file to file.
fn content(number: usize) -> String {
    let mut text = String::with_capacity(FILE_BYTES + 64);
    let mut line = 0;
    while text.len() < FILE_BYTES {
        line += 1;
        let _ = writeln!(
            text,
            "file {number}, line {line}: nothing that anybody has to know"
        );
    }
    text
}

/// Runs git there, without anybody's settings.
pub fn git(dir: &Path, args: &[&str]) -> Result<(), String> {
    let out = Command::new("git")
        .args([
            "-c",
            "user.name=bench",
            "-c",
            "user.email=bench@example.invalid",
        ])
        .args([
            "-c",
            "commit.gpgsign=false",
            "-c",
            "core.hooksPath=/dev/null",
        ])
        .args(args)
        .current_dir(dir)
        .output()
        .map_err(|e| format!("git: {e}"))?;
    if out.status.success() {
        return Ok(());
    }
    Err(format!(
        "git {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&out.stderr).trim()
    ))
}
