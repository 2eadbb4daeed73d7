//! What the tests share: a machine's worth of folders, a cell in them, and commands.

#![allow(dead_code, reason = "every test program uses a part of it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(target_os = "linux")]
use overnight_ports::sandbox::Sandbox as _;
use overnight_ports::sandbox::{Cell, CellSpec, Command, Exit, Finished, Network, Streams};
#[cfg(target_os = "linux")]
use overnight_sandbox::{LinuxCell, LinuxSandbox};

pub struct World {
    pub dir: tempfile::TempDir,
}

impl World {
    pub fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["workspace", "private", "hidden"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        World { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn spec(&self) -> CellSpec {
        CellSpec {
            inside: overnight_ports::sandbox::WORKSPACE_INSIDE.into(),
            workspace: self.path("workspace"),
            private: self.path("private"),
            base_layer: None,
            layers: Vec::new(),
            readonly: Vec::new(),
            network: Network::Loopback,
            env: BTreeMap::new(),
            hidden: vec![self.path("hidden")],
        }
    }
}

#[cfg(target_os = "linux")]
pub fn linux() -> LinuxSandbox {
    LinuxSandbox::with_helper(PathBuf::from(env!("CARGO_BIN_EXE_overnight-cell")))
}

/// A sandbox, if this kernel has what it takes; says loudly if not. That is asked of the system's own tool and not of
/// the code under test, which would pass all of its tests by refusing to work.
#[cfg(target_os = "linux")]
pub async fn sandbox() -> Option<LinuxSandbox> {
    let arguments = [
        "--user",
        "--map-current-user",
        "--mount",
        "--pid",
        "--net",
        "--ipc",
        "--fork",
        "--mount-proc",
        "true",
    ];
    let namespaces = std::process::Command::new("unshare")
        .args(arguments)
        .output();
    let works = namespaces.is_ok_and(|output| output.status.success());
    let landlock = !linux().describe().contains("landlock(0)");
    if works && landlock {
        return Some(linux());
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "this kernel offers no sandbox: namespaces: {works}, landlock: {landlock}"
    );
    eprintln!("SKIPPED, nothing was tested: namespaces: {works}, landlock: {landlock}");
    None
}

#[cfg(target_os = "linux")]
pub async fn open(spec: CellSpec) -> Option<LinuxCell> {
    Some(
        sandbox()
            .await?
            .open_cell(spec)
            .await
            .expect("the cell opens"),
    )
}

pub fn command(script: &str) -> Command {
    Command {
        script: script.to_owned(),
        dir: String::new(),
        env: BTreeMap::new(),
        timeout: Duration::from_secs(60),
        stdin: None,
        streams: Streams::Merged,
    }
}

pub fn text(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.stdout)
        .trim_end()
        .to_owned()
}

/// Runs a script that must succeed, and gives what it printed.
pub async fn ok(cell: &dyn Cell, script: &str) -> String {
    let finished = cell.run(command(script)).await.expect("the command runs");
    assert_eq!(
        finished.exit,
        Exit::Code(0),
        "{script}\n{}",
        text(&finished)
    );
    text(&finished)
}

/// Runs a script that must fail, and gives what it printed.
pub async fn fails(cell: &dyn Cell, script: &str) -> String {
    let finished = cell.run(command(script)).await.expect("the command runs");
    assert!(
        matches!(finished.exit, Exit::Code(code) if code != 0),
        "{script}: {:?}\n{}",
        finished.exit,
        text(&finished)
    );
    text(&finished)
}

/// Whether a process of the host runs whose command line holds this.
pub fn is_running(mark: &str) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|p| {
            p.file_name()
                .to_str()
                .is_some_and(|name| name.parse::<u32>().is_ok())
        })
        .any(|process| {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(mark)
        })
}

/// Waits until `condition` holds; fails after ten seconds.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within ten seconds: {what}");
}

pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Talks to a command over its standard streams: what it is told and what it says come one after the other, its standard
/// error is apart, and the end of its input is its end.
pub async fn conversation(cell: &dyn Cell) {
    use std::io::{BufRead, BufReader, Write};
    let script = "echo warn >&2; while read line; do echo \"you said $line\"; done; exit 3";
    let mut talk = cell.talk(command(script)).await.expect("it starts");
    let mut lines = BufReader::new(talk.stdout).lines();
    for word in ["one", "two"] {
        writeln!(talk.stdin, "{word}").expect("it reads");
        let line = lines.next().expect("it answers").expect("text");
        assert_eq!(line, format!("you said {word}"));
    }
    assert_eq!(talk.command.exit(), None);
    drop(talk.stdin);
    assert_eq!(talk.command.wait().await, Exit::Code(3));
    assert!(lines.next().is_none());
    assert_eq!(talk.command.output(0), b"warn\n");
}
