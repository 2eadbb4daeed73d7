//! Text without terminal escapes.

use std::borrow::Cow;

/// `text` without ANSI escape sequences (colours, cursor movement, hyperlinks).
pub(crate) fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        match chars.next() {
            // Control sequence: parameters, then one final character from @ to ~.
            Some('[') => while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
            // Operating system command: up to BEL or ESC \.
            Some(']') => {
                while let Some(c) = chars.next() {
                    if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod test {
    use super::without_escapes;

    #[test]
    fn colours_and_links_are_taken_out() {
        assert_eq!(without_escapes("\u{1b}[1;32mok\u{1b}[0m 5"), "ok 5");
        assert_eq!(
            without_escapes("\u{1b}]8;;http://a\u{1b}\\x\u{1b}]8;;\u{7}y"),
            "xy"
        );
        assert_eq!(without_escapes("\u{1b}["), "");
    }
}
