//! A terminal that is kept up to date while a run works. It is drawn to from a thread of its own: a terminal that is
//! slow, or stopped, holds no run up. If it cannot be drawn to any more, the run goes on with plain lines.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use overnight_core::event::Event;
use overnight_core::state::State;
use overnight_engine::Watcher;
use overnight_ports::clock::Clock;
use ratatui::crossterm::event::{self, KeyCode, KeyEventKind, KeyModifiers};

use super::draw::draw;
use super::look::Look;
use super::screen::{Screen, give_back, in_front, leave};
use super::signals;
use super::{Moment, Place, Presence, View};
use crate::clock::SystemClock;
use crate::lines::PlainLines;

/// The least time between two frames, and the longest that a key waits.
const FRAME: Duration = Duration::from_millis(100);
/// How often a frame is drawn though nothing has happened, so that times go on.
const TICK: Duration = Duration::from_secs(1);
/// How long the end waits for the last frame, and how often it looks.
const END_PATIENCE: Duration = Duration::from_secs(2);
/// See [`END_PATIENCE`].
const END_LOOK: Duration = Duration::from_millis(2);
/// How long a panic waits for a frame that is being written.
const PANIC_PATIENCE: Duration = Duration::from_millis(300);

/// What a person pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// `p`.
    Pause,
    /// Ctrl-C, which a terminal in raw mode does not turn into a signal.
    Interrupt,
    /// `q`.
    Quit,
}

/// What the drawing thread is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Draw.
    Shown,
    /// Take the terminal over again, from the beginning: somebody else may have used it.
    Anew,
    /// Give the terminal back for a while.
    Hidden,
    /// End.
    Over,
}

struct Scene {
    view: View,
    presence: Presence,
    version: u64,
    wanted: Wanted,
}

/// What the drawing thread shares with the others.
pub(super) struct Shared {
    scene: Mutex<Scene>,
    changed: Condvar,
    /// Whether the terminal is taken over at this moment. Held while a frame is written.
    taken: Mutex<bool>,
    /// Whether nothing will be drawn any more.
    dark: AtomicBool,
}

impl Shared {
    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taken(&self) -> MutexGuard<'_, bool> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn want(&self, wanted: Wanted) {
        let mut scene = self.scene();
        if scene.wanted != Wanted::Over {
            scene.wanted = wanted;
        }
        self.changed.notify_all();
    }

    /// Whether the terminal is as everybody else expects it.
    pub(super) fn given_back(&self) -> bool {
        self.dark.load(Ordering::Relaxed) || !*self.taken()
    }
}

/// A live view on this process's terminal.
pub struct Live {
    shared: Arc<Shared>,
    keys: Option<Box<dyn Fn(Press) + Send>>,
    place: Place,
    thread: Option<JoinHandle<()>>,
    plain: PlainLines,
}

impl Live {
    /// A view that begins with what is known already. The terminal is taken over with the first event, or by
    /// [`show`](Live::show).
    pub fn new(view: View, place: Place, keys: impl Fn(Press) + Send + 'static) -> Live {
        let started_at = (view.created_at > 0).then_some(view.created_at);
        let scene = Scene {
            view,
            presence: Presence::Held,
            version: 0,
            wanted: Wanted::Shown,
        };
        Live {
            shared: Arc::new(Shared {
                scene: Mutex::new(scene),
                changed: Condvar::new(),
                taken: Mutex::new(false),
                dark: AtomicBool::new(false),
            }),
            keys: Some(Box::new(keys)),
            place,
            thread: None,
            plain: PlainLines::new(started_at),
        }
    }

    /// Takes the terminal over, once.
    pub fn show(&mut self) {
        let Some(keys) = self.keys.take() else { return };
        let shared = self.shared.clone();
        give_back_on_panic(shared.clone());
        signals::heed(shared.clone());
        let place = self.place;
        let thread = std::thread::Builder::new().name("view".into());
        let started = thread.spawn(move || {
            let _dark = Dark(shared.clone());
            // A terminal that cannot be drawn to is none: plain lines take over.
            let _ = keep_drawing(&shared, place, keys.as_ref());
        });
        match started {
            Ok(thread) => self.thread = Some(thread),
            Err(_) => self.shared.dark.store(true, Ordering::Relaxed),
        }
    }

