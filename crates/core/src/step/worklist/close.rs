//! Items end: each in one outcome that the goal allows, with the evidence that this outcome needs, or the model hears
//! what is wrong with it.

use crate::event::{Notice, Opened, VERSION_WITH_WHOLE};
use crate::ids::{CommitId, ItemId};
use crate::item::{Closed, Closing, Outcome};
use crate::judge::clip;
use crate::state::{Checkpoint, Phase, State, Why};
use crate::step::ending;
use crate::step::worklist::{integrate, put_back, whole};
use crate::stop::{Blocker, StopReason};
use crate::worklist::{TRIED_BYTES_MAX, TRIED_MAX};

/// How many paths of a closed item's change are kept.
const PATHS_MAX: usize = 12;
/// Length of a closed item's evidence, bytes.
const EVIDENCE_BYTES_MAX: usize = 8 * 1024;
/// What is wrong where the model ended its turns without an outcome.
const NOT_CLOSED: &str = "nothing was closed: an item ends with `close_item` only";
/// How many unsolved items are remembered, to be tried again when a person answers.
const UNRESOLVED_MAX: usize = 2_000;

/// The model says how its item ends. Called with the child, when all calls of its turn are over.
pub(in crate::step) fn closing_said(child: &mut State, closing: Closing) {
    let Some(item) = &mut child.item else {
        return;
    };
    let fault = if !item.outcomes.contains(&closing.outcome) {
        Some(format!(
            "`{}` is not among the outcomes that the goal allows",
            closing.outcome.word()
        ))
    } else if closing.outcome.changes()
        && let Some(why) = &item.only_words
    {
        Some(format!("it can no longer end in a change: {why}"))
    } else if closing.evidence.trim().is_empty() {
        Some("it says nothing as evidence".to_owned())
    } else {
        None
    };
    let changes = closing.outcome.changes();
    item.closing = Some(closing.clone());
    if let Some(fault) = fault {
        child.phase = Phase::Working;
        return refused(child, vec![fault]);
    }
    child.progress.claims += 1;
    if let Some(lane) = child.lanes.values_mut().next() {
        lane.last_claim = Some(closing.evidence);
    }
    child.phase = if changes {
        Phase::Checking(Checkpoint {
            why: Why::Claim,
            fixed: false,
            same_tree: false,
        })
    } else {
        Phase::Examining
    };
}

/// The evidence of a closing without a change was looked at. What holds is closed by [`settle`].
pub(super) fn examined(child: &mut State, faults: &[String]) {
    if faults.is_empty() {
        // Until it is settled, in this same step.
        child.phase = Phase::Reporting;
        return;
    }
    child.phase = Phase::Working;
    refused(child, faults.to_vec());
}

/// A closing does not hold: it is told, it is counted, and at some point only words are left.
pub(super) fn refused(child: &mut State, faults: Vec<String>) {
    let turn = child.spent.turns;
    let Some(item) = &mut child.item else {
        return;
    };
    let said = item.closing.take();
    item.attempts = item.attempts.saturating_add(1);
    let what = match &said {
        Some(closing) => format!(
            "turn {turn}, as {}: {}",
            closing.outcome.word(),
            closing.evidence
        ),
        None => format!("turn {turn}, without a closing"),
    };
    let line = format!(
        "{}: {}",
        clip(&what, TRIED_BYTES_MAX / 2),
        faults.join("; ")
    );
    item.tried
        .push(clip(&line.replace('\n', " "), TRIED_BYTES_MAX));
    if item.tried.len() > TRIED_MAX {
        item.tried.remove(0);
    }
    let left = item.attempts_max.saturating_sub(item.attempts);
    let mut notices = vec![Notice::ClosingRefused { faults, left }];
    if left == 0 && item.only_words.is_none() {
        let why = format!("{} closings were refused", item.attempts);
        item.only_words = Some(why.clone());
        notices.push(Notice::OnlyWords { why });
    }
    if let Some(lane) = child.lanes.values_mut().next() {
        notices.into_iter().for_each(|notice| lane.tell(notice));
        lane.since_checkpoint = 0;
    }
}

