//! Small work on words: what was probably meant, names made from commands, text made safe to show.

/// Characters of a person's text that a message quotes.
const SHOWN_CHARS_MAX: usize = 60;
/// Words longer than this are not compared.
const COMPARED_CHARS_MAX: usize = 40;

/// The text as a message may quote it: one line, bounded, no control characters.
pub(crate) fn shown(text: &str) -> String {
    shown_up_to(text, SHOWN_CHARS_MAX)
}

/// The same with another bound.
pub(crate) fn shown_up_to(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == chars_max {
            out.push('…');
            break;
        }
        if c.is_control() || is_invisible(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Format characters that reorder or hide text on a terminal.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The text as it is written within double quotes in YAML.
pub(crate) fn yaml_quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        shown(&text.replace('\\', "\\\\").replace('"', "\\\""))
    )
}

/// The one of `known` that was probably meant by `word`; the first of several that are equally near.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.trim().to_lowercase().replace(['-', ' '], "_");
    let length = word.chars().count();
    if length == 0 || length > COMPARED_CHARS_MAX {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in known {
        let distance = distance(&word, &candidate.replace('-', "_"));
        // A short word is another word after two changes.
        let near = distance <= (length.max(candidate.len()) / 3).min(3);
        if near && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edit distance with swapped neighbours as one edit (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = a[i - 1] == b[j - 1];
            let mut least = (last[j] + 1)
                .min(row[j - 1] + 1)
                .min(last[j - 1] + usize::from(!same));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// Lower-case words joined with `-`, cut at a word's end where that is possible.
pub(crate) fn slug(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    for word in text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
    {
        let joined = out.len() + usize::from(!out.is_empty()) + word.len();
        if joined > chars_max {
            if out.is_empty() {
                out.push_str(&word[..chars_max].to_ascii_lowercase());
            }
            break;
        }
        if !out.is_empty() {
            out.push('-');
        }
        out.push_str(&word.to_ascii_lowercase());
    }
    out
}

/// `1 check`, `2 checks`.
pub(crate) fn counted(n: usize, noun: &str) -> String {
    if n == 1 {
        format!("1 {noun}")
    } else {
        format!("{n} {noun}s")
    }
}

/// `` `a`, `b` or `c` ``.
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        let known = ["outcome", "done", "keep", "use", "at_least"];
        assert_eq!(nearest("outcom", known), Some("outcome"));
        assert_eq!(nearest("dnoe", known), Some("done"));
        assert_eq!(nearest("At-Least", known), Some("at_least"));
        assert_eq!(nearest("uses", known), Some("use"));
        assert_eq!(nearest("xyz", known), None);
        assert_eq!(nearest(&"a".repeat(500), known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn a_slug_ends_with_a_word() {
        assert_eq!(slug("npm run  lint -- --fix", 12), "npm-run-lint");
        assert_eq!(slug("cargo test --workspace", 12), "cargo-test");
        assert_eq!(slug("abcdefghijklmnop", 5), "abcde");
        assert_eq!(slug("ä/ö", 5), "");
    }

    #[test]
    fn hostile_text_is_shown_harmlessly() {
        assert_eq!(shown("a\u{1b}[31m\nb\u{202e}"), "a\\u{1b}[31m\\nb\\u{202e}");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 61);
    }
}
