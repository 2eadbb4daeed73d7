//! Reading a whole journal for the report, event by event: a long run's events are never in memory all at once.

use overnight_core::event::Event;
use overnight_core::report::Folding;
use overnight_core::step::StepError;
use overnight_ports::journal::Journal;

use crate::run::EngineError;

/// What a run's journal adds up to, as the report tells it.
pub fn fold(journal: &dyn Journal) -> Result<Folding, EngineError> {
    let mut folding: Option<Folding> = None;
    let mut wrong: Option<StepError> = None;
    let mut add = |event: Event| -> Result<(), StepError> {
        match &mut folding {
            Some(folding) => folding.add(&event),
            None => {
                folding = Some(Folding::begin(event)?);
                Ok(())
            }
        }
    };
    journal.read(1, &mut |stored| {
        if wrong.is_none() {
            wrong = add(stored.event).err();
        }
    })?;
    match wrong {
        Some(wrong) => Err(wrong.into()),
        None => folding.ok_or(EngineError::Empty),
    }
}
