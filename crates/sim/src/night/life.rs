//! One run from its first process to its last: lives and deaths, a person who comes back, and the laws.

use std::sync::Arc;
use std::time::Duration;

use overnight_core::effect::{Effect, due};
use overnight_core::event::{Event, Fact};
use overnight_core::report::{Report, to_markdown};
use overnight_core::state::State;
use overnight_core::step::{Command, Raise, begin, late, reports, step};
use overnight_core::stop::{Blocker, StopReason};
use overnight_core::{bounds::STATE_BYTES_MAX, ids::Scope};
use overnight_engine::{Ended, Engine, EngineError, Ports, Watcher, load};
use overnight_ports::journal::JournalError;
use tokio::sync::mpsc;

use crate::night::ledger;
use crate::night::model::Hand;
use crate::night::plan::{AtAppend, Character, HOUR, MINUTE, Plan, SECOND};
use crate::night::ports::{NoShelf, Seen};
use crate::night::random::Random;
use crate::night::trees::worklist;
use crate::night::world::{Figures, Violation, World, is_done};

/// How many processes may work on one run.
const LIVES_MAX: u32 = 120;
/// How many events one run may have.
const EVENTS_MAX: usize = 20_000;
/// How late a wait may end, milliseconds: the clock's own steps.
const LATE_MS_MAX: u64 = SECOND;
/// How many duplicates of facts are tried on one run.
const DUPLICATES: u64 = 12;

/// How one run went.
#[derive(Debug, Clone)]
pub struct Run {
    /// The figures.
    pub figures: Figures,
    /// Why it ended: one word; empty if it did not.
    pub end: &'static str,
    /// The first law that was broken.
    pub broken: Option<Violation>,
    /// The journal.
    pub journal: Vec<String>,
}

/// Plays the run of a seed, from its creation to its end.
pub fn play(seed: u64) -> Run {
    play_plan(Plan::new(seed))
}

/// Plays the run of a plan.
pub fn play_plan(plan: Plan) -> Run {
    let world = World::new(plan.clone());
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lives(&world, &plan)));
    if let Err(panic) = played {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        let mut world = world.lock();
        world.breaks(
            "nothing panics and every run ends",
            text.unwrap_or_default(),
        );
    }
    judge_the_end(&world, &plan);
    let mut inner = world.lock();
    inner.figures.simulated_ms = inner.lived().as_millis() as u64;
    Run {
        figures: inner.figures.clone(),
        end: inner
            .disk
            .state
            .as_ref()
            .and_then(|s| s.stop.as_ref())
            .map_or("", StopReason::word),
        broken: inner.broken.clone(),
        journal: inner.disk.events.clone(),
    }
}

/// How one process ended.
enum Death {
    /// It ended as it should.
    Ended(Ended),
    /// It was killed.
    Killed,
    /// It gave up because the disk is full: the person makes room and comes back.
    Full,
}

fn lives(world: &Arc<World>, plan: &Plan) {
    let mut random = Random::new(plan.seed, 3);
    let mut patience = plan.patience;
    let mut word = None;
    for life in 0..LIVES_MAX {
        let death = live(world, plan, word.take());
        look_back(world);
        if world.lock().broken.is_some() {
            return;
        }
        match death {
            Death::Killed if life + 1 < LIVES_MAX => {
                world.rests(random.pick(&[0, SECOND, 10 * MINUTE, 8 * HOUR]));
                word = Some(Command::Resume);
            }
            Death::Full => {
                world.rests(10 * MINUTE);
                word = Some(Command::Resume);
            }
            Death::Ended(Ended::Paused) => {
                world.rests(random.pick(&[SECOND, 10 * MINUTE, 8 * HOUR]));
                word = Some(Command::Resume);
            }
            Death::Ended(Ended::Stopped(reason)) => match comes_back(&reason, patience) {
                Some(command) => {
                    patience -= 1;
                    world.rests(random.pick(&[SECOND, HOUR]));
                    word = Some(command);
                }
                None => return,
            },
            Death::Killed => {}
            // The same process goes on; see `live`.
            Death::Ended(Ended::Edited) => {}
        }
    }
    let mut world = world.lock();
    world.breaks(
        "every run ends",
        format!("{LIVES_MAX} processes were not enough"),
    );
}

