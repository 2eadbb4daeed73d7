//! Runs a probe in a cell on a fresh checkout and puts together what happened.

mod checkout;
mod evidence;
mod files;
mod mutation;
mod shell_says;
mod tracked;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use overnight_core::check::{Observation, Obstacle, Reading, Units};
use overnight_core::goal::Read;
use overnight_core::ids::TreeId;
use overnight_core::tests::TestResults;
use overnight_ports::faults::Faults;
use overnight_ports::sandbox::{
    Cell, CellSpec, Command, Exit, Finished, Layer, Level, Sandbox, SandboxError, Streams,
    WHOLE_WORKSPACE,
};
use overnight_ports::verifier::{Ask, Coverage, Probe, Verifier};

use checkout::Lent;
pub use checkout::{Checkout, Checkouts};
use evidence::Evidence;
pub use mutation::SAMPLE_DEFAULT;
use mutation::{Question, Reach};
use tracked::Tracked;

use crate::reports::ReportError;
use crate::runners;
use crate::values;

/// How much of a command's output an observation keeps, bytes: the head and the tail.
pub const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many of these are the head.
const OUTPUT_HEAD_BYTES: usize = 1024 * 1024;
/// Most paths that an observation names as generated.
pub const GENERATED_MAX: usize = 1_000;
/// How much of a file is shown for a `file` check, bytes.
pub const FILE_BYTES_MAX: usize = OUTPUT_BYTES_MAX;
/// Limit of one of the harness's own small commands in the cell.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// The [`Verifier`]: a fresh checkout and a fresh cell for every probe.
pub struct CheckoutVerifier {
    sandbox: Arc<dyn Sandbox>,
    checkouts: Arc<dyn Checkouts>,
    faults: Option<Arc<dyn Faults>>,
    environment: String,
}

impl CheckoutVerifier {
    /// Opens cells with `sandbox` on what `checkouts` makes.
    pub fn new(sandbox: Arc<dyn Sandbox>, checkouts: Arc<dyn Checkouts>) -> Self {
        let environment = format!(
            "{}; {}-{}",
            sandbox.describe(),
            std::env::consts::OS,
            std::env::consts::ARCH
        );
        CheckoutVerifier {
            sandbox,
            checkouts,
            faults: None,
            environment,
        }
    }

    /// The same, with something that finds places for faults: without it no `mutation` check can be answered.
    pub fn with_faults(mut self, faults: Arc<dyn Faults>) -> Self {
        self.faults = Some(faults);
        self
    }

    /// The same, with the versions of the tools in the line for receipts.
    pub fn with_toolchain(mut self, versions: &str) -> Self {
        if !versions.is_empty() {
            self.environment = format!("{}; {versions}", self.environment);
        }
        self
    }

    /// Runs one command in a clean checkout of a tree, in a cell like a check's, for those who ask something else of it
    /// than a check does. The error is why it could not be run at all.
    pub async fn run(&self, tree: &TreeId, command: Command) -> Result<Finished, Obstacle> {
        let probe = Probe {
            checks: Vec::new(),
            ask: Ask::Exit {
                command: command.script.clone(),
            },
            dir: command.dir.clone(),
            timeout_s: command.timeout.as_secs(),
            hidden: None,
            runs: 1,
        };
        let lent = Lent::make(&self.checkouts, tree, &probe).await?;
        let cell = match self.open(lent.checkout()).await {
            Ok(cell) => cell,
            Err(obstacle) => {
                lent.give_back().await;
                return Err(obstacle);
            }
        };
        let done = cell.run(command).await;
        self.tidy(lent, Some(cell)).await;
        done.map_err(|e| harness(&e))
    }

    async fn try_observe(&self, tree: &TreeId, probe: &Probe) -> Result<Observation, Obstacle> {
        let began = Instant::now();
        let reach = match &probe.ask {
            Ask::Mutation {
                coverage: Some(coverage),
                ..
            } => self.reach(tree, probe, coverage).await?,
            _ => Reach::Unmeasured,
        };
        let lent = Lent::make(&self.checkouts, tree, probe).await?;
        if let Ask::File { path } = &probe.ask {
            let seen = files::look(lent.checkout(), &probe.dir, path);
            lent.give_back().await;
            return seen;
        }
        let (observed, cell) = self.observe_in(&lent, probe, (reach, began)).await;
        self.tidy(lent, cell).await;
        observed
    }

