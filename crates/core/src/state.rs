//! The state of a run: what its events add up to. Serialised it stays small whatever the number of turns; large
//! things are blobs by content hash.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bounds::{self, held};
use crate::check::{CheckReport, Obstacle, Target, Verdict};
use crate::event::{Created, Notice, Price};
use crate::goal::{Deliver, Goal, Role, Stop};
use crate::ids::{BlobId, CheckId, CommitId, RunId, Scope, TreeId, UnixMs};
use crate::judge::EVIDENCE_BYTES_MAX;
use crate::measure::Measure;
use crate::notification::{Channel, Notification};
use crate::repo::{Base, Changed, Delivered};
use crate::stop::StopReason;
use crate::turn::{CallHead, PlanStep, Usage, WAIT_TOOL};

/// How much text the notes hold, bytes; the oldest give way.
pub const NOTES_BYTES_MAX: usize = 16 * 1024;
/// How many of the latest turns a request shows whole at most.
pub const WINDOW_TURNS_MAX: u32 = 32;
/// How many claims that did not hold are kept to be told again.
pub const FAILED_CLAIMS_MAX: usize = 6;
/// Length of each, bytes.
pub const FAILED_CLAIM_BYTES_MAX: usize = 300;
/// How many changed paths the state keeps for display; all of them are in the journal.
pub const CHANGES_SHOWN_MAX: usize = 200;
/// The id of the check on the diff that every goal with a repository has, from `keep.paths` and `use.paths`.
pub const SCOPE_CHECK: &str = "scope";
/// The id of the check that every goal with a repository has on what belongs to the oracle: the base's tests and what
/// steers them.
pub const ORACLE_CHECK: &str = "oracle";

/// The id of the check of an item's change against `next.fix_when`.
pub const FIX_WHEN_CHECK: &str = "fix_when";
/// The id of the check that replays an item's event, and those of the items that were fixed before it.
pub const REPLAY_CHECK: &str = "replay";

/// The ids of the harness's own checks.
pub const OWN_CHECKS: [&str; 4] = [SCOPE_CHECK, ORACLE_CHECK, FIX_WHEN_CHECK, REPLAY_CHECK];

/// Whether a check is one of the harness's own, which no goal names.
pub fn is_own(id: &CheckId) -> bool {
    OWN_CHECKS.contains(&id.as_str())
}

