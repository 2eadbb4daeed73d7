//! A source by command: one that prints items, one that is told how an item ended. They are the person's own and run in
//! the person's environment, in a clean checkout of the base.

use std::collections::BTreeSet;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use overnight_core::goal::Items;
use overnight_core::item::{Dossier, Item, Verb};
use overnight_ports::source::{Act, ActReceipt, Source, SourceError};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::hand::Hand;
use crate::spec::Spec;
use crate::{Opening, clean, dossier, lines};

/// How long the command that lists may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// How long the command that acts may take.
const ACT_TIMEOUT: Duration = Duration::from_secs(2 * 60);
/// How long what a command left behind may still write once the command itself has ended.
const LEFT_BEHIND_TIMEOUT: Duration = Duration::from_secs(5);
/// How much a list may be, bytes.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How much of what an acting command prints is read, bytes.
const ACT_BYTES_MAX: u64 = 64 * 1024;
/// How much of what a command complains about is told, bytes: its end.
const COMPLAINT_BYTES_MAX: usize = 400;
/// Length of a receipt, bytes.
const RECEIPT_BYTES_MAX: usize = 200;
/// The exit code by which a command says that it may work later: `EX_TEMPFAIL` of sysexits.
const TRY_LATER: i32 = 75;

/// Items from a command.
pub(crate) struct CommandSource {
    items: Items,
    run: String,
    base: PathBuf,
    actor: Option<Actor>,
}

impl CommandSource {
    pub(crate) fn open(spec: &Spec<'_>, cx: &Opening<'_>) -> Result<Self, String> {
        Ok(CommandSource {
            items: spec.items.clone(),
            run: spec.needed("run", "./open-cases.sh")?,
            base: cx.base.clone(),
            actor: Actor::open(spec, cx)?,
        })
    }
}

#[async_trait]
impl Source for CommandSource {
    fn describe(&self) -> String {
        format!(
            "the command `{}`",
            clean::line(&self.run, RECEIPT_BYTES_MAX)
        )
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(Item) -> bool + Send),
    ) -> Result<Vec<String>, SourceError> {
        let what = "the command of `items.run`";
        let end = run(
            &self.run,
            &self.base,
            None,
            LIST_TIMEOUT,
            LIST_BYTES_MAX,
            what,
        )
        .await?;
        if end.more {
            return Err(SourceError::Malformed(format!(
                "{what} printed more than {} MiB",
                LIST_BYTES_MAX / 1024 / 1024
            )));
        }
        let text = String::from_utf8(end.stdout)
            .map_err(|_| SourceError::Malformed(format!("what {what} printed is not UTF-8")))?;
        let all =
            lines::read(&text, &format!("what {what} printed")).map_err(SourceError::Malformed)?;
        let mut hand = Hand::new(&self.items, false, found);
        for item in all {
            if !hand.take(item)? {
                break;
            }
        }
        Ok(hand.finish())
    }

    async fn read(&self, item: &Item) -> Result<Dossier, SourceError> {
        Ok(dossier::of_line(item))
    }

    fn verbs(&self) -> Vec<Verb> {
        self.actor.iter().map(|_| Verb::Command).collect()
    }

    async fn probe(&self, act: &Act) -> Result<Option<ActReceipt>, SourceError> {
        if let Some(actor) = &self.actor {
            actor.may_be_again(act);
        }
        Ok(None)
    }

    async fn act(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        match (&self.actor, act.verb) {
            (Some(actor), Verb::Command) => actor.act(act).await,
            _ => Err(cannot("a source by command", act.verb)),
        }
    }
}

/// What a source says to a verb that it does not have.
pub(crate) fn cannot(name: &str, verb: Verb) -> SourceError {
    SourceError::Refused(format!("{name} cannot `{}`", verb.word()))
}

/// The command of `items.act`. Nobody can ask it whether it has done something: after an attempt of which nobody knows
/// the end it is run again, and told so (`"again": true`); it has to be idempotent by `key`.
pub(crate) struct Actor {
    script: String,
    base: PathBuf,
    /// Keys of acts that may have been performed already.
    again: Mutex<BTreeSet<String>>,
}

impl Actor {
    pub(crate) fn open(spec: &Spec<'_>, cx: &Opening<'_>) -> Result<Option<Self>, String> {
        Ok(spec.text("act")?.map(|script| Actor {
            script,
            base: cx.base.clone(),
            again: Mutex::new(BTreeSet::new()),
        }))
    }

    /// Remembers that it may have been performed.
    pub(crate) fn may_be_again(&self, act: &Act) {
        // A poisoned lock would mean a panic while a key was added: the set is whole all the same.
        let mut again = self.again.lock().unwrap_or_else(|e| e.into_inner());
        again.insert(act.key.clone());
    }

