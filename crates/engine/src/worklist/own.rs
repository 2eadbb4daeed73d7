//! The harness's own checks of an item's change: its size, and its replay.

use std::collections::BTreeSet;

use overnight_core::check::{Obstacle, Receipt, Target, Verdict};
use overnight_core::effect::to_verify;
use overnight_core::event::Fact;
use overnight_core::goal::FixWhen;
use overnight_core::ids::{BlobId, CheckId, ItemId, TreeId};
use overnight_core::item::{Dossier, Extent, Replayed};
use overnight_core::judge::{Judgement, plain};
use overnight_core::measure::Measure;
use overnight_core::repo::Candidate;
use overnight_core::state::{FIX_WHEN_CHECK, REPLAY_CHECK, State};
use overnight_ports::crew::WorklistPorts;

use crate::known::{Integrated, Known};
use crate::perform::Ports;
use crate::preflight;

/// How many earlier changes of the same files are asked whether they are undone, newest first: each is a merge.
const FIXES_ASKED_MAX: usize = 24;
/// How many files with marked conflicts are named.
const UNRESOLVED_TOLD_MAX: usize = 10;

/// Runs those of them that are wanted.
pub(crate) async fn verify_own(
    child: &State,
    ports: &Ports,
    known: &Known,
    candidate: &Candidate,
    say: &(dyn Fn(Fact) + Send + Sync),
) {
    let (Some(list), Some(base)) = (&ports.worklist, &child.base) else {
        return;
    };
    let wanted = to_verify(child);
    let tell = |id: &str, judgement: Judgement| {
        let receipt = Receipt {
            tree: Some(candidate.tree.clone()),
            ..Receipt::default()
        };
        let target = Target::Candidate(candidate.tree.clone());
        say(Fact::CheckReported {
            report: Box::new(preflight::report(
                &CheckId::from(id),
                &target,
                judgement,
                receipt,
            )),
        });
    };
    if wanted.contains(&CheckId::from(FIX_WHEN_CHECK)) {
        let limits = child.goal.next.fix_when.unwrap_or_default();
        let extent = list.trees.extent(&base.tree, candidate).await;
        tell(FIX_WHEN_CHECK, judge_extent(limits, extent));
    }
    if wanted.contains(&CheckId::from(REPLAY_CHECK)) {
        let judgement = replay(child, ports, list, known, &candidate.tree).await;
        tell(REPLAY_CHECK, judgement);
    }
}

/// What is wrong with an item's change, whatever its checks say: a conflict that is still marked in it, and what it undoes
/// of what siblings fixed.
pub(crate) async fn amiss(
    child: &State,
    ports: &Ports,
    known: &Known,
    candidate: &Candidate,
) -> Result<Vec<String>, String> {
    let (Some(list), Some(base), Some(item)) = (&ports.worklist, &child.base, &child.item) else {
        return Ok(Vec::new());
    };
    let trees = &list.trees;
    let marked = trees.unresolved(&base.tree, candidate).await?;
    let mut amiss: Vec<String> = marked
        .iter()
        .take(UNRESOLVED_TOLD_MAX)
        .map(|path| {
            let path = plain(path);
            format!("`{path}` still holds the marks of a conflict: bring both sides together")
        })
        .collect();
    let changed: BTreeSet<&str> = candidate.changes.iter().map(|c| c.path.as_str()).collect();
    let touches = |fix: &&Integrated| {
        let mut paths = fix.paths.iter();
        !fix.paths.is_empty() && paths.all(|path| changed.contains(path.as_str()))
    };
    // A change that was taken onto others' work keeps what it did not know of, and was looked at before.
    let most = if item.moved { 0 } else { FIXES_ASKED_MAX };
    let earlier: Vec<Integrated> = known.ledger(|ledger| {
        let held = ledger.integrated_in(&item.start.commit).iter().rev();
        held.filter(touches).take(most).cloned().collect()
    });
    for fix in earlier {
        // Where nothing is left to be undone, everything of it is undone.
        let without = trees
            .rebase(&fix.tree, &fix.before, &candidate.tree)
            .await?;
        if without.conflicts.is_empty() && without.candidate.tree == candidate.tree {
            let (id, commit) = (plain(fix.item.as_str()), fix.commit.short());
            amiss.push(format!(
                "it undoes the whole change that was made for `{id}` in `{commit}`"
            ));
        }
    }
    Ok(amiss)
}

