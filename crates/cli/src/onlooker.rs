//! Who watches a run from the process that works on it: a live view, plain lines or JSON lines; and how this person's
//! Ctrl-C gets to the run.

use std::sync::atomic::{AtomicBool, Ordering};

use overnight_engine::Watcher;
use tokio::sync::mpsc;

use crate::interrupt::Hangup;
use crate::lines::{JsonLines, PlainLines};
use crate::view::{Live, Place, Press, View, usable};

/// How a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// As JSON lines.
    Json,
    /// As lines.
    Plain,
    /// As a live view if there is a terminal for it, else as lines.
    View,
}

impl Output {
    /// What the options ask for.
    pub fn of(json: bool, plain: bool) -> Output {
        match (json, plain) {
            (true, _) => Output::Json,
            (false, true) => Output::Plain,
            (false, false) => Output::View,
        }
    }

    /// Whether it will be a live view.
    pub fn is_view(self) -> bool {
        self == Output::View && usable()
    }
}

/// What stands on standard output when a run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Printed {
    /// Its events as JSON lines.
    Json,
    /// Its events as lines.
    Lines,
    /// Nothing yet: the view is gone.
    Nothing,
}

enum Kind {
    Json(JsonLines),
    Plain(PlainLines),
    View(Box<Live>),
}

/// Somebody who watches, and interrupts.
pub struct Onlooker {
    kind: Kind,
    send: mpsc::UnboundedSender<()>,
    interrupt: mpsc::UnboundedReceiver<()>,
}

impl Onlooker {
    /// One who knows `view` of the run already. Times of plain lines are told from `started_at`, or from the first
    /// event.
    pub fn new(output: Output, view: View, started_at: Option<u64>) -> Onlooker {
        let (send, interrupt) = mpsc::unbounded_channel();
        let kind = match output {
            Output::Json => Kind::Json(JsonLines),
            Output::View if usable() => {
                let keys = keys(send.clone());
                Kind::View(Box::new(Live::new(view, Place::Run, keys)))
            }
            Output::View | Output::Plain => Kind::Plain(PlainLines::new(started_at)),
        };
        Onlooker {
            kind,
            send,
            interrupt,
        }
    }

    /// Who hears the events.
    pub fn watcher(&mut self) -> &mut dyn Watcher {
        match &mut self.kind {
            Kind::Json(json) => json,
            Kind::Plain(plain) => plain,
            Kind::View(live) => live.as_mut(),
        }
    }

    /// Who hears the events, and where interrupts come from.
    pub fn parts(&mut self) -> (&mut dyn Watcher, &mut mpsc::UnboundedReceiver<()>) {
        let watcher: &mut dyn Watcher = match &mut self.kind {
            Kind::Json(json) => json,
            Kind::Plain(plain) => plain,
            Kind::View(live) => live.as_mut(),
        };
        (watcher, &mut self.interrupt)
    }

    /// From now on Ctrl-C and a polite kill pause the run, as often as they come, and so does a terminal that is closed.
    pub fn heed_signals(&self) {
        let send = self.send.clone();
        tokio::spawn(async move {
            let terminate =
                tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
            let Ok(mut terminate) = terminate else { return };
            let mut hangup = Hangup::new();
            loop {
                tokio::select! {
                    () = hangup.heard() => {}
                    pressed = tokio::signal::ctrl_c() => if pressed.is_err() { return },
                    asked = terminate.recv() => if asked.is_none() { return },
                }
                if send.send(()).is_err() {
                    return;
                }
            }
        });
    }

    /// Gives the terminal back.
    pub fn leave(self) -> Printed {
        match self.kind {
            Kind::Json(_) => Printed::Json,
            Kind::Plain(_) => Printed::Lines,
            Kind::View(live) => {
                if live.leave() {
                    Printed::Nothing
                } else {
                    Printed::Lines
                }
            }
        }
    }
}

/// `p` pauses once, however often it is pressed; Ctrl-C counts every time, and the second one does not wait.
fn keys(send: mpsc::UnboundedSender<()>) -> impl Fn(Press) + Send + 'static {
    let paused = AtomicBool::new(false);
    move |press| {
        let counts = match press {
            Press::Pause => !paused.load(Ordering::Relaxed),
            Press::Interrupt => true,
            Press::Quit => return,
        };
        paused.store(true, Ordering::Relaxed);
        if counts {
            // If nobody hears it any more, the run is over.
            let _ = send.send(());
        }
    }
}
