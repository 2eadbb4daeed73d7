//! The layout: which rows a screen of some size has, and what stands in them. Free text is always the last thing in
//! its row, so that writing that runs from right to left, or a character that a terminal draws wider than it says,
//! can disorder nothing but itself.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::figures::{self, clock};
use super::fold::{Question, View};
use super::look::{Sign, Tone};
use super::rows::{self, own, piece, shorten, sides};
use super::text::{cells, wrap};
use super::{Moment, Place, Presence};

/// No row is wider, columns: nothing has more to say, and an eye loses the line.
const WIDTH_MAX: u16 = 160;
/// From this width on there is a margin, columns.
const MARGIN_FROM: u16 = 40;
/// From this height on parts are set apart by empty rows.
const GAPS_FROM: u16 = 16;
/// From this height on the first row names the run and its model.
const TITLE_FROM: u16 = 12;
/// From this height on the last row names the keys.
const KEYS_FROM: u16 = 8;
/// From this height on the figures have two rows.
const FIGURES_FROM: u16 = 14;
/// Columns of the line of progress at most.
const PROGRESS_WIDTH_MAX: usize = 32;
/// Columns of the worklist's bar.
const BAR_WIDTH: usize = 12;
/// Columns of a question's labels.
const LABEL_WIDTH: usize = 8;
/// How many rows the log has at least where there is room for a plan.
const LOG_ROWS_MIN: usize = 3;

/// Parts of a screen from top to bottom; an empty part takes no room.
type Parts = Vec<Vec<Line<'static>>>;

/// Draws a frame.
pub fn draw(view: &View, moment: &Moment, area: Rect, buffer: &mut Buffer) {
    let margin = u16::from(area.width >= MARGIN_FROM);
    let inner = Rect {
        x: area.x + margin,
        width: area
            .width
            .saturating_sub(2 * margin)
            .min(WIDTH_MAX)
            .min(area.width),
        ..area
    };
    if inner.is_empty() {
        return;
    }
    let (top, bottom) = parts(view, moment, usize::from(inner.width), area.height);
    let gap = usize::from(area.height >= GAPS_FROM);
    let rows = |parts: Parts| {
        let mut rows: Vec<Line<'static>> = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            if !rows.is_empty() {
                rows.extend(std::iter::repeat_n(Line::default(), gap));
            }
            rows.extend(part);
        }
        rows
    };
    let bottom = rows(bottom);
    let height = usize::from(inner.height);
    let below = height.saturating_sub(bottom.len());
    let mut put = |y: usize, row: Line<'static>| {
        let row = shorten(row, usize::from(inner.width), moment.look);
        // Within the height, so that it fits.
        buffer.set_line(inner.x, inner.y + y as u16, &row, inner.width);
    };
    for (y, row) in rows(top).into_iter().take(below).enumerate() {
        put(y, row);
    }
    for (y, row) in bottom.into_iter().take(height).enumerate() {
        put(below + y, row);
    }
}

/// The parts at the top and those at the bottom. What is there at any height comes first: status, outcome, figures.
fn parts(view: &View, moment: &Moment, columns: usize, height: u16) -> (Parts, Parts) {
    let look = moment.look;
    let gap = usize::from(height >= GAPS_FROM);
    let mut left = usize::from(height);
    let mut head = Vec::new();
    if height >= TITLE_FROM {
        head.push(title(view, moment, columns));
    }
    if height >= 2 {
        head.push(Line::from(piece(&view.outcome, Tone::Strong, look)));
    }
    let status = vec![status(view, moment, columns)];
    let room = if height >= FIGURES_FROM { 2 } else { 1 };
    let mut foot = Vec::new();
    if height >= 3 {
        foot = figures::lines(view, moment, columns, room);
    }
    if height >= KEYS_FROM {
        foot.push(keys(view, moment));
    }
    let gaps = |parts: usize| gap * parts;
    left = left.saturating_sub(head.len() + 1 + foot.len() + gaps(2));
    let question = view.question.as_ref();
    let asked = question.map_or_else(Vec::new, |q| ask(q, columns, left, moment));
    left = left.saturating_sub(asked.len() + gaps(usize::from(!asked.is_empty())));
    let items = items(view, moment, left);
    left = left.saturating_sub(items.len() + gaps(usize::from(!items.is_empty())));
    let checks = checks(view, moment, columns, left);
    left = left.saturating_sub(checks.len() + gaps(usize::from(!checks.is_empty())));
    let plan = if asked.is_empty() {
        let reserve = LOG_ROWS_MIN + 1 + gaps(1);
        plan(view, moment, left.saturating_sub(reserve))
    } else {
        Vec::new()
    };
    left = left.saturating_sub(plan.len() + gaps(usize::from(!plan.is_empty())));
    let log = log(view, moment, left.saturating_sub(gaps(1)));
    if height < GAPS_FROM {
        let mut top = status;
        head.append(&mut top);
        return (vec![head, asked, items, checks, plan, log], vec![foot]);
    }
    (
        vec![head, status, asked, items, checks, plan, log],
        vec![foot],
    )
}

