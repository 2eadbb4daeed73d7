//! Talking with a person: on standard error and standard input, so that standard output stays for the goal.

use std::io::{BufRead, IsTerminal, Read, Write};

use overnight_core::judge::plain;

/// Length of an answer, bytes; what is beyond is left.
const ANSWER_BYTES_MAX: u64 = 4 * 1024;

/// Whether there is somebody to talk with.
pub fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Prints a prompt and waits for a line, without holding up a Ctrl-C; nothing at the end of the input, or if the line
/// says nothing.
pub async fn line(prompt: &str) -> Option<String> {
    eprint!("{prompt}");
    // A prompt that cannot be shown is not worth an error of its own: the answer will be missing.
    let _ = std::io::stderr().flush();
    let read = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        let input = std::io::stdin();
        let mut input = input.lock().take(ANSWER_BYTES_MAX);
        input.read_until(b'\n', &mut bytes).map(|_| bytes)
    });
    let bytes = read.await.ok()?.ok()?;
    if !bytes.ends_with(b"\n") {
        eprintln!();
    }
    let text = plain(&String::from_utf8_lossy(&bytes)).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// Whether standard error takes colours.
pub fn styled() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
