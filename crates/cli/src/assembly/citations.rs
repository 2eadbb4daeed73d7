//! Citations in prose, `src/api.rs:12` and `src/api.rs:12-20`: whether what they name is there.
//!
//! Prose is full of things that look like citations: times, hosts with their ports, addresses, names of modules. Taken for
//! a citation is what names a file of the tree, or what ends like a file of the tree and so is meant to name one.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::ids::TreeId;
use overnight_core::judge::{clip, plain};
use overnight_ports::sandbox::WORKSPACE_INSIDE;
use overnight_ports::workspace::WorkspaceError;
use overnight_workspace::{Checkouts, Listing};

/// How many citations of one text are looked up.
const CITATIONS_MAX: usize = 100;
/// How many faults are told.
const FAULTS_MAX: usize = 10;
/// Files that are larger are not opened to count their lines, bytes.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// How much of a citation is told back, bytes.
const SHOWN_BYTES_MAX: usize = 200;
/// Most digits of a line's number.
const DIGITS_MAX: usize = 9;

/// Said where there is no citation.
const NONE: &str = "it cites no place in the code: name at least one as `path/from/the/root.ext:LINE` or \
                    `path/from/the/root.ext:FIRST-LAST`";

/// What is wrong with the citations in a text; empty if nothing is.
pub(super) fn faults(
    store: &Checkouts,
    tree: &TreeId,
    text: &str,
) -> Result<Vec<String>, WorkspaceError> {
    let files = Files::new(store.listing(tree)?);
    let mut lines: BTreeMap<String, Option<u64>> = BTreeMap::new();
    let mut count = |path: &str| {
        let known = lines.entry(path.to_owned()).or_insert_with(|| {
            let content = store.file(tree, path, FILE_BYTES_MAX)?;
            Some(lines_of(&content))
        });
        *known
    };
    Ok(judge(&files, text, &mut count))
}

/// The files of a tree.
struct Files {
    listing: Listing,
    extensions: BTreeSet<String>,
}

impl Files {
    fn new(listing: Listing) -> Self {
        let extensions = listing.keys().filter_map(|path| extension(path));
        Files {
            extensions: extensions.map(str::to_owned).collect(),
            listing,
        }
    }

    fn holds(&self, path: &str) -> bool {
        self.listing.contains_key(path)
    }

    /// The one file whose path is the end of this one.
    fn ending(&self, path: &str) -> Option<&str> {
        let ends = path.match_indices('/').map(|(at, _)| &path[at + 1..]);
        ends.filter(|end| !end.is_empty())
            .find_map(|end| self.listing.get_key_value(end))
            .map(|(path, _)| path.as_str())
    }
}

fn extension(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then_some(extension)
}

fn lines_of(content: &[u8]) -> u64 {
    let ends = content.iter().filter(|b| **b == b'\n').count();
    let open = content.last().is_some_and(|b| *b != b'\n');
    u64::try_from(ends).unwrap_or(u64::MAX) + u64::from(open)
}

/// A citation as it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cited {
    path: String,
    /// First and last lines.
    lines: Vec<(u64, u64)>,
    shown: String,
}

fn judge(files: &Files, text: &str, count: &mut dyn FnMut(&str) -> Option<u64>) -> Vec<String> {
    let cited = cited(files, text);
    if cited.is_empty() {
        return vec![NONE.to_owned()];
    }
    let mut faults = Vec::new();
    for one in cited.iter().take(CITATIONS_MAX) {
        if let Some(why) = fault(files, one, count) {
            faults.push(format!("`{}`: {why}", one.shown));
        }
        if faults.len() == FAULTS_MAX {
            break;
        }
    }
    faults.dedup();
    faults
}

fn fault(
    files: &Files,
    cited: &Cited,
    count: &mut dyn FnMut(&str) -> Option<u64>,
) -> Option<String> {
    let path = match normal(&cited.path) {
        Ok(path) => path,
        Err(why) => {
            return Some(match files.ending(&cited.path) {
                Some(meant) => format!("{why}; `{meant}` may be what is meant"),
                None => why.to_owned(),
            });
        }
    };
    let Some(entry) = files.listing.get(&path) else {
        return Some(match files.ending(&path) {
            Some(meant) => format!("there is no such file; `{meant}` may be what is meant"),
            None => "there is no such file in the repository".to_owned(),
        });
    };
    match entry.mode.as_str() {
        "120000" => return Some("that is a symbolic link: cite the file that it leads to".into()),
        "160000" => {
            return Some("that is a submodule: cite a file of the repository itself".into());
        }
        _ => {}
    }
    let Some(has) = count(&path) else {
        return Some("the file is too large to be looked at".into());
    };
    cited.lines.iter().find_map(|(first, last)| {
        if *first == 0 {
            Some("lines count from 1".to_owned())
        } else if last < first {
            Some(format!("the lines run backwards, from {first} to {last}"))
        } else if *last > has {
            Some(format!("the file has {has} lines"))
        } else {
            None
        }
    })
}

