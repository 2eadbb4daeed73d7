//! What an opened item is: the list's word on it and its source's whole word, bounded.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use overnight_core::item::{Dossier, Item};
use overnight_ports::source::SourceError;
use serde_json::Value;

use crate::clean;
use crate::secretive::scrubbed;
use crate::stack::Event;

/// Length of what the model is shown of an item, bytes.
const TEXT_BYTES_MAX: usize = 32 * 1024;
/// Largest event that is kept for a replay, bytes of JSON.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is said of an item whose events were dropped.
pub(crate) const NO_EVENT: &str = "There is no event of it any more.";
/// How often an event is asked for that the server fails to give, while it gives the issue.
const ATTEMPTS_MAX: u32 = 3;

/// Events that a server cannot give although it gives their issues: after some attempts the item is opened without, so
/// that one broken event does not keep all the other items waiting.
#[derive(Default)]
pub(crate) struct Broken(Mutex<BTreeMap<String, u32>>);

impl Broken {
    /// What becomes of an item whose event could not be had.
    pub(crate) fn event(&self, item: &Item, error: SourceError) -> Result<Dossier, SourceError> {
        let why = match &error {
            SourceError::Malformed(why) => why,
            SourceError::Unavailable(why) => {
                // A poisoned lock would mean a panic while a number was raised.
                let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let times = failed.entry(item.id.0.clone()).or_default();
                *times += 1;
                if *times < ATTEMPTS_MAX {
                    return Err(error);
                }
                why
            }
            SourceError::Refused(_) | SourceError::Gone(_) | SourceError::RateLimited { .. } => {
                return Err(error);
            }
        };
        let more = format!("Its newest event could not be read: {why}");
        Ok(of_words(item, &more))
    }
}

/// Of an item with an event.
pub(crate) fn of_event(item: &Item, event: &Value) -> Dossier {
    let small = event.to_string().len() <= EVENT_BYTES_MAX;
    let event = &scrubbed(event);
    let read = Event::read(event);
    let mut text = head(item);
    text.push_str(&read.text());
    if !small {
        text.push_str("\nThe event itself is too large to be replayed.\n");
    }
    Dossier {
        item: item.clone(),
        text: clean::block(&text, TEXT_BYTES_MAX),
        fingerprint: read.fingerprint(),
        event: small.then(|| event.clone()),
    }
}

/// Of an item that is words, with what else there is to say.
pub(crate) fn of_words(item: &Item, more: &str) -> Dossier {
    let mut text = head(item);
    for (key, value) in &item.rest {
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        text.push_str(&format!("{}: {value}\n", clean::line(key, 80)));
    }
    if let Some(body) = &item.body {
        text.push_str(&format!("\n{body}\n"));
    }
    if !more.is_empty() {
        text.push_str(&format!("\n{more}\n"));
    }
    Dossier {
        item: item.clone(),
        text: clean::block(&text, TEXT_BYTES_MAX),
        fingerprint: None,
        event: None,
    }
}

/// Of an item that a command or a file lists: it is its own event, with every field that its list gave it.
pub(crate) fn of_line(item: &Item) -> Dossier {
    Dossier {
        event: serde_json::to_value(item).ok(),
        ..of_words(item, "")
    }
}

fn head(item: &Item) -> String {
    let mut text = format!("{}\n", item.title);
    let tags = item.tags.join(", ");
    for (name, value) in [
        ("id", Some(item.id.as_str())),
        ("address", item.url.as_deref()),
        ("first seen", item.created.as_deref()),
        ("priority", item.priority.as_deref()),
        ("tags", (!tags.is_empty()).then_some(tags.as_str())),
    ] {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_dossier_is_bounded_whatever_the_source_says() {
        let item = Item {
            id: "1".into(),
            title: "a title".into(),
            body: Some("b\u{1b}[2J".repeat(40_000)),
            ..Item::default()
        };
        let dossier = of_words(&item, "");
        assert!(dossier.text.len() <= TEXT_BYTES_MAX && !dossier.text.contains('\u{1b}'));
        let event = json!({"message": "m", "extra": "x".repeat(EVENT_BYTES_MAX)});
        let dossier = of_event(&item, &event);
        assert!(dossier.event.is_none() && dossier.text.contains("too large to be replayed"));
        assert!(of_event(&item, &json!({"message": "m"})).event.is_some());
        // A line of a list is replayed with every field that it has.
        let mut line = item.clone();
        line.rest.insert("cart".into(), json!([1, {"qty": 2}]));
        let event = of_line(&line).event.unwrap_or_default();
        assert_eq!(
            (&event["id"], &event["cart"][1]["qty"]),
            (&json!("1"), &json!(2))
        );
    }
}
