//! From events to what a screen shows. Fed one event after the other and never reading back, so that a frame costs
//! the same at the end of a long run as at its beginning.

use std::collections::VecDeque;

use overnight_core::check::Verdict;
use overnight_core::effect::to_verify;
use overnight_core::event::{Event, Fact};
use overnight_core::goal::Stop;
use overnight_core::ids::{CheckId, Scope, UnixMs};
use overnight_core::state::{CallProgress, Lane, Phase, State, Why};
use overnight_core::step::wants_answer;
use overnight_core::stop::StopReason;
use overnight_core::turn::PlanStatus;

use super::progress::Progress;
use crate::lines::lines;

/// How many lines of what happened are kept: more than a tall screen shows.
const LOG_LINES_MAX: usize = 120;
/// How many steps of the plan are kept.
const STEPS_MAX: usize = 100;

/// What a screen shows of a run.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The run's short id.
    pub run: String,
    /// What is to become true.
    pub outcome: String,
    /// The model.
    pub model: String,
    /// Whether there is no sandbox.
    pub open: bool,
    /// One word.
    pub status: &'static str,
    /// What is being done, in words.
    pub doing: String,
    /// Since when it is being done.
    pub doing_since: UnixMs,
    /// Until when the run waits, if it does.
    pub waits_until: Option<UnixMs>,
    /// When the last event happened.
    pub at: UnixMs,
    /// What time counts towards now.
    pub time: Time,
    /// The checks in the goal's order.
    pub checks: Vec<CheckRow>,
    /// How the checks stand, all together.
    pub standing: String,
    /// The worklist, once it is listed.
    pub items: Option<ItemsRow>,
    /// The model's plan.
    pub plan: Vec<(PlanStatus, String)>,
    /// What happened last, oldest first.
    pub log: VecDeque<LogRow>,
    /// What was used.
    pub used: Used,
    /// The person's limits.
    pub limits: Stop,
    /// Verified progress.
    pub progress: Progress,
    /// When there was progress last.
    pub progress_at: Option<UnixMs>,
    /// Checkpoints without progress.
    pub without: u32,
    /// How many actions were denied.
    pub denials: u64,
    /// The question that only a person can answer.
    pub question: Option<Question>,
    /// When the run was created.
    pub created_at: UnixMs,
}

/// What time counts towards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Time {
    /// Nothing: the run rests or has ended.
    #[default]
    Nothing,
    /// Work.
    Work,
    /// A wait.
    Wait,
}

/// What was used up to the last event.
#[derive(Debug, Clone, Default)]
pub struct Used {
    /// Turns.
    pub turns: u64,
    /// Tokens.
    pub tokens: u64,
    /// US dollars, if the price is known.
    pub usd: Option<f64>,
    /// Whether the model costs nothing because it is a script.
    pub scripted: bool,
    /// At work, milliseconds.
    pub active_ms: u64,
    /// In waits, milliseconds.
    pub waiting_ms: u64,
}

/// How a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A verdict on what would be delivered now.
    Now(Verdict),
    /// A verdict on an earlier state of the work, or on the base.
    Earlier(Verdict),
    /// It is being run.
    Runs,
    /// Nobody knows.
    Open,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub standing: Standing,
    /// Why, in one line.
    pub reason: String,
}

/// One line of what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// When.
    pub at: UnixMs,
    /// What.
    pub text: String,
}

/// How far a worklist is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemsRow {
    /// How many items it has.
    pub total: u32,
    /// How many have ended.
    pub closed: u32,
    /// How many ended how: `fixed 5`.
    pub outcomes: Vec<String>,
    /// How many wait for another with the same root cause.
    pub held: usize,
    /// Those that are worked on.
    pub at_work: Vec<ItemRow>,
}

/// An item that is worked on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemRow {
    /// Its id.
    pub id: String,
    /// One word.
    pub status: &'static str,
    /// What is being done, in words.
    pub doing: String,
}

/// What a blocked run asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question.
    pub asks: String,
    /// What was tried.
    pub tried: String,
    /// What would unlock it.
    pub unlock: String,
    /// What a person types.
    pub next: String,
}

impl View {
    /// One event, with the state that it led to.
    pub fn see(&mut self, event: &Event, state: &State) {
        if let Fact::RunCreated(_) = event.fact {
            self.begins(state);
        }
        // What stands elsewhere on the screen is not told twice.
        let told = !matches!(event.fact, Fact::RunCreated(_) | Fact::CheckReported { .. });
        if told {
            for text in lines(event, state) {
                self.push(event.at, text);
            }
        }
        let doing = doing(state);
        // What items do stands with each of them.
        let anew = event.scope == Scope::Run
            && matches!(
                event.fact,
                Fact::CallStarted { .. } | Fact::TurnRequested { .. } | Fact::Restarted { .. }
            );
        if anew || doing != self.doing {
            self.doing = doing;
            self.doing_since = event.at;
        }
        self.status = state.status();
        self.at = event.at;
        let lane = state.lanes.get(&Scope::Run);
        self.waits_until = state.waiting().and_then(|waiting| waiting.until);
        self.time = time(state);
        self.checks = checks(state);
        self.standing = standing(state);
        self.items = items(state);
        self.plan = lane.map(plan).unwrap_or_default();
        self.used = used(state);
        self.limits = state.goal.stop;
        self.progress.see(state);
        self.progress_at = state.progress.last_at;
        self.without = state.progress.without;
        self.denials = state.denials;
        self.question = question(state);
    }

