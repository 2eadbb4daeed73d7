//! A person's repository, a run folder and a blob store, made for one test.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use overnight_core::ids::BlobId;
use overnight_ports::workspace::{BlobSink, Candidate, How, Workspace as _};
use overnight_workspace::{GitWorkspace, Options};
use sha2::{Digest, Sha256};

/// Blobs in memory; counts what was put.
#[derive(Default)]
pub struct Blobs {
    kept: Mutex<HashMap<String, Vec<u8>>>,
}

impl BlobSink for Blobs {
    fn put(&self, content: &[u8]) -> std::io::Result<BlobId> {
        let id = Sha256::digest(content)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>();
        self.kept
            .lock()
            .expect("no test panics with it")
            .insert(id.clone(), content.to_vec());
        Ok(BlobId(id))
    }

    fn get(&self, id: &BlobId) -> std::io::Result<Vec<u8>> {
        let kept = self.kept.lock().expect("no test panics with it");
        kept.get(id.as_str())
            .cloned()
            .ok_or_else(|| std::io::Error::other(format!("no blob {id}")))
    }
}

impl Blobs {
    pub fn count(&self) -> usize {
        self.kept.lock().expect("no test panics with it").len()
    }
}

/// Everything that one test needs.
pub struct World {
    pub temp: tempfile::TempDir,
    pub repo: PathBuf,
    pub run: PathBuf,
    pub blobs: Blobs,
}

impl World {
    /// A repository with these files in one commit on `main`.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let world = Self::empty();
        git(&world.repo, &["init", "-q", "-b", "main"]);
        for (path, content) in files {
            put(&world.repo, path, content);
        }
        world.commit("Start");
        world
    }

    /// A folder that is no repository.
    pub fn empty() -> Self {
        let temp = tempfile::tempdir().expect("a temporary folder");
        let repo = temp.path().join("repo");
        std::fs::create_dir(&repo).expect("made");
        let run = temp.path().join("run");
        World {
            temp,
            repo,
            run,
            blobs: Blobs::default(),
        }
    }

    pub fn commit(&self, message: &str) {
        git(&self.repo, &["add", "-A"]);
        git(
            &self.repo,
            &["commit", "-q", "--allow-empty", "-m", message],
        );
    }

    pub fn prepare(&self) -> GitWorkspace {
        self.prepare_with(&[], &[])
    }

    pub fn prepare_with(&self, files: &[&str], licensed: &[&str]) -> GitWorkspace {
        let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        let options = Options {
            files: owned(files),
            licensed: owned(licensed),
        };
        GitWorkspace::prepare(&self.repo, &self.run, &options).expect("prepares")
    }

    /// The agent's folder.
    pub fn dir(&self) -> PathBuf {
        self.run.join("workspace")
    }

    pub fn scan(&self, workspace: &mut GitWorkspace) -> Vec<String> {
        let delta = workspace.scan(&self.blobs).expect("scans");
        let line = |c: overnight_ports::workspace::Change| match c.now {
            Some(_) => c.path,
            None => format!("-{}", c.path),
        };
        delta
            .changes
            .into_iter()
            .map(line)
            .filter(|p| !p.trim_start_matches('-').starts_with(".git/"))
            .collect()
    }

    /// Scans, and fixes a candidate.
    pub fn candidate(&self, workspace: &mut GitWorkspace) -> Candidate {
        workspace.scan(&self.blobs).expect("scans");
        workspace.candidate().expect("a candidate")
    }
}

/// The changes of a candidate: `A path`, `M path`, `D path`.
pub fn changes(candidate: &Candidate) -> Vec<String> {
    let letter = |how| match how {
        How::Added => 'A',
        How::Modified => 'M',
        How::Deleted => 'D',
    };
    candidate
        .changes
        .iter()
        .map(|c| format!("{} {}", letter(c.how), c.path))
        .collect()
}

/// git as a person runs it, with a configuration of its own.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let output = git_output(dir, args);
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

pub fn git_output(dir: &Path, args: &[&str]) -> std::process::Output {
    let mut command = Command::new("git");
    command
        .args([
            "-c",
            "user.name=Ann Ode",
            "-c",
            "user.email=ann@example.org",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_DIR");
    command.output().expect("git runs")
}

pub fn put(dir: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = dir.join(path);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).expect("made");
    }
    std::fs::write(path, content).expect("written");
}

pub fn read(dir: &Path, path: &str) -> String {
    std::fs::read_to_string(dir.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

pub fn link(dir: &Path, path: &str, target: impl AsRef<Path>) {
    std::os::unix::fs::symlink(target, dir.join(path)).expect("linked");
}

pub fn executable(dir: &Path, path: &str) {
    std::fs::set_permissions(dir.join(path), std::fs::Permissions::from_mode(0o755)).expect("set");
}

/// Every file below a folder with its content and mode.
pub fn picture(dir: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).expect("listed") {
            let path = entry.expect("listed").path();
            let kind = path.symlink_metadata().expect("there");
            if kind.is_dir() {
                open.push(path);
                continue;
            }
            let content = if kind.is_symlink() {
                std::fs::read_link(&path)
                    .expect("a link")
                    .to_string_lossy()
                    .into_owned()
                    .into_bytes()
            } else if kind.is_file() {
                std::fs::read(&path).expect("read")
            } else {
                Vec::new()
            };
            let name = path
                .strip_prefix(dir)
                .expect("below")
                .to_string_lossy()
                .into_owned();
            found.insert(name, (kind.permissions().mode(), content));
        }
    }
    found
}

/// The same without anything below `.git`.
pub fn files_of(dir: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut all = picture(dir);
    all.retain(|path, _| !path.starts_with(".git/"));
    all
}

/// A script that leaves a marker when it runs.
pub fn trap(world: &World, name: &str) -> (PathBuf, PathBuf) {
    let marker = world.temp.path().join(format!("{name}.sprung"));
    let script = world.temp.path().join(format!("{name}.sh"));
    std::fs::write(
        &script,
        format!("#!/bin/sh\ntouch '{}'\ncat\n", marker.display()),
    )
    .expect("written");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("set");
    (script, marker)
}

/// Waits until the kernel's clock has ticked, so that what follows has a later time stamp.
pub fn tick() {
    std::thread::sleep(std::time::Duration::from_millis(25));
}
