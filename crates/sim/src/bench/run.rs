//! One run against the mock model server, and what the server saw of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use overnight_models::scripted::Script;
use sim::server::{Options, Outcome, Server};

use crate::machine;
use crate::program::Program;
use crate::table::{median, quantile};
use crate::world::{self, Repo, World};

/// After so many turns without a claim the harness runs the checks by itself; such a turn is told apart.
const CHECKPOINT_TURNS: u64 = 25;
/// How many turns around the one that is told are looked at, on each side: a share of it, within limits.
const AROUND_SHARE: u64 = 5;
const AROUND_MIN: u64 = 4;
const AROUND_MAX: u64 = 20;

/// What a run showed.
pub struct Run {
    /// Its `$OVERNIGHT_HOME`.
    pub home: PathBuf,
    /// From start to exit, milliseconds.
    pub wall_ms: f64,
    /// Peak memory of its largest process, megabytes.
    pub peak_mb: f64,
    /// How many cores were busy with something else meanwhile.
    pub others: f64,
    turns: BTreeMap<u64, Turn>,
}

struct Turn {
    request_bytes: u64,
    received_us: u64,
    answered_us: u64,
}

/// Overhead around a turn.
pub struct Overhead {
    /// The first turn that was looked at.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// The middle value.
    pub median_ms: f64,
    /// Nine of ten are below.
    pub p90_ms: f64,
}

impl Run {
    /// Plays a run of two turns.
    pub fn short(program: &Program, world: &World, repo: &Repo) -> Result<Run, String> {
        const TURNS: u64 = 2;
        Run::play(program, world, (repo, 1), world::two_turns()?, TURNS)
    }

    /// Plays a run of so many turns with one `shell` call each, and those that end it well.
    pub fn long(
        program: &Program,
        world: &World,
        repo: &Repo,
        idle_turns: u64,
    ) -> Result<Run, String> {
        let script = world::script(idle_turns)?;
        let turns = idle_turns + world::BUSY_TURNS;
        Run::play(program, world, (repo, 1), script, turns)
    }

    /// Plays a night of so many turns whose commands print something, and the work and the claim in the end.
    pub fn night(program: &Program, world: &World, repo: &Repo, turns: u64) -> Result<Run, String> {
        let script = world::night(turns)?;
        let wanted = turns + world::NIGHT_END_TURNS;
        Run::play(program, world, (repo, 1), script, wanted)
    }

    /// Plays nothing but rejected claims and the one that holds, against a goal with so many commands.
    pub fn claims(
        program: &Program,
        world: &World,
        repo: &Repo,
        probes: usize,
    ) -> Result<Run, String> {
        let script = world::script(0)?;
        Run::play(program, world, (repo, probes), script, world::BUSY_TURNS)
    }

    fn play(
        program: &Program,
        world: &World,
        (repo, probes): (&Repo, usize),
        script: Script,
        wanted: u64,
    ) -> Result<Run, String> {
        let home = world.folder("home")?;
        let server = Server::start(script, Options::default())
            .map_err(|e| format!("the mock server: {e}"))?;
        let goal = world::goal_file(probes);
        let args = [
            "run",
            goal.as_str(),
            "--model",
            "openai/mock-model",
            "--yes",
        ];
        let clock = machine::Clock::now();
        let measured = program.run(&home, &repo.dir, &server.base_url(), &args)?;
        let others = clock.others();
        let mut turns = BTreeMap::new();
        for request in server.requests() {
            let Some(answered_us) = request
                .answered_us
                .filter(|_| request.outcome == Outcome::Answer)
            else {
                continue;
            };
            let turn = Turn {
                request_bytes: request.body_bytes,
                received_us: request.received_us,
                answered_us,
            };
            if turns.insert(request.turn, turn).is_some() {
                return Err(format!("turn {} was asked for twice", request.turn));
            }
        }
        if turns.len() as u64 != wanted {
            return Err(format!(
                "{wanted} turns were to be played, and {} were",
                turns.len()
            ));
        }
        Ok(Run {
            home,
            wall_ms: measured.wall_ms,
            peak_mb: measured.peak_mb,
            others,
            turns,
        })
    }

