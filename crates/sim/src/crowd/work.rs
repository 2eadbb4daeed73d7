//! One run of very many turns, each with a call, some with notes, a plan or a claim that does not hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use overnight_core::event::{Event, Fact};
use overnight_core::ids::{BlobId, Scope};
use overnight_core::state::State;
use overnight_core::turn::{Call, CallResult, ModelErrorKind, PlanStatus, PlanStep, Said, Usage};
use overnight_engine::Engine;
use overnight_ports::journal::BlobSink;
use overnight_ports::model::{Answer, ModelError};
use overnight_ports::site::Executor;
use overnight_store::RunStore;
use tokio::sync::mpsc;

use super::ports::{Beat, Heard, Last, ports};

/// How long a call's output is, bytes, before it is varied.
const OUTPUT_BYTES: usize = 2 * 1024;

/// How often a note says the same: long enough that the oldest have to give way soon.
const NOTE_REPEATS: usize = 20;

/// What a long run came to.
#[derive(Debug)]
pub struct Length {
    /// Serialised state when a turn was answered, bytes, by turn.
    pub state_bytes: BTreeMap<u64, usize>,
    /// Events.
    pub events: u64,
}

/// The model of a long run.
struct Worker {
    turns: u64,
    journal: Arc<RunStore>,
    last: Last,
}

#[async_trait]
impl Executor for Worker {
    fn learn(&self, event: &Event) {
        self.last.learn(event);
    }

    async fn answer(&self, state: &State) -> Result<Answer, ModelError> {
        let turn = state.lanes.get(&Scope::Run).map_or(0, |lane| lane.turn) + 1;
        if turn > self.turns {
            return Err(ModelError {
                kind: ModelErrorKind::ScriptEnded,
                message: "there are no more turns".into(),
                retry_after_ms: None,
                usage: Usage::default(),
            });
        }
        let name = match turn {
            turn if turn.is_multiple_of(100) => "claim_done",
            turn if turn.is_multiple_of(10) => "notes",
            turn if turn.is_multiple_of(7) => "plan",
            _ => "shell",
        };
        Ok(Answer {
            text: format!("Turn {turn}: on with it."),
            calls: vec![Call {
                id: format!("call-{turn}"),
                name: name.into(),
                arguments: format!("{{\"command\": \"step {turn}\"}}"),
            }],
            usage: Usage {
                input: 10_000,
                cached: 9_000,
                output: 200,
            },
            ..Answer::default()
        })
    }

    fn last_answer(&self, turn: u64) -> Option<BlobId> {
        self.last.of(turn)
    }

    fn line(&self, call: &Call) -> String {
        format!("{} {}", call.name, call.arguments)
    }

    async fn call(&self, state: &State, _: usize, call: &Call, _: bool) -> CallResult {
        let turn = state.lanes.get(&Scope::Run).map_or(0, |lane| lane.turn);
        let line = format!("turn {turn} prints this line\n");
        let output = line.repeat((OUTPUT_BYTES / line.len()) * (1 + turn as usize % 3));
        let said = match call.name.as_str() {
            "claim_done" => Some(Said::Claim {
                summary: format!("Claim of turn {turn}"),
            }),
            "notes" => Some(Said::Notes {
                text: format!("Turn {turn} found nothing that anybody has to know. ")
                    .repeat(NOTE_REPEATS),
                replace: false,
            }),
            "plan" => Some(Said::Plan {
                steps: (0..5)
                    .map(|step| PlanStep {
                        step: format!("Step {step} of turn {turn}"),
                        status: PlanStatus::Open,
                    })
                    .collect(),
            }),
            _ => None,
        };
        CallResult {
            ok: true,
            exit: Some(0),
            output: self.journal.put(output.as_bytes()).ok(),
            shown: output,
            said,
            ..CallResult::default()
        }
    }
}

/// Plays a run of so many turns, with its journal below `home`.
pub async fn work(home: &Path, turns: u64) -> Result<(Length, Arc<RunStore>), String> {
    let created = super::created(0)?;
    let journal = super::journal(home, &created)?;
    let mut found = Length {
        state_bytes: BTreeMap::new(),
        events: 0,
    };
    let worker = Worker {
        turns,
        journal: journal.clone(),
        last: Last::default(),
    };
    let ports = ports(
        Arc::new(Beat::new(super::START)),
        journal.clone(),
        Arc::new(worker),
    );
    let mut watcher = Heard(|event: &Event, state: &State| {
        found.events += 1;
        if let Fact::ModelAnswered { turn, .. } = &event.fact {
            let bytes = serde_json::to_vec(state).map_or(0, |bytes| bytes.len());
            found.state_bytes.insert(*turn, bytes);
        }
    });
    let (_press, mut interrupt) = mpsc::unbounded_channel();
    let mut engine = Engine::create(ports, created, &mut watcher).map_err(|e| e.to_string())?;
    let ended = engine.run(&mut watcher, &mut interrupt).await;
    ended.map_err(|e| e.to_string())?;
    drop(engine);
    Ok((found, journal))
}
