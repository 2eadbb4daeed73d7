//! Goal files: read, judged, and shown with what is wrong where.

use std::io::{IsTerminal, Read};
use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anyhow::Context;
use overnight_core::goal::diagnostic::{Diagnostic, Severity, refuses};
use overnight_core::goal::lint::{Element, Facts, lint, summary, unsupported};
use overnight_core::goal::parse::{self, Parsed};
use overnight_core::goal::{GOAL_BYTES_MAX, Goal};
use serde_json::{Value, json};

use crate::problem::usage;

/// A goal that may run.
pub struct Loaded {
    pub goal: Goal,
    /// The whole file.
    pub text: String,
    /// The file's name without its ending.
    pub name: String,
}

/// A goal file with everything that is to be said about it.
pub struct Judged {
    path: String,
    text: String,
    found: Vec<Diagnostic>,
    elements: Vec<Element>,
    goal: Option<Goal>,
}

/// Reads and judges a goal file. An error only if it cannot be read at all.
pub fn judge(path: &Path) -> anyhow::Result<Judged> {
    let bytes = read(path)
        .with_context(|| path.display().to_string())
        .map_err(|e| usage(format!("{e:#}")))?;
    let shown = path.display().to_string();
    let text = match parse::decode(&bytes) {
        Ok(text) => text.to_owned(),
        Err(found) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return Ok(Judged {
                path: shown,
                text,
                found,
                elements: Vec::new(),
                goal: None,
            });
        }
    };
    // The files of the repository, where there is one, so that a pattern that matches nothing yet is noticed.
    let paths = std::env::current_dir()
        .ok()
        .and_then(|dir| overnight_workspace::tracked(&dir).ok());
    Ok(judge_text(shown, text, &Facts { paths }))
}

/// Reads a regular file, at most one byte more than a goal may have.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(GOAL_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Judges the text of a goal file that is called `path` in what is said about it.
pub fn judge_text(path: String, text: String, facts: &Facts) -> Judged {
    match parse::parse(&text) {
        Ok(parsed) => {
            let found = lint(&parsed, facts);
            let elements = summary(&parsed.goal);
            Judged {
                path,
                text,
                found,
                elements,
                goal: Some(parsed.goal),
            }
        }
        Err(found) => Judged {
            path,
            text,
            found,
            elements: Vec::new(),
            goal: None,
        },
    }
}

impl Judged {
    /// Whether nothing may run.
    pub fn refused(&self) -> bool {
        refuses(&self.found)
    }

    /// Findings and elements for programs.
    pub fn json(&self) -> Value {
        json!({"file": self.path, "refused": self.refused(), "findings": self.found, "elements": self.elements})
    }

    /// The goal, if it was understood.
    pub fn goal(&self) -> Option<&Goal> {
        self.goal.as_ref()
    }

    /// The whole file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What was found, the worst first.
    pub fn found(&self) -> &[Diagnostic] {
        &self.found
    }

    /// What this version cannot run yet; nothing if the file was not understood.
    pub fn missing(&self) -> Vec<Diagnostic> {
        parse::parse(&self.text).map_or_else(|_| Vec::new(), |parsed| unsupported(&parsed))
    }

    /// Findings and elements for people.
    pub fn print(&self) {
        let styled = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        say!("{}", self.shown(styled));
    }

    /// The elements, the findings and the conclusion, as people read them.
    pub fn shown(&self, styled: bool) -> String {
        format!("{}\n{}", self.elements(styled), self.conclusion())
    }

    /// The elements and the findings.
    pub fn elements(&self, styled: bool) -> String {
        let mut text = String::new();
        for line in &self.elements {
            let says = match &line.default {
                Some(default) => format!("– {default}"),
                None => line.says.clone(),
            };
            text.push_str(&format!(
                "{:<8} {}\n",
                line.name,
                crate::lines::clean(&says)
            ));
        }
        if !self.elements.is_empty() && !self.found.is_empty() {
            text.push('\n');
        }
        text.push_str(&self.snippets(&self.found, styled));
        text
    }

    /// Whether it can run, in a few words.
    fn conclusion(&self) -> String {
        let warnings = self
            .found
            .iter()
            .filter(|d| d.severity == Severity::Warning)
            .count();
        if self.refused() {
            "refused: this cannot run until it is mended".to_owned()
        } else if warnings > 0 {
            format!("it can run; {warnings} warnings")
        } else {
            "it can run".to_owned()
        }
    }

