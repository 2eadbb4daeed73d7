//! What a seed means: the goal, the model's character, and everything that goes wrong, chosen before the run begins.

use overnight_core::event::{Created, EVENT_VERSION, Price};
use overnight_core::goal::{
    Aim, Check, CheckKind, Deliver, Format, Goal, Keep, Next, Read, Role, Stop, Use,
};
use overnight_core::ids::{BlobId, RunId};
use overnight_core::notification::Channel;
use overnight_core::step::{Command, Raise};

use crate::night::goals;
use crate::night::random::Random;
use crate::night::things::{Backlog, backlog};

/// One second, milliseconds.
pub const SECOND: u64 = 1_000;
/// One minute, milliseconds.
pub const MINUTE: u64 = 60 * SECOND;
/// One hour, milliseconds.
pub const HOUR: u64 = 60 * MINUTE;
/// The value that a cell must reach.
pub const DONE: u8 = 3;
/// What the kept file says on the base.
pub const KEPT: u8 = 7;
/// The file that must stay as it is.
pub const KEPT_FILE: &str = "kept/rules";

/// What kind of model works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Character {
    /// One cell a turn, then a claim.
    Eager,
    /// As eager, in small steps, with many looks and long commands.
    Slow,
    /// Does and claims in one answer.
    Hasty,
    /// Claims without work, so many times; then it works.
    Lazy(u64),
    /// Claims whatever is true, undoes what it did, changes things behind the harness's back, touches what is kept.
    Liar,
    /// Calls no tool.
    Silent,
    /// Does the same thing that changes nothing for ever.
    Looping,
    /// Unreadable answers, unknown tools, hundreds of calls, long names.
    Garbage,
    /// Asks a person first; works when answered.
    Asking,
    /// Waits for a time again and again, then works.
    Waiting,
    /// Changes things at random.
    Wild,
    /// Its script ends.
    Ending,
}

const CHARACTERS: [Character; 13] = [
    Character::Eager,
    Character::Eager,
    Character::Slow,
    Character::Hasty,
    Character::Lazy(2),
    Character::Lazy(u64::MAX),
    Character::Liar,
    Character::Silent,
    Character::Looping,
    Character::Garbage,
    Character::Asking,
    Character::Waiting,
    Character::Wild,
];

/// What happens at the n-th append to the journal.
#[derive(Debug, Clone, PartialEq)]
pub enum AtAppend {
    /// The process dies before the append is durable.
    DieBefore,
    /// The process dies right after it is.
    DieAfter,
    /// A person leaves a command.
    Person(Command),
    /// A person presses Ctrl-C.
    Interrupt,
    /// The wall clock jumps, milliseconds.
    Jump(i64),
    /// The disk is full for so long, milliseconds.
    Full(u64),
}

/// How the provider is, in a stretch of time since the run began, milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Weather {
    /// From when.
    pub from: u64,
    /// Until when.
    pub to: u64,
    /// What it says then.
    pub kind: Bad,
}

/// What a provider says when it does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    /// It fails.
    Outage,
    /// It is not reached at all.
    Gone,
    /// The quota is used up until the end of the stretch, and it says so.
    Quota,
    /// The quota is used up, and it does not say until when.
    Throttled,
}

/// A world that is wrong on purpose, so that a test can see that the laws notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// Every check passes, whatever the files say.
    LyingChecks,
    /// The same delivery makes another commit each time.
    ForgetfulForge,
    /// Sleep lasts ten minutes longer than asked.
    LateClock,
    /// A restart brings back other files than were there.
    LostFiles,
    /// What is sent for a person is sent twice.
    Echo,
    /// A source does not know what was done to its items when it is asked.
    ForgetfulSource,
    /// A merge takes the change as if nothing had happened meanwhile.
    BlindMerge,
}

/// Everything that is decided before the run begins.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The model's character.
    pub character: Character,
    /// How many cells there are to be done.
    pub cells: usize,
    /// What starts the run.
    pub created: Created,
    /// By number of append, in order.
    pub at_append: Vec<(u64, AtAppend)>,
    /// Points inside deeds at which the process dies, by number.
    pub die_in_deed: Vec<u64>,
    /// Stretches of bad weather.
    pub weather: Vec<Weather>,
    /// Of a hundred attempts at a model call so many fail for a moment.
    pub flaky_percent: u64,
    /// Whether the failures may be such that waiting does not mend them.
    pub hard_failures: bool,
    /// Of a hundred looks at the work so many fail.
    pub site_fails_percent: u64,
    /// Of a hundred probes so many find an obstacle.
    pub obstacle_percent: u64,
    /// How many questions the person answers, how often a budget is raised, a failed run resumed.
    pub patience: u64,
    /// How often the queue of commands is looked at, milliseconds.
    pub look_every_ms: u64,
    /// Whether nothing is planned that can keep an eager model from completing in exactly the turns it needs.
    pub benign: bool,
    /// The worklist, if the goal has one.
    pub backlog: Option<Backlog>,
    /// What is wrong with the world itself; nothing, but in tests of the laws.
    pub sabotage: Option<Sabotage>,
}

