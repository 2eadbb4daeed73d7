//! The request body: system prompt, alternating messages, tools. Nothing that some server is known to refuse, unless
//! it was asked for.

use overnight_ports::model::{Entry, Request, ToolSpec};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use crate::wire::earlier::{self, Form as ItemForm};
use crate::wire::{is_object, readable_arguments};

/// In which form a server takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether usage is asked for. Some servers refuse the question.
    pub usage: bool,
    /// Whether the model's reasoning is carried back. Most servers ignore or refuse it, some demand it.
    pub reasoning: bool,
    /// Whether what the harness says after a call's result is put into the result. Some templates have no place for a
    /// user's message there.
    pub said_in_result: bool,
}

/// The body of one request.
pub(super) fn body(
    request: &Request,
    model: &str,
    form: Form,
) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Body {
        request,
        model,
        form,
    })
}

struct Body<'a> {
    request: &'a Request,
    model: &'a str,
    form: Form,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Body {
            request,
            model,
            form,
        } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", model)?;
        map.serialize_entry("stream", &true)?;
        if form.usage {
            map.serialize_entry("stream_options", &json!({"include_usage": true}))?;
        }
        if !request.tools.is_empty() {
            let tools: Vec<Tool> = request.tools.iter().map(Tool).collect();
            map.serialize_entry("tools", &tools)?;
        }
        map.serialize_entry("messages", &messages(request, *form))?;
        map.end()
    }
}

struct Tool<'a>(&'a ToolSpec);

impl Serialize for Tool<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Function<'a> {
            name: &'a str,
            description: &'a str,
            parameters: &'a Value,
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", "function")?;
        map.serialize_entry(
            "function",
            &Function {
                name: &self.0.name,
                description: &self.0.description,
                parameters: &self.0.parameters,
            },
        )?;
        map.end()
    }
}

/// One message.
#[derive(Debug, serde::Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
enum Message<'a> {
    System {
        content: &'a str,
    },
    User {
        content: String,
    },
    Tool {
        tool_call_id: &'a str,
        content: String,
    },
    #[serde(untagged)]
    Assistant(Map<String, Value>),
}

fn messages<'a>(request: &'a Request, form: Form) -> Vec<Message<'a>> {
    let mut messages: Vec<Message> = Vec::with_capacity(request.entries.len() + 1);
    if !request.instructions.trim().is_empty() {
        messages.push(Message::System {
            content: &request.instructions,
        });
    }
    for entry in &request.entries {
        match entry {
            Entry::User { text } => match messages.last_mut() {
                // Many templates want the roles to alternate.
                Some(Message::User { content }) => join(content, text),
                Some(Message::Tool { content, .. }) if form.said_in_result => join(content, text),
                _ => messages.push(Message::User {
                    content: text.clone(),
                }),
            },
            Entry::Result { call, text } => messages.push(Message::Tool {
                tool_call_id: call,
                content: text.clone(),
            }),
            Entry::Answer { items } => {
                messages.extend(assistant(items, form).map(Message::Assistant));
            }
        }
    }
    messages
}

fn join(content: &mut String, text: &str) {
    content.push_str("\n\n");
    content.push_str(text);
}

/// An earlier answer as a message; `None` if it said nothing that can be carried back.
fn assistant(items: &[Value], form: Form) -> Option<Map<String, Value>> {
    if earlier::form(items, ItemForm::Chat) != ItemForm::Chat {
        return told(items);
    }
    let Some(Value::Object(fields)) = items.first() else {
        return None;
    };
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    let content = fields.get("content").cloned().unwrap_or(Value::Null);
    let has_content = content.as_str().is_some_and(|text| !text.is_empty());
    message.insert("content".to_owned(), content);
    // OpenRouter's own form is opaque and taken back wherever it comes from.
    if let Some(details) = fields.get("reasoning_details") {
        message.insert("reasoning_details".to_owned(), details.clone());
    }
    let calls = fields.get("tool_calls").and_then(Value::as_array);
    let calls: Vec<Value> = calls.into_iter().flatten().map(carried_call).collect();
    if !has_content && calls.is_empty() {
        return None;
    }
    if form.reasoning {
        let given = ["reasoning_content", "reasoning"]
            .into_iter()
            .find_map(|name| Some((name, fields.get(name)?.clone())));
        match given {
            Some((name, reasoning)) => {
                message.insert(name.to_owned(), reasoning);
            }
            // Whoever demands it demands it of every message with calls.
            None if !calls.is_empty() => {
                message.insert("reasoning_content".to_owned(), json!(""));
            }
            None => {}
        }
    }
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    Some(message)
}

/// A call with arguments that can be read: servers parse them again, and refuse the conversation if they cannot.
fn carried_call(call: &Value) -> Value {
    let mut call = call.clone();
    let arguments = call
        .pointer("/function/arguments")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !is_object(arguments) {
        call["function"]["arguments"] = json!(readable_arguments(arguments).to_string());
    }
    call
}

/// An answer of another provider in this one's words.
fn told(items: &[Value]) -> Option<Map<String, Value>> {
    let spoken = earlier::spoken(items);
    let calls: Vec<Value> = spoken
        .calls
        .iter()
        .map(|call| {
            json!({"id": call.id, "type": "function",
                "function": {"name": call.name, "arguments": earlier::arguments_text(call)}})
        })
        .collect();
    let content = match spoken.text.is_empty() {
        true if calls.is_empty() => return None,
        true => Value::Null,
        false => json!(spoken.text),
    };
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    message.insert("content".to_owned(), content);
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    Some(message)
}