    /// Findings with the lines that they are about.
    pub fn snippets(&self, found: &[Diagnostic], styled: bool) -> String {
        let renderer = if styled {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let renderer = renderer.decor_style(DecorStyle::Unicode);
        found
            .iter()
            .map(|finding| format!("{}\n\n", render(&renderer, &self.path, &self.text, finding)))
            .collect()
    }
}

fn render(renderer: &Renderer, path: &str, text: &str, finding: &Diagnostic) -> String {
    let level = match finding.severity {
        Severity::Refused | Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let message = overnight_core::judge::plain(&finding.message);
    let mut group = Group::with_title(level.primary_title(message).id(finding.code));
    if let Some(at) = finding.at {
        let mut span = at.span();
        span.end = span.end.min(text.len());
        span.start = span.start.min(span.end);
        if text.is_char_boundary(span.start) && text.is_char_boundary(span.end) {
            group = group.element(
                Snippet::source(text)
                    .path(path)
                    .annotation(AnnotationKind::Primary.span(span)),
            );
        }
    }
    if let Some(help) = &finding.suggestion {
        group = group.element(Level::HELP.message(overnight_core::judge::plain(help)));
    }
    renderer.render(&[group])
}

/// A goal that may run, or the reason why not, told.
pub fn load(path: &Path) -> anyhow::Result<Loaded> {
    let judged = judge(path)?;
    if judged.refused() {
        print_errors(&judged);
        return Err(usage(format!("{} is refused", judged.path)));
    }
    let name = path
        .file_stem()
        .map_or_else(|| "goal".into(), |n| n.to_string_lossy().into_owned());
    let Judged {
        text, goal, path, ..
    } = judged;
    let mut goal = goal.context("a goal that is not refused was understood")?;
    refuse_unsupported(&path, &text)?;
    let folder = Path::new(&path).parent().map(Path::to_owned);
    name_hidden(&mut goal, &folder.unwrap_or_default())?;
    Ok(Loaded { goal, text, name })
}

fn print_errors(judged: &Judged) {
    let worst: Vec<Diagnostic> = judged
        .found
        .iter()
        .filter(|d| d.severity.refuses())
        .cloned()
        .collect();
    let renderer = Renderer::plain().decor_style(DecorStyle::Unicode);
    for finding in &worst {
        eprintln!(
            "{}\n",
            render(&renderer, &judged.path, &judged.text, finding)
        );
    }
}

/// What the file says and this version cannot do yet is said plainly, before anything runs.
fn refuse_unsupported(path: &str, text: &str) -> anyhow::Result<()> {
    let Ok(parsed) = parse::parse(text) else {
        return Ok(());
    };
    let found: Vec<Diagnostic> = unsupported(&parsed)
        .into_iter()
        .filter(|d| d.severity.refuses())
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let renderer = Renderer::plain().decor_style(DecorStyle::Unicode);
    for finding in &found {
        eprintln!("{}\n", render(&renderer, path, text, finding));
    }
    Err(usage(format!(
        "{path} asks for something that this version cannot do yet"
    )))
}

/// Gives hidden files their whole names: from here on it does not matter where the goal file was.
fn name_hidden(goal: &mut Goal, folder: &Path) -> anyhow::Result<()> {
    for hidden in goal.checks_mut().filter_map(|check| check.hidden.as_mut()) {
        let named = match hidden.strip_prefix("~/") {
            Some(rest) => std::env::home_dir()
                .context("`hidden` begins with `~/`, and there is no home directory: set HOME")?
                .join(rest),
            None => std::path::absolute(folder.join(&*hidden))?,
        };
        // Without links and `..` on the way, but with its own name: a single file is laid under it.
        let whole = match (named.parent(), named.file_name()) {
            (Some(parent), Some(name)) => parent.canonicalize().map(|p| p.join(name)),
            _ => named.canonicalize(),
        };
        let whole = whole.unwrap_or(named).into_os_string().into_string();
        *hidden = whole.map_err(|name| {
            usage(format!(
                "hidden: {}: a path that is not UTF-8 cannot be used",
                name.display()
            ))
        })?;
    }
    Ok(())
}

/// The goal of a run's own text, with its hidden files where they were when the run began.
pub fn again(text: &str, begun: &Goal) -> anyhow::Result<Goal> {
    let mut goal = parse(text)?;
    for check in goal.checks_mut().filter(|check| check.hidden.is_some()) {
        let named = begun.check(&check.id).and_then(|c| c.hidden.clone());
        check.hidden = named.or(check.hidden.take());
    }
    Ok(goal)
}

/// A goal from its text: a bundled one.
pub fn loaded(name: &str, text: &str) -> anyhow::Result<Loaded> {
    Ok(Loaded {
        goal: parse(text)?,
        text: text.to_owned(),
        name: name.to_owned(),
    })
}

/// The goal of a text that was accepted once: the journal's.
pub fn parse(text: &str) -> anyhow::Result<Goal> {
    let parsed: Parsed = parse::parse(text).map_err(|found| {
        let first = found
            .iter()
            .find(|d| d.severity.refuses())
            .map(ToString::to_string);
        usage(first.unwrap_or_else(|| "it cannot be read".into()))
    })?;
    Ok(parsed.goal)
}
