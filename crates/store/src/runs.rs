//! The runs of `$OVERNIGHT_HOME`.

use std::path::{Path, PathBuf};

use overnight_ports::journal::{JournalError, Summary};

use crate::{RunStore, store_error};

/// Where the runs are.
pub fn runs_dir(home: &Path) -> PathBuf {
    home.join("runs")
}

/// Every run's summary, newest first. A run whose journal cannot be read is listed with what is wrong as its status.
pub fn list(home: &Path) -> Result<Vec<Summary>, JournalError> {
    let dir = runs_dir(home);
    let mut runs: Vec<Summary> = names(&dir)?
        .into_iter()
        .map(
            |name| match RunStore::look(&dir.join(&name)).and_then(|s| s.summary()) {
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
            },
        )
        .collect();
    runs.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    Ok(runs)
}

/// The folder of the run that `name` means: its whole id, its short id, the end or the beginning of it if only one
/// run has it, or `last`.
pub fn find(home: &Path, name: &str) -> Result<PathBuf, JournalError> {
    let dir = runs_dir(home);
    if name == "last" {
        let newest = list(home)?
            .into_iter()
            .next()
            .ok_or_else(|| JournalError::NoRun(name.to_owned()))?;
        return Ok(dir.join(newest.id));
    }
    let hits: Vec<String> = names(&dir)?
        .into_iter()
        .filter(|id| !name.is_empty() && (id == name || id.ends_with(name) || id.starts_with(name)))
        .collect();
    match hits.as_slice() {
        [one] => Ok(dir.join(one)),
        _ => Err(JournalError::NoRun(name.to_owned())),
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
