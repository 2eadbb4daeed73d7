//! A source that fails: it is waited for, or a person is asked.

use crate::event::{SourceDoing, VERSION_WITH_PATIENT_ACTS};
use crate::item::{ItemHead, Listing};
use crate::state::{State, Wait, WaitKind};
use crate::step::worklist::acts;
use crate::step::{backoff, ending};
use crate::stop::Blocker;
use crate::turn::Help;
use crate::worklist::Worklist;

/// How often in a row a source may fail before a person is asked: with the waits between, some hours.
pub const SOURCE_ATTEMPTS_MAX: u32 = 24;
/// How often one act is tried: with the waits between, some minutes. Once that was in vain, the next acts are tried once
/// each until one is answered.
const ACT_ATTEMPTS_MAX: u32 = 10;
/// The same in runs of versions before [`VERSION_WITH_PATIENT_ACTS`].
const ACT_ATTEMPTS_ONCE: u32 = 5;
/// How often the list is read again at the end.
const RELIST_ATTEMPTS_MAX: u32 = 5;
/// Longest wait that is taken from a source, milliseconds.
const SOURCE_WAIT_MS_MAX: u64 = 60 * 60 * 1_000;
/// How often items that appear meanwhile are taken into the list.
pub const ROUNDS_MAX: u32 = 5;

/// It could not do what it was asked.
pub(in crate::step) fn failed(
    state: &mut State,
    doing: SourceDoing,
    fatal: bool,
    message: &str,
    retry_after_ms: Option<u64>,
) {
    let now = state.last_at;
    let patient = state.version >= VERSION_WITH_PATIENT_ACTS;
    let list = state.worklist.get_or_insert_with(Box::default);
    list.failures = list.failures.saturating_add(1);
    let most = match doing {
        SourceDoing::List | SourceDoing::Read => SOURCE_ATTEMPTS_MAX,
        SourceDoing::Relist => RELIST_ATTEMPTS_MAX,
        SourceDoing::Act if !patient => ACT_ATTEMPTS_ONCE,
        SourceDoing::Act if list.away => 1,
        SourceDoing::Act => ACT_ATTEMPTS_MAX,
    };
    if !fatal && list.failures < most {
        // An act that was not answered may have been performed.
        list.probe |= doing == SourceDoing::Act;
        let ms = retry_after_ms.unwrap_or_else(|| backoff(list.failures));
        list.wait = Some(Wait {
            until: now.saturating_add(ms.clamp(1_000, SOURCE_WAIT_MS_MAX)),
            since: now,
            why: message.to_owned(),
            kind: WaitKind::Outage,
            seeking: false,
        });
        return;
    }
    let failures = list.failures;
    list.failures = 0;
    match doing {
        SourceDoing::Relist => {
            list.relisted = true;
        }
        SourceDoing::Act => acts::given_up(state),
        SourceDoing::List | SourceDoing::Read => {
            let help = Help {
                question: format!("The items' source cannot be used: {message}"),
                tried: match failures {
                    1 => "It was asked once, and says that asking again would not help.".to_owned(),
                    _ => format!("It was asked {failures} times in a row."),
                },
                unlock: "Mend it, then `overnight resume` this run.".into(),
            };
            ending::stop(state, ending::stop_reason(help, Blocker::Provider));
        }
    }
}

/// The list was read once more.
pub(in crate::step) fn relisted(
    state: &mut State,
    newcomers: &[ItemHead],
    total: u32,
    listing: Option<&Listing>,
) {
    let Some(list) = &mut state.worklist else {
        return;
    };
    list.failures = 0;
    list.wait = None;
    list.rounds += 1;
    list.newcomers = total;
    match listing {
        // What was frozen stays; what is new follows it.
        Some(grown) if !newcomers.is_empty() && list.rounds < ROUNDS_MAX && grows(list, grown) => {
            list.listing = grown.clone();
            list.newcomers = 0;
        }
        _ => list.relisted = true,
    }
}

fn grows(list: &Worklist, grown: &Listing) -> bool {
    grown.total > list.listing.total && grown.pages.starts_with(&list.listing.pages)
}
