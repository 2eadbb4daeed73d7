//! JSON lines: one item a line. A list with a line that cannot be read is refused whole, so that no item is lost in
//! silence.

use std::collections::BTreeMap;

use overnight_core::item::Item;
use serde_json::{Map, Value};

use crate::clean;

/// How much of a bad line is quoted, bytes.
const QUOTE_BYTES_MAX: usize = 80;

/// Reads the lines; blank ones are passed over. `of` says where they come from, in errors.
pub(crate) fn read(text: &str, of: &str) -> Result<Vec<Item>, String> {
    let mut lines = Lines::new(of);
    let items = text.lines().filter_map(|line| lines.item(line).transpose());
    items.collect()
}

/// Lines that come one after the other, so that a long list is never in memory as a whole.
pub(crate) struct Lines<'a> {
    /// Where they come from, in errors.
    of: &'a str,
    read: usize,
    /// The line of each id.
    ids: BTreeMap<String, usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(of: &'a str) -> Self {
        Lines {
            of,
            read: 0,
            ids: BTreeMap::new(),
        }
    }

    /// The item of the next line; `None` for a blank one.
    pub(crate) fn item(&mut self, line: &str) -> Result<Option<Item>, String> {
        self.read += 1;
        let (number, of) = (self.read, self.of);
        let line = stripped(line);
        if line.is_empty() {
            return Ok(None);
        }
        let bad = |why: &str| {
            let begin = Value::from(clean::line(line, QUOTE_BYTES_MAX));
            format!("line {number} of {of} {why}: it begins with {begin}")
        };
        let value =
            serde_json::from_str::<Value>(line).map_err(|e| bad(&format!("is no JSON ({e})")))?;
        let Value::Object(fields) = value else {
            return Err(bad("is no JSON object"));
        };
        let item = item(fields).map_err(|why| bad(&why))?;
        if let Some(first) = self.ids.insert(item.id.0.clone(), number) {
            return Err(bad(&format!("has the id of line {first} again")));
        }
        Ok(Some(item))
    }
}

/// Whether a line is of the item with this id. Few lines are looked into: one that does not hold the id's text is not,
/// unless something in it is escaped.
pub(crate) fn is_of(line: &str, id: &str) -> bool {
    if !line.contains(id) && !line.contains('\\') {
        return false;
    }
    match serde_json::from_str(stripped(line)) {
        Ok(Value::Object(fields)) => item(fields).is_ok_and(|item| item.id.as_str() == id),
        _ => false,
    }
}

fn stripped(line: &str) -> &str {
    line.trim().trim_start_matches('\u{feff}')
}

/// An item from its fields; what is wrong is said as `has no title`.
pub(crate) fn item(mut fields: Map<String, Value>) -> Result<Item, String> {
    let mut word = |key: &str| match fields.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|t| !t.is_empty())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("has a `{key}` that is no text")),
    };
    let id = word("id")?.ok_or("has no `id`")?;
    let title = word("title")?.ok_or("has no `title`")?;
    let (body, url) = (word("body")?, word("url")?);
    let (created, priority) = (word("created")?, word("priority")?);
    let tags = match fields.remove("tags") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => text
            .split([',', ';'])
            .map(|tag| tag.trim().to_owned())
            .filter(|tag| !tag.is_empty())
            .collect(),
        Some(Value::Array(list)) => list
            .into_iter()
            .map(|tag| match tag {
                Value::String(text) => Ok(text),
                Value::Number(number) => Ok(number.to_string()),
                _ => Err("has `tags` that are no texts".to_owned()),
            })
            .collect::<Result<_, _>>()?,
        Some(_) => return Err("has `tags` that are no list".to_owned()),
    };
    Ok(Item {
        id: id.into(),
        title,
        body,
        url,
        created,
        priority,
        tags,
        rest: fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_item_and_what_it_says_more_is_kept() {
        let text = "\u{feff}{\"id\": 7, \"title\": \"a\", \"created\": \"2024-01-01\", \"tags\": [\"x\", 2], \"customer\": {\"n\": 1}}\n\n{\"id\":\"b\",\"title\":\"t\",\"priority\":2,\"tags\":\"p, q\"}\n";
        let items = read(text, "cases").unwrap();
        assert_eq!(items[0].id.as_str(), "7");
        assert_eq!(items[0].tags, ["x", "2"]);
        assert_eq!(items[0].rest["customer"]["n"], 1);
        assert_eq!(items[1].priority.as_deref(), Some("2"));
        assert_eq!(items[1].tags, ["p", "q"]);
    }

    #[test]
    fn a_line_is_told_by_its_id_however_that_is_written() {
        for line in [
            r#"{"id": "A-7", "title": "t"}"#,
            r#"{"id": "\u0041-7", "title": "t"}"#,
            "\u{feff} {\"title\": \"A-7\", \"id\": \" A-7 \"} ",
        ] {
            assert!(is_of(line, "A-7"), "{line}");
        }
        assert!(is_of(r#"{"id": 7, "title": "t"}"#, "7"));
        for line in [
            r#"{"id": "A-71", "title": "t"}"#,
            r#"{"id": "B", "title": "A-7"}"#,
            r#"{"id": "A-7"}"#,
            r#"{"id": "A-7", "title""#,
            "",
        ] {
            assert!(!is_of(line, "A-7"), "{line}");
        }
    }

    #[test]
    fn a_bad_line_refuses_the_list_and_is_named() {
        let good = "{\"id\":1,\"title\":\"t\"}\n";
        for (line, why) in [
            ("oops {", "line 2 of it is no JSON ("),
            (
                "[1]",
                "line 2 of it is no JSON object: it begins with \"[1]\"",
            ),
            ("{\"title\":\"t\"}", "line 2 of it has no `id`"),
            ("{\"id\":2}", "line 2 of it has no `title`"),
            ("{\"id\":2,\"title\":\" \"}", "line 2 of it has no `title`"),
            ("{\"id\":[2],\"title\":\"t\"}", "has a `id` that is no text"),
            (
                "{\"id\":2,\"title\":\"t\",\"tags\":[[]]}",
                "has `tags` that",
            ),
            (
                "{\"id\":\"1\",\"title\":\"u\"}",
                "line 2 of it has the id of line 1 again",
            ),
        ] {
            let error = read(&format!("{good}{line}\n"), "it").unwrap_err();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
