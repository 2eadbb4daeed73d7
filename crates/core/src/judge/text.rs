//! Text for reasons and evidence: cut, cleaned of escapes, bounded.

/// How many names a reason or an evidence lists.
pub(super) const NAMES_MAX: usize = 20;

pub(super) fn names<S: AsRef<str>>(list: &[S]) -> String {
    let shown: Vec<String> = list
        .iter()
        .take(NAMES_MAX)
        .map(|n| format!("`{}`", n.as_ref()))
        .collect();
    let more = list.len().saturating_sub(NAMES_MAX);
    let rest = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    clip(&format!("{}{rest}", shown.join(", ")), 1200)
}

/// The end of what was printed, as text without escape sequences, at most `bytes` long, from the start of a line.
pub fn tail(output: &[u8], bytes: usize) -> String {
    let from = output.len().saturating_sub(bytes);
    let text = String::from_utf8_lossy(&output[from..]);
    let text = plain(&text);
    let cut = match text.find('\n') {
        Some(at) if from > 0 && at + 1 < text.len() => &text[at + 1..],
        _ => &text,
    };
    clip(cut.trim_end(), bytes)
}

/// Text without terminal escape sequences and control characters.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\n' | '\t' => out.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => out.push('\n'),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Skips one ECMA-48 control sequence after its escape character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        // CSI: parameters, then one final byte.
        Some('[') => {
            while chars
                .next()
                .is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c))
            {}
        }
        // OSC: up to BEL or ST.
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next();
                    break;
                }
            }
        }
        _ => {}
    }
}

/// At most `bytes` of a text, cut at a character.
pub fn clip(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    const MARK: &str = " …";
    let mut end = bytes.saturating_sub(MARK.len());
    while end > 0 && !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}
