//! A file of items: JSON lines, CSV, or a Markdown checklist whose boxes can be ticked.

mod checklist;
mod table;

use std::io::{Read, Write};
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

    /// The file's text.
    fn text(&self) -> Result<String, SourceError> {
        let refused = |why: String| {
            SourceError::Refused(format!("the list {} cannot be read: {why}", self.name))
        };
        let file = std::fs::File::open(&self.path).map_err(|e| refused(e.to_string()))?;
        // A pipe or a device would never end.
        let kind = file.metadata().map_err(|e| refused(e.to_string()))?;
        if !kind.is_file() {
            return Err(refused("it is no file".to_owned()));
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| refused(e.to_string()))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(refused(format!(
                "it is larger than {} MiB",
                FILE_BYTES_MAX / 1024 / 1024
            )));
        }
        String::from_utf8(bytes)
            .map_err(|_| SourceError::Malformed(format!("the list {} is not UTF-8", self.name)))
    }

    fn all(&self) -> Result<Vec<Item>, SourceError> {
        let text = self.text()?;
        match self.form {
            Form::Lines => lines::read(&text, &self.name),
            Form::Table => table::read(&text, &self.name),
            Form::Checklist => Ok(checklist::read(&text)
                .into_iter()
                .filter(|entry| !entry.ticked)
                .map(|entry| entry.item)
                .collect()),
        }
        .map_err(SourceError::Malformed)
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
        for item in self.all()? {
            if !hand.take(item)? {
                break;
            }
        }
        Ok(hand.finish())
    }

    async fn read(&self, item: &Item) -> Result<Dossier, SourceError> {
        let there = match self.form {
            // Also with a tick, which may be ours.
            Form::Checklist => self.entry(&self.text()?, item).is_ok(),
            Form::Lines | Form::Table => self.all()?.iter().any(|i| i.id == item.id),
        };
        if !there {
            return Err(self.gone(item));
        }
        Ok(dossier::of_words(item, ""))
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
