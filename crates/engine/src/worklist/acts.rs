//! Telling the source how items ended: the intent is durable before the call, and where nobody knows whether a call was
//! made the source is asked first.

use overnight_core::event::{Fact, SourceDoing};
use overnight_core::item::{Closed, Outcome, Verb};
use overnight_core::judge::{clip, plain};
use overnight_core::repo::Delivered;
use overnight_core::state::State;
use overnight_ports::crew::WorklistPorts;
use overnight_ports::source::{Act, SourceError};

use crate::known::Known;
use crate::perform::Ports;
use crate::worklist::{listing, source_failed};

/// Length of a comment's evidence, bytes.
const COMMENT_BYTES_MAX: usize = 6 * 1024;
/// Length of what a source says it made, bytes.
const RECEIPT_BYTES_MAX: usize = 300;

/// Performs the act with that number, or makes its intent.
#[expect(
    clippy::too_many_arguments,
    reason = "each is another thing of the world"
)]
pub(super) async fn act(
    number: u32,
    begun: bool,
    probe: bool,
    state: &State,
    ports: &Ports,
    list: &WorklistPorts,
    known: &Known,
    say: &(dyn Fn(Fact) + Send + Sync),
) {
    let acted = |receipt: Option<String>, already: bool, error: Option<String>| Fact::Acted {
        number,
        receipt: receipt.map(|text| clip(&plain(&text), RECEIPT_BYTES_MAX)),
        already,
        error: error.map(|text| clip(&plain(&text), RECEIPT_BYTES_MAX)),
    };
    let Some((closed, verb, time)) = nth(state, known, number) else {
        return say(Fact::HarnessFailed {
            message: format!("the journal does not tell of act {number}"),
            fatal: true,
        });
    };
    let key = key(state, &closed, verb, time);
    if !begun {
        return say(Fact::Acting {
            number,
            item: closed.head.id,
            verb,
            key,
        });
    }
    let Some(worklist) = &state.worklist else {
        return;
    };
    let item = match listing::item(ports.journal.as_ref(), &worklist.listing, closed.head.index) {
        Ok(item) => item,
        Err(why) => return say(acted(None, false, Some(why))),
    };
    let branch = match &state.delivered {
        Some(Delivered::Branch { name, .. }) => Some(name.clone()),
        Some(Delivered::Patch { .. } | Delivered::Nothing) | None => None,
    };
    let text = comment(state, &closed, branch.as_deref(), &key);
    let act = Act {
        verb,
        key,
        item,
        closed,
        branch,
        text,
    };
    let done = match probe {
        true => match list.source.probe(&act).await {
            Ok(Some(receipt)) => Ok((receipt, true)),
            Ok(None) => list.source.act(&act).await.map(|receipt| (receipt, false)),
            Err(error) => Err(error),
        },
        false => list.source.act(&act).await.map(|receipt| (receipt, false)),
    };
    say(match done {
        Ok((receipt, found)) => acted(Some(receipt.what), found || receipt.already, None),
        // An answer that cannot be read may be that to an act which was performed: the next attempt looks first.
        Err(
            error @ (SourceError::RateLimited { .. }
            | SourceError::Unavailable(_)
            | SourceError::Malformed(_)),
        ) => source_failed(SourceDoing::Act, &error),
        Err(error) if probe => acted(
            None,
            false,
            Some(format!("{error}; an earlier attempt may have performed it")),
        ),
        Err(error) => acted(None, false, Some(error.to_string())),
    });
}

/// Acts are numbered in the order of the closings, from 1; those of one item in the goal's order. An item that a person
/// had tried once more ends more than once: which of its ends this is, from 1, comes with it.
fn nth(state: &State, known: &Known, number: u32) -> Option<(Closed, Verb, usize)> {
    let on = &state.goal.items.as_ref()?.on;
    let at = number.checked_sub(1)? as usize;
    known.ledger(|ledger| {
        // What is done for the whole is nothing that a source knows of.
        let of_source = |(_, closed): &(usize, &Closed)| !closed.head.is_whole();
        let ends = ledger.closed.iter().enumerate().filter(of_source);
        let mut acts = ends.flat_map(|(end, closed)| {
            let verbs = on.get(&closed.outcome).into_iter().flatten();
            verbs.map(move |verb| (end, closed, *verb))
        });
        let (end, closed, verb) = acts.nth(at)?;
        let ends = ledger.closed[..=end].iter();
        let time = ends.filter(|other| other.head.id == closed.head.id).count();
        Some((closed.clone(), verb, time))
    })
}

/// The same at every attempt, and another one for every end of an item.
fn key(state: &State, closed: &Closed, verb: Verb, time: usize) -> String {
    let again = match time {
        0 | 1 => String::new(),
        time => format!("-{time}"),
    };
    format!(
        "overnight-{}-{}-{}{again}",
        state.run.short(),
        closed.head.index,
        verb.word()
    )
}

/// What is said of an item at its source.
fn comment(state: &State, closed: &Closed, branch: Option<&str>, key: &str) -> String {
    let evidence = clip(plain(&closed.evidence).trim(), COMMENT_BYTES_MAX);
    let commit = closed
        .commit
        .as_ref()
        .map(|commit| commit.short().to_owned());
    let same = match &closed.same_as {
        Some(item) => format!(" together with {item}"),
        None => String::new(),
    };
    let head = match (closed.outcome, commit) {
        (Outcome::Fixed | Outcome::Done, Some(commit)) => {
            let branch = branch
                .map(|name| format!(" on branch `{name}`"))
                .unwrap_or_default();
            format!(
                "{}{same} in commit `{commit}`{branch}, waiting for review.",
                capital(closed.outcome)
            )
        }
        (outcome, _) => format!("{}{same}.", capital(outcome)),
    };
    format!(
        "{head}\n\n{evidence}\n\novernight run {} · {key}\n",
        state.run.short()
    )
}

fn capital(outcome: Outcome) -> String {
    let word = outcome.word().replace('-', " ");
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
