//! Goals of simulated runs as goal files: those over a worklist, and the versions that a person edits a goal into.

use overnight_core::goal::parse;
use overnight_core::goal::{Aim, Check, CheckKind, Deliver, Goal, Role};
use overnight_core::item::Outcome;

use crate::night::plan::{KEPT_FILE, cell};
use crate::night::random::Random;
use crate::night::things::{Backlog, SHARED, SOUND};

/// Makes a goal one over a worklist.
pub fn over(backlog: &Backlog, goal: &mut Goal) {
    let names = |outcomes: &[Outcome]| {
        let words: Vec<&str> = outcomes.iter().map(|o| o.word()).collect();
        words.join(", ")
    };
    let on: Vec<String> = backlog
        .on
        .iter()
        .map(|(outcome, verbs)| {
            let verbs: Vec<&str> = verbs.iter().map(|v| v.word()).collect();
            format!("{}: [{}]", outcome.word(), verbs.join(", "))
        })
        .collect();
    let mut items = format!(
        "{{from: sentry, project: simulated/shop, query: \"is:unresolved\", outcomes: [{}], parallel: {}, each: [{{id: {SOUND}, run: {SOUND}}}]",
        names(&backlog.outcomes),
        backlog.parallel,
    );
    if !on.is_empty() {
        items.push_str(&format!(", on: {{{}}}", on.join(", ")));
    }
    if backlog.replay {
        items.push_str(", replay: replay");
    }
    if backlog.work_on_new {
        items.push_str(", new: work");
    }
    items.push('}');
    goal.done = match &backlog.page {
        Some(page) => vec![run("page", page.file.clone())],
        None => vec![],
    };
    goal.next.attempts = Some(backlog.attempts);
    goal.next.fix_when = backlog.files_max.map(|most| overnight_core::goal::FixWhen {
        files: Some(most),
        ..Default::default()
    });
    let text = text(goal, Some(&items));
    match parse::parse(&text) {
        Ok(parsed) => goal.items = parsed.goal.items,
        Err(found) => panic!("{found:?}\n{text}"),
    }
    // The text is needed again for what a person edits; `edited` takes it from there.
    goal.brief = items;
}

/// Another version of the goal, as a file.
pub fn edited(goal: &Goal, cells: usize, r: &mut Random) -> String {
    let mut new = goal.clone();
    let items = (!goal.brief.is_empty()).then_some(goal.brief.as_str());
    for _ in 0..r.between(1, 4) {
        match r.between(0, 9) {
            0 => new.stop.turns = new.stop.turns.saturating_add(r.between(1, 40)),
            1 => new.stop.turns = (new.stop.turns / 2).max(1),
            2 => new.stop.no_progress = r.between(2, 9) as u32,
            3 => new.keep.paths.push(match items {
                Some(_) => SHARED.to_owned(),
                None => format!("{SHARED}-{}/**", r.between(0, 9)),
            }),
            4 if new.done.len() > 1 => {
                let at = r.between(0, new.done.len() as u64) as usize;
                new.done.remove(at);
            }
            5 if cells > 0 => {
                let command = cell(r.between(0, cells as u64) as usize);
                new.done
                    .push(run(&format!("more-{}", r.between(0, 1_000)), command));
            }
            5 => new
                .done
                .push(run(&format!("more-{}", r.between(0, 1_000)), SOUND.into())),
            6 => {
                new.uses.network = match new.uses.network.is_empty() {
                    true => vec!["example.org".into()],
                    false => vec![],
                };
            }
            7 if items.is_some() => {
                new.next.fix_when = match new.next.fix_when {
                    Some(_) => None,
                    None => Some(overnight_core::goal::FixWhen {
                        files: Some(1),
                        ..Default::default()
                    }),
                };
            }
            8 if items.is_some() => new.next.attempts = Some(r.between(1, 5) as u32),
            _ => new.outcome.push('!'),
        }
    }
    text(&new, items)
}

fn run(id: &str, command: String) -> Check {
    Check {
        id: id.into(),
        role: Role::Done,
        kind: CheckKind::Run { command },
        timeout_s: 600,
        dir: String::new(),
        already: false,
        hidden: None,
        feedback: Default::default(),
        runs: 2,
    }
}

/// The goal as a file.
fn text(goal: &Goal, items: Option<&str>) -> String {
    let mut out = format!("---\noutcome: {:?}\n", goal.outcome);
    if !goal.done.is_empty() {
        out.push_str("done:\n");
        for check in &goal.done {
            out.push_str(&format!("  - {}\n", line(check)));
        }
    }
    out.push_str(&format!(
        "keep:\n  paths: {:?}\n  checks:\n",
        goal.keep.paths
    ));
    for check in &goal.keep.checks {
        out.push_str(&format!("    - {}\n", line(check)));
    }
    out.push_str(&format!("use: {{network: {:?}}}\n", goal.uses.network));
    let mut next = Vec::new();
    if let Some(attempts) = goal.next.attempts {
        next.push(format!("attempts: {attempts}"));
    }
    if let Some(files) = goal.next.fix_when.and_then(|limits| limits.files) {
        next.push(format!("fix_when: {{files: {files}}}"));
    }
    if !next.is_empty() {
        out.push_str(&format!("next: {{{}}}\n", next.join(", ")));
    }
    let stop = &goal.stop;
    let mut limits = vec![
        format!("turns: {}", stop.turns),
        format!("hours: {}", stop.hours),
        format!("no_progress: {}", stop.no_progress),
        format!("windows: {}", stop.windows),
    ];
    limits.extend(stop.tokens.map(|n| format!("tokens: {n}")));
    limits.extend(stop.usd.map(|n| format!("usd: {n}")));
    limits.extend(stop.active.map(|n| format!("active: {n}")));
    out.push_str(&format!("stop: {{{}}}\n", limits.join(", ")));
    let deliver = match goal.deliver {
        Deliver::None => "none",
        _ => "branch",
    };
    out.push_str(&format!("deliver: {deliver}\n"));
    if let Some(items) = items {
        out.push_str(&format!("items: {items}\n"));
    }
    out.push_str(&format!("---\nThe files are beside {KEPT_FILE}.\n"));
    out
}

fn line(check: &Check) -> String {
    let id = &check.id;
    match &check.kind {
        CheckKind::Tests { command, .. } => format!("{{id: {id}, tests: {command}}}"),
        CheckKind::Metric {
            command,
            read,
            target: Aim::AtLeast(least),
        } => format!(
            "{{id: {id}, metric: {command}, read: {{format: regex, value: {:?}}}, at_least: {least}}}",
            read.value
        ),
        CheckKind::Run { command } => format!("{{id: {id}, run: {command}}}"),
        other => panic!("no simulated goal has {other:?}"),
    }
}
