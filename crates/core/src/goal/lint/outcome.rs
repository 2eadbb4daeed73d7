//! The outcome is one sentence that is true or false.

use super::super::diagnostic::{Findings, quoted};
use super::super::parse::Parsed;

/// Characters from which on an outcome is no headline any more.
pub const OUTCOME_CHARS_LONG: usize = 200;

/// Words that make an outcome a matter of taste.
const VAGUE: &[&str] = &[
    "improve",
    "improves",
    "improved",
    "better",
    "nicer",
    "cleaner",
    "enhance",
    "enhanced",
    "optimize",
    "optimized",
    "optimise",
    "optimised",
    "polish",
    "polished",
    "clean up",
    "cleaned up",
    "cleanup",
    "refactor",
    "refactored",
    "as much as possible",
    "as far as possible",
    "if possible",
    "as needed",
    "where appropriate",
    "properly",
    "and so on",
    "etc",
    "various",
    "try to",
    "work on",
    "look into",
];

pub(super) fn judge(parsed: &Parsed, findings: &mut Findings) {
    let outcome = parsed.goal.outcome.as_str();
    let at = parsed.positions.span("outcome");
    let chars = outcome.chars().count();
    if chars > OUTCOME_CHARS_LONG {
        findings.warn(
            "long-outcome",
            at,
            format!("`outcome` has {chars} characters: it heads the pull request and the report, and more than {OUTCOME_CHARS_LONG} are not read"),
            "say what is true in one sentence, and move the rest under the closing `---`",
        );
    }
    let sentences = sentences(outcome);
    if sentences > 1 {
        findings.warn(
            "many-outcomes",
            at,
            format!("`outcome` has {sentences} sentences: one run has one outcome, and the second is easily forgotten"),
            "keep the sentence that must be true in the end; make the others checks of `done`, or a goal of their own",
        );
    }
    let words = normal(outcome);
    if let Some(word) = VAGUE
        .iter()
        .find(|word| words.contains(&format!(" {word} ")))
    {
        findings.warn(
            "vague-outcome",
            at,
            format!(
                "{} can be more or less true: a model will find that it is true enough",
                quoted(word)
            ),
            "say what can be observed: \"Every page of /admin answers within 200 ms.\"",
        );
    }
}

/// Lower-case words with one blank around each.
fn normal(text: &str) -> String {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect();
    format!(" {} ", words.join(" "))
}

/// Ends of sentences: `.`, `!` or `?`, then a blank, then a capital letter.
fn sentences(text: &str) -> usize {
    let chars: Vec<char> = text.chars().collect();
    let ends = chars.windows(3).filter(|w| {
        matches!(w[0], '.' | '!' | '?')
            && w[1].is_whitespace()
            && (w[2].is_uppercase() || w[2].is_whitespace())
    });
    1 + ends.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviations_and_versions_end_no_sentence() {
        assert_eq!(sentences("It runs on v1.2. of the tool, e.g. on CI."), 1);
        assert_eq!(sentences("It runs. It is fast! Is it?"), 3);
    }

    #[test]
    fn words_are_compared_whole() {
        assert!(normal("Make it better.").contains(" better "));
        assert!(!normal("The letterbetterbox").contains(" better "));
    }
}
