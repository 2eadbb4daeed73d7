//! A script as data, and which of its turns is played when. Pure: knows nothing of files, clocks and wires.

use std::borrow::Cow;
use std::time::Duration;

use overnight_ports::model::{ModelErrorKind, Usage};
use regex::Regex;

/// Tokens of an answer whose script says nothing about them.
pub const USAGE_DEFAULT: Usage = Usage {
    input: 1_000,
    cached: 0,
    output: 100,
};

/// A parsed script.
#[derive(Debug, Clone)]
pub struct Script {
    /// What the script says of itself, for people.
    pub about: Option<String>,
    /// What is answered where no item of a worklist is worked on.
    pub(super) turns: Turns,
    /// What is answered about items, by their ids; `*` and `?` in one stand for others.
    pub(super) items: Vec<(String, Turns)>,
    pub(super) then: Then,
}

/// The answers of one conversation.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns {
    pub answers: Vec<Planned>,
    /// Failures after the last answer, before [`Then::End`].
    pub last_failures: Vec<Failure>,
}

/// One answer with the failures that come before it.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub failures: Vec<Failure>,
    pub choices: Vec<Choice>,
}

/// One alternative of an answer.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub when: Option<Regex>,
    pub reply: Reply,
}

/// What happens after the last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    End,
    RepeatLast,
    Loop,
}

/// One answer as the script has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// What the model says.
    pub say: Option<String>,
    /// What the model thinks: a reasoning item that has to be carried back.
    pub think: Option<String>,
    /// Its tool calls, in order.
    pub calls: Vec<ScriptCall>,
    /// What it costs.
    pub usage: Usage,
    /// How long it takes.
    pub delay: Duration,
    /// How a mock server sends it.
    pub wire: Wire,
}

/// Stands for the item's id in the calls of a turn about one.
const ITEM: &str = "{{item}}";

impl Reply {
    /// The reply as it is given about this item, if it is about one.
    pub fn about(&self, item: Option<&str>) -> Cow<'_, Reply> {
        let Some(id) = item.filter(|_| self.calls.iter().any(|call| call.arguments.contains(ITEM)))
        else {
            return Cow::Borrowed(self);
        };
        // Arguments are JSON: inside of a text the id stands as a text of JSON has it.
        let quoted = serde_json::Value::from(id).to_string();
        let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
        let mut reply = self.clone();
        for call in &mut reply.calls {
            call.arguments = call.arguments.replace(ITEM, inner);
        }
        Cow::Owned(reply)
    }
}

/// One tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptCall {
    /// The tool.
    pub tool: String,
    /// Its arguments as text; malformed if the script wants it so.
    pub arguments: String,
}

/// A failure that comes before an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// As the harness sees it.
    pub kind: ModelErrorKind,
    /// How often in a row; `None` is for ever.
    pub times: Option<u64>,
    /// When the provider says to come back.
    pub retry_after: Option<Duration>,
    /// What the provider says.
    pub message: Option<String>,
    /// How long it takes to fail.
    pub delay: Duration,
    /// How a mock server brings it about.
    pub how: How,
    /// The HTTP status that a mock server uses, if not the kind's own.
    pub status: Option<u16>,
}

/// How a mock server brings a failure about. The scripted model itself has no wire and ignores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// An HTTP status (`rate_limited`, `unavailable`, `refused`, `context_overflow`).
    Status,
    /// An event in a stream that began well (the same kinds).
    Event,
    /// The account is empty: `insufficient_quota` (`rate_limited`).
    Quota,
    /// The connection is closed before anything was answered (`network`).
    Reset,
    /// The stream ends properly, but before the answer is whole (`cut`).
    Close,
    /// The connection breaks in mid-stream (`cut`).
    Abort,
    /// Nothing more comes, and the connection stays open (`cut`).
    Stall,
    /// An event that is no JSON (`malformed`).
    Garbage,
    /// A whole answer without any item (`malformed`).
    Empty,
}

