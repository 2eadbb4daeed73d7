//! Worklists that are disturbed: the harness in trouble with one item, budgets, a person who stops, answers and edits.

use crate::check::Target;
use crate::effect::{Effect, due};
use crate::event::{Fact, Opened, SourceDoing};
use crate::goal::change;
use crate::ids::{BlobId, ItemId, Scope, TreeId};
use crate::item::{Outcome, Verb};
use crate::state::{Phase, WaitKind};
use crate::step::tests::effect_words;
use crate::step::worklist::tests::{World, fixed, head, id, report};
use crate::step::{HARNESS_ATTEMPTS_MAX, late, step};
use crate::stop::Completion;
use crate::turn::{ModelErrorKind, Usage};
use crate::worklist::{Whole, Worklist};

fn item(n: usize) -> Scope {
    Scope::Item(id(n))
}

/// What is due, in words; of one item what is due of it.
fn words(world: &World) -> Vec<String> {
    let words = |effect: &Effect| effect_words(&world.state, effect);
    due(&world.state).iter().map(words).collect()
}

/// Whether something is due of that item.
fn due_of(world: &World, of: &ItemId) -> bool {
    due(&world.state).iter().any(|effect| match effect {
        Effect::Item { item, .. } | Effect::Integrate { item, .. } => item == of,
        _ => false,
    })
}

fn asks(world: &World, n: usize) -> bool {
    let child = world
        .state
        .worklist
        .as_ref()
        .and_then(|l| l.open.get(&id(n)));
    child.is_some_and(|child| child.phase == Phase::Working)
}

/// Opens so many items, as far as their first requests.
fn asking(world: &mut World, many: usize) {
    world.until(|world| world.state.phase == Phase::Working);
    for n in 0..many {
        world.perform(&Effect::Open { index: n as u32 });
        world.perform(&Effect::Item {
            item: id(n),
            effect: Box::new(Effect::Prepare),
        });
        assert!(asks(world, n));
    }
}

fn request(turn: u64) -> Fact {
    Fact::TurnRequested {
        turn,
        attempt: 1,
        told: vec![],
    }
}

fn answer(turn: u64) -> Fact {
    Fact::ModelAnswered {
        turn,
        answer: BlobId::from("answer"),
        text: String::new(),
        calls: vec![],
        usage: Usage::default(),
        oddities: vec![],
    }
}

fn hiccup(fatal: bool) -> Fact {
    Fact::HarnessFailed {
        message: "index.lock exists".into(),
        fatal,
    }
}

#[test]
fn trouble_with_one_item_leaves_the_others_alone() {
    let mut world = World::new(&["f", "f"], |_| {});
    asking(&mut world, 2);
    world.say(item(0), request(1));
    let before = due(&world.state);
    world.say(item(1), hiccup(false));
    let after = due(&world.state);
    let of_other = |effect: &&Effect| matches!(effect, Effect::Item { item, .. } if *item == id(0));
    assert_eq!(
        before.iter().filter(of_other).collect::<Vec<_>>(),
        after.iter().collect::<Vec<_>>(),
        "what the other has under way goes on"
    );
    assert!(world.state.trouble.is_none() && !world.state.resting());
    assert_eq!(world.state.wakes_at(), Some(world.now + 1_000));
    let waits: Vec<WaitKind> = world.state.waits().map(|wait| wait.kind).collect();
    assert_eq!(waits, [WaitKind::Harness]);
    world.now += 990;
    world.say(Scope::Run, Fact::Woken);
    assert!(due_of(&world, &id(1)), "{:?}", words(&world));
    world.straight();
    assert_eq!(world.state.status(), "complete");
}

#[test]
fn a_person_has_the_trouble_of_items_tried_at_once() {
    for word in [Fact::Resumed, Fact::WaitCancelled] {
        let mut world = World::new(&["f"], |_| {});
        asking(&mut world, 1);
        world.say(item(0), hiccup(false));
        assert!(!due_of(&world, &id(0)));
        world.say(Scope::Run, word);
        assert!(due_of(&world, &id(0)));
    }
}

