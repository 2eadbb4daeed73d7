//! The tools: their names, arguments and descriptions are public; people script against them.

pub(crate) mod files;
mod outside;
pub(crate) mod search;
mod shell;
mod words;

use overnight_core::ids::Scope;
use overnight_core::judge::clip;
use overnight_core::state::State;
use overnight_core::turn::{Call, CallResult, Denial, Said};
use overnight_ports::model::ToolSpec;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::context::Context;
use crate::servers::OfferedTool;
use crate::shown::shown;

/// How much of a call's arguments a person's line shows, bytes.
const LINE_BYTES_MAX: usize = 120;

/// Tools that only say something: no goal takes them away.
pub(crate) const ALWAYS: [&str; 5] = ["claim_done", "ask_for_help", "close_item", "notes", "plan"];

/// Whether a tool is there in an item of a worklist, or else in the run itself: an item ends by being closed, and nobody
/// asks a person while others go on.
fn is_for(tool: &str, in_item: bool) -> bool {
    match tool {
        "close_item" => in_item,
        "claim_done" | "ask_for_help" => !in_item,
        _ => true,
    }
}

/// What a tool did, before the harness looks at the workspace.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub ok: bool,
    /// Everything it has to say; shortened for the model, kept whole.
    pub output: Vec<u8>,
    /// A line under the output that is never shortened away.
    pub footer: String,
    pub exit: Option<i32>,
    pub denials: Vec<Denial>,
    pub said: Option<Said>,
    /// Whether the output is already cut to what was asked for.
    pub paged: bool,
}

impl Outcome {
    pub fn done(text: impl Into<String>) -> Self {
        Outcome {
            ok: true,
            output: text.into().into_bytes(),
            ..Outcome::default()
        }
    }

    pub fn failed(text: impl Into<String>) -> Self {
        Outcome {
            output: text.into().into_bytes(),
            ..Outcome::default()
        }
    }

    pub fn said(text: impl Into<String>, said: Said) -> Self {
        Outcome {
            said: Some(said),
            ..Outcome::done(text)
        }
    }

    pub fn denied(denial: Denial) -> Self {
        let text = format!(
            "Denied by `{}`: `{}`. This will not change; find another way or ask for help.",
            denial.rule, denial.what
        );
        Outcome {
            denials: vec![denial],
            ..Outcome::failed(text)
        }
    }

    /// The event's form of it. `place` is where a long output can be read.
    pub fn into_result(
        self,
        place: &str,
        keep: impl FnOnce(&[u8]) -> Option<overnight_core::ids::BlobId>,
    ) -> CallResult {
        let (mut text, cut) = if self.paged {
            (String::from_utf8_lossy(&self.output).into_owned(), false)
        } else {
            shown(&self.output, place)
        };
        // What is shown whole now leaves the model's view one day, and can be read again then. What is paged was asked
        // for by its place, and what only says something is in the notes, the plan or the harness's own words.
        let lasting = cut || !(self.paged || self.said.is_some() || self.output.is_empty());
        let output = if lasting { keep(&self.output) } else { None };
        if !self.footer.is_empty() {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&self.footer);
        }
        CallResult {
            ok: self.ok,
            shown: text,
            output,
            exit: self.exit,
            denials: self.denials,
            said: self.said,
            ..CallResult::default()
        }
    }
}

/// The tools that the model is told of.
pub(crate) fn specs(state: &State, offered: &[OfferedTool]) -> Vec<ToolSpec> {
    let text = json!({"type": "string"});
    let number = json!({"type": "number"});
    let flag = json!({"type": "boolean"});
    let all = [
        (
            "shell",
            include_str!("../../prompts/shell.md"),
            json!({"command": text, "timeout_s": number, "background": flag, "stop": text}),
            json!([]),
        ),
        (
            "read",
            include_str!("../../prompts/read.md"),
            json!({"path": text, "from": number, "lines": number}),
            json!(["path"]),
        ),
        (
            "write",
            include_str!("../../prompts/write.md"),
            json!({"path": text, "content": text}),
            json!(["path", "content"]),
        ),
        (
            "edit",
            include_str!("../../prompts/edit.md"),
            json!({"path": text, "old": text, "new": text, "all": flag}),
            json!(["path", "old", "new"]),
        ),
        (
            "search",
            include_str!("../../prompts/search.md"),
            json!({"pattern": text, "path": text, "glob": text}),
            json!(["pattern"]),
        ),
        (
            "notes",
            include_str!("../../prompts/notes.md"),
            json!({"text": text, "replace": flag}),
            json!(["text"]),
        ),
        (
            "plan",
            include_str!("../../prompts/plan.md"),
            json!({"steps": {"type": "array", "items": {"type": "object", "properties": {"step": text, "status": {"type": "string", "enum": ["open", "doing", "done"]}}, "required": ["step"]}}}),
            json!(["steps"]),
        ),
        (
            "close_item",
            include_str!("../../prompts/close_item.md"),
            json!({"id": text, "outcome": {"type": "string", "enum": outcomes(state)}, "evidence": text}),
            json!(["id", "outcome", "evidence"]),
        ),
        (
            "claim_done",
            include_str!("../../prompts/claim_done.md"),
            json!({"summary": text}),
            json!(["summary"]),
        ),
        (
            "ask_for_help",
            include_str!("../../prompts/ask_for_help.md"),
            json!({"question": text, "tried": text, "unlock": text}),
            json!(["question", "tried", "unlock"]),
        ),
        (
            "wait",
            include_str!("../../prompts/wait.md"),
            json!({"until": text, "seconds": number, "command": text, "timeout_s": number}),
            json!([]),
        ),
    ];
    all.into_iter()
        .filter(|(name, ..)| is_for(name, state.item.is_some()))
        .filter(|(name, ..)| match &state.goal.uses.tools {
            Some(tools) => tools.iter().any(|t| t == name) || ALWAYS.contains(name),
            None => true,
        })
        .map(|(name, description, properties, required)| ToolSpec {
            name: name.to_owned(),
            description: description.trim_end().to_owned(),
            parameters: json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false}),
        })
        .chain(offered.iter().map(|tool| tool.spec.clone()))
        .collect()
}

