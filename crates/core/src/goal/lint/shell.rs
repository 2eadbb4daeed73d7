//! Reads a shell command just far enough to see that its exit code says nothing.
//!
//! No shell parser: quotes, escapes, comments and nesting are respected, the rest is words. What is not recognised
//! is not accused.

/// How a simple command is followed by the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// `;` or a new line.
    Then,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `|`
    Pipe,
    /// `&`
    Background,
    /// Nothing follows.
    End,
}

/// A simple command: its words, without quotes.
#[derive(Debug, PartialEq, Eq)]
struct Simple {
    words: Vec<String>,
    joint: Joint,
}

/// Programs that end with 0 whatever came through the pipe.
const FILTERS: &[&str] = &[
    "tee", "cat", "head", "tail", "less", "more", "sort", "uniq", "wc", "tr", "cut", "sed", "awk",
    "column", "fold", "nl", "ts",
];
/// Programs that drop lines of what came through the pipe.
const SIEVES: &[&str] = &[
    "grep", "egrep", "fgrep", "rg", "ag", "head", "tail", "sed", "awk", "cut",
];

/// Why the exit code of `script` is 0 whatever happens; `None` if nothing speaks for that.
pub(super) fn cannot_fail(script: &str) -> Option<String> {
    let parts = split(script);
    let Some(last) = parts.last() else {
        return Some("it runs nothing".to_owned());
    };
    if last.joint == Joint::Background {
        return Some(
            "it ends in the background, with exit code 0 before the work is done".to_owned(),
        );
    }
    let before = parts.len().checked_sub(2).map(|n| parts[n].joint);
    let constant = always_succeeds(&last.words);
    match before {
        _ if parts.iter().all(|p| always_succeeds(&p.words).is_some()) => {
            constant.map(|what| format!("{what} succeeds always"))
        }
        Some(Joint::Or) => {
            constant.map(|what| format!("`|| {what}` turns every failure into success"))
        }
        Some(Joint::Then | Joint::Background) => {
            constant.map(|what| format!("its exit code is that of `{what}` at its end"))
        }
        Some(Joint::Pipe) => {
            let program = program(&last.words)?;
            let hides = FILTERS.contains(&program) && !script.contains("pipefail");
            hides.then(|| {
                format!(
                    "its exit code is that of `{program}`, and a failure before the `|` is hidden"
                )
            })
        }
        Some(Joint::And | Joint::End) | None => None,
    }
}

/// The program that a pipe sends test results through and that drops lines of them.
pub(super) fn sieve(script: &str) -> Option<String> {
    let parts = split(script);
    parts
        .windows(2)
        .filter(|pair| pair[0].joint == Joint::Pipe)
        .find_map(|pair| {
            let program = program(&pair[1].words)?;
            SIEVES.contains(&program).then(|| program.to_owned())
        })
}

/// Whether all that the script does is print what is written in it.
pub(super) fn prints_constant(script: &str) -> bool {
    let parts = split(script);
    let constant = |p: &Simple| {
        matches!(program(&p.words), Some("echo" | "printf"))
            && !p.words.iter().any(|w| w.contains(['$', '`', '<']))
    };
    !parts.is_empty() && parts.iter().all(constant)
}

/// The command as it is shown, if its exit code is always 0.
fn always_succeeds(words: &[String]) -> Option<String> {
    let first = program(words)?;
    let rest: Vec<&str> = words
        .iter()
        .skip_while(|w| *w != first)
        .skip(1)
        .map(String::as_str)
        .collect();
    match (first, rest.as_slice()) {
        ("true" | ":" | "/bin/true" | "/usr/bin/true", _) => Some(first.to_owned()),
        // A command substitution in its arguments does not change the exit code of `echo` either.
        ("echo" | "printf", _) => Some(first.to_owned()),
        ("exit", ["0"]) => Some("exit 0".to_owned()),
        _ => None,
    }
}

