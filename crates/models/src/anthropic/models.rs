//! What differs from one Claude model to the next, as a table. A name that is not here gets [`OTHERS`]; what the server
//! then refuses is learnt from its words, so that a new model works before it stands here.

/// What is asked of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// `max_tokens`: how long one answer may be, thinking included.
    pub max_tokens: u64,
    /// Whether it thinks only if it is told that it may. Later models do so by themselves.
    pub ask_to_think: bool,
}

/// Names by their beginning, the first that fits.
const TABLE: &[(&str, Facts)] = &[
    ("claude-3-5", facts(8_192, false)),
    ("claude-3-7", facts(32_000, false)),
    ("claude-3", facts(4_096, false)),
    ("claude-opus-4-6", facts(64_000, true)),
    ("claude-opus-4-7", facts(64_000, true)),
    ("claude-opus-4-8", facts(64_000, true)),
    ("claude-sonnet-4-6", facts(64_000, true)),
    ("claude-opus-4", facts(32_000, false)),
    ("claude-sonnet-4", facts(32_000, false)),
    ("claude-haiku-4", facts(32_000, false)),
    // They think by default, and thinking counts.
    ("claude-", facts(64_000, false)),
];

/// Names that are no Claude: servers that speak this format for models of their own.
const OTHERS: Facts = facts(16_000, false);

const fn facts(max_tokens: u64, ask_to_think: bool) -> Facts {
    Facts {
        max_tokens,
        ask_to_think,
    }
}

pub(super) fn of(model: &str) -> Facts {
    TABLE
        .iter()
        .find(|(start, _)| model.starts_with(start))
        .map_or(OTHERS, |(_, facts)| *facts)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn every_row_of_the_table_can_be_reached() {
        for (at, (start, facts)) in TABLE.iter().enumerate() {
            assert_eq!(of(start), *facts, "{start}");
            assert!(
                TABLE[..at]
                    .iter()
                    .all(|(before, _)| !start.starts_with(before)),
                "{start} stands behind a shorter name"
            );
        }
        assert_eq!(of("qwen3"), OTHERS);
    }
}