/// A run, as its events add up.
#[derive(Debug, Clone, Serialize)]
pub struct State {
    /// The run.
    pub run: RunId,
    /// The version that its events are written in.
    pub version: u32,
    /// When it was created.
    pub created_at: UnixMs,
    /// When the last event happened.
    pub last_at: UnixMs,
    /// The contract, without its brief. Its limits are the ones in force.
    #[serde(serialize_with = "bounds::goal_by_hash")]
    pub goal: Goal,
    /// The limits as the goal file says them: what a person raised since stands only in `goal`.
    pub file_stop: Stop,
    /// The outcome of the goal's first version: it names the branch, whatever is edited.
    #[serde(serialize_with = "bounds::by_hash")]
    pub first_outcome: String,
    /// The goal file, whole.
    pub goal_file: BlobId,
    /// What the person called it.
    pub goal_name: String,
    /// The model.
    pub model: String,
    /// Whether it is a script.
    pub scripted: bool,
    /// Its price, if known.
    pub price: Option<Price>,
    /// The sandbox in one line.
    pub sandbox: String,
    /// The person's repository.
    pub repo: Option<String>,
    /// The hidden files of checks, by the hash of what they held when the run began.
    #[serde(
        skip_serializing_if = "BTreeMap::is_empty",
        serialize_with = "bounds::by_hash"
    )]
    pub hidden: BTreeMap<CheckId, BlobId>,
    /// The base, once prepared.
    #[serde(serialize_with = "bounds::base_by_hash")]
    pub base: Option<Base>,
    /// Where the run is.
    pub phase: Phase,
    /// Whether every check of the goal, as it is now, has been run on the base.
    pub baselined: bool,
    /// A checkpoint that goes on once the checks of an edited goal have been run on the base.
    pub then: Option<Why>,
    /// What the harness could not do, while it tries again.
    pub trouble: Option<Trouble>,
    /// Whether a person paused it.
    pub paused: bool,
    /// Why it is ending or has ended.
    pub stop: Option<StopReason>,
    /// The small machines that work: one for the run, later one for each item.
    pub lanes: BTreeMap<Scope, Lane>,
    /// The checks' ids in the goal's order, the diff check last.
    pub order: Vec<CheckId>,
    /// What is known of each check.
    pub checks: BTreeMap<CheckId, CheckState>,
    /// What would be delivered.
    pub candidate: Option<CandidateState>,
    /// What was used.
    pub spent: Spent,
    /// Verified progress.
    pub progress: Progress,
    /// Untracked paths that are not delivered.
    #[serde(serialize_with = "bounds::list_by_hash")]
    pub artefacts: Vec<String>,
    /// The person's standing orders, oldest first.
    pub orders: Vec<Order>,
    /// How many orders were given, the revoked ones included.
    pub orders_given: u32,
    /// How many actions were denied.
    pub denials: u64,
    /// What was delivered last.
    pub delivered: Option<Delivered>,
    /// The commit that this run's branch is at, if it ever delivered one: the only one that a delivery may replace.
    pub branch_at: Option<CommitId>,
    /// Why the last delivery did not work.
    pub delivery_error: Option<String>,
    /// Where the last report is.
    pub report: Option<String>,
    /// How the person is told of what happens.
    #[serde(serialize_with = "bounds::list_by_hash")]
    pub notify: Vec<Channel>,
    /// The latest notifications, oldest first; every one that is not over.
    pub notifications: Vec<Notification>,
    /// How many were made.
    pub notifications_made: u32,
    /// Whether the person was told of the present wait, or row of waits.
    pub told_waiting: bool,
    /// The worklist, if the goal has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worklist: Option<Box<crate::worklist::Worklist>>,
    /// What it works on, if this is the small machine of one item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<Box<crate::worklist::ItemWork>>,
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    /// The workspace is being made.
    Preparing,
    /// The checks run on the untouched base.
    Baselining,
    /// The worklist is being listed.
    Listing,
    /// Turns.
    Working,
    /// A checkpoint.
    Checking(Checkpoint),
    /// Of an item: the evidence of a closing without a change is looked at.
    Examining,
    /// The result goes where it should. Of an item: its change waits to be integrated.
    Delivering,
    /// What the goal says is done to the items at their source.
    Acting,
    /// The report is being written.
    Reporting,
    /// It is over.
    Ended,
}

/// A moment at which the harness runs the open checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// What led to it.
    pub why: Why,
    /// Whether the candidate has been fixed for it.
    pub fixed: bool,
    /// Whether all verdicts are from an earlier checkpoint on the same tree.
    pub same_tree: bool,
}

/// What led to a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The model claims that it is done.
    Claim,
    /// Many turns without one.
    Routine,
    /// The model only talks.
    Silence,
    /// Every item of the worklist is closed.
    Worklist,
    /// The run is ending and the last change was never checked.
    Ending,
    /// A person ended it: the candidate is fixed for delivery, nothing is run.
    Stopping,
}

