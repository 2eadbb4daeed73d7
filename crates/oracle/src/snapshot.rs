//! Snapshots, entry by entry: those of the base stay, new ones may be added.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use overnight_core::finding::{Finding, FindingKind};
use regex::Regex;

use crate::lines::{finding, first_difference, line_at};

static JEST_ENTRY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^exports\[`((?:[^`\\]|\\.)*)`\] = ")
        .expect("the pattern is a constant of this program")
});
/// An entry that is nothing but an entry: the file is a program, and what follows a literal would be run.
static JEST_WHOLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)\Aexports\[`(?:[^`\\]|\\.)*`\] = `(?:[^`\\$]|\\.|\$[^{`\\])*`;\z")
        .expect("the pattern is a constant of this program")
});
static AMBER_ENTRY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^# name: (.*)$").expect("the pattern is a constant of this program")
});

/// Compares two versions of a snapshot file.
pub(crate) fn compare(path: &str, base: &[u8], candidate: &[u8]) -> Vec<Finding> {
    let rewritten = |line: Option<u32>, detail: &str| {
        vec![finding(path, line, FindingKind::SnapshotRewritten, detail)]
    };
    let (Ok(old), Ok(new)) = (std::str::from_utf8(base), std::str::from_utf8(candidate)) else {
        return rewritten(first_difference(base, candidate), "");
    };
    if let (Some(old_body), Some(new_body)) = (insta_body(old), insta_body(new)) {
        if old_body == new_body {
            return Vec::new();
        }
        let head = new.len() - new_body.len();
        let line = first_difference(old_body.as_bytes(), new_body.as_bytes()).map(|line| {
            line.saturating_add(line_at(candidate, head))
                .saturating_sub(1)
        });
        return rewritten(line, "");
    }
    let pattern: &Regex = if path.ends_with(".ambr") {
        &AMBER_ENTRY
    } else {
        &JEST_ENTRY
    };
    let (old, new) = (entries(old, pattern), entries(new, pattern));
    if old.len() < 2 {
        // No entry at all: the format is not known.
        return rewritten(first_difference(base, candidate), "");
    }
    let mut findings = Vec::new();
    for (name, (text, at)) in &old {
        match new.get(name) {
            Some((now, _)) if now == text => {}
            Some((now, at)) => {
                let inner = first_difference(text.as_bytes(), now.as_bytes()).unwrap_or(1);
                let line = line_at(candidate, *at)
                    .saturating_add(inner)
                    .saturating_sub(1);
                findings.extend(rewritten(Some(line), name));
            }
            None => findings.extend(rewritten(
                Some(line_at(base, *at)),
                &format!("{name} is gone"),
            )),
        }
    }
    for (name, (text, at)) in &new {
        let hides = name
            .strip_suffix('\'')
            .is_some_and(|first| old.contains_key(first));
        let runs = !path.ends_with(".ambr") && !name.is_empty() && !JEST_WHOLE.is_match(text);
        if !old.contains_key(name) && (hides || runs) {
            let why = if hides {
                "a second entry of this name"
            } else {
                "more than a snapshot"
            };
            findings.extend(rewritten(
                Some(line_at(candidate, *at)),
                &format!("{name}: {why}"),
            ));
        }
    }
    findings
}

/// The entries by name, each with its text and where it begins; what comes before the first has an empty name.
fn entries<'t>(text: &'t str, pattern: &Regex) -> BTreeMap<String, (&'t str, usize)> {
    let marks: Vec<(usize, String)> = std::iter::once((0, String::new()))
        .chain(pattern.captures_iter(text).map(|found| {
            let at = found.get(0).map_or(0, |whole| whole.start());
            (at, found[1].to_owned())
        }))
        .collect();
    let mut entries = BTreeMap::new();
    for (index, (at, name)) in marks.iter().enumerate() {
        let end = marks.get(index + 1).map_or(text.len(), |(next, _)| *next);
        let mut name = name.clone();
        // A name that comes twice is kept twice: the second does not hide the first.
        while entries.contains_key(&name) {
            name.push('\'');
        }
        entries.insert(name, (text[*at..end].trim_end(), *at));
    }
    entries
}

/// What follows insta's header; the header says where the snapshot is from and moves with the code.
fn insta_body(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("---\n")?;
    let end = rest.find("\n---\n")?;
    Some(&rest[end + 5..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const JEST: &str = "// Jest Snapshot v1\n\nexports[`cart a 1`] = `\n<b>\n  1\n</b>\n`;\n\nexports[`cart b 1`] = `2`;\n";

    fn lines(path: &str, base: &str, candidate: &str) -> Vec<Option<u32>> {
        compare(path, base.as_bytes(), candidate.as_bytes())
            .into_iter()
            .map(|f| f.line)
            .collect()
    }

    #[test]
    fn entries_may_be_added_and_not_changed() {
        let added = JEST.replace(
            "exports[`cart b",
            "exports[`cart aa 1`] = `x`;\n\nexports[`cart b",
        );
        assert!(lines("a.snap", JEST, &added).is_empty());
        assert_eq!(
            lines("a.snap", JEST, &JEST.replace("  1", "  9")),
            [Some(5)]
        );
        assert_eq!(
            lines("a.snap", JEST, &JEST.replace("`2`", "`3`")),
            [Some(9)]
        );
        let gone = JEST.replace("exports[`cart b 1`] = `2`;\n", "");
        assert_eq!(lines("a.snap", JEST, &gone), [Some(9)]);
        let doubled = format!("{JEST}\nexports[`cart b 1`] = `3`;\n");
        assert_eq!(lines("a.snap", JEST, &doubled), [Some(11)]);
        let run = format!("{JEST}\nexports[`cart c 1`] = `3`;\nexports['cart b 1'] = `3`;\n");
        assert_eq!(lines("a.snap", JEST, &run), [Some(11)]);
        let read = format!("{JEST}\nexports[`cart c 1`] = `${{process.exit(0)}}`;\n");
        assert_eq!(lines("a.snap", JEST, &read), [Some(11)]);
    }

    #[test]
    fn the_header_of_insta_moves_with_the_code() {
        let base = "---\nsource: src/a.rs\nassertion_line: 4\nexpression: x\n---\none\ntwo\n";
        assert!(lines("a.snap", base, &base.replace("line: 4", "line: 9")).is_empty());
        assert_eq!(lines("a.snap", base, &base.replace("two", "2")), [Some(7)]);
    }
}
