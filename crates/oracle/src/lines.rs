//! Where two texts differ, and findings that say it.

use overnight_core::finding::{Finding, FindingKind};

/// Longest detail of a finding, characters.
const DETAIL_CHARS_MAX: usize = 160;

/// The first line (from 1) of the candidate's text that is not as in the base's, where trailing white space and line
/// ends count. `None` for equal texts.
pub(crate) fn first_difference(base: &[u8], candidate: &[u8]) -> Option<u32> {
    if base == candidate {
        return None;
    }
    let same = base
        .split(|b| *b == b'\n')
        .zip(candidate.split(|b| *b == b'\n'))
        .take_while(|(a, b)| a == b)
        .count();
    Some(u32::try_from(same + 1).unwrap_or(u32::MAX))
}

/// A line of the text, from 1, cut to a readable length.
pub(crate) fn line_text(text: &[u8], line: u32) -> String {
    let index = usize::try_from(line)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let bytes = text.split(|b| *b == b'\n').nth(index).unwrap_or_default();
    cut(String::from_utf8_lossy(&bytes[..bytes.len().min(4 * DETAIL_CHARS_MAX)]).trim())
}

/// The text in one line of readable length.
pub(crate) fn cut(text: &str) -> String {
    let mut cut: String = text
        .chars()
        .take(DETAIL_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(DETAIL_CHARS_MAX).is_some() {
        cut.push('…');
    }
    cut
}

/// The line (from 1) in which the byte at `offset` stands.
pub(crate) fn line_at(text: &[u8], offset: usize) -> u32 {
    let before = &text[..offset.min(text.len())];
    u32::try_from(before.iter().filter(|b| **b == b'\n').count() + 1).unwrap_or(u32::MAX)
}

/// A finding.
pub(crate) fn finding(
    path: &str,
    line: Option<u32>,
    kind: FindingKind,
    detail: impl AsRef<str>,
) -> Finding {
    Finding {
        path: path.to_owned(),
        line,
        kind,
        detail: cut(detail.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_found() {
        assert_eq!(first_difference(b"a\nb\n", b"a\nb\n"), None);
        assert_eq!(first_difference(b"a\nb\n", b"a\nc\n"), Some(2));
        assert_eq!(first_difference(b"a\nb\n", b"a\nb\nc\n"), Some(3));
        assert_eq!(first_difference(b"a\nb\nc\n", b"a\n"), Some(2));
        assert_eq!(first_difference(b"", b"x"), Some(1));
    }
}
