//! Performing effects: each does one thing to the world and sends the facts that come of it.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};

use overnight_core::check::{Observation, Receipt, Target, Verdict};
use overnight_core::effect::{Effect, to_verify};
use overnight_core::event::{Event, Fact};
use overnight_core::goal::Deliver;
use overnight_core::ids::{BlobId, CheckId, Scope, TreeId};
use overnight_core::judge::clip;
use overnight_core::repo::Delivered;
use overnight_core::report::to_markdown;
use overnight_core::state::{ORACLE_CHECK, SCOPE_CHECK, State};
use overnight_core::stop::StopReason;
use overnight_core::turn::{Call, CallHead};
use overnight_ports::clock::Clock;
use overnight_ports::crew::WorklistPorts;
use overnight_ports::forge::{Delivery, Forge};
use overnight_ports::journal::{Journal, JournalError};
use overnight_ports::model::Answer;
use overnight_ports::notifier::Notifier;
use overnight_ports::oracle::Oracle;
use overnight_ports::site::{Executor, Site};
use overnight_ports::verifier::Verifier;

use crate::known::Known;
use crate::notification::notify;
use crate::preflight::{self, Preflight, Shelf};
use crate::run::{FULL_RETRY_EVERY_MS, Message};
use crate::verification::{Verification, Verified};
use crate::worklist;

/// How much of an answer's text its event holds, bytes; the whole is a blob.
const TEXT_BYTES_MAX: usize = 2 * 1024;
/// How much of the provider's id of a call its event holds, bytes.
const CALL_ID_BYTES_MAX: usize = 200;
/// How much of a tool's name, bytes.
const CALL_NAME_BYTES_MAX: usize = 80;
/// Length of a commit's subject, characters: what `git log --oneline` shows well.
const SUBJECT_CHARS_MAX: usize = 72;

/// How long after a look at the network the next one is, at first, milliseconds; doubled with every one.
const REACH_FIRST_MS: u64 = 5_000;
/// The longest time between two looks, milliseconds.
const REACH_MAX_MS: u64 = 60_000;

/// Everything that a run needs of the world.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The run's journal.
    pub journal: Arc<dyn Journal>,
    /// The workspace.
    pub site: Arc<dyn Site>,
    /// What works.
    pub executor: Arc<dyn Executor>,
    /// What gathers evidence.
    pub verifier: Arc<dyn Verifier>,
    /// What compares a candidate with the base's oracle.
    pub oracle: Arc<dyn Oracle>,
    /// Where the result goes.
    pub forge: Arc<dyn Forge>,
    /// How the person is told.
    pub notifier: Arc<dyn Notifier>,
    /// Where results of earlier preflights are kept.
    pub shelf: Arc<dyn Shelf>,
    /// What a worklist needs; `None` for a goal without one.
    pub worklist: Option<WorklistPorts>,
    /// How the report writes a time.
    pub time: fn(u64) -> String,
}

/// How often an answer that cannot be kept is tried again before it is given up.
const KEEP_ATTEMPTS_MAX: u32 = 60;

/// Where an effect's facts go.
pub(crate) type Say<'a> = &'a (dyn Fn(Message) + Send + Sync);

