//! Scripts are written for overnight's tools. A client that offers others gets the same work in its own words.

use overnight_models::scripted::{Reply, ScriptCall};
use serde_json::{Map, Value, json};

/// What other agents call a shell, the likeliest first.
const SHELLS: &[&str] = &[
    "exec_command",
    "shell_command",
    "shell",
    "local_shell",
    "Bash",
    "bash",
    "run_shell_command",
    "execute_bash",
    "run_command",
    "terminal",
];

/// The reply with its calls in the tools that the request offers. Calls of tools that have no counterpart stay as they
/// are: an unknown tool is a case to be tested.
pub(super) fn fit(reply: &Reply, request: &Value) -> Reply {
    let offered = offered(request);
    let mut fitted = reply.clone();
    fitted.calls.clear();
    for call in &reply.calls {
        let known = offered.is_empty() || find(&offered, &call.tool).is_some();
        match call.tool.as_str() {
            "shell" if !offered.is_empty() => fitted.calls.push(shell(call, &offered)),
            // For an agent without such a tool, saying so is how it claims to be done.
            "claim_done" if !known => {
                let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or(Value::Null);
                let summary = arguments
                    .get("summary")
                    .and_then(Value::as_str)
                    .unwrap_or("Done.");
                let say = fitted.say.get_or_insert_default();
                if !say.is_empty() {
                    say.push_str("\n\n");
                }
                say.push_str(summary);
            }
            _ => fitted.calls.push(call.clone()),
        }
    }
    fitted
}

/// The tools of a request. Chat completions wrap each in a `function`.
pub(super) fn offered(request: &Value) -> Vec<&Value> {
    let tools = request.get("tools").and_then(Value::as_array);
    tools
        .into_iter()
        .flatten()
        .map(|tool| tool.get("function").unwrap_or(tool))
        .collect()
}

fn find<'a>(offered: &[&'a Value], name: &str) -> Option<&'a Value> {
    offered
        .iter()
        .copied()
        .find(|tool| tool.get("name").and_then(Value::as_str) == Some(name))
}

/// The same command for the shell that is offered.
fn shell(call: &ScriptCall, offered: &[&Value]) -> ScriptCall {
    let ours = std::iter::once("shell").chain(SHELLS.iter().copied());
    let Some((name, tool)) = ours
        .into_iter()
        .find_map(|name| find(offered, name).map(|tool| (name, tool)))
    else {
        return call.clone();
    };
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or(Value::Null);
    let command = arguments.get("command").and_then(Value::as_str);
    let schema = tool.get("parameters").or(tool.get("input_schema"));
    let schema = schema.unwrap_or(&Value::Null);
    let Some(command) = command else {
        // Malformed on purpose: malformed it stays.
        return ScriptCall {
            tool: name.to_owned(),
            arguments: call.arguments.clone(),
        };
    };
    let property = |key: &str| schema.pointer(&format!("/properties/{key}"));
    let is_list = property("command")
        .and_then(|p| p.get("type"))
        .and_then(Value::as_str)
        == Some("array");
    if name == "shell" && !is_list {
        return call.clone();
    }
    let mut fitted = Map::new();
    if property("cmd").is_some() {
        fitted.insert("cmd".to_owned(), json!(command));
    } else if is_list {
        fitted.insert("command".to_owned(), json!(["bash", "-lc", command]));
    } else {
        fitted.insert("command".to_owned(), json!(command));
    }
    for key in schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if fitted.contains_key(key) {
            continue;
        }
        let wanted = property(key);
        let first = wanted.and_then(|p| p.pointer("/enum/0")).cloned();
        let filler = first.unwrap_or_else(|| {
            match wanted.and_then(|p| p.get("type")).and_then(Value::as_str) {
                Some("boolean") => json!(false),
                Some("integer" | "number") => json!(1),
                Some("array") => json!([]),
                Some("object") => json!({}),
                _ => json!("scripted"),
            }
        });
        fitted.insert(key.to_owned(), filler);
    }
    ScriptCall {
        tool: name.to_owned(),
        arguments: Value::Object(fitted).to_string(),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn reply(tool: &str, arguments: &str) -> Reply {
        Reply {
            calls: vec![ScriptCall {
                tool: tool.into(),
                arguments: arguments.into(),
            }],
            ..Reply::default()
        }
    }

    #[test]
    fn a_shell_call_is_put_into_the_clients_own_tool() {
        let request = json!({"tools": [{"type": "function", "name": "exec_command", "parameters": {
            "properties": {"cmd": {"type": "string"}, "why": {"type": "string"}}, "required": ["cmd", "why"]}}]});
        let fitted = fit(&reply("shell", r#"{"command":"ls"}"#), &request);
        assert_eq!(
            fitted.calls,
            [ScriptCall {
                tool: "exec_command".into(),
                arguments: r#"{"cmd":"ls","why":"scripted"}"#.into()
            }]
        );
        let chat = json!({"tools": [{"type": "function", "function": {"name": "bash", "parameters": {
            "properties": {"command": {"type": "string"}}, "required": ["command"]}}}]});
        let messages = json!({"tools": [{"name": "Bash", "input_schema": {
            "properties": {"command": {"type": "string"}}, "required": ["command"]}}]});
        for (request, tool) in [(chat, "bash"), (messages, "Bash")] {
            let fitted = fit(&reply("shell", r#"{"command":"ls"}"#), &request);
            assert_eq!(fitted.calls[0].tool, tool);
            assert_eq!(fitted.calls[0].arguments, r#"{"command":"ls"}"#);
        }
        let fitted = fit(&reply("claim_done", r#"{"summary":"all done"}"#), &request);
        assert_eq!(
            (fitted.say.as_deref(), fitted.calls.len()),
            (Some("all done"), 0)
        );
    }

    #[test]
    fn overnights_own_calls_and_unknown_and_malformed_ones_stay() {
        let own = json!({"tools": [
            {"type": "function", "name": "shell", "parameters": {"properties": {"command": {"type": "string"}}}},
            {"type": "function", "name": "claim_done"}]});
        for original in [
            reply("shell", r#"{"command":"ls","timeout_s":5}"#),
            reply("shell", r#"{"command": "#),
            reply("claim_done", r#"{"summary":"x"}"#),
            reply("no_such_tool", "{}"),
        ] {
            assert_eq!(fit(&original, &own), original);
            assert_eq!(fit(&original, &json!({})), original);
        }
    }
}
