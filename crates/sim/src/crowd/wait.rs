//! Many runs that wait at the same time, each until a time of its own.

use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use overnight_core::event::{Event, Fact};
use overnight_core::ids::{BlobId, UnixMs};
use overnight_core::state::State;
use overnight_core::turn::{Call, CallResult, ModelErrorKind, Said, Usage, WAIT_TOOL};
use overnight_engine::{Engine, Ports};
use overnight_ports::clock::Clock;
use overnight_ports::model::{Answer, ModelError};
use overnight_ports::site::Executor;
use tokio::sync::{mpsc, watch};

use super::ports::{Beat, Heard, Last, ports};

/// What to play.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// How many runs.
    pub runs: usize,
    /// How long the first one waits, milliseconds, from when all of them have come to their wait.
    pub first_ms: u64,
    /// How much longer each waits than the one before, milliseconds.
    pub apart_ms: u64,
    /// How often each looks for words from other terminals.
    pub look_every: Duration,
}

/// What was seen while all of them waited: the caller's own measurement, taken when the last has begun to wait and
/// before the first is to wake.
pub type Rest<T> = Box<dyn FnMut() -> T + Send>;

/// What came of it.
#[derive(Debug)]
pub struct Crowd<T> {
    /// What was measured when the last one had begun to wait.
    pub begun: T,
    /// The same just before the first was to wake.
    pub waited: T,
    /// Requests to the model while all of them waited.
    pub asked_while_waiting: u64,
    /// How much later than its time each run woke, milliseconds. Negative: too early.
    pub late_ms: Vec<i64>,
    /// Runs that asked the model again after their wait.
    pub asked_again: u64,
}

/// What the runs share.
struct Shared {
    clock: Arc<Beat>,
    plan: Waits,
    /// Runs that have come as far as their first request.
    there: AtomicUsize,
    /// When all have: the moment from which the waits are counted.
    from: watch::Sender<Option<UnixMs>>,
    /// Runs whose wait is durable.
    waiting: AtomicUsize,
    asked: AtomicU64,
    late_ms: Mutex<Vec<i64>>,
}

impl Shared {
    fn wakes_at(&self, number: usize, from: UnixMs) -> UnixMs {
        from + self.plan.first_ms + number as u64 * self.plan.apart_ms
    }
}

/// The model of one run. It waits for a time that it names itself, or its provider names one: every second run.
struct Sleeper {
    shared: Arc<Shared>,
    number: usize,
    asked: AtomicU64,
    last: Last,
}

impl Sleeper {
    /// When all runs have come this far, from that moment on.
    async fn all_there(&self) -> UnixMs {
        let there = self.shared.there.fetch_add(1, Ordering::Relaxed) + 1;
        if there == self.shared.plan.runs {
            let now = self.shared.clock.now();
            self.shared.from.send_replace(Some(now));
        }
        let mut from = self.shared.from.subscribe();
        match from.wait_for(Option::is_some).await {
            Ok(from) => from.unwrap_or_default(),
            // The sender lives as long as this run.
            Err(_) => self.shared.clock.now(),
        }
    }
}

fn failed(kind: ModelErrorKind, retry_after_ms: Option<u64>) -> ModelError {
    ModelError {
        kind,
        message: "simulated".into(),
        retry_after_ms,
        usage: Usage::default(),
    }
}

#[async_trait]
impl Executor for Sleeper {
    fn learn(&self, event: &Event) {
        self.last.learn(event);
    }

    async fn answer(&self, _: &State) -> Result<Answer, ModelError> {
        self.shared.asked.fetch_add(1, Ordering::Relaxed);
        if self.asked.fetch_add(1, Ordering::Relaxed) > 0 {
            return Err(failed(ModelErrorKind::ScriptEnded, None));
        }
        let from = self.all_there().await;
        if self.number.is_multiple_of(2) {
            let until = self.shared.wakes_at(self.number, from);
            let left = until.saturating_sub(self.shared.clock.now());
            return Err(failed(ModelErrorKind::RateLimited, Some(left)));
        }
        Ok(Answer {
            calls: vec![Call {
                id: "1".into(),
                name: WAIT_TOOL.into(),
                arguments: "{}".into(),
            }],
            ..Answer::default()
        })
    }

