//! Running the binary that is measured: how long it takes, and how much memory it takes.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

use crate::table::median;

/// The first argument that makes this program a [`measure`].
pub const MEASURE: &str = "--measure-one-child";

/// The `overnight` binary.
pub struct Program {
    path: PathBuf,
}

/// What a measured run left.
pub struct Measured {
    /// From start to exit, milliseconds.
    pub wall_ms: f64,
    /// Peak memory of the largest process among the program and what it waited for, megabytes.
    pub peak_mb: f64,
}

impl Program {
    /// The one at `path`.
    pub fn new(path: &Path) -> Result<Program, String> {
        let path = path
            .canonicalize()
            .map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Program { path })
    }

    /// What it says it is, and whether it was built for speed.
    pub fn version(&self) -> Result<String, String> {
        let out = Command::new(&self.path).arg("--version").output();
        let out = out.map_err(|e| format!("{}: {e}", self.path.display()))?;
        let profile = self
            .path
            .parent()
            .and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy();
        Ok(format!(
            "{}, built for `{profile}`",
            String::from_utf8_lossy(&out.stdout).trim()
        ))
    }

    /// A command with a home of its own and nothing of the person's settings.
    fn command(&self, program: &Path, home: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OVERNIGHT_") {
                command.env_remove(name);
            }
        }
        command.env("OVERNIGHT_HOME", home).stdin(Stdio::null());
        command
    }

    /// How long it takes, milliseconds: the median of several times.
    pub fn time(&self, home: &Path, args: &[&str], times: usize) -> Result<f64, String> {
        median_of(times, || {
            let mut command = self.command(&self.path, home);
            command.args(args);
            command
        })
    }

    /// Runs it from `folder` against a model server, and measures its memory.
    pub fn run(
        &self,
        home: &Path,
        folder: &Path,
        base_url: &str,
        args: &[&str],
    ) -> Result<Measured, String> {
        self.run_to(home, folder, base_url, args, 0)
    }

    /// The same, if it is to end with this exit code.
    pub fn run_to(
        &self,
        home: &Path,
        folder: &Path,
        base_url: &str,
        args: &[&str],
        code: i32,
    ) -> Result<Measured, String> {
        let own = std::env::current_exe().map_err(|e| format!("where this program is: {e}"))?;
        let usage = home.join("usage.txt");
        let mut command = self.command(&own, home);
        command
            .arg(MEASURE)
            .arg(&usage)
            .arg(&self.path)
            .args(args)
            .current_dir(folder);
        command
            .env("OPENAI_BASE_URL", base_url)
            .env("OPENAI_API_KEY", "sk-bench")
            .env("NO_PROXY", "127.0.0.1");
        let started = Instant::now();
        let out = command
            .output()
            .map_err(|e| format!("{}: {e}", own.display()))?;
        let wall_ms = millis(started);
        ended_with(&out, &format!("overnight {}", args.join(" ")), code)?;
        let text =
            std::fs::read_to_string(&usage).map_err(|e| format!("{}: {e}", usage.display()))?;
        const KB_PER_MB: f64 = 1024.0;
        let peak_kb: f64 = text
            .trim()
            .parse()
            .map_err(|_| format!("{}: `{text}` is no number", usage.display()))?;
        Ok(Measured {
            wall_ms,
            peak_mb: peak_kb / KB_PER_MB,
        })
    }
}

/// How long the smallest shell takes, milliseconds: the median.
pub fn time_sh(times: usize) -> Result<f64, String> {
    median_of(times, || {
        let mut command = Command::new("sh");
        command.args(["-c", "true"]).stdin(Stdio::null());
        command
    })
}

fn median_of(times: usize, make: impl Fn() -> Command) -> Result<f64, String> {
    let mut taken = Vec::with_capacity(times);
    for _ in 0..times {
        let mut command = make();
        let started = Instant::now();
        let out = command.output().map_err(|e| format!("{command:?}: {e}"))?;
        taken.push(millis(started));
        well(&out, &format!("{command:?}"))?;
    }
    median(&mut taken).ok_or_else(|| "nothing was run".to_owned())
}

fn well(out: &Output, what: &str) -> Result<(), String> {
    ended_with(out, what, 0)
}

fn ended_with(out: &Output, what: &str, code: i32) -> Result<(), String> {
    const SHOWN_LINES: usize = 20;
    if out.status.code() == Some(code) {
        return Ok(());
    }
    let said = [out.stdout.as_slice(), out.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let tail = lines
        .get(lines.len().saturating_sub(SHOWN_LINES)..)
        .unwrap_or_default()
        .join("\n");
    Err(format!("`{what}` ended with {}:\n{tail}", out.status))
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// The other half of [`Program::run`], in a process of its own: runs one child and writes to a file what the kernel
/// says of its memory, kilobytes. Apart, because the kernel tells it of all children together, and because a process
/// begins with the memory of the one that started it, which is therefore to be small.
pub fn measure(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(usage), Some(program)) = (args.next(), args.next()) else {
        return ExitCode::from(2);
    };
    let done = Command::new(&program).args(args).status();
    let written = getrusage(UsageWho::RUSAGE_CHILDREN)
        .map_err(std::io::Error::from)
        .and_then(|found| {
            use std::io::Write;
            writeln!(File::create(&usage)?, "{}", found.max_rss())
        });
    match (done, written) {
        (Ok(status), Ok(())) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            ExitCode::from(code.unwrap_or(u8::MAX))
        }
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("error: {}: {error}", program.to_string_lossy());
            ExitCode::FAILURE
        }
    }
}