/// A path from the repository's root, without `.` and `..`. The agent sees the root at a place of its own.
fn normal(path: &str) -> Result<String, &'static str> {
    let below = match path.strip_prefix(WORKSPACE_INSIDE) {
        Some(rest) if rest.starts_with('/') => rest.trim_start_matches('/'),
        _ => path,
    };
    if below.starts_with('/') {
        return Err("that is no path from the repository's root");
    }
    let mut parts = Vec::new();
    for part in below.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err("that leads out of the repository");
                }
            }
            name => parts.push(name),
        }
    }
    Ok(parts.join("/"))
}

/// The citations in a text, in its order.
fn cited(files: &Files, text: &str) -> Vec<Cited> {
    let mut found: Vec<Cited> = Vec::new();
    let mut take = |one: Cited| {
        if found.len() < CITATIONS_MAX && !found.contains(&one) {
            found.push(one);
        }
    };
    // Between backticks a path may hold anything, blanks too.
    for (number, part) in text.split('`').enumerate() {
        let quoted = number % 2 == 1;
        let whole = citation(files, part.trim()).filter(|one| {
            let there = || normal(&one.path).is_ok_and(|path| files.holds(&path));
            quoted && (!one.path.contains(char::is_whitespace) || there())
        });
        match whole {
            Some(one) => take(one),
            None => part
                .split_whitespace()
                .filter_map(|word| in_word(files, word))
                .for_each(&mut take),
        }
    }
    found
}

/// The citation in a word of prose, whatever marks stand around it.
fn in_word(files: &Files, word: &str) -> Option<Cited> {
    const END: &[char] = &['.', ',', ';', ':', '!', '?', '…'];
    const AROUND: &[char] = &[
        '(', ')', '[', ']', '{', '}', '<', '>', '"', '\'', '*', '_', '“', '”', '‘', '’', '«', '»',
    ];
    if word.contains("://") {
        return None;
    }
    let word = word.trim_end_matches(END);
    let inner = word.trim_matches(AROUND).trim_end_matches(END);
    let pieces = word.split(['(', ')', '[', ']', '<', '>', '"', ',', ';']);
    let mut all = [word, inner]
        .into_iter()
        .chain(pieces)
        .filter_map(|piece| citation(files, piece));
    // `[id]/page.tsx:3` is a path with its brackets, if there is such a file.
    let first = all.next()?;
    if files.holds(&first.path) {
        return Some(first);
    }
    let there = all.find(|one| normal(&one.path).is_ok_and(|path| files.holds(&path)));
    Some(there.unwrap_or_else(|| citation(files, inner).unwrap_or(first)))
}

/// A text that is one citation and nothing else: `path:LINE`, `path:FIRST-LAST`, several of them with commas, or
/// `path:LINE:COLUMN`.
fn citation(files: &Files, text: &str) -> Option<Cited> {
    let (head, tail) = text.rsplit_once(':')?;
    let (path, lines) = match head.rsplit_once(':') {
        Some((path, line)) if number(tail).is_some() && spans(line).is_some() => (path, line),
        _ => (head, tail),
    };
    let lines = spans(lines)?;
    let meant = normal(path).is_ok_and(|path| files.holds(&path))
        || extension(path).is_some_and(|extension| files.extensions.contains(extension));
    if path.is_empty() || path.contains(['\n', '\0']) || !meant {
        return None;
    }
    Some(Cited {
        path: path.to_owned(),
        lines,
        shown: clip(&plain(text), SHOWN_BYTES_MAX),
    })
}

/// `12`, `12-20`, `12,15-17`.
fn spans(text: &str) -> Option<Vec<(u64, u64)>> {
    text.split(',')
        .map(|part| match part.trim().split_once(['-', '–']) {
            Some((first, last)) => Some((number(first.trim())?, number(last.trim())?)),
            None => number(part.trim()).map(|line| (line, line)),
        })
        .collect()
}