    /// Something that is not an event.
    pub fn note(&mut self, text: &str) {
        let at = self.at;
        self.push(at, crate::lines::clean(text));
    }

    fn begins(&mut self, state: &State) {
        self.run = state.run.short().to_owned();
        self.outcome = state.goal.outcome.clone();
        self.model = state.model.clone();
        self.open = state.sandbox == "none";
        self.created_at = state.created_at;
    }

    fn push(&mut self, at: UnixMs, text: String) {
        if self.log.len() == LOG_LINES_MAX {
            self.log.pop_front();
        }
        self.log.push_back(LogRow { at, text });
    }
}

fn time(state: &State) -> Time {
    if state.paused || state.ended() {
        return Time::Nothing;
    }
    match state.waiting() {
        Some(_) => Time::Wait,
        None => Time::Work,
    }
}

fn doing(state: &State) -> String {
    if state.ended() {
        return state.stop.as_ref().map_or_else(String::new, ended);
    }
    if state.paused {
        return String::new();
    }
    if state.resting() {
        return "waits before the harness tries again".to_owned();
    }
    let text = match &state.phase {
        Phase::Preparing => "makes the workspace",
        Phase::Baselining => "runs every check on the untouched base",
        Phase::Listing => "lists the worklist",
        Phase::Working if state.worklist.as_ref().is_some_and(|l| !l.finished()) => {
            return on_items(state);
        }
        Phase::Working => {
            return state
                .lanes
                .get(&Scope::Run)
                .map(working)
                .unwrap_or_default();
        }
        Phase::Checking(checkpoint) if !checkpoint.fixed => "fixes what would be delivered",
        Phase::Checking(checkpoint) => match checkpoint.why {
            Why::Claim => "checks the claim in a clean checkout",
            Why::Routine => "checkpoint, in a clean checkout",
            Why::Worklist => "every item is closed: checks the whole in a clean checkout",
            Why::Silence => "the model calls no tools: checks in a clean checkout",
            Why::Ending => "last look before the end, in a clean checkout",
            Why::Stopping => "checks the diff before it is delivered",
        },
        Phase::Examining => "looks at the evidence",
        Phase::Delivering => "delivers the result",
        Phase::Acting => "tells the source how the items ended",
        Phase::Reporting => "writes the report",
        Phase::Ended => "",
    };
    text.to_owned()
}

fn on_items(state: &State) -> String {
    let list = state.worklist.as_deref();
    let wait = list.and_then(|list| list.wait.as_ref());
    match (wait, list.map_or(0, |list| list.open.len())) {
        (Some(wait), _) => wait.why.clone(),
        (None, 0) => "opens the next item".to_owned(),
        (None, 1) => "works on 1 item".to_owned(),
        (None, open) => format!("works on {open} items"),
    }
}

fn items(state: &State) -> Option<ItemsRow> {
    let list = state.worklist.as_deref()?;
    if list.listing.hash.as_str().is_empty() {
        return None;
    }
    let outcomes = list.ended.iter().filter(|(_, count)| **count > 0);
    let at_work = list.open.iter().map(|(id, child)| {
        let first = list.queue.first() == Some(id);
        ItemRow {
            id: crate::lines::clean(id.as_str()),
            status: overnight_core::report::ledger::doing(child, first),
            doing: match child.phase {
                Phase::Delivering if first => "its change comes onto the branch".to_owned(),
                Phase::Delivering => "its change waits to come onto the branch".to_owned(),
                _ => doing(child),
            },
        }
    });
    Some(ItemsRow {
        total: list.listing.total,
        closed: list.closed(),
        outcomes: outcomes
            .map(|(outcome, count)| format!("{} {count}", outcome.word()))
            .collect(),
        held: list.held.values().map(Vec::len).sum(),
        at_work: at_work.collect(),
    })
}

/// The end in a few words; what it asks for stands elsewhere.
fn ended(stop: &StopReason) -> String {
    match stop {
        StopReason::Blocked { .. } => "only a person can unlock it".to_owned(),
        StopReason::Complete(_)
        | StopReason::OutOfBudget { .. }
        | StopReason::Unverifiable { .. }
        | StopReason::Stopped
        | StopReason::Refused { .. }
        | StopReason::Failed { .. } => {
            let sentence = stop.sentence();
            let said = sentence.split_once(": ").map(|(_, rest)| rest.to_owned());
            said.unwrap_or(sentence)
        }
    }
}