    /// Whether it is drawn at all: not after `q`, and not if the terminal was lost.
    pub fn lit(&self) -> bool {
        !self.shared.dark.load(Ordering::Relaxed)
    }

    /// Says whether a process works on the run.
    pub fn presence(&self, presence: Presence) {
        let mut scene = self.shared.scene();
        if scene.presence != presence {
            scene.presence = presence;
            scene.version += 1;
        }
    }

    /// Gives the terminal back; whether it was there to the end.
    pub fn leave(mut self) -> bool {
        let lit = self.lit();
        self.end();
        lit
    }

    fn end(&mut self) {
        self.shared.want(Wanted::Over);
        let Some(thread) = self.thread.take() else {
            return;
        };
        let since = Instant::now();
        while !thread.is_finished() && since.elapsed() < END_PATIENCE {
            std::thread::sleep(END_LOOK);
        }
        // It ends in a panic only if drawing did; the terminal is given back then, too. A terminal that takes no
        // frame does not hold the end of a run up: the thread ends with the process.
        if thread.is_finished() {
            let _ = thread.join();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}

impl Watcher for Live {
    fn event(&mut self, event: &Event, state: &State) {
        {
            let mut scene = self.shared.scene();
            scene.view.see(event, state);
            scene.version += 1;
        }
        self.show();
        if !self.lit() {
            self.plain.print(event, state);
        }
    }

    fn note(&mut self, text: &str) {
        {
            let mut scene = self.shared.scene();
            scene.view.note(text);
            scene.version += 1;
        }
        if !self.lit() {
            self.plain.note(text);
        }
    }
}

/// Says that nothing is drawn any more, however the thread ends.
struct Dark(Arc<Shared>);

impl Drop for Dark {
    fn drop(&mut self) {
        self.0.dark.store(true, Ordering::Relaxed);
    }
}

/// A panic anywhere is told on a terminal as it was before, and ends the view: what is told must stay readable.
fn give_back_on_panic(shared: Arc<Shared>) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !shared.dark.swap(true, Ordering::Relaxed) {
            give_back_within(&shared, PANIC_PATIENCE);
        }
        before(panic);
    }));
}

