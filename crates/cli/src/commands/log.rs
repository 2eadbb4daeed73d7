//! `overnight log`: a run's events, as lines or as JSON.

use std::io::Write;
use std::time::Duration;

use crate::args::LogArgs;
use crate::follow::Follower;
use crate::lines::PlainLines;

/// How often `--follow` looks for new events.
pub const FOLLOW_EVERY: Duration = Duration::from_millis(250);

/// Prints them.
pub async fn log(args: &LogArgs) -> anyhow::Result<u8> {
    let (_, store) = super::look(&args.run)?;
    let mut follower = Follower::default();
    let mut plain = PlainLines::new(None);
    loop {
        follower.advance(&store, |event, state| {
            if !args.json {
                plain.print(event, state);
                return;
            }
            let mut out = std::io::stdout().lock();
            if serde_json::to_writer(&mut out, event).is_ok() {
                let _ = writeln!(out);
            }
        })?;
        if !args.follow || follower.ended() {
            return Ok(0);
        }
        tokio::time::sleep(FOLLOW_EVERY).await;
    }
}