/// Performs one effect of a run, or of the small machine of an item: `scope` is whose. Facts go to `send` as they come.
pub(crate) async fn perform(
    effect: &Effect,
    state: &State,
    ports: &Ports,
    known: &Known,
    whose: &Scope,
    send: Say<'_>,
) {
    let say = |fact: Fact| {
        send(Message::Event(Box::new(Event::run(
            ports.clock.now(),
            fact,
        ))))
    };
    match effect {
        Effect::Prepare => match ports.site.prepare(state).await {
            Ok(base) => match ports.site.offer(state).await {
                Ok(offer) => {
                    let offer = offer.map(Box::new);
                    say(Fact::Prepared { base, offer });
                }
                Err(why) => say(failed("the MCP servers cannot be used", &why)),
            },
            Err(why) => say(failed("the workspace could not be made", &why)),
        },
        Effect::Baseline => baseline(state, ports, send).await,
        Effect::AskModel { scope, turn, .. } => ask(state, ports, scope, *turn, send).await,
        Effect::Call { scope, turn, index } => call(state, ports, scope, *turn, *index, send).await,
        Effect::FixCandidate if state.worklist.is_some() => {
            let fixed = worklist::fix_whole(state, ports, known).await;
            say(fixed.unwrap_or_else(|why| Fact::HarnessFailed {
                message: format!("what is integrated could not be looked at: {why}"),
                fatal: false,
            }));
        }
        Effect::FixCandidate => match ports.site.fix(state).await {
            Ok(fixed) => {
                known.keep(whose, &fixed.candidate);
                say(Fact::CandidateFixed {
                    candidate: fixed.candidate,
                    delta: fixed.delta,
                    denials: fixed.denials,
                    stopped: fixed.stopped,
                });
            }
            // Files and git processes: what fails now may work in a minute.
            Err(why) => say(Fact::HarnessFailed {
                message: format!("the work could not be looked at: {why}"),
                fatal: false,
            }),
        },
        Effect::Verify { tree } => verify(state, ports, known, whose, tree, &say).await,
        Effect::Reach { scope } => {
            until_reachable(ports).await;
            send(Message::Event(Box::new(Event {
                scope: scope.clone(),
                at: ports.clock.now(),
                fact: Fact::NetworkBack,
            })));
        }
        Effect::Notify { number } => {
            if let Some(fact) = notify(state, ports, *number).await {
                say(fact);
            }
        }
        Effect::List
        | Effect::Open { .. }
        | Effect::Item { .. }
        | Effect::Examine
        | Effect::Integrate { .. }
        | Effect::Relist
        | Effect::Act { .. } => {
            worklist::perform_listed(effect, state, ports, known, whose, send).await;
        }
        Effect::Deliver => deliver(state, ports, &say).await,
        Effect::WriteReport => say(Fact::ReportWritten {
            path: report_when_there_is_room(ports, send).await,
        }),
    }
}

/// Looks again and again, ever less often, until the model's provider can be reached. How long is enough is decided
/// elsewhere: this is given up then.
async fn until_reachable(ports: &Ports) {
    let mut pause = REACH_FIRST_MS;
    while !ports.executor.reachable().await {
        let next = ports.clock.now().saturating_add(pause);
        ports.clock.sleep_until(next).await;
        pause = (pause * 2).min(REACH_MAX_MS);
    }
}

fn failed(what: &str, why: &str) -> Fact {
    Fact::HarnessFailed {
        message: format!("{what}: {why}"),
        fatal: true,
    }
}

async fn baseline(state: &State, ports: &Ports, send: Say<'_>) {
    let say = |fact: Fact| {
        send(Message::Event(Box::new(Event::run(
            ports.clock.now(),
            fact,
        ))))
    };
    let Some(base) = &state.base else { return };
    let known = |id: &CheckId| state.checks.get(id).is_some_and(|c| c.base.is_some());
    let tell = |part: &Preflight| {
        for report in part.reports.iter().filter(|r| !known(&r.check)) {
            say(Fact::CheckReported {
                report: Box::new(report.clone()),
            });
        }
    };
    let key = preflight::key(
        &state.goal,
        &state.hidden,
        &base.tree,
        &ports.verifier.environment(),
    );
    let reused = preflight::reuse(&state.goal, ports.shelf.as_ref(), &key, ports.clock.now());
    let was_kept = reused.is_some();
    let found = match reused {
        Some(kept) => {
            put_blobs(&kept, ports, send).await;
            tell(&kept);
            kept
        }
        None => {
            // Results that cannot be written now are told when they can.
            let held = Mutex::new(Vec::new());
            let found = preflight::run(
                &state.goal,
                &base.tree,
                ports.verifier.as_ref(),
                &known,
                &|part: &Preflight| match part.put_blobs(ports.journal.as_ref()) {
                    Ok(()) => tell(part),
                    Err(_) => held
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(part.clone()),
                },
            )
            .await;
            for part in held.into_inner().unwrap_or_else(PoisonError::into_inner) {
                put_blobs(&part, ports, send).await;
                tell(&part);
            }
            if state.checks.values().all(|c| c.base.is_none()) {
                preflight::keep(ports.shelf.as_ref(), &key, &found, ports.clock.now());
            }
            found
        }
    };
    let mut generated = found.generated;
    // What was found before a restart counts as well.
    for observation in state
        .checks
        .keys()
        .filter(|id| known(id))
        .filter_map(|id| base_observations(state, ports, id))
    {
        for path in observation.into_iter().flat_map(|o| o.generated) {
            if !generated.contains(&path) {
                generated.push(path);
            }
        }
    }
    say(Fact::BaselineEnded {
        generated,
        reused: was_kept,
    });
}

