//! Performing effects: each does one thing to the world and sends the facts that come of it.

use std::sync::{Arc, Mutex};

use overnight_core::check::{Observation, Receipt, Target, Verdict};
use overnight_core::effect::{Effect, to_verify};
use overnight_core::event::{Event, Fact};
use overnight_core::goal::Deliver;
use overnight_core::ids::{BlobId, CheckId, Scope, TreeId};
use overnight_core::judge::clip;
use overnight_core::repo::{Candidate, Delivered};
use overnight_core::report::to_markdown;
use overnight_core::state::{ORACLE_CHECK, SCOPE_CHECK, State};
use overnight_core::stop::StopReason;
use overnight_core::turn::{Call, CallHead};
use overnight_ports::clock::Clock;
use overnight_ports::forge::{Delivery, Forge};
use overnight_ports::journal::Journal;
use overnight_ports::model::Answer;
use overnight_ports::notifier::Notifier;
use overnight_ports::oracle::Oracle;
use overnight_ports::site::{Executor, Site};
use overnight_ports::verifier::Verifier;

use crate::notification::notify;
use crate::preflight::{self, Shelf};
use crate::verification::{Verification, Verified};

/// How much of an answer's text its event holds, bytes; the whole is a blob.
const TEXT_BYTES_MAX: usize = 2 * 1024;
/// Length of a commit's subject, characters: what `git log --oneline` shows well.
const SUBJECT_CHARS_MAX: usize = 72;

/// How long after a look at the network the next one is, at first, milliseconds; doubled with every one.
const REACH_FIRST_MS: u64 = 5_000;
/// The longest time between two looks, milliseconds.
const REACH_MAX_MS: u64 = 60_000;

/// Everything that a run needs of the world.
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
    /// How the report writes a time.
    pub time: fn(u64) -> String,
}

/// The candidate that was fixed last, whole: the state holds only its beginning.
pub(crate) type LastCandidate = Mutex<Option<Candidate>>;

