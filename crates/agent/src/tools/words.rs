//! Tools that only say something: `claim_done`, `ask_for_help`, `notes`, `plan`, and `wait`.

use std::sync::PoisonError;

use overnight_core::judge::clip;
use overnight_core::turn::{Help, PlanStep, Said};
use overnight_ports::sandbox::Exit;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::tools::Outcome;

/// Length of one word to the harness (a summary, a note, a question), bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;
/// Steps of a plan.
const STEPS_MAX: usize = 40;

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
pub(crate) struct NotesArgs {
    text: String,
    #[serde(default)]
    replace: bool,
}

pub(crate) fn notes(args: NotesArgs) -> Outcome {
    let text = clip(args.text.trim(), TEXT_BYTES_MAX);
    if text.is_empty() && !args.replace {
        return Outcome::failed("`text` is empty; nothing was noted.");
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
        let exit = background.wait().await;
        let mut outcome = Outcome {
            ok: true,
            output: background.output(0),
            exit: exit.code(),
            ..Outcome::default()
        };
        outcome.footer = match exit {
            Exit::Code(code) => format!("[`{name}` ended with exit code {code}]"),
            other => format!("[`{name}` ended: {other:?}]"),
        };
        return outcome;
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