/// One line of work: a conversation with a model.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Lane {
    /// Turns answered.
    pub turn: u64,
    /// Attempts at the next one that failed.
    pub failures: u32,
    /// Attempts that failed in a way that waiting does not mend.
    pub malformed: u32,
    /// How long attempts have been failing in a row, waits for a quota not counted, milliseconds.
    pub failing_ms: u64,
    /// How often a quota was waited for since a person spoke.
    pub windows: u32,
    /// Whether a request is under way.
    pub asking: bool,
    /// Waits until then, and why.
    pub wait: Option<Wait>,
    /// The calls of the last answer.
    pub calls: Vec<CallState>,
    /// Answers in a row without a call.
    pub silent: u32,
    /// Turns since the last checkpoint.
    pub since_checkpoint: u32,
    /// Whether this turn claims that the work is done.
    pub claim: bool,
    /// The last claim's summary, for the commit message.
    pub last_claim: Option<String>,
    /// The closing of its item that was made in this turn.
    pub closing: Option<crate::item::Closing>,
    /// The question that was asked with `ask_for_help` in this turn.
    pub help: Option<crate::turn::Help>,
    /// To be told to the model with the next request.
    pub inbox: Vec<Notice>,
    /// Durable notes with the turn they were written in.
    pub notes: Vec<Note>,
    /// The model's plan.
    pub plan: Vec<PlanStep>,
    /// How many turns of history a request shows at most; halved when the model's context overflows, doubled after many
    /// answers without that.
    pub window: u32,
    /// Turns answered since the history was last cut or grew.
    pub steady: u32,
    /// Budgets whose warning was given.
    pub warned: Vec<String>,
}

impl Lane {
    /// Puts a notice into the inbox, unless it says the same already. What is told again at the next occasion anyway
    /// gives way to it where there are too many.
    pub(crate) fn tell(&mut self, notice: Notice) {
        if self.inbox.contains(&notice) {
            return;
        }
        if self.inbox.len() >= bounds::INBOX_MAX {
            let old = self
                .inbox
                .iter()
                .position(|n| !matches!(n, Notice::Answer { .. } | Notice::GoalEdited { .. }));
            self.inbox.remove(old.unwrap_or(0));
        }
        self.inbox.push(notice);
    }
}

/// An order that stands until it is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Order {
    /// Its number, from 1.
    pub number: u32,
    /// When it was given.
    pub at: UnixMs,
    /// In the person's words.
    pub text: String,
}

/// One note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// When it was written.
    pub turn: u64,
    /// What it says.
    pub text: String,
}

/// A durable wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// Until when.
    pub until: UnixMs,
    /// Since when.
    pub since: UnixMs,
    /// What for, for people.
    pub why: String,
    /// What kind of wait.
    pub kind: WaitKind,
    /// Its time has come, and the network was gone: it is over when the provider can be reached again.
    pub seeking: bool,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitKind {
    /// A time that the model named.
    Time,
    /// The provider's rate limit.
    RateLimit,
    /// The account's quota.
    Quota,
    /// The provider fails.
    Outage,
    /// The provider cannot be reached.
    Network,
    /// A command in the background.
    Command,
    /// The harness could not do what was due, and tries again.
    Harness,
}

impl WaitKind {
    /// In a few words, for people.
    pub fn words(self) -> &'static str {
        match self {
            WaitKind::Time => "a time that the model named",
            WaitKind::RateLimit => "the provider's rate limit",
            WaitKind::Quota => "the account's quota",
            WaitKind::Outage => "the provider, which fails",
            WaitKind::Network => "the network",
            WaitKind::Command => "a command in the background",
            WaitKind::Harness => "another attempt of the harness",
        }
    }
}

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// What kind of wait.
    pub kind: WaitKind,
    /// Since when: of a row of failures, the first.
    pub from: UnixMs,
    /// Until when, where that is known.
    pub until: Option<UnixMs>,
    /// More, for people: what the provider says, the command's name.
    pub why: String,
}

/// Something that the harness itself could not do: it waits and tries again, a bounded number of times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// How often in a row it failed.
    pub failures: u32,
    /// Until the next attempt; `None` while one is under way.
    pub wait: Option<Wait>,
}

/// One call of the last answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallState {
    /// What it is.
    pub head: CallHead,
    /// How far it is.
    pub progress: CallProgress,
    /// It was under way when a process died: the workspace is put back to its last snapshot before it is run again.
    pub again: bool,
    /// When it was begun.
    pub began_at: UnixMs,
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallProgress {
    /// Not begun.
    Pending,
    /// Begun; if the process dies now, its effect is unknown.
    Running,
    /// Over.
    Ended,
}

