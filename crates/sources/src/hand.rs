//! Handing items over: in the goal's order, as far as its limit, each once.

use std::collections::BTreeSet;

use jiff::Timestamp;
use overnight_core::goal::{Items, Order};
use overnight_core::item::{
    ITEM_BODY_BYTES_MAX, ITEM_ID_BYTES_MAX, ITEM_REST_BYTES_MAX, ITEM_TITLE_BYTES_MAX, ITEMS_MAX,
    Item,
};
use overnight_ports::source::SourceError;
use serde_json::{Map, Value};

use crate::clean;

/// Length of an address, bytes; longer ones are left out.
const URL_BYTES_MAX: usize = 2 * 1024;
/// Length of a time, a priority or a tag, bytes.
const WORD_BYTES_MAX: usize = 200;
/// How much of an id that is refused is shown, characters.
const ID_SHOWN_CHARS: usize = 60;
/// How many tags an item keeps.
const TAGS_MAX: usize = 50;
/// Names of fields that an item has of its own.
const OWN: [&str; 7] = ["id", "title", "body", "url", "created", "priority", "tags"];

/// Where a source's items go.
pub(crate) struct Hand<'a> {
    found: &'a mut (dyn FnMut(Item) -> bool + Send),
    order: Order,
    limit: usize,
    /// The source gives them in the goal's order already: nothing is held back.
    sorted: bool,
    held: Vec<Item>,
    seen: BTreeSet<String>,
    given: usize,
    over: bool,
    cut: usize,
}

impl<'a> Hand<'a> {
    /// `sorted`: the source gives its items in the goal's order.
    pub(crate) fn new(
        items: &Items,
        sorted: bool,
        found: &'a mut (dyn FnMut(Item) -> bool + Send),
    ) -> Self {
        Hand {
            found,
            order: items.order,
            limit: items.limit.map_or(ITEMS_MAX, |n| n as usize),
            sorted: sorted || items.order == Order::Source,
            held: Vec::new(),
            seen: BTreeSet::new(),
            given: 0,
            over: false,
            cut: 0,
        }
    }

    /// Takes an item. Whether more are wanted. An item that was there already is left out: pages of a list that changes
    /// meanwhile overlap.
    pub(crate) fn take(&mut self, item: Item) -> Result<bool, SourceError> {
        let item = self.tidy(item)?;
        if !self.seen.insert(item.id.0.clone()) {
            return Ok(!self.over);
        }
        if self.seen.len() > ITEMS_MAX {
            return Err(SourceError::Refused(format!(
                "the list has more than {ITEMS_MAX} items: narrow `items.query`"
            )));
        }
        if self.sorted {
            self.give(item);
        } else {
            self.held.push(item);
        }
        Ok(!self.over)
    }

