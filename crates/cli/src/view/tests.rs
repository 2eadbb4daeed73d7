//! Screens as people see them, in files beside this one; and what must hold at any size and for any text.

use overnight_core::check::{CheckReport, Receipt, Target, Verdict};
use overnight_core::event::{Created, EVENT_VERSION, Event, Fact, Notice, Opened, Price};
use overnight_core::goal::Goal;
use overnight_core::ids::{BlobId, CheckId, ItemId, RunId, Scope};
use overnight_core::item::{Closing, ItemHead, Listing, Outcome, Page};
use overnight_core::measure::Measure;
use overnight_core::repo::{Base, Candidate, Changed, Delivered, How};
use overnight_core::state::{ORACLE_CHECK, Phase, State, is_own};
use overnight_core::step::{begin, step};
use overnight_core::turn::{
    CallHead, CallResult, Denial, Help, ModelErrorKind, PlanStatus, PlanStep, Said, Usage,
};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::draw::draw;
use super::look::Look;
use super::{Moment, Place, Presence, View};

/// When every story begins: 2026-01-02 03:04:05 UTC.
const START: u64 = 1_767_323_045_000;
const S: u64 = 1_000;
const MIN: u64 = 60 * S;

const GOAL: &str = "---
outcome: The checkout flow has a test suite that a reviewer trusts.
done:
  - {id: branches, metric: npm run cover, read: {format: istanbul, file: c.json, value: branches}, at_least: 80}
  - {id: cases, tests: npx jest, must_pass: [pays, declines, expires]}
  - {id: lint, run: npm run lint}
keep: {checks: [{id: suite, tests: npm test}]}
use: {paths: ['src/**']}
stop: {turns: 80, tokens: 2M, usd: 20, hours: 5, no_progress: 6}
---
";

/// A run, told event by event.
struct Story {
    now: u64,
    state: State,
    view: View,
}

impl Story {
    fn begins(goal: &str, scripted: bool) -> Story {
        let goal: Goal = crate::goalfile::parse(goal).expect("a goal");
        let created = Created {
            version: EVENT_VERSION,
            run: RunId("019b0c7e2f6a7000b4c1d2e3a1b2c3d4".into()),
            goal,
            goal_file: BlobId::of(b"goal"),
            goal_name: "goal".into(),
            model: if scripted {
                "scripted/plan.yaml".into()
            } else {
                "openai/gpt-5.5".into()
            },
            scripted,
            price: (!scripted).then_some(Price {
                input: 1.25,
                cached: 0.125,
                output: 10.0,
            }),
            sandbox: "namespaces+landlock(7)+seccomp".into(),
            repo: Some("/home/ann/shop".into()),
            notify: Vec::new(),
            hidden: Default::default(),
            overnight: "0.1.0".into(),
        };
        let event = Event::run(START, Fact::RunCreated(Box::new(created)));
        let state = begin(&event).expect("the first event");
        let mut view = View::default();
        view.see(&event, &state);
        Story {
            now: START,
            state,
            view,
        }
    }

    fn tell(&mut self, after_ms: u64, fact: Fact) -> &mut Story {
        self.now += after_ms;
        let event = Event::run(self.now, fact);
        self.state = step(self.state.clone(), &event).expect("it fits").0;
        self.view.see(&event, &self.state);
        self
    }

    fn prepared(&mut self) -> &mut Story {
        let base = Base {
            commit: "3f2a1b0c9d8e7f6a".into(),
            tree: "base".into(),
            branch: Some("main".into()),
            dirty: vec![],
            submodules: vec![],
            lfs: vec![],
            files: 214,
            identity: "Ann <ann@example.org>".into(),
            notes: vec![],
        };
        self.tell(2 * S, Fact::Prepared { base, offer: None })
    }

    fn check(&mut self, id: &str, verdict: Verdict, reason: &str, measure: Measure) -> &mut Story {
        let target = match (&self.state.phase, &self.state.candidate) {
            (Phase::Baselining, _) | (_, None) => Target::Base,
            (_, Some(candidate)) => Target::Candidate(candidate.tree.clone()),
        };
        let report = CheckReport {
            check: CheckId::from(id),
            target,
            verdict,
            reason: reason.into(),
            evidence: String::new(),
            measure,
            flaky: false,
            obstacle: None,
            receipt: Receipt {
                duration_ms: 4_200,
                ..Receipt::default()
            },
        };
        self.tell(
            4 * S,
            Fact::CheckReported {
                report: Box::new(report),
            },
        )
    }

