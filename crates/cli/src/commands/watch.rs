//! `overnight show --watch`: a run that another process works on, as it goes. Everything shown is from its journal.

use std::time::{Duration, Instant};

use overnight_core::state::State;
use overnight_core::step::{Command, decide};
use overnight_core::stop::StopReason;
use overnight_engine::Watcher;
use overnight_ports::clock::Clock;
use overnight_store::RunStore;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::log::FOLLOW_EVERY;
use super::show::screen;
use crate::clock::{SystemClock, local_time};
use crate::follow::Follower;
use crate::lines::{PlainLines, farewell};
use crate::view::{Live, Place, Presence, Press, View, usable};

/// How often it is looked whether a process works on the run.
const PRESENCE_EVERY: Duration = Duration::from_secs(1);

/// Watches until the run has ended or the person leaves.
pub async fn watch(run: &str) -> anyhow::Result<u8> {
    let (_, store) = super::look(run)?;
    let mut follower = Follower::default();
    let mut view = View::default();
    follower.advance(&store, |event, state| view.see(event, state))?;
    if over(follower.state()?) {
        return Ok(tell(follower.state()?));
    }
    if usable() {
        on_a_terminal(&store, follower, view).await
    } else {
        in_lines(&store, follower).await
    }
}

/// Whether nothing can happen any more. A run that waits for a person's word may go on, and is watched.
fn over(state: &State) -> bool {
    let resumable = state.stop.as_ref().is_some_and(StopReason::resumable);
    state.ended() && !resumable
}

/// The exit code of a run that has ended; 0 for one that goes on.
fn code(state: &State) -> u8 {
    let ended = state.stop.as_ref().filter(|_| state.ended());
    ended.map_or(0, |stop| stop.exit_code() as u8)
}

/// Says where the run stands; its exit code.
fn tell(state: &State) -> u8 {
    for line in screen(state, SystemClock.now()) {
        say!("{line}");
    }
    code(state)
}

/// Looks now and then whether somebody works on the run.
struct Look {
    at: Instant,
    presence: Presence,
}

impl Look {
    fn new() -> Look {
        Look {
            at: Instant::now(),
            presence: Presence::Held,
        }
    }

    fn look(&mut self, store: &RunStore) -> Presence {
        if self.at.elapsed() >= PRESENCE_EVERY {
            self.at = Instant::now();
            self.presence = if store.held() {
                Presence::Held
            } else {
                Presence::Nobody
            };
        }
        self.presence
    }
}

async fn on_a_terminal(store: &RunStore, mut follower: Follower, view: View) -> anyhow::Result<u8> {
    let (send, mut pressed) = mpsc::unbounded_channel();
    let mut live = Live::new(view, Place::Watch, move |press| {
        // If nobody hears it any more, the view is about to end.
        let _ = send.send(press);
    });
    let mut terminate = signal(SignalKind::terminate())?;
    let mut look = Look {
        presence: if store.held() {
            Presence::Held
        } else {
            Presence::Nobody
        },
        ..Look::new()
    };
    live.presence(look.presence);
    live.show();
    while live.lit() {
        tokio::select! {
            () = tokio::time::sleep(FOLLOW_EVERY) => {}
            press = pressed.recv() => match press {
                Some(Press::Pause) => ask_to_pause(store, follower.state()?, &mut live)?,
                Some(Press::Interrupt | Press::Quit) | None => break,
            },
            _ = terminate.recv() => break,
        }
        follower.advance(store, |event, state| live.event(event, state))?;
        live.presence(look.look(store));
        if over(follower.state()?) {
            break;
        }
    }
    live.leave();
    Ok(tell(follower.state()?))
}

/// The same as `overnight pause`, without waiting: the view shows when it is taken up.
fn ask_to_pause(store: &RunStore, state: &State, live: &mut Live) -> anyhow::Result<()> {
    match decide(state, &Command::Pause) {
        Ok(facts) if facts.is_empty() => {}
        Ok(_) if store.held() => {
            store.submit(&Command::Pause, SystemClock.now())?;
            live.note("asked to pause");
        }
        Ok(_) => live.note("no process works on the run: there is nothing to pause"),
        Err(refusal) => live.note(&refusal.to_string()),
    }
    Ok(())
}

/// Where there is no terminal: where the run stands, then lines as they come, then how it ended.
async fn in_lines(store: &RunStore, mut follower: Follower) -> anyhow::Result<u8> {
    let state = follower.state()?;
    let mut plain = PlainLines::new(Some(state.created_at));
    let code = tell(state);
    if state.ended() {
        return Ok(code);
    }
    let mut look = Look::new();
    let mut told = Presence::Held;
    loop {
        tokio::time::sleep(FOLLOW_EVERY).await;
        follower.advance(store, |event, state| plain.print(event, state))?;
        let state = follower.state()?;
        if state.ended() {
            farewell(state).iter().for_each(|line| say!("{line}"));
            return Ok(self::code(state));
        }
        let presence = look.look(store);
        if presence != told && presence == Presence::Nobody {
            say!(
                "no process works on it since {}; `overnight resume {}` goes on",
                local_time(state.last_at),
                state.run.short()
            );
        }
        told = presence;
    }
}
