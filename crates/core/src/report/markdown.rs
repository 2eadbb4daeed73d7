//! `report.md`: the report as a page that is read over the first coffee.
//!
//! Whatever comes from outside goes through [`md`](super::md), so that no text can forge a heading, a table row, a
//! link or a verdict. The first line says what the run is; a run that is not complete never looks like one that is.

use crate::check::Verdict;
use crate::goal::{Feedback, Role};
use crate::ids::UnixMs;
use crate::repo::How;
use crate::report::md::{cell_code, code, count, duration, fence, number, text};
use crate::report::{Attempt, AttemptResult, CheckRow, Report, WarningKind, markdown_items};
use crate::state::{Treatment, Why};
use crate::stop::Blocker;
use crate::turn::PlanStatus;

/// How many changed paths the page lists.
const CHANGES_SHOWN_MAX: usize = 50;
/// How many checkpoints the page lists.
const ATTEMPTS_SHOWN_MAX: usize = 40;
/// How many denied actions the page lists.
const DENIALS_SHOWN_MAX: usize = 200;
/// How many entries of any other list the page shows.
const LIST_SHOWN_MAX: usize = 30;
/// How many names stand in one sentence.
const NAMES_SHOWN_MAX: usize = 8;
/// How much of the outcome stands in the heading, bytes.
const HEADING_BYTES_MAX: usize = 300;
/// How much of a reason stands in a sentence or cell, bytes.
const REASON_BYTES_MAX: usize = 300;
/// How much of a path, command or name stands in one place, bytes.
const NAME_BYTES_MAX: usize = 160;
/// How many characters of a hash people are shown.
const HASH_CHARS: usize = 10;

/// Renders `report.md`. `times` says a moment as the reader's clock does.
pub fn to_markdown(report: &Report, times: &dyn Fn(UnixMs) -> String) -> String {
    let mut page = Page { out: String::new() };
    heading(&mut page, report);
    warnings(&mut page, report);
    facts(&mut page, report, times);
    checks(&mut page, report);
    if let Some(items) = &report.items {
        markdown_items::section(&mut page, items, times);
    }
    help(&mut page, report);
    changes(&mut page, report);
    artefacts(&mut page, report);
    tried(&mut page, report, times);
    cost(&mut page, report, times);
    denied(&mut page, report);
    own_words(&mut page, report);
    yourself(&mut page, report);
    page.line("");
    page.line("---");
    page.line("");
    page.line(&format!(
        "Rendered by overnight {} from the {} of run {}. A model wrote nothing here but what stands in blocks that \
         say so.",
        text(&report.overnight, NAME_BYTES_MAX),
        count(report.events, "event"),
        code(report.id.as_str(), NAME_BYTES_MAX),
    ));
    page.out
}

/// The page so far.
pub(super) struct Page {
    pub(super) out: String,
}

impl Page {
    pub(super) fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    pub(super) fn section(&mut self, title: &str) {
        self.out.push_str(&format!("\n## {title}\n\n"));
    }

    pub(super) fn rows(&mut self, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
        self.line(&format!("| {} |", head.join(" | ")));
        self.line(&format!("|{}", " --- |".repeat(head.len())));
        for row in rows {
            self.line(&format!("| {} |", row.join(" | ")));
        }
    }

    pub(super) fn more(&mut self, total: u64, shown: usize) {
        let more = total.saturating_sub(shown as u64);
        if more > 0 {
            self.line(&format!(
                "\nand {} more (`report.json` has the rest).",
                number(more)
            ));
        }
    }
}