    fn based(&mut self) -> &mut Story {
        self.prepared()
            .check(
                "branches",
                Verdict::Fail,
                "branches is 41.2, at least 80 wanted",
                far(38.8),
            )
            .check(
                "cases",
                Verdict::Fail,
                "3 of 3 named tests are missing",
                tests(0, 3),
            )
            .check("lint", Verdict::Pass, "exit code 0", tests(1, 0))
            .check("suite", Verdict::Pass, "14 tests pass", tests(14, 0));
        self.tell(
            0,
            Fact::BaselineEnded {
                generated: vec![],
                reused: false,
            },
        )
    }

    /// The harness's own checks pass.
    fn own_checks(&mut self) -> &mut Story {
        for id in self.state.order.clone().iter().filter(|id| is_own(id)) {
            let reason = match id.as_str() {
                ORACLE_CHECK => "no test or its configuration was changed",
                _ => "2 changed paths, all allowed",
            };
            self.check(id.as_str(), Verdict::Pass, reason, tests(1, 0));
        }
        self
    }

    fn ask(&mut self, told: Vec<Notice>) -> &mut Story {
        let lane = &self.state.lanes[&Scope::Run];
        let (turn, attempt) = (lane.turn + 1, lane.failures + 1);
        self.tell(
            10,
            Fact::TurnRequested {
                turn,
                attempt,
                told,
            },
        )
    }

    fn answer(&mut self, text: &str, calls: &[&str]) -> &mut Story {
        let turn = self.state.lanes[&Scope::Run].turn + 1;
        let calls = calls.iter().map(|line| CallHead {
            id: (*line).into(),
            name: line.split(' ').next().unwrap_or_default().into(),
            line: (*line).into(),
        });
        let fact = Fact::ModelAnswered {
            turn,
            answer: BlobId::of(b"answer"),
            text: text.into(),
            calls: calls.collect(),
            usage: Usage {
                input: 21_000,
                cached: 18_000,
                output: 900,
            },
            oddities: vec![],
        };
        self.tell(21 * S, fact)
    }

    fn start(&mut self, index: usize) -> &mut Story {
        let turn = self.state.lanes[&Scope::Run].turn;
        self.tell(5, Fact::CallStarted { turn, index })
    }

    fn end(&mut self, index: usize, exit: Option<i32>, said: Option<Said>) -> &mut Story {
        let turn = self.state.lanes[&Scope::Run].turn;
        let result = CallResult {
            ok: true,
            shown: String::new(),
            output: None,
            exit,
            duration_ms: 3_400,
            delta: Some(BlobId::of(b"delta")),
            touched: vec![],
            denials: vec![],
            said,
        };
        self.tell(
            3_400,
            Fact::CallEnded {
                turn,
                index,
                result: Box::new(result),
            },
        )
    }

    fn call(&mut self, text: &str, line: &str, said: Option<Said>) -> &mut Story {
        let exit = said.is_none().then_some(0);
        self.ask(vec![])
            .answer(text, &[line])
            .start(0)
            .end(0, exit, said)
    }

    fn fixed(&mut self, tree: &str) -> &mut Story {
        let changes = ["src/flows/pay.test.ts", "src/flows/decline.test.ts"].map(|path| Changed {
            path: path.into(),
            how: How::Added,
            added: 60,
            removed: 0,
            link: None,
        });
        let candidate = Candidate {
            tree: tree.into(),
            changes: changes.into(),
            artefacts: vec![],
        };
        self.tell(
            300,
            Fact::CandidateFixed {
                candidate,
                delta: None,
                denials: vec![Denial {
                    rule: "keep.paths".into(),
                    what: "package.json".into(),
                }],
                stopped: vec![],
            },
        )
    }

    fn planned(&mut self, done: usize) -> &mut Story {
        let steps = [
            "Read the flow and its tests",
            "Cover the card that is accepted",
            "Cover the card that is declined",
            "Cover the coupon that has expired",
            "Run the whole suite",
        ];
        let status = |n: usize| match n.cmp(&done) {
            std::cmp::Ordering::Less => PlanStatus::Done,
            std::cmp::Ordering::Equal => PlanStatus::Doing,
            std::cmp::Ordering::Greater => PlanStatus::Open,
        };
        let steps = steps.iter().enumerate().map(|(n, step)| PlanStep {
            step: (*step).into(),
            status: status(n),
        });
        let said = Said::Plan {
            steps: steps.collect(),
        };
        self.call("", "plan", Some(said))
    }