    /// Whether an item of this id was there already.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.seen.contains(id)
    }

    fn give(&mut self, item: Item) {
        if self.given >= self.limit {
            self.over = true;
            return;
        }
        self.given += 1;
        self.over = !(self.found)(item) || self.given >= self.limit;
    }

    /// The end of the list: what was held back is sorted and handed over. Gives the notes.
    pub(crate) fn finish(mut self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.sorted {
            let mut held = std::mem::take(&mut self.held);
            let odd = sort(&mut held, self.order);
            if odd > 0 {
                let lack = match self.order {
                    Order::Priority => "no priority that is known",
                    Order::Oldest | Order::Newest | Order::Source => "no time that can be read",
                };
                notes.push(format!(
                    "{odd} of {} items have {lack}: they come last",
                    held.len()
                ));
            }
            for item in held {
                if self.over {
                    break;
                }
                self.give(item);
            }
        }
        if self.cut > 0 {
            notes.push(format!(
                "of {} items some text is left out, because it is too long for the list",
                self.cut
            ));
        }
        notes
    }

    /// Cleans and bounds everything that an item has.
    fn tidy(&mut self, item: Item) -> Result<Item, SourceError> {
        let id = item.id.0.trim();
        if id.is_empty() || id.len() > ITEM_ID_BYTES_MAX || id != clean::line(id, id.len()) {
            // Written as in a program, so that what cannot be seen is seen.
            let shown: String = id.chars().take(ID_SHOWN_CHARS).collect();
            return Err(SourceError::Malformed(format!(
                "the id of item {} is {shown:?}{}: an id is one line of 1 to {ITEM_ID_BYTES_MAX} bytes without \
                 characters that cannot be seen",
                self.seen.len() + 1,
                if shown.len() < id.len() { "…" } else { "" },
            )));
        }
        let mut title = clean::line(&item.title, ITEM_TITLE_BYTES_MAX);
        if title.is_empty() {
            title = id.to_owned();
        }
        let mut short = item.title.trim().len() > ITEM_TITLE_BYTES_MAX;
        let body = item.body.map(|body| {
            short |= body.trim().len() > ITEM_BODY_BYTES_MAX;
            clean::block(&body, ITEM_BODY_BYTES_MAX)
        });
        let word = |text: String| clean::line(&text, WORD_BYTES_MAX);
        let given = |text: &String| !text.is_empty();
        let (rest, whole) = bounded(item.rest);
        short |= !whole;
        self.cut += usize::from(short);
        Ok(Item {
            id: id.into(),
            title,
            body: body.filter(given),
            url: item
                .url
                .filter(|url| url.len() <= URL_BYTES_MAX)
                .map(|url| clean::line(&url, URL_BYTES_MAX))
                .filter(|url| url.starts_with("https://") || url.starts_with("http://")),
            created: item.created.map(word).filter(given),
            priority: item.priority.map(word).filter(given),
            tags: item
                .tags
                .into_iter()
                .take(TAGS_MAX)
                .map(word)
                .filter(given)
                .collect(),
            rest,
        })
    }
}

/// As much of it as the list may hold, in its order; whether that is all.
fn bounded(rest: Map<String, Value>) -> (Map<String, Value>, bool) {
    let (mut kept, mut whole, mut size) = (Map::new(), true, 2);
    for (key, value) in rest {
        if OWN.contains(&key.as_str()) || value.is_null() {
            continue;
        }
        let bytes = key.len() + value.to_string().len() + 4;
        if size + bytes > ITEM_REST_BYTES_MAX {
            whole = false;
            continue;
        }
        size += bytes;
        kept.insert(key, value);
    }
    (kept, whole)
}

/// Sorts; how many could not be ranked. They come last, in the source's order.
fn sort(items: &mut Vec<Item>, order: Order) -> usize {
    let time = |item: &Item| item.created.as_deref().and_then(moment);
    let mut keyed: Vec<(Option<i128>, Item)> = items
        .drain(..)
        .map(|item| {
            let key = match order {
                Order::Source => Some(0),
                Order::Oldest => time(&item).map(Timestamp::as_nanosecond),
                Order::Newest => time(&item).map(|at| -at.as_nanosecond()),
                Order::Priority => item.priority.as_deref().and_then(rank).map(i128::from),
            };
            (key, item)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| (key.is_none(), *key));
    let odd = keyed.iter().filter(|(key, _)| key.is_none()).count();
    items.extend(keyed.into_iter().map(|(_, item)| item));
    odd
}

/// A time as sources write it: RFC 3339, a date, or both without an offset (then it is UTC).
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let utc = |at: jiff::civil::DateTime| {
        at.to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|at| at.timestamp())
    };
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<jiff::civil::DateTime>().ok().and_then(utc))
        .or_else(|| {
            let date = text.parse::<jiff::civil::Date>().ok()?;
            utc(date.at(0, 0, 0, 0))
        })
}

