//! What must be true of a worklist when its run has ended, held against the journal and the world.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::event::{Event, Fact};
use overnight_core::ids::ItemId;
use overnight_core::item::{Closed, Outcome};
use overnight_core::state::State;
use overnight_core::step::{begin, step};
use overnight_core::stop::StopReason;

use crate::night::plan::Plan;
use crate::night::things::CITES;
use crate::night::world::Inner;

/// Everything that ended, in order: an item more than once only if a person had it tried again.
fn ends(events: &[Event]) -> Vec<Closed> {
    let mut closed = Vec::new();
    let Some(Ok(mut state)) = events.first().map(begin) else {
        return closed;
    };
    for event in &events[1..] {
        match step(state, event) {
            Ok((next, _)) => state = next,
            Err(_) => return closed,
        }
        closed.extend(
            state
                .worklist
                .iter()
                .flat_map(|list| list.just_closed.clone()),
        );
    }
    closed
}

/// Holds the laws of worklists against the end of a run.
pub(super) fn judge(world: &mut Inner, plan: &Plan, state: &State, events: &[Event]) {
    let (Some(list), Some(items)) = (state.worklist.as_deref(), &state.goal.items) else {
        return;
    };
    let ends = ends(events);
    let mut last: BTreeMap<u32, &Closed> = BTreeMap::new();
    for closed in &ends {
        if !closed.head.is_whole()
            && let Some(before) = last.insert(closed.head.index, closed)
            && before.outcome != Outcome::Unresolved
        {
            let what = format!("{} after {before:?}", closed.head.id);
            world.breaks("an item ends once", what);
        }
        let own = closed.same_as.is_none() && closed.commit.is_some();
        // What turns out to lack nothing is no change.
        if closed.outcome.changes() && closed.commit.is_none() && !closed.head.is_whole() {
            let what = closed.head.id.to_string();
            world.breaks("what is fixed is a commit", what);
        }
        if own && closed.outcome.changes() && closed.evidence.is_empty() {
            world.breaks("a fix says what it is", closed.head.id.to_string());
        }
        let cited = closed.evidence.contains(CITES) || closed.same_as.is_some();
        if closed.outcome == Outcome::Diagnosed && !cited {
            let what = closed.evidence.clone();
            world.breaks("a diagnosis cites what is there", what);
        }
    }
    // Those that a person had tried again, and that have not ended again.
    let again = |closed: &&&Closed| {
        let at = closed.head.index;
        list.open.contains_key(&closed.head.id)
            || list.again.contains(&at)
            || list.held.values().flatten().any(|held| *held == at)
    };
    let closed = last.len() - last.values().filter(again).count();
    if closed != list.closed() as usize {
        let what = format!("{closed} ended, {} are counted", list.closed());
        world.breaks("the ledger counts every item once", what);
    }
    chain(world, state, &ends);
    acts(world, events);
    if !matches!(state.stop, Some(StopReason::Complete(_))) {
        return;
    }
    let names: BTreeSet<&ItemId> = last.values().map(|closed| &closed.head.id).collect();
    if names.len() != list.listing.total as usize || !list.open.is_empty() {
        let what = format!("{} of {} ended", names.len(), list.listing.total);
        world.breaks("complete means that every item has ended", what);
    }
    // What a source says is gone needs nobody's leave to be left.
    let bad = last.values().find(|closed| {
        let gone = plan
            .backlog
            .as_ref()
            .and_then(|list| list.thing(&closed.head.id))
            .is_some_and(|thing| thing.gone);
        !items.allows(closed.outcome) && !gone
    });
    if let Some(closed) = bad {
        let what = format!("{} ended as {}", closed.head.id, closed.outcome.word());
        world.breaks("complete means in outcomes that the goal allows", what);
    }
    // A person may stop a run that is ending; then no further act is begun.
    if list.acted != list.acts && !list.cut {
        let what = format!("{} of {} acts", list.acted, list.acts);
        world.breaks("complete means that the source was told", what);
    }
}

/// The branch's commits are those of the items that were fixed, each with its own, down to the base.
fn chain(world: &mut Inner, state: &State, ends: &[Closed]) {
    let Some(list) = state.worklist.as_deref() else {
        return;
    };
    let mut on_branch = BTreeSet::new();
    let mut at = list.tip.as_ref().map(|tip| tip.commit.clone());
    while let Some(commit) = at {
        let parent = world.commits.get(&commit).map(|(parent, _)| parent.clone());
        on_branch.insert(commit);
        at = parent.filter(|parent| parent.as_str() != "base");
    }
    let own = ends.iter().filter(|closed| closed.same_as.is_none());
    let own: Vec<_> = own.filter_map(|closed| closed.commit.clone()).collect();
    let distinct: BTreeSet<_> = own.iter().cloned().collect();
    if distinct.len() != own.len() || distinct != on_branch {
        let what = format!("{own:?} were made, and {on_branch:?} are there");
        world.breaks("every fix has one commit, and every commit is a fix", what);
    }
    let strange = ends
        .iter()
        .filter_map(|closed| closed.commit.as_ref())
        .find(|commit| !on_branch.contains(*commit));
    if let Some(commit) = strange {
        world.breaks("what is named is on the branch", commit.to_string());
    }
}

/// What the journal says was done to items was done, once.
fn acts(world: &mut Inner, events: &[Event]) {
    let mut keys = BTreeMap::new();
    let mut meant = BTreeSet::new();
    let mut stopped = false;
    for event in events {
        match &event.fact {
            Fact::StopRequested => stopped = true,
            Fact::Resumed => stopped = false,
            Fact::Acting { number, key, .. } => {
                if stopped {
                    world.breaks(
                        "no act is begun once a person has stopped the run",
                        key.clone(),
                    );
                }
                keys.insert(*number, key.clone());
                if !meant.insert(key.clone()) {
                    world.breaks("every act has a key of its own", key.clone());
                }
            }
            Fact::Acted {
                number,
                receipt: Some(_),
                ..
            } => {
                let done = keys.get(number).and_then(|key| world.tracker.acts.get(key));
                if done != Some(&1) {
                    let what = format!("act {number} was done {done:?} times");
                    world.breaks("what is told to be done was done", what);
                }
            }
            _ => {}
        }
    }
    let unknown = world
        .tracker
        .acts
        .keys()
        .find(|key| !meant.contains(*key))
        .cloned();
    if let Some(key) = unknown {
        world.breaks("an act is durable before it is performed", key);
    }
}

/// Where nothing hinders them, eager models end every item in exactly the turns that it needs.
pub(super) fn in_exactly_its_turns(plan: &Plan) -> Option<u64> {
    let list = plan.backlog.as_ref()?;
    let wants = list.things[..list.at_first].iter().chain(&list.page);
    Some(wants.map(|thing| thing.wants.len() as u64 + 1).sum())
}