/// Of a hundred seeds so many play a goal with a worklist.
const BACKLOGS_PERCENT: u64 = 35;
/// Of a hundred seeds whose run may be disturbed, so many have a person who edits the goal.
const EDITS_PERCENT: u64 = 30;

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64) -> Plan {
        let mut random = Random::new(seed, 1);
        let r = &mut random;
        let mut character = r.pick(&CHARACTERS);
        if r.percent(2) {
            character = Character::Ending;
        }
        let benign = character == Character::Eager && r.percent(60);
        let cells = r.between(1, 5) as usize;
        let mut plan = Plan {
            seed,
            character,
            cells,
            created: created(r, seed, cells, benign),
            at_append: Vec::new(),
            die_in_deed: Vec::new(),
            weather: Vec::new(),
            flaky_percent: r.pick(&[0, 0, 5, 20, 50]),
            hard_failures: !benign && r.percent(30),
            site_fails_percent: r.pick(&[0, 0, 0, 10, 40]),
            obstacle_percent: if benign { 0 } else { r.pick(&[0, 0, 0, 5, 25]) },
            patience: r.between(0, 4),
            look_every_ms: r.pick(&[5 * SECOND, 20 * SECOND, MINUTE, MINUTE]),
            benign,
            backlog: None,
            sabotage: None,
        };
        plan.crashes(r);
        plan.troubles(r);
        plan.people(r);
        // Of numbers of their own, so that the seeds without mean what they always meant.
        let r = &mut Random::new(seed, 5);
        if r.percent(BACKLOGS_PERCENT) {
            plan.lists(r);
        }
        if !plan.benign && r.percent(EDITS_PERCENT) {
            plan.edits(r);
        }
        plan.created.goal.brief.clear();
        plan.at_append.sort_by_key(|(at, _)| *at);
        plan
    }

    /// The goal is one over a worklist.
    fn lists(&mut self, r: &mut Random) {
        self.cells = 0;
        let backlog = backlog(r, self.benign);
        goals::over(&backlog, &mut self.created.goal);
        // What is fixed is a commit, so there is a repository.
        self.created.repo = Some("simulated".into());
        let turns = &mut self.created.goal.stop.turns;
        // Most have turns enough, since there are several items.
        if !self.benign && r.percent(70) {
            *turns = turns.saturating_mul(6);
        }
        if !self.benign {
            for _ in 0..r.pick(&[0, 1, 3]) {
                self.die_in_deed.push(r.between(20, 300));
                let how = r.pick(&[AtAppend::DieBefore, AtAppend::DieAfter]);
                self.at_append.push((r.between(20, 200), how));
            }
        }
        self.backlog = Some(backlog);
    }

    /// A person changes the contract while the run is under way.
    fn edits(&mut self, r: &mut Random) {
        let latest = if self.backlog.is_some() { 150 } else { 60 };
        for _ in 0..r.pick(&[1, 1, 2, 3]) {
            let text = goals::edited(&self.created.goal, self.cells, r);
            let edit = Command::Edit { text };
            self.at_append
                .push((r.between(1, latest), AtAppend::Person(edit)));
        }
    }

    fn crashes(&mut self, r: &mut Random) {
        for _ in 0..r.pick(&[0, 0, 1, 1, 2, 3, 6]) {
            let how = r.pick(&[AtAppend::DieBefore, AtAppend::DieAfter]);
            self.at_append.push((r.between(1, 60), how));
        }
        for _ in 0..r.pick(&[0, 0, 1, 2, 4]) {
            self.die_in_deed.push(r.between(0, 60));
        }
    }

    fn troubles(&mut self, r: &mut Random) {
        if r.percent(15) {
            let long = r.pick(&[20 * SECOND, 5 * MINUTE, 2 * HOUR]);
            self.at_append
                .push((r.between(1, 40), AtAppend::Full(long)));
        }
        if r.percent(15) {
            let by = r.pick(&[
                -6 * HOUR as i64,
                -(MINUTE as i64),
                90 * SECOND as i64,
                6 * HOUR as i64,
            ]);
            self.at_append.push((r.between(1, 40), AtAppend::Jump(by)));
        }
        for _ in 0..r.pick(&[0, 0, 0, 1, 2]) {
            let from = r.between(0, 30 * MINUTE);
            let long = r.pick(&[30 * SECOND, 20 * MINUTE, 3 * HOUR]);
            let kind = r.pick(&[Bad::Outage, Bad::Gone, Bad::Quota, Bad::Throttled]);
            let to = from + long;
            self.weather.push(Weather { from, to, kind });
        }
    }

    fn people(&mut self, r: &mut Random) {
        for _ in 0..r.pick(&[0, 0, 0, 1, 2, 4]) {
            let text = || "Mind the rounding.".to_owned();
            let mut words = vec![
                AtAppend::Interrupt,
                AtAppend::Person(Command::Pause),
                AtAppend::Person(Command::Pause),
                AtAppend::Person(Command::Resume),
                AtAppend::Person(Command::Wake),
                AtAppend::Person(Command::Tell { text: text() }),
                AtAppend::Person(Command::Revoke { order: 1 }),
            ];
            if !self.benign {
                let raise = Raise {
                    turns: 5,
                    hours: 0.5,
                    ..Raise::default()
                };
                words.extend([
                    AtAppend::Person(Command::Stop),
                    AtAppend::Person(Command::Answer { text: text() }),
                    AtAppend::Person(Command::Budget { raise }),
                ]);
            }
            self.at_append.push((r.between(1, 60), r.pick(&words)));
        }
    }
}

