//! Events of error trackers: Sentry's, as its API gives them and as SDKs send them. Out of one come a text for the model
//! and what tells its root cause from others.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::clean;

/// How many exceptions of a chain are read.
const EXCEPTIONS_MAX: usize = 10;
/// How many frames of an exception are read: the innermost.
const FRAMES_MAX: usize = 100;
/// How many frames in the project's own code show their source and variables: the innermost.
const OPEN_FRAMES_MAX: usize = 6;
/// How many other frames are named.
const NAMED_FRAMES_MAX: usize = 40;
/// How many variables of a frame are shown.
const VARIABLES_MAX: usize = 12;
/// Length of a variable's value, bytes.
const VARIABLE_BYTES_MAX: usize = 160;
/// Length of a line of source, bytes.
const SOURCE_BYTES_MAX: usize = 200;
/// Length of a name, bytes.
const NAME_BYTES_MAX: usize = 300;
/// Length of an exception's message, bytes.
const MESSAGE_BYTES_MAX: usize = 2 * 1024;
/// How many breadcrumbs are shown: the latest.
const BREADCRUMBS_MAX: usize = 20;
/// Length of a breadcrumb, bytes.
const BREADCRUMB_BYTES_MAX: usize = 300;
/// How many tags are read.
const TAGS_MAX: usize = 100;
/// What an event says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Event {
    pub level: String,
    pub message: String,
    pub transaction: String,
    pub release: String,
    pub environment: String,
    pub tags: Vec<(String, String)>,
    /// The cause first, what was raised last.
    pub exceptions: Vec<Exception>,
    breadcrumbs: Vec<String>,
    request: String,
}

/// One exception of a chain.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exception {
    pub kind: String,
    pub value: String,
    /// The outermost call first.
    pub frames: Vec<Frame>,
}

/// One call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    pub file: String,
    pub function: String,
    pub line: u64,
    /// In the project's own code.
    pub own: bool,
    source: Vec<(u64, String)>,
    variables: Vec<(String, String)>,
}

impl Event {
    /// Reads an event: Sentry's API form (`entries`) or an SDK's (`exception`, `breadcrumbs` …).
    pub(crate) fn read(event: &Value) -> Event {
        let entry = |kind: &str| {
            let entries = event.get("entries").and_then(Value::as_array);
            let entry = entries
                .into_iter()
                .flatten()
                .find(|entry| entry["type"] == kind);
            entry.map(|entry| &entry["data"])
        };
        let part = |kind: &str, key: &str| entry(kind).or_else(|| event.get(key));
        let mut exceptions: Vec<Exception> = part("exception", "exception")
            .map(|part| {
                values(part)
                    .iter()
                    .take(EXCEPTIONS_MAX)
                    .map(exception)
                    .collect()
            })
            .unwrap_or_default();
        if exceptions.iter().all(|e| e.frames.is_empty()) {
            // Some SDKs put the trace of a plain message, or of the thread that crashed, elsewhere.
            let threads = part("threads", "threads").map(values).unwrap_or_default();
            let thread = threads
                .iter()
                .find(|t| t["crashed"] == true || t["current"] == true)
                .or(threads.first())
                .and_then(|t| t.get("stacktrace"));
            let other = part("stacktrace", "stacktrace").filter(|t| t.is_object());
            if let Some(trace) = thread.filter(|t| t.is_object()).or(other) {
                match exceptions.last_mut() {
                    Some(last) => last.frames = frames(trace),
                    None => exceptions.push(Exception {
                        frames: frames(trace),
                        ..Exception::default()
                    }),
                }
            }
        }
        let tags = tags(event.get("tags"));
        let tag = |key: &str| {
            let found = tags.iter().find(|(k, _)| k == key);
            found.map(|(_, v)| v.clone()).unwrap_or_default()
        };
        let or_tag = |key: &str| match text(event.get(key)) {
            told if told.is_empty() => tag(key),
            told => told,
        };
        let message = [
            entry("message").and_then(|m| m.get("formatted").or_else(|| m.get("message"))),
            event.pointer("/logentry/formatted"),
            event.pointer("/logentry/message"),
            event.pointer("/message/formatted"),
            event.get("message"),
        ]
        .into_iter()
        .map(|at| {
            clean::block(
                at.and_then(Value::as_str).unwrap_or_default(),
                MESSAGE_BYTES_MAX,
            )
        })
        .find(|message| !message.is_empty())
        .unwrap_or_default();
        let release = match event.get("release") {
            Some(Value::Object(release)) => text(release.get("version")),
            _ => or_tag("release"),
        };
        Event {
            level: or_tag("level"),
            message,
            transaction: or_tag("transaction"),
            release,
            environment: or_tag("environment"),
            breadcrumbs: part("breadcrumbs", "breadcrumbs")
                .map(|part| breadcrumbs(&values(part)))
                .unwrap_or_default(),
            request: part("request", "request").map(request).unwrap_or_default(),
            tags,
            exceptions,
        }
    }

