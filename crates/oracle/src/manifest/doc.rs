//! Manifests of every format as one kind of data: nested keys, each with its line.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::Kind;
use crate::lines::line_at;

/// A manifest that was read.
#[derive(Debug, Default)]
pub(crate) struct Doc {
    /// Its content.
    pub(crate) value: Value,
    lines: HashMap<Vec<String>, u32>,
}

impl Doc {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        Doc {
            value: Value::Object(Map::new()),
            lines: HashMap::new(),
        }
    }

    /// Reads a manifest. `None` if it cannot be read as what it should be.
    pub(crate) fn read(kind: Kind, text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match kind {
            Kind::PackageJson => json_doc(text),
            Kind::PyProject | Kind::CargoToml => toml_doc(text),
            Kind::SetupCfg => Some(ini_doc(text)),
            Kind::GoMod => Some(go_mod_doc(text)),
            Kind::Requirements => Some(requirements_doc(text)),
            Kind::Pom => None,
        }
    }

    /// The line of a key, or of the nearest key around it.
    pub(crate) fn line(&self, path: &[String]) -> Option<u32> {
        (1..=path.len())
            .rev()
            .find_map(|len| self.lines.get(&path[..len]).copied())
    }

    fn put(&mut self, path: &[&str], value: Value, line: usize) {
        let mut at = &mut self.value;
        for key in &path[..path.len().saturating_sub(1)] {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            let Value::Object(map) = at else { return };
            at = map
                .entry((*key).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
        }
        if let (Value::Object(map), Some(last)) = (at, path.last()) {
            map.insert((*last).to_owned(), value);
        }
        for len in 1..=path.len() {
            let key: Vec<String> = path[..len].iter().map(|k| (*k).to_owned()).collect();
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            if len == path.len() {
                self.lines.insert(key, line);
            } else {
                self.lines.entry(key).or_insert(line);
            }
        }
    }
}

fn json_doc(text: &str) -> Option<Doc> {
    let value: Value = serde_json::from_str(text).ok()?;
    value.is_object().then(|| Doc {
        value,
        lines: json_lines(text),
    })
}

/// Where each key of a well-formed JSON document stands.
fn json_lines(text: &str) -> HashMap<Vec<String>, u32> {
    let mut lines = HashMap::new();
    // The key that is being given a value at each depth; `None` in an array.
    let mut path: Vec<Option<String>> = Vec::new();
    let mut line: u32 = 1;
    let mut begun: Option<(usize, u32)> = None;
    let mut last: Option<(String, u32)> = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        if byte == b'\n' {
            line = line.saturating_add(1);
        }
        if let Some((start, start_line)) = begun {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    begun = None;
                    last = serde_json::from_str(&text[start..=at])
                        .ok()
                        .map(|key: String| (key, start_line));
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => begun = Some((at, line)),
            b'{' => path.push(Some(String::new())),
            b'[' => path.push(None),
            b'}' | b']' => {
                path.pop();
            }
            b':' => {
                if let (Some((key, at)), Some(top)) = (last.take(), path.last_mut()) {
                    *top = Some(key);
                    if path.iter().all(Option::is_some) {
                        lines.insert(path.iter().flatten().cloned().collect(), at);
                    }
                }
            }
            _ => {}
        }
    }
    lines
}

