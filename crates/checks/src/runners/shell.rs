//! Just enough of the shell's grammar to find the simple commands in a command line and to write it back with one of
//! them changed. What it does not understand (here-documents, `case`, functions) it says so, and nothing is changed.

/// A word: how it is written, and what it stands for where that does not depend on the shell's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// As written, quotes and all.
    pub(crate) raw: String,
    /// Without quotes; `None` if it holds an expansion.
    pub(crate) literal: Option<String>,
}

impl Word {
    /// A word that is written as it stands.
    pub(crate) fn raw(text: impl Into<String>) -> Word {
        Word {
            raw: text.into(),
            literal: None,
        }
    }

    /// What it stands for; nothing if that is not known.
    pub(crate) fn text(&self) -> &str {
        self.literal.as_deref().unwrap_or_default()
    }

    /// The file name of the program that it names: `./node_modules/.bin/jest` is `jest`.
    pub(crate) fn program(&self) -> &str {
        let text = self.text();
        text.rsplit('/').next().unwrap_or(text)
    }
}

/// A simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Simple {
    /// Reserved words before it (`then`, `!`, `{`).
    pub(crate) reserved: Vec<String>,
    /// `NAME=value` before its first word.
    pub(crate) assignments: Vec<String>,
    /// The program and its arguments.
    pub(crate) words: Vec<Word>,
    /// Redirections, wherever they stood.
    pub(crate) redirections: Vec<String>,
}

impl Simple {
    fn is_empty(&self) -> bool {
        self.reserved.is_empty()
            && self.assignments.is_empty()
            && self.words.is_empty()
            && self.redirections.is_empty()
    }

    /// Assignments and words, without reserved words and redirections.
    pub(crate) fn core(&self) -> String {
        let words = self.words.iter().map(|w| w.raw.as_str());
        self.assignments
            .iter()
            .map(String::as_str)
            .chain(words)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The whole command with something else in the place of its core.
    pub(crate) fn around(&self, core: &str) -> String {
        let before = self.reserved.iter().map(String::as_str);
        let after = self.redirections.iter().map(String::as_str);
        before
            .chain([core])
            .chain(after)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// A piece of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A simple command.
    Simple(Simple),
    /// Operators, parentheses, line breaks, comments: written back as they are.
    Other(String),
}

/// Takes a command line apart; `None` if it holds what is not understood.
pub(crate) fn parse(text: &str) -> Option<Vec<Piece>> {
    let mut parser = Parser {
        text,
        at: 0,
        pieces: Vec::new(),
        current: Simple::default(),
    };
    parser.run()?;
    Some(parser.pieces)
}

/// Quotes a text so that the shell takes it as one word as it is.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    pieces: Vec<Piece>,
    current: Simple,
}

impl Parser<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn other(&mut self, length: usize) {
        self.flush();
        let piece = self.rest().get(..length).unwrap_or_default().to_owned();
        self.at += length;
        self.pieces.push(Piece::Other(piece));
    }

    fn flush(&mut self) {
        if !self.current.is_empty() {
            self.pieces
                .push(Piece::Simple(std::mem::take(&mut self.current)));
        }
    }

