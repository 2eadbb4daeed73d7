//! The documents are held against the program: what they name exists, and what exists is named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use overnight_core::goal::diagnostic::refuses;
use overnight_core::goal::lint::{Facts, lint, unsupported};
use overnight_core::goal::parse::{Parsed, TOP_KEYS, parse};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    let path = root().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The documents that are read by people, by name.
fn pages() -> Vec<(String, String)> {
    let mut names: Vec<String> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"]
        .map(str::to_owned)
        .to_vec();
    for entry in std::fs::read_dir(root().join("docs")).expect("docs is there") {
        let name = entry.expect("an entry").file_name();
        names.push(format!("docs/{}", name.to_string_lossy()));
    }
    names.sort();
    names
        .into_iter()
        .filter(|name| name.ends_with(".md"))
        .map(|name| {
            let text = page(&name);
            (name, text)
        })
        .collect()
}

fn overnight(args: &[&str]) -> Output {
    // No command that is asked for its help looks at anything; a folder that is not there makes sure of it.
    Command::new(env!("CARGO_BIN_EXE_overnight"))
        .args(args)
        .env("OVERNIGHT_HOME", "/nonexistent/overnight-home")
        .output()
        .expect("the binary runs")
}

/// The short help, in which every option has a line.
fn help(args: &[&str]) -> String {
    let mut all = args.to_vec();
    all.push("-h");
    let output = overnight(&all);
    assert!(
        output.status.success(),
        "overnight {}: {}",
        all.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("help is text")
}

/// The lines of a help's section, without their indentation.
fn section<'a>(help: &'a str, title: &str) -> Vec<&'a str> {
    help.lines()
        .skip_while(|line| *line != title)
        .skip(1)
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect()
}

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = help(&[]);
    let commands: Vec<String> = section(&help, "Commands:")
        .iter()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    commands
}

/// The options that some text names, long and short.
fn options(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| {
            let bare = word.trim_start_matches('-');
            let dashes = word.len() - bare.len();
            let begins = bare.starts_with(|c: char| c.is_ascii_alphabetic());
            begins && (dashes == 2 || (dashes == 1 && bare.len() == 1))
        })
        .map(str::to_owned)
        .collect()
}

/// What stands below a heading of the third level, up to the next heading.
fn below<'a>(page: &'a str, heading: &str) -> Option<&'a str> {
    let start = page
        .match_indices(heading)
        .find(|(at, _)| page[at + heading.len()..].starts_with([' ', '`']))?
        .0;
    let rest = &page[start + heading.len()..];
    Some(rest.find("\n#").map_or(rest, |end| &rest[..end]))
}

#[test]
fn every_command_and_option_of_the_help_is_in_the_reference_and_no_other() {
    let reference = page("docs/cli.md");
    for command in commands() {
        let heading = format!("### `overnight {command}");
        let text = below(&reference, &heading)
            .unwrap_or_else(|| panic!("docs/cli.md has no section {heading}`"));
        let help = help(&[&command]);
        let mut wanted = BTreeSet::new();
        for line in section(&help, "Options:") {
            // The rest of the line tells what the option does, and may name others.
            let names = line.split("  ").next().unwrap_or_default();
            wanted.extend(options(names));
        }
        wanted.remove("-h");
        wanted.remove("--help");
        let rows: Vec<&str> = text.lines().filter(|l| l.starts_with("| `-")).collect();
        let named: BTreeSet<String> = rows
            .iter()
            .flat_map(|row| options(row.split('|').nth(1).unwrap_or_default()))
            .collect();
        assert_eq!(named, wanted, "the options of `overnight {command}`");
        for line in section(&help, "Arguments:") {
            let name: String = line
                .chars()
                .filter(char::is_ascii_uppercase)
                .take(4)
                .collect();
            let title = text.lines().next().unwrap_or_default();
            let first = name.get(..3).unwrap_or(&name);
            assert!(title.contains(first), "{heading}: {title} names no {line}");
        }
    }
    for option in ["-h", "--help", "-V", "--version"] {
        assert!(reference.contains(&format!("`{option}`")), "{option}");
    }
}