    pub(crate) async fn act(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        let again = {
            let again = self.again.lock().unwrap_or_else(|e| e.into_inner());
            again.contains(&act.key)
        };
        let input = json!({
            "item": act.item,
            "outcome": act.closed.outcome.word(),
            "evidence": act.closed.evidence,
            "commit": act.closed.commit,
            "same_as": act.closed.same_as,
            "branch": act.branch,
            "key": act.key,
            "again": again,
        });
        // From here on nobody knows, until it has ended well.
        self.may_be_again(act);
        let what = "the command of `items.act`";
        let input = Some(input.to_string());
        let end = run(
            &self.script,
            &self.base,
            input,
            ACT_TIMEOUT,
            ACT_BYTES_MAX,
            what,
        )
        .await?;
        let said = String::from_utf8_lossy(&end.stdout);
        let first = said.lines().find(|line| !line.trim().is_empty());
        Ok(ActReceipt {
            what: match first {
                Some(line) => clean::line(line, RECEIPT_BYTES_MAX),
                None => "exit code 0".to_owned(),
            },
            already: false,
        })
    }
}

/// How a command ended: well.
struct End {
    stdout: Vec<u8>,
    /// It printed more than was read.
    more: bool,
}

/// Runs a command line to its end, or to the end of our patience; then it is killed with all that it started.
async fn run(
    script: &str,
    folder: &Path,
    input: Option<String>,
    limit: Duration,
    bytes_max: u64,
    what: &str,
) -> Result<End, SourceError> {
    let cannot = |why: String| SourceError::Refused(format!("{what} could not be started: {why}"));
    let stdin = match input {
        None => Stdio::null(),
        Some(input) => held(input.as_bytes())
            .map_err(|e| SourceError::Unavailable(format!("its input could not be made: {e}")))?,
    };
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(script)
        .current_dir(folder)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| cannot(e.to_string()))?;
    let group = Group(child.id());
    let done = tokio::time::timeout(limit, end(&mut child, bytes_max, group)).await;
    let (status, end, complaint) = match done {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => {
            return Err(SourceError::Unavailable(format!(
                "the end of {what} could not be waited for: {error}"
            )));
        }
        Err(_) => {
            return Err(SourceError::Unavailable(format!(
                "{what} did not end within {} s and was killed",
                limit.as_secs()
            )));
        }
    };
    if status.success() {
        return Ok(end);
    }
    let complaint = clean::line(&complaint, COMPLAINT_BYTES_MAX);
    let how = match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    };
    let message = match complaint.is_empty() {
        true => format!("{what} ended with {how}, and complained of nothing"),
        false => format!("{what} ended with {how}: {complaint}"),
    };
    Err(match status.code() {
        Some(TRY_LATER) => SourceError::Unavailable(message),
        _ => SourceError::Refused(message),
    })
}

/// Waits for the command and reads what it prints. Its end is its own: what it left behind may still write for a moment
/// (a shell does not wait for the last part of `> >(…)`), but a daemon that keeps the output open holds nobody up.
async fn end(
    child: &mut Child,
    bytes_max: u64,
    group: Group,
) -> std::io::Result<(std::process::ExitStatus, End, String)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut printed, mut complaint) = (First::new(bytes_max), Vec::new());
    let mut reads = Box::pin(async {
        tokio::join!(
            printed.read(stdout),
            last(stderr, COMPLAINT_BYTES_MAX, &mut complaint)
        )
    });
    let mut read = None;
    let status = tokio::select! {
        status = child.wait() => status?,
        done = &mut reads => {
            read = Some(done);
            child.wait().await?
        }
    };
    if read.is_none() {
        read = tokio::time::timeout(LEFT_BEHIND_TIMEOUT, &mut reads)
            .await
            .ok();
    }
    drop(reads);
    drop(group);
    if let Some((stdout, stderr)) = read {
        stdout?;
        stderr?;
    }
    let complaint = String::from_utf8_lossy(&complaint).into_owned();
    let First { kept, more, .. } = printed;
    Ok((status, End { stdout: kept, more }, complaint))
}

/// The first so many bytes of an output, and whether there were more.
struct First {
    kept: Vec<u8>,
    bytes_max: u64,
    more: bool,
}

impl First {
    fn new(bytes_max: u64) -> Self {
        First {
            kept: Vec::new(),
            bytes_max,
            more: false,
        }
    }

    /// The rest is read and dropped, so that the command does not stop for want of room.
    async fn read(&mut self, from: Option<impl AsyncRead + Unpin>) -> std::io::Result<()> {
        let Some(from) = from else {
            return Ok(());
        };
        let mut begin = from.take(self.bytes_max);
        begin.read_to_end(&mut self.kept).await?;
        let mut rest = begin.into_inner();
        let mut piece = [0; 4096];
        while rest.read(&mut piece).await? > 0 {
            self.more = true;
        }
        Ok(())
    }
}

/// Keeps the last so many bytes.
async fn last(
    from: Option<impl AsyncRead + Unpin>,
    bytes_max: usize,
    kept: &mut Vec<u8>,
) -> std::io::Result<()> {
    let Some(mut from) = from else {
        return Ok(());
    };
    let mut piece = [0; 4096];
    loop {
        let size = from.read(&mut piece).await?;
        if size == 0 {
            return Ok(());
        }
        kept.extend_from_slice(&piece[..size]);
        let over = kept.len().saturating_sub(bytes_max);
        kept.drain(..over);
    }
}

/// The input as a file without a name: whoever reads it has all of it, also if this process dies at this moment.
fn held(input: &[u8]) -> std::io::Result<Stdio> {
    let mut file = tempfile::tempfile()?;
    file.write_all(input)?;
    file.rewind()?;
    Ok(file.into())
}

/// What a command started and left behind goes with it.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // It fails if nothing of it is left.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}