/// Whether nothing more is to be expected of an item: it can only end in words, and even those were refused, or there
/// are none that the goal allows.
fn spent_up(child: &State) -> bool {
    child.item.as_ref().is_some_and(|item| {
        let words = item.outcomes.iter().any(|outcome| !outcome.changes());
        let last = item.attempts >= item.attempts_max.saturating_mul(2);
        item.only_words.is_some() && (!words || last)
    })
}

/// Whether its change lies on another tree than the one that its workspace was made from.
fn is_moved(child: &State) -> bool {
    child.item.as_ref().is_some_and(|item| item.moved)
}

/// Whether the harness looked because the item takes long, and nobody said anything of it.
fn looked_in(before: &Phase) -> bool {
    matches!(before, Phase::Checking(checkpoint) if checkpoint.why == Why::Routine)
}

/// What the child's last event means for the run. `before` is the phase that it was in.
pub(super) fn settle(state: &mut State, mut child: Box<State>, before: &Phase) {
    // A change that was moved may be known not to hold there at once.
    let looked_at = matches!(before, Phase::Checking(_) | Phase::Delivering);
    let checked = looked_at && child.phase == Phase::Working;
    match child.stop.take() {
        Some(StopReason::Complete(proof)) => {
            let unchanged = child
                .base
                .as_ref()
                .is_some_and(|base| base.tree == *proof.tree());
            if whole::nothing_lacks(&child, &proof) {
                return whole::passes(state, child);
            }
            if unchanged && is_moved(&child) {
                // What the others have integrated meanwhile contains it.
                return integrate::contained(state, child);
            }
            if unchanged {
                child.phase = Phase::Working;
                refused(
                    &mut child,
                    vec!["nothing has changed, so nothing is fixed".into()],
                );
                return on(state, child);
            }
            child.stop = Some(StopReason::Complete(proof));
            child.phase = Phase::Delivering;
            integrate::enqueue(state, child);
        }
        Some(StopReason::Blocked {
            help,
            by: Blocker::Model | Blocker::NoProgress,
        }) => {
            give_up(state, child, &help.question);
        }
        Some(StopReason::Unverifiable { checks }) => {
            let why = StopReason::Unverifiable { checks }.sentence();
            give_up(state, child, &why);
        }
        // Nobody can go on: the item is where it was when the run is resumed.
        Some(reason) => {
            child.phase = before.clone();
            put_back(state, child);
            ending::stop(state, reason);
        }
        None if checked => {
            let open: Vec<_> = child.open_checks().map(|(id, _)| id.clone()).collect();
            integrate::leave(state, &child);
            if is_moved(&child) {
                integrate::send_back(&mut child, Vec::new(), open);
                return on(state, child);
            }
            // A look at an item in the middle of its work is no closing that is refused.
            if looked_in(before) && child.version >= VERSION_WITH_WHOLE {
                return on(state, child);
            }
            let faults =
                open.iter().map(
                    |id| match child.checks.get(id).and_then(|c| c.latest.as_ref()) {
                        Some(found) => format!("{id}: {}", found.reason),
                        None => id.to_string(),
                    },
                );
            let mut faults: Vec<String> = faults.collect();
            if child.item.as_ref().is_some_and(|i| i.closing.is_none()) {
                faults.insert(0, NOT_CLOSED.to_owned());
            }
            refused(&mut child, faults);
            on(state, child);
        }
        None if child.phase == Phase::Reporting => {
            let closing = child.item.as_mut().and_then(|item| item.closing.take());
            match closing {
                Some(closing) => close(state, child, closing.outcome, closing.evidence, None, None),
                None => put_back(state, child),
            }
        }
        None if child.phase == Phase::Ended => integrate::ended(state, child),
        None => on(state, child),
    }
}

