//! A terminal as a person has it: the binary on a real pseudo terminal, and what stands on its screen.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};

use crate::world::World;

/// How long a screen may take to show what a test waits for.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How often a waiting test looks again.
const LOOK_EVERY: Duration = Duration::from_millis(15);

struct Seen {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

/// A pseudo terminal with a program on it.
pub struct Terminal {
    pty: Pty,
    write: std::fs::File,
    seen: Arc<Mutex<Seen>>,
    child: Child,
}

fn cells(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a size")
}

/// Closes the terminal under a program as soon as it has shown a text; how the program ended.
pub fn closed_under(world: &World, program: &[&str], shown: &str) -> ExitStatus {
    let (mut pty, pts) = open().expect("a pseudo terminal");
    pty.resize(Size::new(24, 100)).expect("it has a size");
    let model = world.command(&[]);
    let set = model.get_envs().filter_map(|(k, v)| v.map(|v| (k, v)));
    let mut child = Command::new(program[0])
        .args(&program[1..])
        .current_dir(&world.repo)
        .env_clear()
        .env("TERM", "xterm-256color")
        .envs(set)
        .spawn(pts)
        .expect("it starts");
    let (mut parser, mut some) = (vt100::Parser::new(cells(24), cells(100), 0), [0; 4096]);
    while !parser.screen().contents().contains(shown) {
        let n = pty.read(&mut some).expect("the program goes on until then");
        parser.process(&some[..n]);
    }
    drop(pty);
    let since = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("it can be asked") {
            return status;
        }
        if since.elapsed() > TIMEOUT {
            child.kill().expect("it can be killed");
            panic!("it does not end without its terminal");
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

impl Terminal {
    /// A program with the environment of one of the world's commands.
    pub fn start(world: &World, program: &[&str], (columns, rows): (u16, u16)) -> Terminal {
        let (pty, pts) = open().expect("a pseudo terminal");
        pty.resize(Size::new(rows, columns)).expect("it has a size");
        let model = world.command(&[]);
        let set = model.get_envs().filter_map(|(k, v)| v.map(|v| (k, v)));
        let child = Command::new(program[0])
            .args(&program[1..])
            .current_dir(&world.repo)
            .env_clear()
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .envs(set)
            .spawn(pts)
            .expect("it starts");
        let handle = || {
            let fd = std::os::fd::AsFd::as_fd(&pty).try_clone_to_owned();
            std::fs::File::from(fd.expect("a second handle"))
        };
        let (mut read, write) = (handle(), handle());
        let seen = Arc::new(Mutex::new(Seen {
            parser: vt100::Parser::new(cells(rows), cells(columns), 500),
            bytes: Vec::new(),
        }));
        let seeing = seen.clone();
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            // The kernel says EIO when the last process has closed its end.
            while let Ok(n @ 1..) = read.read(&mut some) {
                let mut seen = seeing.lock().expect("nobody panics with it");
                seen.parser.process(&some[..n]);
                seen.bytes.extend_from_slice(&some[..n]);
            }
        });
        Terminal {
            pty,
            write,
            seen,
            child,
        }
    }

    /// The same with a line for `sh`.
    pub fn sh(world: &World, line: &str, size: (u16, u16)) -> Terminal {
        Self::start(world, &["sh", "-c", line], size)
    }

    /// The process on it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What stands on the screen.
    pub fn screen(&self) -> String {
        let seen = self.seen.lock().expect("nobody panics with it");
        seen.parser.screen().contents()
    }

    /// Whether the alternate screen is shown, and whether the cursor is hidden.
    pub fn modes(&self) -> (bool, bool) {
        let seen = self.seen.lock().expect("nobody panics with it");
        let screen = seen.parser.screen();
        (screen.alternate_screen(), screen.hide_cursor())
    }

    /// Every byte that came.
    pub fn bytes(&self) -> Vec<u8> {
        let seen = self.seen.lock().expect("nobody panics with it");
        seen.bytes.clone()
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    pub fn until_it(&mut self, what: &str, wanted: impl Fn(&str) -> bool) {
        let since = Instant::now();
        while !wanted(&self.screen()) {
            assert!(
                since.elapsed() < TIMEOUT,
                "never {what}; the screen:\n{}",
                self.screen()
            );
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until a text stands on the screen.
    #[track_caller]
    pub fn until(&mut self, text: &str) {
        self.until_it(text, |screen| screen.contains(text));
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.write.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Gives it another size.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let mut seen = self.seen.lock().expect("nobody panics with it");
        seen.parser.set_size(cells(rows), cells(columns));
        drop(seen);
        let size = Size::new(rows, columns);
        self.pty.resize(size).expect("it takes the size");
    }

    /// Waits for the end of the program.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                // What it wrote last may still be on its way.
                std::thread::sleep(5 * LOOK_EVERY);
                return status;
            }
            assert!(
                since.elapsed() < TIMEOUT,
                "it never ended; the screen:\n{}",
                self.screen()
            );
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It fails only if the process has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