    /// A claim whose checks come out like this.
    fn claims(&mut self, tree: &str, branches: f64, cases: u64) -> &mut Story {
        let said = Said::Claim {
            summary: "The checkout flow is covered".into(),
        };
        self.call("That is all of it.", "claim_done", Some(said))
            .fixed(tree);
        let enough = branches >= 80.0;
        let reason = format!("branches is {branches}, at least 80 wanted");
        self.check(
            "branches",
            verdict(enough),
            &reason,
            far((80.0 - branches).max(0.0)),
        );
        let reason = format!("{cases} of 3 named tests pass");
        self.check(
            "cases",
            verdict(cases == 3),
            &reason,
            tests(cases, 3 - cases),
        )
        .check("lint", Verdict::Pass, "exit code 0", tests(1, 0))
        .check("suite", Verdict::Pass, "14 tests pass", tests(14, 0))
        .own_checks()
    }

    /// A run in the middle of its work.
    fn at_work() -> Story {
        let mut story = Story::begins(GOAL, false);
        story.based().planned(1);
        story.claims("t1", 41.2, 0);
        story.call("The declined card first.", "shell npx jest pay", None);
        story.claims("t2", 63.5, 1).planned(2);
        story.call("", "edit src/flows/decline.test.ts", None);
        story.claims("t3", 74.0, 2).planned(3);
        story
            .ask(vec![])
            .answer("Now the coupon.", &["shell npx jest coupon --coverage"])
            .start(0);
        story.now += 8 * S;
        story
    }

    fn moment(&self) -> Moment {
        Moment {
            now: self.now,
            presence: Presence::Held,
            place: Place::Run,
            look: Look {
                color: true,
                unicode: true,
            },
        }
    }
}

fn verdict(holds: bool) -> Verdict {
    if holds { Verdict::Pass } else { Verdict::Fail }
}

fn tests(passing: u64, failing: u64) -> Measure {
    Measure {
        passing,
        failing,
        distance: None,
    }
}

fn far(distance: f64) -> Measure {
    Measure {
        passing: 0,
        failing: 1,
        distance: Some(distance),
    }
}

fn frame(view: &View, moment: &Moment, columns: u16, rows: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a test's terminal");
    terminal
        .draw(|frame| {
            let area = frame.area();
            draw(view, moment, area, frame.buffer_mut());
        })
        .expect("a test's terminal");
    terminal
}

/// The screen as text. Cells that a wide character covers are left out, as on a terminal.
fn screen(view: &View, moment: &Moment, columns: u16, rows: u16) -> String {
    let terminal = frame(view, moment, columns, rows);
    let buffer = terminal.backend().buffer();
    let mut lines = Vec::new();
    for y in 0..rows {
        let mut line = String::new();
        let mut x = 0;
        while x < columns {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += (super::text::width(symbol) as u16).max(1);
        }
        lines.push(format!("│{}│", line));
    }
    lines.join("\n")
}

fn snapshot(name: &str, view: &View, moment: &Moment, columns: u16, rows: u16) {
    insta::assert_snapshot!(name, screen(view, moment, columns, rows));
}

const WORKLIST: &str = "---
outcome: The oldest errors of the API are fixed or diagnosed.
items: {from: command, run: ./errors.sh, outcomes: [fixed, diagnosed], each: [{id: suite, tests: npm test}], parallel: 3}
use: {paths: ['src/**']}
stop: {turns: 80, tokens: 2M, usd: 20, hours: 5, no_progress: 6}
---
";

impl Story {
    fn of_item(&mut self, n: u32, after_ms: u64, fact: Fact) -> &mut Story {
        self.now += after_ms;
        let event = Event {
            scope: Scope::Item(item(n)),
            at: self.now,
            fact,
        };
        self.state = step(self.state.clone(), &event).expect("it fits").0;
        self.view.see(&event, &self.state);
        self
    }

