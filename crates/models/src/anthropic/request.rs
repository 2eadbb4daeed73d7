//! The request body: the conversation as alternating messages of blocks, with the places marked up to which the
//! provider is to keep its cache.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use overnight_ports::model::{Entry, Request, ToolSpec};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::wire::earlier::{self, Form as ItemForm};
use crate::wire::readable_arguments;

/// What is asked for besides the conversation.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub max_tokens: u64,
    pub ask_to_think: bool,
    /// Thinking that the server does not take back, by [`mark`].
    pub without: BTreeSet<u64>,
}

/// A thinking block in few bits, to know it again.
pub(super) fn mark(block: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    block.to_string().hash(&mut hasher);
    hasher.finish()
}

/// The thinking blocks of a conversation.
pub(super) fn thinking(request: &Request) -> BTreeSet<u64> {
    let answers = request.entries.iter().filter_map(|entry| match entry {
        Entry::Answer { items } => Some(items),
        Entry::User { .. } | Entry::Result { .. } => None,
    });
    answers
        .flatten()
        .filter(|block| is_thinking(block))
        .map(mark)
        .collect()
}

fn is_thinking(block: &Value) -> bool {
    matches!(
        block.get("type").and_then(Value::as_str),
        Some("thinking" | "redacted_thinking")
    )
}

/// The body of one request.
pub(super) fn body(request: &Request, form: &Form) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Body { request, form })
}

struct Body<'a> {
    request: &'a Request,
    form: &'a Form,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Body { request, form } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", &request.model)?;
        map.serialize_entry("max_tokens", &form.max_tokens)?;
        map.serialize_entry("stream", &true)?;
        if form.ask_to_think {
            map.serialize_entry("thinking", &json!({"type": "adaptive"}))?;
        }
        if !request.tools.is_empty() {
            let last = request.tools.len() - 1;
            let tools: Vec<Tool> = request
                .tools
                .iter()
                .enumerate()
                .map(|(at, spec)| Tool {
                    spec,
                    cached: at == last,
                })
                .collect();
            map.serialize_entry("tools", &tools)?;
        }
        if !request.instructions.trim().is_empty() {
            let text = &request.instructions;
            map.serialize_entry("system", &[Block::Text { text, cached: true }])?;
        }
        map.serialize_entry("messages", &messages(request, form))?;
        map.end()
    }
}

struct Tool<'a> {
    spec: &'a ToolSpec,
    cached: bool,
}

impl Serialize for Tool<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.spec.name)?;
        map.serialize_entry("description", &self.spec.description)?;
        map.serialize_entry("input_schema", &self.spec.parameters)?;
        cache(&mut map, self.cached)?;
        map.end()
    }
}

/// Up to here, tools and instructions and messages are to be found in the cache the next time.
fn cache<M: SerializeMap>(map: &mut M, cached: bool) -> Result<(), M::Error> {
    if cached {
        map.serialize_entry("cache_control", &json!({"type": "ephemeral"}))?;
    }
    Ok(())
}

/// One message.
#[derive(Debug, serde::Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

/// One block of a message.
#[derive(Debug)]
enum Block<'a> {
    Text {
        text: &'a str,
        cached: bool,
    },
    Result {
        call: Cow<'a, str>,
        text: &'a str,
        cached: bool,
    },
    /// As it came.
    Verbatim(&'a Value),
    /// Made to be readable.
    Made(Value),
}

impl Block<'_> {
    fn set_cached(&mut self) {
        match self {
            Block::Text { cached, .. } | Block::Result { cached, .. } => *cached = true,
            Block::Verbatim(_) | Block::Made(_) => {}
        }
    }
}

impl Serialize for Block<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Block::Text { text, cached } => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("type", "text")?;
                map.serialize_entry("text", text)?;
                cache(&mut map, *cached)?;
                map.end()
            }
            Block::Result { call, text, cached } => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("type", "tool_result")?;
                map.serialize_entry("tool_use_id", call)?;
                map.serialize_entry("content", text)?;
                cache(&mut map, *cached)?;
                map.end()
            }
            Block::Verbatim(block) => block.serialize(serializer),
            Block::Made(block) => block.serialize(serializer),
        }
    }
}

