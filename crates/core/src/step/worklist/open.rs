//! Items are opened: listed once, read one after the other, and each gets a small machine of its own.

use std::collections::BTreeMap;

use crate::check::{Obstacle, Verdict};
use crate::event::Opened;
use crate::goal::{ATTEMPTS_DEFAULT, Deliver, Goal, Keep, Role, Stop};
use crate::ids::{CheckId, Scope, TreeId};
use crate::item::{Listing, Outcome, Replayed, WHOLE_INDEX};
use crate::judge::clip;
use crate::measure::Measure;
use crate::repo::Base;
use crate::state::{
    CheckState, Checkpoint, FIX_WHEN_CHECK, Found, Lane, ORACLE_CHECK, Phase, Progress,
    REPLAY_CHECK, SCOPE_CHECK, Spent, State, WINDOW_TURNS_MAX, Why, is_own,
};
use crate::step::worklist::{close, whole};
use crate::worklist::{
    Cause, ItemWork, LEARNED_ALL_BYTES_MAX, LEARNED_BYTES_MAX, LEARNED_MAX, Tip, Whole, Worklist,
};

/// The list is frozen.
pub(in crate::step) fn listed(state: &mut State, listing: &Listing) {
    let empty = listing.total == 0;
    state.worklist = Some(Box::new(Worklist {
        listing: listing.clone(),
        // An empty list is as it was a moment ago.
        relisted: empty,
        ..Worklist::default()
    }));
    state.phase = Phase::Working;
}

/// An item was read: it is worked on, closed together with another, or waits for it.
pub(super) fn opened(state: &mut State, opened: &Opened) {
    let index = opened.head.index;
    let Some(list) = &mut state.worklist else {
        return;
    };
    list.wait = None;
    list.failures = 0;
    if opened.head.is_whole() {
        list.whole = Whole::Open;
        let child = whole::child(state, opened);
        return put_in(state, opened, child);
    }
    match list.again.iter().position(|again| *again == index) {
        Some(at) => {
            list.again.remove(at);
        }
        None => list.next = list.next.max(index + 1),
    }
    if opened.gone {
        let evidence = "Its source says that it is not there any more.".to_owned();
        return close::without_work(state, opened, Outcome::SkippedByRule, evidence, None);
    }
    let cause = opened
        .fingerprint
        .as_ref()
        .and_then(|print| list.causes.get(print))
        .filter(|cause| cause.item != opened.head.id)
        .cloned();
    let tip = list.tip.clone();
    let allowed = |outcome: Outcome| {
        let items = state.goal.items.as_ref();
        items.is_some_and(|items| items.allows(outcome))
    };
    let solved = opened.on_base == Some(Replayed::Fails) && opened.on_tip == Some(Replayed::Passes);
    let unsolved = opened.on_tip == Some(Replayed::Fails);
    match (cause, tip) {
        (
            Some(Cause {
                item,
                outcome: None,
                ..
            }),
            _,
        ) => {
            if let Some(list) = &mut state.worklist {
                list.held.entry(item).or_default().push(index);
            }
            return;
        }
        (cause, Some(tip)) if solved && allowed(Outcome::Fixed) => {
            let (item, commit) = match cause {
                Some(Cause {
                    item,
                    commit: Some(commit),
                    ..
                }) => (item, commit),
                _ => (tip.item, tip.commit),
            };
            let evidence = format!(
                "Its replay fails on the base and passes since `{}` ({item}).",
                commit.short()
            );
            let same = Some((item, Some(commit)));
            return close::without_work(state, opened, Outcome::Fixed, evidence, same);
        }
        (
            Some(Cause {
                item,
                outcome: Some(outcome),
                commit,
            }),
            _,
        ) if outcome != Outcome::Unresolved && !(outcome.changes() && unsolved) => {
            let evidence = format!("The same root cause as {item}: see there.");
            return close::without_work(state, opened, outcome, evidence, Some((item, commit)));
        }
        _ => {}
    }
    let goal = goal_of(&state.goal, &opened.head.title);
    let child = child(state, opened, goal);
    if let (Some(list), Some(print)) = (&mut state.worklist, &opened.fingerprint) {
        list.remember(print, &opened.head.id);
    }
    put_in(state, opened, child);
}