    fn run(&mut self) -> Option<()> {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' => self.at += 1,
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                '#' => {
                    let length = self.rest().find('\n').unwrap_or(self.rest().len());
                    self.other(length);
                }
                '&' if self.rest().starts_with("&>") => self.redirection(0)?,
                '\n' | ';' | '&' | '|' | ')' => {
                    if self.rest().starts_with(";;") {
                        return None;
                    }
                    let double = ["&&", "||", "|&"]
                        .iter()
                        .any(|op| self.rest().starts_with(op));
                    self.other(if double { 2 } else { 1 });
                }
                '(' => {
                    // Behind a word it would define a function.
                    if !self.current.words.is_empty() || !self.current.assignments.is_empty() {
                        return None;
                    }
                    self.other(1);
                }
                '<' | '>' => self.redirection(0)?,
                '0'..='9' if self.redirects_from_here() => {
                    let digits = self.rest().find(['<', '>'])?;
                    self.redirection(digits)?;
                }
                _ => self.word_of_command()?,
            }
        }
        self.flush();
        Some(())
    }

    /// Whether a number stands directly before `<` or `>`.
    fn redirects_from_here(&self) -> bool {
        self.rest()
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .starts_with(['<', '>'])
    }

    /// Reads a redirection whose operator begins `digits` bytes from here.
    fn redirection(&mut self, digits: usize) -> Option<()> {
        let rest = self.rest().get(digits..)?;
        if rest.starts_with("<<") || rest.starts_with("<(") || rest.starts_with(">(") {
            return None;
        }
        let operator = ["&>>", "&>", ">>", ">&", "<&", "<>", ">|", "<", ">"]
            .into_iter()
            .find(|op| rest.starts_with(op))?;
        let mut whole = self.rest().get(..digits + operator.len())?.to_owned();
        self.at += digits + operator.len();
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.at += 1;
        }
        whole.push_str(&self.word()?.raw);
        self.current.redirections.push(whole);
        Some(())
    }

    /// Reads a word and puts it where it belongs in the current command.
    fn word_of_command(&mut self) -> Option<()> {
        const RESERVED: [&str; 10] = [
            "if", "then", "else", "elif", "while", "until", "do", "!", "{", "}",
        ];
        let word = self.word()?;
        if self.current.words.is_empty() {
            if matches!(word.raw.as_str(), "case" | "function" | "select") {
                return None;
            }
            if word.raw == "[[" {
                // bash's test has operators of its own; it ends with its `]]`.
                let length = self.rest().find(" ]]")? + 3;
                let test = self.rest().get(..length)?.to_owned();
                self.at += length;
                self.current.words.push(Word::raw(format!("[[{test}")));
                return Some(());
            }
            if self.current.assignments.is_empty() && RESERVED.contains(&word.raw.as_str()) {
                self.current.reserved.push(word.raw);
                return Some(());
            }
            if is_assignment(&word.raw) {
                self.current.assignments.push(word.raw);
                return Some(());
            }
        }
        self.current.words.push(word);
        Some(())
    }

    fn word(&mut self) -> Option<Word> {
        let start = self.at;
        let mut literal = Some(String::new());
        let keep = |literal: &mut Option<String>, c: char| {
            if let Some(text) = literal {
                text.push(c);
            }
        };
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | ')' | '(' => break,
                '\'' => {
                    let body = self.rest().get(1..)?;
                    let end = body.find('\'')?;
                    body.get(..end)?.chars().for_each(|c| keep(&mut literal, c));
                    self.at += end + 2;
                }
                '"' => {
                    self.at += 1;
                    self.double_quoted(&mut literal)?;
                }
                '\\' => {
                    let next = self.rest().chars().nth(1)?;
                    self.at += 1 + next.len_utf8();
                    if next != '\n' {
                        keep(&mut literal, next);
                    }
                }
                '$' | '`' => {
                    literal = None;
                    self.expansion()?;
                }
                _ => {
                    keep(&mut literal, c);
                    self.at += c.len_utf8();
                }
            }
        }
        let raw = self.text.get(start..self.at)?.to_owned();
        (!raw.is_empty()).then_some(Word { raw, literal })
    }

    /// From behind the opening quote to behind the closing one.
    fn double_quoted(&mut self, literal: &mut Option<String>) -> Option<()> {
        loop {
            let c = self.peek()?;
            match c {
                '"' => {
                    self.at += 1;
                    return Some(());
                }
                '\\' => {
                    let next = self.rest().chars().nth(1)?;
                    self.at += 1 + next.len_utf8();
                    if let Some(text) = literal {
                        match next {
                            '$' | '`' | '"' | '\\' => text.push(next),
                            '\n' => {}
                            _ => text.extend(['\\', next]),
                        }
                    }
                }
                '$' | '`' => {
                    *literal = None;
                    self.expansion()?;
                }
                _ => {
                    if let Some(text) = literal {
                        text.push(c);
                    }
                    self.at += c.len_utf8();
                }
            }
        }
    }

    /// Skips `$NAME`, `${…}`, `$(…)` or `` `…` ``.
    fn expansion(&mut self) -> Option<()> {
        let rest = self.rest();
        if let Some(body) = rest.strip_prefix('`') {
            self.at += body.find('`')? + 2;
            return Some(());
        }
        let (open, close) = match rest.chars().nth(1) {
            Some('(') => ('(', ')'),
            Some('{') => ('{', '}'),
            _ => {
                self.at += 1;
                return Some(());
            }
        };
        let mut depth = 0_usize;
        self.at += 1;
        while let Some(c) = self.peek() {
            match c {
                '\'' if open == '(' => {
                    let end = self.rest().get(1..)?.find('\'')?;
                    self.at += end + 2;
                    continue;
                }
                '\\' => {
                    let next = self.rest().chars().nth(1)?;
                    self.at += 1 + next.len_utf8();
                    continue;
                }
                _ if c == open => depth += 1,
                _ if c == close => depth -= 1,
                _ => {}
            }
            self.at += c.len_utf8();
            if depth == 0 {
                return Some(());
            }
        }
        None
    }
}

