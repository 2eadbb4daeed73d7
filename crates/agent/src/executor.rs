//! The built-in executor: one conversation with one model.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use overnight_core::event::{Event, Fact};
use overnight_core::goal::McpAt;
use overnight_core::ids::{BlobId, Scope};
use overnight_core::item::Dossier;
use overnight_core::judge::clip;
use overnight_core::state::{State, WINDOW_TURNS_MAX};
use overnight_core::turn::{Call, CallResult, Denial};
use overnight_core::worklist::ItemWork;
use overnight_ports::clock::Clock;
use overnight_ports::model::{Answer, Model, ModelError, ModelErrorKind, Request};
use overnight_ports::site::Executor;

use crate::context::Context;
use crate::item;
use crate::policy::WHAT_BYTES_MAX;
use crate::prompt;
use crate::repeats::{Repeats, fingerprint};
use crate::servers::OfferedTool;
use crate::tools;
use crate::transcript::Transcript;
use crate::worksite::{Worksite, bounded};

/// How many denials one result names.
const DENIALS_NAMED_MAX: usize = 20;

/// Asks a model and performs the tools on a [`Worksite`].
pub struct BuiltIn {
    model: Arc<dyn Model>,
    site: Arc<Worksite>,
    clock: Arc<dyn Clock>,
    goal_file: String,
    past: Mutex<Transcript>,
    /// The tools of the goal's servers, as they were when the run began. Items have the run's.
    offered: Arc<Mutex<Arc<Vec<OfferedTool>>>>,
    /// Whether it goes round in circles. In memory only: a restart begins the count anew.
    repeats: Mutex<Repeats>,
    /// What an item's source says of it, once it was read.
    dossier: Mutex<Option<(BlobId, Arc<Dossier>)>>,
}

impl BuiltIn {
    /// An executor at the beginning of a run; [`Executor::learn`] tells it what has happened since.
    pub fn new(
        model: Arc<dyn Model>,
        site: Arc<Worksite>,
        clock: Arc<dyn Clock>,
        goal_file: String,
    ) -> Self {
        let past = Mutex::new(Transcript::new(WINDOW_TURNS_MAX as usize));
        BuiltIn {
            model,
            site,
            clock,
            goal_file,
            past,
            offered: Arc::default(),
            repeats: Mutex::default(),
            dossier: Mutex::default(),
        }
    }

    /// One that works on an item of this run's worklist, in a conversation of its own on a site of its own.
    pub fn for_item(&self, site: Arc<Worksite>) -> Self {
        BuiltIn {
            offered: self.offered.clone(),
            ..BuiltIn::new(
                self.model.clone(),
                site,
                self.clock.clone(),
                self.goal_file.clone(),
            )
        }
    }

    /// The tools of servers that may be used here. A conversation that reads what came from outside has none that could
    /// carry it away: of the servers those that run in the cell, which has no network.
    fn offered(&self, state: &State) -> Arc<Vec<OfferedTool>> {
        let all = self
            .offered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if state.item.is_none() {
            return all;
        }
        let servers = &state.goal.uses.mcp;
        let inside = |tool: &&OfferedTool| {
            let mut of = servers.iter().filter(|server| server.name == tool.server);
            of.any(|server| matches!(server.at, McpAt::Run { .. }))
        };
        Arc::new(all.iter().filter(inside).cloned().collect())
    }

    /// What an item's source says of it.
    fn dossier(&self, work: &ItemWork) -> Result<Arc<Dossier>, String> {
        let mut read = self.dossier.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, dossier)) = read.as_ref().filter(|(id, _)| *id == work.dossier) {
            return Ok(dossier.clone());
        }
        let failed =
            |why: String| format!("what the source says of the item cannot be read: {why}");
        let bytes = self.site.blobs().get(&work.dossier);
        let bytes = bytes.map_err(|e| failed(e.to_string()))?;
        let dossier: Dossier = serde_json::from_slice(&bytes).map_err(|e| failed(e.to_string()))?;
        let dossier = Arc::new(dossier);
        *read = Some((work.dossier.clone(), dossier.clone()));
        Ok(dossier)
    }

    fn request(&self, state: &State) -> Result<Request, String> {
        let ready = self.site.ready()?;
        let root = ready.inside().display().to_string();
        let turn = state.lanes.get(&Scope::Run).map_or(0, |l| l.turn) + 1;
        let offered = self.offered(state);
        let mut guidance = ready.guidance.clone();
        if !offered.is_empty() {
            guidance.push_str(prompt::SERVERS);
        }
        let (instructions, head) = match &state.item {
            None => (
                prompt::INSTRUCTIONS,
                vec![prompt::contract(&self.goal_file, &root, &guidance)],
            ),
            Some(work) => (
                item::INSTRUCTIONS,
                vec![
                    item::contract(&self.goal_file, &guidance, state),
                    item::opening(work, self.dossier(work)?.as_ref(), &root, &state.run),
                ],
            ),
        };
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let name = self.model.name();
        Ok(Request {
            model: name
                .split_once('/')
                .map_or(name, |(_, model)| model)
                .to_owned(),
            instructions: instructions.to_owned(),
            tools: tools::specs(state, &offered),
            entries: prompt::entries(head, &past, state),
            cache_key: state.run.to_string(),
            turn,
            item: state.item.as_ref().map(|work| work.head.id.to_string()),
        })
    }
}

