//! What the whole of a worklist lacks, once every item is closed.

use crate::check::Target;
use crate::effect::{Effect, due, to_verify};
use crate::event::{Fact, VERSION_WITH_WHOLE};
use crate::goal::change;
use crate::ids::{BlobId, ItemId, Scope};
use crate::item::{Outcome, Verb, WHOLE_ID};
use crate::state::{Phase, is_own};
use crate::step::worklist::tests::{World, report};
use crate::stop::StopReason;
use crate::worklist::Whole;

/// The commits that were made, each of which item.
fn made(world: &World) -> Vec<String> {
    let made = world.closed.iter();
    made.filter_map(|closed| Some(format!("{} {}", closed.head.id, closed.commit.as_ref()?.0)))
        .collect()
}

#[test]
fn what_the_whole_lacks_is_worked_on_once_every_item_is_closed() {
    let mut world = World::lacking(&["f", "d", "f"], "nf", |_| {});
    world.straight();
    assert_eq!(world.state.status(), "complete");
    assert_eq!(made(&world), ["i0 c1", "i2 c2", "the-whole c3"]);
    let list = world.state.worklist.as_ref().unwrap();
    assert_eq!((list.closed(), list.listing.total), (3, 3), "it is no item");
    let tree = &world.state.candidate.as_ref().unwrap().tree;
    assert_eq!(tree.as_str(), "base+i0+i2+the-whole");
    let whole = world.closed.last().unwrap();
    assert_eq!(whole.outcome, Outcome::Fixed);
    assert_eq!(whole.attempts, 1, "nothing had changed at first");
}

#[test]
fn what_is_done_for_the_whole_may_break_no_item() {
    let mut world = World::lacking(&["f"], "b", |_| {});
    world.straight();
    assert_eq!(world.state.status(), "blocked");
    assert_eq!(made(&world), ["i0 c1"]);
    let Some(StopReason::Blocked { help, .. }) = &world.state.stop else {
        panic!("it asks")
    };
    assert!(
        help.question.starts_with("Every item is closed"),
        "{help:?}"
    );
    assert!(help.tried.contains("as fixed"), "{help:?}");
    // Asked anew, it is looked at and worked on anew.
    world.whole = "f";
    world.say(
        Scope::Run,
        Fact::Answered {
            text: "Only the page is missing.".into(),
        },
    );
    world.straight();
    assert_eq!(world.state.status(), "complete");
    assert_eq!(made(&world), ["i0 c1", "the-whole c2"]);
}

#[test]
fn where_items_end_in_words_only_nothing_is_changed_for_the_whole() {
    let mut world = World::lacking(&["d"], "f", |goal| {
        goal.items.as_mut().unwrap().outcomes = vec!["diagnosed".into()];
    });
    world.straight();
    assert_eq!(world.state.status(), "blocked");
    assert!(made(&world).is_empty());
}

#[test]
fn nothing_is_done_at_a_source_for_the_whole() {
    let mut world = World::lacking(&["f"], "f", |goal| {
        let items = goal.items.as_mut().unwrap();
        items.on.insert(Outcome::Fixed, vec![Verb::Comment]);
    });
    world.straight();
    assert_eq!(world.state.status(), "complete");
    assert_eq!(world.acts, [1]);
}

#[test]
fn the_whole_follows_an_edit_of_the_contract() {
    let mut world = World::lacking(&["f"], "tttt", |_| {});
    let whole = ItemId::from(WHOLE_ID);
    let open = |world: &World| {
        let list = world.state.worklist.as_ref().unwrap();
        list.open.get(&whole).cloned()
    };
    world.until(|world| world.state.worklist.is_some() && open(world).is_some());
    world.until(|world| open(world).is_some_and(|child| child.spent.turns == 1));
    assert!(open(&world).unwrap().checks.contains_key(&"docs".into()));
    let mut goal = world.state.goal.clone();
    let was = goal.clone();
    goal.done.clear();
    let changes = change::between(&was, &goal);
    let edited = Fact::GoalEdited {
        goal: Box::new(goal),
        goal_file: BlobId::from("other"),
        changes,
    };
    world.say(Scope::Run, edited);
    assert!(!open(&world).unwrap().checks.contains_key(&"docs".into()));
}