/// What the person says to a run that has stopped, as long as they have patience.
fn comes_back(reason: &StopReason, patience: u64) -> Option<Command> {
    if patience == 0 {
        return None;
    }
    Some(match reason {
        StopReason::Blocked {
            by: Blocker::Model | Blocker::NoProgress,
            ..
        } => Command::Answer {
            text: "Half even.".into(),
        },
        StopReason::Blocked {
            by: Blocker::Provider,
            ..
        }
        | StopReason::Failed { .. } => Command::Resume,
        StopReason::OutOfBudget { budget } => {
            let mut raise = Raise::default();
            match budget.as_str() {
                "turns" => raise.turns = 20,
                "tokens" => raise.tokens = 50_000,
                "usd" => raise.usd = 1.0,
                "active" => raise.active = 1.0,
                _ => raise.hours = 1.0,
            }
            Command::Budget { raise }
        }
        StopReason::Complete(_)
        | StopReason::Unverifiable { .. }
        | StopReason::Stopped
        | StopReason::Refused { .. } => return None,
    })
}

/// One process: as `overnight run`, or as `overnight resume` with the person's word.
fn live(world: &Arc<World>, plan: &Plan, word: Option<Command>) -> Death {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(e) => panic!("no runtime: {e}"),
    };
    runtime.block_on(async {
        let (press, mut interrupt) = mpsc::unbounded_channel();
        world.is_born(press);
        let mut watcher = Law {
            world: world.clone(),
            wait: None,
            from: 0,
        };
        let work = async {
            let fresh = world.lock().disk.state.is_none();
            let mut engine = match fresh {
                true => Engine::create(ports(world), plan.created.clone(), &mut watcher)?,
                false => Engine::resume(ports(world), &mut watcher).await?,
            };
            engine.look_for_commands_every(Duration::from_millis(plan.look_every_ms));
            if let Some(word) = word.filter(|_| !fresh) {
                engine.command(&word, &mut watcher)?;
            }
            loop {
                let ended = engine.run(&mut watcher, &mut interrupt).await;
                same_state(world, engine.state(), &ended);
                if !matches!(ended, Ok(Ended::Edited)) {
                    return ended;
                }
                // With a new contract the same process goes on, with ports that are made anew.
                drop(engine);
                engine = Engine::go_on(ports(world)).await?;
                engine.look_for_commands_every(Duration::from_millis(plan.look_every_ms));
            }
        };
        let death = tokio::select! {
            biased;
            () = world.died.notified() => Death::Killed,
            ended = work => match ended {
                Ok(ended) => Death::Ended(ended),
                Err(_) if world.lock().dead => Death::Killed,
                Err(EngineError::Journal(JournalError::Full { .. })) => Death::Full,
                Err(e) => {
                    world.lock().breaks("the engine goes on", e.to_string());
                    Death::Killed
                }
            },
        };
        // Outside the runtime there is no simulated time.
        world.is_gone();
        death
    })
}

fn ports(world: &Arc<World>) -> Ports {
    let seen = || Seen(world.clone());
    let hand = Arc::new(Hand::new(seen(), None));
    Ports {
        clock: Arc::new(seen()),
        journal: Arc::new(seen()),
        site: hand.clone(),
        executor: hand,
        verifier: Arc::new(seen()),
        oracle: Arc::new(seen()),
        forge: Arc::new(seen()),
        notifier: Arc::new(seen()),
        shelf: Arc::new(NoShelf),
        worklist: worklist(world),
        time: |ms| ms.to_string(),
    }
}

fn written(state: &State) -> String {
    serde_json::to_string(state).unwrap_or_else(|e| format!("the state cannot be written: {e}"))
}