fn working(lane: &Lane) -> String {
    if let Some(wait) = &lane.wait {
        return wait.why.clone();
    }
    let turn = lane.turn;
    let running = lane
        .calls
        .iter()
        .find(|c| c.progress == CallProgress::Running);
    match running {
        Some(call) => format!("turn {turn}: {}", call.head.line),
        None if lane.asking && lane.failures > 0 => {
            format!(
                "turn {}: the model answers, attempt {}",
                turn + 1,
                lane.failures + 1
            )
        }
        None if lane.asking => format!("turn {}: the model answers", turn + 1),
        None => format!("turn {turn}"),
    }
}

fn checks(state: &State) -> Vec<CheckRow> {
    let running = running(state);
    let current = state.candidate.as_ref().filter(|c| c.current);
    let known = state
        .order
        .iter()
        .filter_map(|id| state.checks.get(id).map(|c| (id, c)));
    known
        .map(|(id, check)| {
            let (standing, reason) = match (&check.latest, &check.base) {
                _ if running.contains(id) => (Standing::Runs, String::new()),
                (Some(found), _) if current.is_some_and(|c| c.tree == found.tree) => {
                    (Standing::Now(found.verdict), found.reason.clone())
                }
                (Some(found), _) => (Standing::Earlier(found.verdict), found.reason.clone()),
                (None, Some(base)) => (
                    Standing::Earlier(base.verdict),
                    format!("on the base: {}", base.reason),
                ),
                (None, None) => (Standing::Open, String::new()),
            };
            CheckRow {
                id: id.to_string(),
                standing,
                reason,
            }
        })
        .collect()
}

/// The checks that are being run at this moment, or are next.
fn running(state: &State) -> Vec<CheckId> {
    match &state.phase {
        Phase::Baselining => {
            let unknown = |id: &&CheckId| state.checks.get(id).is_some_and(|c| c.base.is_none());
            state.order.iter().filter(unknown).cloned().collect()
        }
        Phase::Checking(checkpoint) if checkpoint.fixed => to_verify(state),
        _ => Vec::new(),
    }
}

fn standing(state: &State) -> String {
    let all = state.checks.len();
    let verdicts = state.checks.values().map(|c| {
        let found = c.latest.as_ref().or(c.base.as_ref());
        found.map(|f| f.verdict)
    });
    let passed = verdicts.filter(|v| *v == Some(Verdict::Pass)).count();
    let current = state.candidate.as_ref().is_some_and(|c| c.current);
    let checked = state.checks.values().any(|c| c.latest.is_some());
    match (&state.phase, checked) {
        (Phase::Checking(_) | Phase::Baselining, _) => {
            let open = running(state).len();
            format!("{} of {all} known", all - open.min(all))
        }
        (_, false) if state.checks.values().all(|c| c.base.is_none()) => {
            format!("{all} to run")
        }
        (_, false) => format!("{passed} of {all} passed on the base"),
        (_, true) if current => format!("{passed} of {all} pass"),
        (_, true) => format!("{passed} of {all} passed"),
    }
}

fn plan(lane: &Lane) -> Vec<(PlanStatus, String)> {
    let steps = lane.plan.iter().take(STEPS_MAX);
    steps
        .map(|step| (step.status, crate::lines::clean(&step.step)))
        .collect()
}

fn used(state: &State) -> Used {
    Used {
        turns: state.spent.turns,
        tokens: state.spent.usage.total(),
        usd: state.price.map(|_| state.spent.usd),
        scripted: state.scripted,
        active_ms: state.spent.active_ms,
        waiting_ms: state.spent.waiting_ms,
    }
}

fn question(state: &State) -> Option<Question> {
    if !state.ended() {
        return None;
    }
    let run = state.run.short();
    match state.stop.as_ref()? {
        StopReason::Blocked { help, .. } => Some(Question {
            asks: help.question.clone(),
            tried: help.tried.clone(),
            unlock: help.unlock.clone(),
            next: if wants_answer(state) {
                format!("overnight answer {run} \"TEXT\" && overnight resume {run}")
            } else {
                format!("overnight resume {run}")
            },
        }),
        StopReason::OutOfBudget { budget } => Some(Question {
            asks: format!("The goal's `stop.{budget}` is used up."),
            tried: String::new(),
            unlock: String::new(),
            next: format!("overnight budget {run} --{budget} +N && overnight resume {run}"),
        }),
        StopReason::Complete(_)
        | StopReason::Unverifiable { .. }
        | StopReason::Stopped
        | StopReason::Refused { .. }
        | StopReason::Failed { .. } => None,
    }
}