fn messages<'a>(request: &'a Request, form: &Form) -> Vec<Message<'a>> {
    let mut messages: Vec<Message> = Vec::new();
    let entries = &request.entries;
    // The last thing that the harness says is its view of the moment; it is another one the next time.
    let stable = match entries.split_last() {
        Some((Entry::User { .. }, before)) if !before.is_empty() => before.len(),
        _ => entries.len(),
    };
    for (at, entry) in entries.iter().enumerate() {
        if at == stable {
            mark_stable(&mut messages);
        }
        match entry {
            // The API refuses a text of nothing but blanks.
            Entry::User { text } if text.trim().is_empty() => {}
            Entry::User { text } => of_user(&mut messages).push(Block::Text {
                text,
                cached: false,
            }),
            Entry::Result { call, text } => {
                let content = of_user(&mut messages);
                // Results stand before texts, or they are refused.
                let after = content
                    .iter()
                    .position(|block| matches!(block, Block::Text { .. }))
                    .unwrap_or(content.len());
                let call = usable_id(call);
                content.insert(
                    after,
                    Block::Result {
                        call,
                        text,
                        cached: false,
                    },
                );
            }
            Entry::Answer { items } => {
                let content = earlier_answer(items, form);
                if !content.is_empty() {
                    messages.push(Message {
                        role: "assistant",
                        content,
                    });
                }
            }
        }
    }
    if stable == entries.len() {
        mark_stable(&mut messages);
    }
    messages
}

/// The blocks of the user's message that is being written.
fn of_user<'a, 'b>(messages: &'b mut Vec<Message<'a>>) -> &'b mut Vec<Block<'a>> {
    if messages.last().is_none_or(|message| message.role != "user") {
        messages.push(Message {
            role: "user",
            content: Vec::new(),
        });
    }
    // One has just been made sure of.
    let at = messages.len() - 1;
    &mut messages[at].content
}

/// Marks the end of what stays, and the end of what stayed the last time: the provider looks back only so many blocks
/// from a mark, and one answer may have more calls than that. With tools and instructions these are the four marks
/// that a request may have.
fn mark_stable(messages: &mut [Message]) {
    let mut marks = messages
        .iter_mut()
        .rev()
        .filter(|message| message.role == "user");
    for message in marks.by_ref().take(2) {
        if let Some(block) = message.content.last_mut() {
            block.set_cached();
        }
    }
}

fn earlier_answer<'a>(items: &'a [Value], form: &Form) -> Vec<Block<'a>> {
    if earlier::form(items, ItemForm::Messages) != ItemForm::Messages {
        return told(items);
    }
    let mut blocks: Vec<Block> = Vec::with_capacity(items.len());
    for item in items {
        let field = |name: &str| item.get(name).and_then(Value::as_str);
        match field("type") {
            Some("thinking" | "redacted_thinking") if form.without.contains(&mark(item)) => {}
            Some("text") if field("text").is_none_or(|text| text.trim().is_empty()) => {}
            Some("tool_use") if !item.get("input").is_some_and(Value::is_object) => {
                let mut call = item.clone();
                call["input"] = match item.get("input") {
                    Some(Value::String(text)) => readable_arguments(text),
                    _ => readable_arguments(""),
                };
                blocks.push(Block::Made(call));
            }
            _ => blocks.push(Block::Verbatim(item)),
        }
    }
    // An answer may not end in thinking when it is carried back.
    while let Some(Block::Verbatim(last)) = blocks.last()
        && is_thinking(last)
    {
        blocks.pop();
    }
    blocks
}

/// An answer of another provider in this one's words.
fn told(items: &[Value]) -> Vec<Block<'static>> {
    let spoken = earlier::spoken(items);
    let words = (!spoken.text.trim().is_empty())
        .then(|| Block::Made(json!({"type": "text", "text": spoken.text})));
    let calls = spoken.calls.iter().map(|call| {
        Block::Made(json!({
            "type": "tool_use",
            "id": usable_id(&call.id),
            "name": call.name,
            "input": readable_arguments(&call.arguments),
        }))
    });
    words.into_iter().chain(calls).collect()
}