    /// From the last byte of a turn's answer to the whole of the next turn's request, milliseconds.
    fn gap_ms(&self, turn: u64) -> Option<f64> {
        const US_PER_MS: f64 = 1_000.0;
        let (this, next) = (self.turns.get(&turn)?, self.turns.get(&(turn + 1))?);
        Some(next.received_us.saturating_sub(this.answered_us) as f64 / US_PER_MS)
    }

    /// The overhead around a turn of the first `idle_turns`, turns that end in a checkpoint left out.
    pub fn overhead(&self, turn: u64, idle_turns: u64) -> Option<Overhead> {
        let around = (turn / AROUND_SHARE).clamp(AROUND_MIN, AROUND_MAX);
        let from = turn.saturating_sub(around).max(1);
        let to = (turn + around).min(idle_turns);
        let plain = (from..=to).filter(|turn| turn % CHECKPOINT_TURNS != 0);
        let mut gaps: Vec<f64> = plain.filter_map(|turn| self.gap_ms(turn)).collect();
        Some(Overhead {
            from,
            to,
            p90_ms: quantile(&mut gaps, 0.9)?,
            median_ms: median(&mut gaps)?,
        })
    }

    /// The middle overhead of the first `idle_turns` that end in a checkpoint, milliseconds. Nothing has changed by
    /// then, so no check is run.
    pub fn checkpoint_ms(&self, idle_turns: u64) -> Option<f64> {
        self.median_of(checkpoints(idle_turns))
    }

    /// The middle overhead of a rejected claim: the work is fixed as a tree, checked out and checked.
    pub fn claim_ms(&self, idle_turns: u64) -> Option<f64> {
        self.median_of((1..=world::FALSE_CLAIMS).map(|number| idle_turns + 2 * number))
    }

    /// The overhead of the first turn, whose command opens the cell, milliseconds.
    pub fn first_ms(&self) -> Option<f64> {
        self.gap_ms(1)
    }

    fn median_of(&self, turns: impl Iterator<Item = u64>) -> Option<f64> {
        median(
            &mut turns
                .filter_map(|turn| self.gap_ms(turn))
                .collect::<Vec<_>>(),
        )
    }

    /// How large a turn's request was.
    pub fn request_bytes(&self, turn: u64) -> Option<u64> {
        self.turns.get(&turn).map(|turn| turn.request_bytes)
    }

    /// How large the requests of the turns up to this one were, bytes: the mean over as many turns as it takes to drop
    /// old ones once.
    pub fn request_bytes_before(&self, turn: u64) -> Option<f64> {
        let window = u64::from(overnight_core::state::WINDOW_TURNS_MAX) / 2 + 1;
        let from = turn.checked_sub(window - 1)?;
        let sizes: Option<Vec<u64>> = (from..=turn).map(|t| self.request_bytes(t)).collect();
        Some(sizes?.iter().sum::<u64>() as f64 / window as f64)
    }

    /// The largest request.
    pub fn largest_request_bytes(&self) -> u64 {
        let sizes = self.turns.values().map(|turn| turn.request_bytes);
        sizes.max().unwrap_or_default()
    }

    /// The folder of the run.
    fn dir(&self) -> Result<PathBuf, String> {
        overnight_store::find(&self.home, "last").map_err(|e| e.to_string())
    }

    /// How large the serialised state is in the end, bytes, and how many events lead there.
    pub fn state(&self) -> Result<(usize, u64), String> {
        let store = overnight_store::RunStore::look(&self.dir()?).map_err(|e| e.to_string())?;
        let state = overnight_engine::load(&store).map_err(|e| e.to_string())?;
        let bytes = serde_json::to_vec(&state).map_err(|e| e.to_string())?.len();
        Ok((bytes, store.len().map_err(|e| e.to_string())?))
    }

    /// How large the journal has become, megabytes.
    pub fn journal_mb(&self) -> Result<f64, String> {
        const BYTES_PER_MB: f64 = 1024.0 * 1024.0;
        let journal = self.dir()?.join(overnight_store::JOURNAL_FILE);
        let found = std::fs::metadata(&journal);
        let bytes = found.map_err(|e| format!("{}: {e}", journal.display()))?;
        Ok(bytes.len() as f64 / BYTES_PER_MB)
    }
}

/// The first `idle_turns` that end in a checkpoint.
fn checkpoints(idle_turns: u64) -> impl Iterator<Item = u64> {
    (1..=idle_turns).filter(|turn| turn % CHECKPOINT_TURNS == 0)
}
