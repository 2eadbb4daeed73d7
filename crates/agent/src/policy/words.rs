//! The words in command position of a shell command line, told without running it. Where `sh` could be dash or bash and
//! the two would read a line differently, or where the reading depends on what a variable holds, the answer is that it
//! cannot be judged.

use std::iter::Peekable;
use std::str::Chars;

/// How deep substitutions and groups may be nested.
const DEPTH_MAX: usize = 40;

/// A word in command position.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    /// Without its quotes.
    pub name: String,
    /// Whether it is the same whenever it is run: no expansion makes it.
    pub literal: bool,
}

/// Builtins of the shell that start nothing.
const BUILTINS: [&str; 18] = [
    "cd", "echo", "printf", "test", "[", "true", "false", "export", "set", "unset", "pwd", ":",
    "exit", "read", "break", "continue", "shift", "return",
];
/// Reserved words after which a command begins, or which end one.
const KEYWORDS: [&str; 13] = [
    "if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!", "{", "}", "esac",
];
/// Programs whose argument is another program.
const PREFIXES: [&str; 7] = ["env", "exec", "time", "nice", "nohup", "command", "xargs"];
/// Variables whose value the shell itself runs or expands.
const LIVE: [&str; 4] = ["PS4", "ENV", "BASH_ENV", "PROMPT_COMMAND"];

type Judged<T> = Result<T, &'static str>;

/// The programs that a command line names; why they cannot be told otherwise.
pub(super) fn programs(script: &str) -> Judged<Vec<Program>> {
    programs_at(script, 0)
}

fn programs_at(script: &str, depth: usize) -> Judged<Vec<Program>> {
    let mut scanner = Scanner {
        chars: script.chars().peekable(),
        before: ' ',
        depth,
        found: Vec::new(),
    };
    scanner.list(Within::Line)?;
    Ok(scanner.found)
}

#[derive(Debug, Clone, Default)]
struct Word {
    text: String,
    /// Some of it was quoted, so it is no reserved word.
    quoted: bool,
    /// Some of it is made at run time.
    expands: bool,
    /// It began with `NAME=`.
    assigns: bool,
}

impl Word {
    fn is(&self, reserved: &str) -> bool {
        !self.quoted && !self.expands && self.text == reserved
    }
}

#[derive(Debug, Clone)]
enum Token {
    Word(Word),
    /// `;`, `&`, `|`, a newline: another command may begin.
    Next(char),
    /// `;;`, `;&`.
    NextCase,
    Open,
    Close,
    Redirect,
    End,
}

/// What a list of commands is in, and so what ends it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Line,
    Parentheses,
    Case,
}

/// Where in a command the next word stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At its very beginning, where a reserved word counts.
    Fresh,
    /// Behind assignments, redirections or a compound command: a program, but no reserved word.
    Command,
    /// Behind `env`, `xargs` …: options, then a program.
    Prefixed,
    Arguments,
}

struct Scanner<'a> {
    chars: Peekable<Chars<'a>>,
    /// The character taken last.
    before: char,
    depth: usize,
    found: Vec<Program>,
}