#[test]
fn trouble_with_one_item_that_does_not_end_fails_the_run() {
    let mut world = World::new(&["f", "f"], |_| {});
    asking(&mut world, 2);
    for attempt in 1..=HARNESS_ATTEMPTS_MAX {
        assert!(world.state.stop.is_none(), "attempt {attempt}");
        world.say(item(1), hiccup(false));
        world.now += 15 * 60 * 1_000;
        world.say(Scope::Run, Fact::Woken);
    }
    world.straight();
    assert_eq!(world.state.status(), "failed");
    // A person has it tried again, where it was.
    world.say(Scope::Run, Fact::Resumed);
    world.straight();
    assert_eq!(world.state.status(), "complete");
    // What can never be done fails it at once.
    let mut world = World::new(&["f", "f"], |_| {});
    asking(&mut world, 2);
    world.say(item(1), hiccup(true));
    world.straight();
    assert_eq!(world.state.status(), "failed");
}

#[test]
fn a_budget_lets_what_is_under_way_end() {
    let mut world = World::new(&["f", "f", "f"], |items| items.parallel = 2);
    world.state.goal.stop.turns = 3;
    asking(&mut world, 2);
    world.say(item(0), request(1));
    world.say(item(1), request(1));
    world.say(item(0), answer(1));
    assert!(due_of(&world, &id(0)), "one turn is left");
    world.say(item(0), request(2));
    world.say(item(0), answer(2));
    assert!(world.state.stop.is_none());
    assert_eq!(words(&world).len(), 1, "nothing else begins");
    assert!(due_of(&world, &id(1)), "its request is paid for");
    world.say(item(1), answer(1));
    assert_eq!(
        world.state.stop.as_ref().map(|s| s.word()),
        Some("out_of_budget")
    );
}

#[test]
fn what_needs_no_further_answer_ends_although_the_budget_is_used_up() {
    let mut world = World::new(&["f", "d"], |items| items.parallel = 2);
    world.state.goal.stop.turns = 2;
    world.straight();
    assert_eq!(world.state.status(), "complete");
    let outcomes: Vec<Outcome> = world.closed.iter().map(|closed| closed.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fixed, Outcome::Diagnosed]);
    let mut world = World::new(&["f", "d"], |items| items.parallel = 1);
    world.state.goal.stop.turns = 1;
    world.straight();
    assert_eq!(world.state.status(), "out_of_budget");
    assert_eq!((world.closed.len(), world.commits.len()), (1, 1));
}

#[test]
fn nothing_is_complete_while_its_worklist_is_not_closed() {
    let mut world = World::new(&["f", "d"], |_| {});
    world.straight();
    let done = world.state.clone();
    assert!(Completion::prove(&done).is_some());
    let without = |change: fn(&mut Worklist)| {
        let mut state = done.clone();
        change(state.worklist.as_mut().unwrap());
        assert_eq!(Completion::prove(&state), None);
    };
    without(|list| list.listing.hash = BlobId::default());
    without(|list| list.again.push(1));
    without(|list| list.next = 1);
    without(|list| list.whole = Whole::Due);
    without(|list| {
        list.held.insert(id(0), vec![1]);
    });
    without(|list| list.listing.total = 3);
    without(|list| *list.ended.entry(Outcome::Fixed).or_default() += 1);
    without(|list| {
        list.ended.remove(&Outcome::Diagnosed);
        list.ended.insert(Outcome::Unresolved, 1);
    });
    let mut unlisted = done.clone();
    unlisted.worklist = None;
    assert_eq!(Completion::prove(&unlisted), None);
}

