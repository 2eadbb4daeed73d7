//! Maven's manifest: the project's own dependencies and its version belong to the candidate, everything else (plugins,
//! profiles, properties, dependency management) stays the base's.

use overnight_core::finding::FindingKind;
use quick_xml::Reader;
use quick_xml::events::Event;

use super::Compared;
use super::doc::line_of;
use crate::lines::finding;

/// Deepest nesting of elements that is followed.
const DEPTH_MAX: usize = 256;
/// Elements below `project` that belong to the candidate.
const CANDIDATES: &[&str] = &[
    "version",
    "description",
    "name",
    "url",
    "licenses",
    "developers",
    "scm",
];
/// What puts a file in a dependency's place.
const LOCAL: &[&str] = &["systemPath", "system"];

/// One piece of a document, and where it stands.
struct Piece {
    text: String,
    offset: usize,
}

pub(super) fn compare(path: &str, base: &[u8], candidate: &[u8]) -> Compared {
    let (Some(old), Some(new)) = (read(base), read(candidate)) else {
        let line = crate::lines::first_difference(base, candidate);
        return Compared {
            findings: vec![finding(
                path,
                line,
                FindingKind::ManifestKey,
                "it cannot be read, so all of it stays the base's",
            )],
            ..Compared::default()
        };
    };
    let mut compared = Compared {
        dependencies: old.dependencies != new.dependencies,
        ..Compared::default()
    };
    let differs = old
        .rest
        .iter()
        .map(|p| &p.text)
        .ne(new.rest.iter().map(|p| &p.text));
    if differs {
        let at = old
            .rest
            .iter()
            .zip(&new.rest)
            .take_while(|(a, b)| a.text == b.text)
            .count();
        let (piece, text) = match new.rest.get(at) {
            Some(piece) => (Some(piece), candidate),
            None => (old.rest.get(at), base),
        };
        compared.findings.push(finding(
            path,
            piece.map(|p| line_of(text, p.offset)),
            FindingKind::ManifestKey,
            piece.map_or_else(String::new, |p| p.text.clone()),
        ));
    }
    let locals = |deps: &[String]| deps.iter().filter(|d| LOCAL.contains(&d.as_str())).count();
    if locals(&new.dependencies) > locals(&old.dependencies) {
        let line = String::from_utf8_lossy(candidate)
            .find("system")
            .map(|at| line_of(candidate, at));
        compared.findings.push(finding(
            path,
            line,
            FindingKind::ManifestKey,
            "a dependency would come from a file and no longer from its registry",
        ));
    }
    compared
}

struct Pom {
    /// Everything but what belongs to the candidate.
    rest: Vec<Piece>,
    /// Names and texts of the project's dependencies.
    dependencies: Vec<String>,
}

fn read(text: &[u8]) -> Option<Pom> {
    let text = std::str::from_utf8(text).ok()?;
    let mut reader = Reader::from_str(text);
    let mut pom = Pom {
        rest: Vec::new(),
        dependencies: Vec::new(),
    };
    let mut path: Vec<String> = Vec::new();
    loop {
        let offset = usize::try_from(reader.buffer_position()).ok()?;
        let event = reader.read_event().ok()?;
        let piece = match &event {
            Event::Eof => break,
            Event::Start(start) => {
                if path.len() >= DEPTH_MAX {
                    return None;
                }
                path.push(start.name().as_ref().to_owned());
                format!("<{}>", &**start)
            }
            Event::Empty(start) => format!("<{}/>", &**start),
            Event::End(end) => format!("</{}>", end.name().as_ref()),
            Event::Text(words) => words.trim().to_owned(),
            Event::CData(words) => words.trim().to_owned(),
            Event::GeneralRef(entity) => format!("&{};", &**entity),
            Event::Decl(_) | Event::Comment(_) => String::new(),
            Event::PI(_) | Event::DocType(_) => return None,
        };
        let own = match &event {
            Event::Empty(start) if path.len() == 1 => Some(start.name().as_ref().to_owned()),
            _ => None,
        };
        let top = path.get(1).or(own.as_ref()).map(String::as_str);
        let of_project = path.first().is_some_and(|root| root == "project");
        if !piece.is_empty() {
            if of_project && top == Some("dependencies") {
                let word = piece.trim_matches(['<', '>', '/']).to_owned();
                pom.dependencies.push(word);
            } else if !(of_project && top.is_some_and(|top| CANDIDATES.contains(&top))) {
                pom.rest.push(Piece {
                    text: piece,
                    offset,
                });
            }
        }
        if matches!(event, Event::End(_)) {
            path.pop();
        }
    }
    path.is_empty().then_some(pom)
}
