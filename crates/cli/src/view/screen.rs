//! The terminal itself: taken over and given back, whatever happens; frames written whole.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::rc::Rc;

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::style::{Attribute, SetAttribute};
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode, window_size,
};
use ratatui::crossterm::{execute, queue};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

/// The largest screen that is drawn to, columns and rows: what says to be larger is not believed.
const SIZE_MAX: (u16, u16) = (500, 200);
/// The size of a terminal that does not say it, columns and rows.
const SIZE_UNKNOWN: (u16, u16) = (80, 24);

/// Whether a person sits at a terminal that can show more than lines.
pub fn usable() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let terminals = std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal()
        && std::io::stderr().is_terminal();
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    terminals && !dumb && !set("CI") && in_front()
}

/// Whether this process has the terminal: one in the background that changed it would be stopped by the kernel.
pub fn in_front() -> bool {
    let front = nix::unistd::tcgetpgrp(std::io::stdin());
    front.is_ok_and(|group| group == nix::unistd::getpgrp())
}

/// What of the terminal's bytes is not written yet. A frame goes out in one write.
#[derive(Clone, Default)]
struct Pending(Rc<RefCell<Vec<u8>>>);

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Ratatui flushes in mid-frame, which is what flickering is made of: only [`Screen::draw`] writes.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A terminal that was taken over. Given back when dropped.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Pending>>,
    pending: Pending,
    size: (u16, u16),
}

impl Screen {
    /// Takes the terminal over.
    pub fn enter() -> std::io::Result<Screen> {
        // After a stop by the kernel's hand a shell has set the modes back, unknown to crossterm.
        disable_raw_mode()?;
        enable_raw_mode()?;
        let entered = Self::begin();
        if entered.is_err() {
            give_back();
        }
        entered
    }

    fn begin() -> std::io::Result<Screen> {
        execute!(
            std::io::stdout(),
            EnterAlternateScreen,
            // A text that is pasted into the wrong window presses no keys.
            EnableBracketedPaste,
            Hide
        )?;
        let pending = Pending::default();
        let size = size();
        let options = TerminalOptions {
            viewport: Viewport::Fixed(Rect::new(0, 0, size.0, size.1)),
        };
        let mut terminal = Terminal::with_options(CrosstermBackend::new(pending.clone()), options)?;
        terminal.resize(Rect::new(0, 0, size.0, size.1))?;
        Ok(Screen {
            terminal,
            pending,
            size,
        })
    }

    /// Whether the terminal's size has changed since the last frame.
    pub fn resized(&self) -> bool {
        self.size != size()
    }

    /// Draws a frame and writes what differs from the last one, in one piece.
    pub fn draw(&mut self, draw: impl FnOnce(Rect, &mut Buffer)) -> std::io::Result<()> {
        let size = size();
        let resized = size != self.size;
        queue!(self.pending, BeginSynchronizedUpdate)?;
        if resized {
            self.size = size;
            self.terminal.resize(Rect::new(0, 0, size.0, size.1))?;
        }
        self.terminal
            .draw(|frame| draw(frame.area(), frame.buffer_mut()))?;
        queue!(self.pending, EndSynchronizedUpdate)?;
        let bytes = std::mem::take(&mut *self.pending.0.borrow_mut());
        let mut out = std::io::stdout().lock();
        out.write_all(&bytes)?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back as it was. What fails here has nobody to be told to.
pub fn give_back() {
    leave();
    if in_front() {
        let _ = disable_raw_mode();
    }
}

/// Shows again what was on the terminal before; its modes are left to whoever has it now.
pub fn leave() {
    let _ = execute!(
        std::io::stdout(),
        EndSynchronizedUpdate,
        SetAttribute(Attribute::Reset),
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Show
    );
}

fn size() -> (u16, u16) {
    let said = window_size().map_or((0, 0), |size| (size.columns, size.rows));
    match said {
        (0, _) | (_, 0) => SIZE_UNKNOWN,
        (columns, rows) => (columns.min(SIZE_MAX.0), rows.min(SIZE_MAX.1)),
    }
}
