//! Many runs that wait in one process: what they hold of memory, what they use of the processor, when they wake.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use sim::crowd::{Waits, wait};

use crate::machine;

/// The first argument that makes this program [`measure`].
pub const MEASURE: &str = "--measure-one-crowd";
/// How long the first run waits from when all of them have come so far, milliseconds.
const FIRST_MS: u64 = 60_000;
/// How much longer each waits than the one before, milliseconds.
const APART_MS: u64 = 50;
/// Files that one run holds open: the journal, its log, its shared memory, its lock; one more for safety.
const FILES_PER_RUN: u64 = 5;
/// Files that are open beside them.
const FILES_BESIDE: u64 = 64;

/// What was seen of them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Seen {
    /// How many there were.
    pub runs: usize,
    /// Resident memory while all of them waited, megabytes.
    pub resident_mb: f64,
    /// How long that was, seconds.
    pub waited_s: f64,
    /// Share of one core that was used meanwhile, percent.
    pub busy_percent: f64,
    /// Requests to a model meanwhile.
    pub asked: u64,
    /// Runs that woke, and asked their model again.
    pub woke: u64,
    /// The earliest and the latest that one woke after its time, milliseconds.
    pub late_ms: (i64, i64),
}

/// Lets so many runs wait, in a process of its own; `home` keeps their journals.
pub fn crowd(home: &Path, runs: usize) -> Result<Seen, String> {
    let own = std::env::current_exe().map_err(|e| format!("where this program is: {e}"))?;
    let out = Command::new(&own)
        .arg(MEASURE)
        .arg(home)
        .arg(runs.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("{}: {e}", own.display()))?;
    if !out.status.success() {
        return Err(format!("{runs} waiting runs ended with {}", out.status));
    }
    serde_json::from_slice(&out.stdout).map_err(|e| format!("what they said: {e}"))
}

/// The other half of [`crowd`].
pub fn measure(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let home = args.next().map(PathBuf::from);
    let runs = args.next().and_then(|n| n.to_str()?.parse().ok());
    let (Some(home), Some(runs)) = (home, runs) else {
        return ExitCode::from(2);
    };
    match play(&home, runs).and_then(|seen| serde_json::to_string(&seen).map_err(|e| e.to_string()))
    {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One measurement.
struct At {
    when: Instant,
    resident_mb: f64,
    used_s: f64,
}

fn play(home: &Path, runs: usize) -> Result<Seen, String> {
    room_for(runs)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|e| e.to_string())?;
    let plan = Waits {
        runs,
        first_ms: FIRST_MS,
        apart_ms: APART_MS,
        look_every: Duration::from_secs(1),
    };
    let now = || At {
        when: Instant::now(),
        resident_mb: machine::resident_mb(),
        used_s: machine::own_s(),
    };
    let crowd = runtime.block_on(wait(home, plan, Box::new(now)))?;
    let waited_s = (crowd.waited.when - crowd.begun.when).as_secs_f64();
    const PERCENT: f64 = 100.0;
    let used_s = crowd.waited.used_s - crowd.begun.used_s;
    let earliest = crowd.late_ms.iter().copied().min().unwrap_or_default();
    let latest = crowd.late_ms.iter().copied().max().unwrap_or_default();
    if crowd.late_ms.len() != runs {
        return Err(format!("{} of {runs} runs woke", crowd.late_ms.len()));
    }
    Ok(Seen {
        runs,
        resident_mb: crowd.waited.resident_mb.max(crowd.begun.resident_mb),
        waited_s,
        busy_percent: used_s / waited_s * PERCENT,
        asked: crowd.asked_while_waiting,
        woke: crowd.asked_again,
        late_ms: (earliest, latest),
    })
}

/// Lets this process open as many files as they need.
fn room_for(runs: usize) -> Result<(), String> {
    let wanted = runs as u64 * FILES_PER_RUN + FILES_BESIDE;
    let limits = getrlimit(Resource::RLIMIT_NOFILE).map_err(|e| e.to_string())?;
    let (soft, hard) = limits;
    if soft >= wanted {
        return Ok(());
    }
    if hard < wanted {
        return Err(format!(
            "{runs} runs need {wanted} open files, and {hard} are allowed: say `--runs {}`",
            hard.saturating_sub(FILES_BESIDE) / FILES_PER_RUN
        ));
    }
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).map_err(|e| e.to_string())
}