    /// Gives a checkout back when its cell is closed.
    async fn tidy(&self, lent: Lent, cell: Option<Box<dyn Cell>>) {
        let tidy = async move {
            if let Some(cell) = cell {
                cell.close().await;
            }
            lent.give_back().await;
        };
        match self.sandbox.level() {
            // Whatever ran in the cell is dead; nobody has to wait until the kernel has taken its mounts apart.
            Level::Full => drop(tokio::spawn(tidy)),
            Level::None => tidy.await,
        }
    }

    /// What the tests reach, by a coverage command that runs in a checkout of its own.
    async fn reach(
        &self,
        tree: &TreeId,
        probe: &Probe,
        coverage: &Coverage,
    ) -> Result<Reach, Obstacle> {
        let measuring = Probe {
            ask: Ask::Values {
                command: coverage.command.clone(),
                reads: vec![coverage.read.clone()],
            },
            dir: coverage.dir.clone(),
            ..probe.clone()
        };
        let lent = Lent::make(&self.checkouts, tree, &measuring).await?;
        let cell = match self.open(lent.checkout()).await {
            Ok(cell) => cell,
            Err(obstacle) => {
                lent.give_back().await;
                return Err(obstacle);
            }
        };
        let run = Run::new(cell.as_ref(), lent.checkout(), &measuring);
        let found = run.measured_files(&coverage.command, &coverage.read).await;
        self.tidy(lent, Some(cell)).await;
        Ok(match found.map_err(|e| harness(&e))? {
            Ok(files) => Reach::Measured {
                files,
                dir: coverage.dir.clone(),
                format: coverage.read.format,
            },
            Err(obstacle) => Reach::Unknown(overnight_core::judge::explain(&obstacle)),
        })
    }

    async fn open(&self, checkout: &Checkout) -> Result<Box<dyn Cell>, Obstacle> {
        let mut layers = checkout.layers.clone();
        let whole = checkout.upper.is_some().then(|| Layer {
            at: WHOLE_WORKSPACE.to_owned(),
            from: checkout.dir.clone(),
        });
        layers.extend(whole);
        let spec = CellSpec {
            workspace: checkout.upper.as_ref().unwrap_or(&checkout.dir).clone(),
            inside: checkout.inside.clone(),
            private: checkout.private.clone(),
            base_layer: checkout.base_layer.clone(),
            layers,
            readonly: Vec::new(),
            network: checkout.network.clone(),
            env: checkout.env.clone(),
            hidden: checkout.hidden.clone(),
        };
        self.sandbox.open(spec).await.map_err(|e| harness(&e))
    }

    async fn observe_in(
        &self,
        lent: &Lent,
        probe: &Probe,
        (reach, began): (Reach, Instant),
    ) -> (Result<Observation, Obstacle>, Option<Box<dyn Cell>>) {
        let checkout = lent.checkout();
        // Looked at before anything runs: what is there now is the tree's.
        let tracked = match names_files(&probe.ask) {
            true => Some(list(checkout).await),
            false => None,
        };
        let cell = match self.open(checkout).await {
            Ok(cell) => cell,
            Err(obstacle) => return (Err(obstacle), None),
        };
        let run = Run {
            tracked: tracked.as_ref(),
            ..Run::new(cell.as_ref(), checkout, probe)
        };
        let done = match &probe.ask {
            Ask::Exit { command } => run.exit(command).await,
            Ask::Tests {
                command,
                report: None,
            } => run.tests(command).await,
            Ask::Tests {
                command,
                report: Some(report),
            } => run.reported(command, report).await,
            Ask::Values { command, reads } => run.values(command, reads).await,
            Ask::Mutation {
                command,
                paths,
                sample,
                enough,
                ..
            } => {
                let question = Question {
                    command,
                    paths,
                    sample: *sample,
                    enough: *enough,
                    reach,
                    began,
                };
                self.mutation(run, question).await
            }
            Ask::File { .. } => Ok(Observation::default()),
        };
        if self.sandbox.level() == Level::None {
            // What has left its process group may still be writing.
            cell.close().await;
        }
        let observed = match done {
            // What faulty code writes, and where, says nothing about what a build leaves behind.
            Ok(observation) if matches!(probe.ask, Ask::Mutation { .. }) => Ok(observation),
            Ok(mut observation) => {
                (observation.generated, observation.rewritten) = lent.left().await;
                observation.generated.truncate(GENERATED_MAX);
                Ok(observation)
            }
            Err(e) => Err(harness(&e)),
        };
        (observed, Some(cell))
    }

