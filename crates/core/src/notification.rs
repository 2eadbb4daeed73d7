//! Telling somebody: what a run tells of, through what, and what is known of the telling.
//!
//! The intent is in the journal before anything is sent, and what came of it after it. Whoever takes a run up that died
//! between the two does not know whether it was sent, says so, and never sends it again.

use serde::{Deserialize, Serialize};

use crate::bounds::{NAME_BYTES_MAX, SENDING_WHY_BYTES_MAX, held};
use crate::event::Event;
use crate::event::Fact;
use crate::ids::UnixMs;
use crate::state::State;
use crate::stop::StopReason;

/// How long a run waits before somebody is told of it, milliseconds.
pub const WAITING_MS_MIN: u64 = 60 * 60 * 1_000;
/// How many notifications a run makes at most: whoever wakes a failing run again and again need not be told for ever.
pub const NOTIFICATIONS_MAX: u32 = 200;
/// How many of the latest the state keeps, for people.
pub const KEPT_MAX: usize = 10;

/// How many channels one goal or configuration names at most.
pub const CHANNELS_MAX: usize = 8;
/// Length of an address, bytes.
pub const ADDRESS_BYTES_MAX: usize = 2_000;
/// Length of a variable's name, bytes.
const VARIABLE_BYTES_MAX: usize = 64;

/// Whether an address may be posted to: `https://`, or `http://` on this machine. `Err` is what is wrong; it does not
/// repeat the address, which may be a secret.
pub fn webhook(url: &str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '<' | '>' | '`');
    if url.len() > ADDRESS_BYTES_MAX {
        return Err("it is too long");
    }
    if !url.chars().all(plain) {
        return Err("it holds a character that no address has");
    }
    let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return Err("it does not begin with https://"),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let place = &rest[..end];
    if place.contains('@') {
        return Err("it holds a user or a password");
    }
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (place, None),
    };
    if host.is_empty() || port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("it names no host");
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let own = bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    if secure || own {
        Ok(())
    } else {
        Err(
            "it begins with http:// and leads away from this machine: anybody on the way could read it",
        )
    }
}

/// Whether a text is the name of an environment variable.
pub fn variable(name: &str) -> bool {
    name.len() <= VARIABLE_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// One way of telling somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Channel {
    /// A command line of the person's; the notification is JSON on its standard input.
    Command {
        /// For `sh -c`.
        command: String,
    },
    /// The notification is posted as JSON.
    Webhook {
        /// Where to.
        to: Address,
    },
    /// A notification of the desktop.
    Desktop,
}

impl Channel {
    /// Its word in sendings: never an address, which may be a secret.
    pub fn name(&self) -> &'static str {
        match self {
            Channel::Command { .. } => "command",
            Channel::Webhook { .. } => "webhook",
            Channel::Desktop => "desktop",
        }
    }
}

/// Where a webhook is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// `https://…`, or `http://` on this machine.
    Url(String),
    /// The environment variable that holds such an address: one that is a secret stands in no file.
    Variable(String),
}

/// What a run tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// It is complete.
    Complete,
    /// Only a person can unlock it.
    Blocked,
    /// A budget is used up.
    OutOfBudget,
    /// A check could not be run.
    Unverifiable,
    /// The goal was refused at preflight.
    Refused,
    /// It could not go on.
    Failed,
    /// It has waited, or will wait, for longer than [`WAITING_MS_MIN`].
    Waiting,
}

impl Occasion {
    /// The occasion that a stop is; none for a person's own.
    pub fn of(stop: &StopReason) -> Option<Occasion> {
        match stop {
            StopReason::Complete(_) => Some(Occasion::Complete),
            StopReason::Blocked { .. } => Some(Occasion::Blocked),
            StopReason::OutOfBudget { .. } => Some(Occasion::OutOfBudget),
            StopReason::Unverifiable { .. } => Some(Occasion::Unverifiable),
            StopReason::Refused { .. } => Some(Occasion::Refused),
            StopReason::Failed { .. } => Some(Occasion::Failed),
            StopReason::Stopped => None,
        }
    }

