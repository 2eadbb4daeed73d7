//! `sim --seeds N [--from S] [--jobs J]`: plays simulated nights and says whether every law held. A failure prints the
//! seed, the command that plays it again, and the last events before it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sim::night::life::{Run, play};

const USAGE: &str = "usage: sim [--seeds N] [--from S] [--jobs J] [--journal]

  --seeds N    how many seeds to play (default 1000)
  --from S     the first of them (default 1)
  --jobs J     how many at a time (default: one for each core)
  --journal    print every event of every run as JSON: for one seed";
/// How many seeds are played if nobody says.
const SEEDS_DEFAULT: u64 = 1_000;
/// How many failures are printed, each when it is found.
const FAILURES_SHOWN: u64 = 10;

struct Options {
    seeds: u64,
    from: u64,
    jobs: u64,
    journal: bool,
}

#[derive(Default)]
struct Sums {
    events: u64,
    crashes: u64,
    requests: u64,
    duplicates: u64,
    simulated_ms: u64,
    state_bytes: usize,
    ends: BTreeMap<&'static str, u64>,
    pairs: BTreeSet<(&'static str, &'static str)>,
    violations: u64,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("error: {message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    // What panics is a violation, and is printed as one.
    std::panic::set_hook(Box::new(|_| {}));
    let started = Instant::now();
    let sums = Mutex::new(Sums::default());
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.seeds {
                        return;
                    }
                    let seed = options.from.wrapping_add(number);
                    let run = play(seed);
                    if options.journal {
                        println!("{}", run.journal.join("\n"));
                    }
                    let mut sums = sums.lock().unwrap_or_else(|e| e.into_inner());
                    sums.add(seed, &run);
                }
            });
        }
    });
    let sums = sums.into_inner().unwrap_or_else(|e| e.into_inner());
    let seconds = started.elapsed().as_secs_f64();
    sums.print(options.seeds, seconds);
    ExitCode::from(u8::from(sums.violations > 0))
}

impl Sums {
    fn add(&mut self, seed: u64, run: &Run) {
        let figures = &run.figures;
        self.events += figures.events;
        self.crashes += figures.crashes;
        self.requests += figures.requests;
        self.duplicates += figures.duplicates;
        self.simulated_ms += figures.simulated_ms;
        self.state_bytes = self.state_bytes.max(figures.state_bytes);
        self.pairs.extend(&figures.pairs);
        *self.ends.entry(run.end).or_default() += 1;
        if let Some(broken) = &run.broken {
            self.violations += 1;
            if self.violations <= FAILURES_SHOWN {
                println!(
                    "seed {seed}: {}: {}\n  again: cargo run -p sim -- --seeds 1 --from {seed} --journal\n    {}",
                    broken.law,
                    broken.what,
                    broken.events.join("\n    ")
                );
            }
        }
    }

    fn print(&self, runs: u64, seconds: f64) {
        const MS_PER_YEAR: f64 = 365.25 * 24.0 * 3_600_000.0;
        let ends: Vec<String> = self
            .ends
            .iter()
            .map(|(end, n)| format!("{end} {n}"))
            .collect();
        println!(
            "simulation: {runs} runs, {} events, {} crashes, {} violations, {seconds:.1} seconds",
            self.events, self.crashes, self.violations
        );
        println!(
            "  {} model requests, {} duplicates of facts, {} pairs of status and event, {:.1} simulated years, largest \
             state {} bytes",
            self.requests,
            self.duplicates,
            self.pairs.len(),
            self.simulated_ms as f64 / MS_PER_YEAR,
            self.state_bytes
        );
        println!("  ends: {}", ends.join(", "));
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut options = Options {
        seeds: SEEDS_DEFAULT,
        from: 1,
        jobs: cores,
        journal: false,
    };
    while let Some(name) = args.next() {
        let mut number = || -> Result<u64, String> {
            let value = args.next().ok_or(format!("{name} needs a number"))?;
            value
                .replace('_', "")
                .parse()
                .map_err(|_| format!("{name} {value} is no number"))
        };
        match name.as_str() {
            "--seeds" => options.seeds = number()?,
            "--from" => options.from = number()?,
            "--jobs" => options.jobs = number()?.max(1),
            "--journal" => options.journal = true,
            "-h" | "--help" => return Ok(None),
            other => return Err(format!("there is no option {other}")),
        }
    }
    Ok(Some(options))
}
