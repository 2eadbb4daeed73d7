//! Plants faults in the implementation, one at a time, and sees whether the tests notice.
//!
//! All of it happens in one checkout and one cell: a fault is written over its file, the tests run as they do for a
//! `tests` check, and the file is put back. In between the unchanged code is tried again and again: a test that fails
//! there too, now and then or from some run on, notices nothing. What is tried as unchanged differs from the candidate by
//! a comment at the end of each file, so that a test which only looks whether the text has changed notices nothing either.

mod compile;
mod scope;
mod tally;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use overnight_core::check::{Observation, Obstacle, Reading};
use overnight_core::tests::TestStatus;
use overnight_ports::faults::{Fault, Faults, Language};
use overnight_ports::sandbox::SandboxError;

use self::scope::Scope;
pub(super) use self::scope::{Reach, agrees};
use self::tally::{Outcome, Tally};
use super::Run;
use super::files::text_of;
use super::tracked::Tracked;
use crate::runners;
use crate::runners::shell::quote;

/// How many faults are tried if the goal does not say.
pub const SAMPLE_DEFAULT: u32 = 40;
/// How many more are ready for those that turn out not to compile, as a share of those that are to be tried.
const RESERVE: usize = 1;
/// After how many faults the unchanged code is tried again.
const FAULTS_BETWEEN_CONTROLS: usize = 10;
/// How many times the time of the unchanged code a fault may take.
const TIMES_UNCHANGED: u32 = 3;
/// And how much longer than that.
const GRACE: Duration = Duration::from_secs(2);
/// What a fault may take in any case: a busy machine is no endless loop.
const FAULT_TIME_MIN: Duration = Duration::from_secs(5);
/// The comment by which the code that is tried as unchanged differs from the candidate.
const COMMENT: &str = "end of file";

/// What is asked.
pub(super) struct Question<'a> {
    /// Shell command line that runs the tests.
    pub(super) command: &'a str,
    /// Where faults are planted; empty: where the tests can notice any.
    pub(super) paths: &'a [String],
    /// Most faults.
    pub(super) sample: Option<u32>,
    /// The share that decides, percent.
    pub(super) enough: Option<f64>,
    /// What the tests reach, if that could be measured.
    pub(super) reach: Reach,
    /// When the work on it began.
    pub(super) began: Instant,
}

/// Why there is nothing more to try.
enum Stop {
    /// The cell is of no more use.
    Sandbox(SandboxError),
    /// Nothing can be concluded.
    Obstacle(Obstacle),
    /// The tests say nothing about any fault: for people, why.
    Nothing(String, Vec<u8>),
}

impl From<SandboxError> for Stop {
    fn from(error: SandboxError) -> Self {
        Stop::Sandbox(error)
    }
}

/// Answers the question in `run`'s cell.
pub(super) async fn observe(
    run: Run<'_>,
    faults: &dyn Faults,
    tracked: &Tracked,
    question: Question<'_>,
) -> Result<Observation, SandboxError> {
    let began = question.began;
    let plan = run.plan(question.command).await?;
    let mut observation = Observation {
        command: plan.shown.clone(),
        ..Observation::default()
    };
    let mut experiment = Experiment {
        run,
        plan,
        deadline: began + run.limit,
        files: BTreeMap::new(),
        control: Control::default(),
        tally: Tally::default(),
        wanted: 0,
    };
    match experiment.conduct(faults, tracked, question).await {
        Ok(about) => {
            let tally = &experiment.tally;
            observation.values = vec![
                Reading::Value(tally.share()),
                Reading::Value(tally.noticed() as f64),
                Reading::Value(tally.ran() as f64),
            ];
            observation.output = words::output(tally, &about);
        }
        Err(Stop::Sandbox(error)) => return Err(error),
        Err(Stop::Obstacle(obstacle)) => {
            observation.obstacle = Some(obstacle);
            observation.output = words::broken_off(
                experiment.tally.ran(),
                experiment.wanted,
                experiment.control.took,
            );
        }
        Err(Stop::Nothing(why, output)) => {
            observation.values = vec![Reading::Value(0.0)];
            observation.output = output;
            if !observation.output.is_empty() && !observation.output.ends_with(b"\n") {
                observation.output.push(b'\n');
            }
            observation.output.extend_from_slice(why.as_bytes());
            observation.output.push(b'\n');
        }
    }
    let took = began.elapsed().as_millis();
    observation.duration_ms = u64::try_from(took).unwrap_or(u64::MAX);
    Ok(observation)
}