fn title(view: &View, moment: &Moment, columns: usize) -> Line<'static> {
    let look = moment.look;
    let left = vec![own(format!("overnight {}", view.run), Tone::Quiet, look)];
    let mut right = vec![piece(&view.model, Tone::Quiet, look)];
    if view.open {
        right.push(own(
            format!("{}no sandbox", look.between()),
            Tone::Care,
            look,
        ));
    }
    sides(left, right, columns, look)
}

/// The status word, what is being done, and for how long.
fn status(view: &View, moment: &Moment, columns: usize) -> Line<'static> {
    let look = moment.look;
    let (word, doing, time) = told(view, moment);
    let tone = match word {
        "complete" => Tone::Good,
        "failed" | "refused" => Tone::Bad,
        "preparing" | "baselining" | "listing" | "working" | "checking" | "examining"
        | "delivering" | "acting" | "reporting" => Tone::Busy,
        _ => Tone::Care,
    };
    let mut left = vec![
        own(format!("{} ", look.sign(Sign::Dot)), tone, look),
        own(format!("{word}  "), tone, look),
    ];
    if !doing.is_empty() {
        left.push(piece(&doing, Tone::Plain, look));
    }
    let right = time.map_or_else(Vec::new, |t| vec![own(t, Tone::Quiet, look)]);
    sides(left, right, columns, look)
}

fn told<'v>(view: &'v View, moment: &Moment) -> (&'v str, String, Option<String>) {
    let since = |then: u64| clock(moment.now.saturating_sub(then));
    let run = &view.run;
    let paused = view.status == "paused";
    let ended = view.time == super::fold::Time::Nothing && !paused;
    match moment.presence {
        _ if ended => {
            let word = match view.status {
                "out_of_budget" => "out of budget",
                word => word,
            };
            (word, view.doing.clone(), None)
        }
        // Whoever paused the run from its own screen sees it come to rest.
        Presence::Held if paused => (
            "pausing",
            "what is under way gets ten seconds to end".to_owned(),
            Some(since(view.at)),
        ),
        Presence::Nobody if paused => (
            "paused",
            format!("overnight resume {run} goes on"),
            Some(since(view.at)),
        ),
        Presence::Nobody => (
            "stands still",
            format!("no process works on it; overnight resume {run} goes on"),
            Some(since(view.at)),
        ),
        Presence::Held => match view.waits_until {
            Some(until) => {
                let left = clock(until.saturating_sub(moment.now));
                (
                    view.status,
                    view.doing.clone(),
                    Some(format!("{left} left")),
                )
            }
            None => (
                view.status,
                view.doing.clone(),
                Some(since(view.doing_since)),
            ),
        },
    }
}

fn heading(name: &str, says: &str, moment: &Moment) -> Vec<Span<'static>> {
    let look = moment.look;
    vec![
        own(format!("{name}  "), Tone::Strong, look),
        own(says.to_owned(), Tone::Quiet, look),
    ]
}

fn checks(view: &View, moment: &Moment, columns: usize, room: usize) -> Vec<Line<'static>> {
    if room == 0 || view.checks.is_empty() {
        return Vec::new();
    }
    let look = moment.look;
    let mut says = view.standing.clone();
    if view.without > 0 {
        says = format!(
            "{says}{}{} of {} checkpoints without progress",
            look.between(),
            view.without,
            view.limits.no_progress
        );
    }
    let line = view
        .progress
        .line(PROGRESS_WIDTH_MAX.min(columns / 3), look);
    let progress = match view.progress.len() {
        // The base alone is no line.
        0 | 1 => Vec::new(),
        _ => vec![
            own("progress ", Tone::Quiet, look),
            own(line, Tone::Busy, look),
        ],
    };
    let mut rows = vec![sides(
        heading("Checks", &says, moment),
        progress,
        columns,
        look,
    )];
    // Where there are many, the plan and the log have half of what is there.
    let most = match room - 1 {
        // One row would only say how many there are.
        1 if view.checks.len() > 1 => 0,
        few @ 0..=8 => few,
        many => (many / 2).max(8),
    };
    rows.extend(rows::checks(&view.checks, most, look));
    rows
}

