//! What is wrong, or could be better, in a goal file: each finding says what, where, and what to write instead.

use std::fmt;

use serde::Serialize;

use super::position::{Lines, Position, Span};
use super::words::shown;

/// Findings of one kind of run that are kept; what is beyond is counted.
pub const DIAGNOSTICS_MAX: usize = 100;

/// How bad a finding is. Worse ones sort first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file says what it says, and it is no goal: nothing may run.
    Refused,
    /// The file does not say anything that can be understood here: nothing may run.
    Error,
    /// It can run; the person should look at it first.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Refused => "refused",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }

    /// Whether nothing may run.
    pub fn refuses(self) -> bool {
        match self {
            Severity::Refused | Severity::Error => true,
            Severity::Warning | Severity::Note => false,
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable name of the rule, for scripts: `unknown-key`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where: the words that are wrong, or the place where something is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Position>,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl fmt::Display for Diagnostic {
    /// One line without the snippet: `3:9: error[unknown-key]: … (help: …)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "{}:{}: ", at.line, at.column)?;
        }
        write!(
            f,
            "{}[{}]: {}",
            self.severity.word(),
            self.code,
            self.message
        )?;
        match &self.suggestion {
            Some(help) => write!(f, " (help: {help})"),
            None => Ok(()),
        }
    }
}

/// Whether any of them says that nothing may run.
pub fn refuses(found: &[Diagnostic]) -> bool {
    found.iter().any(|d| d.severity.refuses())
}

/// Collects findings while a file is read or judged.
#[derive(Debug)]
pub(crate) struct Findings<'l> {
    lines: &'l Lines,
    list: Vec<Diagnostic>,
    dropped: usize,
}

impl<'l> Findings<'l> {
    pub fn new(lines: &'l Lines) -> Self {
        Findings {
            lines,
            list: Vec::new(),
            dropped: 0,
        }
    }

    pub fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        if self.list.len() >= DIAGNOSTICS_MAX {
            self.dropped += 1;
            return;
        }
        let suggestion = suggestion.into();
        self.list.push(Diagnostic {
            code,
            severity,
            message: message.into(),
            at: Some(self.lines.position(span)),
            suggestion: (!suggestion.is_empty()).then_some(suggestion),
        });
    }

    pub fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        self.add(Severity::Error, code, span, message, suggestion);
    }

    pub fn warn(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        self.add(Severity::Warning, code, span, message, suggestion);
    }

    /// The line (from 1) on which `span` starts.
    pub fn line(&self, span: Span) -> usize {
        self.lines.line(span.start)
    }

    pub fn position(&self, span: Span) -> Position {
        self.lines.position(span)
    }

    pub fn has_errors(&self) -> bool {
        refuses(&self.list)
    }

    /// What was found, the worst first, then by place. A last entry counts what was dropped.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|d| (d.severity, d.at));
        if self.dropped > 0 {
            self.list.push(Diagnostic {
                code: "more",
                severity: Severity::Note,
                message: format!("{} further findings are not shown", self.dropped),
                at: None,
                suggestion: Some("mend the first ones and look again".to_owned()),
            });
        }
        self.list
    }
}

/// "unknown key `x`" with the key made safe for a terminal.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", shown(text))
}