#[test]
fn the_exit_codes_are_the_same_everywhere() {
    let help = help(&[]);
    let line = help
        .lines()
        .find_map(|line| line.strip_prefix("Exit codes: "))
        .expect("the help tells the exit codes");
    let told: Vec<(&str, &str)> = line
        .split(" · ")
        .filter_map(|code| code.split_once(' '))
        .collect();
    assert_eq!(told.len(), 7, "{line}");
    for (name, table) in [
        ("README.md", page("README.md")),
        ("docs/cli.md", page("docs/cli.md")),
    ] {
        for (code, meaning) in &told {
            let row = table
                .lines()
                .find(|row| row.starts_with(&format!("| {code} | ")))
                .unwrap_or_else(|| panic!("{name} has no row for {code}"));
            let first = meaning.split_whitespace().next().unwrap_or_default();
            let row = row.to_lowercase().replace('_', " ");
            assert!(row.contains(first), "{name}: {code} is {meaning}: {row}");
        }
    }
}

/// The fenced blocks of a page: the word after the fence, and the text.
fn fences(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(word)) => open = Some((word.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some((_, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is never closed");
    found
}

/// The words of a command line with plain double quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in line.split('"').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The arguments of `overnight` that a line of a shell types, if it does.
fn typed(line: &str) -> Option<Vec<String>> {
    let line = line.split(" #").next().unwrap_or(line);
    let words = words(line);
    let at = words.iter().position(|w| !w.contains('='))?;
    (words[at] == "overnight").then(|| words[at + 1..].to_vec())
}

#[test]
fn every_line_that_a_document_types_is_understood_by_the_program() {
    let mut seen = BTreeMap::new();
    for (name, text) in pages() {
        let fenced = fences(&text);
        let lines = fenced
            .iter()
            .filter(|(word, _)| word == "sh")
            .flat_map(|(_, text)| text.lines().map(str::to_owned));
        // Outside of fences a line is typed in backticks; headings and `…`, `<`, `[` stand for something.
        let inline = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .flat_map(|line| line.split('`').skip(1).step_by(2))
            .filter(|code| !code.contains(['…', '<', '[', '→']) && !code.contains("COMMAND"))
            .map(str::to_owned);
        for line in lines.chain(inline) {
            let Some(args) = typed(&line).filter(|args| !args.is_empty()) else {
                continue;
            };
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            if args.first() != Some(&"help") {
                help(&args);
            }
            *seen.entry(name.clone()).or_insert(0) += 1;
        }
    }
    for (name, least) in [("README.md", 10), ("docs/scripted.md", 1)] {
        let count = seen.get(name).copied().unwrap_or(0);
        assert!(count >= least, "{name} types {count} lines");
    }
}

/// The goal files that a page shows.
fn goals(page: &str) -> Vec<String> {
    fences(page)
        .into_iter()
        .filter(|(word, text)| word == "yaml" && text.starts_with("---\n"))
        .map(|(_, text)| text)
        .collect()
}

fn understood(name: &str, text: &str) -> Parsed {
    let parsed = match parse(text) {
        Ok(parsed) => parsed,
        Err(found) => panic!("{name}: {}\n{text}", found[0]),
    };
    let found = lint(&parsed, &Facts::default());
    assert!(!refuses(&found), "{name}: {found:#?}");
    parsed
}

#[test]
fn every_goal_of_the_documents_is_understood_and_the_readmes_can_run() {
    let mut count = 0;
    for (name, text) in pages() {
        for goal in goals(&text) {
            let parsed = understood(&name, &goal);
            count += 1;
            if name == "README.md" {
                let missing = unsupported(&parsed);
                assert!(!refuses(&missing), "{name}: {missing:#?}");
                let found = lint(&parsed, &Facts::default());
                assert!(found.is_empty(), "a model to learn from: {found:#?}");
            }
        }
    }
    assert!(count >= 5, "{count} goals");
    assert!(!goals(&page("README.md")).is_empty());
}

#[test]
fn every_key_of_a_goal_is_in_its_reference() {
    let reference = page("docs/goal-file.md");
    for key in TOP_KEYS {
        let row = format!("| `{key}` |");
        assert!(reference.contains(&row), "docs/goal-file.md has no {row}");
    }
}

#[test]
fn every_format_and_value_of_a_metric_is_understood_as_the_reference_says() {
    let reference = page("docs/goal-file.md");
    let mut last: Vec<String> = Vec::new();
    let mut count = 0;
    let rows = reference
        .lines()
        .skip_while(|line| *line != "| format | what | values |")
        .take_while(|line| line.starts_with('|'))
        .filter(|line| line.starts_with("| `"));
    for row in rows {
        let cells: Vec<&str> = row.split('|').collect();
        let format = code(cells[1])[0];
        let values: Vec<String> = match (format, cells[3].trim()) {
            ("json", _) => vec!["/total/lines".to_owned()],
            ("regex", _) => vec!["'([0-9]+)%'".to_owned()],
            (_, "the same") => last.clone(),
            (_, cell) => code(cell.split(" (").next().unwrap_or_default())
                .into_iter()
                .map(str::to_owned)
                .collect(),
        };
        for value in &values {
            let read = format!("{{format: {format}, file: x, value: {value}}}");
            let check = format!("{{metric: measure, read: {read}, at_least: 80}}");
            understood(
                &format!("docs/goal-file.md: {format} {value}"),
                &format!("---\noutcome: It is covered.\ndone: [{check}]\n---\nBrief.\n"),
            );
            count += 1;
        }
        last = values;
    }
    assert!(count > 20, "{count} pairs of format and value");
}

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}

/// The members: name, and the names of what each depends on, of the kinds that are asked for.
fn dependencies(kinds: &[Option<&str>]) -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let text = |value: &Value| value.as_str().expect("a name").to_owned();
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies");
            let wanted = all
                .iter()
                .filter(|d| kinds.contains(&d["kind"].as_str()))
                .map(|d| text(&d["name"]));
            (text(&package["name"]), wanted.collect())
        })
        .collect()
}

