//! Rows of a screen: signs, columns and tones, without their place.

use overnight_core::check::Verdict;
use overnight_core::turn::PlanStatus;
use ratatui::text::{Line, Span};

use super::fold::{CheckRow, ItemRow, LogRow, Standing};
use super::look::{Look, Sign, Tone};
use super::text::{cells, fit, width};

/// The widest that the column of check ids gets, columns.
const ID_WIDTH_MAX: usize = 24;
/// From this width on it is told that a row was cut, columns.
const CUT_TOLD_FROM: usize = 4;
/// The least space between the two sides of a row, columns.
const SIDE_GAP: usize = 2;

/// A piece of text from outside in a tone.
pub fn piece(text: &str, tone: Tone, look: Look) -> Span<'static> {
    Span::styled(cells(text, look), look.style(tone))
}

/// The program's own text in a tone: it keeps its spaces.
pub fn own(text: impl Into<String>, tone: Tone, look: Look) -> Span<'static> {
    Span::styled(text.into(), look.style(tone))
}

/// A row that fits: what is too much is cut from its end, and the end says so.
pub fn shorten(line: Line<'static>, columns: usize, look: Look) -> Line<'static> {
    if line.width() <= columns {
        return line;
    }
    let mut spans = Vec::new();
    let mut left = columns;
    for span in line.spans {
        let span_width = span.width();
        if span_width < left {
            left -= span_width;
            spans.push(span);
            continue;
        }
        // Longer than it is, so that the cut is told also where it falls between two pieces. In the narrowest of
        // columns what is there says more than that something is not.
        let content = match columns {
            ..CUT_TOLD_FROM => span.content.trim_end().to_owned(),
            _ => format!("{}{}", span.content, look.cut()),
        };
        spans.push(Span::styled(fit(&content, left, look), span.style));
        break;
    }
    Line::from(spans)
}

/// A row with something at its left end and something at its right end. The left gives way, and the right if nothing
/// else helps.
pub fn sides(
    left: Vec<Span<'static>>,
    right: Vec<Span<'static>>,
    columns: usize,
    look: Look,
) -> Line<'static> {
    let right_width: usize = right.iter().map(Span::width).sum();
    if right_width == 0 || right_width + SIDE_GAP > columns / 3 {
        return Line::from(left);
    }
    let room = columns - right_width - SIDE_GAP;
    let mut line = shorten(Line::from(left), room, look);
    let gap = columns - right_width - line.width().min(room);
    line.spans.push(Span::raw(" ".repeat(gap)));
    line.spans.extend(right);
    line
}

fn pad(text: &str, columns: usize, look: Look) -> String {
    let text = fit(text, columns, look);
    let gap = columns.saturating_sub(width(&text));
    format!("{text}{}", " ".repeat(gap))
}

/// How a check stands: its sign, its word and their tone. What is over is told in the past tense.
fn told(standing: Standing) -> (Sign, &'static str, Tone) {
    match standing {
        Standing::Now(Verdict::Pass) => (Sign::Pass, "pass", Tone::Good),
        Standing::Now(Verdict::Fail) => (Sign::Fail, "fail", Tone::Bad),
        Standing::Now(Verdict::CannotTell) => (Sign::Unknown, "cannot tell", Tone::Care),
        Standing::Earlier(Verdict::Pass) => (Sign::Pass, "passed", Tone::Quiet),
        Standing::Earlier(Verdict::Fail) => (Sign::Fail, "failed", Tone::Quiet),
        Standing::Earlier(Verdict::CannotTell) => (Sign::Unknown, "cannot tell", Tone::Quiet),
        Standing::Runs => (Sign::Busy, "runs", Tone::Busy),
        Standing::Open => (Sign::Open, "not run yet", Tone::Quiet),
    }
}

/// At most `room` rows of checks. If they are too many, those that hold give way.
pub fn checks(checks: &[CheckRow], room: usize, look: Look) -> Vec<Line<'static>> {
    let shown = choose(checks, room);
    let word_width = shown.iter().map(|c| width(told(c.standing).1)).max();
    let ids: Vec<String> = shown.iter().map(|c| cells(&c.id, look)).collect();
    let id_width = ids.iter().map(|id| width(id)).max().unwrap_or(0);
    let (word_width, id_width) = (word_width.unwrap_or(0), id_width.min(ID_WIDTH_MAX));
    let mut rows: Vec<Line<'static>> = shown
        .iter()
        .zip(ids)
        .map(|(check, id)| {
            let (sign, word, tone) = told(check.standing);
            let text = match check.standing {
                Standing::Earlier(_) => Tone::Quiet,
                _ => Tone::Plain,
            };
            Line::from(vec![
                own(format!("{} ", look.sign(sign)), tone, look),
                own(format!("{}  ", pad(word, word_width, look)), tone, look),
                own(
                    format!("{}  ", pad(&id, id_width, look)),
                    Tone::Strong,
                    look,
                ),
                piece(&check.reason, text, look),
            ])
        })
        .collect();
    let hidden = checks.len() - shown.len();
    if hidden > 0 && room > 0 {
        rows.push(Line::from(own(
            format!("  and {hidden} more"),
            Tone::Quiet,
            look,
        )));
    }
    rows
}

