//! The items of a simulated worklist, the source that they come from, and what the models that work on them do.

use std::collections::BTreeMap;

use async_trait::async_trait;
use overnight_core::ids::ItemId;
use overnight_core::item::{Dossier, Item, Outcome, Verb, WHOLE_ID};
use overnight_core::repo::Delivered;
use overnight_core::state::{Phase, State};
use overnight_core::turn::Call;
use overnight_ports::source::{Act, ActReceipt, Source, SourceError};
use serde_json::json;

use crate::night::model::{garbage, shell, tool, write};
use crate::night::plan::{Character, DONE, HOUR, KEPT_FILE, MINUTE, SECOND, Sabotage};
use crate::night::ports::Seen;
use crate::night::random::Random;
use crate::night::world::{Files, Inner};

/// The command that passes while nothing is broken: no file says [`BROKEN`] or [`MARKER`], and not both of [`LEFT`] and
/// [`RIGHT`] are set.
pub const SOUND: &str = "sound";
/// What a file says that breaks [`SOUND`].
pub const BROKEN: u8 = 9;
/// What a file says that a merge could not decide.
pub const MARKER: u8 = 255;
/// A file that many items change, each in its own way.
pub const SHARED: &str = "shared";
/// A file that goes with everything but [`RIGHT`].
pub const LEFT: &str = "left";
/// See [`LEFT`].
pub const RIGHT: &str = "right";
/// A file that no item is about, and that the goal of some lists wants as well.
pub const PAGE: &str = "page";
/// What a diagnosis says whose citations hold.
pub const CITES: &str = "See item-0:1.";

/// What kinds of models work on items.
const CHARACTERS: [Character; 16] = [
    Character::Eager,
    Character::Eager,
    Character::Eager,
    Character::Eager,
    Character::Eager,
    Character::Slow,
    Character::Hasty,
    Character::Hasty,
    Character::Lazy(1),
    Character::Lazy(u64::MAX),
    Character::Liar,
    Character::Silent,
    Character::Garbage,
    Character::Asking,
    Character::Waiting,
    Character::Wild,
];

/// One item.
#[derive(Debug, Clone)]
pub struct Thing {
    /// Its id.
    pub id: ItemId,
    /// Who works on it.
    pub character: Character,
    /// The file that tells whether its error is gone.
    pub file: String,
    /// What an honest fix writes.
    pub wants: Vec<(String, u8)>,
    /// What tells its root cause.
    pub print: Option<String>,
    /// Its source lists it, and cannot read it any more.
    pub gone: bool,
}

/// A worklist, and how its source behaves.
#[derive(Debug, Clone)]
pub struct Backlog {
    /// The items: those that are there at first, and those that appear while the run works.
    pub things: Vec<Thing>,
    /// What the whole lacks when every item is closed.
    pub page: Option<Thing>,
    /// How many there are at first.
    pub at_first: usize,
    /// How many are worked on at a time.
    pub parallel: usize,
    /// The outcomes that the goal allows.
    pub outcomes: Vec<Outcome>,
    /// What is done at the source.
    pub on: BTreeMap<Outcome, Vec<Verb>>,
    /// Whether the goal has errors replayed.
    pub replay: bool,
    /// Whether what appears meanwhile is worked on.
    pub work_on_new: bool,
    /// How many files a fix may change.
    pub files_max: Option<u32>,
    /// How often a closing may be refused.
    pub attempts: u32,
    /// Of a hundred requests to the source so many fail for a moment.
    pub fails_percent: u64,
    /// How many of the first listings have a page that cannot be right.
    pub bad_lists: u32,
    /// Of a hundred replays so many cannot be run.
    pub obstacle_percent: u64,
}

impl Backlog {
    /// The files that the items are about.
    pub fn files(&self) -> Files {
        let own = self.things.iter().map(|thing| (thing.file.clone(), 0));
        let common = [SHARED, LEFT, RIGHT, PAGE].map(|file| (file.to_owned(), 0));
        own.chain(common).collect()
    }

    /// The item of that id, or what the whole lacks.
    pub fn thing(&self, id: &ItemId) -> Option<&Thing> {
        let mut all = self.things.iter().chain(&self.page);
        all.find(|thing| thing.id == *id)
    }
}

