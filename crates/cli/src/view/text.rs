//! Text from outside as cells of a terminal: nothing in it moves the cursor, turns the direction of writing or takes
//! more columns than it says.

use overnight_core::judge::{clip, plain};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::look::Look;

/// How much of one text is looked at, bytes: more than the widest screen shows.
const LOOKED_AT_BYTES_MAX: usize = 4 * 1024;
/// How many marks one character carries; more is no writing but an attack on the line above.
const MARKS_MAX: usize = 2;
/// The smallest width that text is wrapped to, columns.
const WRAP_WIDTH_MIN: usize = 8;

/// A text on one line.
pub fn cells(text: &str, look: Look) -> String {
    let text = plain(&clip(text, LOOKED_AT_BYTES_MAX));
    let mut out = String::with_capacity(text.len());
    let (mut marks, mut gap) = (0, false);
    for c in text.chars() {
        if c.is_whitespace() {
            gap = !out.is_empty();
            continue;
        }
        if unseen(c) {
            continue;
        }
        let width = c.width().unwrap_or(0);
        if width == 0 {
            marks += 1;
            if marks > MARKS_MAX || out.is_empty() || gap || !look.unicode {
                continue;
            }
            out.push(c);
            continue;
        }
        marks = 0;
        if std::mem::take(&mut gap) {
            out.push(' ');
        }
        match c {
            c if look.unicode || c.is_ascii() => out.push(c),
            c => out.push_str(ascii(c)),
        }
    }
    out
}

/// Characters that show nothing by themselves and change how terminals place their neighbours, each in its own way:
/// direction marks, joiners, variation selectors, skin tones, tags, fillers.
fn unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
        || c.is_control()
}

/// The nearest thing to it where only ASCII can be shown.
fn ascii(c: char) -> &'static str {
    match c {
        '✓' => "+",
        '✗' => "x",
        '“' | '”' | '„' | '«' | '»' => "\"",
        '‘' | '’' => "'",
        '…' => "...",
        '→' => "->",
        '—' | '–' | '·' | '−' => "-",
        '×' => "x",
        '≤' => "<=",
        '≥' => ">=",
        _ => "?",
    }
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    // What cannot be cut apart may take less than its parts; never more.
    text.width()
}

/// The beginning of a text that fits, and that something was cut if so.
pub fn fit(text: &str, columns: usize, look: Look) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut left = columns.saturating_sub(look.cut().width());
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        out.push(c);
    }
    if columns >= look.cut().width() {
        out.truncate(out.trim_end().len());
        out.push_str(look.cut());
    }
    out
}

/// A text in lines of at most so many columns, cut between words where it can be.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(WRAP_WIDTH_MIN);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let space = usize::from(!line.is_empty());
        if line.width() + space + word.width() <= columns {
            line.extend(std::iter::repeat_n(' ', space));
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            if line.width() + c.width().unwrap_or(0) > columns {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNICODE: Look = Look {
        color: true,
        unicode: true,
    };
    const ASCII: Look = Look {
        color: true,
        unicode: false,
    };

    #[test]
    fn escapes_directions_and_joiners_are_gone() {
        let hostile = "\u{1b}[2J\u{1b}]0;title\u{7}red\u{202e}txt\r\n\u{9b}1m\tend \u{200b}";
        assert_eq!(cells(hostile, UNICODE), "redtxt 1m end");
        assert_eq!(cells("👩\u{200d}💻 ok", UNICODE), "👩💻 ok");
        assert_eq!(cells("👍\u{1f3fd}", UNICODE), "👍");
        let zalgo = format!("a{}b", "\u{301}".repeat(40));
        assert_eq!(cells(&zalgo, UNICODE), "a\u{301}\u{301}b");
        assert_eq!(cells("\u{301}a", UNICODE), "a");
    }

    #[test]
    fn ascii_says_what_it_can() {
        assert_eq!(cells("“a” — b… → 日本", ASCII), "\"a\" - b... -> ??");
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(fit("receipts", 8, UNICODE), "receipts");
        assert_eq!(fit("receipts", 5, UNICODE), "rece…");
        assert_eq!(fit("日本語", 4, UNICODE), "日…");
        assert_eq!(fit("receipts", 1, ASCII), "~");
        assert_eq!(fit("receipts", 0, UNICODE), "");
    }

    #[test]
    fn words_are_wrapped_and_long_ones_broken() {
        assert_eq!(
            wrap("which of the two totals", 9),
            ["which of", "the two", "totals"]
        );
        assert_eq!(wrap("aaaaaaaaaaaa bb", 8), ["aaaaaaaa", "aaaa bb"]);
        assert!(wrap("", 8).is_empty());
    }

    proptest! {
        #[test]
        fn any_text_takes_the_columns_it_says(text in any::<String>(), columns in 0usize..40) {
            for look in [UNICODE, ASCII] {
                let clean = cells(&text, look);
                prop_assert!(!clean.chars().any(|c| c.is_control() || unseen(c)));
                prop_assert!(fit(&clean, columns, look).width() <= columns);
                for line in wrap(&clean, columns) {
                    prop_assert!(line.width() <= columns.max(WRAP_WIDTH_MIN));
                }
                prop_assert!(look.unicode || clean.is_ascii());
            }
        }
    }
}