async fn ask(state: &State, ports: &Ports, scope: &Scope, turn: u64, send: Say<'_>) {
    let fact = match ports.executor.answer(state).await {
        Ok(answer) => match keep(ports, &answer, send).await {
            Ok(blob) => Fact::ModelAnswered {
                turn,
                answer: blob,
                text: clip(&answer.text, TEXT_BYTES_MAX),
                calls: answer
                    .calls
                    .iter()
                    .map(|c| CallHead {
                        id: clip(&c.id, CALL_ID_BYTES_MAX),
                        name: clip(&c.name, CALL_NAME_BYTES_MAX),
                        line: ports.executor.line(c),
                    })
                    .collect(),
                usage: answer.usage,
                oddities: answer.oddities,
            },
            Err(why) => failed("the model's answer could not be kept", &why),
        },
        Err(e) => Fact::ModelFailed {
            turn,
            kind: e.kind,
            message: e.message,
            retry_after_ms: e.retry_after_ms,
            usage: e.usage,
        },
    };
    send(Message::Event(Box::new(Event {
        scope: scope.clone(),
        at: ports.clock.now(),
        fact,
    })));
}

/// Keeps an answer: it was paid for, so a disk that is full or does not work right now is waited for.
async fn keep(ports: &Ports, answer: &Answer, send: Say<'_>) -> Result<BlobId, String> {
    let bytes = serde_json::to_vec(answer).map_err(|e| e.to_string())?;
    let mut attempts = 0;
    loop {
        let error = match ports.journal.put(&bytes) {
            Ok(blob) => return Ok(blob),
            Err(error) => error,
        };
        let full = error.kind() == ErrorKind::StorageFull;
        attempts += u32::from(!full);
        if attempts >= KEEP_ATTEMPTS_MAX {
            return Err(error.to_string());
        }
        wait_for_the_disk(ports, &error.to_string(), send).await;
    }
}

/// Puts what a preflight's receipts name into the journal; a disk that does not take it is waited for. What cannot be
/// written at all is lost, and a check that needs it cannot be told.
async fn put_blobs(part: &Preflight, ports: &Ports, send: Say<'_>) {
    let mut attempts = 0;
    while let Err(error) = part.put_blobs(ports.journal.as_ref()) {
        attempts += u32::from(error.kind() != ErrorKind::StorageFull);
        if attempts >= KEEP_ATTEMPTS_MAX {
            return;
        }
        wait_for_the_disk(ports, &error.to_string(), send).await;
    }
}

async fn wait_for_the_disk(ports: &Ports, why: &str, send: Say<'_>) {
    send(Message::Note(format!(
        "{why}; the run waits until it can be written"
    )));
    let again = ports.clock.now().saturating_add(FULL_RETRY_EVERY_MS);
    ports.clock.sleep_until(again).await;
}

async fn call(state: &State, ports: &Ports, scope: &Scope, turn: u64, index: usize, send: Say<'_>) {
    let again = state
        .lanes
        .get(scope)
        .and_then(|l| l.calls.get(index))
        .is_some_and(|c| c.again);
    let result = match find_call(ports, turn, index) {
        Ok(call) => ports.executor.call(state, index, &call, again).await,
        Err(why) => overnight_core::turn::CallResult {
            shown: why,
            ..Default::default()
        },
    };
    send(Message::Event(Box::new(Event {
        scope: scope.clone(),
        at: ports.clock.now(),
        fact: Fact::CallEnded {
            turn,
            index,
            result: Box::new(result),
        },
    })));
}

