//! From YAML to a [`Script`]. Strict: whatever is not understood is an error with its place and what would be right.

use std::time::Duration;

use overnight_ports::model::{ModelErrorKind, Usage};
use regex::{Regex, RegexBuilder};
use serde_json::{Value, json};

use super::node::{At, Kind, Node};
use super::read::{Complaint, Parsed, list, map, seconds, text, truth, unknown, whole, wrong};
use super::script::{
    Choice, Failure, How, Planned, Reply, Script, ScriptCall, Then, Turns, USAGE_DEFAULT, Wire,
};

/// The harness's tools, and the argument that a plain text stands for, where there is an obvious one.
pub const TOOLS: [(&str, Option<&str>); 11] = [
    ("shell", Some("command")),
    ("read", Some("path")),
    ("write", None),
    ("edit", None),
    ("search", Some("pattern")),
    ("notes", Some("text")),
    ("plan", None),
    ("close_item", None),
    ("claim_done", Some("summary")),
    ("ask_for_help", None),
    ("wait", None),
];

/// Most turns that a script may write down.
const TURNS_MAX: usize = 100_000;
/// Largest `pad_bytes`, bytes.
const PAD_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Memory that one compiled `when` may take, bytes.
const REGEX_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of the YAML.
const DEPTH_MAX: usize = 64;

const TOP_KEYS: &[&str] = &["about", "turns", "items", "then"];
const TURN_KEYS: &[&str] = &["say", "think", "calls", "raw", "usage", "delay_s", "wire"];
const FAIL_KEYS: &[&str] = &["kind", "times", "retry_after_s", "message", "status", "how"];
const WIRE_KEYS: &[&str] = &[
    "bom",
    "crlf",
    "comments",
    "unknown",
    "incomplete",
    "piece_bytes",
    "pad_bytes",
];
const USAGE_KEYS: &[&str] = &["input", "cached", "output"];
const KINDS: [(&str, ModelErrorKind, &[How]); 7] = [
    (
        "rate_limited",
        ModelErrorKind::RateLimited,
        &[How::Status, How::Event, How::Quota],
    ),
    (
        "unavailable",
        ModelErrorKind::Unavailable,
        &[How::Status, How::Event],
    ),
    ("network", ModelErrorKind::Network, &[How::Reset]),
    (
        "cut",
        ModelErrorKind::Cut,
        &[How::Close, How::Abort, How::Stall],
    ),
    (
        "malformed",
        ModelErrorKind::Malformed,
        &[How::Garbage, How::Empty],
    ),
    (
        "context_overflow",
        ModelErrorKind::ContextOverflow,
        &[How::Status, How::Event],
    ),
    (
        "refused",
        ModelErrorKind::Refused,
        &[How::Status, How::Event],
    ),
];
const HOWS: [(&str, How); 9] = [
    ("status", How::Status),
    ("event", How::Event),
    ("quota", How::Quota),
    ("reset", How::Reset),
    ("close", How::Close),
    ("abort", How::Abort),
    ("stall", How::Stall),
    ("garbage", How::Garbage),
    ("empty", How::Empty),
];

pub(super) fn parse(text: &str) -> Parsed<Script> {
    let mut budget = serde_saphyr::Budget::default();
    budget.max_depth = DEPTH_MAX;
    let options =
        serde_saphyr::options! { with_snippet: false, strict_booleans: true, budget: Some(budget) };
    let root: Node = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error.location().map_or(At { line: 1, column: 1 }, At::of);
        let plain = serde_saphyr::UserMessageFormatter;
        let whole = error.render_with_formatter(&plain);
        // The place is said by us, in front.
        let message = whole
            .split(" at line ")
            .next()
            .unwrap_or(&whole)
            .trim_end_matches(':')
            .to_owned();
        Complaint {
            at,
            message: format!("not valid YAML: {message}"),
        }
    })?;
    script(&root)
}

