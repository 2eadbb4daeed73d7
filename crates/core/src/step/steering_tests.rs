//! Transcripts of waits, of a contract that is edited under way, and of telling the person. Lines are explained in
//! `report/journal.rs`.

use crate::event::Fact;
use crate::goal::Goal;
use crate::ids::{CheckId, Scope};
use crate::notification::{
    Channel, Occasion, Outcome, Standing, WAITING_MS_MIN, variable, webhook,
};
use crate::report::journal::Journal;
use crate::state::{State, WaitKind};
use crate::step::tests::{run, run_with, transcript};
use crate::step::{Command, OUTAGE_MS_MAX, QUOTA_MS_MIN, decide, recover};
use crate::stop::StopReason;

const HOUR_MS: u64 = 60 * 60 * 1_000;

fn told() -> crate::event::Created {
    let mut created = run();
    created.notify = vec![Channel::Command {
        command: "tell".into(),
    }];
    created
}

fn occasions(state: &State) -> Vec<Occasion> {
    state.notifications.iter().map(|n| n.occasion).collect()
}

// Waits.

#[test]
fn a_network_that_is_gone_is_looked_for_before_the_model_is_asked_again() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "ask", "failed network", "+1s woken", "+1h woken", "restarted", "back", "ask", "failed network",
        "+2s woken", "back", "turn shell",
    ]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    failed network                     waiting for 1000 ms | -
    +1s woken                          waiting for 0 ms | reach
    +1h woken                          waiting for 0 ms | reach
    restarted                          waiting for 0 ms | reach
    back                               working | ask 1, attempt 2
    ask                                working | ask 1, attempt 2
    failed network                     waiting for 2000 ms | -
    +2s woken                          waiting for 0 ms | reach
    back                               working | ask 1, attempt 3
    turn shell                         working | ask 2
    ");
}

#[test]
fn a_provider_that_is_gone_for_half_a_day_is_the_persons_to_mend() {
    for (failure, ends_by_seeking) in [("unavailable", false), ("network", true)] {
        let mut journal = Journal::played(
            run_with(|goal| goal.stop.hours = 600.0),
            &["ready", "turn shell"],
        );
        let mut attempts = 0;
        while journal.state.stop.is_none() {
            journal.play("ask").unwrap();
            journal.play(&format!("failed {failure}")).unwrap();
            attempts += 1;
            let Some(mut wakes) = journal.state.wakes_at() else {
                break;
            };
            journal.now = wakes - 1_000;
            journal.play("woken").unwrap();
            if ends_by_seeking {
                wakes = journal.state.wakes_at().unwrap();
                journal.now = wakes - 1_000;
                journal.play("woken").unwrap();
            }
        }
        let sentence = journal.state.stop.as_ref().unwrap().sentence();
        assert!(sentence.contains("not answered for 12 hours"), "{sentence}");
        assert!(journal.state.spent.waiting_ms >= OUTAGE_MS_MAX, "{failure}");
        assert!(journal.state.spent.waiting_ms < OUTAGE_MS_MAX + HOUR_MS);
        assert_eq!(attempts == 1, ends_by_seeking, "{attempts} attempts");
        assert!(attempts < 70, "{attempts} attempts");
        for line in [
            "fix t1",
            "verify unit=fail",
            "delivered",
            "written",
            "resumed",
        ] {
            journal.play(line).unwrap();
        }
        assert_eq!(
            journal.state.status(),
            "working",
            "a person's word sets it going again"
        );
        assert_eq!(journal.state.lanes[&Scope::Run].failing_ms, 0);
    }
}

