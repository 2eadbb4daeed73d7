//! What overnight costs: prints start-up time, memory, overhead per turn, appends per second, request sizes, and what a
//! long run and many waiting ones come to, of the real `overnight` binary (the waiting runs: of its engine), against a mock model server over HTTP, in the sandbox, on a durable journal.
//!
//! ```sh
//! cargo build --release -p overnight
//! cargo run --release -p sim --bin bench              # some minutes; `-- --quick` is a tenth of it
//! cargo run --release -p sim --bin bench -- --items   # worklists: a quarter of an hour; `--items 40` is a fifth of it
//! ```
//!
//! It judges nothing: measured and target stand side by side, and what else the machine was doing stands on top.

#[path = "../bench/crowd.rs"]
mod crowd;
#[path = "../bench/journal.rs"]
mod journal;
#[path = "../bench/machine.rs"]
mod machine;
#[path = "../bench/program.rs"]
mod program;
#[path = "../bench/run.rs"]
mod run;
#[path = "../bench/table.rs"]
mod table;
#[path = "../bench/worklist.rs"]
mod worklist;
#[path = "../bench/world.rs"]
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use program::Program;
use run::Run;
use table::{Table, ms, ratio};
use worklist::{Backlog, Worked};
use world::{Repo, World};

const USAGE: &str = "usage: bench [--quick] [--only PART] [--turns N] [--files A,B] [--night N] [--runs N] [--items [N]] [--overnight PATH] [--dir DIR] [--keep]
  --quick           a tenth of all turns and runs
  --only PART       speed (start-up, journal, overhead, verifications), night (one long run) or waiting (many runs)
  --turns N         that many turns
  --files A,B       sizes of the repositories, files; default 50,2000
  --night N         turns of the long run; default 2000
  --runs N          runs that wait in one process; default 1000
  --items [N]       worklists instead: N items (200) of two answers, one and eight at a time, and a list of 10,000
  --delay SECONDS   how long the model of --items takes for an answer; default 2
  --overnight PATH  the binary to measure; default: the one beside this program
  --dir DIR         where runs and repositories are made (the disk matters); default: the temporary folder
  --keep            leave them there";

/// Turns of a whole bench, and of a quick one.
const TURNS: u64 = 1_000;
const TURNS_QUICK: u64 = 100;
/// Turns of the long run, and of a quick one.
const NIGHT_TURNS: u64 = 2_000;
const NIGHT_TURNS_QUICK: u64 = 200;
/// The turn of it that the last one is compared with.
const NIGHT_EARLY_TURN: u64 = 100;
/// Runs that wait in one process, and those of a quick bench.
const RUNS: usize = 1_000;
const RUNS_QUICK: usize = 100;
/// The turn that later ones are compared with.
const EARLY_TURN: u64 = 10;
/// How often short programs are run.
const STARTS: usize = 30;
/// How often a run is looked at.
const LOOKS: usize = 10;
/// Files of the long run's repository.
const NIGHT_FILES: usize = 50;

/// What issue 2 asks for.
const START_TARGET_MS: f64 = 10.0;
const MEMORY_TARGET_MB: f64 = 30.0;
const RATIO_TARGET: f64 = 1.5;
/// What issue 4 asks for: what a verification may add to its checks' own commands.
const VERIFICATION_TARGET_MS: f64 = 1_000.0;
/// What issue 5 asks for.
const NIGHT_GROWTH_TARGET: f64 = 1.2;
const NIGHT_MEMORY_TARGET_MB: f64 = 60.0;
const STATE_TARGET_KIB: f64 = 256.0;
const LOOK_TARGET_MS: f64 = 100.0;
const CROWD_MEMORY_TARGET_MB: f64 = 500.0;
/// What issue 6 asks for: eight items at a time against one, an item's requests late against early, and a long list.
const SHARE_TARGET: f64 = 0.166;
const ITEM_GROWTH_TARGET: f64 = 1.1;
const LISTED_TARGET_MS: f64 = 2_000.0;
const LISTED_MEMORY_TARGET_MB: f64 = 100.0;
/// Items that are worked on, items at a time, the item that later ones are compared with, and items of the long list.
const ITEMS: usize = 200;
const AT_A_TIME: usize = 8;
const EARLY_ITEM: usize = 5;
const LISTED: usize = 10_000;
/// How long the model takes for an answer, seconds.
const DELAY_S: f64 = 2.0;
/// Overhead per turn, by files in the repository.
const OVERHEAD_TARGETS_MS: [(usize, f64); 2] = [(50, 10.0), (2_000, 25.0)];

/// One part of the bench.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Speed,
    Night,
    Waiting,
}

