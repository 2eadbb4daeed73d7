//! Refuses what the providers refuse, in their words, so that a client's mistake shows here and not only there.

use std::collections::BTreeSet;

use hyper::HeaderMap;
use serde_json::Value;

use super::messages::signature;
use super::wire::Dialect;

/// Most marks for the cache that a request may have.
const CACHE_MARKS_MAX: usize = 4;

/// What is wrong with a request, if anything is.
pub(super) fn complaint(dialect: Dialect, headers: &HeaderMap, body: &Value) -> Option<String> {
    match dialect {
        Dialect::Responses => None,
        Dialect::Messages if !headers.contains_key("anthropic-version") => {
            Some("anthropic-version: header is required".to_owned())
        }
        Dialect::Messages => messages(body).err(),
        Dialect::Chat => chat(body).err(),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn messages(body: &Value) -> Result<(), String> {
    if body
        .get("max_tokens")
        .and_then(Value::as_u64)
        .is_none_or(|most| most == 0)
    {
        return Err("max_tokens: Field required".to_owned());
    }
    let messages = list(body, "messages");
    if messages
        .first()
        .is_none_or(|first| text(first, "role") != "user")
    {
        return Err("messages: first message must use the \"user\" role".to_owned());
    }
    let marks = body.to_string().matches("\"cache_control\":{").count();
    if marks > CACHE_MARKS_MAX {
        return Err(format!(
            "A maximum of {CACHE_MARKS_MAX} blocks with cache_control may be provided. Found {marks}."
        ));
    }
    // Calls that wait for their results.
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for (at, message) in messages.iter().enumerate() {
        let role = text(message, "role");
        if !matches!(role, "user" | "assistant" | "system") {
            return Err(format!(
                "messages.{at}.role: Input should be 'user' or 'assistant'"
            ));
        }
        let blocks = list(message, "content");
        if blocks.is_empty() && text(message, "content").trim().is_empty() {
            return Err(format!(
                "messages.{at}: all messages must have non-empty content"
            ));
        }
        let mut words = false;
        let previous = std::mem::take(&mut open);
        let mut answered: BTreeSet<&str> = BTreeSet::new();
        for (number, block) in blocks.iter().enumerate() {
            let here = format!("messages.{at}.content.{number}");
            match text(block, "type") {
                "text" if text(block, "text").trim().is_empty() => {
                    return Err(format!(
                        "{here}: text content blocks must contain non-whitespace text"
                    ));
                }
                "text" => words = true,
                "tool_use" => {
                    if !block.get("input").is_some_and(Value::is_object) {
                        return Err(format!(
                            "{here}.tool_use.input: Input should be a valid dictionary"
                        ));
                    }
                    open.insert(text(block, "id"));
                }
                "tool_result" => {
                    let id = text(block, "tool_use_id");
                    if !previous.contains(id) {
                        return Err(format!(
                            "{here}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                        ));
                    }
                    if words {
                        return Err(format!("{here}: `tool_result` blocks must come first"));
                    }
                    answered.insert(id);
                }
                "thinking" => {
                    let sealed = text(block, "signature");
                    if sealed.starts_with("scripted-")
                        && sealed != signature(text(block, "thinking"))
                    {
                        return Err(format!("{here}: Invalid `signature` in `thinking` block"));
                    }
                }
                _ => {}
            }
        }
        if let Some(id) = previous.difference(&answered).next() {
            return Err(format!(
                "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {id}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
            ));
        }
        if role == "assistant"
            && blocks
                .last()
                .is_some_and(|last| text(last, "type") == "thinking")
        {
            return Err(format!(
                "messages.{at}: The final block in an assistant message cannot be `thinking`."
            ));
        }
    }
    match open.first() {
        Some(id) => Err(format!(
            "messages: `tool_use` ids were found without `tool_result` blocks immediately after: {id}."
        )),
        None => Ok(()),
    }
}

fn chat(body: &Value) -> Result<(), String> {
    let messages = list(body, "messages");
    if messages.is_empty() {
        return Err("Invalid 'messages': empty array.".to_owned());
    }
    let mut open: BTreeSet<&str> = BTreeSet::new();
    for message in messages {
        let role = text(message, "role");
        if role == "tool" {
            if !open.remove(text(message, "tool_call_id")) {
                return Err("Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.".to_owned());
            }
            continue;
        }
        without_open(&open)?;
        open = list(message, "tool_calls")
            .iter()
            .map(|call| text(call, "id"))
            .collect();
    }
    without_open(&open)
}

fn without_open(open: &BTreeSet<&str>) -> Result<(), String> {
    match open.first() {
        Some(id) => Err(format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {id}"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use serde_json::json;

    fn said(dialect: Dialect, body: Value) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(
            "anthropic-version",
            hyper::header::HeaderValue::from_static("2023-06-01"),
        );
        complaint(dialect, &headers, &body).unwrap_or_default()
    }

    #[test]
    fn conversations_that_anthropic_refuses_are_refused() {
        let user = json!({"role": "user", "content": "go"});
        let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]});
        let result = json!({"type": "tool_result", "tool_use_id": "t", "content": "a"});
        let words = json!({"type": "text", "text": "b"});
        let ask = |messages: Value| {
            said(
                Dialect::Messages,
                json!({"max_tokens": 9, "messages": messages}),
            )
        };
        assert_eq!(
            ask(json!([user, call, {"role": "user", "content": [result, words]}])),
            ""
        );
        for (messages, words) in [
            (json!([]), "first message"),
            (json!([call]), "first message"),
            (json!([user, call]), "without `tool_result`"),
            (json!([user, call, user]), "without `tool_result`"),
            (
                json!([user, call, {"role": "user", "content": [words, result]}]),
                "must come first",
            ),
            (
                json!([user, {"role": "user", "content": [result]}]),
                "unexpected `tool_use_id`",
            ),
            (
                json!([user, {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "input": "{"}]}]),
                "valid dictionary",
            ),
            (
                json!([user, {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": "scripted-00"}]}]),
                "Invalid `signature`",
            ),
            (
                json!([user, {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": signature("a")}]}]),
                "cannot be `thinking`",
            ),
            (
                json!([{"role": "user", "content": [{"type": "text", "text": " "}]}]),
                "non-whitespace",
            ),
            (
                json!([{"role": "user", "content": []}]),
                "non-empty content",
            ),
        ] {
            let said = ask(messages.clone());
            assert!(said.contains(words), "{messages}: {said}");
        }
        assert!(said(Dialect::Messages, json!({"messages": [user]})).contains("max_tokens"));
        let marked = json!({"role": "user", "content": vec![json!({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}); 5]});
        assert!(ask(json!([marked])).contains("maximum of 4"));
        assert!(
            complaint(Dialect::Messages, &HeaderMap::new(), &json!({}))
                .is_some_and(|c| c.contains("anthropic-version"))
        );
    }

    #[test]
    fn conversations_that_openai_refuses_are_refused() {
        let user = json!({"role": "user", "content": "go"});
        let call = json!({"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "b"}]});
        let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": ""});
        let ask = |messages: Value| said(Dialect::Chat, json!({"messages": messages}));
        assert_eq!(ask(json!([user, call, result("b"), result("a"), user])), "");
        assert!(ask(json!([user, call, result("a"), user])).contains("messages: b"));
        assert!(ask(json!([user, call])).contains("messages: a"));
        assert!(ask(json!([user, result("a")])).contains("preceeding"));
        assert!(ask(json!([])).contains("empty array"));
    }
}