    /// The list is frozen.
    fn listed(total: u32) -> Story {
        let mut story = Story::begins(WORKLIST, false);
        story
            .prepared()
            .check("suite", Verdict::Pass, "14 tests pass", tests(14, 0));
        story.tell(
            0,
            Fact::BaselineEnded {
                generated: vec![],
                reused: false,
            },
        );
        let listing = Listing {
            pages: vec![Page {
                blob: BlobId::of(b"page"),
                items: total,
            }],
            total,
            hash: BlobId::of(b"list"),
            notes: vec!["two lines of the source are no items".into()],
        };
        story.tell(
            S,
            Fact::Listed {
                listing,
                source: "command ./errors.sh".into(),
            },
        );
        story
    }

    fn opened(&mut self, n: u32, print: Option<&str>) -> &mut Story {
        let opened = Opened {
            head: ItemHead {
                index: n,
                id: item(n),
                title: format!("KeyError in api.orders.{n}"),
                url: None,
            },
            dossier: BlobId::of(b"dossier"),
            fingerprint: print.map(str::to_owned),
            gone: false,
            on_base: None,
            on_tip: None,
        };
        self.of_item(n, S, Fact::ItemOpened(Box::new(opened)))
    }

    fn item_prepared(&mut self, n: u32) -> &mut Story {
        let start = self.state.worklist.as_ref().expect("a list").open[&item(n)]
            .item
            .as_ref()
            .expect("an item's machine")
            .start
            .clone();
        let base = Base {
            commit: start.commit,
            tree: start.tree,
            files: 214,
            ..Base::default()
        };
        self.of_item(n, S, Fact::Prepared { base, offer: None })
    }

    /// The item's model calls something; it is still under way.
    fn item_calls(&mut self, n: u32, line: &str) -> &mut Story {
        let child = &self.state.worklist.as_ref().expect("a list").open[&item(n)];
        let lane = &child.lanes[&Scope::Run];
        let turn = lane.turn + 1;
        let told = lane.inbox.clone();
        self.of_item(
            n,
            10,
            Fact::TurnRequested {
                turn,
                attempt: 1,
                told,
            },
        )
        .of_item(
            n,
            6 * S,
            Fact::ModelAnswered {
                turn,
                answer: BlobId::of(b"answer"),
                text: String::new(),
                calls: vec![CallHead {
                    id: "c".into(),
                    name: line.split(' ').next().unwrap_or_default().into(),
                    line: line.into(),
                }],
                usage: Usage {
                    input: 4_000,
                    cached: 3_000,
                    output: 200,
                },
                oddities: vec![],
            },
        )
        .of_item(n, 10, Fact::CallStarted { turn, index: 0 })
    }

    fn item_ends_call(&mut self, n: u32, said: Option<Said>) -> &mut Story {
        let child = &self.state.worklist.as_ref().expect("a list").open[&item(n)];
        let turn = child.lanes[&Scope::Run].turn;
        self.of_item(
            n,
            S,
            Fact::CallEnded {
                turn,
                index: 0,
                result: Box::new(CallResult {
                    ok: true,
                    said,
                    ..CallResult::default()
                }),
            },
        )
    }

    fn item_closes(&mut self, n: u32, outcome: Outcome, evidence: &str) -> &mut Story {
        let closing = Closing {
            outcome,
            evidence: evidence.into(),
        };
        self.item_calls(n, "close_item")
            .item_ends_call(n, Some(Said::Close(closing)))
    }

    /// The item's change passes or not.
    fn item_checked(&mut self, n: u32, tree: &str, passes: bool) -> &mut Story {
        let candidate = Candidate {
            tree: tree.into(),
            changes: vec![Changed {
                path: format!("src/{tree}.ts"),
                how: How::Modified,
                added: 3,
                removed: 1,
                link: None,
            }],
            artefacts: vec![],
        };
        self.of_item(
            n,
            S,
            Fact::CandidateFixed {
                candidate,
                delta: None,
                denials: vec![],
                stopped: vec![],
            },
        );
        let reason = if passes {
            "14 tests pass"
        } else {
            "1 of 14 tests fails"
        };
        let order = self.state.worklist.as_ref().expect("a list").open[&item(n)]
            .order
            .clone();
        for id in order {
            let own = is_own(&id);
            let report = CheckReport {
                check: id,
                target: Target::Candidate(tree.into()),
                verdict: verdict(passes || own),
                reason: reason.into(),
                evidence: String::new(),
                measure: tests(14, 0),
                flaky: false,
                obstacle: None,
                receipt: Receipt {
                    duration_ms: 4_200,
                    ..Receipt::default()
                },
            };
            self.of_item(
                n,
                S,
                Fact::CheckReported {
                    report: Box::new(report),
                },
            );
        }
        self
    }