struct Args {
    parts: Vec<Part>,
    night: u64,
    runs: usize,
    turns: u64,
    files: Vec<usize>,
    items: Option<usize>,
    delay_s: f64,
    overnight: PathBuf,
    dir: PathBuf,
    keep: bool,
}

fn main() -> ExitCode {
    let mut given = std::env::args_os().skip(1);
    match given.next() {
        Some(first) if first == program::MEASURE => return program::measure(given),
        Some(first) if first == crowd::MEASURE => return crowd::measure(given),
        Some(_) | None => {}
    }
    match Args::parse(std::env::args().skip(1)) {
        Ok(None) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Some(args)) => match bench(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("error: {message}");
                ExitCode::FAILURE
            }
        },
        Err(message) => {
            eprintln!("error: {message}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

impl Args {
    /// `None` if only help is wanted.
    fn parse(given: impl Iterator<Item = String>) -> Result<Option<Args>, String> {
        let mut given = given.peekable();
        let own = std::env::current_exe().map_err(|e| format!("where this program is: {e}"))?;
        let mut args = Args {
            parts: vec![Part::Speed, Part::Night, Part::Waiting],
            night: NIGHT_TURNS,
            runs: RUNS,
            turns: TURNS,
            files: OVERHEAD_TARGETS_MS
                .iter()
                .map(|(files, _)| *files)
                .collect(),
            items: None,
            delay_s: DELAY_S,
            overnight: own.with_file_name("overnight"),
            dir: std::env::temp_dir(),
            keep: false,
        };
        while let Some(name) = given.next() {
            if name == "--items" {
                let wanted = given.next_if(|next| !next.starts_with("--"));
                let wanted = wanted.map_or(Ok(ITEMS), |n| number(&name, &n))?;
                args.items = Some(wanted);
                continue;
            }
            let mut value = || given.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--quick" => {
                    args.turns = TURNS_QUICK;
                    args.night = NIGHT_TURNS_QUICK;
                    args.runs = RUNS_QUICK;
                }
                "--only" => {
                    args.parts = vec![match value()?.as_str() {
                        "speed" => Part::Speed,
                        "night" => Part::Night,
                        "waiting" => Part::Waiting,
                        other => return Err(format!("there is no part `{other}`")),
                    }];
                }
                "--night" => args.night = number(&name, &value()?)?,
                "--runs" => args.runs = number(&name, &value()?)?,
                "--turns" => args.turns = number(&name, &value()?)?,
                "--files" => {
                    args.files = value()?
                        .split(',')
                        .map(|n| number(&name, n))
                        .collect::<Result<_, _>>()?;
                }
                "--delay" => args.delay_s = number(&name, &value()?)?,
                "--overnight" => args.overnight = value()?.into(),
                "--dir" => args.dir = value()?.into(),
                "--keep" => args.keep = true,
                "--help" | "-h" => return Ok(None),
                other => return Err(format!("unknown argument `{other}`")),
            }
        }
        if args.turns <= EARLY_TURN {
            return Err(format!("--turns is more than {EARLY_TURN}"));
        }
        if args.night <= NIGHT_EARLY_TURN {
            return Err(format!("--night is more than {NIGHT_EARLY_TURN}"));
        }
        if args.runs == 0 {
            return Err("--runs is more than 0".into());
        }
        if args.items.is_some_and(|items| items <= EARLY_ITEM) {
            return Err(format!("--items is more than {EARLY_ITEM}"));
        }
        if !args.overnight.is_file() {
            return Err(format!(
                "{} is not there: build it with `cargo build --release -p overnight`, or say --overnight PATH",
                args.overnight.display()
            ));
        }
        Ok(Some(args))
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("{name} takes numbers, not `{text}`"))
}

fn bench(args: &Args) -> Result<(), String> {
    let world = World::new(&args.dir, args.keep)?;
    for line in machine::lines(world.dir()) {
        println!("{line}");
    }
    let program = Program::new(&args.overnight)?;
    println!("{}\n", program.version()?);
    if let Some(items) = args.items {
        worklists(&program, &world, items, args.delay_s)?;
        world.farewell();
        return Ok(());
    }
    for part in &args.parts {
        match part {
            Part::Speed => speed(args, &program, &world)?,
            Part::Night => night(args, &program, &world)?,
            Part::Waiting => waiting(args, &program, &world)?,
        }
    }
    world.farewell();
    Ok(())
}

