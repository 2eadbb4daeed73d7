//! The executor of the simulated world: a model of some character behind a provider of some weather, and its tools.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use overnight_core::event::{Event, Fact};
use overnight_core::ids::{BlobId, ItemId, Scope};
use overnight_core::item::{Closing, Outcome};
use overnight_core::state::{CallProgress, Phase, State};
use overnight_core::turn::{
    Call, CallResult, Denial, Help, ModelErrorKind, PlanStatus, PlanStep, Said, Usage,
};
use overnight_ports::model::{Answer, ModelError};
use overnight_ports::site::Executor;
use serde_json::{Value, json};

use crate::night::plan::{Bad, Character, DONE, HOUR, KEPT_FILE, MINUTE, SECOND, cell};
use crate::night::ports::Seen;
use crate::night::random::Random;
use crate::night::site::look;
use crate::night::things::at_an_item;
use crate::night::world::{Inner, START};

/// Most tokens of one answer.
pub const ANSWER_TOKENS_MAX: u64 = 6_000;

/// What works on the run, or on one item: the world, and what it has heard.
pub struct Hand {
    pub(super) seen: Seen,
    pub(super) item: Option<ItemId>,
    last: Mutex<Option<(u64, BlobId)>>,
}

impl Hand {
    /// One that has heard nothing yet.
    pub fn new(seen: Seen, item: Option<ItemId>) -> Hand {
        Hand {
            seen,
            item,
            last: Mutex::default(),
        }
    }
}

#[async_trait]
impl Executor for Hand {
    fn learn(&self, event: &Event) {
        if let Fact::ModelAnswered { turn, answer, .. } = &event.fact {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            *last = Some((*turn, answer.clone()));
        }
    }

    async fn answer(&self, state: &State) -> Result<Answer, ModelError> {
        let world = &self.seen.0;
        let (outcome, takes) = {
            let mut world = world.lock();
            world.figures.requests += 1;
            may_ask(&mut world, self.item.as_ref(), state);
            let outcome = attempt(&mut world, self.item.as_ref(), state);
            let long = match character(&world, self.item.as_ref()) {
                Character::Slow => world.random.between(SECOND, 20 * MINUTE),
                _ => world.random.between(500, 30 * SECOND),
            };
            (outcome, long)
        };
        world.deed().await;
        world.takes(takes).await;
        world.deed().await;
        outcome
    }

    async fn reachable(&self) -> bool {
        let storm = self.seen.0.lock().weather();
        !storm.is_some_and(|storm| storm.kind == Bad::Gone)
    }

    fn last_answer(&self, turn: u64) -> Option<BlobId> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone().filter(|(t, _)| *t == turn).map(|(_, id)| id)
    }

    fn line(&self, call: &Call) -> String {
        format!("{} {}", call.name, call.arguments)
    }

    async fn call(&self, state: &State, index: usize, call: &Call, again: bool) -> CallResult {
        let turn = state.lanes.get(&Scope::Run).map_or(0, |l| l.turn);
        {
            let mut world = self.seen.0.lock();
            may_call(&mut world, self.item.as_ref(), turn, index);
            if again {
                let work = world.desk(self.item.as_ref());
                work.files = work.scanned.clone();
            }
        }
        self.seen.0.deed().await;
        let said = self.perform(call, turn, index, state).await;
        self.seen.0.deed().await;
        let (delta, denied) = look(self);
        CallResult {
            ok: true,
            shown: "ok".into(),
            said,
            delta,
            denials: denied
                .into_iter()
                .map(|what| Denial {
                    rule: "keep.paths".into(),
                    what,
                })
                .collect(),
            ..CallResult::default()
        }
    }
}

/// The small machine of an item, or the run's state itself.
fn machine<'s>(state: &'s State, item: Option<&ItemId>) -> Option<&'s State> {
    match item {
        None => Some(state),
        Some(item) => Some(state.worklist.as_ref()?.open.get(item)?),
    }
}

