//! Drafting: a model turns a person's words into a goal file. It may look at the tracked files, ask the person a few
//! questions, and propose; whether a proposal is taken is decided by the [`Desk`], which is the harness.
//!
//! A draft is no run: nothing is executed on the model's word here, nothing is written, and there is no journal. So
//! what would otherwise be `step`'s business (when to try again, when to give up) is done here, within the limits
//! below.

mod files;
mod proposal;
mod tools;
mod words;

use std::path::PathBuf;

use async_trait::async_trait;
use overnight_core::judge::{clip, plain};
use overnight_core::turn::{Call, ModelErrorKind, Usage};
use overnight_ports::clock::Clock;
use overnight_ports::model::{Answer, Entry, Model, ModelError, Request};
use serde::Deserialize;

use crate::tools::arguments;

pub use proposal::front_matter;

/// Answers of the model in one draft.
pub const TURNS_MAX: u64 = 40;
/// Tokens of one draft, input and output together.
pub const TOKENS_MAX: u64 = 1_000_000;
/// Proposals that are judged in one draft.
pub const PROPOSALS_MAX: u32 = 8;
/// Questions to the person in one draft.
pub const QUESTIONS_MAX: u32 = 3;
/// Length of a proposal, bytes.
pub const PROPOSAL_BYTES_MAX: usize = 64 * 1024;
/// Length of a question, bytes; what is beyond is cut.
pub const QUESTION_BYTES_MAX: usize = 600;
/// Calls of one answer that are performed.
const CALLS_MAX: usize = 16;
/// Answers in a row without a tool call.
const SILENT_MAX: u32 = 3;
/// Failed attempts in a row after which the provider is given up.
const ATTEMPTS_MAX: u32 = 6;
/// First wait after a failed attempt, milliseconds; doubled with every failure in a row.
const BACKOFF_FIRST_MS: u64 = 1_000;
/// Longest wait between two attempts, milliseconds: a person may be sitting in front of it.
const BACKOFF_MAX_MS: u64 = 60_000;
/// How much of the results of calls one request holds, bytes; the oldest are left out first.
const RESULTS_BYTES_MAX: usize = 160 * 1024;
/// Below this nothing more can be gained by leaving results out, bytes.
const RESULTS_BYTES_MIN: usize = 4 * 1024;
/// How much of the person's own words may be given, bytes.
pub const WORDS_BYTES_MAX: usize = 64 * 1024;

/// The files that the model may look at.
#[derive(Debug, Clone)]
pub struct Files {
    /// A folder that holds the base's tracked files and nothing else.
    pub dir: PathBuf,
    /// What is in it, sorted, relative to it.
    pub paths: Vec<String>,
    /// How many tracked files were left out because their names say that they hold secrets.
    pub withheld: usize,
}

/// What a draft begins with.
pub struct Task<'a> {
    /// What the person wants, in their words.
    pub words: &'a str,
    /// What the harness found out about the repository by itself, a line each.
    pub found: &'a [String],
    /// The repository, if there is one.
    pub files: Option<&'a Files>,
    /// Whether there is somebody to ask.
    pub may_ask: bool,
}

/// What the harness says to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It is taken, and the draft is over.
    Taken,
    /// It goes back to the model, with what is wrong.
    SentBack(String),
}

/// The harness's side of a draft. One thread: nothing here needs to be shared.
#[async_trait(?Send)]
pub trait Desk {
    /// Judges a proposed front matter.
    async fn judge(&mut self, front: &str) -> Reply;
    /// Asks the person; nothing if there is no answer.
    async fn ask(&mut self, question: &str, number: u32) -> Option<String>;
    /// A line for whoever watches.
    fn tell(&mut self, line: &str);
}

/// How a draft ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// A proposal was taken.
    Taken,
    /// None was taken within the limits: why.
    GaveUp(String),
    /// The model's provider does not answer: what it said.
    Provider(String),
}

/// What a draft used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Answers.
    pub turns: u64,
    /// Tokens, those of failed attempts included.
    pub usage: Usage,
    /// Attempts that failed.
    pub failures: u32,
}