/// A worklist, chosen. In a benign one every item is fixed at once.
pub fn backlog(r: &mut Random, benign: bool) -> Backlog {
    let at_first = r.pick(&[1, 2, 3, 4, 5, 8, 12]);
    let new = if benign { 0 } else { r.pick(&[0, 0, 1, 3]) };
    let mut things: Vec<Thing> = Vec::new();
    for n in 0..at_first + new {
        let file = format!("item-{n}");
        let mut thing = Thing {
            id: ItemId::from(format!("i{n}")),
            character: Character::Eager,
            wants: vec![(file.clone(), DONE)],
            file,
            print: r.percent(60).then(|| format!("print-{n}")),
            gone: false,
        };
        if !benign {
            thing.character = r.pick(&CHARACTERS);
            if r.percent(1) {
                thing.character = Character::Ending;
            }
            thing.gone = r.percent(8);
            for (file, value, chance) in [(SHARED, 10 + n as u8, 25), (LEFT, 1, 15), (RIGHT, 1, 15)]
            {
                if r.percent(chance) {
                    thing.wants.push((file.to_owned(), value));
                }
            }
            // The same root cause as one before.
            if n > 0 && r.percent(20) {
                let other = things[r.between(0, n as u64) as usize].clone();
                (thing.file, thing.wants) = (other.file, other.wants);
                thing.print = other.print;
            }
        }
        things.push(thing);
    }
    let mut outcomes = vec![Outcome::Fixed, Outcome::Diagnosed];
    if r.percent(40) {
        outcomes.push(Outcome::Unresolved);
    }
    if r.percent(30) {
        outcomes.push(Outcome::Flagged);
    }
    let mut on = BTreeMap::new();
    if r.percent(70) {
        on.insert(Outcome::Fixed, vec![Verb::Comment, Verb::Resolve]);
        on.insert(Outcome::Diagnosed, vec![Verb::Comment]);
        if outcomes.contains(&Outcome::Unresolved) {
            on.insert(Outcome::Unresolved, vec![Verb::Comment]);
        }
    }
    let page = r.percent(25).then(|| Thing {
        id: ItemId::from(WHOLE_ID),
        character: match benign {
            true => Character::Eager,
            false => r.pick(&CHARACTERS),
        },
        wants: vec![(PAGE.to_owned(), DONE)],
        file: PAGE.to_owned(),
        print: None,
        gone: false,
    });
    Backlog {
        things,
        page,
        at_first,
        parallel: r.pick(&[1, 2, 3, 4, 8]),
        outcomes,
        on,
        replay: !benign && r.percent(30),
        work_on_new: r.percent(40),
        files_max: (!benign && r.percent(25)).then_some(2),
        attempts: r.between(1, 4) as u32,
        fails_percent: match benign {
            true => 0,
            false => r.pick(&[0, 0, 5, 20, 50]),
        },
        bad_lists: match benign {
            true => 0,
            false => r.pick(&[0, 0, 0, 0, 1]),
        },
        obstacle_percent: r.pick(&[0, 0, 0, 10]),
    }
}

/// The source as it really is.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    /// How often it was asked for its list.
    pub lists: u32,
    /// What was done to its items, by key.
    pub acts: BTreeMap<String, u32>,
}

/// The source as the process sees it.
pub struct Board(pub Seen);

