//! Bringing an item's change onto the run's branch, and looking at the evidence of those that change nothing.

use overnight_core::event::Fact;
use overnight_core::ids::{ItemId, Scope, TreeId};
use overnight_core::item::Outcome;
use overnight_core::judge::plain;
use overnight_core::state::State;
use overnight_core::worklist::Tip;
use overnight_ports::crew::{Commit, WorklistPorts};

use crate::known::Known;
use crate::perform::{Ports, headed};

/// The evidence of a closing without a change: a diagnosis cites places that are there.
pub(super) async fn examine(
    child: &State,
    list: &WorklistPorts,
    say: &(dyn Fn(Fact) + Send + Sync),
) {
    let closing = child.item.as_ref().and_then(|item| item.closing.as_ref());
    let (Some(closing), Some(base)) = (closing, &child.base) else {
        return;
    };
    let faults = match closing.outcome {
        Outcome::Diagnosed => list.trees.citations(&base.tree, &closing.evidence).await,
        Outcome::Fixed
        | Outcome::Done
        | Outcome::Flagged
        | Outcome::SkippedByRule
        | Outcome::Unresolved => Ok(Vec::new()),
    };
    say(match faults {
        Ok(faults) => Fact::ClosingExamined { faults },
        Err(why) => Fact::HarnessFailed {
            message: format!("the citations could not be looked up: {why}"),
            fatal: false,
        },
    });
}

/// Makes the item's commit, or takes its change onto what the others have integrated meanwhile.
pub(super) async fn integrate(
    item: &ItemId,
    state: &State,
    list: &WorklistPorts,
    known: &Known,
    say: &(dyn Fn(Fact) + Send + Sync),
) {
    let open = state.worklist.as_ref().and_then(|list| list.open.get(item));
    let Some((child, base, candidate)) = open.and_then(|child| {
        let base = child.base.as_ref()?;
        Some((child, base, child.candidate.as_ref()?))
    }) else {
        return;
    };
    let tip = overnight_core::step::tip(state);
    let fact = if base.tree == tip.tree {
        commit(state, child, &tip, list).await
    } else {
        match list
            .trees
            .rebase(&base.tree, &candidate.tree, &tip.tree)
            .await
        {
            Ok(moved) => {
                known.keep(&Scope::Item(item.clone()), &moved.candidate);
                let held = moved.conflicts.is_empty() && moved.candidate.tree == tip.tree;
                let held_by = match held {
                    true => holder(child, &base.tree, &candidate.tree, list, known).await,
                    false => Ok(None),
                };
                held_by.map(|held_by| Fact::Rebased {
                    candidate: moved.candidate,
                    onto: tip.commit,
                    onto_tree: tip.tree,
                    conflicts: moved.conflicts,
                    held_by: held_by.map(Box::new),
                })
            }
            Err(why) => Err(why),
        }
    };
    say(fact.unwrap_or_else(|why| Fact::HarnessFailed {
        message: format!("the change of `{item}` could not be integrated: {why}"),
        fatal: false,
    }));
}

/// The first commit, of those that were made since the item's workspace was, that holds the whole change.
async fn holder(
    child: &State,
    base: &TreeId,
    tree: &TreeId,
    list: &WorklistPorts,
    known: &Known,
) -> Result<Option<Tip>, String> {
    let Some(item) = &child.item else {
        return Ok(None);
    };
    let since: Vec<Tip> = known.ledger(|ledger| {
        let made = ledger.integrated_since(&item.start.commit).iter();
        made.map(|made| Tip {
            commit: made.commit.clone(),
            tree: made.tree.clone(),
            item: made.item.clone(),
        })
        .collect()
    });
    for made in since {
        let moved = list.trees.rebase(base, tree, &made.tree).await?;
        if moved.conflicts.is_empty() && moved.candidate.tree == made.tree {
            return Ok(Some(made));
        }
    }
    Ok(None)
}

async fn commit(
    state: &State,
    child: &State,
    tip: &Tip,
    list: &WorklistPorts,
) -> Result<Fact, String> {
    const MS_PER_S: u64 = 1_000;
    let (Some(candidate), Some(base)) = (&child.candidate, &state.base) else {
        return Err("it has none".into());
    };
    let commit = Commit {
        parent: tip.commit.clone(),
        tree: candidate.tree.clone(),
        message: message(state, child),
        identity: base.identity.clone(),
        at_s: candidate.fixed_at / MS_PER_S,
    };
    let made = list.trees.commit(&commit).await?;
    Ok(Fact::Integrated {
        commit: made,
        tree: commit.tree,
    })
}

/// The model's words, and trailers that lead back to the item.
fn message(state: &State, child: &State) -> String {
    let item = child.item.as_deref();
    let said = item.and_then(|item| item.closing.as_ref());
    let said = said.map_or(child.goal.outcome.as_str(), |closing| &closing.evidence);
    let id = item
        .map(|item| plain(item.head.id.as_str()))
        .unwrap_or_default();
    let url = item.and_then(|item| item.head.url.as_deref()).map(plain);
    let mut trailers = format!("Overnight-Run: {}\nOvernight-Item: {id}\n", state.run);
    if let Some(url) = url.filter(|url| !url.contains(char::is_whitespace)) {
        trailers.push_str(&format!("Overnight-Item-Url: {url}\n"));
    }
    format!("{}{trailers}", headed("", said))
}

/// What the run would deliver: what is integrated, against its base.
pub(crate) async fn whole(state: &State, ports: &Ports, known: &Known) -> Result<Fact, String> {
    let list = ports.worklist.as_ref().ok_or("there is no worklist")?;
    let base = state.base.as_ref().ok_or("there is no base")?;
    let tip = overnight_core::step::tip(state);
    let candidate = list.trees.compare(&base.tree, &tip.tree).await?;
    known.keep(&Scope::Run, &candidate);
    Ok(Fact::CandidateFixed {
        candidate,
        delta: None,
        denials: Vec::new(),
        stopped: Vec::new(),
    })
}
