//! The harness's side of a draft: a proposal is read, judged, held against the person's words, and its checks are run
//! on the base. The best proposal that holds is remembered, whatever the model says next.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use overnight_agent::drafting::{Desk, QUESTIONS_MAX, Reply};
use overnight_core::check::CheckReport;
use overnight_core::goal::diagnostic::{Diagnostic, Severity, refuses};
use overnight_core::goal::lint::Facts;
use overnight_core::goal::{Goal, parse};
use overnight_core::judge::plain;
use overnight_core::stop::ExitCode;
use overnight_engine::{Preflight, Reuse};
use overnight_ports::sandbox::Sandbox;

use super::widening::{self, Known};
use super::{feedback, terminal, words};
use crate::commands::check::{Standing, on_base, standing, table};
use crate::goalfile::{self, Judged};
use crate::lines::clean;

/// How long the checks of one proposal may take together, minutes: whoever has longer ones tries them with
/// `overnight check`.
const PREFLIGHT_MINUTES_MAX: u64 = 30;
/// How often a proposal goes back because a check could not be run: what a machine lacks no model can mend.
const UNKNOWN_SENT_BACK_MAX: u32 = 2;
/// Warnings that say that a check proves nothing, so that they are not a matter of taste.
const WORTHLESS: [&str; 1] = ["cannot-fail"];

/// What is known of a proposal's checks.
pub enum Tried {
    /// They were run on the base.
    Ran(Box<Preflight>),
    /// They were not: why.
    Not(String),
}

/// A proposal that holds.
pub struct Candidate {
    judged: Judged,
    goal: Goal,
    missing: Vec<Diagnostic>,
    tried: Tried,
}

/// The last proposal, if it does not hold.
pub struct Last {
    /// The whole file.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

/// Judges proposals.
pub struct HarnessDesk<'a> {
    words: &'a str,
    folder: &'a Path,
    facts: Facts,
    setup: Option<String>,
    /// Whether checkouts hold files that are withheld from the model.
    secrets: bool,
    sandbox: Option<Arc<dyn Sandbox>>,
    answers: Vec<(String, String)>,
    /// Whether what is a matter of taste has gone back once.
    nudged: bool,
    unknown: u32,
    before: Option<Goal>,
    best: Option<Box<Candidate>>,
    last: Option<Last>,
    count: u32,
}

impl<'a> HarnessDesk<'a> {
    /// A desk for these words. Without a sandbox no check is run.
    pub fn new(
        words: &'a str,
        folder: &'a Path,
        facts: Facts,
        setup: Option<String>,
        secrets: bool,
        sandbox: Option<Arc<dyn Sandbox>>,
    ) -> Self {
        HarnessDesk {
            words,
            folder,
            facts,
            setup,
            secrets,
            sandbox,
            answers: Vec::new(),
            nudged: false,
            unknown: 0,
            before: None,
            best: None,
            last: None,
            count: 0,
        }
    }

    /// What came of it.
    pub fn into_parts(self) -> (Option<Box<Candidate>>, Option<Last>) {
        (self.best, self.last)
    }

    /// The file: the contract, and under it the person's words and nobody else's.
    fn compose(&self, front: &str) -> String {
        let mut text = format!("---\n{front}\n---\n{}\n", self.words);
        if !self.answers.is_empty() {
            text.push_str("\nAsked while the goal was drafted, and answered by the person:\n\n");
        }
        for (question, answer) in &self.answers {
            text.push_str(&format!("- {question}\n  Answer: {answer}\n"));
        }
        text
    }

