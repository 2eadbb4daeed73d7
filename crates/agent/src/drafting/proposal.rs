//! The front matter of what a model proposes. Models wrap it in fences and prose, or leave the fences out; what is
//! taken is judged and shown, so that reading it generously decides nothing.

use overnight_core::goal::parse::TOP_KEYS;

/// The lines between the two `---`, without them; nothing if there is no contract in the text.
pub fn front_matter(text: &str) -> Option<String> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let lines: Vec<&str> = text.lines().collect();
    let is_mark = |line: &&str| line.trim_end() == "---";
    let is_fence = |line: &&str| line.trim_start().starts_with("```");
    if let Some(open) = lines.iter().position(is_mark) {
        let rest = &lines[open + 1..];
        // Without a closing mark the contract ends with its fence, or with the text.
        let close = rest
            .iter()
            .position(is_mark)
            .or_else(|| rest.iter().position(is_fence))
            .unwrap_or(rest.len());
        if begins_with_key(&rest[..close]) {
            return Some(joined(&rest[..close]));
        }
    }
    if let Some(open) = lines.iter().position(is_fence) {
        let rest = &lines[open + 1..];
        let close = rest.iter().position(is_fence).unwrap_or(rest.len());
        if begins_with_key(&rest[..close]) {
            return Some(joined(&rest[..close]));
        }
    }
    begins_with_key(&lines).then(|| joined(&lines))
}

/// The same of an answer that proposes nothing in form: only what has an outcome is taken for a proposal.
pub(super) fn in_words(text: &str) -> Option<String> {
    front_matter(text).filter(|front| front.lines().any(|line| line.starts_with("outcome:")))
}

/// Whether the first line that says something begins with a key of a goal.
fn begins_with_key(lines: &[&str]) -> bool {
    let mut said = lines.iter().filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with('#')
    });
    said.next()
        .and_then(|line| line.split_once(':'))
        .is_some_and(|(key, _)| TOP_KEYS.contains(&key.trim().trim_matches(['"', '\''])))
}

fn joined(lines: &[&str]) -> String {
    let text = lines.join("\n");
    text.trim_start_matches('\n').trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_is_found_however_it_is_wrapped() {
        const FRONT: &str = "outcome: It works.\ndone: [npm test]";
        for text in [
            format!("---\n{FRONT}\n---\nBrief."),
            format!("\u{feff}---\r\n{}\r\n---\r\n", FRONT.replace('\n', "\r\n")),
            format!("Here it is:\n\n```yaml\n---\n{FRONT}\n---\nBrief.\n```\nGood luck."),
            format!("```yaml\n{FRONT}\n```"),
            format!("---\n{FRONT}\n```\n"),
            format!("\n{FRONT}\n"),
        ] {
            assert_eq!(front_matter(&text).as_deref(), Some(FRONT), "{text}");
        }
    }

    #[test]
    fn what_is_no_contract_is_none() {
        for text in [
            "",
            "---",
            "---\n---",
            "I will look first.\n\n---\n\nThen I propose: nothing.",
            "```sh\nnpm test\n```",
        ] {
            assert_eq!(front_matter(text), None, "{text}");
        }
        assert_eq!(in_words("done: soon"), None);
        assert!(in_words("```\noutcome: x\n```").is_some());
    }

    #[test]
    fn a_second_contract_below_the_first_is_not_looked_at() {
        let text = "---\noutcome: a\n---\nWords.\n---\noutcome: b\n---\n";
        assert_eq!(front_matter(text).as_deref(), Some("outcome: a"));
    }
}
