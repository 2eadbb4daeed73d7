//! The hard words of a person's prose, held against the contract by plain comparison, so that the person sees what
//! became of them without believing the model: sentences that forbid or demand, and names and numbers that stand in the
//! brief alone, where nothing enforces them.

/// Sentences that are listed.
const RULES_MAX: usize = 12;
/// Names and numbers that are listed.
const NAMES_MAX: usize = 20;
/// Length of a sentence, bytes.
const RULE_BYTES_MAX: usize = 300;
/// What makes a sentence a rule.
const HARD: [&str; 16] = [
    "do not",
    "don't",
    "does not",
    "must",
    "never",
    "only",
    "without",
    "except",
    "unless",
    "at least",
    "at most",
    "no more than",
    "not to",
    "leave",
    "rather than",
    "still",
];

/// What the words say and the contract may not.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hard {
    /// Sentences that forbid or demand.
    pub rules: Vec<String>,
    /// Names and numbers that the front matter does not hold.
    pub unsaid: Vec<String>,
}

/// Holds the words against a front matter.
pub fn held_against(words: &str, front: &str) -> Hard {
    let contract = front.to_lowercase();
    let mut hard = Hard::default();
    for sentence in sentences(words) {
        let lower = format!(" {} ", sentence.to_lowercase().replace('’', "'"));
        let is_rule = HARD.iter().any(|word| {
            lower.match_indices(word).any(|(at, _)| {
                let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
                apart(lower[..at].chars().next_back())
                    && apart(lower[at + word.len()..].chars().next())
            })
        });
        if is_rule && hard.rules.len() < RULES_MAX {
            hard.rules
                .push(overnight_core::judge::clip(&sentence, RULE_BYTES_MAX));
        }
    }
    for name in names(words) {
        let wanted = name
            .trim_start_matches('/')
            .trim_end_matches('/')
            .to_lowercase();
        let there = contract.match_indices(&wanted).any(|(at, _)| {
            // `8` is not in `80`.
            let apart = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_digit());
            !wanted.bytes().all(|b| b.is_ascii_digit())
                || apart(contract[..at].chars().next_back())
                    && apart(contract[at + wanted.len()..].chars().next())
        });
        if !wanted.is_empty() && !there && !hard.unsaid.contains(&name) {
            hard.unsaid.push(name);
        }
    }
    hard.unsaid.truncate(NAMES_MAX);
    hard
}

/// Sentences on one line each.
fn sentences(words: &str) -> Vec<String> {
    let text = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut all = Vec::new();
    let mut from = 0;
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next();
        if matches!(c, '.' | '!' | '?' | ';') && next.is_none_or(|c| c == ' ') {
            all.push(text[from..at + c.len_utf8()].trim().to_owned());
            from = at + c.len_utf8();
        }
    }
    all.push(text[from..].trim().to_owned());
    all.retain(|sentence| !sentence.is_empty());
    all
}

/// Names and numbers: what stands in quotes, paths and file names, and whatever holds a digit.
fn names(words: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut rest = String::new();
    // What is quoted is one name; an apostrophe within a word opens nothing.
    let mut open: Option<(char, String)> = None;
    let mut before = ' ';
    for c in words.chars() {
        match &mut open {
            Some((mark, text)) if c == *mark || c == '\n' => {
                names.push(text.clone());
                open = None;
            }
            Some((_, text)) => text.push(c),
            None => match c {
                '`' | '"' => open = Some((c, String::new())),
                '“' => open = Some(('”', String::new())),
                '\'' if !before.is_alphanumeric() => open = Some(('\'', String::new())),
                _ => rest.push(c),
            },
        }
        before = c;
    }
    if let Some((_, text)) = open {
        rest.push_str(&text);
    }
    for word in rest.split_whitespace() {
        let word = word.trim_matches(|c: char| {
            !(c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '*' | '%'))
        });
        let word = word.trim_end_matches(['.', '%']);
        let digit = word.contains(|c: char| c.is_ascii_digit());
        let path = word.trim_matches('/').contains('/')
            || word.starts_with('/')
            || word
                .rsplit_once('.')
                .is_some_and(|(stem, ending)| !stem.is_empty() && !ending.is_empty());
        if digit || path {
            names.push(word.to_owned());
        }
    }
    names.retain(|name| !name.trim().is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_names_of_the_words_are_seen() {
        let words = "Investigate the 15 oldest P2 errors tagged with the 'api' prefix. Do not modify any database \
                     migration files. Don't touch /src/auth/. Write 8 tests in `tests/new.rs`; target 80% of src/a.ts.";
        let front = "items: {limit: 15}\nkeep: {paths: [src/auth/**]}\nat_least: 80\nuse: {paths: [src/a.ts]}";
        let hard = held_against(words, front);
        assert_eq!(
            hard.rules,
            [
                "Do not modify any database migration files.",
                "Don't touch /src/auth/."
            ]
        );
        assert_eq!(hard.unsaid, ["api", "tests/new.rs", "P2", "8"]);
    }

    #[test]
    fn everything_said_leaves_nothing() {
        assert_eq!(held_against("Fix the sum.", "outcome: x"), Hard::default());
        assert_eq!(held_against("", ""), Hard::default());
        let many = "Do not do it. ".repeat(100);
        assert_eq!(held_against(&many, "").rules.len(), RULES_MAX);
    }
}