impl Board {
    /// A request that may fail for a moment.
    async fn asked(&self) -> Result<(), SourceError> {
        let world = &self.0.0;
        world.deed().await;
        let fault = {
            let mut world = world.lock();
            let percent = world
                .plan
                .backlog
                .as_ref()
                .map_or(0, |list| list.fails_percent);
            let random = &mut world.random;
            random.percent(percent).then(|| match random.between(0, 4) {
                0 => SourceError::RateLimited {
                    retry_after_ms: Some(90 * SECOND),
                    message: "too many requests".into(),
                },
                1 => SourceError::RateLimited {
                    retry_after_ms: None,
                    message: "too many requests".into(),
                },
                2 if random.percent(5) => SourceError::Refused("no such token".into()),
                _ => SourceError::Unavailable("502".into()),
            })
        };
        world.takes(SECOND).await;
        fault.map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Source for Board {
    fn describe(&self) -> String {
        "simulated".into()
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(Item) -> bool + Send),
    ) -> Result<Vec<String>, SourceError> {
        let listed = {
            let mut world = self.0.0.lock();
            world.tracker.lists += 1;
            may_list(&mut world)
        };
        self.asked().await?;
        let (things, bad) = {
            let world = self.0.0.lock();
            let Some(list) = &world.plan.backlog else {
                return Err(SourceError::Refused("there is no list".into()));
            };
            let many = if listed {
                list.things.len()
            } else {
                list.at_first
            };
            let bad = world.tracker.lists <= list.bad_lists;
            (list.things[..many].to_vec(), bad)
        };
        for (n, thing) in things.iter().enumerate() {
            let item = Item {
                id: thing.id.clone(),
                title: format!("{} fails", thing.file),
                ..Item::default()
            };
            // A bad page says the same twice.
            let times = if bad { 2 } else { 1 };
            if !(0..times).all(|_| found(item.clone())) {
                break;
            }
            // It may fail in the middle of its pages.
            if n % 4 == 3 {
                self.asked().await?;
            }
        }
        self.0.0.deed().await;
        Ok(vec![])
    }

    async fn read(&self, item: &Item) -> Result<Dossier, SourceError> {
        self.asked().await?;
        let thing = {
            let world = self.0.0.lock();
            let list = world.plan.backlog.as_ref();
            list.and_then(|list| list.thing(&item.id)).cloned()
        };
        let thing = thing.ok_or_else(|| SourceError::Refused("there is no such item".into()))?;
        if thing.gone {
            return Err(SourceError::Gone("410".into()));
        }
        Ok(Dossier {
            item: item.clone(),
            text: format!("{} does not say {DONE}.", thing.file),
            fingerprint: thing.print,
            event: Some(json!({"file": thing.file})),
        })
    }

    fn verbs(&self) -> Vec<Verb> {
        vec![Verb::Comment, Verb::Resolve]
    }

    async fn probe(&self, act: &Act) -> Result<Option<ActReceipt>, SourceError> {
        self.asked().await?;
        let world = self.0.0.lock();
        if world.plan.sabotage == Some(Sabotage::ForgetfulSource) {
            return Ok(None);
        }
        Ok(world.tracker.acts.get(&act.key).map(|_| ActReceipt {
            what: act.key.clone(),
            already: true,
        }))
    }

    async fn act(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        may_act(&mut self.0.0.lock(), act);
        self.asked().await?;
        {
            let mut world = self.0.0.lock();
            let times = world.tracker.acts.entry(act.key.clone()).or_default();
            *times += 1;
            if *times > 1 {
                let what = act.key.clone();
                world.breaks("nothing is done to an item twice", what);
            }
        }
        // It was done, and the answer may be lost.
        self.asked().await?;
        Ok(ActReceipt {
            what: act.key.clone(),
            already: false,
        })
    }
}

/// A source is listed when that is due. Whether the list is frozen already.
fn may_list(world: &mut Inner) -> bool {
    let Some(now) = world.disk.state.clone() else {
        world.breaks("nothing is listed before the run is durable", "");
        return false;
    };
    let frozen = now
        .worklist
        .as_ref()
        .is_some_and(|list| !list.listing.hash.as_str().is_empty());
    let due = match frozen {
        false => now.phase == Phase::Listing,
        true => now.phase == Phase::Working && now.worklist.as_ref().is_some_and(|l| l.finished()),
    };
    if now.paused || !due {
        world.breaks(
            "a source is listed when it is due",
            format!("while {}", now.status()),
        );
    }
    frozen
}

/// Nothing is done to an item but what the goal says, durably meant, and after the work is where it should be.
fn may_act(world: &mut Inner, act: &Act) {
    let Some(now) = world.disk.state.clone() else {
        return world.breaks("nothing is done before the run is durable", "");
    };
    let list = now.worklist.as_deref();
    let meant = now.phase == Phase::Acting && list.is_some_and(|list| list.acting);
    if !meant || now.paused {
        let what = format!("{} while {}", act.key, now.status());
        world.breaks("an act is durable before it is performed", what);
    }
    let there = match &now.delivered {
        Some(Delivered::Branch { commit, .. }) => {
            world.branch.as_ref().map(|(at, _)| at) == Some(commit)
        }
        Some(Delivered::Nothing) => list.is_none_or(|list| list.tip.is_none()) || !now.delivers(),
        Some(Delivered::Patch { .. }) => true,
        None => false,
    };
    if !there {
        let what = act.key.clone();
        world.breaks("nothing is done to an item before the delivery", what);
    }
    let wanted = now
        .goal
        .items
        .as_ref()
        .and_then(|items| items.on.get(&act.closed.outcome));
    if !wanted.is_some_and(|verbs| verbs.contains(&act.verb)) {
        let what = act.key.clone();
        world.breaks("nothing is done to an item but what the goal says", what);
    }
}

fn close(outcome: Outcome, evidence: &str) -> Call {
    let arguments = json!({"outcome": outcome.word(), "evidence": evidence});
    tool("close_item", arguments)
}

/// What a model of the item's character says now. It knows the files, as one that looked would.
pub(super) fn at_an_item(world: &mut Inner, item: &ItemId, state: &State) -> Vec<Call> {
    let list = world.plan.backlog.as_ref();
    let Some(thing) = list.and_then(|list| list.thing(item)).cloned() else {
        return vec![];
    };
    let files = world.desk(Some(item)).files.clone();
    let random = &mut world.random;
    let work = state.item.as_deref();
    let refused = work.map_or(0, |work| work.attempts);
    let words = match work {
        Some(work) if work.only_words.is_none() => None,
        Some(work) if work.outcomes.contains(&Outcome::Diagnosed) => Some(Outcome::Diagnosed),
        _ => Some(Outcome::Unresolved),
    };
    let open: Vec<(String, u8)> = thing
        .wants
        .iter()
        .filter(|(file, value)| files.get(file) != Some(value))
        .cloned()
        .collect();
    let eager = match (words, open.first()) {
        (Some(words), _) => vec![close(words, CITES)],
        (None, Some((file, value))) => vec![write(file, *value)],
        (None, None) => vec![close(Outcome::Fixed, "It is fixed.")],
    };
    match thing.character {
        Character::Eager | Character::Ending => eager,
        Character::Slow => match random.between(0, 3) {
            0 => vec![shell(random.between(SECOND, 30 * MINUTE))],
            1 => vec![tool("net", json!({}))],
            _ => eager,
        },
        Character::Hasty if words.is_some() => eager,
        Character::Hasty => {
            let work = open.iter().map(|(file, value)| write(file, *value));
            work.chain([close(Outcome::Fixed, "It is fixed.")])
                .collect()
        }
        Character::Lazy(most) if u64::from(refused) < most => {
            vec![close(Outcome::Fixed, "It is fixed.")]
        }
        Character::Lazy(_) => eager,
        Character::Liar => lies(random, &thing.file),
        Character::Silent => vec![],
        Character::Looping => vec![shell(SECOND)],
        Character::Garbage => garbage(random),
        Character::Asking => vec![tool("ask_for_help", json!({"question": "Which rounding?"}))],
        Character::Waiting if random.percent(40) => {
            let ms = random.pick(&[0, SECOND, 10 * MINUTE, 5 * HOUR]);
            vec![tool("wait", json!({"ms": ms}))]
        }
        Character::Waiting => eager,
        Character::Wild => wild(random, &thing),
    }
}

/// Closings that look true for as long as somebody looks, and are not.
fn lies(random: &mut Random, file: &str) -> Vec<Call> {
    let fixed = || close(Outcome::Fixed, "It is fixed.");
    let late = |file: &str, value: u8, ms: u64| {
        tool("late", json!({"file": file, "value": value, "ms": ms}))
    };
    match random.between(0, 8) {
        0 => vec![fixed()],
        1 => vec![write(file, DONE), fixed(), write(file, BROKEN)],
        2 => vec![write(file, BROKEN), fixed()],
        3 => vec![
            write(file, DONE),
            late(file, BROKEN, random.between(0, MINUTE)),
            fixed(),
        ],
        4 => vec![write(KEPT_FILE, 0), fixed()],
        5 => vec![late(KEPT_FILE, 0, 10), shell(SECOND), fixed()],
        6 => vec![close(Outcome::Diagnosed, "It is in nowhere:1.")],
        _ => vec![close(Outcome::SkippedByRule, "A rule.")],
    }
}

fn wild(random: &mut Random, thing: &Thing) -> Vec<Call> {
    let many = random.between(0, 6);
    (0..many)
        .map(|_| match random.between(0, 14) {
            0..4 => {
                let file = random.pick(&[thing.file.as_str(), SHARED, LEFT, RIGHT]);
                write(file, random.between(0, u64::from(DONE) + 1) as u8)
            }
            4 => write(&thing.file, BROKEN),
            5 => tool(
                "late",
                json!({"file": thing.file, "value": DONE, "ms": random.between(0, HOUR)}),
            ),
            6 => shell(random.between(0, HOUR)),
            7 => tool("wait", json!({"ms": random.between(0, HOUR)})),
            8 => tool("net", json!({})),
            9 => tool("plan", json!({"steps": 3})),
            10 => tool("claim_done", json!({"summary": "Everything."})),
            11 => close(
                random.pick(&Outcome::ALL),
                random.pick(&["", "It is so.", CITES]),
            ),
            _ => close(Outcome::Fixed, "It is fixed."),
        })
        .collect()
}
