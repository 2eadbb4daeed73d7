//! Clients that nobody here wrote accept what the mock server sends: the official SDKs of OpenAI and Anthropic from npm.
//!
//! Needs node and npm, and the packages from the registry the first time. Where they are missing it skips and says so,
//! or fails if `CI` is set.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use overnight_models::scripted::Script;
use sim::server::{Options, Outcome, Received, Server};

/// The SDKs as they are required and as they are installed: the versions against which this was tried.
const SDKS: [(&str, &str); 2] = [
    ("openai", "openai@6"),
    ("@anthropic-ai/sdk", "@anthropic-ai/sdk@1"),
];

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
fn the_official_sdk_accepts_responses() {
    let Some(requests) = play("sdk.mjs", Server::base_url) else {
        return;
    };
    // The SDK carries the reasoning back as it came.
    let second = &requests[1].body;
    assert!(
        second["input"][1]["encrypted_content"]
            .as_str()
            .is_some_and(|sealed| sealed.starts_with("scripted-")),
        "{second}"
    );
}

#[test]
fn the_official_sdk_accepts_chat_completions() {
    let Some(requests) = play("sdk-chat.mjs", Server::base_url) else {
        return;
    };
    assert_eq!(requests[0].path, "/v1/chat/completions");
}

#[test]
fn the_official_sdk_accepts_messages() {
    let Some(requests) = play("sdk-messages.mjs", Server::address) else {
        return;
    };
    // The SDK carries the thinking back as it came, and the mock has looked at its signature.
    let thinking = &requests[1].body["messages"][1]["content"][0];
    assert_eq!(thinking["thinking"], "The user wants to go.");
}

/// Runs a program against a server that plays the script; its requests, or nothing if it cannot be run here.
fn play(program: &str, address: fn(&Server) -> String) -> Option<Vec<Received>> {
    let folder = sdks(program)?;
    let script = Script::parse(SCRIPT, Path::new("sdk.yaml")).expect("a script");
    let options = Options {
        keep_bodies: true,
        ..Options::default()
    };
    let server = Server::start(script, options).expect("a free port");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(program);
    let output = Command::new("node")
        .arg(path)
        .arg(address(&server))
        .current_dir(&folder)
        .output()
        .expect("node runs");
    let requests = server.requests();
    assert!(
        output.status.success(),
        "{}\n{}",
        text(&output),
        log(&requests)
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        r#"{"answers":3}"#
    );
    // Three streamed turns and the one that did not stream.
    assert_eq!(server.answers_sent(), 4, "{}", log(&requests));
    let turns = requests.iter().filter(|r| r.outcome == Outcome::Answer);
    assert_eq!(turns.map(|r| r.turn).collect::<Vec<_>>(), [1, 2, 3, 1]);
    Some(requests)
}

/// A folder with the SDKs in it, or nothing, said loudly.
fn sdks(test: &str) -> Option<PathBuf> {
    // Tests run at once; one of them installs.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one = INSTALLING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("official-sdks");
    let installed = |(name, _): &(&str, &str)| {
        let package = folder.join("node_modules").join(name).join("package.json");
        package.is_file()
    };
    if SDKS.iter().all(installed) {
        return Some(folder);
    }
    if Command::new("node").arg("--version").output().is_err() {
        return skip(test, "node is not installed");
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
        .args(SDKS.map(|(_, package)| package))
        .current_dir(&folder)
        .output();
    match install {
        Ok(output) if output.status.success() => Some(folder),
        Ok(output) => skip(
            test,
            &format!("npm could not install the SDKs: {}", text(&output)),
        ),
        Err(error) => skip(test, &format!("npm does not run: {error}")),
    }
}

fn skip(test: &str, why: &str) -> Option<PathBuf> {
    assert!(
        std::env::var_os("CI").is_none(),
        "{test} cannot be run, and CI is set: {why}"
    );
    // Straight to standard error: what a passing test prints with the macros is never seen.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
    None
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn log(requests: &[Received]) -> String {
    requests
        .iter()
        .map(|r| format!("{} {} turn {} {:?}\n", r.method, r.path, r.turn, r.outcome))
        .collect()
}