    /// Everything that the person said. The questions are the model's.
    fn said(&self) -> String {
        let answers = self.answers.iter().map(|(_, answer)| answer.as_str());
        std::iter::once(self.words)
            .chain(answers)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn send_back(&mut self, text: String, brief: &str, why: String) -> Reply {
        self.tell(&format!("proposal {}: {brief}; it goes back", self.count));
        self.last = Some(Last {
            text,
            why: why.clone(),
        });
        Reply::SentBack(why)
    }

    /// What can be told without running anything; the goal if nothing stands against it.
    fn read(&self, judged: &Judged) -> Result<Goal, (String, String)> {
        let text = judged.text();
        if judged.refused() {
            let wrong: Vec<&Diagnostic> = judged
                .found()
                .iter()
                .filter(|finding| finding.severity.refuses())
                .collect();
            let brief = counted(wrong.len(), "error", "errors");
            let why = format!(
                "It cannot be read as a goal.\n{}",
                feedback::findings(text, wrong)
            );
            return Err((brief, why));
        }
        let Ok(parsed) = parse::parse(text) else {
            return Err(("it cannot be read".into(), "It cannot be read.".into()));
        };
        if let Some(line) = hidden_characters(text) {
            return Err((
                "characters that cannot be seen".into(),
                format!(
                    "Line {line} holds characters that cannot be seen on a terminal. Write plain text."
                ),
            ));
        }
        let said = self.said();
        let wide = widening::found(
            &parsed,
            &Known {
                words: &said,
                setup: self.setup.as_deref(),
                in_repository: overnight_workspace::head(self.folder).is_ok(),
            },
        );
        if !wide.is_empty() {
            let brief = format!("it asks for more than your words do ({})", wide.len());
            let why = format!(
                "It asks for what the person's words do not.\n{}",
                wide.iter()
                    .map(|line| format!("- {line}\n"))
                    .collect::<String>()
            );
            return Err((brief, why));
        }
        let worthless: Vec<&Diagnostic> = judged
            .found()
            .iter()
            .filter(|finding| WORTHLESS.contains(&finding.code))
            .collect();
        if !worthless.is_empty() {
            let why = format!(
                "A check proves nothing.\n{}",
                feedback::findings(text, worthless)
            );
            return Err(("a check that cannot fail".into(), why));
        }
        Ok(parsed.goal)
    }

    async fn try_checks(&mut self, goal: &Goal, missing: &[Diagnostic]) -> Tried {
        let Some(sandbox) = self.sandbox.clone() else {
            return Tried::Not("--no-check was said".into());
        };
        if refuses(missing) {
            return Tried::Not("the goal holds what this version cannot run yet".into());
        }
        let setup = match &goal.uses.setup {
            Some(setup) => format!(", after `{}` with the network", clean(setup)),
            None => String::new(),
        };
        self.tell(&format!(
            "proposal {}: running its checks on the base{setup}",
            self.count
        ));
        let each = |report: &CheckReport| {
            eprintln!(
                "    {} … {}",
                clean(report.check.as_str()),
                report.verdict.word()
            );
        };
        let limit = Duration::from_secs(PREFLIGHT_MINUTES_MAX * 60);
        let ran = on_base(goal, self.folder, sandbox, Reuse::Kept, &each);
        match tokio::time::timeout(limit, ran).await {
            Ok(Ok(ran)) => Tried::Ran(Box::new(ran.found)),
            Ok(Err(error)) => Tried::Not(clean(&format!("{error:#}"))),
            Err(_) => Tried::Not(format!(
                "they took longer than {PREFLIGHT_MINUTES_MAX} minutes"
            )),
        }
    }
}

#[async_trait(?Send)]
impl Desk for HarnessDesk<'_> {
    async fn judge(&mut self, front: &str) -> Reply {
        self.count += 1;
        let text = self.compose(front);
        let judged = goalfile::judge_text("the draft".into(), text.clone(), &self.facts);
        let goal = match self.read(&judged) {
            Ok(goal) => goal,
            Err((brief, why)) => return self.send_back(text, &brief, why),
        };
        let missing = judged.missing();
        let same = self.before.as_ref() == Some(&goal);
        self.before = Some(goal.clone());
        let tried = self.try_checks(&goal, &missing).await;
        let private = self.secrets || !goal.uses.files.is_empty();
        let (checks, unknown) = match &tried {
            Tried::Ran(found) => match standing(&goal, found) {
                Standing::Refused => {
                    let why = feedback::preflight(&goal, found, private);
                    return self.send_back(text, "its `done` checks all pass already", why);
                }
                Standing::Unknown => (feedback::preflight(&goal, found, private), true),
                Standing::Sound => (feedback::preflight(&goal, found, private), false),
            },
            Tried::Not(why) => (format!("Its checks were not run: {why}.\n"), false),
        };
        let taste: Vec<&Diagnostic> = judged
            .found()
            .iter()
            .chain(&missing)
            .filter(|finding| finding.severity <= Severity::Warning)
            .collect();
        let advice = feedback::findings(&text, taste.iter().copied());
        let nudge = !self.nudged && !taste.is_empty();
        self.nudged |= nudge;
        self.unknown += u32::from(unknown);
        let goes_back = !same && (nudge || unknown && self.unknown <= UNKNOWN_SENT_BACK_MAX);
        self.best = Some(Box::new(Candidate::new(judged, goal, tried)));
        self.last = None;
        if !goes_back {
            self.tell(&format!("proposal {}: taken", self.count));
            return Reply::Taken;
        }
        let brief = if unknown {
            "a check could not be run"
        } else {
            "it could be better"
        };
        self.tell(&format!(
            "proposal {}: {brief}; it goes back once more",
            self.count
        ));
        let mut why = String::new();
        if !advice.is_empty() {
            why.push_str("It can be read, and this is worth a look:\n");
            why.push_str(&advice);
        }
        why.push_str(&checks);
        why.push_str("Mend it, or propose the same again if it is meant so.");
        Reply::SentBack(why)
    }

