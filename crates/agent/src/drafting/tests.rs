//! Drafts against a model that says what it is told to say.

use std::collections::VecDeque;
use std::sync::Mutex;

use overnight_core::ids::UnixMs;
use serde_json::json;

use super::*;

/// Answers in turn, and keeps what it was asked.
struct Scripted {
    answers: Mutex<VecDeque<Result<Answer, ModelError>>>,
    requests: Mutex<Vec<Request>>,
}

#[async_trait]
impl Model for Scripted {
    fn name(&self) -> &str {
        "test/scripted"
    }

    async fn answer(&self, request: &Request) -> Result<Answer, ModelError> {
        self.requests
            .lock()
            .expect("not poisoned")
            .push(request.clone());
        let next = self.answers.lock().expect("not poisoned").pop_front();
        next.unwrap_or_else(|| Err(failure(ModelErrorKind::ScriptEnded)))
    }
}

/// A clock that is at once where somebody waits for.
#[derive(Default)]
struct Jumping(Mutex<UnixMs>);

#[async_trait]
impl Clock for Jumping {
    fn now(&self) -> UnixMs {
        *self.0.lock().expect("not poisoned")
    }

    async fn sleep_until(&self, until: UnixMs) {
        *self.0.lock().expect("not poisoned") = until;
    }
}

/// Takes the proposal that says `good`.
#[derive(Default)]
struct Harness {
    judged: Vec<String>,
    asked: Vec<String>,
}

#[async_trait(?Send)]
impl Desk for Harness {
    async fn judge(&mut self, front: &str) -> Reply {
        self.judged.push(front.to_owned());
        if front.contains("good") {
            Reply::Taken
        } else {
            Reply::SentBack("Not good.".into())
        }
    }

    async fn ask(&mut self, question: &str, _number: u32) -> Option<String> {
        self.asked.push(question.to_owned());
        Some("Blue.".into())
    }

    fn tell(&mut self, _line: &str) {}
}

struct Played {
    ended: Ended,
    used: Used,
    harness: Harness,
    requests: Vec<Request>,
    waited_ms: u64,
}

