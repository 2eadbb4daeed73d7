//! What of the servers' tools the model is told: names that every provider takes, descriptions and schemas that are
//! bounded, the same for the whole run. A server may describe its tools in any length and depth; each request pays for
//! every byte.

use std::collections::{BTreeMap, BTreeSet};

use overnight_core::goal::McpServer;
use overnight_core::ids::BlobId;
use overnight_core::judge::{clip, plain};
use overnight_ports::mcp::ServerTool;
use overnight_ports::model::ToolSpec;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::policy::Policy;

/// How many tools all servers together may have.
const TOOLS_MAX: usize = 48;
/// How much all of them may take in each request, bytes.
const TOOLS_BYTES_MAX: usize = 16 * 1024;
/// Length of a tool's name, characters: what providers take.
const NAME_CHARS_MAX: usize = 64;
/// How many characters of a hash tell two names apart.
const HASH_CHARS: usize = 8;
/// How much of a tool's description is shown, bytes.
const DESCRIPTION_BYTES_MAX: usize = 300;
/// How much of a parameter's description is shown, bytes.
const PARAMETER_BYTES_MAX: usize = 120;
/// How large a schema may be, bytes; a larger one is made simpler.
const SCHEMA_BYTES_MAX: usize = 2 * 1024;
/// How deep a schema may be; what is deeper may be anything.
const SCHEMA_DEPTH_MAX: usize = 6;
/// How many values of an enumeration are shown; one that has more may be anything.
const ENUM_MAX: usize = 40;
/// How long a text in a schema (a pattern, a default) may be, bytes.
const TEXT_BYTES_MAX: usize = 120;
/// How many names a refusal lists.
const NAMES_LISTED_MAX: usize = 40;

/// A tool of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OfferedTool {
    /// The server, by the goal's name for it.
    pub server: String,
    /// The tool, by the server's name for it.
    pub tool: String,
    /// As the model is told of it.
    pub spec: ToolSpec,
}

/// What the model is told of the servers' tools. An error if that is too much, or not what the goal names.
pub(crate) fn offer(
    found: Vec<(&McpServer, Vec<ServerTool>)>,
    policy: &Policy,
) -> Result<Vec<OfferedTool>, String> {
    let mut wanted: Vec<(&McpServer, ServerTool)> = Vec::new();
    for (server, tools) in found {
        let mut seen = BTreeSet::new();
        // The first of two tools of one name: a call could not tell them apart.
        let tools: Vec<ServerTool> = tools
            .into_iter()
            .filter(|tool| seen.insert(tool.name.clone()))
            .collect();
        if let Some(missing) = server
            .tools
            .iter()
            .flatten()
            .find(|name| !seen.contains(*name))
        {
            return Err(format!(
                "the server `{}` has no tool `{missing}`, which `use.mcp` names; it has: {}",
                server.name,
                listed(tools.iter().map(|tool| tool.name.as_str()))
            ));
        }
        let named = |tool: &ServerTool| {
            let only = server.tools.as_ref();
            only.is_none_or(|only| only.contains(&tool.name))
        };
        wanted.extend(tools.into_iter().filter(named).map(|tool| (server, tool)));
    }
    let names = names(&wanted);
    let tools: Vec<OfferedTool> = wanted
        .into_iter()
        .zip(names)
        .filter(|(_, name)| policy.tool(name).is_ok())
        .map(|((server, tool), name)| OfferedTool {
            server: server.name.clone(),
            spec: ToolSpec {
                name,
                description: clip(plain(&tool.description).trim(), DESCRIPTION_BYTES_MAX),
                parameters: schema(&tool.schema),
            },
            tool: tool.name,
        })
        .collect();
    let bytes: usize = tools
        .iter()
        .map(|tool| serde_json::to_vec(&tool.spec).map_or(0, |bytes| bytes.len()))
        .sum();
    if tools.len() > TOOLS_MAX || bytes > TOOLS_BYTES_MAX {
        return Err(format!(
            "the servers have {} tools of {} KiB together, and every request would carry them; at most {TOOLS_MAX} of \
             {} KiB fit. Name those that the work needs with `tools: [NAME]` of each server; there are: {}",
            tools.len(),
            bytes.div_ceil(1024),
            TOOLS_BYTES_MAX / 1024,
            listed(tools.iter().map(|tool| tool.tool.as_str()))
        ));
    }
    Ok(tools)
}

/// Names of others, in one line.
pub(crate) fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let all: Vec<String> = names
        .map(|name| clip(&plain(name), NAME_CHARS_MAX))
        .collect();
    let mut text = all[..all.len().min(NAMES_LISTED_MAX)].join(", ");
    if all.len() > NAMES_LISTED_MAX {
        text.push_str(&format!(" and {} more", all.len() - NAMES_LISTED_MAX));
    }
    text.replace('\n', " ")
}