#[test]
fn an_act_that_is_not_the_next_does_not_fit() {
    let mut world = World::new(&["f"], |items| {
        items.on.insert(Outcome::Fixed, vec![Verb::Comment]);
    });
    let acting = |number| {
        let fact = Fact::Acting {
            number,
            item: id(0),
            verb: Verb::Comment,
            key: "key".into(),
        };
        crate::event::Event::run(10_000, fact)
    };
    world.until(|world| world.state.worklist.is_some());
    assert!(step(world.state.clone(), &acting(1)).is_err(), "not yet");
    world.until(|world| world.state.phase == Phase::Acting);
    assert!(step(world.state.clone(), &acting(2)).is_err(), "not this");
    assert!(step(world.state.clone(), &acting(1)).is_ok());
}

#[test]
fn an_item_works_or_waits_by_itself() {
    let mut world = World::new(&["f", "f"], |_| {});
    asking(&mut world, 2);
    world.say(item(0), request(1));
    world.say(
        item(0),
        Fact::ModelFailed {
            turn: 1,
            kind: ModelErrorKind::Unavailable,
            message: "503".into(),
            retry_after_ms: Some(60_000),
            usage: Usage::default(),
        },
    );
    let spent = |world: &World, n: usize| {
        let list = world.state.worklist.as_ref().unwrap();
        let spent = &list.open[&id(n)].spent;
        (spent.active_ms, spent.waiting_ms)
    };
    let before = (spent(&world, 0), spent(&world, 1));
    world.now += 5_000;
    world.say(item(1), request(1));
    let after = (spent(&world, 0), spent(&world, 1));
    assert_eq!(after.0, (before.0.0, before.0.1 + 5_010));
    assert_eq!(after.1, (before.1.0 + 5_010, before.1.1));
    // What fails for a while is what counts towards giving up, and only of who fails.
    let list = world.state.worklist.as_ref().unwrap();
    let failing = |n: usize| list.open[&id(n)].lanes[&Scope::Run].failing_ms;
    assert!(failing(0) >= 5_010);
    assert_eq!(failing(1), 0);
}

#[test]
fn items_at_work_together_pass_no_budget_by_more_than_one_answer() {
    let asked = |world: &World| {
        let asks = |effect: &&Effect| matches!(effect, Effect::Item { effect, .. } if matches!(**effect, Effect::AskModel { .. }));
        due(&world.state).iter().filter(asks).count()
    };
    let mut world = World::new(&["f", "f", "f"], |_| {});
    asking(&mut world, 3);
    assert_eq!(asked(&world), 3);
    // The last turns are not asked for twice.
    world.state.goal.stop.turns = 2;
    assert_eq!(asked(&world), 2);
    world.say(item(2), request(1));
    assert_eq!(asked(&world), 2, "one is under way, one may follow");
    world.state.goal.stop.turns = 10_000;
    // Nobody knows yet what an answer costs.
    world.state.goal.stop.tokens = Some(40);
    assert_eq!(asked(&world), 1, "what is under way");
    let Fact::ModelAnswered { turn, answer, .. } = answer(1) else {
        unreachable!("that is an answer")
    };
    let answered = Fact::ModelAnswered {
        turn,
        answer,
        text: String::new(),
        calls: vec![],
        usage: Usage {
            input: 10,
            cached: 0,
            output: 1,
        },
        oddities: vec![],
    };
    world.say(item(2), answered);
    assert_eq!(world.state.spent.dearest_answer.tokens, 11);
    assert_eq!(asked(&world), 3, "29 are left");
    world.state.goal.stop.tokens = Some(22);
    assert_eq!(asked(&world), 1);
    world.state.goal.stop.tokens = Some(11);
    assert_eq!(asked(&world), 0);
    world.state.goal.stop.tokens = None;
    world.state.goal.stop.usd = Some(1.0);
    assert_eq!(asked(&world), 1, "what an answer costs is not known");
    world.state.spent.dearest_answer.usd = 0.1;
    assert_eq!(asked(&world), 3);
    world.state.spent.usd = 0.95;
    assert_eq!(asked(&world), 1);
}

