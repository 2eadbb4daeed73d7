//! The simulated world: what the disk, the workspace, the repository and the clock really are, whatever the run thinks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use overnight_core::event::{Event, Fact};
use overnight_core::goal::{CheckKind, Goal};
use overnight_core::ids::{BlobId, CommitId, ItemId, Scope, TreeId, UnixMs};
use overnight_core::state::State;
use overnight_core::step::{Command, begin, name, step};
use overnight_ports::forge::Delivery;
use overnight_ports::journal::Waiting;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::night::plan::{AtAppend, DONE, KEPT, KEPT_FILE, Plan, Weather, cell};
use crate::night::random::Random;
use crate::night::things::{BROKEN, LEFT, MARKER, RIGHT, SOUND, Tracker};

/// When every run begins: 2026-01-02 03:04:05 UTC.
pub const START: UnixMs = 1_767_323_045_000;
/// How often the clock may be read in one run before it counts as one that never ends.
const READINGS_MAX: u64 = 3_000_000;
/// How many of the last events a violation tells.
const TOLD_EVENTS: usize = 24;

/// The files of a workspace or a tree.
pub type Files = BTreeMap<String, u8>;

/// A law that was broken.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Which law.
    pub law: &'static str,
    /// What happened.
    pub what: String,
    /// The last events before it, oldest first.
    pub events: Vec<String>,
}

/// What one run came to, in figures.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Events.
    pub events: u64,
    /// Times that the process died.
    pub crashes: u64,
    /// Requests to the model.
    pub requests: u64,
    /// Largest serialised state, bytes.
    pub state_bytes: usize,
    /// Simulated time, milliseconds.
    pub simulated_ms: u64,
    /// Which event met a run of which status.
    pub pairs: BTreeSet<(&'static str, &'static str)>,
    /// Duplicates of facts that were tried.
    pub duplicates: u64,
}

/// Everything that is outside the process, and what the process holds in memory.
pub struct World {
    inner: Mutex<Inner>,
    /// Rung when the process dies.
    pub died: Notify,
}

/// See [`World`].
pub struct Inner {
    /// What the seed says.
    pub plan: Plan,
    /// For choices made on the way.
    pub random: Random,
    /// What was counted.
    pub figures: Figures,
    /// The first broken law.
    pub broken: Option<Violation>,
    /// Whether the process is dead.
    pub dead: bool,
    due: VecDeque<(u64, AtAppend)>,
    clock: Clock,
    readings: u64,
    deeds: u64,
    /// The disk.
    pub disk: Disk,
    /// Where the model works.
    pub work: Work,
    /// Where the models of the items work.
    pub desks: BTreeMap<ItemId, Work>,
    /// Every tree that was ever fixed.
    pub trees: BTreeMap<TreeId, Files>,
    /// Every commit that was made: its parent and its tree.
    pub commits: BTreeMap<CommitId, (CommitId, TreeId)>,
    /// The source of the items.
    pub tracker: Tracker,
    /// The person's repository: the branch's commit, and what was delivered as it.
    pub branch: Option<(CommitId, Delivery)>,
    /// What reached the network, by whose, turn and call: how often.
    pub reached: BTreeMap<(Whose, u64, usize), u32>,
    /// Notifications that were sent, by key.
    pub sent: BTreeSet<String>,
    /// Ctrl-C.
    pub interrupt: Option<mpsc::UnboundedSender<()>>,
    /// Whether something has happened for which a wait may end late.
    pub disturbed: bool,
    last_told: VecDeque<String>,
}

struct Clock {
    /// The wall clock when this life began.
    base: UnixMs,
    /// When this life began.
    born: Option<Instant>,
    jumped: i64,
}

/// What survives a death.
#[derive(Default)]
pub struct Disk {
    /// The journal, as it is written.
    pub events: Vec<String>,
    /// What it adds up to.
    pub state: Option<State>,
    /// Durable blobs.
    pub blobs: BTreeMap<BlobId, Vec<u8>>,
    /// Blobs of which no append has made sure yet.
    pub pending: BTreeMap<BlobId, Vec<u8>>,
    /// Commands from other terminals.
    pub queue: Vec<Waiting>,
    /// Until when it is full, on the clock that only counts.
    pub full_until: Option<Duration>,
    /// Turns whose answer is durable.
    pub answered: BTreeSet<(Whose, u64)>,
    /// How often each item was opened.
    pub opened: BTreeMap<ItemId, u32>,
    appends: u64,
    commands: i64,
    lived: Duration,
}

