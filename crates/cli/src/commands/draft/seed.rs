//! What the harness knows of the repository without a model, in the form in which a goal says it: what `overnight new`
//! would fill in.

use super::super::new::fill::{list, scalar};
use super::super::new::look::Found;

/// One line a fact.
pub fn lines(found: &Found, prefix: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |what: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{what}: {value}")));
    };
    say(
        "the person is in the folder (paths of a goal are relative to the root all the same)",
        (!prefix.is_empty()).then(|| prefix.to_owned()),
    );
    say(
        "tests are run with `tests:` or `run:`",
        found.tests.as_deref().map(scalar),
    );
    say(
        "coverage is measured with",
        found.coverage.as_ref().map(|coverage| {
            let file = coverage
                .file
                .map_or_else(String::new, |file| format!("file: {}, ", scalar(file)));
            format!(
                "metric: {} read: {{format: {}, {file}value: {}}}",
                scalar(&coverage.command),
                coverage.format,
                scalar(coverage.value)
            )
        }),
    );
    say(
        "dependencies are installed with `use.setup:`",
        found.setup.as_deref().map(scalar),
    );
    if found.setup.is_none() {
        say(
            "no setup was found",
            Some("leave `use.setup` out".to_owned()),
        );
    }
    say("the implementation is at", list(&found.sources));
    say("tests are at", list(&found.tests_at));
    say("manifests and test configuration", list(&found.manifests));
    say("database migrations are at", list(&found.migrations));
    say("a page of documentation", found.page.as_deref().map(scalar));
    say(
        "code that it is likely about",
        found.routes.as_deref().map(scalar),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::super::super::new::look::Coverage;
    use super::*;

    #[test]
    fn facts_are_said_as_a_goal_says_them() {
        let found = Found {
            tests: Some("npm run test:ci".into()),
            setup: Some("npm ci".into()),
            coverage: Some(Coverage {
                command: "npx jest --coverage".into(),
                format: "istanbul",
                file: Some("coverage/coverage-summary.json"),
                value: "branches",
                edit: None,
            }),
            migrations: vec!["**/migrations/**".into()],
            ..Found::default()
        };
        let text = lines(&found, "api/").join("\n");
        for part in [
            "same): api/",
            "\"npm run test:ci\"",
            "`use.setup:`: npm ci",
            "read: {format: istanbul, file: coverage/coverage-summary.json, value: branches}",
            "[\"**/migrations/**\"]",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