fn script(root: &Node) -> Parsed<Script> {
    let Kind::Map(entries) = &root.kind else {
        return wrong(
            root.at,
            format!(
                "a script is a map with the key `turns`, and this is {}",
                root.kind.word()
            ),
        );
    };
    let (mut about, mut turns, mut of_items, mut then) = (None, None, None, Then::End);
    for (at, key, node) in entries {
        match key.as_str() {
            "about" => about = Some(text(node, "about")?),
            "turns" => turns = Some(node),
            "then" => {
                then = match text(node, "then")?.as_str() {
                    "end" => Then::End,
                    "repeat_last" => Then::RepeatLast,
                    "loop" => Then::Loop,
                    other => {
                        return wrong(
                            node.at,
                            format!("`then` is `end`, `repeat_last` or `loop`, not `{other}`"),
                        );
                    }
                }
            }
            "items" => of_items = Some(node),
            other => return wrong(*at, unknown(other, "a script", TOP_KEYS)),
        }
    }
    if turns.is_none() && of_items.is_none() {
        return wrong(
            root.at,
            "a script needs `turns:`, a list of what the model answers, or `items:`, such lists by the ids of items",
        );
    }
    let mut script = Script {
        about,
        turns: Turns::default(),
        items: Vec::new(),
        then,
    };
    let mut count = 0;
    if let Some(node) = turns {
        script.turns = conversation(node, "turns", then, &mut count)?;
    }
    if let Some(node) = of_items {
        let entries = map(node, "`items`")?;
        if entries.is_empty() {
            return wrong(
                node.at,
                "`items` needs at least one entry: an item's id, and its turns",
            );
        }
        for (at, id, node) in entries {
            if script.items.iter().any(|(other, _)| other == id) {
                return wrong(*at, format!("the item `{}` is here twice", shortened(id)));
            }
            let turns = conversation(node, &shortened(id), then, &mut count)?;
            script.items.push((id.clone(), turns));
        }
    }
    Ok(script)
}

fn shortened(id: &str) -> String {
    id.chars().take(60).collect()
}

/// A list of what the model answers; `count` is how many turns the script has so far.
fn conversation(turns: &Node, key: &str, then: Then, count: &mut usize) -> Parsed<Turns> {
    let nodes = list(turns, key)?;
    *count += nodes.len();
    if *count > TURNS_MAX {
        return wrong(
            turns.at,
            format!("more than {TURNS_MAX} turns; use `then: loop`"),
        );
    }
    let (mut answers, mut failures) = (Vec::new(), Vec::new());
    for node in nodes {
        match entry(node)? {
            Parts::Failure(failure) => failures.push(failure),
            Parts::Answer(choices) => answers.push(Planned {
                failures: std::mem::take(&mut failures),
                choices,
            }),
        }
    }
    if then != Then::End {
        let keyword = if then == Then::Loop {
            "loop"
        } else {
            "repeat_last"
        };
        if answers.is_empty() {
            return wrong(
                turns.at,
                format!("`then: {keyword}` needs at least one turn that answers"),
            );
        }
        if !failures.is_empty() {
            let at = nodes.last().map_or(turns.at, |node| node.at);
            return wrong(
                at,
                format!(
                    "with `then: {keyword}` the last turn has to be an answer: put this `fail` before one"
                ),
            );
        }
    }
    Ok(Turns {
        answers,
        last_failures: failures,
    })
}

/// One entry of `turns`.
enum Parts {
    Failure(Failure),
    Answer(Vec<Choice>),
}

fn entry(node: &Node) -> Parsed<Parts> {
    let entries = map(node, "a turn")?;
    if let Some((_, _, fail)) = entries.iter().find(|(_, key, _)| key == "fail") {
        let mut failure = failure(fail)?;
        for (at, key, value) in entries {
            match key.as_str() {
                "fail" => {}
                "delay_s" => failure.delay = seconds(value, "delay_s")?,
                other => {
                    return wrong(
                        *at,
                        format!(
                            "a turn that fails has no `{other}`: put the answer into the next entry"
                        ),
                    );
                }
            }
        }
        return Ok(Parts::Failure(failure));
    }
    if let Some((at, _, alternatives)) = entries.iter().find(|(_, key, _)| key == "match") {
        if entries.len() > 1 {
            return wrong(
                *at,
                "`match` stands alone: its entries hold what the turn says and does",
            );
        }
        let nodes = list(alternatives, "match")?;
        if nodes.is_empty() {
            return wrong(alternatives.at, "`match` needs at least one entry");
        }
        return Ok(Parts::Answer(
            nodes.iter().map(alternative).collect::<Parsed<_>>()?,
        ));
    }
    Ok(Parts::Answer(vec![Choice {
        when: None,
        reply: reply(node.at, entries)?,
    }]))
}

fn alternative(node: &Node) -> Parsed<Choice> {
    let entries = map(node, "an entry of `match`")?;
    let when = match entries.iter().find(|(_, key, _)| key == "when") {
        Some((_, _, pattern)) => Some(regex(pattern)?),
        None => None,
    };
    let rest: Vec<_> = entries
        .iter()
        .filter(|(_, key, _)| key != "when")
        .cloned()
        .collect();
    Ok(Choice {
        when,
        reply: reply(node.at, &rest)?,
    })
}