    /// One word, as JSON has it.
    pub fn word(self) -> &'static str {
        match self {
            Occasion::Complete => "complete",
            Occasion::Blocked => "blocked",
            Occasion::OutOfBudget => "out_of_budget",
            Occasion::Unverifiable => "unverifiable",
            Occasion::Refused => "refused",
            Occasion::Failed => "failed",
            Occasion::Waiting => "waiting",
        }
    }
}

/// What is known of one channel's telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// The channel's word.
    pub by: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Sending {
    /// The same, as long as the state holds it.
    fn held(&self) -> Sending {
        let outcome = match &self.outcome {
            Outcome::Failed { why } => Outcome::Failed {
                why: held(why, SENDING_WHY_BYTES_MAX),
            },
            outcome => outcome.clone(),
        };
        Sending {
            by: held(&self.by, NAME_BYTES_MAX),
            outcome,
        }
    }
}

/// What came of one channel's telling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It was taken.
    Sent,
    /// It was not, or nobody knows: never tried again.
    Failed {
        /// Why, for people.
        why: String,
    },
    /// The process died in between.
    Unknown,
}

/// One notification as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// Its number, from 1. With the run's id it is the idempotency key.
    pub number: u32,
    /// What it tells of.
    pub occasion: Occasion,
    /// When that was.
    pub at: UnixMs,
    /// How far it is.
    pub standing: Standing,
}

/// How far a notification is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "standing")]
pub enum Standing {
    /// To be sent.
    Due,
    /// Being sent; if the process dies now, nobody knows.
    Begun,
    /// Over.
    Over {
        /// What came of it, channel by channel.
        sendings: Vec<Sending>,
    },
}

/// `RUN-NUMBER`: the same for the same notification, whoever sends it.
pub fn key(state: &State, number: u32) -> String {
    format!("{}-{number}", state.run)
}

/// Adds a notification, if anybody is to be told anything.
pub(crate) fn add(state: &mut State, occasion: Occasion) {
    if state.notify.is_empty() || state.notifications_made >= NOTIFICATIONS_MAX {
        return;
    }
    state.notifications_made += 1;
    state.notifications.push(Notification {
        number: state.notifications_made,
        occasion,
        at: state.last_at,
        standing: Standing::Due,
    });
    while state.notifications.len() > KEPT_MAX {
        let over = |n: &Notification| matches!(n.standing, Standing::Over { .. });
        let Some(oldest) = state.notifications.iter().position(over) else {
            break;
        };
        state.notifications.remove(oldest);
    }
}

/// A run that waits for long is told of once, as soon as that is known.
pub(crate) fn long_waits(state: &mut State) {
    if state.told_waiting || state.notify.is_empty() {
        return;
    }
    let long = |waiting: &crate::state::Waiting| {
        let known = waiting.until.unwrap_or(0).max(state.last_at);
        known.saturating_sub(waiting.from) >= WAITING_MS_MIN
    };
    if state.waiting().as_ref().is_some_and(long) {
        state.told_waiting = true;
        add(state, Occasion::Waiting);
    }
}

pub(crate) fn begun(state: &mut State, number: u32) {
    if let Some(found) = state.notifications.iter_mut().find(|n| n.number == number) {
        found.standing = Standing::Begun;
    }
}

pub(crate) fn over(state: &mut State, number: u32, sendings: &[Sending]) {
    if let Some(found) = state.notifications.iter_mut().find(|n| n.number == number) {
        let kept = sendings.iter().take(CHANNELS_MAX).map(Sending::held);
        found.standing = Standing::Over {
            sendings: kept.collect(),
        };
    }
}

/// Those that were being sent when a process died, as events that say so.
pub(crate) fn lost(state: &State, now: UnixMs) -> Vec<Event> {
    let lost = |n: &&Notification| n.standing == Standing::Begun;
    let unknown = |channel: &Channel| Sending {
        by: channel.name().to_owned(),
        outcome: Outcome::Unknown,
    };
    let sendings: Vec<Sending> = state.notify.iter().map(unknown).collect();
    state
        .notifications
        .iter()
        .filter(lost)
        .map(|n| {
            Event::run(
                now,
                Fact::Notified {
                    number: n.number,
                    sendings: sendings.clone(),
                },
            )
        })
        .collect()
}