    /// What tells the root cause from others: a hash of the innermost cause's type and its frames in the project's own
    /// code. Frames outside of any function (a script's own lines, which say only who called) do not count where there
    /// are others.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        let own = |e: &'_ Exception| -> Vec<Frame> {
            let own: Vec<Frame> = e.frames.iter().filter(|f| f.own).cloned().collect();
            let named: Vec<Frame> = own
                .iter()
                .filter(|f| !matches!(f.function.as_str(), "" | "<module>" | "<main>"))
                .cloned()
                .collect();
            if named.is_empty() { own } else { named }
        };
        let (exception, frames) = self
            .exceptions
            .iter()
            .map(|e| (e, own(e)))
            .find(|(_, frames)| !frames.is_empty())?;
        let mut hash = Sha256::new();
        hash.update(exception.kind.as_bytes());
        for frame in frames {
            hash.update(format!(
                "\n{}:{}:{}",
                frame.file, frame.function, frame.line
            ));
        }
        Some(
            hash.finalize()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// For the model, the most telling first.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in [
            ("level", &self.level),
            ("transaction", &self.transaction),
            ("release", &self.release),
            ("environment", &self.environment),
            ("request", &self.request),
        ] {
            if !value.is_empty() {
                text.push_str(&format!("{name}: {value}\n"));
            }
        }
        if !self.message.is_empty() {
            text.push_str(&format!("message: {}\n", self.message));
        }
        // What was raised comes first, its causes below.
        for (n, exception) in self.exceptions.iter().rev().enumerate() {
            let head = match (exception.kind.as_str(), exception.value.as_str()) {
                ("", "") => "Stack trace".to_owned(),
                (kind, "") => kind.to_owned(),
                ("", value) => value.to_owned(),
                (kind, value) => format!("{kind}: {value}"),
            };
            let because = if n == 0 { "" } else { "caused by " };
            text.push_str(&format!("\n{because}{head}\n"));
            exception.write(&mut text);
        }
        if !self.tags.is_empty() {
            text.push_str("\nTags:\n");
            for (key, value) in &self.tags {
                text.push_str(&format!("  {key} = {value}\n"));
            }
        }
        if !self.breadcrumbs.is_empty() {
            text.push_str("\nBreadcrumbs, the latest last:\n");
            for crumb in &self.breadcrumbs {
                text.push_str(&format!("  {crumb}\n"));
            }
        }
        text
    }
}

impl Exception {
    fn write(&self, text: &mut String) {
        if self.frames.is_empty() {
            return;
        }
        text.push_str("Calls, the innermost first:\n");
        let (mut open, mut named, mut left) = (0, 0, 0);
        for frame in self.frames.iter().rev() {
            let shown = frame.own && open < OPEN_FRAMES_MAX;
            if !shown && named >= NAMED_FRAMES_MAX {
                left += 1;
                continue;
            }
            let place = match frame.line {
                0 => frame.file.clone(),
                line => format!("{}:{line}", frame.file),
            };
            let function = match frame.function.as_str() {
                "" => "?",
                function => function,
            };
            let outside = if frame.own {
                ""
            } else {
                " (not the project's)"
            };
            text.push_str(&format!("  {place} in {function}{outside}\n"));
            if !shown {
                named += 1;
                continue;
            }
            open += 1;
            for (number, line) in &frame.source {
                let mark = if *number == frame.line { '>' } else { ' ' };
                text.push_str(&format!("    {mark} {number:>4} | {line}\n"));
            }
            for (name, value) in &frame.variables {
                text.push_str(&format!("      {name} = {value}\n"));
            }
        }
        if left > 0 {
            text.push_str(&format!("  … {left} more\n"));
        }
    }
}

/// A list, or a map that holds one under `values`.
fn values(part: &Value) -> Vec<Value> {
    let list = part.get("values").unwrap_or(part).as_array();
    list.map(|list| list.iter().filter(|v| v.is_object()).cloned().collect())
        .unwrap_or_default()
}

