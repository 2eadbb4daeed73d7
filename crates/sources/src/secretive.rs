//! Secrets in events: an error tracker keeps variables, headers and messages as they were, and what it keeps is journaled
//! here, fed to a replay and shown to a model.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// Parts of names of values that are left out: lower case, without `-` and `_`.
const NAMES: [&str; 19] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "authentication",
    "cookie",
    "credential",
    "sessionid",
    "sessionkey",
    "csrf",
    "xsrf",
    "jwt",
    "bearer",
];
/// Where a frame has source text and names of code, which the repository holds too: they are not looked through, so that
/// a line like `token = read(x)` stays what it is.
const CODE: [&str; 14] = [
    "context_line",
    "contextLine",
    "pre_context",
    "preContext",
    "post_context",
    "postContext",
    "context",
    "filename",
    "abs_path",
    "absPath",
    "module",
    "package",
    "function",
    "rawFunction",
];
/// Stands where a secret was.
const LEFT_OUT: &str = "[left out]";

/// `Bearer …` and the like. What follows must look like a secret: "basic authentication" does not.
static SCHEME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(bearer|basic|digest|negotiate)(\s+)([a-z0-9._~+/=-]{8,})")
        .expect("a good expression")
});
/// `password=…`, `"token": "…"`, `X-Api-Key: …`.
static ASSIGNED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?i)([a-z0-9_-]*(?:passw(?:or)?d|passphrase|\bpwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization|cookie|credentials?|session[_-]?(?:id|key)|[cx]srf|\bjwt)[a-z0-9_-]*)(["'\\]*\s*(?:=>?|:|%3D)\s*["'\\]*)([^\s"'&,;<>(){}\[\]\\]{4,})"#,
    )
    .expect("a good expression")
});
/// How well-known tokens look.
static KNOWN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\b(?:sntry[su]_|gh[oprsu]_|github_pat_|glpat-|lin_api_|xox[abeprs]-|sk-|[sr]k_live_|AKIA|ASIA|AIza|npm_|eyJ[A-Za-z0-9_-]{6,}\.)[A-Za-z0-9_./+=-]{12,}",
    )
    .expect("a good expression")
});
/// A name and a password in an address.
static IN_ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"://[^/\s:@?#]*:[^/\s@?#]+@").expect("a good expression"));

/// Whether a value of this name is left out.
fn secretive(name: &str) -> bool {
    let mut plain = name.to_lowercase();
    plain.retain(|c| c != '-' && c != '_' && c != ' ');
    NAMES.iter().any(|part| plain.contains(part))
}

/// The same event without secrets, at any depth: without the values of what is named like one, and without what looks
/// like one in any text that is not source.
pub(crate) fn scrubbed(event: &Value) -> Value {
    match event {
        Value::Object(fields) => Value::Object(object(fields)),
        Value::Array(list) => match list.as_slice() {
            // Headers and tags are pairs.
            [Value::String(name), value] if secretive(name) && !plain(value) => {
                Value::from(vec![name.as_str(), LEFT_OUT])
            }
            list => list.iter().map(scrubbed).collect(),
        },
        Value::String(text) => Value::from(words(text)),
        other => other.clone(),
    }
}

fn object(fields: &Map<String, Value>) -> Map<String, Value> {
    // Tags are pairs of this form as well.
    let named = ["key", "name"]
        .iter()
        .find_map(|key| fields.get(*key)?.as_str())
        .is_some_and(secretive);
    // A variable may be called `context` too; a frame knows its place.
    let frame = ["filename", "absPath", "abs_path", "function"]
        .iter()
        .any(|key| fields.contains_key(*key));
    let scrub = |(name, value): (&String, &Value)| {
        let code = frame && !value.is_object() && CODE.contains(&name.as_str());
        let value = if plain(value) || code {
            value.clone()
        } else if secretive(name) || (named && name == "value") {
            Value::from(LEFT_OUT)
        } else {
            scrubbed(value)
        };
        (name.clone(), value)
    };
    fields.iter().map(scrub).collect()
}

/// What can be no secret.
fn plain(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(_))
}