/// The API takes letters, digits, `_` and `-`. Other providers' ids may hold more.
fn usable_id(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(id.chars().map(|c| if fits(c) { c } else { '_' }).collect())
}

#[cfg(test)]
mod test {
    use super::*;

    fn request(entries: Vec<Entry>) -> Request {
        let tool = |name: &str| ToolSpec {
            name: name.into(),
            description: "d".into(),
            parameters: json!({"type": "object"}),
        };
        Request {
            model: "claude-x".into(),
            instructions: "i".into(),
            tools: vec![tool("shell"), tool("read")],
            entries,
            cache_key: "run1".into(),
            turn: 2,
            item: None,
        }
    }

    fn form() -> Form {
        Form {
            max_tokens: 100,
            ask_to_think: false,
            without: BTreeSet::new(),
        }
    }

    fn sent(entries: Vec<Entry>, form: &Form) -> Value {
        let body = body(&request(entries), form).expect("it serialises");
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

    const THOUGHT: &str = r#"{"signature":"EqQB+/=","thinking":"Hmm …","type":"thinking","later":{"z":1,"a":[0.5,null]}}"#;
    const HIDDEN: &str = r#"{"type":"redacted_thinking","data":"EmwKAhgB"}"#;

    fn answer() -> Entry {
        let block = |text: &str| serde_json::from_str(text).expect("JSON");
        Entry::Answer {
            items: vec![
                block(THOUGHT),
                block(HIDDEN),
                json!({"type": "text", "text": "I look.", "citations": null}),
                json!({"type": "tool_use", "id": "toolu_1", "name": "shell", "input": {"command": "ls"}}),
                json!({"type": "tool_use", "id": "toolu_2", "name": "shell", "input": "{\"command\": "}),
            ],
        }
    }

    fn conversation() -> Vec<Entry> {
        vec![
            user("contract"),
            answer(),
            result("toolu_1", "a.txt"),
            result("toolu_2", "no such thing"),
            user("told"),
            user("view"),
        ]
    }

    /// Where the cache marks are, as pointers.
    fn marks(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    if name == "cache_control" {
                        found.push(at.to_owned());
                    }
                    marks(value, &format!("{at}/{name}"), found);
                }
            }
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    marks(value, &format!("{at}/{index}"), found);
                }
            }
            _ => {}
        }
    }

    fn marked(entries: Vec<Entry>) -> Vec<String> {
        let mut found = Vec::new();
        marks(&sent(entries, &form()), "", &mut found);
        found
    }

    #[test]
    fn thinking_is_carried_back_byte_for_byte_and_in_order() {
        let body = body(&request(conversation()), &form()).expect("it serialises");
        let body = String::from_utf8(body).expect("UTF-8");
        assert!(body.contains(&format!("[{THOUGHT},{HIDDEN},")), "{body}");
    }

    #[test]
    fn results_come_first_and_consecutive_texts_share_a_message() {
        let body = sent(conversation(), &form());
        let roles: Vec<&str> = body["messages"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|message| message["role"].as_str().unwrap_or_default())
            .collect();
        assert_eq!(roles, ["user", "assistant", "user"]);
        let kinds: Vec<&Value> = body["messages"][2]["content"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|block| &block["type"])
            .collect();
        assert_eq!(kinds, ["tool_result", "tool_result", "text", "text"]);
        // Even if something was said in between.
        let mixed = vec![
            user("contract"),
            answer(),
            user("aside"),
            result("toolu_1", "a"),
        ];
        let body = sent(mixed, &form());
        assert_eq!(body["messages"][2]["content"][0]["type"], "tool_result");
        assert_eq!(body["messages"][2]["content"][1]["text"], "aside");
    }

    #[test]
    fn the_cache_is_marked_before_the_view_and_where_it_was_the_last_time() {
        // The first request: what comes after the contract is the view.
        assert_eq!(
            marked(vec![user("contract"), user("view")]),
            ["/tools/1", "/system/0", "/messages/0/content/0"]
        );
        // The second: the same place again, and the end of what is new and stays.
        assert_eq!(
            marked(conversation()),
            [
                "/tools/1",
                "/system/0",
                "/messages/0/content/0",
                "/messages/2/content/2"
            ]
        );
        // Never more than four, and never on the view.
        let mut long = conversation();
        long.pop();
        for _ in 0..5 {
            long.extend(conversation().into_iter().skip(1));
            long.pop();
        }
        long.push(user("view"));
        let marks = marked(long);
        assert_eq!(marks.len(), 4, "{marks:?}");
        assert_eq!(
            marks[2..],
            ["/messages/10/content/2", "/messages/12/content/2"]
        );
    }

    #[test]
    fn the_stable_part_of_one_request_begins_the_next_one() {
        let first = sent(conversation(), &form());
        let mut next = conversation();
        next.pop();
        next.extend([
            answer(),
            result("toolu_1", "b"),
            result("toolu_2", "c"),
            user("another view"),
        ]);
        let next = sent(next, &form());
        let blocks = |body: &Value| -> Vec<Value> {
            body["messages"]
                .as_array()
                .expect("a list")
                .iter()
                .flat_map(|message| message["content"].as_array().cloned().unwrap_or_default())
                .map(|mut block| {
                    if let Value::Object(fields) = &mut block {
                        fields.shift_remove("cache_control");
                    }
                    block
                })
                .collect()
        };
        let (first, next) = (blocks(&first), blocks(&next));
        let stable = first.len() - 1;
        assert_eq!(first[..stable], next[..stable]);
    }

    #[test]
    fn arguments_that_nobody_can_read_do_not_spoil_the_conversation() {
        let body = sent(conversation(), &form());
        assert_eq!(
            body["messages"][1]["content"][4]["input"],
            json!({"unreadable_arguments": "{\"command\": "})
        );
    }

    #[test]
    fn refused_thinking_is_left_out_and_newer_thinking_is_not() {
        let newer = Entry::Answer {
            items: vec![
                json!({"type": "thinking", "thinking": "new", "signature": "s"}),
                json!({"type": "text", "text": "b"}),
            ],
        };
        let mut form = form();
        form.without = thinking(&request(conversation()));
        assert_eq!(form.without.len(), 2);
        let mut entries = conversation();
        entries.extend([newer, user("view")]);
        let text = sent(entries, &form).to_string();
        assert!(
            !text.contains("EqQB") && !text.contains("EmwKAhgB"),
            "{text}"
        );
        assert!(text.contains("\"new\""), "{text}");
    }

    #[test]
    fn what_the_api_refuses_is_not_sent() {
        let only_thought = Entry::Answer {
            items: vec![serde_json::from_str(THOUGHT).expect("JSON")],
        };
        let blank = Entry::Answer {
            items: vec![json!({"type": "text", "text": " \n"})],
        };
        let body = sent(
            vec![
                user("a"),
                only_thought,
                user("b"),
                blank,
                user(" "),
                user("c"),
            ],
            &form(),
        );
        assert_eq!(body["messages"].as_array().map(Vec::len), Some(1), "{body}");
        assert_eq!(
            body["messages"][0]["content"].as_array().map(Vec::len),
            Some(3)
        );
    }

    #[test]
    fn an_answer_of_another_provider_is_told_in_this_one_s_words() {
        let foreign = Entry::Answer {
            items: vec![
                json!({"type": "reasoning", "id": "rs", "encrypted_content": "SEALED"}),
                json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}),
                json!({"type": "function_call", "call_id": "call:1", "name": "shell", "arguments": "{"}),
            ],
        };
        let body = sent(
            vec![user("a"), foreign, result("call:1", "no"), user("view")],
            &form(),
        );
        assert_eq!(
            body["messages"][1]["content"],
            json!([
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "call_1", "name": "shell", "input": {"unreadable_arguments": "{"}},
            ])
        );
        assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "call_1");
    }
}
