//! Performing what a worklist asks for: list it, read an item, integrate a change, tell the source. What is due of an
//! item's own machine is performed by the same code as a run's, with the item's workspace and conversation.

mod acts;
mod integrate;
mod listing;
mod own;

use std::sync::Arc;

use overnight_core::effect::Effect;
use overnight_core::event::{Event, Fact, SourceDoing};
use overnight_core::ids::{ItemId, Scope};
use overnight_core::state::State;
use overnight_ports::crew::{Member, WorklistPorts};
use overnight_ports::source::SourceError;

use crate::known::Known;
use crate::perform::{Ports, Say, perform};
use crate::run::Message;

pub(crate) use integrate::whole as fix_whole;
pub(crate) use own::{amiss, verify_own};

/// Performs an effect that only a run with a worklist has.
pub(crate) async fn perform_listed(
    effect: &Effect,
    state: &State,
    ports: &Ports,
    known: &Known,
    scope: &Scope,
    send: Say<'_>,
) {
    let say = |fact: Fact| send(message(ports, scope, fact));
    let Some(list) = ports.worklist.as_ref() else {
        return say(Fact::HarnessFailed {
            message: "the run has a worklist, and there is nothing to work on it with".into(),
            fatal: true,
        });
    };
    match effect {
        Effect::List => listing::list(ports, list, &say).await,
        Effect::Relist => listing::relist(state, ports, list, &say).await,
        Effect::Open { index } => listing::open(state, ports, list, *index, send).await,
        Effect::Item { item, effect } => {
            of_item(item, effect, state, ports, list, known, send).await;
        }
        Effect::Examine => integrate::examine(state, list, &say).await,
        Effect::Integrate { item, .. } => {
            let say = |fact: Fact| send(message(ports, &Scope::Item(item.clone()), fact));
            integrate::integrate(item, state, list, known, &say).await;
        }
        Effect::Act {
            number,
            begun,
            probe,
        } => {
            acts::act(*number, *begun, *probe, state, ports, list, known, &say).await;
        }
        // The others are any run's.
        _ => {}
    }
}

fn message(ports: &Ports, scope: &Scope, fact: Fact) -> Message {
    Message::Event(Box::new(Event {
        scope: scope.clone(),
        at: ports.clock.now(),
        fact,
    }))
}

async fn of_item(
    item: &ItemId,
    effect: &Effect,
    state: &State,
    ports: &Ports,
    list: &WorklistPorts,
    known: &Known,
    send: Say<'_>,
) {
    let open = state.worklist.as_ref().and_then(|list| list.open.get(item));
    let Some(child) = open else { return };
    let Some(member) = member(list, child) else {
        return;
    };
    let ports = of_member(ports, member);
    let scope = Scope::Item(item.clone());
    let to_item = |message: Message| {
        send(match message {
            Message::Event(mut event) => {
                event.scope = scope.clone();
                Message::Event(event)
            }
            other => other,
        });
    };
    Box::pin(perform(effect, child, &ports, known, &scope, &to_item)).await;
}

/// Who works on an item.
pub(crate) fn member(list: &WorklistPorts, child: &State) -> Option<Member> {
    let item = child.item.as_ref()?;
    Some(list.crew.member(&item.head))
}

/// A run's ports with an item's workspace and conversation in the places of the run's own.
fn of_member(ports: &Ports, member: Member) -> Arc<Ports> {
    Arc::new(Ports {
        site: member.site,
        executor: member.executor,
        ..ports.clone()
    })
}

/// The fact of a source that could not do it.
fn source_failed(doing: SourceDoing, error: &SourceError) -> Fact {
    let (fatal, retry_after_ms) = match error {
        // What cannot be read at the beginning is most likely a wrong address; once a list was read, a page of somebody
        // who mends the server, which goes by itself.
        SourceError::Malformed(_) => (doing == SourceDoing::List, None),
        SourceError::Refused(_) | SourceError::Gone(_) => (true, None),
        SourceError::RateLimited { retry_after_ms, .. } => (false, *retry_after_ms),
        SourceError::Unavailable(_) => (false, None),
    };
    Fact::SourceFailed {
        doing,
        fatal,
        message: error.to_string(),
        retry_after_ms,
    }
}
