//! What the model is shown of an output: head and tail, and how to read the rest.

use overnight_core::judge::plain;

/// How much of one output is shown, bytes.
pub(crate) const SHOWN_BYTES_MAX: usize = 8 * 1024;
/// Of that, how much of its beginning.
const HEAD_BYTES: usize = 2 * 1024;

/// An output as the model sees it. `place` is where the whole can be read; the flag tells whether that is needed.
pub(crate) fn shown(output: &[u8], place: &str) -> (String, bool) {
    let text = String::from_utf8_lossy(output);
    if text.contains('\0') {
        return (
            format!("[binary output, {} bytes; whole: {place}]", output.len()),
            true,
        );
    }
    let text = plain(&text);
    if text.len() <= SHOWN_BYTES_MAX {
        return (text, false);
    }
    let head = text[..floor(&text, HEAD_BYTES)].trim_end_matches(|c| c != '\n');
    let from = ceil(&text, text.len() - (SHOWN_BYTES_MAX - HEAD_BYTES));
    let tail = match text[from..].find('\n') {
        Some(at) if at + 1 < text.len() - from => &text[from + at + 1..],
        _ => &text[from..],
    };
    let lines = text.lines().count();
    let left_out = text.len() - head.len() - tail.len();
    let next = head.lines().count() + 1;
    let note = format!(
        "[… {left_out} bytes left out of {lines} lines; read {{\"path\": \"{place}\", \"from\": {next}}}]"
    );
    (format!("{head}{note}\n{tail}"), true)
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(0)
}

fn ceil(text: &str, at: usize) -> usize {
    (at..=text.len())
        .find(|i| text.is_char_boundary(*i))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_output_is_shown_whole() {
        assert_eq!(
            shown(b"one\ntwo\n", "@out/1.0"),
            ("one\ntwo\n".to_owned(), false)
        );
    }

    #[test]
    fn a_long_output_shows_head_and_tail_and_where_the_rest_is() {
        let output: String = (1..=5000).map(|n| format!("line {n}\n")).collect();
        let (text, cut) = shown(output.as_bytes(), "@out/3.1");
        assert!(cut && text.len() < SHOWN_BYTES_MAX + 200);
        assert!(
            text.starts_with("line 1\n") && text.ends_with("line 5000\n"),
            "{text}"
        );
        assert!(text.contains("@out/3.1"));
    }

    #[test]
    fn one_endless_line_of_wide_characters_is_cut_without_panic() {
        let (text, cut) = shown("ä".repeat(100_000).as_bytes(), "@out/1.0");
        assert!(cut && text.len() < SHOWN_BYTES_MAX + 200);
    }
}
