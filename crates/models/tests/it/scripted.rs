//! Scripts: what is played when, and what is refused with which words.

use std::path::Path;

use overnight_models::scripted::{Script, ScriptedModel, USAGE_DEFAULT};
use overnight_models::{Env, open};
use overnight_ports::model::{Entry, Model, ModelErrorKind, Request};

use crate::{ask, request, script};

fn model(yaml: &str) -> ScriptedModel {
    ScriptedModel::new("scripted/test.yaml", script(yaml))
}

fn refusal(yaml: &str) -> String {
    match Script::parse(yaml, Path::new("s.yaml")) {
        Ok(script) => panic!("accepted: {script:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn an_answer_has_its_words_its_calls_in_order_and_its_usage() {
    let model = model(
        "turns:\n  - say: I look.\n    calls:\n      - shell: {command: ls, timeout_s: 5}\n      - read: a.txt\n    claim_done: {summary: s}\n    usage: {input: 9, cached: 3}\n",
    );
    let answer = ask(&model, 1).await.expect("it answers");
    assert!(model.scripted());
    assert_eq!(answer.text, "I look.");
    let calls: Vec<_> = answer
        .calls
        .iter()
        .map(|c| (c.name.as_str(), c.arguments.as_str()))
        .collect();
    assert_eq!(
        calls,
        [
            ("shell", r#"{"command":"ls","timeout_s":5}"#),
            ("read", r#"{"path":"a.txt"}"#),
            ("claim_done", r#"{"summary":"s"}"#)
        ]
    );
    assert_eq!(
        (answer.usage.input, answer.usage.cached, answer.usage.output),
        (9, 3, USAGE_DEFAULT.output)
    );
    assert_eq!(answer.items.len(), 4);
    assert_eq!(answer.items[1]["call_id"], answer.calls[0].id);
}

#[tokio::test]
async fn the_same_turn_has_the_same_answer_in_every_process() {
    let yaml = "turns:\n  - say: one\n  - say: two\n  - say: three\n";
    let (first, second) = (model(yaml), model(yaml));
    let before = ask(&first, 2).await.expect("it answers");
    assert_eq!(before.text, "two");
    assert_eq!(ask(&first, 2).await.expect("it answers"), before);
    assert_eq!(ask(&second, 2).await.expect("it answers"), before);
}

#[tokio::test]
async fn failures_come_before_their_answer_and_as_often_as_said() {
    let model = model(
        "turns:\n  - say: one\n  - fail: {kind: rate_limited, times: 2, retry_after_s: 1.5}\n  - fail: cut\n  - say: two\n",
    );
    assert_eq!(ask(&model, 1).await.expect("no failure there").text, "one");
    for kind in [
        ModelErrorKind::RateLimited,
        ModelErrorKind::RateLimited,
        ModelErrorKind::Cut,
    ] {
        let error = ask(&model, 2).await.expect_err("a failure first");
        assert_eq!(error.kind, kind);
        assert_eq!(
            error.retry_after_ms,
            (kind == ModelErrorKind::RateLimited).then_some(1_500)
        );
    }
    assert_eq!(ask(&model, 2).await.expect("then the answer").text, "two");
}

#[tokio::test]
async fn after_the_last_turn_comes_what_then_says() {
    let turns = "turns:\n  - say: one\n  - fail: cut\n  - say: two\n";
    let end = model(turns);
    let error = ask(&end, 3).await.expect_err("there is no third turn");
    assert_eq!(error.kind, ModelErrorKind::ScriptEnded);
    assert!(
        error.message.contains("turn 3") && error.message.contains("2 written"),
        "{}",
        error.message
    );

    let repeat = model(&format!("{turns}then: repeat_last\n"));
    assert_eq!(
        ask(&repeat, 9)
            .await
            .expect("no failure when repeated")
            .text,
        "two"
    );

    let again = model(&format!("{turns}then: loop\n"));
    assert_eq!(ask(&again, 3).await.expect("it begins again").text, "one");
    assert_eq!(
        ask(&again, 4).await.expect_err("its failures too").kind,
        ModelErrorKind::Cut
    );
    assert_eq!(ask(&again, 4).await.expect("then the answer").text, "two");
    assert_eq!(ask(&again, u64::MAX).await.expect("for ever").text, "one");
}

#[tokio::test]
async fn failures_for_ever_need_no_answer() {
    let model = model("turns:\n  - fail: {kind: refused, times: forever, message: go away}\n");
    for _ in 0..5 {
        let error = ask(&model, 1).await.expect_err("for ever");
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ModelErrorKind::Refused, "go away")
        );
    }
}

#[tokio::test]
async fn a_branch_is_chosen_by_what_the_harness_said_last() {
    let model = model(
        "turns:\n  - say: one\n  - match:\n      - {when: '^rejected', say: again}\n      - {when: ok, say: fine}\n  - match:\n      - {when: never, say: no}\n",
    );
    let with = |result: &str| {
        vec![
            Entry::User {
                text: "rejected long ago, ok".into(),
            },
            Entry::Answer { items: vec![] },
            Entry::Result {
                call: "c".into(),
                text: format!("first line\n{result}"),
            },
        ]
    };
    let say = async |turn, result| {
        model
            .answer(&request(turn, with(result)))
            .await
            .map(|answer| answer.text)
    };
    assert_eq!(
        say(2, "rejected: 2 tests fail").await.as_deref(),
        Ok("again")
    );
    assert_eq!(say(2, "all ok").await.as_deref(), Ok("fine"));
    let error = say(3, "all ok").await.expect_err("nothing matches");
    assert_eq!(error.kind, ModelErrorKind::ScriptEnded);
    assert!(error.message.contains("`when`"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_taken() {
    let model = model("turns:\n  - fail: cut\n    delay_s: 2\n  - {say: late, delay_s: 3.5}\n");
    let start = tokio::time::Instant::now();
    ask(&model, 1).await.expect_err("a failure first");
    assert_eq!(start.elapsed().as_millis() / 100, 20);
    ask(&model, 1).await.expect("then the answer");
    assert_eq!(start.elapsed().as_millis() / 100, 55);
}

#[tokio::test]
async fn raw_arguments_stay_as_they_are() {
    let model = model(
        "turns:\n  - calls:\n      - raw: {tool: shell, arguments: '{\"command\": '}\n      - raw: {tool: who_knows, arguments: {a: [1, 2.5, null, \"x\"]}}\n",
    );
    let calls = ask(&model, 1).await.expect("it answers").calls;
    assert_eq!(
        (calls[0].name.as_str(), calls[0].arguments.as_str()),
        ("shell", "{\"command\": ")
    );
    assert_eq!(
        (calls[1].name.as_str(), calls[1].arguments.as_str()),
        ("who_knows", r#"{"a":[1,2.5,null,"x"]}"#)
    );
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    for (yaml, place, words) in [
        (
            "turns:\n  - say: a\n    shel: {command: ls}\n",
            "s.yaml:3:5:",
            "`shel`",
        ),
        (
            "turns:\n  - calls:\n      - shel: {}\n",
            "s.yaml:3:9:",
            "raw",
        ),
        (
            "turns:\n  - calls:\n      - {shell: ls, read: a}\n",
            "s.yaml:3:9:",
            "one key",
        ),
        ("turn:\n  - say: a\n", "s.yaml:1:1:", "`turn`"),
        ("items: {}\n", "s.yaml:1:8:", "at least one entry"),
        ("items: [a]\n", "s.yaml:1:8:", "`items` is a map"),
        (
            "items:\n  a: [{say: x}]\n  a: [{say: y}]\n",
            "s.yaml:3:3:",
            "",
        ),
        ("items:\n  a: {say: x}\n", "s.yaml:2:6:", "is a list"),
        (
            "then: loop\nitems:\n  a: []\n",
            "s.yaml:3:6:",
            "needs at least one turn",
        ),
        ("turns: {}\n", "s.yaml:1:8:", "list"),
        ("- say: a\n", "s.yaml:1:1:", "map"),
        ("then: end\n", "s.yaml:1:1:", "turns"),
        ("turns:\n  - say: 5\n", "s.yaml:2:10:", "quotes"),
        ("turns:\n  - {}\n", "s.yaml:2:5:", "empty answer"),
        (
            "turns:\n  - fail: {kind: tired}\n",
            "s.yaml:2:18:",
            "rate_limited",
        ),
        (
            "turns:\n  - fail: {kind: cut, how: quota}\n",
            "s.yaml:2:28:",
            "stall",
        ),
        ("turns:\n  - fail: {times: 2}\n", "s.yaml:2:11:", "kind"),
        (
            "turns:\n  - fail: {kind: cut, times: 0}\n",
            "s.yaml:2:30:",
            "forever",
        ),
        (
            "turns:\n  - fail: cut\n    say: a\n",
            "s.yaml:3:5:",
            "next entry",
        ),
        (
            "turns:\n  - say: a\n  - fail: cut\nthen: loop\n",
            "s.yaml:3:5:",
            "before",
        ),
        (
            "turns:\n  - fail: cut\nthen: repeat_last\n",
            "s.yaml:2:3:",
            "answers",
        ),
        (
            "turns:\n  - say: a\nthen: stop\n",
            "s.yaml:3:7:",
            "repeat_last",
        ),
        (
            "turns:\n  - say: a\n    usage: {input: -1}\n",
            "s.yaml:3:20:",
            "whole number",
        ),
        (
            "turns:\n  - say: a\n    usage: {input: 1, cached: 2}\n",
            "s.yaml:3:12:",
            "part of",
        ),
        (
            "turns:\n  - say: a\n    delay_s: soon\n",
            "s.yaml:3:14:",
            "seconds",
        ),
        (
            "turns:\n  - match: [{when: '(', say: a}]\n",
            "s.yaml:2:20:",
            "regular expression",
        ),
        ("turns:\n  - {when: a, say: b}\n", "s.yaml:2:6:", "match"),
        (
            "turns:\n  - edit: some text\n",
            "s.yaml:2:11:",
            "map of arguments",
        ),
        (
            "turns:\n  - say: a\n    say: b\n",
            "s.yaml:3:5:",
            "duplicate",
        ),
        ("turns: [\n", "s.yaml:", "YAML"),
        ("", "s.yaml:1:1:", "map"),
    ] {
        let message = refusal(yaml);
        assert!(
            message.starts_with(place) && message.contains(words),
            "{yaml:?}\n   gave {message}\n  not {place} … {words}"
        );
        assert!(!message.contains('\n'), "one line: {message:?}");
    }
}

#[test]
fn hostile_files_are_refused_and_break_nothing() {
    let deep = format!("turns: {}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(refusal(&deep).contains("YAML"));
    let laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\nturns: [*f,*f,*f,*f]\n";
    refusal(laughs);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let bad = dir.path().join("bad.yaml");
    std::fs::write(&bad, b"turns:\n  - say: \xff\n").expect("a file");
    let message = open_error(&bad);
    assert!(
        message.contains(":2:10:") && message.contains("UTF-8"),
        "{message}"
    );
    assert!(open_error(&dir.path().join("absent.yaml")).contains("absent.yaml"));
    open_error(dir.path());
    assert!(open_error(Path::new("/dev/zero")).contains("larger than"));
}

fn open_error(path: &Path) -> String {
    match open(&format!("scripted/{}", path.display()), &Env::default()) {
        Ok(model) => panic!("{} was opened", model.name()),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_file_is_opened_by_its_name() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("plan.yaml");
    std::fs::write(&path, "turns: [{say: hello}]\n").expect("a file");
    let spec = format!("scripted/{}", path.display());
    let model = open(&spec, &Env::default()).expect("it opens");
    assert_eq!(model.name(), spec);
    assert_eq!(ask(&*model, 1).await.expect("it answers").text, "hello");
}

#[tokio::test]
async fn every_item_has_turns_of_its_own() {
    let script = script(
        "turns: [{say: the run}]\nitems:\n  'A-*':\n    - fail: unavailable\n    - notes: 'of {{item}}'\n    - say: two\n  A-1: [{say: one}]\n  'B-?': [{say: b}]\n",
    );
    let model = ScriptedModel::new("scripted/s", script);
    let ask = |item: Option<&str>, turn: u64| {
        let request = Request {
            item: item.map(str::to_owned),
            ..request(turn, vec![])
        };
        let model = &model;
        async move { model.answer(&request).await }
    };
    assert_eq!(ask(None, 1).await.expect("answers").text, "the run");
    assert_eq!(ask(Some("A-1"), 1).await.expect("answers").text, "one");
    assert_eq!(ask(Some("B-7"), 1).await.expect("answers").text, "b");
    // Each item has the failures that are written down, and its id where the script asks for it.
    for id in ["A-2", "A-\"3\\"] {
        let failed = ask(Some(id), 1).await.expect_err("fails once");
        assert_eq!(failed.kind, ModelErrorKind::Unavailable);
        let answer = ask(Some(id), 1).await.expect("answers");
        let arguments: serde_json::Value =
            serde_json::from_str(&answer.calls[0].arguments).expect("JSON");
        assert_eq!(arguments["text"], format!("of {id}"));
        assert_eq!(ask(Some(id), 2).await.expect("answers").text, "two");
    }
    for (id, why) in [
        ("B-77", "no turns for this item"),
        ("A-1", "no further turn"),
    ] {
        let ended = ask(Some(id), 2).await.expect_err("ended");
        assert_eq!(ended.kind, ModelErrorKind::ScriptEnded);
        assert!(
            ended.message.contains(why) && ended.message.contains(id),
            "{ended}"
        );
    }
}

#[test]
fn every_example_of_the_manual_is_a_script() {
    let manual = include_str!("../../../../docs/scripted.md");
    let examples: Vec<&str> = manual
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    assert!(examples.len() >= 5, "{} examples", examples.len());
    for example in examples {
        script(example);
    }
    for (tool, main) in overnight_models::scripted::TOOLS {
        assert!(
            manual.contains(&format!("`{tool}`")),
            "{tool} is not in the manual"
        );
        if let Some(main) = main {
            assert!(
                manual.contains(&format!("`{tool}` (`{main}`)")),
                "{tool} ({main}) is not in the manual"
            );
        }
    }
}
