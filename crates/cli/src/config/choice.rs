//! Which model works, and why that one; what it costs, and who says so.

use overnight_core::event::Price;
use overnight_core::goal::Goal;

use super::{Origin, Settings};
use crate::problem::usage;

/// A model with the reason why it is that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// `openai/NAME` …
    pub spec: String,
    /// For people: what named it.
    pub why: String,
}

/// The model that somebody named: the option, else the goal, else the configuration.
pub fn named(given: Option<&str>, goal: Option<&Goal>, settings: &Settings) -> Option<Chosen> {
    let chosen = |spec: &str, why: String| Chosen {
        spec: spec.to_owned(),
        why,
    };
    if let Some(spec) = given {
        return Some(chosen(spec, "`--model`".to_owned()));
    }
    if let Some(spec) = goal.and_then(|goal| goal.uses.model.as_deref()) {
        return Some(chosen(spec, "the goal's `use.model`".to_owned()));
    }
    settings
        .model()
        .map(|(spec, origin)| chosen(spec, origin.to_string()))
}

/// The model that works: one that somebody named.
pub async fn model(
    given: Option<&str>,
    goal: Option<&Goal>,
    settings: &Settings,
) -> anyhow::Result<Chosen> {
    named(given, goal, settings).ok_or_else(|| {
        usage(
            "no model: give `--model openai/NAME` (with OPENAI_API_KEY set) or `--model scripted/FILE`, set `use.model` \
             in the goal, `model = \"…\"` in the configuration (`overnight config`), or OVERNIGHT_MODEL",
        )
    })
}

/// What the model costs: `--price`, else the configuration.
pub fn price(given: Option<Price>, spec: &str, settings: &Settings) -> Option<(Price, String)> {
    match given {
        Some(price) => Some((price, "`--price`".to_owned())),
        None => settings
            .price(spec)
            .map(|(price, origin): (Price, &Origin)| (price, origin.to_string())),
    }
}