#[async_trait]
impl Executor for BuiltIn {
    fn learn(&self, event: &Event) {
        let blobs = self.site.blobs().clone();
        if let Fact::Prepared {
            offer: Some(offer), ..
        } = &event.fact
        {
            // A blob that cannot be read leaves the run without these tools, and calls to them say so.
            let bytes = blobs.get(&offer.tools).unwrap_or_default();
            let tools: Vec<OfferedTool> = serde_json::from_slice(&bytes).unwrap_or_default();
            *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(tools);
        }
        self.past
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .learn(event, blobs.as_ref());
    }

    async fn answer(&self, state: &State) -> Result<Answer, ModelError> {
        let request = self.request(state).map_err(|message| ModelError {
            kind: ModelErrorKind::Refused,
            message,
            retry_after_ms: None,
            usage: Default::default(),
        })?;
        self.model.answer(&request).await
    }

    async fn reachable(&self) -> bool {
        self.model.reachable().await
    }

    fn last_answer(&self, turn: u64) -> Option<BlobId> {
        self.past
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last_answer(turn)
    }

    fn line(&self, call: &Call) -> String {
        tools::line(call)
    }

    async fn call(&self, state: &State, index: usize, call: &Call, again: bool) -> CallResult {
        let started = Instant::now();
        let ready = match self.site.ready() {
            Ok(ready) => ready,
            Err(why) => return failed(why),
        };
        if again && let Err(why) = ready.restore().await {
            return failed(format!(
                "The workspace could not be put back to its last snapshot: {why}. Look at its state before you go on."
            ));
        }
        let blobs = self.site.blobs().clone();
        let offered = self.offered(state);
        let cx = Context {
            state,
            ready: &ready,
            blobs: blobs.as_ref(),
            now: self.clock.now(),
            past: &self.past,
            offered: &offered,
        };
        let outcome = tools::perform(call, &cx).await;
        let this = fingerprint(call, &outcome);
        let turn = state.lanes.get(&Scope::Run).map_or(0, |l| l.turn);
        let mut result = outcome.into_result(&format!("@out/{turn}.{index}"), |whole| {
            blobs.put(whole).ok()
        });
        // Tools that cannot have touched a file spare the look, unless something else may have.
        let looks = matches!(call.name.as_str(), "shell" | "write" | "edit" | "wait")
            || offered.iter().any(|tool| tool.spec.name == call.name)
            || ready.busy();
        if looks {
            match ready.traces(&state.artefacts).await {
                Ok(traces) => {
                    result.shown.push_str(&put_back(&traces.denials));
                    if !traces.stopped.is_empty() {
                        result.shown.push_str(&format!(
                            "\n[{} went on changing what is denied and was stopped]",
                            traces.stopped.join(", ")
                        ));
                    }
                    result.delta = traces.delta;
                    result.touched = traces.touched;
                    result.denials.extend(traces.denials);
                }
                Err(why) => {
                    result.ok = false;
                    result
                        .shown
                        .push_str(&format!("\n[the workspace could not be looked at: {why}]"));
                }
            }
        }
        let repeated = self
            .repeats
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .see(this, result.delta.is_some());
        result.shown.push_str(&repeated.unwrap_or_default());
        result.denials.extend(ready.denied_hosts().await);
        result.denials = bounded(result.denials);
        result.duration_ms = started.elapsed().as_millis() as u64;
        result
    }
}

/// What the model is told of changes that were put back: the first few, and how many more.
fn put_back(denials: &[Denial]) -> String {
    let mut text = String::new();
    for denial in denials.iter().take(DENIALS_NAMED_MAX) {
        text.push_str(&format!(
            "\n[denied by `{}`: `{}` was changed and has been put back]",
            denial.rule,
            clip(&denial.what, WHAT_BYTES_MAX)
        ));
    }
    if denials.len() > DENIALS_NAMED_MAX {
        let more = denials.len() - DENIALS_NAMED_MAX;
        text.push_str(&format!(
            "\n[and {more} more paths were denied and have been put back]"
        ));
    }
    text
}

fn failed(why: String) -> CallResult {
    CallResult {
        shown: why,
        ..CallResult::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_denials_are_told_in_few_lines() {
        let denials: Vec<Denial> = (0..50_000)
            .map(|n| Denial {
                rule: "use.paths".into(),
                what: format!("{}/{n}", "long/".repeat(100)),
            })
            .collect();
        let text = put_back(&denials);
        assert!(
            text.len() < 8 * 1024 && text.lines().count() == 22,
            "{text}"
        );
        assert!(text.ends_with("[and 49980 more paths were denied and have been put back]"));
        assert_eq!(put_back(&denials[..2]).lines().count(), 3);
        assert_eq!(put_back(&[]), "");
    }
}
