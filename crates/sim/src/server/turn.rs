//! Which turn a request asks for, from the request alone.
//!
//! Overnight's own client says it in its request id. Of any other client the earlier answers tell: every id that the
//! server gives carries its turn, so that neither a restart nor a trimmed conversation confuses it.

use hyper::HeaderMap;
use overnight_models::scripted::turn_of;
use serde_json::Value;

use super::wire::Dialect;

/// The turn, counted from 1.
pub(super) fn asked(dialect: Dialect, headers: &HeaderMap, body: &Value) -> u64 {
    told(headers)
        .unwrap_or_else(|| {
            let answered = match dialect {
                Dialect::Responses => answered(body),
                Dialect::Messages | Dialect::Chat => answered_in_messages(body),
            };
            answered.saturating_add(1)
        })
        .max(1)
}

/// The turn that overnight's own client says it asks for.
pub(super) fn told(headers: &HeaderMap) -> Option<u64> {
    let id = headers
        .get("x-client-request-id")
        .and_then(|id| id.to_str().ok());
    id.and_then(said)
}

/// `overnight-KEY-t3-…`.
fn said(id: &str) -> Option<u64> {
    id.strip_prefix("overnight-")?
        .split('-')
        .nth(1)?
        .strip_prefix('t')?
        .parse()
        .ok()
}

/// The last turn whose answer is in the request; 0 if there is none.
fn answered(body: &Value) -> u64 {
    let (mut last, mut highest, mut in_answer) = (0_u64, 0_u64, false);
    for item in items(body) {
        if !is_answer(item) {
            in_answer = false;
            continue;
        }
        let id = |name: &str| item.get(name).and_then(Value::as_str).and_then(turn_of);
        match id("call_id").or_else(|| id("id")) {
            Some(turn) => last = turn,
            // A client may drop the id of a mere text; it was one more answer, if it begins one.
            None if !in_answer => last = last.saturating_add(1),
            None => {}
        }
        in_answer = true;
        highest = highest.max(last);
    }
    highest
}

/// The same of a list of messages by role, where calls stand in the message.
fn answered_in_messages(body: &Value) -> u64 {
    let (mut last, mut highest, mut in_answer) = (0_u64, 0_u64, false);
    for message in list(body, "messages") {
        if message.get("role").and_then(Value::as_str) != Some("assistant") {
            in_answer = false;
            continue;
        }
        let calls = list(message, "tool_calls").iter();
        let ids = calls.chain(list(message, "content"));
        let turn = ids
            .filter_map(|call| call.get("id").and_then(Value::as_str))
            .find_map(turn_of);
        match turn {
            Some(turn) => last = turn,
            None if !in_answer => last = last.saturating_add(1),
            None => {}
        }
        in_answer = true;
        highest = highest.max(last);
    }
    highest
}

/// How many messages at the beginning of a conversation are looked at for an item.
const OPENING_MESSAGES_MAX: usize = 4;

/// The item of a worklist that the conversation is about: overnight's own client says it at the beginning, in the first
/// line of the block that holds what the item's source says.
pub(super) fn item(dialect: Dialect, body: &Value) -> Option<String> {
    let name = match dialect {
        Dialect::Responses => "input",
        Dialect::Messages | Dialect::Chat => "messages",
    };
    let beginning = list(body, name).iter().take(OPENING_MESSAGES_MAX);
    beginning.flat_map(texts).find_map(named)
}

/// The id in `BEGIN ITEM MARK`, a line `id: "…"`, and the same mark again at the end.
fn named(text: &str) -> Option<String> {
    let mut lines = text.lines();
    let mark = lines.find_map(|line| line.strip_prefix("BEGIN ITEM "))?;
    let id = lines.next()?.strip_prefix("id: ")?;
    let end = format!("END ITEM {mark}");
    lines.any(|line| line == end).then_some(())?;
    serde_json::from_str(id).ok()
}

/// What the harness said since the model's last answer.
pub(super) fn last_said(dialect: Dialect, body: &Value) -> String {
    if dialect != Dialect::Responses {
        let messages = list(body, "messages");
        let of_model =
            |message: &Value| message.get("role").and_then(Value::as_str) == Some("assistant");
        let start = messages.iter().rposition(of_model).map_or(0, |at| at + 1);
        let said: Vec<&str> = messages
            .iter()
            .skip(start)
            .filter(|message| message.get("role").and_then(Value::as_str) != Some("system"))
            .flat_map(texts)
            .collect();
        return said.join("\n");
    }
    if let Some(text) = body.get("input").and_then(Value::as_str) {
        return text.to_owned();
    }
    let items = items(body);
    let start = items.iter().rposition(is_answer).map_or(0, |at| at + 1);
    let said: Vec<&str> = items.iter().skip(start).flat_map(texts).collect();
    said.join("\n")
}

