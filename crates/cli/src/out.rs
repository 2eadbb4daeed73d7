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

/// `println!` for commands that only print.
macro_rules! say {
    () => { $crate::out::line(format_args!("")) };
    ($($arg:tt)*) => { $crate::out::line(format_args!($($arg)*)) };
}
