//! What the goal says about a source: its keys, and the names of its secrets.

use overnight_core::goal::Items;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{Opening, is_here};

/// Length of the name of an environment variable, bytes.
const VARIABLE_BYTES_MAX: usize = 100;
/// Length of a text that the goal gives a source, bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// The keys of `items`, with errors that name them.
pub(crate) struct Spec<'a> {
    pub items: &'a Items,
    cx: &'a Opening<'a>,
}

impl<'a> Spec<'a> {
    pub(crate) fn new(items: &'a Items, cx: &'a Opening<'a>) -> Self {
        Spec { items, cx }
    }

    /// A text that may be absent. Numbers are texts as well: `project: 1`.
    pub(crate) fn text(&self, key: &str) -> Result<Option<String>, String> {
        let text = match self.items.spec.get(key) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => {
                return Err(format!("`items.{key}` must be a text"));
            }
        };
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!(
                "`items.{key}` is longer than {TEXT_BYTES_MAX} bytes"
            ));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    /// A text that must be there.
    pub(crate) fn needed(&self, key: &str, like: &str) -> Result<String, String> {
        self.text(key)?.ok_or_else(|| {
            format!(
                "`items: {{from: {}}}` needs `{key}`, for example `{key}: {like}`",
                self.items.from
            )
        })
    }

    /// The base address: https, or http on this machine, because a token goes there.
    pub(crate) fn url(&self, default: Option<&str>) -> Result<Url, String> {
        let text = match (self.text("url")?, default) {
            (Some(text), _) => text,
            (None, Some(default)) => default.to_owned(),
            (None, None) => self.needed("url", "https://errors.example.org")?,
        };
        let bad = |why: &str| {
            format!("`items.url` {why}; write for example `https://errors.example.org`")
        };
        let mut url = Url::parse(&text).map_err(|_| bad("is no address"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad(
                "holds a user or a password; a token belongs into an environment variable",
            ));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad("names no host"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_here(&url) => {}
            "http" => {
                return Err(bad(
                    "would send a token over plain HTTP; only this machine may be reached so",
                ));
            }
            _ => return Err(bad("begins with neither https:// nor http://")),
        }
        url.set_fragment(None);
        url.set_query(None);
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(url)
    }

    /// The secret in the environment variable that `key` names, else in `default`. A secret that stands in the goal
    /// file itself is refused: the model reads that file.
    pub(crate) fn secret(&self, key: &str, default: &str) -> Result<SecretString, String> {
        let named = self.text(key)?;
        let name = named.as_deref().unwrap_or(default);
        if !is_variable(name) {
            return Err(format!(
                "`items.{key}` must be the name of an environment variable, like `{default}`: the model reads the goal file, so no token may stand in it"
            ));
        }
        let secret = (self.cx.secret)(name)?.filter(|s| !s.expose_secret().trim().is_empty());
        let Some(secret) = secret else {
            let other = match named {
                Some(_) => String::new(),
                None => format!(", or name another variable with `items.{key}`"),
            };
            return Err(format!(
                "`items: {{from: {}}}` needs a token: set the environment variable {name}, or name a command that prints it under `[secrets]` in your own configuration{other}",
                self.items.from
            ));
        };
        let secret = secret.expose_secret().trim();
        // It becomes a header.
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "what the environment variable {name} holds, or the command for it prints, is no token: it has characters that a token never has"
            ));
        }
        Ok(SecretString::from(secret))
    }

    /// A list of texts, or one text with commas.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, String> {
        match self.items.spec.get(key) {
            Some(Value::Array(values)) => values
                .iter()
                .map(|value| match value {
                    Value::String(text) => Ok(text.trim().to_owned()),
                    _ => Err(format!("`items.{key}` must be a list of texts")),
                })
                .collect(),
            _ => Ok(self
                .text(key)?
                .map(|text| text.split(',').map(|part| part.trim().to_owned()).collect())
                .unwrap_or_default()),
        }
    }
}

/// Whether it is an environment variable's name, as people write those of secrets. Tokens have lower-case letters.
fn is_variable(name: &str) -> bool {
    name.len() <= VARIABLE_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && name.bytes().any(|b| b.is_ascii_uppercase())
}

/// `org/project` or the like: two parts without anything that could leave their place in an address.
pub(crate) fn pair<'p>(key: &str, text: &'p str, like: &str) -> Result<(&'p str, &'p str), String> {
    let usable = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    match text.split_once('/') {
        Some((left, right)) if usable(left) && usable(right) => Ok((left, right)),
        _ => Err(format!("`items.{key}` must be written like `{like}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_tokens() {
        for name in ["SENTRY_AUTH_TOKEN", "T2", "_X"] {
            assert!(is_variable(name), "{name}");
        }
        for token in [
            "sntrys_eyJ",
            "ghp_abcDEF",
            "9d14c2f868ce9a40",
            "",
            "A B",
            "___",
            "$TOKEN",
        ] {
            assert!(!is_variable(token), "{token}");
        }
    }

    #[test]
    fn pairs_stay_in_their_place() {
        assert_eq!(pair("project", "shop/api", "x/y"), Ok(("shop", "api")));
        for bad in ["shop", "shop/", "/api", "a/b/c", "a/..", "a/b?x", "a/%2e"] {
            assert!(pair("project", bad, "x/y").is_err(), "{bad}");
        }
    }
}
