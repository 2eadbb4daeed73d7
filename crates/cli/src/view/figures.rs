//! What was used, of what there is: turns, tokens, money, time.

use ratatui::text::Line;

use super::fold::{Time, View};
use super::look::{Look, Tone};
use super::rows::own;
use super::text::width;
use super::{Moment, Presence};

/// Share of a limit from which on it is told, percent.
const NEAR_PERCENT: u64 = 80;
/// Milliseconds in an hour.
const HOUR_MS: f64 = 3_600_000.0;
/// Columns of a label.
const LABEL_WIDTH: usize = 9;
/// Figures in a row of the table.
const COLUMNS: usize = 3;
/// The widest that one of them gets, columns.
const COLUMN_WIDTH_MAX: usize = 32;
/// The least space between two figures, columns.
const GAP: usize = 2;

/// One figure.
struct Figure {
    label: &'static str,
    says: String,
    tone: Tone,
}

/// A length of time that runs: `0:12:41`.
pub fn clock(ms: u64) -> String {
    let s = ms / 1_000;
    format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

/// A count in four or five characters: `812`, `14.7k`, `2M`.
pub fn count(n: u64) -> String {
    let scaled = |unit: u64, name: char| {
        let tenths = n / (unit / 10);
        match tenths % 10 {
            rest if rest != 0 && tenths < 1_000 => format!("{}.{rest}{name}", tenths / 10),
            _ => format!("{}{name}", tenths / 10),
        }
    };
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => scaled(1_000, 'k'),
        1_000_000..1_000_000_000 => scaled(1_000_000, 'M'),
        _ => scaled(1_000_000_000, 'G'),
    }
}

fn money(usd: f64) -> String {
    format!("${usd:.2}")
}

fn hours(hours: f64) -> String {
    clock((hours * HOUR_MS) as u64)
}

fn of(used: f64, limit: Option<f64>, says: String, limit_says: Option<String>) -> (String, Tone) {
    let Some((limit, limit_says)) = limit.zip(limit_says) else {
        return (says, Tone::Plain);
    };
    let percent = if limit > 0.0 {
        (used * 100.0 / limit) as u64
    } else {
        0
    };
    let (near, tone) = match percent {
        100.. => (format!(" ({percent} %)"), Tone::Bad),
        NEAR_PERCENT..100 => (format!(" ({percent} %)"), Tone::Care),
        _ => (String::new(), Tone::Plain),
    };
    (format!("{says} of {limit_says}{near}"), tone)
}

/// Milliseconds since the last event that count now.
fn since(view: &View, moment: &Moment) -> u64 {
    match moment.presence {
        Presence::Held => moment.now.saturating_sub(view.at),
        Presence::Nobody => 0,
    }
}

fn figures(view: &View, moment: &Moment) -> Vec<Figure> {
    let limits = &view.limits;
    let used = &view.used;
    let since = since(view, moment);
    let waiting = used.waiting_ms + if view.time == Time::Wait { since } else { 0 };
    let active = used.active_ms + if view.time == Time::Work { since } else { 0 };
    let elapsed = active.saturating_add(waiting);
    let figure = |label, (says, tone)| Figure { label, says, tone };
    let turns = of(
        used.turns as f64,
        Some(limits.turns as f64),
        used.turns.to_string(),
        Some(limits.turns.to_string()),
    );
    let tokens = of(
        used.tokens as f64,
        limits.tokens.map(|t| t as f64),
        count(used.tokens),
        limits.tokens.map(count),
    );
    let time = of(
        elapsed as f64,
        Some(limits.hours * HOUR_MS),
        clock(elapsed),
        Some(hours(limits.hours)),
    );
    let cost = match (used.usd, used.scripted) {
        (Some(usd), _) => of(usd, limits.usd, money(usd), limits.usd.map(money)),
        (None, true) => ("none".to_owned(), Tone::Plain),
        (None, false) => ("unknown".to_owned(), Tone::Plain),
    };
    let improved = match view.progress_at {
        Some(at) => {
            let until = view.at.saturating_add(since);
            format!("{} ago", clock(until.saturating_sub(at)))
        }
        None => "not yet".to_owned(),
    };
    vec![
        figure("turns", turns),
        figure("tokens", tokens),
        figure("cost", cost),
        figure("time", time),
        figure("waiting", (clock(waiting), Tone::Plain)),
        figure("improved", (improved, Tone::Plain)),
    ]
}

