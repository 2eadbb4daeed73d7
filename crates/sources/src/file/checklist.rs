//! Markdown checklists: `- [ ] something to do`.

use overnight_core::ids::BlobId;
use overnight_core::item::Item;
use serde_json::{Map, Value};

/// Length of the readable part of an id, bytes.
const SLUG_BYTES_MAX: usize = 48;
/// How many digits of a hash make ids of similar texts different.
const HASH_DIGITS: usize = 8;

/// One box.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub item: Item,
    pub ticked: bool,
    /// Where the character between the brackets is, bytes from the text's beginning.
    pub mark: usize,
    /// Counted from 1.
    pub line: usize,
}

/// Every box outside of code, in the file's order. Ids are made of the text and its heading, so that they stay when
/// other lines come and go.
pub(super) fn read(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut times = std::collections::BTreeMap::new();
    let (mut at, mut section, mut fence) = (0, String::new(), None);
    // The box whose indented lines follow, and how deep its own mark stands.
    let mut open: Option<usize> = None;
    for (number, whole) in text.split_inclusive('\n').enumerate() {
        let begin = at;
        at += whole.len();
        let line = whole.trim_end_matches(['\n', '\r']);
        let bare = line.trim_start();
        let depth = line.len() - bare.len();
        if let Some(mark) = fence_of(bare) {
            fence = match fence {
                None => Some(mark),
                Some(open) if open == mark => None,
                open => open,
            };
            add(&mut entries, open, line);
            continue;
        }
        if fence.is_some() {
            add(&mut entries, open, line);
            continue;
        }
        if depth == 0 && bare.starts_with('#') {
            section = bare.trim_start_matches('#').trim().to_owned();
            open = None;
            continue;
        }
        let Some((mark, ticked, title)) = boxed(bare) else {
            // What is indented below a box belongs to it.
            match open {
                Some(deep) if depth > deep || bare.is_empty() => add(&mut entries, open, line),
                _ => open = None,
            }
            continue;
        };
        let count: &mut usize = times
            .entry((section.clone(), title.to_owned()))
            .or_default();
        *count += 1;
        let mut rest = Map::new();
        if !section.is_empty() {
            rest.insert("section".into(), Value::from(section.clone()));
        }
        entries.push(Entry {
            item: Item {
                id: id(&section, title, *count).into(),
                title: title.to_owned(),
                rest,
                ..Item::default()
            },
            ticked,
            mark: begin + depth + mark,
            line: number + 1,
        });
        open = Some(depth);
    }
    for entry in &mut entries {
        let body = entry.item.body.take().map(|b| b.trim().to_owned());
        entry.item.body = body.filter(|body| !body.is_empty());
    }
    entries
}

fn add(entries: &mut [Entry], open: Option<usize>, line: &str) {
    if let (Some(_), Some(entry)) = (open, entries.last_mut()) {
        let body = entry.item.body.get_or_insert_default();
        body.push_str(line);
        body.push('\n');
    }
}

/// The kind of a fence, if the line is one.
fn fence_of(line: &str) -> Option<char> {
    ['`', '~']
        .into_iter()
        .find(|c| line.chars().take_while(|l| l == c).count() >= 3)
}

/// Where the mark of a box is, whether it is ticked, and its text.
fn boxed(line: &str) -> Option<(usize, bool, &str)> {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = match digits {
        0 => line.strip_prefix(['-', '*', '+'])?,
        // As many as CommonMark allows.
        1..=9 => line[digits..].strip_prefix(['.', ')'])?,
        _ => return None,
    };
    let inner = rest.trim_start();
    if inner.len() == rest.len() {
        return None;
    }
    let inside = inner.strip_prefix('[')?;
    let ticked = match inside.as_bytes().first()? {
        b' ' => false,
        b'x' | b'X' => true,
        _ => return None,
    };
    let title = inside[1..].strip_prefix(']')?;
    let text = title.trim();
    (title.starts_with([' ', '\t']) && !text.is_empty())
        .then(|| (line.len() - inside.len(), ticked, text))
}

fn id(section: &str, title: &str, time: usize) -> String {
    let mut slug = String::new();
    for c in title.chars() {
        if slug.len() >= SLUG_BYTES_MAX {
            break;
        }
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    let hash = BlobId::of(format!("{section}\n{title}").as_bytes()).0;
    let hash = hash.get(..HASH_DIGITS).unwrap_or(&hash);
    let again = if time > 1 {
        format!("-{time}")
    } else {
        String::new()
    };
    let dash = if slug.is_empty() { "" } else { "-" };
    format!("{slug}{dash}{hash}{again}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# Release\r\n\r\n- [ ] Write the notes\r\n  with thanks\r\n- [x] Tag it\r\n\n## Später\n  1. [ ] Write the notes\n* [X] Ätherisch\n+ [ ] Write the notes\n+ [ ] Write the notes\n```\n- [ ] in code\n```\n- [] no box\n- [ ]no box\n- [y] no box\n";

    #[test]
    fn boxes_are_found_and_their_ids_stay() {
        let entries = read(LIST);
        let seen: Vec<(usize, bool, &str)> = entries
            .iter()
            .map(|e| (e.line, e.ticked, e.item.title.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (3, false, "Write the notes"),
                (5, true, "Tag it"),
                (8, false, "Write the notes"),
                (9, true, "Ätherisch"),
                (10, false, "Write the notes"),
                (11, false, "Write the notes"),
            ]
        );
        assert_eq!(entries[0].item.body.as_deref(), Some("with thanks"));
        assert_eq!(entries[2].item.rest["section"], "Später");
        for entry in &entries {
            assert!(matches!(&LIST[entry.mark..=entry.mark], " " | "x" | "X"));
            assert_eq!(&LIST[entry.mark - 1..entry.mark], "[");
        }
        let ids =
            |text: &str| -> Vec<String> { read(text).into_iter().map(|e| e.item.id.0).collect() };
        let before = ids(LIST);
        let unique: std::collections::BTreeSet<&String> = before.iter().collect();
        assert_eq!(unique.len(), before.len(), "{before:?}");
        assert!(before[0].starts_with("write-the-notes-"));
        // Another line above and a tick change nothing.
        let after = ids(&LIST.replacen("- [ ] Write", "- [x] Write", 1).replacen(
            "\r\n\r\n",
            "\r\n- [ ] New\r\n",
            1,
        ));
        assert_eq!(before[..], after[1..]);
    }
}
