//! A command line of the person's, in the person's own environment: it is theirs, and no model wrote it.

use std::io::{Seek, Write};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use overnight_ports::notifier::Message;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// How long it may take.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of what it complains about is told, bytes.
const COMPLAINT_BYTES_MAX: u64 = 300;

/// Runs it with the notification as JSON on its standard input, and the key in `OVERNIGHT_NOTIFICATION`.
pub async fn send(script: &str, message: &Message) -> Result<(), String> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script);
    run(command, message.json.to_string().as_bytes(), &message.key).await
}

/// Runs a program to its end, or to the end of our patience; then it is killed with all that it started.
pub(super) async fn run(mut command: Command, input: &[u8], key: &str) -> Result<(), String> {
    let mut child = command
        .env("OVERNIGHT_NOTIFICATION", key)
        .stdin(held(input).map_err(|e| format!("its input could not be made: {e}"))?)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| format!("it could not be started: {e}"))?;
    let group = Group(child.id());
    let done = tokio::time::timeout(COMMAND_TIMEOUT, end(&mut child)).await;
    drop(group);
    match done {
        Ok(done) => done,
        Err(_) => Err(format!(
            "it did not end within {} s and was killed",
            COMMAND_TIMEOUT.as_secs()
        )),
    }
}

/// The input as a file without a name: whoever reads it has all of it, also if this process dies at this moment.
fn held(input: &[u8]) -> std::io::Result<Stdio> {
    let mut file = tempfile::tempfile()?;
    file.write_all(input)?;
    file.rewind()?;
    Ok(file.into())
}

async fn end(child: &mut Child) -> Result<(), String> {
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let mut first = stderr.take(COMPLAINT_BYTES_MAX);
        let _ = first.read_to_end(&mut said).await;
        // The rest is read and dropped, so that the command does not stop for want of room.
        let _ = tokio::io::copy(&mut first.into_inner(), &mut tokio::io::sink()).await;
    }
    let status = child
        .wait()
        .await
        .map_err(|e| format!("its end could not be waited for: {e}"))?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    Err(format!("it ended with {status}: {said}"))
}

/// What a command started and left behind goes with it.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // It fails if nothing of it is left.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn message() -> Message {
        Message {
            key: "run-1".into(),
            title: "t".into(),
            text: "x".into(),
            json: serde_json::json!({"key": "run-1", "occasion": "complete"}),
        }
    }

    #[tokio::test]
    async fn it_gets_the_notification_and_its_key() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("got");
        let script = format!(
            "cat > {0}; echo $OVERNIGHT_NOTIFICATION >> {0}",
            file.display()
        );
        send(&script, &message()).await.unwrap();
        let got = std::fs::read_to_string(file).unwrap();
        assert_eq!(got, "{\"key\":\"run-1\",\"occasion\":\"complete\"}run-1\n");
    }

    #[tokio::test]
    async fn what_goes_wrong_is_told_in_its_own_words() {
        let why = send("echo no such mailbox >&2; exit 3", &message())
            .await
            .unwrap_err();
        assert!(
            why.contains("3") && why.contains("no such mailbox"),
            "{why}"
        );
        // One that reads nothing and says much.
        send("exec head -c 3000000 /dev/zero >&2", &message())
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn what_it_leaves_behind_does_not_live_on() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("late");
        let script = format!("(sleep 4; touch {}) >/dev/null 2>&1 & true", file.display());
        let since = Instant::now();
        send(&script, &message()).await.unwrap();
        assert!(since.elapsed() < Duration::from_millis(3_500));
        tokio::time::sleep(Duration::from_millis(4_500)).await;
        assert!(!file.exists());
    }
}