fn put_in(state: &mut State, opened: &Opened, child: State) {
    if let Some(list) = &mut state.worklist {
        list.open.insert(opened.head.id.clone(), Box::new(child));
    }
}

/// The contract of one item: what the run's allows, and the checks of every item.
pub(super) fn goal_of(goal: &Goal, title: &str) -> Goal {
    let each = goal.items.as_ref().map(|items| items.each.clone());
    Goal {
        outcome: title.to_owned(),
        done: Vec::new(),
        keep: Keep {
            checks: each.unwrap_or_default(),
            ..goal.keep.clone()
        },
        uses: goal.uses.clone(),
        next: goal.next.clone(),
        // The run's budgets are the run's.
        stop: Stop {
            turns: u64::MAX,
            tokens: None,
            usd: None,
            hours: f64::MAX,
            active: None,
            ..goal.stop
        },
        questions: Vec::new(),
        items: None,
        categories: Vec::new(),
        deliver: Deliver::None,
        notify: None,
        brief: String::new(),
    }
}

/// The machine of one item, with the contract `goal`.
pub(super) fn child(state: &State, opened: &Opened, goal: Goal) -> State {
    let mut order: Vec<CheckId> = goal.checks().map(|check| check.id.clone()).collect();
    let own = [
        (
            SCOPE_CHECK,
            state.checks.contains_key(&CheckId::from(SCOPE_CHECK)),
        ),
        (
            ORACLE_CHECK,
            state.checks.contains_key(&CheckId::from(ORACLE_CHECK)),
        ),
        (FIX_WHEN_CHECK, goal.next.fix_when.is_some()),
        (REPLAY_CHECK, opened.on_base.is_some()),
    ];
    let wanted = own.iter().filter(|(_, wanted)| *wanted);
    order.extend(wanted.map(|(id, _)| CheckId::from(*id)));
    let checks: BTreeMap<CheckId, CheckState> = order
        .iter()
        .map(|id| {
            let role = goal.check(id).map_or(Role::Keep, |check| check.role);
            (id.clone(), untold(role))
        })
        .collect();
    let only_words = match opened.on_base {
        Some(Replayed::Passes) => {
            Some("its replay passes on the untouched base, so no change could be proven to fix it")
        }
        Some(Replayed::CannotTell) => Some(
            "its replay cannot be run on the untouched base, so no change could be proven to fix it",
        ),
        Some(Replayed::Fails) | None => None,
    };
    let attempts_max = goal.next.attempts.unwrap_or(ATTEMPTS_DEFAULT).max(1);
    let list = state.worklist.as_deref();
    let item = ItemWork {
        head: opened.head.clone(),
        dossier: opened.dossier.clone(),
        fingerprint: opened.fingerprint.clone(),
        start: start(state),
        laid: None,
        moved: false,
        round: 1,
        outcomes: state
            .goal
            .items
            .iter()
            .flat_map(|items| items.allowed())
            .collect(),
        attempts: 0,
        attempts_max,
        only_words: only_words.map(str::to_owned),
        tried: Vec::new(),
        closing: None,
        learned: list.map(|list| list.learned.clone()).unwrap_or_default(),
        on_base: opened.on_base,
        held_by: None,
    };
    State {
        goal_name: opened.head.id.to_string(),
        first_outcome: goal.outcome.clone(),
        goal,
        base: None,
        phase: Phase::Preparing,
        then: None,
        baselined: true,
        trouble: None,
        branch_at: None,
        stop: None,
        lanes: BTreeMap::from([(
            Scope::Run,
            Lane {
                window: WINDOW_TURNS_MAX,
                ..Lane::default()
            },
        )]),
        order,
        checks,
        candidate: None,
        spent: Spent::default(),
        progress: Progress {
            widest: state.progress.widest.map(|_| 0),
            ..Progress::default()
        },
        denials: 0,
        delivered: None,
        delivery_error: None,
        report: None,
        notify: Vec::new(),
        notifications: Vec::new(),
        told_waiting: false,
        worklist: None,
        item: Some(Box::new(item)),
        ..without_children(state)
    }
}