fn speed(args: &Args, program: &Program, world: &World) -> Result<(), String> {
    start_up(program, world)?;
    durability(world.dir())?;
    let mut first = true;
    for files in &args.files {
        let repo = world.repository(*files)?;
        if std::mem::take(&mut first) {
            short_run(program, world, &repo)?;
        }
        verification(program, world, &repo)?;
        long_run(program, world, &repo, args.turns)?;
    }
    Ok(())
}

/// One long run whose turns have something to say: what it costs at its end against its beginning.
fn night(args: &Args, program: &Program, world: &World) -> Result<(), String> {
    let turns = args.night;
    let repo = world.repository(NIGHT_FILES)?;
    let run = Run::night(program, world, &repo, turns)?;
    let heading = format!("A night of {turns} turns that print 1 to 8 kB, {NIGHT_FILES} files");
    let mut table = Table::new(&heading);
    let mut means = Vec::new();
    for turn in [NIGHT_EARLY_TURN, turns] {
        let missing = || format!("turn {turn} was not asked for");
        let bytes = run.request_bytes(turn).ok_or_else(missing)?;
        let mean = run.request_bytes_before(turn).ok_or_else(missing)?;
        table.note(
            &format!("request at turn {turn} (mean of the turns before it)"),
            format!("{bytes} ({mean:.0}) bytes"),
        );
        means.push(mean);
    }
    if let [early, late] = means[..] {
        let what = format!("the mean at turn {turns} / at turn {NIGHT_EARLY_TURN}");
        let grown = late / early;
        table.row(&what, ratio(grown), Some((NIGHT_GROWTH_TARGET, "")), grown);
    }
    let largest = format!("{} bytes", run.largest_request_bytes());
    table.note("the largest request of all", largest);
    table.row(
        "peak memory of its largest process",
        format!("{:.1} MB", run.peak_mb),
        Some((NIGHT_MEMORY_TARGET_MB, "MB")),
        run.peak_mb,
    );
    let (state, events) = run.state()?;
    const BYTES_PER_KIB: f64 = 1024.0;
    let kib = state as f64 / BYTES_PER_KIB;
    table.row(
        "serialised state in the end",
        format!("{kib:.1} KiB"),
        Some((STATE_TARGET_KIB, "KiB")),
        kib,
    );
    table.note("events", events.to_string());
    table.note("its journal", format!("{:.1} MB", run.journal_mb()?));
    let busy = format!("{:.1} cores", run.others);
    table.note("other programs meanwhile kept busy", busy);
    for command in ["show", "log", "report", "runs"] {
        let before_s = machine::own_s();
        let taken = program.time(&run.home, &[command], LOOKS)?;
        // On a busy machine most of the time is spent waiting for a processor.
        const MS_PER_S: f64 = 1_000.0;
        let used_ms = (machine::own_s() - before_s) * MS_PER_S / LOOKS as f64;
        table.row(
            &format!(
                "`overnight {command}`, median of {LOOKS} ({} of a processor)",
                ms(used_ms)
            ),
            ms(taken),
            Some((LOOK_TARGET_MS, "ms")),
            taken,
        );
    }
    table.print();
    Ok(())
}

/// Many runs that wait in one process.
fn waiting(args: &Args, program: &Program, world: &World) -> Result<(), String> {
    let home = world.folder("crowd")?;
    let seen = crowd::crowd(&home, args.runs)?;
    let heading = format!(
        "{} runs that wait in one process for {:.0} s and more",
        seen.runs, seen.waited_s
    );
    let mut table = Table::new(&heading);
    table.row(
        "resident memory of the process",
        format!("{:.1} MB", seen.resident_mb),
        Some((CROWD_MEMORY_TARGET_MB, "MB")),
        seen.resident_mb,
    );
    table.row(
        "model calls meanwhile",
        seen.asked.to_string(),
        Some((0.0, "")),
        seen.asked as f64,
    );
    let (earliest, latest) = seen.late_ms;
    table.note("runs that woke and went on", seen.woke.to_string());
    table.note(
        "after their time: the first, the last",
        format!("{earliest} ms, {latest} ms"),
    );
    table.note(
        "processor time meanwhile, of one core",
        format!("{:.1} %", seen.busy_percent),
    );
    let taken = program.time(&home, &["runs"], LOOKS)?;
    let what = format!("`overnight runs` of {} runs, median of {LOOKS}", seen.runs);
    table.note(&what, ms(taken));
    let taken = program.time(&home, &["show", "last"], LOOKS)?;
    let what = format!("`overnight show last` among them, median of {LOOKS}");
    table.note(&what, ms(taken));
    table.print();
    Ok(())
}

