//! What a shell says when it cannot find a program.

use std::sync::LazyLock;

use regex::Regex;

/// How much of the end of an output is looked at, bytes.
const TAIL_BYTES: usize = 16 * 1024;

/// `sh: 1: foo: not found`, `bash: line 1: foo: command not found`, `/bin/sh: foo: not found`,
/// `./run.sh: line 3: foo: command not found`, `sh: 1: ./x.sh: Permission denied`.
static SHELL: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?m)^\S+: (?:line )?(?:\d+: )?([^:\n]+): (?:command not found|not found|Permission denied|No such file or directory|cannot execute[^\n]*)\r?$";
    Regex::new(pattern).expect("the pattern is a constant")
});
/// `env: 'node': No such file or directory`, `zsh: command not found: foo`.
static OTHERS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?m)^(?:(?:/usr/bin/)?env: ['‘`]?([^'’\n:]+)['’]?: (?:No such file or directory|Permission denied)|zsh:(?:\d+:)? command not found: (\S+))\r?$";
    Regex::new(pattern).expect("the pattern is a constant")
});
/// `make: foo: No such file or directory` and `make: *** [Makefile:2: test] Error 127`.
static MAKE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?m)^g?make(?:\[\d+\])?: \*\*\* \[[^\n]*\] Error 12[67]\r?$";
    Regex::new(pattern).expect("the pattern is a constant")
});

/// make's own exit code when a recipe fails.
const MAKE_FAILED: i32 = 2;

/// The program that the shell could not find or start, if that is why the command ended with `code`.
pub(super) fn absent_program(code: i32, output: &[u8]) -> Option<String> {
    let tail = output
        .get(output.len().saturating_sub(TAIL_BYTES)..)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(tail);
    let shell_failed = matches!(code, 126 | 127) || (code == MAKE_FAILED && MAKE.is_match(&text));
    if !shell_failed {
        return None;
    }
    let last = |regex: &Regex| {
        let captures = regex.captures_iter(&text).last()?;
        let program = captures.iter().skip(1).flatten().next()?;
        Some((program.start(), program.as_str().trim().to_owned()))
    };
    // The last word is the shell's that ended.
    let found = [last(&SHELL), last(&OTHERS)]
        .into_iter()
        .flatten()
        .max_by_key(|(at, _)| *at);
    found.map(|(_, program)| program).filter(|p| !p.is_empty())
}

#[cfg(test)]
mod test {
    use super::absent_program;

    #[test]
    fn the_missing_program_is_named() {
        for (text, program) in [
            ("sh: 1: foo: not found\n", "foo"),
            ("/bin/sh: 1: jest: not found", "jest"),
            ("bash: line 1: foo-bar: command not found\n", "foo-bar"),
            ("bash: foo: command not found\n", "foo"),
            ("sh: foo: not found\n", "foo"),
            ("sh: 1: ./x.sh: Permission denied\n", "./x.sh"),
            (
                "bash: line 1: ./x.sh: No such file or directory\n",
                "./x.sh",
            ),
            ("env: ‘node’: No such file or directory\n", "node"),
            (
                "/usr/bin/env: 'python': No such file or directory\n",
                "python",
            ),
            ("zsh:1: command not found: foo\n", "foo"),
            (
                "a warning: x: not found\nsh: 1: foo: not found\nnpm error code 127",
                "foo",
            ),
        ] {
            assert_eq!(
                absent_program(127, text.as_bytes()).as_deref(),
                Some(program),
                "{text}"
            );
        }
        let make = "/bin/sh: 1: nothere: not found\nmake: *** [Makefile:2: test] Error 127\n";
        assert_eq!(
            absent_program(2, make.as_bytes()).as_deref(),
            Some("nothere")
        );
    }

    #[test]
    fn a_plain_failure_is_no_missing_program() {
        assert_eq!(absent_program(1, b"sh: 1: foo: not found\n"), None);
        assert_eq!(absent_program(127, b"my own 127\n"), None);
        assert_eq!(
            absent_program(
                2,
                b"/bin/sh: 1: x: not found\nmake: *** [Makefile:2: test] Error 1\n"
            ),
            None
        );
    }
}
