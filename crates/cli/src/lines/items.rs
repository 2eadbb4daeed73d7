//! Events of worklists and of their items as lines. What happens to an item stands behind its id.

use overnight_core::event::{Event, Fact, Opened};
use overnight_core::ids::{CommitId, ItemId};
use overnight_core::item::{Closed, ItemHead, Listing};
use overnight_core::judge::clip;
use overnight_core::report::ledger::doing;
use overnight_core::state::State;

use super::{clean, facts};
use crate::clock::length;

/// Length of an item's id in a line, bytes.
const ID_BYTES_MAX: usize = 48;
/// How many items at work a text names.
const AT_WORK_MAX: usize = 16;
/// How many of a list's notes are told.
const NOTES_MAX: usize = 8;
/// How many characters of a list's hash are told.
const HASH_CHARS: usize = 10;

/// An item's id as a line shows it.
pub fn name(id: &ItemId) -> String {
    clip(&clean(id.as_str()), ID_BYTES_MAX)
}

/// What happened to an item.
pub fn of_item(event: &Event, id: &ItemId, state: &State) -> Vec<String> {
    let list = state.worklist.as_deref();
    let text = match (&event.fact, list.and_then(|list| list.open.get(id))) {
        (Fact::ItemOpened(item), _) => opened(item, state),
        // The line about the base is the run's.
        (Fact::Prepared { .. }, Some(child)) => {
            match child.item.as_ref().map_or(1, |item| item.round) {
                0 | 1 => Vec::new(),
                round => vec![format!("its workspace is made anew, round {round}")],
            }
        }
        (Fact::HarnessFailed { .. }, _) => return facts(event, state),
        (_, Some(child)) => facts(event, child),
        // It has ended with this event: that is told by itself.
        (_, None) => Vec::new(),
    };
    let id = name(id);
    text.into_iter()
        .map(|line| format!("[{id}] {line}"))
        .collect()
}

fn opened(item: &Opened, state: &State) -> Vec<String> {
    let Some(list) = state.worklist.as_deref() else {
        return Vec::new();
    };
    let waits_for = list
        .held
        .iter()
        .find(|(_, held)| held.contains(&item.head.index));
    match waits_for {
        Some((other, _)) => vec![format!(
            "has the same root cause as {}, and waits for it",
            name(other)
        )],
        None if item.head.is_whole() => {
            vec![
                "every item is closed, and the whole does not pass its checks: that is worked on"
                    .into(),
            ]
        }
        None if list.open.contains_key(&item.head.id) => vec![format!(
            "item {} of {}: {}",
            item.head.index + 1,
            list.listing.total,
            clean(&item.head.title)
        )],
        None => Vec::new(),
    }
}

/// The items that ended with the last event.
pub fn ended(state: &State) -> Vec<String> {
    let list = state.worklist.as_deref();
    let closed = list.map_or(0, |list| list.closed());
    let of = |item: &Closed| {
        let commit = item
            .commit
            .as_ref()
            .map_or_else(String::new, |c| format!(" in {}", c.short()));
        let with = item
            .same_as
            .as_ref()
            .map_or_else(String::new, |other| format!(" with {}", name(other)));
        let total = list.map_or(0, |list| list.listing.total);
        let sign = if item.outcome == overnight_core::item::Outcome::Unresolved {
            '✗'
        } else {
            '✓'
        };
        let count = match item.head.is_whole() {
            true => String::new(),
            false => format!(", {closed} of {total} closed"),
        };
        format!(
            "[{}] {sign} {}{with}{commit}{count}: {}",
            name(&item.head.id),
            item.outcome.word(),
            clean(item.evidence.lines().next().unwrap_or_default())
        )
    };
    list.iter()
        .flat_map(|list| &list.just_closed)
        .map(of)
        .collect()
}

/// The list is frozen.
pub fn listed(listing: &Listing, source: &str) -> Vec<String> {
    let hash: String = listing.hash.as_str().chars().take(HASH_CHARS).collect();
    let mut text = vec![format!(
        "worklist: {} items from {} · frozen as {hash}",
        listing.total,
        clean(source)
    )];
    let notes = listing.notes.iter().take(NOTES_MAX);
    text.extend(notes.map(|note| format!("note: {}", clean(note))));
    text
}