#[test]
fn an_answer_that_comes_while_a_run_is_ending_sets_it_going_once() {
    let mut world = World::new(&["h"], |_| {});
    world.until(|world| world.state.phase == Phase::Reporting);
    world.say(
        Scope::Run,
        Fact::Answered {
            text: "Mind the rounding.".into(),
        },
    );
    world.perform(&Effect::WriteReport);
    assert_eq!(world.state.status(), "working");
    world.straight();
    // The item asks again, and so does the run.
    assert_eq!(world.state.status(), "blocked");
    assert_eq!(world.closed.len(), 2);
}

#[test]
fn an_item_keeps_its_place_when_another_stops_the_run() {
    let mut world = World::new(&["f", "f"], |_| {});
    asking(&mut world, 2);
    world.say(item(1), request(1));
    // The first comes as far as its integration.
    world.until(|world| matches!(due(&world.state)[0], Effect::Integrate { .. }));
    world.say(
        item(1),
        Fact::ModelFailed {
            turn: 1,
            kind: ModelErrorKind::Refused,
            message: "no credit".into(),
            retry_after_ms: None,
            usage: Usage::default(),
        },
    );
    world.straight();
    assert_eq!(world.state.status(), "blocked");
    assert_eq!(world.commits.len(), 0);
    world.say(Scope::Run, Fact::Resumed);
    assert!(
        matches!(due(&world.state)[0], Effect::Integrate { .. }),
        "{:?}",
        words(&world)
    );
    world.straight();
    assert_eq!(world.state.status(), "complete");
    assert_eq!(world.commits.len(), 2);
}

#[test]
fn an_answer_to_a_run_that_was_found_complete_opens_nothing() {
    let mut world = World::new(&["h"], |items| {
        items.outcomes.push("unresolved".into());
        items.on.insert(Outcome::Unresolved, vec![Verb::Comment]);
    });
    world.until(|world| world.state.phase == Phase::Acting);
    world.say(
        Scope::Run,
        Fact::Answered {
            text: "Mind the rounding.".into(),
        },
    );
    assert!(world.state.worklist.as_ref().unwrap().finished());
    world.straight();
    assert_eq!(world.state.status(), "complete");
    assert_eq!(world.closed.len(), 1);
}

fn edit(world: &mut World, edit: impl FnOnce(&mut crate::goal::Goal)) {
    let mut goal = world.state.goal.clone();
    edit(&mut goal);
    let changes = change::between(&world.state.goal, &goal);
    world.say(
        Scope::Run,
        Fact::GoalEdited {
            goal: Box::new(goal),
            goal_file: BlobId::from("edited"),
            changes,
        },
    );
}

#[test]
fn a_change_that_waits_for_its_integration_is_checked_again_under_another_contract() {
    let mut world = World::new(&["f"], |_| {});
    let waits = |world: &World| matches!(due(&world.state)[0], Effect::Integrate { .. });
    world.until(waits);
    let tree = {
        let child = &world.state.worklist.as_ref().unwrap().open[&id(0)];
        child.candidate.as_ref().unwrap().tree.clone()
    };
    edit(&mut world, |goal| goal.keep.paths.push("src/**".into()));
    let verify = Effect::Item {
        item: id(0),
        effect: Box::new(Effect::Verify { tree: tree.clone() }),
    };
    assert_eq!(due(&world.state), [verify]);
    world.say(
        item(0),
        report("scope", Target::Candidate(tree.clone()), false),
    );
    for check in ["suite", "oracle"] {
        world.say(
            item(0),
            report(check, Target::Candidate(tree.clone()), true),
        );
    }
    let list = world.state.worklist.as_ref().unwrap();
    let child = &list.open[&id(0)];
    assert_eq!(child.phase, Phase::Working, "its workspace is still there");
    assert!(list.queue.is_empty());
    assert_eq!(child.item.as_ref().unwrap().attempts, 1);
    world.straight();
    // It makes the same change again, and that is known not to hold.
    assert_eq!(world.closed[0].outcome, Outcome::Unresolved);
    assert_eq!(world.commits.len(), 0);
}