/// How the goal treats a check, found on the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// It does not pass on the base: the work must change that.
    MustChange,
    /// It passes on the base: it must stay so.
    MustStay,
    /// It could not be told on the base.
    Unknown,
}

/// What is known of a check.
#[derive(Debug, Clone, Serialize)]
pub struct CheckState {
    /// Which list of the goal it stands in.
    pub role: Role,
    /// Verdict on the base.
    pub base: Option<Found>,
    /// Verdict on the newest candidate that it was run on.
    pub latest: Option<Found>,
    /// Best measure of any candidate, the base's included.
    pub best: Option<Measure>,
}

/// A verdict in brief.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// On which tree.
    pub tree: TreeId,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in one line.
    pub reason: String,
    /// What the model is shown.
    pub evidence: String,
    /// For progress.
    pub measure: Measure,
    /// Why it cannot tell.
    pub obstacle: Option<Obstacle>,
    /// Whether two runs disagreed.
    pub flaky: bool,
    /// The whole observation.
    pub observation: Option<BlobId>,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
}

impl Found {
    /// What a report says, in brief: `checks` is how many share the room for texts. The base's evidence has a quarter
    /// of it, since what is open is told from the candidate's.
    pub(crate) fn of(report: &CheckReport, base: &TreeId, checks: usize) -> Found {
        let room = bounds::FOUND_BYTES / checks.max(1);
        let room = match &report.target {
            Target::Base => room / 4,
            Target::Candidate(_) => room * 3 / 4,
        };
        let reason = held(&report.reason, bounds::REASON_BYTES_MAX.min(room / 2));
        let evidence = room.saturating_sub(bounds::json_bytes(&reason));
        // The reason says it as well.
        let text = |detail: &str| held(detail, bounds::REASON_BYTES_MAX.min(room / 4));
        let tree = match &report.target {
            Target::Base => base.clone(),
            Target::Candidate(tree) => tree.clone(),
        };
        Found {
            tree,
            verdict: report.verdict,
            reason,
            evidence: held(&report.evidence, EVIDENCE_BYTES_MAX.min(evidence)),
            measure: report.measure.clone(),
            obstacle: report.obstacle.as_ref().map(|o| o.with_texts(text)),
            flaky: report.flaky,
            observation: report.receipt.observation.clone(),
            duration_ms: report.receipt.duration_ms,
        }
    }
}

impl Found {
    /// The diff's verdict on the base itself.
    pub(crate) fn unchanged(base: &TreeId) -> Found {
        Found {
            tree: base.clone(),
            verdict: Verdict::Pass,
            reason: "nothing differs from the base".into(),
            evidence: String::new(),
            measure: Measure {
                passing: 1,
                failing: 0,
                distance: None,
            },
            obstacle: None,
            flaky: false,
            observation: None,
            duration_ms: 0,
        }
    }
}

impl CheckState {
    /// How the goal treats it.
    pub fn treatment(&self) -> Treatment {
        match self.base.as_ref().map(|b| b.verdict) {
            Some(Verdict::Pass) => Treatment::MustStay,
            Some(Verdict::Fail) => Treatment::MustChange,
            Some(Verdict::CannotTell) | None => Treatment::Unknown,
        }
    }
}

/// What would be delivered.
#[derive(Debug, Clone, Serialize)]
pub struct CandidateState {
    /// The tree.
    pub tree: TreeId,
    /// Whether nothing has changed since.
    pub current: bool,
    /// How it differs from the base: the first paths.
    #[serde(serialize_with = "bounds::list_by_hash")]
    pub changes: Vec<Changed>,
    /// How many paths differ.
    pub files: u64,
    /// Lines added.
    pub added: u64,
    /// Lines removed.
    pub removed: u64,
    /// When it was fixed: the commit's date, whatever happens until it is made.
    pub fixed_at: UnixMs,
}

