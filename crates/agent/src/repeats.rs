//! The same call with the same result, again and again: the model is told, because it may not see it. Nothing is
//! refused, and nothing is decided by it.

use overnight_core::ids::BlobId;
use overnight_core::turn::{Call, WAIT_TOOL};

use crate::tools::Outcome;

/// After how many equal calls with equal results in a row the model is told.
const REPEATS_MIN: u32 = 5;

/// The last call, and how often it has been made in a row.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    last: Option<BlobId>,
    times: u32,
}

impl Repeats {
    /// Takes note of a call that is over, by its [`fingerprint`]. `changed`: the workspace is not what it was before it.
    /// What the model is to be told, if it goes round in circles.
    pub fn see(&mut self, this: Option<BlobId>, changed: bool) -> Option<String> {
        let Some(this) = this.filter(|_| !changed) else {
            *self = Repeats::default();
            return None;
        };
        let before = match self.last.take() {
            Some(last) if last == this => self.times,
            Some(_) | None => 0,
        };
        *self = Repeats {
            last: Some(this),
            times: before.saturating_add(1),
        };
        (self.times >= REPEATS_MIN).then(|| {
            format!(
                "\n[this same call has now given this same result {} times in a row, and nothing has changed: do \
                 something different]",
                self.times
            )
        })
    }
}

/// What makes two calls and their results the same; the time that a command took is not part of it. `None` for a call
/// that may well be made again: waiting again is what a long wait looks like, and what only says something to the
/// harness has rules of its own.
pub(crate) fn fingerprint(call: &Call, outcome: &Outcome) -> Option<BlobId> {
    if call.name == WAIT_TOOL || outcome.said.is_some() {
        return None;
    }
    let (name, arguments) = (call.name.as_bytes(), call.arguments.as_bytes());
    let ended = format!("{} {:?}", outcome.ok, outcome.exit);
    // Each part is led by its length, so that no two lists of parts read the same.
    let mut bytes = Vec::new();
    for part in [name, arguments, ended.as_bytes(), &outcome.output] {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part);
    }
    Some(BlobId::of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &str) -> Call {
        Call {
            id: "1".into(),
            name: name.into(),
            arguments: arguments.into(),
        }
    }

    fn ended(output: &str, exit: i32, took: &str) -> Outcome {
        Outcome {
            footer: format!("[exit code {exit}, {took}]"),
            exit: Some(exit),
            ..Outcome::done(output)
        }
    }

    /// After how many calls of so many the model is told for the first time.
    fn told_at(calls: impl IntoIterator<Item = (Call, Outcome, bool)>) -> Option<usize> {
        let mut repeats = Repeats::default();
        let mut all = calls.into_iter();
        all.position(|(call, outcome, changed)| {
            let told = repeats.see(fingerprint(&call, &outcome), changed);
            told.is_some()
        })
        .map(|at| at + 1)
    }

    #[test]
    fn the_same_call_with_the_same_result_is_told_from_the_fifth_time_on() {
        let again = |n: u32| {
            (
                call("shell", "make"),
                ended("no", 2, &format!("{n} s")),
                false,
            )
        };
        assert_eq!(told_at((0..10).map(again)), Some(5));
        let mut repeats = Repeats::default();
        let told: Vec<bool> = (0..8)
            .map(again)
            .map(|(call, outcome, _)| repeats.see(fingerprint(&call, &outcome), false))
            .map(|told| told.is_some())
            .collect();
        assert_eq!(told, [false, false, false, false, true, true, true, true]);
    }

    #[test]
    fn what_differs_in_anything_is_not_the_same() {
        let make = || call("shell", "make");
        let each = [
            |n: usize| {
                (
                    call("shell", &format!("make {n}")),
                    ended("no", 2, ""),
                    false,
                )
            },
            |n: usize| {
                (
                    call("shell", "make"),
                    ended(&format!("{n} left"), 2, ""),
                    false,
                )
            },
            |n: usize| (call("shell", "make"), ended("no", n as i32, ""), false),
            |n: usize| {
                (
                    call(["read", "search"][n % 2], "make"),
                    ended("no", 2, ""),
                    false,
                )
            },
            // It edits a file each time, whatever it prints.
            |_| (call("shell", "make"), ended("no", 2, ""), true),
            |_| (call(WAIT_TOOL, "{}"), ended("it still runs", 0, ""), false),
        ];
        for (number, different) in each.into_iter().enumerate() {
            assert_eq!(told_at((0..20).map(different)), None, "case {number}");
        }
        // Something else in between begins the count anew.
        let mixed = (0..20).map(|n| match n % 5 {
            4 => (call("read", "x"), ended("x", 0, ""), false),
            _ => (make(), ended("no", 2, ""), false),
        });
        assert_eq!(told_at(mixed), None);
    }
}