/// What the process has in memory is what the journal says.
fn same_state(world: &World, live: &State, ended: &Result<Ended, EngineError>) {
    let mut world = world.lock();
    let durable = world.disk.state.as_ref().map(written);
    if ended.is_ok() && durable.as_deref() != Some(written(live).as_str()) {
        world.breaks("the journal is the truth", "the live state is another one");
    }
}

/// Hears every event, and holds what can be seen from the state alone against the world.
struct Law {
    world: Arc<World>,
    wait: Option<u64>,
    from: u64,
}

impl Watcher for Law {
    fn event(&mut self, event: &Event, state: &State) {
        let mut world = self.world.lock();
        if world.disk.events.len() > EVENTS_MAX {
            panic!("{EVENTS_MAX} events");
        }
        if let (Fact::Woken, Some(until)) = (&event.fact, self.wait) {
            let late = event.at.saturating_sub(until.max(self.from));
            if late > LATE_MS_MAX && !world.disturbed {
                world.breaks("a waiting run wakes at its time", format!("{late} ms late"));
            }
        }
        let wait = state.wakes_at().filter(|_| state.waits().next().is_some());
        if wait != self.wait {
            world.disturbed = false;
            // One that was over before the run came to rest ends at once.
            self.wait = wait;
            self.from = event.at;
        }
        let disturbs = matches!(
            event.fact,
            Fact::Paused | Fact::Resumed | Fact::ClockJumped { .. } | Fact::Restarted { .. }
        );
        // An event that waited for room on the disk tells of what is long past.
        world.disturbed |= disturbs || world.now().saturating_sub(event.at) > LATE_MS_MAX;
        if let Some(StopReason::Complete(proof)) = &state.stop {
            let tree = world.trees.get(proof.tree());
            if !tree.is_some_and(|files| is_done(files, &state.goal)) {
                let what = format!("tree {} is not done", proof.tree());
                world.breaks("complete means done", what);
            }
            let current = state.candidate.as_ref().map(|c| &c.tree) == Some(proof.tree());
            let there = match &state.worklist {
                None => is_done(&world.work.files, &state.goal),
                Some(_) => overnight_core::step::tip(state).tree == *proof.tree(),
            };
            if !current || !there {
                world.breaks("complete means done", "what is there now is another tree");
            }
        }
        if state.paused && !due(state).is_empty() {
            world.breaks("a paused run rests", format!("{:?}", due(state)));
        }
    }

    fn note(&mut self, _: &str) {}
}

/// After every life: the journal alone gives the same state and a report, and the state is small.
fn look_back(world: &Arc<World>) {
    let seen = Seen(world.clone());
    if world.lock().disk.events.is_empty() {
        return;
    }
    let replayed = match load(&seen) {
        Ok(state) => written(&state),
        Err(e) => return world.lock().breaks("every journal replays", e.to_string()),
    };
    let mut world = world.lock();
    if world.disk.state.as_ref().map(written) != Some(replayed.clone()) {
        world.breaks("replay equals the live state", "they differ");
    }
    world.figures.state_bytes = world.figures.state_bytes.max(replayed.len());
    let machines = world.plan.backlog.as_ref().map_or(0, |list| list.parallel);
    if replayed.len() >= STATE_BYTES_MAX * (1 + machines) {
        world.breaks("the state stays small", format!("{} bytes", replayed.len()));
    }
}