/// The workspace.
#[derive(Default)]
pub struct Work {
    /// What its files say.
    pub files: Files,
    /// What they said at the last look; in memory only.
    pub scanned: Files,
    /// Every file that anybody ever wrote here.
    pub wrote: BTreeSet<String>,
    /// Background commands: when they change what, on the clock that only counts.
    pub background: Vec<(Duration, String, u8)>,
}

/// Whose turn or call: the run's (`None`), or an item's, and the how many-th time that the item is open.
pub type Whose = (Option<ItemId>, u32);

/// What an append comes to.
pub enum Appending {
    /// It is durable.
    Durable,
    /// The disk is full.
    Full,
    /// The process dies.
    Dies,
}

/// The files of the base: nothing is done.
pub fn base_files(plan: &Plan) -> Files {
    let mut files: Files = (0..plan.cells).map(|n| (cell(n), 0)).collect();
    files.insert(KEPT_FILE.into(), KEPT);
    if let Some(backlog) = &plan.backlog {
        files.extend(backlog.files());
    }
    files
}

/// The tree that holds these files.
pub fn tree_of(files: &Files) -> TreeId {
    let text: String = files.iter().map(|(f, v)| format!("{f}={v};")).collect();
    TreeId(BlobId::of(text.as_bytes()).0.chars().take(40).collect())
}

/// What a check's command finds in these files, and what it has to find.
pub fn looked(command: &str, files: &Files) -> (u8, u8) {
    let value = |file: &str| files.get(file).copied().unwrap_or(0);
    match command {
        KEPT_FILE => (value(KEPT_FILE), KEPT),
        SOUND => {
            let broken = files.values().any(|v| matches!(*v, BROKEN | MARKER));
            let clash = value(LEFT) > 0 && value(RIGHT) > 0;
            (u8::from(!broken && !clash), 1)
        }
        file => (value(file), DONE),
    }
}

/// Whether these files are what a goal asks for, as anybody could see.
pub fn is_done(files: &Files, goal: &Goal) -> bool {
    let holds = |command: &str| {
        let (is, wanted) = looked(command, files);
        is == wanted
    };
    holds(KEPT_FILE)
        && goal.checks().all(|check| match &check.kind {
            CheckKind::Run { command }
            | CheckKind::Tests { command, .. }
            | CheckKind::Metric { command, .. } => holds(command),
            _ => true,
        })
}

impl World {
    /// The world of a plan.
    pub fn new(plan: Plan) -> Arc<World> {
        let files = base_files(&plan);
        let mut trees = BTreeMap::new();
        trees.insert(tree_of(&files), files.clone());
        Arc::new(World {
            died: Notify::new(),
            inner: Mutex::new(Inner {
                random: Random::new(plan.seed, 2),
                figures: Figures::default(),
                broken: None,
                dead: false,
                due: plan.at_append.clone().into(),
                clock: Clock {
                    base: START,
                    born: None,
                    jumped: 0,
                },
                readings: 0,
                deeds: 0,
                disk: Disk::default(),
                work: Work {
                    scanned: files.clone(),
                    files,
                    wrote: BTreeSet::new(),
                    background: Vec::new(),
                },
                desks: BTreeMap::new(),
                trees,
                commits: BTreeMap::new(),
                tracker: Tracker::default(),
                branch: None,
                reached: BTreeMap::new(),
                sent: BTreeSet::new(),
                interrupt: None,
                disturbed: false,
                last_told: VecDeque::new(),
                plan,
            }),
        })
    }

    /// The world, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wall clock.
    pub fn now(&self) -> UnixMs {
        let mut inner = self.lock();
        inner.readings += 1;
        assert!(
            inner.readings < READINGS_MAX,
            "the clock was read {READINGS_MAX} times: the run goes round in circles"
        );
        inner.now()
    }

    /// A new process begins.
    pub fn is_born(&self, interrupt: mpsc::UnboundedSender<()>) {
        let mut inner = self.lock();
        inner.clock.born = Some(Instant::now());
        inner.dead = false;
        inner.interrupt = Some(interrupt);
    }

