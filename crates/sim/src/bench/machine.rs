//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::unistd::{SysconfVar, sysconf};

/// Processors, kernel, memory, disk, date, and what else was going on.
pub fn lines(dir: &Path) -> Vec<String> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let date = jiff::Timestamp::now()
        .strftime("%Y-%m-%d %H:%M UTC")
        .to_string();
    vec![
        format!(
            "{cores} cores, {} · Linux {} · {} of memory",
            processor(),
            read("/proc/sys/kernel/osrelease"),
            memory()
        ),
        format!("{date} · on {} · load before: {}", file_system(dir), load()),
    ]
}

fn read(path: &str) -> String {
    fs::read_to_string(path)
        .map_or_else(|e| format!("({path}: {e})"), |text| text.trim().to_owned())
}

fn processor() -> String {
    let text = read("/proc/cpuinfo");
    let name = text.lines().find_map(|line| {
        line.strip_prefix("model name")?
            .split_once(':')
            .map(|(_, name)| name)
    });
    name.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |name| name.trim().to_owned(),
    )
}

fn memory() -> String {
    const KB_PER_GB: f64 = 1024.0 * 1024.0;
    let text = read("/proc/meminfo");
    let kb = text.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    });
    kb.map_or_else(
        || "an unknown amount".to_owned(),
        |kb| format!("{:.0} GB", kb / KB_PER_GB),
    )
}

fn load() -> String {
    read("/proc/loadavg")
        .split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

/// The type of the file system that holds a folder: what a sync costs depends on it.
fn file_system(dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mounts = read("/proc/mounts");
    let holding = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (_, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        dir.starts_with(at).then_some((at.len(), kind))
    });
    holding.max_by_key(|(length, _)| *length).map_or_else(
        || "an unknown file system".to_owned(),
        |(_, kind)| kind.to_owned(),
    )
}

/// Processor time used so far: by everybody, and by this process and the children that it has waited for.
pub struct Clock {
    everybody_s: f64,
    own_s: f64,
    at: Instant,
}

impl Clock {
    /// Now.
    pub fn now() -> Clock {
        Clock {
            everybody_s: everybody_s().unwrap_or(0.0),
            own_s: own_s(),
            at: Instant::now(),
        }
    }

    /// How many cores others have kept busy since then. Figures that were taken meanwhile are worth so much less.
    pub fn others(&self) -> f64 {
        let now = Clock::now();
        let others_s = (now.everybody_s - self.everybody_s) - (now.own_s - self.own_s);
        let passed_s = now.at.duration_since(self.at).as_secs_f64();
        if passed_s > 0.0 {
            (others_s / passed_s).max(0.0)
        } else {
            0.0
        }
    }
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, in ticks.
fn everybody_s() -> Option<f64> {
    const WAITING: [usize; 2] = [3, 4];
    let text = read("/proc/stat");
    let fields = text.lines().next()?.split_whitespace().skip(1).take(8);
    let ticks: Option<Vec<f64>> = fields.map(|field| field.parse().ok()).collect();
    let busy = ticks?.into_iter().enumerate();
    let busy: f64 = busy
        .filter(|(at, _)| !WAITING.contains(at))
        .map(|(_, ticks)| ticks)
        .sum();
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten()?;
    Some(busy / per_second as f64)
}

/// Memory of this process that is in use now, megabytes.
pub fn resident_mb() -> f64 {
    const KB_PER_MB: f64 = 1024.0;
    let text = read("/proc/self/status");
    let kb = text.lines().find_map(|line| {
        let kb = line.strip_prefix("VmRSS:")?.split_whitespace().next()?;
        kb.parse::<f64>().ok()
    });
    kb.unwrap_or(f64::NAN) / KB_PER_MB
}

/// Processor time of this process and the children that it has waited for, seconds.
pub fn own_s() -> f64 {
    const US_PER_S: f64 = 1_000_000.0;
    let of = |who| {
        getrusage(who).map_or(0.0, |used| {
            (used.user_time().num_microseconds() + used.system_time().num_microseconds()) as f64
                / US_PER_S
        })
    };
    of(UsageWho::RUSAGE_SELF) + of(UsageWho::RUSAGE_CHILDREN)
}
