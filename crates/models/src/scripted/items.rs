//! A scripted answer as provider items, in the form of OpenAI's Responses: the journal of a rehearsal then looks like
//! the journal of a real run, and a mock server sends the very same items over a wire.

use overnight_ports::model::{Answer, Call};
use serde_json::{Value, json};

use super::script::Reply;

impl Reply {
    /// The items of this reply as the answer of turn `turn`. Every id carries the turn: `fc_t3_1`, `call_t3_1`.
    pub fn items(&self, turn: u64) -> Vec<Value> {
        let mut items = Vec::with_capacity(self.calls.len() + 2);
        if let Some(think) = &self.think {
            // Opaque to the client as the real thing is; hexadecimal, so that a test can tell what it should be.
            let sealed: String = think.bytes().map(|byte| format!("{byte:02x}")).collect();
            items.push(json!({
                "id": format!("rs_t{turn}_0"),
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": think}],
                "encrypted_content": format!("scripted-{sealed}"),
            }));
        }
        if let Some(say) = &self.say {
            items.push(json!({
                "id": format!("msg_t{turn}_{}", items.len()),
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": say, "annotations": []}],
            }));
        }
        for call in &self.calls {
            let at = items.len();
            items.push(json!({
                "id": format!("fc_t{turn}_{at}"),
                "type": "function_call",
                "status": "completed",
                "call_id": format!("call_t{turn}_{at}"),
                "name": call.tool,
                "arguments": call.arguments,
            }));
        }
        items
    }

    /// The whole answer of turn `turn`.
    pub fn answer(&self, turn: u64) -> Answer {
        let items = self.items(turn);
        let ids = items
            .iter()
            .filter_map(|item| item.get("call_id").and_then(Value::as_str));
        let calls = ids
            .zip(&self.calls)
            .map(|(id, call)| Call {
                id: id.to_owned(),
                name: call.tool.clone(),
                arguments: call.arguments.clone(),
            })
            .collect();
        Answer {
            calls,
            text: self.say.clone().unwrap_or_default(),
            usage: self.usage,
            oddities: Vec::new(),
            items,
        }
    }
}

/// The turn that an id made by [`Reply::items`] belongs to.
pub fn turn_of(id: &str) -> Option<u64> {
    let (_, rest) = id.split_once("_t")?;
    let (turn, _) = rest.split_once('_')?;
    turn.parse().ok()
}
