//! The request body, serialised straight from the conversation: nothing of it is copied first.

use overnight_ports::model::{Entry, Request, ToolSpec};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use crate::wire::earlier::{self, Form as ItemForm};

/// Longest `prompt_cache_key` that the API takes, characters.
const CACHE_KEY_CHARS_MAX: usize = 64;

/// How earlier answers are carried back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum History {
    /// As they came, reasoning and item ids included.
    Verbatim,
    /// Without reasoning items, and without the item ids that tie a call to its reasoning: for a server that cannot
    /// decrypt the reasoning or looks for the ids in a store where they are not.
    Plain,
}

/// What is asked for besides the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub history: History,
    /// Whether the reasoning is to be sent back to us encrypted. Models without reasoning refuse that.
    pub encrypted_reasoning: bool,
}

/// The body of one request.
pub(super) fn body(request: &Request, form: Form) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Body { request, form })
}

struct Body<'a> {
    request: &'a Request,
    form: Form,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Body { request, form } = self;
        // What stays the same over a run comes first, for the provider's prompt cache and for ours.
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", &request.model)?;
        map.serialize_entry("instructions", &request.instructions)?;
        if !request.tools.is_empty() {
            map.serialize_entry("tools", &Seq(|| request.tools.iter().map(Tool)))?;
            map.serialize_entry("tool_choice", "auto")?;
            map.serialize_entry("parallel_tool_calls", &true)?;
        }
        map.serialize_entry("store", &false)?;
        map.serialize_entry("stream", &true)?;
        if form.encrypted_reasoning {
            map.serialize_entry("include", &["reasoning.encrypted_content"])?;
        }
        if !request.cache_key.is_empty() {
            let key = &request.cache_key;
            let end = key
                .char_indices()
                .nth(CACHE_KEY_CHARS_MAX)
                .map_or(key.len(), |(at, _)| at);
            map.serialize_entry("prompt_cache_key", &key[..end])?;
        }
        map.serialize_entry(
            "input",
            &Seq(|| {
                request
                    .entries
                    .iter()
                    .flat_map(|entry| input(entry, form.history))
            }),
        )?;
        map.end()
    }
}

/// Serialises what an iterator yields.
struct Seq<F>(F);

impl<F, I> Serialize for Seq<F>
where
    F: Fn() -> I,
    I: Iterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

struct Tool<'a>(&'a ToolSpec);

impl Serialize for Tool<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(5))?;
        map.serialize_entry("type", "function")?;
        map.serialize_entry("name", &self.0.name)?;
        map.serialize_entry("description", &self.0.description)?;
        map.serialize_entry("parameters", &self.0.parameters)?;
        // Strict mode demands schemas in which every argument is required.
        map.serialize_entry("strict", &false)?;
        map.end()
    }
}

/// One input item.
enum Item<'a> {
    User(&'a str),
    Output {
        call: &'a str,
        text: &'a str,
    },
    /// An item of an earlier answer without some of its fields.
    Earlier {
        item: &'a Value,
        without: &'static [&'static str],
    },
    /// An item of an answer that came from another provider, in this one's words.
    Told(Value),
}

fn input(entry: &Entry, history: History) -> Vec<Item<'_>> {
    match entry {
        Entry::User { text } => vec![Item::User(text)],
        Entry::Result { call, text } => vec![Item::Output { call, text }],
        Entry::Answer { items }
            if earlier::form(items, ItemForm::Responses) != ItemForm::Responses =>
        {
            told(items)
        }
        Entry::Answer { items } => {
            // A reasoning item without its content is a mere reference into a store that we do not use; what goes
            // with it must not refer to it either.
            let plain = history == History::Plain
                || items
                    .iter()
                    .any(|item| is_reasoning(item) && !is_sealed(item));
            items.iter().filter_map(|item| own(item, plain)).collect()
        }
    }
}

fn told(items: &[Value]) -> Vec<Item<'static>> {
    let spoken = earlier::spoken(items);
    let words = (!spoken.text.is_empty()).then(|| {
        json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": spoken.text}]})
    });
    let calls = spoken.calls.iter().map(|call| {
        json!({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": earlier::arguments_text(call)})
    });
    words.into_iter().chain(calls).map(Item::Told).collect()
}

fn own(item: &Value, plain: bool) -> Option<Item<'_>> {
    match (is_reasoning(item), plain) {
        (true, true) => None,
        // The API answers a reasoning item's `status` with "unknown parameter".
        (true, false) => Some(Item::Earlier {
            item,
            without: &["status"],
        }),
        (false, true) => Some(Item::Earlier {
            item,
            without: &["id"],
        }),
        (false, false) => Some(Item::Earlier { item, without: &[] }),
    }
}

fn is_reasoning(item: &Value) -> bool {
    item.get("type").and_then(Value::as_str) == Some("reasoning")
}