    /// A worklist in the middle: one diagnosed, one fixed, one whose claim was refused, one in the queue, one held.
    fn among_items() -> Story {
        let mut story = Story::listed(15);
        story.opened(0, None).item_prepared(0);
        story.opened(1, Some("the same")).item_prepared(1);
        story.opened(2, None).item_prepared(2);
        story.item_closes(
            0,
            Outcome::Diagnosed,
            "The order is read twice in src/orders.ts:12.\nA fix would take a lock.",
        );
        story.of_item(0, S, Fact::ClosingExamined { faults: vec![] });
        story
            .item_closes(
                1,
                Outcome::Fixed,
                "Take the default where the key is absent.",
            )
            .item_checked(1, "t1", true)
            .of_item(
                1,
                S,
                Fact::Integrated {
                    commit: "7d3f2a1b0c9d".into(),
                    tree: "t1".into(),
                },
            );
        story
            .item_closes(2, Outcome::Fixed, "Round half up.")
            .item_checked(2, "t2", false);
        story.opened(3, Some("another")).item_prepared(3);
        story.opened(4, Some("another"));
        story
            .item_calls(2, "shell npx jest money")
            .item_closes(3, Outcome::Fixed, "Ask for the zone.")
            .item_checked(3, "t3", true);
        story
            .opened(5, None)
            .item_prepared(5)
            .item_calls(5, "read src/api/5.ts");
        story
    }
}

fn item(n: u32) -> ItemId {
    ItemId(format!("SHOP-{n}"))
}

#[test]
fn a_worklist_at_work() {
    let story = Story::among_items();
    for (columns, rows) in [(100, 30), (60, 14), (40, 9), (1, 1)] {
        let name = format!("items_{columns}x{rows}");
        snapshot(&name, &story.view, &story.moment(), columns, rows);
    }
    let ascii = Moment {
        look: Look {
            color: false,
            unicode: false,
        },
        ..story.moment()
    };
    let text = screen(&story.view, &ascii, 80, 24);
    assert!(text.contains("Items  #"), "{text}");
    // The same in words.
    insta::assert_snapshot!(
        "items_in_words",
        crate::lines::worklist(&story.state).join("\n")
    );
}

#[test]
fn what_happens_to_items_is_told_behind_their_ids() {
    let story = Story::among_items();
    let told: Vec<&str> = story.view.log.iter().map(|row| row.text.as_str()).collect();
    insta::assert_snapshot!("items_told", told.join("\n"));
}

#[test]
fn a_run_at_work_at_several_sizes() {
    let story = Story::at_work();
    for (columns, rows) in [
        (80, 24),
        (20, 5),
        (1, 1),
        (40, 12),
        (132, 40),
        (300, 80),
        (60, 9),
    ] {
        let name = format!("work_{columns}x{rows}");
        snapshot(&name, &story.view, &story.moment(), columns, rows);
    }
}

#[test]
fn a_run_that_has_just_begun() {
    let mut story = Story::begins(GOAL, true);
    story.now += 900;
    snapshot("preparing", &story.view, &story.moment(), 80, 24);
    story.prepared();
    story.check(
        "branches",
        Verdict::Fail,
        "branches is 41.2, at least 80 wanted",
        far(38.8),
    );
    story.now += 3 * S;
    snapshot("baseline", &story.view, &story.moment(), 80, 24);
}

#[test]
fn a_claim_under_examination() {
    let mut story = Story::at_work();
    story.end(0, Some(0), None);
    let said = Said::Claim {
        summary: "Everything".into(),
    };
    story.call("", "claim_done", Some(said)).fixed("t4");
    story.check(
        "branches",
        Verdict::Pass,
        "branches is 81.3, at least 80 wanted",
        far(0.0),
    );
    story.now += 12 * S;
    snapshot("checking", &story.view, &story.moment(), 80, 24);
}

