//! GlitchTip: Sentry's API, of which it has a part, at an address of one's own.

use overnight_core::goal::Order;
use overnight_core::item::Verb;
use serde_json::{Value, json};

use crate::sentry::Flavour;

/// GlitchTip.
pub(crate) const GLITCHTIP: Flavour = Flavour {
    name: "GlitchTip",
    token: "GLITCHTIP_TOKEN",
    url: None,
    // Issues and events have addresses without the organisation.
    issue: |_| vec!["api".into(), "0".into(), "issues".into()],
    by_project: true,
    sort: |order| match order {
        Order::Oldest => ("first_seen", true),
        Order::Newest => ("-first_seen", true),
        Order::Priority => ("-priority", true),
        Order::Source => ("-last_seen", true),
    },
    page: None,
    comment: |text| json!({"data": {"text": text}}),
    verbs: &[Verb::Comment, Verb::Resolve],
    status: |next| match next {
        true => json!({"status": "resolved", "statusDetails": {"inNextRelease": true}}),
        false => json!({"status": "resolved"}),
    },
    web: |base, org, issue| Value::from(format!("{base}/{org}/issues/{issue}")),
};