/// What stands in backticks in a cell of a table.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_edges_between_crates_are_those_of_the_architecture_and_every_folder_is_named() {
    let page = page("ARCHITECTURE.md");
    let table = page
        .split("<!-- edges: begin -->")
        .nth(1)
        .and_then(|rest| rest.split("<!-- edges: end -->").next())
        .expect("the table is marked");
    let mut told = BTreeMap::new();
    let mut folders = BTreeSet::new();
    for row in table.lines().filter(|row| row.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = code(cells[1])[0].to_owned();
        folders.insert(code(cells[2])[0].to_owned());
        let edges: BTreeSet<String> = code(cells[3]).into_iter().map(str::to_owned).collect();
        told.insert(name, edges);
    }
    let all = dependencies(&[None]);
    let members: BTreeSet<String> = all.keys().cloned().collect();
    let edges: BTreeMap<String, BTreeSet<String>> = all
        .into_iter()
        .map(|(name, on)| (name, on.intersection(&members).cloned().collect()))
        .collect();
    assert_eq!(told, edges, "ARCHITECTURE.md and cargo metadata");

    let entries = std::fs::read_dir(root().join("crates")).expect("crates is there");
    let there: BTreeSet<String> = entries
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| format!("crates/{}", entry.file_name().to_string_lossy()))
        .collect();
    assert_eq!(folders, there, "the folders in ARCHITECTURE.md");
}

#[test]
fn every_dependency_has_its_reason_and_no_reason_is_left_over() {
    let all = dependencies(&[None, Some("dev"), Some("build")]);
    let used: BTreeSet<String> = all
        .values()
        .flatten()
        .filter(|name| !all.contains_key(*name))
        .cloned()
        .collect();
    let page = page("docs/crates.md");
    let rows = page
        .lines()
        .filter(|row| row.starts_with("| ") && !row.starts_with("| crate "));
    let told: BTreeSet<String> = rows
        .flat_map(|row| row.split('|').nth(1).unwrap_or_default().split(','))
        .filter_map(|name| name.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    assert_eq!(told, used, "docs/crates.md and cargo metadata");
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut count = 0;
    for (name, text) in pages() {
        let folder = root().join(&name);
        let folder = folder.parent().expect("a folder");
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            count += 1;
            assert!(folder.join(target).exists(), "{name} links to {target}");
        }
    }
    assert!(count > 5, "{count} links");
}

/// Written before the rule, and never longer than it was.
const OLDER: &str = "docs/scripted.md";

#[test]
fn no_page_says_two_sentences_on_one_line() {
    for (name, text) in pages().into_iter().filter(|(name, _)| name != OLDER) {
        // Items of lists, rows and quotations are paragraphs of their own.
        let prose = text
            .split("```")
            .step_by(2)
            .flat_map(str::lines)
            .filter(|line| {
                !line.starts_with([
                    '|', '-', '>', '#', ' ', '1', '2', '3', '4', '5', '6', '7', '8', '9',
                ])
            });
        for line in prose {
            let ends = line.match_indices(". ").filter(|(at, _)| {
                let next = line[at + 2..].chars().next();
                let abbreviated = line[..*at].ends_with("e.g") || line[..*at].ends_with("i.e");
                next.is_some_and(char::is_uppercase) && !abbreviated
            });
            assert_eq!(ends.count(), 0, "{name}: one sentence a line: {line}");
        }
    }
}
