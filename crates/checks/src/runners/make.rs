//! make: which recipes a call would run, and the shell that it runs them in.

use regex::Regex;

use super::Files;
use super::packages::join;
use super::shell::{Simple, quote};

/// Our shell's name in the evidence folder.
pub(crate) const SHELL: &str = "make-sh";

/// A call of make.
pub(crate) struct Call {
    /// Prints its recipes without running them. From the repository's root.
    pub(crate) dry_run: String,
    makefiles: Vec<String>,
}

impl Call {
    /// Reads the call whose program is the word `at`.
    pub(crate) fn read(simple: &Simple, at: usize, dir: &str) -> Call {
        let mut here = dir.to_owned();
        let mut file = None;
        let mut words = simple.words.iter().skip(at + 1);
        while let Some(word) = words.next() {
            let text = word.text();
            let mut value = |long: &str, short: &str| {
                if text == long || text == short {
                    return words.next().map(|w| w.text().to_owned());
                }
                let joined = text
                    .strip_prefix(long)
                    .and_then(|rest| rest.strip_prefix('='));
                let joined =
                    joined.or_else(|| text.strip_prefix(short).filter(|_| !text.starts_with("--")));
                joined.filter(|rest| !rest.is_empty()).map(str::to_owned)
            };
            if let Some(to) = value("--directory", "-C") {
                here = join(&here, &to);
            } else if let Some(name) = value("--file", "-f") {
                file = Some(name);
            }
        }
        let names = file.map_or(
            ["GNUmakefile", "makefile", "Makefile"]
                .map(str::to_owned)
                .to_vec(),
            |name| vec![name],
        );
        let makefiles = names.iter().map(|name| join(&here, name)).collect();
        let words: Vec<&str> = simple
            .words
            .iter()
            .skip(at)
            .map(|w| w.raw.as_str())
            .collect();
        let (make, arguments) = words
            .split_first()
            .map_or(("make", &[][..]), |(m, a)| (*m, a));
        let set = simple.assignments.join(" ");
        let to = if dir.is_empty() {
            ".".to_owned()
        } else {
            quote(dir)
        };
        let dry_run = format!(
            "cd {to} && {set} {make} --dry-run {} </dev/null",
            arguments.join(" ")
        );
        Call { dry_run, makefiles }
    }

    /// The shell that the makefile asks for.
    pub(crate) fn shell(&self, files: &dyn Files) -> String {
        let text = self
            .makefiles
            .iter()
            .find_map(|path| files.read(path))
            .unwrap_or_default();
        let pattern = r"(?m)^[ ]*(?:export[ ]+)?SHELL[ \t]*(?:::?|\?)?=[ \t]*(.*?)[ \t]*(?:#.*)?$";
        let assignment = Regex::new(pattern).expect("the pattern is a constant");
        let value = assignment
            .captures_iter(&text)
            .last()
            .and_then(|c| c.get(1))
            .map(|m| m.as_str());
        match value {
            None | Some("") => "/bin/sh".to_owned(),
            // `$(shell which bash)` and its like: nearly always bash.
            Some(value) if value.contains('$') && value.contains("bash") => "bash".to_owned(),
            Some(value) if value.contains('$') => "/bin/sh".to_owned(),
            Some(value) => value.to_owned(),
        }
    }
}

/// The recipes in what a dry run printed: a line each, with lines that end in a backslash joined as make hands them
/// to the shell.
pub(crate) fn recipes(printed: &str) -> Vec<String> {
    let mut recipes: Vec<String> = Vec::new();
    let mut open = false;
    for line in printed.lines() {
        if open && let Some(last) = recipes.last_mut() {
            last.push('\n');
            last.push_str(line);
        } else {
            recipes.push(line.to_owned());
        }
        open = line.ends_with('\\');
    }
    recipes
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::runners::shell::{Piece, parse};

    struct One(&'static str, &'static str);

    impl Files for One {
        fn read(&self, path: &str) -> Option<String> {
            (path == self.0).then(|| self.1.to_owned())
        }

        fn folders(&self, _: &str) -> Vec<String> {
            Vec::new()
        }
    }

    fn call(text: &str, dir: &str) -> Call {
        let Some(Piece::Simple(simple)) = parse(text).expect("understood").into_iter().next()
        else {
            panic!("{text}")
        };
        Call::read(&simple, 0, dir)
    }

    #[test]
    fn the_makefiles_own_shell_is_found() {
        for (text, shell) in [
            ("all:\n\tpytest\n", "/bin/sh"),
            ("SHELL := /bin/bash\nall:\n", "/bin/bash"),
            (
                "export SHELL=/usr/bin/env bash  # why\n",
                "/usr/bin/env bash",
            ),
            ("SHELL := $(shell which bash)\n", "bash"),
            ("MY_SHELL = x\n", "/bin/sh"),
        ] {
            let text: &'static str = text;
            assert_eq!(
                call("make test", "sub").shell(&One("sub/Makefile", text)),
                shell,
                "{text}"
            );
        }
        assert_eq!(
            call("make -C a -f b.mk", "").shell(&One("a/b.mk", "SHELL=zsh")),
            "zsh"
        );
    }

    #[test]
    fn continued_recipes_are_one_line() {
        assert_eq!(
            recipes("cd a && \\\n  pytest\nnpm test\n"),
            ["cd a && \\\n  pytest", "npm test"]
        );
    }
}
