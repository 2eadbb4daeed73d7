//! `scripted/FILE`: a model whose answers a person wrote down. For rehearsing a goal, for the demo, for tests.
//!
//! `docs/scripted.md` tells people how to write one. [`Script`] is the parsed file, [`Player`] plays it, and
//! [`ScriptedModel`] puts it behind the [`Model`] port. The mock server of the simulator plays the same files over a
//! wire.

mod items;
mod node;
mod parse;
mod read;
mod script;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use overnight_ports::model::{Answer, Entry, Model, ModelError, ModelErrorKind, Request, Usage};

pub use items::turn_of;
pub use parse::TOOLS;
pub use script::{Failure, How, Play, Reply, Script, ScriptCall, USAGE_DEFAULT, Wire};

/// Size limit of a script, bytes.
pub const SCRIPT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("cannot read the script {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is too large to be a script.
    #[error(
        "the script {path} is larger than {SCRIPT_BYTES_MAX} bytes; use `then: loop` for a long run"
    )]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// It is no script.
    #[error("{path}:{line}:{column}: {message}")]
    Invalid {
        /// Which file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// Column, counted from 1.
        column: u64,
        /// What is wrong and what would be right.
        message: String,
    },
}

impl Script {
    /// Reads and parses a file.
    pub fn read(path: &Path) -> Result<Script, ScriptError> {
        let failed = |source| ScriptError::Read {
            path: path.to_owned(),
            source,
        };
        let mut text = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        // One byte more than allowed tells a file of exactly the limit from a larger one, or an endless one.
        file.take(SCRIPT_BYTES_MAX + 1)
            .read_to_end(&mut text)
            .map_err(failed)?;
        if text.len() as u64 > SCRIPT_BYTES_MAX {
            return Err(ScriptError::TooLarge {
                path: path.to_owned(),
            });
        }
        match std::str::from_utf8(&text) {
            Ok(text) => Script::parse(text, path),
            Err(error) => {
                let good = text.get(..error.valid_up_to()).unwrap_or_default();
                let line = good.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
                let column =
                    good.iter().rev().take_while(|byte| **byte != b'\n').count() as u64 + 1;
                let message = "this is not UTF-8 text; save the script as UTF-8".to_owned();
                Err(ScriptError::Invalid {
                    path: path.to_owned(),
                    line,
                    column,
                    message,
                })
            }
        }
    }

    /// Parses a script; `path` is for the messages.
    pub fn parse(text: &str, path: &Path) -> Result<Script, ScriptError> {
        parse::parse(text).map_err(|read::Complaint { at, message }| ScriptError::Invalid {
            path: path.to_owned(),
            line: at.line,
            column: at.column,
            message,
        })
    }
}

/// Plays a script. Remembers, for as long as the process lives, which failures have been had; nothing else, so that a
/// restarted process goes on where it was.
#[derive(Debug)]
pub struct Player {
    script: Script,
    /// Failures played, by item and turn.
    failed: Mutex<BTreeMap<(Option<String>, u64), u64>>,
}

impl Player {
    /// Nothing has been played yet.
    pub fn new(script: Script) -> Self {
        Player {
            script,
            failed: Mutex::default(),
        }
    }

    /// What comes for turn `turn`, of the conversation about this item if it is about one; a failure is counted as had.
    pub fn play(&self, item: Option<&str>, turn: u64, last: &str) -> Play<'_> {
        let turn = turn.max(1);
        let key = (item.map(str::to_owned), turn);
        // A poisoned lock guards a plain number, which is right whatever the other thread died of.
        let mut failed = self
            .failed
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let play = self
            .script
            .play(item, turn, failed.get(&key).copied().unwrap_or(0), last);
        if matches!(play, Play::Failure(_)) {
            *failed.entry(key).or_insert(0) += 1;
        }
        play
    }

    /// The script.
    pub fn script(&self) -> &Script {
        &self.script
    }
}

/// A script behind the [`Model`] port.
#[derive(Debug)]
pub struct ScriptedModel {
    name: String,
    player: Player,
}

impl ScriptedModel {
    /// Reads the script.
    pub fn open(path: &Path) -> Result<Self, ScriptError> {
        Ok(Self::new(
            format!("scripted/{}", path.display()),
            Script::read(path)?,
        ))
    }

    /// Plays `script` under `name`.
    pub fn new(name: impl Into<String>, script: Script) -> Self {
        ScriptedModel {
            name: name.into(),
            player: Player::new(script),
        }
    }
}

#[async_trait]
impl Model for ScriptedModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn scripted(&self) -> bool {
        true
    }

    async fn answer(&self, request: &Request) -> Result<Answer, ModelError> {
        let turn = request.turn.max(1);
        let item = request.item.as_deref();
        let about = item.map_or_else(String::new, |id| format!(" of item `{id}`"));
        match self.player.play(item, turn, &last_said(&request.entries)) {
            Play::Reply(reply) => {
                tokio::time::sleep(reply.delay).await;
                Ok(reply.about(item).answer(turn))
            }
            Play::Failure(failure) => {
                tokio::time::sleep(failure.delay).await;
                Err(ModelError {
                    kind: failure.kind,
                    message: match &failure.message {
                        Some(message) => message.clone(),
                        None => format!(
                            "{}: turn {turn}{about} of the script fails here on purpose",
                            self.name
                        ),
                    },
                    retry_after_ms: failure
                        .retry_after
                        .map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
                    usage: Usage::default(),
                })
            }
            Play::Ended(why) => Err(ModelError {
                kind: ModelErrorKind::ScriptEnded,
                message: format!(
                    "{}: turn {turn}{about} was asked for, but {why} ({} written)",
                    self.name,
                    self.player.script.len()
                ),
                retry_after_ms: None,
                usage: Usage::default(),
            }),
        }
    }
}

/// What the harness said since the model's last answer.
fn last_said(entries: &[Entry]) -> String {
    let start = entries
        .iter()
        .rposition(|e| matches!(e, Entry::Answer { .. }))
        .map_or(0, |at| at + 1);
    let said = entries.iter().skip(start).filter_map(|entry| match entry {
        Entry::User { text } | Entry::Result { text, .. } => Some(text.as_str()),
        Entry::Answer { .. } => None,
    });
    said.collect::<Vec<_>>().join("\n")
}