fn start_up(program: &Program, world: &World) -> Result<(), String> {
    let mut table = Table::new("Start-up");
    let home = world.folder("empty-home")?;
    let version = program.time(&home, &["--version"], STARTS)?;
    table.row(
        &format!("`overnight --version`, median of {STARTS}"),
        ms(version),
        Some((START_TARGET_MS, "ms")),
        version,
    );
    let runs = program.time(&home, &["runs"], STARTS)?;
    table.row(
        &format!("`overnight runs`, empty home, median of {STARTS}"),
        ms(runs),
        Some((START_TARGET_MS, "ms")),
        runs,
    );
    let sh = program::time_sh(STARTS)?;
    table.note("for comparison: a bare `sh -c true`", ms(sh));
    table.print();
    Ok(())
}

fn durability(dir: &Path) -> Result<(), String> {
    let mut table = Table::new("The journal");
    let found = journal::appends(dir)?;
    table.note(
        &format!(
            "appends per second, one event each, durable ({} in all)",
            found.count
        ),
        format!("{:.0}", found.per_second),
    );
    table.note("one append, median", ms(found.median_ms));
    table.note(
        "for comparison: 4 KiB written and synced on this disk, median",
        ms(journal::sync_ms(dir)?),
    );
    table.print();
    Ok(())
}

fn short_run(program: &Program, world: &World, repo: &Repo) -> Result<(), String> {
    let run = Run::short(program, world, repo)?;
    let mut table = Table::new(&format!("A run of two turns, {} files", repo.files));
    let peak = run.peak_mb;
    table.row(
        "peak memory of its largest process",
        format!("{peak:.1} MB"),
        Some((MEMORY_TARGET_MB, "MB")),
        peak,
    );
    table.note("from start to exit", ms(run.wall_ms));
    table.print();
    Ok(())
}

/// What a rejected claim costs beside the time that its checks' commands take by themselves: the claim's own turn, the
/// candidate's tree, checkouts, cells, verdicts and the next request.
fn verification(program: &Program, world: &World, repo: &Repo) -> Result<(), String> {
    let mut table = Table::new(&format!("A verification, {} files", repo.files));
    for probes in world::PROBES {
        let own = program::time_sh(STARTS)? * probes as f64;
        let run = Run::claims(program, world, repo, probes)?;
        let whole = run.claim_ms(0).ok_or("no claim was rejected")?;
        let added = (whole - own).max(0.0);
        table.row(
            &format!(
                "beside {probes} command{} of {}, median of {} claims",
                if probes == 1 { "" } else { "s" },
                ms(own / probes as f64),
                world::FALSE_CLAIMS
            ),
            ms(added),
            Some((VERIFICATION_TARGET_MS, "ms")),
            added,
        );
    }
    table.print();
    Ok(())
}

fn long_run(program: &Program, world: &World, repo: &Repo, turns: u64) -> Result<(), String> {
    let run = Run::long(program, world, repo, turns)?;
    let mut table = Table::new(&format!("A run of {turns} turns, {} files", repo.files));
    let target = OVERHEAD_TARGETS_MS
        .iter()
        .find(|(files, _)| *files == repo.files)
        .map(|(_, ms)| (*ms, "ms"));
    let mut early = None;
    for point in points(turns) {
        let seen = run
            .overhead(point, turns)
            .ok_or(format!("no gaps around turn {point} were seen"))?;
        let what = format!(
            "overhead at turn {point} (median of turns {}–{})",
            seen.from, seen.to
        );
        table.row(
            &what,
            format!("{} (90 %: {:.1})", ms(seen.median_ms), seen.p90_ms),
            target,
            seen.median_ms,
        );
        early.get_or_insert(seen.median_ms);
        if point == turns
            && let Some(early) = early
        {
            let grown = seen.median_ms / early;
            table.row(
                &format!("turn {turns} / turn {EARLY_TURN}"),
                ratio(grown),
                Some((RATIO_TARGET, "")),
                grown,
            );
        }
    }
    if let Some(first) = run.first_ms() {
        table.note("turn 1, which opens the cell", ms(first));
    }
    if let Some(checkpoint) = run.checkpoint_ms(turns) {
        let what = "a turn that ends in a checkpoint, nothing changed, median";
        table.note(what, ms(checkpoint));
    }
    if let Some(claim) = run.claim_ms(turns) {
        let what = "a rejected claim (tree, clean checkout, one `test -f`), median";
        table.note(what, ms(claim));
    }
    for point in sizes(turns) {
        let bytes = run
            .request_bytes(point)
            .ok_or(format!("turn {point} was not asked for"))?;
        table.note(
            &format!("request at turn {point}"),
            format!("{bytes} bytes"),
        );
    }
    table.row(
        "peak memory of its largest process",
        format!("{:.1} MB", run.peak_mb),
        Some((MEMORY_TARGET_MB, "MB")),
        run.peak_mb,
    );
    table.note(
        "from start to exit",
        format!("{:.1} s", run.wall_ms / 1_000.0),
    );
    table.note(
        "other programs meanwhile kept busy",
        format!("{:.1} cores", run.others),
    );
    table.print();
    Ok(())
}