/// What the run is, in the words that head the page.
fn state_of(report: &Report) -> String {
    if report.complete {
        return "Complete".into();
    }
    if !report.ended {
        return format!(
            "Not complete, still {}",
            text(&report.status, NAME_BYTES_MAX)
        );
    }
    match report.stop_reason.as_deref() {
        Some("complete") => "Not complete: verified, but not delivered".into(),
        Some("out_of_budget") => "Not complete, out of budget".into(),
        Some("stopped") => "Not complete, stopped by a person".into(),
        Some("refused") => "Not run, the goal is refused".into(),
        Some(word) => format!("Not complete, {}", text(word, NAME_BYTES_MAX)),
        None => "Not complete, ended without a reason".into(),
    }
}

fn heading(page: &mut Page, report: &Report) {
    let state = state_of(report);
    page.line(&format!(
        "# {state}: {}",
        text(&report.outcome, HEADING_BYTES_MAX)
    ));
    page.line("");
    let exit = report
        .exit_code
        .map_or_else(String::new, |code| format!(" Exit code {code}."));
    let reason = text(&report.reason, REASON_BYTES_MAX);
    page.line(&format!("**{state}.** {reason}{}{exit}", standing(report)));
}

/// How many checks hold, where the run is not complete.
fn standing(report: &Report) -> String {
    let checks = report.checks.len() as u64;
    if report.complete || checks == 0 || report.stop_reason.as_deref() == Some("refused") {
        return String::new();
    }
    if report.tree.is_none() {
        return " No check was run on any work.".to_owned();
    }
    let open: Vec<&str> = report
        .checks
        .iter()
        .filter(|c| !c.holds())
        .map(|c| c.id.as_str())
        .collect();
    if open.is_empty() {
        return format!(
            " All {} hold on the newest tree all the same.",
            count(checks, "check")
        );
    }
    let held = checks - open.len() as u64;
    format!(
        " Of {}, {held} hold{} on the newest tree; open: {}.",
        count(checks, "check"),
        s(held),
        names(&open)
    )
}

fn s(value: u64) -> &'static str {
    if value == 1 { "s" } else { "" }
}

