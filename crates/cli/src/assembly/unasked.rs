//! The model and the source of a process that only ends a run. Ending asks neither, so neither a key nor a script nor a
//! token is needed for it.

use async_trait::async_trait;
use overnight_core::item::{Dossier, Item, Verb};
use overnight_ports::model::{Answer, Model, ModelError, ModelErrorKind, Request, Usage};
use overnight_ports::source::{Act, ActReceipt, Source, SourceError};

/// What whoever asks all the same is told.
const ONLY_ENDS: &str = "this process was only to end the run: `overnight resume` goes on";

/// A model that is never asked; if it is, it refuses.
pub struct Unasked {
    name: String,
    scripted: bool,
}

impl Unasked {
    /// In the place of the run's own model.
    pub fn new(name: &str, scripted: bool) -> Unasked {
        Unasked {
            name: name.to_owned(),
            scripted,
        }
    }
}

#[async_trait]
impl Model for Unasked {
    fn name(&self) -> &str {
        &self.name
    }

    fn scripted(&self) -> bool {
        self.scripted
    }

    async fn answer(&self, _: &Request) -> Result<Answer, ModelError> {
        Err(ModelError {
            kind: ModelErrorKind::Refused,
            message: ONLY_ENDS.into(),
            retry_after_ms: None,
            usage: Usage::default(),
        })
    }
}

/// A source that is never asked; if it is, it refuses.
pub(super) struct UnaskedSource {
    /// The kind of the goal's own.
    pub from: String,
}

impl UnaskedSource {
    fn refuses<T>(&self) -> Result<T, SourceError> {
        Err(SourceError::Refused(ONLY_ENDS.into()))
    }
}

#[async_trait]
impl Source for UnaskedSource {
    fn describe(&self) -> String {
        self.from.clone()
    }

    async fn list(
        &self,
        _: &mut (dyn FnMut(Item) -> bool + Send),
    ) -> Result<Vec<String>, SourceError> {
        self.refuses()
    }

    async fn read(&self, _: &Item) -> Result<Dossier, SourceError> {
        self.refuses()
    }

    fn verbs(&self) -> Vec<Verb> {
        Vec::new()
    }

    async fn probe(&self, _: &Act) -> Result<Option<ActReceipt>, SourceError> {
        self.refuses()
    }

    async fn act(&self, _: &Act) -> Result<ActReceipt, SourceError> {
        self.refuses()
    }
}
