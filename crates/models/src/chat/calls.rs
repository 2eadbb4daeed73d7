//! Pieces of tool calls to whole calls, whatever a server makes of `index` and `id`.
//!
//! By the book, the first piece of a call has index, id and name, and the others have the index. In the wild there are
//! pieces without index, calls that all have index 0, names that are repeated with every piece, arguments that are an
//! object, and calls without id.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::wire::{Notes, is_object};

/// Most calls that one answer may have.
const CALLS_MAX: usize = 1_000;

/// The calls so far, in order.
#[derive(Debug, Default)]
pub(super) struct Calls {
    slots: Vec<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    /// Whatever else a server says of a call; it wants that back.
    rest: Map<String, Value>,
}

/// One piece as it came.
struct Piece {
    index: Option<u64>,
    id: Option<String>,
    name: Option<String>,
    arguments: Arguments,
    rest: Map<String, Value>,
}

enum Arguments {
    None,
    Text(String),
    /// Whole, as JSON and not as text.
    Whole(String),
}

impl Piece {
    fn read(value: Value) -> Option<Piece> {
        let Value::Object(mut fields) = value else {
            return None;
        };
        let text = |value: Option<Value>| match value {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        };
        let index = fields
            .shift_remove("index")
            .and_then(|index| index.as_u64());
        let id = text(fields.shift_remove("id"));
        let mut function = match fields.shift_remove("function") {
            Some(Value::Object(function)) => function,
            _ => Map::new(),
        };
        let name = text(function.shift_remove("name"));
        let arguments = match function.shift_remove("arguments") {
            None | Some(Value::Null) => Arguments::None,
            Some(Value::String(text)) => Arguments::Text(text),
            Some(other) => Arguments::Whole(other.to_string()),
        };
        fields.shift_remove("type");
        fields.retain(|_, value| !value.is_null());
        Some(Piece {
            index,
            id,
            name,
            arguments,
            rest: fields,
        })
    }
}

impl Calls {
    /// Takes one piece. What is wrong with it is said in words.
    pub(super) fn add(&mut self, piece: Value) -> Result<(), String> {
        let Some(piece) = Piece::read(piece) else {
            return Err("a tool call of the answer is no object".to_owned());
        };
        let at = match self.belongs_to(&piece) {
            Some(at) => at,
            None if self.slots.len() >= CALLS_MAX => {
                return Err(format!("the answer has more than {CALLS_MAX} tool calls"));
            }
            None => {
                self.slots.push(Slot {
                    index: piece.index,
                    ..Slot::default()
                });
                self.slots.len() - 1
            }
        };
        let slot = &mut self.slots[at];
        if let Some(id) = piece.id {
            slot.id = id;
        }
        match piece.name {
            // Said again, or more of it each time, or another part of it.
            Some(name) if name.starts_with(&slot.name) => slot.name = name,
            Some(name) if slot.name.ends_with(&name) => {}
            Some(name) => slot.name.push_str(&name),
            None => {}
        }
        match piece.arguments {
            Arguments::None => {}
            // The whole call once more, as a farewell.
            Arguments::Text(text) if text == slot.arguments && is_object(&text) => {}
            Arguments::Text(text) => slot.arguments.push_str(&text),
            Arguments::Whole(text) => slot.arguments = text,
        }
        slot.rest.extend(piece.rest);
        Ok(())
    }

    /// The call that a piece goes on with; `None` if it begins one.
    fn belongs_to(&self, piece: &Piece) -> Option<usize> {
        // Of two calls under one index the later one is meant.
        let at = match (piece.index, &piece.id) {
            (Some(index), _) => self
                .slots
                .iter()
                .rposition(|slot| slot.index == Some(index))?,
            (None, Some(id)) => return self.slots.iter().rposition(|slot| slot.id == *id),
            (None, None) => self.slots.len().checked_sub(1)?,
        };
        let slot = &self.slots[at];
        let other_id = piece
            .id
            .as_ref()
            .is_some_and(|id| !slot.id.is_empty() && slot.id != *id);
        // A call that is whole and begins again is another one.
        let again = piece.id.is_none()
            && piece.name.is_some()
            && is_object(&slot.arguments)
            && !matches!(&piece.arguments, Arguments::Text(text) if text.is_empty());
        (!other_id && !again).then_some(at)
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots
            .iter()
            .map(|slot| slot.name.len() + slot.arguments.len())
            .sum()
    }

    /// Whether the last call's arguments are not whole.
    pub(super) fn is_cut(&self) -> bool {
        self.slots
            .last()
            .is_some_and(|slot| !is_object(&slot.arguments))
    }

