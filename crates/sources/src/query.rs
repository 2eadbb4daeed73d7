//! Queries where filtering is ours: words of the form `key:value`, as Sentry writes them.

use globset::{GlobBuilder, GlobMatcher};

/// Length of a query, bytes.
const QUERY_BYTES_MAX: usize = 2 * 1024;
/// How many terms a query may have.
const TERMS_MAX: usize = 40;

/// A query: every term must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query {
    pub terms: Vec<Term>,
}

/// One term.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    /// `None`: a plain word.
    pub key: Option<String>,
    /// `!key:value`, `-key:value`.
    pub not: bool,
    /// Any of these; `key:[a, b]` has several.
    pub values: Vec<String>,
    patterns: Vec<GlobMatcher>,
}

impl Term {
    /// Whether one of these values of the key is meant. `*` stands for anything, case makes no difference.
    pub(crate) fn holds<'v>(&self, values: impl IntoIterator<Item = &'v str>) -> bool {
        let any = values.into_iter().any(|value| {
            let value = value.to_lowercase();
            self.patterns.iter().any(|pattern| pattern.is_match(&value))
        });
        any != self.not
    }

    /// Whether a plain word, with blanks as they stand, is somewhere in the text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let any = self
            .values
            .iter()
            .any(|word| text.contains(&word.to_lowercase()));
        any != self.not
    }
}

impl Query {
    /// Reads a query; errors are for people.
    pub(crate) fn parse(text: &str) -> Result<Query, String> {
        let bad = |why: String| format!("`items.query` {why}");
        if text.len() > QUERY_BYTES_MAX {
            return Err(bad(format!("is longer than {QUERY_BYTES_MAX} bytes")));
        }
        let mut terms = Vec::new();
        for word in words(text).map_err(bad)? {
            if terms.len() == TERMS_MAX {
                return Err(bad(format!("has more than {TERMS_MAX} terms")));
            }
            terms.push(term(&word).map_err(bad)?);
        }
        Ok(Query { terms })
    }

    /// The terms with that key.
    pub(crate) fn of<'q>(&'q self, key: &'q str) -> impl Iterator<Item = &'q Term> {
        self.terms
            .iter()
            .filter(move |t| t.key.as_deref() == Some(key))
    }
}

/// A word with what was quoted in it: quotes are gone, what stood in them is marked.
struct Word(Vec<(char, bool)>);

impl Word {
    fn text(chars: &[(char, bool)]) -> String {
        chars.iter().map(|(c, _)| *c).collect()
    }
}

fn words(text: &str) -> Result<Vec<Word>, String> {
    let (mut words, mut word, mut quoted, mut deep) = (Vec::new(), Vec::new(), false, 0u32);
    let mut begun = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quoted => word.extend(chars.next().map(|c| (c, true))),
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            c if quoted => word.push((c, true)),
            c if c.is_whitespace() && deep == 0 => {
                if begun {
                    words.push(Word(std::mem::take(&mut word)));
                }
                begun = false;
            }
            c => {
                match c {
                    '[' => deep += 1,
                    ']' => deep = deep.saturating_sub(1),
                    _ => {}
                }
                begun = true;
                word.push((c, false));
            }
        }
    }
    if quoted || deep > 0 {
        return Err("has a quote or a bracket that is never closed".to_owned());
    }
    if begun {
        words.push(Word(word));
    }
    Ok(words)
}

