//! A file of items: JSON lines, CSV, or a Markdown checklist whose boxes can be ticked.

mod checklist;
mod table;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use overnight_core::goal::Items;
use overnight_core::item::{Dossier, Item, Verb};
use overnight_ports::source::{Act, ActReceipt, Source, SourceError};

use crate::command::{Actor, cannot};
use crate::hand::Hand;
use crate::spec::Spec;
use crate::{Opening, dossier, lines};

/// How large the file may be, bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How often a tick is tried again because somebody else changed the file meanwhile.
const TICKS_MAX: u32 = 5;

/// How the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Lines,
    Table,
    Checklist,
}

/// Items from a file.
pub(crate) struct FileSource {
    items: Items,
    path: PathBuf,
    /// As the goal names it.
    name: String,
    form: Form,
    actor: Option<Actor>,
}

impl FileSource {
    pub(crate) fn open(spec: &Spec<'_>, cx: &Opening<'_>) -> Result<Self, String> {
        let name = spec.needed("path", "TODO.md")?;
        let path = match (name.strip_prefix("~/"), &cx.home) {
            (Some(rest), Some(home)) => home.join(rest),
            (Some(_), None) => {
                return Err(
                    "`items.path` begins with `~`, and there is no home directory".to_owned(),
                );
            }
            (None, _) => cx.folder.join(&name),
        };
        let end = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        let form = match end.as_deref() {
            Some("jsonl" | "ndjson") => Form::Lines,
            Some("csv" | "tsv") => Form::Table,
            Some("md" | "markdown") => Form::Checklist,
            _ => {
                return Err(format!(
                    "`items.path: {name}` is no list that can be read: .jsonl, .ndjson, .csv, .tsv, .md or .markdown"
                ));
            }
        };
        Ok(FileSource {
            items: spec.items.clone(),
            path,
            name,
            form,
            actor: Actor::open(spec, cx)?,
        })
    }

    fn refused(&self, why: impl std::fmt::Display) -> SourceError {
        SourceError::Refused(format!("the list {} cannot be read: {why}", self.name))
    }

    /// The file, opened; no more than it may have is read.
    fn opened(&self) -> Result<std::io::Take<std::fs::File>, SourceError> {
        // A pipe would not even open, and a device would never end.
        let plain = |kind: std::io::Result<std::fs::Metadata>| match kind {
            Ok(kind) if kind.is_file() => Ok(()),
            Ok(_) => Err(self.refused("it is no file")),
            Err(e) => Err(self.refused(e)),
        };
        plain(std::fs::metadata(&self.path))?;
        let file = std::fs::File::open(&self.path).map_err(|e| self.refused(e))?;
        plain(file.metadata())?;
        Ok(file.take(FILE_BYTES_MAX + 1))
    }

    fn too_large(&self) -> SourceError {
        self.refused(format!(
            "it is larger than {} MiB",
            FILE_BYTES_MAX / 1024 / 1024
        ))
    }

    fn not_utf8(&self) -> SourceError {
        SourceError::Malformed(format!("the list {} is not UTF-8", self.name))
    }