/// The figures in at most `room` rows of so many columns: as a table if all of them fit, else the first that do.
pub fn lines(view: &View, moment: &Moment, columns: usize, room: usize) -> Vec<Line<'static>> {
    let all = figures(view, moment);
    let look = moment.look;
    let natural: Vec<usize> = (0..COLUMNS)
        .map(|column| {
            let says = all.iter().skip(column).step_by(COLUMNS);
            let widest = says.map(|f| width(&f.says)).max().unwrap_or(0);
            LABEL_WIDTH + widest + GAP
        })
        .collect();
    // As wide as can be, so that the table does not move with every digit.
    let even = (columns / COLUMNS).min(COLUMN_WIDTH_MAX);
    let wide: Vec<usize> = natural.iter().map(|w| (*w).max(even)).collect();
    let fits = |widths: &[usize]| widths.iter().sum::<usize>() <= columns + GAP;
    match room {
        0 => Vec::new(),
        1 => narrow(&all, columns, room, look),
        _ => match [wide, natural].into_iter().find(|widths| fits(widths)) {
            Some(widths) => all
                .chunks(COLUMNS)
                .map(|row| table(row, &widths, look))
                .collect(),
            None => narrow(&all, columns, room, look),
        },
    }
}

fn table(row: &[Figure], widths: &[usize], look: Look) -> Line<'static> {
    let mut spans = Vec::new();
    for (figure, columns) in row.iter().zip(widths) {
        let label = format!("{:<LABEL_WIDTH$}", figure.label);
        let gap = columns.saturating_sub(LABEL_WIDTH + width(&figure.says));
        spans.push(own(label, Tone::Quiet, look));
        spans.push(own(figure.says.clone(), figure.tone, look));
        spans.push(own(" ".repeat(gap), Tone::Plain, look));
    }
    // Nothing stands to the right of the last one.
    spans.pop();
    Line::from(spans)
}

fn narrow(all: &[Figure], columns: usize, room: usize, look: Look) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut spans = Vec::new();
    let mut used = 0;
    // Time before tokens: the one that moves.
    for at in [0, 3, 1, 2, 4, 5] {
        let Some(figure) = all.get(at) else { continue };
        let label = format!("{} ", figure.label);
        let gap = if used == 0 { 0 } else { GAP };
        let wide = gap + width(&label) + width(&figure.says);
        let gap = if used > 0 && used + wide > columns {
            lines.push(Line::from(std::mem::take(&mut spans)));
            used = 0;
            0
        } else {
            gap
        };
        if lines.len() >= room {
            break;
        }
        spans.push(own(" ".repeat(gap), Tone::Plain, look));
        spans.push(own(label, Tone::Quiet, look));
        spans.push(own(figure.says.clone(), figure.tone, look));
        used += gap + width(figure.label) + 1 + width(&figure.says);
    }
    if !spans.is_empty() && lines.len() < room {
        lines.push(Line::from(spans));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_times_are_short() {
        for (n, says) in [
            (0, "0"),
            (9_999, "9999"),
            (14_655, "14.6k"),
            (200_000, "200k"),
            (999_999, "999k"),
            (1_250_000, "1.2M"),
            (2_000_000_000, "2G"),
        ] {
            assert_eq!(count(n), says);
        }
        assert_eq!(count(u64::MAX), "18446744073G");
        assert_eq!(clock(45_296_000), "12:34:56");
    }

    #[test]
    fn a_limit_that_is_near_is_told_in_words() {
        let near = of(85.0, Some(100.0), "85".into(), Some("100".into()));
        assert_eq!(near, ("85 of 100 (85 %)".to_owned(), Tone::Care));
        let free = of(85.0, None, "85".into(), None);
        assert_eq!(free, ("85".to_owned(), Tone::Plain));
    }
}
