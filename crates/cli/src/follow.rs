//! A run's journal, followed event by event: each is read once, whoever wrote it.

use overnight_core::event::Event;
use overnight_core::state::State;
use overnight_core::step::{StepError, begin, step};
use overnight_engine::EngineError;
use overnight_ports::journal::{Journal, Stored};

/// How far a journal has been read, and what it adds up to there.
#[derive(Default)]
pub struct Follower {
    read: u64,
    state: Option<State>,
}

impl Follower {
    /// Reads what is new, and tells each event with the state that it led to.
    pub fn advance(
        &mut self,
        journal: &dyn Journal,
        mut each: impl FnMut(&Event, &State),
    ) -> Result<(), EngineError> {
        let mut failed: Option<StepError> = None;
        let Follower { read, state } = self;
        journal.read(*read + 1, &mut |stored: Stored| {
            if failed.is_some() {
                return;
            }
            *read = stored.seq;
            let advanced = match state.take() {
                None => begin(&stored.event),
                Some(now) => step(now, &stored.event).map(|(state, _)| state),
            };
            match advanced {
                Ok(advanced) => {
                    each(&stored.event, &advanced);
                    *state = Some(advanced);
                }
                Err(e) => failed = Some(e),
            }
        })?;
        failed.map_or(Ok(()), |e| Err(e.into()))
    }

    /// The state after what was read.
    pub fn state(&self) -> Result<&State, EngineError> {
        self.state.as_ref().ok_or(EngineError::Empty)
    }

    /// Whether the run is over, for good or until a person speaks.
    pub fn ended(&self) -> bool {
        self.state.as_ref().is_some_and(State::ended)
    }
}
