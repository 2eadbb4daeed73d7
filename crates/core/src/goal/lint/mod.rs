//! Judges a goal that was understood: would it find its end, and would the end mean what the person had in mind?
//!
//! Deterministic and without a model. Refused is only what cannot be a goal: no outcome, or nothing that could verify
//! it. Everything else is said, with the safe default that is in force, and may run.

mod elements;
mod evidence;
mod hidden;
mod items;
mod later;
mod limits;
mod outcome;
mod scope;
mod shell;
mod summary;
#[cfg(test)]
mod tests;

use super::diagnostic::{Diagnostic, Findings};
use super::parse::Parsed;

pub use later::unsupported;
pub use limits::{HOURS_HUGE, NO_PROGRESS_HUGE, TIMEOUT_HUGE_S, TOKENS_HUGE, TURNS_HUGE, USD_HUGE};
pub use outcome::OUTCOME_CHARS_LONG;
pub use summary::{Element, summary};

/// What the caller knows about the repository. Without it, the rules that need it are silent.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Every file of the base, relative to the repository's root, `/`-separated.
    pub paths: Option<Vec<String>>,
}

/// Findings about a goal, the warnings of [`parse`](super::parse::parse) included; the worst first, then in the
/// file's order.
pub fn lint(parsed: &Parsed, facts: &Facts) -> Vec<Diagnostic> {
    let mut findings = Findings::new(parsed.positions.lines());
    elements::judge(parsed, &mut findings);
    outcome::judge(parsed, &mut findings);
    evidence::judge(parsed, &mut findings);
    hidden::judge(parsed, facts, &mut findings);
    scope::judge(parsed, facts, &mut findings);
    limits::judge(parsed, &mut findings);
    items::judge(parsed, &mut findings);
    let mut all = parsed.warnings.clone();
    all.extend(findings.finish());
    all.sort_by_key(|d| (d.severity, d.at.is_none(), d.at));
    all
}