/// The worklist: a bar with counts by outcome, and a row for each item that is worked on.
fn items(view: &View, moment: &Moment, room: usize) -> Vec<Line<'static>> {
    let Some(items) = view.items.as_ref().filter(|_| room > 0) else {
        return Vec::new();
    };
    let look = moment.look;
    let mut says = vec![format!("{}/{}", items.closed, items.total)];
    says.extend(items.outcomes.iter().cloned());
    let at_work = items.at_work.len();
    for (count, what) in [(at_work, "at work"), (items.held, "held")] {
        if count > 0 {
            says.push(format!("{count} {what}"));
        }
    }
    let (done, open) = rows::bar(items.closed, items.total, BAR_WIDTH, look);
    let mut rows = vec![Line::from(vec![
        own("Items  ", Tone::Strong, look),
        own(done, Tone::Good, look),
        own(format!("{open} "), Tone::Quiet, look),
        own(says.join(look.between()), Tone::Plain, look),
    ])];
    // The log keeps some room: it tells more.
    let most = match room - 1 {
        few @ 0..=4 => few,
        many => (many / 2).max(4),
    };
    rows.extend(rows::items(&items.at_work, most, look));
    rows
}

fn plan(view: &View, moment: &Moment, room: usize) -> Vec<Line<'static>> {
    if room < 2 || view.plan.is_empty() {
        return Vec::new();
    }
    let done = view
        .plan
        .iter()
        .filter(|(status, _)| *status == overnight_core::turn::PlanStatus::Done)
        .count();
    let says = format!("{done} of {} done, the model says", view.plan.len());
    let mut rows = vec![Line::from(heading("Plan", &says, moment))];
    rows.extend(rows::plan(&view.plan, room - 1, moment.look));
    rows
}

fn log(view: &View, moment: &Moment, room: usize) -> Vec<Line<'static>> {
    if room == 0 || view.log.is_empty() {
        return Vec::new();
    }
    let denied = match view.denials {
        0 => String::new(),
        1 => "1 action was denied".to_owned(),
        n => format!("{n} actions were denied"),
    };
    let mut rows = Vec::new();
    let mut room = room;
    if room >= LOG_ROWS_MIN {
        rows.push(Line::from(heading("Log", &denied, moment)));
        room -= 1;
    }
    rows.extend(rows::log(
        view.log.iter(),
        room,
        view.created_at,
        moment.look,
    ));
    rows
}

/// What a blocked run asks, whole if it can be: it is what the person came for. What to type is never cut, and the
/// question last.
fn ask(question: &Question, columns: usize, room: usize, moment: &Moment) -> Vec<Line<'static>> {
    let look = moment.look;
    let lines = |text: &str| wrap(&cells(text, look), columns.saturating_sub(LABEL_WIDTH));
    let mut parts = [
        ("asks", lines(&question.asks), Tone::Strong),
        ("tried", lines(&question.tried), Tone::Plain),
        ("unlock", lines(&question.unlock), Tone::Plain),
        ("next", lines(&question.next), Tone::Care),
    ];
    for (at, least) in [(1, 0), (2, 0), (0, 1), (3, 0)] {
        let all: usize = parts.iter().map(|(_, lines, _)| lines.len()).sum();
        let lines = &mut parts[at].1;
        let keep = lines
            .len()
            .saturating_sub(all.saturating_sub(room))
            .max(least.min(lines.len()));
        if keep < lines.len() {
            lines.truncate(keep);
            if let Some(last) = lines.last_mut() {
                // A row that is full is cut by whoever places it.
                last.push_str(look.cut());
            }
        }
    }
    let mut rows = Vec::new();
    for (label, lines, tone) in parts {
        for (number, line) in lines.into_iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            rows.push(Line::from(vec![
                own(format!("{label:<LABEL_WIDTH$}"), Tone::Quiet, look),
                own(line, tone, look),
            ]));
        }
    }
    rows.truncate(room);
    rows
}

fn keys(view: &View, moment: &Moment) -> Line<'static> {
    let look = moment.look;
    let rests = view.time == super::fold::Time::Nothing || moment.presence == Presence::Nobody;
    let mut keys: Vec<&str> = Vec::new();
    match moment.place {
        Place::Run if rests => keys.push("Ctrl-C does not wait"),
        Place::Run => keys.extend(["p or Ctrl-C pauses", "q plain lines"]),
        Place::Watch => {
            if !rests {
                keys.push("p pauses");
            }
            keys.push("q leaves");
        }
    }
    let text = keys.join(look.between());
    Line::from(own(text, Tone::Quiet, look))
}
