//! Transcripts: events in, state and effects out. Each test plays lines (their words are explained in
//! `report/journal.rs`) and reads what the run is after each of them and what is due.

use proptest::prelude::*;

use crate::bounds::STATE_BYTES_MAX;
use crate::check::Obstacle;
use crate::check::Target;
use crate::effect::{Effect, due, to_verify};
use crate::event::{Created, Event, Fact, Notice, Price};
use crate::goal::Goal;
use crate::goal::change::Change;
use crate::ids::{BlobId, CheckId, Scope};
use crate::notification::{CHANNELS_MAX, Channel, KEPT_MAX, Outcome, Sending};
use crate::repo::{Base, Candidate, Changed, Delivered, How};
use crate::report::journal::{BASE, Journal, READY, START, created, goal, reported};
use crate::state::{Phase, State, WINDOW_TURNS_MAX, is_own};
use crate::step::decide::{ORDER_BYTES_MAX, ORDERS_MAX};
use crate::step::turns::HISTORY_GROWS_AFTER_TURNS;
use crate::step::{
    Command, HARNESS_ATTEMPTS_MAX, Raise, STOPPING_ATTEMPTS_MAX, StepError, begin, decide,
    ready_for_edit, recover, step, wants_answer,
};
use crate::stop::{Blocker, Completion, StopReason};
use crate::turn::{CallHead, CallResult, Help, PlanStep, Said};

pub(super) fn run() -> Created {
    created(goal(&["unit", "lint"]))
}

/// A run whose goal differs from the usual one.
pub(super) fn run_with(change: impl FnOnce(&mut Goal)) -> Created {
    let mut goal = goal(&["unit", "lint"]);
    change(&mut goal);
    created(goal)
}

/// Plays the lines and tells after each of them: status, what is due, what the model is to be told.
pub(super) fn transcript(created: Created, lines: &[&str]) -> String {
    let mut journal = Journal::new(created);
    let mut out = String::new();
    for line in lines {
        let row = match journal.play(line) {
            Ok(()) => told(&journal.state),
            Err(error) => format!("! {error}"),
        };
        out.push_str(&format!("{line:<34} {row}\n"));
    }
    if let Some(stop) = &journal.state.stop {
        out.push_str(&stop.sentence());
        out.push('\n');
    }
    out
}

fn told(state: &State) -> String {
    let due: Vec<String> = due(state)
        .iter()
        .map(|effect| effect_words(state, effect))
        .collect();
    let due = if due.is_empty() {
        "-".to_owned()
    } else {
        due.join(", ")
    };
    let wait = state.lanes[&Scope::Run].wait.as_ref();
    let wait = wait
        .map(|w| format!(" for {} ms", w.until.saturating_sub(state.last_at)))
        .unwrap_or_default();
    let inbox: Vec<String> = state.lanes[&Scope::Run]
        .inbox
        .iter()
        .map(notice_words)
        .collect();
    let inbox = if inbox.is_empty() {
        String::new()
    } else {
        format!("; tells: {}", inbox.join(", "))
    };
    format!("{}{wait} | {due}{inbox}", state.status())
}

pub(super) fn effect_words(state: &State, effect: &Effect) -> String {
    match effect {
        Effect::Prepare => "prepare".into(),
        Effect::Baseline => "baseline".into(),
        Effect::AskModel {
            turn, attempt: 1, ..
        } => format!("ask {turn}"),
        Effect::AskModel { turn, attempt, .. } => format!("ask {turn}, attempt {attempt}"),
        Effect::Call { scope, turn, index } => {
            let again = if state.lanes[scope].calls[*index].again {
                " again"
            } else {
                ""
            };
            format!("call {turn}.{index}{again}")
        }
        Effect::FixCandidate => "fix".into(),
        Effect::Verify { tree } => {
            let checks: Vec<String> = to_verify(state).iter().map(CheckId::to_string).collect();
            format!("verify {} on {tree}", checks.join(" "))
        }
        Effect::List => "list".into(),
        Effect::Open { index } => format!("open {index}"),
        Effect::Item { item, effect } => {
            let list = state.worklist.as_deref().unwrap();
            format!("{item}: {}", effect_words(&list.open[item], effect))
        }
        Effect::Examine => "examine".into(),
        Effect::Integrate { item, onto } => format!("integrate {item} onto {onto}"),
        Effect::Relist => "list again".into(),
        Effect::Act {
            number,
            begun,
            probe,
        } => match (begun, probe) {
            (false, _) => format!("intend act {number}"),
            (true, false) => format!("act {number}"),
            (true, true) => format!("probe and act {number}"),
        },
        Effect::Deliver => "deliver".into(),
        Effect::WriteReport => "report".into(),
        Effect::Reach { .. } => "reach".into(),
        Effect::Notify { number } => {
            let found = state.notifications.iter().find(|n| n.number == *number);
            let word = found.map_or("?", |n| n.occasion.word());
            format!("notify {number} {word}")
        }
    }
}

pub(super) fn notice_words(notice: &Notice) -> String {
    let list = |ids: &[CheckId]| {
        ids.iter()
            .map(CheckId::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    };
    match notice {
        Notice::ClaimRejected {
            open,
            same_tree: true,
        } => format!("rejected as before [{}]", list(open)),
        Notice::ClaimRejected {
            open,
            same_tree: false,
        } => format!("rejected [{}]", list(open)),
        Notice::Checkpoint { open, .. } => format!("checkpoint [{}]", list(open)),
        Notice::Silent => "silent".into(),
        Notice::NoProgress { without, limit } => format!("no progress {without} of {limit}"),
        Notice::BudgetLow { budget, percent } => format!("{budget} {percent} %"),
        Notice::Restarted => "restarted".into(),
        Notice::Answer { text } => format!("answer '{text}'"),
        Notice::GoalEdited { changes } => {
            let keys = changes.iter().filter_map(|c| c.split(": ").next());
            format!("edited [{}]", keys.collect::<Vec<_>>().join(" "))
        }
        Notice::ClosingRefused { faults, left } => {
            format!("refused ({}), {left} left", faults.join("; "))
        }
        Notice::SentBack { conflicts, open } => {
            format!("sent back [{}] [{}]", conflicts.join(" "), list(open))
        }
        Notice::OnlyWords { .. } => "only words".into(),
        Notice::HistoryCut => "history cut".into(),
        Notice::HistoryGrown { turns } => format!("history grows to {turns}"),
        Notice::FreshStart { without } => format!("fresh start after {without}"),
        Notice::Replan { failed } => format!("replan, failed: {}", failed.join(", ")),
        Notice::BackgroundStopped { names } => format!("stopped {}", names.join(" ")),
    }
}

// The way through.

#[test]
fn every_phase_of_a_run_that_completes() {
    insta::assert_snapshot!(transcript(run(), &[
        "prepared", "base unit fail 1/3", "base lint fail", "base suite pass", "baselined",
        "ask", "answer shell write", "start 0", "end 0", "start 1", "end 1",
        "ask", "answer claim", "start 0", "end 0",
        "fix t1", "check unit pass 3/3", "check lint pass", "check suite pass", "check scope pass", "check oracle pass",
        "delivered", "written",
    ]), @r"
    prepared                           baselining | baseline
    base unit fail 1/3                 baselining | baseline
    base lint fail                     baselining | baseline
    base suite pass                    baselining | baseline
    baselined                          working | ask 1
    ask                                working | ask 1
    answer shell write                 working | call 1.0
    start 0                            working | call 1.0
    end 0                              working | call 1.1
    start 1                            working | call 1.1
    end 1                              working | ask 2
    ask                                working | ask 2
    answer claim                       working | call 2.0
    start 0                            working | call 2.0
    end 0                              checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    check unit pass 3/3                checking | verify lint suite scope oracle on t1
    check lint pass                    checking | verify suite scope oracle on t1
    check suite pass                   checking | verify scope oracle on t1
    check scope pass                   checking | verify oracle on t1
    check oracle pass                  delivering | deliver
    delivered                          reporting | report
    written                            complete | -
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn a_claim_that_does_not_hold_goes_back_with_what_is_open() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn write claim", "fix t1", "verify unit=fail,2/3", "turn write claim", "fix t2", "verify", "delivered",
        "written",
    ]), @r"
    ready                              working | ask 1
    turn write claim                   checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail,2/3               working | ask 2; tells: rejected [unit]
    turn write claim                   checking | fix
    fix t2                             checking | verify unit lint suite scope oracle on t2
    verify                             delivering | deliver
    delivered                          reporting | report
    written                            complete | -
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn a_claim_on_the_unchanged_base_is_answered_from_the_base() {
    insta::assert_snapshot!(transcript(run(), &["ready", "turn claim", "fix base"]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix base                           working | ask 2; tells: rejected as before [unit lint]
    ");
}

#[test]
fn the_same_tree_claimed_twice_is_not_checked_twice() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn claim", "fix t1", "verify lint=fail", "turn shell claim", "fix t1", "turn claim", "fix t1",
    ]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify lint=fail                   working | ask 2; tells: rejected [lint]
    turn shell claim                   checking | fix
    fix t1                             working | ask 3; tells: rejected as before [lint]
    turn claim                         checking | fix
    fix t1                             working | ask 4; tells: rejected as before [lint], no progress 2 of 4, fresh start after 2
    ");
}

#[test]
fn the_base_s_verdicts_hold_for_a_tree_that_came_back_to_it() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn claim", "fix t1", "verify suite=fail", "turn claim", "fix base", "turn claim", "fix t1",
    ]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify suite=fail                  working | ask 2; tells: rejected [suite]
    turn claim                         checking | fix
    fix base                           working | ask 3; tells: rejected as before [unit lint]
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    ");
}

#[test]
fn a_change_after_the_checks_passed_needs_all_of_them_again() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turns 25 write", "fix t1", "verify", "turn write", "turn claim", "fix t2", "verify suite=fail",
    ]), @r"
    ready                              working | ask 1
    turns 25 write                     checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             working | ask 26; tells: checkpoint []
    turn write                         working | ask 27
    turn claim                         checking | fix
    fix t2                             checking | verify unit lint suite scope oracle on t2
    verify suite=fail                  working | ask 28; tells: rejected [suite]
    ");
}

