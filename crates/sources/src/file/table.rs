//! CSV: a header with `id` and `title`, one item a row.

use overnight_core::item::Item;
use serde_json::{Map, Value};

use crate::{clean, lines};

/// How much of a column's name is told, bytes.
const COLUMN_BYTES_MAX: usize = 80;

/// Reads the rows; a row that cannot be read refuses the list.
pub(super) fn read(text: &str, name: &str) -> Result<Vec<Item>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let head = text.lines().next().unwrap_or_default();
    // Whatever the header has most of separates.
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .rev()
        .max_by_key(|d| head.bytes().filter(|b| b == d).count())
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let bad = |error: csv::Error| format!("{name} cannot be read as a table: {error}");
    let header: Vec<String> = reader
        .headers()
        .map_err(bad)?
        .iter()
        .map(|column| {
            let lower = column.to_lowercase();
            match lower.as_str() {
                "id" | "title" | "body" | "url" | "created" | "priority" | "tags" => lower,
                _ => column.to_owned(),
            }
        })
        .collect();
    let twice =
        |(at, column): &(usize, &String)| !column.is_empty() && header[..*at].contains(column);
    if let Some((_, column)) = header.iter().enumerate().find(twice) {
        return Err(format!(
            "{name} has two columns `{}` in its first line",
            clean::line(column, COLUMN_BYTES_MAX)
        ));
    }
    for column in ["id", "title"] {
        if !header.iter().any(|c| c == column) {
            return Err(format!("{name} has no column `{column}` in its first line"));
        }
    }
    let (mut items, mut ids) = (Vec::new(), std::collections::BTreeMap::new());
    for row in reader.records() {
        let row = row.map_err(bad)?;
        let line = row.position().map_or(0, csv::Position::line);
        if row.iter().all(str::is_empty) {
            continue;
        }
        let fields: Map<String, Value> = header
            .iter()
            .zip(row.iter())
            .filter(|(column, value)| !column.is_empty() && !value.is_empty())
            .map(|(column, value)| (column.clone(), Value::from(value)))
            .collect();
        let item = lines::item(fields).map_err(|why| format!("line {line} of {name} {why}"))?;
        if let Some(first) = ids.insert(item.id.0.clone(), line) {
            return Err(format!(
                "line {line} of {name} has the id of line {first} again"
            ));
        }
        items.push(item);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_items_whatever_separates_them() {
        let text =
            "\u{feff}ID;Title;customer;tags\n7;\"a;\nb\";\"Müller \"\"& Co\"\"\";x,y\n\n8;c;;\n";
        let items = read(text, "cases.csv").unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].title, "a;\nb");
        assert_eq!(items[0].rest["customer"], "Müller \"& Co\"");
        assert_eq!(items[0].tags, ["x", "y"]);
        assert!(items[1].rest.is_empty());
        assert_eq!(read("id\ttitle\n1\tt\n", "x").unwrap().len(), 1);
        assert_eq!(read("id,title\n", "x").unwrap(), []);
    }

    #[test]
    fn a_bad_row_refuses_the_list() {
        for (text, why) in [
            ("", "no column `id`"),
            ("id,name\n1,x\n", "no column `title`"),
            ("id,title,Title\n1,x,y\n", "x has two columns `title`"),
            (
                "id,title\n1,a\n1,b\n",
                "line 3 of x has the id of line 2 again",
            ),
            ("id,title\n1,a\n,b\n", "line 3 of x has no `id`"),
            ("id,title\n1,a,b\n", "cannot be read as a table"),
        ] {
            let error = read(text, "x").unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