    async fn mutation(
        &self,
        run: Run<'_>,
        question: Question<'_>,
    ) -> Result<Observation, SandboxError> {
        let (Some(faults), Some(tracked)) = (&self.faults, run.tracked) else {
            return Ok(Observation {
                command: question.command.to_owned(),
                obstacle: Some(Obstacle::Harness {
                    detail: "this verifier plants no faults".to_owned(),
                }),
                ..Observation::default()
            });
        };
        let run = Run {
            faulty: true,
            ..run
        };
        mutation::observe(run, faults.as_ref(), tracked, question).await
    }
}

#[async_trait]
impl Verifier for CheckoutVerifier {
    async fn observe(&self, tree: &TreeId, probe: &Probe) -> Observation {
        let mut observation = self
            .try_observe(tree, probe)
            .await
            .unwrap_or_else(|obstacle| Observation {
                command: command_of(&probe.ask).to_owned(),
                obstacle: Some(obstacle),
                ..Observation::default()
            });
        if let (Ask::Values { reads, .. }, Some(obstacle)) = (&probe.ask, &observation.obstacle) {
            observation.values = reads
                .iter()
                .map(|_| Reading::Missing(obstacle.clone()))
                .collect();
        }
        observation
    }

    fn environment(&self) -> String {
        self.environment.clone()
    }
}

/// What the harness itself could not do.
fn harness(error: &SandboxError) -> Obstacle {
    Obstacle::Harness {
        detail: error.to_string(),
    }
}

fn command_of(ask: &Ask) -> &str {
    match ask {
        Ask::Exit { command }
        | Ask::Tests { command, .. }
        | Ask::Values { command, .. }
        | Ask::Mutation { command, .. } => command,
        Ask::File { .. } => "",
    }
}

/// Whether the answer names files of the checkout.
fn names_files(ask: &Ask) -> bool {
    match ask {
        Ask::Values { reads, .. } => reads.iter().any(|read| read.format.names_files()),
        Ask::Mutation { .. } => true,
        Ask::Exit { .. } | Ask::Tests { .. } | Ask::File { .. } => false,
    }
}

/// The files of a checkout in which nothing has run yet.
async fn list(checkout: &Checkout) -> Tracked {
    let (dir, inside) = (checkout.dir.clone(), checkout.inside.clone());
    let listed = tokio::task::spawn_blocking(move || Tracked::list(&dir, &inside));
    listed.await.unwrap_or_default()
}

/// One probe in its cell.
#[derive(Clone, Copy)]
struct Run<'a> {
    cell: &'a dyn Cell,
    checkout: &'a Checkout,
    probe: &'a Probe,
    /// The checkout's files, where they matter.
    tracked: Option<&'a Tracked>,
    /// How long one run of the check's command may take.
    limit: Duration,
    /// Whether the code is changed between runs.
    faulty: bool,
}

impl<'a> Run<'a> {
    fn new(cell: &'a dyn Cell, checkout: &'a Checkout, probe: &'a Probe) -> Self {
        Run {
            cell,
            checkout,
            probe,
            tracked: None,
            limit: Duration::from_secs(probe.timeout_s),
            faulty: false,
        }
    }