impl Scanner<'_> {
    fn take(&mut self) -> Option<char> {
        let c = self.chars.next()?;
        self.before = c;
        Some(c)
    }

    fn deeper(&mut self) -> Judged<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("it is nested too deep");
        }
        Ok(())
    }

    // --- commands ---

    /// Commands up to the end of what they are in. True if a `case` ended with them.
    fn list(&mut self, within: Within) -> Judged<bool> {
        let mut place = Place::Fresh;
        let mut builtin = String::new();
        loop {
            match self.token()? {
                Token::End if within == Within::Line => return Ok(false),
                Token::End => return Err("a parenthesis or a `case` is not closed"),
                Token::Close if within == Within::Parentheses => return Ok(false),
                Token::Close => return Err("there is a `)` without `(`"),
                Token::NextCase if within == Within::Case => return Ok(false),
                Token::NextCase => return Err("there is a `;;` outside of `case`"),
                Token::Next(_) => place = Place::Fresh,
                Token::Open if place == Place::Fresh => {
                    if self.chars.peek() == Some(&'(') {
                        return Err("`((` is read differently by different shells");
                    }
                    self.deeper()?;
                    self.list(Within::Parentheses)?;
                    self.depth -= 1;
                    place = Place::Command;
                }
                Token::Open => return Err("it defines a function or an array"),
                Token::Redirect => {
                    let Token::Word(_) = self.token()? else {
                        return Err("a redirection names no file");
                    };
                    if place == Place::Fresh {
                        place = Place::Command;
                    }
                }
                Token::Word(word) => match place {
                    Place::Arguments => argument(&builtin, &word)?,
                    Place::Fresh if word.is("esac") && within == Within::Case => return Ok(true),
                    Place::Fresh if word.is("case") => {
                        self.case()?;
                        place = Place::Command;
                    }
                    Place::Fresh if word.is("for") => self.for_words()?,
                    Place::Fresh if KEYWORDS.iter().any(|k| word.is(k)) => {
                        if word.is("esac") {
                            return Err("there is an `esac` without `case`");
                        }
                    }
                    Place::Command | Place::Prefixed
                        if ["case", "for"].iter().chain(&KEYWORDS).any(|k| word.is(k)) =>
                    {
                        return Err("a reserved word stands where none can");
                    }
                    Place::Prefixed if word.text.starts_with('-') && !word.expands => {}
                    _ if word.assigns => {
                        variable(&word.text)?;
                        if place == Place::Fresh {
                            place = Place::Command;
                        }
                    }
                    _ => {
                        let literal = !word.expands;
                        place = Place::Arguments;
                        builtin.clear();
                        if literal && PREFIXES.contains(&word.text.as_str()) {
                            place = Place::Prefixed;
                        } else if literal && BUILTINS.contains(&word.text.as_str()) {
                            builtin = word.text;
                            continue;
                        }
                        self.found.push(Program {
                            name: word.text,
                            literal,
                        });
                    }
                },
            }
        }
    }

    /// Behind `case`: a word, `in`, and patterns with their commands.
    fn case(&mut self) -> Judged<()> {
        self.deeper()?;
        let Token::Word(_) = self.token()? else {
            return Err("`case` names no word");
        };
        match self.behind_newlines()? {
            Token::Word(word) if word.is("in") => {}
            _ => return Err("`case` has no `in`"),
        }
        loop {
            let mut token = self.behind_newlines()?;
            match &token {
                Token::Word(word) if word.is("esac") => break,
                Token::Open => token = self.token()?,
                _ => {}
            }
            loop {
                let Token::Word(_) = token else {
                    return Err("a pattern of `case` cannot be told");
                };
                match self.token()? {
                    Token::Close => break,
                    Token::Next('|') => token = self.token()?,
                    _ => return Err("a pattern of `case` cannot be told"),
                }
            }
            if self.list(Within::Case)? {
                break;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Behind `for`: a name, and words that are no commands.
    fn for_words(&mut self) -> Judged<()> {
        match self.token()? {
            Token::Word(name) if !name.expands => variable(&name.text)?,
            _ => return Err("`for` names no variable"),
        }
        match self.behind_newlines()? {
            Token::Word(word) if word.is("in") => {}
            Token::Word(word) if word.is("do") => return Ok(()),
            Token::Next(';') => return Ok(()),
            _ => return Err("`for` has no `in`"),
        }
        loop {
            match self.token()? {
                Token::Word(_) => {}
                Token::Next(';' | '\n') => return Ok(()),
                _ => return Err("the words of `for` do not end"),
            }
        }
    }

    fn behind_newlines(&mut self) -> Judged<Token> {
        loop {
            match self.token()? {
                Token::Next('\n') => {}
                token => return Ok(token),
            }
        }
    }

    // --- words ---

    fn token(&mut self) -> Judged<Token> {
        loop {
            let Some(&c) = self.chars.peek() else {
                return Ok(Token::End);
            };
            match c {
                ' ' | '\t' => {
                    self.take();
                }
                '#' => {
                    while self.chars.peek().is_some_and(|c| *c != '\n') {
                        self.take();
                    }
                }
                '\\' => {
                    let mut two = self.chars.clone();
                    two.next();
                    if two.next() != Some('\n') {
                        return self.word();
                    }
                    if !matches!(self.before, ' ' | '\t') {
                        return Err("a line is continued in the middle of a word");
                    }
                    // What was before the pair stays before it.
                    self.chars.next();
                    self.chars.next();
                }
                ';' => {
                    self.take();
                    if matches!(self.chars.peek(), Some(';' | '&')) {
                        self.take();
                        if self.chars.peek() == Some(&'&') {
                            self.take();
                        }
                        return Ok(Token::NextCase);
                    }
                    return Ok(Token::Next(';'));
                }
                '\n' | '&' | '|' => {
                    self.take();
                    // `||` is no bar between two patterns.
                    if c == '|' && self.chars.peek() == Some(&'|') {
                        self.take();
                        return Ok(Token::Next('&'));
                    }
                    return Ok(Token::Next(c));
                }
                '(' => {
                    self.take();
                    return Ok(Token::Open);
                }
                ')' => {
                    self.take();
                    return Ok(Token::Close);
                }
                '<' | '>' => {
                    let mut two = self.chars.clone();
                    two.next();
                    match two.next() {
                        Some('(') => return self.word(),
                        Some('<') if c == '<' => {
                            return Err("a here-document holds what is no command line");
                        }
                        Some('>' | '&' | '|') => {
                            self.take();
                            self.take();
                        }
                        _ => {
                            self.take();
                        }
                    }
                    return Ok(Token::Redirect);
                }
                _ => return self.word(),
            }
        }
    }

    fn word(&mut self) -> Judged<Token> {
        let mut word = Word::default();
        while let Some(&c) = self.chars.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' => break,
                '<' | '>' => {
                    let mut two = self.chars.clone();
                    two.next();
                    if two.next() == Some('(') {
                        self.take();
                        self.take();
                        word.expands = true;
                        word.text.push_str("<(…)");
                        self.inner()?;
                        continue;
                    }
                    // The number of a file descriptor belongs to the redirection.
                    let number = !word.text.is_empty()
                        && !word.quoted
                        && word.text.chars().all(|c| c.is_ascii_digit());
                    if number {
                        return self.token();
                    }
                    break;
                }
                '\'' => {
                    self.take();
                    word.quoted = true;
                    loop {
                        match self.take() {
                            Some('\'') => break,
                            Some(c) => word.text.push(c),
                            None => return Err("a single quote is not closed"),
                        }
                    }
                }
                '"' => {
                    self.take();
                    word.quoted = true;
                    self.double_quoted(&mut word)?;
                }
                '\\' => {
                    self.take();
                    word.quoted = true;
                    match self.take() {
                        Some('\n') => return Err("a line is continued in the middle of a word"),
                        Some(c) => word.text.push(c),
                        None => return Err("it ends with a backslash"),
                    }
                }
                '$' => {
                    self.take();
                    if matches!(self.chars.peek(), Some('\'' | '"')) {
                        return Err("`$'` is read differently by different shells");
                    }
                    self.dollar(&mut word)?;
                }
                '`' => {
                    self.take();
                    self.backtick(&mut word, false)?;
                }
                _ => {
                    self.take();
                    if c == '=' && !word.assigns && !word.quoted && !word.expands {
                        word.assigns = is_name(&word.text);
                    }
                    word.text.push(c);
                }
            }
        }
        Ok(Token::Word(word))
    }

    fn double_quoted(&mut self, word: &mut Word) -> Judged<()> {
        loop {
            match self.take() {
                None => return Err("a double quote is not closed"),
                Some('"') => return Ok(()),
                Some('`') => self.backtick(word, true)?,
                Some('$') => self.dollar(word)?,
                Some('\\') => match self.take() {
                    None => return Err("a double quote is not closed"),
                    Some('\n') => {}
                    Some(c @ ('$' | '`' | '"' | '\\')) => word.text.push(c),
                    Some(c) => word.text.extend(['\\', c]),
                },
                Some(c) => word.text.push(c),
            }
        }
    }

    /// Behind a `$`.
    fn dollar(&mut self, word: &mut Word) -> Judged<()> {
        word.text.push('$');
        match self.chars.peek() {
            Some('(') => {
                self.take();
                word.expands = true;
                word.text.push_str("(…)");
                if self.chars.peek() == Some(&'(') {
                    self.take();
                    return self.arithmetic();
                }
                self.inner()
            }
            Some('{') => {
                self.take();
                word.expands = true;
                word.text.push_str("{…}");
                self.parameter()
            }
            Some('[') => Err("`$[` is read differently by different shells"),
            Some('\\') => {
                let mut two = self.chars.clone();
                two.next();
                if two.next() == Some('\n') {
                    return Err("a line is continued in the middle of a word");
                }
                Ok(())
            }
            Some(c) if c.is_ascii_alphanumeric() || "_@*#?-$!".contains(*c) => {
                word.expands = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Behind `$(`, `<(`, `>(`.
    fn inner(&mut self) -> Judged<()> {
        self.deeper()?;
        self.list(Within::Parentheses)?;
        self.depth -= 1;
        Ok(())
    }

    /// Behind `$((`. Of numbers only: a name may hold a command, which bash runs as part of a subscript.
    fn arithmetic(&mut self) -> Judged<()> {
        let mut open = 0;
        loop {
            match self.take() {
                Some('(') => open += 1,
                Some(')') if open > 0 => open -= 1,
                Some(')') if self.chars.peek() == Some(&')') => {
                    self.take();
                    return Ok(());
                }
                Some(c) if c.is_ascii_digit() || " +-*/%<>=!&|^~?:".contains(c) => {}
                _ => return Err("an arithmetic expansion is more than numbers"),
            }
        }
    }

    /// Behind `${`.
    fn parameter(&mut self) -> Judged<()> {
        const UNCLEAR: &str = "a `${…}` does more than a plain default or cut";
        self.deeper()?;
        if self.chars.peek() == Some(&'!') {
            return Err(UNCLEAR);
        }
        let mut inner = Word::default();
        loop {
            match self.take() {
                Some('}') => break,
                Some('$') => self.dollar(&mut inner)?,
                Some('@') if self.chars.peek().is_some_and(|c| c.is_ascii_alphabetic()) => {
                    return Err(UNCLEAR);
                }
                Some(':')
                    if !self
                        .chars
                        .peek()
                        .is_some_and(|c| "-=?+/".contains(*c) || c.is_ascii_digit()) =>
                {
                    return Err(UNCLEAR);
                }
                Some('\'' | '"' | '\\' | '`' | '[' | '{' | '(' | ')' | '\n' | '<' | '>') | None => {
                    return Err(UNCLEAR);
                }
                Some(_) => {}
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Behind a backtick, up to the next one.
    fn backtick(&mut self, word: &mut Word, quoted: bool) -> Judged<()> {
        let mut script = String::new();
        loop {
            match self.take() {
                Some('`') => break,
                Some('\\') => return Err("there is a backslash between backticks"),
                Some('"') if quoted => return Err("there are quotes between backticks"),
                Some(c) => script.push(c),
                None => return Err("a backtick is not closed"),
            }
        }
        self.deeper()?;
        let inner = programs_at(&script, self.depth)?;
        self.depth -= 1;
        self.found.extend(inner);
        word.expands = true;
        word.text.push_str("`…`");
        Ok(())
    }
}

/// A word behind a builtin. Some take names of variables, and a subscript of such a name is run by bash.
fn argument(builtin: &str, word: &Word) -> Judged<()> {
    match builtin {
        "read" | "unset" | "export" => {
            let name = word.text.split('=').next().unwrap_or_default();
            let literal = !word.expands || word.assigns;
            if !literal || !(name.starts_with('-') || is_name(name)) {
                return Err("a variable's name cannot be told");
            }
            variable(&word.text)
        }
        "test" | "[" | "printf" if word.text.starts_with("-v") => {
            Err("`-v` takes more than a name")
        }
        _ => Ok(()),
    }
}

/// Whether a variable (with or without `=value`) may be set.
fn variable(text: &str) -> Judged<()> {
    let name = text.split('=').next().unwrap_or_default();
    if LIVE.contains(&name) {
        return Err("it sets a variable that the shell itself runs");
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().next().is_some_and(|c| !c.is_ascii_digit())
}
