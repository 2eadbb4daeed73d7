//! The six elements as a table: what the goal says, or which default is in force.

use serde::Serialize;

use super::super::words::{counted, shown, shown_up_to};
use super::super::{Check, Goal, HOURS_DEFAULT, NO_PROGRESS_DEFAULT, Stop, TURNS_DEFAULT, Use};
use super::elements::{
    KEEP_DEFAULT, KEEP_MAIL_DEFAULT, NEXT_DEFAULT, USE_DEFAULT, USE_MAIL_DEFAULT, is_mail,
    stop_default,
};

/// Names that one line of the table lists.
const NAMES_SHOWN_MAX: usize = 4;
/// Characters of the outcome or of prose in the table.
const TEXT_SHOWN_CHARS_MAX: usize = 120;

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Element {
    /// The key of the front matter.
    pub name: &'static str,
    /// Whether the goal says anything about it beyond the default.
    pub present: bool,
    /// What it says, in one line.
    pub says: String,
    /// What is in force where it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// The six elements in the order of the design.
pub fn summary(goal: &Goal) -> Vec<Element> {
    let element = |name, says: Vec<String>, default: Option<String>| Element {
        name,
        present: !says.is_empty(),
        default: if says.is_empty() { default } else { None },
        says: says.join("; "),
    };
    let (keep_default, use_default) = if is_mail(goal) {
        (KEEP_MAIL_DEFAULT, USE_MAIL_DEFAULT)
    } else {
        (KEEP_DEFAULT, USE_DEFAULT)
    };
    vec![
        element(
            "outcome",
            Some(shown_up_to(&goal.outcome, TEXT_SHOWN_CHARS_MAX))
                .filter(|o| !o.is_empty())
                .into_iter()
                .collect(),
            None,
        ),
        element("done", done(goal), None),
        element("keep", keep(goal), Some(keep_default.to_owned())),
        element("use", uses(&goal.uses), Some(use_default.to_owned())),
        element("next", next(goal), Some(NEXT_DEFAULT.to_owned())),
        element(
            "stop",
            stop(&goal.stop, &goal.questions),
            Some(stop_default()),
        ),
    ]
}

fn done(goal: &Goal) -> Vec<String> {
    let mut says = Vec::new();
    if !goal.done.is_empty() {
        says.push(checks(&goal.done));
    }
    if let Some(items) = &goal.items {
        says.push(format!(
            "every item from {} ends in {}",
            shown(&items.from),
            outcomes(&items.outcomes)
        ));
        if !items.each.is_empty() {
            says.push(format!("each change passes {}", checks(&items.each)));
        }
    }
    says
}

fn outcomes(outcomes: &[String]) -> String {
    if outcomes.is_empty() {
        "one outcome".to_owned()
    } else {
        outcomes
            .iter()
            .map(|o| shown(o))
            .collect::<Vec<_>>()
            .join(" or ")
    }
}

fn checks(checks: &[Check]) -> String {
    let ids: Vec<String> = checks.iter().map(|c| c.id.to_string()).collect();
    format!("{}: {}", counted(checks.len(), "check"), names(&ids))
}

fn names(all: &[String]) -> String {
    let mut text = all
        .iter()
        .take(NAMES_SHOWN_MAX)
        .map(|n| shown(n))
        .collect::<Vec<_>>()
        .join(", ");
    if all.len() > NAMES_SHOWN_MAX {
        text.push_str(&format!(" and {} more", all.len() - NAMES_SHOWN_MAX));
    }
    text
}

fn keep(goal: &Goal) -> Vec<String> {
    let mut says = Vec::new();
    if !goal.keep.paths.is_empty() {
        says.push(format!("untouched: {}", names(&goal.keep.paths)));
    }
    let untouched = goal
        .categories
        .iter()
        .filter(|c| c["untouched"] == true)
        .filter_map(|c| c["name"].as_str());
    let untouched: Vec<String> = untouched.map(str::to_owned).collect();
    if !untouched.is_empty() {
        says.push(format!("untouched mail: {}", names(&untouched)));
    }
    if !goal.keep.checks.is_empty() {
        says.push(format!("still true: {}", checks(&goal.keep.checks)));
    }
    says
}

fn uses(uses: &Use) -> Vec<String> {
    if *uses == Use::default() {
        return Vec::new();
    }
    let mut says = vec![match &uses.paths {
        Some(paths) if paths.is_empty() => "no file may change".to_owned(),
        Some(paths) => format!("may change: {}", names(paths)),
        None => "may change: all but `keep`".to_owned(),
    }];
    says.push(if uses.network.is_empty() {
        "no network".to_owned()
    } else {
        format!("network: {}", names(&uses.network))
    });
    let mut list = |label: &str, all: &[String]| {
        if !all.is_empty() {
            says.push(format!("{label}: {}", names(all)));
        }
    };
    list("programs", uses.commands.as_deref().unwrap_or_default());
    list("tools", uses.tools.as_deref().unwrap_or_default());
    list("ignored files", &uses.files);
    list("setup", uses.setup.as_slice());
    list("model", uses.model.as_slice());
    let servers: Vec<String> = uses.mcp.iter().map(|server| server.name.clone()).collect();
    if !servers.is_empty() {
        says.push(format!("MCP servers: {}", names(&servers)));
    }
    says
}

fn next(goal: &Goal) -> Vec<String> {
    let next = &goal.next;
    let mut says: Vec<String> = next
        .prose
        .iter()
        .map(|p| shown_up_to(p, TEXT_SHOWN_CHARS_MAX))
        .collect();
    if let Some(attempts) = next.attempts {
        says.push(format!("{} an item", counted(attempts as usize, "attempt")));
    }
    if let Some(fix) = &next.fix_when {
        let part = |n: Option<u32>, noun| n.map(|n| counted(n as usize, noun));
        let parts: Vec<String> = [
            part(fix.functions, "function"),
            part(fix.lines, "line"),
            part(fix.files, "file"),
        ]
        .into_iter()
        .flatten()
        .collect();
        says.push(format!("fixes up to {}", parts.join(", ")));
    }
    says
}

fn stop(stop: &Stop, questions: &[String]) -> Vec<String> {
    if *stop == Stop::default() && questions.is_empty() {
        return Vec::new();
    }
    let assumed = |is_default: bool| if is_default { " (default)" } else { "" };
    let mut says = vec![
        format!(
            "{} turns{}",
            stop.turns,
            assumed(stop.turns == TURNS_DEFAULT)
        ),
        format!(
            "{} hours{}",
            stop.hours,
            assumed(stop.hours == HOURS_DEFAULT)
        ),
    ];
    says.extend(stop.tokens.map(|n| format!("{n} tokens")));
    says.extend(stop.usd.map(|n| format!("{n} USD")));
    says.push(format!(
        "{} without progress{}",
        counted(stop.no_progress as usize, "checkpoint"),
        assumed(stop.no_progress == NO_PROGRESS_DEFAULT)
    ));
    if !questions.is_empty() {
        says.push(counted(questions.len(), "question"));
    }
    says
}
