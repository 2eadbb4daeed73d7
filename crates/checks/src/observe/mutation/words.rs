//! The output of a mutation check: what was tried, and the faults that nobody noticed.

use std::fmt::Write as _;
use std::time::Duration;

use super::tally::Tally;

/// Most tests that are named as flaky.
const FLAKY_NAMED_MAX: usize = 5;

/// What is said beside the faults.
#[derive(Debug, Default)]
pub(super) struct Circumstances {
    /// How many faults were to be tried.
    pub(super) wanted: usize,
    /// Whether the rest was not tried because the answer was certain.
    pub(super) certain: bool,
    /// Which code can hold faults.
    pub(super) scope: String,
}

/// What is said where nothing can be concluded.
pub(super) fn broken_off(ran: usize, wanted: usize, took: Duration) -> Vec<u8> {
    if took.is_zero() {
        return Vec::new();
    }
    let seconds = took.as_secs_f64();
    let text = format!(
        "{ran} of {wanted} faults were tried, and one run of the tests takes {seconds:.1} s: raise `timeout`, lower \
         `sample`, or run fewer tests.\n"
    );
    text.into_bytes()
}

/// The whole output. The faults come last: what is shown of a long output is its end.
pub(super) fn output(tally: &Tally, about: &Circumstances) -> Vec<u8> {
    let (noticed, ran) = (tally.noticed(), tally.ran());
    let mut text = format!(
        "{noticed} of {ran} planted faults were noticed ({}).\n",
        about.scope
    );
    // Writing to a text does not fail.
    if about.certain && ran < about.wanted {
        let _ = writeln!(
            text,
            "The remaining {} were not tried: they could not have changed the verdict.",
            about.wanted - ran
        );
    }
    if tally.not_code > 0 {
        let _ = writeln!(
            text,
            "{} more did not compile and do not count.",
            tally.not_code
        );
    }
    if !tally.flaky().is_empty() {
        let named: Vec<&str> = tally
            .flaky()
            .iter()
            .take(FLAKY_NAMED_MAX)
            .map(String::as_str)
            .collect();
        let more = match tally.flaky().len().saturating_sub(FLAKY_NAMED_MAX) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let _ = writeln!(
            text,
            "Not counted as noticing, because they do not always pass on the unchanged code: {}{more}.",
            named.join(", ")
        );
    }
    let mut unnoticed: Vec<_> = tally.unnoticed().collect();
    unnoticed.sort_by(|a, b| (&a.path, a.line, a.start).cmp(&(&b.path, b.line, b.start)));
    if !unnoticed.is_empty() {
        text.push_str("With each of these changes every test still passed:\n");
    }
    for fault in unnoticed {
        let _ = writeln!(text, "{}:{}: {}", fault.path, fault.line, fault.change);
    }
    text.into_bytes()
}
