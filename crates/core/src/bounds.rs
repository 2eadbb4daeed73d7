//! What keeps the serialised state small: texts are cut where they enter it, and what is large and known from the
//! journal is written as its hash.

use serde::{Serialize, Serializer};

use crate::goal::Goal;
use crate::ids::BlobId;
use crate::repo::Base;

/// Size of the serialised state, bytes: what any shell can carry from one step to the next.
pub const STATE_BYTES_MAX: usize = 256 * 1024;
/// What reasons and evidence of all checks share, bytes.
pub(crate) const FOUND_BYTES: usize = 28 * 1024;
/// Length of one reason, bytes.
pub(crate) const REASON_BYTES_MAX: usize = 600;
/// Length of a claim's summary, bytes.
pub(crate) const CLAIM_BYTES_MAX: usize = 8 * 1024;
/// Length of each part of a question, and of why a run stopped, bytes.
pub(crate) const WORDS_BYTES_MAX: usize = 3 * 1024;
/// Length of why the run waits, bytes.
pub(crate) const WAIT_WHY_BYTES_MAX: usize = 600;
/// Steps of a plan.
pub(crate) const PLAN_STEPS_MAX: usize = 40;
/// Length of each, bytes.
pub(crate) const PLAN_STEP_BYTES_MAX: usize = 240;
/// Length of the provider's name for a call, and of a background command's name, bytes.
pub(crate) const NAME_BYTES_MAX: usize = 80;
/// Length of a call's line, bytes.
pub(crate) const LINE_BYTES_MAX: usize = 140;
/// How many background commands a notice names.
pub(crate) const NAMES_MAX: usize = 16;
/// How many changes of the contract a notice tells.
pub(crate) const CHANGES_MAX: usize = 24;
/// Length of each, bytes.
pub(crate) const CHANGE_BYTES_MAX: usize = 240;
/// Length of why a notification was not taken, bytes.
pub(crate) const SENDING_WHY_BYTES_MAX: usize = 120;
/// How many notices wait to be told.
pub(crate) const INBOX_MAX: usize = 40;

/// Length of a text in JSON, without its quotes.
pub fn json_bytes(text: &str) -> usize {
    text.chars().map(json_char_bytes).sum()
}

fn json_char_bytes(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    }
}

/// The text, cut so that it takes at most `bytes` in JSON.
pub(crate) fn held(text: &str, bytes: usize) -> String {
    if json_bytes(text) <= bytes {
        return text.to_owned();
    }
    const MARK: &str = " …";
    let Some(mut room) = bytes.checked_sub(MARK.len()) else {
        return String::new();
    };
    let fits = text
        .char_indices()
        .find(|(_, c)| match room.checked_sub(json_char_bytes(*c)) {
            Some(left) => {
                room = left;
                false
            }
            None => true,
        })
        .map_or(text.len(), |(at, _)| at);
    format!("{}{MARK}", &text[..fits])
}

fn hash(value: &impl Serialize) -> BlobId {
    // Our own plain data: string keys, no failing serialiser.
    BlobId::of(&serde_json::to_vec(value).unwrap_or_default())
}

/// A list that may be long, as its length and hash.
pub(crate) fn list_by_hash<T: Serialize, S: Serializer>(
    list: &[T],
    to: S,
) -> Result<S::Ok, S::Error> {
    (list.len(), hash(&list)).serialize(to)
}

/// What may be long, as its hash.
pub(crate) fn by_hash<T: Serialize, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    hash(value).serialize(to)
}

/// The base: its name, and everything else by hash.
pub(crate) fn base_by_hash<S: Serializer>(base: &Option<Base>, to: S) -> Result<S::Ok, S::Error> {
    base.as_ref()
        .map(|base| (&base.commit, &base.tree, hash(base)))
        .serialize(to)
}

/// The contract: what people change while the run goes on, and everything else by hash.
pub(crate) fn goal_by_hash<S: Serializer>(goal: &Goal, to: S) -> Result<S::Ok, S::Error> {
    (&goal.stop, hash(goal)).serialize(to)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_held_fits(text in "(?s).{0,300}", bytes in 0usize..200) {
            let cut = held(&text, bytes);
            prop_assert_eq!(json_bytes(&cut) + 2, serde_json::to_string(&cut).unwrap().len());
            prop_assert!(json_bytes(&cut) <= bytes);
            if json_bytes(&text) <= bytes {
                prop_assert_eq!(cut, text);
            }
        }
    }
}