/// What was used.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Spent {
    /// Turns answered, of all lanes.
    pub turns: u64,
    /// Tokens.
    pub usage: Usage,
    /// US dollars, where the price is known.
    pub usd: f64,
    /// Time spent at work, waits, pauses and downtime not counted, milliseconds.
    pub active_ms: u64,
    /// Time spent in waits, milliseconds.
    pub waiting_ms: u64,
    /// Model calls that failed.
    pub failed_calls: u64,
    /// The most that one answer about an item has cost.
    pub dearest_answer: AnswerCost,
}

/// What one answer costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct AnswerCost {
    /// Tokens.
    pub tokens: u64,
    /// US dollars, where the price is known.
    pub usd: f64,
}

/// Verified progress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Checkpoints so far.
    pub checkpoints: u32,
    /// Claims so far.
    pub claims: u32,
    /// Checkpoints in a row without progress.
    pub without: u32,
    /// The most paths that a candidate has changed; `None` in a run whose version does not ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widest: Option<u64>,
    /// Checkpoints in a row that count neither as progress nor as its lack, because the work has spread.
    #[serde(skip_serializing_if = "is_zero")]
    pub spreading: u32,
    /// When there was progress last.
    pub last_at: Option<UnixMs>,
    /// What was claimed since then and did not hold, oldest first: the latest few.
    pub failed: Vec<String>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl State {
    /// The state after the first event.
    pub(crate) fn new(created: &Created, at: UnixMs) -> State {
        let role = |c: &crate::goal::Check| CheckState {
            role: c.role,
            base: None,
            latest: None,
            best: None,
        };
        let mut order: Vec<CheckId> = created.goal.checks().map(|c| c.id.clone()).collect();
        let mut checks: BTreeMap<CheckId, CheckState> = created
            .goal
            .checks()
            .map(|c| (c.id.clone(), role(c)))
            .collect();
        let mut own = |id: &str| {
            let id = CheckId::from(id);
            order.push(id.clone());
            let open = CheckState {
                role: Role::Keep,
                base: None,
                latest: None,
                best: None,
            };
            checks.insert(id, open);
        };
        if created.repo.is_some() {
            own(SCOPE_CHECK);
            // A run that began before there was such a check goes on without.
            if created.version >= crate::event::VERSION_WITH_ORACLE {
                own(ORACLE_CHECK);
            }
        }
        State {
            run: created.run.clone(),
            version: created.version,
            created_at: at,
            last_at: at,
            goal: created.goal.clone(),
            file_stop: created.goal.stop,
            first_outcome: created.goal.outcome.clone(),
            goal_file: created.goal_file.clone(),
            goal_name: created.goal_name.clone(),
            model: created.model.clone(),
            scripted: created.scripted,
            price: created.price,
            sandbox: created.sandbox.clone(),
            repo: created.repo.clone(),
            hidden: created.hidden.clone(),
            base: None,
            phase: Phase::Preparing,
            baselined: false,
            then: None,
            trouble: None,
            paused: false,
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
                widest: (created.version >= crate::event::VERSION_WITH_BREADTH).then_some(0),
                ..Progress::default()
            },
            artefacts: Vec::new(),
            orders: Vec::new(),
            orders_given: 0,
            denials: 0,
            delivered: None,
            branch_at: None,
            delivery_error: None,
            report: None,
            notify: created.notify.clone(),
            notifications: Vec::new(),
            notifications_made: 0,
            told_waiting: false,
            worklist: None,
            item: None,
        }
    }

    /// The branch that this run delivers to: `overnight/<goal-slug>-<short id>`.
    pub fn branch(&self) -> String {
        format!(
            "overnight/{}-{}",
            slug(&self.first_outcome),
            self.run.short()
        )
    }

    /// Whether the run is over, for good or until a person speaks.
    pub fn ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// One word for lists: `working`, `checking`, `waiting`, `paused`, or why it ended.
    pub fn status(&self) -> &'static str {
        if self.phase == Phase::Ended {
            return self.stop.as_ref().map_or("ended", StopReason::word);
        }
        if self.paused {
            return "paused";
        }
        if self.resting() {
            return "waiting";
        }
        match &self.phase {
            Phase::Preparing => "preparing",
            Phase::Baselining => "baselining",
            Phase::Listing => "listing",
            Phase::Working if self.waiting().is_some() => "waiting",
            Phase::Working => "working",
            Phase::Checking(_) | Phase::Examining => "checking",
            Phase::Delivering => "delivering",
            Phase::Acting => "acting",
            Phase::Reporting => "reporting",
            Phase::Ended => "ended",
        }
    }

    /// Checks that have not passed on the current candidate, in the goal's order.
    pub fn open_checks(&self) -> impl Iterator<Item = (&CheckId, &CheckState)> {
        self.order
            .iter()
            .filter_map(|id| self.checks.get(id).map(|c| (id, c)))
            .filter(|(_, c)| {
                let on_current = match (&c.latest, &self.candidate) {
                    (Some(found), Some(candidate)) => {
                        found.tree == candidate.tree && found.verdict == Verdict::Pass
                    }
                    _ => false,
                };
                !on_current
            })
    }

    /// Whether every check has a verdict on the candidate's tree.
    pub(crate) fn open_checks_known(&self) -> bool {
        let Some(candidate) = &self.candidate else {
            return false;
        };
        self.checks
            .values()
            .all(|c| c.latest.as_ref().is_some_and(|l| l.tree == candidate.tree))
    }

    /// Whether anything goes to the person's repository or a folder at the end.
    pub fn delivers(&self) -> bool {
        self.repo.is_some() && self.goal.deliver != Deliver::None
    }

    /// What the run waits for while it works on nothing: the harness's own wait, else the first lane's.
    pub fn waiting(&self) -> Option<Waiting> {
        let trouble = self.trouble.as_ref().and_then(|t| t.wait.as_ref());
        if let Some(wait) = trouble {
            return Some(Waiting {
                kind: wait.kind,
                from: wait.since,
                until: Some(wait.until),
                why: wait.why.clone(),
            });
        }
        match (&self.phase, self.worklist.as_deref()) {
            (Phase::Listing | Phase::Acting, Some(list)) => return list.waits(),
            (Phase::Working, Some(list)) if !list.finished() || !list.relisted => {
                return list.waiting(self.parallel());
            }
            (Phase::Working, _) => {}
            _ => return None,
        }
        self.lanes.values().find_map(|lane| {
            let running = |c: &&CallState| c.progress == CallProgress::Running;
            let call = lane.calls.iter().find(running);
            match (&lane.wait, call.filter(|c| c.head.name == WAIT_TOOL)) {
                (Some(wait), _) => {
                    let failing = match wait.kind {
                        WaitKind::RateLimit | WaitKind::Outage | WaitKind::Network => {
                            lane.failing_ms
                        }
                        WaitKind::Time
                        | WaitKind::Quota
                        | WaitKind::Command
                        | WaitKind::Harness => 0,
                    };
                    Some(Waiting {
                        kind: wait.kind,
                        from: wait.since.min(self.last_at.saturating_sub(failing)),
                        until: (!wait.seeking).then_some(wait.until),
                        why: wait.why.clone(),
                    })
                }
                (None, Some(call)) => Some(Waiting {
                    kind: WaitKind::Command,
                    from: call.began_at,
                    until: None,
                    why: call.head.line.clone(),
                }),
                (None, None) => None,
            }
        })
    }

    /// The time at which a budget of time is used up if nothing else happens, counted from `last_at`.
    pub fn deadline(&self) -> UnixMs {
        let used = self.spent.active_ms.saturating_add(self.spent.waiting_ms);
        let left = self.goal.stop.limit_ms().saturating_sub(used);
        let active = self.goal.stop.active_limit_ms();
        let active = active
            .filter(|_| self.waiting().is_none())
            .map(|limit| limit.saturating_sub(self.spent.active_ms));
        self.last_at
            .saturating_add(active.map_or(left, |active| active.min(left)))
    }

    /// How many items are worked on at a time.
    pub fn parallel(&self) -> usize {
        let items = self.goal.items.as_ref();
        let wanted = items.map_or(1, |items| items.parallel);
        wanted.clamp(1, crate::goal::PARALLEL_MAX) as usize
    }

    /// Every conversation: the run's own, and those of the items that are worked on.
    pub(crate) fn all_lanes(&self) -> impl Iterator<Item = &Lane> {
        let open = self.worklist.iter().flat_map(|list| list.open.values());
        self.lanes
            .values()
            .chain(open.flat_map(|child| child.lanes.values()))
    }

    /// The same, to be changed.
    pub(crate) fn all_lanes_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        let open = self
            .worklist
            .iter_mut()
            .flat_map(|list| list.open.values_mut());
        self.lanes
            .values_mut()
            .chain(open.flat_map(|child| child.lanes.values_mut()))
    }

    /// What the harness could not do, for the run and for the items that are worked on.
    pub(crate) fn all_troubles(&self) -> impl Iterator<Item = &Trouble> {
        let open = self.worklist.iter().flat_map(|list| list.open.values());
        let of_items = open.filter_map(|child| child.trouble.as_ref());
        self.trouble.iter().chain(of_items)
    }

    /// The same, to be changed.
    pub(crate) fn all_troubles_mut(&mut self) -> impl Iterator<Item = &mut Option<Trouble>> {
        let open = self
            .worklist
            .iter_mut()
            .flat_map(|list| list.open.values_mut());
        std::iter::once(&mut self.trouble).chain(open.map(|child| &mut child.trouble))
    }

    /// Whether the harness waits before it tries again what it could not do.
    pub fn resting(&self) -> bool {
        self.trouble.as_ref().is_some_and(|t| t.wait.is_some())
    }

    /// Every durable wait that is not over: the harness's own, and the lanes'.
    pub fn waits(&self) -> impl Iterator<Item = &Wait> {
        let working = self.phase == Phase::Working;
        let lanes = self.all_lanes().filter(move |_| working);
        let trouble = self.all_troubles().filter_map(|t| t.wait.as_ref());
        let source = self.worklist.iter().filter_map(|list| list.wait.as_ref());
        trouble
            .chain(source)
            .chain(lanes.filter_map(|l| l.wait.as_ref()))
    }

    /// The next moment at which something is due without anything else happening.
    pub fn wakes_at(&self) -> Option<UnixMs> {
        if self.paused || self.ended() {
            return None;
        }
        let working = self.stop.is_none() && self.phase == Phase::Working;
        let trouble = self.all_troubles().filter_map(|t| t.wait.as_ref());
        let source = self.worklist.iter().filter_map(|list| list.wait.as_ref());
        let lanes = self.all_lanes().filter(|_| working);
        let waits = lanes.filter_map(|lane| {
            let wait = lane.wait.as_ref()?;
            let patience = crate::step::OUTAGE_MS_MAX.saturating_sub(lane.failing_ms);
            Some(match wait.seeking {
                true => self.last_at.saturating_add(patience),
                false => wait.until,
            })
        });
        let told = self.told_waiting || self.notify.is_empty();
        let long = self.waiting().filter(|_| !told);
        let long = long.map(|w| w.from.saturating_add(crate::notification::WAITING_MS_MIN));
        let deadline = working.then(|| self.deadline());
        trouble
            .chain(source)
            .map(|wait| wait.until)
            .chain(waits)
            .chain(deadline)
            .chain(long)
            .min()
    }
}

/// A name for branches: lower-case letters, digits and dashes, at most 40 characters.
pub fn slug(text: &str) -> String {
    const SLUG_CHARS_MAX: usize = 40;
    let mut slug = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
        if slug.len() >= SLUG_CHARS_MAX {
            break;
        }
    }
    let slug = slug.trim_matches('-');
    if slug.is_empty() {
        "goal".to_owned()
    } else {
        slug.to_owned()
    }
}