    /// The process is gone: what was in memory is lost.
    pub fn is_gone(&self) {
        let mut inner = self.lock();
        inner.background_runs();
        let lived = inner.lived();
        inner.clock.base = inner.now();
        inner.clock.jumped = 0;
        inner.clock.born = None;
        inner.disk.lived = lived;
        inner.disk.pending.clear();
        inner.work.background.clear();
        for desk in inner.desks.values_mut() {
            desk.background.clear();
        }
        inner.interrupt = None;
        inner.disturbed = true;
    }

    /// Nobody works on the run for so long.
    pub fn rests(&self, ms: u64) {
        let mut inner = self.lock();
        inner.clock.base += ms;
        inner.disk.lived += Duration::from_millis(ms);
        inner.disturbed = true;
    }

    /// A point inside a deed at which the process may die; then this never returns.
    pub async fn deed(&self) {
        let dies = {
            let mut inner = self.lock();
            let number = inner.deeds;
            inner.deeds += 1;
            let dies = inner.plan.die_in_deed.contains(&number);
            if dies {
                inner.dies();
            }
            dies
        };
        if dies {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Takes so long.
    pub async fn takes(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

impl Inner {
    /// The wall clock.
    pub fn now(&self) -> UnixMs {
        let lived = self
            .clock
            .born
            .map_or(0, |b| b.elapsed().as_millis() as u64);
        (self.clock.base + lived).saturating_add_signed(self.clock.jumped)
    }

    /// How the provider is now, if it is bad.
    pub fn weather(&self) -> Option<Weather> {
        let since = self.now().saturating_sub(START);
        let all = &mut self.plan.weather.iter();
        all.find(|w| (w.from..w.to).contains(&since)).cloned()
    }

    /// The clock that only counts: time since the run began, sleep of the machine not included.
    pub fn lived(&self) -> Duration {
        self.disk.lived + self.clock.born.map_or(Duration::ZERO, |b| b.elapsed())
    }

    /// The process dies.
    pub fn dies(&mut self) {
        self.dead = true;
        self.figures.crashes += 1;
    }

    /// Notes that a law is broken; the first one counts.
    pub fn breaks(&mut self, law: &'static str, what: impl Into<String>) {
        if self.broken.is_none() {
            self.broken = Some(Violation {
                law,
                what: what.into(),
                events: self.last_told.iter().cloned().collect(),
            });
        }
    }

    /// Whether the disk is full now.
    pub fn disk_is_full(&mut self) -> bool {
        match self.disk.full_until {
            Some(until) if self.lived() < until => true,
            _ => {
                self.disk.full_until = None;
                false
            }
        }
    }

    /// What is due at this append, in order, and then the append itself.
    pub fn append(&mut self, events: &[Event], done: &[i64]) -> Appending {
        self.disk.appends += 1;
        let mut dies_after = false;
        while self
            .due
            .front()
            .is_some_and(|(at, _)| *at <= self.disk.appends)
        {
            let Some((_, what)) = self.due.pop_front() else {
                break;
            };
            match what {
                AtAppend::DieBefore => {
                    self.dies();
                    return Appending::Dies;
                }
                AtAppend::DieAfter => dies_after = true,
                AtAppend::Person(command) => self.says(command),
                AtAppend::Interrupt => {
                    if let Some(interrupt) = &self.interrupt {
                        // A process that is about to end hears nothing.
                        let _ = interrupt.send(());
                    }
                }
                AtAppend::Jump(ms) => {
                    self.clock.jumped += ms;
                    self.disturbed = true;
                }
                AtAppend::Full(ms) => {
                    self.disk.full_until = Some(self.lived() + Duration::from_millis(ms));
                }
            }
        }
        if self.disk_is_full() {
            self.disturbed = true;
            return Appending::Full;
        }
        self.write(events, done);
        if dies_after {
            self.dies();
            return Appending::Dies;
        }
        Appending::Durable
    }

    fn write(&mut self, events: &[Event], done: &[i64]) {
        let pending = std::mem::take(&mut self.disk.pending);
        self.disk.blobs.extend(pending);
        self.disk.queue.retain(|w| !done.contains(&w.id));
        for event in events {
            self.figures.events += 1;
            self.tell(event);
            let before = self.disk.state.as_ref().map_or("new", State::status);
            self.figures.pairs.insert((before, name(&event.fact)));
            let item = match &event.scope {
                Scope::Run => None,
                Scope::Item(item) => Some(item.clone()),
            };
            match &event.fact {
                Fact::ModelAnswered { turn, .. } => {
                    let whose = self.whose(item.as_ref());
                    self.disk.answered.insert((whose, *turn));
                }
                Fact::ItemOpened(opened) => {
                    let times = self.disk.opened.entry(opened.head.id.clone()).or_default();
                    *times += 1;
                }
                Fact::TurnRequested { turn, .. } => self.affords(*turn),
                _ => {}
            }
            match serde_json::to_string(event) {
                Ok(text) => self.disk.events.push(text),
                Err(e) => self.breaks("events can be written", e.to_string()),
            }
            let next = match self.disk.state.take() {
                None => begin(event),
                Some(state) => step(state, event).map(|(state, _)| state),
            };
            match next {
                Ok(state) => self.disk.state = Some(state),
                Err(e) => self.breaks("what is appended can be replayed", e.to_string()),
            }
        }
    }

    /// Whose turns those of an item are now.
    pub fn whose(&self, item: Option<&ItemId>) -> Whose {
        let opened = item.and_then(|item| self.disk.opened.get(item));
        (item.cloned(), opened.copied().unwrap_or(0))
    }

    /// Where the model of the run works, or that of an item.
    pub fn desk(&mut self, item: Option<&ItemId>) -> &mut Work {
        match item {
            None => &mut self.work,
            Some(item) => self.desks.entry(item.clone()).or_default(),
        }
    }

    /// A request may only be begun while no budget is used up, and none would be if what is under way besides cost as much
    /// as the dearest so far.
    fn affords(&mut self, turn: u64) {
        let Some(now) = &self.disk.state else {
            return;
        };
        let limits = now.goal.stop;
        let over = |used: u64, limit: Option<u64>| limit.is_some_and(|limit| used >= limit);
        let used_ms = now.spent.active_ms + now.spent.waiting_ms;
        let open = now.worklist.iter().flat_map(|list| list.open.values());
        let asking = open.filter(|child| child.lanes.values().any(|lane| lane.asking));
        // This one is among them, if it is of an item.
        let besides = asking.count().saturating_sub(1) as u64;
        let dearest = now.spent.dearest_answer;
        let beyond = over(now.spent.turns + besides, Some(limits.turns))
            || over(
                now.spent.usage.total() + besides * dearest.tokens,
                limits.tokens,
            )
            || limits
                .usd
                .is_some_and(|most| now.spent.usd + besides as f64 * dearest.usd >= most)
            || over(used_ms, Some(limits.limit_ms()))
            || over(now.spent.active_ms, limits.active_limit_ms());
        if beyond {
            let what = format!("turn {turn}: {:?} of {limits:?}", now.spent);
            self.breaks("no model call beyond a budget", what);
        }
    }

    fn tell(&mut self, event: &Event) {
        let detail = match &event.fact {
            Fact::RunCreated(_) => String::new(),
            Fact::CheckReported { report } => {
                format!(" {} {:?} {}", report.check, report.verdict, report.reason)
            }
            Fact::CandidateFixed { candidate, .. } => format!(" {}", candidate.tree),
            Fact::ModelAnswered { turn, calls, .. } => {
                let lines: Vec<&str> = calls.iter().take(5).map(|c| c.line.as_str()).collect();
                format!(" {turn}: {}", lines.join(", "))
            }
            fact => {
                let mut text = format!(" {fact:?}");
                text.truncate(text.floor_char_boundary(160));
                text
            }
        };
        let at = event.at as i64 - START as i64;
        if self.last_told.len() >= TOLD_EVENTS {
            self.last_told.pop_front();
        }
        let whose = match &event.scope {
            Scope::Run => String::new(),
            Scope::Item(item) => format!("{item}: "),
        };
        let line = format!(
            "{:>9}.{:03} s {whose}{}{detail}",
            at / 1_000,
            at.rem_euclid(1_000),
            name(&event.fact)
        );
        self.last_told.push_back(line);
    }

    /// A person leaves a command in another terminal.
    pub fn says(&mut self, command: Command) {
        self.disk.commands += 1;
        let id = self.disk.commands;
        self.disk.queue.push(Waiting { id, command });
    }

    /// What background commands have done by now.
    pub fn background_runs(&mut self) {
        let now = self.lived();
        for work in std::iter::once(&mut self.work).chain(self.desks.values_mut()) {
            work.background.sort();
            while work.background.first().is_some_and(|(at, ..)| *at <= now) {
                let (_, file, value) = work.background.remove(0);
                work.wrote.insert(file.clone());
                work.files.insert(file, value);
            }
        }
    }
}