/// The source could not do what it was asked.
pub fn source_failed(message: &str, at: u64, state: &State) -> Vec<String> {
    let wait = state.worklist.as_ref().and_then(|list| list.wait.as_ref());
    let until = wait.map_or_else(String::new, |wait| {
        format!(" · waits {}", length(wait.until.saturating_sub(at)))
    });
    vec![format!("source: {}{until}", clean(message))]
}

/// A change was taken onto what others have integrated.
pub fn rebased(onto: &CommitId, conflicts: &[String]) -> Vec<String> {
    let onto = onto.short();
    vec![if conflicts.is_empty() {
        format!("taken onto {onto}; the harness checks it there")
    } else {
        format!("✗ conflicts with {onto}: {}", clean(&conflicts.join(", ")))
    }]
}

/// What an item that is sent back is told.
pub fn sent_back(conflicts: &[String], open: &str) -> String {
    if conflicts.is_empty() {
        format!("✗ sent back, together with what others integrated: {open}")
    } else {
        format!(
            "✗ sent back, it conflicts in {}",
            clean(&conflicts.join(", "))
        )
    }
}

/// The list was read once more.
pub fn relisted(newcomers: &[ItemHead], total: u32, state: &State) -> Vec<String> {
    if total == 0 {
        return Vec::new();
    }
    let left = state
        .worklist
        .as_ref()
        .is_some_and(|list| list.newcomers > 0);
    let first = newcomers.first().map_or_else(String::new, |item| {
        format!(", the first: {}", clean(&item.title))
    });
    let what = if left {
        "are not worked on"
    } else {
        "are worked on as well"
    };
    vec![format!(
        "{total} items appeared meanwhile and {what}{first}"
    )]
}

/// What came of an act.
pub fn acted(number: u32, receipt: Option<&str>, already: bool, error: Option<&str>) -> String {
    match (error, receipt) {
        (Some(error), _) => format!("✗ act {number} could not be performed: {}", clean(error)),
        (None, Some(receipt)) if already => {
            format!("act {number} had been performed before: {}", clean(receipt))
        }
        (None, Some(receipt)) => format!("act {number} performed: {}", clean(receipt)),
        (None, None) => format!("✗ act {number} was not performed"),
    }
}

/// Where a worklist stands, in lines: how many ended how, and what those at work are doing.
pub fn worklist(state: &State) -> Vec<String> {
    let Some(list) = state.worklist.as_deref() else {
        return Vec::new();
    };
    if list.listing.hash.as_str().is_empty() {
        return Vec::new();
    }
    let mut text = vec![format!(
        "items: {} of {} closed{}",
        list.closed(),
        list.listing.total,
        counts(state)
    )];
    for (id, child) in list.open.iter().take(AT_WORK_MAX) {
        let first = list.queue.first() == Some(id);
        let running = child.lanes.values().find_map(|lane| {
            let running = |c: &&overnight_core::state::CallState| {
                c.progress == overnight_core::state::CallProgress::Running
            };
            lane.calls.iter().find(running)
        });
        let call = running.map_or_else(String::new, |call| format!(": {}", clean(&call.head.line)));
        text.push(format!(
            "  [{}] {}, {}{call} — {}",
            name(id),
            doing(child, first),
            match child.spent.turns {
                1 => "1 turn".to_owned(),
                turns => format!("{turns} turns"),
            },
            clean(&child.goal.outcome)
        ));
    }
    if list.acts > 0 {
        text.push(format!(
            "acts at the source: {} of {} over",
            list.acted, list.acts
        ));
    }
    if list.newcomers > 0 {
        text.push(format!(
            "{} items appeared meanwhile and are not worked on",
            list.newcomers
        ));
    }
    text
}

/// ` · fixed 5 · diagnosed 3 · 2 at work`
fn counts(state: &State) -> String {
    let Some(list) = state.worklist.as_deref() else {
        return String::new();
    };
    let mut text = String::new();
    for (outcome, count) in list.ended.iter().filter(|(_, count)| **count > 0) {
        text.push_str(&format!(" · {} {count}", outcome.word()));
    }
    let held: usize = list.held.values().map(Vec::len).sum();
    for (count, what) in [(list.open.len(), "at work"), (held, "held")] {
        if count > 0 {
            text.push_str(&format!(" · {count} {what}"));
        }
    }
    text
}
