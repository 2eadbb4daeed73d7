//! Worklists, played in a small world: whatever the models of the items do, and in whatever order things come about,
//! every item ends once, and only what passes on the integrated tree becomes a commit.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::check::{CheckReport, Receipt, Target, Verdict};
use crate::effect::{Effect, due, to_verify};
use crate::event::{Event, Fact, Interrupted, Opened, SourceDoing, VERSION_WITH_PATIENT_ACTS};
use crate::goal::{Check, Deliver, Goal, Items, Role};
use crate::ids::{BlobId, CheckId, CommitId, ItemId, Scope, TreeId};
use crate::item::{
    Closed, Closing, ItemHead, Listing, Outcome, Page, Replayed, Verb, WHOLE_ID, WHOLE_INDEX,
};
use crate::measure::Measure;
use crate::repo::{Base, Candidate, Changed, Delivered, How};
use crate::report::journal::{created, goal};
use crate::state::{CallProgress, Phase, State};
use crate::step::tests::{effect_words, notice_words};
use crate::step::{begin, recover, step};
use crate::stop::StopReason;
use crate::turn::{CallHead, CallResult, Help, Said, Usage};

/// What the model of an item does, turn by turn; the last one for ever.
///
/// `f` fixes it, `b` breaks a check with its fix, `n` says that it fixed it and did nothing, `d` diagnoses it, `e`
/// diagnoses it with a citation that does not hold, `t` talks, `h` asks for help, `w` works.
pub(super) type Moves = &'static str;

pub(super) struct World {
    pub(super) state: State,
    events: Vec<Event>,
    pub(super) now: u64,
    moves: Vec<Moves>,
    prints: Vec<Option<&'static str>>,
    conflicts: Vec<(usize, usize)>,
    clashes: Vec<(usize, usize)>,
    replays: bool,
    /// What the model does about what the whole lacks.
    pub(super) whole: Moves,
    workspaces: BTreeMap<ItemId, String>,
    pub(super) closed: Vec<Closed>,
    pub(super) commits: Vec<(CommitId, CommitId, TreeId)>,
    pub(super) acts: Vec<u32>,
    log: String,
}

pub(super) fn id(n: usize) -> ItemId {
    ItemId::from(format!("i{n}"))
}

fn changes(tree: &str) -> Vec<&str> {
    tree.split('+').skip(1).collect()
}

impl World {
    pub(super) fn new(moves: &[Moves], change: impl FnOnce(&mut Items)) -> World {
        let mut goal = goal(&[]);
        let mut each = std::mem::take(&mut goal.keep.checks);
        each[0].role = Role::Keep;
        goal.deliver = Deliver::Branch;
        goal.stop.turns = 10_000;
        goal.next.attempts = Some(2);
        let mut items = Items {
            from: "command".into(),
            spec: serde_json::json!({}),
            outcomes: vec!["fixed".into(), "diagnosed".into()],
            order: Default::default(),
            limit: None,
            each,
            parallel: 3,
            on: BTreeMap::new(),
            replay: None,
            work_on_new: false,
        };
        change(&mut items);
        let replays = items.replay.is_some();
        goal.items = Some(items);
        let event = Event::run(1_000, Fact::RunCreated(Box::new(created(goal))));
        let state = begin(&event).unwrap();
        World {
            state,
            events: vec![event],
            now: 1_000,
            moves: moves.to_vec(),
            prints: vec![None; moves.len()],
            conflicts: vec![],
            clashes: vec![],
            replays,
            whole: "",
            workspaces: BTreeMap::new(),
            closed: vec![],
            commits: vec![],
            acts: vec![],
            log: String::new(),
        }
    }

    /// The same with a check of the run's own that no item's change makes pass: only one of the whole does.
    pub(super) fn lacking(moves: &[Moves], whole: Moves, change: impl FnOnce(&mut Goal)) -> World {
        let mut world = World::new(moves, |_| {});
        let Fact::RunCreated(created) = &mut world.events[0].fact else {
            unreachable!("a run is created first")
        };
        let suite = created
            .goal
            .items
            .as_ref()
            .map(|items| items.each[0].clone());
        created.goal.done.extend(suite.map(|suite| Check {
            id: CheckId::from("docs"),
            role: Role::Done,
            ..suite
        }));
        change(&mut created.goal);
        world.state = begin(&world.events[0]).unwrap();
        world.whole = whole;
        world
    }

    pub(super) fn say(&mut self, scope: Scope, fact: Fact) {
        self.now += 10;
        let event = Event {
            scope,
            at: self.now,
            fact,
        };
        let (state, _) = step(self.state.clone(), &event)
            .unwrap_or_else(|e| panic!("{e}: {event:?}\n{}", self.log));
        self.state = state;
        if let Some(list) = &self.state.worklist {
            self.closed.extend(list.just_closed.clone());
            assert!(list.open.len() <= self.state.parallel());
            let items = list.open.keys().filter(|id| id.as_str() != WHOLE_ID);
            let known = list.closed() as usize
                + items.count()
                + list.held.values().map(Vec::len).sum::<usize>()
                + list.again.len()
                + (list.listing.total - list.next) as usize;
            assert_eq!(
                known, list.listing.total as usize,
                "none is lost\n{}",
                self.log
            );
        }
        self.events.push(event);
    }

