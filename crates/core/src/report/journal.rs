//! Journals written as text, for tests: one line, one thing that happened.
//!
//! ```text
//! [+90s|-1h] prepared [dirty]          base CHECK pass|fail|cannot [2/5] [flaky] [absent|harness|timeout]
//! ready (all up to the first turn)     baselined
//! turn CALL… (ask, answer, every call started and ended)        turns N CALL… (so many of them)
//! ask      answer CALL… [in=1 out=1]   start N      end N      failed KIND [after=MS]
//! fix TREE [denied]                    check CHECK VERDICT …   verify [CHECK=VERDICT …] (all due, else pass)
//! woken  back  cancelled  edited CHECK…  telling N  told N
//! restarted  paused  resumed  stopped  raised TURNS  answered TEXT  delivered  undelivered  written  broke
//! hiccup (the harness failed, and tries again)      clock +6h|-1h (it jumped)
//! ```
//!
//! A call is named for what it does: `shell`, `write`, `claim`, `help`, `notes`, `plan`, `wait`, `forbidden` (a
//! `shell` call that is denied something).

use crate::check::{CheckReport, Obstacle, Receipt, Target, Verdict};
use crate::effect::{Effect, due, to_verify};
use crate::event::{Created, EVENT_VERSION, Event, Fact};
use crate::goal::change;
use crate::goal::{Check, CheckKind, Deliver, Goal, Keep, Next, Role, Stop, Use};
use crate::ids::{BlobId, CheckId, CommitId, RunId, Scope, TreeId, UnixMs};
use crate::measure::Measure;
use crate::notification::{Outcome, Sending};
use crate::repo::{Base, Candidate, Changed, Delivered, How};
use crate::state::State;
use crate::step::{StepError, begin, recover, step};
use crate::turn::{
    CallHead, CallResult, Denial, Help, ModelErrorKind, PlanStatus, PlanStep, Said, Usage,
};

/// When every journal begins: 2026-01-02 03:04:05 UTC.
pub(crate) const START: UnixMs = 1_767_323_045_000;
/// The tree of the base.
pub(crate) const BASE: &str = "base";
/// How long a `wait` call waits, milliseconds.
pub(crate) const WAIT_MS: u64 = 600_000;

/// A journal that grows line by line.
#[derive(Clone)]
pub(crate) struct Journal {
    pub(crate) events: Vec<Event>,
    pub(crate) state: State,
    pub(crate) now: UnixMs,
    /// The event that was tried last, whether it fits or not.
    tried: Option<Event>,
}

/// A goal whose `done` are these checks and whose `keep` is `suite`, with a small budget.
pub(crate) fn goal(done: &[&str]) -> Goal {
    let check = |id: &str, role| {
        let command = match id {
            "lint" => "npm run lint".to_owned(),
            id => format!("pytest {id}"),
        };
        let kind = match id {
            "lint" => CheckKind::Run { command },
            _ => CheckKind::Tests {
                command,
                report: None,
                must_pass: vec![],
                proves_change: false,
            },
        };
        Check {
            id: id.into(),
            role,
            kind,
            timeout_s: 60,
            dir: String::new(),
            already: false,
            hidden: None,
            feedback: Default::default(),
            runs: 2,
        }
    };
    Goal {
        outcome: "The cart adds up.".into(),
        done: done.iter().map(|id| check(id, Role::Done)).collect(),
        keep: Keep {
            paths: vec!["tests/**".into()],
            checks: vec![check("suite", Role::Keep)],
            oracle: vec![],
        },
        uses: Use::default(),
        next: Next::default(),
        stop: Stop {
            turns: 40,
            tokens: None,
            usd: None,
            hours: 5.0,
            no_progress: 4,
            ..Stop::default()
        },
        questions: vec![],
        items: None,
        categories: vec![],
        deliver: Deliver::Branch,
        notify: None,
        brief: String::new(),
    }
}

/// What starts a run of this goal.
pub(crate) fn created(goal: Goal) -> Created {
    Created {
        version: EVENT_VERSION,
        run: RunId::from("0190000000007000800000001a2b3c4d"),
        goal,
        goal_file: BlobId::from("90a1f11e"),
        goal_name: "goal.md".into(),
        model: "openai/gpt-5.5".into(),
        scripted: false,
        price: None,
        sandbox: "namespaces+landlock(7)+seccomp".into(),
        repo: Some("shop".into()),
        notify: vec![],
        hidden: Default::default(),
        overnight: "0.1.0".into(),
    }
}

impl Journal {
    pub(crate) fn new(created: Created) -> Journal {
        let event = Event::run(START, Fact::RunCreated(Box::new(created)));
        let state = begin(&event).expect("the first event is run_created");
        Journal {
            events: vec![event],
            state,
            now: START,
            tried: None,
        }
    }

