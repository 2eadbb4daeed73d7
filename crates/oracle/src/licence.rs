//! What the goal licenses: which files of the oracle the work may change all the same, and which files it adds to the
//! oracle.

use overnight_core::goal::Goal;
use overnight_core::goal::globs::Globs;

use crate::place::Places;
use crate::table::{Class, name_of};

/// The goal's word on the oracle.
pub(crate) struct Licence {
    /// `use.oracle`.
    licensed: Globs,
    /// `use.paths` where the goal is about exactly those files of the oracle.
    named: Vec<String>,
    /// Every path that `use.paths` names without a wildcard.
    literal: Vec<String>,
    /// `keep.oracle`.
    kept: Globs,
    /// `use.paths` and `keep.paths`: where the work may write at all.
    uses: Option<Globs>,
    keeps: Globs,
    /// Patterns that could not be read. The parser refuses them, so a goal from a file has none.
    pub(crate) unread: Vec<String>,
}

impl Licence {
    pub(crate) fn new(goal: &Goal, places: &Places) -> Self {
        let mut unread = Vec::new();
        let mut read = |patterns: &[String]| {
            Globs::new(patterns).unwrap_or_else(|e| {
                unread.push(e.pattern);
                Globs::default()
            })
        };
        let kept = read(&goal.keep.oracle);
        let licensed = read(&goal.uses.oracle);
        let keeps = read(&goal.keep.paths);
        let uses = goal.uses.paths.as_deref().map(&mut read);
        let named = goal
            .uses
            .paths
            .as_deref()
            .map_or_else(Vec::new, |patterns| named(patterns, &kept, places));
        let literal = goal
            .uses
            .paths
            .iter()
            .flatten()
            .filter(|pattern| !pattern.contains(['*', '?', '[', ']', '{', '}', '!', '\\']))
            .map(|pattern| {
                let path = pattern.strip_prefix('/').unwrap_or(pattern);
                path.strip_prefix("./").unwrap_or(path).to_owned()
            })
            .collect();
        Licence {
            licensed,
            named,
            literal,
            kept,
            uses,
            keeps,
            unread,
        }
    }

    /// Whether the file may be changed although it belongs to the oracle. What the goal keeps stays kept.
    pub(crate) fn allows(&self, path: &str) -> bool {
        !self.keeps(path)
            && (self.licensed.matches(path)
                || self
                    .named
                    .iter()
                    .any(|named| named == path || named == name_of(path)))
    }

    /// Whether `use.paths` names the very file: the work is on it, also where a check runs it.
    pub(crate) fn names(&self, path: &str) -> bool {
        self.literal.iter().any(|named| named == path)
    }

    /// Whether `keep.oracle` names the file.
    pub(crate) fn keeps(&self, path: &str) -> bool {
        self.kept.matches(path)
    }

    /// Whether the work may write there at all, by `use.paths` and `keep.paths`.
    pub(crate) fn may_write(&self, path: &str) -> bool {
        !self.keeps.matches(path) && self.uses.as_ref().is_none_or(|uses| uses.matches(path))
    }
}

/// The files that `use.paths` names one by one, if it names nothing else and all of them belong to the oracle: then
/// the goal is about them. A manifest among them is not licensed by it, because its dependencies may be changed anyway
/// and whoever names it means those.
fn named(patterns: &[String], kept: &Globs, places: &Places) -> Vec<String> {
    let mut named = Vec::new();
    for pattern in patterns {
        let path = pattern.strip_prefix('/').unwrap_or(pattern);
        let path = path.strip_prefix("./").unwrap_or(path);
        let wild = pattern.contains(['*', '?', '[', ']', '{', '}', '!', '\\']);
        if wild || path.ends_with('/') || !(places.belongs(path) || kept.matches(path)) {
            return Vec::new();
        }
        if !matches!(crate::table::class(path), Some(Class::Manifest(_))) {
            named.push(path.to_owned());
        }
    }
    named
}
