//! The tools of a draft: looking, asking, proposing. None of them writes, runs or sends anything.

use overnight_core::judge::{clip, plain};
use overnight_core::turn::Call;
use overnight_ports::model::ToolSpec;
use serde_json::{Value, json};

use super::Task;
use super::files::{self, ListArgs, inside};
use crate::tools::files::{ReadArgs, read_below};
use crate::tools::search::{Args as SearchArgs, below};
use crate::tools::{Outcome, arguments};

/// How much of one result the model is shown, bytes.
const RESULT_BYTES_MAX: usize = 26 * 1024;

/// The tools that the model is told of: without a repository there is nothing to look at, and without a person nobody
/// to ask.
pub(super) fn specs(task: &Task<'_>) -> Vec<ToolSpec> {
    let text = json!({"type": "string"});
    let number = json!({"type": "number"});
    let flag = json!({"type": "boolean"});
    let looks = task.files.is_some();
    let all: [(bool, &str, &str, Value, Value); 5] = [
        (
            looks,
            "list",
            include_str!("../../prompts/draft/list.md"),
            json!({"path": text, "all": flag}),
            json!([]),
        ),
        (
            looks,
            "read",
            include_str!("../../prompts/draft/read.md"),
            json!({"path": text, "from": number, "lines": number}),
            json!(["path"]),
        ),
        (
            looks,
            "search",
            include_str!("../../prompts/draft/search.md"),
            json!({"pattern": text, "path": text, "glob": text}),
            json!(["pattern"]),
        ),
        (
            true,
            "propose_goal",
            include_str!("../../prompts/draft/propose_goal.md"),
            json!({"goal": text}),
            json!(["goal"]),
        ),
        (
            task.may_ask,
            "ask_person",
            include_str!("../../prompts/draft/ask_person.md"),
            json!({"question": text}),
            json!(["question"]),
        ),
    ];
    all.into_iter()
        .filter(|(offered, ..)| *offered)
        .map(|(_, name, description, properties, required)| ToolSpec {
            name: name.to_owned(),
            description: description.trim_end().to_owned(),
            parameters: json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false}),
        })
        .collect()
}

/// Performs a call that looks. Whatever is wrong with it is told to the model.
pub(super) fn look(call: &Call, task: &Task<'_>) -> String {
    let Some(files) = task.files else {
        return "There is no repository to look at.".to_owned();
    };
    let outcome = match call.name.as_str() {
        "list" => arguments::<ListArgs>(call).map(|args| Outcome::done(files::list(&args, files))),
        "read" => arguments::<ReadArgs>(call).map(|args| match inside(&args.path) {
            Some(inner) if files.paths.binary_search(&inner).is_ok() => {
                read_below(&files.dir, &inner, &args)
            }
            _ => Outcome::failed(format!(
                "`{}` is no tracked file that may be read here; `list` shows which there are.",
                clip(&args.path, 200)
            )),
        }),
        "search" => arguments::<SearchArgs>(call).map(|args| {
            match inside(args.path.as_deref().unwrap_or("")) {
                Some(inner) => below(&files.dir, &inner, &args),
                None => Outcome::failed("`path` is outside the repository."),
            }
        }),
        other => Err(Box::new(Outcome::failed(format!(
            "There is no tool `{}` here. The tools are: {}.",
            clip(other, 80),
            specs(task)
                .iter()
                .map(|spec| spec.name.clone())
                .collect::<Vec<_>>()
                .join(", ")
        )))),
    };
    let outcome = outcome.unwrap_or_else(|outcome| *outcome);
    let mut text = clip(
        &plain(&String::from_utf8_lossy(&outcome.output)),
        RESULT_BYTES_MAX,
    );
    if !outcome.footer.is_empty() {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&outcome.footer);
    }
    text
}
