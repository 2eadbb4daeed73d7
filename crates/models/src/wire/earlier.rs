//! What an earlier answer said, whichever format it came in.
//!
//! Answers are journaled and carried back in the provider's own form. A run whose model was changed holds answers of
//! another form; those are told in words and calls, without the reasoning, which only its own provider can read.

use overnight_ports::model::Call;
use serde_json::Value;

use super::{add_words, readable_arguments};

/// The form of an answer's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// OpenAI Responses, and scripts: items of type `message`, `function_call`, `reasoning` …
    Responses,
    /// Anthropic Messages: blocks of type `text`, `tool_use`, `thinking` …
    Messages,
    /// Chat completions: one assistant message.
    Chat,
}

/// The form of these items; `own` if nothing tells.
pub(crate) fn form(items: &[Value], own: Form) -> Form {
    let told = |item: &Value| match item.get("type").and_then(Value::as_str) {
        None if item.get("role").is_some() => Some(Form::Chat),
        Some("message" | "function_call" | "reasoning") => Some(Form::Responses),
        Some("text" | "tool_use" | "thinking" | "redacted_thinking") => Some(Form::Messages),
        _ => None,
    };
    items.iter().find_map(told).unwrap_or(own)
}

/// Words and calls of an answer.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Spoken {
    pub text: String,
    pub calls: Vec<Call>,
}

/// Reads the items of any form. What is no word and no call is left out.
pub(crate) fn spoken(items: &[Value]) -> Spoken {
    let mut spoken = Spoken::default();
    for item in items {
        let field = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        match (field("type"), field("role")) {
            ("text", _) => add_words(&mut spoken.text, field("text")),
            ("message", _) | ("", "assistant") => {
                match item.get("content") {
                    Some(Value::String(text)) => add_words(&mut spoken.text, text),
                    Some(Value::Array(parts)) => {
                        for part in parts {
                            let words = part.get("text").and_then(Value::as_str);
                            add_words(&mut spoken.text, words.unwrap_or_default());
                        }
                    }
                    _ => {}
                }
                let calls = item.get("tool_calls").and_then(Value::as_array);
                for call in calls.into_iter().flatten() {
                    let at = |pointer| call.pointer(pointer);
                    add(
                        &mut spoken.calls,
                        at("/id"),
                        at("/function/name"),
                        at("/function/arguments"),
                    );
                }
            }
            ("tool_use", _) => add(
                &mut spoken.calls,
                item.get("id"),
                item.get("name"),
                item.get("input"),
            ),
            ("function_call", _) => add(
                &mut spoken.calls,
                item.get("call_id"),
                item.get("name"),
                item.get("arguments"),
            ),
            _ => {}
        }
    }
    spoken
}

fn add(calls: &mut Vec<Call>, id: Option<&Value>, name: Option<&Value>, arguments: Option<&Value>) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let (Some(id), Some(name)) = (text(id), text(name)) else {
        return;
    };
    let arguments = match arguments {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    calls.push(Call {
        id,
        name,
        arguments,
    });
}

/// The arguments of a call as text that every server can read back.
pub(crate) fn arguments_text(call: &Call) -> String {
    readable_arguments(&call.arguments).to_string()
}

#[cfg(test)]
mod test {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_tells_the_same_words_and_calls() {
        let responses = vec![
            json!({"type": "reasoning", "id": "rs", "encrypted_content": "x"}),
            json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}),
            json!({"type": "function_call", "call_id": "c1", "name": "shell", "arguments": "{\"command\":\"ls\"}"}),
        ];
        let messages = vec![
            json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
            json!({"type": "text", "text": "I look."}),
            json!({"type": "tool_use", "id": "c1", "name": "shell", "input": {"command": "ls"}}),
        ];
        let chat = vec![
            json!({"role": "assistant", "content": "I look.", "reasoning_content": "hm", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "shell", "arguments": "{\"command\":\"ls\"}"}}]}),
        ];
        let expected = Spoken {
            text: "I look.".into(),
            calls: vec![Call {
                id: "c1".into(),
                name: "shell".into(),
                arguments: r#"{"command":"ls"}"#.into(),
            }],
        };
        for (items, expected_form) in [
            (responses, Form::Responses),
            (messages, Form::Messages),
            (chat, Form::Chat),
        ] {
            assert_eq!(spoken(&items), expected, "{expected_form:?}");
            assert_eq!(form(&items, Form::Responses), expected_form);
            assert_eq!(form(&items, Form::Messages), expected_form);
        }
        assert_eq!(form(&[json!({"type": "new"})], Form::Chat), Form::Chat);
    }
}