    async fn ask(&mut self, question: &str, number: u32) -> Option<String> {
        eprintln!("\nquestion {number} of at most {QUESTIONS_MAX}, from the model:");
        eprintln!("  {}", clean(question));
        let answer = terminal::line("your answer (Enter: none) > ").await;
        if let Some(answer) = &answer {
            self.answers.push((question.to_owned(), answer.clone()));
        }
        answer
    }

    fn tell(&mut self, line: &str) {
        eprintln!("  {}", clean(line));
    }
}

impl Candidate {
    /// A goal file with what is known of it.
    pub fn new(judged: Judged, goal: Goal, tried: Tried) -> Candidate {
        Candidate {
            missing: judged.missing(),
            judged,
            goal,
            tried,
        }
    }

    /// The whole goal file.
    pub fn text(&self) -> &str {
        self.judged.text()
    }

    /// The goal's outcome.
    pub fn outcome(&self) -> &str {
        &self.goal.outcome
    }

    /// Whether this version refuses to run it.
    pub fn cannot_run_yet(&self) -> bool {
        refuses(&self.missing)
    }

    /// 0, or 5 if a check could not be run.
    pub fn exit_code(&self) -> ExitCode {
        match &self.tried {
            Tried::Ran(found) => match standing(&self.goal, found) {
                Standing::Sound => ExitCode::Complete,
                Standing::Unknown => ExitCode::Unverifiable,
                Standing::Refused => ExitCode::Usage,
            },
            Tried::Not(_) => ExitCode::Complete,
        }
    }

    /// The file with a bar before each line, so that what it says cannot be taken for what the harness says.
    pub fn quoted(&self) -> String {
        let lines = plain(self.text());
        lines
            .lines()
            .map(|line| format!("│ {line}\n"))
            .collect::<String>()
    }

    /// What the harness has to say about it: elements, findings, the table of the checks, the hard words.
    pub fn shown(&self, said: &str) -> String {
        let styled = terminal::styled();
        let mut text = if self.cannot_run_yet() {
            format!(
                "\n{}\nit is a goal, and this version cannot run it yet:\n\n{}",
                self.judged.elements(styled),
                self.judged.snippets(&self.missing, styled)
            )
        } else {
            format!(
                "\n{}\n{}",
                self.judged.shown(styled),
                self.judged.snippets(&self.missing, styled)
            )
        };
        match &self.tried {
            Tried::Ran(found) => {
                text.push_str(&format!("\n{}\n", table(&self.goal, found)));
            }
            Tried::Not(why) if self.cannot_run_yet() => {
                text.push_str(&format!("\nnot tried: {why}\n"));
            }
            Tried::Not(why) => text.push_str(&format!(
                "\nnot tried: {why}. `overnight check` runs the checks on the base.\n"
            )),
        }
        let front = parse_front(self.text());
        let hard = words::held_against(said, front);
        if !hard.rules.is_empty() {
            text.push_str(
                "\nrules in your words; see that `done`, `keep` or `use` says each of them:\n",
            );
            for rule in &hard.rules {
                text.push_str(&format!("  - {}\n", clean(rule)));
            }
        }
        if !hard.unsaid.is_empty() {
            text.push_str(&format!(
                "\nin your words and not in the contract, so that nothing enforces it: {}\n",
                clean(&hard.unsaid.join(", "))
            ));
        }
        text
    }
}

/// The front matter of a composed file.
fn parse_front(text: &str) -> &str {
    let rest = text.strip_prefix("---\n").unwrap_or(text);
    rest.split_once("\n---\n").map_or(rest, |(front, _)| front)
}

/// The first line with characters that hide or reorder text.
fn hidden_characters(text: &str) -> Option<usize> {
    let hides = |c: char| {
        c.is_control() && c != '\t'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let front = parse_front(text);
    front
        .lines()
        .position(|line| line.contains(hides))
        .map(|index| index + 2)
}

fn counted(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        n => format!("{n} {many}"),
    }
}