/// A long list that is only listed, and a shorter one that is worked off, several items at a time and one at a time.
fn worklists(program: &Program, world: &World, items: usize, delay_s: f64) -> Result<(), String> {
    long_list(program, world)?;
    let backlog = Backlog::new(world, items, items)?;
    let together = backlog.fix_all(program, world, AT_A_TIME, delay_s)?;
    worked(&together, items, AT_A_TIME);
    let alone = backlog.fix_all(program, world, 1, delay_s)?;
    worked(&alone, items, 1);
    let mut table = Table::new(&format!("{items} items, {delay_s} s for each answer"));
    let share = together.wall_ms / alone.wall_ms;
    table.row(
        &format!("wall time, {AT_A_TIME} at a time / one at a time"),
        format!("{share:.3}"),
        Some((SHARE_TARGET, "")),
        share,
    );
    for (run, how) in [(&alone, 1), (&together, AT_A_TIME)] {
        let bytes = |item: usize| {
            let found = run.request_bytes.get(&item);
            found
                .map(|bytes| *bytes as f64)
                .ok_or(format!("item {item} was not asked about"))
        };
        let grown = bytes(items)? / bytes(EARLY_ITEM)?;
        table.row(
            &format!("request bytes, item {items} / item {EARLY_ITEM}, {how} at a time"),
            format!("{grown:.3}"),
            Some((ITEM_GROWTH_TARGET, "")),
            grown,
        );
    }
    table.print();
    Ok(())
}

fn long_list(program: &Program, world: &World) -> Result<(), String> {
    const FILES: usize = 10;
    const LOOKS: usize = 5;
    let backlog = Backlog::new(world, LISTED, FILES)?;
    let run = backlog.list_only(program, world)?;
    let mut table = Table::new(&format!("A list of {LISTED} items"));
    let listing = run.listing_ms.ok_or("nothing was listed")? as f64;
    table.note("read and frozen", ms(listing));
    let mut all = listing;
    let mut peak = run.peak_mb;
    for command in ["show", "items"] {
        let taken = program.time(&run.home, &[command], LOOKS)?;
        table.note(
            &format!("`overnight {command}`, median of {LOOKS}"),
            ms(taken),
        );
        all += taken;
        let looked = program.run(&run.home, &run.home, "", &[command])?;
        peak = peak.max(looked.peak_mb);
    }
    table.row(
        "read, frozen and shown",
        ms(all),
        Some((LISTED_TARGET_MS, "ms")),
        all,
    );
    table.row(
        "peak memory of the largest of these processes",
        format!("{peak:.1} MB"),
        Some((LISTED_MEMORY_TARGET_MB, "MB")),
        peak,
    );
    table.note(
        "the whole run, which ends at its first turn",
        ms(run.wall_ms),
    );
    table.print();
    Ok(())
}

fn worked(run: &Worked, items: usize, at_a_time: usize) {
    let mut table = Table::new(&format!("{items} items, {at_a_time} at a time"));
    table.note(
        "from start to exit",
        format!("{:.1} s", run.wall_ms / 1_000.0),
    );
    let half = items / 2;
    for (which, from, to) in [("first", 1, half), ("second", half + 1, items)] {
        for (name, median) in run.spans(from, to) {
            if let Some(median) = median {
                table.note(&format!("{name}, median of the {which} half"), ms(median));
            }
        }
    }
    for item in [EARLY_ITEM, half, items] {
        if let Some(bytes) = run.request_bytes.get(&item) {
            table.note(
                &format!("requests about item {item}"),
                format!("{bytes} bytes"),
            );
        }
    }
    table.note(
        "peak memory of its largest process",
        format!("{:.1} MB", run.peak_mb),
    );
    table.note(
        "other programs meanwhile kept busy",
        format!("{:.1} cores", run.others),
    );
    table.print();
}

/// The turns at which overhead is told.
fn points(turns: u64) -> Vec<u64> {
    let mut all = vec![EARLY_TURN, turns / 10, turns];
    all.retain(|turn| *turn >= EARLY_TURN);
    all.dedup();
    all
}

/// The turns at which a request's size is told.
fn sizes(turns: u64) -> Vec<u64> {
    let mut all = vec![EARLY_TURN, turns * 3 / 10, turns];
    all.dedup();
    all
}
