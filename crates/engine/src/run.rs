//! The loop of one run. One task owns the state; effects run beside it and send facts; every fact is appended
//! before anything that follows from it begins.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use overnight_core::effect::{Effect, due};
use overnight_core::event::{Created, Event, Fact};
use overnight_core::ids::{BlobId, ItemId, Scope, UnixMs};
use overnight_core::notification::Standing;
use overnight_core::state::{Phase, State};
use overnight_core::step::{
    Command, StepError, begin, decide, late, ready_for_edit, recover, step,
};
use overnight_core::stop::StopReason;
use overnight_ports::clock::Times;
use overnight_ports::crew::WorklistPorts;
use overnight_ports::journal::{Journal, JournalError};
use overnight_ports::site::Executor;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::known::{Known, Ledger};
use crate::perform::{Ports, perform};
use crate::summary::summary;
use crate::worklist;

/// How often the queue of commands from other terminals is looked at, if nobody says otherwise.
const COMMANDS_EVERY: Duration = Duration::from_millis(200);
/// How long a pause waits for what is under way before it gives it up.
const PAUSE_GRACE: Duration = Duration::from_secs(10);
/// How often a full disk is tried again, milliseconds.
pub(crate) const FULL_RETRY_EVERY_MS: u64 = 5_000;
/// A wall clock that is off by more than this from one look to the next has jumped, milliseconds.
const JUMP_MS_MIN: u64 = 2_000;

/// Hears every event right after it is durable, with the state that it led to.
pub trait Watcher: Send {
    /// One event.
    fn event(&mut self, event: &Event, state: &State);
    /// Something that is not an event: the disk is full, a command was refused.
    fn note(&mut self, text: &str);
}

/// How the loop ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The run is over, for good or until a person speaks.
    Stopped(StopReason),
    /// A person paused it.
    Paused,
    /// A person changed the contract: the ports are to be put together anew, and the run goes on with
    /// [`Engine::go_on`].
    Edited,
}

/// Why the loop could not go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal's content.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The run has no event at all.
    #[error("the run has no events: it was killed before it began; start it afresh")]
    Empty,
    /// A blob could not be put.
    #[error("the goal file cannot be kept: {0}")]
    Kept(String),
    /// The workspace of an earlier process.
    #[error("the run's workspace cannot be taken up again: {0}")]
    Site(String),
}

/// What effects send to the loop.
pub(crate) enum Message {
    /// What happened.
    Event(Box<Event>),
    /// What people should know and the journal need not.
    Note(String),
    /// It is over.
    Finished,
}

/// An effect that was started: what it sends counts as long as it is under way. The number tells it from an equal one
/// that was given up before.
struct UnderWay {
    number: u64,
    handle: AbortHandle,
    /// Whether it has done anything yet: what has not is not done after a person's word to pause.
    begun: Arc<AtomicBool>,
}

/// One run at work.
pub struct Engine {
    state: Arc<State>,
    ports: Arc<Ports>,
    known: Arc<Known>,
    under_way: BTreeMap<Effect, UnderWay>,
    started: u64,
    /// A new version of the contract waits for what is under way: nothing begins meanwhile.
    holding: bool,
    /// The contract was changed: these ports are of the version before.
    edited: bool,
    commands_every: Duration,
    /// What the clocks said at the last look.
    seen: Times,
    to_loop: mpsc::UnboundedSender<(u64, Message)>,
    from_effects: mpsc::UnboundedReceiver<(u64, Message)>,
}

impl Drop for Engine {
    /// Whoever drops the engine gives up what is under way.
    fn drop(&mut self) {
        for effect in self.under_way.values() {
            effect.handle.abort();
        }
    }
}

impl Engine {
    /// Begins a new run: its first event is durable when this returns.
    pub fn create(
        ports: Ports,
        created: Created,
        watcher: &mut dyn Watcher,
    ) -> Result<Engine, EngineError> {
        let event = Event::run(ports.clock.now(), Fact::RunCreated(Box::new(created)));
        let state = begin(&event)?;
        ports
            .journal
            .append(std::slice::from_ref(&event), &[], &summary(&state))?;
        ports.executor.learn(&event);
        watcher.event(&event, &state);
        Ok(Self::over(ports, state, Known::default()))
    }

    /// Takes up a run that a process before this one worked on.
    pub async fn resume(ports: Ports, watcher: &mut dyn Watcher) -> Result<Engine, EngineError> {
        let mut engine = Self::go_on(ports).await?;
        let events = recover(&engine.state, engine.ports.clock.now());
        engine.advance(events, &[], watcher)?;
        Ok(engine)
    }