    /// Runs the check's own command.
    async fn command(
        &self,
        script: &str,
        mut env: BTreeMap<String, String>,
    ) -> Result<Finished, SandboxError> {
        if self.faulty {
            // What Python keeps of a file is told from it by a whole second and the size only.
            env.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
        }
        let timeout = self.limit;
        let dir = self.probe.dir.clone();
        let command = Command {
            script: script.to_owned(),
            dir,
            env,
            timeout,
            stdin: None,
            streams: Streams::Split,
        };
        self.cell.run(command).await
    }

    /// What happened, before any report is looked at.
    fn happened(&self, command: &str, finished: &Finished) -> Observation {
        let mut output = finished.stdout.clone();
        if !finished.stderr.is_empty() {
            if !output.is_empty() && !output.ends_with(b"\n") {
                output.push(b'\n');
            }
            output.extend_from_slice(&finished.stderr);
        }
        Observation {
            command: command.to_owned(),
            exit: finished.exit.code(),
            duration_ms: u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX),
            output: bounded(output, finished.dropped),
            obstacle: self.obstacle(finished),
            ..Observation::default()
        }
    }

    /// What in the way it ended keeps it from saying anything.
    fn obstacle(&self, finished: &Finished) -> Option<Obstacle> {
        match finished.exit {
            Exit::TimedOut => Some(Obstacle::TimedOut {
                limit_s: self.probe.timeout_s,
            }),
            Exit::Killed => Some(Obstacle::Harness {
                detail: "the command was killed from outside".to_owned(),
            }),
            Exit::Code(code) => {
                let program = shell_says::absent_program(code, &finished.stderr)
                    .or_else(|| shell_says::absent_program(code, &finished.stdout));
                program.map(|program| Obstacle::ToolAbsent { program })
            }
            Exit::Signal(_) => None,
        }
    }

    /// The exit code. Where the command is a test runner that the harness knows, its tests are told apart as well: an
    /// exit code says nothing about tests that are no longer run.
    async fn exit(&self, command: &str) -> Result<Observation, SandboxError> {
        let plan = self.plan(command).await?;
        if plan.runner {
            let mut observation = self.planned(command, plan).await?;
            if observation.tests.is_none() {
                observation.obstacle = observation.obstacle.filter(|obstacle| {
                    !matches!(
                        obstacle,
                        Obstacle::NoPerTestResults { .. }
                            | Obstacle::ReportMissing { .. }
                            | Obstacle::ReportUnreadable { .. }
                    )
                });
            }
            return Ok(observation);
        }
        let finished = self.command(command, runners::environment()).await?;
        Ok(self.happened(command, &finished))
    }

    /// Per-test results by the harness's own reporters.
    async fn tests(&self, command: &str) -> Result<Observation, SandboxError> {
        let plan = self.plan(command).await?;
        self.planned(command, plan).await
    }

    /// How a command is run so that each test is named.
    async fn plan(&self, command: &str) -> Result<runners::Plan, SandboxError> {
        let files = files::Files::open(&self.checkout.dir);
        let mut recipes = Vec::new();
        for dry_run in runners::dry_runs(command, &self.probe.dir, &files) {
            recipes.push(self.housekeeping(&dry_run, None).await?);
        }
        let recipes: Vec<String> = recipes
            .iter()
            .map(|f| String::from_utf8_lossy(&f.stdout).into_owned())
            .collect();
        Ok(runners::plan(command, &self.probe.dir, &files, &recipes))
    }

    async fn planned(
        &self,
        command: &str,
        plan: runners::Plan,
    ) -> Result<Observation, SandboxError> {
        let evidence = Evidence::prepare(self, &plan.tools).await?;
        let finished = self
            .command(&plan.script, plan.env(&evidence.folder))
            .await?;
        let mut observation = self.happened(&plan.shown, &finished);
        let found = evidence.collect(self).await?;
        if !found.readable.is_empty() {
            let mut output = std::mem::take(&mut observation.output);
            output.extend_from_slice(found.readable.as_bytes());
            observation.output = bounded(output, 0);
        }
        let failed = observation.exit != Some(0);
        let missing = || Obstacle::ReportMissing {
            path: found
                .unwritten
                .clone()
                .unwrap_or("the test runner's".into()),
        };
        let told = match (found.fault, found.reports) {
            (Some(fault), _) => Err(Obstacle::ReportUnreadable {
                detail: fault.to_string(),
            }),
            // Each runner that started has left its report.
            (None, 1..) if found.unwritten.is_none() => Ok(found.results),
            // None has, or none was started, and the command failed: no test ran, whatever the reason. That is a
            // fact about the candidate (it does not compile, its configuration is broken).
            (None, 0) if failed && (found.unwritten.is_some() || plan.runner) => Ok(found.results),
            (None, 0) if found.unwritten.is_none() && !plan.runner => {
                Err(Obstacle::NoPerTestResults {
                    hint: runners::hint(command),
                })
            }
            (None, _) => Err(missing()),
        };
        match told {
            Ok(results) => observation.tests = Some(self.named(results)),
            Err(obstacle) => observation.obstacle = observation.obstacle.or(Some(obstacle)),
        }
        Ok(observation)
    }

    /// Per-test results from the report that the command itself writes.
    async fn reported(&self, command: &str, report: &str) -> Result<Observation, SandboxError> {
        if let Err(obstacle) = self.remove_old(report).await? {
            return Ok(Observation {
                command: command.to_owned(),
                obstacle: Some(obstacle),
                ..Observation::default()
            });
        }
        let finished = self.command(command, runners::environment()).await?;
        let mut observation = self.happened(command, &finished);
        if observation.obstacle.is_some() {
            return Ok(observation);
        }
        match evidence::written_report(self, report).await? {
            Ok(results) => observation.tests = Some(self.named(results)),
            Err(obstacle) => observation.obstacle = Some(obstacle),
        }
        Ok(observation)
    }

    async fn values(&self, command: &str, reads: &[Read]) -> Result<Observation, SandboxError> {
        let mut refused = BTreeMap::new();
        for path in reads.iter().filter_map(|read| read.file.as_deref()) {
            if let Err(obstacle) = self.remove_old(path).await? {
                refused.insert(path, obstacle);
            }
        }
        let finished = self.command(command, runners::environment()).await?;
        let mut observation = self.happened(command, &finished);
        if observation.obstacle.is_some() {
            return Ok(observation);
        }
        for read in reads {
            let content = match &read.file {
                None => Ok(None),
                Some(path) => match refused.get(path.as_str()) {
                    Some(obstacle) => Err(obstacle.clone()),
                    None => self.content(path).await?.map(Some),
                },
            };
            observation
                .measured
                .push(self.units(read, content.as_ref().ok(), &finished));
            observation.values.push(reading(read, content, &finished));
        }
        Ok(observation)
    }

    /// How much of each file there is to cover, by the report that a value is read from.
    fn units(
        &self,
        read: &Read,
        content: Option<&Option<Vec<u8>>>,
        finished: &Finished,
    ) -> Option<Units> {
        let bytes = content?.as_ref().unwrap_or(&finished.stdout);
        let files = values::files(read.format, &read.value, bytes).ok()??;
        let tracked = self.tracked?;
        let mut units = Units::new();
        for (name, file) in files {
            // What is not in the tree was made by the build, and is named by chance.
            if let Some(path) = tracked.resolve(&name, &self.probe.dir, read.format) {
                let sum = units.entry(path).or_default();
                *sum = sum.saturating_add(file.units);
            }
        }
        Some(units)
    }

    /// Runs a coverage command, and reads which files its report is made of.
    async fn measured_files(
        &self,
        command: &str,
        read: &Read,
    ) -> Result<Result<BTreeMap<String, values::File>, Obstacle>, SandboxError> {
        if let Some(path) = &read.file
            && let Err(obstacle) = self.remove_old(path).await?
        {
            return Ok(Err(obstacle));
        }
        let finished = self.command(command, runners::environment()).await?;
        if let Some(obstacle) = self.obstacle(&finished) {
            return Ok(Err(obstacle));
        }
        let bytes = match &read.file {
            None => finished.stdout,
            Some(path) => match self.content(path).await? {
                Ok(bytes) => bytes,
                Err(obstacle) => return Ok(Err(obstacle)),
            },
        };
        let value = values::read(read.format, &read.value, &bytes);
        let files = values::files(read.format, &read.value, &bytes);
        let unclear = |detail: &str| Obstacle::ReportUnreadable {
            detail: detail.to_owned(),
        };
        Ok(match (value, files) {
            (Ok(value), Ok(Some(files))) if mutation::agrees(&files, value) => Ok(files),
            (Ok(_), Ok(Some(_))) => Err(unclear(
                "far fewer lines ran than its figure stands for, so that its lines are not gone by",
            )),
            (Ok(_), Ok(None)) => Err(unclear("it names too many files")),
            (Err(e), _) | (_, Err(e)) => Err(unreadable(&e, read.file.as_deref())),
        })
    }

    /// Removes what lies at `path` before the run, so that what lies there afterwards was written by it.
    async fn remove_old(&self, path: &str) -> Result<Result<(), Obstacle>, SandboxError> {
        if !files::is_inside(path) {
            let detail = format!("`{path}` does not name a file below the check's directory");
            return Ok(Err(Obstacle::ReportUnreadable { detail }));
        }
        let done = self
            .housekeeping_here(&format!("rm -rf -- {}", runners::shell::quote(path)), None)
            .await?;
        Ok(match done.exit.code() {
            Some(0) => Ok(()),
            _ => Err(Obstacle::Harness {
                detail: format!(
                    "cannot remove {path} before the run: {}",
                    String::from_utf8_lossy(&done.stderr).trim()
                ),
            }),
        })
    }

    /// What the run wrote to `path`.
    async fn content(&self, path: &str) -> Result<Result<Vec<u8>, Obstacle>, SandboxError> {
        evidence::read(self, path, &self.probe.dir).await
    }

    /// Names relative to the checkout, wherever it lies; some runners name files by their real path.
    fn named(&self, results: TestResults) -> TestResults {
        let results = crate::reports::relative_to(results, &self.cell.root().to_string_lossy());
        match self.checkout.dir.canonicalize() {
            Ok(real) => crate::reports::relative_to(results, &real.to_string_lossy()),
            Err(_) => results,
        }
    }

    /// Runs one of the harness's own small commands at the checkout's root.
    async fn housekeeping(
        &self,
        script: &str,
        stdin: Option<Vec<u8>>,
    ) -> Result<Finished, SandboxError> {
        self.own(script, String::new(), stdin).await
    }

    /// The same in the check's directory.
    async fn housekeeping_here(
        &self,
        script: &str,
        stdin: Option<Vec<u8>>,
    ) -> Result<Finished, SandboxError> {
        self.own(script, self.probe.dir.clone(), stdin).await
    }

    async fn own(
        &self,
        script: &str,
        dir: String,
        stdin: Option<Vec<u8>>,
    ) -> Result<Finished, SandboxError> {
        let script = script.to_owned();
        let env = BTreeMap::new();
        self.cell
            .run(Command {
                script,
                dir,
                env,
                timeout: HOUSEKEEPING,
                stdin,
                streams: Streams::Split,
            })
            .await
    }
}