fn number(text: &str) -> Option<u64> {
    let digits =
        !text.is_empty() && text.len() <= DIGITS_MAX && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use overnight_workspace::TreeEntry;

    use super::*;

    /// A tree in which every file has ten lines.
    fn files() -> Files {
        let entry = |mode: &str| TreeEntry {
            mode: mode.to_owned(),
            object: String::new(),
            size: 0,
        };
        let mut listing: Listing = [
            "src/api.rs",
            "shop/views.py",
            "app/[id]/page.tsx",
            "my docs/read me.md",
            "Makefile",
            "ü/größe.py",
        ]
        .into_iter()
        .map(|path| (path.to_owned(), entry("100644")))
        .collect();
        listing.insert("link.rs".into(), entry("120000"));
        listing.insert("vendor".into(), entry("160000"));
        Files::new(listing)
    }

    fn of(text: &str) -> Vec<String> {
        judge(&files(), text, &mut |_| Some(10))
    }

    fn fine(text: &str) {
        assert_eq!(of(text), Vec::<String>::new(), "{text}");
    }

    #[test]
    fn places_that_are_there_are_found_in_prose() {
        for text in [
            "The price is wrong in src/api.rs:3.",
            "See `src/api.rs:3-10` and (shop/views.py:1).",
            "**src/api.rs:3**, [src/api.rs:10](x), \"src/api.rs:4\"",
            "src/api.rs:3:14 panics",
            "src/api.rs:1,3-5 and ./src/../src/api.rs:2",
            "`/workspace/src/api.rs:3`",
            "app/[id]/page.tsx:3 and (app/[id]/page.tsx:4)",
            "`my docs/read me.md:2` and Makefile:1 and ü/größe.py:10",
            "`grep x src/api.rs:3`",
            "src/api.rs:3–5",
        ] {
            fine(text);
        }
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for text in [
            "",
            "At 12:30 the host db.example.com:5432 refused, and http://example.org/a.rs:80 too.",
            "std::mem:3, v1.2:3, localhost:80, and/or:3, 1:2:3, src/api.rs, src/api.rs:x, :3, `:3`",
            "src/api.rs:99999999999999999999",
        ] {
            assert_eq!(of(text), [NONE], "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_a_fault_with_its_reason() {
        for (text, why) in [
            (
                "src/nope.rs:3",
                "`src/nope.rs:3`: there is no such file in the repository",
            ),
            ("src/api.rs:11", "`src/api.rs:11`: the file has 10 lines"),
            (
                "src/api.rs:9-11",
                "`src/api.rs:9-11`: the file has 10 lines",
            ),
            ("src/api.rs:0", "`src/api.rs:0`: lines count from 1"),
            (
                "src/api.rs:5-4",
                "`src/api.rs:5-4`: the lines run backwards, from 5 to 4",
            ),
            (
                "link.rs:1",
                "`link.rs:1`: that is a symbolic link: cite the file that it leads to",
            ),
            (
                "`vendor:1`",
                "`vendor:1`: that is a submodule: cite a file of the repository itself",
            ),
            (
                "/app/shop/views.py:3",
                "`/app/shop/views.py:3`: that is no path from the repository's root; `shop/views.py` may be what is meant",
            ),
            (
                "/usr/lib/python3/json.py:3",
                "`/usr/lib/python3/json.py:3`: that is no path from the repository's root",
            ),
            (
                "../../etc/x.py:1",
                "`../../etc/x.py:1`: that leads out of the repository",
            ),
            (
                "backend/src/api.rs:3",
                "`backend/src/api.rs:3`: there is no such file; `src/api.rs` may be what is meant",
            ),
        ] {
            assert_eq!(of(text), [why], "{text}");
            // One that holds does not make up for one that does not.
            assert_eq!(of(&format!("src/api.rs:1 and {text}")).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_hostile_text_is_looked_at_in_bounded_time() {
        let many: String = (0..100_000).map(|n| format!("src/no{n}.rs:1 ")).collect();
        assert_eq!(of(&many).len(), FAULTS_MAX);
        assert_eq!(of(&":1".repeat(100_000)), [NONE]);
        assert_eq!(of(&"`".repeat(100_001)), [NONE]);
        let long = of(&format!("{}.rs:1", "x".repeat(100_000)));
        assert!(long.len() == 1 && long[0].len() < 400);
        let escape = of("\u{1b}[31msrc/nope.rs:1");
        assert!(!escape[0].contains('\u{1b}'), "{escape:?}");
        let mut none = |_: &str| None;
        assert_eq!(
            judge(&files(), "src/api.rs:1", &mut none),
            ["`src/api.rs:1`: the file is too large to be looked at"]
        );
    }

    #[test]
    fn lines_are_counted_as_editors_do() {
        for (content, lines) in [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2)] {
            assert_eq!(lines_of(content.as_bytes()), lines, "{content:?}");
        }
    }
}