    /// The event that a line would add, whether it fits or not.
    pub(crate) fn event_of(&self, line: &str) -> Event {
        let mut journal = self.clone();
        journal.tried = None;
        // Whether it fits is for the caller to find out.
        let _ = journal.play(line);
        journal.tried.unwrap_or_else(|| panic!("{line}: no event"))
    }

    /// Plays lines; every one of them fits.
    pub(crate) fn played(created: Created, lines: &[&str]) -> Journal {
        let mut journal = Journal::new(created);
        for line in lines {
            journal.play(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        }
        journal
    }

    pub(crate) fn due(&self) -> Vec<Effect> {
        due(&self.state)
    }

    /// Adds one fact; on an error nothing has changed.
    pub(crate) fn add(&mut self, fact: Fact) -> Result<(), StepError> {
        self.push(Event::run(self.now, fact))
    }

    fn push(&mut self, event: Event) -> Result<(), StepError> {
        self.tried = Some(event.clone());
        let (state, effects) = step(self.state.clone(), &event)?;
        assert_eq!(effects, due(&state), "step returns what is due");
        self.state = state;
        self.events.push(event);
        Ok(())
    }

    /// One second later, what the line says.
    pub(crate) fn play(&mut self, line: &str) -> Result<(), StepError> {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        self.now += 1_000;
        if let Some(first) = words.first().filter(|w| w.starts_with(['+', '-'])) {
            let ms = milliseconds(&first[1..]);
            self.now = if first.starts_with('+') {
                self.now - 1_000 + ms
            } else {
                self.now - 1_000 - ms
            };
            words.remove(0);
        }
        let rest = &words[1..];
        match words[0] {
            "prepared" => self.add(Fact::Prepared {
                base: base(rest.contains(&"dirty")),
                offer: None,
            }),
            "base" => self.add(reported(Target::Base, rest)),
            "baselined" => self.add(Fact::BaselineEnded {
                generated: vec!["target/".into()],
                reused: false,
            }),
            "ready" => READY.iter().try_for_each(|line| self.play(line)),
            "turn" => self.turn(rest),
            "turns" => (0..number(rest[0])).try_for_each(|_| self.turn(&rest[1..])),
            "ask" => self.add(self.ask()),
            "answer" => self.add(self.answer(rest)),
            "start" => self.add(Fact::CallStarted {
                turn: self.turns(),
                index: number(rest[0]),
            }),
            "end" => self.end(number(rest[0])),
            "failed" => self.add(self.failed(rest)),
            "fix" => self.add(fixed(rest)),
            "check" => self.add(reported(Target::Candidate(self.tree()), rest)),
            "verify" => self.verify(rest),
            "woken" => self.add(Fact::Woken),
            "edited" => {
                let mut new = goal(rest);
                new.stop = self.state.file_stop;
                let changes = change::between(&self.state.goal, &new);
                self.add(Fact::GoalEdited {
                    goal_file: BlobId::of(rest.join(" ").as_bytes()),
                    goal: Box::new(new),
                    changes,
                })
            }
            "cancelled" => self.add(Fact::WaitCancelled),
            "back" => self.add(Fact::NetworkBack),
            "telling" => {
                let number = number(rest[0]) as u32;
                let found = self.state.notifications.iter().find(|n| n.number == number);
                let occasion = found.expect("it is to be told").occasion;
                self.add(Fact::Notifying { number, occasion })
            }
            "told" => self.add(Fact::Notified {
                number: number(rest[0]) as u32,
                sendings: vec![Sending {
                    by: "command".into(),
                    outcome: Outcome::Sent,
                }],
            }),
            "restarted" => recover(&self.state, self.now)
                .into_iter()
                .try_for_each(|event| self.push(event)),
            "paused" => self.add(Fact::Paused),
            "resumed" => self.add(Fact::Resumed),
            "stopped" => self.add(Fact::StopRequested),
            "raised" => {
                let more = number(rest[0]) as u64;
                let stop = self.state.goal.stop;
                let turns = stop.turns + more;
                self.add(Fact::BudgetSet {
                    stop: Stop { turns, ..stop },
                })
            }
            "answered" => self.add(Fact::Answered {
                text: rest.join(" "),
            }),
            "delivered" => self.add(self.delivered()),
            "undelivered" => self.add(Fact::DeliveryFailed {
                message: "the branch exists already: delete it".into(),
            }),
            "written" => self.add(Fact::ReportWritten {
                path: "runs/1a2b3c4d/report.md".into(),
            }),
            "broke" => self.add(Fact::HarnessFailed {
                message: "no space left on the disk".into(),
                fatal: true,
            }),
            "hiccup" => self.add(Fact::HarnessFailed {
                message: "the repository is locked".into(),
                fatal: false,
            }),
            "clock" => self.add(Fact::ClockJumped {
                ms: match rest[0].strip_prefix('-') {
                    Some(back) => -(milliseconds(back) as i64),
                    None => milliseconds(rest[0].trim_start_matches('+')) as i64,
                },
            }),
            other => panic!("no such line: {other}"),
        }
    }

    fn turns(&self) -> u64 {
        self.state.lanes[&Scope::Run].turn
    }

    fn tree(&self) -> TreeId {
        self.state
            .candidate
            .as_ref()
            .map(|c| c.tree.clone())
            .unwrap_or_default()
    }

    fn turn(&mut self, calls: &[&str]) -> Result<(), StepError> {
        self.add(self.ask())?;
        self.add(self.answer(calls))?;
        for index in 0..calls.iter().filter(|c| !c.contains('=')).count() {
            self.add(Fact::CallStarted {
                turn: self.turns(),
                index,
            })?;
            self.end(index)?;
        }
        Ok(())
    }

    fn ask(&self) -> Fact {
        let lane = &self.state.lanes[&Scope::Run];
        Fact::TurnRequested {
            turn: lane.turn + 1,
            attempt: lane.failures + 1,
            told: lane.inbox.clone(),
        }
    }

    fn answer(&self, words: &[&str]) -> Fact {
        let (figures, names): (Vec<&str>, Vec<&str>) = words.iter().partition(|w| w.contains('='));
        let figure = |key: &str| {
            figures
                .iter()
                .find_map(|f| f.strip_prefix(key))
                .map_or(0, |v| number(v) as u64)
        };
        let head = |(index, name): (usize, &&str)| CallHead {
            id: format!("call-{index}"),
            name: if *name == "forbidden" {
                "shell".into()
            } else {
                (*name).to_owned()
            },
            line: (*name).to_owned(),
        };
        Fact::ModelAnswered {
            turn: self.turns() + 1,
            answer: BlobId::from("a45e"),
            text: "I look into it.".into(),
            calls: names.iter().enumerate().map(head).collect(),
            usage: Usage {
                input: figure("in="),
                cached: 0,
                output: figure("out="),
            },
            oddities: vec![],
        }
    }

    /// Ends a call as its name says.
    fn end(&mut self, index: usize) -> Result<(), StepError> {
        let line = self.state.lanes[&Scope::Run]
            .calls
            .get(index)
            .map(|c| c.head.line.clone())
            .unwrap_or_default();
        let said = match line.as_str() {
            "claim" => Some(Said::Claim {
                summary: "The cart adds up now.".into(),
            }),
            "help" => Some(Said::Help(Help {
                question: "Which rounding does the shop want?".into(),
                tried: "Half up and half even.".into(),
                unlock: "The rule, from the accountants.".into(),
            })),
            "notes" => Some(Said::Notes {
                text: "Rounding lives in `money.py`.".into(),
                replace: false,
            }),
            "plan" => {
                let step = |step: &str, status| PlanStep {
                    step: step.into(),
                    status,
                };
                let steps = vec![
                    step("find it", PlanStatus::Done),
                    step("mend it", PlanStatus::Doing),
                ];
                Some(Said::Plan { steps })
            }
            "wait" => Some(Said::WaitUntil {
                until: self.now + WAIT_MS,
            }),
            _ => None,
        };
        let denials = match line.as_str() {
            "forbidden" => vec![Denial {
                rule: "keep.paths".into(),
                what: "tests/test_cart.py".into(),
            }],
            _ => vec![],
        };
        let result = CallResult {
            ok: true,
            shown: "ok".into(),
            said,
            denials,
            ..CallResult::default()
        };
        self.add(Fact::CallEnded {
            turn: self.turns(),
            index,
            result: Box::new(result),
        })
    }

    fn failed(&self, words: &[&str]) -> Fact {
        let kind = match words[0] {
            "rate_limited" => ModelErrorKind::RateLimited,
            "unavailable" => ModelErrorKind::Unavailable,
            "network" => ModelErrorKind::Network,
            "cut" => ModelErrorKind::Cut,
            "malformed" => ModelErrorKind::Malformed,
            "context_overflow" => ModelErrorKind::ContextOverflow,
            "refused" => ModelErrorKind::Refused,
            "script_ended" => ModelErrorKind::ScriptEnded,
            other => panic!("no such failure: {other}"),
        };
        Fact::ModelFailed {
            turn: self.turns() + 1,
            kind,
            message: format!("the provider says {}", words[0]),
            retry_after_ms: words
                .iter()
                .find_map(|w| w.strip_prefix("after="))
                .map(|ms| number(ms) as u64),
            usage: Usage::default(),
        }
    }

    /// Reports every check that is due: as the words say, else as passed.
    fn verify(&mut self, words: &[&str]) -> Result<(), StepError> {
        let due = matches!(self.due()[..], [Effect::Verify { .. }]);
        for check in if due {
            to_verify(&self.state)
        } else {
            Vec::new()
        } {
            let prefix = format!("{check}=");
            let verdict = words
                .iter()
                .find_map(|w| w.strip_prefix(prefix.as_str()))
                .unwrap_or("pass");
            let words = [vec![check.as_str()], verdict.split(',').collect()].concat();
            self.add(reported(Target::Candidate(self.tree()), &words))?;
        }
        Ok(())
    }

    fn delivered(&self) -> Fact {
        let tree = self.tree();
        let delivered = match tree.as_str() {
            "" | BASE => Delivered::Nothing,
            tree => Delivered::Branch {
                name: self.state.branch(),
                commit: CommitId(format!("c0ffee{tree}")),
            },
        };
        Fact::Delivered { delivered, tree }
    }
}

pub(crate) fn base(dirty: bool) -> Base {
    Base {
        commit: "ba5eba5eba5eba5e".into(),
        tree: BASE.into(),
        branch: Some("main".into()),
        dirty: if dirty {
            vec!["notes.txt".into()]
        } else {
            vec![]
        },
        identity: "Ann <ann@example.org>".into(),
        ..Base::default()
    }
}

/// `unit fail 2/5 flaky`: 2 of 5 tests pass.
pub(crate) fn reported(target: Target, words: &[&str]) -> Fact {
    let verdict = match words[1] {
        "pass" => Verdict::Pass,
        "fail" => Verdict::Fail,
        "cannot" => Verdict::CannotTell,
        other => panic!("no such verdict: {other}"),
    };
    let passes = u64::from(verdict == Verdict::Pass);
    let tests = words
        .iter()
        .find_map(|w| w.split_once('/'))
        .map(|(p, t)| (number(p) as u64, number(t) as u64));
    let (passing, total) = tests.unwrap_or((passes, 1));
    let obstacle = words.iter().find_map(|word| match *word {
        "absent" => Some(Obstacle::ToolAbsent {
            program: "pytest".into(),
        }),
        "harness" => Some(Obstacle::Harness {
            detail: "no disk".into(),
        }),
        "timeout" => Some(Obstacle::TimedOut { limit_s: 60 }),
        _ => None,
    });
    let obstacle = match (verdict, obstacle) {
        (Verdict::CannotTell, None) => Some(Obstacle::ReportMissing {
            path: "report.xml".into(),
        }),
        (_, obstacle) => obstacle,
    };
    let reason = match &obstacle {
        Some(obstacle) => crate::judge::explain(obstacle),
        None if total > 1 => format!("{passing} of {total} tests pass"),
        None => format!("exit code {}", 1 - passes),
    };
    let tree = match &target {
        Target::Base => TreeId::from(BASE),
        Target::Candidate(tree) => tree.clone(),
    };
    let evidence = if verdict == Verdict::Pass {
        String::new()
    } else {
        format!("E  what {} printed", words[0])
    };
    let receipt = Receipt {
        command: format!("run {}", words[0]),
        exit: Some(1 - passes as i32),
        output: Some(BlobId(format!("0a{}{tree}", words[0]))),
        observation: Some(BlobId(format!("0b{}{tree}", words[0]))),
        tree: Some(tree),
        environment: "sandboxed, python 3.13".into(),
        duration_ms: 1_250,
    };
    let report = CheckReport {
        check: CheckId::from(words[0]),
        target,
        verdict,
        reason,
        evidence,
        measure: Measure {
            passing,
            failing: total - passing,
            distance: None,
        },
        flaky: words.contains(&"flaky"),
        obstacle,
        receipt,
    };
    Fact::CheckReported {
        report: Box::new(report),
    }
}

fn fixed(words: &[&str]) -> Fact {
    let changed = |path: String| Changed {
        path,
        how: How::Modified,
        added: 3,
        removed: 1,
        link: None,
    };
    let changes = if words[0] == BASE {
        vec![]
    } else {
        vec![changed(format!("src/{}.py", words[0]))]
    };
    let denials = match words.contains(&"denied") {
        true => vec![Denial {
            rule: "use.paths".into(),
            what: "README.md".into(),
        }],
        false => vec![],
    };
    let candidate = Candidate {
        tree: words[0].into(),
        changes,
        artefacts: vec!["__pycache__/".into()],
    };
    Fact::CandidateFixed {
        candidate,
        delta: None,
        denials,
        stopped: vec![],
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("no number: {text}"))
}

fn milliseconds(text: &str) -> u64 {
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        other => panic!("no such unit: {other}"),
    };
    number(digits) as u64 * unit
}

/// Lines that bring a run to its first turn: `unit` fails on the base, everything else passes.
pub(crate) const READY: [&str; 5] = [
    "prepared",
    "base unit fail 1/3",
    "base lint fail",
    "base suite pass",
    "baselined",
];