/// One metric's value from a file, or from what the command printed.
fn reading(
    read: &Read,
    content: Result<Option<Vec<u8>>, Obstacle>,
    finished: &Finished,
) -> Reading {
    let value = match content {
        Err(obstacle) => return Reading::Missing(obstacle),
        Ok(Some(bytes)) => values::read(read.format, &read.value, &bytes),
        // What was dropped may be the figure itself, and what is left a line that only looks like it.
        Ok(None) if finished.dropped > 0 => {
            let kept = finished.stdout.len().saturating_add(finished.stderr.len());
            let dropped = usize::try_from(finished.dropped).unwrap_or(usize::MAX);
            Err(ReportError::TooLarge {
                bytes: kept.saturating_add(dropped),
            })
        }
        Ok(None) => match values::read(read.format, &read.value, &finished.stdout) {
            // Some tools print their figures on standard error. Where standard output has several, it has the last
            // word: otherwise the code under test could make it unreadable and print its own figures beside it.
            Err(e) if !matches!(e, ReportError::Ambiguous { .. }) => {
                values::read(read.format, &read.value, &finished.stderr).map_err(|_| e)
            }
            known => known,
        },
    };
    match value {
        Ok(value) => Reading::Value(value),
        Err(e) => Reading::Missing(unreadable(&e, read.file.as_deref())),
    }
}