/// The first of these keys: Sentry's API and SDKs spell them apart.
fn either<'v>(value: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    keys.iter()
        .find_map(|key| value.get(*key).filter(|v| !v.is_null()))
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => clean::line(text, NAME_BYTES_MAX),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(yes)) => yes.to_string(),
        _ => String::new(),
    }
}

fn exception(value: &Value) -> Exception {
    let said = value
        .get("value")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Exception {
        kind: text(value.get("type")),
        value: clean::line(said, MESSAGE_BYTES_MAX),
        frames: value.get("stacktrace").map(frames).unwrap_or_default(),
    }
}

fn frames(trace: &Value) -> Vec<Frame> {
    let all = trace.get("frames").and_then(Value::as_array);
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let from = all.len().saturating_sub(FRAMES_MAX);
    all[from..].iter().map(frame).collect()
}

fn frame(value: &Value) -> Frame {
    let line = either(value, &["lineNo", "lineno"])
        .and_then(Value::as_u64)
        .unwrap_or(0);
    let file = text(either(
        value,
        &["filename", "absPath", "abs_path", "module"],
    ));
    let own = either(value, &["inApp", "in_app"])
        .and_then(Value::as_bool)
        .unwrap_or_else(|| {
            !is_vendored(&text(either(value, &["absPath", "abs_path", "filename"])))
        });
    Frame {
        function: text(value.get("function")),
        source: source(value, line),
        variables: variables(value.get("vars").and_then(Value::as_object)),
        file,
        line,
        own,
    }
}

/// Whether a path is that of an installed dependency or of a language's own library, where an event does not say.
fn is_vendored(path: &str) -> bool {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    path.is_empty()
        || path.starts_with('<')
        || path.starts_with("node:")
        || parts.iter().any(|part| {
            matches!(
                *part,
                "site-packages"
                    | "dist-packages"
                    | "node_modules"
                    | "vendor"
                    | ".cargo"
                    | ".rustup"
                    | ".pyenv"
                    | "rustc"
            )
        })
        || parts.windows(2).any(|pair| {
            let version = |tail: &str| tail.starts_with(|c: char| c.is_ascii_digit());
            let of_python = pair[1].strip_prefix("python").is_some_and(version);
            (matches!(pair[0], "lib" | "lib64") && of_python) || pair == ["go", "src"]
        })
}

fn source(value: &Value, line: u64) -> Vec<(u64, String)> {
    let shown = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        // Its indentation is part of it.
        clean::block(text, SOURCE_BYTES_MAX).replace('\n', " ")
    };
    if let Some(context) = value.get("context").and_then(Value::as_array) {
        let pairs = context.iter().filter_map(|pair| {
            let number = pair.get(0)?.as_u64()?;
            // Two lines each way are enough to find the place in the repository.
            (number.abs_diff(line) <= 2).then(|| (number, shown(&pair[1])))
        });
        return pairs.collect();
    }
    let Some(here) = value.get("context_line").filter(|l| l.is_string()) else {
        return Vec::new();
    };
    let list = |key: &str| {
        let list = value.get(key).and_then(Value::as_array);
        list.map(Vec::as_slice).unwrap_or_default()
    };
    let pre = list("pre_context");
    let pre = &pre[pre.len().saturating_sub(2)..];
    let first = line.saturating_sub(pre.len() as u64);
    pre.iter()
        .chain([here])
        .chain(list("post_context").iter().take(2))
        .zip(first..)
        .map(|(text, number)| (number, shown(text)))
        .collect()
}

fn variables(vars: Option<&Map<String, Value>>) -> Vec<(String, String)> {
    vars.into_iter()
        .flatten()
        .filter(|(name, _)| !name.starts_with("__"))
        .take(VARIABLES_MAX)
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            (
                clean::line(name, 80),
                clean::line(&value, VARIABLE_BYTES_MAX),
            )
        })
        .collect()
}

/// Tags: a map, a list of pairs, or a list of `{key, value}`.
fn tags(value: Option<&Value>) -> Vec<(String, String)> {
    let pairs: Vec<(String, String)> = match value {
        Some(Value::Object(map)) => map
            .iter()
            .map(|(k, v)| (k.clone(), text(Some(v))))
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .map(|entry| match entry {
                Value::Array(_) => (text(entry.get(0)), text(entry.get(1))),
                _ => (text(entry.get("key")), text(entry.get("value"))),
            })
            .collect(),
        _ => Vec::new(),
    };
    pairs
        .into_iter()
        .filter(|(key, _)| !key.is_empty())
        .take(TAGS_MAX)
        .map(|(key, value)| (clean::line(&key, 80), value))
        .collect()
}

