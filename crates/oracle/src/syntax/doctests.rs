//! Examples in documentation that are run as tests: Rust's code blocks, Python's `>>>`.

use std::ops::Range;

use super::Language;
use super::form::docstring_node;
use super::parse::{Node, Source};

/// One of them.
pub(super) struct Doctest {
    /// What it documents, from the outside in.
    pub name: Vec<String>,
    /// Where it begins.
    pub line: u32,
    /// The examples, without what a formatter may change.
    pub text: String,
    /// The words that keep it from being run.
    pub skipped: Option<(u32, String)>,
    /// Where the whole documentation is that it is part of.
    pub documentation: Range<usize>,
    /// Where it says which kind of block it is (Rust), in bytes.
    pub fence: Option<Range<usize>>,
}

impl Doctest {
    /// Whether `new` is still this: the same code block, or the same examples and perhaps more after them.
    pub fn kept_by(&self, new: &Doctest, language: Language) -> bool {
        new.text == self.text
            || language == Language::Python && new.text.starts_with(&format!("{}\n", self.text))
    }
}

/// The doctests of a file.
pub(super) fn all<'a>(source: &'a Source<'a>) -> Vec<Doctest> {
    match source.language {
        Language::Rust => in_rust(source),
        Language::Python => in_python(source),
        _ => Vec::new(),
    }
}

/// The names of what a node is in.
fn path_to(node: Node<'_>) -> Vec<String> {
    let mut names: Vec<String> = node
        .ancestors()
        .filter_map(|outer| {
            let name = match outer.kind() {
                "impl_item" => outer.field_text("type"),
                "mod_item"
                | "trait_item"
                | "struct_item"
                | "enum_item"
                | "function_definition"
                | "class_definition" => outer.field_text("name"),
                _ => return None,
            };
            Some(name.to_string())
        })
        .collect();
    names.reverse();
    names
}

fn in_python<'a>(source: &'a Source<'a>) -> Vec<Doctest> {
    source
        .all()
        .filter_map(|statement| {
            let string = docstring_node(statement)?;
            let text = examples(string.text());
            if text.is_empty() {
                return None;
            }
            let skip = string
                .text()
                .lines()
                .position(|line| line.contains("doctest:") && line.contains("+SKIP"));
            Some(Doctest {
                name: match path_to(statement) {
                    path if path.is_empty() => vec!["module".to_string()],
                    path => path,
                },
                line: string.line(),
                text,
                skipped: skip.map(|at| {
                    (
                        string.line() + u32::try_from(at).unwrap_or(0),
                        "doctest: +SKIP".to_string(),
                    )
                }),
                documentation: string.start()..string.end(),
                fence: None,
            })
        })
        .collect()
}

/// The examples of a docstring: what is typed and what it prints, without the prose between them.
pub(super) fn examples(text: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut within = false;
    for line in text.lines().map(str::trim) {
        let line = line
            .trim_start_matches(['r', 'R', 'u'])
            .trim_start_matches("\"\"\"")
            .trim_start_matches("'''");
        if line.starts_with(">>>") {
            within = true;
        } else if line.is_empty() {
            within = false;
        }
        if within {
            let line = line
                .trim_end_matches("\"\"\"")
                .trim_end_matches("'''")
                .trim_end();
            if !line.is_empty() {
                out.push(line);
            }
        }
    }
    out.join("\n")
}

fn documenting(node: Node<'_>) -> bool {
    node.is(&["line_comment", "block_comment"])
        && node
            .children()
            .any(|child| matches!(child.field_name(), "outer" | "inner"))
}

fn inner_documentation(node: Node<'_>) -> bool {
    node.children().any(|child| child.field_name() == "inner")
}

fn in_rust<'a>(source: &'a Source<'a>) -> Vec<Doctest> {
    let mut found = Vec::new();
    let mut run: Vec<Node<'a>> = Vec::new();
    for parent in source
        .all()
        .filter(|node| !node.leaf() && !documenting(*node))
    {
        let mut last = None;
        for child in parent.children() {
            if documenting(child) {
                // What documents the file and what documents the next item may follow each other.
                let other_kind =
                    |one: &Node<'_>| inner_documentation(*one) != inner_documentation(child);
                if run.first().is_some_and(other_kind) {
                    blocks(&std::mem::take(&mut run), parent, None, &mut found);
                }
                run.push(child);
                last = Some(child);
                continue;
            }
            if child.is(&["line_comment", "block_comment"]) {
                continue;
            }
            if child.kind() == "attribute_item" {
                if super::rust::attribute_path(child) == "doc"
                    && (child.text().contains("```") || child.text().contains("include_str"))
                {
                    found.push(attribute(child));
                }
                continue;
            }
            if !run.is_empty() {
                blocks(&std::mem::take(&mut run), parent, Some(child), &mut found);
            }
        }
        if last.is_some() && !run.is_empty() {
            blocks(&std::mem::take(&mut run), parent, None, &mut found);
        }
    }
    found.sort_by_key(|doctest| doctest.line);
    found
}