/// The first word that is no assignment and no keyword.
fn program(words: &[String]) -> Option<&str> {
    words
        .iter()
        .map(String::as_str)
        .find(|w| !is_assignment(w) && !matches!(*w, "!" | "time" | "exec" | "command" | "{" | "}"))
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Simple commands on the top level of the script. Whatever is in parentheses, braces after `$`, or backquotes belongs
/// to the word that it stands in.
fn split(script: &str) -> Vec<Simple> {
    let mut parts = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut in_word = false;
    let mut depth = 0usize;
    let mut chars = script.chars().peekable();
    let mut ended =
        |words: &mut Vec<String>, word: &mut String, in_word: &mut bool, joint: Option<Joint>| {
            if *in_word {
                words.push(std::mem::take(word));
                *in_word = false;
            }
            if let (Some(joint), false) = (joint, words.is_empty()) {
                parts.push(Simple {
                    words: std::mem::take(words),
                    joint,
                });
            }
        };
    while let Some(c) = chars.next() {
        let nested = depth > 0;
        match c {
            '\\' => match chars.next() {
                Some('\n') | None => {}
                Some(next) => {
                    in_word = true;
                    word.push(next);
                }
            },
            '\'' | '"' | '`' => {
                in_word = true;
                while let Some(inner) = chars.next() {
                    if inner == c {
                        break;
                    }
                    if inner == '\\' && c != '\'' {
                        word.extend(chars.next());
                    } else {
                        word.push(inner);
                    }
                }
                if c == '`' {
                    word.push('`');
                }
            }
            '(' => {
                depth += 1;
                in_word = true;
                word.push(c);
            }
            ')' => {
                depth = depth.saturating_sub(1);
                word.push(c);
            }
            _ if nested => word.push(c),
            '#' if !in_word => while chars.next_if(|c| *c != '\n').is_some() {},
            '>' if chars.next_if_eq(&'&').is_some() => {
                // `2>&1` is a redirection, not the background.
                in_word = true;
                word.push_str(">&");
            }
            '&' if chars.next_if_eq(&'&').is_some() => {
                ended(&mut words, &mut word, &mut in_word, Some(Joint::And))
            }
            '&' if chars.next_if_eq(&'>').is_some() => {
                in_word = true;
                word.push_str("&>");
            }
            '&' => ended(&mut words, &mut word, &mut in_word, Some(Joint::Background)),
            '|' if chars.next_if_eq(&'|').is_some() => {
                ended(&mut words, &mut word, &mut in_word, Some(Joint::Or))
            }
            '|' => {
                chars.next_if_eq(&'&');
                ended(&mut words, &mut word, &mut in_word, Some(Joint::Pipe));
            }
            ';' | '\n' => ended(&mut words, &mut word, &mut in_word, Some(Joint::Then)),
            c if c.is_whitespace() => ended(&mut words, &mut word, &mut in_word, None),
            c => {
                in_word = true;
                word.push(c);
            }
        }
    }
    ended(&mut words, &mut word, &mut in_word, Some(Joint::End));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_cannot_fail_are_recognised() {
        for script in [
            "true",
            ":",
            "exit 0",
            "echo ok",
            "printf done",
            "# nothing",
            "npm test || true",
            "npm test || echo failed",
            "npm test; true",
            "npm test; exit 0",
            "npm test\ntrue",
            "npm test | tee log.txt",
            "npm test 2>&1 | tail -5",
            "CI=1 npm test |& cat",
            "npm test &",
            "echo a && echo b",
            "(cd a && npm test) || :",
        ] {
            assert!(cannot_fail(script).is_some(), "{script}");
        }
    }

    #[test]
    fn honest_commands_are_not_accused() {
        for script in [
            "npm test",
            "npm ci && npm test",
            "echo start && npm test",
            "test -f a || exit 1",
            "! grep -rn TODO src",
            "npm test | grep -q 'ok'",
            "set -o pipefail; npm test | tee log.txt",
            "sh -c 'npm test || true; exit 1'",
            "npm test > log 2>&1",
            "npm test &> log",
            "diff <(a | sort) b",
            "printf '%s' \"$(npm test || true)\" | grep -q ok",
            "true && npm test",
            "node -e 'process.exit(x || true ? 1 : 0)'",
            "./true.sh",
            "echo 'a; true' | ./verify",
            "cargo test # || true",
        ] {
            assert_eq!(cannot_fail(script), None, "{script}");
        }
    }

    #[test]
    fn what_drops_lines_is_named() {
        assert_eq!(sieve("npm test | grep -v skip").as_deref(), Some("grep"));
        assert_eq!(sieve("npm test -- --grep cart"), None);
        assert_eq!(sieve("npm test || grep x log"), None);
    }

    #[test]
    fn a_printed_constant_is_no_measurement() {
        assert!(prints_constant("echo 85"));
        assert!(!prints_constant("echo $(wc -l < a)"));
        assert!(!prints_constant("./measure"));
    }
}