/// `SERVER__TOOL` for each, with a hash where that is too long, or where two would be called the same.
fn names(tools: &[(&McpServer, ServerTool)]) -> Vec<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let bare: Vec<String> = tools
        .iter()
        .map(|(server, tool)| {
            let whole = format!("{}__{}", server.name, tool.name);
            whole
                .chars()
                .map(|c| if fits(c) { c } else { '_' })
                .collect()
        })
        .collect();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &bare {
        *count.entry(name).or_default() += 1;
    }
    tools
        .iter()
        .zip(&bare)
        .map(|((server, tool), name)| {
            if count[name.as_str()] == 1 && name.len() <= NAME_CHARS_MAX {
                return name.clone();
            }
            let whole = format!("{}\0{}", server.name, tool.name);
            let hash = BlobId::of(whole.as_bytes()).to_string();
            let hash: String = hash
                .chars()
                .filter(char::is_ascii_hexdigit)
                .take(HASH_CHARS)
                .collect();
            let room = NAME_CHARS_MAX - HASH_CHARS - 1;
            // Every character of it is one byte.
            format!("{}_{hash}", &name[..name.len().min(room)])
        })
        .collect()
}

/// A schema that every provider takes: an object at its top, of bounded size and depth. The server checks the arguments
/// against its own.
fn schema(given: &Value) -> Value {
    let size = |value: &Value| value.to_string().len();
    for parameter_bytes in [PARAMETER_BYTES_MAX, 0] {
        let whole = object(given, |schema| node(schema, 1, parameter_bytes));
        if size(&whole) <= SCHEMA_BYTES_MAX {
            return whole;
        }
    }
    let types = object(given, |schema| match schema.get("type") {
        Some(Value::String(kind)) if kind.len() <= TEXT_BYTES_MAX => json!({"type": kind}),
        _ => json!({}),
    });
    if size(&types) <= SCHEMA_BYTES_MAX {
        return types;
    }
    json!({"type": "object"})
}

/// The top of a schema: its properties, each as `part` makes it, and definitions that they refer to.
fn object(given: &Value, part: impl Fn(&Value) -> Value) -> Value {
    let mut top = Map::new();
    top.insert("type".into(), "object".into());
    let mut properties = Map::new();
    for (name, schema) in given
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if is_parameter(name) {
            properties.insert(name.clone(), part(schema));
        }
    }
    let required: Vec<Value> = given
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|name| {
            name.as_str()
                .is_some_and(|name| properties.contains_key(name))
        })
        .cloned()
        .collect();
    top.insert("properties".into(), properties.into());
    if !required.is_empty() {
        top.insert("required".into(), required.into());
    }
    for key in ["$defs", "definitions"] {
        if let Some(definitions) = given.get(key).and_then(Value::as_object) {
            let parts = definitions
                .iter()
                .map(|(name, schema)| (name.clone(), part(schema)));
            top.insert(key.into(), Value::Object(parts.collect()));
        }
    }
    Value::Object(top)
}

/// A parameter's name that providers take.
fn is_parameter(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.chars().all(fits)
}

