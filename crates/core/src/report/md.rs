//! Markdown that outside text cannot break out of: escaping, code spans, fences, quotes.
//!
//! The rule: no text from outside reaches the page but through one of these functions. Each takes a whole string and
//! returns something that is one inline or one block whatever the string says.

use crate::judge::{clip, plain};

/// Text without control sequences; characters that turn or hide what stands beside them become visible.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '\u{2028}' | '\u{2029}' | '\u{85}' => out.push('\n'),
            c if deceives(c) => out.push_str(&format!("‹U+{:04X}›", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// Bidirectional controls, invisible characters and tags. Joiners are left alone: some scripts need them.
fn deceives(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line: every run of white space is one blank.
fn line(text: &str, bytes: usize) -> String {
    // Cleaning can only add a little to each character: what is cut before it bounds the work on long texts.
    let text = visible(&clip(text, bytes.saturating_mul(4)));
    clip(
        &text.split_whitespace().collect::<Vec<_>>().join(" "),
        bytes,
    )
}

/// Prose on one line, at most `bytes` of it. Backticks become apostrophes, which reads better than what escaping
/// makes of them.
pub(super) fn text(text: &str, bytes: usize) -> String {
    escape(&line(text, bytes))
}

fn escape(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + line.len() / 8);
    let chars: Vec<char> = line.chars().collect();
    let word = |at: Option<usize>| {
        at.and_then(|at| chars.get(at))
            .is_some_and(|c| c.is_alphanumeric())
    };
    let starts_list = numbered(&chars);
    for (at, &c) in chars.iter().enumerate() {
        let special = match c {
            '\\' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '$' => true,
            '_' => !(word(at.checked_sub(1)) && word(Some(at + 1))),
            '#' | '-' | '+' | '=' | ':' if at == 0 => true,
            // Bare addresses become links by themselves.
            ':' => chars.get(at + 1) == Some(&'/'),
            '.' => starts_list == Some(at) || ends_www(&chars, at),
            ')' => starts_list == Some(at),
            '@' => true,
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(if c == '`' { '\'' } else { c });
    }
    out
}

/// Where the dot or bracket stands that would make a numbered list of the line.
fn numbered(chars: &[char]) -> Option<usize> {
    let digits = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    let apart = chars.get(digits + 1).is_none_or(|c| c.is_whitespace());
    (digits > 0 && apart && matches!(chars.get(digits), Some('.' | ')'))).then_some(digits)
}

fn ends_www(chars: &[char], at: usize) -> bool {
    at >= 3
        && chars[at - 3..at]
            .iter()
            .all(|c| c.eq_ignore_ascii_case(&'w'))
}

/// A code span of one line, at most `bytes` of it. Nothing in it means anything but itself. Not for table cells.
pub(super) fn code(text: &str, bytes: usize) -> String {
    span(&line(text, bytes))
}

fn span(line: &str) -> String {
    if line.is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(longest_run(line) + 1);
    let pad = if line.starts_with('`') || line.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{line}{pad}{fence}")
}

/// The same for a table cell. Pipes end a cell even in a code span, so they are escaped there; where a backslash
/// stands before one, renderers disagree, and the text is shown as prose instead.
pub(super) fn cell_code(text: &str, bytes: usize) -> String {
    let line = line(text, bytes);
    if line.contains("\\|") || line.ends_with('\\') {
        return escape(&line);
    }
    span(&line).replace('|', "\\|")
}

/// A fenced block, every line of it behind `indent`. The fence is longer than any run of backticks inside.
pub(super) fn fence(text: &str, indent: &str) -> String {
    let text = visible(text);
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    let mut out = format!("{indent}{fence}text\n");
    for line in text.trim_end().lines() {
        out.push_str(indent);
        out.push_str(line);
        out.push('\n');
    }
    out.push_str(indent);
    out.push_str(&fence);
    out.push('\n');
    out
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

/// Milliseconds as people say them.
pub(super) fn duration(ms: u64) -> String {
    const SECOND: u64 = 1_000;
    const MINUTE: u64 = 60 * SECOND;
    const HOUR: u64 = 60 * MINUTE;
    match ms {
        0..SECOND => format!("{ms} ms"),
        SECOND..MINUTE => format!("{}.{} s", ms / SECOND, ms % SECOND / 100),
        MINUTE..HOUR => format!("{} min {:02} s", ms / MINUTE, ms % MINUTE / SECOND),
        _ => format!("{} h {:02} min", ms / HOUR, ms % HOUR / MINUTE),
    }
}

/// A number with its thousands apart.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (at, c) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 check`, `2 checks`.
pub(super) fn count(value: u64, one: &str) -> String {
    let s = if value == 1 { "" } else { "s" };
    format!("{} {one}{s}", number(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_reads_as_it_was_written_and_means_nothing() {
        assert_eq!(
            text("2 of 14 tests fail: `a_b`, `c`", 80),
            "2 of 14 tests fail: 'a_b', 'c'"
        );
        assert_eq!(text("# Complete\n\n* x | y", 80), r"\# Complete \* x \| y");
        assert_eq!(text("1. one", 80), r"1\. one");
        assert_eq!(text("1.5 s", 80), "1.5 s");
        assert_eq!(
            text("</details><b>&amp;[x](http://e)", 80),
            r"\</details\>\<b\>\&amp;\[x\](http\://e)"
        );
        assert_eq!(
            text("_a_ and www.example.org", 80),
            r"\_a\_ and www\.example.org"
        );
    }

    #[test]
    fn characters_that_deceive_are_shown() {
        assert_eq!(
            text("a\u{202e}b\u{200b}c\u{7}d", 80),
            "a‹U+202E›b‹U+200B›cd"
        );
    }

    #[test]
    fn code_spans_and_fences_are_longer_than_what_is_in_them() {
        assert_eq!(code("a `b` c", 80), "``a `b` c``");
        assert_eq!(code("`", 80), "`` ` ``");
        assert_eq!(cell_code("a | b", 80), r"`a \| b`");
        assert_eq!(cell_code(r"a \| b", 80), r"a \\\| b");
        assert_eq!(
            fence("x\n````\ny", "  "),
            "  `````text\n  x\n  ````\n  y\n  `````\n"
        );
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(
            [0, 999, 1_500, 61_000, 3_720_000].map(duration).join(", "),
            "0 ms, 999 ms, 1.5 s, 1 min 01 s, 1 h 02 min"
        );
        assert_eq!(
            [7, 1_000, 1_234_567].map(number).join(" "),
            "7 1,000 1,234,567"
        );
        assert_eq!(
            format!("{}, {}", count(1, "check"), count(0, "check")),
            "1 check, 0 checks"
        );
    }
}