/// How a mock server sends an answer. The scripted model itself has no wire and ignores it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wire {
    /// The stream begins with a byte order mark.
    pub bom: bool,
    /// Lines end in CR LF.
    pub crlf: bool,
    /// Comment lines between the events, as keep-alives.
    pub comments: bool,
    /// Event types and an item type that nobody knows.
    pub unknown: bool,
    /// Ends as `response.incomplete` for want of output tokens.
    pub incomplete: bool,
    /// The stream comes in pieces of this many bytes, whatever they cut in two; 0 is one event a piece.
    pub piece_bytes: usize,
    /// An additional text delta of this size.
    pub pad_bytes: usize,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Play<'a> {
    /// This failure.
    Failure(&'a Failure),
    /// This answer.
    Reply(&'a Reply),
    /// Nothing: why.
    Ended(&'static str),
}

impl Script {
    /// What answers turn `turn` (counted from 1) about this item, if it is about one, after `failed` failures have been
    /// played for it already, where `last` is what the harness said since the model's last answer. The same question has
    /// the same answer for ever.
    pub fn play(&self, item: Option<&str>, turn: u64, failed: u64, last: &str) -> Play<'_> {
        let Some(turns) = self.turns_of(item) else {
            return Play::Ended(
                "the script has no turns for this item; `\"*\"` under `items` is for all others",
            );
        };
        let Some(planned) = self.planned(turns, turn) else {
            return match nth_failure(&turns.last_failures, failed) {
                Some(failure) => Play::Failure(failure),
                None => Play::Ended("the script has no further turn"),
            };
        };
        // The last answer repeated is an answer without the failures that its first time had.
        let repeated = self.then == Then::RepeatLast && turn > turns.answers.len() as u64;
        if !repeated && let Some(failure) = nth_failure(&planned.failures, failed) {
            return Play::Failure(failure);
        }
        let fits = |choice: &&Choice| {
            choice
                .when
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(last))
        };
        match planned.choices.iter().find(fits) {
            Some(choice) => Play::Reply(&choice.reply),
            None => Play::Ended(
                "no `when` of this turn matches what the harness said; add an entry without `when`",
            ),
        }
    }

    /// How many answers are written down, those about items included.
    pub fn len(&self) -> usize {
        let of_items = self.items.iter().map(|(_, turns)| turns.answers.len());
        self.turns.answers.len() + of_items.sum::<usize>()
    }

    /// Whether no answer is written down: it only fails, or ends at once.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The conversation about an item: the entry with its very id, else the first pattern that fits.
    fn turns_of(&self, item: Option<&str>) -> Option<&Turns> {
        let Some(id) = item else {
            return Some(&self.turns);
        };
        let exact = self.items.iter().find(|(key, _)| key == id);
        let found = exact.or_else(|| self.items.iter().find(|(key, _)| fits(key, id)));
        found.map(|(_, turns)| turns)
    }

    fn planned<'a>(&self, turns: &'a Turns, turn: u64) -> Option<&'a Planned> {
        let count = turns.answers.len() as u64;
        let at = turn.saturating_sub(1);
        let at = match self.then {
            _ if at < count => at,
            Then::End => return None,
            Then::RepeatLast => count.checked_sub(1)?,
            Then::Loop => at.checked_rem(count)?,
        };
        turns.answers.get(usize::try_from(at).ok()?)
    }
}

/// Whether a pattern, in which `*` stands for anything and `?` for one character, is of this whole text. Goes back to the
/// last `*` only, so that no pattern takes long.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The failure after `failed` of them, each counted as often as it is to come.
fn nth_failure(failures: &[Failure], failed: u64) -> Option<&Failure> {
    let mut before = 0_u64;
    failures.iter().find(|failure| match failure.times {
        None => true,
        Some(times) => {
            before = before.saturating_add(times);
            failed < before
        }
    })
}
