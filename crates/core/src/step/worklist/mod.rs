//! A worklist's part of the state machine: items are opened, each is a small run of its own, their changes come
//! together one after the other, and none is lost.

mod acts;
mod close;
mod integrate;
mod open;
mod source;
#[cfg(test)]
mod steering_tests;
#[cfg(test)]
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod whole;
#[cfg(test)]
mod whole_tests;

#[cfg(test)]
pub(super) use table::page as table;

pub(super) use acts::{acted, acting, after_delivery, cut};
pub(super) use close::closing_said;
pub(super) use open::{listed, rebaselined, regoal, start};
pub use source::SOURCE_ATTEMPTS_MAX;
pub(super) use source::{failed as source_failed, relisted};
pub use whole::WHOLE_TITLE;
pub(super) use whole::{again as whole_again, fails as whole_fails, nothing_lacks};

use crate::event::{Event, Fact};
use crate::ids::{ItemId, Scope};
use crate::state::{Checkpoint, Phase, State, Why};
use crate::step::{StepError, ending, expect};
use crate::stop::{Blocker, StopReason};
use crate::turn::Help;
use crate::worklist::Worklist;

/// An event of one item.
pub(super) fn apply(state: &mut State, id: &ItemId, event: &Event) -> Result<(), StepError> {
    if super::mends(&event.fact) {
        state.trouble = None;
    }
    match &event.fact {
        Fact::ItemOpened(opened) => {
            let awaited = |list: &Worklist| list.awaits(opened.head.index);
            let fits = state.worklist.as_ref().is_some_and(|l| awaited(l));
            expect(state, event, fits && state.phase == Phase::Working)?;
            open::opened(state, opened);
        }
        // What can never be done for one item can be done for none. What fails for a moment is that item's trouble
        // alone: what the others have under way was paid for, and may have effects.
        Fact::HarnessFailed { fatal: true, .. } => {
            return super::apply(state, &Scope::Run, event);
        }
        _ => of_child(state, id, event)?,
    }
    Ok(())
}

fn of_child(state: &mut State, id: &ItemId, event: &Event) -> Result<(), StepError> {
    let list = state.worklist.as_mut();
    let Some(mut child) = list.and_then(|list| list.open.remove(id)) else {
        return expect(state, event, false);
    };
    child.last_at = event.at;
    let before = (child.spent.clone(), child.denials);
    let phase = child.phase.clone();
    if super::mends(&event.fact) {
        child.trouble = None;
    }
    let done = match &event.fact {
        Fact::Prepared { base, .. } => {
            let fits = phase == Phase::Preparing;
            expect(state, event, fits).map(|()| open::prepared(state, &mut child, base))
        }
        Fact::ClosingExamined { faults } => {
            let fits = phase == Phase::Examining;
            expect(state, event, fits).map(|()| close::examined(&mut child, faults))
        }
        Fact::Rebased {
            candidate,
            onto,
            onto_tree,
            conflicts,
            held_by,
        } => {
            let fits = integrate::is_first(state, id) && phase == Phase::Delivering;
            expect(state, event, fits).map(|()| {
                let tip = crate::worklist::Tip {
                    commit: onto.clone(),
                    tree: onto_tree.clone(),
                    ..Default::default()
                };
                if let Some(item) = &mut child.item {
                    item.held_by.clone_from(held_by);
                }
                integrate::rebased(state, &mut child, candidate, tip, conflicts);
            })
        }
        Fact::Integrated { commit, tree } => {
            let fits = integrate::is_first(state, id) && phase == Phase::Delivering;
            expect(state, event, fits)
                .map(|()| integrate::integrated(state, &mut child, commit, tree))
        }
        _ => super::apply(&mut child, &Scope::Run, event),
    };
    // What the item costs the run pays, whatever becomes of it.
    let (spent, denials) = before;
    state.spent.turns += child.spent.turns - spent.turns;
    state.spent.usage = state
        .spent
        .usage
        .plus(&child.spent.usage.minus(&spent.usage));
    state.spent.usd += child.spent.usd - spent.usd;
    let tokens = child
        .spent
        .usage
        .total()
        .saturating_sub(spent.usage.total());
    let usd = child.spent.usd - spent.usd;
    let dearest = &mut state.spent.dearest_answer;
    dearest.tokens = dearest.tokens.max(tokens);
    dearest.usd = dearest.usd.max(usd);
    state.spent.failed_calls += child.spent.failed_calls - spent.failed_calls;
    state.denials = state.denials.saturating_add(child.denials - denials);
    if matches!(event.fact, Fact::ModelAnswered { .. }) {
        state.told_waiting = false;
    }
    match done {
        Ok(()) => close::settle(state, child, &phase),
        Err(_) => put_back(state, child),
    }
    done
}

/// The child goes on.
fn put_back(state: &mut State, child: Box<State>) {
    let id = child.item.as_ref().map(|item| item.head.id.clone());
    if let (Some(list), Some(id)) = (&mut state.worklist, id) {
        list.open.insert(id, child);
    }
}

/// The list may be finished: then the harness looks at the whole.
pub(super) fn proceed(state: &mut State) {
    let Some(list) = state.worklist.as_deref() else {
        return;
    };
    if state.phase != Phase::Working || !list.finished() || !list.relisted {
        return;
    }
    let unsolved = list.unsolved();
    let refused = unsolved > 0
        && !state
            .goal
            .items
            .as_ref()
            .is_some_and(|items| items.allows(crate::item::Outcome::Unresolved));
    if refused {
        let help = Help {
            question: format!(
                "{unsolved} of {} items could not be solved, and the goal does not allow `unresolved`. What is to become \
                 of them?",
                list.listing.total
            ),
            tried: "What was tried is in the ledger: `overnight items`.".into(),
            unlock: "`overnight answer RUN TEXT` has them tried again with your hint.".into(),
        };
        return ending::stop(state, ending::stop_reason(help, Blocker::NoProgress));
    }
    state.phase = Phase::Checking(Checkpoint {
        why: Why::Worklist,
        fixed: false,
        same_tree: false,
    });
}

/// A person's answer to a list with unsolved items, or to a whole that does not pass: they are tried again.
pub(super) fn again(state: &mut State, hint: &str) {
    // What has been found complete stays so, and what ends for another reason asks nothing.
    let asks = matches!(&state.stop, None | Some(StopReason::Blocked { .. }));
    if !asks {
        return;
    }
    let whole = whole::again(state);
    if let Some(list) = &mut state.worklist {
        let hint = hint.trim();
        let unsolved = std::mem::take(&mut list.unresolved);
        if unsolved.is_empty() && !whole {
            return;
        }
        let left = list.unsolved().saturating_sub(unsolved.len() as u32);
        list.ended.insert(crate::item::Outcome::Unresolved, left);
        list.again.extend(unsolved);
        list.learn(format!("The person says: {hint}"));
    }
}

/// What a person orders holds for every item that is worked on.
pub(super) fn orders(state: &mut State) {
    let orders = state.orders.clone();
    if let Some(list) = &mut state.worklist {
        for child in list.open.values_mut() {
            child.orders = orders.clone();
        }
    }
}
