//! What the figures were measured on.

use std::fs;
use std::path::Path;

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
