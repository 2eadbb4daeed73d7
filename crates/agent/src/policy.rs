//! What the goal lets an action do: paths, programs, tools. Asked before a tool acts, and again of what it did.

use overnight_core::goal::Goal;
use overnight_core::goal::globs::Globs;
use overnight_core::judge::licence;
use overnight_core::turn::Denial;

/// The goal's `keep` and `use` as questions.
pub(crate) struct Policy {
    only: Option<Globs>,
    keep: Globs,
    commands: Option<Vec<String>>,
    tools: Option<Vec<String>>,
}

impl Policy {
    pub fn new(goal: &Goal) -> Result<Policy, String> {
        let (only, keep) = licence(goal).map_err(|e| e.to_string())?;
        Ok(Policy {
            only,
            keep,
            commands: goal.uses.commands.clone(),
            tools: goal.uses.tools.clone(),
        })
    }

    /// Whether a path may change; the rule that says no otherwise.
    pub fn path(&self, path: &str) -> Result<(), Denial> {
        if self.keep.matches(path) {
            return Err(Denial {
                rule: "keep.paths".into(),
                what: path.to_owned(),
            });
        }
        match &self.only {
            Some(only) if !only.matches(path) => Err(Denial {
                rule: "use.paths".into(),
                what: path.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether the model may use a tool. Claiming, asking and noting are always possible.
    pub fn tool(&self, name: &str) -> Result<(), Denial> {
        const ALWAYS: [&str; 4] = ["claim_done", "ask_for_help", "notes", "plan"];
        match &self.tools {
            Some(tools) if !ALWAYS.contains(&name) && !tools.iter().any(|t| t == name) => {
                Err(Denial {
                    rule: "use.tools".into(),
                    what: name.to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether a command line starts only programs that the goal names. Judged by the words in command position; what
    /// those programs start themselves is the sandbox's business.
    pub fn command(&self, script: &str) -> Result<(), Denial> {
        let Some(allowed) = &self.commands else {
            return Ok(());
        };
        for program in programs(script) {
            let name = program.rsplit('/').next().unwrap_or(&program);
            let fits = allowed.iter().any(|a| {
                let first = a.split_whitespace().next().unwrap_or(a);
                first == program || first == name
            });
            if !fits {
                return Err(Denial {
                    rule: "use.commands".into(),
                    what: program,
                });
            }
        }
        Ok(())
    }
}

/// Builtins of the shell that start nothing.
const BUILTINS: [&str; 26] = [
    "cd", "echo", "printf", "test", "[", "true", "false", "export", "set", "unset", "pwd", ":",
    "exit", "read", "if", "then", "else", "elif", "fi", "for", "do", "done", "while", "case",
    "esac", "!",
];
/// Words after which another program stands.
const PREFIXES: [&str; 10] = [
    "env", "exec", "time", "nice", "nohup", "command", "xargs", "if", "while", "!",
];

/// The words in command position of a command line, as far as they can be told without running it. A word that is
/// made at run time (`$x`, `` `…` ``, `eval`) is returned as it is, so that no list of names matches it.
fn programs(script: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in split(script) {
        let mut words = part.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let assignment = word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            });
            let word = word.trim_matches(|c| {
                c == '"' || c == '\'' || c == '(' || c == '{' || c == '}' || c == ')'
            });
            if assignment || word.is_empty() || ["then", "else", "do", "elif"].contains(&word) {
                continue;
            }
            if PREFIXES.contains(&word) {
                while words.peek().is_some_and(|w| w.starts_with('-')) {
                    words.next();
                }
                if !BUILTINS.contains(&word) {
                    found.push(word.to_owned());
                }
                continue;
            }
            if !BUILTINS.contains(&word) {
                found.push(word.to_owned());
            }
            break;
        }
    }
    found
}

/// A command line cut where a new command may begin; text in single quotes begins none.
fn split(script: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => quoted = !quoted,
            ';' | '\n' | '|' | '&' | '`' if !quoted => {
                parts.push(String::new());
                continue;
            }
            '$' if !quoted && chars.peek() == Some(&'(') => {
                chars.next();
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(commands: &[&str]) -> Policy {
        Policy {
            only: None,
            keep: Globs::default(),
            commands: Some(commands.iter().map(|s| s.to_string()).collect()),
            tools: None,
        }
    }

    #[test]
    fn every_program_of_a_command_line_must_be_allowed() {
        let p = policy(&["cargo", "npm test"]);
        for fine in [
            "cargo test",
            "cd x && RUST_LOG=1 cargo test | cargo fmt",
            "npm run x",
            "echo 'a; rm -rf /'",
        ] {
            assert!(p.command(fine).is_ok(), "{fine}");
        }
        for bad in [
            "curl x",
            "cargo test; rm x",
            "echo $(curl x)",
            "FOO=1 $SHELL",
            "/bin/rm x",
            "cargo x\nrm y",
        ] {
            assert!(p.command(bad).is_err(), "{bad}");
        }
    }
}