#[test]
fn a_run_that_waits() {
    let mut story = Story::at_work();
    story.end(0, Some(1), None).ask(vec![]);
    story.tell(
        2 * S,
        Fact::ModelFailed {
            turn: story.state.lanes[&Scope::Run].turn + 1,
            kind: ModelErrorKind::RateLimited,
            message: "api.openai.com says 429: too many requests".into(),
            retry_after_ms: Some(20 * MIN),
            usage: Usage::default(),
        },
    );
    story.now += 5 * MIN;
    snapshot("waiting", &story.view, &story.moment(), 80, 24);
}

fn blocked() -> Story {
    let mut story = Story::at_work();
    let help = Help {
        question: "May the coupon service be called with a real clock, or is there a fake one that I \
                   have not found? Every test of an expired coupon needs one of the two."
            .into(),
        tried: "Looked for a clock in src/ and test/, mocked Date.now (denied by keep.paths), froze the \
                system time (not possible in the sandbox)."
            .into(),
        unlock: "The name of the fake clock, or leave to add one under src/testing.".into(),
    };
    story.end(0, Some(0), None);
    story.call("", "ask_for_help", Some(Said::Help(help)));
    story.fixed("t5");
    story
        .check(
            "branches",
            Verdict::Fail,
            "branches is 78, at least 80 wanted",
            far(2.0),
        )
        .check(
            "cases",
            Verdict::Fail,
            "2 of 3 named tests pass",
            tests(2, 1),
        )
        .check(
            "lint",
            Verdict::CannotTell,
            "took longer than 5 min",
            tests(0, 1),
        )
        .check("suite", Verdict::Pass, "14 tests pass", tests(14, 0))
        .own_checks();
    let delivered = Delivered::Branch {
        name: "overnight/the-checkout-flow-a1b2c3d4".into(),
        commit: "9a8b7c6d5e4f".into(),
    };
    story.tell(
        S,
        Fact::Delivered {
            delivered,
            tree: "t5".into(),
        },
    );
    let path = "/home/ann/.local/state/overnight/runs/a1b2c3d4/report.md";
    story.tell(100, Fact::ReportWritten { path: path.into() });
    story
}

#[test]
fn a_blocked_run_shows_its_whole_question() {
    let mut story = blocked();
    assert_eq!(story.state.status(), "blocked");
    story.now += 7 * MIN;
    let moment = Moment {
        place: Place::Watch,
        presence: Presence::Nobody,
        ..story.moment()
    };
    snapshot("blocked", &story.view, &moment, 80, 24);
    snapshot("blocked_40x12", &story.view, &moment, 40, 12);
}

#[test]
fn a_complete_run() {
    let mut story = Story::at_work();
    story.end(0, Some(0), None).planned(5);
    story.claims("t9", 83.4, 3);
    let delivered = Delivered::Branch {
        name: "overnight/the-checkout-flow-a1b2c3d4".into(),
        commit: "9a8b7c6d5e4f".into(),
    };
    story.tell(
        S,
        Fact::Delivered {
            delivered,
            tree: "t9".into(),
        },
    );
    let path = "/home/ann/.local/state/overnight/runs/a1b2c3d4/report.md";
    story.tell(100, Fact::ReportWritten { path: path.into() });
    let moment = Moment {
        place: Place::Watch,
        ..story.moment()
    };
    snapshot("complete", &story.view, &moment, 80, 24);
}

#[test]
fn pauses_and_dead_processes_are_told_apart() {
    let mut story = Story::at_work();
    story.now += 3 * MIN;
    let dead = Moment {
        place: Place::Watch,
        presence: Presence::Nobody,
        ..story.moment()
    };
    let text = screen(&story.view, &dead, 100, 24);
    assert!(
        text.contains("stands still  no process works on it; overnight resume a1b2c3d4 goes on"),
        "{text}"
    );
    assert!(text.contains("0:03:08"), "since when:\n{text}");
    let alive = screen(&story.view, &story.moment(), 100, 24);
    let time = |text: &str| {
        let line = text.lines().find(|l| l.contains("time ")).expect("a time");
        line.split_whitespace().nth(2).map(str::to_owned)
    };
    assert_ne!(
        time(&text),
        time(&alive),
        "the time of nobody's work is not counted"
    );
    story.tell(0, Fact::Paused);
    let text = screen(&story.view, &story.moment(), 100, 24);
    assert!(
        text.contains("pausing  what is under way gets ten seconds"),
        "{text}"
    );
    let text = screen(&story.view, &dead, 100, 24);
    assert!(
        text.contains("paused  overnight resume a1b2c3d4 goes on"),
        "{text}"
    );
    // And it goes on.
    story
        .tell(
            MIN,
            Fact::Restarted {
                interrupted: vec![],
            },
        )
        .tell(0, Fact::Resumed);
    let text = screen(&story.view, &story.moment(), 100, 24);
    assert!(text.contains("working"), "{text}");
}