    fn last_answer(&self, turn: u64) -> Option<BlobId> {
        self.last.of(turn)
    }

    fn line(&self, call: &Call) -> String {
        call.name.clone()
    }

    async fn call(&self, _: &State, _: usize, _: &Call, _: bool) -> CallResult {
        let from = self.shared.from.borrow().unwrap_or_default();
        let until = self.shared.wakes_at(self.number, from);
        CallResult {
            ok: true,
            said: Some(Said::WaitUntil { until }),
            ..CallResult::default()
        }
    }
}

/// Plays it, with the journals below `home`. `measure` is called twice: see [`Crowd`].
pub async fn wait<T: Send + 'static>(
    home: &Path,
    plan: Waits,
    mut measure: Rest<T>,
) -> Result<Crowd<T>, String> {
    let (from, _) = watch::channel(None);
    let shared = Arc::new(Shared {
        clock: Arc::new(Beat::new(super::START)),
        plan,
        there: AtomicUsize::new(0),
        from,
        waiting: AtomicUsize::new(0),
        asked: AtomicU64::new(0),
        late_ms: Mutex::default(),
    });
    let mut runs = tokio::task::JoinSet::new();
    for number in 0..plan.runs {
        let created = super::created(number)?;
        let journal = super::journal(home, &created)?;
        let shared = shared.clone();
        runs.spawn(async move {
            let sleeper = Sleeper {
                shared: shared.clone(),
                number,
                asked: AtomicU64::new(0),
                last: Last::default(),
            };
            let ports = ports(shared.clock.clone(), journal, Arc::new(sleeper));
            live(ports, created, &shared).await
        });
    }
    let mut from = shared.from.subscribe();
    let begun_at = tokio::select! {
        from = from.wait_for(Option::is_some) => {
            from.map_err(|e| e.to_string())?.unwrap_or_default()
        }
        // None is to end before all are there.
        Some(ended) = runs.join_next() => return Err(early(ended)),
    };
    let first = shared.wakes_at(0, begun_at);
    while shared.waiting.load(Ordering::Relaxed) < plan.runs {
        if shared.clock.now() >= first {
            return Err(format!(
                "{} of {} runs waited when the first was to wake: it has to wait longer",
                shared.waiting.load(Ordering::Relaxed),
                plan.runs
            ));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let begun = measure();
    let asked = shared.asked.load(Ordering::Relaxed);
    // A little before the first one wakes.
    const BEFORE_MS: u64 = 50;
    shared
        .clock
        .sleep_until(first.saturating_sub(BEFORE_MS))
        .await;
    let waited = measure();
    let asked_while_waiting = shared.asked.load(Ordering::Relaxed) - asked;
    while let Some(ended) = runs.join_next().await {
        ended.map_err(|e| e.to_string())??;
    }
    let late_ms = std::mem::take(
        &mut *shared
            .late_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner),
    );
    Ok(Crowd {
        begun,
        waited,
        asked_while_waiting,
        late_ms,
        asked_again: shared.asked.load(Ordering::Relaxed) - asked,
    })
}

fn early(ended: Result<Result<(), String>, tokio::task::JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "a run ended before it waited".into(),
        Ok(Err(why)) => why,
        Err(e) => e.to_string(),
    }
}

/// One run, from its first event to its end.
async fn live(
    ports: Ports,
    created: overnight_core::event::Created,
    shared: &Shared,
) -> Result<(), String> {
    let mut until = None;
    let mut watcher = Heard(|event: &Event, state: &State| {
        if let (Fact::Woken, Some(until)) = (&event.fact, until) {
            let late = event.at as i64 - until as i64;
            let mut all = shared
                .late_ms
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            all.push(late);
        }
        let wait = state.waits().next().map(|wait| wait.until);
        if wait.is_some() && until.is_none() {
            shared.waiting.fetch_add(1, Ordering::Relaxed);
        }
        until = wait;
    });
    let (_press, mut interrupt) = mpsc::unbounded_channel();
    let mut engine = Engine::create(ports, created, &mut watcher).map_err(|e| e.to_string())?;
    engine.look_for_commands_every(shared.plan.look_every);
    let ended = engine.run(&mut watcher, &mut interrupt).await;
    ended.map(drop).map_err(|e| e.to_string())
}
