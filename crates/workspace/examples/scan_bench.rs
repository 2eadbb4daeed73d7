//! Prints what the workspace costs on a repository of 50 and of 2,000 files, in milliseconds: median (fastest).
//!
//! `cargo run --release -p overnight-workspace --example scan_bench`

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use overnight_core::ids::BlobId;
use overnight_ports::workspace::{BlobSink, Workspace};
use overnight_workspace::{GitWorkspace, Options};
use sha2::{Digest, Sha256};

/// How often each thing is measured.
const ROUNDS: usize = 41;
/// How long the kernel's clock takes to tick, so that a file is not read again only because it is new.
const TICK: Duration = Duration::from_millis(30);

/// Names contents and keeps none.
struct Nowhere;

impl BlobSink for Nowhere {
    fn put(&self, content: &[u8]) -> std::io::Result<BlobId> {
        Ok(BlobId(
            Sha256::digest(content)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
        ))
    }

    fn get(&self, id: &BlobId) -> std::io::Result<Vec<u8>> {
        Err(std::io::Error::other(format!("{id} was not kept")))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    for files in [50, 2000] {
        bench(files)?;
    }
    Ok(())
}

fn bench(files: usize) -> Result<(), Box<dyn Error>> {
    let temp = tempfile::tempdir()?;
    let repo = temp.path().join("repo");
    make(&repo, files)?;
    let run = temp.path().join("run");
    let mut prepared = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        GitWorkspace::prepare(&repo, &run, &Options::default())?;
        prepared.push(started.elapsed());
    }
    let mut opened = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        GitWorkspace::open(&run)?;
        opened.push(started.elapsed());
    }
    let mut workspace = GitWorkspace::open(&run)?;
    workspace.scan(&Nowhere)?;
    std::thread::sleep(TICK);
    workspace.scan(&Nowhere)?;
    let still = measure(|_| Ok(()), || workspace.scan(&Nowhere).map(drop))?;
    let file = run.join("workspace/d0/f0.txt");
    let touched = measure(
        |n| Ok(std::fs::write(&file, format!("{n}\n"))?),
        || workspace.scan(&Nowhere).map(drop),
    )?;
    let mut candidates = Vec::new();
    for n in 0..ROUNDS {
        std::fs::write(&file, format!("candidate {n}\n"))?;
        workspace.scan(&Nowhere)?;
        let started = Instant::now();
        workspace.candidate()?;
        candidates.push(started.elapsed());
    }
    let tree = workspace.candidate()?.tree;
    let out = temp.path().join("out");
    let checkouts = workspace.checkouts();
    let mut checked_out = Vec::new();
    for n in 0..5 {
        let started = Instant::now();
        checkouts.checkout(&tree, &out.join(n.to_string()))?;
        checked_out.push(started.elapsed());
    }
    println!(
        "{files} files: prepare {} · open {} · scan, nothing changed {} · scan, one file changed {} · candidate {} · \
         checkout {}",
        median(prepared),
        median(opened),
        median(still),
        median(touched),
        median(candidates),
        median(checked_out),
    );
    Ok(())
}

fn measure<E: Error + 'static>(
    mut before: impl FnMut(usize) -> Result<(), Box<dyn Error>>,
    mut what: impl FnMut() -> Result<(), E>,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let mut times = Vec::with_capacity(ROUNDS);
    for n in 0..ROUNDS {
        before(n)?;
        let started = Instant::now();
        what()?;
        times.push(started.elapsed());
    }
    Ok(times)
}

fn median(mut times: Vec<Duration>) -> String {
    times.sort();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    let fastest = times.first().copied().unwrap_or_default();
    format!(
        "{:.2} ({:.2}) ms",
        middle.as_secs_f64() * 1000.0,
        fastest.as_secs_f64() * 1000.0
    )
}

/// A repository of this many text files of some kilobytes, fifty in a folder, packed as a cloned one is.
fn make(repo: &Path, files: usize) -> Result<(), Box<dyn Error>> {
    const IN_A_FOLDER: usize = 50;
    const LINES: usize = 120;
    for n in 0..files {
        let folder = repo.join(format!("d{}", n / IN_A_FOLDER));
        std::fs::create_dir_all(&folder)?;
        let text: String = (0..LINES)
            .map(|line| format!("line {line} of file {n}: {}\n", line * n))
            .collect();
        std::fs::write(folder.join(format!("f{}.txt", n % IN_A_FOLDER)), text)?;
    }
    std::fs::write(repo.join(".gitignore"), "*.log\nbuild/\n")?;
    let steps: [&[&str]; 4] = [
        &["init", "-q"],
        &["add", "-A"],
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "commit",
            "-q",
            "-m",
            "Start",
        ],
        &["gc", "-q"],
    ];
    for step in steps {
        let status = Command::new("git").args(step).current_dir(repo).status()?;
        if !status.success() {
            return Err(format!("git {step:?} failed").into());
        }
    }
    Ok(())
}