/// The checks that fit, in their order: what does not hold before what does.
fn choose(checks: &[CheckRow], room: usize) -> Vec<&CheckRow> {
    if checks.len() <= room {
        return checks.iter().collect();
    }
    let rank = |c: &CheckRow| match c.standing {
        Standing::Now(Verdict::Fail | Verdict::CannotTell) | Standing::Runs => 0,
        Standing::Earlier(Verdict::Fail | Verdict::CannotTell) => 1,
        Standing::Open => 2,
        Standing::Now(Verdict::Pass) | Standing::Earlier(Verdict::Pass) => 3,
    };
    let mut order: Vec<usize> = (0..checks.len()).collect();
    order.sort_by_key(|at| rank(&checks[*at]));
    // One row tells how many there are besides.
    order.truncate(room.saturating_sub(1));
    order.sort_unstable();
    order.into_iter().map(|at| &checks[at]).collect()
}

/// A bar of so many columns: the part that is done, and the rest. It is full only if everything is done.
pub fn bar(done: u32, total: u32, columns: usize, look: Look) -> (String, String) {
    let (full, empty) = look.filled();
    let share = match total {
        0 => columns,
        _ => (u64::from(done) * columns as u64 / u64::from(total)) as usize,
    };
    let share = share.min(columns);
    (full.repeat(share), empty.repeat(columns - share))
}

/// At most `room` rows of items that are worked on.
pub fn items(items: &[ItemRow], room: usize, look: Look) -> Vec<Line<'static>> {
    let shown = match items.len() {
        n if n <= room => n,
        _ => room.saturating_sub(1),
    };
    let ids: Vec<String> = items[..shown]
        .iter()
        .map(|item| cells(&item.id, look))
        .collect();
    let widest = |of: &mut dyn Iterator<Item = usize>| of.max().unwrap_or(0);
    let id_width = widest(&mut ids.iter().map(|id| width(id))).min(ID_WIDTH_MAX);
    let word_width = widest(&mut items[..shown].iter().map(|item| width(item.status)));
    let mut rows: Vec<Line<'static>> = items[..shown]
        .iter()
        .zip(ids)
        .map(|(item, id)| {
            let tone = match item.status {
                "waiting" | "queued" => Tone::Quiet,
                _ => Tone::Busy,
            };
            Line::from(vec![
                own(format!("{} ", look.sign(Sign::Busy)), tone, look),
                own(
                    format!("{}  ", pad(&id, id_width, look)),
                    Tone::Strong,
                    look,
                ),
                own(
                    format!("{}  ", pad(item.status, word_width, look)),
                    tone,
                    look,
                ),
                piece(&item.doing, Tone::Plain, look),
            ])
        })
        .collect();
    let hidden = items.len() - shown;
    if hidden > 0 && room > 0 {
        rows.push(Line::from(own(
            format!("  and {hidden} more"),
            Tone::Quiet,
            look,
        )));
    }
    rows
}

/// At most `room` rows of the plan, around the step that is being done.
pub fn plan(steps: &[(PlanStatus, String)], room: usize, look: Look) -> Vec<Line<'static>> {
    let at = steps
        .iter()
        .position(|(status, _)| *status != PlanStatus::Done);
    // One step that is done stays in sight above it.
    let at = at.unwrap_or(steps.len()).saturating_sub(1);
    let from = at.min(steps.len().saturating_sub(room));
    let shown = steps.iter().skip(from).take(room);
    shown
        .map(|(status, step)| {
            let (sign, tone) = match status {
                PlanStatus::Done => (Sign::Pass, Tone::Quiet),
                PlanStatus::Doing => (Sign::Busy, Tone::Plain),
                PlanStatus::Open => (Sign::Open, Tone::Plain),
            };
            Line::from(vec![
                own(format!("{} ", look.sign(sign)), tone, look),
                piece(step, tone, look),
            ])
        })
        .collect()
}

/// The newest lines of what happened, oldest first.
pub fn log<'a>(
    rows: impl DoubleEndedIterator<Item = &'a LogRow>,
    room: usize,
    begun: u64,
    look: Look,
) -> Vec<Line<'static>> {
    let mut newest: Vec<&LogRow> = rows.rev().take(room).collect();
    newest.reverse();
    newest
        .into_iter()
        .map(|row| {
            let tone = match row.text.chars().next() {
                Some('✓') => Tone::Good,
                Some('✗') => Tone::Bad,
                Some('?') => Tone::Care,
                _ => Tone::Plain,
            };
            let since = super::figures::clock(row.at.saturating_sub(begun));
            Line::from(vec![
                own(format!("{since}  "), Tone::Quiet, look),
                piece(&row.text, tone, look),
            ])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, standing: Standing) -> CheckRow {
        CheckRow {
            id: id.to_owned(),
            standing,
            reason: String::new(),
        }
    }

    #[test]
    fn where_there_is_little_room_what_fails_is_shown() {
        let all = [
            row("a", Standing::Now(Verdict::Pass)),
            row("b", Standing::Now(Verdict::Fail)),
            row("c", Standing::Now(Verdict::Pass)),
            row("d", Standing::Now(Verdict::CannotTell)),
        ];
        let ids = |room| -> Vec<&str> {
            choose(&all, room)
                .into_iter()
                .map(|c| c.id.as_str())
                .collect()
        };
        assert_eq!(ids(4), ["a", "b", "c", "d"]);
        assert_eq!(ids(3), ["b", "d"]);
        assert_eq!(ids(1), Vec::<&str>::new());
        let look = Look {
            color: false,
            unicode: true,
        };
        assert_eq!(checks(&all, 0, look).len(), 0);
        assert_eq!(checks(&all, 1, look)[0].to_string(), "  and 4 more");
    }
}
