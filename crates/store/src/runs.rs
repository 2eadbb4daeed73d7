//! The runs of `$OVERNIGHT_HOME`.

use std::path::{Path, PathBuf};

use overnight_ports::journal::{JournalError, Summary};

use crate::{RunStore, schema, store_error};

/// How many runs are named where a name means several.
const NAMED_MAX: usize = 5;

/// Where the runs are.
pub fn runs_dir(home: &Path) -> PathBuf {
    home.join("runs")
}

/// Every run's summary, newest first. A run whose journal cannot be read is listed with what is wrong as its status.
pub fn list(home: &Path) -> Result<Vec<Summary>, JournalError> {
    let dir = runs_dir(home);
    let mut runs: Vec<Summary> = names(&dir)?
        .into_iter()
        .map(|name| match summary(&dir.join(&name)) {
            Ok(summary) if !summary.id.is_empty() => summary,
            Ok(_) => Summary {
                id: name,
                status: "empty".into(),
                ..Summary::default()
            },
            Err(e) => Summary {
                id: name,
                status: format!("unreadable: {e}"),
                ..Summary::default()
            },
        })
        .collect();
    runs.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    Ok(runs)
}

/// What a list shows of the run in this folder.
fn summary(dir: &Path) -> Result<Summary, JournalError> {
    match schema::glance(&dir.join(crate::JOURNAL_FILE)) {
        Some(summary) => Ok(summary),
        None => RunStore::look(dir)?.summary(),
    }
}

/// The folder of the run that `name` means: its whole id, its short id, the end or the beginning of it if only one
/// run has it, or `last`.
pub fn find(home: &Path, name: &str) -> Result<PathBuf, JournalError> {
    let dir = runs_dir(home);
    let mut hits = names(&dir)?;
    if name == "last" {
        let newest = newest(&dir, &hits).ok_or_else(|| JournalError::NoRun(name.to_owned()))?;
        return Ok(dir.join(newest));
    }
    if hits.iter().any(|id| id == name) {
        return Ok(dir.join(name));
    }
    hits.retain(|id| !name.is_empty() && (id.ends_with(name) || id.starts_with(name)));
    match hits.as_slice() {
        [one] => Ok(dir.join(one)),
        [] => Err(JournalError::NoRun(name.to_owned())),
        many => Err(JournalError::Ambiguous {
            name: name.to_owned(),
            runs: some_of(many),
        }),
    }
}

/// The newest of these runs that can be read, or else the newest. A run's id begins with its time, so few journals are
/// opened however many there are.
fn newest<'a>(dir: &Path, ids: &'a [String]) -> Option<&'a String> {
    let readable =
        |id: &&String| summary(&dir.join(id)).is_ok_and(|summary| !summary.id.is_empty());
    ids.iter().rev().find(readable).or(ids.last())
}

/// The newest of these runs, by name, and how many more there are. A run's id begins with its time.
fn some_of(ids: &[String]) -> String {
    let newest: Vec<&str> = ids
        .iter()
        .rev()
        .take(NAMED_MAX)
        .map(String::as_str)
        .collect();
    let more = ids.len() - newest.len();
    let newest = newest.join(", ");
    match more {
        0 => newest,
        _ => format!("{newest} and {more} more"),
    }
}

fn names(dir: &Path) -> Result<Vec<String>, JournalError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(store_error(dir, &e)),
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|e| e.path().join(crate::JOURNAL_FILE).is_file())
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use overnight_core::event::{Event, Fact};
    use overnight_ports::journal::Journal;

    use super::*;

    #[test]
    fn the_last_run_is_the_newest_that_can_be_read() {
        let home = tempfile::tempdir().unwrap();
        let dir = runs_dir(home.path());
        let none = find(home.path(), "last").map_err(|e| e.to_string());
        assert!(none.is_err_and(|e| e.contains("last")));
        for id in ["01a", "02b", "03c", "04d"] {
            let store = RunStore::create(&dir.join(id)).unwrap();
            let summary = Summary {
                id: id.into(),
                ..Summary::default()
            };
            // A process may have died before its run's first event.
            if id != "03c" {
                let begun = Event::run(1, Fact::Woken);
                store.append(&[begun], &[], &summary).unwrap();
            }
        }
        std::fs::write(dir.join("04d").join(crate::JOURNAL_FILE), "nonsense").unwrap();
        assert_eq!(find(home.path(), "last").unwrap(), dir.join("02b"));
        std::fs::remove_dir_all(dir.join("02b")).unwrap();
        std::fs::remove_dir_all(dir.join("01a")).unwrap();
        assert_eq!(find(home.path(), "last").unwrap(), dir.join("04d"));
    }

    #[test]
    fn a_list_tells_the_newest_of_runs_that_are_over_at_work_and_dead() {
        let home = tempfile::tempdir().unwrap();
        // A name that an address would spell in another way.
        let home = home.path().join("a home? 100 % ü#1");
        let dir = runs_dir(&home);
        let journal = |id: &str| {
            let store = RunStore::create(&dir.join(id)).unwrap();
            for turns in 1..=3 {
                let summary = Summary {
                    id: id.into(),
                    turns,
                    ..Summary::default()
                };
                let woken = Event::run(turns, Fact::Woken);
                store.append(&[woken], &[], &summary).unwrap();
            }
            store
        };
        drop(journal("over"));
        let _at_work = journal("at-work");
        // What a process that died leaves behind: a log of which the journal does not know yet.
        let dead = dir.join("dead");
        let dies = journal("dies");
        std::fs::create_dir(&dead).unwrap();
        for name in ["journal.db", "journal.db-wal"] {
            std::fs::copy(dies.dir().join(name), dead.join(name)).unwrap();
        }
        let runs = list(&home).unwrap();
        assert_eq!(runs.len(), 4);
        assert!(runs.iter().all(|run| run.turns == 3), "{runs:?}");
        let glanced = |id: &str| schema::glance(&dir.join(id).join(crate::JOURNAL_FILE));
        assert_eq!(glanced("over").map(|run| run.id).as_deref(), Some("over"));
        assert_eq!(glanced("at-work"), None);
        let left: Vec<_> = std::fs::read_dir(dir.join("over"))
            .unwrap()
            .flatten()
            .collect();
        assert!(left.iter().all(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            !name.ends_with("-wal") && !name.ends_with("-shm")
        }));
    }

    #[test]
    fn a_name_that_means_several_runs_is_ambiguous_and_lists_them() {
        let home = tempfile::tempdir().unwrap();
        let dir = runs_dir(home.path());
        for id in ["01aa", "01ba", "01ba-2"] {
            RunStore::create(&dir.join(id)).unwrap();
        }
        assert_eq!(find(home.path(), "01a").unwrap(), dir.join("01aa"));
        assert_eq!(
            find(home.path(), "01ba").unwrap(),
            dir.join("01ba"),
            "whole"
        );
        let several = find(home.path(), "a").unwrap_err().to_string();
        assert!(several.contains("01ba, 01aa"), "{several}");
        for none in ["c", ""] {
            assert!(matches!(
                find(home.path(), none),
                Err(JournalError::NoRun(_))
            ));
        }
        for n in 0..NAMED_MAX {
            RunStore::create(&dir.join(format!("02-{n}"))).unwrap();
        }
        let many = find(home.path(), "0").unwrap_err().to_string();
        assert!(many.contains("02-0 and 3 more"), "{many}");
    }
}
