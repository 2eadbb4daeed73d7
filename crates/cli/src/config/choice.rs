//! Which model works, and why that one; what it costs, and who says so.

use overnight_core::event::Price;
use overnight_core::goal::Goal;
use overnight_models::{Loopback, NOTHING_FOUND};

use super::{Origin, Provider, Settings};
use crate::problem::usage;

/// A model with the reason why it is that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// `openai/NAME` …
    pub spec: String,
    /// One line for people: the model and why.
    pub line: String,
}

/// The model that somebody named: the option, else the goal, else the configuration.
fn named(given: Option<&str>, goal: Option<&Goal>, settings: &Settings) -> Option<Chosen> {
    let by = |spec: &str, by: &str| Chosen {
        spec: spec.to_owned(),
        line: format!("{spec}, by {by}"),
    };
    if let Some(spec) = given {
        return Some(by(spec, "`--model`"));
    }
    if let Some(spec) = goal.and_then(|goal| goal.uses.model.as_deref()) {
        return Some(by(spec, "the goal's `use.model`"));
    }
    settings
        .model()
        .map(|(spec, origin)| by(spec, &origin.to_string()))
}

/// The model that works: one that somebody named, else that of the first key, else one of this machine's own servers.
pub async fn model(
    given: Option<&str>,
    goal: Option<&Goal>,
    settings: &Settings,
) -> anyhow::Result<Chosen> {
    if let Some(chosen) = named(given, goal, settings) {
        return Ok(chosen);
    }
    // The second key is not asked for where the first is there.
    let mut env = settings.models(&[Provider::OpenAi])?;
    if env.openai_api_key.is_none() {
        env = settings.models(&[Provider::Anthropic])?;
    }
    match overnight_models::default_model(&env, &Loopback).await {
        Some(found) => Ok(Chosen {
            spec: found.spec,
            line: found.reason,
        }),
        None => Err(usage(format!(
            "{NOTHING_FOUND}, with `use.model` in the goal, or with `model` in the configuration (`overnight config`)"
        ))),
    }
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
