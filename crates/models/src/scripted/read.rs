//! Reading nodes as what they should be, and complaining with their place where they are not.

use std::time::Duration;

use serde_json::Value;

use super::node::{At, Kind, Node};

/// Longest delay and longest `retry_after_s`, seconds.
const SECONDS_MAX: f64 = 7.0 * 24.0 * 3600.0;

/// What is wrong, and where.
#[derive(Debug)]
pub(super) struct Complaint {
    pub at: At,
    pub message: String,
}

/// What was read, or what is wrong.
pub(super) type Parsed<T> = Result<T, Complaint>;

pub(super) fn wrong<T>(at: At, message: impl Into<String>) -> Parsed<T> {
    Err(Complaint {
        at,
        message: message.into(),
    })
}

pub(super) fn map<'a>(node: &'a Node, what: &str) -> Parsed<&'a [(At, String, Node)]> {
    match &node.kind {
        Kind::Map(entries) => Ok(entries),
        other => wrong(node.at, format!("{what} is a map, not {}", other.word())),
    }
}

pub(super) fn list<'a>(node: &'a Node, key: &str) -> Parsed<&'a [Node]> {
    match &node.kind {
        Kind::Seq(nodes) => Ok(nodes),
        other => wrong(
            node.at,
            format!(
                "`{key}` is a list (lines that begin with `-`), not {}",
                other.word()
            ),
        ),
    }
}

pub(super) fn text(node: &Node, key: &str) -> Parsed<String> {
    match &node.kind {
        Kind::Scalar(Value::String(text)) => Ok(text.clone()),
        other => wrong(
            node.at,
            format!("`{key}` is a text, not {}; put it in quotes", other.word()),
        ),
    }
}

pub(super) fn truth(node: &Node, key: &str) -> Parsed<bool> {
    match &node.kind {
        Kind::Scalar(Value::Bool(truth)) => Ok(*truth),
        other => wrong(
            node.at,
            format!("`{key}` is true or false, not {}", other.word()),
        ),
    }
}

pub(super) fn whole(node: &Node, key: &str, most: u64) -> Parsed<u64> {
    match &node.kind {
        Kind::Scalar(Value::Number(number)) => match number.as_u64() {
            Some(number) if number <= most => Ok(number),
            _ => wrong(
                node.at,
                format!("`{key}` is a whole number from 0 to {most}, not {number}"),
            ),
        },
        other => wrong(
            node.at,
            format!("`{key}` is a whole number, not {}", other.word()),
        ),
    }
}

pub(super) fn seconds(node: &Node, key: &str) -> Parsed<Duration> {
    let number = match &node.kind {
        Kind::Scalar(Value::Number(number)) => number.as_f64(),
        _ => None,
    };
    match number {
        Some(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => wrong(
            node.at,
            format!("`{key}` is a number of seconds from 0 to {SECONDS_MAX}"),
        ),
    }
}

pub(super) fn unknown(word: &str, place: &str, known: &[&str]) -> String {
    let shown: String = word.chars().take(60).collect();
    format!(
        "`{shown}` is not known in {place}; known are {}",
        known.join(", ")
    )
}