/// The outcomes that the goal allows, whatever is left of them for one item: tools stay the same for all items of a run.
fn outcomes(state: &State) -> Vec<&'static str> {
    let work = state
        .item
        .iter()
        .flat_map(|work| work.outcomes.iter().copied());
    let mut words: Vec<_> = work.collect();
    words.sort();
    words.iter().map(|outcome| outcome.word()).collect()
}

/// One line for people: the tool and what it is about.
pub(crate) fn line(call: &Call) -> String {
    let value: Value = serde_json::from_str(&call.arguments).unwrap_or(Value::Null);
    let about = [
        "command", "path", "pattern", "question", "summary", "id", "stop", "until", "seconds",
    ]
    .iter()
    .find_map(|key| value.get(key))
    .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
    .unwrap_or_default();
    // A server's tool may call its arguments anything.
    let about = if about.is_empty() && call.name.contains("__") {
        call.arguments.clone()
    } else {
        about
    };
    let about = overnight_core::judge::plain(&about).replace('\n', " ⏎ ");
    clip(format!("{} {about}", call.name).trim_end(), LINE_BYTES_MAX)
}

/// Performs a call. Whatever is wrong with it is told to the model.
pub(crate) async fn perform(call: &Call, cx: &Context<'_>) -> Outcome {
    if let Err(denial) = cx.ready.policy.tool(&call.name) {
        return Outcome::denied(denial);
    }
    if !is_for(&call.name, cx.state.item.is_some()) {
        return Outcome::failed(match cx.state.item {
            Some(_) => "You work on one item of a worklist, and that ends with `close_item` only.",
            None => {
                "There is no item to close here: what is open is the contract itself. `claim_done` says that it is met."
            }
        });
    }
    match call.name.as_str() {
        "shell" => match arguments(call) {
            Ok(args) => shell::run(args, cx).await,
            Err(outcome) => *outcome,
        },
        "wait" => match arguments(call) {
            Ok(args) => words::wait(args, cx).await,
            Err(outcome) => *outcome,
        },
        "read" => arguments(call).map_or_else(|o| *o, |args| files::read(args, cx)),
        "write" => arguments(call).map_or_else(|o| *o, |args| files::write(args, cx)),
        "edit" => arguments(call).map_or_else(|o| *o, |args| files::edit(args, cx)),
        "search" => arguments(call).map_or_else(|o| *o, |args| search::run(args, cx)),
        "notes" => {
            let lane = cx.state.lanes.get(&Scope::Run);
            let kept = lane.map_or(&[][..], |lane| lane.notes.as_slice());
            arguments(call).map_or_else(|o| *o, |args| words::notes(args, kept))
        }
        "plan" => arguments(call).map_or_else(|o| *o, words::plan),
        "claim_done" => arguments(call).map_or_else(|o| *o, words::claim),
        "ask_for_help" => arguments(call).map_or_else(|o| *o, words::help),
        "close_item" => {
            arguments(call).map_or_else(|o| *o, |args| words::close(args, cx.state.item.as_deref()))
        }
        other => match cx.offered.iter().find(|tool| tool.spec.name == other) {
            Some(tool) => match arguments(call) {
                Ok(args) => outside::run(tool, args, cx).await,
                Err(outcome) => *outcome,
            },
            None => Outcome::failed(format!(
                "There is no tool `{}`. The tools are: {}.",
                clip(other, 80),
                specs(cx.state, cx.offered)
                    .iter()
                    .map(|s| s.name.clone())
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        },
    }
}

pub(crate) fn arguments<T: DeserializeOwned>(call: &Call) -> Result<T, Box<Outcome>> {
    // Some models send nothing at all for a call without arguments.
    let text = if call.arguments.trim().is_empty() {
        "{}"
    } else {
        &call.arguments
    };
    serde_json::from_str(text).map_err(|e| {
        Box::new(Outcome::failed(format!(
            "The arguments of `{}` cannot be read: {e}. Nothing was done; send the call again.",
            call.name
        )))
    })
}