    /// Whether a tree passes the check of every item.
    fn passes(&self, tree: &str) -> bool {
        let has = |n: usize| changes(tree).contains(&id(n).as_str());
        !tree.contains('!') && !self.clashes.iter().any(|(a, b)| has(*a) && has(*b))
    }

    /// Whether a check of that name passes on a tree.
    fn holds(&self, check: &CheckId, tree: &str) -> bool {
        match check.as_str() {
            "suite" | "replay" => self.passes(tree),
            "docs" => self.whole.is_empty() || changes(tree).contains(&WHOLE_ID),
            _ => true,
        }
    }

    pub(super) fn perform(&mut self, effect: &Effect) {
        let words = effect_words(&self.state, effect);
        self.log.push_str(&words);
        self.log.push('\n');
        match effect {
            Effect::Prepare => self.say(Scope::Run, prepared("base")),
            Effect::Baseline => {
                self.say(Scope::Run, report("suite", Target::Base, true));
                if self.state.checks.contains_key(&CheckId::from("docs")) {
                    self.say(Scope::Run, report("docs", Target::Base, false));
                }
                self.say(
                    Scope::Run,
                    Fact::BaselineEnded {
                        generated: vec![],
                        reused: false,
                    },
                );
            }
            Effect::List => {
                let total = self.moves.len() as u32;
                let listing = Listing {
                    pages: vec![Page {
                        blob: BlobId::from("page"),
                        items: total,
                    }],
                    total,
                    hash: BlobId::from("hash"),
                    notes: vec![],
                };
                self.say(
                    Scope::Run,
                    Fact::Listed {
                        listing,
                        source: "a list".into(),
                    },
                );
            }
            Effect::Open { index } => self.open(*index),
            Effect::Item { item, effect } => self.of_item(item, effect),
            Effect::Integrate { item, onto } => self.integrate(item, onto),
            Effect::Relist => self.say(
                Scope::Run,
                Fact::Relisted {
                    newcomers: vec![],
                    total: 0,
                    listing: None,
                },
            ),
            Effect::FixCandidate => {
                let tree = crate::step::tip(&self.state).tree;
                self.say(Scope::Run, fixed("base", tree.as_str()));
            }
            Effect::Verify { tree } => {
                let check = to_verify(&self.state).remove(0);
                let passes = self.holds(&check, tree.as_str());
                self.say(
                    Scope::Run,
                    report(check.as_str(), Target::Candidate(tree.clone()), passes),
                );
            }
            Effect::Act {
                number,
                begun: false,
                ..
            } => self.say(
                Scope::Run,
                Fact::Acting {
                    number: *number,
                    item: id(0),
                    verb: Verb::Comment,
                    key: format!("key-{number}"),
                },
            ),
            Effect::Act { number, probe, .. } => {
                // What an earlier process did is found there.
                if !*probe {
                    self.acts.push(*number);
                }
                self.say(
                    Scope::Run,
                    Fact::Acted {
                        number: *number,
                        receipt: Some("made".into()),
                        already: *probe,
                        error: None,
                    },
                );
            }
            Effect::Deliver => {
                let tip = crate::step::tip(&self.state);
                self.say(
                    Scope::Run,
                    Fact::Delivered {
                        delivered: Delivered::Branch {
                            name: "overnight/x".into(),
                            commit: tip.commit,
                        },
                        tree: tip.tree,
                    },
                );
            }
            Effect::WriteReport => self.say(
                Scope::Run,
                Fact::ReportWritten {
                    path: "report.md".into(),
                },
            ),
            other => panic!("{other:?} is not due of a worklist"),
        }
    }

    fn open(&mut self, index: u32) {
        if index == WHOLE_INDEX {
            let opened = Opened {
                head: ItemHead {
                    index,
                    id: ItemId::from(WHOLE_ID),
                    ..head(0)
                },
                dossier: BlobId::from("dossier"),
                fingerprint: None,
                gone: false,
                on_base: None,
                on_tip: None,
            };
            let scope = Scope::Item(ItemId::from(WHOLE_ID));
            return self.say(scope, Fact::ItemOpened(Box::new(opened)));
        }
        let n = index as usize;
        let tip = crate::step::tip(&self.state).tree;
        let replayed = |fails: bool| match fails {
            true => Replayed::Fails,
            false => Replayed::Passes,
        };
        let mine = self.prints[n];
        let gone = changes(tip.as_str()).iter().any(|change| {
            let other = change[1..].parse::<usize>().unwrap();
            other == n || (mine.is_some() && self.prints[other] == mine)
        });
        let opened = Opened {
            head: head(n),
            dossier: BlobId::from("dossier"),
            fingerprint: mine.map(str::to_owned),
            gone: false,
            on_base: self.replays.then(|| replayed(true)),
            on_tip: self.replays.then(|| replayed(!gone)),
        };
        self.say(Scope::Item(id(n)), Fact::ItemOpened(Box::new(opened)));
    }

