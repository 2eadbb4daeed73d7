//! Printing for people and programs. A reader that has seen enough (`| head`) ends the command, not in a panic.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Prints one line on standard output; see `say!`.
pub fn line(text: Arguments<'_>) {
    write(format_args!("{text}\n"));
}

/// Prints a text as it is.
pub fn write(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if let Err(e) = out.write_fmt(text).and_then(|()| out.flush())
        && e.kind() == ErrorKind::BrokenPipe
    {
        // Nobody reads any more. Only commands that print and do nothing else come here.
        std::process::exit(0);
    }
}

/// Writes to standard output what somebody may read, or nobody: a run goes on and ends as it ends, whether its terminal is
/// closed, its reader gone or the disk of its log full.
pub fn try_line(text: Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_fmt(format_args!("{text}\n"));
}

/// The same for standard error.
pub fn try_complaint(text: Arguments<'_>) {
    let _ = std::io::stderr().lock().write_fmt(format_args!("{text}\n"));
}

/// In this crate instead of the standard one, which panics when nobody can read.
macro_rules! println {
    () => { $crate::out::try_line(format_args!("")) };
    ($($arg:tt)*) => { $crate::out::try_line(format_args!($($arg)*)) };
}

/// In this crate instead of the standard one, which panics when nobody can read.
macro_rules! eprintln {
    () => { $crate::out::try_complaint(format_args!("")) };
    ($($arg:tt)*) => { $crate::out::try_complaint(format_args!($($arg)*)) };
}

/// `println!` for commands that only print.
macro_rules! say {
    () => { $crate::out::line(format_args!("")) };
    ($($arg:tt)*) => { $crate::out::line(format_args!($($arg)*)) };
}