/// How urgent a priority is, 0 the most, by the words that trackers use.
pub(crate) fn rank(priority: &str) -> Option<u32> {
    let word = priority.trim().to_ascii_lowercase();
    let word = ["priority", "prio", "severity"]
        .iter()
        .find_map(|name| word.strip_prefix(name))
        .map(|rest| rest.trim_start_matches([':', '/', '-', '=', ' ']))
        .unwrap_or(&word);
    match word {
        "critical" | "urgent" | "blocker" | "highest" | "fatal" | "emergency" | "p0" => Some(0),
        "high" | "error" | "major" => Some(1),
        "medium" | "normal" | "warning" | "moderate" => Some(2),
        "low" | "minor" | "info" => Some(3),
        "lowest" | "trivial" | "debug" | "none" => Some(4),
        word => word.strip_prefix('p').unwrap_or(word).parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn items(order: Order, limit: Option<u32>) -> Items {
        Items {
            from: "file".into(),
            spec: json!({}),
            outcomes: Vec::new(),
            order,
            limit,
            each: Vec::new(),
            parallel: 1,
            on: Default::default(),
            replay: None,
            work_on_new: false,
        }
    }

    fn item(id: &str, created: &str, priority: &str) -> Item {
        Item {
            id: id.into(),
            title: format!("title of {id}"),
            created: Some(created.into()),
            priority: Some(priority.into()),
            ..Item::default()
        }
    }

    fn handed(order: Order, limit: Option<u32>, all: Vec<Item>) -> (Vec<String>, Vec<String>) {
        let mut ids = Vec::new();
        let mut found = |item: Item| {
            ids.push(item.id.0);
            true
        };
        let items = items(order, limit);
        let mut hand = Hand::new(&items, false, &mut found);
        for item in all {
            if !hand.take(item).unwrap() {
                break;
            }
        }
        let notes = hand.finish();
        (ids, notes)
    }

    #[test]
    fn the_order_and_the_limit_are_the_goals() {
        let all = || {
            vec![
                item("b", "2024-05-01T10:00:00Z", "P2"),
                item("c", "2024-05-01T09:30:00+02:00", "high"),
                item("a", "2024-05-01", "critical"),
                item("x", "yesterday", "whenever"),
                item("b", "2020-01-01", "P0"),
            ]
        };
        let of = |order, limit| handed(order, limit, all()).0.join("");
        assert_eq!(of(Order::Source, None), "bcax");
        assert_eq!(of(Order::Oldest, None), "acbx");
        assert_eq!(of(Order::Newest, Some(2)), "bc");
        assert_eq!(of(Order::Priority, None), "acbx");
        assert_eq!(of(Order::Source, Some(3)), "bca");
        let (_, notes) = handed(Order::Oldest, None, all());
        assert_eq!(
            notes,
            ["1 of 4 items have no time that can be read: they come last"]
        );
    }

    #[test]
    fn everything_is_bounded_and_cleaned() {
        let mut long = item("a", "2024-05-01", "P1");
        long.title = "t\u{1b}[2J".repeat(400);
        long.body = Some("b".repeat(ITEM_BODY_BYTES_MAX * 2));
        long.url = Some("javascript:alert(1)".into());
        long.rest = (0..4000).map(|n| (format!("k{n}"), json!(n))).collect();
        let mut got = Vec::new();
        let mut found = |item: Item| {
            got.push(item);
            true
        };
        let items = items(Order::Source, None);
        let mut hand = Hand::new(&items, true, &mut found);
        hand.take(long).unwrap();
        assert!(hand.take(item("two\nlines", "", "")).is_err());
        assert!(hand.take(item("", "", "")).is_err());
        assert!(hand.take(item(&"x".repeat(201), "", "")).is_err());
        assert_eq!(hand.finish().len(), 1);
        let item = &got[0];
        assert!(item.title.len() <= ITEM_TITLE_BYTES_MAX && !item.title.contains('\u{1b}'));
        assert!(item.body.as_ref().unwrap().len() <= ITEM_BODY_BYTES_MAX);
        assert_eq!(item.url, None);
        let rest = Value::Object(item.rest.clone()).to_string();
        assert!(rest.len() <= ITEM_REST_BYTES_MAX && item.rest.len() > 100);
    }
}