/// The call's arguments are in the answer's blob, which the executor has heard of last.
fn find_call(ports: &Ports, turn: u64, index: usize) -> Result<Call, String> {
    let answer = ports
        .executor
        .last_answer(turn)
        .ok_or("the answer of this turn is not known")?;
    let bytes = ports
        .journal
        .get(&answer)
        .map_err(|e| format!("the answer cannot be read: {e}"))?;
    let answer: Answer =
        serde_json::from_slice(&bytes).map_err(|e| format!("the answer cannot be read: {e}"))?;
    answer
        .calls
        .into_iter()
        .nth(index)
        .ok_or_else(|| format!("the answer has no call {index}"))
}

async fn verify(
    state: &State,
    ports: &Ports,
    known: &Known,
    whose: &Scope,
    tree: &TreeId,
    say: &(dyn Fn(Fact) + Send + Sync),
) {
    let wanted = to_verify(state);
    let target = Target::Candidate(tree.clone());
    let candidate = match known.candidate(ports.journal.as_ref(), whose, tree) {
        Ok(candidate) => candidate,
        Err(why) => return say(failed("the candidate is not known", &why)),
    };
    let Some(base) = &state.base else { return };
    let examined = state.checks.contains_key(&CheckId::from(ORACLE_CHECK));
    let amiss = match wanted.contains(&CheckId::from(SCOPE_CHECK)) {
        true => worklist::amiss(state, ports, known, &candidate).await,
        false => Ok(Vec::new()),
    };
    let amiss = match amiss {
        Ok(amiss) => amiss,
        Err(why) => {
            return say(Fact::HarnessFailed {
                message: format!("the change could not be looked at: {why}"),
                fatal: false,
            });
        }
    };
    let verification = Verification {
        goal: &state.goal,
        base: &base.tree,
        candidate: &candidate,
        verifier: ports.verifier.as_ref(),
        amiss,
        oracle: examined.then_some(ports.oracle.as_ref()),
    };
    verification
        .run(
            &|id| wanted.contains(id),
            &|id| base_observations(state, ports, id),
            &|verified: Verified<'_>| {
                let receipt = match verified.observation {
                    None => Receipt {
                        tree: Some(tree.clone()),
                        ..Receipt::default()
                    },
                    Some(now) => receipt(ports, now, std::slice::from_ref(now), tree),
                };
                say(Fact::CheckReported {
                    report: Box::new(preflight::report(
                        verified.check,
                        &target,
                        verified.judgement,
                        receipt,
                    )),
                });
            },
        )
        .await;
    if state.item.is_some() {
        worklist::verify_own(state, ports, known, &candidate, say).await;
    }
}

