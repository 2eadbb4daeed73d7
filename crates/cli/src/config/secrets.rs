//! Secrets by the names of variables: from the environment, else from a command of the person's that asks a keyring.
//!
//! Only the person's own file names such commands. What one prints is kept in this process's memory, is handed over as
//! a [`SecretString`], and is in no message, file or environment; what it complains about may hold the secret as well
//! and is not read.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use secrecy::SecretString;

use crate::problem::usage;

/// How long a command may take: long enough for a person who is asked by a window.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
/// How long its output may stay open once it has ended.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often it is asked whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Longest secret that is read, bytes.
const SECRET_BYTES_MAX: usize = 16 * 1024;
/// What a shell ends with where it cannot find a program.
const NOT_FOUND: i32 = 127;
/// What a shell ends with where it may not start a program.
const NOT_STARTED: i32 = 126;

/// What commands have printed in this process: each is run once, when its secret is needed first. Failures are kept as
/// well, so that nobody is asked by their keyring again and again.
static PRINTED: Mutex<BTreeMap<String, Result<SecretString, String>>> = Mutex::new(BTreeMap::new());

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whence {
    /// The variable is set.
    Environment,
    /// A command; where it stands in the person's file.
    Command(String),
    /// Nobody has it.
    Missing,
}

impl Whence {
    /// For programs; nothing if it is missing.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Whence::Environment => Some("environment"),
            Whence::Command(_) => Some("command"),
            Whence::Missing => None,
        }
    }
}

/// The secrets of this process.
#[derive(Default, Clone)]
pub struct Secrets {
    /// By name: the command, and where it stands.
    commands: BTreeMap<String, (String, String)>,
}

impl Secrets {
    /// Notes a command that prints a secret.
    pub fn put(&mut self, name: &str, command: &str, place: &str) {
        let asked = (command.to_owned(), place.to_owned());
        self.commands.insert(name.to_owned(), asked);
    }

    /// The names that have a command.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.commands.keys().map(String::as_str)
    }

    /// Where a secret would come from. Nothing is started.
    pub fn whence(&self, name: &str) -> Whence {
        match (in_environment(name), self.commands.get(name)) {
            (Some(_), _) => Whence::Environment,
            (None, Some((_, place))) => Whence::Command(place.clone()),
            (None, None) => Whence::Missing,
        }
    }

    /// A secret, if there is one. An error if its command fails; it never holds what the command printed, nor the
    /// command itself, which may have been meant to be the secret.
    pub fn get(&self, name: &str) -> anyhow::Result<Option<SecretString>> {
        if let Some(value) = in_environment(name) {
            return Ok(Some(SecretString::from(value)));
        }
        let Some((command, place)) = self.commands.get(name) else {
            return Ok(None);
        };
        // A poisoned lock would mean a panic while a command ran: what is kept is whole all the same.
        let mut printed = PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
        let had = match printed.get(command) {
            Some(had) => had.clone(),
            None => {
                let had = ask(command, COMMAND_TIMEOUT);
                printed.insert(command.clone(), had.clone());
                had
            }
        };
        had.map(Some).map_err(|why| {
            usage(format!(
                "{place}: the command for the secret {name} gave none: {why}; or set the environment variable {name}"
            ))
        })
    }
}

/// A variable that holds more than blanks.
fn in_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.trim().is_empty())
}

/// Runs a command to its end, or to the end of our patience; then it is killed with all that it started.
fn ask(command: &str, limit: Duration) -> Result<SecretString, String> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        // No folder that came from outside decides what a command means.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|e| format!("it could not be started: {e}"))?;
    let output = child.stdout.take();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = match output {
            Some(output) => output
                .take(SECRET_BYTES_MAX as u64 + 1)
                .read_to_end(&mut bytes),
            None => Ok(0),
        };
        // Nobody listens any more if it took too long.
        let _ = send.send(read.map(|_| bytes));
    });
    let ended = wait(&mut child, limit);
    // What it started and left behind goes with it.
    if let Ok(group) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let status = match ended {
        Some(status) => status.map_err(|e| format!("its end could not be waited for: {e}"))?,
        None => {
            let _ = child.wait();
            return Err(format!(
                "it did not end within {} s and was killed; it has no terminal to ask at, so unlock the keyring first",
                limit.as_secs()
            ));
        }
    };
    if !status.success() {
        return Err(match status.code() {
            Some(NOT_FOUND) => format!(
                "a program in it was not found (exit code {NOT_FOUND}); it stands for a command line of `sh`, not for the secret itself"
            ),
            Some(NOT_STARTED) => {
                format!("a program in it could not be started (exit code {NOT_STARTED})")
            }
            Some(code) => format!(
                "it ended with exit code {code}; what it said may hold the secret and was not read: try it in your shell"
            ),
            None => format!("it was ended from outside ({status})"),
        });
    }
    let bytes = receive
        .recv_timeout(OUTPUT_TIMEOUT)
        .map_err(|_| "something that it left behind keeps its output open".to_owned())?
        .map_err(|e| format!("its output could not be read: {e}"))?;
    secret(bytes)
}

