//! The loop of one run. One task owns the state; effects run beside it and send facts; every fact is appended
//! before anything that follows from it begins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use overnight_core::effect::{Effect, due};
use overnight_core::event::{Created, Event, Fact};
use overnight_core::ids::{BlobId, Scope};
use overnight_core::notification::Standing;
use overnight_core::state::{CallProgress, Phase, State};
use overnight_core::step::{Command, StepError, begin, decide, ready_for_edit, recover, step};
use overnight_core::stop::StopReason;
use overnight_ports::journal::{Journal, JournalError};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::perform::{LastCandidate, Ports, perform};
use crate::summary::summary;

/// How often the queue of commands from other terminals is looked at.
const COMMANDS_EVERY: Duration = Duration::from_millis(200);
/// How long a pause waits for what is under way before it gives it up.
const PAUSE_GRACE: Duration = Duration::from_secs(10);
/// How often a full disk is tried again.
const FULL_RETRY_EVERY: Duration = Duration::from_secs(5);

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
    Event(Event),
    Finished(Effect),
}

/// One run at work.
pub struct Engine {
    state: Arc<State>,
    ports: Arc<Ports>,
    candidate: Arc<LastCandidate>,
    under_way: BTreeMap<Effect, AbortHandle>,
    /// A new version of the contract waits for what is under way: nothing begins meanwhile.
    holding: bool,
    /// The contract was changed: these ports are of the version before.
    edited: bool,
    to_loop: mpsc::UnboundedSender<Message>,
    from_effects: mpsc::UnboundedReceiver<Message>,
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
        Ok(Self::over(ports, state))
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
        let (state, deltas) = replay(ports.journal.as_ref(), |event| ports.executor.learn(event))?;
        let may_go_on = !state.ended() || state.stop.as_ref().is_some_and(StopReason::resumable);
        if state.base.is_some() && may_go_on {
            ports
                .site
                .reopen(&state, &deltas)
                .await
                .map_err(EngineError::Site)?;
        }
        Ok(Self::over(ports, state))
    }

    fn over(ports: Ports, state: State) -> Engine {
        let (to_loop, from_effects) = mpsc::unbounded_channel();
        Engine {
            state: Arc::new(state),
            ports: Arc::new(ports),
            candidate: Arc::default(),
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

    /// Carries out a person's command at once. Refusals are told to the watcher.
    pub fn command(
        &mut self,
        command: &Command,
        watcher: &mut dyn Watcher,
    ) -> Result<(), EngineError> {
        self.commanded(command, &[], watcher)
    }

    fn commanded(
        &mut self,
        command: &Command,
        done: &[i64],
        watcher: &mut dyn Watcher,
    ) -> Result<(), EngineError> {
        let now = self.ports.clock.now();
        let facts = match decide(&self.state, command) {
            Ok(facts) => facts,
            Err(refusal) => {
                watcher.note(&refusal.to_string());
                Vec::new()
            }
        };
        if let Command::Edit { text } = command
            && !facts.is_empty()
        {
            self.ports
                .journal
                .put(text.as_bytes())
                .map_err(|e| EngineError::Kept(e.to_string()))?;
            self.edited = true;
        }
        let events: Vec<Event> = facts
            .into_iter()
            .map(|fact| Event::run(now, fact))
            .collect();
        if events.is_empty() && done.is_empty() {
            return Ok(());
        }
        self.advance(events, done, watcher)
    }

    /// Works until the run ends or a person pauses it. `interrupt` is a person's Ctrl-C: the first pauses, another
    /// one gives up what is under way.
    pub async fn run(
        &mut self,
        watcher: &mut dyn Watcher,
        interrupt: &mut mpsc::UnboundedReceiver<()>,
    ) -> Result<Ended, EngineError> {
        let mut look = tokio::time::interval(COMMANDS_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let clock = self.ports.clock.clone();
        self.look_for_commands(watcher)?;
        self.start_due(watcher)?;
        while !self.at_rest() {
            if self.state.ended() && !self.telling() {
                // What could not be taken up while the run was ending is answered now.
                self.look_for_commands(watcher)?;
                if self.at_rest() || (self.state.ended() && !self.telling()) {
                    break;
                }
            }
            let wake = self.state.wakes_at();
            tokio::select! {
                message = self.from_effects.recv() => {
                    if let Some(message) = message {
                        self.hear(message, watcher, interrupt).await?;
                    }
                }
                _ = look.tick() => self.look_for_commands(watcher)?,
                _ = clock.sleep_until(wake.unwrap_or(u64::MAX)), if wake.is_some() => {
                    let woken = Event::run(clock.now(), Fact::Woken);
                    self.advance(vec![woken], &[], watcher)?;
                }
                Some(()) = interrupt.recv() => match self.state.ended() {
                    // The person does not want to wait until somebody was told of the end.
                    true => break,
                    false => self.command(&Command::Pause, watcher)?,
                },
            }
        }
        if self.state.paused && !self.edited {
            self.come_to_rest(watcher, interrupt).await?;
        }
        for (_, handle) in std::mem::take(&mut self.under_way) {
            handle.abort();
        }
        self.ports.site.close().await;
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
                message = self.from_effects.recv() => {
                    if let Some(message) = message {
                        self.hear(message, watcher, interrupt).await?;
                    }
                }
                _ = &mut grace => break,
                Some(()) = interrupt.recv() => break,
            }
        }
        Ok(())
    }

    async fn hear(
        &mut self,
        first: Message,
        watcher: &mut dyn Watcher,
        interrupt: &mut mpsc::UnboundedReceiver<()>,
    ) -> Result<(), EngineError> {
        let mut events = Vec::new();
        let mut finished = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Event(event) => events.push(event),
                Message::Finished(effect) => finished.push(effect),
            }
            next = self.from_effects.try_recv().ok();
        }
        for effect in finished {
            self.under_way.remove(&effect);
        }
        loop {
            match self.advance(events.clone(), &[], watcher) {
                // A full disk loses nothing: the facts stay in memory until there is room, or until a person gives up.
                Err(EngineError::Journal(JournalError::Full { path })) => {
                    watcher.note(&format!(
                        "the disk that holds {path} is full; the run waits for room"
                    ));
                    tokio::select! {
                        () = tokio::time::sleep(FULL_RETRY_EVERY) => {}
                        Some(()) = interrupt.recv() => {
                            return Err(JournalError::Full { path }.into());
                        }
                    }
                }
                other => return other,
            }
        }
    }

    fn look_for_commands(&mut self, watcher: &mut dyn Watcher) -> Result<(), EngineError> {
        for waiting in self.ports.journal.commands()? {
            if self.edited {
                // What comes after a new version of the contract is heard by the loop that works under it.
                break;
            }
            let edit = matches!(waiting.command, Command::Edit { .. });
            if edit && !self.ready_for_edit() {
                if !self.holding {
                    self.start_due(watcher)?;
                }
                continue;
            }
            self.commanded(&waiting.command, &[waiting.id], watcher)?;
            if edit && !self.edited {
                // It was refused: what was held back begins.
                self.holding = false;
                self.start_due(watcher)?;
            }
        }
        Ok(())
    }

    /// Whether the contract can be changed now: nothing is under way that would have to be paid for twice, or whose
    /// effect would be unknown. What is under way may end; nothing else begins meanwhile.
    fn ready_for_edit(&mut self) -> bool {
        if !ready_for_edit(&self.state) {
            self.holding = false;
            return false;
        }
        let again = |effect: &Effect| {
            matches!(
                effect,
                Effect::Baseline | Effect::Verify { .. } | Effect::Reach { .. }
            )
        };
        self.holding = true;
        if self.under_way.keys().any(|effect| !again(effect)) {
            return false;
        }
        for (_, handle) in std::mem::take(&mut self.under_way) {
            handle.abort();
        }
        true
    }

    fn start_due(&mut self, watcher: &mut dyn Watcher) -> Result<(), EngineError> {
        self.advance(Vec::new(), &[], watcher)
    }

    /// Steps through events, adds the facts with which due effects begin, appends all of it at once, and only then
    /// starts the effects.
    fn advance(
        &mut self,
        events: Vec<Event>,
        done: &[i64],
        watcher: &mut dyn Watcher,
    ) -> Result<(), EngineError> {
        let mut state = Arc::unwrap_or_clone(self.state.clone());
        let mut batch = Vec::with_capacity(events.len() + 1);
        let mut queue: std::collections::VecDeque<Event> = events.into();
        let mut states = Vec::new();
        let mut starting: Vec<Effect> = Vec::new();
        loop {
            while let Some(event) = queue.pop_front() {
                if stale(&state, &event) {
                    continue;
                }
                state = step(state, &event)?.0;
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
        self.state = Arc::new(state);
        for (event, state) in batch.iter().zip(&states) {
            self.ports.executor.learn(event);
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

    fn start(&mut self, effect: Effect) {
        let (ports, state, to_loop) =
            (self.ports.clone(), self.state.clone(), self.to_loop.clone());
        let candidate = self.candidate.clone();
        let order = effect.clone();
        let task = tokio::spawn(async move {
            let mut tell = Tell {
                order: order.clone(),
                at: ports.clock.now(),
                done: false,
                to_loop: to_loop.clone(),
            };
            perform(&order, &state, &ports, &candidate, &move |event| {
                // The loop may have ended; then nobody needs the fact.
                let _ = to_loop.send(Message::Event(event));
            })
            .await;
            tell.done = true;
        });
        self.under_way.insert(effect, task.abort_handle());
    }

    /// Gives up what is no longer due. A pause is not a reason: what is under way may end by itself.
    fn abort_undue(&mut self) {
        if self.state.paused {
            return;
        }
        let wanted = due(&self.state);
        self.under_way.retain(|effect, handle| {
            let keep = wanted.contains(effect);
            if !keep {
                handle.abort();
            }
            keep
        });
    }
}

/// Tells the loop that an effect is over, also if it panicked: a run must not wait for what will never come.
struct Tell {
    order: Effect,
    at: u64,
    done: bool,
    to_loop: mpsc::UnboundedSender<Message>,
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
            let _ = self.to_loop.send(Message::Event(Event::run(self.at, fact)));
        }
        // One that was given up says nothing: its place may be taken by another already.
        if panicked || self.done {
            let _ = self.to_loop.send(Message::Finished(self.order.clone()));
        }
    }
}

/// A fact that comes too late: its turn, its checkpoint or its run is over (a stop overtook it).
fn stale(state: &State, event: &Event) -> bool {
    let lane = state.lanes.get(&event.scope);
    let turn = lane.map_or(0, |l| l.turn);
    let working = state.phase == Phase::Working;
    let open = |index: usize| {
        lane.and_then(|l| l.calls.get(index))
            .is_some_and(|c| c.progress != CallProgress::Ended)
    };
    match &event.fact {
        Fact::ModelAnswered { turn: t, .. } => !working || turn + 1 != *t,
        Fact::ModelFailed { .. } => !working,
        Fact::CallEnded { turn: t, index, .. } => turn != *t || !open(*index),
        Fact::CandidateFixed { .. } => !matches!(&state.phase, Phase::Checking(c) if !c.fixed),
        Fact::Prepared { .. } => state.phase != Phase::Preparing,
        Fact::BaselineEnded { .. } => state.phase != Phase::Baselining,
        Fact::Delivered { .. } | Fact::DeliveryFailed { .. } => state.phase != Phase::Delivering,
        Fact::ReportWritten { .. } => state.phase != Phase::Reporting,
        Fact::NetworkBack => {
            !working || !lane.is_some_and(|l| l.wait.as_ref().is_some_and(|w| w.seeking))
        }
        _ => false,
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
        _ => Scope::Run,
    }
}

/// Reads a whole journal: the state it adds up to, and the snapshots' deltas, oldest first.
pub(crate) fn replay(
    journal: &dyn Journal,
    mut each: impl FnMut(&Event),
) -> Result<(State, Vec<BlobId>), EngineError> {
    let mut state: Option<State> = None;
    let mut failed: Option<StepError> = None;
    let mut deltas = Vec::new();
    journal.read(1, &mut |stored| {
        if failed.is_some() {
            return;
        }
        let next = match state.take() {
            None => begin(&stored.event),
            Some(now) => step(now, &stored.event).map(|(next, _)| next),
        };
        match next {
            Ok(next) => state = Some(next),
            Err(e) => {
                failed = Some(e);
                return;
            }
        }
        match &stored.event.fact {
            Fact::CallEnded { result, .. } => deltas.extend(result.delta.clone()),
            Fact::CandidateFixed { delta, .. } => deltas.extend(delta.clone()),
            _ => {}
        }
        each(&stored.event);
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    Ok((state.ok_or(EngineError::Empty)?, deltas))
}

/// The state that a run's journal adds up to.
pub fn load(journal: &dyn Journal) -> Result<State, EngineError> {
    replay(journal, |_| {}).map(|(state, _)| state)
}