/// Performs one effect. Facts go to `send` as they come.
pub(crate) async fn perform(
    effect: &Effect,
    state: &State,
    ports: &Ports,
    last: &LastCandidate,
    send: &(dyn Fn(Event) + Send + Sync),
) {
    let say = |fact: Fact| send(Event::run(ports.clock.now(), fact));
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
        Effect::Baseline => baseline(state, ports, &say).await,
        Effect::AskModel { scope, turn, .. } => ask(state, ports, scope, *turn, send).await,
        Effect::Call { scope, turn, index } => call(state, ports, scope, *turn, *index, send).await,
        Effect::FixCandidate => match ports.site.fix(state).await {
            Ok(fixed) => {
                *last
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner) =
                    Some(fixed.candidate.clone());
                say(Fact::CandidateFixed {
                    candidate: fixed.candidate,
                    delta: fixed.delta,
                    denials: fixed.denials,
                    stopped: fixed.stopped,
                });
            }
            Err(why) => say(failed("the work could not be looked at", &why)),
        },
        Effect::Verify { tree } => verify(state, ports, last, tree, &say).await,
        Effect::Reach { scope } => {
            until_reachable(ports).await;
            send(Event {
                scope: scope.clone(),
                at: ports.clock.now(),
                fact: Fact::NetworkBack,
            });
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
        | Effect::Act { .. } => {}
        Effect::Deliver => deliver(state, ports, &say).await,
        Effect::WriteReport => match write_report(ports) {
            Ok(path) => say(Fact::ReportWritten { path }),
            Err(why) => {
                // Without a report the run has still ended; the journal can render one at any time.
                say(Fact::ReportWritten {
                    path: format!("(not written: {why})"),
                });
            }
        },
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

async fn baseline(state: &State, ports: &Ports, say: &(dyn Fn(Fact) + Send + Sync)) {
    let Some(base) = &state.base else { return };
    let known = |id: &CheckId| state.checks.get(id).is_some_and(|c| c.base.is_some());
    let key = preflight::key(
        &state.goal,
        &state.hidden,
        &base.tree,
        &ports.verifier.environment(),
    );
    let reused = preflight::reuse(&state.goal, ports.shelf.as_ref(), &key, ports.clock.now());
    let (generated, was_kept) = match reused {
        Some(kept) => {
            kept.put_blobs(ports.journal.as_ref());
            for report in kept.reports.into_iter().filter(|r| !known(&r.check)) {
                say(Fact::CheckReported {
                    report: Box::new(report),
                });
            }
            (kept.generated, true)
        }
        None => {
            let found = preflight::run(
                &state.goal,
                &base.tree,
                ports.verifier.as_ref(),
                &known,
                &|found: &preflight::Preflight| {
                    found.put_blobs(ports.journal.as_ref());
                    for report in &found.reports {
                        say(Fact::CheckReported {
                            report: Box::new(report.clone()),
                        });
                    }
                },
            )
            .await;
            if state.checks.values().all(|c| c.base.is_none()) {
                preflight::keep(ports.shelf.as_ref(), &key, &found, ports.clock.now());
            }
            (found.generated, false)
        }
    };
    // What was found before a restart counts as well.
    let mut generated = generated;
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

async fn ask(
    state: &State,
    ports: &Ports,
    scope: &Scope,
    turn: u64,
    send: &(dyn Fn(Event) + Send + Sync),
) {
    let fact = match ports.executor.answer(state).await {
        Ok(answer) => match keep(ports, &answer) {
            Ok(blob) => Fact::ModelAnswered {
                turn,
                answer: blob,
                text: clip(&answer.text, TEXT_BYTES_MAX),
                calls: answer
                    .calls
                    .iter()
                    .map(|c| CallHead {
                        id: c.id.clone(),
                        name: clip(&c.name, 80),
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
    send(Event {
        scope: scope.clone(),
        at: ports.clock.now(),
        fact,
    });
}

fn keep(ports: &Ports, answer: &Answer) -> Result<BlobId, String> {
    let bytes = serde_json::to_vec(answer).map_err(|e| e.to_string())?;
    ports.journal.put(&bytes).map_err(|e| e.to_string())
}

async fn call(
    state: &State,
    ports: &Ports,
    scope: &Scope,
    turn: u64,
    index: usize,
    send: &(dyn Fn(Event) + Send + Sync),
) {
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
    send(Event {
        scope: scope.clone(),
        at: ports.clock.now(),
        fact: Fact::CallEnded {
            turn,
            index,
            result: Box::new(result),
        },
    });
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
    last: &LastCandidate,
    tree: &TreeId,
    say: &(dyn Fn(Fact) + Send + Sync),
) {
    let wanted = to_verify(state);
    let target = Target::Candidate(tree.clone());
    let candidate = match whole_candidate(ports, last, tree) {
        Ok(candidate) => candidate,
        Err(why) => return say(failed("the candidate is not known", &why)),
    };
    let Some(base) = &state.base else { return };
    let examined = state.checks.contains_key(&CheckId::from(ORACLE_CHECK));
    let verification = Verification {
        goal: &state.goal,
        base: &base.tree,
        candidate: &candidate,
        verifier: ports.verifier.as_ref(),
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
}

fn whole_candidate(
    ports: &Ports,
    last: &LastCandidate,
    tree: &TreeId,
) -> Result<Candidate, String> {
    let held = last
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .clone();
    if let Some(candidate) = held.filter(|c| &c.tree == tree) {
        return Ok(candidate);
    }
    // After a restart: the journal has it.
    let mut found = None;
    let read = ports.journal.read(1, &mut |stored| {
        if let Fact::CandidateFixed { candidate, .. } = stored.event.fact
            && &candidate.tree == tree
        {
            found = Some(candidate);
        }
    });
    read.map_err(|e| e.to_string())?;
    found.ok_or_else(|| format!("the journal does not tell of tree {tree}"))
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
    let replaces = match &state.delivered {
        Some(Delivered::Branch { commit, .. }) => Some(commit.clone()),
        _ => None,
    };
    const MS_PER_S: u64 = 1_000;
    let delivery = Delivery {
        branch: state.branch(),
        base: base.commit.clone(),
        replaces,
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
    let said = overnight_core::judge::plain(said);
    let (first, rest) = said.trim().split_once('\n').unwrap_or((said.trim(), ""));
    let complete = matches!(&state.stop, Some(StopReason::Complete(_)));
    let mark = if complete { "" } else { "[incomplete] " };
    let subject: String = format!("{mark}{first}")
        .chars()
        .take(SUBJECT_CHARS_MAX)
        .collect();
    let over: String = format!("{mark}{first}")
        .chars()
        .skip(SUBJECT_CHARS_MAX)
        .collect();
    let mut body = format!("{over}\n{}", rest.trim());
    // What looks like a trailer in the model's words must not be read as one of ours.
    body = body.replace("Overnight-", "overnight-");
    let status = state.stop.as_ref().map_or("unknown", StopReason::word);
    let body = body.trim();
    let gap = if body.is_empty() {
        String::new()
    } else {
        format!("{body}\n\n")
    };
    format!(
        "{subject}\n\n{gap}Overnight-Run: {}\nOvernight-Status: {status}\n",
        state.run
    )
}

fn write_report(ports: &Ports) -> Result<String, String> {
    let folding = crate::reading::fold(ports.journal.as_ref()).map_err(|e| e.to_string())?;
    let report = folding.report().map_err(|e| e.to_string())?;
    let json = serde_json::to_vec_pretty(&report).map_err(|e| e.to_string())?;
    ports
        .journal
        .publish("report.json", &json)
        .map_err(|e| e.to_string())?;
    let text = to_markdown(&report, &ports.time);
    let path = ports
        .journal
        .publish("report.md", text.as_bytes())
        .map_err(|e| e.to_string())?;
    Ok(path.display().to_string())
}