#[test]
fn without_unicode_a_screen_is_ascii_and_says_the_same() {
    let story = Story::at_work();
    let moment = Moment {
        look: Look {
            color: false,
            unicode: false,
        },
        ..story.moment()
    };
    let text = screen(&story.view, &moment, 80, 24).replace('│', "|");
    assert!(text.is_ascii(), "{text}");
    insta::assert_snapshot!("ascii", text);
}

#[test]
fn colours_say_nothing_that_is_not_said_in_words() {
    let story = blocked();
    let colored = story.moment();
    let plain = Moment {
        look: Look {
            color: false,
            unicode: true,
        },
        ..colored
    };
    assert_eq!(
        screen(&story.view, &colored, 80, 24),
        screen(&story.view, &plain, 80, 24)
    );
    let cells = |moment: &Moment| {
        let terminal = frame(&story.view, moment, 80, 24);
        let buffer = terminal.backend().buffer();
        let colored = buffer
            .content()
            .iter()
            .filter(|c| c.fg != Color::Reset || c.bg != Color::Reset);
        colored.count()
    };
    assert_eq!(cells(&plain), 0);
    assert!(cells(&colored) > 0);
}

#[test]
fn text_from_outside_keeps_its_place() {
    let mut story = Story::begins(&GOAL.replace("The checkout flow", "שלום 日本語 👩‍💻"), false);
    story.based();
    story.call(
        "\u{1b}[2J\u{1b}[1;1Hגם זה \u{202e}evil\u{7} 👨‍👩‍👧‍👦 z\u{301}\u{301}\u{301}\u{301}algo\r\nnext line",
        "shell printf '\u{9b}31m'",
        None,
    );
    let moment = story.moment();
    snapshot("outside", &story.view, &moment, 80, 24);
    let terminal = frame(&story.view, &moment, 80, 24);
    let symbols: String = terminal
        .backend()
        .buffer()
        .content()
        .iter()
        .map(|c| c.symbol())
        .collect();
    assert!(!symbols.chars().any(char::is_control), "{symbols:?}");
    assert!(!symbols.contains(['\u{202e}', '\u{200d}']), "{symbols:?}");
}

#[test]
fn a_view_does_not_grow_with_its_run() {
    let mut story = Story::begins(GOAL, false);
    story.based();
    for _ in 0..70 {
        story.call("A word.", "shell true", None);
        if let Phase::Checking(_) = story.state.phase {
            story.fixed("again");
            story
                .check("branches", Verdict::Fail, "still", far(2.0))
                .check("cases", Verdict::Fail, "still", tests(0, 3))
                .check("lint", Verdict::Pass, "exit code 0", tests(1, 0))
                .check("suite", Verdict::Pass, "pass", tests(14, 0))
                .own_checks();
        }
    }
    assert!(story.view.log.len() <= 120, "{}", story.view.log.len());
    assert!(story.view.used.turns >= 70);
    let text = screen(&story.view, &story.moment(), 80, 24);
    assert!(text.contains("70 of 80 (87 %)"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_size_is_too_odd(columns in 0u16..310, rows in 0u16..90, unicode: bool) {
        let stories = [Story::begins(GOAL, true), Story::at_work(), blocked()];
        for story in &stories {
            for place in [Place::Run, Place::Watch] {
                let look = Look { color: true, unicode };
                let moment = Moment { place, look, ..story.moment() };
                let area = Rect::new(0, 0, columns, rows);
                let mut buffer = Buffer::empty(area);
                draw(&story.view, &moment, area, &mut buffer);
                // The status is there wherever there is room for a word.
                let text: String = buffer.content().iter().map(|c| c.symbol()).collect();
                if columns >= 20 && rows >= 1 {
                    prop_assert!(text.contains(story.view.status), "{columns}x{rows}: {text}");
                }
            }
        }
    }
}