/// A text without what looks like a secret: an error's own words are in its title too.
pub(crate) fn words(text: &str) -> Cow<'_, str> {
    fn through<'t>(
        text: Cow<'t, str>,
        form: &Regex,
        by: impl Fn(&Captures<'_>) -> String,
    ) -> Cow<'t, str> {
        match form.replace_all(&text, by) {
            Cow::Borrowed(_) => text,
            Cow::Owned(other) => Cow::Owned(other),
        }
    }
    let text = through(Cow::Borrowed(text), &SCHEME, |found| {
        match found[3].bytes().any(|b| b.is_ascii_digit()) {
            true => format!("{}{}{LEFT_OUT}", &found[1], &found[2]),
            false => found[0].to_owned(),
        }
    });
    let text = through(text, &KNOWN, |_| LEFT_OUT.to_owned());
    let text = through(text, &IN_ADDRESS, |_| format!("://{LEFT_OUT}@"));
    through(text, &ASSIGNED, |found| {
        let scheme = ["bearer", "basic", "digest", "negotiate"];
        match scheme.contains(&found[3].to_lowercase().as_str()) {
            // What follows it was seen to.
            true => found[0].to_owned(),
            false => format!("{}{}{LEFT_OUT}", &found[1], &found[2]),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_left_out_wherever_an_event_may_have_it() {
        let event = json!({
            "message": "POST https://ann:hush77@pay.example/x?token=hush1234&id=7 failed: Bearer hush.1234abcd",
            "logentry": {"formatted": "login with password: hush1234, user ann"},
            "request": {
                "headers": [["Authorization", "Basic aHVzaDE6MjM="], ["X-Api-Key", "hush"], ["Accept", "*/*"]],
                "cookies": {"sid": "hush"},
                "data": {"user": "ann", "Password": "hush", "nested": [{"private-key": ["hush"]}]},
                "query_string": "id=7&api_key=hush1234"
            },
            "tags": [["session_id", "hush"], {"key": "access_token", "value": "hush"}, ["area", "api"]],
            "breadcrumbs": {"values": [
                {"message": "Authorization: Bearer hush1234hush", "data": {"url": "/x?csrf_token=hush1234"}},
                {"data": {"reason": "{\"token\": \"hush1234\"}", "set-cookie": "hush"}}
            ]},
            "exception": {"values": [{"type": "AuthError", "value": "refused 'secret'='hush1234'", "stacktrace": {"frames": [
                {"function": "read_token", "lineno": 7, "context_line": "token = request.headers[name]",
                 "vars": {"o": {"deep": {"pwd": "hush"}}, "context": {"password": "hush"}, "module": "token=hush1234", "r": "{'api_key': 'hush1234'}", "passwords": 3, "token": null,
                          "j": "eyJhbGciOiJI.eyJzdWIiOihush1234.hush", "k": "AKIAHUSHHUSHHUSH1234"}}]}}]}
        });
        let clean = scrubbed(&event);
        let text = clean.to_string().to_lowercase();
        for secret in ["hush", "ahvzade6mjm"] {
            assert!(!text.contains(secret), "{clean:#}");
        }
        let frame = "/exception/values/0/stacktrace/frames/0";
        for (at, stays) in [
            ("/request/headers/2/1", json!("*/*")),
            ("/request/data/user", json!("ann")),
            ("/tags/2/1", json!("api")),
            (&format!("{frame}/function"), json!("read_token")),
            (
                &format!("{frame}/context_line"),
                json!("token = request.headers[name]"),
            ),
            (&format!("{frame}/vars/token"), json!(null)),
            ("/request/query_string", json!("id=7&api_key=[left out]")),
        ] {
            assert_eq!(clean.pointer(at), Some(&stays), "{at}");
        }
    }

    #[test]
    fn ordinary_words_stay() {
        for text in [
            "Unexpected token } in JSON at position 7",
            "KeyError: 'token'",
            "basic authentication failed",
            "the secretary's password is missing",
            "GET /orders/7?page=2 → 500",
            "Не удалось прочитать файл: cookie",
            "http://127.0.0.1:8080/a:b@c",
        ] {
            assert_eq!(words(text), text);
        }
    }
}