    fn of_item(&mut self, item: &ItemId, effect: &Effect) {
        let child = self.state.worklist.as_ref().unwrap().open[item].clone();
        let scope = Scope::Item(item.clone());
        let work = child.item.as_ref().unwrap();
        match effect {
            Effect::Prepare => {
                let laid = work.laid.clone().unwrap_or(work.start.tree.clone());
                self.workspaces.insert(item.clone(), laid.0);
                self.say(scope, prepared(work.start.tree.as_str()));
            }
            Effect::AskModel { turn, attempt, .. } => {
                let told: Vec<String> = child.lanes[&Scope::Run]
                    .inbox
                    .iter()
                    .map(notice_words)
                    .collect();
                if !told.is_empty() {
                    self.log
                        .push_str(&format!("  {item} hears: {}\n", told.join(", ")));
                }
                self.say(
                    scope.clone(),
                    Fact::TurnRequested {
                        turn: *turn,
                        attempt: *attempt,
                        told: vec![],
                    },
                );
                let talks = self.next_move(item, *turn) == 't';
                let calls = (!talks).then(|| CallHead {
                    id: format!("c{turn}"),
                    name: "close_item".into(),
                    line: String::new(),
                });
                self.say(
                    scope,
                    Fact::ModelAnswered {
                        turn: *turn,
                        answer: BlobId::from("answer"),
                        text: String::new(),
                        calls: calls.into_iter().collect(),
                        usage: Usage {
                            input: 10,
                            cached: 0,
                            output: 1,
                        },
                        oddities: vec![],
                    },
                );
            }
            Effect::Call { turn, index, .. } => {
                self.say(
                    scope.clone(),
                    Fact::CallStarted {
                        turn: *turn,
                        index: *index,
                    },
                );
                let said = self.act(item, *turn);
                self.say(
                    scope,
                    Fact::CallEnded {
                        turn: *turn,
                        index: *index,
                        result: Box::new(CallResult {
                            ok: true,
                            said,
                            ..CallResult::default()
                        }),
                    },
                );
            }
            Effect::FixCandidate => {
                let tree = self.workspaces[item].clone();
                self.say(scope, fixed(work.start.tree.as_str(), &tree));
            }
            Effect::Verify { tree } => {
                let check = to_verify(&child).remove(0);
                let passes = self.holds(&check, tree.as_str());
                self.say(
                    scope,
                    report(check.as_str(), Target::Candidate(tree.clone()), passes),
                );
            }
            Effect::Examine => {
                let bad = self.next_move(item, child.lanes[&Scope::Run].turn) == 'e';
                self.say(
                    scope,
                    Fact::ClosingExamined {
                        faults: bad
                            .then(|| "src/gone.rs:1 is not there".to_owned())
                            .into_iter()
                            .collect(),
                    },
                );
            }
            other => panic!("{other:?} is not due of an item"),
        }
    }

    fn next_move(&self, item: &ItemId, turn: u64) -> char {
        let moves = match item.as_str() {
            WHOLE_ID => self.whole.as_bytes(),
            item => self.moves[item[1..].parse::<usize>().unwrap()].as_bytes(),
        };
        let at = (turn as usize - 1).min(moves.len().saturating_sub(1));
        moves.get(at).map_or('t', |one| *one as char)
    }

    fn act(&mut self, item: &ItemId, turn: u64) -> Option<Said> {
        let close = |outcome| {
            Some(Said::Close(Closing {
                outcome,
                evidence: format!("{item} at turn {turn}"),
            }))
        };
        let bare: String = {
            let tree = &self.workspaces[item];
            let mine = |change: &&str| change.trim_start_matches('!') == item.as_str();
            let others: Vec<&str> = changes(tree)
                .into_iter()
                .filter(|change| !mine(change))
                .collect();
            std::iter::once("base")
                .chain(others)
                .collect::<Vec<_>>()
                .join("+")
        };
        let next = self.next_move(item, turn);
        let mut write = |change: &str| {
            let mut all = changes(&bare);
            all.push(change);
            all.sort_unstable();
            let tree = std::iter::once("base")
                .chain(all)
                .collect::<Vec<_>>()
                .join("+");
            self.workspaces.insert(item.clone(), tree);
        };
        match next {
            'f' => {
                write(item.as_str());
                close(Outcome::Fixed)
            }
            'b' => {
                write(&format!("!{item}"));
                close(Outcome::Fixed)
            }
            'n' => close(Outcome::Fixed),
            'd' | 'e' => close(Outcome::Diagnosed),
            'u' => close(Outcome::Unresolved),
            'h' => Some(Said::Help(Help {
                question: "What now?".into(),
                tried: String::new(),
                unlock: String::new(),
            })),
            _ => None,
        }
    }

