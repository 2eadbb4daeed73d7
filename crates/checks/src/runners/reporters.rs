//! Adds to each runner's command the reporter that names each test.
//!
//! Runners that stop at the first failure are told to go on: a test that was never run on the base has no standing
//! there, and nobody would notice that it is gone.
//!
//! Every report is a file of its own, made by `mktemp` in the moment in which the runner starts: its name begins with
//! the format that it is read as ([`format_of`]), and an empty one says that a runner started and left no report.

use super::find::Runner;
use super::shell::{Simple, Word};
use super::{EVIDENCE, REPORTS, Tool};
use crate::reports::Format;

/// The reporter for `python -m unittest`.
const UNITTEST: &str = "unittest_runner.py";
/// The reporter for `node --test`.
const NODE: &str = "node_reporter.mjs";

/// The files that the reporters need.
pub(crate) fn tools() -> Vec<Tool> {
    let tool = |name, content: &str| Tool {
        name,
        content: content.to_owned(),
        executable: false,
    };
    vec![
        tool(UNITTEST, include_str!("../../assets/unittest_runner.py")),
        tool(NODE, include_str!("../../assets/node_reporter.mjs")),
    ]
}

/// The format of a report by its file's name; `None` for files that are no reports.
pub(crate) fn format_of(name: &str) -> Option<Format> {
    let (kind, random) = name.split_once('.')?;
    // `junit.Xy12ab.toml` is nextest's configuration.
    if random.contains('.') {
        return None;
    }
    match kind {
        "junit" => Some(Format::Junit),
        "jest" => Some(Format::Jest),
        "mocha" => Some(Format::Mocha),
        "go" => Some(Format::GoTest),
        "libtest" => Some(Format::Libtest),
        "events" => Some(Format::Events),
        _ => None,
    }
}

/// A command substitution that makes the report's file and names it.
fn fresh(kind: &str) -> String {
    format!("$(mktemp \"${EVIDENCE}/{REPORTS}/{kind}.XXXXXX\")")
}

/// The command with its reporter; `at` is the word that [`Runner`] says. `None` if it is to run as it is (it lists
/// tests or shows its version: there is nothing to report).
pub(crate) fn rewrite(simple: &Simple, runner: Runner, at: usize) -> Option<String> {
    let mut command = simple.clone();
    // `exec` would replace the shell that still has to keep the report.
    if command.words.first().is_some_and(|w| w.text() == "exec") && at > 0 {
        command.words.remove(0);
        return rewrite(&command, runner, at - 1);
    }
    let words = &mut command.words;
    match runner {
        Runner::Pytest => {
            append(
                words,
                at,
                [
                    "-o",
                    "junit_family=xunit1",
                    // The last word on `-x` and `--maxfail`, wherever they come from.
                    "--maxfail=0",
                    &format!("\"--junitxml={}\"", fresh("junit")),
                ],
            );
        }
        Runner::Unittest => {
            drop_flags(words, at, &["-f", "--failfast"]);
            words.splice(
                at..at + 2,
                [Word::raw(format!("\"${EVIDENCE}/{UNITTEST}\""))],
            );
        }
        Runner::Jest => {
            strip(words, at, &["--outputFile"]);
            drop_flags(words, at, &["--bail", "-b"]);
            let report = format!("\"--outputFile={}\"", fresh("jest"));
            insert(words, at + 1, ["--no-bail", "--json", &report]);
        }
        Runner::Vitest => {
            strip(words, at, &["--outputFile", "--outputFile.json", "--bail"]);
            let own = words
                .iter()
                .any(|w| w.text() == "--reporter" || w.text().starts_with("--reporter="));
            let report = format!("\"--outputFile.json={}\"", fresh("jest"));
            if !own {
                append(words, at, ["--reporter=default"]);
            }
            append(words, at, ["--bail=0", "--reporter=json", &report]);
        }
        Runner::Mocha => {
            strip(words, at, &["--reporter", "-R"]);
            drop_flags(words, at, &["--bail", "-b"]);
            let report = format!("\"output={}\"", fresh("mocha"));
            let reporter = ["--reporter", "json", "--reporter-option", &report];
            insert(words, at + 1, ["--no-bail"].into_iter().chain(reporter));
        }
        Runner::Node => node(words, at),
        Runner::Cargo => {
            // First what depends on where the word is: the other may take words away before it.
            to_the_end(words, at);
            readable(words);
            return Some(kept(&command, "libtest", "2>&1", true));
        }
        Runner::Go => {
            drop_flags(words, at, &["-failfast", "--failfast"]);
            if !words.iter().any(|w| matches!(w.text(), "-json" | "--json")) {
                insert(words, at + 1, ["-json"]);
            }
            return Some(kept(&command, "go", "", false));
        }
        Runner::Nextest => {
            strip(words, at, &["--max-fail"]);
            drop_flags(words, at, &["--fail-fast", "--ff", "--nff"]);
            to_the_end(words, at);
            insert(
                words,
                at + 1,
                ["--tool-config-file", "\"overnight:$_overnight.toml\""],
            );
            let core = command.core();
            let file = fresh("junit");
            let config = r#"'[profile.default.junit]\npath = "%s"\n' "$_overnight""#;
            let group = format!(
                "{{ _overnight=\"{file}\"; printf {config} > \"$_overnight.toml\"; {core}; }}"
            );
            return Some(command.around(&group));
        }
    }
    Some(command.around(&command.core()))
}