#[cfg(test)]
mod test {
    use super::*;

    const FORM: Form = Form {
        usage: true,
        reasoning: false,
        said_in_result: false,
    };

    fn sent(entries: Vec<Entry>, form: Form) -> Value {
        let request = Request {
            model: "not this".into(),
            instructions: "i".into(),
            tools: vec![ToolSpec {
                name: "shell".into(),
                description: "d".into(),
                parameters: json!({"type": "object"}),
            }],
            entries,
            cache_key: "run1".into(),
            turn: 2,
            item: None,
        };
        let body = body(&request, "m", form).expect("it serialises");
        serde_json::from_slice(&body).expect("it is JSON")
    }

    fn user(text: &str) -> Entry {
        Entry::User { text: text.into() }
    }

    fn result(call: &str, text: &str) -> Entry {
        Entry::Result {
            call: call.into(),
            text: text.into(),
        }
    }

    fn answer(arguments: &str) -> Entry {
        Entry::Answer {
            items: vec![json!({
                "role": "assistant",
                "content": "I look.",
                "reasoning_content": "Hmm.",
                "annotations": [],
                "tool_calls": [{"id": "c1", "type": "function", "extra_content": {"google": {"thought_signature": "AbC+/="}},
                    "function": {"name": "shell", "arguments": arguments}}],
            })],
        }
    }

    #[test]
    fn a_conversation_has_the_form_that_every_server_knows() {
        let entries = vec![
            user("contract"),
            user("earlier"),
            answer("{\"command\":\"ls\"}"),
            result("c1", "a.txt"),
            user("view"),
        ];
        let body = sent(entries, FORM);
        assert_eq!(
            body["messages"],
            json!([
                {"role": "system", "content": "i"},
                {"role": "user", "content": "contract\n\nearlier"},
                {"role": "assistant", "content": "I look.", "tool_calls": [{"id": "c1", "type": "function",
                    "extra_content": {"google": {"thought_signature": "AbC+/="}},
                    "function": {"name": "shell", "arguments": "{\"command\":\"ls\"}"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "a.txt"},
                {"role": "user", "content": "view"},
            ])
        );
        assert_eq!(body["model"], "m");
        assert_eq!(body["stream_options"], json!({"include_usage": true}));
        assert_eq!(
            body["tools"],
            json!([{"type": "function", "function": {"name": "shell", "description": "d", "parameters": {"type": "object"}}}])
        );
        // What one server or another is known to refuse.
        for name in [
            "tool_choice",
            "parallel_tool_calls",
            "prompt_cache_key",
            "store",
            "max_tokens",
        ] {
            assert!(body.get(name).is_none(), "{name}");
        }
    }

    #[test]
    fn reasoning_is_carried_back_only_where_it_is_wanted() {
        let bare = Entry::Answer {
            items: vec![json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "c2", "type": "function", "function": {"name": "shell", "arguments": "{}"}}]})],
        };
        let entries = vec![
            user("a"),
            answer("{}"),
            result("c1", "b"),
            bare,
            result("c2", "c"),
            user("view"),
        ];
        let body = sent(entries.clone(), FORM);
        assert!(!body.to_string().contains("reasoning"), "{body}");
        let body = sent(
            entries,
            Form {
                reasoning: true,
                ..FORM
            },
        );
        assert_eq!(body["messages"][2]["reasoning_content"], "Hmm.");
        assert_eq!(body["messages"][4]["reasoning_content"], "");
    }

    #[test]
    fn what_is_said_after_a_result_can_be_put_into_it() {
        let entries = vec![
            user("a"),
            answer("{}"),
            result("c1", "b"),
            user("told"),
            user("view"),
        ];
        let body = sent(
            entries,
            Form {
                said_in_result: true,
                ..FORM
            },
        );
        assert_eq!(body["messages"][3]["content"], "b\n\ntold\n\nview");
        assert_eq!(body["messages"].as_array().map(Vec::len), Some(4));
    }

    #[test]
    fn arguments_that_nobody_can_read_do_not_spoil_the_conversation() {
        for (arguments, expected) in [
            (
                "{\"command\": ",
                r#"{"unreadable_arguments":"{\"command\": "}"#,
            ),
            ("", "{}"),
            ("[1]", r#"{"unreadable_arguments":"[1]"}"#),
        ] {
            let body = sent(vec![user("a"), answer(arguments), result("c1", "b")], FORM);
            assert_eq!(
                body["messages"][2]["tool_calls"][0]["function"]["arguments"],
                expected
            );
        }
    }

    #[test]
    fn an_answer_of_mere_reasoning_is_not_carried_back() {
        let thought = Entry::Answer {
            items: vec![json!({"role": "assistant", "content": null, "reasoning": "Hmm."})],
        };
        let body = sent(vec![user("a"), thought, user("b")], FORM);
        assert_eq!(body["messages"][1]["content"], "a\n\nb");
    }

    #[test]
    fn an_answer_of_another_provider_is_told_in_this_one_s_words() {
        let foreign = Entry::Answer {
            items: vec![
                json!({"type": "thinking", "thinking": "secret", "signature": "s"}),
                json!({"type": "tool_use", "id": "toolu_1", "name": "shell", "input": "{"}),
            ],
        };
        let body = sent(vec![user("a"), foreign, result("toolu_1", "b")], FORM);
        assert_eq!(
            body["messages"][2],
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": "toolu_1", "type": "function",
                "function": {"name": "shell", "arguments": "{\"unreadable_arguments\":\"{\"}"}}]})
        );
    }
}
