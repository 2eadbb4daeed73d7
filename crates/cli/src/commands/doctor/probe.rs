//! What the machine offers: git, kernel, disk, toolchains. Looks only; nothing is left behind.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Finding, State};

/// How long a tool may take to say its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is asked whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Space below which a run is likely to fail, bytes.
const SPACE_NEEDED: u64 = 100 * 1024 * 1024;
/// Space below which a run with large dependencies may fail, bytes.
const SPACE_WANTED: u64 = 2 * 1024 * 1024 * 1024;
/// How many files of a cache are counted.
const COUNTED_MAX: usize = 200_000;

/// What a program says when it is asked for its version: its first line. Asked at the root, so that no folder that
/// came from outside decides which version answers.
fn version(program: &str, argument: &str) -> Option<String> {
    let mut child = Command::new(program)
        .arg(argument)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let since = Instant::now();
    let status = loop {
        match child.try_wait().ok()? {
            Some(status) => break status,
            None if since.elapsed() > VERSION_TIMEOUT => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    let mut said = String::new();
    child
        .stdout
        .take()?
        .take(4096)
        .read_to_string(&mut said)
        .ok()?;
    let line = said.lines().next().unwrap_or("").trim().to_owned();
    (status.success() && !line.is_empty()).then_some(line)
}

/// Git, which every run needs.
pub fn git() -> Finding {
    match version("git", "--version") {
        Some(says) => Finding::new("git", State::Ok, says),
        None => Finding::new("git", State::Failure, "git is not on PATH")
            .next("install git: https://git-scm.com/downloads"),
    }
}

/// The kernel's name and release.
pub fn kernel() -> Finding {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let says = format!(
        "{} {} {}",
        std::env::consts::OS,
        release.trim(),
        std::env::consts::ARCH
    );
    Finding::new("kernel", State::Info, says)
}

/// Whether runs can be written down, and how much room there is.
pub fn home(home: &Path) -> Finding {
    let shown = home.display();
    let Some(there) = home.ancestors().find(|dir| dir.exists()) else {
        return Finding::new(
            "home",
            State::Failure,
            format!("{shown} has no folder above it"),
        );
    };
    // A file without a name: proves that writing works, and is gone at once.
    if let Err(e) = tempfile::tempfile_in(there) {
        return Finding::new(
            "home",
            State::Failure,
            format!("{shown} cannot be written: {e}"),
        )
        .next("give yourself the right to, or export OVERNIGHT_HOME=/a/folder/of/yours");
    }
    let free = match nix::sys::statvfs::statvfs(there) {
        // The fields' widths differ between systems.
        #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
        Ok(about) => (about.blocks_available() as u64).saturating_mul(about.fragment_size() as u64),
        Err(e) => return Finding::new("home", State::Warning, format!("{shown}: {e}")),
    };
    let says = format!("{shown}, {} free", size(free));
    let more = "make room, or export OVERNIGHT_HOME=/a/larger/disk";
    if free < SPACE_NEEDED {
        Finding::new("home", State::Failure, says).next(more)
    } else if free < SPACE_WANTED {
        Finding::new("home", State::Warning, says).next(more)
    } else {
        Finding::new("home", State::Ok, says)
    }
}

/// What is kept from earlier runs, and what of it can go.
pub fn caches(home: &Path) -> Finding {
    let mut parts = Vec::new();
    for (folder, what) in [
        ("runs", "runs"),
        ("setup", "setups"),
        ("preflight", "preflight results"),
    ] {
        let dir = home.join(folder);
        let entries = fs::read_dir(&dir).map_or(0, |all| all.filter_map(Result::ok).count());
        if entries > 0 {
            let (bytes, whole) = weigh(&dir);
            let more = if whole { "" } else { "more than " };
            parts.push(format!("{entries} {what} ({more}{})", size(bytes)));
        }
    }
    if parts.is_empty() {
        return Finding::new("kept", State::Info, "nothing yet");
    }
    Finding::new(
        "kept",
        State::Info,
        format!(
            "{}; setup and preflight can be deleted at any time",
            parts.join(", ")
        ),
    )
}

/// The size of everything below a folder, and whether that was everything.
fn weigh(dir: &Path) -> (u64, bool) {
    let (mut bytes, mut counted) = (0u64, 0usize);
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        let Ok(entries) = fs::read_dir(dir) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            counted += 1;
            if counted > COUNTED_MAX {
                return (bytes, false);
            }
            match entry.metadata() {
                Ok(about) if about.is_dir() => open.push(entry.path()),
                Ok(about) => bytes = bytes.saturating_add(about.len()),
                Err(_) => {}
            }
        }
    }
    (bytes, true)
}

fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} B"),
    }
}

/// Whether the current folder is one that a run could work on. A goal that delivers nothing needs none.
pub fn repository(folder: &Path) -> Finding {
    if crate::config::root(folder).is_none() {
        return Finding::new(
            "repository",
            State::Warning,
            "the current folder is in no git repository",
        )
        .next("go to your repository; only goals with `deliver: none` need none");
    }
    match overnight_workspace::head(folder) {
        Ok(head) => Finding::new("repository", State::Ok, format!("at {}", head.short())),
        Err(e) => Finding::new("repository", State::Warning, e.to_string())
            .next("git add -A && git commit -m \"begin\""),
    }
}

/// Which languages' tools are there: a goal's checks need those of its repository.
pub fn toolchains() -> Vec<Finding> {
    const TOOLS: [(&str, &str, &str); 6] = [
        ("node", "node", "--version"),
        ("npm", "npm", "--version"),
        ("python", "python3", "--version"),
        ("pytest", "pytest", "--version"),
        ("cargo", "cargo", "--version"),
        ("go", "go", "version"),
    ];
    std::thread::scope(|scope| {
        let asked: Vec<_> = TOOLS
            .into_iter()
            .map(|(name, program, argument)| {
                (name, scope.spawn(move || version(program, argument)))
            })
            .collect();
        asked
            .into_iter()
            .map(|(name, answer)| match answer.join().ok().flatten() {
                Some(says) => Finding::new(name, State::Info, says),
                None => Finding::new(name, State::Info, "not found"),
            })
            .collect()
    })
}