#[test]
fn a_change_after_the_checks_passed_is_checked_before_the_run_ends() {
    let few = run_with(|goal| goal.stop.turns = 26);
    insta::assert_snapshot!(transcript(few, &["ready", "turns 25 write", "fix t1", "verify", "turn write", "fix t2", "verify unit=fail"]), @r"
    ready                              working | ask 1
    turns 25 write                     checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             working | ask 26; tells: checkpoint []
    turn write                         checking | fix
    fix t2                             checking | verify unit lint suite scope oracle on t2
    verify unit=fail                   delivering | deliver
    Out of budget: the goal's `stop.turns` is used up.
    ");
}

#[test]
fn only_the_current_tree_proves_a_run_complete() {
    let passed = ["ready", "turns 25 write", "fix t1", "verify"];
    let proof = |lines: &[&str]| {
        Completion::prove(&Journal::played(run(), &[&passed, lines].concat()).state)
    };
    assert_eq!(proof(&[]).unwrap().tree().as_str(), "t1");
    assert_eq!(proof(&["turn write"]), None, "something was done since");
    assert_eq!(
        proof(&["turn claim", "fix t2"]),
        None,
        "the verdicts are on another tree"
    );
}

#[test]
fn a_claim_among_parallel_calls_counts_when_all_of_them_are_over() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "ask", "answer claim write shell", "start 0", "end 0", "start 1", "end 1", "start 2", "end 2", "fix t1",
    ]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    answer claim write shell           working | call 1.0
    start 0                            working | call 1.0
    end 0                              working | call 1.1
    start 1                            working | call 1.1
    end 1                              working | call 1.2
    start 2                            working | call 1.2
    end 2                              checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    ");
}

#[test]
fn three_answers_without_a_call_make_the_harness_look() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn write", "turn", "turn", "turn", "fix t1", "verify unit=fail", "turn", "turn shell", "turn", "turn",
        "turn", "fix t1",
    ]), @r"
    ready                              working | ask 1
    turn write                         working | ask 2
    turn                               working | ask 3; tells: silent
    turn                               working | ask 4; tells: silent
    turn                               checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   working | ask 5; tells: checkpoint [unit]
    turn                               working | ask 6; tells: silent
    turn shell                         working | ask 7
    turn                               working | ask 8; tells: silent
    turn                               working | ask 9; tells: silent
    turn                               checking | fix
    fix t1                             working | ask 10; tells: checkpoint [unit]
    ");
    insta::assert_snapshot!(transcript(run(), &["ready", "turn write", "turn", "turn", "turn", "fix t1", "verify"]), @r"
    ready                              working | ask 1
    turn write                         working | ask 2
    turn                               working | ask 3; tells: silent
    turn                               working | ask 4; tells: silent
    turn                               checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             delivering | deliver
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn twenty_five_turns_without_a_claim_make_the_harness_look() {
    let long = run_with(|goal| goal.stop.turns = 100);
    insta::assert_snapshot!(transcript(long, &[
        "ready", "turns 24 shell", "turn shell", "fix t1", "verify unit=fail,2/3", "turns 10 shell", "turn claim", "fix t1",
        "turns 24 shell", "turn shell", "fix t1",
    ]), @r"
    ready                              working | ask 1
    turns 24 shell                     working | ask 25
    turn shell                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail,2/3               working | ask 26; tells: checkpoint [unit]
    turns 10 shell                     working | ask 36
    turn claim                         checking | fix
    fix t1                             working | ask 37; tells: rejected as before [unit]
    turns 24 shell                     working | ask 61
    turn shell                         checking | fix
    fix t1                             working | ask 62; tells: checkpoint [unit], no progress 2 of 4, fresh start after 2
    ");
}

// Getting stuck, asking, being answered.

#[test]
fn checkpoints_without_progress_end_in_a_question_that_says_what_was_tried() {
    let lines = [
        "ready",
        "turn claim",
        "fix t1",
        "verify unit=fail,1/3 lint=fail",
        "turn claim",
        "fix t2",
        "verify unit=fail,1/3 lint=fail",
        "turn claim",
        "fix t3",
        "verify unit=fail,1/3 lint=fail",
        "turn claim",
        "fix t4",
        "verify unit=fail,1/3 lint=fail",
        "delivered",
        "written",
        "answered mind the rounding",
        "turn claim",
        "fix t5",
        "verify",
    ];
    insta::assert_snapshot!(transcript(run(), &lines), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail,1/3 lint=fail     working | ask 2; tells: rejected [unit lint]
    turn claim                         checking | fix
    fix t2                             checking | verify unit lint suite scope oracle on t2
    verify unit=fail,1/3 lint=fail     working | ask 3; tells: rejected [unit lint], no progress 2 of 4, fresh start after 2
    turn claim                         checking | fix
    fix t3                             checking | verify unit lint suite scope oracle on t3
    verify unit=fail,1/3 lint=fail     working | ask 4; tells: rejected [unit lint], no progress 3 of 4, replan, failed: The cart adds up now.
    turn claim                         checking | fix
    fix t4                             checking | verify unit lint suite scope oracle on t4
    verify unit=fail,1/3 lint=fail     delivering | deliver
    delivered                          reporting | report
    written                            blocked | -
    answered mind the rounding         working | ask 5; tells: answer 'mind the rounding'
    turn claim                         checking | fix
    fix t5                             checking | verify unit lint suite scope oracle on t5
    verify                             delivering | deliver
    Complete: all 5 checks pass on the delivered tree.
    ");
    let journal = Journal::played(run(), &lines[..15]);
    let Some(StopReason::Blocked {
        help,
        by: Blocker::NoProgress,
    }) = &journal.state.stop
    else {
        panic!()
    };
    insta::assert_snapshot!(help.tried, @"4 turns, 4 claims. Last verdicts: unit: 1 of 3 tests pass; lint: exit code 1");
    insta::assert_snapshot!(help.question, @"No verified progress in 4 checkpoints. How is unit, lint to be reached?");
}

/// Checkpoints without a claim, of which each changes so many more files than the one before; how many it took until the
/// run asked, and the state then.
fn spread(created: Created, files_each: usize, checkpoints: usize) -> (usize, State) {
    let mut journal = Journal::played(created, &["ready"]);
    for number in 1..=checkpoints {
        for _ in 0..crate::step::turns::ROUTINE_TURNS {
            journal.play("turn shell").expect("it is due");
        }
        let base = journal.state.base.clone().expect("it is prepared");
        let changes = (0..number * files_each).map(|n| Changed {
            path: format!("src/{n}.rs"),
            how: How::Added,
            added: 1,
            removed: 0,
            link: None,
        });
        let candidate = Candidate {
            tree: crate::ids::TreeId::from(format!("wide{number}").as_str()),
            changes: changes.collect(),
            artefacts: Vec::new(),
        };
        assert_ne!(candidate.tree, base.tree);
        let fixed = Fact::CandidateFixed {
            candidate,
            delta: None,
            denials: Vec::new(),
            stopped: Vec::new(),
        };
        journal.add(fixed).expect("it is due");
        journal
            .play("verify unit=fail,1/3 lint=fail")
            .expect("it is due");
        if journal.state.stop.is_some() {
            return (number, journal.state);
        }
    }
    (checkpoints, journal.state)
}

#[test]
fn work_that_spreads_over_ever_more_files_is_not_stuck_for_a_while() {
    let many = || run_with(|goal| goal.stop.turns = 10_000);
    let limit = many().goal.stop.no_progress as usize;
    // Two hundred similar edits, one a turn.
    let (_, state) = spread(many(), 25, 8);
    assert!(state.stop.is_none());
    assert_eq!(state.progress.without, 0);
    // A file now and then is no spreading, and rubbish without end is not waited for.
    let (asked_after, _) = spread(many(), 1, 100);
    assert_eq!(asked_after, limit);
    let (asked_after, _) = spread(many(), 25, 100);
    assert_eq!(
        asked_after,
        crate::step::checkpoint::SPREADING_MAX as usize + limit
    );
    // A run that was begun under an older version counts as it did.
    let older = Created {
        version: crate::event::VERSION_WITH_BREADTH - 1,
        ..many()
    };
    let (asked_after, _) = spread(older, 25, 100);
    assert_eq!(asked_after, limit);
}

#[test]
fn progress_starts_the_count_afresh() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn claim", "fix base", "turn claim", "fix base", "turn claim", "fix base", "turn claim", "fix t1",
        "verify unit=fail,2/3 lint=fail", "turn claim", "fix t2", "verify unit=fail,1/3 lint=fail", "turn claim", "fix t3",
        "verify unit=fail,2/3 lint=pass",
    ]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix base                           working | ask 2; tells: rejected as before [unit lint]
    turn claim                         checking | fix
    fix base                           working | ask 3; tells: rejected as before [unit lint], no progress 2 of 4, fresh start after 2
    turn claim                         checking | fix
    fix base                           working | ask 4; tells: rejected as before [unit lint], no progress 3 of 4, replan, failed: The cart adds up now.
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail,2/3 lint=fail     working | ask 5; tells: rejected [unit lint]
    turn claim                         checking | fix
    fix t2                             checking | verify unit lint suite scope oracle on t2
    verify unit=fail,1/3 lint=fail     working | ask 6; tells: rejected [unit lint]
    turn claim                         checking | fix
    fix t3                             checking | verify unit lint suite scope oracle on t3
    verify unit=fail,2/3 lint=pass     working | ask 7; tells: rejected [unit]
    ");
}

#[test]
fn a_question_is_answered_and_the_run_goes_on() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn write help", "fix t1", "verify unit=fail", "delivered", "written", "answered half even", "ask",
        "answer claim", "start 0", "end 0", "fix t2", "verify", "delivered", "written",
    ]), @r"
    ready                              working | ask 1
    turn write help                    checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   delivering | deliver
    delivered                          reporting | report
    written                            blocked | -
    answered half even                 working | ask 2; tells: answer 'half even'
    ask                                working | ask 2
    answer claim                       working | call 2.0
    start 0                            working | call 2.0
    end 0                              checking | fix
    fix t2                             checking | verify unit lint suite scope oracle on t2
    verify                             delivering | deliver
    delivered                          reporting | report
    written                            complete | -
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn an_answer_that_nobody_asked_for_is_told_too() {
    insta::assert_snapshot!(transcript(run(), &["ready", "ask", "answered look at money.py", "answer shell", "start 0", "end 0"]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    answered look at money.py          working | ask 1; tells: answer 'look at money.py'
    answer shell                       working | call 1.0; tells: answer 'look at money.py'
    start 0                            working | call 1.0; tells: answer 'look at money.py'
    end 0                              working | ask 2; tells: answer 'look at money.py'
    ");
}

// The model's failures.

#[test]
fn failures_that_pass_are_waited_out() {
    let rows = |kind: &str| {
        let failed = format!("failed {kind}");
        let lines = [
            "ready",
            "ask",
            &failed,
            "+1s woken",
            "ask",
            &failed,
            "+1s woken",
            "+1s woken",
            "turn shell",
        ];
        // The kinds' names differ in length, and so does the room after them.
        transcript(run(), &lines).replace(&format!("{failed:<34}"), "failed")
    };
    insta::assert_snapshot!(rows("cut"), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    failed waiting for 1000 ms | -
    +1s woken                          working | ask 1, attempt 2
    ask                                working | ask 1, attempt 2
    failed waiting for 2000 ms | -
    +1s woken                          waiting for 1000 ms | -
    +1s woken                          working | ask 1, attempt 3
    turn shell                         working | ask 2
    ");
    for kind in ["rate_limited", "unavailable"] {
        assert_eq!(rows(kind), rows("cut"));
    }
}

#[test]
fn a_provider_says_when_to_try_again() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "ask", "failed rate_limited after=90000", "+60s woken", "+30s woken",
        "ask", "failed unavailable after=0", "+0s woken", "ask", "failed rate_limited after=999999999999",
    ]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    failed rate_limited after=90000    waiting for 90000 ms | -
    +60s woken                         waiting for 30000 ms | -
    +30s woken                         working | ask 1, attempt 2
    ask                                working | ask 1, attempt 2
    failed unavailable after=0         waiting for 1000 ms | -
    +0s woken                          waiting for 1000 ms | -
    ask                                waiting for 0 ms | -
    failed rate_limited after=999999999999 waiting for 604800000 ms | -
    ");
}

#[test]
fn the_wait_doubles_up_to_a_quarter_of_an_hour() {
    let mut journal = Journal::played(run(), &["ready"]);
    let mut waits = Vec::new();
    for _ in 0..14 {
        journal.play("ask").unwrap();
        journal.play("failed unavailable").unwrap();
        let wait = journal.state.lanes[&Scope::Run].wait.clone().unwrap();
        waits.push((wait.until - wait.since) / 1_000);
        journal.now = wait.until - 1_000;
        journal.play("woken").unwrap();
    }
    assert_eq!(
        waits,
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900]
    );
    journal.play("turn shell").unwrap();
    journal.play("failed unavailable").unwrap();
    assert_eq!(
        journal.state.lanes[&Scope::Run].failures,
        1,
        "an answer starts the count afresh"
    );
}