/// The contract was edited: that of every item that is worked on follows. Unless verdicts on a candidate `stand`, what
/// was found of an item's change is found out again, also if it waited to be integrated.
pub(in crate::step) fn regoal(state: &mut State, stands: bool) {
    let goal = state.goal.clone();
    let Some(list) = &mut state.worklist else {
        return;
    };
    for (id, child) in &mut list.open {
        let limits = child.goal.next.fix_when;
        match whole::is_of(child) {
            true => whole::regoal(child, &goal),
            false => child.goal = goal_of(&goal, &child.goal.outcome),
        }
        let same = limits == child.goal.next.fix_when;
        limit_extent(child);
        if let Some(item) = &mut child.item {
            item.attempts_max = goal.next.attempts.unwrap_or(ATTEMPTS_DEFAULT).max(1);
        }
        if stands && same {
            continue;
        }
        for check in child.checks.values_mut() {
            check.latest = None;
        }
        if child.phase == Phase::Delivering {
            // What was moved keeps its turn; any other waits for one again once its change holds.
            if !child.item.as_ref().is_some_and(|item| item.moved) {
                list.queue.retain(|queued| queued != id);
            }
            // What was proven was so under the version before.
            child.stop = None;
            child.phase = Phase::Checking(Checkpoint {
                why: Why::Claim,
                fixed: true,
                same_tree: false,
            });
        }
    }
}

/// An item has the check of its change's size as long as the goal limits that.
fn limit_extent(child: &mut State) {
    let id = CheckId::from(FIX_WHEN_CHECK);
    child.order.retain(|other| *other != id);
    if child.goal.next.fix_when.is_none() {
        child.checks.remove(&id);
        return;
    }
    child.order.push(id.clone());
    let tree = child.base.as_ref().map(|base| base.tree.clone());
    child.checks.entry(id).or_insert_with(|| CheckState {
        base: tree.as_ref().map(Found::unchanged),
        ..untold(Role::Keep)
    });
}

/// A check of which nothing is known yet.
pub(super) fn untold(role: Role) -> CheckState {
    CheckState {
        role,
        base: None,
        latest: None,
        best: None,
    }
}

/// The checks were run on the base anew: that is what the items' changes are held against.
pub(in crate::step) fn rebaselined(state: &mut State) {
    let mut open = match &mut state.worklist {
        Some(list) => std::mem::take(&mut list.open),
        None => return,
    };
    for child in open.values_mut() {
        let Some(tree) = child.base.as_ref().map(|base| base.tree.clone()) else {
            continue;
        };
        let is_whole = whole::is_of(child);
        for (id, check) in child.checks.iter_mut().filter(|(id, _)| !is_own(id)) {
            check.base = match is_whole {
                true => whole::on_base(state, id),
                false => known(state, id, &tree),
            };
        }
    }
    if let Some(list) = &mut state.worklist {
        list.open = open;
    }
}

/// What an item's machine takes over from the run's.
fn without_children(state: &State) -> State {
    State {
        paused: false,
        worklist: None,
        ..state.clone()
    }
}

/// What a new workspace starts from.
pub(in crate::step) fn start(state: &State) -> Tip {
    let tip = state.worklist.as_ref().and_then(|list| list.tip.clone());
    tip.unwrap_or_else(|| {
        let base = state.base.clone().unwrap_or_default();
        Tip {
            commit: base.commit,
            tree: base.tree,
            ..Tip::default()
        }
    })
}

/// The item's workspace is there. What is known of the tree that it starts from was found when that was integrated.
pub(super) fn prepared(state: &State, child: &mut State, base: &Base) {
    child.base = Some(base.clone());
    child.candidate = None;
    if let Some(item) = &mut child.item {
        item.moved = false;
    }
    stand_on(state, child, &base.tree);
    child.phase = Phase::Working;
}