/// Gives the terminal back as soon as no frame is being written, or when that takes too long: the thread that draws
/// may be the one that panics, and then it holds this for ever.
fn give_back_within(shared: &Shared, patience: Duration) {
    let since = Instant::now();
    loop {
        match shared.taken.try_lock() {
            Ok(mut taken) => {
                if std::mem::take(&mut *taken) {
                    give_back();
                }
                return;
            }
            Err(_) if since.elapsed() > patience => return give_back(),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// What to do in one round.
enum Round {
    /// Draw, if there is anything new, and hear the keys.
    Draw,
    /// Nothing yet.
    Rest(Wanted),
    /// Give the terminal back and begin anew.
    Anew,
    /// End.
    Over,
}

/// The thread: draws what has changed, at most every [`FRAME`], and hears the keys.
fn keep_drawing(shared: &Shared, place: Place, keys: &dyn Fn(Press)) -> std::io::Result<()> {
    let mut painter = Painter {
        shared,
        place,
        look: Look::of(|name| std::env::var(name).ok()),
        screen: None,
        view: View::default(),
        presence: Presence::Held,
        version: 0,
        drawn: None,
    };
    loop {
        match painter.round() {
            Round::Draw => {
                let until = Instant::now() + FRAME;
                painter.paint()?;
                while let Some(left) = until.checked_duration_since(Instant::now()) {
                    // Not crossterm's own wait: of a terminal that was closed it reads nothing for ever. What it has read
                    // already, several keys at once, it only tells when asked.
                    pressed_within(Duration::ZERO)?;
                    if !event::poll(Duration::ZERO)? {
                        match pressed_within(left)? {
                            true => continue,
                            false => break,
                        }
                    }
                    if hear(&event::read()?, shared, place, keys) {
                        painter.put_away();
                        println!("plain lines from here on; the run goes on, and Ctrl-C pauses it");
                        return Ok(());
                    }
                }
            }
            Round::Rest(wanted) => {
                painter.put_away();
                rest(shared, wanted);
            }
            Round::Anew => painter.put_away(),
            Round::Over => {
                painter.put_away();
                return Ok(());
            }
        }
    }
}

/// Whether a key was pressed within that time. An error if the terminal is gone.
fn pressed_within(wait: Duration) -> std::io::Result<bool> {
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, wait) {
        Ok(0) | Err(Errno::EINTR) => return Ok(false),
        Ok(_) => {}
        Err(errno) => return Err(errno.into()),
    }
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let [fd] = fds;
    match fd.revents() {
        Some(events) if events.intersects(gone) => Err(std::io::ErrorKind::BrokenPipe.into()),
        _ => Ok(true),
    }
}

struct Painter<'s> {
    shared: &'s Shared,
    place: Place,
    look: Look,
    screen: Option<Screen>,
    view: View,
    presence: Presence,
    version: u64,
    drawn: Option<(u64, Instant)>,
}

impl Painter<'_> {
    /// Takes over what is new, and says what is to be done.
    fn round(&mut self) -> Round {
        let mut scene = self.shared.scene();
        match scene.wanted {
            Wanted::Over => return Round::Over,
            Wanted::Hidden => return Round::Rest(Wanted::Hidden),
            Wanted::Anew => {
                scene.wanted = Wanted::Shown;
                return Round::Anew;
            }
            Wanted::Shown if self.shared.dark.load(Ordering::Relaxed) => return Round::Over,
            Wanted::Shown => {}
        }
        // In the background the terminal is somebody else's.
        if !in_front() {
            return Round::Rest(Wanted::Shown);
        }
        self.version = scene.version;
        if self.drawn.is_none_or(|(seen, _)| seen != scene.version) {
            self.view.clone_from(&scene.view);
            self.presence = scene.presence;
        }
        Round::Draw
    }

    /// Draws, if there is anything new.
    fn paint(&mut self) -> std::io::Result<()> {
        let now = Instant::now();
        let fresh = match (&self.screen, self.drawn) {
            (Some(screen), Some((seen, at))) => {
                seen == self.version && now.duration_since(at) < TICK && !screen.resized()
            }
            _ => false,
        };
        if fresh {
            return Ok(());
        }
        let mut taken = self.shared.taken();
        // A panic may have given the terminal back a moment ago.
        if self.shared.dark.load(Ordering::Relaxed) {
            return Ok(());
        }
        let screen = match &mut self.screen {
            Some(screen) => screen,
            none => {
                *taken = true;
                none.insert(Screen::enter()?)
            }
        };
        let moment = Moment {
            now: SystemClock.now(),
            presence: self.presence,
            place: self.place,
            look: self.look,
        };
        let view = &self.view;
        screen.draw(|area, buffer| draw(view, &moment, area, buffer))?;
        self.drawn = Some((self.version, now));
        Ok(())
    }

    /// Gives the terminal back, if it is this process's to give.
    fn put_away(&mut self) {
        self.drawn = None;
        let mut taken = self.shared.taken();
        let ours = std::mem::take(&mut *taken);
        let Some(screen) = self.screen.take() else {
            return;
        };
        if ours && in_front() {
            drop(screen);
            return;
        }
        // If a panic has given it back already, that is not done twice: lines have been written since. In the
        // background its modes are somebody else's, but what was on it before can be shown again.
        if ours {
            leave();
        }
        std::mem::forget(screen);
    }
}

/// Waits until something else is wanted, or for a while.
fn rest(shared: &Shared, while_wanted: Wanted) {
    let scene = shared.scene();
    let still = |scene: &mut Scene| scene.wanted == while_wanted;
    // Whatever woke it is looked at by the caller.
    let _ = shared.changed.wait_timeout_while(scene, TICK, still);
}

/// Acts on what came from the keyboard; whether the view is to end.
fn hear(event: &event::Event, shared: &Shared, place: Place, keys: &dyn Fn(Press)) -> bool {
    let event::Event::Key(key) = event else {
        return false;
    };
    if key.kind != KeyEventKind::Press {
        return false;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if control => keys(Press::Interrupt),
        KeyCode::Char('z') if control => {
            shared.want(Wanted::Hidden);
            signals::stop_job();
        }
        KeyCode::Char('l') if control => shared.want(Wanted::Anew),
        KeyCode::Char('p') => keys(Press::Pause),
        KeyCode::Char('q') => {
            keys(Press::Quit);
            return place == Place::Run;
        }
        _ => {}
    }
    false
}
