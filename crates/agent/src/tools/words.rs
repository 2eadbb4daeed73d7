//! Tools that only say something: `claim_done`, `close_item`, `ask_for_help`, `notes`, `plan`, and `wait`.

use std::sync::PoisonError;
use std::time::Duration;

use overnight_core::item::{Closing, Outcome as Ending};
use overnight_core::judge::{clip, plain};
use overnight_core::state::Note;
use overnight_core::turn::{Help, PlanStep, Said};
use overnight_core::worklist::ItemWork;
use overnight_ports::sandbox::{Background, Exit};
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::tools::Outcome;

/// Length of one word to the harness (a summary, a note, a question), bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;
/// Steps of a plan.
const STEPS_MAX: usize = 40;
/// How long `wait` waits for a command if the model names no limit, seconds.
const WAIT_DEFAULT_S: f64 = 3600.0;
/// The longest limit that the model may name, seconds.
const WAIT_MAX_S: f64 = 4.0 * 3600.0;

#[derive(Deserialize)]
pub(crate) struct ClaimArgs {
    summary: String,
}

pub(crate) fn claim(args: ClaimArgs) -> Outcome {
    let summary = clip(args.summary.trim(), TEXT_BYTES_MAX);
    if summary.is_empty() {
        return Outcome::failed(
            "`summary` is empty; it becomes the commit message. Nothing was claimed.",
        );
    }
    Outcome::said(
        "Your claim is noted; the harness runs the checks now.",
        Said::Claim { summary },
    )
}

#[derive(Deserialize)]
pub(crate) struct HelpArgs {
    question: String,
    tried: String,
    unlock: String,
}

pub(crate) fn help(args: HelpArgs) -> Outcome {
    let help = Help {
        question: clip(args.question.trim(), TEXT_BYTES_MAX),
        tried: clip(args.tried.trim(), TEXT_BYTES_MAX),
        unlock: clip(args.unlock.trim(), TEXT_BYTES_MAX),
    };
    if help.question.is_empty() || help.tried.is_empty() || help.unlock.is_empty() {
        return Outcome::failed(
            "`question`, `tried` and `unlock` must all say something. Nothing was asked.",
        );
    }
    Outcome::said("The run stops and asks the person.", Said::Help(help))
}

#[derive(Deserialize)]
pub(crate) struct CloseArgs {
    /// Models send the id of an item that is a number as a number.
    id: Value,
    outcome: String,
    evidence: String,
}

/// `work` is the item that the conversation is about.
pub(crate) fn close(args: CloseArgs, work: Option<&ItemWork>) -> Outcome {
    let Some(work) = work else {
        return Outcome::failed("There is no item to close here.");
    };
    let id = match &args.id {
        Value::String(id) => id.trim().to_owned(),
        other => other.to_string(),
    };
    let own = work.head.id.as_str();
    if id != own && id != plain(own) {
        return Outcome::failed(format!(
            "You work on the item `{}` and can close only that one, not `{}`. Nothing was closed.",
            plain(own),
            clip(&plain(&id), 80)
        ));
    }
    let allowed = || {
        let words: Vec<String> = work
            .outcomes
            .iter()
            .map(|outcome| format!("`{}`", outcome.word()))
            .collect();
        words.join(", ")
    };
    let outcome = ending(args.outcome.trim()).filter(|outcome| work.outcomes.contains(outcome));
    let Some(outcome) = outcome else {
        return Outcome::failed(format!(
            "The contract lets an item end as {}, not as `{}`. Nothing was closed.",
            allowed(),
            clip(&plain(args.outcome.trim()), 80)
        ));
    };
    if let (true, Some(why)) = (outcome.changes(), &work.only_words) {
        return Outcome::failed(format!(
            "This item can no longer end in a change: {why}. End it with an outcome that needs none. Nothing was closed."
        ));
    }
    let evidence = clip(plain(&args.evidence).trim(), TEXT_BYTES_MAX);
    if evidence.is_empty() {
        return Outcome::failed(format!(
            "`evidence` is empty, and `{}` needs it: {}. Nothing was closed.",
            outcome.word(),
            crate::item::evidence_of(outcome)
        ));
    }
    Outcome::said(
        "The closing is noted; the harness looks at its evidence now.",
        Said::Close(Closing { outcome, evidence }),
    )
}

/// The outcome of that name, also as models misspell it: `skipped_by_rule`, `Fixed`.
fn ending(word: &str) -> Option<Ending> {
    Ending::of(&word.to_ascii_lowercase().replace(['_', ' '], "-"))
}

