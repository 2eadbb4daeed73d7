//! Where something stands in a goal file: byte spans, and the lines and columns that people read.

use serde::{Deserialize, Serialize};

/// A place in the file, as a person finds it and as a program slices it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Byte offset into the whole file.
    pub offset: usize,
    /// Bytes, never past the end of the line that it starts on; 0 where something is missing.
    pub length: usize,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Position {
    /// Byte range into the whole file.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.length
    }
}

/// A byte range of the file. May run over several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Self {
        Span {
            start,
            end: end.max(start),
        }
    }

    pub fn empty(at: usize) -> Self {
        Span { start: at, end: at }
    }
}

/// Finds lines and columns in a text.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    pub fn new(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(
            text.bytes()
                .enumerate()
                .filter(|(_, b)| *b == b'\n')
                .map(|(at, _)| at + 1),
        );
        Lines {
            text: text.to_owned(),
            starts,
        }
    }

    /// The line (from 1) that holds the byte at `offset`.
    pub fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }

    /// The span in lines and columns, clipped to the text and to its first line.
    pub fn position(&self, span: Span) -> Position {
        let start = floor(&self.text, span.start);
        let line = self.line(start);
        let line_start = self.starts[line - 1];
        let line_end = self
            .starts
            .get(line)
            .map_or(self.text.len(), |next| next - 1);
        let line_end = if self.text[..line_end].ends_with('\r') {
            line_end - 1
        } else {
            line_end
        };
        let end = floor(&self.text, span.end).min(line_end).max(start);
        // The byte-order mark takes no column: editors do not show it.
        let before = self.text[line_start..start].trim_start_matches('\u{feff}');
        Position {
            offset: start,
            length: end - start,
            line,
            column: before.chars().count() + 1,
        }
    }
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, start: usize, end: usize) -> (usize, usize, usize) {
        let p = Lines::new(text).position(Span::new(start, end));
        (p.line, p.column, p.length)
    }

    #[test]
    fn columns_count_characters_and_spans_count_bytes() {
        let text = "ä: b\nc: dé\n";
        assert_eq!(at(text, 0, 2), (1, 1, 2));
        assert_eq!(at(text, 4, 5), (1, 4, 1));
        assert_eq!(at(text, 9, 12), (2, 4, 3));
    }

    #[test]
    fn a_span_ends_with_its_line() {
        assert_eq!(at("ab\r\ncd\r\n", 0, 8), (1, 1, 2));
        assert_eq!(at("ab\r\ncd\r\n", 4, 8), (2, 1, 2));
    }

    #[test]
    fn what_lies_outside_or_inside_a_character_is_clipped() {
        assert_eq!(at("", 5, 9), (1, 1, 0));
        assert_eq!(at("aé", 2, 99), (1, 2, 2));
        assert_eq!(at("\u{feff}abc", 3, 6), (1, 1, 3));
    }
}