    /// Goes on with a run that this very process has worked on until now, with ports that were put together anew.
    pub async fn go_on(ports: Ports) -> Result<Engine, EngineError> {
        let mut past = Past::default();
        let state = replay(ports.journal.as_ref(), |event, state| {
            past.see(event, state, ports.executor.as_ref());
        })?;
        let may_go_on = !state.ended() || state.stop.as_ref().is_some_and(StopReason::resumable);
        if state.base.is_some() && may_go_on {
            ports
                .site
                .reopen(&state, past.deltas(&Scope::Run))
                .await
                .map_err(EngineError::Site)?;
            if let Some(list) = &ports.worklist {
                past.take_up(&state, list).await?;
            }
        }
        Ok(Self::over(ports, state, Known::with(past.ledger)))
    }

    fn over(ports: Ports, state: State, known: Known) -> Engine {
        let (to_loop, from_effects) = mpsc::unbounded_channel();
        let seen = ports.clock.times();
        Engine {
            seen,
            started: 0,
            commands_every: COMMANDS_EVERY,
            state: Arc::new(state),
            ports: Arc::new(ports),
            known: Arc::new(known),
            under_way: BTreeMap::new(),
            holding: false,
            edited: false,
            to_loop,
            from_effects,
        }
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Looks for commands from other terminals this often.
    pub fn look_for_commands_every(&mut self, every: Duration) {
        self.commands_every = every;
    }

    /// Carries out a person's command at once. Refusals are told to the watcher.
    pub fn command(
        &mut self,
        command: &Command,
        watcher: &mut dyn Watcher,
    ) -> Result<(), EngineError> {
        let events = self.decided(command, watcher);
        if events.is_empty() {
            return Ok(());
        }
        if let Command::Edit { text } = command {
            let kept = self.ports.journal.put(text.as_bytes());
            kept.map_err(|e| EngineError::Kept(e.to_string()))?;
            self.edited = true;
        }
        self.advance(events, &[], watcher)
    }

    /// What a command comes to now.
    fn decided(&self, command: &Command, watcher: &mut dyn Watcher) -> Vec<Event> {
        let now = self.ports.clock.now();
        match decide(&self.state, command) {
            Ok(facts) => facts
                .into_iter()
                .map(|fact| Event::run(now, fact))
                .collect(),
            Err(refusal) => {
                watcher.note(&refusal.to_string());
                Vec::new()
            }
        }
    }

    /// Works until the run ends or a person pauses it. `interrupt` is a person's Ctrl-C: the first pauses, another
    /// one gives up what is under way.
    pub async fn run(
        &mut self,
        watcher: &mut dyn Watcher,
        interrupt: &mut mpsc::UnboundedReceiver<()>,
    ) -> Result<Ended, EngineError> {
        let mut look = tokio::time::interval(self.commands_every);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let clock = self.ports.clock.clone();
        self.look_for_commands(watcher, interrupt).await?;
        self.settle(Vec::new(), &[], watcher, interrupt).await?;
        while !self.at_rest() {
            if self.state.ended() && !self.telling() {
                // What could not be taken up while the run was ending is answered now.
                self.look_for_commands(watcher, interrupt).await?;
                if self.at_rest() || (self.state.ended() && !self.telling()) {
                    break;
                }
            }
            // The time of a run that has ended is not counted.
            if let Some(jumped) = self.clock_jumped().filter(|_| !self.state.ended()) {
                self.settle(vec![jumped], &[], watcher, interrupt).await?;
                continue;
            }
            let wake = self.state.wakes_at();
            // A person's word comes first; what has happened comes before what only time brings.
            tokio::select! {
                biased;
                Some(()) = interrupt.recv() => {
                    if self.state.ended() {
                        // The person does not want to wait until somebody was told of the end.
                        break;
                    }
                    let events = self.decided(&Command::Pause, watcher);
                    self.settle(events, &[], watcher, interrupt).await?;
                }
                _ = look.tick() => self.look_for_commands(watcher, interrupt).await?,
                message = self.from_effects.recv() => {
                    if let Some(message) = message {
                        self.hear(message, watcher, interrupt).await?;
                    }
                }
                _ = clock.sleep_until(wake.unwrap_or(u64::MAX)), if wake.is_some() => {
                    // Whether the clock has jumped is looked at before anything is made of the time.
                    if self.clock_is_steady() {
                        let woken = Event::run(clock.now(), Fact::Woken);
                        self.settle(vec![woken], &[], watcher, interrupt).await?;
                    }
                }
            }
        }
        if self.state.paused && !self.edited {
            self.come_to_rest(watcher, interrupt).await?;
        }
        for (_, effect) in std::mem::take(&mut self.under_way) {
            effect.handle.abort();
        }
        self.ports.site.close().await;
        if let (Some(list), Some(worklist)) = (&self.ports.worklist, &self.state.worklist) {
            for child in worklist.open.values() {
                if let Some(member) = worklist::member(list, child) {
                    member.site.close().await;
                }
            }
        }
        Ok(match &self.state.stop {
            _ if self.edited => Ended::Edited,
            Some(reason) if self.state.ended() => Ended::Stopped(reason.clone()),
            _ => Ended::Paused,
        })
    }

    /// Whether this loop is over although the run may not be.
    fn at_rest(&self) -> bool {
        self.state.paused || self.edited
    }

    /// Whether the person is yet to be told of something.
    fn telling(&self) -> bool {
        let open = |standing: &Standing| !matches!(standing, Standing::Over { .. });
        self.state.notifications.iter().any(|n| open(&n.standing))
    }

    /// By how much the wall clock is ahead of the time that has passed since the last look, milliseconds.
    fn clock_is_ahead_by(&self, now: Times) -> i64 {
        let passed = now.counted.saturating_sub(self.seen.counted);
        let expected = self.seen.wall.saturating_add(passed);
        (now.wall as i64).saturating_sub(expected as i64)
    }

    fn clock_is_steady(&self) -> bool {
        let ahead = self.clock_is_ahead_by(self.ports.clock.times());
        ahead.unsigned_abs() < JUMP_MS_MIN
    }

    /// Notices a machine that slept and a clock that was set: only the wall clock tells of it.
    fn clock_jumped(&mut self) -> Option<Event> {
        let now = self.ports.clock.times();
        let ms = self.clock_is_ahead_by(now);
        self.seen = now;
        (ms.unsigned_abs() >= JUMP_MS_MIN).then(|| Event::run(now.wall, Fact::ClockJumped { ms }))
    }

    /// Lets what is under way end by itself for a while, so that no answer is lost and no call is cut.
    async fn come_to_rest(
        &mut self,
        watcher: &mut dyn Watcher,
        interrupt: &mut mpsc::UnboundedReceiver<()>,
    ) -> Result<(), EngineError> {
        let grace = tokio::time::sleep(PAUSE_GRACE);
        tokio::pin!(grace);
        while !self.under_way.is_empty() {
            tokio::select! {
                biased;
                Some(()) = interrupt.recv() => break,
                message = self.from_effects.recv() => {
                    if let Some(message) = message {
                        self.hear(message, watcher, interrupt).await?;
                    }
                }
                _ = &mut grace => break,
            }
        }
        Ok(())
    }

    async fn hear(
        &mut self,
        first: (u64, Message),
        watcher: &mut dyn Watcher,
        interrupt: &mut mpsc::UnboundedReceiver<()>,
    ) -> Result<(), EngineError> {
        let mut events = Vec::new();
        let mut next = Some(first);
        while let Some((number, message)) = next {
            // What was given up has nothing to say any more.
            let under_way = self.under_way.values().any(|e| e.number == number);
            match message {
                Message::Event(event) if under_way => events.push(*event),
                Message::Note(text) if under_way => watcher.note(&text),
                Message::Finished => self.under_way.retain(|_, e| e.number != number),
                Message::Event(_) | Message::Note(_) => {}
            }
            next = self.from_effects.try_recv().ok();
        }
        self.settle(events, &[], watcher, interrupt).await
    }

    /// Advances, and waits as long as the disk is full. A full disk loses nothing: the facts stay in memory until there
    /// is room, or until a person gives up.
    async fn settle(
        &mut self,
        events: Vec<Event>,
        done: &[i64],
        watcher: &mut dyn Watcher,
        interrupt: &mut mpsc::UnboundedReceiver<()>,
    ) -> Result<(), EngineError> {
        let mut told = false;
        loop {
            match self.advance(events.clone(), done, watcher) {
                Err(EngineError::Journal(JournalError::Full { path })) => {
                    let why = format!("the disk that holds {path} is full");
                    if !self
                        .waits_for_room(&mut told, &why, watcher, interrupt)
                        .await
                    {
                        return Err(JournalError::Full { path }.into());
                    }
                }
                other => return other,
            }
        }
    }

    async fn look_for_commands(
        &mut self,
        watcher: &mut dyn Watcher,
        interrupt: &mut mpsc::UnboundedReceiver<()>,
    ) -> Result<(), EngineError> {
        for waiting in self.ports.journal.commands()? {
            if self.edited {
                // What comes after a new version of the contract is heard by the loop that works under it.
                break;
            }
            let edit = match &waiting.command {
                Command::Edit { text } => Some(text),
                _ => None,
            };
            if edit.is_some() && !self.ready_for_edit() {
                if !self.holding {
                    self.settle(Vec::new(), &[], watcher, interrupt).await?;
                }
                continue;
            }
            let events = self.decided(&waiting.command, watcher);
            match edit {
                Some(text) if !events.is_empty() => {
                    self.keep(text, watcher, interrupt).await?;
                    self.settle(events, &[waiting.id], watcher, interrupt)
                        .await?;
                    self.edited = true;
                }
                Some(_) => {
                    // It was refused, or it changes nothing: what was held back begins.
                    self.holding = false;
                    self.settle(events, &[waiting.id], watcher, interrupt)
                        .await?;
                }
                None => {
                    self.settle(events, &[waiting.id], watcher, interrupt)
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Keeps a new version of the goal file; a full disk is waited for, as everywhere.
    async fn keep(
        &mut self,
        text: &str,
        watcher: &mut dyn Watcher,
        interrupt: &mut mpsc::UnboundedReceiver<()>,
    ) -> Result<(), EngineError> {
        let mut told = false;
        while let Err(error) = self.ports.journal.put(text.as_bytes()) {
            let given_up = || EngineError::Kept(error.to_string());
            let full = error.kind() == ErrorKind::StorageFull;
            if !full
                || !self
                    .waits_for_room(&mut told, &error.to_string(), watcher, interrupt)
                    .await
            {
                return Err(given_up());
            }
        }
        Ok(())
    }

    /// Waits a while for room on a full disk; `false` if the person does not want to.
    async fn waits_for_room(
        &self,
        told: &mut bool,
        why: &str,
        watcher: &mut dyn Watcher,
        interrupt: &mut mpsc::UnboundedReceiver<()>,
    ) -> bool {
        if !std::mem::replace(told, true) {
            watcher.note(&format!("{why}; the run waits for room"));
        }
        let clock = self.ports.clock.clone();
        let again = clock.now().saturating_add(FULL_RETRY_EVERY_MS);
        tokio::select! {
            biased;
            Some(()) = interrupt.recv() => false,
            () = clock.sleep_until(again) => true,
        }
    }

    /// Whether the contract can be changed now: nothing is under way that would have to be paid for twice, or whose
    /// effect would be unknown. What is under way may end; nothing else begins meanwhile.
    fn ready_for_edit(&mut self) -> bool {
        if !ready_for_edit(&self.state) {
            self.holding = false;
            return false;
        }
        fn again(effect: &Effect) -> bool {
            match effect {
                Effect::Baseline | Effect::Verify { .. } | Effect::Reach { .. } => true,
                Effect::Item { effect, .. } => again(effect),
                _ => false,
            }
        }
        self.holding = true;
        if self.under_way.keys().any(|effect| !again(effect)) {
            return false;
        }
        for (_, effect) in std::mem::take(&mut self.under_way) {
            effect.handle.abort();
        }
        true
    }

    /// Steps through events, adds the facts with which due effects begin, appends all of it at once, and only then
    /// starts the effects.
    fn advance(
        &mut self,
        events: Vec<Event>,
        done: &[i64],
        watcher: &mut dyn Watcher,
    ) -> Result<(), EngineError> {
        // A state with many items at work is large: it is copied once for each event, and not at all without one.
        let mut state = self.state.clone();
        let mut batch = Vec::with_capacity(events.len() + 1);
        let mut queue: std::collections::VecDeque<Event> = events.into();
        let mut states = Vec::new();
        let mut starting: Vec<Effect> = Vec::new();
        loop {
            while let Some(event) = queue.pop_front() {
                if late(&state, &event) {
                    continue;
                }
                state = Arc::new(step(State::clone(&state), &event)?.0);
                states.push(state.clone());
                batch.push(event);
            }
            let mut wanted = due(&state);
            if self.holding {
                wanted.clear();
            }
            starting.retain(|effect| wanted.contains(effect));
            for effect in wanted {
                if self.under_way.contains_key(&effect) || starting.contains(&effect) {
                    continue;
                }
                if let Some(fact) = begins(&state, &effect) {
                    queue.push_back(Event {
                        scope: scope(&effect),
                        at: self.ports.clock.now(),
                        fact,
                    });
                }
                starting.push(effect);
            }
            if queue.is_empty() {
                break;
            }
        }
        if !batch.is_empty() || !done.is_empty() {
            self.ports.journal.append(&batch, done, &summary(&state))?;
        }
        self.state = state;
        for (event, state) in batch.iter().zip(&states) {
            self.learn(event, state);
            watcher.event(event, state);
        }
        self.abort_undue();
        let wanted = due(&self.state);
        for effect in starting {
            if wanted.contains(&effect) {
                self.start(effect);
            }
        }
        Ok(())
    }

    /// Those who work hear of what has happened to them. An item that has ended is worked on no longer.
    fn learn(&self, event: &Event, state: &State) {
        self.known.see(event, state);
        let (Scope::Item(item), Some(list)) = (&event.scope, &self.ports.worklist) else {
            return self.ports.executor.learn(event);
        };
        let worklist = state.worklist.as_ref();
        match worklist.and_then(|worklist| worklist.open.get(item)) {
            Some(child) => {
                if let Some(member) = worklist::member(list, child) {
                    member.executor.learn(&of_run(event));
                }
            }
            None => {
                self.known.forget(item);
                let (crew, item) = (list.crew.clone(), item.clone());
                tokio::spawn(async move { crew.dismiss(&item).await });
            }
        }
    }

    fn start(&mut self, effect: Effect) {
        let (ports, state, to_loop) =
            (self.ports.clone(), self.state.clone(), self.to_loop.clone());
        let known = self.known.clone();
        let order = effect.clone();
        self.started += 1;
        let number = self.started;
        let begun = Arc::new(AtomicBool::new(false));
        let begins = begun.clone();
        let task = tokio::spawn(async move {
            begins.store(true, Ordering::Relaxed);
            let mut tell = Tell {
                order: order.clone(),
                number,
                at: ports.clock.now(),
                done: false,
                to_loop: to_loop.clone(),
            };
            perform(
                &order,
                &state,
                &ports,
                &known,
                &Scope::Run,
                &move |message| {
                    // The loop may have ended; then nobody needs the fact.
                    let _ = to_loop.send((number, message));
                },
            )
            .await;
            tell.done = true;
        });
        let handle = task.abort_handle();
        self.under_way.insert(
            effect,
            UnderWay {
                number,
                handle,
                begun,
            },
        );
    }

    /// Gives up what is no longer due. A pause is not a reason to give up what has begun: it may end by itself.
    fn abort_undue(&mut self) {
        let paused = self.state.paused;
        let wanted = due(&self.state);
        self.under_way.retain(|effect, under_way| {
            let keep = match paused {
                true => under_way.begun.load(Ordering::Relaxed),
                false => wanted.contains(effect),
            };
            if !keep {
                under_way.handle.abort();
            }
            keep
        });
    }
}

/// Tells the loop that an effect is over, also if it panicked: a run must not wait for what will never come.
struct Tell {
    order: Effect,
    number: u64,
    at: UnixMs,
    done: bool,
    to_loop: mpsc::UnboundedSender<(u64, Message)>,
}

impl Drop for Tell {
    fn drop(&mut self) {
        let panicked = std::thread::panicking();
        if panicked {
            let message = format!(
                "{:?} failed inside the harness: please report it",
                self.order
            );
            let fact = Fact::HarnessFailed {
                message,
                fatal: true,
            };
            let event = Message::Event(Box::new(Event::run(self.at, fact)));
            let _ = self.to_loop.send((self.number, event));
        }
        if panicked || self.done {
            let _ = self.to_loop.send((self.number, Message::Finished));
        }
    }
}

/// The fact that must be durable before an effect begins, so that a crash is known to have met it under way.
fn begins(state: &State, effect: &Effect) -> Option<Fact> {
    match effect {
        Effect::AskModel {
            scope,
            turn,
            attempt,
        } => {
            let told = state
                .lanes
                .get(scope)
                .map(|l| l.inbox.clone())
                .unwrap_or_default();
            Some(Fact::TurnRequested {
                turn: *turn,
                attempt: *attempt,
                told,
            })
        }
        Effect::Call { turn, index, .. } => Some(Fact::CallStarted {
            turn: *turn,
            index: *index,
        }),
        Effect::Item { item, effect } => {
            let open = state.worklist.as_ref().and_then(|list| list.open.get(item));
            open.and_then(|child| begins(child, effect))
        }
        Effect::Notify { number } => {
            let found = state.notifications.iter().find(|n| n.number == *number)?;
            Some(Fact::Notifying {
                number: *number,
                occasion: found.occasion,
            })
        }
        _ => None,
    }
}

fn scope(effect: &Effect) -> Scope {
    match effect {
        Effect::AskModel { scope, .. } | Effect::Call { scope, .. } | Effect::Reach { scope } => {
            scope.clone()
        }
        Effect::Item { item, .. } => Scope::Item(item.clone()),
        _ => Scope::Run,
    }
}

/// An item's event as the one who works on the item sees it: there it is the run's.
fn of_run(event: &Event) -> Event {
    Event {
        scope: Scope::Run,
        ..event.clone()
    }
}

/// What a process that takes a run up has to know of its past.
#[derive(Default)]
struct Past {
    /// The snapshots' deltas since a workspace was made, oldest first.
    deltas: BTreeMap<Scope, Vec<BlobId>>,
    /// What has happened to the items that are worked on.
    items: BTreeMap<ItemId, Vec<Event>>,
    ledger: Ledger,
}

impl Past {
    fn see(&mut self, event: &Event, state: &State, executor: &dyn Executor) {
        self.ledger.see(event, state);
        match &event.fact {
            Fact::Prepared { .. } => {
                self.deltas.remove(&event.scope);
            }
            Fact::CallEnded { result, .. } => self.delta(event, result.delta.as_ref()),
            Fact::CandidateFixed { delta, .. } => self.delta(event, delta.as_ref()),
            _ => {}
        }
        let Scope::Item(item) = &event.scope else {
            return executor.learn(event);
        };
        let open = state.worklist.as_ref();
        if open.is_some_and(|list| list.open.contains_key(item)) {
            let past = self.items.entry(item.clone()).or_default();
            past.push(of_run(event));
        } else {
            self.items.remove(item);
            self.deltas.remove(&event.scope);
        }
    }

    fn delta(&mut self, event: &Event, delta: Option<&BlobId>) {
        if let Some(delta) = delta {
            let deltas = self.deltas.entry(event.scope.clone()).or_default();
            deltas.push(delta.clone());
        }
    }

    fn deltas(&self, scope: &Scope) -> &[BlobId] {
        self.deltas.get(scope).map_or(&[], Vec::as_slice)
    }

    /// Those who work on items take their workspaces up again, and hear what has happened to them.
    async fn take_up(&self, state: &State, list: &WorklistPorts) -> Result<(), EngineError> {
        let open = state.worklist.iter().flat_map(|worklist| &worklist.open);
        for (item, child) in open {
            let Some(member) = worklist::member(list, child) else {
                continue;
            };
            for event in self.items.get(item).into_iter().flatten() {
                member.executor.learn(event);
            }
            // A workspace that is made anew, or that counts no longer, is not taken up.
            let moved = child.item.as_ref().is_some_and(|work| work.moved);
            if child.base.is_some() && child.phase != Phase::Preparing && !moved {
                let deltas = self.deltas(&Scope::Item(item.clone()));
                let reopened = member.site.reopen(child, deltas).await;
                reopened.map_err(|why| EngineError::Site(format!("{item}: {why}")))?;
            }
        }
        Ok(())
    }
}

/// Reads a whole journal: the state it adds up to. `each` hears every event with the state that it led to.
pub(crate) fn replay(
    journal: &dyn Journal,
    mut each: impl FnMut(&Event, &State),
) -> Result<State, EngineError> {
    let mut state: Option<State> = None;
    let mut failed: Option<StepError> = None;
    journal.read(1, &mut |stored| {
        if failed.is_some() {
            return;
        }
        let next = match state.take() {
            None => begin(&stored.event),
            Some(now) => step(now, &stored.event).map(|(next, _)| next),
        };
        match next {
            Ok(next) => {
                each(&stored.event, &next);
                state = Some(next);
            }
            Err(e) => failed = Some(e),
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    state.ok_or(EngineError::Empty)
}

/// The state that a run's journal adds up to.
pub fn load(journal: &dyn Journal) -> Result<State, EngineError> {
    replay(journal, |_, _| {})
}