fn is_sealed(item: &Value) -> bool {
    item.get("encrypted_content")
        .and_then(Value::as_str)
        .is_some_and(|sealed| !sealed.is_empty())
}

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Item::User(text) => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("type", "message")?;
                map.serialize_entry("role", "user")?;
                map.serialize_entry("content", &[Text(text)])?;
                map.end()
            }
            Item::Output { call, text } => {
                let mut map = serializer.serialize_map(Some(3))?;
                map.serialize_entry("type", "function_call_output")?;
                map.serialize_entry("call_id", call)?;
                map.serialize_entry("output", text)?;
                map.end()
            }
            Item::Earlier {
                item: Value::Object(fields),
                without,
            } if !without.is_empty() => serializer.collect_map(
                fields
                    .iter()
                    .filter(|(name, _)| !without.contains(&name.as_str())),
            ),
            Item::Earlier { item, .. } => item.serialize(serializer),
            Item::Told(item) => item.serialize(serializer),
        }
    }
}

struct Text<'a>(&'a str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", "input_text")?;
        map.serialize_entry("text", self.0)?;
        map.end()
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use serde_json::json;

    fn request(entries: Vec<Entry>) -> Request {
        Request {
            model: "m".into(),
            instructions: "i".into(),
            tools: vec![ToolSpec {
                name: "shell".into(),
                description: "d".into(),
                parameters: json!({"type": "object"}),
            }],
            entries,
            cache_key: "é".repeat(100),
            turn: 2,
            item: None,
        }
    }

    fn sent(entries: Vec<Entry>, history: History) -> Value {
        let form = Form {
            history,
            encrypted_reasoning: true,
        };
        serde_json::from_slice(&body(&request(entries), form).expect("it serialises"))
            .expect("it is JSON")
    }

    const SEALED: &str = r#"{"id":"rs_1","summary":[],"type":"reasoning","encrypted_content":"gAAA+/=","later":{"z":1,"a":[0.5,null]}}"#;

    fn answer(reasoning: &str) -> Entry {
        let call = json!({"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "shell", "arguments": "{\"a\": ", "status": "completed"});
        Entry::Answer {
            items: vec![serde_json::from_str(reasoning).expect("JSON"), call],
        }
    }

    #[test]
    fn an_answer_is_carried_back_byte_for_byte_and_in_order() {
        let entries = vec![
            Entry::User { text: "go".into() },
            answer(SEALED),
            Entry::Result {
                call: "c1".into(),
                text: "out".into(),
            },
        ];
        let form = Form {
            history: History::Verbatim,
            encrypted_reasoning: true,
        };
        let body = String::from_utf8(body(&request(entries), form).expect("it serialises"))
            .expect("UTF-8");
        assert!(body.contains(SEALED), "{body}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            body["input"][0],
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]})
        );
        assert_eq!(body["input"][2]["id"], "fc_1");
        assert_eq!(body["input"][2]["arguments"], "{\"a\": ");
        assert_eq!(
            body["input"][3],
            json!({"type": "function_call_output", "call_id": "c1", "output": "out"})
        );
        assert_eq!(body["store"], false);
        assert_eq!(body["stream"], true);
        assert_eq!(body["parallel_tool_calls"], true);
        assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
        assert_eq!(body["tools"][0]["strict"], false);
        assert_eq!(
            body["prompt_cache_key"]
                .as_str()
                .map(|key| key.chars().count()),
            Some(CACHE_KEY_CHARS_MAX)
        );
    }

    #[test]
    fn an_answer_of_another_provider_is_told_in_this_one_s_words() {
        let foreign = Entry::Answer {
            items: vec![
                json!({"type": "thinking", "thinking": "secret", "signature": "s"}),
                json!({"type": "text", "text": "I look."}),
                json!({"type": "tool_use", "id": "toolu_1", "name": "shell", "input": {"command": "ls"}}),
            ],
        };
        let body = sent(vec![foreign], History::Verbatim);
        assert_eq!(
            body["input"],
            json!([
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
                {"type": "function_call", "call_id": "toolu_1", "name": "shell", "arguments": "{\"command\":\"ls\"}"},
            ])
        );
    }

    #[test]
    fn what_the_api_does_not_take_back_is_left_out() {
        let with_status = SEALED.replacen("\"id\"", "\"status\":\"completed\",\"id\"", 1);
        let body = sent(vec![answer(&with_status)], History::Verbatim);
        assert_eq!(
            body["input"][0],
            serde_json::from_str::<Value>(SEALED).expect("JSON")
        );
        assert_eq!(body["input"][1]["status"], "completed");
    }

    #[test]
    fn reasoning_that_cannot_be_carried_back_takes_the_ids_with_it() {
        let bare = r#"{"id":"rs_1","summary":[],"type":"reasoning"}"#;
        for (entry, history) in [
            (answer(bare), History::Verbatim),
            (answer(SEALED), History::Plain),
        ] {
            let body = sent(vec![entry], history);
            assert_eq!(body["input"].as_array().map(Vec::len), Some(1));
            assert_eq!(body["input"][0]["call_id"], "c1");
            assert!(body["input"][0].get("id").is_none());
        }
    }
}