#[test]
fn an_edit_that_changes_nothing_for_verdicts_lets_them_stand() {
    let mut world = World::new(&["f"], |_| {});
    world.until(|world| matches!(due(&world.state)[0], Effect::Integrate { .. }));
    edit(&mut world, |goal| goal.stop.no_progress = 9);
    assert!(matches!(due(&world.state)[0], Effect::Integrate { .. }));
    // A limit on the size of fixes is another thing: it has to be held against the change.
    edit(&mut world, |goal| {
        goal.next.fix_when = Some(crate::goal::FixWhen {
            lines: Some(1),
            ..Default::default()
        });
        goal.next.attempts = Some(7);
    });
    let child = &world.state.worklist.as_ref().unwrap().open[&id(0)];
    let wanted = crate::effect::to_verify(child);
    assert!(wanted.iter().any(|id| id.as_str() == "fix_when"));
    assert_eq!(child.item.as_ref().unwrap().attempts_max, 7);
    edit(&mut world, |goal| goal.next.fix_when = None);
    let child = &world.state.worklist.as_ref().unwrap().open[&id(0)];
    let wanted = crate::effect::to_verify(child);
    assert!(!wanted.iter().any(|id| id.as_str() == "fix_when"));
}

#[test]
fn a_change_that_was_moved_is_sent_back_with_it_whatever_is_edited() {
    let mut world = World::new(&["f", "f"], |_| {});
    asking(&mut world, 2);
    let moved = |world: &World| {
        let list = world.state.worklist.as_ref();
        let child = list.and_then(|list| list.open.get(&id(1)));
        child.is_some_and(|child| child.item.as_ref().is_some_and(|item| item.moved))
    };
    world.until(moved);
    let laid = |world: &World| {
        let child = &world.state.worklist.as_ref().unwrap().open[&id(1)];
        child.item.as_ref().unwrap().laid.clone()
    };
    let merged = laid(&world);
    world.until(|world| matches!(due(&world.state)[0], Effect::Integrate { .. }));
    edit(&mut world, |goal| goal.keep.paths.push("src/**".into()));
    let tree = merged.clone().unwrap();
    for (check, passes) in [("suite", true), ("oracle", true), ("scope", false)] {
        world.say(
            item(1),
            report(check, Target::Candidate(tree.clone()), passes),
        );
    }
    let child = &world.state.worklist.as_ref().unwrap().open[&id(1)];
    assert_eq!(child.phase, Phase::Preparing, "its workspace is made anew");
    assert_eq!(laid(&world), merged);
    world.straight();
    assert_eq!(world.state.status(), "complete");
    assert_eq!(world.closed.len(), 2);
}

#[test]
fn a_list_whose_items_are_gone_is_complete_without_a_turn() {
    let mut world = World::new(&["f"], |_| {});
    world.until(|world| world.state.phase == Phase::Working);
    let opened = Opened {
        head: head(0),
        dossier: BlobId::from("dossier"),
        fingerprint: None,
        gone: true,
        on_base: None,
        on_tip: None,
    };
    world.say(item(0), Fact::ItemOpened(Box::new(opened)));
    world.straight();
    assert_eq!(world.state.status(), "complete");
    assert_eq!(world.state.spent.turns, 0);
    assert!(world.state.delivered.is_some());
}