#[derive(Deserialize)]
pub(crate) struct NotesArgs {
    text: String,
    #[serde(default)]
    replace: bool,
}

/// `kept` are the notes so far.
pub(crate) fn notes(args: NotesArgs, kept: &[Note]) -> Outcome {
    let text = clip(args.text.trim(), TEXT_BYTES_MAX);
    if text.is_empty() && !args.replace {
        return Outcome::failed("`text` is empty; nothing was noted.");
    }
    // Weak models note the same again and again, and would push out what they noted before.
    let same = |note: &Note| note.text == text;
    let is_kept = if args.replace {
        kept.len() == 1 && kept.iter().all(same)
    } else {
        kept.iter().any(same)
    };
    if is_kept {
        return Outcome::done(
            "That is among your notes already. Notes change no file: go on with the work itself.",
        );
    }
    Outcome::said(
        "Noted.",
        Said::Notes {
            text,
            replace: args.replace,
        },
    )
}

#[derive(Deserialize)]
pub(crate) struct PlanArgs {
    steps: Vec<Value>,
}

pub(crate) fn plan(args: PlanArgs) -> Outcome {
    let step = |value: &Value| -> Option<PlanStep> {
        let mut step = match value {
            // Models often send plain strings.
            Value::String(text) => PlanStep {
                step: text.clone(),
                status: Default::default(),
            },
            other => serde_json::from_value(other.clone()).ok()?,
        };
        step.step = clip(step.step.trim(), 400);
        Some(step)
    };
    let steps: Option<Vec<PlanStep>> = args.steps.iter().take(STEPS_MAX).map(step).collect();
    match steps {
        Some(steps) => Outcome::said("The plan is set.", Said::Plan { steps }),
        None => Outcome::failed(
            "A step is a text, or `{step, status}` with status open, doing or done.",
        ),
    }
}

#[derive(Deserialize)]
pub(crate) struct WaitArgs {
    until: Option<String>,
    seconds: Option<f64>,
    command: Option<String>,
    timeout_s: Option<f64>,
}

/// How long `wait` waits for a command.
fn limit(timeout_s: Option<f64>) -> Duration {
    let seconds = timeout_s
        .filter(|s| s.is_finite() && *s > 0.0)
        .unwrap_or(WAIT_DEFAULT_S)
        .min(WAIT_MAX_S);
    Duration::from_secs_f64(seconds)
}

/// What a background command printed and how it ended, or that it has not within the limit.
pub(super) async fn ended(name: &str, background: &dyn Background, limit: Duration) -> Outcome {
    let exit = tokio::time::timeout(limit, background.wait()).await.ok();
    Outcome {
        ok: true,
        output: background.output(0),
        exit: exit.and_then(Exit::code),
        footer: match exit {
            Some(Exit::Code(code)) => format!("[`{name}` ended with exit code {code}]"),
            Some(other) => format!("[`{name}` ended: {other:?}]"),
            None => format!("[`{name}` still runs after {} s]", limit.as_secs_f64()),
        },
        ..Outcome::default()
    }
}

