//! What a new process does with the run of one that died.

use crate::event::{Event, Fact, Interrupted};
use crate::ids::{Scope, UnixMs};
use crate::notification;
use crate::state::{CallProgress, State};
use crate::turn::CallResult;

/// What the model is told of a call whose effect nobody knows.
const INTERRUPTED: &str = "Interrupted: the harness was restarted while this call was under way, and it may have \
reached the network. Its effect is unknown. Look before you repeat it.";

/// The events that a new process begins with. An unfinished call that had no network is run again from its
/// snapshot; any other is reported to the model as interrupted with unknown effect, never silently repeated.
pub fn recover(state: &State, now: UnixMs) -> Vec<Event> {
    let untold = notification::lost(state, now);
    if state.ended() {
        return untold;
    }
    let again = state.goal.uses.network.is_empty();
    let of_items = state
        .worklist
        .iter()
        .flat_map(|list| &list.open)
        .flat_map(|(id, child)| {
            let lanes = child.lanes.values();
            lanes.map(|lane| (Scope::Item(id.clone()), lane))
        });
    let interrupted: Vec<Interrupted> = state
        .lanes
        .iter()
        .map(|(scope, lane)| (scope.clone(), lane))
        .chain(of_items)
        .flat_map(|(scope, lane)| {
            let running = lane
                .calls
                .iter()
                .enumerate()
                .filter(|(_, c)| c.progress == CallProgress::Running);
            running.map(move |(index, _)| Interrupted {
                scope: scope.clone(),
                turn: lane.turn,
                index,
                again,
            })
        })
        .collect();
    let lost = interrupted
        .iter()
        .filter(|call| !call.again)
        .map(|call| Event {
            scope: call.scope.clone(),
            at: now,
            fact: Fact::CallEnded {
                turn: call.turn,
                index: call.index,
                result: Box::new(CallResult {
                    shown: INTERRUPTED.to_owned(),
                    ..CallResult::default()
                }),
            },
        });
    let lost: Vec<Event> = lost.collect();
    std::iter::once(Event::run(now, Fact::Restarted { interrupted }))
        .chain(lost)
        .chain(untold)
        .collect()
}
