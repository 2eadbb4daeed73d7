//! The world of runs in which nothing happens: a clock, a workspace without files, checks that never pass.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use overnight_core::check::Observation;
use overnight_core::event::{Event, Fact};
use overnight_core::goal::Goal;
use overnight_core::ids::{BlobId, TreeId, UnixMs};
use overnight_core::notification::Channel;
use overnight_core::repo::{Base, Candidate, Delivered};
use overnight_core::state::State;
use overnight_engine::{Ports, Shelf, Watcher};
use overnight_ports::clock::Clock;
use overnight_ports::forge::{Delivery, Forge};
use overnight_ports::notifier::{Message, Notifier};
use overnight_ports::oracle::{Examined, Oracle};
use overnight_ports::site::{Executor, Fixed, Site};
use overnight_ports::verifier::{Probe, Verifier};
use overnight_store::RunStore;
use tokio::time::Instant;

/// A clock that shows the runtime's own time: the real one, or the one that a test lets pass.
pub struct Beat {
    wall: UnixMs,
    since: Instant,
}

impl Beat {
    /// A clock that says `wall` now.
    pub fn new(wall: UnixMs) -> Beat {
        Beat {
            wall,
            since: Instant::now(),
        }
    }
}

#[async_trait]
impl Clock for Beat {
    fn now(&self) -> UnixMs {
        let passed = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.wall.saturating_add(passed)
    }

    async fn sleep_until(&self, until: UnixMs) {
        // In steps, as the real clock does.
        const NAP: Duration = Duration::from_secs(30);
        loop {
            let left = until.saturating_sub(self.now());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left).min(NAP)).await;
        }
    }
}

/// Everything else outside.
pub struct Nothing;

#[async_trait]
impl Site for Nothing {
    async fn prepare(&self, _: &State) -> Result<Base, String> {
        Ok(Base {
            commit: "base".into(),
            tree: "base".into(),
            identity: "Ann <ann@example.org>".into(),
            ..Base::default()
        })
    }

    async fn reopen(&self, _: &State, _: &[BlobId]) -> Result<(), String> {
        Ok(())
    }

    async fn fix(&self, _: &State) -> Result<Fixed, String> {
        Ok(Fixed {
            candidate: Candidate {
                tree: "base".into(),
                changes: Vec::new(),
                artefacts: Vec::new(),
            },
            delta: None,
            denials: Vec::new(),
            stopped: Vec::new(),
        })
    }

    async fn close(&self) {}
}

#[async_trait]
impl Verifier for Nothing {
    async fn observe(&self, _: &TreeId, _: &Probe) -> Observation {
        Observation {
            exit: Some(1),
            ..Observation::default()
        }
    }

    fn environment(&self) -> String {
        "simulated".into()
    }
}

#[async_trait]
impl Oracle for Nothing {
    async fn examine(&self, _: &Goal, base: &TreeId, _: &Candidate) -> Result<Examined, String> {
        Ok(Examined {
            offences: Vec::new(),
            notes: Vec::new(),
            laid: base.clone(),
            strict: base.clone(),
            reverse: base.clone(),
            canary: base.clone(),
            mark: "canary".into(),
        })
    }

    fn steering(&self, _: &[String]) -> Vec<String> {
        Vec::new()
    }
}

#[async_trait]
impl Forge for Nothing {
    async fn deliver(&self, _: &Delivery) -> Result<Delivered, String> {
        Ok(Delivered::Nothing)
    }
}

#[async_trait]
impl Notifier for Nothing {
    async fn send(&self, _: &Channel, _: &Message) -> Result<(), String> {
        Ok(())
    }
}

impl Shelf for Nothing {
    fn get(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn put(&self, _: &str, _: &[u8]) {}
}

/// The answer that an executor has to name after it was kept.
#[derive(Default)]
pub struct Last(Mutex<Option<(u64, BlobId)>>);

impl Last {
    /// Hears an event.
    pub fn learn(&self, event: &Event) {
        if let Fact::ModelAnswered { turn, answer, .. } = &event.fact {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((*turn, answer.clone()));
        }
    }

    /// The blob of this turn's answer, if it is the latest.
    pub fn of(&self, turn: u64) -> Option<BlobId> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref()
            .filter(|(latest, _)| *latest == turn)
            .map(|(_, blob)| blob.clone())
    }
}

/// The ports of a run in which nothing happens but what its executor does.
pub fn ports(clock: Arc<Beat>, journal: Arc<RunStore>, executor: Arc<dyn Executor>) -> Ports {
    let nothing = Arc::new(Nothing);
    Ports {
        clock,
        journal,
        site: nothing.clone(),
        executor,
        verifier: nothing.clone(),
        oracle: nothing.clone(),
        forge: nothing.clone(),
        notifier: nothing.clone(),
        shelf: nothing,
        worklist: None,
        time: |ms| ms.to_string(),
    }
}

/// A watcher that hands every event on.
pub struct Heard<F>(pub F);

impl<F: FnMut(&Event, &State) + Send> Watcher for Heard<F> {
    fn event(&mut self, event: &Event, state: &State) {
        (self.0)(event, state);
    }

    fn note(&mut self, _: &str) {}
}
