//! The worklist: can its items end, does a fix rest on anything, and what of the goal does not reach them?

use super::super::diagnostic::Findings;
use super::super::parse::Parsed;
use super::super::{Items, OUTCOMES_DEFAULT};
use super::elements::is_mail;
use crate::item::{Outcome, Verb};

pub(super) fn judge(parsed: &Parsed, findings: &mut Findings) {
    let Some(items) = &parsed.goal.items else {
        return;
    };
    if is_mail(&parsed.goal) {
        return;
    }
    endings(parsed, items, findings);
    evidence(parsed, items, findings);
    events(parsed, items, findings);
    reach(parsed, findings);
    acts(parsed, items, findings);
}

/// Whether every item can end.
fn endings(parsed: &Parsed, items: &Items, findings: &mut Findings) {
    let at = parsed.positions.span("items.outcomes");
    if !parsed.positions.has("items.outcomes") {
        findings.warn(
            "no-outcomes",
            at,
            format!(
                "`items` does not say in which outcomes an item may end; in force: {}",
                listed(&OUTCOMES_DEFAULT)
            ),
            "outcomes: [fixed, diagnosed]",
        );
    }
    let words: Vec<Outcome> = items.allowed().filter(|o| !o.changes()).collect();
    if words.is_empty() {
        findings.warn(
            "unsolved-items",
            at,
            "an item that cannot be solved may end in no outcome of this goal: it is closed as `unresolved`, and the run ends blocked",
            "outcomes: [fixed, diagnosed], or add `unresolved` if such items are all right",
        );
    } else if !items.allows(Outcome::Diagnosed) && !items.allows(Outcome::Unresolved) {
        findings.warn(
            "unsolved-items",
            at,
            format!(
                "an item that cannot be solved and is not for {} is closed as `unresolved`, and the run ends blocked",
                listed(&words)
            ),
            "add `diagnosed`, or `unresolved` if such items are all right",
        );
    }
    if parsed.goal.next.fix_when.is_some() {
        let path = parsed.positions.span("next.fix_when");
        if !items.allowed().any(Outcome::changes) {
            findings.warn(
                "no-effect",
                path,
                "`fix_when` limits fixes, and no outcome of this goal is one",
                "remove it, or add `fixed` to `items.outcomes`",
            );
        } else if !items.allows(Outcome::Diagnosed) {
            findings.warn(
                "fix-when-without-diagnosed",
                path,
                "an item whose change is larger than `fix_when` allows has to end as `diagnosed`, which `items.outcomes` does not have",
                "outcomes: [fixed, diagnosed]",
            );
        }
    }
}

/// Whether a change is held against anything.
fn evidence(parsed: &Parsed, items: &Items, findings: &mut Findings) {
    let changes: Vec<Outcome> = items.allowed().filter(|o| o.changes()).collect();
    if items.each.is_empty() && !changes.is_empty() {
        findings.warn(
            "no-each",
            parsed.positions.span("items"),
            format!(
                "`items` has no `each`: an item's {} rests on nothing but that its change is allowed",
                listed(&changes)
            ),
            "each: [{tests: npm test}]",
        );
    }
    if items.replay.is_some() && changes.is_empty() {
        findings.warn(
            "no-effect",
            parsed.positions.span("items.replay"),
            "`replay` shows that an error is gone, and no outcome of this goal is a change",
            "remove it, or add `fixed` to `items.outcomes`",
        );
    }
}

/// Sources whose items have no event.
const WITHOUT_EVENTS: &[&str] = &["github", "datadog"];

/// A replay of which no item could have the input: none could ever be fixed.
fn events(parsed: &Parsed, items: &Items, findings: &mut Findings) {
    if items.replay.is_some() && WITHOUT_EVENTS.contains(&items.from.as_str()) {
        findings.error(
            "replay-without-events",
            parsed.positions.span("items.replay"),
            format!(
                "items of `{}` have no event that could be replayed, so no item could be fixed",
                items.from
            ),
            "each, with a check that runs the tests",
        );
    }
}

/// What the goal allows and an item does not get.
fn reach(parsed: &Parsed, findings: &mut Findings) {
    let uses = &parsed.goal.uses;
    if !uses.network.is_empty() {
        findings.warn(
            "items-without-network",
            parsed.positions.span("use.network"),
            "what an item says came from outside, so whoever works on one gets no network and no MCP server at a `url`, whatever `use.network` names; it is for the checks and for the work beside the items",
            "use.setup, for what the work needs from the network",
        );
    }
}

/// What is done at the source.
fn acts(parsed: &Parsed, items: &Items, findings: &mut Findings) {
    for (outcome, verbs) in &items.on {
        if verbs.contains(&Verb::Resolve) && !outcome.changes() {
            findings.warn(
                "resolves-unsolved",
                parsed.positions.span(&format!("items.on.{}", outcome.word())),
                format!(
                    "an item that ends as `{}` is marked as resolved at its source although nothing was changed",
                    outcome.word()
                ),
                format!("{}: [comment]", outcome.word()),
            );
        }
    }
}

fn listed(outcomes: &[Outcome]) -> String {
    let words: Vec<String> = outcomes.iter().map(|o| format!("`{}`", o.word())).collect();
    words.join(" or ")
}
