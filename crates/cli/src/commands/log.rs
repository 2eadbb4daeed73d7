//! `overnight log`: a run's events, as lines or as JSON.

use std::io::Write;
use std::time::Duration;

use overnight_core::state::State;
use overnight_core::step::{StepError, begin, step};
use overnight_ports::journal::{Journal, Stored};

use crate::args::LogArgs;
use crate::lines::PlainLines;

/// How often `--follow` looks for new events.
const FOLLOW_EVERY: Duration = Duration::from_millis(250);

/// Prints them.
pub async fn log(args: &LogArgs) -> anyhow::Result<u8> {
    let (_, store) = super::look(&args.run)?;
    let mut state: Option<State> = None;
    let mut next = 1;
    let mut plain = PlainLines::new(None);
    loop {
        let mut failed: Option<StepError> = None;
        store.read(next, &mut |stored: Stored| {
            next = stored.seq + 1;
            if args.json {
                let mut out = std::io::stdout().lock();
                if serde_json::to_writer(&mut out, &stored.event).is_ok() {
                    let _ = writeln!(out);
                }
            }
            let advanced = match state.take() {
                None => begin(&stored.event),
                Some(now) => step(now, &stored.event).map(|(state, _)| state),
            };
            match advanced {
                Ok(advanced) => {
                    if !args.json {
                        plain.print(&stored.event, &advanced);
                    }
                    state = Some(advanced);
                }
                Err(e) => failed = failed.take().or(Some(e)),
            }
        })?;
        if let Some(e) = failed {
            return Err(e.into());
        }
        if !args.follow || state.as_ref().is_some_and(State::ended) {
            return Ok(0);
        }
        tokio::time::sleep(FOLLOW_EVERY).await;
    }
}