fn base_observations(state: &State, ports: &Ports, id: &CheckId) -> Option<Vec<Observation>> {
    let blob = state.checks.get(id)?.base.as_ref()?.observation.as_ref()?;
    let bytes = ports.journal.get(blob).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn receipt(ports: &Ports, now: &Observation, runs: &[Observation], tree: &TreeId) -> Receipt {
    let output = String::from_utf8_lossy(&now.output);
    Receipt {
        command: now.command.clone(),
        exit: now.exit,
        output: (!output.is_empty())
            .then(|| ports.journal.put(output.as_bytes()).ok())
            .flatten(),
        observation: serde_json::to_vec(runs)
            .ok()
            .and_then(|bytes| ports.journal.put(&bytes).ok()),
        tree: Some(tree.clone()),
        environment: ports.verifier.environment(),
        duration_ms: now.duration_ms,
    }
}

async fn deliver(state: &State, ports: &Ports, say: &(dyn Fn(Fact) + Send + Sync)) {
    let nothing = |tree: TreeId| Fact::Delivered {
        delivered: Delivered::Nothing,
        tree,
    };
    let (Some(candidate), Some(base)) = (&state.candidate, &state.base) else {
        return say(nothing(TreeId::default()));
    };
    let unchanged = candidate.tree == base.tree;
    if !state.delivers() || state.goal.deliver == Deliver::None || unchanged {
        return say(nothing(candidate.tree.clone()));
    }
    let gate = state
        .checks
        .get(&CheckId::from(SCOPE_CHECK))
        .and_then(|c| c.latest.as_ref());
    let clean = gate.is_some_and(|l| l.tree == candidate.tree && l.verdict == Verdict::Pass);
    if !clean {
        let message =
            "the work touches paths that the goal does not let change, so nothing was delivered"
                .to_owned();
        return say(Fact::DeliveryFailed { message });
    }
    const MS_PER_S: u64 = 1_000;
    let delivery = Delivery {
        branch: state.branch(),
        base: base.commit.clone(),
        tip: state
            .worklist
            .as_ref()
            .and_then(|list| list.tip.as_ref())
            .map(|tip| tip.commit.clone()),
        replaces: state.branch_at.clone(),
        tree: candidate.tree.clone(),
        message: message(state),
        identity: base.identity.clone(),
        at_s: candidate.fixed_at / MS_PER_S,
    };
    say(match ports.forge.deliver(&delivery).await {
        Ok(delivered) => Fact::Delivered {
            delivered,
            tree: delivery.tree,
        },
        Err(message) => Fact::DeliveryFailed { message },
    });
}

/// The commit message: the last claim's summary, and trailers that lead back to the run. Work of a run that is not
/// complete says so in its subject.
fn message(state: &State) -> String {
    let lane = state.lanes.get(&Scope::Run);
    let said = lane
        .and_then(|l| l.last_claim.as_deref())
        .unwrap_or(&state.goal.outcome);
    let complete = matches!(&state.stop, Some(StopReason::Complete(_)));
    let mark = if complete { "" } else { "[incomplete] " };
    let status = state.stop.as_ref().map_or("unknown", StopReason::word);
    format!(
        "{}Overnight-Run: {}\nOvernight-Status: {status}\n",
        headed(mark, said),
        state.run
    )
}

/// A model's words as a commit message, as far as its trailers: a subject of usual length, and the rest under it.
pub(crate) fn headed(mark: &str, said: &str) -> String {
    let said = overnight_core::judge::plain(said);
    let (first, rest) = said.trim().split_once('\n').unwrap_or((said.trim(), ""));
    let first = format!("{mark}{first}");
    let subject: String = first.chars().take(SUBJECT_CHARS_MAX).collect();
    let over: String = first.chars().skip(SUBJECT_CHARS_MAX).collect();
    // What looks like a trailer in the model's words must not be read as one of ours.
    let body = format!("{over}\n{}", rest.trim()).replace("Overnight-", "overnight-");
    match body.trim() {
        "" => format!("{subject}\n\n"),
        body => format!("{subject}\n\n{body}\n\n"),
    }
}

/// Writes the report. Where it cannot be written the run has still ended; the journal can render one at any time.
async fn report_when_there_is_room(ports: &Ports, send: Say<'_>) -> String {
    loop {
        match write_report(ports) {
            Ok(path) => return path,
            Err(Unwritten::Full(why)) => wait_for_the_disk(ports, &why, send).await,
            Err(Unwritten::Failed(why)) => return format!("(not written: {why})"),
        }
    }
}

/// Why there is no report.
enum Unwritten {
    Full(String),
    Failed(String),
}

impl From<JournalError> for Unwritten {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Full { .. } => Unwritten::Full(error.to_string()),
            other => Unwritten::Failed(other.to_string()),
        }
    }
}

fn write_report(ports: &Ports) -> Result<String, Unwritten> {
    let failed = |e: &dyn std::fmt::Display| Unwritten::Failed(e.to_string());
    let folding = crate::reading::fold(ports.journal.as_ref()).map_err(|e| match e {
        crate::run::EngineError::Journal(error) => Unwritten::from(error),
        other => failed(&other),
    })?;
    let report = folding.report().map_err(|e| failed(&e))?;
    let json = serde_json::to_vec_pretty(&report).map_err(|e| failed(&e))?;
    ports.journal.publish("report.json", &json)?;
    let text = to_markdown(&report, &ports.time);
    let path = ports.journal.publish("report.md", text.as_bytes())?;
    Ok(path.display().to_string())
}