/// The item goes on, unless nothing more is to be expected of it.
fn on(state: &mut State, child: Box<State>) {
    if spent_up(&child) {
        let why = child.item.as_ref().and_then(|item| item.only_words.clone());
        return give_up(state, child, &why.unwrap_or_default());
    }
    put_back(state, child);
}

/// Nobody could solve it.
fn give_up(state: &mut State, child: Box<State>, why: &str) {
    let mut evidence = why.to_owned();
    for tried in child.item.iter().flat_map(|item| &item.tried) {
        evidence.push_str("\n- ");
        evidence.push_str(tried);
    }
    close(state, child, Outcome::Unresolved, evidence, None, None);
}

/// An item that is worked on ends.
pub(super) fn close(
    state: &mut State,
    child: Box<State>,
    outcome: Outcome,
    evidence: String,
    commit: Option<CommitId>,
    same_as: Option<ItemId>,
) {
    let Some(item) = child.item.as_deref() else {
        return;
    };
    let changed = child
        .candidate
        .iter()
        .flat_map(|candidate| &candidate.changes);
    let paths = changed.take(PATHS_MAX).map(|changed| changed.path.clone());
    let closed = Closed {
        head: item.head.clone(),
        outcome,
        evidence: clip(&evidence, EVIDENCE_BYTES_MAX),
        paths: match outcome.changes() {
            true => paths.collect(),
            false => Vec::new(),
        },
        commit,
        same_as,
        attempts: item.attempts,
        turns: child.spent.turns,
        usage: child.spent.usage,
        at: state.last_at,
    };
    ended(state, closed, item.fingerprint.as_deref());
}

/// An item ends without having been worked on.
pub(super) fn without_work(
    state: &mut State,
    opened: &Opened,
    outcome: Outcome,
    evidence: String,
    same: Option<(ItemId, Option<CommitId>)>,
) {
    let (same_as, commit) = same.unzip();
    let closed = Closed {
        head: opened.head.clone(),
        outcome,
        evidence,
        commit: commit.flatten(),
        same_as,
        attempts: 0,
        turns: 0,
        usage: Default::default(),
        paths: Vec::new(),
        at: state.last_at,
    };
    ended(state, closed, None);
}

fn ended(state: &mut State, closed: Closed, fingerprint: Option<&str>) {
    if closed.head.is_whole() {
        return whole::ended(state, closed);
    }
    let acts = state
        .goal
        .items
        .as_ref()
        .and_then(|items| items.on.get(&closed.outcome));
    let acts = acts.map_or(0, |verbs| verbs.len() as u32);
    let now = state.last_at;
    let Some(list) = &mut state.worklist else {
        return;
    };
    let id = &closed.head.id;
    list.queue.retain(|queued| queued != id);
    *list.ended.entry(closed.outcome).or_default() += 1;
    list.acts = list.acts.saturating_add(acts);
    if let Some(print) = fingerprint
        && let Some(cause) = list.causes.get_mut(print).filter(|cause| cause.item == *id)
    {
        if closed.outcome == Outcome::Unresolved {
            // The next that has it is worked on afresh.
            list.causes.remove(print);
        } else {
            cause.outcome = Some(closed.outcome);
            cause.commit = closed.commit.clone();
        }
    }
    if let Some(held) = list.held.remove(id) {
        list.again.extend(held);
    }
    if closed.outcome == Outcome::Unresolved && list.unresolved.len() < UNRESOLVED_MAX {
        list.unresolved.push(closed.head.index);
    }
    if closed.same_as.is_none() {
        let said = closed.evidence.lines().next().unwrap_or_default();
        list.learn(format!(
            "{} ({}): {said}",
            closed.head.title,
            closed.outcome.word()
        ));
    }
    list.just_closed.push(closed);
    state.progress.without = 0;
    state.progress.spreading = 0;
    state.progress.last_at = Some(now);
}
