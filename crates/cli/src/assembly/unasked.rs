//! The model of a process that only ends a run. Ending asks no model, so neither a key nor a script is needed for it.

use async_trait::async_trait;
use overnight_ports::model::{Answer, Model, ModelError, ModelErrorKind, Request, Usage};

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
            message: "this process was only to end the run: `overnight resume` goes on".into(),
            retry_after_ms: None,
            usage: Usage::default(),
        })
    }
}
