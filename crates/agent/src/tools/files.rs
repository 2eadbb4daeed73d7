//! `read`, `write`, `edit`: files of the workspace, reached so that no symbolic link leads out of it.

use std::path::Path;
use std::sync::PoisonError;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt};
use std::io::{Read, Write};

use serde::Deserialize;

use crate::context::Context;
use crate::tools::Outcome;

/// Lines that `read` returns if the model names no number.
const LINES_DEFAULT: usize = 400;
/// How much one `read` returns, bytes.
const READ_BYTES_MAX: usize = 24 * 1024;
/// The largest file that the file tools touch, bytes.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

#[derive(Deserialize)]
pub(crate) struct ReadArgs {
    pub path: String,
    from: Option<f64>,
    lines: Option<f64>,
}

#[derive(Deserialize)]
pub(crate) struct WriteArgs {
    path: String,
    content: String,
}

#[derive(Deserialize)]
pub(crate) struct EditArgs {
    path: String,
    old: String,
    new: String,
    #[serde(default)]
    all: bool,
}

pub(crate) fn read(args: ReadArgs, cx: &Context<'_>) -> Outcome {
    let content = match args.path.strip_prefix('@') {
        Some(place) => kept(place, cx),
        None => load(&args.path, cx),
    };
    match content {
        Ok(content) => page(&args, &content),
        Err(outcome) => *outcome,
    }
}

/// The same of a folder that is no workspace: `inner` is the path below it.
pub(crate) fn read_below(dir: &Path, inner: &str, args: &ReadArgs) -> Outcome {
    match open_dir(dir).and_then(|root| content_of(&root, inner, &args.path)) {
        Ok(content) => page(args, &content),
        Err(outcome) => *outcome,
    }
}

/// The lines that were asked for.
fn page(args: &ReadArgs, content: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(content);
    if text.contains('\0') {
        return Outcome::failed(format!(
            "`{}` is a binary file of {} bytes.",
            args.path,
            content.len()
        ));
    }
    let whole =
        |n: Option<f64>, default: usize| n.filter(|n| *n >= 1.0).map_or(default, |n| n as usize);
    let (from, lines) = (whole(args.from, 1), whole(args.lines, LINES_DEFAULT));
    let total = text.lines().count();
    let mut page = String::new();
    let mut last = from.saturating_sub(1);
    for line in text.lines().skip(from - 1).take(lines) {
        let room = READ_BYTES_MAX - page.len().min(READ_BYTES_MAX);
        if line.len() + 1 > room {
            if page.is_empty() {
                page.push_str(&overnight_core::judge::clip(line, room));
                last += 1;
            }
            break;
        }
        page.push_str(line);
        page.push('\n');
        last += 1;
    }
    let footer = if from == 1 && last >= total {
        String::new()
    } else {
        format!("[lines {from}–{last} of {total}]")
    };
    Outcome {
        ok: true,
        output: page.into_bytes(),
        footer,
        paged: true,
        ..Outcome::default()
    }
}

/// A kept output: `out/TURN.CALL` or a background command's name.
fn kept(place: &str, cx: &Context<'_>) -> Result<Vec<u8>, Box<Outcome>> {
    let missing = || {
        refused(format!(
            "There is no kept output `@{place}`: pages of files, notes and plans are not kept, nor what is empty."
        ))
    };
    if let Some(name) = place.strip_prefix("out/") {
        let (turn, index) = name.split_once('.').ok_or_else(missing)?;
        let (turn, index) = (
            turn.parse().map_err(|_| missing())?,
            index.parse().map_err(|_| missing())?,
        );
        let id = cx.output(turn, index).ok_or_else(missing)?;
        return cx
            .blobs
            .get(&id)
            .map_err(|e| refused(format!("`@{place}` cannot be read: {e}.")));
    }
    let all = cx
        .ready
        .background
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    all.get(place).map(|b| b.output(0)).ok_or_else(missing)
}

/// What the model is told instead of what it asked for.
fn refused(text: impl Into<String>) -> Box<Outcome> {
    Box::new(Outcome::failed(text))
}

fn root(cx: &Context<'_>) -> Result<Dir, Box<Outcome>> {
    open_dir(&cx.ready.dir)
}

fn open_dir(dir: &Path) -> Result<Dir, Box<Outcome>> {
    Dir::open_ambient_dir(dir, ambient_authority())
        .map_err(|e| refused(format!("The workspace cannot be opened: {e}.")))
}

fn relative(path: &str, cx: &Context<'_>) -> Result<String, Box<Outcome>> {
    match cx.ready.relative(path) {
        Some(inner) if !inner.is_empty() => Ok(inner),
        _ => Err(refused(format!(
            "`{path}` is not a file of the workspace; `shell` reads what is outside."
        ))),
    }
}

/// What was found where a file was wanted.
pub(crate) enum Opened {
    File(File),
    Folder,
    /// A FIFO, a socket, a device.
    Other,
}