/// At the end: what is told is true, what was planned to succeed has, and facts that come twice change nothing.
fn judge_the_end(world: &Arc<World>, plan: &Plan) {
    let mut world = world.lock();
    let events: Result<Vec<Event>, _> = world
        .disk
        .events
        .iter()
        .map(|text| serde_json::from_str(text))
        .collect();
    let events = match events {
        Ok(events) => events,
        Err(e) => return world.breaks("every journal replays", e.to_string()),
    };
    let Some(state) = world.disk.state.clone() else {
        return world.breaks("every run ends", "it never began");
    };
    if !state.ended() {
        world.breaks("every run ends", format!("it is {}", state.status()));
    }
    match Report::fold(events.iter().cloned()) {
        Err(e) => world.breaks("a report folds from every journal", e.to_string()),
        Ok(report) => {
            let text = to_markdown(&report, &|ms| ms.to_string());
            let complete = matches!(state.stop, Some(StopReason::Complete(_)));
            if report.complete != complete || text.is_empty() {
                world.breaks(
                    "the report tells the end",
                    format!("complete: {}", report.complete),
                );
            }
        }
    }
    delivered(&mut world, &state);
    ledger::judge(&mut world, plan, &state, &events);
    in_exactly_its_turns(&mut world, plan, &state, &events);
    duplicates(&mut world, plan, &events);
}

/// What a complete run delivers is what was proved.
fn delivered(world: &mut crate::night::world::Inner, state: &State) {
    let Some(StopReason::Complete(proof)) = &state.stop else {
        return;
    };
    let unchanged = state.base.as_ref().map(|base| &base.tree) == Some(proof.tree());
    if state.delivers() && !unchanged {
        let there = world
            .branch
            .as_ref()
            .map(|(_, delivery)| delivery.tree.clone());
        if there.as_ref() != Some(proof.tree()) {
            world.breaks(
                "complete means delivered",
                format!("the branch holds {there:?}"),
            );
        }
    }
}

/// An eager model whom nothing hinders but what passes completes in exactly the turns that it needs.
fn in_exactly_its_turns(
    world: &mut crate::night::world::Inner,
    plan: &Plan,
    state: &State,
    events: &[Event],
) {
    // A workspace that could not be looked at for half an hour ends a run.
    let gave_up = events
        .iter()
        .filter(|e| matches!(e.fact, Fact::HarnessFailed { .. }))
        .count();
    if !plan.benign || plan.character != Character::Eager || gave_up > 8 {
        return;
    }
    let needed = ledger::in_exactly_its_turns(plan).unwrap_or(plan.cells as u64 + 1);
    let complete = matches!(state.stop, Some(StopReason::Complete(_)));
    if !complete || state.spent.turns != needed {
        let what = format!(
            "{} after {} turns, and {needed} were needed",
            state.status(),
            state.spent.turns
        );
        world.breaks("an eager model completes in the turns that it needs", what);
    }
}

/// A fact that is reported twice, at once or much later, is late or changes nothing but the time.
fn duplicates(world: &mut crate::night::world::Inner, plan: &Plan, events: &[Event]) {
    let mut random = Random::new(plan.seed, 4);
    let count = events.len() as u64;
    if count < 2 {
        return;
    }
    let mut chosen: Vec<(u64, u64)> = (0..DUPLICATES)
        .map(|_| {
            let after = random.between(1, count);
            let near = after.saturating_sub(random.pick(&[0, 0, 1, 3, 10, 50]));
            (after, near.max(1))
        })
        .collect();
    chosen.sort_unstable();
    let Ok(mut state) = begin(&events[0]) else {
        return;
    };
    let mut chosen = chosen.into_iter().peekable();
    for (at, event) in (1_u64..).zip(&events[1..]) {
        match step(state, event) {
            Ok((next, _)) => state = next,
            Err(e) => return world.breaks("every journal replays", e.to_string()),
        }
        while let Some((_, which)) = chosen.next_if(|(after, _)| *after == at) {
            let again = &events[which as usize];
            // A person's command is taken off the queue with its fact, and what the engine itself writes is written
            // once. A report of an equal effect that is under way again is told from its report by the engine's numbers.
            // An item that was opened again begins its turns anew; whose report it is the engine's numbers tell as well.
            let reopened = events[which as usize..=at as usize]
                .iter()
                .skip(1)
                .any(|e| e.scope == again.scope && matches!(e.fact, Fact::ItemOpened(_)));
            if !reports(&again.fact) || reopened || redone(&state, again) {
                continue;
            }
            world.figures.duplicates += 1;
            if late(&state, again) || reopens(&state, again) {
                continue;
            }
            let again = Event {
                at: state.last_at,
                ..again.clone()
            };
            let essence = |s: &State| {
                (
                    s.phase.clone(),
                    s.stop.clone(),
                    s.spent.usage,
                    s.lanes[&Scope::Run].turn,
                    s.worklist.as_ref().map(|list| {
                        let open = list.open.iter();
                        let open = open.map(|(id, child)| (id.clone(), child.phase.clone()));
                        (list.ended.clone(), open.collect::<Vec<_>>(), list.acted)
                    }),
                )
            };
            match step(state.clone(), &again) {
                Ok((next, _)) if essence(&next) == essence(&state) => {}
                Ok((next, _)) => world.breaks(
                    "a fact that comes twice changes nothing",
                    format!(
                        "after event {at}, {:?} made {} of {}",
                        again.fact,
                        next.status(),
                        state.status()
                    ),
                ),
                Err(e) => world.breaks("a fact that comes twice changes nothing", e.to_string()),
            }
        }
    }
}