/// What the unchanged code does.
#[derive(Debug, Default)]
struct Control {
    /// The tests that pass, if tests can be told apart.
    passing: Option<BTreeSet<String>>,
    /// The longest that it took, but for the first time.
    took: Duration,
}

struct Experiment<'a> {
    run: Run<'a>,
    plan: runners::Plan,
    deadline: Instant,
    /// The files that hold faults, as they are in the candidate, with the language.
    files: BTreeMap<String, (Language, String)>,
    control: Control,
    tally: Tally,
    /// How many faults are to be tried at most.
    wanted: usize,
}

impl Experiment<'_> {
    async fn conduct(
        &mut self,
        faults: &dyn Faults,
        tracked: &Tracked,
        question: Question<'_>,
    ) -> Result<words::Circumstances, Stop> {
        let wanted = question.sample.unwrap_or(SAMPLE_DEFAULT) as usize;
        let Scope { places, words } =
            scope::scope(&self.run, &self.plan, faults, tracked, &question)
                .map_err(|detail| Stop::Obstacle(Obstacle::Harness { detail }))?;
        let root = &self.run.checkout.dir;
        let read = |path: &str| text_of(root, path);
        let mut ready = faults
            .plant(&places, &read, wanted + wanted * RESERVE)
            .into_iter()
            .collect::<std::collections::VecDeque<Fault>>();
        if ready.is_empty() {
            let why = format!("There is no place for a fault in {words}.");
            // Whether there are tests at all is worth knowing first.
            self.first_control().await?;
            return Err(Stop::Nothing(why, Vec::new()));
        }
        self.wanted = wanted.min(ready.len());
        for fault in &ready {
            if let Some(content) = read(&fault.path) {
                self.files
                    .insert(fault.path.clone(), (fault.language, content));
            }
        }
        for path in self.files.keys().cloned().collect::<Vec<_>>() {
            self.put_back(&path).await?;
        }
        self.first_control().await?;
        // The first time everything was built anew; a fault is built like this one.
        if let Some(path) = ready.front().map(|fault| fault.path.clone()) {
            self.put_back(&path).await?;
        }
        self.another_control().await?;
        // Nobody has to wait for what cannot end in time.
        let least = tally::least(self.wanted, question.enough);
        let needed = self
            .control
            .took
            .saturating_mul(u32::try_from(least).unwrap_or(u32::MAX));
        if needed > self.deadline.saturating_duration_since(Instant::now()) {
            return Err(self.timed_out());
        }
        let mut about = words::Circumstances {
            wanted: wanted.min(ready.len()),
            certain: false,
            scope: words,
        };
        loop {
            let left = wanted.saturating_sub(self.tally.ran()).min(ready.len());
            about.wanted = self.tally.ran() + left;
            about.certain = self.tally.is_certain(question.enough, left);
            let fault = if left == 0 || about.certain {
                None
            } else {
                ready.pop_front()
            };
            let Some(fault) = fault else {
                // The last word is the unchanged code's: only then what was noticed counts.
                self.another_control().await?;
                if left > 0 && !self.tally.is_certain(question.enough, left) {
                    continue;
                }
                break;
            };
            let before = self.tally.ran();
            self.try_one(fault).await?;
            let ran = self.tally.ran();
            if ran > before && ran.is_multiple_of(FAULTS_BETWEEN_CONTROLS) {
                self.another_control().await?;
            }
        }
        if self.tally.ran() == 0 {
            let why = format!(
                "None of the {} faults that were tried compiled.",
                self.tally.not_code
            );
            return Err(Stop::Nothing(why, Vec::new()));
        }
        Ok(about)
    }

    /// Runs the tests once, within `limit` and the check's own.
    async fn tests(&self, limit: Option<Duration>) -> Result<Seen, Stop> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let over = Stop::Obstacle(Obstacle::TimedOut {
            limit_s: self.run.probe.timeout_s,
        });
        if left.is_zero() {
            return Err(over);
        }
        let run = Run {
            limit: limit.map_or(left, |limit| limit.min(left)),
            ..self.run
        };
        let seen = run
            .planned(self.plan.script.as_str(), self.plan.clone())
            .await?;
        match &seen.obstacle {
            // Its own limit, or the whole check's?
            Some(Obstacle::TimedOut { .. }) if limit.is_some_and(|limit| limit <= left) => {
                Ok(Seen::Hung)
            }
            Some(Obstacle::TimedOut { .. }) => Err(over),
            Some(
                Obstacle::ReportMissing { .. }
                | Obstacle::ReportUnreadable { .. }
                | Obstacle::NoPerTestResults { .. },
            )
            | None => Ok(Seen::Ended(Box::new(seen))),
            // A fault may well make the code look for a program that is not there.
            Some(Obstacle::ToolAbsent { .. }) if limit.is_some() => Ok(Seen::Ended(Box::new(seen))),
            Some(
                obstacle @ (Obstacle::ToolAbsent { .. }
                | Obstacle::SetupFailed { .. }
                | Obstacle::Harness { .. }),
            ) => Err(Stop::Obstacle(obstacle.clone())),
        }
    }

    /// The unchanged code for the first time: which tests pass.
    async fn first_control(&mut self) -> Result<(), Stop> {
        let seen = match self.tests(None).await? {
            Seen::Ended(seen) => seen,
            Seen::Hung => return Err(self.timed_out()),
        };
        let Some(results) = &seen.tests else {
            if seen.exit == Some(0) {
                return Ok(());
            }
            let why = "The command fails without any fault, so that it cannot notice one.";
            return Err(Stop::Nothing(why.to_owned(), seen.output));
        };
        if results.tests.is_empty() {
            let why = "No test was run, so that no fault can be noticed.";
            return Err(Stop::Nothing(why.to_owned(), seen.output));
        }
        let passing = tally::passing(results);
        if passing.is_empty() {
            let why = "No test passes without any fault, so that none can notice one.";
            return Err(Stop::Nothing(why.to_owned(), seen.output));
        }
        self.control.passing = Some(passing);
        Ok(())
    }

    /// The unchanged code once more: what fails now is not to be trusted.
    async fn another_control(&mut self) -> Result<(), Stop> {
        let began = Instant::now();
        let seen = match self.tests(None).await? {
            Seen::Ended(seen) => seen,
            Seen::Hung => return Err(self.timed_out()),
        };
        self.control.took = self.control.took.max(began.elapsed());
        match (&self.control.passing, &seen.tests) {
            (Some(passing), Some(results)) => {
                let now = tally::passing(results);
                self.tally
                    .distrust(passing.difference(&now).cloned().collect());
                if passing.is_subset(self.tally.flaky()) {
                    let why =
                        "No test passes every time without any fault, so that none can notice one.";
                    return Err(Stop::Nothing(why.to_owned(), seen.output));
                }
                Ok(())
            }
            (None, _) if seen.exit == Some(0) => Ok(()),
            (Some(_), None) | (None, _) => {
                let why = "The command does not always pass without any fault, so that it cannot notice one.";
                Err(Stop::Nothing(why.to_owned(), seen.output))
            }
        }
    }

    /// Plants one fault, runs the tests, and takes it out again.
    async fn try_one(&mut self, fault: Fault) -> Result<(), Stop> {
        let planted = self.files.get(&fault.path).and_then(|(language, content)| {
            Some(with_comment(*language, &fault.planted(content)?))
        });
        let Some(planted) = planted else {
            return Ok(());
        };
        self.write(&fault.path, planted).await?;
        let limit = (self.control.took * TIMES_UNCHANGED + GRACE).max(FAULT_TIME_MIN);
        let seen = self.tests(Some(limit)).await;
        self.put_back(&fault.path).await?;
        let outcome = match seen? {
            Seen::Hung => Some(Outcome::Hung),
            Seen::Ended(seen) => self.outcome(fault.language, &seen),
        };
        match outcome {
            Some(outcome) => self.tally.add(fault, outcome),
            None => self.tally.not_code += 1,
        }
        Ok(())
    }

    /// What the tests made of a fault; `None` if the code with it does not compile.
    fn outcome(&self, language: Language, seen: &Observation) -> Option<Outcome> {
        let Some(passing) = &self.control.passing else {
            return match seen.exit {
                Some(0) => Some(Outcome::Unnoticed),
                _ if compile::failed(language, seen) => None,
                _ => Some(Outcome::Broke),
            };
        };
        let Some(results) = &seen.tests else {
            // It ended without a readable report.
            return match seen.exit {
                Some(0) => Some(Outcome::Unnoticed),
                _ if compile::failed(language, seen) => None,
                _ => Some(Outcome::Broke),
            };
        };
        let status = |name: &String| results.tests.get(name);
        let gone: BTreeSet<String> = passing
            .iter()
            .filter(|name| status(name) != Some(&TestStatus::Passed))
            .cloned()
            .collect();
        // The command's exit code is not asked: a threshold of coverage that is missed is no test that notices.
        if gone.is_empty() {
            return Some(Outcome::Unnoticed);
        }
        let told = gone
            .iter()
            .any(|name| status(name) == Some(&TestStatus::Failed));
        if !told && compile::failed(language, seen) {
            return None;
        }
        Some(Outcome::Failed(gone))
    }

    fn timed_out(&self) -> Stop {
        Stop::Obstacle(Obstacle::TimedOut {
            limit_s: self.run.probe.timeout_s,
        })
    }

    /// Puts the unchanged code where a fault was.
    async fn put_back(&self, path: &str) -> Result<(), Stop> {
        let Some((language, content)) = self.files.get(path) else {
            return Ok(());
        };
        self.write(path, with_comment(*language, content)).await
    }

    /// Writes a file in the cell, so that a link that the tested code put there leads nowhere else. Python's own copy of
    /// what it has compiled is told from the file by a whole second and the size only.
    async fn write(&self, path: &str, content: String) -> Result<(), Stop> {
        let quoted = quote(&format!("./{path}"));
        let mut script = format!("cat > {quoted}");
        if let Some(stem) = path.strip_suffix(".py") {
            let (folder, name) = stem.rsplit_once('/').unwrap_or((".", stem));
            let cache = quote(&format!("./{folder}/__pycache__/{name}."));
            script.push_str(&format!(" && rm -f -- {cache}*.pyc"));
        }
        let done = self
            .run
            .housekeeping(&script, Some(content.into_bytes()))
            .await?;
        if done.exit.code() == Some(0) {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        Err(Stop::Obstacle(Obstacle::Harness {
            detail: format!("cannot write {path} in the checkout: {said}"),
        }))
    }
}

/// How a run of the tests ended.
enum Seen {
    /// It took longer than a fault may take.
    Hung,
    /// It ended.
    Ended(Box<Observation>),
}

/// The content with a comment at its end.
fn with_comment(language: Language, content: &str) -> String {
    let line = if content.is_empty() || content.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{content}{line}{} {COMMENT}\n", language.comment())
}