fn wait(child: &mut Child, limit: Duration) -> Option<std::io::Result<ExitStatus>> {
    let since = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(Ok(status)),
            Err(error) => return Some(Err(error)),
            Ok(None) if since.elapsed() >= limit => return None,
            Ok(None) => std::thread::sleep(LOOK_EVERY),
        }
    }
}

/// One line without blanks around it.
fn secret(bytes: Vec<u8>) -> Result<SecretString, String> {
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(format!(
            "it printed more than {} KiB",
            SECRET_BYTES_MAX / 1024
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it printed what is not UTF-8".to_owned())?;
    match text.trim() {
        "" => Err("it printed nothing".to_owned()),
        line if line.contains('\n') => Err(
            "it printed several lines, and a secret is one: put for example `| head -n 1` behind it"
                .to_owned(),
        ),
        line => Ok(SecretString::from(line)),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn secrets(name: &str, command: &str) -> Secrets {
        let mut secrets = Secrets::default();
        secrets.put(name, command, "config.toml:2:1");
        secrets
    }

    fn had(command: &str) -> Result<String, String> {
        let had = secrets("OVERNIGHT_TEST_SECRET", command).get("OVERNIGHT_TEST_SECRET");
        match had {
            Ok(had) => Ok(had.expect("there is a command").expose_secret().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_command_gives_its_one_line() {
        assert_eq!(had("printf 'hush-1 \\n\\n'"), Ok("hush-1".into()));
        assert_eq!(had("echo hush-2 | tr h m"), Ok("musm-2".into()));
        // Neither the terminal nor the folder of a repository has a part in it.
        assert_eq!(had("cat; pwd"), Ok("/".into()));
    }

    #[test]
    fn what_goes_wrong_is_told_without_a_word_of_the_command_or_its_output() {
        for (command, says) in [
            ("sntrys_hush", "was not found (exit code 127)"),
            ("echo hush; echo hush >&2; exit 3", "exit code 3"),
            ("printf ' \\n'; : hush", "printed nothing"),
            ("printf 'hush\\nhush\\n'", "several lines"),
            ("printf '\\377hush'", "not UTF-8"),
            ("head -c 20000 /dev/zero; : hush", "more than 16 KiB"),
            ("kill -9 $$; : hush", "ended from outside"),
        ] {
            let why = had(command).unwrap_err();
            assert!(
                why.starts_with("config.toml:2:1: ")
                    && why.contains("OVERNIGHT_TEST_SECRET")
                    && why.contains(says)
                    && !why.contains("hush"),
                "{command}: {why}"
            );
        }
    }

    #[test]
    fn one_that_does_not_end_is_killed_with_all_that_it_started() {
        let since = Instant::now();
        let why = ask("sleep 30 | sleep 30; echo x", Duration::from_millis(200)).unwrap_err();
        assert!(why.contains("did not end"), "{why}");
        // One that leaves something behind which holds its output.
        let left = ask("sleep 30 & echo hush", Duration::from_secs(20)).map(|_| ());
        assert_eq!(left, Ok(()));
        assert!(since.elapsed() < Duration::from_secs(15));
    }

    #[test]
    fn a_command_is_run_once_and_not_at_all_where_the_variable_is_set() {
        let temp = tempfile::tempdir().unwrap();
        let count = temp.path().join("count");
        let command = format!("echo x >> {}; echo hush", count.display());
        // CARGO_MANIFEST_DIR is set wherever tests run.
        let set = secrets("CARGO_MANIFEST_DIR", &command);
        assert_eq!(set.whence("CARGO_MANIFEST_DIR"), Whence::Environment);
        set.get("CARGO_MANIFEST_DIR").unwrap().unwrap();
        assert!(!count.exists());
        assert_eq!(
            set.get("OVERNIGHT_TEST_NONE").unwrap().map(|_| ()),
            None,
            "a name without a command"
        );
        for _ in 0..3 {
            assert_eq!(had(&command), Ok("hush".into()));
        }
        assert_eq!(std::fs::read_to_string(count).unwrap(), "x\n");
    }
}
