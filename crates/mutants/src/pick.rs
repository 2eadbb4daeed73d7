//! Which faults are tried: spread over files and functions, in an order that only the content decides.

use std::collections::{BTreeMap, VecDeque};

use overnight_core::ids::BlobId;
use overnight_ports::faults::{Fault, Kind, Place};

use crate::{files, grammar, walk};

/// A rank that is the same for the same words, and says nothing else.
fn rank(words: &[&str]) -> String {
    BlobId::of(words.join("\0").as_bytes()).to_string()
}

/// One file's faults, function by function.
struct File {
    content: String,
    /// Lines that the coverage says did not run, and those around them, are left out already.
    functions: VecDeque<VecDeque<Fault>>,
}

impl File {
    /// The next fault: functions take turns.
    fn next(&mut self) -> Option<Fault> {
        let mut function = self.functions.pop_front()?;
        let fault = function.pop_front();
        if !function.is_empty() {
            self.functions.push_back(function);
        }
        fault
    }
}

/// At most `most` faults. Files take turns, and so do the functions of a file; who is first is decided by the content, so
/// that the same content gives the same faults and a changed line changes only its own.
pub fn pick(places: &[Place], read: &dyn Fn(&str) -> Option<String>, most: usize) -> Vec<Fault> {
    let mut ordered: Vec<(String, &Place)> = places
        .iter()
        .map(|place| (rank(&[&place.path]), place))
        .collect();
    ordered.sort_by(|a, b| (&a.0, &a.1.path).cmp(&(&b.0, &b.1.path)));
    let mut files: VecDeque<File> = VecDeque::new();
    for (_, place) in ordered {
        // Each file gets a turn before any gets a second one.
        if files.len() >= most {
            break;
        }
        files.extend(file(place, read));
    }
    let mut picked = Vec::new();
    while picked.len() < most
        && let Some(mut file) = files.pop_front()
    {
        let Some(fault) = file.next() else {
            continue;
        };
        if still_parses(&fault, &file.content) {
            picked.push(fault);
            files.push_back(file);
        } else {
            // That was no turn.
            files.push_front(file);
        }
    }
    picked
}

fn file(place: &Place, read: &dyn Fn(&str) -> Option<String>) -> Option<File> {
    let language = match files::kind(&place.path) {
        Kind::Implementation(language) => language,
        Kind::Generated(language) if place.named => language,
        Kind::Generated(_) | Kind::Other => return None,
    };
    let content = read(&place.path)?;
    if !place.named && files::says_generated(&content) {
        return None;
    }
    let lines: Vec<&str> = content.lines().collect();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut functions: BTreeMap<String, BTreeMap<String, Fault>> = BTreeMap::new();
    for found in walk::places(&place.path, language, &content) {
        let fault = found.fault;
        if !reached(place, fault.line) {
            continue;
        }
        let at = usize::try_from(fault.line).unwrap_or(usize::MAX);
        let line = lines.get(at.wrapping_sub(1)).map_or("", |line| line.trim());
        let name = [place.path.as_str(), &found.function, line, &fault.change].join("\0");
        let nth = seen.entry(name.clone()).or_insert(0);
        *nth += 1;
        let rank_in = rank(&[&name, &nth.to_string()]);
        let function = rank(&[&place.path, &found.function]);
        functions
            .entry(function)
            .or_default()
            .insert(rank_in, fault);
    }
    let functions: VecDeque<VecDeque<Fault>> = functions
        .into_values()
        .map(|faults| faults.into_values().collect())
        .collect();
    (!functions.is_empty()).then_some(File { content, functions })
}

/// Whether a line ran when coverage was measured. A line that was not measured belongs to the statement above it; what
/// stands above them all is run when the file is.
fn reached(place: &Place, line: u64) -> bool {
    match &place.lines {
        None => true,
        Some(lines) => lines.range(..=line).next_back().is_none_or(|(_, ran)| *ran),
    }
}

/// Whether the file is still one, by the grammar. A file that the grammar cannot read whole is not judged by it.
fn still_parses(fault: &Fault, content: &str) -> bool {
    let errs = |text: &str| {
        grammar::parse(&fault.path, fault.language, text)
            .is_none_or(|tree| tree.root_node().has_error())
    };
    fault
        .planted(content)
        .is_some_and(|planted| !errs(&planted) || errs(content))
}