/// Whether what this fact reports is due at this moment, or was when the run was paused, so that it reads as the report
/// of it.
fn redone(state: &State, event: &Event) -> bool {
    let at_work = State {
        paused: false,
        ..state.clone()
    };
    due(&at_work)
        .iter()
        .any(|effect| match (effect, &event.scope) {
            (Effect::Item { item, effect }, Scope::Item(of)) => {
                item == of && told(effect, &event.fact)
            }
            (Effect::Integrate { item, .. }, Scope::Item(of)) => {
                let integrates =
                    matches!(event.fact, Fact::Rebased { .. } | Fact::Integrated { .. });
                item == of && integrates
            }
            (Effect::Open { .. }, Scope::Item(_)) => matches!(event.fact, Fact::ItemOpened(_)),
            (effect, Scope::Run) => told(effect, &event.fact),
            _ => false,
        })
}

/// Whether this fact tells what came of this effect.
fn told(effect: &Effect, fact: &Fact) -> bool {
    matches!(
        (effect, fact),
        (Effect::Prepare, Fact::Prepared { .. })
            | (
                Effect::Baseline,
                Fact::BaselineEnded { .. } | Fact::CheckReported { .. }
            )
            | (Effect::FixCandidate, Fact::CandidateFixed { .. })
            | (Effect::Verify { .. }, Fact::CheckReported { .. })
            | (
                Effect::Deliver,
                Fact::Delivered { .. } | Fact::DeliveryFailed { .. }
            )
            | (Effect::WriteReport, Fact::ReportWritten { .. })
            | (Effect::Reach { .. }, Fact::NetworkBack)
            | (Effect::AskModel { .. }, Fact::ModelFailed { .. })
            | (Effect::Examine, Fact::ClosingExamined { .. })
            | (Effect::List, Fact::Listed { .. })
            | (Effect::Relist, Fact::Relisted { .. })
            | (Effect::Act { .. }, Fact::Acting { .. } | Fact::Acted { .. })
            | (
                Effect::List | Effect::Relist | Effect::Open { .. } | Effect::Act { .. },
                Fact::SourceFailed { .. }
            )
    )
}

/// Whether a plan has crashes, for tests of the plans themselves.
pub fn dies(plan: &Plan) -> bool {
    let kills = |what: &AtAppend| matches!(what, AtAppend::DieBefore | AtAppend::DieAfter);
    !plan.die_in_deed.is_empty() || plan.at_append.iter().any(|(_, what)| kills(what))
}

/// Whether an item that was opened before is to be opened once more: what was read of it then opens it as well as what
/// would be read now.
fn reopens(state: &State, event: &Event) -> bool {
    let again = |index| {
        let list = state.worklist.as_ref();
        list.is_some_and(|list| list.again.contains(index))
    };
    matches!(&event.fact, Fact::ItemOpened(opened) if again(&opened.head.index))
}