fn breadcrumbs(values: &[Value]) -> Vec<String> {
    let from = values.len().saturating_sub(BREADCRUMBS_MAX);
    values[from..]
        .iter()
        .map(|crumb| {
            let said = [
                text(crumb.get("timestamp")),
                text(crumb.get("level")),
                text(crumb.get("category")),
                text(crumb.get("message")),
            ];
            let mut said: Vec<&str> = said
                .iter()
                .map(String::as_str)
                .filter(|part| !part.is_empty())
                .collect();
            let data = crumb
                .get("data")
                .and_then(Value::as_object)
                .map(shown_data)
                .unwrap_or_default();
            if !data.is_empty() {
                said.push(&data);
            }
            clean::line(&said.join(" "), BREADCRUMB_BYTES_MAX)
        })
        .filter(|crumb| !crumb.is_empty())
        .collect()
}

fn shown_data(data: &Map<String, Value>) -> String {
    variables(Some(data))
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Method and address, without the query; headers, cookies and the body stay out, because of what may be in them.
fn request(value: &Value) -> String {
    let url = text(value.get("url"));
    let url = url.split(['?', '#']).next().unwrap_or_default();
    clean::line(
        &format!("{} {url}", text(value.get("method"))),
        NAME_BYTES_MAX,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secretive::scrubbed;
    use serde_json::json;

    /// The same event as an SDK sends it and as Sentry's API gives it.
    fn both() -> [Value; 2] {
        let sdk = json!({
            "level": "error", "transaction": "api.orders", "release": "shop@1.0", "environment": "prod",
            "tags": {"area": "api"},
            "exception": {"values": [
                {"type": "KeyError", "value": "'price'", "stacktrace": {"frames": [
                    {"filename": "flask/app.py", "abs_path": "/v/site-packages/flask/app.py", "function": "dispatch", "lineno": 9, "in_app": false},
                    {"filename": "shop/api.py", "function": "order", "lineno": 12, "in_app": true,
                     "pre_context": ["def order(o):", "    log(o)"], "context_line": "    return o[\"price\"]", "post_context": [""],
                     "vars": {"o": {"id": 7}, "api_token": "s3cr3t"}}]}},
                {"type": "ValueError", "value": "bad order", "stacktrace": {"frames": [
                    {"filename": "shop/web.py", "function": "handle", "lineno": 3, "in_app": true}]}}]},
            "breadcrumbs": {"values": [{"category": "http", "message": "GET /orders/7", "level": "info", "data": {"password": "hunter2", "status": 500}}]},
            "request": {"method": "GET", "url": "https://shop.example/orders/7?token=abc", "headers": {"Cookie": "x"}}
        });
        let api = json!({
            "title": "ValueError: bad order", "release": {"version": "shop@1.0"},
            "tags": [{"key": "level", "value": "error"}, {"key": "transaction", "value": "api.orders"},
                     {"key": "environment", "value": "prod"}, {"key": "area", "value": "api"}],
            "entries": [
                {"type": "exception", "data": {"values": [
                    {"type": "KeyError", "value": "'price'", "stacktrace": {"frames": [
                        {"filename": "flask/app.py", "absPath": "/v/site-packages/flask/app.py", "function": "dispatch", "lineNo": 9, "inApp": false},
                        {"filename": "shop/api.py", "function": "order", "lineNo": 12, "inApp": true,
                         "context": [[10, "def order(o):"], [11, "    log(o)"], [12, "    return o[\"price\"]"], [13, ""]],
                         "vars": {"o": {"id": 7}, "api_token": "s3cr3t"}}]}},
                    {"type": "ValueError", "value": "bad order", "stacktrace": {"frames": [
                        {"filename": "shop/web.py", "function": "handle", "lineNo": 3, "inApp": true}]}}]}},
                {"type": "breadcrumbs", "data": {"values": [{"category": "http", "message": "GET /orders/7", "level": "info", "data": {"password": "hunter2", "status": 500}}]}},
                {"type": "request", "data": {"method": "GET", "url": "https://shop.example/orders/7?token=abc"}}]
        });
        [sdk, api]
    }

    #[test]
    fn both_forms_say_the_same() {
        let [sdk, api] = both().map(|event| Event::read(&scrubbed(&event)));
        assert_eq!(sdk.fingerprint(), api.fingerprint());
        assert_eq!(sdk.transaction, "api.orders");
        for event in [sdk, api] {
            let text = event.text();
            for part in [
                "ValueError: bad order",
                "caused by KeyError: 'price'",
                "  shop/api.py:12 in order\n",
                "    >   12 |     return o[\"price\"]\n",
                "      o = {\"id\":7}\n",
                "      api_token = [left out]\n",
                "  flask/app.py:9 in dispatch (not the project's)\n",
                "area = api",
                "http GET /orders/7 password=[left out] status=500",
                "request: GET https://shop.example/orders/7\n",
                "release: shop@1.0",
            ] {
                assert!(text.contains(part), "{part} is not in\n{text}");
            }
            assert!(
                !text.contains("hunter2") && !text.contains("s3cr3t"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_fingerprint_is_of_the_cause_in_the_projects_code() {
        let [event, _] = both();
        let of = |event: &Value| Event::read(event).fingerprint();
        let first = of(&event).unwrap();
        assert_eq!(first.len(), 64);
        let changed = |pointer: &str, value: Value| {
            let mut event = event.clone();
            *event.pointer_mut(pointer).unwrap() = value;
            of(&event).unwrap()
        };
        let cause = "/exception/values/0";
        let frame = format!("{cause}/stacktrace/frames/1");
        // Neither the message nor another's code nor what it was turned into.
        assert_eq!(changed(&format!("{cause}/value"), json!("'tax'")), first);
        assert_eq!(
            changed(&format!("{cause}/stacktrace/frames/0/lineno"), json!(1)),
            first
        );
        assert_eq!(changed("/exception/values/1/type", json!("IOError")), first);
        assert_ne!(
            changed(&format!("{cause}/type"), json!("IndexError")),
            first
        );
        assert_ne!(changed(&format!("{frame}/lineno"), json!(13)), first);
        assert_ne!(
            changed(&format!("{frame}/function"), json!("orders")),
            first
        );
        assert_eq!(of(&json!({"message": "disk is full"})), None);
        assert_eq!(
            of(&json!({"exception": {"values": [{"type": "E", "value": "v"}]}})),
            None
        );
    }

    #[test]
    fn what_is_named_like_a_secret_is_not_kept() {
        let event = json!({
            "request": {"headers": [["X-Api-Key", "k1"], ["Accept", "*/*"]], "cookies": {"sid": "c1"}, "data": {"a": [{"Password": "p1"}]}},
            "vars": {"token": null, "tokens": 7, "order": 7}
        });
        let clean = scrubbed(&event);
        let text = clean.to_string();
        for secret in ["k1", "c1", "p1"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!(clean["request"]["headers"][1], json!(["Accept", "*/*"]));
        assert_eq!(
            clean["vars"],
            json!({"token": null, "tokens": "[left out]", "order": 7})
        );
        let [event, _] = both();
        assert_eq!(
            Event::read(&scrubbed(&event)).fingerprint(),
            Event::read(&event).fingerprint()
        );
    }

    #[test]
    fn frames_of_a_languages_own_library_are_not_the_projects() {
        for path in [
            "/usr/lib/python3.11/fractions.py",
            "/home/ann/.pyenv/versions/3.11.7/lib/python3.11/fractions.py",
            "C:\\Python\\lib\\python3\\json.py",
            "/usr/local/go/src/net/http/server.go",
            "node:internal/process/task_queues",
        ] {
            assert!(is_vendored(path), "{path}");
        }
        for path in [
            "/srv/shop/pricing.py",
            "lib/python_tools.py",
            "lib/pythonic/a.py",
            "src/lib/orders.js",
            "go/orders.go",
        ] {
            assert!(!is_vendored(path), "{path}");
        }
    }

    #[test]
    fn nonsense_is_read_without_harm() {
        for event in [
            json!(null),
            json!([1]),
            json!({"exception": 5, "tags": "x", "breadcrumbs": [1, "a"], "entries": {"a": 1}}),
            json!({"exception": {"values": [{"stacktrace": {"frames": [1, {"lineno": -4, "vars": [], "context": [[1], "x", [2, 5]]}]}}]}}),
            json!({"threads": {"values": [{"stacktrace": null}]}}),
        ] {
            let event = Event::read(&event);
            event.text();
            event.fingerprint();
        }
        let frame = json!({"filename": "a", "function": "f".repeat(100_000), "lineno": 1, "in_app": true, "context_line": "x".repeat(100_000)});
        let deep =
            json!({"exception": {"values": [{"stacktrace": {"frames": vec![frame; 5_000]}}]}});
        let text = Event::read(&deep).text();
        assert!(text.len() < 64 * 1024, "{}", text.len());
        assert!(text.contains("… 54 more"), "{text}");
    }
}