/// Opens what may be a file, without waiting: a FIFO without a peer would hold the whole harness up.
pub(crate) fn open_regular(
    root: &Dir,
    path: impl AsRef<Path>,
    mut options: OpenOptions,
) -> std::io::Result<Opened> {
    options.custom_flags(libc::O_NONBLOCK);
    let file = match root.open_with(path, &options) {
        Ok(file) => file,
        // A FIFO that nobody reads, or a socket.
        Err(e) if e.raw_os_error() == Some(libc::ENXIO) => return Ok(Opened::Other),
        Err(e) => return Err(e),
    };
    let kind = file.metadata()?.file_type();
    Ok(if kind.is_file() {
        Opened::File(file)
    } else if kind.is_dir() {
        Opened::Folder
    } else {
        Opened::Other
    })
}

fn load(path: &str, cx: &Context<'_>) -> Result<Vec<u8>, Box<Outcome>> {
    content_of(&root(cx)?, &relative(path, cx)?, path)
}

/// A file's content; `path` is what it is called in complaints.
fn content_of(root: &Dir, inner: &str, path: &str) -> Result<Vec<u8>, Box<Outcome>> {
    let failed = |e: std::io::Error| refused(format!("`{path}` cannot be read: {e}."));
    let mut options = OpenOptions::new();
    options.read(true);
    let file = match open_regular(root, inner, options).map_err(failed)? {
        Opened::File(file) => file,
        Opened::Folder => return Err(refused(format!("`{path}` is a folder."))),
        Opened::Other => return Err(refused(format!("`{path}` is no regular file."))),
    };
    let meta = file.metadata().map_err(failed)?;
    if meta.len() > FILE_BYTES_MAX {
        return Err(refused(format!(
            "`{path}` has {} bytes; read parts of it with `shell`.",
            meta.len()
        )));
    }
    let mut content = Vec::with_capacity(meta.len() as usize);
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut content)
        .map_err(failed)?;
    Ok(content)
}

fn store(path: &str, content: &[u8], cx: &Context<'_>) -> Result<(), Box<Outcome>> {
    let inner = relative(path, cx)?;
    if inner == ".git" || inner.starts_with(".git/") {
        return Err(refused("`.git` is git's own; use `shell` with git."));
    }
    cx.ready
        .policy
        .path(&inner)
        .map_err(|denial| Box::new(Outcome::denied(denial)))?;
    let root = root(cx)?;
    let failed = |e: std::io::Error| refused(format!("`{path}` cannot be written: {e}."));
    if let Some((folder, _)) = inner.rsplit_once('/') {
        root.create_dir_all(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    let Opened::File(mut file) = open_regular(&root, &inner, options).map_err(failed)? else {
        return Err(refused(format!("`{path}` is no regular file.")));
    };
    // Only now: what is no regular file is not touched.
    file.set_len(0).map_err(failed)?;
    file.write_all(content).map_err(failed)
}

pub(crate) fn write(args: WriteArgs, cx: &Context<'_>) -> Outcome {
    match store(&args.path, args.content.as_bytes(), cx) {
        Ok(()) => Outcome::done(format!(
            "Wrote {} bytes to `{}`.",
            args.content.len(),
            args.path
        )),
        Err(outcome) => *outcome,
    }
}

pub(crate) fn edit(args: EditArgs, cx: &Context<'_>) -> Outcome {
    if args.old.is_empty() {
        return Outcome::failed("`old` is empty; use `write` to make a file.");
    }
    let content = match load(&args.path, cx) {
        Ok(content) => content,
        Err(outcome) => return *outcome,
    };
    let Ok(text) = String::from_utf8(content) else {
        return Outcome::failed(format!(
            "`{}` is not UTF-8 text; change it with `shell`.",
            args.path
        ));
    };
    let count = text.matches(&args.old).count();
    if count == 0 {
        return Outcome::failed(format!(
            "`old` is not in `{}`. Read the file and copy the text exactly.",
            args.path
        ));
    }
    if count > 1 && !args.all {
        return Outcome::failed(format!(
            "`old` is in `{}` {count} times. Give more of it, or `all: true`.",
            args.path
        ));
    }
    let changed = if args.all {
        text.replace(&args.old, &args.new)
    } else {
        text.replacen(&args.old, &args.new, 1)
    };
    match store(&args.path, changed.as_bytes(), cx) {
        Ok(()) => Outcome::done(format!("Replaced {count} in `{}`.", args.path)),
        Err(outcome) => *outcome,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_fifo_is_refused_at_once_and_a_file_is_opened_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = Command::new("mkfifo").arg(dir.path().join("f")).status();
        assert!(made.expect("mkfifo").success());
        std::fs::write(dir.path().join("plain"), "content").expect("a file");
        let root = Dir::open_ambient_dir(dir.path(), ambient_authority()).expect("the folder");
        let reading = || OpenOptions::new().read(true).clone();
        let writing = || OpenOptions::new().write(true).create(true).clone();
        for options in [reading(), writing()] {
            let opened = open_regular(&root, "f", options).expect("no error");
            assert!(matches!(opened, Opened::Other));
        }
        // With a reader, a writer's open goes through.
        let _reader = open_regular(&root, "f", reading());
        let opened = open_regular(&root, "f", writing()).expect("no error");
        assert!(matches!(opened, Opened::Other));
        let opened = open_regular(&root, "plain", writing()).expect("no error");
        assert!(
            matches!(opened, Opened::File(file) if file.metadata().expect("metadata").len() == 7)
        );
        let opened = open_regular(&root, ".", reading()).expect("no error");
        assert!(matches!(opened, Opened::Folder));
    }
}
