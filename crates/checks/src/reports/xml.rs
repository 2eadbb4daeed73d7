//! A safe walk over XML: elements with their attributes, and nothing that a document could use against its reader.
//!
//! Entities that a document defines itself are refused, depth and attribute counts are bounded, text is skipped, and
//! a document that breaks off is an error.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{ReportError, text};

/// Deepest nesting of elements.
const DEPTH_MAX: usize = 256;
/// Most attributes of one element that are read.
const ATTRIBUTES_MAX: usize = 64;

/// One element's name and attributes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Element {
    /// Without its namespace prefix.
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    /// An attribute's value, if it is there.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// An attribute's value, or nothing.
    pub(crate) fn text(&self, key: &str) -> &str {
        self.get(key).unwrap_or_default().trim()
    }
}

/// What a walk calls, in document order. `path` holds the open elements, outermost first, the element itself last.
pub(crate) trait Visitor {
    /// An element begins.
    fn enter(&mut self, path: &[Element]) -> Result<(), ReportError>;
    /// It ends.
    fn leave(&mut self, path: &[Element]) -> Result<(), ReportError>;
}

/// Walks the whole document. `roots` are the names that its outermost element may have.
pub(crate) fn walk(
    format: &'static str,
    bytes: &[u8],
    roots: &[&str],
    visitor: &mut dyn Visitor,
) -> Result<(), ReportError> {
    let text = text(bytes)?;
    let mut reader = Reader::from_str(&text);
    let mut path: Vec<Element> = Vec::new();
    let mut seen_root = false;
    loop {
        let event = reader.read_event().map_err(|e| {
            ReportError::malformed(
                format,
                format_args!("at byte {}: {e}", reader.error_position()),
            )
        })?;
        match event {
            Event::Start(start) => {
                open(format, &start, roots, &mut seen_root, &mut path)?;
                visitor.enter(&path)?;
            }
            Event::Empty(start) => {
                open(format, &start, roots, &mut seen_root, &mut path)?;
                visitor.enter(&path)?;
                visitor.leave(&path)?;
                path.pop();
            }
            Event::End(_) => {
                visitor.leave(&path)?;
                path.pop();
            }
            Event::DocType(declaration)
                if declaration
                    .as_ref()
                    .to_ascii_uppercase()
                    .contains("<!ENTITY") =>
            {
                return Err(ReportError::malformed(
                    format,
                    "it defines entities of its own",
                ));
            }
            Event::Eof => break,
            Event::DocType(_)
            | Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::GeneralRef(_) => {}
        }
    }
    if !seen_root {
        return Err(ReportError::malformed(format, "it holds no XML element"));
    }
    if let Some(unclosed) = path.last() {
        return Err(ReportError::malformed(
            format,
            format_args!("it breaks off inside <{}>", unclosed.name),
        ));
    }
    Ok(())
}

/// Pushes an element onto the path.
fn open(
    format: &'static str,
    start: &BytesStart<'_>,
    roots: &[&str],
    seen_root: &mut bool,
    path: &mut Vec<Element>,
) -> Result<(), ReportError> {
    let name = start.local_name().as_ref().to_owned();
    if path.is_empty() {
        if *seen_root {
            return Err(ReportError::malformed(
                format,
                "it has more than one outermost element",
            ));
        }
        if !roots.contains(&name.as_str()) {
            let wanted = roots.join("> or <");
            return Err(ReportError::malformed(
                format,
                format_args!("it starts with <{name}>, not <{wanted}>"),
            ));
        }
        *seen_root = true;
    }
    if path.len() >= DEPTH_MAX {
        return Err(ReportError::malformed(
            format,
            format_args!("elements nest deeper than {DEPTH_MAX}"),
        ));
    }
    let mut attributes = Vec::new();
    for attribute in start.attributes().take(ATTRIBUTES_MAX) {
        let attribute = attribute
            .map_err(|e| ReportError::malformed(format, format_args!("in <{name}>: {e}")))?;
        let key = attribute.key.local_name().as_ref().to_owned();
        // A value with an unknown entity is kept as it is written: it can only be a name that looks odd.
        let value = quick_xml::escape::unescape(&attribute.value)
            .map_or_else(|_| attribute.value.to_string(), |v| v.into_owned());
        attributes.push((key, value));
    }
    path.push(Element { name, attributes });
    Ok(())
}