fn attribute(node: Node<'_>) -> Doctest {
    Doctest {
        name: path_to(node),
        line: node.line(),
        text: node.text().split_whitespace().collect(),
        skipped: None,
        documentation: node.start()..node.end(),
        fence: None,
    }
}

/// Words of a code block's head that leave it Rust.
fn rust_words(info: &str) -> bool {
    info.split([',', ' ', '{', '}'])
        .filter(|word| !word.is_empty())
        .all(|word| {
            matches!(
                word,
                "rust"
                    | "should_panic"
                    | "no_run"
                    | "compile_fail"
                    | "test_harness"
                    | "standalone"
                    | "standalone_crate"
            ) || word.starts_with("ignore")
                || word.starts_with("edition")
                || word.starts_with('E') && word[1..].chars().all(|c| c.is_ascii_digit())
        })
}

/// The code blocks of consecutive documentation comments.
fn blocks(run: &[Node<'_>], parent: Node<'_>, owner: Option<Node<'_>>, found: &mut Vec<Doctest>) {
    let inner = inner_documentation(run[0]);
    let mut name = path_to(run[0]);
    if let Some(owner) = owner.filter(|_| !inner) {
        let own = match owner.kind() {
            "impl_item" => owner.field_text("type"),
            _ => owner.field_text("name"),
        };
        name.push(own.to_string());
    } else if parent.kind() == "source_file" {
        name.push("crate".to_string());
    }
    let documentation = run[0].start()..run[run.len() - 1].end();
    // Lines with their place in the file.
    let mut lines: Vec<(usize, u32, &str)> = Vec::new();
    for comment in run {
        let text = comment.text();
        let mut at = comment.start();
        for (number, raw) in text.split_inclusive('\n').enumerate() {
            let mut line = raw.trim_end();
            let before = raw.len() - raw.trim_start().len();
            let mut skip = before;
            line = line.get(before..).unwrap_or_default();
            for marker in ["///", "//!", "/**", "/*!", "*/", "*"] {
                if let Some(rest) = line.strip_prefix(marker) {
                    skip += line.len() - rest.len();
                    line = rest;
                    break;
                }
            }
            if let Some(rest) = line.strip_prefix(' ') {
                skip += 1;
                line = rest;
            }
            let number = u32::try_from(number).unwrap_or(0);
            lines.push((at + skip, comment.line() + number, line));
            at += raw.len();
        }
    }
    let mut at = 0;
    let mut blank = true;
    while at < lines.len() {
        let (place, line, text) = lines[at];
        let trimmed = text.trim_start();
        let ticks = ["```", "~~~"]
            .into_iter()
            .find(|ticks| trimmed.starts_with(ticks));
        if let Some(ticks) = ticks {
            let mark: String = trimmed
                .chars()
                .take_while(|c| ticks.starts_with(*c))
                .collect();
            let info = trimmed[mark.len()..].trim();
            let end = (at + 1..lines.len())
                .find(|next| lines[*next].2.trim_start().starts_with(&mark))
                .unwrap_or(lines.len());
            if rust_words(info) {
                let code: Vec<&str> = lines[at + 1..end]
                    .iter()
                    .map(|(_, _, text)| text.trim_end())
                    .collect();
                let word = info.split([',', ' ']).find(|word| {
                    word.starts_with("ignore") || matches!(*word, "no_run" | "compile_fail")
                });
                let indent = text.len() - trimmed.len();
                let start = place + indent + mark.len();
                found.push(Doctest {
                    name: name.clone(),
                    line,
                    text: format!("{info}\n{}", code.join("\n")),
                    skipped: word.map(|word| (line, word.to_string())),
                    documentation: documentation.clone(),
                    fence: Some(start..start + trimmed[mark.len()..].len()),
                });
            }
            at = end + 1;
            blank = true;
            continue;
        }
        if blank && text.starts_with("    ") && !trimmed.is_empty() {
            let end = (at..lines.len())
                .find(|next| {
                    !lines[*next].2.starts_with("    ") && !lines[*next].2.trim().is_empty()
                })
                .unwrap_or(lines.len());
            let code: Vec<&str> = lines[at..end]
                .iter()
                .map(|(_, _, text)| text.trim())
                .collect();
            found.push(Doctest {
                name: name.clone(),
                line,
                text: format!("\n{}", code.join("\n").trim_end()),
                skipped: None,
                documentation: documentation.clone(),
                fence: None,
            });
            at = end;
            blank = false;
            continue;
        }
        blank = trimmed.is_empty();
        at += 1;
    }
}