#[test]
fn unreadable_answers_are_asked_for_again_but_not_for_ever() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn shell", "failed malformed", "failed malformed", "failed malformed", "failed cut", "+60s woken",
        "failed malformed", "failed malformed", "failed malformed", "failed malformed", "failed malformed", "fix t1",
        "verify unit=fail", "delivered", "written", "resumed", "turn claim",
    ]), @r"
    ready                              working | ask 1
    turn shell                         working | ask 2
    failed malformed                   working | ask 2, attempt 2
    failed malformed                   working | ask 2, attempt 3
    failed malformed                   working | ask 2, attempt 4
    failed cut                         waiting for 8000 ms | -
    +60s woken                         working | ask 2, attempt 5
    failed malformed                   working | ask 2, attempt 6
    failed malformed                   working | ask 2, attempt 7
    failed malformed                   working | ask 2, attempt 8
    failed malformed                   working | ask 2, attempt 9
    failed malformed                   checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   delivering | deliver
    delivered                          reporting | report
    written                            blocked | -
    resumed                            working | ask 2
    turn claim                         checking | fix
    ");
}

#[test]
fn a_context_that_overflows_is_cut_until_nothing_is_left() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "failed context_overflow", "ask", "failed context_overflow", "failed context_overflow",
        "failed context_overflow", "failed context_overflow", "failed context_overflow", "written",
    ]), @r"
    ready                              working | ask 1
    failed context_overflow            working | ask 1, attempt 2; tells: history cut
    ask                                working | ask 1, attempt 2
    failed context_overflow            working | ask 1, attempt 3; tells: history cut
    failed context_overflow            working | ask 1, attempt 4; tells: history cut
    failed context_overflow            working | ask 1, attempt 5; tells: history cut
    failed context_overflow            working | ask 1, attempt 6; tells: history cut
    failed context_overflow            reporting | report; tells: history cut
    written                            blocked | -; tells: history cut
    Blocked: The goal alone is too long for the model's context: the provider says context_overflow
    ");
}

/// A run whose limits are far away.
fn endless() -> Created {
    run_with(|goal| {
        goal.stop.no_progress = 1_000;
        goal.stop.turns = 10_000;
    })
}

/// Answers so many turns; what the checkpoints among them say changes nothing.
fn answer_turns(journal: &mut Journal, turns: u32) {
    for _ in 0..turns {
        journal.play("turn shell").unwrap();
        if matches!(journal.state.phase, Phase::Checking(_)) {
            journal.play("fix t1").unwrap();
            journal.play("verify unit=fail").unwrap();
        }
    }
}

#[test]
fn a_history_that_was_cut_grows_back_after_a_while() {
    let mut journal = Journal::played(endless(), &["ready", "failed context_overflow"]);
    journal.play("ask").unwrap();
    journal.play("failed context_overflow").unwrap();
    let window = |journal: &Journal| journal.state.lanes[&Scope::Run].window;
    assert_eq!(window(&journal), WINDOW_TURNS_MAX / 4);
    // What is due is told with the next request, and holds from there on: whoever builds requests hears of it.
    answer_turns(&mut journal, HISTORY_GROWS_AFTER_TURNS);
    assert_eq!(window(&journal), WINDOW_TURNS_MAX / 4);
    answer_turns(&mut journal, 1);
    assert_eq!(window(&journal), WINDOW_TURNS_MAX / 2);
    // It is too long again: the count begins anew.
    journal.play("ask").unwrap();
    journal.play("failed context_overflow").unwrap();
    assert_eq!(window(&journal), WINDOW_TURNS_MAX / 4);
    answer_turns(&mut journal, 2 * HISTORY_GROWS_AFTER_TURNS + 1);
    assert_eq!(window(&journal), WINDOW_TURNS_MAX);
    answer_turns(&mut journal, 2 * HISTORY_GROWS_AFTER_TURNS);
    assert_eq!(window(&journal), WINDOW_TURNS_MAX);
    let grown = |event: &&Event| match &event.fact {
        Fact::TurnRequested { told, .. } => told
            .iter()
            .any(|notice| matches!(notice, Notice::HistoryGrown { .. })),
        _ => false,
    };
    assert_eq!(journal.events.iter().filter(grown).count(), 3);
}

#[test]
fn a_journal_in_which_no_history_grew_adds_up_to_what_it_did() {
    let mut journal = Journal::played(endless(), &["ready"]);
    for _ in 0..5 {
        journal.play("ask").unwrap();
        journal.play("failed context_overflow").unwrap();
    }
    answer_turns(&mut journal, 3 * HISTORY_GROWS_AFTER_TURNS);
    // The same, as a version without growing histories wrote it.
    let mut events = journal.events.clone();
    for event in &mut events {
        if let Fact::TurnRequested { told, .. } = &mut event.fact {
            told.retain(|notice| !matches!(notice, Notice::HistoryGrown { .. }));
        }
    }
    let mut state = begin(&events[0]).unwrap();
    for event in &events[1..] {
        state = step(state, event).unwrap().0;
    }
    assert_eq!(state.lanes[&Scope::Run].window, 1);
    assert!(journal.state.lanes[&Scope::Run].window > 1);
}

#[test]
fn a_person_who_sets_a_run_going_again_gives_it_its_history_back() {
    let told = transcript(
        run(),
        &[
            "ready",
            "ask",
            "failed context_overflow",
            "ask",
            "failed refused",
            "written",
            "resumed",
        ],
    );
    assert!(told.ends_with("tells: history grows to 32\n"), "{told}");
}

#[test]
fn a_provider_that_refuses_blocks_the_run_until_it_is_resumed() {
    insta::assert_snapshot!(transcript(run(), &["ready", "ask", "failed refused", "written", "resumed", "turn claim"]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    failed refused                     reporting | report
    written                            blocked | -
    resumed                            working | ask 1
    turn claim                         checking | fix
    ");
}

#[test]
fn a_script_that_ends_fails_the_run() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn write", "ask", "failed script_ended", "fix t1", "verify unit=fail", "delivered", "written",
    ]), @r"
    ready                              working | ask 1
    turn write                         working | ask 2
    ask                                working | ask 2
    failed script_ended                checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   delivering | deliver
    delivered                          reporting | report
    written                            failed | -
    Failed: the provider says script_ended
    ");
}

// Budgets.