fn regex(node: &Node) -> Parsed<Regex> {
    let pattern = text(node, "when")?;
    RegexBuilder::new(&pattern)
        .size_limit(REGEX_BYTES_MAX)
        .multi_line(true)
        .build()
        .map_err(|error| Complaint {
            at: node.at,
            message: format!(
                "`when` is a regular expression, and this is none: {}",
                error.to_string().replace('\n', " ")
            ),
        })
}

fn reply(at: At, entries: &[(At, String, Node)]) -> Parsed<Reply> {
    let mut reply = Reply {
        usage: USAGE_DEFAULT,
        ..Reply::default()
    };
    for (key_at, key, node) in entries {
        match key.as_str() {
            "say" => reply.say = Some(text(node, "say")?),
            "think" => reply.think = Some(text(node, "think")?),
            "calls" => {
                for node in list(node, "calls")? {
                    reply.calls.push(call_entry(node)?);
                }
            }
            "usage" => reply.usage = usage(node)?,
            "delay_s" => reply.delay = seconds(node, "delay_s")?,
            "wire" => reply.wire = wire(node)?,
            "when" => {
                return wrong(
                    *key_at,
                    "`when` stands in an entry of `match:`, to choose between several answers",
                );
            }
            other => match call(other, node)? {
                Some(call) => reply.calls.push(call),
                None => {
                    let mut message = unknown(other, "a turn", TURN_KEYS);
                    message.push_str(", or a tool's name; a tool that the harness does not have is written as `raw: {tool, arguments}`");
                    return wrong(*key_at, message);
                }
            },
        }
    }
    if reply.say.is_none() && reply.think.is_none() && reply.calls.is_empty() {
        return wrong(
            at,
            "this turn says nothing and calls nothing; for an empty answer write `fail: {kind: malformed, how: empty}`",
        );
    }
    Ok(reply)
}

/// One entry of `calls`: a map with the tool's name as its only key.
fn call_entry(node: &Node) -> Parsed<ScriptCall> {
    match map(node, "a call")? {
        [(at, key, arguments)] => match call(key, arguments)? {
            Some(call) => Ok(call),
            None => {
                let tools: Vec<&str> = TOOLS.iter().map(|(name, _)| *name).collect();
                let mut message = unknown(key, "`calls`", &tools);
                message.push_str("; any other tool is written as `raw: {tool, arguments}`");
                wrong(*at, message)
            }
        },
        _ => wrong(
            node.at,
            "a call has one key, the tool's name: `- shell: {command: ls}`",
        ),
    }
}

/// A call by its tool's name, or `None` if `name` is no tool.
fn call(name: &str, node: &Node) -> Parsed<Option<ScriptCall>> {
    if name == "raw" {
        return raw(node).map(Some);
    }
    let Some((tool, main)) = TOOLS.iter().find(|(tool, _)| *tool == name) else {
        return Ok(None);
    };
    let arguments = match (&node.kind, main) {
        (Kind::Map(_), _) => node.to_json(),
        (Kind::Scalar(Value::String(text)), Some(main)) => json!({ *main: text }),
        (other, main) => {
            let or = main.map_or(String::new(), |main| format!(" or a text for `{main}`"));
            return wrong(
                node.at,
                format!(
                    "`{tool}` takes a map of arguments{or}, not {}",
                    other.word()
                ),
            );
        }
    };
    Ok(Some(ScriptCall {
        tool: name.to_owned(),
        arguments: arguments.to_string(),
    }))
}

/// A call of any tool with any arguments, malformed ones included.
fn raw(node: &Node) -> Parsed<ScriptCall> {
    let (mut tool, mut arguments) = (None, None);
    for (at, key, value) in map(node, "raw")? {
        match key.as_str() {
            "tool" => tool = Some(text(value, "tool")?),
            "arguments" => {
                arguments = Some(match &value.kind {
                    Kind::Scalar(Value::String(text)) => text.clone(),
                    _ => value.to_json().to_string(),
                });
            }
            other => return wrong(*at, unknown(other, "`raw`", &["tool", "arguments"])),
        }
    }
    match (tool, arguments) {
        (Some(tool), Some(arguments)) => Ok(ScriptCall { tool, arguments }),
        _ => wrong(
            node.at,
            "`raw` needs `tool`, a name, and `arguments`, a text that is sent as it stands, or a map",
        ),
    }
}