/// Runs a command that reports on its standard output with that going into a file of its own: no other command's
/// output can mix with it. The exit code stays the command's.
fn kept(command: &Simple, kind: &str, also: &str, show: bool) -> String {
    let core = command.core();
    let file = fresh(kind);
    let redirect = format!(">\"$_overnight\" {also}");
    let show = if show { " cat \"$_overnight\";" } else { "" };
    let group = format!(
        "{{ _overnight=\"{file}\"; {core} {} && _status=0 || _status=$?;{show} (exit \"$_status\"); }}",
        redirect.trim_end()
    );
    command.around(&group)
}

/// Adds node's reporter beside those that the command names; without any, the one that it would have had.
fn node(words: &mut Vec<Word>, at: usize) {
    let count = |name: &str| {
        let with_value = format!("{name}=");
        words
            .iter()
            .filter(|w| w.text() == name || w.text().starts_with(&with_value))
            .count()
    };
    let (reporters, destinations) = (
        count("--test-reporter"),
        count("--test-reporter-destination"),
    );
    let mut added = vec![
        format!("\"--test-reporter=${EVIDENCE}/{NODE}\""),
        format!("\"--test-reporter-destination={}\"", fresh("events")),
    ];
    if reporters == 0 {
        added.push("--test-reporter=spec".to_owned());
    }
    // Node pairs reporters and destinations in their order; a single reporter may lack its destination.
    if reporters.max(1) > destinations {
        added.push("--test-reporter-destination=stdout".to_owned());
    }
    insert(words, at + 1, added.iter().map(String::as_str));
}

/// Takes from a `cargo test` what keeps its output from being read: `-q`, before and behind `--`, the terse format,
/// and `--nocapture`, by which the tests' own prints get between the results.
fn readable(words: &mut Vec<Word>) {
    let mut behind_dashes = false;
    let mut at = 0;
    while at < words.len() {
        let text = words[at].text().to_owned();
        behind_dashes |= text == "--";
        let short = text.strip_prefix('-').unwrap_or_default();
        let quiet =
            text == "--quiet" || (short.contains('q') && short.chars().all(|c| "qv".contains(c)));
        if quiet {
            let verbose: String = short.chars().filter(|c| *c == 'v').collect();
            if verbose.is_empty() || text == "--quiet" {
                words.remove(at);
                continue;
            }
            words[at] = Word::raw(format!("-{verbose}"));
        } else if behind_dashes
            && matches!(
                text.as_str(),
                "--format=terse" | "--nocapture" | "--no-capture"
            )
        {
            words.remove(at);
            continue;
        } else if behind_dashes
            && text == "--format"
            && words.get(at + 1).is_some_and(|w| w.text() == "terse")
        {
            words.drain(at..at + 2);
            continue;
        }
        at += 1;
    }
}

/// Has cargo run all test binaries, and nextest all tests, though some fail.
fn to_the_end(words: &mut Vec<Word>, at: usize) {
    const WORD: &str = "--no-fail-fast";
    let own = own(words, at);
    // Where nothing is run there is nothing to go on with, and nextest does not take both.
    let is_there = |name: &str| own.iter().any(|word| word.text() == name);
    if !is_there(WORD) && !is_there("--no-run") {
        insert(words, at + 1, [WORD]);
    }
}

/// A runner's own arguments: those before a `--`.
fn own(words: &[Word], at: usize) -> &[Word] {
    let from = words.get(at + 1..).unwrap_or_default();
    let end = from.iter().position(|word| word.text() == "--");
    &from[..end.unwrap_or(from.len())]
}

/// Takes options out that may have a number as their value.
fn drop_flags(words: &mut Vec<Word>, from: usize, names: &[&str]) {
    let mut at = from + 1;
    while at < words.len() && words[at].text() != "--" {
        let text = words[at].text();
        let (name, _) = text.split_once('=').unwrap_or((text, ""));
        if !names.contains(&name) {
            at += 1;
            continue;
        }
        words.remove(at);
        let is_number = |word: &Word| word.text().parse::<u64>().is_ok();
        if words.get(at).is_some_and(is_number) {
            words.remove(at);
        }
    }
}

/// Puts arguments behind the others, before a `--`.
fn append<'a>(words: &mut Vec<Word>, at: usize, arguments: impl IntoIterator<Item = &'a str>) {
    let end = (at + 1..words.len())
        .find(|i| words[*i].text() == "--")
        .unwrap_or(words.len());
    insert(words, end, arguments);
}

fn insert<'a>(words: &mut Vec<Word>, at: usize, arguments: impl IntoIterator<Item = &'a str>) {
    let arguments: Vec<Word> = arguments.into_iter().map(Word::raw).collect();
    let at = at.min(words.len());
    words.splice(at..at, arguments);
}

/// Takes options and their values out.
fn strip(words: &mut Vec<Word>, from: usize, names: &[&str]) {
    let mut at = from + 1;
    while at < words.len() && words[at].text() != "--" {
        let text = words[at].text();
        if names.contains(&text) {
            let end = (at + 2).min(words.len());
            words.drain(at..end);
        } else if text
            .split_once('=')
            .is_some_and(|(name, _)| names.contains(&name))
        {
            words.remove(at);
        } else {
            at += 1;
        }
    }
}
