//! Tools of the goal's MCP servers.

use serde_json::{Map, Value};

use crate::context::Context;
use crate::servers::{Called, OfferedTool};
use crate::tools::Outcome;

/// Calls one. Its answer is shown like a command's output: the beginning and the end, the whole at its place.
pub(crate) async fn run(
    tool: &OfferedTool,
    arguments: Map<String, Value>,
    cx: &Context<'_>,
) -> Outcome {
    match cx.ready.servers.call(tool, arguments, cx.ready).await {
        Called::Answered(answer) if answer.text.is_empty() => Outcome {
            ok: answer.ok,
            ..Outcome::done("[the answer is empty]")
        },
        Called::Answered(answer) => Outcome {
            ok: answer.ok,
            footer: if answer.ok {
                String::new()
            } else {
                "[the tool says that it failed]".to_owned()
            },
            output: answer.text.into_bytes(),
            ..Outcome::default()
        },
        Called::Failed(why) => Outcome::failed(why),
    }
}
