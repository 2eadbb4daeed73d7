//! Filling a template in. `{{name}}` stands for a word; a line that begins with `{{?name}}` is kept if the word is
//! known from the repository, one that begins with `{{!name}}` if it is not.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use super::look::Found;

/// A word of a template: known from the repository, or what stands there for the person to replace.
struct Word {
    text: String,
    known: bool,
}

/// The words of every template.
pub struct Words(BTreeMap<&'static str, Word>);

impl Words {
    /// What a repository says, in the form in which goals say it.
    pub fn of(found: &Found) -> Words {
        let mut words = Words(BTreeMap::new());
        let tests = found.tests.as_deref().map(scalar);
        words.put("tests", tests, "./run-tests.sh");
        words.put("setup", found.setup.as_deref().map(scalar), "");
        let coverage = found.coverage.as_ref();
        words.put(
            "coverage",
            coverage.map(|c| scalar(&c.command)),
            "./run-coverage.sh",
        );
        let read = coverage.map(|c| {
            let file = c.file.map(|file| format!("file: {}, ", scalar(file)));
            let (format, file) = (c.format, file.unwrap_or_default());
            format!("{{format: {format}, {file}value: {}}}", scalar(c.value))
        });
        words.put("read", read, "{format: regex, value: \"([0-9.]+)%\"}");
        words.put(
            "coverage-edit",
            coverage.and_then(|c| c.edit).map(str::to_owned),
            "",
        );
        let what = coverage.map(|c| match c.format {
            "regex" if !c.value.contains("All files") => "code",
            "regex" => "branches",
            _ => c.value,
        });
        words.put("covered", what.map(str::to_owned), "code");
        words.put("sources", list(&found.sources), "[\"src/**\"]");
        words.put("tests-at", list(&found.tests_at), "[\"tests/**\"]");
        let may: Vec<String> = [&found.sources[..], &found.tests_at[..]].concat();
        words.put("work-at", list(&may), "[\"src/**\", \"tests/**\"]");
        // Tests that stand beside the code are excepted from what is kept.
        let beside = |pattern: &&String| pattern.starts_with("**");
        let beside = found
            .tests_at
            .iter()
            .filter(beside)
            .map(|p| format!("!{p}"));
        let kept: Vec<String> = found
            .sources
            .iter()
            .cloned()
            .chain(beside)
            .chain(found.manifests.iter().cloned())
            .collect();
        let kept = list(&kept).filter(|_| !found.sources.is_empty());
        words.put("kept-code", kept, "[\"src/**\"]");
        let untouched: Vec<String> = found
            .sources
            .iter()
            .chain(&found.tests_at)
            .cloned()
            .collect();
        words.put("kept-all", list(&untouched), "[\"src/**\", \"tests/**\"]");
        words.put(
            "migrations",
            list(&found.migrations),
            "[\"**/migrations/**\"]",
        );
        words.put("page", found.page.as_deref().map(scalar), "docs/api.md");
        words.put("routes", found.routes.as_deref().map(scalar), "src/routes");
        words
    }

    fn put(&mut self, name: &'static str, text: Option<String>, otherwise: &str) {
        let known = text.is_some();
        let text = text.unwrap_or_else(|| otherwise.to_owned());
        self.0.insert(name, Word { text, known });
    }

    fn get(&self, name: &str) -> anyhow::Result<&Word> {
        self.0
            .get(name)
            .with_context(|| format!("the template's word `{name}`"))
    }
}

/// Fills a template in.
pub fn fill(template: &str, words: &Words) -> anyhow::Result<String> {
    let mut text = String::new();
    for line in template.lines() {
        let mut line = line;
        let mut kept = true;
        while let Some(rest) = line
            .strip_prefix("{{?")
            .or_else(|| line.strip_prefix("{{!"))
        {
            let wanted = line.starts_with("{{?");
            let (name, rest) = rest.split_once("}}").context("an open condition")?;
            kept &= words.get(name)?.known == wanted;
            line = rest;
        }
        if !kept {
            continue;
        }
        while let Some((before, rest)) = line.split_once("{{") {
            let Some((name, after)) = rest.split_once("}}") else {
                bail!("an open word in `{line}`");
            };
            text.push_str(before);
            text.push_str(&words.get(name)?.text);
            line = after;
        }
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}

/// A text as YAML, plain where that is safe also within `[…]` and `{…}`.
pub fn scalar(text: &str) -> String {
    let start = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '.' | '/'));
    let inner = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '/' | '_' | '-' | '=' | '+' | '@')
    };
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off"
    );
    if start && !word && text.chars().all(inner) && !text.ends_with(' ') {
        text.to_owned()
    } else {
        // JSON's texts are YAML's.
        serde_json::Value::from(text).to_string()
    }
}

/// Texts as a YAML list; nothing if there is none.
pub fn list(texts: &[String]) -> Option<String> {
    let all: Vec<String> = texts.iter().map(|text| scalar(text)).collect();
    (!all.is_empty()).then(|| format!("[{}]", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_stays_one_text_however_it_is_written() {
        for (text, yaml) in [
            ("npm test", "npm test"),
            ("npm run test:ci", "\"npm run test:ci\""),
            ("a && b", "\"a && b\""),
            ("true", "\"true\""),
            ("**/*.ts", "\"**/*.ts\""),
            ("say \"x\" # y", "\"say \\\"x\\\" # y\""),
        ] {
            assert_eq!(scalar(text), yaml);
        }
    }

    #[test]
    fn lines_are_kept_by_what_is_known() {
        let found = Found {
            tests: Some("npm test".into()),
            ..Found::default()
        };
        let words = Words::of(&found);
        let template = "{{?tests}}a {{tests}}\n{{!tests}}b\n{{!setup}}c {{sources}}.\n";
        assert_eq!(
            fill(template, &words).expect("it is whole"),
            "a npm test\nc [\"src/**\"].\n"
        );
        assert!(fill("{{nobody}}", &words).is_err());
    }
}