fn names(list: &[&str]) -> String {
    let shown: Vec<String> = list
        .iter()
        .take(NAMES_SHOWN_MAX)
        .map(|n| code(n, NAME_BYTES_MAX))
        .collect();
    match list.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn warnings(page: &mut Page, report: &Report) {
    for warning in &report.warnings {
        let title = match warning.kind {
            WarningKind::ScriptedModel => "Scripted model",
            WarningKind::NoSandbox => "No sandbox",
            WarningKind::NotDelivered => "Not delivered",
            WarningKind::DeliveredOlder => "An older result was delivered",
            WarningKind::StaleVerdicts => "Old verdicts",
            WarningKind::DirtyBase => "Uncommitted changes were left out",
            WarningKind::MissingParts => "Parts are missing",
            WarningKind::FlakyCheck => "Flaky",
            WarningKind::PassesOnBase => "Proves nothing",
            WarningKind::PriceUnknown => "Money was not limited",
        };
        page.line("");
        page.line(&format!(
            "> **{title}.** {}",
            text(&warning.text, REASON_BYTES_MAX * 2)
        ));
    }
}

fn facts(page: &mut Page, report: &Report, times: &dyn Fn(UnixMs) -> String) {
    page.line("");
    match (&report.branch, report.delivery.kind) {
        (Some(branch), _) => {
            let commit = report
                .commit
                .as_ref()
                .map_or_else(String::new, |c| format!(", commit {}", hash(c.as_str())));
            page.line(&format!(
                "- Result: branch {}{commit}",
                code(branch, NAME_BYTES_MAX)
            ));
        }
        (None, "patch") => {
            let folder = report.delivery.folder.as_deref().unwrap_or_default();
            page.line(&format!(
                "- Result: patches in {}",
                code(folder, NAME_BYTES_MAX)
            ));
        }
        (None, "nothing") => page.line("- Result: nothing to deliver"),
        (None, _) => page.line("- Result: nothing was delivered"),
    }
    if let Some(base) = &report.base {
        let branch = base
            .branch
            .as_ref()
            .map_or_else(String::new, |b| format!(" on {}", code(b, NAME_BYTES_MAX)));
        page.line(&format!(
            "- Base: commit {}{branch}",
            hash(base.commit.as_str())
        ));
    }
    let scripted = if report.scripted { " (a script)" } else { "" };
    page.line(&format!(
        "- Model: {}{scripted}",
        code(&report.model, NAME_BYTES_MAX)
    ));
    page.line(&format!(
        "- Sandbox: {}",
        code(&report.sandbox, NAME_BYTES_MAX)
    ));
    if let Some(items) = &report.items {
        page.line(&format!("- Items: {}", markdown_items::in_one_line(items)));
        if items.acts.failed > 0 {
            page.line(&format!(
                "- At their source: **{} of {} acts could not be performed**, see below",
                items.acts.failed, items.acts.due
            ));
        }
    }
    page.line(&format!(
        "- Goal: {}, run {}, {} to {}",
        code(&report.goal, NAME_BYTES_MAX),
        code(&report.short, NAME_BYTES_MAX),
        text(&times(report.time.from), NAME_BYTES_MAX),
        text(&times(report.time.to), NAME_BYTES_MAX),
    ));
}

fn checks(page: &mut Page, report: &Report) {
    if report.checks.is_empty() {
        return;
    }
    page.section("Checks");
    let row = |check: &CheckRow| {
        let took = check
            .now
            .as_ref()
            .map(|n| duration(n.receipt.duration_ms))
            .unwrap_or_default();
        let reason = match (&check.now, &check.base) {
            (Some(found), _) => found.reason.clone(),
            (None, Some(found)) => format!("on the base: {}", found.reason),
            (None, None) => String::new(),
        };
        vec![
            format!(
                "{} {}",
                cell_code(check.id.as_str(), NAME_BYTES_MAX),
                text(&check.kind, NAME_BYTES_MAX)
            ),
            on_base(check),
            now(check),
            text(&reason, REASON_BYTES_MAX),
            took,
        ]
    };
    page.rows(
        &["Check", "On the base", "Now", "Why", "Took"],
        report.checks.iter().map(row),
    );
    for check in &report.checks {
        let Some(hidden) = &check.hidden else {
            continue;
        };
        let heard = match hidden.feedback {
            Feedback::Full => "everything",
            Feedback::Names => "names and numbers",
            Feedback::Verdict => "only its verdict",
            Feedback::None => "nothing",
        };
        page.line(&format!(
            "\n{} ran with hidden files: {} (SHA-256 {}); the model heard {heard} of it.",
            code(check.id.as_str(), NAME_BYTES_MAX),
            code(&hidden.path, NAME_BYTES_MAX),
            hidden
                .hash
                .as_ref()
                .map_or("–".to_owned(), |b| hash(b.as_str())),
        ));
    }
    for check in report.checks.iter().filter(|c| !c.holds()) {
        let Some(evidence) = &check.evidence else {
            continue;
        };
        page.line(&format!(
            "\nWhat {} showed last:\n",
            code(check.id.as_str(), NAME_BYTES_MAX)
        ));
        page.out.push_str(&fence(evidence.as_str(), ""));
    }
}

fn on_base(check: &CheckRow) -> String {
    let verdict = check.base.as_ref().map_or("not run", |b| b.verdict.word());
    let flaky = if check.base.as_ref().is_some_and(|b| b.flaky) {
        ", flaky"
    } else {
        ""
    };
    let treatment = match check.treatment {
        Treatment::MustChange => ", must change",
        Treatment::MustStay => ", must stay",
        Treatment::Unknown if check.base.is_some() => ", must pass",
        Treatment::Unknown => "",
    };
    format!("{verdict}{flaky}{treatment}")
}

fn now(check: &CheckRow) -> String {
    match &check.now {
        None => "not run".to_owned(),
        Some(found) if !check.current => format!("not run (was: {})", found.verdict.word()),
        Some(found) => format!("**{}**", found.verdict.word()),
    }
}

fn help(page: &mut Page, report: &Report) {
    let Some(help) = &report.help else { return };
    let (who, next) = match help.by {
        Blocker::Model => (
            "The model asks, in its own words:",
            format!("overnight answer {} \"TEXT\"", report.short),
        ),
        Blocker::NoProgress => (
            "The harness asks:",
            format!("overnight answer {} \"TEXT\"", report.short),
        ),
        Blocker::Provider => (
            "The harness asks:",
            format!("overnight resume {}", report.short),
        ),
    };
    page.section("What it needs from you");
    page.line(who);
    page.line("");
    let said = format!(
        "{}\n\nTried: {}\n\nWould unlock it: {}",
        help.question.as_str(),
        help.tried.as_str(),
        help.unlock.as_str()
    );
    page.out.push_str(&fence(&said, ""));
    page.line(&format!(
        "\nThe same run goes on after {}.",
        code(&next, NAME_BYTES_MAX)
    ));
}

fn changes(page: &mut Page, report: &Report) {
    if report.tree.is_none() {
        return;
    }
    page.section("What changed");
    if report.changed_paths == 0 {
        page.line("Nothing differs from the base.");
        return;
    }
    page.line(&format!(
        "{}, {} added, {} removed.{}\n",
        count(report.changed_paths, "path"),
        count(report.lines_added, "line"),
        count(report.lines_removed, "line"),
        if report.tree_current {
            ""
        } else {
            " More was done after this was fixed; it is not listed."
        },
    ));
    let shown = report.changes.len().min(CHANGES_SHOWN_MAX);
    let row = |change: &crate::repo::Changed| {
        let how = match change.how {
            How::Added => "added",
            How::Modified => "modified",
            How::Deleted => "deleted",
        };
        vec![
            cell_code(&change.path, NAME_BYTES_MAX),
            how.to_owned(),
            format!("+{} −{}", number(change.added), number(change.removed)),
        ]
    };
    page.rows(
        &["Path", "How", "Lines"],
        report.changes.iter().take(shown).map(row),
    );
    page.more(report.changed_paths, shown);
}

fn artefacts(page: &mut Page, report: &Report) {
    if report.artefacts.is_empty() {
        return;
    }
    page.section("Not delivered");
    page.line("These came into being and are taken for build artefacts:\n");
    for path in report.artefacts.iter().take(LIST_SHOWN_MAX) {
        page.line(&format!("- {}", code(path, NAME_BYTES_MAX)));
    }
    let total =
        report.artefacts.len() as u64 + report.left_out.get("artefacts").copied().unwrap_or(0);
    page.more(total, LIST_SHOWN_MAX.min(report.artefacts.len()));
}

fn tried(page: &mut Page, report: &Report, times: &dyn Fn(UnixMs) -> String) {
    if report.attempts.is_empty() && report.person.is_empty() && report.restarts == 0 {
        return;
    }
    page.section("What was tried");
    page.line(&format!(
        "{}, {}, {}.",
        count(report.turns, "turn"),
        count(u64::from(report.claims), "claim"),
        count(u64::from(report.checkpoints), "checkpoint"),
    ));
    if !report.attempts.is_empty() {
        page.line("");
    }
    let left_out = report.left_out.get("attempts").copied().unwrap_or(0);
    let skipped = report.attempts.len().saturating_sub(ATTEMPTS_SHOWN_MAX);
    for (at, tried) in report.attempts.iter().enumerate() {
        // The first and the last ones tell most.
        let first = ATTEMPTS_SHOWN_MAX / 2;
        if skipped > 0 && at == first {
            page.line(&format!("- … {} more …", number(skipped as u64 + left_out)));
        }
        if skipped == 0 || at < first || at >= first + skipped {
            attempt(page, tried);
        }
    }
    person(page, report, times);
    if report.restarts > 0 {
        let interrupted = match report.interrupted {
            0 => "no tool call".to_owned(),
            calls => count(calls, "tool call"),
        };
        let often = times_word(u64::from(report.restarts));
        page.line(&format!(
            "\nA new process took over {often}; {interrupted} had been under way."
        ));
    }
}

fn times_word(value: u64) -> String {
    if value == 1 {
        "once".into()
    } else {
        format!("{} times", number(value))
    }
}

fn attempt(page: &mut Page, attempt: &Attempt) {
    let what = match (attempt.why, attempt.result) {
        (_, AttemptResult::Accepted) if attempt.why == Why::Claim => {
            "the model claimed to be done: **accepted**"
        }
        (_, AttemptResult::Accepted) => "the harness looked: **everything passes**",
        (Why::Claim, AttemptResult::Rejected) => "the model claimed to be done: **rejected**",
        (Why::Claim, AttemptResult::GivenUp) => {
            "the model claimed to be done: broken off before it was checked"
        }
        (Why::Claim, _) => "the model claimed to be done: being checked",
        (_, AttemptResult::GivenUp) => "the harness looked: broken off",
        (_, AttemptResult::UnderWay) => "the harness looks",
        (Why::Routine, _) => "the harness looked, many turns without a claim",
        (Why::Silence, _) => "the harness looked, the model only talked",
        (Why::Worklist, _) => "every item was closed, and the harness looked at the whole",
        (Why::Ending, _) => "the harness looked at the end",
        (Why::Stopping, _) => "a person stopped it; only the diff was checked",
    };
    let same = if attempt.same_tree {
        ", nothing had changed"
    } else {
        ""
    };
    let finished = !matches!(
        attempt.result,
        AttemptResult::GivenUp | AttemptResult::UnderWay
    );
    let progress = match attempt.progress {
        _ if !finished
            || attempt.result == AttemptResult::Accepted
            || attempt.why == Why::Stopping =>
        {
            ""
        }
        true => ", nearer than before",
        false => ", no progress",
    };
    page.line(&format!("- Turn {}: {what}{same}{progress}.", attempt.turn));
    if attempt.why != Why::Stopping {
        for open in attempt.open.iter().take(NAMES_SHOWN_MAX) {
            let verdict = open.verdict.map_or("not run", Verdict::word);
            let reason = text(&open.reason, REASON_BYTES_MAX);
            let colon = if reason.is_empty() { "" } else { ": " };
            page.line(&format!(
                "  - {} {verdict}{colon}{reason}",
                code(open.id.as_str(), NAME_BYTES_MAX)
            ));
        }
        if attempt.open.len() > NAMES_SHOWN_MAX {
            page.line(&format!(
                "  - and {} more",
                attempt.open.len() - NAMES_SHOWN_MAX
            ));
        }
    }
    if let Some(summary) = &attempt.summary {
        page.line("\n  Its words:\n");
        page.out.push_str(&fence(summary.as_str(), "  "));
    }
}

fn person(page: &mut Page, report: &Report, times: &dyn Fn(UnixMs) -> String) {
    if report.person.is_empty() {
        return;
    }
    page.line("\nWhat people said:\n");
    for said in report.person.iter().take(LIST_SHOWN_MAX) {
        page.line(&format!(
            "- {}, after turn {}: {}",
            text(&times(said.at), NAME_BYTES_MAX),
            said.turn,
            said.what
        ));
        if let Some(answer) = &said.text {
            page.line("");
            page.out.push_str(&fence(answer.as_str(), "  "));
        }
    }
    page.more(
        report.person.len() as u64,
        LIST_SHOWN_MAX.min(report.person.len()),
    );
}

fn cost(page: &mut Page, report: &Report, times: &dyn Fn(UnixMs) -> String) {
    page.section("What it cost");
    let limits = &report.limits;
    let of =
        |limit: Option<String>| limit.map_or_else(|| "no limit".to_owned(), |l| format!("of {l}"));
    let t = &report.tokens;
    let rows = [
        vec![
            "Turns".into(),
            number(report.turns),
            of(Some(number(limits.turns))),
        ],
        vec![
            "Tokens".into(),
            format!(
                "{}, of these {} billed ({} in, {} of them cached; {} out)",
                number(t.total),
                number(t.billed),
                number(t.input),
                number(t.cached),
                number(t.output)
            ),
            of(limits.tokens.map(number)),
        ],
        vec![
            "Money".into(),
            report.usd.map_or_else(
                || "not known".to_owned(),
                |usd| format!("{usd:.2} US dollars"),
            ),
            of(limits.usd.map(|usd| format!("{usd:.2}"))),
        ],
        vec![
            "Time".into(),
            format!(
                "{} at work, {} waiting",
                duration(report.time.active_ms),
                duration(report.time.waiting_ms)
            ),
            of(Some(match limits.active {
                None => format!("{} h", limits.hours),
                Some(active) => format!("{} h, {active} h at work", limits.hours),
            })),
        ],
        vec!["Commands".into(), number(report.commands), String::new()],
    ];
    page.rows(&["What", "Used", "Limit"], rows.into_iter());
    if !report.model_failures.is_empty() {
        page.line("\nModel calls that failed:\n");
        for failure in &report.model_failures {
            let kind = failure_word(failure.kind);
            let last = code(failure.last.as_str(), REASON_BYTES_MAX);
            page.line(&format!(
                "- {kind}: {}, last with {last}",
                times_word(failure.count)
            ));
        }
    }
    if !report.waits.is_empty() {
        page.line("\nWaits:\n");
        for wait in report.waits.iter().take(LIST_SHOWN_MAX) {
            let lasted = match wait.to {
                Some(to) => duration(to.saturating_sub(wait.from)),
                None => format!("until {}", text(&times(wait.until), NAME_BYTES_MAX)),
            };
            let why = code(wait.why.as_str(), REASON_BYTES_MAX);
            page.line(&format!("- after turn {}: {lasted}, for {why}", wait.turn));
        }
        let total = report.waits.len() as u64 + report.left_out.get("waits").copied().unwrap_or(0);
        page.more(total, LIST_SHOWN_MAX.min(report.waits.len()));
    }
}

fn failure_word(kind: crate::turn::ModelErrorKind) -> &'static str {
    use crate::turn::ModelErrorKind as Kind;
    match kind {
        Kind::RateLimited => "rate limited",
        Kind::Unavailable => "unavailable",
        Kind::Network => "no connection",
        Kind::Cut => "cut off",
        Kind::Malformed => "unreadable",
        Kind::ContextOverflow => "too long for the model",
        Kind::Refused => "refused",
        Kind::ScriptEnded => "script ended",
    }
}