fn judgement(verdict: Verdict, reason: String) -> Judgement {
    let passes = verdict == Verdict::Pass;
    Judgement {
        verdict,
        obstacle: (verdict == Verdict::CannotTell).then(|| Obstacle::Harness {
            detail: reason.clone(),
        }),
        reason,
        evidence: String::new(),
        measure: Measure {
            passing: passes.into(),
            failing: (!passes).into(),
            distance: None,
        },
        flaky: false,
    }
}

/// Whether a change is small enough to be made as a fix.
fn judge_extent(limits: FixWhen, extent: Result<Extent, String>) -> Judgement {
    let extent = match extent {
        Ok(extent) => extent,
        Err(why) => {
            let reason = format!("the size of the change could not be found out: {why}");
            return judgement(Verdict::CannotTell, reason);
        }
    };
    let over = |what: &str, is: u32, limit: Option<u32>| {
        let limit = limit.filter(|limit| is > *limit)?;
        Some(format!("{is} {what}, and {limit} may be"))
    };
    let functions = match (extent.functions, limits.functions) {
        (None, Some(_)) => Some("functions in a language that the harness cannot read".to_owned()),
        (Some(is), limit) => over("functions", is, limit),
        (None, None) => None,
    };
    let over: Vec<String> = [
        functions,
        over("lines", extent.lines, limits.lines),
        over("files", extent.files, limits.files),
    ]
    .into_iter()
    .flatten()
    .collect();
    if over.is_empty() {
        let functions = extent
            .functions
            .map_or_else(|| "?".to_owned(), |n| n.to_string());
        let (lines, files) = (extent.lines, extent.files);
        let reason = format!("{functions} functions, {lines} lines, {files} files");
        return judgement(Verdict::Pass, reason);
    }
    let mut found = judgement(
        Verdict::Fail,
        format!(
            "the change is too large for a fix (`next.fix_when`): it touches {}",
            over.join("; ")
        ),
    );
    found.evidence =
        "Make it smaller, or end the item with a diagnosis that says what a fix would take.".into();
    found
}

/// The item's error is gone, and so are those of the items that were fixed before it.
async fn replay(
    child: &State,
    ports: &Ports,
    list: &WorklistPorts,
    known: &Known,
    tree: &TreeId,
) -> Judgement {
    let (Some(replayer), Some(item)) = (&list.replayer, child.item.as_deref()) else {
        return judgement(Verdict::CannotTell, "the goal names no replay".into());
    };
    // Those that its workspace did not start from are asked when it is taken onto them.
    let earlier: Vec<(ItemId, BlobId)> = known.ledger(|ledger| {
        let fixed = ledger.fixed_in(&item.start.commit).into_iter();
        fixed
            .filter(|closed| !closed.head.is_whole())
            .filter_map(|closed| {
                let id = &closed.head.id;
                Some((id.clone(), ledger.dossier(id)?.clone()))
            })
            .collect()
    });
    let own = (item.head.id.clone(), item.dossier.clone());
    // What the whole still lacks is no error that could be replayed.
    let own = (!item.head.is_whole()).then_some(own);
    for (id, blob) in own.into_iter().chain(earlier) {
        let dossier: Result<Dossier, String> = ports
            .journal
            .get(&blob)
            .map_err(|e| e.to_string())
            .and_then(|bytes| serde_json::from_slice(&bytes).map_err(|e| e.to_string()));
        let replayed = match &dossier {
            Ok(dossier) => replayer.replay(child, tree, dossier).await,
            Err(_) => Replayed::CannotTell,
        };
        let mine = id == item.head.id;
        match replayed {
            Replayed::Passes => {}
            Replayed::Fails if mine => {
                return judgement(Verdict::Fail, "the replay of its event still fails".into());
            }
            Replayed::Fails => {
                let reason = format!("the error of {id}, which was fixed before, is back");
                return judgement(Verdict::Fail, reason);
            }
            Replayed::CannotTell => {
                let reason = format!("the replay of {id} could not be run");
                return judgement(Verdict::CannotTell, reason);
            }
        }
    }
    judgement(
        Verdict::Pass,
        "its replay passes, and those of the items fixed before".into(),
    )
}
