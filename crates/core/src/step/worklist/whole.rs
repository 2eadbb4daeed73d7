//! The whole: every item is closed, and the run's own checks do not all pass. What is missing is worked on like an item,
//! once: in a workspace of what is integrated, until those checks hold on it as well.

use crate::event::{Opened, VERSION_WITH_WHOLE};
use crate::goal::{Goal, Keep};
use crate::ids::CheckId;
use crate::item::{Closed, Outcome};
use crate::state::{Found, Phase, State, is_own};
use crate::step::ending;
use crate::step::worklist::{close, open};
use crate::stop::{Blocker, Completion, StopReason};
use crate::turn::Help;
use crate::worklist::Whole;

/// The title of that piece of work.
pub const WHOLE_TITLE: &str = "What the whole still lacks";

/// The whole does not pass although every item is closed. It is worked on, or a person has to say what is to be done.
/// `beyond`: no change could make what is open pass.
pub(in crate::step) fn fails(state: &mut State, beyond: bool) {
    let known = state.version >= VERSION_WITH_WHOLE;
    // A goal whose items end in words only wants nothing changed.
    let items = state.goal.items.as_ref();
    let may_change = items.is_some_and(|items| items.allowed().any(Outcome::changes));
    if let Some(list) = &mut state.worklist
        && known
        && may_change
        && !beyond
        && list.whole == Whole::Untouched
    {
        list.whole = Whole::Due;
        state.phase = Phase::Working;
        return;
    }
    let stop = asks(state, &[]);
    ending::stop(state, stop);
}

/// Only a person can say what is to be done.
fn asks(state: &State, tried: &[&str]) -> StopReason {
    let open = state
        .open_checks()
        .filter_map(|(id, check)| check.latest.as_ref().map(|l| format!("{id}: {}", l.reason)));
    let lines: Vec<String> = tried.iter().map(ToString::to_string).chain(open).collect();
    let unlock = match state.version >= VERSION_WITH_WHOLE {
        true => {
            "A hint (`overnight answer RUN TEXT`) or a corrected check (`overnight edit`) has it tried again."
        }
        false => {
            "Look at the branch; a corrected check (`overnight edit`) or a new run with a goal of its own."
        }
    };
    let help = Help {
        question:
            "Every item is closed, and the whole does not pass its checks. What is to be done?"
                .into(),
        tried: lines.join("; "),
        unlock: unlock.into(),
    };
    ending::stop_reason(help, Blocker::NoProgress)
}

/// The machine that works on it.
pub(super) fn child(state: &State, opened: &Opened) -> State {
    let mut child = open::child(state, opened, goal_of(&state.goal));
    if let Some(item) = &mut child.item {
        item.outcomes.retain(|outcome| outcome.changes());
    }
    child
}

/// Whether a machine is the one that works on it.
pub(super) fn is_of(child: &State) -> bool {
    child.item.as_ref().is_some_and(|item| item.head.is_whole())
}

/// What it is held against: as the run is, its base, whatever the items made of it.
pub(super) fn on_base(state: &State, id: &CheckId) -> Option<Found> {
    state.checks.get(id).and_then(|check| check.base.clone())
}

/// The run's contract was edited: what the whole has to hold are its checks now.
pub(super) fn regoal(child: &mut State, goal: &Goal) {
    child.goal = goal_of(goal);
    let own = child.order.iter().filter(|id| is_own(id)).cloned();
    let wanted = child.goal.checks().map(|check| check.id.clone());
    child.order = wanted.chain(own.collect::<Vec<_>>()).collect();
    child.checks.retain(|id, _| child.order.contains(id));
    for check in child.goal.checks() {
        let known = child.checks.entry(check.id.clone());
        known.or_insert_with(|| open::untold(check.role));
    }
}

/// Its contract: the run's own checks besides those of every item.
pub(super) fn goal_of(goal: &Goal) -> Goal {
    let each = open::goal_of(goal, WHOLE_TITLE);
    let own = |id: &CheckId| goal.keep.checks.iter().any(|check| check.id == *id);
    let of_items = each.keep.checks.iter().filter(|check| !own(&check.id));
    Goal {
        done: goal.done.clone(),
        keep: Keep {
            checks: goal.keep.checks.iter().chain(of_items).cloned().collect(),
            ..each.keep.clone()
        },
        ..each
    }
}

/// Whether it turns out that nothing lacks: what was integrated passes as it is.
pub(in crate::step) fn nothing_lacks(child: &State, proof: &Completion) -> bool {
    let base = child.base.as_ref();
    is_of(child) && base.is_some_and(|base| base.tree == *proof.tree())
}

/// It passes as it is, so nothing was to be done: what was found is known of the run's.
pub(super) fn passes(state: &mut State, child: Box<State>) {
    for (id, check) in &child.checks {
        if let Some(whole) = state.checks.get_mut(id).filter(|_| !is_own(id)) {
            whole.latest = check.latest.clone();
        }
    }
    let evidence = "What was integrated passes as it is.".to_owned();
    let outcome = child.item.iter().flat_map(|item| &item.outcomes).next();
    let outcome = outcome.copied().unwrap_or(Outcome::Done);
    close::close(state, child, outcome, evidence, None, None);
}

/// Its work is over: the harness looks at the whole once more, or a person is asked.
pub(super) fn ended(state: &mut State, closed: Closed) {
    let Some(list) = &mut state.worklist else {
        return;
    };
    list.whole = Whole::Over;
    list.queue.retain(|queued| *queued != closed.head.id);
    let given_up = closed.outcome == Outcome::Unresolved;
    let evidence = closed.evidence.clone();
    list.just_closed.push(closed);
    if given_up {
        let tried: Vec<&str> = evidence.lines().collect();
        let stop = asks(state, &tried);
        ending::stop(state, stop);
    }
}

/// A person has said something that may help: it may be tried again. Whether it was tried before.
pub(in crate::step) fn again(state: &mut State) -> bool {
    match &mut state.worklist {
        Some(list) if list.whole == Whole::Over => {
            list.whole = Whole::Untouched;
            true
        }
        _ => false,
    }
}