#[test]
fn facts_of_items_that_come_too_late_are_known_as_such() {
    let mut world = World::new(&["f", "f"], |_| {});
    asking(&mut world, 2);
    let is_late = |world: &World, scope: Scope, fact: Fact| {
        late(
            &world.state,
            &crate::event::Event {
                scope,
                at: world.now,
                fact,
            },
        )
    };
    assert!(is_late(&world, item(0), answer(1)), "nothing was asked");
    world.say(item(0), request(1));
    assert!(!is_late(&world, item(0), answer(1)));
    assert!(is_late(&world, item(1), answer(1)), "it was the other");
    assert!(is_late(&world, item(7), hiccup(false)), "nobody knows it");
    assert!(!is_late(&world, item(7), hiccup(true)), "that is the run's");
    world.say(item(0), hiccup(false));
    assert!(is_late(&world, item(0), answer(1)), "it waits to try again");
    let moved = fixed("base", "base+i0");
    assert!(is_late(&world, item(0), moved));
}

#[test]
fn what_is_told_of_an_integration_that_is_not_due_is_late() {
    let mut world = World::new(&["f", "f"], |_| {});
    asking(&mut world, 2);
    let due_for = |n: usize| {
        move |world: &World| {
            let integrates =
                |e: &Effect| matches!(e, Effect::Integrate { item, .. } if *item == id(n));
            due(&world.state).iter().any(integrates)
        }
    };
    let is_late = |world: &World, n: usize, fact: Fact| {
        let event = crate::event::Event {
            scope: item(n),
            at: world.now,
            fact,
        };
        late(&world.state, &event)
    };
    let rebased = |onto: &str, tree: &str| {
        let Fact::CandidateFixed { candidate, .. } = fixed(tree, "base+i0+i1") else {
            unreachable!("`fixed` makes one")
        };
        Fact::Rebased {
            candidate,
            onto: onto.into(),
            onto_tree: tree.into(),
            conflicts: vec![],
            held_by: None,
        }
    };
    let integrated = |tree: &str| Fact::Integrated {
        commit: "c9".into(),
        tree: tree.into(),
    };
    world.until(due_for(0));
    assert!(!is_late(&world, 0, integrated("base+i0")));
    assert!(is_late(&world, 0, integrated("base+i1")), "of another tree");
    assert!(is_late(&world, 1, integrated("base+i1")), "of another item");
    let base = crate::step::tip(&world.state).commit.0;
    assert!(is_late(&world, 0, rebased(&base, "base")), "it is there");
    world.until(due_for(1));
    let tip = crate::step::tip(&world.state).commit.0;
    assert!(!is_late(&world, 1, rebased(&tip, "base+i0")));
    assert!(is_late(&world, 1, rebased(&base, "base")), "onto the base");
    assert!(is_late(&world, 0, rebased(&tip, "base+i0")), "it has ended");
    assert!(is_late(&world, 1, integrated("base+i1")), "not there yet");
    // While the run rests nothing is under way.
    world.state.trouble = Some(crate::state::Trouble {
        failures: 1,
        wait: Some(crate::state::Wait {
            until: u64::MAX,
            since: 0,
            why: "no room".into(),
            kind: WaitKind::Outage,
            seeking: false,
        }),
    });
    assert!(is_late(&world, 1, rebased(&tip, "base+i0")));
}

#[test]
fn nothing_is_told_of_a_source_that_is_waited_for() {
    let mut world = World::new(&["f"], |_| {});
    let failed = |doing| Fact::SourceFailed {
        doing,
        fatal: false,
        message: "502".into(),
        retry_after_ms: None,
    };
    let is_late = |world: &World, fact: Fact| {
        let event = crate::event::Event::run(world.now, fact);
        late(&world.state, &event)
    };
    let relisted = || Fact::Relisted {
        newcomers: vec![],
        total: 1,
        listing: None,
    };
    world.until(|world| due(&world.state)[0] == Effect::Relist);
    assert!(!is_late(&world, relisted()));
    world.say(Scope::Run, failed(SourceDoing::Relist));
    assert!(is_late(&world, relisted()), "it failed, and is not asked");
    world.now += 60_000;
    world.say(Scope::Run, Fact::Woken);
    assert!(!is_late(&world, relisted()));

    let mut world = World::new(&["f", "f"], |items| items.parallel = 1);
    world.until(|world| world.state.worklist.is_some());
    assert!(!is_late(&world, failed(SourceDoing::Read)));
    asking(&mut world, 1);
    let read = failed(SourceDoing::Read);
    assert!(is_late(&world, read), "there is no room for another");
}