fn denied(page: &mut Page, report: &Report) {
    if report.denials_total == 0 {
        return;
    }
    page.section("Denied");
    page.line(&format!(
        "{} denied.\n",
        count(report.denials_total, "action")
    ));
    let shown = report.denials.len().min(DENIALS_SHOWN_MAX);
    let row = |denial: &crate::report::Denied| {
        let turn = match &denial.item {
            Some(item) => format!(
                "{} of {}",
                denial.turn,
                cell_code(item.as_str(), NAME_BYTES_MAX)
            ),
            None => denial.turn.to_string(),
        };
        vec![
            turn,
            cell_code(&denial.rule, NAME_BYTES_MAX),
            cell_code(denial.what.as_str(), NAME_BYTES_MAX),
            number(denial.count),
        ]
    };
    page.rows(
        &["Turn", "Rule", "What was attempted", "Times"],
        report.denials.iter().take(shown).map(row),
    );
    let left_out = report.left_out.get("denials").copied().unwrap_or(0);
    page.more(report.denials.len() as u64 + left_out, shown);
}

fn own_words(page: &mut Page, report: &Report) {
    if report.notes.is_empty() && report.plan.is_empty() {
        return;
    }
    page.section("Notes of the model (its own words)");
    page.line("Nothing here was checked.");
    let last = report.notes.len().saturating_sub(LIST_SHOWN_MAX);
    for note in &report.notes[last..] {
        page.line(&format!("\nTurn {}:\n", note.turn));
        page.out.push_str(&fence(note.text.as_str(), ""));
    }
    if !report.plan.is_empty() {
        page.line("\nIts plan:\n");
        let steps = report.plan.iter().take(LIST_SHOWN_MAX).map(|step| {
            let mark = match step.status {
                PlanStatus::Open => "open ",
                PlanStatus::Doing => "doing",
                PlanStatus::Done => "done ",
            };
            format!("{mark}  {}", step.step.as_str())
        });
        page.out
            .push_str(&fence(&steps.collect::<Vec<_>>().join("\n"), ""));
        page.more(
            report.plan.len() as u64,
            LIST_SHOWN_MAX.min(report.plan.len()),
        );
    }
}