pub(crate) async fn wait(args: WaitArgs, cx: &Context<'_>) -> Outcome {
    if let Some(name) = &args.command {
        let found = cx
            .ready
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        let Some(background) = found else {
            return Outcome::failed(format!("There is no background command `{name}`."));
        };
        return ended(name, background.as_ref(), limit(args.timeout_s)).await;
    }
    let until = match (&args.until, args.seconds) {
        (Some(time), _) => match time.parse::<jiff::Timestamp>() {
            Ok(time) => time.as_millisecond().max(0) as u64,
            Err(e) => return Outcome::failed(format!("`until` is no RFC 3339 time: {e}.")),
        },
        (None, Some(seconds)) if seconds.is_finite() && seconds >= 0.0 => {
            cx.now.saturating_add((seconds * 1000.0) as u64)
        }
        _ => return Outcome::failed("`wait` needs `seconds`, `until` or `command`."),
    };
    Outcome::said("The harness waits.", Said::WaitUntil { until })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Command(Option<Exit>);

    #[async_trait::async_trait]
    impl Background for Command {
        fn exit(&self) -> Option<Exit> {
            self.0
        }
        fn output(&self, _: usize) -> Vec<u8> {
            b"so far\n".to_vec()
        }
        async fn wait(&self) -> Exit {
            match self.0 {
                Some(exit) => exit,
                None => std::future::pending().await,
            }
        }
        async fn kill(&self) {}
    }

    #[test]
    fn the_same_note_is_kept_once() {
        let args = |text: &str, replace| NotesArgs {
            text: text.to_owned(),
            replace,
        };
        let kept = [Note {
            turn: 1,
            text: "Seen.".to_owned(),
        }];
        let again = notes(args(" Seen. ", false), &kept);
        assert!(again.said.is_none() && again.ok);
        assert!(notes(args("Seen.", true), &kept).said.is_none());
        let more = [kept[0].clone(), kept[0].clone()];
        assert!(notes(args("Seen.", true), &more).said.is_some());
        assert!(notes(args("Seen", false), &kept).said.is_some());
    }

    fn work(only_words: Option<&str>) -> ItemWork {
        let mut work = ItemWork {
            outcomes: vec![Ending::Fixed, Ending::Diagnosed],
            only_words: only_words.map(str::to_owned),
            ..ItemWork::default()
        };
        work.head.id = "17".into();
        work
    }

    fn closed(
        id: Value,
        outcome: &str,
        evidence: &str,
        work: &ItemWork,
    ) -> Result<Closing, String> {
        let args = CloseArgs {
            id,
            outcome: outcome.into(),
            evidence: evidence.into(),
        };
        let outcome = close(args, Some(work));
        match outcome.said {
            Some(Said::Close(closing)) if outcome.ok => Ok(closing),
            None if !outcome.ok => Err(String::from_utf8(outcome.output).expect("text")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_item_is_closed_with_its_own_id_an_allowed_outcome_and_evidence() {
        let fine = closed("17".into(), "Fixed", " Fix it\u{1b}[31m ", &work(None)).expect("closed");
        assert_eq!(
            fine,
            Closing {
                outcome: Ending::Fixed,
                evidence: "Fix it".into()
            }
        );
        assert!(
            closed(
                17.into(),
                "diagnosed",
                "Why: a.rs:1",
                &work(Some("too large"))
            )
            .is_ok()
        );
        let long = closed("17".into(), "fixed", &"x".repeat(100_000), &work(None)).expect("closed");
        assert!(long.evidence.len() <= TEXT_BYTES_MAX);
        for (id, outcome, evidence, told) in [
            ("18", "fixed", "x", "can close only that one, not `18`"),
            (
                "17",
                "skipped_by_rule",
                "x",
                "`fixed`, `diagnosed`, not as `skipped_by_rule`",
            ),
            ("17", "unresolved", "x", "`fixed`, `diagnosed`, not as"),
            ("17", "nonsense", "x", "`fixed`, `diagnosed`, not as"),
            (
                "17",
                "diagnosed",
                " \n",
                "`evidence` is empty, and `diagnosed` needs it: ",
            ),
        ] {
            let why = closed(id.into(), outcome, evidence, &work(None)).expect_err("refused");
            assert!(
                why.contains(told) && why.ends_with("Nothing was closed."),
                "{why}"
            );
        }
        let why =
            closed("17".into(), "fixed", "x", &work(Some("it is too large"))).expect_err("refused");
        assert!(
            why.contains("no longer end in a change: it is too large"),
            "{why}"
        );
        let args = CloseArgs {
            id: 1.into(),
            outcome: "fixed".into(),
            evidence: "x".into(),
        };
        assert!(!close(args, None).ok);
    }

    #[test]
    fn a_wait_has_a_limit() {
        let seconds = |given| limit(given).as_secs_f64();
        assert_eq!(seconds(None), WAIT_DEFAULT_S);
        assert_eq!(seconds(Some(5.0)), 5.0);
        assert_eq!(seconds(Some(1e9)), 4.0 * 3600.0);
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(seconds(Some(odd)), WAIT_DEFAULT_S);
        }
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_told_of_and_goes_on() {
        let outcome = ended("bg1", &Command(None), Duration::from_millis(10)).await;
        assert!(outcome.ok && outcome.exit.is_none());
        assert_eq!(outcome.footer, "[`bg1` still runs after 0.01 s]");
        assert_eq!(outcome.output, b"so far\n");
        let outcome = ended("bg1", &Command(Some(Exit::Code(3))), Duration::from_secs(9)).await;
        assert_eq!(outcome.exit, Some(3));
        assert_eq!(outcome.footer, "[`bg1` ended with exit code 3]");
    }
}