/// Drafts until a proposal is taken or a limit is reached.
pub async fn draft(
    task: &Task<'_>,
    model: &dyn Model,
    clock: &dyn Clock,
    desk: &mut dyn Desk,
    cache_key: &str,
) -> (Ended, Used) {
    let mut drafting = Drafting {
        task,
        model,
        clock,
        desk,
        cache_key,
        entries: vec![Entry::User {
            text: words::first(task),
        }],
        used: Used::default(),
        room: RESULTS_BYTES_MAX,
        proposals: 0,
        questions: 0,
    };
    let ended = drafting.run().await;
    (ended, drafting.used)
}

struct Drafting<'a> {
    task: &'a Task<'a>,
    model: &'a dyn Model,
    clock: &'a dyn Clock,
    desk: &'a mut dyn Desk,
    cache_key: &'a str,
    entries: Vec<Entry>,
    used: Used,
    /// How much of the results of calls a request may hold, bytes.
    room: usize,
    proposals: u32,
    questions: u32,
}

/// Whether to go on.
type Step = Result<(), Ended>;

impl Drafting<'_> {
    async fn run(&mut self) -> Ended {
        let mut silent = 0;
        loop {
            if let Err(ended) = self.within_limits() {
                return ended;
            }
            let answer = match self.answer().await {
                Ok(answer) => answer,
                Err(ended) => return ended,
            };
            self.entries.push(Entry::Answer {
                items: answer.items.clone(),
            });
            silent = if answer.calls.is_empty() {
                silent + 1
            } else {
                0
            };
            let step = if answer.calls.is_empty() {
                self.hear(&answer, silent).await
            } else {
                self.perform(&answer.calls).await
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    fn within_limits(&self) -> Step {
        let gave_up = |why: String| Err(Ended::GaveUp(why));
        if self.used.turns >= TURNS_MAX {
            return gave_up(format!(
                "the model used its {TURNS_MAX} turns without a goal that holds"
            ));
        }
        if self.used.usage.total() >= TOKENS_MAX {
            return gave_up(format!(
                "the model used its {TOKENS_MAX} tokens without a goal that holds"
            ));
        }
        if self.proposals >= PROPOSALS_MAX {
            return gave_up(format!(
                "{PROPOSALS_MAX} proposals were judged, and none was taken"
            ));
        }
        Ok(())
    }

    /// One answer, tried again within limits where that may help.
    async fn answer(&mut self) -> Result<Answer, Ended> {
        let mut failed = 0;
        loop {
            self.entries = words::within(std::mem::take(&mut self.entries), self.room);
            let name = self.model.name();
            let request = Request {
                model: name
                    .split_once('/')
                    .map_or(name, |(_, model)| model)
                    .to_owned(),
                instructions: words::instructions(),
                tools: tools::specs(self.task),
                entries: self.entries.clone(),
                cache_key: self.cache_key.to_owned(),
                turn: self.used.turns + 1,
                item: None,
            };
            match self.model.answer(&request).await {
                Ok(answer) => {
                    self.used.turns += 1;
                    self.used.usage = self.used.usage.plus(&answer.usage);
                    return Ok(answer);
                }
                Err(error) => {
                    failed += 1;
                    self.used.failures += 1;
                    self.used.usage = self.used.usage.plus(&error.usage);
                    self.after(error, failed).await?;
                    self.within_limits()?;
                }
            }
        }
    }

    /// After a failed attempt: wait, shorten, or give up.
    async fn after(&mut self, error: ModelError, failed: u32) -> Step {
        let message = plain(&error.message);
        let wait = match error.kind {
            ModelErrorKind::RateLimited
            | ModelErrorKind::Unavailable
            | ModelErrorKind::Network
            | ModelErrorKind::Cut
            | ModelErrorKind::Malformed => {
                let own = BACKOFF_FIRST_MS << (failed - 1).min(ATTEMPTS_MAX);
                error.retry_after_ms.unwrap_or(own)
            }
            ModelErrorKind::ContextOverflow if self.room > RESULTS_BYTES_MIN => {
                self.room /= 4;
                self.desk
                    .tell("the request is too long for the model: what it read first is left out");
                return Ok(());
            }
            ModelErrorKind::ContextOverflow => {
                return Err(Ended::Provider(format!(
                    "the words and the repository's summary alone are too long for this model: {message}"
                )));
            }
            ModelErrorKind::Refused | ModelErrorKind::ScriptEnded => {
                return Err(Ended::Provider(message));
            }
        };
        if failed >= ATTEMPTS_MAX {
            return Err(Ended::Provider(format!(
                "{failed} attempts failed in a row, the last one with: {message}"
            )));
        }
        if wait > BACKOFF_MAX_MS {
            return Err(Ended::Provider(format!(
                "{message} (it wants {} s of patience; try again then)",
                wait / 1_000
            )));
        }
        let wait = wait.max(BACKOFF_FIRST_MS);
        self.desk.tell(&format!(
            "attempt {} in {} s: {message}",
            failed + 1,
            wait.div_ceil(1_000)
        ));
        self.clock.sleep_until(self.clock.now() + wait).await;
        Ok(())
    }

    /// An answer without a call. Weak models write the goal instead of proposing it.
    async fn hear(&mut self, answer: &Answer, silent: u32) -> Step {
        let text = match proposal::in_words(&answer.text) {
            Some(front) => self.judge(&front).await?,
            None if silent >= SILENT_MAX => {
                return Err(Ended::GaveUp(format!(
                    "the model answered {silent} times in a row without proposing anything"
                )));
            }
            None => "You called no tool. Call `propose_goal` with the whole goal file.".to_owned(),
        };
        self.entries.push(Entry::User { text });
        Ok(())
    }

    /// Performs the calls of one answer; every one of them gets a result.
    async fn perform(&mut self, calls: &[Call]) -> Step {
        for (index, call) in calls.iter().enumerate() {
            let text = if index < CALLS_MAX {
                self.call(call).await?
            } else {
                format!("Not performed: at most {CALLS_MAX} calls of one answer are.")
            };
            self.entries.push(Entry::Result {
                call: call.id.clone(),
                text,
            });
        }
        Ok(())
    }

    async fn call(&mut self, call: &Call) -> Result<String, Ended> {
        #[derive(Deserialize)]
        struct Goal {
            goal: String,
        }
        #[derive(Deserialize)]
        struct Question {
            question: String,
        }
        let said = |outcome: Box<crate::tools::Outcome>| {
            String::from_utf8_lossy(&outcome.output).into_owned()
        };
        match call.name.as_str() {
            "propose_goal" => match arguments::<Goal>(call) {
                Ok(args) => self.propose(&args.goal).await,
                Err(outcome) => Ok(said(outcome)),
            },
            "ask_person" => match arguments::<Question>(call) {
                Ok(args) => Ok(self.ask(&args.question).await),
                Err(outcome) => Ok(said(outcome)),
            },
            _ => {
                self.desk.tell(&crate::tools::line(call));
                Ok(tools::look(call, self.task))
            }
        }
    }

    async fn propose(&mut self, text: &str) -> Result<String, Ended> {
        match front_matter(text) {
            Some(front) => self.judge(&front).await,
            None => {
                self.proposals += 1;
                self.desk
                    .tell("a proposal without a front matter went back");
                Ok("There is no front matter in it: put the contract between two lines `---`, beginning with `outcome:`.".to_owned())
            }
        }
    }

    async fn judge(&mut self, front: &str) -> Result<String, Ended> {
        if self.proposals >= PROPOSALS_MAX {
            return Ok("Not judged: no more proposals are.".to_owned());
        }
        self.proposals += 1;
        if front.len() > PROPOSAL_BYTES_MAX {
            self.desk.tell("a proposal that is too long went back");
            return Ok(format!(
                "It has {} bytes, and a contract may have {PROPOSAL_BYTES_MAX}. Write a short one.",
                front.len()
            ));
        }
        match self.desk.judge(front).await {
            Reply::Taken => Err(Ended::Taken),
            Reply::SentBack(why) if self.proposals + 1 == PROPOSALS_MAX => {
                Ok(format!("{why}\n\nThe next proposal is the last one."))
            }
            Reply::SentBack(why) => Ok(why),
        }
    }

    async fn ask(&mut self, question: &str) -> String {
        if !self.task.may_ask {
            return "There is nobody to ask. Take the narrower reading, and go on.".to_owned();
        }
        if self.questions >= QUESTIONS_MAX {
            return format!(
                "{QUESTIONS_MAX} questions were asked, and no more may be. Take the narrower reading, and go on."
            );
        }
        let question = clip(
            plain(question).replace('\n', " ").trim(),
            QUESTION_BYTES_MAX,
        );
        if question.is_empty() {
            return "The question is empty.".to_owned();
        }
        self.questions += 1;
        match self.desk.ask(&question, self.questions).await {
            Some(answer) => format!("The person answers: {answer}"),
            None => "The person gives no answer. Take the narrower reading, and go on.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