/// A report that cannot be read, with where it lies.
fn unreadable(error: &ReportError, path: Option<&str>) -> Obstacle {
    let place = path.unwrap_or("the command's output");
    Obstacle::ReportUnreadable {
        detail: format!("{place}: {error}"),
    }
}

/// Head and tail of an output, with a line between them that says what is missing.
fn bounded(output: Vec<u8>, dropped: u64) -> Vec<u8> {
    if output.len() <= OUTPUT_BYTES_MAX && dropped == 0 {
        return output;
    }
    let tail = OUTPUT_BYTES_MAX - OUTPUT_HEAD_BYTES;
    let cut = output.len().saturating_sub(OUTPUT_BYTES_MAX);
    let head = output.len().min(OUTPUT_HEAD_BYTES);
    let rest = output.len() - (output.len() - head).min(tail);
    let missing = dropped.saturating_add(cut as u64);
    let mut kept = output.get(..head).unwrap_or_default().to_vec();
    kept.extend_from_slice(format!("\n[{missing} bytes left out]\n").as_bytes());
    kept.extend_from_slice(output.get(rest..).unwrap_or_default());
    kept
}

#[cfg(test)]
mod test {
    use overnight_core::goal::Format;

    use super::*;

    /// What is read from a command's output with this format.
    fn printed(format: Format, value: &str, stdout: &str, stderr: &str, dropped: u64) -> Reading {
        let read = Read {
            format,
            file: None,
            value: value.to_owned(),
        };
        let finished = Finished {
            exit: Exit::Code(0),
            stdout: stdout.as_bytes().to_vec(),
            stderr: stderr.as_bytes().to_vec(),
            dropped,
            duration: Duration::ZERO,
        };
        reading(&read, Ok(None), &finished)
    }