/// Whether a word is `NAME=value`.
pub(crate) fn is_assignment(raw: &str) -> bool {
    let Some((name, _)) = raw.split_once('=') else {
        return false;
    };
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Writes pieces back as a command line.
pub(crate) fn render(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for piece in pieces {
        let text = match piece {
            Piece::Simple(simple) => simple.around(&simple.core()),
            Piece::Other(text) => text.clone(),
        };
        let breaks = text == "\n" || out.ends_with('\n') || out.is_empty();
        if !breaks && text != ";" && text != ")" && !out.ends_with('(') {
            out.push(' ');
        }
        out.push_str(&text);
    }
    out
}

#[cfg(test)]
mod test {
    use super::*;

    fn commands(text: &str) -> Vec<Vec<String>> {
        let pieces = parse(text).expect("understood");
        let simple = pieces.iter().filter_map(|p| {
            if let Piece::Simple(s) = p {
                Some(s)
            } else {
                None
            }
        });
        simple
            .map(|s| s.words.iter().map(|w| w.text().to_owned()).collect())
            .collect()
    }

    #[test]
    fn a_command_line_is_taken_apart_at_its_operators() {
        assert_eq!(
            commands("cd a && A=1 pytest -q 'x y' | tee \"log file\"; npm test &"),
            [
                vec!["cd", "a"],
                vec!["pytest", "-q", "x y"],
                vec!["tee", "log file"],
                vec!["npm", "test"],
            ]
        );
        assert_eq!(
            commands("(cd a; cargo test 2>&1 >out 3< in) # then"),
            [vec!["cd", "a"], vec!["cargo", "test"]]
        );
        assert_eq!(
            commands("if ! pytest; then false; fi"),
            [vec!["pytest"], vec!["false"], vec!["fi"]]
        );
        assert_eq!(
            commands("pytest \\\n  -k \"a \\\" b\" $X \"$(ls | wc -l)\""),
            [vec!["pytest", "-k", "a \" b", "", ""]]
        );
    }

    #[test]
    fn the_test_of_bash_is_one_command() {
        assert_eq!(
            commands("[[ -f a && $b < c ]] && pytest"),
            [vec![""], vec!["pytest"]]
        );
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        for text in [
            "cat <<E\nx\nE",
            "case x in y) pytest;; esac",
            "f() { pytest; }",
            "echo 'open",
            "diff <(a) b",
            "echo $(a",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_back_means_the_same() {
        for text in [
            "cd a && X='b c' pytest -q \"$(ls)\" > out 2>&1 || (echo no; exit 3)",
            "a | b |& c; d &\ne # f",
            "! { a; }",
        ] {
            let once = parse(text).expect("understood");
            let written = render(&once);
            assert_eq!(parse(&written), Some(once), "{written}");
        }
    }

    #[test]
    fn quoting_survives_the_shell() {
        assert_eq!(quote("a-b/c.d"), "a-b/c.d");
        assert_eq!(quote("it's $5"), "'it'\\''s $5'");
        assert_eq!(quote(""), "''");
    }
}