    /// The file's text.
    fn text(&self) -> Result<String, SourceError> {
        let mut bytes = Vec::new();
        self.opened()?
            .read_to_end(&mut bytes)
            .map_err(|e| self.refused(e))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(self.too_large());
        }
        String::from_utf8(bytes).map_err(|_| self.not_utf8())
    }

    /// The file's lines, one after the other, until one is not wanted.
    fn each_line(
        &self,
        wants: &mut dyn FnMut(&str) -> Result<bool, SourceError>,
    ) -> Result<(), SourceError> {
        let mut file = BufReader::new(self.opened()?);
        let (mut line, mut read) = (Vec::new(), 0u64);
        loop {
            line.clear();
            let bytes = file
                .read_until(b'\n', &mut line)
                .map_err(|e| self.refused(e))?;
            read += bytes as u64;
            if read > FILE_BYTES_MAX {
                return Err(self.too_large());
            }
            let text = std::str::from_utf8(&line).map_err(|_| self.not_utf8())?;
            if bytes == 0 || !wants(text)? {
                return Ok(());
            }
        }
    }

    /// Every item, one after the other, until no more is wanted.
    fn each(
        &self,
        wants: &mut dyn FnMut(Item) -> Result<bool, SourceError>,
    ) -> Result<(), SourceError> {
        let all = match self.form {
            Form::Lines => {
                let mut lines = lines::Lines::new(&self.name);
                return self.each_line(&mut |line| match lines
                    .item(line)
                    .map_err(SourceError::Malformed)?
                {
                    Some(item) => wants(item),
                    None => Ok(true),
                });
            }
            Form::Table => {
                table::read(&self.text()?, &self.name).map_err(SourceError::Malformed)?
            }
            Form::Checklist => checklist::read(&self.text()?)
                .into_iter()
                .filter(|entry| !entry.ticked)
                .map(|entry| entry.item)
                .collect(),
        };
        for item in all {
            if !wants(item)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether an item is still in the file.
    fn has(&self, item: &Item) -> Result<bool, SourceError> {
        let mut found = false;
        match self.form {
            // Also with a tick, which may be ours.
            Form::Checklist => return Ok(self.entry(&self.text()?, item).is_ok()),
            Form::Lines => self.each_line(&mut |line| {
                found = lines::is_of(line, item.id.as_str());
                Ok(!found)
            })?,
            Form::Table => self.each(&mut |other| {
                found = other.id == item.id;
                Ok(!found)
            })?,
        }
        Ok(found)
    }

    /// The box of an item in the file's text, if the item is still there.
    fn entry(&self, text: &str, item: &Item) -> Result<checklist::Entry, SourceError> {
        let found = checklist::read(text)
            .into_iter()
            .find(|e| e.item.id == item.id);
        found.ok_or_else(|| self.gone(item))
    }

    fn gone(&self, item: &Item) -> SourceError {
        SourceError::Gone(format!("{} is not in {} any more", item.id, self.name))
    }

    fn tick(&self, item: &Item) -> Result<ActReceipt, SourceError> {
        for _ in 0..TICKS_MAX {
            let text = self.text()?;
            let entry = self.entry(&text, item)?;
            let what = format!("{} line {}", self.name, entry.line);
            if entry.ticked {
                return Ok(ActReceipt {
                    what,
                    already: true,
                });
            }
            let mut ticked = text.clone();
            ticked.replace_range(entry.mark..entry.mark + 1, "x");
            let put = replace(&self.path, &ticked, || {
                self.text().is_ok_and(|now| now == text)
            });
            match put {
                Ok(true) => {
                    return Ok(ActReceipt {
                        what,
                        already: false,
                    });
                }
                // Somebody else wrote: look again.
                Ok(false) => {}
                Err(error) => {
                    return Err(SourceError::Unavailable(format!(
                        "{} cannot be written: {error}",
                        self.name
                    )));
                }
            }
        }
        Err(SourceError::Unavailable(format!(
            "{} is being changed all the time by somebody else",
            self.name
        )))
    }
}

/// Puts a text in the place of a file, whole or not at all; links are followed, permissions stay. `still` is asked last
/// whether the file is still what it was.
fn replace(path: &Path, text: &str, still: impl FnOnce() -> bool) -> std::io::Result<bool> {
    let path = path.canonicalize()?;
    let folder = path
        .parent()
        .ok_or_else(|| std::io::Error::other("it has no folder"))?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file()
        .set_permissions(std::fs::metadata(&path)?.permissions())?;
    new.as_file().sync_all()?;
    if !still() {
        return Ok(false);
    }
    new.persist(&path).map_err(|e| e.error)?;
    Ok(true)
}

#[async_trait]
impl Source for FileSource {
    fn describe(&self) -> String {
        format!("the file {}", self.name)
    }

    async fn list(
        &self,
        found: &mut (dyn FnMut(Item) -> bool + Send),
    ) -> Result<Vec<String>, SourceError> {
        let mut hand = Hand::new(&self.items, false, found);
        self.each(&mut |item| hand.take(item))?;
        Ok(hand.finish())
    }

    async fn read(&self, item: &Item) -> Result<Dossier, SourceError> {
        if !self.has(item)? {
            return Err(self.gone(item));
        }
        Ok(dossier::of_line(item))
    }

    fn verbs(&self) -> Vec<Verb> {
        let tick = (self.form == Form::Checklist).then_some(Verb::Tick);
        let act = self.actor.as_ref().map(|_| Verb::Command);
        tick.into_iter().chain(act).collect()
    }

    async fn probe(&self, act: &Act) -> Result<Option<ActReceipt>, SourceError> {
        match (act.verb, self.form, &self.actor) {
            (Verb::Tick, Form::Checklist, _) => {
                let entry = self.entry(&self.text()?, &act.item)?;
                Ok(entry.ticked.then(|| ActReceipt {
                    what: format!("{} line {}", self.name, entry.line),
                    already: true,
                }))
            }
            (Verb::Command, _, Some(actor)) => {
                actor.may_be_again(act);
                Ok(None)
            }
            _ => Err(cannot("this file", act.verb)),
        }
    }

    async fn act(&self, act: &Act) -> Result<ActReceipt, SourceError> {
        match (act.verb, self.form, &self.actor) {
            (Verb::Tick, Form::Checklist, _) => self.tick(&act.item),
            (Verb::Command, _, Some(actor)) => actor.act(act).await,
            _ => Err(cannot("this file", act.verb)),
        }
    }
}