/// Two items whose fixes are the same: the second has nothing left when it is taken onto the first.
fn contained(replayed: bool) -> World {
    let mut world = World::new(&["f", "f"], |items| {
        items.replay = replayed.then(|| "./replay".into());
    });
    asking(&mut world, 2);
    let second = |world: &World| {
        let integrates = |e: &Effect| matches!(e, Effect::Integrate { item, .. } if *item == id(1));
        due(&world.state).iter().any(integrates)
    };
    world.until(second);
    assert_eq!(world.commits.len(), 1);
    let Fact::CandidateFixed { mut candidate, .. } = fixed("base+i0", "base+i0") else {
        unreachable!("`fixed` makes one")
    };
    candidate.changes.clear();
    let tip = crate::step::tip(&world.state);
    let rebased = Fact::Rebased {
        candidate,
        onto: tip.commit,
        onto_tree: tip.tree,
        conflicts: vec![],
        held_by: None,
    };
    world.say(item(1), rebased);
    world
}

#[test]
fn a_fix_that_another_made_meanwhile_is_that_one() {
    let mut world = contained(false);
    let closed = world.closed.last().unwrap().clone();
    assert_eq!(
        (closed.outcome, closed.same_as),
        (Outcome::Fixed, Some(id(0)))
    );
    assert_eq!(closed.commit, Some(world.commits[0].1.clone()));
    world.straight();
    assert_eq!(world.state.status(), "complete");
}

#[test]
fn whether_another_made_it_is_for_its_replay_to_say_and_never_the_bases() {
    let tree = || TreeId::from("base+i0");
    for passes in [true, false] {
        let mut world = contained(true);
        let verify = Effect::Item {
            item: id(1),
            effect: Box::new(Effect::Verify { tree: tree() }),
        };
        assert_eq!(due(&world.state), [verify]);
        world.say(item(1), report("replay", Target::Candidate(tree()), passes));
        if passes {
            assert_eq!(world.closed.last().unwrap().same_as, Some(id(0)));
            continue;
        }
        let list = world.state.worklist.as_ref().unwrap();
        assert!(list.queue.is_empty());
        assert_eq!(
            list.open[&id(1)].phase,
            Phase::Preparing,
            "its workspace is made anew"
        );
    }
}

#[test]
fn what_is_known_not_to_hold_where_it_was_moved_is_sent_back_at_once() {
    let mut world = World::new(&["f", "f"], |_| {});
    asking(&mut world, 2);
    world.until(|world| world.commits.len() == 1);
    world.until(|world| matches!(due(&world.state)[0], Effect::Integrate { .. }));
    // The suite is known to fail on what is integrated.
    let tip = crate::step::tip(&world.state);
    let suite = world.state.checks.get_mut(&"suite".into()).unwrap();
    let known = suite.latest.as_mut().unwrap();
    assert_eq!(known.tree, tip.tree);
    known.verdict = crate::check::Verdict::Fail;
    let Fact::CandidateFixed { candidate, .. } = fixed("base+i0", tip.tree.as_str()) else {
        unreachable!("`fixed` makes one")
    };
    let rebased = Fact::Rebased {
        candidate,
        onto: tip.commit,
        onto_tree: tip.tree,
        conflicts: vec![],
        held_by: None,
    };
    world.say(item(1), rebased);
    let list = world.state.worklist.as_ref().unwrap();
    assert_eq!(list.open[&id(1)].phase, Phase::Preparing);
    assert!(list.queue.is_empty());
}
