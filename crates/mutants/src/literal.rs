//! Constants and what each becomes.

/// A number plus one, in the spelling that it has; `None` for spellings that are not plain decimal.
pub fn number(text: &str) -> Option<String> {
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '_'))
        .unwrap_or(text.len());
    let (whole, rest) = text.split_at(digits);
    let plain: String = whole.chars().filter(|c| *c != '_').collect();
    // `0x1f`, `0b1`, `017` and `0o17` are seldom meant as quantities.
    let other_base = plain.len() > 1 && plain.starts_with('0')
        || plain == "0" && rest.starts_with(['x', 'X', 'b', 'B', 'o', 'O']);
    if other_base || rest.starts_with(['e', 'E']) {
        return None;
    }
    let value: u64 = if plain.is_empty() {
        if !rest.starts_with('.') {
            return None;
        }
        0
    } else {
        plain.parse().ok()?
    };
    Some(format!("{}{rest}", value.checked_add(1)?))
}

/// An empty text where there is one, and a text where there is none. `None` for what is no plain quoted text.
pub fn text(literal: &str) -> Option<String> {
    let open = literal.find(['"', '\''])?;
    let (prefix, quoted) = literal.split_at(open);
    // `f"…"` and its like compute something, and `r"…"` is a pattern most of the time.
    if !matches!(prefix, "" | "b" | "u") {
        return None;
    }
    let quote = if quoted.starts_with("\"\"\"") || quoted.starts_with("'''") {
        quoted.get(..3)?
    } else {
        quoted.get(..1)?
    };
    let content = quoted.strip_prefix(quote)?.strip_suffix(quote)?;
    let becomes = if content.is_empty() { "x" } else { "" };
    Some(format!("{prefix}{quote}{becomes}{quote}"))
}

/// The other truth value.
pub fn truth(text: &str) -> Option<&'static str> {
    Some(match text {
        "true" => "false",
        "false" => "true",
        "True" => "False",
        "False" => "True",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_become_their_neighbours() {
        for (text, wanted) in [
            ("0", Some("1")),
            ("41", Some("42")),
            ("1_000", Some("1001")),
            ("7u32", Some("8u32")),
            ("7n", Some("8n")),
            ("1.5", Some("2.5")),
            (".5", Some("1.5")),
            ("0x1f", None),
            ("017", None),
            ("1e9", None),
            ("99999999999999999999", None),
            ("18446744073709551615", None),
            ("", None),
        ] {
            assert_eq!(number(text).as_deref(), wanted, "{text}");
        }
        for (literal, wanted) in [
            ("\"ann\"", Some("\"\"")),
            ("''", Some("'x'")),
            ("b'a'", Some("b''")),
            ("\"\"\"a\"\"\"", Some("\"\"\"\"\"\"")),
            ("f'{a}'", None),
            ("r'a'", None),
            ("`a`", None),
        ] {
            assert_eq!(text(literal).as_deref(), wanted, "{literal}");
        }
    }
}
