//! The live view: what a run is doing, on one screen. [`View`] is folded from events, [`draw`] lays it out without
//! knowing of a terminal, [`Live`] keeps a terminal up to date from a thread of its own.

mod draw;
mod figures;
mod fold;
mod live;
mod look;
mod progress;
mod rows;
mod screen;
mod signals;
#[cfg(test)]
mod tests;
mod text;

pub use fold::View;
pub use live::{Live, Press};
pub use screen::usable;

/// Whether a process works on the run, as far as whoever looks can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// One does.
    Held,
    /// None does: times stand still.
    Nobody,
}

/// Whose screen it is: that of the run itself, or that of somebody who looks at it from another terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `run` and `resume`.
    Run,
    /// `show --watch`.
    Watch,
}

/// What a frame shows beside the [`View`].
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now, Unix milliseconds.
    pub now: u64,
    /// Whether a process works on the run.
    pub presence: Presence,
    /// Whose screen it is.
    pub place: Place,
    /// What the terminal can show.
    pub look: look::Look,
}