impl Played {
    /// What the model was shown of its last calls in a request, counted from 0.
    fn shown(&self, request: usize) -> String {
        let texts = self.requests[request].entries.iter().rev();
        texts
            .take_while(|entry| !matches!(entry, Entry::Answer { .. }))
            .map(|entry| match entry {
                Entry::User { text } | Entry::Result { text, .. } => text.as_str(),
                Entry::Answer { .. } => "",
            })
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn play(answers: Vec<Result<Answer, ModelError>>, files: Option<&Files>, may_ask: bool) -> Played {
    let model = Scripted {
        answers: Mutex::new(answers.into()),
        requests: Mutex::default(),
    };
    let clock = Jumping::default();
    let mut harness = Harness::default();
    let task = Task {
        words: "Make it good.",
        found: &["tests: npm test".to_owned()],
        files,
        may_ask,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let (ended, used) = runtime.block_on(draft(&task, &model, &clock, &mut harness, "key"));
    Played {
        ended,
        used,
        harness,
        requests: model.requests.into_inner().expect("not poisoned"),
        waited_ms: clock.now(),
    }
}

fn call(name: &str, arguments: serde_json::Value) -> Result<Answer, ModelError> {
    calls(&[(name, arguments.to_string())])
}

fn calls(all: &[(&str, String)]) -> Result<Answer, ModelError> {
    let calls = all
        .iter()
        .enumerate()
        .map(|(index, (name, arguments))| Call {
            id: format!("c{index}"),
            name: (*name).to_owned(),
            arguments: arguments.clone(),
        });
    Ok(Answer {
        calls: calls.collect(),
        usage: Usage {
            input: 100,
            cached: 0,
            output: 10,
        },
        ..Answer::default()
    })
}

fn says(text: &str) -> Result<Answer, ModelError> {
    Ok(Answer {
        text: text.to_owned(),
        ..Answer::default()
    })
}

fn failure(kind: ModelErrorKind) -> ModelError {
    ModelError {
        kind,
        message: "it failed".into(),
        retry_after_ms: None,
        usage: Usage::default(),
    }
}

fn proposal(word: &str) -> Result<Answer, ModelError> {
    call(
        "propose_goal",
        json!({"goal": format!("---\noutcome: {word}\n---\nMy own words.")}),
    )
}

#[test]
fn a_proposal_goes_back_until_the_harness_takes_one() {
    let played = play(
        vec![
            proposal("bad"),
            proposal("good"),
            proposal("never asked for"),
        ],
        None,
        false,
    );
    assert_eq!(played.ended, Ended::Taken);
    assert_eq!(played.harness.judged, ["outcome: bad", "outcome: good"]);
    assert_eq!((played.used.turns, played.used.usage.total()), (2, 220));
    assert!(played.shown(1).contains("Not good."));
    let first = played.shown(0);
    assert!(
        first.contains("Make it good.")
            && first.contains("tests: npm test")
            && first.contains("Nobody can be asked"),
        "{first}"
    );
}

#[test]
fn what_a_model_merely_says_is_judged_too_and_silence_ends() {
    let played = play(
        vec![
            says("I think about it."),
            says("Here:\n```yaml\n---\noutcome: good\n---\n```"),
        ],
        None,
        false,
    );
    assert_eq!(played.ended, Ended::Taken);
    let played = play((0..9).map(|_| says("Hm.")).collect(), None, false);
    assert!(matches!(played.ended, Ended::GaveUp(_)));
    assert_eq!(played.used.turns, u64::from(SILENT_MAX));
}

#[test]
fn every_limit_holds() {
    let played = play((0..50).map(|_| proposal("bad")).collect(), None, false);
    assert!(matches!(played.ended, Ended::GaveUp(_)));
    assert_eq!(played.harness.judged.len(), PROPOSALS_MAX as usize);
    assert!(played.shown(7).contains("the last one"));

    let played = play(
        (0..60).map(|_| call("list", json!({}))).collect(),
        None,
        false,
    );
    assert!(matches!(played.ended, Ended::GaveUp(why) if why.contains("turns")));
    assert_eq!(played.used.turns, TURNS_MAX);

    let mut dear = proposal("bad");
    if let Ok(answer) = &mut dear {
        answer.usage.input = TOKENS_MAX;
    }
    let played = play(vec![dear, proposal("good")], None, false);
    assert!(matches!(played.ended, Ended::GaveUp(why) if why.contains("tokens")));

    let huge = "x".repeat(PROPOSAL_BYTES_MAX);
    let played = play(vec![proposal(&huge), proposal("good")], None, false);
    assert_eq!(played.harness.judged, ["outcome: good"]);
    assert!(played.shown(1).contains("short one"));

    let many: Vec<(&str, String)> = (0..100).map(|_| ("list", "{}".to_owned())).collect();
    let played = play(vec![calls(&many), proposal("good")], None, false);
    let results = played.requests[1]
        .entries
        .iter()
        .filter(|e| matches!(e, Entry::Result { .. }));
    assert_eq!(results.count(), 100, "every call has a result");
    assert!(played.shown(1).contains("Not performed"));
}

#[test]
fn questions_are_few_and_only_where_somebody_is() {
    let ask = |text: &str| call("ask_person", json!({"question": text}));
    let asked = || {
        (1..=5)
            .map(|n| ask(&format!("Which {n}?\u{1b}[2J")))
            .chain([proposal("good")])
    };
    let played = play(asked().collect(), None, true);
    assert_eq!(played.harness.asked, ["Which 1?", "Which 2?", "Which 3?"]);
    assert!(played.shown(1).contains("The person answers: Blue."));
    assert!(played.shown(4).contains("no more may be"));
    let played = play(asked().collect(), None, false);
    assert!(played.harness.asked.is_empty());
    assert!(played.shown(1).contains("nobody to ask"));
    let offered = |played: &Played| {
        played.requests[0]
            .tools
            .iter()
            .any(|t| t.name == "ask_person")
    };
    assert!(!offered(&played));
}

#[test]
fn a_provider_on_a_bad_day_is_waited_for_within_bounds() {
    let fails = |kind, times: usize| (0..times).map(move |_| Err(failure(kind)));
    let played = play(
        fails(ModelErrorKind::Unavailable, 3)
            .chain([proposal("good")])
            .collect(),
        None,
        false,
    );
    assert_eq!(played.ended, Ended::Taken);
    assert_eq!((played.used.failures, played.waited_ms), (3, 7_000));

    let played = play(fails(ModelErrorKind::Cut, 50).collect(), None, false);
    assert!(matches!(played.ended, Ended::Provider(_)));
    assert_eq!(played.used.failures, ATTEMPTS_MAX);

    let mut patient = failure(ModelErrorKind::RateLimited);
    patient.retry_after_ms = Some(3_600_000);
    let played = play(vec![Err(patient)], None, false);
    assert!(matches!(played.ended, Ended::Provider(why) if why.contains("3600 s")));
    assert_eq!(played.waited_ms, 0);

    let played = play(fails(ModelErrorKind::Refused, 2).collect(), None, false);
    assert!(matches!(played.ended, Ended::Provider(_)));
    assert_eq!(played.used.failures, 1, "a refusal is not tried again");
}

fn repository() -> (tempfile::TempDir, Files) {
    let temp = tempfile::tempdir().expect("a folder");
    let dir = temp.path().join("base");
    std::fs::create_dir_all(dir.join("src")).expect("made");
    std::fs::write(dir.join("src/a.txt"), "one\ntwo\n").expect("written");
    std::fs::write(
        dir.join("long.txt"),
        "a line of some length\n".repeat(4_000),
    )
    .expect("written");
    std::fs::write(temp.path().join("outside"), "private").expect("written");
    std::os::unix::fs::symlink(temp.path().join("outside"), dir.join("src/link")).expect("linked");
    let files = Files {
        dir,
        paths: ["long.txt", "src/a.txt", "src/link"]
            .map(str::to_owned)
            .into(),
        withheld: 1,
    };
    (temp, files)
}

#[test]
fn only_tracked_files_are_looked_at_and_no_link_leads_out() {
    let (_temp, files) = repository();
    let read = |path: &str| call("read", json!({"path": path}));
    let played = play(
        vec![
            calls(&[
                ("list", "{}".into()),
                ("list", json!({"path": "/src"}).to_string()),
                ("read", json!({"path": "/src/a.txt", "from": 2}).to_string()),
                ("search", json!({"pattern": "tw.|private"}).to_string()),
            ]),
            read("src/link"),
            read("../outside"),
            call("list", json!({"path": "../.."})),
            call("search", json!({"pattern": "x", "path": "/../.."})),
            call("shell", json!({"command": "id"})),
            call("read", json!({"path": 7})),
            proposal("good"),
        ],
        Some(&files),
        false,
    );
    assert_eq!(played.ended, Ended::Taken);
    let first = played.shown(1);
    for part in [
        "src/ (2)",
        "long.txt",
        "a.txt\nlink",
        "two\n[lines 2–2 of 2]",
        "src/a.txt:2: two",
    ] {
        assert!(first.contains(part), "{part} in {first}");
    }
    for request in 1..=7 {
        assert!(
            !played.shown(request).contains("private"),
            "{}",
            played.shown(request)
        );
    }
    for request in [3, 4, 5, 6] {
        let shown = played.shown(request);
        assert!(
            shown.contains("no tracked file")
                || shown.contains("outside")
                || shown.contains("no tool `shell`"),
            "{shown}"
        );
    }
    assert!(played.shown(7).contains("cannot be read"));
    assert!(played.shown(0).contains("1 tracked files are withheld"));
}

#[test]
fn what_was_read_first_makes_room() {
    let (_temp, files) = repository();
    let read = || call("read", json!({"path": "long.txt", "lines": 4000}));
    let mut script: Vec<_> = (0..12).map(|_| read()).collect();
    script.push(Err(failure(ModelErrorKind::ContextOverflow)));
    script.push(proposal("good"));
    let played = play(script, Some(&files), false);
    assert_eq!(played.ended, Ended::Taken);
    let size = |request: &Request| -> usize {
        let results = request.entries.iter().filter_map(|entry| match entry {
            Entry::Result { text, .. } => Some(text.len()),
            Entry::User { .. } | Entry::Answer { .. } => None,
        });
        results.sum()
    };
    assert!(
        played
            .requests
            .iter()
            .all(|r| size(r) <= RESULTS_BYTES_MAX + 4_096)
    );
    assert!(size(&played.requests[13]) < size(&played.requests[12]) / 3);
    let calls = |request: &Request| {
        request
            .entries
            .iter()
            .filter(|e| matches!(e, Entry::Result { .. }))
            .count()
    };
    assert_eq!(calls(&played.requests[13]), 12, "every call keeps a result");
    // Nothing is left to be left out.
    let overflow = || Err(failure(ModelErrorKind::ContextOverflow));
    let played = play((0..20).map(|_| overflow()).collect(), None, false);
    assert!(matches!(played.ended, Ended::Provider(why) if why.contains("too long")));
    assert!(played.used.failures < 6);
}