fn toml_doc(text: &str) -> Option<Doc> {
    let table = toml::de::DeTable::parse(text).ok()?;
    let mut doc = Doc::empty();
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let line = |offset: usize| {
        u32::try_from(starts.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    };
    doc.value = toml_table(table.get_ref(), &mut Vec::new(), &mut doc.lines, &line);
    Some(doc)
}

fn toml_table(
    table: &toml::de::DeTable<'_>,
    path: &mut Vec<String>,
    lines: &mut HashMap<Vec<String>, u32>,
    line: &dyn Fn(usize) -> u32,
) -> Value {
    let mut map = Map::new();
    for (key, value) in table.iter() {
        path.push(key.get_ref().to_string());
        lines.insert(path.clone(), line(key.span().start));
        map.insert(
            key.get_ref().to_string(),
            toml_value(value.get_ref(), path, lines, line),
        );
        path.pop();
    }
    Value::Object(map)
}

fn toml_value(
    value: &toml::de::DeValue<'_>,
    path: &mut Vec<String>,
    lines: &mut HashMap<Vec<String>, u32>,
    line: &dyn Fn(usize) -> u32,
) -> Value {
    use toml::de::DeValue;
    match value {
        DeValue::String(text) => json!(text.as_ref()),
        DeValue::Integer(number) => json!(number.to_string()),
        DeValue::Float(number) => json!(number.to_string()),
        DeValue::Boolean(is) => json!(is),
        DeValue::Datetime(time) => json!(time.to_string()),
        DeValue::Array(array) => Value::Array(
            array
                .iter()
                // Keys inside of arrays have no lines of their own: the array has one.
                .map(|v| toml_value(v.get_ref(), &mut path.clone(), &mut HashMap::new(), line))
                .collect(),
        ),
        DeValue::Table(table) => toml_table(table, path, lines, line),
    }
}

/// `configparser`'s format: sections, keys, and values that go on in indented lines.
fn ini_doc(text: &str) -> Doc {
    let mut doc = Doc::empty();
    let mut section = String::new();
    let mut key: Option<(String, String, usize)> = None;
    for (index, raw) in text.lines().enumerate() {
        let line = raw.trim_end();
        let bare = line.trim_start();
        if bare.starts_with(['#', ';']) {
            continue;
        }
        let continues = line.len() > bare.len() && key.is_some();
        if bare.is_empty() || continues {
            if let Some((_, value, _)) = &mut key
                && !bare.is_empty()
            {
                value.push('\n');
                value.push_str(bare);
            }
            continue;
        }
        if let Some((name, value, at)) = key.take() {
            doc.put(&[&section, &name], json!(value), at);
        }
        if let Some(name) = bare.strip_prefix('[').and_then(|b| b.strip_suffix(']')) {
            section = name.trim().to_owned();
            doc.put(&[&section], Value::Object(Map::new()), index + 1);
            continue;
        }
        let (name, value) = bare.split_once(['=', ':']).unwrap_or((bare, ""));
        key = Some((
            name.trim().to_lowercase().replace('-', "_"),
            value.trim().to_owned(),
            index + 1,
        ));
    }
    if let Some((name, value, at)) = key {
        doc.put(&[&section, &name], json!(value), at);
    }
    doc
}

fn go_mod_doc(text: &str) -> Doc {
    let mut doc = Doc::empty();
    let mut block: Option<String> = None;
    for (index, raw) in text.lines().enumerate() {
        let line = raw.split("//").next().unwrap_or(raw).trim();
        if line.is_empty() {
            continue;
        }
        let (directive, rest) = match &block {
            Some(_) if line == ")" => {
                block = None;
                continue;
            }
            Some(directive) => (directive.clone(), line),
            None => {
                let (directive, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                if rest.trim() == "(" {
                    block = Some(directive.to_owned());
                    continue;
                }
                (directive.to_owned(), rest.trim())
            }
        };
        let words: Vec<&str> = rest.split_whitespace().collect();
        let (name, value) = match (directive.as_str(), words.split_first()) {
            ("module" | "go" | "toolchain", _) => {
                doc.put(&[&directive], json!(rest), index + 1);
                continue;
            }
            (_, Some((name, value))) => (*name, value.join(" ")),
            (_, None) => ("", String::new()),
        };
        doc.put(&[&directive, name], json!(value), index + 1);
    }
    doc
}

fn requirements_doc(text: &str) -> Doc {
    let mut doc = Doc::empty();
    let mut pending = String::new();
    for (index, raw) in text.lines().enumerate() {
        let raw = raw.trim();
        if let Some(start) = raw.strip_suffix('\\') {
            pending.push_str(start);
            pending.push(' ');
            continue;
        }
        let whole = std::mem::take(&mut pending) + raw;
        let line = whole.split(" #").next().unwrap_or(&whole).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('-') {
            doc.put(&["options", line], json!(true), index + 1);
        } else {
            doc.put(
                &["requirements", &requirement_name(line)],
                json!(line),
                index + 1,
            );
        }
    }
    doc
}

/// The name in a requirement of PEP 508, in its normal form; the whole text for a bare path or address.
pub(crate) fn requirement_name(requirement: &str) -> String {
    let end = requirement
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .unwrap_or(requirement.len());
    let rest = requirement[end..].trim_start();
    let is_name = end > 0
        && !requirement.starts_with('.')
        && (rest.is_empty()
            || rest.starts_with(['=', '<', '>', '~', '!', '[', ';', '@', '(', ',']));
    if !is_name {
        return requirement.to_owned();
    }
    requirement[..end].to_lowercase().replace(['_', '.'], "-")
}

/// The text with single keys put back to what the base has. `None` where the format cannot be written, or the result
/// would not be what is meant.
pub(crate) fn reverted(
    kind: Kind,
    base: &[u8],
    candidate: &[u8],
    keys: &[Vec<String>],
) -> Option<Vec<u8>> {
    let base = std::str::from_utf8(base).ok()?;
    let candidate = std::str::from_utf8(candidate).ok()?;
    match kind {
        Kind::PackageJson => {
            let base: Value = serde_json::from_str(base.trim_start_matches('\u{feff}')).ok()?;
            let mut value: Value =
                serde_json::from_str(candidate.trim_start_matches('\u{feff}')).ok()?;
            for key in keys {
                revert_json(&base, &mut value, key);
            }
            let mut text = serde_json::to_vec_pretty(&value).ok()?;
            text.push(b'\n');
            Some(text)
        }
        Kind::PyProject | Kind::CargoToml => {
            let base: toml::Table = base.trim_start_matches('\u{feff}').parse().ok()?;
            let mut value: toml::Table = candidate.trim_start_matches('\u{feff}').parse().ok()?;
            for key in keys {
                revert_toml(&base, &mut value, key);
            }
            Some(toml::to_string(&value).ok()?.into_bytes())
        }
        Kind::SetupCfg | Kind::GoMod | Kind::Requirements | Kind::Pom => None,
    }
}

fn revert_json(base: &Value, candidate: &mut Value, key: &[String]) {
    let Some((last, above)) = key.split_last() else {
        *candidate = base.clone();
        return;
    };
    let mut from = Some(base);
    let mut to = candidate;
    for part in above {
        from = from.and_then(|v| v.get(part));
        if !to.is_object() {
            *to = Value::Object(Map::new());
        }
        let Value::Object(map) = to else { return };
        to = map
            .entry(part.clone())
            .or_insert_with(|| Value::Object(Map::new()));
    }
    if !to.is_object() {
        *to = Value::Object(Map::new());
    }
    let Value::Object(map) = to else { return };
    match from.and_then(|v| v.get(last)) {
        Some(value) => {
            map.insert(last.clone(), value.clone());
        }
        None => {
            map.shift_remove(last);
        }
    }
}

fn revert_toml(base: &toml::Table, candidate: &mut toml::Table, key: &[String]) {
    let Some((last, above)) = key.split_last() else {
        candidate.clone_from(base);
        return;
    };
    let mut from = Some(base);
    let mut to = candidate;
    for part in above {
        from = from.and_then(|t| t.get(part)).and_then(|v| v.as_table());
        let next = to
            .entry(part.clone())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        if !next.is_table() {
            *next = toml::Value::Table(toml::Table::new());
        }
        let toml::Value::Table(table) = next else {
            return;
        };
        to = table;
    }
    match from.and_then(|t| t.get(last)) {
        Some(value) => {
            to.insert(last.clone(), value.clone());
        }
        None => {
            to.remove(last);
        }
    }
}

/// The line of a byte of a text, for formats that are compared by other means.
pub(crate) fn line_of(text: &[u8], offset: usize) -> u32 {
    line_at(text, offset)
}
