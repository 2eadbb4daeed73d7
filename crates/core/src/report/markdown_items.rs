//! The worklist in `report.md`: what became of how many, a table with a row an item, and the evidence of each below it.

use crate::ids::UnixMs;
use crate::item::WHOLE_INDEX;
use crate::report::ledger::{ItemRow, ItemsReport};
use crate::report::markdown::Page;
use crate::report::md::{cell_code, code, count, fence, number, text};

/// How many items the table lists.
const ROWS_SHOWN_MAX: usize = 1_000;
/// Of how many items the evidence is shown in full.
const DETAILS_SHOWN_MAX: usize = 300;
/// How many newcomers are listed.
const NEWCOMERS_SHOWN_MAX: usize = 30;
/// How many paths of an item are listed.
const PATHS_SHOWN_MAX: usize = 8;
/// How much of a title stands in a cell, bytes.
const TITLE_BYTES_MAX: usize = 120;
/// How much of an item's evidence stands in a cell, bytes.
const EVIDENCE_BYTES_MAX: usize = 160;
/// How much of an id, a path or an address stands in one place, bytes.
const NAME_BYTES_MAX: usize = 160;
/// How many characters of a hash people are shown.
const HASH_CHARS: usize = 10;

/// What became of the items, in one sentence: `15 of 15 items closed: fixed 9, diagnosed 6`.
pub(super) fn in_one_line(items: &ItemsReport) -> String {
    let counts = items.counts();
    let colon = if counts.is_empty() { "" } else { ": " };
    format!(
        "{} of {} closed{colon}{counts}",
        number(u64::from(items.closed)),
        count(u64::from(items.total), "item"),
    )
}

/// The section.
pub(super) fn section(page: &mut Page, items: &ItemsReport, times: &dyn Fn(UnixMs) -> String) {
    page.section("Items");
    let accounted = if items.accounted_for() {
        "every item is accounted for".to_owned()
    } else {
        format!(
            "**{} not closed**, of these {} never opened",
            number(u64::from(items.open)),
            number(u64::from(items.unopened))
        )
    };
    page.line(&format!(
        "From {}. {}; {accounted}. The list was frozen with the hash {}.",
        code(&items.source, NAME_BYTES_MAX),
        in_one_line(items),
        short(items.hash.as_str()),
    ));
    for note in &items.notes {
        page.line("");
        page.out.push_str(&fence(note.as_str(), ""));
    }
    table(page, items);
    if let Some(row) = &items.whole {
        page.line(&format!(
            "\nWith every item closed the whole did not pass its checks, and was worked on as well: {}, {}, {} tokens \
             ([the whole](#the-whole)).",
            ended(row),
            count(row.turns, "turn"),
            number(row.tokens.total),
        ));
    }
    acts(page, items);
    newcomers(page, items);
    let shown = items.rows.iter().filter(|row| row.outcome.is_some());
    for row in shown.clone().take(DETAILS_SHOWN_MAX) {
        details(page, row, times);
    }
    page.more(
        shown.clone().count() as u64,
        DETAILS_SHOWN_MAX.min(shown.count()),
    );
    if let Some(row) = &items.whole {
        details(page, row, times);
    }
}

fn table(page: &mut Page, items: &ItemsReport) {
    if items.rows.is_empty() {
        return;
    }
    page.line("");
    let detailed = items
        .rows
        .iter()
        .filter(|row| row.outcome.is_some())
        .nth(DETAILS_SHOWN_MAX)
        .map_or(u32::MAX, |row| row.index);
    let row = |row: &ItemRow| {
        let place = u64::from(row.index) + 1;
        let linked = row.outcome.is_some() && row.index < detailed;
        vec![
            if linked {
                format!("[{place}](#item-{place})")
            } else {
                place.to_string()
            },
            text(row.title.as_str(), TITLE_BYTES_MAX),
            ended(row),
            row.commit
                .as_ref()
                .map_or_else(|| "–".to_owned(), |commit| short(commit.as_str())),
            number(u64::from(row.attempts)),
            number(row.turns),
            number(row.tokens.total),
            text(row.first_line(), EVIDENCE_BYTES_MAX),
        ]
    };
    let shown = items.rows.len().min(ROWS_SHOWN_MAX);
    page.rows(
        &[
            "Item", "Title", "Ended", "Commit", "Refused", "Turns", "Tokens", "Evidence",
        ],
        items.rows.iter().take(shown).map(row),
    );
    let total = items.rows.len() as u64;
    page.more(total, shown);
    if items.unopened > 0 {
        page.line(&format!(
            "\n{} never opened (`overnight items` lists them all).",
            count(u64::from(items.unopened), "item")
        ));
    }
}