fn term(word: &Word) -> Result<Term, String> {
    let chars = &word.0;
    let whole = Word::text(chars);
    if matches!(whole.as_str(), "OR" | "AND" | "or" | "and") || chars.first() == Some(&('(', false))
    {
        return Err(
            "has OR, AND or parentheses: here every term must hold; several values are `key:[a, b]`"
                .to_owned(),
        );
    }
    let colon = chars.iter().position(|c| *c == (':', false));
    let Some(colon) = colon.filter(|at| *at > 0) else {
        return Ok(Term {
            key: None,
            not: false,
            values: vec![whole],
            patterns: Vec::new(),
        });
    };
    let mut key = &chars[..colon];
    let not = matches!(key.first(), Some(('!' | '-', false)));
    if not {
        key = &key[1..];
    }
    let key = Word::text(key);
    let value = &chars[colon + 1..];
    if key.is_empty() || value.is_empty() {
        return Err(format!("has {whole:?}, a key without a value"));
    }
    if matches!(value.first(), Some(('>' | '<' | '=', false))) {
        return Err(format!(
            "has {whole:?}: comparisons are not understood here"
        ));
    }
    let list = value.first() == Some(&('[', false)) && value.last() == Some(&(']', false));
    let parts: Vec<&[(char, bool)]> = if list {
        value[1..value.len() - 1]
            .split(|c| *c == (',', false))
            .collect()
    } else {
        vec![value]
    };
    let (mut values, mut patterns) = (Vec::new(), Vec::new());
    for part in parts {
        let text = Word::text(part).trim().to_owned();
        if text.is_empty() {
            return Err(format!("has {whole:?}, a key without a value"));
        }
        patterns.push(pattern(part)?);
        values.push(text);
    }
    Ok(Term {
        key: Some(key),
        not,
        values,
        patterns,
    })
}

/// `*` stands for anything, also for slashes; all else for itself.
fn pattern(chars: &[(char, bool)]) -> Result<GlobMatcher, String> {
    let mut glob = String::new();
    let text = Word::text(chars);
    let (front, back) = (text.len() - text.trim_start().len(), text.trim_end().len());
    let mut at = 0;
    for (c, quoted) in chars {
        let here = at;
        at += c.len_utf8();
        if here < front || here >= back {
            continue;
        }
        match c {
            '*' if !quoted => glob.push('*'),
            '*' | '?' | '[' | ']' | '{' | '}' | '!' | '\\' => {
                glob.push('\\');
                glob.push(*c);
            }
            c => glob.extend(c.to_lowercase()),
        }
    }
    GlobBuilder::new(&glob)
        .literal_separator(false)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| format!("has a pattern that cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(query: &str, key: &str, values: &[&str]) -> bool {
        let query = Query::parse(query).unwrap();
        assert!(query.of(key).count() > 0);
        query.of(key).all(|term| term.holds(values.iter().copied()))
    }

    #[test]
    fn terms_match_as_sentrys_do() {
        assert!(holds("transaction:api*", "transaction", &["api.orders"]));
        assert!(holds("transaction:/api/*", "transaction", &["/API/a/b"]));
        assert!(!holds("transaction:api", "transaction", &["api.orders"]));
        assert!(holds("!level:info", "level", &["error"]));
        assert!(!holds("-level:[info, error]", "level", &["error"]));
        assert!(holds("level:[info, \"error\"]", "level", &["error"]));
        assert!(holds("t:\"a b*\"", "t", &["a b*"]));
        assert!(!holds("t:\"a*\"", "t", &["ab"]));
        assert!(!holds("t:a?b", "t", &["axb"]));
        assert!(holds("t:a[0]{x}", "t", &["a[0]{x}"]));
        assert!(!holds("area:api", "area", &[]));
        assert!(holds("!area:api", "area", &[]));
    }

    #[test]
    fn words_are_words_and_nothing_is_misread() {
        let query = Query::parse("is:unresolved \"bad order\" http://x").unwrap();
        assert_eq!(query.terms.len(), 3);
        assert!(query.terms[1].key.is_none() && query.terms[1].is_in("A Bad Order!"));
        for bad in [
            "a:b OR c:d",
            "(a:b)",
            "times_seen:>10",
            "a:",
            "a:\"x",
            "a:[x",
            "a:[]",
        ] {
            let why = Query::parse(bad).unwrap_err();
            assert!(why.starts_with("`items.query` has"), "{bad}: {why}");
        }
        assert!(Query::parse(&"a ".repeat(2000)).is_err());
        assert!(Query::parse(&"a ".repeat(50)).is_err());
    }
}