fn failure(node: &Node) -> Parsed<Failure> {
    let short = [(node.at, "kind".to_owned(), node.clone())];
    let entries = match &node.kind {
        Kind::Scalar(Value::String(_)) => &short,
        _ => map(node, "fail")?,
    };
    let (mut kind, mut how) = (None, None);
    let mut failure = Failure {
        kind: ModelErrorKind::Unavailable,
        times: Some(1),
        retry_after: None,
        message: None,
        delay: Duration::ZERO,
        how: How::Status,
        status: None,
    };
    for (at, key, value) in entries {
        match key.as_str() {
            "kind" => {
                let name = text(value, "kind")?;
                kind = KINDS.iter().find(|(known, _, _)| *known == name);
                if kind.is_none() {
                    let names: Vec<&str> = KINDS.iter().map(|(name, _, _)| *name).collect();
                    return wrong(value.at, unknown(&name, "`kind`", &names));
                }
            }
            "how" => how = Some((value.at, text(value, "how")?)),
            "times" => failure.times = times(value)?,
            "retry_after_s" => failure.retry_after = Some(seconds(value, "retry_after_s")?),
            "message" => failure.message = Some(text(value, "message")?),
            "status" => match whole(value, "status", 599)? {
                status @ 300..=599 => failure.status = u16::try_from(status).ok(),
                other => {
                    return wrong(
                        value.at,
                        format!("`status` is an HTTP status from 300 to 599, not {other}"),
                    );
                }
            },
            other => return wrong(*at, unknown(other, "`fail`", FAIL_KEYS)),
        }
    }
    let Some((name, kind, hows)) = kind else {
        return wrong(
            node.at,
            "`fail` needs a `kind`, for example `fail: {kind: rate_limited, retry_after_s: 2}`",
        );
    };
    failure.kind = *kind;
    failure.how = hows.first().copied().unwrap_or(How::Status);
    if let Some((at, word)) = how {
        let fits = HOWS
            .iter()
            .find(|(known, how)| *known == word && hows.contains(how));
        let Some((_, how)) = fits else {
            let names = HOWS
                .iter()
                .filter(|(_, how)| hows.contains(how))
                .map(|(name, _)| *name);
            return wrong(
                at,
                unknown(
                    &word,
                    &format!("the `how` of `{name}`"),
                    &names.collect::<Vec<_>>(),
                ),
            );
        };
        failure.how = *how;
    }
    Ok(failure)
}

fn times(node: &Node) -> Parsed<Option<u64>> {
    match &node.kind {
        Kind::Scalar(Value::String(word)) if word == "forever" => Ok(None),
        _ => match whole(node, "times", u64::MAX)? {
            0 => wrong(node.at, "`times` is at least 1, or `forever`"),
            times => Ok(Some(times)),
        },
    }
}

fn usage(node: &Node) -> Parsed<Usage> {
    // Bounded, so that no sum over a run overflows.
    const TOKENS_MAX: u64 = 1_000_000_000_000;
    let mut usage = USAGE_DEFAULT;
    for (at, key, value) in map(node, "usage")? {
        match key.as_str() {
            "input" => usage.input = whole(value, key, TOKENS_MAX)?,
            "cached" => usage.cached = whole(value, key, TOKENS_MAX)?,
            "output" => usage.output = whole(value, key, TOKENS_MAX)?,
            other => return wrong(*at, unknown(other, "`usage`", USAGE_KEYS)),
        }
    }
    if usage.cached > usage.input {
        return wrong(
            node.at,
            format!(
                "`cached` ({}) is a part of `input` ({})",
                usage.cached, usage.input
            ),
        );
    }
    Ok(usage)
}

fn wire(node: &Node) -> Parsed<Wire> {
    let mut wire = Wire::default();
    for (at, key, value) in map(node, "wire")? {
        match key.as_str() {
            "bom" => wire.bom = truth(value, key)?,
            "crlf" => wire.crlf = truth(value, key)?,
            "comments" => wire.comments = truth(value, key)?,
            "unknown" => wire.unknown = truth(value, key)?,
            "incomplete" => wire.incomplete = truth(value, key)?,
            "piece_bytes" => {
                wire.piece_bytes = usize::try_from(whole(value, key, PAD_BYTES_MAX)?).unwrap_or(0)
            }
            "pad_bytes" => {
                wire.pad_bytes = usize::try_from(whole(value, key, PAD_BYTES_MAX)?).unwrap_or(0)
            }
            other => return wrong(*at, unknown(other, "`wire`", WIRE_KEYS)),
        }
    }
    Ok(wire)
}