#[test]
fn what_no_change_can_make_pass_is_for_a_person_to_say() {
    let mut world = World::lacking(&["f"], "f", |_| {});
    world.until(|world| {
        matches!(&world.state.phase, Phase::Checking(c) if c.fixed) && world.commits.len() == 1
    });
    let tree = world.state.candidate.as_ref().unwrap().tree.clone();
    while matches!(world.state.phase, Phase::Checking(_)) {
        let check = to_verify(&world.state).remove(0);
        let own = is_own(&check);
        let mut told = report(check.as_str(), Target::Candidate(tree.clone()), own);
        if let Fact::CheckReported { report } = &mut told
            && !own
        {
            report.verdict = crate::check::Verdict::CannotTell;
            report.obstacle = Some(crate::check::Obstacle::Harness {
                detail: "no disk".into(),
            });
        }
        world.say(Scope::Run, told);
    }
    world.straight();
    assert_eq!(world.state.status(), "blocked");
    assert_eq!(world.closed.len(), 1, "no model was asked");
}

#[test]
fn a_whole_that_turns_out_to_lack_nothing_needs_no_change() {
    let mut world = World::lacking(&["f"], "t", |_| {});
    let opened = |world: &World| {
        let list = world.state.worklist.as_ref();
        list.is_some_and(|list| list.whole == Whole::Open)
    };
    world.until(opened);
    // The check failed once, and passes whenever it is looked at again.
    world.whole = "";
    world.straight();
    assert_eq!(world.state.status(), "complete");
    assert_eq!(made(&world), ["i0 c1"]);
}

#[test]
fn what_the_harness_itself_finds_wrong_with_the_whole_is_for_a_person_to_say() {
    let mut world = World::new(&["f"], |_| {});
    world.until(|world| {
        matches!(&world.state.phase, Phase::Checking(c) if c.fixed) && world.commits.len() == 1
    });
    let tree = world.state.candidate.as_ref().unwrap().tree.clone();
    while matches!(world.state.phase, Phase::Checking(_)) {
        let check = to_verify(&world.state).remove(0);
        assert!(is_own(&check), "the others are known");
        let told = report(check.as_str(), Target::Candidate(tree.clone()), false);
        world.say(Scope::Run, told);
    }
    world.straight();
    assert_eq!(world.state.status(), "blocked");
    assert_eq!(world.closed.len(), 1, "no model was asked");
}

#[test]
fn a_whole_that_fails_in_an_older_run_is_looked_at_again_when_a_person_answers_and_no_model_is_asked()
 {
    let mut world = World::new(&["f"], |_| {});
    world.state.version = VERSION_WITH_WHOLE - 1;
    for answered in 0..3 {
        world.until(|world| {
            matches!(&world.state.phase, Phase::Checking(c) if c.fixed) && world.commits.len() == 1
        });
        let tree = world.state.candidate.as_ref().unwrap().tree.clone();
        while matches!(world.state.phase, Phase::Checking(_)) {
            let check = to_verify(&world.state).remove(0);
            let failed = report(check.as_str(), Target::Candidate(tree.clone()), false);
            world.say(Scope::Run, failed);
        }
        world.straight();
        assert_eq!(world.state.status(), "blocked", "after {answered} answers");
        world.say(
            Scope::Run,
            Fact::Answered {
                text: "Now?".into(),
            },
        );
        assert_eq!(due(&world.state), [Effect::FixCandidate]);
    }
    world.straight();
    assert_eq!(world.state.status(), "complete");
    assert_eq!(world.closed.len(), 1);
}