/// Takes over what is known of a tree as what the item's change is held against.
pub(super) fn stand_on(state: &State, child: &mut State, tree: &TreeId) {
    let on_base = child.item.as_ref().and_then(|item| item.on_base);
    let is_whole = whole::is_of(child);
    for (id, check) in &mut child.checks {
        let known = match id.as_str() {
            // What was replayed was the untouched base.
            REPLAY_CHECK => state
                .base
                .as_ref()
                .map(|base| replay_on_base(&base.tree, on_base)),
            _ if is_own(id) => Some(Found::unchanged(tree)),
            _ if is_whole => whole::on_base(state, id),
            _ => known(state, id, tree),
        };
        check.best = known
            .as_ref()
            .filter(|found| found.verdict != Verdict::CannotTell)
            .map(|found| found.measure.clone());
        check.base = known;
        check.latest = None;
    }
}

/// What the run knows of a check on the tree of its tip, or else on its base; it says itself of which.
fn known(state: &State, id: &CheckId, tree: &TreeId) -> Option<Found> {
    let check = state.checks.get(id)?;
    let latest = check.latest.as_ref().filter(|found| &found.tree == tree);
    latest.or(check.base.as_ref()).cloned()
}

fn replay_on_base(tree: &TreeId, replayed: Option<Replayed>) -> Found {
    let mut found = Found::unchanged(tree);
    match replayed {
        Some(Replayed::Passes) => {}
        Some(Replayed::Fails) => {
            found.verdict = Verdict::Fail;
            found.reason = "the error is there on the untouched base".into();
            found.measure = Measure {
                passing: 0,
                failing: 1,
                distance: None,
            };
        }
        Some(Replayed::CannotTell) | None => {
            found.verdict = Verdict::CannotTell;
            found.reason = "the replay could not be run on the untouched base".into();
            found.obstacle = Some(Obstacle::Harness {
                detail: found.reason.clone(),
            });
        }
    }
    found
}

impl Worklist {
    /// Whether the item at that place is to be opened.
    pub(crate) fn awaits(&self, index: u32) -> bool {
        match index {
            WHOLE_INDEX => self.whole == Whole::Due,
            index => {
                self.again.contains(&index) || (index == self.next && index < self.listing.total)
            }
        }
    }

    /// The place of the item to be opened next, if there is one.
    pub(crate) fn upcoming(&self) -> Option<u32> {
        let fresh = (self.next < self.listing.total).then_some(self.next);
        let whole = (self.whole == Whole::Due).then_some(WHOLE_INDEX);
        self.again.first().copied().or(fresh).or(whole)
    }

    /// Whether every item has ended.
    pub fn finished(&self) -> bool {
        self.upcoming().is_none() && self.open.is_empty() && self.held.is_empty()
    }

    /// How many items ended.
    pub fn closed(&self) -> u32 {
        self.ended.values().sum()
    }

    /// How many could not be solved.
    pub fn unsolved(&self) -> u32 {
        self.ended.get(&Outcome::Unresolved).copied().unwrap_or(0)
    }

    /// Remembers whose root cause it is; the first that has it keeps it.
    fn remember(&mut self, print: &str, id: &crate::ids::ItemId) {
        if self.causes.len() < crate::worklist::CAUSES_MAX || self.causes.contains_key(print) {
            let first = Cause {
                item: id.clone(),
                outcome: None,
                commit: None,
            };
            self.causes.insert(print.to_owned(), first);
        }
    }

    /// Keeps what others may want to know.
    pub(super) fn learn(&mut self, line: String) {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        self.learned.push(clip(&line, LEARNED_BYTES_MAX));
        let too_much = |learned: &[String]| {
            let bytes: usize = learned.iter().map(String::len).sum();
            learned.len() > LEARNED_MAX || bytes > LEARNED_ALL_BYTES_MAX
        };
        while too_much(&self.learned) {
            self.learned.remove(0);
        }
    }
}