#[test]
fn a_quota_is_waited_for_as_often_as_the_goal_says() {
    let few = || {
        run_with(|goal| {
            goal.stop.windows = 2;
            goal.stop.hours = 600.0;
        })
    };
    insta::assert_snapshot!(transcript(few(), &[
        "ready", "ask", "failed rate_limited after=18000000", "+5h woken", "turn shell",
        "ask", "failed rate_limited after=18000000", "+5h woken", "ask", "failed rate_limited after=18000000", "fix t1",
        "verify unit=fail", "delivered", "written", "resumed", "failed rate_limited after=600000",
    ]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    failed rate_limited after=18000000 waiting for 18000000 ms | -
    +5h woken                          working | ask 1, attempt 2
    turn shell                         working | ask 2
    ask                                working | ask 2
    failed rate_limited after=18000000 waiting for 18000000 ms | -
    +5h woken                          working | ask 2, attempt 2
    ask                                working | ask 2, attempt 2
    failed rate_limited after=18000000 checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   delivering | deliver
    delivered                          reporting | report
    written                            blocked | -
    resumed                            working | ask 2
    failed rate_limited after=600000   waiting for 600000 ms | -
    ");
    let journal = Journal::played(few(), &["ready", "failed rate_limited after=600000"]);
    assert_eq!(journal.state.waiting().unwrap().kind, WaitKind::Quota);
    let journal = Journal::played(few(), &["ready", "failed rate_limited after=599999"]);
    assert_eq!(journal.state.waiting().unwrap().kind, WaitKind::RateLimit);
    assert_eq!(QUOTA_MS_MIN, 600_000);
    // Who does not want to wait for a quota is asked at once.
    let none = run_with(|goal| goal.stop.windows = 0);
    let journal = Journal::played(none, &["ready", "failed rate_limited after=18000000"]);
    assert!(matches!(
        journal.state.stop,
        Some(StopReason::Blocked { .. })
    ));
}

#[test]
fn long_waits_for_a_quota_are_no_outage() {
    let long = run_with(|goal| goal.stop.hours = 600.0);
    let mut journal = Journal::played(long, &["ready"]);
    for _ in 0..4 {
        journal.play("failed rate_limited after=18000000").unwrap();
        journal.play("+5h woken").unwrap();
    }
    journal.play("failed unavailable").unwrap();
    assert_eq!(journal.state.status(), "waiting");
}

#[test]
fn a_person_ends_a_wait_and_a_restart_does_not() {
    insta::assert_snapshot!(transcript(run(), &[
        "ready", "ask", "failed rate_limited after=18000000", "restarted", "paused", "resumed", "cancelled", "ask",
        "failed network", "+1s woken", "cancelled",
    ]), @r"
    ready                              working | ask 1
    ask                                working | ask 1
    failed rate_limited after=18000000 waiting for 18000000 ms | -
    restarted                          waiting for 17999000 ms | -
    paused                             paused for 17998000 ms | -
    resumed                            waiting for 17997000 ms | -
    cancelled                          working | ask 1, attempt 2
    ask                                working | ask 1, attempt 2
    failed network                     waiting for 2000 ms | -
    +1s woken                          waiting for 1000 ms | -
    cancelled                          working | ask 1, attempt 3
    ");
    let waits = Journal::played(run(), &["ready", "failed rate_limited after=18000000"]);
    assert_eq!(
        decide(&waits.state, &Command::Wake),
        Ok(vec![Fact::WaitCancelled])
    );
    assert_eq!(
        decide(&waits.state, &Command::Resume),
        Ok(vec![]),
        "taking a run up ends no wait"
    );
    let paused = Journal::played(
        run(),
        &["ready", "failed rate_limited after=18000000", "paused"],
    );
    assert_eq!(
        decide(&paused.state, &Command::Wake),
        Ok(vec![Fact::Resumed, Fact::WaitCancelled])
    );
    let works = Journal::played(run(), &["ready"]);
    assert_eq!(decide(&works.state, &Command::Wake), Ok(vec![]));
}

#[test]
fn a_wait_for_a_command_in_the_background_is_waiting_time() {
    let mut journal = Journal::played(run(), &["ready", "ask", "answer wait", "start 0"]);
    assert_eq!(journal.state.status(), "waiting");
    let active = journal.state.spent.active_ms;
    journal.play("+40m end 0").unwrap();
    assert_eq!(journal.state.spent.active_ms, active);
    assert!(journal.state.spent.waiting_ms >= 40 * 60_000);
}

#[test]
fn hours_at_work_are_a_budget_of_their_own() {
    let short = run_with(|goal| goal.stop.active = Some(1.0));
    insta::assert_snapshot!(transcript(short, &[
        "ready", "turn shell", "failed rate_limited after=7200000", "+2h woken", "ask", "answer shell", "start 0", "+49m woken",
        "+10m end 0", "ask", "answer shell", "start 0", "+2m woken", "fix t1",
    ]), @r"
    ready                              working | ask 1
    turn shell                         working | ask 2
    failed rate_limited after=7200000  waiting for 7200000 ms | -
    +2h woken                          working | ask 2, attempt 2
    ask                                working | ask 2, attempt 2
    answer shell                       working | call 2.0
    start 0                            working | call 2.0
    +49m woken                         working | call 2.0
    +10m end 0                         working | ask 3; tells: active 98 %
    ask                                working | ask 3
    answer shell                       working | call 3.0
    start 0                            working | call 3.0
    +2m woken                          checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    Out of budget: the goal's `stop.active` is used up.
    ");
    let journal = Journal::played(
        run_with(|goal| goal.stop.active = Some(1.0)),
        &["ready", "turn shell"],
    );
    assert!(journal.state.wakes_at().unwrap() <= journal.now + HOUR_MS);
}

// Telling.

#[test]
fn the_end_is_told_once_and_what_died_meanwhile_never_again() {
    insta::assert_snapshot!(transcript(told(), &[
        "ready", "turn write claim", "fix t1", "verify", "delivered", "written", "telling 1", "told 1",
    ]), @r"
    ready                              working | ask 1
    turn write claim                   checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify                             delivering | deliver
    delivered                          reporting | report
    written                            complete | notify 1 complete
    telling 1                          complete | notify 1 complete
    told 1                             complete | -
    Complete: all 5 checks pass on the delivered tree.
    ");
    let ended = [
        "ready",
        "turn write claim",
        "fix t1",
        "verify",
        "delivered",
        "written",
        "telling 1",
    ];
    let mut journal = Journal::played(told(), &ended);
    let events = recover(&journal.state, journal.now);
    assert_eq!(events.len(), 1);
    for event in events {
        journal.add(event.fact).unwrap();
    }
    assert_eq!(journal.due(), []);
    let Standing::Over { sendings } = &journal.state.notifications[0].standing else {
        panic!("{:?}", journal.state.notifications)
    };
    assert_eq!(
        (sendings[0].by.as_str(), &sendings[0].outcome),
        ("command", &Outcome::Unknown)
    );
    assert_eq!(recover(&journal.state, journal.now), []);
}

#[test]
fn every_end_but_a_persons_own_is_told_and_so_is_a_new_one() {
    for (lines, wanted) in [
        (
            &["turn help", "fix t1", "verify unit=fail"][..],
            vec![Occasion::Blocked],
        ),
        (&["turn claim", "stopped", "fix t1", "verify"], vec![]),
        (&["broke"], vec![Occasion::Failed]),
    ] {
        let lines = [&["ready"], lines, &["delivered", "written"]].concat();
        let mut journal = Journal::new(told());
        for line in lines {
            // A run that broke has nothing to deliver.
            let _ = journal.play(line);
        }
        assert!(journal.state.ended());
        assert_eq!(occasions(&journal.state), wanted);
    }
    let again = [
        "ready",
        "turn help",
        "fix t1",
        "verify unit=fail",
        "delivered",
        "written",
        "telling 1",
        "told 1",
        "answered go on",
        "turn help",
        "fix t2",
        "verify unit=fail",
        "delivered",
        "written",
    ];
    let journal = Journal::played(told(), &again);
    assert_eq!(
        occasions(&journal.state),
        [Occasion::Blocked, Occasion::Blocked]
    );
    // Nobody is told where nobody is to be told.
    let journal = Journal::played(run(), &again[..6]);
    assert_eq!(journal.state.notifications, []);
}

#[test]
fn a_wait_of_more_than_an_hour_is_told_once() {
    // Known at once.
    let journal = Journal::played(told(), &["ready", "failed rate_limited after=18000000"]);
    assert_eq!(occasions(&journal.state), [Occasion::Waiting]);
    // Found out: an outage.
    let mut journal = Journal::played(told(), &["ready"]);
    let since = journal.now;
    while journal.now < since + 3 * HOUR_MS {
        journal.play("failed unavailable").unwrap();
        journal.now = journal.state.wakes_at().unwrap() - 1_000;
        journal.play("woken").unwrap();
        if journal.now < since + WAITING_MS_MIN {
            assert_eq!(journal.state.notifications, [], "{}", journal.now - since);
        }
    }
    assert_eq!(occasions(&journal.state), [Occasion::Waiting]);
    // An answer ends the row.
    journal.play("turn shell").unwrap();
    journal.play("failed rate_limited after=18000000").unwrap();
    assert_eq!(occasions(&journal.state), [Occasion::Waiting; 2]);
    // A command in the background: the run wakes to tell of it.
    let mut journal = Journal::played(told(), &["ready", "ask", "answer wait", "start 0"]);
    assert_eq!(journal.state.wakes_at(), Some(journal.now + WAITING_MS_MIN));
    journal.play("+60m woken").unwrap();
    assert_eq!(occasions(&journal.state), [Occasion::Waiting]);
    assert_ne!(journal.state.wakes_at(), Some(journal.now), "and not again");
}

#[test]
fn an_address_is_https_or_on_this_machine() {
    for good in [
        "https://hooks.example.org/services/T0/B0/x",
        "https://example.org:8443",
        "http://localhost:8080/hook",
        "http://127.0.0.1:9",
        "http://[::1]:9/x",
    ] {
        assert_eq!(webhook(good), Ok(()), "{good}");
    }
    for bad in [
        "http://example.org/",
        "http://127.0.0.1.example.org/",
        "http://localhost@example.org/",
        "https://ann:pw@example.org/",
        "https:///x",
        "https://",
        "http://localhost\\@example.org/",
        "http://localhost:80:90/",
        "ftp://localhost/",
        "https://example.org/\u{202e}",
        "https://example.org/a b",
        "",
    ] {
        assert!(webhook(bad).is_err(), "{bad}");
    }
    assert!(variable("HOOK_URL") && !variable("https://x") && !variable("") && !variable("1A"));
}

// Edits.

fn with(names: &[&str]) -> crate::event::Created {
    crate::report::journal::created(crate::report::journal::goal(names))
}

#[test]
fn what_was_changed_is_looked_at_before_a_run_ends_because_a_new_check_cannot_be_told() {
    let words = [
        "ready",
        "turn write claim",
        "fix t1",
        "verify unit=fail",
        "turn write",
        "edited unit lint extra",
        "base extra cannot absent",
        "baselined",
    ];
    insta::assert_snapshot!(transcript(with(&["unit", "lint"]), &words), @r"
    ready                              working | ask 1
    turn write claim                   checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   working | ask 2; tells: rejected [unit]
    turn write                         working | ask 3
    edited unit lint extra             baselining | baseline; tells: edited [done.extra]
    base extra cannot absent           baselining | baseline; tells: edited [done.extra]
    baselined                          checking | fix; tells: edited [done.extra]
    Unverifiable: the harness could not run extra.
    ");
    // A run of an older version delivers what was looked at last.
    let older = crate::event::Created {
        version: crate::event::VERSION_WITH_WHOLE - 1,
        ..with(&["unit", "lint"])
    };
    insta::assert_snapshot!(transcript(older, &words), @r"
    ready                              working | ask 1
    turn write claim                   checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   working | ask 2; tells: rejected [unit]
    turn write                         working | ask 3
    edited unit lint extra             baselining | baseline; tells: edited [done.extra]
    base extra cannot absent           baselining | baseline; tells: edited [done.extra]
    baselined                          delivering | deliver; tells: edited [done.extra]
    Unverifiable: the harness could not run extra.
    ");
}

#[test]
fn an_edited_goal_is_obeyed_before_the_next_call_and_only_new_checks_run_on_the_base() {
    insta::assert_snapshot!(transcript(with(&["unit", "lint"]), &[
        "ready", "turn write", "edited unit lint extra", "base extra fail", "baselined", "ask", "answer claim", "start 0",
        "end 0", "fix t1", "verify extra=fail", "edited unit lint", "turn claim", "fix t1", "delivered", "written",
    ]), @r"
    ready                              working | ask 1
    turn write                         working | ask 2
    edited unit lint extra             baselining | baseline; tells: edited [done.extra]
    base extra fail                    baselining | baseline; tells: edited [done.extra]
    baselined                          working | ask 2; tells: edited [done.extra]
    ask                                working | ask 2
    answer claim                       working | call 2.0
    start 0                            working | call 2.0
    end 0                              checking | fix
    fix t1                             checking | verify unit lint extra suite scope oracle on t1
    verify extra=fail                  working | ask 3; tells: rejected [extra]
    edited unit lint                   working | ask 3; tells: rejected [extra], edited [done.extra]
    turn claim                         checking | fix
    fix t1                             delivering | deliver
    delivered                          reporting | report
    written                            complete | -
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn an_edit_in_the_middle_of_a_claim_lets_the_claim_stand() {
    insta::assert_snapshot!(transcript(with(&["unit", "lint"]), &[
        "ready", "turn write claim", "fix t1", "check unit pass", "edited unit extra", "base extra fail", "baselined",
        "fix t1", "verify", "delivered",
    ]), @r"
    ready                              working | ask 1
    turn write claim                   checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    check unit pass                    checking | verify lint suite scope oracle on t1
    edited unit extra                  baselining | baseline; tells: edited [done.extra done.lint]
    base extra fail                    baselining | baseline; tells: edited [done.extra done.lint]
    baselined                          checking | fix; tells: edited [done.extra done.lint]
    fix t1                             checking | verify extra suite scope oracle on t1; tells: edited [done.extra done.lint]
    verify                             delivering | deliver; tells: edited [done.extra done.lint]
    delivered                          reporting | report; tells: edited [done.extra done.lint]
    Complete: all 5 checks pass on the delivered tree.
    ");
}

#[test]
fn a_blocked_run_goes_on_with_the_new_contract() {
    insta::assert_snapshot!(transcript(with(&["unit", "lint"]), &[
        "ready", "turn help", "fix t1", "verify unit=fail", "delivered", "written", "edited unit", "turn claim", "fix t2",
        "verify", "delivered", "written",
    ]), @r"
    ready                              working | ask 1
    turn help                          checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   delivering | deliver
    delivered                          reporting | report
    written                            blocked | -
    edited unit                        working | ask 2; tells: edited [done.lint]
    turn claim                         checking | fix
    fix t2                             checking | verify unit suite scope oracle on t2
    verify                             delivering | deliver
    delivered                          reporting | report
    written                            complete | -
    Complete: all 4 checks pass on the delivered tree.
    ");
    // What is still used up stays used up.
    let few = run_with(|goal| goal.stop.turns = 1);
    insta::assert_snapshot!(transcript(few, &[
        "ready", "turn write", "fix t1", "verify unit=fail", "delivered", "written", "edited unit lint extra", "raised 3",
        "base extra pass", "baselined",
    ]), @r"
    ready                              working | ask 1
    turn write                         checking | fix
    fix t1                             checking | verify unit lint suite scope oracle on t1
    verify unit=fail                   delivering | deliver
    delivered                          reporting | report
    written                            out_of_budget | -
    edited unit lint extra             out_of_budget | -; tells: edited [done.extra]
    raised 3                           baselining | baseline; tells: edited [done.extra]
    base extra pass                    baselining | baseline; tells: edited [done.extra]
    baselined                          working | ask 2; tells: edited [done.extra]
    ");
}

#[test]
fn verdicts_notes_and_raised_budgets_outlive_an_edit() {
    let mut journal = Journal::played(
        run(),
        &[
            "ready",
            "turn notes",
            "turn write claim",
            "fix t1",
            "verify unit=fail",
            "raised 7",
        ],
    );
    let before = journal.state.clone();
    journal.play("edited unit lint extra").unwrap();
    let now = &journal.state;
    assert_eq!(
        now.goal.stop.turns, before.goal.stop.turns,
        "the person raised it"
    );
    assert_eq!(now.file_stop, before.file_stop);
    assert_eq!(
        now.lanes[&Scope::Run].notes,
        before.lanes[&Scope::Run].notes
    );
    assert_eq!(
        (now.spent.turns, &now.spent.usage),
        (before.spent.turns, &before.spent.usage)
    );
    for id in ["unit", "lint", "suite", "scope"] {
        let id = CheckId::from(id);
        assert_eq!(now.checks[&id].latest, before.checks[&id].latest, "{id}");
        assert_eq!(now.checks[&id].base, before.checks[&id].base, "{id}");
    }
    assert_eq!(now.checks[&CheckId::from("extra")].base, None);
    assert_eq!(now.branch(), before.branch());
    // Other ground, and no verdict on the work stands.
    let mut goal = Goal {
        stop: now.file_stop,
        ..now.goal.clone()
    };
    goal.keep.paths.push("docs/**".into());
    goal.outcome = "Another sentence.".into();
    let branch = now.branch();
    let goal_file = crate::ids::BlobId::of(b"other");
    let fact = Fact::GoalEdited {
        goal: Box::new(goal),
        goal_file,
        changes: vec![],
    };
    journal.play("base extra pass").unwrap();
    journal.play("baselined").unwrap();
    journal.add(fact).unwrap();
    assert!(
        journal
            .state
            .checks
            .values()
            .all(|c| c.latest.is_none() && c.base.is_some())
    );
    assert_eq!(journal.state.status(), "working");
    assert_eq!(journal.state.branch(), branch, "the branch keeps its name");
}

/// A goal file for [`decide`].
fn file(rest: &str) -> String {
    format!(
        "---\noutcome: The cart adds up.\ndone:\n  - {{id: unit, run: make unit}}\n{rest}\n---\nMend it.\n"
    )
}

fn over(text: &str) -> Journal {
    let mut goal = crate::goal::parse::parse(text)
        .unwrap_or_else(|e| panic!("{text}: {e:?}"))
        .goal;
    goal.brief.clear();
    let mut journal = Journal::new(crate::report::journal::created(goal));
    for line in ["prepared", "base unit fail", "baselined"] {
        journal.play(line).unwrap();
    }
    journal
}

fn edit(journal: &Journal, text: &str) -> Result<Vec<String>, String> {
    let command = Command::Edit {
        text: text.to_owned(),
    };
    let facts = decide(&journal.state, &command).map_err(|refusal| refusal.0)?;
    let mut lines = Vec::new();
    for fact in facts {
        let Fact::GoalEdited { changes, .. } = fact else {
            panic!("{fact:?}")
        };
        lines.extend(changes.iter().map(crate::goal::change::Change::line));
    }
    Ok(lines)
}

#[test]
fn what_cannot_be_changed_under_way_is_refused_with_the_reason() {
    let journal = over(&file(
        "use: {setup: npm ci, files: [.env], network: [a.example]}\nkeep: {paths: [docs/**]}",
    ));
    let is = |rest: &str| edit(&journal, &file(rest));
    for (rest, why) in [
        (
            "use: {setup: npm install, files: [.env], network: [a.example]}",
            "`use.setup`",
        ),
        (
            "use: {setup: npm ci, files: [.env, .env2], network: [a.example]}",
            "`use.files`",
        ),
        (
            "use: {setup: npm ci, files: [.env]}\ndeliver: patch",
            "`deliver`",
        ),
        (
            "use: {setup: npm ci, files: [.env], mcp: [{name: a, run: b}]}",
            "`use.mcp`",
        ),
        (
            "use: {setup: npm ci, files: [.env], model: openai/other}",
            "`use.model`",
        ),
        (
            "use: {setup: npm ci, files: [.env]}\nstop: {usd: 5}",
            "`stop.usd`",
        ),
        (
            "use: {setup: npm ci, files: [.env]}\nstop: {turns: 0}",
            "above zero",
        ),
        (
            "use: {setup: npm ci, files: [.env]}\nitems: {from: file, path: a}",
            "worklist",
        ),
        ("nonsense: 1", "unknown key"),
    ] {
        let said = is(rest).unwrap_err();
        assert!(said.contains(why), "{rest}: {said}");
    }
    assert_eq!(
        is(
            "use: {setup: npm ci, files: [.env]}\nkeep: {paths: [docs/**, api/**]}\nstop: {tokens: 2M, active: 3, windows: 0}\nnotify: {desktop: true}"
        ),
        Ok(vec![
            "keep.paths: [\"docs/**\"] → [\"docs/**\",\"api/**\"]".to_owned(),
            "notify: new, [desktop]".to_owned(),
            "stop.active: new, 3.0".to_owned(),
            "stop.tokens: new, 2000000".to_owned(),
            "stop.windows: new, 0".to_owned(),
            "use.network: [\"a.example\"] → []".to_owned(),
        ])
    );
    let prose =
        file("use: {setup: npm ci, files: [.env], network: [a.example]}\nkeep: {paths: [docs/**]}")
            .replace("Mend", "Repair");
    assert_eq!(edit(&journal, &prose), Ok(vec!["brief".to_owned()]));
}

#[test]
fn what_has_ended_for_good_takes_no_new_contract() {
    let text = file("");
    let mut journal = over(&text);
    for line in ["turn write claim", "fix t1", "verify"] {
        journal.play(line).unwrap();
    }
    assert!(
        edit(&journal, &file("stop: {turns: 9}"))
            .unwrap_err()
            .contains("delivering")
    );
    for line in ["delivered", "written"] {
        journal.play(line).unwrap();
    }
    assert!(
        edit(&journal, &file("stop: {turns: 9}"))
            .unwrap_err()
            .contains("begin a new run")
    );
}
