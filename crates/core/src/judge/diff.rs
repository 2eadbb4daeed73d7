//! Judging what changed: which paths the goal lets change, and links that lead out of the repository.

use super::text::clip;
use super::{EVIDENCE_BYTES_MAX, Judgement};
use crate::check::Verdict;
use crate::goal::Goal;
use crate::goal::globs::Globs;
use crate::repo::Changed;

/// Judges the diff against what the goal lets change: `keep.paths` and `use.paths` for the check that every goal
/// has, `allow` and `forbid` for one of the kind `diff`.
pub fn judge_diff(allow: Option<&Globs>, forbid: &Globs, changes: &[Changed]) -> Judgement {
    let offence = |path: &str| {
        if forbid.matches(path) {
            Some(format!("`{path}` must not change"))
        } else if allow.is_some_and(|globs| !globs.matches(path)) {
            Some(format!("`{path}` is not among the paths that may change"))
        } else {
            None
        }
    };
    // A link that leads out of the repository holds here only: in a clone it is dead, or leads to something else.
    let leads_out = |change: &Changed| {
        let target = change
            .link
            .as_deref()
            .filter(|target| leads_out(&change.path, target))?;
        Some(format!(
            "`{}` is a link that leads out of the repository, to `{target}`",
            change.path
        ))
    };
    let offences: Vec<String> = changes
        .iter()
        .filter_map(|c| offence(&c.path).or_else(|| leads_out(c)))
        .collect();
    if offences.is_empty() {
        return Judgement::new(
            Verdict::Pass,
            format!("{} changed paths, all allowed", changes.len()),
        );
    }
    let mut judgement = Judgement::new(Verdict::Fail, clip(&offences.join("; "), 600));
    judgement.evidence = clip(&offences.join("\n"), EVIDENCE_BYTES_MAX);
    judgement.measure.failing = offences.len() as u64;
    judgement
}

/// Whether a link at `path` leads to somewhere outside the repository.
fn leads_out(path: &str, target: &str) -> bool {
    let bytes =
        |text: &str| crate::paths::unquote(text).unwrap_or_else(|| text.as_bytes().to_vec());
    let (path, target) = (bytes(path), bytes(target));
    if target.starts_with(b"/") {
        return true;
    }
    let mut depth = path.iter().filter(|b| **b == b'/').count();
    for part in target.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// What the goal lets change: (the only paths that may, the paths that must not).
pub fn licence(goal: &Goal) -> Result<(Option<Globs>, Globs), crate::goal::globs::BadGlob> {
    let allow = goal
        .uses
        .paths
        .as_ref()
        .map(|paths| Globs::new(paths))
        .transpose()?;
    Ok((allow, Globs::new(&goal.keep.paths)?))
}
