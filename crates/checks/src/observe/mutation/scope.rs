//! Which code can hold faults: what the goal names, else what the tests reach, else the implementation in the languages
//! that the tests' runner runs.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::goal::Format;
use overnight_core::goal::globs::Globs;
use overnight_ports::faults::{Faults, Kind, Language, Place};

use super::Question;
use crate::observe::Run;
use crate::observe::tracked::Tracked;
use crate::runners;
use crate::values::File;

/// What the tests reach.
#[derive(Debug, Default)]
pub(in crate::observe) enum Reach {
    /// Nobody measures it.
    #[default]
    Unmeasured,
    /// It was to be measured and could not: why.
    Unknown(String),
    /// By the goal's own coverage command.
    Measured {
        /// As the report names them.
        files: BTreeMap<String, File>,
        /// The directory in which it ran.
        dir: String,
        /// The report's format.
        format: Format,
    },
}

/// Files that can hold faults.
pub(super) struct Scope {
    pub(super) places: Vec<Place>,
    /// Which code that is, for people.
    pub(super) words: String,
}

/// The files, in the order of their names. The error is a pattern that means nothing.
pub(super) fn scope(
    run: &Run<'_>,
    plan: &runners::Plan,
    faults: &dyn Faults,
    tracked: &Tracked,
    question: &Question<'_>,
) -> Result<Scope, String> {
    let named = !question.paths.is_empty();
    let globs = Globs::new(question.paths).map_err(|e| e.to_string())?;
    let below = |path: &str| {
        let dir = run.probe.dir.trim_matches('/');
        dir.is_empty()
            || path
                .strip_prefix(dir)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    let fits = |path: &str| match faults.kind(path) {
        Kind::Implementation(_) | Kind::Generated(_) if named => globs.matches(path),
        Kind::Implementation(language) => below(path) && speaks(&plan.languages, language),
        Kind::Generated(_) | Kind::Other => false,
    };
    let reached = reached(&question.reach, tracked);
    let places: Vec<Place> = tracked
        .files()
        .filter(|path| fits(path))
        .filter_map(|path| {
            let lines = match reached.as_ref().map(|reached| reached.get(path)) {
                None => None,
                // A file that the person names and nobody measured is one that nothing reaches: the tests are to.
                Some(None) if named => None,
                Some(None) => return None,
                Some(Some(file)) if file.ran => file.lines.clone(),
                Some(Some(_)) => return None,
            };
            Some(Place {
                path: path.to_owned(),
                lines,
                named,
            })
        })
        .collect();
    let what = match named {
        true => format!("`{}`", question.paths.join("`, `")),
        false => "the implementation".to_owned(),
    };
    let how = match &question.reach {
        Reach::Measured { .. } => "the lines that the tests reach of ",
        Reach::Unmeasured | Reach::Unknown(_) => "all of ",
    };
    let aside = match &question.reach {
        Reach::Unknown(why) => format!("; what the tests reach could not be measured: {why}"),
        Reach::Unmeasured | Reach::Measured { .. } => String::new(),
    };
    Ok(Scope {
        places,
        words: format!("{how}{what}{aside}"),
    })
}

/// Whether the tests' runner runs code of this language; one that is not known may run any.
fn speaks(languages: &BTreeSet<Language>, language: Language) -> bool {
    languages.is_empty() || languages.contains(&language)
}

/// How much lower than a report's figure the share of the lines that ran may be, percentage points.
const DISAGREEMENT_MAX: f64 = 30.0;

/// Whether the lines of a report bear its figure out. A report that says of nearly everything that it ran, and of few lines
/// which, would keep faults away from the rest.
pub(in crate::observe) fn agrees(files: &BTreeMap<String, File>, percent: f64) -> bool {
    let (mut ran, mut all) = (0_u32, 0_u32);
    for lines in files.values().filter_map(|file| file.lines.as_ref()) {
        for hit in lines.values() {
            all = all.saturating_add(1);
            ran = ran.saturating_add(u32::from(*hit));
        }
    }
    all == 0 || 100.0 * f64::from(ran) / f64::from(all) >= percent - DISAGREEMENT_MAX
}

/// The files that were measured, with their lines where those are known.
fn reached(reach: &Reach, tracked: &Tracked) -> Option<BTreeMap<String, File>> {
    let Reach::Measured { files, dir, format } = reach else {
        return None;
    };
    let mut found = BTreeMap::new();
    for (name, file) in files {
        if let Some(path) = tracked.resolve(name, dir, *format) {
            found.insert(path, file.clone());
        }
    }
    Some(found)
}