/// One schema below the top: known keywords only, none of them long.
fn node(schema: &Value, depth: usize, description_bytes: usize) -> Value {
    let Some(fields) = schema.as_object() else {
        // `true` and `false` are schemas, too.
        return if schema.is_boolean() {
            schema.clone()
        } else {
            json!({})
        };
    };
    if depth > SCHEMA_DEPTH_MAX {
        return json!({});
    }
    let below = |value: &Value| node(value, depth + 1, description_bytes);
    let mut kept = Map::new();
    for (key, value) in fields {
        let value = match key.as_str() {
            "description" => match value.as_str().map(|text| plain(text).replace('\n', " ")) {
                Some(text) if description_bytes > 0 => clip(text.trim(), description_bytes).into(),
                _ => continue,
            },
            "type" | "format" | "pattern" | "const" | "default" | "required" | "minimum"
            | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "minLength"
            | "maxLength" | "minItems" | "maxItems" | "uniqueItems" | "minProperties"
            | "maxProperties" | "$ref" => {
                if value.to_string().len() > TEXT_BYTES_MAX {
                    continue;
                }
                value.clone()
            }
            "enum" => match value.as_array() {
                Some(values) if values.len() <= ENUM_MAX => value.clone(),
                _ => continue,
            },
            "items" | "additionalProperties" | "not" | "contains" | "propertyNames" => {
                if value.is_array() {
                    continue;
                } else {
                    below(value)
                }
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => match value.as_array() {
                Some(all) => all.iter().map(below).collect(),
                None => continue,
            },
            "properties" | "patternProperties" | "$defs" | "definitions" => match value.as_object()
            {
                Some(all) => {
                    let parts = all.iter().map(|(name, value)| (name.clone(), below(value)));
                    Value::Object(parts.collect())
                }
                None => continue,
            },
            _ => continue,
        };
        kept.insert(key.clone(), value);
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use overnight_core::goal::McpAt;

    use super::*;

    fn server(name: &str, tools: Option<&[&str]>) -> McpServer {
        McpServer {
            name: name.into(),
            at: McpAt::Run {
                command: "x".into(),
            },
            tools: tools.map(|names| names.iter().map(|n| n.to_string()).collect()),
            timeout_s: None,
        }
    }

    fn tool(name: &str) -> ServerTool {
        ServerTool {
            name: name.into(),
            description: String::new(),
            schema: json!({"type": "object"}),
        }
    }

    fn offered(found: Vec<(&McpServer, Vec<ServerTool>)>) -> Result<Vec<String>, String> {
        let tools = offer(found, &Policy::keeping(Default::default()))?;
        Ok(tools.into_iter().map(|tool| tool.spec.name).collect())
    }

    #[test]
    fn names_are_those_that_providers_take_and_no_two_are_the_same() {
        let (a, b) = (server("a", None), server("a_", None));
        let long = "x".repeat(100);
        let names = offered(vec![
            (
                &a,
                vec![
                    tool("shell"),
                    tool("_b"),
                    tool("größe/λ"),
                    tool(&long),
                    tool("x.y"),
                    tool("x y"),
                    tool("shell"),
                ],
            ),
            (&b, vec![tool("b"), tool("")]),
        ])
        .expect("they fit");
        assert_eq!(names[0], "a__shell");
        assert_eq!(names[2], "a__gr__e__");
        assert_eq!(names.len(), 8, "one of two tools of one name: {names:?}");
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        for name in &names {
            assert!(
                !name.is_empty() && name.len() <= 64 && name.chars().all(fits),
                "{name}"
            );
        }
        let distinct: BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        // `a` + `_b` and `a_` + `b` would be one.
        assert!(
            names[1].starts_with("a___b_") && names[6].starts_with("a___b_"),
            "{names:?}"
        );
    }

    #[test]
    fn the_goal_names_tools_by_the_servers_own_names() {
        let a = server("a", Some(&["two"]));
        assert_eq!(
            offered(vec![(&a, vec![tool("one"), tool("two")])]),
            Ok(vec!["a__two".into()])
        );
        let missing = offered(vec![(&a, vec![tool("one")])]).expect_err("it is missing");
        assert_eq!(
            missing,
            "the server `a` has no tool `two`, which `use.mcp` names; it has: one"
        );
    }

    #[test]
    fn too_many_tools_are_refused_with_what_to_do() {
        let a = server("a", None);
        let many: Vec<ServerTool> = (0..5000)
            .map(|n| tool(&format!("tool{n}\u{1b}[31m")))
            .collect();
        let refusal = offered(vec![(&a, many)]).expect_err("too many");
        assert!(
            refusal.contains("5000 tools") && refusal.contains("`tools: [NAME]`"),
            "{refusal}"
        );
        assert!(
            refusal.len() < 4096 && !refusal.contains('\u{1b}'),
            "{refusal}"
        );
        let large: Vec<ServerTool> = (0..47)
            .map(|n| ServerTool {
                description: "long ".repeat(1000),
                ..tool(&format!("t{n}"))
            })
            .collect();
        assert!(offered(vec![(&a, large)]).is_err());
    }

    #[test]
    fn a_schema_is_kept_as_far_as_it_is_short() {
        let given = json!({
            "$schema": "http://json-schema.org/draft-07/schema#", "title": "Args", "type": "object",
            "properties": {
                "title": {"title": "Title", "type": "string", "description": "What it is\ncalled."},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}, "examples": [["a"]]},
                "bad name": {"type": "string"},
            },
            "required": ["title", "bad name", 7],
            "$defs": {"Tag": {"enum": ["a", "b"], "title": "Tag"}},
            "anyOf": [{"required": ["title"]}],
        });
        assert_eq!(
            schema(&given),
            json!({
                "type": "object",
                "properties": {
                    "title": {"type": "string", "description": "What it is called."},
                    "tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}},
                },
                "required": ["title"],
                "$defs": {"Tag": {"enum": ["a", "b"]}},
            })
        );
    }

    #[test]
    fn a_schema_of_any_size_and_depth_becomes_a_small_one() {
        let wordy: Map<String, Value> = (0..30)
            .map(|n| {
                (
                    format!("p{n}"),
                    json!({"type": "string", "description": "word ".repeat(500)}),
                )
            })
            .collect();
        let simple = schema(&json!({"type": "object", "properties": wordy}));
        assert!(simple.to_string().len() <= SCHEMA_BYTES_MAX);
        assert_eq!(simple["properties"]["p29"], json!({"type": "string"}));
        let mut deep = json!({"type": "string"});
        for _ in 0..100 {
            deep = json!({"type": "object", "properties": {"p": deep}});
        }
        assert!(schema(&deep).to_string().len() < 400, "{}", schema(&deep));
        let wide: Map<String, Value> = (0..5000)
            .map(|n| {
                (
                    format!("p{n}"),
                    json!({"type": "object", "properties": {"q": {"enum": ["v"]}}}),
                )
            })
            .collect();
        assert_eq!(
            schema(&json!({"properties": wide})),
            json!({"type": "object"})
        );
        for odd in [
            json!(null),
            json!([1]),
            json!({"properties": [1], "required": "x"}),
            json!({"properties": {"a": 7}}),
        ] {
            assert_eq!(schema(&odd)["type"], "object", "{odd}");
        }
    }
}
