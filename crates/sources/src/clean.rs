//! What a source says is from outside: control characters go, and everything has a size.

/// Stands where something was cut off.
const CUT: &str = "…";

/// One line of at most this many bytes: whatever ends a line or cannot be seen becomes a space or nothing.
pub(crate) fn line(text: &str, bytes_max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(bytes_max));
    let mut gap = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            gap = !clean.is_empty();
            continue;
        }
        if invisible(c) {
            continue;
        }
        if clean.len() > bytes_max {
            break;
        }
        if std::mem::take(&mut gap) {
            clean.push(' ');
        }
        clean.push(c);
    }
    cut(clean, bytes_max)
}

/// Several lines of at most this many bytes: line ends and tabs stay, no other control character does.
pub(crate) fn block(text: &str, bytes_max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(bytes_max));
    let mut last = '\0';
    for c in text.chars() {
        if clean.len() > bytes_max {
            break;
        }
        match c {
            '\n' if last == '\r' => {}
            '\r' | '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' => clean.push('\n'),
            '\t' => clean.push('\t'),
            c if c.is_control() || invisible(c) => {}
            c => clean.push(c),
        }
        last = c;
    }
    let clean = clean.trim_end();
    cut(clean.trim_start_matches('\n').to_owned(), bytes_max)
}

/// Cuts a text at a character, and says so.
pub(crate) fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max.saturating_sub(CUT.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(CUT);
    text
}

/// Characters that show nothing and change how their neighbours are read.
fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_lines_and_have_a_size() {
        assert_eq!(line(" a\u{1b}[31m\r\nb\u{202e}c\t ", 80), "a [31m bc");
        assert_eq!(line("äöü", 5), "ä…");
        assert_eq!(line("äöü", 6), "äöü");
        assert_eq!(line(&"x".repeat(400), 300).len(), 300);
    }

    #[test]
    fn blocks_keep_their_lines() {
        assert_eq!(
            block("\n\na\r\n\tb\rc\u{7}\u{2028}d\n\n", 80),
            "a\n\tb\nc\nd"
        );
        assert!(block(&"é".repeat(100), 51).len() <= 51);
    }
}