#[test]
fn turns_are_warned_of_once_and_then_used_up() {
    let few = || run_with(|goal| goal.stop.turns = 5);
    insta::assert_snapshot!(transcript(few(), &[
        "ready", "turns 3 shell", "turn shell", "ask", "answer shell", "start 0", "end 0", "fix t1", "verify unit=fail",
        "delivered", "written",
    ]), @r"
    ready                              working | ask 1
    turns 3 shell                      working | ask 4
    turn shell                         working | ask 5; tells: turns 80 %
    ask                                working | ask 5
    answer shell                       working | call 5.0
    start 0                            working | call 5.0
    end 0                              checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   delivering | deliver
    delivered                          reporting | report
    written                            out_of_budget | -
    Out of budget: the goal's `stop.turns` is used up.
    ");
}

#[test]
fn what_passes_when_the_budget_is_used_up_is_complete() {
    let few = || run_with(|goal| goal.stop.turns = 2);
    insta::assert_snapshot!(transcript(few(), &["ready", "turns 2 write", "fix t1", "verify", "delivered", "written"]), @r"
    ready                              working | ask 1
    turns 2 write                      checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             delivering | deliver
    delivered                          reporting | report
    written                            complete | -
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn what_was_paid_for_is_still_used() {
    let few = || run_with(|goal| goal.stop.tokens = Some(1_000));
    insta::assert_snapshot!(transcript(few(), &[
        "ready", "ask", "answer write claim in=900 out=200", "start 0", "end 0", "start 1", "end 1", "fix t1", "verify",
    ]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    answer write claim in=900 out=200  working | call 1.0
    start 0                            working | call 1.0
    end 0                              working | call 1.1
    start 1                            working | call 1.1
    end 1                              checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             delivering | deliver
    Complete: all 5 checks pass on the delivered tree.
    ");
    insta::assert_snapshot!(transcript(few(), &[
        "ready", "turn shell in=790", "turn shell in=20", "turn shell in=180 out=9", "turn shell out=1", "fix t1",
        "verify unit=fail",
    ]), @r"
    ready                              working | ask 1
    turn shell in=790                  working | ask 2
    turn shell in=20                   working | ask 3; tells: tokens 81 %
    turn shell in=180 out=9            working | ask 4
    turn shell out=1                   checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   delivering | deliver
    Out of budget: the goal's `stop.tokens` is used up.
    ");
}

#[test]
fn money_counts_where_the_price_is_known() {
    let mut priced = run_with(|goal| goal.stop.usd = Some(1.0));
    priced.price = Some(Price {
        input: 1.0,
        cached: 0.1,
        output: 10.0,
    });
    insta::assert_snapshot!(transcript(priced, &[
        "ready", "turn shell in=400000", "turn shell out=40000", "turn shell in=200000", "fix t1", "verify lint=fail",
    ]), @r"
    ready                              working | ask 1
    turn shell in=400000               working | ask 2
    turn shell out=40000               working | ask 3; tells: usd 80 %
    turn shell in=200000               checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify lint=fail                   delivering | deliver
    Out of budget: the goal's `stop.usd` is used up.
    ");
}

#[test]
fn hours_end_a_run_in_the_middle_of_a_call_and_of_a_wait() {
    let short = || run_with(|goal| goal.stop.hours = 1.0);
    insta::assert_snapshot!(transcript(short(), &[
        "ready", "ask", "answer shell", "start 0", "+50m woken", "+10m woken", "fix t1", "verify lint=fail",
    ]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    answer shell                       working | call 1.0
    start 0                            working | call 1.0
    +50m woken                         working | call 1.0
    +10m woken                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify lint=fail                   delivering | deliver
    Out of budget: the goal's `stop.hours` is used up.
    ");
    insta::assert_snapshot!(transcript(short(), &["ready", "turn shell", "ask", "failed rate_limited after=7200000", "+61m woken", "fix t1"]), @r"
    ready                              working | ask 1
    turn shell                         working | ask 2
    ask                                working | ask 2
    failed rate_limited after=7200000  waiting for 7200000 ms | -
    +61m woken                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    Out of budget: the goal's `stop.hours` is used up.
    ");
}

#[test]
fn pauses_and_time_without_a_process_cost_nothing() {
    let mut journal = Journal::played(run(), &["ready", "turn shell"]);
    let before = journal.state.spent.clone();
    for line in ["+0s paused", "+9h resumed", "+9h restarted"] {
        journal.play(line).unwrap();
    }
    assert_eq!(journal.state.spent, before);
    journal.play("turn wait").unwrap();
    journal.play("+10m woken").unwrap();
    assert_eq!(journal.state.spent.waiting_ms, 600_000);
    assert_eq!(journal.state.spent.active_ms, before.active_ms + 1_000);
}

#[test]
fn a_clock_that_jumps_back_costs_nothing_and_ends_nothing() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn shell", "-9h turn shell", "turn claim", "-1h fix t1", "verify", "-1h delivered", "written",
    ]), @r"
    ready                              working | ask 1
    turn shell                         working | ask 2
    -9h turn shell                     working | ask 3
    turn claim                         checking | fix
    -1h fix t1                         checking | verify unit lint suite scope oracle on t1
    verify                             delivering | deliver
    -1h delivered                      reporting | report
    written                            complete | -
    Complete: all 5 checks pass on the delivered tree.
    ");
    let journal = Journal::played(run(), &["ready", "-9h turn shell", "turn shell"]);
    assert!(journal.state.spent.active_ms < 60_000);
}

// Checks that cannot be run.

#[test]
fn what_cannot_be_told_on_the_base_and_never_will_be_ends_the_run_at_once() {
    let absent = [
        "prepared",
        "base unit cannot absent",
        "base lint fail",
        "base suite pass",
        "baselined",
        "written",
    ];
    insta::assert_snapshot!(transcript(run(), &absent), @r"
    prepared                           baselining | baseline
    base unit cannot absent            baselining | baseline
    base lint fail                     baselining | baseline
    base suite pass                    baselining | baseline
    baselined                          reporting | report
    written                            unverifiable | -
    Unverifiable: the harness could not run unit.
    ");
    let may_come = [
        "prepared",
        "base unit cannot timeout",
        "base lint fail",
        "base suite pass",
        "baselined",
    ];
    insta::assert_snapshot!(transcript(run(), &may_come), @r"
    prepared                           baselining | baseline
    base unit cannot timeout           baselining | baseline
    base lint fail                     baselining | baseline
    base suite pass                    baselining | baseline
    baselined                          working | ask 1
    ");
}

#[test]
fn what_must_not_regress_and_could_not_be_told_is_said_before_the_night() {
    insta::assert_snapshot!(transcript(run(), &[
        "prepared", "base unit fail", "base lint fail", "base suite cannot timeout", "baselined", "written",
    ]), @r"
    prepared                           baselining | baseline
    base unit fail                     baselining | baseline
    base lint fail                     baselining | baseline
    base suite cannot timeout          baselining | baseline
    baselined                          reporting | report
    written                            unverifiable | -
    Unverifiable: the harness could not run suite.
    ");
}

#[test]
fn what_could_not_be_delivered_is_delivered_when_the_run_is_resumed() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn claim", "fix t1", "verify", "undelivered", "written", "resumed", "delivered", "written",
    ]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             delivering | deliver
    undelivered                        reporting | report
    written                            failed | -
    resumed                            delivering | deliver
    delivered                          reporting | report
    written                            complete | -
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn a_budget_raised_while_the_run_is_ending_counts() {
    let few = run_with(|goal| goal.stop.turns = 1);
    insta::assert_snapshot!(transcript(few, &[
        "ready", "turn write", "raised 5", "fix t1", "verify unit=fail", "delivered", "written",
    ]), @r"
    ready                              working | ask 1
    turn write                         checking | fix
    raised 5                           checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   delivering | deliver
    delivered                          reporting | report
    written                            working | ask 2
    ");
}

#[test]
fn a_claim_whose_open_checks_nobody_can_tell_is_unverifiable() {
    insta::assert_snapshot!(transcript(run(), &[
        "prepared", "base unit cannot timeout", "base lint fail", "base suite pass", "baselined", "turn claim", "fix t1",
        "verify unit=cannot,timeout", "delivered", "written",
    ]), @r"
    prepared                           baselining | baseline
    base unit cannot timeout           baselining | baseline
    base lint fail                     baselining | baseline
    base suite pass                    baselining | baseline
    baselined                          working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=cannot,timeout         delivering | deliver
    delivered                          reporting | report
    written                            unverifiable | -
    Unverifiable: the harness could not run unit.
    ");
    insta::assert_snapshot!(transcript(run(), &["ready", "turn claim", "fix t1", "verify lint=cannot,harness"]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify lint=cannot,harness         delivering | deliver
    Unverifiable: the harness could not run lint.
    ");
}

#[test]
fn a_check_that_the_work_broke_goes_back_to_the_model() {
    insta::assert_snapshot!(transcript(run(), &["ready", "turn claim", "fix t1", "verify unit=cannot,timeout"]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=cannot,timeout         working | ask 2; tells: rejected [unit]
    ");
    // And so does one that cannot be told as long as another simply fails.
    insta::assert_snapshot!(transcript(run(), &["ready", "turn claim", "fix t1", "verify unit=fail lint=cannot,harness"]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail lint=cannot,harness working | ask 2; tells: rejected [unit lint]
    ");
}

#[test]
fn a_goal_that_proves_nothing_is_refused() {
    let all_pass = [
        "prepared",
        "base unit pass",
        "base lint pass",
        "base suite pass",
        "baselined",
        "written",
    ];
    insta::assert_snapshot!(transcript(run(), &all_pass), @r"
    prepared                           baselining | baseline
    base unit pass                     baselining | baseline
    base lint pass                     baselining | baseline
    base suite pass                    baselining | baseline
    baselined                          reporting | report
    written                            refused | -
    Refused: every `done` check passes already on the untouched base, so passing them proves nothing. Add a check that fails today, or say `already: true` on one that you know to pass.
    ");
    let known = run_with(|goal| goal.done[0].already = true);
    assert_eq!(
        Journal::played(known, &all_pass[..5]).state.status(),
        "working"
    );
    let one_fails = [
        "prepared",
        "base unit pass",
        "base lint fail",
        "base suite pass",
        "baselined",
    ];
    assert_eq!(Journal::played(run(), &one_fails).state.status(), "working");
}

// The process dies.

#[test]
fn a_call_without_network_is_run_again_after_a_crash() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "ask", "answer shell write", "start 0", "restarted", "start 0", "restarted", "start 0", "end 0", "start 1",
        "end 1", "ask",
    ]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    answer shell write                 working | call 1.0
    start 0                            working | call 1.0
    restarted                          working | call 1.0 again; tells: restarted
    start 0                            working | call 1.0 again; tells: restarted
    restarted                          working | call 1.0 again; tells: restarted
    start 0                            working | call 1.0 again; tells: restarted
    end 0                              working | call 1.1; tells: restarted
    start 1                            working | call 1.1; tells: restarted
    end 1                              working | ask 2; tells: restarted
    ask                                working | ask 2
    ");
}

#[test]
fn a_call_with_network_is_reported_as_interrupted() {
    let online = || run_with(|goal| goal.uses.network = vec!["example.org".into()]);
    let lines = [
        "ready",
        "ask",
        "answer shell write",
        "start 0",
        "restarted",
        "start 1",
        "restarted",
    ];
    insta::assert_snapshot!(transcript(online(), &lines), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    answer shell write                 working | call 1.0
    start 0                            working | call 1.0
    restarted                          working | call 1.1; tells: restarted
    start 1                            working | call 1.1; tells: restarted
    restarted                          working | ask 2; tells: restarted
    ");
    let journal = Journal::played(online(), &lines);
    let Fact::CallEnded { result, .. } = &journal.events.last().unwrap().fact else {
        panic!()
    };
    assert!(!result.ok && result.shown.contains("unknown"), "{result:?}");
}

#[test]
fn a_crash_anywhere_leaves_the_same_orders() {
    let lines = [
        "ready",
        "ask",
        "answer shell claim",
        "start 0",
        "end 0",
        "start 1",
        "end 1",
        "fix t1",
        "verify",
        "delivered",
    ];
    for many in 0..=lines.len() {
        let mut journal = Journal::played(run(), &lines[..many]);
        let before = journal.due();
        journal.play("restarted").unwrap();
        assert_eq!(journal.due(), before, "after {:?}", &lines[..many]);
    }
    let ended = Journal::played(run(), &[&lines[..], &["written"]].concat());
    assert_eq!(recover(&ended.state, ended.now), []);
}

// A person speaks.

/// Lines of a run, one for every phase it passes.
const ALL_PHASES: [&str; 13] = [
    "prepared",
    "base unit fail",
    "base lint fail",
    "base suite pass",
    "baselined",
    "ask",
    "answer shell claim",
    "start 0",
    "end 0",
    "start 1",
    "end 1",
    "fix t1",
    "check unit pass",
];

#[test]
fn paused_in_any_phase_nothing_is_due_and_resumed_the_same_is() {
    for many in 0..=ALL_PHASES.len() {
        let mut journal = Journal::played(run(), &ALL_PHASES[..many]);
        let (before, phase) = (journal.due(), journal.state.phase.clone());
        assert!(!before.is_empty());
        for fact in decide(&journal.state, &Command::Pause).unwrap() {
            journal.add(fact).unwrap();
        }
        assert_eq!((journal.due(), journal.state.status()), (vec![], "paused"));
        assert_eq!(journal.state.wakes_at(), None);
        for fact in decide(&journal.state, &Command::Resume).unwrap() {
            journal.add(fact).unwrap();
        }
        assert_eq!((journal.due(), &journal.state.phase), (before, &phase));
    }
}

#[test]
fn stopped_in_any_phase_the_run_ends_without_running_a_command() {
    for paused in [false, true] {
        for many in 0..=ALL_PHASES.len() {
            let mut journal = Journal::played(run(), &ALL_PHASES[..many]);
            if paused {
                journal.play("paused").unwrap();
            }
            for fact in decide(&journal.state, &Command::Stop).unwrap() {
                journal.add(fact).unwrap();
            }
            for _ in 0..6 {
                let line = match journal.due().first() {
                    Some(Effect::FixCandidate) => "fix t1",
                    Some(Effect::Verify { .. }) => {
                        assert_eq!(to_verify(&journal.state), [CheckId::from("scope")]);
                        "verify"
                    }
                    Some(Effect::Deliver) => "delivered",
                    Some(Effect::WriteReport) => "written",
                    None => break,
                    Some(other) => {
                        panic!("{other:?} is due after a stop in {:?}", &ALL_PHASES[..many])
                    }
                };
                journal.play(line).unwrap();
            }
            assert!(journal.state.ended());
            assert_eq!(journal.state.stop, Some(StopReason::Stopped));
        }
    }
}

#[test]
fn what_a_person_may_say_depends_on_the_state() {
    let tell = |lines: &[&str]| {
        let state = Journal::played(run(), lines).state;
        let answer = Command::Answer { text: "yes".into() };
        let empty = Command::Answer { text: " ".into() };
        let said = [
            Command::Pause,
            Command::Resume,
            Command::Stop,
            answer,
            empty,
        ]
        .map(|command| match decide(&state, &command) {
            Ok(facts) if facts.is_empty() => "nothing to do".to_owned(),
            Ok(facts) => facts.iter().map(super::name).collect::<Vec<_>>().join(", "),
            Err(refusal) => format!("refused: {refusal}"),
        });
        format!(
            "pause: {}\nresume: {}\nstop: {}\nanswer: {}\nempty answer: {}",
            said[0], said[1], said[2], said[3], said[4]
        )
    };
    insta::assert_snapshot!(tell(&["ready"]), @r"
    pause: paused
    resume: nothing to do
    stop: stop_requested
    answer: answered
    empty answer: refused: the answer is empty
    ");
    insta::assert_snapshot!(tell(&["ready", "paused"]), @r"
    pause: nothing to do
    resume: resumed
    stop: resumed, stop_requested
    answer: answered
    empty answer: refused: the answer is empty
    ");
    insta::assert_snapshot!(tell(&["ready", "turn claim", "fix t1", "verify", "delivered", "written"]), @r"
    pause: refused: the run has ended (complete)
    resume: refused: the run has ended (complete)
    stop: refused: the run has ended already (complete)
    answer: refused: the run has ended (complete) and asks nothing: overnight show 1a2b3c4d
    empty answer: refused: the answer is empty
    ");
    insta::assert_snapshot!(tell(&["ready", "turn help", "fix base", "delivered", "written"]), @r#"
    pause: refused: the run has ended (blocked)
    resume: refused: the run waits for an answer: overnight answer 1a2b3c4d "TEXT"
    stop: refused: the run has ended already (blocked)
    answer: answered
    empty answer: refused: the answer is empty
    "#);
    insta::assert_snapshot!(tell(&["ready", "failed refused", "written"]), @r"
    pause: refused: the run has ended (blocked)
    resume: resumed
    stop: refused: the run has ended already (blocked)
    answer: refused: the run has ended (blocked) and asks nothing: overnight show 1a2b3c4d
    empty answer: refused: the answer is empty
    ");
}

// Events that do not fit.

#[test]
fn events_that_do_not_fit_are_errors_and_change_nothing() {
    insta::assert_snapshot!(transcript(run(), &[
        "baselined", "prepared", "prepared", "base unit fail", "base nosuch fail", "baselined", "baselined", "prepared",
        "check unit pass", "start 7", "answer shell", "start 0", "start 9", "end 0",
    ]), @r"
    baselined                          ! `baseline_ended` does not fit a run that is preparing: the journal is damaged
    prepared                           baselining | baseline
    prepared                           ! `prepared` does not fit a run that is baselining: the journal is damaged
    base unit fail                     baselining | baseline
    base nosuch fail                   baselining | baseline
    baselined                          working | ask 1
    baselined                          ! `baseline_ended` does not fit a run that is working: the journal is damaged
    prepared                           ! `prepared` does not fit a run that is working: the journal is damaged
    check unit pass                    working | ask 1
    start 7                            ! `call_started` does not fit a run that is working: the journal is damaged
    answer shell                       working | call 1.0
    start 0                            working | call 1.0
    start 9                            ! `call_started` does not fit a run that is working: the journal is damaged
    end 0                              working | ask 2
    ");
    let journal = Journal::played(run(), &["ready", "turn shell"]);
    let again = Event::run(START, Fact::RunCreated(Box::new(run())));
    assert_eq!(
        step(journal.state.clone(), &again).unwrap_err(),
        StepError::NotCreated
    );
    let late = Event::run(
        START,
        Fact::CallEnded {
            turn: 9,
            index: 0,
            result: Box::default(),
        },
    );
    assert!(matches!(
        step(journal.state.clone(), &late),
        Err(StepError::Unexpected {
            fact: "call_ended",
            ..
        })
    ));
    assert_eq!(begin(&late).unwrap_err(), StepError::NotCreated);
    let newer = Created {
        version: 99,
        ..run()
    };
    let newer = Event::run(START, Fact::RunCreated(Box::new(newer)));
    assert_eq!(begin(&newer).unwrap_err(), StepError::Version(99));
}

#[test]
fn a_verdict_on_another_tree_never_counts() {
    let mut journal = Journal::played(run(), &["ready", "turn claim", "fix t1"]);
    for id in ["unit", "lint", "suite", "scope", "oracle"] {
        journal
            .add(reported(Target::Candidate("t0".into()), &[id, "pass"]))
            .unwrap();
    }
    assert_eq!(journal.state.status(), "checking");
    assert_eq!(to_verify(&journal.state).len(), 5);
}

// Ending well.

#[test]
fn what_cannot_be_delivered_is_not_complete() {
    insta::assert_snapshot!(transcript(run(), &["ready", "turn claim", "fix t1", "verify", "undelivered", "written"]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             delivering | deliver
    undelivered                        reporting | report
    written                            failed | -
    Failed: every check passes, but the result could not be delivered: the branch exists already: delete it
    ");
}

#[test]
fn a_budget_that_is_used_up_when_everything_is_known_to_pass_ends_complete() {
    let few = run_with(|goal| goal.stop.turns = 25);
    insta::assert_snapshot!(transcript(few, &["ready", "turns 25 write", "fix t1", "verify"]), @r"
    ready                              working | ask 1
    turns 25 write                     checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             delivering | deliver; tells: checkpoint []
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn a_model_that_goes_on_after_everything_passes_is_not_stuck() {
    let long = run_with(|goal| {
        goal.stop.turns = 100;
        goal.stop.no_progress = 1;
    });
    insta::assert_snapshot!(transcript(long, &["ready", "turns 25 write", "fix t1", "verify", "turns 25 shell", "fix t1"]), @r"
    ready                              working | ask 1
    turns 25 write                     checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             working | ask 26; tells: checkpoint []
    turns 25 shell                     checking | fix
    fix t1                             delivering | deliver
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn what_could_not_be_told_on_the_base_can_still_come_nearer() {
    insta::assert_snapshot!(transcript(run(), &[
        "prepared", "base unit cannot", "base lint fail", "base suite pass", "baselined",
        "turn claim", "fix t1", "verify unit=cannot lint=fail", "turn claim", "fix t2", "verify unit=fail,2/9 lint=fail",
        "turn claim", "fix t3", "verify unit=fail,3/9 lint=fail", "turn claim", "fix t4", "verify unit=fail,3/9 lint=fail",
    ]), @r"
    prepared                           baselining | baseline
    base unit cannot                   baselining | baseline
    base lint fail                     baselining | baseline
    base suite pass                    baselining | baseline
    baselined                          working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=cannot lint=fail       working | ask 2; tells: rejected [unit lint]
    turn claim                         checking | fix
    fix t2                             checking | verify unit lint suite scope oracle on t2
    verify unit=fail,2/9 lint=fail     working | ask 3; tells: rejected [unit lint]
    turn claim                         checking | fix
    fix t3                             checking | verify unit lint suite scope oracle on t3
    verify unit=fail,3/9 lint=fail     working | ask 4; tells: rejected [unit lint]
    turn claim                         checking | fix
    fix t4                             checking | verify unit lint suite scope oracle on t4
    verify unit=fail,3/9 lint=fail     working | ask 5; tells: rejected [unit lint]
    ");
}

#[test]
fn a_run_that_is_ending_keeps_its_reason_when_a_person_stops_it() {
    insta::assert_snapshot!(transcript(run(), &["ready", "turn claim", "fix t1", "verify", "stopped", "delivered", "stopped", "written"]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             delivering | deliver
    stopped                            delivering | deliver
    delivered                          reporting | report
    stopped                            reporting | report
    written                            complete | -
    Complete: all 5 checks pass on the delivered tree.
    ");
    insta::assert_snapshot!(transcript(run(), &["ready", "turn help", "fix t1", "stopped", "fix t1", "verify", "delivered", "written"]), @r"
    ready                              working | ask 1
    turn help                          checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    stopped                            checking | fix
    fix t1                             checking | verify scope on t1
    verify                             delivering | deliver
    delivered                          reporting | report
    written                            blocked | -
    Blocked: Which rounding does the shop want?
    ");
}

#[test]
fn an_answer_that_comes_before_the_end_counts() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn write help", "answered half even", "fix t1", "verify unit=fail", "delivered", "written", "turn claim",
    ]), @r"
    ready                              working | ask 1
    turn write help                    checking | fix
    answered half even                 checking | fix; tells: answer 'half even'
    fix t1                             checking | verify unit lint suite scope oracle on t1; tells: answer 'half even'
    verify unit=fail                   delivering | deliver; tells: answer 'half even'
    delivered                          reporting | report; tells: answer 'half even'
    written                            working | ask 2; tells: answer 'half even'
    turn claim                         checking | fix
    ");
}

#[test]
fn what_comes_too_late_starts_nothing() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn shell", "end 0", "end 7", "ask", "stopped", "answer", "failed refused", "fix t1", "fix t2",
        "delivered", "verify", "delivered", "undelivered", "written", "answer", "fix t3", "delivered", "written",
    ]), @r"
    ready                              working | ask 1
    turn shell                         working | ask 2
    end 0                              ! `call_ended` does not fit a run that is working: the journal is damaged
    end 7                              ! `call_ended` does not fit a run that is working: the journal is damaged
    ask                                working | ask 2
    stopped                            checking | fix
    answer                             ! `model_answered` does not fit a run that is checking: the journal is damaged
    failed refused                     ! `model_failed` does not fit a run that is checking: the journal is damaged
    fix t1                             checking | verify scope on t1
    fix t2                             ! `candidate_fixed` does not fit a run that is checking: the journal is damaged
    delivered                          ! `delivered` does not fit a run that is checking: the journal is damaged
    verify                             delivering | deliver
    delivered                          reporting | report
    undelivered                        ! `delivery_failed` does not fit a run that is reporting: the journal is damaged
    written                            stopped | -
    answer                             ! `model_answered` does not fit a run that is stopped: the journal is damaged
    fix t3                             ! `candidate_fixed` does not fit a run that is stopped: the journal is damaged
    delivered                          ! `delivered` does not fit a run that is stopped: the journal is damaged
    written                            stopped | -
    Stopped by a person.
    ");
    // Verdicts on an earlier tree do not close a checkpoint whose tree is not fixed yet.
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn claim", "fix t1", "verify unit=fail", "turn write claim", "check unit pass", "fix t2",
    ]), @r"
    ready                              working | ask 1
    turn claim                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   working | ask 2; tells: rejected [unit]
    turn write claim                   checking | fix
    check unit pass                    checking | fix
    fix t2                             checking | verify unit lint suite scope oracle on t2
    ");
}

// A simulated world: it does what is due and nothing else, and keeps the truth that `core` cannot see.

/// What the model, the provider or a person may do next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Move {
    /// The model writes: the workspace becomes this tree.
    Write(&'static str),
    /// The model writes and claims in one answer.
    WriteAndClaim(&'static str),
    Claim,
    Shell,
    Silent,
    Help,
    Wait,
    /// The provider fails.
    Fail(&'static str),
    Pause,
    Stop,
    Crash,
    Later,
    /// A person adds a check that passes anywhere, or takes it away again.
    Edit,
}

/// Everything that can be the matter with a tree; only `good` is what the goal asks for.
const TREES: [&str; 4] = [BASE, "half", "broken", "good"];

fn truth(check: &str, tree: &str) -> &'static str {
    let passes = match check {
        "unit" => ["half", "good"].contains(&tree),
        "lint" => ["broken", "good"].contains(&tree),
        "suite" => tree != "broken",
        _ => true,
    };
    if passes { "pass" } else { "fail" }
}

struct World {
    journal: Journal,
    workspace: &'static str,
    /// What the calls of the last answer will write.
    writes: Option<&'static str>,
}

impl World {
    fn new(created: Created) -> World {
        World {
            journal: Journal::new(created),
            workspace: BASE,
            writes: None,
        }
    }

    fn play(&mut self, line: &str) {
        self.journal
            .play(line)
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        self.safe();
    }

    /// What must hold at any time.
    fn safe(&self) {
        let state = &self.journal.state;
        let due = self.journal.due();
        if state.paused || state.ended() {
            assert_eq!(due, [], "{}", state.status());
            assert_eq!(state.wakes_at(), None);
        } else {
            assert!(
                !due.is_empty() || state.wakes_at().is_some(),
                "stuck: {}",
                state.status()
            );
        }
        if let Some(StopReason::Complete(proof)) = &state.stop {
            assert_eq!(proof.tree().as_str(), "good");
            assert_eq!(self.workspace, "good");
            assert!(
                state
                    .candidate
                    .as_ref()
                    .is_some_and(|c| c.current && &c.tree == proof.tree())
            );
        }
    }

    /// Does what is due; the move says what the outside makes of it. False once nothing is to be done any more.
    fn go(&mut self, next: Move) -> bool {
        if self.journal.state.paused {
            self.play("resumed");
        }
        if self.journal.state.ended() {
            if wants_answer(&self.journal.state) && next == Move::Help {
                self.play("answered go on");
                return true;
            }
            return false;
        }
        match next {
            Move::Pause => self.play("paused"),
            Move::Stop if self.journal.state.stop.is_none() => self.play("stopped"),
            Move::Crash => self.play("restarted"),
            Move::Later => self.play("+5m woken"),
            Move::Edit => self.edit(),
            _ => self.perform(next),
        }
        true
    }

    fn edit(&mut self) {
        let there = self
            .journal
            .state
            .checks
            .contains_key(&CheckId::from("extra"));
        if ready_for_edit(&self.journal.state) {
            self.play(if there {
                "edited unit lint"
            } else {
                "edited unit lint extra"
            });
        }
    }

    fn perform(&mut self, next: Move) {
        let Some(effect) = self.journal.due().into_iter().next() else {
            let wakes = self.journal.state.wakes_at().expect("it waits");
            self.journal.now = self.journal.now.max(wakes);
            return self.play("woken");
        };
        match effect {
            Effect::Prepare => self.play("prepared"),
            Effect::Baseline => {
                let state = &self.journal.state;
                let open = state.order.iter().filter(|id| !is_own(id));
                let open = open.filter(|id| state.checks[*id].base.is_none());
                let open: Vec<String> = open.map(CheckId::to_string).collect();
                for check in open {
                    self.play(&format!("base {check} {}", truth(&check, BASE)));
                }
                self.play("baselined");
            }
            Effect::AskModel { .. } => self.answer(next),
            Effect::Call { index, .. } => {
                self.play(&format!("start {index}"));
                self.workspace = self.writes.take().unwrap_or(self.workspace);
                self.play(&format!("end {index}"));
            }
            Effect::FixCandidate => self.play(&format!("fix {}", self.workspace)),
            Effect::Verify { tree } => {
                let check = to_verify(&self.journal.state).remove(0);
                self.play(&format!(
                    "check {check} {}",
                    truth(check.as_str(), tree.as_str())
                ));
            }
            Effect::Deliver => self.play("delivered"),
            Effect::WriteReport => self.play("written"),
            Effect::Reach { .. } => self.play("back"),
            Effect::Notify { number } => {
                self.play(&format!("telling {number}"));
                self.play(&format!("told {number}"));
            }
            other => panic!("{other:?} belongs to a worklist, and this run has none"),
        }
    }

    fn answer(&mut self, next: Move) {
        self.play("ask");
        let calls = match next {
            Move::Write(tree) => {
                self.writes = Some(tree);
                "write"
            }
            Move::WriteAndClaim(tree) => {
                self.writes = Some(tree);
                "write claim"
            }
            Move::Claim => "claim",
            Move::Help => "help",
            Move::Wait => "wait",
            Move::Silent => "",
            Move::Fail(kind) => return self.play(&format!("failed {kind}")),
            Move::Shell | Move::Pause | Move::Stop | Move::Crash | Move::Later | Move::Edit => {
                "shell"
            }
        };
        self.play(&format!("answer {calls}"));
    }

    fn status(&self) -> &'static str {
        self.journal.state.status()
    }
}

/// More steps than any of these runs needs: 40 turns, each with two calls and a checkpoint of four checks.
const STEPS_MAX: usize = 1_000;

fn model_moves() -> Vec<Move> {
    let trees = TREES
        .into_iter()
        .flat_map(|tree| [Move::Write(tree), Move::WriteAndClaim(tree)]);
    trees
        .chain([Move::Claim, Move::Shell, Move::Silent])
        .collect()
}

#[test]
fn an_eager_model_completes_in_exactly_the_turns_it_needs() {
    let mut world = World::new(run());
    while world.journal.state.spent.turns == 0 {
        world.go(Move::Write("good"));
    }
    for _ in 0..STEPS_MAX {
        world.go(Move::Claim);
    }
    assert_eq!(
        (world.status(), world.journal.state.spent.turns),
        ("complete", 2)
    );

    let mut world = World::new(run());
    for _ in 0..STEPS_MAX {
        world.go(Move::WriteAndClaim("good"));
    }
    assert_eq!(
        (world.status(), world.journal.state.spent.turns),
        ("complete", 1)
    );
}

#[test]
fn a_model_that_lies_never_completes_and_its_run_ends() {
    for lie in [
        Move::Claim,
        Move::WriteAndClaim("half"),
        Move::WriteAndClaim("broken"),
        Move::Silent,
    ] {
        let mut world = World::new(run());
        for _ in 0..STEPS_MAX {
            world.go(lie);
        }
        assert_eq!(world.status(), "blocked", "{lie:?}");
    }
    let mut world = World::new(run());
    for _ in 0..STEPS_MAX {
        world.go(Move::Shell);
    }
    assert_eq!(
        (world.status(), world.journal.state.spent.turns),
        ("out_of_budget", 40)
    );
}

/// Every sequence of four things that a model may do, exhaustively, and then an honest end.
#[test]
fn every_short_run_is_safe_and_can_still_be_completed() {
    let moves = model_moves();
    let mut completed = 0;
    for number in 0..moves.len().pow(4) {
        let mut world = World::new(run());
        let mut turn = 0;
        while turn < 4 && !world.journal.state.ended() {
            let next = moves[number / moves.len().pow(turn) % moves.len()];
            let before = world.journal.state.spent.turns;
            world.go(next);
            turn += u32::from(world.journal.state.spent.turns > before);
        }
        for _ in 0..STEPS_MAX {
            if !world.go(Move::WriteAndClaim("good")) {
                break;
            }
        }
        // Four checkpoints without progress end a run as blocked; every other one is completed by an honest model.
        match world.status() {
            "complete" => completed += 1,
            status => assert_eq!(status, "blocked"),
        }
    }
    assert!(completed > moves.len().pow(4) / 2, "{completed}");
}

proptest! {
    #![proptest_config(ProptestConfig::default())]

    /// Whatever model, provider, person and power supply do: nothing unsafe, never stuck, and an end.
    #[test]
    fn any_run_is_safe_and_ends(moves in prop::collection::vec(any_move(), 0..150), last in any_move()) {
        let mut world = World::new(run_with(|goal| goal.stop.turns = 20));
        for next in moves {
            world.go(next);
        }
        // From here on nobody interferes.
        let last = match last {
            Move::Pause
            | Move::Crash
            | Move::Later
            | Move::Edit
            | Move::Help
            | Move::Fail(_) => Move::Shell,
            last => last,
        };
        for _ in 0..STEPS_MAX {
            world.go(last);
        }
        prop_assert!(world.journal.state.ended(), "{}", world.status());
        prop_assert!(matches!(world.journal.state.phase, Phase::Ended));
    }

    /// The same events give the same state, and whoever dies between two of them reads the same.
    #[test]
    fn a_replay_is_the_run(moves in prop::collection::vec(any_move(), 0..80)) {
        let mut world = World::new(run());
        for next in moves {
            world.go(next);
        }
        let events = &world.journal.events;
        let mut state = begin(&events[0]).unwrap();
        for event in &events[1..] {
            state = step(state, event).unwrap().0;
        }
        let json = |state: &State| serde_json::to_string(state).unwrap();
        prop_assert_eq!(json(&state), json(&world.journal.state));
    }
}

fn any_move() -> impl Strategy<Value = Move> {
    let kinds = [
        "rate_limited",
        "unavailable",
        "network",
        "cut",
        "malformed",
        "context_overflow",
        "refused",
    ];
    let rare = kinds.map(Move::Fail).into_iter().chain([
        Move::Pause,
        Move::Stop,
        Move::Crash,
        Move::Later,
        Move::Edit,
    ]);
    let rare: Vec<Move> = rare.chain([Move::Wait, Move::Help]).collect();
    prop_oneof![4 => prop::sample::select(model_moves()), 1 => prop::sample::select(rare)]
}

#[test]
fn the_lines_of_a_ready_run_are_the_ones_of_the_world() {
    let mut world = World::new(run());
    while world.status() != "working" {
        world.go(Move::Shell);
    }
    let ready = Journal::played(run(), &READY);
    assert_eq!(world.journal.due(), ready.due());
}

#[test]
fn a_raised_budget_lets_the_same_run_go_on() {
    let few = run_with(|goal| goal.stop.turns = 2);
    insta::assert_snapshot!(transcript(few, &[
        "ready", "turn write", "turn shell", "fix t1", "verify unit=fail", "delivered", "written",
        "raised 3", "turn claim", "fix t2", "verify", "delivered", "written", "raised 3",
    ]), @r"
    ready                              working | ask 1
    turn write                         working | ask 2
    turn shell                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   delivering | deliver
    delivered                          reporting | report
    written                            out_of_budget | -
    raised 3                           working | ask 3
    turn claim                         checking | fix
    fix t2                             checking | verify unit lint suite scope oracle on t2
    verify                             delivering | deliver
    delivered                          reporting | report
    written                            complete | -
    raised 3                           complete | -
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn only_a_limit_that_there_is_can_be_raised() {
    let state = Journal::new(run()).state;
    let raise = |raise| decide(&state, &Command::Budget { raise }).map(|facts| facts.len());
    assert_eq!(
        raise(Raise {
            turns: 5,
            ..Raise::default()
        }),
        Ok(1)
    );
    assert!(raise(Raise::default()).is_err());
    assert!(
        raise(Raise {
            hours: f64::NAN,
            ..Raise::default()
        })
        .is_err()
    );
    assert!(
        raise(Raise {
            usd: 3.0,
            ..Raise::default()
        })
        .is_err(),
        "this goal has no limit in dollars"
    );
}

// Being steered.

#[test]
fn an_order_stands_until_it_is_revoked() {
    let mut journal = Journal::played(run(), &["ready", "turn shell"]);
    let mut carry_out = |command: Command| -> Result<usize, String> {
        let facts = decide(&journal.state, &command).map_err(|refusal| refusal.to_string())?;
        for fact in facts {
            journal.add(fact).unwrap();
        }
        Ok(journal.state.orders.len())
    };
    let tell = |text: &str| Command::Tell { text: text.into() };
    assert_eq!(carry_out(tell("Leave the public API as it is.")), Ok(1));
    assert_eq!(carry_out(tell("No new dependency.")), Ok(2));
    assert_eq!(carry_out(Command::Revoke { order: 1 }), Ok(1));
    // A number is never given twice: an order that was revoked must not be mistaken for another.
    assert_eq!(carry_out(tell("Small commits.")), Ok(2));
    assert_eq!(
        carry_out(Command::Revoke { order: 1 }),
        Err("order 1 does not stand; these do: 2, 3".into())
    );
    assert_eq!(carry_out(tell("  ")), Err("the order is empty".into()));
}

// What the harness itself cannot do, and clocks that jump.

#[test]
fn what_the_harness_cannot_do_now_is_tried_again() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "turn write claim", "hiccup", "+1s woken", "hiccup", "+1s woken", "+1s woken", "fix t1", "verify",
    ]), @r"
    ready                              working | ask 1
    turn write claim                   checking | fix
    hiccup                             waiting | -
    +1s woken                          checking | fix
    hiccup                             waiting | -
    +1s woken                          waiting | -
    +1s woken                          checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             delivering | deliver
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn orders_and_budgets_are_for_runs_that_can_go_on() {
    let mut journal = Journal::played(run(), &["ready", "turn write claim", "fix t1", "verify"]);
    journal.play("written").ok();
    let ended = |stop: StopReason| State {
        phase: Phase::Ended,
        stop: Some(stop),
        ..journal.state.clone()
    };
    let Some(complete @ StopReason::Complete(_)) = journal.state.stop.clone() else {
        panic!("it is complete")
    };
    let why = || "the disk is gone".to_owned();
    let help = Help {
        question: why(),
        tried: why(),
        unlock: why(),
    };
    let by = Blocker::Model;
    for (stop, goes_on) in [
        (complete, false),
        (StopReason::Stopped, false),
        (StopReason::Refused { why: why() }, false),
        (StopReason::Unverifiable { checks: vec![] }, false),
        (StopReason::Failed { why: why() }, true),
        (StopReason::Blocked { help, by }, true),
        (StopReason::OutOfBudget { budget: why() }, true),
    ] {
        let state = ended(stop);
        let turns = Raise {
            turns: 3,
            ..Raise::default()
        };
        for command in [
            Command::Tell { text: why() },
            Command::Budget { raise: turns },
        ] {
            let decided = decide(&state, &command);
            assert_eq!(decided.is_ok(), goes_on, "{command:?} of {:?}", state.stop);
        }
    }
}

#[test]
fn a_token_in_an_order_is_refused_without_being_repeated() {
    let journal = Journal::played(run(), &["ready"]);
    let token = "ghp_0123456789abcdefABCD";
    for command in [
        Command::Tell {
            text: format!("Use `{token}` for the push."),
        },
        Command::Answer {
            text: token.to_owned(),
        },
    ] {
        let refused = decide(&journal.state, &command)
            .expect_err("it is a secret")
            .0;
        assert!(!refused.contains(token), "{refused}");
    }
    let about = Command::Tell {
        text: "Refuse tokens that begin with ghp_ in the log.".into(),
    };
    assert!(decide(&journal.state, &about).is_ok());
}

#[test]
fn what_it_could_do_at_last_counts_no_longer() {
    let mut journal = Journal::played(run(), &["ready", "turn write claim", "hiccup"]);
    assert!(journal.state.trouble.is_some());
    journal.now = journal.state.wakes_at().unwrap();
    for word in ["+0s woken", "fix t1"] {
        journal.play(word).unwrap();
    }
    assert!(journal.state.trouble.is_none());
}

#[test]
fn artefacts_are_told_once_and_the_first_of_very_many() {
    let mut journal = Journal::played(run(), &["ready"]);
    for round in 0..3 {
        journal.play("turn write claim").unwrap();
        let name = |n: usize| format!("target/{n:04}");
        let candidate = Candidate {
            tree: crate::ids::TreeId::from(format!("t{round}").as_str()),
            changes: vec![],
            // Half of them are those of the round before.
            artefacts: (0..crate::state::CHANGES_SHOWN_MAX / 2 + round * 60)
                .map(name)
                .collect(),
        };
        // What the checks made on the base stands first.
        let mut wanted = vec!["target/".to_owned()];
        wanted.extend(candidate.artefacts.clone());
        wanted.truncate(crate::state::CHANGES_SHOWN_MAX);
        let fixed = Fact::CandidateFixed {
            candidate,
            delta: None,
            denials: Vec::new(),
            stopped: Vec::new(),
        };
        journal.add(fixed).unwrap();
        assert_eq!(journal.state.artefacts, wanted);
        journal.play("verify unit=fail").unwrap();
    }
    assert_eq!(
        journal.state.artefacts.len(),
        crate::state::CHANGES_SHOWN_MAX
    );
}

#[test]
fn the_harness_does_not_try_for_ever_and_a_person_can_send_it_on() {
    let mut journal = Journal::played(run(), &["ready", "turn write claim"]);
    let mut waited = 0;
    for _ in 1..HARNESS_ATTEMPTS_MAX {
        journal.play("+0s hiccup").unwrap();
        let until = journal.state.wakes_at().unwrap();
        waited += until - journal.now;
        journal.now = until;
        journal.play("+0s woken").unwrap();
        assert_eq!(journal.due(), [Effect::FixCandidate]);
    }
    const MINUTE_MS: u64 = 60_000;
    assert!(
        (15 * MINUTE_MS..60 * MINUTE_MS).contains(&waited),
        "{waited} ms"
    );
    assert_eq!(journal.state.spent.waiting_ms, waited);
    journal.play("hiccup").unwrap();
    journal.play("written").unwrap();
    assert_eq!(journal.state.status(), "failed");
    assert_eq!(
        decide(&journal.state, &Command::Resume).unwrap(),
        [Fact::Resumed]
    );
    journal.play("resumed").unwrap();
    insta::assert_snapshot!(told(&journal.state), @"working | ask 2");
    // While it waits, a person may say that it is to try now.
    let mut journal = Journal::played(run(), &["ready", "turn write claim", "hiccup"]);
    assert_eq!(
        decide(&journal.state, &Command::Resume).unwrap(),
        [Fact::Resumed]
    );
    journal.play("resumed").unwrap();
    insta::assert_snapshot!(told(&journal.state), @"checking | fix");
}

#[test]
fn a_stop_does_not_wait_half_an_hour_for_the_harness() {
    let mut journal = Journal::played(run(), &["ready", "turn write", "hiccup", "stopped"]);
    insta::assert_snapshot!(told(&journal.state), @"checking | fix");
    for _ in 1..STOPPING_ATTEMPTS_MAX {
        journal.play("hiccup").unwrap();
        journal.play("+1m woken").unwrap();
    }
    journal.play("hiccup").unwrap();
    insta::assert_snapshot!(told(&journal.state), @"reporting | report");
}

#[test]
fn a_run_that_failed_before_it_began_begins_where_it_was() {
    insta::assert_snapshot!(transcript(run(), &[
        "broke", "written", "resumed", "prepared", "base unit fail", "broke", "written", "resumed", "base lint fail",
        "base suite pass", "baselined",
    ]), @r"
    broke                              reporting | report
    written                            failed | -
    resumed                            preparing | prepare
    prepared                           baselining | baseline
    base unit fail                     baselining | baseline
    broke                              reporting | report
    written                            failed | -
    resumed                            baselining | baseline
    base lint fail                     baselining | baseline
    base suite pass                    baselining | baseline
    baselined                          working | ask 1
    ");
}

#[test]
fn time_in_which_the_machine_slept_is_nobodys() {
    let mut journal = Journal::played(run(), &["ready", "ask", "answer shell", "start 0"]);
    let before = journal.state.spent.clone();
    journal.play("+6h clock +6h").unwrap();
    journal.play("+1s end 0").unwrap();
    assert_eq!(journal.state.spent.active_ms, before.active_ms + 1_000);
    assert_eq!(
        journal.state.status(),
        "working",
        "the budget is five hours"
    );
    let mut journal = Journal::played(run(), &["ready", "turn wait"]);
    let before = journal.state.spent.clone();
    journal.play("+6h clock +6h").unwrap();
    assert_eq!(journal.state.spent.waiting_ms, before.waiting_ms);
    journal.play("+0s woken").unwrap();
    insta::assert_snapshot!(told(&journal.state), @"working | ask 2");
}

#[test]
fn a_wait_keeps_its_length_when_the_clock_is_set_back() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "ask", "failed rate_limited after=90000", "-9h clock -9h", "+60s woken", "+30s woken",
    ]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    failed rate_limited after=90000    waiting for 90000 ms | -
    -9h clock -9h                      waiting for 90000 ms | -
    +60s woken                         waiting for 30000 ms | -
    +30s woken                         working | ask 1, attempt 2
    ");
}

#[test]
fn a_time_limit_with_a_fraction_of_a_millisecond_ends_a_run_when_its_time_has_come() {
    let mut journal = Journal::new(run_with(|goal| goal.stop.hours = 1.0 / 3.0 + 1e-8));
    journal.play("ready").unwrap();
    journal.now = journal.state.wakes_at().unwrap();
    journal.play("+0s woken").unwrap();
    assert_eq!(journal.state.status(), "reporting");
}

#[test]
fn a_branch_that_was_delivered_is_known_after_nothing_was_delivered() {
    let lines = [
        "ready",
        "turn write help",
        "fix t1",
        "verify unit=fail",
        "delivered",
        "written",
        "answered revert it",
        "turn write help",
        "fix base",
        "delivered",
        "written",
    ];
    let journal = Journal::played(run(), &lines);
    assert_eq!(journal.state.delivered, Some(Delivered::Nothing));
    assert_eq!(journal.state.branch_at, Some("c0ffeet1".into()));
}

/// The largest that a run can hold: every list full, every text as long as it may be and of characters that JSON
/// escapes.
#[test]
fn the_serialised_state_is_small_whatever_comes() {
    let long = "\u{1}\"\\\n→".repeat(1_500);
    let ids: Vec<String> = (0..100).map(|n| format!("{n:-<64}")).collect();
    let mut created = run();
    created.goal = goal(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    created.goal.outcome = long.clone();
    created.goal.uses.files = vec![long.clone(); 50];
    created.notify = vec![
        Channel::Command {
            command: long.clone()
        };
        CHANNELS_MAX
    ];
    created.hidden = ids
        .iter()
        .map(|id| (id.as_str().into(), BlobId::of(id.as_bytes())))
        .collect();
    let mut journal = Journal::new(created);
    let base = Base {
        lfs: vec![long.clone(); 20],
        submodules: vec![long.clone(); 20],
        dirty: vec![long.clone(); 20],
        ..crate::report::journal::base(true)
    };
    journal.add(Fact::Prepared { base, offer: None }).unwrap();
    let shout = |fact: Fact| {
        let Fact::CheckReported { mut report } = fact else {
            return fact;
        };
        report.reason = long.clone();
        report.evidence = long.clone();
        // On the base some obstacles end the run at once.
        report.obstacle = match &report.target {
            Target::Base => None,
            Target::Candidate(_) => Some(Obstacle::SetupFailed {
                detail: long.clone(),
            }),
        };
        Fact::CheckReported { report }
    };
    for id in ids.iter().map(String::as_str).chain(["suite"]) {
        let verdict = if id == "suite" { "pass" } else { "fail" };
        journal
            .add(shout(reported(Target::Base, &[id, verdict])))
            .unwrap();
    }
    let generated = vec![long.clone(); 20];
    journal
        .add(Fact::BaselineEnded {
            generated,
            reused: false,
        })
        .unwrap();
    for number in 1..=ORDERS_MAX as u32 {
        let text = "\u{1}".repeat(ORDER_BYTES_MAX / 6);
        let tell = Command::Tell { text };
        let facts = decide(&journal.state, &tell).unwrap();
        assert!(matches!(facts[0], Fact::Told { order, .. } if order == number));
        facts
            .into_iter()
            .for_each(|fact| journal.add(fact).unwrap());
    }
    // It asks, and its person is told, again and again.
    for number in 1..=KEPT_MAX as u32 + 2 {
        for line in ["turn help", "fix base", "delivered", "written"] {
            journal.play(line).unwrap();
        }
        let failed = Sending {
            by: "command".into(),
            outcome: Outcome::Failed { why: long.clone() },
        };
        let notified = Fact::Notified {
            number,
            sendings: vec![failed; CHANNELS_MAX],
        };
        journal.add(notified).unwrap();
        journal.play(&format!("answered {number}")).unwrap();
    }
    assert_eq!(journal.state.notifications.len(), KEPT_MAX);
    fill_inbox(&mut journal, &long);
    small(&journal.state);
    journal.play("ask").unwrap();
    let head = |n: usize| CallHead {
        id: long.clone(),
        name: long.clone(),
        line: format!("{n}{long}"),
    };
    let turn = journal.state.lanes[&Scope::Run].turn + 1;
    let answered = Fact::ModelAnswered {
        turn,
        answer: "a".into(),
        text: long.clone(),
        calls: (0..200).map(head).collect(),
        usage: Default::default(),
        oddities: vec![],
    };
    journal.add(answered).unwrap();
    let help = Help {
        question: long.clone(),
        tried: long.clone(),
        unlock: long.clone(),
    };
    let step = PlanStep {
        step: long.clone(),
        status: Default::default(),
    };
    let said = [
        Said::Notes {
            text: long.clone(),
            replace: false,
        },
        Said::Plan {
            steps: vec![step; 500],
        },
        Said::Claim {
            summary: long.clone(),
        },
        Said::Help(help),
    ];
    for index in 0..crate::step::turns::CALLS_MAX {
        let result = CallResult {
            shown: long.clone(),
            said: said.get(index).cloned(),
            ..CallResult::default()
        };
        let result = Box::new(result);
        journal
            .add(Fact::CallEnded {
                turn,
                index,
                result,
            })
            .unwrap();
    }
    small(&journal.state);
    let changed = |n: usize| Changed {
        path: format!("{n}{long}"),
        how: How::Modified,
        added: 1,
        removed: 1,
        link: Some(long.clone()),
    };
    let candidate = Candidate {
        tree: "t1".into(),
        changes: (0..200).map(changed).collect(),
        artefacts: vec![long.clone(); 20],
    };
    let fixed = Fact::CandidateFixed {
        candidate,
        delta: None,
        denials: vec![],
        stopped: vec![long.clone(); 20],
    };
    journal.add(fixed).unwrap();
    for id in ids
        .iter()
        .map(String::as_str)
        .chain(["suite", "scope", "oracle"])
    {
        let failed = reported(Target::Candidate("t1".into()), &[id, "fail"]);
        journal.add(shout(failed)).unwrap();
    }
    small(&journal.state);
    let failed = Fact::DeliveryFailed {
        message: long.clone(),
    };
    journal.add(failed).unwrap();
    fill_inbox(&mut journal, &long);
    let message = long.clone();
    journal
        .add(Fact::HarnessFailed {
            message,
            fatal: false,
        })
        .unwrap();
    small(&journal.state);
}

/// Everything that a person can leave for the model to read, until no more is taken.
fn fill_inbox(journal: &mut Journal, long: &str) {
    for edit in 0..3 {
        let change = |n: usize| Change {
            key: format!("{edit}{n}"),
            was: Some(long.to_owned()),
            is: None,
        };
        let edited = Fact::GoalEdited {
            goal: Box::new(journal.state.goal.clone()),
            goal_file: BlobId::of(&[edit]),
            changes: (0..100).map(change).collect(),
        };
        journal.add(edited).unwrap();
    }
    for number in 0.. {
        let answer = Command::Answer {
            text: format!("{number}{}", "\u{1}".repeat(100)),
        };
        match decide(&journal.state, &answer) {
            Ok(facts) => facts
                .into_iter()
                .for_each(|fact| journal.add(fact).unwrap()),
            Err(_) => break,
        }
    }
}

fn small(state: &State) {
    let bytes = serde_json::to_vec(state).unwrap().len();
    assert!(
        bytes < STATE_BYTES_MAX,
        "{bytes} bytes at {}",
        state.status()
    );
}