/// A request costs money: whether it may be made now is judged by the durable state, not by the engine's.
fn may_ask(world: &mut Inner, item: Option<&ItemId>, state: &State) {
    let Some(now) = world.disk.state.clone() else {
        return world.breaks("nothing is asked before the run is durable", "");
    };
    let Some(mine) = machine(&now, item) else {
        return world.breaks("no model call for an item that has ended", "");
    };
    let lane = &mine.lanes[&Scope::Run];
    let turn = lane.turn + 1;
    if now.paused {
        world.breaks("no model call while paused", format!("turn {turn}"));
    }
    if item.is_none() && now.goal.items.is_some() {
        world.breaks("a worklist's run has no conversation of its own", "");
    }
    let waits = match item {
        None => now.waits().next().is_some(),
        Some(_) => lane.wait.is_some() || mine.resting() || now.resting(),
    };
    if waits {
        world.breaks("no model call during a wait", format!("turn {turn}"));
    }
    if now.phase != Phase::Working || mine.phase != Phase::Working || now.stop.is_some() {
        world.breaks("no model call but at work", now.status());
    }
    if !lane.asking {
        world.breaks(
            "a request is durable before it is made",
            format!("turn {turn}"),
        );
    }
    let whose = world.whose(item);
    let answered = world.disk.answered.contains(&(whose, turn));
    if state.lanes[&Scope::Run].turn + 1 != turn || answered {
        world.breaks("no kept answer is paid twice", format!("turn {turn}"));
    }
}

fn may_call(world: &mut Inner, item: Option<&ItemId>, turn: u64, index: usize) {
    let Some(now) = world.disk.state.clone() else {
        return world.breaks("nothing is called before the run is durable", "");
    };
    let Some(mine) = machine(&now, item) else {
        return world.breaks("no tool call for an item that has ended", "");
    };
    let lane = &mine.lanes[&Scope::Run];
    let running = lane.turn == turn
        && lane
            .calls
            .get(index)
            .is_some_and(|c| c.progress == CallProgress::Running);
    if now.paused {
        world.breaks("no tool call while paused", format!("call {turn}.{index}"));
    }
    if !running || now.phase != Phase::Working || mine.phase != Phase::Working {
        let what = format!("call {turn}.{index} while {}", now.status());
        world.breaks("a call is durable before it is made", what);
    }
}

/// What kind of model works on the run, or on an item.
fn character(world: &Inner, item: Option<&ItemId>) -> Character {
    let thing = item.and_then(|item| world.plan.backlog.as_ref()?.thing(item));
    thing.map_or(world.plan.character, |thing| thing.character)
}

/// One attempt at an answer.
fn attempt(world: &mut Inner, item: Option<&ItemId>, state: &State) -> Result<Answer, ModelError> {
    let since = world.now().saturating_sub(START);
    let storm = world.weather();
    let fail = |kind, retry_after_ms, output| {
        Err(ModelError {
            kind,
            message: format!("simulated: {kind:?}"),
            retry_after_ms,
            usage: Usage {
                input: output,
                cached: 0,
                output,
            },
        })
    };
    if let Some(storm) = storm {
        return match storm.kind {
            Bad::Outage => fail(ModelErrorKind::Unavailable, None, 0),
            Bad::Gone => fail(ModelErrorKind::Network, None, 0),
            Bad::Quota => fail(ModelErrorKind::RateLimited, Some(storm.to - since), 0),
            Bad::Throttled => fail(ModelErrorKind::RateLimited, None, 0),
        };
    }
    let (flaky, hard) = (world.plan.flaky_percent, world.plan.hard_failures);
    let random = &mut world.random;
    if random.percent(flaky) {
        return match random.between(0, 4) {
            0 => fail(ModelErrorKind::Network, None, 0),
            1 => fail(ModelErrorKind::Cut, None, 100),
            2 => fail(ModelErrorKind::RateLimited, Some(0), 0),
            _ => fail(ModelErrorKind::RateLimited, Some(90 * SECOND), 0),
        };
    }
    if hard && random.percent(20) {
        let window = state.lanes[&Scope::Run].window;
        return match random.between(0, 10) {
            0 => fail(ModelErrorKind::Refused, None, 0),
            1..5 if window > 4 => fail(ModelErrorKind::ContextOverflow, None, 0),
            _ => fail(ModelErrorKind::Malformed, None, 50),
        };
    }
    answer(world, item, state)
}

