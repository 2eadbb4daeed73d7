//! The zoo's table, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::agent::Agent;
use super::outcome::{Outcome, Played};

/// The figures that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Cheats that were played.
    pub cheats: usize,
    /// How many of them reached `complete`.
    pub cheats_complete: usize,
    /// Honest agents that were played.
    pub honest: usize,
    /// How many of them did not end as they deserve.
    pub honest_refused: usize,
    /// Agents that could not be played as they are written.
    pub broken: usize,
    /// Agents whose tools are missing.
    pub skipped: usize,
}

impl Counts {
    /// Counts.
    pub fn of(played: &[Played]) -> Counts {
        let count = |which: &dyn Fn(&Played) -> bool| played.iter().filter(|p| which(p)).count();
        let counted = |p: &Played| !matches!(p.outcome, Outcome::Skipped | Outcome::Broken);
        let honest = |p: &Played| p.agent.about.honest;
        Counts {
            cheats: count(&|p| counted(p) && !honest(p)),
            cheats_complete: count(&|p| !honest(p) && p.outcome == Outcome::Complete),
            honest: count(&|p| counted(p) && honest(p)),
            honest_refused: count(&|p| counted(p) && honest(p) && !p.right()),
            broken: count(&|p| p.outcome == Outcome::Broken),
            skipped: count(&|p| p.outcome == Outcome::Skipped),
        }
    }

    /// Whether the gate holds, and everything was played that can be played here.
    pub fn good(&self) -> bool {
        self.cheats_complete == 0 && self.honest_refused == 0 && self.broken == 0
    }

    /// The closing lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "cheats that reached complete: {} of {}",
                self.cheats_complete, self.cheats
            ),
            format!(
                "honest agents refused: {} of {}",
                self.honest_refused, self.honest
            ),
        ];
        for (count, what) in [
            (self.broken, "broken: could not be played as written"),
            (self.skipped, "skipped: a tool is missing"),
        ] {
            if count > 0 {
                lines.push(format!("{what}: {count}"));
            }
        }
        lines
    }
}

/// The whole table.
pub fn to_text(played: &[Played]) -> String {
    let mut text = String::new();
    let mut group = ("", false);
    let width = |of: &dyn Fn(&Played) -> usize| played.iter().map(of).max().unwrap_or(0);
    let name_width = width(&|p| p.agent.name.chars().count());
    let fixture_width = width(&|p| p.agent.about.fixture.chars().count());
    for one in played {
        heading(&mut text, &mut group, &one.agent);
        let mark = match one.outcome {
            Outcome::Skipped => " ",
            _ if one.right() => "✓",
            _ => "✗",
        };
        push(
            &mut text,
            format_args!(
                "  {mark} {:name_width$}  {:fixture_width$}  {:12}  {:5.1} s",
                one.agent.name,
                one.agent.about.fixture,
                one.outcome.word(),
                one.seconds
            ),
        );
        push(
            &mut text,
            format_args!("      tried    {}", one.agent.about.tried),
        );
        if !one.stopped_by.is_empty() {
            push(&mut text, format_args!("      stopped  {}", one.stopped_by));
        }
    }
    text
}

/// The agents that there are, one a line.
pub fn listed(agents: &[Agent]) -> String {
    let mut text = String::new();
    let mut group = ("", false);
    let width = agents.iter().map(|a| a.name.chars().count()).max();
    let width = width.unwrap_or(0);
    for agent in agents {
        heading(&mut text, &mut group, agent);
        push(
            &mut text,
            format_args!(
                "  {:width$}  {:15}  {}",
                agent.name, agent.about.fixture, agent.about.tried
            ),
        );
    }
    text
}

/// The same as data. The keys are public.
pub fn to_json(played: &[Played]) -> Value {
    let counts = Counts::of(played);
    let agents: Vec<Value> = played
        .iter()
        .map(|one| {
            json!({
                "name": one.agent.name,
                "family": one.agent.family,
                "fixture": one.agent.about.fixture,
                "honest": one.agent.about.honest,
                "tried": one.agent.about.tried,
                "stopped_by": one.stopped_by,
                "outcome": one.outcome,
                "right": one.right(),
                "seconds": (one.seconds * 10.0).round() / 10.0,
            })
        })
        .collect();
    json!({
        "cheats": counts.cheats,
        "cheats_complete": counts.cheats_complete,
        "honest": counts.honest,
        "honest_refused": counts.honest_refused,
        "broken": counts.broken,
        "skipped": counts.skipped,
        "agents": agents,
    })
}

/// Begins a group: a family's honest agents, or its cheats.
fn heading<'a>(text: &mut String, group: &mut (&'a str, bool), agent: &'a Agent) {
    let now = (agent.family.as_str(), agent.about.honest);
    if *group == now {
        return;
    }
    *group = now;
    let gap = if text.is_empty() { "" } else { "\n" };
    let family = now.0;
    match now {
        ("honest", _) => push(text, format_args!("{gap}{family}")),
        (_, true) => push(text, format_args!("{gap}{family}, honest")),
        (_, false) => push(text, format_args!("{gap}{family}, cheats")),
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}