/// How it ended, or what it is at.
fn ended(row: &ItemRow) -> String {
    match (row.outcome, &row.same_as) {
        (Some(outcome), None) => format!("**{}**", outcome.word()),
        (Some(outcome), Some(same)) => format!(
            "**{}** with {}",
            outcome.word(),
            cell_code(same.as_str(), NAME_BYTES_MAX)
        ),
        (None, _) => format!("not closed ({})", row.state),
    }
}

fn acts(page: &mut Page, items: &ItemsReport) {
    let acts = items.acts;
    if acts.due == 0 {
        return;
    }
    page.line(&format!(
        "\nAt the source: {} of {} performed{}.",
        number(u64::from(acts.performed)),
        count(u64::from(acts.due), "act"),
        match acts.failed {
            0 => String::new(),
            failed => format!(", **{} failed**", number(u64::from(failed))),
        }
    ));
}

fn newcomers(page: &mut Page, items: &ItemsReport) {
    if let Some(why) = &items.not_looked {
        page.line(&format!(
            "\nWhether items appeared meanwhile is not known, because the source could not be read again: {}\n",
            text(why.as_str(), TITLE_BYTES_MAX)
        ));
    }
    if items.newcomers_total == 0 {
        return;
    }
    page.line(&format!(
        "\n{} appeared while the run worked and {} not worked on:\n",
        count(u64::from(items.newcomers_total), "item"),
        if items.newcomers_total == 1 {
            "was"
        } else {
            "were"
        }
    ));
    let shown = items.newcomers.len().min(NEWCOMERS_SHOWN_MAX);
    for item in items.newcomers.iter().take(shown) {
        page.line(&format!(
            "- {} {}",
            code(item.id.as_str(), NAME_BYTES_MAX),
            text(item.title.as_str(), TITLE_BYTES_MAX)
        ));
    }
    page.more(u64::from(items.newcomers_total), shown);
}

fn details(page: &mut Page, row: &ItemRow, times: &dyn Fn(UnixMs) -> String) {
    let heading = match row.index {
        WHOLE_INDEX => "The whole".to_owned(),
        index => format!("Item {}", u64::from(index) + 1),
    };
    page.line(&format!("\n### {heading}\n"));
    let commit = row
        .commit
        .as_ref()
        .map_or_else(String::new, |c| format!(", commit {}", short(c.as_str())));
    let when = row.closed_at.map_or_else(String::new, |at| {
        format!(", {}", text(&times(at), NAME_BYTES_MAX))
    });
    page.line(&format!(
        "{} {}: {}{commit}{when}.",
        code(row.id.as_str(), NAME_BYTES_MAX),
        text(row.title.as_str(), TITLE_BYTES_MAX),
        ended(row),
    ));
    if let Some(url) = &row.url {
        page.line(&format!("\nAt {}.", code(url, NAME_BYTES_MAX)));
    }
    let mut facts = Vec::new();
    if !row.checks.is_empty() {
        let checks: Vec<String> = row
            .checks
            .iter()
            .map(|c| {
                format!(
                    "{} {}",
                    code(c.id.as_str(), NAME_BYTES_MAX),
                    c.verdict.word()
                )
            })
            .collect();
        facts.push(format!("checks: {}", checks.join(", ")));
    }
    if !row.paths.is_empty() {
        let shown: Vec<String> = row
            .paths
            .iter()
            .take(PATHS_SHOWN_MAX)
            .map(|path| code(path, NAME_BYTES_MAX))
            .collect();
        let more = match row.paths.len().saturating_sub(PATHS_SHOWN_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        facts.push(format!("changed: {}{more}", shown.join(", ")));
    }
    if row.sent_back > 0 {
        facts.push(format!("sent back {}", times_word(row.sent_back)));
    }
    if row.denials > 0 {
        facts.push(format!("{} denied", count(row.denials, "action")));
    }
    for act in &row.acts {
        let why = act.error.as_ref().or(act.receipt.as_ref());
        let why = why.map_or_else(String::new, |why| {
            format!(" ({})", text(why.as_str(), NAME_BYTES_MAX))
        });
        facts.push(format!("{} {}{why}", act.verb, act.state));
    }
    if !facts.is_empty() {
        page.line("");
        for fact in facts {
            page.line(&format!("- {fact}"));
        }
    }
    if let Some(evidence) = &row.evidence {
        page.line("\nIts evidence, in its own words:\n");
        page.out.push_str(&fence(evidence.as_str(), ""));
    }
}

fn times_word(value: u32) -> String {
    match value {
        1 => "once".into(),
        more => format!("{more} times"),
    }
}

/// The beginning of a hash, as a code span.
fn short(id: &str) -> String {
    let short: String = id.chars().take(HASH_CHARS).collect();
    cell_code(&short, NAME_BYTES_MAX)
}