    fn integrate(&mut self, item: &ItemId, onto: &CommitId) {
        let child = self.state.worklist.as_ref().unwrap().open[item].clone();
        let tip = crate::step::tip(&self.state);
        assert_eq!(*onto, tip.commit);
        let scope = Scope::Item(item.clone());
        let tree = child.candidate.as_ref().unwrap().tree.clone();
        if child.item.as_ref().unwrap().start.tree == tip.tree {
            assert!(
                self.passes(tree.as_str()),
                "{tree} was verified\n{}",
                self.log
            );
            let commit = CommitId::from(format!("c{}", self.commits.len() + 1));
            self.commits
                .push((tip.commit, commit.clone(), tree.clone()));
            return self.say(scope, Fact::Integrated { commit, tree });
        }
        let n: usize = item.as_str()[1..].parse().unwrap();
        let conflicts = self.conflicts.iter().any(|(a, b)| {
            let has = |other: usize| changes(tip.tree.as_str()).contains(&id(other).as_str());
            (*a == n && has(*b)) || (*b == n && has(*a))
        });
        let mut all = changes(tip.tree.as_str());
        if !all.contains(&item.as_str()) {
            all.push(item.as_str());
        }
        all.sort_unstable();
        let merged = std::iter::once("base")
            .chain(all)
            .collect::<Vec<_>>()
            .join("+");
        let Fact::CandidateFixed { candidate, .. } = fixed(tip.tree.as_str(), &merged) else {
            unreachable!()
        };
        self.say(
            scope,
            Fact::Rebased {
                candidate,
                onto: tip.commit,
                onto_tree: tip.tree,
                conflicts: conflicts
                    .then(|| "src/api.rs".to_owned())
                    .into_iter()
                    .collect(),
                held_by: None,
            },
        );
    }

    /// Performs what is due until the run ends; `choose` says which of several comes about first, and whether the
    /// process dies before.
    fn run(&mut self, mut choose: impl FnMut(usize) -> (usize, bool)) {
        for _ in 0..5_000 {
            if self.state.ended() {
                return;
            }
            let due = due(&self.state);
            assert!(
                !due.is_empty(),
                "nothing is due: {:?}\n{}",
                self.state.phase,
                self.log
            );
            let (which, dies) = choose(due.len());
            if dies {
                for event in recover(&self.state, self.now) {
                    self.say(event.scope, event.fact);
                }
                continue;
            }
            self.perform(&due[which % due.len()]);
        }
        panic!("it does not end\n{}", self.log);
    }

    /// Performs what is due first, until it is so.
    pub(super) fn until(&mut self, so: impl Fn(&World) -> bool) {
        for _ in 0..500 {
            if so(self) {
                return;
            }
            let next = due(&self.state).remove(0);
            self.perform(&next);
        }
        panic!("it never is\n{}", self.log);
    }

    pub(super) fn straight(&mut self) {
        self.run(|_| (0, false));
    }

    fn ledger(&self) -> String {
        let mut rows: Vec<String> = self
            .closed
            .iter()
            .map(|closed| {
                let commit = closed
                    .commit
                    .as_ref()
                    .map(|c| format!(" {c}"))
                    .unwrap_or_default();
                let same = closed
                    .same_as
                    .as_ref()
                    .map(|s| format!(" as {s}"))
                    .unwrap_or_default();
                let outcome = closed.outcome.word();
                format!(
                    "{} {outcome}{commit}{same}, {} refused",
                    closed.head.id, closed.attempts
                )
            })
            .collect();
        rows.sort();
        let status = self.state.status();
        format!("{}\n{status}", rows.join("\n"))
    }
}