pub(super) fn tool(name: &str, arguments: Value) -> Call {
    Call {
        id: "call".into(),
        name: name.into(),
        arguments: arguments.to_string(),
    }
}

pub(super) fn write(file: &str, value: u8) -> Call {
    tool("write", json!({"file": file, "value": value}))
}

fn claim() -> Call {
    tool("claim_done", json!({"summary": "Every cell is done."}))
}

pub(super) fn shell(ms: u64) -> Call {
    tool("shell", json!({"ms": ms}))
}

/// What a model of this character says now. It knows the files, as one that looked would.
fn answer(world: &mut Inner, item: Option<&ItemId>, state: &State) -> Result<Answer, ModelError> {
    let (cells, network) = (world.plan.cells, !state.goal.uses.network.is_empty());
    let open: Vec<String> = (0..cells)
        .map(cell)
        .filter(|c| world.work.files.get(c) != Some(&DONE))
        .collect();
    let (turn, claims) = (state.spent.turns + 1, state.progress.claims);
    let character = character(world, item);
    let of_item = item.map(|item| at_an_item(world, item, state));
    let random = &mut world.random;
    let eager = match open.first() {
        Some(file) => vec![write(file, DONE)],
        None => vec![claim()],
    };
    let ends = character == Character::Ending && turn > 2;
    let mut calls = match character {
        _ if of_item.is_some() && !ends => of_item.unwrap_or_default(),
        Character::Eager => eager,
        Character::Slow => match (random.between(0, 6), open.first()) {
            (0, Some(file)) => vec![write(file, random.between(0, u64::from(DONE) + 1) as u8)],
            (1, _) => eager,
            (2, _) => vec![tool("notes", json!({"text": format!("turn {turn}")}))],
            _ => vec![shell(random.between(SECOND, 50 * MINUTE))],
        },
        Character::Hasty => {
            let work = open.iter().map(|file| write(file, DONE));
            work.chain([claim()]).collect()
        }
        Character::Lazy(most) if u64::from(claims) < most => vec![claim()],
        Character::Lazy(_) => eager,
        Character::Liar => lies(random, &open),
        Character::Silent => vec![],
        Character::Looping => vec![shell(SECOND)],
        Character::Garbage => garbage(random),
        Character::Asking if turn == 1 || random.percent(5) => {
            vec![tool("ask_for_help", json!({"question": "Which rounding?"}))]
        }
        Character::Asking => eager,
        Character::Waiting if random.percent(40) => {
            let ms = random.pick(&[0, SECOND, 10 * MINUTE, 5 * HOUR]);
            vec![tool("wait", json!({"ms": ms}))]
        }
        Character::Waiting => eager,
        Character::Wild => wild(random, cells),
        Character::Ending if turn > 2 => {
            return Err(ModelError {
                kind: ModelErrorKind::ScriptEnded,
                message: "the script has no further turn".into(),
                retry_after_ms: None,
                usage: Usage::default(),
            });
        }
        Character::Ending => eager,
    };
    if network && random.percent(30) {
        calls.insert(0, tool("net", json!({})));
    }
    let input = random.between(100, ANSWER_TOKENS_MAX - 1_000);
    Ok(Answer {
        items: vec![],
        text: format!("Turn {turn}."),
        calls,
        usage: Usage {
            input,
            cached: input / 2,
            output: random.between(10, 1_000),
        },
        oddities: vec![],
    })
}

/// Claims that look true for as long as somebody looks, and are not.
fn lies(random: &mut Random, open: &[String]) -> Vec<Call> {
    let file = open.first().cloned().unwrap_or_else(|| cell(0));
    let late = |value: u8, ms: u64| tool("late", json!({"file": &file, "value": value, "ms": ms}));
    match random.between(0, 7) {
        0 => vec![claim()],
        // Done while it claims, undone right after.
        1 => vec![write(&file, DONE), claim(), write(&file, 0)],
        // Undone by something in the background, before, while and after the checks look.
        2 => vec![
            write(&file, DONE),
            late(0, random.between(0, MINUTE)),
            claim(),
        ],
        // Done in the background only after the look.
        3 => vec![late(DONE, random.between(0, 10 * SECOND)), claim()],
        4 => vec![write(KEPT_FILE, 0), claim()],
        5 => vec![
            tool("late", json!({"file": KEPT_FILE, "value": 0, "ms": 10})),
            shell(SECOND),
            claim(),
        ],
        _ => vec![write(&file, DONE - 1), claim()],
    }
}