/// The n-th cell's file.
pub fn cell(number: usize) -> String {
    format!("cell-{number}")
}

fn created(r: &mut Random, seed: u64, cells: usize, benign: bool) -> Created {
    let mut done: Vec<Check> = (0..cells).map(|n| check(r, n)).collect();
    // Two checks of one command share a probe.
    if r.percent(20)
        && let Some(first) = done.first().cloned()
    {
        done.push(Check {
            id: "twin".into(),
            ..first
        });
    }
    let kept = Check {
        kind: CheckKind::Run {
            command: KEPT_FILE.into(),
        },
        role: Role::Keep,
        id: "kept".into(),
        ..check(r, 0)
    };
    let stop = Stop {
        turns: if benign { 200 } else { r.between(3, 60) },
        tokens: r.percent(30).then(|| r.between(2_000, 200_000)),
        usd: r.percent(20).then_some(0.4),
        hours: r.pick(&[0.5, 1.0 / 3.0, 0.001, 5.0, 10.0, 10.0]),
        no_progress: r.between(2, 7) as u32,
        active: r.percent(20).then(|| r.pick(&[0.2, 1.0, 4.0])),
        windows: r.pick(&[0, 1, 12, 12]),
    };
    let stop = match benign {
        true => Stop {
            tokens: None,
            usd: None,
            hours: 200.0,
            active: None,
            windows: 12,
            ..stop
        },
        false => stop,
    };
    let repo = benign || r.percent(95);
    let goal = Goal {
        outcome: "Every cell is done.".into(),
        done,
        keep: Keep {
            paths: vec!["kept/**".into()],
            checks: vec![kept],
            oracle: vec![],
        },
        uses: Use {
            network: match !benign && r.percent(20) {
                true => vec!["example.org".into()],
                false => vec![],
            },
            ..Use::default()
        },
        next: Next::default(),
        stop,
        questions: vec![],
        items: None,
        categories: vec![],
        deliver: r.pick(&[
            Deliver::Branch,
            Deliver::Branch,
            Deliver::Branch,
            Deliver::None,
        ]),
        notify: None,
        brief: String::new(),
    };
    Created {
        version: EVENT_VERSION,
        run: RunId(format!("{seed:032x}")),
        goal,
        goal_file: BlobId::of(b"goal"),
        goal_name: "goal.md".into(),
        model: "simulated/model".into(),
        scripted: false,
        price: r.percent(50).then_some(Price {
            input: 1.0,
            cached: 0.1,
            output: 10.0,
        }),
        sandbox: "simulated".into(),
        repo: repo.then(|| "simulated".to_owned()),
        notify: match r.percent(60) {
            true => vec![Channel::Desktop],
            false => vec![],
        },
        hidden: Default::default(),
        overnight: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn check(r: &mut Random, number: usize) -> Check {
    let command = cell(number);
    let kind = match r.between(0, 3) {
        0 => CheckKind::Run { command },
        1 => CheckKind::Tests {
            command,
            report: None,
            must_pass: vec![],
            proves_change: false,
        },
        _ => CheckKind::Metric {
            command,
            read: Read {
                format: Format::Regex,
                file: None,
                value: "([0-9]+)".into(),
            },
            target: Aim::AtLeast(f64::from(DONE)),
        },
    };
    Check {
        id: cell(number).as_str().into(),
        role: Role::Done,
        kind,
        timeout_s: 600,
        dir: String::new(),
        already: false,
        hidden: None,
        feedback: Default::default(),
        runs: 2,
    }
}