/// The whole journal of such a run, and how its items ended: for whoever reads journals. `prints` says which items have
/// the same root cause, `conflicts` whose changes do not go together.
pub(crate) fn journal(
    moves: &[Moves],
    prints: &[Option<&'static str>],
    conflicts: &[(usize, usize)],
    change: impl FnOnce(&mut Items),
) -> (Vec<Event>, Vec<Closed>) {
    let mut world = World::new(moves, change);
    world.prints[..prints.len()].copy_from_slice(prints);
    world.conflicts = conflicts.to_vec();
    world.run(|due| (due - 1, false));
    (world.events, world.closed)
}

pub(super) fn head(n: usize) -> ItemHead {
    ItemHead {
        index: n as u32,
        id: id(n),
        title: format!("Error {n}"),
        url: None,
    }
}

fn prepared(tree: &str) -> Fact {
    Fact::Prepared {
        base: Base {
            commit: CommitId::from(format!("commit-{tree}")),
            tree: TreeId::from(tree),
            ..Base::default()
        },
        offer: None,
    }
}

pub(super) fn fixed(base: &str, tree: &str) -> Fact {
    let before = changes(base);
    let changed = changes(tree)
        .into_iter()
        .filter(|change| !before.contains(change));
    Fact::CandidateFixed {
        candidate: Candidate {
            tree: TreeId::from(tree),
            changes: changed
                .map(|change| Changed {
                    path: format!("src/{change}.rs"),
                    how: How::Modified,
                    added: 1,
                    removed: 1,
                    link: None,
                })
                .collect(),
            artefacts: vec![],
        },
        delta: None,
        denials: vec![],
        stopped: vec![],
    }
}

pub(super) fn report(check: &str, target: Target, passes: bool) -> Fact {
    Fact::CheckReported {
        report: Box::new(CheckReport {
            check: check.into(),
            target,
            verdict: if passes { Verdict::Pass } else { Verdict::Fail },
            reason: if passes { "passes" } else { "fails" }.into(),
            evidence: String::new(),
            measure: Measure {
                passing: passes.into(),
                failing: (!passes).into(),
                distance: None,
            },
            obstacle: None,
            flaky: false,
            receipt: Receipt::default(),
        }),
    }
}

#[test]
fn items_are_fixed_and_diagnosed_and_the_run_is_complete() {
    let mut world = World::new(&["f", "d", "wwf"], |_| {});
    world.straight();
    insta::assert_snapshot!(world.ledger(), @r"
    i0 fixed c1, 0 refused
    i1 diagnosed, 0 refused
    i2 fixed c2, 0 refused
    complete
    ");
    insta::assert_snapshot!(world.log, @r"
    prepare
    baseline
    list
    open 0
    i0: prepare
    i0: ask 1
    i0: call 1.0
    i0: fix
    i0: verify suite scope oracle on base+i0
    i0: verify scope oracle on base+i0
    i0: verify oracle on base+i0
    integrate i0 onto commit-base
    open 1
    i1: prepare
    i1: ask 1
    i1: call 1.0
    i1: examine
    open 2
    i2: prepare
    i2: ask 1
    i2: call 1.0
    i2: ask 2
    i2: call 2.0
    i2: ask 3
    i2: call 3.0
    i2: fix
    i2: verify suite scope oracle on base+i0+i2
    i2: verify scope oracle on base+i0+i2
    i2: verify oracle on base+i0+i2
    integrate i2 onto c1
    list again
    fix
    verify scope oracle on base+i0+i2
    verify oracle on base+i0+i2
    deliver
    report
    ");
    assert_eq!(world.commits.len(), 2);
}

#[test]
fn a_fix_that_breaks_a_check_is_refused_until_only_words_are_left() {
    let mut world = World::new(&["bbd", "bf", "nd", "ed"], |items| items.parallel = 1);
    world.straight();
    insta::assert_snapshot!(world.ledger(), @r"
    i0 diagnosed, 2 refused
    i1 fixed c1, 1 refused
    i2 diagnosed, 1 refused
    i3 diagnosed, 1 refused
    complete
    ");
    insta::assert_snapshot!(world.log, @r"
    prepare
    baseline
    list
    open 0
    i0: prepare
    i0: ask 1
    i0: call 1.0
    i0: fix
    i0: verify suite scope oracle on base+!i0
    i0: verify scope oracle on base+!i0
    i0: verify oracle on base+!i0
    i0: ask 2
      i0 hears: rejected [suite], refused (suite: fails), 1 left
    i0: call 2.0
    i0: fix
    i0: ask 3
      i0 hears: rejected as before [suite], no progress 2 of 4, fresh start after 2, refused (suite: fails), 0 left, only words
    i0: call 3.0
    i0: examine
    open 1
    i1: prepare
    i1: ask 1
    i1: call 1.0
    i1: fix
    i1: verify suite scope oracle on base+!i1
    i1: verify scope oracle on base+!i1
    i1: verify oracle on base+!i1
    i1: ask 2
      i1 hears: rejected [suite], refused (suite: fails), 1 left
    i1: call 2.0
    i1: fix
    i1: verify suite scope oracle on base+i1
    i1: verify scope oracle on base+i1
    i1: verify oracle on base+i1
    integrate i1 onto commit-base
    open 2
    i2: prepare
    i2: ask 1
    i2: call 1.0
    i2: fix
    i2: ask 2
      i2 hears: refused (nothing has changed, so nothing is fixed), 1 left
    i2: call 2.0
    i2: examine
    open 3
    i3: prepare
    i3: ask 1
    i3: call 1.0
    i3: examine
    i3: ask 2
      i3 hears: refused (src/gone.rs:1 is not there), 1 left
    i3: call 2.0
    i3: examine
    list again
    fix
    verify scope oracle on base+i1
    verify oracle on base+i1
    deliver
    report
    ");
}

#[test]
fn an_item_that_takes_long_has_its_attempts_left() {
    const LONG: &str = concat!(
        "wwwwwwwwwwwwwwwwwwwwwwwwwwwwww",
        "wwwwwwwwwwwwwwwwwwwwwwwwwwwwww",
        "f"
    );
    let mut world = World::new(&[LONG, "tttf"], |items| items.parallel = 1);
    world.straight();
    insta::assert_snapshot!(world.ledger(), @r"
    i0 fixed c1, 0 refused
    i1 fixed c2, 1 refused
    complete
    ");
    assert!(
        world.log.contains("refused (nothing was closed"),
        "{}",
        world.log
    );
}

#[test]
fn who_cannot_solve_it_leaves_it_unresolved_and_the_run_is_not_complete() {
    let mut world = World::new(&["f", "bbbbbb", "h"], |items| items.parallel = 1);
    world.straight();
    insta::assert_snapshot!(world.ledger(), @r"
    i0 fixed c1, 0 refused
    i1 unresolved, 4 refused
    i2 unresolved, 0 refused
    blocked
    ");
    let mut allowed = World::new(&["f", "bbbbbb", "t"], |items| {
        items.outcomes.push("unresolved".into());
    });
    allowed.straight();
    insta::assert_snapshot!(allowed.ledger(), @r"
    i0 fixed c1, 0 refused
    i1 unresolved, 4 refused
    i2 unresolved, 3 refused
    complete
    ");
}

#[test]
fn an_answer_has_the_unsolved_tried_again() {
    let mut world = World::new(&["f", "hf"], |items| items.parallel = 1);
    world.straight();
    assert_eq!(world.state.status(), "blocked");
    world.moves[1] = "f";
    world.say(
        Scope::Run,
        Fact::Answered {
            text: "Look at the parser.".into(),
        },
    );
    world.straight();
    insta::assert_snapshot!(world.ledger(), @r"
    i0 fixed c1, 0 refused
    i1 fixed c2, 0 refused
    i1 unresolved, 0 refused
    complete
    ");
}

#[test]
fn one_root_cause_is_worked_on_once() {
    let mut world = World::new(&["f", "f", "d", "d"], |_| {});
    world.prints = vec![Some("p"), Some("p"), Some("q"), Some("q")];
    world.straight();
    insta::assert_snapshot!(world.ledger(), @r"
    i0 fixed c1, 0 refused
    i1 fixed c1 as i0, 0 refused
    i2 diagnosed, 0 refused
    i3 diagnosed as i2, 0 refused
    complete
    ");
    assert_eq!(world.commits.len(), 1);
}

#[test]
fn replays_of_what_was_fixed_with_another_close_it() {
    let mut world = World::new(&["f", "f", "f"], |items| {
        items.replay = Some("./replay".into());
        items.parallel = 1;
    });
    world.prints = vec![Some("p"), None, Some("p")];
    world.straight();
    insta::assert_snapshot!(world.ledger(), @r"
    i0 fixed c1, 0 refused
    i1 fixed c2, 0 refused
    i2 fixed c1 as i0, 0 refused
    complete
    ");
}

#[test]
fn what_conflicts_or_does_not_go_together_is_sent_back() {
    let mut world = World::new(&["f", "f", "fd"], |_| {});
    world.conflicts = vec![(0, 1)];
    world.clashes = vec![(0, 2)];
    // All three are at work before the first is integrated.
    world.run(|due| (due - 1, false));
    insta::assert_snapshot!(world.ledger(), @r"
    i0 unresolved, 4 refused
    i1 fixed c2, 0 refused
    i2 fixed c1, 0 refused
    blocked
    ");
    insta::assert_snapshot!(world.log, @r"
    prepare
    baseline
    list
    open 0
    open 1
    open 2
    i2: prepare
    i2: ask 1
    i2: call 1.0
    i2: fix
    i2: verify suite scope oracle on base+i2
    i2: verify scope oracle on base+i2
    i2: verify oracle on base+i2
    integrate i2 onto commit-base
    i1: prepare
    i1: ask 1
    i1: call 1.0
    i1: fix
    i1: verify suite scope oracle on base+i1
    i1: verify scope oracle on base+i1
    i1: verify oracle on base+i1
    integrate i1 onto c1
    i1: verify suite scope oracle on base+i1+i2
    i1: verify scope oracle on base+i1+i2
    i1: verify oracle on base+i1+i2
    integrate i1 onto c1
    i0: prepare
    i0: ask 1
    i0: call 1.0
    i0: fix
    i0: verify suite scope oracle on base+i0
    i0: verify scope oracle on base+i0
    i0: verify oracle on base+i0
    integrate i0 onto c2
    i0: prepare
    i0: ask 2
      i0 hears: refused (it conflicts with what others integrated: src/api.rs), 1 left, sent back [src/api.rs] []
    i0: call 2.0
    i0: fix
    i0: verify suite scope oracle on base+i0+i1+i2
    i0: verify scope oracle on base+i0+i1+i2
    i0: verify oracle on base+i0+i1+i2
    i0: ask 3
      i0 hears: rejected [suite], no progress 2 of 4, fresh start after 2, refused (suite: fails), 0 left, only words
    i0: call 3.0
    i0: ask 4
      i0 hears: refused (it can no longer end in a change: 2 closings were refused), 0 left
    i0: call 4.0
    list again
    fix
    verify scope oracle on base+i1+i2
    verify oracle on base+i1+i2
    deliver
    report
    ");
}

#[test]
fn acts_follow_the_delivery_each_once() {
    let mut world = World::new(&["f", "d"], |items| {
        items.on = BTreeMap::from([
            (Outcome::Fixed, vec![Verb::Comment, Verb::Resolve]),
            (Outcome::Diagnosed, vec![Verb::Comment]),
        ]);
    });
    world.straight();
    assert_eq!(world.acts, [1, 2, 3]);
    assert_eq!(world.state.status(), "complete");
}

#[test]
fn a_source_that_fails_is_waited_for_and_one_that_refuses_blocks() {
    let mut world = World::new(&["d"], |_| {});
    let failed = |doing, fatal| Fact::SourceFailed {
        doing,
        fatal,
        message: "the tracker does not answer".into(),
        retry_after_ms: Some(60_000),
    };
    world.until(|world| world.state.phase == Phase::Listing);
    world.say(Scope::Run, failed(SourceDoing::List, false));
    assert_eq!(due(&world.state), []);
    assert_eq!(world.state.status(), "listing");
    assert_eq!(world.state.wakes_at(), Some(world.now + 60_000));
    world.now += 60_000;
    world.say(Scope::Run, Fact::Woken);
    assert_eq!(due(&world.state), [Effect::List]);
    world.say(Scope::Run, failed(SourceDoing::List, true));
    world.straight();
    assert_eq!(world.state.status(), "blocked");
    world.say(Scope::Run, Fact::Resumed);
    world.straight();
    assert_eq!(world.state.status(), "complete");
}

#[test]
fn a_run_of_an_older_version_gives_acts_up_and_goes_on_with_them_as_it_did() {
    let mut world = World::new(&["d", "d"], |items| {
        items.on = BTreeMap::from([(Outcome::Diagnosed, vec![Verb::Comment])]);
    });
    world.state.version = VERSION_WITH_PATIENT_ACTS - 1;
    world.until(|world| matches!(due(&world.state)[0], Effect::Act { begun: true, .. }));
    for attempt in 1..=5 {
        let acted = world.state.worklist.as_ref().unwrap().acted;
        assert_eq!(acted, 0, "before attempt {attempt}");
        let away = Fact::SourceFailed {
            doing: SourceDoing::Act,
            fatal: false,
            message: "the tracker does not answer".into(),
            retry_after_ms: None,
        };
        world.say(Scope::Run, away);
        world.now += 3_600_000;
        world.say(Scope::Run, Fact::Woken);
    }
    assert_eq!(world.state.worklist.as_ref().unwrap().acted, 1);
    world.say(Scope::Run, Fact::StopRequested);
    world.straight();
    assert_eq!(world.acts, [2], "a stop did not end them");
}

#[test]
fn a_source_that_is_away_for_good_does_not_keep_the_run_from_its_end() {
    let mut world = World::new(&["d", "d", "d"], |items| {
        items.on = BTreeMap::from([(Outcome::Diagnosed, vec![Verb::Comment])]);
    });
    let acting = |world: &World| matches!(due(&world.state)[0], Effect::Act { begun: true, .. });
    let away = || Fact::SourceFailed {
        doing: SourceDoing::Act,
        fatal: false,
        message: "the tracker does not answer".into(),
        retry_after_ms: None,
    };
    world.until(acting);
    let begun = world.now;
    let mut attempts = 0;
    while world.state.worklist.as_ref().unwrap().acted == 0 {
        world.say(Scope::Run, away());
        attempts += 1;
        if let Some(at) = world.state.wakes_at() {
            world.now = at;
            world.say(Scope::Run, Fact::Woken);
        }
    }
    let waited_s = (world.now - begun) / 1_000;
    assert!(
        attempts > 5 && (120..1_800).contains(&waited_s),
        "{attempts}, {waited_s} s"
    );
    // The next one is tried once, whatever comes of it.
    world.until(acting);
    world.say(Scope::Run, away());
    let list = world.state.worklist.as_ref().unwrap();
    assert_eq!((list.acted, list.unperformed, list.away), (2, 2, true));
    world.straight();
    assert_eq!(world.acts, [3]);
    let list = world.state.worklist.as_ref().unwrap();
    assert_eq!((list.acted, list.unperformed, list.away), (3, 2, false));
    assert_eq!(world.state.status(), "complete");
}

#[test]
fn no_act_is_begun_once_a_person_has_stopped_the_run() {
    let begin = || {
        let mut world = World::new(&["d", "d", "d"], |items| {
            items.on = BTreeMap::from([(Outcome::Diagnosed, vec![Verb::Comment])]);
        });
        world.until(|world| matches!(due(&world.state)[0], Effect::Act { begun: true, .. }));
        world
    };
    // One that is under way is seen to its end.
    let mut world = begin();
    world.say(Scope::Run, Fact::StopRequested);
    assert!(matches!(
        due(&world.state)[0],
        Effect::Act {
            begun: true,
            number: 1,
            ..
        }
    ));
    world.straight();
    assert_eq!(world.acts, [1]);
    assert_eq!(world.state.status(), "complete");
    // One whose source is waited for is given up.
    let mut world = begin();
    let failed = Fact::SourceFailed {
        doing: SourceDoing::Act,
        fatal: false,
        message: "the tracker does not answer".into(),
        retry_after_ms: Some(60_000),
    };
    world.say(Scope::Run, failed);
    world.say(Scope::Run, Fact::StopRequested);
    assert_eq!(world.state.phase, Phase::Reporting);
    world.straight();
    assert_eq!(world.acts, [0u32; 0]);
    // Before the first one.
    let mut early = World::new(&["d"], |items| {
        items.on = BTreeMap::from([(Outcome::Diagnosed, vec![Verb::Comment])]);
    });
    early.until(|world| world.state.phase == Phase::Delivering);
    early.say(Scope::Run, Fact::StopRequested);
    early.straight();
    assert_eq!(early.acts, [0u32; 0]);
    assert_eq!(early.state.status(), "complete");
}

#[test]
fn a_crash_between_an_act_and_its_receipt_asks_the_source() {
    let mut world = World::new(&["d"], |items| {
        items.on = BTreeMap::from([(Outcome::Diagnosed, vec![Verb::Comment])]);
    });
    let acts = |world: &World| matches!(due(&world.state)[0], Effect::Act { begun: true, .. });
    world.until(acts);
    // It was performed, and nobody heard of it.
    world.acts.push(1);
    let interrupted = vec![];
    world.say(Scope::Run, Fact::Restarted { interrupted });
    world.straight();
    assert_eq!(world.acts, [1]);
}

#[test]
fn an_interrupted_call_of_an_item_is_run_again() {
    let mut world = World::new(&["f"], |_| {});
    let calls = |effect: &Effect| match effect {
        Effect::Item { effect, .. } => matches!(**effect, Effect::Call { .. }),
        _ => false,
    };
    world.until(|world| calls(&due(&world.state)[0]));
    world.say(Scope::Item(id(0)), Fact::CallStarted { turn: 1, index: 0 });
    let events = recover(&world.state, world.now);
    let expected = Interrupted {
        scope: Scope::Item(id(0)),
        turn: 1,
        index: 0,
        again: true,
    };
    assert_eq!(
        events[0].fact,
        Fact::Restarted {
            interrupted: vec![expected]
        }
    );
    for event in events {
        world.say(event.scope, event.fact);
    }
    let child = &world.state.worklist.as_ref().unwrap().open[&id(0)];
    let call = &child.lanes[&Scope::Run].calls[0];
    assert!(call.again && call.progress == CallProgress::Pending);
    world.straight();
    assert_eq!(world.state.status(), "complete");
}

fn any_moves() -> impl Strategy<Value = Vec<Moves>> {
    let one = prop::sample::select(vec![
        "f", "d", "bf", "bd", "bbd", "bbbb", "nf", "ed", "eeee", "h", "t", "tf", "wf", "wwwd", "u",
        "bt",
    ]);
    prop::collection::vec(one, 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    /// Whatever the models do, in whatever order things come about, and wherever the process dies.
    #[test]
    fn every_item_ends_once(
        moves in any_moves(),
        choices in prop::collection::vec((any::<usize>(), 0u8..20), 400),
        parallel in 1u32..5,
        unresolved in any::<bool>(),
        prints in prop::collection::vec(prop::option::of(prop::sample::select(vec!["p", "q"])), 8),
        conflicts in prop::collection::vec((0usize..8, 0usize..8), 0..3),
        clashes in prop::collection::vec((0usize..8, 0usize..8), 0..3),
        replays in any::<bool>(),
    ) {
        let mut world = World::new(&moves, |items| {
            items.parallel = parallel;
            if unresolved {
                items.outcomes.push("unresolved".into());
            }
            if replays {
                items.replay = Some("./replay".into());
            }
            items.on = BTreeMap::from([(Outcome::Fixed, vec![Verb::Comment])]);
        });
        world.prints = prints[..moves.len()].to_vec();
        world.conflicts = conflicts;
        world.clashes = clashes.into_iter().filter(|(a, b)| a != b).collect();
        let mut at = 0;
        world.run(|due| {
            let (which, dies) = choices[at % choices.len()];
            at += 1;
            (which % due, dies == 0)
        });
        let mut ids: Vec<&str> = world.closed.iter().map(|closed| closed.head.id.as_str()).collect();
        ids.sort_unstable();
        let mut all: Vec<String> = (0..moves.len()).map(|n| id(n).0).collect();
        all.sort();
        prop_assert_eq!(ids, all);
        let fixed = world.closed.iter().filter(|c| c.outcome == Outcome::Fixed && c.same_as.is_none()).count();
        prop_assert_eq!(fixed, world.commits.len());
        for pair in world.commits.windows(2) {
            prop_assert_eq!(&pair[0].1, &pair[1].0, "one commit follows the other");
        }
        let unsolved = world.closed.iter().any(|c| c.outcome == Outcome::Unresolved);
        let complete = matches!(world.state.stop, Some(StopReason::Complete(_)));
        prop_assert_eq!(complete, unresolved || !unsolved);
        let replayed = world.events[1..].iter().fold(begin(&world.events[0]).unwrap(), |state, event| {
            step(state, event).unwrap().0
        });
        prop_assert_eq!(serde_json::to_string(&replayed).unwrap(), serde_json::to_string(&world.state).unwrap());
    }
}