fn wild(random: &mut Random, cells: usize) -> Vec<Call> {
    let many = random.between(0, 6);
    (0..many)
        .map(|_| {
            let file = cell(random.between(0, cells as u64) as usize);
            match random.between(0, 12) {
                0..5 => write(&file, random.between(0, u64::from(DONE) + 1) as u8),
                5 => tool(
                    "late",
                    json!({"file": file, "value": DONE, "ms": random.between(0, HOUR)}),
                ),
                6 => shell(random.between(0, HOUR)),
                7 => tool("wait", json!({"ms": random.between(0, HOUR)})),
                8 => tool("ask_for_help", json!({"question": "What now?"})),
                9 => tool("plan", json!({"steps": 3})),
                _ => claim(),
            }
        })
        .collect()
}

/// What no sensible model sends, and some do.
pub(super) fn garbage(random: &mut Random) -> Vec<Call> {
    let long = |n: usize| "\u{1}\"\\\n→".repeat(n);
    match random.between(0, 6) {
        0 => (0..200)
            .map(|n| Call {
                id: format!("{}{n}", long(50)),
                name: long(20),
                arguments: long(10),
            })
            .collect(),
        1 => vec![tool("notes", json!({"text": long(1_500)}))],
        2 => vec![tool("plan", json!({"steps": 300}))],
        3 => vec![tool("ask_for_help", json!({"question": long(2_000)}))],
        4 => vec![tool("claim_done", json!({"summary": long(4_000)}))],
        _ => vec![Call {
            arguments: "{\"file\": ".into(),
            ..write("cell-0", DONE)
        }],
    }
}

impl Hand {
    async fn perform(&self, call: &Call, turn: u64, index: usize, state: &State) -> Option<Said> {
        let arguments: Value = serde_json::from_str(&call.arguments).ok()?;
        let number = |key: &str| arguments[key].as_u64().unwrap_or(0);
        let text = |key: &str| arguments[key].as_str().unwrap_or_default().to_owned();
        let world = &self.seen.0;
        match call.name.as_str() {
            "write" => {
                world.takes(10).await;
                let mut world = world.lock();
                let work = world.desk(self.item.as_ref());
                work.wrote.insert(text("file"));
                work.files.insert(text("file"), number("value") as u8);
                None
            }
            "late" => {
                let mut world = world.lock();
                let at = world.lived() + std::time::Duration::from_millis(number("ms"));
                let change = (at, text("file"), number("value") as u8);
                world.desk(self.item.as_ref()).background.push(change);
                None
            }
            // Its sandbox has no network.
            "net" if state.goal.uses.network.is_empty() => None,
            "net" => {
                {
                    let mut world = world.lock();
                    let whose = world.whose(self.item.as_ref());
                    let times = world.reached.entry((whose, turn, index)).or_default();
                    *times += 1;
                    if *times > 1 {
                        let what = format!("call {turn}.{index} reached the network twice");
                        world.breaks("nothing outside happens twice", what);
                    }
                }
                world.deed().await;
                world.takes(SECOND).await;
                None
            }
            "shell" => {
                world.takes(number("ms")).await;
                None
            }
            "wait" => Some(Said::WaitUntil {
                until: world.now() + number("ms"),
            }),
            "notes" => Some(Said::Notes {
                text: text("text"),
                replace: false,
            }),
            "plan" => Some(Said::Plan {
                steps: (0..number("steps"))
                    .map(|n| PlanStep {
                        step: format!("step {n}").repeat(50),
                        status: PlanStatus::Open,
                    })
                    .collect(),
            }),
            "ask_for_help" => Some(Said::Help(Help {
                question: text("question"),
                tried: text("question"),
                unlock: text("question"),
            })),
            "close_item" => Some(Said::Close(Closing {
                outcome: Outcome::of(&text("outcome"))?,
                evidence: text("evidence"),
            })),
            "claim_done" => Some(Said::Claim {
                summary: text("summary"),
            }),
            _ => None,
        }
    }
}
