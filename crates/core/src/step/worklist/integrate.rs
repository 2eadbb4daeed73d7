//! Integration is one serial machine: changes come onto the run's branch one after the other, each verified on the very
//! tree that its commit holds.

use crate::event::Notice;
use crate::ids::{CheckId, CommitId, ItemId, TreeId};
use crate::repo::Candidate;
use crate::state::{Checkpoint, Phase, State, Why};
use crate::step::checkpoint;
use crate::step::worklist::{close, open, put_back};
use crate::worklist::Tip;

/// Whether it is this item's turn to be integrated.
pub(super) fn is_first(state: &State, id: &ItemId) -> bool {
    let list = state.worklist.as_ref();
    list.and_then(|list| list.queue.first()) == Some(id)
}

/// Its change holds: it waits for its turn, or goes on with it.
pub(super) fn enqueue(state: &mut State, child: Box<State>) {
    let id = child.item.as_ref().map(|item| item.head.id.clone());
    if let (Some(list), Some(id)) = (&mut state.worklist, id)
        && !list.queue.contains(&id)
    {
        list.queue.push(id);
    }
    put_back(state, child);
}

/// Takes an item out of the queue.
pub(super) fn leave(state: &mut State, child: &State) {
    if let (Some(list), Some(item)) = (&mut state.worklist, &child.item) {
        list.queue.retain(|queued| *queued != item.head.id);
    }
}

/// Its change was taken onto what the others have integrated: it has to hold there as well.
pub(super) fn rebased(
    state: &mut State,
    child: &mut State,
    candidate: &Candidate,
    tip: Tip,
    conflicts: &[String],
) {
    child.stop = None;
    let tree = tip.tree.clone();
    if let Some(base) = &mut child.base {
        base.commit = tip.commit.clone();
        base.tree = tree.clone();
    }
    if let Some(item) = &mut child.item {
        item.start = tip;
        item.laid = Some(candidate.tree.clone());
        item.moved = true;
    }
    if !conflicts.is_empty() {
        leave(state, child);
        return send_back(child, conflicts.to_vec(), Vec::new());
    }
    open::stand_on(state, child, &tree);
    child.phase = Phase::Checking(Checkpoint {
        why: Why::Claim,
        fixed: false,
        same_tree: false,
    });
    checkpoint::fixed(child, candidate);
}

/// The item's workspace is made anew where the others are, with its change in it.
pub(super) fn send_back(child: &mut State, conflicts: Vec<String>, open: Vec<CheckId>) {
    child.stop = None;
    child.candidate = None;
    child.phase = Phase::Preparing;
    let faults = match conflicts.is_empty() {
        true => open
            .iter()
            .map(|id| format!("{id} does not pass together with what others integrated"))
            .collect(),
        false => vec![format!(
            "it conflicts with what others integrated: {}",
            conflicts.join(", ")
        )],
    };
    close::refused(child, faults);
    if let Some(item) = &mut child.item {
        item.round += 1;
    }
    if let Some(lane) = child.lanes.values_mut().next() {
        lane.calls.clear();
        lane.tell(Notice::SentBack { conflicts, open });
    }
}

/// The commit is made: the item ends, and the next follows it.
pub(super) fn integrated(state: &mut State, child: &mut State, commit: &CommitId, tree: &TreeId) {
    let id = child.item.as_ref().map(|item| item.head.id.clone());
    // What was found on exactly this tree is known of the run's.
    for (id, check) in &child.checks {
        if let (Some(whole), Some(found)) = (state.checks.get_mut(id), &check.latest)
            && found.tree == *tree
            && !crate::state::is_own(id)
        {
            whole.latest = Some(found.clone());
        }
    }
    if let Some(candidate) = &mut state.candidate {
        candidate.current = false;
    }
    if let (Some(list), Some(id)) = (&mut state.worklist, id) {
        list.tip = Some(Tip {
            commit: commit.clone(),
            tree: tree.clone(),
            item: id,
        });
    }
    child.stop = None;
    child.phase = Phase::Ended;
}

/// The commit that the child became.
pub(super) fn ended(state: &mut State, mut child: Box<State>) {
    let tip = state.worklist.as_ref().and_then(|list| list.tip.clone());
    let closing = child.item.as_mut().and_then(|item| item.closing.take());
    match (closing, tip) {
        (Some(closing), Some(tip)) => {
            close::close(
                state,
                child,
                closing.outcome,
                closing.evidence,
                Some(tip.commit),
                None,
            );
        }
        // Neither can be missing here: an item is integrated because it was closed.
        _ => put_back(state, child),
    }
}

/// Taken onto what the others have integrated, nothing of its change is left: they contain it.
pub(super) fn contained(state: &mut State, mut child: Box<State>) {
    let tip = state.worklist.as_ref().and_then(|list| list.tip.clone());
    let held_by = child.item.as_mut().and_then(|item| item.held_by.take());
    let closing = child.item.as_mut().and_then(|item| item.closing.take());
    let (Some(closing), Some(tip)) = (closing, held_by.map(|tip| *tip).or(tip)) else {
        // Neither can be missing here: it was closed, and taken onto what is integrated.
        return put_back(state, child);
    };
    let evidence = format!(
        "{}\nThe same change was made for {}.",
        closing.evidence, tip.item
    );
    let (commit, same_as) = (Some(tip.commit), Some(tip.item));
    close::close(state, child, closing.outcome, evidence, commit, same_as);
}