fn items(body: &Value) -> &[Value] {
    list(body, "input")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn is_answer(item: &Value) -> bool {
    let field = |name: &str| item.get(name).and_then(Value::as_str);
    match field("type") {
        Some("function_call_output" | "custom_tool_call_output" | "local_shell_call_output") => {
            false
        }
        Some("message") | None => field("role") == Some("assistant"),
        Some(_) => true,
    }
}

fn texts(item: &Value) -> Vec<&str> {
    let mut texts = Vec::new();
    for field in ["output", "content"] {
        match item.get(field) {
            Some(Value::String(text)) => texts.push(text.as_str()),
            Some(Value::Array(parts)) => {
                for part in parts {
                    texts.extend(part.get("text").and_then(Value::as_str));
                    // A result holds its own content.
                    if part.get("type").and_then(Value::as_str) == Some("tool_result") {
                        texts.extend(self::texts(part));
                    }
                }
            }
            _ => {}
        }
    }
    texts
}

#[cfg(test)]
mod test {
    use super::*;
    use serde_json::json;

    fn call(turn: u64, at: u64) -> Value {
        json!({"type": "function_call", "call_id": format!("call_t{turn}_{at}"), "name": "shell", "arguments": "{}"})
    }

    fn output(turn: u64, at: u64) -> Value {
        json!({"type": "function_call_output", "call_id": format!("call_t{turn}_{at}"), "output": "fine"})
    }

    fn turn(input: Value) -> u64 {
        asked(
            Dialect::Responses,
            &HeaderMap::new(),
            &json!({ "input": input }),
        )
    }

    #[test]
    fn the_turn_is_one_more_than_the_last_answer() {
        let user = json!({"role": "user", "content": "go"});
        let words = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]});
        assert_eq!(turn(json!("hello")), 1);
        assert_eq!(turn(json!([user])), 1);
        assert_eq!(turn(json!([user, call(1, 0), output(1, 0)])), 2);
        // Parallel calls, each followed by its output, are one answer.
        assert_eq!(
            turn(json!([
                user,
                call(1, 0),
                output(1, 0),
                call(1, 1),
                output(1, 1)
            ])),
            2
        );
        // The conversation was trimmed.
        assert_eq!(turn(json!([user, call(7, 0), output(7, 0)])), 8);
        // Texts without ids, alone and beside a call.
        assert_eq!(turn(json!([user, words, user])), 2);
        assert_eq!(
            turn(json!([user, words, call(1, 1), output(1, 1), words, user])),
            3
        );
    }

    #[test]
    fn the_clients_own_word_comes_first() {
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-client-request-id",
            hyper::header::HeaderValue::from_static("overnight-abc-t12-4711-0"),
        );
        assert_eq!(
            asked(
                Dialect::Responses,
                &headers,
                &json!({"input": [call(3, 0)]})
            ),
            12
        );
        headers.insert(
            "x-client-request-id",
            hyper::header::HeaderValue::from_static("something-else-t9"),
        );
        assert_eq!(
            asked(
                Dialect::Responses,
                &headers,
                &json!({"input": [call(3, 0)]})
            ),
            4
        );
    }

    #[test]
    fn the_item_is_found_in_every_dialect_and_only_where_the_harness_names_it() {
        let text = "Your workspace is `/w`.\nBEGIN ITEM 0f\nid: \"A \\\"1\\\"\"\ntitle: x\n\nid: \"B\"\nEND ITEM 0f\n";
        let contract =
            json!({"role": "user", "content": "The contract\nid: \"C\"\nBEGIN ITEM x\nid: \"C\""});
        let message = json!({"role": "user", "content": [{"type": "input_text", "text": text}]});
        let input = json!({"input": [contract, message, call(1, 0)]});
        let found = Some("A \"1\"".to_owned());
        assert_eq!(item(Dialect::Responses, &input), found);
        let message = json!({"role": "user", "content": [{"type": "text", "text": text}]});
        assert_eq!(
            item(Dialect::Messages, &json!({"messages": [contract, message]})),
            found
        );
        let system = json!({"role": "system", "content": "s"});
        let plain = json!({"role": "user", "content": text});
        assert_eq!(
            item(
                Dialect::Chat,
                &json!({"messages": [system, contract, plain]})
            ),
            found
        );
        assert_eq!(
            item(Dialect::Responses, &json!({"input": [contract]})),
            None
        );
        assert_eq!(item(Dialect::Responses, &json!({"input": "go"})), None);
    }

    #[test]
    fn what_was_said_last_is_found() {
        let body = json!({"input": [{"role": "user", "content": "old"}, call(1, 0), output(1, 0),
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "rejected"}]}]});
        assert_eq!(last_said(Dialect::Responses, &body), "fine\nrejected");
    }

    #[test]
    fn messages_by_role_tell_the_turn_and_what_was_said() {
        let messages = json!({"messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "a"}, {"type": "tool_use", "id": "toolu_t7_1", "name": "n", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_t7_1", "content": [{"type": "text", "text": "fine"}]}, {"type": "text", "text": "view"}]}]});
        assert_eq!(asked(Dialect::Messages, &HeaderMap::new(), &messages), 8);
        assert_eq!(last_said(Dialect::Messages, &messages), "fine\nview");
        let chat = json!({"messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "words"},
            {"role": "user", "content": "more"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_t2_0", "function": {"name": "n", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "call_t2_0", "content": "fine"},
            {"role": "user", "content": "view"}]});
        assert_eq!(asked(Dialect::Chat, &HeaderMap::new(), &chat), 3);
        assert_eq!(last_said(Dialect::Chat, &chat), "fine\nview");
        let first = json!({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "go"}]});
        assert_eq!(asked(Dialect::Chat, &HeaderMap::new(), &first), 1);
        assert_eq!(last_said(Dialect::Chat, &first), "go");
    }
}
