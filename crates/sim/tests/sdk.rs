//! A client that nobody here wrote accepts what the mock server sends: the official OpenAI SDK from npm.
//!
//! Needs node and npm, and the package from the registry the first time. Skips, and says so, where there is neither.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use overnight_models::scripted::Script;
use sim::server::{Options, Outcome, Server};

/// The SDK's major version, against which this was tried.
const SDK: &str = "openai@6";

const SCRIPT: &str = r#"
turns:
  - think: The user wants to go.
    say: I look – ä 😀.
    calls:
      - shell: {command: "ls -la"}
      - shell: {command: "cat a-file-with-a-name-that-needs-more-than-one-delta.txt"}
  - shell: pwd
    wire: {piece_bytes: 5, crlf: true, bom: true, comments: true}
  - say: Done.
    claim_done: All of it.
"#;

#[test]
fn the_official_sdk_accepts_the_stream() {
    let Some(folder) = sdk() else { return };
    let script = Script::parse(SCRIPT, Path::new("sdk.yaml")).expect("a script");
    let server = Server::start(
        script,
        Options {
            keep_bodies: true,
            ..Options::default()
        },
    )
    .expect("a free port");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk.mjs");
    let output = Command::new("node")
        .arg(program)
        .arg(server.base_url())
        .current_dir(&folder)
        .output()
        .expect("node runs");
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output),
        server_log(&server)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        r#"{"answers":3}"#
    );
    // Three streamed turns and the one that did not stream.
    assert_eq!(server.answers_sent(), 4);
    let turns: Vec<u64> = server
        .requests()
        .iter()
        .filter(|r| r.outcome == Outcome::Answer)
        .map(|r| r.turn)
        .collect();
    assert_eq!(turns, [1, 2, 3, 1]);
    // The SDK carries the reasoning back as it came.
    let second = &server.requests()[1].body;
    assert!(
        second["input"][1]["encrypted_content"]
            .as_str()
            .is_some_and(|sealed| sealed.starts_with("scripted-")),
        "{second}"
    );
}

/// A folder with the SDK in it, or nothing, said loudly.
fn sdk() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openai-sdk");
    if folder.join("node_modules/openai/package.json").is_file() {
        return Some(folder);
    }
    if Command::new("node").arg("--version").output().is_err() {
        return skip("node is not installed");
    }
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    let install = Command::new("npm")
        .args([
            "install",
            "--no-save",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            ".",
        ])
        .arg(SDK)
        .current_dir(&folder)
        .output();
    match install {
        Ok(output) if output.status.success() => Some(folder),
        Ok(output) => skip(&format!("npm could not install {SDK}: {}", text(&output))),
        Err(error) => skip(&format!("npm does not run: {error}")),
    }
}

fn skip(why: &str) -> Option<PathBuf> {
    // Straight to standard error: what a passing test prints with the macros is never seen.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED the_official_sdk_accepts_the_stream: {why}"
    );
    None
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn server_log(server: &Server) -> String {
    server
        .requests()
        .iter()
        .map(|r| format!("{} {} turn {} {:?}\n", r.method, r.path, r.turn, r.outcome))
        .collect()
}