fn yourself(page: &mut Page, report: &Report) {
    page.section("How to check it yourself");
    page.line("Every check again, from a fresh clone, compared with this report:\n");
    page.out.push_str(&fence(&report.rerun.verify, ""));
    if !report.rerun.git.is_empty() {
        let branch = if report.branch.is_some() {
            " (the branch is in your repository; nothing was pushed)"
        } else {
            ""
        };
        page.line(&format!("\nThe result{branch}:\n"));
        page.out.push_str(&fence(&report.rerun.git.join("\n"), ""));
    }
    if !report.rerun.commands.is_empty() {
        page.line("\nThe checks' commands, by hand:\n");
        page.out
            .push_str(&fence(&report.rerun.commands.join("\n"), ""));
    }
    let proven: Vec<&CheckRow> = report.checks.iter().filter(|c| c.now.is_some()).collect();
    if proven.is_empty() {
        return;
    }
    page.line("\nReceipts:\n");
    let row = |check: &&CheckRow| {
        let receipt = check
            .now
            .as_ref()
            .map(|n| n.receipt.clone())
            .unwrap_or_default();
        let blob = |id: &Option<crate::ids::BlobId>| {
            id.as_ref().map_or("–".to_owned(), |b| hash(b.as_str()))
        };
        let role = match check.role {
            Role::Done => "done",
            Role::Keep => "keep",
        };
        let command = if receipt.command.is_empty() {
            text(&check.wants, NAME_BYTES_MAX)
        } else {
            cell_code(&receipt.command, NAME_BYTES_MAX)
        };
        vec![
            cell_code(check.id.as_str(), NAME_BYTES_MAX),
            role.to_owned(),
            command,
            receipt.exit.map_or("–".to_owned(), |code| code.to_string()),
            hash(receipt.tree.as_str()),
            blob(&receipt.output),
            blob(&receipt.observation),
        ]
    };
    let head = [
        "Check",
        "List",
        "Ran",
        "Exit",
        "Tree",
        "Output",
        "Observation",
    ];
    page.rows(&head, proven.iter().map(row));
    let environments: std::collections::BTreeSet<&str> = proven
        .iter()
        .filter_map(|c| c.now.as_ref().map(|n| n.receipt.environment.as_str()))
        .filter(|e| !e.is_empty())
        .collect();
    for environment in environments.iter().take(NAMES_SHOWN_MAX) {
        page.line(&format!(
            "\nEnvironment: {}",
            text(environment, REASON_BYTES_MAX)
        ));
    }
}

/// The beginning of a hash, as a code span.
fn hash(id: &str) -> String {
    let short: String = id.chars().take(HASH_CHARS).collect();
    cell_code(&short, NAME_BYTES_MAX)
}