    /// The calls as the message holds them. Missing and repeated ids are made: the same ones for the same turn.
    pub(super) fn finish(self, turn: u64, notes: &mut Notes) -> Result<Vec<Value>, String> {
        let mut ids = BTreeSet::new();
        let mut calls = Vec::with_capacity(self.slots.len());
        for (at, slot) in self.slots.into_iter().enumerate() {
            if slot.name.is_empty() {
                return Err("a tool call of the answer names no tool".to_owned());
            }
            let mut id = slot.id;
            if id.is_empty() || !ids.insert(id.clone()) {
                notes.note(if id.is_empty() {
                    "a tool call came without an id; one was made"
                } else {
                    "two tool calls came with the same id; another one was made"
                });
                // Nine letters and digits: what the strictest server takes.
                id = format!("t{turn:05}{at:03}");
                ids.insert(id.clone());
            }
            let mut call = Map::new();
            call.insert("id".to_owned(), json!(id));
            call.insert("type".to_owned(), json!("function"));
            call.insert(
                "function".to_owned(),
                json!({"name": slot.name, "arguments": slot.arguments}),
            );
            call.extend(slot.rest);
            calls.push(Value::Object(call));
        }
        Ok(calls)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn calls(pieces: &[Value]) -> Vec<(String, String, String)> {
        let mut calls = Calls::default();
        for piece in pieces {
            calls.add(piece.clone()).expect("a piece");
        }
        let text = |call: &Value, at: &str| {
            call.pointer(at)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        calls
            .finish(12, &mut Notes::default())
            .expect("calls")
            .iter()
            .map(|call| {
                (
                    text(call, "/id"),
                    text(call, "/function/name"),
                    text(call, "/function/arguments"),
                )
            })
            .collect()
    }

    fn expected(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
        list.iter()
            .map(|(id, name, arguments)| ((*id).into(), (*name).into(), (*arguments).into()))
            .collect()
    }

    const TWO: &[(&str, &str, &str)] = &[
        ("a", "shell", r#"{"command":"ls"}"#),
        ("b", "read", r#"{"path":"x"}"#),
    ];

    #[test]
    fn pieces_by_the_book_make_calls() {
        let pieces = [
            json!({"index": 0, "id": "a", "type": "function", "function": {"name": "shell", "arguments": ""}}),
            json!({"index": 0, "function": {"arguments": "{\"command\":"}}),
            json!({"index": 1, "id": "b", "type": "function", "function": {"name": "read", "arguments": ""}}),
            json!({"index": 0, "function": {"arguments": "\"ls\"}"}}),
            json!({"index": 1, "function": {"arguments": "{\"path\":\"x\"}"}}),
        ];
        assert_eq!(calls(&pieces), expected(TWO));
    }

    #[test]
    fn whole_calls_without_index_or_all_with_the_same_one_stay_apart() {
        let whole = |index: Value, id: &str, name: &str, arguments: Value| json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}});
        for index in [json!(0), Value::Null] {
            // Arguments as text, and as an object.
            let text = [
                whole(index.clone(), "a", "shell", json!("{\"command\":\"ls\"}")),
                whole(index.clone(), "b", "read", json!("{\"path\":\"x\"}")),
            ];
            assert_eq!(calls(&text), expected(TWO), "{index}");
            let object = [
                whole(index.clone(), "a", "shell", json!({"command": "ls"})),
                whole(index.clone(), "b", "read", json!({"path": "x"})),
            ];
            assert_eq!(calls(&object), expected(TWO), "{index}");
            // Without ids, two calls of the same tool with the same arguments.
            let same = [
                whole(index.clone(), "", "shell", json!("{}")),
                whole(index.clone(), "", "shell", json!("{}")),
            ];
            assert_eq!(
                calls(&same),
                expected(&[("t00012000", "shell", "{}"), ("t00012001", "shell", "{}")]),
                "{index}"
            );
        }
    }

    #[test]
    fn a_name_that_comes_with_every_piece_is_said_once() {
        for index in [json!(0), Value::Null] {
            let piece = |arguments: &str| json!({"index": index, "id": "a", "function": {"name": "shell", "arguments": arguments}});
            let pieces = [
                piece("{\"command\""),
                piece(":\"ls\""),
                piece("}"),
                piece(""),
            ];
            assert_eq!(calls(&pieces), expected(&TWO[..1]));
            let pieces = [piece("{\"command\":\"ls\"}"), piece("{\"command\":\"ls\"}")];
            assert_eq!(calls(&pieces), expected(&TWO[..1]));
            let bare = |arguments: &str| json!({"index": index, "function": {"name": "shell", "arguments": arguments}});
            let pieces = [bare("{\"command\""), bare(":\"ls\"}"), bare("")];
            assert_eq!(
                calls(&pieces),
                expected(&[("t00012000", "shell", r#"{"command":"ls"}"#)])
            );
        }
    }

    #[test]
    fn a_name_in_parts_is_put_together() {
        let piece = |name: &str| json!({"index": 0, "id": "a", "function": {"name": name}});
        assert_eq!(calls(&[piece("no"), piece("tes")])[0].1, "notes");
        assert_eq!(calls(&[piece("no"), piece("notes")])[0].1, "notes");
    }

    #[test]
    fn ids_are_made_unique_and_stable() {
        let piece = |index: u64| json!({"index": index, "id": "call_0", "function": {"name": "shell", "arguments": "{}"}});
        let ids: Vec<String> = calls(&[piece(0), piece(1)])
            .into_iter()
            .map(|(id, _, _)| id)
            .collect();
        assert_eq!(ids, ["call_0", "t00012001"]);
    }

    #[test]
    fn what_a_server_says_besides_is_kept_for_it() {
        let mut calls = Calls::default();
        calls
            .add(json!({"index": 0, "id": "a", "extra_content": {"google": {"thought_signature": "s"}}, "later": null,
                "function": {"name": "shell", "arguments": "{}"}}))
            .expect("a piece");
        let calls = calls.finish(1, &mut Notes::default()).expect("calls");
        assert_eq!(
            calls,
            [
                json!({"id": "a", "type": "function", "function": {"name": "shell", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": "s"}}})
            ]
        );
    }
}
