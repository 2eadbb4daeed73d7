//! Servers of other people's that a test starts: on a port of their own, ended with the test.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(90);
/// How long one answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How often a waiting test looks again.
const LOOK_EVERY: Duration = Duration::from_millis(30);
/// Attempts, should somebody else take the port meanwhile.
const ATTEMPTS_MAX: u32 = 5;
/// Runs a command and ends it as soon as nobody holds the pipe on standard input any more, however its holder died.
const HOLD: &str = r#"exec 3<&0
"$@" </dev/null 3<&- & it=$!
{ cat <&3 >/dev/null; kill "$it"; } 2>/dev/null &
exec 3<&-
wait "$it""#;

/// A server. It is ended when this is dropped, and when the test's process dies.
pub struct Served {
    holder: Child,
    /// Where it listens, on this machine.
    pub port: u16,
}

impl Served {
    /// Starts the command that is made for a free port, and waits until it listens there.
    #[track_caller]
    pub fn start(make: impl Fn(u16) -> Command, log: &Path) -> Served {
        for _ in 0..ATTEMPTS_MAX {
            let port = free_port();
            let holder = hold(&make(port), log);
            let mut server = Served { holder, port };
            if server.listens() {
                return server;
            }
        }
        let said = std::fs::read_to_string(log).unwrap_or_default();
        panic!("no server after {ATTEMPTS_MAX} attempts:\n{said}");
    }

    fn listens(&mut self) -> bool {
        let since = Instant::now();
        while since.elapsed() < START_MAX {
            let ended = self.holder.try_wait().expect("it can be asked").is_some();
            if ended {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        false
    }

    /// One request: the status and the body of its answer.
    #[track_caller]
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> (u16, String) {
        let text = body.map(Value::to_string).unwrap_or_default();
        let bearer = token.map_or_else(String::new, |t| format!("Authorization: Bearer {t}\r\n"));
        // The older version of the protocol: an answer ends where its connection does.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n{bearer}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{text}",
            self.port,
            text.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(ANSWER_MAX)).expect("a time");
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let answer = String::from_utf8_lossy(&answer);
        let parts = answer.split_once("\r\n\r\n");
        let (head, body) = parts.unwrap_or_else(|| panic!("{method} {path}: {answer}"));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{method} {path}: {head}"));
        (status, body.to_owned())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// The command under a shell that holds it.
fn hold(command: &Command, log: &Path) -> Child {
    let log = File::options().create(true).append(true).open(log);
    let log = log.expect("a log");
    let mut holder = Command::new("sh");
    holder.args(["-c", HOLD, "sh"]);
    holder.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        holder.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        holder.env(name, value.unwrap_or_default());
    }
    holder
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("one more"))
        .stderr(log)
        .spawn()
        .expect("sh runs")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