    #[test]
    fn a_figure_in_an_output_that_was_cut_is_not_believed() {
        let read = |dropped| printed(Format::Regex, r"total (\d+)", "total 5\n", "", dropped);
        assert_eq!(read(0), Reading::Value(5.0));
        assert!(matches!(
            read(1),
            Reading::Missing(Obstacle::ReportUnreadable { .. })
        ));
    }

    #[test]
    fn a_second_table_on_standard_output_does_not_make_way_for_one_on_standard_error() {
        let table = "File | % Stmts | % Lines | Uncovered\nAll files | 50 | 50 | \n";
        let read =
            |stdout: &str, stderr: &str| printed(Format::NycText, "lines", stdout, stderr, 0);
        assert_eq!(read(table, ""), Reading::Value(50.0));
        assert_eq!(read("", table), Reading::Value(50.0));
        assert!(matches!(
            read(&table.repeat(2), &table.replace("50", "100")),
            Reading::Missing(Obstacle::ReportUnreadable { .. })
        ));
    }

    #[test]
    fn a_long_output_keeps_its_head_and_its_tail() {
        let mut long = vec![b'a'; OUTPUT_BYTES_MAX];
        long.extend(vec![b'z'; 1000]);
        let kept = bounded(long, 0);
        assert!(kept.len() < OUTPUT_BYTES_MAX + 100);
        assert!(kept.starts_with(b"aaa") && kept.ends_with(b"zzz"));
        assert!(String::from_utf8_lossy(&kept).contains("[1000 bytes left out]"));
        assert_eq!(bounded(b"short".to_vec(), 0), b"short");
        assert_eq!(
            bounded(b"short".to_vec(), 7),
            b"short\n[7 bytes left out]\n"
        );
    }
}
